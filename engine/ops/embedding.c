/* Embeddings: rows of a table, for indices of any shape. */
#include "ops/ops.h"

#include <string.h>

/* [..., d] from [n, d], which index_select picks from; its gradient adds up the rows that were picked more than once. */
static rille_tensor *rows_at(rille_tensor *weight, rille_tensor *index)
{
    int64_t shape[RILLE_MAX_RANK];
    memcpy(shape, index->shape, sizeof shape);
    shape[index->rank] = weight->shape[1];
    rille_tensor *flat = rille_reshape(index, 1, &index->numel);
    rille_tensor *rows = flat == NULL ? NULL : rille_index_select(weight, 0, flat);
    rille_tensor *out = rows == NULL ? NULL : rille_reshape(rows, index->rank + 1, shape);
    rille_free(rows);
    rille_free(flat);
    return out;
}

rille_tensor *rille_embedding(rille_tensor *index, rille_tensor *weight)
{
    rille_context *cx = rl_enter("embedding", RL_LIST(index, weight));
    if (cx == NULL)
        return NULL;
    if (index->dtype != RILLE_INT64 || index->rank == RILLE_MAX_RANK || weight->rank != 2) {
        rl_fail(cx, index->dtype != RILLE_INT64 ? RILLE_ERROR_DTYPE : RILLE_ERROR_SHAPE,
                "embedding: index is %s %s, weight is %s; int64 [...], of %d dimensions at most, and [n, d] expected",
                rille_dtype_name(index->dtype), RL_SHAPE(index), RL_SHAPE(weight), RILLE_MAX_RANK - 1);
        return NULL;
    }
    rille_tensor *checked = rl_check_index("embedding", index, weight->shape[0]) ? rl_dense(index) : NULL;
    rille_tensor *out = checked == NULL ? NULL : rows_at(weight, checked);
    rl_free_temporary(checked, index);
    return out;
}
