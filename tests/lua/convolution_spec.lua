local rille = require "rille"
local nn = require "rille.nn"
local message_of = require("support").message_of

local function expect_message(text, f, ...)
    assert.equal(text, message_of(f, ...))
end

describe("rille.conv1d", function()
    local x = rille.tensor { { 1, 2, 3, 4, 5 } }

    it("slides the kernel, not turned around", function()
        local w = rille.tensor { { { 1, 10 } }, { { 0, -1 } } }
        assert.same({ { 21, 32, 43, 54 }, { -2, -3, -4, -5 } }, rille.conv1d(x, w):totable())
        assert.same({ { { 121, 132, 143, 154 }, { 198, 197, 196, 195 } } },
            x:reshape(1, 1, 5):conv1d(w, rille.tensor { 100, 200 }):totable())
    end)

    it("takes stride, padding, dilation and groups", function()
        local w = rille.tensor { { { 1, 10 } } }
        assert.same({ { 10, 32, 54 } }, rille.conv1d(x, w, { stride = 2, padding = 1 }):totable())
        assert.same({ { 31, 42, 53 } }, rille.conv1d(x, w, nil, { dilation = 2 }):totable())
        local two = rille.tensor { { 1, 2 }, { 3, 4 } }
        assert.same({ { 10, 20 }, { 60, 80 } }, two:conv1d(rille.tensor { { { 10 } }, { { 20 } } }, { groups = 2 }):totable())
    end)

    it("says what does not fit", function()
        local w = rille.zeros(1, 1, 2)
        expect_message("conv1d: input is [1, 5], weight is [1, 1, 6]: with dilation 1 the kernel does not fit into "
            .. "dimension 2, padded to 5", rille.conv1d, x, rille.zeros(1, 1, 6))
        expect_message("bad argument #4 to 'conv1d' (option 'stride': 1 or more expected, got 0)", rille.conv1d, x, w, nil,
            { stride = 0 })
        expect_message("bad argument #4 to 'conv1d' (option 'padding' must be an integer, got string)", rille.conv1d, x, w,
            { padding = "same" })
        expect_message("bad argument #4 to 'conv1d' (option 'dilation' must be an integer or a list of 1)", rille.conv1d, x, w,
            { dilation = { 1, 2 } })
        expect_message("bad argument #4 to 'conv1d' (no option 'strides'; did you mean 'stride'?)", rille.conv1d, x, w,
            { strides = 2 })
        expect_message("bad argument #2 to 'conv1d' (tensor expected, got nil)", rille.conv1d, x)
        expect_message("bad argument #3 to 'conv1d' (tensor expected, got number)", rille.conv1d, x, w, 1)
    end)
end)

describe("rille.conv2d", function()
    local x = rille.arange(1, 12):reshape(1, 1, 3, 4)

    it("sums products over windows", function()
        local w = rille.tensor { { { { 1, 0 }, { 0, 1 } } } }
        assert.same({ { { { 7, 9, 11 }, { 15, 17, 19 } } } }, rille.conv2d(x, w):totable())
        assert.same({ { { { 7, 11 } } } }, rille.conv2d(x, w, { stride = 2 }):totable())
        assert.same({ { { { 6, 8, 10 } } } }, rille.conv2d(x, w, rille.tensor { -1 }, { stride = { 2, 1 } }):totable())
        assert.same({ { { { 6, 7, 8, 0 }, { 10, 11, 12, 0 }, { 0, 0, 0, 0 } } } },
            rille.conv2d(x, rille.tensor { { { { 0, 0 }, { 0, 1 } } } }, { padding = 1, dilation = { 2, 2 } }):totable())
    end)

    it("has gradients, of gradients too", function()
        rille.manual_seed(1)
        local function random(...)
            return rille.randn(..., { dtype = "float64", requires_grad = true })
        end
        local input, w = random { 2, 4, 4, 3 }, random { 2, 2, 3, 2 }
        local function f(a, b)
            return rille.conv2d(a, b, { padding = 1, stride = { 1, 2 }, groups = 2 })
        end
        assert.is_true(rille.gradcheck(f, { input, w }))
        assert.is_true(rille.gradcheck(function(a, b)
            local gradients = rille.grad((f(a, b) ^ 2):sum(), { a, b }, { create_graph = true })
            return (gradients[1] ^ 2):sum() + (gradients[2] ^ 2):sum()
        end, { input, w }))
    end)
end)

describe("nn.Conv2d", function()
    it("is conv2d with weights that start as PyTorch's", function()
        rille.manual_seed(2)
        local layer = nn.Conv2d(4, 50, { 3, 2 }, { stride = 2, padding = { 1, 0 }, groups = 2 })
        assert.same({ 50, 2, 3, 2 }, layer.weight:shape())
        assert.same({ 50 }, layer.bias:shape())
        local bound = 1 / math.sqrt(12)
        for _, parameter in ipairs { layer.weight, layer.bias } do
            local s = rille.measure(parameter)
            assert.is_true(s.min >= -bound and s.max <= bound and s.min < -0.9 * bound and s.max > 0.9 * bound)
        end
        local x = rille.randn(3, 4, 6, 7)
        local y = rille.conv2d(x, layer.weight, layer.bias, { stride = 2, padding = { 1, 0 }, groups = 2 })
        assert.same({ 3, 50, 3, 3 }, y:shape())
        assert.same(y:totable(), layer(x):totable())
        assert.same({ 50, 3, 3 }, layer(x[1]):shape())
        assert.equal("Conv2d(4 -> 50, kernel 3x2, stride 2, padding 1x0, groups 2)", tostring(layer):match("Conv2d%b()"))
    end)

    it("may have no bias and be float64", function()
        local layer = nn.Conv1d(2, 3, 5, { bias = false, dtype = "float64", dilation = 2 })
        assert.is_false(layer.bias)
        assert.equal(1, #layer:parameters())
        assert.same({ 1, 3, 2 }, layer(rille.zeros(1, 2, 10, { dtype = "float64" })):shape())
        assert.equal("Conv1d(2 -> 3, kernel 5, dilation 2, no bias)", tostring(layer):match("Conv1d%b()"))
    end)

    it("learns where an edge is", function()
        rille.manual_seed(3)
        local layer, optim = nn.Conv1d(1, 1, 2, { bias = false }), require "rille.optim"
        local sgd = optim.SGD(layer:parameters(), { lr = 0.1 })
        local x = rille.randn(8, 1, 20)
        local wanted = rille.conv1d(x, rille.tensor { { { -1, 1 } } })
        for _ = 1, 100 do
            sgd:zero_grad();
            ((layer(x) - wanted) ^ 2):mean():backward()
            sgd:step()
        end
        local w = layer.weight:totable()[1][1]
        assert.is_true(math.abs(w[1] + 1) < 1e-3 and math.abs(w[2] - 1) < 1e-3)
    end)

    it("says what does not fit", function()
        local net = nn.Sequential { nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(4, 8, 3) }
        expect_message("bad argument #1 to 'Conv2d' (net[3]: input is [1, 8, 6, 6], expected [n, 4, h, w] or [4, h, w])", net,
            rille.zeros(1, 3, 8, 8))
        expect_message("bad argument #1 to 'Conv1d' (input is [5], expected [n, 5, l] or [5, l])", nn.Conv1d(5, 1, 1),
            rille.zeros(5))
        expect_message("bad argument #1 to 'Conv1d' (tensor expected, got nil)", nn.Conv1d(5, 1, 1))
        expect_message("bad argument #3 to 'Conv2d' (kernel_size: integer of 1 or more, or a list of 2, expected, got nil)",
            nn.Conv2d, 3, 8)
        expect_message("bad argument #3 to 'Conv2d' (kernel_size: integer of 1 or more, or a list of 2, expected, "
            .. "got a list of 3)", nn.Conv2d, 3, 8, { 1, 2, 3 })
        expect_message("bad argument #4 to 'Conv1d' (padding: integer of 0 or more expected, got -1)", nn.Conv1d, 3, 8, 1,
            { padding = -1 })
        expect_message("bad argument #2 to 'Conv2d' (out_channels: a multiple of 2 groups expected, got 5)", nn.Conv2d, 4, 5, 1,
            { groups = 2 })
        expect_message("bad argument #4 to 'Conv2d' (unknown option 'pading'; did you mean 'padding'?)", nn.Conv2d, 4, 5, 1,
            { pading = 2 })
    end)
end)

describe("pools", function()
    local x = rille.tensor { { 1, 5, 2, 0 }, { 3, 4, -1, 8 }, { -2, -3, 7, 6 } }

    it("take the largest and the average of windows", function()
        assert.same({ { 5, 8 } }, x:max_pool2d(2):totable())
        assert.same({ { 5, 8 }, { -2, 7 } }, rille.max_pool2d(x, { 2, 2 }, { ceil_mode = true }):totable())
        assert.same({ { 5, 5, 8 }, { 4, 7, 8 } }, rille.max_pool2d(x, { 2, 2 }, { stride = 1 }):totable())
        assert.same({ { 3.25, 2.25 } }, x:avg_pool2d(2):totable())
        assert.same({ { 3, 1 }, { 3.5, 3.5 }, { -2.5, 6.5 } }, x:avg_pool1d(2):totable())
        assert.same({ { 0.5, 3.5, 0 }, { 1.5, 1.5, 4 }, { -1, 2, 3 } }, x:avg_pool1d(2, { padding = 1 }):totable())
        assert.same({ 1, 3.5, 0 }, x[1]:avg_pool1d(2, { padding = 1, count_include_pad = false }):totable())
    end)

    it("are modules", function()
        assert.same({ { 5, 8 } }, nn.MaxPool2d(2)(x):totable())
        assert.same({ 5, 2 }, nn.MaxPool1d(2)(x[1]):totable())
        assert.same({ 0.5, 3.5, 0 }, nn.AvgPool1d(2, { padding = 1 })(x[1]):totable())
        assert.same({ 1, 3.5, 0 }, nn.AvgPool1d(2, { padding = 1, count_include_pad = false })(x[1]):totable())
        assert.same({ { 3, 1 } }, nn.AvgPool2d({ 1, 2 }, { stride = { 3, 2 } })(x):totable())
        assert.equal("MaxPool2d(kernel 3x2, stride 1, padding 1, ceil_mode)",
            tostring(nn.MaxPool2d({ 3, 2 }, { stride = 1, padding = 1, ceil_mode = true })):match("MaxPool2d%b()"))
        assert.equal("AvgPool1d(kernel 2)", tostring(nn.AvgPool1d(2)):match("AvgPool1d%b()"))
    end)

    it("train within a net", function()
        rille.manual_seed(1)
        local net = nn.Sequential {
            nn.Conv2d(1, 4, 3, { padding = 1 }), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3), nn.AvgPool2d(2), nn.Flatten(),
            nn.Linear(4, 2),
        }
        local images = rille.randn(6, 1, 8, 8)
        local y = net(images)
        assert.same({ 6, 2 }, y:shape())
        rille.cross_entropy(y, { 1, 2, 1, 2, 1, 2 }):backward()
        for _, parameter in net:named_parameters() do
            assert.is_true(rille.measure(parameter.grad).log10_norm > -6)
        end
    end)

    it("say what does not fit", function()
        expect_message("bad argument #2 to 'max_pool2d' (kernel_size must be an integer, got nil)", rille.max_pool2d, x)
        expect_message("bad argument #2 to 'max_pool2d' (kernel_size must be an integer or a list of 2)", rille.max_pool2d, x,
            { 1 })
        expect_message("bad argument #2 to 'max_pool2d' (kernel_size: 1 or more expected, got 0)", rille.max_pool2d, x, 0)
        expect_message("bad argument #3 to 'max_pool2d' (no option 'count_include_pad')", rille.max_pool2d, x, 2,
            { count_include_pad = true })
        expect_message("max_pool2d: input is [3, 4]: a kernel of 5 does not fit into dimension 1, padded to 3",
            rille.max_pool2d, x, 5)
        expect_message("bad argument #1 to 'MaxPool2d' (input is [4], expected [..., h, w])", nn.MaxPool2d(2), x[1])
        expect_message("bad argument #2 to 'MaxPool2d' (padding: half of the kernel, 3, at most expected, got 2)",
            nn.MaxPool2d, 3, { padding = 2 })
        expect_message("bad argument #1 to 'AvgPool1d' (kernel_size: integer of 1 or more expected, got nil)", nn.AvgPool1d)
    end)
end)
