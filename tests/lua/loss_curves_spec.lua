-- Training gives PyTorch's losses, step by step: golden/loss_curves.csv, which golden/loss_curves.py made of the same nets,
-- weights and data.

local rille = require "rille"
local nn = require "rille.nn"
local optim = require "rille.optim"

local TOLERANCE = 1e-10 -- relative; seen: 1e-13

-- -1 ... 1, by splitmix64 of the i-th counter of a stream: the bits that loss_curves.py makes.
local function number(stream, i)
    local z = ((stream << 32) + i + 1) * 0x9E3779B97F4A7C15
    z = (z ~ (z >> 30)) * 0xBF58476D1CE4E5B9
    z = (z ~ (z >> 27)) * 0x94D049BB133111EB
    z = z ~ (z >> 31)
    return (z >> 11) * 0x1p-52 - 1
end

local function tensor(stream, shape, scale)
    local elements, n = {}, 1
    for _, size in ipairs(shape) do
        n = n * size
    end
    for i = 1, n do
        elements[i] = (scale or 1) * number(stream, i - 1)
    end
    return rille.tensor(elements, { dtype = "float64" }):reshape(shape)
end

local function labels(stream, n, classes)
    local list = {}
    for i = 1, n do
        list[i] = math.floor((number(stream, i - 1) + 1) * 0.5 * classes) + 1
    end
    return rille.tensor(list, { dtype = "int64" })
end

local LastOfLSTM = nn.Module:extend "LastOfLSTM"

function LastOfLSTM:init()
    self.lstm = nn.LSTM(3, 5)
    self.head = nn.Linear(5, 1)
end

function LastOfLSTM:forward(x)
    return self.head((self.lstm(x))[-1])
end

-- Each gives net, x, y and the loss's function.
local nets = {}

function nets.mlp()
    local net = nn.Sequential { nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 3) }
    return net, tensor(101, { 32, 8 }), labels(102, 32, 3), rille.cross_entropy
end

function nets.cnn()
    local net = nn.Sequential { nn.Conv2d(1, 4, 3, { padding = 1 }), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64, 3) }
    return net, tensor(103, { 16, 1, 8, 8 }), labels(104, 16, 3), rille.cross_entropy
end

function nets.lstm()
    return LastOfLSTM(), tensor(105, { 8, 6, 3 }), tensor(106, { 6, 1 }), rille.mse_loss
end

local optimizers = {
    sgd = { optim.SGD, { lr = 0.05, momentum = 0.9 } },
    adam = { optim.Adam, { lr = 0.01 } },
    adamw = { optim.AdamW, { lr = 0.01, weight_decay = 0.1 } },
    nesterov = { optim.SGD, { lr = 0.05, momentum = 0.9, weight_decay = 0.01, nesterov = true } },
    rmsprop = { optim.RMSprop, { lr = 0.005 } },
    centered = { optim.RMSprop, { lr = 0.001, alpha = 0.9, momentum = 0.5, centered = true, weight_decay = 0.01 } },
    adagrad = { optim.Adagrad, { lr = 0.05, lr_decay = 0.01, initial_accumulator_value = 0.1 } },
    adadelta = { optim.Adadelta, { lr = 1 } },
}

local function train(net_name, optimizer_name, steps)
    local net, x, y, loss_of = nets[net_name]()
    net:to("float64")
    local parameters = net:parameters()
    rille.no_grad(function()
        for k, parameter in ipairs(parameters) do
            parameter:copy_(tensor(k, parameter:shape(), 0.5))
        end
    end)
    local make, options = table.unpack(optimizers[optimizer_name])
    local optimizer, losses = make(parameters, options), {}
    for step = 1, steps do
        optimizer:zero_grad()
        local loss = loss_of(net(x), y)
        loss:backward()
        optimizer:step()
        losses[step] = loss:item()
    end
    return losses
end

local function read_curves(path)
    local names, curves = {}, {}
    for line in io.lines(path) do
        local column = 0
        for cell in line:gmatch("[^,]+") do
            column = column + 1
            if not names[column] or curves[column] == nil then
                names[column], curves[column] = cell, {}
            else
                table.insert(curves[column], tonumber(cell))
            end
        end
    end
    return names, curves
end

describe("100 losses equal PyTorch's:", function()
    local names, curves = read_curves("tests/golden/loss_curves.csv")
    assert(#names == 14, "14 curves are expected")
    for column, name in ipairs(names) do
        it(name, function()
            local expected = curves[column]
            assert.equal(100, #expected)
            local losses = train(name:match("(%a+) (%a+)"), name:match("%a+ (%a+)"), 100)
            for step, loss in ipairs(losses) do
                assert(math.abs(loss - expected[step]) <= TOLERANCE * math.abs(expected[step]),
                    ("step %d: the loss is %.17g, PyTorch's %.17g"):format(step, loss, expected[step]))
            end
            assert(losses[100] < 0.9 * losses[1], "it has not learnt")
        end)
    end
end)
