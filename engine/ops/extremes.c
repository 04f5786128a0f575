/* The largest and the smallest along a dimension, and where they are. */
#include "ops/reduce.h"

#include "base/parallel.h"

#include <string.h>

/* dense [rows, n]: for each row the position of the first largest, or smallest; NaN is both. */
#define DEFINE_POSITIONS(T, name, operator)                                                                                    \
    static void name##_##T(const T *x, int64_t rows, int64_t n, int64_t *at)                                                   \
    {                                                                                                                          \
        for (int64_t row = 0; row < rows; row++, x += n) {                                                                     \
            int64_t best = 0;                                                                                                  \
            for (int64_t i = 1; i < n && x[best] == x[best]; i++)                                                              \
                if (x[i] operator x[best] || x[i] != x[i])                                                                     \
                    best = i;                                                                                                  \
            at[row] = best;                                                                                                    \
        }                                                                                                                      \
    }
DEFINE_POSITIONS(float, argmax, >)
DEFINE_POSITIONS(double, argmax, >)
DEFINE_POSITIONS(int64_t, argmax, >)
DEFINE_POSITIONS(float, argmin, <)
DEFINE_POSITIONS(double, argmin, <)
DEFINE_POSITIONS(int64_t, argmin, <)

typedef enum extreme { LARGEST, SMALLEST } extreme;

static void find_positions(extreme which, rille_dtype dtype, const void *x, int64_t rows, int64_t n, int64_t *at)
{
    if (dtype == RILLE_FLOAT32)
        (which == LARGEST ? argmax_float : argmin_float)(x, rows, n, at);
    else if (dtype == RILLE_FLOAT64)
        (which == LARGEST ? argmax_double : argmin_double)(x, rows, n, at);
    else
        (which == LARGEST ? argmax_int64_t : argmin_int64_t)(x, rows, n, at);
}

/* int64, 0-based, of t's shape without `d` (size 1 where keepdim). */
static rille_tensor *positions_of(extreme which, const char *operation, rille_tensor *t, int d, bool keepdim)
{
    rille_context *cx = t->context;
    rl_reduction r;
    if (!rl_plan_reduction(t, operation, &d, 1, keepdim, &r))
        return NULL;
    rille_tensor *out = rl_new(cx, operation, RILLE_INT64, r.kept_rank, r.kept_shape);
    if (out != NULL && r.size == 0 && out->numel > 0) {
        rl_fail(cx, RILLE_ERROR_SHAPE, "%s: dimension %d of shape %s is empty", operation, d + cx->options.index_base,
                RL_SHAPE(t));
        return rl_completed(out, RILLE_ERROR_SHAPE);
    }
    rille_dtype dtype = rl_is_floating(t->dtype) ? t->dtype : RILLE_INT64;
    rille_tensor *view = out == NULL ? NULL : rl_grouped_view(t, &r, false);
    rille_tensor *wide = view == NULL ? NULL : rl_as(view, dtype);
    rille_tensor *dense = wide == NULL ? NULL : rl_dense(wide);
    if (dense != NULL && out->numel > 0)
        find_positions(which, dtype, rl_data(dense), out->numel, r.size, (int64_t *)rl_data(out));
    bool ok = dense != NULL;
    rl_free_temporary(dense, wide);
    rl_free_temporary(wide, view);
    rille_free(view);
    return rl_completed(out, ok ? RILLE_OK : RILLE_ERROR_MEMORY);
}

static rille_tensor *position(extreme which, const char *operation, rille_tensor *t, int dim, bool keepdim)
{
    rille_context *cx = rl_enter(operation, RL_LIST(t));
    int d = cx == NULL ? -1 : rl_dimension(t, operation, dim);
    rille_tensor *out = d < 0 ? NULL : positions_of(which, operation, t, d, keepdim);
    for (int64_t i = 0; out != NULL && i < out->numel; i++)
        ((int64_t *)rl_data(out))[i] += cx->options.index_base;
    return out;
}

rille_tensor *rille_argmax(rille_tensor *t, int dim, bool keepdim)
{
    return position(LARGEST, "argmax", t, dim, keepdim);
}

rille_tensor *rille_argmin(rille_tensor *t, int dim, bool keepdim)
{
    return position(SMALLEST, "argmin", t, dim, keepdim);
}

/* bool, of t's shape: true where t holds its first extreme along d. */
static rille_tensor *mask_of(extreme which, rille_tensor *t, int d)
{
    rille_context *cx = t->context;
    rille_tensor *at = positions_of(which, which == LARGEST ? "max" : "min", t, d, true);
    rille_tensor *order = at == NULL ? NULL : rille_arange(cx, RILLE_INT64, 0, (double)t->shape[d], 1);
    int64_t shape[RILLE_MAX_RANK];
    for (int i = 0; i < t->rank; i++)
        shape[i] = i == d ? t->shape[d] : 1;
    rille_tensor *along = rille_reshape(order, t->rank, shape);
    rille_tensor *mask = rille_equal(at, along);
    rille_free(along);
    rille_free(order);
    rille_free(at);
    return mask;
}

typedef struct picks { /* gathers dense[row, at[row]] */
    const char *x;
    char *out;
    const int64_t *at;
    size_t n, itemsize;
} picks;

static void pick(void *work, size_t begin, size_t end)
{
    const picks *w = work;
    for (size_t row = begin; row < end; row++)
        memcpy(w->out + row * w->itemsize, w->x + (row * w->n + (size_t)w->at[row]) * w->itemsize, w->itemsize);
}

/* dense[row, at[row]] */
static rille_tensor *picked(const char *operation, rille_tensor *t, int d, bool keepdim, const rille_tensor *at)
{
    rl_reduction r;
    rl_plan_reduction(t, operation, &d, 1, keepdim, &r);
    rille_tensor *out = rl_new(t->context, operation, t->dtype, r.kept_rank, r.kept_shape);
    rille_tensor *view = out == NULL ? NULL : rl_grouped_view(t, &r, false), *dense = view == NULL ? NULL : rl_dense(view);
    rille_status status = RILLE_ERROR_MEMORY;
    if (dense != NULL) {
        picks w = {rl_data(dense), rl_data(out), (const int64_t *)rl_data(at), (size_t)r.size, rille_dtype_size(t->dtype)};
        status = rl_parallel_for(t->context, operation, (size_t)out->numel, RL_GRAIN_LIGHT, pick, &w);
    }
    rl_free_temporary(dense, view);
    rille_free(view);
    return rl_completed(out, status);
}

static rille_tensor *extreme_of(extreme which, const char *operation, enum rl_op_id op, rille_tensor *t, int dim, bool keepdim)
{
    rille_context *cx = rl_enter(operation, RL_LIST(t));
    int d = cx == NULL ? -1 : rl_dimension(t, operation, dim);
    rille_tensor *at = d < 0 ? NULL : positions_of(which, operation, t, d, keepdim);
    rille_tensor *out = at == NULL ? NULL : picked(operation, t, d, keepdim, at);
    rille_free(at);
    rl_attributes attributes = {.reduction = {.divisor = 1}};
    if (d >= 0)
        attributes.reduction.reduced[d] = true;
    return rl_record(out, &rl_ops[op], RL_LIST(t), RL_LIST(t), &attributes);
}

static void to_extreme(extreme which, rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    const bool *reduced = node->attributes.reduction.reduced;
    rille_tensor *t = rl_saved(node, 0);
    if (t == NULL)
        return;
    int d = 0;
    while (!reduced[d])
        d++;
    gradient[0] = rille_mul(rl_with_kept_dimensions(g, &node->edge[0], reduced), mask_of(which, t, d));
}

rille_tensor *rille_max(rille_tensor *t, int dim, bool keepdim)
{
    return extreme_of(LARGEST, "max", RL_OP_max, t, dim, keepdim);
}

void rl_vjp_max(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    to_extreme(LARGEST, node, g, gradient);
}

rille_tensor *rille_min(rille_tensor *t, int dim, bool keepdim)
{
    return extreme_of(SMALLEST, "min", RL_OP_min, t, dim, keepdim);
}

void rl_vjp_min(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    to_extreme(SMALLEST, node, g, gradient);
}
