--- rille.flow.diagnosis: what a probe's rows say about each layer, where it went wrong first, and, given data, which remedy
-- really helps.

local check = require "rille.check"
local remedies = require "rille.flow.remedies"
local store = require "rille.flow.store"
local text = require "rille.text"

local diagnosis = {}

--- The thresholds, each to be overridden in diagnose's options.
diagnosis.thresholds = {
    vanishing = 0.1,      -- weight-gradient norm below this part of the last layer's
    exploding = 10,       -- weight-gradient norm above this multiple of the last layer's,
    exploding_norm = 1e3, -- or above this value
    gain = 10,            -- the weights of one layer scale signal and gradient by more than this, or by less than 1 over it
    saturated = 0.5,      -- share of a bounded activation's inputs on its flat parts
    dead = 0.5,           -- share of units that are 0 for the whole batch
    input_scale = 10,     -- the net's inputs are larger than this, root mean square
    overshooting = 0.1,   -- |ΔW| / |W| from record to record above this,
    stalled = 1e-7,       -- or below that, though there is a gradient
}

-- What the literature does about each: a sentence that begins with "try".
local REMEDIES = {
    ["non-finite"] = "inputs without NaN and Inf, a lower learning rate or initial scale, or gradient clipping",
    exploding = "a lower initial scale (nn.init.xavier_uniform, kaiming_uniform for ReLU), gradient clipping, or a lower "
        .. "learning rate",
    vanishing = "the initial scale of the activation (nn.init.xavier_uniform, kaiming_uniform for ReLU), normalisation, or "
        .. "residual connections",
    vanishing_bounded = "ReLU or LeakyReLU in place of %s, normalisation, or residual connections",
    saturated = "a lower initial scale (nn.init.xavier_uniform), inputs of about -1..1, or ReLU in place of %s",
    dead = "LeakyReLU in place of %s, a lower learning rate, or nn.init.kaiming_uniform",
    frozen = "weight:requires_grad(true), if it is to learn",
    ["cut off"] = "to keep its output in the graph: no detach, no_grad, item or totable between it and the loss",
    symmetric = "random start weights (nn.init.xavier_uniform, kaiming_uniform for ReLU)",
    ["unscaled input"] = "inputs of mean 0 and standard deviation 1",
    overshooting = "a learning rate ten times lower, or gradient clipping",
    stalled = "a higher learning rate",
    ["missing bias"] = "bias=true, as its neighbours have it",
}

-- A layer here is what has a weight, with the activations that follow it. Those before the first weight are one by themselves.
local function group(rows)
    local groups = {}
    for i, row in ipairs(rows) do
        local current = groups[#groups]
        if not current or row.weight_log10_norm then
            current = { name = row.name, kind = row.kind, rows = {}, gradient_log10_norm = row.weight_gradient_log10_norm,
                before = rows[i - 1], vector = row.vector }
            groups[#groups + 1] = current
        end
        table.insert(current.rows, row)
        if row.saturated then
            current.activation = current.activation or row.kind
            current.saturated = math.max(current.saturated or 0, row.saturated)
            current.bounded = current.bounded or row.bounded
            current.dead = math.max(current.dead or 0, row.dead or 0)
        end
    end
    return groups
end

local function log10(x)
    return math.log(x, 10)
end

-- log10 of the root mean square of what came in.
local function input_log10(row)
    return row.input_mean and 0.5 * log10(row.input_mean ^ 2 + row.input_std ^ 2)
end

-- log10 of the factors by which a layer's weights scale what comes in, and the gradient on its way back.
local function measure_gains(layer)
    local row, before = layer.rows[1], layer.before
    local input = input_log10(row)
    if row.weight_log10_norm and not layer.vector and input and input > -math.huge then
        layer.log10_gain = 0.5 * log10(row.mean ^ 2 + row.std ^ 2) - input
    end
    if before and before.gradient_log10_norm and row.gradient_log10_norm and row.gradient_log10_norm > -math.huge then
        layer.log10_gradient_gain = before.gradient_log10_norm - row.gradient_log10_norm
    end
end

local function nonfinite_where(layer)
    local first = layer.rows[1]
    if (first.weight_nonfinite or 0) + (first.bias_nonfinite or 0) > 0 then
        return "weights"
    elseif not layer.before and (first.input_nonfinite or 0) > 0 then
        return "input"
    end
    for _, row in ipairs(layer.rows) do
        if row.nans + row.infinities > 0 then
            return "outputs"
        elseif (row.gradient_nans or 0) + (row.gradient_infinities or 0) + (row.weight_gradient_nonfinite or 0)
            + (row.bias_gradient_nonfinite or 0) > 0 then
            return "gradient"
        end
    end
end

-- "[3]" -> "layer 3", "encoder[2]" -> "layer encoder[2]"
local function layer_label(name)
    return "layer " .. (name:match("^%[(%d+)%]$") or name)
end

-- Verdicts that need no comparison with other layers but for whether these have gradients.
local function judge_alone(layer, limits, any_gradient)
    local first, gain, back = layer.rows[1], layer.log10_gain, layer.log10_gradient_gain
    layer.nonfinite = nonfinite_where(layer)
    if layer.nonfinite then
        return "non-finite"
    elseif first.frozen then
        return "frozen"
    elseif any_gradient and first.weight_log10_norm and not layer.gradient_log10_norm then
        return "cut off"
    elseif first.weight_std == 0 and not layer.vector then
        return "symmetric"
    elseif layer.dead and layer.dead > limits.dead then
        return "dead"
    elseif layer.bounded and layer.saturated > limits.saturated then
        return "saturated"
    elseif not layer.before and input_log10(first) and input_log10(first) > log10(limits.input_scale) then
        return "unscaled input"
    elseif gain and back and math.min(gain, back) > log10(limits.gain) then
        return "exploding"
    elseif gain and back and math.max(gain, back) < -log10(limits.gain) then
        return "vanishing"
    end
end

-- Verdicts by the gradient that reaches the layer's weight, beside the last layer's.
local function judge_gradient(layer, limits)
    local g, ratio = layer.gradient_log10_norm, layer.log10_ratio
    if g and (g > log10(limits.exploding_norm) or ratio and ratio > log10(limits.exploding)) then
        return "exploding"
    elseif g and (g == -math.huge or ratio and ratio < log10(limits.vanishing)) then
        return "vanishing"
    end
end

local function judge_moves(layer, limits)
    local moved = layer.rows[1].weight_update_log10_ratio
    if moved and moved > log10(limits.overshooting) then
        return "overshooting"
    elseif moved and moved < log10(limits.stalled) then
        return "stalled"
    end
end

-- A layer without a bias between layers that have one; one before a normalisation needs none.
local function misses_bias(layers, i)
    local layer, with, without = layers[i], 0, 0
    for _, other in ipairs(layers) do
        local first = other.rows[1]
        if other.kind == layer.kind and first.weight_log10_norm then
            with, without = with + (first.biasless and 0 or 1), without + (first.biasless and 1 or 0)
        end
    end
    return layer.rows[1].biasless and with > without and not (layers[i + 1] and layers[i + 1].kind:find("Norm"))
end

local function numbers(layer, last)
    local parts, first = {}, layer.rows[1]
    local function put(format, ...)
        parts[#parts + 1] = format:format(...)
    end
    if layer.nonfinite then
        put("NaN or Inf in %s %s", layer.nonfinite == "input" and "the net's" or "its", layer.nonfinite)
    end
    if layer.verdict == "frozen" then
        put("its weight requires no gradient")
    elseif layer.verdict == "cut off" then
        put("no gradient comes to its weight, though others get some")
    elseif layer.verdict == "symmetric" then
        put("all its weights are %s: its units are all the same", first.weight_log10_norm == -math.huge and "0" or "equal")
    elseif layer.verdict == "unscaled input" then
        put("the net's inputs are about %s, root mean square", text.power(input_log10(first)))
    elseif layer.verdict == "missing bias" then
        put("it has none, others have one")
    elseif layer.verdict == "overshooting" or layer.verdict == "stalled" then
        put("its weight moved by %s of its norm", text.power(first.weight_update_log10_ratio))
    elseif layer.gain_is_far then
        put("its weights scale the signal by %s, the gradient by %s", text.ratio(layer.log10_gain),
            text.ratio(layer.log10_gradient_gain))
    end
    if layer.gradient_log10_norm == -math.huge then
        put("its weight gets no gradient at all")
    elseif layer.log10_ratio then
        put("weight gradient %s of %s's", text.ratio(layer.log10_ratio), layer_label(last.name))
    elseif layer.gradient_log10_norm then
        put("weight gradient %s", text.power(layer.gradient_log10_norm))
    end
    if layer.saturated and layer.bounded and layer.saturated > 0 then
        put("%s saturated", text.share(layer.saturated))
    end
    if layer.dead and layer.dead > 0 then
        put("%s dead", text.share(layer.dead))
    end
    return table.concat(parts, ", ")
end

local function remedy(layer)
    local by_slope = layer.verdict == "vanishing" and layer.bounded and not layer.gain_is_far
    local sentence = REMEDIES[by_slope and "vanishing_bounded" or layer.verdict]
    return sentence and sentence:format(layer.activation or "the activation")
end

-- Faults that a layer has by itself come first, the earliest of them; where the gradient alone shows one, the place where the
-- loss, going back, meets it first.
local OWN = { frozen = true, symmetric = true, dead = true, saturated = true, ["unscaled input"] = true }
local LATE = { overshooting = true, stalled = true, ["missing bias"] = true }

local function first_broken(layers)
    local own, backward, late
    for _, layer in ipairs(layers) do
        local verdict = layer.verdict
        if verdict == "non-finite" and layer.nonfinite ~= "gradient" then
            return layer
        elseif OWN[verdict] or layer.gain_is_far then
            own = own or layer
        elseif LATE[verdict] then
            late = late or layer
        elseif verdict ~= "healthy" then
            backward = layer
        end
    end
    if backward and backward.verdict == "non-finite" then
        return backward
    end
    return own or backward or late
end

local function judge_step(rows, limits)
    local layers, any_gradient = group(rows), false
    local last = layers[#layers]
    for _, layer in ipairs(layers) do
        measure_gains(layer)
        last = layer.gradient_log10_norm and not layer.vector and layer or last
        any_gradient = any_gradient or layer.gradient_log10_norm ~= nil
    end
    for i, layer in ipairs(layers) do
        if layer.gradient_log10_norm and not layer.vector and layer ~= last and last.gradient_log10_norm
            and last.gradient_log10_norm > -math.huge then
            layer.log10_ratio = layer.gradient_log10_norm - last.gradient_log10_norm
        end
        layer.verdict = judge_alone(layer, limits, any_gradient)
        layer.gain_is_far = layer.verdict == "exploding" or layer.verdict == "vanishing"
        layer.verdict = layer.verdict or judge_gradient(layer, limits) or judge_moves(layer, limits)
            or misses_bias(layers, i) and "missing bias" or "healthy"
        layer.remedy = remedy(layer)
        layer.text = ("%s: %s (%s)"):format(layer_label(layer.name), layer.verdict, numbers(layer, last))
            :gsub(" %(%)$", "")
    end
    return layers
end

local report_metatable = { __name = "diagnosis" }

function report_metatable.__tostring(self)
    local lines = {}
    for i, layer in ipairs(self.layers) do
        lines[i] = layer.text .. (layer.remedy and "; try " .. layer.remedy or "")
    end
    local summary = ("step %s: every layer is healthy"):format(text.number(self.step, 15))
    if not self.healthy then
        local bad = 0
        for _, layer in ipairs(self.layers) do
            bad = bad + (layer.verdict == "healthy" and 0 or 1)
        end
        summary = ("step %s: %d of %d layers not healthy"):format(text.number(self.step, 15), bad, #self.layers)
    end
    if self.first then
        summary = ("%s; first broken at step %s: %s, %s"):format(summary, text.number(self.first.step, 15),
            layer_label(self.first.name), self.first.verdict)
    end
    return summary .. "\n" .. table.concat(lines, "\n") .. (self.trials and "\n\n" .. remedies.table(self.trials) or "")
end

local trial_options = {}
for name, value in pairs(diagnosis.thresholds) do
    trial_options[name] = value
end
for name, value in pairs(remedies.options) do
    trial_options[name] = value
end

-- Where it broke first, in all that was recorded.
local function first_of(probe, latest, limits)
    for i = 1, math.max(1, #probe.recorded) do -- one at a time: a long run's rows take more memory than its records
        local rows = probe.recorded[i] and store.rows(probe.recorded[i]) or latest
        local broken = first_broken(judge_step(rows, limits))
        if broken then
            return { step = rows[1].step, name = broken.name, verdict = broken.verdict }
        end
    end
end

--- Judges a probe's latest pass (recording it where that was not done). Verdicts, the first that applies: "non-finite",
-- "frozen" (the weight requires no gradient), "cut off" (none comes to it), "symmetric" (all weights equal), "dead",
-- "saturated", "unscaled input", "exploding", "vanishing", "overshooting", "stalled" (by how far the weight moved between the
-- last two records), "missing bias", "healthy". Options override diagnosis.thresholds. Returns { step =, healthy = boolean,
-- layers = list, first = nil or { step =, name =, verdict = }, thresholds =, trials = nil or list }: each layer has name, kind,
-- activation, verdict, gradient_log10_norm (of its weight), log10_ratio (to the last layer with a weight matrix), log10_gain
-- and log10_gradient_gain (by what its weights scale signal and gradient), saturated, dead, nonfinite ("weights", "input",
-- "outputs" or "gradient"), text and remedy. `first` is the earliest recorded step at which a layer was not healthy, and there
-- the place where it begins: faults of a layer's own before those that only the gradient shows, the latter from the loss back.
--
-- With inputs and targets (options, tensors) remedies are tried, each on a copy of the probe's net for a few steps of SGD, and
-- ranked by the loss that they end with: rille/flow/remedies.lua says which, and what other options there are.
function diagnosis.diagnose(probe, options)
    if check.type_name(probe) ~= "probe" then
        check.argument(1, "diagnose", "probe expected, got %s", check.type_name(probe))
    end
    local given = options
    options = check.options(2, "diagnose", options, trial_options)
    for name in pairs(given and not given.inputs and remedies.options or {}) do
        if given[name] ~= nil then
            check.argument(2, "diagnose", "option '%s' goes with inputs, on which remedies are tried", name)
        end
    end
    local limits = {}
    for name in pairs(diagnosis.thresholds) do
        limits[name] = options[name]
    end
    local latest = probe:latest()
    if #latest == 0 then
        check.argument(1, "diagnose", "the probe has seen no forward pass of its net")
    end
    local result = { step = latest[1].step, layers = judge_step(latest, limits), healthy = true, thresholds = limits }
    for _, layer in ipairs(result.layers) do
        result.healthy = result.healthy and layer.verdict == "healthy"
    end
    result.first = first_of(probe, latest, limits)
    if options.inputs then
        result.trials = remedies.try(probe.net, options)
    end
    return setmetatable(result, report_metatable)
end

return check.strict(diagnosis, "rille.flow.diagnosis")
