local rille = require "rille"
local nn = require "rille.nn"
local message_of = require("support").message_of

local f64 = { dtype = "float64" }

local function expect_near(expected, actual, what)
    local worst = (expected - actual):abs():max():item()
    assert(worst <= 1e-12, ("%s differs by %g"):format(what, worst))
end

-- One step of each kind from the gates' shares, a and b, and the states: the new h and c.
local STEPS = {
    RNN = function(a, b) return (a + b):tanh() end,
    LSTM = function(a, b, _, c)
        local all, width = a + b, c:size(2)
        local function gate(i) return all:narrow(2, (i - 1) * width + 1, width) end
        c = gate(2):sigmoid() * c + gate(1):sigmoid() * gate(3):tanh()
        return gate(4):sigmoid() * c:tanh(), c
    end,
    GRU = function(a, b, h)
        local width = h:size(2)
        local function of(share, i) return share:narrow(2, (i - 1) * width + 1, width) end
        local r, z = (of(a, 1) + of(b, 1)):sigmoid(), (of(a, 2) + of(b, 2)):sigmoid()
        return (1 - z) * (of(a, 3) + r * of(b, 3)):tanh() + z * h
    end,
}

-- What net computes, step by step by other operations: the sum of weighted outputs and last states.
local function by_hand(net, x, h0, c0, weigh)
    local total, input = 0, {}
    for t = 1, x:size(1) do
        input[t] = x[t]
    end
    for layer = 1, net.num_layers do
        local h, c = h0[layer], c0[layer]
        for t = 1, #input do
            local a = rille.linear(input[t], net["weight_ih_l" .. layer], net["bias_ih_l" .. layer])
            local b = rille.linear(h, net["weight_hh_l" .. layer], net["bias_hh_l" .. layer])
            h, c = STEPS[net.class_name](a, b, h, c)
            input[t] = h
        end
        total = total + weigh(h, layer) + (net.class_name == "LSTM" and weigh(c, -layer) or 0)
    end
    for t = 1, #input do
        total = total + weigh(input[t], 10 + t)
    end
    return total
end

describe("recurrent layers", function()
    for _, name in ipairs { "RNN", "LSTM", "GRU" } do
        it("compute what single steps do, with the same gradients: " .. name, function()
            rille.manual_seed(7)
            local net = nn[name](3, 4, { num_layers = 2, dtype = "float64", dropout = 0.5 }):eval()
            local x = rille.randn(5, 2, 3, f64):requires_grad(true)
            local h0, c0 = rille.randn(2, 2, 4, f64):requires_grad(true), rille.randn(2, 2, 4, f64):requires_grad(true)
            local function weigh(t, i)
                return (t * rille.arange(1, t:numel(), f64):add(i):cos():reshape(t:shape())):sum()
            end
            local is_lstm = name == "LSTM"
            local output, h_n, c_n = net(x, h0, is_lstm and c0 or nil)
            assert.same({ 5, 2, 4 }, output:shape())
            assert.same({ 2, 2, 4 }, h_n:shape())
            assert.same(is_lstm and { 2, 2, 4 } or nil, c_n and c_n:shape())
            local total = 0
            for layer = 1, 2 do
                total = total + weigh(h_n[layer], layer) + (c_n and weigh(c_n[layer], -layer) or 0)
            end
            for t = 1, 5 do
                total = total + weigh(output[t], 10 + t)
            end
            local inputs = net:parameters()
            assert.equal(8, #inputs)
            table.insert(inputs, x)
            table.insert(inputs, h0)
            if is_lstm then
                table.insert(inputs, c0)
            end
            local expected = by_hand(net, x, h0, c0, weigh)
            expect_near(expected, total, "the total")
            local right, got = rille.grad(expected, inputs), rille.grad(total, inputs)
            for i = 1, #inputs do
                expect_near(right[i], got[i], "gradient " .. i)
            end
            expect_near(output[5], h_n[2], "the last state")
            local turned = nn[name](3, 4, { num_layers = 2, dtype = "float64", batch_first = true })
            turned:load_state(net:state())
            expect_near(output:transpose(1, 2), turned(x:transpose(1, 2), h0, is_lstm and c0 or nil), "batch_first")
        end)

        it("name, shape and start their parameters as PyTorch does: " .. name, function()
            rille.manual_seed(1)
            local gates = ({ RNN = 1, LSTM = 4, GRU = 3 })[name]
            local net, names = nn[name](5, 16, { num_layers = 2 }), {}
            for parameter, t in net:named_parameters() do
                table.insert(names, ("%s [%s]"):format(parameter, table.concat(t:shape(), ", ")))
                local s = rille.measure(t)
                assert.is_true(s.min >= -0.25 and s.max <= 0.25 and s.max > 0.15 and s.min < -0.15)
            end
            local rows = gates * 16
            assert.same({ ("weight_ih_l1 [%d, 5]"):format(rows), ("weight_hh_l1 [%d, 16]"):format(rows),
                ("bias_ih_l1 [%d]"):format(rows), ("bias_hh_l1 [%d]"):format(rows),
                ("weight_ih_l2 [%d, 16]"):format(rows), ("weight_hh_l2 [%d, 16]"):format(rows),
                ("bias_ih_l2 [%d]"):format(rows), ("bias_hh_l2 [%d]"):format(rows) }, names)
            assert.equal(4, #nn[name](5, 16, { num_layers = 2, bias = false }):parameters())
        end)
    end

    it("drop between layers in training alone", function()
        rille.manual_seed(3)
        local net = nn.GRU(3, 50, { num_layers = 2, dropout = 0.5 })
        local x = rille.randn(4, 2, 3)
        local first, second = net(x):totable(), net(x):totable()
        assert.not_same(first, second)
        net:eval()
        assert.same(net(x):totable(), net(x):totable())
        local plain = nn.GRU(3, 50, { num_layers = 2 })
        plain:load_state(net:state())
        assert.same(net(x):totable(), plain(x):totable())
        assert.same(nn.GRU(3, 5, { dropout = 0.5 })(x):shape(), { 4, 2, 5 })
    end)

    it("take relu, and a bias for the gates that forget", function()
        local net = nn.RNN(2, 3, { nonlinearity = "relu" })
        assert.is_true(net(rille.randn(9, 5, 2)):min():item() == 0)
        local lstm = nn.LSTM(2, 3, { forget_bias = 1, num_layers = 2 })
        for layer = 1, 2 do
            local bias = lstm["bias_ih_l" .. layer] + lstm["bias_hh_l" .. layer]
            assert.same({ 1, 1, 1 }, bias:narrow(1, 4, 3):totable())
            assert.not_equal(1, bias[1])
        end
    end)

    it("stand in a Sequential and print what they are", function()
        local net = nn.Sequential { nn.LSTM(3, 4, { num_layers = 2 }), nn.Linear(4, 1) }
        assert.same({ 5, 2, 1 }, net(rille.zeros(5, 2, 3)):shape())
        assert.matches("LSTM%(3 %-> 4, 2 layers%)", tostring(net))
    end)

    it("say what is wrong", function()
        local net = nn.LSTM(3, 4)
        local x = rille.zeros(5, 2, 3)
        assert.equal("bad argument #1 to 'LSTM' (input is [5, 3], expected [steps, n, 3])",
            message_of(net, rille.zeros(5, 3)))
        assert.equal("bad argument #1 to 'LSTM' (input is [0, 2, 3], expected [steps, n, 3])",
            message_of(net, rille.zeros(0, 2, 3)))
        assert.equal("bad argument #1 to 'GRU' (net[1]: input is [5, 2, 3], expected [n, steps, 4])",
            message_of(nn.Sequential { nn.GRU(4, 4, { batch_first = true }) }, x))
        assert.equal("bad argument #1 to 'LSTM' (tensor expected, got nil)", message_of(net))
        assert.equal("bad argument #1 to 'LSTM' (input is int64, expected float32 or float64)",
            message_of(net, x:to "int64"))
        assert.equal("bad argument #2 to 'LSTM' (h0 is [2, 4], expected [1, 2, 4])", message_of(net, x, rille.zeros(2, 4)))
        assert.equal("bad argument #3 to 'LSTM' (c0: tensor expected, got number)",
            message_of(net, x, rille.zeros(1, 2, 4), 1))
        assert.equal("bad argument #3 to 'GRU' (nothing expected after h0, got tensor)",
            message_of(nn.GRU(3, 4), x, rille.zeros(1, 2, 4), x))
        assert.equal("lstm: weight_hh is float32, the input float64", message_of(net, x:to "float64"))
        assert.equal("bad argument #3 to 'RNN' (nonlinearity: 'tanh' or 'relu' expected, got 'sigmoid')",
            message_of(nn.RNN, 3, 4, { nonlinearity = "sigmoid" }))
        assert.equal("bad argument #3 to 'GRU' (unknown option 'nonlinearity')",
            message_of(nn.GRU, 3, 4, { nonlinearity = "tanh" }))
        assert.equal("bad argument #3 to 'RNN' (dropout: 0 or more and less than 1 expected, got 1)",
            message_of(nn.RNN, 3, 4, { dropout = 1 }))
        assert.equal("bad argument #3 to 'LSTM' (num_layers: positive integer expected, got 0)",
            message_of(nn.LSTM, 3, 4, { num_layers = 0 }))
        assert.equal("bad argument #3 to 'LSTM' (option 'forget_bias' goes with bias=true)",
            message_of(nn.LSTM, 3, 4, { forget_bias = 1, bias = false }))
        assert.equal("bad argument #4 to 'lstm' (no option 'bias')",
            message_of(rille.lstm, x, net.weight_ih_l1, net.weight_hh_l1, { bias = 1 }))
        assert.equal("bad argument #4 to 'rnn' (option 'h0' must be a tensor, got number)",
            message_of(rille.rnn, x, net.weight_ih_l1, net.weight_hh_l1, { h0 = 1 }))
        assert.equal("bad argument #4 to 'rnn' (option 'nonlinearity' must be 'tanh' or 'relu', got elu)",
            message_of(rille.rnn, x, net.weight_ih_l1, net.weight_hh_l1, { nonlinearity = "elu" }))
        local y = net(x:requires_grad(true)):sum()
        assert.equal("lstm: its gradient cannot be differentiated again: create_graph ends here",
            message_of(rille.grad, y, x, { create_graph = true }))
    end)
end)
