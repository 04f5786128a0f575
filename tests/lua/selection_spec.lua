local rille = require "rille"

local function tables(list)
    local out = {}
    for i, t in ipairs(list) do
        out[i] = t:totable()
    end
    return out
end

describe("tensors are joined", function()
    local a, b = rille.tensor { { 1, 2 }, { 3, 4 } }, rille.tensor({ { 5, 6 } }, { dtype = "int64" })

    it("by cat, in the higher dtype", function()
        assert.same({ { 1, 2 }, { 3, 4 }, { 5, 6 } }, rille.cat({ a, b }):totable())
        assert.same({ { 1, 2, 1, 3 }, { 3, 4, 2, 4 } }, rille.cat({ a, a:t() }, 2):totable())
        assert.same({ { 1, 2, 1, 2 }, { 3, 4, 3, 4 } }, rille.cat({ a, a }, -1):totable())
        assert.equal("float32", rille.cat({ b, a }):dtype())
        assert.equal("int64", rille.cat({ b, b:to("bool") }):dtype())
    end)

    it("by stack, along a new dimension", function()
        local v = rille.tensor { 1, 2, 3 }
        assert.same({ { 1, 2, 3 }, { -1, -2, -3 } }, rille.stack({ v, -v }):totable())
        assert.same({ { 1, -1 }, { 2, -2 }, { 3, -3 } }, rille.stack({ v, -v }, -1):totable())
        assert.same({ 2, 1, 2 }, rille.stack({ b, b }):shape())
    end)

    it("and taken apart, into views", function()
        local t = rille.arange(1, 10):reshape(2, 5)
        assert.same({ { { 1, 2 }, { 6, 7 } }, { { 3, 4 }, { 8, 9 } }, { { 5 }, { 10 } } }, tables(t:split(2, 2)))
        assert.same({ { { 1 }, { 6 } }, { { 2, 3, 4, 5 }, { 7, 8, 9, 10 } } }, tables(t:split({ 1, 4 }, -1)))
        assert.equal(3, #t:chunk(4, 2))
        assert.same({ { 1, 2, 3, 4, 5 }, { 6, 7, 8, 9, 10 } }, tables(t:unbind()))
        assert.same({ 4, 9 }, t:unbind(2)[4]:totable())
        local u = t:clone()
        u:unbind(2)[1]:fill_(0)
        u:chunk(2)[2]:fill_(1)
        assert.same({ { 0, 2, 3, 4, 5 }, { 1, 1, 1, 1, 1 } }, u:totable())
        assert.same({}, rille.zeros(0, 2):unbind())
        assert.same({ {} }, tables(rille.zeros(0):split(3)))
    end)

    it("repeated, moved round, padded and spread into grids", function()
        assert.same({ { 1, 2, 1, 2 }, { 3, 4, 3, 4 } }, a:tile(1, 2):totable())
        assert.same({ { 5, 6 }, { 5, 6 } }, b:tile { 2, 1 }:totable())
        assert.same({ 1, 2, 1, 2 }, rille.tensor({ 1, 2 }):tile(2):totable())
        assert.same({ { 2, 1 }, { 4, 3 } }, a:roll(1, 2):totable())
        assert.same({ { 3, 4 }, { 1, 2 } }, a:roll(-3):totable())
        assert.same({ { 0, 1, 2, 0, 0 }, { 0, 3, 4, 0, 0 } }, a:pad({ { 1, 2 } }):totable())
        assert.same({ { 9, 9 }, { 2, 9 }, { 4, 9 }, { 9, 9 } }, a:pad({ 1, { -1, 1 } }, 9):totable())
        local grids = rille.meshgrid { rille.arange(1, 2), rille.arange(1, 3) }
        assert.same({ { 1, 1, 1 }, { 2, 2, 2 } }, grids[1]:totable())
        assert.same({ { 1, 2, 3 }, { 1, 2, 3 } }, grids[2]:totable())
    end)

    it("with dimensions put in and left out", function()
        assert.same({ 2, 1, 2 }, a:unsqueeze(2):shape())
        assert.same({ 2, 2, 1 }, a:unsqueeze(-1):shape())
        assert.same({ 2, 2 }, a:unsqueeze(1):squeeze():shape())
        assert.same({ 1, 2, 2 }, a:unsqueeze(1):squeeze(2):shape())
        assert.same({ 2, 2 }, a:unsqueeze(1):unsqueeze(1):squeeze({ 1, 2 }):shape())
        assert.same({ 1, 2, 3, 4 }, a:flatten():totable())
        assert.same({ 2, 6 }, rille.zeros(2, 3, 2):flatten(2):shape())
        assert.same({ 7 }, rille.tensor(7):flatten():totable())
    end)
end)

describe("elements are picked and put", function()
    local t = rille.tensor { { 1, 2, 3 }, { 4, 5, 6 } }

    it("by gather, scatter and scatter_add", function()
        assert.same({ { 3, 1 }, { 5, 5 } }, t:gather(2, { { 3, 1 }, { 2, 2 } }):totable())
        assert.same({ { 4, 2, 6 } }, rille.gather(t, 1, rille.tensor { { 2, 1, 2 } }):totable())
        assert.same({ { 1, 9, 3 }, { 4, 5, 9 } }, t:scatter(2, { { 2 }, { 3 } }, 9):totable())
        assert.same({ { 0, 0, 1 }, { 4, 0, 0 } }, rille.zeros(2, 3):scatter(2, { { 3 }, { 1 } }, t):totable())
        assert.same({ { 3, 0, 3 }, { 15, 0, 0 } },
            rille.zeros(2, 3):scatter_add(2, { { 1, 1, 3 }, { 1, 1, 1 } }, t):totable())
        assert.equal("int64", rille.zeros(2, { dtype = "uint8" }):scatter_add(1, { 1 }, 3):dtype())
    end)

    it("by masks", function()
        assert.same({ 4, 5, 6 }, t:masked_select(t:gt(3)):totable())
        assert.same({ 3, 6 }, rille.masked_select(t, rille.tensor { false, false, true }):totable())
        assert.same({ { 1, 2, 3 }, { 0, 0, 0 } }, t:masked_fill(t:gt(3), 0):totable())
        assert.equal("uint8", t:to("uint8"):masked_fill(t:gt(3), 200):dtype())
        assert.same({ { 0, 1, 0 }, { 0, 0, 1 } }, rille.one_hot({ 2, 3 }):totable())
        assert.same({ { { 1, 0 } } }, rille.one_hot({ { 1 } }, 2):totable())
    end)

    it("in windows, backwards, by triangles and diagonals", function()
        assert.same({ { 3, 2, 1 }, { 6, 5, 4 } }, t:flip(2):totable())
        assert.same({ { 6, 5, 4 }, { 3, 2, 1 } }, t:flip({ 1, 2 }):totable())
        assert.same({ { 1, 2, 3 }, { 3, 4, 5 } }, rille.arange(1, 6):unfold(1, 3, 2):totable())
        assert.same({ { 1, 2, 3 }, { 0, 5, 6 } }, t:triu():totable())
        assert.same({ { 0, 0, 0 }, { 4, 0, 0 } }, t:tril(-1):totable())
        assert.same({ 1, 5 }, t:diag():totable())
        assert.same({ 2, 6 }, t:diagonal(1):totable())
        assert.same({ 4 }, t:diagonal(1, 2, 1):totable())
        assert.same({ { 0, 7 }, { 0, 0 } }, rille.tensor({ 7 }):diag(1):totable())
        assert.same({ 2, 3, 3 }, t:diag_embed():shape())
        assert.same({ { 3, 4 }, { 6, 8 } }, rille.outer(rille.tensor { 1, 2 }, rille.tensor { 3, 4 }):totable())
        assert.equal(11, rille.tensor({ 1, 2 }):dot(rille.tensor { 3, 4 }):item())
    end)
end)

describe("indexing", function()
    local t = rille.arange(1, 12):reshape(3, 4)

    it("takes ranges with a step, backwards too", function()
        assert.same({ 1, 3 }, t[{ 1, { 1, 4, 2 } }]:totable())
        assert.same({ 4, 2 }, t[{ 1, { -1, 1, -2 } }]:totable())
        assert.same({ { 9, 10, 11, 12 }, { 5, 6, 7, 8 }, { 1, 2, 3, 4 } }, t[{ { 3, 1, -1 } }]:totable())
    end)

    it("takes masks", function()
        assert.same({ 11, 12 }, t[t:gt(10)]:totable())
        assert.same({ { 1, 2, 3, 4 }, { 9, 10, 11, 12 } }, t[rille.tensor { true, false, true }]:totable())
        assert.same({ { 2, 4 }, { 6, 8 }, { 10, 12 } }, t[{ {}, rille.tensor { false, true, false, true } }]:totable())
        assert.same({ 7, 8 }, t[{ 2, t[2]:gt(6) }]:totable())
        assert.same({ 0 }, t[t:gt(100)]:shape())
    end)

    it("takes index tensors, which pick together", function()
        assert.same({ { 9, 10, 11, 12 }, { 1, 2, 3, 4 } }, t[rille.tensor { -1, 1 }]:totable())
        assert.same({ 2, 2, 4 }, t[rille.tensor { { 1, 2 }, { 3, 3 } }]:shape())
        assert.same({ 2, 12 }, t[{ rille.tensor { 1, 3 }, rille.tensor { 2, -1 } }]:totable())
        assert.same({ { 2, 4 }, { 10, 12 } }, t[{ rille.tensor { { 1 }, { 3 } }, rille.tensor { 2, 4 } }]:totable())
        assert.same({ 5, 6 }, t[{ 2, rille.tensor({ 1, 2 }, { dtype = "uint8" }) }]:totable())
        assert.same({ { 10, 11 }, { 2, 3 } }, t[{ rille.tensor { 3, 1 }, { 2, 3 } }]:totable())
    end)

    it("reads with gradient", function()
        local checks = {
            function(x) return x[2] end,
            function(x) return x[{ {}, { 4, 1, -2 } }] end,
            function(x) return x[{ { 1, 3, 2 }, 2 }] end,
            function(x) return x[x:gt(0)] end,
            function(x) return x[{ {}, rille.tensor { 1, 1, 3 } }] end,
            function(x) return x[{ rille.tensor { 1, 3, 1 }, rille.tensor { 2, 2, 2 } }] end,
            function(x) return x[{ { 2, 3 }, rille.tensor { true, false, true, true } }] end,
        }
        for _, f in ipairs(checks) do
            rille.manual_seed(7)
            local x = rille.randn(3, 4, { dtype = "float64", requires_grad = true })
            local ok, result, message = rille.gradcheck(f, x)
            assert(ok and result.checked == 12, message)
        end
    end)

    it("assigns to all of these, broadcast and converted", function()
        local u = t:clone()
        u[u:gt(10)] = 0
        u[{ 1, { 1, 4, 3 } }] = rille.tensor({ -1, -4 }, { dtype = "int64" })
        assert.same({ { -1, 2, 3, -4 }, { 5, 6, 7, 8 }, { 9, 10, 0, 0 } }, u:totable())
        u[{ { 3, 1, -1 } }] = t
        assert.same({ { 9, 10, 11, 12 }, { 5, 6, 7, 8 }, { 1, 2, 3, 4 } }, u:totable())
        u[{ rille.tensor { 1, -1 } }] = rille.tensor { 1, 2, 3, 4 }
        u[{ {}, rille.tensor { 2, 2 } }] = rille.tensor { 7, 8 }
        assert.same({ { 1, 8, 3, 4 }, { 5, 8, 7, 8 }, { 1, 8, 3, 4 } }, u:totable())
        u[{ rille.tensor { 1, 2 }, rille.tensor { 1, 2 } }] = true
        assert.same({ { 1, 8, 3, 4 }, { 5, 1, 7, 8 }, { 1, 8, 3, 4 } }, u:totable())
        u[u:eq(8)] = rille.tensor { 20, 30, 40 }
        assert.same({ { 1, 20, 3, 4 }, { 5, 1, 7, 30 }, { 1, 40, 3, 4 } }, u:totable())
        local whole = rille.zeros(3, { dtype = "int64" })
        whole[rille.tensor { 3 }] = math.maxinteger
        whole[{ { 1, 2 } }] = rille.tensor { 1.9, -1.9 }
        assert.same({ 1, -1, math.maxinteger }, whole:totable())
    end)

    it("assigns where gradients would notice", function()
        for _, index in ipairs { 1, { { 2, 1, -1 } }, rille.tensor { true, false }, rille.tensor { 2 } } do
            local w, saved = rille.ones(2, { requires_grad = true }), rille.ones(2)
            local loss = (w * saved):sum()
            saved[index] = 3
            local ok, message = pcall(loss.backward, loss)
            assert.is_false(ok)
            assert.matches("'mul' needs for its gradient was changed in place afterwards", message, 1, true)
        end
    end)
end)

-- What promotion gives for every pair of dtypes, as the guide says.
describe("promotion", function()
    local order = { "bool", "uint8", "int64", "float32", "float64" }
    local function at_least(lowest, i, j)
        return order[math.max(lowest, i, j)]
    end

    it("is that of the guide's table", function()
        for i, left in ipairs(order) do
            for j, right in ipairs(order) do
                local a, b = rille.ones(2, { dtype = left }), rille.ones(2, { dtype = right })
                local context = left .. ", " .. right
                for _, f in ipairs { rille.add, rille.mul, rille.maximum, rille.remainder } do
                    assert.equal(at_least(3, i, j), f(a, b):dtype(), context)
                end
                for _, f in ipairs { rille.div, rille.pow } do
                    assert.equal(at_least(4, i, j), f(a, b):dtype(), context)
                end
                assert.equal("bool", a:lt(b):dtype(), context)
                assert.equal(at_least(1, i, j), rille.where(a, a, b):dtype(), context)
                assert.equal(at_least(1, i, j), rille.cat({ a, b }):dtype(), context)
                assert.equal(at_least(1, i, j), a:scatter(1, { 1 }, b):dtype(), context)
                assert.equal(at_least(3, i, j), a:scatter_add(1, { 1 }, b):dtype(), context)
                assert.equal(left, a:masked_fill(a, b:narrow(1, 1, 1)):dtype(), context)
                if i > 3 and j > 3 then
                    assert.equal(at_least(4, i, j), rille.matmul(a, b):dtype(), context)
                end
            end
            local a = rille.ones(2, { dtype = left })
            assert.equal(order[math.max(3, i)], a:neg():dtype())
            assert.equal(order[math.max(4, i)], a:exp():dtype())
            assert.equal(i > 3 and left or "int64", a:sum():dtype())
            assert.equal(i > 3 and left or "float32", a:mean():dtype())
            assert.equal(i > 3 and left or "int64", (a + 1):dtype())
            assert.equal(i > 3 and left or "float32", (a + 1.5):dtype())
        end
    end)
end)

describe("matrix products", function()
    it("take vectors, matrices and batches, also transposed", function()
        local v, m = rille.tensor { 1, 2 }, rille.tensor { { 1, 2 }, { 3, 4 } }
        local batch = rille.stack { m, 2 * m }
        assert.equal(5, v:matmul(v):item())
        assert.same({ 5, 11 }, m:matmul(v):totable())
        assert.same({ 7, 10 }, v:matmul(m):totable())
        assert.same({ { 7, 15 }, { 10, 22 } }, m:t():matmul(m:t()):totable())
        assert.same({ { 5, 11 }, { 10, 22 } }, batch:matmul(v):totable())
        assert.same({ { 7, 10 }, { 14, 20 } }, v:matmul(batch):totable())
        assert.same({ 3, 2, 2, 2 }, rille.zeros(3, 1, 2, 2):matmul(batch):shape())
        assert.same({ { 10, 14 }, { 14, 20 } }, batch[1]:t():matmul(m):totable())
        assert.same({ { 14, 30 }, { 20, 44 } }, batch:transpose(2, 3):matmul(m:t())[2]:totable())
    end)
end)
