/* Sparsemax: the point of the simplex nearest to a row. With d_i = x_i - max x, it is max(d_i - tau, 0), where tau makes it sum
 * to 1: tau = (sum of d over the support - 1) / (size of the support), the support being d > tau (Martins and Astudillo 2016).
 *
 * tau is found without sorting (Michelot 1986): from tau = -1, below the solution, the formula's tau for the support of the
 * last one only grows, and only takes elements off it; when none went, it is the solution. Exact, in at most n + 1 rounds; a
 * handful on most rows. Everything is done in double and rounded once. */
#include "activations/sparsemax_kernels.h"

#include "activations/lanes.h"

#include <math.h>

typedef struct share { /* of the elements above a bound */
    double sum, count;
} share;

#define DEFINE_ROWS(T)                                                                                                         \
    /* of value - shift over key - shift > bound */                                                                            \
    static share above_##T(size_t n, const T *key, double bound, const T *value, double shift)                                 \
    {                                                                                                                          \
        double sum[LANES] = {0}, count[LANES] = {0};                                                                           \
        for (size_t i = 0; i < n; i += LANES) {                                                                                \
            const size_t width = n - i < LANES ? n - i : LANES;                                                                \
            for (size_t k = 0; k < width; k++) {                                                                               \
                const int in = (double)key[i + k] - shift > bound;                                                             \
                sum[k] += in ? (double)value[i + k] - shift : 0;                                                               \
                count[k] += in;                                                                                                \
            }                                                                                                                  \
        }                                                                                                                      \
        return (share){fold_lanes(sum), fold_lanes(count)};                                                                    \
    }                                                                                                                          \
                                                                                                                               \
    static double threshold_##T(size_t n, const T *x, double most)                                                             \
    {                                                                                                                          \
        double tau = -1;                                                                                                       \
        share support = above_##T(n, x, tau, x, most);                                                                         \
        for (double last = INFINITY; support.count < last;) {                                                                  \
            last = support.count;                                                                                              \
            tau = (support.sum - 1) / support.count;                                                                           \
            support = above_##T(n, x, tau, x, most);                                                                           \
        }                                                                                                                      \
        return tau;                                                                                                            \
    }                                                                                                                          \
                                                                                                                               \
    static void sparsemax_##T(size_t rows, size_t n, const void *in, void *out)                                                \
    {                                                                                                                          \
        for (size_t i = 0; i < rows; i++) {                                                                                    \
            const T *x = (const T *)in + i * n;                                                                                \
            T *y = (T *)out + i * n;                                                                                           \
            const double most = (double)largest_##T(n, x);                                                                     \
            const double tau = isfinite(most) ? threshold_##T(n, x, most) : (double)NAN;                                       \
            _Pragma("omp simd") for (size_t j = 0; j < n; j++)                                                                 \
            {                                                                                                                  \
                const double above = ((double)x[j] - most) - tau;                                                              \
                y[j] = (T)(above <= 0 ? 0 : above);                                                                            \
            }                                                                                                                  \
        }                                                                                                                      \
    }                                                                                                                          \
                                                                                                                               \
    static void sparsemax_vjp_##T(size_t rows, size_t n, const void *output, const void *gradient, void *result)               \
    {                                                                                                                          \
        for (size_t i = 0; i < rows; i++) {                                                                                    \
            const T *y = (const T *)output + i * n, *g = (const T *)gradient + i * n;                                          \
            T *dx = (T *)result + i * n;                                                                                       \
            const share support = above_##T(n, y, 0, g, 0);                                                                    \
            const double mean = support.sum / support.count;                                                                   \
            _Pragma("omp simd") for (size_t j = 0; j < n; j++) dx[j] =                                                         \
                (T)((double)y[j] > 0 ? (double)g[j] - mean : (double)y[j]); /* 0, or NaN where y is */                         \
        }                                                                                                                      \
    }                                                                                                                          \
                                                                                                                               \
    static void hardmax_##T(size_t rows, size_t n, const void *in, void *out)                                                  \
    {                                                                                                                          \
        for (size_t i = 0; i < rows; i++) {                                                                                    \
            const T *x = (const T *)in + i * n;                                                                                \
            T *y = (T *)out + i * n;                                                                                           \
            const T most = largest_##T(n, x), other = most == most ? 0 : most;                                                 \
            size_t at = 0;                                                                                                     \
            while (at < n && x[at] != most)                                                                                    \
                at++;                                                                                                          \
            for (size_t j = 0; j < n; j++)                                                                                     \
                y[j] = other;                                                                                                  \
            if (at < n)                                                                                                        \
                y[at] = 1;                                                                                                     \
        }                                                                                                                      \
    }

DEFINE_LARGEST(float, -FLT_MAX)
DEFINE_LARGEST(double, -DBL_MAX)

DEFINE_ROWS(float)
DEFINE_ROWS(double)

const rl_sparsemax_kernels RL_ISA_NAME(rl_sparsemax_kernels) = {
    .sparsemax = {sparsemax_float, sparsemax_double},
    .sparsemax_vjp = {sparsemax_vjp_float, sparsemax_vjp_double},
    .hardmax = {hardmax_float, hardmax_double},
};
