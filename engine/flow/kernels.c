#include "flow/kernels.h"

#include <float.h>
#include <math.h>

enum { LANES = 16 }; /* sums are added in fixed lanes, so that every instruction set adds in the same order */

static double folded(double *lane)
{
    for (size_t width = LANES / 2; width > 0; width /= 2)
        for (size_t k = 0; k < width; k++)
            lane[k] += lane[k + width];
    return lane[0];
}

/* I: a signed integer of T's size, so that counts fill the same vectors as elements. */
#define DEFINE_KERNELS(T, I, smallest_normal)                                                                                  \
    static void classify_##T(size_t n, const T *x, rl_moments *m)                                                              \
    {                                                                                                                          \
        I zeros = 0, subnormals = 0, nans = 0, infinities = 0;                                                                 \
        T least = (T)INFINITY, most = -(T)INFINITY;                                                                            \
        _Pragma("omp simd reduction(+ : zeros, subnormals, nans, infinities)") for (size_t i = 0; i < n; i++)                  \
        {                                                                                                                      \
            const T size = x[i] < 0 ? -x[i] : x[i];                                                                            \
            zeros += size == 0 ? 1 : 0;                                                                                        \
            subnormals += size < (smallest_normal) ? 1 : 0;                                                                    \
            nans += x[i] != x[i] ? 1 : 0;                                                                                      \
            infinities += size == (T)INFINITY ? 1 : 0;                                                                         \
        }                                                                                                                      \
        _Pragma("omp simd reduction(min : least) reduction(max : most)") for (size_t i = 0; i < n; i++)                        \
        {                                                                                                                      \
            const T size = x[i] < 0 ? -x[i] : x[i];                                                                            \
            const T low = size < (T)INFINITY ? x[i] : (T)INFINITY, high = size < (T)INFINITY ? x[i] : -(T)INFINITY;            \
            least = low < least ? low : least;                                                                                 \
            most = high > most ? high : most;                                                                                  \
        }                                                                                                                      \
        *m = (rl_moments){.zeros = zeros,                                                                                      \
                          .subnormals = subnormals - zeros,                                                                    \
                          .nans = nans,                                                                                        \
                          .infinities = infinities,                                                                            \
                          .finite = (int64_t)n - nans - infinities,                                                            \
                          .min = (double)least,                                                                                \
                          .max = (double)most};                                                                                \
    }                                                                                                                          \
                                                                                                                               \
    /* (x 2^-scale - origin)^power, power 1 or 2; 0 where x is not finite */                                                   \
    static inline double term_##T(T x, rl_power_of_two down, double origin, bool squared)                                      \
    {                                                                                                                          \
        const double d = rl_scaled((double)x, down) - origin;                                                                  \
        return fabs((double)x) < (double)INFINITY ? (squared ? d * d : d) : 0;                                                 \
    }                                                                                                                          \
    static inline double sum_of_terms_##T(size_t n, const T *x, rl_power_of_two down, double origin, bool squared)             \
    {                                                                                                                          \
        double lane[LANES] = {0};                                                                                              \
        size_t i = 0;                                                                                                          \
        for (; i + LANES <= n; i += LANES)                                                                                     \
            for (size_t k = 0; k < LANES; k++)                                                                                 \
                lane[k] += term_##T(x[i + k], down, origin, squared);                                                          \
        for (size_t k = 0; i + k < n; k++)                                                                                     \
            lane[k] += term_##T(x[i + k], down, origin, squared);                                                              \
        return folded(lane);                                                                                                   \
    }                                                                                                                          \
                                                                                                                               \
    static void moments_##T(size_t n, const void *data, rl_moments *m)                                                         \
    {                                                                                                                          \
        const T *x = data;                                                                                                     \
        classify_##T(n, x, m);                                                                                                 \
        const double largest = fmax(fabs(m->min), fabs(m->max));                                                               \
        if (m->finite == 0 || largest == 0)                                                                                    \
            return;                                                                                                            \
        frexp(largest, &m->scale);                                                                                             \
        const rl_power_of_two down = rl_power_of_two_at(-m->scale);                                                            \
        m->mean = sum_of_terms_##T(n, x, down, 0, false) / (double)m->finite;                                                  \
        m->deviation = sum_of_terms_##T(n, x, down, m->mean, true);                                                            \
    }                                                                                                                          \
                                                                                                                               \
    static size_t count_below_##T(size_t n, const void *data, double threshold)                                                \
    {                                                                                                                          \
        const T *x = data;                                                                                                     \
        size_t count = 0;                                                                                                      \
        for (size_t i = 0; i < n; i++)                                                                                         \
            count += fabs((double)x[i]) < threshold ? 1 : 0;                                                                   \
        return count;                                                                                                          \
    }                                                                                                                          \
                                                                                                                               \
    static void mark_nonzero_##T(size_t rows, size_t units, const void *data, bool *alive)                                     \
    {                                                                                                                          \
        const T *x = data;                                                                                                     \
        for (size_t i = 0; i < rows; i++)                                                                                      \
            for (size_t j = 0; j < units; j++)                                                                                 \
                alive[j] |= x[i * units + j] != 0;                                                                             \
    }

DEFINE_KERNELS(float, int32_t, FLT_MIN)
DEFINE_KERNELS(double, int64_t, DBL_MIN)

const rl_flow_kernels RL_ISA_NAME(rl_flow_kernels) = {
    .moments = {moments_float, moments_double},
    .count_below = {count_below_float, count_below_double},
    .mark_nonzero = {mark_nonzero_float, mark_nonzero_double},
};
