/* Reductions, running sums and orders against scalar code that is as plain as can be. */
#include "engine/random_layouts.h"
#include "engine/random_reductions.h"

#include <stdlib.h>
#include <string.h>

#define F32(cx, ...)                                                                                                           \
    rille_from(cx, RILLE_FLOAT32, 1, (int64_t[]){sizeof((float[]){__VA_ARGS__}) / sizeof(float)}, (float[]){__VA_ARGS__})
#define F64(cx, ...)                                                                                                           \
    rille_from(cx, RILLE_FLOAT64, 1, (int64_t[]){sizeof((double[]){__VA_ARGS__}) / sizeof(double)}, (double[]){__VA_ARGS__})
#define I64(cx, ...)                                                                                                           \
    rille_from(cx, RILLE_INT64, 1, (int64_t[]){sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)}, (int64_t[]){__VA_ARGS__})

/* ---- Reductions ---- */

typedef const long double *numbers;

static long double scalar_prod(numbers x, int64_t n, bool whole)
{
    long double product = 1;
    uint64_t wrapped = 1;
    for (int64_t i = 0; i < n; i++) {
        product *= x[i];
        wrapped *= whole ? (uint64_t)(int64_t)x[i] : 1;
    }
    return whole ? (long double)(int64_t)wrapped : product;
}

static long double deviations(numbers x, int64_t n, long double divisor)
{
    long double mean = 0, total = 0;
    for (int64_t i = 0; i < n; i++)
        mean += x[i] / n;
    for (int64_t i = 0; i < n; i++)
        total += (x[i] - mean) * (x[i] - mean);
    return total / (divisor > 0 ? divisor : 0);
}

static long double scalar_var(numbers x, int64_t n, bool whole)
{
    (void)whole;
    return deviations(x, n, n - 1);
}

static long double scalar_std(numbers x, int64_t n, bool whole)
{
    (void)whole;
    return sqrtl(deviations(x, n, n - 0.5L));
}

static long double powers(numbers x, int64_t n, long double p)
{
    long double total = 0;
    for (int64_t i = 0; i < n; i++)
        total += powl(fabsl(x[i]), p);
    return powl(total, 1 / p);
}

#define POWERS(name, p)                                                                                                        \
    static long double scalar_##name(numbers x, int64_t n, bool whole)                                                         \
    {                                                                                                                          \
        (void)whole;                                                                                                           \
        return powers(x, n, p);                                                                                                \
    }
POWERS(norm_1, 1)
POWERS(norm_2, 2)
POWERS(norm_3, 3)
POWERS(norm_half, 0.5L)
POWERS(norm_negative, -1.5L)

static long double extreme(numbers x, int64_t n, bool least, bool size)
{
    long double found = least ? INFINITY : -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        long double y = size ? fabsl(x[i]) : x[i];
        found = y != y || found != found ? (long double)NAN : (least ? y < found : y > found) ? y : found;
    }
    return found;
}

#define EXTREME(name, least, size)                                                                                             \
    static long double scalar_##name(numbers x, int64_t n, bool whole)                                                         \
    {                                                                                                                          \
        (void)whole;                                                                                                           \
        return extreme(x, n, least, size);                                                                                     \
    }
EXTREME(amax, false, false)
EXTREME(amin, true, false)
EXTREME(norm_largest, false, true)
EXTREME(norm_smallest, true, true)

static long double scalar_norm_0(numbers x, int64_t n, bool whole)
{
    int64_t count = 0;
    (void)whole;
    for (int64_t i = 0; i < n; i++)
        count += x[i] != 0;
    return count;
}

static long double scalar_any(numbers x, int64_t n, bool whole)
{
    return scalar_norm_0(x, n, whole) > 0;
}

static long double scalar_all(numbers x, int64_t n, bool whole)
{
    return scalar_norm_0(x, n, whole) == n;
}

static long double scalar_logsumexp(numbers x, int64_t n, bool whole)
{
    long double total = 0;
    (void)whole;
    for (int64_t i = 0; i < n; i++)
        total += expl(x[i]);
    return logl(total);
}

#define CALL(name, expression)                                                                                                 \
    static rille_tensor *call_##name(rille_tensor *t, const int *dims, int count, bool keepdim)                                \
    {                                                                                                                          \
        return expression;                                                                                                     \
    }
CALL(prod, rille_prod(t, dims, count, keepdim))
CALL(var, rille_var(t, dims, count, 1, keepdim))
CALL(std, rille_std(t, dims, count, 0.5, keepdim))
CALL(norm_0, rille_norm(t, 0, dims, count, keepdim))
CALL(norm_1, rille_norm(t, 1, dims, count, keepdim))
CALL(norm_2, rille_norm(t, 2, dims, count, keepdim))
CALL(norm_3, rille_norm(t, 3, dims, count, keepdim))
CALL(norm_half, rille_norm(t, 0.5, dims, count, keepdim))
CALL(norm_negative, rille_norm(t, -1.5, dims, count, keepdim))
CALL(norm_largest, rille_norm(t, INFINITY, dims, count, keepdim))
CALL(norm_smallest, rille_norm(t, -INFINITY, dims, count, keepdim))
CALL(logsumexp, rille_logsumexp(t, dims, count, keepdim))
CALL(amax, rille_amax(t, dims, count, keepdim))
CALL(amin, rille_amin(t, dims, count, keepdim))
CALL(any, rille_any(t, dims, count, keepdim))
CALL(all, rille_all(t, dims, count, keepdim))

typedef enum result { SAME, WHOLE_OR_SAME, FRACTIONS, TRUTHS } result; /* dtype: the input's; int64 at least; floating; bool */

typedef struct reduction {
    const char *name;
    rille_tensor *(*call)(rille_tensor *t, const int *dims, int count, bool keepdim);
    long double (*scalar)(numbers x, int64_t n, bool whole);
    result kind;
    values of;
    double absolute; /* error allowed beside the relative one */
} reduction;
#define ROW(name, ...)                                                                                                         \
    {                                                                                                                          \
#name, call_##name, scalar_##name, __VA_ARGS__                                                                         \
    }
static const reduction reductions[] = {
    ROW(prod, WHOLE_OR_SAME, FINITE, 0),
    ROW(var, FRACTIONS, FINITE, 1e-18),
    ROW(std, FRACTIONS, FINITE, 1e-16),
    ROW(norm_0, FRACTIONS, SPECIAL, 0),
    ROW(norm_1, FRACTIONS, FINITE, 0),
    ROW(norm_2, FRACTIONS, FINITE, 0),
    ROW(norm_3, FRACTIONS, FINITE, 0),
    ROW(norm_half, FRACTIONS, FINITE, 0),
    ROW(norm_negative, FRACTIONS, FINITE, 0),
    ROW(norm_largest, FRACTIONS, SPECIAL, 0),
    ROW(logsumexp, FRACTIONS, FINITE, 1e-15),
    ROW(norm_smallest, FRACTIONS, SPECIAL, 0),
    ROW(amax, SAME, SPECIAL, 0),
    ROW(amin, SAME, SPECIAL, 0),
    ROW(any, TRUTHS, SPECIAL, 0),
    ROW(all, TRUTHS, SPECIAL, 0),
};
enum { REDUCTIONS = sizeof reductions / sizeof reductions[0] };

static rille_dtype result_dtype(result kind, rille_dtype dtype)
{
    if (kind == TRUTHS)
        return RILLE_BOOL;
    return kind == SAME || is_floating(dtype) ? dtype : kind == FRACTIONS ? RILLE_FLOAT32 : RILLE_INT64;
}

/* A value of float64's range, rounded to the dtype's; what is beyond becomes infinite. */
static long double in_dtype(rille_dtype dtype, long double x)
{
    return dtype == RILLE_FLOAT32 ? (long double)(float)(double)x : dtype == RILLE_FLOAT64 ? (long double)(double)x : x;
}

static bool is_close(const reduction *f, rille_dtype dtype, long double got, long double right, int64_t n)
{
    right = in_dtype(dtype, right);
    if (right != right || isinf(right) || !is_floating(dtype))
        return right != right ? got != got : got == right;
    long double own = dtype == RILLE_FLOAT32 ? (long double)FLT_EPSILON : (4 + n) * (long double)DBL_EPSILON;
    return fabsl(got - right) <= own * fabsl(right) + f->absolute + (dtype == RILLE_FLOAT32 ? 1e-45L : 5e-324L);
}

static void check_reduction(const reduction *f, rille_tensor *t, const reduced *r, uint64_t seed)
{
    rille_tensor *out = f->call(t, r->all ? NULL : r->dims, r->count, r->keepdim);
    cr_assert(has_shape(out, r->rank, r->shape), "%s, seed %llu: %s", f->name, (unsigned long long)seed,
              rille_error(rille_context_of(t)));
    rille_dtype dtype = rille_dtype_of(out);
    cr_assert_eq(dtype, result_dtype(f->kind, rille_dtype_of(t)));
    int64_t group = 1, results = rille_numel(out);
    for (int d = 0; d < rille_rank(t); d++)
        group *= r->is_reduced[d] ? rille_shape(t)[d] : 1;
    long double *x = calloc((size_t)(results * group) + 1, sizeof *x);
    for (int64_t i = 0, among; i < rille_numel(t); i++) {
        int64_t into = reduced_place(t, r, i, &among);
        x[into * group + among] = value_of(t, i);
    }
    for (int64_t i = 0; i < results; i++) {
        long double right = f->scalar(x + i * group, group, !is_floating(rille_dtype_of(t)));
        if (f->kind == WHOLE_OR_SAME && is_floating(dtype) &&
            !(fabsl(right) < 1e300L && (right == 0 || fabsl(right) > 1e-290L)))
            continue; /* where the partial products of two orders may be beyond float64 */
        cr_expect(is_close(f, dtype, value_of(out, i), right, group), "%s is %.20Lg, not %.20Lg (seed %llu)", f->name,
                  value_of(out, i), right, (unsigned long long)seed);
    }
    free(x);
}

Test(folds, against_scalars)
{
    rille_context *cx = open_with(2, 0);
    for (int k = 0; k < REDUCTIONS; k++)
        for (uint64_t seed = 0; seed < 250; seed++) {
            const reduction *f = &reductions[k];
            uint64_t rng = seed;
            int64_t shape[8];
            int rank = random_shape(&rng, 4, shape);
            rille_dtype dtype = every_dtype[random_below(&rng, DTYPES)];
            bool needs_one =
                f->call == call_amax || f->call == call_amin || f->call == call_norm_largest || f->call == call_norm_smallest;
            for (int d = 0; d < rank && needs_one; d++)
                shape[d] += shape[d] == 0;
            rille_scope_push(cx);
            rille_tensor *t = random_layout(cx, &rng, dtype, f->of, rank, shape);
            reduced r = random_reduction(&rng, rank, shape, false);
            check_reduction(f, t, &r, seed);
            rille_scope_pop(cx);
        }
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

/* Rows of several segments: what is in the last one counts. */
Test(folds, long_rows)
{
    rille_context *cx = open_with(2, 0);
    for (int k = 0; k < REDUCTIONS; k++) {
        uint64_t rng = 7;
        rille_scope_push(cx);
        rille_tensor *t = random_tensor(cx, &rng, RILLE_FLOAT64, FINITE, SHAPE(2, 70001));
        reduced r = {.dims = {1}, .count = 1, .is_reduced = {false, true}, .rank = 1, .shape = {2}};
        ((double *)rille_data(t))[70000] = 8;
        ((double *)rille_data(t))[140001] = 0;
        check_reduction(&reductions[k], t, &r, 7);
        rille_scope_pop(cx);
    }
    rille_close(cx);
}

Test(folds, special_values)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *empty = rille_zeros(cx, RILLE_FLOAT32, SHAPE(0, 2)),
                 *none = rille_narrow(F32(cx, -INFINITY, -INFINITY), 0, 0, 2);
    EXPECT_VALUES(rille_prod(empty, NULL, 0, false), 1);
    EXPECT_VALUES(rille_prod(empty, (int[]){0}, 1, false), 1, 1);
    EXPECT_VALUES(rille_prod(F32(cx, 1e30f, 1e30f, 1e-30f, 1e-30f), NULL, 0, false),
                  (double)(float)((double)1e30f * (double)1e30f * (double)1e-30f * (double)1e-30f)); /* in float64 inside */
    EXPECT_VALUES(rille_prod(F32(cx, 0, INFINITY), NULL, 0, false), NAN);
    EXPECT_VALUES(rille_var(F32(cx, 3), NULL, 0, 1, false), NAN); /* 0 / 0 */
    EXPECT_VALUES(rille_var(F32(cx, 3), NULL, 0, 0, false), 0);
    EXPECT_VALUES(rille_std(F32(cx, 1, 2), NULL, 0, 3, false), INFINITY);
    EXPECT_VALUES(rille_std(empty, (int[]){0}, 1, 0, false), NAN, NAN);
    EXPECT_VALUES(rille_std(F32(cx, 1, INFINITY), NULL, 0, 1, false), NAN);
    EXPECT_VALUES(rille_std(F32(cx, 0x3p-149f, 0), NULL, 0, 0, false), 0x1p-148); /* 0x1.8p-149, whose square is no float */
    EXPECT_VALUES(rille_std(F64(cx, 1e9 + 1, 1e9 + 2, 1e9 + 3), NULL, 0, 1, false), 1); /* one pass would give 0 or NaN */
    EXPECT_VALUES(rille_norm(F64(cx, 0x3p1000, 0x4p1000), 2, NULL, 0, false), 0x5p1000);
    EXPECT_VALUES(rille_norm(F64(cx, 5e-324, 0), 2, NULL, 0, false), 5e-324);
    EXPECT_VALUES(rille_norm(F64(cx, 0x3p-1000, 0x4p-1000), 2, NULL, 0, false), 0x5p-1000);
    EXPECT_VALUES(rille_norm(F64(cx, 0x1p1023, 0), 4, NULL, 0, false), 0x1p1023);
    EXPECT_VALUES(rille_norm(F32(cx, 1, NAN), 2, NULL, 0, false), NAN);
    EXPECT_VALUES(rille_norm(F32(cx, 1, -INFINITY), 2, NULL, 0, false), INFINITY);
    EXPECT_VALUES(rille_norm(empty, 2, (int[]){0}, 1, false), 0, 0);
    EXPECT_VALUES(rille_norm(empty, 0, NULL, 0, false), 0);
    EXPECT_VALUES(rille_norm(F32(cx, 0, 2), -1, NULL, 0, false), 0);
    EXPECT_VALUES(rille_logsumexp(none, NULL, 0, false), -INFINITY);
    EXPECT_VALUES(rille_logsumexp(empty, (int[]){0}, 1, false), -INFINITY, -INFINITY);
    EXPECT_VALUES(rille_logsumexp(F32(cx, 1, INFINITY), NULL, 0, false), INFINITY);
    EXPECT_VALUES(rille_logsumexp(F32(cx, 1, NAN, INFINITY), NULL, 0, false), NAN);
    EXPECT_VALUES(rille_logsumexp(F64(cx, 1e4, -1e4), NULL, 0, false), 1e4);
    cr_expect(value_of(rille_amax(I64(cx, INT64_MAX - 1, INT64_MAX), NULL, 0, false), 0) == (long double)INT64_MAX);
    EXPECT_VALUES(rille_any(empty, NULL, 0, false), 0);
    EXPECT_VALUES(rille_all(empty, NULL, 0, true), 1);
    EXPECT_VALUES(rille_all(F32(cx, NAN, 1e-45f), NULL, 0, false), 1);
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

static void expect_gradient(rille_tensor *x, rille_tensor *(*f)(rille_tensor *x), const double *right)
{
    rille_set_requires_grad(x, true);
    rille_tensor *y = f(x), *g = NULL;
    cr_assert_eq(rille_grad(&y, 1, &x, 1, NULL, false, &g), RILLE_OK, "%s", rille_error(rille_context_of(x)));
    expect_values(__FILE__, __LINE__, g, (size_t)rille_numel(x), right);
}

#define OF(name, expression)                                                                                                   \
    static rille_tensor *name(rille_tensor *x)                                                                                 \
    {                                                                                                                          \
        return expression;                                                                                                     \
    }
OF(prod_of, rille_prod(x, NULL, 0, false))
OF(var_of, rille_var(x, NULL, 0, 1, false))
OF(std_of, rille_std(x, NULL, 0, 1, false))
OF(norm_of, rille_norm(x, 2, NULL, 0, false))
OF(root_norm_of, rille_norm(x, 0.5, NULL, 0, false))
OF(largest_size_of, rille_norm(x, INFINITY, NULL, 0, false))
OF(amax_of, rille_amax(x, NULL, 0, false))
OF(logsumexp_of, rille_logsumexp(x, NULL, 0, false))

Test(folds, gradients_at_kinks)
{
    rille_context *cx = open_with(1, 0);
    expect_gradient(F32(cx, 2, 0, 3), prod_of, (double[]){0, 6, 0});
    expect_gradient(F32(cx, 0, 0, 3), prod_of, (double[]){0, 0, 0});
    expect_gradient(F32(cx, 0x1p100f, 0x1p100f, 0x1p-100f, 0x1p-100f), prod_of,
                    (double[]){0x1p-100, 0x1p-100, 0x1p100, 0x1p100});
    expect_gradient(F32(cx, 1e7f, 1e7f + 1), var_of, (double[]){-1, 1}); /* whose mean is no float */
    expect_gradient(F32(cx, 5, 5), std_of, (double[]){0, 0});
    expect_gradient(F32(cx, 0, 0), norm_of, (double[]){0, 0});
    expect_gradient(F64(cx, 0x3p-1000, -0x4p-1000), norm_of, (double[]){0.6, -0.8});
    expect_gradient(F32(cx, 0, 4), root_norm_of, (double[]){0, 1});
    expect_gradient(F32(cx, 3, -3, 1), largest_size_of, (double[]){0.5, -0.5, 0});
    expect_gradient(F32(cx, 3, -3, 3, 1), amax_of, (double[]){0.5, 0, 0.5, 0});
    expect_gradient(F32(cx, NAN, 1), amax_of, (double[]){NAN, NAN});
    expect_gradient(F32(cx, -INFINITY, 1), logsumexp_of, (double[]){0, 1});
    expect_gradient(F32(cx, -INFINITY, -INFINITY), logsumexp_of, (double[]){NAN, NAN});
    rille_close(cx);
}

Test(folds, messages)
{
    rille_context *cx = open_with(2, 1);
    rille_tensor *t = rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 0));
    EXPECT_FAILS(cx, rille_amax(t, (int[]){1}, 1, false), RILLE_ERROR_SHAPE,
                 "amax: of no elements, shape [2, 0], there is none");
    EXPECT_FAILS(cx, rille_norm(t, -INFINITY, NULL, 0, false), RILLE_ERROR_SHAPE,
                 "norm: of no elements, shape [2, 0], none is the smallest");
    EXPECT_FAILS(cx, rille_norm(t, (double)NAN, NULL, 0, false), RILLE_ERROR_ARGUMENT,
                 "norm: p is nan; a number or an infinity expected");
    EXPECT_FAILS(cx, rille_var(t, NULL, 0, INFINITY, false), RILLE_ERROR_ARGUMENT, "var: a finite correction is expected");
    EXPECT_FAILS(cx, rille_prod(t, (int[]){1, 1}, 2, false), RILLE_ERROR_ARGUMENT, "prod: dimension 2 is named twice");
    EXPECT_FAILS(cx, rille_all(t, (int[]){2}, 1, false), RILLE_ERROR_INDEX,
                 "all: dimension 3 of shape [2, 0]; dimensions are 1 ... 2, or -1 ... -2 from the end");
    EXPECT_FAILS(cx, rille_std(NULL, NULL, 0, 1, false), RILLE_OK, "(no error)");
    EXPECT_FAILS(cx, rille_cumsum(t, 2), RILLE_ERROR_INDEX,
                 "cumsum: dimension 3 of shape [2, 0]; dimensions are 1 ... 2, or -1 ... -2 from the end");
    EXPECT_FAILS(cx, rille_sort(t, -3, false, NULL), RILLE_ERROR_INDEX,
                 "sort: dimension -3 of shape [2, 0]; dimensions are 1 ... 2, or -1 ... -2 from the end");
    EXPECT_FAILS(cx, rille_topk(t, 3, 0, true, NULL), RILLE_ERROR_ARGUMENT,
                 "topk: k is 3; 0 to 2 expected, the size of dimension 1 of shape [2, 0]");
    rille_tensor *at = t;
    EXPECT_FAILS(cx, rille_topk(t, -1, 0, true, &at), RILLE_ERROR_ARGUMENT,
                 "topk: k is -1; 0 to 2 expected, the size of dimension 1 of shape [2, 0]");
    cr_expect_null(at);
    rille_close(cx);
}

/* ---- Along a dimension ---- */

/* How far along d t's i-th element is, and steps of d in row-major numbers. */
static int64_t place_along(const rille_tensor *t, int d, int64_t i, int64_t *step)
{
    *step = 1;
    for (int k = d + 1; k < rille_rank(t); k++)
        *step *= rille_shape(t)[k];
    return i / *step % rille_shape(t)[d];
}

static void check_running(rille_tensor *t, int d, bool product, uint64_t seed)
{
    rille_tensor *out = (product ? rille_cumprod : rille_cumsum)(t, d);
    cr_assert(has_shape(out, rille_rank(t), rille_shape(t)), "%s", rille_error(rille_context_of(t)));
    rille_dtype dtype = rille_dtype_of(out);
    cr_assert_eq(dtype, is_floating(rille_dtype_of(t)) ? rille_dtype_of(t) : RILLE_INT64);
    for (int64_t i = 0, step; i < rille_numel(t); i++) {
        int64_t at = place_along(t, d, i, &step);
        long double right = product, size = 0;
        uint64_t wrapped = product;
        for (int64_t k = i - at * step; k <= i; k += step) {
            long double x = value_of(t, k);
            right = product ? right * x : right + x;
            if (dtype == RILLE_INT64)
                wrapped = product ? wrapped * (uint64_t)(int64_t)x : wrapped + (uint64_t)(int64_t)x;
            size += fabsl(x);
        }
        long double whole = (long double)(int64_t)wrapped, got = value_of(out, i);
        long double tolerance = (dtype == RILLE_FLOAT32 ? (long double)FLT_EPSILON : 512 * (long double)DBL_EPSILON) *
                                (product ? fabsl(right) : fabsl(right) + size * 1e-3L);
        if (dtype != RILLE_INT64 && product && !(fabsl(right) < 1e30L && fabsl(right) > 1e-30L))
            continue;
        cr_expect(dtype == RILLE_INT64 ? got == whole : fabsl(got - right) <= tolerance, "%s is %.20Lg, not %.20Lg (seed %llu)",
                  product ? "cumprod" : "cumsum", got, right, (unsigned long long)seed);
    }
}

/* In order: NaN the largest. */
static int compared(long double a, long double b)
{
    if (a != a || b != b)
        return (a != a) - (b != b);
    return (a > b) - (a < b);
}

/* at and sorted are t's first k in order along d: those before and behind in the order are, by place where equal. */
static void check_order(rille_tensor *t, int d, bool descending, rille_tensor *sorted, rille_tensor *at, int base,
                        uint64_t seed)
{
    int64_t n = rille_shape(t)[d], k = rille_shape(at)[d], step, own;
    cr_assert(has_shape(sorted, rille_rank(at), rille_shape(at)) && rille_dtype_of(sorted) == rille_dtype_of(t));
    cr_assert_eq(rille_dtype_of(at), RILLE_INT64);
    for (int64_t i = 0; i < rille_numel(at); i++) {
        int64_t place = place_along(at, d, i, &step), first = (i - place * step) / (k * step) * n * step + i % step;
        int64_t found = (int64_t)value_of(at, i) - base, before = 0;
        cr_assert(found >= 0 && found < n);
        long double x = value_of(t, first + found * step);
        cr_expect(is_same(value_of(sorted, i), x), "seed %llu", (unsigned long long)seed);
        for (own = 0; own < n; own++) {
            int order = compared(value_of(t, first + own * step), x) * (descending ? -1 : 1);
            before += order < 0 || (order == 0 && own < found);
        }
        cr_expect_eq(before, place, "%lld stand before the %lld-th (seed %llu)", (long long)before, (long long)place,
                     (unsigned long long)seed);
    }
}

Test(along, against_scalars)
{
    for (int base = 0; base < 2; base++) {
        rille_context *cx = open_with(2, base);
        for (uint64_t seed = 0; seed < 600; seed++) {
            uint64_t rng = seed * 2 + (uint64_t)base;
            int64_t shape[8];
            int rank = random_shape(&rng, 4, shape), d = rank == 0 ? -1 : (int)random_below(&rng, rank);
            if (rank > 0 && random_below(&rng, 8) == 0)
                shape[d] = 20 + random_below(&rng, 80); /* by digits */
            int64_t elements = 1;
            for (int i = 0; i < rank; i++)
                elements *= shape[i];
            if (rank == 0 || elements > 20000)
                continue;
            rille_dtype dtype = every_dtype[random_below(&rng, DTYPES)];
            rille_scope_push(cx);
            check_running(random_layout(cx, &rng, dtype, FINITE, rank, shape), d, seed % 2 == 0, seed);
            values kind = random_below(&rng, 2) == 0 ? WHOLE : SPECIAL;
            rille_tensor *t = random_layout(cx, &rng, dtype, kind, rank, shape), *at = NULL;
            bool descending = random_below(&rng, 2) == 0;
            rille_tensor *sorted = rille_sort(t, d - rank, descending, &at);
            check_order(t, d, descending, sorted, at, base, seed);
            check_order(t, d, descending, sorted, rille_argsort(t, d, descending), base, seed);
            rille_tensor *some = rille_topk(t, random_below(&rng, shape[d] + 1), d, descending, &at);
            check_order(t, d, descending, some, at, base, seed);
            rille_scope_pop(cx);
        }
        EXPECT_NO_ERROR(cx);
        rille_close(cx);
    }
}

Test(along, special_values)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *at = NULL, *x = F32(cx, 1, NAN, -INFINITY, 0, -0.0f, INFINITY, -NAN, -1e-45f);
    EXPECT_VALUES(rille_sort(x, 0, false, &at), -INFINITY, -(double)1e-45f, 0, -0.0, 1, INFINITY, NAN, NAN);
    EXPECT_VALUES(at, 2, 7, 3, 4, 0, 5, 1, 6);
    EXPECT_VALUES(rille_sort(x, 0, true, &at), NAN, NAN, INFINITY, 1, 0, -0.0, -(double)1e-45f, -INFINITY);
    EXPECT_VALUES(at, 1, 6, 5, 0, 3, 4, 7, 2);
    EXPECT_VALUES(rille_topk(x, 3, 0, false, &at), -INFINITY, -(double)1e-45f, 0);
    EXPECT_VALUES(rille_argsort(I64(cx, INT64_MAX, INT64_MIN, -1, INT64_MAX - 1), 0, false), 1, 2, 3, 0);
    cr_expect(has_shape(rille_topk(rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 0)), 0, 1, true, &at), SHAPE(2, 0)));
    cr_expect(has_shape(rille_topk(rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 3)), 0, 0, true, NULL), SHAPE(0, 3)));
    cr_expect(has_shape(rille_sort(rille_zeros(cx, RILLE_FLOAT32, SHAPE(0, 3)), 1, true, NULL), SHAPE(0, 3)));
    EXPECT_VALUES(rille_cumsum(F32(cx, 1, NAN, 2), 0), 1, NAN, NAN);
    EXPECT_VALUES(rille_cumsum(F32(cx, FLT_MAX, FLT_MAX, -FLT_MAX), 0), (double)FLT_MAX, INFINITY, (double)FLT_MAX);
    EXPECT_VALUES(rille_cumprod(F64(cx, 2, 0, INFINITY), 0), 2, 0, NAN);
    EXPECT_VALUES(rille_cumsum(I64(cx, 0x1p62, 0x1p62), 0), 0x1p62, -0x1p63);
    cr_expect(has_shape(rille_cumprod(rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 0)), 0), SHAPE(2, 0)));
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

/* More columns than run side by side. */
Test(along, wide_tensors)
{
    rille_context *cx = open_with(2, 0);
    uint64_t rng = 2;
    for (int columns = 255; columns < 600; columns += 86)
        check_running(random_tensor(cx, &rng, RILLE_FLOAT32, FINITE, SHAPE(2, 3, columns)), 1, columns % 2 == 0, 0);
    rille_close(cx);
}

/* Rows of several segments, with many equals. */
Test(along, long_rows)
{
    enum { N = 400000, K = 150000 };
    rille_context *cx = open_with(2, 0);
    uint64_t rng = 1;
    rille_tensor *t = random_tensor(cx, &rng, RILLE_FLOAT32, FINITE, SHAPE(2, N)), *at = NULL, *first = NULL;
    for (int64_t i = 0; i < N; i++)
        ((float *)rille_data(t))[i] = (float)random_below(&rng, 1000);
    rille_tensor *sorted = rille_sort(t, 1, true, &at), *some = rille_topk(t, K, 1, true, &first);
    const float *x = rille_data(t), *y = rille_data(sorted);
    const int64_t *place = rille_data(at);
    bool *seen = calloc(2 * N, 1);
    int64_t wrong = 0;
    for (int64_t i = 0; i < 2 * N; i++) {
        int64_t row = i / N * N;
        wrong += seen[row + place[i]] || y[i] != x[row + place[i]];
        wrong += i > row && !(y[i] < y[i - 1] || (y[i] == y[i - 1] && place[i] > place[i - 1]));
        seen[row + place[i]] = true;
    }
    cr_expect_eq(wrong, 0, "%lld of %d", (long long)wrong, 2 * N);
    for (int64_t row = 0; row < 2; row++) {
        cr_expect_eq(memcmp((float *)rille_data(some) + row * K, y + row * N, K * sizeof *y), 0);
        cr_expect_eq(memcmp((int64_t *)rille_data(first) + row * K, place + row * N, K * sizeof *place), 0);
    }
    free(seen);
    rille_close(cx);
}
