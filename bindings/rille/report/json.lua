--- rille.report.json: Lua values as JSON that may stand in a page's <script> element.
--
-- JSON has no NaN and no infinities: they are written as the strings that JavaScript's Number() turns into them. A list with
-- holes says how long it is in its field n. No "<" is written as such, so no text can end the element.

local check = require "rille.check"
local text = require "rille.text"

local json = {}

local SHORT = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t" }

local function string_text(s)
    return '"' .. s:gsub('[%c"\\<]', function(c)
        return SHORT[c] or ("\\u%04x"):format(c:byte())
    end) .. '"'
end

local function number_text(x)
    if x ~= x then
        return '"NaN"'
    elseif x == math.huge or x == -math.huge then
        return x > 0 and '"Infinity"' or '"-Infinity"'
    end
    return math.type(x) == "integer" and ("%d"):format(x) or text.format("%.14g", x)
end

--- The text of a value: nil, boolean, number, string, a list (#value > 0, or a field n), else an object by sorted keys.
function json.encode(value)
    local kind = type(value)
    if kind == "string" then
        return string_text(value)
    elseif kind == "number" then
        return number_text(value)
    elseif kind ~= "table" then
        return value == nil and "null" or tostring(value)
    end
    local parts = {}
    if value.n or #value > 0 then
        for i = 1, value.n or #value do
            parts[i] = json.encode(value[i])
        end
        return "[" .. table.concat(parts, ",") .. "]"
    end
    for i, key in ipairs(check.keys(value)) do
        parts[i] = string_text(key) .. ":" .. json.encode(value[key])
    end
    return "{" .. table.concat(parts, ",") .. "}"
end

return check.strict(json, "rille.report.json")
