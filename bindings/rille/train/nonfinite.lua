--- rille.train.nonfinite: where in a net a NaN or an infinity began.

local rille = require "rille"
local check = require "rille.check"

local nonfinite = {}

-- "3 NaN and 1 Inf of 320", or nil where all are finite.
local function count_text(tensor)
    local s = rille.measure(tensor)
    if s.nans + s.infinities == 0 then
        return nil
    end
    local parts = {}
    parts[#parts + 1] = s.nans > 0 and ("%d NaN"):format(s.nans) or nil
    parts[#parts + 1] = s.infinities > 0 and ("%d Inf"):format(s.infinities) or nil
    return ("%s of %d"):format(table.concat(parts, " and "), s.count)
end

-- "net" .. "[3].weight", "net" .. "." .. "encoder.weight"
local function path_of(name)
    return name:sub(1, 1) == "[" and "net" .. name or name == "" and "net" or "net." .. name
end

--- The first parameter of a net whose gradient is not finite: "net[3].weight: 3 NaN of 64"; nil where there is none.
function nonfinite.gradient(net)
    for name, parameter in net:named_parameters() do
        local text = parameter.grad and count_text(parameter.grad)
        if text then
            return ("%s: %s"):format(path_of(name), text)
        end
    end
end

-- What a module was given or holds that is not finite, or nil.
local function cause(module, name, inputs)
    for own_name, parameter in module:own_parameters() do
        local text = count_text(parameter)
        if text then
            return ("%s has %s"):format(path_of(name ~= "" and name .. "." .. own_name or own_name), text)
        end
    end
    for i = 1, inputs.n or #inputs do
        local text = check.is_floating(inputs[i]) and count_text(inputs[i])
        if text then
            return ("its input has %s"):format(text)
        end
    end
end

--- Runs forward() once more and says which module's output is the first that is not finite, with its place, and why where
-- that can be seen: "net[3] (Linear): output has 4 NaN of 320, net[3].weight has 1 NaN of 64".
function nonfinite.forward(net, forward)
    local found
    local handles = {}
    for name, module in net:named_modules() do
        if not module:named_children()() or module:own_parameters()() then
            handles[#handles + 1] = module:register_forward_hook(function(_, inputs, output)
                local text = not found and check.is_floating(output) and count_text(output)
                if text then
                    found = ("%s (%s): output has %s, %s"):format(path_of(name), module.class_name, text,
                        cause(module, name, inputs) or "its input and its parameters are finite")
                end
            end)
        end
    end
    local ok, problem = pcall(rille.no_grad, forward)
    for _, handle in ipairs(handles) do
        handle.remove()
    end
    if not ok then
        error(problem, 0)
    end
    return found or "the outputs of all its layers are finite"
end

return check.strict(nonfinite, "rille.train.nonfinite")
