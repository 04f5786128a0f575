--- rille.flow.moments: what an activation f makes of Gaussian input x ~ N(0, q), for any q: the moments that mean-field theory
-- is made of. For rille.flow.theory and its neighbours.
--
--     local m = moments.of(1, "theory", "tanh")
--     m:at(0.5).square      -- E f(x)²; fields: see COLUMNS
--     m.scan                -- moments at q = 1e-16 ... m.largest, twelve a decade

local rille = require "rille"
local check = require "rille.check"
local gaussian = require "rille.gaussian"

local moments = {}

local SMALLEST = 1e-16
local EDGE = 13             -- standard deviations beyond which the density counts as 0
local REACH = EDGE * 1e4    -- so far activations are looked at, if they are finite there
local HUGE = 1e75           -- so that the fourth power of f is finite

--- So many points a decade of q has the scan.
moments.PER_DECADE = 12

-- What is integrated, from columns f, d = f' and x². `excess` is without f(0)², which E (z² - 1) would only round.
local COLUMNS = { "square", "excess", "excess_x2", "slope", "slope_x2", "fourth", "slope_fourth", "mixed", "mean" }
local function columns(f, d, x2, at_zero)
    local square, slope = f * f, d * d
    local excess = square - at_zero * at_zero
    return { square, excess, excess * x2, slope, slope * x2, square * square, slope * slope, square * slope, f }
end

local Moments = {}
Moments.__index = Moments

--- The moments over x = sqrt(q) z, z ~ N(0, 1):
--   square, mean               E f(x)², E f(x)
--   square_by_q                d E f(x)² / dq = E f(x)² (z² - 1) / (2 q), true with kinks and jumps as well
--   slope, slope_by_q          E f'(x)² and its derivative by q
--   fourth, slope_fourth, mixed          E f(x)⁴, E f'(x)⁴, E f(x)² f'(x)²
function Moments:at(q)
    local density = (self.x2 / (-2 * q)):exp():reshape(1, self.x2:numel())
    local sums = (density:matmul(self.columns) / math.sqrt(2 * math.pi * q)):reshape(#COLUMNS):totable()
    local m = { q = q }
    for i, name in ipairs(COLUMNS) do
        m[name] = sums[i]
    end
    m.square_by_q = (m.excess_x2 / q - m.excess) / (2 * q)
    m.slope_by_q = (m.slope_x2 / q - m.slope) / (2 * q)
    return m
end

--- E f(u) f(v) of u and v from N(0, q) with correlation c; order 1: of f'. By the moments at q where c is 1 or -1 cannot be
-- told apart from them.
function Moments:covariance(q, c, order)
    if c >= 1 then
        local m = self:at(q)
        return order == 1 and m.slope or m.square
    end
    return gaussian.covariance(function(x) return self.f(x, order or 0) end, q, math.max(c, -1 + 1e-15), self.kinks)
end

-- The largest reach within which f and f' are finite. Raises where that ends before what N(0, 1) sees.
local function reach_of(n, name, m)
    local x = gaussian.line(m.kinks, REACH)
    local size = rille.maximum(m.f(x, 0):abs(), m.f(x, 1):abs())
    local bad = rille.where(rille.le(size, HUGE), rille.full(x:shape(), REACH, { dtype = "float64" }), x:abs())
    local reach = bad:min():item()
    if reach < EDGE then
        check.argument(n, name, "activation '%s' is not finite at x = %.3g or %.3g, which N(0, 1) reaches", m.name, -reach,
            reach)
    end
    return reach < REACH and reach * 0.9 or REACH
end

local function prepare(n, name, m)
    local reach = reach_of(n, name, m)
    local x, weights = gaussian.line(m.kinks, reach)
    local zero = rille.zeros(1, { dtype = "float64" })
    m.at_zero, m.largest = m.f(zero, 0):item(), (reach / EDGE) ^ 2
    m.x2 = rille.keep(x * x) -- the scope of whoever asks first may end before the moments do
    local list = columns(m.f(x, 0), m.f(x, 1), m.x2, m.at_zero)
    for i, column in ipairs(list) do
        list[i] = column * weights
    end
    m.columns = rille.keep(rille.stack(list, 2))
    m.scan = {}
    local steps = math.ceil(moments.PER_DECADE * math.log(m.largest / SMALLEST, 10))
    for i = 0, steps do
        m.scan[i + 1] = m:at(SMALLEST * (m.largest / SMALLEST) ^ (i / steps))
    end
    -- f(a x) = a f(x) for a > 0: E f² / q is one number for all q.
    local first, homogeneous = m.scan[1], true
    for _, at in ipairs(m.scan) do
        homogeneous = homogeneous and math.abs(at.square / at.q - first.square / first.q) <= 1e-11 * first.square / first.q
            and math.abs(at.slope - first.slope) <= 1e-11 * first.slope
    end
    m.homogeneous = homogeneous and first.square > 0
    return m
end

-- The entry and its parameters, which may not be a tensor, of an activation module.
local function of_module(n, name, module)
    local values = module:activation_parameters()
    for _, parameter in ipairs(module.activation.parameters) do
        if check.is_tensor(values[parameter.name]) then
            check.argument(n, name, "the %s of this %s is a tensor; a number is needed: give '%s' and option 'parameters', "
                .. "{ %s = ... }", parameter.name, module.class_name, module.activation.name, parameter.name)
        end
    end
    return module.activation, values
end

--- Entry, parameters and properties of an activation: a name, an entry of rille.activations (a script's own as well) or a
-- module such as nn.LeakyReLU(0.2). parameters: table by name, or nil for the defaults; what is returned is a new table, of all
-- of them (nil where the activation has none). n and name: the argument that errors speak of.
function moments.resolve(n, name, activation, parameters)
    local metatable = getmetatable(activation)
    local is_module = type(metatable) == "table" and rawget(metatable, "__name") == "module"
    if is_module and activation.activation then
        if parameters then
            check.argument(n, name, "option 'parameters' is given, but a %s has its own", activation.class_name)
        end
        activation, parameters = of_module(n, name, activation)
    elseif type(activation) == "string" then
        activation = rille.activations[activation]
    elseif is_module or type(activation) ~= "table" or type(activation.name) ~= "string"
        or rawget(rille, activation.name) == nil then
        check.argument(n, name, "name, entry or module of an activation expected, got %s", check.type_name(activation))
    end
    local known, properties = pcall(activation.properties, parameters)
    if not known then
        check.argument(n, name, "option 'parameters': %s", (tostring(properties):match("'properties' %((.*)%)$") or properties))
    end
    local values = #activation.parameters > 0 and {} or nil
    for _, parameter in ipairs(activation.parameters) do
        values[parameter.name] = parameters and parameters[parameter.name] or parameter.initial
    end
    return activation, values, properties
end

-- Moments by entry, then by the values of the parameters; an entry that is gone takes its moments along.
local kept = setmetatable({}, { __mode = "k" })

--- For so many sets of an activation's parameters moments are kept, half a megabyte each; at the next they start anew.
moments.KEPT = 16

--- The moments of an activation. Arguments as resolve's.
function moments.of(n, name, activation, parameters)
    local entry, given, properties = moments.resolve(n, name, activation, parameters)
    local key = {}
    for i, parameter in ipairs(entry.parameters) do
        key[i] = ("%.17g"):format(given[parameter.name])
    end
    key = table.concat(key, ",")
    local of_entry = kept[entry] or { count = 0, by_key = {} }
    if not of_entry.by_key[key] then
        local name_of, derivative = entry.name, rille.derivative
        local made = prepare(n, name, setmetatable({
            name = name_of, kinks = properties.kinks, jumps = properties.smoothness == "C-1",
            f = function(x, order) return rille.no_grad(derivative, name_of, x, order, given) end,
        }, Moments))
        of_entry = of_entry.count < moments.KEPT and of_entry or { count = 0, by_key = {} }
        of_entry.by_key[key], of_entry.count = made, of_entry.count + 1
        kept[entry] = of_entry
    end
    return of_entry.by_key[key]
end

--- Where f(x) = 0 between low and high, at which f has unlike signs (or is 0): the Illinois variant of regula falsi
-- (Dowell & Jarratt 1971), with a bisection wherever three steps have not halved the interval.
function moments.root(f, low, high)
    local at_low, at_high, size = f(low), f(high), math.abs(high - low)
    for step = 1, 200 do
        if at_low == 0 or at_high == 0 or math.abs(high - low) <= 2e-16 * math.max(math.abs(low), math.abs(high)) then
            break
        end
        local x = high - at_high * (high - low) / (at_high - at_low)
        if step % 3 == 0 then
            x = math.abs(high - low) > size / 2 and (low + high) / 2 or x
            size = math.abs(high - low)
        end
        local y = f(x)
        if y == 0 then
            return x
        elseif (y > 0) ~= (at_high > 0) then
            low, at_low = high, at_high
        else
            at_low = at_low / 2
        end
        if x == high then
            break
        end
        high, at_high = x, y
    end
    return at_low == 0 and low or high
end

return check.strict(moments, "rille.flow.moments")
