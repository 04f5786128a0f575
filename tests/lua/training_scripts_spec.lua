-- The smaller experiments of scripts/, in small: what they print, and that a seed repeats it. rille.experiment, by them.

local support = require "support"

local folder = os.tmpname()
os.remove(folder)

local function run(command, environment)
    return support.run(("%s lua5.4 scripts/%s --out %s"):format(environment or "", command, folder))
end

local function drawn(name)
    support.assert_png(("%s/%s.png"):format(folder, name))
end

-- It ends well, prints what these patterns say, and the same again.
local function assert_prints(command, ...)
    local said, ended = run(command)
    assert.is_true(ended, said)
    for _, pattern in ipairs { ... } do
        assert.is_truthy(said:find(pattern), said)
    end
    assert.equal(said, (run(command)))
    return said
end

describe("scripts/digits_mlp.lua", function()
    it("trains, keeps the best and says how good it is", function()
        local path = os.tmpname()
        local said = assert_prints("digits_mlp.lua --epochs 3 --hidden 24 --seed 2 --save " .. path,
            "\n *epoch +training loss +accuracy +validation loss +accuracy\n", "\n +3 +%d%.%d+ +%d+%.%d %%",
            "The net of epoch 3, the best on the validation images, knows %d+ of the 360 test digits")
        local known = tonumber(said:match("knows (%d+) of"))
        assert.is_true(known > 250, said)
        local saved, texts = require("rille").load(path)
        assert.equal(3, saved.epoch)
        assert.same({ 24, 64 }, saved.net["[1].weight"]:shape())
        assert.equal(("%.4f"):format(known / 360), texts.test_accuracy)
        os.remove(path)
        drawn("digits-mlp")
    end)
end)

describe("scripts/digits_cnn.lua", function()
    it("trains with and without normalisation", function()
        assert_prints("digits_cnn.lua --epochs 1 --channels 2 --quiet", "BatchNorm2d%(4%)", "\nBatchNorm +1 +%d",
            "\nwithout +1 +%d", "After 1 epoch the net with batch normalisation knows %d+ of the 360 test digits")
        drawn("digits-cnn")
    end)
end)

describe("scripts/adding_problem.lua", function()
    it("tells who has learned it", function()
        local said = assert_prints("adding_problem.lua --steps 4 --hidden 16 --batches 300 --lr 0.02 --quiet",
            "\nRNN +%d%.%d+", "\nLSTM +%d%.%d+", "At 4 steps the RNN has")
        assert.is_truthy(said:gsub("\n", " "):find("the LSTM has learned it, after at most %d+ batches"), said)
        drawn("adding-problem")
    end)

    it("tells who has not", function()
        assert_prints("adding_problem.lua --steps 30 --hidden 4 --batches 2 --quiet",
            "\nnet +error, batch 0 +error, batch 1 +error, batch 2 +first", "the LSTM has not: its error is\n?%s?%d+\n?%s?%%")
    end)
end)

describe("scripts/spirals.lua", function()
    it("compares activations, the best first", function()
        local said = assert_prints("spirals.lua --only relu --steps 5 --points 60", "\nactivation +test accuracy", "\nrelu6 ",
            "\nleaky_relu +%d+%.%d %%", "Best: %w+")
        local before = 100
        for accuracy in said:gmatch("\n[%w_]+ +(%d+%.%d) %%") do
            assert.is_true(tonumber(accuracy) <= before, said)
            before = tonumber(accuracy)
        end
        drawn("spirals")
    end)

    it("trains with all of them", function()
        local said, ended = run("spirals.lua --steps 1 --points 10 --depth 1 --width 2")
        assert.is_true(ended, said)
        for _, entry in ipairs(require("rille").activations) do
            assert.is_truthy(said:find("\n" .. entry.name .. " +%d"), entry.name)
        end
    end)
end)

describe("rille.experiment", function()
    teardown(function()
        os.execute("rm -rf " .. folder)
    end)

    it("says what is wrong with the command line", function()
        support.assert_refusals(run, {
            ["spirals.lua --steps 1.5"] = "Error: --steps: an integer of at least 1 expected, got '1.5'",
            ["spirals.lua --lr=-1"] = "Error: --lr: a number of at least 0 expected, got '-1'",
            ["spirals.lua --lr nan"] = "Error: --lr: a number of at least 0 expected, got 'nan'",
            ["digits_mlp.lua --seed x"] = "Error: --seed: an integer of at least 0 expected, got 'x'",
            ["digits_cnn.lua --epoch 3"] = "Error: unknown option '--epoch'\nDid you mean '--epochs'?",
            ["dying_relu.lua --lr 1,"] = "Error: --lr: a number of at least 0 expected, got ''",
            ["isometry.lua --depth 2,1.5"] = "Error: --depth: an integer of at least 1 expected, got '1.5'",
            ["spirals.lua --only nothing"] = "spirals.lua: no activation's name contains 'nothing'",
        })
    end)

    it("reads a number without a bound", function()
        local experiment = require "rille.experiment"
        local parser = experiment.parser("a.lua", "A script.")
        experiment.add_option(parser, "shift", "Up or down.", 0)
        experiment.add_option(parser, "at", "Where.", { 1, 2.5 })
        experiment.add_option(parser, "name", "Of it.", "it")
        experiment.add_option(parser, "quiet", "Nothing said.")
        assert.same({ shift = 0, at = { 1, 2.5 }, name = "it" }, parser:parse {})
        assert.same({ shift = -3, at = { -0.5 }, name = "1", quiet = true },
            parser:parse { "--shift=-3", "--at=-0.5", "--name", "1", "--quiet" })
        local ok, message = parser:pparse { "--shift", "0.5" }
        assert.is_false(ok)
        assert.equal("--shift: an integer expected, got '0.5'", message)
    end)

    it("explains, and says what it needs", function()
        local said, ended = run("adding_problem.lua --help")
        assert.is_true(ended)
        assert.is_truthy(said:find("Usage: adding_problem.lua", 1, true), said)
        assert.is_truthy(said:find("Length of the sequences. (default: 100)", 1, true), said)
        assert.is_truthy(run("edge_of_chaos_training.lua --help"):find("(default: 1,1.3,1.76,2.5,4)", 1, true))
        said = run("spirals.lua", "LUA_PATH_5_4='build/share/lua/5.4/?.lua'")
        assert.equal("spirals.lua: the Lua module 'argparse' was not found: install the Debian package lua-argparse\n", said)
    end)
end)
