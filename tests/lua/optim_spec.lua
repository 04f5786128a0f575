local rille = require "rille"
local nn = require "rille.nn"
local optim = require "rille.optim"
local message_of = require("support").message_of

-- What the formulas give, in Lua's doubles, on the loss (p - 1)^2 / 2 from p = 5, for some steps.
local function by_hand(steps, o)
    local p, v = 5, 0
    for _ = 1, steps do
        local g = p - 1 + (o.weight_decay or 0) * p
        if o.momentum then
            v = o.momentum * v + g
            g = o.nesterov and g + o.momentum * v or v
        end
        p = p - o.lr * g
    end
    return p
end

local function by_sgd(steps, options)
    local p = rille.tensor({ 5 }, { dtype = "float64", requires_grad = true })
    local optimizer = optim.SGD({ p }, options)
    for _ = 1, steps do
        optimizer:zero_grad();
        ((p - 1) ^ 2 / 2):sum():backward()
        optimizer:step()
    end
    return p[1]
end

describe("optim.SGD", function()
    for name, options in pairs {
        plain = { lr = 0.1 },
        momentum = { lr = 0.1, momentum = 0.9 },
        nesterov = { lr = 0.1, momentum = 0.9, nesterov = true },
        decay = { lr = 0.1, weight_decay = 0.01 },
        everything = { lr = 0.05, momentum = 0.8, weight_decay = 0.1, nesterov = true },
    } do
        it("steps as its formula says: " .. name, function()
            for steps = 1, 7, 3 do
                local expected, actual = by_hand(steps, options), by_sgd(steps, options)
                assert(math.abs(expected - actual) <= 1e-12, ("%.17g expected, got %.17g"):format(expected, actual))
            end
        end)
    end

    it("leaves alone what has no gradient, and forgets gradients", function()
        local a, b = rille.ones(2, { requires_grad = true }), rille.ones(2, { requires_grad = true })
        local optimizer = optim.SGD({ a, b }, { lr = 1 })
        a:sum():backward()
        optimizer:step()
        assert.same({ 0, 0 }, a:totable())
        assert.same({ 1, 1 }, b:totable())
        optimizer:zero_grad()
        assert.is_nil(a.grad)
    end)

    it("takes a new learning rate between steps", function()
        local p = rille.ones(1, { requires_grad = true })
        local optimizer = optim.SGD({ p }, { lr = 1 })
        optimizer.lr = 0.25
        p:sum():backward()
        optimizer:step()
        assert.equal(0.75, p[1])
        assert.equal("SGD(lr=0.25, momentum=0, weight_decay=0, nesterov=false): 1 parameters", tostring(optimizer))
    end)

    it("trains a net", function()
        rille.manual_seed(1)
        local net = nn.Sequential { nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2) }
        local x = rille.tensor { { 0, 0 }, { 0, 1 }, { 1, 0 }, { 1, 1 } }
        local y = rille.tensor({ 1, 2, 2, 1 }, { dtype = "int64" })
        local optimizer = optim.SGD(net:parameters(), { lr = 0.5, momentum = 0.9 })
        local loss
        for _ = 1, 200 do
            optimizer:zero_grad()
            loss = rille.cross_entropy(net(x), y)
            loss:backward()
            optimizer:step()
        end
        assert.is_true(loss:item() < 0.05)
    end)

    it("works within rille.scope, where the net was made too", function()
        local net, optimizer, last
        rille.scope(function()
            net = nn.Sequential { nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1) }
            optimizer = optim.SGD(net:parameters(), { lr = 0.1, momentum = 0.9 })
        end)
        local x = rille.ones(3, 2)
        for _ = 1, 50 do
            rille.scope(function()
                optimizer:zero_grad()
                local loss = (net(x) ^ 2):mean()
                loss:backward()
                optimizer:step()
                last = loss:item()
            end)
        end
        assert.is_true(last < 0.05)
    end)

    it("says what does not fit", function()
        local p = rille.ones(1, { requires_grad = true })
        assert.equal("bad argument #2 to 'SGD' (lr is missing: write optim.SGD(parameters, { lr = 0.1 }))",
            message_of(optim.SGD, { p }))
        assert.equal("bad argument #2 to 'SGD' (unknown option 'momentun'; did you mean 'momentum'?)",
            message_of(optim.SGD, { p }, { lr = 1, momentun = 0.9 }))
        assert.equal("bad argument #2 to 'SGD' (lr is -1, expected a finite number >= 0)",
            message_of(optim.SGD, { p }, { lr = -1 }))
        assert.equal("bad argument #2 to 'SGD' (lr is nan, expected a finite number >= 0)",
            message_of(optim.SGD, { p }, { lr = 0 / 0 }))
        assert.equal("bad argument #2 to 'SGD' (nesterov needs a momentum above 0)",
            message_of(optim.SGD, { p }, { lr = 1, nesterov = true }))
        assert.equal("bad argument #1 to 'SGD' (list of tensors expected, got Linear)",
            message_of(optim.SGD, nn.Linear(2, 2), { lr = 1 }))
        assert.equal("bad argument #1 to 'SGD' (the list of parameters is empty)", message_of(optim.SGD, {}, { lr = 1 }))
        assert.equal("bad argument #1 to 'SGD' ([2]: tensor expected, got number)",
            message_of(optim.SGD, { p, 3 }, { lr = 1 }))
        assert.equal("bad argument #1 to 'SGD' (none of these tensors requires its gradient; t:requires_grad(true) makes one a "
            .. "parameter)", message_of(optim.SGD, { rille.ones(1) }, { lr = 1 }))
        assert.equal("bad argument #1 to 'SGD' ([2]: a leaf tensor expected, not what an operation gave)",
            message_of(optim.SGD, { p, p * 2 }, { lr = 1 }))
        local optimizer = optim.SGD({ p }, { lr = 1 })
        assert.equal("no 'learning_rate' in SGD", message_of(function() optimizer.learning_rate = 1 end))
        assert.equal("no 'stpe' in SGD; did you mean 'step'?", message_of(function() optimizer:stpe() end))
        optimizer.lr = "x"
        assert.equal("step: lr is string, expected a finite number >= 0",
            message_of(optimizer.step, optimizer))
    end)
end)

describe("SGD", function()
    it("refuses a parameter named twice and a momentum of 1", function()
        local w = rille.ones(1, { requires_grad = true })
        local _, problem = pcall(optim.SGD, { w, w }, { lr = 0.1 })
        local expected = "bad argument #1 to 'SGD' ([2]: the same parameter as [1]; it would be moved twice)"
        assert.is_truthy(problem:find(expected, 1, true))
        _, problem = pcall(optim.SGD, { w }, { lr = 0.1, momentum = 1.5 })
        assert.is_truthy(problem:find("momentum is 1.5, expected one below 1", 1, true))
    end)
end)

local NAMES = { "SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Lion" }

local function leaf(...)
    return rille.tensor({ ... }, { dtype = "float64", requires_grad = true })
end

local function descend(optimizer, p)
    optimizer:zero_grad();
    ((p - 1) ^ 2 / 2):sum():backward()
    optimizer:step()
end

describe("every optimiser", function()
    it("has PyTorch's defaults", function()
        local texts = {
            "SGD(lr=0.1, momentum=0, weight_decay=0, nesterov=false): 1 parameters",
            "Adam(lr=0.001, betas={0.9, 0.999}, eps=1e-08, weight_decay=0): 1 parameters",
            "AdamW(lr=0.001, betas={0.9, 0.999}, eps=1e-08, weight_decay=0.01): 1 parameters",
            "RMSprop(lr=0.01, alpha=0.99, eps=1e-08, weight_decay=0, momentum=0, centered=false): 1 parameters",
            "Adagrad(lr=0.01, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10): 1 parameters",
            "Adadelta(lr=1, rho=0.9, eps=1e-06, weight_decay=0): 1 parameters",
            "Lion(lr=0.0001, betas={0.9, 0.99}, weight_decay=0): 1 parameters",
        }
        for i, name in ipairs(NAMES) do
            assert.equal(texts[i], tostring(optim[name]({ leaf(1) }, name == "SGD" and { lr = 0.1 } or nil)))
        end
    end)

    it("goes on from its state as if nothing had been", function()
        for _, name in ipairs(NAMES) do
            local p = leaf(5, -3)
            local optimizer = optim[name]({ p }, { lr = 0.05 })
            for _ = 1, 3 do
                descend(optimizer, p)
            end
            local state, q = optimizer:state(), p:detach():clone():requires_grad(true)
            local again = optim[name]({ q }, { lr = 1 }):load_state(state)
            for _ = 1, 3 do
                descend(optimizer, p)
                descend(again, q)
            end
            assert.same(p:totable(), q:totable())
            assert.equal(tostring(optimizer), tostring(again))
            assert.equal(3, state.state[1].step, "the state is a copy")
        end
    end)

    it("goes on from a state that was saved before the first step", function()
        for _, name in ipairs(NAMES) do
            local p, q = leaf(5), leaf(5)
            local optimizer, again = optim[name]({ p }, { lr = 0.1 }), optim[name]({ q }, { lr = 0.2 })
            again:load_state(optimizer:state())
            descend(optimizer, p)
            descend(again, q)
            assert.equal(p[1], q[1])
        end
    end)
end)

describe("an optimiser without memory for its states", function()
    it("fails whole, and goes on once there is some", function()
        local p = rille.ones(5000003, { requires_grad = true })
        p.grad = rille.ones(5000003)
        local adam = optim.Adam({ p }, { lr = 0.5 })
        local memory = rille.memory()
        for _, room in ipairs { 0, 25000000 } do -- for none of the two states, for one
            rille.memory_limit(memory.current + memory.pooled + room)
            local ok, message = pcall(adam.step, adam)
            rille.memory_limit(0)
            assert.is_false(ok)
            assert.is_truthy(message:find("out of memory: 20000012 bytes wanted", 1, true), message)
            assert.equal(1, p[5000003])
            assert.equal(0, adam:state().state[1].step)
        end
        adam:step()
        assert(math.abs(p[5000003] - 0.5) < 1e-6)
    end)
end)

describe("parameter groups", function()
    it("have settings of their own, and the options for the rest", function()
        local a, b = leaf(1), leaf(1)
        local optimizer = optim.SGD({ { params = { a } }, { params = { b }, lr = 0.5 } }, { lr = 0.25 })
        a.grad, b.grad = rille.ones(1, { dtype = "float64" }), rille.ones(1, { dtype = "float64" })
        optimizer:step()
        assert.equal(0.75, a[1])
        assert.equal(0.5, b[1])
        assert.equal("SGD: 2 groups\n  1: lr=0.25, momentum=0, weight_decay=0, nesterov=false: 1 parameters\n"
            .. "  2: lr=0.5, momentum=0, weight_decay=0, nesterov=false: 1 parameters", tostring(optimizer))
        optimizer.param_groups[1].lr = 0
        optimizer:step()
        assert.equal(0.75, a[1])
        assert.equal(0, b[1])
        optimizer.lr = 1
        optimizer:step()
        assert.equal(-0.25, a[1])
        assert.equal(-1, b[1])
        assert.equal(2, #optimizer.parameters)
    end)

    it("may come later", function()
        local a, b = leaf(1), leaf(3)
        local optimizer = optim.Adam({ a })
        descend(optimizer, a)
        optimizer:add_param_group { params = { b }, lr = 1 }
        descend(optimizer, b)
        assert(math.abs(b[1] - 2) < 1e-6)
        assert.same({ 1, 2 }, { #optimizer.param_groups[2].params, #optimizer.param_groups })
        assert.equal("bad argument #1 to 'add_param_group' (group 3: [1]: the same parameter as [1]; it would be moved twice)",
            message_of(optimizer.add_param_group, optimizer, { params = { a } }))
        assert.equal(2, #optimizer.param_groups)
    end)

    it("that do not fit are refused", function()
        local p, q = leaf(1), leaf(1)
        assert.equal("bad argument #1 to 'SGD' (lr is missing: write optim.SGD(parameters, { lr = 0.1 }))",
            message_of(optim.SGD, { { params = { p }, lr = 1 }, { params = { q } } }))
        assert.equal("bad argument #1 to 'Adam' (group 1: { params = list of tensors, ... } expected, "
            .. "got a table without params)", message_of(optim.Adam, { { p } }))
        assert.equal("bad argument #1 to 'Adam' (group 2: { params = list of tensors, ... } expected, got tensor)",
            message_of(optim.Adam, { { params = { p } }, q }))
        assert.equal("bad argument #1 to 'Adam' (unknown option 'beta'; did you mean 'betas'?)",
            message_of(optim.Adam, { { params = { p }, beta = 1 } }))
        assert.equal("bad argument #1 to 'Adam' (group 2: [1]: the same parameter as group 1: [1]; it would be moved twice)",
            message_of(optim.Adam, { { params = { p } }, { params = { p } } }))
        local optimizer = optim.Adam({ p })
        assert.equal("no 'momentum' in a parameter group", message_of(function()
            optimizer.param_groups[1].momentum = 0.9
        end))
        assert.equal("no 'learning' in Adam", message_of(function() return optimizer.learning end))
    end)
end)

describe("settings out of range", function()
    local cases = {
        { "Adam", { betas = { 0.9, 1 } }, "betas[2] is 1, expected one below 1" },
        { "Adam", { betas = { 0.9 } }, "betas: table of two numbers expected, got one of 1" },
        { "Adam", { betas = 0.9 }, "option 'betas': table expected, got number" },
        { "Adam", { betas = { "x", 0.9 } }, "betas[1] is string, expected a finite number >= 0" },
        { "AdamW", { weight_decay = -1 }, "weight_decay is -1, expected a finite number >= 0" },
        { "AdamW", { eps = 0 / 0 }, "eps is nan, expected a finite number >= 0" },
        { "RMSprop", { alpha = 1 }, "alpha is 1, expected one below 1" },
        { "RMSprop", { centered = 1 }, "option 'centered': boolean expected, got number" },
        { "Adagrad", { lr_decay = math.huge }, "lr_decay is inf, expected a finite number >= 0" },
        { "Adagrad", { initial_accumulator_value = -1 },
            "initial_accumulator_value is -1, expected a finite number >= 0" },
        { "Adadelta", { rho = -0.5 }, "rho is -0.5, expected a finite number >= 0" },
        { "Lion", { lr = "x" }, "option 'lr': number expected, got string" },
        { "Lion", { eps = 1 }, "unknown option 'eps'" },
    }
    for _, case in ipairs(cases) do
        it(case[1] .. ": " .. case[3], function()
            assert.equal(("bad argument #2 to '%s' (%s)"):format(case[1], case[3]),
                message_of(optim[case[1]], { leaf(1) }, case[2]))
        end)
    end
end)

describe("a state", function()
    it("that does not fit changes nothing", function()
        local p = leaf(5, -3)
        local optimizer = optim.Adam({ p }, { lr = 0.25 })
        descend(optimizer, p)
        local before = optimizer:state()
        local function refused(expected, change)
            local state = optimizer:state()
            local changed = change(state)
            assert.equal(("bad argument #1 to 'load_state' (%s)"):format(expected),
                message_of(optimizer.load_state, optimizer, changed == nil and state or changed))
            assert.same(before.state[1].exp_avg:totable(), optimizer:state().state[1].exp_avg:totable())
            assert.equal(0.25, optimizer.lr)
        end
        refused("table of state() expected, got number", function() return 3 end)
        refused("table of state() expected, got one without param_groups and state", function() return {} end)
        refused("the state of SGD, expected that of Adam", function() return optim.SGD({ leaf(1) }, { lr = 1 }):state() end)
        refused("2 groups, expected 1", function(state) state.param_groups[2] = state.param_groups[1] end)
        refused("group 1: 2 parameters, expected 1", function(state) state.param_groups[1].params[2] = 2 end)
        refused("parameter 1: no number of steps", function(state) state.state[1].step = 0.5 end)
        refused("parameter 1: exp_avg_sq is a nil, expected a tensor", function(state) state.state[1].exp_avg_sq = nil end)
        refused("parameter 1: exp_avg is [3], expected [2]", function(state) state.state[1].exp_avg = leaf(1, 2, 3) end)
        refused("initial_lr is string, expected a finite number >= 0",
            function(state) state.param_groups[1].initial_lr = "x" end)
        refused("lr is -1, expected a finite number >= 0", function(state) state.param_groups[1].lr = -1 end)
    end)

    it("keeps momentum that is switched on later", function()
        local p = leaf(5)
        local optimizer = optim.SGD({ p }, { lr = 0.1 })
        descend(optimizer, p)
        assert.is_nil(optimizer:state().state[1].momentum_buffer)
        optimizer.momentum = 0.9
        descend(optimizer, p)
        descend(optimizer, p)
        local x, v = 5 - 0.1 * 4, 0
        for _ = 1, 2 do
            v = 0.9 * v + x - 1
            x = x - 0.1 * v
        end
        assert(math.abs(x - p[1]) < 1e-14)
        assert(math.abs(v - optimizer:state().state[1].momentum_buffer[1]) < 1e-14)
    end)
end)

describe("optim.clip_grad_norm", function()
    it("returns the norm and scales, in place", function()
        local p, q = leaf(0, 0), leaf(0)
        p.grad, q.grad = rille.tensor({ 2, -3 }, { dtype = "float64" }), rille.tensor({ 6 }, { dtype = "float64" })
        local gradient = p.grad
        assert.equal(7, optim.clip_grad_norm({ p, q }, 14))
        assert.equal(7, optim.clip_grad_norm({ p, q }, 0.5))
        assert(math.abs(gradient[1] - 2 * 0.5 / (7 + 1e-6)) < 1e-15)
        assert(math.abs(optim.clip_grad_norm({ p, q }, 1, { norm_type = math.huge }) - 6 * 0.5 / (7 + 1e-6)) < 1e-15)
        assert.equal(0, optim.clip_grad_norm({ leaf(1) }, 1))
    end)

    it("does not overflow", function()
        local p = rille.zeros(4, { requires_grad = true })
        p.grad = rille.full({ 4 }, 1e30)
        local norm = optim.clip_grad_norm({ p }, 1)
        assert(math.abs(norm / 2e30 - 1) < 1e-6)
        assert(math.abs(p.grad[1] - 0.5) < 1e-6)
    end)

    it("clips by value", function()
        local p = leaf(0, 0, 0)
        p.grad = rille.tensor({ 2, -3, 0.5 }, { dtype = "float64" })
        optim.clip_grad_value({ p }, 1)
        assert.same({ 1, -1, 0.5 }, p.grad:totable())
    end)
end)

describe("a run that is resumed", function()
    -- A net with dropout and BatchNorm, and a scheduler: everything that a step depends on.
    local function new_run()
        rille.manual_seed(3)
        local run = {
            net = nn.Sequential { nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3) },
            x = rille.randn(20, 6), y = rille.randperm(20):remainder(3):to("int64") + 1,
        }
        run.optimizer = optim.AdamW(run.net:parameters(), { lr = 0.01 })
        run.scheduler = optim.CosineAnnealingLR(run.optimizer, { T_max = 20 })
        return run
    end

    local function train(run, steps)
        for _ = 1, steps do
            run.optimizer:zero_grad()
            rille.cross_entropy(run.net(run.x), run.y):backward()
            optim.clip_grad_norm(run.net:parameters(), 1)
            run.optimizer:step()
            run.scheduler:step()
        end
    end

    local function bits_of(run)
        local list = {}
        for name, tensor in pairs(run.net:state()) do
            list[name] = tensor:totable()
        end
        return list
    end

    it("equals an uninterrupted one, bit for bit", function()
        local whole = new_run()
        train(whole, 7)
        local saved = { net = whole.net:state(), optimizer = whole.optimizer:state(), scheduler = whole.scheduler:state(),
            rng = rille.rng_state() }
        train(whole, 6)

        local resumed = new_run()
        train(resumed, 2)
        resumed.net:load_state(saved.net)
        resumed.optimizer:load_state(saved.optimizer)
        resumed.scheduler:load_state(saved.scheduler)
        rille.set_rng_state(saved.rng)
        train(resumed, 6)
        assert.same(bits_of(whole), bits_of(resumed))
        assert.equal(whole.optimizer.lr, resumed.optimizer.lr)
    end)

    it("without the random numbers' state is another", function()
        local whole = new_run()
        train(whole, 3)
        local state = rille.rng_state()
        local a = rille.rand(3):totable()
        local b = rille.rand(3):totable()
        rille.set_rng_state(state)
        assert.same(a, rille.rand(3):totable())
        assert.are_not.same(a, b)
        local other = new_run()
        rille.rand(1)
        train(other, 3)
        assert.are_not.same(bits_of(whole), bits_of(other))
    end)
end)
