/* Pools against code that looks at every element for every window: random shapes, sizes, paddings and layouts. */
#include "engine/random_layouts.h"

#include <limits.h>
#include <string.h>

typedef struct setting {
    int axes, rank;
    int64_t x[4], y[4];
    rille_pooling options;
} setting;

static int64_t stride_of(const setting *s, int d)
{
    return s->options.stride[d] == 0 ? s->options.kernel[d] : s->options.stride[d];
}

/* Whether a window of that number exists: it is the first, or it reaches no further than the padding; with ceil_mode it begins
 * before the padding on the right, and the one before did not yet reach the end. */
static bool is_window(const setting *s, int d, int64_t size, int64_t o)
{
    const int64_t start = o * stride_of(s, d) - s->options.padding[d], end = start + s->options.kernel[d];
    if (s->options.ceil_mode)
        return o == 0 || (start < size && end - stride_of(s, d) < size + s->options.padding[d]);
    return end <= size + s->options.padding[d];
}

static setting random_setting(uint64_t *rng, int axes)
{
    setting s = {.axes = axes, .rank = axes + (int)random_below(rng, 3)};
    s.options.ceil_mode = random_below(rng, 2) == 0;
    s.options.exclude_padding = random_below(rng, 2) == 0;
    for (int d = 0; d < s.rank - axes; d++)
        s.x[d] = s.y[d] = random_below(rng, 4);
    for (int d = 0; d < axes; d++) {
        const int at = s.rank - axes + d;
        s.options.kernel[d] = 1 + random_below(rng, 4);
        s.options.stride[d] = random_below(rng, 4);
        s.options.padding[d] = random_below(rng, s.options.kernel[d] / 2 + 1);
        const int64_t least = s.options.kernel[d] - 2 * s.options.padding[d];
        s.x[at] = (least > 0 ? least : 1) + random_below(rng, 6);
        while (is_window(&s, d, s.x[at], s.y[at]))
            s.y[at]++;
    }
    return s;
}

/* Whether element `place` of the plane is in window `window`. */
static bool is_inside(const setting *s, int64_t window, int64_t place)
{
    for (int d = s->axes - 1; d >= 0; d--) {
        const int at = s->rank - s->axes + d;
        const int64_t o = window % s->y[at], i = place % s->x[at], start = o * stride_of(s, d) - s->options.padding[d];
        window /= s->y[at];
        place /= s->x[at];
        if (i < start || i >= start + s->options.kernel[d])
            return false;
    }
    return true;
}

static int64_t averaged_over(const setting *s, int64_t window)
{
    int64_t count = 1;
    for (int d = s->axes - 1; d >= 0; d--) {
        const int at = s->rank - s->axes + d;
        const int64_t start = window % s->y[at] * stride_of(s, d) - s->options.padding[d];
        const int64_t pad = s->options.exclude_padding ? 0 : s->options.padding[d];
        int64_t along = 0;
        for (int64_t i = start; i < start + s->options.kernel[d]; i++)
            along += i >= -pad && i < s->x[at] + pad;
        count *= along;
        window /= s->y[at];
    }
    return count;
}

static int64_t plane_of(const setting *s, const int64_t *shape)
{
    int64_t plane = 1;
    for (int d = s->rank - s->axes; d < s->rank; d++)
        plane *= shape[d];
    return plane;
}

static void expect_near(const char *what, uint64_t seed, rille_tensor *t, int64_t i, long double right)
{
    const long double bound = (rille_dtype_of(t) == RILLE_FLOAT64 ? 1e-15L : 1e-7L) * (1 + fabsl(right));
    const bool same =
        right != right ? value_of(t, i) != value_of(t, i) : value_of(t, i) == right || fabsl(value_of(t, i) - right) <= bound;
    cr_assert(same, "%s, seed %llu, element %lld: %Lg, not %Lg", what, (unsigned long long)seed, (long long)i, value_of(t, i),
              right);
}

static void check_setting(rille_context *cx, uint64_t *rng, const setting *s, rille_dtype dtype, uint64_t seed, bool largest)
{
    rille_tensor *const x = random_layout(cx, rng, dtype, random_below(rng, 3) == 0 ? SPECIAL : WHOLE, s->rank, s->x);
    rille_tensor *input = rille_detach(x), *gradient;
    rille_set_requires_grad(input, true);
    rille_tensor *y = largest ? (s->axes == 1 ? rille_max_pool1d : rille_max_pool2d)(input, &s->options)
                              : (s->axes == 1 ? rille_avg_pool1d : rille_avg_pool2d)(input, &s->options);
    cr_assert(has_shape(y, s->rank, s->y), "seed %llu: %s", (unsigned long long)seed, rille_error(cx));
    rille_tensor *g = random_layout(cx, rng, dtype, WHOLE, s->rank, s->y);
    cr_assert_eq(rille_grad(&y, 1, &input, 1, &g, false, &gradient), RILLE_OK, "%s", rille_error(cx));
    const int64_t plane = plane_of(s, s->x), windows = plane_of(s, s->y);
    long double *dx = calloc((size_t)rille_numel(x) + 1, sizeof *dx);
    for (int64_t at = 0; at < rille_numel(y); at++) {
        const int64_t from = at / windows * plane, count = averaged_over(s, at % windows);
        long double most = 0, total = 0;
        int64_t best = -1;
        for (int64_t i = from; i < from + plane; i++)
            if (is_inside(s, at % windows, i - from)) {
                const long double v = value_of(x, i);
                total += v;
                dx[i] += largest ? 0 : value_of(g, at) / (long double)count;
                if (best < 0 || (most == most && (v != v || v > most))) {
                    best = i;
                    most = v;
                }
            }
        cr_assert(best >= 0);
        dx[best] += largest ? value_of(g, at) : 0;
        if (largest)
            cr_assert(is_same(value_of(y, at), most), "seed %llu", (unsigned long long)seed);
        else
            expect_near("average", seed, y, at, total / (long double)count);
    }
    for (int64_t i = 0; i < rille_numel(x); i++)
        expect_near(largest ? "dx of the largest" : "dx of the average", seed, gradient, i, dx[i]);
    free(dx);
}

static void check_many(int axes)
{
    rille_context *cx = open_with(2, 0);
    for (uint64_t seed = 0; seed < 1000; seed++) {
        uint64_t rng = seed;
        const setting s = random_setting(&rng, axes);
        rille_scope_push(cx);
        check_setting(cx, &rng, &s, seed % 2 == 0 ? RILLE_FLOAT32 : RILLE_FLOAT64, seed, seed % 4 < 2);
        rille_scope_pop(cx);
    }
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

Test(pool, of_one_dimension)
{
    check_many(1);
}

Test(pool, of_two_dimensions)
{
    check_many(2);
}

Test(pool, values)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *x = rille_from(cx, RILLE_INT64, SHAPE(7), (int64_t[]){3, 1, 2, 5, 4, 6, 9});
    cr_expect_eq(rille_dtype_of(rille_max_pool1d(x, &(rille_pooling){.kernel = {2}})), RILLE_FLOAT32);
    EXPECT_VALUES(rille_max_pool1d(x, &(rille_pooling){.kernel = {2}}), 3, 5, 6);
    EXPECT_VALUES(rille_max_pool1d(x, &(rille_pooling){.kernel = {2}, .ceil_mode = true}), 3, 5, 6, 9);
    EXPECT_VALUES(rille_avg_pool1d(x, &(rille_pooling){.kernel = {2}, .padding = {1}}), 1.5, 1.5, 4.5, 7.5);
    EXPECT_VALUES(rille_avg_pool1d(x, &(rille_pooling){.kernel = {2}, .padding = {1}, .exclude_padding = true}), 3, 1.5, 4.5,
                  7.5);
    x = rille_from(cx, RILLE_FLOAT32, SHAPE(2, 2), (float[]){-INFINITY, -INFINITY, NAN, 1});
    EXPECT_VALUES(rille_max_pool1d(x, &(rille_pooling){.kernel = {2}}), -INFINITY, NAN);
    EXPECT_VALUES(rille_max_pool2d(x, &(rille_pooling){.kernel = {3, 3}, .stride = {2, 2}, .ceil_mode = true}), NAN);
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

/* Rows of more windows than are looked at together; a kernel far larger than what it slides over. */
Test(pool, long_rows_and_large_kernels)
{
    enum { N = 301 };
    rille_context *cx = open_with(1, 0);
    float x[N];
    for (int i = 0; i < N; i++)
        x[i] = (float)(i * 37 % 101);
    rille_tensor *y =
        rille_max_pool1d(rille_from(cx, RILLE_FLOAT32, SHAPE(N), x), &(rille_pooling){.kernel = {3}, .stride = {1}});
    cr_assert_eq(rille_numel(y), N - 2);
    for (int i = 0; i < N - 2; i++)
        cr_assert_eq(value_of(y, i), fmaxf(x[i], fmaxf(x[i + 1], x[i + 2])), "window %d", i);
    const rille_pooling large = {.kernel = {2147483646}, .padding = {1073741823}};
    EXPECT_VALUES(rille_max_pool1d(rille_from(cx, RILLE_FLOAT32, SHAPE(4), x), &large), 74);
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

Test(pool, messages)
{
    rille_context *cx = open_with(2, 1);
    rille_tensor *x = rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 4, 5));
    EXPECT_FAILS(cx, rille_max_pool2d(x, NULL), RILLE_ERROR_NULL,
                 "max_pool2d: the options, which hold the kernel's size, are NULL");
    EXPECT_FAILS(cx, rille_avg_pool1d(x, &(rille_pooling){.stride = {1}}), RILLE_ERROR_ARGUMENT,
                 "avg_pool1d: kernel is 0, not in 1 ... 2147483647");
    EXPECT_FAILS(cx, rille_avg_pool2d(x, &(rille_pooling){.kernel = {2, 2}, .stride = {0, -2}}), RILLE_ERROR_ARGUMENT,
                 "avg_pool2d: stride is -2, not in 1 ... 2147483647");
    EXPECT_FAILS(cx, rille_max_pool2d(x, &(rille_pooling){.kernel = {3, 3}, .padding = {0, 2}}), RILLE_ERROR_ARGUMENT,
                 "max_pool2d: padding 2 is more than half of the kernel, 3");
    EXPECT_FAILS(cx, rille_max_pool2d(x, &(rille_pooling){.kernel = {3, 8}, .padding = {0, 1}}), RILLE_ERROR_SHAPE,
                 "max_pool2d: input is [2, 4, 5]: a kernel of 8 does not fit into dimension 3, padded to 7");
    EXPECT_FAILS(cx,
                 rille_max_pool1d(rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 0)), &(rille_pooling){.kernel = {2}, .padding = {1}}),
                 RILLE_ERROR_SHAPE, "max_pool1d: input is [2, 0]: a kernel of 2 does not fit into dimension 2, padded to 2");
    EXPECT_FAILS(cx, rille_max_pool2d(rille_select(rille_select(x, 0, 0), 0, 0), &(rille_pooling){.kernel = {1, 1}}),
                 RILLE_ERROR_SHAPE, "max_pool2d: input is [5]; [..., h, w] expected");
    EXPECT_FAILS(cx, rille_max_pool2d(x, &(rille_pooling){.kernel = {INT_MAX, INT_MAX}}), RILLE_ERROR_SHAPE,
                 "max_pool2d: input is [2, 4, 5]: a kernel of 2147483647 does not fit into dimension 2, padded to 4");
    rille_tensor *wide = /* windows that are nearly all padding */
        rille_avg_pool1d(x, &(rille_pooling){.kernel = {INT_MAX}, .stride = {INT_MAX}, .padding = {INT_MAX / 2}});
    cr_expect(has_shape(wide, SHAPE(2, 4, 1)), "%s", rille_error(cx));
    rille_close(cx);
}
