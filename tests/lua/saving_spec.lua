local rille = require "rille"
local nn = require "rille.nn"

local path = os.tmpname()

local function message_of(f, ...)
    local ok, message = pcall(f, ...)
    assert.is_false(ok, "an error was expected")
    return (tostring(message):gsub("^[^:]+:%d+: ", ""):gsub(path, "FILE", 1))
end

local function write(bytes)
    local file = assert(io.open(path, "wb"))
    file:write(bytes)
    file:close()
end

local function read()
    local file = assert(io.open(path, "rb"))
    local bytes = file:read("a")
    file:close()
    return bytes
end

local function safetensors(header, elements)
    write(string.pack("<s8", header) .. (elements or ""))
end

-- The same keys, tensors with the same elements, the same numbers to the bit.
local function assert_same(expected, found, at)
    at = at or "it"
    if type(expected) == "table" then
        assert.equal("table", type(found), at)
        for key in pairs(found) do
            assert.is_not_nil(expected[key], at .. "." .. tostring(key))
        end
        for key, value in pairs(expected) do
            assert_same(value, found[key], at .. "." .. tostring(key))
        end
    elseif type(expected) == "userdata" then
        assert.equal(expected:dtype(), found:dtype(), at)
        assert.same(expected:shape(), found:shape(), at)
        assert.same(expected:totable(), found:totable(), at)
    elseif math.type(expected) == "float" then
        assert.equal("float", math.type(found), at)
        assert.equal(string.pack("d", expected), string.pack("d", found), at)
    else
        assert.equal(math.type(expected), math.type(found), at)
        assert.equal(expected, found, at)
    end
end

describe("rille.save and rille.load", function()
    after_each(function() os.remove(path) end)

    it("keep a net's state, and texts beside it", function()
        local function make()
            return nn.Sequential { nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2) }
        end
        local net, other = make(), make()
        rille.save(path, net:state(), { author = "me" })
        local state, metadata = rille.load(path)
        assert.same({ author = "me" }, metadata)
        other:load_state(state)
        assert_same(net:state(), other:state())
        assert.is_nil(read():find("rille", 1, true)) -- a plain file, as others write it
    end)

    it("keep nested tables of anything that is no program", function()
        local t = {
            net = { ["1.weight"] = rille.randn(2, 3), ["1.bias"] = rille.tensor({ 1, 2 }, { dtype = "float64" }) },
            optimizer = { groups = { { lr = 0.1, momentum = 0.0, nesterov = false }, { lr = 1e-300 } },
                state = { { exp_avg = rille.zeros(0, 2) } } },
            step = 12, least = math.mininteger, most = math.maxinteger, third = 1 / 3, zero = -0.0, large = 1e300,
            infinity = math.huge, name = "a\0\"\\x41\n\xff\u{e9}", empty = {}, inside = { { {} } }, yes = true, text = "",
            ["odd/key\\"] = { ["#1"] = 1, [1] = 2, [-7] = rille.tensor { true, false }, ["1"] = 3, ["\u{e9}"] = 4 },
        }
        rille.save(path, t, { note = "\u{e9}" })
        local loaded, metadata = rille.load(path)
        assert_same(t, loaded)
        assert.same({ note = "\u{e9}" }, metadata)
        rille.save(path, { x = 0 / 0 })
        local x = rille.load(path).x
        assert.is_true(x ~= x)
    end)

    it("write the same file for the same table", function()
        local function fill(...)
            local t = {}
            for _, key in ipairs { ... } do
                t[key] = rille.full({ 2 }, #key)
            end
            return t
        end
        rille.save(path, fill("a", "bb", "ccc", "dddd", "e"))
        local first = read()
        rille.save(path, fill("e", "dddd", "ccc", "bb", "a"))
        assert.equal(first, read())
    end)

    it("read what others have written", function()
        safetensors('{"a/b":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"__metadata__":{"format":"pt"}}',
            "\0\x3c\0\xc0")
        local t, metadata = rille.load(path)
        assert_same({ ["a/b"] = rille.tensor { 1, -2 } }, t)
        assert.same({ format = "pt" }, metadata)
    end)

    it("say what cannot be saved", function()
        local function refused(...)
            return message_of(rille.save, ...)
        end
        local circle = {}
        circle.circle = circle
        assert.equal("bad argument #1 to 'save' (path expected, got number)", refused(5, {}))
        assert.equal("bad argument #2 to 'save' (table of tensors expected, got tensor)", refused(path, rille.ones(1)))
        assert.equal("bad argument #2 to 'save' (table of tensors expected, got Linear: save its state())",
            refused(path, nn.Linear(1, 1)))
        assert.equal("bad argument #2 to 'save' ('net' is a Linear, not a plain table: save its state())",
            refused(path, { net = nn.Linear(1, 1) }))
        assert.equal("bad argument #2 to 'save' ('f/#1' is a function; tensors, numbers, strings, booleans and tables of them "
            .. "can be saved)", refused(path, { f = { print } }))
        assert.equal("bad argument #2 to 'save' (the table has a key that is a float; keys are strings and integers)",
            refused(path, { [1.5] = 1 }))
        assert.is_truthy(refused(path, circle):find("tables more than 100 deep, or one that holds itself, at circle/", 1, true))
        assert.equal("bad argument #3 to 'save' ('n': texts by name expected, got number)", refused(path, {}, { n = 1 }))
        assert.equal("bad argument #3 to 'save' ('rille:x': names that begin with 'rille' are taken)",
            refused(path, {}, { ["rille:x"] = "1" }))
        assert.equal("write_safetensors: cannot write '/nowhere/x': No such file or directory", refused("/nowhere/x", {}))
    end)

    it("say what cannot be loaded, and execute nothing", function()
        local function refused(metadata, tensors)
            safetensors(('{"__metadata__":{"rille":"nested 1",%s}%s}'):format(metadata, tensors or ""), "\0")
            return message_of(rille.load, path)
        end
        local byte = ',"%s":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}'
        assert.equal("bad argument #1 to 'load' (path expected, got nil)", message_of(rille.load))
        assert.equal("load: FILE: 'f' is no number, string or boolean: os.exit()",
            refused('"rille:f":"os.exit()"', byte:format("x")))
        assert.equal("load: FILE: 'f' is no number, string or boolean: 0x10",
            refused('"rille:f":"0x10"', byte:format("x")))
        assert.equal("load: FILE: 'a' does not fit the names before it (tensors)",
            refused('"rille:a":"1"', byte:format("a")))
        assert.equal("load: FILE: 'a/b' does not fit the names before it (tensors)",
            refused('"rille:a":"1"', byte:format("a/b")))
        safetensors('{"__metadata__":{"rille":"nested 2"}}')
        assert.equal("load: FILE: written by a later Rille ('nested 2')", message_of(rille.load, path))
        write("hello")
        assert.equal("read_safetensors: FILE: it ends where 3 more bytes are due (byte 5)", message_of(rille.load, path))
    end)
end)

describe("NumPy's files", function()
    local arrays = { x = rille.randn(3, 4), n = rille.tensor({ { 1, -2 } }, { dtype = "int64" }),
        b = rille.tensor { true, false }, u = rille.full({ 2 }, 200, { dtype = "uint8" }),
        d = rille.tensor(1 / 3, { dtype = "float64" }), e = rille.zeros(0, 2) }

    after_each(function() os.remove(path) end)

    it("come back as they were", function()
        rille.save_npy(path, arrays.x:t())
        assert_same(arrays.x:t(), rille.load_npy(path))
        for _, compressed in ipairs { true, false } do
            rille.save_npz(path, arrays, { compressed = compressed })
            assert_same(arrays, rille.load_npz(path))
        end
    end)

    it("say what is wrong", function()
        assert.equal("bad argument #2 to 'save_npz' (table of tensors expected, got nil)", message_of(rille.save_npz, path))
        assert.equal("bad argument #2 to 'save_npz' ('x': tensor expected, got number)",
            message_of(rille.save_npz, path, { x = 1 }))
        assert.equal("bad argument #2 to 'save_npz' (names are strings, got a number)",
            message_of(rille.save_npz, path, { rille.ones(1) }))
        assert.equal("bad argument #2 to 'save_npz' (a name contains no zero byte)",
            message_of(rille.save_npz, path, { ["\0"] = rille.ones(1) }))
        assert.equal("bad argument #3 to 'save_npz' (no option 'compress'; did you mean 'compressed'?)",
            message_of(rille.save_npz, path, arrays, { compress = true }))
        assert.equal("bad argument #1 to 'load_npz' (path expected, got no value)", message_of(rille.load_npz))
        write("PK")
        assert.equal("read_npz: FILE: not an .npz file: Not a zip archive", message_of(rille.load_npz, path))
    end)

    it("are NumPy's, where it is installed", function()
        local function python(program)
            local pipe = assert(io.popen(("/usr/bin/python3 -c '%s' %s 2>/dev/null"):format(program, path)))
            local said = pipe:read("a")
            pipe:close()
            return said
        end
        if python("import numpy; print(numpy.__name__)") ~= "numpy\n" then
            return pending("python3-numpy is not installed")
        end
        rille.save_npz(path, arrays, { compressed = true })
        assert.equal("b bool (2,) [True, False]\nd float64 () 0.3333333333333333\ne float32 (0, 2) []\n"
            .. "n int64 (1, 2) [[1, -2]]\nu uint8 (2,) [200, 200]\n", python([=[
import numpy, sys
z = numpy.load(sys.argv[1])
[print(k, z[k].dtype, z[k].shape, z[k].tolist()) for k in z if k != "x"] ]=]))
        python([=[
import numpy, sys
f = open(sys.argv[1], "wb")
numpy.savez_compressed(f, h = numpy.array([1, 2.5], ">f2"), f = numpy.asfortranarray([[1., 2], [3, 4]]),
    i = numpy.int32(-5)) ]=])
        assert_same({ h = rille.tensor { 1, 2.5 }, f = rille.tensor({ { 1, 2 }, { 3, 4 } }, { dtype = "float64" }),
            i = rille.tensor(-5, { dtype = "int64" }) }, rille.load_npz(path))
    end)
end)
