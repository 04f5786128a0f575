--- rille.text: numbers and tables as a person reads them in a terminal, and numbers as files are to have them.

local check = require "rille.check"

local text = {}

--- string.format with a point in decimal numbers, whatever the locale that the host has set: what reads a file expects one.
function text.format(format, ...)
    local point, values, i = ("%.1f"):format(0.5):sub(2, -2), { ... }, 0
    if point == "." then
        return format:format(...)
    end
    return (format:gsub("%%([-+ #0-9.]*)(.)", function(flags, kind)
        i = kind == "%" and i or i + 1
        local written = ("%" .. flags .. kind):format(kind ~= "%" and values[i] or nil)
        return ("aAeEfgG"):find(kind, 1, true) and written:gsub(point, ".", 1) or written
    end))
end

--- x with the given significant digits (3): "0.0123", "1.2e-07", "nan", "-" for nil.
function text.number(x, digits)
    if x == nil then
        return "-"
    elseif x ~= x then
        return "nan"
    end
    return text.format(("%%.%dg"):format(digits or 3), x)
end

-- x of 0.01 to 10000 with two significant digits, or with all before the point: "0.012", "0.10", "4.0", "370".
local function two_digits(x)
    local decimals = 1 - math.floor(math.log(x, 10))
    local shown = text.format("%." .. math.max(0, decimals) .. "f", x)
    if decimals > 0 and tonumber(shown) >= 10 ^ (2 - decimals) then
        return text.format("%." .. decimals - 1 .. "f", x)
    end
    return shown
end

--- 10^log10_x, also where that is no double: "3.2e-05", "0.45", "1.7e-460", "0" for -Inf, "-" for nil.
function text.power(log10_x)
    if log10_x == nil then
        return "-"
    elseif log10_x ~= log10_x then
        return "nan"
    elseif log10_x == -math.huge then
        return "0"
    elseif log10_x == math.huge then
        return "inf"
    elseif log10_x >= -2 and log10_x < 4 then
        return two_digits(10 ^ log10_x)
    end
    local exponent = math.floor(log10_x)
    local mantissa = text.format("%.1f", 10 ^ (log10_x - exponent))
    if mantissa == "10.0" then
        mantissa, exponent = "1.0", exponent + 1
    end
    return ("%se%+03d"):format(mantissa, exponent)
end

--- A ratio from its log10: "1/5800" below a tenth, else "0.45", "1.2", "370". Two significant digits.
function text.ratio(log10_ratio)
    if log10_ratio == nil or log10_ratio ~= log10_ratio or math.abs(log10_ratio) >= 6 then
        return text.power(log10_ratio)
    elseif log10_ratio < -1 then
        return "1/" .. text.ratio(-log10_ratio):gsub("%.0$", "")
    elseif log10_ratio < 2 then
        return two_digits(10 ^ log10_ratio)
    end
    local unit = 10 ^ (math.floor(log10_ratio) - 1)
    return ("%.0f"):format(math.floor(10 ^ log10_ratio / unit + 0.5) * unit)
end

--- A share of 0..1: "71 %", "0 %", "< 1 %", "> 99 %", "-" for nil.
function text.share(x)
    if x == nil then
        return "-"
    elseif x ~= x then
        return "nan"
    elseif x > 0 and x < 0.005 then
        return "< 1 %"
    elseif x < 1 and x >= 0.995 then
        return "> 99 %"
    end
    return ("%.0f %%"):format(100 * x)
end

--- An integer with thousands parted: 65290 -> "65,290".
function text.count(n)
    local digits = ("%d"):format(n)
    local parted = digits:reverse():gsub("(%d%d%d)", "%1,"):reverse()
    return (parted:gsub("^,", ""):gsub("^%-,", "-"))
end

--- A paragraph broken into lines of at most `width` (100) characters.
function text.wrap(paragraph, width)
    local lines, line = {}, nil
    for word in paragraph:gmatch("%S+") do
        local longer = line and line .. " " .. word or word
        if line and (utf8.len(longer) or #longer) > (width or 100) then
            lines[#lines + 1], line = line, word
        else
            line = longer
        end
    end
    lines[#lines + 1] = line
    return table.concat(lines, "\n")
end

--- An aligned table. columns: list of titles; one that starts with "<" is left-aligned, others are right-aligned.
-- rows: list of lists of strings (nil: empty), or a string for a line across. Returns lines without a last newline.
function text.table(columns, rows)
    local titles, left, width = {}, {}, {}
    for i, title in ipairs(columns) do
        left[i] = title:sub(1, 1) == "<"
        titles[i] = left[i] and title:sub(2) or title
        width[i] = utf8.len(titles[i]) or #titles[i]
    end
    for _, row in ipairs(rows) do
        for i = 1, type(row) == "table" and #columns or 0 do
            local cell = row[i] or ""
            width[i] = math.max(width[i], utf8.len(cell) or #cell)
        end
    end
    local function line(cells)
        local out = {}
        for i = 1, #columns do
            local cell = cells[i] or ""
            local pad = (" "):rep(width[i] - (utf8.len(cell) or #cell))
            out[i] = left[i] and cell .. pad or pad .. cell
        end
        return (table.concat(out, "  "):gsub("%s+$", ""))
    end
    local lines = { line(titles) }
    for _, row in ipairs(rows) do
        lines[#lines + 1] = type(row) == "string" and row or line(row)
    end
    return table.concat(lines, "\n")
end

return check.strict(text, "rille.text")
