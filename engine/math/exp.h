/* The exponential, taken apart: e^x = 2^n (1 + p).
 *
 * n = nearest integer to x / ln 2, r = x - n ln 2, |r| <= ln 2 / 2 (1 + 2^-40), p = e^r - 1. From these parts come e^x without
 * a second rounding, e^x - 1 = (2^n - 1) + 2^n p without cancellation, and e^x beyond the smallest and the largest double. */
#ifndef RL_MATH_EXP_H
#define RL_MATH_EXP_H

#include "math/double_double.h"

#define RL_LOG2_E 0x1.71547652b82fep+0 /* 1 / ln 2 */

typedef struct rl_exp_parts_24 {
    double power; /* 2^n */
    double p;     /* error < 2^-43 |p| where n = 0, < 2^-42 elsewhere */
    double rest;  /* p - r, to 2^-37.9 of itself */
} rl_exp_parts_24;

/* |x| <= 700; NaN gives a p that is NaN.
 *
 * r is exact for n = 0, else off by |n| ulp(ln 2) / 2 + ulp(n ln 2) / 2 < 2^-43. p = r + r^2 P(r), with P the polynomial of
 * degree 7 of least relative error in p: 2^-43.3 with these rounded coefficients, evaluated to 2^-51: by
 * pairs (Estrin), since loops over such functions wait for results more than for arithmetic units. */
RL_INLINE rl_exp_parts_24 rl_exp_apart_bounded_24(double x)
{
    const double ln_2 = 0x1.62e42fefa39efp-1;
    const double sum = rl_madd(x, RL_LOG2_E, RL_POWER_OFFSET), n = sum - RL_POWER_OFFSET;
    const double r = rl_madd(-n, ln_2, x);
    const double r2 = r * r, r4 = r2 * r2;
    const double P_1 = rl_madd(0x1.555555554f68bp-3, r, 0x1.fffffffff73d4p-2);
    const double P_3 = rl_madd(0x1.1111112946db5p-7, r, 0x1.55555573f846dp-5);
    const double P_5 = rl_madd(0x1.a019802782d5bp-13, r, 0x1.6c164e4904ee3p-10);
    const double P_7 = rl_madd(0x1.72f7a6721af93p-19, r, 0x1.a159f57617ee2p-16);
    const double P = rl_madd(rl_madd(P_7, r2, P_5), r4, rl_madd(P_3, r2, P_1));
    return (rl_exp_parts_24){rl_power_in_sum(sum), rl_madd(r2, P, r), r2 * P};
}

/* Any x. Below -700, which is 0 in any float32 result, power is 0; above 700, which is infinite in any, x counts as 700. */
RL_INLINE rl_exp_parts_24 rl_exp_apart_24(double x)
{
    const double above = x < -700 ? -700 : x;
    const rl_exp_parts_24 e = rl_exp_apart_bounded_24(above > 700 ? 700 : above);
    return (rl_exp_parts_24){x < -700 ? 0 : e.power, e.p, e.rest};
}

typedef struct rl_exp_parts_53 {
    double n;           /* -1587 to 1587 */
    rl_double_double p; /* error < 0.09 * 2^-53 |p| + 2^-75, the latter only for n != 0; of e^r, < 0.04 * 2^-53 e^r */
} rl_exp_parts_53;

typedef struct rl_exp_reduced_53 {
    double n;
    rl_double_double r;
} rl_exp_reduced_53;

/* x + low = n ln 2 + r, |low| <= ulp(x); what low adds to r must not be more than 2^-44 of 1. Beyond -1100 and 1100, where e^x
 * is 0 or infinite even after a multiplication or division by 1e100, x counts as these, and low as 0.
 *
 * ln 2 is taken in two parts of 42 bits, off by 2^-86 in all, so that n ln_2_hi, n ln_2_lo and the difference from x (Sterbenz)
 * are exact: r is off by at most 2^-75. */
RL_INLINE rl_exp_reduced_53 rl_exp_reduce_53(double x, double low)
{
    const double ln_2_hi = 0x1.62e42fefa38p-1, ln_2_lo = 0x1.ef35793c76p-45;
    const double above = x < -1100 ? -1100 : x, bounded = above > 1100 ? 1100 : above;
    const double n = rl_nearest_integer(bounded * RL_LOG2_E);
    const rl_double_double near = rl_two_sum(bounded - n * ln_2_hi, -n * ln_2_lo);
    return (rl_exp_reduced_53){n, rl_two_sum(near.hi, near.lo + (bounded == x ? low : 0))};
}

/* p = r + r^2 / 2 + r^3 Q(r), with Q the polynomial of degree 9 of least relative error in p: 2^-60.2 with these rounded
 * coefficients. The first two terms are good to 100 bits. The third is largest at r = -ln 2 / 2, 0.022 of p and 0.009 of e^r,
 * where its roundings (r^2, r^3, Q, the product, the sum) add up to 0.52 + 0.75 + 1.0 + 0.62 + 0.62 < 3.6 times 2^-53 of it:
 * 0.08 2^-53 of p, to which 2^-60.2 adds 0.007. Both fall as r^2. */
RL_INLINE rl_double_double rl_exp_near_53(rl_double_double r)
{
    const rl_double_double square = rl_two_product(r.hi, r.hi);
    double Q = 0x1.1f92c1a2b1bd0p-29;
    Q = rl_madd(Q, r.hi, 0x1.af5e7b96e7ff9p-26);
    Q = rl_madd(Q, r.hi, 0x1.27e4c7c2a9d0bp-22);
    Q = rl_madd(Q, r.hi, 0x1.71ddf87cee1dep-19);
    Q = rl_madd(Q, r.hi, 0x1.a01a01af64e05p-16);
    Q = rl_madd(Q, r.hi, 0x1.a01a01afd33e0p-13);
    Q = rl_madd(Q, r.hi, 0x1.6c16c16c14a7fp-10);
    Q = rl_madd(Q, r.hi, 0x1.111111110f6e2p-7);
    Q = rl_madd(Q, r.hi, 0x1.5555555555559p-5);
    Q = rl_madd(Q, r.hi, 0x1.5555555555559p-3);
    const rl_double_double first_two = rl_fast_two_sum(r.hi, 0.5 * square.hi);
    const double tail = first_two.lo + (0.5 * square.lo + rl_madd(r.hi, r.lo, r.lo));
    const double rest = rl_madd(square.hi * r.hi, Q, tail);
    return rl_fast_two_sum(first_two.hi, rest);
}

/* e^(x + low). NaN gives parts that are. */
RL_INLINE rl_exp_parts_53 rl_exp_apart_low_53(double x, double low)
{
    const rl_exp_reduced_53 reduced = rl_exp_reduce_53(x, low);
    return (rl_exp_parts_53){reduced.n, rl_exp_near_53(reduced.r)};
}

/* The same where e^x is itself an exponent: p = (1 + q)^16 - 1 with q = e^(r / 16) - 1, whose error is less than 2^-64 of p. */
RL_INLINE rl_exp_parts_53 rl_exp_apart_fine_53(double x, double low)
{
    const rl_exp_reduced_53 reduced = rl_exp_reduce_53(x, low);
    const rl_double_double q = rl_exp_near_53(rl_dd_scale(reduced.r, 0x1p-4)), two = {2, 0};
    const rl_double_double q2 = rl_dd_multiply(q, rl_dd_add(two, q)), q4 = rl_dd_multiply(q2, rl_dd_add(two, q2));
    const rl_double_double q8 = rl_dd_multiply(q4, rl_dd_add(two, q4));
    return (rl_exp_parts_53){reduced.n, rl_dd_multiply(q8, rl_dd_add(two, q8))};
}

/* e^x. */
RL_INLINE rl_exp_parts_53 rl_exp_apart_53(double x)
{
    return rl_exp_apart_low_53(x, 0);
}

/* e^x, infinite above 700, 0 below -700. Relative error < 2^-41. */
RL_INLINE double rl_exp_24(double x)
{
    const rl_exp_parts_24 e = rl_exp_apart_24(x);
    return x > 700 ? __builtin_inf() : rl_madd(e.power, e.p, e.power);
}

/* e^x. Error < 0.55 ULP, subnormals included. */
RL_INLINE double rl_exp_53(double x)
{
    const rl_exp_parts_53 e = rl_exp_apart_53(x);
    return rl_dd_round(rl_dd_add_double(1, e.p), e.n);
}

#if defined(RL_HAS_FMA)

#define RL_LOG2_E_SINGLE 0x1.715476p+0F
#define RL_LN_2_HI_SINGLE 0x1.62e4p-1F /* 16 bits: n times it is exact for |n| < 2^8 */
#define RL_LN_2_LO_SINGLE 0x1.7f7d1cp-20F

/* e^r = 1 + r + r^2 P(r), |r| <= 0.3469: the polynomial of degree 4 of least relative error in e^r, 0.054 * 2^-24. */
RL_INLINE float rl_exp_tail_single(float r)
{
    const float P_1 = rl_madd_single(0x1.55549p-3F, r, 0x1.fffffcp-2F);
    const float P_3 = rl_madd_single(0x1.123ac6p-7F, r, 0x1.5558ap-5F);
    const float r2 = r * r;
    return rl_madd_single(rl_madd_single(0x1.6a604p-10F, r2, P_3), r2, P_1);
}

/* e^x. Error < 0.92 ULP, found over all floats: 0.5 of the last rounding, the others of 1 + r P, of r and of P.
 *
 * The result may be subnormal or overflow, where 2^n is no float: 2^(n +- 64) is, and the second factor, 2^-+64, rounds once
 * more only where it makes a subnormal, to which the first roundings then count half at most. */
RL_INLINE float rl_exp_single(float x)
{
    const float bounded = x < -104 ? -104 : x;
    const float offset = bounded < 0 ? RL_POWER_OFFSET_SINGLE + 64 : RL_POWER_OFFSET_SINGLE - 64;
    const float scale = bounded < 0 ? 0x1p-64F : 0x1p64F;
    const float sum = rl_at_most_single(rl_madd_single(bounded, RL_LOG2_E_SINGLE, offset), RL_POWER_OFFSET_SINGLE + 65);
    const float n = sum - offset;
    const float r = rl_madd_single(-n, RL_LN_2_LO_SINGLE, rl_madd_single(-n, RL_LN_2_HI_SINGLE, bounded));
    const float m = rl_madd_single(rl_madd_single(r, rl_exp_tail_single(r), 1), r, 1);
    return m * rl_power_in_sum_single(sum) * scale;
}

/* e^(x + low) - 1 for -60 <= x <= 0, low beside it as a rounding error would be, in two parts: (2^n - 1) + 2^n (r + t), where
 * t = low (1 + r) + r^2 P(r), P the polynomial of degree 5 that makes the least relative error, 0.017 * 2^-24. The others come
 * to 0.4 * 2^-24: those of t and P where n = 0, and n times that of ln 2, which 2^n makes harmless; r is exact but for it. */
RL_INLINE rl_pair_single rl_expm1_single(float x, float low)
{
    const float offset = RL_POWER_OFFSET_SINGLE, sum = rl_madd_single(x, RL_LOG2_E_SINGLE, offset), n = offset - sum;
    const float power = rl_power_in_sum_single(sum), r = rl_madd_single(n, 0x1.62e43p-1F, x), r2 = r * r;
    const float P_1 = rl_madd_single(0x1.555552p-3F, r, 0.5F);
    const float P_3 = rl_madd_single(0x1.111564p-7F, r, 0x1.5554ccp-5F);
    const float P_5 = rl_madd_single(0x1.9b502p-13F, r, 0x1.6d61eap-10F);
    const float P = rl_madd_single(rl_madd_single(P_5, r2, P_3), r2, P_1);
    const float t = rl_madd_single(r2, P, rl_madd_single(low, r, low));
    const float first = power - 1, m = rl_madd_single(power, r + t, first);
    return (rl_pair_single){m, rl_madd_single(power, t, rl_madd_single(power, r, first - m))};
}

/* e^(x + x_low) = 2^n (1 + hi + t), |hi| < 0.3489, |t| < 0.08. Error of the sum < 0.25 * 2^-24: of P, t and x_low; hi is exact. */
typedef struct rl_exp_parts_single {
    float power; /* 2^(n + offset - RL_POWER_OFFSET_SINGLE) */
    float hi, t;
} rl_exp_parts_single;

RL_INLINE rl_exp_parts_single rl_exp_apart_single(float x, float x_low, float offset)
{
    const float sum = rl_madd_single(x, RL_LOG2_E_SINGLE, offset), n = sum - offset;
    const float hi = rl_madd_single(-n, RL_LN_2_HI_SINGLE, x), lo = rl_madd_single(-n, RL_LN_2_LO_SINGLE, x_low), r = hi + lo;
    const float t = rl_madd_single(r * r, rl_exp_tail_single(r), lo);
    return (rl_exp_parts_single){rl_power_in_sum_single(sum), hi, t};
}

/* The same as 2^n (m + low), m from 0.7 to 1.42. */
typedef struct rl_growth_single {
    float power; /* as above */
    float m, low;
} rl_growth_single;

RL_INLINE rl_growth_single rl_growth_of_single(float x, float x_low, float offset)
{
    const rl_exp_parts_single e = rl_exp_apart_single(x, x_low, offset);
    const float m = (e.hi + e.t) + 1;
    return (rl_growth_single){e.power, m, ((1 - m) + e.hi) + e.t};
}

/* The offset for e^x in a slope: deep is x < RL_DEEP. Below RL_DEEPEST, where e^x is 0 even times 64 times the largest float, x
 * counts as that. */
#define RL_DEEP (-69.0F)
#define RL_DEEPEST (-197.0F)
#define RL_NOTHING (-700.0F) /* below, e^x is 0 to the double form, and so an infinite gradient times it is NaN */
RL_INLINE float rl_slope_offset_single(bool deep)
{
    return deep ? RL_POWER_OFFSET_SINGLE + 160 : RL_POWER_OFFSET_SINGLE;
}

#endif

#endif
