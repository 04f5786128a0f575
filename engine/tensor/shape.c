#include "tensor/tensor.h"

#include <stdio.h>
#include <string.h>

const char *rl_shape_text(char text[RL_SHAPE_TEXT], int rank, const int64_t *shape)
{
    size_t used = (size_t)snprintf(text, RL_SHAPE_TEXT, "[");
    for (int d = 0; d < rank && used < RL_SHAPE_TEXT; d++)
        used += (size_t)snprintf(text + used, RL_SHAPE_TEXT - used, d == 0 ? "%lld" : ", %lld", (long long)shape[d]);
    if (used < RL_SHAPE_TEXT)
        snprintf(text + used, RL_SHAPE_TEXT - used, "]");
    return text;
}

bool rl_same_shape(const rille_tensor *a, const rille_tensor *b)
{
    return a->rank == b->rank && memcmp(a->shape, b->shape, (size_t)a->rank * sizeof a->shape[0]) == 0;
}

bool rl_check_shape(rille_context *cx, const char *operation, rille_dtype dtype, int rank, const int64_t *shape, int64_t *numel)
{
    if (rille_dtype_size(dtype) == 0) {
        rl_fail(cx, RILLE_ERROR_DTYPE, "%s: %d is no dtype", operation, (int)dtype);
        return false;
    }
    if (rank < 0 || rank > RILLE_MAX_RANK) {
        rl_fail(cx, RILLE_ERROR_SHAPE, "%s: rank %d is not in 0 ... %d", operation, rank, RILLE_MAX_RANK);
        return false;
    }
    if (rank > 0 && shape == NULL) {
        rl_fail(cx, RILLE_ERROR_NULL, "%s: the shape is NULL", operation);
        return false;
    }
    bool overflow = false, empty = false;
    int64_t n = 1;
    for (int d = 0; d < rank; d++) {
        if (shape[d] < 0) {
            rl_fail(cx, RILLE_ERROR_SHAPE, "%s: size %lld in shape %s is negative", operation, (long long)shape[d],
                    rl_shape_text((char[RL_SHAPE_TEXT]){0}, rank, shape));
            return false;
        }
        empty = empty || shape[d] == 0;
        overflow = __builtin_mul_overflow(n, shape[d] > 0 ? shape[d] : 1, &n) || overflow;
    }
    /* The others' product is bounded where one is 0 too, so that strides and parts of the shape do not overflow. */
    if (overflow || n > PTRDIFF_MAX / 2 / (int64_t)rille_dtype_size(dtype)) {
        rl_fail(cx, RILLE_ERROR_SHAPE, "%s: shape %s has more elements than memory can hold", operation,
                rl_shape_text((char[RL_SHAPE_TEXT]){0}, rank, shape));
        return false;
    }
    *numel = empty ? 0 : n;
    return true;
}

bool rl_broadcast(rille_context *cx, const char *operation, const rille_tensor *a, const rille_tensor *b, int *rank,
                  int64_t *shape)
{
    *rank = a->rank > b->rank ? a->rank : b->rank;
    for (int back = 1; back <= *rank; back++) { /* from the last dimension */
        int64_t of_a = back <= a->rank ? a->shape[a->rank - back] : 1;
        int64_t of_b = back <= b->rank ? b->shape[b->rank - back] : 1;
        if (of_a != of_b && of_a != 1 && of_b != 1) {
            rl_fail(cx, RILLE_ERROR_SHAPE,
                    "%s: shapes %s and %s do not broadcast (%lld against %lld, dimension %d from the end)", operation,
                    RL_SHAPE(a), RL_SHAPE(b), (long long)of_a, (long long)of_b, back);
            return false;
        }
        shape[*rank - back] = of_a == 1 ? of_b : of_a;
    }
    return true;
}

int rl_dimension(const rille_tensor *t, const char *operation, int dim)
{
    int d = dim < 0 ? dim + t->rank : dim;
    if (d >= 0 && d < t->rank)
        return d;
    int base = t->context->options.index_base;
    if (t->rank == 0)
        rl_fail(t->context, RILLE_ERROR_INDEX, "%s: a tensor of rank 0 has no dimensions", operation);
    else
        rl_fail(t->context, RILLE_ERROR_INDEX,
                "%s: dimension %d of shape %s; dimensions are %d ... %d, or -1 ... -%d from the end", operation,
                dim < 0 ? dim : dim + base, RL_SHAPE(t), base, t->rank - 1 + base, t->rank);
    return -1;
}
