--- rille.plot.colours: colours that people with any common kind of colour vision tell apart.

local check = require "rille.check"

local colours = {}

--- Okabe & Ito 2008, "Color universal design": for things that have no order.
colours.distinct = { "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000" }

--- Anchors of viridis (Smith & van der Walt 2015), red, green and blue of 0..255 from dark to light, evenly; without its palest
-- end, which a white page swallows.
colours.scale = { { 68, 1, 84 }, { 59, 82, 139 }, { 33, 145, 140 }, { 94, 201, 98 }, { 222, 197, 30 } }

--- Colour i of n from dark to light: "#rrggbb".
function colours.ordered(i, n)
    local scale = colours.scale
    local place = n > 1 and (i - 1) / (n - 1) * (#scale - 1) or 0
    local k = math.min(math.floor(place), #scale - 2)
    local a, b, t = scale[k + 1], scale[k + 2], place - k
    return ("#%02X%02X%02X"):format(math.floor(a[1] + (b[1] - a[1]) * t + 0.5), math.floor(a[2] + (b[2] - a[2]) * t + 0.5),
        math.floor(a[3] + (b[3] - a[3]) * t + 0.5))
end

return check.strict(colours, "rille.plot.colours")
