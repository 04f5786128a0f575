--- rille.atlas.slope: where an activation's derivative is zero, small, large or negative.

local rille = require "rille"
local check = require "rille.check"
local gaussian = require "rille.gaussian"

local slope = {}

--- |f'| below this passes no gradient worth the name.
slope.SATURATED = 1e-3
--- The x that nets see; shares of an interval are of this one, from -WINDOW to WINDOW.
slope.WINDOW = 6

-- Looked at from -EDGE to EDGE: what holds there is taken to hold on to infinity. Farther out exp(-x²) underflows.
local EDGE = 24
local STEP = 1 / 64
local SIDE = 2 ^ -40 -- so far from a kink is "on this side of it"

-- f' at a list of numbers, or at one.
local function values(entry, list)
    return rille.derivative(entry, rille.tensor(list, { dtype = "float64" })):totable()
end

local function value(entry, x)
    return values(entry, { x })[1]
end

-- Halves low ... high, where `holds` changes, until nothing lies between. Returns the two ends.
local function bisect(low, high, holds)
    local at_low = holds(low)
    for _ = 1, 80 do
        local middle = (low + high) / 2
        if holds(middle) == at_low then
            low = middle
        else
            high = middle
        end
    end
    return low, high
end

-- Where size(x) is least between low and high: golden section.
local function least(low, high, size)
    local ratio = (math.sqrt(5) - 1) / 2
    for _ = 1, 90 do
        local left, right = high - ratio * (high - low), low + ratio * (high - low)
        if size(left) <= size(right) then
            high = right
        else
            low = left
        end
    end
    return (low + high) / 2
end

-- The stretches between kinks, each with points x and f' there: { low =, high =, x =, d = }.
local function pieces(entry)
    local ends, list = { -EDGE, EDGE }, {}
    for _, kink in ipairs(entry.kinks) do
        ends[#ends + 1] = math.abs(kink) < EDGE and kink or nil
    end
    table.sort(ends)
    for i = 1, #ends - 1 do
        local low, high = ends[i], ends[i + 1]
        local from = low == -EDGE and low or low + SIDE * math.max(1, math.abs(low))
        local to = high == EDGE and high or high - SIDE * math.max(1, math.abs(high))
        local steps, x = math.max(8, math.ceil((high - low) / STEP)), {}
        for k = 0, steps do
            x[k + 1] = k == steps and to or from + (to - from) * k / steps
        end
        list[i] = { low = low, high = high, x = x, d = values(entry, x) }
    end
    return list
end

-- The zeros of f' inside a piece, those where it only touches 0 as well. Low points join the piece's points.
local function find_zeros(entry, piece, zeros)
    local x, d, more = piece.x, piece.d, {}
    local function size(at) return math.abs(value(entry, at)) end
    for i = 2, #x - 1 do
        local a, b, c = d[i - 1], d[i], d[i + 1]
        if a * b < 0 then
            more[#more + 1] = bisect(x[i - 1], x[i], function(at) return value(entry, at) > 0 end)
            zeros[#zeros + 1] = more[#more]
        elseif b == 0 and a * c ~= 0 then
            zeros[#zeros + 1] = x[i]
        elseif b * c > 0 and math.abs(b) < 0.05 and math.abs(b) < math.abs(a) and math.abs(b) < math.abs(c) then
            local low = least(x[i - 1], x[i + 1], size)
            more[#more + 1] = low
            zeros[#zeros + 1] = size(low) < 1e-12 and low or nil
        end
    end
    for _, at in ipairs(more) do
        x[#x + 1] = at
    end
    table.sort(x)
    piece.d = values(entry, x)
end

-- Adds an interval, joined to the last one where they touch. Those that reach the edge go on to infinity.
local function add_interval(list, low, high)
    low, high = low <= -EDGE and -math.huge or low, high >= EDGE and math.huge or high
    local last = list[#list]
    if last and low - last.high <= 4 * SIDE * math.max(1, math.abs(low)) then
        last.high = high
    elseif high > low then
        list[#list + 1] = { low = low, high = high }
    end
end

-- Adds the intervals of a piece where holds(f') is true.
local function add_where(entry, piece, holds, list)
    local x, d, start = piece.x, piece.d, nil
    local function holds_at(at) return holds(value(entry, at)) end
    for i = 1, #x do
        if holds(d[i]) and not start then
            start = i == 1 and piece.low or select(2, bisect(x[i - 1], x[i], holds_at))
        elseif not holds(d[i]) and start then
            add_interval(list, start, (bisect(x[i - 1], x[i], holds_at)))
            start = nil
        end
    end
    if start then
        add_interval(list, start, piece.high)
    end
end

local function all_zero(list)
    for _, d in ipairs(list) do
        if d ~= 0 then
            return false
        end
    end
    return true
end

-- Which ends of the dead intervals belong to them: by the value chosen at the kink.
local function close_ends(entry, list)
    for _, interval in ipairs(list) do
        interval.low_closed = interval.low > -math.huge and value(entry, interval.low) == 0
        interval.high_closed = interval.high < math.huge and value(entry, interval.high) == 0
    end
end

-- The largest |f'| in the window, and where, unless it is as large over a stretch.
local function find_steepest(entry, all)
    local best, equals = { slope = -1 }, 0
    for _, piece in ipairs(all) do
        for i, x in ipairs(piece.x) do
            local size = math.abs(piece.d[i])
            if math.abs(x) <= slope.WINDOW and size > best.slope * (1 + 1e-9) then
                best = { slope = size, x = x, low = piece.x[math.max(i - 1, 1)], high = piece.x[math.min(i + 1, #piece.x)] }
                equals = 0
            elseif math.abs(x) <= slope.WINDOW and size >= best.slope * (1 - 1e-9) then
                equals = equals + 1
            end
        end
    end
    if equals > 2 then
        return { slope = best.slope }
    end
    local x = least(math.max(best.low, -slope.WINDOW), math.min(best.high, slope.WINDOW),
        function(at) return -math.abs(value(entry, at)) end)
    local size = math.abs(value(entry, x))
    return size > best.slope and { slope = size, x = x } or { slope = best.slope, x = best.x }
end

--- The share of -WINDOW ... WINDOW that the intervals cover.
function slope.share_of_window(intervals)
    local covered = 0
    for _, interval in ipairs(intervals) do
        covered = covered + math.max(0, math.min(interval.high, slope.WINDOW) - math.max(interval.low, -slope.WINDOW))
    end
    return covered / (2 * slope.WINDOW)
end

--- The share of N(0, 1) in the intervals.
function slope.share_of_normal(intervals)
    local share = 0
    for _, interval in ipairs(intervals) do
        share = share + gaussian.probability(interval.low, interval.high)
    end
    return math.floor(share * 1e9 + 0.5) / 1e9 -- all is 1, and what nobody meets is 0
end

--- Looks at f' of an entry of rille.activations. Returns lists of intervals { low =, high = }: dead (f' = 0; with low_closed
-- and high_closed), saturated (|f'| < SATURATED), falling (f' < 0); zeros, a list of single x; steepest = { slope =, x = }
-- in the window (x: nil where it is a stretch); at_zero = f'(0), far_left = f'(-24), far_right = f'(24).
function slope.study(entry)
    local found = { zeros = {}, dead = {}, saturated = {}, falling = {} }
    local all = pieces(entry)
    for _, piece in ipairs(all) do
        if all_zero(piece.d) then
            add_interval(found.dead, piece.low, piece.high)
        else
            find_zeros(entry, piece, found.zeros)
        end
        add_where(entry, piece, function(d) return math.abs(d) < slope.SATURATED end, found.saturated)
        add_where(entry, piece, function(d) return d < 0 end, found.falling)
    end
    close_ends(entry, found.dead)
    found.steepest = find_steepest(entry, all)
    found.at_zero, found.far_left, found.far_right = value(entry, 0), value(entry, -EDGE), value(entry, EDGE)
    return found
end

return check.strict(slope, "rille.atlas.slope")
