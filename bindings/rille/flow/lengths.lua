--- rille.flow.lengths: variance, correlation and gradient layer by layer, as theory has them.

local check = require "rille.check"
local moments = require "rille.flow.moments"
local theory = require "rille.flow.theory"

local lengths = {}

--- The way of the variance q of pre-activations (the squared length of a layer's vector of them, by its width), from q0 in the
-- first layer: a list of { layer =, q =, c =, chi =, log10_gradient = }. c: the correlation of two inputs that both have
-- q and start with correlation c0 (nil without it). chi: the factor of the gradient's squared norm at this q. log10_gradient:
-- log10 of its norm here over that in the last layer. options: as flow.theory's, layers (20) and c0. Poole et al. 2016, eqs. 3,
-- 5.
function lengths.lengths(activation, options)
    options = theory.options("lengths", options, { layers = 20, c0 = { "number" } })
    local layers = check.positive_integer(2, "lengths", "option 'layers'", options.layers)
    local c = options.c0
    if c and not (c >= -1 and c <= 1) then
        check.argument(2, "lengths", "option 'c0': number of -1 to 1 expected, got %s", check.value_text(c))
    end
    local m = moments.of(1, "lengths", activation, options.parameters)
    local w2, b2, q, list = options.sigma_w ^ 2, options.sigma_b ^ 2, options.q0, {}
    for layer = 1, layers do
        local at = q > 0 and q <= m.largest and m:at(q)
        list[layer] = { layer = layer, q = q, c = c, chi = at and w2 * at.slope or 0 / 0 }
        local square = at and at.square or q == 0 and m.at_zero ^ 2 or math.huge
        local next_q = w2 * square + b2
        if c then
            c = c == 1 and 1 or at and (w2 * m:covariance(q, c) + b2) / next_q or 0 / 0
        end
        q = next_q
    end
    local sum = 0
    for layer = layers, 1, -1 do
        sum = sum + (layer < layers and math.log(list[layer].chi, 10) / 2 or 0)
        list[layer].log10_gradient = sum
    end
    return list
end

return lengths
