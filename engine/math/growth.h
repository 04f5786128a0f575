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

#define exp(x) RL_AT_PRECISION(rl_exp)(x)
#define elu(x, alpha) RL_AT_PRECISION(rl_elu)(x, alpha)
#define alpha_exp(x, alpha) RL_AT_PRECISION(rl_alpha_exp)(x, alpha)
#define celu(x, alpha) RL_AT_PRECISION(rl_celu)(x, alpha)
#define celu_exp(x, alpha) RL_AT_PRECISION(rl_celu_exp)(x, alpha)
#define celu_exp_d1(x, alpha) RL_AT_PRECISION(rl_celu_exp_d1)(x, alpha)
#define selu(x) RL_AT_PRECISION(rl_selu)(x)
#define selu_exp(x) RL_AT_PRECISION(rl_selu_exp)(x)

#endif
