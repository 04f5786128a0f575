#include "ops/convolution_kernels.h"

#include <stddef.h>
#include <string.h>

static int64_t within(int64_t i, int64_t low, int64_t high)
{
    return i < low ? low : i > high ? high : i;
}

/* Windows of one row, at one element of the kernel: so many in the padding, then inside the image, then in the padding again.
 * The image's elements are `stride` apart, the column's together. */
typedef void move_windows(int64_t before, int64_t inside, int64_t after, int64_t stride, char *image, char *column);

/* Calls move for each element of the kernel and each row of windows. */
static void each_stretch(const rl_columns *c, size_t item, char *image, char *column, move_windows *move)
{
    const rl_axis *y = &c->axis[RL_ROWS], *x = &c->axis[RL_COLUMNS];
    for (int64_t k = 0; k < c->channels * y->kernel * x->kernel; k++) {
        const int64_t i = k / x->kernel % y->kernel, j = k % x->kernel, plane = k / x->kernel / y->kernel * y->in * x->in;
        const int64_t low = rl_first_inside(x, j), high = rl_end_inside(x, j);
        int64_t row = c->first / x->out, first = c->first % x->out, n;
        for (int64_t left = c->count; left > 0; left -= n, row++, first = 0) {
            n = left < x->out - first ? left : x->out - first;
            const int64_t line = row * y->stride - y->padding + i * y->dilation;
            const bool outside = line < 0 || line >= y->in;
            const int64_t from = outside ? first + n : within(low, first, first + n);
            const int64_t until = within(high, from, first + n);
            const int64_t at = from == until ? 0 : line * x->in + from * x->stride - x->padding + j * x->dilation;
            move(from - first, until - from, first + n - until, x->stride, image + (size_t)(plane + at) * item, column);
            column += (size_t)n * item;
        }
    }
}

#define DEFINE_MOVES(T)                                                                                                        \
    static void take_##T(int64_t before, int64_t inside, int64_t after, int64_t stride, char *image, char *column)             \
    {                                                                                                                          \
        const T *from = (const T *)image;                                                                                      \
        T *to = (T *)column + before;                                                                                          \
        for (int64_t i = 0; i < before; i++)                                                                                   \
            ((T *)column)[i] = 0;                                                                                              \
        if (stride == 1)                                                                                                       \
            memcpy(to, from, (size_t)inside * sizeof(T));                                                                      \
        else                                                                                                                   \
            for (int64_t i = 0; i < inside; i++)                                                                               \
                to[i] = from[i * stride];                                                                                      \
        for (int64_t i = inside; i < inside + after; i++)                                                                      \
            to[i] = 0;                                                                                                         \
    }                                                                                                                          \
                                                                                                                               \
    static void add_##T(int64_t before, int64_t inside, int64_t after, int64_t stride, char *image, char *column)              \
    {                                                                                                                          \
        const T *from = (const T *)column + before;                                                                            \
        T *to = (T *)image;                                                                                                    \
        (void)after;                                                                                                           \
        if (stride == 1)                                                                                                       \
            for (int64_t i = 0; i < inside; i++)                                                                               \
                to[i] += from[i];                                                                                              \
        else                                                                                                                   \
            for (int64_t i = 0; i < inside; i++)                                                                               \
                to[i * stride] += from[i];                                                                                     \
    }                                                                                                                          \
                                                                                                                               \
    static void gather_##T(const rl_columns *c, void *image, void *columns)                                                    \
    {                                                                                                                          \
        each_stretch(c, sizeof(T), image, columns, take_##T);                                                                  \
    }                                                                                                                          \
                                                                                                                               \
    static void scatter_##T(const rl_columns *c, void *image, void *columns)                                                   \
    {                                                                                                                          \
        each_stretch(c, sizeof(T), image, columns, add_##T);                                                                   \
    }

DEFINE_MOVES(float)
DEFINE_MOVES(double)

const rl_convolution_kernels RL_ISA_NAME(rl_convolution_kernels) = {
    .gather = {gather_float, gather_double},
    .scatter = {scatter_float, scatter_double},
};
