#include "ops/loss_kernels.h"

#include "math/logistic.h"
#include "math/softplus.h"

#include <math.h>

/* ---- What the rows are made of, beside engine/math ---- */

RL_INLINE double sign_of(double d)
{
    return d > 0 ? 1 : d < 0 ? -1 : d;
}

RL_INLINE double within(double d, double most)
{
    return d > most ? most : d < -most ? -most : d;
}

RL_INLINE double ended_log(double x)
{
    const double y = log(x);
    return y < -100 ? -100 : y;
}

RL_INLINE double ended_log1p(double x)
{
    const double y = log1p(x);
    return y < -100 ? -100 : y;
}

#define LEAST_DIVISOR 1e-12

RL_INLINE double divisor(double x)
{
    return x < LEAST_DIVISOR ? LEAST_DIVISOR : x;
}

/* The derivative of -t / divisor(x). */
RL_INLINE double curvature(double t, double x)
{
    return x < LEAST_DIVISOR ? 0 : t / (x * x);
}

#define exp_of(x) RL_AT_PRECISION(rl_exp)(x)

/* ---- Rows: mse_24(term, x, t, p) is a term in float32 kernels, mse_53 in float64 kernels ---- */

/* term is known where it is called, and the rest falls away */
#define SCALAR(name, precision, f, f_x, f_t, f_xx, f_xt, f_tt)                                                                 \
    RL_INLINE double name##_##precision(rl_loss_term term, double x, double t, double p)                                       \
    {                                                                                                                          \
        const double d = x - t;                                                                                                \
        (void)d;                                                                                                               \
        (void)p;                                                                                                               \
        if (term == RL_LOSS_F)                                                                                                 \
            return f;                                                                                                          \
        if (term == RL_LOSS_F_X)                                                                                               \
            return f_x;                                                                                                        \
        if (term == RL_LOSS_F_T)                                                                                               \
            return f_t;                                                                                                        \
        if (term == RL_LOSS_F_XX)                                                                                              \
            return f_xx;                                                                                                       \
        if (term == RL_LOSS_F_XT)                                                                                              \
            return f_xt;                                                                                                       \
        return f_tt;                                                                                                           \
    }

#define RL_PRECISION 24
#define LOSS(name, called, ...) SCALAR(name, 24, __VA_ARGS__)
#include "ops/pair_losses.def"
#undef LOSS
#undef RL_PRECISION

#define RL_PRECISION 53
#define LOSS(name, called, ...) SCALAR(name, 53, __VA_ARGS__)
#include "ops/pair_losses.def"
#undef LOSS
#undef RL_PRECISION

#define TERM(T, scalar, term)                                                                                                  \
    case term:                                                                                                                 \
        if (one_g) {                                                                                                           \
            const double factor = (double)*(const T *)g;                                                                       \
            _Pragma("omp simd") for (size_t i = 0; i < n; i++)((T *)z)[i] =                                                    \
                (T)(factor * scalar(term, (double)((const T *)x)[i], (double)((const T *)t)[i], p));                           \
        } else {                                                                                                               \
            _Pragma("omp simd") for (size_t i = 0; i < n; i++)((T *)z)[i] =                                                    \
                (T)((double)((const T *)g)[i] * scalar(term, (double)((const T *)x)[i], (double)((const T *)t)[i], p));        \
        }                                                                                                                      \
        return;

#define KERNEL(name, T, scalar)                                                                                                \
    static void name##_##T(size_t n, rl_loss_term term, const void *g, int one_g, const void *x, const void *t, double p,      \
                           void *z)                                                                                            \
    {                                                                                                                          \
        switch (term) {                                                                                                        \
        case RL_LOSS_F: {                                                                                                      \
            _Pragma("omp simd") for (size_t i = 0; i < n; i++)((T *)z)[i] =                                                    \
                (T)scalar(RL_LOSS_F, (double)((const T *)x)[i], (double)((const T *)t)[i], p);                                 \
            return;                                                                                                            \
        }                                                                                                                      \
            TERM(T, scalar, RL_LOSS_F_X)                                                                                       \
            TERM(T, scalar, RL_LOSS_F_T)                                                                                       \
            TERM(T, scalar, RL_LOSS_F_XX)                                                                                      \
            TERM(T, scalar, RL_LOSS_F_XT)                                                                                      \
            TERM(T, scalar, RL_LOSS_F_TT)                                                                                      \
        }                                                                                                                      \
    }

#define LOSS(name, ...) KERNEL(name, float, name##_24) KERNEL(name, double, name##_53)
#include "ops/pair_losses.def"
#undef LOSS

const rl_loss_kernels RL_ISA_NAME(rl_loss_kernels) = {
#define LOSS(name, ...) .pair[RL_LOSS_##name] = {name##_float, name##_double},
#include "ops/pair_losses.def"
#undef LOSS
};
