-- Runs the main script small, in a process of its own, and checks the numbers that it prints and writes.

local support = require "support"
local read = support.read

local folder = os.tmpname()
os.remove(folder)

-- What the script prints (both streams), and whether it ended well.
local function run(arguments, environment)
    return support.run(("%s lua5.4 scripts/vanishing.lua --out %s %s"):format(environment or "", folder, arguments))
end

-- "1/21" -> 0.0476, "0.86" -> 0.86
local function ratio_of(word)
    local divisor = word:match("^1/(.*)$")
    return divisor and 1 / tonumber(divisor) or tonumber(word)
end

-- Lines of the summary: [depth][net] = { start =, finish =, train =, test = }.
local function summary(said)
    local found = {}
    for line in said:gmatch("[^\n]+") do
        local depth, net, start, _, finish, train, test =
            line:match("^(%d+)%s+([%a_]+)%s+(%S+)%s+(%S+)%s+(%S+)%s+(%S+) %%%s+(%S+) %%$")
        if depth then
            found[tonumber(depth)] = found[tonumber(depth)] or {}
            found[tonumber(depth)][net] = { start = ratio_of(start), finish = ratio_of(finish), train = tonumber(train),
                test = tonumber(test) }
        end
    end
    return found
end

-- Rows of a CSV file that the script wrote: a list of tables by column name.
local function csv(path)
    local rows, names = {}, nil
    for line in io.lines(path) do
        local row, i = {}, 0
        for cell in (line .. ","):gmatch("([^,]*),") do
            i = i + 1
            row[names and names[i] or i] = cell
        end
        if names then
            rows[#rows + 1] = row
        else
            names = row
        end
    end
    return rows
end

local function norm(rows, step, name)
    for _, row in ipairs(rows) do
        if tonumber(row.step) == step and row.name == name then
            return tonumber(row.weight_gradient_log10_norm)
        end
    end
end

describe("scripts/vanishing.lua", function()
    local said, ended_well

    setup(function()
        said, ended_well = run("--depth 3,6 --epochs 4")
    end)
    teardown(function()
        os.execute("rm -rf " .. folder)
    end)

    it("shows what the literature says", function()
        assert.is_true(ended_well, said)
        local found = summary(said)
        assert.is_true(found[3].sigmoid.start < 0.2)
        assert.is_true(found[3].relu.start > 0.2)
        assert.is_true(found[3].leaky_relu.start > 0.2)
        assert.is_true(found[3].tanh.start > 0.2)
        assert.is_true(found[6].relu.start / found[6].sigmoid.start > 10 * found[3].relu.start / found[3].sigmoid.start)
        for _, depth in ipairs { 3, 6 } do
            assert.is_true(found[depth].tanh.test > 80)
            assert.is_true(found[depth].sigmoid.test < 50)
            for _, net in pairs(found[depth]) do
                assert.is_true(net.test >= 5 and net.test <= 100 and net.train >= 5 and net.train <= 100)
            end
        end
        assert.is_true(found[3].relu.test > 70)
    end)

    it("says so in a verdict made from the numbers", function()
        local found = summary(said)
        local below = said:match("yes  depth 3: sigmoid's first / last is below 0%.2: (%S+)")
        assert.equal(found[3].sigmoid.start, ratio_of(below))
        local above = said:match("yes  depth 3: relu's is above: (%S+)")
        assert.equal(found[3].relu.start, ratio_of(above))
        local first, last = said:match("yes  the deeper, the wider the gap.-: (%S+) at depth 3, (%S+) at depth 6")
        assert.is_true(tonumber(last) > tonumber(first))
        assert.is_nil(said:find("  NO ", 1, true))
        assert.is_truthy(said:find("sigmoid' is at most 0.25", 1, true))
        -- Another run, in which the claim does not hold, says no: two layers are not deep enough.
        local shallow = run("--depth 2 --epochs 1")
        assert.is_true(summary(shallow)[2].sigmoid.start > 0.2)
        assert.is_truthy(shallow:find("NO   depth 2: sigmoid's first / last is below 0.2", 1, true), shallow)
    end)

    it("writes the measurements that the tables are made of", function()
        local found = summary(said)
        for _, depth in ipairs { 3, 6 } do
            for net, numbers in pairs(found[depth]) do
                local rows = csv(("%s/vanishing-%d-%s.csv"):format(folder, depth, net))
                assert.equal(41 * (2 * depth + 1), #rows)
                local last = ("[%d]"):format(2 * depth - 1)
                for step, expected in pairs { [0] = numbers.start, [180] = numbers.finish } do
                    local ratio = 10 ^ (norm(rows, step, "[1]") - norm(rows, step, last))
                    assert.is_true(math.abs(ratio / expected - 1) < 0.06, ("%s %d: %g, %g"):format(net, depth, ratio, expected))
                end
            end
        end
    end)

    it("draws every plot, as SVG and as PNG", function()
        support.assert_plots(folder, { "activations", "gradient-norms-3", "gradient-norms-6", "gradient-by-layer" })
        local svg = read(folder .. "/gradient-norms-3.svg")
        for _, word in ipairs { "sigmoid", "leaky_relu", "layer 1", "layer 3", "training step", "∂L/∂W" } do
            assert.is_truthy(svg:find(word, 1, true), word)
        end
        local pipe = assert(io.popen("ls -A " .. folder))
        assert.is_nil(pipe:read("a"):find("part", 1, true))
        pipe:close()
    end)

    it("writes a report of each net, with the last pass's histograms", function()
        for _, depth in ipairs { 3, 6 } do
            for net in pairs(summary(said)[depth]) do
                local page = read(("%s/vanishing-%d-%s.html"):format(folder, depth, net))
                assert.is_truthy(page:find(("%d hidden layers of 64 units, %s</h1>"):format(depth, net), 1, true))
                assert.is_truthy(page:find("<section id=\"histograms\">", 1, true))
                assert.is_truthy(page:find("<section id=\"theory\">", 1, true))
                assert.is_truthy(page:find("id=\"loss\"", 1, true))
            end
        end
        assert.is_truthy(said:find("Reports, one a net, to be opened in a browser: " .. folder .. "/vanishing-*.html", 1, true))
    end)

    it("gives the same bits for the same seed and any number of threads", function()
        local name = folder .. "/vanishing-3-relu.csv"
        run("--depth 3 --epochs 1 --seed 5", "OMP_NUM_THREADS=1")
        local one = read(name)
        run("--depth 3 --epochs 1 --seed 5", "OMP_NUM_THREADS=3")
        assert.equal(one, read(name))
        run("--depth 3 --epochs 1 --seed 6")
        assert.are_not.equal(one, read(name))
    end)

    it("goes on without gnuplot, and says what to install", function()
        local path = folder .. "/no gnuplot"
        assert(os.execute(("mkdir '%s' && cd '%s' && for c in lua5.4 sh mkdir test env; do ln -s $(command -v $c) $c; done")
            :format(path, path)))
        local without, ok = run("--depth 2 --epochs 1", ("PATH='%s'"):format(path))
        assert.is_true(ok, without)
        assert.is_truthy(without:find("No plots: gnuplot was not found (looked for 'gnuplot'): install the Debian package "
            .. "gnuplot-nox", 1, true), without)
        assert.is_truthy(without:find("Verdict", 1, true))
    end)

    it("says what is wrong with its arguments", function()
        support.assert_refusals(run, {
            ["--depth 1"] = "Error: --depth: an integer of at least 2 expected, got '1'",
            ["--depth 3,x"] = "Error: --depth: an integer of at least 2 expected, got 'x'",
            ["--lr nan"] = "Error: --lr: a number of at least 0 expected, got 'nan'",
            ["--epochs 0"] = "Error: --epochs: an integer of at least 1 expected, got '0'",
            ["--seed 1.5"] = "Error: --seed: an integer of at least 0 expected, got '1.5'",
            ["--sed 1"] = "Error: unknown option '--sed'\nDid you mean '--seed'?",
            ["--out /proc/nothing"] = "vanishing.lua: the folder for results cannot be made: mkdir: ",
        })
        support.assert_help(run, { "--depth", "--width", "--epochs", "--batch", "--lr", "--seed", "--out", "--quiet" })
        local said_without, ended = run("", "LUA_PATH_5_4='build/share/lua/5.4/?.lua'")
        assert.is_false(ended)
        assert.equal("vanishing.lua: the Lua module 'argparse' was not found: install the Debian package lua-argparse\n",
            said_without)
    end)
end)
