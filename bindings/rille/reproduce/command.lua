--- rille.reproduce.command: `rille reproduce`: published results, run again.

local experiment = require "rille.experiment"
local reproduce = require "rille.reproduce"

local function read_options(words)
    local parser = experiment.parser("rille reproduce", "Runs published results about the flow of gradients again and prints, "
        .. "for each, what was published and what was measured. The exit status is 1 where one is not within its tolerance.")
    experiment.add_option(parser, "quick", "Small nets and few steps; wider tolerances where these need them.")
    experiment.add_option(parser, "seed", "For all that is random.", 1, 0)
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
