--- rille.reproduce: published results about the flow of gradients, each run again and held against its printed number. The
-- command `rille reproduce` (rille/reproduce/command.lua) prints all, and fails where one does.
--
-- A line is { source, result, published, tolerance, run }. published: a number, or true for a statement that is to hold;
-- tolerance: an absolute one, or { relative one, quick = relative one of a quick run }; run(quick) gives what is measured.

local rille = require "rille"
local check = require "rille.check"
local text = require "rille.text"

local reproduce = {}

--- All lines, in order.
reproduce.lines = {}
for _, part in ipairs { "solved", "simulated", "trained" } do
    for _, line in ipairs(require("rille.reproduce." .. part)) do
        table.insert(reproduce.lines, line)
    end
end

-- By how much a line may be off, and that as a person reads it.
local function allowed(line, quick)
    local published, tolerance = line[3], line[4]
    if published == true then
        return nil, "-"
    elseif type(tolerance) == "number" then
        return tolerance, tolerance == 0 and "exact" or text.number(tolerance)
    end
    local share = quick and tolerance.quick or tolerance[1]
    return share * math.abs(published), ("%g %%"):format(100 * share)
end

--- Runs one line: { source =, result =, published =, measured =, tolerance =, pass = }, all but the last as text. options:
-- quick (false), seed (1).
function reproduce.run(line, options)
    options = check.options(2, "run", options, { quick = false, seed = 1 })
    rille.manual_seed(options.seed)
    local measured = line[5](options.quick)
    local off, tolerance = allowed(line, options.quick)
    local function shown(value)
        return value == true and "yes" or value == false and "no" or text.number(value, 5)
    end
    local pass
    if off then
        pass = math.abs(measured - line[3]) <= off
    else
        pass = measured == line[3]
    end
    return { source = line[1], result = line[2], published = shown(line[3]), measured = shown(measured), tolerance = tolerance,
        pass = pass }
end

--- Runs all lines (options: as run's) and returns the table as text, how many passed, and how many there are.
function reproduce.table(options)
    local rows, passed, last = {}, 0, nil
    for i, line in ipairs(reproduce.lines) do
        local found = reproduce.run(line, options)
        passed = passed + (found.pass and 1 or 0)
        rows[i] = { found.source ~= last and found.source or "", found.result, found.published, found.measured, found.tolerance,
            found.pass and "pass" or "FAIL" }
        last = found.source
    end
    return text.table({ "<source", "<result", "published", "measured", "tolerance", "<" }, rows), passed, #rows
end

return check.strict(reproduce, "rille.reproduce")
