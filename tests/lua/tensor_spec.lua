local rille = require "rille"

local function close(expected, actual, tolerance)
    assert(math.abs(expected - actual) <= (tolerance or 1e-6), ("%.17g expected, got %.17g"):format(expected, actual))
end

describe("rille.tensor", function()
    it("takes its shape from nested tables", function()
        assert.same({ 2, 3 }, rille.tensor({ { 1, 2, 3 }, { 4, 5, 6 } }):shape())
        assert.same({ 3 }, rille.tensor({ 1, 2, 3 }):shape())
        assert.same({ 1, 1, 1, 1, 1, 1, 1, 2 }, rille.tensor({ { { { { { { { 1, 2 } } } } } } } }):shape())
        assert.same({}, rille.tensor(5):shape())
        assert.same({ 0 }, rille.tensor({}):shape())
        assert.same({ 2, 0 }, rille.tensor({ {}, {} }):shape())
    end)

    it("is float32 unless told otherwise, bool for booleans", function()
        assert.equal("float32", rille.tensor({ 1, 2 }):dtype())
        assert.equal("float32", rille.tensor({}):dtype())
        assert.equal("bool", rille.tensor({ true, false }):dtype())
        assert.equal("bool", rille.tensor(true):dtype())
        for _, dtype in ipairs { "float32", "float64", "int64", "uint8", "bool" } do
            assert.equal(dtype, rille.tensor({ 1, 0 }, { dtype = dtype }):dtype())
        end
    end)

    it("gives the numbers back", function()
        local rows = { { 1.5, -2.25 }, { 0.5, 1024 } }
        assert.same(rows, rille.tensor(rows):totable())
        assert.same({ true, false }, rille.tensor({ true, false }):totable())
        assert.same({ 1.0, 0.0 }, rille.tensor({ true, false }, { dtype = "float64" }):totable())
        assert.equal(0.1, rille.tensor(0.1, { dtype = "float64" }):item())
        local inf = rille.tensor { math.huge, -math.huge, 0 / 0 }
        assert.equal(math.huge, inf[1])
        assert.equal(-math.huge, inf[2])
        assert.is_true(inf[3] ~= inf[3])
    end)

    it("keeps integers of 64 bits exact", function()
        local numbers = { math.maxinteger, math.mininteger, 2 ^ 53 | 0, (1 << 53) + 1 }
        assert.same(numbers, rille.tensor(numbers, { dtype = "int64" }):totable())
        assert.equal("integer", math.type(rille.tensor(7, { dtype = "int64" }):item()))
        assert.equal(math.maxinteger, rille.full(2, math.maxinteger, { dtype = "int64" })[2])
        local t = rille.zeros(1, { dtype = "int64" })
        t[1] = math.maxinteger
        assert.equal(math.maxinteger, t[1])
        assert.equal(math.maxinteger, (t + 0)[1])
        t[1] = 3.0
        assert.equal(3, t[1])
    end)

    it("takes tables that were filled in any order", function()
        local t = {}
        for i = 5, 1, -1 do
            t[i] = i
        end
        assert.same({ 1, 2, 3, 4, 5 }, rille.tensor(t):totable())
    end)
end)

describe("constructors", function()
    it("take sizes as numbers or as one table, options last", function()
        assert.same({ 2, 3 }, rille.zeros(2, 3):shape())
        assert.same({ 2, 3 }, rille.zeros({ 2, 3 }):shape())
        assert.same({}, rille.zeros({}):shape())
        assert.same({ 2.0, 3 }, rille.ones(2.0, 3, { dtype = "int64" }):shape())
        local t = rille.ones({ 2 }, { dtype = "float64", requires_grad = true })
        assert.equal("float64", t:dtype())
        assert.is_true(t:requires_grad())
        assert.is_false(rille.ones({ 2 }, {}):requires_grad())
    end)

    it("fill", function()
        assert.same({ { 0, 0 }, { 0, 0 } }, rille.zeros(2, 2):totable())
        assert.same({ 1, 1 }, rille.ones(2):totable())
        assert.same({ { 7, 7 } }, rille.full({ 1, 2 }, 7):totable())
        assert.same({ 7, 7 }, rille.full(2, 7):totable())
        assert.same({ { 1, 0 }, { 0, 1 } }, rille.eye(2):totable())
    end)

    it("count as Lua's for does, both ends included", function()
        assert.same({ 1, 2, 3, 4, 5 }, rille.arange(1, 5):totable())
        assert.same({ 5, 3, 1 }, rille.arange(5, 1, -2, { dtype = "int64" }):totable())
        assert.same({}, rille.arange(5, 1):totable())
        local ranges = { { 0, 1, 0.1 }, { 0, 0.3, 0.1 }, { 1, 2, 0.3 }, { -1, 1, 0.25 }, { 3, 3, 1 }, { 1, -1, -0.1 } }
        for _, range in ipairs(ranges) do
            local expected = {}
            for x = range[1], range[2], range[3] do
                expected[#expected + 1] = x
            end
            local t = rille.arange(range[1], range[2], range[3], { dtype = "float64" })
            assert.equal(#expected, #t)
            for i, x in ipairs(expected) do
                close(x, t[i], 1e-12)
            end
        end
        assert.same({ 0, 0.25, 0.5, 0.75, 1 }, rille.linspace(0, 1, 5):totable())
    end)

    it("draw the same numbers from the same seed", function()
        rille.manual_seed(42)
        local a, b = rille.rand(4), rille.randn(3)
        rille.manual_seed(42)
        assert.same(a:totable(), rille.rand(4):totable())
        assert.same(b:totable(), rille.randn(3):totable())
        assert.are_not.same(a:totable(), rille.rand(4):totable())
    end)

    it("permute 1 ... n", function()
        local numbers = rille.randperm(50):totable()
        table.sort(numbers)
        for i = 1, 50 do
            assert.equal(i, numbers[i])
        end
    end)
end)

describe("indexing", function()
    local t = rille.tensor { { 1, 2, 3 }, { 4, 5, 6 }, { 7, 8, 9 } }

    it("selects from 1, and from the end with negative numbers", function()
        assert.same({ 1, 2, 3 }, t[1]:totable())
        assert.same({ 7, 8, 9 }, t[-1]:totable())
        assert.equal(6, t[2][3])
        assert.equal(6, t[2.0][-1])
        assert.equal(8, t[{ 3, 2 }])
        assert.equal(8, t[{ -1, -2 }])
    end)

    it("takes ranges, ends included, and {} for all", function()
        assert.same({ 2, 3 }, t[{ 1, { 2, 3 } }]:totable())
        assert.same({ { 5, 6 }, { 8, 9 } }, t[{ { 2, 3 }, { -2, -1 } }]:totable())
        assert.same({ 2, 5, 8 }, t[{ {}, 2 }]:totable())
        assert.same({ { 4, 5, 6 } }, t[{ { 2 } }]:totable())
        assert.same(t:totable(), t[{}]:totable())
        assert.same(t:totable(), t[{ {}, {} }]:totable())
    end)

    it("reads strided views", function()
        assert.equal(2, t:t()[{ 2, 1 }])
        assert.same({ 3, 6, 9 }, t:t()[3]:totable())
        assert.equal(6, t:t()[3][2])
        assert.equal(5, rille.tensor(5)[{}])
    end)

    it("gives views", function()
        local u = t:clone()
        u[2]:fill_(0)
        assert.same({ { 1, 2, 3 }, { 0, 0, 0 }, { 7, 8, 9 } }, u:totable())
    end)

    it("assigns numbers and tensors", function()
        local u = rille.zeros(2, 3)
        u[1] = 5
        u[{ 2, { 2, 3 } }] = rille.tensor { 7, 8 }
        u[{ 2, 1 }] = -1
        assert.same({ { 5, 5, 5 }, { -1, 7, 8 } }, u:totable())
        u[{ {}, 1 }] = rille.tensor({ 10, 20 }, { dtype = "int64" })
        assert.same({ { 10, 5, 5 }, { 20, 7, 8 } }, u:totable())
        u[{}] = 0
        assert.same({ { 0, 0, 0 }, { 0, 0, 0 } }, u:totable())
        u:t()[3] = 4
        assert.same({ { 0, 0, 4 }, { 0, 0, 4 } }, u:totable())
        local v = rille.zeros(3)
        v[2], v[-1] = 1.5, true
        assert.same({ 0, 1.5, 1 }, v:totable())
    end)

    it("has a length", function()
        assert.equal(3, #t)
        assert.equal(0, #rille.zeros(0, 4))
    end)
end)

describe("shape", function()
    local t = rille.arange(1, 6):reshape(2, 3)

    it("is told", function()
        assert.equal(2, t:dim())
        assert.equal(6, t:numel())
        assert.equal(3, t:size(2))
        assert.equal(2, t:size(-2))
        assert.is_true(t:is_contiguous())
        assert.is_false(t:t():is_contiguous())
    end)

    it("changes without a copy", function()
        assert.same({ { 1, 2 }, { 3, 4 }, { 5, 6 } }, t:view(3, 2):totable())
        assert.same({ 6 }, t:reshape(-1):shape())
        assert.same({ 3, 2 }, t:reshape({ 3, -1 }):shape())
        assert.same({ { 1, 4 }, { 2, 5 }, { 3, 6 } }, t:t():totable())
        assert.same(t:t():totable(), t:transpose(1, -1):totable())
        assert.same({ 3, 1, 2 }, t:reshape(1, 2, 3):permute(3, 1, 2):shape())
        assert.same({ 3, 1, 2 }, t:reshape(1, 2, 3):permute({ -1, 1, 2 }):shape())
        assert.same({ { 2, 3 }, { 5, 6 } }, t:narrow(2, 2, 2):totable())
        assert.same({ 3, 6 }, t:select(2, -1):totable())
        assert.same({ 4, 2, 3 }, t:expand(4, -1, -1):shape())
        assert.same({ 0, 3 }, t:narrow(1, 1, 0):shape())
    end)

    it("is kept by copies", function()
        local u = t:t()
        assert.same({ 1, 4, 2, 5, 3, 6 }, u:reshape(6):totable())
        assert.is_true(u:contiguous():is_contiguous())
        assert.same(u:totable(), u:contiguous():totable())
        assert.same(u:totable(), u:clone():totable())
        assert.equal("int64", t:to("int64"):dtype())
        assert.same({ 1, -1, 0 }, rille.tensor({ 1.9, -1.9, 0 / 0 }):to("int64"):totable())
    end)

    it("takes rows by their indices", function()
        assert.same({ { 4, 5, 6 }, { 1, 2, 3 } }, t:index_select(1, { 2, 1 }):totable())
        assert.same({ { 3, 3 }, { 6, 6 } }, t:index_select(2, rille.tensor { 3, 3 }):totable())
        assert.same({ { 1 }, { 4 } }, t:index_select(-1, rille.tensor({ 1 }, { dtype = "int64" })):totable())
    end)

    it("copy_ broadcasts and converts", function()
        local u = rille.zeros(2, 3, { dtype = "int64" })
        assert.equal(u, u:copy_(rille.tensor { 1.5, 2.5, -3.5 }))
        assert.same({ { 1, 2, -3 }, { 1, 2, -3 } }, u:totable())
        assert.same({ 4, 4 }, rille.zeros(2):fill_(4):totable())
    end)
end)

describe("arithmetic", function()
    local a, b = rille.tensor { 1, 2, 4 }, rille.tensor { 2, 2, -2 }

    it("has operators, functions and methods", function()
        assert.same({ 3, 4, 2 }, (a + b):totable())
        assert.same({ -1, 0, 6 }, a:sub(b):totable())
        assert.same({ 2, 4, -8 }, rille.mul(a, b):totable())
        assert.same({ 0.5, 1, -2 }, (a / b):totable())
        assert.same({ 1, 4, 16 }, (a ^ 2):totable())
        assert.same({ 2, 4, 16 }, (2 ^ a):totable())
        assert.same({ -1, -2, -4 }, (-a):totable())
        assert.same({ 9, 8, 6 }, (10 - a):totable())
        assert.same({ 2, 2, 2 }, b:abs():totable())
        assert.same({ 1, 2 }, rille.tensor({ 1, 4 }):sqrt():totable())
        close(math.exp(1), rille.exp(a)[1])
        close(math.log(4), a:log()[3])
    end)

    it("leaves a floating tensor its dtype beside a number", function()
        assert.equal("float32", (a + 1):dtype())
        assert.equal("float32", (1.5 * a):dtype())
        assert.equal("float64", (a:to("float64") * 2):dtype())
        local i = a:to("int64")
        assert.equal("int64", (i + 1):dtype())
        assert.equal("float32", (i + 1.0):dtype())
        assert.equal("int64", (i:to("uint8") + 1):dtype())
        assert.equal("float32", (i / 2):dtype())
    end)

    it("broadcasts", function()
        assert.same({ { 11, 12 }, { 21, 22 } }, (rille.tensor { { 10 }, { 20 } } + rille.tensor { 1, 2 }):totable())
    end)

    it("compares element by element", function()
        assert.same({ true, false, false }, a:lt(b):totable())
        assert.same({ false, true, false }, rille.eq(a, b):totable())
        assert.same({ true, true, false }, a:le(2):totable())
        assert.same({ false, false, true }, rille.gt(a, 2):totable())
        assert.same({ true, false, true }, rille.ne(2, a):totable())
        assert.same({ false, true, true }, a:ge(b):totable())
    end)

    it("has Lua's own ==, which asks whether two are one", function()
        assert.is_true(a == a)
        assert.is_false(a == rille.tensor { 1, 2, 4 })
    end)
end)

describe("reductions", function()
    local t = rille.tensor { { 1, 2, 3 }, { 4, 5, 9 } }

    it("sum and mean over all, one or several dimensions", function()
        assert.equal(24, t:sum():item())
        assert.same({ 5, 7, 12 }, t:sum(1):totable())
        assert.same({ 6, 18 }, rille.sum(t, -1):totable())
        assert.same({ { 6 }, { 18 } }, t:sum(2, true):totable())
        assert.same({ { 6 }, { 18 } }, t:sum(2, { keepdim = true }):totable())
        assert.same({ { 24 } }, t:sum({ keepdim = true }):totable())
        assert.equal(24, t:sum({ 1, 2 }):item())
        assert.equal(4, t:mean():item())
        assert.same({ 2, 6 }, t:mean(2):totable())
    end)

    it("find the largest", function()
        assert.same({ 4, 5, 9 }, t:max(1):totable())
        assert.same({ { 3 }, { 9 } }, t:max(2, true):totable())
        assert.equal(9, t:max():item())
        assert.same({ 3, 3 }, t:argmax(2):totable())
        assert.same({ 2, 2, 2 }, rille.argmax(t, 1):totable())
        assert.equal(6, t:argmax():item())
    end)

    it("find the extremes of several dimensions", function()
        assert.equal(9, t:amax():item())
        assert.same({ { 1, 2, 3 } }, t:amin(1, true):totable())
        assert.same({ { 9 } }, rille.amax(t, { 1, 2 }, { keepdim = true }):totable())
    end)

    it("multiply", function()
        assert.equal(1080, t:prod():item())
        assert.same({ 6, 180 }, t:prod(2):totable())
        assert.equal("int64", t:to("uint8"):prod():dtype())
    end)

    it("var and std, corrected by 1 unless told otherwise", function()
        assert.equal(8, t:var():item())
        close(math.sqrt(8), t:std():item())
        assert.same({ 1, 7 }, t:var(2):totable())
        assert.same({ { 2.25, 2.25, 9 } }, t:var(1, { correction = 0, keepdim = true }):totable())
        assert.same({ 1.5, 1.5, 3 }, rille.std(t, 1, { correction = 0 }):totable())
        assert.same({ 1 }, t:std(2, true)[1]:totable())
        local one = rille.std(rille.ones(1)):item()
        assert.is_true(one ~= one)
    end)

    it("norms, the Euclidean one unless told otherwise", function()
        local x = rille.tensor { { 3, -4 }, { 0, 1 } }
        close(math.sqrt(26), x:norm():item())
        assert.same({ 5, 1 }, x:norm(2, 2):totable())
        assert.same({ 3, 5 }, rille.norm(x, 1, 1):totable())
        assert.same({ { 4 } }, x:norm(math.huge, { 1, 2 }, true):totable())
        assert.equal(0, x:norm(-math.huge):item())
        assert.equal(3, x:norm(0):item())
        close((3 ^ 0.5 + 2 + 1) ^ 2, x:norm(0.5):item(), 1e-5)
        assert.same({ { 3, 17 ^ 0.5 } }, x:to("float64"):norm(nil, 1, { keepdim = true }):totable())
        assert.equal(1, x:norm { keepdim = true }:numel())
    end)

    it("logsumexp", function()
        close(math.log(6), rille.tensor { 0, math.log(2), math.log(3) }:logsumexp():item())
        close(1000 + math.log(2), rille.full({ 2, 1 }, 1000):logsumexp(1)[1], 1e-4)
    end)

    it("any and all", function()
        assert.same({ true, true, true }, t:gt(3):any(1):totable())
        assert.same({ false, true }, t:gt(3):all(2):totable())
        assert.is_false(rille.any(rille.zeros(0)):item())
        assert.is_true(rille.all(rille.zeros(0)):item())
    end)

    it("run along a dimension", function()
        assert.same({ { 1, 3, 6 }, { 4, 9, 18 } }, t:cumsum(2):totable())
        assert.same({ { 1, 2, 3 }, { 4, 10, 27 } }, rille.cumprod(t, 1):totable())
    end)

    it("softmax along a dimension, the last one by default", function()
        local x = rille.tensor { { 0, 0 }, { 0, math.log(3) } }
        assert.same({ 0.5, 0.5 }, x:softmax()[1]:totable())
        close(0.75, rille.softmax(x, 2)[2][2])
        close(0.75, x:softmax(1)[{ 2, 2 }])
        close(math.log(0.25), x:log_softmax()[{ 2, 1 }])
    end)

    it("softmin, sparsemax and hardmax likewise", function()
        local x = rille.tensor { { 0, 0.5 }, { 3, 1 } }
        close(0.75, rille.softmin(rille.tensor { 0, math.log(3) })[1])
        assert.same({ { 0.25, 0.75 }, { 1, 0 } }, x:sparsemax():totable())
        assert.same({ { 0, 0.25 }, { 1, 0.75 } }, rille.sparsemax(x, 1):totable())
        assert.same({ { 0, 1 }, { 1, 0 } }, x:hardmax(-1):totable())
    end)

    it("gated activations, of the last dimension's halves by default", function()
        local x = rille.tensor { { 2, 4, 0, 0 }, { 1, 3, -1, 5 } }
        assert.same({ 1, 2 }, x:glu()[1]:totable())
        assert.same({ { 0, 0 }, { 0, 15 } }, rille.reglu(x):totable())
        assert.same({ { 2, 12, -0.0, 0 } }, x:bilinear(1):totable())
        for _, gate in ipairs(rille.gates) do
            assert.same({ 2, 2 }, rille[gate.name](x):shape())
            assert.is_truthy(rille.activations[gate.activation])
        end
    end)

    it("qr, svd and svdvals, of each matrix", function()
        local x = rille.tensor({ { 3, 5 }, { 0, 2 }, { -4, 10 } }, { dtype = "float64" })
        local q, r = x:qr()
        assert.is_true((q:matmul(r) - x):abs():max():item() < 1e-14)
        assert.is_true((q:t():matmul(q) - rille.eye(2)):abs():max():item() < 1e-15)
        local u, s, vt = rille.svd(x)
        assert.same({ { 3, 2 }, { 2 }, { 2, 2 } }, { u:shape(), s:shape(), vt:shape() })
        assert.is_true(((u * s):matmul(vt) - x):abs():max():item() < 1e-14)
        assert.is_true((x:svdvals() - s):abs():max():item() < 1e-14)
        assert.same({ 4, 2 }, rille.randn(4, 3, 2):svdvals():shape())
    end)

    it("sort, argsort and topk, along the last dimension by default", function()
        local x = rille.tensor { { 3, 1, 2 }, { 0 / 0, 7, 7 } }
        local values, at = x:sort()
        assert.same({ 1, 2, 3 }, values[1]:totable())
        assert.same({ { 2, 3, 1 }, { 2, 3, 1 } }, at:totable())
        assert.equal("int64", at:dtype())
        values, at = rille.sort(x, 2, true)
        assert.same({ 3, 2, 1 }, values[1]:totable())
        assert.same({ { 1, 3, 2 }, { 1, 2, 3 } }, at:totable())
        assert.same({ { 1, 1, 1 }, { 2, 2, 2 } }, x:argsort(1):totable())
        assert.same({ { 1, 3, 2 }, { 1, 2, 3 } }, x:argsort({ descending = true }):totable())
        values, at = x:topk(2)
        assert.same({ 3, 2 }, values[1]:totable())
        assert.same({ { 1, 3 }, { 1, 2 } }, at:totable())
        values, at = rille.topk(x, 1, 1, { largest = false })
        assert.same({ { 3, 1, 2 } }, values:totable())
        assert.same({ { 1, 1, 1 } }, at:totable())
    end)

    it("maxout and crelu", function()
        local x = rille.tensor { { 2, 4, -1, 0 }, { 1, 3, -1, 5 } }
        assert.same({ { 4, 0 }, { 3, 5 } }, x:maxout(2):totable())
        assert.same({ { 2, 4, -1, 5 } }, rille.maxout(x, 2, 1):totable())
        assert.same({ 3, 0 }, rille.maxout(rille.zeros(3, 0), math.maxinteger):shape())
        assert.same({ { 0, 2, 1, 0 } }, rille.crelu(rille.tensor { { 0, 2, -1, 0 } })[{ {}, { 1, 4 } }]:add(
            rille.tensor { { 0, 0, 1, 0 } }):totable())
        assert.same({ 4, 4 }, x:crelu(1):shape())
    end)

    it("multiply matrices", function()
        local m = rille.tensor { { 1, 2 }, { 3, 4 } }
        assert.same({ { 7, 10 }, { 15, 22 } }, m:matmul(m):totable())
        assert.same({ 5, 11 }, rille.matmul(m, rille.tensor { 1, 2 }):totable())
        assert.same({ 5, 11 }, rille.linear(rille.tensor { 1, 2 }, m):totable())
        assert.same({ 6, 12 }, rille.linear(rille.tensor { 1, 2 }, m, rille.ones(2)):totable())
    end)

    it("take labels from 1 as integers, whole floats or a table", function()
        local logits = rille.tensor { { 0, 0 }, { 0, math.log(3) } }
        local expected = -(math.log(0.5) + math.log(0.75)) / 2
        close(expected, rille.cross_entropy(logits, { 1, 2 }):item())
        close(expected, rille.cross_entropy(logits, { 1.0, 2.0 }):item())
        close(expected, rille.cross_entropy(logits, rille.tensor { 1, 2 }):item())
        close(expected, logits:cross_entropy(rille.tensor({ 1, 2 }, { dtype = "int64" })):item())
        close(expected, logits:cross_entropy(rille.tensor({ 1, 2 }, { dtype = "uint8" })):item())
    end)
end)

describe("activations", function()
    local x = rille.tensor { -2, -0.5, 0, 0.5, 2 }

    it("are a function and a method each", function()
        for _, entry in ipairs(rille.activations) do
            local y = rille[entry.name](x)
            assert.same({ 5 }, y:shape())
            assert.same(y:totable(), x[entry.name](x):totable())
            assert.same(y:totable(), rille.derivative(entry.name, x, 0):totable())
            assert.same(y:totable(), rille.derivative(entry, x, 0):totable())
        end
        close(0.46211715726, x:tanh()[4])
    end)

    it("take parameters by position and by name", function()
        close(-0.02, x:leaky_relu()[1])
        close(-0.4, x:leaky_relu(0.2)[1])
        close(-0.4, rille.leaky_relu(x, { negative_slope = 0.2 })[1])
        close(0.2, rille.derivative("leaky_relu", x, 1, { negative_slope = 0.2 })[1])
        close(0.2, rille.derivative("leaky_relu", x, { negative_slope = 0.2 })[1])
    end)

    it("write into a tensor that is there", function()
        for _, entry in ipairs(rille.activations) do
            local y = rille.zeros(5)
            assert.equal(y, rille[entry.name](x, { out = y }))
            assert.same(rille[entry.name](x):totable(), y:totable())
            local z = x:clone()
            assert.same(y:totable(), z[entry.name](z, { out = z }):totable())
        end
        local long = rille.arange(1, 6)
        local expected = long:narrow(1, 1, 5):tanh():totable()
        assert.same(expected, rille.tanh(long:narrow(1, 1, 5), { out = long:narrow(1, 2, 5) }):totable())
        local columns = rille.tensor { { -1, 1 }, { 2, -2 } }
        assert.same({ { 0, 2 }, { 1, 0 } }, rille.relu(columns:t(), { out = rille.zeros(2, 2) }):totable())
    end)

    it("are listed in order with what is known of them", function()
        local registry = rille.activations
        assert.is_true(#registry >= 5)
        assert.equal(registry.tanh, registry[5])
        assert.equal("identity", registry[1].name)
        assert.same({ -1, 1 }, registry.tanh.range)
        assert.equal(-1, registry.tanh.low)
        assert.equal("Cinf", registry.tanh.smoothness)
        assert.equal("C0", registry.relu.smoothness)
        assert.same({ 0 }, registry.relu.kinks)
        assert.is_true(registry.relu.monotonic)
        assert.is_true(registry.tanh.zero_centred)
        assert.is_false(registry.sigmoid.zero_centred)
        assert.same({ name = "negative_slope", initial = 0.01, low = -math.huge, high = math.huge, learnable = false },
            registry.leaky_relu.parameters[1])
        local count = 0
        for i, entry in ipairs(registry) do
            count = count + 1
            assert.equal(entry, registry[i])
            assert.equal(entry, registry[entry.name])
            for _, field in ipairs { "name", "formula", "source" } do
                assert.is_true(#entry[field] > 0)
            end
        end
        assert.equal(#registry, count)
        assert.matches("^leaky_relu%(x, negative_slope = 0.01%) = ", tostring(registry.leaky_relu))
        assert.matches("tanh%(x%) = ", tostring(registry))
    end)
end)

describe("print", function()
    it("shows small tensors whole and large ones by their edges", function()
        assert.equal("[[1., 2.],\n [3., 4.]]  float32 [2, 2]", tostring(rille.tensor { { 1, 2 }, { 3, 4 } }))
        assert.equal("7  int64 []", tostring(rille.tensor(7, { dtype = "int64" })))
        assert.is_true(#tostring(rille.zeros(1000, 1000)) < 1000)
        local long = tostring(rille.rand(30, 30))
        assert.is_true(#long > 5000)
        assert.matches("float32 %[30, 30%]$", long)
    end)

    it("names a tensor's type", function()
        assert.equal("tensor", getmetatable(rille.ones(1)).__name)
        assert.is_true(rille.is_tensor(rille.ones(1)))
        assert.is_false(rille.is_tensor({}))
        assert.is_false(rille.is_tensor(io.stdout))
        assert.is_false(rille.is_tensor())
    end)
end)

describe("the module", function()
    it("is one in a Lua state, however often it is loaded", function()
        local loaded = package.loaded.rille
        package.loaded.rille = nil
        local again = require "rille"
        package.loaded.rille = loaded
        assert.equal(rille, again)
    end)

    it("tells about itself", function()
        local info = rille.info()
        assert.equal(rille.version, info.version)
        assert.matches("^%d+%.%d+%.%d+$", rille.version)
        assert.matches(" " .. info.isa .. " ", " " .. table.concat(info.isas, " ") .. " ", 1, true)
        assert.equal(rille.threads(), info.threads)
        local before = rille.threads()
        assert.equal(1, rille.threads(1))
        assert.equal(1, rille.threads())
        rille.threads(before)
    end)

    it("measures", function()
        local s = rille.measure(rille.tensor { 3, -4, 0, 0 / 0, math.huge, 1e-45 })
        assert.equal(6, s.count)
        assert.equal(1, s.zeros)
        assert.equal(1, s.nans)
        assert.equal(1, s.infinities)
        assert.equal(1, s.subnormals)
        assert.equal(-4, s.min)
        assert.equal(3, s.max)
        close(math.log(5, 10), s.log10_norm)
        assert.equal(0.5, rille.measure_saturated(rille.tensor { 0, 100 }, "sigmoid", 1e-3))
        assert.equal(0.5, rille.measure_saturated(rille.tensor { -1, 1 }, rille.activations.relu, 1e-3))
        assert.equal(0, rille.measure_saturated(rille.tensor { -1, 1 }, "leaky_relu", 1e-3, { negative_slope = 0.5 }))
        assert.equal(0.5, rille.measure_dead(rille.tensor { { 0, 1 }, { 0, 0 } }))
    end)
end)

describe("one or the other", function()
    local x = rille.tensor { -2.5, -1, 0, 1.5, 3 }

    it("is chosen by where, with numbers for tensors", function()
        assert.same({ 0.0, 0.0, 0.0, 1.5, 3.0 }, rille.where(x:gt(0), x, 0):totable())
        assert.same({ 2.0, 2.0, 2.0, 7.0, 7.0 }, x:gt(0):where(7, 2):totable())
        assert.equal("int64", rille.where(x:gt(0), rille.ones(5, { dtype = "int64" }), 0):dtype())
    end)

    it("is not clamped to what no integer is", function()
        local whole = rille.tensor({ 0, 1, 5 }, { dtype = "int64" })
        assert.same({ 1, 1, 1 }, whole:clamp(0.2, 1.8):totable())
        local ok, message = pcall(whole.clamp, whole, 0.2, 0.8)
        assert.is_false(ok)
        assert.matches("clamp: there is no integer from 0.2 to 0.8 for an integer tensor to be", message, 1, true)
    end)

    it("is chosen by clamp, minimum and maximum", function()
        assert.same({ -1.0, -1.0, 0.0, 1.5, 2.0 }, x:clamp(-1, 2):totable())
        assert.same({ -2.5, -1.0, 0.0, 0.0, 0.0 }, x:clamp(nil, 0):totable())
        assert.same({ 1.0, 1.0, 1.0, 1.5, 3.0 }, x:maximum(1):totable())
        assert.same({ -2.5, -1.0, 0.0, 1.0, 1.0 }, rille.minimum(1, x):totable())
    end)

    it("shares the gradient of equals", function()
        local a = rille.tensor({ 1, 2, 3 }, { requires_grad = true })
        local b = rille.tensor({ 2, 2, 2 }, { requires_grad = true })
        a:maximum(b):sum():backward()
        assert.same({ 0.0, 0.5, 1.0 }, a.grad:totable())
        assert.same({ 1.0, 0.5, 0.0 }, b.grad:totable())
    end)
end)

describe("the smallest", function()
    it("is found with its place", function()
        local t = rille.tensor { { 3, -1, 2 }, { 5, 7, 5 } }
        assert.same({ -1.0, 5.0 }, t:min(2):totable())
        assert.same({ 2, 1 }, t:argmin(2):totable())
        assert.equal(-1.0, t:min():item())
        assert.equal(2, rille.argmin(t):item())
    end)
end)

describe("the remainder", function()
    it("is Lua's", function()
        for _, b in ipairs { 2, -2, 0.75, -0.75 } do
            local r = rille.tensor({ -3.5, -1, 0, 1.25, 9 }, { dtype = "float64" }) % b
            for i, a in ipairs { -3.5, -1, 0, 1.25, 9 } do
                assert.equal(a % b, r[i])
            end
        end
        assert.same({ 1, 2, 0 }, (rille.tensor({ -2, 5, 9 }, { dtype = "int64" }) % 3):totable())
        assert.same({ 0 }, (rille.tensor({ 5 }, { dtype = "int64" }) % 0):totable())
    end)
end)
