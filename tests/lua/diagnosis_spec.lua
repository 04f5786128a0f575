local rille = require "rille"
local flow = require "rille.flow"
local nn = require "rille.nn"
local optim = require "rille.optim"
local message_of = require("support").message_of

describe("flow.diagnose", function()
    local function deep(activation, depth, fill)
        rille.manual_seed(4)
        local layers = {}
        for i = 1, depth do
            layers[2 * i - 1] = nn.Linear(16, 16)
            layers[2 * i] = nn[activation]()
        end
        table.insert(layers, nn.Linear(16, 4))
        local net = nn.Sequential(layers)
        for name, parameter in net:named_parameters() do
            if name:find("weight$") then
                fill(parameter)
            else
                nn.init.zeros(parameter)
            end
        end
        return net
    end

    local function diagnose(net, options)
        local probe = flow.probe(net)
        local labels = rille.tensor({ 1, 2, 3, 4, 1, 2, 3, 4 }, { dtype = "int64" })
        rille.cross_entropy(net(rille.randn(8, 16)), labels):backward()
        return flow.diagnose(probe, options)
    end

    local function verdicts(result)
        local list = {}
        for i, layer in ipairs(result.layers) do
            list[i] = layer.verdict
        end
        return list
    end

    it("calls a relu net with He's start healthy", function()
        local result = diagnose(deep("ReLU", 5, function(w)
            nn.init.kaiming_normal(w, { nonlinearity = "relu" })
        end))
        assert.is_true(result.healthy)
        assert.is_nil(result.first)
        assert.matches("^step 0: every layer is healthy\n", tostring(result))
        for _, layer in ipairs(result.layers) do
            assert.is_nil(layer.remedy)
        end
    end)

    it("finds vanishing, from where the loss sees it first", function()
        local result = diagnose(deep("Sigmoid", 5, nn.init.xavier_uniform))
        assert.is_false(result.healthy)
        assert.equal("vanishing", result.layers[1].verdict)
        assert.equal("healthy", result.layers[6].verdict)
        local last
        for _, layer in ipairs(result.layers) do
            last = layer.verdict == "vanishing" and layer.name or last
        end
        assert.equal(last, result.first.name)
        assert.equal("Sigmoid", result.layers[1].activation)
        assert.is_true(result.layers[1].log10_ratio < result.layers[2].log10_ratio)
        assert.is_true(result.layers[1].log10_ratio < -2)
    end)

    it("finds exploding", function()
        local result = diagnose(deep("Identity", 5, function(w)
            nn.init.normal(w, 0, 1.5)
        end), { exploding_norm = 100 })
        assert.equal("exploding", result.layers[1].verdict)
        assert.equal("exploding", result.first.verdict)
        assert.matches("gradient clipping", result.layers[1].remedy)
    end)

    it("finds saturation", function()
        local result = diagnose(deep("Tanh", 2, function(w)
            nn.init.normal(w, 0, 10)
        end), { exploding = math.huge, exploding_norm = math.huge, vanishing = 0, gain = math.huge })
        assert.same({ "saturated", "saturated", "healthy" }, verdicts(result))
        assert.equal("[1]", result.first.name)
        assert.is_true(result.layers[1].saturated > 0.5)
        assert.matches("%d+ %% saturated", result.layers[1].text)
    end)

    it("does not call a relu saturated, but finds its dead units", function()
        local net = deep("ReLU", 2, function(w)
            nn.init.kaiming_normal(w, { nonlinearity = "relu" })
        end)
        assert.is_true(diagnose(net).healthy)
        nn.init.constant(net[3].bias, -100)
        net:zero_grad()
        local result = diagnose(net)
        assert.equal(1, result.layers[2].dead)
        assert.equal("dead", result.layers[2].verdict)
        assert.matches("its weight gets no gradient at all", result.layers[2].text)
        nn.init.constant(net[3].bias, -1.5)
        net:zero_grad()
        result = diagnose(net, { vanishing = 0, dead = 0.2 })
        assert.equal("dead", result.layers[2].verdict)
        assert.matches("LeakyReLU", result.layers[2].remedy)
    end)

    it("finds what is not finite, and when it began", function()
        local net = deep("Tanh", 2, nn.init.xavier_uniform)
        local probe = flow.probe(net)
        net(rille.randn(8, 16)):sum():backward()
        probe:record(0)
        nn.init.constant(net[3].weight, 0 / 0)
        for step = 1, 2 do
            net:zero_grad()
            net(rille.randn(8, 16)):sum():backward()
            probe:record(step)
        end
        local result = flow.diagnose(probe)
        assert.equal(2, result.step)
        assert.same({ step = 1, name = "[3]", verdict = "non-finite" }, result.first)
        assert.equal("weights", result.layers[2].nonfinite)
        assert.equal("gradient", result.layers[1].nonfinite)
        assert.matches("first broken at step 1: layer 3, non%-finite", tostring(result))
    end)

    it("takes thresholds, and refuses others", function()
        local net = deep("Tanh", 3, nn.init.xavier_uniform)
        assert.is_true(diagnose(net).healthy)
        net:zero_grad()
        local result = diagnose(net, { vanishing = 1e3, exploding = 1e6 })
        assert.equal(1e3, result.thresholds.vanishing)
        assert.same({ "vanishing", "vanishing", "vanishing", "healthy" }, verdicts(result))
        assert.equal("bad argument #2 to 'diagnose' (unknown option 'vanishin'; did you mean 'vanishing'?)",
            message_of(diagnose, net, { vanishin = 1 }))
    end)
end)

describe("flow.diagnose, given a batch,", function()
    local function sick()
        rille.manual_seed(3)
        local net = nn.Sequential {}
        for i = 1, 12, 2 do
            net[i], net[i + 1] = nn.Linear(8, 8), nn.Sigmoid()
        end
        net[13] = nn.Linear(8, 3)
        local x = rille.randn(30, 8)
        return net, x, x:narrow(2, 1, 3):argmax(2)
    end

    it("tries remedies on copies and ranks them by the loss", function()
        local net, x, y = sick()
        local probe = flow.probe(net)
        rille.cross_entropy(net(x), y):backward()
        local before, gradient, random = net:state(), net[1].weight.grad:totable(), rille.rng_state()
        local result = flow.diagnose(probe, { inputs = x, targets = y, steps = 30, lr = 0.3 })
        assert.equal(1, #probe:passes())
        for name, tensor in pairs(net:state()) do
            assert.same(before[name]:totable(), tensor:totable())
        end
        assert.same(gradient, net[1].weight.grad:totable())
        assert.same(random, rille.rng_state())
        local place, last = {}, -math.huge
        for i, trial in ipairs(result.trials) do
            place[trial.name] = i
            assert.is_nil(trial.failed)
            assert.is_true(trial.after >= last)
            last = trial.after
        end
        for _, name in ipairs { "as it is", "learning rate / 10", "learning rate x 10", "gradient clipping to norm 1",
            "start weights by activation", "ReLU for what saturates", "ReLU and its start weights", "batch normalisation",
            "layer normalisation", "residual connections" } do
            assert.is_number(place[name], name)
        end
        for _, name in ipairs { "LSTM for RNN", "LeakyReLU for ReLU", "no parameter frozen", "standardised inputs" } do
            assert.is_nil(place[name], name)
        end
        assert.is_true(place["batch normalisation"] < place["as it is"])
        assert.is_true(place["ReLU and its start weights"] < place["as it is"])
        assert.matches("best first\n.*\n" .. result.trials[1].name, tostring(result))
        local again = flow.diagnose(probe, { inputs = x, targets = y, steps = 30, lr = 0.3 })
        assert.equal(tostring(result), tostring(again))
    end)

    it("tries what fits the net, and survives what does not train", function()
        rille.manual_seed(3)
        local Last = nn.Module:extend "Last"
        function Last:forward(x) -- luacheck: no unused args
            return x[-1]
        end
        local net = nn.Sequential { nn.RNN(2, 8), Last(), nn.Linear(8, 1) }
        net[3].bias:requires_grad(false)
        local x = rille.randn(20, 16, 2) * 100
        local probe = flow.probe(net)
        rille.mse_loss(net(x), x[1]:narrow(2, 1, 1)):backward()
        local result = flow.diagnose(probe, { inputs = x, targets = x[1]:narrow(2, 1, 1), loss = rille.mse_loss, lr = 1e20,
            steps = 5 })
        local found = {}
        for _, trial in ipairs(result.trials) do
            found[trial.name] = trial
        end
        for _, name in ipairs { "LSTM for RNN", "GRU for RNN", "no parameter frozen", "standardised inputs" } do
            assert.is_table(found[name], name)
        end
        assert.is_nil(found["as it is"].after)
        assert.matches("not finite", tostring(result))
    end)

    it("says what is missing", function()
        local net, x = sick()
        local probe = flow.probe(net)
        net(x):sum():backward()
        assert.equal("bad argument #2 to 'diagnose' (option 'targets' is missing: remedies are tried on inputs and targets)",
            message_of(flow.diagnose, probe, { inputs = x }))
        assert.equal("bad argument #2 to 'diagnose' (option 'targets' goes with inputs, on which remedies are tried)",
            message_of(flow.diagnose, probe, { targets = x }))
        assert.equal("bad argument #2 to 'diagnose' (option 'steps': positive integer expected, got 1.5)",
            message_of(flow.diagnose, probe, { inputs = x, targets = x, steps = 1.5 }))
    end)
end)

-- Nets that are well but for one planted fault, each with the place and the verdict that the diagnosis has to find.
describe("flow.diagnose finds the planted fault:", function()
    local WIDTH, DEPTH = 32, 6

    -- DEPTH times Linear [1] [3] ... and activation [2] [4] ..., then Linear [13]; start weights that keep the gradient.
    local function well(activation)
        rille.manual_seed(7)
        local layers = {}
        for i = 1, DEPTH do
            layers[2 * i - 1], layers[2 * i] = nn.Linear(WIDTH, WIDTH), nn.activation(activation)
        end
        table.insert(layers, nn.Linear(WIDTH, 4))
        local net = nn.Sequential(layers)
        for name, parameter in net:named_parameters() do
            if name:find("weight$") then
                nn.init.kaiming_normal(parameter, { nonlinearity = activation })
            else
                nn.init.zeros(parameter)
            end
        end
        return net
    end

    local function batch()
        rille.manual_seed(8)
        return rille.randn(64, WIDTH), (rille.rand(64) * 4):floor():to("int64") + 1
    end

    -- Two steps of training with a record each, or one, then the diagnosis.
    local function diagnose(net, x, y, lr)
        local probe, optimizer = flow.probe(net), optim.SGD(net:parameters(), { lr = lr or 0.05 })
        for step = 1, lr and 2 or 1 do
            optimizer:zero_grad()
            rille.cross_entropy(net(x), y):backward()
            probe:record(step)
            optimizer:step()
        end
        return flow.diagnose(probe)
    end

    local function scaled(parameter, factor)
        nn.init.normal(parameter:detach(), 0, 1)
        rille.no_grad(parameter.copy_, parameter, parameter * (factor / math.sqrt(WIDTH)))
    end

    local Detach = nn.Module:extend "Detach"
    function Detach:forward(x) -- luacheck: no unused args
        return x:detach():requires_grad(true)
    end

    local CASES = {
        { "nothing", "relu", nil, nil, function() end },
        { "nothing, with tanh", "tanh", nil, nil, function() end },
        { "saturated", "tanh", "[5]", "saturated", function(net) scaled(net[5].weight, 30) end },
        { "saturated by its bias", "sigmoid", "[7]", "saturated", function(net) nn.init.constant(net[7].bias, 20) end },
        { "dead", "relu", "[9]", "dead", function(net) nn.init.constant(net[9].bias, -50) end },
        { "exploding start weights", "relu", "[5]", "exploding", function(net) scaled(net[5].weight, 60) end },
        { "vanishing start weights", "relu", "[9]", "vanishing", function(net) scaled(net[9].weight, 0.02) end },
        { "a missing bias", "relu", "[7]", "missing bias", function(net) net[7] = nn.Linear(WIDTH, WIDTH, { bias = false })
            nn.init.kaiming_normal(net[7].weight, { nonlinearity = "relu" }) end },
        { "a learning rate too high", "tanh", nil, "overshooting", function() return nil, 20 end },
        { "a learning rate too low", "tanh", nil, "stalled", function() return nil, 1e-9 end },
        { "NaN in the inputs", "relu", "[1]", "non-finite", function() return function(x) x[{ 3, 5 }] = 0 / 0 end end },
        { "a frozen layer", "relu", "[3]", "frozen", function(net) net[3].weight:requires_grad(false) end },
        { "an infinite weight", "relu", "[11]", "non-finite", function(net) net[11].weight:detach()[{ 1, 1 }] = math.huge end },
        { "equal start weights", "tanh", "[5]", "symmetric", function(net) nn.init.constant(net[5].weight, 0.1) end },
        { "unscaled inputs", "relu", "[1]", "unscaled input", function() return function(x) x:copy_(x * 255) end end },
        { "a gradient that is cut off", "relu", "[5]", "cut off", function(net) net[6] = Detach() end },
    }

    for _, case in ipairs(CASES) do
        local name, activation, place, verdict, plant = table.unpack(case, 1, 5)
        it(name, function()
            local net = well(activation)
            local x, y = batch()
            local change, lr = plant(net)
            if change then
                change(x)
            end
            local result = diagnose(net, x, y, lr)
            if not verdict then
                assert.is_true(result.healthy, tostring(result))
                return
            end
            assert.equal(verdict, result.first.verdict, tostring(result))
            assert.equal(place or result.first.name, result.first.name, tostring(result))
            assert.is_string(result.layers[1].text)
        end)
    end
end)
