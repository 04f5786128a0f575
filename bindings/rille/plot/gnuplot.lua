--- rille.plot.gnuplot: figures as gnuplot scripts (gnuplot 5.2 and later).

local check = require "rille.check"
local colours = require "rille.plot.colours"
local text = require "rille.text"

local gnuplot = {}

local STYLES = { lines = true, points = true, linespoints = true, dashed = true, bars = true }

local FIGURE_FIELDS = { "title", "width", "height", "columns", "legend", "panels" }
local PANEL_FIELDS = {
    "title", "xlabel", "ylabel", "xlog", "ylog", "xrange", "yrange", "xtics", "ynames", "palette", "series", "legend",
    "level", "map",
}
local MAP_FIELDS = { "values", "x", "y", "label", "log10" }
local SERIES_FIELDS = { "x", "y", "label", "style", "colour" }

local function check_fields(n, name, where, given, ...)
    local known = {}
    for _, list in ipairs { ... } do
        table.move(list, 1, #list, #known + 1, known)
    end
    for key in pairs(given) do
        local found = false
        for _, field in ipairs(known) do
            found = found or field == key
        end
        if not found then
            check.argument(n, name, "%sunknown field '%s'%s", where, tostring(key), check.did_you_mean(key, known))
        end
    end
end

-- A list of numbers, or a rank-1 tensor, as a list of numbers.
local function numbers(n, name, where, values)
    if check.is_tensor(values) then
        if values:dim() ~= 1 then
            check.argument(n, name, "%s: tensor of rank 1 expected, got %s", where, check.shape_text(values:shape()))
        end
        return values:totable()
    elseif type(values) ~= "table" then
        check.argument(n, name, "%s: list or tensor expected, got %s", where, check.type_name(values))
    end
    for i = 1, #values do
        if type(values[i]) ~= "number" then
            check.argument(n, name, "%s[%d]: number expected, got %s", where, i, check.type_name(values[i]))
        end
    end
    return values
end

local function check_series(n, name, where, series)
    if type(series) ~= "table" or getmetatable(series) then
        check.argument(n, name, "%s: table expected, got %s", where, check.type_name(series))
    end
    check_fields(n, name, where .. ": ", series, SERIES_FIELDS)
    local x, y = numbers(n, name, where .. ".x", series.x), numbers(n, name, where .. ".y", series.y)
    if #x ~= #y then
        check.argument(n, name, "%s: x has %d values, y has %d", where, #x, #y)
    elseif series.style and not STYLES[series.style] then
        check.argument(n, name, "%s: no style '%s'%s", where, tostring(series.style),
            check.did_you_mean(series.style, check.keys(STYLES)))
    elseif series.colour and not tostring(series.colour):find("^#%x%x%x%x%x%x$") then
        check.argument(n, name, "%s: colour '#rrggbb' expected, got '%s'", where, tostring(series.colour))
    end
end

-- A map: rows of equal length, a number for each of their columns, a text for each of them.
local function check_map(n, name, where, panel)
    local map = panel.map
    if type(map) ~= "table" or getmetatable(map) or type(map.values) ~= "table" or #map.values == 0 then
        check.argument(n, name, "%smap: table with a list of rows, 'values', expected", where)
    elseif panel.series then
        check.argument(n, name, "%sone of map and series expected, got both", where)
    end
    check_fields(n, name, where .. "map: ", map, MAP_FIELDS)
    local x = numbers(n, name, where .. "map.x", map.x)
    for i, row in ipairs(map.values) do
        local at = ("%smap.values[%d]"):format(where, i)
        if #numbers(n, name, at, row) ~= #x then
            check.argument(n, name, "%s: %d values expected, one for each x, got %d", at, #x, #row)
        end
    end
    if type(map.y) ~= "table" or #map.y ~= #map.values then
        check.argument(n, name, "%smap.y: list of %d texts expected, one for each row", where, #map.values)
    end
end

local function check_panel(n, name, where, panel)
    if panel.map then
        return check_map(n, name, where, panel)
    elseif type(panel.series) ~= "table" or #panel.series == 0 then
        check.argument(n, name, "%sa list of series expected", where)
    end
    for i, series in ipairs(panel.series) do
        check_series(n, name, ("%sseries[%d]"):format(where, i), series)
    end
    if panel.ynames and type(panel.ynames) ~= "table" then
        check.argument(n, name, "%synames: list of names expected, got %s", where, check.type_name(panel.ynames))
    end
end

--- Raises "bad argument #n to 'name'" where figure is not one.
function gnuplot.check_figure(n, name, figure)
    if type(figure) ~= "table" or getmetatable(figure) then
        check.argument(n, name, "figure expected, got %s", check.type_name(figure))
    elseif not figure.panels then
        check_fields(n, name, "", figure, FIGURE_FIELDS, PANEL_FIELDS)
        return check_panel(n, name, "", figure)
    end
    check_fields(n, name, "", figure, FIGURE_FIELDS)
    for i, panel in ipairs(figure.panels) do
        local where = ("panels[%d]: "):format(i)
        check_fields(n, name, where, panel, PANEL_FIELDS)
        check_panel(n, name, where, panel)
    end
end

-- A string as gnuplot takes it literally. Double quotes would not do: what stands between backquotes in them is run.
local function quote(s)
    return "'" .. tostring(s):gsub("[\r\n]+", " "):gsub("'", "''") .. "'"
end

local function number(x)
    return x - x == 0 and text.format("%.9g", x) or "NaN"
end

local function data_block(name, series)
    local x, y = numbers(0, "", "x", series.x), numbers(0, "", "y", series.y)
    local lines = { name .. " << END" }
    for i = 1, #x do
        lines[#lines + 1] = number(x[i]) .. " " .. number(y[i])
    end
    lines[#lines + 1] = "END"
    return table.concat(lines, "\n")
end

-- Tics at values that were chosen for an axis show these; else those of a logarithmic axis are powers of ten.
local function axis(letter, panel, range)
    local label, log = panel[letter .. "label"], panel[letter .. "log"]
    local powers = log and not panel[letter .. "tics"]
    return {
        label and ("set %slabel %s noenhanced"):format(letter, quote(label)) or ("unset %slabel"):format(letter),
        log and ("set logscale %s"):format(letter) or ("unset logscale %s"):format(letter),
        ("set format %s %s"):format(letter, powers and '"10^{%L}"' or '"%g"'),
        ("set %srange [%s:%s]"):format(letter, range[1] and number(range[1]) or "*", range[2] and number(range[2]) or "*"),
    }
end

local function colour_of(panel, i)
    local colour = panel.series[i].colour
    return colour or panel.palette == "ordered" and colours.ordered(i, #panel.series)
        or colours.distinct[(i - 1) % #colours.distinct + 1]
end

-- Which of n series the legend names: all, or where there is no room some, evenly, with the first and the last.
local function legend_entries(panel, width)
    local widest, n = 0, #panel.series
    for _, series in ipairs(panel.series) do
        widest = math.max(widest, 68 + 8 * (utf8.len(series.label or "") or #series.label))
    end
    local room, entries = math.max(2, width // widest), {}
    for i = 1, math.min(n, room) do
        entries[i] = n <= room and i or 1 + (i - 1) * (n - 1) // (room - 1)
    end
    return entries
end

-- One legend for all panels, in a line below the title: an arrow without a head, a dot or both, and a label for each series.
local function shared_legend(panel, width, height, y)
    local out, lengths, total, entries = {}, {}, 0, legend_entries(panel, width)
    for k, i in ipairs(entries) do
        local label = panel.series[i].label or ""
        lengths[k] = 46 + 8 * (utf8.len(label) or #label) + 22
        total = total + lengths[k]
    end
    local x, level = math.max(0, (width - total + 22) / 2), 1 - y / height
    for k, i in ipairs(entries) do
        local series, colour = panel.series[i], quote(colour_of(panel, i))
        local style = series.style or "lines"
        if style ~= "points" then
            local arrow = "set arrow from screen %.5f,%.5f to screen %.5f,%.5f nohead linecolor rgb %s linewidth 2%s"
            out[#out + 1] = text.format(arrow, x / width, level, (x + 38) / width, level, colour,
                style == "dashed" and " dashtype (8,5)" or "")
        end
        if style:find("points") then
            out[#out + 1] = text.format("set label '' at screen %.5f,%.5f point pointtype 7 pointsize 0.6 linecolor rgb %s",
                (x + 19) / width, level, colour)
        end
        out[#out + 1] = text.format("set label %s at screen %.5f,%.5f left noenhanced", quote(series.label or ""),
            (x + 46) / width, level)
        x = x + lengths[k]
    end
    return table.concat(out, "\n")
end

local function drawable(panel, series)
    local x, y = numbers(0, "", "x", series.x), numbers(0, "", "y", series.y)
    for i = 1, #x do
        if x[i] - x[i] == 0 and y[i] - y[i] == 0 and not (panel.xlog and x[i] <= 0) and not (panel.ylog and y[i] <= 0) then
            return true
        end
    end
    return false
end

-- Draws one series. gnuplot refuses data without a single point, so such a series is drawn as the function NaN.
local function series_clause(panel, i, name, key)
    local series = panel.series[i]
    local points, label = drawable(panel, series), series.label
    if label and not points then
        label = label .. " (no values)"
    end
    local style = series.style or "lines"
    return ("%s with %s%s linecolor rgb %s linewidth 2%s %s"):format(points and name .. " using 1:2" or "NaN",
        style == "dashed" and "lines" or style == "bars" and (points and "boxes fill solid 0.8 noborder" or "lines") or style,
        style == "dashed" and " dashtype (8,5)" or "", quote(colour_of(panel, i)),
        style:find("points") and " pointtype 7 pointsize 0.6" or "",
        key and label and "title " .. quote(label) .. " noenhanced" or "notitle"), points
end

-- What stands at the tics of both axes: chosen values, names, or what gnuplot finds.
local function tics(panel)
    local x, y = {}, {}
    for i, value in ipairs(panel.xtics or {}) do
        x[i] = number(value)
    end
    for i, name in ipairs(panel.ynames or {}) do
        y[i] = ("%s %d"):format(quote(name), i)
    end
    return ("set xtics %s nomirror scale 1"):format(panel.xtics and "(" .. table.concat(x, ", ") .. ")" or "autofreq"),
        ("set ytics %s nomirror scale 1"):format(panel.ynames and "(" .. table.concat(y, ", ") .. ") noenhanced" or "autofreq")
end

-- Some of n places, evenly, at most so many: gnuplot's list of their labels.
local function label_list(n, most, label)
    local out, step = {}, math.ceil(n / most)
    for i = 1, n, step do
        out[#out + 1] = ("%s %d"):format(quote(label(i)), i - 1)
    end
    return "(" .. table.concat(out, ", ") .. ")"
end

-- The first row is on top, cells are all equally large, whatever x is. Values that are not finite leave a gap.
local function map_lines(panel, index, format)
    local map, low, high, rows = panel.map, math.huge, -math.huge, {}
    local x = numbers(0, "", "x", map.x)
    for i, row in ipairs(map.values) do
        local cells = {}
        for k, value in ipairs(numbers(0, "", "values", row)) do
            cells[k] = number(value)
            if value - value == 0 then
                low, high = math.min(low, value), math.max(high, value)
            end
        end
        rows[i] = table.concat(cells, " ")
    end
    if low >= high then
        low, high = low < math.huge and low - 0.5 or 0, low < math.huge and high + 0.5 or 1
    end
    local anchors = {}
    for i, rgb in ipairs(colours.scale) do
        anchors[i] = ("%d '#%02X%02X%02X'"):format(i - 1, rgb[1], rgb[2], rgb[3])
    end
    return table.concat({
        ("$data_%d_1 << END\n%s\nEND"):format(index, table.concat(rows, "\n")),
        panel.title and ("set title %s noenhanced"):format(quote(panel.title)) or "unset title",
        "unset key; unset logscale",
        ("set palette defined (%s)"):format(table.concat(anchors, ", ")),
        ("set cbrange [%s:%s]"):format(number(low), number(high)),
        map.log10 and high - low >= 2 and high - low <= 12 and "set cbtics 1" or "set cbtics autofreq",
        ("set format cb %s"):format(map.log10 and "'10^{%g}'" or "'%g'"),
        map.label and ("set cblabel %s noenhanced"):format(quote(map.label)) or "unset cblabel",
        panel.xlabel and ("set xlabel %s noenhanced"):format(quote(panel.xlabel)) or "unset xlabel",
        panel.ylabel and ("set ylabel %s noenhanced"):format(quote(panel.ylabel)) or "unset ylabel",
        ("set xtics %s scale 0 norangelimit"):format(label_list(#x, 12, function(i) return number(x[i]) end)),
        ("set ytics %s scale 0 norangelimit noenhanced"):format(label_list(#rows, 30, function(i) return map.y[i] end)),
        text.format("set xrange [-0.5:%g]; set yrange [%g:-0.5]", #x - 0.5, #rows - 0.5),
        -- Viewers of SVG and PDF smooth an image; a PNG has no hairlines between cells with one.
        ("plot $data_%d_1 matrix with image%s notitle"):format(index, format == "png" and "" or " pixels"),
    }, "\n")
end

local function panel_lines(panel, index, key, format)
    if panel.map then
        return map_lines(panel, index, format)
    end
    local out, drawn, any = {}, {}, false
    out[#out + 1] = panel.title and ("set title %s noenhanced"):format(quote(panel.title)) or "unset title"
    table.move({ tics(panel) }, 1, 2, #out + 1, out)
    out[#out + 1] = key or "unset key"
    for i, series in ipairs(panel.series) do
        local name = ("$data_%d_%d"):format(index, i)
        table.insert(out, 1, data_block(name, series))
        local points
        drawn[i], points = series_clause(panel, i, name, key)
        any = any or points
    end
    for _, letter in ipairs { "x", "y" } do
        local names = letter == "y" and panel.ynames -- the first at the top
        local range = names and { #names + 0.5, 0.5 } or panel[letter .. "range"] or not any and { 1, 10 } or {}
        table.move(axis(letter, panel, range), 1, 4, #out + 1, out)
    end
    if panel.level then
        table.insert(drawn, 1, ("%s with lines linecolor rgb \"#888888\" linewidth 1 dashtype 3 notitle"):format(
            number(panel.level)))
    end
    out[#out + 1] = "plot " .. table.concat(drawn, ", \\\n     ")
    return table.concat(out, "\n")
end

local function terminal(format, width, height, size)
    if format == "svg" then
        return ('set terminal svg size %d,%d font "sans,14" background "#ffffff"'):format(width, height)
    elseif format == "pdf" then
        return text.format('set terminal pdfcairo size %.3f,%.3f font "sans,10"', width / 96, height / 96)
    elseif format == "text" then
        return ("set terminal dumb size %d,%d noenhanced"):format(size.width, size.height)
    end
    -- Twice the pixels: sharp on a slide and on a screen with fine pixels.
    return ('if (strstrt(GPVAL_TERMINALS, " pngcairo ") > 0) '
        .. 'set terminal pngcairo size %d,%d font "sans,10.5" fontscale 2 linewidth 2 pointscale 2 background "#ffffff"; '
        .. 'else set terminal png size %d,%d font "sans,12"'):format(2 * width, 2 * height, width, height)
end

local TITLE, LEGEND, SCALE = 44, 40, 100 -- pixels; SCALE: beside a map, for what its colours mean

-- Margins of a grid of panels in parts of the page, so that all panels are equally large.
local function layout(figure, rows, columns, width, height)
    local top = (figure.title and TITLE or 12) + (figure.legend == "shared" and LEGEND or 0) + 30
    local scale = 0
    for _, panel in ipairs(figure.panels) do
        scale = panel.map and SCALE or scale
    end
    return text.format("set multiplot layout %d,%d %s margins screen %.4f,%.4f,%.4f,%.4f spacing screen %.4f,%.4f",
        rows, columns, figure.title and ('title %s font ",15" noenhanced'):format(quote(figure.title)) or "",
        84 / width, 1 - (28 + scale) / width, 58 / height, 1 - top / height, (62 + scale) / width, 72 / height)
end

-- Where all panels of a grid have the same axis label, only those at the edge show it.
local function without_repeats(panels, rows, columns)
    local same = { xlabel = true, ylabel = true }
    for field in pairs(same) do
        for _, panel in ipairs(panels) do
            same[field] = same[field] and panel[field] == panels[1][field]
        end
    end
    local out = {}
    for i, panel in ipairs(panels) do
        out[i] = setmetatable({}, { __index = panel })
        local below = panels[i + columns] and i <= (rows - 1) * columns
        out[i].xlabel = not (same.xlabel and below) and panel.xlabel or false
        out[i].ylabel = not (same.ylabel and (i - 1) % columns > 0) and panel.ylabel or false
    end
    return out
end

--- The script that draws a figure (checked before) into a file. size: characters, for the format "text".
function gnuplot.script(figure, format, path, size)
    local width, height = figure.width or 900, figure.height or 560
    local panels = figure.panels or { figure }
    local columns = math.min(figure.columns or math.ceil(math.sqrt(#panels)), #panels)
    local rows = math.ceil(#panels / columns)
    local shared = figure.legend == "shared"
    local out = {
        "set encoding utf8",
        terminal(format, width, height, size),
        "set output " .. quote(path),
        'set datafile missing "?"',
        "set border 3 linecolor rgb \"#444444\"",
        "set tics nomirror",
        format ~= "text" and 'set grid linecolor rgb "#dddddd" linewidth 1 dashtype 1' or "unset grid",
    }
    if figure.panels then
        panels = without_repeats(panels, rows, columns)
        out[#out + 1] = layout(figure, rows, columns, width, height)
        out[#out + 1] = shared and panels[1].series
            and shared_legend(panels[1], width, height, (figure.title and TITLE or 12) + LEGEND / 2) or nil
    elseif figure.title and format ~= "text" then
        out[#out + 1] = 'set title font ",15"'
    end
    local key = format == "text" and "set key below" or "set key outside right top vertical Left reverse samplen 2 spacing 1.2"
    for i, panel in ipairs(panels) do
        out[#out + 1] = panel_lines(panel, i, not shared and panel.legend ~= false and key, format)
        out[#out + 1] = "unset arrow; unset label"
    end
    if figure.panels then
        out[#out + 1] = "unset multiplot"
    end
    out[#out + 1] = "unset output"
    return table.concat(out, "\n") .. "\n"
end

return gnuplot
