--- rille.flow.store: what a probe has recorded, pass by pass, in little memory: a float64 tensor of statistics, and where in it
-- each layer's are. Rows, plain tables, are made when they are asked for.

local store = {}

--- What a row holds, in the order of the CSV file.
store.columns = {
    "step", "layer", "name", "kind", "input_mean", "input_std", "input_nonfinite", "mean", "std", "min", "max", "log10_norm",
    "saturated", "dead", "zeros", "subnormals", "nans", "infinities", "gradient_log10_norm", "gradient_std", "gradient_zeros",
    "gradient_subnormals", "gradient_nans", "gradient_infinities", "weight_log10_norm", "weight_std", "weight_nonfinite",
    "weight_gradient_log10_norm", "weight_gradient_std", "weight_gradient_nonfinite", "weight_update_log10_ratio",
    "bias_log10_norm", "bias_nonfinite", "bias_gradient_log10_norm", "bias_gradient_std", "bias_gradient_nonfinite",
}

-- Columns of rille.measure_many's result.
local COUNT, MEAN, STD, LOG10_NORM, MIN, MAX = 1, 2, 3, 4, 5, 6
local ZEROS, SUBNORMALS, NANS, INFINITIES, DEAD, WITHIN, UNITS = 7, 8, 9, 10, 11, 12, 13

local function share(statistics, column)
    return statistics[COUNT] > 0 and statistics[column] / statistics[COUNT] or 0
end

local function nonfinite(statistics)
    return share(statistics, NANS) + share(statistics, INFINITIES)
end

local function put_output(row, own, gradient)
    row.mean, row.std, row.min, row.max, row.log10_norm = own[MEAN], own[STD], own[MIN], own[MAX], own[LOG10_NORM]
    row.zeros, row.subnormals = share(own, ZEROS), share(own, SUBNORMALS)
    row.nans, row.infinities = share(own, NANS), share(own, INFINITIES)
    if gradient[COUNT] > 0 then
        row.gradient_log10_norm, row.gradient_std = gradient[LOG10_NORM], gradient[STD]
        row.gradient_zeros, row.gradient_subnormals = share(gradient, ZEROS), share(gradient, SUBNORMALS)
        row.gradient_nans, row.gradient_infinities = share(gradient, NANS), share(gradient, INFINITIES)
    end
end

local function put_parameter(row, prefix, own, gradient)
    row[prefix .. "_log10_norm"], row[prefix .. "_nonfinite"] = own[LOG10_NORM], nonfinite(own)
    if gradient[COUNT] > 0 then
        row[prefix .. "_gradient_log10_norm"], row[prefix .. "_gradient_std"] = gradient[LOG10_NORM], gradient[STD]
        row[prefix .. "_gradient_nonfinite"] = nonfinite(gradient)
    end
end

-- A pass is { step =, plan = (rille/flow/plan.lua), statistics = (of the plan's tensors) } and, by call, saturated (shares that
-- were counted by themselves) and updates (log10 of how far the weight moved).
-- call: how often the layer has been called.
local function row_of(pass, statistics, i, call)
    local plan = pass.plan
    local layer = plan.layers[i].shown
    local row = { step = pass.step, layer = i, name = layer.name .. (call > 1 and " #" .. call or ""), kind = layer.kind,
        bounded = layer.bounded, biasless = layer.biasless, frozen = plan.frozen[i], vector = plan.vector[i] }
    local output, input = statistics[plan.output[i]], statistics[plan.input[i]]
    put_output(row, output[1], output[2])
    if layer.activation and output[1][UNITS] >= 0 then
        row.dead = output[1][DEAD] / output[1][UNITS]
    end
    if input then
        row.input_mean, row.input_std, row.input_nonfinite = input[1][MEAN], input[1][STD], nonfinite(input[1])
        row.saturated = layer.activation and (pass.saturated[i] or share(input[1], WITHIN)) or nil
    end
    local weight, bias = statistics[plan.weight[i]], statistics[plan.bias[i]]
    if weight then
        put_parameter(row, "weight", weight[1], weight[2])
        row.weight_std = weight[1][STD]
        row.weight_update_log10_ratio = pass.updates[i] and pass.updates[i] - weight[1][LOG10_NORM]
    end
    if bias then
        put_parameter(row, "bias", bias[1], bias[2])
    end
    return row
end

--- The rows of a pass.
function store.rows(pass)
    local rows, calls, statistics = {}, {}, pass.statistics:totable()
    for i, layer in ipairs(pass.plan.layers) do
        calls[layer] = (calls[layer] or 0) + 1
        rows[i] = row_of(pass, statistics, i, calls[layer])
    end
    return rows
end

return store
