--- rille.flow: how activations and gradients flow through a net, layer by layer, step by step.
--
--     local probe = flow.probe(net)
--     rille.cross_entropy(net(x), labels):backward()
--     print(probe)                  -- the table of this pass
--     print(flow.diagnose(probe))   -- a verdict a layer: rille/flow/diagnosis.lua
--     local watch <close> = flow.watch(net)   -- an error at the first NaN: rille/flow/watch.lua
--
-- In a training loop call probe:record(step) after backward and before the optimiser's step, as often as wanted; then
-- probe:rows(), probe:passes() or probe:csv(path) give all of it, probe:plot(folder) draws it (rille/flow/drawing.lua), and
-- flow.norms_over_steps, norms_by_layer, gradient_map, updates_over_steps and histograms make figures for rille.plot
-- (rille/flow/figures.lua). flow.columns names what a row holds, in order:
--
--   step, layer, name, kind            layer counts the calls of the pass from 1; name is its place in the net: "[3]"
--   input_mean, input_std              of what the layer was given, over the finite elements
--   input_nonfinite                    share of NaN and Inf in it
--   mean, std, min, max                of the layer's outputs, over the finite ones
--   log10_norm                         log10 of their Euclidean norm
--   saturated                          activations: share of inputs where |f'(x)| < the probe's saturation threshold
--   dead                               activations: share of units that are 0 for the whole batch
--   zeros, subnormals, nans, infinities                         shares of the outputs
--   gradient_log10_norm, gradient_std  of the loss's gradient with respect to the outputs
--   gradient_zeros, gradient_subnormals, gradient_nans, gradient_infinities       shares of that gradient
--   weight_log10_norm, weight_std, weight_nonfinite             of the weight itself
--   weight_gradient_log10_norm, weight_gradient_std, weight_gradient_nonfinite    of the loss's gradient with respect to it
--   weight_update_log10_ratio          log10 of |W - W at the record before| / |W|, W as it is now
--   bias_log10_norm, bias_nonfinite, bias_gradient_log10_norm, bias_gradient_std, bias_gradient_nonfinite
--
-- What a layer has not, is nil. Norms are kept as log10, so that 1e-60 and 1e+60 survive; that of zeros is -Inf. "weight" is
-- the parameter of that name, else the first that is not "bias"; a recurrent layer's is weight_hh_l1. Rows hold besides, for
-- rille.flow.diagnosis: bounded (an activation's range is), frozen (the weight requires no gradient), vector (it is no matrix),
-- biasless (it could have a bias and has none).
--
-- What is to be expected of a net before it is built: flow.theory, flow.critical, flow.lengths and flow.phase_diagram
-- (rille/flow/theory.lua, critical.lua, lengths.lua, phases.lua).

local check = require "rille.check"
local critical = require "rille.flow.critical"
local diagnosis = require "rille.flow.diagnosis"
local figures = require "rille.flow.figures"
local probe = require "rille.flow.probe"
local isometry = require "rille.flow.isometry"
local jacobian = require "rille.flow.jacobian"
local lengths = require "rille.flow.lengths"
local phases = require "rille.flow.phases"
local remedies = require "rille.flow.remedies"
local store = require "rille.flow.store"
local watch = require "rille.flow.watch"
local theory = require "rille.flow.theory"

local flow = {
    columns = store.columns,
    probe = probe.new,
    diagnose = diagnosis.diagnose,
    remedies = remedies.copies,
    watch = watch.new,
    norms_over_steps = figures.norms_over_steps,
    norms_by_layer = figures.norms_by_layer,
    gradient_map = figures.gradient_map,
    updates_over_steps = figures.updates_over_steps,
    histograms = figures.histograms,
    jacobian = jacobian.jacobian,
    isometry = isometry.isometry,
    theory = theory.theory,
    critical = critical.critical,
    lengths = lengths.lengths,
    phase_diagram = phases.phase_diagram,
}

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

return check.strict(flow, "rille.flow")
