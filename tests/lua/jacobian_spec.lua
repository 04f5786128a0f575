-- flow.jacobian against Jacobians that are known, and flow.isometry against closed forms and against wide nets.

local rille = require "rille"
local flow = require "rille.flow"
local nn = require "rille.nn"
local message_of = require("support").message_of

local FLOAT64 = { dtype = "float64" }

local function close(expected, actual, relative)
    assert(math.abs(actual - expected) <= relative * math.abs(expected), ("%.9g expected, got %.9g"):format(expected, actual))
end

local function same(expected, values, tolerance)
    assert.same(expected:shape(), values:shape())
    assert.is_true((expected - values):abs():max():item() <= (tolerance or 1e-12))
end

describe("flow.jacobian", function()
    it("finds the singular values of a matrix, wide or tall, at each sample", function()
        rille.manual_seed(1)
        for _, size in ipairs { { 3, 5 }, { 5, 3 }, { 1, 4 } } do
            local w = rille.randn(size[1], size[2], FLOAT64)
            local j = flow.jacobian(function(x) return x:matmul(w:t()) end, rille.randn(2, size[2], FLOAT64))
            local row = j.rows[1]
            same(rille.stack({ w:svdvals(), w:svdvals() }, 1), j.values)
            assert.same({ "the net", 2, size[1], size[2] }, { row.name, row.samples, row.outputs, row.inputs })
            local wwt = w:matmul(w:t())
            close(wwt:diagonal():mean():item(), row.mean_square, 1e-12)
            local variance = wwt:matmul(wwt):diagonal():mean():item() - row.mean_square ^ 2
            assert.is_true(math.abs(variance - row.variance) < 1e-12 * row.mean_square ^ 2)
            close(w:svdvals()[1] ^ 2, row.largest, 1e-12)
            close(w:svdvals()[-1] ^ 2, row.smallest, 1e-12)
            close(w:svdvals():mean():item(), row.mean, 1e-12)
            assert.is_true(math.abs(math.log(w:svdvals()[1] / w:svdvals()[-1], 10) - row.log10_condition) < 1e-12)
        end
    end)

    it("takes each sample's own, of inputs and outputs of any shape", function()
        local x = rille.tensor({ { { 1, -2 }, { 3, 4 } }, { { 0.5, 0.25 }, { -8, 1 } } }, FLOAT64)
        local j = flow.jacobian(function(t) return t * t end, x) -- diag 2 x
        same(rille.tensor({ { 8, 6, 4, 2 }, { 16, 2, 1, 0.5 } }, FLOAT64), j.values)
        local conv = nn.Conv2d(1, 2, 3, { dtype = "float64" })
        local image = rille.randn(3, 1, 4, 5, FLOAT64)
        j = flow.jacobian(conv, image)
        assert.same({ 3, 12 }, j.values:shape())
        local dense = rille.zeros(12, 20, FLOAT64) -- column i: what the i-th pixel alone gives
        for i = 1, 20 do
            local pixel = rille.zeros(1, 20, FLOAT64)
            pixel[1][i] = 1
            dense[{ {}, i }] = (conv(pixel:reshape(1, 1, 4, 5)) - conv(rille.zeros(1, 1, 4, 5, FLOAT64))):reshape(12):detach()
        end
        same(dense:svdvals(), j.values[3])
    end)

    it("is the same where it takes several passes", function()
        rille.manual_seed(2)
        local w = rille.randn(1500, 40, FLOAT64)
        local function f(x) return x:matmul(w:t()) end
        local j = flow.jacobian(f, rille.randn(9, 40, FLOAT64)) -- 77 rows at a time
        same(w:svdvals():expand(9, 40), j.values, 1e-11)
    end)

    it("goes stage by stage through a net", function()
        rille.manual_seed(3)
        local net = nn.Sequential {
            nn.Linear(3, 4, FLOAT64), nn.Tanh(), nn.Linear(4, 3, FLOAT64), nn.LayerNorm(3, FLOAT64), nn.Linear(3, 2, FLOAT64),
        }
        local x = rille.randn(2, 3, FLOAT64)
        local j = flow.jacobian(net, x, { layers = true })
        local names = {}
        for i, row in ipairs(j.rows) do
            names[i] = ("%s %d %d"):format(row.name, row.outputs, row.inputs)
        end
        assert.same({ "the net 2 3", "[1] Linear 4 3", "[3] Linear 3 4", "[5] Linear 2 3" }, names)
        local slopes = rille.derivative("tanh", net[1](x)):detach()
        for sample = 1, 2 do
            same((slopes[sample]:unsqueeze(2) * net[1].weight):detach():svdvals(), j.rows[2].values[sample])
            same(net[5].weight:detach():svdvals(), j.rows[4].values[sample])
        end
        assert.matches("^singular values s of the Jacobian dy/dx, 2 samples\n"
            .. " +size +mean s +mean s² +var s² +max s²  log10 max s / min s\nthe net +2 x 3 .*\n%[5%] Linear  2 x 3 ",
            tostring(j))
    end)

    it("leaves a net as it was", function()
        local net = nn.Sequential { nn.Linear(3, 3), nn.Dropout(0.5), nn.Sequential { nn.BatchNorm1d(3), nn.ReLU() } }
        net[3]:eval()
        local running = net[3][1].running_mean
        local one = rille.no_grad(flow.jacobian, net, rille.ones(4, 3))
        same(one.values, flow.jacobian(net, rille.ones(4, 3)).values, 0) -- no dropout
        assert.same({ true, true, false, false }, { net.training, net[2].training, net[3].training, net[3][1].training })
        assert.is_nil(net[1].weight.grad)
        assert.same({ 0, 0, 0 }, running:totable())
        assert.is_false(pcall(flow.jacobian, net, rille.ones(4, 2)))
        assert.is_true(net[2].training)
    end)

    it("keeps its passes from probes, watches and other hooks", function()
        rille.manual_seed(6)
        local net, x = nn.Sequential { nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2) }, rille.randn(5, 3)
        local called = 0
        net[1]:register_forward_hook(function() called = called + 1 end)
        local watch <close> = flow.watch(net, { limit = 1 }) -- luacheck: ignore 211
        local probe = flow.probe(net)
        local y = net(x * 1e-3)
        y:sum():backward()
        flow.jacobian(net, x * 100, { layers = true })
        assert.equal(1, called)
        probe:record()
        local rows = probe:rows()
        assert.equal(3, #rows)
        close(y:mean():item(), rows[3].mean, 1e-6)
        close(math.log(math.sqrt(10), 10), rows[3].gradient_log10_norm, 1e-6) -- of the sum: ten ones
    end)

    it("is infinitely uneven where a sample has a direction that is lost, or all", function()
        local j = flow.jacobian(function(t) return t:relu() end, rille.tensor { { 1, 2 }, { -1, -2 } })
        assert.equal(math.huge, j.rows[1].log10_condition)
        assert.matches("the net +2 x 2 .* inf$", tostring(j))
        assert.equal(math.huge, flow.jacobian(rille.relu, rille.tensor { { 1, -2 } }).rows[1].log10_condition)
    end)

    it("counts singular values", function()
        local j = flow.jacobian(function(x) return x * x / 2 end, rille.tensor { { 1, 2, 2, 4 }, { 0, 0.5, 3, 4 } })
        local h = j:histogram(4)
        assert.same({ 0, 1, 2, 3, 4 }, h.edges)
        assert.same({ 2 / 8, 1 / 8, 2 / 8, 3 / 8 }, h.density)
        assert.same({ 3 / 8 / 1.25, 2 / 8 / 1.25 }, j:histogram(2, { high = 2.5 }).density)
        assert.equal("bad argument #1 to 'histogram' (bins: positive integer expected, got 0)", message_of(j.histogram, j, 0))
        assert.equal("no 'histogramm' in a jacobian; did you mean 'histogram'?",
            message_of(function() return j.histogramm end))
    end)

    it("says what does not fit", function()
        local x = rille.ones(2, 3)
        for message, arguments in pairs {
            ["bad argument #1 to 'jacobian' (module or function expected, got number)"] = { 3, x },
            ["bad argument #2 to 'jacobian' ([samples, ...] of float32 or float64 expected, got int64 [2])"] = { print,
                rille.tensor({ 1, 2 }, { dtype = "int64" }) },
            ["bad argument #2 to 'jacobian' ([samples, ...] of float32 or float64 expected, got float32 [0, 3])"] = { print,
                rille.zeros(0, 3) },
            ["bad argument #3 to 'jacobian' (option 'layers': a function has none; a module has)"] = { rille.relu, x,
                { layers = true } },
            ["bad argument #3 to 'jacobian' (unknown option 'layer'; did you mean 'layers'?)"] = { rille.relu, x,
                { layer = true } },
            ["jacobian: the net gives float32 [] for 2 samples; [2, ...] of float32 or float64 expected"] = { rille.sum, x },
            ["jacobian: the net gives number for 2 samples; [2, ...] of float32 or float64 expected"] = { function()
                return 3
            end, x },
            ["jacobian: the net gives [2, 0], which has no elements to be differentiated"] = { function(t)
                return t:narrow(2, 1, 0)
            end, x },
            ["bad argument #3 to 'jacobian' (option 'expected': what flow.isometry gives is expected; its 'activation' is nil "
                .. "here)"] = { rille.relu, x, { expected = {} } },
            ["jacobian: the output does not depend on the input"] = { function(t) return t:detach() end, x },
            ["jacobian: that of the net holds NaN or infinities"] = { function(t) return (t - 1):sqrt() end, x },
        } do
            assert.equal(message, message_of(flow.jacobian, table.unpack(arguments)))
        end
    end)
end)

describe("flow.isometry", function()
    it("gives the closed forms", function()
        local cases = {
            -- Pennington et al. 2017, section 2.5: variance, and the upper edge
            { "identity", "gaussian", 1, 1, 4 }, -- Marchenko and Pastur
            { "identity", "gaussian", 5, 5, 6 ^ 6 / 5 ^ 5 },
            { "identity", "orthogonal", 7, 0, 1 },
            { "relu", "gaussian", 1, 2, 2 * (1 + math.sqrt(0.5)) ^ 2 }, -- of half the rows, each twice as large
            { "relu", "gaussian", 6, 12 },
            { "relu", "orthogonal", 2, 2, 4 }, -- some directions pass through both layers
            { "relu", "orthogonal", 6, 6, 2 ^ 6 * 1.25 / 0.25 * (0.75 / 1.25) ^ 6 },
        }
        for _, case in ipairs(cases) do
            local e = flow.isometry(case[1], { weights = case[2], depth = case[3] })
            assert.is_true(math.abs(e.variance - case[4]) < 1e-12 * case[3])
            if case[5] then
                close(case[5], e.largest, 1e-12)
            end
            assert.equal(0, e.sigma_b)
        end
        close(math.sqrt(2), flow.isometry("relu", { depth = 1 }).sigma_w, 1e-14)
        -- hard_tanh: slopes are 1 with p = erf(1 / sqrt(2 q)), here 0.954499736103642
        local e = flow.isometry("hard_tanh", { depth = 8, weights = "orthogonal", q = 0.25 })
        close(8 * (1 / 0.954499736103642 - 1), e.variance, 1e-10)
        close(0.954499736103642 ^ -8, e.largest, 1e-10)
        close(1 / math.sqrt(0.954499736103642), e.sigma_w, 1e-10)
    end)

    it("takes a module, and parameters, as flow.theory does", function()
        assert.same(flow.isometry("tanh", { depth = 3 }), flow.isometry(nn.Tanh(), { depth = 3 }))
        local leaky = flow.isometry(nn.LeakyReLU(0.5), { depth = 4 })
        assert.same(leaky, flow.isometry("leaky_relu", { depth = 4, parameters = { negative_slope = 0.5 } }))
        close(4 * (17 / 32) / (5 / 8) ^ 2, leaky.variance, 1e-12) -- E f'^4 = (1 + 1 / 16) / 2, E f'² = (1 + 1 / 4) / 2
        local clipped = flow.isometry(nn.Hardtanh(-0.5, 0.5), { depth = 1, q = 0.04, weights = "orthogonal" })
        close(1 / 0.98758066934845 - 1, clipped.variance, 1e-9) -- slopes are 1 with p = erf(2.5 / sqrt(2))
    end)

    it("of tanh becomes 1 as q does 0, with orthogonal weights alone", function()
        local before = math.huge
        for _, q in ipairs { 1, 0.1, 0.01, 0.001 } do
            local e = flow.isometry(rille.activations.tanh, { weights = "orthogonal", depth = 10, q = q })
            assert.is_true(e.variance < before / 2 and e.variance > 0)
            assert.is_nil(e.largest)
            before = e.variance
            assert.is_true(flow.isometry("tanh", { depth = 10, q = q }).variance > 10)
            close(q, e.sigma_w ^ 2 * e.length + e.sigma_b ^ 2, 1e-12)
        end
        close(10 * 8 * 0.001 ^ 2, before, 0.1) -- to lowest order: Var tanh'^2 = 4 Var(q z²) = 8 q²
    end)

    it("is what wide nets show", function()
        rille.manual_seed(4)
        for _, case in ipairs {
            { "identity", "gaussian", 4 }, { "identity", "orthogonal", 4 }, { "relu", "gaussian", 3 },
            { "relu", "orthogonal", 4 },
            { "hard_tanh", "orthogonal", 6, 0.5 }, { "tanh", "gaussian", 3, 0.3 }, { "tanh", "orthogonal", 6, 0.1 },
        } do
            local e = flow.isometry(case[1], { weights = case[2], depth = case[3], q = case[4] })
            local mean_square, variance, largest, nets = 0, 0, 0, 3
            for _ = 1, nets do
                local net, x = e:net(400), rille.randn(1, 400)
                local j = flow.jacobian(net, x * (math.sqrt(e.length * 400) / x:norm():item()))
                mean_square = mean_square + j.rows[1].mean_square / nets
                variance = variance + j.rows[1].variance / j.rows[1].mean_square ^ 2 / nets
                largest = largest + j.rows[1].largest / j.rows[1].mean_square / nets
            end
            -- How many of n units are active differs by 1 / sqrt(n) from layer to layer, and the mean with it.
            close(1, mean_square, 0.15)
            assert.is_true(math.abs(variance - e.variance) <= 0.1 * e.variance + 1e-9, case[1] .. " " .. case[2])
            if e.largest then
                close(e.largest, largest, 0.1)
            end
        end
    end)

    it("draws nets of its activation, parameters too", function()
        local e = flow.isometry(nn.LeakyReLU(0.5), { depth = 2, weights = "orthogonal" })
        local net = e:net(6)
        assert.same({ 4, 0.5, "leaky_relu" }, { #net, net[4]:activation_parameters().negative_slope, net[2].activation.name })
        local w = net[3].weight:detach()
        same(rille.eye(6) * e.sigma_w ^ 2, w:matmul(w:t()), 1e-5)
        assert.equal(0, net[3].bias:norm():item())
        assert.equal("bad argument #1 to 'net' (width: positive integer expected, got nil)", message_of(e.net, e))
        assert.equal("bad self for 'net' (what flow.isometry gives expected, got nil; methods are called with ':')",
            message_of(e.net))
    end)

    it("stands beside the measurement", function()
        local e = flow.isometry("relu", { depth = 3, weights = "orthogonal" })
        local said = tostring(flow.jacobian(rille.relu, rille.ones(1, 2), { expected = e }))
        assert.equal("singular values s of the Jacobian dy/dx, 1 sample\n"
            .. "                                     size  mean s  mean s²  var s²  max s²  log10 max s / min s\n"
            .. "the net                             2 x 2       1        1       0       1                    0\n"
            .. "expected: orthogonal relu, depth 3                       1       3    6.75", said)
    end)

    it("says what does not fit", function()
        for message, arguments in pairs {
            ["bad argument #1 to 'isometry' (name, entry or module of an activation expected, got nil)"] =
                { nil, { depth = 1 } },
            ["no activation 'rleu'; did you mean 'relu'?"] = { "rleu", { depth = 1 } },
            ["bad argument #2 to 'isometry' (option 'depth': positive integer expected, got nil)"] = { "relu" },
            ["bad argument #2 to 'isometry' (option 'weights': 'gaussian' or 'orthogonal' expected, got 'uniform')"] = { "relu",
                { depth = 1, weights = "uniform" } },
            ["bad argument #2 to 'isometry' (option 'q': a positive number expected, got -1)"] = { "relu",
                { depth = 1, q = -1 } },
            ["bad argument #2 to 'isometry' (no critical net of sigmoid keeps q = 1: biases would need the variance -5.54)"] = {
                "sigmoid", { depth = 1 } },
        } do
            assert.equal(message, message_of(flow.isometry, table.unpack(arguments, 1, 2)))
        end
    end)
end)
