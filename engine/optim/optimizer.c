/* Optimisers: one step of all parameters. rille.h has their formulas and where they come from. */
#include "ops/ops.h"
#include "tensor/extent.h"

#include "base/memory.h"
#include "base/parallel.h"
#include "optim/kernels.h"

#include <math.h>
#include <stddef.h>

/* ---- What each of them is ---- */

#define ONLY(kind) (1u << (kind))
#define ADAMS (ONLY(RILLE_ADAM) | ONLY(RILLE_ADAMW))
#define ALL (ONLY(RL_OPTIMIZERS) - 1)

static const char *const names_of_kinds[RL_OPTIMIZERS] = {"sgd", "adam", "adamw", "rmsprop", "adagrad", "adadelta", "lion"};

/* A setting is finite, at least 0 and, where `below_1`, less than 1, for the optimisers that look at it. */
static const struct setting {
    const char *name;
    size_t at;
    bool below_1;
    unsigned kinds;
} settings[] = {
    {"learning_rate", offsetof(rille_optimizer_options, learning_rate), false, ALL},
    {"weight_decay", offsetof(rille_optimizer_options, weight_decay), false, ALL},
    {"momentum", offsetof(rille_optimizer_options, momentum), true, ONLY(RILLE_SGD) | ONLY(RILLE_RMSPROP)},
    {"beta1", offsetof(rille_optimizer_options, beta1), true, ADAMS | ONLY(RILLE_LION)},
    {"beta2", offsetof(rille_optimizer_options, beta2), true, ADAMS | ONLY(RILLE_LION)},
    {"alpha", offsetof(rille_optimizer_options, alpha), true, ONLY(RILLE_RMSPROP)},
    {"rho", offsetof(rille_optimizer_options, rho), true, ONLY(RILLE_ADADELTA)},
    {"lr_decay", offsetof(rille_optimizer_options, lr_decay), false, ONLY(RILLE_ADAGRAD)},
    {"eps", offsetof(rille_optimizer_options, eps), false, ALL & ~(ONLY(RILLE_SGD) | ONLY(RILLE_LION))},
};

/* The kernels' places for states, in order; a name that is NULL is a place that is not used. */
static void places_of(const rille_optimizer_options *o, const char *name[RILLE_MAX_OPTIMIZER_STATES])
{
    static const char *const always[RL_OPTIMIZERS][2] = {
        [RILLE_ADAM] = {"exp_avg", "exp_avg_sq"},       [RILLE_ADAMW] = {"exp_avg", "exp_avg_sq"},
        [RILLE_RMSPROP] = {"square_avg", NULL},         [RILLE_ADAGRAD] = {"sum", NULL},
        [RILLE_ADADELTA] = {"square_avg", "acc_delta"}, [RILLE_LION] = {"exp_avg", NULL},
    };
    const char *buffer = o->momentum != 0 ? "momentum_buffer" : NULL;
    name[0] = o->kind == RILLE_SGD ? buffer : always[o->kind][0];
    name[1] = o->kind == RILLE_RMSPROP && o->centered ? "grad_avg" : always[o->kind][1];
    name[2] = o->kind == RILLE_RMSPROP ? buffer : NULL;
}

static rille_status check_options(rille_context *cx, const rille_optimizer_options *o)
{
    if (o == NULL)
        return rl_fail(cx, RILLE_ERROR_NULL, "optimizer: the options are NULL");
    if ((int)o->kind < 0 || (int)o->kind >= RL_OPTIMIZERS)
        return rl_fail(cx, RILLE_ERROR_ARGUMENT, "optimizer: there is no kind %d", (int)o->kind);
    const char *kind = names_of_kinds[o->kind];
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        const struct setting *s = &settings[i];
        const double value = *(const double *)(const void *)((const char *)o + s->at);
        if ((s->kinds & ONLY(o->kind)) && !(value >= 0 && value < (s->below_1 ? 1 : (double)INFINITY)))
            return rl_fail(cx, RILLE_ERROR_ARGUMENT, "%s: %s is %g; %s expected", kind, s->name, value != value ? NAN : value,
                           s->below_1 ? "at least 0 and below 1" : "a finite number >= 0");
    }
    if (o->kind == RILLE_SGD && o->nesterov && o->momentum == 0)
        return rl_fail(cx, RILLE_ERROR_ARGUMENT, "sgd: nesterov needs a momentum above 0");
    return RILLE_OK;
}

int rille_optimizer_states(rille_context *cx, const rille_optimizer_options *options,
                           const char *names[RILLE_MAX_OPTIMIZER_STATES])
{
    const char *place[RILLE_MAX_OPTIMIZER_STATES];
    int count = 0;
    if (cx == NULL || check_options(cx, options) != RILLE_OK)
        return -1;
    places_of(options, place);
    for (int k = 0; k < RILLE_MAX_OPTIMIZER_STATES; k++) {
        if (place[k] != NULL && names != NULL)
            names[count] = place[k];
        count += place[k] != NULL;
    }
    return count;
}

/* What the kernel multiplies by in step t, from 1. */
static rl_update update_at(const rille_optimizer_options *o, int64_t t)
{
    rl_update u = {.rate = o->learning_rate,
                   .shrink = 1,
                   .decay = o->weight_decay,
                   .momentum = o->momentum,
                   .nesterov = o->nesterov,
                   .first = o->beta1,
                   .second = o->beta2,
                   .root = 1,
                   .eps = o->eps};
    if (o->kind == RILLE_ADAMW || o->kind == RILLE_LION) {
        u.shrink = 1 - o->learning_rate * o->weight_decay;
        u.decay = 0;
    }
    if (o->kind == RILLE_ADAM || o->kind == RILLE_ADAMW) {
        u.rate = o->learning_rate / (1 - pow(o->beta1, (double)t));
        u.root = 1 / sqrt(1 - pow(o->beta2, (double)t));
    } else if (o->kind == RILLE_ADAGRAD) {
        u.rate = o->learning_rate / (1 + (double)(t - 1) * o->lr_decay);
    } else if (o->kind == RILLE_RMSPROP) {
        u.second = o->alpha;
    } else if (o->kind == RILLE_ADADELTA) {
        u.second = o->rho;
    }
    return u;
}

/* ---- Checks ---- */

static rille_status check_parameter(rille_context *cx, const char *kind, int i, const rille_tensor *p)
{
    const int at = i + cx->options.index_base;
    if (p == NULL || p->context != cx)
        return rl_fail(cx, RILLE_ERROR_NULL, "%s: parameter %d is no tensor of this context", kind, at);
    if (!rl_is_floating(p->dtype) || p->node != NULL)
        return rl_fail(cx, RILLE_ERROR_DTYPE, "%s: parameter %d is %s; a floating leaf expected", kind, at,
                       p->node != NULL ? "the result of an operation" : rille_dtype_name(p->dtype));
    if (!rille_is_contiguous(p))
        return rl_fail(cx, RILLE_ERROR_SHAPE, "%s: parameter %d of shape %s is not contiguous", kind, at, RL_SHAPE(p));
    return RILLE_OK;
}

static rille_status check_state(rille_context *cx, const char *kind, int i, const rille_tensor *p, const char *name,
                                const rille_tensor *s)
{
    const int at = i + cx->options.index_base;
    if (s == NULL || s->context != cx)
        return rl_fail(cx, RILLE_ERROR_NULL, "%s: %s of parameter %d is no tensor of this context", kind, name, at);
    if (s->dtype != p->dtype || !rl_same_shape(s, p))
        return rl_fail(cx, RILLE_ERROR_SHAPE, "%s: %s of parameter %d is %s %s, the parameter %s %s", kind, name, at,
                       rille_dtype_name(s->dtype), RL_SHAPE(s), rille_dtype_name(p->dtype), RL_SHAPE(p));
    if (!rille_is_contiguous(s))
        return rl_fail(cx, RILLE_ERROR_SHAPE, "%s: %s of parameter %d of shape %s is not contiguous", kind, name, at,
                       RL_SHAPE(s));
    return RILLE_OK;
}

/* ---- The step: the elements of all parameters, one after the other, are one range, which threads share ---- */

typedef struct span { /* one parameter that has a gradient */
    size_t end;       /* of its elements in the range; it begins where the one before ends */
    int place;        /* in the caller's list */
    rille_tensor *p, *g, *state[RILLE_MAX_OPTIMIZER_STATES];
    rl_update update;
} span;

typedef struct step_work {
    rille_optimizer kind;
    int states; /* of a parameter */
    int count;
    span *span;
} step_work;

/* The first span that ends after `at`. */
static int span_at(const step_work *w, size_t at)
{
    int low = 0, high = w->count - 1;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (w->span[middle].end > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void update_range(void *work, size_t begin, size_t end)
{
    const step_work *w = work;
    for (int i = span_at(w, begin); begin < end; i++) {
        const span *s = &w->span[i];
        const size_t stop = s->end < end ? s->end : end, first = s->end - (size_t)s->p->numel;
        const size_t at = (begin - first) * rille_dtype_size(s->p->dtype);
        void *state[RILLE_MAX_OPTIMIZER_STATES];
        for (int k = 0; k < RILLE_MAX_OPTIMIZER_STATES; k++)
            state[k] = s->state[k] == NULL ? NULL : rl_data(s->state[k]) + at;
        rl_optim_kernels_pick()->update[w->kind][s->p->dtype](stop - begin, &s->update, rl_data(s->p) + at, rl_data(s->g) + at,
                                                              state);
        begin = stop;
    }
}

/* Checks parameter i and its states, and makes a span of it where it has a gradient to move along. */
static rille_status add_span(rille_context *cx, const rille_optimizer_options *o, step_work *w, int i, rille_tensor *p,
                             rille_tensor *const *state, int64_t t)
{
    const char *kind = names_of_kinds[o->kind], *place[RILLE_MAX_OPTIMIZER_STATES];
    span *s = &w->span[w->count];
    *s = (span){.end = w->count == 0 ? 0 : s[-1].end, .place = i, .p = p};
    rille_status status = check_parameter(cx, kind, i, p);
    places_of(o, place);
    for (int k = 0; status == RILLE_OK && k < RILLE_MAX_OPTIMIZER_STATES; k++)
        if (place[k] != NULL) {
            s->state[k] = state == NULL ? NULL : *state++;
            status = check_state(cx, kind, i, p, place[k], s->state[k]);
        }
    if (status == RILLE_OK && (t < 0 || t == INT64_MAX))
        return rl_fail(cx, RILLE_ERROR_ARGUMENT, "%s: parameter %d has made %lld steps; 0 or more expected", kind,
                       i + cx->options.index_base, (long long)t);
    if (status != RILLE_OK || p->gradient == NULL || p->numel == 0)
        return status;
    s->g = rl_dense(p->gradient);
    if (s->g == NULL)
        return RILLE_ERROR_MEMORY;
    s->end += (size_t)p->numel;
    s->update = update_at(o, t + 1);
    w->count++;
    return RILLE_OK;
}

/* Threads write to all parameters and states at once: no two of them may share memory. */
static rille_status check_apart(rille_context *cx, const char *kind, const step_work *w)
{
    const size_t bytes = (size_t)w->count * (size_t)(1 + w->states) * sizeof(rl_extent);
    rl_extent *list = bytes == 0 ? NULL : rl_allocate(cx, bytes);
    if (list == NULL)
        return bytes == 0 ? RILLE_OK : RILLE_ERROR_MEMORY;
    size_t n = 0;
    for (int i = 0; i < w->count; i++) {
        const span *s = &w->span[i];
        list[n++] = rl_extent_of(s->p, s->place);
        for (int k = 0; k < RILLE_MAX_OPTIMIZER_STATES; k++)
            if (s->state[k] != NULL)
                list[n++] = rl_extent_of(s->state[k], s->place);
    }
    const rl_extent *second = rl_first_overlap(n, list);
    rille_status status = RILLE_OK;
    if (second != NULL)
        status = rl_fail(cx, RILLE_ERROR_ARGUMENT, "%s: parameters %d and %d, or their states, share memory", kind,
                         second[-1].place + cx->options.index_base, second->place + cx->options.index_base);
    rl_release(cx, list, bytes);
    return status;
}

static rille_status run(rille_context *cx, step_work *w)
{
    if (w->count == 0)
        return RILLE_OK;
    double bytes = 0; /* p and each state is read and written, g is read */
    for (int i = 0; i < w->count; i++)
        bytes += (double)w->span[i].p->numel * (double)rille_dtype_size(w->span[i].p->dtype) * (3 + 2 * w->states);
    rl_profile_next(cx, NULL, 0, bytes);
    const size_t grain = w->kind == RILLE_SGD ? RL_GRAIN_LIGHT : RL_GRAIN_MEDIUM;
    rille_status status = rl_parallel_map(cx, names_of_kinds[w->kind], w->span[w->count - 1].end, grain, update_range, w);
    for (int i = 0; i < w->count; i++) {
        rille_touch(w->span[i].p);
        for (int k = 0; k < RILLE_MAX_OPTIMIZER_STATES; k++)
            rille_touch(w->span[i].state[k]);
    }
    return status;
}

rille_status rille_optimizer_step(rille_context *cx, const rille_optimizer_options *options, int count,
                                  rille_tensor *const *parameters, rille_tensor *const *states, int64_t *steps)
{
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    const int kept = rille_optimizer_states(cx, options, NULL);
    if (kept < 0)
        return rille_error_status(cx);
    if (count <= 0)
        return RILLE_OK;
    const char *kind = names_of_kinds[options->kind];
    if (parameters == NULL || steps == NULL || (kept > 0 && states == NULL))
        return rl_fail(cx, RILLE_ERROR_NULL, "%s: the list of %s is NULL", kind,
                       parameters == NULL ? "parameters"
                       : steps == NULL    ? "steps"
                                          : "states");
    const size_t bytes = (size_t)count * sizeof(span);
    step_work w = {options->kind, kept, 0, rl_allocate(cx, bytes)};
    rille_status status = w.span == NULL ? RILLE_ERROR_MEMORY : RILLE_OK;
    for (int i = 0; status == RILLE_OK && i < count; i++)
        status =
            add_span(cx, options, &w, i, parameters[i], states == NULL ? NULL : states + (size_t)i * (size_t)kept, steps[i]);
    if (status == RILLE_OK)
        status = check_apart(cx, kind, &w);
    if (status == RILLE_OK)
        status = run(cx, &w);
    for (int i = 0; status == RILLE_OK && i < count; i++)
        steps[i] += parameters[i]->gradient != NULL;
    for (int i = 0; i < w.count; i++)
        rl_free_temporary(w.span[i].g, w.span[i].p->gradient);
    if (w.span != NULL)
        rl_release(cx, w.span, bytes);
    return status;
}
