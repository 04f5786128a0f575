--- Activations that a script defines: everywhere that a built-in one is, with its own derivatives or autograd's.

local rille, nn, flow = require "rille", require "rille.nn", require "rille.flow"

local wide = { dtype = "float64" }

local function message_of(f, ...)
    local ok, message = pcall(f, ...)
    assert.is_false(ok)
    return (tostring(message):gsub("^[^:]+:%d+: ", ""))
end

local calls = { f = 0, df = 0, ddf = 0 }
local function counted(which, f)
    return function(x)
        calls[which] = calls[which] + 1
        return f(x)
    end
end

-- x^3, once with its derivatives and once without.
local cube = rille.activation {
    name = "own_cube", formula = "x^3", source = "Descartes 1637, La Geometrie", monotonic = true, zero_centred = true,
    f = counted("f", function(x) return x * x * x end),
    df = counted("df", function(x) return 3 * x * x end),
    ddf = counted("ddf", function(x) return 6 * x end),
}
rille.activation { name = "own_plain", f = function(x) return x * x * x end, range = { -8, 8 } }
rille.activation { name = "own_half", f = function(x) return x * x * x end, df = function(x) return 3 * x * x end }
-- A straight-through estimator: a step with the derivative 1.
rille.activation {
    name = "own_step", f = function(x) return rille.gt(x, 0):to(x:dtype()) end,
    df = function(x) return rille.ones(x:shape(), { dtype = x:dtype() }) end,
    range = { 0, 1 }, kinks = { 0 }, smoothness = "C-1",
}

describe("an activation of one's own", function()
    it("is a function, a method and an entry of the registry", function()
        local x = rille.tensor { -2, 0.5 }
        assert.same({ -8, 0.125 }, rille.own_cube(x):totable())
        assert.same({ -8, 0.125 }, x:own_cube():totable())
        assert.same({ 8 }, rille.own_cube(rille.tensor({ 2 }, { dtype = "int64" })):totable())
        assert.equal(cube, rille.activations.own_cube)
        assert.equal("own_step", rille.activations[#rille.activations].name)
        assert.equal("own_cube(x) = x^3", tostring(cube))
        assert.same({ -math.huge, math.huge, true, true, "Cinf", {}, {} },
            { cube.low, cube.high, cube.monotonic, cube.zero_centred, cube.smoothness, cube.kinks, cube.parameters })
        assert.same({ -8, 8 }, rille.activations.own_plain.range)
        assert.matches("own_half", tostring(rille.activations))
    end)

    it("has derivatives: its own, or autograd's", function()
        local x = rille.tensor({ -2, 0, 3 }, wide)
        for _, name in ipairs { "own_cube", "own_plain", "own_half" } do
            assert.same({ -8, 0, 27 }, rille.derivative(name, x, 0):totable())
            assert.same({ 12, 0, 27 }, rille.derivative(name, x):totable())
            assert.same({ -12, 0, 18 }, rille.derivative(name, x, 2):totable())
            assert.same({ 12, 0, 27 }, rille.no_grad(rille.derivative, name, x):totable())
            assert.is_false(rille.derivative(name, x):requires_grad())
        end
        assert.same({ 1, 1, 1 }, rille.derivative("own_step", x):totable())
        assert.same({ 12, 0, 27 }, rille.derivative(cube, x, 1):totable())
        assert.equal("float64", rille.derivative(cube, x, 2):dtype())
    end)

    it("has gradients of the first and second order", function()
        for _, name in ipairs { "own_cube", "own_plain", "own_half" } do
            local x = rille.tensor({ -1.5, 0.25, 2 }, { dtype = "float64", requires_grad = true })
            assert.is_true(rille.gradcheck(rille[name], x))
            assert.is_true(rille.gradcheck(function(at)
                return rille.grad(rille[name](at):sum(), at, { create_graph = true })[1]
            end, x))
            assert.is_true(rille.gradcheck(function(at) return rille.derivative(name, at) end, x))
        end
    end)

    it("goes by the derivative that it is given", function()
        local x = rille.tensor({ -1, 2 }, { requires_grad = true })
        rille.own_step(x):sum():backward()
        assert.same({ 1, 1 }, x.grad:totable())
        rille.activation { name = "own_liar", f = function(t) return t * 2 end, df = function(t) return t * 0 + 3 end }
        local y = rille.tensor({ 1 }, { dtype = "float64", requires_grad = true })
        local ok, _, what = rille.gradcheck(rille.own_liar, y)
        assert.is_false(ok)
        assert.matches("analytic 3.354%d*, numeric 2.236", what) -- by gradcheck's weight of 1.118
    end)

    it("evaluates no derivative where none is wanted", function()
        calls.f, calls.df, calls.ddf = 0, 0, 0
        rille.own_cube(rille.ones(2))
        rille.no_grad(rille.own_cube, rille.ones(2, { requires_grad = true }))
        assert.same({ f = 2, df = 0, ddf = 0 }, calls)
    end)

    it("is a module, and its saturation is measured", function()
        local x = rille.tensor { { -2, 0 }, { 0.5, 1 } }
        assert.same({ { -8, 0 }, { 0.125, 1 } }, nn.OwnCube()(x):totable())
        assert.equal("OwnCube", nn.activation("own_cube").class_name)
        assert.equal(0.25, rille.measure_saturated(x, "own_cube", 1e-3))
        assert.equal(0.25, rille.measure_saturated(x, rille.activations.own_plain, 1e-3, {}))
        local net = nn.Sequential { nn.Linear(2, 3), nn.OwnCube(), nn.Linear(3, 1) }
        local probe = flow.probe(net)
        net(x):sum():backward()
        assert.matches("OwnCube", tostring(probe))
        assert.is_not_nil(net[1].weight.grad)
        assert.is_not_nil(flow.diagnose(probe))
    end)

    it("writes into a tensor that is there", function()
        local x, y = rille.tensor { 2 }, rille.zeros(1)
        assert.equal(y, rille.own_cube(x, { out = y }))
        assert.same({ 8 }, y:totable())
        x:requires_grad(true)
        assert.matches("#2 to 'own_cube' (option 'out' cannot be recorded for a gradient; use it inside rille.no_grad)",
            message_of(rille.own_cube, x, { out = y }), 1, true)
    end)

    it("writes into a tensor of its result's shape and dtype alone", function()
        local x, leaf = rille.ones(2), rille.ones(2, { requires_grad = true })
        assert.equal("bad argument #2 to 'own_cube' (option 'out' is float32 [3, 2], expected float32 [2])",
            message_of(rille.own_cube, x, { out = rille.ones(3, 2) }))
        assert.equal("bad argument #2 to 'own_cube' (option 'out' is int64 [2], expected float32 [2])",
            message_of(rille.own_cube, x, { out = rille.ones(2, { dtype = "int64" }) }))
        assert.matches("option 'out' cannot be recorded", message_of(rille.own_cube, x * 3, { out = leaf }), 1, true)
        assert.same({ 1, 1 }, leaf:totable())
        assert.equal(leaf, rille.no_grad(rille.own_cube, x * 3, { out = leaf }))
    end)

    it("has one gain, and no parameter for it to depend on", function()
        assert.equal(rille.activations.own_plain.gain(), rille.activations.own_plain:gain())
        assert.equal("bad argument #1 to 'properties' ('own_plain' has 0 parameters)",
            message_of(rille.activations.own_plain.properties, 3))
        assert.equal(rille.activations.own_plain.smoothness, rille.activations.own_plain:properties().smoothness)
        assert.equal("bad argument #1 to 'gain' ('own_plain' has 0 parameters)",
            message_of(rille.activations.own_plain.gain, 3))
    end)

    it("lives on where memory is freed around it", function()
        local x = rille.tensor({ 2 }, { requires_grad = true })
        rille.scope(function() rille.own_cube(x):sum():backward() end)
        collectgarbage()
        assert.same({ 12 }, x.grad:totable())
    end)
end)

describe("a definition", function()
    local function identity(x) return x end

    it("says what is wrong with it", function()
        local cases = {
            { nil, "table with name and f expected, got nil" },
            { { f = identity }, "option 'name' is missing" },
            { { name = "a b", f = identity }, "option 'name': letters, digits and underscores expected, got 'a b'" },
            { { name = "end", f = identity }, "option 'name': 'end' is a word of Lua's own: rille.end could not be written" },
            { { name = "a_b", f = identity, kinks = { 1, 0 / 0 } }, "option 'kinks': [2] is nan" },
            { { name = "own_x" }, "option 'f' is missing: the function itself, of a tensor" },
            { { name = "own_x", f = 3 }, "option 'f': function expected, got number" },
            { { name = "own_x", f = identity, fd = identity }, "unknown option 'fd'; did you mean 'df'?" },
            { { name = "own_x", f = identity, ddf = identity }, "option 'ddf' is given without 'df'" },
            { { name = "own_x", f = identity, range = { 1 } }, "option 'range': list of 2 numbers expected" },
            { { name = "own_x", f = identity, range = { 1, 0 } },
                "option 'range': {low, high} with low <= high expected, got {1, 0}" },
            { { name = "own_x", f = identity, range = { 0 / 0, 0 } },
                "option 'range': [1] is nan" },
            { { name = "own_x", f = identity, smoothness = "smooth" },
                "option 'smoothness': 'Cinf', 'C-1', 'C0', 'C1', ... expected, got 'smooth'" },
            { { name = "own_x", f = identity, kinks = { "a" } }, "option 'kinks': list of numbers expected" },
            { { name = "relu", f = identity }, "option 'name': 'relu' would make the module nn.ReLU, which is there already" },
            { { name = "own_cube", f = identity },
                "option 'name': 'own_cube' would make the module nn.OwnCube, which is there already" },
            { { name = "sequential", f = identity },
                "option 'name': 'sequential' would make the module nn.Sequential, which is there already" },
            { { name = "matmul", f = identity },
                "option 'name': 'matmul' is taken: rille or its tensors have a function of that name" },
            { { name = "own_half", f = identity },
                "option 'name': 'own_half' is taken: rille or its tensors have a function of that name" },
        }
        for _, case in ipairs(cases) do
            assert.equal("bad argument #1 to 'activation' (" .. case[2] .. ")", message_of(rille.activation, case[1]))
        end
        assert.is_nil(rawget(rille, "own_x"))
    end)

    it("may return its argument, which is not given away", function()
        rille.activation { name = "own_identity", f = identity, df = function(x) return x * 0 + 1 end }
        local x = rille.ones(2)
        rille.own_identity(x)[1] = 7
        assert.same({ 1, 1 }, x:totable())
    end)

    it("gives functions whose mistakes have the script's line", function()
        rille.activation { name = "own_number", f = function() return 3 end }
        rille.activation { name = "own_sum", f = function(x) return x:sum() end }
        rille.activation { name = "own_dtype", f = identity, df = function(x) return x:to("float64") end }
        rille.activation { name = "own_error", f = function(x) return x + nil end }
        local x = rille.ones(2, { requires_grad = true })
        assert.equal("activation 'own_number': f must return a tensor, got number", message_of(rille.own_number, x))
        assert.equal("activation 'own_sum': f returned float32 [] for x of float32 [2]; one value expected for each of x's",
            message_of(rille.own_sum, x))
        assert.equal("activation 'own_dtype': df returned float64 [2] for x of float32 [2]; one value expected for each of x's",
            message_of(rille.own_dtype, x))
        local _, message = pcall(rille.own_error, x)
        assert.matches("^[^:]*own_activation_spec.lua:%d+: ", message)
        assert.equal("bad argument #1 to 'own_cube' (tensor expected, got number)", message_of(rille.own_cube, 3))
        assert.equal("bad argument #2 to 'own_cube' (unknown option 'alpha')", message_of(rille.own_cube, x, { alpha = 1 }))
        assert.matches("no activation 'own_cubes'; did you mean 'own_cube'?", message_of(rille.derivative, "own_cubes", x), 1,
            true)
        assert.equal("bad argument #3 to 'derivative' (order 3 is not in 0 ... 2)",
            message_of(rille.derivative, "own_cube", x, 3))
        assert.matches("no option 'alpha'", message_of(rille.derivative, "own_cube", x, 1, { alpha = 1 }))
    end)
end)

describe("rille.with_derivative", function()
    it("sends gradients to x alone, times the derivative", function()
        local x, w = rille.tensor({ 1, 2 }, { requires_grad = true }), rille.tensor({ 5 }, { requires_grad = true })
        local y = rille.with_derivative(x * w, x, rille.tensor { 3, 4 })
        assert.same({ 5, 10 }, y:totable())
        y:sum():backward()
        assert.same({ 3, 4 }, x.grad:totable())
        assert.is_nil(w.grad)
    end)

    it("wants one shape", function()
        assert.equal("with_derivative: y is [3], x [2]; one shape expected",
            message_of(rille.with_derivative, rille.zeros(3), rille.zeros(2), rille.zeros(2)))
        assert.equal("with_derivative: the derivative is int64; float32 or float64 expected",
            message_of(rille.with_derivative, rille.zeros(2), rille.zeros(2), rille.zeros(2, { dtype = "int64" })))
    end)
end)
