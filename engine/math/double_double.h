/* Double-double: an unevaluated sum hi + lo of two doubles with |lo| <= ulp(hi) / 2, good for some 105 bits (Dekker 1971,
 * Shewchuk 1997; bounds from Joldes, Muller, Popescu, "Tight and rigorous error bounds for basic building blocks of
 * double-word arithmetic", 2017). u is 2^-53 here. */
#ifndef RL_MATH_DOUBLE_DOUBLE_H
#define RL_MATH_DOUBLE_DOUBLE_H

#include "math/precision.h"

#include <stdbool.h>

typedef struct rl_double_double {
    double hi, lo;
} rl_double_double;

/* a + b, exactly, where |a| >= |b| or a = 0. */
RL_INLINE rl_double_double rl_fast_two_sum(double a, double b)
{
    const double sum = a + b;
    return (rl_double_double){sum, b - (sum - a)};
}

/* a + b, exactly. */
RL_INLINE rl_double_double rl_two_sum(double a, double b)
{
    const double sum = a + b, b_part = sum - a, a_part = sum - b_part;
    return (rl_double_double){sum, (a - a_part) + (b - b_part)};
}

/* a b, exactly unless its last bits are below 2^-1074; |a|, |b| < 2^995. */
RL_INLINE rl_double_double rl_two_product(double a, double b)
{
    const double product = a * b;
#if defined(RL_HAS_FMA)
    return (rl_double_double){product, __builtin_fma(a, b, -product)};
#else
    const double splitter = 0x1p27 + 1; /* Veltkamp: halves of 26 bits, whose products are exact */
    const double a_big = splitter * a, b_big = splitter * b;
    const double a_hi = a_big - (a_big - a), b_hi = b_big - (b_big - b);
    const double a_lo = a - a_hi, b_lo = b - b_hi;
    return (rl_double_double){product, ((a_hi * b_hi - product) + a_hi * b_lo + a_lo * b_hi) + a_lo * b_lo};
#endif
}

/* a + b where |a| >= |b|, or a = 0. Error < 2 u^2 (|a| + |b|). */
RL_INLINE rl_double_double rl_dd_add_double(double a, rl_double_double b)
{
    const rl_double_double sum = rl_fast_two_sum(a, b.hi);
    return rl_fast_two_sum(sum.hi, sum.lo + b.lo);
}

/* a + b. Error < 3 u^2 (|a| + |b|): relative to the sum only where nothing cancels. */
RL_INLINE rl_double_double rl_dd_add(rl_double_double a, rl_double_double b)
{
    const rl_double_double sum = rl_two_sum(a.hi, b.hi);
    return rl_fast_two_sum(sum.hi, sum.lo + (a.lo + b.lo));
}

/* which ? a : b */
RL_INLINE rl_double_double rl_dd_choose(bool which, rl_double_double a, rl_double_double b)
{
    return (rl_double_double){which ? a.hi : b.hi, which ? a.lo : b.lo};
}

/* a b. Relative error < 7 u^2. */
RL_INLINE rl_double_double rl_dd_multiply(rl_double_double a, rl_double_double b)
{
    const rl_double_double product = rl_two_product(a.hi, b.hi);
    return rl_fast_two_sum(product.hi, product.lo + rl_madd(a.hi, b.lo, a.lo * b.hi));
}

/* a x + c. Error < 2^-104 (|a x| + |c|). */
RL_INLINE rl_double_double rl_dd_madd(rl_double_double a, rl_double_double x, rl_double_double c)
{
    const rl_double_double product = rl_two_product(a.hi, x.hi), sum = rl_two_sum(c.hi, product.hi);
    const double low = product.lo + rl_madd(a.hi, x.lo, a.lo * x.hi);
    return rl_fast_two_sum(sum.hi, sum.lo + (low + c.lo));
}

/* The same to 2^-102, in a shorter chain of dependent steps: lo is left as it comes, some ULP of hi. */
RL_INLINE rl_double_double rl_dd_madd_loose(rl_double_double a, rl_double_double x, rl_double_double c)
{
    const rl_double_double product = rl_two_product(a.hi, x.hi), sum = rl_two_sum(c.hi, product.hi);
    const double low = rl_madd(a.lo, x.hi, rl_madd(a.hi, x.lo, c.lo + product.lo));
    return (rl_double_double){sum.hi, sum.lo + low};
}

/* a 2^k, given 2^k. Exact unless it leaves the range of doubles. */
RL_INLINE rl_double_double rl_dd_scale(rl_double_double a, double power)
{
    return (rl_double_double){a.hi * power, a.lo * power};
}

/* a / b. Relative error < 16 u^2: the first quotient's remainder is exact but for the products with b.lo, and what the second
 * step adds is itself good to a few u. One division: the second is by the same reciprocal. */
RL_INLINE rl_double_double rl_dd_divide(rl_double_double a, rl_double_double b)
{
    const double reciprocal = 1 / b.hi, quotient = a.hi * reciprocal;
    const rl_double_double back = rl_two_product(quotient, b.hi);
    const double remainder = (a.hi - back.hi) - back.lo + rl_madd(-quotient, b.lo, a.lo);
    return rl_fast_two_sum(quotient, remainder * reciprocal);
}

/* a 2^n for an integer |n| < 2000, in two steps, since 2^n may have no double. The first of them is exact for 2^-400 < |a| <
 * 2^400: a result that becomes subnormal is rounded once. */
RL_INLINE double rl_scale(double a, double n)
{
    const double half = rl_nearest_integer(0.5 * n);
    return a * rl_power_of_two(half) * rl_power_of_two(n - half);
}

/* (hi + lo) 2^n to double, rounded once: error < 0.5 ULP + 2^-50 ULP; infinite where that overflows. For integers
 * -1587 <= n <= 1587 and, where n <= -1022 (a result that may be subnormal), 0.7 <= hi < 1.42.
 *
 * Scaling a subnormal result would round for a second time. Hence the bits that it has no room for are rounded away before:
 * with k = -1022 - n, 2^-1074 is 2^(k - 52) in units of 2^n, the ulp of the binade [2^k, 2^(k+1)), and `offset` is what brings
 * the sum into that binade. Taking it off again is exact, and so is the scaling. */
RL_INLINE double rl_dd_round(rl_double_double a, double n)
{
    const double offset = n < -1022 ? 1.25 * rl_power_of_two(-1022 - n) : n == -1022 ? 0.5 : 0;
    const rl_double_double sum = rl_two_sum(offset, a.hi);
    const double rounded = (sum.hi + (sum.lo + a.lo)) - offset;
    return rl_scale(rounded, n);
}

#endif
