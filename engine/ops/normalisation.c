/* batch_norm, layer_norm, rms_norm and group_norm: one operation over x seen as [samples, groups, channels, inner]. Statistics are
 * of each group of each sample, or of each channel over samples and inner; weight and bias are of each channel of each group. A
 * layer's elements are channels of one group with nothing inner. The passes are in normalisation_passes.c. */
#include "ops/normalisation.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

typedef struct norm_call {
    const char *name;
    rille_tensor *x, *weight, *bias;
    rille_tensor *running[2]; /* mean, variance; NULL: there are none */
    bool training;
    double momentum;
    rl_attributes attributes;
} norm_call;

/* ---- What fits ---- */

static rille_context *enter(const norm_call *c)
{
    rl_list given = {0};
    rille_tensor *const optional[] = {c->weight, c->bias, c->running[0], c->running[1]};
    given.item[given.count++] = c->x;
    for (int i = 0; i < 4; i++)
        if (optional[i] != NULL)
            given.item[given.count++] = optional[i];
    return rl_enter(c->name, given);
}

static bool is_number(const norm_call *c, const char *what, double value, double least, double most)
{
    if (value >= least && value <= most)
        return true;
    rl_fail(c->x->context, RILLE_ERROR_ARGUMENT, "%s: %s is %g; a number from %g to %g expected", c->name, what,
            isnan(value) ? fabs(value) : value, least, most); /* a NaN prints its sign bit */
    return false;
}

static bool is_floating_input(const norm_call *c)
{
    if (!rl_is_floating(c->x->dtype))
        rl_fail(c->x->context, RILLE_ERROR_DTYPE, "%s: input is %s; float32 or float64 expected", c->name,
                rille_dtype_name(c->x->dtype));
    return rl_is_floating(c->x->dtype);
}

/* Whether t, if it is there, is of x's dtype and this shape. */
static bool is_like(const norm_call *c, const char *what, const rille_tensor *t, int rank, const int64_t *shape)
{
    if (t == NULL || (t->dtype == c->x->dtype && t->rank == rank && memcmp(t->shape, shape, (size_t)rank * sizeof *shape) == 0))
        return true;
    rl_fail(c->x->context, t->dtype == c->x->dtype ? RILLE_ERROR_SHAPE : RILLE_ERROR_DTYPE,
            "%s: %s is %s %s; for an input that is %s %s, %s %s expected", c->name, what, rille_dtype_name(t->dtype),
            RL_SHAPE(t), rille_dtype_name(c->x->dtype), RL_SHAPE(c->x), rille_dtype_name(c->x->dtype),
            rl_shape_text((char[RL_SHAPE_TEXT]){0}, rank, shape));
    return false;
}

static bool has_weights(const norm_call *c, int rank, const int64_t *shape)
{
    return is_floating_input(c) && is_like(c, "weight", c->weight, rank, shape) && is_like(c, "bias", c->bias, rank, shape) &&
           is_number(c, "eps", c->attributes.normalise.eps, 0, INFINITY);
}

static bool has_channels(const norm_call *c)
{
    if (c->x->rank < 2)
        rl_fail(c->x->context, RILLE_ERROR_SHAPE, "%s: input is %s; [n, c, ...] expected", c->name, RL_SHAPE(c->x));
    return c->x->rank >= 2;
}

static bool has_running(const norm_call *c)
{
    static const char *const name[] = {"running_mean", "running_var"};
    rille_context *cx = c->x->context;
    if ((c->running[0] == NULL) != (c->running[1] == NULL)) {
        rl_fail(cx, RILLE_ERROR_NULL, "%s: %s is given without %s", c->name, name[c->running[0] == NULL],
                name[c->running[0] != NULL]);
        return false;
    }
    for (int i = 0; i < 2 && c->running[0] != NULL; i++) {
        if (!is_like(c, name[i], c->running[i], 1, c->x->shape + 1))
            return false;
        if (c->training && rl_tracks(c->running[i])) {
            rl_fail(cx, RILLE_ERROR_GRAPH, "%s: %s, which is written in place, takes part in gradients", c->name, name[i]);
            return false;
        }
    }
    return true;
}

/* ---- Forward ---- */

static rl_norm norm_of(const char *name, const rl_attributes *attributes, rille_dtype dtype)
{
    const int64_t *shape = attributes->normalise.shape;
    return (rl_norm){.name = name,
                     .kernel = dtype == RILLE_FLOAT64,
                     .item = rille_dtype_size(dtype),
                     .by_channel = attributes->normalise.by_channel,
                     .centred = attributes->normalise.centred,
                     .samples = (size_t)shape[0],
                     .groups = (size_t)shape[1],
                     .channels = (size_t)shape[2],
                     .inner = (size_t)shape[3],
                     .eps = attributes->normalise.eps};
}

/* The weights in float64; -0.0 is what changes nothing when it is added. */
static rille_status read_weights(rl_norm *w, double *buffer, rille_tensor *weight, rille_tensor *bias)
{
    const size_t all = w->groups * w->channels;
    w->weight = buffer;
    w->bias = buffer + all;
    for (size_t i = 0; i < all; i++) {
        w->weight[i] = 1;
        w->bias[i] = -0.0;
    }
    const rille_status status = weight == NULL ? RILLE_OK : rille_copy_out(weight, RILLE_FLOAT64, w->weight);
    return status != RILLE_OK || bias == NULL ? status : rille_copy_out(bias, RILLE_FLOAT64, w->bias);
}

static rille_status read_running(const norm_call *c, rl_norm *w)
{
    rille_status status = rille_copy_out(c->running[0], RILLE_FLOAT64, w->mean);
    if (status == RILLE_OK)
        status = rille_copy_out(c->running[1], RILLE_FLOAT64, w->scale);
    for (size_t i = 0; i < w->channels; i++)
        w->scale[i] = 1 / sqrt(w->scale[i] + w->eps);
    return status;
}

static void move_running(rille_tensor *running, size_t i, double momentum, double factor, double value)
{
    char *at = rl_data(running) + (ptrdiff_t)i * running->stride[0] * (ptrdiff_t)rille_dtype_size(running->dtype);
    if (running->dtype == RILLE_FLOAT32)
        *(float *)at = (float)((1 - momentum) * (double)*(float *)at + momentum * (factor * value));
    else
        *(double *)at = (1 - momentum) * *(double *)at + momentum * (factor * value);
}

static void update_running(const norm_call *c, const rl_norm *w, const double *variance)
{
    const double n = (double)rl_norm_count(w);
    for (size_t i = 0; i < w->channels; i++) {
        move_running(c->running[0], i, c->momentum, 1, w->mean[i]);
        move_running(c->running[1], i, c->momentum, n / (n - 1), variance[i]);
    }
    rille_touch(c->running[0]);
    rille_touch(c->running[1]);
}

static rille_status fill(rille_context *cx, const norm_call *c, rl_norm *w, double *buffer, rille_tensor *out)
{
    rille_status status = read_weights(w, buffer, c->weight, c->bias);
    if (status == RILLE_OK && out->numel > 0)
        status = c->attributes.normalise.fixed ? read_running(c, w)
                                               : rl_norm_measure(cx, w, w->by_channel ? w->bias + w->channels : NULL);
    return status != RILLE_OK || out->numel == 0 ? status : rl_norm_apply(cx, w, rl_data(out));
}

static rille_tensor *recorded(const norm_call *c, rille_tensor *out, rille_tensor *statistics)
{
    rl_list inputs = RL_LIST(c->x), saved = RL_LIST(c->x, statistics);
    rl_attributes attributes = c->attributes;
    if (c->weight != NULL) {
        attributes.normalise.weight = inputs.count;
        inputs.item[inputs.count++] = saved.item[saved.count++] = c->weight;
    }
    if (c->bias != NULL) {
        attributes.normalise.bias = inputs.count;
        inputs.item[inputs.count++] = c->bias;
    }
    return rl_record(out, &rl_ops[RL_OP_normalise], inputs, saved, &attributes);
}

static rille_tensor *normalised(const norm_call *c)
{
    rille_context *cx = c->x->context;
    rl_norm w = norm_of(c->name, &c->attributes, c->x->dtype);
    const size_t bytes = 3 * w.groups * w.channels * sizeof(double); /* weight, bias, variance */
    double *buffer = rl_allocate(cx, bytes);
    rille_tensor *dense = buffer == NULL ? NULL : rl_dense(c->x);
    rille_tensor *statistics =
        dense == NULL ? NULL : rl_new(cx, c->name, RILLE_FLOAT64, 2, (int64_t[]){2, (int64_t)rl_norm_statistics(&w)});
    rille_tensor *out = statistics == NULL ? NULL : rl_new(cx, c->name, c->x->dtype, c->x->rank, c->x->shape);
    if (out != NULL) {
        w.x = rl_data(dense);
        w.mean = (double *)rl_data(statistics);
        w.scale = w.mean + rl_norm_statistics(&w);
        out = recorded(c, rl_completed(out, fill(cx, c, &w, buffer, out)), statistics);
    }
    if (out != NULL && c->training && c->running[0] != NULL)
        update_running(c, &w, w.bias + w.channels);
    rille_free(statistics);
    rl_free_temporary(dense, c->x);
    rl_release(cx, buffer, bytes);
    return out;
}

/* ---- Backward, in passes of its own ---- */

/* A tensor of an input's shape from float64 numbers. */
static rille_tensor *tensor_of(rille_context *cx, const rl_edge *edge, const double *value)
{
    rille_tensor *out = rl_new(cx, "normalise", edge->dtype, edge->rank, edge->shape);
    for (int64_t i = 0; out != NULL && i < out->numel; i++) {
        if (edge->dtype == RILLE_FLOAT32)
            ((float *)rl_data(out))[i] = (float)value[i];
        else
            ((double *)rl_data(out))[i] = value[i];
    }
    return out;
}

/* dx. by channel, first and second hold the sums of g and of g x^. */
static rille_tensor *input_gradient(rl_node *node, rl_norm *w, double *first, double *second)
{
    rille_context *cx = node->context;
    const rl_edge *edge = &node->edge[0];
    rille_tensor *dx = rl_new(cx, w->name, edge->dtype, edge->rank, edge->shape);
    if (dx == NULL || dx->numel == 0)
        return dx;
    for (size_t i = 0; w->by_channel && i < w->channels; i++) {
        first[i] *= w->weight[i] / (double)rl_norm_count(w);
        second[i] *= w->weight[i] / (double)rl_norm_count(w);
    }
    w->first = first;
    w->second = second;
    if (!node->attributes.normalise.fixed)
        return rl_completed(dx, rl_norm_differentiate(cx, w, rl_data(dx)));
    rl_norm scaled = *w; /* scale (g - 0) weight - 0 */
    scaled.x = w->g;
    scaled.g = NULL;
    scaled.mean = first;
    memset(first, 0, w->channels * sizeof *first);
    return rl_completed(dx, rl_norm_apply(cx, &scaled, rl_data(dx)));
}

static void gradients(rl_node *node, rl_norm *w, double *buffer, rille_tensor *weight, rille_tensor **gradient)
{
    const int of_weight = node->attributes.normalise.weight, of_bias = node->attributes.normalise.bias;
    const size_t all = w->groups * w->channels;
    double *first = buffer + 2 * all, *second = first + all, *own = second + all;
    const bool wanted = (of_weight > 0 && rl_needs(node, of_weight)) || (of_bias > 0 && rl_needs(node, of_bias));
    if (read_weights(w, buffer, weight, NULL) != RILLE_OK)
        return;
    if ((wanted || w->by_channel) && rl_norm_sum_products(node->context, w, first, second) != RILLE_OK)
        return;
    if (of_weight > 0 && rl_needs(node, of_weight))
        gradient[of_weight] = tensor_of(node->context, &node->edge[of_weight], second);
    if (of_bias > 0 && rl_needs(node, of_bias))
        gradient[of_bias] = tensor_of(node->context, &node->edge[of_bias], first);
    if (rl_needs(node, 0))
        gradient[0] =
            input_gradient(node, w, w->by_channel ? first : own, w->by_channel ? second : own + rl_norm_statistics(w));
}

static void by_passes(rl_node *node, rille_tensor *g, rille_tensor *x, rille_tensor *statistics, rille_tensor *weight,
                      rille_tensor **gradient)
{
    rille_context *cx = node->context;
    rl_norm w = norm_of("normalise", &node->attributes, x->dtype);
    const size_t count = rl_norm_statistics(&w), bytes = (4 * w.groups * w.channels + 2 * count) * sizeof(double);
    double *buffer = rl_allocate(cx, bytes);
    rille_tensor *dense = buffer == NULL ? NULL : rl_dense(x), *seed = dense == NULL ? NULL : rl_dense(g);
    if (seed != NULL) {
        w.x = rl_data(dense);
        w.g = rl_data(seed);
        w.mean = (double *)rl_data(statistics);
        w.scale = w.mean + count;
        gradients(node, &w, buffer, weight, gradient);
    }
    rl_free_temporary(seed, g);
    rl_free_temporary(dense, x);
    rl_release(cx, buffer, bytes);
}

/* ---- Backward, by operations that can be differentiated again ---- */

static rille_tensor *mean_of(const rl_node *node, rille_tensor *t)
{
    return rille_mean(t, node->attributes.normalise.by_channel ? (int[]){0, 3} : (int[]){2, 3}, 2, true);
}

/* A constant statistic, one a channel, from a row of `statistics`. */
static rille_tensor *constant(rille_tensor *statistics, int64_t row, rille_dtype dtype)
{
    rille_tensor *chosen = rille_to(rille_select(statistics, 0, row), dtype);
    return chosen == NULL ? NULL : rille_reshape(chosen, 4, (int64_t[]){1, 1, chosen->shape[0], 1});
}

static rille_tensor *channel_sum(const rl_edge *edge, rille_tensor *t)
{
    return rille_reshape(rille_sum(t, (int[]){0, 3}, 2, false), edge->rank, edge->shape);
}

static void by_operations(rl_node *node, rille_tensor *g, rille_tensor *x, rille_tensor *statistics, rille_tensor *weight,
                          rille_tensor **gradient)
{
    rille_context *cx = node->context;
    const rille_dtype dtype = x->dtype;
    const int64_t *shape = node->attributes.normalise.shape;
    const bool fixed = node->attributes.normalise.fixed, centred = node->attributes.normalise.centred;
    const int of_weight = node->attributes.normalise.weight, of_bias = node->attributes.normalise.bias;
    rille_tensor *x4 = rille_reshape(x, 4, shape), *g4 = rille_reshape(g, 4, shape);
    rille_tensor *shift = !centred ? NULL : fixed ? constant(statistics, 0, dtype) : mean_of(node, x4);
    rille_tensor *apart = centred ? rille_sub(x4, shift) : x4, *scale;
    if (fixed) {
        scale = constant(statistics, 1, dtype);
    } else {
        rille_tensor *variance = mean_of(node, rille_mul(apart, apart));
        rille_tensor *lifted = rille_add(variance, rille_scalar(cx, dtype, node->attributes.normalise.eps));
        scale = rille_div(rille_scalar(cx, dtype, 1), rille_sqrt(lifted));
    }
    rille_tensor *normal = rille_mul(apart, scale), *gw = g4;
    if (weight != NULL)
        gw = rille_mul(g4, rille_reshape(weight, 4, (int64_t[]){1, shape[1], shape[2], 1}));
    rille_tensor *rest = fixed || !centred ? gw : rille_sub(gw, mean_of(node, gw));
    if (!fixed)
        rest = rille_sub(rest, rille_mul(normal, mean_of(node, rille_mul(gw, normal))));
    gradient[0] = rille_reshape(rille_mul(scale, rest), x->rank, x->shape);
    if (of_weight > 0)
        gradient[of_weight] = channel_sum(&node->edge[of_weight], rille_mul(g4, normal));
    if (of_bias > 0)
        gradient[of_bias] = channel_sum(&node->edge[of_bias], g4);
}

void rl_vjp_normalise(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    const bool weighted = node->attributes.normalise.weight > 0;
    rille_tensor *x = rl_saved(node, 0), *statistics = rl_saved(node, 1), *weight = weighted ? rl_saved(node, 2) : NULL;
    if (x != NULL && statistics != NULL && (!weighted || weight != NULL))
        (node->context->grad_enabled ? by_operations : by_passes)(node, g, x, statistics, weight, gradient);
}

/* ---- As they are called ---- */

static int64_t product(const int64_t *shape, int from, int to)
{
    int64_t n = 1;
    for (int d = from; d < to; d++)
        n *= shape[d];
    return n;
}

rille_tensor *rille_batch_norm(rille_tensor *x, rille_tensor *running_mean, rille_tensor *running_var, rille_tensor *weight,
                               rille_tensor *bias, bool training, double momentum, double eps)
{
    norm_call c = {"batch_norm", x, weight, bias, {running_mean, running_var}, training, momentum, {.normalise = {.eps = eps}}};
    if (enter(&c) == NULL || !has_channels(&c) || !has_weights(&c, 1, x->shape + 1) || !has_running(&c) ||
        !is_number(&c, "momentum", momentum, 0, 1))
        return NULL;
    const int64_t inner = product(x->shape, 2, x->rank);
    c.attributes.normalise.by_channel = c.attributes.normalise.centred = true;
    c.attributes.normalise.fixed = !training && running_mean != NULL;
    memcpy(c.attributes.normalise.shape, (int64_t[]){x->shape[0], 1, x->shape[1], inner}, 4 * sizeof(int64_t));
    if (!c.attributes.normalise.fixed && x->shape[0] * inner < 2) {
        rl_fail(x->context, RILLE_ERROR_SHAPE, "batch_norm: input is %s; statistics of a batch take two elements a channel",
                RL_SHAPE(x));
        return NULL;
    }
    return normalised(&c);
}

/* By the last `rank` dimensions, which are `shape`. */
static rille_tensor *layer(norm_call *c, int rank, const int64_t *shape)
{
    rille_tensor *x = c->x;
    if (enter(c) == NULL)
        return NULL;
    if (rank < 1 || rank > x->rank || shape == NULL ||
        memcmp(x->shape + x->rank - rank, shape, (size_t)rank * sizeof *shape) != 0) {
        rl_fail(x->context, RILLE_ERROR_SHAPE, "%s: input is %s; a shape that ends in %s expected", c->name, RL_SHAPE(x),
                shape == NULL || rank < 0 || rank > RILLE_MAX_RANK ? "one to eight sizes"
                                                                   : rl_shape_text((char[RL_SHAPE_TEXT]){0}, rank, shape));
        return NULL;
    }
    if (!has_weights(c, rank, shape))
        return NULL;
    const int64_t rows = product(x->shape, 0, x->rank - rank), channels = product(shape, 0, rank);
    memcpy(c->attributes.normalise.shape, (int64_t[]){rows, 1, channels, 1}, 4 * sizeof(int64_t));
    return normalised(c);
}

rille_tensor *rille_layer_norm(rille_tensor *x, int rank, const int64_t *shape, rille_tensor *weight, rille_tensor *bias,
                               double eps)
{
    norm_call c = {.name = "layer_norm",
                   .x = x,
                   .weight = weight,
                   .bias = bias,
                   .attributes = {.normalise = {.centred = true, .eps = eps}}};
    return layer(&c, rank, shape);
}

rille_tensor *rille_rms_norm(rille_tensor *x, int rank, const int64_t *shape, rille_tensor *weight, double eps)
{
    norm_call c = {.name = "rms_norm", .x = x, .weight = weight, .attributes = {.normalise = {.eps = eps}}};
    return layer(&c, rank, shape);
}

rille_tensor *rille_group_norm(rille_tensor *x, int64_t groups, rille_tensor *weight, rille_tensor *bias, double eps)
{
    norm_call c = {.name = "group_norm",
                   .x = x,
                   .weight = weight,
                   .bias = bias,
                   .attributes = {.normalise = {.centred = true, .eps = eps}}};
    if (enter(&c) == NULL || !has_channels(&c) || !has_weights(&c, 1, x->shape + 1))
        return NULL;
    if (groups < 1 || x->shape[1] % groups != 0) {
        rl_fail(x->context, RILLE_ERROR_SHAPE, "group_norm: input is %s; its %lld channels do not divide into %lld groups",
                RL_SHAPE(x), (long long)x->shape[1], (long long)groups);
        return NULL;
    }
    memcpy(c.attributes.normalise.shape, (int64_t[]){x->shape[0], groups, x->shape[1] / groups, product(x->shape, 2, x->rank)},
           4 * sizeof(int64_t));
    return normalised(&c);
}
