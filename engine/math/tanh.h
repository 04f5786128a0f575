/* The hyperbolic tangent and its first two derivatives. With u = e^(-2 |x|) and the logistic function s:
 *
 *     tanh(x)  = sign(x) (1 - u) / (1 + u)
 *     tanh'(x) = 4 u / (1 + u)^2                           = 4 s'(2 x)
 *     tanh"(x) = -2 tanh tanh' = -8 sign(x) u (1 - u) / (1 + u)^3 = 8 s"(2 x)
 *
 * tanh(+-0) = +-0, tanh(+-Inf) = +-1, tanh'(+-Inf) = +0, tanh"(Inf) = tanh"(+0) = -0, tanh"(-Inf) = tanh"(-0) = +0. */
#ifndef RL_MATH_TANH_H
#define RL_MATH_TANH_H

#include "math/logistic.h"

/* tanh. Relative error < 2^-40, for tiny x too: that of 1 - u and half that of u at most. */
RL_INLINE double rl_tanh_24(double x)
{
    const rl_decay_24 decay = rl_decay_of_24(2 * rl_magnitude(x));
    return rl_copy_sign(decay.one_minus_u / decay.one_plus_u, x);
}

/* Relative errors are those of s' and s": the factors are exact. */
RL_INLINE double rl_tanh_d1_24(double x)
{
    return 4 * rl_logistic_d1_24(2 * x);
}

RL_INLINE double rl_tanh_d2_24(double x)
{
    return 8 * rl_logistic_d2_24(2 * x);
}

/* tanh. Error < 0.6 ULP: 0.5 of the last rounding and, before it, 2 u / (1 - u^2) times that of u, which is largest at
 * u = 2^-1/2, where it is 2.83 times 0.035 (in units of 2^-53): towards u = 1, u's error falls as r^3. */
RL_INLINE double rl_tanh_53(double x)
{
    const rl_decay_53 decay = rl_decay_of_53(2 * rl_magnitude(x));
    return rl_copy_sign(rl_dd_divide(decay.one_minus_u, decay.one_plus_u).hi, x);
}

/* Errors < 0.54 and < 0.6 ULP, those of s' and s". 4 and 8 scale the exponent: applied to a rounded subnormal they would
 * multiply its error. */
RL_INLINE double rl_tanh_d1_53(double x)
{
    return rl_logistic_d1_scaled_53(2 * x, 2);
}

RL_INLINE double rl_tanh_d2_53(double x)
{
    return rl_logistic_d2_scaled_53(2 * x, 3);
}

#define tanh(x) RL_AT_PRECISION(rl_tanh)(x)
#define tanh_d1(x) RL_AT_PRECISION(rl_tanh_d1)(x)
#define tanh_d2(x) RL_AT_PRECISION(rl_tanh_d2)(x)

#endif
