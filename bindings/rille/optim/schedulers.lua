--- rille.optim.schedulers: learning rates that change by the epoch (or the batch): PyTorch's schedulers, in their closed forms.
--
--     local scheduler = optim.StepLR(optimizer, { step_size = 30, gamma = 0.1 })
--     scheduler:step()        -- once an epoch, after the optimiser's steps
--     scheduler:get_last_lr() -- a list, of each group's
--
-- A scheduler sets each group's lr from the one that the group had first (its initial_lr) and from the number of steps t that
-- the scheduler has made (its last_epoch), so state() is these numbers. The rate at t = 0 is set when it is made.

local check = require "rille.check"
local is_optimizer = require("rille.optim.optimizer").is_optimizer

local Scheduler = {}
local metatable = { __name = "scheduler" }

function metatable.__index(self, key)
    if Scheduler[key] == nil then
        local names = table.move({ "last_epoch", "optimizer" }, 1, 2, 1, check.keys(Scheduler))
        check.fail("no '%s' in %s%s", tostring(key), rawget(self, "name"), check.did_you_mean(key, names))
    end
    return Scheduler[key]
end

-- Sets the rates of step t, which is last_epoch only where none of them raises.
local function apply(self, t)
    for i, group in ipairs(self.optimizer.param_groups) do
        group.initial_lr = rawget(group, "initial_lr") or group.lr -- a group may have come since the scheduler was made
        self.row.set(self, group, t, i)
    end
    self.last_epoch = t
end

-- Checks of options, by what each is.
local checks = {}

function checks.positive(name, option, value)
    if type(value) ~= "number" or not (value > 0 and value < math.huge) then
        check.argument(2, name, "%s is %s, expected a finite number > 0", option, check.value_text(value))
    end
end

function checks.not_negative(name, option, value)
    if type(value) ~= "number" or not (value >= 0 and value < math.huge) then
        check.argument(2, name, "%s is %s, expected a finite number >= 0", option, check.value_text(value))
    end
end

function checks.share(name, option, value)
    if type(value) ~= "number" or not (value >= 0 and value <= 1) then
        check.argument(2, name, "%s is %s, expected 0 ... 1", option, check.value_text(value))
    end
end

function checks.count(name, option, value)
    check.positive_integer(2, name, option, value)
end

function checks.count_or_zero(name, option, value)
    if math.type(value) ~= "integer" or value < 0 then
        check.argument(2, name, "%s: integer >= 0 expected, got %s", option, check.value_text(value))
    end
end

function checks.flag(name, option, value)
    if type(value) ~= "boolean" then
        check.argument(2, name, "%s: boolean expected, got %s", option, check.type_name(value))
    end
end

function checks.milestones(name, option, value)
    for i, milestone in ipairs(type(value) == "table" and value or {}) do
        check.positive_integer(2, name, ("%s[%d]"):format(option, i), milestone)
        if i > 1 and milestone < value[i - 1] then
            check.argument(2, name, "%s[%d] is %d, below the one before it, %d", option, i, milestone, value[i - 1])
        end
    end
    if type(value) ~= "table" or #value == 0 then
        check.argument(2, name, "%s: list of positive integers expected, got %s", option,
            type(value) == "table" and "none" or check.type_name(value))
    end
end

local function one_of(...)
    local words = { ... }
    return function(name, option, value)
        for _, word in ipairs(words) do
            if value == word then
                return
            end
        end
        check.argument(2, name, "%s: '%s' expected, got %s", option, table.concat(words, "' or '"),
            type(value) == "string" and ("'%s'"):format(value) or check.type_name(value))
    end
end

-- Makes the constructor of a row: name; options = { { name, check, default or nil where it must be given }, ... };
-- set(self, group, t, i), which puts group i's rate at step t; ready(self), if anything is left to look at.
local function constructor(row)
    return function(optimizer, options, ...)
        check.nothing(3, row.name, (...))
        if not is_optimizer(optimizer) then
            check.argument(1, row.name, "optimizer expected, got %s", check.type_name(optimizer))
        end
        local types = {}
        for _, option in ipairs(row.options) do
            types[option[1]] = { "number", "boolean", "string", "table", "function" }
        end
        options = check.options(2, row.name, options, types)
        local self = setmetatable({ name = row.name, row = row, optimizer = optimizer, options = options, last_epoch = 0 },
            metatable)
        for _, option in ipairs(row.options) do
            local name, fits, default = table.unpack(option)
            if options[name] == nil then
                options[name] = default
            end
            if options[name] == nil then
                check.argument(2, row.name, "%s is missing", name)
            end
            fits(row.name, name, options[name])
        end
        if row.ready then
            row.ready(self)
        end
        apply(self, 0)
        return self
    end
end

--- Counts one step and sets the groups' rates. ReduceLROnPlateau takes the number that it watches, the others nothing.
function Scheduler:step(metric)
    if self.row.watch then
        self.row.watch(self, metric)
    elseif metric ~= nil then
        check.argument(1, "step", "nothing expected, got %s: %s counts its steps itself", check.type_name(metric), self.name)
    end
    apply(self, self.last_epoch + 1)
end

--- Does step take a metric?
function Scheduler:takes_metric()
    return self.row.watch ~= nil
end

--- The list of the groups' rates.
function Scheduler:get_last_lr()
    local rates = {}
    for i, group in ipairs(self.optimizer.param_groups) do
        rates[i] = group.lr
    end
    return rates
end

--- What the scheduler needs to go on: { name =, last_epoch =, ... }. The optimiser's own state holds the groups' initial_lr.
function Scheduler:state()
    local state = { name = self.name, last_epoch = self.last_epoch }
    for _, key in ipairs(self.row.remembers or {}) do
        state[key] = rawget(self, key)
    end
    return state
end

--- Goes on from a state; load the optimiser's first. Returns the scheduler.
function Scheduler:load_state(state)
    if type(state) ~= "table" or math.type(state.last_epoch) ~= "integer" or state.last_epoch < 0 then
        check.argument(1, "load_state", "table of state() expected, got %s",
            type(state) == "table" and "one without last_epoch" or check.type_name(state))
    elseif state.name ~= self.name then
        check.argument(1, "load_state", "the state of %s, expected that of %s", tostring(state.name), self.name)
    end
    for _, key in ipairs(self.row.remembers or {}) do
        if type(state[key]) ~= "number" then
            check.argument(1, "load_state", "%s is a %s, expected a number", key, check.type_name(state[key]))
        end
    end
    for _, key in ipairs(self.row.remembers or {}) do
        rawset(self, key, state[key])
    end
    apply(self, state.last_epoch)
    return self
end

local schedulers = {}

-- set for a rate that is the initial one times factor(options, t).
local function times(factor)
    return function(self, group, t)
        group.lr = group.initial_lr * factor(self.options, t)
    end
end

--- optim.StepLR(optimizer, { step_size=, gamma=0.1 }): lr gamma^floor(t / step_size)
schedulers.StepLR = constructor {
    name = "StepLR",
    options = { { "step_size", checks.count }, { "gamma", checks.positive, 0.1 } },
    set = times(function(o, t)
        return o.gamma ^ (t // o.step_size)
    end),
}

-- How many of the ascending milestones are reached.
local function reached(milestones, t)
    local count = 0
    while milestones[count + 1] and milestones[count + 1] <= t do
        count = count + 1
    end
    return count
end

--- optim.MultiStepLR(optimizer, { milestones=, gamma=0.1 }): lr gamma^(number of milestones <= t)
schedulers.MultiStepLR = constructor {
    name = "MultiStepLR",
    options = { { "milestones", checks.milestones }, { "gamma", checks.positive, 0.1 } },
    set = times(function(o, t)
        return o.gamma ^ reached(o.milestones, t)
    end),
}

--- optim.ExponentialLR(optimizer, { gamma= }): lr gamma^t
schedulers.ExponentialLR = constructor {
    name = "ExponentialLR",
    options = { { "gamma", checks.positive } },
    set = times(function(o, t)
        return o.gamma ^ t
    end),
}

--- optim.LinearLR(optimizer [, { start_factor=1/3, end_factor=1, total_iters=5 }]): warm-up, lr times a factor that goes from
-- the first to the second in total_iters steps
schedulers.LinearLR = constructor {
    name = "LinearLR",
    options = {
        { "start_factor", checks.share, 1 / 3 },
        { "end_factor", checks.share, 1 },
        { "total_iters", checks.count, 5 },
    },
    set = times(function(o, t)
        return o.start_factor + (o.end_factor - o.start_factor) * math.min(t, o.total_iters) / o.total_iters
    end),
}

--- optim.CosineAnnealingLR(optimizer, { T_max=, eta_min=0 }): eta_min + (lr - eta_min) (1 + cos(pi t / T_max)) / 2
-- (Loshchilov & Hutter 2017, without restarts)
schedulers.CosineAnnealingLR = constructor {
    name = "CosineAnnealingLR",
    options = { { "T_max", checks.count }, { "eta_min", checks.not_negative, 0 } },
    set = function(self, group, t)
        local o = self.options
        group.lr = o.eta_min + (group.initial_lr - o.eta_min) * (1 + math.cos(math.pi * t / o.T_max)) / 2
    end,
}

--- optim.LambdaLR(optimizer, { lr_lambda= }): lr lr_lambda(t)
schedulers.LambdaLR = constructor {
    name = "LambdaLR",
    options = {
        { "lr_lambda", function(name, option, value)
            if type(value) ~= "function" then
                check.argument(2, name, "%s: function expected, got %s", option, check.type_name(value))
            end
        end },
    },
    set = times(function(o, t)
        local factor = o.lr_lambda(t)
        if type(factor) ~= "number" then
            check.fail("LambdaLR: lr_lambda(%d) is a %s, expected a number", t, check.type_name(factor))
        end
        return factor
    end),
}

-- From first to last as part goes from 0 to 1.
local function anneal(strategy, first, last, part)
    if strategy == "cos" then
        return last + (first - last) / 2 * (1 + math.cos(math.pi * part))
    end
    return first + (last - first) * part
end

-- The value at step t of one that goes from low to high, and down to the end: Smith & Topin 2018. Phases end at a step each.
local function one_cycle(o, t, low, high, last)
    local up = o.pct_start * o.total_steps - 1
    local phases = { { up, low, high }, { o.total_steps - 1, high, last } }
    if o.three_phase then
        phases = { { up, low, high }, { 2 * o.pct_start * o.total_steps - 2, high, low }, { o.total_steps - 1, low, last } }
    end
    local start = 0
    for i, phase in ipairs(phases) do
        if t <= phase[1] or i == #phases then
            local length = phase[1] - start -- 0 where a phase is one step: it is over
            return anneal(o.anneal_strategy, phase[2], phase[3], length == 0 and 1 or (t - start) / length)
        end
        start = phase[1]
    end
end

--- optim.OneCycleLR(optimizer, { max_lr=, total_steps=, pct_start=0.3, anneal_strategy="cos", cycle_momentum=true,
-- base_momentum=0.85, max_momentum=0.95, div_factor=25, final_div_factor=1e4, three_phase=false }): a step a batch. The rate
-- goes from max_lr / div_factor to max_lr, and down to max_lr / div_factor / final_div_factor; momentum, or betas[1], goes the
-- other way. More than total_steps - 1 steps are an error.
schedulers.OneCycleLR = constructor {
    name = "OneCycleLR",
    options = {
        { "max_lr", checks.positive },
        { "total_steps", checks.count },
        { "pct_start", checks.share, 0.3 },
        { "anneal_strategy", one_of("cos", "linear"), "cos" },
        { "cycle_momentum", checks.flag, true },
        { "base_momentum", checks.share, 0.85 },
        { "max_momentum", checks.share, 0.95 },
        { "div_factor", checks.positive, 25 },
        { "final_div_factor", checks.positive, 1e4 },
        { "three_phase", checks.flag, false },
    },
    ready = function(self)
        local group = self.optimizer.param_groups[1]
        if self.options.cycle_momentum and rawget(group, "momentum") == nil and rawget(group, "betas") == nil then
            check.argument(2, "OneCycleLR", "the optimizer has neither momentum nor betas; cycle_momentum = false expected")
        end
        for _, each in ipairs(self.optimizer.param_groups) do
            each.initial_lr = self.options.max_lr / self.options.div_factor
        end
    end,
    set = function(self, group, t)
        local o = self.options
        if t >= o.total_steps then
            check.fail("OneCycleLR: step %d, but total_steps is %d", t, o.total_steps)
        end
        local low = o.max_lr / o.div_factor
        group.lr = one_cycle(o, t, low, o.max_lr, low / o.final_div_factor)
        if o.cycle_momentum then
            local momentum = one_cycle(o, t, o.max_momentum, o.base_momentum, o.max_momentum)
            if rawget(group, "betas") then
                group.betas = { momentum, group.betas[2] }
            else
                group.momentum = momentum
            end
        end
    end,
}

-- Is metric better than the best so far, by more than the threshold? A relative one is a share of |best|: PyTorch's, of best,
-- would let a negative number that gets no better count as better.
local function is_better(o, metric, best)
    if metric ~= metric then
        return false
    end
    local margin = o.threshold_mode == "rel" and o.threshold * math.abs(best) or o.threshold
    if math.abs(best) == math.huge then
        return metric < best == (o.mode == "min") and metric ~= best
    end
    return o.mode == "min" and metric < best - margin or o.mode == "max" and metric > best + margin
end

--- optim.ReduceLROnPlateau(optimizer [, { mode="min", factor=0.1, patience=10, threshold=1e-4, threshold_mode="rel",
-- cooldown=0, min_lr=0, eps=1e-8 }]): scheduler:step(metric) multiplies the rates by factor once the metric was no better than
-- its best for more than `patience` steps; better by the threshold ("abs") or by threshold |best| ("rel"). NaN is no better.
-- The rates stay in the optimiser's state.
schedulers.ReduceLROnPlateau = constructor {
    name = "ReduceLROnPlateau",
    options = {
        { "mode", one_of("min", "max"), "min" },
        { "factor", checks.share, 0.1 },
        { "patience", checks.count_or_zero, 10 },
        { "threshold", checks.not_negative, 1e-4 },
        { "threshold_mode", one_of("rel", "abs"), "rel" },
        { "cooldown", checks.count_or_zero, 0 },
        { "min_lr", checks.not_negative, 0 },
        { "eps", checks.not_negative, 1e-8 },
    },
    remembers = { "best", "num_bad_epochs", "cooldown_counter" },
    ready = function(self)
        if self.options.factor >= 1 then
            check.argument(2, "ReduceLROnPlateau", "factor is %g, expected one below 1", self.options.factor)
        end
        self.best = self.options.mode == "min" and math.huge or -math.huge
        self.num_bad_epochs, self.cooldown_counter = 0, 0
    end,
    set = function() end,
    watch = function(self, metric)
        local o = self.options
        metric = check.is_tensor(metric) and metric:numel() == 1 and metric:item() or metric
        if type(metric) ~= "number" then
            check.argument(1, "step", "number to watch expected, got %s", check.type_name(metric))
        end
        if is_better(o, metric, self.best) then
            self.best, self.num_bad_epochs = metric, 0
        else
            self.num_bad_epochs = self.num_bad_epochs + 1
        end
        if self.cooldown_counter > 0 then
            self.cooldown_counter, self.num_bad_epochs = self.cooldown_counter - 1, 0
        end
        if self.num_bad_epochs <= o.patience then
            return
        end
        for _, group in ipairs(self.optimizer.param_groups) do
            local lower = math.max(group.lr * o.factor, o.min_lr)
            group.lr = group.lr - lower > o.eps and lower or group.lr
        end
        self.cooldown_counter, self.num_bad_epochs = o.cooldown, 0
    end,
}

local function check_schedulers(name, option, value)
    if type(value) ~= "table" or #value == 0 then
        check.argument(2, name, "%s: list of schedulers expected, got %s", option,
            type(value) == "table" and "none" or check.type_name(value))
    end
    for i, scheduler in ipairs(value) do
        if getmetatable(scheduler) ~= metatable then
            check.argument(2, name, "%s[%d]: scheduler expected, got %s", option, i, check.type_name(scheduler))
        elseif scheduler:takes_metric() then
            check.argument(2, name, "%s[%d]: %s follows a metric, not the number of steps", option, i, scheduler.name)
        end
    end
end

--- optim.SequentialLR(optimizer, { schedulers=, milestones= }): one after the other, the next from each milestone on, where it
-- begins anew at t = 0. Warm-up, then annealing:
--
--     local up, down = optim.LinearLR(optimizer), optim.CosineAnnealingLR(optimizer, { T_max = 95 })
--     optim.SequentialLR(optimizer, { schedulers = { up, down }, milestones = { 5 } })
schedulers.SequentialLR = constructor {
    name = "SequentialLR",
    options = { { "schedulers", check_schedulers }, { "milestones", checks.milestones } },
    ready = function(self)
        local list = self.options.schedulers
        if #self.options.milestones ~= #list - 1 then
            check.argument(2, "SequentialLR", "%d schedulers need %d milestones, got %d", #list, #list - 1,
                #self.options.milestones)
        end
        for i, scheduler in ipairs(list) do
            if scheduler.optimizer ~= self.optimizer then
                check.argument(2, "SequentialLR", "schedulers[%d] is of another optimizer", i)
            end
        end
    end,
    set = function(self, group, t, i)
        local milestones = self.options.milestones
        local stage = reached(milestones, t)
        local current = self.options.schedulers[stage + 1]
        current.last_epoch = t - (milestones[stage] or 0)
        current.row.set(current, group, current.last_epoch, i)
    end,
}

check.methods(Scheduler, "scheduler", function(self)
    return getmetatable(self) == metatable
end)

return schedulers
