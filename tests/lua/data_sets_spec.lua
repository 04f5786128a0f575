-- Sets that are read from files and sets that are computed; parts of sets, and their normalisation.
local rille = require "rille"
local data = require "rille.data"

local folder

local function message_of(f, ...)
    local ok, message = pcall(f, ...)
    assert.is_false(ok, "an error was expected")
    return (tostring(message):gsub("^[^:]+:%d+: ", ""):gsub(folder:gsub("%p", "%%%0"), "FOLDER"))
end

local function write(name, ...)
    local path = folder .. "/" .. name
    local file = assert(io.open(path, "wb"))
    for _, bytes in ipairs { ... } do
        file:write(bytes)
    end
    file:close()
    return path
end

before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
end)

after_each(function() os.execute("rm -r " .. folder) end)

-- Elements where 0/0 is "nan", to be compared.
local function values(t)
    local list = t:totable()
    local function shown(value)
        if type(value) == "table" then
            for i, inner in ipairs(value) do
                value[i] = shown(inner)
            end
            return value
        end
        return value ~= value and "nan" or value
    end
    return shown(list)
end

describe("data.mnist, fashion_mnist and cifar10", function()
    local function idx(part, n, label)
        write(part .. "-images-idx3-ubyte", "\0\0\8\3", string.pack(">I4I4I4", n, 2, 3), ("\0\51\255"):rep(2 * n))
        write(part .. "-labels-idx1-ubyte", "\0\0\8\1", string.pack(">I4", n), string.char(label):rep(n))
    end

    it("read IDX files, gzipped or not", function()
        idx("train", 3, 7)
        idx("t10k", 2, 9)
        os.execute(("gzip %s/train-images-idx3-ubyte"):format(folder))
        local set = data.mnist(folder)
        assert.same({ 3, 6 }, set.train.x:shape())
        assert.same({ 2, 3 }, set.shape)
        assert.same({ 8, 8, 8 }, set.train.y:totable())
        assert.same({ 10, 10 }, set.test.y:totable())
        assert.equal(rille.tensor { 0.2 }[1], set.train.x[1][2])
        set = data.fashion_mnist(folder, { flat = false, scale = false, dtype = "float64" })
        assert.same({ { 0, 51, 255 }, { 0, 51, 255 } }, set.test.x[1]:totable())
        assert.equal("Ankle boot", set.names[set.test.y[1]])
    end)

    it("say what does not fit", function()
        assert.equal("mnist: no file 'train-images-idx3-ubyte' or 'train-images-idx3-ubyte.gz' or 'train-images.idx3-ubyte' or "
            .. "'train-images.idx3-ubyte.gz' in FOLDER", message_of(data.mnist, folder))
        assert.equal("bad argument #1 to 'mnist' (folder expected, got nil)", message_of(data.mnist))
        idx("train", 3, 10)
        assert.equal("mnist: FOLDER/train-labels-idx1-ubyte: a label of 10; they are 0 ... 9", message_of(data.mnist, folder))
        write("train-labels-idx1-ubyte", "\0\0\8\1\0\0\0\1\1")
        assert.equal("mnist: FOLDER/train-labels-idx1-ubyte: 1 labels for 3 images", message_of(data.mnist, folder))
        write("train-labels-idx1-ubyte", "\0\0\8\2\0\0\0\1\0\0\0\1\1")
        assert.equal("mnist: FOLDER/train-labels-idx1-ubyte: labels of shape [1, 1]; rank 1 expected",
            message_of(data.mnist, folder))
    end)

    it("are ordinary files: nothing waits for a pipe", function()
        assert(os.execute(("cd %s && mkfifo data_batch_1.bin"):format(folder)))
        assert.equal("cifar10: no file 'data_batch_1.bin' in FOLDER", message_of(data.cifar10, folder))
    end)

    it("read CIFAR-10's records", function()
        for i = 1, 5 do
            write(("data_batch_%d.bin"):format(i), string.char(i), ("\255"):rep(1024), ("\0"):rep(1024), ("\51"):rep(1024))
        end
        write("test_batch.bin", ("\9" .. ("\1"):rep(3072)):rep(2))
        local set = data.cifar10(folder, { scale = false })
        assert.same({ 5, 3, 32, 32 }, set.train.x:shape())
        assert.same({ 2, 3, 4, 5, 6 }, set.train.y:totable())
        assert.same({ 255, 0, 51 }, set.train.x:select(4, 1):select(3, 1)[5]:totable())
        assert.equal("truck", set.names[set.test.y[2]])
        write("test_batch.bin", "\9" .. ("\1"):rep(3071))
        assert.equal("read_records: FOLDER/test_batch.bin: 3072 bytes are no whole number of records of 3073 (byte 3072)",
            message_of(data.cifar10, folder))
    end)
end)

describe("data.csv", function()
    it("knows header, quotes, types and missing values", function()
        local path = write("t.csv",
            "\u{feff}a,\"b \"\"x\"\"\",c,kind\r\n1,2.5,NA,cat\r\n\r\n -1e3 ,+4,,\"do,\ng\"\r\n.5,inf,?,cat")
        local t = data.csv(path)
        assert.same({ "a", 'b "x"', "c" }, t.names)
        assert.equal(3, t.rows)
        assert.same({ { 1, 2.5, "nan" }, { -1000, 4, "nan" }, { 0.5, math.huge, "nan" } }, values(t.x))
        assert.same({ kind = { "cat", "do,\ng", "cat" } }, t.text)
        t = data.csv(path, { target = "kind", dtype = "float64" })
        assert.same({ "cat", "do,\ng" }, t.classes)
        assert.same({ 1, 2, 1 }, t.y:totable())
        assert.same({}, t.text)
        assert.equal("float64", t.x:dtype())
        t = data.csv(path, { missing = { "" } })
        assert.same({ "NA", "", "?" }, t.text.c)
        t = data.csv(write("t.csv", "a\n-999\n3"), { missing = { "-999" } })
        assert.same({ { "nan" }, { 3 } }, values(t.x))
    end)

    it("makes targets of numbers or classes of them", function()
        local path = write("t.csv", "10;1\n9;2\n10;3\n")
        local t = data.csv(path, { header = false, separator = ";", target = "1" })
        assert.same({ 10, 9, 10 }, t.y:totable())
        assert.same({ "2" }, t.names)
        t = data.csv(path, { header = false, separator = ";", target = "1", classes = true })
        assert.same({ 9, 10 }, t.classes)
        assert.same({ 2, 1, 2 }, t.y:totable())
    end)

    it("takes quotes, separators and decimal numbers as they are meant", function()
        local t = data.csv(write("t.csv", '"a"|"b%"|c|d\r"1"|2|""|0x1\n"x|""y"""|+.5|-Inf| 1 \n||1e2|\n'), { separator = "|" })
        assert.same({ "b%", "c" }, t.names) -- d holds hexadecimal digits, which are no decimal number
        assert.same({ { 2, "nan" }, { 0.5, -math.huge }, { "nan", 100 } }, values(t.x))
        assert.same({ a = { "1", 'x|"y"', "" }, d = { "0x1", " 1 ", "" } }, t.text)
        for _, separator in ipairs { "%", "^", "]", "-", "a", "\t", "." } do
            t = data.csv(write("t.csv", (("b;c\n1;2"):gsub(";", { [";"] = separator }))), { separator = separator })
            assert.same({ { 1, 2 } }, t.x:totable())
        end
        assert.same({ 1, 0 }, data.csv(write("t.csv", "word\nx")).x:shape())
    end)

    it("reads or refuses anything", function()
        local pieces, read, refused = { "a", "1", "-2.5", ",", ",", "\n", "\n", "\r\n", '"', '""', " ", "\xff", "NA" }, 0, 0
        local draw = require "rille.data.stream"(3)
        for _ = 1, 500 do
            local content = {}
            for i = 1, 1 + draw.below(10) do
                content[i] = pieces[1 + draw.below(#pieces)]
            end
            local ok, t = pcall(data.csv, write("t.csv", table.concat(content)))
            if ok then
                read = read + 1
                assert.same({ t.rows, #t.names }, t.x:shape())
            else
                refused = refused + 1
                assert.is_truthy(t:find("csv: " .. folder .. "/t.csv: ", 1, true), t)
            end
        end
        assert.is_true(read > 50 and refused > 50, ("%d read, %d refused"):format(read, refused))
    end)

    it("says what is wrong, and where", function()
        local function refused(content, options)
            return message_of(data.csv, write("t.csv", content), options)
        end
        assert.equal("csv: FOLDER/t.csv: 1 cell, the first row has 2 (line 2, byte 5)", refused("a,b\n1\n"))
        assert.equal("csv: FOLDER/t.csv: 3 cells, the first row has 2 (line 2, byte 9)", refused("a,b\n1,2,3\n"))
        assert.equal("csv: FOLDER/t.csv: 1 cell, the first row has 2 (line 3, byte 9)", refused('a,b\n"1\n2"'))
        assert.equal("csv: FOLDER/t.csv: a quote that is not closed (line 2, byte 2)", refused('a\n"x'))
        assert.equal("csv: FOLDER/t.csv: text behind a closing quote (line 2, byte 5)", refused('a\n"x"y'))
        assert.equal("csv: FOLDER/t.csv: a zero byte: this is no text (line 2, byte 2)", refused("a\n\0"))
        assert.equal("csv: FOLDER/t.csv: no rows", refused(""))
        assert.equal("csv: FOLDER/t.csv: no rows", refused("a,b\n"))
        assert.equal("csv: FOLDER/t.csv: two columns are called 'a'", refused("a,a\n1,2"))
        for _, content in ipairs { "a,b\nNA,2", "a,b\n1,2\n,3", "a,b\nx,2\nNA,3" } do -- as classes, numbers and words
            assert.equal("csv: FOLDER/t.csv: the target 'a' has missing values",
                refused(content, { target = "a", classes = content:find("^a,b\nNA") ~= nil }))
        end
        assert.equal("bad argument #2 to 'csv' (no column 'kin' in FOLDER/t.csv; did you mean 'kind'?)",
            refused("a,kind\n1,2", { target = "kin" }))
        assert.equal("bad argument #2 to 'csv' (separator: one character expected, got \",,\")",
            refused("a\n1", { separator = ",," }))
        assert.equal("csv: FOLDER: Is a directory", message_of(data.csv, folder))
        assert.equal("csv: /dev/null: not an ordinary file, whose size is known", message_of(data.csv, "/dev/null"))
        assert(os.execute("mkfifo " .. folder .. "/pipe")) -- nobody writes to it
        assert.equal("csv: FOLDER/pipe: not an ordinary file, whose size is known", message_of(data.csv, folder .. "/pipe"))
        assert.equal("csv: FOLDER/none: No such file or directory", message_of(data.csv, folder .. "/none"))
        assert.equal("bad argument #1 to 'csv' (path expected, got nil)", message_of(data.csv))
    end)
end)

describe("computed sets", function()
    it("are the same for the same seed, and take nothing from rille's stream", function()
        for name, make in pairs {
            spirals = function(seed) return data.spirals(50, { seed = seed }) end,
            teacher = function(seed) return data.teacher(20, { seed = seed, noise = 0.1 }) end,
            adding = function(seed) return data.adding(20, 10, { seed = seed }) end,
            copying = function(seed) return data.copying(20, 10, { seed = seed }) end,
        } do
            rille.manual_seed(1)
            local expected = rille.rand(3):totable()
            rille.manual_seed(1)
            local x, y = make(3)
            local x_again, y_again = make(3)
            assert.same(x:totable(), x_again:totable(), name)
            assert.same(y:totable(), y_again:totable(), name)
            assert.are_not.same(x:totable(), make(4):totable(), name)
            if name ~= "teacher" then -- whose net is a module, made as any other
                assert.same(expected, rille.rand(3):totable(), name)
            end
        end
    end)

    it("are spirals", function()
        local x, y = data.spirals(300, { classes = 3, noise = 0, turns = 1.5, dtype = "float64" })
        for i = 1, 300 do
            local class, r = (i - 1) % 3, math.sqrt(x[i][1] ^ 2 + x[i][2] ^ 2)
            local angle = 2 * math.pi * (1.5 * r + class / 3)
            assert.equal(class + 1, y[i])
            assert.is_true(r < 1 and math.abs(x[i][1] - r * math.cos(angle)) < 1e-9)
        end
    end)

    it("are what a teacher says", function()
        local x, y, teacher = data.teacher(2000, { inputs = 4, hidden = 50, outputs = 2, activation = "relu" })
        assert.same({ 2000, 2 }, y:shape())
        assert.same(y:totable(), rille.no_grad(function() return teacher(x) end):totable())
        local weight = teacher[1].weight
        assert.is_true(math.abs(rille.measure(weight).std - 0.5) < 0.08) -- 1 / sqrt(4), of 200 numbers
        assert.is_true(math.abs(rille.measure(x).mean) < 0.05 and math.abs(rille.measure(x).std - 1) < 0.05)
    end)

    it("are the adding and the copying problem", function()
        local x, y = data.adding(400, 9, { dtype = "float64" })
        assert.same({ 400, 9, 2 }, x:shape())
        local marks = x:select(3, 2)
        assert.same({ 1 }, { marks:narrow(2, 1, 4):sum(2):amin():item() }) -- one in the first half
        assert.same({ 1 }, { marks:narrow(2, 5, 5):sum(2):amax():item() })
        assert.equal(2, marks:sum(2):amin():item())
        assert.same((x:select(3, 1) * marks):sum(2):totable(), y:select(2, 1):totable())
        assert.is_true(math.abs(((y - 1) ^ 2):mean():item() - 1 / 6) < 0.03)
        x, y = data.copying(2, 5, { symbols = 4, length = 3 })
        assert.same({ 2, 11 }, x:shape())
        local first = x[1]:totable()
        assert.same({ 5, 5, 5, 5, 6, 5, 5, 5 }, { table.unpack(first, 4) })
        assert.same({ 5, 5, 5, 5, 5, 5, 5, 5, first[1], first[2], first[3] }, y[1]:totable())
        assert.is_true(x:amax():item() == 6 and x:narrow(2, 1, 3):amax():item() <= 4 and x:amin():item() >= 1)
    end)

    it("say what they do not do", function()
        assert.equal("bad argument #2 to 'spirals' (seed: integer expected, got 1.5)",
            message_of(data.spirals, 3, { seed = 1.5 }))
        assert.equal("bad argument #2 to 'adding' (steps: 2 or more expected, got 1)", message_of(data.adding, 3, 1))
        assert.equal("bad argument #1 to 'copying' (sequences: positive integer expected, got 0)",
            message_of(data.copying, 0, 1))
    end)
end)

describe("data.split", function()
    local x, y = rille.arange(1, 10):reshape(10, 1), rille.arange(1, 10, { dtype = "int64" })

    it("parts a set, in order or by a seed", function()
        local first, second = data.split(x, y, 0.68)
        assert.same({ 1, 2, 3, 4, 5, 6, 7 }, first.y:totable())
        assert.same({ { 8 }, { 9 }, { 10 } }, second.x:totable())
        first, second = data.split(x, y, 0.7, { seed = 5 })
        local all = rille.cat({ first.y, second.y }, 1):totable()
        assert.same(rille.cat({ first.x, second.x }, 1):select(2, 1):to("int64"):totable(), all)
        assert.are_not.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, all)
        table.sort(all)
        assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, all)
        assert.equal(0, (data.split(x, y, 0)).y:numel())
    end)

    it("says what does not fit", function()
        assert.equal("bad argument #3 to 'split' (fraction: number in 0 ... 1 expected, got 1.5)",
            message_of(data.split, x, y, 1.5))
        assert.equal("bad argument #2 to 'split' (x has 10 rows, y has 3)", message_of(data.split, x, y:narrow(1, 1, 3), 1))
        assert.equal("bad argument #4 to 'split' (seed: integer expected, got 0.5)",
            message_of(data.split, x, y, 1, { seed = 0.5 }))
    end)
end)

describe("data.normalize", function()
    it("takes mean and deviation from rows, and gives them to others", function()
        local x, statistics = data.normalize(rille.tensor { { 1, 5 }, { 3, 5 } })
        assert.same({ { -1, 0 }, { 1, 0 } }, x:totable())
        assert.same({ { 2, 5 } }, statistics.mean:totable())
        assert.same({ { 1, 0 } }, statistics.std:totable())
        assert.same({ { 3, -1 } }, data.normalize(rille.tensor { { 5, 4 } }, statistics):totable())
    end)

    it("goes over channels or everything", function()
        local x = rille.randn(20, 3, 4) * rille.tensor { 1, 2, 3 }:reshape(1, 3, 1) + 5
        local channels = data.normalize(x, { per = "channel" })
        for c = 1, 3 do
            local s = rille.measure(channels:select(2, c))
            assert.is_true(math.abs(s.mean) < 1e-5 and math.abs(s.std - 1) < 1e-5)
        end
        local s = rille.measure((data.normalize(x, { per = "all" })))
        assert.is_true(math.abs(s.mean) < 1e-5 and math.abs(s.std - 1) < 1e-5)
        assert.is_true(rille.measure(data.normalize(x, { per = "all" }):select(2, 1)).std < 0.9)
    end)

    it("says what does not fit", function()
        assert.equal("bad argument #1 to 'normalize' (float32 or float64 expected, got int64)",
            message_of(data.normalize, rille.tensor({ 1 }, { dtype = "int64" })))
        assert.equal("bad argument #2 to 'normalize' (per: 'feature', 'channel' or 'all' expected, got 'row')",
            message_of(data.normalize, rille.ones(2, 2), { per = "row" }))
        assert.equal("bad argument #2 to 'normalize' (mean and std go together)",
            message_of(data.normalize, rille.ones(2, 2), { mean = rille.ones(1) }))
    end)
end)
