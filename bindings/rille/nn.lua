--- rille.nn: nets from modules.
--
--     local net = nn.Sequential { nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10) }
--     print(net)                                   -- layers, shapes, number of parameters
--     local loss = rille.cross_entropy(net(x), labels)
--     for name, parameter in net:named_parameters() do ... end
--
-- nn.Module        the base class; see rille/nn/module.lua for a layer of one's own
-- nn.Linear nn.Sequential nn.Residual nn.Flatten
-- nn.Conv1d nn.Conv2d nn.MaxPool1d nn.MaxPool2d nn.AvgPool1d nn.AvgPool2d
-- nn.BatchNorm1d nn.BatchNorm2d nn.LayerNorm nn.GroupNorm nn.RMSNorm
-- nn.Dropout nn.Embedding
-- nn.RNN nn.LSTM nn.GRU   over whole sequences
-- nn.Softmax nn.LogSoftmax nn.Softmin nn.Sparsemax nn.Hardmax   along a dimension, the last one by default; so are
-- nn.GLU nn.ReGLU nn.BilinearGLU ... nn.Maxout nn.CReLU         which change its size
-- nn.ReLU nn.LeakyReLU nn.Sigmoid nn.Tanh nn.Identity ...   one for each row of rille.activations, in PyTorch's spelling
-- nn.PReLU(channels)  has a learned weight; others with learnable parameters take {learnable=true, channels=n}: nn.Snake
-- nn.activation(name, ...)  that module by the activation's own name: nn.activation("leaky_relu", 0.2)
-- nn.init          start values for parameters
-- nn.is_module(v)  is v a module?

local rille = require "rille"
local check = require "rille.check"
local convolution = require "rille.nn.convolution"
local dropout = require "rille.nn.dropout"
local embedding = require "rille.nn.embedding"
local init = require "rille.nn.initialization"
local layers = require "rille.nn.layers"
local module = require "rille.nn.module"
local normalization = require "rille.nn.normalization"
local pooling = require "rille.nn.pooling"
local recurrent = require "rille.nn.recurrent"

local nn = { Module = module.Module, is_module = module.is_module, init = init }

for _, name in ipairs { "Linear", "Sequential", "Residual", "Flatten", table.unpack(layers.along) } do
    nn[name] = layers[name]
end

for _, topic in ipairs { convolution, dropout, embedding, normalization, pooling, recurrent } do
    for name, class in pairs(topic) do
        nn[name] = class
    end
end

-- Made when first asked for, so that an activation registered later has its module as well.
local function activation_module(name)
    for i = 1, #rille.activations do
        local entry = rille.activations[i]
        if layers.activation_name(entry.name) == name then
            nn[name] = layers.activation(entry)
            return nn[name]
        end
    end
end

--- A module for an activation by its name in rille.activations, with parameters as its class takes them.
function nn.activation(name, ...)
    if type(name) ~= "string" then
        check.argument(1, "activation", "name of an activation expected, got %s", check.type_name(name))
    end
    return nn[layers.activation_name(rille.activations[name].name)](...)
end

for i = 1, #rille.activations do
    activation_module(layers.activation_name(rille.activations[i].name))
end

return check.strict(nn, "rille.nn", activation_module)
