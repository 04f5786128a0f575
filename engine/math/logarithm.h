/* The logarithm of numbers near 1: log(g) = 2 artanh(v) = 2 v + 2 v^3 T(v^2), v = (g - 1) / (g + 1),
 * where sqrt(1/2) <= g <= sqrt(2) keeps |v| below 0.1716 and the second term below 0.01 of the first.
 *
 * Of it, log1p(u) = log(1 + u) for 0 <= u <= 1: g = 1 + u up to sqrt(2) and (1 + u) / 2, with ln 2 to add, beyond. g - 1 is
 * then u or (u - 1) / 2, which have lost nothing. */
#ifndef RL_MATH_LOGARITHM_H
#define RL_MATH_LOGARITHM_H

#include "math/double_double.h"

/* T, for z = v^2 up to 0.0295: log g is off by 2^-45 of it. */
RL_INLINE double rl_artanh_tail_24(double z)
{
    double T = 0x1.546a32ff81950p-4;
    T = rl_madd(T, z, 0x1.7382dbddeec7dp-4);
    T = rl_madd(T, z, 0x1.c71fccd9f88ebp-4);
    T = rl_madd(T, z, 0x1.2492462af788ap-3);
    T = rl_madd(T, z, 0x1.9999999b86784p-3);
    return rl_madd(T, z, 0x1.55555555553b8p-2);
}

/* T, for z = v^2 up to 0.0295: log g is off by 2^-60 of it and, as T is rounded, by 0.04 2^-53. */
RL_INLINE double rl_artanh_tail_53(double z)
{
    double T = 0x1.0c039e172b8dfp-4;
    T = rl_madd(T, z, 0x1.0fbe95aaf31a8p-4);
    T = rl_madd(T, z, 0x1.3b1c355c3560fp-4);
    T = rl_madd(T, z, 0x1.745cf9048617ap-4);
    T = rl_madd(T, z, 0x1.c71c7201592a1p-4);
    T = rl_madd(T, z, 0x1.2492492476ccbp-3);
    T = rl_madd(T, z, 0x1.9999999999a38p-3);
    return rl_madd(T, z, 0x1.5555555555555p-2);
}

#define RL_ROOT_2_LESS_1 0x1.a827999fcef32p-2

/* log(1 + u) for 0 <= u <= 1. Relative error < 2^-44, near 0 too. */
RL_INLINE double rl_log1p_24(double u)
{
    const double far = u > RL_ROOT_2_LESS_1 ? 1 : 0, v = (u - far) / (2 + u + far), z = v * v;
    return rl_madd(far, 0x1.62e42fefa39efp-1, 2 * rl_madd(v * z, rl_artanh_tail_24(z), v));
}

/* k of x = 2^k g for x >= sqrt(1/2): the exponent's bits after those of sqrt(1/2) are taken off, made a double by the sum with
 * 2^52, of which they are the last bits. */
RL_INLINE double rl_binade(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = ((bits - 0x3fe6a09e667f3bcd) >> 52) + 0x4330000000000000;
    double sum;
    memcpy(&sum, &bits, sizeof sum);
    return sum - 0x1p52;
}

/* log(1 + w) = k log 2 + log(g), 1 + w = 2^k g, for any w >= 0, but not infinity. Relative error < 2^-44, near 0 too. */
RL_INLINE double rl_log1p_any_24(double w)
{
    const double u = 1 + w, k = rl_binade(u);
    const double above = k > 0 ? rl_madd(u, rl_power_of_two(-k), -1) : w, v = above / (2 + above), z = v * v;
    return rl_madd(k, 0x1.62e42fefa39efp-1, 2 * rl_madd(v * z, rl_artanh_tail_24(z), v));
}

/* log(1 + u) for 2^-300 <= u <= 1. Relative error < 0.05 2^-53. */
RL_INLINE rl_double_double rl_log1p_in_parts(rl_double_double u)
{
    const double far = u.hi > RL_ROOT_2_LESS_1 ? 1 : 0;
    const rl_double_double above = rl_two_sum(u.hi, -far), numerator = rl_fast_two_sum(above.hi, above.lo + u.lo);
    const rl_double_double v = rl_dd_divide(numerator, rl_dd_add_double(2 + far, u));
    const double z = v.hi * v.hi;
    const rl_double_double sum = rl_two_sum(far * 0x1.62e42fefa39efp-1, 2 * v.hi);
    const double low = sum.lo + rl_madd(far, 0x1.abc9e3b39803fp-56, 2 * v.lo);
    return rl_fast_two_sum(sum.hi, low + 2 * v.hi * z * rl_artanh_tail_53(z));
}

#endif
