--- rille.flow.drawing: all that a probe has recorded, as files of figures (rille.flow.figures, rille.plot).

local check = require "rille.check"
local figures = require "rille.flow.figures"
local files = require "rille.files"
local plot = require "rille.plot"

local drawing = {}

-- File name, and the figure of a probe.
local FIGURES = {
    { "gradient-norms", function(probe)
        return figures.gradient_map(probe) and figures.norms_over_steps({ { nil, probe } },
            { title = "Norm of the loss's gradient by weight" })
    end },
    { "gradient-map", function(probe)
        return figures.gradient_map(probe, { title = "Norm of the loss's gradient by weight, layer by step" })
    end },
    { "updates", function(probe)
        return figures.updates_over_steps(probe, { title = "How far weights moved from record to record" })
    end },
    { "histograms", function(probe)
        return figures.histograms(probe, { title = "What the layers put out, latest pass" })
    end },
}

--- Draws what was recorded into a folder, which is made where it is missing: gradient-norms.svg (by layer, over the steps),
-- gradient-map.svg (the same as a map of layer by step), updates.svg (|ΔW| / |W|), histograms.svg (outputs by layer, of the
-- latest pass; not for a probe that was detached). What was not recorded is left out. options: the folder's path, or { folder
-- =, format = "svg" ("png", "pdf") }. Returns the list of paths; raises where nothing was recorded, as rille.plot does where
-- gnuplot is missing.
function drawing.plot(probe, options)
    if type(options) == "string" then
        options = { folder = options }
    end
    options = check.options(1, "plot", options, { folder = { "string" }, format = "svg" })
    if not options.folder then
        check.argument(1, "plot", "folder expected, or options with 'folder'")
    elseif #probe:latest() == 0 then
        check.fail("plot: the probe has seen no forward pass of its net")
    end
    local made, why = files.make_folder(options.folder)
    if not made then
        check.fail("cannot make '%s' (%s)", options.folder, why)
    end
    local paths = {}
    for _, entry in ipairs(FIGURES) do
        local figure = entry[2](probe)
        if figure then
            paths[#paths + 1] = plot.save(("%s/%s.%s"):format(options.folder, entry[1], options.format), figure)
        end
    end
    return paths
end

return check.strict(drawing, "rille.flow.drawing")
