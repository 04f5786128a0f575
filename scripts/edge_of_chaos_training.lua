#!/usr/bin/env lua5.4
--- How deep a net can be trained: random tanh nets of growing depth, at several weight variances with sigma_b² = 0.05, on the
-- digits. Theory: information survives for some 6 xi layers, xi = 1 / |ln chi|, which is infinite at the edge of chaos.
-- Schoenholz, Gilmer, Ganguli & Sohl-Dickstein 2017, "Deep information propagation", fig. 5.

local rille = require "rille"
local data = require "rille.data"
local experiment = require "rille.experiment"
local flow = require "rille.flow"
local nn = require "rille.nn"
local optim = require "rille.optim"
local text = require "rille.text"

local SIGMA_B = math.sqrt(0.05)
local REACH = 6     -- depth scales
local LEARNED = 0.5 -- a training accuracy above it counts as learning; guessing gives 0.1

local o = experiment.options("edge_of_chaos_training.lua", "Trains tanh nets of several depths and weights on digits.", {
    { "sigma_w2", "Variances of the weights, times fan_in.", { 1, 1.3, 1.76, 2.5, 4 }, 1e-6 },
    { "depths", "Hidden layers.", { 5, 10, 20, 40, 80 }, 1 },
    { "width", "Units in each.", 100, 2 },
    { "steps", "Steps of training.", 200, 1 },
    { "lr", "Learning rate for 10 hidden layers; in inverse proportion to the depth for more.", 0.01, 0 },
})

local digits = data.digits()

local function make_net(sigma_w, depth)
    local layers, inputs = {}, 64
    for _ = 1, depth do
        table.insert(layers, nn.Linear(inputs, o.width))
        table.insert(layers, nn.Tanh())
        inputs = o.width
    end
    table.insert(layers, nn.Linear(inputs, 10))
    local net = nn.Sequential(layers)
    for _, parameter in ipairs(net:parameters()) do
        local is_weight = parameter:dim() == 2
        nn.init.normal(parameter, 0, is_weight and sigma_w / math.sqrt(parameter:size(2)) or SIGMA_B)
    end
    return net
end

-- The share of the training digits that the net knows after o.steps steps.
local function train(sigma_w, depth)
    rille.manual_seed(o.seed)
    local net = make_net(sigma_w, depth)
    local optimizer = optim.SGD(net:parameters(), { lr = o.lr * math.min(1, 10 / depth), momentum = 0.9 })
    local step, epoch = 0, 0
    while step < o.steps do
        epoch = epoch + 1
        for x, y in data.batches(digits.train.x, digits.train.y, 64, { shuffle = o.seed + epoch }) do
            optimizer:zero_grad()
            rille.cross_entropy(net(x), y):backward()
            optimizer:step()
            step = step + 1
            if step == o.steps then
                break
            end
        end
    end
    return rille.no_grad(function() return rille.eq(net(digits.train.x):argmax(2), digits.train.y):mean():item() end)
end

local titles, rows, series, hits, cases = { "sigma_w²", "<phase", "chi", "xi", "6 xi" }, {}, {}, 0, 0
local deepest, best = {}, 1
for k, depth in ipairs(o.depths) do
    titles[5 + k] = ("depth %d"):format(depth)
end
for i, sigma_w2 in ipairs(o.sigma_w2) do
    local theory = flow.theory("tanh", { sigma_w = math.sqrt(sigma_w2), sigma_b = SIGMA_B })
    rows[i] = { ("%g"):format(sigma_w2), theory.phase, ("%.4f"):format(theory.chi), text.number(theory.xi),
        text.number(REACH * theory.xi) }
    series[i] = { x = {}, y = {}, label = ("sigma_w² = %g"):format(sigma_w2), style = "linespoints" }
    deepest[i] = 0
    for k, depth in ipairs(o.depths) do
        local known = train(math.sqrt(sigma_w2), depth)
        local learned, expected = known > LEARNED, depth <= REACH * theory.xi
        hits, cases = hits + (learned == expected and 1 or 0), cases + 1
        deepest[i] = learned and math.max(deepest[i], depth) or deepest[i]
        rows[i][5 + k] = ("%.0f %%%s"):format(100 * known, learned == expected and " " or "!")
        series[i].x[k], series[i].y[k] = depth, 100 * known
    end
    best = math.abs(theory.chi - 1) < math.abs(tonumber(rows[best][3]) - 1) and i or best
end
print(("tanh, %d units a layer, biases N(0, 0.05), weights N(0, sigma_w² / fan_in), SGD with momentum 0.9, %d steps, seed %d.\n"
    .. "Share of the training digits that is learned, by hidden layers; !: unlike theory, by which nets up to 6 xi deep learn")
    :format(o.width, o.steps, o.seed))
print(text.table(titles, rows))
experiment.save(o, { { "edge-of-chaos-training", { title = "How deep a tanh net learns", xlabel = "hidden layers",
    ylabel = "digits learned, %", xtics = o.depths, yrange = { 0, 102 }, series = series } } })
experiment.verdict({
    { hits >= 0.8 * cases, ("depth <= 6 xi tells which nets learn in %d of %d cases"):format(hits, cases) },
    { deepest[best] == math.max(table.unpack(deepest)), ("nearest the edge of chaos, at sigma_w² = %s, nets learn as deep as "
        .. "any: %d layers"):format(rows[best][1], deepest[best]) },
    { deepest[1] < deepest[best] and deepest[#rows] < deepest[best], ("with sigma_w² = %s it is %d layers, with %s %d"):format(
        rows[1][1], deepest[1], rows[#rows][1], deepest[#rows]) },
}, ("Nearest the edge of chaos, at sigma_w² = %s (chi = %s), nets of %d layers learn; at sigma_w² = %s (xi = %s) it is %d "
    .. "layers, at %s (xi = %s) %d."):format(rows[best][1], rows[best][3], deepest[best], rows[1][1], rows[1][4], deepest[1],
    rows[#rows][1], rows[#rows][4], deepest[#rows]))
