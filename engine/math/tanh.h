/* The hyperbolic tangent and its first two derivatives. With u = e^(-2 |x|) and the logistic function s:
 *
 *     tanh(x)  = sign(x) (1 - u) / (1 + u)
 *     tanh'(x) = 4 u / (1 + u)^2                           = 4 s'(2 x)
 *     tanh"(x) = -2 tanh tanh' = -8 sign(x) u (1 - u) / (1 + u)^3 = 8 s"(2 x)
 *
 * tanh(+-0) = +-0, tanh(+-Inf) = +-1, tanh'(+-Inf) = +0, tanh"(Inf) = tanh"(+0) = -0, tanh"(-Inf) = tanh"(-0) = +0. */
#ifndef RL_MATH_TANH_H
#define RL_MATH_TANH_H

#include "math/logistic.h"

/* tanh. Relative error < 2^-40, for tiny x too: that of 1 - u and half that of u at most. */
RL_INLINE double rl_tanh_24(double x)
{
    const rl_decay_24 decay = rl_decay_of_24(2 * rl_magnitude(x));
    return rl_copy_sign(decay.one_minus_u / decay.one_plus_u, x);
}

/* Relative errors are those of s' and s": the factors are exact. */
RL_INLINE double rl_tanh_d1_24(double x)
{
    return 4 * rl_logistic_d1_24(2 * x);
}

RL_INLINE double rl_tanh_d2_24(double x)
{
    return 8 * rl_logistic_d2_24(2 * x);
}

/* tanh(magnitude + low). Error, in units of 2^-53: 2 u / (1 - u^2) times that of u, which is largest at
 * u = 2^-1/2, where it is 2.83 times 0.035: towards u = 1, u's error falls as r^3. */
RL_INLINE rl_double_double rl_tanh_in_parts(double magnitude, double low)
{
    const rl_decay_53 decay = rl_decay_of_low_53(2 * magnitude, 2 * low);
    return rl_dd_divide(decay.one_minus_u, decay.one_plus_u);
}

/* tanh. Error < 0.6 ULP. */
RL_INLINE double rl_tanh_53(double x)
{
    return rl_copy_sign(rl_tanh_in_parts(rl_magnitude(x), 0).hi, x);
}

/* Errors < 0.54 and < 0.6 ULP, those of s' and s". 4 and 8 scale the exponent: applied to a rounded subnormal they would
 * multiply its error. */
RL_INLINE double rl_tanh_d1_53(double x)
{
    return rl_logistic_d1_scaled_53(2 * x, 2);
}

RL_INLINE double rl_tanh_d2_53(double x)
{
    return rl_logistic_d2_scaled_53(2 * x, 3);
}

#if defined(RL_HAS_FMA)

/* tanh = h / (1 - h), h = (1 - e^-2|x|) / 2. Error < 0.92 ULP, found over all floats: 0.5 of the last rounding, 0.3 of t and of
 * the polynomial, the other roundings are made good.
 *
 * With |x| = -n ln 2 / 2 + r, h = (1 - 2^n) / 2 + 2^n (r + t), where t = r^2 P(r), P the polynomial of degree 4 of least
 * relative error in r + t: 0.235 * 2^-24. r is exact but for n times the error of ln 2 / 2, which 2^n makes harmless; (1 - 2^n)
 * / 2 is exact for n >= -24, where n ends: r then grows to 0.71, and the term counts the less. As 1 / (1 - h) is 1 + tanh, so
 * is it in the correction of the first quotient, s, and h - s is exact: s / h is between 1 and 2. */
RL_INLINE float rl_tanh_single(float x)
{
    const float magnitude = __builtin_fabsf(x), bounded = magnitude > 9.02F ? 9.02F : magnitude;
    const float offset = RL_POWER_OFFSET_SINGLE;
    const float sum = rl_at_least_single(rl_madd_single(bounded, -2 * RL_LOG2_E_SINGLE, offset), offset - 24);
    const float n = sum - offset, power = rl_power_in_sum_single(sum);
    const float r = rl_madd_single(n, 0x1.62e43p-2F, bounded), r2 = r * r;
    const float P_1 = rl_madd_single(0x1.5554bp-1F, r, -0x1.fffffep-1F);
    const float P_3 = rl_madd_single(0x1.1227c2p-3F, r, -0x1.555718p-2F);
    const float t = r2 * rl_madd_single(rl_madd_single(-0x1.6b71a8p-5F, r2, P_3), r2, P_1);
    const float first = rl_madd_single(power, -0.5F, 0.5F);
    const float h = rl_madd_single(power, r + t, first);
    const float h_low = rl_madd_single(power, t, rl_madd_single(power, r, first - h));
    const float s = h / (1 - h), one_plus_s = 1 + s;
    const float remainder = rl_madd_single(h_low, one_plus_s, rl_madd_single(s, h, h - s));
    return __builtin_copysignf(rl_madd_single(remainder, one_plus_s, s), x);
}

#endif

#define tanh(x) RL_AT_PRECISION(rl_tanh)(x)
#define tanh_d1(x) RL_AT_PRECISION(rl_tanh_d1)(x)
#define tanh_d2(x) RL_AT_PRECISION(rl_tanh_d2)(x)

#endif
