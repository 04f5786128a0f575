--- rille.flow.probe: watches the layers of a net and measures what went through them. rille.flow says what a row holds.

local rille = require "rille"
local check = require "rille.check"
local drawing = require "rille.flow.drawing"
local files = require "rille.files"
local nn = require "rille.nn"
local plans = require "rille.flow.plan"
local store = require "rille.flow.store"
local text = require "rille.text"
local walks = require "rille.nn.walk"

local Probe = {}

local probe_metatable = {
    __name = "probe",
    __index = function(_, key)
        if Probe[key] == nil then
            check.fail("no '%s' in a probe%s", tostring(key), check.did_you_mean(key, check.keys(Probe)))
        end
        return Probe[key]
    end,
}

-- Names of a layer's main parameters: the one called "weight", else the first that is not "bias"; and "bias". A recurrent
-- layer's are weight_hh_l1 and bias_hh_l1, through which the gradient goes back in time.
local function main_parameters(module)
    local known, first = {}, nil
    for name in module:own_parameters() do
        known[name] = true
        first = first or name ~= "bias" and name or nil
    end
    local weight = known.weight_hh_l1 and "weight_hh_l1" or known.weight and "weight" or first
    local bias = known.bias_hh_l1 and "bias_hh_l1" or known.bias and "bias"
    return weight, bias
end

-- What is known of a layer but for its tensors. A layer is a module without modules below it, or one with parameters.
local function layers_of(net)
    local layers = {}
    for name, module in net:named_modules() do
        if not module:named_children()() or module:own_parameters()() then
            local entry = module.activation
            local weight, bias = main_parameters(module)
            layers[#layers + 1] = {
                module = module, fields = walks.state_of(module).fields, weight = weight, bias = bias,
                shown = {
                    name = name ~= "" and name or module.class_name, kind = module.class_name,
                    activation = entry and true or false,
                    bounded = entry and entry.low > -math.huge and entry.high < math.huge or false,
                    biasless = weight == "weight" and walks.state_of(module).fields.bias == false,
                },
            }
        end
    end
    return layers
end

-- A layer's own parameter by name; false where it is gone.
local function tensor_of(layer, name)
    local value = name and layer.fields[name]
    if check.is_tensor(value) then
        return value
    elseif name then
        for other, parameter in layer.module:own_parameters() do -- in a table that a field holds: "scales[2]"
            if other == name then
                return parameter
            end
        end
    end
    return false
end

-- Where |f'| is below the threshold, for an activation with numbers as parameters; false where each input has to be looked at.
local function find_flat(probe, module)
    local entry, parameters = module.activation, nil
    local key = entry.name
    if #entry.parameters > 0 then
        parameters = module:activation_parameters()
        for _, parameter in ipairs(entry.parameters) do
            if type(parameters[parameter.name]) ~= "number" then
                return false
            end
            key = key .. (" %.17g"):format(parameters[parameter.name])
        end
    end
    if probe.flat[key] == nil then
        local builtin, flat = pcall(rille.flat_intervals, entry.name, probe.saturation, parameters)
        probe.flat[key] = builtin and flat or false
    end
    return probe.flat[key]
end

local function flat_of(probe, layer)
    if not layer.shown.activation then
        return false
    elseif layer.flat == nil or #layer.module.activation.parameters > 0 then
        layer.flat = find_flat(probe, layer.module)
    end
    return layer.flat
end

-- Copies of weights by weight, none of which lives on once the net has another in its place.
local function no_copies()
    return setmetatable({}, { __mode = "k" })
end

-- What else is measured of a call, as things are now: for rille.flow.plan.
local function complete(probe, call)
    local layer = call.layer
    call.weight, call.bias, call.flat = tensor_of(layer, layer.weight), tensor_of(layer, layer.bias), flat_of(probe, layer)
end

-- Whether a call is to be looked at: its output then keeps its gradient. Where the pass before was recorded, this one is taken
-- to be so as well, and its tensors are measured while they are in cache.
local function look_at(probe, call)
    local output = call.output
    if not probe.early then
        local fits = check.is_floating(output) and rille.is_grad_enabled()
        if fits and output:requires_grad() then
            output:retain_grad()
        end
        return fits
    end
    complete(probe, call)
    return rille.measure_early(output, nil, call.flat and call.input, call.flat, call.weight, nil, call.bias, nil)
end

-- One forward pass: the calls of layers between the net's entry and its end. A layer that is called outside of the net's own
-- forward replaces its earlier call.
local function watch(probe, layer)
    return layer.module:register_forward_hook(function(_, inputs, output)
        local input = inputs[1]
        local call = { layer = layer, input = check.is_tensor(input) and input, output = output }
        if not look_at(probe, call) then
            return
        end
        probe.pending = true
        local calls, at = probe.calls, #probe.calls + 1
        if not probe.inside then
            for i, other in ipairs(calls) do
                at = other.layer == layer and i or at
            end
        end
        calls[at] = call
    end)
end

-- A sequence's gradient by time step is that of the input at each step; data that needs none gets one here.
local function watch_sequence(layer)
    return layer.module:register_forward_pre_hook(function(_, inputs)
        local x = inputs[1]
        if not check.is_floating(x) or not rille.is_grad_enabled() then
            return nil
        elseif x:requires_grad() then
            x:retain_grad()
            return nil
        end
        return x:detach():requires_grad(true)
    end)
end

--- Watches every layer of a net from now on: modules without children, or with parameters of their own. What operations do
-- outside of modules (x:tanh() in a forward) is not seen. Passes under rille.no_grad are not looked at. options: saturation
-- (1e-3), the |f'(x)| below which an input counts as saturated; for a relu these are its negative inputs; updates (true):
-- how far each weight moved between two records is measured, which takes a copy of the weights.
local function new(net, options)
    if not nn.is_module(net) then
        check.argument(1, "probe", "module expected, got %s", check.type_name(net))
    end
    options = check.options(2, "probe", options, { saturation = 1e-3, updates = true })
    local probe = setmetatable({
        net = net, saturation = options.saturation, updates = options.updates, calls = {}, recorded = {}, handles = {},
        pending = false, inside = false, early = true, last_step = false, flat = {}, copies = no_copies(), plan = false,
    }, probe_metatable)
    table.insert(probe.handles, net:register_forward_pre_hook(function()
        if rille.is_grad_enabled() then
            probe.inside, probe.early, probe.calls = true, not probe.pending, {}
        end
    end))
    for _, layer in ipairs(layers_of(net)) do
        if layer.module.recurrent then
            table.insert(probe.handles, watch_sequence(layer))
        end
        table.insert(probe.handles, watch(probe, layer))
    end
    table.insert(probe.handles, net:register_forward_hook(function()
        probe.inside = false
    end, { always_call = true }))
    return probe
end

---- Measuring a pass ------------------------------------------------------------------------------------------------------

-- The shares of inputs that are saturated, by call, where counting elements in intervals does not tell.
local function measure_saturated(probe)
    local shares = {}
    for i, call in ipairs(probe.calls) do
        if call.layer.shown.activation and not call.flat then
            local module = call.layer.module
            shares[i] = rille.measure_saturated(call.input, module.activation.name, probe.saturation,
                module:activation_parameters())
        end
    end
    return shares
end

-- Which weights of a plan there is a copy of, made at an earlier record: compared, copies, and by call the place among them.
local function start_comparing(probe, plan)
    plan.compared, plan.copies, plan.compared_at = {}, {}, {}
    local places = {}
    for i, at in ipairs(plan.weight) do
        local weight = plan.tensors[at]
        local copy = weight and probe.copies[weight]
        if copy and not places[weight] then
            places[weight] = #plan.compared + 1
            plan.compared[places[weight]], plan.copies[places[weight]] = weight, copy
        elseif weight and not copy and weight:is_contiguous() then
            probe.copies[weight] = rille.keep(weight:detach():clone())
            plan.incomplete = true
        end
        plan.compared_at[i] = places[weight]
    end
end

-- How far each call's weight moved since the last record: log10 norms.
local function measure_updates(probe, plan)
    if not plan.compared or plan.incomplete then
        plan.incomplete = false
        start_comparing(probe, plan)
    end
    local updates = {}
    if #plan.compared > 0 then
        local norms = rille.measure_changes(plan.compared, plan.copies):select(2, 4):totable()
        for i, place in pairs(plan.compared_at) do
            updates[i] = norms[place]
        end
    end
    return updates
end

local function plan_of(probe)
    for _, call in ipairs(probe.calls) do
        complete(probe, call)
    end
    local last = probe.plan
    if not last or not plans.fill(last, probe.calls) then
        probe.plan = plans.new(probe.calls)
        if last then
            plans.retire(last)
        end
    end
    return probe.plan
end

local function measure_pass(probe, step)
    local plan = plan_of(probe)
    local pass = { step = step, plan = plan, saturated = measure_saturated(probe),
        statistics = rille.keep(rille.measure_many(plan.tensors, plan.within)) }
    pass.updates = probe.updates and measure_updates(probe, plan) or {}
    plans.empty(plan)
    return pass
end

--- Measures the latest pass, for rows() and what else reads it. step: a number for the rows; one more than the last by default
-- (the first is 0). Gradients of parameters are what has accumulated in them: zero them before each backward. Raises where
-- there was no pass since the probe was made.
function Probe:record(step)
    if step ~= nil and type(step) ~= "number" then
        check.argument(1, "record", "number expected, got %s", check.type_name(step))
    elseif #self.calls == 0 then
        check.fail("record: the probe has seen no forward pass of its net")
    end
    step = step or (self.last_step and self.last_step + 1 or 0)
    self.recorded[#self.recorded + 1] = rille.no_grad(measure_pass, self, step)
    self.last_step, self.pending = step, false
end

-- Does the latest pass have its gradients, and are its tensors still there? A rille.scope that has ended took them along.
local function has_gradient(probe)
    local alive, gradient = pcall(function()
        for _, call in ipairs(probe.calls) do
            if call.output.grad then
                return true
            end
        end
        return false
    end)
    if not alive then
        probe.calls, probe.pending = {}, false
    end
    return alive and gradient
end

---- What was recorded -----------------------------------------------------------------------------------------------------

--- The recorded rows pass by pass, oldest first: a list of lists of plain tables with the fields of flow.columns. most: of
-- more passes than that, that many, evenly, the first and (from two on) the last among them; nil: all.
function Probe:passes(most)
    local passes, n = {}, #self.recorded
    local count = most == nil and n or math.min(n, check.positive_integer(1, "passes", "most", most))
    for i = 1, count do
        passes[i] = store.rows(self.recorded[1 + (i - 1) * (n - 1) // math.max(1, count - 1)])
    end
    return passes
end

--- All recorded rows in one list.
function Probe:rows()
    local rows = {}
    for _, pass in ipairs(self.recorded) do
        local more = store.rows(pass)
        table.move(more, 1, #more, #rows + 1, rows)
    end
    return rows
end

--- The rows of the latest pass. One that has had its backward and was not recorded yet is recorded first; where there is
-- nothing but a pass without backward, its rows come without gradients and are not kept.
function Probe:latest()
    if self.pending and has_gradient(self) then
        self:record()
    end
    local last = self.recorded[#self.recorded]
    if not last and #self.calls == 0 then
        return {}
    end
    return store.rows(last or rille.no_grad(measure_pass, self, 0))
end

-- The sequence of a call by its steps: [steps, n, size] from what the layer takes or gives.
local function by_step(module, sequence)
    return module.batch_first and sequence:transpose(1, 2) or sequence
end

--- A recurrent layer's latest pass by time step: a list of { t =, log10_norm =, gradient_log10_norm = }, of the layer's output
-- at t and of the loss's gradient with respect to the layer's input at t: how much of the loss reaches back to that step.
-- name: the layer's, as in rows; the first recurrent one by default.
function Probe:time_steps(name)
    for _, call in ipairs(self.calls) do
        if call.layer.module.recurrent and (name == nil or call.layer.shown.name == name) then
            local output, input = by_step(call.layer.module, call.output), call.input.grad
            input = input and by_step(call.layer.module, input)
            local list, steps = {}, output:size(1)
            for t = 1, steps do
                list[t], list[steps + t] = output[t]:detach(), input and input[t]
            end
            local statistics, rows = rille.measure_many(list):totable(), {}
            for t = 1, steps do
                local gradient = statistics[steps + t]
                rows[t] = { t = t, log10_norm = statistics[t][1][4], gradient_log10_norm = gradient and gradient[1][4] }
            end
            return rows
        end
    end
    check.argument(1, "time_steps", "no recurrent layer%s in the latest pass", name and (" '%s'"):format(name) or "")
end

--- Histograms of the latest pass: for each layer { name =, kind =, low =, high =, counts = (list, from low to high) } of its
-- finite outputs. bins: 40 by default.
function Probe:histograms(bins)
    bins = bins == nil and 40 or check.positive_integer(1, "histograms", "bins", bins)
    local list = {}
    for i, call in ipairs(self.calls) do
        local statistics = rille.measure(call.output)
        local low, high = statistics.min, statistics.max
        if low == low then
            if not (high - low > 0 and high - low < math.huge) then -- all equal, or wider than a number
                local wider = math.max(0.5, math.abs(low) * 1e-6)
                low, high = math.max(low - wider, -8e307), math.min(high + wider, 8e307)
            end
            list[#list + 1] = { layer = i, name = call.layer.shown.name, kind = call.layer.shown.kind, low = low, high = high,
                counts = rille.histogram(call.output, bins, low, high):totable() }
        end
    end
    return list
end

--- Forgets the rows recorded so far.
function Probe:clear()
    self.recorded, self.last_step, self.copies, self.plan = {}, false, no_copies(), false
end

--- Takes the probe's hooks off the net; what was recorded stays.
function Probe:detach()
    for _, handle in ipairs(self.handles) do
        handle:remove()
    end
    self.handles, self.calls, self.pending, self.copies, self.plan = {}, {}, false, no_copies(), false
end
Probe.close = Probe.detach
probe_metatable.__close = Probe.detach

local function csv_cell(value)
    if type(value) == "string" then
        return value:find('[",\n]') and '"' .. value:gsub('"', '""') .. '"' or value
    elseif value == nil then
        return ""
    elseif value ~= value then
        return "nan"
    end
    return math.type(value) == "integer" and ("%d"):format(value) or text.format("%.17g", value)
end

--- Writes all rows as CSV, with a line of column names; an absent value is an empty cell, others may be nan, inf or -inf.
-- A file that is there is replaced only by a complete one. Returns path.
function Probe:csv(path)
    if type(path) ~= "string" then
        check.argument(1, "csv", "path expected, got %s", check.type_name(path))
    end
    local lines = { table.concat(store.columns, ",") }
    for _, row in ipairs(self:rows()) do
        local cells = {}
        for i, column in ipairs(store.columns) do
            cells[i] = csv_cell(row[column])
        end
        lines[#lines + 1] = table.concat(cells, ",")
    end
    return files.write(path, table.concat(lines, "\n") .. "\n")
end

local function nonfinite(row)
    return row.nans + row.infinities + (row.gradient_nans or 0) + (row.gradient_infinities or 0)
        + (row.weight_gradient_nonfinite or 0) + (row.bias_gradient_nonfinite or 0)
end

--- The table of the latest pass, which print(probe) shows as well.
function Probe:table()
    local rows = self:latest()
    if #rows == 0 then
        return "probe: no forward pass yet"
    end
    local lines, broken, moved = {}, false, false
    for _, row in ipairs(rows) do
        broken, moved = broken or nonfinite(row) > 0, moved or row.weight_update_log10_ratio ~= nil
    end
    for i, row in ipairs(rows) do
        lines[i] = {
            row.name .. " " .. row.kind,
            text.number(row.mean), text.number(row.std), text.number(row.min), text.number(row.max),
            text.share(row.saturated), text.share(row.dead), text.power(row.gradient_log10_norm),
            text.power(row.weight_gradient_log10_norm), text.power(row.bias_gradient_log10_norm),
        }
        table.insert(lines[i], moved and text.power(row.weight_update_log10_ratio) or nil)
        table.insert(lines[i], broken and (nonfinite(row) > 0 and "NaN or Inf" or "") or nil)
    end
    local columns = { "<layer", "mean y", "std y", "min", "max", "saturated", "dead", "|dL/dy|", "|dL/dW|", "|dL/db|" }
    table.insert(columns, moved and "|ΔW|/|W|" or nil)
    table.insert(columns, broken and "<" or nil)
    return ("step %s: outputs y of each layer, and Euclidean norms of the loss's gradients\n%s\n%s"):format(
        text.number(rows[1].step, 15), text.table(columns, lines),
        ("saturated: share of inputs with |f'(x)| < %g; dead: share of units that are 0 for the whole batch"):format(
            self.saturation))
end
probe_metatable.__tostring = Probe.table
Probe.plot = drawing.plot

check.methods(Probe, "probe", function(self)
    return getmetatable(self) == probe_metatable
end)

return { new = new }
