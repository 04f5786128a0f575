/* Stochastic gradient descent with momentum (Polyak 1964, Nesterov 1983 as in Sutskever et al. 2013). */
#include "ops/ops.h"

#include "base/parallel.h"
#include "optim/kernels.h"

#include <math.h>

typedef struct sgd_work {
    rille_dtype dtype;
    char *p, *v;
    const char *g;
    const rille_sgd_options *options;
} sgd_work;

static void update(void *work, size_t begin, size_t end)
{
    const sgd_work *w = work;
    size_t at = begin * rille_dtype_size(w->dtype);
    rl_optim_kernels_pick()->sgd[w->dtype == RILLE_FLOAT64](end - begin, w->p + at, w->g + at, w->v == NULL ? NULL : w->v + at,
                                                            w->options);
}

static rille_status check_options(rille_context *cx, const rille_sgd_options *o)
{
    if (!isfinite(o->learning_rate) || !isfinite(o->weight_decay) || !(o->momentum >= 0 && o->momentum < 1))
        return rl_fail(cx, RILLE_ERROR_ARGUMENT,
                       "sgd: learning rate %g, momentum %g, weight decay %g; finite ones, with 0 <= momentum < 1, expected",
                       o->learning_rate, o->momentum, o->weight_decay);
    if (o->nesterov && o->momentum == 0)
        return rl_fail(cx, RILLE_ERROR_ARGUMENT, "sgd: nesterov needs a momentum above 0");
    return RILLE_OK;
}

static rille_status check_parameter(rille_context *cx, int i, const rille_tensor *p, const rille_tensor *v, bool moves)
{
    int at = i + cx->options.index_base;
    if (moves && v == NULL)
        return rl_fail(cx, RILLE_ERROR_NULL, "sgd: velocity %d is NULL", at);
    if (p == NULL || p->context != cx)
        return rl_fail(cx, RILLE_ERROR_NULL, "sgd: parameter %d is no tensor of this context", at);
    if (!rl_is_floating(p->dtype) || p->node != NULL)
        return rl_fail(cx, RILLE_ERROR_DTYPE, "sgd: parameter %d is %s; a floating leaf expected", at,
                       rille_dtype_name(p->dtype));
    if (!rille_is_contiguous(p))
        return rl_fail(cx, RILLE_ERROR_SHAPE, "sgd: parameter %d of shape %s is not contiguous", at, RL_SHAPE(p));
    if (v != NULL && (v->context != cx || v->dtype != p->dtype || !rl_same_shape(v, p) || !rille_is_contiguous(v)))
        return rl_fail(cx, RILLE_ERROR_SHAPE, "sgd: velocity %d is %s %s, its parameter %s %s", at, rille_dtype_name(v->dtype),
                       RL_SHAPE(v), rille_dtype_name(p->dtype), RL_SHAPE(p));
    return RILLE_OK;
}

static rille_status step(rille_context *cx, rille_tensor *p, rille_tensor *v, const rille_sgd_options *options)
{
    rille_tensor *g = rl_dense(p->gradient);
    if (g == NULL)
        return RILLE_ERROR_MEMORY;
    sgd_work w = {p->dtype, rl_data(p), v == NULL ? NULL : rl_data(v), rl_data(g), options};
    rille_status status = rl_parallel_map(cx, "sgd", (size_t)p->numel, RL_GRAIN_LIGHT, update, &w);
    rl_free_temporary(g, p->gradient);
    rille_touch(p);
    if (v != NULL)
        rille_touch(v);
    return status;
}

rille_status rille_sgd_step(rille_context *cx, int count, rille_tensor *const *parameters, rille_tensor *const *velocity,
                            const rille_sgd_options *options)
{
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    if (options == NULL || (parameters == NULL && count > 0))
        return rl_fail(cx, RILLE_ERROR_NULL, "sgd: %s NULL", options == NULL ? "the options are" : "the list of parameters is");
    rille_status status = check_options(cx, options);
    bool moves = options->momentum != 0;
    if (status == RILLE_OK && moves && velocity == NULL)
        return rl_fail(cx, RILLE_ERROR_ARGUMENT, "sgd: momentum %g needs velocities", options->momentum);
    for (int i = 0; status == RILLE_OK && i < count; i++)
        status = check_parameter(cx, i, parameters[i], moves ? velocity[i] : NULL, moves);
    for (int i = 0; status == RILLE_OK && i < count; i++)
        if (parameters[i]->gradient != NULL)
            status = step(cx, parameters[i], moves ? velocity[i] : NULL, options);
    return status;
}
