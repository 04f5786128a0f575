--- rille.atlas: what each activation does to gradients, in numbers computed from its own derivative, and as pages.
--
--     local portrait = atlas.portrait("relu")
--     print(portrait.sentence)                        -- "Good: it keeps slope 1 ... Bad: it is dead on (-inf, 0] ..."
--     print(portrait.backward, portrait.passes)       -- 1.4142, 0.7071
--     atlas.save("out/atlas", { "relu", "tanh" })     -- index.html, and a plot each
--
-- A portrait holds name, formula, source, parameters, range, monotonic, zero_centred, smoothness, kinks, as the entry of
-- rille.activations does, and, with the default parameters and z ~ N(0, 1):
--   gain                       the entry's gain()
--   backward, forward          1 / sqrt(E f'(z)²), 1 / sqrt(E f(z)²); infinite where that is 0
--   passes                     sqrt(E f'(z)²): what a layer leaves of a gradient's norm at gain 1
--   mean                       E f(z)
--   study                      what rille.atlas.slope finds: dead, saturated and falling intervals, zeros, the steepest point
--   dead_normal, saturated_normal, falling_normal    shares of N(0, 1)
--   dead_window, saturated_window                    shares of -6 ... 6
--   sentence                   what it is good and bad for
--   speed                      { forward =, backward = }, Gelem/s, where it was asked for
--   accuracy                   { float32 = { [0] =, 1, 2 }, float64 = ... }: worst error in ULP, where there is a table

local rille = require "rille"
local check = require "rille.check"
local files = require "rille.files"
local gaussian = require "rille.gaussian"
local measurements = require "rille.atlas.measurements"
local page = require "rille.atlas.page"
local picture = require "rille.atlas.picture"
local plot = require "rille.plot"
local slope = require "rille.atlas.slope"
local verdict = require "rille.atlas.verdict"

local atlas = {}

--- The portrait of an activation, by its name or entry. options: speed (false: is not measured), accuracy (path of the
-- table of `make exhaustive`; absent: none).
function atlas.portrait(activation, options)
    options = check.options(2, "portrait", options, { speed = false, accuracy = { "string" } })
    if type(activation) ~= "string" and (type(activation) ~= "table" or type(activation.name) ~= "string") then
        check.argument(1, "portrait", "name or entry of an activation expected, got %s", check.type_name(activation))
    end
    local entry = type(activation) == "string" and rille.activations[activation] or activation
    local p = {}
    for _, field in ipairs { "name", "formula", "source", "parameters", "range", "monotonic", "zero_centred", "smoothness",
        "kinks" } do
        p[field] = entry[field]
    end
    local function moment(order, power)
        return gaussian.expectation(function(z) return rille.derivative(entry, z, order) ^ power end, entry.kinks)
    end
    p.gain, p.mean, p.passes = entry.gain(), moment(0, 1), math.sqrt(moment(1, 2))
    p.backward, p.forward = 1 / p.passes, 1 / math.sqrt(moment(0, 2))
    p.study = slope.study(entry)
    for _, kind in ipairs { "dead", "saturated", "falling" } do
        p[kind .. "_normal"] = slope.share_of_normal(p.study[kind])
        p[kind .. "_window"] = slope.share_of_window(p.study[kind])
    end
    p.sentence = verdict.sentence(p)
    p.speed = options.speed and measurements.speed(entry) or nil
    local worst = options.accuracy and measurements.accuracy(options.accuracy)
    p.accuracy = worst and { float32 = worst.float32[entry.name], float64 = worst.float64[entry.name] } or nil
    return p
end

--- The names of all activations, in their order.
function atlas.names()
    local names = {}
    for i, entry in ipairs(rille.activations) do
        names[i] = entry.name
    end
    return names
end

--- Portraits of a list of names (nil: of all). options: as portrait's, and progress (a function of name, i and n).
function atlas.portraits(names, options)
    local list = {}
    names = names or atlas.names()
    options = check.options(2, "portraits", options, { speed = false, accuracy = { "string" }, progress = { "function" } })
    for i, name in ipairs(names) do
        if options.progress then
            options.progress(name, i, #names)
        end
        list[i] = atlas.portrait(name, { speed = options.speed, accuracy = options.accuracy })
    end
    return list
end

--- Writes portraits to a folder, which is made: index.html, one file that needs no other, and, where gnuplot is there, the
-- plots in it, also as NAME.svg. Returns the page's path, and why there are no plots if there are none.
function atlas.save(folder, portraits)
    local ok, why = files.make_folder(folder)
    if not ok then
        check.fail("cannot make '%s' (%s)", folder, why)
    end
    local drawable, why_not = plot.available()
    local plots = {}
    for _, portrait in ipairs(drawable and portraits or {}) do
        local path = plot.save(("%s/%s.svg"):format(folder, portrait.name), picture.figure(portrait))
        local file <close> = assert(io.open(path, "rb"))
        plots[portrait.name] = file:read("a")
    end
    return files.write(folder .. "/index.html", page.html(portraits, plots)), why_not
end

atlas.markdown = page.markdown
atlas.overview = page.overview
atlas.figure = picture.figure
atlas.text = page.text

return check.strict(atlas, "rille.atlas")
