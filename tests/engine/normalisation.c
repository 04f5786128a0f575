/* batch_norm, layer_norm, rms_norm and group_norm against code in long double, forward and backward. */
#include "engine/random_layouts.h"

#include <float.h>
#include <stdlib.h>

typedef enum norm { BATCH, BATCH_FIXED, LAYER, RMS, GROUP, NORMS } norm;

typedef struct setting {
    norm norm;
    int rank, normalised; /* dimensions of a layer */
    int64_t shape[4], groups;
    double eps;
} setting;

static setting random_setting(uint64_t *rng)
{
    setting s = {.norm = (norm)random_below(rng, NORMS), .groups = 1 + random_below(rng, 3), .eps = 1e-3};
    s.rank = 2 + (int)random_below(rng, 3);
    for (int d = 0; d < s.rank; d++)
        s.shape[d] = random_below(rng, 30) == 0 && s.norm != BATCH ? 0 : 1 + random_below(rng, 5);
    s.normalised = 1 + (int)random_below(rng, s.rank);
    if (s.norm == GROUP)
        s.shape[1] *= s.groups;
    if (s.norm == BATCH)
        s.shape[0]++;
    return s;
}

/* Which statistic element i of x belongs to, and which weight. */
static int64_t statistic_of(const setting *s, int64_t i, int64_t *weight)
{
    int64_t inner = 1, below = 1;
    for (int d = 2; d < s->rank; d++)
        inner *= s->shape[d];
    for (int d = s->rank - s->normalised; d < s->rank; d++)
        below *= s->shape[d];
    const int64_t channel = i / inner % s->shape[1];
    *weight = s->norm == LAYER || s->norm == RMS ? i % below : channel;
    if (s->norm == LAYER || s->norm == RMS)
        return i / below;
    return s->norm == GROUP ? i / inner / s->shape[1] * s->groups + channel / (s->shape[1] / s->groups) : channel;
}

typedef struct exact { /* by element, or by statistic or weight: whatever the number, as long as x */
    long double *mean, *variance, *y, *dx, *dw, *db, *first, *second;
    int64_t *count;
} exact;

static exact make_exact(size_t n)
{
    exact e = {.count = calloc(n, sizeof(int64_t))};
    long double **const all[] = {&e.mean, &e.variance, &e.y, &e.dx, &e.dw, &e.db, &e.first, &e.second};
    for (int i = 0; i < 8; i++)
        *all[i] = calloc(n, sizeof(long double));
    return e;
}

static void free_exact(exact *e)
{
    long double *const all[] = {e->mean, e->variance, e->y, e->dx, e->dw, e->db, e->first, e->second};
    for (int i = 0; i < 8; i++)
        free(all[i]);
    free(e->count);
}

static long double normal_of(const setting *s, const exact *e, long double x, int64_t statistic)
{
    return (x - e->mean[statistic]) / sqrtl(e->variance[statistic] + (long double)s->eps);
}

static void measure(const setting *s, rille_tensor *x, rille_tensor *const *running, exact *e)
{
    const int64_t n = rille_numel(x);
    int64_t weight;
    for (int64_t i = 0; i < n; i++)
        e->count[statistic_of(s, i, &weight)]++;
    for (int64_t i = 0; i < n && s->norm != RMS; i++) {
        const int64_t k = statistic_of(s, i, &weight);
        e->mean[k] += value_of(x, i) / (long double)e->count[k];
    }
    for (int64_t i = 0; i < n; i++) {
        const int64_t k = statistic_of(s, i, &weight);
        e->variance[k] += powl(value_of(x, i) - e->mean[k], 2) / (long double)e->count[k];
    }
    for (int64_t c = 0; c < s->shape[1] && s->norm == BATCH_FIXED && n > 0; c++) {
        e->mean[c] = value_of(running[0], c);
        e->variance[c] = value_of(running[1], c);
    }
}

static void differentiate(const setting *s, rille_tensor *x, rille_tensor *w, rille_tensor *b, rille_tensor *g, exact *e)
{
    int64_t weight;
    for (int64_t i = 0; i < rille_numel(x); i++) {
        const int64_t k = statistic_of(s, i, &weight);
        const long double normal = normal_of(s, e, value_of(x, i), k), scale = w == NULL ? 1 : value_of(w, weight);
        e->y[i] = normal * scale + (b == NULL ? 0 : value_of(b, weight));
        e->dw[weight] += value_of(g, i) * normal;
        e->db[weight] += value_of(g, i);
        e->first[k] += s->norm == RMS ? 0 : value_of(g, i) * scale / (long double)e->count[k];
        e->second[k] += value_of(g, i) * scale * normal / (long double)e->count[k];
    }
    for (int64_t i = 0; i < rille_numel(x); i++) {
        const int64_t k = statistic_of(s, i, &weight);
        const bool fixed = s->norm == BATCH_FIXED;
        const long double gw = value_of(g, i) * (w == NULL ? 1 : value_of(w, weight));
        const long double rest = fixed ? gw : gw - e->first[k] - normal_of(s, e, value_of(x, i), k) * e->second[k];
        e->dx[i] = rest / sqrtl(e->variance[k] + (long double)s->eps);
    }
}

static void expect_near(const char *what, uint64_t seed, rille_tensor *t, const long double *right, long double size)
{
    const long double bound = (rille_dtype_of(t) == RILLE_FLOAT64 ? 1e-13L : 1e-6L) * size;
    for (int64_t i = 0; i < rille_numel(t); i++)
        cr_assert(fabsl(value_of(t, i) - right[i]) <= bound * (1 + fabsl(right[i])),
                  "%s, seed %llu, element %lld: %Lg, not %Lg", what, (unsigned long long)seed, (long long)i, value_of(t, i),
                  right[i]);
}

static rille_tensor *call(const setting *s, rille_tensor *x, rille_tensor *w, rille_tensor *b, rille_tensor *const *running)
{
    const int64_t *last = s->shape + s->rank - s->normalised;
    switch (s->norm) {
    case LAYER: return rille_layer_norm(x, s->normalised, last, w, b, s->eps);
    case RMS: return rille_rms_norm(x, s->normalised, last, w, s->eps);
    case GROUP: return rille_group_norm(x, s->groups, w, b, s->eps);
    default: return rille_batch_norm(x, running[0], running[1], w, b, s->norm == BATCH, 0.25, s->eps);
    }
}

static void expect_moved(const setting *s, const exact *e, rille_tensor *const *running, const double before[2][512],
                         uint64_t seed)
{
    for (int64_t c = 0; c < s->shape[1]; c++)
        for (int i = 0; i < 2; i++) {
            const long double n = (long double)e->count[c];
            const long double target = i == 0 ? e->mean[c] : e->variance[c] * n / (n - 1);
            const long double right =
                s->norm == BATCH ? 0.75L * (long double)before[i][c] + 0.25L * target : (long double)before[i][c];
            cr_assert(fabsl(value_of(running[i], c) - right) <= 1e-6L * (1 + fabsl(right)), "running, seed %llu",
                      (unsigned long long)seed);
        }
}

static void check_setting(rille_context *cx, uint64_t *rng, const setting *s, rille_dtype dtype, uint64_t seed)
{
    const bool layered = s->norm == LAYER || s->norm == RMS;
    const int weight_rank = layered ? s->normalised : 1;
    const int64_t *weight_shape = layered ? s->shape + s->rank - s->normalised : s->shape + 1;
    rille_tensor *given[3] = {random_layout(cx, rng, dtype, FINITE, s->rank, s->shape)}, *input[3] = {NULL}, *gradient[3];
    rille_tensor *running[2] = {NULL, NULL};
    double before[2][512];
    for (int i = 1; i < 3; i++)
        if (random_below(rng, 3) > 0 && !(i == 2 && s->norm == RMS))
            given[i] = random_layout(cx, rng, dtype, FINITE, weight_rank, weight_shape);
    for (int i = 0; i < 2 && s->norm <= BATCH_FIXED; i++) {
        running[i] = rille_clone(rille_abs(random_tensor(cx, rng, dtype, FINITE, 1, s->shape + 1)));
        cr_assert_eq(rille_copy_out(running[i], RILLE_FLOAT64, before[i]), RILLE_OK);
    }
    int inputs = 0;
    for (int i = 0; i < 3; i++)
        if (given[i] != NULL) {
            input[inputs] = rille_detach(given[i]);
            rille_set_requires_grad(input[inputs++], true);
        }
    rille_tensor *of_weight = given[1] == NULL ? NULL : input[1], *of_bias = given[2] == NULL ? NULL : input[inputs - 1];
    rille_tensor *y = call(s, input[0], of_weight, of_bias, running);
    cr_assert(has_shape(y, s->rank, s->shape), "seed %llu: %s", (unsigned long long)seed, rille_error(cx));
    rille_tensor *g = random_layout(cx, rng, dtype, FINITE, s->rank, s->shape);

    exact e = make_exact((size_t)rille_numel(y) + 512);
    measure(s, given[0],
            running[0] == NULL ? NULL
                               : (rille_tensor *[]){rille_from(cx, RILLE_FLOAT64, 1, s->shape + 1, before[0]),
                                                    rille_from(cx, RILLE_FLOAT64, 1, s->shape + 1, before[1])},
            &e);
    differentiate(s, given[0], given[1], given[2], g, &e);
    expect_near("y", seed, y, e.y, 10);
    if (running[0] != NULL && rille_numel(y) > 0)
        expect_moved(s, &e, running, before, seed);
    for (int again = 0; again < 2; again++) { /* in passes, and by operations */
        cr_assert_eq(rille_grad(&y, 1, input, inputs, &g, again == 1, gradient), RILLE_OK, "%s", rille_error(cx));
        expect_near("dx", seed, gradient[0], e.dx, 1000); /* 1 / sqrt(eps) = 32 */
        if (of_weight != NULL)
            expect_near("dw", seed, gradient[1], e.dw, 1000);
        if (of_bias != NULL)
            expect_near("db", seed, gradient[inputs - 1], e.db, 1000);
    }
    free_exact(&e);
}

Test(norm, against_scalars)
{
    rille_context *cx = open_with(2, 0);
    for (uint64_t seed = 0; seed < 2000; seed++) {
        uint64_t rng = seed;
        const setting s = random_setting(&rng);
        rille_scope_push(cx);
        check_setting(cx, &rng, &s, seed % 2 == 0 ? RILLE_FLOAT32 : RILLE_FLOAT64, seed);
        rille_scope_pop(cx);
    }
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

/* Past the edges of the blocks of channels and of the segments of samples. */
Test(norm, of_many_blocks)
{
    static const setting settings[] = {
        {.norm = BATCH, .rank = 2, .shape = {700, 301}, .groups = 1, .eps = 0.1},
        {.norm = BATCH, .rank = 4, .shape = {50, 3, 30, 31}, .groups = 1, .eps = 0.1},
        {.norm = GROUP, .rank = 3, .shape = {40, 6, 1001}, .groups = 2, .eps = 0.1},
        {.norm = GROUP, .rank = 2, .shape = {300, 500}, .groups = 4, .eps = 0.1},
        {.norm = LAYER, .rank = 2, .normalised = 1, .shape = {700, 301}, .eps = 0.1},
    };
    rille_context *cx = open_with(2, 0);
    for (uint64_t i = 0; i < 2 * sizeof settings / sizeof settings[0]; i++) {
        uint64_t rng = 5000 + i;
        rille_scope_push(cx);
        check_setting(cx, &rng, &settings[i / 2], i % 2 == 0 ? RILLE_FLOAT32 : RILLE_FLOAT64, 5000 + i);
        rille_scope_pop(cx);
    }
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

/* A float32 mean of 1e4 beside a deviation of 1e-2, of which a variance as the mean of squares would keep nothing. */
Test(norm, a_mean_far_from_zero)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *x = rille_empty(cx, RILLE_FLOAT32, SHAPE(2, 1000));
    for (int i = 0; i < 2000; i++)
        ((float *)rille_data(x))[i] = 1e4f + (float)(i % 2) * 0.0078125f;
    rille_tensor *y[] = {rille_layer_norm(x, 1, (int64_t[]){1000}, NULL, NULL, 0), rille_group_norm(x, 2, NULL, NULL, 0),
                         rille_batch_norm(rille_transpose(x, 0, 1), NULL, NULL, NULL, NULL, false, 0, 0)};
    for (int k = 0; k < 3; k++)
        for (int64_t i = 0; i < 2000; i++)
            cr_assert(fabsl(value_of(y[k], i) - ((k == 2 ? i / 2 : i) % 2 == 0 ? -1 : 1)) < 1e-6L, "%d: %Lg", k,
                      value_of(y[k], i));
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

Test(norm, special_values)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *x = rille_from(cx, RILLE_FLOAT64, SHAPE(3, 2), (double[]){1, NAN, 3, INFINITY, -1, 1});
    EXPECT_VALUES(rille_layer_norm(x, 1, (int64_t[]){2}, NULL, NULL, 0), NAN, NAN, NAN, NAN, -1, 1);
    rille_tensor *mean = rille_zeros(cx, RILLE_FLOAT64, SHAPE(2)), *variance = rille_full(cx, RILLE_FLOAT64, SHAPE(2), 4);
    EXPECT_VALUES(rille_batch_norm(x, mean, variance, NULL, NULL, false, 0.1, 0), 0.5, NAN, 1.5, INFINITY, -0.5, 0.5);
    EXPECT_VALUES(rille_layer_norm(rille_full(cx, RILLE_FLOAT64, SHAPE(1, 2), 3), 1, (int64_t[]){2}, NULL, NULL, 0.5), 0, 0);
    EXPECT_VALUES(rille_batch_norm(rille_full(cx, RILLE_FLOAT64, SHAPE(1, 2), -0.0), mean, variance, NULL, NULL, false, 0, 0),
                  -0.0, -0.0);
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

Test(norm, messages)
{
    rille_context *cx = open_with(1, 1);
    rille_tensor *x = rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 3, 4)), *three = rille_zeros(cx, RILLE_FLOAT32, SHAPE(3));
    rille_tensor *four = rille_zeros(cx, RILLE_FLOAT32, SHAPE(4)), *wide = rille_zeros(cx, RILLE_FLOAT64, SHAPE(3));
    EXPECT_FAILS(cx, rille_batch_norm(x, three, NULL, NULL, NULL, true, 0.1, 0), RILLE_ERROR_NULL,
                 "batch_norm: running_mean is given without running_var");
    EXPECT_FAILS(cx, rille_batch_norm(x, three, four, NULL, NULL, true, 0.1, 0), RILLE_ERROR_SHAPE,
                 "batch_norm: running_var is float32 [4]; for an input that is float32 [2, 3, 4], float32 [3] expected");
    EXPECT_FAILS(cx, rille_batch_norm(x, NULL, NULL, wide, NULL, true, 0.1, 0), RILLE_ERROR_DTYPE,
                 "batch_norm: weight is float64 [3]; for an input that is float32 [2, 3, 4], float32 [3] expected");
    EXPECT_FAILS(cx, rille_batch_norm(three, NULL, NULL, NULL, NULL, true, 0.1, 0), RILLE_ERROR_SHAPE,
                 "batch_norm: input is [3]; [n, c, ...] expected");
    EXPECT_FAILS(cx, rille_batch_norm(x, NULL, NULL, NULL, NULL, true, 1.5, 0), RILLE_ERROR_ARGUMENT,
                 "batch_norm: momentum is 1.5; a number from 0 to 1 expected");
    EXPECT_FAILS(cx, rille_batch_norm(rille_zeros(cx, RILLE_FLOAT32, SHAPE(1, 3)), NULL, NULL, NULL, NULL, true, 0, 0),
                 RILLE_ERROR_SHAPE, "batch_norm: input is [1, 3]; statistics of a batch take two elements a channel");
    rille_tensor *leaf = rille_zeros(cx, RILLE_FLOAT32, SHAPE(3));
    rille_set_requires_grad(leaf, true);
    EXPECT_FAILS(cx, rille_batch_norm(x, three, leaf, NULL, NULL, true, 0, 0), RILLE_ERROR_GRAPH,
                 "batch_norm: running_var, which is written in place, takes part in gradients");
    EXPECT_FAILS(cx, rille_layer_norm(x, 2, (int64_t[]){4, 4}, NULL, NULL, 0), RILLE_ERROR_SHAPE,
                 "layer_norm: input is [2, 3, 4]; a shape that ends in [4, 4] expected");
    EXPECT_FAILS(cx, rille_layer_norm(x, 0, NULL, NULL, NULL, 0), RILLE_ERROR_SHAPE,
                 "layer_norm: input is [2, 3, 4]; a shape that ends in one to eight sizes expected");
    EXPECT_FAILS(cx, rille_layer_norm(x, 1, (int64_t[]){4}, four, three, 0), RILLE_ERROR_SHAPE,
                 "layer_norm: bias is float32 [3]; for an input that is float32 [2, 3, 4], float32 [4] expected");
    EXPECT_FAILS(cx, rille_rms_norm(x, 1, (int64_t[]){4}, NULL, (double)NAN), RILLE_ERROR_ARGUMENT,
                 "rms_norm: eps is nan; a number from 0 to inf expected");
    EXPECT_FAILS(cx, rille_rms_norm(rille_to(x, RILLE_INT64), 1, (int64_t[]){4}, NULL, 0), RILLE_ERROR_DTYPE,
                 "rms_norm: input is int64; float32 or float64 expected");
    EXPECT_FAILS(cx, rille_group_norm(x, 2, NULL, NULL, 0), RILLE_ERROR_SHAPE,
                 "group_norm: input is [2, 3, 4]; its 3 channels do not divide into 2 groups");
    EXPECT_FAILS(cx, rille_group_norm(x, 0, NULL, NULL, 0), RILLE_ERROR_SHAPE,
                 "group_norm: input is [2, 3, 4]; its 3 channels do not divide into 0 groups");
    rille_close(cx);
}
