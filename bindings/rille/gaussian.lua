--- rille.gaussian: expectations over z ~ N(0, 1), by quadrature: what a unit-variance input does to an activation.
--
--     gaussian.expectation(function(z) return z ^ 2 end)            -- 1
--     gaussian.expectation(function(z) return z:relu() end, { 0 })  -- 1 / sqrt(2 pi); breaks: where the function has kinks

local rille = require "rille"
local check = require "rille.check"

local gaussian = {}

local EDGE = 13     -- beyond it the density is below 1e-37
local PANEL = 0.5   -- at most so wide is what one rule integrates
local ORDER = 16    -- of the Gauss-Legendre rule: exact for polynomials up to degree 31

-- Nodes in -1 ... 1 and weights, from the roots of the Legendre polynomial by Newton's method.
local function gauss_legendre(order)
    local nodes, weights = {}, {}
    for i = 1, order do
        local x, slope = math.cos(math.pi * (i - 0.25) / (order + 0.5)), nil
        for _ = 1, 10 do
            local before, p = 1, x
            for k = 2, order do
                before, p = p, ((2 * k - 1) * x * p - (k - 1) * before) / k
            end
            slope = order * (x * p - before) / (x * x - 1)
            x = x - p / slope
        end
        nodes[i], weights[i] = x, 2 / ((1 - x * x) * slope * slope)
    end
    return nodes, weights
end

local NODES, WEIGHTS = gauss_legendre(ORDER)

-- Points between low and high, and at each the density times its weight; no panel reaches over a break.
local function rule(low, high, breaks)
    local ends = { low, high }
    for _, x in ipairs(breaks or {}) do
        ends[#ends + 1] = x > low and x < high and x or nil
    end
    table.sort(ends)
    local points, weights = {}, {}
    for i = 1, #ends - 1 do
        local panels = math.max(1, math.ceil((ends[i + 1] - ends[i]) / PANEL))
        local half = (ends[i + 1] - ends[i]) / panels / 2
        for panel = 1, panels do
            local middle = ends[i] + (2 * panel - 1) * half
            for k = 1, ORDER do
                local z = middle + half * NODES[k]
                points[#points + 1] = z
                weights[#weights + 1] = half * WEIGHTS[k] * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
            end
        end
    end
    return points, weights
end

--- E[g(z)]. g takes and returns a float64 tensor; breaks: list of where g, or a derivative of it, jumps.
function gaussian.expectation(g, breaks)
    local points, weights = rule(-EDGE, EDGE, breaks)
    local float64 = { dtype = "float64" }
    return (g(rille.tensor(points, float64)) * rille.tensor(weights, float64)):sum():item()
end

--- P(low < z < high); either may be infinite.
function gaussian.probability(low, high)
    low, high = math.max(low, -EDGE), math.min(high, EDGE)
    local total = 0
    if low < high then
        for _, weight in ipairs(select(2, rule(low, high))) do
            total = total + weight
        end
    end
    return total
end

return check.strict(gaussian, "rille.gaussian")
