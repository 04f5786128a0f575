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

/* tanh(m) for 0 <= m <= 1: m + m^3 S(m^2), S the polynomial of degree 6 of least relative error in tanh that begins with m:
 * 0.08 * 2^-24. Its roundings count as what it adds does, 0.31 of the result at most. Error < 0.94 ULP. (By Horner's rule: the
 * other, beside it, takes longer.) */
RL_INLINE float rl_tanh_near_single(float m)
{
    const float z = m * m;
    float S = -0x1.7806d8p-12F;
    S = rl_madd_single(S, z, 0x1.2db79ep-9F);
    S = rl_madd_single(S, z, -0x1.04675p-7F);
    S = rl_madd_single(S, z, 0x1.600bd6p-6F);
    S = rl_madd_single(S, z, -0x1.b96288p-5F);
    S = rl_madd_single(S, z, 0x1.110be6p-3F);
    S = rl_madd_single(S, z, -0x1.55553cp-2F);
    return rl_madd_single(m * z, S, m);
}

/* tanh(m) for m >= 1: 1 + u V(u), u = e^-2m, V for -2 / (1 + u), of degree 5, with 0.05 * 2^-24 of relative error for u < 0.14;
 * 0.31 of the result, again. With m = -n ln 2 / 2 + r, u = 2^n (1 + r E(r)), E of degree 5, 0.11 * 2^-24 of 1 + r E. Error
 * < 0.79 ULP. From 9.02 on, 1. */
RL_INLINE float rl_tanh_far_single(float m)
{
    const float bounded = rl_at_most_single(m, 9.02F), offset = RL_POWER_OFFSET_SINGLE;
    const float sum = rl_madd_single(bounded, -2 * RL_LOG2_E_SINGLE, offset), n = sum - offset;
    const float power = rl_power_in_sum_single(sum), r = rl_madd_single(n, 0x1.62e43p-2F, bounded), r2 = r * r;
    const float E_1 = rl_madd_single(0x1p+1F, r, -0x1p+1F), E_3 = rl_madd_single(0x1.5554e2p-1F, r, -0x1.5554acp+0F);
    const float E_5 = rl_madd_single(0x1.6d5426p-4F, r, -0x1.122a2ap-2F);
    const float E = rl_madd_single(rl_madd_single(E_5, r2, E_3), r2, E_1), u = rl_madd_single(power * r, E, power), u2 = u * u;
    const float V_1 = rl_madd_single(0x1.ffffep+0F, u, -0x1p+1F), V_3 = rl_madd_single(0x1.fe64a8p+0F, u, -0x1.fff38ep+0F);
    const float V_5 = rl_madd_single(0x1.591708p+0F, u, -0x1.e841eap+0F);
    return rl_madd_single(u, rl_madd_single(rl_madd_single(V_5, u2, V_3), u2, V_1), 1);
}

/* Both are computed: no division, and no low parts, make up for it. NaN comes by way of the first. Error < 0.94 ULP, found over
 * all floats. */
RL_INLINE float rl_tanh_single(float x)
{
    const float m = __builtin_fabsf(x), near = rl_tanh_near_single(m), far = rl_tanh_far_single(m);
    return __builtin_copysignf(m > 1 ? far : near, x);
}

#endif

#define tanh(x) RL_AT_PRECISION(rl_tanh)(x)
#define tanh_d1(x) RL_AT_PRECISION(rl_tanh_d1)(x)
#define tanh_d2(x) RL_AT_PRECISION(rl_tanh_d2)(x)

#endif
