/* Views with a step: slices and flips, sliding windows, diagonals. The gradient of each puts what was seen back into zeros. */
#include "ops/elementwise.h"

#include "base/parallel.h"
#include "tensor/convert.h"

#include <string.h>

/* ---- slice ---- */

/* Makes v, a view of a tensor at first, the slice of it. */
static void slice_view(rille_tensor *v, int d, int64_t start, int64_t length, int64_t step)
{
    v->offset += length > 0 ? start * v->stride[d] : 0;
    v->stride[d] *= length > 1 ? step : 1;
    v->shape[d] = length;
    rl_shape_changed(v);
}

static bool is_slice(int64_t size, int64_t start, int64_t length, int64_t step)
{
    int64_t last;
    if (step == 0 || length < 0)
        return false;
    if (length == 0)
        return start >= 0 && start <= size;
    if (__builtin_mul_overflow(length - 1, step, &last) || __builtin_add_overflow(last, start, &last))
        return false;
    return start >= 0 && start < size && last >= 0 && last < size;
}

rille_tensor *rille_slice(rille_tensor *t, int dim, int64_t start, int64_t length, int64_t step)
{
    rille_context *cx = rl_enter("slice", RL_LIST(t));
    const int d = cx == NULL ? -1 : rl_dimension(t, "slice", dim);
    if (d < 0)
        return NULL;
    if (!is_slice(t->shape[d], start, length, step)) {
        rl_fail(cx, RILLE_ERROR_INDEX, "slice: %lld elements from %lld in steps of %lld of dimension %d, shape %s",
                (long long)length, rl_counted(cx, start), (long long)step, d + cx->options.index_base, RL_SHAPE(t));
        return NULL;
    }
    if (step == 1)
        return rille_narrow(t, d, start, length);
    rille_tensor *out = rl_view(t);
    if (out != NULL)
        slice_view(out, d, start, length, step);
    const rl_attributes attributes = {.range = {d, start, step}};
    return rl_record(out, &rl_ops[RL_OP_slice], RL_LIST(t), RL_NONE, &attributes);
}

/* g as the slice of zeros of the shape. Recorded. */
static rille_tensor *spread(rille_tensor *g, const rl_edge *whole, int d, int64_t start, int64_t step)
{
    rille_context *cx = rl_enter("spread", RL_LIST(g));
    rille_tensor *out = cx == NULL ? NULL : rille_zeros(cx, g->dtype, whole->rank, whole->shape);
    if (out == NULL)
        return NULL;
    rille_tensor inside = *out;
    slice_view(&inside, d, start, g->shape[d], step);
    if (inside.numel > 0)
        out = rl_completed(out, rl_copy_elements(cx, "spread", &inside, g));
    const rl_attributes attributes = {.range = {d, start, step}};
    return rl_record(out, &rl_ops[RL_OP_spread], RL_LIST(g), RL_NONE, &attributes);
}

void rl_vjp_slice(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    const rl_attributes *a = &node->attributes;
    gradient[0] = spread(g, &node->edge[0], a->range.dim, a->range.start, a->range.step);
}

void rl_vjp_spread(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    const rl_attributes *a = &node->attributes;
    gradient[0] = rille_slice(g, a->range.dim, a->range.start, node->edge[0].shape[a->range.dim], a->range.step);
}

rille_tensor *rille_flip(rille_tensor *t, const int *dims, int count)
{
    rille_context *cx = rl_enter("flip", RL_LIST(t));
    if (cx == NULL)
        return NULL;
    if (dims == NULL && count > 0) {
        rl_fail(cx, RILLE_ERROR_NULL, "flip: the list of dimensions is NULL");
        return NULL;
    }
    bool flipped[RILLE_MAX_RANK] = {false};
    for (int i = 0; i < count; i++) {
        const int d = rl_dimension(t, "flip", dims[i]);
        if (d < 0)
            return NULL;
        if (flipped[d]) {
            rl_fail(cx, RILLE_ERROR_ARGUMENT, "flip: dimension %d is named twice", d + cx->options.index_base);
            return NULL;
        }
        flipped[d] = true;
    }
    rille_scope_push(cx);
    rille_tensor *out = rille_reshape(t, t->rank, t->shape);
    for (int d = 0; d < t->rank; d++)
        if (flipped[d] && t->shape[d] > 1)
            out = rille_slice(out, d, t->shape[d] - 1, t->shape[d], -1);
    return rl_scope_return(cx, out);
}

/* ---- unfold: windows that slide along a dimension ---- */

rille_tensor *rille_unfold(rille_tensor *t, int dim, int64_t size, int64_t step)
{
    rille_context *cx = rl_enter("unfold", RL_LIST(t));
    const int d = cx == NULL ? -1 : rl_dimension(t, "unfold", dim);
    if (d < 0)
        return NULL;
    if (size < 0 || size > t->shape[d] || step < 1) {
        rl_fail(
            cx, RILLE_ERROR_ARGUMENT,
            "unfold: windows of %lld in steps of %lld along dimension %d of shape %s; windows of 0 to %lld in steps of 1 or "
            "more expected",
            (long long)size, (long long)step, d + cx->options.index_base, RL_SHAPE(t), (long long)t->shape[d]);
        return NULL;
    }
    int64_t shape[RILLE_MAX_RANK + 1], numel;
    memcpy(shape, t->shape, sizeof t->shape);
    shape[d] = (t->shape[d] - size) / step + 1;
    shape[t->rank] = size;
    if (!rl_check_shape(cx, "unfold", t->dtype, t->rank + 1, shape, &numel))
        return NULL;
    rille_tensor *out = rl_view(t);
    if (out != NULL) {
        out->rank = t->rank + 1;
        memcpy(out->shape, shape, sizeof out->shape);
        out->stride[t->rank] = t->stride[d];
        out->stride[d] *= shape[d] > 1 ? step : 1;
        rl_shape_changed(out);
    }
    const rl_attributes attributes = {.range = {d, size, step}};
    return rl_record(out, &rl_ops[RL_OP_unfold], RL_LIST(t), RL_NONE, &attributes);
}

/* into += from, both float64 and of one shape. */
static rille_status add_to(rille_context *cx, const rille_tensor *into, const rille_tensor *from)
{
    rl_loop loop = rl_loop_over(into->rank, into->shape);
    rl_loop_add(&loop, into);
    rl_loop_add(&loop, into);
    rl_loop_add(&loop, from);
    return rl_loop_run(cx, "fold", &loop, RL_GRAIN_MEDIUM, rl_op_kernels_pick()->add[RL_FLOAT64_KERNEL]);
}

/* The windows' elements, [..., windows, ..., size], added where they were seen: the k-th of all windows at a time, of which no
 * two are in one place. In float64, since many may meet in one. */
static rille_tensor *folded(rille_tensor *g, const rl_edge *whole, int d, int64_t step)
{
    rille_context *cx = g->context;
    rille_tensor *wide = rl_as(g, RILLE_FLOAT64), *sum = rille_zeros(cx, RILLE_FLOAT64, whole->rank, whole->shape);
    rille_status status = wide == NULL || sum == NULL ? RILLE_ERROR_MEMORY : RILLE_OK;
    for (int64_t k = 0; status == RILLE_OK && k < g->shape[g->rank - 1] && g->numel > 0; k++) {
        rille_tensor into = *sum, from = *wide;
        slice_view(&into, d, k, g->shape[d], step);
        from.rank--;
        from.offset += k * from.stride[from.rank];
        status = add_to(cx, &into, &from);
    }
    rille_tensor *out = status == RILLE_OK ? rl_as(sum, g->dtype) : NULL;
    if (sum != out)
        rille_free(sum);
    if (wide != NULL)
        rl_free_temporary(wide, g);
    return out;
}

void rl_vjp_unfold(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    const rl_attributes *a = &node->attributes;
    gradient[0] =
        rl_record(folded(g, &node->edge[0], a->range.dim, a->range.step), &rl_ops[RL_OP_fold], RL_LIST(g), RL_NONE, a);
}

void rl_vjp_fold(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    const rl_attributes *a = &node->attributes;
    gradient[0] = rille_unfold(g, a->range.dim, a->range.start, a->range.step);
}

/* ---- Diagonals ---- */

/* Makes v, a view of a tensor at first, the diagonal of it. */
static void diagonal_view(rille_tensor *v, int64_t offset, int a, int b)
{
    const int64_t rows = v->shape[a] + (offset < 0 ? offset : 0), columns = v->shape[b] - (offset > 0 ? offset : 0);
    const int64_t shorter = rows < columns ? rows : columns, length = shorter > 0 ? shorter : 0;
    const int64_t stride = v->stride[a] + v->stride[b];
    if (length > 0)
        v->offset += offset > 0 ? offset * v->stride[b] : -offset * v->stride[a];
    int kept = 0;
    for (int d = 0; d < v->rank; d++)
        if (d != a && d != b) {
            v->shape[kept] = v->shape[d];
            v->stride[kept++] = v->stride[d];
        }
    v->shape[kept] = length;
    v->stride[kept] = stride;
    v->rank = kept + 1;
    rl_shape_changed(v);
}

rille_tensor *rille_diagonal(rille_tensor *t, int64_t offset, int dim1, int dim2)
{
    rille_context *cx = rl_enter("diagonal", RL_LIST(t));
    const int a = cx == NULL ? -1 : rl_dimension(t, "diagonal", dim1);
    const int b = a < 0 ? -1 : rl_dimension(t, "diagonal", dim2);
    if (b < 0)
        return NULL;
    if (a == b) {
        rl_fail(cx, RILLE_ERROR_ARGUMENT, "diagonal: dimension %d of shape %s is named twice", a + cx->options.index_base,
                RL_SHAPE(t));
        return NULL;
    }
    if (offset > t->shape[b] || offset < -t->shape[a])
        offset = offset > 0 ? t->shape[b] : -t->shape[a]; /* beyond the edge: nothing, as at it */
    rille_tensor *out = rl_view(t);
    if (out != NULL)
        diagonal_view(out, offset, a, b);
    const rl_attributes attributes = {.diagonal = {a, b, offset}};
    return rl_record(out, &rl_ops[RL_OP_diagonal], RL_LIST(t), RL_NONE, &attributes);
}

/* g as the diagonal of zeros of the shape. Recorded. */
static rille_tensor *embed(rille_tensor *g, int rank, const int64_t *shape, int64_t offset, int a, int b)
{
    rille_context *cx = rl_enter("diag_embed", RL_LIST(g));
    rille_tensor *out = cx == NULL ? NULL : rille_zeros(cx, g->dtype, rank, shape);
    if (out == NULL)
        return NULL;
    rille_tensor inside = *out;
    diagonal_view(&inside, offset, a, b);
    if (inside.numel > 0)
        out = rl_completed(out, rl_copy_elements(cx, "diag_embed", &inside, g));
    const rl_attributes attributes = {.diagonal = {a, b, offset}};
    return rl_record(out, &rl_ops[RL_OP_diagonal_embed], RL_LIST(g), RL_NONE, &attributes);
}

void rl_vjp_diagonal(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    const rl_attributes *a = &node->attributes;
    const rl_edge *input = &node->edge[0];
    gradient[0] = embed(g, input->rank, input->shape, a->diagonal.offset, a->diagonal.dim, a->diagonal.other);
}

void rl_vjp_diagonal_embed(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    const rl_attributes *a = &node->attributes;
    gradient[0] = rille_diagonal(g, a->diagonal.offset, a->diagonal.dim, a->diagonal.other);
}

rille_tensor *rille_diag_embed(rille_tensor *t, int64_t offset)
{
    rille_context *cx = rl_enter("diag_embed", RL_LIST(t));
    const int last = cx == NULL ? -1 : rl_dimension(t, "diag_embed", -1);
    if (last < 0)
        return NULL;
    int64_t shape[RILLE_MAX_RANK + 1], numel;
    memcpy(shape, t->shape, sizeof t->shape);
    if (offset == INT64_MIN || __builtin_add_overflow(t->shape[last], offset < 0 ? -offset : offset, &shape[last]))
        shape[last] = INT64_MAX; /* told of below */
    shape[last + 1] = shape[last];
    if (!rl_check_shape(cx, "diag_embed", t->dtype, t->rank + 1, shape, &numel))
        return NULL;
    return embed(t, t->rank + 1, shape, offset, last, last + 1);
}

rille_tensor *rille_diag(rille_tensor *t, int64_t offset)
{
    rille_context *cx = rl_enter("diag", RL_LIST(t));
    if (cx == NULL)
        return NULL;
    if (t->rank != 1 && t->rank != 2) {
        rl_fail(cx, RILLE_ERROR_SHAPE, "diag: shape %s; a vector or a matrix expected", RL_SHAPE(t));
        return NULL;
    }
    return t->rank == 1 ? rille_diag_embed(t, offset) : rille_diagonal(t, offset, 0, 1);
}
