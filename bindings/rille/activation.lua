--- rille.activation: activations of a script's own, usable wherever a built-in one is.
--
--     rille.activation {
--         name = "cube",
--         f = function(x) return x ^ 3 end,             -- tensor -> tensor of x's shape and dtype
--         df = function(x) return 3 * x ^ 2 end,        -- f'; without it, autograd differentiates f
--         ddf = function(x) return 6 * x end,           -- f"; without it, autograd differentiates df
--         formula = "x^3", source = "-", range = { -math.huge, math.huge }, monotonic = true, zero_centred = true,
--         smoothness = "Cinf", kinks = {},              -- what is known of it; all of these may be left out
--     }
--
-- gives rille.cube(x), x:cube(), rille.derivative("cube", x, order), rille.activations.cube (which is returned), nn.Cube() and
-- nn.activation("cube"). With df, f runs unrecorded and gradients go to x alone: f'(x) is computed in the forward pass, where
-- gradients are on, and so is f"(x) where ddf is given. rille.gradcheck(rille.cube, x) tells whether df is f's derivative.

local rille = require "rille"
local check = require "rille.check"

-- What a definition's function gives for x: a tensor like x.
local function value_of(own, which, x)
    local y = own[which](x)
    if not check.is_tensor(y) then
        check.fail("activation '%s': %s must return a tensor, got %s", own.name, which, check.type_name(y))
    elseif check.shape_text(y:shape()) ~= check.shape_text(x:shape()) or y:dtype() ~= x:dtype() then
        check.fail("activation '%s': %s returned %s %s for x of %s %s; one value expected for each of x's", own.name, which,
            y:dtype(), check.shape_text(y:shape()), x:dtype(), check.shape_text(x:shape()))
    end
    return rawequal(y, x) and x:clone() or y
end

local function is_recorded(x)
    return rille.is_grad_enabled() and x:requires_grad()
end

-- g'(x) of each element, by autograd, for a g that works on elements one by one; recorded where x is.
local function differentiated(g, x)
    local recorded = is_recorded(x)
    return rille.enable_grad(function()
        local at = recorded and x or x:detach():requires_grad(true)
        local y, options = g(at), { dtype = x:dtype() }
        local slope = y:requires_grad()
            and rille.grad(y, at, { seeds = rille.ones(x:shape(), options), create_graph = recorded })[1]
        return slope or rille.zeros(x:shape(), options)
    end)
end

-- f'(x), recorded where x is.
local function slope_of(own, x)
    if not own.df then
        return differentiated(function(at) return value_of(own, "f", at) end, x)
    elseif own.ddf and is_recorded(x) then
        return rille.with_derivative(rille.no_grad(value_of, own, "df", x), x, value_of(own, "ddf", x))
    end
    return value_of(own, "df", x)
end

-- f(x), f'(x) or f"(x) by order.
local function derivative_of(own, x, order)
    x = check.is_floating(x) and x or x:to("float32")
    if order == 1 then
        return slope_of(own, x)
    elseif order == 2 then
        return own.ddf and value_of(own, "ddf", x) or differentiated(function(at) return slope_of(own, at) end, x)
    elseif own.df and is_recorded(x) then
        return rille.with_derivative(rille.no_grad(value_of, own, "f", x), x, slope_of(own, x))
    end
    return value_of(own, "f", x)
end

-- The option 'out' as a built-in activation wants it: copy_ alone would repeat y, round it to integers, or change a leaf.
local function check_out(own, out, y)
    local found, expected = check.shape_text(out:shape()), check.shape_text(y:shape())
    if out:dtype() ~= y:dtype() or found ~= expected then
        check.argument(2, own.name, "option 'out' is %s %s, expected %s %s", out:dtype(), found, y:dtype(), expected)
    elseif y:requires_grad() or is_recorded(out) then
        check.argument(2, own.name, "option 'out' cannot be recorded for a gradient; use it inside rille.no_grad")
    end
end

-- rille.<name>(x [, {out = y}])
local function caller_of(own)
    return function(x, options)
        if not check.is_tensor(x) then
            check.argument(1, own.name, "tensor expected, got %s", check.type_name(x))
        end
        local out = check.options(2, own.name, options, { out = { "tensor" } }).out
        local y = derivative_of(own, x, 0)
        if out then
            check_out(own, out, y)
        end
        return out and out:copy_(y) or y
    end
end

local FIELDS = {
    name = { "string" }, f = { "function" }, df = { "function" }, ddf = { "function" }, formula = "a function of the script",
    source = "-", range = { "table" }, monotonic = false, zero_centred = false, smoothness = "Cinf", kinks = { "table" },
}

local function check_numbers(field, list, count)
    for i = 1, math.max(#list, count or 0) do
        if type(list[i]) ~= "number" or i > (count or i) then
            check.argument(1, "activation", "option '%s': list of %snumbers expected", field, count and count .. " " or "")
        elseif list[i] ~= list[i] then
            check.argument(1, "activation", "option '%s': [%d] is nan", field, i)
        end
    end
    return list
end

-- The definition, checked; its name is not looked up yet.
local function read(definition)
    if type(definition) ~= "table" then
        check.argument(1, "activation", "table with name and f expected, got %s", check.type_name(definition))
    end
    local own = check.options(1, "activation", definition, FIELDS)
    if not own.name then
        check.argument(1, "activation", "option 'name' is missing")
    elseif not own.name:match "^%a[%w_]*$" then
        check.argument(1, "activation", "option 'name': letters, digits and underscores expected, got '%s'", own.name)
    elseif not load(("local %s"):format(own.name)) then
        check.argument(1, "activation", "option 'name': '%s' is a word of Lua's own: rille.%s could not be written", own.name,
            own.name)
    elseif not own.f then
        check.argument(1, "activation", "option 'f' is missing: the function itself, of a tensor")
    elseif own.ddf and not own.df then
        check.argument(1, "activation", "option 'ddf' is given without 'df'")
    end
    if not (own.smoothness == "Cinf" or own.smoothness:match "^C%-?%d+$") then
        check.argument(1, "activation", "option 'smoothness': 'Cinf', 'C-1', 'C0', 'C1', ... expected, got '%s'",
            own.smoothness)
    end
    own.range = check_numbers("range", own.range or { -math.huge, math.huge }, 2)
    if own.range[1] > own.range[2] then
        check.argument(1, "activation", "option 'range': {low, high} with low <= high expected, got {%s, %s}",
            check.value_text(own.range[1]), check.value_text(own.range[2]))
    end
    own.kinks = check_numbers("kinks", own.kinks or {})
    return own
end

--- Defines an activation; enter(name, entry, call, derivative) puts it where all are and says whether the name was free.
return function(definition, enter)
    local own = read(definition)
    local class_name = require("rille.nn.layers").activation_name(own.name)
    if rawget(require "rille.nn", class_name) then
        check.argument(1, "activation", "option 'name': '%s' would make the module nn.%s, which is there already", own.name,
            class_name)
    end
    local entry = {
        name = own.name, formula = own.formula, source = own.source, parameters = {}, range = own.range, low = own.range[1],
        high = own.range[2], monotonic = own.monotonic, zero_centred = own.zero_centred, smoothness = own.smoothness,
        kinks = own.kinks,
    }
    local function check_parameters(function_name, given)
        if given ~= nil and not rawequal(given, entry) then -- itself, where it is called with ':'
            check.argument(1, function_name, "'%s' has 0 parameters", own.name)
        end
    end
    function entry.gain(given)
        check_parameters("gain", given)
        return require("rille.gain").recommended(own.name, nil, own.kinks)
    end
    function entry.properties(given)
        check_parameters("properties", given)
        local properties = {}
        for _, field in ipairs { "range", "low", "high", "monotonic", "zero_centred", "smoothness", "kinks" } do
            properties[field] = entry[field]
        end
        return properties
    end
    local free = enter(own.name, entry, caller_of(own), function(x, order) return derivative_of(own, x, order) end)
    if not free then
        check.argument(1, "activation", "option 'name': '%s' is taken: rille or its tensors have a function of that name",
            own.name)
    end
    return entry
end
