/* A map and a product kernel for each row of activations.def, dtype and order. Each is one of six ordinary loops, made into
 * vector code for one row by inlining the row's expression, a scalar function.
 *
 * No loop has a body of its own for the last few elements: the compiler makes it from the same scalar code without fusing or
 * reordering anything, so an element's result does not depend on where it stands. */
#include "activations/kernels.h"

#include "math/algebraic.h"
#include "math/arctangent.h"
#include "math/growth.h"
#include "math/inverse_sinh.h"
#include "math/logistic.h"
#include "math/piecewise.h"
#include "math/sine.h"
#include "math/tanh.h"

/* The functions that rows may use: constant (math/precision.h) and the macros at the end of each of these headers. */

/* ---- Rows: relu_float32_1(x, params) is f'(x) in float32 kernels ---- */

typedef float float32_narrow;
typedef double float32_wide, float64_narrow, float64_wide;

#define PARAMETERS(...) __VA_ARGS__
#define NO_PARAMETERS

#define P(name, initial, low, high) +1
#define ACTIVATION(name, width, parameters, ...) name##_parameter_count = 0 parameters,
enum {
#include "activations/activations.def"
};
#undef ACTIVATION
#undef P

#define P(name, initial, low, high)                                                                                            \
    const double name = *params++;                                                                                             \
    (void)name;
#define F(...) return __VA_ARGS__;
#define DF(...) return __VA_ARGS__;
#define DDF(...) return __VA_ARGS__;
#define SCALAR(name, dtype, width, order, parameters, expression)                                                              \
    RL_INLINE dtype##_##width name##_##dtype##_##order(dtype##_##width x, const double *params)                                \
    {                                                                                                                          \
        (void)params;                                                                                                          \
        parameters expression                                                                                                  \
    }

#define RL_PRECISION 24
#define ACTIVATION(name, width, parameters, f, df, ddf, ...)                                                                   \
    SCALAR(name, float32, width, 0, parameters, f)                                                                             \
    SCALAR(name, float32, width, 1, parameters, df)                                                                            \
    SCALAR(name, float32, width, 2, parameters, ddf)
#include "activations/activations.def"
#undef ACTIVATION
#undef RL_PRECISION

#define RL_PRECISION 53
#define ACTIVATION(name, width, parameters, f, df, ddf, ...)                                                                   \
    SCALAR(name, float64, width, 0, parameters, f)                                                                             \
    SCALAR(name, float64, width, 1, parameters, df)                                                                            \
    SCALAR(name, float64, width, 2, parameters, ddf)
#include "activations/activations.def"
#undef ACTIVATION
#undef RL_PRECISION

/* ---- Loops. x, y, z and g may be the same buffer: "simd" says that iterations are independent nevertheless ---- */

typedef float narrow_function(float x, const double *params);
typedef double wide_function(double x, const double *params);

/* A row's parameters where no store to y can change them. */
typedef struct parameters {
    double value[RILLE_MAX_PARAMETERS];
} parameters;

RL_INLINE parameters copy_of(const double *params, int count)
{
    parameters copy = {{0}};
    for (int i = 0; i < count; i++)
        copy.value[i] = params[i];
    return copy;
}

RL_INLINE void map_float32_narrow(size_t n, const float *x, float *y, parameters p, narrow_function *f)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = f(x[i], p.value);
}

RL_INLINE void map_float32_wide(size_t n, const float *x, float *y, parameters p, wide_function *f)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = (float)f((double)x[i], p.value);
}

RL_INLINE void map_float64(size_t n, const double *x, double *y, parameters p, wide_function *f)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = f(x[i], p.value);
}

RL_INLINE void product_float32_narrow(size_t n, const float *g, const float *x, float *z, parameters p, narrow_function *f)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        z[i] = g[i] * f(x[i], p.value);
}

RL_INLINE void product_float32_wide(size_t n, const float *g, const float *x, float *z, parameters p, wide_function *f)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        z[i] = (float)((double)g[i] * f((double)x[i], p.value));
}

RL_INLINE void product_float64(size_t n, const double *g, const double *x, double *z, parameters p, wide_function *f)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        z[i] = g[i] * f(x[i], p.value);
}

/* ---- Kernels: map_relu_float32_1, product_relu_float32_1 ... ---- */

#define MAP(name, dtype, loop, order)                                                                                          \
    static void map_##name##_##dtype##_##order(size_t n, const void *x, void *y, const double *params)                         \
    {                                                                                                                          \
        map_##loop(n, x, y, copy_of(params, name##_parameter_count), name##_##dtype##_##order);                                \
    }
#define PRODUCT(name, dtype, loop, order)                                                                                      \
    static void product_##name##_##dtype##_##order(size_t n, const void *g, const void *x, void *z, const double *params)      \
    {                                                                                                                          \
        product_##loop(n, g, x, z, copy_of(params, name##_parameter_count), name##_##dtype##_##order);                         \
    }
#define KERNELS(name, dtype, loop)                                                                                             \
    MAP(name, dtype, loop, 0)                                                                                                  \
    MAP(name, dtype, loop, 1)                                                                                                  \
    MAP(name, dtype, loop, 2)                                                                                                  \
    PRODUCT(name, dtype, loop, 1)                                                                                              \
    PRODUCT(name, dtype, loop, 2)
#define ACTIVATION(name, width, ...)                                                                                           \
    KERNELS(name, float32, float32_##width)                                                                                    \
    KERNELS(name, float64, float64)
#include "activations/activations.def"
#undef ACTIVATION

#define MAPS(name, dtype) {map_##name##_##dtype##_0, map_##name##_##dtype##_1, map_##name##_##dtype##_2},
#define PRODUCTS(name, dtype) {NULL, product_##name##_##dtype##_1, product_##name##_##dtype##_2},

const rl_activation_kernels RL_ISA_NAME(rl_activation_kernels) = {
    .map =
        {
#define ACTIVATION(name, ...) {MAPS(name, float32) MAPS(name, float64)},
#include "activations/activations.def"
#undef ACTIVATION
        },
    .product =
        {
#define ACTIVATION(name, ...) {PRODUCTS(name, float32) PRODUCTS(name, float64)},
#include "activations/activations.def"
#undef ACTIVATION
        },
};
