/* e^-m seen from a point z: with t = m - z and u0 = e^-z,
 *
 *     u = e^-m = u0 (1 + E),  E = e^-t - 1
 *
 * So derivatives keep their relative accuracy around a zero. Let N(m, u), a polynomial in both, be the factor of f' or f" that
 * is 0 at m = z. N(m, u) - N(z, u0) = N(m, u) is then t times something plus E times something, with t and E good to a few
 * roundings and of opposite signs. Where the two factors have opposite signs too, as they have near all zeros here, nothing
 * cancels, at any distance from the zero: no other formula is needed farther away.
 *
 * The nearest double to a zero is some 2^-54 away from it: there t is the low part of z, which is good to 2^-53 of itself. */
#ifndef RL_MATH_DISPLACED_EXP_H
#define RL_MATH_DISPLACED_EXP_H

#include "math/exp.h"

/* A zero z, and e^-z. */
typedef struct rl_anchor {
    rl_double_double z, u;
} rl_anchor;

RL_INLINE rl_anchor rl_anchor_choose(bool which, rl_anchor a, rl_anchor b)
{
    return (rl_anchor){rl_dd_choose(which, a.z, b.z), rl_dd_choose(which, a.u, b.u)};
}

/* m - z. Relative error < 2^-51 however small it is, if it is more than 2^-56; < 2^-100 from 2^-2 on. */
RL_INLINE rl_double_double rl_displacement(rl_double_double m, rl_double_double z)
{
    const rl_double_double difference = rl_two_sum(m.hi, -z.hi);
    return rl_fast_two_sum(difference.hi, difference.lo + (m.lo - z.lo));
}

RL_INLINE double rl_displacement_24(rl_double_double m, rl_double_double z)
{
    return (m.hi - z.hi) + (m.lo - z.lo);
}

typedef struct rl_displaced_24 {
    double u, E; /* relative errors < 2^-41, E's near 0 too; u is 0 where t > 700 */
} rl_displaced_24;

RL_INLINE rl_displaced_24 rl_displaced_of_24(rl_exp_parts_24 e, double u0)
{
    return (rl_displaced_24){u0 * rl_madd(e.power, e.p, e.power), (e.power - 1) + e.power * e.p};
}

RL_INLINE rl_displaced_24 rl_displaced_exp_24(double t, double u0)
{
    return rl_displaced_of_24(rl_exp_apart_24(-t), u0);
}

/* The same for |t| <= 700, and 0 above 590, where a float that comes of it is 0 even after a multiplication by the largest. */
RL_INLINE rl_displaced_24 rl_displaced_bounded_24(double t, double u0)
{
    const rl_exp_parts_24 e = rl_exp_apart_bounded_24(-t);
    return rl_displaced_of_24((rl_exp_parts_24){.power = t > 590 ? 0 : e.power, .p = e.p}, u0);
}

typedef struct rl_displaced_53 {
    double n;
    rl_double_double m, u, E; /* u = m 2^n: m is u0 (1 + p). Relative errors of m 0.04, of E 0.09 times 2^-53 */
} rl_displaced_53;

/* t > -30. In u and E, which are for sums with numbers near 1, a 2^n below 2^-200 may as well be 2^-200. */
RL_INLINE rl_displaced_53 rl_displaced_of_53(rl_exp_parts_53 e, rl_double_double u0)
{
    const double power = rl_power_of_two(e.n < -200 ? -200 : e.n);
    const rl_double_double m = rl_dd_multiply(rl_dd_add_double(1, e.p), u0);
    const rl_double_double rest = rl_two_sum(power, -1); /* 0 where n = 0, so that nothing cancels */
    const rl_double_double E = rl_two_sum(rest.hi, e.p.hi * power);
    return (rl_displaced_53){
        .n = e.n,
        .m = m,
        .u = rl_dd_scale(m, power),
        .E = rl_fast_two_sum(E.hi, E.lo + (rest.lo + e.p.lo * power)),
    };
}

RL_INLINE rl_displaced_53 rl_displaced_exp_53(rl_double_double t, rl_double_double u0)
{
    return rl_displaced_of_53(rl_exp_apart_low_53(-t.hi, -t.lo), u0);
}

#endif
