/* What the engine's suites share: exact messages, elements seen through strides, and random numbers of their own. */
#ifndef RILLE_TESTS_SUPPORT_H
#define RILLE_TESTS_SUPPORT_H

#include "rille.h"

#include <criterion/criterion.h>
#include <math.h>

/* By what limits on a test's time are multiplied: more under an emulator. */
#ifndef PATIENCE
#define PATIENCE 1
#endif

/* A rank and a shape, as two arguments. */
#define SHAPE(...)                                                                                                             \
    (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[])                                                     \
    {                                                                                                                          \
        __VA_ARGS__                                                                                                            \
    }

/* cx holds this error, word for word. Clears it. */
#define EXPECT_ERROR(cx, kind, text)                                                                                           \
    do {                                                                                                                       \
        cr_expect_eq(rille_error_status(cx), kind, "status %d, not " #kind ": %s", (int)rille_error_status(cx), text);         \
        cr_expect_str_eq(rille_error(cx) == NULL ? "(no error)" : rille_error(cx), text);                                      \
        rille_clear_error(cx);                                                                                                 \
    } while (0)

/* `call` gives NULL and this error. */
#define EXPECT_FAILS(cx, call, kind, text)                                                                                     \
    do {                                                                                                                       \
        cr_expect_null(call, #call " was to fail");                                                                            \
        EXPECT_ERROR(cx, kind, text);                                                                                          \
    } while (0)

/* `call` returns this status, and the error says so too. */
#define EXPECT_STATUS(cx, call, kind, text)                                                                                    \
    do {                                                                                                                       \
        cr_expect_eq(call, kind, #call " was to return " #kind);                                                               \
        EXPECT_ERROR(cx, kind, text);                                                                                          \
    } while (0)

#define EXPECT_NEAR(value, expected, tolerance)                                                                                \
    cr_expect(fabs((double)(value) - (double)(expected)) <= (tolerance), #value " is %.17g, not %.17g", (double)(value),       \
              (double)(expected))

#define EXPECT_NO_ERROR(cx) cr_expect_null(rille_error(cx), "%s", rille_error(cx))

static inline rille_context *open_with(int threads, int index_base)
{
    rille_context *cx = rille_open(&(rille_options){.threads = threads, .index_base = index_base});
    cr_assert_not_null(cx);
    return cx;
}

/* ---- Elements. A long double holds the values of every dtype exactly. ---- */

static inline long double element_at(rille_dtype dtype, const void *data, int64_t at)
{
    switch (dtype) {
    case RILLE_FLOAT32: return (long double)((const float *)data)[at];
    case RILLE_FLOAT64: return (long double)((const double *)data)[at];
    case RILLE_INT64: return (long double)((const int64_t *)data)[at];
    case RILLE_UINT8: return (long double)((const uint8_t *)data)[at];
    case RILLE_BOOL: return (long double)((const bool *)data)[at];
    }
    return NAN;
}

/* value is one that the dtype has */
static inline void put_element(rille_dtype dtype, void *data, int64_t at, long double value)
{
    switch (dtype) {
    case RILLE_FLOAT32: ((float *)data)[at] = (float)value; break;
    case RILLE_FLOAT64: ((double *)data)[at] = (double)value; break;
    case RILLE_INT64: ((int64_t *)data)[at] = (int64_t)value; break;
    case RILLE_UINT8: ((uint8_t *)data)[at] = (uint8_t)value; break;
    case RILLE_BOOL: ((bool *)data)[at] = value != 0; break;
    }
}

/* Where t's i-th element, row-major, is: elements from rille_data. */
static inline int64_t place_of(const rille_tensor *t, int64_t i)
{
    int64_t at = 0;
    for (int d = rille_rank(t) - 1; d >= 0; d--) {
        at += i % rille_shape(t)[d] * rille_strides(t)[d];
        i /= rille_shape(t)[d];
    }
    return at;
}

static inline long double value_of(rille_tensor *t, int64_t i)
{
    return element_at(rille_dtype_of(t), rille_data(t), place_of(t, i));
}

/* The same value: NaN is NaN, and -0 is not +0. */
static inline bool is_same(long double a, long double b)
{
    return a != a ? b != b : a == b && (a != 0 || signbit(a) == signbit(b));
}

static inline bool has_shape(const rille_tensor *t, int rank, const int64_t *shape)
{
    bool same = t != NULL && rille_rank(t) == rank;
    for (int d = 0; same && d < rank; d++)
        same = rille_shape(t)[d] == shape[d];
    return same;
}

/* t has these elements, row-major. */
#define EXPECT_VALUES(t, ...)                                                                                                  \
    expect_values(__FILE__, __LINE__, t, sizeof((double[]){__VA_ARGS__}) / sizeof(double), (double[]){__VA_ARGS__})
static inline void expect_values(const char *file, int line, rille_tensor *t, size_t count, const double *value)
{
    cr_expect(t != NULL && rille_numel(t) == (int64_t)count, "%s:%d: %lld elements", file, line,
              t == NULL ? -1LL : (long long)rille_numel(t));
    for (int64_t i = 0; t != NULL && i < rille_numel(t) && i < (int64_t)count; i++)
        cr_expect(is_same(value_of(t, i), (long double)value[i]), "%s:%d: element %lld is %Lg, not %g", file, line,
                  (long long)i, value_of(t, i), value[i]);
}

/* ---- Random numbers (splitmix64), so that a failing run can be repeated from its seed ---- */

static inline uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline int64_t random_below(uint64_t *state, int64_t n)
{
    return (int64_t)(next_random(state) % (uint64_t)n);
}

static inline double random_between(uint64_t *state, double low, double high)
{
    return low + (high - low) * (double)(next_random(state) >> 11) * 0x1p-53;
}

#endif
