--- rille.flow.jacobian: the singular values of the input-output Jacobian J = dy/dx of a net, and of its layers.
--
--     local j = flow.jacobian(net, x)
--     print(j)                                       -- a table: how J stretches and squeezes
--     print(j.rows[1].variance, j.values)            -- of the eigenvalues of J J^T; [samples, k] singular values, descending
--     print(flow.jacobian(net, x, { layers = true, expected = flow.isometry("relu", { depth = 8 }) }))
--
-- A gradient of any loss goes back through J^T: where its singular values are all near 1 (dynamical isometry) none of its
-- directions is lost or blown up, where they spread most are. Saxe, McClelland & Ganguli 2014; Pennington, Schoenholz & Ganguli
-- 2017. rows[1] is the whole net, then with layers = true a row for each stage: from the input of one layer with a matrix of
-- weights to that of the next, or to the end, as Linear and the activation after it. A row holds
--
--   name, samples, outputs, inputs       J is [outputs, inputs] for each sample, k = min(outputs, inputs)
--   values                               float64 [samples, k]: singular values, descending
--   mean                                 of the singular values
--   mean_square, variance                of the eigenvalues of J J^T, `outputs` of them
--   largest, smallest                    the largest and the k-th eigenvalue of J J^T, mean over samples
--   log10_condition                      log10 of the largest over the smallest singular value, mean over samples: infinite
--                                        where the smallest of one is 0

local rille = require "rille"
local check = require "rille.check"
local nn = require "rille.nn"
local text = require "rille.text"

local jacobian = {}

local ELEMENTS = 1 << 20 -- of the widest tensor of one pass, about

---- A pass --------------------------------------------------------------------------------------------------------------

local function has_matrix(module)
    for _, parameter in module:own_parameters() do
        if parameter:dim() > 1 then
            return true
        end
    end
    return false
end

-- The net's tensors at which stages meet, in order, each with the name of the layer that it goes into; then the output.
local function pass(net, x)
    local points, handles = {}, {}
    local _ <close> = setmetatable({}, { __close = function()
        for _, handle in ipairs(handles) do
            handle:remove()
        end
    end })
    for name, module in net:named_modules() do
        if has_matrix(module) then
            handles[#handles + 1] = module:register_forward_pre_hook(function(_, inputs)
                points[#points + 1] = { name = ("%s %s"):format(name, module.class_name), tensor = inputs[1] }
            end)
        end
    end
    local y = net(x)
    points[#points + 1] = { tensor = y }
    return points
end

---- One Jacobian --------------------------------------------------------------------------------------------------------

-- Rows first ... last of J of each sample, [samples, rows, inputs]: one backward through as many copies of the batch.
local function rows_of(take, x, first, last, outputs)
    return rille.scope(function()
        local samples, copies = x:size(1), last - first + 1
        local many = x:tile(copies, table.unpack(({ 1, 1, 1, 1, 1, 1, 1 }), 1, x:dim() - 1))
        local from, to = take(many:detach():requires_grad(true))
        local seed = rille.zeros(copies, outputs, { dtype = to:dtype() })
        seed:narrow(2, first, copies):copy_(rille.eye(copies, { dtype = to:dtype() }))
        seed = seed:unsqueeze(2):expand(copies, samples, outputs):reshape(to:shape())
        local gradient = to:requires_grad() and rille.grad({ to }, { from }, { seeds = { seed } })[1]
        if not gradient then
            check.fail("jacobian: the output does not depend on the input")
        end
        return gradient:reshape(copies, samples, -1):transpose(1, 2):to("float64")
    end)
end

-- take(x) gives the two ends of a stage for a batch x.
local function singular_values(take, x, name)
    local samples = x:size(1)
    local from, to = take(x:detach():requires_grad(true))
    if not check.is_floating(to) or to:dim() < 1 or to:size(1) ~= samples then
        check.fail("jacobian: %s gives %s for %d samples; [%d, ...] of float32 or float64 expected", name,
            check.is_tensor(to) and to:dtype() .. " " .. check.shape_text(to:shape()) or check.type_name(to), samples, samples)
    elseif to:numel() == 0 then
        check.fail("jacobian: %s gives %s, which has no elements to be differentiated", name, check.shape_text(to:shape()))
    end
    local inputs, outputs = from:numel() // samples, to:numel() // samples
    local chunk = math.max(1, ELEMENTS // (samples * math.max(inputs, outputs, 1)))
    local parts = {}
    for first = 1, outputs, chunk do
        parts[#parts + 1] = rows_of(take, x, first, math.min(first + chunk - 1, outputs), outputs)
    end
    local j = rille.cat(parts, 2)
    local found = rille.measure(j)
    if found.nans + found.infinities > 0 then
        check.fail("jacobian: that of %s holds NaN or infinities", name)
    end
    return j:svdvals(), inputs, outputs
end

local function measure(take, x, name)
    local values, inputs, outputs = singular_values(take, x, name)
    local squares, k = values * values, values:size(2)
    local mean_square = squares:sum(2) / outputs
    local off = squares - mean_square:unsqueeze(2) -- of k eigenvalues; the others, where there are more outputs, are 0
    local variance = ((off * off):sum(2) + (outputs - k) * mean_square * mean_square) / outputs
    local condition = (values:select(2, 1) / values:select(2, k)):log10()
    condition = condition:masked_fill(values:select(2, k):eq(0), math.huge) -- 0 / 0 as well
    return {
        name = name, samples = values:size(1), outputs = outputs, inputs = inputs, values = values,
        mean = values:mean():item(), mean_square = mean_square:mean():item(), variance = variance:mean():item(),
        largest = squares:select(2, 1):mean():item(), smallest = squares:select(2, k):mean():item(),
        log10_condition = condition:mean():item(),
    }
end

---- The result ----------------------------------------------------------------------------------------------------------

local Result = {}
local result_metatable = { __name = "jacobian" }
function result_metatable.__index(_, key)
    if Result[key] == nil then
        check.fail("no '%s' in a jacobian%s", tostring(key), check.did_you_mean(key, check.keys(Result)))
    end
    return Result[key]
end

--- The singular values of the net in `bins` (20) equal parts of 0 ... the largest, or 0 ... options.high: { edges = list of
-- bins + 1, density = list of bins }. Densities times the width of a bin sum up to 1, or to the share that lies below high.
function Result:histogram(bins, options)
    bins = check.positive_integer(1, "histogram", "bins", bins or 20)
    options = check.options(2, "histogram", options, { high = { "number" } })
    local values = self.values:reshape(-1)
    local high = options.high or values:max():item()
    high = high > 0 and high or 1
    local edges, density, counts, below = {}, {}, {}, 0
    for i = 0, bins do
        edges[i + 1] = high * i / bins
        -- The last bin has its upper edge.
        counts[i] = i == bins and values:le(high):sum():item() or values:lt(high * i / bins):sum():item()
    end
    for i = 1, bins do
        density[i] = (counts[i] - below) / values:numel() / (high / bins)
        below = counts[i]
    end
    return { edges = edges, density = density }
end

function result_metatable.__tostring(result)
    local lines = {}
    for i, row in ipairs(result.rows) do
        lines[i] = { row.name, ("%d x %d"):format(row.outputs, row.inputs), text.number(row.mean), text.number(row.mean_square),
            text.number(row.variance), text.number(row.largest), text.number(row.log10_condition) }
    end
    local expected = result.expected
    if expected then
        local what = ("expected: %s %s, depth %.14g"):format(expected.weights, expected.activation, expected.depth)
        table.insert(lines, 2, { what, "", "", text.number(expected.mean_square), text.number(expected.variance),
            text.number(expected.largest) })
    end
    return ("singular values s of the Jacobian dy/dx, %d sample%s\n%s"):format(result.rows[1].samples,
        result.rows[1].samples == 1 and "" or "s",
        text.table({ "<", "size", "mean s", "mean s²", "var s²", "max s²", "log10 max s / min s" }, lines))
end

check.methods(Result, "jacobian", function(self)
    return getmetatable(self) == result_metatable
end)

-- The fields of what flow.isometry gives that are printed, and their types.
local EXPECTED = { activation = "string", depth = "number", mean_square = "number", variance = "number", weights = "string" }

local function check_expected(expected)
    for _, key in ipairs(check.keys(EXPECTED)) do
        local value = rawget(expected, key)
        if type(value) ~= EXPECTED[key] then
            check.argument(3, "jacobian", "option 'expected': what flow.isometry gives is expected; its '%s' is %s here", key,
                check.type_name(value))
        end
    end
end

--- Measures J of a module, or of a function of one tensor, at each sample of x, [samples, ...] of float32 or float64. Samples
-- may not depend on each other, and probes and watches may not take these passes for a step's: a module is measured as a clone,
-- in evaluation mode and without its hooks. options: layers (false), a row for each stage of a module; expected, what
-- flow.isometry gives, to be printed beside it. Returns { rows = list, values = rows[1].values, expected = }; it prints as a
-- table and has histogram(bins). Singular values are computed in float64, of gradients in the net's own dtype.
function jacobian.jacobian(net, x, options)
    options = check.options(3, "jacobian", options, { layers = false, expected = { "table" } })
    if not nn.is_module(net) and type(net) ~= "function" then
        check.argument(1, "jacobian", "module or function expected, got %s", check.type_name(net))
    elseif not check.is_floating(x) or x:dim() < 1 or x:numel() == 0 then
        check.argument(2, "jacobian", "[samples, ...] of float32 or float64 expected, got %s",
            check.is_tensor(x) and x:dtype() .. " " .. check.shape_text(x:shape()) or check.type_name(x))
    elseif options.layers and not nn.is_module(net) then
        check.argument(3, "jacobian", "option 'layers': a function has none; a module has")
    end
    if options.expected then
        check_expected(options.expected)
    end
    local measured = nn.is_module(net) and net:clone():eval() or net
    local rows = rille.enable_grad(function()
        local found = { measure(function(input) return input, measured(input) end, x, "the net") }
        local points = options.layers and pass(measured, x) or {}
        for stage = 1, #points - 1 do
            found[stage + 1] = measure(function(input)
                local ends = pass(measured, input)
                return ends[stage].tensor, ends[stage + 1].tensor
            end, x, points[stage].name)
        end
        return found
    end)
    return setmetatable({ rows = rows, values = rows[1].values, expected = options.expected or false }, result_metatable)
end

return jacobian
