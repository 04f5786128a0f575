--- rille.flow.isometry: what free probability says of the input-output Jacobian J of a wide random net.
--
--     local expected = flow.isometry("relu", { weights = "orthogonal", depth = 8 })
--     print(expected.variance, expected.largest)          -- 8.0  20.37...
--     print(flow.jacobian(expected:net(256), x, { expected = expected }))
--
-- A net of `depth` equally wide layers f(W x + b), b ~ N(0, sigma_b²), with weights W ~ N(0, sigma_w² / n) ("gaussian") or
-- sigma_w times a random orthogonal matrix ("orthogonal"), is critical where sigma_w² E f'(sqrt(q) z)² = 1, z ~ N(0, 1), and
-- keeps the variance q of its pre-activations where q = sigma_w² E f(sqrt(q) z)² + sigma_b². At infinite width n the
-- eigenvalues of J J^T, the squared singular values, then have mean 1 and a spectrum that W and f' make together: Pennington,
-- Schoenholz & Ganguli 2017, "Resurrecting the sigmoid in deep learning through dynamical isometry". At finite width their
-- mean is off by some sqrt(depth / n), and their edge and their variance by as much as the mean and its square.

local rille = require "rille"
local check = require "rille.check"
local gaussian = require "rille.gaussian"
local moments = require "rille.flow.moments"
local nn = require "rille.nn"

local isometry = {}

-- E f², E f'², E f'^4, E f'^6 at pre-activations of variance q.
local function expectations(entry, parameters, kinks, q)
    local scale, breaks = math.sqrt(q), {}
    for i, kink in ipairs(kinks) do
        breaks[i] = scale > 0 and kink / scale or nil
    end
    local function expectation(order, power)
        return gaussian.expectation(function(z)
            return rille.derivative(entry.name, z * scale, order, parameters) ^ power
        end, breaks)
    end
    return expectation(0, 2), expectation(1, 2), expectation(1, 4), expectation(1, 6)
end

-- The upper edge of the spectrum where f' is 0, or one other value, with a share p of the latter: there the S-transform of
-- J J^T is S(z) = p^L ((1 + z) / (p + z))^L, and 1 / (1 + z)^L times that for Gaussian weights; the edge is the least of
-- (1 + z) / (z S(z)), z > 0.
local function edge(weights, depth, p)
    local z
    if weights == "gaussian" then
        z = (1 - depth + math.sqrt((depth - 1) ^ 2 + 4 * depth * p)) / (2 * depth)
        return (1 + z) / z * (1 + z / p) ^ depth
    elseif depth * (1 - p) <= 1 + 1e-9 then
        return p ^ -depth -- at infinite z: what passes through every layer unhurt
    end
    z = p / (depth * (1 - p) - 1)
    return (1 + z) / z * ((1 + z / p) / (1 + z)) ^ depth
end

local Expected = {}
Expected.__index = Expected

--- A random net of that width: Linear layers, each with the activation behind it. Theory speaks of wide ones.
function Expected:net(width)
    width = check.positive_integer(1, "net", "width", width)
    local layers = {}
    for i = 1, self.depth do
        local linear = nn.Linear(width, width)
        if self.weights == "gaussian" then
            nn.init.normal(linear.weight, 0, self.sigma_w / math.sqrt(width))
        else
            nn.init.orthogonal(linear.weight, { gain = self.sigma_w })
        end
        nn.init.normal(linear.bias, 0, self.sigma_b)
        layers[2 * i - 1] = linear
        layers[2 * i] = nn.activation(self.activation, table.unpack { self.parameters })
    end
    return nn.Sequential(layers)
end

check.methods(Expected, "what flow.isometry gives", function(self)
    return getmetatable(self) == Expected
end)

--- What is expected of a critical net of `activation` (as flow.theory's: a name, an entry or a module). options: depth, how
-- many layers; weights ("gaussian" or "orthogonal"); q (1), the variance of its pre-activations, which nets of identity and
-- relu keep whatever it is; parameters (table by name). Returns { activation =, parameters =, depth =, weights =, q =;
-- sigma_w =, sigma_b =, of the net, which expected:net(width) draws; length =, the mean square of the elements of an input that
-- has q from the first layer on; mean_square = 1 and variance =, of the eigenvalues of J J^T; largest =, their upper edge, if
-- known: where f' takes no value but 0 and one other }. Raises where no sigma_b keeps q.
function isometry.isometry(activation, options)
    options = check.options(2, "isometry", options, { depth = { "number" }, weights = "gaussian", q = 1,
        parameters = { "table" } })
    local entry, parameters, properties = moments.resolve(1, "isometry", activation, options.parameters)
    local depth = check.positive_integer(2, "isometry", "option 'depth'", options.depth)
    if options.weights ~= "gaussian" and options.weights ~= "orthogonal" then
        check.argument(2, "isometry", "option 'weights': 'gaussian' or 'orthogonal' expected, got '%s'", options.weights)
    elseif not (options.q > 0 and options.q < math.huge) then
        check.argument(2, "isometry", "option 'q': a positive number expected, got %s", check.value_text(options.q))
    end
    local square, slope2, slope4, slope6 = expectations(entry, parameters, properties.kinks, options.q)
    local bias = options.q - square / slope2
    if math.abs(bias) <= 1e-12 * options.q then
        bias = 0
    elseif bias < 0 or slope2 == 0 then
        check.argument(2, "isometry", "no critical net of %s keeps q = %g: biases would need the variance %.3g",
            entry.name, options.q, bias)
    end
    local spread = slope4 / slope2 ^ 2 -- of the squared slopes: their mean square over their squared mean
    local steps = slope2 * slope6 / slope4 ^ 2 - 1 < 1e-9 -- 0 where f' is 0 or c, else more (Cauchy and Schwarz)
    return setmetatable({
        activation = entry.name, parameters = parameters, depth = depth, weights = options.weights, q = options.q,
        sigma_w = 1 / math.sqrt(slope2), sigma_b = math.sqrt(bias), length = square, mean_square = 1,
        variance = depth * math.max(spread - (options.weights == "gaussian" and 0 or 1), 0),
        largest = steps and edge(options.weights, depth, math.min(1 / spread, 1)) or nil,
    }, Expected)
end

return isometry
