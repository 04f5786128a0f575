--- rille.flow.band: how far a net of finite width strays from the theory of infinite width.

local check = require "rille.check"

local band = {}

--- What log10(|gradient at the first pre-activations| / |that at those `layers` layers later|) is to be expected, over random
-- weights, in a net of that width: { mean =, std =, low =, high = }, low and high two standard deviations off. options: width
-- and layers, positive integers.
--
-- A layer multiplies the gradient's squared norm by (sigma_w² / n) sum_j f'(x_j)² g_j², g_j ~ N(0, 1): in relation to its mean
-- chi its variance is v = (3 E f'⁴ / (E f'²)² - 1) / n, 5/n for relu. The logarithm's mean is ln chi - v/2, its variance v, and
-- layers add up: Hanin 2018, "Which neural net architectures give rise to exploding and vanishing gradients?"; Hanin & Nica
-- 2020, "Products of many large random matrices and gradients in deep neural networks". To these are added the fluctuations of
-- the layers' variances, x_(l+1) = chi_parallel x_l + e_l with Var e = sigma_w⁴ (E f⁴ - (E f²)²) / n, each of which moves chi
-- by (d ln chi / dq) x_l, and their covariance with the former. First order in layers / width.
function band.growth_band(t, options)
    options = check.options(1, "growth_band", options, { width = { "number" }, layers = { "number" } })
    local n = check.positive_integer(1, "growth_band", "width", options.width)
    local layers = check.positive_integer(1, "growth_band", "layers", options.layers)
    if t.q == math.huge or t.chi == 0 then
        check.fail("growth_band: %s", t.chi == 0 and "no gradient passes" or "the variance diverges")
    end
    local m, w2 = t.moments:at(math.max(t.q, t.moments.scan[1].q)), t.sigma_w ^ 2
    local own = 3 * m.slope_fourth / m.slope ^ 2 - 1
    local drift = m.slope_by_q / m.slope
    local shared = w2 * (m.mixed / m.slope - m.square)
    local variance_of_q = w2 ^ 2 * (m.fourth - m.square ^ 2)
    local variance, reach = 0, 0 -- reach: what a fluctuation in a layer sums up to over those after it
    for _ = 1, layers do
        variance = variance + (own + 2 * drift * reach * shared + (drift * reach) ^ 2 * variance_of_q) / n
        reach = 1 + t.chi_parallel * reach
    end
    local ln10 = math.log(10)
    local mean = layers * (math.log(t.chi) - own / (2 * n)) / 2 / ln10
    local std = math.sqrt(variance) / 2 / ln10
    return { mean = mean, std = std, low = mean - 2 * std, high = mean + 2 * std }
end

return band
