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
#define DEFINE_CLASSIFY(T, I, smallest_normal)                                                                                 \
    static void take_apart_##T(size_t n, const T *x, rl_moments *m) /* where not all are finite */                             \
    {                                                                                                                          \
        I nans = 0;                                                                                                            \
        T least = (T)INFINITY, most = -(T)INFINITY;                                                                            \
        _Pragma("omp simd reduction(+ : nans) reduction(min : least) reduction(max : most)") for (size_t i = 0; i < n; i++)    \
        {                                                                                                                      \
            const T size = x[i] < 0 ? -x[i] : x[i];                                                                            \
            const T low = size < (T)INFINITY ? x[i] : (T)INFINITY, high = size < (T)INFINITY ? x[i] : -(T)INFINITY;            \
            nans += x[i] != x[i] ? 1 : 0;                                                                                      \
            least = low < least ? low : least;                                                                                 \
            most = high > most ? high : most;                                                                                  \
        }                                                                                                                      \
        m->nans = nans;                                                                                                        \
        m->infinities = (int64_t)n - m->finite - nans;                                                                         \
        m->min = (double)least;                                                                                                \
        m->max = (double)most;                                                                                                 \
    }                                                                                                                          \
                                                                                                                               \
    static void classify_##T(size_t n, const T *x, rl_moments *m)                                                              \
    {                                                                                                                          \
        I finite = 0, small = 0, zeros = 0;                                                                                    \
        T least = (T)INFINITY, most = -(T)INFINITY;                                                                            \
        _Pragma("omp simd reduction(+ : finite, small) reduction(min : least) reduction(max : most)") for (size_t i = 0;       \
                                                                                                           i < n; i++)         \
        {                                                                                                                      \
            const T size = x[i] < 0 ? -x[i] : x[i];                                                                            \
            finite += size < (T)INFINITY ? 1 : 0;                                                                              \
            small += size < (smallest_normal) ? 1 : 0;                                                                         \
            least = x[i] < least ? x[i] : least;                                                                               \
            most = x[i] > most ? x[i] : most;                                                                                  \
        }                                                                                                                      \
        if (small > 0)                                                                                                         \
            _Pragma("omp simd reduction(+ : zeros)") for (size_t i = 0; i < n; i++) zeros += x[i] == 0 ? 1 : 0;                \
        *m = (rl_moments){                                                                                                     \
            .zeros = zeros, .subnormals = small - zeros, .finite = finite, .min = (double)least, .max = (double)most};         \
        if (finite < (I)n)                                                                                                     \
            take_apart_##T(n, x, m);                                                                                           \
    }

DEFINE_CLASSIFY(float, int32_t, FLT_MIN)
DEFINE_CLASSIFY(double, int64_t, DBL_MIN)

typedef struct sums {
    double first, second; /* of d and d^2 */
} sums;

/* Of d = x 2^-scale - origin over the finite x. float32 needs no scale: its squares stay in float64's range. */
#define DEFINE_SUMS(name, T, value)                                                                                            \
    static sums name(size_t n, const T *x, rl_power_of_two down, double origin)                                                \
    {                                                                                                                          \
        double first[LANES] = {0}, second[LANES] = {0};                                                                        \
        size_t i = 0;                                                                                                          \
        (void)down;                                                                                                            \
        for (; i + LANES <= n; i += LANES)                                                                                     \
            _Pragma("omp simd") for (size_t k = 0; k < LANES; k++)                                                             \
            {                                                                                                                  \
                const double d = (value(x[i + k])) - origin;                                                                   \
                first[k] += d;                                                                                                 \
                second[k] += d * d;                                                                                            \
            }                                                                                                                  \
        for (size_t k = 0; i + k < n; k++) {                                                                                   \
            const double d = (value(x[i + k])) - origin;                                                                       \
            first[k] += d;                                                                                                     \
            second[k] += d * d;                                                                                                \
        }                                                                                                                      \
        return (sums){folded(first), folded(second)};                                                                          \
    }
#define FINITE(x) (fabs((double)(x)) < (double)INFINITY ? (double)(x) : origin)
#define SCALED(x) (fabs(x) < (double)INFINITY ? rl_scaled(x, down) : origin)
DEFINE_SUMS(sums_of_float, float, FINITE)
DEFINE_SUMS(sums_of_double, double, SCALED)

/* Zeros and subnormals, which most tensors have none of. */
static void count_small(size_t n, const float *x, rl_moments *m)
{
    int32_t zeros = 0, small = 0;
#pragma omp simd reduction(+ : zeros, small)
    for (size_t i = 0; i < n; i++) {
        zeros += x[i] == 0 ? 1 : 0;
        small += fabsf(x[i]) < FLT_MIN ? 1 : 0;
    }
    m->zeros = zeros;
    m->subnormals = small - zeros;
}

/* The square of a float is exact in double, so that a fused multiply-add has the bits of a product and a sum. */
#ifdef FP_FAST_FMA
#define ADD_SQUARE(sum, x) fma(x, x, sum)
#else
#define ADD_SQUARE(sum, x) ((sum) + (x) * (x))
#endif

static inline float lower(float a, float b)
{
    return a < b ? a : b;
}

static inline float higher(float a, float b)
{
    return a > b ? a : b;
}

/* All in one pass; false where not all are finite, or where they are so much alike that sum x^2 - n mean^2 would lose more than
 * ten bits of the 53. */
static bool moments_of_most(size_t n, const float *x, rl_moments *m)
{
    double first[LANES] = {0}, second[LANES] = {0};
    float least[LANES], most[LANES], smallest[LANES];
    for (size_t k = 0; k < LANES; k++) {
        least[k] = most[k] = x[0];
        smallest[k] = fabsf(x[0]);
    }
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
#pragma omp simd
        for (size_t k = 0; k < LANES; k++) {
            const float value = x[i + k];
            first[k] += (double)value;
            second[k] = ADD_SQUARE(second[k], (double)value);
            least[k] = lower(value, least[k]);
            most[k] = higher(value, most[k]);
            smallest[k] = lower(fabsf(value), smallest[k]);
        }
    for (size_t k = 0; i + k < n; k++) {
        const float value = x[i + k];
        first[k] += (double)value;
        second[k] = ADD_SQUARE(second[k], (double)value);
        least[k] = lower(value, least[k]);
        most[k] = higher(value, most[k]);
        smallest[k] = lower(fabsf(value), smallest[k]);
    }
    for (size_t k = 1; k < LANES; k++) {
        least[0] = lower(least[0], least[k]);
        most[0] = higher(most[0], most[k]);
        smallest[0] = lower(smallest[0], smallest[k]);
    }
    const double sum = folded(first), squares = folded(second), mean = sum / (double)n, deviation = squares - sum * mean;
    if (!(squares < (double)INFINITY) || deviation < 0x1p-10 * squares)
        return false;
    *m = (rl_moments){
        .finite = (int64_t)n, .min = (double)least[0], .max = (double)most[0], .mean = mean, .deviation = deviation};
    if (smallest[0] < FLT_MIN)
        count_small(n, x, m);
    return true;
}

/* Around the middle of what is there, where one pass does not do. */
static void moments_float(size_t n, const void *data, rl_moments *m)
{
    const float *x = data;
    if (moments_of_most(n, x, m))
        return;
    classify_float(n, x, m);
    if (m->finite == 0)
        return;
    const double origin = 0.5 * (m->min + m->max), count = (double)m->finite;
    const sums s = sums_of_float(n, x, (rl_power_of_two){1, 1}, origin);
    m->mean = origin + s.first / count;
    m->deviation = fmax(0, s.second - s.first * (s.first / count));
}

static void moments_double(size_t n, const void *data, rl_moments *m)
{
    const double *x = data;
    classify_double(n, x, m);
    const double largest = fmax(fabs(m->min), fabs(m->max));
    if (m->finite == 0 || largest == 0)
        return;
    frexp(largest, &m->scale);
    const rl_power_of_two down = rl_power_of_two_at(-m->scale);
    m->mean = sums_of_double(n, x, down, 0).first / (double)m->finite;
    m->deviation = sums_of_double(n, x, down, m->mean).second;
}

#define next_float nextafterf
#define next_double nextafter
#define DEFINE_KERNELS(T, I)                                                                                                   \
    static void subtract_##T(size_t n, const void *data, void *previous, void *result)                                         \
    {                                                                                                                          \
        const T *x = data;                                                                                                     \
        T *old = previous, *difference = result;                                                                               \
        _Pragma("omp simd") for (size_t i = 0; i < n; i++)                                                                     \
        {                                                                                                                      \
            difference[i] = x[i] - old[i];                                                                                     \
            old[i] = x[i];                                                                                                     \
        }                                                                                                                      \
    }                                                                                                                          \
                                                                                                                               \
    static size_t count_within_##T(size_t n, const void *data, double low, double high)                                        \
    {                                                                                                                          \
        const T *x = data, most = (T)high, least = (T)low; /* rounded, these may have moved outwards */                        \
        const T from = (double)least < low ? next_##T(least, (T)INFINITY) : least;                                             \
        const T to = (double)most > high ? next_##T(most, -(T)INFINITY) : most;                                                \
        I count = 0;                                                                                                           \
        _Pragma("omp simd reduction(+ : count)") for (size_t i = 0; i < n; i++) count += (x[i] >= from) & (x[i] <= to);        \
        return (size_t)count;                                                                                                  \
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

DEFINE_KERNELS(float, int32_t)
DEFINE_KERNELS(double, int64_t)

const rl_flow_kernels RL_ISA_NAME(rl_flow_kernels) = {
    .moments = {moments_float, moments_double},
    .subtract = {subtract_float, subtract_double},
    .count_within = {count_within_float, count_within_double},
    .count_below = {count_below_float, count_below_double},
    .mark_nonzero = {mark_nonzero_float, mark_nonzero_double},
};
