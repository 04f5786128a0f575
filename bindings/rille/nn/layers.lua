--- rille.nn.layers: Linear, Sequential, Flatten, softmax and its kin, gated activations, and a module for each row of
-- rille.activations.

local rille = require "rille"
local arguments = require "rille.nn.arguments"
local check = require "rille.check"
local init = require "rille.nn.initialization"
local module = require "rille.nn.module"

local Module, is_module = module.Module, module.is_module

local layers = {}

local check_input = arguments.check_input

---- Linear -------------------------------------------------------------------------------------------------------------

--- nn.Linear(in_features, out_features [, {bias=true, dtype="float32"}]): y = x W^T + b.
-- x [..., in_features] -> y [..., out_features]; weight [out_features, in_features], bias [out_features] or false.
-- Both start from U(-1/sqrt(in_features), 1/sqrt(in_features)), as PyTorch's do.
local Linear = Module:extend "Linear"
layers.Linear = Linear

function Linear:init(in_features, out_features, options)
    in_features = check.positive_integer(1, "Linear", "in_features", in_features)
    out_features = check.positive_integer(2, "Linear", "out_features", out_features)
    options = check.options(3, "Linear", options, { bias = true, dtype = "float32" })
    arguments.check_dtype(3, "Linear", options.dtype)
    self.in_features, self.out_features = in_features, out_features
    local weight = rille.zeros(out_features, in_features, { dtype = options.dtype })
    self.weight = init.kaiming_uniform(weight, { a = math.sqrt(5) }):requires_grad(true)
    self.bias = false
    if options.bias then
        local bound = 1 / math.sqrt(in_features)
        self.bias = init.uniform(rille.zeros(out_features, { dtype = options.dtype }), -bound, bound):requires_grad(true)
    end
end

function Linear:forward(x)
    check_input(self, x)
    if x:dim() == 0 or x:size(-1) ~= self.in_features then
        self:argument_error(1, "input is %s, expected [*, %d]", check.shape_text(x:shape()), self.in_features)
    end
    return rille.linear(x, self.weight, self.bias or nil)
end

function Linear:describe()
    return ("%d -> %d%s"):format(self.in_features, self.out_features, self.bias and "" or ", no bias")
end

---- Sequential ---------------------------------------------------------------------------------------------------------

--- nn.Sequential { a, b, c }: c(b(a(x))). Its modules are net[1], net[2], ...; #net is their number.
local Sequential = Module:extend "Sequential"
layers.Sequential = Sequential

function Sequential:init(list, ...)
    if is_module(list) then
        list = { list, ... }
    elseif type(list) ~= "table" or getmetatable(list) then
        check.argument(1, "Sequential", "table of modules expected, got %s", check.type_name(list))
    else
        check.nothing(2, "Sequential", (...))
    end
    local count = 0
    for key in pairs(list) do
        if math.type(key) ~= "integer" or key < 1 then
            check.argument(1, "Sequential", "[%s]: a list of modules has no such place", type(key) == "string"
                and ("%q"):format(key) or type(key) == "number" and check.value_text(key) or type(key))
        end
        count = math.max(count, key)
    end
    for i = 1, count do
        local given = list[i]
        if type(given) == "table" and given.class_name and not is_module(given) then
            check.argument(1, "Sequential", "[%d]: module expected, got the class %s; write %s(...)", i, given.class_name,
                given.class_name)
        elseif not is_module(given) then
            check.argument(1, "Sequential", "[%d]: module expected, got %s", i, check.type_name(given))
        end
        self[i] = given
    end
end

function Sequential:forward(x)
    for i = 1, #self do
        x = self[i](x)
    end
    return x
end

---- Residual -----------------------------------------------------------------------------------------------------------

--- nn.Residual(inner [, shortcut]): shortcut(x) + inner(x), or x + inner(x) (He et al. 2015, "Deep residual learning"). Both
-- are modules; what they give has one shape.
local Residual = Module:extend "Residual"
layers.Residual = Residual

function Residual:init(inner, shortcut)
    for i, given in ipairs { inner or false, shortcut } do
        if not is_module(given) then
            check.argument(i, "Residual", "module expected, got %s", check.type_name(given or nil))
        end
    end
    self.inner = inner
    self.shortcut = shortcut or false
end

function Residual:forward(x)
    check_input(self, x)
    local along, y = self.shortcut and self.shortcut(x) or x, self.inner(x)
    if check.shape_text(along:shape()) ~= check.shape_text(y:shape()) then
        self:argument_error(1, "%s is %s, inner(x) is %s: add nn.Linear or nn.Conv2d as a second argument, which gives the "
            .. "input that shape", self.shortcut and "shortcut(x)" or "the input", check.shape_text(along:shape()),
            check.shape_text(y:shape()))
    end
    return along + y
end

---- Flatten ------------------------------------------------------------------------------------------------------------

--- nn.Flatten(): [n, ...] -> [n, product of the rest].
local Flatten = Module:extend "Flatten"
layers.Flatten = Flatten

function Flatten:forward(x)
    if not check.is_tensor(x) then
        self:argument_error(1, "tensor expected, got %s", check.type_name(x))
    elseif x:dim() == 0 then
        self:argument_error(1, "input is [], expected [n, ...]")
    end
    local n = x:size(1)
    return x:reshape(n, n > 0 and x:numel() // n or 0)
end

---- Along a dimension: softmax and its kin, gated activations ------------------------------------------------------------

-- The names of these modules, for rille.nn.
layers.along = {}

local function checked_dimension(argument, class_name, dim)
    if dim ~= nil and (math.type(dim) ~= "integer" or dim == 0) then
        check.argument(argument, class_name, "dimension expected (1 is the first, -1 the last), got %s", tostring(dim))
    end
    return dim or -1
end

local function along_a_dimension(class_name, f)
    local class = Module:extend(class_name)
    layers[class_name] = class
    table.insert(layers.along, class_name)

    function class:init(dim)
        self.dim = checked_dimension(1, class_name, dim)
    end

    function class:forward(x)
        check_input(self, x)
        return f(x, self.dim)
    end

    function class:describe()
        return ("dim %d"):format(self.dim)
    end
end

--- nn.Softmax([dim = -1]): exp(x) / sum exp(x) along dim.
along_a_dimension("Softmax", rille.softmax)
--- nn.LogSoftmax([dim = -1]): x - log sum exp(x) along dim.
along_a_dimension("LogSoftmax", rille.log_softmax)
--- nn.Softmin([dim = -1]): softmax(-x) along dim.
along_a_dimension("Softmin", rille.softmin)
--- nn.Sparsemax([dim = -1]): max(x - tau, 0) along dim, tau such that it sums to 1.
along_a_dimension("Sparsemax", rille.sparsemax)
--- nn.Hardmax([dim = -1]): 1 at the first largest along dim, 0 elsewhere. Its gradient is 0.
along_a_dimension("Hardmax", rille.hardmax)
--- nn.CReLU([dim = -1]): relu(x) and, after it along dim, relu(-x): a dimension of n becomes one of 2 n.
along_a_dimension("CReLU", rille.crelu)

-- nn.Bilinear is another thing in PyTorch: x1 A x2.
local GATES = {
    glu = "GLU", bilinear = "BilinearGLU", reglu = "ReGLU", geglu = "GEGLU", geglu_tanh = "GEGLUTanh", swiglu = "SwiGLU",
}

--- nn.GLU([dim = -1]) and so on, one for each of rille.gates: a f(b), a and b the halves of x along dim.
for _, gate in ipairs(rille.gates) do
    along_a_dimension(GATES[gate.name], rille[gate.name])
end

--- nn.Maxout(k [, dim = -1]): the largest of every k neighbours along dim: a dimension of k n becomes one of n.
local Maxout = Module:extend "Maxout"
layers.Maxout = Maxout
table.insert(layers.along, "Maxout")

function Maxout:init(k, dim)
    self.k = check.positive_integer(1, "Maxout", "k", k)
    self.dim = checked_dimension(2, "Maxout", dim)
end

function Maxout:forward(x)
    check_input(self, x)
    return rille.maxout(x, self.k, self.dim)
end

function Maxout:describe()
    return ("k %d, dim %d"):format(self.k, self.dim)
end

---- Activations --------------------------------------------------------------------------------------------------------

-- How PyTorch writes the words that are not just capitalised, and the names that it writes as one word.
local WORDS = {
    relu = "ReLU", relu6 = "ReLU6", prelu = "PReLU", rrelu = "RReLU", crelu = "CReLU", srelu = "SReLU", elu = "ELU",
    celu = "CELU", selu = "SELU", gelu = "GELU", silu = "SiLU", xielu = "XIELU", isru = "ISRU", isrlu = "ISRLU",
    lisht = "LiSHT", tanhexp = "TanhExp",
}
local NAMES = {
    hard_sigmoid = "Hardsigmoid", hard_tanh = "Hardtanh", hard_swish = "Hardswish", hard_shrink = "Hardshrink",
    soft_shrink = "Softshrink", tanh_shrink = "Tanhshrink",
}

--- The module's name of an activation: "leaky_relu" -> "LeakyReLU".
function layers.activation_name(name)
    return NAMES[name] or (name:gsub("[^_]+", function(word)
        return WORDS[word] or word:sub(1, 1):upper() .. word:sub(2)
    end):gsub("_", ""))
end

-- What stands beside the parameters in a table of options, where some of them can be learned.
local LEARNING = { learnable = false, channels = { "number" }, dtype = "float32" }

-- Values of the parameters by name, from positional arguments or one table of names, and the options beside them.
local function parameter_values(class_name, known, can_learn, ...)
    local given, count, values, options = ..., select("#", ...), {}, {}
    if type(given) == "table" and count == 1 then
        local types = {}
        for name, default in pairs(can_learn and LEARNING or {}) do
            types[name] = default
        end
        for _, parameter in ipairs(known) do
            types[parameter.name] = { "number" }
        end
        options = check.options(1, class_name, given, types)
        values = options
    else
        if count > #known then
            check.argument(#known + 1, class_name, "%s", #known == 0 and "no parameters expected"
                or ("at most %d parameter%s expected"):format(#known, #known == 1 and "" or "s"))
        end
        for i, parameter in ipairs(known) do
            values[parameter.name] = (select(i, ...))
        end
    end
    local checked = {}
    for i, parameter in ipairs(known) do
        local value = values[parameter.name]
        if value == nil then
            value = parameter.initial
        elseif type(value) ~= "number" then
            check.argument(i, class_name, "%s: number expected, got %s", parameter.name, check.type_name(value))
        elseif not (value >= parameter.low and value <= parameter.high) then
            check.argument(i, class_name, "%s is %s, expected %.14g to %.14g", parameter.name, check.value_text(value),
                parameter.low, parameter.high)
        end
        checked[parameter.name] = value
    end
    return checked, options
end

-- Puts tensors of `channels` elements that require a gradient in the place of the learnable parameters' values.
local function make_learnable(class_name, known, values, options)
    local channels = check.positive_integer(1, class_name, "channels", options.channels or 1)
    arguments.check_dtype(1, class_name, options.dtype)
    for _, parameter in ipairs(known) do
        if parameter.learnable then
            local start = rille.full({ channels }, values[parameter.name], { dtype = options.dtype })
            values[parameter.name] = start:requires_grad(true)
        end
    end
end

-- nn.PReLU([num_parameters = 1] [, init = 0.25] [, {dtype="float32"}]), as PyTorch has it: the class, with a parameter that is
-- learned unless nn.PReLU{weight=0.25, learnable=false} says otherwise.
local function always_learnable(class, name)
    local init_values = class.init
    function class:init(num_parameters, start, options)
        if type(num_parameters) == "table" then
            options = { learnable = true }
            for key, value in pairs(num_parameters) do
                options[key] = value
            end
            return init_values(self, options)
        end
        options = check.options(3, class.class_name, options, { dtype = "float32" })
        num_parameters = check.positive_integer(1, class.class_name, "num_parameters", num_parameters or 1)
        if start ~= nil and type(start) ~= "number" then
            check.argument(2, class.class_name, "init: number expected, got %s", check.type_name(start))
        end
        return init_values(self, { [name] = start, channels = num_parameters, learnable = true, dtype = options.dtype })
    end
    return class
end

--- The module class of a registry entry, such as rille.activations.leaky_relu: nn.LeakyReLU(0.2) or
-- nn.LeakyReLU{negative_slope=0.2}, the entry's default where nothing is given. f(x) for x of any shape.
-- Where the entry says that parameters are learnable, nn.Snake{alpha=1, learnable=true [, channels=64, dtype="float32"]} makes
-- them parameters of the net, of one element or one for each of x's channels (its second dimension).
-- An activation with a function <name>_training uses that one in training mode.
function layers.activation(entry)
    local class_name, known, f = layers.activation_name(entry.name), entry.parameters, rille[entry.name]
    local f_training, can_learn = rawget(rille, entry.name .. "_training") or f, false
    local class = Module:extend(class_name)
    class.activation = entry
    for _, parameter in ipairs(known) do
        can_learn = can_learn or parameter.learnable
    end

    function class:init(...)
        local values, options = parameter_values(class_name, known, can_learn, ...)
        if options.learnable then
            make_learnable(class_name, known, values, options)
        elseif options.channels then
            check.argument(1, class_name, "option 'channels' goes with learnable=true")
        end
        for _, parameter in ipairs(known) do
            self[parameter.name] = values[parameter.name]
        end
    end

    --- The parameters' values by name, as rille.derivative and rille.measure_saturated take them.
    function class:activation_parameters()
        local values = {}
        for _, parameter in ipairs(known) do
            values[parameter.name] = self[parameter.name]
        end
        return values
    end

    if #known == 0 then
        function class:forward(x)
            check_input(self, x)
            return f(x)
        end
    else
        function class:forward(x)
            check_input(self, x)
            return (self.training and f_training or f)(x, self:activation_parameters())
        end
    end

    function class:describe()
        local shown = {}
        for i, parameter in ipairs(known) do
            local value = self[parameter.name]
            shown[i] = check.is_tensor(value) and ("%s: %d learnable"):format(parameter.name, value:numel())
                or ("%s=%.14g"):format(parameter.name, value)
        end
        return #shown > 0 and table.concat(shown, ", ") or nil
    end

    return entry.name == "prelu" and always_learnable(class, known[1].name) or class
end

return layers
