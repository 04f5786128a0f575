--- rille.experiment: what the scripts of experiments share: command line, folder for results, plots, verdict.
--
--     local o = experiment.options("exploding.lua", "What the script shows.", {
--         { "--depth", "Hidden layers.", "50", low = 1, integer = true },       -- o.depth, a number
--         { "--scales", "Factors of the weights.", "1,2,4", low = 0, list = true },  -- o.scales, a list of numbers
--         { "--activation", "Which one.", "tanh" },                                 -- o.activation, a string
--         { "--quiet", "No progress line.", flag = true },                          -- o.quiet, true or nil
--     })                                                                         -- besides: --seed, --out
--     experiment.save(o, { { "exploding", figure } })
--     experiment.verdict(claims, sentences)

local check = require "rille.check"
local files = require "rille.files"
local plot = require "rille.plot"
local text = require "rille.text"

local experiment = {}

-- Converters for argparse return the value, or nil and what is wrong.
local function number_from(option, word)
    local x = tonumber(word)
    if option.integer then
        x = x and math.tointeger(x)
    end
    if x and x >= option.low and x < math.huge then
        return x
    end
    return nil, ("%s: %s of at least %g expected, got '%s'"):format(option[1], option.integer and "an integer" or "a number",
        option.low, word)
end

local function list_from(option, word)
    local list = {}
    for part in (word .. ","):gmatch("([^,]*),") do
        local x, why = number_from(option, part)
        if not x then
            return nil, why
        end
        list[#list + 1] = x
    end
    return list
end

local function complain(script, message)
    io.stderr:write(script, ": ", message, "\n")
    os.exit(false, true)
end

--- Reads `arg` by argparse: a table by the options' names, with "_" for "-". known: list of { "--name", explanation, default,
-- low = a number for numbers, integer =, list =, flag = }. Adds --seed (from which the random numbers are seeded) and --out,
-- which is made. Ends the process with a message where the command line is wrong.
function experiment.options(script, explanation, known)
    local found, argparse = pcall(require, "argparse")
    if not found then
        complain(script, "the Lua module 'argparse' was not found: install the Debian package lua-argparse")
    end
    local parser = argparse(script, explanation)
    local all = table.move(known, 1, #known, 1, {})
    table.insert(all, { "--seed", "For all that is random.", "1", low = 0, integer = true })
    for _, option in ipairs(all) do
        local convert = option.list and list_from or option.low and number_from
        if option.flag then
            parser:flag(option[1], option[2])
        else
            parser:option(option[1], option[2], option[3], convert and function(word) return convert(option, word) end)
        end
    end
    parser:option("--out", "Folder for plots.", "out")
    local o = parser:parse()
    local made, why = files.make_folder(o.out)
    if not made then
        complain(script, "the folder for results cannot be made: " .. why)
    end
    require("rille").manual_seed(o.seed)
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

--- Prints the verdict: claims, a list of { holds, sentence }, each with yes or NO before it, then a paragraph.
function experiment.verdict(claims, paragraph)
    print("\nVerdict")
    for _, claim in ipairs(claims) do
        print(("  %-3s  %s"):format(claim[1] and "yes" or "NO", claim[2]))
    end
    print("\n" .. text.wrap(paragraph, 110))
end

return check.strict(experiment, "rille.experiment")
