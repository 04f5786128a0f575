#!/usr/bin/env lua5.4
--- Two intertwined spirals, and the same net with every activation: how much of them it learns, and how much gradient
-- reaches its first layer before training. What can be changed: --help.

local rille = require "rille"
local data = require "rille.data"
local experiment = require "rille.experiment"
local flow = require "rille.flow"
local nn = require "rille.nn"
local optim = require "rille.optim"
local text = require "rille.text"

local o = experiment.options("spirals.lua", "Trains the same net with every activation on two intertwined spirals.", {
    { "points", "For training; as many others for testing.", 500, 2 },
    { "turns", "Of each spiral.", 1.5, 0 },
    { "depth", "Hidden layers.", 4, 1 },
    { "width", "Units in each.", 24, 1 },
    { "steps", "Of Adam, on all points at once.", 300, 1 },
    { "lr", "Learning rate.", 0.01, 0 },
    { "only", "Only activations whose name contains this.", "" },
})

local x, y = data.spirals(o.points, { turns = o.turns, seed = o.seed })
local test_x, test_y = data.spirals(o.points, { turns = o.turns, seed = o.seed + 1 })

-- Weights are N(0, (gain / sqrt(fan_in))^2), the gain that of the activation; 1 where it has none, as one that is flat.
local function make_net(entry)
    local layers, inputs, gain = {}, 2, entry.gain()
    gain = gain > 0 and gain < math.huge and gain or 1
    for _ = 1, o.depth do
        local linear = nn.Linear(inputs, o.width)
        nn.init.normal(linear.weight, 0, gain / math.sqrt(inputs))
        nn.init.zeros(linear.bias)
        table.insert(layers, linear)
        table.insert(layers, nn.activation(entry.name))
        inputs = o.width
    end
    table.insert(layers, nn.Linear(inputs, 2))
    return nn.Sequential(layers)
end

local function train(entry)
    rille.manual_seed(o.seed)
    local net = make_net(entry)
    local probe = flow.probe(net)
    rille.cross_entropy(net(x), y):backward()
    local hidden = flow.split(probe:latest())
    probe:detach()
    local run = { name = entry.name,
        ratio = hidden[1].weight_gradient_log10_norm - hidden[o.depth].weight_gradient_log10_norm }
    local adam = optim.Adam(net:parameters(), { lr = o.lr })
    for _ = 1, o.steps do
        adam:zero_grad()
        local loss = rille.cross_entropy(net(x), y)
        loss:backward()
        adam:step()
        run.loss = loss:item()
    end
    net:eval()
    run.accuracy = rille.no_grad(function() return rille.eq(net(test_x):argmax(2), test_y):mean():item() end)
    return run
end

local runs = {}
for _, entry in ipairs(rille.activations) do
    if entry.name:find(o.only, 1, true) then
        runs[#runs + 1] = train(entry)
    end
end
if #runs == 0 then
    experiment.stop("spirals.lua", "no activation's name contains '%s'", o.only)
end
table.sort(runs, function(a, b)
    return a.accuracy > b.accuracy or a.accuracy == b.accuracy and a.name < b.name
end)

print(text.wrap(("Two spirals of %g turns, %d points; %d hidden layers of %d units; %d steps of Adam with lr %g. first / last: "
    .. "the norm of the loss's gradient with respect to the first hidden layer's weight over that of the last one, before "
    .. "training."):format(o.turns, o.points, o.depth, o.width, o.steps, o.lr), 110))
local rows, names, series = {}, {}, { { x = {}, y = {}, style = "points" } }
for i, run in ipairs(runs) do
    rows[i] = { run.name, ("%.1f %%"):format(100 * run.accuracy), text.number(run.loss), text.ratio(run.ratio) }
    names[i], series[1].x[i], series[1].y[i] = run.name, 100 * run.accuracy, i
end
print("\n" .. text.table({ "<activation", "test accuracy", "training loss", "first / last" }, rows))
experiment.save(o, { { "spirals", { title = "Two spirals, the same net with every activation", xlabel = "test accuracy, %",
    ynames = names, legend = false, height = 160 + 18 * #runs, series = series } } })

-- Do those who let the gradient through learn more?
local SHARE = 0.1
local sum, count = { [true] = 0, [false] = 0 }, { [true] = 0, [false] = 0 }
for _, run in ipairs(runs) do
    local through = run.ratio > math.log(SHARE, 10)
    sum[through], count[through] = sum[through] + run.accuracy, count[through] + 1
end
local function group(through)
    local n = count[through]
    return n == 0 and "none" or ("%d, %.1f %% on average"):format(n, 100 * sum[through] / n)
end
print("\n" .. text.wrap(("Best: %s, %.1f %%; last: %s, %.1f %%. Activations whose first layer gets more than %g of the "
    .. "gradient of the last one: %s; others: %s."):format(runs[1].name, 100 * runs[1].accuracy, runs[#runs].name,
    100 * runs[#runs].accuracy, SHARE, group(true), group(false)), 110))
