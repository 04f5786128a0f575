/* Gradients kept within bounds before a step. */
#include "ops/ops.h"

#include "base/memory.h"
#include "base/parallel.h"
#include "optim/kernels.h"

#include <math.h>

/* A number for a message: NaN without the sign that it may have. */
static double shown(double x)
{
    return x != x ? (double)NAN : x;
}

enum { NORM_GRAIN = RL_GRAIN_MEDIUM };

/* A pass over one gradient, which is dense. */
typedef struct pass {
    rille_tensor *g;
    double p; /* of the norm; infinity: the largest */
    rl_power_of_two scale;
    double factor; /* or bound */
    double *chunk; /* a result for each */
} pass;

static void measure(void *work, size_t begin, size_t end)
{
    const pass *w = work;
    const rl_optim_kernels *kernels = rl_optim_kernels_pick();
    const void *x = rl_data(w->g) + begin * rille_dtype_size(w->g->dtype);
    w->chunk[begin / NORM_GRAIN] = isinf(w->p) ? kernels->largest[w->g->dtype](end - begin, x)
                                               : kernels->sum_of_powers[w->g->dtype](end - begin, x, w->scale, w->p);
}

static void scale(void *work, size_t begin, size_t end)
{
    const pass *w = work;
    rl_optim_kernels_pick()->scale[w->g->dtype](end - begin, rl_data(w->g) + begin * rille_dtype_size(w->g->dtype), w->factor);
}

static void clamp(void *work, size_t begin, size_t end)
{
    const pass *w = work;
    rl_optim_kernels_pick()->clamp[w->g->dtype](end - begin, rl_data(w->g) + begin * rille_dtype_size(w->g->dtype), w->factor);
}

static double larger(double a, double b)
{
    return a != a || b != b ? (double)NAN : a > b ? a : b;
}

/* Folds the chunks of one gradient into *total: their sum, or the largest. */
static rille_status fold_gradient(rille_context *cx, pass *w, double *total)
{
    const size_t n = (size_t)w->g->numel, chunks = rl_chunks(n, NORM_GRAIN);
    w->chunk = rl_allocate(cx, (chunks + 1) * sizeof *w->chunk);
    if (w->chunk == NULL)
        return RILLE_ERROR_MEMORY;
    rille_status status = rl_parallel_for(cx, "clip_grad_norm", n, NORM_GRAIN, measure, w);
    for (size_t i = 0; status == RILLE_OK && i < chunks; i++)
        *total = isinf(w->p) ? larger(*total, w->chunk[i]) : *total + w->chunk[i];
    rl_release(cx, w->chunk, (chunks + 1) * sizeof *w->chunk);
    return status;
}

/* sum |g 2^-e|^p over all gradients, or, with p infinite, the largest |g|. */
static rille_status fold_all(rille_context *cx, int count, rille_tensor *const *parameters, double p, int e, double *total)
{
    rille_status status = RILLE_OK;
    *total = 0;
    for (int i = 0; status == RILLE_OK && i < count; i++)
        if (parameters[i]->gradient != NULL) {
            pass w = {.g = parameters[i]->gradient, .p = p, .scale = rl_power_of_two_at(-e)};
            status = fold_gradient(cx, &w, total);
        }
    return status;
}

/* Once without a scale; where the sum leaves double's range, again around the largest. */
static rille_status norm_of(rille_context *cx, int count, rille_tensor *const *parameters, double p, double *norm)
{
    rille_status status = fold_all(cx, count, parameters, p, 0, norm);
    if (status != RILLE_OK || isinf(p) || isnan(*norm))
        return status;
    if (*norm > 0x1p-900 && *norm < 0x1p+1000) {
        *norm = p == 2 ? sqrt(*norm) : pow(*norm, 1 / p);
        return RILLE_OK;
    }
    double largest;
    int e = 0;
    status = fold_all(cx, count, parameters, INFINITY, 0, &largest);
    if (status == RILLE_OK && (largest == 0 || isinf(largest))) {
        *norm = largest;
        return RILLE_OK;
    }
    frexp(largest, &e);
    if (status == RILLE_OK)
        status = fold_all(cx, count, parameters, p, e, norm);
    if (status == RILLE_OK && *norm == 0) { /* 0.5^p is 0 from p = 1075 on, and there the norm is the largest to 1e-15 n */
        *norm = largest;
        return RILLE_OK;
    }
    *norm = rl_scaled(pow(*norm, 1 / p), rl_power_of_two_at(e));
    return status;
}

/* Every gradient, made dense where it is not: passes then write into it. */
static rille_status prepare(rille_context *cx, const char *name, int count, rille_tensor *const *parameters)
{
    if (parameters == NULL && count > 0)
        return rl_fail(cx, RILLE_ERROR_NULL, "%s: the list of parameters is NULL", name);
    for (int i = 0; i < count; i++) {
        rille_tensor *t = parameters[i];
        if (t == NULL || t->context != cx)
            return rl_fail(cx, RILLE_ERROR_NULL, "%s: parameter %d is no tensor of this context", name,
                           i + cx->options.index_base);
        if (t->gradient == NULL || rille_is_contiguous(t->gradient))
            continue;
        rille_tensor *dense = rl_dense(t->gradient);
        rille_status status = dense == NULL ? RILLE_ERROR_MEMORY : rille_set_gradient(t, dense);
        rille_free(dense);
        if (status != RILLE_OK)
            return status;
    }
    return RILLE_OK;
}

static rille_status change_all(rille_context *cx, const char *name, int count, rille_tensor *const *parameters, rl_body *body,
                               double factor)
{
    rille_status status = RILLE_OK;
    for (int i = 0; status == RILLE_OK && i < count; i++)
        if (parameters[i]->gradient != NULL) {
            pass w = {.g = parameters[i]->gradient, .factor = factor};
            status = rl_parallel_map(cx, name, (size_t)w.g->numel, RL_GRAIN_LIGHT, body, &w);
            rille_touch(w.g);
        }
    return status;
}

/* Names the first gradient that is to blame for a total that is not finite. */
static rille_status refuse_nonfinite(rille_context *cx, int count, rille_tensor *const *parameters, double total)
{
    for (int i = 0; i < count; i++) {
        double largest;
        rille_status status = fold_all(cx, 1, &parameters[i], INFINITY, 0, &largest);
        if (status != RILLE_OK)
            return status;
        if (!isfinite(largest))
            return rl_fail(cx, RILLE_ERROR_NONFINITE,
                           "clip_grad_norm: the total norm is %s: so is the gradient of parameter %d",
                           isnan(total) ? "nan" : "inf", i + cx->options.index_base);
    }
    return rl_fail(cx, RILLE_ERROR_NONFINITE, "clip_grad_norm: the total norm is above the largest double");
}

rille_status rille_clip_grad_norm(rille_context *cx, int count, rille_tensor *const *parameters, double max_norm,
                                  double norm_type, bool error_if_nonfinite, double *total)
{
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    if (!(max_norm >= 0) || !(norm_type > 0))
        return rl_fail(cx, RILLE_ERROR_ARGUMENT,
                       "clip_grad_norm: max_norm %g and norm_type %g; max_norm >= 0 and norm_type > 0 "
                       "expected",
                       shown(max_norm), shown(norm_type));
    double norm = 0;
    rille_status status = prepare(cx, "clip_grad_norm", count, parameters);
    if (status == RILLE_OK)
        status = norm_of(cx, count, parameters, norm_type, &norm);
    if (status == RILLE_OK && error_if_nonfinite && !isfinite(norm))
        status = refuse_nonfinite(cx, count, parameters, norm);
    const double factor = max_norm / (norm + 1e-6);
    if (status == RILLE_OK && !isinf(max_norm) && !(factor >= 1))
        status = change_all(cx, "clip_grad_norm", count, parameters, scale, factor);
    if (status == RILLE_OK && total != NULL)
        *total = norm;
    return status;
}

rille_status rille_clip_grad_value(rille_context *cx, int count, rille_tensor *const *parameters, double value)
{
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    if (!(value >= 0))
        return rl_fail(cx, RILLE_ERROR_ARGUMENT, "clip_grad_value: the value is %g; 0 or more expected", shown(value));
    rille_status status = prepare(cx, "clip_grad_value", count, parameters);
    return status != RILLE_OK ? status : change_all(cx, "clip_grad_value", count, parameters, clamp, value);
}
