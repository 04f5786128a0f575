-- What a module holds, carried over, converted, copied.
local rille = require "rille"
local nn = require "rille.nn"
local support = require "support"
local message_of = support.message_of

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

describe("net:clone", function()
    it("is a copy of all that is below, which shares nothing", function()
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
end)
