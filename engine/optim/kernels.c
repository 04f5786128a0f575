#include "optim/kernels.h"

#include <math.h>

enum { LANES = 16 }; /* sums are added in fixed lanes, so that every instruction set adds in the same order */

static double sum_of_lanes(const double *lane)
{
    double sum = 0;
    for (size_t k = 0; k < LANES; k++)
        sum += lane[k];
    return sum;
}

static inline double power(double size, double p)
{
    return p == 2 ? size * size : p == 1 ? size : pow(size, p);
}

/* What every update begins with: its pointers, and g + decay p of the element at i. */
#define OPERANDS(T)                                                                                                            \
    T *p = parameter;                                                                                                          \
    const T *gradient = data, rate = (T)u->rate, decay = (T)u->decay;
#define GRADIENT(i) (gradient[i] + decay * p[i])

#define DEFINE_UPDATES(T, SQRT)                                                                                                \
    static void sgd_##T(size_t n, const rl_update *u, void *parameter, const void *data, void *const *state)                   \
    {                                                                                                                          \
        OPERANDS(T)                                                                                                            \
        const T momentum = (T)u->momentum;                                                                                     \
        T *v = state[0];                                                                                                       \
        if (v == NULL) {                                                                                                       \
            _Pragma("omp simd") for (size_t i = 0; i < n; i++) p[i] -= rate * GRADIENT(i);                                     \
        } else if (u->nesterov) {                                                                                              \
            _Pragma("omp simd") for (size_t i = 0; i < n; i++)                                                                 \
            {                                                                                                                  \
                const T g = GRADIENT(i);                                                                                       \
                v[i] = momentum * v[i] + g;                                                                                    \
                p[i] -= rate * (g + momentum * v[i]);                                                                          \
            }                                                                                                                  \
        } else {                                                                                                               \
            _Pragma("omp simd") for (size_t i = 0; i < n; i++)                                                                 \
            {                                                                                                                  \
                v[i] = momentum * v[i] + GRADIENT(i);                                                                          \
                p[i] -= rate * v[i];                                                                                           \
            }                                                                                                                  \
        }                                                                                                                      \
    }                                                                                                                          \
                                                                                                                               \
    static void adam_##T(size_t n, const rl_update *u, void *parameter, const void *data, void *const *state)                  \
    {                                                                                                                          \
        OPERANDS(T)                                                                                                            \
        const T keep1 = (T)u->first, take1 = (T)(1 - u->first), keep2 = (T)u->second, take2 = (T)(1 - u->second);              \
        const T shrink = (T)u->shrink, root = (T)u->root, eps = (T)u->eps;                                                     \
        T *m = state[0], *v = state[1];                                                                                        \
        _Pragma("omp simd") for (size_t i = 0; i < n; i++)                                                                     \
        {                                                                                                                      \
            const T g = GRADIENT(i);                                                                                           \
            m[i] = keep1 * m[i] + take1 * g;                                                                                   \
            v[i] = keep2 * v[i] + take2 * (g * g);                                                                             \
            p[i] = shrink * p[i] - rate * m[i] / (root * SQRT(v[i]) + eps);                                                    \
        }                                                                                                                      \
    }                                                                                                                          \
                                                                                                                               \
    /* centred or not, with momentum or without: constants where this is called */                                             \
    static inline void rmsprop_of_##T(size_t n, const rl_update *u, void *parameter, const void *data, void *const *state,     \
                                      bool centered, bool moves)                                                               \
    {                                                                                                                          \
        OPERANDS(T)                                                                                                            \
        const T keep = (T)u->second, take = (T)(1 - u->second), momentum = (T)u->momentum, eps = (T)u->eps;                    \
        T *v = state[0], *mean = state[1], *buffer = state[2];                                                                 \
        _Pragma("omp simd") for (size_t i = 0; i < n; i++)                                                                     \
        {                                                                                                                      \
            const T g = GRADIENT(i);                                                                                           \
            v[i] = keep * v[i] + take * (g * g);                                                                               \
            T variance = v[i];                                                                                                 \
            if (centered) {                                                                                                    \
                mean[i] = keep * mean[i] + take * g;                                                                           \
                variance -= mean[i] * mean[i];                                                                                 \
                variance = variance < 0 ? 0 : variance; /* by rounding alone */                                                \
            }                                                                                                                  \
            T along = g / (SQRT(variance) + eps);                                                                              \
            if (moves) {                                                                                                       \
                buffer[i] = momentum * buffer[i] + along;                                                                      \
                along = buffer[i];                                                                                             \
            }                                                                                                                  \
            p[i] -= rate * along;                                                                                              \
        }                                                                                                                      \
    }                                                                                                                          \
    static void rmsprop_##T(size_t n, const rl_update *u, void *p, const void *g, void *const *state)                          \
    {                                                                                                                          \
        if (state[1] != NULL && state[2] != NULL)                                                                              \
            rmsprop_of_##T(n, u, p, g, state, true, true);                                                                     \
        else if (state[1] != NULL)                                                                                             \
            rmsprop_of_##T(n, u, p, g, state, true, false);                                                                    \
        else if (state[2] != NULL)                                                                                             \
            rmsprop_of_##T(n, u, p, g, state, false, true);                                                                    \
        else                                                                                                                   \
            rmsprop_of_##T(n, u, p, g, state, false, false);                                                                   \
    }                                                                                                                          \
                                                                                                                               \
    static void adagrad_##T(size_t n, const rl_update *u, void *parameter, const void *data, void *const *state)               \
    {                                                                                                                          \
        OPERANDS(T)                                                                                                            \
        const T eps = (T)u->eps;                                                                                               \
        T *sum = state[0];                                                                                                     \
        _Pragma("omp simd") for (size_t i = 0; i < n; i++)                                                                     \
        {                                                                                                                      \
            const T g = GRADIENT(i);                                                                                           \
            sum[i] += g * g;                                                                                                   \
            p[i] -= rate * g / (SQRT(sum[i]) + eps);                                                                           \
        }                                                                                                                      \
    }                                                                                                                          \
                                                                                                                               \
    static void adadelta_##T(size_t n, const rl_update *u, void *parameter, const void *data, void *const *state)              \
    {                                                                                                                          \
        OPERANDS(T)                                                                                                            \
        const T keep = (T)u->second, take = (T)(1 - u->second), eps = (T)u->eps;                                               \
        T *v = state[0], *moved = state[1];                                                                                    \
        _Pragma("omp simd") for (size_t i = 0; i < n; i++)                                                                     \
        {                                                                                                                      \
            const T g = GRADIENT(i);                                                                                           \
            v[i] = keep * v[i] + take * (g * g);                                                                               \
            const T along = SQRT(moved[i] + eps) / SQRT(v[i] + eps) * g;                                                       \
            moved[i] = keep * moved[i] + take * (along * along);                                                               \
            p[i] -= rate * along;                                                                                              \
        }                                                                                                                      \
    }                                                                                                                          \
                                                                                                                               \
    static void lion_##T(size_t n, const rl_update *u, void *parameter, const void *data, void *const *state)                  \
    {                                                                                                                          \
        T *p = parameter, *m = state[0];                                                                                       \
        const T *g = data, rate = (T)u->rate, shrink = (T)u->shrink;                                                           \
        const T keep1 = (T)u->first, take1 = (T)(1 - u->first), keep2 = (T)u->second, take2 = (T)(1 - u->second);              \
        _Pragma("omp simd") for (size_t i = 0; i < n; i++)                                                                     \
        {                                                                                                                      \
            const T mixed = keep1 * m[i] + take1 * g[i];                                                                       \
            const T sign = mixed > 0 ? 1 : mixed < 0 ? -1 : mixed; /* NaN stays, so that it is seen */                         \
            p[i] = shrink * p[i] - rate * sign;                                                                                \
            m[i] = keep2 * m[i] + take2 * g[i];                                                                                \
        }                                                                                                                      \
    }

#define DEFINE_CLIPPING(T)                                                                                                     \
    static double largest_##T(size_t n, const void *data)                                                                      \
    {                                                                                                                          \
        const T *x = data;                                                                                                     \
        T most = 0;                                                                                                            \
        int nans = 0;                                                                                                          \
        _Pragma("omp simd reduction(max : most) reduction(| : nans)") for (size_t i = 0; i < n; i++)                           \
        {                                                                                                                      \
            const T size = x[i] < 0 ? -x[i] : x[i];                                                                            \
            most = size > most ? size : most;                                                                                  \
            nans |= x[i] != x[i];                                                                                              \
        }                                                                                                                      \
        return nans ? (double)NAN : (double)most;                                                                              \
    }                                                                                                                          \
                                                                                                                               \
    static inline double sum_##T(size_t n, const T *x, rl_power_of_two scale, double p)                                        \
    {                                                                                                                          \
        double lane[LANES] = {0};                                                                                              \
        size_t i = 0;                                                                                                          \
        for (; i + LANES <= n; i += LANES)                                                                                     \
            for (size_t k = 0; k < LANES; k++)                                                                                 \
                lane[k] += power(fabs(rl_scaled((double)x[i + k], scale)), p);                                                 \
        for (size_t k = 0; i + k < n; k++)                                                                                     \
            lane[k] += power(fabs(rl_scaled((double)x[i + k], scale)), p);                                                     \
        return sum_of_lanes(lane);                                                                                             \
    }                                                                                                                          \
    static double sum_of_powers_##T(size_t n, const void *x, rl_power_of_two scale, double p)                                  \
    {                                                                                                                          \
        return p == 2 ? sum_##T(n, x, scale, 2) : p == 1 ? sum_##T(n, x, scale, 1) : sum_##T(n, x, scale, p);                  \
    }                                                                                                                          \
                                                                                                                               \
    static void scale_##T(size_t n, void *data, double factor)                                                                 \
    {                                                                                                                          \
        T *x = data;                                                                                                           \
        for (size_t i = 0; i < n; i++)                                                                                         \
            x[i] = (T)((double)x[i] * factor);                                                                                 \
    }                                                                                                                          \
                                                                                                                               \
    static void clamp_##T(size_t n, void *data, double bound)                                                                  \
    {                                                                                                                          \
        T *x = data;                                                                                                           \
        for (size_t i = 0; i < n; i++)                                                                                         \
            x[i] = (double)x[i] > bound ? (T)bound : (double)x[i] < -bound ? (T)-bound : x[i];                                 \
    }

DEFINE_UPDATES(float, sqrtf)
DEFINE_UPDATES(double, sqrt)
DEFINE_CLIPPING(float)
DEFINE_CLIPPING(double)

const rl_optim_kernels RL_ISA_NAME(rl_optim_kernels) = {
    .update = {[RILLE_SGD] = {sgd_float, sgd_double},
               [RILLE_ADAM] = {adam_float, adam_double},
               [RILLE_ADAMW] = {adam_float, adam_double},
               [RILLE_RMSPROP] = {rmsprop_float, rmsprop_double},
               [RILLE_ADAGRAD] = {adagrad_float, adagrad_double},
               [RILLE_ADADELTA] = {adadelta_float, adadelta_double},
               [RILLE_LION] = {lion_float, lion_double}},
    .largest = {largest_float, largest_double},
    .sum_of_powers = {sum_of_powers_float, sum_of_powers_double},
    .scale = {scale_float, scale_double},
    .clamp = {clamp_float, clamp_double},
};
