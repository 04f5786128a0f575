/* swish(x) = x s(beta x), s the logistic function, and its first two derivatives. With z = beta x, m = |z|, u = e^-m:
 *
 *     swish   = x / (1 + u) for x >= 0,                       x u / (1 + u) for x < 0
 *     swish'  = (1 + u (1 + m)) / (1 + u)^2 for x >= 0,      u (1 + u - m) / (1 + u)^2 for x < 0
 *     swish"  = beta u (2 (1 + u) - m (1 - u)) / (1 + u)^3
 *
 * swish' has one zero, where m = 1 + u, swish" one on either side, where m (1 - u) = 2 (1 + u). With t and E of
 * displaced_exp.h, seen from those,
 *     1 + u - m                 = -t + u0 E
 *     2 (1 + u) - m (1 - u)     = -t (1 - u0) + (2 + m) u0 E
 *
 * swish(+-0) = +-0, swish(-Inf) = swish'(-Inf) = swish"(+-Inf) = -0. 1e-10 <= beta <= 1e10. */
#ifndef RL_MATH_SWISH_H
#define RL_MATH_SWISH_H

#include "math/displaced_exp.h"
#include "math/logistic.h"
#include "math/piecewise.h"

#define RL_SWISH_D1 ((rl_anchor){{0x1.474973c84120bp+0, 0x1.f8d74bc9ac154p-54}, {0x1.1d25cf210482ep-2, -0x1.ca2d0d94faaecp-60}})
#define RL_SWISH_D2 ((rl_anchor){{0x1.331e23ad9de11p+1, 0x1.a9c55ef03c74ap-53}, {0x1.73d1d3a3cab96p-4, -0x1.3dd2401e41a65p-58}})

/* |beta x|, `most` at most. From 1000 on, s is 0 even times 1e13; where a float comes out, from 690 on. */
RL_INLINE rl_double_double rl_swish_argument(double x, double beta, double most)
{
    const rl_double_double m = rl_two_product(beta, rl_magnitude(x));
    return (rl_double_double){m.hi > most ? most : m.hi, m.hi > most ? 0 : m.lo};
}

/* Relative error < 2^-40. */
RL_INLINE double rl_swish_24(double x, double beta)
{
    const double bounded = x < -0x1p200 ? -0x1p200 : x;
    const rl_exp_parts_24 e = rl_exp_apart_24(-beta * rl_magnitude(x));
    const double u = rl_madd(e.power, e.p, e.power);
    return bounded * (x < 0 ? u : 1) / (1 + u);
}

/* Relative error < 2^-39. */
RL_INLINE double rl_swish_d1_24(double x, double beta)
{
    const rl_double_double m = rl_swish_argument(x, beta, 690);
    const double t = rl_displacement_24(m, RL_SWISH_D1.z);
    const rl_displaced_24 e = rl_displaced_bounded_24(t, RL_SWISH_D1.u.hi);
    const double left = e.u * rl_madd(RL_SWISH_D1.u.hi, e.E, -t), right = 1 + e.u * (1 + m.hi);
    return (x < 0 ? left : right) / ((1 + e.u) * (1 + e.u));
}

/* Relative error < 2^-38. */
RL_INLINE double rl_swish_d2_24(double x, double beta)
{
    const rl_double_double m = rl_swish_argument(x, beta, 690);
    const double t = rl_displacement_24(m, RL_SWISH_D2.z);
    const rl_displaced_24 e = rl_displaced_bounded_24(t, RL_SWISH_D2.u.hi);
    const double N = rl_madd((2 + m.hi) * RL_SWISH_D2.u.hi, e.E, -t * (1 - RL_SWISH_D2.u.hi));
    return beta * e.u * N / ((1 + e.u) * (1 + e.u) * (1 + e.u));
}

/* Error < 0.6 ULP; of a subnormal < 1.6 ULP. */
RL_INLINE double rl_swish_53(double x, double beta)
{
    const rl_double_double one = {1, 0}, m = rl_swish_argument(x, beta, 1000);
    const rl_displaced_53 e = rl_displaced_exp_53(m, one);
    const rl_double_double s = rl_dd_divide(rl_dd_choose(x < 0, e.m, one), rl_dd_add_double(1, e.u));
    const double bounded = x < -0x1p50 ? -0x1p50 : x, result = rl_scale(rl_dd_times(s, bounded), x < 0 ? e.n : 0);
    return x > 0x1p900 ? x : result;
}

/* Error < 0.7 ULP; of a subnormal < 1.2 ULP. */
RL_INLINE double rl_swish_d1_53(double x, double beta)
{
    const rl_double_double m = rl_swish_argument(x, beta, 1000), t = rl_displacement(m, RL_SWISH_D1.z);
    const rl_displaced_53 e = rl_displaced_exp_53(t, RL_SWISH_D1.u);
    const rl_double_double N = rl_dd_add(rl_dd_multiply(RL_SWISH_D1.u, e.E), rl_dd_scale(t, -1));
    const rl_double_double one_plus_m = rl_two_sum(1, m.hi);
    const rl_double_double right =
        rl_dd_add_double(1, rl_dd_multiply(e.u, rl_fast_two_sum(one_plus_m.hi, one_plus_m.lo + m.lo)));
    const rl_double_double one_plus_u = rl_dd_add_double(1, e.u), square = rl_dd_multiply(one_plus_u, one_plus_u);
    const rl_double_double numerator = rl_dd_choose(x < 0, rl_dd_multiply(e.m, N), right);
    return rl_scale(rl_dd_divide(numerator, square).hi, x < 0 ? e.n : 0);
}

/* Error < 0.7 ULP; of a subnormal < 1.2 ULP. */
RL_INLINE double rl_swish_d2_53(double x, double beta)
{
    const rl_double_double m = rl_swish_argument(x, beta, 1000), t = rl_displacement(m, RL_SWISH_D2.z);
    const rl_displaced_53 e = rl_displaced_exp_53(t, RL_SWISH_D2.u);
    const rl_double_double minus_one_plus_u = {-0x1.d185c58b86a8dp-1, -0x1.27ba4803c834dp-55};
    const rl_double_double two_plus_m = rl_dd_add((rl_double_double){2, 0}, m);
    const rl_double_double bend = rl_dd_multiply(rl_dd_multiply(two_plus_m, RL_SWISH_D2.u), e.E);
    const rl_double_double N = rl_dd_add(bend, rl_dd_multiply(t, minus_one_plus_u));
    const rl_double_double one_plus_u = rl_dd_add_double(1, e.u), square = rl_dd_multiply(one_plus_u, one_plus_u);
    const rl_double_double numerator = rl_dd_multiply(rl_dd_multiply(e.m, (rl_double_double){beta, 0}), N);
    return rl_scale(rl_dd_divide(numerator, rl_dd_multiply(square, one_plus_u)).hi, e.n);
}

/* 2^(a b), |a b| < 1022. Relative error < 2^-39; at the zeros of silu' and gelu_tanh', 0.15557 and 0.22382 below an integer,
 * 2^-53, from which it grows by 2^-36 of the distance: of all polynomials of degree 7 for (2^r - 1) / r whose errors have zeros
 * there, this one makes the least. */
RL_INLINE double rl_swish_power_24(double a, double b)
{
    const double sum = rl_madd(a, b, RL_POWER_OFFSET), n = sum - RL_POWER_OFFSET, power = rl_power_in_sum(sum);
    const double r = rl_madd(a, b, -n), r2 = r * r;
    const double P_1 = rl_madd(0x1.ebfbdffa0095cp-3, r, 0x1.62e42fefa6ff5p-1);
    const double P_3 = rl_madd(0x1.3b2ab4a0c6818p-7, r, 0x1.c6b08d968e748p-5);
    const double P_5 = rl_madd(0x1.430ca4b623c7ep-13, r, 0x1.5d87831bdf3eep-10);
    const double P_7 = rl_madd(0x1.5fd8b72305358p-20, r, 0x1.00ba5fc140cfbp-16);
    const double P = rl_madd(rl_madd(rl_madd(P_7, r2, P_5), r2, P_3), r2, P_1);
    return rl_madd(power * r, P, power);
}

/* swish' for a beta that is a constant, 1 or 1.702: (1 + u (1 + z)) / (1 + u)^2, z = beta x and u = e^-z for either sign.
 *
 * What is 0 is not seen from the zero, as above, but no float is nearer to it than 2^-26, where 1 + u (1 + z) is 2^-24, and u
 * is right to the last bits of a double. Relative error < 2^-37; at the 64 floats around the zero < 2^-27, found over them.
 * Where z = -360, (1 + u)^2 is infinite and so the result -0; from -200 on, it is 0 even times the largest float. */
RL_INLINE double rl_silu_d1_24(double x, double beta)
{
    const double bounded = rl_bounded_float(x, (float)(-360 / beta), (float)(700 / beta));
    const double u = rl_swish_power_24(bounded, -RL_LOG2_E * beta), one_plus_u = 1 + u;
    return rl_madd(u, rl_madd(beta, bounded, 1), 1) / (one_plus_u * one_plus_u);
}

RL_INLINE double rl_silu_d1_53(double x, double beta)
{
    return rl_swish_d1_53(x, beta);
}

/* The derivatives of swish that have to do with beta, in plain double, of s' and s" at z = beta x:
 *     d/dbeta       x^2 s'
 *     d^2/dx dbeta  x (2 s' + z s")
 *     d^2/dbeta^2   x^3 s"
 * s' and s" times 2^64, so that they lose nothing where the products are still in range. */
typedef struct rl_swish_slopes {
    double x, z, s1, s2; /* |x| <= 2^200, far beyond where the slopes are 0 */
} rl_swish_slopes;

RL_INLINE double rl_swish_bounded(double x)
{
    return rl_magnitude(x) > 0x1p200 ? rl_copy_sign(0x1p200, x) : x;
}

RL_INLINE rl_swish_slopes rl_swish_slopes_24(double x, double beta)
{
    const double bounded = rl_swish_bounded(x), z = beta * bounded;
    return (rl_swish_slopes){bounded, z, 0x1p64 * rl_logistic_d1_24(z), 0x1p64 * rl_logistic_d2_24(z)};
}

RL_INLINE rl_swish_slopes rl_swish_slopes_53(double x, double beta)
{
    const double bounded = rl_swish_bounded(x), z = beta * bounded;
    return (rl_swish_slopes){bounded, z, rl_logistic_d1_scaled_53(z, 64), rl_logistic_d2_scaled_53(z, 64)};
}

RL_INLINE double rl_swish_by_beta(rl_swish_slopes at)
{
    return at.x * at.x * at.s1 * 0x1p-64;
}

RL_INLINE double rl_swish_d1_by_beta(rl_swish_slopes at)
{
    return at.x * (2 * at.s1 + at.z * at.s2) * 0x1p-64;
}

RL_INLINE double rl_swish_by_beta_d1(rl_swish_slopes at)
{
    return at.x * at.x * at.x * at.s2 * 0x1p-64;
}

#if defined(RL_HAS_FMA)

/* x s(z + z_low), -140 <= z. Error < 0.83 ULP, found over the floats for silu, gelu_quick and gelu_tanh.
 *
 * As rl_logistic_single, with the correction made to x s: x / v, v = 1 + e^-z, takes one Newton step on both parts of v. All is
 * greater by 2^80 until the end, so that v does not overflow. `rest` is what 1 + 2^n has lost, but for z > 17, where it is less
 * than half an ULP of x. */
RL_INLINE float rl_times_logistic_single(float x, float z, float z_low)
{
    const float one = 0x1p-80F, offset = RL_POWER_OFFSET_SINGLE - 80;
    const float sum = rl_madd_single(z, -RL_LOG2_E_SINGLE, offset), n = sum - offset, power = rl_power_in_sum_single(sum);
    const float hi = rl_madd_single(n, RL_LN_2_HI_SINGLE, z), lo = rl_madd_single(n, RL_LN_2_LO_SINGLE, z_low), r = hi + lo;
    const float r2 = r * r, tail = rl_exp_tail_single(-r), t = rl_madd_single(r2, tail, -lo);
    const float whole = one + power, rest = one - (whole - power);
    const float v = rl_madd_single(power, rl_madd_single(r2, tail, -r), whole);
    const float v_low = rl_madd_single(power, t, rl_madd_single(-power, hi, whole - v)) + rest;
    const float s = 1 / v, product = x * s;
    const float remainder = rl_madd_single(-product, v_low, rl_madd_single(-product, v, x));
    return z > 20 ? x : __builtin_copysignf(rl_madd_single(remainder, s, product) * one, x);
}

/* Below beta x = -140, the result is 0 with any beta that there is. */
RL_INLINE float rl_swish_single(float x, double beta)
{
    const float beta_hi = (float)beta, beta_low = (float)(beta - (double)beta_hi), lowest = (float)(-140 / beta);
    const float bounded = x < lowest ? lowest : x, z = beta_hi * bounded;
    const float z_low = beta == 1 ? 0 : rl_madd_single(beta_low, bounded, rl_madd_single(beta_hi, bounded, -z));
    return rl_times_logistic_single(bounded, z, z_low);
}

#endif

#define swish(x, beta) RL_AT_PRECISION(rl_swish)(x, beta)
#define swish_d1(x, beta) RL_AT_PRECISION(rl_swish_d1)(x, beta)
#define silu_d1(x, beta) RL_AT_PRECISION(rl_silu_d1)(x, beta)
#define swish_d2(x, beta) RL_AT_PRECISION(rl_swish_d2)(x, beta)
#define swish_by_beta(x, beta) rl_swish_by_beta(RL_AT_PRECISION(rl_swish_slopes)(x, beta))
#define swish_d1_by_beta(x, beta) rl_swish_d1_by_beta(RL_AT_PRECISION(rl_swish_slopes)(x, beta))
#define swish_by_beta_d1(x, beta) rl_swish_by_beta_d1(RL_AT_PRECISION(rl_swish_slopes)(x, beta))

#endif
