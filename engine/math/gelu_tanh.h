/* gelu_tanh(x) = x (1 + tanh(W / 2)) / 2 = x s(W), s the logistic function, W = c (x + a x^3), c = 2 sqrt(2 / pi), and its
 * first two derivatives. With m = |x|, W of m, u = e^-W, q = m W' = c (m + 3 a m^3), A = 2 W' + m W", B = m W'^2:
 *
 *     gelu_tanh   = x / (1 + u) for x >= 0,                       x u / (1 + u) for x < 0
 *     gelu_tanh'  = (1 + u (1 + q)) / (1 + u)^2 for x >= 0,      u (1 + u - q) / (1 + u)^2 for x < 0
 *     gelu_tanh"  = u (A (1 + u) - B (1 - u)) / (1 + u)^3
 *
 * gelu_tanh' has one zero, where q = 1 + u, gelu_tanh" one on either side. As in displaced_exp.h, with t = m - z, but E of the
 * displacement of W, which is t times c (1 + a (m^2 + m z + z^2)),
 *     1 + u - q                 = -t c (1 + 3 a (m^2 + m z + z^2)) + u0 E
 *     A (1 + u) - B (1 - u)     = t R(m) + u0 E (A + B)
 * with R = ((A(m) - A(z)) (1 + u0) - (B(m) - B(z)) (1 - u0)) / t, a polynomial of degree 4, negative near z.
 *
 * gelu_tanh(+-0) = +-0, gelu_tanh(-Inf) = gelu_tanh'(-Inf) = gelu_tanh"(+-Inf) = -0. */
#ifndef RL_MATH_GELU_TANH_H
#define RL_MATH_GELU_TANH_H

#include "math/displaced_exp.h"
#include "math/piecewise.h"
#include "math/swish.h"

#define RL_GELU_TANH_C ((rl_double_double){0x1.9884533d43651p+0, -0x1.cbc0d30ebfd15p-54})
#define RL_GELU_TANH_CA ((rl_double_double){0x1.2444f2a4d8b4bp-4, -0x1.3023b0e5fbc6ep-58})
#define RL_GELU_TANH_3CA ((rl_double_double){0x1.b6676bf7450fp-3, 0x1.be53b53832ad3p-60})

/* The zeros, with e^-W there for e^-z. */
#define RL_GELU_TANH_D1                                                                                                        \
    ((rl_anchor){{0x1.81429f9e97e4dp-1, -0x1.3ce60c9e3b279p-55}, {0x1.2af64e9c485eep-2, -0x1.51801b9b851b9p-57}})
#define RL_GELU_TANH_D2                                                                                                        \
    ((rl_anchor){{0x1.6b23142700629p+0, 0x1.8a76a5d7fd655p-54}, {0x1.5b682f7deff7ep-4, 0x1.985c37804b1e8p-59}})

/* |x|, `most` at most. From 40 on, where W > 4600, all has reached its limit; where a float comes out, from 20 on, where W is
 * 600. */
RL_INLINE double rl_gelu_tanh_magnitude(double x, double most)
{
    return rl_magnitude(x) > most ? most : rl_magnitude(x);
}

/* Relative error < 2^-40. */
RL_INLINE double rl_gelu_tanh_24(double x)
{
    const double m = rl_gelu_tanh_magnitude(x, 20), bounded = x < -20 ? -20 : x;
    const double u = rl_displaced_bounded_24(m * rl_madd(RL_GELU_TANH_CA.hi, m * m, RL_GELU_TANH_C.hi), 1).u;
    return bounded * (x < 0 ? u : 1) / (1 + u);
}

/* (1 + u (1 + q)) / (1 + u)^2 with W and q of x, not of m, for either sign. As rl_silu_d1_24, not seen from the zero. Relative
 * error < 2^-37; at the 64 floats around the zero < 2^-27, found over them. At -16.8, where W is -365, it is -0, as rl_silu_d1_24
 * is at -360. */
RL_INLINE double rl_gelu_tanh_d1_24(double x)
{
    const double log2_e_c = 0x1.26aec21bce759p+1, log2_e_ca = 0x1.a5a7cf7572a98p-4; /* C and CA divided by ln 2 */
    const double bounded = rl_bounded_float(x, -16.8F, 21), square = bounded * bounded;
    const double u = rl_swish_power_24(bounded, -rl_madd(log2_e_ca, square, log2_e_c)), one_plus_u = 1 + u;
    const double one_plus_q = rl_madd(bounded, rl_madd(RL_GELU_TANH_3CA.hi, square, RL_GELU_TANH_C.hi), 1);
    return rl_madd(u, one_plus_q, 1) / (one_plus_u * one_plus_u);
}

/* Relative error < 2^-38. */
RL_INLINE double rl_gelu_tanh_d2_24(double x)
{
    const double m = rl_gelu_tanh_magnitude(x, 20), z = RL_GELU_TANH_D2.z.hi;
    const double t = rl_displacement_24((rl_double_double){m, 0}, RL_GELU_TANH_D2.z), squares = m * (m + z) + z * z;
    const rl_displaced_24 e =
        rl_displaced_bounded_24(t * rl_madd(RL_GELU_TANH_CA.hi, squares, RL_GELU_TANH_C.hi), RL_GELU_TANH_D2.u.hi);
    double R = -0x1.578c478a0965ep-5;
    R = rl_madd(R, m, -0x1.e752fca9cfaccp-5);
    R = rl_madd(R, m, -0x1.6b54f7485cd78p-1);
    R = rl_madd(R, m, -0x1.3e6671c8c2aap-4);
    R = rl_madd(R, m, -0x1.386aece7eddfap+1);
    double sum = 0x1.fd6c0130e02ep-9; /* (A + B) u0 */
    sum = rl_madd(sum, m * m, 0x1.dab17e05de529p-5);
    sum = rl_madd(sum, m, 0x1.29784d5857aa5p-4);
    sum = rl_madd(sum, m, 0x1.ba55117fc9428p-3);
    sum = rl_madd(sum, m, 0x1.1530cf2f8f08bp-2);
    return e.u * rl_madd(sum, e.E, t * R) / ((1 + e.u) * (1 + e.u) * (1 + e.u));
}

/* m^2 + m z + z^2. */
RL_INLINE rl_double_double rl_dd_squares(rl_double_double m, rl_double_double z)
{
    return rl_dd_madd(m, rl_dd_add(m, z), rl_dd_multiply(z, z));
}

/* Error < 0.6 ULP; of a subnormal < 1.6 ULP. */
RL_INLINE double rl_gelu_tanh_53(double x)
{
    const rl_double_double one = {1, 0}, m = {rl_gelu_tanh_magnitude(x, 40), 0};
    const rl_double_double slope = rl_dd_madd(RL_GELU_TANH_CA, rl_dd_multiply(m, m), RL_GELU_TANH_C);
    const rl_displaced_53 e = rl_displaced_exp_53(rl_dd_multiply(m, slope), one);
    const rl_double_double s = rl_dd_divide(rl_dd_choose(x < 0, e.m, one), rl_dd_add_double(1, e.u));
    const double result = rl_scale(rl_dd_times(s, x < -40 ? -40 : x), x < 0 ? e.n : 0);
    return x > 40 ? x : result;
}

/* Error < 0.8 ULP; of a subnormal < 1.3 ULP. */
RL_INLINE double rl_gelu_tanh_d1_53(double x)
{
    const rl_double_double one = {1, 0}, m = {rl_gelu_tanh_magnitude(x, 40), 0}, t = rl_displacement(m, RL_GELU_TANH_D1.z);
    const rl_double_double squares = rl_dd_squares(m, RL_GELU_TANH_D1.z);
    const rl_double_double shift = rl_dd_multiply(t, rl_dd_madd(RL_GELU_TANH_CA, squares, RL_GELU_TANH_C));
    const rl_displaced_53 e = rl_displaced_exp_53(shift, RL_GELU_TANH_D1.u);
    const rl_double_double bend = rl_dd_multiply(t, rl_dd_madd(RL_GELU_TANH_3CA, squares, RL_GELU_TANH_C));
    const rl_double_double N = rl_dd_madd(RL_GELU_TANH_D1.u, e.E, rl_dd_scale(bend, -1));
    const rl_double_double q = rl_dd_multiply(m, rl_dd_madd(RL_GELU_TANH_3CA, rl_dd_multiply(m, m), RL_GELU_TANH_C));
    const rl_double_double right = rl_dd_madd(e.u, rl_dd_add(one, q), one), one_plus_u = rl_dd_add_double(1, e.u);
    const rl_double_double numerator = rl_dd_choose(x < 0, rl_dd_multiply(e.m, N), right);
    return rl_scale(rl_dd_divide(numerator, rl_dd_multiply(one_plus_u, one_plus_u)).hi, x < 0 ? e.n : 0);
}

/* R. */
RL_INLINE rl_double_double rl_gelu_tanh_chord_53(rl_double_double m)
{
    rl_double_double R = {-0x1.578c478a0965ep-5, -0x1.55f01ffaa7b25p-59};
    R = rl_dd_madd(R, m, (rl_double_double){-0x1.e752fca9cfaccp-5, -0x1.1cecf807a3ecbp-61});
    R = rl_dd_madd(R, m, (rl_double_double){-0x1.6b54f7485cd78p-1, -0x1.1c431f3f8c8d2p-55});
    R = rl_dd_madd(R, m, (rl_double_double){-0x1.3e6671c8c2aap-4, 0x1.a8c9809f28f7bp-58});
    return rl_dd_madd(R, m, (rl_double_double){-0x1.386aece7eddfap+1, 0x1.ee0efc1403c85p-54});
}

/* (A + B) u0. */
RL_INLINE rl_double_double rl_gelu_tanh_sum_53(rl_double_double m)
{
    rl_double_double sum = {0x1.fd6c0130e02ep-9, 0x1.df6c3673974eap-63};
    sum = rl_dd_madd(sum, rl_dd_multiply(m, m), (rl_double_double){0x1.dab17e05de529p-5, -0x1.141cce8f245a8p-60});
    sum = rl_dd_madd(sum, m, (rl_double_double){0x1.29784d5857aa5p-4, -0x1.b510a336d3adp-58});
    sum = rl_dd_madd(sum, m, (rl_double_double){0x1.ba55117fc9428p-3, 0x1.53a39aabaf985p-57});
    return rl_dd_madd(sum, m, (rl_double_double){0x1.1530cf2f8f08bp-2, -0x1.794314ef0cbbfp-56});
}

/* Error < 0.8 ULP; of a subnormal < 1.3 ULP. */
RL_INLINE double rl_gelu_tanh_d2_53(double x)
{
    const rl_double_double m = {rl_gelu_tanh_magnitude(x, 40), 0}, t = rl_displacement(m, RL_GELU_TANH_D2.z);
    const rl_double_double squares = rl_dd_squares(m, RL_GELU_TANH_D2.z);
    const rl_double_double shift = rl_dd_multiply(t, rl_dd_madd(RL_GELU_TANH_CA, squares, RL_GELU_TANH_C));
    const rl_displaced_53 e = rl_displaced_exp_53(shift, RL_GELU_TANH_D2.u);
    const rl_double_double N = rl_dd_madd(rl_gelu_tanh_sum_53(m), e.E, rl_dd_multiply(t, rl_gelu_tanh_chord_53(m)));
    const rl_double_double one_plus_u = rl_dd_add_double(1, e.u);
    const rl_double_double cube = rl_dd_multiply(rl_dd_multiply(one_plus_u, one_plus_u), one_plus_u);
    return rl_scale(rl_dd_divide(rl_dd_multiply(e.m, N), cube).hi, e.n);
}

#if defined(RL_HAS_FMA)

/* W(x) = x (c + c a x^2), in two parts, to 2^-42 of it for -12 < x < 12. c has trailing zeros, so that c - slope is
 * exact. */
RL_INLINE rl_pair_single rl_gelu_tanh_argument_single(float x)
{
    const float c = 0x1.9884p+0F, c_low = 0x1.4cf50ep-18F, ca = 0x1.2444f2p-4F, ca_low = 0x1.49b16ap-29F;
    const float square = x * x, square_low = rl_madd_single(x, x, -square), slope = rl_madd_single(ca, square, c);
    const float lost = rl_madd_single(ca, square_low, rl_madd_single(ca_low, square, c_low));
    const float slope_low = rl_madd_single(ca, square, c - slope) + lost, W = x * slope;
    return (rl_pair_single){W, rl_madd_single(x, slope_low, rl_madd_single(x, slope, -W))};
}

/* Error < 0.83 ULP, found over the floats. */
RL_INLINE float rl_gelu_tanh_single(float x)
{
    const float bounded = x < -11.9F ? -11.9F : x;
    const rl_pair_single W = rl_gelu_tanh_argument_single(bounded);
    return rl_times_logistic_single(bounded, W.hi, W.lo);
}

#endif

#define gelu_tanh(x) RL_AT_PRECISION(rl_gelu_tanh)(x)
#define gelu_tanh_d1(x) RL_AT_PRECISION(rl_gelu_tanh_d1)(x)
#define gelu_tanh_d2(x) RL_AT_PRECISION(rl_gelu_tanh_d2)(x)

#endif
