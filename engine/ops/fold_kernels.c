#include "ops/fold_kernels.h"

#include "activations/lanes.h"
#include "math/exp.h"

/* b after a; NaN stays, and wins. No condition hangs on another, which a vector loop could not have. */
#define ADDED(a, b) ((a) + (b))
#define MULTIPLIED(a, b) ((a) * (b))
#define LARGER(a, b) ((((b) > (a)) | ((b) != (b))) ? (b) : (a))
#define SMALLER(a, b) ((((b) < (a)) | ((b) != (b))) ? (b) : (a))

/* Elements of T into a total of A: `start` joined with `term`, an expression over x, c and p, of each. with_c: 1 where the term
 * has a c. */
#define DEFINE_FOLD(name, T, A, start, join, with_c, term)                                                                     \
    static void name##_row_##T(size_t n, const void *data, double c, double p, void *total)                                    \
    {                                                                                                                          \
        const T *in = data;                                                                                                    \
        A lane[LANES];                                                                                                         \
        size_t i = 0;                                                                                                          \
        (void)c;                                                                                                               \
        (void)p;                                                                                                               \
        for (size_t k = 0; k < LANES; k++)                                                                                     \
            lane[k] = (A)(start);                                                                                              \
        for (; i + LANES <= n; i += LANES)                                                                                     \
            _Pragma("omp simd") for (size_t k = 0; k < LANES; k++)                                                             \
            {                                                                                                                  \
                const A x = (A)in[i + k], t = (term);                                                                          \
                lane[k] = join(lane[k], t);                                                                                    \
            }                                                                                                                  \
        for (size_t k = 0; i + k < n; k++) {                                                                                   \
            const A x = (A)in[i + k], t = (term);                                                                              \
            lane[k] = join(lane[k], t);                                                                                        \
        }                                                                                                                      \
        for (size_t width = LANES / 2; width > 0; width /= 2)                                                                  \
            for (size_t k = 0; k < width; k++)                                                                                 \
                lane[k] = join(lane[k], lane[k + width]);                                                                      \
        *(A *)total = lane[0];                                                                                                 \
    }                                                                                                                          \
    static void name##_down_##T(size_t rows, size_t columns, size_t stride, const void *data, const double *each, double p,    \
                                void *into)                                                                                    \
    {                                                                                                                          \
        const T *in = data;                                                                                                    \
        A *total = into;                                                                                                       \
        (void)p;                                                                                                               \
        for (size_t j = 0; j < columns; j++)                                                                                   \
            total[j] = (A)(start);                                                                                             \
        for (size_t i = 0; i < rows; i++, in += stride)                                                                        \
            for (size_t j = 0; j < columns; j++) {                                                                             \
                const double c = (with_c) ? each[j] : 0;                                                                       \
                const A x = (A)in[j], t = (term);                                                                              \
                (void)c;                                                                                                       \
                total[j] = join(total[j], t);                                                                                  \
            }                                                                                                                  \
    }

/* e^x for x <= 0: for float32 results of relative error < 2^-41. */
RL_INLINE double decay_float(double x)
{
    const rl_exp_parts_24 e = rl_exp_apart_24(x);
    return rl_madd(e.power, e.p, e.power);
}

RL_INLINE double decay_double(double x)
{
    return rl_exp_53(x);
}

#define DEFINE_FLOATING(T)                                                                                                     \
    DEFINE_FOLD(sum, T, double, 0, ADDED, 0, x)                                                                                \
    DEFINE_FOLD(product, T, double, 1, MULTIPLIED, 0, x)                                                                       \
    DEFINE_FOLD(largest, T, double, -HUGE_VAL, LARGER, 0, x)                                                                   \
    DEFINE_FOLD(smallest, T, double, HUGE_VAL, SMALLER, 0, x)                                                                  \
    DEFINE_FOLD(largest_size, T, double, 0, LARGER, 0, fabs(x))                                                                \
    DEFINE_FOLD(smallest_size, T, double, HUGE_VAL, SMALLER, 0, fabs(x))                                                       \
    DEFINE_FOLD(count, T, double, 0, ADDED, 0, x != 0 ? 1.0 : 0.0)                                                             \
    DEFINE_FOLD(sizes, T, double, 0, ADDED, 0, fabs(x))                                                                        \
    DEFINE_FOLD(squares, T, double, 0, ADDED, 1, (c * x) * (c * x))                                                            \
    DEFINE_FOLD(deviations, T, double, 0, ADDED, 1, (x - c) * (x - c))                                                         \
    DEFINE_FOLD(powers, T, double, 0, ADDED, 1, pow(c *fabs(x), p))                                                            \
    DEFINE_FOLD(exponentials, T, double, 0, ADDED, 1, decay_##T(x - c))

DEFINE_FLOATING(float)
DEFINE_FLOATING(double)

/* Integers wrap around, as two's complement does. */
DEFINE_FOLD(sum, int64_t, uint64_t, 0, ADDED, 0, x)
DEFINE_FOLD(product, int64_t, uint64_t, 1, MULTIPLIED, 0, x)
DEFINE_FOLD(largest, int64_t, int64_t, INT64_MIN, LARGER, 0, x)
DEFINE_FOLD(smallest, int64_t, int64_t, INT64_MAX, SMALLER, 0, x)
DEFINE_FOLD(largest, uint8_t, int64_t, INT64_MIN, LARGER, 0, x)
DEFINE_FOLD(smallest, uint8_t, int64_t, INT64_MAX, SMALLER, 0, x)

const rl_fold_kernels RL_ISA_NAME(rl_fold_kernels) = {
#define FLOATING(kind, name) [kind] = {name##_float, name##_double},
#define WHOLE(kind, name) [kind] = {name##_float, name##_double, name##_int64_t},
#define ALL(kind, name) [kind] = {name##_float, name##_double, name##_int64_t, name##_uint8_t},
#define TABLE(face)                                                                                                            \
    WHOLE(RL_FOLD_SUM, sum_##face)                                                                                             \
    WHOLE(RL_FOLD_PRODUCT, product_##face)                                                                                     \
    ALL(RL_FOLD_LARGEST, largest_##face)                                                                                       \
    ALL(RL_FOLD_SMALLEST, smallest_##face)                                                                                     \
    FLOATING(RL_FOLD_LARGEST_SIZE, largest_size_##face)                                                                        \
    FLOATING(RL_FOLD_SMALLEST_SIZE, smallest_size_##face)                                                                      \
    FLOATING(RL_FOLD_COUNT, count_##face)                                                                                      \
    FLOATING(RL_FOLD_SIZES, sizes_##face)                                                                                      \
    FLOATING(RL_FOLD_SQUARES, squares_##face)                                                                                  \
    FLOATING(RL_FOLD_DEVIATIONS, deviations_##face)                                                                            \
    FLOATING(RL_FOLD_POWERS, powers_##face)                                                                                    \
    FLOATING(RL_FOLD_EXPONENTIALS, exponentials_##face)
    .row = {TABLE(row)},
    .down = {TABLE(down)},
};
