/* Exponential growth and its left part, e^x, alpha e^x and alpha (e^x - 1), of which elu and its kin are made:
 *
 *     elu     x or alpha (e^x - 1)               1 or alpha e^x               0 or alpha e^x
 *     celu    x or alpha (e^(x / alpha) - 1)     1 or e^(x / alpha)           0 or e^(x / alpha) / alpha
 *     selu    S x or S A (e^x - 1)               S or S A e^x                 0 or S A e^x
 *
 * for x > 0 or x <= 0. f_24: relative errors < 2^-40, those of e^x and e^x - 1. f_53: < 0.6 ULP; a subnormal result that is not
 * e^x itself is rounded twice or thrice: < 1.5 ULP. */
#ifndef RL_MATH_GROWTH_H
#define RL_MATH_GROWTH_H

#include "math/exp.h"
#include "math/piecewise.h"

/* e^x - 1. Error < 2^-40: that of p counts 1.42 2^n / |e^x - 1| times, which is 2.4 at most, and not 1 only where n != 0. */
RL_INLINE double rl_expm1_24(double x)
{
    const rl_exp_parts_24 e = rl_exp_apart_24(x);
    return rl_copy_sign(rl_madd(e.power, e.p, e.power - 1), x);
}

/* e^(x + low) = 2^n m, 0.7 <= m < 1.42. Error of m < 0.04 2^-53. */
typedef struct rl_growth_53 {
    double n;
    rl_double_double m;
} rl_growth_53;

RL_INLINE rl_growth_53 rl_growth_of_53(double x, double low)
{
    const rl_exp_parts_53 e = rl_exp_apart_low_53(x, low);
    return (rl_growth_53){e.n, rl_dd_add_double(1, e.p)};
}

/* e^(x + low) - 1 for x <= 0: (2^n - 1) + 2^n p. Error < 0.09 2^-53. A 2^n below 2^-200 may as well be 2^-200. */
RL_INLINE rl_double_double rl_expm1_in_parts(double x, double low)
{
    const rl_exp_parts_53 e = rl_exp_apart_low_53(x, low);
    const double power = rl_power_of_two(e.n < -200 ? -200 : e.n);
    const rl_double_double rest = rl_fast_two_sum(-1, power), sum = rl_two_sum(rest.hi, e.p.hi * power);
    return rl_fast_two_sum(sum.hi, sum.lo + (rest.lo + e.p.lo * power));
}

RL_INLINE double rl_elu_24(double x, double alpha)
{
    return x > 0 ? x : alpha * rl_expm1_24(x);
}

RL_INLINE double rl_elu_53(double x, double alpha)
{
    const double left = rl_dd_times(rl_expm1_in_parts(x, 0), alpha);
    return x > 0 ? x : x == 0 ? alpha * x : left;
}

/* alpha e^x. */
RL_INLINE double rl_alpha_exp_24(double x, double alpha)
{
    return alpha * rl_exp_24(x);
}

RL_INLINE double rl_alpha_exp_53(double x, double alpha)
{
    const rl_growth_53 e = rl_growth_of_53(x, 0);
    return rl_scale(rl_dd_times(e.m, alpha), e.n);
}

RL_INLINE double rl_elu_d1_24(double x, double alpha)
{
    return x > 0 ? 1 : rl_alpha_exp_24(x, alpha);
}

RL_INLINE double rl_elu_d1_53(double x, double alpha)
{
    return x > 0 ? 1 : rl_alpha_exp_53(x, alpha);
}

RL_INLINE double rl_celu_24(double x, double alpha)
{
    return x > 0 ? x : alpha * rl_expm1_24(x / alpha);
}

/* e^(x / alpha) and that divided by alpha. The quotient's rounding counts |x / alpha| times: 2^-45 where a float comes out. */
RL_INLINE double rl_celu_exp_24(double x, double alpha)
{
    return rl_exp_24(x / alpha);
}

RL_INLINE double rl_celu_exp_d1_24(double x, double alpha)
{
    return rl_exp_24(x / alpha) / alpha;
}

/* x / alpha for x <= 0, 2^-100 <= alpha <= 2^100: where it is tiny, to within 2^-1074; where it is huge, -2^20 at most. */
RL_INLINE rl_double_double rl_celu_argument(double x, double alpha)
{
    const rl_double_double bounded = {x < -0x1p120 ? -0x1p120 : x, 0}, divisor = {alpha, 0};
    return rl_dd_divide(bounded, divisor);
}

/* Above -2^-60 alpha, x, off by 2^-61 of it. */
RL_INLINE double rl_celu_53(double x, double alpha)
{
    const rl_double_double t = rl_celu_argument(x, alpha);
    const double left = rl_dd_times(rl_expm1_in_parts(t.hi, t.lo), alpha);
    return x > -0x1p-60 * alpha ? x : left;
}

RL_INLINE double rl_celu_exp_53(double x, double alpha)
{
    const rl_double_double t = rl_celu_argument(x, alpha);
    const rl_growth_53 e = rl_growth_of_53(t.hi, t.lo);
    return rl_dd_round(e.m, e.n);
}

RL_INLINE double rl_celu_exp_d1_53(double x, double alpha)
{
    const rl_double_double t = rl_celu_argument(x, alpha), divisor = {alpha, 0};
    const rl_growth_53 e = rl_growth_of_53(t.hi, t.lo);
    return rl_scale(rl_dd_divide(e.m, divisor).hi, e.n);
}

RL_INLINE double rl_celu_d1_24(double x, double alpha)
{
    return x > 0 ? 1 : rl_celu_exp_24(x, alpha);
}

RL_INLINE double rl_celu_d1_53(double x, double alpha)
{
    return x > 0 ? 1 : rl_celu_exp_53(x, alpha);
}

/* S and A, of 32 digits in the paper's code, are the doubles nearest to them; S A is their exact product. */
#define RL_SELU_SCALE 0x1.0cfabd6a91132p+0
#define RL_SELU_ALPHA 0x1.ac5afad782cf1p+0

RL_INLINE double rl_selu_24(double x)
{
    return x > 0 ? RL_SELU_SCALE * x : RL_SELU_SCALE * RL_SELU_ALPHA * rl_expm1_24(x);
}

RL_INLINE double rl_selu_exp_24(double x)
{
    return RL_SELU_SCALE * RL_SELU_ALPHA * rl_exp_24(x);
}

/* Above -2^-60, S A x, off by 2^-61 of it. */
RL_INLINE double rl_selu_53(double x)
{
    const rl_double_double product = rl_two_product(RL_SELU_SCALE, RL_SELU_ALPHA);
    const double left = rl_dd_multiply(product, rl_expm1_in_parts(x, 0)).hi;
    return x > 0 ? RL_SELU_SCALE * x : x > -0x1p-60 ? rl_dd_times(product, x) : left;
}

RL_INLINE double rl_selu_exp_53(double x)
{
    const rl_double_double product = rl_two_product(RL_SELU_SCALE, RL_SELU_ALPHA);
    const rl_growth_53 e = rl_growth_of_53(x, 0);
    return rl_scale(rl_dd_multiply(product, e.m).hi, e.n);
}

RL_INLINE double rl_selu_d1_24(double x)
{
    return x > 0 ? RL_SELU_SCALE : rl_selu_exp_24(x);
}

RL_INLINE double rl_selu_d1_53(double x)
{
    return x > 0 ? RL_SELU_SCALE : rl_selu_exp_53(x);
}

#if defined(RL_HAS_FMA)

/* Error < 0.88 ULP, found over the floats for alpha = 1. Nothing is left of e^x below -24. */
RL_INLINE float rl_elu_single(float x, double alpha)
{
    const float alpha_hi = (float)alpha, alpha_low = (float)(alpha - (double)alpha_hi);
    const rl_pair_single e = rl_expm1_single(x < -24 ? -24 : x, 0);
    const float low = rl_madd_single(alpha_hi, e.lo, alpha_low * e.hi);
    const float left = __builtin_copysignf(rl_madd_single(alpha_hi, e.hi, low), alpha_hi * x);
    return x > 0 ? x : left;
}

/* The same; close to 0, x. */
RL_INLINE float rl_celu_single(float x, double alpha)
{
    const float alpha_hi = (float)alpha, alpha_low = (float)(alpha - (double)alpha_hi);
    const double inverse = 1 / alpha;
    const float inverse_hi = (float)inverse, inverse_low = (float)(inverse - (double)inverse_hi);
    const float lowest = (float)(-24 * alpha), small = (float)(-0x1p-30 * alpha);
    const float bounded = x < lowest ? lowest : x, z = inverse_hi * bounded;
    const rl_pair_single e = rl_expm1_single(z, rl_madd_single(inverse_low, bounded, rl_madd_single(inverse_hi, bounded, -z)));
    const float left = rl_madd_single(alpha_hi, e.hi, rl_madd_single(alpha_hi, e.lo, alpha_low * e.hi));
    return x > small ? x : left;
}

/* S x or S A (e^x - 1). Error < 0.87 ULP, found over the floats. Near 0, all is greater by 2^64 until the end, where the result
 * may become subnormal. */
RL_INLINE float rl_selu_single(float x)
{
    const float scale = (float)RL_SELU_SCALE, scale_low = (float)(RL_SELU_SCALE - (double)scale);
    const float product = (float)(RL_SELU_SCALE * RL_SELU_ALPHA);
    const float product_low = (float)(RL_SELU_SCALE * RL_SELU_ALPHA - (double)product);
    const rl_pair_single e = rl_expm1_single(x < -24 ? -24 : x, 0);
    const float factor = x > 0 ? scale : product, factor_low = x > 0 ? scale_low : product_low;
    const float value = x > 0 ? x : e.hi, value_low = x > 0 ? 0 : e.lo;
    const bool tiny = __builtin_fabsf(x) < 0x1p-60F;
    const float scaled = tiny ? value * 0x1p64F : value;
    const float low = rl_madd_single(factor, value_low, factor_low * rl_at_most_single(scaled, 0x1.fffffep127F));
    const float result = rl_madd_single(factor, scaled, low);
    return __builtin_copysignf(tiny ? result * 0x1p-64F : result, x);
}

/* 1, or (hi + lo) power, or 0. */
RL_INLINE rl_slope_single rl_slope_of_growth_single(float x, float hi, float lo, float power, bool deep, bool nothing)
{
    const float factor = nothing ? 0 : power;
    return (rl_slope_single){x > 0 ? 1 : hi * factor, ((x > 0) | nothing) ? 0 : lo * factor, deep};
}

/* 1 or alpha e^x. */
RL_INLINE rl_slope_single rl_elu_d1_single(float x, double alpha)
{
    const float alpha_hi = (float)alpha, alpha_low = (float)(alpha - (double)alpha_hi);
    const bool deep = x < RL_DEEP;
    const rl_growth_single e = rl_growth_of_single(x < RL_DEEPEST ? RL_DEEPEST : x, 0, rl_slope_offset_single(deep));
    float hi = e.m, lo = e.low;
    if (alpha != 1) {
        hi = alpha_hi * e.m;
        lo = rl_madd_single(alpha_hi, e.low, rl_madd_single(alpha_low, e.m, rl_madd_single(alpha_hi, e.m, -hi)));
    }
    return rl_slope_of_growth_single(x, hi, lo, e.power, deep, x < RL_NOTHING);
}

/* 1 or e^(x / alpha). */
RL_INLINE rl_slope_single rl_celu_d1_single(float x, double alpha)
{
    const double inverse = 1 / alpha;
    const float inverse_hi = (float)inverse, inverse_low = (float)(inverse - (double)inverse_hi);
    const float lowest = (float)((double)RL_DEEPEST * alpha);
    const float bounded = x < lowest ? lowest : x, z = inverse_hi * bounded;
    const float z_low = rl_madd_single(inverse_low, bounded, rl_madd_single(inverse_hi, bounded, -z));
    const bool deep = x < (float)((double)RL_DEEP * alpha);
    const rl_growth_single e = rl_growth_of_single(z, z_low, rl_slope_offset_single(deep));
    return rl_slope_of_growth_single(x, e.m, e.low, e.power, deep, x < (float)((double)RL_NOTHING * alpha));
}

/* S or S A e^x. */
RL_INLINE rl_slope_single rl_selu_d1_single(float x)
{
    const float scale = (float)RL_SELU_SCALE, scale_low = (float)(RL_SELU_SCALE - (double)scale);
    const rl_slope_single left = rl_elu_d1_single(x, RL_SELU_SCALE * RL_SELU_ALPHA);
    return (rl_slope_single){x > 0 ? scale : left.hi, x > 0 ? scale_low : left.lo, left.deep};
}

#endif

#define exp(x) RL_AT_PRECISION(rl_exp)(x)
#define elu(x, alpha) RL_AT_PRECISION(rl_elu)(x, alpha)
#define elu_d1(x, alpha) RL_AT_PRECISION(rl_elu_d1)(x, alpha)
#define alpha_exp(x, alpha) RL_AT_PRECISION(rl_alpha_exp)(x, alpha)
#define celu(x, alpha) RL_AT_PRECISION(rl_celu)(x, alpha)
#define celu_d1(x, alpha) RL_AT_PRECISION(rl_celu_d1)(x, alpha)
#define celu_exp_d1(x, alpha) RL_AT_PRECISION(rl_celu_exp_d1)(x, alpha)
#define selu(x) RL_AT_PRECISION(rl_selu)(x)
#define selu_d1(x) RL_AT_PRECISION(rl_selu_d1)(x)
#define selu_exp(x) RL_AT_PRECISION(rl_selu_exp)(x)

#endif
