/* tanhexp(x) = x T, T = tanh(w), w = e^x, and its first two derivatives. With y = e^(-2 w):
 *
 *     T = (1 - y) / (1 + y),  T' = dT/dw = 4 y / (1 + y)^2
 *     tanhexp'  = T + x w T' for x >= 0,   w T' (x + S(w^2)) for x < 0,   S(w^2) = sinh(2 w) / (2 w)
 *     tanhexp"  = w T' N,   N = 2 + x (1 - 2 w T)
 *
 * x + S has one zero, N one on either side. Seen from the zero z, with t = x - z, w0 = e^z and E = e^t - 1,
 *     x + S = t + (w^2 - w0^2) Q(w^2),   w^2 - w0^2 = w0^2 E (2 + E)
 * where Q is a power series of positive terms, of which those to degree 10 give 2^-58 of x + S for w <= 1. And with d = w - w0
 * = w0 E, y0 = e^(-2 w0), F = e^(-2 d) - 1, so that y = y0 (1 + F),
 *     (1 + y) N = t (1 + y) (-2 / z) - 2 x (d (1 - y) - 2 w0 y0 / (1 + y0) F)
 * whose terms have the same sign around z. Compare displaced_exp.h.
 *
 * tanhexp(+-0) = +-0, tanhexp(-Inf) = tanhexp'(-Inf) = tanhexp"(+-Inf) = -0. */
#ifndef RL_MATH_TANHEXP_H
#define RL_MATH_TANHEXP_H

#include "math/displaced_exp.h"
#include "math/piecewise.h"

/* Where tanhexp' is 0. */
#define RL_TANHEXP_D1                                                                                                          \
    ((rl_anchor){{-0x1.14302c3c10f3p+0, -0x1.b8c761c7b1289p-54}, {0x1.5c2477e0b8b08p-2, 0x1.62c7a7af04f61p-57}})
#define RL_TANHEXP_SQUARE ((rl_double_double){0x1.d9732b1ce5768p-4, 0x1.896e39b429045p-58}) /* w0^2 */

/* Where tanhexp" is 0. */
typedef struct rl_tanhexp_d2_constants {
    rl_anchor anchor;
    rl_double_double y0, slope, turn; /* slope = -2 / z, turn = 2 w0 y0 / (1 + y0) */
} rl_tanhexp_d2_constants;

RL_INLINE rl_tanhexp_d2_constants rl_tanhexp_d2_constants_of(bool negative)
{
    const rl_tanhexp_d2_constants left = {
        .anchor = {{-0x1.0871c46039638p+1, 0x1.6137baaf8cfe7p-54}, {0x1.0378b7f7208ccp-3, -0x1.c9a5dca01ff1ap-59}},
        .y0 = {0x1.8d657eac5a4a4p-1, 0x1.60f26dc7515cbp-56},
        .slope = {0x1.efa68710144dp-1, -0x1.d19cf2fc607d2p-55},
        .turn = {0x1.c58b8c2e924d6p-4, -0x1.5a35d20c8f6a6p-61},
    };
    const rl_tanhexp_d2_constants right = {
        .anchor = {{0x1.64a4080af062fp-1, -0x1.bdab9a3b0a7eep-55}, {0x1.00e04e18c70d4p+1, 0x1.685378104245ap-53}},
        .y0 = {0x1.2800cd37242e2p-6, 0x1.8b448a9d03ecfp-60},
        .slope = {-0x1.6f84af114192ep+1, 0x1.09c4472d2d4d4p-53},
        .turn = {0x1.23bed204c87afp-4, 0x1.a6b374db1d872p-58},
    };
    return (rl_tanhexp_d2_constants){
        .anchor = rl_anchor_choose(negative, left.anchor, right.anchor),
        .y0 = rl_dd_choose(negative, left.y0, right.y0),
        .slope = rl_dd_choose(negative, left.slope, right.slope),
        .turn = rl_dd_choose(negative, left.turn, right.turn),
    };
}

/* x, within what the functions below distinguish: right of 10, w > 22000 and y = 0; left of -1000, w = 0 even times 1000. */
RL_INLINE double rl_tanhexp_argument(double x)
{
    return x > 10 ? 10 : x < -1000 ? -1000 : x;
}

/* e^(x - z) by displaced_exp.h, whose exponent is negative. */
RL_INLINE rl_displaced_24 rl_tanhexp_w_24(double t, rl_anchor anchor)
{
    return rl_displaced_exp_24(-t, anchor.u.hi);
}

/* Relative error < 2^-39. */
RL_INLINE double rl_tanhexp_24(double x)
{
    const double bounded = rl_tanhexp_argument(x), w = rl_displaced_exp_24(-bounded, 1).u;
    const rl_displaced_24 y = rl_displaced_exp_24(2 * w, 1);
    return (x < 0 ? bounded : x) * ((0 - y.E) / (1 + y.u));
}

/* Relative error < 2^-38. */
RL_INLINE double rl_tanhexp_d1_24(double x)
{
    const double bounded = rl_tanhexp_argument(x);
    const double t = rl_displacement_24((rl_double_double){bounded, 0}, RL_TANHEXP_D1.z);
    const rl_displaced_24 w = rl_tanhexp_w_24(t, RL_TANHEXP_D1), y = rl_displaced_exp_24(2 * w.u, 1);
    const double square = w.u * w.u;
    double Q = 0x1.2f9f410b22ff9p-39;
    Q = rl_madd(Q, square, 0x1.95b8d878c148fp-33);
    Q = rl_madd(Q, square, 0x1.af3ad4b6d08eep-27);
    Q = rl_madd(Q, square, 0x1.61ebc2a74b89ap-21);
    Q = rl_madd(Q, square, 0x1.afab9c68e95a7p-16);
    Q = rl_madd(Q, square, 0x1.736d6578d046ep-11);
    Q = rl_madd(Q, square, 0x1.a2c8edd9481cap-7);
    Q = rl_madd(Q, square, 0x1.141792b751653p-3);
    Q = rl_madd(Q, square, 0x1.5d4fc462004b1p-1);
    const double left = 4 * w.u * y.u * rl_madd(RL_TANHEXP_SQUARE.hi * w.E * (2 + w.E), Q, t);
    const double right = -y.E * (1 + y.u) + 4 * bounded * w.u * y.u;
    return (x < 0 ? left : right) / ((1 + y.u) * (1 + y.u));
}

/* Relative error < 2^-35: an error of w counts 2 w times in y, which matters to w = 60. */
RL_INLINE double rl_tanhexp_d2_24(double x)
{
    const rl_tanhexp_d2_constants k = rl_tanhexp_d2_constants_of(x < 0);
    const double bounded = rl_tanhexp_argument(x);
    const double t = rl_displacement_24((rl_double_double){bounded, 0}, k.anchor.z);
    const rl_displaced_24 w = rl_tanhexp_w_24(t, k.anchor);
    const double d = k.anchor.u.hi * w.E;
    const rl_displaced_24 y = rl_displaced_exp_24(2 * d, k.y0.hi);
    const double bend = d * (1 - y.u) - k.turn.hi * y.E, one_plus_y = 1 + y.u;
    const double N = t * one_plus_y * k.slope.hi - 2 * bounded * bend;
    return 4 * w.u * y.u * N / (one_plus_y * one_plus_y * one_plus_y);
}

RL_INLINE rl_displaced_53 rl_tanhexp_w_53(rl_double_double t, rl_double_double w0)
{
    return rl_displaced_exp_53(rl_dd_scale(t, -1), w0);
}

/* Error < 0.7 ULP; of a subnormal < 1.6 ULP. Where w < 2^-200, T is w to 2^-400 of it, whatever n. */
RL_INLINE double rl_tanhexp_53(double x)
{
    const rl_double_double one = {1, 0}, bounded = {rl_tanhexp_argument(x), 0};
    const rl_displaced_53 w = rl_tanhexp_w_53(bounded, one), y = rl_displaced_exp_53(rl_dd_scale(w.u, 2), one);
    const rl_double_double T = rl_dd_divide(y.E, rl_dd_add_double(-1, rl_dd_scale(y.u, -1)));
    const double result = rl_scale(rl_dd_times(T, bounded.hi), w.n < -200 ? w.n + 200 : 0);
    return x > 10 ? x : result;
}

/* Q(square). The terms from square on, in plain double, are 0.3 of it at most, and so is what it adds to x + S. */
RL_INLINE rl_double_double rl_tanhexp_chord_53(rl_double_double square)
{
    double Q = 0x1.76651a837a565p-53;
    Q = rl_madd(Q, square.hi, 0x1.720f7c955df9ap-46);
    Q = rl_madd(Q, square.hi, 0x1.2f9f410b22ff9p-39);
    Q = rl_madd(Q, square.hi, 0x1.95b8d878c148fp-33);
    Q = rl_madd(Q, square.hi, 0x1.af3ad4b6d08eep-27);
    Q = rl_madd(Q, square.hi, 0x1.61ebc2a74b89ap-21);
    Q = rl_madd(Q, square.hi, 0x1.afab9c68e95a7p-16);
    Q = rl_madd(Q, square.hi, 0x1.736d6578d046ep-11);
    Q = rl_madd(Q, square.hi, 0x1.a2c8edd9481cap-7);
    Q = rl_madd(Q, square.hi, 0x1.141792b751653p-3);
    const rl_double_double constant_term = {0x1.5d4fc462004b1p-1, 0x1.502cc6bcb6bc7p-56};
    return rl_dd_add(constant_term, rl_two_product(Q, square.hi));
}

/* Error < 0.8 ULP; of a subnormal < 1.3 ULP. */
RL_INLINE double rl_tanhexp_d1_53(double x)
{
    const rl_double_double one = {1, 0}, two = {2, 0}, bounded = {rl_tanhexp_argument(x), 0};
    const rl_double_double t = rl_displacement(bounded, RL_TANHEXP_D1.z);
    const rl_displaced_53 w = rl_tanhexp_w_53(t, RL_TANHEXP_D1.u), y = rl_displaced_exp_53(rl_dd_scale(w.u, 2), one);
    const rl_double_double rise = rl_dd_multiply(rl_dd_multiply(RL_TANHEXP_SQUARE, w.E), rl_dd_add(two, w.E));
    const rl_double_double Q = rl_tanhexp_chord_53(rl_dd_multiply(w.u, w.u)), N = rl_dd_add(t, rl_dd_multiply(rise, Q));
    const rl_double_double factor = rl_dd_scale(rl_dd_multiply(rl_dd_choose(x < 0, w.m, w.u), y.u), 4);
    const rl_double_double one_plus_y = rl_dd_add_double(1, y.u), product = rl_dd_multiply(y.E, one_plus_y);
    const rl_double_double right = rl_dd_add(rl_dd_scale(product, -1), rl_dd_multiply(factor, bounded));
    const rl_double_double numerator = rl_dd_choose(x < 0, rl_dd_multiply(factor, N), right);
    return rl_scale(rl_dd_divide(numerator, rl_dd_multiply(one_plus_y, one_plus_y)).hi, x < 0 ? w.n : 0);
}

/* Error < 0.9 ULP; of a subnormal < 1.4 ULP. An error of w counts 2 w times in y, which matters to w = 375. */
RL_INLINE double rl_tanhexp_d2_53(double x)
{
    const rl_tanhexp_d2_constants k = rl_tanhexp_d2_constants_of(x < 0);
    const rl_double_double one = {1, 0}, bounded = {rl_tanhexp_argument(x), 0}, t = rl_displacement(bounded, k.anchor.z);
    const rl_displaced_53 w = rl_displaced_of_53(rl_exp_apart_fine_53(t.hi, t.lo), k.anchor.u);
    const rl_double_double d = rl_dd_multiply(k.anchor.u, w.E);
    const rl_displaced_53 y = rl_displaced_exp_53(rl_dd_scale(d, 2), k.y0);
    const rl_double_double one_plus_y = rl_dd_add_double(1, y.u), one_minus_y = rl_dd_add(one, rl_dd_scale(y.u, -1));
    const rl_double_double turn = rl_dd_scale(rl_dd_multiply(k.turn, y.E), -1);
    const rl_double_double bend = rl_dd_add(rl_dd_multiply(d, one_minus_y), turn);
    const rl_double_double climb = rl_dd_multiply(rl_dd_multiply(t, one_plus_y), k.slope);
    const rl_double_double N = rl_dd_add(climb, rl_dd_scale(rl_dd_multiply(bounded, bend), -2));
    const rl_double_double numerator = rl_dd_multiply(rl_dd_multiply(w.m, rl_dd_scale(y.m, 4)), N);
    const rl_double_double cube = rl_dd_multiply(rl_dd_multiply(one_plus_y, one_plus_y), one_plus_y);
    return rl_scale(rl_dd_divide(numerator, cube).hi, w.n + y.n);
}

#define tanhexp(x) RL_AT_PRECISION(rl_tanhexp)(x)
#define tanhexp_d1(x) RL_AT_PRECISION(rl_tanhexp_d1)(x)
#define tanhexp_d2(x) RL_AT_PRECISION(rl_tanhexp_d2)(x)

#endif
