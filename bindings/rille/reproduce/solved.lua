--- rille.reproduce.solved: published results that are computed, not simulated. See rille.reproduce for what a line is.

local rille = require "rille"
local flow = require "rille.flow"
local moments = require "rille.flow.moments"

local SIGMA_B = math.sqrt(0.05)

local function tanh_at(sigma_w2)
    return flow.theory("tanh", { sigma_w = math.sqrt(sigma_w2), sigma_b = SIGMA_B })
end

-- d E f(x) / dq at q = 1, by the derivative of the density.
local function mean_by_variance(name)
    local m, h = moments.of(1, "reproduce", name), 1e-3
    local function difference(step) return (m:at(1 + step).mean - m:at(1 - step).mean) / (2 * step) end
    return (4 * difference(h) - difference(2 * h)) / 3
end

local function selu_moment(name)
    return function() return moments.of(1, "reproduce", "selu"):at(1)[name] end
end

local SCHOENHOLZ, KLAMBAUER = "Poole 2016, Schoenholz 2017", "Klambauer 2017"

local lines = {
    { KLAMBAUER, "selu's mean at its fixed point", 0, 1e-4, selu_moment("mean") },
    { KLAMBAUER, "selu's variance there", 1, 1e-4, selu_moment("square") },
    { KLAMBAUER, "moment map, d mean / d variance", 0.0888, 1e-4, function() return mean_by_variance("selu") end },
    { KLAMBAUER, "moment map, d variance / d variance", 0.7826, 1e-4, selu_moment("square_by_q") },
    { SCHOENHOLZ, "tanh, sigma_b² = 0.05: critical sigma_w²", 1.76, 5e-3, function()
        return flow.critical("tanh", { sigma_b = SIGMA_B }).sigma_w ^ 2
    end },
    { SCHOENHOLZ, "sigma_w² = 1.3: chi", 0.8802, 1e-4, function() return tanh_at(1.3).chi end },
    { SCHOENHOLZ, "sigma_w² = 1.3: xi", 7.83, 5e-3, function() return tanh_at(1.3).xi end },
    { SCHOENHOLZ, "sigma_w² = 1.3: correlations converge to", 1, 0, function() return tanh_at(1.3).c end },
    { SCHOENHOLZ, "sigma_w² = 2.5: correlations stay below 1", true, nil, function() return tanh_at(2.5).c < 0.9 end },
    { SCHOENHOLZ, "relu's only critical sigma_w²", 2, 1e-12, function() return flow.critical("relu").sigma_w ^ 2 end },
    { SCHOENHOLZ, "relu has none with sigma_b > 0", true, nil, function()
        return flow.critical("relu", { sigma_b = 0.01 }) == nil
    end },
}
for _, documented in ipairs {
    { "identity", 1 }, { "sigmoid", 1 }, { "tanh", 5 / 3 }, { "relu", math.sqrt(2) }, { "leaky_relu", math.sqrt(2 / 1.0001) },
    { "selu", 3 / 4 },
} do
    lines[#lines + 1] = { "PyTorch's documentation", "gain of " .. documented[1], documented[2], 0, function()
        return rille.activations[documented[1]].gain()
    end }
end

return lines
