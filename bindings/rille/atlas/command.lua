--- rille.atlas.command: `rille atlas`, and scripts/atlas.lua: the atlas from the command line.

local atlas = require "rille.atlas"
local experiment = require "rille.experiment"
local files = require "rille.files"

local NAME = "rille atlas"

local function read_options(words)
    local parser = experiment.parser(NAME, "What each activation does to gradients: its properties, gain, dead zone and "
        .. "saturation, error, speed, and a plot of f, f' and f\".")
    parser:argument("name", "Activations, by their names; none: all."):args("*")
    experiment.add_option(parser, "out", "Folder for the page and the plots.", "out/atlas")
    parser:option("--page", "Write a page of text and tables (Markdown) to this file, too.")
    experiment.add_option(parser, "accuracy", "The table that `make exhaustive` writes.", "tests/golden/accuracy.md")
    experiment.add_option(parser, "no-speed", "Do not measure speed.")
    return parser:parse(words)
end

local function show(portraits, named)
    if not named then
        print(atlas.overview(portraits))
    end
    for i, portrait in ipairs(named and portraits or {}) do
        print((i > 1 and "\n" or "") .. atlas.text(portrait))
    end
end

--- Runs the command with its words, as `arg` has them.
return function(words)
    local options = read_options(words)
    local named = #options.name > 0
    for _, name in ipairs(options.name) do
        experiment.check_activation(NAME, name)
    end
    local ready, why_not = files.make_folder(options.out) -- known now, not after minutes of measuring
    if not ready then
        experiment.stop(NAME, "--out: cannot make the folder '%s' (%s)", options.out, why_not)
    end
    local on_terminal = os.execute("test -t 2")
    local portraits = atlas.portraits(named and options.name or nil, {
        speed = not options.no_speed,
        accuracy = options.accuracy,
        progress = function(name, i, n)
            if on_terminal then
                io.stderr:write(("\r\27[K%d of %d: %s"):format(i, n, name), i == n and "\r\27[K" or "")
            end
        end,
    })
    show(portraits, named)
    local path, why_no_plots = atlas.save(options.out, portraits)
    if why_no_plots then
        io.stderr:write(NAME, ": no plots: ", why_no_plots, "\n")
    end
    local plots = #portraits == 1 and "a plot" or ("%d plots"):format(#portraits)
    print(("\nWritten: %s%s"):format(path, why_no_plots and "" or " and " .. plots .. " beside it"))
    if options.page then
        local page = atlas.markdown(portraits, "build/bin/rille atlas --page " .. options.page)
        print("Written: " .. files.write(options.page, page))
    end
end
