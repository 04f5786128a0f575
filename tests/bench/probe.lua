--- What watching a net costs: a training step of 64-64x50-10 tanh, batch 64, without a probe, with one that records every step,
-- and with one whose hooks are off again. Medians of steps taken in turns; threads as the environment has them.
--
--     rille tests/bench/probe.lua JSON

local rille = require "rille"
local flow = require "rille.flow"
local nn = require "rille.nn"
local optim = require "rille.optim"

local LAYERS, WIDTH, BATCH, STEPS, ROUNDS = 50, 64, 64, 20, 15

local function make_run(kind)
    rille.manual_seed(1)
    local layers = {}
    for _ = 1, LAYERS do
        table.insert(layers, nn.Linear(WIDTH, WIDTH))
        table.insert(layers, nn.Tanh())
    end
    table.insert(layers, nn.Linear(WIDTH, 10))
    local net = nn.Sequential(layers)
    local optimizer = optim.SGD(net:parameters(), { lr = 0.01 })
    local x, y = rille.randn(BATCH, WIDTH), (rille.rand(BATCH) * 10):floor():to("int64") + 1
    local probe = kind ~= "no probe" and flow.probe(net)
    if kind == "probe detached" then
        probe:detach()
    end
    return { kind = kind, samples = {}, step = function()
        optimizer:zero_grad()
        rille.cross_entropy(net(x), y):backward()
        if kind == "probe on" then
            probe:record()
        end
        optimizer:step()
    end, clear = function()
        if probe then
            probe:clear()
        end
    end }
end

local function median(list)
    table.sort(list)
    return list[(#list + 1) // 2]
end

local runs = { make_run("no probe"), make_run("probe detached"), make_run("probe on") }
for round = 0, ROUNDS do
    for _, run in ipairs(runs) do
        local began = rille.clock()
        for _ = 1, STEPS do
            run.step()
        end
        if round > 0 then -- the first one warms up
            table.insert(run.samples, (rille.clock() - began) / STEPS)
        end
        run.clear()
    end
end
local base = median(runs[1].samples)
print(("a step of %d-%dx%d-10 tanh, batch %d, threads %d"):format(WIDTH, WIDTH, LAYERS, BATCH, rille.threads()))
local entries = {}
for i, run in ipairs(runs) do
    local seconds = median(run.samples)
    print(("%-16s %7.3f ms   %+6.1f %%"):format(run.kind, 1e3 * seconds, 100 * (seconds / base - 1)))
    entries[i] = ('  {"probe": "%s", "seconds": %.6g}'):format(run.kind, seconds)
end
if arg[1] then
    local file <close> = assert(io.open(arg[1], "w"))
    file:write("[\n", table.concat(entries, ",\n"), "\n]\n")
end
