--- rille.nn.module: the class that every layer and every net is an instance of.
--
-- A layer of one's own:
--
--     local Residual = nn.Module:extend "Residual"
--     function Residual:init(inner)
--         self.inner = inner                          -- a module assigned to a field is a child
--         self.scale = rille.ones(1, {requires_grad=true})   -- a tensor that requires its gradient is a parameter
--     end
--     function Residual:forward(x)
--         return x + self.scale * self.inner(x)
--     end
--     local block = Residual(nn.Linear(64, 64))
--
-- Fields may also hold plain tables of modules or parameters; they are found when the net is walked. Reading a field that
-- was never assigned is an error that names the nearest one (assign nil or false first where a field may be empty).

local rille = require "rille"
local check = require "rille.check"
local copy = require "rille.nn.copy"
local state_methods = require "rille.nn.state"
local walks = require "rille.nn.walk"

local Module = {}

local instance, state_of, is_module, is_parameter = walks.instance, walks.state_of, walks.is_module, walks.is_parameter
local join, adopt, each, walk, each_tensor, pairs_of =
    walks.join, walks.adopt, walks.each, walks.walk, walks.each_tensor, walks.pairs_of

-- An argument too many is an option that stands outside its table, or one that the class does not have. Not seen where a host
-- has left out the debug library.
local function check_count(class, ...)
    local init = debug and debug.getinfo(class.init, "u")
    if init and not init.isvararg then
        check.nothing(init.nparams, class.class_name, (select(init.nparams, ...))) -- the first of its parameters is self
    end
end

--- A new class below this one: `local Residual = nn.Module:extend "Residual"`. Calling it makes an instance and runs
-- `init` with the arguments.
function Module.extend(class, name)
    if type(class) ~= "table" or is_module(class) or class.extend == nil then
        check.argument(1, "extend", "class expected, got %s; write nn.Module:extend \"Name\"", check.type_name(class))
    elseif type(name) ~= "string" then
        check.argument(1, "extend", "name of the class expected, got %s", check.type_name(name))
    end
    return setmetatable({ class_name = name }, {
        __index = class,
        __name = "class " .. name,
        __call = function(new, ...)
            local state = { class = new, fields = {}, kinds = {}, order = {}, declared = {}, hooks = {}, pre_hooks = {},
                backward_hooks = {}, last_hooks = {} }
            local self = setmetatable({ [walks.STATE] = state }, instance)
            check_count(new, ...)
            self:init(...)
            return self
        end,
    })
end

Module.class_name = "Module"
Module.training = true
Module.activation = false -- an activation's class has its registry entry here
Module.recurrent = false -- true for layers that take a sequence, step by step

--- Runs once for a new instance, with the arguments of the class's call. Nothing by default.
function Module:init() -- luacheck: no unused args
end

--- What the module computes; every class has its own.
function Module:forward()
    local name = self.class_name
    check.fail("%s has no forward: define function %s:forward(x)", name, name)
end

--- What stands between the parentheses in print(net): "64 -> 32". Nothing by default.
function Module:describe() -- luacheck: no unused args
    return nil
end

function instance.__index(self, key)
    local state = state_of(self)
    local value = state.fields[key]
    if value == nil then
        value = state.class[key]
    end
    if value == nil and type(key) == "string" and not state.declared[key] then
        local candidates, class = check.keys(state.fields), state.class
        while class do
            table.move(check.keys(class), 1, #check.keys(class), #candidates + 1, candidates)
            class = getmetatable(class) and getmetatable(class).__index
        end
        check.fail("no '%s' in %s%s", key, state.class.class_name, check.did_you_mean(key, candidates))
    end
    return value
end

local function kind_of(value)
    return is_module(value) and "module" or is_parameter(value) and "parameter"
        or walks.is_plain_table(value) and "table" or nil
end

function instance.__newindex(self, key, value)
    local state = state_of(self)
    local class_name = state.class.class_name
    if type(key) ~= "string" and math.type(key) ~= "integer" then
        check.fail("a field of %s is named by a string or an integer, got %s", class_name, check.type_name(key))
    elseif type(Module[key]) == "function" and type(value) ~= "function" then
        check.fail("'%s' is a method of every module; choose another name for the field of %s", key, class_name)
    elseif state.kinds[key] == "parameter" and check.is_tensor(value) and not is_parameter(value) then
        check.fail("'%s' is a parameter of %s: a leaf tensor with requires_grad expected", key, class_name)
    end
    local old = state.fields[key]
    if is_module(old) and state_of(old).link and state_of(old).link.parent == self then
        state_of(old).link = nil
    end
    if not state.declared[key] then
        state.declared[key] = true
        state.order[#state.order + 1] = key
    end
    state.fields[key] = value
    state.kinds[key] = kind_of(value)
    if state.kinds[key] == "parameter" then
        rille.keep(value) -- a net may be made within a rille.scope that ends before it
    elseif is_module(value) then
        adopt(self, join("", key), value)
    elseif state.kinds[key] == "table" then
        walks.each_in_table(self, join("", key), value, function() end, {})
    end
end

-- The outputs after the hooks, which may put something else in the first one's place.
local function run_hooks(self, state, inputs, output, ...)
    local hooks = state.hooks
    for i = 1, #hooks do
        local replaced = hooks[i](self, inputs, output)
        if replaced ~= nil then
            output = replaced
        end
    end
    if #state.backward_hooks > 0 and check.is_tensor(output) and output:requires_grad() and not output:is_leaf() then
        for _, hook in ipairs(state.backward_hooks) do
            output:register_hook(function(gradient)
                return hook(self, gradient)
            end)
        end
    end
    return output, ...
end

-- What self.forward is, without the search that reading a field is.
local function forward_of(state)
    return state.fields.forward or state.class.forward
end

local function call_with_hooks(self, state, inputs)
    local hooks = state.pre_hooks
    for i = 1, #hooks do
        local replaced = hooks[i](self, inputs)
        if replaced ~= nil then
            inputs[1] = replaced
        end
    end
    return run_hooks(self, state, inputs, forward_of(state)(self, table.unpack(inputs, 1, inputs.n)))
end

-- Closed, it runs the hooks that run however a pass ends.
local at_the_end = {
    __close = function(pass)
        for _, hook in ipairs(pass.state.last_hooks) do
            hook(pass.module, pass.inputs, pass.outputs and pass.outputs[1])
        end
    end,
}

function instance.__call(self, ...)
    local state = state_of(self)
    if #state.pre_hooks + #state.hooks + #state.backward_hooks + #state.last_hooks == 0 then
        return forward_of(state)(self, ...)
    end
    local inputs = table.pack(...)
    if #state.last_hooks == 0 then
        return call_with_hooks(self, state, inputs)
    end
    local pass <close> = setmetatable({ state = state, module = self, inputs = inputs, outputs = false }, at_the_end)
    pass.outputs = table.pack(call_with_hooks(self, state, inputs))
    return table.unpack(pass.outputs, 1, pass.outputs.n)
end

function instance.__len(self)
    return #state_of(self).fields
end

function instance.__pairs(self)
    local state, i = state_of(self), 0
    return function()
        repeat
            i = i + 1
        until state.order[i] == nil or state.fields[state.order[i]] ~= nil
        return state.order[i], state.fields[state.order[i]]
    end
end

-- Hooks are held in lists that are replaced, never changed, so that a hook may remove itself while it runs.
local function add_hook(self, list, name, hook)
    if type(hook) ~= "function" then
        check.argument(1, name, "function expected, got %s", check.type_name(hook))
    end
    local state = state_of(self)
    state[list] = table.move(state[list], 1, #state[list], 1, {})
    table.insert(state[list], hook)
    local handle = {}
    function handle.remove()
        local rest, gone = {}, handle.removed -- a function that was registered twice runs once more
        for _, other in ipairs(state[list]) do
            if other == hook and not gone then
                gone = true
            else
                rest[#rest + 1] = other
            end
        end
        state[list], handle.removed = rest, true
    end
    return handle
end

--- hook(module, inputs, output) runs after every forward pass of this module; inputs is a list. What it returns, if not nil,
-- takes the output's place. options: always_call (false): it runs at the end of the pass even where that fails, after all other
-- hooks; it gets no output then, and what it returns is not looked at. Returns a handle: handle:remove() ends it.
function Module:register_forward_hook(hook, options)
    local always = check.options(2, "register_forward_hook", options, { always_call = false }).always_call
    return add_hook(self, always and "last_hooks" or "hooks", "register_forward_hook", hook)
end

--- hook(module, inputs) runs before every forward pass of this module; inputs is a list. What it returns, if not nil, takes
-- the first input's place. Returns a handle: handle:remove() ends it.
function Module:register_forward_pre_hook(hook)
    return add_hook(self, "pre_hooks", "register_forward_pre_hook", hook)
end

--- hook(module, gradient) runs in every backward pass, with the loss's gradient with respect to this module's first output, if
-- an operation made that; what it returns, if not nil, takes the gradient's place (see t:register_hook). Returns a handle:
-- handle:remove() ends it for passes forward from then on.
function Module:register_backward_hook(hook)
    return add_hook(self, "backward_hooks", "register_backward_hook", hook)
end

--- Where the module stands in the net it belongs to: "net[3].inner"; nil where it belongs to none.
function Module:path()
    local names, module = {}, self
    repeat
        local link = state_of(module).link
        module = link and link.parent
        if module then
            table.insert(names, 1, link.key)
        end
    until not module or #names > 1000
    local path = "net"
    for _, name in ipairs(names) do
        path = join(path, name)
    end
    return #names > 0 and path or nil
end

--- Raises "bad argument #n to 'Class' (net[3]: ...)", with the script's line. Arguments after n as string.format's.
function Module:argument_error(n, format, ...)
    local path = self:path()
    check.argument(n, self.class_name, "%s%s", path and path .. ": " or "", format:format(...))
end

--- Iterates over name, tensor of every parameter: "[1].weight", "encoder.bias". A module's own come before those of the
-- modules in it, each in the order of assignment; one that is shared comes once.
function Module:named_parameters()
    local list = {}
    each_tensor(self, { parameter = true }, function(name, tensor)
        list[#list + 1] = { name, tensor }
    end)
    return pairs_of(list)
end

--- The list of all parameters, in the order of named_parameters.
function Module:parameters()
    local list = {}
    each_tensor(self, { parameter = true }, function(_, tensor)
        list[#list + 1] = tensor
    end)
    return list
end

--- Iterates over name, module of this module (its name is "") and of all below it.
function Module:named_modules()
    local list = {}
    walk(self, "", {}, function(name, module)
        list[#list + 1] = { name, module }
    end)
    return pairs_of(list)
end

--- The list of this module and of all below it.
function Module:modules()
    local list = {}
    for _, module in self:named_modules() do
        list[#list + 1] = module
    end
    return list
end

--- Iterates over name, module of the modules directly below this one.
function Module:named_children()
    local list = {}
    each(self, function(name, value, kind)
        if kind == "module" then
            list[#list + 1] = { name, value }
        end
    end)
    return pairs_of(list)
end

--- Iterates over name, tensor of the parameters that are this module's own, not its children's.
function Module:own_parameters()
    local list = {}
    each(self, function(name, value, kind)
        if kind == "parameter" then
            list[#list + 1] = { name, value }
        end
    end)
    return pairs_of(list)
end

--- Registers a tensor that is not trained but belongs to the module's state, such as a running mean. Returns it.
function Module:register_buffer(name, tensor)
    if not check.is_tensor(tensor) then
        check.argument(2, "register_buffer", "tensor expected, got %s", check.type_name(tensor))
    end
    self[name] = rille.keep(tensor)
    state_of(self).kinds[name] = "buffer"
    return tensor
end

--- Sets training mode (true, the default argument, or false) here and below. Returns the module.
function Module:train(on)
    if on ~= nil and type(on) ~= "boolean" then
        check.argument(1, "train", "boolean expected, got %s", check.type_name(on))
    end
    for _, module in ipairs(self:modules()) do
        module.training = on ~= false
    end
    return self
end

--- Ends training mode here and below. Returns the module.
function Module:eval(...)
    check.nothing(1, "eval", (...))
    return self:train(false)
end

--- Forgets the gradients of all parameters.
function Module:zero_grad()
    for _, parameter in ipairs(self:parameters()) do
        parameter.grad = nil
    end
end

--- A copy of this module and all below it that shares nothing with it: the same classes, fields and values, no hooks, no
-- gradients.
function Module:clone()
    return copy(self)
end

for name, method in pairs(state_methods) do
    Module[name] = method
end
check.methods(Module, "module", is_module, { extend = true, init = true, forward = true, describe = true })

return { Module = Module, is_module = is_module }
