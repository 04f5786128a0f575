local rille = require "rille"
local interpreter = require("support").interpreter

local MIB = 2 ^ 20

-- Bytes in tensors when all garbage is gone.
local function live()
    collectgarbage()
    collectgarbage()
    return rille.memory().current
end

-- Runs a script in a Lua of its own; returns what it printed and its exit status.
local function run(script)
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(script)
    file:close()
    local pipe = assert(io.popen(("%s '%s' 2>&1"):format(interpreter(), path)))
    local output = pipe:read("a")
    local _, _, status = pipe:close()
    os.remove(path)
    return output, status
end

describe("a long loop", function()
    it("of small operations stays flat without a call of collectgarbage", function()
        local x = rille.ones(8)
        local base = live()
        local lua, engine = 0, 0
        for step = 1, 100000 do
            local y = (x * 2 + 1):tanh():sum()
            assert(y:dim() == 0)
            if step % 1000 == 0 then
                lua = math.max(lua, collectgarbage("count"))
                engine = math.max(engine, rille.memory().current)
            end
        end
        assert.is_true(engine - base < 24 * MIB, ("%.1f MiB in tensors"):format((engine - base) / MIB))
        assert.is_true(lua < 64 * 1024, ("%.1f MiB in Lua"):format(lua / 1024))
        assert.is_true(live() <= base)
    end)

    it("of large tensors stays flat, though Lua sees few bytes of them", function()
        local base = live()
        local most = 0
        for _ = 1, 300 do
            rille.zeros(512, 512)
            most = math.max(most, rille.memory().current)
        end
        assert.is_true(most - base <= 32 * MIB, ("%.1f MiB"):format((most - base) / MIB))
    end)

    it("stays within a few MiB where the collector is generational", function()
        local base, most = live(), 0
        local before = collectgarbage("generational")
        for _ = 1, 2000 do
            rille.zeros(64, 64)
            most = math.max(most, rille.memory().current)
        end
        collectgarbage(before)
        assert.is_true(most - base <= 5 * MIB, ("%.1f MiB"):format((most - base) / MIB))
    end)

    it("leaves the collector alone where the script has stopped it", function()
        live()
        collectgarbage("stop")
        local before = rille.memory().current
        for _ = 1, 40 do
            rille.zeros(512, 512)
        end
        local grown = rille.memory().current - before
        collectgarbage("restart")
        assert.is_true(grown >= 40 * MIB)
        rille.zeros(512, 512)
        assert.is_true(rille.memory().current < before + 40 * MIB)
    end)

    it("of training steps and graphs that are dropped stays flat", function()
        local w = rille.ones(64, 64, { requires_grad = true })
        local x = rille.ones(32, 64)
        local base, most = live(), 0
        for step = 1, 2000 do
            local loss = x:matmul(w):tanh():matmul(w):mean()
            if step % 2 == 0 then
                loss:backward()
                w.grad = nil
            end
            most = math.max(most, rille.memory().current)
        end
        assert.is_true(most - base <= 24 * MIB, ("%.1f MiB"):format((most - base) / MIB))
        assert.is_true(live() <= base)
    end)
end)

describe("t:free and <close>", function()
    it("give the memory back at once", function()
        local before = live()
        local t = rille.zeros(1000)
        assert.is_true(rille.memory().current >= before + 4000)
        t:free()
        assert.equal(before, rille.memory().current)
        t:free()
        do
            local u <close> = rille.zeros(1000)
            assert.equal(1000, #u)
        end
        assert.equal(before, rille.memory().current)
        assert.equal("tensor (freed)", tostring(t))
    end)

    it("leave views alone", function()
        local t = rille.tensor { { 1, 2 }, { 3, 4 } }
        local row = t[2]
        t:free()
        assert.same({ 3, 4 }, row:totable())
    end)
end)

describe("rille.scope", function()
    it("frees what was made in it but for results and what was kept", function()
        local before = live()
        local kept
        local a, text = rille.scope(function(n)
            local x = rille.ones(n)
            kept = rille.keep(x + 1)
            return x * 3, "text"
        end, 1000)
        assert.equal("text", text)
        assert.equal(3, a[1000])
        assert.equal(2, kept[1])
        local both = rille.memory().current - before
        a:free()
        kept:free()
        assert.equal(before, rille.memory().current)
        assert.is_true(both < 3 * 4000 + 4000)
    end)

    it("ends on an error too", function()
        local before = live()
        local object, lost = {}, nil
        local ok, raised = pcall(rille.scope, function()
            lost = rille.zeros(1000)
            error(object)
        end)
        assert.is_false(ok)
        assert.equal(object, raised)
        assert.equal(before, rille.memory().current)
        assert.equal("tensor (freed)", tostring(lost))
        local co = coroutine.create(rille.scope)
        coroutine.resume(co, function()
            lost = rille.zeros(1000)
            error(object)
        end)
        assert.equal("tensor (freed)", tostring(lost))
        local outside = rille.ones(1)
        assert.equal(1, outside[1])
    end)

    it("nests: a result belongs to the scope around", function()
        local inner, older
        rille.scope(function()
            older = rille.ones(1)
            inner = rille.scope(function()
                return rille.ones(2), older
            end)
            assert.equal(2, #inner)
        end)
        assert.equal("tensor (freed)", tostring(inner))
        assert.equal("tensor (freed)", tostring(older))
        local before = rille.ones(1)
        local same = rille.scope(function()
            return before
        end)
        assert.equal(before, same)
        assert.equal(1, before[1])
    end)

    it("goes well with the collector", function()
        local x = rille.ones(10)
        rille.scope(function()
            for _ = 1, 5000 do
                x = rille.keep(x * 1)
            end
            collectgarbage()
        end)
        assert.equal(1, x[1])
    end)
end)

describe("memory that is not there", function()
    it("is an error, after which all goes on", function()
        local ok, message = pcall(rille.zeros, 2 ^ 46)
        assert.is_false(ok)
        assert.matches("memory", message)
        assert.same({ 0 }, rille.zeros(1):totable())
        local wide = rille.zeros(1):expand(2 ^ 46)
        assert.equal(2 ^ 46, wide:numel())
        for _, f in ipairs { wide.totable, wide.clone, rille.exp } do
            assert.has_error(function()
                f(wide)
            end)
        end
    end)
end)

describe("rille.memory_limit", function()
    local nn, optim = require "rille.nn", require "rille.optim"

    local function train()
        rille.manual_seed(1)
        local net = nn.Sequential { nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2) }
        local sgd = optim.SGD(net:parameters(), { lr = 0.1, momentum = 0.9 })
        for _ = 1, 2 do
            sgd:zero_grad()
            rille.cross_entropy(net(rille.randn(5, 3)), { 1, 2, 1, 2, 1 }):backward()
            sgd:step()
        end
        return net[1].weight:totable()
    end

    it("is kept at every size, with a clean error, no leak, and a context that goes on", function()
        local undisturbed = train()
        local base, failures, room = live(), 0, 64
        repeat
            rille.memory_limit(base + room)
            local ok, message = pcall(train)
            rille.memory_limit(0)
            if not ok then
                failures = failures + 1
                assert.matches("out of memory: %d+ bytes wanted, %d+ in use, the limit is %d+$", message)
            end
            assert.equal(base, live())
            room = room + 64
        until ok
        assert.is_true(failures > 20)
        assert.same(undisturbed, train())
    end)

    it("may be below what is in use, and is no number but a whole one from 0", function()
        local t = rille.ones(1000)
        rille.memory_limit(1)
        assert.is_false(pcall(rille.ones, 2000000))
        assert.equal(1, rille.memory_limit())
        assert.equal(0, rille.memory_limit(0))
        assert.equal(1000, t:sum():item())
        assert.has_error(function() rille.memory_limit(-1) end)
        assert.has_error(function() rille.memory_limit(0.5) end)
    end)
end)

describe("finalisers", function()
    it("of the script may use and free tensors", function()
        local base = live()
        local seen = 0
        for _ = 1, 200 do
            local t = rille.ones(100)
            setmetatable({}, {
                __gc = function()
                    seen = seen + (t + 1)[1]
                    t:free()
                end,
            })
        end
        assert.is_true(live() <= base)
        assert.equal(400, seen)
    end)

    it("run in any order when the Lua state ends", function()
        local output, status = run [[
            first = setmetatable({}, { __gc = function() print(pcall(function() return last + 1 end)) last:free() end })
            local rille = require "rille"
            kept = rille.ones(10)
            second = setmetatable({}, { __gc = function() last = kept:clone() print(last:sum():item()) end })
            rille.scope(function()
                rille.ones(3)
                rille.no_grad(function()
                    inner = rille.ones(4)
                    os.exit(true, true)
                end)
            end)
        ]]
        assert.matches("^10.0\nfalse\t[^\n]*: rille is closed: the Lua state is ending\n$", output)
        assert.equal(0, status)
    end)

    it("run in a coroutine that ends the Lua state", function()
        local output, status = run [[
            local rille = require "rille"
            coroutine.wrap(function()
                rille.scope(function()
                    a = rille.ones(3)
                    os.exit(true, true)
                end)
            end)()
        ]]
        assert.equal("", output)
        assert.equal(0, status)
    end)
end)
