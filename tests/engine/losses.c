/* Losses of pairs and of labels, against scalar code that is as plain as can be; their values where numbers end; messages. */
#include "engine/random_layouts.h"

#include <float.h>

/* ---- Pairs ---- */

static long double logistic(long double x)
{
    return 1 / (1 + expl(-x));
}

static long double scalar_mse(long double x, long double t)
{
    return (x - t) * (x - t);
}

static long double scalar_l1(long double x, long double t)
{
    return fabsl(x - t);
}

static long double scalar_smooth_l1(long double x, long double t)
{
    long double d = fabsl(x - t), beta = 0.75L;
    return d < beta ? d * d / (2 * beta) : d - beta / 2;
}

static long double scalar_huber(long double x, long double t)
{
    long double d = fabsl(x - t), delta = 0.75L;
    return d <= delta ? d * d / 2 : delta * (d - delta / 2);
}

static long double scalar_bce(long double p, long double t)
{
    return -t * fmaxl(logl(p), -100) - (1 - t) * fmaxl(log1pl(-p), -100);
}

static long double scalar_bce_with_logits(long double x, long double t)
{
    return -t * logl(logistic(x)) - (1 - t) * logl(logistic(-x));
}

static long double scalar_bce_weighted(long double x, long double t)
{
    return -3 * t * logl(logistic(x)) - (1 - t) * logl(logistic(-x));
}

static long double scalar_kl_div(long double x, long double t)
{
    return t * (logl(t) - x);
}

static long double scalar_kl_div_of_logs(long double x, long double t)
{
    return expl(t) * (t - x);
}

static rille_tensor *smooth_l1(rille_tensor *x, rille_tensor *t, rille_reduction r)
{
    return rille_smooth_l1_loss(x, t, 0.75, r);
}

static rille_tensor *huber(rille_tensor *x, rille_tensor *t, rille_reduction r)
{
    return rille_huber_loss(x, t, 0.75, r);
}

static rille_tensor *bce_with_logits(rille_tensor *x, rille_tensor *t, rille_reduction r)
{
    return rille_bce_with_logits(x, t, NULL, r);
}

static rille_tensor *bce_weighted(rille_tensor *x, rille_tensor *t, rille_reduction r)
{
    return rille_bce_with_logits(x, t, rille_scalar(rille_context_of(x), RILLE_FLOAT32, 3), r);
}

static rille_tensor *kl_div(rille_tensor *x, rille_tensor *t, rille_reduction r)
{
    return rille_kl_div(x, t, false, r);
}

static rille_tensor *kl_div_of_logs(rille_tensor *x, rille_tensor *t, rille_reduction r)
{
    return rille_kl_div(x, t, true, r);
}

typedef struct pair {
    const char *name;
    rille_tensor *(*loss)(rille_tensor *x, rille_tensor *t, rille_reduction r);
    long double (*scalar)(long double x, long double t);
    double low, high, t_low, t_high; /* of inputs and targets */
    int epsilons;                    /* of the result, in float32: what it may be off by */
} pair;
static const pair pairs[] = {
    {"mse", rille_mse_loss, scalar_mse, -3, 3, -3, 3, 1},
    {"l1", rille_l1_loss, scalar_l1, -3, 3, -3, 3, 1},
    {"smooth_l1", smooth_l1, scalar_smooth_l1, -2, 2, -2, 2, 1},
    {"huber", huber, scalar_huber, -2, 2, -2, 2, 1},
    {"bce", rille_bce_loss, scalar_bce, 0.01, 0.99, 0, 1, 1},
    {"bce_with_logits", bce_with_logits, scalar_bce_with_logits, -30, 30, 0, 1, 1},
    {"bce_with_logits, weighted", bce_weighted, scalar_bce_weighted, -30, 30, 0, 1, 2},
    {"kl_div", kl_div, scalar_kl_div, -9, 0, 0.01, 1, 1},
    {"kl_div of logarithms", kl_div_of_logs, scalar_kl_div_of_logs, -9, 0, -9, 0, 1},
};
enum { PAIRS = sizeof pairs / sizeof pairs[0] };

static rille_tensor *spread_over(rille_context *cx, uint64_t *rng, rille_dtype dtype, double low, double high, int64_t rows,
                                 int64_t columns, bool turned)
{
    rille_tensor *t = rille_empty(cx, dtype, SHAPE(turned ? columns : rows, turned ? rows : columns));
    for (int64_t i = 0; i < rows * columns; i++)
        put_element(dtype, rille_data(t), i, (long double)(float)random_between(rng, low, high));
    return turned ? rille_transpose(t, 0, 1) : t;
}

/* |got - right| within so many roundings of the terms' size. */
static void expect_near(const char *name, rille_tensor *t, int64_t i, long double right, long double size)
{
    long double epsilon = rille_dtype_of(t) == RILLE_FLOAT32 ? FLT_EPSILON : 8 * DBL_EPSILON, got = value_of(t, i);
    cr_assert(fabsl(got - right) <= epsilon * size, "%s: element %lld is %Lg, not %Lg", name, (long long)i, got, right);
}

static void check_pair(rille_context *cx, const pair *p, uint64_t seed)
{
    uint64_t rng = seed;
    int64_t n = 1 + random_below(&rng, 5), m = 1 + random_below(&rng, 70), m_t = seed % 3 == 0 ? 1 : m;
    rille_dtype dtype = seed % 2 == 0 ? RILLE_FLOAT32 : RILLE_FLOAT64;
    rille_tensor *x = spread_over(cx, &rng, dtype, p->low, p->high, n, m, random_below(&rng, 2) == 0);
    rille_tensor *t = spread_over(cx, &rng,
                                  seed % 5 == 0   ? RILLE_FLOAT64
                                  : seed % 5 == 1 ? RILLE_FLOAT32
                                                  : dtype,
                                  p->t_low, p->t_high, n, m_t, false);
    rille_tensor *each = p->loss(x, t, RILLE_REDUCE_NONE), *sum = p->loss(x, t, RILLE_REDUCE_SUM);
    rille_tensor *mean = p->loss(x, t, RILLE_REDUCE_MEAN);
    cr_assert(has_shape(each, SHAPE(n, m)) && has_shape(sum, 0, NULL) && has_shape(mean, 0, NULL), "%s: %s", p->name,
              rille_error(cx));
    long double total = 0, size = 0;
    for (int64_t i = 0; i < n * m; i++) {
        long double right = p->scalar(value_of(x, i), value_of(t, m_t == 1 ? i / m : i));
        long double terms = p->epsilons * fabsl(right) +
                            16 * (fabsl(value_of(t, m_t == 1 ? i / m : i)) * (rille_dtype_of(each) == RILLE_FLOAT64));
        expect_near(p->name, each, i, right, terms);
        total += right;
        size += fabsl(right) + terms;
    }
    expect_near(p->name, sum, 0, total, size);
    expect_near(p->name, mean, 0, total / (n * m), size / (n * m));
}

Test(losses, of_pairs_against_scalars)
{
    rille_context *cx = open_with(2, 0);
    for (int i = 0; i < PAIRS; i++)
        for (uint64_t seed = 1; seed < 60; seed++) {
            rille_scope_push(cx);
            check_pair(cx, &pairs[i], seed);
            rille_scope_pop(cx);
        }
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

#define ROW(...) rille_from(cx, RILLE_FLOAT64, SHAPE(sizeof((double[]){__VA_ARGS__}) / sizeof(double)), (double[]){__VA_ARGS__})
#define NONE RILLE_REDUCE_NONE

/* d(sum of losses)/dx and dt */
static void slopes(rille_tensor *(*loss)(rille_tensor *, rille_tensor *, rille_reduction), rille_tensor *x, rille_tensor *t,
                   rille_tensor *slope[2])
{
    rille_set_requires_grad(x, true);
    rille_set_requires_grad(t, true);
    rille_tensor *sum = loss(x, t, RILLE_REDUCE_SUM);
    cr_assert_eq(rille_grad(&sum, 1, (rille_tensor *[]){x, t}, 2, NULL, false, slope), RILLE_OK);
}

Test(losses, where_numbers_end)
{
    rille_context *cx = open_with(1, 0);
    const double inf = (double)INFINITY, nan = (double)NAN, tail = exp(-40);
    rille_tensor *g[2];
    EXPECT_VALUES(rille_bce_with_logits(ROW(inf, -inf, 800, -800, inf, nan, -40), ROW(1, 0, 1, 0, 0, 0, 0), NULL, NONE), 0, 0,
                  0, 0, inf, nan, log1p(tail));
    slopes(bce_with_logits, ROW(inf, -inf, 40, -40, 800), ROW(1, 0, 1, 0, 0), g);
    EXPECT_VALUES(g[0], 0, 0, -tail / (1 + tail), tail / (1 + tail), 1);
    EXPECT_VALUES(rille_bce_with_logits(ROW(inf, -inf), ROW(1, 0), ROW(3, 3), NONE), 0, 0);
    EXPECT_VALUES(rille_bce_loss(ROW(0, 1, 0, 1, nan), ROW(0, 1, 1, 0, 0), NONE), 0, 0, 100, 100, nan);
    slopes(rille_bce_loss, ROW(0, 1, 0, 1, 0.25), ROW(0, 1, 1, 0, 1), g);
    EXPECT_VALUES(g[0], 1, -1, -1e12, 1e12, -4);
    EXPECT_VALUES(rille_kl_div(ROW(-inf, -1, -inf, nan), ROW(0, 0, 0.5, 0), false, NONE), 0, 0, inf, nan);
    EXPECT_VALUES(rille_kl_div(ROW(-inf, -1, 0, nan), ROW(-inf, -inf, 0, -inf), true, NONE), 0, 0, 0, nan);
    slopes(kl_div, ROW(-1, -1), ROW(0, 1), g);
    EXPECT_VALUES(g[0], -0.0, -1);
    EXPECT_VALUES(g[1], -inf, 2);
    EXPECT_VALUES(rille_smooth_l1_loss(ROW(inf, 2, 0), ROW(0, -1, 0), 0, NONE), inf, 3, 0);
    slopes(huber, ROW(inf, -inf, 0, 0.75), ROW(0, 0, 0, 0), g);
    EXPECT_VALUES(g[0], 0.75, -0.75, 0, 0.75);
    slopes(rille_l1_loss, ROW(1, -1, 0, nan), ROW(0, 0, 0, 0), g);
    EXPECT_VALUES(g[0], 1, -1, 0, nan);
    EXPECT_VALUES(rille_huber_loss(ROW(3, -1e200), ROW(1, 0), inf, NONE), 2, inf);
    EXPECT_VALUES(rille_mse_loss(ROW(3), rille_scalar(cx, RILLE_INT64, 1), NONE), 4);
    EXPECT_VALUES(rille_mse_loss(rille_zeros(cx, RILLE_FLOAT32, SHAPE(0, 3)), rille_zeros(cx, RILLE_FLOAT32, SHAPE(3)),
                                 NONE > 0 ? RILLE_REDUCE_SUM : NONE),
                  0);
    EXPECT_VALUES(
        rille_mse_loss(rille_zeros(cx, RILLE_FLOAT32, SHAPE(0)), rille_zeros(cx, RILLE_FLOAT32, SHAPE(0)), RILLE_REDUCE_MEAN),
        nan);
    EXPECT_VALUES(rille_kl_div(rille_zeros(cx, RILLE_FLOAT64, SHAPE(2, 3)), rille_full(cx, RILLE_FLOAT64, SHAPE(2, 3), 1),
                               false, RILLE_REDUCE_BATCHMEAN),
                  0);
    rille_tensor *wide = rille_kl_div(rille_full(cx, RILLE_FLOAT64, SHAPE(2, 3), -1),
                                      rille_full(cx, RILLE_FLOAT64, SHAPE(2, 3), 1), false, RILLE_REDUCE_BATCHMEAN);
    EXPECT_VALUES(wide, 3);
    /* Squares in double: 1e30 is far from float32's end, its square past it. */
    rille_tensor *large = rille_full(cx, RILLE_FLOAT32, SHAPE(1), 1e18);
    cr_expect(is_same(value_of(rille_mse_loss(large, rille_zeros(cx, RILLE_FLOAT32, SHAPE(1)), NONE), 0),
                      (long double)(float)((double)(float)1e18 * (double)(float)1e18)));
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

Test(losses, messages_of_pairs)
{
    rille_context *cx = open_with(1, 1);
    rille_tensor *x = rille_zeros(cx, RILLE_FLOAT32, SHAPE(4, 1)), *t = rille_zeros(cx, RILLE_FLOAT32, SHAPE(4));
    EXPECT_FAILS(cx, rille_mse_loss(x, t, NONE), RILLE_ERROR_SHAPE,
                 "mse_loss: input is [4, 1], target is [4], which does not broadcast to it");
    EXPECT_FAILS(cx, rille_l1_loss(t, x, NONE), RILLE_ERROR_SHAPE,
                 "l1_loss: input is [4], target is [4, 1], which does not broadcast to it");
    EXPECT_FAILS(cx, rille_smooth_l1_loss(x, x, -1, NONE), RILLE_ERROR_ARGUMENT,
                 "smooth_l1_loss: beta is -1; 0 or more expected");
    EXPECT_FAILS(cx, rille_huber_loss(x, x, NAN, NONE), RILLE_ERROR_ARGUMENT, "huber_loss: delta is nan; more than 0 expected");
    EXPECT_FAILS(cx, rille_mse_loss(x, x, RILLE_REDUCE_BATCHMEAN), RILLE_ERROR_ARGUMENT,
                 "mse_loss: it has no reduction number 3");
    EXPECT_FAILS(cx, rille_bce_with_logits(x, x, t, NONE), RILLE_ERROR_SHAPE,
                 "bce_with_logits: input is [4, 1], pos_weight is [4], which does not broadcast to it");
    EXPECT_FAILS(cx,
                 rille_bce_loss(rille_full(cx, RILLE_FLOAT32, SHAPE(2), 1.5), rille_zeros(cx, RILLE_FLOAT32, SHAPE(2)), NONE),
                 RILLE_ERROR_ARGUMENT,
                 "bce_loss: element 1 of the input is 1.5; probabilities, 0 to 1, expected: bce_with_logits takes logits");
    rille_set_requires_grad(x, true);
    rille_tensor *loss = rille_mse_loss(x, x, RILLE_REDUCE_SUM), *g = NULL, *h = NULL;
    cr_expect_eq(rille_grad(&loss, 1, &x, 1, NULL, true, &g), RILLE_OK);
    g = rille_sum(rille_mul(g, g), NULL, 0, false);
    cr_expect_eq(rille_grad(&g, 1, &x, 1, NULL, true, &h), RILLE_OK);
    h = rille_sum(h, NULL, 0, false);
    EXPECT_STATUS(cx, rille_grad(&h, 1, &x, 1, NULL, false, &g), RILLE_ERROR_GRAPH,
                  "mse_loss: a third derivative is not known");
    rille_close(cx);
}

/* ---- Labels ---- */

static long double log_softmax(rille_tensor *x, int64_t classes, int64_t row, int64_t k)
{
    long double total = 0;
    for (int64_t j = 0; j < classes; j++)
        total += expl(value_of(x, row * classes + j));
    return value_of(x, row * classes + k) - logl(total);
}

/* Random weights, smoothing and ignored labels; logits, or log-probabilities, that are turned. */
static void check_labels(rille_context *cx, uint64_t seed, bool entropy)
{
    uint64_t rng = seed;
    const int64_t n = 1 + random_below(&rng, 6), classes = 2 + random_below(&rng, 30);
    const rille_dtype dtype = seed % 2 == 0 ? RILLE_FLOAT32 : RILLE_FLOAT64;
    rille_tensor *x = spread_over(cx, &rng, dtype, -5, 0, n, classes, true);
    rille_tensor *weight = spread_over(cx, &rng, RILLE_FLOAT32, 0.2, 2, 1, classes, false);
    rille_tensor *labels = rille_empty(cx, RILLE_INT64, SHAPE(n));
    rille_label_options o = {.weight = seed % 3 == 0 ? NULL : rille_select(weight, 0, 0),
                             .label_smoothing = entropy && seed % 5 != 0 ? 0.25 : 0,
                             .ignores = seed % 4 != 0,
                             .ignore_index = seed % 8 < 4 ? -100 : 1};
    long double each[8], total = 0, size = 0, divisor = 0;
    for (int64_t i = 0; i < n; i++) {
        const bool ignored = o.ignores && (i > 0 && random_below(&rng, 3) == 0);
        int64_t label = random_below(&rng, classes);
        label = ignored ? o.ignore_index - 1 : label;
        ((int64_t *)rille_data(labels))[i] = label + 1;
        each[i] = 0;
        if (!o.ignores || label + 1 != o.ignore_index) {
            for (int64_t k = 0; k < classes; k++) {
                const long double w = o.weight == NULL ? 1 : value_of(weight, k), e = (long double)o.label_smoothing;
                each[i] -= w * (e / classes + (k == label ? 1 - e : 0)) *
                           (entropy ? log_softmax(x, classes, i, k) : value_of(x, i * classes + k));
                divisor += k == label ? w : 0;
            }
        }
        total += each[i];
        size += 4 * (fabsl(each[i]) + 1);
    }
    rille_tensor *(*loss)(rille_tensor *, rille_tensor *, const rille_label_options *) =
        entropy ? rille_cross_entropy_with : rille_nll_loss;
    o.reduction = RILLE_REDUCE_NONE;
    rille_tensor *rows = loss(x, labels, &o);
    cr_assert(has_shape(rows, SHAPE(n)) && rille_dtype_of(rows) == dtype, "%s", rille_error(cx));
    for (int64_t i = 0; i < n; i++)
        expect_near("labels", rows, i, each[i], 4 * (fabsl(each[i]) + 1));
    o.reduction = RILLE_REDUCE_SUM;
    expect_near("labels, sum", loss(x, labels, &o), 0, total, size);
    o.reduction = RILLE_REDUCE_MEAN;
    if (divisor == 0)
        cr_assert(isnan(rille_item(loss(x, labels, &o))));
    else
        expect_near("labels, mean", loss(x, labels, &o), 0, total / divisor, size / divisor);
}

Test(losses, of_labels_against_scalars)
{
    rille_context *cx = open_with(2, 1);
    for (uint64_t seed = 1; seed < 200; seed++) {
        rille_scope_push(cx);
        check_labels(cx, seed, true);
        check_labels(cx, seed, false);
        rille_scope_pop(cx);
    }
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

Test(losses, of_labels_where_numbers_end)
{
    rille_context *cx = open_with(1, 0);
    const double inf = (double)INFINITY;
    rille_tensor *x = rille_from(cx, RILLE_FLOAT64, SHAPE(2, 2), (double[]){0, -inf, NAN, 0});
    rille_tensor *labels = rille_from(cx, RILLE_INT64, SHAPE(2), (int64_t[]){0, -1}), *slope = NULL;
    rille_label_options o = {.ignores = true, .ignore_index = -1};
    rille_set_requires_grad(x, true);
    for (int entropy = 0; entropy < 2; entropy++) {
        rille_tensor *loss = entropy ? rille_cross_entropy_with(x, labels, &o) : rille_nll_loss(x, labels, &o);
        EXPECT_VALUES(loss, 0); /* the row that is ignored has NaN */
        for (int composed = 0; composed < 2; composed++) {
            cr_assert_eq(rille_grad(&loss, 1, &x, 1, NULL, composed, &slope), RILLE_OK);
            for (int i = 0; i < 4; i++)
                cr_expect_eq(value_of(slope, i), !entropy && i == 0 ? -1 : 0, "%Lg", value_of(slope, i));
        }
    }
    o.weight = ROW(1, 0);
    o.label_smoothing = 0.5;
    EXPECT_VALUES(
        rille_cross_entropy_with(rille_select(rille_reshape(x, SHAPE(2, 1, 2)), 0, 0), rille_narrow(labels, 0, 0, 1), &o), 0);
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

Test(losses, messages_of_labels)
{
    rille_context *cx = open_with(1, 1);
    rille_tensor *x = rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 3));
    rille_tensor *labels = rille_from(cx, RILLE_INT64, SHAPE(2), (int64_t[]){3, 4});
    rille_label_options o = {.weight = rille_zeros(cx, RILLE_FLOAT32, SHAPE(2)), .ignores = true, .ignore_index = 4};
    EXPECT_FAILS(cx, rille_cross_entropy_with(x, labels, &o), RILLE_ERROR_SHAPE,
                 "cross_entropy: weight is [2]; [3] expected, one for each class");
    o = (rille_label_options){.label_smoothing = 1};
    EXPECT_FAILS(cx, rille_cross_entropy_with(x, labels, &o), RILLE_ERROR_ARGUMENT,
                 "cross_entropy: label_smoothing is 1; 0 or more and less than 1 expected");
    o.label_smoothing = 0.5;
    EXPECT_FAILS(cx, rille_nll_loss(x, labels, &o), RILLE_ERROR_ARGUMENT,
                 "nll_loss: label_smoothing is 0.5; only cross_entropy smooths labels");
    EXPECT_FAILS(cx, rille_nll_loss(x, labels, NULL), RILLE_ERROR_INDEX,
                 "nll_loss: label 4 at position 2; labels start at 1 and end at 3");
    EXPECT_FAILS(cx, rille_nll_loss(labels, labels, NULL), RILLE_ERROR_SHAPE,
                 "nll_loss: log-probabilities are [2], labels are [2]; [n, classes] and [n] expected");
    o = (rille_label_options){.reduction = RILLE_REDUCE_BATCHMEAN};
    EXPECT_FAILS(cx, rille_nll_loss(x, labels, &o), RILLE_ERROR_ARGUMENT, "nll_loss: it has no reduction number 3");
    rille_close(cx);
}
