local rille = require "rille"
local nn = require "rille.nn"

-- f is to fail with this message, the position in front of it apart.
local function expect_message(text, f, ...)
    local ok, message = pcall(f, ...)
    assert.is_false(ok, "an error was expected")
    assert.equal(text, (tostring(message):gsub("^[^:]+:%d+: ", "")))
end

describe("rille.dropout", function()
    it("drops a share of p and makes up for it", function()
        rille.manual_seed(1)
        local y = rille.dropout(rille.ones(100000), 0.2)
        local s = rille.measure(y)
        assert.is_true(math.abs(s.zeros / 100000 - 0.2) < 0.005)
        assert.is_true(math.abs(s.mean - 1) < 0.01)
        assert.equal(1.25, s.max)
        assert.same({ 0, 0 }, rille.tensor({ 1, 2 }):dropout(1):totable())
        assert.same({ 1, 2 }, rille.tensor({ 1, 2 }):dropout(0):totable())
    end)

    it("drops the same for the same seed, something else next time", function()
        local x = rille.rand(50) + 1
        rille.manual_seed(5)
        local first, second = x:dropout(), x:dropout()
        rille.manual_seed(5)
        assert.same(first:totable(), x:dropout():totable())
        assert.not_same(first:totable(), second:totable())
    end)

    it("hands gradients on to what was kept", function()
        local x = rille.randn(30, { requires_grad = true })
        local y = x:dropout(0.5)
        y:sum():backward()
        assert.same((y / x:detach()):totable(), x.grad:totable())
    end)

    it("says what does not fit", function()
        expect_message("dropout: p is 1.5; a probability from 0 to 1 expected", rille.dropout, rille.ones(2), 1.5)
        expect_message("bad argument #2 to 'dropout' (p must be a number, got string)", rille.dropout, rille.ones(2), "x")
        expect_message("bad argument #1 to 'dropout' (tensor expected, got number)", rille.dropout, 1)
    end)
end)

describe("nn.Dropout", function()
    it("is there in training only", function()
        rille.manual_seed(2)
        local layer, x = nn.Dropout(0.25), rille.ones(1000)
        assert.is_true(rille.measure(layer(x)).zeros > 200)
        assert.equal(x, layer:eval()(x))
        assert.is_true(rille.measure(layer:train()(x)).zeros > 200)
        assert.equal("Dropout(p=0.5)", tostring(nn.Dropout()):match("Dropout%b()"))
    end)

    it("says what does not fit", function()
        expect_message("bad argument #1 to 'Dropout' (p: probability from 0 to 1 expected, got -0.1)", nn.Dropout, -0.1)
        expect_message("bad argument #1 to 'Dropout' (p: probability from 0 to 1 expected, got nan)", nn.Dropout, 0 / 0)
        expect_message("bad argument #1 to 'Dropout' (p: probability from 0 to 1 expected, got table)", nn.Dropout, {})
        expect_message("bad argument #1 to 'Dropout' (tensor expected, got nil)", nn.Dropout())
    end)
end)

describe("rille.embedding", function()
    local weight = rille.tensor { { 1, 2 }, { 3, 4 }, { 5, 6 } }

    it("picks rows, from 1 on", function()
        local index = rille.tensor({ { 3, 1 }, { 1, 2 } }, { dtype = "int64" })
        assert.same({ { { 5, 6 }, { 1, 2 } }, { { 1, 2 }, { 3, 4 } } }, rille.embedding(index, weight):totable())
        assert.same({ { 3, 4 } }, rille.embedding({ 2 }, weight):totable())
        assert.same({ 3, 4 }, rille.embedding(2, weight):totable())
        assert.same({ 0, 2 }, rille.embedding(rille.zeros(0, { dtype = "int64" }), weight):shape())
    end)

    it("says what does not fit", function()
        expect_message("embedding: index 4 at position 2 is not in 1 ... 3", rille.embedding, { 1, 4 }, weight)
        expect_message("embedding: index 0 at position 1 is not in 1 ... 3", rille.embedding, { 0 }, weight)
        expect_message("embedding: index is int64 [1], weight is [2]; int64 [...], of 7 dimensions at most, and [n, d] "
            .. "expected", rille.embedding, { 1 }, rille.ones(2))
        expect_message("bad argument #1 to 'embedding' (index[1]: 1.5 has no integer representation)", rille.embedding,
            rille.tensor { 1.5 }, weight)
    end)
end)

describe("nn.Embedding", function()
    it("has rows of N(0, 1) that learn where they are used", function()
        rille.manual_seed(3)
        local layer = nn.Embedding(500, 8)
        local s = rille.measure(layer.weight)
        assert.is_true(math.abs(s.mean) < 0.05 and math.abs(s.std - 1) < 0.05)
        local small = nn.Embedding(3, 2, { dtype = "float64" })
        local y = small(rille.tensor({ { 2, 2 }, { 1, 2 } }, { dtype = "int64" }))
        assert.same({ 2, 2, 2 }, y:shape())
        y:sum():backward()
        assert.same({ { 1, 1 }, { 3, 3 }, { 0, 0 } }, small.weight.grad:totable())
        assert.equal("Embedding(3 rows of 2)", tostring(small):match("Embedding%b()"))
    end)

    it("says what does not fit", function()
        expect_message("bad argument #1 to 'Embedding' (tensor of indices expected, got number)", nn.Embedding(3, 2), 1)
        expect_message("bad argument #2 to 'Embedding' (embedding_dim: positive integer expected, got nil)", nn.Embedding, 3)
    end)
end)
