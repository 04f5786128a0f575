--- rille.nn.walk: what a module holds, and how nets are walked: the ground on which rille.nn.module stands.

local check = require "rille.check"

local STATE = {} -- the one key an instance really has; all its fields live in the table behind it

local instance = { __name = "module" } -- the metatable of all instances

local function state_of(module)
    return rawget(module, STATE)
end

--- Is value an instance of a module class?
local function is_module(value)
    return type(value) == "table" and getmetatable(value) == instance
end

local function is_plain_table(value)
    return type(value) == "table" and getmetatable(value) == nil
end

local function is_parameter(value)
    return check.is_tensor(value) and value:requires_grad() and value:is_leaf()
end

-- "inner" and 2 -> "inner[2]", "" and "inner" -> "inner", "[2]" and "weight" -> "[2].weight"
local function join(prefix, key)
    key = type(key) == "number" and "[" .. key .. "]" or key
    return prefix .. ((prefix == "" or key:sub(1, 1) == "[") and "" or ".") .. key
end

-- Integer keys from 1 on, then string keys in order.
local function sorted_keys(t)
    local keys = {}
    for i = 1, #t do
        keys[i] = i
    end
    table.move(check.keys(t), 1, #check.keys(t), #keys + 1, keys)
    return keys
end

-- Remembers where a child is, for messages. The link is weak: a child does not keep the net alive.
local function adopt(parent, key, child)
    local state = state_of(child)
    if not (state.link and state.link.parent) and child ~= parent then
        state.link = setmetatable({ parent = parent, key = key }, { __mode = "v" })
    end
end

-- visit(name, value, kind, holder, key) for each entry of a plain table in a field, and of the tables in it.
local function each_in_table(module, prefix, t, visit, seen)
    if seen[t] then
        return
    end
    seen[t] = true
    for _, key in ipairs(sorted_keys(t)) do
        local value, name = t[key], join(prefix, key)
        if is_module(value) then
            adopt(module, name, value)
            visit(name, value, "module", t, key)
        elseif is_parameter(value) then
            visit(name, value, "parameter", t, key)
        elseif is_plain_table(value) then
            each_in_table(module, name, value, visit, seen)
        end
    end
end

-- visit(name, value, kind, holder, key) for each module, parameter and buffer of a module, in the order of their assignment.
local function each(module, visit)
    local state = state_of(module)
    for _, key in ipairs(state.order) do
        local value, kind = state.fields[key], state.kinds[key]
        if kind == "table" then
            each_in_table(module, join("", key), value, visit, {})
        elseif kind and value ~= nil then
            visit(join("", key), value, kind, state.fields, key)
        end
    end
end

-- visit(name, module) for a module and all below it, each once, from the outside in.
local function walk(module, prefix, seen, visit)
    if seen[module] then
        return
    end
    seen[module] = true
    visit(prefix, module)
    each(module, function(name, value, kind)
        if kind == "module" then
            walk(value, join(prefix, name), seen, visit)
        end
    end)
end

-- visit(name, tensor, kind, holder, key) for every tensor of the kinds asked for, each once.
local function each_tensor(module, kinds, visit)
    local seen = {}
    walk(module, "", {}, function(prefix, inner)
        each(inner, function(name, value, kind, holder, key)
            if kinds[kind] and not seen[value] then
                seen[value] = true
                visit(join(prefix, name), value, kind, holder, key)
            end
        end)
    end)
end

-- An iterator over a list of pairs.
local function pairs_of(list)
    local i = 0
    return function()
        i = i + 1
        if list[i] then
            return list[i][1], list[i][2]
        end
    end
end

return {
    STATE = STATE, instance = instance, state_of = state_of, is_module = is_module, is_parameter = is_parameter,
    is_plain_table = is_plain_table, join = join, adopt = adopt, each = each, each_in_table = each_in_table, walk = walk,
    each_tensor = each_tensor, pairs_of = pairs_of,
}
