#include "ops/ops.h"

#include "tensor/convert.h"

#include <string.h>

const rl_op rl_ops[RL_OP_COUNT] = {
#define OP(name) {#name, rl_vjp_##name},
#include "ops/ops.def"
#undef OP
};

rille_dtype rl_floating(rille_dtype dtype)
{
    return rl_is_floating(dtype) ? dtype : RILLE_FLOAT32;
}

rille_tensor *rl_completed(rille_tensor *out, rille_status status)
{
    if (status == RILLE_OK)
        return out;
    rille_free(out);
    return NULL;
}

static rille_tensor *copied(rille_tensor *t, rille_dtype dtype)
{
    rille_tensor *out = rl_new_like(t, dtype);
    return out == NULL ? NULL : rl_completed(out, rl_copy_elements(t->context, "copy", out, t));
}

rille_tensor *rl_as(rille_tensor *t, rille_dtype dtype)
{
    return t->dtype == dtype ? t : copied(t, dtype);
}

rille_tensor *rl_dense(rille_tensor *t)
{
    return rille_is_contiguous(t) ? t : copied(t, t->dtype);
}

rille_tensor *rl_dense_floating(rille_tensor *t)
{
    rille_tensor *floating = rl_as(t, rl_floating(t->dtype));
    rille_tensor *dense = floating == NULL ? NULL : rl_dense(floating);
    if (dense != floating)
        rl_free_temporary(floating, t);
    return dense;
}

void rl_free_temporary(rille_tensor *temporary, const rille_tensor *original)
{
    if (temporary != original)
        rille_free(temporary);
}

/* ---- Copies ---- */

rille_tensor *rille_clone(rille_tensor *t)
{
    if (rl_enter("clone", RL_LIST(t)) == NULL)
        return NULL;
    return rl_record(copied(t, t->dtype), &rl_ops[RL_OP_clone], RL_LIST(t), RL_NONE, NULL);
}

void rl_vjp_clone(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    (void)node;
    gradient[0] = g;
}

rille_tensor *rille_contiguous(rille_tensor *t)
{
    if (rl_enter("contiguous", RL_LIST(t)) == NULL)
        return NULL;
    rille_tensor *out = rille_is_contiguous(t) ? rl_view(t) : copied(t, t->dtype);
    return rl_record(out, &rl_ops[RL_OP_clone], RL_LIST(t), RL_NONE, NULL);
}

rille_tensor *rille_to(rille_tensor *t, rille_dtype dtype)
{
    rille_context *cx = rl_enter("to", RL_LIST(t));
    if (cx == NULL)
        return NULL;
    if (rille_dtype_size(dtype) == 0) {
        rl_fail(cx, RILLE_ERROR_DTYPE, "to: %d is no dtype", (int)dtype);
        return NULL;
    }
    return rl_record(copied(t, dtype), &rl_ops[RL_OP_convert], RL_LIST(t), RL_NONE, NULL);
}

void rl_vjp_convert(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    (void)node; /* converted back to the input's dtype, as every gradient is */
    gradient[0] = g;
}

/* Whether elements of t may share a place in memory, as expand and unfold make them do: whether a dimension's step is within
 * what the dimensions of smaller steps span. */
static bool overlaps_itself(const rille_tensor *t)
{
    int64_t span = 0, step = -1; /* of the dimensions up to this step */
    for (;;) {
        int64_t next = INT64_MAX, width = 0;
        int equals = 0;
        for (int d = 0; d < t->rank; d++) {
            const int64_t stride = t->stride[d] < 0 ? -t->stride[d] : t->stride[d];
            if (t->shape[d] < 2 || stride <= step || stride > next)
                continue;
            equals = stride < next ? 1 : equals + 1;
            next = stride;
            width = (t->shape[d] - 1) * stride;
        }
        if (equals == 0 || t->numel == 0)
            return false;
        if (equals > 1 || next <= span)
            return true;
        span += width;
        step = next;
    }
}

rille_status rl_check_writable(const char *operation, const rille_tensor *t)
{
    rille_context *cx = t->context;
    if (cx->grad_enabled && rl_tracks(t))
        return rl_fail(cx, RILLE_ERROR_GRAPH,
                       "%s: writing in place into a tensor that takes part in gradients; switch gradients off around it",
                       operation);
    if (overlaps_itself(t))
        return rl_fail(cx, RILLE_ERROR_ARGUMENT,
                       "%s: elements of the target, a view of shape %s, are one in memory; write into a clone of it", operation,
                       RL_SHAPE(t));
    return RILLE_OK;
}

rille_status rille_copy(rille_tensor *into, rille_tensor *from)
{
    rille_context *cx = rl_enter("copy", RL_LIST(into, from));
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    const rille_status writable = rl_check_writable("copy", into);
    if (writable != RILLE_OK)
        return writable;
    int rank;
    int64_t shape[RILLE_MAX_RANK];
    if (!rl_broadcast(cx, "copy", into, from, &rank, shape))
        return RILLE_ERROR_SHAPE;
    if (rank != into->rank || memcmp(shape, into->shape, (size_t)rank * sizeof shape[0]) != 0)
        return rl_fail(cx, RILLE_ERROR_SHAPE, "copy: shape %s does not fit into %s", RL_SHAPE(from), RL_SHAPE(into));
    rille_tensor *source = from->storage == into->storage ? copied(from, from->dtype) : from; /* they may overlap */
    if (source == NULL)
        return RILLE_ERROR_MEMORY;
    rille_status status = rl_copy_elements(cx, "copy", into, source);
    rl_free_temporary(source, from);
    rille_touch(into);
    return status;
}
