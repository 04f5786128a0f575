--- rille.saving: rille.save and rille.load, which keep nested tables of tensors, numbers, strings and booleans in a
-- safetensors file.
--
-- A tensor's name is the path of keys to it, "net/1.weight"; what is no tensor is a text of the metadata under its path,
-- "rille:step" = "12". A table without other tables, numbers, strings or booleans in it, whose keys are plain strings, needs
-- none of this: it makes the file that others make of it. In a path, integer keys are "#3"; of string keys "/", "\" and a
-- leading "#" have a "\" before them.

local rille = require "rille"
local check = require "rille.check"
local format = require("rille.text").format

local saving = {}

local VERSION_KEY, VERSION, PREFIX, DEEPEST = "rille", "nested 1", "rille:", 100

-- ---- Keys and values as text ----

local function key_text(key)
    if math.type(key) == "integer" then
        return "#" .. key
    end
    return (key:gsub("[/\\]", "\\%0"):gsub("^#", "\\#"))
end

-- "net/1.weight" -> { "net", "1.weight" }; nil where it is no such path.
local function keys_of(path)
    local keys, at = {}, 1
    repeat
        local number, after = path:match("^#(%-?%d+)()", at)
        local key
        if number then
            key = math.tointeger(tonumber(number))
        else
            local parts = {}
            after = at
            while after <= #path and path:sub(after, after) ~= "/" do
                local escaped = path:sub(after, after) == "\\"
                parts[#parts + 1] = path:sub(after + (escaped and 1 or 0), after + (escaped and 1 or 0))
                after = after + (escaped and 2 or 1)
            end
            key = table.concat(parts)
        end
        local separator = path:sub(after, after)
        if key == nil or separator ~= "" and separator ~= "/" then
            return nil
        end
        keys[#keys + 1] = key
        at = after + 1
    until separator == ""
    return keys
end

-- Bytes that are no printable ASCII, and "\", as "\xHH": a text of the metadata is UTF-8 without zero bytes.
local function string_text(value)
    return '"' .. value:gsub("[%c\\\x7f-\xff]", function(byte)
        return ("\\x%02x"):format(byte:byte())
    end)
end

local function number_text(value)
    if math.type(value) == "integer" then
        return ("%d"):format(value)
    elseif value ~= value then
        return "nan"
    elseif value == math.huge or value == -math.huge then
        return value > 0 and "inf" or "-inf"
    end
    local digits = format("%.17g", value)
    return digits:find("[.e]") and digits or digits .. ".0"
end

local NAMED = { ["true"] = true, ["false"] = false, inf = math.huge, ["-inf"] = -math.huge, nan = 0 / 0 }

-- The value of a text, or nil where it is none. "{}" is an empty table.
local function value_of(text)
    if text:sub(1, 1) == '"' then
        return (text:sub(2):gsub("\\x(%x%x)", function(digits)
            return string.char(tonumber(digits, 16))
        end))
    elseif text == "{}" then
        return {}
    elseif NAMED[text] ~= nil then
        return NAMED[text]
    end
    return text:find("^%-?%d[%d.e+-]*$") and tonumber(text) or nil
end

-- ---- Saving ----

local function place_text(path)
    return path == "" and "the table" or ("'%s'"):format(path)
end

local flatten

local function flatten_value(path, value, into, depth)
    local kind = type(value)
    if check.is_tensor(value) then
        into.tensors[path] = value
    elseif kind == "table" then
        flatten(path .. "/", value, into, depth + 1)
    elseif kind == "number" then
        into.texts[PREFIX .. path] = number_text(value)
    elseif kind == "string" then
        into.texts[PREFIX .. path] = string_text(value)
    elseif kind == "boolean" then
        into.texts[PREFIX .. path] = tostring(value)
    else
        check.argument(2, "save", "%s is a %s; tensors, numbers, strings, booleans and tables of them can be saved",
            place_text(path), check.type_name(value))
    end
end

-- Adds what the table holds, below the path that prefix is.
function flatten(prefix, value, into, depth)
    local path = prefix:sub(1, -2)
    if depth > DEEPEST then
        check.argument(2, "save", "tables more than %d deep, or one that holds itself, at %s...", DEEPEST, path:sub(1, 40))
    elseif getmetatable(value) ~= nil then
        check.argument(2, "save", "%s is a %s, not a plain table: save its state()", place_text(path), check.type_name(value))
    end
    local empty = true
    for key, inner in pairs(value) do
        if type(key) ~= "string" and math.type(key) ~= "integer" then
            check.argument(2, "save", "%s has a key that is a %s; keys are strings and integers", place_text(path),
                math.type(key) or type(key))
        elseif type(key) == "string" and (key == "" or key:find("\0", 1, true)) then
            check.argument(2, "save", "%s has a key that is empty or holds a zero byte", place_text(path))
        end
        empty = false
        flatten_value(prefix .. key_text(key), inner, into, depth)
    end
    if empty and prefix ~= "" then
        into.texts[PREFIX .. path] = "{}"
    end
end

-- Is every value a tensor under a name that is its own path?
local function is_flat(value)
    for key, inner in pairs(value) do
        if not check.is_tensor(inner) or type(key) ~= "string" then
            return false
        end
    end
    return true
end

--- rille.save(path, t [, metadata]): writes a table of tensors, numbers, strings, booleans and such tables to a safetensors
-- file, whole or not at all. metadata: texts by name, for people and other programs. Keys are strings and integers. A tensor
-- that stands in two places is written twice. Raises where t holds anything else, or the file cannot be written.
function saving.save(path, t, metadata)
    if type(path) ~= "string" then
        check.argument(1, "save", "path expected, got %s", check.type_name(path))
    elseif type(t) ~= "table" or getmetatable(t) ~= nil then
        check.argument(2, "save", "table of tensors expected, got %s%s", check.type_name(t),
            check.type_name(t) ~= type(t) and type(t) == "table" and ": save its state()" or "")
    elseif metadata ~= nil and type(metadata) ~= "table" then
        check.argument(3, "save", "table of texts expected, got %s", check.type_name(metadata))
    end
    local into = { tensors = t, texts = {} }
    if not is_flat(t) then
        into.tensors = {}
        flatten("", t, into, 1)
        into.texts[VERSION_KEY] = VERSION
    end
    for key, text in pairs(metadata or {}) do
        if type(key) ~= "string" or type(text) ~= "string" then
            check.argument(3, "save", "'%s': texts by name expected, got %s", tostring(key), check.type_name(text))
        elseif key == VERSION_KEY or key:sub(1, #PREFIX) == PREFIX then
            check.argument(3, "save", "'%s': names that begin with 'rille' are taken", key)
        end
        into.texts[key] = text
    end
    rille.write_safetensors(path, into.tensors, into.texts)
end

-- ---- Loading ----

local function put(path, file, root, name, value)
    local keys = keys_of(name)
    local at = root
    for i = 1, keys and #keys - 1 or 0 do
        if at[keys[i]] == nil then
            at[keys[i]] = {}
        end
        at = at[keys[i]]
        if type(at) ~= "table" then
            keys = nil
            break
        end
    end
    if not keys or #keys > DEEPEST or at[keys[#keys]] ~= nil then
        check.fail("load: %s: '%s' does not fit the names before it (%s)", file, name, path)
    end
    at[keys[#keys]] = value
end

local function unflatten(file, tensors, texts)
    local root, metadata = {}, {}
    for _, key in ipairs(check.keys(texts)) do
        local name = key:sub(1, #PREFIX) == PREFIX and key:sub(#PREFIX + 1)
        if name then
            local value = value_of(texts[key])
            if value == nil then
                check.fail("load: %s: '%s' is no number, string or boolean: %s", file, name, texts[key]:sub(1, 40))
            end
            put("metadata", file, root, name, value)
        elseif key ~= VERSION_KEY then
            metadata[key] = texts[key]
        end
    end
    for _, name in ipairs(check.keys(tensors)) do
        put("tensors", file, root, name, tensors[name])
    end
    return root, metadata
end

--- rille.load(path): what rille.save has written, and the metadata, {} where there are none. Of a safetensors file that others
-- have written: a table of tensors by name. Executes nothing. Raises where the file is no such file, naming the byte.
function saving.load(path)
    if type(path) ~= "string" then
        check.argument(1, "load", "path expected, got %s", check.type_name(path))
    end
    local tensors, texts = rille.read_safetensors(path)
    if texts[VERSION_KEY] == nil then
        return tensors, texts
    elseif texts[VERSION_KEY] ~= VERSION then
        check.fail("load: %s: written by a later Rille ('%s')", path, texts[VERSION_KEY])
    end
    return unflatten(path, tensors, texts)
end

return check.strict(saving, "rille.saving")
