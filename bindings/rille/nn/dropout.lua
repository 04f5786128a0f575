--- rille.nn.dropout: Dropout.

local rille = require "rille"
local arguments = require "rille.nn.arguments"
local check = require "rille.check"
local module = require "rille.nn.module"

--- nn.Dropout([p = 0.5]): in training rille.dropout(x, p): each element is 0 with probability p, else x / (1 - p). In
-- evaluation x itself.
local Dropout = module.Module:extend "Dropout"

function Dropout:init(p)
    if p == nil then
        p = 0.5
    elseif type(p) ~= "number" or p < 0 or p > 1 or p ~= p then
        check.argument(1, "Dropout", "p: probability from 0 to 1 expected, got %s", check.value_text(p))
    end
    self.p = p
end

function Dropout:forward(x)
    arguments.check_input(self, x)
    return self.training and rille.dropout(x, self.p) or x
end

function Dropout:describe()
    return ("p=%.14g"):format(self.p)
end

return { Dropout = Dropout }
