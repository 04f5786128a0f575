--- rille.check: what the Lua modules share to look at arguments and to fail well.
-- Every message goes through rille.raise, which puts the script's own line in front of it.

local rille = require "rille"

local check = {}

local tensor_metatable = getmetatable(rille.zeros(1))

--- Is value a tensor?
function check.is_tensor(value)
    return type(value) == "userdata" and getmetatable(value) == tensor_metatable
end

--- Is value a tensor of float32 or float64?
function check.is_floating(value)
    local dtype = check.is_tensor(value) and value:dtype()
    return dtype == "float32" or dtype == "float64"
end

--- What a message calls value: "tensor", "Linear" for a module, else Lua's type.
function check.type_name(value)
    if check.is_tensor(value) then
        return "tensor"
    end
    local metatable = getmetatable(value)
    local name = type(metatable) == "table" and rawget(metatable, "__name")
    if name == "module" then
        return value.class_name
    end
    return type(name) == "string" and name or type(value)
end

--- A value as a message shows it: a number's digits ("nan" whatever its sign), else its type.
function check.value_text(value)
    if type(value) ~= "number" then
        return check.type_name(value)
    end
    return value ~= value and "nan" or ("%.14g"):format(value)
end

--- A shape as text: "[32, 64]".
function check.shape_text(shape)
    return "[" .. table.concat(shape, ", ") .. "]"
end

--- Raises with the script's position. Arguments as string.format's.
function check.fail(format, ...)
    rille.raise("%s", format:format(...))
end

--- Raises "bad argument #n to 'name' (...)". Arguments after name as string.format's.
function check.argument(n, name, format, ...)
    check.fail("bad argument #%d to '%s' (%s)", n, name, format:format(...))
end

-- Edits between a and b: insert, delete, replace, swap neighbours (optimal string alignment).
local function distance(a, b)
    local before, last = nil, {}
    for j = 0, #b do
        last[j] = j
    end
    for i = 1, #a do
        local row = { [0] = i }
        for j = 1, #b do
            local same = a:byte(i) == b:byte(j)
            row[j] = math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (same and 0 or 1))
            if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
                row[j] = math.min(row[j], before[j - 2] + 1)
            end
        end
        before, last = last, row
    end
    return last[#b]
end

--- The candidate (of a list of strings) that a misspelt name most likely means, or nil. The first of equals wins.
function check.nearest(name, candidates)
    local best, nearest = math.max(1, #name // 3) + 1, nil
    for _, candidate in ipairs(candidates) do
        local d = distance(name:lower(), candidate:lower())
        if d < best then
            best, nearest = d, candidate
        end
    end
    return nearest
end

--- "; did you mean 'weight'?", or "" where nothing is near.
function check.did_you_mean(name, candidates)
    local nearest = type(name) == "string" and check.nearest(name, candidates)
    return nearest and ("; did you mean '%s'?"):format(nearest) or ""
end

--- a < b for two strings by their bytes: Lua's own < asks the locale that the host has set.
function check.precedes(a, b)
    for i = 1, math.min(#a, #b) do
        local p, q = a:byte(i), b:byte(i)
        if p ~= q then
            return p < q
        end
    end
    return #a < #b
end

--- A table's string keys, sorted by their bytes.
function check.keys(t)
    local keys = {}
    for key in pairs(t) do
        if type(key) == "string" then
            keys[#keys + 1] = key
        end
    end
    table.sort(keys, check.precedes)
    return keys
end

--- Makes reading an unknown name from a module's table an error that names the nearest one.
-- find(name), where given, is asked first. Returns the table.
function check.strict(module, name, find)
    return setmetatable(module, {
        __index = function(_, key)
            local found = find and find(key)
            if found == nil and type(key) == "string" then
                check.fail("no '%s' in %s%s", key, name, check.did_you_mean(key, check.keys(module)))
            end
            return found
        end,
    })
end

--- The trailing options table of `name`, argument n, over its defaults. Unknown options and wrong types are errors;
-- a default that is a list, such as {"number"}, stands for "absent, or of one of these types".
function check.options(n, name, options, defaults)
    if options ~= nil and type(options) ~= "table" then
        check.argument(n, name, "table of options expected, got %s", check.type_name(options))
    end
    local result = {}
    for key, default in pairs(defaults) do
        if type(default) ~= "table" then
            result[key] = default
        end
    end
    for key, value in pairs(options or {}) do
        local default = defaults[key]
        if default == nil then
            check.argument(n, name, "unknown option '%s'%s", tostring(key), check.did_you_mean(key, check.keys(defaults)))
        end
        local expected = type(default) == "table" and default or { type(default) }
        local fits = false
        for _, kind in ipairs(expected) do
            fits = fits or check.type_name(value) == kind
        end
        if not fits then
            check.argument(n, name, "option '%s': %s expected, got %s", key, table.concat(expected, " or "),
                check.type_name(value))
        end
        result[key] = value
    end
    return result
end

--- Raises where a function that takes no argument n, or none at all, was given one.
function check.nothing(n, name, value)
    if value ~= nil then
        check.argument(n, name, "nothing expected, got %s", check.type_name(value))
    end
end

--- value as a positive integer, or an error that calls it `what`.
function check.positive_integer(n, name, what, value)
    local integer = math.tointeger(value)
    if type(value) ~= "number" or not integer or integer < 1 then
        check.argument(n, name, "%s: positive integer expected, got %s", what, check.value_text(value))
    end
    return integer
end

--- Makes every function of a class, but for those in `except`, hold its first argument against is_self: a method called
-- with '.' is told so, with the script's line, instead of failing somewhere inside.
function check.methods(class, what, is_self, except)
    for name, method in pairs(class) do
        if type(method) == "function" and not (except and except[name]) then
            class[name] = function(self, ...)
                if not is_self(self) then
                    check.fail("bad self for '%s' (%s expected, got %s; methods are called with ':')", name, what,
                        check.type_name(self))
                end
                return method(self, ...)
            end
        end
    end
end

return check
