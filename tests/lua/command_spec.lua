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
    it("tells its version, the instruction sets and whose matrix products it uses", function()
        local info = rille.info()
        assert.equal(("rille %s (Lua 5.4)\ninstruction set %s, of %s\nmatrix products by %s, kernels for %s\n"):format(
            rille.version, info.isa, table.concat(info.isas, ", "), info.blas:match("^OpenBLAS [%d.]+"),
            info.blas_better_core or info.blas_core), (run("--version")))
    end)

    it("has OpenBLAS use better kernels than those for processors that it does not know, unless told otherwise", function()
        local info = rille.info()
        local tell = [[-e 'local i = require("rille").info() print(i.blas_core, i.blas_better_core)' - a 'b c']]
        local script = [[echo 'print(#arg, arg[1], arg[2], os.getenv("OPENBLAS_CORETYPE"))' |]]
        assert.equal(("%s\tnil\n2\ta\tb c\t%s\n"):format(info.blas_better_core or info.blas_core,
            info.blas_better_core or os.getenv("OPENBLAS_CORETYPE")), (run(tell, script)))
        if info.blas:find("DYNAMIC_ARCH", 1, true) and info.isas[1] == "v4" then
            assert.equal("Prescott\tnil\n2\ta\tb c\tPrescott\n", (run(tell, script .. " OPENBLAS_CORETYPE=Prescott")))
        end
    end)

    it("starts all the same where it cannot be started again", function()
        local restart = require("rille.process").restart
        assert.same({ nil, "No such file or directory" }, { restart({ "/nowhere/lua" }, "RILLE_NOTHING", "1") })
        assert.is_nil(os.getenv("RILLE_NOTHING"))
        local path = os.getenv("PATH")
        assert.same({ nil, "No such file or directory" }, { restart({ "/nowhere/lua" }, "PATH", "/nowhere") })
        assert.equal(path, os.getenv("PATH"))
        assert.has_error(function() restart({}, "RILLE_NOTHING", "1") end, "bad argument #1 to 'restart' (no words)")
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

    it("fails where its output did not get to where it was to go", function()
        for _, words in ipairs { "-v", "--help", "-e 'print(1)'", "-e 'io.write(1)'" } do
            local pipe = assert(io.popen(("%s %s 2>&1 >/dev/full"):format(command, words)))
            assert.matches("^rille: standard output was not written whole: %w[%w ]+\n$", pipe:read("a"))
            assert.is_nil((pipe:close()), words)
        end
        local _, closed = run("-e 'io.stdout:close()'")
        assert.is_true(closed)
    end)

    it("has commands, which go before scripts", function()
        assert.matches("usage: rille .*\n  atlas  ", (run("--help")))
        local folder = os.tmpname()
        os.remove(folder)
        for _, name in ipairs { "atlas", "scripts/atlas.lua" } do
            local said, ok = run(("%s relu tanh --no-speed --out %s --page %s/page.md"):format(name, folder, folder))
            assert.is_true(ok, said)
            assert.matches("^relu\n  f%(x%) = x > 0 %? x : 0\n.*\n\ntanh\n  f%(x%) = tanh%(x%)\n", said)
            assert.is_truthy(said:find(("Written: %s/index.html and 2 plots beside it\nWritten: %s/page.md\n"):format(folder,
                folder), 1, true), said)
        end
        os.execute(("rm -rf '%s'"):format(folder))
    end)

    it("says what is wrong with a command's words", function()
        local said, ok = run("atlas rleu")
        assert.is_nil(ok)
        assert.equal("rille atlas: no activation 'rleu'; did you mean 'relu'?\n", said)
        said, ok = run("atlas relu --no-speed --out /dev/null/x")
        assert.is_nil(ok)
        assert.matches("^rille atlas: %-%-out: cannot make the folder '/dev/null/x' %([^\n]*%)\n$", said)
        said, ok = run("atlas relu --no-spede")
        assert.is_nil(ok)
        assert.matches("unknown option '--no-spede'", said, 1, true)
    end)
end)
