--- rille.optim: optimisers.
--
--     local optimizer = optim.SGD(net:parameters(), { lr = 0.1, momentum = 0.9 })
--     rille.cross_entropy(net(x), labels):backward()
--     optimizer:step()
--     optimizer:zero_grad()

local rille = require "rille"
local check = require "rille.check"

local optim = {}

local function check_parameters(name, parameters)
    if type(parameters) ~= "table" or getmetatable(parameters) then
        check.argument(1, name, "list of tensors expected, got %s", check.type_name(parameters))
    elseif #parameters == 0 then
        check.argument(1, name, "the list of parameters is empty")
    end
    local list, seen = {}, {}
    for i, parameter in ipairs(parameters) do
        if not check.is_tensor(parameter) then
            check.argument(1, name, "[%d]: tensor expected, got %s", i, check.type_name(parameter))
        elseif not (parameter:requires_grad() and parameter:is_leaf()) then
            check.argument(1, name, "[%d]: a leaf tensor with requires_grad expected", i)
        end
        if seen[parameter] then
            check.argument(1, name, "[%d]: the same parameter as [%d]; it would be moved twice", i, seen[parameter])
        end
        seen[parameter] = i
        list[i] = parameter
    end
    return list
end

local function check_range(n, name, option, value, low)
    if type(value) ~= "number" or not (value >= low and value < math.huge) then
        check.argument(n, name, "%s is %s, expected a finite number >= %g", option, check.value_text(value), low)
    end
end

local function check_settings(n, name, settings)
    check_range(n, name, "lr", settings.lr, 0)
    check_range(n, name, "momentum", settings.momentum, 0)
    if settings.momentum >= 1 then
        check.argument(n, name, "momentum is %s, expected one below 1", check.value_text(settings.momentum))
    end
    check_range(n, name, "weight_decay", settings.weight_decay, 0)
    if settings.nesterov and settings.momentum == 0 then
        check.argument(n, name, "nesterov needs a momentum above 0")
    end
end

local SGD = {}

local sgd = {
    __name = "SGD",
    __index = function(_, key)
        if SGD[key] == nil then
            check.fail("no '%s' in SGD%s", tostring(key), check.did_you_mean(key,
                { "lr", "momentum", "weight_decay", "nesterov", "parameters", "step", "zero_grad" }))
        end
        return SGD[key]
    end,
    __newindex = function(_, key)
        check.fail("no '%s' in SGD%s", tostring(key), check.did_you_mean(key, { "lr", "momentum", "weight_decay", "nesterov" }))
    end,
    __tostring = function(self)
        return ("SGD(lr=%g, momentum=%g, weight_decay=%g, nesterov=%s): %d parameters"):format(self.lr, self.momentum,
            self.weight_decay, self.nesterov, #self.parameters)
    end,
}

--- optim.SGD(parameters, { lr=, momentum=0, weight_decay=0, nesterov=false }): stochastic gradient descent.
-- g = gradient + weight_decay p; v = momentum v + g; p -= lr v, or lr (g + momentum v) with nesterov
-- (Nesterov momentum in the form of Sutskever, Martens, Dahl & Hinton 2013). Its fields lr, momentum, weight_decay and
-- nesterov may be set between steps.
function optim.SGD(parameters, options)
    parameters = check_parameters("SGD", parameters)
    options = check.options(2, "SGD", options, { lr = { "number" }, momentum = 0, weight_decay = 0, nesterov = false })
    if options.lr == nil then
        check.argument(2, "SGD", "lr is missing: write optim.SGD(parameters, { lr = 0.1 })")
    end
    check_settings(2, "SGD", options)
    options.parameters = parameters
    options.velocity = false
    return setmetatable(options, sgd)
end

--- Moves every parameter that has a gradient by one step.
function SGD:step()
    check_settings(1, "step", self)
    if self.momentum > 0 and not self.velocity then
        self.velocity = {}
        for i, parameter in ipairs(self.parameters) do
            self.velocity[i] = rille.keep(rille.zeros(parameter:shape(), { dtype = parameter:dtype() }))
        end
    end
    rille.sgd_step(self.parameters, self.momentum > 0 and self.velocity or nil, {
        learning_rate = self.lr,
        momentum = self.momentum,
        weight_decay = self.weight_decay,
        nesterov = self.nesterov,
    })
end

--- Forgets the parameters' gradients.
function SGD:zero_grad()
    for _, parameter in ipairs(self.parameters) do
        parameter.grad = nil
    end
end

check.methods(SGD, "SGD", function(self)
    return getmetatable(self) == sgd
end)

return check.strict(optim, "rille.optim")
