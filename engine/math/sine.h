/* Sine and cosine, for all finite numbers, and snake.
 *
 * With x / pi = k + y, k an integer and |y| <= 1/2:  sin(x) = (-1)^k sin(pi y),  cos(x) = sin(x + pi / 2): the same with 1/2
 * added to x / pi. One polynomial serves, sin(r) = r + r^3 T(r^2) for |r| <= pi / 2.
 *
 *     snake(x)  = x + sin^2(z) / alpha,  z = alpha x      never more than 3.7 times smaller than its terms
 *     snake'(x) = 1 + sin(2 z) = 2 sin^2(z + pi / 4)      the square has no difference to cancel in
 *     snake"(x) = 2 alpha cos(2 z)
 *
 * Reduction (Payne and Hanek 1983). With x = m 2^(8 j), m an integer, x / pi is modulo 2 what m times (2^(8 j) / pi modulo 2)
 * is: a number below 1 from a table, with as many bits as it takes. j = 0, and m = x, where x may have a fraction. The table is
 * the one exception from the rule that there are none; where a processor cannot look up a vector's elements in one, these loops
 * run element by element. The float nearest to a multiple of pi / 2 is some 2^-30 away from it, the double 2^-61. */
#ifndef RL_MATH_SINE_H
#define RL_MATH_SINE_H

#include "math/piecewise.h"
#include "math/sine_table.h"

/* j for x 2^shift, x of `digits` bits: the exponent of its last bit over 8, at least 0 and at most `last`. */
RL_INLINE int64_t rl_octave(double x, int digits, int64_t shift, int64_t last)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    const int64_t exponent = (int64_t)(bits >> 52 & 0x7ff) - (1022 + digits) + shift, least = exponent > 0 ? exponent : 0;
    const int64_t most = 8 * last;
    return (int64_t)((uint64_t)(least < most ? least : most) >> 3);
}

/* 2^(shift - 8 j) */
RL_INLINE double rl_octave_scale(int64_t shift, int64_t j)
{
    const uint64_t bits = (uint64_t)(1023 + shift - 8 * j) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return power;
}

/* x, less a multiple of 4; an even number, so 0 for our purpose, from 2^53 on. |result| <= 2, exact. */
RL_INLINE double rl_without_turns(double x)
{
    return rl_magnitude(x) < 0x1p53 ? x - 4 * rl_nearest_integer(0.25 * x) : 0;
}

/* (-1)^k for an integer |k| < 2^50. */
RL_INLINE double rl_parity_sign(double k)
{
    return 1 - 2 * rl_magnitude(k - 2 * rl_nearest_integer(0.5 * k));
}

/* y of x / pi + offset = k + y times (-1)^k, for an x that is a float; offset is 0 or 1/2. The first two products are exact, of
 * 24 by 29 bits, and so is the sum when it is small. The third is good to 2^-53 2^-26, which is 2^-48 of the smallest y. */
RL_INLINE double rl_half_turns_24(double x, double offset)
{
    const int64_t j = rl_octave(x, 24, 0, 13);
    const double m = x * rl_octave_scale(0, j);
    const double a = rl_without_turns(m * rl_half_turn_24[j][0]), b = m * rl_half_turn_24[j][1], c = m * rl_half_turn_24[j][2];
    const double k = rl_nearest_integer((a + b) + offset);
    return (((a - (k - offset)) + b) + c) * rl_parity_sign(k);
}

/* sin(r) for |r| <= pi / 2: relative error < 2^-50. */
RL_INLINE double rl_sine_near_24(double r)
{
    const double z = r * r;
    double T = -0x1.a109528685125p-41;
    T = rl_madd(T, z, 0x1.60f6f0d66e22ep-33);
    T = rl_madd(T, z, -0x1.ae63bdfa84fb9p-26);
    T = rl_madd(T, z, 0x1.71de394e5888bp-19);
    T = rl_madd(T, z, -0x1.a01a019e69965p-13);
    T = rl_madd(T, z, 0x1.1111111110067p-7);
    T = rl_madd(T, z, -0x1.555555555554fp-3);
    return rl_madd(r * z, T, r);
}

/* Relative errors < 2^-43. */
RL_INLINE double rl_sin_24(double x)
{
    const double r = 0x1.921fb54442d18p+1 * rl_half_turns_24(x, 0);
    const double result = rl_sine_near_24(rl_magnitude(x) < 1.5 ? x : r) + (rl_magnitude(x) < 0x1p1000 ? -0.0 : x - x);
    return x == 0 ? x : result; /* whose last sum would be +0 for -0 */
}

RL_INLINE double rl_cos_24(double x)
{
    return rl_sine_near_24(0x1.921fb54442d18p+1 * rl_half_turns_24(x, 0.5)) + (x - x);
}

/* x 2^shift / pi modulo 2, as a + b + c + d + e + f: |a| <= 2, |b|, |c| < 2^8, |d|, |e| < 2^-45, |f| < 2^-98. What is neglected
 * is below 2^-152. */
typedef struct rl_expansion {
    double a, b, c, d, e, f;
} rl_expansion;

RL_INLINE rl_expansion rl_expansion_of(double x, int64_t shift)
{
    const int64_t j = rl_octave(x, 53, shift, 126);
    const double m = x * rl_octave_scale(shift, j);
    const rl_double_double first = rl_two_product(m, rl_half_turn_53[j][0]), second = rl_two_product(m, rl_half_turn_53[j][1]);
    const rl_double_double third = rl_two_product(m, rl_half_turn_53[j][2]);
    return (rl_expansion){
        rl_without_turns(first.hi), first.lo, second.hi, second.lo, third.hi, rl_madd(m, rl_half_turn_53[j][3], third.lo)};
}

/* pi y (-1)^k for x / pi + offset = k + y. Relative error < 2^-85 for the smallest y, 2^-102 for most: all sums but the last
 * are exact, and k goes before the small terms come. */
RL_INLINE rl_double_double rl_angle_53(double x, double offset)
{
    const rl_expansion p = rl_expansion_of(x, 0);
    const rl_double_double s1 = rl_two_sum(p.a, p.b), s2 = rl_two_sum(s1.hi, p.c);
    const double k = rl_nearest_integer(s2.hi + offset);
    const rl_double_double top = rl_two_sum(s2.hi, offset - k);
    const rl_double_double u1 = rl_two_sum(top.hi, s2.lo), u2 = rl_two_sum(u1.hi, s1.lo);
    const rl_double_double u3 = rl_two_sum(u2.hi, p.d), u4 = rl_two_sum(u3.hi, p.e);
    const double rest = (((top.lo + u1.lo) + u2.lo) + u3.lo) + (u4.lo + p.f);
    const rl_double_double pi = {0x1.921fb54442d18p+1, 0x1.1a62633145c07p-53};
    return rl_dd_scale(rl_dd_multiply(rl_fast_two_sum(u4.hi, rest), pi), rl_parity_sign(k));
}

/* The same for alpha x, which has 106 bits and, scaled by 2^-128 if x is large, cannot overflow. */
RL_INLINE rl_double_double rl_angle_of_product_53(double alpha, double x, double offset)
{
    const int64_t shift = rl_magnitude(x) > 0x1p900 ? 128 : 0;
    const rl_double_double z = rl_two_product(alpha, rl_magnitude(x) > 0x1p900 ? x * 0x1p-128 : x);
    const rl_expansion p = rl_expansion_of(z.hi, shift), q = rl_expansion_of(z.lo, shift);
    const rl_double_double s1 = rl_two_sum(p.a, p.b), s2 = rl_two_sum(s1.hi, p.c), s3 = rl_two_sum(s2.hi, q.a);
    const rl_double_double s4 = rl_two_sum(s3.hi, q.b), s5 = rl_two_sum(s4.hi, q.c);
    const double k = rl_nearest_integer(s5.hi + offset);
    const rl_double_double top = rl_two_sum(s5.hi, offset - k);
    const rl_double_double u1 = rl_two_sum(top.hi, s5.lo), u2 = rl_two_sum(u1.hi, s4.lo), u3 = rl_two_sum(u2.hi, s3.lo);
    const rl_double_double u4 = rl_two_sum(u3.hi, s2.lo), u5 = rl_two_sum(u4.hi, s1.lo), u6 = rl_two_sum(u5.hi, p.d);
    const rl_double_double u7 = rl_two_sum(u6.hi, p.e), u8 = rl_two_sum(u7.hi, q.d), u9 = rl_two_sum(u8.hi, q.e);
    const double high = ((top.lo + u1.lo) + (u2.lo + u3.lo)) + (u4.lo + u5.lo);
    const double rest = high + ((u6.lo + u7.lo) + (u8.lo + u9.lo) + (p.f + q.f));
    const rl_double_double pi = {0x1.921fb54442d18p+1, 0x1.1a62633145c07p-53};
    return rl_dd_scale(rl_dd_multiply(rl_two_sum(u9.hi, rest), pi), rl_parity_sign(k));
}

/* sin(r) / r for |r| <= pi / 2: relative error < 2^-56. The polynomial is good to 2^-69; what is summed in plain double
 * starts with r^6 / 7!, 0.005 of the result. */
RL_INLINE rl_double_double rl_sine_ratio_53(rl_double_double r)
{
    const rl_double_double z = rl_dd_multiply(r, r);
    double T = 0x1.68d055b403de8p-66;
    T = rl_madd(T, z.hi, -0x1.2f3270e25352bp-57);
    T = rl_madd(T, z.hi, 0x1.952c339c5ea2ep-49);
    T = rl_madd(T, z.hi, -0x1.ae7f3dfd21b99p-41);
    T = rl_madd(T, z.hi, 0x1.6124613a06b06p-33);
    T = rl_madd(T, z.hi, -0x1.ae64567f53a4fp-26);
    T = rl_madd(T, z.hi, 0x1.71de3a556c72cp-19);
    T = rl_madd(T, z.hi, -0x1.a01a01a01a01ap-13);
    const rl_double_double high = rl_dd_multiply((rl_double_double){T, 0}, z), sum2 = rl_two_sum(0x1.1111111111111p-7, high.hi);
    const rl_double_double T1 = rl_fast_two_sum(sum2.hi, sum2.lo + (high.lo + 0x1.10f37299121acp-63));
    const rl_double_double middle = rl_dd_multiply(T1, z), sum1 = rl_two_sum(-0x1.5555555555555p-3, middle.hi);
    const rl_double_double T0 = rl_fast_two_sum(sum1.hi, sum1.lo + (middle.lo + -0x1.555553df29457p-57));
    return rl_dd_add_double(1, rl_dd_multiply(T0, z));
}

RL_INLINE rl_double_double rl_sine_near_53(rl_double_double r)
{
    return rl_dd_multiply(rl_sine_ratio_53(r), r);
}

/* Error < 0.7 ULP. Below 2^-30, x, off by 2^-62 of it. */
RL_INLINE double rl_sin_53(double x)
{
    const rl_double_double far = rl_angle_53(x, 0);
    const double magnitude = rl_magnitude(x);
    const rl_double_double r = {magnitude < 1.5 ? x : far.hi, magnitude < 1.5 ? 0 : far.lo};
    const double result = magnitude < 0x1p-30 ? x : rl_sine_near_53(r).hi;
    return magnitude <= 0x1.fffffffffffffp1023 ? result : x - x;
}

/* Error < 0.7 ULP. */
RL_INLINE double rl_cos_53(double x)
{
    return rl_sine_near_53(rl_angle_53(x, 0.5)).hi + (x - x);
}

/* Relative errors < 2^-41. A float times alpha has up to 77 bits, so this reduction is that of the other tier. */
RL_INLINE double rl_snake_24(double x, double alpha)
{
    const double sine = rl_sine_near_24(rl_angle_of_product_53(alpha, x, 0).hi), magnitude = rl_magnitude(x);
    return ((magnitude < 0x1p1000) & (magnitude > 0)) ? x + sine * sine / alpha : x;
}

RL_INLINE double rl_snake_d1_24(double x, double alpha)
{
    const double sine = rl_sine_near_24(rl_angle_of_product_53(alpha, x, 0.25).hi);
    return 2 * sine * sine + (x - x);
}

RL_INLINE double rl_snake_d2_24(double x, double alpha)
{
    return 2 * alpha * rl_sine_near_24(rl_angle_of_product_53(2 * alpha, x, 0.5).hi) + (x - x);
}

/* Error < 0.6 ULP. */
RL_INLINE double rl_snake_53(double x, double alpha)
{
    const rl_double_double sine = rl_sine_near_53(rl_angle_of_product_53(alpha, x, 0));
    const rl_double_double bump = rl_dd_divide(rl_dd_multiply(sine, sine), (rl_double_double){alpha, 0});
    const rl_double_double sum = rl_two_sum(x, bump.hi);
    const double magnitude = rl_magnitude(x);
    return ((magnitude < 0x1p900) & (magnitude > 0)) ? sum.hi + (sum.lo + bump.lo) : x;
}

/* Error < 0.7 ULP. */
RL_INLINE double rl_snake_d1_53(double x, double alpha)
{
    const rl_double_double sine = rl_sine_near_53(rl_angle_of_product_53(alpha, x, 0.25));
    return 2 * rl_dd_multiply(sine, sine).hi + (x - x);
}

/* Error < 0.7 ULP. */
RL_INLINE double rl_snake_d2_53(double x, double alpha)
{
    const rl_double_double sine = rl_sine_near_53(rl_angle_of_product_53(2 * alpha, x, 0.5));
    return rl_dd_multiply(sine, (rl_double_double){2 * alpha, 0}).hi + (x - x);
}

/* Derivatives of snake = x + sin^2(alpha x) / alpha by alpha, in plain double. With s = sin(alpha x) / alpha, c = cos(alpha x):
 *     d/dalpha      s (2 x c - s)
 *     d^2/dx dalpha 2 x cos(2 alpha x)
 *     d^2/dalpha^2  2 (x^2 cos(2 alpha x) - 2 x s c + s^2) / alpha
 * the last, for |alpha x| < 1/8, from sin^2's series, good to 2^-50: -2 x^2 t^2 (1 - 4/9 t^2 + 1/15 t^4 - ...) / alpha. */
typedef struct rl_snake_parts {
    double s, c, cos2;
} rl_snake_parts;

RL_INLINE rl_snake_parts rl_snake_parts_24(double x, double alpha)
{
    return (rl_snake_parts){
        rl_sine_near_24(rl_angle_of_product_53(alpha, x, 0).hi) / alpha,
        rl_sine_near_24(rl_angle_of_product_53(alpha, x, 0.5).hi),
        rl_sine_near_24(rl_angle_of_product_53(2 * alpha, x, 0.5).hi),
    };
}

RL_INLINE rl_snake_parts rl_snake_parts_53(double x, double alpha)
{
    return (rl_snake_parts){
        rl_sine_near_53(rl_angle_of_product_53(alpha, x, 0)).hi / alpha,
        rl_sine_near_53(rl_angle_of_product_53(alpha, x, 0.5)).hi,
        rl_sine_near_53(rl_angle_of_product_53(2 * alpha, x, 0.5)).hi,
    };
}

RL_INLINE double rl_snake_by_alpha(double x, rl_snake_parts p)
{
    return p.s * (2 * x * p.c - p.s) + (x - x);
}

RL_INLINE double rl_snake_d1_by_alpha(double x, rl_snake_parts p)
{
    return 2 * x * p.cos2 + (x - x);
}

RL_INLINE double rl_snake_by_alpha_d1(double x, double alpha, rl_snake_parts p)
{
    const double z = alpha * x * (alpha * x);
    double series = -0x1.ebe062daa97dfp-18;
    series = rl_madd(series, z, 0x1.ed284dc73b445p-13);
    series = rl_madd(series, z, -0x1.4ce19ae67b348p-8);
    series = rl_madd(series, z, 0x1.1111111111111p-4);
    series = rl_madd(series, z, -0x1.c71c71c71c71cp-2);
    series = rl_madd(series, z, 1);
    const double far = x * x * p.cos2 + p.s * (p.s - 2 * x * p.c);
    return 2 * (z < 0x1p-6 ? -x * x * z * series : far) / alpha + (x - x);
}

#define sin(x) RL_AT_PRECISION(rl_sin)(x)
#define cos(x) RL_AT_PRECISION(rl_cos)(x)
#define snake(x, alpha) RL_AT_PRECISION(rl_snake)(x, alpha)
#define snake_d1(x, alpha) RL_AT_PRECISION(rl_snake_d1)(x, alpha)
#define snake_d2(x, alpha) RL_AT_PRECISION(rl_snake_d2)(x, alpha)
#define snake_by_alpha(x, alpha) rl_snake_by_alpha(x, RL_AT_PRECISION(rl_snake_parts)(x, alpha))
#define snake_d1_by_alpha(x, alpha) rl_snake_d1_by_alpha(x, RL_AT_PRECISION(rl_snake_parts)(x, alpha))
#define snake_by_alpha_d1(x, alpha) rl_snake_by_alpha_d1(x, alpha, RL_AT_PRECISION(rl_snake_parts)(x, alpha))

#endif
