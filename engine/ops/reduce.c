/* Reductions over any dimensions. What a thread adds up is fixed by sizes, and partial results are folded in order. */
#include "ops/kernels.h"
#include "ops/ops.h"

#include "base/memory.h"
#include "base/parallel.h"
#include "tensor/convert.h"

#include <string.h>

/* ---- Which dimensions, and the shape that is left ---- */

typedef struct reduction {
    bool reduced[RILLE_MAX_RANK];
    int64_t size;  /* elements that go into one result */
    int kept_rank; /* of the result */
    int64_t kept_shape[RILLE_MAX_RANK];
} reduction;

static bool plan_reduction(const rille_tensor *t, const char *operation, const int *dims, int count, bool keepdim, reduction *r)
{
    *r = (reduction){.size = 1};
    for (int i = 0; dims != NULL && i < count; i++) {
        int d = rl_dimension(t, operation, dims[i]);
        if (d < 0)
            return false;
        if (r->reduced[d]) {
            rl_fail(t->context, RILLE_ERROR_ARGUMENT, "%s: dimension %d is named twice", operation,
                    d + t->context->options.index_base);
            return false;
        }
        r->reduced[d] = true;
    }
    for (int d = 0; d < t->rank; d++) {
        r->reduced[d] = r->reduced[d] || dims == NULL;
        if (r->reduced[d])
            r->size *= t->shape[d];
        if (!r->reduced[d] || keepdim)
            r->kept_shape[r->kept_rank++] = r->reduced[d] ? 1 : t->shape[d];
    }
    return true;
}

/* A view of t with the kept dimensions first and the reduced ones last (or, where reduced_first, the other way). */
static rille_tensor *grouped_view(rille_tensor *t, const reduction *r, bool reduced_first)
{
    rille_tensor *view = rl_view(t);
    for (int pass = 0, to = 0; view != NULL && pass < 2; pass++)
        for (int d = 0; d < t->rank; d++)
            if (r->reduced[d] == (pass == (reduced_first ? 0 : 1))) {
                view->shape[to] = t->shape[d];
                view->stride[to++] = t->stride[d];
            }
    return view;
}

/* ---- Sums into float64 totals ---- */

enum { SEGMENT = 32768, COLUMNS = 256 }; /* elements of a row, and columns, that one thread adds at a time */

typedef struct sum_work {
    const char *x;
    int kernel;
    size_t itemsize, rows, columns, segments;
    double *total;
} sum_work;

static void sum_segments(void *work, size_t begin, size_t end) /* total[row, segment] = sum of the row's segment */
{
    const sum_work *w = work;
    for (size_t i = begin; i < end; i++) {
        size_t row = i / w->segments, from = i % w->segments * SEGMENT;
        size_t n = w->columns - from < SEGMENT ? w->columns - from : SEGMENT;
        w->total[i] = rl_op_kernels_pick()->sum[w->kernel](n, w->x + (row * w->columns + from) * w->itemsize);
    }
}

static void sum_columns(void *work, size_t begin, size_t end) /* total[column] = sum over rows, in their order */
{
    const sum_work *w = work;
    memset(w->total + begin, 0, (end - begin) * sizeof w->total[0]);
    rl_op_kernels_pick()->add_rows[w->kernel](w->rows, end - begin, w->columns, w->x + begin * w->itemsize, w->total + begin);
}

static void put_total(rille_tensor *out, int64_t i, double total)
{
    if (out->dtype == RILLE_FLOAT32)
        ((float *)rl_data(out))[i] = (float)total;
    else
        ((double *)rl_data(out))[i] = total;
}

/* dense: [rows, columns], one result a row. */
static rille_status sum_rows(const char *operation, rille_tensor *dense, rille_tensor *out, size_t columns, double divisor)
{
    rille_context *cx = out->context;
    size_t rows = (size_t)out->numel, segments = rl_chunks(columns, SEGMENT);
    sum_work w = {rl_data(dense), dense->dtype == RILLE_FLOAT64, rille_dtype_size(dense->dtype), rows, columns, segments, NULL};
    size_t bytes = rows * segments * sizeof(double);
    w.total = rl_allocate(cx, bytes);
    if (w.total == NULL)
        return RILLE_ERROR_MEMORY;
    size_t length = columns < SEGMENT ? columns : SEGMENT;
    rille_status status = rl_parallel_for(cx, operation, rows * segments, 1 + RL_GRAIN_LIGHT / (length + 1), sum_segments, &w);
    for (size_t row = 0; row < rows; row++) {
        double total = 0;
        for (size_t s = 0; s < segments; s++)
            total += w.total[row * segments + s];
        put_total(out, (int64_t)row, total / divisor);
    }
    rl_release(cx, w.total, bytes);
    return status;
}

/* dense: [rows, columns], one result a column. */
static rille_status sum_down(const char *operation, rille_tensor *dense, rille_tensor *out, size_t rows, double divisor)
{
    rille_context *cx = out->context;
    size_t columns = (size_t)out->numel, bytes = columns * sizeof(double);
    sum_work w = {rl_data(dense), dense->dtype == RILLE_FLOAT64, rille_dtype_size(dense->dtype), rows, columns, 0, NULL};
    w.total = rl_allocate(cx, bytes);
    if (w.total == NULL)
        return RILLE_ERROR_MEMORY;
    rille_status status = rl_parallel_for(cx, operation, columns, COLUMNS, sum_columns, &w);
    for (size_t i = 0; i < columns; i++)
        put_total(out, (int64_t)i, w.total[i] / divisor);
    rl_release(cx, w.total, bytes);
    return status;
}

static rille_tensor *sum_floating(const char *operation, rille_tensor *t, const reduction *r, double divisor)
{
    rille_tensor *out = rl_new(t->context, operation, t->dtype, r->kept_rank, r->kept_shape);
    if (out == NULL)
        return NULL;
    /* Adding down columns needs no copy where the last dimension is kept; else rows are what lies together. */
    bool down = t->rank > 0 && !r->reduced[t->rank - 1] && r->size > 1;
    rille_tensor *view = grouped_view(t, r, down);
    rille_tensor *dense = view == NULL ? NULL : rl_dense(view);
    rille_status status = RILLE_ERROR_MEMORY;
    if (dense != NULL)
        status = down ? sum_down(operation, dense, out, (size_t)r->size, divisor)
                      : sum_rows(operation, dense, out, (size_t)r->size, divisor);
    rl_free_temporary(dense, view);
    rille_free(view);
    return rl_completed(out, status);
}

static rille_tensor *sum_integers(rille_tensor *t, const reduction *r)
{
    rille_tensor *out = rl_new(t->context, "sum", RILLE_INT64, r->kept_rank, r->kept_shape);
    rille_tensor *view = out == NULL ? NULL : grouped_view(t, r, false);
    rille_tensor *wide = view == NULL ? NULL : rl_as(view, RILLE_INT64);
    rille_tensor *dense = wide == NULL ? NULL : rl_dense(wide);
    for (int64_t i = 0; dense != NULL && i < out->numel; i++) {
        uint64_t total = 0;
        for (int64_t k = 0; k < r->size; k++)
            total += (uint64_t)((const int64_t *)rl_data(dense))[i * r->size + k];
        ((int64_t *)rl_data(out))[i] = (int64_t)total;
    }
    bool ok = dense != NULL;
    rl_free_temporary(dense, wide);
    rl_free_temporary(wide, view);
    rille_free(view);
    return rl_completed(out, ok ? RILLE_OK : RILLE_ERROR_MEMORY);
}

/* ---- sum, mean ---- */

static rille_tensor *summed(const char *operation, rille_tensor *t, const int *dims, int count, bool keepdim, bool mean)
{
    reduction r;
    if (rl_enter(operation, RL_LIST(t)) == NULL || !plan_reduction(t, operation, dims, count, keepdim, &r))
        return NULL;
    if (!mean && !rl_is_floating(t->dtype))
        return sum_integers(t, &r);
    rl_attributes attributes = {.reduction = {.divisor = mean ? (double)r.size : 1}};
    memcpy(attributes.reduction.reduced, r.reduced, sizeof r.reduced);
    rille_tensor *in = rl_as(t, rl_floating(t->dtype));
    rille_tensor *out = in == NULL ? NULL : sum_floating(operation, in, &r, attributes.reduction.divisor);
    rl_free_temporary(in, t);
    return rl_record(out, &rl_ops[RL_OP_sum], RL_LIST(t), RL_NONE, &attributes);
}

rille_tensor *rille_sum(rille_tensor *t, const int *dims, int count, bool keepdim)
{
    return summed("sum", t, dims, count, keepdim, false);
}

rille_tensor *rille_mean(rille_tensor *t, const int *dims, int count, bool keepdim)
{
    return summed("mean", t, dims, count, keepdim, true);
}

/* g, whose reduced dimensions may be missing, with them back as size 1. */
static rille_tensor *with_kept_dimensions(rille_tensor *g, const rl_edge *input, const bool *reduced)
{
    int64_t shape[RILLE_MAX_RANK];
    for (int d = 0; d < input->rank; d++)
        shape[d] = reduced[d] ? 1 : input->shape[d];
    return rille_reshape(g, input->rank, shape);
}

void rl_vjp_sum(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    const rl_edge *input = &node->edge[0];
    double divisor = node->attributes.reduction.divisor;
    rille_tensor *share = with_kept_dimensions(g, input, node->attributes.reduction.reduced);
    if (divisor != 1)
        share = rille_div(share, rille_scalar(node->context, g->dtype, divisor));
    gradient[0] = rille_expand(share, input->rank, input->shape);
}

rille_tensor *rl_sum_to(rille_tensor *g, rille_dtype dtype, int rank, const int64_t *shape)
{
    if (g == NULL)
        return NULL;
    int dims[RILLE_MAX_RANK], count = 0;
    for (int d = 0; d < g->rank; d++) {
        int own = d - (g->rank - rank);
        if (own < 0 || (shape[own] == 1 && g->shape[d] != 1))
            dims[count++] = d;
    }
    if (count > 0)
        g = rille_sum(g, dims, count, true);
    if (g != NULL && (g->rank != rank || memcmp(g->shape, shape, (size_t)rank * sizeof shape[0]) != 0))
        g = rille_reshape(g, rank, shape);
    return g == NULL || g->dtype == dtype ? g : rille_to(g, dtype);
}

/* ---- max, argmax ---- */

/* dense [rows, n]: for each row the position of the first largest, NaN being larger than all. */
#define DEFINE_ARGMAX(T)                                                                                                       \
    static void argmax_##T(const T *x, int64_t rows, int64_t n, int64_t *at)                                                   \
    {                                                                                                                          \
        for (int64_t row = 0; row < rows; row++, x += n) {                                                                     \
            int64_t most = 0;                                                                                                  \
            for (int64_t i = 1; i < n && x[most] == x[most]; i++)                                                              \
                if (x[i] > x[most] || x[i] != x[i])                                                                            \
                    most = i;                                                                                                  \
            at[row] = most;                                                                                                    \
        }                                                                                                                      \
    }
DEFINE_ARGMAX(float)
DEFINE_ARGMAX(double)
DEFINE_ARGMAX(int64_t)

/* int64, 0-based, of t's shape without `d` (size 1 where keepdim). */
static rille_tensor *positions_of_largest(const char *operation, rille_tensor *t, int d, bool keepdim)
{
    rille_context *cx = t->context;
    reduction r;
    if (!plan_reduction(t, operation, &d, 1, keepdim, &r))
        return NULL;
    rille_tensor *out = rl_new(cx, operation, RILLE_INT64, r.kept_rank, r.kept_shape);
    if (out != NULL && r.size == 0 && out->numel > 0) {
        rl_fail(cx, RILLE_ERROR_SHAPE, "%s: dimension %d of shape %s is empty", operation, d + cx->options.index_base,
                RL_SHAPE(t));
        return rl_completed(out, RILLE_ERROR_SHAPE);
    }
    rille_dtype dtype = rl_is_floating(t->dtype) ? t->dtype : RILLE_INT64;
    rille_tensor *view = out == NULL ? NULL : grouped_view(t, &r, false);
    rille_tensor *wide = view == NULL ? NULL : rl_as(view, dtype);
    rille_tensor *dense = wide == NULL ? NULL : rl_dense(wide);
    if (dense != NULL && out->numel > 0) {
        int64_t *at = (int64_t *)rl_data(out);
        if (dtype == RILLE_FLOAT32)
            argmax_float((const float *)rl_data(dense), out->numel, r.size, at);
        else if (dtype == RILLE_FLOAT64)
            argmax_double((const double *)rl_data(dense), out->numel, r.size, at);
        else
            argmax_int64_t((const int64_t *)rl_data(dense), out->numel, r.size, at);
    }
    bool ok = dense != NULL;
    rl_free_temporary(dense, wide);
    rl_free_temporary(wide, view);
    rille_free(view);
    return rl_completed(out, ok ? RILLE_OK : RILLE_ERROR_MEMORY);
}

rille_tensor *rille_argmax(rille_tensor *t, int dim, bool keepdim)
{
    rille_context *cx = rl_enter("argmax", RL_LIST(t));
    int d = cx == NULL ? -1 : rl_dimension(t, "argmax", dim);
    rille_tensor *out = d < 0 ? NULL : positions_of_largest("argmax", t, d, keepdim);
    for (int64_t i = 0; out != NULL && i < out->numel; i++)
        ((int64_t *)rl_data(out))[i] += cx->options.index_base;
    return out;
}

/* bool, of t's shape: true where t holds its first largest along d. */
static rille_tensor *mask_of_largest(rille_tensor *t, int d)
{
    rille_context *cx = t->context;
    rille_tensor *at = positions_of_largest("max", t, d, true);
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

typedef struct largest { /* gathers dense[row, at[row]] */
    const char *x;
    char *out;
    const int64_t *at;
    size_t n, itemsize;
} largest;

static void take_largest(void *work, size_t begin, size_t end)
{
    const largest *w = work;
    for (size_t row = begin; row < end; row++)
        memcpy(w->out + row * w->itemsize, w->x + (row * w->n + (size_t)w->at[row]) * w->itemsize, w->itemsize);
}

rille_tensor *rille_max(rille_tensor *t, int dim, bool keepdim)
{
    rille_context *cx = rl_enter("max", RL_LIST(t));
    int d = cx == NULL ? -1 : rl_dimension(t, "max", dim);
    rille_tensor *at = d < 0 ? NULL : positions_of_largest("max", t, d, keepdim);
    rille_tensor *out = at == NULL ? NULL : rl_new_like(at, t->dtype);
    rille_tensor *moved = NULL, *dense = NULL;
    if (out != NULL) {
        reduction r;
        plan_reduction(t, "max", &d, 1, keepdim, &r);
        moved = grouped_view(t, &r, false);
        dense = moved == NULL ? NULL : rl_dense(moved);
        if (dense != NULL) {
            largest w = {rl_data(dense), rl_data(out), (const int64_t *)rl_data(at), (size_t)r.size,
                         rille_dtype_size(t->dtype)};
            out = rl_completed(out, rl_parallel_for(cx, "max", (size_t)out->numel, RL_GRAIN_LIGHT, take_largest, &w));
        } else {
            out = rl_completed(out, RILLE_ERROR_MEMORY);
        }
    }
    rl_free_temporary(dense, moved);
    rille_free(moved);
    rille_free(at);
    rl_attributes attributes = {.reduction = {.divisor = 1}};
    if (d >= 0)
        attributes.reduction.reduced[d] = true;
    return rl_record(out, &rl_ops[RL_OP_max], RL_LIST(t), RL_LIST(t), &attributes);
}

void rl_vjp_max(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    const rl_edge *input = &node->edge[0];
    rille_tensor *t = rl_saved(node, 0);
    if (t == NULL)
        return;
    int d = 0;
    while (!node->attributes.reduction.reduced[d])
        d++;
    gradient[0] = rille_mul(with_kept_dimensions(g, input, node->attributes.reduction.reduced), mask_of_largest(t, d));
}
