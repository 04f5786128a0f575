--- rille.data.synthetic: sets that are computed. Each has a stream of its own: the same seed gives the same set anywhere.

local rille = require "rille"
local check = require "rille.check"
local new_stream = require "rille.data.stream"

local synthetic = {}

local function read_options(n, name, options, defaults)
    defaults.seed, defaults.dtype = 1, "float32"
    options = check.options(n, name, options, defaults)
    if math.type(options.seed) ~= "integer" then
        check.argument(n, name, "seed: integer expected, got %s", check.value_text(options.seed))
    elseif options.dtype ~= "float32" and options.dtype ~= "float64" then
        check.argument(n, name, "dtype: 'float32' or 'float64' expected, got '%s'", options.dtype)
    end
    return options, new_stream(options.seed)
end

--- data.spirals(n [, {classes = 2, turns = 1, noise = 0.02, seed = 1, dtype = "float32"}]): n points of intertwined spirals.
-- A point of class k has radius r, uniform in [0, 1), and angle 2 pi (turns r + (k - 1) / classes); noise: the standard
-- deviation of what is added to both coordinates. Returns x [n, 2] and y, int64 [n], class labels from 1, in turn.
function synthetic.spirals(n, options)
    n = check.positive_integer(1, "spirals", "points", n)
    local o, stream = read_options(2, "spirals", options, { classes = 2, turns = 1, noise = 0.02 })
    o.classes = check.positive_integer(2, "spirals", "classes", o.classes)
    local points, labels = {}, {}
    for i = 1, n do
        local class, radius = (i - 1) % o.classes, stream.uniform()
        local angle = 2 * math.pi * (o.turns * radius + class / o.classes)
        points[i] = { radius * math.cos(angle) + o.noise * stream.normal(),
            radius * math.sin(angle) + o.noise * stream.normal() }
        labels[i] = class + 1
    end
    return rille.tensor(points, { dtype = o.dtype }), rille.tensor(labels, { dtype = "int64" })
end

--- data.teacher(n [, {inputs = 10, hidden = 20, outputs = 1, activation = "tanh", noise = 0, seed = 1, dtype = "float32"}]):
-- what a random net with one hidden layer says of standard normal inputs. Weights are N(0, 1 / fan_in), biases 0; noise: the
-- standard deviation of what is added to y. Returns x [n, inputs], y [n, outputs] and the teacher, an nn.Sequential.
function synthetic.teacher(n, options)
    n = check.positive_integer(1, "teacher", "rows", n)
    local o, stream = read_options(2, "teacher", options,
        { inputs = 10, hidden = 20, outputs = 1, activation = "tanh", noise = 0 })
    for _, name in ipairs { "inputs", "hidden", "outputs" } do
        o[name] = check.positive_integer(2, "teacher", name, o[name])
    end
    local nn = require "rille.nn"
    local function linear(inputs, outputs)
        local layer = nn.Linear(inputs, outputs, { bias = false }):to(o.dtype)
        layer.weight = (stream.tensor({ outputs, inputs }, o.dtype, stream.normal) / math.sqrt(inputs)):requires_grad(true)
        return layer
    end
    local net = nn.Sequential { linear(o.inputs, o.hidden), nn.activation(o.activation), linear(o.hidden, o.outputs) }
    local x = stream.tensor({ n, o.inputs }, o.dtype, stream.normal)
    local y = rille.no_grad(function() return net(x) end)
    if o.noise ~= 0 then
        y = y + stream.tensor({ n, o.outputs }, o.dtype, stream.normal) * o.noise
    end
    return x, y, net
end

--- data.adding(n, steps [, {seed = 1, dtype = "float32"}]): the adding problem (Hochreiter & Schmidhuber 1997, section 5.4, as
-- Arjovsky, Shah & Bengio 2016 have it). x [n, steps, 2]: numbers, uniform in [0, 1), and marks: two are 1, one in each half,
-- the others 0. y [n, 1]: the sum of the two marked numbers. Who always says 1 has a mean squared error of 1/6 = 0.167.
function synthetic.adding(n, steps, options)
    n = check.positive_integer(1, "adding", "sequences", n)
    steps = check.positive_integer(2, "adding", "steps", steps)
    if steps < 2 then
        check.argument(2, "adding", "steps: 2 or more expected, got %d", steps)
    end
    local o, stream = read_options(3, "adding", options, {})
    local numbers = stream.tensor({ n, steps }, o.dtype, stream.uniform)
    local marked = {}
    for i = 1, n do
        local half = steps // 2
        marked[i] = { 1 + stream.below(half), 1 + half + stream.below(steps - half) }
    end
    marked = rille.tensor(marked, { dtype = "int64" })
    local marks = rille.zeros(n, steps, { dtype = o.dtype }):scatter(2, marked, rille.ones(n, 2, { dtype = o.dtype }))
    return rille.stack({ numbers, marks }, 3), numbers:gather(2, marked):sum(2, true)
end

--- data.copying(n, steps [, {symbols = 8, length = 10, seed = 1}]): the copying memory problem (Hochreiter & Schmidhuber 1997;
-- Arjovsky, Shah & Bengio 2016). x and y, int64 [n, steps + 2 length], have class labels: 1 ... symbols; the blank, symbols +
-- 1; the cue, symbols + 2. x: `length` symbols, steps - 1 blanks, the cue, `length` blanks; y: steps + length blanks, then
-- the symbols again. Who remembers nothing has a mean cross-entropy of length ln(symbols) / (steps + 2 length).
function synthetic.copying(n, steps, options)
    n = check.positive_integer(1, "copying", "sequences", n)
    steps = check.positive_integer(2, "copying", "steps", steps)
    options = check.options(3, "copying", options, { symbols = 8, length = 10, seed = 1 })
    local symbols = check.positive_integer(3, "copying", "symbols", options.symbols)
    local length = check.positive_integer(3, "copying", "length", options.length)
    local _, stream = read_options(3, "copying", { seed = options.seed }, {})
    local text = stream.tensor({ n, length }, "int64", function() return 1 + stream.below(symbols) end)
    local function fill(count, symbol)
        return rille.full({ n, count }, symbol, { dtype = "int64" })
    end
    local blank, cue = symbols + 1, symbols + 2
    return rille.cat({ text, fill(steps - 1, blank), fill(1, cue), fill(length, blank) }, 2),
        rille.cat({ fill(steps + length, blank), text }, 2)
end

return check.strict(synthetic, "rille.data.synthetic")
