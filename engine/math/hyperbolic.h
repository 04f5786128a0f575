/* Functions made of the hyperbolic tangent. With T = tanh(x), S = 1 - T^2 = 4 u / (1 + u)^2 and u = e^(-2 |x|):
 *
 *     tanh_shrink     x - T                        T^2                          2 T S = -tanh"(x)
 *     scaled_tanh     alpha tanh(t), t = beta x    alpha beta tanh'(t)          alpha beta^2 tanh"(t)
 *     lisht           x T                          T + x S                      2 S (1 - x T)
 *
 * Two of these cancel: x - T towards 0, where it is x^3 / 3, and lisht" at +-1.1996786402577338, where x T = 1. Close to
 * there, a polynomial takes over; elsewhere the difference is at least a seventh of its terms (f_24, lisht") or a sixth
 * (x - T), at least a fourteenth in f_53 of lisht". */
#ifndef RL_MATH_HYPERBOLIC_H
#define RL_MATH_HYPERBOLIC_H

#include "math/piecewise.h"
#include "math/tanh.h"

/* ---- tanh_shrink. Its derivatives are tanh^2 and -tanh_d2 ---- */

/* Relative error < 2^-37. Up to 3/4, x^3 P(x^2), with P the interpolation of degree 10 at Chebyshev's nodes, off by 2^-46. */
RL_INLINE double rl_tanh_shrink_24(double x)
{
    const double z = x * x;
    double P = 0x1.9dc9c9ad4388ep-17;
    P = rl_madd(P, z, -0x1.1fa471cab8eccp-14);
    P = rl_madd(P, z, 0x1.cdc0af783b2e3p-13);
    P = rl_madd(P, z, -0x1.310171f043ae2p-11);
    P = rl_madd(P, z, 0x1.7d0386c4bcb94p-10);
    P = rl_madd(P, z, -0x1.d6c4d15824de4p-9);
    P = rl_madd(P, z, 0x1.226dc40535682p-7);
    P = rl_madd(P, z, -0x1.664f4494b6fd8p-6);
    P = rl_madd(P, z, 0x1.ba1ba1a82185bp-5);
    P = rl_madd(P, z, -0x1.1111111100f6dp-3);
    P = rl_madd(P, z, 0x1.5555555555509p-2);
    return rl_magnitude(x) < 0.75 ? x * z * P : x - rl_tanh_24(x);
}

RL_INLINE double rl_tanh_shrink_d1_24(double x)
{
    const double T = rl_tanh_24(x);
    return T * T;
}

/* Error < 0.65 ULP, < 1.5 ULP of a subnormal. Up to 3/4, x^3 (1/3 + z (-2/15 + z Q(z))), z = x^2, with Q the interpolation of
 * degree 12 at Chebyshev's nodes, off by 2^-57 of all; z^2 Q is 0.06 of the whole, and all else in double-double. Beyond,
 * T's error, 0.02 2^-53 there, counts up to 5.5 times. Past 2^60, x. */
RL_INLINE double rl_tanh_shrink_53(double x)
{
    const rl_double_double square = rl_two_product(x, x);
    const double z = square.hi;
    double Q = 0x1.21654427ec679p-22;
    Q = rl_madd(Q, z, -0x1.bb0a149d1ae35p-20);
    Q = rl_madd(Q, z, 0x1.7c3c60b9fd358p-18);
    Q = rl_madd(Q, z, -0x1.03b926c1b65adp-16);
    Q = rl_madd(Q, z, 0x1.481075cf14918p-15);
    Q = rl_madd(Q, z, -0x1.964ca2a4e326bp-14);
    Q = rl_madd(Q, z, 0x1.f578d49e53339p-13);
    Q = rl_madd(Q, z, -0x1.3557fefb07888p-11);
    Q = rl_madd(Q, z, 0x1.7da362cad6afcp-10);
    Q = rl_madd(Q, z, -0x1.d6d3d0d7caa28p-9);
    Q = rl_madd(Q, z, 0x1.226e355e5c9b9p-7);
    Q = rl_madd(Q, z, -0x1.664f4882c0fbcp-6);
    Q = rl_madd(Q, z, 0x1.ba1ba1ba1ba1bp-5);
    const rl_double_double second = rl_fast_two_sum(-0x1.1111111111111p-3, rl_madd(z, Q, -0x1.1111111111111p-59));
    const rl_double_double bend = rl_dd_multiply(second, square);
    const rl_double_double first = rl_fast_two_sum(0x1.5555555555555p-2, bend.hi);
    const rl_double_double P = rl_fast_two_sum(first.hi, first.lo + (bend.lo + 0x1.5555555555555p-56));
    const double m = rl_magnitude(x), near = rl_dd_times(rl_dd_multiply(P, square), m);
    const rl_double_double T = rl_tanh_in_parts(m, 0), difference = rl_two_sum(m, -T.hi);
    const double far = m > 0x1p60 ? m : difference.hi + (difference.lo - T.lo);
    return rl_copy_sign(m < 0.75 ? near : far, x);
}

/* T^2. Error < 0.7 ULP, < 1 ULP of a subnormal. */
RL_INLINE double rl_tanh_shrink_d1_53(double x)
{
    const rl_double_double T = rl_tanh_in_parts(rl_magnitude(x), 0);
    return T.hi < 0x1p-450 ? T.hi * T.hi : rl_dd_multiply(T, T).hi;
}

/* ---- scaled_tanh, 1e-30 <= alpha, beta <= 1e30 (2^-100 ... 2^100) ---- */

/* Relative errors < 2^-38: those of tanh, tanh' and tanh", and the rounding of t, 2 |t| 2^-53 of u. */
RL_INLINE double rl_scaled_tanh_24(double x, double alpha, double beta)
{
    return alpha * rl_tanh_24(beta * x);
}

RL_INLINE double rl_scaled_tanh_d1_24(double x, double alpha, double beta)
{
    return alpha * beta * rl_tanh_d1_24(beta * x);
}

RL_INLINE double rl_scaled_tanh_d2_24(double x, double alpha, double beta)
{
    return alpha * beta * beta * rl_tanh_d2_24(beta * x);
}

/* |t| in two parts. Past 2^120, |x| is 2^120: |t| >= 2^20 there. */
RL_INLINE rl_double_double rl_scaled_argument(double x, double beta)
{
    const double m = rl_magnitude(x);
    return rl_two_product(beta, m > 0x1p120 ? 0x1p120 : m);
}

/* Error < 0.6 ULP, < 1.5 ULP of a subnormal. Below 2^-31, tanh(t) is t, off by 2^-63 of it. */
RL_INLINE double rl_scaled_tanh_53(double x, double alpha, double beta)
{
    const rl_double_double t = rl_scaled_argument(x, beta), factor = {alpha, 0};
    const double far = rl_dd_multiply(factor, rl_tanh_in_parts(t.hi, t.lo)).hi;
    return t.hi < 0x1p-31 ? rl_dd_times(rl_two_product(alpha, beta), x) : rl_copy_sign(far, x);
}

/* Error < 0.6 ULP, < 1.1 ULP of a subnormal. */
RL_INLINE double rl_scaled_tanh_d1_53(double x, double alpha, double beta)
{
    const rl_double_double t = rl_scaled_argument(x, beta), slope = rl_two_product(alpha, 4 * beta);
    const rl_decay_53 decay = rl_decay_of_low_53(2 * t.hi, 2 * t.lo);
    const rl_double_double square = rl_dd_multiply(decay.one_plus_u, decay.one_plus_u);
    return rl_scale(rl_dd_multiply(slope, rl_dd_divide(decay.m, square)).hi, decay.n);
}

/* Error < 0.65 ULP, < 1.5 ULP of a subnormal. Below 2^-31, tanh"(t) is -2 t, off by 2^-60 of it. */
RL_INLINE double rl_scaled_tanh_d2_53(double x, double alpha, double beta)
{
    const rl_double_double t = rl_scaled_argument(x, beta), factor = {beta, 0};
    const rl_double_double bend = rl_dd_multiply(rl_two_product(alpha, 2 * beta), factor);
    const rl_decay_53 decay = rl_decay_of_low_53(2 * t.hi, 2 * t.lo);
    const rl_double_double square = rl_dd_multiply(decay.one_plus_u, decay.one_plus_u);
    const rl_double_double cube = rl_dd_multiply(square, decay.one_plus_u);
    const rl_double_double quotient = rl_dd_divide(rl_dd_multiply(decay.m, decay.one_minus_u), cube);
    const double far = rl_scale(4 * rl_dd_multiply(bend, quotient).hi, decay.n);
    return t.hi < 0x1p-31 ? rl_dd_times(rl_dd_multiply(bend, factor), -x) : rl_copy_sign(far, -x);
}

/* ---- lisht: lisht and lisht" are even, lisht' is odd. From |x| = 1000 on, S is 0 ---- */

RL_INLINE double rl_lisht_24(double x)
{
    return x * rl_tanh_24(x);
}

RL_INLINE double rl_lisht_bounded(double x)
{
    return rl_magnitude(x) > 1000 ? 1000 : rl_magnitude(x);
}

/* Relative error < 2^-39: a sum of positive terms. */
RL_INLINE double rl_lisht_d1_24(double x)
{
    const double m = rl_lisht_bounded(x);
    const rl_decay_24 decay = rl_decay_of_24(2 * m);
    const double reciprocal = 1 / decay.one_plus_u;
    return rl_copy_sign((decay.one_minus_u + 4 * m * decay.u * reciprocal) * reciprocal, x);
}

/* Relative error < 2^-37. Within 1/8 of the zero, its distance times W, the interpolation of degree 9 of the quotient at
 * Chebyshev's nodes, off by 2^-45. */
RL_INLINE double rl_lisht_d2_24(double x)
{
    const double m = rl_lisht_bounded(x), t = (m - 0x1.331e23ad9de11p+0) - 0x1.a9c55ef03c74ap-54;
    const rl_decay_24 decay = rl_decay_of_24(2 * m);
    const double cube = decay.one_plus_u * decay.one_plus_u * decay.one_plus_u;
    const double far = 8 * decay.u * (decay.one_plus_u - m * decay.one_minus_u) / cube;
    double W = 0x1.14b282e58440fp-5;
    W = rl_madd(W, t, -0x1.8c5ee67d37456p-4);
    W = rl_madd(W, t, 0x1.948b3b5c14e74p-4);
    W = rl_madd(W, t, 0x1.e2d8d52145f13p-5);
    W = rl_madd(W, t, -0x1.662f88752e1a4p-2);
    W = rl_madd(W, t, 0x1.fa4ea1924d89bp-2);
    W = rl_madd(W, t, -0x1.e178d8ca69814p-4);
    W = rl_madd(W, t, -0x1.706e66bfbdc1fp-1);
    W = rl_madd(W, t, 0x1.388203715b19ep+0);
    W = rl_madd(W, t, -0x1.76e8b4eb0e993p-1);
    return rl_magnitude(t) < 0.125 ? t * W : far;
}

/* Error < 0.6 ULP, < 1.5 ULP of a subnormal. Past 2^60, |x|. */
RL_INLINE double rl_lisht_53(double x)
{
    const double m = rl_magnitude(x);
    return m > 0x1p60 ? m : rl_dd_times(rl_tanh_in_parts(m, 0), m);
}

/* Error < 0.6 ULP. Below 2^-31, 2 x, off by 2^-62 of it. */
RL_INLINE double rl_lisht_d1_53(double x)
{
    const double m = rl_lisht_bounded(x);
    const rl_decay_53 decay = rl_decay_of_53(2 * m);
    const rl_double_double u = rl_dd_scale(decay.m, rl_power_of_two(decay.n < -200 ? -200 : decay.n)), factor = {4 * m, 0};
    const rl_double_double term = rl_dd_multiply(factor, rl_dd_divide(u, decay.one_plus_u));
    const rl_double_double sum = rl_two_sum(decay.one_minus_u.hi, term.hi);
    const rl_double_double both = rl_fast_two_sum(sum.hi, sum.lo + (decay.one_minus_u.lo + term.lo));
    return m < 0x1p-31 ? 2 * x : rl_copy_sign(rl_dd_divide(both, decay.one_plus_u).hi, x);
}

/* Error < 0.7 ULP, < 1.1 ULP of a subnormal. Within 1/16 of the zero, its distance t times W0 + t Q(t), W0 to 106 bits, with Q
 * the interpolation of degree 10 at Chebyshev's nodes, off by 2^-58 of the whole, of which t Q is a tenth. */
RL_INLINE double rl_lisht_d2_53(double x)
{
    const double m = rl_lisht_bounded(x);
    const rl_double_double t = rl_two_sum(m - 0x1.331e23ad9de11p+0, -0x1.a9c55ef03c74ap-54);
    double Q = -0x1.3fac5f6229d4bp-6;
    Q = rl_madd(Q, t.hi, 0x1.52224992695efp-7);
    Q = rl_madd(Q, t.hi, 0x1.1af1a086d6e27p-5);
    Q = rl_madd(Q, t.hi, -0x1.8e0c257d807f7p-4);
    Q = rl_madd(Q, t.hi, 0x1.94804c51f5d86p-4);
    Q = rl_madd(Q, t.hi, 0x1.e2e4a6c66017ap-5);
    Q = rl_madd(Q, t.hi, -0x1.662f848d6bee8p-2);
    Q = rl_madd(Q, t.hi, 0x1.fa4e9f742d64ep-2);
    Q = rl_madd(Q, t.hi, -0x1.e178d8d2391d6p-4);
    Q = rl_madd(Q, t.hi, -0x1.706e66bf3603bp-1);
    Q = rl_madd(Q, t.hi, 0x1.388203715b23ep+0);
    const rl_double_double W = rl_fast_two_sum(-0x1.76e8b4eb0ea41p-1, rl_madd(t.hi, Q, 0x1.70c4911c32fadp-55));
    const rl_decay_53 decay = rl_decay_of_53(2 * m);
    const rl_double_double square = rl_dd_multiply(decay.one_plus_u, decay.one_plus_u), factor = {m, 0};
    const rl_double_double cube = rl_dd_multiply(square, decay.one_plus_u);
    const rl_double_double product = rl_dd_multiply(factor, decay.one_minus_u);
    const rl_double_double sum = rl_two_sum(decay.one_plus_u.hi, -product.hi);
    const rl_double_double rest = rl_fast_two_sum(sum.hi, sum.lo + (decay.one_plus_u.lo - product.lo));
    const double far = rl_scale(8 * rl_dd_multiply(rl_dd_divide(decay.m, cube), rest).hi, decay.n);
    return rl_magnitude(t.hi) < 0.0625 ? rl_dd_multiply(t, W).hi : far;
}

#define tanh_shrink(x) RL_AT_PRECISION(rl_tanh_shrink)(x)
#define tanh_shrink_d1(x) RL_AT_PRECISION(rl_tanh_shrink_d1)(x)
#define scaled_tanh(x, alpha, beta) RL_AT_PRECISION(rl_scaled_tanh)(x, alpha, beta)
#define scaled_tanh_d1(x, alpha, beta) RL_AT_PRECISION(rl_scaled_tanh_d1)(x, alpha, beta)
#define scaled_tanh_d2(x, alpha, beta) RL_AT_PRECISION(rl_scaled_tanh_d2)(x, alpha, beta)
#define lisht(x) RL_AT_PRECISION(rl_lisht)(x)
#define lisht_d1(x) RL_AT_PRECISION(rl_lisht_d1)(x)
#define lisht_d2(x) RL_AT_PRECISION(rl_lisht_d2)(x)

#endif
