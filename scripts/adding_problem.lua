#!/usr/bin/env lua5.4
--- The adding problem: of a long sequence of numbers two are marked; say their sum. The gradient has to reach back over up to
-- all steps, which a plain recurrent net does not manage, and an LSTM does (Hochreiter & Schmidhuber 1997, section 5.4).
-- Both are trained side by side on fresh sequences. What can be changed: --help.

local rille = require "rille"
local data = require "rille.data"
local experiment = require "rille.experiment"
local nn = require "rille.nn"
local optim = require "rille.optim"
local text = require "rille.text"

local CHANCE = 1 / 6 -- the mean squared error of who always says 1: the variance of the sum of two uniform numbers
local SOLVED = 0.1   -- of CHANCE: below this the problem counts as solved

local o = experiment.options("adding_problem.lua", "Trains an LSTM and a plain RNN to add two marked numbers of a sequence.", {
    { "steps", "Length of the sequences.", 100, 2 },
    { "hidden", "Units of the recurrent layer.", 32, 1 },
    { "batches", "Batches to train on, each of fresh sequences.", 1500, 1 },
    { "batch", "Sequences a batch.", 32, 1 },
    { "lr", "Learning rate of Adam.", 0.005, 0 },
    { "clip", "The gradient's norm is cut to this.", 1.0, 0 },
    { "quiet", "No progress line." },
})

-- A recurrent layer, and a linear one that reads its last state.
local Adder = nn.Module:extend "Adder"
function Adder:init(recurrent)
    self.recurrent = recurrent
    self.read = nn.Linear(o.hidden, 1)
end
function Adder:forward(x)
    return self.read(self.recurrent(x):select(2, -1))
end

-- Gates that start with memories of all lengths up to that of the sequences (Tallec & Ollivier 2018): the forget gate's bias is
-- ln u, u uniform in [1, steps - 1), the input gate's -ln u. PyTorch's order of gates: input, forget, cell, output.
local function chrono_lstm()
    local lstm = nn.LSTM(2, o.hidden, { batch_first = true })
    local memory = (rille.rand(o.hidden) * (o.steps - 2) + 1):log()
    rille.no_grad(function()
        nn.init.zeros(lstm.bias_hh_l1)
        lstm.bias_ih_l1:narrow(1, 1, o.hidden):copy_(-memory)
        lstm.bias_ih_l1:narrow(1, 1 + o.hidden, o.hidden):copy_(memory)
    end)
    return lstm
end

local NETS = {
    { "RNN", function() return nn.RNN(2, o.hidden, { batch_first = true }) end },
    { "LSTM", chrono_lstm },
}

-- |d loss / d x| at the first tenth of the steps over that at the last tenth: how much of the gradient comes through.
local function reach(net, x, y)
    local seen = x:detach():requires_grad(true)
    local gradient = rille.grad(rille.mse_loss(net(seen), y), seen)[1]
    local part = math.max(1, o.steps // 10)
    local function norm(start)
        return gradient:narrow(2, start, part):norm():item()
    end
    return norm(1) / norm(o.steps - part + 1)
end

local function train(name, make)
    rille.manual_seed(o.seed)
    local net = Adder(make())
    local adam = optim.Adam(net:parameters(), { lr = o.lr })
    local test_x, test_y = data.adding(500, o.steps, { seed = o.seed - 1 })
    local run = { name = name, errors = {}, batches = {}, reach = reach(net, test_x, test_y) }
    local function measure(batch)
        local loss = rille.no_grad(function() return rille.mse_loss(net(test_x), test_y):item() end)
        run.errors[#run.errors + 1], run.batches[#run.batches + 1] = loss, batch
        run.solved = run.solved or loss < SOLVED * CHANCE and batch or nil
    end
    measure(0)
    for batch = 1, o.batches do
        local x, y = data.adding(o.batch, o.steps, { seed = o.seed + batch })
        adam:zero_grad()
        rille.mse_loss(net(x), y):backward()
        optim.clip_grad_norm(net:parameters(), o.clip)
        adam:step()
        if batch * 5 // o.batches > (batch - 1) * 5 // o.batches then
            measure(batch)
            if not o.quiet then
                local now = run.errors[#run.errors]
                io.stderr:write(("%s: %d of %d batches, error %.4f\n"):format(name, batch, o.batches, now))
            end
        end
    end
    run.reach_end = reach(net, test_x, test_y)
    return run
end

print(text.wrap(("Adding problem: %d steps, %d units, %d batches of %d sequences, Adam with lr %g, gradient clipped at %g. "
    .. "Who always says 1 has a mean squared error of %.3f."):format(o.steps, o.hidden, o.batches, o.batch, o.lr, o.clip,
    CHANCE), 110))
local runs, columns, rows, series = {}, { "<net" }, {}, {}
for i, entry in ipairs(NETS) do
    runs[i] = train(entry[1], entry[2])
end
for _, batch in ipairs(runs[1].batches) do
    columns[#columns + 1] = ("error, batch %d"):format(batch)
end
columns[#columns + 1], columns[#columns + 2] = "first / last steps, start", "end"
for i, run in ipairs(runs) do
    rows[i] = { run.name }
    series[i] = { x = run.batches, y = run.errors, label = run.name, style = "linespoints" }
    for _, loss in ipairs(run.errors) do
        table.insert(rows[i], ("%.4f"):format(loss))
    end
    table.insert(rows[i], text.ratio(math.log(run.reach, 10)))
    table.insert(rows[i], text.ratio(math.log(run.reach_end, 10)))
end
print("\n" .. text.table(columns, rows))
experiment.save(o, { { "adding-problem", { title = ("Adding problem, %d steps: dotted: always saying 1"):format(o.steps),
    xlabel = "batches", ylabel = "mean squared error", ylog = true, level = CHANCE, series = series } } })

local function verdict(run)
    return run.solved and ("the %s has learned it, after at most %d batches"):format(run.name, run.solved)
        or ("the %s has not: its error is %.0f %% of that of always saying 1"):format(run.name,
            100 * run.errors[#run.errors] / CHANCE)
end
print("\n" .. text.wrap(("At %d steps %s; %s. At the start the first tenth of the steps gets %s of the gradient that the "
    .. "last tenth gets in the RNN, %s in the LSTM."):format(o.steps, verdict(runs[1]), verdict(runs[2]),
    text.ratio(math.log(runs[1].reach, 10)), text.ratio(math.log(runs[2].reach, 10))), 110))
