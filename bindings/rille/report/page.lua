--- rille.report.page: a report as one HTML file, section by section. Every text goes through html.escape.

local check = require "rille.check"
local colours = require "rille.plot.colours"
local drawing = require "rille.report.drawing"
local html = require "rille.html"
local json = require "rille.report.json"
local script = require "rille.report.script"
local style = require "rille.report.style"
local text = require "rille.text"

local page = {}

local escape = html.escape

local function paragraph(class, words)
    return ("<p class=\"%s\">%s</p>"):format(class, escape(words))
end

---- Verdict -----------------------------------------------------------------------------------------------------------------

local function verdict_item(layer)
    local well = layer.verdict == "healthy"
    return ("<li><span class=\"%s\">%s</span> %s</li>"):format(well and "good" or "bad", well and "✓" or "✗",
        escape(layer.text .. (layer.remedy and "; try " .. layer.remedy or "")))
end

local AT_ONCE = 8 -- verdicts that are seen without a click

local function folded(open, summary, items)
    return ("<details%s><summary>%s</summary><ul class=\"verdicts\">%s</ul></details>"):format(open and " open" or "", summary,
        items)
end

local function verdict_section(r)
    local well, bad, out = {}, {}, {}
    for _, layer in ipairs(r.diagnosis.layers) do
        table.insert(layer.verdict == "healthy" and well or bad, verdict_item(layer))
    end
    local summary = tostring(r.diagnosis):match("^[^\n]*")
    out[1] = paragraph(r.diagnosis.healthy and "good" or "bad", (r.diagnosis.healthy and "✓ " or "✗ ") .. summary)
    if #bad > 0 then
        out[2] = "<ul class=\"verdicts\">" .. table.concat(bad, "", 1, math.min(#bad, AT_ONCE)) .. "</ul>"
    end
    if #bad > AT_ONCE then
        out[3] = folded(false, ("%d more"):format(#bad - AT_ONCE), table.concat(bad, "", AT_ONCE + 1))
    end
    if #well > 0 then
        out[#out + 1] = folded(#well <= AT_ONCE, ("%d healthy layer%s"):format(#well, #well == 1 and "" or "s"),
            table.concat(well))
    end
    return table.concat(out, "\n")
end

---- Layers ------------------------------------------------------------------------------------------------------------------

local function nonfinite(row)
    local share = row.nans + row.infinities + (row.gradient_nans or 0) + (row.gradient_infinities or 0)
        + (row.weight_nonfinite or 0) + (row.weight_gradient_nonfinite or 0)
    return share > 0 and share or nil
end

-- title, what it is, its value (a number, or a word) of a row and its layer's diagnosis, how it is shown
local COLUMNS = {
    { "layer", "place in the net, in the order of the forward pass", function(row) return row.layer end },
    { "verdict", "of the layer that begins here", function(_, layer) return layer and layer.verdict end },
    { "‖∂L/∂W‖", "Euclidean norm of the loss's gradient by weight",
        function(row) return row.weight_gradient_log10_norm end, text.power },
    { "of the last's", "‖∂L/∂W‖ over that of the last layer", function(_, layer) return layer and layer.log10_ratio end,
        text.ratio },
    { "‖∂L/∂y‖", "Euclidean norm of the loss's gradient by output", function(row) return row.gradient_log10_norm end,
        text.power },
    { "mean y", "of the outputs", function(row) return row.mean end, text.number },
    { "std y", "standard deviation of the outputs", function(row) return row.std end, text.number },
    { "saturated", "share of inputs where |f'(x)| is below the probe's threshold", function(row) return row.saturated end,
        text.share },
    { "dead", "share of units that are 0 for the whole batch", function(row) return row.dead end, text.share },
    { "‖W‖", "Euclidean norm of the weight", function(row) return row.weight_log10_norm end, text.power },
    { "‖ΔW‖ / ‖W‖", "how far the weight moved since the record before, by norms",
        function(row) return row.weight_update_log10_ratio end, text.power },
    { "NaN, Inf", "sum of their shares in outputs, gradients and weight", nonfinite, text.share },
}

-- What the page's script sorts by.
local function sort_value(value)
    if value == nil or value ~= value then
        return ""
    end
    return type(value) == "string" and escape(value) or (json.encode(value):gsub('"', ""))
end

-- The columns of which there is anything: a list of { title, explanation, show, values }.
local function filled_columns(r)
    local of_layer, out = {}, {}
    for _, layer in ipairs(r.diagnosis.layers) do
        of_layer[layer.name] = layer
    end
    for _, column in ipairs(COLUMNS) do
        local values, any = {}, false
        for i, row in ipairs(r.rows) do
            values[i] = column[3](row, of_layer[row.name])
            any = any or values[i] ~= nil
        end
        out[#out + 1] = any and { title = column[1], explanation = column[2], show = column[4], values = values } or nil
    end
    return out
end

local function layer_cell(column, row, i)
    local value = column.values[i]
    if column.title == "layer" then
        return ("<td class=\"word\" data-value=\"%d\">%s</td>"):format(value, escape(row.name .. " " .. row.kind))
    elseif column.title == "verdict" then
        return ("<td class=\"word\" data-value=\"%s\"><span class=\"%s\">%s</span></td>"):format(sort_value(value),
            value == "healthy" and "good" or "bad", escape(value or ""))
    end
    return ("<td data-value=\"%s\">%s</td>"):format(sort_value(value), value and escape(column.show(value)) or "")
end

local function layers_section(r)
    local columns, heads, lines = filled_columns(r), {}, {}
    for i, column in ipairs(columns) do
        local is_word = column.title == "verdict" or column.title == "layer"
        heads[i] = ("<th%s><button type=\"button\" title=\"%s\">%s</button></th>"):format(
            is_word and " class=\"word\"" or "", escape(column.explanation), escape(column.title))
    end
    for i, row in ipairs(r.rows) do
        local cells = {}
        for k, column in ipairs(columns) do
            cells[k] = layer_cell(column, row, i)
        end
        lines[i] = "<tr>" .. table.concat(cells) .. "</tr>"
    end
    return table.concat {
        paragraph("soft", ("Step %s. L: the loss, y: a layer's outputs, W: its weight. Norms are Euclidean, not squared. "
            .. "A column's title sorts by it."):format(text.number(r.rows[1].step, 15))),
        "<div class=\"scroll\"><table class=\"sortable\"><thead><tr>", table.concat(heads), "</tr></thead><tbody>\n",
        table.concat(lines, "\n"), "\n</tbody></table></div>",
    }
end

---- Over the steps ----------------------------------------------------------------------------------------------------------

local function recorded_text(r)
    local shown = #r.history.steps
    return r.recorded > shown and (" %d of %d recorded passes are shown."):format(shown, r.recorded) or ""
end

local function map_section(r)
    local options = {}
    for i, quantity in ipairs(r.history.quantities) do
        options[i] = ("<option value=\"%d\">%s</option>"):format(i - 1, escape(quantity.label))
    end
    local hint = "Point at a cell, or tap it, for its value; arrow keys move from cell to cell."
    return table.concat {
        "<div id=\"map\"><p><select aria-label=\"what the map shows\">", table.concat(options), "</select></p>",
        "<canvas tabindex=\"0\" role=\"img\"></canvas>",
        ("<p class=\"soft read\" aria-live=\"polite\" data-hint=\"%s\">%s</p>"):format(hint, hint),
        paragraph("soft", "Colours of norms and ratios go by their logarithm." .. recorded_text(r)),
        "<noscript><p>The map is drawn by a script, and scripts are off here.</p></noscript></div>",
    }
end

-- A drawing in place of what uPlot would make.
local function plain_chart(r, quantity)
    local series = {}
    for i, name in ipairs(quantity.layers) do
        series[i] = { label = name, y = quantity.values[i] }
    end
    return drawing.lines(r.history.steps, series, { x_label = "step", y_label = quantity.short,
        y_text = quantity.log and drawing.power_text or text.share })
end

local function any_finite(quantity)
    for _, values in ipairs(quantity.values) do
        for k = 1, values.n do
            if values[k] and values[k] - values[k] == 0 then
                return true
            end
        end
    end
    return false
end

local function histories_section(r)
    local out = {}
    local function chart(title, attribute, plain)
        out[#out + 1] = ("<h3>%s</h3><div class=\"chart\"%s>%s</div>"):format(escape(title), attribute,
            r.uplot and "<noscript>Charts are drawn by a script, and scripts are off here.</noscript>" or plain())
    end
    if r.losses then
        local count = r.losses.count > #r.losses.values and (", %d values, by lowest and highest of each stretch"):format(
            r.losses.count) or ""
        chart("Loss" .. count, " id=\"loss\"", function()
            return drawing.lines(r.losses.steps, { { label = "loss", y = r.losses.values } },
                { x_label = "step", y_label = "loss" })
        end)
    end
    for i, quantity in ipairs(#r.history.steps > 1 and r.history.quantities or {}) do
        if quantity.log and not any_finite(quantity) then
            out[#out + 1] = ("<h3>%s</h3>%s"):format(escape(quantity.label),
                paragraph("soft", "Nothing to draw: every value is 0, or not finite."))
        elseif quantity.log then
            chart(quantity.label, (" data-quantity=\"%d\""):format(i - 1), function()
                return plain_chart(r, quantity)
            end)
        end
    end
    out[#out + 1] = paragraph("soft", (r.uplot and "Drag across a chart to see a part of it, double-click for all; a name in "
        .. "the legend hides its line." or r.missing .. ". So these charts stand still.")
        .. " A line a layer, from dark (first) to light (last).")
    return table.concat(out, "\n")
end

---- Histograms --------------------------------------------------------------------------------------------------------------

local function histograms_section(r)
    local out = {}
    for i, h in ipairs(r.histograms) do
        out[i] = ("<figure>%s<figcaption>%s</figcaption></figure>"):format(drawing.histogram(h),
            escape(("%s %s"):format(h.name, h.kind)))
    end
    return paragraph("soft", "What each layer puts out, in the latest pass: how many values lie where, from the smallest to "
        .. "the largest finite one; the dashed line is 0.") .. "<div class=\"many\">" .. table.concat(out, "\n") .. "</div>"
end

---- Theory ------------------------------------------------------------------------------------------------------------------

local function prediction_row(name, p, with)
    local inside = p.measured >= p.low and p.measured <= p.high
    return { name, with and with.activation or "", with and text.number(with.sigma_w2) or "",
        with and text.number(with.q) or "", text.power(p.expected), text.power(p.low) .. " ... " .. text.power(p.high),
        text.power(p.measured), inside and "yes" or "no" }
end

local function prediction_cell(i, value, row)
    if i == #row then
        return ("<td class=\"%s\">%s</td>"):format(value == "yes" and "good" or "bad", value)
    end
    return "<td>" .. escape(value) .. "</td>"
end

local function prediction_section(r)
    local p, rows, low, high, expected, measured = r.prediction, {}, {}, {}, {}, {}
    for i, layer in ipairs(p.layers) do
        rows[i] = prediction_row(layer.name, layer, layer)
        low[i], high[i], expected[i], measured[i] = layer.low, layer.high, layer.expected, layer.measured
    end
    rows[#rows + 1] = p.total and prediction_row("all of them", p.total) or nil
    return paragraph("soft", ("Step %s, the first that was recorded: what the norm of the gradient by a layer's outputs x is "
        .. "multiplied by on its way back from the next layer's. Expected: sqrt(χ), χ = σ_w² E f'(√q z)², where q is the "
        .. "measured mean square of x, σ_w² the variance of the next layer's weights times its inputs, z ~ N(0, 1); theory "
        .. "holds for random weights. The band is two standard deviations of one input in a net of that width."):format(
            text.number(p.step, 15)))
        .. "<div class=\"chart\">" .. drawing.band(low, high, expected, measured, { x_label = "layer of the list below",
            y_label = "growth of the norm", y_text = drawing.power_text }) .. "</div>"
        .. paragraph("soft", "Dots: measured. Dashed: expected. Shaded: the band.")
        .. "<div class=\"scroll\">" .. html.table("all", { "back to", "activation", "σ_w²", "q", "expected growth", "band",
            "measured", "in the band" }, rows, prediction_cell) .. "</div>"
end

---- Remedies, configuration -------------------------------------------------------------------------------------------------

local function remedies_section(r)
    local trials, rows, reference = r.diagnosis.trials, {}, nil
    for _, trial in ipairs(trials) do
        reference = trial.name == "as it is" and trial.after or reference
    end
    for i, trial in ipairs(trials) do
        local gain = trial.after and reference and trial.name ~= "as it is" and trial.after - reference
        rows[i] = { trial.name, trial.failed and "failed" or text.number(trial.before, 4),
            trial.failed and trial.failed or trial.after and text.number(trial.after, 4) or "not finite",
            gain and text.format("%+.4g", gain) or "", trial.log10_ratio and text.ratio(trial.log10_ratio) or "-" }
    end
    return paragraph("soft", ("What %d steps of SGD do, each from a copy of this net; best first."):format(trials.steps))
        .. "<div class=\"scroll\">" .. html.table("all", { "remedy", "loss before", "loss after", "beside as it is",
            "‖∂L/∂W‖, first / last layer" }, rows) .. "</div>"
end

local function configuration_section(r)
    return html.table("facts", nil, r.facts, html.fact)
end

---- The page ----------------------------------------------------------------------------------------------------------------

-- id, title, what it is made of (nil or false: it is left out), and its contents
local SECTIONS = {
    { "verdict", "Verdict", "diagnosis", verdict_section },
    { "layers", "Layers", "rows", layers_section },
    { "flow", "Gradient flow, layer by step", "any_history", map_section },
    { "histories", "Histories", "any_series", histories_section },
    { "histograms", "Activation histograms", "histograms", histograms_section },
    { "theory", "Theory beside measurement", "prediction", prediction_section },
    { "remedies", "Remedies, tried", "trials", remedies_section },
    { "configuration", "What made it", "facts", configuration_section },
}

local function scripts(r)
    local data = { losses = r.losses, scale = colours.scale,
        history = { steps = r.history.steps, quantities = r.any_history and r.history.quantities or { n = 0 } } }
    return ("<script type=\"application/json\" id=\"data\">%s</script>\n"):format(json.encode(data))
        .. (r.uplot and ("<script>/*\n%s*/\n%s</script>\n"):format(r.uplot.licence, r.uplot.script) or "")
        .. "<script>" .. script .. "</script>"
end

--- The HTML of a report: r holds title, line (below it), diagnosis, trials, rows, recorded (how many passes were), history,
-- any_history, any_series, losses, histograms, prediction, facts (list of { label, text }), notes, remarks (sentences on what
-- is left out), uplot (script, style and licence, or nil) and missing (why it is).
function page.html(r)
    local out, links = {}, {}
    for _, section in ipairs(SECTIONS) do
        local id, title, needs, contents = table.unpack(section)
        if r[needs] then
            links[#links + 1] = ("<a href=\"#%s\">%s</a>"):format(id, title)
            out[#out + 1] = ("<section id=\"%s\"><h2>%s</h2>\n%s</section>"):format(id, title, contents(r))
        end
    end
    return html.page(r.title, (r.uplot and r.uplot.style .. "\n" or "") .. style, table.concat({
        ("<header><h1>%s</h1><button id=\"theme\" type=\"button\" hidden>light / dark</button></header>"):format(
            escape(r.title)),
        paragraph("soft", r.line),
        r.notes and paragraph("notes", r.notes) or "",
        "<nav>" .. table.concat(links, "\n") .. "</nav>",
        table.concat(out, "\n"),
        #r.remarks > 0 and paragraph("soft", table.concat(r.remarks, " ")) or "",
        scripts(r),
    }, "\n"))
end

return check.strict(page, "rille.report.page")
