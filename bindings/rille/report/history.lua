--- rille.report.history: what a probe has recorded, and a loss, as series over steps that are short enough for a page.

local check = require "rille.check"

local history = {}

local MOST_PASSES = 400 -- recorded passes that a page shows
local MOST_LOSSES = 1000 -- as many stretches of a longer list of losses, each by its extremes

--- What is shown of each layer over the steps: the column of rille.flow's rows, and what it is, with its unit.
history.quantities = {
    { column = "weight_gradient_log10_norm", log = true, short = "‖∂L/∂W‖",
        label = "‖∂L/∂W‖: Euclidean norm of the loss's gradient by weight" },
    { column = "gradient_log10_norm", log = true, short = "‖∂L/∂y‖",
        label = "‖∂L/∂y‖: Euclidean norm of the loss's gradient by output" },
    { column = "weight_update_log10_ratio", log = true, short = "‖ΔW‖ / ‖W‖",
        label = "‖ΔW‖ / ‖W‖: how far a weight moved since the record before, by norms" },
    { column = "saturated", short = "saturated", label = "share of an activation's inputs that are saturated" },
    { column = "dead", short = "dead", label = "share of an activation's units that are 0 for the whole batch" },
}

-- Three decimals: 0.2 % of a norm.
local function rounded(x)
    return x - x == 0 and math.floor(x * 1000 + 0.5) / 1000 or x
end

-- Evenly some of a list, the first and the last among them.
local function some(list, most)
    if #list <= most then
        return list
    end
    local out = {}
    for i = 1, most do
        out[i] = list[1 + (i - 1) * (#list - 1) // (most - 1)]
    end
    return out
end

local function matrix(passes, quantity)
    local out, at = { layers = {}, values = {}, log = quantity.log or false, label = quantity.label }, {}
    out.short = quantity.short
    for k, rows in ipairs(passes) do
        for _, row in ipairs(rows) do
            local value = row[quantity.column]
            if type(value) == "number" then
                local i = at[row.name] or #out.layers + 1
                at[row.name], out.layers[i] = i, row.name .. " " .. row.kind
                out.values[i] = out.values[i] or { n = #passes }
                out.values[i][k] = rounded(value)
            end
        end
    end
    return out
end

--- Of a probe's passes: { steps = list, recorded = how many there were, quantities = list of { label, short, log, layers =
-- names, values = a list for each of these, a value for each step }, of those of which there is anything }.
function history.of_passes(passes)
    local shown = some(passes, MOST_PASSES)
    local out = { steps = {}, recorded = #passes, quantities = {} }
    for i, rows in ipairs(shown) do
        out.steps[i] = rows[1].step
    end
    for _, quantity in ipairs(history.quantities) do
        local found = matrix(shown, quantity)
        out.quantities[#out.quantities + 1] = #found.layers > 0 and found or nil
    end
    return out
end

local function list_of(name, values)
    if check.is_tensor(values) and values:dim() == 1 then
        values = values:totable()
    elseif type(values) ~= "table" or getmetatable(values) then
        check.argument(2, "save", "%s: list of numbers expected, got %s", name, check.type_name(values))
    end
    for i = 1, #values do
        if type(values[i]) ~= "number" then
            check.argument(2, "save", "%s[%d]: number expected, got %s", name, i, check.type_name(values[i]))
        end
    end
    return values
end

-- The lowest and the highest value of each of so many stretches, and a NaN if there is one, in their order.
local function extremes(steps, values, stretches)
    local x, y = {}, {}
    for s = 1, stretches do
        local first, last = 1 + (s - 1) * #values // stretches, s * #values // stretches
        local low, high, nan
        for i = first, last do
            nan = nan or values[i] ~= values[i] and i or nil
            low = (values[i] < (low and values[low] or math.huge)) and i or low
            high = (values[i] > (high and values[high] or -math.huge)) and i or high
        end
        for i = first, last do
            if i == low or i == high or i == nan then
                x[#x + 1], y[#y + 1] = steps[i], values[i]
            end
        end
    end
    return x, y
end

--- A loss over steps: losses is a list of numbers (or tensor), of steps 1, 2, ..., or { steps = list, values = list }. Returns
-- { steps =, values =, count = how many there were }.
function history.of_losses(losses)
    local steps, values
    if type(losses) == "table" and (losses.values or losses.steps) then
        steps, values = list_of("losses.steps", losses.steps), list_of("losses.values", losses.values)
        if #steps ~= #values then
            check.argument(2, "save", "losses: %d steps, %d values", #steps, #values)
        end
    else
        steps, values = {}, list_of("losses", losses)
        for i = 1, #values do
            steps[i] = i
        end
    end
    local count = #values
    if count > 2 * MOST_LOSSES then
        steps, values = extremes(steps, values, MOST_LOSSES)
    end
    local short = {}
    for i, value in ipairs(values) do
        short[i] = value - value == 0 and tonumber(("%.5g"):format(value)) or value
    end
    return { steps = steps, values = short, count = count }
end

return check.strict(history, "rille.report.history")
