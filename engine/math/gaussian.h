/* The bell curve, e^(-x^2), and its derivatives -2 x e^(-x^2) and (4 x^2 - 2) e^(-x^2), whose zeros are at +-sqrt(1/2): x^2 is
 * exact in either tier, so that the difference loses nothing there. From |x| = 64 on, all three are 0. */
#ifndef RL_MATH_GAUSSIAN_H
#define RL_MATH_GAUSSIAN_H

#include "math/growth.h"

RL_INLINE double rl_gaussian_bounded(double x)
{
    return rl_magnitude(x) > 64 ? rl_copy_sign(64, x) : x;
}

/* Relative errors < 2^-42, that of e^(-x^2). */
RL_INLINE double rl_gaussian_24(double x)
{
    return rl_exp_24(-x * x);
}

RL_INLINE double rl_gaussian_d1_24(double x)
{
    return -2 * rl_gaussian_bounded(x) * rl_exp_24(-x * x);
}

RL_INLINE double rl_gaussian_d2_24(double x)
{
    const double m = rl_gaussian_bounded(x), square = m * m;
    return (4 * square - 2) * rl_exp_24(-square);
}

/* The square of x, exactly but where it is too small to matter, and e to minus that. */
typedef struct rl_bell_53 {
    double x;
    rl_double_double square;
    rl_growth_53 e;
} rl_bell_53;

RL_INLINE rl_bell_53 rl_bell_of_53(double x)
{
    const double bounded = rl_gaussian_bounded(x);
    const rl_double_double square = rl_two_product(bounded, bounded);
    return (rl_bell_53){bounded, square, rl_growth_of_53(-square.hi, -square.lo)};
}

/* Error < 0.54 ULP. */
RL_INLINE double rl_gaussian_53(double x)
{
    const rl_bell_53 bell = rl_bell_of_53(x);
    return rl_dd_round(bell.e.m, bell.e.n);
}

/* Errors < 0.55 ULP, < 1 ULP of a subnormal. */
RL_INLINE double rl_gaussian_d1_53(double x)
{
    const rl_bell_53 bell = rl_bell_of_53(x);
    return rl_scale(rl_dd_times(bell.e.m, -2 * bell.x), bell.e.n);
}

RL_INLINE double rl_gaussian_d2_53(double x)
{
    const rl_bell_53 bell = rl_bell_of_53(x);
    const rl_double_double difference = rl_two_sum(4 * bell.square.hi, -2);
    const rl_double_double factor = rl_fast_two_sum(difference.hi, difference.lo + 4 * bell.square.lo);
    return rl_scale(rl_dd_multiply(factor, bell.e.m).hi, bell.e.n);
}

#define gaussian(x) RL_AT_PRECISION(rl_gaussian)(x)
#define gaussian_d1(x) RL_AT_PRECISION(rl_gaussian_d1)(x)
#define gaussian_d2(x) RL_AT_PRECISION(rl_gaussian_d2)(x)

#endif
