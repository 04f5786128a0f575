--- rille.flow.phases: which weights and biases make a net ordered and which chaotic, as data and as a figure.

local check = require "rille.check"
local critical = require "rille.flow.critical"
local moments = require "rille.flow.moments"
local text = require "rille.text"
local theory = require "rille.flow.theory"

local phases = {}

local PHASES = { "ordered", "critical", "chaotic", "dead", "diverging" }
local COLOURS = { ordered = "#56B4E9", critical = "#000000", chaotic = "#D55E00", dead = "#999999", diverging = "#E69F00" }

local Diagram = {}
local metatable = { __name = "phase diagram", __index = Diagram }

local function range(options, key)
    local low, high = options[key][1], options[key][2]
    if type(low) ~= "number" or type(high) ~= "number" or not (0 <= low and low < high and high < math.huge) then
        check.argument(2, "phase_diagram", "option '%s': {low, high} with 0 <= low < high expected", key)
    end
    return low, high
end

-- Where chi is 1: each q has one point (sigma_w, sigma_b) on it.
local function line_of(m, options)
    if m.homogeneous then
        return { { sigma_w = 1 / math.sqrt(m.scan[1].slope), sigma_b = 0, q = 1 } }
    end
    local all, line = {}, {}
    for _, at in ipairs(m.jumps and {} or m.scan) do
        local b2 = critical.bias_variance(at)
        if b2 and b2 >= 0 then
            all[#all + 1] = { sigma_w = 1 / math.sqrt(at.slope), sigma_b = math.sqrt(b2), q = at.q }
        end
    end
    local function inside(point)
        return point and point.sigma_w >= options.sigma_w[1] and point.sigma_w <= options.sigma_w[2]
            and point.sigma_b >= options.sigma_b[1] and point.sigma_b <= options.sigma_b[2]
    end
    for i, point in ipairs(all) do -- with the first on either side that is out of range
        line[#line + 1] = (inside(point) or inside(all[i - 1]) or inside(all[i + 1])) and point or nil
    end
    return line
end

--- The phases of an activation (as flow.theory's) over a grid of sigma_w and sigma_b: { activation =, points = list of
-- { sigma_w =, sigma_b =, q =, chi =, xi =, phase = }, sigma_b by sigma_b; line = list of { sigma_w =, sigma_b =, q = } where
-- chi is 1, by growing q }. options: sigma_w ({0.5, 3}) and sigma_b ({0, 1}), the ranges; steps (21), points in each; q0 and
-- parameters, as flow.theory's. print shows it as letters; :figure() makes one for rille.plot.
function phases.phase_diagram(activation, options)
    options = check.options(2, "phase_diagram", options, { sigma_w = { "table" }, sigma_b = { "table" }, steps = 21, q0 = 1.0,
        parameters = { "table" } })
    options.sigma_w, options.sigma_b = options.sigma_w or { 0.5, 3 }, options.sigma_b or { 0, 1 }
    local w_low, w_high = range(options, "sigma_w")
    local b_low, b_high = range(options, "sigma_b")
    local steps = check.positive_integer(2, "phase_diagram", "option 'steps'", options.steps)
    if w_low == 0 or steps < 2 then
        check.argument(2, "phase_diagram", "option %s expected", w_low == 0 and "'sigma_w': low > 0" or "'steps': 2 or more")
    end
    local m = moments.of(1, "phase_diagram", activation, options.parameters)
    local points = {}
    for i = 0, steps - 1 do
        for j = 0, steps - 1 do
            local t = theory.theory(activation, { sigma_w = w_low + (w_high - w_low) * j / (steps - 1),
                sigma_b = b_low + (b_high - b_low) * i / (steps - 1), q0 = options.q0, parameters = options.parameters })
            points[#points + 1] = { sigma_w = t.sigma_w, sigma_b = t.sigma_b, q = t.q, chi = t.chi, xi = t.xi, phase = t.phase }
        end
    end
    return setmetatable({ activation = m.name, points = points, steps = steps, line = line_of(m, options) }, metatable)
end

--- A figure for rille.plot: a dot a point of the grid, coloured by phase, and the line where chi is 1. options: title.
function Diagram:figure(options)
    options = check.options(1, "figure", options, { title = ("Phases of %s nets"):format(self.activation) })
    local series = {}
    for _, phase in ipairs(PHASES) do
        local one = { x = {}, y = {}, label = phase, style = "points", colour = COLOURS[phase] }
        for _, point in ipairs(self.points) do
            if point.phase == phase then
                table.insert(one.x, point.sigma_w)
                table.insert(one.y, point.sigma_b)
            end
        end
        series[#series + 1] = #one.x > 0 and one or nil
    end
    local line = { x = {}, y = {}, label = "chi = 1", colour = "#000000", style = #self.line > 1 and "lines" or "points" }
    for i, point in ipairs(self.line) do
        line.x[i], line.y[i] = point.sigma_w, point.sigma_b
    end
    series[#series + 1] = #self.line > 0 and line or nil
    local first, last = self.points[1], self.points[#self.points]
    return { title = options.title, xlabel = "sigma_w", ylabel = "sigma_b", xrange = { first.sigma_w, last.sigma_w },
        yrange = { first.sigma_b, last.sigma_b }, series = series }
end

local LETTERS = { ordered = "o", critical = "|", chaotic = "x", dead = ".", diverging = "^" }

function metatable.__tostring(diagram)
    local rows, n = {}, diagram.steps
    for i = n, 1, -1 do
        local letters = {}
        for j = 1, n do
            letters[j] = LETTERS[diagram.points[(i - 1) * n + j].phase]
        end
        rows[#rows + 1] = { text.number(diagram.points[(i - 1) * n + 1].sigma_b), table.concat(letters, " ") }
    end
    return ("%s: o ordered, x chaotic, | critical, . dead, ^ diverging; sigma_w from %s to %s\n%s"):format(diagram.activation,
        text.number(diagram.points[1].sigma_w), text.number(diagram.points[n].sigma_w), text.table({ "sigma_b", "<" }, rows))
end

return phases
