--- rille.atlas.picture: f, f' and f" of an activation in one plot.

local rille = require "rille"
local check = require "rille.check"
local plot = require "rille.plot"

local picture = {}

local WIDTH = 6                -- x from -WIDTH to WIDTH
local STEPS = 240
local LOWEST, HIGHEST = -3, 6  -- of y, where f goes further
local BESIDE = 1e-9

-- x evenly, and each kink with a point on either side.
local function points(entry)
    local x = {}
    for i = 0, STEPS do
        x[i + 1] = WIDTH * (2 * i / STEPS - 1)
    end
    for _, kink in ipairs(entry.kinks) do
        if math.abs(kink) < WIDTH then
            table.move({ kink - BESIDE, kink, kink + BESIDE }, 1, 3, #x + 1, x)
        end
    end
    table.sort(x)
    local apart = {}
    for i = 1, #x do
        apart[#apart + 1] = x[i] ~= x[i - 1] and x[i] or nil
    end
    return apart
end

-- The values of one order, with a gap where they jump.
local function values(entry, x, order)
    local y = rille.derivative(entry, rille.tensor(x, { dtype = "float64" }), order):totable()
    local low, high = math.huge, -math.huge
    for i = 1, #x do
        low, high = math.min(low, y[i]), math.max(high, y[i])
    end
    for i = 2, #x - 1 do
        if x[i + 1] - x[i - 1] < 3 * BESIDE and math.abs(y[i + 1] - y[i - 1]) > 1e-3 then
            y[i] = 0 / 0
        end
    end
    return y, low, high
end

--- The figure of an entry or portrait, for rille.plot.
function picture.figure(entry)
    local x, low, high, series = points(entry), math.huge, -math.huge, {}
    for order, label in ipairs { "f", "f'", "f\"" } do
        local y, least, most = values(entry, x, order - 1)
        low, high = math.min(low, least), math.max(high, most)
        series[order] = { label, y, style = order == 3 and "dashed" or nil }
    end
    low, high = math.max(low, LOWEST), math.min(high, HIGHEST)
    local room = 0.04 * (high - low) + (high == low and 1 or 0)
    return plot.lines(x, series, { title = entry.name, xlabel = "x", width = 640, height = 400, xrange = { -WIDTH, WIDTH },
        yrange = { low - room, high + room } })
end

return check.strict(picture, "rille.atlas.picture")
