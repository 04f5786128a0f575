--- rille.reproduce.trained: published results about which nets learn, on the bundled digits. See rille.reproduce for what a
-- line is; functions are given `quick`: true where few steps must do.

local rille = require "rille"
local data = require "rille.data"
local nn = require "rille.nn"
local optim = require "rille.optim"

-- Accuracy and mean loss over the training digits after some steps. start(weight): overwrites it; biases are 0.
local function train(activation, depth, width, steps, lr, start)
    local digits, layers, inputs = data.digits(), {}, 64
    for _ = 1, depth do
        table.insert(layers, nn.Linear(inputs, width))
        table.insert(layers, nn.activation(activation))
        inputs = width
    end
    table.insert(layers, nn.Linear(inputs, 10))
    local net = nn.Sequential(layers)
    for _, parameter in ipairs(net:parameters()) do
        local chosen = parameter:dim() == 2 and start or nn.init.zeros
        chosen(parameter)
    end
    local optimizer, step = optim.SGD(net:parameters(), { lr = lr }), 0
    while step < steps do
        for x, y in data.batches(digits.train.x, digits.train.y, 32, { shuffle = step + 1 }) do
            optimizer:zero_grad()
            rille.cross_entropy(net(x), y):backward()
            optimizer:step()
            step = step + 1
            if step == steps then
                break
            end
        end
    end
    return rille.no_grad(function()
        local y = net(digits.train.x)
        return rille.eq(y:argmax(2), digits.train.y):mean():item(), rille.cross_entropy(y, digits.train.y):item()
    end)
end

-- n Var W = 1/3: PyTorch's and Glorot & Bengio's "standard" weights.
local function standard(weight)
    local bound = 1 / math.sqrt(weight:size(2))
    return nn.init.uniform(weight, -bound, bound)
end

-- The loss of 30 relu layers with n Var W = w2; guessing has ln 10 = 2.303.
local function he_loss(w2, quick)
    return (select(2, train("relu", 30, 128, quick and 150 or 400, 0.01, function(weight)
        nn.init.normal(weight, 0, math.sqrt(w2 / weight:size(2)))
    end)))
end

return {
    { "Glorot & Bengio 2010", "five tanh layers: normalized weights learn faster", true, nil, function(quick)
        local steps = quick and 40 or 100
        local _, normalized = train("tanh", 5, 64, steps, 0.05, nn.init.xavier_uniform)
        local _, plain = train("tanh", 5, 64, steps, 0.05, standard)
        return normalized < plain
    end },
    { "Glorot & Bengio 2010", "five sigmoid layers do not learn", true, nil, function(quick)
        return train("sigmoid", 5, 64, quick and 100 or 400, 0.05, standard) < 0.3
    end },
    { "He 2015", "30 relu layers, n Var W = 2: the loss falls", true, nil, function(quick) return he_loss(2, quick) < 2 end },
    { "He 2015", "30 relu layers, n Var W = 1: it stays at ln 10", true, nil, function(quick)
        return math.abs(he_loss(1, quick) - math.log(10)) < 0.01
    end },
}
