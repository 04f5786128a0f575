local rille = require "rille"
local nn = require "rille.nn"
local profiling = require "rille.profiling"

local function row_of(report, operation, backward)
    for _, row in ipairs(report.rows) do
        if row.operation == operation and row.backward == backward then
            return row
        end
    end
    error("there is no row of " .. operation)
end

-- First of all, while no machine is known yet.
describe("the machine, under a memory limit,", function()
    before_each(function()
        collectgarbage()
        rille.memory_limit(rille.memory().current + (8 << 20))
    end)
    after_each(function()
        rille.memory_limit(0)
    end)

    it("is measured as far as memory goes, and the report says so", function()
        local report, five = rille.profile(function() return 5 end)
        assert.equal(5, five)
        assert(report.machine.flops > 1e6)
        assert.equal(0, report.machine.bytes)
        assert.is_truthy(tostring(report):find("GFLOP/s in products, copies not measured, too little memory$"),
            tostring(report))
    end)

    it("leaves no profile on where the measuring itself fails", function()
        rille.memory_limit(rille.memory().current + (1 << 20) + 4096) -- for the factor, but not for the product
        assert.equal(0, profiling.machine().flops)
        rille.memory_limit(0)
        local report = rille.profile(function() return rille.ones(3) + 1 end)
        assert(report.machine.flops > 0 and report.machine.bytes > 0)
    end)
end)

describe("rille.profile", function()
    local conv = nn.Conv1d(3, 4, 5)
    local lstm = nn.LSTM(6, 7)
    local report, a, b = rille.profile(function(first, second)
        for _ = 1, 3 do
            conv(rille.randn(2, 3, 20)):relu():sum():backward()
        end
        lstm(rille.randn(9, 2, 6))
        return second, first
    end, 1, 2)

    it("returns a report and the function's results", function()
        assert.same({ 2, 1 }, { a, b })
        local relu = row_of(report, "relu", false)
        assert.equal(3, relu.calls)
        assert.equal(3 * 2 * (2 * 4 * 16) * 4, relu.bytes)
        assert.equal(3 * 2 * (2 * 4 * 16) * (3 * 5), row_of(report, "conv1d", false).flops)
        assert(row_of(report, "conv1d", true).flops > 0)
        assert(row_of(report, "lstm", false).flops >= 9 * 2 * 2 * 7 * 7 * 4)
        local sum = report.rest
        for i, row in ipairs(report.rows) do
            sum = sum + row.seconds
            assert(i == 1 or row.seconds <= report.rows[i - 1].seconds)
            assert(math.abs(row.share - row.seconds / report.seconds) < 1e-12)
        end
        assert(math.abs(sum - report.seconds) < 1e-9)
    end)

    it("prints a table, beside what the machine reaches", function()
        local machine = report.machine
        assert(machine.flops > 0 and machine.bytes > 0 and machine.threads == rille.threads())
        local lines = {}
        for line in tostring(report):gmatch("[^\n]+") do
            lines[#lines + 1] = line
        end
        assert.equal(#report.rows + 4, #lines)
        assert.is_truthy(lines[1]:find("^operation +calls +ms +share +rate +of machine$"))
        assert.is_truthy(tostring(report):find("conv1d %(backward%) +%d+ +[%d.]+ +[%d.]+ %% +[%d.e+-]+ GFLOP/s +%d+ %%"))
        assert.is_truthy(lines[#lines - 2]:find("^Lua, graph, memory "))
        assert.is_truthy(lines[#lines - 1]:find("^total +[%d.]+"))
        assert.is_truthy(lines[#lines]:find("^%d+ threads?; the machine: [%d.e+]+ GFLOP/s in products, "
            .. "[%d.e+]+ GB/s in copies$"))
    end)

    it("raises the function's error, and can be used again", function()
        local ok, message = pcall(rille.profile, function() rille.zeros(2):matmul(rille.zeros(3)) end)
        assert.is_false(ok)
        assert.is_truthy(message:find("matmul"), message)
        assert.equal(5, (select(2, rille.profile(function() return 5 end))))
    end)

    it("says what does not fit", function()
        local _, message = pcall(rille.profile, 3)
        assert.is_truthy(message:find("bad argument #1 to 'profile' (function expected, got number)", 1, true), message)
        _, message = pcall(rille.profile, function() rille.profile(print) end)
        assert.is_truthy(message:find("profile: one is being taken already", 1, true), message)
    end)

    it("measures the machine", function()
        local machine = profiling.machine()
        assert(machine.flops > 1e6 and machine.bytes > 1e6)
    end)
end)
