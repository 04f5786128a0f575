-- What every module has: messages, classes of one's own, hooks, modes.
local rille = require "rille"
local nn = require "rille.nn"
local support = require "support"
local message_of, names_of = support.message_of, support.names_of

describe("a module's messages", function()
    local net = nn.Sequential { nn.Linear(64, 64), nn.Sigmoid(), nn.Linear(32, 10) }

    it("name its path and the script's line", function()
        local line = debug.getinfo(1, "l").currentline + 1
        local _, message = pcall(function() net(rille.zeros(32, 64)) end)
        assert.matches("modules_spec%.lua:" .. line .. ": bad argument #1 to 'Linear' %(net%[3%]: input is %[32, 64%], "
            .. "expected %[%*, 32%]%)$", message)
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

    it("refuse fields that would hide a method, and plain tensors in a parameter's place", function()
        local layer = nn.Linear(2, 2)
        assert.equal("'state' is a method of every module; choose another name for the field of Linear",
            message_of(function() layer.state = 1 end))
        assert.equal("'weight' is a parameter of Linear: a leaf tensor with requires_grad expected",
            message_of(function() layer.weight = rille.zeros(2, 2) end))
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

describe("methods", function()
    it("say so when they are called with a dot", function()
        local optim, flow = require "rille.optim", require "rille.flow"
        local net = nn.Sequential { nn.Linear(2, 2) }
        local sgd, probe = optim.SGD(net:parameters(), { lr = 0.1 }), flow.probe(net)
        assert.are.equal("bad self for 'parameters' (module expected, got nil; methods are called with ':')",
            message_of(net.parameters))
        assert.are.equal("bad self for 'train' (module expected, got boolean; methods are called with ':')",
            message_of(net.train, true))
        assert.are.equal("bad self for 'step' (optimizer expected, got nil; methods are called with ':')", message_of(sgd.step))
        assert.are.equal("bad self for 'record' (probe expected, got tensor; methods are called with ':')",
            message_of(probe.record, rille.zeros(1)))
        probe:detach()
    end)

    it("show a net that holds itself", function()
        local net = nn.Sequential { nn.Linear(2, 2) }
        net.me = net
        assert.is_truthy(tostring(net):find("me Sequential %(above%)"))
    end)
end)
