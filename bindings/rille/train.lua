--- rille.train: the training loop, with what a long run needs around it.
--
--     for step, batch, loss in train.loop { net = net, data = digits.train, loss = rille.cross_entropy, optimizer = adam,
--             epochs = 10, log = "run.csv" } do
--         if step % 100 == 0 then print(step, loss) end
--     end
--
-- It hides nothing. Without progress, log, checkpoints and the search for the layer where a NaN began it is
--
--     for epoch = 1, 10 do
--         for x, y in data.batches(digits.train.x, digits.train.y, 32, { shuffle = epoch }) do
--             adam:zero_grad()
--             local loss = rille.cross_entropy(net(x), y)
--             loss:backward()
--             adam:step()
--         end
--     end

local rille = require "rille"
local check = require "rille.check"
local data = require "rille.data"
local is_optimizer = require("rille.optim.optimizer").is_optimizer
local logs = require "rille.train.log"
local nn = require "rille.nn"
local nonfinite = require "rille.train.nonfinite"
local optim = require "rille.optim"
local progress = require "rille.train.progress"

local train = {}

local OPTIONS = {
    net = {}, optimizer = {}, scheduler = {},
    loss = { "function" }, data = { "table" }, batch_size = 32, shuffle = { "number", "boolean" }, batches = { "function" },
    epochs = 1, scheduler_every = "epoch", clip = { "number" }, log = { "string" }, progress = { "boolean", "function" },
    checkpoint = { "string", "function" }, checkpoint_every = 1, resume = { "string", "table" },
}

-- Options that are objects: what each must be, and how that is seen.
local OBJECTS = {
    net = { "module", nn.is_module },
    optimizer = { "optimizer", is_optimizer },
    scheduler = { "scheduler", function(value)
        return check.type_name(value) == "scheduler"
    end },
}

local function check_fit(o)
    for _, name in ipairs { "net", "optimizer", "loss" } do
        if o[name] == nil then
            check.argument(1, "loop", "option '%s' is missing", name)
        end
    end
    if (o.data == nil) == (o.batches == nil) then
        check.argument(1, "loop", "one of data = { x =, y = } and batches = function is expected, got %s",
            o.data and "both" or "none")
    elseif o.data and not (check.is_tensor(o.data.x) and check.is_tensor(o.data.y)) then
        check.argument(1, "loop", "data: table of tensors x and y expected, got %s and %s", check.type_name(o.data.x),
            check.type_name(o.data.y))
    elseif type(o.shuffle) == "number" and math.type(o.shuffle) ~= "integer" then
        check.argument(1, "loop", "shuffle: integer seed expected, got %s", check.value_text(o.shuffle))
    elseif o.scheduler_every ~= "epoch" and o.scheduler_every ~= "step" then
        check.argument(1, "loop", "scheduler_every: 'epoch' or 'step' expected, got '%s'", o.scheduler_every)
    elseif o.clip and (o.clip < 0 or o.clip ~= o.clip) then
        check.argument(1, "loop", "clip is %s, expected a number >= 0", check.value_text(o.clip))
    elseif o.log and not logs.format_of(o.log) then
        check.argument(1, "loop", "log: a file .csv or .jsonl expected, got '%s'", o.log)
    end
end

local function read_options(options)
    if type(options) ~= "table" or getmetatable(options) then
        check.argument(1, "loop", "table of options expected, got %s", check.type_name(options))
    end
    local plain = {}
    for key, value in pairs(options) do
        local object = OBJECTS[key]
        if object and not object[2](value) then
            check.argument(1, "loop", "option '%s': %s expected, got %s", key, object[1], check.type_name(value))
        elseif not object then
            plain[key] = value
        end
    end
    local o = check.options(1, "loop", plain, OPTIONS)
    for key in pairs(OBJECTS) do
        o[key] = options[key]
    end
    for _, name in ipairs { "batch_size", "epochs", "checkpoint_every" } do
        o[name] = check.positive_integer(1, "loop", name, o[name])
    end
    check_fit(o)
    return o
end

-- ---- Checkpoints: the state after an epoch ----

local function state_of(run)
    local o = run.options
    return {
        net = o.net:state(),
        optimizer = o.optimizer:state(),
        scheduler = o.scheduler and o.scheduler:state(),
        rng = rille.rng_state(),
        step = run.step,
        epoch = run.epoch,
    }
end

local function save(run)
    local where = run.options.checkpoint
    if type(where) == "function" then
        where(state_of(run))
    else
        rille.save(where, state_of(run))
    end
end

local function resume(run)
    local o, state = run.options, run.options.resume
    if type(state) == "string" then
        state = rille.load(state)
    end
    for _, name in ipairs { "net", "optimizer", "rng" } do
        if type(state[name]) ~= "table" then
            check.argument(1, "loop", "resume: no state of a run, '%s' is missing", name)
        end
    end
    if (state.scheduler ~= nil) ~= (o.scheduler ~= nil) then
        check.argument(1, "loop", "resume: the state is of a run with%s scheduler", state.scheduler and " a" or "out a")
    end
    for _, name in ipairs { "step", "epoch" } do
        if math.type(state[name]) ~= "integer" or state[name] < 0 then
            check.argument(1, "loop", "resume: no state of a run, '%s' is %s", name, check.value_text(state[name]))
        end
    end
    o.net:load_state(state.net)
    o.optimizer:load_state(state.optimizer)
    if o.scheduler then
        o.scheduler:load_state(state.scheduler)
    end
    rille.set_rng_state(state.rng)
    run.step, run.epoch = state.step, state.epoch
end

-- ---- One step ----

local function fail_at(run, format, ...)
    check.fail("train: step %d, epoch %d: %s", run.step + 1, run.epoch + 1, format:format(...))
end

-- Keeps the total norm within the bound. Returns it.
local function clip(run)
    local o = run.options
    local ok, norm = pcall(optim.clip_grad_norm, run.parameters, o.clip, { error_if_nonfinite = true })
    if not ok then
        fail_at(run, "the gradient is not finite, first in %s", nonfinite.gradient(o.net) or norm)
    end
    return norm
end

local function write_row(run, loss, norm)
    if run.log then
        run.log:write { step = run.step + 1, epoch = run.epoch + 1, loss = loss, lr = run.options.optimizer.lr, norm = norm }
    end
end

local function take_step(run, x, y)
    local o = run.options
    if not o.net.training then
        o.net:train() -- the loop's body may have evaluated
    end
    o.optimizer:zero_grad()
    local before = rille.rng_state()
    local loss = o.loss(o.net(x), y)
    if not check.is_floating(loss) or loss:numel() ~= 1 then
        fail_at(run, "the loss is a %s, expected a tensor of one element",
            check.is_tensor(loss) and "tensor of shape " .. check.shape_text(loss:shape()) or check.type_name(loss))
    end
    local value = loss:item()
    if value - value ~= 0 then
        write_row(run, value, value)
        rille.set_rng_state(before) -- so that dropout draws the same again
        fail_at(run, "the loss is %s; %s", value ~= value and "nan" or tostring(value), nonfinite.forward(o.net, function()
            o.net(x)
        end))
    end
    loss:backward()
    local norm = o.clip and clip(run)
    write_row(run, value, norm)
    o.optimizer:step()
    return value
end

-- ---- The loop ----

local function batches_of(run)
    local o, epoch = run.options, run.epoch + 1
    if o.batches then
        return o.batches(epoch)
    end
    local shuffle = o.shuffle
    if type(shuffle) == "number" then
        shuffle = shuffle + epoch - 1
    end
    return data.batches(o.data.x, o.data.y, o.batch_size, { shuffle = shuffle })
end

-- After a step or an epoch ("step", "epoch"), whose loss is what a scheduler that takes a metric watches.
local function step_scheduler(run, every, loss)
    local scheduler = run.options.scheduler
    if scheduler and run.options.scheduler_every == every then
        scheduler:step(scheduler:takes_metric() and loss or nil)
    end
end

local function begin_epoch(run)
    run.next, run.state, run.control = batches_of(run)
    run.index, run.sum = 0, 0
end

local function end_epoch(run)
    local o = run.options
    if run.index == 0 then
        check.fail("train: epoch %d has no batches", run.epoch + 1)
    end
    run.epoch = run.epoch + 1
    local mean = run.sum / run.index
    step_scheduler(run, "epoch", mean)
    run.progress.epoch_end(run.epoch, mean, run.index)
    if o.checkpoint and (run.epoch % o.checkpoint_every == 0 or run.epoch == o.epochs) then
        save(run)
    end
    run.next = nil
end

-- The next step, or nil after the last epoch.
local function advance(run)
    while run.epoch < run.options.epochs do
        if not run.next then
            begin_epoch(run)
        end
        local x, y = run.next(run.state, run.control)
        run.control = x
        if x ~= nil then
            local loss = take_step(run, x, y)
            run.step, run.index, run.sum = run.step + 1, run.index + 1, run.sum + loss
            step_scheduler(run, "step", loss)
            run.progress.step(run.epoch + 1, run.index, loss)
            return run.step, { x = x, y = y, epoch = run.epoch + 1, index = run.index }, loss
        end
        end_epoch(run)
    end
end

local function close(run)
    run.progress.close()
    if run.log then
        local log = run.log
        run.log = nil
        log:close()
    end
end

--- for step, batch, loss in train.loop { ... } do: trains, and runs the body after each step: step counts from 1 through all
-- epochs, batch is { x =, y =, epoch =, index = (in the epoch) }, loss a number. Gradients are still there. The loop may be
-- left by break. Options:
--   net, optimizer, loss     the module, its optimiser, and the function of net(x) and y that gives a tensor of one element
--   data, batch_size, shuffle    { x =, y = }, 32, and the seed of the first epoch's order (or true: rille.manual_seed's; none:
--                            in order); or batches = function(epoch): an iterator over x, y such as data.batches gives
--   epochs                   1
--   scheduler, scheduler_every   a step after each "epoch" or "step"; one that watches a metric gets the loss
--   clip                     the largest norm that the gradient may have: optim.clip_grad_norm
--   log                      "run.csv" or "run.jsonl": step, epoch, loss, lr and, with clip, norm, a line a step, at once
--   progress                 false: none; a function: gets the line of each epoch; else, on standard error, a bar or such lines
--   checkpoint, checkpoint_every     a file for rille.save, or a function, that gets the run's state after that many epochs (1)
--                            and after the last
--   resume                   such a file or state: goes on from there, bit for bit as if the run had not ended, to `epochs`
-- A loss that is not finite, or, with clip, such a gradient, is an error that names the step and the layer where it began.
function train.loop(options)
    local o = read_options(options)
    local run = { options = o, step = 0, epoch = 0, parameters = o.net:parameters() }
    if o.resume then
        resume(run)
    end
    if o.log then
        run.log = logs.open(o.log, { "step", "epoch", "loss", "lr", o.clip and "norm" or nil }, run.step)
    end
    local steps = o.data and (o.data.x:size(1) + o.batch_size - 1) // o.batch_size or nil
    run.progress = progress.new(o.progress, o.epochs, steps, run.epoch)
    return advance, run, nil, setmetatable({}, {
        __close = function()
            close(run)
        end,
    })
end

return check.strict(train, "rille.train")
