--- rille.arguments: the command line of a script, by way of argparse.
--
--     local options = require("rille.arguments").read("spirals.lua", "Trains nets on spirals.", {
--         { "epochs", "Passes over the points.", 100, 1 },  -- an integer, as its default is one, of at least 1
--         { "lr", "Learning rate.", 0.01, 0 },              -- a number
--         { "net", "relu, tanh, ...", "relu" },             -- a word
--         { "quiet", "No progress line." },                 -- true where --quiet is given
--     })

local arguments = {}

-- What argparse calls with the word: the number, or nil and what is wrong.
local function number_from(name, default, least)
    local integer = math.type(default) == "integer"
    return function(word)
        local x = tonumber(word)
        x = x and (not integer and x or math.tointeger(x))
        if x and x >= (least or -math.huge) and x < math.huge then
            return x
        end
        return nil, ("--%s: %s%s expected, got '%s'"):format(name, integer and "an integer" or "a number",
            least and (" of at least %g"):format(least) or "", word)
    end
end

--- Reads `arg`: a table of values by name. Ends the process where --help is asked for, where what is given does not fit, and
-- where argparse is not installed, saying so.
function arguments.read(script, description, options)
    local found, argparse = pcall(require, "argparse")
    if not found then
        io.stderr:write(script, ": the Lua module 'argparse' was not found: install the Debian package lua-argparse\n")
        os.exit(1)
    end
    local parser = argparse(script, description)
    for _, option in ipairs(options) do
        local name, explanation, default, least = table.unpack(option)
        if default == nil then
            parser:flag("--" .. name, explanation)
        else
            parser:option("--" .. name, explanation, tostring(default),
                type(default) == "number" and number_from(name, default, least) or nil)
        end
    end
    return parser:parse()
end

return arguments
