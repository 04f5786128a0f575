local rille, nn = require "rille", require "rille.nn"

local function leaf(...)
    return rille.tensor({ ... }, { dtype = "float64", requires_grad = true })
end

local function message_of(f, ...)
    local ok, message = pcall(f, ...)
    assert.is_false(ok)
    return (message:gsub("^[^:]*:%d+: ", ""))
end

describe("t:register_hook", function()
    it("is given whole gradients, and may replace them", function()
        local w, seen = leaf(1, 2), {}
        w:register_hook(function(g)
            table.insert(seen, g:totable())
            return g * 10
        end)
        local y = w * w
        y:register_hook(function(g) table.insert(seen, g:totable()) end);
        (y + w):sum():backward()
        assert.same({ { 1, 1 }, { 3, 5 } }, seen)
        assert.same({ 30, 50 }, w.grad:totable())
    end)

    it("serves rille.grad too, differentiably where that is asked for", function()
        local w = leaf(3)
        local y = w * w
        y:register_hook(function(g) return g * w end) -- 2 w^2
        local g = rille.grad((y * 1):sum(), w, { create_graph = true })[1]
        assert.equal(18, g:item())
        assert.equal(12, rille.grad(g:sum(), w)[1]:item())
    end)

    it("leaves the engine's own gradient alone, whatever is written into the hook's", function()
        local a, b = leaf(1), leaf(2)
        a:register_hook(function(g) g[1] = 1000 end);
        (a + b):sum():backward()
        assert.same({ 1, 1 }, { a.grad:item(), b.grad:item() })
    end)

    it("ends with its handle, also from within", function()
        local w, calls, handle = leaf(1), 0, nil
        handle = w:register_hook(function()
            calls = calls + 1
            handle:remove()
        end)
        w:register_hook(function() calls = calls + 100 end)
        for _ = 1, 3 do
            (w * 2):sum():backward()
        end
        assert.equal(301, calls)
        handle:remove()
        w:free()
        handle:remove()
    end)

    it("passes the hook's own error on, and the next backward works", function()
        local w, fail = leaf(1), true
        w:register_hook(function()
            if fail then
                error({ reason = "mine" })
            end
        end)
        local ok, value = pcall(function() (w * 2):sum():backward() end)
        assert.is_false(ok)
        assert.equal("mine", value.reason)
        assert.is_nil(w.grad)
        fail = false;
        (w * 2):sum():backward()
        assert.same({ 2 }, w.grad:totable())
    end)

    it("runs in coroutines, and other coroutines within it", function()
        local w, seen = leaf(1, 2), nil
        coroutine.wrap(function()
            w:register_hook(function(g)
                coroutine.wrap(function() seen = (g * 2):totable() end)()
                collectgarbage()
                return g + 1
            end);
            (w * 1):sum():backward()
        end)()
        assert.same({ 2, 2 }, seen)
        assert.same({ 2, 2 }, w.grad:totable())
    end)

    it("survives that a hook frees what it is on, and is freed with it", function()
        local w = leaf(1, 2)
        w:register_hook(function() w:free() end)
        w:backward(rille.ones(2, { dtype = "float64" }))
        local held = setmetatable({}, { __mode = "k" })
        do
            local t, token = leaf(1), {}
            held[token] = true
            t:register_hook(function() return token and nil end)
            t:free()
        end
        collectgarbage()
        collectgarbage()
        assert.is_nil(next(held))
    end)

    it("says what is wrong", function()
        local w = leaf(1, 2)
        assert.equal("bad argument #1 to 'register_hook' (function expected, got number)",
            message_of(function() w:register_hook(3) end))
        assert.equal("hook: the tensor takes no part in gradients",
            message_of(function() rille.ones(2):register_hook(print) end))
        local wrong
        w:register_hook(function(g) return wrong(g) end)
        local function backward()
            (w * 2):sum():backward()
        end
        wrong = function() return 3 end
        assert.equal("a hook must return a tensor or nothing, got number", message_of(backward))
        wrong = function() return rille.ones(3) end
        assert.equal("hook: it returned float32 [3] for a gradient that is float64 [2]", message_of(backward))
        wrong = function(g) g:free() return g end
        assert.equal("a hook must return a tensor or nothing, got a tensor that was freed", message_of(backward))
        wrong = function() (w * 2):sum():backward() end
        assert.equal("backward: a hook of a backward that is under way called it", message_of(backward))
        wrong = function() rille.grad((w * 2):sum(), w) end
        assert.equal("grad: a hook of a backward that is under way called it", message_of(backward))
    end)
end)

describe("rille.anomaly", function()
    local function line_and_message(f)
        local ok, message = pcall(rille.anomaly, f)
        assert.is_false(ok)
        local line, rest = message:match("^[^:]*hooks_spec%.lua:(%d+): (.*)$")
        return tonumber(line), rest
    end

    it("names the operation and the line that first makes NaN or infinity", function()
        local here = debug.getinfo(1, "l").currentline
        local line, message = line_and_message(function()
            local x = rille.tensor { { 1, -1 }, { 2, 3 } }
            local y = x + 1
            return rille.log(y - 1)
        end)
        assert.equal(here + 4, line)
        assert.equal("log: made NaN at [1, 2] of [2, 2], from finite operands", message)
        line, message = line_and_message(function() return rille.exponential(rille.tensor { 100 }) end)
        assert.equal(here + 8, line)
        assert.equal("exponential: made an infinity at [1] of [1], from finite operands", message)
        message = select(2, line_and_message(function() return rille.sigmoid(rille.tensor { 0 / 0 }) end))
        assert.equal("sigmoid: its operand 1 has NaN at [1] of [1]", message)
    end)

    it("names the line of the forward pass where a gradient goes wrong", function()
        local here = debug.getinfo(1, "l").currentline
        local _, message = line_and_message(function()
            local x = leaf(0, 1)
            local y = rille.sqrt(x)
            return y:sum():backward()
        end)
        assert.matches(("^backward: 'sqrt' of [^:]*hooks_spec%%.lua:%d made an infinity at %%[1%%] of %%[2%%], "
            .. "the gradient of its operand 1$"):format(here + 3), message)
    end)

    it("names the script's line, not the module's, in a net", function()
        local net = nn.Sequential { nn.Linear(2, 2), nn.ReLU() }
        net[1].weight[{}] = math.huge
        local here = debug.getinfo(1, "l").currentline
        local line, message = line_and_message(function()
            local y = net(rille.zeros(1, 2))
            return y
        end)
        assert.equal(here + 2, line)
        assert.equal("linear: made NaN at [1, 1] of [1, 2], from infinite operands", message)
    end)

    it("ends with its function, and passes its results on", function()
        assert.same({ 1, 2 }, { rille.anomaly(function(...) return ... end, 1, 2) })
        pcall(rille.anomaly, error)
        assert.is_true(rille.log(rille.tensor { -1 }):item() ~= 0)
    end)
end)

describe("rille.gradgradcheck", function()
    it("finds a second gradient that is wrong where the first is right", function()
        local x = leaf(0.5, -1)
        local function wrong(v)
            return rille.with_derivative(v:detach() ^ 2, v, 2 * v:detach())
        end
        assert.is_true(rille.gradcheck(wrong, x))
        local ok, result, message = rille.gradgradcheck(wrong, x)
        assert.is_false(ok)
        assert.equal(0, result.analytic)
        assert.matches("^gradcheck: element 1 of input 1: analytic 0, numeric ", message)
        assert.is_true(rille.gradgradcheck(rille.tanh, x))
    end)
end)
