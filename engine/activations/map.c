/* The kernels of one activation over whole buffers, in parallel. */
#include "activations/map.h"

#include "base/parallel.h"

/* RILLE_OK and the parameters to use in *params, or what is wrong with the call. buffers: none of them is NULL. */
static rille_status check(rille_context *cx, const char *operation, rille_activation act, const double **params,
                          rille_dtype dtype, size_t n, bool buffers)
{
    if (dtype != RILLE_FLOAT32 && dtype != RILLE_FLOAT64)
        return rl_fail(cx, RILLE_ERROR_DTYPE, "%s: dtype is %s; it takes float32 and float64", operation,
                       rille_dtype_name(dtype));
    *params = rl_activation_parameters(cx, act, *params);
    if (*params == NULL)
        return RILLE_ERROR_ARGUMENT;
    if (n > PTRDIFF_MAX / rille_dtype_size(dtype))
        return rl_fail(cx, RILLE_ERROR_ARGUMENT, "%s: %zu elements of %s are more than memory can hold", operation, n,
                       rille_dtype_name(dtype));
    if (n > 0 && !buffers)
        return rl_fail(cx, RILLE_ERROR_NULL, "%s: a buffer of %zu elements is NULL", operation, n);
    return RILLE_OK;
}

typedef struct map_work {
    rl_map_kernel *map;         /* this, or */
    rl_product_kernel *product; /* this */
    size_t size;                /* bytes of an element */
    const double *params;
    const char *g, *x;
    char *y;
} map_work;

static void do_map(void *work, size_t begin, size_t end)
{
    const map_work *w = work;
    const size_t offset = begin * w->size;
    w->map(end - begin, w->x + offset, w->y + offset, w->params);
}

static void do_product(void *work, size_t begin, size_t end)
{
    const map_work *w = work;
    const size_t offset = begin * w->size;
    w->product(end - begin, w->g + offset, w->x + offset, w->y + offset, w->params);
}

rille_status rille_map(rille_context *cx, rille_activation act, const double *params, int order, rille_dtype dtype, size_t n,
                       const void *x, void *y)
{
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    if (order < 0 || order > 2)
        return rl_fail(cx, RILLE_ERROR_ARGUMENT, "rille_map: order is %d; it can be 0, 1 or 2", order);
    const rille_status status = check(cx, "rille_map", act, &params, dtype, n, x != NULL && y != NULL);
    if (status != RILLE_OK || n == 0)
        return status;
    map_work work = {
        .map = rl_activation_kernels_pick()->map[act][dtype][order],
        .size = rille_dtype_size(dtype),
        .params = params,
        .x = x,
        .y = y,
    };
    rl_profile_next(cx, rille_activation_describe(act)->name, 0, 2 * (double)n * (double)work.size);
    return rl_parallel_map(cx, "rille_map", n, RL_GRAIN_MEDIUM, do_map, &work);
}

static rille_status multiply(rille_context *cx, const char *operation, rille_activation act, const double *params, int order,
                             rille_dtype dtype, size_t n, const void *g, const void *x, void *z)
{
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    const rille_status status = check(cx, operation, act, &params, dtype, n, g != NULL && x != NULL && z != NULL);
    if (status != RILLE_OK || n == 0)
        return status;
    map_work work = {
        .product = rl_activation_kernels_pick()->product[act][dtype][order],
        .size = rille_dtype_size(dtype),
        .params = params,
        .g = g,
        .x = x,
        .y = z,
    };
    rl_profile_next(cx, rille_activation_describe(act)->name, 0, 3 * (double)n * (double)work.size);
    return rl_parallel_map(cx, operation, n, RL_GRAIN_MEDIUM, do_product, &work);
}

rille_status rille_map_backward(rille_context *cx, rille_activation act, const double *params, rille_dtype dtype, size_t n,
                                const void *x, const void *dy, void *dx)
{
    return multiply(cx, "rille_map_backward", act, params, 1, dtype, n, dy, x, dx);
}

rille_status rl_map_product(rille_context *cx, rille_activation act, const double *params, int order, rille_dtype dtype,
                            size_t n, const void *g, const void *x, void *z)
{
    if (cx != NULL && (order < 1 || order > 2))
        return rl_fail(cx, RILLE_ERROR_ARGUMENT, "rl_map_product: order is %d; it can be 1 or 2", order);
    return multiply(cx, "rl_map_product", act, params, order, dtype, n, g, x, z);
}
