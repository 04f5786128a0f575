/* Functions that are the exponential itself, scaled: elu, celu and selu on their left side (x <= 0), and the Gaussian.
 *
 *     elu       a (e^x - 1)         a e^x                  a e^x
 *     celu      a (e^z - 1)         e^z                    e^z / a,           z = x / a
 *     gaussian  e^(-x^2)            -2 x e^(-x^2)          (4 x^2 - 2) e^(-x^2)
 *
 * selu is elu with a = alpha scale, a product that f_53 keeps in two doubles. 4 x^2 - 2 is exact near its zeros: x^2 is, in
 * two doubles, and so is the difference. */
#ifndef RL_MATH_GROWTH_H
#define RL_MATH_GROWTH_H

#include "math/logistic.h"

/* a e^x, |a| <= 1e100. Relative error < 2^-40. */
RL_INLINE double rl_scaled_exp_24(double a, double x)
{
    return a * rl_exp_24(x);
}

/* a (e^x - 1) for x <= 0, with the sign of a x where that is 0. Relative error < 2^-40. */
RL_INLINE double rl_scaled_expm1_24(double a, double x)
{
    return x == 0 ? a * x : -a * rl_decay_of_24(rl_magnitude(x)).one_minus_u;
}

/* Error < 0.6 ULP; of a subnormal < 1.1 ULP. */
RL_INLINE double rl_parts_times_53(rl_exp_parts_53 e, rl_double_double a)
{
    return rl_scale(rl_dd_multiply(rl_dd_add_double(1, e.p), a).hi, e.n);
}

RL_INLINE double rl_scaled_exp_53(double a, double x)
{
    return rl_parts_times_53(rl_exp_apart_53(x), (rl_double_double){a, 0});
}

/* Error < 0.6 ULP; of a subnormal < 1.5 ULP. */
RL_INLINE double rl_scaled_expm1_53(double a, double x)
{
    return x == 0 ? a * x : -rl_dd_times(rl_decay_of_53(rl_magnitude(x)).one_minus_u, a);
}

/* ---- celu: 1e-10 <= a <= 1e10 ---- */

RL_INLINE double rl_celu_24(double x, double a)
{
    return rl_scaled_expm1_24(a, x / a);
}

RL_INLINE double rl_celu_d1_24(double x, double a)
{
    return rl_exp_24(x / a);
}

RL_INLINE double rl_celu_d2_24(double x, double a)
{
    return rl_exp_24(x / a) / a;
}

/* x / a. The low part counts only where the high one is finite. */
RL_INLINE rl_double_double rl_quotient_53(double x, double a)
{
    const double quotient = x / a;
    const rl_double_double back = rl_two_product(quotient, a);
    return (rl_double_double){quotient, ((x - back.hi) - back.lo) / a};
}

/* Error < 0.6 ULP. Below 2^-60 a, x itself. */
RL_INLINE double rl_celu_53(double x, double a)
{
    const rl_double_double z = rl_quotient_53(x, a);
    const double bent = -rl_dd_times(rl_decay_of_low_53(rl_magnitude(z.hi), -z.lo).one_minus_u, a);
    return rl_magnitude(z.hi) < 0x1p-60 ? x : bent;
}

RL_INLINE double rl_celu_d1_53(double x, double a)
{
    const rl_double_double z = rl_quotient_53(x, a);
    const rl_exp_parts_53 e = rl_exp_apart_low_53(z.hi, z.lo);
    return rl_dd_round(rl_dd_add_double(1, e.p), e.n);
}

RL_INLINE double rl_celu_d2_53(double x, double a)
{
    const rl_double_double z = rl_quotient_53(x, a);
    const rl_double_double one = {1, 0}, divisor = {a, 0};
    return rl_parts_times_53(rl_exp_apart_low_53(z.hi, z.lo), rl_dd_divide(one, divisor));
}

/* ---- selu ---- */

#define RL_SELU_ALPHA 1.6732632423543772848170429916717
#define RL_SELU_SCALE 1.0507009873554804934193349852946

/* alpha scale (e^x - 1) for x <= 0 and alpha scale e^x, of the two doubles. Errors as elu's. */
RL_INLINE double rl_selu_24(double x)
{
    return rl_scaled_expm1_24(RL_SELU_ALPHA * RL_SELU_SCALE, x);
}

RL_INLINE double rl_selu_d1_24(double x)
{
    return rl_scaled_exp_24(RL_SELU_ALPHA * RL_SELU_SCALE, x);
}

RL_INLINE double rl_selu_53(double x)
{
    const rl_double_double a = rl_two_product(RL_SELU_ALPHA, RL_SELU_SCALE);
    const double bent = -rl_dd_multiply(rl_decay_of_53(rl_magnitude(x)).one_minus_u, a).hi;
    return rl_magnitude(x) < 0x1p-60 ? rl_dd_times(a, x) : bent;
}

RL_INLINE double rl_selu_d1_53(double x)
{
    return rl_parts_times_53(rl_exp_apart_53(x), rl_two_product(RL_SELU_ALPHA, RL_SELU_SCALE));
}

/* ---- gaussian: 0 from |x| = 29 on, in all orders ---- */

RL_INLINE double rl_within_29(double x)
{
    return x > 29 ? 29 : x < -29 ? -29 : x;
}

/* Relative errors < 2^-40. */
RL_INLINE double rl_gaussian_24(double x)
{
    return rl_exp_24(-x * x);
}

RL_INLINE double rl_gaussian_d1_24(double x)
{
    const double bounded = rl_within_29(x);
    return -2 * bounded * rl_exp_24(-bounded * bounded);
}

RL_INLINE double rl_gaussian_d2_24(double x)
{
    const double bounded = rl_within_29(x);
    return (4 * (bounded * bounded) - 2) * rl_exp_24(-bounded * bounded);
}

/* e^(-x^2), the error of whose square is in the low part. */
RL_INLINE rl_exp_parts_53 rl_gaussian_apart_53(rl_double_double square)
{
    return rl_exp_apart_low_53(-square.hi, -square.lo);
}

/* Error < 0.6 ULP. */
RL_INLINE double rl_gaussian_53(double x)
{
    const double bounded = rl_within_29(x);
    const rl_exp_parts_53 e = rl_gaussian_apart_53(rl_two_product(bounded, bounded));
    return rl_dd_round(rl_dd_add_double(1, e.p), e.n);
}

/* Errors < 0.6 ULP; of a subnormal < 1.5 ULP. */
RL_INLINE double rl_gaussian_d1_53(double x)
{
    const double bounded = rl_within_29(x);
    const rl_exp_parts_53 e = rl_gaussian_apart_53(rl_two_product(bounded, bounded));
    return rl_scale(rl_dd_times(rl_dd_add_double(1, e.p), -2 * bounded), e.n);
}

RL_INLINE double rl_gaussian_d2_53(double x)
{
    const double bounded = rl_within_29(x);
    const rl_double_double square = rl_two_product(bounded, bounded), difference = rl_two_sum(4 * square.hi, -2);
    return rl_parts_times_53(rl_gaussian_apart_53(square), rl_fast_two_sum(difference.hi, difference.lo + 4 * square.lo));
}

#define exp(x) RL_AT_PRECISION(rl_exp)(x)
#define scaled_exp(a, x) RL_AT_PRECISION(rl_scaled_exp)(a, x)
#define scaled_expm1(a, x) RL_AT_PRECISION(rl_scaled_expm1)(a, x)
#define celu(x, a) RL_AT_PRECISION(rl_celu)(x, a)
#define celu_d1(x, a) RL_AT_PRECISION(rl_celu_d1)(x, a)
#define celu_d2(x, a) RL_AT_PRECISION(rl_celu_d2)(x, a)
#define selu(x) RL_AT_PRECISION(rl_selu)(x)
#define selu_d1(x) RL_AT_PRECISION(rl_selu_d1)(x)
#define gaussian(x) RL_AT_PRECISION(rl_gaussian)(x)
#define gaussian_d1(x) RL_AT_PRECISION(rl_gaussian_d1)(x)
#define gaussian_d2(x) RL_AT_PRECISION(rl_gaussian_d2)(x)

#endif
