-- The modules of activations, with parameters that are given, learned or drawn.
local rille = require "rille"
local nn = require "rille.nn"
local support = require "support"
local close, message_of, names_of = support.close, support.message_of, support.names_of

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
