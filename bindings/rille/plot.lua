--- rille.plot: figures as SVG, PNG or PDF files, or as text in the terminal, drawn by gnuplot.
--
--     local x = rille.linspace(-6, 6, 200)
--     local figure = plot.lines(x, { { "f", x:sigmoid() }, { "f'", rille.derivative("sigmoid", x) } },
--         { title = "sigmoid", xlabel = "x" })
--     plot.save("out/sigmoid.svg", figure)
--     print(plot.show(figure))
--
-- A figure is a plain table. Of the figure: title, width and height (pixels; 900 x 560), panels (list) in `columns` columns,
-- legend ("panel": each has its own; "shared": the first one's, below the title), or in place of panels the fields of one.
-- Of a panel: title, xlabel, ylabel, xlog, ylog (logarithmic axes), xrange and yrange ({ low, high }, either may be absent),
-- xtics (list of positions), ynames (list of names, shown at y = 1, 2, ..., from the top), palette ("distinct": Okabe & Ito's
-- colours that the colour-blind tell apart; "ordered": from dark to light, for layers), level (a value marked by a thin line
-- across), series (list). Of a series: x, y (lists or rank-1 tensors of equal length), label, style ("lines", "points",
-- "linespoints", "dashed", "bars"), colour ("#rrggbb"). Values that are not finite leave a gap.
--
-- A panel with map in place of series shows numbers by colours from dark to light, equally large cells in rows from top to
-- bottom: map = { values = list of rows, each a list or rank-1 tensor, x = the columns' positions, y = the rows' names, label =
-- what the colours mean, log10 = true where values are the logarithms of what is meant }.
--
-- A file that is there is replaced only by a complete one. Without gnuplot, plot.available() says what to install.

local check = require "rille.check"
local files = require "rille.files"
local gnuplot = require "rille.plot.gnuplot"

local plot = {}

--- The program that draws; another path may be set.
plot.program = "gnuplot"

local TERMINALS = {
    svg = { format = "svg", ending = "</svg>%s*$" },
    png = { format = "png", ending = "IEND....$" },
    pdf = { format = "pdf", ending = "%%%%EOF%s*$" },
}

--- Is gnuplot there? Returns true, or nil and a sentence that says what to install.
function plot.available()
    local pipe = io.popen("command -v " .. files.quote(plot.program) .. " 2>&1", "r")
    if pipe then
        pipe:read("a")
        if pipe:close() then
            return true
        end
    end
    return nil, ("gnuplot was not found (looked for '%s'): install the Debian package gnuplot-nox"):format(plot.program)
end

-- Draws to a file that nobody else has; returns true, or nil and why not.
local function draw(figure, format, path, size)
    local ok, why = plot.available()
    if not ok then
        return nil, why
    end
    local script_path = os.tmpname()
    local script = assert(io.open(script_path, "wb"))
    script:write(gnuplot.script(figure, format, path, size))
    script:close()
    local pipe = io.popen(("%s < %s 2>&1"):format(files.quote(plot.program), files.quote(script_path)), "r")
    local said = pipe and pipe:read("a") or "cannot start a shell"
    local drawn = pipe and pipe:close()
    os.remove(script_path)
    if not drawn then
        return nil, "gnuplot: " .. said:gsub("^%s+", ""):gsub("%s+$", "")
    end
    return true
end

local function ends_with(path, pattern)
    local file = io.open(path, "rb")
    if not file then
        return false
    end
    file:seek("end", -math.min(64, file:seek("end")))
    local tail = file:read("a") or ""
    file:close()
    return tail:find(pattern) ~= nil
end

--- Draws a figure into a file; what follows the last dot of its name says the format: .svg, .png or .pdf. Returns path.
-- Raises where gnuplot is missing or fails, the folder is missing, or the figure is not one.
function plot.save(path, figure)
    if type(path) ~= "string" then
        check.argument(1, "save", "path expected, got %s", check.type_name(path))
    end
    local terminal = TERMINALS[(path:match("%.(%w+)$") or ""):lower()]
    if not terminal then
        check.argument(1, "save", "'%s': a name that ends in .svg, .png or .pdf expected", path)
    end
    gnuplot.check_figure(2, "save", figure)
    local partial = files.partial(path)
    local probe, message = io.open(partial, "wb")
    if not probe then
        check.fail("cannot write '%s' (%s)", path, (message:gsub("^.*: ", "")))
    end
    probe:close()
    local ok, why = draw(figure, terminal.format, partial)
    if ok and not ends_with(partial, terminal.ending) then
        ok, why = nil, "gnuplot did not finish the file: is the disk full?"
    end
    if ok then
        ok, why = files.finish(partial, path)
    else
        os.remove(partial)
    end
    if not ok then
        check.fail("cannot write '%s' (%s)", path, why)
    end
    return path
end

--- A figure as text for the terminal, width x height characters (options; 100 x 30). Raises where gnuplot is missing or fails.
function plot.show(figure, options)
    gnuplot.check_figure(1, "show", figure)
    options = check.options(2, "show", options, { width = 100, height = 30 })
    local path = os.tmpname()
    local ok, why = draw(figure, "text", path, options)
    local file = ok and io.open(path, "rb")
    local drawn = file and file:read("a")
    if file then
        file:close()
    end
    os.remove(path)
    if not ok then
        check.fail("show: %s", why)
    end
    return (drawn:gsub("^%s*\n", ""):gsub("\f", ""):gsub("[ \t]+\n", "\n"):gsub("%s+$", ""))
end

--- A figure of one panel: all series over the same x. series: list of { label, y [, style = ...] }; options: the fields of a
-- figure and of its panel.
function plot.lines(x, series, options)
    if type(series) ~= "table" then
        check.argument(2, "lines", "list of { label, y } expected, got %s", check.type_name(series))
    end
    local figure = { series = {} }
    for key, value in pairs(options or {}) do
        figure[key] = value
    end
    for i, one in ipairs(series) do
        if type(one) ~= "table" or getmetatable(one) then
            check.argument(2, "lines", "[%d]: { label, y } expected, got %s", i, check.type_name(one))
        end
        figure.series[i] = { x = x, y = one[2], label = one[1], style = one.style, colour = one.colour }
    end
    gnuplot.check_figure(2, "lines", figure)
    return figure
end

return check.strict(plot, "rille.plot")
