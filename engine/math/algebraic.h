/* Functions made of + - * / and one square root, with their first two derivatives. With w = alpha x^2 + b, r = sqrt(w):
 *
 *     softsign        x / (1 + |x|)           1 / (1 + |x|)^2                     -2 sign(x) / (1 + |x|)^3
 *     squareplus      (x + r) / 2             (1 + x / r) / 2                     b / (2 r^3)                  alpha = 1
 *     isru            x / r                   1 / (w r)                           -3 alpha x / (w^2 r)         b = 1
 *     inverse root    1 / r (asinh')          -x / (w r) (asinh")                                              alpha = b = 1
 *     bent identity   (r - 1) / 2 + x         x / (2 r) + 1                       1 / (2 r^3)                  alpha = b = 1
 *
 * What cancels is written without a difference:
 *     x + r = b / (r + |x|) and 1 + x / r = b / (r (r + |x|)) for x < 0 (alpha = 1), r - 1 = x^2 / (r + 1).
 * Every factor is then known to a small relative error, and what is subtracted is at most half of what it is subtracted from.
 * 1e-30 <= alpha, b <= 1e30 (2^-100 ... 2^100).
 *
 * f_24: the squares of floats are in double's range; what stands for infinity there is 2^400. Relative errors < 2^-49, a few
 * roundings. f_53: see rl_root_of_53. */
#ifndef RL_MATH_ALGEBRAIC_H
#define RL_MATH_ALGEBRAIC_H

#include "math/piecewise.h"

typedef struct rl_root_24 {
    double m, w, r; /* |x| */
} rl_root_24;

RL_INLINE rl_root_24 rl_root_of_24(double x, double alpha, double b)
{
    const double magnitude = rl_magnitude(x), m = magnitude > 0x1p400 ? 0x1p400 : magnitude;
    const double w = alpha * (m * m) + b;
    return (rl_root_24){m, w, __builtin_sqrt(w)};
}

RL_INLINE double rl_softsign_24(double x)
{
    const double m = rl_magnitude(x) > 0x1p400 ? rl_copy_sign(0x1p400, x) : x;
    return m / (1 + rl_magnitude(m));
}

RL_INLINE double rl_softsign_d1_24(double x)
{
    const double d = 1 + rl_magnitude(x);
    return 1 / (d * d);
}

RL_INLINE double rl_softsign_d2_24(double x)
{
    const double d = 1 + rl_magnitude(x);
    return (x > 0 ? -2 : 2) / (d * d * d);
}

RL_INLINE double rl_squareplus_24(double x, double b)
{
    const rl_root_24 root = rl_root_of_24(x, 1, b);
    return x > 0 ? 0.5 * (x + root.r) : 0.5 * b / (root.r + root.m);
}

RL_INLINE double rl_squareplus_d1_24(double x, double b)
{
    const rl_root_24 root = rl_root_of_24(x, 1, b);
    const double sum = root.r + root.m;
    return 0.5 * (x > 0 ? sum : b / sum) / root.r;
}

RL_INLINE double rl_squareplus_d2_24(double x, double b)
{
    const rl_root_24 root = rl_root_of_24(x, 1, b);
    return 0.5 * b / (root.w * root.r);
}

RL_INLINE double rl_isru_24(double x, double alpha)
{
    const rl_root_24 root = rl_root_of_24(x, alpha, 1);
    return rl_copy_sign(root.m / root.r, x);
}

RL_INLINE double rl_isru_d1_24(double x, double alpha)
{
    const rl_root_24 root = rl_root_of_24(x, alpha, 1);
    return 1 / (root.w * root.r);
}

RL_INLINE double rl_isru_d2_24(double x, double alpha)
{
    const rl_root_24 root = rl_root_of_24(x, alpha, 1);
    return rl_copy_sign(3 * alpha * root.m / (root.w * root.w * root.r), -x);
}

RL_INLINE double rl_inverse_root_24(double x)
{
    return 1 / rl_root_of_24(x, 1, 1).r;
}

RL_INLINE double rl_inverse_root_d1_24(double x)
{
    const rl_root_24 root = rl_root_of_24(x, 1, 1);
    return rl_copy_sign(root.m / (root.w * root.r), -x);
}

RL_INLINE double rl_bent_identity_24(double x)
{
    const rl_root_24 root = rl_root_of_24(x, 1, 1);
    return x + 0.5 * (root.m * root.m / (root.r + 1));
}

RL_INLINE double rl_bent_identity_d1_24(double x)
{
    const rl_root_24 root = rl_root_of_24(x, 1, 1);
    return 1 + rl_copy_sign(0.5 * root.m / root.r, x);
}

RL_INLINE double rl_bent_identity_d2_24(double x)
{
    const rl_root_24 root = rl_root_of_24(x, 1, 1);
    return 0.5 / (root.w * root.r);
}

/* sqrt(a) for a >= 2^-400 or so. Error < 2^-100: one step of Newton's from the rounded root, whose square is exact. */
RL_INLINE rl_double_double rl_dd_sqrt(rl_double_double a)
{
    const double root = __builtin_sqrt(a.hi);
    const rl_double_double square = rl_two_product(root, root);
    return rl_fast_two_sum(root, ((a.hi - square.hi) - square.lo + a.lo) / (2 * root));
}

/* For |x| <= 2^100, m = |x|. Beyond, m = 2^-200 |x| (or 2^-200 limit, where that is less) and w
 * and r are smaller by scale^2 and scale, so that their powers stay in range; the caller multiplies by the powers of `scale`
 * last, when a result that becomes subnormal by it is otherwise complete: an error of 0.51 ULP before, at most 1 ULP after. */
typedef struct rl_root_53 {
    double m, scale;
    rl_double_double w, r;
} rl_root_53;

RL_INLINE rl_root_53 rl_root_of_53(double x, double alpha, double b, double limit)
{
    const double magnitude = rl_magnitude(x), bounded = magnitude > limit ? limit : magnitude;
    const double scale = magnitude > 0x1p100 ? 0x1p-200 : 1, m = bounded * scale;
    const rl_double_double square = rl_dd_multiply(rl_two_product(m, m), (rl_double_double){alpha, 0});
    const rl_double_double sum = rl_two_sum(square.hi, b * scale * scale);
    const rl_double_double w = rl_fast_two_sum(sum.hi, sum.lo + square.lo);
    return (rl_root_53){m, scale, w, rl_dd_sqrt(w)};
}

/* r + a for a >= 0, to 2^-104. */
RL_INLINE rl_double_double rl_root_plus(rl_double_double r, double a)
{
    const rl_double_double sum = rl_two_sum(r.hi, a);
    return rl_fast_two_sum(sum.hi, sum.lo + r.lo);
}

RL_INLINE rl_double_double rl_dd_reciprocal(rl_double_double a)
{
    return rl_dd_divide((rl_double_double){1, 0}, a);
}

/* 1 / (1 + m), m = |x| for |x| <= limit. */
RL_INLINE rl_double_double rl_softsign_slope(double m)
{
    return rl_dd_reciprocal(rl_two_sum(1, m));
}

/* Error as rl_dd_times. Past 2^100, +-1. */
RL_INLINE double rl_softsign_53(double x)
{
    const double m = rl_magnitude(x) > 0x1p100 ? 0x1p100 : rl_magnitude(x);
    return rl_copy_sign(rl_dd_times(rl_softsign_slope(m), m), x);
}

/* Errors < 1 ULP: 2^500 or 2^700 times the result, scaled back last. 0 from 2^600 and 2^400 on. */
RL_INLINE double rl_softsign_d1_53(double x)
{
    const double m = rl_magnitude(x) > 0x1p600 ? 0x1p600 : rl_magnitude(x);
    const rl_double_double slope = rl_dd_scale(rl_softsign_slope(m), 0x1p250);
    return rl_dd_multiply(slope, slope).hi * 0x1p-500;
}

RL_INLINE double rl_softsign_d2_53(double x)
{
    const double m = rl_magnitude(x) > 0x1p400 ? 0x1p400 : rl_magnitude(x);
    const rl_double_double slope = rl_dd_scale(rl_softsign_slope(m), 0x1p200);
    const double cube = rl_dd_multiply(rl_dd_multiply(slope, slope), slope).hi;
    return (x > 0 ? -2 : 2) * (cube * 0x1p-300) * 0x1p-300;
}

/* Error < 0.6 ULP, < 1 ULP of a subnormal. Past 2^100, x or b / (4 |x|), off by 2^-100 of it. */
RL_INLINE double rl_squareplus_53(double x, double b)
{
    const rl_root_53 root = rl_root_of_53(x, 1, b, 0x1p400);
    const rl_double_double sum = rl_root_plus(root.r, root.m);
    const double far = x > 0 ? x : 0.25 * b / rl_magnitude(x);
    const double near = x > 0 ? 0.5 * sum.hi : rl_dd_divide((rl_double_double){0.5 * b, 0}, sum).hi;
    return root.scale < 1 ? far : near;
}

/* Error < 0.6 ULP, < 1 ULP of a subnormal. 0 at -2^620 and before. */
RL_INLINE double rl_squareplus_d1_53(double x, double b)
{
    const rl_root_53 root = rl_root_of_53(x, 1, b, 0x1p620);
    const rl_double_double sum = rl_root_plus(root.r, root.m), product = rl_dd_multiply(root.r, sum);
    const rl_double_double numerator = {x > 0 ? sum.hi : b, x > 0 ? sum.lo : 0};
    const rl_double_double denominator = {x > 0 ? root.r.hi : product.hi, x > 0 ? root.r.lo : product.lo};
    const double scale = x > 0 ? 1 : root.scale * root.scale;
    return 0.5 * rl_dd_divide(numerator, denominator).hi * scale;
}

/* c / r^3, alpha = 1. Error < 0.6 ULP, < 1 ULP of a subnormal. 0 from 2^500 on. */
RL_INLINE double rl_inverse_cube_53(double x, double b, double c)
{
    const rl_root_53 root = rl_root_of_53(x, 1, b, 0x1p500);
    const rl_double_double quotient = rl_dd_divide((rl_double_double){c, 0}, rl_dd_multiply(root.w, root.r));
    return quotient.hi * (root.scale * root.scale * root.scale);
}

RL_INLINE double rl_squareplus_d2_53(double x, double b)
{
    return rl_inverse_cube_53(x, b, 0.5 * b);
}

/* Error as rl_dd_times. */
RL_INLINE double rl_isru_53(double x, double alpha)
{
    const rl_root_53 root = rl_root_of_53(x, alpha, 1, 0x1p400);
    return rl_copy_sign(rl_dd_times(rl_dd_reciprocal(root.r), root.m), x);
}

/* Error < 0.6 ULP, < 1 ULP of a subnormal. 0 from 2^410 on. */
RL_INLINE double rl_isru_d1_53(double x, double alpha)
{
    const rl_root_53 root = rl_root_of_53(x, alpha, 1, 0x1p410);
    return rl_dd_reciprocal(rl_dd_multiply(root.w, root.r)).hi * (root.scale * root.scale * root.scale);
}

/* Error < 0.6 ULP, < 1.5 ULP of a subnormal. 0 from 2^400 on. */
RL_INLINE double rl_isru_d2_53(double x, double alpha)
{
    const rl_root_53 root = rl_root_of_53(x, alpha, 1, 0x1p400);
    const rl_double_double slope = rl_dd_reciprocal(rl_dd_multiply(root.w, root.r));
    const rl_double_double factor = rl_dd_multiply(slope, rl_dd_divide(rl_two_product(3, alpha), root.w));
    const double square = root.scale * root.scale;
    return rl_copy_sign(rl_dd_times(factor, root.m) * (square * square), -x);
}

/* 1 / sqrt(1 + x^2). Error < 0.6 ULP, < 1 ULP of a subnormal: past 2^100 it is 1 / |x|. */
RL_INLINE double rl_inverse_root_53(double x)
{
    const rl_root_53 root = rl_root_of_53(x, 1, 1, 0x1p400);
    return root.scale < 1 ? 1 / rl_magnitude(x) : rl_dd_reciprocal(root.r).hi;
}

/* Error < 0.6 ULP, < 1.5 ULP of a subnormal: past 2^100 it is -sign(x) / x^2, 0 from 2^540 on. */
RL_INLINE double rl_inverse_root_d1_53(double x)
{
    const rl_root_53 root = rl_root_of_53(x, 1, 1, 0x1p540);
    const rl_double_double near = rl_dd_reciprocal(rl_dd_multiply(root.w, root.r)), far = rl_dd_reciprocal(root.w);
    return rl_copy_sign(root.scale < 1 ? far.hi * (root.scale * root.scale) : rl_dd_times(near, root.m), -x);
}

/* Error < 0.6 ULP. Past 2^100, 3 x / 2 or x / 2. `tie` is where 3 x / 2 lies halfway between the largest double and the next,
 * and the 1 / 2 that is taken off decides. */
RL_INLINE double rl_bent_identity_53(double x)
{
    const rl_root_53 root = rl_root_of_53(x, 1, 1, 0x1p100);
    const rl_double_double bend = rl_dd_divide(rl_two_product(root.m, root.m), rl_root_plus(root.r, 1));
    const rl_double_double sum = rl_two_sum(x, 0.5 * bend.hi);
    const double tie = 0x1.5555555555555p1023, far = x == tie ? 0x1.fffffffffffffp1023 : (x > 0 ? 1.5 : 0.5) * x;
    return root.scale < 1 ? far : sum.hi + (sum.lo + 0.5 * bend.lo);
}

/* Error < 0.6 ULP. */
RL_INLINE double rl_bent_identity_d1_53(double x)
{
    const rl_root_53 root = rl_root_of_53(x, 1, 1, 0x1p400);
    const rl_double_double slope = rl_dd_divide((rl_double_double){rl_copy_sign(0.5 * root.m, x), 0}, root.r);
    return rl_dd_add_double(1, slope).hi;
}

RL_INLINE double rl_bent_identity_d2_53(double x)
{
    return rl_inverse_cube_53(x, 1, 0.5);
}

#if defined(RL_HAS_FMA)

/* d = 1 + m and what its rounding has lost, m >= 0. */
RL_INLINE rl_pair_single rl_one_plus_single(float m)
{
    const float d = 1 + m;
    return (rl_pair_single){d, rl_at_most_single(m, 1) - (d - rl_at_least_single(m, 1))};
}

/* The rounded quotient and what it lacks of m / d: error < 0.51 ULP. Past 2^60, 1. */
RL_INLINE float rl_softsign_single(float x)
{
    const float m = rl_at_most_single(__builtin_fabsf(x), 0x1p60F);
    const rl_pair_single d = rl_one_plus_single(m);
    const float inverse = 1 / d.hi, s = m * inverse;
    const float remainder = rl_madd_single(-s, d.lo, rl_madd_single(-s, d.hi, m));
    return x == x ? __builtin_copysignf(rl_madd_single(remainder, inverse, s), x) : x;
}

/* 1 / d^2 of 1 / d in two parts, to 2^-46. An infinite x has an infinite d, and a remainder of a finite one. */
RL_INLINE rl_slope_single rl_softsign_d1_single(float x)
{
    const float m = __builtin_fabsf(x), inverse = 1 / (1 + m);
    const rl_pair_single d = rl_one_plus_single(rl_at_most_single(m, 0x1.fffffep127F));
    const float remainder = rl_madd_single(-inverse, d.lo, rl_madd_single(-inverse, d.hi, 1));
    const bool deep = m > 0x1p50F;
    const float scaled = inverse * (deep ? 0x1p80F : 1), square = scaled * scaled;
    return (rl_slope_single){square, rl_madd_single(2 * square, remainder, rl_madd_single(scaled, scaled, -square)), deep};
}

/* 1 / r for r >= 1: a line between powers of two, read off the bits, and one step of Newton's. Off by 1/64 at most, by a
 * sixteenth of (r - 1)^2 near 1. */
RL_INLINE float rl_roughly_inverse_single(float r)
{
    uint32_t bits;
    memcpy(&bits, &r, sizeof bits);
    bits = 0x7f000000 - bits;
    float line;
    memcpy(&line, &bits, sizeof line);
    return line * rl_madd_single(-r, line, 2);
}

/* x + b, b = (r - 1) / 2, and what both have lost: since b^2 + b is to be x^2 / 4, b lacks what is left of that over 2 b + 1, r.
 * Error < 0.84 ULP, found over all floats. Past 2^60, 3 x / 2 or x / 2. */
RL_INLINE float rl_bent_identity_single(float x)
{
    const float size = __builtin_fabsf(x), m = rl_at_most_single(size, 0x1p60F), half = 0.5F * m;
    const float r = __builtin_sqrtf(rl_madd_single(m, m, 1)), b = rl_madd_single(0.5F, r, -0.5F);
    const float bend = rl_madd_single(b, b, b), bend_low = rl_madd_single(b, b, b - bend);
    const float rest = rl_madd_single(half, half, -bend) - bend_low;
    const float sum = x + b, sum_low = b - (sum - x);
    const float near = sum + rl_madd_single(rest, rl_roughly_inverse_single(r), sum_low);
    return size < 0x1p60F ? near : x * (x > 0 ? 1.5F : 0.5F);
}

/* 1 + q, q = x / (2 r) and what it lacks. Of r, 1 + m^2 - r^2 over 2 r is lacking, where only m^2 less the rounded square of r
 * rounds: 0.25 * 2^-24 of r at most. Past 2^14, q is 1/2. */
RL_INLINE rl_slope_single rl_bent_identity_d1_single(float x)
{
    const float size = __builtin_fabsf(x), m = size > 0x1p14F ? 0x1p14F : size, half = 0.5F * __builtin_copysignf(m, x);
    const float r = __builtin_sqrtf(rl_madd_single(m, m, 1)), square = r * r, inverse = 1 / r, q = half * inverse;
    const float lacking = (rl_madd_single(m, m, -square) + 1) - rl_madd_single(r, r, -square);
    const float r_low = 0.5F * (lacking * inverse);
    const float remainder = rl_madd_single(-q, r_low, rl_madd_single(-q, r, half)), sum = 1 + q;
    return (rl_slope_single){sum, rl_madd_single(remainder, inverse, q - (sum - 1)), false};
}

#endif

#define softsign(x) RL_AT_PRECISION(rl_softsign)(x)
#define softsign_d1(x) RL_AT_PRECISION(rl_softsign_d1)(x)
#define softsign_d2(x) RL_AT_PRECISION(rl_softsign_d2)(x)
#define squareplus(x, b) RL_AT_PRECISION(rl_squareplus)(x, b)
#define squareplus_d1(x, b) RL_AT_PRECISION(rl_squareplus_d1)(x, b)
#define squareplus_d2(x, b) RL_AT_PRECISION(rl_squareplus_d2)(x, b)
#define isru(x, alpha) RL_AT_PRECISION(rl_isru)(x, alpha)
#define isru_d1(x, alpha) RL_AT_PRECISION(rl_isru_d1)(x, alpha)
#define isru_d2(x, alpha) RL_AT_PRECISION(rl_isru_d2)(x, alpha)
#define inverse_root(x) RL_AT_PRECISION(rl_inverse_root)(x)
#define inverse_root_d1(x) RL_AT_PRECISION(rl_inverse_root_d1)(x)
#define bent_identity(x) RL_AT_PRECISION(rl_bent_identity)(x)
#define bent_identity_d1(x) RL_AT_PRECISION(rl_bent_identity_d1)(x)
#define bent_identity_d2(x) RL_AT_PRECISION(rl_bent_identity_d2)(x)

#endif
