-- rille reproduce: every published result, on small nets; and that a wrong one fails.

local rille = require "rille"
local reproduce = require "rille.reproduce"
local support = require "support"

local command = assert(package.searchpath("rille.nn", package.path)):match("^(.*)/share/") .. "/bin/rille"

local function run(arguments)
    return support.run(("%s reproduce %s"):format(command, arguments))
end

describe("rille reproduce", function()
    it("shows that all results hold, by its exit status as well", function()
        local said, ok = run("--quick")
        assert.is_true(ok, said)
        assert.is_nil(said:find("FAIL", 1, true), said)
        local all = #reproduce.lines
        assert.is_truthy(said:find(("%d of %d published results reproduced (quick), seed 1"):format(all, all), 1, true), said)
        assert.matches("sigma_w² = 1.3: chi +0%.8802 +0%.88016 +0%.0001  pass\n", said)
    end)

    it("fails a result that is off, NaN, or does not hold", function()
        local function pass(published, tolerance, measured)
            return reproduce.run { "-", "-", published, tolerance, function() return measured end }.pass
        end
        assert.is_true(pass(2, 0.1, 2.05))
        assert.is_false(pass(2, 0.1, 2.2))
        assert.is_true(pass(2, { 0.1 }, 2.15))
        assert.is_false(pass(2, { 0.1 }, 2.3))
        assert.is_false(pass(2, { 0.1 }, 0 / 0))
        assert.is_true(pass(true, nil, true))
        assert.is_false(pass(true, nil, false))
        local wide = { "-", "-", 1, { 0.1, quick = 0.5 }, function(quick) return quick and 1.4 or 1.05 end }
        assert.same({ true, "50 %", "1.4" }, (function()
            local found = reproduce.run(wide, { quick = true })
            return { found.pass, found.tolerance, found.measured }
        end)())
        assert.equal("10 %", reproduce.run(wide).tolerance)
    end)

    it("gives the same numbers for the same seed", function()
        local line
        for _, one in ipairs(reproduce.lines) do
            line = one[2]:find("BatchNorm", 1, true) and one or line
        end
        local first = reproduce.run(line, { quick = true, seed = 3 })
        rille.randn(7)
        assert.same(first, reproduce.run(line, { quick = true, seed = 3 }))
        assert.are_not.same(first, reproduce.run(line, { quick = true, seed = 4 }))
    end)

    it("says what is wrong with its words", function()
        local said, ok = run("--seed x")
        assert.is_false(ok)
        assert.is_truthy(said:find("--seed: an integer of at least 0 expected, got 'x'", 1, true), said)
        said, ok = run("--quik")
        assert.is_false(ok)
        assert.is_truthy(said:find("unknown option '--quik'", 1, true), said)
        assert.is_truthy(run("--help"):find("--quick", 1, true))
    end)
end)
