#!/usr/bin/env lua5.4
--- Handwritten digits with a convolutional net: convolutions, batch normalisation (Ioffe & Szegedy 2015), pooling; the same
-- net without normalisation beside it. Training images are moved by up to a pixel, as a writer's hand would.
-- What can be changed: --help.

local rille = require "rille"
local data = require "rille.data"
local experiment = require "rille.experiment"
local nn = require "rille.nn"
local optim = require "rille.optim"
local text = require "rille.text"

local o = experiment.options("digits_cnn.lua", "Trains a convolutional net on the bundled handwritten digits.", {
    { "channels", "Of the first two convolutions; the others have twice as many.", 24, 1 },
    { "epochs", "Passes over the training images and their eight moves.", 6, 1 },
    { "batch", "Images a step.", 64, 1 },
    { "lr", "Learning rate of Adam at the start; it falls to 0 along a cosine.", 0.003, 0 },
    { "quiet", "No progress line." },
})

local digits = data.digits { flat = false }
local function images(part)
    return { x = part.x:unsqueeze(2), y = part.y } -- [n, 1, 8, 8]
end
local train, test = images(digits.train), images(digits.test)

-- [n, 1, 8, 8] -> [n, classes]
local function make_net(normalised)
    local layers, inputs = {}, 1
    for _, channels in ipairs { o.channels, o.channels, 2 * o.channels, 2 * o.channels } do
        table.insert(layers, nn.Conv2d(inputs, channels, 3, { padding = 1, bias = not normalised }))
        if normalised then
            table.insert(layers, nn.BatchNorm2d(channels))
        end
        table.insert(layers, nn.ReLU())
        if channels == inputs then
            table.insert(layers, nn.MaxPool2d(2)) -- 8x8 -> 4x4 -> 2x2
        end
        inputs = channels
    end
    table.insert(layers, nn.Flatten())
    table.insert(layers, nn.Dropout(0.5))
    table.insert(layers, nn.Linear(inputs * 4, digits.classes))
    return nn.Sequential(layers)
end

-- Every image nine times: moved by -1, 0 or 1 pixel along both dimensions, zeros coming in.
local function with_moves(part)
    local xs, ys, padded = {}, {}, part.x:pad { 1, 1 }
    for down = 0, 2 do
        for right = 0, 2 do
            table.insert(xs, padded:narrow(3, 1 + down, 8):narrow(4, 1 + right, 8))
            table.insert(ys, part.y)
        end
    end
    return { x = rille.cat(xs, 1), y = rille.cat(ys, 1) }
end
local moved = with_moves(train)

local function evaluate(net, part)
    net:eval()
    local loss, accuracy = rille.no_grad(function()
        local logits = net(part.x)
        return rille.cross_entropy(logits, part.y):item(), rille.eq(logits:argmax(2), part.y):mean():item()
    end)
    net:train()
    return loss, accuracy
end

local function train_net(name, normalised)
    rille.manual_seed(o.seed)
    local net = make_net(normalised)
    local adam = optim.Adam(net:parameters(), { lr = o.lr })
    local schedule = optim.CosineAnnealingLR(adam, { T_max = o.epochs })
    local run = { name = name, net = net, rows = {}, epochs = {}, accuracies = {} }
    for epoch = 1, o.epochs do
        for x, y in data.batches(moved.x, moved.y, o.batch, { shuffle = o.seed + epoch, drop_last = true }) do
            adam:zero_grad()
            rille.cross_entropy(net(x), y):backward()
            adam:step()
        end
        schedule:step()
        if epoch == 1 or epoch * 5 // o.epochs > (epoch - 1) * 5 // o.epochs then
            local train_loss, train_accuracy = evaluate(net, train)
            run.loss, run.accuracy = evaluate(net, test)
            run.rows[#run.rows + 1] = { name, tostring(epoch), text.number(train_loss),
                ("%.1f %%"):format(100 * train_accuracy), text.number(run.loss), ("%.1f %%"):format(100 * run.accuracy) }
            run.epochs[#run.rows], run.accuracies[#run.rows] = epoch, 100 * run.accuracy
            if not o.quiet then
                io.stderr:write(("%s: epoch %d of %d\n"):format(name, epoch, o.epochs))
            end
        end
    end
    return run
end

local with = train_net("BatchNorm", true)
local without = train_net("without", false)
print(with.net)
local rows = table.move(without.rows, 1, #without.rows, #with.rows + 1, table.move(with.rows, 1, #with.rows, 1, {}))
print("\n" .. text.table({ "<net", "epoch", "training loss", "accuracy", "test loss", "accuracy" }, rows))
experiment.save(o, { { "digits-cnn", { title = "A convolutional net on handwritten digits", xlabel = "epoch",
    ylabel = "test accuracy, %", series = {
        { x = with.epochs, y = with.accuracies, label = "BatchNorm", style = "linespoints" },
        { x = without.epochs, y = without.accuracies, label = "without", style = "linespoints" },
    } } } })

local n = test.y:numel()
local function known(run)
    return math.floor(run.accuracy * n + 0.5)
end
local gap = known(with) - known(without)
print("\n" .. text.wrap(("After %d epoch%s the net with batch normalisation knows %d of the %d test digits (%.1f %%), from "
    .. "hands that training has hardly seen; without it the same net knows %s. After the first epoch it was %s against %s.")
    :format(o.epochs, o.epochs == 1 and "" or "s", known(with), n, 100 * with.accuracy,
    gap == 0 and "as many" or ("%d %s"):format(math.abs(gap), gap > 0 and "fewer" or "more"),
    with.rows[1][6], without.rows[1][6]), 110))
