--- rille.nn.init: start values for parameters. Each function overwrites a tensor in place, unrecorded, and returns it.
-- Random ones draw from rille.manual_seed's stream. fan_in and fan_out of a shape [out, in, ...] are in and out times the
-- product of the rest, as for a Linear's weight [out, in].

local rille = require "rille"
local check = require "rille.check"

local init = {}

local function check_tensor(name, tensor)
    if not check.is_floating(tensor) then
        check.argument(1, name, "tensor of float32 or float64 expected, got %s",
            check.is_tensor(tensor) and tensor:dtype() or check.type_name(tensor))
    end
end

local function check_number(n, name, value, default)
    if value == nil and default then
        return default
    elseif type(value) ~= "number" then
        check.argument(n, name, "number expected, got %s", check.type_name(value))
    end
    return value
end

local function check_finite(n, name, value, default)
    value = check_number(n, name, value, default)
    if value - value ~= 0 then
        check.argument(n, name, "finite number expected, got %s", check.value_text(value))
    end
    return value
end

local function check_std(n, name, std, default)
    std = check_finite(n, name, std, default)
    if std < 0 then
        check.argument(n, name, "std is %.14g, expected 0 or more", std)
    end
    return std
end

local function overwrite(tensor, values)
    rille.no_grad(tensor.copy_, tensor, values)
    return tensor
end

local function fill_uniform(tensor, low, high)
    return overwrite(tensor, rille.rand(tensor:shape(), { dtype = tensor:dtype() }) * (high - low) + low)
end

local function fill_normal(tensor, mean, std)
    return overwrite(tensor, rille.randn(tensor:shape(), { dtype = tensor:dtype() }) * std + mean)
end

--- U(low, high); 0 and 1 by default.
function init.uniform(tensor, low, high)
    check_tensor("uniform", tensor)
    low, high = check_finite(2, "uniform", low, 0), check_finite(3, "uniform", high, 1)
    if low > high then
        check.argument(3, "uniform", "high is %.14g, expected low, %.14g, or more", high, low)
    end
    return fill_uniform(tensor, low, high)
end

--- N(mean, std²); 0 and 1 by default.
function init.normal(tensor, mean, std)
    check_tensor("normal", tensor)
    return fill_normal(tensor, check_finite(2, "normal", mean, 0), check_std(3, "normal", std, 1))
end

--- The same value everywhere.
function init.constant(tensor, value)
    check_tensor("constant", tensor)
    return overwrite(tensor, rille.full(tensor:shape(), check_number(2, "constant", value), { dtype = tensor:dtype() }))
end

--- 0 everywhere.
function init.zeros(tensor)
    check_tensor("zeros", tensor)
    return init.constant(tensor, 0)
end

--- 1 everywhere.
function init.ones(tensor)
    check_tensor("ones", tensor)
    return init.constant(tensor, 1)
end

--- The factor by which an activation's weights are to be larger than a linear layer's: rille.activations.<name>.gain(param),
-- by PyTorch's table where that has it (1 for identity, also called "linear", and sigmoid, 5/3 for tanh, sqrt(2) for relu,
-- sqrt(2 / (1 + negative_slope²)) for leaky_relu, 3/4 for selu), else 1 / sqrt(E f'(z)²) over z ~ N(0, 1).
function init.calculate_gain(name, param)
    local known = { linear = rille.activations.identity }
    for _, entry in ipairs(rille.activations) do
        known[entry.name] = entry
    end
    if not known[name] then
        check.argument(1, "calculate_gain", "no gain is known for '%s'%s", tostring(name),
            check.did_you_mean(name, check.keys(known)))
    end
    if param == nil or #known[name].parameters == 0 then
        return known[name].gain()
    end
    return known[name].gain(check_number(2, "calculate_gain", param))
end

local function fans(name, tensor)
    local shape = tensor:shape()
    if #shape < 2 then
        check.argument(1, name, "fan_in and fan_out need two dimensions or more, got %s", check.shape_text(shape))
    end
    local field = 1
    for i = 3, #shape do
        field = field * shape[i]
    end
    return shape[2] * field, shape[1] * field
end

-- Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks", eq. 16:
-- Var W = 2 / (fan_in + fan_out) keeps activations and gradients alike from layer to layer where f is near the identity.
local function xavier_std(name, tensor, options)
    check_tensor(name, tensor)
    options = check.options(2, name, options, { gain = 1 })
    if not (options.gain >= 0 and options.gain < math.huge) then
        check.argument(2, name, "gain: finite number >= 0 expected, got %s", check.value_text(options.gain))
    end
    local fan_in, fan_out = fans(name, tensor)
    return options.gain * math.sqrt(2 / (fan_in + fan_out))
end

--- U(-a, a), a = gain sqrt(6 / (fan_in + fan_out)). options: gain (1). Glorot & Bengio 2010, eq. 16.
function init.xavier_uniform(tensor, options)
    local bound = math.sqrt(3) * xavier_std("xavier_uniform", tensor, options)
    return fill_uniform(tensor, -bound, bound)
end

--- N(0, std²), std = gain sqrt(2 / (fan_in + fan_out)). options: gain (1). Glorot & Bengio 2010.
function init.xavier_normal(tensor, options)
    return fill_normal(tensor, 0, xavier_std("xavier_normal", tensor, options))
end

-- He, Zhang, Ren & Sun 2015, "Delving deep into rectifiers", eqs. 10, 14 and 15: std = sqrt(2 / ((1 + a²) fan)).
local function kaiming_std(name, tensor, options)
    check_tensor(name, tensor)
    options = check.options(2, name, options, { a = 0, mode = "fan_in", nonlinearity = "leaky_relu" })
    local fan_in, fan_out = fans(name, tensor)
    if options.mode ~= "fan_in" and options.mode ~= "fan_out" then
        check.argument(2, name, "mode: 'fan_in' or 'fan_out' expected, got '%s'", options.mode)
    end
    local fan = options.mode == "fan_in" and fan_in or fan_out
    local slope = options.nonlinearity == "leaky_relu" and options.a or nil
    return init.calculate_gain(options.nonlinearity, slope) / math.sqrt(fan)
end

--- U(-b, b), b = gain sqrt(3 / fan). options: a (0, leaky_relu's slope), mode ("fan_in" or "fan_out"), nonlinearity
-- ("leaky_relu"), which give the gain as calculate_gain does. He et al. 2015.
function init.kaiming_uniform(tensor, options)
    local bound = math.sqrt(3) * kaiming_std("kaiming_uniform", tensor, options)
    return fill_uniform(tensor, -bound, bound)
end

--- N(0, std²), std = gain / sqrt(fan). options as kaiming_uniform's. He et al. 2015.
function init.kaiming_normal(tensor, options)
    return fill_normal(tensor, 0, kaiming_std("kaiming_normal", tensor, options))
end

--- N(0, 1 / fan_in): what keeps the variance of a linear layer, and of SELU nets. LeCun, Bottou, Orr & Müller 1998, "Efficient
-- BackProp", section 4.6; Klambauer et al. 2017.
function init.lecun_normal(tensor)
    check_tensor("lecun_normal", tensor)
    local fan_in = fans("lecun_normal", tensor)
    return fill_normal(tensor, 0, 1 / math.sqrt(fan_in))
end

--- gain times a matrix drawn uniformly from those with orthonormal rows or columns, whichever are fewer. Of a tensor
-- [out, in, ...] a row is all of [in, ...]. options: gain (1). Computed in float64. Saxe, McClelland & Ganguli 2014, "Exact
-- solutions to the nonlinear dynamics of learning in deep linear neural networks".
function init.orthogonal(tensor, options)
    check_tensor("orthogonal", tensor)
    options = check.options(2, "orthogonal", options, { gain = 1 })
    if options.gain - options.gain ~= 0 then
        check.argument(2, "orthogonal", "gain: finite number expected, got %s", check.value_text(options.gain))
    end
    local shape = tensor:shape()
    if #shape < 2 then
        check.argument(1, "orthogonal", "two dimensions or more expected, got %s", check.shape_text(shape))
    elseif tensor:numel() == 0 then
        return tensor
    end
    local rows = shape[1]
    local columns = tensor:numel() // rows
    local q, r = rille.randn(math.max(rows, columns), math.min(rows, columns), { dtype = "float64" }):qr()
    -- A decomposition may choose the signs of R's diagonal; only with all of them positive is Q uniform (Mezzadri 2007).
    q = q * r:diagonal():sign()
    return overwrite(tensor, (rows < columns and q:t() or q):reshape(shape) * options.gain)
end

--- N(0, std²), std 0.01 by default, but for a share `sparsity`, rounded up, of each column of a matrix, which is 0: places are
-- drawn for each column. Martens 2010, "Deep learning via Hessian-free optimization".
function init.sparse(tensor, sparsity, std)
    check_tensor("sparse", tensor)
    sparsity, std = check_number(2, "sparse", sparsity), check_std(3, "sparse", std, 0.01)
    local shape = tensor:shape()
    if #shape ~= 2 then
        check.argument(1, "sparse", "two dimensions expected, got %s", check.shape_text(shape))
    elseif not (sparsity >= 0 and sparsity <= 1) then
        check.argument(2, "sparse", "a share from 0 to 1 expected, got %g", sparsity)
    end
    local place = rille.rand(shape):argsort(1) -- a permutation in each column
    local values = rille.randn(shape, { dtype = tensor:dtype() }) * std
    return overwrite(tensor, values:masked_fill(place:le(math.ceil(sparsity * shape[1])), 0))
end

-- The layers whose weights take a sum over fan_in inputs.
local WEIGHTED = { Linear = true, Conv1d = true, Conv2d = true }

--- At the solved edge of chaos of an activation (as flow.theory's): N(0, sigma_w² / fan_in), with the sigma_w that
-- flow.critical(activation, options) finds. Of a module the weight of each Linear, Conv1d and Conv2d in it, and the bias from
-- N(0, sigma_b²). options: sigma_b (0), parameters. Raises where there is no critical point.
function init.critical(target, activation, options)
    local point, why = require("rille.flow.critical").critical(activation, options)
    local is_module = not check.is_tensor(target) and require("rille.nn.module").is_module(target)
    if not point then
        check.argument(2, "critical", "%s", why)
    elseif not is_module then
        check_tensor("critical", target)
        return fill_normal(target, 0, point.sigma_w / math.sqrt((fans("critical", target))))
    end
    local found = false
    for _, module in target:named_modules() do
        if WEIGHTED[module.class_name] then
            found = true
            fill_normal(module.weight, 0, point.sigma_w / math.sqrt((fans("critical", module.weight))))
            if module.bias then
                fill_normal(module.bias, 0, point.sigma_b)
            end
        end
    end
    if not found then
        check.argument(1, "critical", "there is no Linear, Conv1d or Conv2d in this %s", target.class_name)
    end
    return target
end

return check.strict(init, "rille.nn.init")
