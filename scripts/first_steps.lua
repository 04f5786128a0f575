#!/usr/bin/env lua5.4
--- The first steps that every tutorial takes, with what they print: activations of a few numbers, softmax where a naive one
-- overflows, a gradient, and a net that learns. Takes no options but --help.

local rille = require "rille"
local experiment = require "rille.experiment"
local nn = require "rille.nn"
local optim = require "rille.optim"

if arg and (arg[1] == "--help" or arg[1] == "-h") then
    print("usage: first_steps.lua\n\nActivations, softmax, a gradient and a first net, with their results.")
    return
elseif arg and arg[1] then
    experiment.stop("first_steps.lua", "no argument expected, got '%s'", arg[1])
end

local function show(code, value)
    print(("> %s\n%s\n"):format(code, tostring(value)))
end

-- Activations work on each element.
show("rille.relu(rille.linspace(-1, 1, 10))", rille.relu(rille.linspace(-1, 1, 10)))
show("rille.sigmoid(rille.linspace(-100, 100, 10))", rille.sigmoid(rille.linspace(-100, 100, 10)))
show("rille.tanh(rille.linspace(-10, 10, 10))", rille.tanh(rille.linspace(-10, 10, 10)))

-- Their derivatives: what a gradient is multiplied by on its way back. At 40 sigmoid is 1 in float32; its slope is not 0.
show('rille.derivative("relu", rille.linspace(-1, 1, 10))', rille.derivative("relu", rille.linspace(-1, 1, 10)))
show('rille.derivative("sigmoid", rille.tensor{0, 10, 40})', rille.derivative("sigmoid", rille.tensor { 0, 10, 40 }))

-- Softmax makes numbers shares of 1, of a vector or of each row of a matrix.
show("rille.softmax(rille.tensor{1, 2, 3}, 1)", rille.softmax(rille.tensor { 1, 2, 3 }, 1))
show("rille.softmax(rille.tensor{{1, 2, 3}, {1, 1, 1}}, 2)", rille.softmax(rille.tensor { { 1, 2, 3 }, { 1, 1, 1 } }, 2))

-- exp(10000) is no float. Where it is computed as it is written, softmax is Inf / Inf; rille subtracts the largest first.
local large = rille.tensor { 10000, 10001, 10002 }
show("large:exp() / large:exp():sum()          -- large = rille.tensor{10000, 10001, 10002}", large:exp() / large:exp():sum())
show("rille.softmax(large, 1)", rille.softmax(large, 1))

-- A gradient: d/dx of sum x³ is 3 x².
local x = rille.tensor({ 1, 2, 3 }, { dtype = "float64" }):requires_grad(true)
x:pow(3):sum():backward()
show("x:pow(3):sum():backward(); x.grad        -- x = rille.tensor{1, 2, 3}, with gradient", x.grad)

-- A net of two layers learns XOR, which no line separates.
rille.manual_seed(1)
local inputs = rille.tensor { { 0, 0 }, { 0, 1 }, { 1, 0 }, { 1, 1 } }
local labels = rille.tensor({ 1, 2, 2, 1 }, { dtype = "int64" })
local net = nn.Sequential { nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2) }
local optimizer = optim.SGD(net:parameters(), { lr = 0.5 })
for _ = 1, 200 do
    optimizer:zero_grad()
    rille.cross_entropy(net(inputs), labels):backward()
    optimizer:step()
end
show("net(inputs):argmax(2)                    -- after 200 steps; 2 where the inputs differ", net(inputs):argmax(2))
