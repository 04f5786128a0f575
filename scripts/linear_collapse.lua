#!/usr/bin/env lua5.4
--- Layers without an activation between them are one layer: any number of Linears is a single one, whose matrix is the product
-- of theirs and has the rank of the narrowest. What an activation adds: a task that no single layer can learn.

local rille = require "rille"
local experiment = require "rille.experiment"
local nn = require "rille.nn"
local optim = require "rille.optim"
local text = require "rille.text"

local FLOAT64 = { dtype = "float64" }
local BETWEEN = { "identity", "relu", "tanh" }

local o = experiment.options("linear_collapse.lua", "Shows that linear layers in a row are one, and what activations change.", {
    { "depths", "Numbers of Linear layers.", { 1, 2, 4, 8 }, 1 },
    { "width", "Units in each hidden layer.", 32, 1 },
    { "narrow", "Units in the narrowest, the middle one of the deeper nets.", 3, 1 },
    { "steps", "Steps of training.", 400, 1 },
})
if math.max(table.unpack(o.depths)) == 1 then
    experiment.stop("linear_collapse.lua", "--depths: one above 1 expected, got none")
end

-- `depth` Linear layers with an activation between them; the middle one has `narrow` outputs.
local function make_net(inputs, outputs, depth, activation, narrow)
    local layers = {}
    for i = 1, depth do
        local wide = i == depth and outputs or narrow and i == depth // 2 and narrow or o.width
        table.insert(layers, nn.Linear(inputs, wide, FLOAT64))
        table.insert(layers, i < depth and nn.activation(activation) or nil)
        inputs = wide
    end
    return nn.Sequential(layers)
end

-- W and b of the one layer that Linear layers make: W = W_n ... W_1, b likewise.
local function collapse(net)
    local weight, bias
    for _, parameter in ipairs(net:parameters()) do
        if parameter:dim() == 2 then
            weight, bias = weight and parameter:matmul(weight) or parameter, bias and parameter:matmul(bias)
        else
            bias = bias and bias + parameter or parameter
        end
    end
    return weight, bias
end

-- The rank of a matrix: what is left of its rows when each is freed of the ones before it, the longest first.
local function rank_of(matrix)
    local rank, largest = 0, nil
    for _ = 1, math.min(matrix:size(1), matrix:size(2)) do
        local lengths = (matrix * matrix):sum(2)
        local at, length = lengths:argmax(1):item(), lengths:max():item()
        largest = largest or length
        if length <= 1e-24 * largest then
            break
        end
        rank = rank + 1
        local row = matrix:select(1, at) / math.sqrt(length)
        matrix = matrix - matrix:matmul(row:reshape(row:numel(), 1)):matmul(row:reshape(1, row:numel()))
    end
    return rank
end

-- |net(x) - (W x + b)| / |net(x)|, and |f(x + y) - f(x) - f(y) + f(0)| / |f(x)|, which is 0 for nothing but affine functions.
local function residuals(net, inputs)
    return rille.no_grad(function()
        local x, y = rille.randn({ 100, inputs }, FLOAT64), rille.randn({ 100, inputs }, FLOAT64)
        local fx = net(x)
        local norm = fx:norm():item()
        local weight, bias = collapse(net)
        local bent = net(x + y) - fx - net(y) + net(rille.zeros({ 1, inputs }, FLOAT64))
        return (fx - x:matmul(weight:t()) - bias):norm():item() / norm, bent:norm():item() / norm, rank_of(weight)
    end)
end

-- Points in a square, of class 2 where the signs of their coordinates differ: XOR, which no line separates.
local function xor_points(n)
    local x = rille.rand({ n, 2 }, FLOAT64) * 2 - 1
    return x, rille.lt(x:select(2, 1) * x:select(2, 2), 0):to("int64") + 1
end

local function learn(activation, depth, x, y)
    rille.manual_seed(o.seed)
    local net = make_net(2, 2, depth, activation)
    local optimizer = optim.SGD(net:parameters(), { lr = 0.1, momentum = 0.9 })
    for _ = 1, o.steps do
        optimizer:zero_grad()
        rille.cross_entropy(net(x), y):backward()
        optimizer:step()
    end
    return rille.no_grad(function() return rille.eq(net(x):argmax(2), y):mean():item() end)
end

local rows, worst, bends, ranks_fit = {}, 0, math.huge, true
for _, activation in ipairs(BETWEEN) do
    for _, depth in ipairs(o.depths) do
        if activation == "identity" or depth > 1 then
            local from_one, bent, rank = residuals(make_net(16, 8, depth, activation, depth > 1 and o.narrow), 16)
            local linear = activation == "identity"
            local expected = depth > 1 and math.min(o.narrow, 8, o.width) or 8
            rows[#rows + 1] = { linear and "none" or activation, tostring(depth), text.number(from_one), text.number(bent),
                linear and tostring(rank) or "-", linear and tostring(expected) or "-" }
            worst = linear and math.max(worst, from_one, bent) or worst
            bends = linear and bends or math.min(bends, bent)
            ranks_fit = ranks_fit and (not linear or rank == expected)
        end
    end
end
print(("Random nets of 16 inputs and 8 outputs, %d units between, %d in the middle. off one layer: how far the net is from\n"
    .. "x W + b, with W the product of its weights; bent: |f(x+y) - f(x) - f(y) + f(0)| / |f(x)|, 0 for one layer"):format(
    o.width, o.narrow))
print(text.table({ "<between", "layers", "off one layer", "bent", "rank of W", "expected" }, rows))

rille.manual_seed(o.seed)
local x, y = xor_points(500)
local series, best, with = {}, 0, 0
rows = {}
for i, activation in ipairs(BETWEEN) do
    local line = { x = {}, y = {}, label = activation == "identity" and "none" or activation, style = "linespoints" }
    local cells = { line.label }
    for k, depth in ipairs(o.depths) do
        line.x[k], line.y[k] = depth, 100 * learn(activation, depth, x, y)
        cells[k + 1] = ("%.1f %%"):format(line.y[k])
        best = activation == "identity" and math.max(best, line.y[k]) or best
        with = activation ~= "identity" and depth > 1 and math.max(with, line.y[k]) or with
    end
    rows[i], series[i] = cells, line
end
local titles = { "<between" }
for k, depth in ipairs(o.depths) do
    titles[k + 1] = depth .. (depth == 1 and " layer" or " layers")
end
print(("\nXOR, 500 points, %d steps: share that is learned"):format(o.steps))
print(text.table(titles, rows))
experiment.save(o, { { "linear-collapse", { title = "XOR: what depth gives without and with an activation", xlabel = "layers",
    ylabel = "learned, %", yrange = { 40, 102 }, series = series } } })
experiment.verdict({
    { worst < 1e-12, ("nets without activations are one layer, to %s"):format(text.number(worst)) },
    { ranks_fit, "its matrix has the rank of the narrowest layer" },
    { bends > 1e-6, ("with activations they are not: by %s at least"):format(text.number(bends)) },
    { best < 75 and with > 95, ("XOR needs an activation: %.1f %% without, %.1f %% with"):format(best, with) },
}, ("Without activations %s layers compute what one computes, to %s of its size; the best of them learns %.1f %% of XOR, "
    .. "however deep. An activation between two layers takes it to %.1f %%."):format(table.concat(o.depths, ", "),
    text.number(worst), best, with))
