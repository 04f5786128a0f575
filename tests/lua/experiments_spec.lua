-- Runs the experiments small, each in a process of its own, and checks the numbers that they print against theory.

local support = require "support"

local folder = os.tmpname()
os.remove(folder)

-- What a script prints (both streams), and whether it ended well.
local function run(script, arguments)
    return support.run(("lua5.4 scripts/%s.lua %s"):format(script, arguments))
end

local function run_well(script, arguments)
    local said, ok = run(script, arguments .. " --out " .. folder)
    assert.is_true(ok, said)
    return said
end

local function has(said, words)
    assert.is_truthy(said:find(words, 1, true), said)
end

local function drawn(name)
    support.assert_png(("%s/%s.png"):format(folder, name))
end

local function close(expected, actual, tolerance)
    assert(math.abs(expected - actual) <= tolerance, ("%.9g expected, got %.9g"):format(expected, actual))
end

describe("scripts/", function()
    teardown(function()
        os.execute("rm -rf " .. folder)
    end)

    it("phase_diagram.lua: prediction beside measurement", function()
        local said = run_well("phase_diagram", "--steps 5 --depth 5 --width 200 --nets 6")
        has(said, "tanh: o ordered, x chaotic")
        local count = 0
        for phase, chi, predicted, measured in said:gmatch("\n%s*%S+  (%a+)%s+(%S+)[^\n]-(%S+)%s+(%S+)\n") do
            if tonumber(chi) then
                count = count + 1
                close(tonumber(chi), tonumber(predicted), 2e-3)
                close(1, tonumber(measured) / tonumber(predicted), 0.1)
                assert.equal(tonumber(chi) > 1.001 and "chaotic" or tonumber(chi) < 0.999 and "ordered" or "critical", phase)
            end
        end
        assert.is_true(count >= 2, said)
        has(said, "yes  gradients vanish below the edge of chaos and explode above it")
        drawn("phase-diagram")
        drawn("phase-correlations")
        local wrong, ok = run("phase_diagram", "--activation softplus --out " .. folder)
        assert.is_false(ok)
        has(wrong, "phase_diagram.lua: softplus has no critical point at sigma_b = 0.3: no sigma_w gives chi = 1")
    end)

    it("edge_of_chaos_training.lua: trains the shallow, not the deep far from the edge", function()
        local said = run_well("edge_of_chaos_training", "--sigma_w2 1.76,6 --depths 3,40 --steps 60 --width 50")
        local near = said:match("\n%s+1%.76  ordered  0%.9998[^\n]-(%d+) %%[^\n]*\n")
        local far = said:match("\n%s+6  chaotic[^\n]-%d+ %%.-(%d+) %%[^\n]*\n")
        assert.is_true(tonumber(near) > 60, said)
        assert.is_true(tonumber(far) < 40, said)
        drawn("edge-of-chaos-training")
    end)

    it("linear_collapse.lua: linear layers are one, with the rank of the narrowest", function()
        local said = run_well("linear_collapse", "--depths 1,3 --narrow 2 --steps 250")
        local residual, bent, rank = said:match("\nnone%s+3%s+(%S+)%s+(%S+)%s+(%d+)%s+2\n")
        assert.is_true(tonumber(residual) < 1e-14 and tonumber(bent) < 1e-14, said)
        assert.equal("2", rank)
        assert.is_nil(said:find("  NO ", 1, true), said)
        drawn("linear-collapse")
    end)

    it("exploding.lua: breaks in the layer that theory names", function()
        local said = run_well("exploding", "--scales 1,32,100 --depth 30 --steps 2 --width 32")
        local broken = 0
        for factor, layer in said:gmatch("\n%s*(%d+)%s+%d+%s+inf%s+%-%s+(%d+)") do
            broken = broken + 1
            -- The root mean square of the first layer is a few times the factor: some 38.5 / log10(factor) layers.
            close(38.5 / math.log(tonumber(factor), 10), tonumber(layer), 2)
        end
        assert.equal(2, broken)
        has(said, "yes  layers break where theory has them break, within")
        has(said, "yes  2 of 3 nets are not finite in their first pass; 1 train on")
        has(said, "Linear forward")
        drawn("exploding")
    end)

    it("batchnorm.lua: mends sigmoid nets, and multiplies relu's squared gradient by pi / (pi - 1)", function()
        local said = run_well("batchnorm", "--epochs 5 --layers 10 --width 200 --batch 256 --nets 3")
        close(1, tonumber(said:match("\nwithout%s+1%.0000%s+(%S+)")), 0.05)
        close(math.pi / (math.pi - 1), tonumber(said:match("\nwith%s+1%.4669%s+(%S+)")), 0.05)
        assert.is_nil(said:find("  NO ", 1, true), said)
        drawn("batchnorm")
    end)

    it("first_steps.lua: the numbers of every tutorial", function()
        local said, ok = run("first_steps", "")
        assert.is_true(ok, said)
        for _, line in ipairs {
            "[0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.1111, 0.3333, 0.5556, 0.7778, 1.0000]",
            "[3.7835e-44, 1.6655e-34, 7.4564e-25, 3.3382e-15, 1.4945e-05, 9.9999e-01, 1.0000e+00,",
            "[-1.0000, -1.0000, -1.0000, -0.9975, -0.8045,  0.8045,  0.9975,  1.0000,  1.0000,  1.0000]",
            "[0.0900, 0.2447, 0.6652]  float32 [3]",
            "[nan, nan, nan]", "[2.5000e-01, 4.5396e-05, 4.2484e-18]", "[ 3., 12., 27.]", "[1, 2, 2, 1]  int64 [4]",
        } do
            has(said, line)
        end
        local wrong, ended = run("first_steps", "x")
        assert.is_false(ended)
        assert.equal("first_steps.lua: no argument expected, got 'x'\n", wrong)
    end)

    it("have --help and say what is wrong with their arguments", function()
        for _, script in ipairs { "phase_diagram", "edge_of_chaos_training", "linear_collapse", "exploding", "batchnorm" } do
            local help, ok = run(script, "--help")
            assert.is_true(ok, help)
            has(help, "--seed")
            has(help, "--out")
            local wrong, ended = run(script, "--seed 1.5")
            assert.is_false(ended)
            has(wrong, "Error: --seed: an integer of at least 0 expected, got '1.5'")
            has(run(script, "--out /proc/nothing"), script .. ".lua: the folder for results cannot be made: mkdir: ")
        end
        has(run("exploding", "--scales 1,x"), "Error: --scales: a number of at least 0.001 expected, got 'x'")
        has(run("linear_collapse", "--depths 1,1 --out " .. folder),
            "linear_collapse.lua: --depths: one above 1 expected, got none\n")
        has(run("phase_diagram", "--activation tanhh --out " .. folder),
            "phase_diagram.lua: no activation 'tanhh'; did you mean 'tanh'?\n")
        has(run("first_steps", "-h"), "usage: first_steps.lua")
        has(run("linear_collapse", "--depths 0"), "Error: --depths: an integer of at least 1 expected, got '0'")
    end)

    it("give the same text for the same seed", function()
        local arguments = "--scales 1,64 --depth 10 --steps 2 --width 16 --seed 4"
        assert.equal(run_well("exploding", arguments), run_well("exploding", arguments))
        assert.are_not.equal(run_well("exploding", arguments), run_well("exploding", (arguments:gsub("4$", "5"))))
    end)

    it("lstm_memory.lua: the forget bias decides how far a gradient reaches", function()
        local said = run_well("lstm_memory", "--nets 2 --batch 4")
        local count = 0
        for name, measured, theory in said:gmatch("\n(%u%u%u[^\n]-)%s%s+1%.0%s[^\n]-(%S+)%s+(%S+)%f[\n]") do
            count = count + 1
            if name ~= "LSTM, forget bias 2" and name ~= "LSTM, forget bias 5" then
                close(1, tonumber(measured) / tonumber(theory), 0.05)
            end
        end
        assert.equal(6, count, said)
        assert.is_nil(said:find("\n  NO", 1, true), said)
        drawn("lstm-memory")
    end)

    it("dying_relu.lua: too high a learning rate kills relus", function()
        local said = run_well("dying_relu", "--epochs 3 --lr 0.1,1 --nets 1 --width 32")
        has(said, "yes  too high a learning rate kills relus")
        has(said, "elu")
        drawn("dying-relu")
        has(run_well("dying_relu", "--epochs 1 --lr 1e38 --nets 1"), "No relu net stayed finite at 1e+38.")
    end)

    it("remedies.lua: each net finds a cure", function()
        local said = run_well("remedies", "--epochs 4 --width 24")
        for _, words in ipairs { "sigmoid, 6 hidden layers", "batch normalisation", "as it is", "residual connections" } do
            has(said, words)
        end
        has(said, "yes  tanh, 10 hidden layers, weights / 3")
        has(said, "relu, 10 hidden layers, weights x 3: not finite as it is")
        drawn("remedies")
    end)

    it("cost.lua: what e^x costs", function()
        has(run_well("cost", "--activation sigmoid"), "sigmoid")
        drawn("cost")
        local wrong, ok = run("cost", "--activation sigmoi --out " .. folder)
        assert.is_false(ok)
        has(wrong, "cost.lua: no activation 'sigmoi'; did you mean 'sigmoid'?\n")
    end)
end)
