#!/usr/bin/env lua5.4
--- Handwritten digits with a multilayer perceptron: the shortest script that trains a net, looks at it, keeps the best and
-- says how good it is. What can be changed: --help.

local rille = require "rille"
local data = require "rille.data"
local experiment = require "rille.experiment"
local nn = require "rille.nn"
local optim = require "rille.optim"
local text = require "rille.text"

local o = experiment.options("digits_mlp.lua", "Trains a multilayer perceptron on the bundled handwritten digits.", {
    { "hidden", "Units in each of the two hidden layers.", 128, 1 },
    { "activation", "Of the hidden layers: relu, tanh, gelu, ...", "relu" },
    { "epochs", "Passes over the training images.", 30, 1 },
    { "batch", "Images a step.", 32, 1 },
    { "lr", "Learning rate of Adam at the start; it falls to 0 along a cosine.", 0.002, 0 },
    { "dropout", "Share of hidden units that are left out in training.", 0.2, 0 },
    { "save", "A file for the net of the best validation epoch (safetensors).", "" },
})
experiment.check_activation("digits_mlp.lua", o.activation)

local digits = data.digits()
-- A tenth of the training images says when the net is at its best; the test images are looked at once, at the end.
local train, validation = data.split(digits.train.x, digits.train.y, 0.9, { seed = o.seed })

local net = nn.Sequential {
    nn.Linear(64, o.hidden), nn.activation(o.activation), nn.Dropout(o.dropout),
    nn.Linear(o.hidden, o.hidden), nn.activation(o.activation), nn.Dropout(o.dropout),
    nn.Linear(o.hidden, digits.classes),
}
local adam = optim.Adam(net:parameters(), { lr = o.lr })
local schedule = optim.CosineAnnealingLR(adam, { T_max = o.epochs })

-- Mean loss and accuracy on a part of the digits, nothing left out.
local function evaluate(part)
    net:eval()
    local loss, accuracy = rille.no_grad(function()
        local logits = net(part.x)
        return rille.cross_entropy(logits, part.y):item(), rille.eq(logits:argmax(2), part.y):mean():item()
    end)
    net:train()
    return loss, accuracy
end

print(net)
local rows, best = {}, { loss = math.huge }
local epochs, train_losses, losses = {}, {}, {}
for epoch = 1, o.epochs do
    for x, y in data.batches(train.x, train.y, o.batch, { shuffle = o.seed + epoch }) do
        adam:zero_grad()
        rille.cross_entropy(net(x), y):backward()
        adam:step()
    end
    schedule:step()
    local train_loss, train_accuracy = evaluate(train)
    local loss, accuracy = evaluate(validation)
    epochs[epoch], train_losses[epoch], losses[epoch] = epoch, train_loss, loss
    if loss < best.loss then
        best = { loss = loss, epoch = epoch, state = net:state() }
    end
    if epoch == 1 or epoch * 6 // o.epochs > (epoch - 1) * 6 // o.epochs then
        rows[#rows + 1] = { tostring(epoch), text.number(train_loss), ("%.1f %%"):format(100 * train_accuracy),
            text.number(loss), ("%.1f %%"):format(100 * accuracy) }
    end
end
print("\n" .. text.table({ "epoch", "training loss", "accuracy", "validation loss", "accuracy" }, rows))
experiment.save(o, { { "digits-mlp", { title = "A perceptron on handwritten digits", xlabel = "epoch", ylabel = "loss",
    ylog = true, series = {
        { x = epochs, y = train_losses, label = "training" }, { x = epochs, y = losses, label = "validation" },
    } } } })

net:load_state(best.state)
local loss, accuracy = evaluate(digits.test)
if o.save ~= "" then
    rille.save(o.save, { net = best.state, epoch = best.epoch },
        { script = "digits_mlp.lua", test_accuracy = ("%.4f"):format(accuracy) })
end

-- Which digit is most often taken for which other one?
local predicted = rille.no_grad(function() return net(digits.test.x):argmax(2):totable() end)
local mistakes, worst = {}, nil
for i, label in ipairs(digits.test.y:totable()) do
    if predicted[i] ~= label then
        local pair = ("a %d for a %d"):format(label - 1, predicted[i] - 1)
        mistakes[pair] = (mistakes[pair] or 0) + 1
        if not worst or mistakes[pair] > mistakes[worst] then
            worst = pair
        end
    end
end
local n = digits.test.y:numel()
print("\n" .. text.wrap(("The net of epoch %d, the best on the validation images, knows %d of the %d test digits (%.1f %%, "
    .. "loss %s). %s"):format(best.epoch, math.floor(accuracy * n + 0.5), n, 100 * accuracy, text.number(loss),
    worst and ("Most often, %d time%s, it took %s."):format(mistakes[worst], mistakes[worst] == 1 and "" or "s", worst)
        or "It made no mistake."), 110))
