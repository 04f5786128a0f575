/* Gated activations, maxout, crelu, softmin, sparsemax and hardmax against scalar code that is as plain as can be. */
#include "engine/random_layouts.h"

#include <stdlib.h>

/* Where t's element stands that is the i-th along dim in the slice of the element `at` of a tensor of this rank and shape,
 * whose other sizes are t's. */
static int64_t place_along(const rille_tensor *t, int dim, const int64_t *shape, int64_t at, int64_t i)
{
    int64_t inner = 1;
    for (int d = dim + 1; d < rille_rank(t); d++)
        inner *= shape[d];
    return (at / inner / shape[dim] * rille_shape(t)[dim] + i) * inner + at % inner;
}

static int64_t position_along(const rille_tensor *t, int dim, int64_t at)
{
    for (int d = dim + 1; d < rille_rank(t); d++)
        at /= rille_shape(t)[d];
    return at % rille_shape(t)[dim];
}

static bool is_near(long double got, long double right, rille_dtype dtype)
{
    if (right != right || isinf(right))
        return is_same(got, right);
    long double epsilon = dtype == RILLE_FLOAT32 ? FLT_EPSILON : DBL_EPSILON;
    return fabsl(got - right) <= 2 * epsilon * fabsl(right) + (dtype == RILLE_FLOAT32 ? 2e-45L : 1e-323L);
}

typedef struct setting {
    uint64_t rng;
    int rank, dim;
    int64_t shape[8];
    rille_dtype dtype, computed;
} setting;

/* A rank of 1 to 3; sizes of dim are multiples of `factor`. */
static setting random_setting(uint64_t seed, int64_t factor)
{
    setting s = {.rng = seed};
    do
        s.rank = random_shape(&s.rng, 3, s.shape);
    while (s.rank == 0);
    s.dim = (int)random_below(&s.rng, s.rank);
    s.shape[s.dim] = s.shape[s.dim] == 300 ? 300 : s.shape[s.dim] * factor;
    s.dtype = every_dtype[random_below(&s.rng, DTYPES)];
    s.computed = s.dtype == RILLE_FLOAT64 ? s.dtype : RILLE_FLOAT32;
    return s;
}

static long double gate_of(rille_activation act, int order, long double x)
{
    long double y = 0;
    rille_context *cx = open_with(1, 0);
    double in = (double)x, out = 0;
    cr_assert_eq(rille_map(cx, act, NULL, order, RILLE_FLOAT64, 1, &in, &out), RILLE_OK);
    y = (long double)out;
    rille_close(cx);
    return y;
}

static void check_gate(rille_context *cx, rille_gate gate, setting *s, unsigned long long seed)
{
    const rille_gate_info *info = rille_gate_describe(gate);
    rille_tensor *x = random_layout(cx, &s->rng, s->dtype, SPECIAL, s->rank, s->shape);
    bool differentiable = s->dtype == s->computed && rille_set_requires_grad(x = rille_detach(x), true) == RILLE_OK;
    rille_tensor *y = rille_gated(x, gate, s->dim - (seed % 2 == 0 ? s->rank : 0));
    int64_t half[8];
    memcpy(half, s->shape, sizeof half);
    half[s->dim] /= 2;
    cr_assert(has_shape(y, s->rank, half), "%s, seed %llu: %s", info->name, seed, rille_error(cx));
    cr_expect(rille_dtype_of(y) == s->computed && rille_is_contiguous(y));
    rille_tensor *g = random_layout(cx, &s->rng, s->computed, FINITE, s->rank, half), *dx = NULL;
    if (differentiable)
        cr_assert_eq(rille_grad(&y, 1, &x, 1, &g, false, &dx), RILLE_OK, "%s", rille_error(cx));
    for (int64_t i = 0; i < rille_numel(y) && i < 200; i++) {
        int64_t k = position_along(y, s->dim, i), first = place_along(x, s->dim, half, i, k);
        int64_t second = place_along(x, s->dim, half, i, k + half[s->dim]);
        long double a = value_of(x, first), b = value_of(x, second), w = value_of(g, i);
        long double f = gate_of(info->activation, 0, b), df = gate_of(info->activation, 1, b);
        cr_assert(is_near(value_of(y, i), s->computed == RILLE_FLOAT32 ? (float)(a * f) : (double)(a * f), s->computed),
                  "%s, seed %llu: %Lg, not %Lg", info->name, seed, value_of(y, i), a * f);
        if (!differentiable || !(fabsl(a) < 1e30L && fabsl(b) < 1e30L && fabsl(a * w) > 1e-30L))
            continue; /* w a is rounded before f'(b) multiplies it */
        cr_assert(is_near(value_of(dx, first), w * f, s->computed), "%s, da, seed %llu", info->name, seed);
        cr_assert(is_near(value_of(dx, second), w * a * df, s->computed), "%s, db, seed %llu: %Lg, not %Lg", info->name, seed,
                  value_of(dx, second), w * a * df);
    }
}

Test(gates, against_scalars)
{
    rille_context *cx = open_with(2, 0);
    for (int gate = 0; gate < RILLE_GATE_COUNT; gate++)
        for (uint64_t seed = 0; seed < 100; seed++) {
            setting s = random_setting(seed, 2);
            rille_scope_push(cx);
            check_gate(cx, (rille_gate)gate, &s, (unsigned long long)seed);
            rille_scope_pop(cx);
        }
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

Test(gates, which_half_is_gated)
{
    rille_context *cx = open_with(1, 0);
    EXPECT_VALUES(rille_reglu(rille_from(cx, RILLE_FLOAT32, SHAPE(4), (float[]){-3, 5, 2, -2}), 0), -6, 0);
    EXPECT_VALUES(rille_glu(rille_from(cx, RILLE_FLOAT32, SHAPE(2, 2), (float[]){7, 8, 0, 0}), 0), 3.5, 4);
    EXPECT_VALUES(rille_bilinear(rille_from(cx, RILLE_FLOAT32, SHAPE(2, 2), (float[]){2, 3, 4, 5}), 1), 6, 20);
    rille_close(cx);
}

Test(gates, say_what_does_not_fit)
{
    rille_context *cx = open_with(1, 0), *lua = open_with(1, 1);
    rille_tensor *x = rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 3));
    EXPECT_FAILS(cx, rille_glu(x, 1), RILLE_ERROR_SHAPE,
                 "glu: dimension 1 of shape [2, 3] has the odd size 3; it is to be split in two halves");
    EXPECT_FAILS(lua, rille_reglu(rille_zeros(lua, RILLE_FLOAT64, SHAPE(2, 3)), -1), RILLE_ERROR_SHAPE,
                 "reglu: dimension 2 of shape [2, 3] has the odd size 3; it is to be split in two halves");
    EXPECT_FAILS(cx, rille_glu(x, 2), RILLE_ERROR_INDEX,
                 "glu: dimension 2 of shape [2, 3]; dimensions are 0 ... 1, or -1 ... -2 from the end");
    EXPECT_FAILS(cx, rille_gated(x, RILLE_GATE_NONE, 0), RILLE_ERROR_ARGUMENT, "gated: there is no gate number -1");
    EXPECT_FAILS(cx, rille_maxout(x, 2, 1), RILLE_ERROR_SHAPE,
                 "maxout: dimension 1 of shape [2, 3] is not a multiple of k = 2");
    EXPECT_FAILS(cx, rille_maxout(x, 0, 1), RILLE_ERROR_ARGUMENT,
                 "maxout: dimension 1 of shape [2, 3] is to be pooled by 0; 1 or more expected");
    EXPECT_FAILS(cx, rille_crelu(rille_scalar(cx, RILLE_FLOAT32, 1), 0), RILLE_ERROR_INDEX,
                 "crelu: a tensor of rank 0 has no dimensions");
    EXPECT_FAILS(cx, rille_sparsemax(x, -3), RILLE_ERROR_INDEX,
                 "sparsemax: dimension -3 of shape [2, 3]; dimensions are 0 ... 1, or -1 ... -2 from the end");
    EXPECT_FAILS(cx, rille_softmin(x, 5), RILLE_ERROR_INDEX,
                 "softmin: dimension 5 of shape [2, 3]; dimensions are 0 ... 1, or -1 ... -2 from the end");
    cr_expect_null(rille_hardmax(NULL, 0));
    cr_expect(has_shape(rille_glu(rille_zeros(cx, RILLE_FLOAT32, SHAPE(4, 0)), 0), SHAPE(2, 0)));
    cr_expect(has_shape(rille_crelu(rille_zeros(cx, RILLE_FLOAT32, SHAPE(0, 3)), 0), SHAPE(0, 3)));
    cr_expect(has_shape(rille_maxout(rille_zeros(cx, RILLE_FLOAT32, SHAPE(0, 3)), 5, 0), SHAPE(0, 3)));
    cr_expect(has_shape(rille_sparsemax(rille_zeros(cx, RILLE_FLOAT32, SHAPE(0, 3)), 0), SHAPE(0, 3)));
    EXPECT_NO_ERROR(cx);
    rille_close(lua);
    rille_close(cx);
}

/* ---- maxout and crelu ---- */

static long double larger(long double a, long double b)
{
    return a != a || a > b ? a : b;
}

Test(maxout, against_scalars)
{
    rille_context *cx = open_with(2, 0);
    for (uint64_t seed = 0; seed < 200; seed++) {
        const int64_t k = 1 + (int64_t)(seed % 3);
        setting s = random_setting(seed, k);
        rille_scope_push(cx);
        rille_tensor *x = random_layout(cx, &s.rng, s.dtype, SPECIAL, s.rank, s.shape), *y = rille_maxout(x, k, s.dim);
        int64_t pooled[8];
        memcpy(pooled, s.shape, sizeof pooled);
        pooled[s.dim] /= k;
        cr_assert(has_shape(y, s.rank, pooled), "seed %llu", (unsigned long long)seed);
        for (int64_t i = 0; i < rille_numel(y) && i < 500; i++) {
            int64_t at = position_along(y, s.dim, i) * k;
            long double most = value_of(x, place_along(x, s.dim, pooled, i, at));
            for (int64_t j = 1; j < k && most == most; j++)
                most = larger(value_of(x, place_along(x, s.dim, pooled, i, at + j)), most);
            cr_assert(most != most ? value_of(y, i) != value_of(y, i) : value_of(y, i) == most, "seed %llu",
                      (unsigned long long)seed);
        }
        rille_scope_pop(cx);
    }
    rille_tensor *x = rille_from(cx, RILLE_FLOAT32, SHAPE(4), (float[]){2, 2, 1, 5}), *dx = NULL;
    rille_set_requires_grad(x, true);
    rille_tensor *y = rille_maxout(x, 2, 0), *g = rille_from(cx, RILLE_FLOAT32, SHAPE(2), (float[]){3, 4});
    cr_assert_eq(rille_grad(&y, 1, &x, 1, &g, false, &dx), RILLE_OK);
    EXPECT_VALUES(dx, 3, 0, 0, 4); /* to the first of equals */
    rille_close(cx);
}

Test(crelu, against_scalars)
{
    rille_context *cx = open_with(2, 0);
    for (uint64_t seed = 0; seed < 200; seed++) {
        setting s = random_setting(seed, 1);
        rille_scope_push(cx);
        rille_tensor *x = random_layout(cx, &s.rng, s.dtype, SPECIAL, s.rank, s.shape), *y = rille_crelu(x, s.dim);
        int64_t twice[8], n = s.shape[s.dim];
        memcpy(twice, s.shape, sizeof twice);
        twice[s.dim] *= 2;
        cr_assert(has_shape(y, s.rank, twice), "seed %llu", (unsigned long long)seed);
        for (int64_t i = 0; i < rille_numel(y) && i < 500; i++) {
            int64_t k = position_along(y, s.dim, i);
            long double own = value_of(x, place_along(x, s.dim, twice, i, k % n)), signed_own = k < n ? own : -own;
            if (s.computed == RILLE_FLOAT32)
                signed_own = (float)signed_own;
            cr_assert(is_same(value_of(y, i), signed_own <= 0 ? 0 : signed_own), "seed %llu, element %lld",
                      (unsigned long long)seed, (long long)i);
        }
        rille_scope_pop(cx);
    }
    rille_close(cx);
}

/* ---- softmin, sparsemax, hardmax ---- */

static int downwards(const void *a, const void *b)
{
    long double left = *(const long double *)a, right = *(const long double *)b;
    return (left < right) - (left > right);
}

/* By sorting, as the paper has it; relative to the largest. */
static long double scalar_threshold(const long double *slice, int64_t n)
{
    long double z[512], sum = 0, tau = 0;
    memcpy(z, slice, (size_t)n * sizeof z[0]);
    qsort(z, (size_t)n, sizeof z[0], downwards);
    for (int64_t k = 0; k < n; k++) {
        sum += z[k] - z[0];
        if (1 + (long double)(k + 1) * (z[k] - z[0]) > sum)
            tau = (sum - 1) / (long double)(k + 1) + z[0];
    }
    return tau;
}

Test(sparsemax, against_sorting)
{
    rille_context *cx = open_with(2, 0);
    for (uint64_t seed = 0; seed < 300; seed++) {
        setting s = random_setting(seed, 1 + (int64_t)(seed % 12));
        if (s.shape[s.dim] > 512)
            continue;
        rille_scope_push(cx);
        rille_tensor *x = random_layout(cx, &s.rng, s.dtype, FINITE, s.rank, s.shape);
        rille_tensor *quarter = rille_scalar(cx, s.computed, 0.25);
        x = rille_mul(x, quarter);
        bool tracked = rille_set_requires_grad(x = rille_detach(x), true) == RILLE_OK;
        rille_tensor *y = rille_sparsemax(x, s.dim), *h = rille_hardmax(x, s.dim), *dx[2] = {NULL, NULL};
        rille_tensor *g = random_layout(cx, &s.rng, s.computed, FINITE, s.rank, s.shape);
        cr_assert(tracked && has_shape(y, s.rank, s.shape), "seed %llu: %s", (unsigned long long)seed, rille_error(cx));
        for (int composed = 0; composed < 2; composed++)
            cr_assert_eq(rille_grad(&y, 1, &x, 1, &g, composed == 1, &dx[composed]), RILLE_OK, "%s", rille_error(cx));
        for (int64_t i = 0; i < rille_numel(x) && i < 300; i++) {
            long double slice[512], mean = 0, support = 0, most = -INFINITY;
            int64_t n = s.shape[s.dim], at = 0;
            for (int64_t k = 0; k < n; k++) {
                slice[k] = value_of(x, place_along(x, s.dim, s.shape, i, k));
                at = slice[k] > most ? k : at;
                most = larger(slice[k], most);
            }
            long double tau = scalar_threshold(slice, n), right = value_of(x, i) > tau ? value_of(x, i) - tau : 0;
            long double unit = s.computed == RILLE_FLOAT32 ? 0.51L * FLT_EPSILON * right + 1e-14L : 1e-14L;
            cr_assert(fabsl(value_of(y, i) - right) <= unit, "seed %llu: %Lg, not %Lg", (unsigned long long)seed,
                      value_of(y, i), right);
            cr_assert(is_same(value_of(h, i), position_along(x, s.dim, i) == at), "hardmax, seed %llu",
                      (unsigned long long)seed);
            for (int64_t k = 0; k < n; k++) {
                int64_t place = place_along(x, s.dim, s.shape, i, k);
                bool in = value_of(y, place) > 0;
                mean += in ? value_of(g, place) : 0;
                support += in;
            }
            right = value_of(y, i) > 0 ? value_of(g, i) - mean / support : 0;
            for (int composed = 0; composed < 2; composed++)
                cr_assert(fabsl(value_of(dx[composed], i) - right) <= (s.computed == RILLE_FLOAT32 ? 4e-6L : 1e-14L),
                          "gradient, seed %llu: %Lg, not %Lg", (unsigned long long)seed, value_of(dx[composed], i), right);
        }
        rille_scope_pop(cx);
    }
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

Test(sparsemax, special_values)
{
    rille_context *cx = open_with(1, 0);
    const double inf = (double)INFINITY;
    for (int k = 3; k < 5; k++) {
#define ROW(...)                                                                                                               \
    rille_to(rille_from(cx, RILLE_FLOAT64, 1, (int64_t[]){sizeof((double[]){__VA_ARGS__}) / 8}, (double[]){__VA_ARGS__}),      \
             every_dtype[k])
        EXPECT_VALUES(rille_sparsemax(ROW(0.25, 0.75, -4), 0), 0.25, 0.75, 0);
        EXPECT_VALUES(rille_sparsemax(ROW(1e30, 1e30, 0), 0), 0.5, 0.5, 0);
        EXPECT_VALUES(rille_sparsemax(ROW(-inf, 3), 0), 0, 1);
        EXPECT_VALUES(rille_sparsemax(ROW(inf, 3), 0), (double)NAN, (double)NAN);
        EXPECT_VALUES(rille_sparsemax(ROW((double)NAN, 3), 0), (double)NAN, (double)NAN);
        EXPECT_VALUES(rille_sparsemax(ROW(-inf, -inf), 0), (double)NAN, (double)NAN);
        EXPECT_VALUES(rille_hardmax(ROW(1, 3, 3), 0), 0, 1, 0);
        EXPECT_VALUES(rille_hardmax(ROW(-inf, -inf), 0), 1, 0);
        EXPECT_VALUES(rille_hardmax(ROW(5, inf, inf), 0), 0, 1, 0);
        EXPECT_VALUES(rille_hardmax(ROW(5, (double)NAN), 0), (double)NAN, (double)NAN);
        EXPECT_VALUES(rille_softmin(ROW(-inf, -inf), 0), (double)NAN, (double)NAN);
        EXPECT_VALUES(rille_softmin(ROW(inf, 2, 2), 0), 0, 0.5, 0.5);
        EXPECT_VALUES(rille_crelu(ROW(-0.0, inf, -2), 0), 0, inf, 0, 0, 0, 2);
    }
    rille_close(cx);
}
