local files = require "rille.files"
local text = require "rille.text"

local function log10(x)
    return math.log(x, 10)
end

describe("rille.text", function()
    it("writes powers of ten, also those that no double holds", function()
        for x, expected in pairs {
            [0.012] = "0.012", [0.1] = "0.10", [0.0999] = "0.10", [0.34] = "0.34", [1] = "1.0", [4.04] = "4.0", [9.96] = "10",
            [12.3] = "12", [234] = "234", [9999] = "9999", [12345] = "1.2e+04", [0.0099] = "9.9e-03", [9.99e-5] = "1.0e-04",
            [3.2e-30] = "3.2e-30",
        } do
            assert.equal(expected, text.power(log10(x)))
        end
        assert.equal("6.3e-461", text.power(-460.2))
        assert.equal("1.0e+500", text.power(500))
        assert.equal("0", text.power(-math.huge))
        assert.equal("inf", text.power(math.huge))
        assert.equal("nan", text.power(0 / 0))
        assert.equal("-", text.power(nil))
    end)

    it("writes ratios", function()
        for x, expected in pairs {
            [1 / 5812] = "1/5800", [1 / 21.3] = "1/21", [0.0999] = "1/10", [0.1] = "0.10", [0.45] = "0.45", [1] = "1.0",
            [3.94] = "3.9", [12.4] = "12", [234] = "230", [5812] = "5800", [123456] = "120000", [1e-7] = "1.0e-07",
        } do
            assert.equal(expected, text.ratio(log10(x)))
        end
        assert.equal("0", text.ratio(-math.huge))
        assert.equal("nan", text.ratio(0 / 0))
        assert.equal("-", text.ratio(nil))
    end)

    it("writes shares, counts and numbers", function()
        for x, expected in pairs { [0] = "0 %", [0.004] = "< 1 %", [0.71] = "71 %", [0.996] = "> 99 %", [1] = "100 %" } do
            assert.equal(expected, text.share(x))
        end
        assert.equal("65,290", text.count(65290))
        assert.equal("1,000,000", text.count(1000000))
        assert.equal("999", text.count(999))
        assert.equal("-123,456", text.count(-123456))
        assert.equal("0.0123", text.number(0.01234))
        assert.equal("nan", text.number(0 / 0))
        assert.equal("-", text.number(nil))
    end)

    it("aligns tables and breaks paragraphs", function()
        assert.equal(table.concat({ "name    n", "tanh    1", "∂L/∂W  20", "across", "x" }, "\n"),
            text.table({ "<name", "n" }, { { "tanh", "1" }, { "∂L/∂W", "20" }, "across", { "x" } }))
        assert.equal("one two\nthree\nfourfivesix", text.wrap("one two  three\nfourfivesix", 8))
    end)
end)

describe("rille.files", function()
    it("writes whole files, and leaves nothing else", function()
        local path = os.tmpname()
        assert.equal(path, files.write(path, "abc\0def"))
        local file = assert(io.open(path, "rb"))
        assert.equal("abc\0def", file:read("a"))
        file:close()
        os.remove(path)
        assert.equal("'it'\\''s'", files.quote("it's"))
    end)

    it("writes to a pipe or a device instead of putting a file in its place", function()
        local folder = os.tmpname()
        os.remove(folder)
        files.make_folder(folder)
        local pipe = folder .. "/pipe"
        os.execute(("mkfifo %s; cat %s > %s/read &"):format(pipe, pipe, folder))
        assert.equal(pipe, files.write(pipe, "page"))
        assert.is_true(os.execute(("test -p %s"):format(pipe)))
        assert.is_true(os.execute(("sleep 0.1; test \"$(cat %s/read)\" = page"):format(folder)))
        os.execute("ln -s /dev/full " .. folder .. "/full")
        local ok, message = pcall(files.write, folder .. "/full", "page")
        assert.is_false(ok)
        assert.matches("No space left on device", message)
        assert.is_true(os.execute(("test -h %s/full"):format(folder)))
        os.execute("rm -rf " .. folder)
    end)

    it("follows a link, and says where it cannot write", function()
        local folder = os.tmpname()
        os.remove(folder)
        assert.is_true(files.make_folder(folder .. "/a b/c"))
        local path = folder .. "/a b/c/x"
        files.write(path, "good")
        os.execute(("ln -s %s %s/link"):format(files.quote(path), folder))
        files.write(folder .. "/link", "better")
        assert.is_true(os.execute(("test -h %s/link"):format(folder)))
        local file = assert(io.open(path, "rb"))
        assert.equal("better", file:read("a"))
        file:close()
        local ok, message = pcall(files.write, folder .. "/none/x", "page")
        assert.is_false(ok)
        assert.is_truthy(message:find(("cannot write '%s/none/x': No such file or directory"):format(folder), 1, true), message)
        os.execute("rm -rf " .. files.quote(folder))
    end)

    it("says why a folder cannot be made", function()
        local made, why = files.make_folder("/proc/nothing/here")
        assert.is_nil(made)
        assert.matches("mkdir", why)
    end)
end)
