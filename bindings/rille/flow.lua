--- rille.flow: how activations and gradients flow through a net, layer by layer, step by step.
--
--     local probe = flow.probe(net)
--     rille.cross_entropy(net(x), labels):backward()
--     print(probe)                  -- the table of this pass
--     print(flow.diagnose(probe))   -- a verdict a layer: rille/flow/diagnosis.lua
--
-- In a training loop call probe:record(step) after backward and before the optimiser's step, as often as wanted; then
-- probe:rows(), probe:passes() or probe:csv(path) give all of it, and flow.norms_over_steps and flow.norms_by_layer make
-- figures for rille.plot (rille/flow/figures.lua). flow.columns names what a row holds, in order:
--
--   step, layer, name, kind            layer counts the calls of the pass from 1; name is its place in the net: "[3]"
--   mean, std, min, max                of the layer's outputs, over the finite ones
--   log10_norm                         log10 of their Euclidean norm
--   saturated                          activations: share of inputs where |f'(x)| < the probe's saturation threshold
--   dead                               activations: share of units that are 0 for the whole batch
--   zeros, subnormals, nans, infinities                         shares of the outputs
--   gradient_log10_norm                log10 of the norm of the loss's gradient with respect to the outputs
--   gradient_zeros, gradient_subnormals, gradient_nans, gradient_infinities       shares of that gradient
--   weight_log10_norm                  of the weight itself
--   weight_gradient_log10_norm, weight_gradient_std, weight_gradient_nonfinite    of the loss's gradient with respect to it
--   bias_gradient_log10_norm, bias_gradient_std, bias_gradient_nonfinite
--
-- What a layer has not, is nil. Norms are kept as log10, so that 1e-60 and 1e+60 survive; that of zeros is -Inf. "weight" is
-- the parameter of that name, else the first that is not "bias".

local rille = require "rille"
local check = require "rille.check"
local diagnosis = require "rille.flow.diagnosis"
local figures = require "rille.flow.figures"
local files = require "rille.files"
local nn = require "rille.nn"
local store = require "rille.flow.store"
local text = require "rille.text"

local flow = {
    diagnose = diagnosis.diagnose,
    norms_over_steps = figures.norms_over_steps,
    norms_by_layer = figures.norms_by_layer,
}

flow.columns = store.columns

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

-- A layer is a module without modules below it, or one that has parameters of its own.
local function layers_of(net)
    local layers = {}
    for name, module in net:named_modules() do
        if not module:named_children()() or module:own_parameters()() then
            layers[#layers + 1] = { name = name ~= "" and name or module.class_name, module = module }
        end
    end
    return layers
end

-- One forward pass: the calls of layers between the net's entry and its end. A layer that is called outside of the net's own
-- forward replaces its earlier call.
local function watch(probe, layer)
    return layer.module:register_forward_hook(function(_, inputs, output)
        if not check.is_floating(output) or not rille.is_grad_enabled() then
            return
        end
        if output:requires_grad() then
            output:retain_grad()
        end
        local call = { layer = layer, input = inputs[1], output = output }
        probe.pending = true
        for i, other in ipairs(probe.inside and {} or probe.calls) do
            if other.layer == layer then
                probe.calls[i] = call
                return
            end
        end
        table.insert(probe.calls, call)
    end)
end

--- Watches every layer of a net from now on: modules without children, or with parameters of their own. What operations do
-- outside of modules (x:tanh() in a forward) is not seen. options: saturation (1e-3), the |f'(x)| below which an input counts
-- as saturated; for a relu these are its negative inputs. Passes under rille.no_grad are not looked at.
function flow.probe(net, options)
    if not nn.is_module(net) then
        check.argument(1, "probe", "module expected, got %s", check.type_name(net))
    end
    options = check.options(2, "probe", options, { saturation = 1e-3 })
    local probe = setmetatable({
        net = net, saturation = options.saturation, calls = {}, recorded = {}, handles = {}, pending = false, inside = false,
        last_step = false,
    }, probe_metatable)
    table.insert(probe.handles, net:register_forward_pre_hook(function()
        if rille.is_grad_enabled() then
            probe.inside, probe.calls = true, {}
        end
    end))
    for _, layer in ipairs(layers_of(net)) do
        table.insert(probe.handles, watch(probe, layer))
    end
    table.insert(probe.handles, net:register_forward_hook(function()
        probe.inside = false
    end))
    return probe
end

-- Puts the statistics of a tensor into a row: its count fields become shares.
local function put_values(row, prefix, statistics)
    for _, field in ipairs { "zeros", "subnormals", "nans", "infinities" } do
        row[prefix .. field] = statistics.count > 0 and statistics[field] / statistics.count or 0
    end
    row[prefix .. "log10_norm"] = statistics.log10_norm
end

local function put_parameter(row, prefix, parameter)
    local gradient = parameter.grad
    if gradient then
        local statistics = rille.measure(gradient)
        row[prefix .. "_gradient_log10_norm"] = statistics.log10_norm
        row[prefix .. "_gradient_std"] = statistics.std
        row[prefix .. "_gradient_nonfinite"] = statistics.count > 0
            and (statistics.nans + statistics.infinities) / statistics.count or 0
    end
end

local function put_parameters(row, module)
    local weight, bias
    for name, parameter in module:own_parameters() do
        if name == "bias" then
            bias = parameter
        elseif name == "weight" or not weight then
            weight = parameter
        end
    end
    if weight then
        row.weight_log10_norm = rille.measure(weight).log10_norm
        put_parameter(row, "weight", weight)
    end
    if bias then
        put_parameter(row, "bias", bias)
    end
end

local function measure_call(probe, call)
    local module, output = call.layer.module, call.output
    local statistics = rille.measure(output)
    local row = {
        name = call.layer.name, kind = module.class_name,
        mean = statistics.mean, std = statistics.std, min = statistics.min, max = statistics.max,
    }
    put_values(row, "", statistics)
    if module.activation then
        row.saturated = rille.measure_saturated(call.input, module.activation.name, probe.saturation,
            module:activation_parameters())
        row.dead = output:dim() > 0 and rille.measure_dead(output) or nil
        row.bounded = module.activation.low > -math.huge and module.activation.high < math.huge
    end
    local gradient = output.grad
    if gradient then
        put_values(row, "gradient_", rille.measure(gradient))
    end
    put_parameters(row, module)
    return row
end

local function measure_pass(probe, step)
    return rille.no_grad(function()
        local rows, calls_of = {}, {}
        for i, call in ipairs(probe.calls) do
            local row = measure_call(probe, call)
            local count = (calls_of[call.layer] or 0) + 1
            calls_of[call.layer] = count
            row.step, row.layer = step, i
            row.name = row.name .. (count > 1 and " #" .. count or "")
            rows[i] = row
        end
        return rows
    end)
end

--- Measures the latest pass: a row for each layer it went through. step: a number for the rows; one more than the last by
-- default (the first is 0). Gradients of parameters are what has accumulated in them: zero them before each backward.
-- Returns the rows. Raises where there was no pass since the probe was made.
function Probe:record(step)
    if step ~= nil and type(step) ~= "number" then
        check.argument(1, "record", "number expected, got %s", check.type_name(step))
    elseif #self.calls == 0 then
        check.fail("record: the probe has seen no forward pass of its net")
    end
    step = step or (self.last_step and self.last_step + 1 or 0)
    local rows = measure_pass(self, step)
    store.add(self.recorded, rows)
    self.last_step, self.pending = step, false
    return rows
end

local function has_gradient(probe)
    for _, call in ipairs(probe.calls) do
        if call.output.grad then
            return true
        end
    end
    return false
end

--- The recorded rows pass by pass, oldest first: a list of lists of plain tables with the fields of flow.columns.
function Probe:passes()
    local passes = {}
    for i, pass in ipairs(self.recorded) do
        passes[i] = store.rows(pass)
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

--- Of the rows of one pass those of layers with a weight, and those of activations: two lists.
function flow.split(rows)
    local weighted, activations = {}, {}
    for _, row in ipairs(rows) do
        if row.weight_log10_norm then
            table.insert(weighted, row)
        elseif row.saturated then
            table.insert(activations, row)
        end
    end
    return weighted, activations
end

--- The rows of the latest pass. One that has had its backward and was not recorded yet is recorded first; where there is
-- nothing but a pass without backward, its rows come without gradients and are not kept.
function Probe:latest()
    if self.pending and has_gradient(self) then
        return self:record()
    end
    local last = self.recorded[#self.recorded]
    return last and store.rows(last) or measure_pass(self, 0)
end

--- Forgets the rows recorded so far.
function Probe:clear()
    self.recorded, self.last_step = {}, false
end

--- Takes the probe's hooks off the net; what was recorded stays.
function Probe:detach()
    for _, handle in ipairs(self.handles) do
        handle:remove()
    end
    self.handles, self.calls, self.pending = {}, {}, false
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
    return math.type(value) == "integer" and ("%d"):format(value) or ("%.17g"):format(value)
end

--- Writes all rows as CSV, with a line of column names; an absent value is an empty cell, others may be nan, inf or -inf.
-- A file that is there is replaced only by a complete one. Returns path.
function Probe:csv(path)
    if type(path) ~= "string" then
        check.argument(1, "csv", "path expected, got %s", check.type_name(path))
    end
    local lines = { table.concat(flow.columns, ",") }
    for _, row in ipairs(self:rows()) do
        local cells = {}
        for i, column in ipairs(flow.columns) do
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

--- The table of the latest pass.
function probe_metatable.__tostring(probe)
    local rows = probe:latest()
    if #rows == 0 then
        return "probe: no forward pass yet"
    end
    local lines, broken = {}, false
    for i, row in ipairs(rows) do
        local bad = nonfinite(row) > 0
        broken = broken or bad
        lines[i] = {
            row.name .. " " .. row.kind,
            text.number(row.mean), text.number(row.std), text.number(row.min), text.number(row.max),
            text.share(row.saturated), text.share(row.dead), text.power(row.gradient_log10_norm),
            text.power(row.weight_gradient_log10_norm), text.power(row.bias_gradient_log10_norm), bad and "NaN or Inf" or "",
        }
    end
    return ("step %s: outputs y of each layer, and Euclidean norms of the loss's gradients\n%s\n%s"):format(
        text.number(rows[1].step, 15),
        text.table({ "<layer", "mean y", "std y", "min", "max", "saturated", "dead", "|dL/dy|", "|dL/dW|", "|dL/db|",
            broken and "" or "<" }, lines),
        ("saturated: share of inputs with |f'(x)| < %g; dead: share of units that are 0 for the whole batch"):format(
            probe.saturation))
end

check.methods(Probe, "probe", function(self)
    return getmetatable(self) == probe_metatable
end)

return check.strict(flow, "rille.flow")
