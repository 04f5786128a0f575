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

/* log(1 + u) / u for 0 <= u <= 1, in two parts. Seen from w = u - RL_LOG1P_CENTRE, where its value is a float to 2^-37, it is
 * that value + w R(w): the polynomial of degree 9 has the least relative error, 0.088 * 2^-24. */
#define RL_LOG1P_CENTRE 0x1.c2927ep-2F
RL_INLINE rl_pair_single rl_log1p_ratio_single(float w)
{
    const float start = 0x1.a84f64p-1F;
    float R = -0x1.a43edap-9F;
    R = rl_madd_single(R, w, 0x1.c88b50p-8F);
    R = rl_madd_single(R, w, -0x1.3de0e8p-7F);
    R = rl_madd_single(R, w, 0x1.ec0a02p-7F);
    R = rl_madd_single(R, w, -0x1.9ec684p-6F);
    R = rl_madd_single(R, w, 0x1.6437eep-5F);
    R = rl_madd_single(R, w, -0x1.3c8166p-4F);
    R = rl_madd_single(R, w, 0x1.2a3f2ap-3F);
    R = rl_madd_single(R, w, -0x1.38868ep-2F);
    const float hi = rl_madd_single(w, R, start);
    return (rl_pair_single){hi, rl_madd_single(w, R, start - hi)};
}

/* Error < 0.89 ULP, found over all floats for beta = 1.
 *
 * start + u Q, start = max(x, 0), u = 2^n (1 + hi + t), Q = log(1 + u) / (beta u) in two parts. Of the sum's low part,
 * start - sum + 2^n Q + 2^n Q hi + 2^n Q t, the first two steps are exact but for `lost`, where 0 < x < u Q; the others make good
 * the rounding of u too. All is greater by 2^64 until the end, where the result may become subnormal. Beyond t = 30, softplus
 * is x. */
RL_INLINE float rl_softplus_single(float x, double beta)
{
    const float small = 0x1p-64F;
    const double inverse = 1 / beta;
    const float beta_hi = (float)beta, beta_low = (float)(beta - (double)beta_hi);
    const float inverse_hi = (float)inverse, inverse_low = (float)(inverse - (double)inverse_hi);
    const float down = rl_not_below_single(-__builtin_fabsf(x), (float)(-130 * inverse));
    float minus_t = down, minus_t_low = 0;
    if (beta != 1) {
        minus_t = beta_hi * down;
        minus_t_low = rl_madd_single(beta_low, down, rl_madd_single(beta_hi, down, -minus_t));
    }
    const rl_exp_parts_single e = rl_exp_apart_single(minus_t, minus_t_low, RL_POWER_OFFSET_SINGLE + 64);
    const float u = rl_madd_single(e.power, e.hi + e.t, e.power);
    const rl_pair_single ratio = rl_log1p_ratio_single(rl_madd_single(u, small, -RL_LOG1P_CENTRE));
    float Q = ratio.hi, Q_low = ratio.lo;
    if (beta != 1) {
        Q = ratio.hi * inverse_hi;
        Q_low = rl_madd_single(ratio.hi, inverse_low,
                               rl_madd_single(ratio.lo, inverse_hi, rl_madd_single(ratio.hi, inverse_hi, -Q)));
    }
    const float start = x > 0 ? x * 0x1p64F : 0, sum = rl_madd_single(u, Q, start);
    const float rest = start - sum, lost = start - (rest + sum), first = e.power * Q;
    const float low = rl_madd_single(first, e.t, rl_madd_single(first, e.hi, rest + first)) + rl_madd_single(u, Q_low, lost);
    const float near = (sum + low) * small;
    return x <= (float)(30 * inverse) ? near : x;
}

/* s(t) = u / D, D = 1 + u, u = e^t, as the sum of a rounded quotient and what it lacks. Error < 0.25 * 2^-24, that of u. Where t
 * is deep, u and s are 2^160 times as great, and D is 1. Beyond t = 30, s is 1. */
RL_INLINE rl_slope_single rl_softplus_d1_single(float x, double beta)
{
    const double inverse_beta = 1 / beta;
    const float beta_hi = (float)beta, beta_low = (float)(beta - (double)beta_hi);
    const float lowest = (float)((double)RL_DEEPEST * inverse_beta), highest = (float)(30 * inverse_beta);
    const float above = x < lowest ? lowest : x, bounded = above > highest ? highest : above;
    float t = bounded, t_low = 0;
    if (beta != 1) {
        t = beta_hi * bounded;
        t_low = rl_madd_single(beta_low, bounded, rl_madd_single(beta_hi, bounded, -t));
    }
    const bool deep = x < (float)((double)RL_DEEP * inverse_beta), nothing = x < (float)((double)RL_NOTHING * inverse_beta);
    const rl_exp_parts_single e = rl_exp_apart_single(t, t_low, rl_slope_offset_single(deep));
    const float u = rl_madd_single(e.power, e.hi + e.t, e.power);
    const float u_low = rl_madd_single(e.power, e.t, rl_madd_single(e.power, e.hi, e.power - u));
    const float share = deep ? 0 : 1, D = rl_madd_single(u, share, 1), D_low = rl_madd_single(u, share, 1 - D);
    const float inverse = 1 / D, s = u * inverse;
    const float remainder = rl_madd_single(-s, D_low, rl_madd_single(-s, D, u));
    const float s_low = rl_madd_single(u_low, inverse, remainder) * inverse;
    return (rl_slope_single){nothing ? 0 : s, nothing ? 0 : s_low, deep};
}

#endif

#define softplus(x, beta) RL_AT_PRECISION(rl_softplus)(x, beta)
#define softplus_d1(x, beta) RL_AT_PRECISION(rl_softplus_d1)(x, beta)
#define softplus_d2(x, beta) RL_AT_PRECISION(rl_softplus_d2)(x, beta)

#endif
