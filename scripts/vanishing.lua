#!/usr/bin/env lua5.4
--- Vanishing gradients on handwritten digits: the same net with sigmoid, tanh, relu and leaky_relu, trained side by side. For
-- every hidden layer: the norm of the loss's gradient with respect to its weight, from before the first step to after the last.
-- Why it vanishes: Hochreiter 1991; Bengio, Simard & Frasconi 1994; Glorot & Bengio 2010. What can be changed: --help.

local rille = require "rille"
local data = require "rille.data"
local experiment = require "rille.experiment"
local flow = require "rille.flow"
local nn = require "rille.nn"
local optim = require "rille.optim"
local report = require "rille.report"
local text = require "rille.text"

local ACTIVATIONS = { "sigmoid", "tanh", "relu", "leaky_relu" }
local VANISHED = 0.2    -- a first-to-last ratio below this counts as vanishing
local IMAGES = 500      -- gradients are measured on this many training images, always the same
local MEASUREMENTS = 40 -- spread over the training, besides the one before it

---- Command line --------------------------------------------------------------------------------------------------------

local function read_options()
    local o = experiment.options("vanishing.lua", "Trains nets with sigmoid, tanh, relu and leaky_relu on handwritten "
        .. "digits and shows how much gradient each hidden layer gets.", {
        { "depth", "Hidden layers, one number or more: 3,6,12.", { 3, 6 }, 2 },
        { "width", "Units in each hidden layer.", 64, 1 },
        { "epochs", "Passes over the training images.", 20, 1 },
        { "batch", "Images a step.", 32, 1 },
        { "lr", "Learning rate.", 0.1, 0 },
        { "quiet", "No progress line." },
    })
    local depths, known = {}, {}
    for _, depth in ipairs(o.depth) do
        depths[#depths + 1], known[depth] = not known[depth] and depth or nil, true
    end
    table.sort(depths)
    o.depth = depths
    return o
end

---- Training ------------------------------------------------------------------------------------------------------------

-- `depth` times Linear and activation, then the output layer. Xavier weights (Glorot & Bengio 2010), zero biases.
local function make_net(activation, depth, width)
    local layers, inputs = {}, 64
    for _ = 1, depth do
        table.insert(layers, nn.Linear(inputs, width))
        table.insert(layers, nn.activation(activation))
        inputs = width
    end
    table.insert(layers, nn.Linear(inputs, 10))
    local net = nn.Sequential(layers)
    for name, parameter in net:named_parameters() do
        local start = name:find("weight$") and nn.init.xavier_uniform or nn.init.zeros
        start(parameter)
    end
    return net
end

local function percent(share)
    return ("%.1f %%"):format(100 * share)
end

local function accuracy(net, part)
    return rille.no_grad(function()
        return rille.eq(net(part.x):argmax(2), part.y):mean():item()
    end)
end

-- One HTML file with all that was measured of a net. Its histograms are of the last pass, so the probe is still attached.
local function write_report(run, o)
    local hidden = ("%d hidden layers of %d units, %s"):format(run.depth, o.width, run.activation)
    local _, missing = report.save(("%s/vanishing-%d-%s.html"):format(o.out, run.depth, run.activation), {
        title = "Vanishing gradients: " .. hidden, probe = run.probe, losses = run.losses, seed = o.seed,
        notes = ("Handwritten digits; loss and gradients are of the first %d training images. After step %d the net knows "
            .. "%s of the test digits."):format(IMAGES, o.steps, percent(run.test)),
        config = { activation = run.activation, ["hidden layers"] = run.depth, width = o.width, ["learning rate"] = o.lr,
            batch = o.batch, epochs = o.epochs, weights = "Xavier, uniform", biases = 0, optimizer = "SGD" },
    })
    run.missing = missing
end

-- Trains one net; progress(step) is called after each step. What was measured is in run.probe.
local function train(activation, depth, digits, o, progress)
    rille.manual_seed(o.seed)
    local net = make_net(activation, depth, o.width)
    local optimizer = optim.SGD(net:parameters(), { lr = o.lr })
    local run = { activation = activation, depth = depth, probe = flow.probe(net), losses = { steps = {}, values = {} } }
    local x, y = digits.train.x:narrow(1, 1, IMAGES), digits.train.y:narrow(1, 1, IMAGES)
    local function measure(step)
        optimizer:zero_grad()
        local loss = rille.cross_entropy(net(x), y)
        loss:backward()
        run.probe:record(step)
        table.insert(run.losses.steps, step)
        table.insert(run.losses.values, loss:item())
    end
    measure(0)
    local step = 0
    for epoch = 1, o.epochs do
        for xb, yb in data.batches(digits.train.x, digits.train.y, o.batch, { shuffle = o.seed + epoch }) do
            optimizer:zero_grad()
            rille.cross_entropy(net(xb), yb):backward()
            optimizer:step()
            step = step + 1
            if step * MEASUREMENTS // o.steps > (step - 1) * MEASUREMENTS // o.steps then
                measure(step)
            end
            progress(step)
        end
    end
    run.train, run.test = accuracy(net, digits.train), accuracy(net, digits.test)
    write_report(run, o)
    run.probe:detach()
    return run
end

---- What is read from a run ---------------------------------------------------------------------------------------------

-- log10 of |dL/dW| in a hidden layer (1 is the first), from the rows of one pass.
local function log10_norm(rows, layer)
    return flow.split(rows)[layer].weight_gradient_log10_norm
end

-- log10 of |dL/dW| in the first hidden layer over |dL/dW| in the last hidden layer.
local function log10_ratio(run, rows)
    return log10_norm(rows, 1) - log10_norm(rows, run.depth)
end

-- Adds what the tables and the verdict ask for: up to five passes from the start to the end, and their ratios.
local function read_run(run)
    local passes = run.probe:passes()
    run.passes, run.ratios = {}, {}
    for k = 0, 4 do
        local rows = passes[1 + (#passes - 1) * k // 4]
        if rows ~= run.passes[#run.passes] then
            table.insert(run.passes, rows)
            table.insert(run.ratios, log10_ratio(run, rows))
        end
    end
    run.start, run.last = run.passes[1], run.passes[#run.passes]
    run.ratio = run.ratios[1]
end

---- Tables --------------------------------------------------------------------------------------------------------------

-- The hidden layers that the table shows: all, or ten evenly.
local function shown_layers(depth)
    local list = {}
    for i = 1, math.min(depth, 10) do
        list[i] = depth <= 10 and i or 1 + (i - 1) * (depth - 1) // 9
    end
    return list
end

local function print_layers(runs, depth, o)
    local columns, rows = { "<net", "<hidden layer" }, {}
    for _, run in ipairs(runs) do
        local _, before = flow.split(run.start)
        local _, after = flow.split(run.last)
        for _, layer in ipairs(shown_layers(depth)) do
            local cells = { layer == 1 and run.activation or "", tostring(layer) }
            for i, pass in ipairs(run.passes) do
                columns[2 + i] = "step " .. pass[1].step
                cells[2 + i] = text.power(log10_norm(pass, layer))
            end
            table.insert(cells, text.share(before[layer].saturated))
            table.insert(cells, text.share(after[layer].saturated))
            table.insert(cells, text.share(after[layer].dead))
            table.insert(rows, cells)
        end
        local ratios = { "", "first / last" }
        for i, ratio in ipairs(run.ratios) do
            ratios[2 + i] = text.ratio(ratio)
        end
        table.insert(rows, ratios)
    end
    table.move({ "saturated, start", "saturated, end", "dead, end" }, 1, 3, #columns + 1, columns)
    print(("\n%d hidden layers of %d units: |dL/dW|, the Euclidean norm of the loss's gradient with respect to the weight"):
        format(depth, o.width))
    print(text.table(columns, rows))
end

local function print_summary(runs)
    local rows = {}
    for i, run in ipairs(runs) do
        rows[i] = { tostring(run.depth), run.activation, text.ratio(run.ratio), text.ratio(run.ratio / (run.depth - 1)),
            text.ratio(run.ratios[#run.ratios]), percent(run.train), percent(run.test) }
    end
    print("\nfirst / last: |dL/dW| of the first hidden layer, divided by that of the last hidden layer")
    print(text.table({ "<hidden layers", "<net", "first / last, start", "a layer", "end", "train accuracy", "test accuracy" },
        rows))
    print("saturated: share of inputs with |f'(x)| < 0.001, for relu the negative ones; dead: units that are 0 for every image")
end

---- Files ---------------------------------------------------------------------------------------------------------------

local function function_figure()
    local x, panels = rille.linspace(-6, 6, 601), {}
    for p, name in ipairs(ACTIVATIONS) do
        panels[p] = { title = name, xlabel = "x", yrange = { -1.2, 1.6 }, series = {
            { x = x, y = rille[name](x), label = "f(x)" },
            { x = x, y = rille.derivative(name, x), label = "f'(x)", style = "dashed" },
        } }
    end
    return { title = "The activations and their derivatives", legend = "shared", width = 1000, height = 760, panels = panels }
end

local function write_files(runs_of, o)
    local by_layer, list = {}, { { "activations", function_figure() } }
    for i, depth in ipairs(o.depth) do
        local probes, starts = {}, {}
        for k, run in ipairs(runs_of[depth]) do
            run.probe:csv(("%s/vanishing-%d-%s.csv"):format(o.out, depth, run.activation))
            probes[k], starts[k] = { run.activation, run.probe }, { run.activation, run.start }
        end
        by_layer[i] = { depth .. " hidden layers", starts, layers = depth }
        table.insert(list, { "gradient-norms-" .. depth, flow.norms_over_steps(probes, { layers = depth,
            title = ("Gradient in each of %d hidden layers of %d units"):format(depth, o.width) }) })
    end
    table.insert(list, { "gradient-by-layer", flow.norms_by_layer(by_layer,
        { level = VANISHED, title = "Gradient by hidden layer before training (dotted: " .. VANISHED .. ")" }) })
    print(("\nEvery measurement: %s/vanishing-*.csv"):format(o.out))
    experiment.save(o, list)
    local missing = runs_of[o.depth[1]][1].missing
    print(("Reports, one a net, to be opened in a browser: %s/vanishing-*.html%s"):format(o.out,
        missing and "\n  " .. missing or ""))
end

---- Verdict -------------------------------------------------------------------------------------------------------------

local function print_verdict(runs_of, o)
    local claims, gaps, widening = {}, {}, true
    local function claim(holds, format, ...)
        table.insert(claims, { holds, format:format(...) })
    end
    for i, depth in ipairs(o.depth) do
        local sigmoid, relu = runs_of[depth][1].ratio, runs_of[depth][3].ratio
        gaps[i] = relu - sigmoid
        widening = widening and (i == 1 or gaps[i] > gaps[i - 1])
        claim(10 ^ sigmoid < VANISHED, "depth %d: sigmoid's first / last is below %g: %s", depth, VANISHED, text.ratio(sigmoid))
        claim(10 ^ relu > VANISHED, "depth %d: relu's is above: %s", depth, text.ratio(relu))
    end
    if #gaps > 1 then
        claim(widening, "the deeper, the wider the gap, relu's first / last over sigmoid's: %s at depth %d, %s at depth %d",
            text.ratio(gaps[1]), o.depth[1], text.ratio(gaps[#gaps]), o.depth[#gaps])
    end
    local deepest, vanishing, flowing, learned = runs_of[o.depth[#o.depth]], {}, {}, {}
    for i, run in ipairs(deepest) do
        table.insert(10 ^ run.ratio >= VANISHED and flowing or vanishing, run.activation .. " " .. text.ratio(run.ratio))
        learned[i] = percent(run.test) .. " with " .. run.activation
    end
    local sigmoid, _, activations = deepest[1], flow.split(deepest[1].start)
    local sentences = {
        ("Over %d hidden layers the gradient vanishes with: %s; it does not with: %s."):format(sigmoid.depth,
            table.concat(#vanishing > 0 and vanishing or { "none" }, ", "),
            table.concat(#flowing > 0 and flowing or { "none" }, ", ")),
        ("A layer of the sigmoid net passes %s of it on to the one below; sigmoid' is at most %g, and %s of the first layer's "
            .. "inputs are saturated."):format(text.ratio(sigmoid.ratio / (sigmoid.depth - 1)),
            rille.derivative("sigmoid", rille.zeros(1))[1], text.share(activations[1].saturated)),
        ("After step %d the nets know %s of the test digits."):format(o.steps, table.concat(learned, ", ")),
    }
    experiment.verdict(claims, table.concat(sentences, " "), "before training")
end

---- Main ----------------------------------------------------------------------------------------------------------------

local o = read_options()
local digits = data.digits()
o.steps = o.epochs * ((digits.train.x:size(1) + o.batch - 1) // o.batch)
print(text.wrap(("Digits: %d training and %d test images of 8x8 pixels. Xavier weights, zero biases, SGD with lr %g, batches "
    .. "of %d, %d steps, seed %d. Gradients are measured on the first %d training images."):format(digits.train.x:size(1),
    digits.test.x:size(1), o.lr, o.batch, o.steps, o.seed, IMAGES), 110))
local on_terminal = not o.quiet and os.execute("test -t 2")
local runs, runs_of = {}, {}
for _, depth in ipairs(o.depth) do
    runs_of[depth] = {}
    for _, activation in ipairs(ACTIVATIONS) do
        local run = train(activation, depth, digits, o, function(step)
            if on_terminal and (step % 50 == 0 or step == o.steps) then
                io.stderr:write(("\r\27[Knet %d of %d: %s, %d hidden layers, step %d of %d"):format(#runs + 1,
                    #o.depth * #ACTIVATIONS, activation, depth, step, o.steps), step == o.steps and "\r\27[K" or "")
            end
        end)
        read_run(run)
        table.insert(runs, run)
        table.insert(runs_of[depth], run)
    end
    print_layers(runs_of[depth], depth, o)
end
print_summary(runs)
write_files(runs_of, o)
print_verdict(runs_of, o)
