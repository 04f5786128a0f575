/* Windows that slide over the last one or two dimensions of images: what convolutions and pools see. */
#ifndef RL_OPS_WINDOWS_H
#define RL_OPS_WINDOWS_H

#include "base/context.h"

/* Along one dimension: window o has its k-th element at o stride - padding + k dilation, inside where that is in 0 ... in - 1. */
typedef struct rl_axis {
    int64_t in, kernel, stride, padding, dilation, out;
} rl_axis;

enum { RL_ROWS, RL_COLUMNS, RL_AXES }; /* with one dimension there is one row */
#define RL_ONE_ROW ((rl_axis){1, 1, 1, 0, 1, 1})

/* The first of an axis's windows whose k-th element is inside, and the one after the last. */
static inline int64_t rl_first_inside(const rl_axis *a, int64_t k)
{
    const int64_t before = a->padding - k * a->dilation;
    const int64_t first = before <= 0 ? 0 : (before + a->stride - 1) / a->stride;
    return first < a->out ? first : a->out;
}

static inline int64_t rl_end_inside(const rl_axis *a, int64_t k)
{
    const int64_t room = a->in + a->padding - k * a->dilation;
    const int64_t end = room <= 0 ? 0 : (room + a->stride - 1) / a->stride;
    return end < a->out ? end : a->out;
}

/* Whether an option is in `least` ... INT_MAX; else false, with a message. */
bool rl_is_window_option(rille_context *cx, const char *operation, const char *what, int64_t value, int64_t least);

#endif
