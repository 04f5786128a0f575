/* The Gaussian error linear unit, x Phi(x), Phi the normal distribution and phi = Phi' = e^(-x^2 / 2) / sqrt(2 pi) its density,
 * and its first two derivatives. With t = |x|, E = e^(-t^2 / 2) and G as in error_function.h:
 *
 *     gelu(x)  = x E G(t)             for x < 0,   x (1 - E G(t))             for x >= 0
 *     gelu'(x) = E (G(t) - t c)       for x < 0,   1 - E (G(t) - t c)         for x >= 0,   c = 1 / sqrt(2 pi)
 *     gelu"(x) = phi(x) (2 - x^2)
 *
 * gelu' is 0 at z = -0.7518: near it, gelu'(x) = d P(d), d = x - z, where z has two parts, so that d is exact to rounding. Near
 * the zeros of gelu", so is 2 - x^2.
 *
 * gelu(+-0) = +-0, gelu(-Inf) = gelu'(-Inf) = gelu"(+-Inf) = -0, gelu'(Inf) = 1. */
#ifndef RL_MATH_GELU_H
#define RL_MATH_GELU_H

#include "math/error_function.h"

#define RL_NORMAL_PEAK 0x1.9884533d43651p-2 /* phi(0) = 1 / sqrt(2 pi), and what it lacks */
#define RL_NORMAL_PEAK_LOW (-0x1.cbc0d30ebfd15p-56)
#define RL_GELU_TURN 0x1.80ead197f00b4p-1 /* z = -RL_GELU_TURN + RL_GELU_TURN_LOW */
#define RL_GELU_TURN_LOW 0x1.13e74c58cada8p-56

/* Relative error < 2^-37: x - x E G does not cancel, as E G is at most 1/2. Of x < 0 ? -0.0 : x clang makes a maximum, which takes
 * +0 for -0. */
RL_INLINE double rl_gelu_24(double x)
{
    const double t = rl_bounded_magnitude(x, 37), tail = rl_erf_decay_24(0.5 * (t * t)) * rl_normal_tail_24(t);
    return rl_madd(-t, tail, x <= 0 ? rl_copy_sign(0, x) : x);
}

/* Relative error < 2^-36. P is of degree 7, 2^-39.9 for |d| < 1/8; beyond, G's error counts up to 4 times. */
RL_INLINE double rl_gelu_d1_24(double x)
{
    const double t = rl_bounded_magnitude(x, 37), d = (x + RL_GELU_TURN) - RL_GELU_TURN_LOW;
    const double tail = rl_erf_decay_24(0.5 * (t * t)) * rl_madd(-RL_NORMAL_PEAK, t, rl_normal_tail_24(t));
    double P = -0x1.24c749f49621ep-9;
    P = rl_madd(P, d, 0x1.27f61481e503dp-8);
    P = rl_madd(P, d, 0x1.3e3430fa625a6p-6);
    P = rl_madd(P, d, -0x1.e4069bb991d9dp-7);
    P = rl_madd(P, d, -0x1.d2fa4c0b976d9p-4);
    P = rl_madd(P, d, -0x1.2a2efa7e15500p-6);
    P = rl_madd(P, d, 0x1.8d9a941de34adp-2);
    P = rl_madd(P, d, 0x1.b9d98fa5a4a67p-2);
    const double far = x < 0 ? tail : 1 - tail;
    return rl_magnitude(d) < 0.125 ? d * P : far;
}

/* Relative error < 2^-40: the square of a float is exact. */
RL_INLINE double rl_gelu_d2_24(double x)
{
    const double t = rl_bounded_magnitude(x, 37), square = t * t;
    return RL_NORMAL_PEAK * rl_erf_decay_24(0.5 * square) * (2 - square);
}

/* Error < 0.6 ULP, as rl_dd_times where x is subnormal. Where the result may be subnormal otherwise, t is near 38 and t G(t) is
 * near 0.4. */
RL_INLINE double rl_gelu_53(double x)
{
    const double t = rl_bounded_magnitude(x, 40);
    const rl_erf_decay_53 decay = rl_erf_decay_of_53(rl_dd_scale(rl_two_product(t, t), 0.5));
    const rl_double_double tail = rl_dd_multiply(decay.m, rl_normal_tail_53((rl_double_double){t, 0}));
    const rl_double_double rest = rl_without_tail(tail, decay.n), twice_t = {2 * t, 0};
    const rl_double_double factor = {x < 0 ? tail.hi : rest.hi, x < 0 ? tail.lo : rest.lo};
    const double near = rl_dd_times(factor, x), far = rl_dd_round(rl_dd_multiply(tail, twice_t), decay.n - 1);
    const double left = decay.n < 0 ? far : near, right = x > 40 ? x : near;
    return rl_copy_sign(x < 0 ? left : right, x);
}

/* d P(d) for |d| <= 1/4. P is of degree 14, 2^-63.5 with these coefficients, the last two of which have two parts; what the
 * others add up to is at most 0.01 of it. */
RL_INLINE double rl_gelu_d1_near_53(rl_double_double d)
{
    double R = 0x1.2dbc8a23fc800p-21;
    R = rl_madd(R, d.hi, 0x1.d04fab0ae096dp-22);
    R = rl_madd(R, d.hi, -0x1.03f8264f1d43dp-17);
    R = rl_madd(R, d.hi, -0x1.784a70ded327ep-17);
    R = rl_madd(R, d.hi, 0x1.6960ff0863522p-14);
    R = rl_madd(R, d.hi, 0x1.86c8637089644p-13);
    R = rl_madd(R, d.hi, -0x1.8680f74626fcdp-11);
    R = rl_madd(R, d.hi, -0x1.258a6d8546671p-9);
    R = rl_madd(R, d.hi, 0x1.297b9d6ff7345p-8);
    R = rl_madd(R, d.hi, 0x1.3e346def41f94p-6);
    R = rl_madd(R, d.hi, -0x1.e4088244f8ff4p-7);
    R = rl_madd(R, d.hi, -0x1.d2fa4c17c7e84p-4);
    R = rl_madd(R, d.hi, -0x1.2a2ef9bb865aep-6);
    const rl_double_double slope = {0x1.8d9a941de3ac5p-2, 0x1.ae83dcf8c412ap-56};
    const rl_double_double start = {0x1.b9d98fa5a3215p-2, 0x1.f7c1a23190c7cp-56};
    const rl_double_double P = rl_dd_madd(rl_dd_madd((rl_double_double){R, 0}, d, slope), d, start);
    return rl_dd_multiply(d, P).hi;
}

/* Error < 0.7 ULP: beyond 1/4 around the zero, gelu' is at least 0.09 and its terms at most 0.31. Where the result may be
 * subnormal, t is near 38 and t c near 15. */
RL_INLINE double rl_gelu_d1_53(double x)
{
    const double t = rl_bounded_magnitude(x, 40);
    const rl_erf_decay_53 decay = rl_erf_decay_of_53(rl_dd_scale(rl_two_product(t, t), 0.5));
    const rl_double_double peak = {RL_NORMAL_PEAK, RL_NORMAL_PEAK_LOW}, tail = rl_normal_tail_53((rl_double_double){t, 0});
    const rl_double_double difference = rl_dd_madd(peak, (rl_double_double){t, 0}, (rl_double_double){-tail.hi, -tail.lo});
    const rl_double_double product = rl_dd_multiply(decay.m, difference);
    const rl_double_double rest = rl_without_tail((rl_double_double){-product.hi, -product.lo}, decay.n);
    const double left = -rl_dd_round(rl_dd_scale(product, 0x1p-4), decay.n + 4), far = x < 0 ? left : rest.hi;
    const rl_double_double d = rl_two_sum(x + RL_GELU_TURN, -RL_GELU_TURN_LOW);
    const double near = rl_gelu_d1_near_53(d);
    return rl_magnitude(d.hi) < 0.25 ? near : far;
}

/* Error < 0.6 ULP. Where the result may be subnormal, t^2 is near 1490. */
RL_INLINE double rl_gelu_d2_53(double x)
{
    const double t = rl_bounded_magnitude(x, 40);
    const rl_double_double square = rl_two_product(t, t), peak = {RL_NORMAL_PEAK, RL_NORMAL_PEAK_LOW};
    const rl_erf_decay_53 decay = rl_erf_decay_of_53(rl_dd_scale(square, 0.5));
    const rl_double_double sum = rl_two_sum(square.hi, -2), bend = rl_fast_two_sum(sum.hi, sum.lo + square.lo);
    const rl_double_double product = rl_dd_multiply(rl_dd_multiply(decay.m, peak), bend);
    return -rl_dd_round_small(rl_dd_scale(product, 0x1p-10), decay.n + 10);
}

#if defined(RL_HAS_FMA)

/* gelu for t < 1.178: x F, F = Phi(x) = 1/2 + x (c + g(x^2 - 1)) in two parts. c is about the mean of (Phi(x) - 1/2) / x there,
 * so that x g stays below 1/40 and its roundings count little. g is of degree 5, 2^-27.5 of F. The first sum has a one above
 * it, so that its parts are multiples of 2^-23 and the difference with 1/2, even where F is much smaller, is exact. */
RL_INLINE float rl_gelu_near_single(float x)
{
    const float c = 0x1.570a3ep-2F, v = rl_madd_single(x, x, -1), v2 = v * v;
    const float g_1 = rl_madd_single(0x1.cbfe14p-8F, v, -0x1.97093ap-5F);
    const float g_3 = rl_madd_single(0x1.426e6ap-14F, v, -0x1.a793bp-11F);
    const float g_from_1 = rl_madd_single(rl_madd_single(-0x1.c7522ap-18F, v2, g_3), v2, g_1);
    const float g = rl_madd_single(g_from_1, v, 0x1.9fcf08p-8F);
    const float sum = rl_madd_single(x, c, 1.5F), low = rl_madd_single(x, g, rl_madd_single(x, c, 1.5F - sum));
    return rl_madd_single(x, sum - 1, x * low);
}

/* K(t) = t G(t) / 2 for 1.178 <= t <= 14.5, in two parts: the polynomial of degree 8 in v = (t - k) / (t + 1.91) of least
 * relative error, 2^-27.5. k is near 2, for K is flat beyond, where an error of v means least, and v is best near its 0; and it
 * is where K(k) is a float but for 2^-31. */
RL_INLINE rl_pair_single rl_gelu_tail_single(float t)
{
    const float v = (t - 0x1.0147fcp+1F) / (t + 0x1.e8f5c2p+0F), v2 = v * v, first = 0x1.58b52ep-3F;
    const float K_2 = rl_madd_single(0x1.8c11b2p-7F, v, -0x1.1e8d7ap-4F);
    const float K_4 = rl_madd_single(-0x1.aad72ep-11F, v, 0x1.29f7bep-7F);
    const float K_6 = rl_madd_single(-0x1.51ab52p-11F, v, -0x1.0b241ep-9F);
    const float K_from_4 = rl_madd_single(rl_madd_single(0x1.610852p-11F, v2, K_6), v2, K_4);
    const float K_from_1 = rl_madd_single(v, rl_madd_single(K_from_4, v2, K_2), 0x1.52fdcap-4F);
    const float K = rl_madd_single(v, K_from_1, first);
    return (rl_pair_single){K, rl_madd_single(v, K_from_1, first - K)};
}

/* Error < 0.91 ULP, found over all floats.
 *
 * For t >= 1.178: max(x, 0) - t E G(t), E = e^(-t^2 / 2) = 2^n e^(-h / 2), h = t^2 + 2 n ln 2 in two parts, of which the first
 * is exact, as t^2 is taken in two. 2 e^(-h / 2) = (2 - h) - h^2 P(h), where P, of degree 4, makes a relative error of 2^-28.2.
 * 2 - h is exact where t^2 >= 2 ln 2, as h > 0 there or t^2 is a multiple of 2^-22: hence 1.178. All is greater by 2^64 until
 * the last sum, which may make a subnormal; at 14.5, where t is held, it makes 0. NaN goes the other way. */
RL_INLINE float rl_gelu_single(float x)
{
    const float size = __builtin_fabsf(x), t = rl_at_most_single(size, 14.5F), offset = RL_POWER_OFFSET_SINGLE + 64;
    const float square = t * t, square_low = rl_madd_single(t, t, -square);
    const float sum = rl_madd_single(square, -0.5F * RL_LOG2_E_SINGLE, offset), n = sum - offset;
    const float h_hi = rl_madd_single(n, 2 * RL_LN_2_HI_SINGLE, square);
    const float h_lo = rl_madd_single(n, 2 * RL_LN_2_LO_SINGLE, square_low), h = h_hi + h_lo, h2 = h * h;
    const float P_1 = rl_madd_single(-0x1.5558b4p-8F, h, 0x1.555492p-5F);
    const float P_3 = rl_madd_single(-0x1.6a4956p-15F, h, 0x1.12399ep-11F);
    const float P = rl_madd_single(rl_madd_single(P_3, h2, P_1), h, -0x1.fffffcp-3F), bend = rl_madd_single(h2, P, h_lo);
    const rl_pair_single K = rl_gelu_tail_single(t);
    const float line = 2 - h_hi, tail = rl_madd_single(K.hi, line, rl_madd_single(K.lo, line, -K.hi * bend));
    const float right = rl_at_least_single(x, 0); /* a negative x, too, is less than 0 as an integer */
    const float far = rl_madd_single(tail * rl_power_in_sum_single(sum), -0x1p-64F, right);
    return size >= 1.178F ? far : rl_gelu_near_single(x);
}

#endif

#define gelu(x) RL_AT_PRECISION(rl_gelu)(x)
#define gelu_d1(x) RL_AT_PRECISION(rl_gelu_d1)(x)
#define gelu_d2(x) RL_AT_PRECISION(rl_gelu_d2)(x)

#endif
