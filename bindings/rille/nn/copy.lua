--- rille.nn.copy: a copy of a net that shares nothing with it.

local walks = require "rille.nn.walk"
local check = require "rille.check"

local function copy_tensor(tensor)
    return tensor:detach():clone():requires_grad(tensor:requires_grad())
end

local copy_value

local function copy_table(value, seen)
    local new = {}
    seen[value] = new
    for key, inner in pairs(value) do
        new[copy_value(key, seen)] = copy_value(inner, seen)
    end
    return new
end

local function copy_module(module, seen)
    local old = walks.state_of(module)
    local state = { class = old.class, fields = {}, kinds = {}, order = {}, declared = {}, hooks = {}, pre_hooks = {},
        backward_hooks = {}, last_hooks = {} }
    local new = setmetatable({ [walks.STATE] = state }, walks.instance)
    seen[module] = new
    for _, key in ipairs(old.order) do
        new[key] = copy_value(old.fields[key], seen)
        state.kinds[key] = old.kinds[key] -- a frozen parameter is one still, and so is a buffer
    end
    return new
end

-- Tensors, modules and plain tables anew, each once; all else as it is.
function copy_value(value, seen)
    if type(value) ~= "table" and not check.is_tensor(value) then
        return value
    elseif seen[value] == nil then
        if check.is_tensor(value) then
            seen[value] = copy_tensor(value)
        elseif walks.is_module(value) then
            copy_module(value, seen)
        elseif walks.is_plain_table(value) then
            copy_table(value, seen)
        else
            seen[value] = value
        end
    end
    return seen[value]
end

--- A copy of a module and all below it: same classes, fields and values, tensors of its own, no hooks, no gradients. What
-- stands in several places, a shared parameter for one, does so in the copy.
return function(module)
    return copy_value(module, {})
end
