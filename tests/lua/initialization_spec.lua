-- Start values of parameters.
local rille = require "rille"
local nn = require "rille.nn"
local support = require "support"
local close, message_of = support.close, support.message_of

describe("nn.init", function()
    local function stats(tensor)
        return rille.measure(tensor)
    end

    it("fills in place, unrecorded, and returns the tensor", function()
        local w = rille.zeros(3, 2, { requires_grad = true })
        assert.equal(w, nn.init.constant(w, 2))
        assert.same({ { 2, 2 }, { 2, 2 }, { 2, 2 } }, w:totable())
        assert.is_true(w:is_leaf() and w:requires_grad())
        assert.same({ { 0, 0 }, { 0, 0 }, { 0, 0 } }, nn.init.zeros(w):totable())
        assert.same({ { 1, 1 }, { 1, 1 }, { 1, 1 } }, nn.init.ones(w):totable())
    end)

    it("draws from the distributions of the papers", function()
        rille.manual_seed(5)
        local w = rille.zeros(400, 200, { dtype = "float64" })
        local n = 400 * 200
        local function check(name, options, std, uniform)
            local s = stats(nn.init[name](w, options))
            close(0, s.mean, 5 * std / math.sqrt(n))
            close(std, s.std, std * 5 / math.sqrt(n))
            if uniform then
                assert.is_true(math.max(-s.min, s.max) <= math.sqrt(3) * std * (1 + 1e-12))
            else
                assert.is_true(math.max(-s.min, s.max) > 3.5 * std)
            end
        end
        check("xavier_uniform", nil, math.sqrt(2 / 600), true)
        check("xavier_normal", { gain = 2 }, 2 * math.sqrt(2 / 600), false)
        check("kaiming_uniform", { nonlinearity = "relu" }, math.sqrt(2 / 200), true)
        check("kaiming_normal", { mode = "fan_out", nonlinearity = "relu" }, math.sqrt(2 / 400), false)
        check("kaiming_uniform", { a = math.sqrt(5) }, 1 / math.sqrt(3 * 200), true)
        check("lecun_normal", nil, 1 / math.sqrt(200), false)
        local s = stats(nn.init.uniform(w, 2, 6))
        close(4, s.mean, 0.02)
        assert.is_true(s.min >= 2 and s.max < 6)
        s = stats(nn.init.normal(w, -1, 0.5))
        close(-1, s.mean, 0.01)
        close(0.5, s.std, 0.01)
    end)

    it("takes the receptive field into fan_in", function()
        rille.manual_seed(6)
        local s = stats(nn.init.kaiming_normal(rille.zeros(50, 20, 5, 5), { nonlinearity = "linear" }))
        close(1 / math.sqrt(500), s.std, 0.001)
    end)

    it("draws orthogonal matrices, of the weight as one matrix [out, the rest]", function()
        rille.manual_seed(7)
        for _, shape in ipairs { { 30, 30 }, { 40, 7 }, { 7, 40 }, { 6, 2, 3, 3 } } do
            local w = nn.init.orthogonal(rille.zeros(shape, { requires_grad = true }), { gain = 2 }):detach():to("float64")
            w = w:reshape(shape[1], -1) / 2
            local products = w:size(1) < w:size(2) and w:matmul(w:t()) or w:t():matmul(w)
            assert.is_true((products - rille.eye(products:size(1))):abs():max():item() < 2e-7)
        end
        assert.same({ 0, 3 }, nn.init.orthogonal(rille.zeros(0, 3)):shape())
        -- Uniform: the mean of any element is 0, its variance 1 / n. By LAPACK's own signs the first one is always negative.
        local sum, squares = rille.zeros(3, 3), rille.zeros(3, 3)
        for _ = 1, 4000 do
            local q = nn.init.orthogonal(rille.zeros(3, 3))
            sum, squares = sum + q, squares + q * q
        end
        assert.is_true((sum / 4000):abs():max():item() < 5 / math.sqrt(3 * 4000))
        assert.is_true((squares / 4000 - 1 / 3):abs():max():item() < 5 * math.sqrt(4 / 45 / 4000)) -- E q⁴ = 1/5
    end)

    it("leaves so many of each column 0", function()
        rille.manual_seed(8)
        local w = nn.init.sparse(rille.ones(50, 40), 0.83)
        local zeros = w:eq(0):sum(1):totable()
        for column = 1, 40 do
            assert.equal(42, zeros[column])
        end
        assert.is_true(w:eq(0):sum(2):lt(40):all():item())
        close(0.01, w:masked_select(w:ne(0)):std():item(), 0.002)
        close(3, nn.init.sparse(rille.ones(100, 100), 0, 3):std():item(), 0.2)
        assert.equal(0, nn.init.sparse(rille.ones(3, 3), 1):norm():item())
    end)

    it("knows PyTorch's gains", function()
        for name, gain in pairs { linear = 1, identity = 1, sigmoid = 1, tanh = 5 / 3, relu = math.sqrt(2), selu = 0.75 } do
            assert.equal(gain, nn.init.calculate_gain(name))
        end
        assert.equal(math.sqrt(2 / 1.04), nn.init.calculate_gain("leaky_relu", 0.2))
        assert.equal(math.sqrt(2 / (1 + 0.01 ^ 2)), nn.init.calculate_gain("leaky_relu"))
        -- E cos²(z) = (1 + exp(-2)) / 2; E f'² of hard_shrink is P(|z| > 0.5)
        close(math.sqrt(2 / (1 + math.exp(-2))), nn.init.calculate_gain("sin"), 1e-12)
        close(1 / math.sqrt(0.61707507745197), nn.init.calculate_gain("hard_shrink"), 1e-12)
        assert.equal(math.huge, nn.init.calculate_gain("step"))
        assert.equal("bad argument #2 to 'calculate_gain' (number expected, got string)",
            message_of(nn.init.calculate_gain, "leaky_relu", "0.2"))
        assert.equal("bad argument #1 to 'calculate_gain' (no gain is known for 'rleu'; did you mean 'relu'?)",
            message_of(nn.init.calculate_gain, "rleu"))
    end)

    it("says what does not fit", function()
        assert.equal("bad argument #1 to 'xavier_uniform' (fan_in and fan_out need two dimensions or more, got [3])",
            message_of(nn.init.xavier_uniform, rille.zeros(3)))
        assert.equal("bad argument #1 to 'uniform' (tensor of float32 or float64 expected, got number)",
            message_of(nn.init.uniform, 3))
        assert.equal("bad argument #1 to 'zeros' (tensor of float32 or float64 expected, got int64)",
            message_of(nn.init.zeros, rille.zeros(3, { dtype = "int64" })))
        assert.equal("bad argument #1 to 'orthogonal' (two dimensions or more expected, got [3])",
            message_of(nn.init.orthogonal, rille.zeros(3)))
        assert.equal("bad argument #1 to 'sparse' (two dimensions expected, got [3, 2, 2])",
            message_of(nn.init.sparse, rille.zeros(3, 2, 2), 0.5))
        assert.equal("bad argument #2 to 'sparse' (a share from 0 to 1 expected, got 1.5)",
            message_of(nn.init.sparse, rille.zeros(3, 2), 1.5))
        assert.equal("bad argument #2 to 'sparse' (number expected, got nil)", message_of(nn.init.sparse, rille.zeros(3, 2)))
        assert.equal("bad argument #2 to 'kaiming_normal' (mode: 'fan_in' or 'fan_out' expected, got 'fan')",
            message_of(nn.init.kaiming_normal, rille.zeros(2, 2), { mode = "fan" }))
    end)
end)
