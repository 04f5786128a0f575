/* Every operation against scalar code that is as plain as can be: random shapes, broadcasts, layouts and dtypes. */
#include "engine/random_layouts.h"
#include "engine/random_reductions.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A shape that broadcasts to the given one. */
static int shape_below(uint64_t *rng, int rank, const int64_t *shape, int64_t *below)
{
    int kept = random_below(rng, 3) == 0 ? (int)random_below(rng, rank + 1) : rank;
    for (int d = 0; d < kept; d++)
        below[d] = random_below(rng, 4) == 0 ? 1 : shape[rank - kept + d];
    return kept;
}

/* The element of t, of a shape that broadcasts to this one, that stands against its i-th. */
static long double broadcast_value(rille_tensor *t, int rank, const int64_t *shape, int64_t i)
{
    int64_t at = 0;
    for (int d = rank - 1; d >= 0; d--) {
        int own = d - (rank - rille_rank(t));
        if (own >= 0 && rille_shape(t)[own] != 1)
            at += i % shape[d] * rille_strides(t)[own];
        i /= shape[d];
    }
    return element_at(rille_dtype_of(t), rille_data(t), at);
}

/* ---- Elementwise ---- */

typedef long double scalar2(rille_dtype computed, long double a, long double b);

static float f(long double x)
{
    return (float)x;
}

static double d(long double x)
{
    return (double)x;
}

static uint64_t u(long double x)
{
    return (uint64_t)(int64_t)x;
}

#define ARITHMETIC(name, op)                                                                                                   \
    static long double scalar_##name(rille_dtype computed, long double a, long double b)                                       \
    {                                                                                                                          \
        if (computed == RILLE_FLOAT32)                                                                                         \
            return (long double)(f(a) op f(b));                                                                                \
        if (computed == RILLE_FLOAT64)                                                                                         \
            return (long double)(d(a) op d(b));                                                                                \
        return (long double)(int64_t)(u(a) op u(b)); /* wraps around */                                                        \
    }
ARITHMETIC(add, +)
ARITHMETIC(sub, -)
ARITHMETIC(mul, *)

static long double scalar_div(rille_dtype computed, long double a, long double b)
{
    return computed == RILLE_FLOAT32 ? (long double)(f(a) / f(b)) : (long double)(d(a) / d(b));
}

static long double scalar_pow(rille_dtype computed, long double a, long double b)
{
    return computed == RILLE_FLOAT32 ? (long double)(float)pow((double)f(a), (double)f(b)) : (long double)pow(d(a), d(b));
}

static long double converted(rille_dtype computed, long double x)
{
    return computed == RILLE_FLOAT32 ? (long double)f(x) : computed == RILLE_FLOAT64 ? (long double)d(x) : x;
}

static long double scalar_minimum(rille_dtype computed, long double a, long double b)
{
    a = converted(computed, a);
    b = converted(computed, b);
    return a != a || a < b ? a : b;
}

static long double scalar_maximum(rille_dtype computed, long double a, long double b)
{
    a = converted(computed, a);
    b = converted(computed, b);
    return a != a || a > b ? a : b;
}

static long double scalar_remainder(rille_dtype computed, long double a, long double b)
{
    if (!is_floating(computed) && b == 0)
        return 0;
    a = converted(computed, a);
    b = converted(computed, b);
    long double r = fmodl(a, b);
    long double signed_zero = is_floating(computed) ? copysignl(0, b) : 0;
    r = r == 0 ? signed_zero : (r < 0) != (b < 0) ? r + b : r;
    return converted(computed, r);
}

#define COMPARISON(name, op)                                                                                                   \
    static long double scalar_##name(rille_dtype computed, long double a, long double b)                                       \
    {                                                                                                                          \
        return computed == RILLE_FLOAT32 ? f(a) op f(b) : computed == RILLE_FLOAT64 ? d(a) op d(b) : a op b;                   \
    }
COMPARISON(equal, ==)
COMPARISON(not_equal, !=)
COMPARISON(less, <)
COMPARISON(less_equal, <=)
COMPARISON(greater, >)
COMPARISON(greater_equal, >=)

typedef enum result { NUMBERS, FRACTIONS, TRUTHS } result; /* results: int64 at least; floating; bool */

typedef struct binary {
    const char *name;
    rille_tensor *(*call)(rille_tensor *a, rille_tensor *b);
    scalar2 *scalar;
    result kind;
} binary;
#define BINARY(name, kind)                                                                                                     \
    {                                                                                                                          \
#name, rille_##name, scalar_##name, kind                                                                               \
    }
static const binary binaries[] = {
    BINARY(add, NUMBERS),     BINARY(sub, NUMBERS),          BINARY(mul, NUMBERS),       BINARY(div, FRACTIONS),
    BINARY(minimum, NUMBERS), BINARY(maximum, NUMBERS),      BINARY(remainder, NUMBERS), BINARY(pow, FRACTIONS),
    BINARY(equal, TRUTHS),    BINARY(not_equal, TRUTHS),     BINARY(less, TRUTHS),       BINARY(less_equal, TRUTHS),
    BINARY(greater, TRUTHS),  BINARY(greater_equal, TRUTHS),
};
enum { BINARIES = sizeof binaries / sizeof binaries[0] };

/* every_dtype is in the order of promotion */
static rille_dtype computed_dtype(result kind, int a, int b)
{
    rille_dtype higher = every_dtype[a > b ? a : b];
    if (is_floating(higher))
        return higher;
    return kind == FRACTIONS ? RILLE_FLOAT32 : RILLE_INT64;
}

static void check_binary(rille_context *cx, const binary *op, rille_tensor *a, rille_tensor *b, rille_dtype computed, int rank,
                         const int64_t *shape, uint64_t seed)
{
    rille_tensor *out = op->call(a, b);
    rille_dtype expected = op->kind == TRUTHS ? RILLE_BOOL : computed;
    cr_assert(has_shape(out, rank, shape), "%s, seed %llu: %s", op->name, (unsigned long long)seed, rille_error(cx));
    cr_expect(rille_dtype_of(out) == expected && rille_is_contiguous(out));
    for (int64_t i = 0; i < rille_numel(out); i++) {
        long double x = broadcast_value(a, rank, shape, i), y = broadcast_value(b, rank, shape, i);
        long double right = op->scalar(computed, x, y), got = value_of(out, i);
        if (!is_same(got, right)) {
            cr_expect_fail("%s of %s %Lg and %s %Lg is %Lg, not %Lg (seed %llu, element %lld)", op->name,
                           rille_dtype_name(rille_dtype_of(a)), x, rille_dtype_name(rille_dtype_of(b)), y, got, right,
                           (unsigned long long)seed, (long long)i);
            return;
        }
    }
}

Test(elementwise, every_pair_of_dtypes)
{
    rille_context *cx = open_with(2, 0);
    for (int k = 0; k < BINARIES; k++)
        for (int a = 0; a < DTYPES; a++)
            for (int b = 0; b < DTYPES; b++)
                for (uint64_t round = 0; round < 6; round++) {
                    uint64_t seed = round + 6 * (uint64_t)(b + DTYPES * (a + DTYPES * k)), rng = seed;
                    int64_t shape[8], left[8], right[8], out[8];
                    int rank = random_shape(&rng, 4, shape);
                    int left_rank = shape_below(&rng, rank, shape, left), right_rank = shape_below(&rng, rank, shape, right);
                    int out_rank = left_rank > right_rank ? left_rank : right_rank;
                    for (int back = 1; back <= out_rank; back++) {
                        int64_t of_left = back <= left_rank ? left[left_rank - back] : 1;
                        int64_t of_right = back <= right_rank ? right[right_rank - back] : 1;
                        out[out_rank - back] = of_left == 1 ? of_right : of_left;
                    }
                    rille_scope_push(cx);
                    rille_tensor *x = random_layout(cx, &rng, every_dtype[a], SPECIAL, left_rank, left);
                    rille_tensor *y = random_layout(cx, &rng, every_dtype[b], SPECIAL, right_rank, right);
                    check_binary(cx, &binaries[k], x, y, computed_dtype(binaries[k].kind, a, b), out_rank, out, seed);
                    rille_scope_pop(cx);
                }
    rille_close(cx);
}

static long double scalar_neg(rille_dtype computed, long double a, long double unused)
{
    (void)unused;
    return is_floating(computed) ? -a : (long double)(int64_t)(0 - u(a));
}

static long double scalar_abs(rille_dtype computed, long double a, long double unused)
{
    (void)unused;
    return is_floating(computed) ? fabsl(a) : a < 0 ? (long double)(int64_t)(0 - u(a)) : a;
}

#define STEP(name, function)                                                                                                   \
    static long double scalar_##name(rille_dtype computed, long double a, long double unused)                                  \
    {                                                                                                                          \
        (void)computed;                                                                                                        \
        (void)unused;                                                                                                          \
        return function(a);                                                                                                    \
    }
STEP(floor, floorl)
STEP(ceil, ceill)
STEP(round, rintl)
STEP(trunc, truncl)

static long double scalar_sign(rille_dtype computed, long double a, long double unused)
{
    (void)computed;
    (void)unused;
    return a > 0 ? 1 : a < 0 ? -1 : a;
}

#define FUNCTION(name)                                                                                                         \
    static long double scalar_##name(rille_dtype computed, long double a, long double unused)                                  \
    {                                                                                                                          \
        (void)unused;                                                                                                          \
        return computed == RILLE_FLOAT32 ? (long double)(float)name((double)f(a)) : (long double)name(d(a));                   \
    }
FUNCTION(exp)
FUNCTION(log)
FUNCTION(sqrt)
FUNCTION(expm1)
FUNCTION(log1p)
FUNCTION(log2)
FUNCTION(log10)
FUNCTION(cos)
FUNCTION(tan)
FUNCTION(asin)
FUNCTION(acos)
FUNCTION(sinh)
FUNCTION(cosh)

typedef struct unary {
    const char *name;
    rille_tensor *(*call)(rille_tensor *a);
    scalar2 *scalar;
    result kind;
} unary;
static const unary unaries[] = {
    BINARY(neg, NUMBERS),    BINARY(abs, NUMBERS),     BINARY(exp, FRACTIONS),   BINARY(log, FRACTIONS),
    BINARY(sqrt, FRACTIONS), BINARY(sign, NUMBERS),    BINARY(floor, NUMBERS),   BINARY(ceil, NUMBERS),
    BINARY(round, NUMBERS),  BINARY(trunc, NUMBERS),   BINARY(expm1, FRACTIONS), BINARY(log1p, FRACTIONS),
    BINARY(log2, FRACTIONS), BINARY(log10, FRACTIONS), BINARY(cos, FRACTIONS),   BINARY(tan, FRACTIONS),
    BINARY(asin, FRACTIONS), BINARY(acos, FRACTIONS),  BINARY(sinh, FRACTIONS),  BINARY(cosh, FRACTIONS)};
enum { UNARIES = sizeof unaries / sizeof unaries[0] };

Test(elementwise, functions_of_every_dtype)
{
    rille_context *cx = open_with(2, 0);
    for (int k = 0; k < UNARIES; k++)
        for (int a = 0; a < DTYPES; a++)
            for (uint64_t seed = 0; seed < 40; seed++) {
                uint64_t rng = seed;
                int64_t shape[8];
                int rank = random_shape(&rng, 4, shape);
                rille_dtype computed = computed_dtype(unaries[k].kind, a, a);
                rille_scope_push(cx);
                rille_tensor *x = random_layout(cx, &rng, every_dtype[a], SPECIAL, rank, shape), *y = unaries[k].call(x);
                cr_assert(has_shape(y, rank, shape));
                cr_expect(rille_dtype_of(y) == computed && rille_is_contiguous(y));
                for (int64_t i = 0; i < rille_numel(y); i++) {
                    long double right = unaries[k].scalar(computed, value_of(x, i), 0);
                    if (!is_same(value_of(y, i), right)) {
                        cr_expect_fail("%s of %Lg is %Lg, not %Lg (seed %llu)", unaries[k].name, value_of(x, i), value_of(y, i),
                                       right, (unsigned long long)seed);
                        break;
                    }
                }
                rille_scope_pop(cx);
            }
    rille_close(cx);
}

#define F32(cx, ...)                                                                                                           \
    rille_from(cx, RILLE_FLOAT32, 1, (int64_t[]){sizeof((float[]){__VA_ARGS__}) / sizeof(float)}, (float[]){__VA_ARGS__})
#define F64(cx, ...)                                                                                                           \
    rille_from(cx, RILLE_FLOAT64, 1, (int64_t[]){sizeof((double[]){__VA_ARGS__}) / sizeof(double)}, (double[]){__VA_ARGS__})
#define I64(cx, ...)                                                                                                           \
    rille_from(cx, RILLE_INT64, 1, (int64_t[]){sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)}, (int64_t[]){__VA_ARGS__})

static long double chosen_value(rille_dtype dtype, long double condition, long double a, long double b)
{
    return converted(dtype, condition != 0 ? a : b);
}

Test(elementwise, where_of_every_dtype)
{
    rille_context *cx = open_with(2, 0);
    for (int a = 0; a < DTYPES; a++)
        for (int b = 0; b < DTYPES; b++)
            for (uint64_t seed = 0; seed < 12; seed++) {
                uint64_t rng = seed;
                int64_t shape[8], of_a[8], of_b[8], of_c[8];
                int rank = random_shape(&rng, 4, shape);
                int rank_a = shape_below(&rng, rank, shape, of_a), rank_b = shape_below(&rng, rank, shape, of_b);
                int rank_c = shape_below(&rng, rank, shape, of_c);
                rille_scope_push(cx);
                rille_tensor *x = random_layout(cx, &rng, every_dtype[a], SPECIAL, rank_a, of_a);
                rille_tensor *y = random_layout(cx, &rng, every_dtype[b], SPECIAL, rank_b, of_b);
                rille_tensor *c = random_layout(cx, &rng, RILLE_BOOL, SPECIAL, rank_c, of_c), *out = rille_where(c, x, y);
                rille_tensor *like = rille_add(rille_add(x, y), c); /* broadcasts the same way */
                cr_assert(has_shape(out, rille_rank(like), rille_shape(like)), "%s", rille_error(cx));
                cr_expect_eq(rille_dtype_of(out), every_dtype[a > b ? a : b]);
                for (int64_t i = 0; i < rille_numel(out); i++) {
                    int n = rille_rank(out);
                    const int64_t *to = rille_shape(out);
                    long double right = chosen_value(rille_dtype_of(out), broadcast_value(c, n, to, i),
                                                     broadcast_value(x, n, to, i), broadcast_value(y, n, to, i));
                    cr_assert(is_same(value_of(out, i), right), "where, seed %llu", (unsigned long long)seed);
                }
                rille_scope_pop(cx);
            }
    rille_close(cx);
}

Test(elementwise, clamp)
{
    rille_context *cx = open_with(1, 0);
    EXPECT_VALUES(rille_clamp(F32(cx, -3, -1, 0.5f, 2, 9, NAN), -1, 2), -1, -1, 0.5, 2, 2, NAN);
    EXPECT_VALUES(rille_clamp(I64(cx, -3, -1, 0, 2, 9), -1.5, 2.5), -1, -1, 0, 2, 2);
    EXPECT_VALUES(rille_clamp(F64(cx, -3, 9), -INFINITY, 2), -3, 2);
    EXPECT_FAILS(cx, rille_clamp(F32(cx, 1), 2, 1), RILLE_ERROR_ARGUMENT,
                 "clamp: the bounds are 2 and 1; low <= high expected");
    EXPECT_FAILS(cx, rille_clamp(F32(cx, 1), (double)NAN, 1), RILLE_ERROR_ARGUMENT,
                 "clamp: the bounds are nan and 1; low <= high expected");
    rille_close(cx);
}

Test(elementwise, special_values)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *x = F32(cx, 0, -0.0f, 1, -1, INFINITY, -INFINITY, NAN, 1e-40f, -1e-40f);
    EXPECT_VALUES(rille_neg(x), -0.0, 0, -1, 1, -INFINITY, INFINITY, NAN, -(double)1e-40f, (double)1e-40f);
    EXPECT_VALUES(rille_abs(x), 0, 0, 1, 1, INFINITY, INFINITY, NAN, (double)1e-40f, (double)1e-40f);
    EXPECT_VALUES(rille_sqrt(rille_narrow(x, 0, 0, 7)), 0, -0.0, 1, NAN, INFINITY, NAN, NAN);
    EXPECT_VALUES(rille_log(rille_narrow(x, 0, 0, 7)), -INFINITY, -INFINITY, 0, NAN, INFINITY, NAN, NAN);
    EXPECT_VALUES(rille_exp(F32(cx, 0, -0.0f, INFINITY, -INFINITY, NAN, 1000, -1000)), 1, 1, INFINITY, 0, NAN, INFINITY, 0);
    EXPECT_VALUES(rille_exp(F32(cx, -100)), (double)(float)exp(-100)); /* subnormal, and not flushed */
    cr_expect(rille_item(rille_exp(F32(cx, -100))) > 0 && rille_item(rille_exp(F64(cx, -740))) > 0);
    rille_tensor *zero = rille_scalar(cx, RILLE_FLOAT32, 0), *half = rille_scalar(cx, RILLE_FLOAT32, 0.5);
    EXPECT_VALUES(rille_div(F32(cx, 1, -1, 0), zero), INFINITY, -INFINITY, NAN);
    EXPECT_VALUES(rille_div(F32(cx, 1), rille_neg(zero)), -INFINITY);
    EXPECT_VALUES(rille_mul(F32(cx, INFINITY, FLT_MIN, 3e-45f), half), INFINITY, (double)(FLT_MIN / 2), (double)1e-45f);
    EXPECT_VALUES(rille_mul(F32(cx, INFINITY), zero), NAN);
    EXPECT_VALUES(rille_sub(F32(cx, FLT_MIN), F32(cx, 0x1.8p-126f)), -0x1p-127); /* gradual underflow */
    EXPECT_VALUES(rille_pow(F32(cx, 0, NAN, 1, -2, -2, 0), F32(cx, 0, 0, NAN, 3, 0.5f, -1)), 1, 1, 1, -8, NAN, INFINITY);
    EXPECT_VALUES(rille_div(I64(cx, 1, -1, 7), I64(cx, 0, 0, 2)), INFINITY, -INFINITY, 3.5);
    EXPECT_VALUES(rille_add(I64(cx, INT64_MAX), I64(cx, 1)), -0x1p63); /* wraps around */
    EXPECT_VALUES(rille_abs(I64(cx, INT64_MIN)), -0x1p63);
    rille_tensor *nan = rille_scalar(cx, RILLE_FLOAT64, (double)NAN);
    EXPECT_VALUES(rille_equal(nan, nan), 0);
    EXPECT_VALUES(rille_not_equal(nan, nan), 1);
    EXPECT_VALUES(rille_less_equal(nan, nan), 0);
    EXPECT_VALUES(rille_equal(zero, rille_neg(zero)), 1);
    EXPECT_VALUES(rille_equal(I64(cx, INT64_MAX), I64(cx, INT64_MAX - 1)), 0); /* in int64, not in floating point */
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

Test(elementwise, on_both_sides_of_a_chunk)
{
    rille_context *cx = open_with(2, 0);
    int64_t sizes[] = {16383, 16384, 16385, 65535, 65536, 65537, 131073};
    for (int k = 0; k < 7; k++) {
        rille_scope_push(cx);
        rille_tensor *x = rille_arange(cx, RILLE_FLOAT64, 0, (double)sizes[k], 1), *two = rille_scalar(cx, RILLE_FLOAT64, 2);
        rille_tensor *wide = rille_reshape(rille_arange(cx, RILLE_FLOAT64, 0, 2 * (double)sizes[k], 1), SHAPE(sizes[k], 2));
        rille_tensor *stepped = rille_select(wide, 1, 1), *y = rille_mul(x, two), *z = rille_neg(stepped);
        int64_t wrong = 0;
        for (int64_t i = 0; i < sizes[k]; i++)
            wrong += ((double *)rille_data(y))[i] != 2 * (double)i || ((double *)rille_data(z))[i] != -(2 * (double)i + 1);
        cr_expect_eq(wrong, 0, "%lld of %lld", (long long)wrong, (long long)sizes[k]);
        rille_scope_pop(cx);
    }
    rille_close(cx);
}

Test(elementwise, messages)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *a = rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 3)), *b = rille_zeros(cx, RILLE_FLOAT32, SHAPE(4, 2));
    for (int k = 0; k < BINARIES; k++) {
        char text[128];
        snprintf(text, sizeof text, "%s: shapes [2, 3] and [4, 2] do not broadcast (3 against 2, dimension 1 from the end)",
                 binaries[k].name);
        EXPECT_FAILS(cx, binaries[k].call(a, b), RILLE_ERROR_SHAPE, text);
        snprintf(text, sizeof text, "%s: input 2 is NULL", binaries[k].name);
        EXPECT_FAILS(cx, binaries[k].call(a, NULL), RILLE_ERROR_NULL, text);
        cr_expect_null(binaries[k].call(NULL, NULL));
        EXPECT_NO_ERROR(cx); /* there was no context to tell */
    }
    EXPECT_FAILS(cx, rille_add(rille_zeros(cx, RILLE_BOOL, SHAPE(0)), rille_zeros(cx, RILLE_BOOL, SHAPE(2))), RILLE_ERROR_SHAPE,
                 "add: shapes [0] and [2] do not broadcast (0 against 2, dimension 1 from the end)");
    rille_tensor *tall = rille_expand(rille_scalar(cx, RILLE_FLOAT32, 1), SHAPE(1LL << 40, 1));
    rille_tensor *wide = rille_expand(rille_scalar(cx, RILLE_FLOAT32, 1), SHAPE(1, 1LL << 40));
    EXPECT_FAILS(cx, rille_equal(tall, wide), RILLE_ERROR_SHAPE,
                 "equal: shape [1099511627776, 1099511627776] has more elements than memory can hold");
    rille_close(cx);
}

/* ---- Reductions ---- */

/* Rounding error that a sum of n values of this total size may have, in the result's dtype. */
static long double sum_tolerance(rille_dtype dtype, long double sum, long double size, int64_t n)
{
    long double own =
        fabsl(sum) * (dtype == RILLE_FLOAT32 ? FLT_EPSILON / 2 : DBL_EPSILON / 2) + (dtype == RILLE_FLOAT32 ? 1e-45L : 0);
    return own + (long double)n * (long double)DBL_EPSILON * size;
}

static void check_sum(rille_context *cx, rille_tensor *t, const reduced *r, bool mean, uint64_t seed)
{
    rille_tensor *out = (mean ? rille_mean : rille_sum)(t, r->all ? NULL : r->dims, r->count, r->keepdim);
    rille_dtype dtype = rille_dtype_of(t), expected = is_floating(dtype) ? dtype : mean ? RILLE_FLOAT32 : RILLE_INT64;
    cr_assert(has_shape(out, r->rank, r->shape), "seed %llu: %s", (unsigned long long)seed, rille_error(cx));
    cr_assert_eq(rille_dtype_of(out), expected);
    int64_t n = rille_numel(out), group = 1;
    long double *sum = calloc((size_t)n + 1, sizeof *sum), *size = calloc((size_t)n + 1, sizeof *size);
    for (int k = 0; k < rille_rank(t); k++)
        group *= r->is_reduced[k] ? rille_shape(t)[k] : 1;
    for (int64_t i = 0, among; i < rille_numel(t); i++) {
        int64_t into = reduced_place(t, r, i, &among);
        sum[into] += value_of(t, i);
        size[into] += fabsl(value_of(t, i));
    }
    for (int64_t i = 0; i < n; i++) {
        long double right = mean ? sum[i] / group : sum[i], got = value_of(out, i);
        long double tolerance = expected == RILLE_INT64 ? 0 : sum_tolerance(expected, right, size[i], group);
        bool same = right != right ? got != got : isinf(right) ? got == right : fabsl(got - right) <= tolerance;
        cr_expect(same, "%s is %.20Lg, not %.20Lg (seed %llu)", mean ? "mean" : "sum", got, right, (unsigned long long)seed);
    }
    free(sum);
    free(size);
}

static void check_extreme(rille_context *cx, bool least, rille_tensor *t, const reduced *r, int base, uint64_t seed)
{
    const char *name = least ? "min" : "max";
    rille_tensor *most = (least ? rille_min : rille_max)(t, r->dims[0], r->keepdim);
    rille_tensor *at = (least ? rille_argmin : rille_argmax)(t, r->dims[0], r->keepdim);
    cr_assert(has_shape(most, r->rank, r->shape), "seed %llu: %s", (unsigned long long)seed, rille_error(cx));
    cr_assert(has_shape(at, r->rank, r->shape));
    cr_expect(rille_dtype_of(most) == rille_dtype_of(t) && rille_dtype_of(at) == RILLE_INT64);
    int64_t n = rille_numel(most);
    long double *extreme = calloc((size_t)n + 1, sizeof *extreme);
    int64_t *first = calloc((size_t)n + 1, sizeof *first);
    bool *seen = calloc((size_t)n + 1, 1);
    for (int64_t i = 0, among; i < rille_numel(t); i++) { /* along the dimension, elements come in its order */
        int64_t into = reduced_place(t, r, i, &among);
        long double x = value_of(t, i);
        bool nan = seen[into] && extreme[into] != extreme[into];
        if (!seen[into] || (!nan && ((least ? x < extreme[into] : x > extreme[into]) || x != x))) {
            extreme[into] = x;
            first[into] = among;
            seen[into] = true;
        }
    }
    for (int64_t i = 0; i < n; i++) {
        cr_expect(is_same(value_of(most, i), extreme[i]), "%s is %Lg, not %Lg (seed %llu)", name, value_of(most, i), extreme[i],
                  (unsigned long long)seed);
        cr_expect_eq((int64_t)value_of(at, i), first[i] + base, "arg%s (seed %llu)", name, (unsigned long long)seed);
    }
    free(extreme);
    free(first);
    free(seen);
}

Test(reductions, against_scalars)
{
    for (int base = 0; base < 2; base++) {
        rille_context *cx = open_with(2, base);
        for (uint64_t seed = 0; seed < 800; seed++) {
            uint64_t rng = seed * 2 + (uint64_t)base;
            int64_t shape[8];
            int rank = random_shape(&rng, 4, shape);
            rille_dtype dtype = every_dtype[random_below(&rng, DTYPES)];
            rille_scope_push(cx);
            rille_tensor *t = random_layout(cx, &rng, dtype, FINITE, rank, shape);
            reduced r = random_reduction(&rng, rank, shape, false);
            check_sum(cx, t, &r, false, seed);
            check_sum(cx, t, &r, true, seed);
            reduced one = random_reduction(&rng, rank, shape, true);
            int along = rank == 0 ? 0 : one.dims[0] < 0 ? one.dims[0] + rank : one.dims[0];
            for (int least = 0; rank > 0 && shape[along] > 0 && least < 2; least++)
                check_extreme(cx, least, random_layout(cx, &rng, dtype, SPECIAL, rank, shape), &one, base, seed);
            rille_scope_pop(cx);
        }
        rille_close(cx);
    }
}

Test(reductions, special_values)
{
    rille_context *cx = open_with(2, 0);
    EXPECT_VALUES(rille_sum(F32(cx, 1, NAN, 2), NULL, 0, false), NAN);
    EXPECT_VALUES(rille_sum(F32(cx, 1, INFINITY, 2), NULL, 0, false), INFINITY);
    EXPECT_VALUES(rille_sum(F32(cx, INFINITY, -INFINITY), NULL, 0, false), NAN);
    EXPECT_VALUES(rille_sum(F32(cx, FLT_MAX, FLT_MAX), NULL, 0, false), INFINITY);
    EXPECT_VALUES(rille_sum(F32(cx, FLT_MAX, FLT_MAX, -FLT_MAX), NULL, 0, false), (double)FLT_MAX); /* in float64 inside */
    EXPECT_VALUES(rille_sum(F32(cx, 1e-45f, 1e-45f), NULL, 0, false), 2 * (double)1e-45f);
    EXPECT_VALUES(rille_mean(F64(cx, 5e-324, 5e-324), NULL, 0, false), 5e-324);
    rille_tensor *empty = rille_zeros(cx, RILLE_FLOAT32, SHAPE(0, 3));
    EXPECT_VALUES(rille_sum(empty, NULL, 0, false), 0);
    EXPECT_VALUES(rille_sum(empty, (int[]){0}, 1, false), 0, 0, 0);
    EXPECT_VALUES(rille_mean(empty, (int[]){0}, 1, false), NAN, NAN, NAN);
    cr_expect(has_shape(rille_sum(empty, (int[]){1}, 1, false), SHAPE(0)));
    cr_expect(has_shape(rille_max(empty, 1, true), SHAPE(0, 1)));
    EXPECT_VALUES(rille_sum(F32(cx, 1, 2), (int[]){0}, 0, false), 1, 2); /* over no dimension */
    EXPECT_VALUES(rille_sum(I64(cx, INT64_MAX, 1), NULL, 0, false), -0x1p63);
    EXPECT_VALUES(rille_max(F32(cx, -0.0f, 0), 0, false), -0.0); /* the first of equals */
    EXPECT_VALUES(rille_max(F32(cx, 1, NAN, INFINITY), 0, false), NAN);
    EXPECT_VALUES(rille_argmax(F32(cx, 1, NAN, INFINITY, NAN), 0, false), 1);
    EXPECT_VALUES(rille_argmax(F32(cx, -INFINITY, -INFINITY), 0, false), 0);
    cr_expect(value_of(rille_max(I64(cx, INT64_MAX - 1, INT64_MAX), 0, false), 0) == (long double)INT64_MAX);
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

/* 10 million times 0.1f, which a float32 sum gets wrong in its second digit. */
Test(reductions, long_sums)
{
    enum { N = 10000000 };
    rille_context *cx = open_with(2, 0);
    rille_tensor *t = rille_full(cx, RILLE_FLOAT32, SHAPE(N), (double)0.1f);
    float expected = (float)(N * (double)0.1f);
    cr_expect_eq((float)rille_item(rille_sum(t, NULL, 0, false)), expected);
    cr_expect_eq((float)rille_item(rille_mean(t, NULL, 0, false)), 0.1f);
    rille_tensor *tall = rille_reshape(t, SHAPE(N / 4, 4)), *columns = rille_sum(tall, (int[]){0}, 1, false);
    rille_tensor *rows = rille_sum(rille_reshape(t, SHAPE(4, N / 4)), (int[]){1}, 1, false);
    for (int i = 0; i < 4; i++) {
        cr_expect_eq((float)value_of(columns, i), (float)(N / 4 * (double)0.1f));
        cr_expect_eq((float)value_of(rows, i), (float)(N / 4 * (double)0.1f));
    }
    rille_close(cx);
}

Test(reductions, messages)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *t = rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 0)), *scalar = rille_scalar(cx, RILLE_FLOAT32, 1);
    EXPECT_FAILS(cx, rille_sum(t, (int[]){0, -2}, 2, false), RILLE_ERROR_ARGUMENT, "sum: dimension 0 is named twice");
    EXPECT_FAILS(cx, rille_mean(t, (int[]){2}, 1, false), RILLE_ERROR_INDEX,
                 "mean: dimension 2 of shape [2, 0]; dimensions are 0 ... 1, or -1 ... -2 from the end");
    EXPECT_FAILS(cx, rille_max(t, 1, false), RILLE_ERROR_SHAPE, "max: dimension 1 of shape [2, 0] is empty");
    EXPECT_FAILS(cx, rille_argmax(t, -1, false), RILLE_ERROR_SHAPE, "argmax: dimension 1 of shape [2, 0] is empty");
    EXPECT_FAILS(cx, rille_argmax(scalar, 0, false), RILLE_ERROR_INDEX, "argmax: a tensor of rank 0 has no dimensions");
    rille_close(cx);
    cx = open_with(2, 1);
    t = rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 0));
    EXPECT_FAILS(cx, rille_sum(t, (int[]){1, 1}, 2, false), RILLE_ERROR_ARGUMENT, "sum: dimension 2 is named twice");
    EXPECT_FAILS(cx, rille_max(t, 1, false), RILLE_ERROR_SHAPE, "max: dimension 2 of shape [2, 0] is empty");
    rille_close(cx);
}

/* ---- Dropout, embedding ---- */

Test(dropout, is_by_element)
{
    enum { N = 9001 };
    for (int k = 0; k < 2; k++) {
        const rille_dtype dtype = k == 0 ? RILLE_FLOAT32 : RILLE_FLOAT64;
        rille_context *cx = rille_open(&(rille_options){.threads = 2, .seed = 4});
        rille_tensor *ones = rille_full(cx, dtype, SHAPE(N), 1), *y = rille_dropout(ones, 0.25);
        int64_t dropped = 0;
        for (int64_t i = 0; i < N; i++) {
            dropped += value_of(y, i) == 0;
            cr_assert(value_of(y, i) == 0 || value_of(y, i) == converted(dtype, 4 / 3.0));
        }
        cr_expect(llabs(dropped - N / 4) < 4 * 41, "%lld of %d", (long long)dropped, N); /* deviation: 41 */
        rille_manual_seed(cx, 4); /* which ones is the same for a part, and for integers */
        rille_tensor *part = rille_dropout(rille_full(cx, RILLE_INT64, SHAPE(1001), 1), 0.25);
        cr_expect_eq(rille_dtype_of(part), RILLE_FLOAT32);
        for (int64_t i = 0; i < 1001; i++)
            cr_assert((value_of(part, i) == 0) == (value_of(y, i) == 0), "element %lld", (long long)i);
        EXPECT_VALUES(rille_dropout(F32(cx, 1, -1, INFINITY, NAN), 1), 0, -0.0, NAN, NAN);
        EXPECT_VALUES(rille_dropout(F64(cx, 1, -1, INFINITY, NAN), 0), 1, -1, INFINITY, NAN);
        cr_expect(has_shape(rille_dropout(rille_zeros(cx, dtype, SHAPE(0, 3)), 0.5), SHAPE(0, 3)));
        EXPECT_NO_ERROR(cx);
        EXPECT_FAILS(cx, rille_dropout(ones, -0.5), RILLE_ERROR_ARGUMENT,
                     "dropout: p is -0.5; a probability from 0 to 1 expected");
        EXPECT_FAILS(cx, rille_dropout(ones, (double)NAN), RILLE_ERROR_ARGUMENT,
                     "dropout: p is nan; a probability from 0 to 1 expected");
        rille_close(cx);
    }
}

Test(embedding, picks_rows)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *weight = rille_transpose(rille_reshape(rille_arange(cx, RILLE_FLOAT32, 0, 6, 1), SHAPE(2, 3)), 0, 1);
    rille_tensor *index = rille_transpose(rille_from(cx, RILLE_INT64, SHAPE(2, 2), (int64_t[]){2, 0, 1, 2}), 0, 1);
    rille_tensor *y = rille_embedding(index, weight);
    cr_expect(has_shape(y, SHAPE(2, 2, 2)));
    EXPECT_VALUES(y, 2, 5, 1, 4, 0, 3, 2, 5);
    cr_expect(has_shape(rille_embedding(rille_zeros(cx, RILLE_INT64, SHAPE(3, 0)), weight), SHAPE(3, 0, 2)));
    EXPECT_VALUES(rille_embedding(rille_scalar(cx, RILLE_INT64, 1), weight), 1, 4);
    EXPECT_NO_ERROR(cx);
    EXPECT_FAILS(cx, rille_embedding(I64(cx, 1, 3), weight), RILLE_ERROR_INDEX,
                 "embedding: index 3 at position 1 is not in 0 ... 2");
    EXPECT_FAILS(
        cx, rille_embedding(F32(cx, 1), weight), RILLE_ERROR_DTYPE,
        "embedding: index is float32 [1], weight is [3, 2]; int64 [...], of 7 dimensions at most, and [n, d] expected");
    EXPECT_FAILS(cx, rille_embedding(I64(cx, 1), I64(cx, 1)), RILLE_ERROR_SHAPE,
                 "embedding: index is int64 [1], weight is [1]; int64 [...], of 7 dimensions at most, and [n, d] expected");
    rille_close(cx);
}
