--- rille.reproduce.command: `rille reproduce`: published results, run again.

local reproduce = require "rille.reproduce"

local function fail(format, ...)
    io.stderr:write("rille reproduce: ", format:format(...), "\n")
    os.exit(1, true)
end

local function seed_from(word)
    local seed = math.tointeger(tonumber(word))
    if seed and seed >= 0 then
        return seed
    end
    return nil, ("--seed: an integer of at least 0 expected, got '%s'"):format(word)
end

local function read_options(words)
    local found, argparse = pcall(require, "argparse")
    if not found then
        fail("the Lua module 'argparse' was not found: install the Debian package lua-argparse")
    end
    local parser = argparse("rille reproduce", "Runs published results about the flow of gradients again and prints, for each, "
        .. "what was published and what was measured. The exit status is 1 where one is not within its tolerance.")
    parser:flag("--quick", "Small nets and few steps; wider tolerances where these need them.")
    parser:option("--seed", "For all that is random.", "1", seed_from)
    return parser:parse(words)
end

--- Runs the command with its words, as `arg` has them.
return function(words)
    local options = read_options(words)
    local shown, passed, all = reproduce.table { quick = options.quick or false, seed = options.seed }
    print(shown)
    print(("\n%d of %d published results reproduced%s, seed %d"):format(passed, all, options.quick and " (quick)" or "",
        options.seed))
    if passed < all then
        os.exit(1, true)
    end
end
