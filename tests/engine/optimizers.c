/* Optimisers' steps against their formulas written out for one element, and clipping. */
#include "engine/support.h"

#include <float.h>
#include <stdlib.h>

/* ---- Formulas: PyTorch's, one element in double ---- */

typedef struct element {
    double p, state[RILLE_MAX_OPTIMIZER_STATES]; /* in the order of rille_optimizer_states */
} element;

static double mix(double share, double old, double new)
{
    return share * old + (1 - share) * new;
}

static void adam(const rille_optimizer_options *o, element *e, double g, int64_t t)
{
    e->state[0] = mix(o->beta1, e->state[0], g);
    e->state[1] = mix(o->beta2, e->state[1], g * g);
    const double m = e->state[0] / (1 - pow(o->beta1, (double)t)), v = e->state[1] / (1 - pow(o->beta2, (double)t));
    e->p -= o->learning_rate * m / (sqrt(v) + o->eps);
}

static void rmsprop(const rille_optimizer_options *o, element *e, double g)
{
    double *buffer = o->centered ? &e->state[2] : &e->state[1], variance;
    e->state[0] = mix(o->alpha, e->state[0], g * g);
    variance = e->state[0];
    if (o->centered) {
        e->state[1] = mix(o->alpha, e->state[1], g);
        variance -= e->state[1] * e->state[1];
    }
    double along = g / (sqrt(fmax(variance, 0)) + o->eps);
    if (o->momentum > 0)
        along = *buffer = o->momentum * *buffer + along;
    e->p -= o->learning_rate * along;
}

static void by_formula(const rille_optimizer_options *o, element *e, double gradient, int64_t t)
{
    const double lr = o->learning_rate;
    double g = gradient + o->weight_decay * e->p, along = g;
    switch (o->kind) {
    case RILLE_SGD:
        if (o->momentum > 0)
            along = e->state[0] = o->momentum * e->state[0] + g;
        e->p -= lr * (o->nesterov ? g + o->momentum * e->state[0] : along);
        break;
    case RILLE_ADAM: adam(o, e, g, t); break;
    case RILLE_ADAMW:
        e->p -= lr * o->weight_decay * e->p;
        adam(o, e, gradient, t);
        break;
    case RILLE_RMSPROP: rmsprop(o, e, g); break;
    case RILLE_ADAGRAD:
        e->state[0] += g * g;
        e->p -= lr / (1 + (double)(t - 1) * o->lr_decay) * g / (sqrt(e->state[0]) + o->eps);
        break;
    case RILLE_ADADELTA:
        e->state[0] = mix(o->rho, e->state[0], g * g);
        along = sqrt(e->state[1] + o->eps) / sqrt(e->state[0] + o->eps) * g;
        e->state[1] = mix(o->rho, e->state[1], along * along);
        e->p -= lr * along;
        break;
    case RILLE_LION: {
        const double mixed = mix(o->beta1, e->state[0], gradient);
        e->p -= lr * (o->weight_decay * e->p + (mixed > 0 ? 1 : mixed < 0 ? -1 : 0));
        e->state[0] = mix(o->beta2, e->state[0], gradient);
    }
    }
}

/* ---- The step ---- */

enum { PARAMETERS = 5, STEPS = 6 };

/* Five parameters: two without elements or gradients, one with a gradient that is not dense, one larger than what a thread takes. */
typedef struct model {
    rille_tensor *p[PARAMETERS], *state[PARAMETERS * RILLE_MAX_OPTIMIZER_STATES];
    element *expected[PARAMETERS];
    int64_t steps[PARAMETERS];
    int states;
} model;

static model make_model(rille_context *cx, rille_dtype dtype, const rille_optimizer_options *o)
{
    const int64_t shape[PARAMETERS][2] = {{5, 7}, {0, 3}, {1, 70001}, {2, 2}, {3, 11}};
    model m = {.states = rille_optimizer_states(cx, o, NULL)};
    for (int i = 0; i < PARAMETERS; i++) {
        m.p[i] = rille_randn(cx, dtype, 2, shape[i]);
        rille_set_requires_grad(m.p[i], true);
        m.expected[i] = calloc((size_t)rille_numel(m.p[i]) + 1, sizeof(element));
        cr_assert_not_null(m.expected[i]);
        for (int64_t j = 0; j < rille_numel(m.p[i]); j++)
            m.expected[i][j].p = (double)value_of(m.p[i], j);
        for (int k = 0; k < m.states; k++)
            m.state[m.states * i + k] = rille_zeros(cx, dtype, 2, shape[i]);
    }
    return m;
}

/* Every element of parameter i and of its states, as the formula has them. */
static void expect_near(const rille_optimizer_options *o, const model *m, int i, double tolerance)
{
    int64_t wrong = 0;
    for (int64_t j = 0; j < rille_numel(m->p[i]); j++) {
        const element *e = &m->expected[i][j];
        wrong += !(fabs((double)value_of(m->p[i], j) - e->p) <= tolerance * (1 + fabs(e->p)));
        for (int k = 0; k < m->states; k++)
            wrong +=
                !(fabs((double)value_of(m->state[m->states * i + k], j) - e->state[k]) <= tolerance * (1 + fabs(e->state[k])));
    }
    cr_expect_eq(wrong, 0, "optimizer %d, parameter %d: %lld numbers differ", (int)o->kind, i, (long long)wrong);
}

static void check_steps(rille_dtype dtype, double tolerance, const rille_optimizer_options *o)
{
    rille_context *cx = open_with(2, 0);
    model m = make_model(cx, dtype, o);
    for (int step = 1; step <= STEPS; step++) {
        for (int i = 0; i < PARAMETERS; i++) {
            const int64_t rows = rille_shape(m.p[i])[0], columns = rille_shape(m.p[i])[1];
            rille_tensor *g = rille_transpose(rille_randn(cx, dtype, SHAPE(columns, rows)), 0, 1);
            if (i == 3 || (i == 4 && step == 2))
                g = NULL; /* the last one misses a step */
            rille_set_gradient(m.p[i], g);
            for (int64_t j = 0; g != NULL && j < rille_numel(g); j++)
                by_formula(o, &m.expected[i][j], (double)value_of(g, j), m.steps[i] + 1);
        }
        cr_assert_eq(rille_optimizer_step(cx, o, PARAMETERS, m.p, m.state, m.steps), RILLE_OK, "%s", rille_error(cx));
    }
    const int64_t made[PARAMETERS] = {STEPS, STEPS, STEPS, 0, STEPS - 1};
    for (int i = 0; i < PARAMETERS; i++) {
        expect_near(o, &m, i, tolerance);
        cr_expect_eq(m.steps[i], made[i], "parameter %d has made %lld steps", i, (long long)m.steps[i]);
        free(m.expected[i]);
    }
    rille_close(cx);
}

static const rille_optimizer_options cases[] = {
    {RILLE_SGD, .learning_rate = 0.1},
    {RILLE_SGD, .learning_rate = 0.1, .weight_decay = 0.01},
    {RILLE_SGD, .learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.01},
    {RILLE_SGD, .learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.01, .nesterov = true},
    {RILLE_ADAM, .learning_rate = 0.1, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8},
    {RILLE_ADAM, .learning_rate = 0.1, .beta1 = 0.8, .beta2 = 0.9, .eps = 1e-3, .weight_decay = 0.1},
    {RILLE_ADAM, .learning_rate = 0.1, .beta1 = 0, .beta2 = 0, .eps = 1},
    {RILLE_ADAMW, .learning_rate = 0.1, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.1},
    {RILLE_RMSPROP, .learning_rate = 0.1, .alpha = 0.9, .eps = 1e-3},
    {RILLE_RMSPROP, .learning_rate = 0.1, .alpha = 0.9, .eps = 1e-3, .momentum = 0.5, .weight_decay = 0.1},
    {RILLE_RMSPROP, .learning_rate = 0.1, .alpha = 0.9, .eps = 0.1, .centered = true},
    {RILLE_RMSPROP, .learning_rate = 0.1, .alpha = 0.9, .eps = 0.1, .momentum = 0.5, .centered = true},
    {RILLE_ADAGRAD, .learning_rate = 0.1, .eps = 1e-10},
    {RILLE_ADAGRAD, .learning_rate = 0.1, .eps = 1e-3, .lr_decay = 0.5, .weight_decay = 0.1},
    {RILLE_ADADELTA, .learning_rate = 1, .rho = 0.9, .eps = 1e-6},
    {RILLE_ADADELTA, .learning_rate = 0.5, .rho = 0.5, .eps = 1e-3, .weight_decay = 0.1},
    {RILLE_LION, .learning_rate = 0.1, .beta1 = 0.9, .beta2 = 0.99},
    {RILLE_LION, .learning_rate = 0.1, .beta1 = 0.5, .beta2 = 0.9, .weight_decay = 0.1},
};

Test(optimizers, agree_with_their_formulas_in_float64)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_steps(RILLE_FLOAT64, 1e-13, &cases[i]);
}

/* Lion's direction is a sign: in float32, where it nearly vanishes, it may be another. */
Test(optimizers, agree_with_their_formulas_in_float32)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (cases[i].kind != RILLE_LION)
            check_steps(RILLE_FLOAT32, 3e-6, &cases[i]);
}

Test(optimizers, keep_a_nan_in_sight)
{
    rille_context *cx = open_with(1, 0);
    for (int kind = RILLE_SGD; kind <= RILLE_LION; kind++) {
        rille_optimizer_options o = {(rille_optimizer)kind, .learning_rate = 0.1, .eps = 1e-8, .rho = 0.9,
                                     .alpha = 0.9,          .centered = true};
        rille_tensor *p = rille_from(cx, RILLE_FLOAT32, SHAPE(2), (float[]){1, 2}), *state[RILLE_MAX_OPTIMIZER_STATES];
        for (int k = 0; k < RILLE_MAX_OPTIMIZER_STATES; k++)
            state[k] = rille_zeros(cx, RILLE_FLOAT32, SHAPE(2));
        rille_set_gradient(p, rille_from(cx, RILLE_FLOAT32, SHAPE(2), (float[]){NAN, 1}));
        cr_expect_eq(rille_optimizer_step(cx, &o, 1, &p, state, (int64_t[]){0}), RILLE_OK);
        cr_expect(isnan((double)value_of(p, 0)) && value_of(p, 1) < 2, "optimizer %d: %Lg, %Lg", kind, value_of(p, 0),
                  value_of(p, 1));
    }
    rille_close(cx);
}

Test(optimizers, name_their_states)
{
    rille_context *cx = open_with(1, 0);
    const char *name[RILLE_MAX_OPTIMIZER_STATES];
    rille_optimizer_options o = {RILLE_RMSPROP, .momentum = 0.5, .centered = true};
    cr_assert_eq(rille_optimizer_states(cx, &o, name), 3);
    cr_expect_str_eq(name[0], "square_avg");
    cr_expect_str_eq(name[1], "grad_avg");
    cr_expect_str_eq(name[2], "momentum_buffer");
    o.centered = false;
    cr_assert_eq(rille_optimizer_states(cx, &o, name), 2);
    cr_expect_str_eq(name[1], "momentum_buffer");
    cr_expect_eq(rille_optimizer_states(cx, &(rille_optimizer_options){.kind = RILLE_SGD}, NULL), 0);
    cr_expect_eq(rille_optimizer_states(NULL, &o, NULL), -1);
    rille_close(cx);
}

#define STEP(o, count, p, state, steps) rille_optimizer_step(cx, &(rille_optimizer_options)o, count, p, state, steps)
#define O(...)                                                                                                                 \
    {                                                                                                                          \
        __VA_ARGS__                                                                                                            \
    }

Test(optimizers, refuse)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *p = rille_zeros(cx, RILLE_FLOAT32, SHAPE(3)), *v = rille_zeros(cx, RILLE_FLOAT32, SHAPE(4)), *none = NULL;
    int64_t steps[1] = {0}, negative[1] = {-1};
    cr_expect_eq(rille_optimizer_step(NULL, NULL, 0, NULL, NULL, NULL), RILLE_ERROR_NULL);
    EXPECT_STATUS(cx, rille_optimizer_step(cx, NULL, 0, NULL, NULL, NULL), RILLE_ERROR_NULL, "optimizer: the options are NULL");
    EXPECT_STATUS(cx, STEP(O(.kind = (rille_optimizer)7), 1, &p, NULL, steps), RILLE_ERROR_ARGUMENT,
                  "optimizer: there is no kind 7");
    EXPECT_STATUS(cx, STEP(O(.kind = RILLE_SGD, .momentum = 1), 1, &p, &v, steps), RILLE_ERROR_ARGUMENT,
                  "sgd: momentum is 1; at least 0 and below 1 expected");
    EXPECT_STATUS(cx, STEP(O(.kind = RILLE_LION, .learning_rate = INFINITY), 1, &p, &v, steps), RILLE_ERROR_ARGUMENT,
                  "lion: learning_rate is inf; a finite number >= 0 expected");
    EXPECT_STATUS(cx, STEP(O(.kind = RILLE_ADAMW, .beta2 = NAN), 1, &p, &v, steps), RILLE_ERROR_ARGUMENT,
                  "adamw: beta2 is nan; at least 0 and below 1 expected");
    EXPECT_STATUS(cx, STEP(O(.kind = RILLE_SGD, .nesterov = true), 1, &p, &v, steps), RILLE_ERROR_ARGUMENT,
                  "sgd: nesterov needs a momentum above 0");
    EXPECT_STATUS(cx, STEP(O(.kind = RILLE_ADAGRAD), 1, NULL, &v, steps), RILLE_ERROR_NULL,
                  "adagrad: the list of parameters is NULL");
    EXPECT_STATUS(cx, STEP(O(.kind = RILLE_ADAGRAD), 1, &p, NULL, steps), RILLE_ERROR_NULL,
                  "adagrad: the list of states is NULL");
    EXPECT_STATUS(cx, STEP(O(.kind = RILLE_SGD), 1, &p, NULL, NULL), RILLE_ERROR_NULL, "sgd: the list of steps is NULL");
    EXPECT_STATUS(cx, STEP(O(.kind = RILLE_SGD), 1, &none, NULL, steps), RILLE_ERROR_NULL,
                  "sgd: parameter 0 is no tensor of this context");
    EXPECT_STATUS(cx, STEP(O(.kind = RILLE_ADAGRAD), 1, &p, &none, steps), RILLE_ERROR_NULL,
                  "adagrad: sum of parameter 0 is no tensor of this context");
    EXPECT_STATUS(cx, STEP(O(.kind = RILLE_SGD, .momentum = 0.5), 1, &p, &v, steps), RILLE_ERROR_SHAPE,
                  "sgd: momentum_buffer of parameter 0 is float32 [4], the parameter float32 [3]");
    EXPECT_STATUS(cx, STEP(O(.kind = RILLE_SGD), 1, &p, NULL, negative), RILLE_ERROR_ARGUMENT,
                  "sgd: parameter 0 has made -1 steps; 0 or more expected");
    rille_tensor *across = rille_transpose(rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 3)), 0, 1);
    EXPECT_STATUS(cx, STEP(O(.kind = RILLE_SGD), 1, &across, NULL, steps), RILLE_ERROR_SHAPE,
                  "sgd: parameter 0 of shape [3, 2] is not contiguous");
    rille_tensor *whole = rille_zeros(cx, RILLE_INT64, SHAPE(2));
    EXPECT_STATUS(cx, STEP(O(.kind = RILLE_SGD), 1, &whole, NULL, steps), RILLE_ERROR_DTYPE,
                  "sgd: parameter 0 is int64; a floating leaf expected");
    rille_tensor *twice[] = {v, p, p}, *momenta[] = {rille_zeros(cx, RILLE_FLOAT32, SHAPE(4)), p};
    for (int i = 0; i < 3; i++)
        rille_set_gradient(twice[i], rille_zeros(cx, RILLE_FLOAT32, SHAPE(i == 0 ? 4 : 3)));
    EXPECT_STATUS(cx, STEP(O(.kind = RILLE_SGD), 3, twice, NULL, ((int64_t[3]){0})), RILLE_ERROR_ARGUMENT,
                  "sgd: parameters 1 and 2, or their states, share memory");
    EXPECT_STATUS(cx, STEP(O(.kind = RILLE_SGD, .momentum = 0.5), 2, twice, momenta, ((int64_t[2]){0})), RILLE_ERROR_ARGUMENT,
                  "sgd: parameters 1 and 1, or their states, share memory");
    cr_expect_eq(STEP(O(.kind = RILLE_SGD), 0, NULL, NULL, NULL), RILLE_OK);
    rille_close(cx);
}

/* A step that is refused at the last parameter has not moved the first. */
Test(optimizers, move_all_or_none)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *p[2] = {rille_zeros(cx, RILLE_FLOAT32, SHAPE(3)), rille_zeros(cx, RILLE_INT64, SHAPE(3))};
    int64_t steps[2] = {0};
    rille_set_gradient(p[0], rille_full(cx, RILLE_FLOAT32, SHAPE(3), 1));
    EXPECT_STATUS(cx, STEP(O(.kind = RILLE_SGD, .learning_rate = 1), 2, p, NULL, steps), RILLE_ERROR_DTYPE,
                  "sgd: parameter 1 is int64; a floating leaf expected");
    EXPECT_VALUES(p[0], 0, 0, 0);
    cr_expect_eq(steps[0], 0);
    rille_close(cx);
}

/* ---- Clipping ---- */

static rille_tensor *with_gradient(rille_context *cx, rille_dtype dtype, double a, double b)
{
    rille_tensor *t = rille_zeros(cx, dtype, SHAPE(2));
    rille_tensor *g = rille_from(cx, RILLE_FLOAT64, SHAPE(2), (double[]){a, b});
    rille_set_gradient(t, rille_to(g, dtype));
    return t;
}

Test(clip_grad_norm, scales_what_is_too_long)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *p[] = {with_gradient(cx, RILLE_FLOAT64, 3, 0), with_gradient(cx, RILLE_FLOAT32, 0, -4),
                         rille_zeros(cx, RILLE_FLOAT32, SHAPE(2))};
    double total;
    cr_expect_eq(rille_clip_grad_norm(cx, 3, p, 10, 2, false, &total), RILLE_OK);
    cr_expect_eq(total, 5);
    EXPECT_VALUES(rille_gradient(p[0]), 3, 0);
    cr_expect_eq(rille_clip_grad_norm(cx, 3, p, 1, 2, false, &total), RILLE_OK);
    cr_expect_eq(total, 5);
    EXPECT_VALUES(rille_gradient(p[0]), 3 * (1 / (5 + 1e-6)), 0);
    EXPECT_VALUES(rille_gradient(p[1]), 0, (float)(-4 * (1 / (5 + 1e-6))));
    cr_expect_null(rille_gradient(p[2]));
    cr_expect_eq(rille_clip_grad_norm(cx, 0, NULL, 1, 2, true, &total), RILLE_OK);
    cr_expect_eq(total, 0);
    rille_close(cx);
}

/* (a, b) in both dtypes of both ends of their range: the norm is that of (3, 4) times the scale. */
Test(clip_grad_norm, does_not_leave_the_range)
{
    rille_context *cx = open_with(1, 0);
    const struct {
        rille_dtype dtype;
        double scale;
    } ends[] = {{RILLE_FLOAT32, 1},         {RILLE_FLOAT32, 0x1p+120},  {RILLE_FLOAT32, 0x1p-149},
                {RILLE_FLOAT64, 0x1p+1000}, {RILLE_FLOAT64, 0x1p-1070}, {RILLE_FLOAT64, 0x1p-500}};
    const double orders[] = {1, 2, 3, 7.5, 100, INFINITY};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        for (size_t k = 0; k < sizeof orders / sizeof orders[0]; k++) {
            rille_tensor *p = with_gradient(cx, ends[i].dtype, 3 * ends[i].scale, -4 * ends[i].scale);
            const double order = orders[k], expected = 4 * pow(pow(0.75, order) + 1, 1 / order) * ends[i].scale;
            double total = NAN;
            cr_expect_eq(rille_clip_grad_norm(cx, 1, &p, INFINITY, order, false, &total), RILLE_OK);
            EXPECT_NEAR(total, expected, 1e-14 * expected + 0x1p-1074);
        }
    rille_close(cx);
}

/* Where every power is 0, the norm is the largest element. */
Test(clip_grad_norm, of_a_large_order)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *p = with_gradient(cx, RILLE_FLOAT32, 2, -1);
    double total;
    cr_expect_eq(rille_clip_grad_norm(cx, 1, &p, 1, 2000, false, &total), RILLE_OK);
    cr_expect_eq(total, 2);
    EXPECT_VALUES(rille_gradient(p), (float)(2 / (2 + 1e-6)), (float)(-1 / (2 + 1e-6)));
    rille_close(cx);
}

Test(clip_grad_norm, of_many_elements)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *p = rille_zeros(cx, RILLE_FLOAT32, SHAPE(300, 500)), *g = rille_randn(cx, RILLE_FLOAT32, SHAPE(500, 300));
    long double squares = 0;
    for (int64_t i = 0; i < rille_numel(g); i++)
        squares += value_of(g, i) * value_of(g, i);
    rille_set_gradient(p, rille_transpose(g, 0, 1)); /* not dense */
    double total, after;
    cr_expect_eq(rille_clip_grad_norm(cx, 1, &p, 1, 2, false, &total), RILLE_OK);
    EXPECT_NEAR(total, sqrtl(squares), 1e-13 * total);
    cr_expect_eq(rille_clip_grad_norm(cx, 1, &p, INFINITY, 2, false, &after), RILLE_OK);
    EXPECT_NEAR(after, 1, 1e-6);
    rille_close(cx);
}

Test(clip_grad_norm, that_is_not_finite)
{
    rille_context *cx = open_with(1, 1);
    rille_tensor *p[] = {with_gradient(cx, RILLE_FLOAT32, 3, 4), with_gradient(cx, RILLE_FLOAT32, 1, INFINITY)};
    double total = 0;
    EXPECT_STATUS(cx, rille_clip_grad_norm(cx, 2, p, 1, 2, true, &total), RILLE_ERROR_NONFINITE,
                  "clip_grad_norm: the total norm is inf: so is the gradient of parameter 2");
    EXPECT_VALUES(rille_gradient(p[0]), 3, 4);
    cr_expect_eq(rille_clip_grad_norm(cx, 2, p, 1, 2, false, &total), RILLE_OK);
    cr_expect_eq(total, INFINITY);
    EXPECT_VALUES(rille_gradient(p[0]), 0, 0);
    EXPECT_VALUES(rille_gradient(p[1]), 0, NAN);
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(rille_clip_grad_norm(cx, 2, p, 1, i == 0 ? 2 : INFINITY, false, &total), RILLE_OK);
        cr_expect(isnan(total));
    }
    EXPECT_STATUS(cx, rille_clip_grad_norm(cx, 2, p, 1, 2, true, &total), RILLE_ERROR_NONFINITE,
                  "clip_grad_norm: the total norm is nan: so is the gradient of parameter 1");
    rille_tensor *huge[] = {with_gradient(cx, RILLE_FLOAT64, DBL_MAX, DBL_MAX)};
    EXPECT_STATUS(cx, rille_clip_grad_norm(cx, 1, huge, 1, 2, true, &total), RILLE_ERROR_NONFINITE,
                  "clip_grad_norm: the total norm is above the largest double");
    rille_close(cx);
}

Test(clip_grad_value, clamps)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *p[] = {with_gradient(cx, RILLE_FLOAT64, -3, 0.5), with_gradient(cx, RILLE_FLOAT32, NAN, INFINITY),
                         rille_zeros(cx, RILLE_FLOAT32, SHAPE(2))};
    cr_expect_eq(rille_clip_grad_value(cx, 3, p, 1), RILLE_OK);
    EXPECT_VALUES(rille_gradient(p[0]), -1, 0.5);
    EXPECT_VALUES(rille_gradient(p[1]), NAN, 1);
    rille_close(cx);
}

Test(clipping, refuses)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *none = NULL;
    cr_expect_eq(rille_clip_grad_norm(NULL, 0, NULL, 1, 2, false, NULL), RILLE_ERROR_NULL);
    cr_expect_eq(rille_clip_grad_value(NULL, 0, NULL, 1), RILLE_ERROR_NULL);
    EXPECT_STATUS(cx, rille_clip_grad_norm(cx, 0, NULL, -1, 2, false, NULL), RILLE_ERROR_ARGUMENT,
                  "clip_grad_norm: max_norm -1 and norm_type 2; max_norm >= 0 and norm_type > 0 expected");
    EXPECT_STATUS(cx, rille_clip_grad_norm(cx, 0, NULL, 1, 0, false, NULL), RILLE_ERROR_ARGUMENT,
                  "clip_grad_norm: max_norm 1 and norm_type 0; max_norm >= 0 and norm_type > 0 expected");
    EXPECT_STATUS(cx, rille_clip_grad_norm(cx, 1, NULL, 1, 2, false, NULL), RILLE_ERROR_NULL,
                  "clip_grad_norm: the list of parameters is NULL");
    EXPECT_STATUS(cx, rille_clip_grad_value(cx, 1, &none, 1), RILLE_ERROR_NULL,
                  "clip_grad_value: parameter 0 is no tensor of this context");
    EXPECT_STATUS(cx, rille_clip_grad_value(cx, 0, NULL, NAN), RILLE_ERROR_ARGUMENT,
                  "clip_grad_value: the value is nan; 0 or more expected");
    rille_close(cx);
}

/* ---- Random numbers that go on ---- */

Test(random_state, goes_on_where_it_was)
{
    rille_context *cx = open_with(1, 0), *other = open_with(1, 0);
    rille_manual_seed(cx, 7);
    rille_rand(cx, RILLE_FLOAT32, SHAPE(5));
    rille_random_state state = rille_get_random_state(cx);
    rille_tensor *a = rille_randn(cx, RILLE_FLOAT64, SHAPE(3));
    rille_set_random_state(other, state);
    rille_tensor *b = rille_randn(other, RILLE_FLOAT64, SHAPE(3));
    EXPECT_VALUES(a, (double)value_of(b, 0), (double)value_of(b, 1), (double)value_of(b, 2));
    cr_expect_eq(state.seed, 7);
    cr_expect(rille_get_random_state(cx).counter > state.counter);
    rille_close(cx);
    rille_close(other);
}
