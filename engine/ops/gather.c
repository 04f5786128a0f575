/* gather, scatter, scatter_add: elements picked and put by an index of their own, along a dimension. */
#include "ops/elementwise.h"
#include "ops/lines.h"

#include "base/parallel.h"

#include <stdlib.h>
#include <string.h>

/* ---- The loop: lines along `dim`, each done by one thread from its beginning to its end ---- */

enum { TARGET, INDEX, OTHER, TENSORS };

typedef struct block { /* [count[0], count[1]] elements; strides in elements */
    char *data[TENSORS];
    int64_t count[2], stride[TENSORS][2];
    int64_t along, base;
} block;
typedef void mover(const block *b);

#define DEFINE_MOVER(name, T, statement)                                                                                       \
    static void name(const block *b)                                                                                           \
    {                                                                                                                          \
        for (int64_t i = 0; i < b->count[0]; i++) {                                                                            \
            const int64_t *index = (const int64_t *)b->data[INDEX] + i * b->stride[INDEX][0];                                  \
            T *line = (T *)b->data[TARGET] + i * b->stride[TARGET][0];                                                         \
            T *others = (T *)b->data[OTHER] + i * b->stride[OTHER][0];                                                         \
            for (int64_t k = 0; k < b->count[1]; k++) {                                                                        \
                const int64_t at = index[k * b->stride[INDEX][1]] - b->base;                                                   \
                T *target = line + k * b->stride[TARGET][1] + at * b->along;                                                   \
                T *other = others + k * b->stride[OTHER][1];                                                                   \
                statement;                                                                                                     \
            }                                                                                                                  \
        }                                                                                                                      \
    }
#define DEFINE_MOVERS(T)                                                                                                       \
    DEFINE_MOVER(gather_##T, T, *other = *target)                                                                              \
    DEFINE_MOVER(scatter_##T, T, *target = *other)
DEFINE_MOVERS(uint8_t)
DEFINE_MOVERS(uint32_t)
DEFINE_MOVERS(uint64_t)
DEFINE_MOVER(add_double, double, *target += *other)
DEFINE_MOVER(add_uint64_t, uint64_t, *target += *other) /* int64, which wraps around */

static mover *mover_of(rl_move move, rille_dtype dtype)
{
    if (move == RL_ADD)
        return dtype == RILLE_FLOAT64 ? add_double : add_uint64_t;
    switch (rille_dtype_size(dtype)) {
    case 1: return move == RL_GATHER ? gather_uint8_t : scatter_uint8_t;
    case 4: return move == RL_GATHER ? gather_uint32_t : scatter_uint32_t;
    default: return move == RL_GATHER ? gather_uint64_t : scatter_uint64_t;
    }
}

typedef struct lines {
    mover *move;
    block whole; /* of dimension 0 `dim`, of dimension 1 the last of the others */
    int rank;    /* of the others, at least 1 */
    int64_t shape[RILLE_MAX_RANK], stride[TENSORS][RILLE_MAX_RANK];
    size_t size[TENSORS];
} lines;

static void swap(int64_t pair[2])
{
    const int64_t first = pair[0];
    pair[0] = pair[1];
    pair[1] = first;
}

static void move_lines(void *work, size_t begin, size_t end)
{
    const lines *w = work;
    const int last = w->rank - 1;
    for (size_t at = begin; at < end;) {
        const int64_t room = w->shape[last] - (int64_t)at % w->shape[last], wanted = (int64_t)(end - at);
        const int64_t columns = wanted < room ? wanted : room;
        block b = w->whole;
        b.count[1] = columns;
        int64_t rest = (int64_t)at;
        for (int d = last; d >= 0; d--) {
            for (int i = 0; i < TENSORS; i++)
                b.data[i] += rest % w->shape[d] * w->stride[i][d] * (int64_t)w->size[i];
            rest /= w->shape[d];
        }
        if (llabs(b.stride[INDEX][0]) < llabs(b.stride[INDEX][1])) { /* as the index lies in memory */
            swap(b.count);
            for (int i = 0; i < TENSORS; i++)
                swap(b.stride[i]);
        }
        w->move(&b);
        at += (size_t)columns;
    }
}

rille_status rl_move_along(const char *operation, rl_move move, const rille_tensor *target, const int64_t *stride,
                           int64_t along, const rille_tensor *index, int64_t base, const rille_tensor *other, int dim)
{
    if (index->numel == 0)
        return RILLE_OK;
    lines w = {.move = mover_of(move, target->dtype),
               .whole = {.data = {rl_data(target), rl_data(index), rl_data(other)}, .along = along, .base = base},
               .size = {rille_dtype_size(target->dtype), sizeof(int64_t), rille_dtype_size(other->dtype)}};
    const int64_t *all[TENSORS] = {stride, index->stride, other->stride};
    int64_t columns = 1;
    for (int d = 0; d < index->rank; d++) {
        const bool is_line = d == dim;
        for (int i = 0; i < TENSORS; i++) {
            if (!is_line)
                w.stride[i][w.rank] = all[i][d];
            w.whole.stride[i][is_line ? 0 : 1] = all[i][d];
        }
        if (is_line)
            w.whole.count[0] = index->shape[d];
        else
            columns *= w.shape[w.rank++] = index->shape[d];
    }
    if (w.rank == 0)
        w.shape[w.rank++] = 1;
    const size_t grain = 1 + RL_GRAIN_MEDIUM / ((size_t)w.whole.count[0] + 1);
    return rl_parallel_map(target->context, operation, (size_t)columns, grain, move_lines, &w);
}

/* ---- What they share ---- */

/* Whether the index has the dtype, a shape and values for t's dimension d; a message where it has not. */
static bool is_index(const char *operation, const rille_tensor *t, int d, rille_tensor *index)
{
    rille_context *cx = t->context;
    if (index->dtype != RILLE_INT64 || index->rank != t->rank) {
        rl_fail(cx, index->dtype != RILLE_INT64 ? RILLE_ERROR_DTYPE : RILLE_ERROR_SHAPE,
                "%s: the index is %s %s; int64 of rank %d, that of shape %s, expected", operation,
                rille_dtype_name(index->dtype), RL_SHAPE(index), t->rank, RL_SHAPE(t));
        return false;
    }
    for (int k = 0; k < t->rank; k++)
        if (k != d && index->shape[k] > t->shape[k]) {
            rl_fail(cx, RILLE_ERROR_SHAPE, "%s: the index of shape %s does not fit into %s beside dimension %d", operation,
                    RL_SHAPE(index), RL_SHAPE(t), d + cx->options.index_base);
            return false;
        }
    return rl_check_index(operation, index, t->shape[d]);
}

/* other at the index's elements of t's dimension d, or the other way. */
static rille_status move_by_index(const char *operation, rl_move move, const rille_tensor *t, int d, const rille_tensor *index,
                                  const rille_tensor *other)
{
    int64_t stride[RILLE_MAX_RANK];
    memcpy(stride, t->stride, sizeof stride);
    stride[d] = 0;
    return rl_move_along(operation, move, t, stride, t->stride[d], index, t->context->options.index_base, other, d);
}

/* ---- gather ---- */

rille_tensor *rille_gather(rille_tensor *t, int dim, rille_tensor *index)
{
    rille_context *cx = rl_enter("gather", RL_LIST(t, index));
    const int d = cx == NULL ? -1 : rl_dimension(t, "gather", dim);
    if (d < 0 || !is_index("gather", t, d, index))
        return NULL;
    rille_tensor *out = rl_new(cx, "gather", t->dtype, index->rank, index->shape);
    if (out != NULL)
        out = rl_completed(out, move_by_index("gather", RL_GATHER, t, d, index, out));
    const rl_attributes attributes = {.range = {d, 0, 1}};
    return rl_record(out, &rl_ops[RL_OP_gather], RL_LIST(t), RL_LIST(index), &attributes);
}

void rl_vjp_gather(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    const rl_edge *input = &node->edge[0];
    rille_tensor *zeros = rille_zeros(node->context, g->dtype, input->rank, input->shape);
    gradient[0] = rille_scatter_add(zeros, node->attributes.range.dim, rl_saved(node, 0), g);
}

/* ---- scatter, scatter_add ---- */

/* source, cut off or broadcast to the index's shape. Recorded. */
static rille_tensor *fitted(const char *operation, rille_tensor *source, const rille_tensor *index)
{
    rille_context *cx = source->context;
    rille_tensor *part = source;
    for (int d = 0; part != NULL && part->rank == index->rank && d < index->rank; d++)
        if (part->shape[d] > index->shape[d] && part->shape[d] != 1)
            part = rille_narrow(part, d, 0, index->shape[d]);
    int rank;
    int64_t shape[RILLE_MAX_RANK];
    if (part == NULL || rl_same_shape(part, index))
        return part;
    rille_tensor picked = {.rank = index->rank}; /* of which only the shape is looked at */
    memcpy(picked.shape, index->shape, sizeof picked.shape);
    if (!rl_broadcast(cx, operation, part, &picked, &rank, shape))
        return NULL;
    if (rank == index->rank && memcmp(shape, index->shape, (size_t)rank * sizeof shape[0]) == 0)
        return rille_expand(part, rank, shape);
    rl_fail(cx, RILLE_ERROR_SHAPE, "%s: the source of shape %s does not fit the index, %s", operation, RL_SHAPE(source),
            RL_SHAPE(index));
    return NULL;
}

/* A copy of t, converted, with source moved into it. Sums of floating elements are taken in float64. */
static rille_tensor *moved_into(const char *operation, rl_move move, rille_tensor *t, int d, rille_tensor *index,
                                rille_tensor *source)
{
    const rille_dtype promoted = rl_promote(t->dtype, source->dtype);
    const rille_dtype dtype = move == RL_ADD ? rl_arithmetic(promoted) : promoted;
    const rille_dtype computed = move == RL_ADD && rl_is_floating(dtype) ? RILLE_FLOAT64 : dtype;
    rille_tensor *from = rl_as(source, computed), *out = from == NULL ? NULL : rille_to(t, computed);
    if (out != NULL)
        out = rl_completed(out, move_by_index(operation, move, out, d, index, from));
    rille_tensor *result = out == NULL ? NULL : rl_as(out, dtype);
    if (result != out)
        rille_free(out);
    rl_free_temporary(from, source);
    return result;
}

static rille_tensor *scattered(const char *operation, rl_move move, enum rl_op_id op, rille_tensor *t, int dim,
                               rille_tensor *index, rille_tensor *source)
{
    rille_context *cx = rl_enter(operation, RL_LIST(t, index, source));
    const int d = cx == NULL ? -1 : rl_dimension(t, operation, dim);
    if (d < 0 || !is_index(operation, t, d, index))
        return NULL;
    rille_scope_push(cx);
    rille_tensor *part = fitted(operation, source, index);
    const bool recording = rille_set_grad_enabled(cx, false); /* the conversion in it is part of the one node */
    rille_tensor *out = part == NULL ? NULL : moved_into(operation, move, t, d, index, part);
    rille_set_grad_enabled(cx, recording);
    const rl_attributes attributes = {.range = {d, 0, 1}};
    return rl_scope_return(cx,
                           part == NULL ? NULL : rl_record(out, &rl_ops[op], RL_LIST(t, part), RL_LIST(index), &attributes));
}

rille_tensor *rille_scatter(rille_tensor *t, int dim, rille_tensor *index, rille_tensor *source)
{
    return scattered("scatter", RL_SCATTER, RL_OP_scatter, t, dim, index, source);
}

/* bool, of the index's shape: whether the element put there was the last that came to its place. */
static rille_tensor *winners(const rl_edge *into, int d, rille_tensor *index)
{
    rille_context *cx = index->context;
    rille_tensor *number = rille_reshape(rille_arange(cx, RILLE_INT64, 0, (double)index->numel, 1), index->rank, index->shape);
    rille_tensor *numbers = rille_scatter(rille_zeros(cx, RILLE_INT64, into->rank, into->shape), d, index, number);
    return rille_equal(rille_gather(numbers, d, index), number);
}

void rl_vjp_scatter(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    rille_tensor *index = rl_saved(node, 0), *zero = rille_scalar(node->context, g->dtype, 0);
    const int d = node->attributes.range.dim;
    if (index == NULL)
        return;
    if (rl_needs(node, 0))
        gradient[0] = rille_scatter(g, d, index, zero);
    if (rl_needs(node, 1))
        gradient[1] = rille_where(winners(&node->edge[0], d, index), rille_gather(g, d, index), zero);
}

rille_tensor *rille_scatter_add(rille_tensor *t, int dim, rille_tensor *index, rille_tensor *source)
{
    return scattered("scatter_add", RL_ADD, RL_OP_scatter_add, t, dim, index, source);
}

void rl_vjp_scatter_add(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    gradient[0] = g;
    if (rl_needs(node, 1))
        gradient[1] = rille_gather(g, node->attributes.range.dim, rl_saved(node, 0));
}
