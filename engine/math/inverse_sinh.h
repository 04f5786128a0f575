/* The inverse hyperbolic sine. With t = |x|, r = sqrt(1 + t^2), w = t + t^2 / (1 + r) and u = 1 + w = t + r:
 *
 *     asinh(t) = log(u) = k log 2 + log(g),  u = 2^k g,  sqrt(1/2) <= g < sqrt(2)
 *     log(g)   = 2 artanh(v) = 2 v + 2 v^3 T(v^2),  v = (g - 1) / (g + 1)
 *
 * Where k = 0, g - 1 is w, which has lost nothing; elsewhere k log 2 >= 0.69 is the larger part of the result.
 * Its derivatives, 1 / r and -x / r^3, are inverse_root's (algebraic.h). */
#ifndef RL_MATH_INVERSE_SINH_H
#define RL_MATH_INVERSE_SINH_H

#include "math/algebraic.h"
#include "math/logarithm.h"

/* Relative error < 2^-45. */
RL_INLINE double rl_asinh_24(double x)
{
    const rl_root_24 root = rl_root_of_24(x, 1, 1);
    const double result = rl_log1p_any_24(root.m + root.m * root.m / (1 + root.r));
    return rl_magnitude(x) < 0x1p400 ? rl_copy_sign(result, x) : x;
}

/* Error < 0.6 ULP. The part of log g in plain double is 2 v^3 / 3, 0.01 of it. Below 2^-30, x, off by 2^-62 of it; from 2^100
 * on, log(2 t), taken of 2^-200 t. */
RL_INLINE double rl_asinh_53(double x)
{
    const double t = rl_magnitude(x);
    const rl_root_53 root = rl_root_of_53(x, 1, 1, 0x1p100);
    const rl_double_double bend = rl_dd_divide(rl_two_product(root.m, root.m), rl_root_plus(root.r, 1));
    const rl_double_double w = rl_two_sum(root.m, bend.hi);
    const rl_double_double w_full = rl_fast_two_sum(w.hi, w.lo + bend.lo), near = rl_dd_add_double(1, w_full);
    const rl_double_double u = {t > 0x1p100 ? 0x1p-99 * t : near.hi, t > 0x1p100 ? 0 : near.lo};
    const double k = rl_binade(u.hi), power = rl_power_of_two(-k);
    const rl_double_double difference = rl_two_sum(u.hi * power, -1);
    const rl_double_double far = rl_fast_two_sum(difference.hi, difference.lo + u.lo * power);
    const rl_double_double above = {k > 0 ? far.hi : w_full.hi, k > 0 ? far.lo : w_full.lo};
    const rl_double_double v = rl_dd_divide(above, rl_root_plus(above, 2));
    const double z = v.hi * v.hi;
    const double exponent = t > 0x1p100 ? k + 100 : k;
    const rl_double_double sum = rl_two_sum(exponent * 0x1.62e42fefa3800p-1, 2 * v.hi);
    const double rest = sum.lo + rl_madd(exponent, 0x1.ef35793c76730p-45, 2 * v.lo) + 2 * v.hi * z * rl_artanh_tail_53(z);
    const double result = t < 0x1p-30 ? t : sum.hi + rest;
    return rl_copy_sign(t > 0x1.fffffffffffffp1023 ? t : result, x);
}

#define asinh(x) RL_AT_PRECISION(rl_asinh)(x)

#endif
