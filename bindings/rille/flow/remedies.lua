--- rille.flow.remedies: cures for a sick net, each really tried: on a copy of the net, from the same weights, batch and seed,
-- for a few steps of SGD.
--
-- What is tried, where the net has a place for it: a lower and a higher learning rate, gradient clipping, start weights by the
-- activation that follows (He et al. 2015, Glorot & Bengio 2010), ReLU in place of activations that saturate, with and without
-- such start weights, LeakyReLU in place of ReLU, batch and layer normalisation after every layer with weights, residual
-- connections around layers that keep their size, LSTM and GRU in place of RNN, standardised inputs, all parameters thawed.

local rille = require "rille"
local check = require "rille.check"
local nn = require "rille.nn"
local optim = require "rille.optim"
local text = require "rille.text"
local walks = require "rille.nn.walk"

local remedies = {}

--- Options: inputs, targets: tensors, a batch; loss (rille.cross_entropy), a function of net(inputs) and targets; steps (20) of
-- SGD with learning rate lr (0.1) and momentum (0); seed (1).
remedies.options = {
    inputs = { "tensor" }, targets = { "tensor" }, loss = rille.cross_entropy, steps = 20, lr = 0.1, momentum = 0, seed = 1,
}

---- What is done to a copy -------------------------------------------------------------------------------------------------

-- Where the modules of a net stand, but for the net itself: a list of { module =, holder =, key = }.
local function places_of(net)
    local list = {}
    walks.walk(net, "", {}, function(_, parent)
        walks.each(parent, function(_, value, kind, holder, key)
            if kind == "module" then
                holder = holder == walks.state_of(parent).fields and parent or holder
                list[#list + 1] = { module = value, holder = holder, key = key }
            end
        end)
    end)
    return list
end

-- Puts make(module), where that is not nil, in the place of every module. Returns how many were replaced.
local function replace(net, make)
    local count = 0
    for _, place in ipairs(places_of(net)) do
        local new = make(place.module)
        if new then
            place.holder[place.key] = new:train(place.module.training)
            count = count + 1
        end
    end
    return count
end

local function saturates(module)
    local entry = module.activation
    return entry and entry.low > -math.huge and entry.high < math.huge
end

local function relu_for_saturating(net)
    return replace(net, function(module)
        return saturates(module) and nn.ReLU() or nil
    end)
end

local function leaky_for_relu(net)
    return replace(net, function(module)
        return module.activation and module.activation.name == "relu" and nn.LeakyReLU(0.1) or nil
    end)
end

-- Of each module with a weight matrix: what activation comes next in the order of the net's modules.
local function start_anew(net)
    local count, waiting = 0, {}
    local function begin(nonlinearity)
        for _, weight in ipairs(waiting) do
            nn.init.kaiming_normal(weight, { nonlinearity = nonlinearity })
        end
        waiting = {}
    end
    for _, module in net:named_modules() do
        if module.activation then
            begin(module.activation.name)
        end
        for name, parameter in module:own_parameters() do
            if parameter:dim() >= 2 and not module.recurrent then
                waiting[#waiting + 1], count = parameter, count + 1
            elseif name == "bias" and not module.class_name:find("Norm") then
                nn.init.zeros(parameter)
            end
        end
    end
    begin("linear")
    return count
end

local function relu_and_start(net)
    return relu_for_saturating(net) > 0 and start_anew(net) or 0
end

-- What `make` gives for a layer with weights, if not nil, goes after it; the last one stays as it is.
local function put_after_layers(net, make)
    local last, count = nil, 0
    for _, module in net:named_modules() do
        last = (module.class_name == "Linear" or module.class_name == "Conv2d") and module or last
    end
    return count + replace(net, function(module)
        local new = module ~= last and make(module)
        return new and nn.Sequential { module, new } or nil
    end)
end

local function dtype_of(module)
    return { dtype = module.weight:dtype() }
end

local function batch_norm(net)
    return put_after_layers(net, function(module)
        return module.class_name == "Linear" and nn.BatchNorm1d(module.out_features, dtype_of(module))
            or module.class_name == "Conv2d" and nn.BatchNorm2d(module.out_channels, dtype_of(module)) or nil
    end)
end

local function layer_norm(net)
    return put_after_layers(net, function(module)
        return module.class_name == "Linear" and nn.LayerNorm(module.out_features, dtype_of(module)) or nil
    end)
end

-- In a Sequential, a Linear that keeps its size, with the activation after it, gets a way around both.
local function residual(net)
    local count = 0
    for _, module in net:named_modules() do
        if module.class_name == "Sequential" then
            for i = 1, #module - 1 do
                local linear, activation = module[i], module[i + 1]
                if linear.class_name == "Linear" and linear.in_features == linear.out_features and activation.activation then
                    module[i], module[i + 1] = nn.Residual(nn.Sequential { linear, activation }), nn.Identity()
                    count = count + 1
                end
            end
        end
    end
    return count
end

local function recurrent(name)
    return function(net)
        return replace(net, function(module)
            return module.class_name == "RNN" and nn[name](module.input_size, module.hidden_size, {
                num_layers = module.num_layers, batch_first = module.batch_first, dropout = module.dropout,
                dtype = module.weight_ih_l1:dtype(),
            }) or nil
        end)
    end
end

local function thaw(net)
    local count = 0
    for _, parameter in ipairs(net:parameters()) do
        if not parameter:requires_grad() then
            parameter:requires_grad(true)
            count = count + 1
        end
    end
    return count
end

local function standardise(run)
    local mean, std = run.inputs:mean():item(), run.inputs:std():item()
    local far = std > 0 and std < math.huge and (math.abs(mean) >= 0.5 or std < 0.3 or std > 3)
    if not far or not check.is_floating(run.inputs) then
        return 0
    end
    run.inputs = (run.inputs - mean) / std
    return 1
end

-- name; edit: changes the copy of the net and says in how many places (0: there is no place for it); setting: changes how it
-- is trained.
local REMEDIES = {
    { name = "as it is" },
    { name = "learning rate / 10", setting = function(run) run.lr = run.lr / 10 end },
    { name = "learning rate x 10", setting = function(run) run.lr = run.lr * 10 end },
    { name = "gradient clipping to norm 1", setting = function(run) run.clip = 1 end },
    { name = "standardised inputs", setting = standardise },
    { name = "start weights by activation", edit = start_anew },
    { name = "ReLU for what saturates", edit = relu_for_saturating },
    { name = "ReLU and its start weights", edit = relu_and_start },
    { name = "LeakyReLU for ReLU", edit = leaky_for_relu },
    { name = "batch normalisation", edit = batch_norm },
    { name = "layer normalisation", edit = layer_norm },
    { name = "residual connections", edit = residual },
    { name = "LSTM for RNN", edit = recurrent("LSTM") },
    { name = "GRU for RNN", edit = recurrent("GRU") },
    { name = "no parameter frozen", edit = thaw },
}

---- Trying it --------------------------------------------------------------------------------------------------------------

-- log10 of the first over the last gradient norm of weight matrices; nil where there are none, or no finite ones.
local function gradient_ratio(net)
    local first, last
    for _, parameter in ipairs(net:parameters()) do
        if parameter:dim() >= 2 and parameter.grad then
            last = rille.measure(parameter.grad).log10_norm
            first = first or last
        end
    end
    local ratio = first and first - last
    return ratio == ratio and ratio or nil
end

local function train(run, net)
    local optimizer = optim.SGD(net:parameters(), { lr = run.lr, momentum = run.momentum })
    local losses = {}
    for step = 0, run.steps do
        net:zero_grad()
        local loss = run.loss(net(run.inputs), run.targets)
        losses[step] = loss:item()
        if losses[step] ~= losses[step] or math.abs(losses[step]) == math.huge then
            break
        end
        loss:backward()
        if step == 0 then
            losses.ratio = gradient_ratio(net)
        end
        if run.clip then
            optim.clip_grad_norm(net:parameters(), run.clip)
        end
        if step < run.steps then
            optimizer:step()
        end
    end
    return losses
end

-- A copy of net with the remedy, having seeded the random numbers; nil where the net has no place for it. What is not done to
-- the net is done to run: lr, clip, inputs.
local function remedied(net, run, seed, remedy)
    rille.manual_seed(seed)
    local copy, places = net:clone(), 1
    if remedy.edit then
        places = remedy.edit(copy)
    elseif remedy.setting then
        places = remedy.setting(run) or 1
    end
    return places > 0 and copy or nil
end

--- Copies of net, one with each remedy that has a place in it, to train oneself: a list of { name =, net =, lr =, clip = (norm
-- that gradients are clipped to, or nil) }. options: lr (0.1), which some remedies change; seed (1).
function remedies.copies(net, options)
    if not nn.is_module(net) then
        check.argument(1, "remedies", "module expected, got %s", check.type_name(net))
    end
    options = check.options(2, "remedies", options, { lr = 0.1, seed = 1 })
    local random, list = rille.rng_state(), {}
    for _, remedy in ipairs(REMEDIES) do
        local run = { lr = options.lr }
        local copy = remedy.setting ~= standardise and remedied(net, run, options.seed, remedy)
        if copy then
            list[#list + 1] = { name = remedy.name, net = copy, lr = run.lr, clip = run.clip }
        end
    end
    rille.set_rng_state(random)
    return list
end

-- One remedy: its result, or nil where the net has no place for it.
local function try_one(net, options, remedy)
    local run = { inputs = options.inputs, targets = options.targets, loss = options.loss, steps = options.steps,
        lr = options.lr, momentum = options.momentum }
    local copy = remedied(net, run, options.seed, remedy)
    if not copy then
        return nil
    end
    local ok, losses = pcall(rille.scope, train, run, copy)
    if not ok then
        return { name = remedy.name, failed = tostring(losses) }
    end
    return { name = remedy.name, before = losses[0], after = losses[options.steps], log10_ratio = losses.ratio }
end

-- By the loss at the end; what ended without one, or failed, comes last.
local function ranks_before(a, b)
    local left, right = a.after, b.after
    left, right = left == left and left or nil, right == right and right or nil
    if left and right and left ~= right then
        return left < right
    elseif (left ~= nil) ~= (right ~= nil) then
        return left ~= nil
    end
    return a.place < b.place
end

--- Tries every remedy on copies of net and ranks them: a list of { name =, before =, after = (losses; nil: not finite on the
-- way), log10_ratio = (first over last gradient norm of weight matrices, before the first step), failed = (a message) }. The
-- one called "as it is" is what happens without any. The net, its gradients and the random numbers stay as they were.
function remedies.try(net, options)
    if not options.targets then
        check.argument(2, "diagnose", "option 'targets' is missing: remedies are tried on inputs and targets")
    elseif options.steps < 1 or options.steps ~= math.floor(options.steps) then
        check.argument(2, "diagnose", "option 'steps': positive integer expected, got %s", check.value_text(options.steps))
    end
    local random, list = rille.rng_state(), {}
    for place, remedy in ipairs(REMEDIES) do
        local result = try_one(net, options, remedy)
        if result then
            result.place = place
            list[#list + 1] = result
        end
    end
    rille.set_rng_state(random)
    table.sort(list, ranks_before)
    list.steps = options.steps
    return list
end

--- The ranking as a table for people.
function remedies.table(list)
    local rows, reference = {}, nil
    for _, trial in ipairs(list) do
        reference = trial.name == "as it is" and trial or reference
    end
    for i, trial in ipairs(list) do
        local gain = trial.after and reference.after and reference.after - trial.after
        rows[i] = { trial.name, trial.failed and "failed" or text.number(trial.before, 4),
            trial.failed and "" or trial.after and text.number(trial.after, 4) or "not finite",
            trial == reference and "" or gain and (gain == 0 and "0" or ("%+.4g"):format(-gain)) or "",
            trial.log10_ratio and text.ratio(trial.log10_ratio) or "-" }
    end
    return ("what %d steps of SGD do, each from a copy of this net; best first\n"):format(list.steps)
        .. text.table({ "<remedy", "loss before", "loss after", "beside as it is", "first / last |dL/dW|" }, rows)
end

return remedies
