local rille = require "rille"

local f64 = { dtype = "float64" }

local function tensor(values)
    return rille.tensor(values, f64)
end

local function close(expected, actual)
    if type(expected) == "table" then
        assert.equal(#expected, #actual)
        for i = 1, #expected do
            close(expected[i], actual[i])
        end
    else
        assert(math.abs(expected - actual) <= 1e-12 * (1 + math.abs(expected)),
            ("%.17g expected, got %.17g"):format(expected, actual))
    end
end

describe("losses of pairs", function()
    local x, t = tensor { 0.5, -2, 3 }, tensor { 1, 0, 3 }

    it("are the mean, the sum, or each", function()
        close(4.25 / 3, rille.mse_loss(x, t):item())
        close(4.25, rille.mse_loss(x, t, { reduction = "sum" }):item())
        close({ 0.25, 4, 0 }, x:mse_loss(t, { reduction = "none" }):totable())
        close({ 0.5, 2, 0 }, x:l1_loss(t, { reduction = "none" }):totable())
        close({ 0.125, 1.5, 0 }, x:huber_loss(t, { reduction = "none" }):totable())
        close({ 0.125, 0.875, 0 }, x:huber_loss(t, { delta = 0.5, reduction = "none" }):totable())
        close({ 0.125, 1.5, 0 }, x:smooth_l1_loss(t, { reduction = "none" }):totable())
        close({ 0.25, 1.75, 0 }, x:smooth_l1_loss(t, { beta = 0.5, reduction = "none" }):totable())
    end)

    it("take probabilities, logits and logarithms", function()
        local p, target = tensor { 0.25, 0.5 }, tensor { 1, 0.5 }
        close({ math.log(4), math.log(2) }, p:bce_loss(target, { reduction = "none" }):totable())
        local logits = tensor { math.log(1 / 3), 0 }
        close({ math.log(4), math.log(2) }, logits:bce_with_logits(target, { reduction = "none" }):totable())
        close({ 3 * math.log(4), 2 * math.log(2) },
            logits:bce_with_logits(target, { pos_weight = tensor { 3 }, reduction = "none" }):totable())
        close((math.log(4) + math.log(2)) / 2, logits:bce_with_logits(target):item())
        local q, pq = tensor { { 0.5, 0.5 }, { 0.25, 0.75 } }, tensor { { 1, 0 }, { 0.25, 0.75 } }
        close(math.log(2), q:log():kl_div(pq, { reduction = "sum" }):item())
        close(math.log(2) / 2, q:log():kl_div(pq, { reduction = "batchmean" }):item())
        close(math.log(2) / 4, q:log():kl_div(pq:log(), { log_target = true }):item())
    end)

    it("keep the gradient of a logit that is all but right", function()
        local logit = rille.tensor({ 40 }, { requires_grad = true })
        logit:bce_with_logits(rille.ones(1)):backward()
        assert.equal("-4.24835e-18", ("%.6g"):format(logit.grad:item()))
    end)

    it("can be differentiated twice", function()
        rille.manual_seed(2)
        local a = rille.rand(3, 4, f64):mul(0.8):add(0.1):detach():requires_grad(true)
        local b = rille.rand(3, 4, f64):mul(0.8):add(0.1):detach():requires_grad(true)
        for _, name in ipairs { "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "bce_loss", "bce_with_logits",
            "kl_div" } do
            assert.is_true(rille.gradcheck(rille[name], { a, b }))
            assert.is_true(rille.gradcheck(function(p, q)
                local g = rille.grad(rille[name](p, q), { p, q }, { create_graph = true })
                return g[1]:sum() + (g[2] * q):sum()
            end, { a, b }))
        end
    end)
end)

describe("losses of labels", function()
    local logits = tensor { { 1, 2, 3 }, { 0, 0, 0 }, { -1, 1, 0 } }
    local logs = logits:log_softmax(2)

    it("weigh, smooth and ignore", function()
        local weight = tensor { 1, 2, 4 }
        local rows = { -logs[1][3], -logs[2][1], -logs[3][2] }
        for _, loss in ipairs { function(...) return logits:cross_entropy(...) end,
            function(...) return logs:nll_loss(...) end } do
            close((rows[1] + rows[2] + rows[3]) / 3, loss({ 3, 1, 2 }):item())
            close(rows, loss({ 3, 1, 2 }, { reduction = "none" }):totable())
            close({ 4 * rows[1], rows[2], 2 * rows[3] },
                loss({ 3, 1, 2 }, { weight = weight, reduction = "none" }):totable())
            close((4 * rows[1] + rows[2] + 2 * rows[3]) / 7, loss({ 3, 1, 2 }, { weight = weight }):item())
            close({ rows[1], 0, rows[3] }, loss({ 3, -100, 2 }, { ignore_index = -100, reduction = "none" }):totable())
            close((rows[1] + rows[3]) / 2, loss({ 3, -100, 2 }, { ignore_index = -100 }):item())
        end
        local spread = -logs:mean():item()
        close(0.9 * (rows[1] + rows[2] + rows[3]) / 3 + 0.1 * spread,
            logits:cross_entropy({ 3, 1, 2 }, { label_smoothing = 0.1 }):item())
    end)

    it("have gradients, and gradients of these", function()
        local x = logits:clone():detach():requires_grad(true)
        local options = { weight = tensor { 1, 2, 4 }, ignore_index = 2, label_smoothing = 0.1 }
        local function entropy(y)
            return y:cross_entropy({ 3, 1, 2 }, options)
        end
        assert.is_true(rille.gradcheck(entropy, x))
        assert.is_true(rille.gradcheck(function(y)
            return (rille.grad(entropy(y), y, { create_graph = true })[1] * y):sum()
        end, x))
    end)
end)
