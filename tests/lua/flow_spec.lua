local rille = require "rille"
local flow = require "rille.flow"
local nn = require "rille.nn"
local optim = require "rille.optim"
local message_of = require("support").message_of

local function close(expected, actual, tolerance)
    assert(math.abs(expected - actual) <= (tolerance or 1e-6), ("%.9g expected, got %.9g"):format(expected, actual))
end

local function log10(x)
    return math.log(x, 10)
end

local function sigmoid(x)
    return 1 / (1 + math.exp(-x))
end

-- Linear 2 -> 2, sigmoid, Linear 2 -> 1 with round weights, and the batch of two rows that it is shown.
local function small_net()
    local net = nn.Sequential {
        nn.Linear(2, 2, { dtype = "float64" }), nn.Sigmoid(), nn.Linear(2, 1, { dtype = "float64" }),
    }
    net[1].weight:copy_(rille.tensor({ { 1, -1 }, { 0.5, 2 } }, { dtype = "float64" }))
    net[1].bias:copy_(rille.tensor({ 0, 1 }, { dtype = "float64" }))
    net[3].weight:copy_(rille.tensor({ { 2, -3 } }, { dtype = "float64" }))
    net[3].bias:copy_(rille.tensor({ 0.5 }, { dtype = "float64" }))
    return net, rille.tensor({ { 1, 2 }, { 3, -1 } }, { dtype = "float64" })
end

describe("flow.probe", function()
    it("tells how far each weight moved since the record before", function()
        local net, x = small_net()
        local probe, optimizer = flow.probe(net), optim.SGD(net:parameters(), { lr = 0.5 })
        local before
        for step = 1, 2 do
            optimizer:zero_grad()
            net(x):sum():backward()
            probe:record(step)
            before = before or net[1].weight:detach():clone()
            optimizer:step()
        end
        local passes = probe:passes()
        assert.is_nil(passes[1][1].weight_update_log10_ratio)
        -- the second pass saw the weights after one step of -lr times the first pass's gradient
        close(log10(0.5) + passes[1][1].weight_gradient_log10_norm - passes[2][1].weight_log10_norm,
            passes[2][1].weight_update_log10_ratio, 1e-12)
        assert.is_nil(passes[2][2].weight_update_log10_ratio)
        assert.not_equal(before:totable()[1][1], net[1].weight:totable()[1][1])
        assert.matches("|ΔW|/|W|", tostring(probe))
    end)

    it("gives the same rows whether a pass is measured while it runs or when it is recorded", function()
        local function rows_of(early)
            rille.manual_seed(5)
            local net = nn.Sequential {
                nn.Linear(9, 70), nn.LayerNorm(70), nn.ReLU(), nn.Linear(70, 70), nn.PReLU(), nn.Linear(70, 3), nn.Tanh(),
            }
            local probe, optimizer = flow.probe(net), optim.SGD(net:parameters(), { lr = 0.1 })
            for step, frozen in ipairs { false, true, true } do
                local x = rille.randn(80 + step, 9)
                net[4].weight:requires_grad(not frozen)
                if not early then
                    net(x) -- not recorded, and so the next is not taken to be
                end
                optimizer:zero_grad()
                net(x):sum():backward()
                optim.clip_grad_value(net:parameters(), 2)
                probe:record()
                optimizer:step()
            end
            return probe:rows()
        end
        local rows = rows_of(true)
        assert.same(rows_of(false), rows)
        assert.equal(3 * 7, #rows)
        assert.is_true(rows[18].frozen and not rows[4].frozen)
        assert.is_true(rows[8].weight_update_log10_ratio > -3 and rows[10].dead ~= nil)
    end)

    it("shows a recurrent layer by time step", function()
        rille.manual_seed(4)
        for _, layer in ipairs { nn.RNN(2, 3), nn.LSTM(2, 3, { batch_first = true }) } do
            local net = nn.Sequential { layer, nn.Identity() }
            local probe = flow.probe(net)
            local x = layer.batch_first and rille.randn(5, 7, 2) or rille.randn(7, 5, 2)
            local leaf = x:clone():requires_grad(true)
            rille.sum(net(leaf) ^ 2):backward()
            local of_leaf = layer.batch_first and leaf.grad:transpose(1, 2) or leaf.grad
            rille.sum(net(x) ^ 2):backward()
            assert.is_nil(x.grad)
            assert.is_false(x:requires_grad())
            local steps = probe:time_steps("[1]")
            assert.equal(7, #steps)
            for t, row in ipairs(steps) do
                assert.equal(t, row.t)
                close(rille.measure(of_leaf[t]).log10_norm, row.gradient_log10_norm, 1e-6)
            end
            assert.equal(message_of(probe.time_steps, probe, "[2]"),
                "bad argument #1 to 'time_steps' (no recurrent layer '[2]' in the latest pass)")
        end
    end)

    it("survives passes that fail, and scopes that take a pass along", function()
        local net, x = small_net()
        local probe = flow.probe(net)
        assert.is_false(pcall(net, rille.ones(1, 3, { dtype = "float64" })))
        for _ = 1, 5 do
            net[2](rille.ones(1, 2, { dtype = "float64", requires_grad = true }))
        end
        assert.equal(1, #probe.calls)
        net(x):sum():backward()
        probe:record(1)
        local before = tostring(probe)
        rille.scope(function()
            net(x):sum():backward()
        end)
        assert.equal(before, tostring(probe))
        assert.equal("record: the probe has seen no forward pass of its net", message_of(probe.record, probe))
    end)

    it("gives histograms of values however large, and all equal", function()
        local net = nn.Sequential { nn.Identity() }
        local probe = flow.probe(net)
        for _, value in ipairs { 1e20, -3e38, 0 } do
            net(rille.full({ 2, 2 }, value, { requires_grad = true })):sum():backward()
            local sum = 0
            for _, count in ipairs(probe:histograms(4)[1].counts) do
                sum = sum + count
            end
            assert.equal(4, sum)
        end
        net(rille.tensor({ -1e308, 1e308 }, { dtype = "float64", requires_grad = true })):sum():backward()
        assert.equal(1, #probe:histograms(4))
    end)

    it("gives histograms of what the layers put out", function()
        local net = nn.Sequential { nn.Identity(), nn.ReLU() }
        local probe = flow.probe(net)
        net(rille.tensor({ { -1, 0, 0.25, 1 } }, { requires_grad = true })):sum():backward()
        local list = probe:histograms(4)
        assert.same({ 1, 0, 2, 1 }, list[1].counts)
        assert.same({ -1, 1, "[1]", "Identity" }, { list[1].low, list[1].high, list[1].name, list[1].kind })
        assert.same({ 2, 1, 0, 1 }, list[2].counts)
    end)

    it("measures what a calculation by hand gives", function()
        local net, x = small_net()
        local probe = flow.probe(net)
        net(x):sum():backward()
        probe:record(7)
        local rows = probe:latest()
        assert.equal(3, #rows)
        -- Pre-activations z, activations a, and dL/dz = v a (1 - a) for L = sum of the outputs.
        local z = { { -1, 5.5 }, { 4, 0.5 } }
        local v, a, dz = { 2, -3 }, { {}, {} }, { {}, {} }
        for i = 1, 2 do
            for j = 1, 2 do
                a[i][j] = sigmoid(z[i][j])
                dz[i][j] = v[j] * a[i][j] * (1 - a[i][j])
            end
        end
        local xs = { { 1, 2 }, { 3, -1 } }
        local dw, db = 0, 0
        for j = 1, 2 do
            for k = 1, 2 do
                dw = dw + (dz[1][j] * xs[1][k] + dz[2][j] * xs[2][k]) ^ 2
            end
            db = db + (dz[1][j] + dz[2][j]) ^ 2
        end
        local first, second, last = rows[1], rows[2], rows[3]
        assert.same({ 7, 1, "[1]", "Linear" }, { first.step, first.layer, first.name, first.kind })
        assert.same({ 7, 2, "[2]", "Sigmoid" }, { second.step, second.layer, second.name, second.kind })
        close((-1 + 5.5 + 4 + 0.5) / 4, first.mean)
        close(-1, first.min)
        close(5.5, first.max)
        close(log10(math.sqrt(1 + 5.5 ^ 2 + 16 + 0.25)), first.log10_norm)
        close(log10(math.sqrt(dz[1][1] ^ 2 + dz[1][2] ^ 2 + dz[2][1] ^ 2 + dz[2][2] ^ 2)), first.gradient_log10_norm)
        close(log10(math.sqrt(dw)), first.weight_gradient_log10_norm)
        close(log10(math.sqrt(db)), first.bias_gradient_log10_norm)
        close(log10(math.sqrt(1 + 1 + 0.25 + 4)), first.weight_log10_norm)
        close((a[1][1] + a[1][2] + a[2][1] + a[2][2]) / 4, second.mean)
        close(log10(math.sqrt(2 * (4 + 9))), second.gradient_log10_norm)
        assert.is_nil(second.weight_gradient_log10_norm)
        close(log10(math.sqrt((a[1][1] + a[2][1]) ^ 2 + (a[1][2] + a[2][2]) ^ 2)), last.weight_gradient_log10_norm)
        close(log10(2), last.bias_gradient_log10_norm)
        close(0, last.bias_gradient_std)
        assert.equal(0, first.nans + first.infinities + first.subnormals)
    end)

    it("counts saturated inputs by |f'(x)| and dead units by the batch", function()
        -- sigmoid' < 1e-3 beyond |x| = 6.906
        local net = nn.Sequential { nn.Sigmoid(), nn.Identity(), nn.ReLU() }
        local probe = flow.probe(net)
        net(rille.tensor({ { -7, 6.9 }, { 7, 0 } }, { requires_grad = true })):sum():backward()
        probe:record()
        local rows = probe:latest()
        assert.equal(0.5, rows[1].saturated)
        assert.equal(0, rows[2].saturated)
        local relu = nn.Sequential { nn.ReLU() }
        probe = flow.probe(relu)
        relu(rille.tensor({ { -1, -2, 3 }, { -4, 5, 6 } }, { requires_grad = true })):sum():backward()
        probe:record()
        local row = probe:latest()[1]
        close(1 / 3, row.dead)
        close(0.5, row.saturated)
        close(0.5, row.zeros)
        probe = flow.probe(net, { saturation = 0.5 })
        net(rille.zeros(1, 2, { requires_grad = true })):sum():backward()
        probe:record()
        assert.equal(1, probe:latest()[1].saturated)
    end)

    it("passes an activation's parameters on", function()
        local net = nn.Sequential { nn.LeakyReLU(1e-4), nn.LeakyReLU(0.5) }
        local probe = flow.probe(net)
        net(rille.tensor({ { -1, 1 } }, { requires_grad = true })):sum():backward()
        probe:record()
        local rows = probe:latest()
        assert.equal(0.5, rows[1].saturated)
        assert.equal(0, rows[2].saturated)
    end)

    it("works as the design's opening has it", function()
        rille.manual_seed(1)
        local net = nn.Sequential { nn.Linear(64, 32), nn.Sigmoid(), nn.Linear(32, 32), nn.Sigmoid(), nn.Linear(32, 10) }
        local x, labels = rille.rand(20, 64), rille.randperm(20):narrow(1, 1, 20):to("float32")
        labels = (labels / 2 + 0.5):to("int64")
        local probe = flow.probe(net)
        rille.cross_entropy(net(x), labels):backward()
        local shown = tostring(probe)
        assert.equal(5, #probe:rows())
        assert.matches("^step 0: ", shown)
        for _, pattern in ipairs { "%[1%] Linear", "%[2%] Sigmoid", "%[5%] Linear", "|dL/dW|", "saturated", "dead" } do
            assert.matches(pattern, shown)
        end
        assert.equal(shown, tostring(probe))
        assert.equal(5, #probe:rows())
        local verdicts = tostring(flow.diagnose(probe))
        assert.matches("layer 1: vanishing %(weight gradient 1/%d+ of layer 5's", verdicts)
        assert.matches("try ReLU or LeakyReLU in place of Sigmoid", verdicts)
        assert.matches("layer 5: healthy", verdicts)
        local width
        for line in shown:gmatch("[^\n]+") do
            if line:find("^%[") then
                width = width or #line
                assert.is_true(#line <= 110)
            end
        end
    end)

    it("records step after step, with steps that count up or are given", function()
        local net, x = small_net()
        local probe = flow.probe(net)
        local optimizer = optim.SGD(net:parameters(), { lr = 0.01 })
        for step = 1, 3 do
            optimizer:zero_grad()
            net(x):sum():backward()
            probe:record(step == 2 and 10 or nil)
            optimizer:step()
        end
        local steps = {}
        for i, row in ipairs(probe:rows()) do
            steps[i] = row.step
        end
        assert.same({ 0, 0, 0, 10, 10, 10, 11, 11, 11 }, steps)
        assert.equal(3, #probe:latest())
        assert.equal(11, probe:latest()[1].step)
        probe:clear()
        assert.same({}, probe:rows())
    end)

    it("shows a pass without backward, and does not keep it", function()
        local net, x = small_net()
        local probe = flow.probe(net)
        assert.equal("probe: no forward pass yet", tostring(probe))
        assert.equal("record: the probe has seen no forward pass of its net", message_of(probe.record, probe))
        local loss = net(x):sum()
        assert.matches("%[1%] Linear", tostring(probe))
        assert.equal(0, #probe:rows())
        loss:backward()
        assert.matches("%[1%] Linear", tostring(probe))
        assert.equal(3, #probe:rows())
        assert.is_not_nil(probe:rows()[1].gradient_log10_norm)
    end)

    it("does not look at passes without gradients, nor change results", function()
        local net, x = small_net()
        local expected = net(x):totable()
        local probe = flow.probe(net, { updates = false })
        net(x):sum():backward()
        probe:record()
        local before = probe:latest()
        rille.no_grad(net, x * 100)
        assert.same(before, probe:latest())
        probe:record(0)
        assert.same(before, probe:latest())
        assert.same(expected, net(x):totable())
    end)

    it("keeps tiny and huge norms, and counts what is not finite", function()
        local net = nn.Sequential { nn.Linear(2, 2, { dtype = "float64", bias = false }) }
        local probe = flow.probe(net)
        for _, exponent in ipairs { -200, 200 } do
            nn.init.constant(net[1].weight, 10.0 ^ exponent)
            net:zero_grad()
            net(rille.ones(1, 2, { dtype = "float64" })):sum():backward(rille.tensor(10.0 ^ -exponent, { dtype = "float64" }))
            probe:record()
            local row = probe:latest()[1]
            close(exponent + log10(2), row.weight_log10_norm)
            close(exponent + log10(2 * math.sqrt(2)), row.log10_norm)
            close(-exponent + log10(2), row.weight_gradient_log10_norm)
        end
        net(rille.tensor({ { 0 / 0, 1 }, { 1 / 0, 1 } }, { dtype = "float64" })):sum():backward()
        probe:record()
        local row = probe:latest()[1]
        assert.equal(0.5, row.nans)
        assert.equal(0.5, row.infinities)
        assert.is_true(row.weight_gradient_nonfinite > 0)
        assert.matches("NaN or Inf", tostring(probe))
    end)

    it("sees every call of a shared module, and modules with parameters of their own", function()
        local Shared = nn.Module:extend "Shared"
        function Shared:init()
            self.act = nn.Tanh()
            self.scale = rille.ones(1, { requires_grad = true })
        end
        function Shared:forward(x)
            return self.act(self.act(x) * self.scale)
        end
        local net = Shared()
        local probe = flow.probe(net)
        for _ = 1, 2 do
            net(rille.ones(1, 3)):sum():backward()
            local names = {}
            probe:record()
            for i, row in ipairs(probe:latest()) do
                names[i] = row.name
            end
            assert.same({ "act", "act #2", "Shared" }, names)
        end
        assert.is_not_nil(probe:latest()[3].weight_gradient_log10_norm)
    end)

    it("lets go of weights that the net has replaced", function()
        local net = nn.Sequential { nn.Linear(64, 64), nn.Tanh() }
        local probe = flow.probe(net)
        local function record(times)
            for _ = 1, times do
                net[1].weight = rille.randn(64, 64, { requires_grad = true })
                net(rille.randn(2, 64)):sum():backward()
                probe:record()
            end
            collectgarbage()
            collectgarbage()
            return rille.memory().current
        end
        local before = record(5)
        local weights = (record(40) - before) / (64 * 64 * 4)
        assert(weights < 20, ("40 records keep as much as %.0f weights"):format(weights))
        assert.are.equal(90, #probe:rows())
    end)

    it("ends with detach, and with <close>", function()
        local net, x = small_net()
        local probe = flow.probe(net)
        net(x):sum():backward()
        probe:record()
        probe:detach()
        net(x):sum():backward()
        assert.equal(3, #probe:rows())
        assert.equal("record: the probe has seen no forward pass of its net", message_of(probe.record, probe))
        local kept
        do
            local closed <close> = flow.probe(net)
            kept = closed
        end
        net(x)
        assert.equal("probe: no forward pass yet", tostring(kept))
    end)

    it("writes CSV that reads back to the last bit", function()
        local net, x = small_net()
        local probe = flow.probe(net)
        for _ = 1, 2 do
            net:zero_grad()
            net(x):sum():backward()
            probe:record()
        end
        local path = os.tmpname()
        assert.equal(path, probe:csv(path))
        local lines = {}
        for line in io.lines(path) do
            lines[#lines + 1] = line
        end
        assert.equal(7, #lines)
        assert.equal(table.concat(flow.columns, ","), lines[1])
        for i, row in ipairs(probe:rows()) do
            local j = 0
            for cell in (lines[i + 1] .. ","):gmatch("([^,]*),") do
                j = j + 1
                local value = row[flow.columns[j]]
                if type(value) == "number" then
                    assert.equal(value, cell == "-inf" and -math.huge or tonumber(cell))
                else
                    assert.equal(value or "", cell)
                end
            end
            assert.equal(#flow.columns, j)
        end
        os.remove(path)
        assert.matches("^write_file: cannot write '/nonexistent/x.csv': No such file or directory",
            message_of(probe.csv, probe, "/nonexistent/x.csv"))
    end)

    it("says what does not fit", function()
        assert.equal("bad argument #1 to 'probe' (module expected, got number)", message_of(flow.probe, 3))
        local net = small_net()
        assert.equal("bad argument #2 to 'probe' (unknown option 'saturaton'; did you mean 'saturation'?)",
            message_of(flow.probe, net, { saturaton = 1 }))
        local probe = flow.probe(net)
        assert.equal("no 'recrod' in a probe; did you mean 'record'?", message_of(function() probe:recrod() end))
        assert.equal("bad argument #1 to 'diagnose' (probe expected, got Sequential)", message_of(flow.diagnose, net))
        assert.equal("bad argument #1 to 'diagnose' (the probe has seen no forward pass of its net)",
            message_of(flow.diagnose, probe))
        assert.equal("no 'diagnos' in rille.flow; did you mean 'diagnose'?", message_of(function() return flow.diagnos end))
    end)
end)

describe("flow's figures", function()
    it("draw the recorded norms, over steps and over layers", function()
        local net, x = small_net()
        local probe = flow.probe(net)
        for step = 0, 2 do
            net:zero_grad()
            local loss = (net(x) * 10.0 ^ step):sum()
            loss:backward()
            probe:record(step)
        end
        local passes = probe:passes()
        assert.equal(3, #passes)
        assert.same({ 0, 2 }, { probe:passes(2)[1][1].step, probe:passes(2)[2][1].step })
        assert.same({ 1, 3, 0 }, { #probe:passes(1), #probe:passes(9), probe:passes(1)[1][1].step })
        assert.equal("bad argument #1 to 'passes' (most: positive integer expected, got 0)", message_of(probe.passes, probe, 0))
        assert.equal(2, passes[3][1].step)
        local weighted, activations = flow.split(passes[1])
        assert.same({ "[1]", "[3]" }, { weighted[1].name, weighted[2].name })
        assert.same({ "[2]" }, { activations[1].name })
        local figure = flow.norms_over_steps({ { "one", probe }, { "two", probe } }, { title = "norms", layers = 1 })
        assert.equal("norms", figure.title)
        assert.equal(2, #figure.panels)
        assert.equal(1, #figure.panels[1].series)
        local series = figure.panels[1].series[1]
        assert.same({ 0, 1, 2 }, series.x)
        for step = 0, 2 do
            close(10 ^ (weighted[1].weight_gradient_log10_norm + step), series.y[step + 1], 1e-9)
        end
        assert.is_true(figure.panels[1].yrange[1] <= series.y[1] and figure.panels[1].yrange[2] >= series.y[3])
        figure = flow.norms_by_layer({ { "start", { { "a", passes[1] }, { "b", passes[2] } } } }, { level = 0.2 })
        series = figure.panels[1].series[2]
        assert.same({ 1, 2 }, series.x)
        close(10 ^ (weighted[1].weight_gradient_log10_norm - weighted[2].weight_gradient_log10_norm), series.y[1], 1e-9)
        close(1, series.y[2])
        assert.equal("bad argument #2 to 'norms_by_layer' (unknown option 'levle'; did you mean 'level'?)",
            message_of(flow.norms_by_layer, {}, { levle = 1 }))
    end)

    -- A probe with three records, at steps 0, 10 and 20, between which the weights move.
    local function recorded()
        local net, x = small_net()
        local probe, descent = flow.probe(net), optim.SGD(net:parameters(), { lr = 0.1 })
        for step = 0, 2 do
            descent:zero_grad()
            net(x):sum():backward()
            probe:record(10 * step)
            descent:step()
        end
        return probe
    end

    it("draw the gradient as a map, the updates, and histograms", function()
        local probe = recorded()
        local passes = probe:passes()
        local map = flow.gradient_map(probe, { title = "a map" }).map
        assert.same({ { 0, 10, 20 }, { "[1] Linear", "[3] Linear" } }, { map.x, map.y })
        for i, layer in ipairs { 1, 3 } do
            for k = 1, 3 do
                close(passes[k][layer].weight_gradient_log10_norm, map.values[i][k], 5e-4)
            end
        end
        local updates = flow.updates_over_steps(probe).panels[1]
        assert.same({ "[1] Linear", "[3] Linear" }, { updates.series[1].label, updates.series[2].label })
        assert.is_true(updates.series[1].y[1] ~= updates.series[1].y[1]) -- nothing before the first record
        close(passes[3][1].weight_update_log10_ratio, log10(updates.series[1].y[3]), 5e-4)
        local panels = flow.histograms(probe, { bins = 5 }).panels
        assert.equal(3, #panels)
        local list = probe:histograms(5)
        assert.same({ "[2] Sigmoid", { list[2].low, list[2].high } }, { panels[2].title, panels[2].xrange })
        assert.same(list[2].counts, panels[2].series[1].y)
        close(list[2].low + 0.1 * (list[2].high - list[2].low), panels[2].series[1].x[1], 1e-12)
        probe:detach()
        assert.is_nil(flow.histograms(probe))
        local fresh = flow.probe((small_net()))
        assert.is_nil(flow.gradient_map(fresh))
        assert.is_nil(flow.updates_over_steps(fresh))
        assert.equal("bad argument #1 to 'gradient_map' (probe expected, got table)", message_of(flow.gradient_map, {}))
    end)

    it("are drawn by probe:plot, those of which there is something", function()
        local folder, probe = os.tmpname(), recorded()
        os.remove(folder)
        local paths = probe:plot(folder .. "/deep")
        local names = { "gradient-norms", "gradient-map", "updates", "histograms" }
        for i, name in ipairs(names) do
            assert.equal(("%s/deep/%s.svg"):format(folder, name), paths[i])
            local file <close> = assert(io.open(paths[i], "rb"))
            assert.matches("</svg>%s*$", file:read("a"))
        end
        assert.equal(4, #paths)
        probe:detach()
        probe:clear()
        assert.equal("plot: the probe has seen no forward pass of its net", message_of(probe.plot, probe, folder))
        local net, x = small_net()
        local alone = flow.probe(net, { updates = false })
        net(x):sum():backward()
        assert.same({ folder .. "/gradient-norms.png", folder .. "/gradient-map.png", folder .. "/histograms.png" },
            alone:plot { folder = folder, format = "png" })
        assert.equal("bad argument #1 to 'save' ('" .. folder .. "/gradient-norms.jpg': a name that ends in .svg, .png or .pdf "
            .. "expected)", message_of(alone.plot, alone, { folder = folder, format = "jpg" }))
        assert.equal("bad argument #1 to 'plot' (folder expected, or options with 'folder')", message_of(alone.plot, alone))
        assert.matches("^cannot make '/dev/null/x' %(", message_of(alone.plot, alone, "/dev/null/x"))
        os.execute("rm -rf " .. folder)
    end)
end)
