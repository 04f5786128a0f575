--- What a step of each optimiser costs: of 100 small parameters, of 100 middling ones, of one past every cache, float32. The
-- last beside a copy of as many bytes as the step reads and writes. Medians; threads as the environment has them.
--
--     rille tests/bench/optimizers.lua JSON

local rille = require "rille"
local files = require "rille.files"
local optim = require "rille.optim"
local profiling = require "rille.profiling"
local text = require "rille.text"

local SIZES = { { 100, 64 }, { 100, 4096 }, { 1, 1 << 23 } } -- how many parameters of how many elements
local ROUNDS, SECONDS = 9, 0.05                              -- at least, for a round
local STATES = { SGD = 1, Adam = 2, AdamW = 2, RMSprop = 1, Adagrad = 1, Adadelta = 2, Lion = 1 }

local function median(list)
    table.sort(list)
    return list[(#list + 1) // 2]
end

local function seconds_of(name, count, size)
    local parameters = {}
    for i = 1, count do
        parameters[i] = rille.ones(size, { requires_grad = true })
        parameters[i].grad = rille.ones(size)
    end
    local optimizer = optim[name](parameters, name == "SGD" and { lr = 1e-3, momentum = 0.9 } or nil)
    optimizer:step()
    local moved = 1 - parameters[count][size]
    assert(moved > 0 and moved < 0.1, "every optimiser goes against a gradient of 1") -- verified, then timed
    local samples = {}
    for round = 1, ROUNDS do
        local steps, began = 0, rille.clock()
        repeat
            optimizer:step()
            steps = steps + 1
        until rille.clock() - began > SECONDS
        samples[round] = (rille.clock() - began) / steps
    end
    return median(samples)
end

local copy = profiling.machine().bytes
local rows, json = {}, {}
for _, name in ipairs { "SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Lion" } do
    local cells, last = { name }, nil
    for _, size in ipairs(SIZES) do
        last = seconds_of(name, size[1], size[2])
        cells[#cells + 1] = ("%.1f"):format(1e6 * last)
        json[#json + 1] = ('{"optimizer":"%s","parameters":%d,"elements":%d,"seconds":%.6g}'):format(name, size[1], size[2],
            last)
    end
    local rate = SIZES[#SIZES][2] * 4 * (3 + 2 * STATES[name]) / last
    cells[#cells + 1] = text.number(rate / 1e9)
    cells[#cells + 1] = ("%.2f"):format(rate / copy)
    rows[#rows + 1] = cells
end
print(text.table({ "<optimiser", "100 x 64, us", "100 x 4096, us", "1 x 8M, us", "GB/s", "of a copy" }, rows))
if arg[1] then
    files.write(arg[1], "[" .. table.concat(json, ",\n") .. "]\n")
end
