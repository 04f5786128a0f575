/* Convolutions against the sum that defines them: random shapes, strides, paddings, dilations, groups and layouts. */
#include "engine/random_layouts.h"

#include <limits.h>
#include <string.h>

typedef struct setting { /* one random convolution */
    int axes, batched;
    int64_t n, groups, in, out; /* in and out: channels of one group */
    int64_t size[2], kernel[2], result[2];
    rille_convolution options;
    int64_t x[4], weight[4], y[4];
} setting;

static setting random_setting(uint64_t *rng, int axes)
{
    setting s = {.axes = axes, .batched = random_below(rng, 5) > 0};
    s.n = s.batched ? random_below(rng, 4) : 1;
    s.groups = 1 + random_below(rng, 3);
    s.in = random_below(rng, 6) == 0 ? 0 : 1 + random_below(rng, 3);
    s.out = random_below(rng, 6) == 0 ? 0 : 1 + random_below(rng, 3);
    s.options.groups = s.groups == 1 ? random_below(rng, 2) : s.groups;
    s.x[s.batched] = s.groups * s.in;
    s.x[0] = s.batched ? s.n : s.x[0];
    s.y[s.batched] = s.weight[0] = s.groups * s.out;
    s.y[0] = s.batched ? s.n : s.y[0];
    s.weight[1] = s.in;
    for (int d = 0; d < axes; d++) {
        const int64_t stride = random_below(rng, 4), dilation = random_below(rng, 3), padding = random_below(rng, 3);
        s.options.stride[d] = stride;
        s.options.dilation[d] = dilation;
        s.options.padding[d] = padding;
        s.kernel[d] = 1 + random_below(rng, 3);
        const int64_t span = (s.kernel[d] - 1) * (dilation == 0 ? 1 : dilation) + 1;
        const int64_t least = span > 2 * padding ? span - 2 * padding : 0;
        s.size[d] = least + random_below(rng, 6);
        s.result[d] = (s.size[d] + 2 * padding - span) / (stride == 0 ? 1 : stride) + 1;
        s.x[s.batched + 1 + d] = s.size[d];
        s.y[s.batched + 1 + d] = s.result[d];
        s.weight[2 + d] = s.kernel[d];
    }
    return s;
}

static int64_t or_one(int64_t given)
{
    return given == 0 ? 1 : given;
}

/* Where the element (i, j) of the kernel falls, for the window (row, column): in x's plane, or -1 in the padding. */
static int64_t place_in_plane(const setting *s, const int64_t window[2], const int64_t element[2])
{
    int64_t at = 0;
    for (int d = 0; d < s->axes; d++) {
        const int64_t k =
            window[d] * or_one(s->options.stride[d]) - s->options.padding[d] + element[d] * or_one(s->options.dilation[d]);
        if (k < 0 || k >= s->size[d])
            return -1;
        at = at * s->size[d] + k;
    }
    return at;
}

/* Adds a term to each of the three sums for every product of an element of x, one of the weight and one of y: y += w x,
 * dx += w g, dw += g x. Whole numbers: every order of adding gets the same. */
typedef struct sums {
    long double *y, *dx, *dw;
} sums;

static void add_terms(const setting *s, rille_tensor *x, rille_tensor *weight, rille_tensor *g, const sums *to)
{
    const int64_t field = s->kernel[0] * (s->axes == 2 ? s->kernel[1] : 1),
                  plane = s->size[0] * (s->axes == 2 ? s->size[1] : 1);
    const int64_t results = s->result[0] * (s->axes == 2 ? s->result[1] : 1);
    for (int64_t at = 0; at < rille_numel(g); at++) {
        const int64_t p = at % results, o = at / results % (s->groups * s->out), image = at / results / (s->groups * s->out);
        for (int64_t k = 0; k < s->in * field; k++) {
            const int64_t e = k % field, channel = o / s->out * s->in + k / field;
            const int64_t window[2] = {s->axes == 2 ? p / s->result[1] : p, s->axes == 2 ? p % s->result[1] : 0};
            const int64_t element[2] = {s->axes == 2 ? e / s->kernel[1] : e, s->axes == 2 ? e % s->kernel[1] : 0};
            const int64_t inside = place_in_plane(s, window, element);
            if (inside < 0)
                continue;
            const int64_t of_x = (image * s->groups * s->in + channel) * plane + inside, of_w = o * s->in * field + k;
            to->y[at] += value_of(weight, of_w) * value_of(x, of_x);
            to->dx[of_x] += value_of(weight, of_w) * value_of(g, at);
            to->dw[of_w] += value_of(g, at) * value_of(x, of_x);
        }
    }
}

static void expect_sums(rille_tensor *t, const long double *sum, const char *what, uint64_t seed)
{
    cr_assert_not_null(t, "%s, seed %llu", what, (unsigned long long)seed);
    for (int64_t i = 0; i < rille_numel(t); i++)
        cr_assert(value_of(t, i) == sum[i], "%s, seed %llu, element %lld: %Lg, not %Lg", what, (unsigned long long)seed,
                  (long long)i, value_of(t, i), sum[i]);
}

static void check_setting(rille_context *cx, uint64_t *rng, const setting *s, rille_dtype dtype, uint64_t seed)
{
    const int rank = s->axes + 1 + s->batched;
    rille_tensor *x = random_layout(cx, rng, dtype, WHOLE, rank, s->x);
    rille_tensor *weight = random_layout(cx, rng, dtype, WHOLE, s->axes + 2, s->weight);
    rille_tensor *bias = random_below(rng, 2) == 0 ? NULL : random_layout(cx, rng, dtype, WHOLE, 1, s->weight);
    rille_tensor *input[] = {rille_detach(x), rille_detach(weight), rille_detach(bias)}, *gradient[3] = {NULL};
    const int inputs = bias == NULL ? 2 : 3;
    for (int i = 0; i < inputs; i++)
        rille_set_requires_grad(input[i], true);
    rille_tensor *y = (s->axes == 1 ? rille_conv1d : rille_conv2d)(input[0], input[1], input[2], &s->options);
    cr_assert(has_shape(y, rank, s->y), "seed %llu: %s", (unsigned long long)seed, rille_error(cx));
    rille_tensor *g = random_layout(cx, rng, dtype, WHOLE, rank, s->y);
    cr_assert_eq(rille_grad(&y, 1, input, inputs, &g, false, gradient), RILLE_OK, "%s", rille_error(cx));

    sums to = {calloc((size_t)rille_numel(y) + 1, sizeof(long double)), calloc((size_t)rille_numel(x) + 1, sizeof(long double)),
               calloc((size_t)rille_numel(weight) + 1, sizeof(long double))};
    long double *db = calloc((size_t)s->weight[0] + 1, sizeof *db);
    const int64_t results = s->result[0] * (s->axes == 2 ? s->result[1] : 1);
    for (int64_t i = 0; i < rille_numel(y); i++) {
        to.y[i] = bias == NULL ? 0 : value_of(bias, i / results % s->weight[0]);
        db[i / results % s->weight[0]] += value_of(g, i);
    }
    add_terms(s, x, weight, g, &to);
    expect_sums(y, to.y, "y", seed);
    expect_sums(gradient[0], to.dx, "dx", seed);
    expect_sums(gradient[1], to.dw, "dw", seed);
    if (bias != NULL)
        expect_sums(gradient[2], db, "db", seed);
    free(to.y);
    free(to.dx);
    free(to.dw);
    free(db);
}

static void check_many(int axes)
{
    rille_context *cx = open_with(2, 0);
    for (uint64_t seed = 0; seed < 800; seed++) {
        uint64_t rng = seed;
        const setting s = random_setting(&rng, axes);
        rille_scope_push(cx);
        check_setting(cx, &rng, &s, seed % 2 == 0 ? RILLE_FLOAT32 : RILLE_FLOAT64, seed);
        rille_scope_pop(cx);
    }
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

Test(conv, of_one_dimension)
{
    check_many(1);
}

Test(conv, of_two_dimensions)
{
    check_many(2);
}

/* Past the edges of the blocks that the work is cut into: of windows, of channels, of images. */
Test(conv, of_many_blocks)
{
    static const setting settings[] = {
        {.n = 17, .groups = 1, .in = 1, .out = 2, .size = {40, 41}, .kernel = {3, 3}, .options = {.padding = {1, 1}}},
        {.n = 2, .groups = 1, .in = 131, .out = 3, .size = {17, 19}, .kernel = {3, 2}, .options = {.stride = {2, 1}}},
        {.n = 3, .groups = 2, .in = 5, .out = 4, .size = {30, 50}, .kernel = {1, 1}, .options = {.groups = 2}},
        {.n = 1, .groups = 1, .in = 600, .out = 2, .size = {12, 13}, .kernel = {1, 1}, .options = {.stride = {1, 1}}},
    };
    rille_context *cx = open_with(2, 0);
    for (uint64_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        setting s = settings[i];
        uint64_t rng = 1000 + i;
        s.axes = 2;
        s.batched = 1;
        int64_t *const shape[] = {s.x, s.y, s.weight};
        for (int k = 0; k < 3; k++)
            shape[k][0] = k == 2 ? s.groups * s.out : s.n;
        s.x[1] = s.groups * s.in;
        s.y[1] = s.groups * s.out;
        s.weight[1] = s.in;
        for (int d = 0; d < 2; d++) {
            s.result[d] = (s.size[d] + 2 * s.options.padding[d] - s.kernel[d]) / or_one(s.options.stride[d]) + 1;
            s.x[2 + d] = s.size[d];
            s.y[2 + d] = s.result[d];
            s.weight[2 + d] = s.kernel[d];
        }
        rille_scope_push(cx);
        check_setting(cx, &rng, &s, i % 2 == 0 ? RILLE_FLOAT32 : RILLE_FLOAT64, 1000 + i);
        rille_scope_pop(cx);
    }
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

Test(conv, special_values)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *x = rille_from(cx, RILLE_FLOAT32, SHAPE(1, 4), (float[]){1, INFINITY, 2, NAN});
    rille_tensor *w = rille_from(cx, RILLE_FLOAT32, SHAPE(1, 1, 1), (float[]){-2});
    EXPECT_VALUES(rille_conv1d(x, w, NULL, NULL), -2, -INFINITY, -4, NAN);
    x = rille_from(cx, RILLE_FLOAT64, SHAPE(1, 3), (double[]){1, 10, 100});
    w = rille_from(cx, RILLE_FLOAT64, SHAPE(1, 1, 2), (double[]){1, 2}); /* not turned around */
    EXPECT_VALUES(rille_conv1d(x, w, NULL, &(rille_convolution){.padding = {1}}), 2, 21, 210, 100);
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

Test(conv, messages)
{
    rille_context *cx = open_with(2, 1);
    rille_tensor *x = rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 4, 5, 6)), *w = rille_zeros(cx, RILLE_FLOAT32, SHAPE(6, 4, 3, 3));
    EXPECT_FAILS(cx, rille_conv2d(x, NULL, NULL, NULL), RILLE_ERROR_NULL, "conv2d: input 2 is NULL");
    EXPECT_FAILS(cx, rille_conv1d(x, w, NULL, NULL), RILLE_ERROR_SHAPE,
                 "conv1d: input is [2, 4, 5, 6], weight is [6, 4, 3, 3]; [n, in, l] or [in, l], and [out, in / groups, k] "
                 "expected");
    EXPECT_FAILS(cx, rille_conv2d(x, rille_zeros(cx, RILLE_FLOAT32, SHAPE(6, 4, 3, 0)), NULL, NULL), RILLE_ERROR_SHAPE,
                 "conv2d: input is [2, 4, 5, 6], weight is [6, 4, 3, 0]; [n, in, h, w] or [in, h, w], and [out, in / groups, "
                 "kh, kw] expected");
    EXPECT_FAILS(cx, rille_conv2d(x, w, NULL, &(rille_convolution){.groups = 2}), RILLE_ERROR_SHAPE,
                 "conv2d: input is [2, 4, 5, 6], weight is [6, 4, 3, 3], groups 2: 4 channels in and 6 out; multiples of the "
                 "groups, 4 channels in for each, expected");
    EXPECT_FAILS(cx, rille_conv2d(x, w, rille_zeros(cx, RILLE_FLOAT32, SHAPE(4)), NULL), RILLE_ERROR_SHAPE,
                 "conv2d: bias is [4]; [6] expected");
    EXPECT_FAILS(cx, rille_conv2d(x, rille_to(w, RILLE_FLOAT64), NULL, NULL), RILLE_ERROR_DTYPE,
                 "conv2d: input is float32, weight float64, bias none; one floating dtype expected");
    EXPECT_FAILS(
        cx, rille_conv2d(x, w, NULL, &(rille_convolution){.dilation = {1, 3}}), RILLE_ERROR_SHAPE,
        "conv2d: input is [2, 4, 5, 6], weight is [6, 4, 3, 3]: with dilation 3 the kernel does not fit into dimension "
        "4, padded to 6");
    EXPECT_FAILS(cx, rille_conv2d(x, w, NULL, &(rille_convolution){.stride = {-1}}), RILLE_ERROR_ARGUMENT,
                 "conv2d: stride is -1, not in 1 ... 2147483647");
    EXPECT_FAILS(cx, rille_conv2d(x, w, NULL, &(rille_convolution){.padding = {0, 1LL << 31}}), RILLE_ERROR_ARGUMENT,
                 "conv2d: padding is 2147483648, not in 0 ... 2147483647");
    EXPECT_FAILS(cx, rille_conv2d(x, w, NULL, &(rille_convolution){.dilation = {INT_MAX, INT_MAX}}), RILLE_ERROR_SHAPE,
                 "conv2d: input is [2, 4, 5, 6], weight is [6, 4, 3, 3]: with dilation 2147483647 the kernel does not fit into "
                 "dimension 3, padded to 5");
    EXPECT_FAILS(cx, rille_conv2d(x, w, NULL, &(rille_convolution){.padding = {INT_MAX, INT_MAX}}), RILLE_ERROR_SHAPE,
                 "conv2d: shape [2, 6, 4294967297, 4294967298] has more elements than memory can hold");
    EXPECT_FAILS(cx, rille_conv2d(x, w, NULL, &(rille_convolution){.groups = -1}), RILLE_ERROR_ARGUMENT,
                 "conv2d: groups is -1, not in 1 ... 2147483647");
    rille_close(cx);
}
