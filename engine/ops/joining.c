/* Tensors joined along a dimension, and taken apart again: cat, stack, split, chunk, unbind, tile, roll. */
#include "ops/ops.h"

#include "base/memory.h"
#include "tensor/convert.h"

#include <string.h>

/* ---- cat ---- */

/* What the inputs make when joined along d; false, with a message, where a shape does not fit the first one's. */
static bool joined_shape(rille_context *cx, const char *operation, int count, rille_tensor *const *t, int d, int64_t *shape)
{
    memcpy(shape, t[0]->shape, sizeof t[0]->shape);
    for (int i = 1; i < count; i++) {
        bool fits = t[i]->rank == t[0]->rank;
        for (int k = 0; fits && k < t[0]->rank; k++)
            fits = k == d || t[i]->shape[k] == t[0]->shape[k];
        if (!fits) {
            rl_fail(cx, RILLE_ERROR_SHAPE,
                    "%s: input %d has shape %s, which differs from the first one's %s beyond dimension %d", operation, i + 1,
                    RL_SHAPE(t[i]), RL_SHAPE(t[0]), d + cx->options.index_base);
            return false;
        }
        if (__builtin_add_overflow(shape[d], t[i]->shape[d], &shape[d])) {
            rl_fail(cx, RILLE_ERROR_SHAPE, "%s: the sizes of dimension %d add up to more than memory can hold", operation,
                    d + cx->options.index_base);
            return false;
        }
    }
    return true;
}

static rille_status copy_side_by_side(rille_tensor *out, int count, rille_tensor *const *t, int d)
{
    rille_tensor part = *out;
    rille_status status = RILLE_OK;
    for (int i = 0; i < count && status == RILLE_OK; i++) {
        part.shape[d] = t[i]->shape[d];
        rl_shape_changed(&part);
        if (part.numel > 0)
            status = rl_copy_elements(out->context, "cat", &part, t[i]);
        part.offset += part.shape[d] * part.stride[d];
    }
    return status;
}

/* The context of a list of at least one tensor; NULL, with a message where there is a context to tell, if there is none. */
static rille_context *enter_list(const char *operation, int count, rille_tensor *const *t)
{
    return count < 1 || t == NULL ? NULL : rl_enter_many(operation, count, t);
}

rille_tensor *rille_cat(rille_tensor *const *t, int count, int dim)
{
    rille_context *cx = enter_list("cat", count, t);
    const int d = cx == NULL ? -1 : rl_dimension(t[0], "cat", dim);
    int64_t shape[RILLE_MAX_RANK];
    if (d < 0 || !joined_shape(cx, "cat", count, t, d, shape))
        return NULL;
    rille_dtype dtype = t[0]->dtype;
    for (int i = 1; i < count; i++)
        dtype = rl_promote(dtype, t[i]->dtype);
    rille_tensor *out = rl_new(cx, "cat", dtype, t[0]->rank, shape);
    if (out != NULL)
        out = rl_completed(out, copy_side_by_side(out, count, t, d));
    const rl_attributes attributes = {.range = {d, 0, 1}};
    return rl_record_many(out, &rl_ops[RL_OP_cat], count, t, RL_NONE, &attributes);
}

void rl_vjp_cat(rl_node *node, rille_tensor *g, rille_tensor **gradient) /* each input's part of g */
{
    const int d = node->attributes.range.dim;
    int64_t start = 0;
    for (int i = 0; i < node->edge_count; i++) {
        const int64_t length = node->edge[i].shape[d];
        if (rl_needs(node, i))
            gradient[i] = rille_narrow(g, d, start, length);
        start += length;
    }
}

/* ---- stack: cat along a dimension that is new ---- */

rille_tensor *rille_stack(rille_tensor *const *t, int count, int dim)
{
    rille_context *cx = enter_list("stack", count, t);
    if (cx == NULL)
        return NULL;
    for (int i = 1; i < count; i++)
        if (!rl_same_shape(t[i], t[0])) {
            rl_fail(cx, RILLE_ERROR_SHAPE, "stack: input %d has shape %s, the first one %s", i + 1, RL_SHAPE(t[i]),
                    RL_SHAPE(t[0]));
            return NULL;
        }
    const int d = rl_new_dimension(t[0], "stack", dim);
    const size_t bytes = (size_t)count * sizeof(rille_tensor *);
    rille_tensor **layer = d < 0 ? NULL : rl_allocate_zeroed(cx, bytes);
    if (layer == NULL)
        return NULL;
    rille_scope_push(cx);
    bool ok = true;
    for (int i = 0; ok && i < count; i++)
        ok = (layer[i] = rille_unsqueeze(t[i], d)) != NULL;
    rille_tensor *out = rl_scope_return(cx, ok ? rille_cat(layer, count, d) : NULL);
    rl_release(cx, layer, bytes);
    return out;
}

/* ---- split, chunk, unbind: views ---- */

/* parts[i] = the next size_of(i) along d, all or none of them. */
static rille_status take_apart(rille_tensor *t, int count, const int64_t *sizes, int64_t each, int d, rille_tensor **parts)
{
    int64_t start = 0;
    for (int i = 0; i < count; i++) {
        const int64_t rest = t->shape[d] - start, length = sizes != NULL ? sizes[i] : each < rest ? each : rest;
        parts[i] = rille_narrow(t, d, start, length);
        if (parts[i] == NULL) {
            while (i-- > 0) {
                rille_free(parts[i]);
                parts[i] = NULL;
            }
            return rille_error_status(t->context);
        }
        start += length;
    }
    return RILLE_OK;
}

rille_status rille_split(rille_tensor *t, int count, const int64_t *sizes, int dim, rille_tensor **parts)
{
    rille_context *cx = rl_enter("split", RL_LIST(t));
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    if (count > 0 && (sizes == NULL || parts == NULL))
        return rl_fail(cx, RILLE_ERROR_NULL, "split: the list of %s is NULL", sizes == NULL ? "sizes" : "parts");
    for (int i = 0; i < count; i++)
        parts[i] = NULL;
    const int d = rl_dimension(t, "split", dim);
    if (d < 0)
        return RILLE_ERROR_INDEX;
    int64_t rest = t->shape[d];
    for (int i = 0; i < count; i++) {
        if (sizes[i] < 0)
            return rl_fail(cx, RILLE_ERROR_SHAPE, "split: size %lld of part %d is negative", (long long)sizes[i], i + 1);
        rest = rest < 0 || sizes[i] > rest ? -1 : rest - sizes[i];
    }
    if (rest != 0)
        return rl_fail(cx, RILLE_ERROR_SHAPE, "split: the sizes of %d parts do not add up to %lld, dimension %d of shape %s",
                       count, (long long)t->shape[d], d + cx->options.index_base, RL_SHAPE(t));
    return take_apart(t, count, sizes, 0, d, parts);
}

int rille_chunk(rille_tensor *t, int chunks, int dim, rille_tensor **parts)
{
    rille_context *cx = rl_enter("chunk", RL_LIST(t));
    const int d = cx == NULL ? -1 : rl_dimension(t, "chunk", dim);
    if (d < 0)
        return 0;
    if (chunks < 1 || parts == NULL) {
        rl_fail(cx, chunks < 1 ? RILLE_ERROR_ARGUMENT : RILLE_ERROR_NULL,
                chunks < 1 ? "chunk: %d chunks; 1 or more expected" : "chunk: the list of %d parts is NULL", chunks);
        return 0;
    }
    const int64_t size = t->shape[d], each = size / chunks + (size % chunks != 0);
    const int count = each == 0 ? chunks : (int)((size + each - 1) / each);
    return take_apart(t, count, NULL, each, d, parts) == RILLE_OK ? count : 0;
}

rille_status rille_unbind(rille_tensor *t, int dim, rille_tensor **parts)
{
    rille_context *cx = rl_enter("unbind", RL_LIST(t));
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    const int d = rl_dimension(t, "unbind", dim);
    if (d < 0)
        return RILLE_ERROR_INDEX;
    if (parts == NULL)
        return t->shape[d] == 0 ? RILLE_OK : rl_fail(cx, RILLE_ERROR_NULL, "unbind: the list of parts is NULL");
    for (int64_t i = 0; i < t->shape[d]; i++) {
        parts[i] = rille_select(t, d, i);
        if (parts[i] == NULL) {
            while (i-- > 0) {
                rille_free(parts[i]);
                parts[i] = NULL;
            }
            return rille_error_status(cx);
        }
    }
    return RILLE_OK;
}

/* ---- tile ---- */

/* t repeated along d: [before, 1, from d on] expanded, and copied into a shape where d is so many times as long. */
static rille_tensor *tile_along(rille_tensor *t, int d, int64_t repeats)
{
    if (t == NULL || repeats == 1)
        return t;
    int64_t shape[RILLE_MAX_RANK] = {0}, before = 1, rest = 1, numel;
    for (int k = 0; k < t->rank; k++) {
        shape[k] = t->shape[k];
        *(k < d ? &before : &rest) *= t->shape[k];
    }
    if (__builtin_mul_overflow(shape[d], repeats, &shape[d]))
        shape[d] = INT64_MAX; /* told of in the next line */
    if (!rl_check_shape(t->context, "tile", t->dtype, t->rank, shape, &numel))
        return NULL;
    rille_tensor *flat = rille_reshape(t, 3, (int64_t[]){before, 1, rest});
    return rille_reshape(rille_expand(flat, 3, (int64_t[]){before, repeats, rest}), t->rank, shape);
}

rille_tensor *rille_tile(rille_tensor *t, int count, const int64_t *repeats)
{
    rille_context *cx = rl_enter("tile", RL_LIST(t));
    if (cx == NULL)
        return NULL;
    if (count < 0 || count > RILLE_MAX_RANK || (count > 0 && repeats == NULL)) {
        rl_fail(cx, count > 0 && repeats == NULL ? RILLE_ERROR_NULL : RILLE_ERROR_SHAPE,
                count > 0 && repeats == NULL ? "tile: the list of %d repeats is NULL"
                                             : "tile: %d repeats; 0 ... 8 expected, one a dimension",
                count);
        return NULL;
    }
    for (int i = 0; i < count; i++)
        if (repeats[i] < 0) {
            rl_fail(cx, RILLE_ERROR_ARGUMENT, "tile: %lld repeats; 0 or more expected", (long long)repeats[i]);
            return NULL;
        }
    const int rank = count > t->rank ? count : t->rank;
    int64_t shape[RILLE_MAX_RANK];
    for (int d = 0; d < rank; d++)
        shape[d] = d < rank - t->rank ? 1 : t->shape[d - (rank - t->rank)];
    rille_scope_push(cx);
    rille_tensor *out = rille_reshape(t, rank, shape);
    for (int i = 0; i < count; i++)
        out = tile_along(out, rank - count + i, repeats[i]);
    if (out != NULL && (out->storage == t->storage || !rille_is_contiguous(out))) /* a copy always, of elements of its own */
        out = rille_clone(out);
    return rl_scope_return(cx, out);
}

/* ---- roll ---- */

rille_tensor *rille_roll(rille_tensor *t, int64_t shift, int dim)
{
    rille_context *cx = rl_enter("roll", RL_LIST(t));
    const int d = cx == NULL ? -1 : rl_dimension(t, "roll", dim);
    if (d < 0)
        return NULL;
    const int64_t size = t->shape[d];
    const int64_t last = size == 0 ? 0 : (shift % size + size) % size; /* so many of the end come first */
    rille_scope_push(cx);
    rille_tensor *parts[] = {rille_narrow(t, d, size - last, last), rille_narrow(t, d, 0, size - last)};
    return rl_scope_return(cx, parts[0] == NULL || parts[1] == NULL ? NULL : rille_cat(parts, 2, d));
}
