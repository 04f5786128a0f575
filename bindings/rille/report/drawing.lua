--- rille.report.drawing: small charts as SVG within a page, in the page's own colours, light or dark.

local check = require "rille.check"
local colours = require "rille.plot.colours"
local escape = require("rille.html").escape
local text = require "rille.text"
local ticks = require "rille.plot.ticks"

local drawing = {}

local WIDTH, HEIGHT = 640, 240
local LEFT, RIGHT, TOP, BOTTOM = 60, 10, 10, 42 -- margins

-- The values' range with a little room, in which one value has some as well.
local function range_of(lists)
    local low, high = math.huge, -math.huge
    for _, list in ipairs(lists) do
        for i = 1, list.n or #list do
            local value = list[i]
            if value and value - value == 0 then
                low, high = math.min(low, value), math.max(high, value)
            end
        end
    end
    if low > high then
        return 0, 1
    end
    local room = high > low and 0.04 * (high - low) or math.max(0.5, 0.1 * math.abs(high))
    return low - room, high + room
end

local function axes(c, x_label, y_label, y_text)
    local out = {}
    for _, y in ipairs(ticks(c.y0, c.y1, 5)) do
        out[#out + 1] = text.format("<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
            .. "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>", LEFT, WIDTH - RIGHT, c.y(y), c.y(y),
            LEFT - 6, c.y(y) + 4, escape(y_text(y)))
    end
    for _, x in ipairs(c.x_ticks or ticks(c.x0, c.x1, 8)) do
        out[#out + 1] = text.format("<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>", c.x(x), HEIGHT - BOTTOM + 16,
            escape(text.number(x, 6)))
    end
    out[#out + 1] = ("<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>"):format((LEFT + WIDTH - RIGHT) // 2, HEIGHT - 8,
        escape(x_label))
    out[#out + 1] = ("<text transform=\"translate(14 %d) rotate(-90)\" text-anchor=\"middle\">%s</text>"):format(
        (TOP + HEIGHT - BOTTOM) // 2, escape(y_label))
    return table.concat(out, "\n")
end

local function coordinates(xs, ys)
    local c = {}
    c.x0, c.x1 = range_of(xs)
    c.y0, c.y1 = range_of(ys)
    function c.x(x) return LEFT + (x - c.x0) / (c.x1 - c.x0) * (WIDTH - RIGHT - LEFT) end
    function c.y(y) return HEIGHT - BOTTOM - (y - c.y0) / (c.y1 - c.y0) * (HEIGHT - BOTTOM - TOP) end
    return c
end

-- The path of a line, with gaps where there is no finite value; a value alone becomes a dot.
local function path(c, x, y)
    local parts, pen = {}, false
    for i = 1, #x do
        local value = y[i]
        if value and value - value == 0 then
            parts[#parts + 1] = text.format("%s%.1f %.1f", pen and "L" or "M", c.x(x[i]), c.y(value))
            parts[#parts + 1] = not pen and "h.01" or nil
            pen = true
        else
            pen = false
        end
    end
    return table.concat(parts)
end

local function svg(label, height, parts)
    return ("<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n%s\n</svg>"):format(WIDTH, height, escape(label),
        table.concat(parts, "\n"))
end

--- A power of ten as an axis names it.
function drawing.power_text(log10_x)
    return text.power(log10_x):gsub("^1%.0e", "1e")
end

--- Lines over steps: x, list; series, list of { label =, y = (list, holes allowed, n) }, from dark to light; options: x_label,
-- y_label, y_text (function of a value).
function drawing.lines(x, series, options)
    local ys = {}
    for i, one in ipairs(series) do
        ys[i] = one.y
    end
    local c, parts = coordinates({ x }, ys), {}
    parts[1] = axes(c, options.x_label, options.y_label, options.y_text or text.number)
    for i, one in ipairs(series) do
        parts[#parts + 1] = ("<path class=\"line\" style=\"stroke:%s\" d=\"%s\"><title>%s</title></path>"):format(
            #series == 1 and "var(--link)" or colours.ordered(i, #series), path(c, x, one.y), escape(one.label))
    end
    return svg(options.y_label, HEIGHT, parts)
end

--- A band with the measured values in it: low, high, expected, measured, lists of equal length over 1, 2, ...; options as for
-- drawing.lines.
function drawing.band(low, high, expected, measured, options)
    local x, up, down = { 0.5, #low + 0.5 }, {}, {}
    local c = coordinates({ x }, { low, high, measured })
    c.x_ticks = {}
    for i = 1, #low do
        up[i] = text.format("%.1f %.1f", c.x(i), c.y(high[i]))
        down[#low + 1 - i] = text.format("%.1f %.1f", c.x(i), c.y(low[i]))
        c.x_ticks[#c.x_ticks + 1] = (#low <= 20 or i % (#low // 10) == 1) and i or nil
    end
    local parts, places = { axes(c, options.x_label, options.y_label, options.y_text or text.number) }, {}
    parts[2] = ("<path class=\"band\" d=\"M%sL%sZ\"/>"):format(table.concat(up, "L"), table.concat(down, "L"))
    for i = 1, #low do
        places[i] = i
        if #low == 1 then
            parts[2] = text.format("<line class=\"alone\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", c.x(1), c.x(1),
                c.y(low[1]), c.y(high[1]))
        end
        parts[#parts + 1] = text.format("<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>", c.x(i), c.y(measured[i]))
    end
    table.insert(parts, 3, ("<path class=\"expected\" d=\"%s\"/>"):format(path(c, places, expected)))
    return svg(options.y_label, HEIGHT, parts)
end

local BARS = 96 -- height of a histogram without its axis

--- The histogram of an entry of probe:histograms().
function drawing.histogram(h)
    local parts, most, n = {}, 1, #h.counts
    for _, count in ipairs(h.counts) do
        most = math.max(most, count)
    end
    local d = { ("M0 %d"):format(BARS) }
    for i, count in ipairs(h.counts) do
        d[#d + 1] = text.format("V%.1fH%.1f", BARS - BARS * count / most, 320 * i / n)
    end
    parts[1] = ("<path class=\"bars\" d=\"%sV%dZ\"/>"):format(table.concat(d), BARS)
    parts[2] = ("<text x=\"0\" y=\"%d\">%s</text><text x=\"320\" y=\"%d\" text-anchor=\"end\">%s</text>"):format(BARS + 16,
        escape(text.number(h.low)), BARS + 16, escape(text.number(h.high)))
    if h.low < 0 and h.high > 0 then
        local zero = 320 * -h.low / (h.high - h.low)
        parts[3] = text.format("<line class=\"zero\" x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"%d\"/>", zero, zero, BARS)
        parts[4] = zero > 60 and zero < 260 and text.format("<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">0</text>", zero,
            BARS + 16) or nil
    end
    return ("<svg viewBox=\"0 0 320 %d\" role=\"img\" aria-label=\"%s\">%s</svg>"):format(BARS + 20,
        escape("outputs of " .. h.name .. " " .. h.kind), table.concat(parts))
end

return check.strict(drawing, "rille.report.drawing")
