--- rille.train.log: a row for each step in a CSV or JSON-lines file, which can be read while the run goes on.

local rille = require "rille"
local check = require "rille.check"
local files = require "rille.files"
local text = require "rille.text"

local log = {}

local function failed(path, why)
    check.fail("cannot write '%s' (%s)", path, (tostring(why):gsub("^.*: ", "")))
end

-- A line of each format; step_of finds the step in a line again.
local formats = {}

formats.csv = {
    header = function(columns)
        return table.concat(columns, ",") .. "\n"
    end,
    line = function(columns, row)
        local cells = {}
        for i, column in ipairs(columns) do
            local value = row[column]
            cells[i] = math.type(value) == "integer" and ("%d"):format(value)
                or value ~= value and "nan" or text.format("%.17g", value)
        end
        return table.concat(cells, ",") .. "\n"
    end,
    step_of = function(line)
        return math.tointeger(tonumber(line:match("^(%d+),")))
    end,
}

formats.jsonl = {
    header = function()
        return ""
    end,
    line = function(columns, row)
        local cells = {}
        for i, column in ipairs(columns) do
            local value = row[column]
            local digits = math.type(value) == "integer" and ("%d"):format(value) or text.format("%.17g", value)
            cells[i] = ('"%s":%s'):format(column, value - value == 0 and digits or "null") -- JSON has no NaN and no Inf
        end
        return "{" .. table.concat(cells, ",") .. "}\n"
    end,
    step_of = function(line)
        return math.tointeger(tonumber(line:match('^{"step":(%d+)')))
    end,
}

-- What an earlier run has written up to that step: what comes after it will be written again.
local function read_until(path, format, header, step)
    local kept = { header }
    if not rille.file_size(path) then
        return header
    end
    local file <close> = assert(io.open(path, "rb"))
    for line in file:lines("L") do
        local at = line:sub(-1) == "\n" and format.step_of(line)
        if at and at <= step then
            kept[#kept + 1] = line
        end
    end
    return table.concat(kept)
end

--- The file's name is one that a log can have: "run.csv", "run.jsonl".
function log.format_of(path)
    return formats[path:match("%.(%w+)$") or ""]
end

--- Opens a log of these columns, the first of which is "step". A file that is there is replaced; with a step above 0 what it
-- says up to that step stays. log:write(row) adds a line at once, log:close() ends it.
function log.open(path, columns, step)
    local format = log.format_of(path)
    local header = format.header(columns)
    files.write(path, step > 0 and read_until(path, format, header, step) or header)
    local file, why = io.open(path, "ab")
    if not file then
        failed(path, why)
    end
    file:setvbuf("line")
    local self = {}
    function self.write(_, row)
        local ok, problem = file:write(format.line(columns, row))
        if not ok then
            failed(path, problem)
        end
    end
    function self.close()
        local ok, problem = file:close()
        if not ok then
            failed(path, problem)
        end
    end
    return self
end

return check.strict(log, "rille.train.log")
