--- rille.atlas.measurements: what is measured and not computed: speed, here and now; errors, from the table of
-- `make exhaustive`.

local rille = require "rille"
local check = require "rille.check"

local measurements = {}

local ELEMENTS = 65536 -- 256 KiB: in cache
local ROUNDS = 9       -- of which the median counts
local ROUND = 0.002    -- seconds that a round takes, at least

local function median(list)
    table.sort(list)
    return list[(#list + 1) // 2]
end

-- Elements a second, in units of 1e9, that call() works through. By processor time: other programs do not count.
local function rate(call)
    local repeats, rounds = 1, {}
    repeat
        local start = os.clock()
        for _ = 1, repeats do
            call()
        end
        local took = os.clock() - start
        if took < ROUND then
            repeats = repeats * 2
        else
            rounds[#rounds + 1] = took / repeats
        end
    until #rounds == ROUNDS
    return ELEMENTS / median(rounds) / 1e9
end

-- What work() returns, with one thread an operation while it runs.
local function on_one_thread(work)
    local threads = rille.threads()
    rille.threads(1)
    local result = table.pack(pcall(work))
    rille.threads(threads)
    if not result[1] then
        error(result[2], 0)
    end
    return table.unpack(result, 2, result.n)
end

--- Gelem/s of an activation on one thread, forward (y = f(x)) and backward (dx = dy f'(x)), 65,536 float32 elements uniform
-- in -6 ... 6, as a script sees them: calls, graph and all.
function measurements.speed(entry)
    return on_one_thread(function()
        local x = rille.linspace(-6, 6, ELEMENTS)
        local y, apply = rille.zeros(ELEMENTS), rille[entry.name]
        local forward = rate(function() apply(x, { out = y }) end)
        x:requires_grad(true)
        local output, seed = apply(x), rille.ones(ELEMENTS)
        local backward = rate(function() rille.grad(output, x, { seeds = seed })[1]:free() end)
        return { forward = forward, backward = backward }
    end)
end

--- The processor's name, where the system tells it.
function measurements.machine()
    local file <close> = io.open("/proc/cpuinfo", "r")
    local name = file and file:read("a"):match("model name%s*:%s*([^\n]+)")
    return name or "an unnamed processor"
end

--- The worst errors in the table that `make exhaustive` writes: [dtype][activation][order], in ULP, over all instruction
-- sets; nil where there is no such file.
function measurements.accuracy(path)
    if not rille.file_size(path) then
        return nil
    end
    local file <close> = assert(io.open(path, "r"))
    local worst, section = { float32 = {}, float64 = {} }, nil
    for line in file:lines() do
        section = line:match("^## (float%d%d)") or section
        local name, quotes, ulp = line:match("^| ([%l%d_]+) | f(['\"]?) | ([%d.infa]+) |")
        if name and worst[section] then
            local order = quotes == "" and 0 or quotes == "'" and 1 or 2
            local row = worst[section][name] or {}
            row[order] = math.max(row[order] or 0, tonumber(ulp) or math.huge)
            worst[section][name] = row
        end
    end
    return worst
end

return check.strict(measurements, "rille.atlas.measurements")
