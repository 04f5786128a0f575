--- rille.report.losses: a loss over the steps, as short as a page needs it.

local check = require "rille.check"

local losses = {}

local MOST = 1000 -- as many stretches of a longer list, each by its extremes

local function list_of(name, values)
    if check.is_tensor(values) and values:dim() == 1 then
        values = values:totable()
    elseif type(values) ~= "table" or getmetatable(values) then
        check.argument(2, "save", "%s: list of numbers expected, got %s", name, check.type_name(values))
    end
    for i = 1, #values do
        if type(values[i]) ~= "number" then
            check.argument(2, "save", "%s[%d]: number expected, got %s", name, i, check.type_name(values[i]))
        end
    end
    return values
end

-- The lowest and the highest value of each of so many stretches, and a NaN if there is one, in their order.
local function extremes(steps, values, stretches)
    local x, y = {}, {}
    for s = 1, stretches do
        local first, last = 1 + (s - 1) * #values // stretches, s * #values // stretches
        local low, high, nan
        for i = first, last do
            nan = nan or values[i] ~= values[i] and i or nil
            low = (values[i] < (low and values[low] or math.huge)) and i or low
            high = (values[i] > (high and values[high] or -math.huge)) and i or high
        end
        for i = first, last do
            if i == low or i == high or i == nan then
                x[#x + 1], y[#y + 1] = steps[i], values[i]
            end
        end
    end
    return x, y
end

--- A loss over steps: given is a list of numbers (or tensor), of steps 1, 2, ..., or { steps = list, values = list }. Returns
-- { steps =, values =, count = how many there were }.
function losses.read(given)
    local steps, values
    if type(given) == "table" and (given.values or given.steps) then
        steps, values = list_of("losses.steps", given.steps), list_of("losses.values", given.values)
        if #steps ~= #values then
            check.argument(2, "save", "losses: %d steps, %d values", #steps, #values)
        end
    else
        steps, values = {}, list_of("losses", given)
        for i = 1, #values do
            steps[i] = i
        end
    end
    local count = #values
    if count > 2 * MOST then
        steps, values = extremes(steps, values, MOST)
    end
    local short = {}
    for i, value in ipairs(values) do
        short[i] = value - value == 0 and tonumber(("%.5g"):format(value)) or value
    end
    return { steps = steps, values = short, count = count }
end

return check.strict(losses, "rille.report.losses")
