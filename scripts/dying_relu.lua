#!/usr/bin/env lua5.4
--- Dying relus: units that are 0 for every image get no gradient and never learn again. The same net on handwritten digits with
-- ever higher learning rates, with relu, leaky_relu and elu: how many units die, whether any comes back, what is learned. Maas,
-- Hannun & Ng 2013; Lu, Shin, Su & Karniadakis 2019.

local rille = require "rille"
local data = require "rille.data"
local experiment = require "rille.experiment"
local nn = require "rille.nn"
local optim = require "rille.optim"
local text = require "rille.text"

local ACTIVATIONS = { "relu", "leaky_relu", "elu" }

local o = experiment.options("dying_relu.lua", "Counts the relu units that die, by learning rate.", {
    { "lr", "Learning rates.", { 0.1, 0.3, 0.5, 0.7, 1 }, 0 },
    { "depth", "Hidden layers.", 4, 1 },
    { "width", "Units in each.", 64, 1 },
    { "epochs", "Passes over the training images.", 10, 1 },
    { "nets", "Nets of each kind that are averaged over.", 3, 1 },
    { "batch", "Images a step.", 32, 1 },
})

local digits = data.digits()

local function make_net(activation, seed)
    rille.manual_seed(seed)
    local net, inputs = nn.Sequential {}, 64
    for i = 1, o.depth do
        net[2 * i - 1], net[2 * i] = nn.Linear(inputs, o.width), nn.activation(activation)
        nn.init.kaiming_normal(net[2 * i - 1].weight, { nonlinearity = "relu" })
        inputs = o.width
    end
    net[2 * o.depth + 1] = nn.Linear(inputs, 10)
    return net
end

-- For each hidden unit, layer by layer: is its input to the activation negative for every training image? For relu: is it dead?
local function silent_units(net)
    return rille.no_grad(function()
        local x, flags = digits.train.x, {}
        for i = 1, o.depth do
            local z = net[2 * i - 1](x)
            flags[i] = z:amax(1):le(0)
            x = net[2 * i](z)
        end
        return rille.cat(flags, 1)
    end)
end

local function accuracy(net)
    return rille.no_grad(function()
        return rille.eq(net(digits.test.x):argmax(2), digits.test.y):mean():item()
    end)
end

-- One net: shares[epoch] of silent units, `back`: units that were silent after one epoch and not after the next, `broken`: the
-- epoch in which the loss was no number any more.
local function train(activation, lr, seed)
    local net = make_net(activation, seed)
    local optimizer, run = optim.SGD(net:parameters(), { lr = lr }), { shares = {}, back = 0 }
    local before = silent_units(net)
    run.shares[0] = before:mean():item()
    for epoch = 1, o.epochs do
        for x, y in data.batches(digits.train.x, digits.train.y, o.batch, { shuffle = seed + epoch }) do
            optimizer:zero_grad()
            local loss = rille.cross_entropy(net(x), y)
            local value = loss:item()
            if value - value ~= 0 then -- infinite, or not a number
                run.broken = epoch
                return run
            end
            loss:backward()
            optimizer:step()
        end
        local now = silent_units(net)
        run.back = run.back + rille.sum(before:to("int64") * (1 - now:to("int64"))):item()
        run.shares[epoch], before = now:mean():item(), now
    end
    run.accuracy = accuracy(net)
    return run
end

-- The mean of several nets; those that broke are counted, and left out of it.
local function train_several(activation, lr)
    local mean = { shares = {}, back = 0, accuracy = 0, whole = 0 }
    for k = 1, o.nets do
        local run = train(activation, lr, o.seed + 100 * (k - 1))
        if not run.broken then
            mean.whole = mean.whole + 1
            for epoch = 0, o.epochs do
                mean.shares[epoch] = (mean.shares[epoch] or 0) + run.shares[epoch]
            end
            mean.back, mean.accuracy = mean.back + run.back, mean.accuracy + run.accuracy
        end
    end
    for epoch = 0, o.epochs do
        mean.shares[epoch] = mean.whole > 0 and mean.shares[epoch] / mean.whole or 0 / 0
    end
    mean.back, mean.accuracy = mean.back / mean.whole, mean.accuracy / mean.whole
    return mean
end

local rows, series, at = {}, {}, {}
for _, activation in ipairs(ACTIVATIONS) do
    at[activation] = {}
    for i, lr in ipairs(o.lr) do
        local run = train_several(activation, lr)
        local whole = run.whole > 0
        at[activation][i] = run
        rows[#rows + 1] = { activation, ("%g"):format(lr), whole and text.share(run.shares[0]) or "-",
            whole and text.share(run.shares[1]) or "-", whole and text.share(run.shares[o.epochs]) or "-",
            whole and text.number(run.back) or "-", whole and ("%.1f %%"):format(100 * run.accuracy) or "-",
            ("%d of %d"):format(o.nets - run.whole, o.nets) }
        if activation == "relu" then
            local line = { x = {}, y = {}, label = "lr " .. lr }
            for epoch = 0, o.epochs do
                line.x[epoch + 1], line.y[epoch + 1] = epoch, 100 * run.shares[epoch]
            end
            series[#series + 1] = line
        end
    end
end
print(("%d hidden layers of %d units, He's start, SGD, batches of %d, means of %d nets, seed %d\n"
    .. "silent: share of hidden units whose input is below 0 for all %d training images (dead, for relu); back: units that\n"
    .. "were silent after one epoch and not after the next; not finite: nets whose loss stopped being a number"):format(o.depth,
    o.width, o.batch, o.nets, o.seed, digits.train.x:size(1)))
print(text.table({ "<activation", "lr", "silent, start", "after 1 epoch", "after " .. o.epochs, "back", "test accuracy",
    "not finite" }, rows))
experiment.save(o, { { "dying-relu", { title = "Dead relu units by learning rate", xlabel = "epoch",
    ylabel = "share of hidden units, %", palette = "ordered", series = series } } })

-- Of the relu nets that stayed finite: the first learning rate, and the one that kills most units.
local first, worst
for i, run in ipairs(at.relu) do
    if run.whole > 0 then
        first = first or i
        worst = worst and run.shares[o.epochs] <= at.relu[worst].shares[o.epochs] and worst or i
    end
end
if not first then
    experiment.verdict({}, ("No relu net stayed finite at %s."):format(table.concat(o.lr, ", ")))
    return
end
local calm, deadly, smooth = at.relu[first], at.relu[worst], at.elu[first]
local claims = {
    { worst > first and deadly.shares[o.epochs] > 2 * calm.shares[o.epochs], ("too high a learning rate kills relus: %s are "
        .. "dead at lr %g, %s at %g"):format(text.share(deadly.shares[o.epochs]), o.lr[worst],
        text.share(calm.shares[o.epochs]), o.lr[first]) },
    { deadly.accuracy < calm.accuracy, ("with them goes what the net knows: %.1f %% of the test digits against %.1f %%"):format(
        100 * deadly.accuracy, 100 * calm.accuracy) },
}
if smooth.whole > 0 then
    claims[3] = { smooth.shares[o.epochs] < calm.shares[o.epochs], ("elu, which has a slope below 0, has fewer units there: %s")
        :format(text.share(smooth.shares[o.epochs])) }
end
experiment.verdict(claims, ("At learning rate %g relu ends with %s of its units dead. A dead unit gets no gradient of its own; "
    .. "%.0f a net came back, because the layers below it still move."):format(o.lr[worst],
    text.share(deadly.shares[o.epochs]), deadly.back))
