/* mish(x) = x tanh(log(1 + e^x)) and its first two derivatives. With m = |x|, u = e^-m:
 *
 *     x >= 0, D = 1 + 2 u + 2 u^2                                x < 0, D = 2 + 2 u + u^2
 *     mish   = x (1 + 2 u) / D                                   x u (2 + u) / D
 *     mish'  = (1 + 4 u + (6 + 4 m) u^2 + 4 (1 + m) u^3) / D^2   u N / D^2,  N = (2 + u) D - 4 m (1 + u)
 *     mish"  = 4 u^2 N / D^3                                     4 u N / D^3
 *              N = 2 + 6 u + 8 u^2 + 4 u^3                       N = 4 + 8 u + 6 u^2 + 2 u^3
 *                  - m (2 + 3 u - 2 u^2 - 2 u^3)                     - m (2 + 2 u - 3 u^2 - 2 u^3)
 *
 * Each of the three N has one zero. Seen from it, N = t B + u0 E P, with t, u0 and E of displaced_exp.h, B a constant and P a
 * polynomial of degree 2 in u and of degree 1 in m.
 *
 * mish(+-0) = +-0, mish(-Inf) = mish'(-Inf) = mish"(+-Inf) = -0. */
#ifndef RL_MATH_MISH_H
#define RL_MATH_MISH_H

#include "math/displaced_exp.h"
#include "math/piecewise.h"

/* |x|, `most` at most. From 1000 on, all has reached its limit; where a float comes out, from 690 on. */
RL_INLINE double rl_mish_magnitude(double x, double most)
{
    return rl_magnitude(x) > most ? most : rl_magnitude(x);
}

#define RL_MISH_D1 ((rl_anchor){{0x1.31432c0d12d84p+0, 0x1.bf319154da21p-55}, {0x1.36c4202fc3eccp-2, 0x1.6d73a02f8d922p-56}})

/* The constants of N for mish'. P = c0 + c1 u + u^2 - 4 m. */
static const struct rl_mish_d1_constants {
    rl_double_double B, c0, c1;
} rl_mish_d1 = {
    .B = {-0x1.4db1080bf0fb3p+2, -0x1.6d73a02f8d922p-54}, /* -4 (1 + u0) */
    .c0 = {0x1.d396065cc4e9fp+2, 0x1.c6a4aee081c56p-52},  /* 6 + 4 u0 + u0^2 */
    .c1 = {0x1.136c4202fc3edp+2, -0x1.d2518bfa0e4dcp-53}, /* 4 + u0 */
};

/* The constants of N for mish". P = c0 + c1 u + c2 u^2 + m (d0 + d1 u + 2 u^2). */
typedef struct rl_mish_d2_constants {
    rl_anchor anchor;
    rl_double_double B, c0, c1, d0, d1;
    double c2;
} rl_mish_d2_constants;

RL_INLINE rl_mish_d2_constants rl_mish_d2_constants_of(bool negative)
{
    const rl_mish_d2_constants left = {
        .anchor = {{0x1.20d0f116eb001p+1, 0x1.ed98c925498a2p-54}, {0x1.acf8a02f6388bp-4, -0x1.ab58711428ec6p-59}},
        .B = {-0x1.164e09affa916p+1, 0x1.80a3bb0c88e9ap-53},  /* -2 - 2 u0 + 3 u0^2 + 2 u0^3 */
        .c0 = {0x1.14cf5b947df7ap+3, -0x1.4075fb8e3a62ap-54}, /* 8 + 6 u0 + 2 u0^2 */
        .c1 = {0x1.8d67c5017b1c4p+2, 0x1.59529e3baf5c5p-52},  /* 6 + 2 u0 */
        .c2 = 2,
        .d0 = {-0x1.a9f3c164f2ecap+0, -0x1.5865b0f4568c7p-54}, /* -2 + 3 u0 + 2 u0^2 */
        .d1 = {0x1.9acf8a02f6389p+1, -0x1.4d5ac388a1476p-53},  /* 3 + 2 u0 */
    };
    const rl_mish_d2_constants right = {
        .anchor = {{0x1.7d9612a44004p+0, 0x1.48a1647177d43p-54}, {0x1.cd4cb51a054c7p-3, -0x1.3927b4290e425p-57}},
        .B = {-0x1.46947f402bbe4p+1, 0x1.fbd4693d765d3p-54}, /* -2 - 3 u0 + 2 u0^2 + 2 u0^3 */
        .c0 = {0x1.00281159b826ep+3, -0x1.90834ad6b976p-51}, /* 6 + 8 u0 + 4 u0^2 */
        .c1 = {0x1.1cd4cb51a054cp+3, 0x1.ac6d84bd6f1bep-51}, /* 8 + 4 u0 */
        .c2 = 4,
        .d0 = {-0x1.395973efd05bep+1, 0x1.861e60d7aedc5p-53}, /* -3 + 2 u0 + 2 u0^2 */
        .d1 = {0x1.39a996a340a99p+1, -0x1.4e49ed0a43909p-54}, /* 2 + 2 u0 */
    };
    return (rl_mish_d2_constants){
        .anchor = rl_anchor_choose(negative, left.anchor, right.anchor),
        .B = rl_dd_choose(negative, left.B, right.B),
        .c0 = rl_dd_choose(negative, left.c0, right.c0),
        .c1 = rl_dd_choose(negative, left.c1, right.c1),
        .c2 = negative ? left.c2 : right.c2,
        .d0 = rl_dd_choose(negative, left.d0, right.d0),
        .d1 = rl_dd_choose(negative, left.d1, right.d1),
    };
}

RL_INLINE double rl_mish_denominator_24(double u, bool negative)
{
    return rl_madd(rl_madd(negative ? 1 : 2, u, 2), u, negative ? 2 : 1);
}

/* Relative error < 2^-39. */
RL_INLINE double rl_mish_24(double x)
{
    const double m = rl_mish_magnitude(x, 690), bounded = x < -690 ? -690 : x;
    const double u = rl_displaced_bounded_24(m, 1).u, numerator = x < 0 ? u * (2 + u) : 1 + 2 * u;
    return bounded * (numerator / rl_mish_denominator_24(u, x < 0));
}

/* Relative error < 2^-38. */
RL_INLINE double rl_mish_d1_24(double x)
{
    const double m = rl_mish_magnitude(x, 690), t = rl_displacement_24((rl_double_double){m, 0}, RL_MISH_D1.z);
    const rl_displaced_24 e = rl_displaced_bounded_24(t, RL_MISH_D1.u.hi);
    const double u = e.u, D = rl_mish_denominator_24(u, x < 0);
    const double P = rl_madd(u + rl_mish_d1.c1.hi, u, rl_madd(-4, m, rl_mish_d1.c0.hi));
    const double N = rl_madd(RL_MISH_D1.u.hi * e.E, P, t * rl_mish_d1.B.hi);
    const double right = rl_madd(rl_madd(rl_madd(4 * (1 + m), u, 6 + 4 * m), u, 4), u, 1);
    return (x < 0 ? u * N : right) / (D * D);
}

/* Relative error < 2^-38. */
RL_INLINE double rl_mish_d2_24(double x)
{
    const rl_mish_d2_constants k = rl_mish_d2_constants_of(x < 0);
    const double m = rl_mish_magnitude(x, 690), t = rl_displacement_24((rl_double_double){m, 0}, k.anchor.z);
    const rl_displaced_24 e = rl_displaced_bounded_24(t, k.anchor.u.hi);
    const double u = e.u, D = rl_mish_denominator_24(u, x < 0);
    const double slope = rl_madd(rl_madd(2, u, k.d1.hi), u, k.d0.hi);
    const double P = rl_madd(m, slope, rl_madd(rl_madd(k.c2, u, k.c1.hi), u, k.c0.hi));
    const double N = rl_madd(k.anchor.u.hi * e.E, P, t * k.B.hi);
    return 4 * u * (x < 0 ? 1 : u) * N / (D * D * D);
}

/* a + b u + c u^2 for a double c. */
RL_INLINE rl_double_double rl_dd_parabola(rl_double_double a, rl_double_double b, double c, rl_double_double u)
{
    const rl_double_double high = rl_dd_add(b, rl_dd_multiply(u, (rl_double_double){c, 0}));
    return rl_dd_add(a, rl_dd_multiply(high, u));
}

RL_INLINE rl_double_double rl_mish_denominator_53(rl_double_double u, bool negative)
{
    const rl_double_double constant_term = {negative ? 2 : 1, 0}, two = {2, 0};
    return rl_dd_parabola(constant_term, two, negative ? 1 : 2, u);
}

/* Error < 0.6 ULP; of a subnormal < 1.6 ULP. */
RL_INLINE double rl_mish_53(double x)
{
    const rl_double_double one = {1, 0}, two = {2, 0}, m = {rl_mish_magnitude(x, 1000), 0};
    const rl_displaced_53 e = rl_displaced_exp_53(m, one);
    const rl_double_double left = rl_dd_multiply(e.m, rl_dd_add(two, e.u)), right = rl_dd_add(one, rl_dd_scale(e.u, 2));
    const rl_double_double T = rl_dd_divide(rl_dd_choose(x < 0, left, right), rl_mish_denominator_53(e.u, x < 0));
    const double result = rl_scale(rl_dd_times(T, x < -1000 ? -1000 : x), x < 0 ? e.n : 0);
    return x > 1000 ? x : result;
}

/* Error < 0.8 ULP; of a subnormal < 1.3 ULP. */
RL_INLINE double rl_mish_d1_53(double x)
{
    const rl_double_double m = {rl_mish_magnitude(x, 1000), 0}, t = rl_displacement(m, RL_MISH_D1.z), one = {1, 0},
                           four = {4, 0};
    const rl_displaced_53 e = rl_displaced_exp_53(t, RL_MISH_D1.u);
    const rl_double_double P = rl_dd_parabola(rl_dd_add(rl_mish_d1.c0, rl_dd_scale(m, -4)), rl_mish_d1.c1, 1, e.u);
    const rl_double_double bend = rl_dd_multiply(rl_dd_multiply(RL_MISH_D1.u, e.E), P);
    const rl_double_double left = rl_dd_multiply(e.m, rl_dd_add(bend, rl_dd_multiply(t, rl_mish_d1.B)));
    const rl_double_double cubic = rl_two_sum(4, 4 * m.hi), square = rl_two_sum(6, 4 * m.hi);
    const rl_double_double high = rl_dd_add(four, rl_dd_multiply(rl_dd_add(square, rl_dd_multiply(cubic, e.u)), e.u));
    const rl_double_double right = rl_dd_add(one, rl_dd_multiply(high, e.u)), D = rl_mish_denominator_53(e.u, x < 0);
    return rl_scale(rl_dd_divide(rl_dd_choose(x < 0, left, right), rl_dd_multiply(D, D)).hi, x < 0 ? e.n : 0);
}

/* Error < 0.8 ULP; of a subnormal < 1.3 ULP. Right of 600, it is -0, whatever u^2 is there. */
RL_INLINE double rl_mish_d2_53(double x)
{
    const rl_mish_d2_constants k = rl_mish_d2_constants_of(x < 0);
    const rl_double_double m = {rl_mish_magnitude(x, 1000), 0}, t = rl_displacement(m, k.anchor.z);
    const rl_displaced_53 e = rl_displaced_exp_53(t, k.anchor.u);
    const rl_double_double slope = rl_dd_parabola(k.d0, k.d1, 2, e.u);
    const rl_double_double P = rl_dd_add(rl_dd_multiply(m, slope), rl_dd_parabola(k.c0, k.c1, k.c2, e.u));
    const rl_double_double bend = rl_dd_multiply(rl_dd_multiply(k.anchor.u, e.E), P);
    const rl_double_double N = rl_dd_scale(rl_dd_add(bend, rl_dd_multiply(t, k.B)), 4);
    const rl_double_double factor = rl_dd_choose(x < 0, e.m, rl_dd_multiply(e.m, e.m)), D = rl_mish_denominator_53(e.u, x < 0);
    const rl_double_double cube = rl_dd_multiply(rl_dd_multiply(D, D), D);
    const double twice = 2 * (e.n < -900 ? -900 : e.n);
    return rl_scale(rl_dd_divide(rl_dd_multiply(factor, N), cube).hi, x < 0 ? e.n : twice);
}

#if defined(RL_HAS_FMA)

/* mish = x M / (1 + M), M = E + E^2 / 2, E = e^x. Error < 0.92 ULP, found over all floats.
 *
 * E's relative error counts once in the result for x << 0, 0.53 times at 0, ever less beyond; half an ULP of it has to be made
 * good, and so have those of M, of D = 1 + M and of the quotient T, once each. M's low part begins with 2^n - M, which is exact,
 * and takes in the three terms that M is made of, largest first, but for the rounding of E in E^2: 0.13 * 2^-24 at most. For
 * 1 / D, 1 - T will do.
 *
 * E, M and T are 2^64 times as great until the end, as E may be below 2^-126. D is begun greater than 1 by 2^-22, which makes T
 * too small and its correction positive, so that -0 keeps its sign. From 8.5 on, x is within 0.75 ULP of mish. */
RL_INLINE float rl_mish_single(float x)
{
    const float small = 0x1p-64F, bounded = rl_not_below_single(x, -115);
    const rl_exp_parts_single e = rl_exp_apart_single(bounded, 0, RL_POWER_OFFSET_SINGLE + 64);
    const float E = rl_madd_single(e.power, e.hi + e.t, e.power), half = E * (0.5F * small), M = rl_madd_single(half, E, E);
    const float square = rl_madd_single(half, E, rl_madd_single(e.power, e.hi, e.power - M));
    const float M_low = rl_madd_single(e.power, e.t, square);
    const float D = rl_madd_single(M, small, 1 + 0x1p-22F), D_low = rl_madd_single(M, small, 1 - D);
    const float T = M / D, inverse = rl_madd_single(-small, T, 1);
    const float remainder = rl_madd_single(-T, D_low, rl_madd_single(-T, D, M));
    const float correction = rl_madd_single(M_low, inverse, remainder) * inverse;
    const float near = rl_madd_single(bounded, T, bounded * correction) * small;
    return x <= 8.5F ? near : x;
}

#endif

#define mish(x) RL_AT_PRECISION(rl_mish)(x)
#define mish_d1(x) RL_AT_PRECISION(rl_mish_d1)(x)
#define mish_d2(x) RL_AT_PRECISION(rl_mish_d2)(x)

#endif
