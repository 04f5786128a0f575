--- rille.report: what a probe has seen of a run, as one HTML file that needs no other and no network.
--
--     local probe = flow.probe(net)
--     ... probe:record(step) after each backward ...
--     report.save("out/run.html", { probe = probe, title = "relu, 6 layers", losses = losses, config = { lr = 0.1 } })
--
-- It holds flow.diagnose's verdict, a table of layers that its titles sort, a map of the gradient by layer and step, histories
-- of the loss, of gradients and updates, histograms of what the layers put out, what theory expects beside what was measured
-- (chains of Linear layers and activations), the remedies that were tried, and what made it. Light or dark as the reader has
-- it, for a phone as for a desk; nothing is fetched when it is opened.

local rille = require "rille"
local check = require "rille.check"
local diagnosis = require "rille.flow.diagnosis"
local files = require "rille.files"
local history = require "rille.flow.history"
local losses = require "rille.report.losses"
local page = require "rille.report.page"
local prediction = require "rille.report.prediction"
local text = require "rille.text"

local report = {}

--- The folder with uPlot (uPlot.iife.min.js, uPlot.min.css, LICENSE), which draws the histories; false: where Rille's own
-- files are.
report.uplot = false

local UPLOT = { { "script", "uPlot.iife.min.js" }, { "style", "uPlot.min.css" }, { "licence", "LICENSE" } }

-- uPlot's three texts, or nil and a sentence that says what is missing.
local function read_uplot()
    local folder = report.uplot or files.shared() .. "/uplot"
    local found = {}
    for _, entry in ipairs(UPLOT) do
        local name, file_name = entry[1], entry[2]
        local path = folder .. "/" .. file_name
        local file <close> = rille.file_size(path) and io.open(path, "rb")
        found[name] = file and file:read("a")
        if not found[name] then
            return nil, ("uPlot was not found (no '%s' in %s): `make deps` gets it, with npm"):format(file_name, folder)
        end
    end
    found.script = found.script:gsub("</", "<\\/")
    return found
end

local MOST_NESTED = 3 -- tables within tables in a configuration

local function value_text(value, depth)
    if type(value) ~= "table" or getmetatable(value) then
        return type(value) == "number" and text.number(value, 15) or tostring(value)
    elseif depth > MOST_NESTED then
        return "..."
    end
    local words = {}
    for i, item in ipairs(value) do
        words[i] = value_text(item, depth + 1)
    end
    for _, key in ipairs(check.keys(value)) do
        words[#words + 1] = key .. " = " .. value_text(value[key], depth + 1)
    end
    return table.concat(words, ", ")
end

local function facts_of(o, info, date)
    local facts = {}
    for _, key in ipairs(check.keys(o.config or {})) do
        facts[#facts + 1] = { key, value_text(o.config[key], 1) }
    end
    facts[#facts + 1] = o.seed and { "seed", value_text(o.seed, 1) } or nil
    local probe = o.probe
    local count = 0
    for _, parameter in ipairs(probe.net:parameters()) do
        count = count + parameter:numel()
    end
    facts[#facts + 1] = { "net", ("%s, %s parameters"):format(check.type_name(probe.net), text.count(count)) }
    facts[#facts + 1] = { "Rille", ("%s, instruction set %s, %d threads, %s"):format(info.version, info.isa, info.threads,
        info.lua) }
    facts[#facts + 1] = { "matrix products", info.blas }
    facts[#facts + 1] = { "date", date }
    return facts
end

local function read_options(options)
    local o = check.options(2, "save", options, {
        title = { "string" }, probe = { "probe" }, diagnosis = { "diagnosis" }, losses = { "table", "tensor" },
        config = { "table" }, seed = { "number", "string" }, notes = { "string" },
    })
    if not o.probe then
        check.argument(2, "save", "option 'probe' is missing: flow.probe(net), before the net's forward pass")
    elseif #o.probe:latest() == 0 then
        check.argument(2, "save", "the probe has seen no forward pass of its net")
    end
    return o
end

local function gather(o)
    local rows, info, date = o.probe:latest(), rille.info(), os.date("!%Y-%m-%d %H:%M UTC")
    local first = o.probe:passes(1)[1]
    local r = { title = o.title or "Gradient flow", notes = o.notes, rows = rows, remarks = {} }
    r.diagnosis = o.diagnosis or diagnosis.diagnose(o.probe)
    r.trials = r.diagnosis.trials
    r.history = first and history.of_probe(o.probe) or history.of_passes { rows }
    r.recorded = #o.probe.recorded
    r.any_history = #r.history.quantities > 0
    r.losses = o.losses and losses.read(o.losses)
    r.any_series = r.losses or r.any_history and #r.history.steps > 1
    r.histograms = o.probe:histograms(48)
    if #r.histograms == 0 then
        r.histograms = nil
        table.insert(r.remarks, "No histograms: the probe was detached before the report was made.")
    end
    local why
    r.prediction, why = prediction.of(o.probe.net, first or rows)
    if not r.prediction then
        table.insert(r.remarks, ("No prediction: %s."):format(why))
    end
    r.facts = facts_of(o, info, date)
    r.line = ("%s · Rille %s · instruction set %s · %d threads%s"):format(date, info.version, info.isa, info.threads,
        o.seed and " · seed " .. value_text(o.seed, 1) or "")
    return r
end

--- Writes the report of a run to path. options: probe (its latest pass is the table's, its records are the histories; where it
-- was detached there are no histograms); the others may be missing: title, diagnosis (flow.diagnose's, whose trials are shown
-- as well), losses (list or tensor, of steps 1, 2, ..., or { steps =, values = }), config (table of what was chosen), seed,
-- notes (text). Returns path, and, where uPlot is missing and histories are drawings that stand still, a sentence that says so.
-- A file that is there is replaced only by a complete one.
function report.save(path, options)
    if type(path) ~= "string" then
        check.argument(1, "save", "path expected, got %s", check.type_name(path))
    end
    local r = gather(read_options(options))
    r.uplot, r.missing = read_uplot()
    return files.write(path, page.html(r)), r.missing
end

return check.strict(report, "rille.report")
