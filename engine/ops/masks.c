/* What a mask picks and puts: masked_select, masked_fill, triangles of matrices, one_hot. */
#include "ops/ops.h"

#include "base/parallel.h"

#include <string.h>

/* ---- masked_select ---- */

rille_tensor *rl_true_positions(const char *operation, rille_tensor *mask)
{
    rille_tensor *dense = rl_dense(mask);
    if (dense == NULL)
        return NULL;
    const bool *is_set = (const bool *)rl_data(dense);
    int64_t count = 0;
    for (int64_t i = 0; i < dense->numel; i++)
        count += is_set[i];
    rille_tensor *out = rl_new(mask->context, operation, RILLE_INT64, 1, &count);
    int64_t *at = out == NULL ? NULL : (int64_t *)rl_data(out);
    for (int64_t i = 0, k = 0; out != NULL && k < count; k += is_set[i++])
        at[k] = i; /* of the last one there: no branch to guess */
    rl_free_temporary(dense, mask);
    return out;
}

/* Both as they broadcast against each other, t as a line. false where they do not, or memory is out. */
static bool broadcast_both(rille_context *cx, rille_tensor **t, rille_tensor **mask)
{
    int rank;
    int64_t shape[RILLE_MAX_RANK];
    if (!rl_broadcast(cx, "masked_select", *t, *mask, &rank, shape))
        return false;
    *t = rille_reshape(rille_expand(*t, rank, shape), 1, (int64_t[]){-1});
    *mask = rille_expand(rl_as(*mask, RILLE_BOOL), rank, shape);
    return *t != NULL && *mask != NULL;
}

rille_tensor *rille_masked_select(rille_tensor *t, rille_tensor *mask)
{
    rille_context *cx = rl_enter("masked_select", RL_LIST(t, mask));
    if (cx == NULL)
        return NULL;
    rille_scope_push(cx);
    rille_tensor *at = broadcast_both(cx, &t, &mask) ? rl_true_positions("masked_select", mask) : NULL;
    const int64_t base = cx->options.index_base;
    for (int64_t k = 0; base != 0 && at != NULL && k < at->numel; k++)
        ((int64_t *)rl_data(at))[k] += base;
    return rl_scope_return(cx, at == NULL ? NULL : rille_gather(t, 0, at));
}

/* ---- masked_fill ---- */

rille_tensor *rille_masked_fill(rille_tensor *t, rille_tensor *mask, rille_tensor *value)
{
    rille_context *cx = rl_enter("masked_fill", RL_LIST(t, mask, value));
    int rank;
    int64_t shape[RILLE_MAX_RANK];
    if (cx == NULL || !rl_broadcast(cx, "masked_fill", t, mask, &rank, shape))
        return NULL;
    if (value->numel != 1) {
        rl_fail(cx, RILLE_ERROR_SHAPE, "masked_fill: the value has shape %s; one element expected", RL_SHAPE(value));
        return NULL;
    }
    rille_scope_push(cx);
    rille_tensor *one = rille_reshape(value, 0, NULL), *typed = value->dtype == t->dtype ? one : rille_to(one, t->dtype);
    return rl_scope_return(cx, typed == NULL ? NULL : rille_where(mask, typed, t));
}

/* ---- triu, tril ---- */

typedef struct triangle { /* of a mask [rows, columns] */
    bool *mask, upper;
    int64_t columns, diagonal;
} triangle;

static void draw_rows(void *work, size_t begin, size_t end) /* row by row: false, then true, or the other way */
{
    const triangle *w = work;
    for (size_t row = begin; row < end; row++) {
        bool *line = w->mask + (int64_t)row * w->columns;
        int64_t turn =
            (int64_t)row + w->diagonal + !w->upper; /* the first column beyond: the diagonal's where it is kept above */
        turn = turn < 0 ? 0 : turn > w->columns ? w->columns : turn;
        memset(line, !w->upper, (size_t)turn);
        memset(line + turn, w->upper, (size_t)(w->columns - turn));
    }
}

static rille_tensor *triangle_of(const char *operation, rille_tensor *t, bool upper, int64_t diagonal)
{
    rille_context *cx = rl_enter(operation, RL_LIST(t));
    if (cx == NULL)
        return NULL;
    if (t->rank < 2) {
        rl_fail(cx, RILLE_ERROR_SHAPE, "%s: shape %s; rank 2 or more expected", operation, RL_SHAPE(t));
        return NULL;
    }
    const int64_t rows = t->shape[t->rank - 2], columns = t->shape[t->rank - 1];
    const int64_t within = diagonal < -rows - 1     ? -rows - 1
                           : diagonal > columns + 1 ? columns + 1
                                                    : diagonal; /* no less than all */
    rille_scope_push(cx);
    rille_tensor *mask = rl_new(cx, operation, RILLE_BOOL, 2, (int64_t[]){rows, columns});
    if (mask != NULL) {
        triangle w = {(bool *)rl_data(mask), upper, columns, within};
        mask = rl_completed(
            mask, rl_parallel_for(cx, operation, (size_t)rows, 1 + RL_GRAIN_LIGHT / ((size_t)columns + 1), draw_rows, &w));
    }
    rille_tensor *zero = mask == NULL ? NULL : rille_scalar(cx, t->dtype, 0);
    return rl_scope_return(cx, zero == NULL ? NULL : rille_where(mask, t, zero));
}

rille_tensor *rille_triu(rille_tensor *t, int64_t diagonal)
{
    return triangle_of("triu", t, true, diagonal);
}

rille_tensor *rille_tril(rille_tensor *t, int64_t diagonal)
{
    return triangle_of("tril", t, false, diagonal);
}

/* ---- one_hot ---- */

rille_tensor *rille_one_hot(rille_tensor *labels, int64_t classes)
{
    rille_context *cx = rl_enter("one_hot", RL_LIST(labels));
    if (cx == NULL)
        return NULL;
    if (labels->dtype != RILLE_INT64 || labels->rank == RILLE_MAX_RANK || classes < 0) {
        rl_fail(cx, RILLE_ERROR_ARGUMENT, "one_hot: %lld classes of labels that are %s %s; int64 of rank 0 ... %d expected",
                (long long)classes, rille_dtype_name(labels->dtype), RL_SHAPE(labels), RILLE_MAX_RANK - 1);
        return NULL;
    }
    int64_t shape[RILLE_MAX_RANK];
    memcpy(shape, labels->shape, sizeof shape);
    shape[labels->rank] = classes;
    rille_tensor *label = rl_check_index("one_hot", labels, classes) ? rl_dense(labels) : NULL;
    rille_tensor *out = label == NULL ? NULL : rille_zeros(cx, RILLE_INT64, labels->rank + 1, shape);
    for (int64_t i = 0; out != NULL && i < label->numel; i++)
        ((int64_t *)rl_data(out))[i * classes + ((const int64_t *)rl_data(label))[i] - cx->options.index_base] = 1;
    if (label != NULL)
        rl_free_temporary(label, labels);
    return out;
}
