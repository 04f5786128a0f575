--- rille.flow.history: what a probe has recorded, as series over steps that are short enough for a page or a figure.

local check = require "rille.check"

local history = {}

-- Recorded passes that are shown: 400, and where there are many layers fewer, so that there are 20,000 values of a quantity.
local MOST_PASSES, FEWEST_PASSES, MOST_VALUES = 400, 100, 20000

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

local function matrix(passes, quantity)
    local out, at = { layers = {}, values = {} }, {}
    out.column, out.log, out.label, out.short = quantity.column, quantity.log or false, quantity.label, quantity.short
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

--- Of lists of rows, of one pass each: { steps = list, quantities = list of { column, label, short, log, layers = names,
-- values = a list for each of these, a value for each step }, of those of which there is anything }.
function history.of_passes(passes)
    local out = { steps = {}, quantities = {} }
    for i, rows in ipairs(passes) do
        out.steps[i] = rows[1].step
    end
    for _, quantity in ipairs(history.quantities) do
        local found = matrix(passes, quantity)
        out.quantities[#out.quantities + 1] = #found.layers > 0 and found or nil
    end
    return out
end

--- The same of what a probe has recorded, of some of its passes where there are many.
function history.of_probe(probe)
    local first = probe:passes(1)[1]
    local most = MOST_VALUES // math.max(1, first and #first or 1)
    return history.of_passes(probe:passes(math.max(FEWEST_PASSES, math.min(MOST_PASSES, most))))
end

return check.strict(history, "rille.flow.history")
