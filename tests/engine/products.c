/* Matrix products, softmax and cross-entropy against scalar code in long double. */
#include "accuracy/numbers.h"
#include "base/memory.h"
#include "engine/random_layouts.h"
#include "reference/ulp.h"

#include <stdio.h>

/* ---- Products: of small whole numbers, which every order of adding gets exactly right ---- */

typedef struct product { /* [batch..., n, k] [batch..., k, m], each side's batch broadcasting to the result's */
    int a_rank, b_rank, rank;
    int64_t a[8], b[8], shape[8];
    int64_t n, k, m;
} product;

static product random_product(uint64_t *rng)
{
    product p = {.n = random_below(rng, 6), .k = random_below(rng, 6), .m = random_below(rng, 6)};
    int64_t batch[3];
    p.rank = (int)random_below(rng, 4);
    for (int d = 0; d < p.rank; d++)
        batch[d] = p.shape[d] = 1 + random_below(rng, 3);
    int of_a = random_below(rng, 2) == 0 ? p.rank : (int)random_below(rng, p.rank + 1);
    int of_b = of_a < p.rank || random_below(rng, 2) == 0 ? p.rank : (int)random_below(rng, p.rank + 1);
    for (int d = 0; d < of_a; d++) /* a 1 on one side at most, so that the result is as big as was said */
        p.a[p.a_rank++] = batch[p.rank - of_a + d];
    for (int d = 0; d < of_b; d++)
        p.b[p.b_rank++] = of_a == p.rank && random_below(rng, 3) == 0 ? 1 : batch[p.rank - of_b + d];
    p.a[p.a_rank++] = p.n;
    p.a[p.a_rank++] = p.b[p.b_rank++] = p.k;
    p.b[p.b_rank++] = p.shape[p.rank + 1] = p.m;
    p.shape[p.rank] = p.n;
    p.rank += 2;
    return p;
}

/* Where the matrix of t is whose batch broadcasts against the i-th of the result's. */
static int64_t batch_place(const rille_tensor *t, const product *p, int64_t i)
{
    int64_t at = 0;
    for (int d = p->rank - 3; d >= 0; d--) {
        int own = d - (p->rank - rille_rank(t));
        if (own >= 0 && rille_shape(t)[own] != 1)
            at += i % p->shape[d] * rille_strides(t)[own];
        i /= p->shape[d];
    }
    return at;
}

static long double scalar_product(rille_tensor *a, rille_tensor *b, const product *p, int64_t batch, int64_t row,
                                  int64_t column)
{
    const int64_t *sa = rille_strides(a) + rille_rank(a) - 2, *sb = rille_strides(b) + rille_rank(b) - 2;
    int64_t from_a = batch_place(a, p, batch), from_b = batch_place(b, p, batch);
    long double total = 0;
    for (int64_t k = 0; k < p->k; k++)
        total += element_at(rille_dtype_of(a), rille_data(a), from_a + row * sa[0] + k * sa[1]) *
                 element_at(rille_dtype_of(b), rille_data(b), from_b + k * sb[0] + column * sb[1]);
    return total;
}

Test(matmul, against_scalars)
{
    rille_context *cx = open_with(2, 0);
    for (uint64_t seed = 0; seed < 1500; seed++) {
        uint64_t rng = seed;
        product p = random_product(&rng);
        rille_dtype of_a = every_dtype[3 + random_below(&rng, 2)], of_b = every_dtype[3 + random_below(&rng, 2)];
        rille_scope_push(cx);
        rille_tensor *a = random_layout(cx, &rng, of_a, WHOLE, p.a_rank, p.a);
        rille_tensor *b = random_layout(cx, &rng, of_b, WHOLE, p.b_rank, p.b);
        rille_tensor *c = rille_matmul(a, b);
        cr_assert(has_shape(c, p.rank, p.shape), "seed %llu: %s", (unsigned long long)seed, rille_error(cx));
        cr_expect_eq(rille_dtype_of(c), of_a > of_b ? of_a : of_b);
        for (int64_t i = 0; i < rille_numel(c); i++) {
            long double right = scalar_product(a, b, &p, i / (p.n * p.m), i / p.m % p.n, i % p.m);
            if (value_of(c, i) != right) {
                cr_expect_fail("seed %llu, element %lld: %Lg, not %Lg", (unsigned long long)seed, (long long)i, value_of(c, i),
                               right);
                break;
            }
        }
        rille_scope_pop(cx);
    }
    rille_close(cx);
}

/* [n, k] [k, m] with a product past what one tile is, by formula: a[i, j] = (3 i + 5 j) mod 7 - 3. */
static void check_tiles(rille_context *cx, int64_t n, int64_t k, int64_t m, bool turned)
{
    rille_scope_push(cx);
    rille_tensor *a = rille_empty(cx, RILLE_FLOAT32, 2, turned ? (int64_t[]){k, n} : (int64_t[]){n, k});
    rille_tensor *b = rille_empty(cx, RILLE_FLOAT32, 2, turned ? (int64_t[]){m, k} : (int64_t[]){k, m});
    for (int64_t i = 0; i < n * k; i++)
        ((float *)rille_data(a))[turned ? i % k * n + i / k : i] = (float)((3 * (i / k) + 5 * (i % k)) % 7 - 3);
    for (int64_t i = 0; i < k * m; i++)
        ((float *)rille_data(b))[turned ? i % m * k + i / m : i] = (float)((2 * (i / m) + 3 * (i % m)) % 5 - 2);
    rille_tensor *c = turned ? rille_matmul(rille_transpose(a, 0, 1), rille_transpose(b, 0, 1)) : rille_matmul(a, b);
    cr_assert(has_shape(c, SHAPE(n, m)), "%s", rille_error(cx));
    int64_t wrong = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < m; j++) { /* 35 = the period in k */
            int64_t total = 0, period = 0;
            for (int64_t l = 0; l < 35; l++)
                period += ((3 * i + 5 * l) % 7 - 3) * ((2 * l + 3 * j) % 5 - 2);
            for (int64_t l = k / 35 * 35; l < k; l++)
                total += ((3 * i + 5 * l) % 7 - 3) * ((2 * l + 3 * j) % 5 - 2);
            wrong += ((float *)rille_data(c))[i * m + j] != (float)(total + k / 35 * period);
        }
    cr_expect_eq(wrong, 0, "[%lld, %lld] [%lld, %lld]: %lld wrong", (long long)n, (long long)k, (long long)k, (long long)m,
                 (long long)wrong);
    rille_scope_pop(cx);
}

Test(matmul, around_the_edges_of_tiles)
{
    rille_context *cx = open_with(2, 0);
    int64_t sizes[] = {1, 255, 256, 257, 513};
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 5; j++) {
            check_tiles(cx, sizes[i], 71, sizes[j], false);
            check_tiles(cx, sizes[i], 71, sizes[j], true);
        }
    check_tiles(cx, 3, 100000, 5, false);
    check_tiles(cx, 257, 513, 256, false);
    rille_close(cx);
}

Test(matmul, vectors_and_special_values)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *m = rille_from(cx, RILLE_FLOAT64, SHAPE(2, 3), (double[]){1, 2, 3, 4, 5, 6});
    rille_tensor *two = rille_from(cx, RILLE_FLOAT64, SHAPE(2), (double[]){1, -1});
    rille_tensor *three = rille_from(cx, RILLE_FLOAT64, SHAPE(3), (double[]){1, 0, 2});
    EXPECT_VALUES(rille_matmul(m, three), 7, 16);
    EXPECT_VALUES(rille_matmul(two, m), -3, -3, -3);
    rille_tensor *dot = rille_matmul(three, three);
    cr_expect(rille_rank(dot) == 0 && rille_item(dot) == 5);
    cr_expect(has_shape(rille_matmul(rille_expand(m, SHAPE(4, 2, 3)), three), SHAPE(4, 2)));
    EXPECT_VALUES(rille_matmul(rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 0)), rille_zeros(cx, RILLE_FLOAT32, SHAPE(0, 2))), 0, 0,
                  0, 0);
    cr_expect(has_shape(rille_matmul(rille_zeros(cx, RILLE_FLOAT32, SHAPE(0, 5)), rille_zeros(cx, RILLE_FLOAT32, SHAPE(5, 2))),
                        SHAPE(0, 2)));
    rille_tensor *special = rille_from(cx, RILLE_FLOAT64, SHAPE(3), (double[]){NAN, 0, 0});
    EXPECT_VALUES(rille_matmul(m, special), NAN, NAN);
    ((double *)rille_data(special))[0] = INFINITY;
    EXPECT_VALUES(rille_matmul(rille_narrow(m, 0, 0, 1), special), INFINITY);
    rille_tensor *zero = rille_zeros(cx, RILLE_FLOAT64, SHAPE(3));
    cr_expect(isnan(rille_item(rille_matmul(zero, special))), "0 Inf is NaN");
    rille_tensor *tiny = rille_full(cx, RILLE_FLOAT32, SHAPE(1, 1), 1e-40),
                 *one = rille_full(cx, RILLE_FLOAT32, SHAPE(1, 1), 1);
    EXPECT_VALUES(rille_matmul(tiny, one), (double)1e-40f); /* subnormals are kept */
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

/* Nothing is allocated but the result, and for vectors the views that they are as matrices. */
static void expect_no_copy(rille_context *cx, const char *name, rille_tensor *a, rille_tensor *b)
{
    rille_scope_push(cx);
    rille_memory before = rille_memory_usage(cx);
    rille_empty(cx, RILLE_UINT8, SHAPE((int64_t)(before.peak - before.current))); /* from here on all shows in the peak */
    before = rille_memory_usage(cx);
    rille_tensor *c = rille_matmul(a, b);
    cr_assert_not_null(c, "%s: %s", name, rille_error(cx));
    size_t result = rl_block_size((size_t)rille_numel(c) * sizeof(float)), more = rille_memory_usage(cx).peak - before.current;
    cr_expect_lt(more, result + 16384, "%s: %zu bytes for a result of %zu", name, more, result);
    rille_scope_pop(cx);
}

Test(matmul, transposes_are_not_copied)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *m = rille_randn(cx, RILLE_FLOAT32, SHAPE(200, 200)),
                 *batch = rille_randn(cx, RILLE_FLOAT32, SHAPE(3, 200, 200));
    rille_tensor *long_column = rille_select(rille_randn(cx, RILLE_FLOAT32, SHAPE(20000, 3)), 1, 1);
    rille_tensor *turned = rille_transpose(m, 0, 1), *wide = rille_narrow(m, 1, 7, 150), *column = rille_select(m, 1, 3);
    expect_no_copy(cx, "transposes", turned, turned);
    expect_no_copy(cx, "a part and a transpose", rille_transpose(wide, 0, 1), turned);
    expect_no_copy(cx, "transposed batches", rille_transpose(batch, 1, 2), rille_transpose(batch, 1, 2));
    expect_no_copy(cx, "a batch and one matrix for all of it", batch, turned);
    expect_no_copy(cx, "a batch that is expanded", rille_expand(m, SHAPE(3, 200, 200)), batch);
    expect_no_copy(cx, "a batch dimension in the middle", rille_transpose(batch, 0, 1), rille_narrow(m, 0, 0, 200));
    expect_no_copy(cx, "columns as vectors", long_column, long_column);
    expect_no_copy(cx, "a matrix and a column", turned, column);
    expect_no_copy(cx, "a column and a batch", column, rille_transpose(batch, 1, 2));
    rille_close(cx);
}

Test(matmul, messages)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *a = rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 3)), *scalar = rille_scalar(cx, RILLE_FLOAT32, 1);
    rille_tensor *whole = rille_zeros(cx, RILLE_INT64, SHAPE(3, 2));
    EXPECT_FAILS(cx, rille_matmul(a, a), RILLE_ERROR_SHAPE, "matmul: shapes [2, 3] and [2, 3]: 3 columns against 2 rows");
    EXPECT_FAILS(cx, rille_matmul(a, rille_zeros(cx, RILLE_FLOAT32, SHAPE(2))), RILLE_ERROR_SHAPE,
                 "matmul: shapes [2, 3] and [2]: 3 columns against 2 rows");
    EXPECT_FAILS(cx, rille_matmul(a, scalar), RILLE_ERROR_SHAPE, "matmul: shapes [2, 3] and []; rank 1 or more expected");
    EXPECT_FAILS(cx, rille_matmul(a, whole), RILLE_ERROR_DTYPE,
                 "matmul: dtypes are float32 and int64; float32 or float64 expected");
    EXPECT_FAILS(
        cx, rille_matmul(rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 1, 3)), rille_zeros(cx, RILLE_FLOAT32, SHAPE(3, 3, 1))),
        RILLE_ERROR_SHAPE, "matmul: batches: shapes [2] and [3] do not broadcast (2 against 3, dimension 1 from the end)");
    EXPECT_FAILS(cx, rille_matmul(a, NULL), RILLE_ERROR_NULL, "matmul: input 2 is NULL");
    rille_close(cx);
}

Test(linear, against_scalars)
{
    rille_context *cx = open_with(2, 0);
    for (uint64_t seed = 0; seed < 600; seed++) {
        uint64_t rng = seed;
        int64_t shape[8], in = random_below(&rng, 6), units = random_below(&rng, 6);
        int rank = 1 + random_shape(&rng, 2, shape);
        shape[rank - 1] = in;
        rille_dtype dtype = every_dtype[3 + random_below(&rng, 2)];
        rille_scope_push(cx);
        rille_tensor *x = random_layout(cx, &rng, dtype, WHOLE, rank, shape);
        rille_tensor *w = random_layout(cx, &rng, dtype, WHOLE, SHAPE(units, in));
        rille_tensor *b = random_below(&rng, 2) == 0 ? NULL : random_layout(cx, &rng, dtype, WHOLE, SHAPE(units));
        rille_tensor *y = rille_linear(x, w, b);
        shape[rank - 1] = units;
        cr_assert(has_shape(y, rank, shape), "seed %llu: %s", (unsigned long long)seed, rille_error(cx));
        for (int64_t i = 0; i < rille_numel(y); i++) {
            long double right = b == NULL ? 0 : value_of(b, i % units);
            for (int64_t k = 0; k < in; k++)
                right += value_of(x, i / units * in + k) * value_of(w, i % units * in + k);
            cr_assert(value_of(y, i) == right, "seed %llu: %Lg, not %Lg", (unsigned long long)seed, value_of(y, i), right);
        }
        rille_scope_pop(cx);
    }
    rille_close(cx);
}

Test(linear, messages)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *x = rille_zeros(cx, RILLE_FLOAT32, SHAPE(4, 3)), *w = rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 3));
    EXPECT_FAILS(cx, rille_linear(x, rille_transpose(w, 0, 1), NULL), RILLE_ERROR_SHAPE,
                 "linear: input is [4, 3], weight is [3, 2]; [..., in] and [out, in] expected");
    EXPECT_FAILS(cx, rille_linear(rille_scalar(cx, RILLE_FLOAT32, 1), w, NULL), RILLE_ERROR_SHAPE,
                 "linear: input is [], weight is [2, 3]; [..., in] and [out, in] expected");
    EXPECT_FAILS(cx, rille_linear(x, w, rille_zeros(cx, RILLE_FLOAT32, SHAPE(3))), RILLE_ERROR_SHAPE,
                 "linear: bias is [3]; [2] expected");
    EXPECT_FAILS(cx, rille_linear(x, w, rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 1))), RILLE_ERROR_SHAPE,
                 "linear: bias is [2, 1]; [2] expected");
    EXPECT_FAILS(cx, rille_linear(x, w, rille_zeros(cx, RILLE_FLOAT64, SHAPE(2))), RILLE_ERROR_DTYPE,
                 "linear: input is float32, weight float32, bias float64; one floating dtype expected");
    EXPECT_FAILS(cx, rille_linear(rille_to(x, RILLE_FLOAT64), w, NULL), RILLE_ERROR_DTYPE,
                 "linear: input is float64, weight float32, bias none; one floating dtype expected");
    EXPECT_FAILS(cx, rille_linear(x, NULL, NULL), RILLE_ERROR_NULL, "linear: input 2 is NULL");
    rille_close(cx);
}

/* ---- softmax and log_softmax ---- */

/* The i-th element along dim of the row that t's element `at` lies in. */
static long double along(rille_tensor *t, int dim, int64_t at, int64_t i)
{
    int64_t inner = 1;
    for (int d = dim + 1; d < rille_rank(t); d++)
        inner *= rille_shape(t)[d];
    int64_t outer = at / inner / rille_shape(t)[dim];
    return value_of(t, (outer * rille_shape(t)[dim] + i) * inner + at % inner);
}

/* log softmax of t's element `at`: the first largest is left out of the sum, lest what the others have is lost beside it. */
static long double scalar_log_softmax(rille_tensor *t, int dim, int64_t at)
{
    long double most = -INFINITY, rest = 0;
    int64_t first = 0;
    for (int64_t i = 0; i < rille_shape(t)[dim]; i++)
        if (along(t, dim, at, i) > most) {
            most = along(t, dim, at, i);
            first = i;
        }
    for (int64_t i = 0; i < rille_shape(t)[dim]; i++)
        rest += i == first ? 0 : expl(along(t, dim, at, i) - most);
    return value_of(t, at) - most - log1pl(rest);
}

/* Relative to the result, however small: of float32 less than a ULP, of float64 what rounds (up to `scale`) in an exponent too. */
static bool is_close(rille_dtype dtype, long double got, long double right, long double scale)
{
    if (right != right)
        return got != got;
    if (dtype == RILLE_FLOAT32)
        return ulp_error_double(&ulp_float32, (double)got, (double)right) < 1;
    return fabsl(got - right) <= (fabsl(right) + scale) * 8 * DBL_EPSILON + 5e-324L;
}

Test(softmax, against_scalars)
{
    rille_context *cx = open_with(2, 0);
    for (uint64_t seed = 0; seed < 500; seed++) {
        uint64_t rng = seed;
        int64_t shape[8];
        int rank = random_shape(&rng, 3, shape);
        if (rank == 0)
            continue;
        int dim = (int)random_below(&rng, rank);
        rille_dtype dtype = every_dtype[random_below(&rng, 5)], expected = dtype == RILLE_FLOAT64 ? dtype : RILLE_FLOAT32;
        rille_scope_push(cx);
        rille_tensor *x = random_layout(cx, &rng, dtype, FINITE, rank, shape);
        rille_tensor *y = rille_softmax(x, dim), *z = rille_log_softmax(x, dim - rank);
        cr_assert(has_shape(y, rank, shape) && has_shape(z, rank, shape), "seed %llu", (unsigned long long)seed);
        cr_expect(rille_dtype_of(y) == expected && rille_dtype_of(z) == expected && rille_is_contiguous(y));
        for (int64_t i = 0; i < rille_numel(x) && i < 1000; i++) {
            long double right = scalar_log_softmax(x, dim, i);
            cr_assert(is_close(expected, value_of(z, i), right, 8), "log_softmax %Lg, not %Lg", value_of(z, i), right);
            cr_assert(is_close(expected, value_of(y, i), expl(right), expl(right)), "softmax %Lg, not %Lg", value_of(y, i),
                      expl(right));
        }
        rille_scope_pop(cx);
    }
    rille_close(cx);
}

/* Slices of as many elements, and as many of them, as kernels part by; of numbers so far apart that most are nothing beside the
 * largest; with slices among them that are too large, too certain or too special for arithmetic in float. */
static void fill_slices(int64_t count, int64_t n, float scale, float *x)
{
    uint64_t rng = (uint64_t)(count * n);
    for (int64_t i = 0; i < count * n; i++)
        x[i] = (float)random_uniform(&rng, -scale, scale);
    for (int64_t slice = 0; slice < count; slice++)
        switch (slice % 9) {
        case 1: x[slice * n] = 5000; break;
        case 3: x[slice * n + n / 2] = scale + 40; break;
        case 5: x[slice * n + n - 1] = -HUGE_VALF; break;
        case 7: x[slice * n + n / 3] = NAN; break;
        case 8: x[slice * n + n / 3] = HUGE_VALF; break;
        default: break;
        }
}

Test(softmax, slices_of_every_kind)
{
    static const int64_t sizes[] = {1, 2, 7, 31, 32, 33, 64, 65, 100, 129, 4096, 4097, 9001}, counts[] = {1, 4, 5, 32, 39};
    rille_context *cx = open_with(2, 0);
    for (size_t k = 0; k < 3 * sizeof sizes / sizeof *sizes * 5; k++) {
        const int64_t n = sizes[k / 15], count = n > 1000 ? 9 : counts[k % 5];
        rille_scope_push(cx);
        rille_tensor *x = rille_zeros(cx, RILLE_FLOAT32, SHAPE(count, n));
        fill_slices(count, n, k / 5 % 3 == 0 ? 1 : k / 5 % 3 == 1 ? 30 : 120, rille_data(x));
        rille_tensor *y = rille_softmax(x, 1), *z = rille_log_softmax(x, 1), *wide = rille_to(x, RILLE_FLOAT64);
        rille_tensor *log_exact = rille_log_softmax(wide, 1); /* whose error others look after */
        for (int64_t i = 0; i < count * n; i++) {
            const long double right = value_of(log_exact, i);
            cr_assert(is_close(RILLE_FLOAT32, value_of(z, i), right, 0), "log_softmax %Lg, not %Lg", value_of(z, i), right);
            cr_assert(is_close(RILLE_FLOAT32, value_of(y, i), expl(right), 0), "softmax %Lg, not %Lg", value_of(y, i),
                      expl(right));
        }
        rille_scope_pop(cx);
    }
    rille_close(cx);
}

#define ROW(cx, dtype, ...)                                                                                                    \
    rille_to(rille_from(cx, RILLE_FLOAT64, 1, (int64_t[]){sizeof((double[]){__VA_ARGS__}) / 8}, (double[]){__VA_ARGS__}), dtype)

Test(softmax, special_values)
{
    rille_context *cx = open_with(2, 0);
    const double inf = (double)INFINITY, nan = (double)NAN;
    for (int k = 3; k < 5; k++) {
        rille_dtype dtype = every_dtype[k];
        EXPECT_VALUES(rille_softmax(ROW(cx, dtype, 1e4, 1e4, -1e4, -1e4), 0), 0.5, 0.5, 0, 0);
        EXPECT_VALUES(rille_softmax(ROW(cx, dtype, 1e30, 1e30, 0, -1e30), 0), 0.5, 0.5, 0, 0);
        EXPECT_VALUES(rille_log_softmax(ROW(cx, dtype, 1e4, 0, -1e4), 0), 0, -1e4, -2e4);
        rille_tensor *huge = rille_log_softmax(ROW(cx, dtype, 1e30, 0, -1e30), 0);
        cr_expect(value_of(huge, 0) == 0 && is_close(dtype, value_of(huge, 1), -value_of(ROW(cx, dtype, 1e30), 0), 0));
        EXPECT_VALUES(rille_softmax(ROW(cx, dtype, -inf, 0, -inf), 0), 0, 1, 0);
        EXPECT_VALUES(rille_log_softmax(ROW(cx, dtype, -inf, 0), 0), -inf, 0);
        EXPECT_VALUES(rille_softmax(ROW(cx, dtype, -inf, -inf), 0), nan, nan);
        EXPECT_VALUES(rille_log_softmax(ROW(cx, dtype, -inf, -inf), 0), nan, nan);
        EXPECT_VALUES(rille_softmax(ROW(cx, dtype, inf, 0), 0), nan, nan);
        EXPECT_VALUES(rille_softmax(ROW(cx, dtype, nan, 0), 0), nan, nan);
        EXPECT_VALUES(rille_softmax(ROW(cx, dtype, 5), 0), 1);
        EXPECT_VALUES(rille_log_softmax(ROW(cx, dtype, 5), 0), 0);
    }
    rille_tensor *rows = rille_from(cx, RILLE_FLOAT32, SHAPE(2, 2), (float[]){NAN, 0, 1, 1});
    EXPECT_VALUES(rille_softmax(rows, 1), NAN, NAN, 0.5, 0.5); /* the other row is none the worse */
    rille_tensor *tail = rille_softmax(ROW(cx, RILLE_FLOAT32, 0, -100), 0);
    cr_expect(is_same(value_of(tail, 1), (float)exp(-100)), "a subnormal probability is kept");
    cr_expect(has_shape(rille_softmax(rille_zeros(cx, RILLE_FLOAT32, SHAPE(0, 3)), 0), SHAPE(0, 3)));
    cr_expect(has_shape(rille_softmax(rille_zeros(cx, RILLE_FLOAT32, SHAPE(3, 0)), 1), SHAPE(3, 0)));
    EXPECT_NO_ERROR(cx);
    EXPECT_FAILS(cx, rille_softmax(rille_scalar(cx, RILLE_FLOAT32, 1), 0), RILLE_ERROR_INDEX,
                 "softmax: a tensor of rank 0 has no dimensions");
    EXPECT_FAILS(cx, rille_log_softmax(rows, 2), RILLE_ERROR_INDEX,
                 "log_softmax: dimension 2 of shape [2, 2]; dimensions are 0 ... 1, or -1 ... -2 from the end");
    rille_close(cx);
}

/* ---- Their gradients: by fused kernels, and by operations that can be differentiated again ---- */

static rille_tensor *gradient_of(rille_tensor *y, rille_tensor *x, rille_tensor *g, bool composed)
{
    rille_tensor *dx = NULL;
    cr_assert_eq(rille_grad(&y, 1, &x, 1, &g, composed, &dx), RILLE_OK, "%s", rille_error(rille_context_of(x)));
    return dx;
}

static bool is_gradient(rille_tensor *dx, int64_t i, long double right, long double size)
{
    long double epsilon = rille_dtype_of(dx) == RILLE_FLOAT32 ? FLT_EPSILON : DBL_EPSILON;
    long double least = rille_dtype_of(dx) == RILLE_FLOAT32 ? 1e-45L : 5e-324L;
    return fabsl(value_of(dx, i) - right) <= 16 * epsilon * size + least;
}

/* Of the sums over the row that t's element i lies in. */
typedef struct row_sums {
    long double total, weighted, size; /* sum g, sum g softmax(x), sum |g| */
} row_sums;

static row_sums sums_of_row(rille_tensor *x, rille_tensor *g, int dim, int64_t i)
{
    row_sums s = {0, 0, 0};
    int64_t inner = 1;
    for (int d = dim + 1; d < rille_rank(x); d++)
        inner *= rille_shape(x)[d];
    for (int64_t k = 0; k < rille_shape(x)[dim]; k++) {
        int64_t at = i + (k - i / inner % rille_shape(x)[dim]) * inner;
        s.total += value_of(g, at);
        s.weighted += value_of(g, at) * expl(scalar_log_softmax(x, dim, at));
        s.size += fabsl(value_of(g, at));
    }
    return s;
}

Test(softmax, gradients_against_scalars)
{
    rille_context *cx = open_with(2, 0);
    for (uint64_t seed = 0; seed < 300; seed++) {
        uint64_t rng = seed;
        int64_t shape[8];
        int rank = random_shape(&rng, 3, shape);
        if (rank == 0 || shape[0] == 300) /* what is below takes the cube of a size */
            continue;
        int dim = (int)random_below(&rng, rank);
        rille_dtype dtype = every_dtype[3 + random_below(&rng, 2)];
        rille_scope_push(cx);
        rille_tensor *x = rille_clone(random_layout(cx, &rng, dtype, FINITE, rank, shape));
        rille_tensor *g = random_layout(cx, &rng, dtype, FINITE, rank, shape);
        rille_set_requires_grad(x, true);
        for (int composed = 0; composed < 2; composed++) {
            rille_tensor *dx = gradient_of(rille_softmax(x, dim), x, g, composed == 1);
            rille_tensor *dz = gradient_of(rille_log_softmax(x, dim), x, g, composed == 1);
            for (int64_t i = 0; i < rille_numel(x); i++) {
                long double y = expl(scalar_log_softmax(x, dim, i));
                row_sums s = sums_of_row(x, g, dim, i);
                cr_assert(is_gradient(dx, i, y * (value_of(g, i) - s.weighted), y * s.size), "softmax, seed %llu",
                          (unsigned long long)seed);
                cr_assert(is_gradient(dz, i, value_of(g, i) - y * s.total, s.size), "log_softmax, seed %llu",
                          (unsigned long long)seed);
            }
        }
        rille_scope_pop(cx);
    }
    rille_close(cx);
}

static rille_tensor *gradient_in(rille_dtype dtype, rille_tensor *f(rille_tensor *, int), rille_tensor *x, rille_tensor *g)
{
    rille_tensor *leaf = rille_detach(rille_to(x, dtype));
    rille_set_requires_grad(leaf, true);
    return gradient_of(f(leaf, 1), leaf, rille_to(g, dtype), false);
}

/* In float32 beside float64: the slices above, and gradients that float products of them would overflow or lose. */
Test(softmax, gradients_of_every_kind)
{
    static const int64_t sizes[] = {1, 2, 32, 33, 65, 100, 4097, 9001}, counts[] = {4, 37};
    static const float gradients[] = {1, 1e-37F, 3e38F};
    rille_context *cx = open_with(2, 0);
    for (size_t k = 0; k < 3 * sizeof sizes / sizeof *sizes * 2; k++) {
        const int64_t n = sizes[k / 6], count = n > 1000 ? 9 : counts[k % 2];
        rille_scope_push(cx);
        rille_tensor *x = rille_zeros(cx, RILLE_FLOAT32, SHAPE(count, n)), *g = rille_zeros(cx, RILLE_FLOAT32, SHAPE(count, n));
        uint64_t rng = k;
        fill_slices(count, n, 9, rille_data(x));
        for (int64_t i = 0; i < count * n; i++)
            ((float *)rille_data(g))[i] = (float)random_uniform(&rng, -1, 1) * gradients[k / 2 % 3];
        rille_tensor *p = rille_softmax(rille_to(x, RILLE_FLOAT64), 1);
        rille_tensor *dx = gradient_in(RILLE_FLOAT32, rille_softmax, x, g),
                     *right = gradient_in(RILLE_FLOAT64, rille_softmax, x, g);
        rille_tensor *dz = gradient_in(RILLE_FLOAT32, rille_log_softmax, x, g);
        rille_tensor *right_z = gradient_in(RILLE_FLOAT64, rille_log_softmax, x, g);
        for (int64_t i = 0; i < count * n; i++) {
            const long double y = value_of(p, i), size = fmaxl(fabsl(value_of(right_z, i)), gradients[k / 2 % 3]);
            if (isnan(y))
                cr_assert(isnan(value_of(dx, i)) && isnan(value_of(dz, i)));
            else if (size * (1 + y * (long double)n) < FLT_MAX)
                cr_assert(is_gradient(dx, i, value_of(right, i), y * size) &&
                              is_gradient(dz, i, value_of(right_z, i), 2 * size),
                          "size %lld: %Lg, not %Lg; %Lg, not %Lg", (long long)n, value_of(dx, i), value_of(right, i),
                          value_of(dz, i), value_of(right_z, i));
        }
        rille_scope_pop(cx);
    }
    rille_close(cx);
}

/* ---- cross_entropy ---- */

Test(cross_entropy, against_scalars)
{
    for (int base = 0; base < 2; base++) {
        rille_context *cx = open_with(2, base);
        for (uint64_t seed = 0; seed < 200; seed++) {
            uint64_t rng = seed;
            int64_t n = 1 + random_below(&rng, 6), classes = 1 + random_below(&rng, 5);
            rille_dtype dtype = every_dtype[3 + random_below(&rng, 2)];
            rille_scope_push(cx);
            rille_tensor *x = random_layout(cx, &rng, dtype, FINITE, SHAPE(n, classes));
            rille_tensor *labels = rille_empty(cx, RILLE_INT64, SHAPE(n, 2)), *column = rille_select(labels, 1, 1);
            long double total = 0;
            for (int64_t i = 0; i < n; i++) {
                int64_t label = random_below(&rng, classes);
                ((int64_t *)rille_data(labels))[2 * i + 1] = label + base;
                ((int64_t *)rille_data(labels))[2 * i] = -99;
                total -= scalar_log_softmax(x, 1, i * classes + label);
            }
            rille_tensor *loss = rille_cross_entropy(x, column);
            cr_assert(has_shape(loss, 0, NULL) && rille_dtype_of(loss) == dtype, "%s", rille_error(cx));
            cr_expect(fabsl(value_of(loss, 0) - total / n) <= 8 * (dtype == RILLE_FLOAT32 ? FLT_EPSILON : 8 * DBL_EPSILON));
            cr_expect_eq(rille_item(rille_cross_entropy(x, rille_to(column, RILLE_UINT8))), rille_item(loss));
            rille_scope_pop(cx);
        }
        rille_close(cx);
    }
}

/* g (softmax - 1 at the label) / n: at the label, minus what the others have, however little that is. */
Test(cross_entropy, gradients_against_scalars)
{
    rille_context *cx = open_with(2, 1);
    for (uint64_t seed = 0; seed < 200; seed++) {
        uint64_t rng = seed;
        int64_t n = 1 + random_below(&rng, 6), classes = 1 + random_below(&rng, 40);
        rille_dtype dtype = every_dtype[3 + random_below(&rng, 2)];
        rille_scope_push(cx);
        rille_tensor *scale = rille_scalar(cx, dtype, seed % 2 == 0 ? 1 : 30), *g = rille_scalar(cx, dtype, 2);
        rille_tensor *x = rille_mul(random_layout(cx, &rng, dtype, FINITE, SHAPE(n, classes)), scale);
        rille_tensor *labels = rille_empty(cx, RILLE_INT64, SHAPE(n));
        for (int64_t i = 0; i < n; i++)
            ((int64_t *)rille_data(labels))[i] = 1 + random_below(&rng, classes);
        rille_set_requires_grad(x, true);
        rille_tensor *fused = gradient_of(rille_cross_entropy(x, labels), x, g, false);
        rille_tensor *composed = gradient_of(rille_cross_entropy(x, labels), x, g, true);
        for (int64_t i = 0; i < n * classes; i++) {
            bool own = ((int64_t *)rille_data(labels))[i / classes] - 1 == i % classes;
            long double y = expl(scalar_log_softmax(x, 1, i)), others = 0;
            for (int64_t k = 0; k < classes; k++)
                others += k == i % classes ? 0 : expl(scalar_log_softmax(x, 1, i / classes * classes + k));
            long double right = 2 * (own ? -others : y) / n;
            cr_assert(is_gradient(fused, i, right, fabsl(right) * (dtype == RILLE_FLOAT64 ? 20 : 1)), "seed %llu: %Lg, not %Lg",
                      (unsigned long long)seed, value_of(fused, i), right);
            cr_assert(is_gradient(composed, i, right, 1), "composed, seed %llu", (unsigned long long)seed);
        }
        rille_scope_pop(cx);
    }
    rille_close(cx);
}

Test(cross_entropy, special_values)
{
    rille_context *cx = open_with(2, 1);
    const double inf = (double)INFINITY;
    rille_tensor *first = rille_full(cx, RILLE_INT64, SHAPE(1), 1), *second = rille_full(cx, RILLE_INT64, SHAPE(1), 2);
    rille_tensor *huge = rille_from(cx, RILLE_FLOAT64, SHAPE(1, 2), (double[]){1e4, -1e4});
    EXPECT_VALUES(rille_cross_entropy(huge, first), 0);
    EXPECT_VALUES(rille_cross_entropy(huge, second), 2e4);
    EXPECT_VALUES(rille_cross_entropy(rille_from(cx, RILLE_FLOAT64, SHAPE(1, 2), (double[]){0, -inf}), second), inf);
    EXPECT_VALUES(rille_cross_entropy(rille_full(cx, RILLE_FLOAT32, SHAPE(1, 2), -inf), first), (double)NAN);
    rille_tensor *none =
        rille_cross_entropy(rille_zeros(cx, RILLE_FLOAT32, SHAPE(0, 3)), rille_zeros(cx, RILLE_INT64, SHAPE(0)));
    EXPECT_VALUES(none, (double)NAN); /* the mean of nothing */
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

static rille_tensor *labels_of(rille_context *cx, int64_t first, int64_t second)
{
    return rille_from(cx, RILLE_INT64, SHAPE(2), (int64_t[]){first, second});
}

Test(cross_entropy, messages)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *x = rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 3));
    EXPECT_FAILS(cx, rille_cross_entropy(x, labels_of(cx, 0, 3)), RILLE_ERROR_INDEX,
                 "cross_entropy: label 3 at position 1; labels start at 0 and end at 2");
    EXPECT_FAILS(cx, rille_cross_entropy(x, labels_of(cx, -1, 3)), RILLE_ERROR_INDEX,
                 "cross_entropy: label -1 at position 0; labels start at 0 and end at 2");
    EXPECT_FAILS(cx, rille_cross_entropy(x, labels_of(cx, 0, INT64_MAX)), RILLE_ERROR_INDEX,
                 "cross_entropy: label 9223372036854775807 at position 1; labels start at 0 and end at 2");
    EXPECT_FAILS(cx, rille_cross_entropy(x, rille_zeros(cx, RILLE_FLOAT32, SHAPE(2))), RILLE_ERROR_DTYPE,
                 "cross_entropy: logits are float32, labels are float32; floating and int64 expected");
    EXPECT_FAILS(cx, rille_cross_entropy(x, rille_zeros(cx, RILLE_BOOL, SHAPE(2))), RILLE_ERROR_DTYPE,
                 "cross_entropy: logits are float32, labels are bool; floating and int64 expected");
    EXPECT_FAILS(cx, rille_cross_entropy(rille_to(x, RILLE_INT64), labels_of(cx, 0, 0)), RILLE_ERROR_DTYPE,
                 "cross_entropy: logits are int64, labels are int64; floating and int64 expected");
    EXPECT_FAILS(cx, rille_cross_entropy(x, rille_zeros(cx, RILLE_INT64, SHAPE(3))), RILLE_ERROR_SHAPE,
                 "cross_entropy: logits are [2, 3], labels are [3]; [n, classes] and [n] expected");
    EXPECT_FAILS(cx, rille_cross_entropy(rille_zeros(cx, RILLE_FLOAT32, SHAPE(3)), labels_of(cx, 0, 0)), RILLE_ERROR_SHAPE,
                 "cross_entropy: logits are [3], labels are [2]; [n, classes] and [n] expected");
    rille_close(cx);
    cx = open_with(2, 1);
    x = rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 3));
    EXPECT_FAILS(cx, rille_cross_entropy(x, labels_of(cx, 0, 1)), RILLE_ERROR_INDEX,
                 "cross_entropy: label 0 at position 1; labels start at 1 and end at 3");
    EXPECT_FAILS(cx, rille_cross_entropy(x, labels_of(cx, 3, 4)), RILLE_ERROR_INDEX,
                 "cross_entropy: label 4 at position 2; labels start at 1 and end at 3");
    EXPECT_FAILS(cx, rille_cross_entropy(x, labels_of(cx, 1, INT64_MIN)), RILLE_ERROR_INDEX,
                 "cross_entropy: label -9223372036854775808 at position 2; labels start at 1 and end at 3");
    rille_close(cx);
}
