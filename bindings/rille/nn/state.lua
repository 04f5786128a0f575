--- rille.nn.state: the methods of a module that copy, load, convert and print all of its parameters.

local rille = require "rille"
local check = require "rille.check"
local text = require "rille.text"
local walks = require "rille.nn.walk"

local methods = {}

--- Converts all floating parameters and buffers to a dtype ("float32", "float64"), in new tensors: make the optimiser
-- afterwards. Returns the module.
function methods:to(dtype)
    if dtype ~= "float32" and dtype ~= "float64" then
        check.argument(1, "to", "\"float32\" or \"float64\" expected, got %s",
            type(dtype) == "string" and ("%q"):format(dtype) or check.type_name(dtype))
    end
    local converted = {}
    walks.walk(self, "", {}, function(_, inner)
        walks.each(inner, function(_, tensor, kind, holder, key)
            if kind ~= "module" and check.is_floating(tensor) then
                converted[tensor] = converted[tensor] or tensor:detach():to(dtype):requires_grad(tensor:requires_grad())
                holder[key] = converted[tensor]
            end
        end)
    end)
    return self
end

local STATEFUL = { parameter = true, buffer = true }

--- A copy of all parameters and buffers: a table from name to tensor, for load_state.
function methods:state()
    local state = {}
    walks.each_tensor(self, STATEFUL, function(name, tensor)
        state[name] = tensor:detach():clone()
    end)
    return state
end

--- Copies tensors from a table as state() gives into the parameters and buffers. Names and shapes must all agree, else one
-- error lists every difference and nothing is changed; with {strict=false} what fits is loaded. Returns the module.
function methods:load_state(source, options)
    if type(source) ~= "table" or walks.is_module(source) then
        check.argument(1, "load_state", "table of tensors expected, got %s", check.type_name(source))
    end
    options = check.options(2, "load_state", options, { strict = true })
    local differences, pending, known = {}, {}, {}
    walks.each_tensor(self, STATEFUL, function(name, tensor)
        local given = source[name]
        known[name] = true
        local expected = check.shape_text(tensor:shape())
        if given == nil then
            differences[#differences + 1] = ("missing: '%s' %s"):format(name, expected)
        elseif not check.is_tensor(given) then
            differences[#differences + 1] = ("'%s' is a %s, expected a tensor"):format(name, check.type_name(given))
        elseif check.shape_text(given:shape()) ~= expected then
            differences[#differences + 1] = ("'%s' is %s, expected %s"):format(name, check.shape_text(given:shape()), expected)
        else
            pending[#pending + 1] = { tensor, given }
        end
    end)
    for _, name in ipairs(check.keys(source)) do
        if not known[name] then
            local given = source[name]
            differences[#differences + 1] = ("not in the net: '%s'%s"):format(name,
                check.is_tensor(given) and " " .. check.shape_text(given:shape()) or "")
        end
    end
    if options.strict and #differences > 0 then
        check.argument(1, "load_state", "%d difference%s: %s", #differences, #differences == 1 and "" or "s",
            table.concat(differences, "; "))
    end
    rille.no_grad(function()
        for _, pair in ipairs(pending) do
            pair[1]:copy_(pair[2])
        end
    end)
    return self
end

local function own_summary(module)
    local shapes, count = {}, 0
    for name, tensor in module:own_parameters() do
        shapes[#shapes + 1] = name .. " " .. check.shape_text(tensor:shape())
        count = count + tensor:numel()
    end
    return table.concat(shapes, ", "), count > 0 and text.count(count) or ""
end

-- A module that stands in several places is shown whole in the first; so is one that holds itself.
local function add_rows(module, name, depth, rows, seen)
    local label = ("  "):rep(depth) .. (name ~= "" and name .. " " or "") .. module.class_name
    if seen[module] then
        rows[#rows + 1] = { label .. " (above)", "", "" }
        return
    end
    seen[module] = true
    local inside = module:describe()
    rows[#rows + 1] = { label .. (inside and "(" .. inside .. ")" or ""), own_summary(module) }
    for child_name, child in module:named_children() do
        add_rows(child, child_name, depth + 1, rows, seen)
    end
end

--- print(net): a line a module, with its parameters' shapes and number, then the sum. A shared parameter counts once.
function walks.instance.__tostring(self)
    local rows, total = {}, 0
    add_rows(self, "", 0, rows, {})
    for _, parameter in ipairs(self:parameters()) do
        total = total + parameter:numel()
    end
    rows[#rows + 1] = { "total", "", text.count(total) }
    return text.table({ "<module", "<parameters", "number" }, rows)
end

return methods
