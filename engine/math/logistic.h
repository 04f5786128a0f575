/* The logistic function s(x) = 1 / (1 + e^-x) and its first two derivatives. With u = e^-|x|:
 *
 *     s(x)   = 1 / (1 + u) for x >= 0, u / (1 + u) for x < 0
 *     s'(x)  = u / (1 + u)^2
 *     s"(x)  = -sign(x) u (1 - u) / (1 + u)^3,   1 - u = -expm1(-|x|)
 *
 * Every factor is positive and known to a small relative error, 1 - u too, so that errors only add up.
 * s(-Inf) = +0, s(Inf) = 1, s'(+-Inf) = +0, s"(Inf) = s"(+0) = -0, s"(-Inf) = s"(-0) = +0. */
#ifndef RL_MATH_LOGISTIC_H
#define RL_MATH_LOGISTIC_H

#include "math/exp.h"

typedef struct rl_decay_24 {
    double u, one_plus_u, one_minus_u;
} rl_decay_24;

/* u = e^-magnitude and what the formulas above need of it, each of relative error < 2^-41: the error of p, at most 2^-42,
 * counts 1.42 times in u (e^r >= 0.7) and, where n < 0, 0.5 / 0.29 times in 1 - u. */
RL_INLINE rl_decay_24 rl_decay_of_24(double magnitude)
{
    const rl_exp_parts_24 e = rl_exp_apart_bounded_24(magnitude > 700 ? -700 : -magnitude);
    const double power = magnitude > 700 ? 0 : e.power, u = rl_madd(power, e.p, power);
    return (rl_decay_24){u, 1 + u, (1 - power) - power * e.p};
}

/* s. Relative error < 2^-40: that of u less u / (1 + u) of it, and the division's. */
RL_INLINE double rl_logistic_24(double x)
{
    const rl_decay_24 decay = rl_decay_of_24(rl_magnitude(x));
    return (x < 0 ? decay.u : 1) / decay.one_plus_u;
}

/* s'. Relative error < 2^-40: (1 - u) / (1 + u) times that of u. */
RL_INLINE double rl_logistic_d1_24(double x)
{
    const rl_decay_24 decay = rl_decay_of_24(rl_magnitude(x));
    return decay.u / (decay.one_plus_u * decay.one_plus_u);
}

/* s". Relative error < 2^-39: that of u, of 1 - u and, less than thrice half that of u, of the cube. */
RL_INLINE double rl_logistic_d2_24(double x)
{
    const rl_decay_24 decay = rl_decay_of_24(rl_magnitude(x));
    const double cube = decay.one_plus_u * decay.one_plus_u * decay.one_plus_u;
    return rl_copy_sign(decay.u * decay.one_minus_u / cube, -x);
}

typedef struct rl_decay_53 {
    double n;
    rl_double_double m; /* u = m 2^n, 0.7 <= m < 1.42 */
    rl_double_double one_plus_u, one_minus_u;
} rl_decay_53;

/* u = e^-(magnitude + low), |low| <= ulp(magnitude), in parts that cannot underflow. Relative errors in units of 2^-53: m 0.04,
 * 1 + u 0.02, 1 - u 0.09 (largest for u = 2^-1/2). In the sums with 1, a 2^n below 2^-200 may as well be 2^-200. */
RL_INLINE rl_decay_53 rl_decay_of_low_53(double magnitude, double low)
{
    const rl_exp_parts_53 e = rl_exp_apart_low_53(-magnitude, -low);
    const double power = rl_power_of_two(e.n < -200 ? -200 : e.n);
    const rl_double_double m = rl_dd_add_double(1, e.p);
    const rl_double_double rest = rl_fast_two_sum(1, -power); /* 1 - 2^n: 0 where n = 0, so that nothing cancels */
    const rl_double_double difference = rl_two_sum(rest.hi, -e.p.hi * power);
    return (rl_decay_53){
        .n = e.n,
        .m = m,
        .one_plus_u = rl_dd_add_double(1, rl_dd_scale(m, power)),
        .one_minus_u = rl_fast_two_sum(difference.hi, difference.lo + (rest.lo - e.p.lo * power)),
    };
}

RL_INLINE rl_decay_53 rl_decay_of_53(double magnitude)
{
    return rl_decay_of_low_53(magnitude, 0);
}

/* s of the number from whose magnitude `decay` comes. Error < 0.54 ULP: 0.5 of the last rounding and, before it, that of m less
 * u / (1 + u) of it. */
RL_INLINE double rl_logistic_of_53(rl_decay_53 decay, bool negative)
{
    const rl_double_double one = {1, 0};
    const rl_double_double numerator = {negative ? decay.m.hi : one.hi, negative ? decay.m.lo : one.lo};
    return rl_dd_round(rl_dd_divide(numerator, decay.one_plus_u), negative ? decay.n : 0);
}

RL_INLINE double rl_logistic_53(double x)
{
    return rl_logistic_of_53(rl_decay_of_53(rl_magnitude(x)), x < 0);
}

/* 2^scale s'. Error < 0.54 ULP: 0.5 and (1 - u) / (1 + u) times that of m. */
RL_INLINE double rl_logistic_d1_scaled_53(double x, double scale)
{
    const rl_decay_53 decay = rl_decay_of_53(rl_magnitude(x));
    const rl_double_double square = rl_dd_multiply(decay.one_plus_u, decay.one_plus_u);
    return rl_dd_round(rl_dd_divide(decay.m, square), decay.n + scale);
}

/* 2^scale s". Error < 0.6 ULP: 0.5 and |1 - u / (1 - u) - 3 u / (1 + u)| times that of u, which is largest at u = 2^-1/2, where
 * it is 2.7 times 0.035. Where n = 0, 1 - u may be subnormal and must be scaled before the division drops bits of it; elsewhere
 * the scale belongs to n, as rl_dd_round wants it. */
RL_INLINE double rl_logistic_d2_scaled_53(double x, double scale)
{
    const rl_decay_53 decay = rl_decay_of_53(rl_magnitude(x));
    const rl_double_double square = rl_dd_multiply(decay.one_plus_u, decay.one_plus_u);
    const rl_double_double cube = rl_dd_multiply(square, decay.one_plus_u);
    const rl_double_double product = rl_dd_multiply(decay.m, decay.one_minus_u);
    const rl_double_double numerator = rl_dd_scale(product, decay.n < 0 ? 1 : rl_power_of_two(scale));
    const double n = decay.n < 0 ? decay.n + scale : 0;
    return rl_copy_sign(rl_dd_round(rl_dd_divide(numerator, cube), n), -x);
}

RL_INLINE double rl_logistic_d1_53(double x)
{
    return rl_logistic_d1_scaled_53(x, 0);
}

RL_INLINE double rl_logistic_d2_53(double x)
{
    return rl_logistic_d2_scaled_53(x, 0);
}

#if defined(RL_HAS_FMA)

/* s = 1 / (1 + e^-x). Error < 0.88 ULP, found over all floats: 0.5 of the last rounding; the others are made good.
 *
 * With x = -n ln 2 + r, e^-x = 2^n (1 - r + t), t = r^2 P(-r). r is hi + lo, hi exact and lo < 2^-11, so that t + lo, of which
 * |t| < 0.08, is all that is rounded before the sum v = 1 + e^-x, whose low part is exact but for its last step. The reciprocal
 * of v takes one Newton step on both parts.
 *
 * All is smaller by 2^-32 until the end: thus v does not overflow where s is subnormal. (2^n - v) + 1, in this order, is exact
 * for n >= -24; for smaller n, where 2^n is less than half an ULP of s, and n > 24, an error of 0.2 ULP is left. */
RL_INLINE float rl_logistic_single(float x)
{
    const float above = x < -104 ? -104 : x, bounded = above > 20 ? 20 : above;
    const float one = 0x1p-32F, offset = RL_POWER_OFFSET_SINGLE - 32;
    const float sum = rl_madd_single(bounded, -RL_LOG2_E_SINGLE, offset), n = sum - offset, power = rl_power_in_sum_single(sum);
    const float hi = rl_madd_single(n, RL_LN_2_HI_SINGLE, bounded), lo = n * RL_LN_2_LO_SINGLE, r = hi + lo;
    const float t = rl_madd_single(r * r, rl_exp_tail_single(-r), -lo);
    const float v = rl_madd_single(power, t - hi, one + power);
    const float v_low = rl_madd_single(power, t, rl_madd_single(-power, hi, (power - v) + one));
    const float s = 1 / v, remainder = rl_madd_single(-s, v_low, rl_madd_single(-s, v, 1));
    return rl_madd_single(s, remainder, s) * one;
}

#endif

#define logistic(x) RL_AT_PRECISION(rl_logistic)(x)
#define logistic_d1(x) RL_AT_PRECISION(rl_logistic_d1)(x)
#define logistic_d2(x) RL_AT_PRECISION(rl_logistic_d2)(x)

#endif
