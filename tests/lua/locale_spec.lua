-- A host may set a locale whose decimal numbers have a comma and whose words have another order: files are the same.
local support = require "support"

-- Writes one file of each kind that has numbers in it, and reads back what Rille reads. arg: folder, locale.
local PROGRAM = [==[
local folder, locale = arg[1], arg[2]
assert(os.setlocale(locale) == locale)
assert(tostring(0.5) == (locale == "C" and "0.5" or "0,5"))
assert(("a" < "Z") == (locale ~= "C"))
local rille, data, files = require "rille", require "rille.data", require "rille.files"
local flow, nn, optim = require "rille.flow", require "rille.nn", require "rille.optim"
local report, train = require "rille.report", require "rille.train"

rille.save(folder .. "/state.safetensors", { loss = 0.125, a = 1e-300, Z = { 2.0, -1.5 }, w = rille.tensor { 0.5 } })
local state = rille.load(folder .. "/state.safetensors")
assert(state.loss == 0.125 and state.a == 1e-300 and state.Z[1] == 2 and state.Z[2] == -1.5)

files.write(folder .. "/in.csv", "x;y;kind\n0.5;1,5;a\n-2.5e-1;2,5;Z\n")
local set = data.csv(folder .. "/in.csv", { separator = ";", target = "kind" })
assert(set.x[1][1] == 0.5 and set.x[2][1] == -0.25 and #set.names == 1 and set.text.y[1] == "1,5")
assert(set.classes[1] == "Z" and set.y[1] == 2)

rille.manual_seed(1)
local net = nn.Sequential { nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2) }
local probe = flow.probe(net)
for _, log in ipairs { "/log.csv", "/log.jsonl" } do
    for step in train.loop { net = net, data = { x = rille.randn(8, 3), y = rille.ones(8):to("int64") }, epochs = 3,
        batch_size = 4, optimizer = optim.SGD(net:parameters(), { lr = 0.1 }), loss = rille.cross_entropy, progress = false,
        log = folder .. log,
    } do
        probe:record(step)
    end
end
probe:csv(folder .. "/probe.csv")
report.save(folder .. "/report.html", { probe = probe, losses = { 2.5, 1.5 }, config = { a = 0.5, Z = 1.5 } })
local gnuplot = require "rille.plot.gnuplot"
local panel = { x = { 0.25, 0.5 }, series = { { x = { 0.25, 0.5 }, y = { 1.5, 2.5 }, label = "a, b", style = "linespoints" } } }
local map = { map = { x = { 0.5, 1.5 }, y = { "a", "b" }, values = { { 0.5, 1.5 }, { 2.5, 3.5 } } } }
local panels = { panels = { panel, panel }, legend = "shared", title = "%d, 1.5" }
for format, figure in pairs { svg = panel, pdf = panels, png = map } do
    files.write(folder .. "/" .. format .. ".gp", gnuplot.script(figure, format, "out"))
end
]==]

describe("a locale with decimal commas", function()
    it("changes no file that is written, and none that is read", function()
        local folder = os.tmpname()
        os.remove(folder)
        assert(os.execute("mkdir " .. folder))
        finally(function() os.execute("rm -r " .. folder) end)
        local made = os.execute(("cd %s && mkdir locales C de_DE.UTF-8 && localedef -i de_DE -f UTF-8 locales/de_DE.UTF-8 2>&1")
            :format(folder))
        if not made then
            return pending("the package locales is not installed")
        end
        support.write(folder .. "/program.lua", PROGRAM)
        for _, locale in ipairs { "C", "de_DE.UTF-8" } do
            local said, well = support.run(("LOCPATH=%s/locales %s %s/program.lua %s/%s %s"):format(folder,
                support.interpreter(), folder, folder, locale, locale))
            assert.is_true(well, said)
        end
        local names = support.files_in(folder .. "/C")
        assert.equal(9, #names)
        local function content(locale, name)
            return (support.read(("%s/%s/%s"):format(folder, locale, name)):gsub("%d%d:%d%d UTC", "")) -- when it was written
        end
        for _, name in ipairs(names) do
            assert.equal(content("C", name), content("de_DE.UTF-8", name), name)
        end
    end)
end)
