/* softplus, log(1 + e^(beta x)) / beta, and its derivatives. With t = beta x, u = e^-|t| and the logistic function s:
 *
 *     softplus(x)  = (max(t, 0) + log(1 + u)) / beta
 *     softplus'(x) = s(t)
 *     softplus"(x) = beta s'(t) = beta u / (1 + u)^2
 *
 * 1e-30 <= beta <= 1e30 (2^-100 ... 2^100). Nothing cancels. */
#ifndef RL_MATH_SOFTPLUS_H
#define RL_MATH_SOFTPLUS_H

#include "math/logarithm.h"
#include "math/logistic.h"
#include "math/piecewise.h"

/* Relative errors < 2^-39: those of log(1 + u), of s and s', and the rounding of t, |t| 2^-53 of u. */
RL_INLINE double rl_softplus_24(double x, double beta)
{
    const double tail = rl_log1p_24(rl_decay_of_24(rl_magnitude(beta * x)).u) / beta;
    return x > 0 ? x + tail : tail;
}

RL_INLINE double rl_softplus_d1_24(double x, double beta)
{
    return rl_logistic_24(beta * x);
}

RL_INLINE double rl_softplus_d2_24(double x, double beta)
{
    return beta * rl_logistic_d1_24(beta * x);
}

/* u and what belongs to it, of t in two parts. Past 2^120, |x| is 2^120: |t| >= 2^20 there, and u is 0 either way. */
RL_INLINE rl_decay_53 rl_softplus_decay(double x, double beta)
{
    const double m = rl_magnitude(x);
    const rl_double_double t = rl_two_product(beta, m > 0x1p120 ? 0x1p120 : m);
    return rl_decay_of_low_53(t.hi, t.lo);
}

/* Error < 0.6 ULP, < 1.1 ULP of a subnormal. Below 2^-200, log(1 + u) is u; to a positive x it then adds nothing. */
RL_INLINE double rl_softplus_53(double x, double beta)
{
    const rl_decay_53 decay = rl_softplus_decay(x, beta);
    const rl_double_double near = rl_log1p_in_parts(rl_dd_scale(decay.m, rl_power_of_two(decay.n < -200 ? -200 : decay.n)));
    const rl_double_double divisor = {beta, 0};
    const rl_double_double log1p = {decay.n < -200 ? decay.m.hi : near.hi, decay.n < -200 ? decay.m.lo : near.lo};
    const rl_double_double tail = rl_dd_divide(log1p, divisor);
    const rl_double_double sum = rl_two_sum(x, decay.n < -200 ? 0 : tail.hi);
    const double right = x > 0x1p120 ? x : sum.hi + (sum.lo + (decay.n < -200 ? 0 : tail.lo));
    return x > 0 ? right : rl_scale(tail.hi, decay.n < -200 ? decay.n : 0);
}

/* Error < 0.54 ULP, that of s. */
RL_INLINE double rl_softplus_d1_53(double x, double beta)
{
    return rl_logistic_of_53(rl_softplus_decay(x, beta), x < 0);
}

/* Error < 0.55 ULP, < 1.1 ULP of a subnormal. */
RL_INLINE double rl_softplus_d2_53(double x, double beta)
{
    const rl_decay_53 decay = rl_softplus_decay(x, beta);
    const rl_double_double square = rl_dd_multiply(decay.one_plus_u, decay.one_plus_u);
    return rl_scale(rl_dd_times(rl_dd_divide(decay.m, square), beta), decay.n);
}

#if defined(RL_HAS_FMA)

/* log(1 + u) / u, given w = u - 1/2, for 0 <= u <= 1, in two parts. The polynomial, of degree 10, has the least relative
 * error, 2^-29.9; with its roundings it is < 0.2 * 2^-24. */
RL_INLINE rl_pair_single rl_log1p_ratio_single(float w)
{
    const float w2 = w * w, w4 = w2 * w2, start = 0x1.9f323ep-1F;
    const float R_1 = rl_madd_single(0x1.0f95b8p-3F, w, -0x1.2773a6p-2F);
    const float R_3 = rl_madd_single(0x1.2bea3ep-5F, w, -0x1.15400cp-4F);
    const float R_5 = rl_madd_single(0x1.84624cp-7F, w, -0x1.50f602p-6F);
    const float R_7 = rl_madd_single(0x1.059862p-8F, w, -0x1.bb822ep-8F);
    const float R_9 = rl_madd_single(0x1.08687ap-9F, w, -0x1.a59028p-9F);
    const float high = rl_madd_single(rl_madd_single(R_9, w2, R_7), w2, R_5);
    const float R = rl_madd_single(high, w4, rl_madd_single(R_3, w2, R_1)), hi = rl_madd_single(w, R, start);
    return (rl_pair_single){hi, rl_madd_single(w, R, start - hi) + 0x1.91e0cap-26F};
}

/* Error < 0.95 ULP, found over the floats for beta = 1.
 *
 * u = 2^n m, log(1 + u) = 2^n m Q(u), m and Q in two parts, and so is the sum with x. All is greater by 2^64 until the end,
 * where the result may become subnormal. Beyond t = 30, softplus is x. */
RL_INLINE float rl_softplus_single(float x, double beta)
{
    const double inverse = 1 / beta;
    const float beta_hi = (float)beta, beta_low = (float)(beta - (double)beta_hi);
    const float inverse_hi = (float)inverse, inverse_low = (float)(inverse - (double)inverse_hi);
    const float most = (float)(130 * inverse), highest = (float)(30 * inverse);
    const float size = __builtin_fabsf(x), magnitude = size > most ? most : size;
    float minus_t = -magnitude, t_low = 0;
    if (beta != 1) {
        minus_t = -beta_hi * magnitude;
        t_low = rl_madd_single(beta_low, magnitude, rl_madd_single(beta_hi, magnitude, minus_t));
    }
    const rl_growth_single e = rl_growth_of_single(minus_t, -t_low, RL_POWER_OFFSET_SINGLE + 64);
    const rl_pair_single Q = rl_log1p_ratio_single(rl_madd_single(e.m, e.power * 0x1p-64F, -0.5F));
    const float product = e.m * Q.hi;
    const float product_low = rl_madd_single(e.m, Q.lo, rl_madd_single(e.low, Q.hi, rl_madd_single(e.m, Q.hi, -product)));
    float quotient = product, quotient_low = product_low;
    if (beta != 1) {
        quotient = product * inverse_hi;
        quotient_low = rl_madd_single(product, inverse_low,
                                      rl_madd_single(product_low, inverse_hi, rl_madd_single(product, inverse_hi, -quotient)));
    }
    const float start = x > 0 ? x * 0x1p64F : 0, term = quotient * e.power, total = start + term;
    const float rest = rl_at_most_single(start, term) - (total - rl_at_least_single(start, term));
    return x > highest ? x : (total + rl_madd_single(quotient_low, e.power, rest)) * 0x1p-64F;
}

#endif

#define softplus(x, beta) RL_AT_PRECISION(rl_softplus)(x, beta)
#define softplus_d1(x, beta) RL_AT_PRECISION(rl_softplus_d1)(x, beta)
#define softplus_d2(x, beta) RL_AT_PRECISION(rl_softplus_d2)(x, beta)

#endif
