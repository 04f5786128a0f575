#include "base/parallel.h"
#include "tensor/convert.h"
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

rille_tensor *rille_empty(rille_context *cx, rille_dtype dtype, int rank, const int64_t *shape)
{
    return rl_new(cx, "empty", dtype, rank, shape);
}

rille_tensor *rille_from(rille_context *cx, rille_dtype dtype, int rank, const int64_t *shape, const void *data)
{
    rille_tensor *t = rl_new(cx, "from", dtype, rank, shape);
    if (t != NULL && t->numel > 0 && data == NULL) {
        rl_fail(cx, RILLE_ERROR_NULL, "from: the data is NULL");
        rille_free(t);
        return NULL;
    }
    if (t != NULL && t->numel > 0)
        memcpy(rl_data(t), data, (size_t)t->numel * rille_dtype_size(dtype));
    return t;
}

/* Frees t where what was to fill it failed. */
static rille_tensor *filled(rille_tensor *t, rille_status status)
{
    if (status == RILLE_OK)
        return t;
    rille_free(t);
    return NULL;
}

static rille_tensor *new_filled(rille_context *cx, const char *operation, rille_dtype dtype, int rank, const int64_t *shape,
                                double value)
{
    rille_tensor *t = rl_new(cx, operation, dtype, rank, shape);
    return t == NULL ? NULL : filled(t, rl_fill(cx, operation, t, value));
}

rille_tensor *rille_full(rille_context *cx, rille_dtype dtype, int rank, const int64_t *shape, double value)
{
    return new_filled(cx, "full", dtype, rank, shape, value);
}

rille_tensor *rille_zeros(rille_context *cx, rille_dtype dtype, int rank, const int64_t *shape)
{
    return new_filled(cx, "zeros", dtype, rank, shape, 0.0);
}

rille_tensor *rille_scalar(rille_context *cx, rille_dtype dtype, double value)
{
    return new_filled(cx, "scalar", dtype, 0, NULL, value);
}

/* start + i step in float64, converted: [count]. */
static rille_tensor *progression(rille_context *cx, const char *operation, rille_dtype dtype, double start, double step,
                                 int64_t count)
{
    rille_tensor *t = rl_new(cx, operation, dtype, 1, &count);
    rille_tensor *wide = dtype == RILLE_FLOAT64 ? t : rl_new(cx, operation, RILLE_FLOAT64, 1, &count);
    if (t == NULL || wide == NULL) {
        if (wide != t)
            rille_free(wide);
        rille_free(t);
        return NULL;
    }
    double *value = (double *)rl_data(wide);
    for (int64_t i = 0; i < count; i++)
        value[i] = start + (double)i * step;
    rille_status status = RILLE_OK;
    if (wide != t) {
        status = rl_copy_elements(cx, operation, t, wide);
        rille_free(wide);
    }
    return filled(t, status);
}

rille_tensor *rille_arange(rille_context *cx, rille_dtype dtype, double start, double end, double step)
{
    double count = ceil((end - start) / step);
    if (cx == NULL)
        return NULL;
    if (!(count < 0x1p62) || step == 0 || !isfinite(step)) {
        rl_fail(cx, RILLE_ERROR_ARGUMENT, "arange: from %g to %g in steps of %g is no finite progression", start, end, step);
        return NULL;
    }
    return progression(cx, "arange", dtype, start, step, count > 0 ? (int64_t)count : 0);
}

rille_tensor *rille_linspace(rille_context *cx, rille_dtype dtype, double start, double end, int64_t count)
{
    double step = count > 1 ? (end - start) / (double)(count - 1) : 0;
    rille_tensor *t = progression(cx, "linspace", dtype, start, step, count);
    if (t == NULL || count < 2)
        return t;
    rille_tensor last = *t; /* exactly `end`, whatever the steps round to */
    last.rank = 0;
    last.numel = 1;
    last.offset = count - 1;
    return filled(t, rl_fill(cx, "linspace", &last, end));
}

rille_tensor *rille_eye(rille_context *cx, rille_dtype dtype, int64_t n)
{
    rille_tensor *t = new_filled(cx, "eye", dtype, 2, (int64_t[]){n, n}, 0.0);
    if (t == NULL)
        return NULL;
    rille_tensor diagonal = *t;
    diagonal.rank = 1;
    diagonal.numel = n;
    diagonal.stride[0] = n + 1;
    return filled(t, rl_fill(cx, "eye", &diagonal, 1.0));
}
