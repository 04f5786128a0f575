#!/usr/bin/env lua5.4
--- Remedies side by side: three sick nets, too deep with sigmoid, started too small, started too large, each with every remedy
-- that has a place in it: the gradient's ratio, how soon it knows 90 % of the training digits, what it knows in the end. The
-- remedies are those that flow.diagnose tries (bindings/rille/flow/remedies.lua).

local rille = require "rille"
local data = require "rille.data"
local experiment = require "rille.experiment"
local flow = require "rille.flow"
local nn = require "rille.nn"
local optim = require "rille.optim"
local text = require "rille.text"

local GOAL = 0.9 -- of the training images

local o = experiment.options("remedies.lua", "Tries every remedy on three sick nets.", {
    { "epochs", "Passes over the training images, at most.", 8, 1 },
    { "batch", "Images a step.", 32, 1 },
    { "lr", "Learning rate.", 0.1, 0 },
    { "width", "Units in each hidden layer.", 32, 1 },
})

local digits = data.digits()
local x, y = digits.train.x, digits.train.y

-- depth times Linear and activation; weights from He's start times scale.
local function make_net(activation, depth, scale)
    rille.manual_seed(o.seed)
    local net, inputs = nn.Sequential {}, 64
    for i = 1, depth do
        net[2 * i - 1], net[2 * i] = nn.Linear(inputs, o.width), nn.activation(activation)
        inputs = o.width
    end
    net[2 * depth + 1] = nn.Linear(inputs, 10)
    for name, parameter in net:named_parameters() do
        if name:find("weight$") then
            nn.init.kaiming_normal(parameter, { nonlinearity = activation })
            rille.no_grad(parameter.copy_, parameter, parameter * scale)
        else
            nn.init.zeros(parameter)
        end
    end
    return net
end

local function accuracy(net, part)
    return rille.no_grad(function()
        return rille.eq(net(part.x):argmax(2), part.y):mean():item()
    end)
end

-- log10 of the first over the last weight-gradient norm, on 500 images.
local function gradient_ratio(net)
    local probe = flow.probe(net)
    rille.cross_entropy(net(x:narrow(1, 1, 500)), y:narrow(1, 1, 500)):backward()
    local first, last
    for _, row in ipairs(probe:latest()) do
        if row.weight_gradient_log10_norm and not row.vector then
            first, last = first or row.weight_gradient_log10_norm, row.weight_gradient_log10_norm
        end
    end
    probe:detach()
    net:zero_grad()
    return first - last
end

-- Trains one copy; returns the first step, of those that are looked at, by which it knows the goal, and its test accuracy.
local function train(copy)
    local optimizer, step, reached = optim.SGD(copy.net:parameters(), { lr = copy.lr }), 0, nil
    for epoch = 1, o.epochs do
        for xb, yb in data.batches(x, y, o.batch, { shuffle = o.seed + epoch }) do
            copy.net:train()
            optimizer:zero_grad()
            local loss = rille.cross_entropy(copy.net(xb), yb)
            local value = loss:item()
            if value - value ~= 0 then -- infinite, or not a number
                return nil, nil
            end
            loss:backward()
            if copy.clip then
                optim.clip_grad_norm(copy.net:parameters(), copy.clip)
            end
            optimizer:step()
            step = step + 1
            if not reached and step % 15 == 0 and accuracy(copy.net:eval(), digits.train) >= GOAL then
                reached = step
            end
        end
    end
    return reached, accuracy(copy.net:eval(), digits.test)
end

local NETS = {
    { name = "sigmoid, 6 hidden layers", net = make_net("sigmoid", 6, 1) },
    { name = "tanh, 10 hidden layers, weights / 3", net = make_net("tanh", 10, 1 / 3) },
    { name = "relu, 10 hidden layers, weights x 3", net = make_net("relu", 10, 3) },
}
local cured, best = {}, {}
local names, place_of, series = {}, {}, {} -- of the plot: a row a remedy, a series a net
print(("SGD with lr %g, batches of %d, at most %d epochs, %d units a layer, seed %d; first / last: |dL/dW| before training")
    :format(o.lr, o.batch, o.epochs, o.width, o.seed))
for i, sick in ipairs(NETS) do
    local rows = {}
    series[i] = { x = {}, y = {}, label = sick.name, style = "points" }
    for _, copy in ipairs(flow.remedies(sick.net, { lr = o.lr, seed = o.seed })) do
        local ratio = gradient_ratio(copy.net)
        local reached, known = train(copy)
        if reached and copy.name ~= "as it is" then
            cured[i] = (cured[i] or 0) + 1
        end
        if known and known > (best[i] and best[i].known or 0) then
            best[i] = { name = copy.name, known = known }
        end
        sick.as_it_is = copy.name == "as it is" and (known or 0 / 0) or sick.as_it_is
        if not place_of[copy.name] then
            names[#names + 1] = copy.name
            place_of[copy.name] = #names
        end
        table.insert(series[i].x, 100 * (known or 0 / 0))
        table.insert(series[i].y, place_of[copy.name])
        rows[#rows + 1] = { copy.name, text.ratio(ratio), reached and tostring(reached) or "-",
            known and ("%.1f %%"):format(100 * known) or "not finite" }
    end
    print("\n" .. sick.name)
    print(text.table({ "<remedy", "first / last", "steps to 90 %", "test accuracy" }, rows))
end

experiment.save(o, { { "remedies", { title = "Remedies: what three sick nets come to know",
    xlabel = "test digits, % (none: not finite)", xrange = { 0, 100 }, ynames = names, width = 1150, series = series } } })

local claims, sentences = {}, {}
for i, sick in ipairs(NETS) do
    local name, known = best[i] and best[i].name or "nothing", best[i] and best[i].known or 0
    local finite = sick.as_it_is == sick.as_it_is
    claims[i] = { (cured[i] or 0) > 0 and (not finite or known > sick.as_it_is), ("%s: %s as it is, %.1f %% of the test "
        .. "digits with %s"):format(sick.name, finite and ("%.1f %%"):format(100 * sick.as_it_is) or "not finite",
        100 * known, name) }
    sentences[i] = ("%s: with %d of its remedies it comes to know 90 %% of the training digits."):format(sick.name,
        cured[i] or 0)
end
experiment.verdict(claims, table.concat(sentences, " "))
