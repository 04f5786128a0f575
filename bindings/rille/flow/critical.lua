--- rille.flow.critical: the edge of chaos, where gradients neither vanish nor explode.

local check = require "rille.check"
local moments = require "rille.flow.moments"
local text = require "rille.text"

local critical = {}

local metatable = { __name = "critical point" }

function metatable.__index(_, key)
    check.fail("no '%s' in a critical point%s", tostring(key),
        check.did_you_mean(key, { "activation", "sigma_w", "sigma_b", "q", "any_q", "chi_parallel", "stable", "others" }))
end

function metatable.__tostring(point)
    return ("%s is critical at sigma_w² = %s, sigma_b² = %s (sigma_w = %s), q = %s%s"):format(point.activation,
        text.number(point.sigma_w ^ 2, 6), text.number(point.sigma_b ^ 2, 6), text.number(point.sigma_w, 6),
        point.any_q and "anything" or text.number(point.q, 5), point.stable and "" or " (unstable: the variance leaves it)")
end

-- The point at a fixed point q of the variance: chi = 1 there says sigma_w.
local function point_at(m, q, sigma_b)
    local at = m:at(math.max(q, m.scan[1].q))
    local w2 = 1 / at.slope
    -- One-sided drifts tell more than chi_parallel where that is 1.
    local function drift(x) return w2 * m:at(x).square + sigma_b ^ 2 - x end
    local above = q > 0 and q * 1.001 or 1e-6
    local stable = drift(above) <= 1e-12 * above and (q == 0 or drift(q / 1.001) >= -1e-12 * q)
    return setmetatable({ activation = m.name, sigma_w = math.sqrt(w2), sigma_b = sigma_b, q = q, any_q = m.homogeneous,
        chi_parallel = w2 * at.square_by_q, stable = stable, others = {} }, metatable)
end

--- The bias variance at which a net with fixed point q (where moments are `at`) is critical: q - E f² / E f'²; nil where E f'²
--- is 0.
function critical.bias_variance(at)
    return at.slope > 0 and at.q - at.square / at.slope or nil
end

-- All q at which a net with that bias variance is critical. Between points of the scan with E f'² = 0 there is none.
local function find(m, b2)
    local list, last = {}, nil
    local function excess(at)
        local needed = critical.bias_variance(at)
        return needed and (needed - b2) / at.q
    end
    if m.at_zero == 0 and b2 == 0 and m.scan[1].slope > 0 and m.scan[1].slope > m.scan[13].slope / 2 then
        list[1] = 0
    end
    for _, at in ipairs(m.scan) do
        local now = excess(at)
        now = now and math.abs(now) > 1e-11 and now or nil
        if now and last and (now > 0) ~= (last.excess > 0) then
            list[#list + 1] = math.exp(moments.root(function(x) return excess(m:at(math.exp(x))) end, math.log(last.q),
                math.log(at.q)))
        end
        last = now and { excess = now, q = at.q } or last
    end
    return list
end

--- Solves chi = sigma_w² E f'(sqrt(q) z)² = 1 with q = sigma_w² E f(sqrt(q) z)² + sigma_b² for sigma_w and q. activation: as
-- flow.theory's. options: sigma_b (0), parameters. Returns { sigma_w =, sigma_b =, q =, any_q =, chi_parallel =, stable =,
-- others = list of further points }: the one with the least q among those whose variance is stable, or else among all; any_q is
-- true where every q is a fixed point (relu). nil and a sentence where there is no such point. Schoenholz et al. 2017; Hayou et
-- al. 2019.
function critical.critical(activation, options)
    options = check.options(2, "critical", options, { sigma_b = 0.0, parameters = { "table" } })
    if not (options.sigma_b >= 0 and options.sigma_b < math.huge) then
        check.argument(2, "critical", "option 'sigma_b': finite number >= 0 expected, got %s",
            check.value_text(options.sigma_b))
    end
    local m = moments.of(1, "critical", activation, options.parameters)
    if m.jumps then
        return nil, ("%s has no critical point: it jumps, so that inputs however alike part"):format(m.name)
    elseif m.homogeneous and options.sigma_b > 0 then
        return nil, ("%s has no critical point at sigma_b > 0: as f(a x) = a f(x), its only one is sigma_w² = %s, "
            .. "sigma_b = 0"):format(m.name, text.number(1 / m.scan[1].slope, 6))
    end
    local points = {}
    for i, q in ipairs(m.homogeneous and { 1 } or find(m, options.sigma_b ^ 2)) do
        points[i] = point_at(m, q, options.sigma_b)
    end
    if #points == 0 then
        return nil, ("%s has no critical point at sigma_b = %s: no sigma_w gives chi = 1 at a fixed point of the variance")
            :format(m.name, text.number(options.sigma_b, 6))
    end
    local best = 1
    for i = #points, 1, -1 do
        best = points[i].stable and i or best
    end
    local point = table.remove(points, best)
    point.others = points
    return point
end

return critical
