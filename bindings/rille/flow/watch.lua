--- rille.flow.watch: stops a run at the first value that is not finite, or too large, and says where it came from.

local rille = require "rille"
local check = require "rille.check"
local nn = require "rille.nn"
local text = require "rille.text"

local Watch = {}

local watch_metatable = {
    __name = "watch",
    __index = Watch,
}

-- "3 NaN and 1 infinity of 2,048", "the largest is 3.2e+09"; nil where all is well.
local function complaint(tensor, limit)
    local s = rille.measure(tensor)
    local bad = {}
    if s.nans > 0 then
        bad[1] = text.count(s.nans) .. " NaN"
    end
    if s.infinities > 0 then
        bad[#bad + 1] = text.count(s.infinities) .. (s.infinities == 1 and " infinity" or " infinities")
    end
    if #bad > 0 then
        return ("%s of %s elements"):format(table.concat(bad, " and "), text.count(s.count))
    end
    local largest = math.max(math.abs(s.min), math.abs(s.max))
    return largest > limit and ("an element as large as %s"):format(text.number(largest)) or nil
end

local function label(name, module)
    return ("net%s%s (%s)"):format(name:find("^%[") and "" or name ~= "" and "." or "", name, module.class_name)
end

-- Runs a copy of the module once more, in anomaly mode: what its message says of the operation and the script's line, or nil.
local function culprit(module, inputs)
    local random, copy = rille.rng_state(), module:clone()
    local ok, message = pcall(rille.anomaly, rille.no_grad, copy.forward, copy, table.unpack(inputs, 1, inputs.n))
    rille.set_rng_state(random)
    return not ok and tostring(message) or nil
end

local function check_output(watch, where, module, inputs, output)
    local bad = complaint(output, watch.limit)
    if not bad then
        return
    end
    for i = 1, inputs.n do
        local given = check.is_floating(inputs[i]) and complaint(inputs[i], math.huge)
        if given then
            check.fail("watch: step %d: %s: its input %d has %s", watch.step, where, i, given)
        end
    end
    local cause = culprit(module, inputs)
    check.fail("watch: step %d: %s: its output has %s%s", watch.step, where, bad, cause and " (" .. cause .. ")" or "")
end

--- Looks at every output of a module of the net, and every gradient with respect to one, as it is made. The first with NaN, an
-- infinity or an element beyond limit raises an error that names the module's path, the step (forward passes of the net, from
-- 1) and, for outputs, operation and line: the error stops the run there. options: limit (infinity). Returns a handle:
-- handle:close(), or <close>, ends it.
local function new(net, options)
    if not nn.is_module(net) then
        check.argument(1, "watch", "module expected, got %s", check.type_name(net))
    end
    options = check.options(2, "watch", options, { limit = math.huge })
    if not (options.limit > 0) then -- luacheck: ignore 581
        check.argument(2, "watch", "option 'limit': number above 0 expected, got %s", check.value_text(options.limit))
    end
    local watch = setmetatable({ limit = options.limit, step = 0, handles = {}, closed = false }, watch_metatable)
    table.insert(watch.handles, net:register_forward_pre_hook(function()
        watch.step = watch.step + 1
    end))
    for name, module in net:named_modules() do
        local where = label(name, module)
        table.insert(watch.handles, module:register_forward_hook(function(_, inputs, output)
            if not check.is_floating(output) then
                return
            end
            check_output(watch, where, module, inputs, output)
            if output:requires_grad() and rille.is_grad_enabled() then
                output:register_hook(function(gradient)
                    local bad = not watch.closed and complaint(gradient, watch.limit)
                    if bad then
                        check.fail("watch: step %d: %s: the gradient with respect to its output has %s", watch.step, where, bad)
                    end
                end)
            end
        end))
    end
    return watch
end

--- Ends the watch.
function Watch:close()
    for _, handle in ipairs(self.handles) do
        handle:remove()
    end
    self.handles, self.closed = {}, true
end
watch_metatable.__close = Watch.close

check.methods(Watch, "watch", function(self)
    return getmetatable(self) == watch_metatable
end)

return { new = new }
