--- rille.gain: by what factor the weights before an activation are to be larger than a linear layer's. It stands behind
-- rille.activations.<name>.gain() and rille.nn.init.calculate_gain.

local rille = require "rille"
local check = require "rille.check"
local gaussian = require "rille.gaussian"

local gain = {}

-- Where PyTorch documents a value, it is that. leaky_relu's is what `backward` computes, in closed form, as is relu's.
local DOCUMENTED = {
    identity = function() return 1 end,
    sigmoid = function() return 1 end,
    tanh = function() return 5 / 3 end,
    relu = function() return math.sqrt(2) end,
    leaky_relu = function(parameters) return math.sqrt(2 / (1 + parameters.negative_slope ^ 2)) end,
    selu = function() return 3 / 4 end,
}

local function mean_square(name, order, parameters, kinks)
    return gaussian.expectation(function(z) return rille.derivative(name, z, order, parameters) ^ 2 end, kinks)
end

--- 1 / sqrt(E f'(z)²), z ~ N(0, 1): keeps the variance of gradients from layer to layer. Infinite where f' is 0.
function gain.backward(name, parameters, kinks)
    return 1 / math.sqrt(mean_square(name, 1, parameters, kinks))
end

--- 1 / sqrt(E f(z)²), z ~ N(0, 1): keeps the mean square of activations from layer to layer.
function gain.forward(name, parameters, kinks)
    return 1 / math.sqrt(mean_square(name, 0, parameters, kinks))
end

--- PyTorch's documented gain, or nil where it documents none.
function gain.documented(name, parameters)
    local known = rawget(DOCUMENTED, name)
    return known and known(parameters)
end

--- The documented gain, else the one that keeps gradients.
function gain.recommended(name, parameters, kinks)
    return gain.documented(name, parameters) or gain.backward(name, parameters, kinks)
end

return check.strict(gain, "rille.gain")
