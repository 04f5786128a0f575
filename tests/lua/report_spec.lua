local rille = require "rille"
local files = require "rille.files"
local flow = require "rille.flow"
local history = require "rille.flow.history"
local json = require "rille.report.json"
local losses_of = require("rille.report.losses").read
local nn = require "rille.nn"
local optim = require "rille.optim"
local prediction = require "rille.report.prediction"
local report = require "rille.report"
local support = require "support"
local message_of, read, write, files_in = support.message_of, support.read, support.write, support.files_in

local HOSTILE = [[</script><script>document.title="taken"</script><img src=x onerror="alert(1)">&amp;'"]]

local function count(s, part)
    local n, from = 0, 1
    while true do
        local first, last = s:find(part, from, true)
        if not first then
            return n
        end
        n, from = n + 1, last + 1
    end
end

-- A chain of Linear layers of that width with activations in between, and a probe that has seen some steps of descent.
local function trained(steps, options)
    options = options or {}
    rille.manual_seed(3)
    local width, layers = options.width or 16, {}
    for i = 1, options.depth or 3 do
        layers[2 * i - 1], layers[2 * i] = nn.Linear(width, width), nn[options.activation or "Tanh"]()
        nn.init.kaiming_normal(layers[2 * i - 1].weight)
        nn.init.zeros(layers[2 * i - 1].bias)
    end
    layers[#layers + 1] = nn.Linear(width, 4)
    local net = nn.Sequential(layers)
    local probe, descent, losses = flow.probe(net), optim.SGD(net:parameters(), { lr = 0.1 }), {}
    local x, y = rille.randn(32, width), rille.ones(32):to("int64")
    for step = 0, steps - 1 do
        descent:zero_grad()
        local loss = rille.cross_entropy(net(x), y)
        losses[step + 1] = loss:item()
        loss:backward()
        probe:record(step)
        descent:step()
    end
    return probe, losses, net, x, y
end

-- What is between the tags of the element with that id.
local function section_of(page, id)
    local from = assert(page:find(("<section id=\"%s\">"):format(id), 1, true), id)
    return page:sub(from, page:find("</section>", from, true))
end

describe("rille.report", function()
    local folder, path

    before_each(function()
        folder = os.tmpname()
        os.remove(folder)
        assert(os.execute("mkdir " .. folder))
        path = folder .. "/run.html"
    end)
    after_each(function()
        report.uplot = false
        os.execute("rm -rf " .. folder)
    end)

    it("writes one page with a section for all that is known", function()
        local probe, losses, net, x, y = trained(30)
        local before = net[1].weight:totable()
        assert.equal(path, (report.save(path, { probe = probe, title = "A run", losses = losses, seed = 3, notes = "First try.",
            config = { lr = 0.1, layers = { 3, 6 }, inner = { deep = true } },
            diagnosis = flow.diagnose(probe, { inputs = x, targets = y, steps = 3 }) })))
        local page = read(path)
        for _, id in ipairs { "verdict", "layers", "flow", "histories", "histograms", "theory", "remedies", "configuration" } do
            assert.equal(1, count(page, ("<section id=\"%s\">"):format(id)), id)
            assert.equal(1, count(page, ("<a href=\"#%s\">"):format(id)), id)
        end
        assert.is_truthy(page:find("<title>A run</title>", 1, true) and page:find("<h1>A run</h1>", 1, true))
        assert.is_truthy(page:find("First try.", 1, true))
        assert.equal(1 + 7, count(section_of(page, "layers"), "<tr>"))
        assert.equal(7, count(section_of(page, "histograms"), "<figure>"))
        assert.equal(1 + 3 + 1, count(section_of(page, "theory"), "<tr>"))
        assert.is_truthy(section_of(page, "remedies"):find("<td>as it is</td>", 1, true))
        local made_by = section_of(page, "configuration")
        for label, value in pairs { lr = "0.1", layers = "3, 6", inner = "deep = true", seed = "3",
            net = "Sequential, 884 parameters" } do
            assert.is_truthy(made_by:find(("<th>%s</th><td>%s</td>"):format(label, value), 1, true), label)
        end
        assert.is_truthy(made_by:find(rille.info().isa, 1, true) and made_by:find(os.date("!%Y-%m-%d"), 1, true))
        assert.same({ "run.html" }, files_in(folder))
        assert.same(before, net[1].weight:totable())
    end)

    it("needs nothing but the probe", function()
        local probe = trained(1)
        probe:detach()
        report.save(path, { probe = probe })
        local page = read(path)
        assert.is_truthy(page:find("<h1>Gradient flow</h1>", 1, true))
        assert.is_truthy(page:find("No histograms: the probe was detached before the report was made.", 1, true))
        assert.is_nil(page:find("<section id=\"histograms\">", 1, true))
        assert.is_nil(page:find("<section id=\"remedies\">", 1, true))
        assert.is_nil(page:find("<section id=\"histories\">", 1, true)) -- one step is none
        assert.is_nil(page:find("id=\"loss\"", 1, true))
    end)

    it("shows a pass without backward, and a net that theory does not know", function()
        local net = nn.Sequential { nn.Linear(4, 4), nn.Residual(nn.Tanh()) }
        local probe = flow.probe(net)
        net(rille.randn(3, 4))
        report.save(path, { probe = probe })
        local page = read(path)
        assert.is_truthy(page:find("No prediction: theory knows plain chains of layers; [2] is a Residual.", 1, true))
        assert.is_nil(page:find("‖∂L/∂W‖:", 1, true))
        assert.equal(1 + 2, count(section_of(page, "layers"), "<tr>"))
    end)

    it("says where there is nothing to draw, and folds long lists of verdicts", function()
        local probe, _, net, x, y = trained(0, { depth = 10 })
        for _ = 1, 3 do
            net:zero_grad()
            rille.cross_entropy(net(x), y):backward()
            probe:record() -- nothing moves
        end
        report.save(path, { probe = probe })
        local page = read(path)
        assert.is_truthy(section_of(page, "histories"):find("Nothing to draw: every value is 0, or not finite.", 1, true))
        local verdict = section_of(page, "verdict")
        assert.equal(11, count(verdict, "<li>"))
        assert.is_truthy(verdict:find("<details><summary>3 more</summary>", 1, true))
        assert.is_true(count(verdict:match("^(.-)<details>"), "<li>") == 8)
    end)

    it("keeps the page small", function()
        local probe, losses = trained(200, { depth = 10, width = 4 })
        for i = 1, 20000 do
            losses[i] = 1 / i
        end
        report.uplot = "/nonexistent"
        report.save(path, { probe = probe, losses = losses })
        local _, values = read(path):gsub("%-?%d+%.%d+", "")
        assert.is_true(values > 21 * 200, values)
        local drawings = #read(path):match("<section id=\"histories\">.-</section>")
        local size = #read(path) - drawings
        assert.is_true(size < 220e3, size) -- 21 layers by 200 steps, five quantities, 2000 losses
    end)

    it("says that not all passes are shown", function()
        report.save(path, { probe = trained(402, { depth = 1, width = 2 }) })
        assert.is_truthy(section_of(read(path), "flow"):find("400 of 402 recorded passes are shown.", 1, true))
        report.save(path, { probe = trained(3) })
        assert.is_nil(read(path):find("recorded passes are shown", 1, true))
    end)

    it("fetches nothing", function()
        local probe, losses = trained(2)
        report.save(path, { probe = probe, losses = losses })
        local page = read(path)
        assert.is_truthy(page:find("http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';", 1, true))
        for _, pattern in ipairs { "%ssrc=", "<link", "@import", "url%(%s*['\"]?http", "href=\"[^#]", "fetch%(", "XMLHttp" } do
            assert.is_nil(page:find(pattern), pattern)
        end
    end)

    it("takes hostile texts for texts", function()
        local net = nn.Sequential { nn.Linear(3, 3) }
        net[HOSTILE] = nn.Linear(3, 3)
        local probe = flow.probe(net)
        rille.sum(net[HOSTILE](net(rille.ones(2, 3)))):backward()
        probe:record()
        report.save(path, { probe = probe, title = HOSTILE, notes = HOSTILE, seed = HOSTILE, config = { [HOSTILE] = HOSTILE },
            losses = { 1, 0 / 0, math.huge, -math.huge } })
        local page = read(path)
        assert.is_nil(page:find("<img", 1, true))
        assert.is_nil(page:find("<script>document", 1, true))
        assert.is_nil(page:find("\"taken\"", 1, true))
        local scripts = report.uplot == false and page:find("uPlot=function", 1, true) and 3 or 2
        assert.equal(scripts, count(page, "<script"))
        assert.equal(scripts, count(page, "</script"))
        assert.is_truthy(page:find([["values":[1,"NaN","Infinity","-Infinity"]], 1, true))
        assert.is_truthy(page:find("&lt;/script&gt;&lt;script&gt;document.title=&quot;taken&quot;", 1, true))
        assert.is_truthy(page:find("\\u003c/script>\\u003cscript>", 1, true)) -- the layer's name in the page's data
    end)

    it("shows what is not finite, and what is exactly 0", function()
        local probe, _, net, x, y = trained(1)
        rille.no_grad(function() net[7].weight:fill_(0) end)
        net:zero_grad()
        rille.cross_entropy(net(x), y):backward()
        probe:record()
        rille.no_grad(function() net[3].weight:fill_(0 / 0) end)
        net:zero_grad()
        rille.cross_entropy(net(x), y):backward()
        probe:record()
        report.save(path, { probe = probe })
        local page = read(path)
        assert.is_truthy(page:find("✗</span> layer 3: non-finite (NaN or Inf in its weights", 1, true))
        assert.is_truthy(page:find("\"-Infinity\"", 1, true) and page:find("\"NaN\"", 1, true))
        assert.is_nil(section_of(page, "histograms"):find("nan", 1, true))
    end)

    it("says where uPlot is missing, and draws the histories itself", function()
        local probe, losses = trained(5)
        report.uplot = "/nonexistent"
        local _, why = report.save(path, { probe = probe, losses = losses })
        assert.equal("uPlot was not found (no 'uPlot.iife.min.js' in /nonexistent): `make deps` gets it, with npm", why)
        local page = read(path)
        local histories = section_of(page, "histories")
        assert.is_truthy(histories:find(why:gsub("'", "&#39;") .. ". So these charts stand still.", 1, true))
        assert.equal(1 + 3, count(histories, "<svg")) -- the loss, and three quantities
        assert.equal(1 + 4 + 7 + 4, count(histories, "class=\"line\""))
        assert.is_nil(page:find("uPlot=function", 1, true))
    end)

    it("replaces a file only by a complete one", function()
        local probe = trained(1)
        write(path, "good")
        assert.matches("^bad argument #2 to 'save'", message_of(report.save, path, { probe = probe, losses = { "x" } }))
        assert.equal("good", read(path))
        assert.equal("write_file: cannot write '/nonexistent/run.html': No such file or directory",
            message_of(report.save, "/nonexistent/run.html", { probe = probe }))
        report.save(path, { probe = probe })
        assert.matches("^<!DOCTYPE html>.*</html>\n$", read(path))
        assert.same({ "run.html" }, files_in(folder))
    end)

    it("says what does not fit", function()
        local probe = trained(1)
        for message, options in pairs {
            ["bad argument #2 to 'save' (option 'probe' is missing: flow.probe(net), before the net's forward pass)"] = {},
            ["bad argument #2 to 'save' (the probe has seen no forward pass of its net)"] = {
                probe = flow.probe(nn.Linear(2, 2)) },
            ["bad argument #2 to 'save' (option 'probe': probe expected, got table)"] = { probe = {} },
            ["bad argument #2 to 'save' (unknown option 'loses'; did you mean 'losses'?)"] = { probe = probe, loses = {} },
            ["bad argument #2 to 'save' (option 'diagnosis': diagnosis expected, got table)"] = { probe = probe,
                diagnosis = {} },
            ["bad argument #2 to 'save' (losses[2]: number expected, got string)"] = { probe = probe, losses = { 1, "2" } },
            ["bad argument #2 to 'save' (losses: 2 steps, 1 values)"] = { probe = probe,
                losses = { steps = { 1, 2 }, values = { 1 } } },
            ["bad argument #2 to 'save' (losses.steps: list of numbers expected, got nil)"] = { probe = probe,
                losses = { values = { 1 } } },
        } do
            assert.equal(message, message_of(report.save, path, options))
        end
        assert.equal("bad argument #1 to 'save' (path expected, got table)", message_of(report.save, { probe = probe }))
        assert.equal("bad argument #2 to 'save' (table of options expected, got string)", message_of(report.save, path, "x"))
        assert.equal("no 'sav' in rille.report; did you mean 'save'?", message_of(function() return report.sav end))
    end)
end)

describe("a report's data", function()
    it("is JSON that may stand in a script", function()
        assert.equal([[{"a":[1,0.5,null,"NaN"],"b":"\u003c/script>\"\\\n\u0000","c":true,"d":["Infinity","-Infinity"]}]],
            json.encode { a = { n = 4, 1, 0.5, nil, 0 / 0 }, b = "</script>\"\\\n\0", c = true, d = { math.huge, -math.huge } })
        assert.equal("[]", json.encode { n = 0 })
        assert.equal("123456789", json.encode(123456789))
    end)

    -- A probe of a net of that many layers, with so many records of its gradient.
    local function recorded(layers, passes)
        local list = {}
        for i = 1, layers do
            list[i] = nn.Linear(1, 1)
        end
        local net = nn.Sequential(list)
        local probe = flow.probe(net)
        net(rille.ones(1, 1)):sum():backward()
        for step = 1, passes do
            probe:record(step)
        end
        return probe
    end

    it("holds some of many passes, the first and the last among them", function()
        local h = history.of_probe(recorded(1, 1001))
        assert.same({ 400, 1, 1001 }, { #h.steps, h.steps[1], h.steps[400] })
        assert.same({ "[1] Linear" }, h.quantities[1].layers)
        assert.equal(400, #h.quantities[1].values[1])
        h = history.of_probe(recorded(150, 200))
        assert.same({ 133, 1, 200 }, { #h.steps, h.steps[1], h.steps[133] })
        assert.same({ 150, 133 }, { #h.quantities[1].values, #h.quantities[1].values[150] })
        assert.same({ steps = {}, quantities = {} }, history.of_probe(flow.probe(nn.Linear(1, 1))))
    end)

    it("keeps layers apart that come and go", function()
        local function row(name, value)
            return { step = 1, name = name, kind = "Linear", weight_gradient_log10_norm = value }
        end
        local h = history.of_passes { { row("a", 1) }, { row("b", 2), row("a", 3) }, { row("b", -math.huge) } }
        assert.same({ { n = 3, 1, 3 }, { n = 3, nil, 2, -math.huge } }, h.quantities[1].values)
    end)

    it("keeps the extremes of many losses", function()
        local values = {}
        for i = 1, 50000 do
            values[i] = math.sin(i / 1000)
        end
        values[31415], values[27182], values[100] = 99, -99, 0 / 0
        local losses = losses_of(values)
        assert.equal(50000, losses.count)
        assert.equal(2001, #losses.values) -- two of each of 1000 stretches, and the NaN
        local at = {}
        for i, value in ipairs(losses.values) do
            at[value == value and value or "nan"] = losses.steps[i]
        end
        assert.same({ 31415, 27182, 100 }, { at[99], at[-99], at.nan })
        assert.same({ steps = { 1, 2 }, values = { 0.5, 0.25 }, count = 2 },
            losses_of(rille.tensor { 0.5, 0.25 }))
    end)

    -- How far a measurement is from the middle of its band, which is four standard deviations wide.
    local function deviations(p)
        return math.abs(p.measured - (p.low + p.high) / 2) / (p.high - p.low) * 4
    end

    it("predicts what wide nets do", function()
        for _, activation in ipairs { "ReLU", "Tanh", "Sigmoid" } do
            local probe, _, net = trained(1, { activation = activation, width = 200, depth = 4 })
            local p = prediction.of(net, probe:passes()[1])
            assert.same({ 4, "[1]", "[7]", activation }, { #p.layers, p.layers[1].name, p.layers[4].name,
                p.layers[1].activation })
            for _, layer in ipairs(p.layers) do
                assert.is_true(deviations(layer) < 3, activation .. layer.name)
                assert.is_true(layer.high - layer.low < 0.2)
            end
            assert.is_true(deviations(p.total) < 3)
            -- The first layers' weights have variance 2 / n: for relu the norm stays, whatever q is.
            assert.is_true(math.abs(p.layers[1].sigma_w2 - 2) < 0.05)
            if activation == "ReLU" then
                assert.is_true(math.abs(p.layers[1].expected) < 0.01)
            end
        end
    end)

    it("does not predict where theory does not hold", function()
        local net = nn.Sequential { nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 4) }
        local probe = flow.probe(net)
        rille.sum(net(rille.randn(8, 4))):backward()
        local p, why = prediction.of(net, probe:latest())
        assert.is_nil(p)
        assert.equal("theory needs Linear layers with an activation in between that it knows, and their gradients", why)
    end)
end)

-- Chromium, where it is there, opens the page in a frame of the width of a phone or of a desk, and says what it found.
local BROWSER = "chromium"

local WATCH = [[<script>window.problems=[];
addEventListener("error",e=>problems.push("error: "+e.message));
addEventListener("securitypolicyviolation",e=>problems.push("fetched: "+e.blockedURI));
["error","warn"].forEach(k=>{const f=console[k];console[k]=function(){problems.push(k+": "+[].join.call(arguments," "));
f.apply(console,arguments)}});</script>]]

local PROBING = [==[<script>
/* How many colours there are in a part of a canvas that begins at x, y (of 0..1). */
function colours(canvas, x, y, width, height) {
  const c = canvas.getContext("2d").getImageData(x * canvas.width, y * canvas.height, width * canvas.width,
    height * canvas.height).data, found = new Set();
  for (let i = 0; i < c.length; i += 4) if (c[i + 3] > 128) found.add(c[i] << 16 | c[i + 1] << 8 | c[i + 2]);
  return found.size;
}
const frame = document.querySelector("iframe");
function look() {
  const w = frame.contentWindow, d = w.document, out = [];
  const say = (name, value) => out.push(name + "=" + value);
  say("map", colours(d.querySelector("#map canvas"), 0.5, 0, 0.5, 0.5));
  const charts = Array.from(d.querySelectorAll(".uplot canvas"));
  say("charts", charts.length);
  say("blank", charts.filter(c => colours(c, 0, 0, 1, 1) < 3).length);
  const table = d.querySelector("table.sortable");
  const column = Array.from(table.querySelectorAll("th")).findIndex(h => h.textContent === "mean y");
  const values = () => Array.from(table.tBodies[0].rows).map(r => +r.cells[column].dataset.value);
  const button = table.querySelectorAll("th button")[column];
  button.click();
  say("ascending", values().every((v, i, all) => !i || all[i - 1] <= v));
  button.click();
  say("descending", values().every((v, i, all) => !i || all[i - 1] >= v));
  say("rows", values().length);
  say("wide", d.documentElement.scrollWidth > w.innerWidth);
  const ground = () => w.getComputedStyle(d.body).backgroundColor;
  say("ground", ground());
  d.getElementById("theme").click();
  say("other", ground());
  const map = d.querySelector("#map canvas"), box = map.getBoundingClientRect();
  map.dispatchEvent(new w.PointerEvent("pointerdown", { clientX: box.right - 3, clientY: box.top + 8 }));
  say("read", d.querySelector("#map .read").textContent);
  map.dispatchEvent(new w.KeyboardEvent("keydown", { key: "ArrowDown" }));
  say("below", d.querySelector("#map .read").textContent);
  say("title", d.title);
  say("fetched", w.performance.getEntriesByType("resource").length);
  say("problems", w.problems.join("; "));
  document.body.textContent = out.join("\n");
}
frame.addEventListener("load", () => setTimeout(look, 50));
</script>]==]

-- What PROBING says of a page: a table by name, and what the browser put on its console.
local function browse(folder, page, width, scheme)
    local watched = page:gsub("<meta charset", function(found) return WATCH .. found end, 1)
    write(folder .. "/frame.html", ("<!DOCTYPE html><meta charset=\"utf-8\"><iframe style=\"width:%dpx;height:844px\" "
        .. "srcdoc=\"%s\"></iframe>%s"):format(width, watched:gsub("&", "&amp;"):gsub("\"", "&quot;"), PROBING))
    -- What a sanitizer has the interpreter load is not for a browser.
    local pipe = assert(io.popen(("env -u LD_PRELOAD timeout 60 %s --headless --no-sandbox --disable-gpu "
        .. "--enable-logging=stderr --window-size=1400,900 --user-data-dir=%s/profile --blink-settings=preferredColorScheme=%d "
        .. "--virtual-time-budget=4000 --dump-dom %s 2>%s/log"):format(BROWSER, folder, scheme == "dark" and 0 or 1,
        files.quote("file://" .. folder .. "/frame.html"), folder)))
    local dom, found = pipe:read("a"), {}
    pipe:close()
    for name, value in (dom:match("<body[^>]*>(.*)</body>") or ""):gmatch("([%a]+)=([^\n]*)") do
        found[name] = value
    end
    local console = {}
    for line in read(folder .. "/log"):gmatch("[^\n]+") do
        console[#console + 1] = line:find("CONSOLE", 1, true) and line or nil
    end
    return found, console
end

describe("a report in Chromium", function()
    local folder, page, with_uplot

    local function there()
        if not os.execute("command -v " .. BROWSER .. " >/dev/null 2>&1") then
            pending("chromium is not installed")
            return false
        end
        return true
    end

    setup(function()
        folder = os.tmpname()
        os.remove(folder)
        assert(os.execute("mkdir " .. folder))
        local probe, losses = trained(40)
        local _, missing = report.save(folder .. "/run.html", { probe = probe, losses = losses, title = HOSTILE })
        page, with_uplot = read(folder .. "/run.html"), not missing
    end)
    teardown(function()
        os.execute("rm -rf " .. folder)
    end)

    for _, case in ipairs { { 390, "light", "rgb(255, 255, 255)" }, { 390, "dark", "rgb(20, 23, 26)" },
        { 1280, "light", "rgb(255, 255, 255)" }, { 1280, "dark", "rgb(20, 23, 26)" } } do
        it(("opens %d pixels wide, %s"):format(case[1], case[2]), function()
            if not there() then
                return
            end
            local found, console = browse(folder, page, case[1], case[2])
            assert.same({}, console)
            assert.equal("", found.problems)
            assert.equal("0", found.fetched)
            assert.equal(case[3], found.ground)
            assert.not_equal(case[3], found.other)
            assert.is_true(tonumber(found.map) > 20, found.map) -- where there is nothing but cells
            assert.same({ with_uplot and "4" or "0", "0" }, { found.charts, found.blank })
            assert.same({ "7", "true", "true" }, { found.rows, found.ascending, found.descending })
            assert.equal("false", found.wide)
            assert.matches("^%[1%] Linear, step 39: [%d.e-]+ %(log10: %-?[%d.]+%)$", found.read)
            assert.matches("^%[3%] Linear, step 39: ", found.below)
            assert.is_truthy(found.title:find("&lt;/script&gt;", 1, true), found.title)
        end)
    end

    it("says what a script does wrong", function()
        if not there() then
            return
        end
        local broken = page:gsub("const redraws = %[%];",
            "const redraws = [];console.warn('planted');new Image().src='http://0.0.0.0/x';")
        local found, console = browse(folder, broken, 1280, "light")
        assert.is_truthy(found.problems:find("warn: planted", 1, true))
        assert.is_truthy(found.problems:find("fetched: http://0.0.0.0/x", 1, true))
        assert.is_true(#console >= 1)
    end)
end)
