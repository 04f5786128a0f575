--- rille.flow.figures: figures for rille.plot from what probes have recorded.

local check = require "rille.check"
local history = require "rille.flow.history"
local ticks = require "rille.plot.ticks"

local figures = {}

-- log10 norms of the weight gradients of one pass, of its first `count` layers with a weight (nil: all).
local function weight_norms(rows, count)
    local norms = {}
    for _, row in ipairs(rows) do
        if row.weight_gradient_log10_norm and (not count or #norms < count) then
            norms[#norms + 1] = row.weight_gradient_log10_norm
        end
    end
    return norms
end

local LARGEST = 300 -- decades: gnuplot computes in doubles

-- 10^log10_x as gnuplot can draw it; nothing is drawn for NaN.
local function drawable(log10_x)
    return math.abs(log10_x) <= LARGEST and 10 ^ log10_x or 0 / 0
end

-- Gives all panels one range, whole decades around everything that is drawn.
local function share_range(panels)
    local low, high = math.huge, 0
    for _, panel in ipairs(panels) do
        for _, series in ipairs(panel.series) do
            for _, y in ipairs(series.y) do
                low, high = math.min(low, y == y and y or low), math.max(high, y == y and y or high)
            end
        end
    end
    for _, panel in ipairs(panels) do
        panel.yrange = low <= high and { 10 ^ math.floor(math.log(low, 10)), 10 ^ math.ceil(math.log(high, 10)) } or nil
    end
end

--- The norm of the loss's gradient with respect to each weight, over the recorded steps: a panel for each { title, probe } of
-- a list, a line for each layer, all on one scale. options: title; layers: only that many, from the first.
function figures.norms_over_steps(list, options)
    options = check.options(2, "norms_over_steps", options, { title = { "string" }, layers = { "number" } })
    local panels = {}
    for p, entry in ipairs(list) do
        local series = {}
        for _, rows in ipairs(entry[2]:passes()) do
            for layer, norm in ipairs(weight_norms(rows, options.layers)) do
                series[layer] = series[layer] or { x = {}, y = {}, label = "layer " .. layer }
                table.insert(series[layer].x, rows[1].step)
                table.insert(series[layer].y, drawable(norm))
            end
        end
        panels[p] = { title = entry[1], xlabel = "training step", ylabel = "norm of ∂L/∂W", ylog = true, palette = "ordered",
            series = series }
    end
    share_range(panels)
    return { title = options.title, legend = "shared", width = 1000, height = 760, panels = panels }
end

--- The same norms of single passes over the layers, each divided by that of the last layer drawn: a panel for each
-- { title, { { label, rows }, ... }, layers = n } of a list, a line for each of its passes, all on one scale; n: only that many
-- layers, from the first. options: title; level: a ratio marked by a line across.
function figures.norms_by_layer(list, options)
    options = check.options(2, "norms_by_layer", options, { title = { "string" }, level = { "number" } })
    local panels = {}
    for p, entry in ipairs(list) do
        local panel, tics = { title = entry[1], xlabel = "layer", ylabel = "norm of ∂L/∂W / that of the last", ylog = true,
            level = options.level, series = {} }, {}
        for i, pass in ipairs(entry[2]) do
            local norms, x, y = weight_norms(pass[2], entry.layers), {}, {}
            for layer, norm in ipairs(norms) do
                x[layer], tics[layer] = layer, layer
                y[layer] = drawable(norm - norms[#norms])
            end
            -- Dashed lines show where two lie on each other.
            panel.series[i] = { x = x, y = y, label = pass[1], style = i % 4 == 0 and "dashed" or "linespoints" }
        end
        panel.xrange = { 0.8, #tics + 0.2 }
        panel.xtics = #tics <= 12 and tics or nil
        panels[p] = panel
    end
    share_range(panels)
    return { title = options.title, legend = "shared", width = 100 + 500 * math.min(#panels, 3),
        height = 130 + 350 * math.ceil(#panels / 3), columns = math.min(#panels, 3), panels = panels }
end

local function check_probe(name, probe)
    if check.type_name(probe) ~= "probe" then
        check.argument(1, name, "probe expected, got %s", check.type_name(probe))
    end
end

-- The quantity of a probe's history with that column, and the steps.
local function quantity_of(probe, column)
    local h = history.of_probe(probe)
    for _, quantity in ipairs(h.quantities) do
        if quantity.column == column then
            return quantity, h.steps
        end
    end
end

-- A row of a history, with NaN where nothing was recorded.
local function without_holes(values)
    local row = {}
    for k = 1, values.n do
        row[k] = values[k] or 0 / 0
    end
    return row
end

--- The norm of the loss's gradient with respect to each weight as a map: a row a layer, a column a recorded step, colours by
-- its logarithm, so that no norm is too small for it. Returns nil where no gradient was recorded. options: title.
function figures.gradient_map(probe, options)
    check_probe("gradient_map", probe)
    options = check.options(2, "gradient_map", options, { title = { "string" } })
    local quantity, steps = quantity_of(probe, "weight_gradient_log10_norm")
    if not quantity then
        return nil
    end
    local rows = {}
    for i, values in ipairs(quantity.values) do
        rows[i] = without_holes(values)
    end
    return { title = options.title, xlabel = "training step", width = 1000,
        height = math.max(300, math.min(900, 150 + 26 * #rows)),
        map = { values = rows, x = steps, y = quantity.layers, label = "norm of ∂L/∂W", log10 = true } }
end

--- How far each weight moved between records, |ΔW| / |W| by Euclidean norms, over the recorded steps, a line a layer. Returns
-- nil where that was not recorded. options: title.
function figures.updates_over_steps(probe, options)
    check_probe("updates_over_steps", probe)
    options = check.options(2, "updates_over_steps", options, { title = { "string" } })
    local quantity, steps = quantity_of(probe, "weight_update_log10_ratio")
    if not quantity then
        return nil
    end
    local panel = { xlabel = "training step", ylabel = "norm of ΔW / norm of W", ylog = true, palette = "ordered", series = {} }
    for i, values in ipairs(quantity.values) do
        local y = {}
        for k, ratio in ipairs(without_holes(values)) do
            y[k] = drawable(ratio)
        end
        panel.series[i] = { x = steps, y = y, label = quantity.layers[i] }
    end
    share_range { panel }
    return { title = options.title, legend = "shared", width = 1000, height = 620, panels = { panel } }
end

local MOST_HISTOGRAMS = 24

--- Histograms of what each layer put out in the latest pass, a panel each; of more than 24 layers that many, evenly. Returns
-- nil for a probe that was detached. options: title, bins (40).
function figures.histograms(probe, options)
    check_probe("histograms", probe)
    options = check.options(2, "histograms", options, { title = { "string" }, bins = 40 })
    local list, panels = probe:histograms(options.bins), {}
    local n = math.min(#list, MOST_HISTOGRAMS)
    for p = 1, n do
        local h = list[n < 2 and 1 or 1 + (p - 1) * (#list - 1) // (n - 1)]
        local x, size = {}, (h.high - h.low) / #h.counts
        for i = 1, #h.counts do
            x[i] = h.low + (i - 0.5) * size
        end
        panels[p] = { title = h.name .. " " .. h.kind, xlabel = "output", ylabel = "values", legend = false,
            xrange = { h.low, h.high }, xtics = ticks(h.low, h.high, 4), yrange = { 0 },
            series = { { x = x, y = h.counts, style = "bars" } } }
    end
    local columns = math.min(n, 4)
    return n > 0 and { title = options.title, columns = columns, width = 120 + 300 * columns,
        height = 130 + 220 * math.ceil(n / columns), panels = panels } or nil
end

return figures
