local rille = require "rille"

local f64 = { dtype = "float64", requires_grad = true }

local function close(expected, actual, tolerance)
    assert(math.abs(expected - actual) <= (tolerance or 1e-9), ("%.17g expected, got %.17g"):format(expected, actual))
end

local function tanh(x)
    local e = math.exp(2 * x)
    return (e - 1) / (e + 1)
end

describe("backward", function()
    it("adds to the gradients of leaves", function()
        local w = rille.tensor({ 1, 2 }, f64)
        assert.is_nil(w.grad);
        (w * w):sum():backward()
        assert.same({ 2, 4 }, w.grad:totable());
        (w * 3):backward(rille.tensor({ 1, 10 }, { dtype = "float64" }))
        assert.same({ 5, 34 }, w.grad:totable())
        w.grad = nil
        assert.is_nil(w.grad)
    end)

    it("gives the tutorial's number", function()
        local x = rille.tensor(2, { dtype = "float64" })
        local w = rille.tensor(0.5, f64)
        rille.tanh(w * x):backward()
        close(0.839948683228052, w.grad:item(), 1e-14)
    end)

    it("follows views, reductions, products and the loss", function()
        local w = rille.tensor({ { 1, 2 }, { 3, 4 } }, f64)
        w:t()[2]:sum():backward()
        assert.same({ { 0, 1 }, { 0, 1 } }, w.grad:totable())
        w.grad = rille.zeros(2, 2, { dtype = "float64" })
        w[{ {}, { 1 } }]:mean():backward()
        assert.same({ { 0.5, 0 }, { 0.5, 0 } }, w.grad:totable())
        w.grad = nil
        w:max():backward()
        assert.same({ { 0, 0 }, { 0, 1 } }, w.grad:totable())
        w.grad = nil
        rille.cross_entropy(rille.zeros(1, 2, { dtype = "float64" }):matmul(w), { 1 }):backward()
        assert.same({ { 0, 0 }, { 0, 0 } }, w.grad:totable())
    end)

    it("keeps an inner gradient where it is asked to", function()
        local w = rille.tensor({ 1, 2 }, f64)
        local h = (w * 2):retain_grad()
        h:sum():backward()
        assert.same({ 1, 1 }, h.grad:totable())
        assert.is_true(w:is_leaf())
        assert.is_false(h:is_leaf())
    end)

    it("leaves a gradient that stays valid after its tensor", function()
        local w = rille.tensor({ 1, 2 }, f64);
        (w * 2):sum():backward()
        local g = w.grad
        w:free()
        collectgarbage() -- the graph held w too
        local others = {} -- that take the place of what was freed
        for i = 1, 20 do
            others[i] = rille.full({ 3, 1 }, 7, { dtype = "float64" })
        end
        assert.same({ 2, 2 }, g:totable())
        assert.equal(20, #others)
    end)

    it("shares a gradient's elements with t.grad", function()
        local w = rille.tensor({ 1, 2 }, f64);
        (w * 2):sum():backward()
        w.grad:fill_(0)
        assert.same({ 0, 0 }, w.grad:totable())
    end)

    it("works when what it needs has been freed by the script", function()
        local w = rille.tensor({ 1, 2 }, f64)
        local h = w:tanh()
        local loss = (h * h):sum()
        h:free()
        loss:backward()
        close(2 * tanh(1) * (1 - tanh(1) ^ 2), w.grad[1])
    end)
end)

describe("requires_grad", function()
    it("is asked and set", function()
        local t = rille.zeros(2)
        assert.is_false(t:requires_grad())
        assert.equal(t, t:requires_grad(true))
        assert.is_true(t:requires_grad())
        assert.is_true((t + 1):requires_grad())
        assert.is_false((t + 1):detach():requires_grad())
        t:requires_grad(false)
        assert.is_false(t:requires_grad())
    end)
end)

describe("rille.grad", function()
    it("gives the gradients as a list and leaves t.grad alone", function()
        local a, b = rille.tensor(3, f64), rille.tensor(4, f64)
        local g = rille.grad(a * b, { a, b })
        assert.equal(4, g[1]:item())
        assert.equal(3, g[2]:item())
        assert.is_nil(a.grad)
    end)

    it("differentiates again with create_graph", function()
        local x = rille.tensor(0.3, f64)
        local d1 = rille.grad(x:tanh(), x, { create_graph = true })[1]
        local d2 = rille.grad(d1, x)[1]
        local y = tanh(0.3)
        close(1 - y * y, d1:item())
        close(-2 * y * (1 - y * y), d2:item())
    end)

    it("takes several outputs and seeds, and gives nil where nothing leads", function()
        local a, b = rille.tensor({ 1, 2 }, f64), rille.tensor(5, f64)
        local g = rille.grad({ a * 2, a * a }, { a, b }, {
            seeds = { rille.ones(2, { dtype = "float64" }), rille.tensor({ 10, 100 }, { dtype = "float64" }) },
        })
        assert.same({ 22, 402 }, g[1]:totable())
        assert.is_nil(g[2])
    end)
end)

describe("rille.no_grad", function()
    it("gives its function's results and records nothing", function()
        local w = rille.tensor({ 1 }, f64)
        local a, b, y = rille.no_grad(function(...)
            assert.is_false(rille.is_grad_enabled())
            return ..., 2, w * 2
        end, 1)
        assert.equal(1, a)
        assert.equal(2, b)
        assert.is_false(y:requires_grad())
        assert.is_true(rille.is_grad_enabled())
    end)

    it("restores on an error, nested, and in a coroutine that fails", function()
        local object = {}
        local ok, raised = pcall(rille.no_grad, error, object)
        assert.is_false(ok)
        assert.equal(object, raised)
        assert.is_true(rille.is_grad_enabled())
        rille.no_grad(function()
            pcall(rille.no_grad, error)
            assert.is_false(rille.is_grad_enabled())
        end)
        assert.is_true(rille.is_grad_enabled())
        local co = coroutine.create(function()
            rille.no_grad(error, object)
        end)
        ok, raised = coroutine.resume(co)
        assert.is_false(ok)
        assert.equal(object, raised)
        assert.is_true(rille.is_grad_enabled())
    end)

    it("cannot be left by a yield", function()
        local co = coroutine.create(function()
            rille.no_grad(coroutine.yield)
        end)
        assert.is_false(coroutine.resume(co))
        assert.is_true(rille.is_grad_enabled())
    end)

    it("shows in a traceback where the error came from", function()
        local function deep()
            error("lost")
        end
        local _, trace = xpcall(function()
            rille.no_grad(function()
                deep()
            end)
        end, debug.traceback)
        assert.matches("lost", trace)
        assert.matches("in upvalue 'deep'", trace)
    end)

    it("takes anything that can be called", function()
        assert.equal(7, rille.no_grad(setmetatable({}, { __call = function(_, x) return x end }), 7))
    end)
end)

describe("rille.gradcheck", function()
    -- One row for each operation: inputs' shapes and the function. `positive` keeps logarithms and roots inside.
    local cases = {
        { "add", { { 2, 3 }, { 3 } }, rille.add },
        { "sub", { { 2, 3 }, { 2, 1 } }, rille.sub },
        { "mul", { { 2, 3 }, { 2, 3 } }, rille.mul },
        { "div", { { 2, 3 }, { 2, 3 } }, rille.div, positive = true },
        { "pow", { { 3 }, { 3 } }, rille.pow, positive = true },
        { "neg", { { 3 } }, rille.neg },
        { "exp", { { 3 } }, rille.exp },
        { "log", { { 3 } }, rille.log, positive = true },
        { "sqrt", { { 3 } }, rille.sqrt, positive = true },
        { "abs", { { 3 } }, rille.abs, positive = true },
        { "sum", { { 2, 3 } }, function(x) return x:sum(1) end },
        { "mean", { { 2, 3 } }, function(x) return x:mean(2, true) end },
        { "max", { { 2, 3 } }, function(x) return x:max(2) end },
        { "prod", { { 2, 3 } }, function(x) return x:prod(1) end },
        { "std", { { 2, 3 } }, function(x) return x:std(2, { correction = 0 }) end },
        { "norm", { { 2, 3 } }, function(x) return x:norm(2, 2) end },
        { "logsumexp", { { 2, 3 } }, function(x) return x:logsumexp({ 1, 2 }) end },
        { "amax", { { 2, 3 } }, rille.amax },
        { "cumsum", { { 2, 3 } }, function(x) return x:cumsum(1) end },
        { "cumprod", { { 2, 3 } }, function(x) return x:cumprod(2) end },
        { "sort", { { 2, 3 } }, function(x) return (x:sort()) end },
        { "qr", { { 3, 2 } }, function(x) local q, r = x:qr() return q:sin():matmul(r) end },
        { "svdvals", { { 2, 3 } }, function(x) return x:svdvals() end },
        { "topk", { { 2, 3 } }, function(x) return (x:topk(2)) end },
        { "matmul", { { 2, 3 }, { 3, 2 } }, rille.matmul },
        { "linear", { { 2, 3 }, { 4, 3 }, { 4 } }, rille.linear },
        { "softmax", { { 2, 3 } }, rille.softmax },
        { "log_softmax", { { 2, 3 } }, function(x) return x:log_softmax(1) end },
        { "softmin", { { 2, 3 } }, rille.softmin },
        { "sparsemax", { { 2, 3 } }, rille.sparsemax },
        { "glu", { { 2, 4 } }, rille.glu },
        { "bilinear", { { 2, 3 } }, function(x) return x:bilinear(1) end },
        { "maxout", { { 2, 4 } }, function(x) return x:maxout(2) end },
        { "crelu", { { 2, 3 } }, rille.crelu },
        { "cross_entropy", { { 2, 3 } }, function(x) return x:cross_entropy { 3, 1 } end },
        { "transpose", { { 2, 3 } }, function(x) return x:t() end },
        { "permute", { { 2, 3, 2 } }, function(x) return x:permute(3, 1, 2) end },
        { "reshape", { { 2, 3 } }, function(x) return x:t():reshape(-1) end },
        { "narrow", { { 2, 3 } }, function(x) return x:narrow(2, 2, 2) end },
        { "select", { { 2, 3 } }, function(x) return x[2] end },
        { "expand", { { 1, 3 } }, function(x) return x:expand(4, 3) end },
        { "index_select", { { 3, 2 } }, function(x) return x:index_select(1, { 3, 1, 3 }) end },
        { "clone", { { 3 } }, rille.clone },
        { "contiguous", { { 2, 3 } }, function(x) return x:t():contiguous() end },
    }
    for _, case in ipairs(cases) do
        it("accepts " .. case[1], function()
            rille.manual_seed(3)
            local inputs = {}
            for i, shape in ipairs(case[2]) do
                local x = rille.randn(shape, { dtype = "float64" })
                inputs[i] = (case.positive and x:abs() + 0.5 or x):clone():detach():requires_grad(true)
            end
            local ok, result, message = rille.gradcheck(case[3], inputs)
            assert.is_true(ok, message)
            assert.is_true(result.checked > 0)
            assert.is_true(result.worst <= 1e-6)
        end)
    end

    for _, entry in ipairs(rille.activations) do
        it("accepts " .. entry.name .. ", twice", function()
            rille.manual_seed(5)
            local x = rille.randn(10, f64)
            local options = { kinks = entry.kinks }
            assert.is_true(rille.gradcheck(rille[entry.name], x, options))
            local function first(y)
                return rille.derivative(entry, y)
            end
            assert.is_true(rille.gradcheck(first, x, options))
        end)
    end

    it("finds a wrong gradient, and says where", function()
        local x = rille.tensor({ 0.5, 2 }, f64)
        local ok, result, message = rille.gradcheck(function(y)
            return y * y:detach()
        end, x)
        assert.is_false(ok)
        assert.equal(1, result.input)
        assert.equal(2, result.element)
        assert.equal(2, result.checked)
        close(2 * result.analytic, result.numeric, 1e-4)
        assert.matches("^gradcheck: element 2 of input 1: analytic ", message)
        assert.is_true((rille.gradcheck(rille.exp, x)), "no error is left behind")
    end)

    it("hands its function's error on, and recovers", function()
        local x, object = rille.tensor({ 1 }, f64), {}
        local ok, raised = pcall(rille.gradcheck, function() error(object) end, x)
        assert.is_false(ok)
        assert.equal(object, raised)
        local calls = 0
        ok, raised = pcall(rille.gradcheck, function(y)
            calls = calls + 1
            if calls == 2 then
                error("second", 0)
            end
            return y * 2
        end, x)
        assert.is_false(ok)
        assert.equal("second", raised)
        assert.is_true(rille.is_grad_enabled())
        assert.is_true((rille.gradcheck(rille.exp, { x })))
    end)

    it("keeps its inputs from being freed, and lets results be", function()
        local x, kept = rille.tensor({ 1 }, f64), nil
        local ok, message = pcall(rille.gradcheck, function(y)
            y:free()
            return y
        end, x)
        assert.is_false(ok)
        assert.matches("tensor is in use by a call that is still running", message)
        assert.is_true((rille.gradcheck(function(y)
            if kept then
                kept:free()
            end
            kept = y * 2
            return kept
        end, x)))
        x:free()
    end)
end)

describe("writes", function()
    it("into what a graph has saved are found", function()
        local x = rille.tensor({ 1, 2 }, f64)
        local h = x * 1
        local y = (h * h):sum()
        rille.no_grad(function()
            h[1] = 5
        end)
        assert.has_error(function()
            y:backward()
        end)
        rille.zeros(1):sum()
    end)

    it("into leaves are allowed", function()
        local w = rille.tensor({ 1, 2 }, f64)
        w[1] = 7
        w:copy_(w:detach() * 2)
        assert.same({ 14, 4 }, w:totable())
    end)
end)

describe("rille.optimizer_step", function()
    it("steps, counts steps and writes into the states", function()
        local w = rille.tensor({ 1, -2 }, f64)
        local states, steps = { rille.zeros(2, { dtype = "float64" }) }, { 0 }
        local p, q = 1, 0
        for _ = 1, 3 do
            w.grad = rille.tensor({ 0.5, 0.5 }, { dtype = "float64" })
            rille.optimizer_step("sgd", { lr = 0.1, momentum = 0.9, weight_decay = 0.01, nesterov = true }, { w }, states,
                steps)
            local g = 0.5 + 0.01 * p
            q = 0.9 * q + g
            p = p - 0.1 * (g + 0.9 * q)
        end
        close(p, w[1], 1e-12)
        close(q, states[1][1], 1e-12)
        assert.same({ 3 }, steps)
        rille.optimizer_step("sgd", { lr = 1 }, w, {}, steps)
        close(p - 0.5, w[1], 1e-12)
        assert.same({ "square_avg", "grad_avg" }, rille.optimizer_states("rmsprop", { lr = 1, centered = true }))
    end)
end)

describe("gradcheck", function()
    it("is not misled by a function that changes the list of inputs", function()
        local x = rille.rand(3, { dtype = "float64", requires_grad = true })
        local list = { x }
        assert.is_true(rille.gradcheck(function(a)
            list[1] = "something else"
            return a:exp()
        end, list))
        x:free() -- nothing holds on to it
        local w = rille.ones(1, { requires_grad = true })
        w:mul(w):sum():backward()
        assert.are.equal(2, w.grad:item())
    end)
end)
