local rille = require "rille"
local data = require "rille.data"
local message_of = require("support").message_of

-- What a Lua program prints in a process of its own. environment: "NAME=value" words for the shell.
local function run(environment, program)
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(program)
    file:close()
    local pipe = assert(io.popen(("%s lua5.4 %s 2>&1"):format(environment, path)))
    local said = pipe:read("a")
    pipe:close()
    os.remove(path)
    return said
end

describe("data.digits", function()
    it("has the 1797 images, split and scaled as documented", function()
        local digits = data.digits()
        assert.same({ 1437, 64 }, digits.train.x:shape())
        assert.same({ 360, 64 }, digits.test.x:shape())
        assert.same({ 1437 }, digits.train.y:shape())
        assert.same({ 360 }, digits.test.y:shape())
        assert.equal("float32", digits.train.x:dtype())
        assert.equal("int64", digits.train.y:dtype())
        assert.equal(10, digits.classes)
        assert.same({ 8, 8 }, digits.shape)
        local s = rille.measure(digits.train.x)
        assert.equal(0, s.min)
        assert.equal(1, s.max)
        -- The first image is a 0, the second a 1, ...: labels count from 1.
        assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, digits.train.y:narrow(1, 1, 10):totable())
    end)

    it("has the pixels of the original file", function()
        local digits = data.digits { scale = false, flat = false }
        assert.same({ 1437, 8, 8 }, digits.train.x:shape())
        assert.same({ 0, 0, 5, 13, 9, 1, 0, 0 }, digits.train.x[1][1]:totable())
        assert.same({ 0, 0, 0, 12, 13, 5, 0, 0 }, digits.train.x[2][1]:totable())
        assert.equal(0.8125, data.digits().train.x[1][4])
        local counts = {}
        for _, label in ipairs(digits.train.y:totable()) do
            counts[label] = (counts[label] or 0) + 1
        end
        assert.same({ 143, 146, 142, 146, 144, 145, 144, 143, 141, 143 }, counts)
        counts = {}
        for _, label in ipairs(digits.test.y:totable()) do
            counts[label] = (counts[label] or 0) + 1
        end
        assert.same({ 35, 36, 35, 37, 37, 37, 37, 36, 33, 37 }, counts)
        -- 561,718 is the sum of all pixels of digits.csv.gz.
        assert.equal(561718, digits.train.x:sum():item() + digits.test.x:sum():item())
    end)

    it("comes as float64 too, and says what it does not do", function()
        assert.equal("float64", data.digits({ dtype = "float64" }).test.x:dtype())
        assert.equal("bad argument #1 to 'digits' (dtype: 'float32' or 'float64' expected, got 'int64')",
            message_of(data.digits, { dtype = "int64" }))
        assert.equal("bad argument #1 to 'digits' (unknown option 'falt'; did you mean 'flat'?)",
            message_of(data.digits, { falt = true }))
        assert.equal("no 'digit' in rille.data; did you mean 'digits'?", message_of(function() return data.digit end))
    end)

    it("names the folders where the files are missing, and listens to RILLE_DATA", function()
        local said = run("RILLE_DATA=/nonexistent/folder", 'require("rille.data").digits()')
        assert.is_truthy(said:find("digits: no file 'digits-images-idx3-ubyte' in /nonexistent/folder "
            .. "(RILLE_DATA names another folder)", 1, true), said)
        said = run("RILLE_DATA=scripts/data", 'print(require("rille.data").digits().train.x:size(1))')
        assert.equal("1437\n", said)
    end)
end)

describe("data.batches", function()
    local x = rille.arange(1, 10):reshape(10, 1)
    local y = rille.arange(1, 10, { dtype = "int64" })

    local function collect(size, options)
        local seen, sizes = {}, {}
        for xb, yb, i in data.batches(x, y, size, options) do
            assert.equal(#sizes + 1, i)
            sizes[i] = xb:size(1)
            assert.same(xb:reshape(xb:size(1)):to("int64"):totable(), yb:totable())
            for _, label in ipairs(yb:totable()) do
                seen[#seen + 1] = label
            end
        end
        return seen, sizes
    end

    it("go through all rows once, in order", function()
        local seen, sizes = collect(4)
        assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, seen)
        assert.same({ 4, 4, 2 }, sizes)
        seen, sizes = collect(4, { drop_last = true })
        assert.same({ 1, 2, 3, 4, 5, 6, 7, 8 }, seen)
        assert.same({ 4, 4 }, sizes)
        assert.same({ 10 }, select(2, collect(100)))
    end)

    it("are shuffled by a seed of their own", function()
        rille.manual_seed(1)
        local expected = rille.rand(3):totable()
        rille.manual_seed(1)
        local first = collect(3, { shuffle = 17 })
        assert.same(expected, rille.rand(3):totable())
        assert.same(first, (collect(3, { shuffle = 17 })))
        assert.are_not.same(first, (collect(3, { shuffle = 18 })))
        assert.are_not.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, first)
        table.sort(first)
        assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, first)
    end)

    it("are shuffled evenly", function()
        local first = {}
        for seed = 1, 3000 do
            local _, yb = data.batches(x, y, 1, { shuffle = seed })()
            first[yb[1]] = (first[yb[1]] or 0) + 1
        end
        local chi_squared = 0
        for value = 1, 10 do
            chi_squared = chi_squared + (first[value] - 300) ^ 2 / 300
        end
        assert.is_true(chi_squared < 27.88) -- 9 degrees of freedom, p = 0.001
    end)

    it("are shuffled from rille's stream with true", function()
        rille.manual_seed(2)
        local first = collect(3, { shuffle = true })
        rille.manual_seed(2)
        assert.same(first, (collect(3, { shuffle = true })))
        table.sort(first)
        assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, first)
    end)

    it("say what does not fit", function()
        assert.equal("bad argument #2 to 'batches' (x has 10 rows, y has 9)",
            message_of(data.batches, x, y:narrow(1, 1, 9), 2))
        assert.equal("bad argument #3 to 'batches' (size: positive integer expected, got 0)",
            message_of(data.batches, x, y, 0))
        assert.equal("bad argument #1 to 'batches' (tensor [n, ...] expected, got nil)", message_of(data.batches))
        assert.equal("bad argument #2 to 'batches' (tensor [n, ...] expected, got a scalar tensor)",
            message_of(data.batches, x, rille.tensor(1), 2))
        assert.equal("bad argument #4 to 'batches' (shuffle: integer seed expected, got 1.5)",
            message_of(data.batches, x, y, 2, { shuffle = 1.5 }))
    end)
end)
