/* Analytic gradients against central differences, in float64. */
#include "tensor/tensor.h"

#include <math.h>

typedef struct check {
    rille_context *context;
    rille_function *f;
    void *user;
    rille_tensor *const *inputs;
    int count;
    double step, tolerance;
    const double *kink;
    int kink_count;
} check;

static rille_tensor *call(const check *c)
{
    rille_tensor *y = c->f(c->context, c->inputs, c->count, c->user);
    if (y == NULL)
        rl_fail(c->context, RILLE_ERROR_CALLBACK, "gradcheck: the function failed");
    return y;
}

/* Weights in [0.5, 1.5), always the same: they turn f's result into one number that no symmetry can hide an error in. */
static rille_tensor *weights_like(rille_tensor *y)
{
    rille_tensor *w = rille_empty(y->context, RILLE_FLOAT64, y->rank, y->shape);
    for (int64_t i = 0; w != NULL && i < w->numel; i++)
        ((double *)rl_data(w))[i] = 0.5 + fmod(0.6180339887498949 * (double)(i + 1), 1.0);
    return w;
}

/* sum weights . f(inputs). Gradients stay on, for an f that itself takes some. */
static double weighted_value(const check *c, rille_tensor *weights)
{
    rille_scope_push(c->context);
    rille_tensor *y = call(c);
    rille_tensor *total = rille_sum(rille_mul(y, weights), NULL, 0, false);
    double value = total == NULL ? NAN : rille_item(total);
    rille_scope_pop(c->context);
    return value;
}

static bool near_kink(const check *c, double x, double h)
{
    for (int k = 0; k < c->kink_count; k++)
        if (fabs(x - c->kink[k]) <= 2 * h)
            return true;
    return false;
}

static double *element_of(const rille_tensor *t, int64_t i)
{
    int64_t at = 0;
    for (int d = t->rank - 1; d >= 0; d--) {
        at += i % t->shape[d] * t->stride[d];
        i /= t->shape[d];
    }
    return (double *)rl_data(t) + at;
}

static void check_element(const check *c, rille_tensor *weights, int input, int64_t element, double analytic,
                          rille_gradcheck_result *r)
{
    double *x = element_of(c->inputs[input], element);
    double kept = *x, h = c->step * fmax(1, fabs(kept));
    if (near_kink(c, kept, h)) {
        r->skipped++;
        return;
    }
    *x = kept + h;
    double above = weighted_value(c, weights), right = *x;
    *x = kept - h;
    double below = weighted_value(c, weights), left = *x;
    *x = kept;
    double numeric = (above - below) / (right - left);
    double error = fabs(analytic - numeric) / (1 + fabs(numeric));
    r->checked++;
    if (r->checked > 1 && !(error > r->worst) && error == error)
        return;
    if (r->checked > 1 && r->worst != r->worst)
        return; /* a NaN stays the worst */
    r->worst = error;
    r->input = input;
    r->element = element;
    r->analytic = analytic;
    r->numeric = numeric;
}

/* One gradient for each input that wants one: NULL for the others, and (with an error) where it fails. */
static rille_status analytic_gradients(const check *c, rille_tensor **gradient, rille_tensor **weights)
{
    rille_context *cx = c->context;
    for (int i = 0; i < c->count; i++)
        if (rille_set_gradient(c->inputs[i], NULL) != RILLE_OK)
            return rille_error_status(cx);
    rille_tensor *y = call(c);
    *weights = y == NULL ? NULL : weights_like(y);
    if (*weights == NULL || (rille_backward(y, *weights) != RILLE_OK))
        return rille_error_status(cx);
    for (int i = 0; i < c->count; i++) {
        rille_tensor *g = rille_gradient(c->inputs[i]);
        if (rille_requires_grad(c->inputs[i]) && g == NULL)
            g = rille_zeros(cx, RILLE_FLOAT64, c->inputs[i]->rank, c->inputs[i]->shape);
        gradient[i] = rille_contiguous(g);
    }
    return rille_error(cx) == NULL ? RILLE_OK : rille_error_status(cx);
}

static rille_status verdict(const check *c, const rille_gradcheck_result *r)
{
    int base = c->context->options.index_base;
    if (r->checked == 0)
        return rl_fail(c->context, RILLE_ERROR_ARGUMENT, "gradcheck: no element was checked (%lld skipped at kinks)",
                       (long long)r->skipped);
    if (!(r->worst <= c->tolerance))
        return rl_fail(c->context, RILLE_ERROR_CALLBACK,
                       "gradcheck: element %lld of input %d: analytic %.9g, numeric %.9g (error %.2g, tolerance %.2g)",
                       (long long)r->element + base, r->input + base, r->analytic, r->numeric, r->worst, c->tolerance);
    return RILLE_OK;
}

enum { MOST_INPUTS = 16 };

static rille_status check_inputs(const check *c)
{
    if (c->count < 1 || c->count > MOST_INPUTS)
        return rl_fail(c->context, RILLE_ERROR_ARGUMENT, "gradcheck: %d inputs; 1 ... %d expected", c->count, MOST_INPUTS);
    for (int i = 0; i < c->count; i++) {
        if (c->inputs[i] == NULL || c->inputs[i]->context != c->context)
            return rl_fail(c->context, RILLE_ERROR_NULL, "gradcheck: input %d is no tensor of this context",
                           i + c->context->options.index_base);
        if (rille_requires_grad(c->inputs[i]) && (c->inputs[i]->dtype != RILLE_FLOAT64 || !rille_is_leaf(c->inputs[i])))
            return rl_fail(c->context, RILLE_ERROR_DTYPE, "gradcheck: input %d is %s; a float64 leaf expected",
                           i + c->context->options.index_base, rille_dtype_name(c->inputs[i]->dtype));
    }
    return RILLE_OK;
}

static rille_status run(const check *c, rille_gradcheck_result *result)
{
    rille_tensor *gradient[MOST_INPUTS] = {NULL}, *weights = NULL;
    rille_status status = analytic_gradients(c, gradient, &weights);
    if (status != RILLE_OK)
        return status;
    for (int i = 0; i < c->count; i++)
        for (int64_t k = 0; gradient[i] != NULL && k < c->inputs[i]->numel && rille_error(c->context) == NULL; k++)
            check_element(c, weights, i, k, ((const double *)rl_data(gradient[i]))[k], result);
    return rille_error(c->context) == NULL ? verdict(c, result) : rille_error_status(c->context);
}

rille_status rille_gradcheck(rille_context *cx, rille_function *f, void *user, rille_tensor *const *inputs, int count,
                             const rille_gradcheck_options *options, rille_gradcheck_result *result)
{
    rille_gradcheck_options o = {0};
    rille_gradcheck_result unused;
    if (options != NULL)
        o = *options;
    if (result == NULL)
        result = &unused;
    *result = (rille_gradcheck_result){0};
    check c = {cx,     f,           user, inputs, count, o.step > 0 ? o.step : 1e-5, o.tolerance > 0 ? o.tolerance : 1e-6,
               o.kink, o.kink_count};
    rille_status status = check_inputs(&c);
    if (status != RILLE_OK)
        return status;
    rille_scope_push(cx);
    bool recording = rille_set_grad_enabled(cx, true);
    status = run(&c, result);
    rille_set_grad_enabled(cx, recording);
    for (int i = 0; i < count; i++)
        if (inputs[i] != NULL)
            rille_set_gradient(inputs[i], NULL);
    rille_scope_pop(cx);
    return status;
}

/* ---- The gradient of the gradient ---- */

typedef struct twice {
    rille_function *f;
    void *user;
} twice;

/* Of f's inputs and then v, of its result's shape: sum over inputs of weights . d(v . f)/d(input). */
static rille_tensor *weighted_gradient(rille_context *cx, rille_tensor *const *inputs, int count, void *user)
{
    const twice *t = user;
    rille_tensor *wanted[MOST_INPUTS], *gradient[MOST_INPUTS] = {NULL}, *total = rille_scalar(cx, RILLE_FLOAT64, 0);
    int n = 0;
    for (int i = 0; i < count - 1; i++)
        if (rille_requires_grad(inputs[i]))
            wanted[n++] = inputs[i];
    rille_tensor *y = t->f(cx, inputs, count - 1, t->user), *v = inputs[count - 1];
    if (y == NULL || rille_grad(&y, 1, wanted, n, &v, true, gradient) != RILLE_OK)
        return NULL;
    for (int i = 0; i < n; i++)
        if (gradient[i] != NULL)
            total = rille_add(total, rille_sum(rille_mul(gradient[i], weights_like(gradient[i])), NULL, 0, false));
    return total;
}

rille_status rille_gradgradcheck(rille_context *cx, rille_function *f, void *user, rille_tensor *const *inputs, int count,
                                 const rille_gradcheck_options *options, rille_gradcheck_result *result)
{
    twice t = {f, user};
    rille_tensor *all[MOST_INPUTS] = {NULL};
    check c = {.context = cx, .f = f, .user = user, .inputs = inputs, .count = count};
    rille_status status = check_inputs(&c);
    if (status == RILLE_OK && count == MOST_INPUTS)
        status = rl_fail(cx, RILLE_ERROR_ARGUMENT, "gradgradcheck: %d inputs; 1 ... %d expected", count, MOST_INPUTS - 1);
    if (status != RILLE_OK)
        return status;
    rille_scope_push(cx);
    bool recording = rille_set_grad_enabled(cx, true);
    for (int i = 0; i < count; i++)
        all[i] = inputs[i];
    rille_tensor *y = call(&c);
    all[count] = y == NULL ? NULL : weights_like(y);
    status = all[count] == NULL ? rille_error_status(cx) : rille_set_requires_grad(all[count], true);
    if (status == RILLE_OK)
        status = rille_gradcheck(cx, weighted_gradient, &t, all, count + 1, options, result);
    rille_set_grad_enabled(cx, recording);
    rille_scope_pop(cx);
    return status;
}
