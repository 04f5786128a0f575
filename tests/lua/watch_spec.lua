local rille = require "rille"
local flow = require "rille.flow"
local nn = require "rille.nn"

local function message_of(f, ...)
    local ok, message = pcall(f, ...)
    assert.is_false(ok, "an error was expected")
    return tostring(message)
end

describe("flow.watch", function()
    local function net_of(...)
        rille.manual_seed(1)
        return nn.Sequential { nn.Linear(3, 4), nn.Tanh(), nn.Sequential { nn.Linear(4, 4), ... }, nn.Linear(4, 2) }
    end

    it("says nothing of a net that is well, nor after it was closed", function()
        local net = net_of(nn.ReLU())
        local watch = flow.watch(net)
        for _ = 1, 3 do
            net(rille.randn(5, 3)):sum():backward()
        end
        assert.equal(3, watch.step)
        watch:close()
        net[1].weight:detach()[{ 1, 1 }] = 0 / 0
        net(rille.randn(5, 3)):sum():backward()
    end)

    it("names path, step, operation and line of the first NaN", function()
        local Log = nn.Module:extend "Log"
        local line
        function Log:forward(x) -- luacheck: no unused args
            line = debug.getinfo(1, "l").currentline + 1
            return rille.log(x)
        end
        local net = net_of(Log())
        local watch <close> = flow.watch(net)
        local message = message_of(net, rille.randn(5, 3))
        assert.matches("watch: step 1: net%[3%]%[2%] %(Log%): its output has %d+ NaN of 20 elements %(", message)
        assert.matches(("watch_spec%%.lua:%d: log: "):format(line), message)
        assert.equal(1, watch.step)
    end)

    it("blames the input where that is to blame, and the weight where it is", function()
        local net = net_of()
        local watch <close> = flow.watch(net) -- luacheck: ignore 211
        local x = rille.randn(5, 3)
        x[{ 2, 1 }] = math.huge
        assert.matches("watch: step 1: net%[1%] %(Linear%): its input 1 has 1 infinity of 15 elements", message_of(net, x))
        net[3][1].weight:detach()[{ 1, 1 }] = 0 / 0
        assert.matches("watch: step 2: net%[3%]%[1%] %(Linear%): its output has 5 NaN of 20 elements",
            message_of(net, rille.randn(5, 3)))
    end)

    it("stops at the first bad gradient, from the loss back", function()
        local Root = nn.Module:extend "Root" -- the slope of a root is infinite at 0, where that of relu is 0
        function Root:forward(x) -- luacheck: no unused args
            return rille.sqrt(rille.relu(x))
        end
        local net = net_of(Root())
        local watch <close> = flow.watch(net)
        local y = net(rille.randn(5, 3))
        assert.matches("watch: step 1: net%[3%]%[1%] %(Linear%): the gradient with respect to its output has %d+ NaN of 20",
            message_of(function() y:sum():backward() end))
        assert.equal(1, watch.step)
    end)

    it("leaves buffers and random numbers as they are, and ends when closed", function()
        local Noisy = nn.Module:extend "Noisy" -- BatchNorm and Dropout, and then NaN
        function Noisy:init()
            self.norm, self.dropout = nn.BatchNorm1d(4), nn.Dropout(0.5)
        end
        function Noisy:forward(x)
            return self.dropout(self.norm(x)) / 0 * 0
        end
        local net, x = nn.Sequential { Noisy() }, rille.randn(5, 4)
        local plain = net:clone()
        local watch = flow.watch(net)
        rille.manual_seed(5)
        plain(x)
        local random = rille.rng_state()
        rille.manual_seed(5)
        assert.is_false(pcall(net, x))
        assert.same(random, rille.rng_state())
        assert.same(plain[1].norm.running_mean:totable(), net[1].norm.running_mean:totable())
        watch:close()
        net = net_of()
        watch = flow.watch(net)
        local loss = rille.sum(net(rille.randn(5, 3)) * rille.zeros(5, 2) * math.huge)
        watch:close()
        loss:backward()
    end)

    it("takes a limit", function()
        local net = net_of()
        nn.init.constant(net[4].bias, 1e7)
        local watch <close> = flow.watch(net, { limit = 1e6 })
        assert.matches("net%[4%] %(Linear%): its output has an element as large as 1e%+07", message_of(net, rille.randn(5, 3)))
        assert.matches("bad argument #2 to 'watch' %(option 'limit': number above 0 expected, got %-1%)",
            message_of(flow.watch, net, { limit = -1 }))
        assert.matches("bad argument #1 to 'watch' %(module expected, got nil%)", message_of(flow.watch))
        assert.is_not_nil(watch)
    end)
end)
