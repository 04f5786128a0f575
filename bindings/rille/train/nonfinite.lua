--- rille.train.nonfinite: where in a net a NaN or an infinity began.

local rille = require "rille"
local check = require "rille.check"
local flow = require "rille.flow"

local nonfinite = {}

-- The first of the parameters, or of what of_parameter(parameter) gives, that is not finite: "net[3].weight: 3 of 64".
local function first_of(net, of_parameter)
    for name, parameter in net:named_parameters() do
        local tensor = of_parameter(parameter)
        local s = tensor and rille.measure(tensor)
        if s and s.nans + s.infinities > 0 then
            return ("net%s%s: %d of %d elements"):format(name:find("^%[") and "" or ".", name, s.nans + s.infinities, s.count)
        end
    end
end

--- The first parameter of a net whose gradient is not finite; nil where there is none.
function nonfinite.gradient(net)
    return first_of(net, function(parameter)
        return parameter.grad
    end)
end

--- Runs forward() once more under flow.watch: the first layer whose output is not finite, and why where that is known; then the
-- first parameter that is not finite, if one is.
function nonfinite.forward(net, forward)
    local watch = flow.watch(net)
    local ok, message = pcall(rille.no_grad, forward)
    watch:close()
    local parameter = first_of(net, function(parameter)
        return parameter
    end)
    local place = ok and "the outputs of all its layers are finite" or tostring(message):gsub("^.-watch: step %d+: ", "")
    return place .. (parameter and "; not finite in " .. parameter or "")
end

return check.strict(nonfinite, "rille.train.nonfinite")
