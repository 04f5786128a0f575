--- rille.reproduce.simulated: published results that are measured on random nets. See rille.reproduce for what a line is;
-- functions are given `quick`: true where small nets must do.

local rille = require "rille"

local FLOAT64 = { dtype = "float64" }

local function normal(rows, columns, sigma)
    return rille.randn({ rows, columns }, FLOAT64) * sigma
end

-- The gradient's log10 norm at each layer of a net x -> f(x) W with a random gradient at the end; batch and width of a
-- layer, draw(): a weight.
local function gradient_norms(name, layers, x, draw)
    local outputs = { x:requires_grad(true) }
    for layer = 2, layers do
        outputs[layer] = rille[name](outputs[layer - 1]):matmul(draw())
    end
    local seed = rille.randn(outputs[layers]:shape(), FLOAT64)
    local norms = {}
    for i, gradient in ipairs(rille.grad(outputs[layers], outputs, { seeds = seed })) do
        norms[i] = rille.measure(gradient).log10_norm
    end
    return norms, rille.measure(outputs[layers]).log10_norm - rille.measure(outputs[1]).log10_norm
end

-- Mean over nets of the factor a layer back of the squared gradient, and of log10 of the signal's growth over all layers.
local function growth(name, layers, nets, draw, start)
    local squared, signal = 0, 0
    for _ = 1, nets do
        local norms, forward = gradient_norms(name, layers, start(), draw)
        squared, signal = squared + 2 * (norms[1] - norms[layers]) / (layers - 1) / nets, signal + forward / nets
    end
    return 10 ^ squared, signal
end

-- Glorot & Bengio's standard weights, U(-1/sqrt(n), 1/sqrt(n)), on signals so small that tanh is linear.
local function glorot_backward(quick)
    local n, nets = quick and 128 or 512, quick and 10 or 20
    return (growth("tanh", 5, nets, function() return (rille.rand({ n, n }, FLOAT64) * 2 - 1) / math.sqrt(n) end,
        function() return normal(8, n, 1e-3) end))
end

-- The same nets: the variance of the gradient of the first layer's weights over that of the last one's.
local function glorot_weights(quick)
    local n, nets, layers, sum = quick and 128 or 512, quick and 10 or 20, 5, 0
    for _ = 1, nets do
        local h, weights = normal(64, n, 1e-3), {}
        for layer = 1, layers do
            weights[layer] = ((rille.rand({ n, n }, FLOAT64) * 2 - 1) / math.sqrt(n)):requires_grad(true)
            h = h:matmul(weights[layer]):tanh()
        end
        local gradients = rille.grad(h, { weights[1], weights[layers] }, { seeds = normal(64, n, 1) })
        sum = sum + 2 * (rille.measure(gradients[1]).log10_norm - rille.measure(gradients[2]).log10_norm) / nets
    end
    return 10 ^ sum
end

-- The orthogonal factor U of x = U P, P symmetric, by Newton and Schulz's iteration; x: as wide as high, entries about alike,
-- so that its largest singular value is some 2 / sqrt(n) of its norm.
local function polar_factor(x)
    x = x * (math.sqrt(x:size(1)) / (2.1 * x:norm():item()))
    for _ = 1, 60 do
        local before = x
        x = x * 1.5 - x:matmul(x:t()):matmul(x) * 0.5
        if (x - before):norm():item() < 1e-10 then
            break
        end
    end
    return x
end

-- The mean singular value of the Jacobian of tanh layers 2 to 5, at one digit; bound(inputs, outputs): of the uniform weights.
-- The sum of singular values is tr(U^T J).
local function glorot_singular_value(bound)
    return function(quick)
        local n, mean = quick and 100 or 400, 0
        local function draw(inputs, outputs)
            return (rille.rand({ inputs, outputs }, FLOAT64) * 2 - 1) * bound(inputs, outputs)
        end
        local digit = require("rille.data").digits().train.x:narrow(1, 1, 1):to("float64")
        local h = digit:matmul(draw(digit:size(2), n)):tanh()
        for _ = 2, 5 do
            local weight = draw(n, n)
            local z = h:matmul(weight)
            local jacobian = weight * rille.derivative("tanh", z)
            mean = mean + (polar_factor(jacobian) * jacobian):sum():item() / n / 4
            h = z:tanh()
        end
        return mean
    end
end

local function standard_bound(inputs) return 1 / math.sqrt(inputs) end
local function normalized_bound(inputs, outputs) return math.sqrt(6 / (inputs + outputs)) end

-- A rectifier's signal over 30 layers with n Var W = w2, in relation to the layer before: log10 of the norm of all.
local function he_signal(w2)
    return function(quick)
        local n, nets = quick and 128 or 512, quick and 30 or 20
        local _, signal = growth("relu", 31, nets, function() return normal(n, n, math.sqrt(w2 / n)) end,
            function() return normal(64, n, 1) end)
        return 10 ^ signal
    end
end

local function tanh_growth(quick)
    local n, nets = quick and 200 or 1000, quick and 10 or 5
    local q = require("rille.flow").theory("tanh", { sigma_w = math.sqrt(1.3), sigma_b = math.sqrt(0.05) }).q
    local function net()
        local x = normal(16, n, math.sqrt(q)):requires_grad(true)
        local h = x
        for _ = 1, 10 do
            h = h:tanh():matmul(normal(n, n, math.sqrt(1.3 / n))) + normal(1, n, math.sqrt(0.05))
        end
        local seed = normal(16, n, 1)
        local gradient = rille.grad(h, x, { seeds = seed })[1]
        return 2 * (rille.measure(gradient).log10_norm - rille.measure(seed).log10_norm) / 10
    end
    local sum = 0
    for _ = 1, nets do
        sum = sum + net() / nets
    end
    return 10 ^ sum
end

-- J J^T of a net of `layers` layers with weights draw() and slopes slope() (a vector; nil: linear), for its eigenvalues.
local function jacobian_product(layers, draw, slope)
    local j
    for _ = 1, layers do
        local weight = draw()
        j = j and weight:matmul(j) or weight
        if slope then
            j = slope():reshape(weight:size(1), 1) * j
        end
    end
    return j:matmul(j:t())
end

-- Variance of the eigenvalues of a symmetric matrix whose mean eigenvalue is divided out: n tr M² / (tr M)² - 1.
local function eigenvalue_variance(m)
    local n = m:size(1)
    return n * (m * m):sum():item() / m:diagonal():sum():item() ^ 2 - 1
end

-- The largest eigenvalue by power iteration.
local function largest_eigenvalue(m)
    local v, value = normal(m:size(1), 1, 1), 0
    for _ = 1, 200 do
        v = m:matmul(v)
        value = v:norm():item()
        v = v / value
    end
    return value
end

local LAYERS = 4

local function linear_product(quick)
    local n = quick and 300 or 1000
    return jacobian_product(LAYERS, function() return normal(n, n, 1 / math.sqrt(n)) end)
end

-- The slopes of relu: half of them 0.
local function half(n)
    return rille.lt(rille.rand({ n }, FLOAT64), 0.5):to("float64")
end

local function relu_variance(quick)
    local n, nets, sum = quick and 300 or 1000, quick and 4 or 2, 0
    for _ = 1, nets do
        sum = sum + eigenvalue_variance(jacobian_product(LAYERS, function() return normal(n, n, math.sqrt(2 / n)) end,
            function() return half(n) end)) / nets
    end
    return sum
end

local function orthogonal(n)
    return polar_factor(normal(n, n, 1))
end

-- Mean over nets of the eigenvalues' variance with orthogonal weights; slope: as jacobian_product's, of n.
local function orthogonal_variance(slope)
    return function(quick)
        local n = quick and 150 or 400
        return eigenvalue_variance(jacobian_product(LAYERS, function() return orthogonal(n) end,
            function() return slope(n) end))
    end
end

-- tanh' where pre-activations are N(0, 0.01).
local function tanh_slope(n)
    return rille.derivative("tanh", rille.randn({ n }, FLOAT64) * 0.1)
end

-- An RNN's gradient, h_t = W h_(t-1) with W = rho times a rotation of pairs: a layer back, its factor.
local function rnn_factor(rho, act)
    local n, steps = 16, 60
    local turned = rille.zeros({ n, n }, FLOAT64)
    for i = 1, n, 2 do
        local c, s = math.cos(i), math.sin(i)
        turned[{ i, i }], turned[{ i, i + 1 }], turned[{ i + 1, i }], turned[{ i + 1, i + 1 }] = c, -s, s, c
    end
    local weight = turned * rho
    local x = normal(1, n, 1):requires_grad(true)
    local h = x
    for _ = 1, steps do
        h = h:matmul(weight)
        h = act and rille[act](h) or h
    end
    local seed = normal(1, n, 1)
    local gradient = rille.grad(h, x, { seeds = seed })[1]
    return 10 ^ ((rille.measure(gradient).log10_norm - rille.measure(seed).log10_norm) / steps)
end

-- BatchNorm with relu at initialisation: the factor of the squared gradient, from the second layer on.
local function batch_norm_growth(quick)
    local n, layers, nets, sum = quick and 200 or 512, quick and 10 or 20, quick and 3 or 4, 0
    for _ = 1, nets do
        local outputs, h = {}, normal(n, n, 1)
        for layer = 1, layers do
            outputs[layer] = h:matmul(normal(n, n, math.sqrt(2 / n)))
            if layer == 1 then
                outputs[1]:requires_grad(true)
            end
            h = rille.batch_norm(outputs[layer], { training = true }):relu()
        end
        local gradients = rille.grad(h, outputs, { seeds = normal(n, n, 1) })
        local first, last = rille.measure(gradients[2]).log10_norm, rille.measure(gradients[layers]).log10_norm
        sum = sum + 2 * (first - last) / (layers - 2) / nets
    end
    return 10 ^ sum
end

local GLOROT, HE, PENNINGTON = "Glorot & Bengio 2010", "He 2015", "Pennington 2017"

return {
    { GLOROT, "standard weights: backward variance, a layer", 1 / 3, { 0.05 }, glorot_backward },
    { GLOROT, "weights' gradient, variance first / last", 1, { 0.05, quick = 0.1 }, glorot_weights },
    { GLOROT, "standard: a layer's mean singular value", 0.5, 0.05, glorot_singular_value(standard_bound) },
    { GLOROT, "normalized: a layer's mean singular value", 0.8, 0.05, glorot_singular_value(normalized_bound) },
    { HE, "n Var W = 2: relu's signal over 30 layers", 1, { 0.1, quick = 0.4 }, he_signal(2) },
    { HE, "n Var W = 1: relu's signal over 30 layers", 2 ^ -15, { 0.1, quick = 0.4 }, he_signal(1) },
    { "Schoenholz 2017", "tanh nets, sigma_w² = 1.3: chi", 0.8802, { 0.03 }, tanh_growth },
    { PENNINGTON, "linear, 4 layers: largest eigenvalue of J J^T", 3125 / 256, { 0.1 }, function(quick)
        return largest_eigenvalue(linear_product(quick))
    end },
    { PENNINGTON, "linear, 4 layers: variance of eigenvalues", LAYERS, { 0.1 }, function(quick)
        return eigenvalue_variance(linear_product(quick))
    end },
    { PENNINGTON, "Gaussian relu, 4 layers: variance", 2 * LAYERS, { 0.1 }, relu_variance },
    { PENNINGTON, "orthogonal relu, 4 layers: variance", LAYERS, { 0.1, quick = 0.2 }, orthogonal_variance(half) },
    { PENNINGTON, "orthogonal tanh, q = 0.01: variance near 0", 0, 0.01, orthogonal_variance(tanh_slope) },
    { "Pascanu 2013", "linear RNN, spectral radius 0.9: factor a step", 0.9, { 0.01 }, function() return rnn_factor(0.9) end },
    { "Pascanu 2013", "linear RNN, spectral radius 1.1: factor a step", 1.1, { 0.01 }, function() return rnn_factor(1.1) end },
    { "Pascanu 2013", "tanh RNN, largest singular value 0.99: vanishes", true, nil, function()
        return rnn_factor(0.99, "tanh") < 1
    end },
    { "Pascanu 2013", "sigmoid RNN, largest singular value 3.9: vanishes", true, nil, function()
        return rnn_factor(3.9, "sigmoid") < 1
    end },
    { "Yang 2019", "BatchNorm, relu: squared gradient, a layer", math.pi / (math.pi - 1), { 0.015, quick = 0.03 },
        batch_norm_growth },
}
