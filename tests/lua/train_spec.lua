local rille = require "rille"
local data = require "rille.data"
local nn = require "rille.nn"
local optim = require "rille.optim"
local progress = require "rille.train.progress"
local train = require "rille.train"
local message_of = require("support").message_of

local function temporary(ending)
    local name = os.tmpname()
    os.remove(name)
    return name .. ending
end

local function lines_of(path)
    local lines = {}
    for line in io.lines(path) do
        lines[#lines + 1] = line
    end
    return lines
end

-- The options of a small run: 10 rows in batches of 4, dropout, and an optimiser with states.
local function new_run(more)
    rille.manual_seed(5)
    local x = rille.randn(10, 3)
    local o = {
        net = nn.Sequential { nn.Linear(3, 8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 2) },
        data = { x = x, y = rille.gt(x:sum(2), 0):to("int64") + 1 },
        batch_size = 4, shuffle = 3, epochs = 4, loss = rille.cross_entropy, progress = false,
    }
    o.optimizer = optim.Adam(o.net:parameters(), { lr = 0.01 })
    for key, value in pairs(more or {}) do
        o[key] = value
    end
    return o
end

local function run(o)
    local losses = {}
    for step, _, loss in train.loop(o) do
        losses[step] = loss
    end
    return losses
end

local function weights_of(o)
    local list = {}
    for i, parameter in ipairs(o.net:parameters()) do
        list[i] = parameter:totable()
    end
    return list
end

describe("train.loop", function()
    it("is the loop written by hand, bit for bit", function()
        local by_hand, losses = new_run(), {}
        for epoch = 1, 4 do
            for x, y in data.batches(by_hand.data.x, by_hand.data.y, 4, { shuffle = 3 + epoch - 1 }) do
                by_hand.optimizer:zero_grad()
                local loss = rille.cross_entropy(by_hand.net(x), y)
                loss:backward()
                by_hand.optimizer:step()
                losses[#losses + 1] = loss:item()
            end
        end
        local o = new_run()
        assert.same(losses, run(o))
        assert.same(weights_of(by_hand), weights_of(o))
    end)

    it("hands over step, batch and loss, and may be left", function()
        local o, seen = new_run(), {}
        for step, batch, loss in train.loop(o) do
            seen[step] = { batch.epoch, batch.index, batch.x:size(1), #batch.y }
            assert.equal("number", type(loss))
            assert.is_truthy(o.net[1].weight.grad)
            o.net:eval() -- the next step trains nevertheless
            if step == 5 then
                break
            end
        end
        assert.same({ { 1, 1, 4, 4 }, { 1, 2, 4, 4 }, { 1, 3, 2, 2 }, { 2, 1, 4, 4 }, { 2, 2, 4, 4 } }, seen)
    end)

    it("takes batches of any iterator", function()
        local o, epochs = new_run { epochs = 2 }, {}
        local x, y = o.data.x, o.data.y
        o.data = nil
        o.batches = function(epoch)
            epochs[#epochs + 1] = epoch
            return data.batches(x, y, 5)
        end
        assert.equal(4, #run(o))
        assert.same({ 1, 2 }, epochs)
    end)

    it("steps a scheduler by the epoch or by the step", function()
        for every, rate in pairs { epoch = 0.5 ^ 4, step = 0.5 ^ 12 } do
            local o = new_run { scheduler_every = every }
            o.optimizer.lr = 1
            o.scheduler = optim.ExponentialLR(o.optimizer, { gamma = 0.5 })
            run(o)
            assert.equal(rate, o.optimizer.lr)
        end
        local o = new_run { epochs = 3, scheduler_every = "epoch" }
        o.scheduler = optim.ReduceLROnPlateau(o.optimizer, { patience = 0 })
        run(o)
        assert(o.scheduler.best < 1)
    end)
end)

describe("the log", function()
    it("is CSV, a line a step", function()
        local path = temporary(".csv")
        local o = new_run { log = path, epochs = 1, clip = 1 }
        local losses = run(o)
        local lines = lines_of(path)
        assert.equal("step,epoch,loss,lr,norm", lines[1])
        assert.equal(4, #lines)
        for step, loss in ipairs(losses) do
            local s, e, l, lr, norm = lines[step + 1]:match("^(%d+),(%d+),([^,]+),([^,]+),([^,]+)$")
            assert.same({ step, 1, loss, 0.01 }, { math.tointeger(s), math.tointeger(e), tonumber(l), tonumber(lr) })
            assert(tonumber(norm) > 0)
        end
        os.remove(path)
    end)

    it("is JSON lines, there at once, also when the loop is left", function()
        local path = temporary(".jsonl")
        for step, _, loss in train.loop(new_run { log = path }) do
            local last = lines_of(path)[step]
            assert.equal(('{"step":%d,"epoch":1,"loss":%.17g,"lr":%.17g}'):format(step, loss, 0.01), last)
            if step == 2 then
                break
            end
        end
        assert.equal(2, #lines_of(path))
        os.remove(path)
    end)

    it("says why it cannot be written", function()
        assert.equal("write_file: cannot write '/nowhere/at/all.csv': No such file or directory",
            message_of(train.loop, new_run { log = "/nowhere/at/all.csv" }))
    end)
end)

describe("a run that is resumed", function()
    for _, ending in ipairs { ".csv", ".jsonl" } do
        it("equals one that was not interrupted, bit for bit, and so does its log " .. ending, function()
            local paths = { temporary(ending), temporary(ending) }
            local function with_scheduler(more)
                local o = new_run(more)
                o.scheduler = optim.CosineAnnealingLR(o.optimizer, { T_max = 4 })
                return o
            end
            local whole = with_scheduler { log = paths[1] }
            run(whole)
            local states = {}
            local first = with_scheduler { log = paths[2], checkpoint = function(state) states[state.epoch] = state end }
            for step in train.loop(first) do
                if step == 8 then
                    break -- in the third epoch
                end
            end
            assert.same({ 6, 2 }, { states[2].step, #states })
            rille.rand(7)
            local second = with_scheduler { log = paths[2], resume = states[2] }
            assert.is_nil(run(second)[6])
            assert.same(weights_of(whole), weights_of(second))
            assert.same(lines_of(paths[1]), lines_of(paths[2]))
            os.remove(paths[1])
            os.remove(paths[2])
        end)
    end

    it("may be resumed from a file", function()
        local path = temporary(".safetensors")
        local whole = new_run()
        run(whole)
        local first = new_run { epochs = 2, checkpoint = path }
        run(first)
        rille.rand(7)
        local second = new_run { resume = path }
        assert.is_nil(run(second)[6])
        assert.same(weights_of(whole), weights_of(second))
        local state = rille.load(path)
        assert.same({ 2, 6, 6 }, { state.epoch, state.step, state.optimizer.state[4].step })
        os.remove(path)
        assert.is_truthy(message_of(train.loop, new_run { resume = path }):find(path, 1, true))
    end)

    it("has checkpoints as often as is wished, and after the last epoch", function()
        local epochs = {}
        run(new_run { epochs = 5, checkpoint_every = 2, checkpoint = function(state) table.insert(epochs, state.epoch) end })
        assert.same({ 2, 4, 5 }, epochs)
    end)

    it("is told what does not fit", function()
        local state
        run(new_run { checkpoint = function(s) state = s end })
        local function refused(expected, change, more)
            local changed = {}
            for key, value in pairs(state) do
                changed[key] = value
            end
            change(changed)
            local o = new_run { resume = changed }
            if more then
                more(o)
            end
            assert.equal(("bad argument #1 to 'loop' (%s)"):format(expected), message_of(train.loop, o))
        end
        refused("resume: no state of a run, 'rng' is missing", function(s) s.rng = nil end)
        refused("resume: no state of a run, 'step' is 0.5", function(s) s.step = 0.5 end)
        refused("resume: the state is of a run without a scheduler", function() end, function(o)
            o.scheduler = optim.StepLR(o.optimizer, { step_size = 1 })
        end)
    end)
end)

describe("a loss that is not finite", function()
    it("is an error that names the layer whose weight it is", function()
        local o = new_run { batch_size = 10 }
        local ok, message = pcall(function()
            for step in train.loop(o) do
                if step == 2 then
                    rille.no_grad(function()
                        o.net[4].weight[{ 1, 1 }] = 0 / 0
                    end)
                end
            end
        end)
        assert.is_false(ok)
        assert.equal("tests/lua/train_spec.lua:LINE: train: step 3, epoch 3: the loss is nan; net[4] (Linear): "
            .. "its output has 10 NaN of 20 elements (tests/lua/train_spec.lua:LINE: linear: its operand 2 has NaN at [1, 1] "
            .. "of [2, 8]); not finite in net[4].weight: 1 of 16 elements",
            (message:gsub("spec.lua:%d+", "spec.lua:LINE")))
    end)

    it("tells of the input, or of the loss itself", function()
        local o = new_run { batch_size = 10 }
        o.data.x[{ 2, 1 }] = 0 / 0
        assert.equal("train: step 1, epoch 1: the loss is nan; net[1] (Linear): its input 1 has 1 NaN of 30 elements",
            message_of(run, o))
        o = new_run { loss = function(output) return (output:sum() * 0 - 1):log() end }
        assert.equal("train: step 1, epoch 1: the loss is nan; the outputs of all its layers are finite", message_of(run, o))
        local Overflow = nn.Module:extend "Overflow"
        local line = debug.getinfo(1, "l").currentline + 2
        function Overflow:forward(x)
            return self.training and x * 1e30 * 1e30 or x
        end
        o = new_run { net = nn.Sequential { nn.Linear(3, 2), Overflow() }, batch_size = 10 }
        o.optimizer = optim.SGD(o.net:parameters(), { lr = 1 })
        assert.equal("train: step 1, epoch 1: the loss is nan; net[2] (Overflow): its output has 20 infinities of 20 "
            .. ("elements (tests/lua/train_spec.lua:%d: mul: made an infinity at [1, 1] of [10, 2], from finite "
                .. "operands)"):format(line), message_of(run, o))
    end)

    it("is in the log", function()
        local rows = { [".csv"] = "^1,1,nan,0.01", [".jsonl"] = '^{"step":1,"epoch":1,"loss":null,"lr":0.01' }
        for ending, expected in pairs(rows) do
            local path = temporary(ending)
            message_of(run, new_run { log = path, loss = function(output) return (output:sum() * 0 - 1):log() end })
            local lines = lines_of(path)
            assert.is_truthy(lines[#lines]:find(expected), lines[#lines])
            os.remove(path)
        end
    end)

    it("need not come first: with clip, a gradient that is not finite is told", function()
        local o = new_run { clip = 1, loss = function(output) return (output:sum() * 0):sqrt() end }
        assert.equal("train: step 1, epoch 1: the gradient is not finite, first in net[1].weight: 24 of 24 elements",
            message_of(run, o))
    end)
end)

describe("progress", function()
    it("has a line an epoch", function()
        local lines = {}
        run(new_run { epochs = 2, progress = function(line) table.insert(lines, line) end })
        assert.equal(2, #lines)
        assert.is_truthy(lines[2]:find("^epoch 2/2: mean loss 0%.%d+ over 3 steps, 0:0%d, 0:00 left$"), lines[2])
    end)

    it("has a bar on a terminal", function()
        assert.equal("epoch 2/10 [============            ] 45/90  loss 0.1235  1:05 left",
            progress.bar_line(2, 10, 45, 90, 0.12345, 65))
        assert.equal("epoch 2/10  step 45  loss nan", progress.bar_line(2, 10, 45, nil, 0 / 0, 0))
        assert.equal("epoch 1/1: mean loss 2 over 1 step, 2:00:05, 0:00 left", progress.epoch_line(1, 1, 2, 1, 7205, 0))
    end)
end)

describe("options of train.loop that do not fit:", function()
    local cases = {
        { "net", false, "option 'net' is missing" },
        { "net", 3, "option 'net': module expected, got number" },
        { "optimizer", {}, "option 'optimizer': optimizer expected, got table" },
        { "scheduler", "x", "option 'scheduler': scheduler expected, got string" },
        { "loss", false, "option 'loss' is missing" },
        { "data", false, "one of data = { x =, y = } and batches = function is expected, got none" },
        { "batches", print, "one of data = { x =, y = } and batches = function is expected, got both" },
        { "data", { x = 1 }, "data: table of tensors x and y expected, got number and nil" },
        { "epochs", 0, "epochs: positive integer expected, got 0" },
        { "epoch", 1, "unknown option 'epoch'; did you mean 'epochs'?" },
        { "optimiser", 1, "unknown option 'optimiser'; did you mean 'optimizer'?" },
        { "batch_size", 1.5, "batch_size: positive integer expected, got 1.5" },
        { "shuffle", 1.5, "shuffle: integer seed expected, got 1.5" },
        { "scheduler_every", "batch", "scheduler_every: 'epoch' or 'step' expected, got 'batch'" },
        { "clip", -1, "clip is -1, expected a number >= 0" },
        { "log", "run.txt", "log: a file .csv or .jsonl expected, got 'run.txt'" },
        { "resume", 1, "option 'resume': string or table expected, got number" },
    }
    for _, case in ipairs(cases) do
        it(case[3], function()
            local o = new_run()
            o[case[1]] = case[2] or nil
            assert.equal(("bad argument #1 to 'loop' (%s)"):format(case[3]), message_of(train.loop, o))
        end)
    end

    it("others", function()
        assert.equal("bad argument #1 to 'loop' (table of options expected, got nil)", message_of(train.loop))
        local o = new_run()
        o.loss = function(output, y)
            return rille.cross_entropy(output, y, { reduction = "none" })
        end
        assert.equal("train: step 1, epoch 1: the loss is a tensor of shape [4], expected a tensor of one element",
            message_of(run, o))
        o = new_run()
        o.data, o.batches = nil, function() return function() end end
        assert.equal("train: epoch 1 has no batches", message_of(run, o))
    end)
end)
