--- rille.atlas.page: portraits as text for the terminal, as Markdown and as one self-contained HTML page.

local check = require "rille.check"
local html = require "rille.html"
local measurements = require "rille.atlas.measurements"
local rille = require "rille"
local slope = require "rille.atlas.slope"
local text = require "rille.text"
local verdict = require "rille.atlas.verdict"

local page = {}

local number = verdict.number

---- What is said of an activation -----------------------------------------------------------------------------------------

local function numbers(list, most)
    local words = {}
    for i = 1, math.min(#list, most) do
        words[i] = number(list[i])
    end
    return table.concat(words, ", ") .. (#list > most and (", %d more"):format(#list - most) or "")
end

local function parameters_text(p)
    local words = {}
    for i, parameter in ipairs(p.parameters) do
        words[i] = ("%s = %s (%s ... %s)"):format(parameter.name, number(parameter.initial), number(parameter.low),
            number(parameter.high))
    end
    return #words > 0 and table.concat(words, ", ") or nil
end

local function smoothness_text(p)
    local order = p.smoothness:sub(2)
    return order == "inf" and "smooth" or order == "-1" and "f jumps" or order == "0" and "f' jumps"
        or order == "1" and "f\" jumps" or p.smoothness
end

local function share_text(intervals, window, normal)
    if #intervals == 0 then
        return "nowhere"
    end
    return ("%s; %s of -%d ... %d, %s of N(0, 1)"):format(verdict.intervals(intervals), text.share(window), slope.WINDOW,
        slope.WINDOW, text.share(normal))
end

local function within_window(list)
    local near = {}
    for _, x in ipairs(list) do
        near[#near + 1] = math.abs(x) <= slope.WINDOW and x or nil
    end
    return near
end

local function steepest_text(p)
    local steepest = p.study.steepest
    local at = steepest.x and " at " .. number(steepest.x) or ""
    return ("%s%s, f'(0) = %s"):format(number(steepest.slope), at, number(p.study.at_zero))
end

local function accuracy_text(p, dtype)
    local worst = p.accuracy and p.accuracy[dtype]
    if not worst then
        return "not measured here"
    end
    local words = {}
    for order = 0, 2 do
        words[order + 1] = worst[order] and text.format("%.3f", worst[order]) or "-"
    end
    return table.concat(words, ", ")
end

local function rate_text(rate)
    return text.format("%.2g", rate)
end

local function speed_text(p)
    return p.speed and ("%s forward, %s backward"):format(rate_text(p.speed.forward), rate_text(p.speed.backward))
        or "not measured"
end

-- Everything but name, formula and sentence: a list of { label, value }.
local function facts(p)
    local zeros = within_window(p.study.zeros)
    local list = {
        { "range", ("%s ... %s"):format(number(p.range[1]), number(p.range[2])) },
        { "shape", ("%s, %s, %s"):format(p.monotonic and "monotonic" or "not monotonic", smoothness_text(p),
            p.zero_centred and "zero-centred" or "not zero-centred") },
        { "kinks", #p.kinks > 0 and numbers(p.kinks, 6) or "none" },
        { "gain", number(p.gain) },
        { "1 / sqrt(E f'(z)²), 1 / sqrt(E f(z)²)", ("%s, %s"):format(number(p.backward), number(p.forward)) },
        { "E f(z)", number(p.mean) },
        { "largest |f'|", steepest_text(p) },
        { "f' = 0 at", #zeros > 0 and numbers(zeros, 6) or "no single x" },
        { "dead (f' = 0)", share_text(p.study.dead, p.dead_window, p.dead_normal) },
        { text.format("saturated (|f'| < %g)", slope.SATURATED),
            share_text(p.study.saturated, p.saturated_window, p.saturated_normal) },
        { "falling (f' < 0)", share_text(p.study.falling, p.falling_window, p.falling_normal) },
        { "worst ULP of f, f', f\", float32", accuracy_text(p, "float32") },
        { "the same, float64", accuracy_text(p, "float64") },
        { "Gelem/s", speed_text(p) },
        { "source", p.source },
    }
    local parameters = parameters_text(p)
    if parameters then
        table.insert(list, 1, { "parameters", parameters })
    end
    return list
end

local COLUMNS = { "<name", "gain", "sqrt(E f'²)", "E f", "largest |f'|", "dead", "saturated", "falling", "ULP", "forward",
    "backward" }

-- The row of a portrait in the table of all.
local function row_of(p)
    local worst
    for order = 0, 2 do
        local ulp = p.accuracy and p.accuracy.float32 and p.accuracy.float32[order]
        worst = ulp and math.max(worst or 0, ulp) or worst
    end
    return { p.name, number(p.gain), number(p.passes), number(p.mean), number(p.study.steepest.slope),
        text.share(p.dead_normal), text.share(p.saturated_normal), text.share(p.falling_normal),
        worst and text.format("%.3f", worst) or "-", p.speed and rate_text(p.speed.forward) or "-",
        p.speed and rate_text(p.speed.backward) or "-" }
end

local LEGEND = text.format("z ~ N(0, 1), default parameters. gain: for initial weights; sqrt(E f'(z)²): what a layer leaves of "
    .. "a gradient's norm at gain 1; largest |f'|: within -%d ... %d; dead: the share of z with f' = 0, saturated: with "
    .. "|f'| < %g, falling: with f' < 0; ULP: the worst error of f, f' and f\" over all float32 inputs; forward, backward: "
    .. "Gelem/s on one thread, float32, 65,536 elements, through Lua.", slope.WINDOW, slope.WINDOW, slope.SATURATED)

local function machine_text(portraits)
    return portraits[1].speed and ("Speed was measured on: %s, instruction set %s."):format(measurements.machine(),
        rille.info().isa)
end

---- Terminal ----------------------------------------------------------------------------------------------------------------

--- All that is known of one, in lines.
function page.text(p)
    local out, widest, list = { p.name, "  f(x) = " .. p.formula }, 0, facts(p)
    for _, fact in ipairs(list) do
        widest = math.max(widest, utf8.len(fact[1]))
    end
    for _, fact in ipairs(list) do
        out[#out + 1] = ("  %s%s  %s"):format(fact[1], (" "):rep(widest - utf8.len(fact[1])), fact[2])
    end
    out[#out + 1] = "  " .. text.wrap(p.sentence, 110):gsub("\n", "\n  ")
    return table.concat(out, "\n")
end

--- A line for each, and what the columns mean.
function page.overview(portraits)
    local rows = {}
    for i, p in ipairs(portraits) do
        rows[i] = row_of(p)
    end
    return text.table(COLUMNS, rows) .. "\n\n" .. text.wrap(LEGEND, 120)
end

---- Markdown ----------------------------------------------------------------------------------------------------------------

local function markdown_table(titles, rows)
    local function line(cells)
        local safe = {}
        for i, cell in ipairs(cells) do
            safe[i] = cell:gsub("|", "\\|")
        end
        return "| " .. table.concat(safe, " | ") .. " |"
    end
    local shown, rule = {}, {}
    for i, title in ipairs(titles) do
        shown[i] = title:gsub("^<", "")
        rule[i] = title:sub(1, 1) == "<" and "---" or "---:"
    end
    local out = { line(shown), "|" .. table.concat(rule, "|") .. "|" }
    for _, row in ipairs(rows) do
        out[#out + 1] = line(row)
    end
    return table.concat(out, "\n")
end

--- A page of portraits; command: what makes it, for its head.
function page.markdown(portraits, command)
    local rows, out = {}, {}
    for i, p in ipairs(portraits) do
        rows[i] = row_of(p)
        rows[i][1] = ("[%s](#%s)"):format(p.name, p.name)
    end
    out[#out + 1] = ("# The activation atlas\n\nMade by `%s`, which also draws f, f' and f\" of each. %s %s"):format(command,
        LEGEND, machine_text(portraits) or "")
    out[#out + 1] = markdown_table(COLUMNS, rows)
    for _, p in ipairs(portraits) do
        out[#out + 1] = ("## %s\n\n    f(x) = %s\n\n%s"):format(p.name, p.formula, p.sentence)
        out[#out + 1] = markdown_table({ "<", "<" }, facts(p))
    end
    return table.concat(out, "\n\n") .. "\n"
end

---- HTML --------------------------------------------------------------------------------------------------------------------

local STYLE = [[
@media(prefers-color-scheme:dark){.plot svg{filter:invert(.9) hue-rotate(180deg)}}
.plot svg{width:100%;max-width:40rem;height:auto;border-radius:.3rem}]]

-- The drawing alone, with identifiers that are its own in a page of many.
local function inlined(svg, name)
    local own = name .. "-"
    return (svg:gsub("^.-<svg", "<svg"):gsub("id=(['\"])", "id=%1" .. own):gsub("href=(['\"])#", "href=%1#" .. own)
        :gsub("url%(#", "url(#" .. own))
end

local function overview_cell(i, word)
    return i == 1 and ("<td><a href=\"#%s\">%s</a></td>"):format(word, word) or "<td>" .. html.escape(word) .. "</td>"
end

local function section(p, plot)
    return ("<section id=\"%s\"><h2>%s</h2>\n<p><code>f(x) = %s</code></p>\n<p>%s</p>\n%s%s</section>"):format(p.name, p.name,
        html.escape(p.formula), html.escape(p.sentence),
        plot and "<div class=\"plot\">" .. inlined(plot, p.name) .. "</div>\n" or "",
        html.table("facts", nil, facts(p), html.fact))
end

--- One HTML file that needs no other. plots: SVG texts by name; those that are missing are left out.
function page.html(portraits, plots)
    local rows, sections = {}, {}
    for i, p in ipairs(portraits) do
        rows[i], sections[i] = row_of(p), section(p, plots[p.name])
    end
    return html.page("The activation atlas", STYLE, table.concat({
        "<h1>The activation atlas</h1>",
        ("<p class=\"soft\">%s %s</p>"):format(html.escape(LEGEND), html.escape(machine_text(portraits) or "")),
        "<div class=\"scroll\">" .. html.table("all", COLUMNS, rows, overview_cell) .. "</div>",
        table.concat(sections, "\n"),
    }, "\n"))
end

return check.strict(page, "rille.atlas.page")
