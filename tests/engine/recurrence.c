/* Recurrent layers against scalar code that goes unit by unit; gates that are saturated; what they refuse. Their gradients are
 * held against differences in gradients.c. */
#include "engine/random_layouts.h"

typedef enum cell { RNN_TANH, RNN_RELU, LSTM, GRU, CELLS } cell;
enum { MOST = 48 }; /* units */
static const int gates_of[] = {1, 1, 4, 3};

typedef struct layer {
    cell cell;
    int64_t steps, n, in, width;
    rille_tensor *x, *h0, *c0;
    rille_recurrent_weights w;
} layer;

static long double logistic(long double x)
{
    return 1 / (1 + expl(-x));
}

static long double at2(rille_tensor *t, int64_t i, int64_t j)
{
    return t == NULL ? 0 : value_of(t, i * rille_shape(t)[1] + j);
}

/* Of gate g of unit k: W_ih x + b_ih of step t, and W_hh h + b_hh. */
static long double input_share(const layer *l, int64_t t, int64_t row, int g, int64_t k)
{
    const int64_t at = g * l->width + k;
    long double sum = l->w.bias_ih == NULL ? 0 : value_of(l->w.bias_ih, at);
    for (int64_t j = 0; j < l->in; j++)
        sum += at2(l->w.ih, at, j) * value_of(l->x, (t * l->n + row) * l->in + j);
    return sum;
}

static long double hidden_share(const layer *l, const long double *h, int g, int64_t k)
{
    const int64_t at = g * l->width + k;
    long double sum = l->w.bias_hh == NULL ? 0 : value_of(l->w.bias_hh, at);
    for (int64_t j = 0; j < l->width; j++)
        sum += at2(l->w.hh, at, j) * h[j];
    return sum;
}

/* Unit k after the step from h and c, which change in `next` alone. */
static long double next_unit(const layer *l, int64_t t, int64_t row, int64_t k, const long double *h, long double *c)
{
    long double in[4], own[4];
    for (int g = 0; g < gates_of[l->cell]; g++) {
        in[g] = input_share(l, t, row, g, k);
        own[g] = hidden_share(l, h, g, k);
    }
    switch (l->cell) {
    case RNN_TANH: return tanhl(in[0] + own[0]);
    case RNN_RELU: return in[0] + own[0] > 0 ? in[0] + own[0] : 0;
    case LSTM:
        c[k] = logistic(in[1] + own[1]) * c[k] + logistic(in[0] + own[0]) * tanhl(in[2] + own[2]);
        return logistic(in[3] + own[3]) * tanhl(c[k]);
    default: {
        const long double z = logistic(in[1] + own[1]);
        return (1 - z) * tanhl(in[2] + logistic(in[0] + own[0]) * own[2]) + z * h[k];
    }
    }
}

static rille_tensor *run(const layer *l, rille_tensor **c_n)
{
    *c_n = NULL;
    if (l->cell == LSTM)
        return rille_lstm(l->x, &l->w, l->h0, l->c0, c_n);
    return l->cell == GRU ? rille_gru(l->x, &l->w, l->h0)
                          : rille_rnn(l->x, &l->w, l->h0, l->cell == RNN_TANH ? RILLE_TANH : RILLE_RELU);
}

static layer random_layer(rille_context *cx, uint64_t *rng, cell which, rille_dtype dtype)
{
    layer l = {.cell = which};
    l.steps = 1 + random_below(rng, 5);
    l.n = random_below(rng, 70);
    l.in = random_below(rng, 4);
    l.width = random_below(rng, 6) == 0 ? 30 + random_below(rng, 12) : 1 + random_below(rng, 6); /* panels of 4 to 32 columns */
    const int64_t wide = gates_of[which] * l.width;
    l.x = random_layout(cx, rng, dtype, FINITE, SHAPE(l.steps, l.n, l.in));
    l.w.ih = random_layout(cx, rng, dtype, FINITE, SHAPE(wide, l.in));
    l.w.hh = rille_div(random_layout(cx, rng, dtype, FINITE, SHAPE(wide, l.width)), rille_scalar(cx, dtype, 8));
    if (random_below(rng, 3) > 0) {
        l.w.bias_ih = random_layout(cx, rng, dtype, FINITE, SHAPE(wide));
        l.w.bias_hh = random_layout(cx, rng, dtype, FINITE, SHAPE(wide));
    }
    if (random_below(rng, 2) == 0)
        l.h0 = random_layout(cx, rng, dtype, FINITE, SHAPE(l.n, l.width));
    if (which == LSTM && random_below(rng, 2) == 0)
        l.c0 = random_layout(cx, rng, dtype, FINITE, SHAPE(l.n, l.width));
    return l;
}

static void check_layer(const layer *l)
{
    rille_tensor *c_n, *y = run(l, &c_n);
    cr_assert(has_shape(y, SHAPE(l->steps, l->n, l->width)), "%s", rille_error(rille_context_of(l->x)));
    cr_assert(l->cell != LSTM || has_shape(c_n, SHAPE(l->n, l->width)));
    const long double least = rille_dtype_of(y) == RILLE_FLOAT32 ? 6e-5L : 1e-12L; /* preactivations go up to 200 */
    for (int64_t row = 0; row < l->n; row++) {
        long double h[MOST], c[MOST], next[MOST];
        for (int64_t k = 0; k < l->width; k++) {
            h[k] = at2(l->h0, row, k);
            c[k] = at2(l->c0, row, k);
        }
        for (int64_t t = 0; t < l->steps; t++) {
            for (int64_t k = 0; k < l->width; k++)
                next[k] = next_unit(l, t, row, k, h, c);
            for (int64_t k = 0; k < l->width; k++) {
                h[k] = next[k];
                const long double got = value_of(y, (t * l->n + row) * l->width + k);
                cr_assert(fabsl(got - h[k]) <= least * (1 + fabsl(h[k])), "cell %d, step %lld: %Lg, not %Lg", (int)l->cell,
                          (long long)t, got, h[k]);
            }
        }
        for (int64_t k = 0; k < l->width && c_n != NULL; k++)
            cr_assert(fabsl(at2(c_n, row, k) - c[k]) <= least * (1 + fabsl(c[k])));
    }
}

Test(recurrence, against_scalars)
{
    rille_context *cx = open_with(2, 0);
    for (uint64_t seed = 0; seed < 160; seed++) {
        uint64_t rng = seed;
        rille_scope_push(cx);
        layer l = random_layer(cx, &rng, (cell)(seed % CELLS), seed % 3 == 0 ? RILLE_FLOAT64 : RILLE_FLOAT32);
        check_layer(&l);
        rille_set_requires_grad(l.w.hh, true); /* now the steps are kept */
        check_layer(&l);
        rille_scope_pop(cx);
    }
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

/* What a gate that is all but closed or open passes: sigmoid'(40) = e^-40, tanh'(20) = 4 e^-40. */
Test(recurrence, saturated_gates_pass_what_they_have)
{
    rille_context *cx = open_with(1, 0);
    for (int wide = 0; wide < 2; wide++) {
        const rille_dtype dtype = wide ? RILLE_FLOAT64 : RILLE_FLOAT32;
        rille_tensor *x = rille_zeros(cx, dtype, SHAPE(1, 1, 1)), *w = rille_zeros(cx, dtype, SHAPE(4, 1)), *g = NULL;
        rille_tensor *bias = rille_to(rille_from(cx, RILLE_FLOAT64, SHAPE(4), (double[]){40, -40, 20, 40}), dtype);
        rille_set_requires_grad(bias, true);
        rille_tensor *c0 = rille_full(cx, dtype, SHAPE(1, 1), 1);
        rille_tensor *h =
            rille_lstm(x, &(rille_recurrent_weights){w, w, bias, rille_zeros(cx, dtype, SHAPE(4))}, NULL, c0, NULL);
        h = rille_sum(h, NULL, 0, false);
        cr_assert_eq(rille_grad(&h, 1, &bias, 1, NULL, false, &g), RILLE_OK, "%s", rille_error(cx));
        const long double e = expl(-40), slope = 1 - tanhl(1) * tanhl(1);
        const long double right[] = {slope * e, slope * e, slope * 4 * e, tanhl(1) * e};
        for (int i = 0; i < 4; i++)
            cr_expect(fabsl(value_of(g, i) / right[i] - 1) < 1e-6L, "gate %d: %Lg, not %Lg", i, value_of(g, i), right[i]);
    }
    rille_close(cx);
}

Test(recurrence, of_nothing)
{
    rille_context *cx = open_with(2, 0);
    const rille_recurrent_weights empty = {rille_zeros(cx, RILLE_FLOAT32, SHAPE(0, 3)),
                                           rille_zeros(cx, RILLE_FLOAT32, SHAPE(0, 0)), NULL, NULL};
    const rille_recurrent_weights w = {rille_zeros(cx, RILLE_FLOAT32, SHAPE(8, 3)), rille_zeros(cx, RILLE_FLOAT32, SHAPE(8, 2)),
                                       NULL, NULL};
    rille_tensor *c_n;
    cr_expect(has_shape(rille_lstm(rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 5, 3)), &empty, NULL, NULL, &c_n), SHAPE(2, 5, 0)));
    cr_expect(has_shape(c_n, SHAPE(5, 0)));
    rille_set_requires_grad(w.hh, true);
    rille_tensor *h = rille_lstm(rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 0, 3)), &w, NULL, NULL, NULL);
    cr_expect(has_shape(h, SHAPE(2, 0, 2)));
    cr_expect_eq(rille_backward(rille_sum(h, NULL, 0, false), NULL), RILLE_OK, "%s", rille_error(cx));
    for (int64_t i = 0; i < 16; i++)
        cr_expect_eq(value_of(rille_gradient(w.hh), i), 0);
    rille_close(cx);
}

Test(recurrence, messages)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *x = rille_zeros(cx, RILLE_FLOAT32, SHAPE(5, 2, 3));
    rille_recurrent_weights w = {rille_zeros(cx, RILLE_FLOAT32, SHAPE(8, 3)), rille_zeros(cx, RILLE_FLOAT32, SHAPE(8, 2)), NULL,
                                 NULL};
    EXPECT_FAILS(cx, rille_gru(x, &w, NULL), RILLE_ERROR_SHAPE, "gru: weight_hh is [8, 2]; [6, 2] expected");
    EXPECT_FAILS(cx, rille_rnn(x, &w, NULL, RILLE_SIGMOID), RILLE_ERROR_ARGUMENT,
                 "rnn: the activation is sigmoid; tanh or relu expected");
    EXPECT_FAILS(cx, rille_rnn(x, &w, NULL, (rille_activation)9999), RILLE_ERROR_ARGUMENT,
                 "rnn: there is no activation number 9999");
    EXPECT_FAILS(cx, rille_lstm(rille_select(x, 0, 0), &w, NULL, NULL, NULL), RILLE_ERROR_SHAPE,
                 "lstm: input is [2, 3]; [steps, n, in] with a step or more expected");
    EXPECT_FAILS(cx, rille_lstm(rille_narrow(x, 0, 0, 0), &w, NULL, NULL, NULL), RILLE_ERROR_SHAPE,
                 "lstm: input is [0, 2, 3]; [steps, n, in] with a step or more expected");
    EXPECT_FAILS(cx, rille_lstm(rille_to(x, RILLE_INT64), &w, NULL, NULL, NULL), RILLE_ERROR_DTYPE,
                 "lstm: input is int64; float32 or float64 expected");
    EXPECT_FAILS(cx, rille_lstm(rille_narrow(x, 2, 0, 2), &w, NULL, NULL, NULL), RILLE_ERROR_SHAPE,
                 "lstm: weight_ih is [8, 3]; [8, 2] expected");
    EXPECT_FAILS(cx, rille_lstm(x, &w, rille_zeros(cx, RILLE_FLOAT32, SHAPE(2)), NULL, NULL), RILLE_ERROR_SHAPE,
                 "lstm: h0 is [2]; [2, 2] expected");
    EXPECT_FAILS(cx, rille_lstm(x, &w, NULL, rille_zeros(cx, RILLE_FLOAT64, SHAPE(2, 2)), NULL), RILLE_ERROR_DTYPE,
                 "lstm: c0 is float64, the input float32");
    w.bias_ih = rille_zeros(cx, RILLE_FLOAT32, SHAPE(8));
    EXPECT_FAILS(cx, rille_lstm(x, &w, NULL, NULL, NULL), RILLE_ERROR_ARGUMENT, "lstm: one bias without the other");
    w.bias_hh = rille_zeros(cx, RILLE_FLOAT32, SHAPE(2));
    EXPECT_FAILS(cx, rille_lstm(x, &w, NULL, NULL, NULL), RILLE_ERROR_SHAPE, "lstm: bias_hh is [2]; [8] expected");
    w.hh = w.bias_ih;
    EXPECT_FAILS(cx, rille_lstm(x, &w, NULL, NULL, NULL), RILLE_ERROR_SHAPE,
                 "lstm: weight_hh is [8]; [4 hidden, hidden] expected");
    w.hh = NULL;
    EXPECT_FAILS(cx, rille_lstm(x, &w, NULL, NULL, NULL), RILLE_ERROR_NULL, "lstm: input 3 is NULL");
    cr_expect_null(rille_rnn(NULL, &w, NULL, RILLE_TANH));
    EXPECT_ERROR(cx, RILLE_ERROR_NULL, "rnn: input 3 is NULL");
    cr_expect_null(rille_gru(x, NULL, NULL));
    EXPECT_ERROR(cx, RILLE_ERROR_NULL, "gru: the weights are NULL");
    rille_close(cx);
}

Test(recurrence, refuses_a_second_derivative)
{
    rille_context *cx = open_with(1, 0);
    for (int i = 0; i < CELLS; i++) {
        uint64_t rng = (uint64_t)i;
        layer l = random_layer(cx, &rng, (cell)i, RILLE_FLOAT64);
        rille_tensor *c_n, *g = NULL;
        rille_set_requires_grad(l.w.hh, true);
        rille_tensor *y = rille_sum(run(&l, &c_n), NULL, 0, false);
        static const char *const text[] = {
            "rnn: its gradient cannot be differentiated again: create_graph ends here",
            "rnn: its gradient cannot be differentiated again: create_graph ends here",
            "lstm: its gradient cannot be differentiated again: create_graph ends here",
            "gru: its gradient cannot be differentiated again: create_graph ends here",
        };
        EXPECT_STATUS(cx, rille_grad(&y, 1, &l.w.hh, 1, NULL, true, &g), RILLE_ERROR_GRAPH, text[i]);
    }
    rille_close(cx);
}

Test(recurrence, cancelled)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *x = rille_zeros(cx, RILLE_FLOAT32, SHAPE(5, 2, 3));
    rille_recurrent_weights w = {rille_zeros(cx, RILLE_FLOAT32, SHAPE(6, 3)), rille_zeros(cx, RILLE_FLOAT32, SHAPE(6, 2)), NULL,
                                 NULL};
    rille_cancel(cx);
    cr_expect_null(rille_gru(x, &w, NULL));
    cr_expect_eq(rille_error_status(cx), RILLE_ERROR_CANCELLED);
    rille_clear_error(cx);
    cr_expect_not_null(rille_gru(x, &w, NULL));
    rille_close(cx);
}
