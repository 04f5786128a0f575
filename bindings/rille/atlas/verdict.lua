--- rille.atlas.verdict: what an activation is good and bad for in gradient terms, in sentences made from its numbers.

local check = require "rille.check"
local slope = require "rille.atlas.slope"
local text = require "rille.text"

local verdict = {}

local DEEP = 10 -- layers, for what a stack of them does

--- x with three significant digits; "inf" and "-inf".
function verdict.number(x)
    return (text.format("%.3g", math.abs(x) < 1e-9 and 0 or x):gsub("e([+-])0*", "e%1"))
end

--- Intervals as text: "(-inf, 0]", "(-inf, -4.15) and (4.15, inf)"; of more than three, those nearest to 0.
function verdict.intervals(list)
    local sorted = table.move(list, 1, #list, 1, {})
    table.sort(sorted, function(a, b)
        return math.max(a.low, -a.high, 0) < math.max(b.low, -b.high, 0)
    end)
    local words = {}
    for i = 1, math.min(3, #sorted) do
        local one = sorted[i]
        local low, high = verdict.number(one.low), verdict.number(one.high)
        words[i] = low == high and "close around " .. low
            or ("%s%s, %s%s"):format(one.low_closed and "[" or "(", low, high, one.high_closed and "]" or ")")
    end
    return table.concat(words, " and ") .. (#sorted > 3 and (" and %d more"):format(#sorted - 3) or "")
end

-- Of a slope: at one end of the line, or at both.
local function ends_where(study, holds)
    local left, right = holds(study.far_left), holds(study.far_right)
    return left and right and "for large |x|" or right and "for large x" or left and "for very negative x" or nil
end

-- The strong points and the weak ones: lists of phrases. Thresholds are stated in the phrases' own numbers.
local function good_of(p)
    local study, good = p.study, {}
    local kept = ends_where(study, function(d) return math.abs(d - 1) < 0.01 end)
    if kept then
        good[#good + 1] = "keeps slope 1 " .. kept
    end
    if #study.dead == 0 and p.saturated_normal < 0.001 and #study.saturated == 0 then
        good[#good + 1] = "is nowhere dead or saturated"
    elseif #study.dead == 0 and p.saturated_window == 0 then
        good[#good + 1] = ("is neither dead nor saturated within %d"):format(slope.WINDOW)
    end
    if p.passes > 0.8 and p.passes < 1.25 then
        good[#good + 1] = ("passes %.0f %% of a gradient's norm at gain 1"):format(100 * p.passes)
    end
    if math.abs(p.mean) < 0.01 then
        good[#good + 1] = "keeps its output centred"
    end
    if p.smoothness == "Cinf" then
        good[#good + 1] = "is smooth"
    end
    return good
end

local function bad_of(p)
    local study, bad = p.study, {}
    if #study.dead > 0 then
        bad[#bad + 1] = ("is dead on %s, %s of N(0, 1)"):format(verdict.intervals(study.dead), text.share(p.dead_normal))
    end
    if p.saturated_normal - p.dead_normal >= 0.001 or p.saturated_window - p.dead_window >= 0.01 then
        bad[#bad + 1] = ("is saturated on %s, %s of -%d ... %d"):format(verdict.intervals(study.saturated),
            text.share(p.saturated_window), slope.WINDOW, slope.WINDOW)
    end
    if p.passes == 0 then
        bad[#bad + 1] = "passes no gradient at all"
    elseif p.passes <= 0.8 then
        bad[#bad + 1] = ("passes %.0f %% of a gradient's norm at gain 1, so that %d layers leave %s of it"):format(
            100 * p.passes, DEEP, verdict.number(p.passes ^ DEEP))
    elseif p.passes >= 1.25 then
        bad[#bad + 1] = ("multiplies a gradient's norm by %s at gain 1, %d layers by %s"):format(
            verdict.number(p.passes), DEEP, verdict.number(p.passes ^ DEEP))
    end
    local steeper = ends_where(study, function(d) return math.abs(d) > 1.5 * math.max(1, math.abs(study.at_zero)) end)
    if steeper then
        bad[#bad + 1] = "gets steeper and steeper " .. steeper
    end
    if p.falling_normal >= 0.001 then
        bad[#bad + 1] = ("turns the gradient's sign on %s of N(0, 1)"):format(text.share(p.falling_normal))
    end
    if math.abs(p.mean) >= 0.1 then
        bad[#bad + 1] = ("shifts its output by %s on average"):format(verdict.number(p.mean))
    end
    if p.smoothness:sub(2) == "-1" then
        bad[#bad + 1] = "jumps"
    end
    return bad
end

--- "Good: it keeps slope 1 for large x. Bad: it is dead on (-inf, 0], 50 % of N(0, 1)." from a portrait (rille.atlas).
function verdict.sentence(portrait)
    local function said(word, phrases)
        return ("%s: %s."):format(word, #phrases > 0 and "it " .. table.concat(phrases, "; ") or "nothing stands out")
    end
    return said("Good", good_of(portrait)) .. " " .. said("Bad", bad_of(portrait))
end

return check.strict(verdict, "rille.atlas.verdict")
