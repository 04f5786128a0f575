local rille = require "rille"
local nn = require "rille.nn"

-- The message of the error that f raises, without the position in front of it.
local function message_of(f, ...)
    local ok, message = pcall(f, ...)
    assert.is_false(ok, "an error was expected")
    return (tostring(message):gsub("^[^:]+:%d+: ", "")), tostring(message)
end

local function names_of(net)
    local names = {}
    for name in net:named_parameters() do
        names[#names + 1] = name
    end
    return names
end

local function close(expected, actual, tolerance)
    assert(math.abs(expected - actual) <= (tolerance or 1e-6), ("%.9g expected, got %.9g"):format(expected, actual))
end

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

describe("a module's messages", function()
    local net = nn.Sequential { nn.Linear(64, 64), nn.Sigmoid(), nn.Linear(32, 10) }

    it("name its path and the script's line", function()
        local line = debug.getinfo(1, "l").currentline + 1
        local text, whole = message_of(function() net(rille.zeros(32, 64)) end)
        assert.equal("bad argument #1 to 'Linear' (net[3]: input is [32, 64], expected [*, 32])", text)
        assert.matches("nn_spec%.lua:" .. line .. ": ", whole)
    end)

    it("name the path through fields, tables and nested nets", function()
        local Outer = nn.Module:extend "Outer"
        function Outer:init(inner)
            self.inner = inner
            self.blocks = { nn.Linear(2, 2), { nn.Linear(3, 3) } }
        end
        local outer = Outer(nn.Sequential { nn.Identity(), net })
        assert.equal("net.inner[2][3]", net[3]:path())
        assert.equal("net.blocks[2][1]", outer.blocks[2][1]:path())
        assert.is_nil(outer:path())
        outer.inner = nil
        assert.equal("net[2][3]", net[3]:path())
    end)

    it("name the nearest field", function()
        assert.equal("no 'wieght' in Linear; did you mean 'weight'?", message_of(function() return net[1].wieght end))
        assert.equal("no 'paramters' in Sequential; did you mean 'parameters'?", message_of(function() net:paramters() end))
        assert.equal("no 'xyzzy' in Sequential", message_of(function() return net.xyzzy end))
        assert.equal("no 'Lienar' in rille.nn; did you mean 'Linear'?", message_of(function() return nn.Lienar end))
        assert.equal("no 'xavier_unifrom' in rille.nn.init; did you mean 'xavier_uniform'?",
            message_of(function() return nn.init.xavier_unifrom end))
        assert.is_nil(net[4])
    end)

    it("are cloned with all below them, and share nothing", function()
        rille.manual_seed(1)
        local shared = nn.Linear(3, 3)
        local original = nn.Sequential { shared, nn.Tanh(), nn.Residual(shared), nn.BatchNorm1d(3), nn.PReLU() }
        original[3].inner.weight:requires_grad(false)
        local x = rille.randn(5, 3)
        local y = original:train()(x)
        y:sum():backward()
        original:register_forward_hook(function() error("a copy has no hooks") end)
        original:eval()
        local copy = original:clone()
        assert.equal(copy[1], copy[3].inner)
        assert.not_equal(original[1], copy[1])
        assert.is_false(copy[4].training)
        assert.is_nil(copy[1].bias.grad)
        assert.is_false(copy[1].weight:requires_grad())
        assert.equal(#original:parameters(), #copy:parameters())
        assert.same(original[4].running_mean:totable(), copy[4].running_mean:totable())
        local before = copy(x):totable()
        nn.init.zeros(original[1].weight)
        nn.init.zeros(original[4].running_mean)
        assert.same(before, copy(x):totable())
    end)

    it("have a way around: Residual", function()
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

    it("refuse fields that would hide a method, and plain tensors in a parameter's place", function()
        local layer = nn.Linear(2, 2)
        assert.equal("'state' is a method of every module; choose another name for the field of Linear",
            message_of(function() layer.state = 1 end))
        assert.equal("'weight' is a parameter of Linear: a leaf tensor with requires_grad expected",
            message_of(function() layer.weight = rille.zeros(2, 2) end))
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

describe("activation modules", function()
    it("are there for every row of the registry, and compute what the function computes", function()
        local x = rille.tensor { -3, -0.5, 0, 0.5, 3 }
        local layers = require "rille.nn.layers"
        assert.is_true(#rille.activations >= 5)
        for i = 1, #rille.activations do
            local entry = rille.activations[i]
            local module = nn[layers.activation_name(entry.name)]():eval()
            assert.same(rille[entry.name](x):totable(), module(x):totable())
            assert.equal(entry.name, module.activation.name)
        end
    end)

    it("come by the activation's own name too", function()
        assert.equal("LeakyReLU", nn.activation("leaky_relu", 0.2).class_name)
        assert.equal(0.2, nn.activation("leaky_relu", { negative_slope = 0.2 }).negative_slope)
        assert.matches("did you mean 'relu'", (message_of(nn.activation, "rleu")))
        assert.equal("bad argument #1 to 'activation' (name of an activation expected, got nil)", message_of(nn.activation))
    end)

    it("have PyTorch's spelling", function()
        local layers = require "rille.nn.layers"
        for name, spelling in pairs {
            relu = "ReLU", leaky_relu = "LeakyReLU", sigmoid = "Sigmoid", tanh = "Tanh", identity = "Identity", relu6 = "ReLU6",
            log_sigmoid = "LogSigmoid", silu = "SiLU", gelu = "GELU", hard_tanh = "Hardtanh", prelu = "PReLU", mish = "Mish",
            softplus = "Softplus", soft_shrink = "Softshrink", celu = "CELU", rrelu = "RReLU",
        } do
            assert.equal(spelling, layers.activation_name(name))
        end
    end)

    it("take parameters by place and by name", function()
        local x = rille.tensor { -2, 2 }
        assert.same({ -0.5, 2 }, nn.LeakyReLU(0.25)(x):totable())
        assert.same({ -0.5, 2 }, nn.LeakyReLU { negative_slope = 0.25 }(x):totable())
        close(-0.02, nn.LeakyReLU()(x):totable()[1])
        local module = nn.LeakyReLU()
        module.negative_slope = 0.25
        assert.same({ -0.5, 2 }, module(x):totable())
    end)

    it("say what is wrong with parameters and inputs", function()
        assert.equal("bad argument #1 to 'LeakyReLU' (unknown option 'negative_slop'; did you mean 'negative_slope'?)",
            message_of(nn.LeakyReLU, { negative_slop = 1 }))
        assert.equal("bad argument #1 to 'LeakyReLU' (negative_slope: number expected, got string)",
            message_of(nn.LeakyReLU, "a"))
        assert.matches("^bad argument #1 to 'LeakyReLU' %(negative_slope is nan, expected ", (message_of(nn.LeakyReLU, 0 / 0)))
        assert.equal("bad argument #1 to 'Tanh' (no parameters expected)", message_of(nn.Tanh, 1))
        assert.equal("bad argument #1 to 'Tanh' (input is int64, expected float32 or float64)",
            message_of(nn.Tanh(), rille.zeros(2, { dtype = "int64" })))
        local net = nn.Sequential { nn.Tanh() }
        assert.equal("bad argument #1 to 'Tanh' (net[1]: tensor expected, got string)", message_of(net, "x"))
    end)
end)

describe("activations with learnable parameters", function()
    it("are learned by PReLU, of one element or one a channel", function()
        local one, three = nn.PReLU(), nn.PReLU(3, -0.5)
        assert.same({ "weight" }, names_of(one))
        assert.same({ 0.25 }, one.weight:totable())
        assert.same({ -0.5, -0.5, -0.5 }, three.weight:totable())
        assert.equal("float64", nn.PReLU(1, 0.5, { dtype = "float64" }).weight:dtype())
        assert.matches("weight: 3 learnable", tostring(three))
        assert.same({ { 0.5, 2, 1 } }, three(rille.tensor { { -1, 2, -2 } }):totable())
        three(rille.tensor { { -1, 2, -2 }, { -3, -4, 5 } }):sum():backward()
        assert.same({ -4, -4, -2 }, three.weight.grad:totable())
        assert.equal(0.125, nn.PReLU { weight = 0.125, learnable = false }.weight)
        assert.same({ 0.5 }, nn.PReLU { weight = 0.5 }.weight:totable())
        assert.equal("PReLU", nn.activation("prelu").class_name)
    end)

    it("are learned by any other that is asked to", function()
        local snake = nn.Snake { alpha = 0.5, learnable = true, channels = 2 }
        assert.same({ 0.5, 0.5 }, snake.alpha:totable())
        local x = rille.randn(4, 2, { dtype = "float64" })
        local ok = rille.gradcheck(function(at, alpha)
            return rille.snake(at, { alpha = alpha })
        end, { x:requires_grad(true), rille.tensor({ 0.5, 1.5 }, { dtype = "float64", requires_grad = true }) })
        assert.is_true(ok)
        assert.equal(0.5, nn.Snake { alpha = 0.5 }.alpha)
        assert.equal(2, #nn.Affine { learnable = true }:parameters())
        local net = nn.Sequential { nn.Linear(2, 3), nn.Snake { learnable = true, channels = 3 } }
        local copy = nn.Sequential { nn.Linear(2, 3), nn.Snake { learnable = true, channels = 3 } }
        copy:load_state(net:state())
        net(rille.ones(5, 2)):sum():backward()
        assert.same({ 3 }, net[2].alpha.grad:shape())
        assert.same(net(rille.ones(5, 2)):totable(), copy(rille.ones(5, 2)):totable())
    end)

    it("are measured with their tensors", function()
        local flow = require "rille.flow"
        local net = nn.Sequential { nn.Linear(2, 2), nn.PReLU { weight = 0, channels = 2 } }
        local probe = flow.probe(net)
        net(rille.randn(50, 2)):sum():backward()
        assert.is_true(tostring(probe):find("PReLU", 1, true) ~= nil)
        assert.equal(0.5, rille.measure_saturated(rille.tensor { { -1, 1 } }, "prelu", 1e-3, { weight = rille.zeros(1) }))
        assert.same({ { 0.5, 1 } }, rille.derivative("prelu", rille.tensor { { -1, 1 } }, { weight = rille.full({ 1 }, 0.5) })
            :totable())
    end)

    it("say what is wrong", function()
        assert.equal("bad argument #1 to 'PReLU' (num_parameters: positive integer expected, got 0)", message_of(nn.PReLU, 0))
        assert.equal("bad argument #2 to 'PReLU' (init: number expected, got string)", message_of(nn.PReLU, 1, "a"))
        assert.equal("bad argument #1 to 'Snake' (option 'channels' goes with learnable=true)",
            message_of(nn.Snake, { channels = 3 }))
        assert.equal("bad argument #1 to 'LeakyReLU' (unknown option 'learnable')",
            message_of(nn.LeakyReLU, { learnable = true }))
        assert.equal("prelu: parameter weight is [3]; for x of shape [2, 5], [1] or [5] is expected",
            message_of(nn.PReLU(3), rille.zeros(2, 5)))
        assert.equal("bad argument #2 to 'leaky_relu' (number or table of parameters expected, got tensor)",
            message_of(rille.leaky_relu, rille.zeros(1), rille.zeros(1)))
        assert.equal("bad argument #2 to 'prelu' (option 'weight' must be a number or tensor, got string)",
            message_of(rille.prelu, rille.zeros(1), { weight = "a" }))
    end)
end)

describe("nn.RReLU", function()
    it("draws slopes in training and takes their mean in evaluation", function()
        local x, module = rille.full({ 1000 }, -1), nn.RReLU { lower = 0.25, upper = 0.75 }
        rille.manual_seed(3)
        local first, second = module(x), module(x)
        assert.is_true(-first:max(1):item() >= 0.25 and first:neg():max(1):item() < 0.75)
        assert.is_true(first:neg():max(1):item() - -first:max(1):item() > 0.45)
        assert.is_false(rille.eq(first, second):mean():item() > 0.1)
        rille.manual_seed(3)
        assert.same(first:totable(), module(x):totable())
        assert.same({ -0.5 }, module:eval()(rille.full({ 1 }, -1)):totable())
        assert.equal("rrelu_training: lower is 0.5, upper 0.25; two numbers with lower <= upper, a finite distance apart, "
            .. "expected",
            message_of(rille.rrelu_training, x, 0.5, 0.25))
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

describe("a module of one's own", function()
    -- The ten lines.
    local Residual = nn.Module:extend "Residual"
    function Residual:init(inner)
        self.inner = inner
        self.scale = rille.full({ 1 }, 0.5, { requires_grad = true })
    end
    function Residual:forward(x)
        return x + self.scale * self.inner(x)
    end

    it("computes, trains and is found by walks", function()
        local block = Residual(nn.Linear(2, 2))
        local net = nn.Sequential { block, nn.Linear(2, 1) }
        assert.same({ "[1].scale", "[1].inner.weight", "[1].inner.bias", "[2].weight", "[2].bias" }, names_of(net))
        net(rille.ones(3, 2)):sum():backward()
        assert.same({ 1 }, block.scale.grad:shape())
        assert.same({ 2, 2 }, block.inner.weight.grad:shape())
        net:zero_grad()
        assert.is_nil(block.scale.grad)
        assert.is_nil(block.inner.weight.grad)
    end)

    it("may be extended, and may keep modules in plain tables", function()
        local Stack = nn.Module:extend "Stack"
        function Stack:init(n)
            self.layers = {}
            for i = 1, n do
                self.layers[i] = nn.Linear(2, 2, { bias = false })
            end
        end
        function Stack:forward(x)
            for _, layer in ipairs(self.layers) do
                x = layer(x)
            end
            return x
        end
        local Scaled = Stack:extend "Scaled"
        function Scaled:forward(x)
            return Stack.forward(self, x) * 2
        end
        local stack = Scaled(2)
        assert.same({ "layers[1].weight", "layers[2].weight" }, names_of(stack))
        nn.init.constant(stack.layers[1].weight, 1)
        nn.init.constant(stack.layers[2].weight, 1)
        assert.same({ { 8, 8 } }, stack(rille.ones(1, 2)):totable())
        assert.equal("net.layers[2]", stack.layers[2]:path())
    end)

    it("is told when it has no forward, or no class to extend", function()
        assert.equal("bad argument #1 to 'extend' (class expected, got Linear; write nn.Module:extend \"Name\")",
            message_of(function() nn.Linear(2, 2):extend "X" end))
        assert.equal("bad argument #1 to 'extend' (class expected, got string; write nn.Module:extend \"Name\")",
            message_of(nn.Module.extend, "X"))
        assert.equal("Empty has no forward: define function Empty:forward(x)", message_of(nn.Module:extend "Empty"()))
    end)

    it("may use fields that are empty once they were assigned", function()
        local Lazy = nn.Module:extend "Lazy"
        function Lazy:init()
            self.cache = nil
        end
        local lazy = Lazy()
        assert.is_nil(lazy.cache)
        lazy.cache = 3
        assert.equal(3, lazy.cache)
        assert.matches("no 'cash' in Lazy", (message_of(function() return lazy.cash end)))
    end)

    it("shares parameters and modules without counting them twice", function()
        local shared = nn.Linear(2, 2)
        local net = nn.Sequential { shared, nn.Tanh(), shared }
        assert.same({ "[1].weight", "[1].bias" }, names_of(net))
        assert.equal(3, #net:modules())
        local tied = nn.Linear(2, 2)
        tied.weight = shared.weight
        assert.equal(3, #nn.Sequential { shared, tied }:parameters())
    end)

    it("replaces parameters in place of the old ones", function()
        local layer = nn.Linear(2, 2)
        local weight = rille.ones(2, 2, { requires_grad = true })
        layer.weight = weight
        assert.same({ "weight", "bias" }, names_of(layer))
        assert.equal(weight, layer:parameters()[1])
        layer.bias = nil
        assert.same({ "weight" }, names_of(layer))
    end)

    it("keeps a frozen parameter among its parameters", function()
        local layer = nn.Linear(2, 2)
        layer.weight:requires_grad(false)
        assert.equal(2, #layer:parameters())
        assert.is_not_nil(layer:state().weight)
    end)
end)

describe("hooks", function()
    it("see inputs and output, may replace it, and end", function()
        local layer, seen = nn.ReLU(), {}
        local handle = layer:register_forward_hook(function(module, inputs, output)
            seen = { module, inputs[1]:totable(), output:totable() }
        end)
        local double = layer:register_forward_hook(function(_, _, output)
            return output * 2
        end)
        assert.same({ 0, 6 }, layer(rille.tensor { -1, 3 }):totable())
        assert.same({ layer, { -1, 3 }, { 0, 3 } }, seen)
        double:remove()
        handle:remove()
        seen = nil
        assert.same({ 0, 3 }, layer(rille.tensor { -1, 3 }):totable())
        assert.is_nil(seen)
    end)

    it("run at the end of a pass that fails, where they are to", function()
        local layer, seen = nn.Linear(2, 3), {}
        local handle = layer:register_forward_hook(function(module, inputs, output)
            seen[#seen + 1] = { module, inputs.n, output and output:shape() or "none" }
        end, { always_call = true })
        assert.same({ 4, 3 }, layer(rille.zeros(4, 2)):shape())
        assert.is_false(pcall(layer, rille.zeros(4, 5)))
        assert.same({ { layer, 1, { 4, 3 } }, { layer, 1, "none" } }, seen)
        handle:remove()
        layer(rille.zeros(4, 2))
        assert.equal(2, #seen)
        assert.equal("bad argument #2 to 'register_forward_hook' (unknown option 'always')",
            message_of(layer.register_forward_hook, layer, print, { always = true }))
    end)

    it("may put another input in the place of the first, before forward", function()
        local layer = nn.ReLU()
        layer:register_forward_pre_hook(function(_, inputs)
            return -inputs[1]
        end)
        assert.same({ 1, 0 }, layer(rille.tensor { -1, 3 }):totable())
    end)

    it("see the gradient on its way back, and may replace it", function()
        local net, seen = nn.Sequential { nn.Linear(2, 2, { bias = false }), nn.Tanh() }, {}
        net[1].weight:copy_(rille.tensor { { 1, 0 }, { 0, 1 } })
        local function see(module, gradient)
            seen[#seen + 1] = { module, gradient:totable() }
        end
        local handle = net[1]:register_backward_hook(see)
        local twice = net[1]:register_backward_hook(see)
        local triple = net[2]:register_backward_hook(function(_, gradient)
            return gradient * 3
        end)
        local x = rille.zeros(1, 2, { requires_grad = true })
        net(x):sum():backward()
        assert.same({ { net[1], { { 3, 3 } } }, { net[1], { { 3, 3 } } } }, seen)
        assert.same({ { 3, 3 } }, x.grad:totable())
        twice:remove()
        twice:remove()
        triple:remove()
        net(x):sum():backward()
        assert.same({ net[1], { { 1, 1 } } }, seen[3])
        assert.equal(3, #seen)
        handle:remove()
        net(x):sum():backward()
        assert.equal(3, #seen)
        rille.no_grad(net, x)
        assert.equal("bad argument #1 to 'register_backward_hook' (function expected, got number)",
            message_of(net.register_backward_hook, net, 1))
    end)

    it("run before forward too, and may remove themselves", function()
        local layer, calls, handle = nn.ReLU(), 0, nil
        handle = layer:register_forward_pre_hook(function(_, inputs)
            calls = calls + inputs.n
            handle:remove()
        end)
        layer(rille.zeros(1))
        layer(rille.zeros(1))
        assert.equal(1, calls)
        assert.equal("bad argument #1 to 'register_forward_hook' (function expected, got nil)",
            message_of(layer.register_forward_hook, layer))
    end)
end)

describe("train and eval", function()
    it("reach every module", function()
        local net = nn.Sequential { nn.Linear(2, 2), nn.Sequential { nn.Tanh() } }
        assert.is_true(net[2][1].training)
        assert.equal(net, net:eval())
        assert.is_false(net[2][1].training)
        net:train()
        assert.is_true(net[1].training)
    end)
end)

describe("state and load_state", function()
    local function make()
        return nn.Sequential { nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2) }
    end

    it("carry a net over to another", function()
        local a, b = make(), make()
        local state = a:state()
        assert.same({ 4, 3 }, state["[1].weight"]:shape())
        assert.is_false(state["[1].weight"]:requires_grad())
        assert.equal(b, b:load_state(state))
        local x = rille.randn(5, 3)
        assert.same(a(x):totable(), b(x):totable())
        assert.is_true(b[1].weight:requires_grad())
        a[1].weight:copy_(rille.zeros(4, 3))
        assert.same(b[1].weight:totable(), state["[1].weight"]:totable())
        assert.are_not.same(a(x):totable(), b(x):totable())
    end)

    it("include buffers", function()
        local layer = nn.Identity()
        layer:register_buffer("count", rille.tensor { 1, 2 })
        assert.same({ 1, 2 }, layer:state().count:totable())
        assert.equal(0, #layer:parameters())
        layer:load_state { count = rille.tensor { 3, 4 } }
        assert.same({ 3, 4 }, layer.count:totable())
    end)

    it("list every difference and change nothing", function()
        local net = make()
        local before = net:state()
        local state = net:state()
        state["[1].weight"] = rille.zeros(4, 4)
        state["[1].bias"] = 3
        state["[3].bias"] = nil
        state["[4].bias"] = rille.zeros(10)
        assert.equal("bad argument #1 to 'load_state' (4 differences: '[1].weight' is [4, 4], expected [4, 3]; "
            .. "'[1].bias' is a number, expected a tensor; missing: '[3].bias' [2]; not in the net: '[4].bias' [10])",
            message_of(net.load_state, net, state))
        assert.same(before["[3].weight"]:totable(), net[3].weight:totable())
        state["[3].weight"] = rille.ones(2, 4)
        net:load_state(state, { strict = false })
        assert.same(rille.ones(2, 4):totable(), net[3].weight:totable())
        assert.same(before["[1].weight"]:totable(), net[1].weight:totable())
        assert.equal("bad argument #1 to 'load_state' (table of tensors expected, got nil)", message_of(net.load_state, net))
    end)
end)

describe("net:to", function()
    it("converts parameters and keeps ties", function()
        local shared = nn.Linear(2, 2)
        local net = nn.Sequential { shared, shared }:to("float64")
        assert.equal("float64", net[1].weight:dtype())
        assert.equal(2, #net:parameters())
        assert.is_true(net[1].weight:requires_grad())
        assert.equal("float64", net(rille.zeros(1, 2, { dtype = "float64" })):dtype())
        assert.equal('bad argument #1 to \'to\' ("float32" or "float64" expected, got "int8")', message_of(net.to, net, "int8"))
    end)
end)

describe("print(net)", function()
    it("shows layers, shapes and parameter counts", function()
        local net = nn.Sequential {
            nn.Linear(64, 1000), nn.LeakyReLU(0.2), nn.Sequential { nn.Linear(1000, 10, { bias = false }) },
        }
        assert.equal(table.concat({
            "module                                parameters                           number",
            "Sequential",
            "  [1] Linear(64 -> 1000)              weight [1000, 64], bias [1000]       65,000",
            "  [2] LeakyReLU(negative_slope=0.2)",
            "  [3] Sequential",
            "    [1] Linear(1000 -> 10, no bias)   weight [10, 1000]                    10,000",
            "total                                                                      75,000",
        }, "\n"):gsub(" +", " "), (tostring(net):gsub(" +", " ")))
    end)
end)

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

describe("methods", function()
    it("say so when they are called with a dot", function()
        local optim, flow = require "rille.optim", require "rille.flow"
        local net = nn.Sequential { nn.Linear(2, 2) }
        local sgd, probe = optim.SGD(net:parameters(), { lr = 0.1 }), flow.probe(net)
        local function message(f, ...)
            local ok, problem = pcall(f, ...)
            assert.is_false(ok)
            return (problem:gsub("^[^:]*:%d+: ", ""))
        end
        assert.are.equal("bad self for 'parameters' (module expected, got nil; methods are called with ':')",
            message(net.parameters))
        assert.are.equal("bad self for 'train' (module expected, got boolean; methods are called with ':')",
            message(net.train, true))
        assert.are.equal("bad self for 'step' (optimizer expected, got nil; methods are called with ':')", message(sgd.step))
        assert.are.equal("bad self for 'record' (probe expected, got tensor; methods are called with ':')",
            message(probe.record, rille.zeros(1)))
        probe:detach()
    end)

    it("show a net that holds itself", function()
        local net = nn.Sequential { nn.Linear(2, 2) }
        net.me = net
        assert.is_truthy(tostring(net):find("me Sequential %(above%)"))
    end)
end)
