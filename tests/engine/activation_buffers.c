/* Activations on raw buffers: in place, of any length and alignment, on any number of threads, always to the same bits. */
#include "engine/activation_rows.h"

/* n numbers of many sizes, of both signs, in no order. */
static void fill(rille_dtype dtype, void *elements, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        double exponent = random_uniform(&seed, -12.0, 6.0);
        set_element(dtype, elements, i, random_uniform(&seed, -1.0, 1.0) * exp2(exponent));
    }
}

static void expect_same(const void *got, const void *expected, size_t bytes, const activation_row *row, int quantity,
                        rille_dtype dtype, const char *how)
{
    cr_assert(memcmp(got, expected, bytes) == 0, "%s of %s in %s differs %s", quantity_name[quantity], row->label,
              rille_dtype_name(dtype), how);
}

/* ---- In place -------------------------------------------------------------------------------------------------------- */

static void check_in_place(rille_context *cx, const activation_row *row, rille_dtype dtype)
{
    enum { LENGTH = 1003 };
    const size_t bytes = LENGTH * rille_dtype_size(dtype);
    static double x[LENGTH], g[LENGTH], expected[LENGTH], y[LENGTH]; /* of either dtype */
    fill(dtype, x, LENGTH, 1);
    fill(dtype, g, LENGTH, 2);
    for (int k = 0; k < QUANTITIES; k++) {
        compute(cx, row, k, dtype, LENGTH, g, x, expected);
        memcpy(y, x, bytes);
        compute(cx, row, k, dtype, LENGTH, g, y, y);
        expect_same(y, expected, bytes, row, k, dtype, "where y is x");
        if (k < PRODUCTS)
            continue;
        memcpy(y, g, bytes);
        compute(cx, row, k, dtype, LENGTH, y, x, y);
        expect_same(y, expected, bytes, row, k, dtype, "where dx is dy");
        compute(cx, row, k, dtype, LENGTH, x, x, expected);
        memcpy(y, x, bytes);
        compute(cx, row, k, dtype, LENGTH, y, y, y);
        expect_same(y, expected, bytes, row, k, dtype, "where dx, dy and x are the same");
    }
}

Test(buffers, in_place)
{
    for_each_row(check_in_place);
}

/* ---- Lengths and alignment ------------------------------------------------------------------------------------------- */

enum { LONGEST = 130, MARGIN = 8 };

/* Elements start .. start + length of a longer run, in blocks that end where they end, so that a sanitizer sees a step beyond:
 * the same bits as in the longer run, wherever in a vector they stand, and nothing written on either side. */
static void check_run(rille_context *cx, const activation_row *row, int k, rille_dtype dtype, const char *g, const char *x,
                      const char *expected, size_t start, size_t length)
{
    const size_t size = rille_dtype_size(dtype), bytes = (start + length) * size;
    char how[64], *inputs = malloc(2 * bytes + 1), *y = malloc(bytes + MARGIN), margin[MARGIN];
    cr_assert(inputs != NULL && y != NULL);
    memcpy(inputs, g, bytes);
    memcpy(inputs + bytes, x, bytes);
    memset(margin, 0x5a, sizeof margin);
    memset(y, 0x5a, bytes + MARGIN);
    compute(cx, row, k, dtype, length, inputs + start * size, inputs + bytes + start * size, y + start * size);
    snprintf(how, sizeof how, "at %zu, %zu elements long", start, length);
    expect_same(y + start * size, expected + start * size, length * size, row, k, dtype, how);
    for (size_t i = 0; i < start * size; i++)
        expect_same(y + i, margin, 1, row, k, dtype, "before its buffer");
    expect_same(y + bytes, margin, MARGIN, row, k, dtype, "behind its buffer");
    free(inputs);
    free(y);
}

static void check_lengths(rille_context *cx, const activation_row *row, rille_dtype dtype)
{
    static const size_t starts[] = {0, 1, 2, 3, 5, 7};
    static double x[LONGEST + MARGIN], g[LONGEST + MARGIN], expected[LONGEST + MARGIN]; /* of either dtype */
    fill(dtype, x, LONGEST + MARGIN, 3);
    fill(dtype, g, LONGEST + MARGIN, 4);
    for (int k = 0; k < QUANTITIES; k++) {
        compute(cx, row, k, dtype, LONGEST + MARGIN, g, x, expected);
        for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
            for (size_t length = 0; length <= LONGEST; length++)
                check_run(cx, row, k, dtype, (const char *)g, (const char *)x, (const char *)expected, starts[i], length);
    }
}

Test(buffers, lengths_and_alignment)
{
    for_each_row(check_lengths);
}

static void check_empty(rille_context *cx, const activation_row *row, rille_dtype dtype)
{
    for (int k = 0; k < QUANTITIES; k++)
        compute(cx, row, k, dtype, 0, NULL, NULL, NULL);
}

Test(buffers, empty)
{
    for_each_row(check_empty);
}

/* ---- Threads --------------------------------------------------------------------------------------------------------- */

enum { MANY = 300007 };

static void check_threads(rille_context *cx, const activation_row *row, rille_dtype dtype)
{
    const size_t bytes = MANY * rille_dtype_size(dtype);
    double *x = take(MANY, sizeof *x), *g = take(MANY, sizeof *g), *alone = take(MANY, sizeof *alone),
           *y = take(MANY, sizeof *y);
    fill(dtype, x, MANY, 5);
    fill(dtype, g, MANY, 6);
    for (int k = 0; k < QUANTITIES; k++) {
        cr_assert_eq(rille_set_threads(cx, 1), RILLE_OK);
        compute(cx, row, k, dtype, MANY, g, x, alone);
        for (int threads = 2; threads <= 3; threads++) {
            memset(y, 0x5a, bytes);
            cr_assert_eq(rille_set_threads(cx, threads), RILLE_OK);
            compute(cx, row, k, dtype, MANY, g, x, y);
            expect_same(y, alone, bytes, row, k, dtype, threads == 2 ? "on two threads" : "on three threads");
        }
    }
    free(x);
    free(g);
    free(alone);
    free(y);
}

Test(buffers, any_number_of_threads)
{
    for_each_row(check_threads);
}

/* ---- Backward -------------------------------------------------------------------------------------------------------- */

/* Gradients that are 0, infinite or NaN are multiplied as IEEE arithmetic has it: Inf 0 is NaN, signs of zeros count. float32
 * kernels multiply what is not yet rounded to float: a derivative of 1e-60 is not 0 to them. */
static void check_special_gradients(rille_context *cx, const activation_row *row, rille_dtype dtype)
{
    const double gradients[] = {0.0, -0.0, INFINITY, -INFINITY, NAN}, inputs[] = {-1e30, -2.0, -0.0, 0.0, 0.5, 1e30};
    for (int i = 0; i < 5 * 6 * 2; i++) {
        double g, x, wide_x, slope, product;
        int order = i % 2 + 1;
        set_element(dtype, &g, 0, gradients[i / 2 % 5]);
        set_element(dtype, &x, 0, inputs[i / 10]);
        wide_x = element(dtype, &x, 0);
        compute(cx, row, order, RILLE_FLOAT64, 1, NULL, &wide_x, &slope);
        compute(cx, row, PRODUCTS + order - 1, dtype, 1, &g, &x, &product);
        double got = element(dtype, &product, 0), expected = gradients[i / 2 % 5] * slope;
        bool same = isnan(expected) ? isnan(got) : got == expected && signbit(got) == signbit(expected);
        cr_expect(same, "%s of %s in %s at x = %g, dy = %g: %g, expected %g", quantity_name[PRODUCTS + order - 1], row->label,
                  rille_dtype_name(dtype), inputs[i / 10], gradients[i / 2 % 5], got, expected);
    }
}

Test(buffers, special_gradients)
{
    for_each_row(check_special_gradients);
}
