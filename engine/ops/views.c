/* Views: new shapes and strides over the same elements, with gradients. */
#include "ops/ops.h"

#include "tensor/convert.h"

#include <string.h>

/* ---- reshape ---- */

/* Fills in the size that is given as -1; false, with a message, where the shape does not fit t's elements. */
static bool infer_shape(rille_tensor *t, int rank, const int64_t *wanted, int64_t *shape)
{
    rille_context *cx = t->context;
    int inferred = -1;
    int64_t known = 1, numel;
    if (rank < 0 || rank > RILLE_MAX_RANK)
        return rl_check_shape(cx, "reshape", t->dtype, rank, wanted, &numel);
    for (int d = 0; d < rank; d++) {
        shape[d] = wanted[d];
        if (wanted[d] != -1) {
            if (wanted[d] < 0 || __builtin_mul_overflow(known, wanted[d], &known))
                known = -1; /* told of below */
        } else if (inferred >= 0) {
            rl_fail(cx, RILLE_ERROR_SHAPE, "reshape: only one size may be -1, shape %s has more",
                    rl_shape_text((char[RL_SHAPE_TEXT]){0}, rank, wanted));
            return false;
        } else {
            inferred = d;
        }
        if (known < 0)
            break;
    }
    if (inferred >= 0 && known > 0 && t->numel % known == 0) {
        shape[inferred] = t->numel / known;
        known = t->numel;
        inferred = -1;
    }
    if (inferred >= 0 || known != t->numel) {
        rl_fail(cx, RILLE_ERROR_SHAPE, "reshape: %lld elements of shape %s do not fit shape %s", (long long)t->numel,
                RL_SHAPE(t), rl_shape_text((char[RL_SHAPE_TEXT]){0}, rank, wanted));
        return false;
    }
    return rl_check_shape(cx, "reshape", t->dtype, rank, shape, &numel);
}

/* Strides with which `shape` views t's elements without a copy; false where there are none. Walks both shapes from the end,
 * matching groups of t's dimensions that run on with groups of the new ones of the same size. */
static bool view_strides(const rille_tensor *t, int rank, const int64_t *shape, int64_t *stride)
{
    int d = rank - 1;
    int64_t group = 1, filled = 1; /* elements of t's group so far, and of the new dimensions that cover it */
    int64_t base = t->rank > 0 ? t->stride[t->rank - 1] : 1;
    for (int s = t->rank - 1; s >= 0; s--) {
        group *= t->shape[s];
        bool ends = s == 0 || (t->shape[s - 1] != 1 && t->stride[s - 1] != group * base);
        if (!ends)
            continue;
        while (d >= 0 && (filled < group || shape[d] == 1)) {
            stride[d] = filled * base;
            filled *= shape[d--];
        }
        if (filled != group)
            return false;
        if (s > 0) {
            base = t->stride[s - 1];
            group = filled = 1;
        }
    }
    for (; d >= 0; d--)
        stride[d] = base;
    return true;
}

rille_tensor *rille_reshape(rille_tensor *t, int rank, const int64_t *wanted)
{
    if (rl_enter("reshape", RL_LIST(t)) == NULL)
        return NULL;
    int64_t shape[RILLE_MAX_RANK] = {0}, stride[RILLE_MAX_RANK] = {0};
    if (!infer_shape(t, rank, wanted, shape))
        return NULL;
    bool empty = t->numel == 0;
    bool viewable = empty || view_strides(t, rank, shape, stride);
    rille_tensor *dense = viewable ? t : rl_dense(t);
    rille_tensor *out = dense == NULL ? NULL : rl_view(dense);
    if (out != NULL) {
        out->rank = rank;
        memcpy(out->shape, shape, sizeof shape);
        if (!viewable)
            view_strides(dense, rank, shape, stride);
        memcpy(out->stride, stride, sizeof stride);
    }
    rl_free_temporary(dense, t);
    return rl_record(out, &rl_ops[RL_OP_reshape], RL_LIST(t), RL_NONE, NULL);
}

void rl_vjp_reshape(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    gradient[0] = rille_reshape(g, node->edge[0].rank, node->edge[0].shape);
}

/* ---- permute, transpose ---- */

rille_tensor *rille_permute(rille_tensor *t, const int *dims)
{
    rille_context *cx = rl_enter("permute", RL_LIST(t));
    if (cx == NULL)
        return NULL;
    rl_attributes attributes = {0};
    bool used[RILLE_MAX_RANK] = {false};
    if (dims == NULL && t->rank > 0) {
        rl_fail(cx, RILLE_ERROR_NULL, "permute: the list of dimensions is NULL");
        return NULL;
    }
    for (int d = 0; d < t->rank; d++) {
        int from = rl_dimension(t, "permute", dims[d]);
        if (from < 0)
            return NULL;
        if (used[from]) {
            rl_fail(cx, RILLE_ERROR_ARGUMENT, "permute: dimension %d is named twice", from + cx->options.index_base);
            return NULL;
        }
        used[from] = true;
        attributes.dims[d] = from;
    }
    rille_tensor *out = rl_view(t);
    for (int d = 0; out != NULL && d < t->rank; d++) {
        out->shape[d] = t->shape[attributes.dims[d]];
        out->stride[d] = t->stride[attributes.dims[d]];
    }
    return rl_record(out, &rl_ops[RL_OP_permute], RL_LIST(t), RL_NONE, &attributes);
}

void rl_vjp_permute(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    int inverse[RILLE_MAX_RANK];
    for (int d = 0; d < g->rank; d++)
        inverse[node->attributes.dims[d]] = d;
    gradient[0] = rille_permute(g, inverse);
}

rille_tensor *rille_transpose(rille_tensor *t, int dim1, int dim2)
{
    if (rl_enter("transpose", RL_LIST(t)) == NULL)
        return NULL;
    int a = rl_dimension(t, "transpose", dim1);
    int b = a < 0 ? -1 : rl_dimension(t, "transpose", dim2);
    if (b < 0)
        return NULL;
    int dims[RILLE_MAX_RANK];
    for (int d = 0; d < RILLE_MAX_RANK; d++)
        dims[d] = d;
    dims[a] = b;
    dims[b] = a;
    return rille_permute(t, dims);
}

rille_tensor *rl_move_dimension(rille_tensor *t, int from, int to)
{
    if (t == NULL)
        return NULL;
    from = from < 0 ? from + t->rank : from;
    to = to < 0 ? to + t->rank : to;
    int dims[RILLE_MAX_RANK] = {0};
    for (int d = 0, next = 0; d < t->rank; d++) {
        if (d == to) {
            dims[d] = from;
            continue;
        }
        next += next == from;
        dims[d] = next++;
    }
    return rille_permute(t, dims);
}

/* ---- narrow, select, and the pad by zeros that is their gradient ---- */

rille_tensor *rille_narrow(rille_tensor *t, int dim, int64_t start, int64_t length)
{
    rille_context *cx = rl_enter("narrow", RL_LIST(t));
    int d = cx == NULL ? -1 : rl_dimension(t, "narrow", dim);
    if (d < 0)
        return NULL;
    int64_t size = t->shape[d];
    if (start < 0 || length < 0 || start > size || length > size - start) {
        rl_fail(cx, RILLE_ERROR_INDEX, "narrow: %lld elements from %lld of dimension %d, shape %s", (long long)length,
                rl_counted(cx, start), d + cx->options.index_base, RL_SHAPE(t));
        return NULL;
    }
    rille_tensor *out = rl_view(t);
    if (out != NULL) {
        out->offset += start * t->stride[d];
        out->shape[d] = length;
        rl_shape_changed(out);
    }
    rl_attributes attributes = {.range = {d, start, 1}};
    return rl_record(out, &rl_ops[RL_OP_narrow], RL_LIST(t), RL_NONE, &attributes);
}

void rl_vjp_narrow(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    const rl_edge *input = &node->edge[0];
    gradient[0] = rl_pad(g, input->rank, input->shape, node->attributes.range.dim, node->attributes.range.start);
}

rille_tensor *rl_pad(rille_tensor *g, int rank, const int64_t *shape, int dim, int64_t start)
{
    if (rl_enter("pad", RL_LIST(g)) == NULL)
        return NULL;
    int64_t before[RILLE_MAX_RANK] = {0}, after[RILLE_MAX_RANK] = {0};
    for (int d = 0; d < rank; d++)
        after[d] = shape[d] - g->shape[d];
    before[dim] = start;
    after[dim] -= start;
    return rille_pad(g, before, after, 0);
}

rille_tensor *rille_select(rille_tensor *t, int dim, int64_t index)
{
    rille_context *cx = rl_enter("select", RL_LIST(t));
    int d = cx == NULL ? -1 : rl_dimension(t, "select", dim);
    if (d < 0)
        return NULL;
    if (index < 0 || index >= t->shape[d]) {
        rl_fail(cx, RILLE_ERROR_INDEX, "select: index %lld of dimension %d, shape %s", rl_counted(cx, index),
                d + cx->options.index_base, RL_SHAPE(t));
        return NULL;
    }
    rille_tensor *one = rille_narrow(t, d, index, 1);
    if (one == NULL)
        return NULL;
    int64_t shape[RILLE_MAX_RANK];
    memcpy(shape, one->shape, sizeof shape);
    memmove(shape + d, shape + d + 1, (size_t)(t->rank - d - 1) * sizeof shape[0]);
    rille_tensor *out = rille_reshape(one, t->rank - 1, shape);
    rille_free(one);
    return out;
}

/* ---- expand, detach ---- */

rille_tensor *rille_expand(rille_tensor *t, int rank, const int64_t *wanted)
{
    rille_context *cx = rl_enter("expand", RL_LIST(t));
    if (cx == NULL)
        return NULL;
    if (rank < t->rank || rank > RILLE_MAX_RANK) {
        rl_fail(cx, RILLE_ERROR_SHAPE, "expand: rank %d does not fit shape %s; %d ... %d expected", rank, RL_SHAPE(t), t->rank,
                RILLE_MAX_RANK);
        return NULL;
    }
    int64_t shape[RILLE_MAX_RANK] = {0}, stride[RILLE_MAX_RANK] = {0}, numel;
    for (int d = 0; d < rank; d++) {
        int own = d - (rank - t->rank);
        int64_t size = own < 0 ? 1 : t->shape[own];
        shape[d] = wanted[d] == -1 && own >= 0 ? size : wanted[d];
        stride[d] = own < 0 || size == 1 ? 0 : t->stride[own];
        if (shape[d] != size && size != 1) {
            rl_fail(cx, RILLE_ERROR_SHAPE, "expand: shape %s does not broadcast to %s", RL_SHAPE(t),
                    rl_shape_text((char[RL_SHAPE_TEXT]){0}, rank, wanted));
            return NULL;
        }
    }
    if (!rl_check_shape(cx, "expand", t->dtype, rank, shape, &numel))
        return NULL;
    rille_tensor *out = rl_view(t);
    if (out != NULL) {
        out->rank = rank;
        memcpy(out->shape, shape, sizeof shape);
        memcpy(out->stride, stride, sizeof stride);
        rl_shape_changed(out);
    }
    return rl_record(out, &rl_ops[RL_OP_expand], RL_LIST(t), RL_NONE, NULL);
}

void rl_vjp_expand(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    (void)node; /* summed back to the input's shape, as every gradient is */
    gradient[0] = g;
}

rille_tensor *rille_detach(rille_tensor *t)
{
    return rl_enter("detach", RL_LIST(t)) == NULL ? NULL : rl_view(t);
}
