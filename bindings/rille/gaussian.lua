--- rille.gaussian: expectations over z ~ N(0, 1), by quadrature: what Gaussian inputs do to an activation.
--
--     gaussian.expectation(function(z) return z ^ 2 end)            -- 1
--     gaussian.expectation(function(z) return z:relu() end, { 0 })  -- 1 / sqrt(2 pi); breaks: where the function has kinks
--     gaussian.covariance(rille.tanh, 2, 0.5)                       -- E tanh(u) tanh(v): variance 2, correlation 0.5

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

local FLOAT64 = { dtype = "float64" }
-- They are kept: a rille.scope in which this module is loaded ends before it.
local NODES, WEIGHTS = gauss_legendre(ORDER)
NODES, WEIGHTS = rille.keep(rille.tensor(NODES, FLOAT64)), rille.keep(rille.tensor(WEIGHTS, FLOAT64))

-- Points and weights of integrals over the panels between consecutive ends: two float64 tensors.
local function panels(ends)
    table.sort(ends)
    local e, n = rille.tensor(ends, FLOAT64), #ends - 1
    local low, high = e:narrow(1, 1, n):reshape(n, 1), e:narrow(1, 2, n):reshape(n, 1)
    local half = (high - low) / 2
    return ((low + high) / 2 + half * NODES):reshape(n * ORDER), (half * WEIGHTS):reshape(n * ORDER)
end

-- Adds ends so that no panel between `low` and `high`, nor over a break, is wider than PANEL.
local function even_ends(low, high, breaks)
    local ends, all = { low, high }, {}
    for _, x in ipairs(breaks or {}) do
        ends[#ends + 1] = x > low and x < high and x or nil
    end
    table.sort(ends)
    for i = 1, #ends - 1 do
        local count = math.max(1, math.ceil((ends[i + 1] - ends[i]) / PANEL))
        for k = 0, count - 1 do
            all[#all + 1] = ends[i] + (ends[i + 1] - ends[i]) * k / count
        end
    end
    all[#all + 1] = high
    return all
end

-- Adds ends at distances `size`, 2 `size`, 4 `size`, ... on both sides of x, up to PANEL.
local function grade(ends, x, size, low, high)
    local distance = size
    while distance < PANEL do
        ends[#ends + 1] = x - distance > low and x - distance or nil
        ends[#ends + 1] = x + distance < high and x + distance or nil
        distance = 2 * distance
    end
end

-- The density of N(0, 1).
local function density(z)
    return (z * z / -2):exp() / math.sqrt(2 * math.pi)
end

-- Points between low and high, and at each the density times its weight; no panel reaches over a break.
local function rule(low, high, breaks)
    local points, weights = panels(even_ends(low, high, breaks))
    return points, weights * density(points)
end

--- E[g(z)]. g takes and returns a float64 tensor; breaks: list of where g, or a derivative of it, jumps.
function gaussian.expectation(g, breaks)
    local points, weights = rule(-EDGE, EDGE, breaks)
    return (g(points) * weights):sum():item()
end

--- P(low < z < high); either may be infinite.
function gaussian.probability(low, high)
    low, high = math.max(low, -EDGE), math.min(high, EDGE)
    return low < high and select(2, rule(low, high)):sum():item() or 0
end

--- Points x and weights w of integrals over -reach ... reach, that resolve the density of N(0, q) for every q from 1e-16 to
-- (reach / 13)^2 at once, so that E g(x) = sum w g(x) density(x): panels double in width away from 0 and from each break, down
-- to 1e-8 at 0; they are at most 1/2 wide within 12 of 0, where activations bend, and 4 within 256, for those that oscillate.
function gaussian.line(breaks, reach)
    local ends = { -reach, 0, reach }
    grade(ends, 0, 2 ^ -28, -reach, reach)
    for _, x in ipairs(breaks) do
        if x ~= 0 and math.abs(x) < reach then
            ends[#ends + 1] = x
            grade(ends, x, 2 ^ -8, -reach, reach)
        end
    end
    local x = PANEL
    while x < reach do
        ends[#ends + 1], ends[#ends + 2] = x, -x
        x = x + (x < 12 and PANEL or x < 256 and math.min(4, x / 4) or x / 4)
    end
    return panels(ends)
end

-- Ends in 0 ... 1 of panels that become finer towards both, and points and weights there.
local function unit_rule()
    local ends = { 0, 1 / 2, 1 }
    for k = 2, 12 do
        ends[#ends + 1], ends[#ends + 2] = 2 ^ -k, 1 - 2 ^ -k
    end
    for _, x in ipairs { 3 / 16, 5 / 16, 3 / 8, 7 / 16 } do
        ends[#ends + 1], ends[#ends + 2] = x, 1 - x
    end
    return panels(ends)
end

local UNIT, UNIT_WEIGHTS = unit_rule()
rille.keep(UNIT)
rille.keep(UNIT_WEIGHTS)

--- E[f(u) f(v)] of u and v from N(0, q) with correlation c, -1 < c < 1. f takes and returns a float64 tensor of any shape;
-- breaks as in expectation. u = sqrt(q) z and v = sqrt(q) (c z + s y), s² = 1 - c²: the integral over y is cut where v is at a
-- break, at another place for each z, that over z where u is; close to there it changes over a width of s.
function gaussian.covariance(f, q, c, breaks)
    local scale, s = math.sqrt(q), math.sqrt((1 - c) * (1 + c))
    local cuts, seen = { 0 }, { [0] = true }
    for _, x in ipairs(breaks or {}) do
        cuts[#cuts + 1], seen[x] = not seen[x] and x / scale or nil, true
    end
    table.sort(cuts)
    local ends = even_ends(-EDGE, EDGE, cuts)
    for _, cut in ipairs(cuts) do
        grade(ends, cut, math.max(2 ^ -30, math.min(s, 1 / scale, 1) / 16), -EDGE, EDGE)
    end
    local z, weights = panels(ends)
    local n = z:numel()
    local at = { rille.full({ n, 1 }, -EDGE, FLOAT64) }
    for i, cut in ipairs(cuts) do
        at[i + 1] = ((cut - c * z) / s):clamp(-EDGE, EDGE):reshape(n, 1)
    end
    at[#at + 1] = rille.full({ n, 1 }, EDGE, FLOAT64)
    local all = rille.cat(at, 2)
    local low = all:narrow(2, 1, #at - 1):reshape(n, #at - 1, 1)
    local width = all:narrow(2, 2, #at - 1):reshape(n, #at - 1, 1) - low
    local y = low + width * UNIT
    local v = (y * s + c * z:reshape(n, 1, 1)) * scale
    local inner = (f(v) * density(y) * UNIT_WEIGHTS * width):reshape(n, y:numel() // n):sum(2)
    return (f(z * scale) * density(z) * weights * inner):sum():item()
end

return check.strict(gaussian, "rille.gaussian")
