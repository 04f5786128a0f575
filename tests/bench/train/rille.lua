--- Rille as one of the two that bench-train compares: see driver.c for what it is asked.
local rille = require "rille"
local flow = require "rille.flow"
local nn = require "rille.nn"
local optim = require "rille.optim"

local RATE = 1e-3

-- inputs -> width x times -> 10
local function deep(activation, inputs, width, times)
    local layers = {}
    for i = 1, times do
        table.insert(layers, nn.Linear(i == 1 and inputs or width, width))
        table.insert(layers, activation())
    end
    table.insert(layers, nn.Linear(width, 10))
    return nn.Sequential(layers)
end

local Reader = nn.Module:extend "Reader" -- of a sequence: classifies its last state

function Reader:init()
    self.lstm = nn.LSTM(32, 128)
    self.linear = nn.Linear(128, 10)
end

function Reader:forward(x)
    return self.linear((self.lstm(x))[-1])
end

-- What makes each net, the shape of its input, and the batch.
local NETS = {
    sigmoid = { function() return deep(nn.Sigmoid, 784, 256, 3) end, { 64, 784 }, 64 },
    tanh = { function() return deep(nn.Tanh, 64, 64, 50) end, { 64, 64 }, 64 },
    relu = { function() return deep(nn.ReLU, 1024, 1024, 4) end, { 1024, 1024 }, 1024 },
    lstm = { Reader, { 100, 32, 32 }, 32 },
    cnn = { function()
        return nn.Sequential {
            nn.Conv2d(1, 16, 3, { padding = 1, bias = false }), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, { padding = 1, bias = false }), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(32 * 7 * 7, 10),
        }
    end, { 64, 1, 28, 28 }, 64 },
}
local case

local function resident(what)
    for line in io.lines("/proc/self/status") do
        local kilobytes = line:match("^" .. what .. ":%s*(%d+) kB")
        if kilobytes then
            return 1024 * tonumber(kilobytes)
        end
    end
end

local function forget_peak() -- proc(5)
    local file <close> = assert(io.open("/proc/self/clear_refs", "w"))
    file:write("5")
end

-- The norm (its log10) and the standard deviation of every parameter's gradient are among what this measures.
local function measure_gradients(parameters)
    local gradients = {}
    for i, parameter in ipairs(parameters) do
        gradients[i] = parameter.grad
    end
    return rille.measure_many(gradients):totable()
end

local answers = {}

function answers.name()
    return "Rille " .. rille.info().version
end

function answers.case(name, threads, statistics, path)
    rille.threads(tonumber(threads))
    rille.manual_seed(1)
    forget_peak()
    local before, make, shape, batch = resident("VmRSS"), table.unpack(NETS[name])
    local net = make()
    local x, labels = rille.randn(shape), (rille.rand(batch) * 10):floor():to("int64") + 1
    local arrays = { x = x, labels = labels - 1 }
    for i, parameter in ipairs(net:parameters()) do
        arrays[("p%03d"):format(i)] = parameter:detach()
    end
    rille.cross_entropy(net(x), labels):backward()
    for i, parameter in ipairs(net:parameters()) do
        arrays[("g%03d"):format(i)] = parameter.grad
    end
    rille.save_npz(path, arrays)
    case = {
        clock = threads == "1" and os.clock or rille.clock, before = before, net = net, x = x, labels = labels,
        optimizer = optim.SGD(net:parameters(), { lr = RATE }), probe = statistics == "probe" and flow.probe(net),
        parameters = statistics == "gradients" and net:parameters(),
    }
    return "ok"
end

function answers.run(count)
    local net, x, labels, optimizer, probe, parameters =
        case.net, case.x, case.labels, case.optimizer, case.probe, case.parameters
    local began = case.clock()
    for _ = 1, tonumber(count) do
        optimizer:zero_grad()
        rille.cross_entropy(net(x), labels):backward()
        if probe then
            probe:record()
        elseif parameters then
            case.seen = measure_gradients(parameters)
        end
        optimizer:step()
    end
    local seconds = case.clock() - began
    if probe then
        probe:clear()
    end
    return ("%.9g"):format(seconds)
end

function answers.memory()
    return ("%d"):format(resident("VmHWM") - case.before)
end

for line in io.lines() do
    local words = {}
    for word in line:gmatch("%S+") do
        words[#words + 1] = word
    end
    print(answers[words[1]](table.unpack(words, 2)))
    io.stdout:flush()
end
