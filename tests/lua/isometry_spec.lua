-- Runs scripts/isometry.lua small, in a process of its own, and checks the numbers that it prints and writes.

local support = require "support"
local read = support.read

local folder = os.tmpname()
os.remove(folder)

-- What the script prints (both streams), and whether it ended well.
local function run(arguments, environment)
    return support.run(("%s lua5.4 scripts/isometry.lua --out %s %s"):format(environment or "", folder, arguments))
end

describe("scripts/isometry.lua", function()
    local said, ended_well

    setup(function()
        said, ended_well = run("--depth 2,6 --width 128 --nets 3")
    end)
    teardown(function()
        os.execute("rm -rf " .. folder)
    end)

    it("shows what theory says", function()
        assert.is_true(ended_well, said)
        local rows = {}
        for activation, weights, depth, mean, variance, theory in said:gmatch(
            "\n([%a_]+)%s+(%a+)%s+(%d+)%s+(%S+)%s+(%S+)%s+(%S+)") do
            rows[activation .. " " .. weights .. " " .. depth] = { mean = tonumber(mean), variance = tonumber(variance),
                theory = tonumber(theory) }
        end
        for name, theory in pairs { ["identity gaussian 2"] = 2, ["identity gaussian 6"] = 6, ["identity orthogonal 6"] = 0,
            ["relu gaussian 6"] = 12, ["relu orthogonal 6"] = 6 } do
            assert.equal(theory, rows[name].theory)
        end
        local count = 0
        for _, row in pairs(rows) do
            count = count + 1
            assert.is_true(math.abs(row.mean - 1) < 0.4)
            assert.is_true(math.abs(row.variance - row.theory) <= 0.4 * row.theory + 1e-9)
        end
        assert.equal(16, count)
    end)

    it("says so in a verdict made from the numbers", function()
        assert.is_nil(said:find("\n  NO ", 1, true), said)
        assert.matches("yes  a linear net with orthogonal weights is an isometry: max s / min s is 1%.00000%d\n", said)
        local orthogonal, gaussian = said:match("bring tanh near it: variance (%S+), with gaussian ones (%S+)\n")
        assert.is_true(tonumber(orthogonal) < tonumber(gaussian) / 5)
        assert.matches("most even net that is not linear is hard_tanh with orthogonal weights", said)
        assert.matches("most uneven is relu with gaussian weights", (said:gsub("\n", " ")))
        -- One layer of five units is not what theory speaks of, and then it says so.
        assert.is_truthy(run("--depth 1 --width 3 --nets 2 --q 5"):find("\n  NO ", 1, true))
    end)

    it("writes the measurements and the plots", function()
        local lines = 0
        for line in io.lines(folder .. "/isometry.csv") do
            assert.equal(8, select(2, line:gsub(",", "")))
            lines = lines + 1
        end
        assert.is_true(lines > 1)
        support.assert_plots(folder, { "isometry-variance", "isometry-spectrum" })
    end)

    it("gives the same bits for the same seed and any number of threads", function()
        local function measured(arguments, environment)
            run("--depth 3 --width 40 --nets 1 " .. arguments, environment)
            return read(folder .. "/isometry.csv")
        end
        local one = measured("--seed 5", "OMP_NUM_THREADS=1")
        assert.equal(one, measured("--seed 5", "OMP_NUM_THREADS=3"))
        assert.are_not.equal(one, measured("--seed 6"))
    end)

    it("says what is wrong with its arguments", function()
        support.assert_refusals(run, {
            ["--depth 0"] = "Error: --depth: an integer of at least 1 expected, got '0'",
            ["--q 0"] = "Error: --q: a number of at least 1e-06 expected, got '0'",
            ["--nets 1.5"] = "Error: --nets: an integer of at least 1 expected, got '1.5'",
            ["--out /proc/nothing"] = "isometry.lua: the folder for results cannot be made: mkdir: ",
        })
        support.assert_help(run, { "--depth", "--width", "--nets", "--q", "--seed", "--out" })
    end)
end)
