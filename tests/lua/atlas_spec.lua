local rille = require "rille"
local atlas = require "rille.atlas"
local gaussian = require "rille.gaussian"
local measurements = require "rille.atlas.measurements"
local slope = require "rille.atlas.slope"
local verdict = require "rille.atlas.verdict"

local huge = math.huge
local folder

before_each(function()
    folder = os.tmpname()
    os.remove(folder)
end)
after_each(function()
    os.execute(("rm -rf '%s'"):format(folder))
end)

local function close(expected, actual, tolerance)
    assert(math.abs(expected - actual) <= (tolerance or 1e-12) * math.max(1, math.abs(expected)),
        ("%.17g expected, got %.17g"):format(expected, actual))
end

local function message_of(f, ...)
    local ok, message = pcall(f, ...)
    assert.is_false(ok)
    return (tostring(message):gsub("^[^ ]*:%d+: ", ""))
end

local function read(path)
    local file <close> = assert(io.open(path, "rb"))
    return file:read("a")
end

local function study(name)
    return slope.study(rille.activations[name])
end

-- "(-inf, 0] [6, inf)"
local function dead(name)
    local words = {}
    for i, one in ipairs(study(name).dead) do
        words[i] = ("%s%g, %g%s"):format(one.low_closed and "[" or "(", one.low, one.high, one.high_closed and "]" or ")")
    end
    return table.concat(words, " ")
end

describe("rille.gaussian", function()
    it("knows the moments of N(0, 1)", function()
        for power, moment in pairs { [0] = 1, 0, 1, 0, 3, 0, 15, 0, 105 } do
            close(moment, gaussian.expectation(function(z) return z ^ power end))
        end
        close(math.exp(2), gaussian.expectation(function(z) return (z * 2):exp() end))
        close((1 + math.exp(-2)) / 2, gaussian.expectation(function(z) return rille.derivative("sin", z) ^ 2 end))
    end)

    it("integrates over kinks that it is told of", function()
        close(1 / math.sqrt(2 * math.pi), gaussian.expectation(function(z) return z:relu() end, { 0 }))
        -- P(|z| > 1/2) and P(0.3 < z) by erfc
        local function beyond(x) return gaussian.expectation(function(z) return rille.gt(z, x):to("float64") end, { x }) end
        close(0.30853753872598690, beyond(0.5))
        close(0.38208857781104739, beyond(0.3))
    end)

    it("gives probabilities", function()
        close(1, gaussian.probability(-huge, huge))
        close(0.68268949213708590, gaussian.probability(-1, 1))
        close(2.8665157187919392e-07, gaussian.probability(5, huge), 1e-18)
        assert.equal(0, gaussian.probability(2, 2))
        assert.equal(0, gaussian.probability(20, huge))
    end)
end)

describe("gain", function()
    it("is PyTorch's where that documents one", function()
        for name, gain in pairs { identity = 1, sigmoid = 1, tanh = 5 / 3, relu = math.sqrt(2) } do
            assert.equal(gain, rille.activations[name].gain())
        end
        assert.equal(math.sqrt(2 / 1.04), rille.activations.leaky_relu.gain(0.2))
        assert.equal(math.sqrt(2 / 1.04), rille.activations.leaky_relu.gain { negative_slope = 0.2 })
        assert.equal(math.sqrt(2 / 1.04), rille.activations.leaky_relu:gain(0.2))
    end)

    it("is computed elsewhere, kinks where the parameters put them", function()
        close(math.sqrt(2 / (1 + math.exp(-2))), rille.activations.sin.gain())
        close(1 / math.sqrt(2), rille.activations.squared_relu.gain())
        close(1 / math.sqrt(0.68268949213708590), rille.activations.hard_tanh.gain())
        close(1 / math.sqrt(0.95449973610364158), rille.activations.hard_tanh.gain { min_val = -2, max_val = 2 })
        assert.equal(huge, rille.activations.step.gain())
    end)

    it("is finite and positive for every activation but step", function()
        for _, entry in ipairs(rille.activations) do
            local gain = entry.gain()
            assert.is_true(gain > 0 and (gain < huge or entry.name == "step"), entry.name)
        end
    end)

    it("says what does not fit", function()
        local moved = rille.activations.hard_tanh.properties { min_val = -3 }
        assert.same({ { -3, 1 }, { -3, 1 }, "C0" }, { moved.kinks, moved.range, moved.smoothness })
        assert.equal("C-1", rille.activations.threshold.properties(1, 5).smoothness)
        assert.same(rille.activations.relu.kinks, rille.activations.relu:properties().kinks)
        assert.equal("bad argument #1 to 'gain' ('relu' has 0 parameters)", message_of(rille.activations.relu.gain, 1))
        assert.equal("bad argument #1 to 'gain' (no option 'negative_slop'; did you mean 'negative_slope'?)",
            message_of(rille.activations.leaky_relu.gain, { negative_slop = 1 }))
    end)
end)

describe("rille.atlas.slope", function()
    it("finds the dead zones, with the ends that belong to them", function()
        for name, zone in pairs { relu = "(-inf, 0]", relu6 = "(-inf, 0] [6, inf)", hard_tanh = "(-inf, -1] [1, inf)",
            hard_shrink = "[-0.5, 0.5]", step = "(-inf, inf)", squared_relu = "(-inf, 0]", sigmoid = "", tanh = "",
            leaky_relu = "", identity = "", sin = "" } do
            assert.equal(zone, dead(name), name)
        end
    end)

    it("finds where |f'| is below a thousandth", function()
        local found = study("sigmoid").saturated
        local edge = math.log((1 + math.sqrt(1 - 4e-3)) / (1 - math.sqrt(1 - 4e-3))) -- s (1 - s) = 1e-3
        assert.equal(2, #found)
        assert.equal(-huge, found[1].low)
        close(-edge, found[1].high)
        close(edge, found[2].low)
        assert.equal(huge, found[2].high)
        assert.equal(0, slope.share_of_window(found))
        close(1 - 4.1467747262489 / 6, slope.share_of_window(study("tanh").saturated))
        close(0.5, slope.share_of_normal(study("relu").saturated))
        assert.same({}, study("leaky_relu").saturated)
    end)

    it("finds it around a zero of f', however close", function()
        local found = study("hard_swish").saturated
        assert.equal(2, #found)
        close(-1.503, found[2].low)
        close(-1.497, found[2].high)
        close(-1.5, study("hard_swish").zeros[1])
    end)

    it("finds single zeros, those that f' only touches as well", function()
        local zeros = study("sin").zeros
        assert.equal(16, #zeros)
        close(math.pi / 2, zeros[9])
        zeros = study("snake").zeros -- 1 + sin 2x
        assert.equal(15, #zeros)
        close(-math.pi / 4, zeros[8], 1e-7)
        for _, name in ipairs { "identity", "relu", "sigmoid", "tanh", "step", "softsign" } do
            assert.same({}, study(name).zeros, name)
        end
    end)

    it("finds the steepest point", function()
        assert.same({ slope = 0.25, x = 0.0 }, study("sigmoid").steepest)
        assert.same({ slope = 1.0 }, study("relu").steepest)
        local snake = study("snake").steepest
        close(2, snake.slope)
        close(1, math.sin(2 * snake.x))
    end)

    it("tells where f' is negative", function()
        close(1.5 / 12, slope.share_of_window(study("hard_swish").falling))
        assert.same({}, study("tanh").falling)
    end)
end)

describe("rille.atlas", function()
    it("draws the portrait of every activation, without NaN", function()
        for _, p in ipairs(atlas.portraits()) do
            for _, field in ipairs { "gain", "backward", "forward", "passes", "mean", "dead_normal", "saturated_normal",
                "falling_normal", "dead_window", "saturated_window" } do
                assert.is_true(p[field] == p[field], p.name .. "." .. field)
            end
            assert.is_true(p.dead_normal <= p.saturated_normal and p.saturated_normal <= 1, p.name)
            assert.matches("^Good: .+%. Bad: .+%.$", p.sentence)
            assert.equal(rille.activations[p.name].formula, p.formula)
        end
    end)

    it("knows the closed forms of relu", function()
        local p = atlas.portrait("relu")
        close(math.sqrt(2), p.backward)
        close(math.sqrt(2), p.forward)
        close(math.sqrt(0.5), p.passes)
        close(1 / math.sqrt(2 * math.pi), p.mean)
        assert.equal(0.5, p.dead_normal)
        assert.equal(0.5, p.dead_window)
        assert.equal("Good: it keeps slope 1 for large x. Bad: it is dead on (-inf, 0], 50 % of N(0, 1); passes 71 % of a "
            .. "gradient's norm at gain 1, so that 10 layers leave 0.0313 of it; shifts its output by 0.399 on average.",
            p.sentence)
    end)

    it("says what sigmoid and step are bad for", function()
        assert.matches("10 layers leave 1.81e-7 of it; shifts its output by 0.5", atlas.portrait("sigmoid").sentence, 1, true)
        assert.matches("dead on (-inf, inf), 100 % of N(0, 1); passes no gradient at all", atlas.portrait("step").sentence,
            1, true)
    end)

    it("shows intervals nearest to zero first, and few", function()
        local function at(x) return { low = x - 0.1, high = x + 0.1 } end
        assert.equal("(0.9, 1.1) and (1.9, 2.1) and (-3.1, -2.9) and 1 more",
            verdict.intervals { at(-9), at(-3), at(1), at(2) })
        assert.equal("close around 1", verdict.intervals { { low = 1 - 1e-6, high = 1 + 1e-6 } })
    end)

    it("reads the table of errors", function()
        local path = os.tmpname()
        local file = assert(io.open(path, "w"))
        file:write("# How exact\n\n## float32, all\n\n| activation | order | worst ULP | at x |\n|---|---|---|---|\n",
            "| relu | f | 0.0000 | everywhere | | 4294967296 | v4 |\n| tanh | f' | 0.5010 | 1 | 3f800000 | 9 | v4 v3 |\n",
            "| tanh | f' | 0.5020 | 1 | 3f800000 | 9 | v2 |\n| tanh | f\" | 0.5000 | 1 | 3f800000 | 9 | v2 |\n",
            "\n## float64, at points\n\n| tanh | f | inf | 1 | 0x1p0 | 9 | v2 |\n")
        file:close()
        local worst = measurements.accuracy(path)
        assert.same({ float32 = { relu = { [0] = 0.0 }, tanh = { 0.502, 0.5 } }, float64 = { tanh = { [0] = huge } } }, worst)
        assert.matches("worst ULP of f, f', f\", float32 +%-, 0.502, 0.500\n",
            atlas.text(atlas.portrait("tanh", { accuracy = path })))
        os.remove(path)
        assert.is_nil(measurements.accuracy(path))
        assert.matches("float32 +not measured here\n", atlas.text(atlas.portrait("tanh", { accuracy = path })))
    end)

    it("measures speed, and leaves the number of threads alone", function()
        local threads = rille.threads()
        local speed = atlas.portrait("relu", { speed = true }).speed
        assert.is_true(speed.forward > 0.01 and speed.forward < 1000, speed.forward)
        assert.is_true(speed.backward > 0.01 and speed.backward < 1000, speed.backward)
        assert.equal(threads, rille.threads())
    end)

    it("draws a gap where a line jumps", function()
        local series = atlas.figure(rille.activations.step).series
        local nans = { 0, 0, 0 }
        for order = 1, 3 do
            assert.equal(#series[order].x, #series[order].y)
            for _, y in ipairs(series[order].y) do
                nans[order] = nans[order] + (y ~= y and 1 or 0)
            end
        end
        assert.same({ 1, 0, 0 }, nans)
    end)

    it("writes one page that needs no other, and a plot each", function()
        local portraits = atlas.portraits { "relu", "hard_swish" }
        assert.equal(folder .. "/index.html", (atlas.save(folder, portraits)))
        local page = read(folder .. "/index.html")
        local _, drawings = page:gsub("<svg", "")
        assert.equal(2, drawings)
        assert.is_nil(page:find("https?://[^\"]+%.js"))
        assert.is_truthy(page:find("id=\"hard_swish\"", 1, true) and page:find("href=\"#hard_swish\"", 1, true))
        assert.is_truthy(page:find("x &lt;= -3 ? 0 : x &gt;= 3", 1, true))
        local seen = {}
        for id in page:gmatch("%sid=['\"]([^'\"]+)") do
            assert.is_nil(seen[id], id)
            seen[id] = true
        end
        assert.is_truthy(read(folder .. "/relu.svg"):find("</svg>", 1, true))
    end)

    it("writes the page of tables", function()
        local page = atlas.markdown(atlas.portraits { "relu", "tanh" }, "the command")
        assert.matches("^# The activation atlas\n\nMade by `the command`", page)
        assert.is_truthy(page:find("| largest \\|f'\\| | 1, f'(0) = 0 |", 1, true))
        assert.is_truthy(page:find("\n## tanh\n\n    f(x) = tanh(x)\n", 1, true))
        assert.is_nil(page:find("[^%w]nan[^%w]"))
    end)

    it("says what does not fit", function()
        assert.equal("no activation 'rleu'; did you mean 'relu'?", message_of(atlas.portrait, "rleu"))
        assert.equal("bad argument #1 to 'portrait' (name or entry of an activation expected, got nil)",
            message_of(atlas.portrait))
        assert.equal("bad argument #2 to 'portrait' (unknown option 'sped'; did you mean 'speed'?)",
            message_of(atlas.portrait, "relu", { sped = true }))
        assert.matches("^cannot make '/dev/null/atlas' %(", message_of(atlas.save, "/dev/null/atlas", {}))
    end)
end)
