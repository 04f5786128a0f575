/* The error function, its first two derivatives, and the tail of the normal distribution. With t = |x|:
 *
 *     erf(x)  = x P(x^2) near 0, sign(x) (1 - 2 Phi(-sqrt(2) t)) elsewhere
 *     erf'(x) = 2 / sqrt(pi) e^(-x^2),   erf"(x) = -2 x erf'(x)
 *     Phi(-t) = e^(-t^2 / 2) G(t),   G(t) = h(q) / (t + k),   q = (t - k) / (t + k)
 *
 * G falls from 1/2 as 1 / (t sqrt(2 pi)); h, on [-1, 1], falls from k / 2 to 1 / sqrt(2 pi), so that one polynomial serves for
 * every t (Shepherd and Laframboise 1981, who do it for e^(x^2) erfc(x)). Where a factor e^(-t^2) or e^(-t^2 / 2) has made the
 * result 0 (in float32 kernels, after a multiplication by the largest float too), t counts as some number that is large enough.
 *
 * erf(+-0) = +-0, erf"(+-0) = -+0, erf(+-Inf) = +-1, erf'(+-Inf) = +0, erf"(+-Inf) = -+0. */
#ifndef RL_MATH_ERROR_FUNCTION_H
#define RL_MATH_ERROR_FUNCTION_H

#include "math/algebraic.h"
#include "math/exp.h"

/* e^-u for 0 <= u <= 700; 0 above 650, where it is 0 even after a multiplication by the largest float. Relative error
 * < 2^-41. */
RL_INLINE double rl_erf_decay_24(double u)
{
    const rl_exp_parts_24 e = rl_exp_apart_bounded_24(-u);
    return u > 650 ? 0 : rl_madd(e.power, e.p, e.power);
}

/* |x|, `most` at most. */
RL_INLINE double rl_bounded_magnitude(double x, double most)
{
    return rl_magnitude(x) > most ? most : rl_magnitude(x);
}

/* G(t) for 0 <= t <= 37, k = 5. h is the polynomial of degree 13 of least relative error for 0 <= t <= 20:
 * 2^-38. Beyond, where Phi(-t) is 0 even after a multiplication by the largest float, it is < 2^-25. */
RL_INLINE double rl_normal_tail_24(double t)
{
    const double s = 1 / (t + 5), q = rl_madd(-10, s, 1);
    const double q2 = q * q, q4 = q2 * q2, q8 = q4 * q4;
    const double h_0 = rl_madd(-0x1.54ad03f22362bp-1, q, 0x1.89d3abe1fb527p-1);
    const double h_2 = rl_madd(-0x1.410ed622d95d4p-2, q, 0x1.fb316535215dcp-2);
    const double h_4 = rl_madd(-0x1.1b1c19453523bp-4, q, 0x1.51f633639b3f8p-3);
    const double h_6 = rl_madd(-0x1.88655ba285983p-9, q, 0x1.54b49d852a6b8p-6);
    const double h_8 = rl_madd(0x1.1e7ac0976094cp-11, q, -0x1.a23e977a64afdp-11);
    const double h_10 = rl_madd(-0x1.bb328b48b658dp-15, q, -0x1.ef2f3a7a0b9f9p-15);
    const double h_12 = rl_madd(0x1.a46751deb8425p-18, q, 0x1.e8b30558495a2p-17);
    const double h_from_0 = rl_madd(rl_madd(h_6, q2, h_4), q4, rl_madd(h_2, q2, h_0));
    const double h = rl_madd(rl_madd(h_12, q4, rl_madd(h_10, q2, h_8)), q8, h_from_0);
    return s * h;
}

/* erf. One polynomial in v = 2 (x / 3.93)^2 - 1, of relative error < 2^-39, serves up to 3.93, where 1 - erf < 2^-25. From
 * there on the result is 1, which is what erf rounds to. */
RL_INLINE double rl_erf_24(double x)
{
    const double v = rl_madd(x * x, 0x1.0933685334edep-3, -1);
    const double v2 = v * v, v4 = v2 * v2, v8 = v4 * v4;
    const double P_0 = rl_madd(-0x1.6ff1bcde54467p-3, v, 0x1.7074b5a1899dep-2);
    const double P_2 = rl_madd(-0x1.be77c43559c5dp-4, v, 0x1.11fb978ad6ea0p-3);
    const double P_4 = rl_madd(-0x1.2f98cd9b4aeedp-4, v, 0x1.730658bef0e80p-4);
    const double P_6 = rl_madd(-0x1.663b7bdd82fcdp-5, v, 0x1.de88189f18a8dp-5);
    const double P_8 = rl_madd(-0x1.4eafadeca5e7dp-6, v, 0x1.f96e8c3241985p-6);
    const double P_10 = rl_madd(-0x1.e3ed14f61e437p-8, v, 0x1.9f7d170cbb6a6p-7);
    const double P_12 = rl_madd(-0x1.10c6b5f5206cdp-9, v, 0x1.09205cf283c0ep-8);
    const double P_14 = rl_madd(-0x1.e225a1a4f2611p-12, v, 0x1.0594ec495e0adp-10);
    const double P_16 = rl_madd(-0x1.6e898b5a6e99ep-14, v, 0x1.c326bd59a5eadp-13);
    const double P_18 = rl_madd(-0x1.37f7ffd13fad6p-17, v, 0x1.82681d8dabc65p-16);
    const double P_20 = rl_madd(-0x1.63d8e9ce9fef8p-19, v, 0x1.101b967b0a45cp-17);
    const double P_from_0 = rl_madd(rl_madd(P_6, v2, P_4), v4, rl_madd(P_2, v2, P_0));
    const double P_from_8 = rl_madd(rl_madd(P_14, v2, P_12), v4, rl_madd(P_10, v2, P_8));
    const double P_from_16 = rl_madd(P_20, v4, rl_madd(P_18, v2, P_16));
    const double P = rl_madd(rl_madd(P_from_16, v8, P_from_8), v8, P_from_0);
    return rl_magnitude(x) > 3.93 ? rl_copy_sign(1, x) : x * P;
}

/* erf', erf". Relative errors < 2^-41: the square of a float is exact. */
RL_INLINE double rl_erf_d1_24(double x)
{
    const double t = rl_bounded_magnitude(x, 26);
    return 0x1.20dd750429b6dp+0 * rl_erf_decay_24(t * t);
}

RL_INLINE double rl_erf_d2_24(double x)
{
    const double t = rl_bounded_magnitude(x, 26);
    return rl_copy_sign(0x1.20dd750429b6dp+1 * t * rl_erf_decay_24(t * t), -x);
}

/* e^-u = m 2^n, 0.7 <= m < 1.42. Relative error of m < 0.04 2^-53. */
typedef struct rl_erf_decay_53 {
    double n;
    rl_double_double m;
} rl_erf_decay_53;

RL_INLINE rl_erf_decay_53 rl_erf_decay_of_53(rl_double_double u)
{
    const rl_exp_parts_53 e = rl_exp_apart_low_53(-u.hi, -u.lo);
    return (rl_erf_decay_53){e.n, rl_dd_add_double(1, e.p)};
}

/* 1 - a 2^n for a tail a 2^n of at most 1 or so; a 2^n below 2^-200 may as well be 2^-200. */
RL_INLINE rl_double_double rl_without_tail(rl_double_double a, double n)
{
    const rl_double_double tail = rl_dd_scale(a, rl_power_of_two(n < -200 ? -200 : n)), sum = rl_two_sum(1, -tail.hi);
    return rl_fast_two_sum(sum.hi, sum.lo - tail.lo);
}

/* As rl_dd_round, for 0.25 <= |a| < 1.5 where n <= -1022. */
RL_INLINE double rl_dd_round_small(rl_double_double a, double n)
{
    const double up = rl_magnitude(a.hi) < 0.5 ? 1 : 0;
    return rl_dd_round(rl_dd_scale(a, 1 + up), n - up);
}

/* G(t) for 0 <= t <= 39, k = 4. Relative error < 0.03 2^-53. h is the polynomial of degree 26 that interpolates at Chebyshev's
 * points: 2^-62.0 with these coefficients, the last six of which have two parts. What the others, in plain double, add up to is
 * at most 0.0035, 0.009 of h. Beyond 39, where Phi(-t) is 0 or is subtracted from 1, the relative error stays < 2^-48. */
RL_INLINE rl_double_double rl_normal_tail_53(rl_double_double t)
{
    const rl_double_double s = rl_dd_reciprocal(rl_root_plus(t, 4)), distance = rl_two_sum(1, -8 * s.hi);
    const rl_double_double q = {distance.hi, distance.lo - 8 * s.lo};
    const double square = q.hi * q.hi;
    double even = 0x1.d8873e896507dp-35, odd = 0x1.328c7cd17a487p-32;
    even = rl_madd(even, square, 0x1.c529e486cba7ep-33);
    odd = rl_madd(odd, square, -0x1.bb3261e98c50fp-30);
    even = rl_madd(even, square, -0x1.01e65bce492eap-28);
    odd = rl_madd(odd, square, 0x1.9f5f291563310p-29);
    even = rl_madd(even, square, 0x1.7887be27b3b11p-26);
    odd = rl_madd(odd, square, 0x1.b3785c3c5901ep-27);
    even = rl_madd(even, square, -0x1.78beebd25334bp-24);
    odd = rl_madd(odd, square, -0x1.4cba326854506p-23);
    even = rl_madd(even, square, 0x1.25638a7fe3e8ap-22);
    odd = rl_madd(odd, square, 0x1.12439d9d22dcap-20);
    even = rl_madd(even, square, -0x1.52609f57c9e3fp-21);
    odd = rl_madd(odd, square, -0x1.8d4d7f0c6c280p-18);
    even = rl_madd(even, square, 0x1.80d72b2b35792p-21);
    odd = rl_madd(odd, square, 0x1.26d0b38eaf1abp-15);
    even = rl_madd(even, square, -0x1.002030202d71dp-19);
    odd = rl_madd(odd, square, -0x1.e4a426b42a5e4p-13);
    even = rl_madd(even, square, 0x1.17a4af26d95a1p-13);
    odd = rl_madd(odd, square, 0x1.ab825fc58513bp-10);
    even = rl_madd(even, square, -0x1.c81719d678414p-9);
    const rl_double_double high = {rl_madd(odd, q.hi, even), 0};
    rl_double_double h = rl_dd_madd_loose(high, q, (rl_double_double){-0x1.ee27610490508p-8, -0x1.1abf64c2e4aa2p-63});
    h = rl_dd_madd_loose(h, q, (rl_double_double){0x1.eec4cc3e4debdp-5, 0x1.bf1300af0fe49p-60});
    h = rl_dd_madd_loose(h, q, (rl_double_double){-0x1.7dff2bff68360p-3, -0x1.070abe2c6d04bp-57});
    h = rl_dd_madd_loose(h, q, (rl_double_double){0x1.8c6dbf2cfc2aep-2, 0x1.e63796d1c47f3p-62});
    h = rl_dd_madd_loose(h, q, (rl_double_double){-0x1.373e3a893c28ap-1, -0x1.c1be2eba5f061p-56});
    h = rl_dd_madd_loose(h, q, (rl_double_double){0x1.82b4bb8c94dcep-1, -0x1.992c87603f1abp-56});
    return rl_dd_multiply(s, h);
}

/* erf(x) / x for |x| <= 1/2, given z = x^2. Relative error < 0.01 2^-53: the polynomial's 2^-62 and the roundings of what is in
 * plain double, 0.006 of the result. */
RL_INLINE rl_double_double rl_erf_ratio_53(rl_double_double z)
{
    double R = 0x1.c60ae6747e9bcp-27;
    R = rl_madd(R, z.hi, -0x1.5d7686c510032p-23);
    R = rl_madd(R, z.hi, 0x1.b9d19f664b4c1p-20);
    R = rl_madd(R, z.hi, -0x1.f4d1cff2cac2fp-17);
    R = rl_madd(R, z.hi, 0x1.f9a324a327ab3p-14);
    R = rl_madd(R, z.hi, -0x1.c02db3f9d6c71p-11);
    R = rl_madd(R, z.hi, 0x1.565bcd0e5f5a0p-8);
    R = rl_madd(R, z.hi, -0x1.b82ce312889f2p-6);
    R = rl_madd(R, z.hi, 0x1.ce2f21a042be0p-4);
    const rl_double_double bend =
        rl_dd_madd((rl_double_double){R, 0}, z, (rl_double_double){-0x1.812746b0379e7p-2, 0x1.f290fcfb998ccp-57});
    return rl_dd_madd(bend, z, (rl_double_double){0x1.20dd750429b6dp+0, 0x1.1ae31103f41f4p-56});
}

/* Error < 0.6 ULP, as rl_dd_times where x is subnormal. */
RL_INLINE double rl_erf_53(double x)
{
    const double t = rl_bounded_magnitude(x, 40);
    const rl_double_double square = rl_two_product(t, t), root_2 = {0x1.6a09e667f3bcdp+0, -0x1.bdd3413b26456p-54};
    const rl_erf_decay_53 decay = rl_erf_decay_of_53(square);
    const rl_double_double tail = rl_normal_tail_53(rl_dd_multiply(root_2, (rl_double_double){t, 0}));
    const rl_double_double far = rl_without_tail(rl_dd_multiply(decay.m, tail), decay.n + 1);
    const double near = rl_dd_times(rl_erf_ratio_53(square), t);
    return rl_copy_sign(t < 0.5 ? near : far.hi, x);
}

/* Error < 0.6 ULP. */
RL_INLINE double rl_erf_d1_53(double x)
{
    const double t = rl_bounded_magnitude(x, 40);
    const rl_erf_decay_53 decay = rl_erf_decay_of_53(rl_two_product(t, t));
    const rl_double_double half_slope = {0x1.20dd750429b6dp-1, 0x1.1ae3a914fed80p-57};
    return rl_dd_round_small(rl_dd_multiply(decay.m, half_slope), decay.n + 1);
}

/* Error < 0.6 ULP, as rl_dd_times where x is subnormal. Where the result may be subnormal otherwise, t is near 27 and
 * 4 / sqrt(pi) t near 61. */
RL_INLINE double rl_erf_d2_53(double x)
{
    const double t = rl_bounded_magnitude(x, 40);
    const rl_erf_decay_53 decay = rl_erf_decay_of_53(rl_two_product(t, t));
    const rl_double_double bend = rl_dd_multiply(decay.m, (rl_double_double){0x1.20dd750429b6dp+1, 0x1.1ae3a914fed80p-55});
    const rl_double_double product = rl_dd_multiply(rl_dd_scale(bend, 0x1p-6), (rl_double_double){t, 0});
    const double near = rl_dd_times(bend, t), far = rl_dd_round(product, decay.n + 6);
    return rl_copy_sign(decay.n < 0 ? far : near, -x);
}

#if defined(RL_HAS_FMA)

/* erf. Error < 0.92 ULP, found over all floats. Two polynomials of least error, each beginning where its first terms are all
 * there is, so that the roundings of the others hardly count:
 *     t < 1.05:   x + x P(x^2 - 1/2), P = erf(x) / x - 1, of degree 6: to 2^-27.9 of erf(x) / x
 *     elsewhere:  1 - (q(t - 5/4) / 2.69)^2, q of degree 10: to 2^-26.6 of 1; a root, 1 - erf(t) needs a degree less than half
 *                 that of itself, and its relative error, doubled, meets a tail of 0.14 at most.
 * At 3.93, where t is held, the square is so small that this is 1. NaN goes the first way. */
RL_INLINE float rl_erf_single(float x)
{
    const float size = __builtin_fabsf(x), u = rl_at_most_single(size, 3.93F) - 1.25F, u2 = u * u, u4 = u2 * u2;
    const float q_1 = rl_madd_single(0x1.1b5cd8p-1F, u, -0x1.254baep+0F);
    const float q_3 = rl_madd_single(-0x1.e2d44p-4F, u, 0x1.329094p-5F);
    const float q_5 = rl_madd_single(0x1.04431ap-6F, u, 0x1.3e6ed6p-6F);
    const float q_7 = rl_madd_single(0x1.d96312p-11F, u, -0x1.f68da6p-8F);
    const float q_9 = rl_madd_single(-0x1.d471e4p-16F, u, 0x1.03637ap-13F);
    const float q_from_5 = rl_madd_single(q_9, u4, rl_madd_single(q_7, u2, q_5));
    const float q = rl_madd_single(u, rl_madd_single(q_from_5, u4, rl_madd_single(q_3, u2, q_1)), 0x1.7e6d6ep-1F);
    const float far = rl_madd_single(q * q, -0x1.1b068p-3F, 1);
    const float v = rl_madd_single(x, x, -0.5F), v2 = v * v;
    const float P_1 = rl_madd_single(0x1.454344p-4F, v, -0x1.1fd162p-2F);
    const float P_3 = rl_madd_single(0x1.c85974p-9F, v, -0x1.2b8ef4p-6F);
    const float P_5 = rl_madd_single(0x1.399446p-14F, v, -0x1.282b7cp-11F);
    const float P_from_1 = rl_madd_single(rl_madd_single(P_5, v2, P_3), v2, P_1);
    const float near = rl_madd_single(x, rl_madd_single(P_from_1, v, -0x1.1ae14cp-5F), x);
    return size >= 1.05F ? __builtin_copysignf(far, x) : near;
}

#endif

#define erf(x) RL_AT_PRECISION(rl_erf)(x)
#define erf_d1(x) RL_AT_PRECISION(rl_erf_d1)(x)
#define erf_d2(x) RL_AT_PRECISION(rl_erf_d2)(x)

#endif
