--- rille.optim.optimizer: the one class of all optimisers. What differs between them is in a row each: rille/optim.lua.

local rille = require "rille"
local check = require "rille.check"

local Optimizer = {}

-- A setting's range, by its name; those that are not here are booleans.
local FRACTION = { momentum = true, alpha = true, rho = true }
local NUMBER = { lr = true, weight_decay = true, eps = true, lr_decay = true, initial_accumulator_value = true }

-- Settings that do not fit are argument n of `name`, or, with n nil, were set in the group since.
local function refuse(n, name, format, ...)
    if n then
        check.argument(n, name, format, ...)
    end
    check.fail("%s: " .. format, name, ...)
end

local function check_number(n, name, setting, value, below_1)
    if type(value) ~= "number" or not (value >= 0 and value < math.huge) then
        refuse(n, name, "%s is %s, expected a finite number >= 0", setting, check.value_text(value))
    elseif below_1 and value >= 1 then
        refuse(n, name, "%s is %s, expected one below 1", setting, check.value_text(value))
    end
end

local function check_settings(n, name, row, settings)
    for _, setting in ipairs(row.order) do
        local value = settings[setting]
        if setting == "betas" then
            if type(value) ~= "table" or check.is_tensor(value) or #value ~= 2 then
                refuse(n, name, "betas: table of two numbers expected, got %s",
                    type(value) == "table" and "one of " .. #value or check.type_name(value))
            end
            for i = 1, 2 do
                check_number(n, name, ("betas[%d]"):format(i), value[i], true)
            end
        elseif FRACTION[setting] or NUMBER[setting] then
            check_number(n, name, setting, value, FRACTION[setting])
        elseif type(value) ~= "boolean" then
            refuse(n, name, "%s: boolean expected, got %s", setting, check.type_name(value))
        end
    end
    if settings.nesterov and settings.momentum == 0 then
        refuse(n, name, "nesterov needs a momentum above 0")
    end
end

-- The list of tensors of one group; frozen ones never get a gradient, and so stay where they are. place: where those of the
-- groups before it stand.
local function check_parameters(name, parameters, prefix, place)
    if type(parameters) ~= "table" or getmetatable(parameters) then
        check.argument(1, name, "%slist of tensors expected, got %s", prefix, check.type_name(parameters))
    elseif #parameters == 0 then
        check.argument(1, name, "%sthe list of parameters is empty", prefix)
    end
    local list, here, learns = {}, {}, false
    for i, parameter in ipairs(parameters) do
        local before = place[parameter] or here[parameter]
        if not check.is_tensor(parameter) then
            check.argument(1, name, "%s[%d]: tensor expected, got %s", prefix, i, check.type_name(parameter))
        elseif not parameter:is_leaf() then
            check.argument(1, name, "%s[%d]: a leaf tensor expected, not what an operation gave", prefix, i)
        elseif before then
            check.argument(1, name, "%s[%d]: the same parameter as %s; it would be moved twice", prefix, i, before)
        end
        here[parameter] = ("%s[%d]"):format(prefix, i)
        list[i], learns = parameter, learns or parameter:requires_grad()
    end
    if not learns then
        check.argument(1, name, "%snone of these tensors requires its gradient; t:requires_grad(true) makes one a parameter",
            prefix)
    end
    return list
end

local group_metatable = { __name = "parameter group" }

function group_metatable.__newindex(self, key, value)
    if key ~= "initial_lr" then
        check.fail("no '%s' in a parameter group%s", tostring(key), check.did_you_mean(key, check.keys(self)))
    end
    rawset(self, key, value)
end

local function copy_of(value)
    return type(value) == "table" and table.move(value, 1, #value, 1, {}) or value
end

-- Given options over what `others` has for the rest. lr may be absent where groups have their own.
local function settings_of(n, name, row, given, others, without_lr)
    local types = {}
    for _, setting in ipairs(row.order) do
        types[setting] = { setting == "betas" and "table" or (FRACTION[setting] or NUMBER[setting]) and "number" or "boolean" }
    end
    local settings = check.options(n, name, given, types)
    for _, setting in ipairs(row.order) do
        if settings[setting] == nil then
            settings[setting] = others[setting]
        end
        settings[setting] = copy_of(settings[setting])
    end
    local lr = settings.lr
    if lr == nil and not without_lr then
        check.argument(n, name, "lr is missing: write optim.%s(parameters, { lr = 0.1 })", row.name)
    end
    settings.lr = lr or 0
    check_settings(n, name, row, settings)
    settings.lr = lr
    return settings
end

local own = setmetatable({}, { __mode = "k" }) -- optimiser -> what is not for the script: row, defaults, place, kept

-- Adds a group of parameters with its settings.
local function add_group(self, name, parameters, settings, prefix)
    local inside = own[self]
    local params = check_parameters(name, parameters, prefix, inside.place)
    local kept = { steps = {}, names = {}, tensors = {} } -- what the optimiser keeps for it
    for i, parameter in ipairs(params) do
        inside.place[parameter] = ("%s[%d]"):format(prefix, i)
        kept.steps[i] = 0
        table.insert(self.parameters, parameter)
    end
    settings.params = params
    table.insert(self.param_groups, setmetatable(settings, group_metatable))
    table.insert(inside.kept, kept)
end

local function is_list_of_groups(parameters)
    return type(parameters) == "table" and not getmetatable(parameters) and type(parameters[1]) == "table"
        and not getmetatable(parameters[1])
end

-- The i-th group as a script gives it: { params = list, ... }.
local function add_given_group(self, name, given, i)
    local prefix = ("group %d: "):format(i)
    if type(given) ~= "table" or getmetatable(given) or given.params == nil then
        check.argument(1, name, "%s{ params = list of tensors, ... } expected, got %s", prefix,
            type(given) == "table" and not getmetatable(given) and "a table without params" or check.type_name(given))
    end
    local rest = {}
    for key, value in pairs(given) do
        if key ~= "params" then
            rest[key] = value
        end
    end
    local inside = own[self]
    add_group(self, name, given.params, settings_of(1, name, inside.row, rest, inside.defaults), prefix)
end

local function settings_text(row, group)
    local parts = {}
    for i, setting in ipairs(row.order) do
        local value = group[setting]
        local text = type(value) == "table" and ("{%s}"):format(table.concat(value, ", ")) or nil
        parts[i] = ("%s=%s"):format(setting, text or type(value) == "number" and ("%g"):format(value) or tostring(value))
    end
    return table.concat(parts, ", ")
end

-- Reading and setting a setting on the optimiser itself is for all groups; the first one's is read.
local metatable = {}

function metatable.__index(self, key)
    local method = Optimizer[key]
    local row = own[self].row
    if method ~= nil then
        return method
    elseif row.defaults[key] ~= nil or key == "lr" then
        return self.param_groups[1][key]
    end
    local names = check.keys(Optimizer)
    table.move(row.order, 1, #row.order, #names + 1, names)
    table.move({ "parameters", "param_groups" }, 1, 2, #names + 1, names)
    check.fail("no '%s' in %s%s", tostring(key), row.name, check.did_you_mean(key, names))
end

function metatable.__newindex(self, key, value)
    local row = own[self].row
    if row.defaults[key] == nil and key ~= "lr" then
        check.fail("no '%s' in %s%s", tostring(key), row.name, check.did_you_mean(key, row.order))
    end
    for _, group in ipairs(self.param_groups) do
        group[key] = copy_of(value)
    end
end

function metatable.__tostring(self)
    local row, groups = own[self].row, self.param_groups
    if #groups == 1 then
        return ("%s(%s): %d parameters"):format(row.name, settings_text(row, groups[1]), #self.parameters)
    end
    local lines = { ("%s: %d groups"):format(row.name, #groups) }
    for i, group in ipairs(groups) do
        lines[i + 1] = ("  %d: %s: %d parameters"):format(i, settings_text(row, group), #group.params)
    end
    return table.concat(lines, "\n")
end

local function is_optimizer(value)
    return type(value) == "table" and own[value] ~= nil
end

-- The tensors that the group's settings keep beside each parameter: made where they are new, dropped where they are not kept
-- any more (momentum may be set between steps).
local function prepare(row, group, kept)
    local names = rille.optimizer_states(row.kind, group)
    if table.concat(names, " ") == table.concat(kept.names, " ") then
        return
    end
    local tensors = {}
    for i, parameter in ipairs(group.params) do
        for k, name in ipairs(names) do
            local old
            for j, other in ipairs(kept.names) do
                old = other == name and kept.tensors[(i - 1) * #kept.names + j] or old
            end
            local start = name == "sum" and group.initial_accumulator_value or 0
            tensors[(i - 1) * #names + k] = old
                or rille.keep(rille.full(parameter:shape(), start, { dtype = parameter:dtype() }))
        end
    end
    kept.names, kept.tensors = names, tensors
end

--- Moves every parameter that has a gradient by one step.
function Optimizer:step(...)
    check.nothing(1, "step", (...))
    local inside = own[self]
    for i, group in ipairs(self.param_groups) do
        check_settings(nil, "step", inside.row, group)
        prepare(inside.row, group, inside.kept[i])
    end
    for i, group in ipairs(self.param_groups) do
        local kept = inside.kept[i]
        rille.optimizer_step(inside.row.kind, group, group.params, kept.tensors, kept.steps)
    end
end

--- Forgets the parameters' gradients.
function Optimizer:zero_grad()
    for _, parameter in ipairs(self.parameters) do
        parameter.grad = nil
    end
end

--- One more group of parameters: { params = list of tensors, lr = ..., ... }; for the rest it has the optimiser's options.
function Optimizer:add_param_group(group)
    add_given_group(self, "add_param_group", group, #self.param_groups + 1)
end

--- A copy of all that a run needs to go on: { name = "Adam", param_groups = { { lr =, ..., params = { 1, 2, ... } }, ... },
-- state = { { step =, exp_avg = tensor, ... }, ... } }, parameters counted through all groups. Tensors, numbers, strings and
-- booleans only, so that it can be stored.
function Optimizer:state()
    local inside = own[self]
    local result = { name = inside.row.name, param_groups = {}, state = {} }
    for g, group in ipairs(self.param_groups) do
        local kept, copy = inside.kept[g], { params = {} }
        for key, value in pairs(group) do
            if key ~= "params" then
                copy[key] = copy_of(value)
            end
        end
        for i in ipairs(group.params) do
            local entry = { step = kept.steps[i] }
            for k, name in ipairs(kept.names) do
                entry[name] = kept.tensors[(i - 1) * #kept.names + k]:clone()
            end
            table.insert(result.state, entry)
            copy.params[i] = #result.state
        end
        result.param_groups[g] = copy
    end
    return result
end

local function check_shape_of_state(self, state)
    local row = own[self].row
    if type(state) ~= "table" or type(state.param_groups) ~= "table" or type(state.state) ~= "table" then
        check.argument(1, "load_state", "table of state() expected, got %s",
            type(state) == "table" and "one without param_groups and state" or check.type_name(state))
    elseif state.name ~= row.name then
        check.argument(1, "load_state", "the state of %s, expected that of %s", tostring(state.name), row.name)
    elseif #state.param_groups ~= #self.param_groups then
        check.argument(1, "load_state", "%d groups, expected %d", #state.param_groups, #self.param_groups)
    end
    for g, group in ipairs(self.param_groups) do
        local params = type(state.param_groups[g]) == "table" and state.param_groups[g].params
        local count = type(params) == "table" and #params or 0
        if count ~= #group.params then
            check.argument(1, "load_state", "group %d: %d parameters, expected %d", g, count, #group.params)
        end
    end
end

local function read_tensor(at, name, tensor, parameter)
    local shape = check.shape_text(parameter:shape())
    if not check.is_tensor(tensor) then
        check.argument(1, "load_state", "parameter %d: %s is a %s, expected a tensor", at, name, check.type_name(tensor))
    elseif check.shape_text(tensor:shape()) ~= shape then
        check.argument(1, "load_state", "parameter %d: %s is %s, expected %s", at, name,
            check.shape_text(tensor:shape()), shape)
    end
    return rille.keep(tensor:detach():clone():to(parameter:dtype()))
end

-- The settings of group g by the given state, and what is kept for it. first: the number of parameters in the groups before.
local function read_group(self, state, g, first)
    local row, group, given = own[self].row, self.param_groups[g], state.param_groups[g]
    local rest = {}
    for _, key in ipairs(row.order) do
        rest[key] = given[key]
    end
    local settings = settings_of(1, "load_state", row, rest, {})
    if given.initial_lr ~= nil then
        check_number(1, "load_state", "initial_lr", given.initial_lr)
    end
    settings.initial_lr = given.initial_lr
    local names = rille.optimizer_states(row.kind, settings)
    local kept = { steps = {}, names = {}, tensors = {} }
    for i, parameter in ipairs(group.params) do
        local at = first + i
        local entry = state.state[at]
        local step = type(entry) == "table" and math.tointeger(entry.step)
        if not step or step < 0 then
            check.argument(1, "load_state", "parameter %d: no number of steps", at)
        elseif step > 0 or #kept.names > 0 or entry[names[1]] then
            kept.names = names -- else it was saved before the first step
        end
        kept.steps[i] = step
        for k, name in ipairs(kept.names) do
            kept.tensors[(i - 1) * #names + k] = read_tensor(at, name, entry[name], parameter)
        end
    end
    if #kept.tensors ~= #kept.names * #group.params then
        check.argument(1, "load_state", "group %d: some parameters have made steps, others lack what is kept of theirs", g)
    end
    return settings, kept
end

--- Goes on from a state: settings, numbers of steps and what is kept beside the parameters, which must be as many and of the
-- same shapes. Raises, and changes nothing, where it does not fit. Returns the optimiser.
function Optimizer:load_state(state)
    check_shape_of_state(self, state)
    local read, first = {}, 0
    for g, group in ipairs(self.param_groups) do
        local settings, kept = read_group(self, state, g, first)
        read[g] = { settings = settings, kept = kept }
        first = first + #group.params
    end
    for g, group in ipairs(self.param_groups) do
        for key, value in pairs(read[g].settings) do
            group[key] = value
        end
        own[self].kept[g] = read[g].kept
    end
    return self
end

check.methods(Optimizer, "optimizer", is_optimizer)

--- Makes the constructor of a row { name =, kind = (of rille.optimizer_step), order = names of the settings, defaults = }.
local function constructor(row)
    local class = { __name = row.name }
    for event, handler in pairs(metatable) do
        class[event] = handler
    end
    return function(parameters, options, ...)
        check.nothing(3, row.name, (...))
        local self = { parameters = {}, param_groups = {} }
        local in_groups = is_list_of_groups(parameters)
        local defaults = settings_of(2, row.name, row, options, row.defaults, in_groups)
        own[self] = { row = row, defaults = defaults, place = {}, kept = {} }
        if in_groups then
            for i, group in ipairs(parameters) do
                add_given_group(self, row.name, group, i)
            end
        else
            add_group(self, row.name, parameters, settings_of(2, row.name, row, options, row.defaults), "")
        end
        return setmetatable(self, class)
    end
end

return { constructor = constructor, is_optimizer = is_optimizer }
