/* Dimensions of size 1 put in and left out, dimensions merged, and tensors broadcast against each other. */
#include "ops/ops.h"

int rl_new_dimension(const rille_tensor *t, const char *operation, int dim)
{
    rille_context *cx = t->context;
    const int d = dim < 0 ? dim + t->rank + 1 : dim, base = cx->options.index_base;
    if (t->rank == RILLE_MAX_RANK) {
        rl_fail(cx, RILLE_ERROR_SHAPE, "%s: shape %s has %d dimensions, the most there can be", operation, RL_SHAPE(t),
                t->rank);
        return -1;
    }
    if (d >= 0 && d <= t->rank)
        return d;
    rl_fail(cx, RILLE_ERROR_INDEX, "%s: dimension %d new in shape %s; it can be %d ... %d, or -1 ... -%d from the end",
            operation, dim < 0 ? dim : dim + base, RL_SHAPE(t), base, t->rank + base, t->rank + 1);
    return -1;
}

rille_tensor *rille_unsqueeze(rille_tensor *t, int dim)
{
    if (rl_enter("unsqueeze", RL_LIST(t)) == NULL)
        return NULL;
    const int d = rl_new_dimension(t, "unsqueeze", dim);
    int64_t shape[RILLE_MAX_RANK];
    for (int k = 0; d >= 0 && k <= t->rank; k++)
        shape[k] = k == d ? 1 : t->shape[k - (k > d)];
    return d < 0 ? NULL : rille_reshape(t, t->rank + 1, shape);
}

rille_tensor *rille_squeeze(rille_tensor *t, const int *dims, int count)
{
    rille_context *cx = rl_enter("squeeze", RL_LIST(t));
    if (cx == NULL)
        return NULL;
    bool named[RILLE_MAX_RANK] = {false};
    for (int i = 0; dims != NULL && i < count; i++) {
        const int d = rl_dimension(t, "squeeze", dims[i]);
        if (d < 0)
            return NULL;
        named[d] = true;
    }
    int64_t shape[RILLE_MAX_RANK];
    int rank = 0;
    for (int d = 0; d < t->rank; d++)
        if (t->shape[d] != 1 || (dims != NULL && !named[d]))
            shape[rank++] = t->shape[d];
    return rille_reshape(t, rank, shape);
}

rille_tensor *rille_flatten(rille_tensor *t, int first, int last)
{
    rille_context *cx = rl_enter("flatten", RL_LIST(t));
    if (cx == NULL)
        return NULL;
    if (t->rank == 0 && (first == 0 || first == -1) && (last == 0 || last == -1))
        return rille_reshape(t, 1, (int64_t[]){1});
    const int from = rl_dimension(t, "flatten", first), to = from < 0 ? -1 : rl_dimension(t, "flatten", last);
    if (to < 0)
        return NULL;
    if (to < from) {
        rl_fail(cx, RILLE_ERROR_ARGUMENT, "flatten: dimension %d comes after %d", from + cx->options.index_base,
                to + cx->options.index_base);
        return NULL;
    }
    int64_t shape[RILLE_MAX_RANK];
    int rank = 0;
    for (int d = 0; d < t->rank; d++)
        if (d > from && d <= to)
            shape[rank - 1] *= t->shape[d];
        else
            shape[rank++] = t->shape[d];
    return rille_reshape(t, rank, shape);
}

rille_status rille_meshgrid(rille_tensor *const *t, int count, rille_tensor **grids)
{
    rille_context *cx = count < 1 || t == NULL || grids == NULL ? NULL : rl_enter_many("meshgrid", count, t);
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    int64_t shape[RILLE_MAX_RANK];
    if (count > RILLE_MAX_RANK)
        return rl_fail(cx, RILLE_ERROR_SHAPE, "meshgrid: %d tensors; %d at most, one a dimension", count, RILLE_MAX_RANK);
    for (int i = 0; i < count; i++) {
        if (t[i]->rank != 1)
            return rl_fail(cx, RILLE_ERROR_SHAPE, "meshgrid: input %d has shape %s; rank 1 expected", i + 1, RL_SHAPE(t[i]));
        shape[i] = t[i]->shape[0];
    }
    for (int i = 0; i < count; i++) {
        int64_t own[RILLE_MAX_RANK];
        for (int d = 0; d < count; d++)
            own[d] = d == i ? shape[i] : 1;
        rille_tensor *line = rille_reshape(t[i], count, own);
        grids[i] = rille_expand(line, count, shape);
        rille_free(line);
        if (grids[i] == NULL) {
            while (i-- > 0) {
                rille_free(grids[i]);
                grids[i] = NULL;
            }
            return rille_error_status(cx);
        }
    }
    return RILLE_OK;
}
