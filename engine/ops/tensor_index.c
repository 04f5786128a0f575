/* Indexing by tensors, as NumPy has it: t[index, :, mask] read, with gradient, and written in place. */
#include "ops/lines.h"

#include "tensor/convert.h"

#include <string.h>

typedef struct picture { /* what an index makes of t */
    int picked_count, kept_count;
    int picked[RILLE_MAX_RANK], kept[RILLE_MAX_RANK]; /* t's dimensions, in order */
    int entry[RILLE_MAX_RANK];                        /* by t's dimension: which entry of the index picks along it */
    int place;                                        /* how many of the kept dimensions come before the picked ones */
    int64_t weight[RILLE_MAX_RANK];                   /* by t's dimension: of its index in the sum that says which element */
    rille_tensor *at;                                 /* that sum, int64, of the shape that the entries broadcast to */
} picture;

/* ---- Which dimensions ---- */

static bool is_entry(rille_tensor *t, int number, rille_tensor *entry, int d)
{
    rille_context *cx = t->context;
    const bool mask = entry->dtype == RILLE_BOOL;
    if (!mask && entry->dtype != RILLE_INT64) {
        rl_fail(cx, RILLE_ERROR_DTYPE, "index: entry %d is %s %s; int64 or bool expected", number + 1,
                rille_dtype_name(entry->dtype), RL_SHAPE(entry));
        return false;
    }
    bool fits = !mask || (entry->rank > 0 && d + entry->rank <= t->rank);
    for (int k = 0; fits && mask && k < entry->rank; k++)
        fits = entry->shape[k] == t->shape[d + k];
    if (!fits)
        rl_fail(cx, RILLE_ERROR_SHAPE,
                "index: the mask that is entry %d has shape %s; it is to have that of dimensions from %d on of %s", number + 1,
                RL_SHAPE(entry), d + cx->options.index_base, RL_SHAPE(t));
    return fits;
}

static bool sort_dimensions(rille_tensor *t, int count, rille_tensor *const *index, picture *p)
{
    int d = 0;
    for (int i = 0; i < count; i++) {
        const int covered = index[i] == NULL || index[i]->dtype != RILLE_BOOL ? 1 : index[i]->rank;
        if (d + covered > t->rank) {
            rl_fail(t->context, RILLE_ERROR_SHAPE, "index: %d entries are too many for shape %s", count, RL_SHAPE(t));
            return false;
        }
        if (index[i] != NULL && !is_entry(t, i, index[i], d))
            return false;
        for (int k = 0; k < covered; k++, d++) {
            p->entry[d] = i;
            *(index[i] == NULL ? &p->kept[p->kept_count++] : &p->picked[p->picked_count++]) = d;
        }
    }
    for (; d < t->rank; d++)
        p->kept[p->kept_count++] = d;
    const int first = p->picked_count > 0 ? p->picked[0] : 0;
    const bool together = p->picked_count == 0 || p->picked[p->picked_count - 1] - first == p->picked_count - 1;
    p->place = together ? first : 0;
    return true;
}

/* ---- Which elements ---- */

/* (index - base) weight, negative indices counted from the end. */
static rille_tensor *weighted_index(rille_tensor *index, int64_t size, int64_t weight)
{
    rille_context *cx = index->context;
    const int64_t base = cx->options.index_base;
    rille_tensor *out = rille_clone(index);
    int64_t *value = out == NULL ? NULL : (int64_t *)rl_data(out);
    for (int64_t i = 0; out != NULL && i < out->numel; i++) {
        const int64_t at = value[i] < 0 ? value[i] + size : value[i] - base;
        if (at < 0 || at >= size) {
            rl_fail(cx, RILLE_ERROR_INDEX, "index: %lld is not in %lld ... %lld, or -1 ... -%lld from the end",
                    (long long)value[i], (long long)base, (long long)(size - 1 + base), (long long)size);
            return NULL;
        }
        value[i] = at * weight;
    }
    return out;
}

/* The same of the mask's elements, [k]: their indices along its dimensions, which are t's from d on. */
static rille_tensor *weighted_mask(rille_tensor *mask, int d, const picture *p)
{
    rille_tensor *out = rl_true_positions("index", mask);
    int64_t *value = out == NULL ? NULL : (int64_t *)rl_data(out);
    for (int64_t i = 0; out != NULL && i < out->numel; i++) {
        int64_t rest = value[i], sum = 0;
        for (int k = mask->rank - 1; k >= 0; k--) {
            sum += rest % mask->shape[k] * p->weight[d + k];
            rest /= mask->shape[k];
        }
        value[i] = sum;
    }
    return out;
}

/* Fills in p->at; false, with a message, where that cannot be. */
static bool find_elements(rille_tensor *t, rille_tensor *const *index, picture *p)
{
    for (int i = 0; i < p->picked_count; i++) {
        const int d = p->picked[i], entry = p->entry[d];
        if (i > 0 && entry == p->entry[p->picked[i - 1]]) /* of the mask that took the one before */
            continue;
        const bool mask = index[entry]->dtype == RILLE_BOOL;
        rille_tensor *term = mask ? weighted_mask(index[entry], d, p) : weighted_index(index[entry], t->shape[d], p->weight[d]);
        int rank;
        int64_t shape[RILLE_MAX_RANK];
        if (term == NULL || (p->at != NULL && !rl_broadcast(t->context, "index", p->at, term, &rank, shape)))
            return false;
        p->at = p->at == NULL ? term : rille_add(p->at, term);
        if (p->at == NULL)
            return false;
    }
    if (p->kept_count + p->at->rank <= RILLE_MAX_RANK)
        return true;
    rl_fail(t->context, RILLE_ERROR_SHAPE, "index: an index of shape %s into shape %s gives more than %d dimensions",
            RL_SHAPE(p->at), RL_SHAPE(t), RILLE_MAX_RANK);
    return false;
}

/* The kept dimensions of t with `middle` among them. Returns the rank. */
static int with_middle(const rille_tensor *t, const picture *p, int middle_rank, const int64_t *middle, int64_t *shape)
{
    int rank = 0;
    for (int k = 0; k < p->place; k++)
        shape[rank++] = t->shape[p->kept[k]];
    for (int k = 0; k < middle_rank; k++)
        shape[rank++] = middle[k];
    for (int k = p->place; k < p->kept_count; k++)
        shape[rank++] = t->shape[p->kept[k]];
    return rank;
}

static rille_context *enter(const char *operation, rille_tensor *t, int count, rille_tensor *const *index)
{
    rille_context *cx = rl_enter(operation, RL_LIST(t));
    if (cx != NULL && (count < 0 || (count > 0 && index == NULL))) {
        rl_fail(cx, RILLE_ERROR_NULL, "%s: there is no list of %d entries", operation, count);
        return NULL;
    }
    for (int i = 0; cx != NULL && i < count; i++)
        if (index[i] != NULL && rl_enter(operation, RL_LIST(t, index[i])) == NULL)
            return NULL;
    return cx;
}

/* ---- Reading: the picked dimensions as one, along which slices are picked ---- */

static rille_tensor *picked_from(rille_tensor *t, const picture *p)
{
    int dims[RILLE_MAX_RANK], rank = 0;
    for (int k = 0; k < p->place; k++)
        dims[rank++] = p->kept[k];
    int64_t size = 1, shape[RILLE_MAX_RANK];
    for (int k = 0; k < p->picked_count; k++) {
        dims[rank++] = p->picked[k];
        size *= t->shape[p->picked[k]];
    }
    for (int k = p->place; k < p->kept_count; k++)
        dims[rank++] = p->kept[k];
    rank = with_middle(t, p, 1, &size, shape);
    rille_tensor *merged = rille_reshape(rille_permute(t, dims), rank, shape);
    rille_tensor *line = rille_reshape(p->at, 1, (int64_t[]){p->at->numel});
    rille_tensor *base = rille_scalar(t->context, RILLE_INT64, t->context->options.index_base);
    rille_tensor *slices = merged == NULL || base == NULL ? NULL : rille_index_select(merged, p->place, rille_add(line, base));
    rank = with_middle(t, p, p->at->rank, p->at->shape, shape);
    return rille_reshape(slices, rank, shape);
}

rille_tensor *rille_index(rille_tensor *t, int count, rille_tensor *const *index)
{
    rille_context *cx = enter("index", t, count, index);
    picture p = {0};
    if (cx == NULL || !sort_dimensions(t, count, index, &p))
        return NULL;
    if (p.picked_count == 0)
        return rille_reshape(t, t->rank, t->shape);
    int64_t weight = 1;
    for (int k = p.picked_count - 1; k >= 0; k--) {
        p.weight[p.picked[k]] = weight;
        weight *= t->shape[p.picked[k]];
    }
    rille_scope_push(cx);
    return rl_scope_return(cx, find_elements(t, index, &p) ? picked_from(t, &p) : NULL);
}

/* ---- Writing: the sum is in elements of t's storage ---- */

/* values as [kept ..., elements, kept ...] and of t's dtype, sharing nothing with t; NULL, with a message, where they do not
 * fit. */
static rille_tensor *fitted(rille_tensor *t, const picture *p, rille_tensor *values)
{
    rille_context *cx = t->context;
    rille_tensor wanted = {.context = cx}, *own = values;
    wanted.rank = with_middle(t, p, p->at->rank, p->at->shape, wanted.shape);
    int rank;
    int64_t shape[RILLE_MAX_RANK];
    if (!rl_broadcast(cx, "index_put", values, &wanted, &rank, shape))
        return NULL;
    if (rank != wanted.rank || memcmp(shape, wanted.shape, (size_t)rank * sizeof shape[0]) != 0) {
        rl_fail(cx, RILLE_ERROR_SHAPE, "index_put: shape %s does not fit into %s", RL_SHAPE(values), RL_SHAPE(&wanted));
        return NULL;
    }
    if (own->dtype != t->dtype || own->storage == t->storage)
        own = rille_to(own, t->dtype);
    rank = with_middle(t, p, 1, &p->at->numel, shape);
    return rille_reshape(rille_expand(own, wanted.rank, wanted.shape), rank, shape);
}

static rille_status put(rille_tensor *t, const picture *p, rille_tensor *values)
{
    rille_tensor *source = fitted(t, p, values), *dense = source == NULL ? NULL : rl_dense(p->at);
    if (dense == NULL)
        return rille_error_status(t->context);
    rille_tensor at = *dense; /* the same for all elements of the kept dimensions */
    int64_t stride[RILLE_MAX_RANK] = {0};
    for (int d = 0, k = 0; d < source->rank; d++) {
        at.shape[d] = source->shape[d];
        at.stride[d] = d == p->place;
        stride[d] = d == p->place ? 0 : t->stride[p->kept[k++]];
    }
    at.rank = source->rank;
    rl_shape_changed(&at);
    const rille_status status = rl_move_along("index_put", RL_SCATTER, t, stride, 1, &at, 0, source, p->place);
    rille_touch(t);
    return status;
}

rille_status rille_index_put(rille_tensor *t, int count, rille_tensor *const *index, rille_tensor *values)
{
    rille_context *cx = enter("index_put", t, count, index);
    picture p = {0};
    if (cx == NULL || rl_enter("index_put", RL_LIST(t, values)) == NULL)
        return RILLE_ERROR_NULL;
    const rille_status writable = rl_check_writable("index_put", t);
    if (writable != RILLE_OK)
        return writable;
    if (!sort_dimensions(t, count, index, &p))
        return rille_error_status(cx);
    if (p.picked_count == 0)
        return rille_copy(t, values);
    for (int k = 0; k < p.picked_count; k++)
        p.weight[p.picked[k]] = t->stride[p.picked[k]];
    const bool recording = rille_set_grad_enabled(cx, false);
    rille_scope_push(cx);
    const rille_status status = find_elements(t, index, &p) ? put(t, &p, values) : rille_error_status(cx);
    rille_scope_pop(cx);
    rille_set_grad_enabled(cx, recording);
    return status;
}
