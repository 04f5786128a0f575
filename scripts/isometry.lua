#!/usr/bin/env lua5.4
--- Dynamical isometry: how evenly wide random nets stretch. The singular values of the input-output Jacobian of critical nets,
-- by depth, for Gaussian and orthogonal weights, linear, relu, hard_tanh and tanh, beside what free probability predicts
-- (Pennington, Schoenholz & Ganguli 2017, "Resurrecting the sigmoid in deep learning through dynamical isometry").
-- What can be changed: --help.

local rille = require "rille"
local experiment = require "rille.experiment"
local files = require "rille.files"
local flow = require "rille.flow"
local text = require "rille.text"

local ACTIVATIONS = { "identity", "relu", "hard_tanh", "tanh" }
local WEIGHTS = { "gaussian", "orthogonal" }
local TOLERANCE = 0.15 -- of a variance, relative, beside three standard errors: what theory is off by at a few hundred units

local o = experiment.options("isometry.lua", "Measures the singular values of the Jacobians of critical random nets and "
    .. "compares them with free probability.", {
    { "depth", "Layers, one number or more.", { 2, 4, 8, 16 }, 1 },
    { "width", "Units in each layer.", 256, 2 },
    { "nets", "Nets that are averaged over.", 4, 1 },
    { "q", "Variance of pre-activations in hard_tanh and tanh nets.", 0.2, 1e-6 },
})
table.sort(o.depth)

---- Measurement ---------------------------------------------------------------------------------------------------------

-- The means over some nets. Variance and largest eigenvalue of J J^T are taken relative to the square of its mean and to its
-- mean, since the number of active units, and with it the mean, differs from net to net.
local function measure(activation, weights, depth)
    local expected = flow.isometry(activation, { weights = weights, depth = depth, q = o.q })
    local m = { expected = expected, mean = 0, variance = 0, largest = 0, log10_condition = 0, nets = {} }
    local squares = 0
    for _ = 1, o.nets do
        local x = rille.randn(1, o.width)
        x = x * (math.sqrt(expected.length * o.width) / x:norm():item())
        local j = flow.jacobian(expected:net(o.width), x)
        local row = j.rows[1]
        local variance = row.variance / row.mean_square ^ 2
        m.mean = m.mean + row.mean_square / o.nets
        m.variance, squares = m.variance + variance / o.nets, squares + variance ^ 2 / o.nets
        m.largest = m.largest + row.largest / row.mean_square / o.nets
        m.log10_condition = m.log10_condition + row.log10_condition / o.nets
        table.insert(m.nets, j)
    end
    -- How far the variance is off, and its standard error, relative. Below 1e-9 it is what float32 has rounded.
    m.off, m.unsure = 0, 0
    if expected.variance > 1e-9 or m.variance > 1e-9 then
        m.off = m.variance / expected.variance - 1
        m.unsure = math.sqrt(math.max(squares - m.variance ^ 2, 0) / math.max(o.nets - 1, 1)) / expected.variance
    end
    return m
end

---- Tables and files ----------------------------------------------------------------------------------------------------

local COLUMNS = { "<activation", "<weights", "depth", "mean s²", "var s²", "theory", "max s²", "theory", "max s / min s" }

local function print_table(runs)
    local lines = {}
    for i, m in ipairs(runs) do
        local e = m.expected
        lines[i] = { e.activation, e.weights, ("%d"):format(e.depth), text.number(m.mean), text.number(m.variance, 2),
            text.number(e.variance), text.number(m.largest), text.number(e.largest), text.power(m.log10_condition) }
    end
    print(text.table(COLUMNS, lines))
    print("s²: the eigenvalues of J J^T; their variance and largest are divided by the square of their mean, and by their mean")
end

local function csv(runs)
    local lines = { "activation,weights,depth,mean_square,variance,expected_variance,largest,expected_largest,log10_condition" }
    for i, m in ipairs(runs) do
        local e = m.expected
        lines[i + 1] = text.format("%s,%s,%d,%.17g,%.17g,%.17g,%.17g,%s,%.17g", e.activation, e.weights, e.depth, m.mean,
            m.variance, e.variance, m.largest, e.largest and text.format("%.17g", e.largest) or "", m.log10_condition)
    end
    return table.concat(lines, "\n") .. "\n"
end

-- Variance over depth: points are measured, dashed lines are theory.
local function variance_panel(activation, runs_of)
    local panel = { title = activation, xlabel = "layers", ylabel = "variance of s²", xlog = true, ylog = true, xtics = o.depth,
        xrange = { o.depth[1] / 1.2, o.depth[#o.depth] * 1.2 }, series = {} }
    for _, weights in ipairs(WEIGHTS) do
        local x, measured, theory = {}, {}, {}
        for i, m in ipairs(runs_of[activation][weights]) do
            x[i], measured[i] = m.expected.depth, m.variance > 1e-9 and m.variance or 0 / 0
            theory[i] = m.expected.variance > 1e-9 and m.expected.variance or 0 / 0
        end
        table.insert(panel.series, { x = x, y = measured, label = weights, style = "points" })
        table.insert(panel.series, { x = x, y = theory, label = weights .. ", theory", style = "dashed" })
    end
    return panel
end

-- The density of singular values of the deepest nets.
local function spectrum_panel(activation, runs_of)
    local panel = { title = activation, xlabel = "singular value s", ylabel = "density", xrange = { 0, 3 }, yrange = { 0, 4 },
        series = {} }
    for _, weights in ipairs(WEIGHTS) do
        local nets, x, y = runs_of[activation][weights][#runs_of[activation][weights]].nets, {}, {}
        for _, j in ipairs(nets) do
            local histogram = j:histogram(60, { high = 3 })
            for bin, density in ipairs(histogram.density) do
                x[bin] = (histogram.edges[bin] + histogram.edges[bin + 1]) / 2
                y[bin] = (y[bin] or 0) + density / #nets
            end
        end
        table.insert(panel.series, { x = x, y = y, label = weights })
    end
    return panel
end

local function write_files(runs, runs_of)
    files.write(o.out .. "/isometry.csv", csv(runs))
    print(("\nEvery measurement: %s/isometry.csv"):format(o.out))
    local figures = {
        { "isometry-variance", variance_panel, "Variance of the squared singular values of dy/dx" },
        { "isometry-spectrum", spectrum_panel, ("Singular values of dy/dx, %d layers"):format(o.depth[#o.depth]) },
    }
    for i, entry in ipairs(figures) do
        local panels = {}
        for p, activation in ipairs(ACTIVATIONS) do
            panels[p] = entry[2](activation, runs_of)
        end
        figures[i] = { entry[1], { title = entry[3], legend = "shared", width = 1000, height = 760, panels = panels } }
    end
    experiment.save(o, figures)
end

---- Verdict -------------------------------------------------------------------------------------------------------------

local function print_verdict(runs, runs_of)
    local claims, worst, widest, evenest = {}, runs[1], runs[1], nil
    local function claim(holds, format, ...)
        table.insert(claims, { holds, format:format(...) })
    end
    local function deepest(activation, weights)
        return runs_of[activation][weights][#o.depth]
    end
    local function name(m)
        return ("%s with %s weights"):format(m.expected.activation, m.expected.weights)
    end
    for _, m in ipairs(runs) do
        worst = math.abs(m.off) - 3 * m.unsure > math.abs(worst.off) - 3 * worst.unsure and m or worst
        if m.expected.depth == o.depth[#o.depth] then
            widest = m.variance > widest.variance and m or widest
            local bent = m.expected.activation ~= "identity"
            evenest = bent and not (evenest and evenest.variance <= m.variance) and m or evenest
        end
    end
    claim(math.abs(worst.off) < TOLERANCE + 3 * worst.unsure, "every variance is theory's within %g %% and 3 standard errors: "
        .. "the worst, %s, %d layers, is off by %+.1f %% +- %.1f %%", 100 * TOLERANCE, name(worst), worst.expected.depth,
        100 * worst.off, 100 * worst.unsure)
    local linear, relu = deepest("identity", "orthogonal"), deepest("relu", "orthogonal")
    claim(linear.log10_condition < 1e-3, "a linear net with orthogonal weights is an isometry: max s / min s is %.6f",
        10 ^ linear.log10_condition)
    local tanh, loose = deepest("tanh", "orthogonal"), deepest("tanh", "gaussian")
    claim(tanh.variance < loose.variance / 5, "orthogonal weights bring tanh near it: variance %s, with gaussian ones %s",
        text.number(tanh.variance), text.number(loose.variance))
    claim(relu.variance > relu.expected.depth / 2, "they do not help relu: variance %s at %d layers",
        text.number(relu.variance), relu.expected.depth)
    experiment.verdict(claims, ("At %d layers the most even net that is not linear is %s: its largest singular value is %s "
        .. "times the root mean square, its variance of s² %s. The most uneven is %s: %s times, and %s."):format(
        o.depth[#o.depth], name(evenest), text.number(math.sqrt(evenest.largest)), text.number(evenest.variance), name(widest),
        text.number(math.sqrt(widest.largest)), text.number(widest.variance)))
end

---- Main ----------------------------------------------------------------------------------------------------------------

print(text.wrap(("Critical random nets of %d units, mean of %d each, seed %d; pre-activations of variance %g. Singular values "
    .. "s of the Jacobian J of the output by the input."):format(o.width, o.nets, o.seed, o.q), 110) .. "\n")
local runs, runs_of = {}, {}
for _, activation in ipairs(ACTIVATIONS) do
    runs_of[activation] = {}
    for _, weights in ipairs(WEIGHTS) do
        runs_of[activation][weights] = {}
        for i, depth in ipairs(o.depth) do
            local m = measure(activation, weights, depth)
            table.insert(runs, m)
            runs_of[activation][weights][i] = m
        end
    end
end
print_table(runs)
write_files(runs, runs_of)
print_verdict(runs, runs_of)
