local rille = require "rille"
local nn = require "rille.nn"
local optim = require "rille.optim"

-- Bytes of this process in memory.
local function resident()
    local file = assert(io.open("/proc/self/statm"))
    local _, pages = file:read("n", "n")
    file:close()
    return pages * 4096
end

describe("a training loop of 100,000 steps", function()
    it("stays flat in memory without a call of collectgarbage", function()
        rille.manual_seed(1)
        local net = nn.Sequential { nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2) }
        local optimizer = optim.SGD(net:parameters(), { lr = 0.1, momentum = 0.9 })
        local x = rille.tensor { { 0, 0 }, { 0, 1 }, { 1, 0 }, { 1, 1 } }
        local y = rille.tensor({ 1, 2, 2, 1 }, { dtype = "int64" })
        local early, loss = {}, nil
        for step = 1, 100000 do
            optimizer:zero_grad()
            loss = rille.cross_entropy(net(x), y)
            loss:backward()
            optimizer:step()
            if step == 20000 then
                early = { peak = rille.memory().peak, system = rille.memory().system_allocations, resident = resident() }
            end
        end
        assert.is_true(loss:item() < 0.01)
        local late = rille.memory()
        assert.is_true(late.peak <= 1.25 * early.peak + 65536, ("peak %d -> %d bytes"):format(early.peak, late.peak))
        assert.is_true(late.system_allocations <= early.system + 64,
            ("system allocations %d -> %d"):format(early.system, late.system_allocations))
        assert.is_true(resident() <= early.resident + 8 * 2 ^ 20,
            ("resident %d -> %d bytes"):format(early.resident, resident()))
    end)
end)
