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

enum { WINDOWS = 64 }; /* of a row that are looked at together */

/* How many windows of a row, from window o on, are looked at together: fewer where long strides leave much between them. */
static int64_t together(const rl_axis *a, int64_t o)
{
    const int64_t left = a->out - o, dense = 1 + a->in / a->stride, most = dense < WINDOWS ? dense : WINDOWS;
    return left < most ? left : most;
}

/* The elements of a window's line that are inside in any of `count` windows from `first` on. */
static range elements_inside(const rl_axis *a, int64_t first, int64_t count)
{
    const int64_t before = a->padding - (first + count - 1) * a->stride, end = a->in + a->padding - first * a->stride;
    return (range){before < 0 ? 0 : before, end < a->kernel ? end : a->kernel};
}

/* Those of `count` windows from `first` on that have element k of their line inside, counted from `first`. */
static range windows_with(const rl_axis *a, int64_t k, int64_t first, int64_t count)
{
    const int64_t start = first * a->stride - a->padding + k, last = start + (count - 1) * a->stride;
    if (start >= 0 && last < a->in) /* spares two divisions, nearly always */
        return (range){0, count};
    const int64_t from = rl_first_inside(a, k) - first, end = rl_end_inside(a, k) - first;
    return (range){from < 0 ? 0 : from, end < count ? end : count};
}

#define DEFINE_POOLS(T)                                                                                                        \
    /* The first largest of each window, and where it is unless at is NULL; NaN is larger than any. Which one it is cannot be\
     * foretold: no branches. */ \
    static inline void find_largest_##T(const rl_axis *a, range rows, int64_t first, int64_t count, const T *x, T *best,       \
                                        int64_t *at)                                                                           \
    {                                                                                                                          \
        for (int64_t o = 0; o < count; o++) {                                                                                  \
            const int64_t place = rows.from * a->in + inside_of(a, first + o).from;                                            \
            best[o] = x[place];                                                                                                \
            if (at != NULL)                                                                                                    \
                at[o] = place;                                                                                                 \
        }                                                                                                                      \
        const range elements = elements_inside(a, first, count);                                                               \
        for (int64_t i = rows.from; i < rows.end; i++)                                                                         \
            for (int64_t k = elements.from; k < elements.end; k++) {                                                           \
                const range windows = windows_with(a, k, first, count);                                                        \
                const int64_t place = i * a->in + first * a->stride - a->padding + k, stride = a->stride;                      \
                _Pragma("omp simd") for (int64_t o = windows.from; o < windows.end; o++)                                       \
                {                                                                                                              \
                    const T other = x[place + o * stride];                                                                     \
                    const int larger = (best[o] == best[o]) & !(other <= best[o]);                                             \
                    best[o] = larger ? other : best[o];                                                                        \
                    if (at != NULL)                                                                                            \
                        at[o] = larger ? place + o * stride : at[o];                                                           \
                }                                                                                                              \
            }                                                                                                                  \
    }                                                                                                                          \
                                                                                                                               \
    static void pick_##T(const rl_axis *axis, int64_t row, const void *x, const void *v, void *y)                              \
    {                                                                                                                          \
        const range rows = inside_of(&axis[RL_ROWS], row);                                                                     \
        const rl_axis *a = &axis[RL_COLUMNS];                                                                                  \
        int64_t at[WINDOWS] = {0};                                                                                             \
        T best[WINDOWS] = {0};                                                                                                 \
        for (int64_t first = 0, count; first < a->out; first += count) {                                                       \
            count = together(a, first);                                                                                        \
            if (v == x) {                                                                                                      \
                find_largest_##T(a, rows, first, count, x, (T *)y + first, NULL);                                              \
                continue;                                                                                                      \
            }                                                                                                                  \
            find_largest_##T(a, rows, first, count, x, best, at);                                                              \
            for (int64_t o = 0; o < count; o++)                                                                                \
                ((T *)y)[first + o] = ((const T *)v)[at[o]];                                                                   \
        }                                                                                                                      \
    }                                                                                                                          \
                                                                                                                               \
    static void spread_##T(const rl_axis *axis, const void *x, const void *g, void *dx)                                        \
    {                                                                                                                          \
        const rl_axis *a = &axis[RL_COLUMNS];                                                                                  \
        int64_t at[WINDOWS] = {0};                                                                                             \
        T best[WINDOWS] = {0};                                                                                                 \
        for (int64_t i = 0; i < axis[RL_ROWS].in * a->in; i++)                                                                 \
            ((T *)dx)[i] = 0;                                                                                                  \
        for (int64_t row = 0; row < axis[RL_ROWS].out; row++)                                                                  \
            for (int64_t first = 0, count; first < a->out; first += count) {                                                   \
                count = together(a, first);                                                                                    \
                find_largest_##T(a, inside_of(&axis[RL_ROWS], row), first, count, x, best, at);                                \
                for (int64_t o = 0; o < count; o++)                                                                            \
                    ((T *)dx)[at[o]] += ((const T *)g)[row * a->out + first + o];                                              \
            }                                                                                                                  \
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
