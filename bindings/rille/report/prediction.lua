--- rille.report.prediction: what mean-field theory expects of each layer of a net as it was recorded first, beside what was
-- measured there.
--
-- For a chain of Linear layers with activations in between: what the norm of the gradient by pre-activations is multiplied by
-- on its way from layer l + 1 back to layer l, sqrt(chi) with chi = sigma_w² E f'(sqrt(q) z)². sigma_w² is the variance of the
-- weights of layer l + 1 times its inputs, q the mean square of layer l's pre-activations, both as measured, z ~ N(0, 1).
-- The band is two standard deviations of one input over random weights (rille.flow.band).

local band = require "rille.flow.band"
local check = require "rille.check"
local moments = require "rille.flow.moments"

local prediction = {}

-- The modules of a net that is a plain chain, by name; nil and a sentence where it is something else.
local function chain_of(net)
    local modules = {}
    for name, module in net:named_modules() do
        if module:named_children()() and module.class_name ~= "Sequential" then
            return nil, ("theory knows plain chains of layers; %s is a %s"):format(name == "" and "the net" or name,
                module.class_name)
        end
        modules[name ~= "" and name or module.class_name] = module
    end
    return modules
end

-- An activation's moments at q, where it is one that theory knows: with numbers for parameters.
local function moments_of(module)
    local parameters = module.activation and module:activation_parameters()
    for _, value in pairs(parameters or {}) do
        if type(value) ~= "number" then
            return nil
        end
    end
    local known, found = pcall(moments.of, 1, "theory", module)
    return known and found or nil
end

-- One step back, from the layer of row `after` to that of row `before`; nil where theory says nothing of it.
local function step_of(modules, before, activation, after)
    local linear, between = modules[before.name], modules[activation.name]
    if not (linear and between and modules[after.name] and linear.class_name == "Linear" and between.activation
        and modules[after.name].class_name == "Linear" and before.gradient_log10_norm and after.gradient_log10_norm) then
        return nil
    end
    local q, width = before.mean ^ 2 + before.std ^ 2, modules[after.name].in_features
    local sigma_w = after.weight_std * math.sqrt(width)
    local measured = before.gradient_log10_norm - after.gradient_log10_norm
    local m = moments_of(between)
    if not (m and q > 0 and q <= m.largest and sigma_w > 0 and sigma_w < math.huge and measured - measured == 0) then
        return nil
    end
    local at = m:at(math.max(q, m.scan[1].q))
    local chi = sigma_w ^ 2 * at.slope
    if not (chi > 0 and chi < math.huge) then
        return nil
    end
    -- The integrals at q take long, and the band needs those that are known already.
    local known = { scan = m.scan, at = function() return at end }
    local expected = band.growth_band({ q = q, chi = chi, chi_parallel = 0, sigma_w = sigma_w, moments = known },
        { width = width, layers = 1 })
    return { name = before.name, activation = activation.kind, q = q, sigma_w2 = sigma_w ^ 2, chi = chi, width = width,
        expected = math.log(chi, 10) / 2, low = expected.low, high = expected.high, std = expected.std, measured = measured }
end

--- Of the rows of a pass: { step =, layers = list of { name, activation, q, sigma_w2, chi, width, expected, low, high,
-- measured }, all logarithms (to base 10) of the norm's growth, first layer first; total = the same from the last layer to
-- the first, where no step is missing }; or nil and a sentence that says why there is none.
function prediction.of(net, rows)
    local modules, why = chain_of(net)
    if not modules then
        return nil, why
    end
    local layers, linear = {}, 0
    for i, row in ipairs(rows) do
        linear = linear + (row.kind == "Linear" and 1 or 0)
        if rows[i + 2] then
            layers[#layers + 1] = step_of(modules, row, rows[i + 1], rows[i + 2])
        end
    end
    if #layers == 0 then
        return nil, "theory needs Linear layers with an activation in between that it knows, and their gradients"
    end
    local total = { expected = 0, mean = 0, variance = 0, measured = 0 }
    for _, layer in ipairs(layers) do
        total.expected, total.measured = total.expected + layer.expected, total.measured + layer.measured
        total.mean, total.variance = total.mean + (layer.low + layer.high) / 2, total.variance + layer.std ^ 2
    end
    total.low, total.high = total.mean - 2 * math.sqrt(total.variance), total.mean + 2 * math.sqrt(total.variance)
    return { step = rows[1].step, layers = layers, total = #layers == linear - 1 and #layers > 1 and total or nil }
end

return check.strict(prediction, "rille.report.prediction")
