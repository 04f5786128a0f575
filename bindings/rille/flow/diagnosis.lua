--- rille.flow.diagnosis: what a probe's rows say about each layer. First version: rules of thumb with stated thresholds; the
-- remedies are those of the literature for each verdict, none has been tried on the net at hand.

local check = require "rille.check"
local text = require "rille.text"

local diagnosis = {}

--- The thresholds, each to be overridden in diagnose's options.
diagnosis.thresholds = {
    vanishing = 0.1,      -- weight-gradient norm below this part of the last layer's
    exploding = 10,       -- weight-gradient norm above this multiple of the last layer's,
    exploding_norm = 1e3, -- or above this value
    saturated = 0.5,      -- share of a bounded activation's inputs on its flat parts
    dead = 0.5,           -- share of units that are 0 for the whole batch
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
}

-- A layer here is what has a weight, with the activations that follow it. Those before the first weight are one by themselves.
local function group(rows)
    local groups = {}
    for _, row in ipairs(rows) do
        local current = groups[#groups]
        if not current or row.weight_log10_norm then
            current = { name = row.name, kind = row.kind, rows = {}, gradient_log10_norm = row.weight_gradient_log10_norm }
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

local function nonfinite_where(rows)
    for _, row in ipairs(rows) do
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

local function judge(layer, last, limits)
    local g = layer.gradient_log10_norm
    if g and layer ~= last and last.gradient_log10_norm > -math.huge then
        layer.log10_ratio = g - last.gradient_log10_norm
    end
    local ratio = layer.log10_ratio
    layer.nonfinite = nonfinite_where(layer.rows)
    if layer.nonfinite then
        return "non-finite"
    elseif g and (g > math.log(limits.exploding_norm, 10) or ratio and ratio > math.log(limits.exploding, 10)) then
        return "exploding"
    elseif g and (g == -math.huge or ratio and ratio < math.log(limits.vanishing, 10)) then
        return "vanishing"
    elseif layer.dead and layer.dead > limits.dead then
        return "dead"
    elseif layer.bounded and layer.saturated > limits.saturated then
        return "saturated"
    end
    return "healthy"
end

local function numbers(layer, last)
    local parts = {}
    if layer.nonfinite then
        parts[#parts + 1] = "NaN or Inf in its " .. layer.nonfinite
    end
    if layer.gradient_log10_norm == -math.huge then
        parts[#parts + 1] = "its weight gets no gradient at all"
    elseif layer.log10_ratio then
        parts[#parts + 1] = ("weight gradient %s of %s's"):format(text.ratio(layer.log10_ratio), layer_label(last.name))
    elseif layer.gradient_log10_norm then
        parts[#parts + 1] = "weight gradient " .. text.power(layer.gradient_log10_norm)
    end
    if layer.saturated and layer.bounded and layer.saturated > 0 then
        parts[#parts + 1] = text.share(layer.saturated) .. " saturated"
    end
    if layer.dead and layer.dead > 0 then
        parts[#parts + 1] = text.share(layer.dead) .. " dead"
    end
    return table.concat(parts, ", ")
end

local function remedy(layer)
    local key = layer.verdict == "vanishing" and layer.bounded and "vanishing_bounded" or layer.verdict
    local sentence = REMEDIES[key]
    return sentence and sentence:format(layer.activation or "the activation")
end

-- Where it breaks first: forwards for what the forward pass shows, from the loss back for what only the gradient shows.
local function first_broken(layers)
    local forward, backward
    for _, layer in ipairs(layers) do
        local seen_forward = layer.verdict == "dead" or layer.verdict == "saturated" or layer.nonfinite == "outputs"
        if seen_forward then
            forward = forward or layer
        elseif layer.verdict ~= "healthy" then
            backward = layer
        end
    end
    if forward and forward.nonfinite then
        return forward
    end
    return backward or forward
end

local function judge_step(rows, limits)
    local layers = group(rows)
    local last = layers[#layers]
    for _, layer in ipairs(layers) do
        last = layer.gradient_log10_norm and layer or last
    end
    for _, layer in ipairs(layers) do
        layer.verdict = judge(layer, last, limits)
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
    return summary .. "\n" .. table.concat(lines, "\n")
end

--- Judges a probe's latest pass (recording it where that was not done). Verdicts: "non-finite", "exploding", "vanishing",
-- "dead", "saturated", "healthy", the first that applies; options override diagnosis.thresholds. Returns
-- { step =, healthy = boolean, layers = list, first = nil or { step =, name =, verdict = }, thresholds = }: each layer has
-- name, kind, activation, verdict, gradient_log10_norm (of its weight), log10_ratio (to the last layer with a weight),
-- saturated, dead, nonfinite ("outputs" or "gradient"), text and remedy. `first` is the earliest recorded step at which a
-- layer was not healthy, and there the place where it begins: forwards for outputs, from the loss back for gradients.
function diagnosis.diagnose(probe, options)
    if check.type_name(probe) ~= "probe" then
        check.argument(1, "diagnose", "probe expected, got %s", check.type_name(probe))
    end
    local limits = check.options(2, "diagnose", options, diagnosis.thresholds)
    local latest = probe:latest()
    if #latest == 0 then
        check.argument(1, "diagnose", "the probe has seen no forward pass of its net")
    end
    local result = { step = latest[1].step, layers = judge_step(latest, limits), healthy = true, thresholds = limits }
    for _, layer in ipairs(result.layers) do
        result.healthy = result.healthy and layer.verdict == "healthy"
    end
    local passes = probe:passes()
    for _, rows in ipairs(#passes > 0 and passes or { latest }) do
        local broken = first_broken(judge_step(rows, limits))
        if broken then
            result.first = { step = rows[1].step, name = broken.name, verdict = broken.verdict }
            break
        end
    end
    return setmetatable(result, report_metatable)
end

return check.strict(diagnosis, "rille.flow.diagnosis")
