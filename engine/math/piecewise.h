/* Straight lines and what is made of them, where plain arithmetic would cancel, overflow or meet 0 times infinity.
 * Unless there are two tiers, one function serves both: its error is below 0.51 ULP of a double. */
#ifndef RL_MATH_PIECEWISE_H
#define RL_MATH_PIECEWISE_H

#include "math/double_double.h"

/* a x, where a = 0 gives 0 (of the product's sign) at infinities too. */
RL_INLINE double rl_times(double a, double x)
{
    const double finite = rl_magnitude(x) > 0x1.fffffffffffffp1023 ? rl_copy_sign(1, x) : x;
    return a * (a == 0 ? finite : x);
}

/* start + a (x - origin), near its zero as well: the three steps are exact but for a times the low part of the difference and
 * the sum of the low parts, 2^-105 of the largest term. Where x or the product leaves 2^-900 ... 2^900, in magnitude, the sum
 * is a plain one: within 0.51 ULP of it start and origin would have to be as extreme. But where a x lies halfway between the
 * largest double and the next, which would be infinite, start and origin decide, and the largest is right to 0.51 ULP. */
RL_INLINE double rl_line(double start, double a, double x, double origin)
{
    const rl_double_double difference = rl_two_sum(x, -origin), product = rl_two_product(a, difference.hi);
    const rl_double_double sum = rl_two_sum(product.hi, start);
    const double exact = sum.hi + (sum.lo + rl_madd(a, difference.lo, product.lo));
    const double plain = start + rl_times(a, x - origin), size = rl_magnitude(product.hi);
    const rl_double_double far = rl_two_product(a, 0x1p-400 * x);
    const double tie = rl_copy_sign(0x1p624, far.hi), rest = rl_copy_sign(0x1p570, -far.hi);
    const double last = ((far.hi == tie) & (far.lo == rest)) ? rl_copy_sign(0x1.fffffffffffffp1023, far.hi) : plain;
    return ((size > 0x1p-900) & (size < 0x1p900) & (rl_magnitude(x) < 0x1p900)) ? exact : last;
}

/* alpha x + beta. */
RL_INLINE double rl_affine_53(double x, double alpha, double beta)
{
    return rl_line(beta, alpha, x, 0);
}

/* For a float x, rounded once where there is a fused multiply-add. As in rl_times, 0 Inf is 0. */
RL_INLINE double rl_affine_24(double x, double alpha, double beta)
{
#if defined(RL_HAS_FMA)
    const double finite = rl_magnitude(x) > 0x1p200 ? 1 : x;
    return rl_madd(alpha, alpha == 0 ? finite : x, beta);
#else
    return rl_affine_53(x, alpha, beta);
#endif
}

/* The line through (t_right, t_right) of slope a_right from there on, that through (t_left, t_left) of slope a_left up to there,
 * and x between them. */
RL_INLINE double rl_srelu_53(double x, double t_right, double a_right, double t_left, double a_left)
{
    const bool right = x >= t_right;
    const double t = right ? t_right : t_left, outer = rl_line(t, right ? a_right : a_left, x, t);
    return (right | (x <= t_left)) ? outer : x;
}

/* For a float x, to 2^-105 of the largest term: only where that of `low` counts has the first sum lost anything. */
RL_INLINE double rl_srelu_24(double x, double t_right, double a_right, double t_left, double a_left)
{
#if defined(RL_HAS_FMA)
    const bool right = x >= t_right;
    const double t = right ? t_right : t_left, a = right ? a_right : a_left;
    const double bounded = rl_magnitude(x) > 0x1p200 ? rl_copy_sign(0x1p200, x) : x, low = rl_two_sum(bounded, -t).lo;
    const double outer = rl_madd(a, low, rl_madd(a, (a == 0 ? bounded : x) - t, t));
    return (right | (x <= t_left)) ? outer : x;
#else
    return rl_srelu_53(x, t_right, a_right, t_left, a_left);
#endif
}

/* a x, a in two parts, |x| < 2^995. Error < 0.51 ULP; where it is subnormal or nearly, so that parts of parts would be, < 1.5
 * ULP. */
RL_INLINE double rl_dd_times(rl_double_double a, double x)
{
    const rl_double_double product = rl_two_product(a.hi, x);
    const double low = rl_magnitude(product.hi) > 0x1p-900 ? product.lo : 0;
    return x == 0 ? product.hi : product.hi + (low + a.lo * x);
}

/* ---- Bounds that are doubles, of floats: what compares with the nearest float on their side compares with them ---- */

/* The largest float that is <= a, for a finite a. */
RL_INLINE float rl_float_below(double a)
{
    const float near = (float)a;
    uint32_t bits;
    memcpy(&bits, &near, sizeof bits);
    bits = near > 0 ? bits - 1 : near < 0 ? bits + 1 : 0x80000001;
    float next;
    memcpy(&next, &bits, sizeof next);
    return (double)near <= a ? near : next;
}

/* x, but `value` where x <= edge. */
RL_INLINE float rl_raised_24(float x, double edge, double value)
{
    return x <= rl_float_below(edge) ? (float)value : x;
}

RL_INLINE double rl_raised_53(double x, double edge, double value)
{
    return x <= edge ? value : x;
}

/* Its derivative. */
RL_INLINE float rl_raised_d1_24(float x, double edge)
{
    return x <= rl_float_below(edge) ? 0 : constant(1, x);
}

RL_INLINE double rl_raised_d1_53(double x, double edge)
{
    return x <= edge ? 0 : constant(1, x);
}

/* x, a float, or the bound that it is beyond. Compared as floats, of which a vector has twice as many. */
RL_INLINE double rl_bounded_float(double x, float low, float high)
{
    const float value = (float)x, above = value < low ? low : value;
    return (double)(above > high ? high : above);
}

/* |x| <= a, a >= 0 */
RL_INLINE bool rl_is_within_24(float x, double a)
{
    return __builtin_fabsf(x) <= rl_float_below(a);
}

RL_INLINE bool rl_is_within_53(double x, double a)
{
    return rl_magnitude(x) <= a;
}

/* x where low < x < high; else low, or, where x is above that, high. */
RL_INLINE float rl_clamped_24(float x, double low, double high)
{
    return x <= rl_float_below(low) ? (float)low : x >= -rl_float_below(-high) ? (float)high : x;
}

RL_INLINE double rl_clamped_53(double x, double low, double high)
{
    return x <= low ? low : x >= high ? high : x;
}

/* Its derivative. */
RL_INLINE float rl_clamped_d1_24(float x, double low, double high)
{
    return x <= rl_float_below(low) ? 0 : x >= -rl_float_below(-high) ? 0 : constant(1, x);
}

RL_INLINE double rl_clamped_d1_53(double x, double low, double high)
{
    return x <= low ? 0 : x >= high ? 0 : constant(1, x);
}

/* |x| - a with the sign of x, a >= 0; 0 where it is less. a is taken in two parts, and what the first difference loses is added
 * to the second: error < 0.51 ULP, and < 1 ULP where a is so small that its second part is not all there. */
RL_INLINE float rl_shrunk_24(float x, double a)
{
    const float below = rl_float_below(a), nearest = (float)a, hi = nearest < __builtin_inff() ? nearest : below;
    const float lo = (float)(a - (double)hi), size = __builtin_fabsf(x);
    const float near = size - hi, low = ((size - near) - hi) - lo;
    const float shrunk = near + (near < __builtin_inff() ? low : 0); /* infinities have no low part */
    return size > below ? __builtin_copysignf(shrunk, x) : constant(0, x);
}

RL_INLINE double rl_shrunk_53(double x, double a)
{
    return x > a ? x - a : x < -a ? x + a : constant(0, x);
}

/* ---- Slopes ---- */

/* x > 0 ? x : slope x. */
RL_INLINE double rl_leaky_24(double x, double slope)
{
    return x > 0 ? x : slope * x;
}

RL_INLINE double rl_leaky_53(double x, double slope)
{
    return rl_leaky_24(x, slope);
}

RL_INLINE double rl_leaky_d1_24(double x, double slope)
{
    return x > 0 ? 1 : constant(slope, x);
}

RL_INLINE double rl_leaky_d1_53(double x, double slope)
{
    return rl_leaky_d1_24(x, slope);
}

#if defined(RL_HAS_FMA)

/* A slope in two parts, to 2^-47 of it, of one sign, so that at zeros and infinities their products with x are, too. Where it
 * is a float, the second is next to nothing instead of 0. */
RL_INLINE rl_pair_single rl_slope_in_parts(double slope)
{
    const float hi = __builtin_copysignf(rl_float_below(rl_magnitude(slope)), (float)slope), lo = (float)(slope - (double)hi);
    return (rl_pair_single){hi, lo == 0 ? hi * 0x1p-60F : lo};
}

/* Error < 0.51 ULP; < 0.8 ULP where the product with the second part is subnormal. */
RL_INLINE float rl_leaky_single(float x, double slope)
{
    const rl_pair_single a = rl_slope_in_parts(slope);
    return x > 0 ? x : rl_madd_single(x, a.hi, x * a.lo);
}

RL_INLINE rl_slope_single rl_leaky_d1_single(float x, double slope)
{
    const rl_pair_single a = rl_slope_in_parts(slope);
    return (rl_slope_single){x > 0 ? 1 : constant(a.hi, x), x > 0 ? 0 : a.lo, false};
}

#endif

/* ---- Parabolas ---- */

/* (a + b) / 6, of relative error < 2^-52. */
RL_INLINE double rl_sixth_24(double a, double b)
{
    return (a + b) * (1.0 / 6);
}

/* (a + b) / 6: the exact sum times 1/6 in two parts. */
RL_INLINE rl_double_double rl_sixth_in_parts(double a, double b)
{
    const rl_double_double sixth = {0x1.5555555555555p-3, 0x1.5555555555555p-57};
    return rl_dd_multiply(rl_two_sum(a, b), sixth);
}

/* The same, rounded: error < 0.51 ULP. */
RL_INLINE double rl_sixth_53(double a, double b)
{
    return rl_sixth_in_parts(a, b).hi;
}

/* x (x + 3) / 6. */
RL_INLINE double rl_hard_swish_bend_24(double x)
{
    return x * rl_sixth_24(x, 3);
}

#if defined(RL_HAS_FMA)

/* (a + b) / 6, |a| <= |b| or the sum exact: of relative error < 2^-46. What underflows no longer counts. */
RL_INLINE rl_pair_single rl_sixth_single(float a, float b)
{
    const float sixth = 0x1.555556p-3F, sixth_low = -0x1.555556p-28F;
    const float sum = b + a, sum_low = a - (sum - b), hi = sum * sixth;
    const float product_low = rl_madd_single(sum, sixth, -hi);
    return (rl_pair_single){hi, rl_madd_single(sum, sixth_low, rl_madd_single(sum_low, sixth, product_low))};
}

/* (x + 3) / 6, |x| <= 3. Error < 0.51 ULP. */
RL_INLINE float rl_hard_sigmoid_slope_single(float x)
{
    const rl_pair_single sixth = rl_sixth_single(x, 3);
    return sixth.hi + sixth.lo;
}

/* hard_sigmoid', 1/6 in two parts. */
RL_INLINE rl_slope_single rl_hard_sigmoid_d1_single(float x)
{
    const bool flat = (x <= -3) | (x >= 3);
    return (rl_slope_single){flat ? 0 : constant(0x1.555556p-3F, x), flat ? 0 : -0x1.555556p-28F, false};
}

/* |x| <= 3. Error < 0.51 ULP, subnormals included: one rounding. The sign is that of x at +-0 too. */
RL_INLINE float rl_hard_swish_bend_single(float x)
{
    const rl_pair_single factor = rl_sixth_single(x, 3);
    return __builtin_copysignf(rl_madd_single(x, factor.hi, x * factor.lo), x);
}

/* hard_swish', to a relative error < 2^-46. */
RL_INLINE rl_slope_single rl_hard_swish_d1_single(float x)
{
    const rl_pair_single bend = rl_sixth_single(2 * x, 3);
    const float hi = x >= 3 ? 1 : bend.hi, lo = x >= 3 ? 0 : bend.lo;
    return (rl_slope_single){x <= -3 ? 0 : hi, x <= -3 ? 0 : lo, false};
}

#endif

RL_INLINE double rl_hard_sigmoid_slope_24(double x)
{
    return rl_sixth_24(x, 3);
}

RL_INLINE double rl_hard_sigmoid_slope_53(double x)
{
    return rl_sixth_53(x, 3);
}

RL_INLINE double rl_hard_sigmoid_d1_24(double x)
{
    return ((x <= -3) | (x >= 3)) ? 0 : constant(1.0 / 6, x);
}

RL_INLINE double rl_hard_sigmoid_d1_53(double x)
{
    return rl_hard_sigmoid_d1_24(x);
}

/* Error as rl_dd_times. */
RL_INLINE double rl_hard_swish_bend_53(double x)
{
    const rl_double_double factor = rl_sixth_in_parts(x, 3);
    return rl_dd_times(factor, x);
}

RL_INLINE double rl_hard_swish_d1_24(double x)
{
    return x <= -3 ? 0 : x >= 3 ? 1 : rl_sixth_24(2 * x, 3);
}

RL_INLINE double rl_hard_swish_d1_53(double x)
{
    return x <= -3 ? 0 : x >= 3 ? 1 : rl_sixth_53(2 * x, 3);
}

/* ((x + 1) / 2)^2. */
RL_INLINE double rl_sparse_plus_bend_24(double x)
{
    return 0.25 * (x + 1) * (x + 1);
}

/* Error < 0.51 ULP: the sum is exact. */
RL_INLINE double rl_sparse_plus_bend_53(double x)
{
    const rl_double_double sum = rl_two_sum(x, 1);
    return 0.25 * rl_dd_multiply(sum, sum).hi;
}

#define affine(x, alpha, beta) RL_AT_PRECISION(rl_affine)(x, alpha, beta)
#define srelu(x, t_right, a_right, t_left, a_left) RL_AT_PRECISION(rl_srelu)(x, t_right, a_right, t_left, a_left)
#define leaky(x, slope) RL_AT_PRECISION(rl_leaky)(x, slope)
#define leaky_d1(x, slope) RL_AT_PRECISION(rl_leaky_d1)(x, slope)
#define raised(x, edge, value) RL_AT_PRECISION(rl_raised)(x, edge, value)
#define raised_d1(x, edge) RL_AT_PRECISION(rl_raised_d1)(x, edge)
#define is_within(x, a) RL_AT_PRECISION(rl_is_within)(x, a)
#define clamped(x, low, high) RL_AT_PRECISION(rl_clamped)(x, low, high)
#define clamped_d1(x, low, high) RL_AT_PRECISION(rl_clamped_d1)(x, low, high)
#define shrunk(x, a) RL_AT_PRECISION(rl_shrunk)(x, a)
#define hard_sigmoid_slope(x) RL_AT_PRECISION(rl_hard_sigmoid_slope)(x)
#define hard_sigmoid_d1(x) RL_AT_PRECISION(rl_hard_sigmoid_d1)(x)
#define hard_swish_bend(x) RL_AT_PRECISION(rl_hard_swish_bend)(x)
#define hard_swish_d1(x) RL_AT_PRECISION(rl_hard_swish_d1)(x)
#define sparse_plus_bend(x) RL_AT_PRECISION(rl_sparse_plus_bend)(x)

#endif
