--- rille.nn.recurrent: RNN, LSTM and GRU, layers of hidden states that go through a sequence.
--
--     local lstm = nn.LSTM(32, 128, {num_layers = 2, dropout = 0.1})
--     local output, h_n, c_n = lstm(x)          -- x [steps, n, 32] -> output [steps, n, 128], h_n and c_n [2, n, 128]
--
-- Equations, gates' order, names and start values are PyTorch's, but that layers count from 1: weight_ih_l1 is what
-- PyTorch calls weight_ih_l0.

local rille = require "rille"
local check = require "rille.check"
local init = require "rille.nn.initialization"
local module = require "rille.nn.module"

local recurrent = {}

-- Options of all three, beside which each may have its own.
local OPTIONS = { num_layers = 1, bias = true, batch_first = false, dropout = 0, dtype = "float32" }

local function checked_options(name, options, own)
    local defaults = {}
    for _, list in ipairs { OPTIONS, own } do
        for key, value in pairs(list) do
            defaults[key] = value
        end
    end
    options = check.options(3, name, options, defaults)
    options.num_layers = check.positive_integer(3, name, "num_layers", options.num_layers)
    if not (options.dropout >= 0 and options.dropout < 1) then
        check.argument(3, name, "dropout: 0 or more and less than 1 expected, got %s", check.value_text(options.dropout))
    elseif options.dtype ~= "float32" and options.dtype ~= "float64" then
        check.argument(3, name, "dtype: 'float32' or 'float64' expected, got '%s'", options.dtype)
    end
    return options
end

-- The class of a layer with so many gates, whose step is run(self, x, weight_ih, weight_hh, options) -> output [, c_n].
local function recurrent_class(name, gates, own, run)
    local class = module.Module:extend(name)
    local has_c = name == "LSTM"
    recurrent[name] = class

    function class:init(input_size, hidden_size, options)
        self.input_size = check.positive_integer(1, name, "input_size", input_size)
        self.hidden_size = check.positive_integer(2, name, "hidden_size", hidden_size)
        options = checked_options(name, options, own)
        self.num_layers, self.batch_first, self.dropout = options.num_layers, options.batch_first, options.dropout
        self:check_own(options)
        local bound = 1 / math.sqrt(self.hidden_size)
        local function parameter(...)
            local start = rille.zeros({ ... }, { dtype = options.dtype })
            return init.uniform(start, -bound, bound):requires_grad(true)
        end
        local rows = gates * self.hidden_size
        for layer = 1, self.num_layers do
            local width = layer == 1 and self.input_size or self.hidden_size
            self["weight_ih_l" .. layer] = parameter(rows, width)
            self["weight_hh_l" .. layer] = parameter(rows, self.hidden_size)
            self["bias_ih_l" .. layer] = options.bias and parameter(rows)
            self["bias_hh_l" .. layer] = options.bias and parameter(rows)
        end
        self:set_own(options)
    end

    --- What a class adds to init, before its parameters are made and after.
    function class:check_own() end -- luacheck: no unused args
    function class:set_own() end -- luacheck: no unused args

    class.recurrent = true

    local function check_state(self, argument, what, state, n)
        if state == nil then
            return
        elseif not check.is_tensor(state) then
            self:argument_error(argument, "%s: tensor expected, got %s", what, check.type_name(state))
        end
        local expected = { self.num_layers, n, self.hidden_size }
        local given, wanted = check.shape_text(state:shape()), check.shape_text(expected)
        if given ~= wanted then
            self:argument_error(argument, "%s is %s, expected %s", what, given, wanted)
        end
    end

    local function check_input(self, x)
        if not check.is_tensor(x) then
            self:argument_error(1, "tensor expected, got %s", check.type_name(x))
        elseif not check.is_floating(x) then
            self:argument_error(1, "input is %s, expected float32 or float64", x:dtype())
        elseif x:dim() ~= 3 or x:size(-1) ~= self.input_size or x:size(self.batch_first and 2 or 1) == 0 then
            self:argument_error(1, "input is %s, expected [%s, %d]", check.shape_text(x:shape()),
                self.batch_first and "n, steps" or "steps, n", self.input_size)
        end
    end

    --- x [steps, n, input_size] (batch_first: [n, steps, input_size]), and the states before it, [layers, n, hidden_size],
    -- 0 where they are not given -> the last layer's states after each step, as x lies; all layers' states after the last.
    function class:forward(x, h0, c0)
        check_input(self, x)
        local n = x:size(self.batch_first and 1 or 2)
        check_state(self, 2, "h0", h0, n)
        if has_c then
            check_state(self, 3, "c0", c0, n)
        elseif c0 ~= nil then
            self:argument_error(3, "nothing expected after h0, got %s", check.type_name(c0))
        end
        local output, h_n, c_n = self.batch_first and x:transpose(1, 2) or x, {}, {}
        for layer = 1, self.num_layers do
            if layer > 1 and self.training and self.dropout > 0 then
                output = rille.dropout(output, self.dropout)
            end
            output, c_n[layer] = run(self, output, self["weight_ih_l" .. layer], self["weight_hh_l" .. layer], {
                bias_ih = self["bias_ih_l" .. layer] or nil,
                bias_hh = self["bias_hh_l" .. layer] or nil,
                h0 = h0 and h0[layer],
                c0 = c0 and c0[layer],
            })
            h_n[layer] = output[-1]
        end
        output = self.batch_first and output:transpose(1, 2) or output
        if has_c then
            return output, rille.stack(h_n), rille.stack(c_n)
        end
        return output, rille.stack(h_n)
    end

    function class:describe()
        return ("%d -> %d%s"):format(self.input_size, self.hidden_size,
            self.num_layers > 1 and (", %d layers"):format(self.num_layers) or "")
    end

    return class
end

--- nn.RNN(input_size, hidden_size [, {num_layers=1, nonlinearity="tanh", bias=true, batch_first=false, dropout=0,
-- dtype="float32"}]): h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu. dropout: of a layer's output before the next layer,
-- in training. Forward returns output, h_n.
local RNN = recurrent_class("RNN", 1, { nonlinearity = "tanh" }, function(self, x, weight_ih, weight_hh, options)
    options.nonlinearity = self.nonlinearity
    return rille.rnn(x, weight_ih, weight_hh, options)
end)

function RNN:check_own(options)
    if options.nonlinearity ~= "tanh" and options.nonlinearity ~= "relu" then
        check.argument(3, "RNN", "nonlinearity: 'tanh' or 'relu' expected, got '%s'", options.nonlinearity)
    end
    self.nonlinearity = options.nonlinearity
end

--- nn.LSTM(input_size, hidden_size [, options]): input, forget, cell and output gates i, f, g, o, in this order in its weights.
-- Options are RNN's, without nonlinearity, and forget_bias: what the forget gates' biases are at the start, as a sum
-- (Jozefowicz, Zaremba & Sutskever 2015 recommend 1); PyTorch's random ones where it is not given. Forward takes c0 after h0
-- and returns output, h_n, c_n.
local LSTM = recurrent_class("LSTM", 4, { forget_bias = { "number" } }, function(_, x, weight_ih, weight_hh, options)
    return rille.lstm(x, weight_ih, weight_hh, options)
end)

function LSTM:check_own(options) -- luacheck: no unused args
    if options.forget_bias and not options.bias then
        check.argument(3, "LSTM", "option 'forget_bias' goes with bias=true")
    elseif options.forget_bias and options.forget_bias - options.forget_bias ~= 0 then
        check.argument(3, "LSTM", "forget_bias: finite number expected, got %s", check.value_text(options.forget_bias))
    end
end

function LSTM:set_own(options)
    for layer = 1, options.forget_bias and self.num_layers or 0 do
        local width = self.hidden_size
        init.constant(self["bias_ih_l" .. layer]:detach():narrow(1, width + 1, width), options.forget_bias)
        init.constant(self["bias_hh_l" .. layer]:detach():narrow(1, width + 1, width), 0)
    end
end

--- nn.GRU(input_size, hidden_size [, options]): reset, update and new gates r, z, n, in this order in its weights;
-- n = tanh(W_in x + b_in + r (W_hn h + b_hn)), as PyTorch has it. Options are RNN's, without nonlinearity. Forward returns
-- output, h_n.
recurrent_class("GRU", 3, {}, function(_, x, weight_ih, weight_hh, options)
    options.c0 = nil
    return rille.gru(x, weight_ih, weight_hh, options)
end)

return recurrent
