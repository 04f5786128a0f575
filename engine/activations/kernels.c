/* A map and a product kernel for each row of activations.def, dtype and order. Each is one of six ordinary loops, made into
 * vector code for one row by inlining the row's expression, a scalar function.
 *
 * No loop has a body of its own for the last few elements: the compiler makes it from the same scalar code without fusing or
 * reordering anything, so an element's result does not depend on where it stands. */
#include "activations/kernels.h"

#include "math/algebraic.h"
#include "math/arctangent.h"
#include "math/error_function.h"
#include "math/gaussian.h"
#include "math/gelu.h"
#include "math/gelu_tanh.h"
#include "math/growth.h"
#include "math/hyperbolic.h"
#include "math/inverse_sinh.h"
#include "math/logistic.h"
#include "math/mish.h"
#include "math/piecewise.h"
#include "math/sine.h"
#include "math/softplus.h"
#include "math/swish.h"
#include "math/tanh.h"
#include "math/tanhexp.h"
#include "math/xielu.h"

/* The functions that rows may use: constant (math/precision.h) and the macros at the end of each of these headers. */

/* ---- Rows: relu_float32_1(x, params) is f'(x) in float32 kernels ---- */

typedef float float32_narrow;
typedef double float32_wide, float64_wide;

/* What a row's width makes of its float32 kernels: of f, f' and f", and of what else there is of f. */
#define WIDTH_narrow narrow
#define WIDTH_wide wide
#define WIDTH_single wide
#define WIDTH_pair wide

#define PARAMETERS(...) __VA_ARGS__
#define NO_PARAMETERS

#define P(name, initial, low, high) +1
#define ACTIVATION(name, width, parameters, ...) name##_parameter_count = 0 parameters,
enum {
#include "activations/activations.def"
};
#undef ACTIVATION
#undef P

enum { RL_MAX_CONSTANTS = 12 };

/* A row's parameters and, after them, its constants, where no store to y can change them. */
typedef struct parameters {
    double value[RL_MOST_PARAMETERS + RL_MAX_CONSTANTS];
} parameters;

RL_INLINE parameters copy_of(const double *params, int count)
{
    parameters copy = {{0}};
    for (int i = 0; i < count; i++)
        copy.value[i] = params[i];
    return copy;
}

/* relu_prepared(p): with the constants, too. */
#define P(name, initial, low, high)                                                                                            \
    const double name = *params++;                                                                                             \
    (void)name;
#define CONSTANTS(count, name, ...)                                                                                            \
    double *const name = params;                                                                                               \
    __VA_ARGS__;                                                                                                               \
    params += (count);
#define ACTIVATION(name, width, fields, ...)                                                                                   \
    RL_INLINE parameters name##_prepared(parameters p)                                                                         \
    {                                                                                                                          \
        double *params = p.value;                                                                                              \
        (void)params;                                                                                                          \
        fields return p;                                                                                                       \
    }
#include "activations/activations.def"
#undef ACTIVATION
#undef CONSTANTS

/* relu_parameters(params): the same, once a kernel. Where there are constants, by a call: of what is long and no loop, one copy
 * will do. */
#if defined(__GNUC__)
#define OUT_OF_LINE static __attribute__((noinline, unused))
#else
#define OUT_OF_LINE static
#endif
#undef P
#define P(name, initial, low, high)
#define CONSTANTS(count, name, ...) +(count)
#define ACTIVATION(name, width, fields, ...) name##_constant_count = 0 fields,
enum {
#include "activations/activations.def"
};
#undef ACTIVATION
#undef CONSTANTS
#undef P

#define ACTIVATION(name, ...)                                                                                                  \
    OUT_OF_LINE parameters name##_prepared_apart(parameters p)                                                                 \
    {                                                                                                                          \
        return name##_prepared(p);                                                                                             \
    }                                                                                                                          \
    RL_INLINE parameters name##_parameters(const double *params)                                                               \
    {                                                                                                                          \
        const parameters p = copy_of(params, name##_parameter_count);                                                          \
        return name##_constant_count > 0 ? name##_prepared_apart(p) : p;                                                       \
    }
#include "activations/activations.def"
#undef ACTIVATION

#define P(name, initial, low, high)                                                                                            \
    const double name = *params++;                                                                                             \
    (void)name;
#define CONSTANTS(count, name, ...)                                                                                            \
    const double *const name = params;                                                                                         \
    (void)name;                                                                                                                \
    params += (count);                                                                                                         \
    (void)params;
#define F(...) return __VA_ARGS__;
#define DF(...) return __VA_ARGS__;
#define DDF(...) return __VA_ARGS__;
#define SCALAR(...) SCALAR_(__VA_ARGS__) /* the width may be a macro */
#define SCALAR_(name, dtype, width, order, parameters, expression)                                                             \
    RL_INLINE dtype##_##width name##_##dtype##_##order(dtype##_##width x, const double *params)                                \
    {                                                                                                                          \
        (void)params;                                                                                                          \
        parameters expression                                                                                                  \
    }

#if defined(RL_HAS_FMA)
/* relu_float32_single(x, params) would be f(x) in float, relu_float32_pair(x, params) f'(x) as a pair. */
#define SINGLE_narrow(...)
#define SINGLE_wide(...)
#define SINGLE_single(name, parameters, f, df) SCALAR(name, float32, narrow, single, parameters, f)
#define SINGLE_pair(name, parameters, f, df)                                                                                   \
    SINGLE_single(name, parameters, f, df) RL_INLINE rl_slope_single name##_float32_pair(float x, const double *params)        \
    {                                                                                                                          \
        (void)params;                                                                                                          \
        parameters df                                                                                                          \
    }

#define RL_PRECISION single
#define ACTIVATION(name, width, parameters, f, df, ...) SINGLE_##width(name, parameters, f, df)
#include "activations/activations.def"
#undef ACTIVATION
#undef RL_PRECISION
#endif

#define RL_PRECISION 24
#define ACTIVATION(name, width, parameters, f, df, ddf, ...)                                                                   \
    SCALAR(name, float32, WIDTH_##width, 0, parameters, f)                                                                     \
    SCALAR(name, float32, WIDTH_##width, 1, parameters, df)                                                                    \
    SCALAR(name, float32, WIDTH_##width, 2, parameters, ddf)
#include "activations/activations.def"
#undef ACTIVATION
#undef RL_PRECISION

#define RL_PRECISION 53
#define ACTIVATION(name, width, parameters, f, df, ddf, ...)                                                                   \
    SCALAR(name, float64, wide, 0, parameters, f)                                                                              \
    SCALAR(name, float64, wide, 1, parameters, df)                                                                             \
    SCALAR(name, float64, wide, 2, parameters, ddf)
#include "activations/activations.def"
#undef ACTIVATION
#undef RL_PRECISION

#undef CONSTANTS
#undef P

/* relu_float32_partial(x, params, term, which): the term, one by a parameter, in float32 kernels. */
#define P(name, initial, low, high)                                                                                            \
    const double name = *params++;                                                                                             \
    (void)name;                                                                                                                \
    which--;
#define LEARNABLE(name, initial, low, high, d, dx, dd)                                                                         \
    const double name = *params++;                                                                                             \
    (void)name;                                                                                                                \
    if (which == 0 && term == RL_F_P)                                                                                          \
        return d;                                                                                                              \
    if (which == 0 && term == RL_F_XP)                                                                                         \
        return dx;                                                                                                             \
    if (which-- == 0)                                                                                                          \
        return dd;
#define PARTIAL(name, dtype, parameters)                                                                                       \
    RL_INLINE double name##_##dtype##_partial(double x, const double *params, rl_term term, int which)                         \
    {                                                                                                                          \
        (void)x;                                                                                                               \
        (void)params;                                                                                                          \
        (void)term;                                                                                                            \
        (void)which;                                                                                                           \
        parameters return 0;                                                                                                   \
    }

#define RL_PRECISION 24
#define ACTIVATION(name, width, parameters, ...) PARTIAL(name, float32, parameters)
#include "activations/activations.def"
#undef ACTIVATION
#undef RL_PRECISION

#define RL_PRECISION 53
#define ACTIVATION(name, width, parameters, ...) PARTIAL(name, float64, parameters)
#include "activations/activations.def"
#undef ACTIVATION
#undef RL_PRECISION

#undef LEARNABLE
#undef P

/* relu_float32_term(x, params, term, which): any term. */
#define TERM(...) TERM_(__VA_ARGS__)
#define TERM_(name, dtype, width)                                                                                              \
    RL_INLINE double name##_##dtype##_term(double x, const double *params, rl_term term, int which)                            \
    {                                                                                                                          \
        const parameters p = name##_prepared(copy_of(params, name##_parameter_count));                                         \
        return term == RL_F      ? name##_##dtype##_0((dtype##_##width)x, p.value)                                             \
               : term == RL_F_X  ? name##_##dtype##_1((dtype##_##width)x, p.value)                                             \
               : term == RL_F_XX ? name##_##dtype##_2((dtype##_##width)x, p.value)                                             \
                                 : name##_##dtype##_partial(x, params, term, which);                                           \
    }
#define ACTIVATION(name, width, ...)                                                                                           \
    TERM(name, float32, WIDTH_##width)                                                                                         \
    TERM(name, float64, wide)
#include "activations/activations.def"
#undef ACTIVATION

#define P(name, initial, low, high)
#define LEARNABLE(name, initial, low, high, ...) +1
#define ACTIVATION(name, width, parameters, ...) name##_learnable_count = 0 parameters,
enum {
#include "activations/activations.def"
};
#undef ACTIVATION
#undef LEARNABLE
#undef P

/* ---- Loops. x, y, z and g may be the same buffer: "simd" says that iterations are independent nevertheless ---- */

typedef float narrow_function(float x, const double *params);
typedef double wide_function(double x, const double *params);

#if defined(RL_HAS_FMA)

/* What f_single takes, but for the defaults: where these are no floats or would make such, the kernel of width wide stands in. */
RL_INLINE bool are_moderate(parameters p, int count)
{
    bool moderate = true;
    for (int i = 0; i < count; i++)
        moderate = moderate && rl_magnitude(p.value[i]) >= 0x1p-6 && rl_magnitude(p.value[i]) <= 0x1p6;
    return moderate;
}

RL_INLINE bool are_equal(parameters p, parameters q, int count)
{
    bool equal = true;
    for (int i = 0; i < count; i++)
        equal = equal && p.value[i] == q.value[i];
    return equal;
}

/* The defaults, as constants: the compiler then leaves out what they make superfluous. */
#define P(name, initial, low, high) p.value[i++] = initial;
#define ACTIVATION(name, width, parameters_, ...)                                                                              \
    RL_INLINE parameters name##_defaults(void)                                                                                 \
    {                                                                                                                          \
        parameters p = {{0}};                                                                                                  \
        int i = 0;                                                                                                             \
        (void)i;                                                                                                               \
        parameters_ return p;                                                                                                  \
    }
#include "activations/activations.def"
#undef ACTIVATION
#undef P

#endif

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

RL_INLINE void map_float64_wide(size_t n, const double *x, double *y, parameters p, wide_function *f)
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

#if defined(RL_HAS_FMA)

#define map_float32_single map_float32_narrow
#define product_float32_single product_float32_narrow

typedef rl_slope_single pair_function(float x, const double *params);

RL_INLINE void product_float32_pair(size_t n, const float *g, const float *x, float *z, parameters p, pair_function *f)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        z[i] = rl_times_slope_single(g[i], f(x[i], p.value));
}

#endif

RL_INLINE void product_float64_wide(size_t n, const double *g, const double *x, double *z, parameters p, wide_function *f)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        z[i] = g[i] * f(x[i], p.value);
}

/* The same with parameters that differ from element to element. */

typedef double term_function(double x, const double *params, rl_term term, int which);

typedef struct columns {
    const double *column[RL_MOST_PARAMETERS];
} columns;

RL_INLINE columns columns_of(const double *const *column, int count)
{
    columns copy = {{NULL}};
    for (int i = 0; i < count; i++)
        copy.column[i] = column[i];
    return copy;
}

RL_INLINE parameters parameters_at(columns c, int count, size_t i)
{
    parameters p = {{0}};
    for (int k = 0; k < count; k++)
        p.value[k] = c.column[k][i];
    return p;
}

#define COLUMN_LOOPS(dtype, T)                                                                                                 \
    RL_INLINE void column_map_##dtype(size_t n, const T *x, T *z, columns c, int count, term_function *f)                      \
    {                                                                                                                          \
        _Pragma("omp simd") for (size_t i = 0; i < n; i++) z[i] =                                                              \
            (T)f((double)x[i], parameters_at(c, count, i).value, RL_F, 0);                                                     \
    }                                                                                                                          \
    RL_INLINE void column_product_##dtype(size_t n, const T *g, const T *x, T *z, columns c, int count, term_function *f,      \
                                          rl_term term, int which)                                                             \
    {                                                                                                                          \
        _Pragma("omp simd") for (size_t i = 0; i < n; i++) z[i] =                                                              \
            (T)((double)g[i] * f((double)x[i], parameters_at(c, count, i).value, term, which));                                \
    }
COLUMN_LOOPS(float32, float)
COLUMN_LOOPS(float64, double)

/* One loop for each term, and for each parameter of a term that has one. */
#define COLUMN_CALL(dtype, term, which)                                                                                        \
    do {                                                                                                                       \
        if ((which) < count)                                                                                                   \
            column_product_##dtype(n, g, x, z, c, count, f, term, which);                                                      \
    } while (0)
#define COLUMN_CASE(dtype, term)                                                                                               \
    case term:                                                                                                                 \
        if (which == 0)                                                                                                        \
            COLUMN_CALL(dtype, term, 0);                                                                                       \
        else if (which == 1)                                                                                                   \
            COLUMN_CALL(dtype, term, 1);                                                                                       \
        else if (which == 2)                                                                                                   \
            COLUMN_CALL(dtype, term, 2);                                                                                       \
        else                                                                                                                   \
            COLUMN_CALL(dtype, term, 3);                                                                                       \
        break;
#define COLUMN_SWITCH(dtype, T)                                                                                                \
    RL_INLINE void column_##dtype(size_t n, rl_term term, int which, const T *g, const T *x, T *z, columns c, int count,       \
                                  term_function *f)                                                                            \
    {                                                                                                                          \
        switch (term) {                                                                                                        \
        case RL_F: column_map_##dtype(n, x, z, c, count, f); break;                                                            \
        case RL_F_X: column_product_##dtype(n, g, x, z, c, count, f, RL_F_X, 0); break;                                        \
        case RL_F_XX:                                                                                                          \
            column_product_##dtype(n, g, x, z, c, count, f, RL_F_XX, 0);                                                       \
            break;                                                                                                             \
            COLUMN_CASE(dtype, RL_F_P)                                                                                         \
            COLUMN_CASE(dtype, RL_F_XP)                                                                                        \
            COLUMN_CASE(dtype, RL_F_PP)                                                                                        \
        }                                                                                                                      \
    }
COLUMN_SWITCH(float32, float)
COLUMN_SWITCH(float64, double)

/* ---- Kernels: map_relu_float32_1, product_relu_float32_1 ... ---- */

#define MAP(...) MAP_(__VA_ARGS__)
#define MAP_(name, dtype, width, order)                                                                                        \
    static void map_##name##_##dtype##_##order(size_t n, const void *x, void *y, const double *params)                         \
    {                                                                                                                          \
        map_##dtype##_##width(n, x, y, name##_parameters(params), name##_##dtype##_##order);                                   \
    }
#define PRODUCT(...) PRODUCT_(__VA_ARGS__)
#define PRODUCT_(name, dtype, width, order)                                                                                    \
    static void product_##name##_##dtype##_##order(size_t n, const void *g, const void *x, void *z, const double *params)      \
    {                                                                                                                          \
        product_##dtype##_##width(n, g, x, z, name##_parameters(params), name##_##dtype##_##order);                            \
    }
#define FLOAT32_narrow(name) MAP(name, float32, narrow, 0) PRODUCT(name, float32, narrow, 0) PRODUCT(name, float32, narrow, 1)
#define FLOAT32_wide(name) MAP(name, float32, wide, 0) PRODUCT(name, float32, wide, 0) PRODUCT(name, float32, wide, 1)
#if defined(RL_HAS_FMA)
/* In float, in a loop of its own for the defaults; in double where f_single does not take the parameters. */
#define SINGLE_LOOP(name, order, loop, form, ...)                                                                              \
    const parameters p = copy_of(params, name##_parameter_count);                                                              \
    if (are_equal(p, name##_defaults(), name##_parameter_count))                                                               \
        loop##_##form(n, __VA_ARGS__, name##_defaults(), name##_float32_##form);                                               \
    else if (!are_moderate(p, name##_parameter_count))                                                                         \
        loop##_wide(n, __VA_ARGS__, p, name##_float32_##order);                                                                \
    else                                                                                                                       \
        loop##_##form(n, __VA_ARGS__, p, name##_float32_##form);
#define MAP_single(name)                                                                                                       \
    static void map_##name##_float32_0(size_t n, const void *x, void *y, const double *params)                                 \
    {                                                                                                                          \
        SINGLE_LOOP(name, 0, map_float32, single, x, y)                                                                        \
    }
#define PRODUCT_single(name, order, form)                                                                                      \
    static void product_##name##_float32_##order(size_t n, const void *g, const void *x, void *z, const double *params)        \
    {                                                                                                                          \
        SINGLE_LOOP(name, order, product_float32, form, g, x, z)                                                               \
    }
#define FLOAT32_single(name) MAP_single(name) PRODUCT_single(name, 0, single) PRODUCT(name, float32, wide, 1)
#define FLOAT32_pair(name) MAP_single(name) PRODUCT_single(name, 0, single) PRODUCT_single(name, 1, pair)
#else
#define FLOAT32_single FLOAT32_wide
#define FLOAT32_pair FLOAT32_wide
#endif
#define COLUMN(name, dtype)                                                                                                    \
    static void column_##name##_##dtype(size_t n, rl_term term, int which, const void *g, const void *x, void *z,              \
                                        const double *const *column)                                                           \
    {                                                                                                                          \
        if (name##_learnable_count > 0)                                                                                        \
            column_##dtype(n, term, which, g, x, z, columns_of(column, name##_parameter_count), name##_parameter_count,        \
                           name##_##dtype##_term);                                                                             \
    }
#define KERNELS(name, dtype, width)                                                                                            \
    MAP(name, dtype, width, 1)                                                                                                 \
    MAP(name, dtype, width, 2)                                                                                                 \
    PRODUCT(name, dtype, width, 2)                                                                                             \
    COLUMN(name, dtype)
#define ACTIVATION(name, width, ...)                                                                                           \
    FLOAT32_##width(name) KERNELS(name, float32, WIDTH_##width) MAP(name, float64, wide, 0) PRODUCT(name, float64, wide, 0)    \
        PRODUCT(name, float64, wide, 1) KERNELS(name, float64, wide)
#include "activations/activations.def"
#undef ACTIVATION

#define MAPS(name, dtype) {map_##name##_##dtype##_0, map_##name##_##dtype##_1, map_##name##_##dtype##_2},
#define COLUMNS(name, dtype) name##_learnable_count > 0 ? column_##name##_##dtype : NULL
#define PRODUCTS(name, dtype) {product_##name##_##dtype##_0, product_##name##_##dtype##_1, product_##name##_##dtype##_2},

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
    .column =
        {
#define ACTIVATION(name, ...) {COLUMNS(name, float32), COLUMNS(name, float64)},
#include "activations/activations.def"
#undef ACTIVATION
        },
};
