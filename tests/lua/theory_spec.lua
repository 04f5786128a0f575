-- Mean-field theory against closed forms, published numbers, and simulation.

local rille = require "rille"
local flow = require "rille.flow"
local gaussian = require "rille.gaussian"
local moments = require "rille.flow.moments"
local nn = require "rille.nn"
local message_of = require("support").message_of

local FLOAT64 = { dtype = "float64" }

local function close(expected, actual, tolerance)
    assert(math.abs(expected - actual) <= (tolerance or 1e-12), ("%.16g expected, got %.16g"):format(expected, actual))
end

-- E f(u) f(v) over u, v of variance q and correlation c, in closed form.
local COVARIANCE = {
    -- Cho & Saul 2009, "Kernel methods for deep learning": the arc-cosine kernel of order 1, by half.
    relu = function(q, c) return q * (math.sqrt(1 - c * c) + (math.pi - math.acos(c)) * c) / (2 * math.pi) end,
    -- Williams 1997, "Computing with infinite networks".
    erf = function(q, c) return 2 / math.pi * math.asin(2 * q * c / (1 + 2 * q)) end,
    identity = function(q, c) return q * c end,
    exponential = function(q, c) return math.exp(q * (1 + c)) end,
    sin = function(q, c) return math.exp(-q) * (math.exp(q * c) - math.exp(-q * c)) / 2 end,
    squared_relu = function(q, c) -- the arc-cosine kernel of order 2
        local t = math.acos(c)
        return q * q / (2 * math.pi) * (3 * math.sin(t) * c + (math.pi - t) * (1 + 2 * c * c))
    end,
}

describe("gaussian.covariance", function()
    it("agrees with the closed forms, kinks or none, up to a correlation of 1", function()
        for name, exact in pairs(COVARIANCE) do
            for _, q in ipairs { 1e-4, 0.7, 4 } do
                for _, c in ipairs { -0.9, 0, 0.3, 0.99, 1 - 1e-8 } do
                    local kinks, expected = rille.activations[name].kinks, exact(q, c)
                    local found = gaussian.covariance(function(x) return rille[name](x) end, q, c, kinks)
                    assert(math.abs(found - expected) <= 1e-12 * exact(q, 1), ("%s, q = %g, c = %.9g: %.16g, exactly %.16g")
                        :format(name, q, c, found, expected))
                end
            end
        end
    end)

    it("cuts at kinks wherever they are", function()
        for _, name in ipairs { "relu6", "hard_tanh", "hard_swish", "soft_shrink" } do
            local q, epsilon, kinks = 0.7, 1e-8, rille.activations[name].kinks
            local m = moments.of(1, "theory", name):at(q)
            local function covariance(c) return gaussian.covariance(function(x) return rille[name](x) end, q, c, kinks) end
            close(m.mean ^ 2, covariance(0))
            -- E f(u) f(v) = E f² - (1 - c) q E f'² + O((1 - c)^1.5), by Price's theorem.
            close(m.square - epsilon * q * m.slope, covariance(1 - epsilon), 3e-12)
        end
    end)

    it("cuts at jumps of the derivative: P(u > 0, v > 0) is Sheppard's formula", function()
        local function step(x) return rille.derivative("relu", x) end
        for _, c in ipairs { -0.5, 0.1, 0.999 } do
            close(1 / 4 + math.asin(c) / (2 * math.pi), gaussian.covariance(step, 3, c, { 0 }))
        end
    end)
end)

describe("moments", function()
    it("agree with the closed forms for q from 1e-12 to 1e4", function()
        for _, q in ipairs { 1e-12, 1e-3, 1, 50, 1e4 } do
            local function of(name) return moments.of(1, "theory", name):at(q) end
            close(1, of("relu").square / (q / 2))
            close(0.5, of("relu").slope)
            close(0.5, of("relu").square_by_q)
            close(1, of("relu").fourth / (1.5 * q * q))
            close(1, of("erf").square / (2 / math.pi * math.asin(2 * q / (1 + 2 * q))))
            close(4 / math.pi / math.sqrt(1 + 4 * q), of("erf").slope)
            close(1, of("identity").square / q)
            close(0.5, of("step").square)
            close(gaussian.probability(-1 / math.sqrt(q), 1 / math.sqrt(q)), of("hard_tanh").slope)
        end
        local q = 0.8
        close(1, moments.of(1, "theory", "exponential"):at(q).square / math.exp(2 * q))
        close((1 - math.exp(-2 * q)) / 2, moments.of(1, "theory", "sin"):at(q).square)
    end)

    it("know each other's derivatives by q", function()
        for _, name in ipairs { "tanh", "relu6", "gelu", "hard_shrink", "sigmoid", "softplus" } do
            local m, q, h = moments.of(1, "theory", name), 0.9, 1e-4
            local above, at, below = m:at(q + h), m:at(q), m:at(q - h)
            close((above.square - below.square) / (2 * h), at.square_by_q, 1e-7)
            close((above.slope - below.slope) / (2 * h), at.slope_by_q, 1e-7)
        end
    end)

    it("move their cuts with the parameters", function()
        local m = moments.of(1, "theory", "hard_tanh", { min_val = -2, max_val = 2 })
        close(gaussian.probability(-2, 2), m:at(1).slope)
        local module = moments.of(1, "theory", nn.Hardtanh(-2, 2))
        assert.equal(m, module)
        assert.are_not.equal(m, moments.of(1, "theory", "hard_tanh"))
    end)

    it("stay when the scope ends in which they were first asked for, or the quadrature was loaded", function()
        local options = { sigma_w = 1, sigma_b = 0.5, parameters = { negative_slope = 0.123 } }
        local within = rille.scope(function() return tostring(flow.theory("leaky_relu", options)) end)
        assert.equal(within, tostring(flow.theory("leaky_relu", options)))
        local loaded, fresh = gaussian, nil
        package.loaded["rille.gaussian"] = nil
        rille.scope(function() fresh = require "rille.gaussian" end)
        package.loaded["rille.gaussian"] = loaded
        close(1, fresh.expectation(function(z) return z * z end))
        close(0.3, fresh.covariance(function(x) return x end, 1, 0.3))
    end)

    it("are of the parameters as they were given, whatever becomes of the table", function()
        local parameters = { negative_slope = 0.1 }
        local t = flow.theory("leaky_relu", { sigma_w = 1, sigma_b = 0.5, parameters = parameters })
        local before = t:correlation(0.5)
        parameters.negative_slope = 0.9
        assert.equal(before, t:correlation(0.5))
        local module = nn.LeakyReLU(0.2)
        t = flow.theory(module, { sigma_w = 1, sigma_b = 0.5 })
        before = t:correlation(0.5)
        module.negative_slope = 0.8
        assert.equal(before, t:correlation(0.5))
    end)

    it("are kept for a few sets of parameters, not for a whole sweep", function()
        local seen, count = setmetatable({}, { __mode = "k" }), 0
        for i = 1, 3 * moments.KEPT do
            seen[moments.of(1, "theory", "leaky_relu", { negative_slope = i / 100 })] = true
        end
        local last = { negative_slope = 3 * moments.KEPT / 100 }
        assert.equal(moments.of(1, "theory", "leaky_relu", last), moments.of(1, "theory", "leaky_relu", last))
        collectgarbage()
        collectgarbage()
        for _ in pairs(seen) do
            count = count + 1
        end
        assert.is_true(count >= 1 and count <= moments.KEPT, count)
    end)
end)

describe("flow.theory", function()
    local SIGMA_B = math.sqrt(0.05)

    it("has the published numbers of tanh at sigma_b² = 0.05", function()
        local t = flow.theory("tanh", { sigma_w = math.sqrt(1.3), sigma_b = SIGMA_B })
        close(0.8802, t.chi, 1e-4)
        close(7.83, t.xi, 5e-3)
        close(-1 / math.log(t.chi), t.xi)
        assert.equal("ordered", t.phase)
        assert.is_true(t.stable)
        assert.equal(1, t.c)
        -- It is a fixed point, and chi_parallel the slope of the map there.
        local function map(q)
            return 1.3 * gaussian.expectation(function(z) return (z * math.sqrt(q)):tanh() ^ 2 end) + 0.05
        end
        close(t.q, map(t.q))
        close((map(t.q + 1e-4) - map(t.q - 1e-4)) / 2e-4, t.chi_parallel, 1e-7)
        close(1.76, flow.critical("tanh", { sigma_b = SIGMA_B }).sigma_w ^ 2, 5e-3)
    end)

    it("is linear theory for identity and the rectifier's for relu", function()
        local linear = flow.theory("identity", { sigma_w = 0.8, sigma_b = 0.3 })
        close(0.09 / (1 - 0.64), linear.q)
        close(0.64, linear.chi)
        close(0.64, linear.chi_parallel)
        local relu = flow.theory("relu", { sigma_w = math.sqrt(1.5), sigma_b = 0.5 })
        close(0.25 / (1 - 0.75), relu.q)
        close(0.75, relu.chi)
        local kept = flow.theory("relu", { sigma_w = math.sqrt(2), q0 = 3 })
        assert.is_true(kept.any_q)
        assert.equal(3, kept.q)
        assert.equal("critical", kept.phase)
        assert.equal(math.huge, kept.xi)
    end)

    it("names what becomes of the signal", function()
        for phase, case in pairs {
            ordered = { "tanh", 1, 0.3 }, critical = { "tanh", 1, 0 }, chaotic = { "tanh", 2, 0.3 },
            dead = { "relu", 1, 0 }, diverging = { "relu", 1.5, 0 },
        } do
            local t = flow.theory(case[1], { sigma_w = case[2], sigma_b = case[3] })
            assert.equal(phase, t.phase)
            assert.equal(phase == "diverging" and math.huge or t.q, t.q)
        end
        assert.equal(0, flow.theory("relu", { sigma_w = 1 }).q)
        assert.equal("diverging", flow.theory("relu", { sigma_w = math.sqrt(2), sigma_b = 0.1 }).phase)
        assert.equal(math.huge, flow.theory("exponential", { sigma_w = 2 }).chi)
        local step = flow.theory("step", { sigma_w = 1 })
        assert.equal(0, step.chi)
        assert.equal("f' is 0: no gradient passes", step.notes[2])
        local falling = flow.theory("gaussian", { sigma_w = 3, sigma_b = 0 })
        assert.is_true(falling.chi_parallel < 0)
        assert.is_true(falling.stable)
    end)

    it("finds several fixed points and goes to that of q0", function()
        local low = flow.theory("squared_relu", { sigma_w = 0.5, q0 = 1 })
        local high = flow.theory("squared_relu", { sigma_w = 0.5, q0 = 10 })
        assert.same({ 0, math.huge }, { low.q, high.q })
        assert.equal(3, #low.fixed_points)
        close(1 / (1.5 * 0.25), low.fixed_points[2].q) -- q = sigma_w² 1.5 q²
        assert.is_false(low.fixed_points[2].stable)
        assert.equal("2 stable fixed points: where an input goes depends on its variance", low.notes[2])
    end)

    it("has two inputs of a chaotic net part until c, where the map stays", function()
        local t = flow.theory("erf", { sigma_w = 2, sigma_b = 0.3 })
        assert.is_true(t.c > 0 and t.c < 1)
        local function map(c) return (4 * COVARIANCE.erf(t.q, c) + 0.09) / t.q end
        close(t.c, map(t.c))
        close(map(0.4), t:correlation(0.4))
        assert.equal(1, t:correlation(1))
        close(-1 / math.log((map(t.c + 1e-5) - map(t.c - 1e-5)) / 2e-5), t.xi_c, 1e-6)
        assert.equal(0, flow.theory("tanh", { sigma_w = 2 }).c)
        close(t.chi, (1 - map(1 - 1e-6)) / 1e-6, 1e-4)
    end)

    it("takes a script's own activation, whose parameters and kinks it knows", function()
        rille.activation { name = "theory_ramp", f = function(x) return x:clamp(-1, 1) end, kinks = { -1, 1 } }
        local own = flow.theory("theory_ramp", { sigma_w = 1.5, sigma_b = 0.1 })
        local built_in = flow.theory(rille.activations.hard_tanh, { sigma_w = 1.5, sigma_b = 0.1 })
        close(built_in.q, own.q)
        close(built_in.chi, own.chi)
        -- Written so that it is NaN far out: what is finite counts.
        rille.activation { name = "theory_naive", f = function(x) return ((x * 2):exp() - 1) / ((x * 2):exp() + 1) end }
        close(flow.theory("tanh", { sigma_w = 1.5 }).q, flow.theory("theory_naive", { sigma_w = 1.5 }).q, 1e-10)
        rille.activation { name = "theory_log", f = function(x) return x:log() end }
        assert.matches("bad argument #1 to 'theory' %(activation 'theory_log' is not finite at x = %-%S+ or %S+, "
            .. "which N%(0, 1%) reaches%)", message_of(flow.theory, "theory_log", { sigma_w = 1 }))
    end)

    it("predicts every activation without a NaN", function()
        for _, entry in ipairs(rille.activations) do
            local t = entry.name ~= "theory_log" and flow.theory(entry, { sigma_w = 1.4, sigma_b = 0.1 })
            assert.is_true(not t or t.q >= 0 and t.chi >= 0 and t.chi_parallel == t.chi_parallel and t.xi >= 0, entry.name)
            assert.is_truthy(not t or tostring(t):find(t.phase, 1, true))
        end
    end)

    it("prints as a block", function()
        assert.equal([[
tanh, sigma_w² = 1.3, sigma_b² = 0.05: ordered
q             0.31532  variance of pre-activations, deep in the net
chi           0.88016  a layer back multiplies the gradient's squared norm by it, its norm by 0.93817
chi_parallel  0.57112  slope of the variance map at q
xi              7.834  layers in which a correlation comes e times as near to 1
xi_q            1.785  layers in which the variance comes e times as near to q]],
            tostring(flow.theory("tanh", { sigma_w = math.sqrt(1.3), sigma_b = SIGMA_B })))
    end)

    it("takes its options in a second call, too", function()
        assert.equal(tostring(flow.theory("tanh", { sigma_w = 1.2 })), tostring(flow.theory "tanh" { sigma_w = 1.2 }))
        local ok, message = pcall(flow.theory, "tahn")
        assert.is_false(ok)
        assert.matches("no activation 'tahn'; did you mean 'tanh'%?", message)
    end)

    it("says what is wrong with its arguments", function()
        for message, arguments in pairs {
            ["bad argument #1 to 'theory' (name, entry or module of an activation expected, got nil)"] =
                { nil, { sigma_w = 1 } },
            ["bad argument #1 to 'theory' (name, entry or module of an activation expected, got Linear)"] =
                { nn.Linear(2, 2), { sigma_w = 1 } },
            ["no activation 'tahn'; did you mean 'tanh'?"] = { "tahn", { sigma_w = 1 } },
            ["bad argument #2 to 'theory' (option 'sigma_w' is missing: a weight's deviation times sqrt(fan_in))"] =
                { "tanh", {} },
            ["bad argument #2 to 'theory' (option 'sigma_w': finite number > 0 expected, got 0)"] = { "tanh", { sigma_w = 0 } },
            ["bad argument #2 to 'theory' (option 'sigma_b': finite number >= 0 expected, got nan)"] =
                { "tanh", { sigma_w = 1, sigma_b = 0 / 0 } },
            ["bad argument #2 to 'theory' (unknown option 'sigmaw'; did you mean 'sigma_w'?)"] = { "tanh", { sigmaw = 1 } },
            ["bad argument #1 to 'theory' (option 'parameters' is given, but a LeakyReLU has its own)"] =
                { nn.LeakyReLU(0.2), { sigma_w = 1, parameters = {} } },
            ["bad argument #2 to 'theory' (option 'q0' is 1e+09, where tanh is looked at up to 1e+08)"] =
                { "tanh", { sigma_w = 1, q0 = 1e9 } },
            ["bad argument #1 to 'theory' (the weight of this PReLU is a tensor; a number is needed: give 'prelu' and option "
                .. "'parameters', { weight = ... })"] = { nn.PReLU(), { sigma_w = 1 } },
            ["bad argument #1 to 'theory' (option 'parameters': no option 'slope')"] =
                { "leaky_relu", { sigma_w = 1, parameters = { slope = 1 } } },
        } do
            assert.equal(message, message_of(flow.theory, arguments[1], arguments[2]))
        end
        local t = flow.theory("tanh", { sigma_w = 1 })
        assert.equal("no 'sigmaw' in a theory; did you mean 'sigma_w'?", message_of(function() return t.sigmaw end))
        assert.equal("bad argument #1 to 'correlation' (number of -1 to 1 expected, got 2)",
            message_of(t.correlation, t, 2))
    end)
end)

describe("flow.critical", function()
    it("is the single point of a homogeneous activation", function()
        for name, w2 in pairs { relu = 2, identity = 1, leaky_relu = 2 / 1.0001 } do
            local point = flow.critical(name)
            close(w2, point.sigma_w ^ 2)
            assert.is_true(point.any_q and point.stable)
            local none, why = flow.critical(name, { sigma_b = 0.1 })
            assert.is_nil(none)
            assert.matches("^" .. name .. " has no critical point at sigma_b > 0: as f%(a x%) = a f%(x%), its only one is "
                .. "sigma_w² = %S+, sigma_b = 0$", why)
        end
        close(1.6, flow.critical("leaky_relu", { parameters = { negative_slope = 0.5 } }).sigma_w ^ 2)
    end)

    it("has chi = 1 at a fixed point of the variance", function()
        for _, name in ipairs { "tanh", "erf", "hard_tanh", "softsign", "sin", "elu", "sigmoid" } do
            for _, sigma_b in ipairs { 0.05, 0.4 } do
                local point = flow.critical(name, { sigma_b = sigma_b })
                local m = moments.of(1, "theory", name):at(point.q)
                close(1, point.sigma_w ^ 2 * m.slope)
                close(1, (point.sigma_w ^ 2 * m.square + sigma_b ^ 2) / point.q)
                assert.is_true(point.stable)
                local t = flow.theory(name, { sigma_w = point.sigma_w, sigma_b = sigma_b, q0 = point.q })
                assert.equal("critical", t.phase)
            end
        end
        -- erf without biases: sigma_w² E f'² at q = 0, f'(0)² = 4 / pi.
        close(math.pi / 4, flow.critical("erf").sigma_w ^ 2)
    end)

    it("tells a point that the variance leaves, and where there is none", function()
        assert.is_false(flow.critical("gelu").stable)
        assert.equal("gelu is critical at sigma_w² = 4, sigma_b² = 0 (sigma_w = 2), q = 0 (unstable: the variance leaves it)",
            tostring(flow.critical("gelu")))
        local none, why = flow.critical("softplus")
        assert.is_nil(none)
        assert.equal("softplus has no critical point at sigma_b = 0: no sigma_w gives chi = 1 at a fixed point of the variance",
            why)
        none, why = flow.critical("step")
        assert.is_nil(none)
        assert.equal("step has no critical point: it jumps, so that inputs however alike part", why)
        assert.equal("bad argument #2 to 'critical' (option 'sigma_b': finite number >= 0 expected, got -1)",
            message_of(flow.critical, "tanh", { sigma_b = -1 }))
    end)
end)

describe("nn.init.critical", function()
    local function std(tensor)
        return rille.measure(tensor).std
    end

    it("draws weights and biases at the solved point", function()
        rille.manual_seed(3)
        local point = flow.critical("tanh", { sigma_b = 0.3 })
        local net = nn.Sequential {
            nn.Conv1d(4, 400, 25), nn.Linear(500, 400), nn.LayerNorm(400), nn.Linear(400, 9, { bias = false }),
        }
        assert.equal(net, nn.init.critical(net, "tanh", { sigma_b = 0.3 }))
        close(point.sigma_w, std(net[1].weight) * math.sqrt(100), 0.02)
        close(point.sigma_w, std(net[2].weight) * math.sqrt(500), 0.02)
        close(0.3, std(net[2].bias), 0.04)
        close(point.sigma_w, std(net[4].weight) * math.sqrt(400), 0.06)
        assert.equal(0, std(net[3].weight))
        local weight = rille.zeros(300, 200)
        assert.equal(weight, nn.init.critical(weight, "relu"))
        close(math.sqrt(2), std(weight) * math.sqrt(200), 0.02)
    end)

    it("says why it cannot", function()
        assert.equal("bad argument #2 to 'critical' (step has no critical point: it jumps, so that inputs however alike part)",
            message_of(nn.init.critical, rille.zeros(2, 2), "step"))
        assert.equal("bad argument #1 to 'critical' (there is no Linear, Conv1d or Conv2d in this Tanh)",
            message_of(nn.init.critical, nn.Tanh(), "tanh"))
        assert.equal("bad argument #1 to 'critical' (fan_in and fan_out need two dimensions or more, got [3])",
            message_of(nn.init.critical, rille.zeros(3), "tanh"))
        assert.equal("bad argument #1 to 'critical' (tensor of float32 or float64 expected, got nil)",
            message_of(nn.init.critical, nil, "tanh"))
    end)
end)

describe("flow.lengths", function()
    it("iterates the maps", function()
        local rows = flow.lengths("erf", { sigma_w = 1.5, sigma_b = 0.2, layers = 4, q0 = 2, c0 = 0.6 })
        local q, c = 2, 0.6
        for layer = 1, 4 do
            close(q, rows[layer].q)
            close(c, rows[layer].c)
            local next_q = 2.25 * COVARIANCE.erf(q, 1) + 0.04
            q, c = next_q, (2.25 * COVARIANCE.erf(q, c) + 0.04) / next_q
        end
        assert.equal(0, rows[4].log10_gradient)
        close(math.log(rows[1].chi * rows[2].chi * rows[3].chi, 10) / 2, rows[1].log10_gradient)
        assert.equal("bad argument #2 to 'lengths' (option 'layers': positive integer expected, got 0)",
            message_of(flow.lengths, "tanh", { sigma_w = 1, layers = 0 }))
        assert.equal("bad argument #2 to 'lengths' (option 'c0': number of -1 to 1 expected, got 2)",
            message_of(flow.lengths, "tanh", { sigma_w = 1, c0 = 2 }))
    end)

    it("lets signals die and diverge", function()
        local rows = flow.lengths("exponential", { sigma_w = 3, layers = 6, c0 = 0.5 })
        assert.equal(math.huge, rows[6].q)
        local dying = flow.lengths("relu", { sigma_w = 0.1, layers = 400 })
        assert.is_true(dying[400].q == 0 or dying[400].q < 1e-300)
    end)
end)

describe("flow.phase_diagram", function()
    it("is the theory at each point, with the line between the phases", function()
        local diagram = flow.phase_diagram("tanh", { sigma_w = { 0.5, 2.5 }, sigma_b = { 0, 0.4 }, steps = 5 })
        assert.equal(25, #diagram.points)
        for _, point in ipairs(diagram.points) do
            local t = flow.theory("tanh", { sigma_w = point.sigma_w, sigma_b = point.sigma_b })
            assert.same({ t.q, t.chi, t.phase }, { point.q, point.chi, point.phase })
        end
        assert.is_true(#diagram.line > 10)
        local middle = diagram.line[#diagram.line // 2]
        close(flow.critical("tanh", { sigma_b = middle.sigma_b }).sigma_w, middle.sigma_w, 1e-9)
        assert.equal([[
tanh: o ordered, x chaotic, | critical, . dead, ^ diverging; sigma_w from 0.5 to 2.5
sigma_b
    0.4  o o x x x
    0.3  o o x x x
    0.2  o o x x x
    0.1  o o x x x
      0  . | x x x]], tostring(diagram))
        assert.equal("chi = 1", diagram:figure().series[5].label)
        local relu = flow.phase_diagram("relu", { steps = 3 })
        assert.equal(1, #relu.line)
        assert.equal("bad argument #2 to 'phase_diagram' (option 'sigma_w': {low, high} with 0 <= low < high expected)",
            message_of(flow.phase_diagram, "tanh", { sigma_w = { 2, 1 } }))
        assert.equal("bad argument #2 to 'phase_diagram' (option 'steps': 2 or more expected)",
            message_of(flow.phase_diagram, "tanh", { steps = 1 }))
    end)
end)

describe("growth_band", function()
    -- log10 of |dL/dx| in the first pre-activations over that in the last, of `count` random nets.
    local function simulate(name, sigma_w, sigma_b, width, layers, q, count)
        local sum, squares = 0, 0
        for _ = 1, count do
            local x = (rille.randn({ 1, width }, FLOAT64) * math.sqrt(q)):requires_grad(true)
            local h = x
            for _ = 1, layers do
                local weight = rille.randn({ width, width }, FLOAT64) * (sigma_w / math.sqrt(width))
                h = rille[name](h):matmul(weight) + rille.randn({ 1, width }, FLOAT64) * sigma_b
            end
            local seed = rille.randn({ 1, width }, FLOAT64)
            h:backward(seed)
            local growth = (rille.measure(x.grad).log10_norm - rille.measure(seed).log10_norm)
            sum, squares = sum + growth, squares + growth ^ 2
        end
        local mean = sum / count
        return mean, math.sqrt((squares - count * mean ^ 2) / (count - 1))
    end

    it("is Hanin and Nica's 5/n for relu, and what random nets show", function()
        local t = flow.theory("relu", { sigma_w = math.sqrt(2) })
        local band = t:growth_band { width = 100, layers = 20 }
        close(math.sqrt(20 * 5 / 100) / 2 / math.log(10), band.std)
        close(-20 * 5 / 200 / 2 / math.log(10), band.mean)
        close(band.mean - 2 * band.std, band.low)
        rille.manual_seed(11)
        for _, case in ipairs { { "relu", math.sqrt(2), 0 }, { "tanh", 1.5, 0.3 } } do
            local theory = flow.theory(case[1], { sigma_w = case[2], sigma_b = case[3] })
            local expected = theory:growth_band { width = 80, layers = 10 }
            local mean, std = simulate(case[1], case[2], case[3], 80, 10, theory.q, 200)
            -- Of 200 nets the mean is known to std / 14, the standard deviation to 5 %: three times that.
            close(expected.mean, mean, 3 * expected.std / math.sqrt(200))
            close(1, std / expected.std, 0.15)
        end
    end)

    it("counts what a layer's variance does to the growth in the next", function()
        local t = flow.theory("softsign", { sigma_w = 1.5, sigma_b = 0.05 })
        local w2, n = 1.5 ^ 2, 50
        local function expectation(g)
            return gaussian.expectation(function(z)
                local x = z * math.sqrt(t.q)
                return g(x:softsign(), rille.derivative("softsign", x), z)
            end, { 0 })
        end
        local square = expectation(function(f) return f ^ 2 end)
        local slope = expectation(function(_, d) return d ^ 2 end)
        local own = 3 * expectation(function(_, d) return d ^ 4 end) / slope ^ 2 - 1
        local drift = expectation(function(_, d, z) return d ^ 2 * (z ^ 2 - 1) end) / (2 * t.q) / slope
        local together = w2 * (expectation(function(f, d) return f ^ 2 * d ^ 2 end) / slope - square)
        local of_q = w2 ^ 2 * (expectation(function(f) return f ^ 4 end) - square ^ 2)
        -- Two layers: the second's chi follows the variance that the first one's outputs happen to have.
        local variance = (2 * own + 2 * drift * together + drift ^ 2 * of_q) / n
        close(math.sqrt(variance) / 2 / math.log(10), t:growth_band({ width = n, layers = 2 }).std)
        assert.is_true(math.abs(2 * drift * together) > 0.01 * own)
    end)

    it("says when there is nothing to expect", function()
        local t = flow.theory("tanh", { sigma_w = 1 })
        assert.equal("bad argument #1 to 'growth_band' (width: positive integer expected, got nil)",
            message_of(t.growth_band, t, { layers = 3 }))
        local diverging = flow.theory("relu", { sigma_w = 2 })
        assert.equal("growth_band: the variance diverges",
            message_of(diverging.growth_band, diverging, { width = 9, layers = 3 }))
    end)
end)
