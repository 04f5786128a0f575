#!/usr/bin/env lua5.4
--- Exploding nets: the same deep relu net with ever larger initial weights, until float32 has no number for its signals and
-- gradients. When and where: the first layer that is not finite, beside what theory says, and the step at which training
-- breaks.

local rille = require "rille"
local data = require "rille.data"
local experiment = require "rille.experiment"
local flow = require "rille.flow"
local nn = require "rille.nn"
local optim = require "rille.optim"
local text = require "rille.text"

local LARGEST = math.log(3.4028235e38, 10) -- of float32, log10

local o = experiment.options("exploding.lua", "Scales the initial weights of a deep net until it explodes, and says where.", {
    { "scales", "Factors of He's weights, N(0, 2 / fan_in).", { 0.5, 0.9, 1, 1.1, 1.5, 2, 4, 8, 16, 64 }, 1e-3 },
    { "depth", "Hidden layers.", 50, 2 },
    { "width", "Units in each.", 64, 2 },
    { "steps", "Steps of training.", 20, 1 },
    { "lr", "Learning rate.", 0.01, 0 },
})

local digits = data.digits()
local x, y = digits.train.x:narrow(1, 1, 128), digits.train.y:narrow(1, 1, 128)

local function make_net(scale)
    rille.manual_seed(o.seed)
    local layers, inputs = {}, 64
    for _ = 1, o.depth do
        table.insert(layers, nn.Linear(inputs, o.width))
        table.insert(layers, nn.ReLU())
        inputs = o.width
    end
    table.insert(layers, nn.Linear(inputs, 10))
    local net = nn.Sequential(layers)
    nn.init.critical(net, "relu")
    for _, parameter in ipairs(net:parameters()) do
        rille.no_grad(parameter.copy_, parameter, parameter * scale)
    end
    return net
end

-- The first row whose values, or the last whose gradient, are not all finite: where it breaks, going forward or going back.
local function first_broken(rows)
    for _, row in ipairs(rows) do
        if row.nans + row.infinities > 0 then
            return row, "forward"
        end
    end
    for i = #rows, 1, -1 do
        local row = rows[i]
        if (row.gradient_nans or 0) + (row.gradient_infinities or 0) > 0 then
            return row, "backward"
        end
    end
end

-- log10 of the norm of a layer's outputs.
local function norm_of(row)
    return row.nans + row.infinities > 0 and math.huge or row.log10_norm
end

local function layer_number(row)
    return (row.layer + 1) // 2
end

-- Trains until a loss is not finite; returns the step and the last loss.
local function train(net)
    local optimizer, loss = optim.SGD(net:parameters(), { lr = o.lr }), nil
    for step = 1, o.steps do
        optimizer:zero_grad()
        local now = rille.cross_entropy(net(x), y)
        now:backward()
        optimizer:step()
        loss = now:item()
        if loss - loss ~= 0 then -- infinite, or not a number
            return step, loss
        end
    end
    return nil, loss
end

-- The layer in which theory has the signals' root mean square leave float32: its log10 grows by log10(scale) a layer.
local function predicted_layer(scale, first_norm)
    local first = first_norm - math.log(x:size(1) * o.width, 10) / 2
    local layers = math.ceil((LARGEST - first) / math.log(scale, 10)) + 1
    return scale > 1 and layers <= o.depth and layers or nil
end

local rows, series, breaks, off, fine = {}, {}, {}, 0, 0
for i, scale in ipairs(o.scales) do
    local net = make_net(scale)
    local probe = flow.probe(net)
    rille.cross_entropy(net(x), y):backward()
    local pass = probe:latest()
    probe:detach()
    local row, direction = first_broken(pass)
    local layers = flow.split(pass)
    local few = math.min(10, o.depth)
    local growth = (norm_of(layers[few]) - norm_of(layers[1])) / (few - 1)
    local step, loss = train(net)
    local theory = predicted_layer(scale, layers[1].log10_norm)
    local found = row and layer_number(row)
    if theory and direction == "forward" then
        off = math.max(off, math.abs(theory - found))
    elseif theory or direction == "forward" then
        off = math.huge
    end
    breaks[#breaks + 1] = row and ("%g (layer %d, %s %s)"):format(scale, found, row.kind, direction)
    fine = fine + (step and 0 or 1)
    rows[i] = { ("%g"):format(scale), text.power(growth), text.power(norm_of(layers[#layers])),
        row and "-" or text.power(layers[1].weight_gradient_log10_norm), theory and tostring(theory) or "-",
        row and ("%d, %s %s"):format(found, row.kind, direction) or "-", step and tostring(step) or "-", text.number(loss) }
    local line = { x = {}, y = {}, label = "x " .. scale }
    for layer = 1, o.depth do
        line.x[layer], line.y[layer] = layer, norm_of(layers[layer])
    end
    series[i] = line
end
print(("relu, %d hidden layers of %d units, weights N(0, 2 / fan_in) times a factor, zero biases, float32, %d digits, seed %d\n"
    .. "growth: of |y| a layer, over the first ten; predicted: the layer whose y passes 3.4e38 if it grows by the factor;\n"
    .. "broken: the first layer that is not finite, forward, or else backward; step: of training at which the loss is not")
    :format(o.depth, o.width, x:size(1), o.seed))
print(text.table({ "factor", "growth", "|y| at the end", "|dL/dW| first", "predicted", "broken", "step", "last loss" }, rows))
experiment.save(o, { { "exploding", { title = "log10 of the norm of each layer's outputs, by the factor of the weights",
    xlabel = "layer", ylabel = "log10 |y|", level = LARGEST, palette = "ordered", series = series } } })
experiment.verdict({
    { off <= 2, off <= 2 and ("layers break where theory has them break, within %d"):format(off)
        or "layers break elsewhere than theory has them break" },
    { #breaks > 0 and fine > 0, ("%d of %d nets are not finite in their first pass; %d train on"):format(#breaks,
        #o.scales, fine) },
}, ("A layer multiplies the signal by the factor of its weights, %d by its power %d. The first pass breaks with: %s.")
    :format(o.depth, o.depth, #breaks > 0 and table.concat(breaks, ", ") or "none of the factors"))
