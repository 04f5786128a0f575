#!/usr/bin/env lua5.4
--- How far back a gradient reaches through a recurrent net: RNN, GRU, and LSTM by its forget bias, before any training. The
-- loss looks at the last hidden state alone; what of it arrives at the input k steps before is the net's memory. Pascanu,
-- Mikolov & Bengio 2013; Gers, Schmidhuber & Cummins 2000 and Jozefowicz, Zaremba & Sutskever 2015 on the forget bias.

local rille = require "rille"
local experiment = require "rille.experiment"
local flow = require "rille.flow"
local nn = require "rille.nn"
local text = require "rille.text"

local FORGET_BIASES = { 0, 1, 2, 5 }
local SHOWN = { 1, 10, 50, 100, 200 }

local o = experiment.options("lstm_memory.lua", "Measures how much gradient reaches back through RNN, GRU and LSTM.", {
    { "steps", "Length of the sequences.", 201, 20 },
    { "width", "Hidden units.", 64, 1 },
    { "batch", "Sequences.", 16, 1 },
    { "nets", "Nets of each kind that are averaged over.", 5, 1 },
})

-- The largest |eigenvalue| of a matrix, by its powers: |W^k v|^(1/k).
local function spectral_radius(weight)
    local v, log_growth, rounds = rille.randn(weight:size(1), 1, { dtype = "float64" }), 0, 1000
    for _ = 1, rounds do
        v = weight:matmul(v)
        local norm = v:norm():item()
        log_growth, v = log_growth + math.log(norm, 10), v / norm
    end
    return log_growth / rounds
end

local function sigmoid(x)
    return 1 / (1 + math.exp(-x))
end

-- What a step does to the state where that is near 0: a matrix. RNN: h' = W h. The gates of a GRU and an LSTM are then 1/2, or
-- sigmoid(bias) for the forget gate f: h' = h / 2 + W h / 4, and c' = f c + W c / 4, with the W of what is new.
local function linear_step(layer, keeps)
    local weight, n = layer.weight_hh_l1:detach(), layer.hidden_size
    if not keeps then
        return weight
    end
    return rille.eye(n, { dtype = "float64" }) * keeps + weight:narrow(1, 2 * n + 1, n) / 4
end

local kinds = { { name = "RNN", make = nn.RNN }, { name = "GRU", make = nn.GRU, keeps = 0.5 } }
for _, bias in ipairs(FORGET_BIASES) do
    table.insert(kinds, { name = ("LSTM, forget bias %g"):format(bias), make = nn.LSTM, forget_bias = bias,
        keeps = sigmoid(bias) })
end

-- log10 of |dL/dx| at 1, 2, ... steps before the last, for L = the sum of squares of the last hidden state.
local function reach_back(kind)
    local layer = kind.make(1, o.width, { dtype = "float64", forget_bias = kind.forget_bias })
    local probe = flow.probe(layer)
    local hidden = layer(rille.randn(o.steps, o.batch, 1, { dtype = "float64" }))
    rille.sum(hidden[-1] ^ 2):backward()
    local rows, norms = probe:time_steps(), {}
    probe:detach()
    for k = 1, o.steps - 1 do
        norms[k] = rows[o.steps - k].gradient_log10_norm
    end
    return norms, spectral_radius(linear_step(layer, kind.keeps))
end

-- Means over the nets; the factor a step is that of the second half, where what is fast has died away.
local function measure(kind)
    local mean, theory = {}, 0
    for _ = 1, o.nets do
        local norms, predicted = reach_back(kind)
        for k, norm in ipairs(norms) do
            mean[k] = (mean[k] or 0) + (norm - norms[1]) / o.nets
        end
        theory = theory + predicted / o.nets
    end
    local half = #mean // 2
    return { name = kind.name, mean = mean, theory = theory, rate = (mean[#mean] - mean[half]) / (#mean - half) }
end

local results, rows, series, columns = {}, {}, {}, { "<layer" }
for i, kind in ipairs(kinds) do
    local r = measure(kind)
    local cells, line = { r.name }, { x = {}, y = {}, label = r.name }
    for _, k in ipairs(SHOWN) do
        if k <= #r.mean then
            columns[#cells + 1] = "k = " .. k
            cells[#cells + 1] = text.power(r.mean[k])
        end
    end
    columns[#cells + 1], columns[#cells + 2] = "a step", "theory"
    cells[#cells + 1], cells[#cells + 2] = ("%.3f"):format(10 ^ r.rate), ("%.3f"):format(10 ^ r.theory)
    results[r.name], rows[i], series[i] = r, cells, line
    for k, norm in ipairs(r.mean) do
        line.x[k], line.y[k] = k, norm
    end
end
print(("|dL/dx| k steps before the last, over that of 1 step before; %d hidden units, %d sequences of %d steps, %d nets, seed\n"
    .. "%d, float64. a step: by what it shrinks in the second half; theory: the spectral radius of a step where the state is\n"
    .. "near 0")
    :format(o.width, o.batch, o.steps, o.nets, o.seed))
print(text.table(columns, rows))
experiment.save(o, { { "lstm-memory", { title = "How much of the loss's gradient reaches back k steps",
    xlabel = "steps back, k", ylabel = "log10 |dL/dx_k| / |dL/dx_1|", palette = "ordered", series = series } } })

local function left(name)
    return results[name].mean[#results[name].mean]
end
local rnn, gru, short, long = left("RNN"), left("GRU"), left("LSTM, forget bias 0"), left("LSTM, forget bias 5")
local claims = {
    { long > short, ("the higher the forget bias, the farther it reaches: after %d steps bias 5 keeps %s, bias 0 %s"):format(
        o.steps - 1, text.power(long), text.power(short)) },
    { long > rnn, ("it reaches farther than an RNN, which keeps %s"):format(text.power(rnn)) },
}
for _, name in ipairs { "GRU", "LSTM, forget bias 0", "LSTM, forget bias 1" } do
    local r = results[name]
    table.insert(claims, { math.abs(10 ^ (r.rate - r.theory) - 1) < 0.05, ("%s: %.3f a step, theory %.3f"):format(name,
        10 ^ r.rate, 10 ^ r.theory) })
end
experiment.verdict(claims, ("After %d steps an untrained RNN has %s of the gradient left, a GRU %s, an LSTM %s with forget "
    .. "bias 0 and %s with 5: what the forget gate keeps, step by step, is what is remembered. Where theory has more than 1 a "
    .. "step, the state grows until it saturates, and the gradient stays near where it is."):format(o.steps - 1,
    text.power(rnn), text.power(gru), text.power(short), text.power(long)))
