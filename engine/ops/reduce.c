/* Which dimensions a reduction goes over; sums and means. What a thread adds up is fixed by sizes, and partial results are
 * folded in order. */
#include "ops/reduce.h"
#include "ops/kernels.h"

#include "base/memory.h"
#include "base/parallel.h"
#include "tensor/convert.h"

#include <string.h>

/* ---- Which dimensions, and the shape that is left ---- */

bool rl_plan_reduction(const rille_tensor *t, const char *operation, const int *dims, int count, bool keepdim, rl_reduction *r)
{
    *r = (rl_reduction){.size = 1};
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

rille_tensor *rl_grouped_view(rille_tensor *t, const rl_reduction *r, bool reduced_first)
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

static rille_tensor *sum_floating(const char *operation, rille_tensor *t, const rl_reduction *r, double divisor)
{
    rille_tensor *out = rl_new(t->context, operation, t->dtype, r->kept_rank, r->kept_shape);
    if (out == NULL)
        return NULL;
    /* Adding down columns needs no copy where the last dimension is kept; else rows are what lies together. */
    bool down = t->rank > 0 && !r->reduced[t->rank - 1] && r->size > 1;
    rille_tensor *view = rl_grouped_view(t, r, down);
    rille_tensor *dense = view == NULL ? NULL : rl_dense(view);
    rille_status status = RILLE_ERROR_MEMORY;
    if (dense != NULL)
        status = down ? sum_down(operation, dense, out, (size_t)r->size, divisor)
                      : sum_rows(operation, dense, out, (size_t)r->size, divisor);
    rl_free_temporary(dense, view);
    rille_free(view);
    return rl_completed(out, status);
}

static rille_tensor *sum_integers(rille_tensor *t, const rl_reduction *r)
{
    rille_tensor *out = rl_new(t->context, "sum", RILLE_INT64, r->kept_rank, r->kept_shape);
    rille_tensor *view = out == NULL ? NULL : rl_grouped_view(t, r, false);
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
    rl_reduction r;
    if (rl_enter(operation, RL_LIST(t)) == NULL || !rl_plan_reduction(t, operation, dims, count, keepdim, &r))
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

rille_tensor *rl_with_kept_dimensions(rille_tensor *g, const rl_edge *input, const bool *reduced)
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
    rille_tensor *share = rl_with_kept_dimensions(g, input, node->attributes.reduction.reduced);
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
