-- The rille command, in processes of its own.

local rille = require "rille"

local command = assert(package.searchpath("rille.nn", package.path)):match("^(.*)/share/") .. "/bin/rille"

-- What the command prints (both streams), and whether it ended well. environment: "NAME=value ..."
local function run(arguments, environment)
    local pipe = assert(io.popen(("%s %s %s 2>&1"):format(environment or "", command, arguments)))
    local said = pipe:read("a")
    return said, (pipe:close())
end

describe("rille", function()
    it("tells its version and the instruction sets", function()
        assert.equal(("rille %s (Lua 5.4)\ninstruction set %s, of %s\n"):format(rille.version, rille.info().isa,
            table.concat(rille.info().isas, ", ")), (run("--version")))
    end)

    it("takes the instruction set that RILLE_ISA names, and says so where it cannot", function()
        local tell = [[-e 'local i = require("rille").info() print(i.isa, i.isa_refused)']]
        local sets = rille.info().isas
        for _, isa in ipairs(sets) do
            assert.equal(isa .. "\tnil\n", (run(tell, "RILLE_ISA=" .. isa)))
        end
        assert.matches("^rille: warning: RILLE_ISA=v9: there is no such instruction set, the library has %([%w, ]+%); "
            .. sets[1] .. " is in use\n" .. sets[1] .. "\tRILLE_ISA=v9: there is no such", (run(tell, "RILLE_ISA=v9")))
    end)
end)
