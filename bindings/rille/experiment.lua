--- rille.experiment: what the scripts of experiments share: command line, folder for results, plots, verdict.
--
--     local o = experiment.options("exploding.lua", "What the script shows.", {
--         { "depth", "Hidden layers.", 50, 1 },                      -- --depth: an integer, as 50 is one, of at least 1
--         { "lr", "Learning rate.", 0.01, 0 },                       -- a number
--         { "scales", "Factors of the weights.", { 0.5, 1, 2 }, 0 }, -- a list of numbers: --scales 0.5,1,2
--         { "activation", "Of the hidden layers.", "tanh" },         -- a word
--         { "quiet", "No progress line." },                          -- true where --quiet is given
--     })                                                             -- besides: --seed, --out
--     experiment.save(o, { { "exploding", figure } })
--     experiment.verdict(claims, sentences)

local rille = require "rille"
local check = require "rille.check"
local files = require "rille.files"
local plot = require "rille.plot"
local text = require "rille.text"

local experiment = {}

--- Ends the process with status 1 and "script: message" on standard error. Arguments after script as string.format's.
function experiment.stop(script, format, ...)
    io.stderr:write(script, ": ", format:format(...), "\n")
    os.exit(false, true)
end

--- Ends the process where there is no activation of this name; the nearest is told.
function experiment.check_activation(script, name)
    local names = {}
    for i, entry in ipairs(rille.activations) do
        if entry.name == name then
            return
        end
        names[i] = entry.name
    end
    experiment.stop(script, "no activation '%s'%s", name, check.did_you_mean(name, names))
end

--- A parser of argparse for a command line; where that module is not installed, ends the process and says what to install.
function experiment.parser(script, explanation)
    local found, argparse = pcall(require, "argparse")
    if not found then
        experiment.stop(script, "the Lua module 'argparse' was not found: install the Debian package lua-argparse")
    end
    return argparse(script, explanation)
end

-- What argparse calls with a word: the number, or nil and what is wrong.
local function number_reader(name, integer, least)
    return function(word)
        local x = tonumber(word)
        if integer then
            x = x and math.tointeger(x)
        end
        if x and x >= (least or -math.huge) and x < math.huge then
            return x
        end
        return nil, ("--%s: %s%s expected, got '%s'"):format(name, integer and "an integer" or "a number",
            least and (" of at least %g"):format(least) or "", word)
    end
end

-- The same for words with commas between them.
local function list_reader(read)
    return function(words)
        local list = {}
        for word in (words .. ","):gmatch("([^,]*),") do
            local x, why = read(word)
            if not x then
                return nil, why
            end
            list[#list + 1] = x
        end
        return list
    end
end

local function all_integers(list)
    for _, x in ipairs(list) do
        if math.type(x) ~= "integer" then
            return false
        end
    end
    return true
end

--- Adds the option --name to a parser. The default says what is read: an integer, a number, a list of either, or a word; an
-- option without one is a flag. least: what numbers must not be below.
function experiment.add_option(parser, name, explanation, default, least)
    if default == nil then
        parser:flag("--" .. name, explanation)
    elseif type(default) == "table" then
        parser:option("--" .. name, explanation, table.concat(default, ","),
            list_reader(number_reader(name, all_integers(default), least)))
    else
        parser:option("--" .. name, explanation, tostring(default),
            type(default) == "number" and number_reader(name, math.type(default) == "integer", least) or nil)
    end
end

--- Reads `arg` by argparse: a table by the options' names. known: list of { name, explanation, default, least }, as add_option
-- takes them. Adds --seed (from which the random numbers are seeded) and --out, which is made. Ends the process with a message
-- where the command line is wrong, or after --help.
function experiment.options(script, explanation, known)
    local parser = experiment.parser(script, explanation)
    for _, option in ipairs(known) do
        experiment.add_option(parser, table.unpack(option, 1, 4))
    end
    experiment.add_option(parser, "seed", "For all that is random.", 1, 0)
    experiment.add_option(parser, "out", "Folder for plots.", "out")
    local o = parser:parse()
    local made, why = files.make_folder(o.out)
    if not made then
        experiment.stop(script, "the folder for results cannot be made: %s", why)
    end
    rille.manual_seed(o.seed)
    return o
end

--- Saves figures, a list of { name, figure }, as SVG and PNG in the folder o.out, and says where; without gnuplot, why not.
function experiment.save(o, list)
    local drawable, why = plot.available()
    print(drawable and "\nPlots, as SVG and PNG:" or "\nNo plots: " .. why)
    for _, entry in ipairs(drawable and list or {}) do
        plot.save(("%s/%s.svg"):format(o.out, entry[1]), entry[2])
        print("  " .. plot.save(("%s/%s.png"):format(o.out, entry[1]), entry[2]))
    end
end

--- Prints the verdict: claims, a list of { holds, sentence }, each with yes or NO before it, then a paragraph. when: of what
-- the claims are, as in "before training".
function experiment.verdict(claims, paragraph, when)
    print("\nVerdict" .. (when and ", " .. when or ""))
    for _, claim in ipairs(claims) do
        print(("  %-3s  %s"):format(claim[1] and "yes" or "NO", claim[2]))
    end
    print("\n" .. text.wrap(paragraph, 110))
end

return check.strict(experiment, "rille.experiment")
