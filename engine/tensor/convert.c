#include "tensor/convert.h"

#include "base/parallel.h"

#include <math.h>
#include <string.h>

/* ---- Conversions of one element. To integers: towards zero, saturating, NaN to 0; bool is x != 0 (NaN is true). ---- */

static inline int64_t int64_of(double x)
{
    return x >= 0x1p63 ? INT64_MAX : x <= -0x1p63 ? INT64_MIN : x == x ? (int64_t)x : 0;
}

static inline uint8_t uint8_of(double x)
{
    return x >= 255 ? 255 : x > 0 ? (uint8_t)x : 0;
}

static inline uint8_t uint8_of_int64(int64_t x)
{
    return x > 255 ? 255 : x > 0 ? (uint8_t)x : 0;
}

#define DEFINE_COPY(name, from_type, into_type, expression)                                                                    \
    static void name(size_t n, char *const *p, const ptrdiff_t *stride)                                                        \
    {                                                                                                                          \
        if (stride[0] == sizeof(into_type) && stride[1] == sizeof(from_type)) {                                                \
            if (__builtin_types_compatible_p(from_type, into_type)) { /* a bias that goes to every row, say */                 \
                memcpy(p[0], p[1], n * sizeof(into_type));                                                                     \
                return;                                                                                                        \
            }                                                                                                                  \
            const from_type *restrict from = (const from_type *)p[1];                                                          \
            into_type *restrict into = (into_type *)p[0];                                                                      \
            for (size_t i = 0; i < n; i++) {                                                                                   \
                from_type x = from[i];                                                                                         \
                into[i] = expression;                                                                                          \
            }                                                                                                                  \
            return;                                                                                                            \
        }                                                                                                                      \
        for (size_t i = 0; i < n; i++) {                                                                                       \
            from_type x = *(const from_type *)(p[1] + (ptrdiff_t)i * stride[1]);                                               \
            *(into_type *)(p[0] + (ptrdiff_t)i * stride[0]) = expression;                                                      \
        }                                                                                                                      \
    }
#define DEFINE_COPIES_FROM(name, type, to_int64, to_uint8)                                                                     \
    DEFINE_COPY(name##_to_float32, type, float, (float)x)                                                                      \
    DEFINE_COPY(name##_to_float64, type, double, (double)x)                                                                    \
    DEFINE_COPY(name##_to_int64, type, int64_t, to_int64)                                                                      \
    DEFINE_COPY(name##_to_uint8, type, uint8_t, to_uint8)                                                                      \
    DEFINE_COPY(name##_to_bool, type, bool, x != 0)

DEFINE_COPIES_FROM(float32, float, int64_of((double)x), uint8_of((double)x))
DEFINE_COPIES_FROM(float64, double, int64_of(x), uint8_of(x))
DEFINE_COPIES_FROM(int64, int64_t, x, uint8_of_int64(x))
DEFINE_COPIES_FROM(uint8, uint8_t, (int64_t)x, x)
DEFINE_COPIES_FROM(bool, bool, (int64_t)x, (uint8_t)x)

#define COPIES_FROM(name)                                                                                                      \
    {                                                                                                                          \
        [RILLE_FLOAT32] = name##_to_float32, [RILLE_FLOAT64] = name##_to_float64, [RILLE_INT64] = name##_to_int64,             \
        [RILLE_UINT8] = name##_to_uint8, [RILLE_BOOL] = name##_to_bool                                                         \
    }
static rl_inner *const copies[5][5] = {
    /* from, into */
    [RILLE_FLOAT32] = COPIES_FROM(float32), [RILLE_FLOAT64] = COPIES_FROM(float64), [RILLE_INT64] = COPIES_FROM(int64),
    [RILLE_UINT8] = COPIES_FROM(uint8),     [RILLE_BOOL] = COPIES_FROM(bool),
};

/* The same dtype, both sides dense: what most copies are. */
static void copy_bytes(void *work, size_t begin, size_t end)
{
    char *const *p = work;
    memcpy(p[0] + begin, p[1] + begin, end - begin);
}

rille_status rl_copy_elements(rille_context *cx, const char *operation, const rille_tensor *into, const rille_tensor *from)
{
    if (into->dtype == from->dtype && rl_same_shape(into, from) && rille_is_contiguous(into) && rille_is_contiguous(from)) {
        char *p[2] = {rl_data(into), rl_data(from)};
        rl_profile_next(cx, NULL, 0, 2 * (double)into->numel * (double)rille_dtype_size(into->dtype));
        return rl_parallel_for(cx, operation, (size_t)into->numel * rille_dtype_size(into->dtype), 4 * (size_t)RL_GRAIN_LIGHT,
                               copy_bytes, p);
    }
    rl_loop loop = rl_loop_over(into->rank, into->shape);
    rl_loop_add(&loop, into);
    rl_loop_add(&loop, from);
    return rl_loop_run(cx, operation, &loop, RL_GRAIN_LIGHT, copies[from->dtype][into->dtype]);
}

static void clear_bytes(void *work, size_t begin, size_t end)
{
    memset((char *)work + begin, 0, end - begin);
}

rille_status rl_fill(rille_context *cx, const char *operation, const rille_tensor *t, double value)
{
    if (value == 0 && !signbit(value) && rille_is_contiguous(t))
        return rl_parallel_for(cx, operation, (size_t)t->numel * rille_dtype_size(t->dtype), 4 * (size_t)RL_GRAIN_LIGHT,
                               clear_bytes, rl_data(t));
    rl_storage constant = {.data = (char *)&value};
    rille_tensor scalar = {.context = cx, .storage = &constant, .dtype = RILLE_FLOAT64, .numel = 1};
    return rl_copy_elements(cx, operation, t, &scalar);
}

rille_status rille_copy_out(const rille_tensor *t, rille_dtype dtype, void *buffer)
{
    if (t == NULL)
        return RILLE_ERROR_NULL;
    if (rille_dtype_size(dtype) == 0)
        return rl_fail(t->context, RILLE_ERROR_DTYPE, "copy_out: %d is no dtype", (int)dtype);
    if (buffer == NULL && t->numel > 0)
        return rl_fail(t->context, RILLE_ERROR_NULL, "copy_out: the buffer is NULL");
    rl_storage outside = {.data = buffer};
    rille_tensor dense = {.context = t->context, .storage = &outside, .dtype = dtype, .rank = t->rank, .numel = t->numel};
    int64_t stride = 1;
    for (int d = t->rank - 1; d >= 0; d--) {
        dense.shape[d] = t->shape[d];
        dense.stride[d] = stride;
        stride *= t->shape[d];
    }
    return rl_copy_elements(t->context, "copy_out", &dense, t);
}
