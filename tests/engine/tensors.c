/* Tensors: how they are made, converted, viewed, copied, looked at and printed. */
#include "base/rng.h"
#include "engine/support.h"

#include <string.h>

static const rille_dtype every_dtype[] = {RILLE_FLOAT32, RILLE_FLOAT64, RILLE_INT64, RILLE_UINT8, RILLE_BOOL};
enum { DTYPES = 5 };

/* ---- Making them ---- */

Test(create, every_dtype)
{
    rille_context *cx = open_with(2, 0);
    for (int i = 0; i < DTYPES; i++) {
        rille_tensor *t = rille_full(cx, every_dtype[i], SHAPE(2, 3), 1);
        cr_assert(has_shape(t, SHAPE(2, 3)));
        cr_expect_eq(rille_dtype_of(t), every_dtype[i]);
        cr_expect_eq(rille_numel(t), 6);
        cr_expect_eq(rille_strides(t)[0], 3);
        cr_expect_eq(rille_strides(t)[1], 1);
        cr_expect(rille_is_contiguous(t) && rille_is_leaf(t) && !rille_requires_grad(t));
        cr_expect_eq(rille_context_of(t), cx);
        EXPECT_VALUES(t, 1, 1, 1, 1, 1, 1);
        EXPECT_VALUES(rille_zeros(cx, every_dtype[i], SHAPE(3)), 0, 0, 0);
        rille_tensor *scalar = rille_scalar(cx, every_dtype[i], 1);
        cr_expect(rille_rank(scalar) == 0 && rille_numel(scalar) == 1 && rille_item(scalar) == 1);
        cr_expect(rille_empty(cx, every_dtype[i], SHAPE(4, 0, 2)) != NULL);
    }
    double values[] = {1, -2, 3, -4};
    rille_tensor *from = rille_from(cx, RILLE_FLOAT64, SHAPE(2, 2), values);
    values[0] = 7; /* it is a copy */
    EXPECT_VALUES(from, 1, -2, 3, -4);
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

Test(create, dtypes_have_names_and_sizes)
{
    static const char *const name[] = {"float32", "float64", "int64", "uint8", "bool"};
    static const size_t size[] = {4, 8, 8, 1, 1};
    for (int i = 0; i < DTYPES; i++) {
        cr_expect_str_eq(rille_dtype_name(every_dtype[i]), name[i]);
        cr_expect_eq(rille_dtype_size(every_dtype[i]), size[i]);
    }
    cr_expect_str_eq(rille_dtype_name((rille_dtype)5), "unknown dtype");
    cr_expect_str_eq(rille_dtype_name((rille_dtype)-1), "unknown dtype");
    cr_expect_eq(rille_dtype_size((rille_dtype)99), 0);
    cr_expect_str_eq(rille_version(), RILLE_VERSION);
}

Test(create, progressions)
{
    rille_context *cx = open_with(2, 0);
    EXPECT_VALUES(rille_arange(cx, RILLE_INT64, 0, 5, 1), 0, 1, 2, 3, 4);
    EXPECT_VALUES(rille_arange(cx, RILLE_FLOAT64, 1, 2, 0.25), 1, 1.25, 1.5, 1.75);
    EXPECT_VALUES(rille_arange(cx, RILLE_FLOAT32, 3, 0, -1.5), 3, 1.5);
    EXPECT_VALUES(rille_arange(cx, RILLE_UINT8, 254, 258, 1), 254, 255, 255, 255);
    EXPECT_VALUES(rille_arange(cx, RILLE_BOOL, 0, 3, 1), 0, 1, 1);
    cr_expect(has_shape(rille_arange(cx, RILLE_INT64, 0, 0, 1), SHAPE(0)));
    cr_expect(has_shape(rille_arange(cx, RILLE_INT64, 0, 5, -1), SHAPE(0)));
    /* start + i step, not start + step + step ... */
    rille_tensor *tenths = rille_arange(cx, RILLE_FLOAT64, 0, 1000, 0.1);
    cr_expect(has_shape(tenths, SHAPE(10000)));
    cr_expect_eq((double)value_of(tenths, 9999), 9999 * 0.1);
    EXPECT_VALUES(rille_linspace(cx, RILLE_FLOAT64, 0, 1, 5), 0, 0.25, 0.5, 0.75, 1);
    EXPECT_VALUES(rille_linspace(cx, RILLE_FLOAT64, 3, -1, 3), 3, 1, -1);
    EXPECT_VALUES(rille_linspace(cx, RILLE_INT64, 0, 10, 3), 0, 5, 10);
    EXPECT_VALUES(rille_linspace(cx, RILLE_FLOAT64, 2, 9, 1), 2);
    cr_expect(has_shape(rille_linspace(cx, RILLE_FLOAT64, 2, 9, 0), SHAPE(0)));
    rille_tensor *thirds = rille_linspace(cx, RILLE_FLOAT64, 0, 0.7, 8); /* 7 (0.7 / 7) is not 0.7 */
    cr_expect(is_same(value_of(thirds, 7), 0.7));
    EXPECT_VALUES(rille_eye(cx, RILLE_FLOAT32, 3), 1, 0, 0, 0, 1, 0, 0, 0, 1);
    EXPECT_VALUES(rille_eye(cx, RILLE_BOOL, 1), 1);
    cr_expect(has_shape(rille_eye(cx, RILLE_INT64, 0), SHAPE(0, 0)));
    EXPECT_NO_ERROR(cx);

    EXPECT_FAILS(cx, rille_arange(cx, RILLE_INT64, 0, 5, 0), RILLE_ERROR_ARGUMENT,
                 "arange: from 0 to 5 in steps of 0 is no finite progression");
    EXPECT_FAILS(cx, rille_arange(cx, RILLE_INT64, 0, (double)INFINITY, 1), RILLE_ERROR_ARGUMENT,
                 "arange: from 0 to inf in steps of 1 is no finite progression");
    EXPECT_FAILS(cx, rille_arange(cx, RILLE_INT64, 0, (double)NAN, 1), RILLE_ERROR_ARGUMENT,
                 "arange: from 0 to nan in steps of 1 is no finite progression");
    EXPECT_FAILS(cx, rille_arange(cx, RILLE_FLOAT32, 0, 1, 1e-300), RILLE_ERROR_ARGUMENT,
                 "arange: from 0 to 1 in steps of 1e-300 is no finite progression");
    EXPECT_FAILS(cx, rille_arange(cx, RILLE_FLOAT32, 0, 0x1p61, 1), RILLE_ERROR_SHAPE,
                 "arange: shape [2305843009213693952] has more elements than memory can hold");
    EXPECT_FAILS(cx, rille_linspace(cx, RILLE_FLOAT32, 0, 1, -1), RILLE_ERROR_SHAPE,
                 "linspace: size -1 in shape [-1] is negative");
    EXPECT_FAILS(cx, rille_eye(cx, RILLE_FLOAT32, -2), RILLE_ERROR_SHAPE, "eye: size -2 in shape [-2, -2] is negative");
    EXPECT_FAILS(cx, rille_arange(cx, (rille_dtype)7, 0, 3, 1), RILLE_ERROR_DTYPE, "arange: 7 is no dtype");
    rille_close(cx);
}

Test(create, nothing_is_left_of_one_that_fails)
{
    rille_context *cx = open_with(2, 0);
    size_t before = rille_memory_usage(cx).current;
    cr_expect_null(rille_arange(cx, (rille_dtype)7, 0, 3, 1));
    cr_expect_null(rille_linspace(cx, (rille_dtype)7, 0, 3, 1));
    cr_expect_eq(rille_memory_usage(cx).current, before);
    rille_close(cx);
}

Test(create, shapes_that_cannot_be)
{
    rille_context *cx = open_with(2, 0);
    EXPECT_FAILS(cx, rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, -3)), RILLE_ERROR_SHAPE,
                 "zeros: size -3 in shape [2, -3] is negative");
    EXPECT_FAILS(cx, rille_zeros(cx, RILLE_FLOAT32, SHAPE(1, 1, 1, 1, 1, 1, 1, 1, 1)), RILLE_ERROR_SHAPE,
                 "zeros: rank 9 is not in 0 ... 8");
    EXPECT_FAILS(cx, rille_rand(cx, RILLE_FLOAT32, -1, NULL), RILLE_ERROR_SHAPE, "rand: rank -1 is not in 0 ... 8");
    EXPECT_FAILS(cx, rille_full(cx, RILLE_FLOAT64, SHAPE(INT64_MAX), 1), RILLE_ERROR_SHAPE,
                 "full: shape [9223372036854775807] has more elements than memory can hold");
    EXPECT_FAILS(cx, rille_empty(cx, RILLE_UINT8, SHAPE(1LL << 32, 1LL << 32)), RILLE_ERROR_SHAPE,
                 "empty: shape [4294967296, 4294967296] has more elements than memory can hold");
    EXPECT_FAILS(cx, rille_empty(cx, RILLE_UINT8, SHAPE(3037000500, 3037000500)), RILLE_ERROR_SHAPE,
                 "empty: shape [3037000500, 3037000500] has more elements than memory can hold");
    EXPECT_FAILS(cx, rille_from(cx, (rille_dtype)-1, SHAPE(1), NULL), RILLE_ERROR_DTYPE, "from: -1 is no dtype");
    EXPECT_FAILS(cx, rille_randn(cx, RILLE_INT64, SHAPE(3)), RILLE_ERROR_DTYPE,
                 "randn: dtype is int64; float32 or float64 expected");
    EXPECT_FAILS(cx, rille_randperm(cx, -1), RILLE_ERROR_SHAPE, "randperm: size -1 in shape [-1] is negative");
    /* None of its sizes may be nonsense, even where another one is 0. */
    EXPECT_FAILS(cx, rille_zeros(cx, RILLE_FLOAT32, SHAPE(0, INT64_MAX, INT64_MAX)), RILLE_ERROR_SHAPE,
                 "zeros: shape [0, 9223372036854775807, 9223372036854775807] has more elements than memory can hold");
    EXPECT_FAILS(cx, rille_zeros(cx, RILLE_FLOAT32, SHAPE(INT64_MAX, 3, 0)), RILLE_ERROR_SHAPE,
                 "zeros: shape [9223372036854775807, 3, 0] has more elements than memory can hold");
    EXPECT_FAILS(cx, rille_zeros(cx, RILLE_FLOAT32, SHAPE(0, -1)), RILLE_ERROR_SHAPE,
                 "zeros: size -1 in shape [0, -1] is negative");
    cr_expect(has_shape(rille_zeros(cx, RILLE_FLOAT32, SHAPE(1, 1, 1, 1, 1, 1, 1, 2)), SHAPE(1, 1, 1, 1, 1, 1, 1, 2)));
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

/* ---- Conversions ---- */

typedef struct conversion {
    double from;
    float float32;
    int64_t int64;
    uint8_t uint8;
    bool truth;
} conversion;

static const conversion conversions[] = {
    {0, 0, 0, 0, false},
    {-0.0, -0.0f, 0, 0, false},
    {1, 1, 1, 1, true},
    {0.999, 0.999f, 0, 0, true},
    {-0.999, -0.999f, 0, 0, true},
    {-1.5, -1.5f, -1, 0, true},
    {254.9, 254.9f, 254, 254, true},
    {255, 255, 255, 255, true},
    {256, 256, 256, 255, true},
    {5e-324, 0, 0, 0, true},
    {1e-40, 1e-40f, 0, 0, true},
    {1e40, INFINITY, INT64_MAX, 255, true},
    {0x1p63, 0x1p63f, INT64_MAX, 255, true},
    {-0x1p63, -0x1p63f, INT64_MIN, 0, true},
    {0x1.fffffffffffffp62, 0x1p63f, 9223372036854774784, 255, true},
    {-1e300, -INFINITY, INT64_MIN, 0, true},
    {INFINITY, INFINITY, INT64_MAX, 255, true},
    {-INFINITY, -INFINITY, INT64_MIN, 0, true},
    {NAN, NAN, 0, 0, true},
};
enum { CONVERSIONS = sizeof conversions / sizeof conversions[0] };

/* to, full and copy_out agree with the row. */
static void check_conversion(rille_context *cx, const conversion *c, rille_dtype dtype, long double expected)
{
    rille_tensor *wide = rille_scalar(cx, RILLE_FLOAT64, c->from), *full = rille_full(cx, dtype, SHAPE(1), c->from);
    rille_tensor *to = rille_to(wide, dtype), *copy = rille_zeros(cx, dtype, 0, NULL);
    char out[8];
    cr_assert_eq(rille_copy_out(wide, dtype, out), RILLE_OK);
    cr_assert_eq(rille_copy(copy, wide), RILLE_OK);
    const char *name = rille_dtype_name(dtype);
    cr_expect(is_same(value_of(to, 0), expected), "%g to %s is %Lg, not %Lg", c->from, name, value_of(to, 0), expected);
    cr_expect(is_same(value_of(full, 0), expected), "full of %g as %s", c->from, name);
    cr_expect(is_same(value_of(copy, 0), expected), "copy of %g as %s", c->from, name);
    cr_expect(is_same(element_at(dtype, out, 0), expected), "copy_out of %g as %s", c->from, name);
    cr_expect(is_same((long double)rille_item(to), (double)expected), "item of %g as %s", c->from, name);
}

Test(convert, saturates)
{
    rille_context *cx = open_with(2, 0);
    for (int i = 0; i < CONVERSIONS; i++) {
        const conversion *c = &conversions[i];
        check_conversion(cx, c, RILLE_FLOAT64, (long double)c->from);
        check_conversion(cx, c, RILLE_FLOAT32, (long double)c->float32);
        check_conversion(cx, c, RILLE_INT64, (long double)c->int64);
        check_conversion(cx, c, RILLE_UINT8, (long double)c->uint8);
        check_conversion(cx, c, RILLE_BOOL, (long double)c->truth);
        /* from float32 as from the float64 of the same value */
        rille_tensor *narrow = rille_scalar(cx, RILLE_FLOAT32, c->from);
        rille_tensor *as_float64 = rille_to(narrow, RILLE_FLOAT64);
        for (int k = 0; k < DTYPES; k++)
            cr_expect(
                is_same(value_of(rille_to(narrow, every_dtype[k]), 0), value_of(rille_to(as_float64, every_dtype[k]), 0)));
    }
    rille_close(cx);
}

Test(convert, integers)
{
    rille_context *cx = open_with(2, 0);
    int64_t values[] = {0, 1, -1, 255, 256, INT64_MAX, INT64_MIN, 16777217};
    rille_tensor *t = rille_from(cx, RILLE_INT64, SHAPE(8), values);
    EXPECT_VALUES(rille_to(t, RILLE_UINT8), 0, 1, 0, 255, 255, 255, 0, 255);
    EXPECT_VALUES(rille_to(t, RILLE_BOOL), 0, 1, 1, 1, 1, 1, 1, 1);
    EXPECT_VALUES(rille_to(t, RILLE_FLOAT32), 0, 1, -1, 255, 256, 0x1p63, -0x1p63, 16777216);
    EXPECT_VALUES(rille_to(t, RILLE_FLOAT64), 0, 1, -1, 255, 256, 0x1p63, -0x1p63, 16777217);
    uint8_t bytes[] = {0, 1, 127, 255};
    rille_tensor *b = rille_from(cx, RILLE_UINT8, SHAPE(4), bytes);
    for (int k = 0; k < 4; k++)
        EXPECT_VALUES(rille_to(b, every_dtype[k]), 0, 1, 127, 255);
    EXPECT_VALUES(rille_to(b, RILLE_BOOL), 0, 1, 1, 1);
    rille_tensor *truth = rille_to(b, RILLE_BOOL);
    for (int k = 0; k < DTYPES; k++)
        EXPECT_VALUES(rille_to(truth, every_dtype[k]), 0, 1, 1, 1);
    EXPECT_FAILS(cx, rille_to(t, (rille_dtype)9), RILLE_ERROR_DTYPE, "to: 9 is no dtype");
    char out[64];
    EXPECT_STATUS(cx, rille_copy_out(t, (rille_dtype)9, out), RILLE_ERROR_DTYPE, "copy_out: 9 is no dtype");
    rille_close(cx);
}

/* ---- Random numbers ---- */

Test(random, philox_is_the_published_one)
{
    rl_random_block r = rl_random(0, 0); /* known answer of Philox4x32-10, Random123's kat_vectors */
    cr_expect_eq(r.word[0], 0x6627e8d5u);
    cr_expect_eq(r.word[1], 0xe169c58du);
    cr_expect_eq(r.word[2], 0xbc57ac4cu);
    cr_expect_eq(r.word[3], 0x9b00dbd8u);
}

typedef struct sample_moments {
    double mean, variance, skewness, kurtosis, low, high, neighbour; /* neighbour: correlation with the next element */
} sample_moments;

static sample_moments moments_of(rille_tensor *t)
{
    sample_moments m = {.low = INFINITY, .high = -INFINITY};
    double n = (double)rille_numel(t), third = 0, fourth = 0, next = 0;
    for (int64_t i = 0; i < rille_numel(t); i++)
        m.mean += (double)value_of(t, i) / n;
    for (int64_t i = 0; i < rille_numel(t); i++) {
        double x = (double)value_of(t, i), d = x - m.mean;
        m.low = fmin(m.low, x);
        m.high = fmax(m.high, x);
        m.variance += d * d / n;
        third += d * d * d / n;
        fourth += d * d * d * d / n;
        if (i + 1 < rille_numel(t))
            next += d * ((double)value_of(t, i + 1) - m.mean) / n;
    }
    m.skewness = third / pow(m.variance, 1.5);
    m.kurtosis = fourth / (m.variance * m.variance);
    m.neighbour = next / m.variance;
    return m;
}

static bool is_near(double x, double expected, double tolerance) /* of five standard errors */
{
    return fabs(x - expected) <= tolerance;
}

Test(random, moments)
{
    enum { N = 400001 };
    const double root = 5 / sqrt(N);
    rille_context *cx = open_with(2, 0);
    for (int k = 0; k < 2; k++) {
        sample_moments u = moments_of(rille_rand(cx, every_dtype[k], SHAPE(N)));
        cr_expect(u.low >= 0 && u.low < 1e-4 && u.high < 1 && u.high > 1 - 1e-4, "%g ... %g", u.low, u.high);
        cr_expect(is_near(u.mean, 0.5, root * 0.289) && is_near(u.variance, 1 / 12.0, root * 0.075));
        cr_expect(is_near(u.skewness, 0, root * 2) && is_near(u.kurtosis, 1.8, root * 2) && is_near(u.neighbour, 0, root));
        sample_moments z = moments_of(rille_randn(cx, every_dtype[k], SHAPE(N)));
        cr_expect(is_near(z.mean, 0, root) && is_near(z.variance, 1, root * 1.42), "mean %g, variance %g", z.mean, z.variance);
        cr_expect(is_near(z.skewness, 0, root * 2.45) && is_near(z.kurtosis, 3, root * 4.9), "%g %g", z.skewness, z.kurtosis);
        cr_expect(is_near(z.neighbour, 0, root) && z.low < -4 && z.high > 4 && z.high < 7);
    }
    rille_close(cx);
}

static bool equal_elements(rille_tensor *a, rille_tensor *b)
{
    bool same = rille_numel(a) == rille_numel(b);
    for (int64_t i = 0; same && i < rille_numel(a); i++)
        same = is_same(value_of(a, i), value_of(b, i));
    return same;
}

typedef rille_tensor *drawer(rille_context *cx, rille_dtype dtype, int rank, const int64_t *shape);

static rille_tensor *draw_randperm(rille_context *cx, rille_dtype dtype, int rank, const int64_t *shape)
{
    (void)dtype;
    (void)rank;
    return rille_randperm(cx, shape[0]);
}

Test(random, seeds_decide)
{
    drawer *draw[] = {rille_rand, rille_randn, draw_randperm};
    for (int f = 0; f < 3; f++)
        for (int k = 0; k < 2; k++) {
            rille_context *one = rille_open(&(rille_options){.threads = 1, .seed = 42});
            rille_context *three = rille_open(&(rille_options){.threads = 3, .seed = 42});
            rille_context *other = rille_open(&(rille_options){.threads = 1, .seed = 43});
            rille_tensor *first = draw[f](one, every_dtype[k], SHAPE(20011)),
                         *again = draw[f](three, every_dtype[k], SHAPE(20011));
            cr_expect(equal_elements(first, again), "1 and 3 threads");
            cr_expect(!equal_elements(first, draw[f](other, every_dtype[k], SHAPE(20011))), "another seed");
            rille_tensor *second = draw[f](one, every_dtype[k], SHAPE(20011));
            cr_expect(!equal_elements(first, second), "a second draw");
            cr_expect(equal_elements(second, draw[f](three, every_dtype[k], SHAPE(20011))));
            rille_manual_seed(one, 42);
            cr_expect(equal_elements(first, draw[f](one, every_dtype[k], SHAPE(20011))), "the seed again");
            rille_manual_seed(other, 42);
            cr_expect(equal_elements(first, draw[f](other, every_dtype[k], SHAPE(20011))));
            rille_close(one);
            rille_close(three);
            rille_close(other);
        }
}

Test(random, shapes_do_not_matter)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *flat = rille_rand(cx, RILLE_FLOAT32, SHAPE(30));
    rille_manual_seed(cx, 0);
    rille_tensor *cube = rille_rand(cx, RILLE_FLOAT32, SHAPE(2, 3, 5));
    cr_expect(equal_elements(flat, cube));
    cr_expect(rille_rand(cx, RILLE_FLOAT32, SHAPE(0, 3)) != NULL);
    cr_expect(rille_rank(rille_randn(cx, RILLE_FLOAT64, 0, NULL)) == 0);
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

Test(random, randperm_is_a_permutation)
{
    for (int base = 0; base < 2; base++) {
        rille_context *cx = open_with(2, base);
        int64_t sizes[] = {0, 1, 2, 3, 10, 1000};
        for (int k = 0; k < 6; k++) {
            rille_tensor *p = rille_randperm(cx, sizes[k]);
            cr_assert(has_shape(p, 1, &sizes[k]));
            bool seen[1000] = {false};
            for (int64_t i = 0; i < sizes[k]; i++) {
                int64_t at = (int64_t)value_of(p, i) - base;
                cr_assert(at >= 0 && at < sizes[k] && !seen[at]);
                seen[at] = true;
            }
        }
        /* Each of the six orders of three: 1000 expected of each, 5 standard deviations allowed. */
        int count[27] = {0};
        for (int i = 0; i < 6000; i++) {
            rille_tensor *p = rille_randperm(cx, 3);
            int64_t *at = rille_data(p);
            count[(at[0] - base) * 9 + (at[1] - base) * 3 + at[2] - base]++;
            rille_free(p);
        }
        int orders = 0;
        for (int i = 0; i < 27; i++) {
            orders += count[i] > 0;
            cr_expect(count[i] == 0 || (count[i] > 850 && count[i] < 1150), "%d", count[i]);
        }
        cr_expect_eq(orders, 6);
        rille_close(cx);
    }
}

/* ---- Views: small ones by hand; random programs of them are in programs.c ---- */

static rille_tensor *counted(rille_context *cx, int rank, const int64_t *shape) /* 0, 1, 2 ... in the shape */
{
    int64_t n = 1;
    for (int d = 0; d < rank; d++)
        n *= shape[d];
    return rille_reshape(rille_arange(cx, RILLE_FLOAT32, 0, (double)n, 1), rank, shape);
}

Test(views, share_their_elements)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *t = counted(cx, SHAPE(2, 3));
    EXPECT_VALUES(rille_transpose(t, 0, 1), 0, 3, 1, 4, 2, 5);
    EXPECT_VALUES(rille_transpose(t, -1, -2), 0, 3, 1, 4, 2, 5);
    EXPECT_VALUES(rille_narrow(t, 1, 1, 2), 1, 2, 4, 5);
    EXPECT_VALUES(rille_narrow(t, -2, 1, 1), 3, 4, 5);
    EXPECT_VALUES(rille_select(t, 0, 1), 3, 4, 5);
    EXPECT_VALUES(rille_select(t, -1, 2), 2, 5);
    EXPECT_VALUES(rille_detach(t), 0, 1, 2, 3, 4, 5);
    cr_expect(has_shape(rille_narrow(t, 1, 3, 0), SHAPE(2, 0)));
    rille_tensor *cube = counted(cx, SHAPE(2, 3, 4)), *turned = rille_permute(cube, (int[]){2, 0, -2});
    cr_expect(has_shape(turned, SHAPE(4, 2, 3)));
    EXPECT_VALUES(rille_select(turned, 0, 1), 1, 5, 9, 13, 17, 21);
    rille_tensor *wide = rille_expand(rille_narrow(t, 1, 0, 1), SHAPE(2, 2, 2));
    EXPECT_VALUES(wide, 0, 0, 3, 3, 0, 0, 3, 3);
    cr_expect_eq(rille_strides(wide)[0], 0);
    cr_expect(has_shape(rille_expand(t, SHAPE(4, -1, -1)), SHAPE(4, 2, 3)));
    cr_expect(has_shape(rille_expand(rille_narrow(t, 0, 0, 1), SHAPE(0, 3)), SHAPE(0, 3)));
    rille_tensor *scalar = rille_select(rille_select(t, 0, 1), 0, 2);
    cr_expect(rille_rank(scalar) == 0 && rille_item(scalar) == 5);
    ((float *)rille_data(t))[5] = -5; /* all of them look at t */
    cr_expect_eq(rille_item(scalar), -5);
    cr_expect_eq(value_of(rille_select(t, 0, 1), 2), -5);
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

Test(views, reshape)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *t = counted(cx, SHAPE(2, 3, 4));
    cr_expect(has_shape(rille_reshape(t, SHAPE(-1)), SHAPE(24)));
    cr_expect(has_shape(rille_reshape(t, SHAPE(4, -1)), SHAPE(4, 6)));
    cr_expect(has_shape(rille_reshape(t, SHAPE(24, -1)), SHAPE(24, 1)));
    cr_expect(rille_data(rille_reshape(t, SHAPE(1, 6, 1, 4))) == rille_data(t), "no copy");
    rille_tensor *turned = rille_transpose(t, 0, 2), *copied = rille_reshape(turned, SHAPE(-1));
    cr_expect(rille_data(copied) != rille_data(t), "strides that forbid a view: a copy");
    cr_expect_eq(value_of(copied, 1), 12);
    cr_expect(rille_data(rille_reshape(turned, SHAPE(2, 2, 3, 1, 2))) == rille_data(t), "a dimension cut in two is a view");
    rille_tensor *empty = rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 0));
    cr_expect(has_shape(rille_reshape(empty, SHAPE(0, 7)), SHAPE(0, 7)));
    cr_expect(has_shape(rille_reshape(empty, SHAPE(0)), SHAPE(0)));
    cr_expect_eq(rille_item(rille_reshape(rille_select(rille_select(rille_select(t, 0, 1), 0, 1), 0, 1), 0, NULL)), 17);
    EXPECT_NO_ERROR(cx);

    EXPECT_FAILS(cx, rille_reshape(t, SHAPE(5, -1)), RILLE_ERROR_SHAPE,
                 "reshape: 24 elements of shape [2, 3, 4] do not fit shape [5, -1]");
    EXPECT_FAILS(cx, rille_reshape(t, SHAPE(-1, -1)), RILLE_ERROR_SHAPE,
                 "reshape: only one size may be -1, shape [-1, -1] has more");
    EXPECT_FAILS(cx, rille_reshape(t, SHAPE(25)), RILLE_ERROR_SHAPE,
                 "reshape: 24 elements of shape [2, 3, 4] do not fit shape [25]");
    EXPECT_FAILS(cx, rille_reshape(t, SHAPE(-2, 12)), RILLE_ERROR_SHAPE,
                 "reshape: 24 elements of shape [2, 3, 4] do not fit shape [-2, 12]");
    EXPECT_FAILS(cx, rille_reshape(t, SHAPE(1LL << 62, 4, 1, 24)), RILLE_ERROR_SHAPE,
                 "reshape: 24 elements of shape [2, 3, 4] do not fit shape [4611686018427387904, 4, 1, 24]");
    EXPECT_FAILS(cx, rille_reshape(empty, SHAPE(0, -1)), RILLE_ERROR_SHAPE,
                 "reshape: 0 elements of shape [2, 0] do not fit shape [0, -1]");
    EXPECT_FAILS(cx, rille_reshape(rille_scalar(cx, RILLE_FLOAT32, 1), SHAPE(1, 1, 1, 1, 1, 1, 1, 1, 1)), RILLE_ERROR_SHAPE,
                 "reshape: rank 9 is not in 0 ... 8");
    EXPECT_FAILS(cx, rille_reshape(t, -1, NULL), RILLE_ERROR_SHAPE, "reshape: rank -1 is not in 0 ... 8");
    EXPECT_FAILS(cx, rille_reshape(empty, SHAPE(0, INT64_MAX, INT64_MAX)), RILLE_ERROR_SHAPE,
                 "reshape: shape [0, 9223372036854775807, 9223372036854775807] has more elements than memory can hold");
    rille_close(cx);
}

Test(views, messages)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *t = counted(cx, SHAPE(2, 3)), *scalar = rille_scalar(cx, RILLE_FLOAT32, 1);
    EXPECT_FAILS(cx, rille_transpose(t, 0, 2), RILLE_ERROR_INDEX,
                 "transpose: dimension 2 of shape [2, 3]; dimensions are 0 ... 1, or -1 ... -2 from the end");
    EXPECT_FAILS(cx, rille_transpose(t, -3, 0), RILLE_ERROR_INDEX,
                 "transpose: dimension -3 of shape [2, 3]; dimensions are 0 ... 1, or -1 ... -2 from the end");
    EXPECT_FAILS(cx, rille_select(scalar, 0, 0), RILLE_ERROR_INDEX, "select: a tensor of rank 0 has no dimensions");
    EXPECT_FAILS(cx, rille_permute(t, (int[]){0, -2}), RILLE_ERROR_ARGUMENT, "permute: dimension 0 is named twice");
    EXPECT_FAILS(cx, rille_narrow(t, 1, 2, 2), RILLE_ERROR_INDEX, "narrow: 2 elements from 2 of dimension 1, shape [2, 3]");
    EXPECT_FAILS(cx, rille_narrow(t, 1, -1, 2), RILLE_ERROR_INDEX, "narrow: 2 elements from -1 of dimension 1, shape [2, 3]");
    EXPECT_FAILS(cx, rille_narrow(t, 1, 0, -1), RILLE_ERROR_INDEX, "narrow: -1 elements from 0 of dimension 1, shape [2, 3]");
    EXPECT_FAILS(cx, rille_narrow(t, 0, 1, INT64_MAX), RILLE_ERROR_INDEX,
                 "narrow: 9223372036854775807 elements from 1 of dimension 0, shape [2, 3]");
    EXPECT_FAILS(cx, rille_select(t, 0, 2), RILLE_ERROR_INDEX, "select: index 2 of dimension 0, shape [2, 3]");
    EXPECT_FAILS(cx, rille_expand(t, SHAPE(3)), RILLE_ERROR_SHAPE,
                 "expand: rank 1 does not fit shape [2, 3]; 2 ... 8 expected");
    EXPECT_FAILS(cx, rille_expand(t, SHAPE(2, 4)), RILLE_ERROR_SHAPE, "expand: shape [2, 3] does not broadcast to [2, 4]");
    EXPECT_FAILS(cx, rille_expand(scalar, SHAPE(-1)), RILLE_ERROR_SHAPE, "expand: size -1 in shape [-1] is negative");
    EXPECT_FAILS(cx, rille_expand(scalar, SHAPE(INT64_MAX, 2)), RILLE_ERROR_SHAPE,
                 "expand: shape [9223372036854775807, 2] has more elements than memory can hold");
    rille_close(cx);

    cx = open_with(2, 1); /* indices and dimensions of messages count from 1 */
    t = counted(cx, SHAPE(2, 3));
    EXPECT_FAILS(cx, rille_transpose(t, 0, 2), RILLE_ERROR_INDEX,
                 "transpose: dimension 3 of shape [2, 3]; dimensions are 1 ... 2, or -1 ... -2 from the end");
    EXPECT_FAILS(cx, rille_permute(t, (int[]){1, 1}), RILLE_ERROR_ARGUMENT, "permute: dimension 2 is named twice");
    EXPECT_FAILS(cx, rille_narrow(t, 1, 2, 2), RILLE_ERROR_INDEX, "narrow: 2 elements from 3 of dimension 2, shape [2, 3]");
    EXPECT_FAILS(cx, rille_select(t, 0, -1), RILLE_ERROR_INDEX, "select: index 0 of dimension 1, shape [2, 3]");
    EXPECT_FAILS(cx, rille_select(t, 0, INT64_MAX), RILLE_ERROR_INDEX,
                 "select: index 9223372036854775807 of dimension 1, shape [2, 3]");
    rille_close(cx);
}

/* ---- Copies ---- */

Test(copies, in_place)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *t = rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 3));
    cr_expect_eq(rille_copy(t, counted(cx, SHAPE(3))), RILLE_OK); /* broadcast */
    EXPECT_VALUES(t, 0, 1, 2, 0, 1, 2);
    cr_expect_eq(rille_copy(rille_select(t, 1, 0), rille_scalar(cx, RILLE_FLOAT64, 9.5)),
                 RILLE_OK); /* into a view, converted */
    EXPECT_VALUES(t, 9.5, 1, 2, 9.5, 1, 2);
    cr_expect_eq(rille_copy(rille_narrow(t, 1, 0, 2), rille_narrow(t, 1, 1, 2)), RILLE_OK); /* overlapping */
    EXPECT_VALUES(t, 1, 2, 2, 1, 2, 2);
    rille_tensor *line = counted(cx, SHAPE(100000));
    cr_expect_eq(rille_copy(rille_narrow(line, 0, 1, 99999), rille_narrow(line, 0, 0, 99999)), RILLE_OK);
    cr_expect(value_of(line, 0) == 0 && value_of(line, 1) == 0 && value_of(line, 99999) == 99998);
    rille_tensor *square = counted(cx, SHAPE(3, 3));
    cr_expect_eq(rille_copy(square, rille_transpose(square, 0, 1)), RILLE_OK);
    EXPECT_VALUES(square, 0, 3, 6, 1, 4, 7, 2, 5, 8);
    cr_expect_eq(rille_copy(rille_narrow(square, 0, 0, 0), rille_narrow(square, 0, 0, 0)), RILLE_OK); /* nothing */
    cr_expect_eq(rille_copy(square, square), RILLE_OK);
    EXPECT_VALUES(square, 0, 3, 6, 1, 4, 7, 2, 5, 8);
    EXPECT_NO_ERROR(cx);

    EXPECT_STATUS(cx, rille_copy(t, square), RILLE_ERROR_SHAPE,
                  "copy: shapes [2, 3] and [3, 3] do not broadcast (2 against 3, dimension 2 from the end)");
    EXPECT_STATUS(cx, rille_copy(rille_select(t, 0, 0), t), RILLE_ERROR_SHAPE, "copy: shape [2, 3] does not fit into [3]");
    EXPECT_STATUS(cx, rille_copy(rille_narrow(t, 0, 0, 1), t), RILLE_ERROR_SHAPE,
                  "copy: shape [2, 3] does not fit into [1, 3]");
    /* Which of the values that go to one place would stay there? */
    EXPECT_STATUS(cx, rille_copy(rille_expand(rille_select(t, 0, 0), SHAPE(2, 3)), t), RILLE_ERROR_ARGUMENT,
                  "copy: elements of the target, a view of shape [2, 3], are one in memory; write into a clone of it");
    cr_expect_eq(rille_copy(NULL, t), RILLE_ERROR_NULL);
    EXPECT_ERROR(cx, RILLE_ERROR_NULL, "copy: input 1 is NULL");
    cr_expect_eq(rille_copy(t, NULL), RILLE_ERROR_NULL);
    EXPECT_ERROR(cx, RILLE_ERROR_NULL, "copy: input 2 is NULL");
    rille_close(cx);
}

Test(copies, clone_and_contiguous)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *t = counted(cx, SHAPE(2, 3)), *turned = rille_transpose(t, 0, 1);
    cr_expect(rille_data(rille_contiguous(t)) == rille_data(t), "contiguous already: a view");
    rille_tensor *dense = rille_contiguous(turned), *clone = rille_clone(turned);
    cr_expect(rille_is_contiguous(dense) && rille_is_contiguous(clone));
    cr_expect(rille_data(dense) != rille_data(t) && rille_data(clone) != rille_data(t));
    EXPECT_VALUES(dense, 0, 3, 1, 4, 2, 5);
    EXPECT_VALUES(clone, 0, 3, 1, 4, 2, 5);
    rille_tensor *same = rille_to(t, RILLE_FLOAT32);
    cr_expect(rille_data(same) != rille_data(t), "to the same dtype: a copy too");
    float out[6];
    cr_expect_eq(rille_copy_out(turned, RILLE_FLOAT32, out), RILLE_OK);
    cr_expect_eq(memcmp(out, rille_data(dense), sizeof out), 0);
    cr_expect_eq(rille_copy_out(rille_narrow(t, 0, 0, 0), RILLE_FLOAT32, out), RILLE_OK);
    cr_expect_eq(rille_copy_out(NULL, RILLE_FLOAT32, out), RILLE_ERROR_NULL);
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

Test(copies, is_contiguous)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *t = counted(cx, SHAPE(2, 3));
    cr_expect(rille_is_contiguous(rille_scalar(cx, RILLE_FLOAT32, 1)));
    cr_expect(rille_is_contiguous(rille_narrow(t, 0, 1, 1)));
    cr_expect(!rille_is_contiguous(rille_narrow(t, 1, 0, 2)));
    cr_expect(!rille_is_contiguous(rille_select(t, 1, 0)));
    cr_expect(rille_is_contiguous(rille_select(t, 0, 1)));
    cr_expect(!rille_is_contiguous(rille_transpose(t, 0, 1)));
    cr_expect(!rille_is_contiguous(rille_expand(rille_select(t, 0, 0), SHAPE(2, 3))));
    cr_expect(rille_is_contiguous(rille_expand(rille_select(t, 0, 0), SHAPE(1, 3))));
    cr_expect(rille_is_contiguous(rille_transpose(rille_reshape(t, SHAPE(1, 6)), 0, 1)), "strides of size 1 say nothing");
    cr_expect(rille_is_contiguous(rille_transpose(rille_zeros(cx, RILLE_INT64, SHAPE(0, 3)), 0, 1)), "no elements, no gaps");
    rille_close(cx);
}

Test(copies, item)
{
    rille_context *cx = open_with(2, 0);
    cr_expect_eq(rille_item(rille_full(cx, RILLE_INT64, SHAPE(1, 1), -7)), -7);
    cr_expect_eq(rille_item(rille_full(cx, RILLE_UINT8, SHAPE(1), 200)), 200);
    cr_expect_eq(rille_item(rille_full(cx, RILLE_BOOL, SHAPE(1), 3)), 1);
    cr_expect(is_same((long double)rille_item(NULL), (long double)NAN));
    EXPECT_NO_ERROR(cx);
    cr_expect(isnan(rille_item(rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 3)))));
    EXPECT_ERROR(cx, RILLE_ERROR_SHAPE, "item: a tensor of shape [2, 3] has 6 elements, not one");
    cr_expect(isnan(rille_item(rille_zeros(cx, RILLE_FLOAT32, SHAPE(0)))));
    EXPECT_ERROR(cx, RILLE_ERROR_SHAPE, "item: a tensor of shape [0] has 0 elements, not one");
    rille_close(cx);
}

Test(copies, index_select)
{
    for (int base = 0; base < 2; base++) {
        rille_context *cx = open_with(2, base);
        rille_tensor *t = counted(cx, SHAPE(2, 3));
        int64_t at[] = {2 + base, base, 2 + base, 1 + base};
        rille_tensor *index = rille_from(cx, RILLE_INT64, SHAPE(4), at);
        EXPECT_VALUES(rille_index_select(t, 1, index), 2, 0, 2, 1, 5, 3, 5, 4);
        EXPECT_VALUES(rille_index_select(rille_transpose(t, 0, 1), 0, index), 2, 5, 0, 3, 2, 5, 1, 4);
        rille_tensor *none = rille_from(cx, RILLE_INT64, SHAPE(0), NULL);
        cr_expect(has_shape(rille_index_select(t, -1, none), SHAPE(2, 0)));
        EXPECT_NO_ERROR(cx);
        EXPECT_FAILS(cx, rille_index_select(t, 0, index), RILLE_ERROR_INDEX,
                     base == 0 ? "index_select: index 2 at position 0 is not in 0 ... 1"
                               : "index_select: index 3 at position 1 is not in 1 ... 2");
        at[1] = base - 1;
        EXPECT_FAILS(cx, rille_index_select(t, 1, rille_from(cx, RILLE_INT64, SHAPE(4), at)), RILLE_ERROR_INDEX,
                     base == 0 ? "index_select: index -1 at position 1 is not in 0 ... 2"
                               : "index_select: index 0 at position 2 is not in 1 ... 3");
        at[0] = INT64_MIN;
        cr_expect_null(rille_index_select(t, 1, rille_from(cx, RILLE_INT64, SHAPE(4), at)));
        rille_clear_error(cx);
        EXPECT_FAILS(cx, rille_index_select(t, 1, rille_zeros(cx, RILLE_FLOAT32, SHAPE(2))), RILLE_ERROR_DTYPE,
                     "index_select: the index is float32 [2]; int64 of rank 1 expected");
        EXPECT_FAILS(cx, rille_index_select(t, 1, rille_zeros(cx, RILLE_INT64, SHAPE(2, 1))), RILLE_ERROR_DTYPE,
                     "index_select: the index is int64 [2, 1]; int64 of rank 1 expected");
        EXPECT_FAILS(cx, rille_index_select(t, 2, index), RILLE_ERROR_INDEX,
                     base == 0
                         ? "index_select: dimension 2 of shape [2, 3]; dimensions are 0 ... 1, or -1 ... -2 from the end"
                         : "index_select: dimension 3 of shape [2, 3]; dimensions are 1 ... 2, or -1 ... -2 from the end");
        rille_close(cx);
    }
}

/* ---- Printing ---- */

static void expect_text(rille_tensor *t, const char *text)
{
    static char buffer[1 << 16];
    size_t length = rille_print(t, buffer, sizeof buffer);
    cr_expect_str_eq(buffer, text);
    cr_expect_eq(length, strlen(text));
}

#define FLOATS(cx, shape, ...) rille_from(cx, RILLE_FLOAT32, shape, (float[]){__VA_ARGS__})

Test(print, small_ones)
{
    rille_context *cx = open_with(2, 0);
    expect_text(NULL, "(no tensor)");
    expect_text(rille_scalar(cx, RILLE_FLOAT64, 0.5), "0.5000  float64 []");
    expect_text(rille_scalar(cx, RILLE_INT64, -3), "-3  int64 []");
    expect_text(rille_zeros(cx, RILLE_FLOAT32, SHAPE(0)), "[]  float32 [0]");
    expect_text(rille_zeros(cx, RILLE_UINT8, SHAPE(2, 0)), "[]  uint8 [2, 0]");
    expect_text(FLOATS(cx, SHAPE(3), 1, -2, 3), "[ 1., -2.,  3.]  float32 [3]");
    expect_text(FLOATS(cx, SHAPE(2, 2), 1, 0.5f, -2, 100), "[[  1.0000,   0.5000],\n [ -2.0000, 100.0000]]  float32 [2, 2]");
    expect_text(FLOATS(cx, SHAPE(3), 1e-30f, 0.5f, 0), "[1.0000e-30, 5.0000e-01, 0.0000e+00]  float32 [3]");
    expect_text(FLOATS(cx, SHAPE(2), 1e7f, 1), "[1.0000e+07, 1.0000e+00]  float32 [2]");
    expect_text(FLOATS(cx, SHAPE(4), NAN, INFINITY, -INFINITY, 1), "[ nan,  inf, -inf,   1.]  float32 [4]");
    expect_text(FLOATS(cx, SHAPE(2), NAN, 0.25f), "[   nan, 0.2500]  float32 [2]");
    expect_text(rille_from(cx, RILLE_BOOL, SHAPE(2), (bool[]){true, false}), "[ true, false]  bool [2]");
    expect_text(rille_from(cx, RILLE_INT64, SHAPE(2, 1), (int64_t[]){INT64_MIN, 5}),
                "[[-9223372036854775808],\n [                   5]]  int64 [2, 1]");
    expect_text(counted(cx, SHAPE(2, 2, 2)), "[[[0., 1.],\n  [2., 3.]],\n\n [[4., 5.],\n  [6., 7.]]]  float32 [2, 2, 2]");
    expect_text(rille_transpose(counted(cx, SHAPE(2, 3)), 0, 1), "[[0., 3.],\n [1., 4.],\n [2., 5.]]  float32 [3, 2]");
    expect_text(rille_expand(rille_scalar(cx, RILLE_UINT8, 7), SHAPE(3)), "[7, 7, 7]  uint8 [3]");
    rille_close(cx);
}

Test(print, summarised)
{
    rille_context *cx = open_with(2, 0);
    expect_text(counted(cx, SHAPE(1001)), "[   0.,    1.,    2., ...,  998.,  999., 1000.]  float32 [1001]");
    expect_text(counted(cx, SHAPE(2, 501)), "[[   0.,    1.,    2., ...,  498.,  499.,  500.],\n"
                                            " [ 501.,  502.,  503., ...,  999., 1000., 1001.]]  float32 [2, 501]");
    expect_text(rille_zeros(cx, RILLE_UINT8, SHAPE(8, 1, 200)),
                "[[[0, 0, 0, ..., 0, 0, 0]],\n\n [[0, 0, 0, ..., 0, 0, 0]],\n\n [[0, 0, 0, ..., 0, 0, 0]],\n\n ...,\n"
                " [[0, 0, 0, ..., 0, 0, 0]],\n\n [[0, 0, 0, ..., 0, 0, 0]],\n\n [[0, 0, 0, ..., 0, 0, 0]]]  uint8 [8, 1, 200]");
    rille_tensor *huge = rille_expand(rille_scalar(cx, RILLE_BOOL, 1), SHAPE(1LL << 40, 2));
    expect_text(huge, "[[true, true],\n [true, true],\n [true, true],\n ...,\n [true, true],\n [true, true],\n"
                      " [true, true]]  bool [1099511627776, 2]");
    cr_expect_eq(rille_print(rille_zeros(cx, RILLE_INT64, SHAPE(1000)), NULL, 0), 3 * 1000 + strlen("  int64 [1000]"));
    rille_close(cx);
}

Test(print, as_snprintf)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *t = counted(cx, SHAPE(2, 2));
    const char *whole = "[[0., 1.],\n [2., 3.]]  float32 [2, 2]";
    cr_expect_eq(rille_print(t, NULL, 0), strlen(whole));
    cr_expect_eq(rille_print(NULL, NULL, 0), strlen("(no tensor)"));
    for (size_t size = 0; size <= strlen(whole) + 2; size++) {
        char buffer[80];
        memset(buffer, '#', sizeof buffer);
        cr_expect_eq(rille_print(t, buffer, size), strlen(whole));
        if (size > 0) {
            size_t shown = size - 1 < strlen(whole) ? size - 1 : strlen(whole);
            cr_expect_eq(strlen(buffer), shown);
            cr_expect_eq(memcmp(buffer, whole, shown), 0);
        }
        cr_expect_eq(buffer[size], '#', "nothing is written past size %zu", size);
    }
    rille_close(cx);
}
