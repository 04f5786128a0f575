--- rille.profiling: where the time of a piece of a program goes, operation by operation, beside what the machine can do.
--
--     local report = rille.profile(function() train_one_epoch() end)
--     print(report)
--
-- Times are on the clock, of the pieces of work that an operation hands to its threads; what is left over is Lua, the graph and
-- memory. GFLOP/s are those of products (matmul, linear, convolutions, recurrent layers), GB/s the bytes that elementwise
-- operations, activations, copies and optimisers read and write; each has beside it the share of what the machine reaches in
-- a product of float32 matrices [512, 512], or in a copy of 64 MB, with as many threads.

local rille = require "rille"
local check = require "rille.check"
local text = require "rille.text"

local profiling = {}

-- What the fastest of several runs of f reaches, in flops or bytes a second.
local function best_rate(f, quantity)
    local best = 0
    for _ = 1, 5 do
        rille.profile_start()
        local ok, message = pcall(f)
        local _, rows = rille.profile_stop() -- or none could be taken after an error
        if not ok then
            error(message, 0)
        end
        for _, row in ipairs(rows) do
            if row.seconds > 0 then
                best = math.max(best, row[quantity] / row.seconds)
            end
        end
    end
    return best
end

-- The rate that measure() finds, 0 where it needs more memory than there is.
local function rate_in_memory(measure)
    local ok, result = pcall(rille.no_grad, rille.scope, measure)
    if not ok and not tostring(result):find("out of memory: ", 1, true) then
        error(result, 0)
    end
    return ok and result or 0
end

--- What this machine reaches with the present number of threads: { flops =, bytes =, threads = } per second, the fastest of
-- five products and copies. 0: not measured, since there is too little memory for its tensors (3 MB, 128 MB).
function profiling.machine()
    return {
        flops = rate_in_memory(function()
            local a = rille.ones(512, 512)
            return best_rate(function() return a:matmul(a) end, "flops")
        end),
        bytes = rate_in_memory(function()
            local b, c = rille.ones(1 << 24), rille.zeros(1 << 24) -- c's pages are there: a copy alone is measured
            return best_rate(function() return c:copy_(b) end, "bytes")
        end),
        threads = rille.threads(),
    }
end

local machine_of = {} -- by number of threads; what lacks a rate is measured again

local function known_machine()
    local threads = rille.threads()
    local machine = machine_of[threads] or profiling.machine()
    if machine.flops > 0 and machine.bytes > 0 then
        machine_of[threads] = machine
    end
    return machine
end

local report_metatable = { __name = "profile" }

-- "12.3 GFLOP/s", "45 %"
local function rate_text(row, machine)
    local quantity = row.flops > 0 and "flops" or "bytes"
    if row[quantity] == 0 or row.seconds == 0 then
        return "", ""
    end
    local rate = row[quantity] / row.seconds
    return ("%s %s"):format(text.number(rate / 1e9), quantity == "flops" and "GFLOP/s" or "GB/s"),
        machine[quantity] > 0 and ("%.0f %%"):format(100 * rate / machine[quantity]) or ""
end

-- "12.3 GFLOP/s in products"
local function machine_text(rate, unit, what)
    return rate > 0 and ("%s %s in %s"):format(text.number(rate / 1e9), unit, what)
        or ("%s not measured, too little memory"):format(what)
end

function report_metatable.__tostring(self)
    local rows = {}
    for _, row in ipairs(self.rows) do
        local rate, share = rate_text(row, self.machine)
        rows[#rows + 1] = { row.operation .. (row.backward and " (backward)" or ""), ("%d"):format(row.calls),
            ("%.3f"):format(1e3 * row.seconds), ("%.1f %%"):format(100 * row.share), rate, share }
    end
    rows[#rows + 1] = { "Lua, graph, memory", "", ("%.3f"):format(1e3 * self.rest),
        ("%.1f %%"):format(100 * self.rest / math.max(self.seconds, 1e-300)), "", "" }
    rows[#rows + 1] = { "total", "", ("%.3f"):format(1e3 * self.seconds), "", "", "" }
    return text.table({ "<operation", "calls", "ms", "share", "rate", "of machine" }, rows)
        .. ("\n%d thread%s; the machine: %s, %s"):format(self.machine.threads, self.machine.threads == 1 and "" or "s",
            machine_text(self.machine.flops, "GFLOP/s", "products"), machine_text(self.machine.bytes, "GB/s", "copies"))
end

--- rille.profile(f, ...): calls f and returns a report, then f's results. report.rows is a list, the longest first, of
-- { operation =, backward = (boolean), calls =, seconds =, share = (of the whole), flops =, bytes = (0: not known) };
-- report.seconds the whole, report.rest what is in no row, report.machine what profiling.machine() says. print(report) shows
-- it as a table. The first call measures the machine, which takes a moment. An error of f is raised; f may not profile itself.
function profiling.profile(f, ...)
    if type(f) ~= "function" then
        check.argument(1, "profile", "function expected, got %s", check.type_name(f))
    end
    local machine = known_machine()
    rille.profile_start()
    local results = table.pack(pcall(f, ...))
    local seconds, rows = rille.profile_stop()
    if not results[1] then
        error(results[2], 0)
    end
    local rest = seconds
    for _, row in ipairs(rows) do
        row.share = row.seconds / math.max(seconds, 1e-300)
        rest = rest - row.seconds
    end
    table.sort(rows, function(a, b)
        return a.seconds > b.seconds or a.seconds == b.seconds and a.operation < b.operation
    end)
    local report = setmetatable({ rows = rows, seconds = seconds, rest = rest, machine = machine }, report_metatable)
    return report, table.unpack(results, 2, results.n)
end

return check.strict(profiling, "rille.profiling")
