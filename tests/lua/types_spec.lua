-- Annotations for the Lua language server, held against what the modules really export.

local rille = require "rille"
local nn = require "rille.nn"
local support = require "support"

local folder = os.tmpname()
os.remove(folder)

local function annotations(name)
    return support.read(("%s/%s.lua"):format(folder, name))
end

-- The string keys of a table, as a set.
local function names_of(t)
    local set = {}
    for key in pairs(t) do
        set[key] = type(key) == "string" or nil
    end
    return set
end

describe("bindings/types.lua", function()
    setup(function()
        local said, ended = support.run("lua5.4 bindings/types.lua " .. folder)
        assert(ended, said)
        assert.equal("", said)
    end)
    teardown(function()
        os.execute("rm -rf " .. folder)
    end)

    it("declares what a module exports, nothing else, in files that Lua takes", function()
        local modules = { rille = rille, ["nn.init"] = nn.init }
        for _, name in ipairs { "nn", "optim", "train", "data", "flow", "plot", "report" } do
            modules[name] = require("rille." .. name)
        end
        for name, module in pairs(modules) do
            local declared = assert(loadfile(("%s/%s.lua"):format(folder, name)))()
            assert.same(names_of(module), names_of(declared), name)
            for key, value in pairs(declared) do
                assert.equal(type(module[key]), type(value), name .. "." .. key)
            end
        end
    end)

    it("declares every method of a tensor that there is", function()
        local x, count = rille.zeros(1), 0
        for name in annotations("rille"):gmatch("\nfunction Tensor:([%w_]+)%(") do
            assert.equal("function", type(x[name]), name)
            count = count + 1
        end
        assert.is_true(count > 150, count)
        for _, name in ipairs { "narrow", "backward", "register_hook", "tanh", "totable", "item" } do
            assert.is_truthy(annotations("rille"):find(("\nfunction Tensor:%s("):format(name), 1, true), name)
        end
    end)

    it("says what the sources say", function()
        for name, lines in pairs {
            rille = { "--- t:narrow(dim, start, length)\nfunction Tensor:narrow(dim, start, length) end",
                "--- t:narrow(dim, start, length)\nfunction rille.narrow(t, dim, start, length) end",
                "--- f(x) = " .. rille.activations.softsign.formula .. "\nfunction rille.softsign(x, ...) end" },
            nn = { "--- nn.Flatten(): [n, ...] -> [n, product of the rest].\n---@class nn.Flatten: nn.Module",
                "function nn.Module:load_state(source, options) end", "function nn.Module:extend(name) end" },
            optim = { "--- optim.ExponentialLR(optimizer, { gamma= }): lr gamma^t\n"
                .. "function optim.ExponentialLR(optimizer, options) end" },
            flow = { "\nfunction flow.theory(activation, options) end" },
        } do
            for _, line in ipairs(lines) do
                assert.is_truthy(annotations(name):find(line, 1, true), line)
            end
        end
        for _, name in ipairs { "optim", "train", "nn.init", "plot" } do -- a line for each function
            local text = annotations(name)
            assert.equal(select(2, text:gsub("\nfunction ", "")), select(2, text:gsub("\n%-%-%- [^\n]*\nfunction ", "")), name)
        end
    end)

    it("asks for a folder", function()
        local said, ended = support.run("lua5.4 bindings/types.lua")
        assert.equal("usage: types.lua FOLDER\n", said)
        assert.is_false(ended)
    end)
end)
