--- rille.optim: optimisers, schedulers of their learning rates, and clipping of gradients.
--
--     local optimizer = optim.AdamW(net:parameters(), { lr = 1e-3 })
--     local scheduler = optim.CosineAnnealingLR(optimizer, { T_max = 10 })
--     rille.cross_entropy(net(x), labels):backward()
--     optim.clip_grad_norm(net:parameters(), 1)
--     optimizer:step()
--     optimizer:zero_grad()
--     scheduler:step() -- after each epoch
--
-- Names, defaults and what they mean are PyTorch's. Instead of a list of parameters every optimiser takes a list of groups,
-- { { params = list, lr = 0.1 }, ... }, whose settings go before the options. Settings may be changed between steps: those of
-- all groups as optimizer.lr, those of one as optimizer.param_groups[1].lr. Methods are in rille/optim/optimizer.lua: step,
-- zero_grad, add_param_group, state, load_state. The updates are one pass in C each, rille.h has their formulas.

local rille = require "rille"
local check = require "rille.check"
local optimizer = require "rille.optim.optimizer"
local schedulers = require "rille.optim.schedulers"

local optim = {}

--- optim.SGD(parameters, { lr=, momentum=0, weight_decay=0, nesterov=false }): stochastic gradient descent, with Nesterov
-- momentum in the form of Sutskever, Martens, Dahl & Hinton 2013.
optim.SGD = optimizer.constructor {
    name = "SGD",
    kind = "sgd",
    order = { "lr", "momentum", "weight_decay", "nesterov" },
    defaults = { momentum = 0, weight_decay = 0, nesterov = false },
}

--- optim.Adam(parameters [, { lr=1e-3, betas={0.9, 0.999}, eps=1e-8, weight_decay=0 }]): Kingma & Ba 2015.
optim.Adam = optimizer.constructor {
    name = "Adam",
    kind = "adam",
    order = { "lr", "betas", "eps", "weight_decay" },
    defaults = { lr = 1e-3, betas = { 0.9, 0.999 }, eps = 1e-8, weight_decay = 0 },
}

--- optim.AdamW(parameters [, { lr=1e-3, betas={0.9, 0.999}, eps=1e-8, weight_decay=0.01 }]): Adam with decay apart from the
-- gradient, p -= lr weight_decay p (Loshchilov & Hutter 2019).
optim.AdamW = optimizer.constructor {
    name = "AdamW",
    kind = "adamw",
    order = { "lr", "betas", "eps", "weight_decay" },
    defaults = { lr = 1e-3, betas = { 0.9, 0.999 }, eps = 1e-8, weight_decay = 0.01 },
}

--- optim.RMSprop(parameters [, { lr=0.01, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=false }]): Tieleman &
-- Hinton 2012; centered: by the variance instead of the mean square (Graves 2013).
optim.RMSprop = optimizer.constructor {
    name = "RMSprop",
    kind = "rmsprop",
    order = { "lr", "alpha", "eps", "weight_decay", "momentum", "centered" },
    defaults = { lr = 0.01, alpha = 0.99, eps = 1e-8, weight_decay = 0, momentum = 0, centered = false },
}

--- optim.Adagrad(parameters [, { lr=0.01, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10 }]): Duchi, Hazan
-- & Singer 2011.
optim.Adagrad = optimizer.constructor {
    name = "Adagrad",
    kind = "adagrad",
    order = { "lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps" },
    defaults = { lr = 0.01, lr_decay = 0, weight_decay = 0, initial_accumulator_value = 0, eps = 1e-10 },
}

--- optim.Adadelta(parameters [, { lr=1, rho=0.9, eps=1e-6, weight_decay=0 }]): Zeiler 2012.
optim.Adadelta = optimizer.constructor {
    name = "Adadelta",
    kind = "adadelta",
    order = { "lr", "rho", "eps", "weight_decay" },
    defaults = { lr = 1, rho = 0.9, eps = 1e-6, weight_decay = 0 },
}

--- optim.Lion(parameters [, { lr=1e-4, betas={0.9, 0.99}, weight_decay=0 }]): Chen et al. 2023; decay as AdamW's.
optim.Lion = optimizer.constructor {
    name = "Lion",
    kind = "lion",
    order = { "lr", "betas", "weight_decay" },
    defaults = { lr = 1e-4, betas = { 0.9, 0.99 }, weight_decay = 0 },
}

--- optim.clip_grad_norm(parameters, max_norm [, { norm_type=2, error_if_nonfinite=false }]): where the norm of all gradients
-- together is above max_norm, multiplies them by max_norm / (norm + 1e-6), in place. Returns the norm, computed in float64.
optim.clip_grad_norm = rille.clip_grad_norm

--- optim.clip_grad_value(parameters, value): every element of every gradient into -value ... value, in place.
optim.clip_grad_value = rille.clip_grad_value

for name, scheduler in pairs(schedulers) do
    optim[name] = scheduler
end

return check.strict(optim, "rille.optim")
