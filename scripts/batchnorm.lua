#!/usr/bin/env lua5.4
--- Two faces of batch normalisation: it mends deep sigmoid nets, whose gradients vanish (Ioffe & Szegedy 2015), and it makes
-- the gradients of deep relu nets explode at initialisation: squared, by pi / (pi - 1) = 1.467 a layer (Yang et al. 2019, "A
-- mean field theory of batch normalization").

local rille = require "rille"
local data = require "rille.data"
local experiment = require "rille.experiment"
local flow = require "rille.flow"
local nn = require "rille.nn"
local optim = require "rille.optim"
local text = require "rille.text"

local PUBLISHED = math.pi / (math.pi - 1)

local o = experiment.options("batchnorm.lua", "What batch normalisation does to the gradients of sigmoid and relu nets.", {
    { "depth", "Hidden layers of the nets that are trained.", 6, 2 },
    { "epochs", "Passes over the digits.", 10, 1 },
    { "layers", "Hidden layers of the relu net whose gradient is measured.", 20, 4 },
    { "width", "Its units in a layer.", 512, 2 },
    { "batch", "Its batch.", 512, 4 },
    { "nets", "How many of them.", 4, 1 },
})

---- Sigmoid nets on digits ----------------------------------------------------------------------------------------------

local digits = data.digits()

local function make_net(normalised)
    local layers, inputs = {}, 64
    for _ = 1, o.depth do
        table.insert(layers, nn.Linear(inputs, 64))
        table.insert(layers, normalised and nn.BatchNorm1d(64) or nil)
        table.insert(layers, nn.Sigmoid())
        inputs = 64
    end
    table.insert(layers, nn.Linear(inputs, 10))
    return nn.Sequential(layers)
end

-- log10 of |dL/dW| of each Linear but the last, from one pass of the first 500 digits.
local function gradients(net)
    local norms = {}
    net:zero_grad()
    rille.cross_entropy(net(digits.train.x:narrow(1, 1, 500)), digits.train.y:narrow(1, 1, 500)):backward()
    for name, module in net:named_modules() do
        if module.class_name == "Linear" and name ~= ("[%d]"):format(#net) then
            norms[#norms + 1] = rille.measure(module.weight.grad).log10_norm
        end
    end
    return norms
end

local function train(normalised)
    rille.manual_seed(o.seed)
    local net = make_net(normalised)
    local norms = gradients(net)
    local optimizer = optim.SGD(net:parameters(), { lr = 0.1 })
    for epoch = 1, o.epochs do
        for x, y in data.batches(digits.train.x, digits.train.y, 32, { shuffle = o.seed + epoch }) do
            optimizer:zero_grad()
            rille.cross_entropy(net(x), y):backward()
            optimizer:step()
        end
    end
    net:eval()
    local right = rille.no_grad(function() return rille.eq(net(digits.test.x):argmax(2), digits.test.y):mean():item() end)
    return norms, right
end

---- Relu nets at initialisation -----------------------------------------------------------------------------------------

-- log10 of the gradient's norm at the output of each Linear of one random net, the first first: x -> W x -> normalised -> relu.
local function relu_gradients(normalised)
    local layers = {}
    for _ = 1, o.layers do
        local linear = nn.init.critical(nn.Linear(o.width, o.width, { bias = false }), "relu")
        table.insert(layers, linear)
        table.insert(layers, normalised and nn.BatchNorm1d(o.width) or nil)
        table.insert(layers, nn.ReLU())
    end
    local net = nn.Sequential(layers)
    local probe = flow.probe(net)
    local y = net(rille.randn(o.batch, o.width))
    y:backward(rille.randn(y:shape()))
    local norms = {}
    for _, row in ipairs(probe:latest()) do
        norms[#norms + 1] = row.kind == "Linear" and row.gradient_log10_norm or nil
    end
    probe:detach()
    return norms
end

-- Means over the nets, layer by layer.
local function mean_gradients(normalised)
    local mean = {}
    for _ = 1, o.nets do
        for layer, norm in ipairs(relu_gradients(normalised)) do
            mean[layer] = (mean[layer] or 0) + norm / o.nets
        end
    end
    return mean
end

---- Main ----------------------------------------------------------------------------------------------------------------

local rows, outcome, panel = {}, {}, { title = "sigmoid nets on digits", xlabel = "layer", ylabel = "log10 |dL/dW|",
    series = {} }
for i, normalised in ipairs { false, true } do
    local norms, right = train(normalised)
    outcome[i] = { ratio = norms[1] - norms[#norms], right = right }
    local cells = { normalised and "with" or "without", text.ratio(outcome[i].ratio), ("%.1f %%"):format(100 * right) }
    rows[i], panel.series[i] = cells, { x = {}, y = norms, label = cells[1] .. " BatchNorm", style = "linespoints" }
    for layer = 1, #norms do
        panel.series[i].x[layer] = layer
    end
end
print(("sigmoid, %d hidden layers of 64 units, digits, SGD with lr 0.1, %d epochs, seed %d\nfirst / last: |dL/dW| of the first "
    .. "hidden layer over that of the last, before training"):format(o.depth, o.epochs, o.seed))
print(text.table({ "<BatchNorm", "first / last", "test accuracy" }, rows))

rille.manual_seed(o.seed)
local second = { title = "relu nets at initialisation", xlabel = "layer", ylabel = "log10 |dL/dy|", series = {} }
local growth = {}
rows = {}
for i, normalised in ipairs { false, true } do
    local norms = mean_gradients(normalised)
    -- From the second layer on: the first sees raw inputs, whose statistics are not those of layers.
    growth[i] = 10 ^ (2 * (norms[2] - norms[#norms]) / (#norms - 2))
    local expected = normalised and PUBLISHED or 1
    rows[i] = { normalised and "with" or "without", ("%.4f"):format(expected), ("%.4f"):format(growth[i]),
        ("%+.1f %%"):format(100 * (growth[i] / expected - 1)) }
    second.series[i] = { x = {}, y = norms, label = panel.series[i].label, style = "linespoints" }
    for layer = 1, #norms do
        second.series[i].x[layer] = layer
    end
end
print(("\nrelu, %d layers of %d units, batches of %d, mean of %d nets: factor of the squared gradient norm, a layer back")
    :format(o.layers, o.width, o.batch, o.nets))
print(text.table({ "<BatchNorm", "theory", "measured", "off by" }, rows))
experiment.save(o, { { "batchnorm", { title = "What batch normalisation does to gradients", legend = "shared", width = 1100,
    height = 480, panels = { panel, second } } } })
experiment.verdict({
    { outcome[2].ratio > outcome[1].ratio + 1, ("it mends the sigmoid net's gradient: first / last %s with it, %s without")
        :format(text.ratio(outcome[2].ratio), text.ratio(outcome[1].ratio)) },
    { outcome[2].right > outcome[1].right + 0.2, ("and with it, its learning: %.1f %% against %.1f %%"):format(
        100 * outcome[2].right, 100 * outcome[1].right) },
    { math.abs(growth[2] / PUBLISHED - 1) < 0.05, ("it makes relu's squared gradient explode by %.3f a layer; published: %.3f")
        :format(growth[2], PUBLISHED) },
}, ("Batch normalisation lifts %d sigmoid layers from %.1f %% to %.1f %%. A relu net with He's weights keeps its gradient "
    .. "without it (%.3f a layer, squared); with it %d layers multiply its norm by %s."):format(o.depth, 100 * outcome[1].right,
    100 * outcome[2].right, growth[1], o.layers, text.number(growth[2] ^ (o.layers / 2))))
