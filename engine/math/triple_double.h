/* Triple-double: an unevaluated sum hi + mid + lo of three doubles, for the few constants of which a double-double is not
 * enough. Where they do not overlap by more than a few bits, a step errs by less than 2^-150 of its larger operand or, for
 * products, of the result. */
#ifndef RL_MATH_TRIPLE_DOUBLE_H
#define RL_MATH_TRIPLE_DOUBLE_H

#include "math/double_double.h"

typedef struct rl_triple_double {
    double hi, mid, lo;
} rl_triple_double;

/* hi + mid + lo without overlap. hi and mid may cancel. */
RL_INLINE rl_triple_double rl_td_normalise(double hi, double mid, double lo)
{
    const rl_double_double low = rl_two_sum(mid, lo), high = rl_two_sum(hi, low.hi), rest = rl_fast_two_sum(high.lo, low.lo);
    return (rl_triple_double){high.hi, rest.hi, rest.lo};
}

RL_INLINE rl_triple_double rl_td_choose(bool which, rl_triple_double a, rl_triple_double b)
{
    return (rl_triple_double){which ? a.hi : b.hi, which ? a.mid : b.mid, which ? a.lo : b.lo};
}

RL_INLINE rl_triple_double rl_td_add(rl_triple_double a, rl_triple_double b)
{
    const rl_double_double high = rl_two_sum(a.hi, b.hi), middle = rl_two_sum(a.mid, b.mid);
    const rl_double_double low = rl_two_sum(high.lo, middle.hi);
    return rl_td_normalise(high.hi, low.hi, low.lo + (middle.lo + (a.lo + b.lo)));
}

RL_INLINE rl_triple_double rl_td_add_double(rl_triple_double a, double b)
{
    const rl_double_double high = rl_two_sum(a.hi, b), low = rl_two_sum(high.lo, a.mid);
    return rl_td_normalise(high.hi, low.hi, low.lo + a.lo);
}

/* a 2^k, given 2^k. */
RL_INLINE rl_triple_double rl_td_scale(rl_triple_double a, double power)
{
    return (rl_triple_double){a.hi * power, a.mid * power, a.lo * power};
}

RL_INLINE rl_triple_double rl_td_times(rl_triple_double a, double x)
{
    const rl_double_double high = rl_two_product(a.hi, x), middle = rl_two_product(a.mid, x);
    const rl_double_double low = rl_two_sum(high.lo, middle.hi);
    return rl_td_normalise(high.hi, low.hi, low.lo + rl_madd(a.lo, x, middle.lo));
}

RL_INLINE rl_triple_double rl_td_square(rl_triple_double a)
{
    const rl_double_double high = rl_two_product(a.hi, a.hi), middle = rl_two_product(2 * a.hi, a.mid);
    const rl_double_double low = rl_two_sum(high.lo, middle.hi);
    return rl_td_normalise(high.hi, low.hi, low.lo + (rl_madd(2 * a.hi, a.lo, a.mid * a.mid) + middle.lo));
}

/* The first two parts. */
RL_INLINE rl_double_double rl_td_round(rl_triple_double a)
{
    return (rl_double_double){a.hi, a.mid};
}

#endif
