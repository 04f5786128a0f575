-- Schedulers against PyTorch's formulas, worked out by hand.

local rille = require "rille"
local optim = require "rille.optim"
local message_of = require("support").message_of

local function optimizer_of(lr, options)
    options = options or {}
    options.lr = lr
    return optim.SGD({ rille.ones(1, { requires_grad = true }) }, options)
end

-- The rates at t = 0, 1, ... are these.
local function expect_rates(scheduler, expected)
    for t, rate in ipairs(expected) do
        local actual = scheduler.optimizer.lr
        assert(math.abs(actual - rate) <= 1e-14 * rate, ("t = %d: %.17g, expected %.17g"):format(t - 1, actual, rate))
        assert.same({ actual }, scheduler:get_last_lr())
        if expected[t + 1] then
            scheduler:step()
        end
    end
end

describe("the rates of", function()
    it("StepLR", function()
        expect_rates(optim.StepLR(optimizer_of(1), { step_size = 2, gamma = 0.5 }), { 1, 1, 0.5, 0.5, 0.25, 0.25 })
    end)

    it("MultiStepLR", function()
        expect_rates(optim.MultiStepLR(optimizer_of(1), { milestones = { 1, 3, 3 } }), { 1, 0.1, 0.1, 0.001, 0.001 })
    end)

    it("ExponentialLR", function()
        expect_rates(optim.ExponentialLR(optimizer_of(2), { gamma = 0.9 }), { 2, 1.8, 1.62, 1.458 })
    end)

    it("LinearLR", function()
        expect_rates(optim.LinearLR(optimizer_of(0.3)), { 0.1, 0.14, 0.18, 0.22, 0.26, 0.3, 0.3 })
        expect_rates(optim.LinearLR(optimizer_of(1), { start_factor = 1, end_factor = 0.5, total_iters = 2 }),
            { 1, 0.75, 0.5, 0.5 })
    end)

    it("CosineAnnealingLR", function()
        local half = math.sqrt(0.5)
        expect_rates(optim.CosineAnnealingLR(optimizer_of(1), { T_max = 4, eta_min = 0.2 }),
            { 1, 0.2 + 0.4 * (1 + half), 0.6, 0.2 + 0.4 * (1 - half), 0.2 })
    end)

    it("LambdaLR", function()
        expect_rates(optim.LambdaLR(optimizer_of(3), { lr_lambda = function(t) return 1 / (1 + t) end }), { 3, 1.5, 1, 0.75 })
    end)

    it("OneCycleLR, which moves the momentum the other way", function()
        -- up ends at 0.5 * 9 - 1 = 3.5, down at 8
        local optimizer = optimizer_of(1, { momentum = 0.9 })
        local scheduler = optim.OneCycleLR(optimizer, { max_lr = 0.7, total_steps = 9, pct_start = 0.5,
            anneal_strategy = "linear", div_factor = 7, final_div_factor = 10 })
        assert.equal(0.95, optimizer.momentum)
        local rates = {}
        for t = 0, 8 do
            rates[t + 1] = t <= 3.5 and 0.1 + 0.6 * t / 3.5 or 0.7 + (0.01 - 0.7) * (t - 3.5) / 4.5
        end
        expect_rates(scheduler, rates)
        assert.equal(0.95, optimizer.momentum)
        assert.equal("OneCycleLR: step 9, but total_steps is 9", message_of(scheduler.step, scheduler))
    end)

    it("OneCycleLR whose rise is one step, and over", function()
        local optimizer = optimizer_of(1, { momentum = 0.9 })
        local scheduler = optim.OneCycleLR(optimizer, { max_lr = 1, total_steps = 4, pct_start = 0.25,
            anneal_strategy = "linear", div_factor = 10, final_div_factor = 10 })
        assert.equal(0.85, optimizer.momentum)
        expect_rates(scheduler, { 1, 1 + (0.01 - 1) / 3, 1 + (0.01 - 1) * 2 / 3, 0.01 })
    end)

    it("OneCycleLR, whose state is good after a step too many", function()
        local options = { max_lr = 1, total_steps = 2, cycle_momentum = false }
        local scheduler = optim.OneCycleLR(optimizer_of(1), options)
        scheduler:step()
        assert.equal("OneCycleLR: step 2, but total_steps is 2", message_of(scheduler.step, scheduler))
        assert.equal(1, scheduler.last_epoch)
        assert.equal(1, optim.OneCycleLR(optimizer_of(1), options):load_state(scheduler:state()).last_epoch)
    end)

    it("OneCycleLR by cosines, over Adam's betas", function()
        local optimizer = optim.Adam({ rille.ones(1, { requires_grad = true }) })
        local scheduler = optim.OneCycleLR(optimizer, { max_lr = 1, total_steps = 5, pct_start = 0.6 })
        -- up ends at 2, down at 4
        local low = 1 / 25
        local rates, betas = { low, (low + 1) / 2, 1, (1 + low / 1e4) / 2, low / 1e4 }, { 0.95, 0.9, 0.85, 0.9, 0.95 }
        for t = 1, 5 do
            assert(math.abs(optimizer.lr - rates[t]) < 1e-15)
            assert(math.abs(optimizer.betas[1] - betas[t]) < 1e-15)
            assert.equal(0.999, optimizer.betas[2])
            if t < 5 then
                scheduler:step()
            end
        end
    end)

    it("OneCycleLR in three phases", function()
        expect_rates(optim.OneCycleLR(optimizer_of(1), { max_lr = 1, total_steps = 8, pct_start = 0.375, three_phase = true,
            anneal_strategy = "linear", div_factor = 4, final_div_factor = 10, cycle_momentum = false }),
            { 0.25, 0.625, 1, 0.625, 0.25, 0.25 + (0.025 - 0.25) / 3, 0.25 + (0.025 - 0.25) * 2 / 3, 0.025 })
    end)

    it("SequentialLR: warm-up, then annealing", function()
        local optimizer = optimizer_of(1)
        local scheduler = optim.SequentialLR(optimizer, { milestones = { 2 }, schedulers = {
            optim.LinearLR(optimizer, { start_factor = 0.5, total_iters = 2 }),
            optim.ExponentialLR(optimizer, { gamma = 0.5 }),
        } })
        expect_rates(scheduler, { 0.5, 0.75, 1, 0.5, 0.25 })
    end)

    it("each group", function()
        local optimizer = optim.SGD({ { params = { rille.ones(1, { requires_grad = true }) }, lr = 1 },
            { params = { rille.ones(1, { requires_grad = true }) }, lr = 8 } })
        local scheduler = optim.StepLR(optimizer, { step_size = 1, gamma = 0.5 })
        scheduler:step()
        assert.same({ 0.5, 4 }, scheduler:get_last_lr())
        optimizer:add_param_group { params = { rille.ones(1, { requires_grad = true }) }, lr = 16 }
        scheduler:step()
        assert.same({ 0.25, 2, 4 }, scheduler:get_last_lr())
    end)
end)

describe("ReduceLROnPlateau", function()
    local function rates_of(options, metrics)
        local optimizer = optimizer_of(1)
        local scheduler, rates = optim.ReduceLROnPlateau(optimizer, options), {}
        for i, metric in ipairs(metrics) do
            scheduler:step(metric)
            rates[i] = optimizer.lr
        end
        return rates
    end

    it("waits for more than `patience` steps without a better one", function()
        assert.same({ 1, 1, 1, 0.5, 0.5, 0.5, 0.25 }, rates_of({ factor = 0.5, patience = 2 }, { 3, 3, 4, 3, 3, 3, 3 }))
        assert.same({ 1, 1, 1, 1 }, rates_of({ factor = 0.5, patience = 1 }, { 3, 3, 2, 2 }))
    end)

    it("has a threshold, a mode and a cooldown", function()
        assert.same({ 1, 0.5 }, rates_of({ factor = 0.5, patience = 0, threshold = 0.1 }, { 10, 9.5 }))
        assert.same({ 1, 1 }, rates_of({ factor = 0.5, patience = 0, threshold = 0.1, threshold_mode = "abs" }, { 10, 9.5 }))
        assert.same({ 1, 1, 0.5 }, rates_of({ factor = 0.5, patience = 0, mode = "max" }, { 1, 2, 2 }))
        assert.same({ 1, 0.5, 0.5, 0.5, 0.25 }, rates_of({ factor = 0.5, patience = 0, cooldown = 2 }, { 1, 1, 1, 1, 1 }))
        assert.same({ 1, 0.75, 0.75 }, rates_of({ factor = 0.5, patience = 0, min_lr = 0.75 }, { 1, 1, 1 }))
        for _, mode in ipairs { "min", "max" } do
            assert.same({ 0.5, 0.5, 0.25 }, rates_of({ factor = 0.5, patience = 0, mode = mode }, { 0 / 0, 1, 0 / 0 }))
        end
        assert.same({ 1, 0.5, 0.5 }, rates_of({ factor = 0.5, patience = 0 }, { -1, -1, -2 }))
        assert.same({ 1, 0.5 }, rates_of({ factor = 0.5, patience = 0 }, { rille.tensor { 1 }, rille.tensor { 1 } }))
    end)

    it("goes on from its state", function()
        local optimizer = optimizer_of(1)
        local scheduler = optim.ReduceLROnPlateau(optimizer, { factor = 0.5, patience = 1 })
        scheduler:step(1)
        scheduler:step(1)
        local again = optim.ReduceLROnPlateau(optimizer, { factor = 0.5, patience = 1 }):load_state(scheduler:state())
        again:step(1)
        assert.equal(0.5, optimizer.lr)
        assert.equal("bad argument #1 to 'step' (number to watch expected, got nil)", message_of(again.step, again))
        assert.equal("bad argument #1 to 'load_state' (best is a nil, expected a number)",
            message_of(again.load_state, again, { name = "ReduceLROnPlateau", last_epoch = 1 }))
    end)
end)

describe("a scheduler", function()
    it("goes on from its state", function()
        local first = optim.StepLR(optimizer_of(1), { step_size = 2 })
        for _ = 1, 3 do
            first:step()
        end
        local state = first:state()
        assert.same({ name = "StepLR", last_epoch = 3 }, state)
        local again = optim.StepLR(optimizer_of(1), { step_size = 2 }):load_state(state)
        again:step()
        assert(math.abs(again.optimizer.lr - 0.01) < 1e-16)
        assert.equal("bad argument #1 to 'load_state' (the state of StepLR, expected that of ExponentialLR)",
            message_of(optim.ExponentialLR(optimizer_of(1), { gamma = 1 }).load_state,
                optim.ExponentialLR(optimizer_of(1), { gamma = 1 }), state))
        assert.equal("bad argument #1 to 'load_state' (table of state() expected, got one without last_epoch)",
            message_of(again.load_state, again, {}))
    end)

    local optimizer = optimizer_of(1)
    local other = optimizer_of(1)
    local cases = {
        { "StepLR", {}, "step_size is missing" },
        { "StepLR", { step_size = 0 }, "step_size: positive integer expected, got 0" },
        { "StepLR", { stepsize = 1 }, "unknown option 'stepsize'; did you mean 'step_size'?" },
        { "StepLR", { step_size = 1, gamma = -1 }, "gamma is -1, expected a finite number > 0" },
        { "MultiStepLR", { milestones = 3 }, "milestones: list of positive integers expected, got number" },
        { "MultiStepLR", { milestones = { 3, 2 } }, "milestones[2] is 2, below the one before it, 3" },
        { "MultiStepLR", { milestones = { 3, "x" } }, "milestones[2]: positive integer expected, got string" },
        { "LinearLR", { start_factor = 2 }, "start_factor is 2, expected 0 ... 1" },
        { "CosineAnnealingLR", { T_max = 0.5 }, "T_max: positive integer expected, got 0.5" },
        { "CosineAnnealingLR", { T_max = 1, eta_min = -1 }, "eta_min is -1, expected a finite number >= 0" },
        { "LambdaLR", { lr_lambda = 1 }, "lr_lambda: function expected, got number" },
        { "OneCycleLR", { max_lr = 1, total_steps = 9, anneal_strategy = "sin" },
            "anneal_strategy: 'cos' or 'linear' expected, got 'sin'" },
        { "ReduceLROnPlateau", { mode = 1 }, "mode: 'min' or 'max' expected, got number" },
        { "ReduceLROnPlateau", { factor = 1 }, "factor is 1, expected one below 1" },
        { "ReduceLROnPlateau", { patience = -1 }, "patience: integer >= 0 expected, got -1" },
        { "SequentialLR", { schedulers = {}, milestones = { 1 } }, "schedulers: list of schedulers expected, got none" },
        { "SequentialLR", { schedulers = { optimizer }, milestones = { 1 } }, "schedulers[1]: scheduler expected, got SGD" },
        { "SequentialLR", { schedulers = { optim.ReduceLROnPlateau(other) }, milestones = { 1 } },
            "schedulers[1]: ReduceLROnPlateau follows a metric, not the number of steps" },
        { "SequentialLR", { schedulers = { optim.LinearLR(optimizer) }, milestones = { 1 } },
            "1 schedulers need 0 milestones, got 1" },
        { "SequentialLR", { schedulers = { optim.LinearLR(optimizer), optim.LinearLR(other) }, milestones = { 1 } },
            "schedulers[2] is of another optimizer" },
    }
    for _, case in ipairs(cases) do
        it("is told: " .. case[1] .. ": " .. case[3], function()
            assert.equal(("bad argument #2 to '%s' (%s)"):format(case[1], case[3]),
                message_of(optim[case[1]], optimizer, case[2]))
        end)
    end

    it("is told of what else does not fit", function()
        assert.equal("bad argument #1 to 'StepLR' (optimizer expected, got number)", message_of(optim.StepLR, 1))
        local adadelta = optim.Adadelta({ rille.ones(1, { requires_grad = true }) })
        assert.equal("bad argument #2 to 'OneCycleLR' (the optimizer has neither momentum nor betas; "
            .. "cycle_momentum = false expected)", message_of(optim.OneCycleLR, adadelta, { max_lr = 1, total_steps = 9 }))
        assert.equal("LambdaLR: lr_lambda(0) is a nil, expected a number",
            message_of(optim.LambdaLR, optimizer, { lr_lambda = function() end }))
        local scheduler = optim.StepLR(optimizer, { step_size = 1 })
        assert.equal("bad argument #1 to 'step' (nothing expected, got number: StepLR counts its steps itself)",
            message_of(scheduler.step, scheduler, 5))
        assert.equal(0, scheduler.last_epoch)
        assert.equal("no 'stpe' in StepLR; did you mean 'step'?", message_of(function() scheduler:stpe() end))
        assert.equal("bad self for 'step' (scheduler expected, got nil; methods are called with ':')",
            message_of(scheduler.step))
    end)
end)
