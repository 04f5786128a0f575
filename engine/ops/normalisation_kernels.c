#include "ops/normalisation_kernels.h"

#include "activations/lanes.h"

#define DEFINE_SUMS(T)                                                                                                         \
    static void add_##T(size_t n, const void *data, double *restrict sum)                                                      \
    {                                                                                                                          \
        const T *x = data;                                                                                                     \
        for (size_t i = 0; i < n; i++)                                                                                         \
            sum[i] += (double)x[i];                                                                                            \
    }                                                                                                                          \
    static void add_squares_##T(size_t n, const void *data, const double *restrict mean, double *restrict squares)             \
    {                                                                                                                          \
        const T *restrict x = data;                                                                                            \
        for (size_t i = 0; i < n; i++)                                                                                         \
            squares[i] += ((double)x[i] - mean[i]) * ((double)x[i] - mean[i]);                                                 \
    }                                                                                                                          \
                                                                                                                               \
    static void sum_products_##T(size_t n, const void *data, const void *gradient, double mean, double scale,                  \
                                 const double *weight, double sum[2])                                                          \
    {                                                                                                                          \
        const T *x = data, *g = gradient;                                                                                      \
        double first[LANES] = {0}, second[LANES] = {0};                                                                        \
        size_t i = 0;                                                                                                          \
        for (; i + LANES <= n; i += LANES)                                                                                     \
            for (size_t k = 0; k < LANES; k++) {                                                                               \
                const double gw = (double)g[i + k] * (weight == NULL ? 1 : weight[i + k]);                                     \
                first[k] += gw;                                                                                                \
                second[k] += gw * (((double)x[i + k] - mean) * scale);                                                         \
            }                                                                                                                  \
        for (size_t k = 0; i + k < n; k++) {                                                                                   \
            const double gw = (double)g[i + k] * (weight == NULL ? 1 : weight[i + k]);                                         \
            first[k] += gw;                                                                                                    \
            second[k] += gw * (((double)x[i + k] - mean) * scale);                                                             \
        }                                                                                                                      \
        sum[0] += fold_lanes(first);                                                                                           \
        sum[1] += fold_lanes(second);                                                                                          \
    }

/* each: 1 where statistics are each element's own, else 0 */
#define DEFINE_ADD_PRODUCTS(T, name, each)                                                                                     \
    static void name##_##T(size_t n, const void *data, const void *gradient, const double *restrict mean,                      \
                           const double *restrict scale, double *restrict first, double *restrict second)                      \
    {                                                                                                                          \
        const T *restrict x = data, *restrict g = gradient;                                                                    \
        for (size_t i = 0; i < n; i++) {                                                                                       \
            first[i] += (double)g[i];                                                                                          \
            second[i] += (double)g[i] * (((double)x[i] - mean[i * (each)]) * scale[i * (each)]);                               \
        }                                                                                                                      \
    }

/* of and own: 1 where statistics, or weights, are each element's own, else 0 */
#define DEFINE_MAPS(T, shared, of, own)                                                                                        \
    static void normalise_##shared##_##T(size_t n, const rl_terms *t, const void *data, void *result)                          \
    {                                                                                                                          \
        const T *restrict x = data;                                                                                            \
        T *restrict y = result;                                                                                                \
        const double *restrict mean = t->mean, *restrict scale = t->scale, *restrict weight = t->weight,                       \
                               *restrict bias = t->bias;                                                                       \
        for (size_t i = 0; i < n; i++)                                                                                         \
            y[i] = (T)(((double)x[i] - mean[i * (of)]) * scale[i * (of)] * weight[i * (own)] + bias[i * (own)]);               \
    }                                                                                                                          \
                                                                                                                               \
    static void differentiate_##shared##_##T(size_t n, const rl_terms *t, const void *data, const void *gradient,              \
                                             void *result)                                                                     \
    {                                                                                                                          \
        const T *restrict x = data, *restrict g = gradient;                                                                    \
        T *restrict dx = result;                                                                                               \
        const double *restrict mean = t->mean, *restrict scale = t->scale, *restrict weight = t->weight,                       \
                               *restrict first = t->first, *restrict second = t->second;                                       \
        for (size_t i = 0; i < n; i++) {                                                                                       \
            const double normal = ((double)x[i] - mean[i * (of)]) * scale[i * (of)];                                           \
            const double rest = (double)g[i] * weight[i * (own)] - first[i * (of)] - normal * second[i * (of)];                \
            dx[i] = (T)(scale[i * (of)] * rest);                                                                               \
        }                                                                                                                      \
    }

#define DEFINE_ALL(T)                                                                                                          \
    DEFINE_SUMS(T)                                                                                                             \
    DEFINE_ADD_PRODUCTS(T, add_products, 0)                                                                                    \
    DEFINE_ADD_PRODUCTS(T, add_own_products, 1)                                                                                \
    DEFINE_MAPS(T, both, 0, 0)                                                                                                 \
    DEFINE_MAPS(T, statistics, 0, 1)                                                                                           \
    DEFINE_MAPS(T, nothing, 1, 1)
DEFINE_ALL(float)
DEFINE_ALL(double)

#define SHARED(name, shared)                                                                                                   \
    {                                                                                                                          \
        name##_##shared##_float, name##_##shared##_double                                                                      \
    }
#define MAPS(name)                                                                                                             \
    {                                                                                                                          \
        [RL_SHARE_BOTH] = SHARED(name, both), [RL_SHARE_STATISTICS] = SHARED(name, statistics),                                \
        [RL_SHARE_NOTHING] = SHARED(name, nothing)                                                                             \
    }
const rl_normalisation_kernels RL_ISA_NAME(rl_normalisation_kernels) = {
    .add = {add_float, add_double},
    .add_squares = {add_squares_float, add_squares_double},
    .sum_products = {sum_products_float, sum_products_double},
    .add_products = {{add_products_float, add_products_double}, {add_own_products_float, add_own_products_double}},
    .normalise = MAPS(normalise),
    .differentiate = MAPS(differentiate),
};
