/* softplus, log(1 + e^(beta x)) / beta, and its derivatives. With t = beta x, u = e^-|t| and the logistic function s:
 *
 *     softplus(x)  = (max(t, 0) + log(1 + u)) / beta
 *     softplus'(x) = s(t)
 *     softplus"(x) = beta s'(t) = beta u / (1 + u)^2
 *
 * 1e-30 <= beta <= 1e30 (2^-100 ... 2^100). Nothing cancels. */
#ifndef RL_MATH_SOFTPLUS_H
#define RL_MATH_SOFTPLUS_H

#include "math/logarithm.h"
#include "math/logistic.h"
#include "math/piecewise.h"

/* Relative errors < 2^-39: those of log(1 + u), of s and s', and the rounding of t, |t| 2^-53 of u. */
RL_INLINE double rl_softplus_24(double x, double beta)
{
    const double tail = rl_log1p_24(rl_decay_of_24(rl_magnitude(beta * x)).u) / beta;
    return x > 0 ? x + tail : tail;
}

RL_INLINE double rl_softplus_d1_24(double x, double beta)
{
    return rl_logistic_24(beta * x);
}

RL_INLINE double rl_softplus_d2_24(double x, double beta)
{
    return beta * rl_logistic_d1_24(beta * x);
}

/* u and what belongs to it, of t in two parts. Past 2^120, |x| is 2^120: |t| >= 2^20 there, and u is 0 either way. */
RL_INLINE rl_decay_53 rl_softplus_decay(double x, double beta)
{
    const double m = rl_magnitude(x);
    const rl_double_double t = rl_two_product(beta, m > 0x1p120 ? 0x1p120 : m);
    return rl_decay_of_low_53(t.hi, t.lo);
}

/* Error < 0.6 ULP, < 1.1 ULP of a subnormal. Below 2^-200, log(1 + u) is u; to a positive x it then adds nothing. */
RL_INLINE double rl_softplus_53(double x, double beta)
{
    const rl_decay_53 decay = rl_softplus_decay(x, beta);
    const rl_double_double near = rl_log1p_in_parts(rl_dd_scale(decay.m, rl_power_of_two(decay.n < -200 ? -200 : decay.n)));
    const rl_double_double divisor = {beta, 0};
    const rl_double_double log1p = {decay.n < -200 ? decay.m.hi : near.hi, decay.n < -200 ? decay.m.lo : near.lo};
    const rl_double_double tail = rl_dd_divide(log1p, divisor);
    const rl_double_double sum = rl_two_sum(x, decay.n < -200 ? 0 : tail.hi);
    const double right = x > 0x1p120 ? x : sum.hi + (sum.lo + (decay.n < -200 ? 0 : tail.lo));
    return x > 0 ? right : rl_scale(tail.hi, decay.n < -200 ? decay.n : 0);
}

/* Error < 0.54 ULP, that of s. */
RL_INLINE double rl_softplus_d1_53(double x, double beta)
{
    return rl_logistic_of_53(rl_softplus_decay(x, beta), x < 0);
}

/* Error < 0.55 ULP, < 1.1 ULP of a subnormal. */
RL_INLINE double rl_softplus_d2_53(double x, double beta)
{
    const rl_decay_53 decay = rl_softplus_decay(x, beta);
    const rl_double_double square = rl_dd_multiply(decay.one_plus_u, decay.one_plus_u);
    return rl_scale(rl_dd_times(rl_dd_divide(decay.m, square), beta), decay.n);
}

#define softplus(x, beta) RL_AT_PRECISION(rl_softplus)(x, beta)
#define softplus_d1(x, beta) RL_AT_PRECISION(rl_softplus_d1)(x, beta)
#define softplus_d2(x, beta) RL_AT_PRECISION(rl_softplus_d2)(x, beta)

#endif
