--- rille.reproduce.trained: published results about which nets learn, on the bundled digits. See rille.reproduce for what a
-- line is; functions are given `quick`: true where few steps must do.

local rille = require "rille"
local data = require "rille.data"
local nn = require "rille.nn"
local optim = require "rille.optim"

-- Accuracy and mean loss over the training digits after some steps. net: activation, depth, width, steps, lr, momentum (0), and
-- weight and bias (zeros), functions that overwrite a parameter.
local function train(net)
    local digits, layers, inputs = data.digits(), {}, 64
    for _ = 1, net.depth do
        table.insert(layers, nn.Linear(inputs, net.width))
        table.insert(layers, nn.activation(net.activation))
        inputs = net.width
    end
    table.insert(layers, nn.Linear(inputs, 10))
    local model = nn.Sequential(layers)
    for _, parameter in ipairs(model:parameters()) do
        local start = parameter:dim() == 2 and net.weight or net.bias or nn.init.zeros
        start(parameter)
    end
    local optimizer, step = optim.SGD(model:parameters(), { lr = net.lr, momentum = net.momentum or 0.0 }), 0
    while step < net.steps do
        for x, y in data.batches(digits.train.x, digits.train.y, 64, { shuffle = step + 1 }) do
            optimizer:zero_grad()
            rille.cross_entropy(model(x), y):backward()
            optimizer:step()
            step = step + 1
            if step == net.steps then
                break
            end
        end
    end
    return rille.no_grad(function()
        local y = model(digits.train.x)
        return rille.eq(y:argmax(2), digits.train.y):mean():item(), rille.cross_entropy(y, digits.train.y):item()
    end)
end

-- N(0, w2 / fan_in)
local function gaussian(w2)
    return function(weight) return nn.init.normal(weight, 0, math.sqrt(w2 / weight:size(2))) end
end

-- n Var W = 1/3: Glorot & Bengio's "standard" weights, as PyTorch starts from.
local function standard(weight)
    local bound = 1 / math.sqrt(weight:size(2))
    return nn.init.uniform(weight, -bound, bound)
end

local function five_layers(activation, weight, steps)
    return train { activation = activation, depth = 5, width = 64, steps = steps, lr = 0.1, weight = weight }
end

-- The loss of 30 relu layers with n Var W = w2; guessing has ln 10 = 2.303.
local function he_loss(w2, quick)
    return (select(2, train { activation = "relu", depth = 30, width = 128, steps = quick and 150 or 400, lr = 0.01,
        weight = gaussian(w2) }))
end

-- What tanh nets with sigma_b² = 0.05 learn; as in scripts/edge_of_chaos_training.lua.
local function tanh_learns(w2, depth, quick)
    return train { activation = "tanh", depth = depth, width = quick and 50 or 100, steps = quick and 80 or 200,
        lr = 0.1 / depth, momentum = 0.9, weight = gaussian(w2),
        bias = function(bias) return nn.init.normal(bias, 0, math.sqrt(0.05)) end } > 0.5
end

local GLOROT, HE = "Glorot & Bengio 2010", "He 2015"

return {
    { GLOROT, "five tanh layers: normalized weights learn faster", true, nil, function(quick)
        local steps = quick and 40 or 100
        local _, normalized = five_layers("tanh", nn.init.xavier_uniform, steps)
        local _, plain = five_layers("tanh", standard, steps)
        return normalized < plain
    end },
    { GLOROT, "five sigmoid layers do not learn", true, nil, function(quick)
        return five_layers("sigmoid", standard, quick and 100 or 400) < 0.3
    end },
    { HE, "30 relu layers, n Var W = 2: the loss falls", true, nil, function(quick) return he_loss(2, quick) < 2 end },
    { HE, "30 relu layers, n Var W = 1: it stays at ln 10", true, nil, function(quick)
        return math.abs(he_loss(1, quick) - math.log(10)) < 0.01
    end },
    { "Schoenholz 2017", "critical tanh nets of 40 layers learn", true, nil, function(quick)
        return tanh_learns(1.76, 40, quick)
    end },
    { "Schoenholz 2017", "those with 6 xi = 20 do not, but those of 10", true, nil, function(quick)
        return tanh_learns(4, 10, quick) and not tanh_learns(4, 40, quick)
    end },
}
