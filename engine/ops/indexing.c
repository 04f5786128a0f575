/* Picking slices by an index tensor, and adding them back: each is the other's gradient. */
#include "ops/ops.h"

#include "base/parallel.h"
#include "tensor/convert.h"

#include <stdio.h>
#include <string.h>

typedef struct slices { /* [outer, size, inner] seen through an index of `count` along the middle */
    const int64_t *index;
    int64_t base; /* index values count from it */
    size_t count, size, inner_bytes;
    const char *in;
    char *out;
} slices;

static void gather(void *work, size_t begin, size_t end)
{
    const slices *s = work;
    for (size_t i = begin; i < end; i++) { /* over outer x count */
        size_t from = i / s->count * s->size + (size_t)(s->index[i % s->count] - s->base);
        memcpy(s->out + i * s->inner_bytes, s->in + from * s->inner_bytes, s->inner_bytes);
    }
}

/* "3", or "[2, 3]" where the rank is not 1: element i of t, as messages count it. */
static const char *position_text(char text[RL_SHAPE_TEXT], const rille_tensor *t, int64_t i)
{
    int64_t at[RILLE_MAX_RANK];
    const int64_t base = t->context->options.index_base;
    for (int d = t->rank - 1; d >= 0; d--) {
        at[d] = i % t->shape[d] + base;
        i /= t->shape[d];
    }
    if (t->rank != 1)
        return rl_shape_text(text, t->rank, at);
    snprintf(text, RL_SHAPE_TEXT, "%lld", (long long)at[0]);
    return text;
}

bool rl_check_index(const char *operation, rille_tensor *index, int64_t size)
{
    rille_context *cx = index->context;
    const int64_t base = cx->options.index_base;
    rille_tensor seen = *index; /* what is expanded is looked at once */
    for (int d = 0; d < seen.rank; d++)
        if (seen.stride[d] == 0 && seen.shape[d] > 1)
            seen.shape[d] = 1;
    rl_shape_changed(&seen);
    rille_tensor *dense = rl_dense(&seen);
    const int64_t *value = dense == NULL ? NULL : (const int64_t *)rl_data(dense);
    int64_t i = 0;
    while (dense != NULL && i < dense->numel && value[i] >= base && value[i] - base < size)
        i++;
    const bool ok = dense != NULL && i == dense->numel;
    if (dense != NULL && !ok)
        rl_fail(cx, RILLE_ERROR_INDEX, "%s: index %lld at position %s is not in %lld ... %lld", operation, (long long)value[i],
                position_text((char[RL_SHAPE_TEXT]){0}, dense, i), (long long)base, (long long)(size - 1 + base));
    rl_free_temporary(dense, &seen);
    return ok;
}

/* int64 [k] with every value in range, dense; NULL, with a message, where it is not. */
static rille_tensor *checked_index(const char *operation, rille_tensor *index, int64_t size)
{
    if (index->dtype != RILLE_INT64 || index->rank != 1) {
        rl_fail(index->context, RILLE_ERROR_DTYPE, "%s: the index is %s %s; int64 of rank 1 expected", operation,
                rille_dtype_name(index->dtype), RL_SHAPE(index));
        return NULL;
    }
    return rl_check_index(operation, index, size) ? rl_dense(index) : NULL;
}

static int64_t product(const int64_t *shape, int from, int to)
{
    int64_t n = 1;
    for (int d = from; d < to; d++)
        n *= shape[d];
    return n;
}

rille_tensor *rille_index_select(rille_tensor *t, int dim, rille_tensor *index)
{
    rille_context *cx = rl_enter("index_select", RL_LIST(t, index));
    int d = cx == NULL ? -1 : rl_dimension(t, "index_select", dim);
    rille_tensor *picked = d < 0 ? NULL : checked_index("index_select", index, t->shape[d]);
    rille_tensor *in = picked == NULL ? NULL : rl_dense(t);
    rille_tensor *out = NULL;
    if (in != NULL) {
        int64_t shape[RILLE_MAX_RANK];
        memcpy(shape, t->shape, sizeof shape);
        shape[d] = picked->numel;
        out = rl_new(cx, "index_select", t->dtype, t->rank, shape);
    }
    if (out != NULL && out->numel > 0) {
        size_t inner = (size_t)product(t->shape, d + 1, t->rank) * rille_dtype_size(t->dtype);
        slices s = {(const int64_t *)rl_data(picked),
                    cx->options.index_base,
                    (size_t)picked->numel,
                    (size_t)t->shape[d],
                    inner,
                    rl_data(in),
                    rl_data(out)};
        size_t grain = 1 + RL_GRAIN_LIGHT / (inner + 1);
        size_t n = (size_t)product(out->shape, 0, d + 1);
        out = rl_completed(out, rl_parallel_for(cx, "index_select", n, grain, gather, &s));
    }
    if (in != NULL)
        rl_free_temporary(in, t);
    if (picked != NULL)
        rl_free_temporary(picked, index);
    rl_attributes attributes = {.range = {.dim = d}};
    return rl_record(out, &rl_ops[RL_OP_index_select], RL_LIST(t), RL_LIST(index), &attributes);
}

/* Zeros of the shape, with g's slices added at the index: index_select's gradient. Adds in the index's order. */
static rille_tensor *index_add(rille_tensor *g, int rank, const int64_t *shape, int dim, rille_tensor *index)
{
    rille_context *cx = rl_enter("index_add", RL_LIST(g, index));
    rille_tensor *out = cx == NULL ? NULL : rille_zeros(cx, g->dtype, rank, shape);
    rille_tensor *picked = out == NULL ? NULL : rl_dense(index);
    rille_tensor *in = picked == NULL ? NULL : rl_dense(g);
    if (in == NULL) {
        rille_free(out);
        return NULL;
    }
    int64_t inner = product(shape, dim + 1, rank), outer = product(shape, 0, dim), base = cx->options.index_base;
    const int64_t *at = (const int64_t *)rl_data(picked);
    for (int64_t i = 0; i < outer * picked->numel; i++) {
        int64_t into = (i / picked->numel * shape[dim] + at[i % picked->numel] - base) * inner;
        for (int64_t k = 0; k < inner; k++) {
            if (g->dtype == RILLE_FLOAT32)
                ((float *)rl_data(out))[into + k] += ((float *)rl_data(in))[i * inner + k];
            else
                ((double *)rl_data(out))[into + k] += ((double *)rl_data(in))[i * inner + k];
        }
    }
    rl_free_temporary(in, g);
    rl_free_temporary(picked, index);
    rl_attributes attributes = {.range = {.dim = dim}};
    return rl_record(out, &rl_ops[RL_OP_index_add], RL_LIST(g), RL_LIST(index), &attributes);
}

void rl_vjp_index_select(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    const rl_edge *input = &node->edge[0];
    gradient[0] = index_add(g, input->rank, input->shape, node->attributes.range.dim, rl_saved(node, 0));
}

void rl_vjp_index_add(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    gradient[0] = rille_index_select(g, node->attributes.range.dim, rl_saved(node, 0));
}
