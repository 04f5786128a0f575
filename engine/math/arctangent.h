/* The inverse tangent and its first two derivatives. With t = |x|:
 *
 *     arctan(t) = c + arctan(a),    a = t, (t - 1) / (t + 1), -1 / t    and    c = 0, pi / 4, pi / 2
 *                                   below tan(pi / 8), between, above tan(3 pi / 8), so that |a| <= tan(pi / 8)
 *     arctan(a) = a + a^3 T(a^2)
 *     arctan'(x) = 1 / (1 + x^2),   arctan"(x) = -2 x / (1 + x^2)^2 */
#ifndef RL_MATH_ARCTANGENT_H
#define RL_MATH_ARCTANGENT_H

#include "math/algebraic.h"

#define RL_TAN_PI_8 0x1.a827999fcef32p-2 /* tan(pi / 8) = sqrt(2) - 1; any number near it would do */
#define RL_TAN_3_PI_8 0x1.3504f333f9de6p+1

/* a = (up t - down) / (up + down t), c = turn pi / 4. The factors are 0 or 1, so that the products are exact. */
typedef struct rl_third {
    double up, down, turn;
} rl_third;

RL_INLINE rl_third rl_third_of(double t)
{
    const double up = t > RL_TAN_3_PI_8 ? 0 : 1, down = t < RL_TAN_PI_8 ? 0 : 1;
    return (rl_third){up, down, 1 - up + down};
}

/* Relative error < 2^-47. */
RL_INLINE double rl_arctan_24(double x)
{
    const double t = rl_magnitude(x) > 0x1p100 ? 0x1p100 : rl_magnitude(x);
    const rl_third third = rl_third_of(t);
    const double a = (third.up * t - third.down) / (third.up + third.down * t), z = a * a;
    double T = -0x1.be2eed3ea58cbp-6;
    T = rl_madd(T, z, 0x1.a76e4da98e057p-5);
    T = rl_madd(T, z, -0x1.0c533d2c3f3eap-4);
    T = rl_madd(T, z, 0x1.3a9d989de51cfp-4);
    T = rl_madd(T, z, -0x1.74563e02c4965p-4);
    T = rl_madd(T, z, 0x1.c71c382a87a96p-4);
    T = rl_madd(T, z, -0x1.249248aa7a6f7p-3);
    T = rl_madd(T, z, 0x1.99999998d17a4p-3);
    T = rl_madd(T, z, -0x1.55555555553a4p-2);
    return rl_copy_sign(rl_madd(0x1.921fb54442d18p-1, third.turn, rl_madd(a * z, T, a)), x);
}

/* Relative errors < 2^-50. */
RL_INLINE double rl_arctan_d1_24(double x)
{
    return 1 / rl_root_of_24(x, 1, 1).w;
}

RL_INLINE double rl_arctan_d2_24(double x)
{
    const rl_root_24 root = rl_root_of_24(x, 1, 1);
    return rl_copy_sign(2 * root.m / (root.w * root.w), -x);
}

/* Error < 0.6 ULP. T's error counts 2^-61; what is summed in plain double starts with a^4 / 5, 0.006 of the result. Below
 * 2^-30, x, off by 2^-61 of it; above 2^100, pi / 2. */
RL_INLINE double rl_arctan_53(double x)
{
    const double t = rl_magnitude(x) > 0x1p100 ? 0x1p100 : rl_magnitude(x);
    const rl_third third = rl_third_of(t);
    const rl_double_double numerator = rl_two_sum(third.up * t, -third.down);
    const rl_double_double denominator = rl_two_sum(third.up, third.down * t);
    const rl_double_double c = rl_dd_scale((rl_double_double){0x1.921fb54442d18p-1, 0x1.1a62633145c07p-55}, third.turn);
    const rl_double_double a = rl_dd_divide(numerator, denominator), z = rl_dd_multiply(a, a);
    double T = 0x1.0ad35c1edefbcp-6;
    T = rl_madd(T, z.hi, -0x1.1b33b2c14f38ep-5);
    T = rl_madd(T, z.hi, 0x1.74ddd18d3dae6p-5);
    T = rl_madd(T, z.hi, -0x1.ac7a9300192a8p-5);
    T = rl_madd(T, z.hi, 0x1.e19a13a7120bap-5);
    T = rl_madd(T, z.hi, -0x1.110e8809a7beep-4);
    T = rl_madd(T, z.hi, 0x1.3b1392d9dbcc6p-4);
    T = rl_madd(T, z.hi, -0x1.745d165df3918p-4);
    T = rl_madd(T, z.hi, 0x1.c71c71c304b46p-4);
    T = rl_madd(T, z.hi, -0x1.249249248d7eep-3);
    T = rl_madd(T, z.hi, 0x1.9999999999953p-3);
    const double high = T * z.hi;
    const rl_double_double bend = rl_fast_two_sum(-0x1.5555555555555p-2, high + -0x1.3fdd0c04bf0b3p-56);
    const rl_double_double angle = rl_dd_multiply(a, rl_dd_add_double(1, rl_dd_multiply(bend, z)));
    const rl_double_double sum = rl_two_sum(c.hi, angle.hi);
    return rl_copy_sign(t < 0x1p-30 ? t : sum.hi + (sum.lo + (c.lo + angle.lo)), x);
}

/* Error < 0.6 ULP, < 1 ULP of a subnormal. 0 from 2^540 on. */
RL_INLINE double rl_arctan_d1_53(double x)
{
    const rl_root_53 root = rl_root_of_53(x, 1, 1, 0x1p540);
    return rl_dd_reciprocal(root.w).hi * (root.scale * root.scale);
}

/* Error < 0.6 ULP, < 1.5 ULP of a subnormal. 0 from 2^400 on. */
RL_INLINE double rl_arctan_d2_53(double x)
{
    const rl_root_53 root = rl_root_of_53(x, 1, 1, 0x1p400);
    const rl_double_double factor = rl_dd_divide((rl_double_double){2, 0}, rl_dd_multiply(root.w, root.w));
    return rl_copy_sign(rl_dd_times(factor, root.m) * (root.scale * root.scale * root.scale), -x);
}

#define arctan(x) RL_AT_PRECISION(rl_arctan)(x)
#define arctan_d1(x) RL_AT_PRECISION(rl_arctan_d1)(x)
#define arctan_d2(x) RL_AT_PRECISION(rl_arctan_d2)(x)

#endif
