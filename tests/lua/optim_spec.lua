local rille = require "rille"
local nn = require "rille.nn"
local optim = require "rille.optim"

local function message_of(f, ...)
    local ok, message = pcall(f, ...)
    assert.is_false(ok, "an error was expected")
    return (tostring(message):gsub("^[^:]+:%d+: ", ""))
end

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
        assert.equal("bad argument #1 to 'step' (lr is string, expected a finite number >= 0)",
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
