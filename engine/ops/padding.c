/* Padding by a constant, and cutting off, in any dimensions: each is the other's gradient. */
#include "ops/ops.h"

#include "tensor/convert.h"

#include <string.h>

/* Shape of t padded; false, with a message, where more is cut off than there is, or too much is added. */
static bool padded_shape(const rille_tensor *t, const int64_t *before, const int64_t *after, int64_t *shape)
{
    rille_context *cx = t->context;
    for (int d = 0; d < t->rank; d++) {
        const int64_t size = t->shape[d];
        const bool cut =
            before[d] < -size || after[d] < -size || (before[d] < 0 && after[d] < 0 && before[d] + after[d] < -size);
        const bool overflow = !cut && (__builtin_add_overflow(size, before[d], &shape[d]) ||
                                       __builtin_add_overflow(shape[d], after[d], &shape[d]));
        if (cut || overflow || shape[d] < 0) {
            rl_fail(cx, RILLE_ERROR_SHAPE, "pad: %lld before and %lld after dimension %d of shape %s %s", (long long)before[d],
                    (long long)after[d], d + cx->options.index_base, RL_SHAPE(t),
                    overflow ? "are more than a size can be" : "leave no size");
            return false;
        }
    }
    return true;
}

/* The parts of out and t, both seen as views at first, that hold the same elements. */
static void common_part(rille_tensor *out, rille_tensor *t, const int64_t *before)
{
    for (int d = 0; d < t->rank; d++) {
        const int64_t into = before[d] > 0 ? before[d] : 0, from = before[d] < 0 ? -before[d] : 0;
        const int64_t room = out->shape[d] - into, rest = t->shape[d] - from;
        const int64_t size = room < rest ? room : rest;
        out->offset += into * out->stride[d];
        t->offset += from * t->stride[d];
        out->shape[d] = t->shape[d] = size > 0 ? size : 0;
    }
    rl_shape_changed(out);
    rl_shape_changed(t);
}

rille_tensor *rille_pad(rille_tensor *t, const int64_t *before, const int64_t *after, double value)
{
    rille_context *cx = rl_enter("pad", RL_LIST(t));
    int64_t shape[RILLE_MAX_RANK];
    if (cx == NULL)
        return NULL;
    if (t->rank > 0 && (before == NULL || after == NULL)) {
        rl_fail(cx, RILLE_ERROR_NULL, "pad: a list of sizes is NULL");
        return NULL;
    }
    rille_tensor *out = padded_shape(t, before, after, shape) ? rl_new(cx, "pad", t->dtype, t->rank, shape) : NULL;
    rl_attributes attributes = {{0}};
    if (out != NULL) {
        rille_tensor inside = *out, source = *t;
        common_part(&inside, &source, before);
        rille_status status = inside.numel < out->numel ? rl_fill(cx, "pad", out, value) : RILLE_OK;
        if (status == RILLE_OK && inside.numel > 0)
            status = rl_copy_elements(cx, "pad", &inside, &source);
        out = rl_completed(out, status);
        if (t->rank > 0)
            memcpy(attributes.before, before, (size_t)t->rank * sizeof before[0]);
    }
    return rl_record(out, &rl_ops[RL_OP_pad], RL_LIST(t), RL_NONE, &attributes);
}

void rl_vjp_pad(rl_node *node, rille_tensor *g, rille_tensor **gradient) /* what was put there is cut off, and the other way */
{
    int64_t before[RILLE_MAX_RANK] = {0}, after[RILLE_MAX_RANK] = {0};
    for (int d = 0; d < g->rank; d++) {
        before[d] = -node->attributes.before[d];
        after[d] = node->edge[0].shape[d] - g->shape[d] - before[d];
    }
    gradient[0] = rille_pad(g, before, after, 0);
}
