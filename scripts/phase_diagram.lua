#!/usr/bin/env lua5.4
--- Order and chaos in random nets: where, by mean-field theory, like inputs become alike and where they part; then, at four
-- points of the diagram, the same of random nets, layer by layer. Poole et al. 2016; Schoenholz et al. 2017.

local rille = require "rille"
local experiment = require "rille.experiment"
local flow = require "rille.flow"
local text = require "rille.text"

local START = 0.6 -- the correlation of the two inputs
local FACTORS = { 0.7, 1, 1.3, 2 } -- of the critical sigma_w

local o = experiment.options("phase_diagram.lua", "Computes the phase diagram of random nets and measures correlations and "
    .. "gradients at four of its points.", {
    { "activation", "Any one of rille.activations.", "tanh" },
    { "width", "Units in a layer of the nets that are measured.", 500, 2 },
    { "depth", "Their layers.", 15, 2 },
    { "nets", "How many of them at each point.", 10, 2 },
    { "sigma_b", "Deviation of the biases at the four points.", 0.3, 0 },
    { "steps", "Points of the diagram in each direction.", 21, 2 },
})
experiment.check_activation("phase_diagram.lua", o.activation)

-- Two vectors whose entries are N(0, q) with correlation c, as the rows of a tensor.
local function two_inputs(q, c)
    local z = rille.randn({ 2, o.width }, { dtype = "float64" })
    local mix = rille.tensor({ { 1, 0 }, { c, math.sqrt(1 - c * c) } }, { dtype = "float64" })
    return mix:matmul(z) * math.sqrt(q)
end

-- Variance and correlation in each layer of one random net, and log10 of |gradient| in the first over that in the last.
local function measure_net(sigma_w, q0)
    local function normal(shape, sigma) return rille.randn(shape, { dtype = "float64" }) * sigma end
    local first = two_inputs(q0, START):requires_grad(true)
    local h, rows = first, {}
    for layer = 1, o.depth do
        if layer > 1 then
            h = rille[o.activation](h):matmul(normal({ o.width, o.width }, sigma_w / math.sqrt(o.width)))
                + normal({ 1, o.width }, o.sigma_b)
        end
        local squares = rille.no_grad(function() return h:matmul(h:t()) / o.width end):totable()
        rows[layer] = { q = squares[1][1], c = squares[1][2] / math.sqrt(squares[1][1] * squares[2][2]) }
    end
    local seed = normal({ 2, o.width }, 1)
    h:backward(seed)
    return rows, rille.measure(first.grad).log10_norm - rille.measure(seed).log10_norm
end

-- The same of o.nets nets: of each layer means q and c and the deviation of c between nets; and the mean growth.
local function measure(sigma_w, q0)
    local rows, growth = {}, 0
    for layer = 1, o.depth do
        rows[layer] = { q = 0, c = 0, squares = 0 }
    end
    for _ = 1, o.nets do
        local net, its_growth = measure_net(sigma_w, q0)
        growth = growth + its_growth / o.nets
        for layer, row in ipairs(rows) do
            row.q, row.c = row.q + net[layer].q / o.nets, row.c + net[layer].c / o.nets
            row.squares = row.squares + net[layer].c ^ 2
        end
    end
    for _, row in ipairs(rows) do
        row.deviation = math.sqrt(math.max(0, (row.squares - o.nets * row.c ^ 2) / (o.nets - 1)))
    end
    return rows, growth
end

local critical, why = flow.critical(o.activation, { sigma_b = o.sigma_b })
if not critical then
    experiment.stop("phase_diagram.lua", "%s", why)
end
local diagram = flow.phase_diagram(o.activation, { sigma_w = { 0.4 * critical.sigma_w, 2.4 * critical.sigma_w },
    sigma_b = { 0, math.max(1, 2 * o.sigma_b) }, steps = o.steps })
print(diagram)

local rows, claims, panels, growths = {}, {}, {}, {}
local start = critical.q > 0 and critical.q or 1
for i, factor in ipairs(FACTORS) do
    local sigma_w = factor * critical.sigma_w
    local theory = flow.theory(o.activation, { sigma_w = sigma_w, sigma_b = o.sigma_b, q0 = start })
    local q0 = theory.q > 0 and theory.q < math.huge and theory.q or 1
    local predicted = flow.lengths(o.activation, { sigma_w = sigma_w, sigma_b = o.sigma_b, layers = o.depth, q0 = q0,
        c0 = START })
    local measured, growth = measure(sigma_w, q0)
    local last, seen = predicted[o.depth], measured[o.depth]
    local layers = o.depth - 1
    rows[i] = { text.number(sigma_w), theory.phase, text.number(theory.chi, 4), text.number(last.q), text.number(seen.q),
        text.number(last.c), ("%.3f ± %.3f"):format(seen.c, seen.deviation),
        text.number(10 ^ (2 * predicted[1].log10_gradient / layers), 4), text.number(10 ^ (2 * growth / layers), 4) }
    growths[i] = 10 ^ (2 * growth / layers)
    -- Three standard errors of the mean, and 0.02 for what a finite width moves the mean by.
    local allowed = 3 * seen.deviation / math.sqrt(o.nets) + 0.02
    claims[i] = { math.abs(seen.c - last.c) <= allowed, ("sigma_w = %s: the mean correlation after %d layers is %.3f, theory's "
        .. "%.3f; within %.3f"):format(text.number(sigma_w), o.depth, seen.c, last.c, allowed) }
    local theory_line = { x = {}, y = {}, label = "theory", style = "lines" }
    local points = { x = {}, y = {}, label = ("mean of %d nets"):format(o.nets), style = "points" }
    for layer = 1, o.depth do
        theory_line.x[layer], theory_line.y[layer] = layer, predicted[layer].c
        points.x[layer], points.y[layer] = layer, measured[layer].c
    end
    panels[i] = { title = ("sigma_w = %s: %s"):format(text.number(sigma_w), theory.phase), xlabel = "layer",
        ylabel = "correlation of two inputs", yrange = { math.min(0, last.c), 1 }, series = { theory_line, points } }
end
print(("\n%s, sigma_b = %g, width %d, %d layers; two inputs that start with correlation %g. p: predicted, m: mean of "
    .. "%d nets.\nq: variance, c: correlation in the last layer (± its deviation between nets); growth: of the squared "
    .. "gradient, a layer back"):format(o.activation, o.sigma_b, o.width, o.depth, START, o.nets))
print(text.table({ "sigma_w", "<phase", "chi", "q p", "q m", "c p", "c m", "growth p", "growth m" }, rows))
local correlations = { title = ("Do two inputs become alike? %s, sigma_b = %g"):format(o.activation, o.sigma_b),
    legend = "shared", width = 1000, height = 760, panels = panels }
experiment.save(o, { { "phase-diagram", diagram:figure() }, { "phase-correlations", correlations } })
claims[#claims + 1] = { growths[1] < 1 and growths[4] > 1, ("gradients vanish below the edge of chaos and explode above it: "
    .. "%s and %s a layer"):format(text.number(growths[1]), text.number(growths[4])) }
experiment.verdict(claims, ("With sigma_b = %g the edge of chaos of %s is at sigma_w = %s, where q is %s. A net at %g of that "
    .. "takes two inputs of correlation %g to %s in %d layers, and its squared gradient changes by a factor of %s a layer; at "
    .. "%g of it their correlation goes to %s, the gradient's factor is %s."):format(o.sigma_b, o.activation,
    text.number(critical.sigma_w, 4), text.number(critical.q), FACTORS[1], START, rows[1][7], o.depth, rows[1][9], FACTORS[4],
    rows[4][7], rows[4][9]))
