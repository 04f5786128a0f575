--- rille.flow.theory: what a wide random net does to signals and gradients, computed before it is built.
--
--     local t = require("rille.flow").theory("tanh", { sigma_w = math.sqrt(1.3), sigma_b = math.sqrt(0.05) })
--     print(t)                              -- a block to read
--     print(t.q, t.chi, t.xi, t.phase)      -- 0.3153  0.8802  7.83  ordered
--
-- Weights W ~ N(0, sigma_w² / fan_in), biases b ~ N(0, sigma_b²), width to infinity: pre-activations are Gaussian with variance
-- q, which a layer takes to sigma_w² E f(sqrt(q) z)² + sigma_b², z ~ N(0, 1); the correlation c of those of two inputs goes to
-- (sigma_w² E f(u) f(v) + sigma_b²) / q. Poole, Lahiri, Raghu, Sohl-Dickstein & Ganguli 2016, "Exponential expressivity in deep
-- neural networks through transient chaos"; Schoenholz, Gilmer, Ganguli & Sohl-Dickstein 2017, "Deep information propagation";
-- Hayou, Doucet & Rousseau 2019, "On the impact of the activation function on deep neural networks training". A result holds:
--
--   activation, sigma_w, sigma_b     what was asked for
--   q               the fixed point of the variance that an input of variance q0 comes to: 0, a number, or infinity
--   any_q           true where every q is a fixed point, as for relu at sigma_w² = 2, sigma_b = 0; q is q0 then
--   chi             chi_1 = sigma_w² E f'(sqrt(q) z)²: the slope of the correlation map at c = 1, and the factor by which the
--                   *squared* norm of the gradient grows with each layer that it goes back; at infinite q its limit
--   growth          sqrt(chi): the factor of the norm itself
--   chi_parallel    the slope of the variance map at q: sigma_w² E (f'² + f f"), the kinks' part included
--   xi, xi_q        1 / |ln chi|, 1 / |ln |chi_parallel||: layers over which a correlation near 1, and a variance near q, come
--                   e times as near (or, where chi > 1, e times as far), and gradients' squared norm changes e-fold
--   stable          does a variance near q stay near?
--   phase           "ordered" (chi < 1: inputs become alike, gradients vanish), "critical", "chaotic" (chi > 1: like inputs
--                   part, gradients explode), "dead" (q is 0 and chi < 1: the signal itself dies out), "diverging" (q is
--                   infinite)
--   fixed_points    all of them: list of { q =, chi =, chi_parallel =, stable = }
--   c, xi_c         the correlation that two inputs come to, and the layers over which it comes e times as near; computed when
--                   first asked for (a second), xi_c nil where f jumps
--   notes           list of sentences about what is special

local check = require "rille.check"
local band = require "rille.flow.band"
local moments = require "rille.flow.moments"
local text = require "rille.text"

local theory = {}

local TOLERANCE = 1e-9 -- chi so near 1 is critical

local Theory = { growth_band = band.growth_band }

--- The correlation after one more layer, for two inputs of variance q with correlation c.
function Theory:correlation(c)
    local m = self.moments
    if type(c) ~= "number" or c < -1 or c > 1 then
        check.argument(1, "correlation", "number of -1 to 1 expected, got %s", check.value_text(c))
    end
    local q = math.min(math.max(self.q, m.scan[1].q), m.largest)
    local w2, b2 = self.sigma_w ^ 2, self.q > 0 and self.sigma_b ^ 2 or 0
    return c == 1 and 1 or (w2 * m:covariance(q, c) + b2) / (w2 * m:at(q).square + b2)
end

-- The correlation map is a power series with coefficients >= 0 on [0, 1] (Mehler's formula), so it is convex there: with a
-- slope above 1 at c = 1 it crosses the diagonal exactly once before.
local function correlation_limit(t)
    if t.chi <= 1 + TOLERANCE and not t.moments.jumps then
        return 1
    end
    local function excess(c) return t:correlation(c) - c end
    local at_zero = excess(0)
    if at_zero <= 1e-15 then
        return 0
    end
    for digits = 1, 7 do
        local high = 1 - 10 ^ -digits
        if excess(high) < 0 then
            return moments.root(excess, 0, high)
        end
    end
    return 1
end

local LAZY = {
    c = correlation_limit,
    xi_c = function(t)
        if t.c == 1 and not t.moments.jumps then
            return t.xi
        elseif t.moments.jumps then
            return nil
        end
        local q = math.min(math.max(t.q, t.moments.scan[1].q), t.moments.largest)
        return 1 / math.abs(math.log(math.abs(t.sigma_w ^ 2 * t.moments:covariance(q, t.c, 1))))
    end,
}

local FIELDS = { "activation", "sigma_w", "sigma_b", "q", "any_q", "chi", "growth", "chi_parallel", "xi", "xi_q", "stable",
    "phase", "fixed_points", "notes", "c", "xi_c", "correlation", "growth_band" }

local theory_metatable = { __name = "theory" }

function theory_metatable.__index(t, key)
    if LAZY[key] then
        local value = LAZY[key](t)
        rawset(t, key, value)
        return value
    elseif Theory[key] == nil then
        check.fail("no '%s' in a theory%s", tostring(key), check.did_you_mean(key, FIELDS))
    end
    return Theory[key]
end

function theory_metatable.__tostring(t)
    local of_q = t.any_q and "variance of pre-activations: this layer's and every other's"
        or "variance of pre-activations, deep in the net" .. (t.stable and "" or " (unstable)")
    local of_chi = "a layer back multiplies the gradient's squared norm by it, its norm by " .. text.number(t.growth, 5)
    local of_xi = t.chi > 1 and "layers in which like inputs part, and squared gradients grow, e-fold"
        or "layers in which a correlation comes e times as near to 1"
    local rows = {
        { "q", text.number(t.q, 5), of_q },
        { "chi", text.number(t.chi, 5), of_chi },
        { "chi_parallel", text.number(t.chi_parallel, 5), "slope of the variance map at q" },
        { "xi", text.number(t.xi, 4), of_xi },
        { "xi_q", text.number(t.xi_q, 4), "layers in which the variance comes e times as near to q" },
    }
    local lines = { ("%s, sigma_w² = %s, sigma_b² = %s: %s"):format(t.activation, text.number(t.sigma_w ^ 2, 6),
        text.number(t.sigma_b ^ 2, 6), t.phase), (text.table({ "<", "", "<" }, rows):gsub("^\n", "")) }
    for _, note in ipairs(t.notes) do
        lines[#lines + 1] = note
    end
    return table.concat(lines, "\n")
end

-- The depth scale of a slope: 0 forgets at once, 1 never.
local function scale_of(slope)
    local rate = math.abs(math.log(math.abs(slope)))
    return rate > TOLERANCE and 1 / rate or math.huge
end

local function fixed_point(q, at, w2)
    return { q = q, chi = w2 * at.slope, chi_parallel = w2 * at.square_by_q }
end

-- That at 0 or infinity: `at` is the last that the scan has there, `before` a decade from it. What still shrinks or grows in
-- between, goes on to 0 or infinity.
local function fixed_point_at_end(q, at, before, w2)
    local point = fixed_point(q, at, w2)
    for name, moment in pairs { chi = "slope", chi_parallel = "square_by_q" } do
        local change = math.abs(at[moment] / before[moment])
        point[name] = change < 0.5 and 0 or change > 2 and math.huge or point[name]
    end
    return point
end

-- All fixed points, in order: 0 and infinity as well, where signals go there. drift(q) > 0: a layer makes q larger.
local function find_fixed_points(m, w2, b2)
    local function drift(at) return (w2 * at.square + b2) / at.q - 1 end
    local list, last, from_zero = {}, nil, m.at_zero == 0 and b2 == 0
    for _, at in ipairs(m.scan) do
        local now = drift(at)
        now = math.abs(now) > 1e-12 and now or 0
        if from_zero and not list[1] then
            -- The limit of small q; where chi_parallel is 1 there, the drift decides.
            list[1] = fixed_point_at_end(0, at, m.scan[1 + moments.PER_DECADE], w2)
            list[1].stable = now < 0
        end
        if last and now ~= 0 and (now > 0) ~= (last.drift > 0) then
            local log_q = moments.root(function(x) return drift(m:at(math.exp(x))) end, math.log(last.q), math.log(at.q))
            local q = math.exp(log_q)
            list[#list + 1] = fixed_point(q, m:at(q), w2)
            list[#list].stable = math.abs(list[#list].chi_parallel) < 1
        end
        last = now ~= 0 and { drift = now, q = at.q } or last
    end
    if list[1] and list[1].q == 0 and last then
        local second = list[2]
        list[1].stable = list[1].stable or second == nil and last.drift < 0 or second ~= nil and not second.stable
    end
    if last and last.drift > 0 then
        list[#list + 1] = fixed_point_at_end(math.huge, m.scan[#m.scan], m.scan[#m.scan - moments.PER_DECADE], w2)
        list[#list].stable = true
    end
    return list, last == nil
end

-- The fixed point that q0 goes to: the next one in the direction of its drift.
local function reached(m, list, q0, w2, b2)
    local grows = w2 * m:at(q0).square + b2 > q0
    local found
    for _, point in ipairs(list) do
        if grows and point.q >= q0 * (1 - 1e-12) then
            return point
        elseif not grows and point.q <= q0 * (1 + 1e-12) then
            found = point
        end
    end
    return found or list[#list]
end

local function phase_of(point, jumps)
    if point.q == math.huge then
        return "diverging"
    elseif math.abs(point.chi - 1) <= TOLERANCE and not jumps then
        return "critical"
    elseif point.q == 0 and point.chi < 1 then
        return "dead"
    end
    return (point.chi > 1 or jumps) and "chaotic" or "ordered"
end

local function notes_of(t, m)
    local notes = {}
    if t.any_q then
        notes[1] = "every variance is a fixed point: layers keep what the first one gets"
    end
    if m.jumps then
        notes[#notes + 1] = "f jumps: inputs however alike part; chi is what backpropagation sees, which sees no jump"
    end
    if t.chi == 0 then
        notes[#notes + 1] = "f' is 0: no gradient passes"
    end
    if t.chi_parallel < -1 then
        notes[#notes + 1] = "chi_parallel < -1: the variance swings around q, layer by layer"
    end
    local stable = 0
    for _, point in ipairs(t.fixed_points) do
        stable = stable + (point.stable and 1 or 0)
    end
    if stable > 1 then
        notes[#notes + 1] = ("%d stable fixed points: where an input goes depends on its variance"):format(stable)
    end
    return notes
end

--- The options of theory and lengths, checked: sigma_w and sigma_b as given, else sqrt of sigma_w2 and sigma_b2.
function theory.options(name, options, more)
    local defaults = { sigma_w = { "number" }, sigma_b = 0.0, q0 = 1.0, parameters = { "table" } }
    for key, value in pairs(more or {}) do
        defaults[key] = value
    end
    options = check.options(2, name, options, defaults)
    if not options.sigma_w then
        check.argument(2, name, "option 'sigma_w' is missing: a weight's deviation times sqrt(fan_in)")
    end
    for _, key in ipairs { "sigma_w", "sigma_b", "q0" } do
        local value, positive = options[key], key ~= "sigma_b"
        if not (value < math.huge and (value > 0 or value == 0 and not positive)) then
            check.argument(2, name, "option '%s': finite number %s expected, got %s", key, positive and "> 0" or ">= 0",
                check.value_text(value))
        end
    end
    return options
end

--- The theory of one activation: a name, an entry, a script's own, or an activation module. options: sigma_w (must be given),
-- sigma_b (0), q0 (1: the variance of the first pre-activations, which decides where there are several fixed points),
-- parameters (table by name). See above for what it returns. Without options, the function of them: theory "tanh" {...}.
function theory.theory(activation, options)
    if options == nil then
        moments.of(1, "theory", activation)
        return function(given)
            return theory.theory(activation, given or {})
        end
    end
    options = theory.options("theory", options)
    local m = moments.of(1, "theory", activation, options.parameters)
    local w2, b2 = options.sigma_w ^ 2, options.sigma_b ^ 2
    if options.q0 > m.largest then
        check.argument(2, "theory", "option 'q0' is %.6g, where %s is looked at up to %.6g", options.q0, m.name, m.largest)
    end
    local list, any_q = find_fixed_points(m, w2, b2)
    if any_q then
        list = { fixed_point(options.q0, m:at(options.q0), w2) }
        list[1].stable = true
    end
    local point = reached(m, list, options.q0, w2, b2)
    local t = { activation = m.name, sigma_w = options.sigma_w, sigma_b = options.sigma_b, q = point.q, any_q = any_q,
        chi = point.chi, growth = math.sqrt(point.chi), chi_parallel = point.chi_parallel, xi = scale_of(point.chi),
        xi_q = scale_of(point.chi_parallel), stable = point.stable, phase = phase_of(point, m.jumps), fixed_points = list,
        moments = m }
    t.notes = notes_of(t, m)
    return setmetatable(t, theory_metatable)
end

return theory
