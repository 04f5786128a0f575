#include "ops/pooling_kernels.h"

#include <stddef.h>

typedef struct range {
    int64_t from, end;
} range;

/* What of window o is inside. */
static range inside_of(const rl_axis *a, int64_t o)
{
    const int64_t start = o * a->stride - a->padding, end = start + a->kernel;
    return (range){start < 0 ? 0 : start, end < a->in ? end : a->in};
}

/* The windows that see element i. */
static range seen_by(const rl_axis *a, int64_t i)
{
    const int64_t before = i + a->padding - a->kernel + 1, last = (i + a->padding) / a->stride;
    return (range){before <= 0 ? 0 : (before + a->stride - 1) / a->stride, last < a->out ? last + 1 : a->out};
}

/* How many elements window o averages over. A last one may reach past the padding. */
static int64_t count_of(const rl_axis *a, bool inside, int64_t o)
{
    const range r = inside_of(a, o);
    const int64_t start = o * a->stride - a->padding, room = a->in + a->padding - start;
    return inside ? r.end - r.from : a->kernel < room ? a->kernel : room;
}

#define DEFINE_POOLS(T)                                                                                                        \
    /* The first largest in a window; NaN is. */                                                                               \
    static int64_t largest_##T(const T *x, int64_t width, range rows, range columns)                                           \
    {                                                                                                                          \
        int64_t best = rows.from * width + columns.from;                                                                       \
        for (int64_t i = rows.from; i < rows.end; i++)                                                                         \
            for (int64_t k = i * width + columns.from; k < i * width + columns.end; k++)                                       \
                best = x[best] == x[best] && !(x[k] <= x[best]) ? k : best;                                                    \
        return best;                                                                                                           \
    }                                                                                                                          \
                                                                                                                               \
    static void pick_##T(const rl_axis *axis, int64_t row, const void *x, const void *v, void *y)                              \
    {                                                                                                                          \
        const range rows = inside_of(&axis[RL_ROWS], row);                                                                     \
        const rl_axis *a = &axis[RL_COLUMNS];                                                                                  \
        for (int64_t o = 0; o < a->out; o++)                                                                                   \
            ((T *)y)[o] = ((const T *)v)[largest_##T(x, a->in, rows, inside_of(a, o))];                                        \
    }                                                                                                                          \
                                                                                                                               \
    static void spread_##T(const rl_axis *axis, const void *x, const void *g, void *dx)                                        \
    {                                                                                                                          \
        const rl_axis *a = &axis[RL_COLUMNS];                                                                                  \
        for (int64_t i = 0; i < axis[RL_ROWS].in * a->in; i++)                                                                 \
            ((T *)dx)[i] = 0;                                                                                                  \
        for (int64_t row = 0; row < axis[RL_ROWS].out; row++) {                                                                \
            const range rows = inside_of(&axis[RL_ROWS], row);                                                                 \
            for (int64_t o = 0; o < a->out; o++)                                                                               \
                ((T *)dx)[largest_##T(x, a->in, rows, inside_of(a, o))] += ((const T *)g)[row * a->out + o];                   \
        }                                                                                                                      \
    }                                                                                                                          \
                                                                                                                               \
    static void average_##T(const rl_axis *axis, bool inside, int64_t row, const void *x, void *y)                             \
    {                                                                                                                          \
        const range rows = inside_of(&axis[RL_ROWS], row);                                                                     \
        const rl_axis *a = &axis[RL_COLUMNS];                                                                                  \
        const int64_t height = count_of(&axis[RL_ROWS], inside, row);                                                          \
        for (int64_t o = 0; o < a->out; o++) {                                                                                 \
            const range columns = inside_of(a, o);                                                                             \
            double total = 0;                                                                                                  \
            for (int64_t i = rows.from; i < rows.end; i++)                                                                     \
                for (int64_t k = i * a->in + columns.from; k < i * a->in + columns.end; k++)                                   \
                    total += (double)((const T *)x)[k];                                                                        \
            ((T *)y)[o] = (T)(total / (double)(height * count_of(a, inside, o)));                                              \
        }                                                                                                                      \
    }                                                                                                                          \
                                                                                                                               \
    static void share_##T(const rl_axis *axis, bool inside, int64_t row, const void *g, void *dx)                              \
    {                                                                                                                          \
        const range rows = seen_by(&axis[RL_ROWS], row);                                                                       \
        const rl_axis *a = &axis[RL_COLUMNS];                                                                                  \
        for (int64_t k = 0; k < a->in; k++) {                                                                                  \
            const range columns = seen_by(a, k);                                                                               \
            double total = 0;                                                                                                  \
            for (int64_t i = rows.from; i < rows.end; i++) {                                                                   \
                const int64_t height = count_of(&axis[RL_ROWS], inside, i);                                                    \
                for (int64_t o = columns.from; o < columns.end; o++)                                                           \
                    total += (double)((const T *)g)[i * a->out + o] / (double)(height * count_of(a, inside, o));               \
            }                                                                                                                  \
            ((T *)dx)[k] = (T)total;                                                                                           \
        }                                                                                                                      \
    }

DEFINE_POOLS(float)
DEFINE_POOLS(double)

const rl_pooling_kernels RL_ISA_NAME(rl_pooling_kernels) = {
    .pick = {pick_float, pick_double},
    .spread = {spread_float, spread_double},
    .average = {average_float, average_double},
    .share = {share_float, share_double},
};
