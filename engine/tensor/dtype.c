#include "tensor/tensor.h"

static const struct {
    const char *name;
    size_t size;
    int level; /* in promotion: the higher one wins */
} dtypes[] = {
    [RILLE_FLOAT32] = {"float32", 4, 3}, [RILLE_FLOAT64] = {"float64", 8, 4}, [RILLE_INT64] = {"int64", 8, 2},
    [RILLE_UINT8] = {"uint8", 1, 1},     [RILLE_BOOL] = {"bool", 1, 0},
};

static bool is_dtype(rille_dtype dtype)
{
    return (size_t)dtype < sizeof dtypes / sizeof dtypes[0];
}

const char *rille_dtype_name(rille_dtype dtype)
{
    return is_dtype(dtype) ? dtypes[dtype].name : "unknown dtype";
}

size_t rille_dtype_size(rille_dtype dtype)
{
    return is_dtype(dtype) ? dtypes[dtype].size : 0;
}

rille_dtype rl_promote(rille_dtype a, rille_dtype b)
{
    return dtypes[a].level >= dtypes[b].level ? a : b;
}
