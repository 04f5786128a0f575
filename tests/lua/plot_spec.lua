local rille = require "rille"
local plot = require "rille.plot"
local support = require "support"
local message_of, read, write, files_in = support.message_of, support.read, support.write, support.files_in

describe("rille.plot", function()
    local folder
    local figure = plot.lines({ 1, 2, 3 }, { { "first_one", { 1, 4, 9 } }, { "second", { 1, 8, 27 }, style = "dashed" } },
        { title = "powers", xlabel = "x [1]", ylabel = "y [1]", ylog = true })

    before_each(function()
        folder = os.tmpname()
        os.remove(folder)
        assert(os.execute("mkdir " .. folder))
    end)
    after_each(function()
        plot.program = "gnuplot"
        os.execute("rm -rf " .. folder)
    end)

    it("draws SVG with the title, the axes' labels and the legend in it", function()
        local path = folder .. "/a.svg"
        assert.equal(path, plot.save(path, figure))
        local svg = read(path)
        assert.matches("^<%?xml", svg)
        assert.matches("</svg>%s*$", svg)
        for _, word in ipairs { "powers", "x [1]", "y [1]", "first_one", "second" } do
            assert.is_truthy(svg:find(word, 1, true), word)
        end
        assert.same({ "a.svg" }, files_in(folder))
    end)

    it("draws PNG and PDF, whole", function()
        plot.save(folder .. "/a.png", figure)
        plot.save(folder .. "/a.pdf", figure)
        local png = read(folder .. "/a.png")
        assert.equal("\137PNG\r\n\26\n", png:sub(1, 8))
        local width, height = (">I4I4"):unpack(png, 17)
        assert.same({ 1800, 1120 }, { width, height })
        assert.matches("^%%PDF", read(folder .. "/a.pdf"))
    end)

    it("draws panels with one legend, and text for the terminal", function()
        local panels = {}
        for i = 1, 4 do
            panels[i] = { title = "panel " .. i, series = figure.series, palette = "ordered", level = 2 }
        end
        local path = plot.save(folder .. "/a.svg", { title = "all", panels = panels, legend = "shared" })
        local svg = read(path)
        for i = 1, 4 do
            assert.is_truthy(svg:find("panel " .. i, 1, true))
        end
        local _, legends = svg:gsub("first_one", "")
        assert.equal(1, legends)
        local text = plot.show(figure, { width = 80, height = 20 })
        local lines = select(2, text:gsub("\n", "")) + 1
        assert.is_true(lines <= 20)
        assert.is_truthy(text:find("powers", 1, true))
        assert.is_truthy(text:find("first_one", 1, true))
        for line in text:gmatch("[^\n]+") do
            assert.is_true(#line <= 80)
        end
    end)

    it("names places on the y axis, from the top, and shows the tics it is given on a logarithmic axis", function()
        local series = { { x = { 1, 2, 8 }, y = { 1, 2, 3 }, label = "dots", style = "points" } }
        local svg = read(plot.save(folder .. "/a.svg", { xlog = true, xtics = { 1, 2, 8 }, ynames = { "a_b", "it's", "z" },
            series = series }))
        local function height_of(name)
            local at = svg:find(">" .. name .. "<", 1, true)
            return tonumber(svg:sub(1, assert(at, name)):match(".*translate%([%d.]+,([%d.]+)%)"))
        end
        assert.is_true(height_of("a_b") < height_of("it's") and height_of("it's") < height_of("z"), svg)
        assert.is_nil(svg:find("10^", 1, true))
        assert.is_truthy(svg:find(">%s*8</tspan>") or svg:find(">8<"), svg)
        assert.equal("bad argument #2 to 'save' (ynames: list of names expected, got string)",
            message_of(plot.save, folder .. "/b.svg", { ynames = "a", series = series }))
    end)

    it("shows a dot for dots in the legend that panels share", function()
        local script = require("rille.plot.gnuplot").script({ legend = "shared", panels = { { series = {
            { x = { 1 }, y = { 1 }, label = "dots", style = "points" }, { x = { 1 }, y = { 1 }, label = "line" },
        } } } }, "svg", "a.svg")
        assert.equal(1, select(2, script:gsub("set arrow from", "")))
        assert.equal(1, select(2, script:gsub("point pointtype", "")))
    end)

    it("takes tensors, and leaves out what is not finite", function()
        local x = rille.linspace(-6, 6, 100)
        plot.save(folder .. "/a.svg", plot.lines(x, { { "tanh", x:tanh() } }))
        local nan, inf = 0 / 0, math.huge
        plot.save(folder .. "/b.svg",
            plot.lines({ 1, 2, 3, 4 }, { { "holes", { 1, nan, -inf, 2 } }, { "none", { nan, nan, inf, nan } } }))
        assert.is_truthy(read(folder .. "/b.svg"):find("none (no values)", 1, true))
        plot.save(folder .. "/c.svg", plot.lines({ 1 }, { { "zero on a log axis", { 0 } } }, { ylog = true }))
        assert.same({ "a.svg", "b.svg", "c.svg" }, files_in(folder))
    end)

    it("draws maps, with gaps, and bars", function()
        local nan = 0 / 0
        local map = { values = { { -1, -2, -3 }, { nan, -math.huge, -4 } }, x = { 0, 10, 20 }, y = { "first_row", "second" },
            label = "meaning", log10 = true }
        local svg = read(plot.save(folder .. "/a.svg", { title = "a map", xlabel = "step", map = map }))
        for _, word in ipairs { "a map", "first_row", "second", "meaning", "step" } do
            assert.is_truthy(svg:find(word, 1, true), word)
        end
        -- Four cells, each a polygon: three in the first row, which is on top, and one below the last of these.
        local cells = {}
        for colour, x, bottom, top in svg:gmatch("<polygon fill = 'rgb%(([^)]+)%)' points = '(%S-),(%S+) %S+ %S-,(%S+) ") do
            cells[#cells + 1] = #cells < 4 and { colour = colour:gsub("%s", ""), x = tonumber(x), bottom = tonumber(bottom),
                top = tonumber(top) } or nil
        end
        assert.same({ "222,197,30", "68,1,84" }, { cells[1].colour, cells[4].colour }) -- the largest, and the smallest
        assert.is_true(cells[1].x < cells[2].x and cells[2].x < cells[3].x)
        assert.same({ cells[3].x, cells[3].bottom }, { cells[4].x, cells[4].top })
        assert.is_true(cells[1].top == cells[3].top and cells[4].bottom > cells[4].top)
        plot.save(folder .. "/b.png", { panels = { { map = map }, { series = figure.series, title = "beside" } } })
        plot.save(folder .. "/c.svg", { map = { values = { { nan } }, x = rille.zeros(1), y = { "none" } } })
        plot.save(folder .. "/d.svg", { series = { { x = { 1, 2 }, y = { 3, 4 }, style = "bars" },
            { x = { 1 }, y = { nan }, style = "bars", label = "none" } } })
        assert.same({ "a.svg", "b.png", "c.svg", "d.svg" }, files_in(folder))
        assert.is_truthy(plot.show({ map = map }, { width = 80, height = 20 }):find("first_row", 1, true))
    end)

    it("says what does not fit in a map", function()
        for message, panel in pairs {
            ["map: table with a list of rows, 'values', expected"] = { map = {} },
            ["one of map and series expected, got both"] = { map = { values = { { 1 } } }, series = {} },
            ["map: unknown field 'vales'; did you mean 'values'?"] = { map = { values = { { 1 } }, vales = 1 } },
            ["map.x: list or tensor expected, got nil"] = { map = { values = { { 1 } } } },
            ["map.values[2]: 2 values expected, one for each x, got 1"] = { map = { values = { { 1, 2 }, { 3 } },
                x = { 1, 2 } } },
            ["map.values[1][2]: number expected, got string"] = { map = { values = { { 1, "2" } }, x = { 1, 2 } } },
            ["map.y: list of 1 texts expected, one for each row"] = { map = { values = { { 1 } }, x = { 1 } } },
        } do
            assert.equal(("bad argument #2 to 'save' (%s)"):format(message), message_of(plot.save, folder .. "/a.svg", panel))
        end
    end)

    it("treats labels as text, not as gnuplot's language", function()
        local title = [[a_b^c {d} "e" 'f' \g `date` $x @y]]
        local path = plot.save(folder .. "/it's a plot.svg", plot.lines({ 1, 2 }, { { "l", { 1, 2 } } }, { title = title }))
        assert.is_truthy(read(path):find(title, 1, true))
    end)

    it("says what to install where gnuplot is missing, and leaves a good file alone", function()
        local path = folder .. "/a.svg"
        write(path, "good")
        assert.is_true(plot.available())
        plot.program = "no-such-gnuplot"
        local ok, why = plot.available()
        assert.is_nil(ok)
        assert.equal("gnuplot was not found (looked for 'no-such-gnuplot'): install the Debian package gnuplot-nox", why)
        assert.equal(("cannot write '%s' (%s)"):format(path, why), message_of(plot.save, path, figure))
        assert.equal("show: " .. why, message_of(plot.show, figure))
        assert.equal("good", read(path))
        assert.same({ "a.svg" }, files_in(folder))
    end)

    it("leaves a good file alone where gnuplot fails or writes half of it", function()
        local path = folder .. "/a.svg"
        write(path, "good")
        local program = folder .. "/gnuplot"
        plot.program = program
        write(program, "#!/bin/sh\necho 'line 3: it broke' >&2\nexit 1\n")
        os.execute("chmod +x " .. program)
        assert.equal(("cannot write '%s' (gnuplot: line 3: it broke)"):format(path), message_of(plot.save, path, figure))
        write(program, [[
#!/bin/sh
out=$(sed -n "s/^set output '\(.*\)'/\1/p")
echo '<svg' > "$out"
]])
        assert.equal(("cannot write '%s' (gnuplot did not finish the file: is the disk full?)"):format(path),
            message_of(plot.save, path, figure))
        assert.equal("good", read(path))
        assert.same({ "a.svg", "gnuplot" }, files_in(folder))
    end)

    it("says what does not fit", function()
        assert.equal("cannot write '/nonexistent/a.svg' (No such file or directory)",
            message_of(plot.save, "/nonexistent/a.svg", figure))
        assert.equal("bad argument #1 to 'save' ('a.jpg': a name that ends in .svg, .png or .pdf expected)",
            message_of(plot.save, "a.jpg", figure))
        assert.equal("bad argument #1 to 'save' (path expected, got nil)", message_of(plot.save))
        assert.equal("bad argument #2 to 'save' (figure expected, got nil)", message_of(plot.save, "a.svg"))
        assert.equal("bad argument #2 to 'save' (a list of series expected)", message_of(plot.save, "a.svg", {}))
        assert.equal("bad argument #2 to 'save' (unknown field 'seris'; did you mean 'series'?)",
            message_of(plot.save, "a.svg", { seris = {} }))
        assert.equal("bad argument #2 to 'save' (panels[1]: series[1]: x has 2 values, y has 1)",
            message_of(plot.save, "a.svg", { panels = { { series = { { x = { 1, 2 }, y = { 1 } } } } } }))
        assert.equal("bad argument #2 to 'save' (series[1].y[2]: number expected, got string)",
            message_of(plot.save, "a.svg", { series = { { x = { 1, 2 }, y = { 1, "2" } } } }))
        assert.equal("bad argument #2 to 'lines' (series[1].y: tensor of rank 1 expected, got [2, 2])",
            message_of(plot.lines, { 1, 2 }, { { "a", rille.zeros(2, 2) } }))
        assert.equal("bad argument #2 to 'lines' (series[1]: no style 'dashd'; did you mean 'dashed'?)",
            message_of(plot.lines, { 1 }, { { "a", { 1 }, style = "dashd" } }))
        assert.equal("no 'savee' in rille.plot; did you mean 'save'?", message_of(function() return plot.savee end))
    end)
end)
