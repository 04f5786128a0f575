-- Linear, Sequential, Residual, Flatten, and the modules of what goes along a dimension.
local rille = require "rille"
local nn = require "rille.nn"
local support = require "support"
local close, message_of, names_of = support.close, support.message_of, support.names_of

describe("nn.Linear", function()
    it("computes x W^T + b", function()
        local layer = nn.Linear(3, 2)
        layer.weight:copy_(rille.tensor { { 1, 2, 3 }, { 4, 5, 6 } })
        layer.bias:copy_(rille.tensor { 10, 20 })
        assert.same({ { 24, 52 }, { 11, 24 } }, layer(rille.tensor { { 1, 2, 3 }, { 1, 0, 0 } }):totable())
        assert.same({ 11, 24 }, layer(rille.tensor { 1, 0, 0 }):totable())
        assert.same({ 2, 4, 2 }, layer(rille.zeros(2, 4, 3)):shape())
    end)

    it("starts within 1/sqrt(in_features), both signs", function()
        rille.manual_seed(1)
        local layer = nn.Linear(64, 100)
        assert.same({ 100, 64 }, layer.weight:shape())
        assert.same({ 100 }, layer.bias:shape())
        for _, parameter in ipairs { layer.weight, layer.bias } do
            local s = rille.measure(parameter)
            assert.is_true(s.min >= -0.125 and s.max <= 0.125)
            assert.is_true(s.min < -0.11 and s.max > 0.11)
            close(0.125 / math.sqrt(3), s.std, 0.01)
        end
    end)

    it("gives the same weights for the same seed", function()
        rille.manual_seed(7)
        local first = nn.Linear(5, 4).weight:totable()
        rille.manual_seed(7)
        assert.same(first, nn.Linear(5, 4).weight:totable())
    end)

    it("may have no bias, and float64 weights", function()
        local layer = nn.Linear(3, 2, { bias = false, dtype = "float64" })
        assert.is_false(layer.bias)
        assert.equal("float64", layer.weight:dtype())
        assert.same({ "weight" }, names_of(layer))
        assert.same({ { 0, 0 } }, layer(rille.zeros(1, 3, { dtype = "float64" })):totable())
    end)

    it("has gradients that gradcheck confirms", function()
        rille.manual_seed(3)
        local net = nn.Sequential {
            nn.Linear(3, 4, { dtype = "float64" }), nn.Tanh(), nn.Linear(4, 2, { dtype = "float64" }),
        }
        local x = rille.randn(5, 3, { dtype = "float64", requires_grad = true })
        local inputs = net:parameters()
        table.insert(inputs, x)
        local ok, result = rille.gradcheck(function()
            return net(x)
        end, inputs)
        assert.is_true(ok)
        assert.equal(12 + 4 + 8 + 2 + 15, result.checked)
    end)

    it("says what does not fit", function()
        local layer = nn.Linear(64, 10)
        assert.equal("bad argument #1 to 'Linear' (input is [32, 60], expected [*, 64])",
            message_of(layer, rille.zeros(32, 60)))
        assert.equal("bad argument #1 to 'Linear' (input is [], expected [*, 64])", message_of(layer, rille.tensor(1)))
        assert.equal("bad argument #1 to 'Linear' (tensor expected, got table)", message_of(layer, { 1, 2 }))
        assert.equal("bad argument #1 to 'Linear' (tensor expected, got nil)", message_of(layer))
        assert.equal("bad argument #1 to 'Linear' (input is int64, expected float32 or float64)",
            message_of(layer, rille.zeros(2, 64, { dtype = "int64" })))
    end)

    it("says what is wrong with its own arguments", function()
        assert.equal("bad argument #1 to 'Linear' (in_features: positive integer expected, got 0)", message_of(nn.Linear, 0, 3))
        assert.equal("bad argument #2 to 'Linear' (out_features: positive integer expected, got 2.5)",
            message_of(nn.Linear, 3, 2.5))
        assert.equal("bad argument #1 to 'Linear' (in_features: positive integer expected, got nan)",
            message_of(nn.Linear, 0 / 0, 3))
        assert.equal("bad argument #2 to 'Linear' (out_features: positive integer expected, got nil)", message_of(nn.Linear, 3))
        assert.equal("bad argument #3 to 'Linear' (unknown option 'bais'; did you mean 'bias'?)",
            message_of(nn.Linear, 3, 2, { bais = false }))
        assert.equal("bad argument #3 to 'Linear' (option 'bias': boolean expected, got number)",
            message_of(nn.Linear, 3, 2, { bias = 0 }))
    end)
end)

describe("nn.Sequential", function()
    it("applies its modules in order and counts them", function()
        local net = nn.Sequential { nn.ReLU(), nn.LeakyReLU(0.5), nn.Identity() }
        assert.equal(3, #net)
        assert.same({ 0, 2 }, net(rille.tensor { -4, 2 }):totable())
        assert.same({ "ReLU", "LeakyReLU", "Identity" }, (function()
            local kinds = {}
            for i, module in ipairs(net) do
                kinds[i] = module.class_name
            end
            return kinds
        end)())
    end)

    it("says which of its modules is none", function()
        assert.equal("bad argument #1 to 'Sequential' ([2]: module expected, got number)",
            message_of(nn.Sequential, { nn.Tanh(), 3 }))
        assert.equal("bad argument #1 to 'Sequential' ([2]: module expected, got nil)",
            message_of(nn.Sequential, { nn.Tanh(), nil, nn.Tanh() }))
        assert.equal("bad argument #1 to 'Sequential' ([1]: module expected, got the class Tanh; write Tanh(...))",
            message_of(nn.Sequential, { nn.Tanh }))
        assert.equal("bad argument #1 to 'Sequential' (table of modules expected, got number)", message_of(nn.Sequential, 3))
    end)
end)

describe("nn.Residual", function()
    it("adds what its inner module makes to its input", function()
        local inner, shortcut = nn.Linear(2, 3), nn.Linear(2, 3)
        local x = rille.randn(4, 2)
        assert.same((inner(x) + shortcut(x)):totable(), nn.Residual(inner, shortcut)(x):totable())
        local square = nn.Linear(2, 2)
        assert.same((x + square(x)):totable(), nn.Residual(square)(x):totable())
        assert.equal(4, #nn.Residual(inner, shortcut):parameters())
        assert.equal("bad argument #1 to 'Residual' (net[1]: the input is [4, 2], inner(x) is [4, 3]: add nn.Linear or "
            .. "nn.Conv2d as a second argument, which gives the input that shape)",
            message_of(nn.Sequential { nn.Residual(inner) }, x))
        assert.equal("bad argument #1 to 'Residual' (module expected, got nil)", message_of(nn.Residual))
        assert.equal("bad argument #2 to 'Residual' (module expected, got number)", message_of(nn.Residual, square, 3))
    end)
end)

describe("nn.GLU, nn.Maxout and their kin", function()
    local x = rille.tensor { { 2, 4, 0, 0 }, { 1, 3, -1, 5 } }

    it("are the functions of their names", function()
        for name, f in pairs { Softmin = "softmin", Sparsemax = "sparsemax", Hardmax = "hardmax", GLU = "glu",
            ReGLU = "reglu", BilinearGLU = "bilinear", CReLU = "crelu" } do
            assert.same(rille[f](x):totable(), nn[name]()(x):totable())
            assert.same(rille[f](x, 1):totable(), nn[name](1)(x):totable())
        end
        for _, gate in ipairs(rille.gates) do
            local found = false
            for _, name in ipairs { "GLU", "ReGLU", "BilinearGLU", "GEGLU", "GEGLUTanh", "SwiGLU" } do
                found = found or rawget(nn, name) and name:lower() == gate.name:gsub("_", ""):gsub("^bilinear$", "bilinearglu")
            end
            assert.is_truthy(found, gate.name)
        end
        assert.same({ { 4, 0 }, { 3, 5 } }, nn.Maxout(2)(x):totable())
        assert.matches("Maxout%(k 2, dim %-1%)", tostring(nn.Maxout(2)))
    end)

    it("say what is wrong", function()
        assert.equal("bad argument #1 to 'Maxout' (k: positive integer expected, got 0)", message_of(nn.Maxout, 0))
        assert.equal("bad argument #2 to 'Maxout' (dimension expected (1 is the first, -1 the last), got 0)",
            message_of(nn.Maxout, 2, 0))
        assert.equal("bad argument #1 to 'GLU' (dimension expected (1 is the first, -1 the last), got x)",
            message_of(nn.GLU, "x"))
    end)
end)

describe("nn.Flatten and nn.Softmax", function()
    it("flatten all but the first dimension", function()
        assert.same({ 2, 12 }, nn.Flatten()(rille.zeros(2, 3, 4)):shape())
        assert.same({ 2, 1 }, nn.Flatten()(rille.zeros(2)):shape())
        assert.same({ 0, 0 }, nn.Flatten()(rille.zeros(0, 3)):shape())
        assert.equal("bad argument #1 to 'Flatten' (input is [], expected [n, ...])", message_of(nn.Flatten(), rille.tensor(1)))
    end)

    it("normalise along a dimension", function()
        local x = rille.tensor { { 0, math.log(3) }, { 0, 0 } }
        local y = nn.Softmax()(x):totable()
        close(0.25, y[1][1])
        close(0.5, y[2][2])
        close(0.75, nn.Softmax(1)(x):totable()[1][2])
        close(math.log(0.25), nn.LogSoftmax(-1)(x):totable()[1][1])
        assert.equal("bad argument #1 to 'Softmax' (dimension expected (1 is the first, -1 the last), got 0)",
            message_of(nn.Softmax, 0))
    end)
end)
