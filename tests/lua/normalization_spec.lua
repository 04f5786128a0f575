local rille = require "rille"
local nn = require "rille.nn"

-- f is to fail with this message, the position in front of it apart.
local function expect_message(text, f, ...)
    local ok, message = pcall(f, ...)
    assert.is_false(ok, "an error was expected")
    assert.equal(text, (tostring(message):gsub("^[^:]+:%d+: ", "")))
end

local function expect_near(expected, tensor, tolerance)
    local got = tensor:reshape(-1):totable()
    assert.equal(#expected, #got)
    for i, value in ipairs(expected) do
        assert(math.abs(value - got[i]) <= (tolerance or 1e-6), ("[%d] is %.9g, not %.9g"):format(i, got[i], value))
    end
end

local root = math.sqrt

describe("normalisations", function()
    local x = rille.tensor({ { 1, 3 }, { 5, 3 } }, { dtype = "float64" })
    local none = { eps = 0 }

    it("divide what is left of the mean by the deviation", function()
        expect_near({ -1, 1, 1, -1 }, rille.layer_norm(x, 2, none), 1e-12)
        expect_near({ -root(2), 0, root(2), 0 }, rille.layer_norm(x, { 2, 2 }, none), 1e-12)
        expect_near({ 1 / root(5), 3 / root(5), 5 / root(17), 3 / root(17) }, x:rms_norm({ 2 }, none), 1e-12)
        expect_near({ -2 / root(4.25), 0, 2 / root(4.25), 0 }, rille.batch_norm(x, nil, nil, { eps = 0.25 }), 1e-12)
        expect_near({ 0, 0, 0, 0 }, rille.group_norm(x, 2), 1e-12)
    end)

    it("have a weight and a bias", function()
        local weight = rille.tensor({ 2, 10 }, { dtype = "float64" })
        expect_near({ -2, 10, 2, -10 }, x:layer_norm(2, weight, none), 1e-12)
        expect_near({ 0, 20, 4, 0 }, x:layer_norm(2, weight, weight, none), 1e-12)
        expect_near({ 0, 20, 4, 0 }, x:group_norm(1, weight, weight, none), 1e-12)
        expect_near({ 2, 10, 2, 10 }, x:group_norm(2, nil, weight), 1e-12)
        expect_near({ 0, 10, 4, 10 }, x:batch_norm(nil, nil, weight, weight, { eps = 1e-12 }))
    end)

    it("move running statistics in training only", function()
        local mean, variance = rille.zeros(2, { dtype = "float64" }), rille.ones(2, { dtype = "float64" })
        rille.batch_norm(x + rille.tensor({ 0, 1 }, { dtype = "float64" }), mean, variance, { training = true, momentum = 0.5 })
        expect_near({ 1.5, 2 }, mean, 1e-12)
        expect_near({ 0.5 + 0.5 * 8, 0.5 }, variance, 1e-12) -- 8 = (4 + 4) / (2 - 1)
        expect_near({ -0.5 / root(4.5), 1 / root(0.5), 3.5 / root(4.5), 1 / root(0.5) },
            rille.batch_norm(x, mean, variance, none), 1e-12)
        expect_near({ 1.5, 2 }, mean, 1e-12)
    end)

    it("have gradients, of gradients too", function()
        rille.manual_seed(1)
        local function random(...)
            return rille.randn(..., { dtype = "float64", requires_grad = true })
        end
        local inputs = { random { 3, 4, 2 }, random { 4 }, random { 4 } }
        for _, f in ipairs {
            function(a, w, b) return rille.batch_norm(a, nil, nil, w, b) end,
            function(a, w, b) return a:transpose(2, 3):layer_norm(4, w, b) end,
            function(a, w, b) return a:group_norm(2, w, b) end,
            function(a, w, b) return a:transpose(2, 3):rms_norm(4, w, { eps = 0.1 }) * b end,
        } do
            assert.is_true(rille.gradcheck(f, inputs))
            assert.is_true(rille.gradcheck(function(...)
                local gradients = rille.grad((f(...) ^ 3):sum(), inputs, { create_graph = true })
                return (gradients[1] ^ 2):sum() + (gradients[2] ^ 2):sum() + gradients[3]:sum()
            end, inputs))
        end
    end)

    it("say what does not fit", function()
        expect_message("layer_norm: input is [2, 2]; a shape that ends in [3] expected", rille.layer_norm, x, 3)
        expect_message("bad argument #2 to 'layer_norm' (size must be an integer, got nil)", rille.layer_norm, x)
        expect_message("bad argument #5 to 'layer_norm' (no option 'esp'; did you mean 'eps'?)", rille.layer_norm, x, 2,
            { esp = 0 })
        expect_message("bad argument #3 to 'layer_norm' (tensor expected, got number)", rille.layer_norm, x, 2, 1)
        expect_message("batch_norm: running_var is given without running_mean", rille.batch_norm, x, nil, rille.ones(2))
        expect_message("batch_norm: weight is float32 [2]; for an input that is float64 [2, 2], float64 [2] expected",
            rille.batch_norm, x, nil, nil, rille.ones(2))
        expect_message("bad argument #2 to 'group_norm' (num_groups must be an integer, got table)", rille.group_norm, x, {})
        expect_message("rms_norm: eps is -1; a number from 0 to inf expected", rille.rms_norm, x, 2, { eps = -1 })
    end)
end)

describe("nn.BatchNorm", function()
    it("uses the batch's statistics in training, the running ones in evaluation", function()
        rille.manual_seed(2)
        local layer = nn.BatchNorm2d(3)
        local x = rille.randn(8, 3, 4, 5) * 3 + 2
        local y = layer(x)
        expect_near({ 0, 0, 0 }, y:mean { 1, 3, 4 }, 1e-6)
        expect_near({ 1, 1, 1 }, (y * y):mean { 1, 3, 4 }, 1e-4)
        local mean = x:mean { 1, 3, 4 }
        local variance = ((x - mean:reshape(1, 3, 1, 1)) ^ 2):sum { 1, 3, 4 } / 159
        expect_near((mean * 0.1):totable(), layer.running_mean)
        expect_near((variance * 0.1 + 0.9):totable(), layer.running_var, 1e-5)
        assert.equal(1, layer.num_batches_tracked:item())
        layer:eval()
        local expected = (x - layer.running_mean:reshape(1, 3, 1, 1)) / (layer.running_var:reshape(1, 3, 1, 1) + 1e-5):sqrt()
        expect_near(expected:reshape(-1):totable(), layer(x), 1e-5)
        assert.equal(1, layer.num_batches_tracked:item())
    end)

    it("has buffers that are no parameters, but a part of its state", function()
        local layer = nn.BatchNorm1d(2)
        layer(rille.tensor { { 1, 2 }, { 3, 8 } })
        assert.equal(2, #layer:parameters())
        local state = layer:state()
        expect_near({ 0.2, 0.5 }, state.running_mean)
        local other = nn.BatchNorm1d(2):load_state(state)
        expect_near(state.running_var:totable(), other.running_var, 0)
        assert.equal(1, other.num_batches_tracked:item())
        layer:to("float64")
        assert.equal("float64", layer.running_mean:dtype())
        assert.equal("int64", layer.num_batches_tracked:dtype())
        layer(rille.ones(2, 2, { dtype = "float64" }))
        assert.equal(2, layer.num_batches_tracked:item())
    end)

    it("takes PyTorch's options", function()
        local x = rille.tensor { { 1, 2 }, { 3, 8 } }
        local plain = nn.BatchNorm1d(2, { affine = false, track_running_stats = false })
        assert.is_false(plain.weight)
        assert.equal(0, #plain:parameters())
        expect_near({ -1, -1, 1, 1 }, plain:eval()(x), 1e-4)
        local average = nn.BatchNorm1d(2, { momentum = false })
        average(x)
        average(x + 1)
        expect_near({ 2.5, 5.5 }, average.running_mean)
        assert.equal("BatchNorm1d(2, not affine, no running statistics)", tostring(plain):match("BatchNorm1d%b()"))
    end)

    it("says what does not fit", function()
        local net = nn.Sequential { nn.Linear(2, 3), nn.BatchNorm1d(4) }
        expect_message("bad argument #1 to 'BatchNorm1d' (net[2]: input is [5, 3], expected [n, 4] or [n, 4, l])", net,
            rille.zeros(5, 2))
        expect_message("bad argument #1 to 'BatchNorm1d' (input is [1, 4]; statistics of a batch take two elements a channel)",
            nn.BatchNorm1d(4), rille.zeros(1, 4))
        expect_message("bad argument #1 to 'BatchNorm2d' (input is [1, 4], expected [n, 4, h, w])", nn.BatchNorm2d(4),
            rille.zeros(1, 4))
        expect_message("bad argument #2 to 'BatchNorm1d' (momentum: a number from 0 to 1, or false, expected, got 2)",
            nn.BatchNorm1d, 4, { momentum = 2 })
        expect_message("bad argument #2 to 'BatchNorm1d' (eps: 0 or more expected, got nan)", nn.BatchNorm1d, 4,
            { eps = 0 / 0 })
        expect_message("bad argument #1 to 'BatchNorm1d' (num_features: positive integer expected, got nil)", nn.BatchNorm1d)
    end)
end)

describe("nn.LayerNorm, nn.RMSNorm and nn.GroupNorm", function()
    local x = rille.tensor { { 1, 3, 5, 7 }, { 2, 2, 2, 6 } }

    it("are the functions with weights of ones and biases of zeros", function()
        expect_near(rille.layer_norm(x, 4):reshape(-1):totable(), nn.LayerNorm(4)(x), 0)
        expect_near(rille.layer_norm(x, 4, { eps = 1 }):reshape(-1):totable(), nn.LayerNorm(4, { eps = 1 })(x), 0)
        expect_near(rille.rms_norm(x, 4):reshape(-1):totable(), nn.RMSNorm { 4 }(x), 0)
        expect_near(rille.group_norm(x, 2):reshape(-1):totable(), nn.GroupNorm(2, 4)(x), 0)
        local names = {}
        for name in nn.Sequential { nn.LayerNorm(4), nn.RMSNorm(4) }:named_parameters() do
            names[#names + 1] = name
        end
        assert.same({ "[1].weight", "[1].bias", "[2].weight" }, names)
        assert.equal(0, #nn.LayerNorm(4, { elementwise_affine = false }):parameters())
        assert.equal(1, #nn.LayerNorm(4, { bias = false }):parameters())
        assert.equal("GroupNorm(2 groups of 2)", tostring(nn.GroupNorm(2, 4)):match("GroupNorm%b()"))
        assert.equal("LayerNorm(3x4)", tostring(nn.LayerNorm { 3, 4 }):match("LayerNorm%b()"))
    end)

    it("say what does not fit", function()
        expect_message("bad argument #1 to 'LayerNorm' (input is [2, 4], expected [*, 3, 4])", nn.LayerNorm { 3, 4 }, x)
        expect_message("bad argument #1 to 'RMSNorm' (input is [2, 4], expected [*, 3])", nn.RMSNorm(3), x)
        expect_message("bad argument #1 to 'GroupNorm' (input is [2, 4], expected [n, 6, ...])", nn.GroupNorm(3, 6), x)
        expect_message("bad argument #2 to 'GroupNorm' (num_channels: a multiple of 3 groups expected, got 4)", nn.GroupNorm,
            3, 4)
        expect_message("bad argument #1 to 'LayerNorm' (normalized_shape: positive integer expected, got nil)", nn.LayerNorm)
        expect_message("bad argument #2 to 'RMSNorm' (unknown option 'bias')", nn.RMSNorm, 4, { bias = true })
    end)
end)
