/* Pools: the largest of each window, and the average.
 *
 * Where x is largest in each window does not move, but at kinks; so max_pool is linear in the values that it picks there,
 * y = pick(v; x) with v = x, and its transpose spreads g back to these places. Each is the other's gradient. An average and its
 * transpose likewise. */
#include "ops/ops.h"
#include "ops/pooling_kernels.h"

#include "base/parallel.h"

#include <limits.h>
#include <string.h>

/* ---- What fits ---- */

/* Fills in the defaults, columns last also where there is one dimension. */
static bool complete_options(rille_context *cx, const char *name, int axes, const rille_pooling *given, rille_pooling *options)
{
    if (given == NULL) {
        rl_fail(cx, RILLE_ERROR_NULL, "%s: the options, which hold the kernel's size, are NULL", name);
        return false;
    }
    *options = *given;
    options->kernel[0] = options->stride[0] = 1;
    options->padding[0] = 0;
    for (int i = 0; i < axes; i++) {
        const int at = RL_AXES - axes + i;
        options->kernel[at] = given->kernel[i];
        options->stride[at] = given->stride[i] == 0 ? given->kernel[i] : given->stride[i];
        options->padding[at] = given->padding[i];
        if (!rl_is_window_option(cx, name, "kernel", options->kernel[at], 1) ||
            !rl_is_window_option(cx, name, "stride", options->stride[at], 1) ||
            !rl_is_window_option(cx, name, "padding", options->padding[at], 0))
            return false;
        if (2 * options->padding[at] > options->kernel[at]) {
            rl_fail(cx, RILLE_ERROR_ARGUMENT, "%s: padding %lld is more than half of the kernel, %lld", name,
                    (long long)options->padding[at], (long long)options->kernel[at]);
            return false;
        }
    }
    return true;
}

static bool fits(rille_context *cx, const char *name, int axes, const rille_tensor *x, const rille_pooling *options)
{
    if (x->rank < axes) {
        rl_fail(cx, RILLE_ERROR_SHAPE, "%s: input is %s; %s expected", name, RL_SHAPE(x),
                axes == 1 ? "[..., l]" : "[..., h, w]");
        return false;
    }
    for (int d = x->rank - axes; d < x->rank; d++) {
        const int at = RL_AXES - x->rank + d;
        const int64_t room = x->shape[d] > INT_MAX ? INT64_MAX : x->shape[d] + 2 * options->padding[at];
        const int64_t least = options->kernel[at] - (options->ceil_mode ? options->stride[at] - 1 : 0);
        if (x->shape[d] == 0 || room < least) {
            rl_fail(cx, RILLE_ERROR_SHAPE, "%s: input is %s: a kernel of %lld does not fit into dimension %d, padded to %lld",
                    name, RL_SHAPE(x), (long long)options->kernel[at], d + cx->options.index_base, (long long)room);
            return false;
        }
    }
    return true;
}

static void plan(int axes, const int64_t *sizes, const rille_pooling *options, rl_axis axis[RL_AXES])
{
    axis[RL_ROWS] = RL_ONE_ROW;
    for (int at = RL_AXES - axes; at < RL_AXES; at++) {
        rl_axis a = {sizes[at - RL_AXES + axes], options->kernel[at], options->stride[at], options->padding[at], 1, 0};
        a.out = (a.in + 2 * a.padding - a.kernel + (options->ceil_mode ? a.stride - 1 : 0)) / a.stride + 1;
        if (options->ceil_mode && (a.out - 1) * a.stride >= a.in + a.padding)
            a.out--;
        axis[at] = a;
    }
}

/* ---- Units of work: rows of windows, rows of planes, planes ---- */

typedef struct pool_work {
    const rl_pooling_kernels *kernels;
    const rl_axis *axis;
    int kernel;
    size_t item;
    bool inside;
    const char *x, *v; /* what is pooled, or g */
    char *out;
} pool_work;

static size_t plane_in(const pool_work *w)
{
    return (size_t)(w->axis[RL_ROWS].in * w->axis[RL_COLUMNS].in) * w->item;
}

static size_t plane_out(const pool_work *w)
{
    return (size_t)(w->axis[RL_ROWS].out * w->axis[RL_COLUMNS].out) * w->item;
}

static void pick_rows(void *work, size_t begin, size_t end)
{
    const pool_work *w = work;
    const size_t rows = (size_t)w->axis[RL_ROWS].out, row_bytes = (size_t)w->axis[RL_COLUMNS].out * w->item;
    for (size_t i = begin; i < end; i++) {
        const size_t plane = i / rows * plane_in(w);
        w->kernels->pick[w->kernel](w->axis, (int64_t)(i % rows), w->x + plane, w->v + plane, w->out + i * row_bytes);
    }
}

static void spread_planes(void *work, size_t begin, size_t end)
{
    const pool_work *w = work;
    for (size_t i = begin; i < end; i++)
        w->kernels->spread[w->kernel](w->axis, w->x + i * plane_in(w), w->v + i * plane_out(w), w->out + i * plane_in(w));
}

static void average_rows(void *work, size_t begin, size_t end)
{
    const pool_work *w = work;
    const size_t rows = (size_t)w->axis[RL_ROWS].out, row_bytes = (size_t)w->axis[RL_COLUMNS].out * w->item;
    for (size_t i = begin; i < end; i++)
        w->kernels->average[w->kernel](w->axis, w->inside, (int64_t)(i % rows), w->v + i / rows * plane_in(w),
                                       w->out + i * row_bytes);
}

static void share_rows(void *work, size_t begin, size_t end)
{
    const pool_work *w = work;
    const size_t rows = (size_t)w->axis[RL_ROWS].in, row_bytes = (size_t)w->axis[RL_COLUMNS].in * w->item;
    for (size_t i = begin; i < end; i++)
        w->kernels->share[w->kernel](w->axis, w->inside, (int64_t)(i % rows), w->v + i / rows * plane_out(w),
                                     w->out + i * row_bytes);
}

/* ---- The four operations ---- */

typedef struct pool { /* one of them */
    const char *name;
    enum rl_op_id op;
    rl_body *body;
    bool back;   /* from windows to planes */
    bool planes; /* a unit is a plane, not a row */
} pool;

/* The pool of v, at the places of x where it is not NULL; back: into planes of x_shape. */
static rille_tensor *pooled(const pool *p, rille_tensor *v, rille_tensor *x, int axes, const int64_t *x_shape,
                            const rille_pooling *options)
{
    rille_context *cx = v->context;
    rl_axis axis[RL_AXES];
    int64_t shape[RILLE_MAX_RANK];
    plan(axes, x_shape + v->rank - axes, options, axis);
    memcpy(shape, x_shape, (size_t)v->rank * sizeof shape[0]);
    for (int d = v->rank - axes; d < v->rank && !p->back; d++)
        shape[d] = axis[RL_AXES - v->rank + d].out;
    rille_tensor *in = rl_dense_floating(v), *places = in == NULL || x == NULL ? NULL : x == v ? in : rl_dense(x);
    rille_tensor *out = in == NULL || (x != NULL && places == NULL) ? NULL : rl_new(cx, p->name, in->dtype, v->rank, shape);
    if (out != NULL && out->numel > 0) {
        pool_work w = {rl_pooling_kernels_pick(),
                       axis,
                       in->dtype == RILLE_FLOAT64,
                       rille_dtype_size(in->dtype),
                       options->exclude_padding,
                       places == NULL ? NULL : rl_data(places),
                       rl_data(in),
                       rl_data(out)};
        const size_t row = (size_t)shape[v->rank - 1], rows = axes == 1 ? 1 : (size_t)shape[v->rank - 2];
        const size_t unit = p->planes ? row * rows : row;
        const double cost = (double)unit * (double)axis[RL_ROWS].kernel * (double)axis[RL_COLUMNS].kernel;
        const size_t grain = 1 + (size_t)(RL_GRAIN_MEDIUM / cost);
        out = rl_completed(out, rl_parallel_for(cx, p->name, (size_t)out->numel / unit, grain, p->body, &w));
    }
    if (places != in)
        rl_free_temporary(places, x);
    rl_free_temporary(in, v);
    const rl_attributes attributes = {.pooling = {*options, axes}};
    return rl_record(out, &rl_ops[p->op], RL_LIST(v), x == NULL ? RL_NONE : RL_LIST(x), &attributes);
}

static const pool pick[] = {{"max_pool1d", RL_OP_max_pool, pick_rows, false, false},
                            {"max_pool2d", RL_OP_max_pool, pick_rows, false, false}};
static const pool spread = {"max_pool", RL_OP_max_pool_spread, spread_planes, true, true};
static const pool average[] = {{"avg_pool1d", RL_OP_avg_pool, average_rows, false, false},
                               {"avg_pool2d", RL_OP_avg_pool, average_rows, false, false}};
static const pool share = {"avg_pool", RL_OP_avg_pool_spread, share_rows, true, false};

void rl_vjp_max_pool(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    rille_tensor *x = rl_saved(node, 0);
    if (x != NULL)
        gradient[0] = pooled(&spread, g, x, node->attributes.pooling.axes, x->shape, &node->attributes.pooling.options);
}

void rl_vjp_max_pool_spread(rl_node *node, rille_tensor *v, rille_tensor **gradient)
{
    rille_tensor *x = rl_saved(node, 0);
    const int axes = node->attributes.pooling.axes;
    if (x != NULL)
        gradient[0] = pooled(&pick[axes - 1], v, x, axes, x->shape, &node->attributes.pooling.options);
}

void rl_vjp_avg_pool(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    gradient[0] =
        pooled(&share, g, NULL, node->attributes.pooling.axes, node->edge[0].shape, &node->attributes.pooling.options);
}

void rl_vjp_avg_pool_spread(rl_node *node, rille_tensor *v, rille_tensor **gradient)
{
    const int axes = node->attributes.pooling.axes;
    gradient[0] = pooled(&average[axes - 1], v, NULL, axes, v->shape, &node->attributes.pooling.options);
}

/* ---- As they are called ---- */

static rille_tensor *checked_pool(const pool *p, int axes, rille_tensor *x, bool largest, const rille_pooling *given)
{
    rille_context *cx = rl_enter(p->name, RL_LIST(x));
    rille_pooling options;
    if (cx == NULL || !complete_options(cx, p->name, axes, given, &options) || !fits(cx, p->name, axes, x, &options))
        return NULL;
    return pooled(p, x, largest ? x : NULL, axes, x->shape, &options);
}

rille_tensor *rille_max_pool1d(rille_tensor *x, const rille_pooling *options)
{
    return checked_pool(&pick[0], 1, x, true, options);
}

rille_tensor *rille_max_pool2d(rille_tensor *x, const rille_pooling *options)
{
    return checked_pool(&pick[1], 2, x, true, options);
}

rille_tensor *rille_avg_pool1d(rille_tensor *x, const rille_pooling *options)
{
    return checked_pool(&average[0], 1, x, false, options);
}

rille_tensor *rille_avg_pool2d(rille_tensor *x, const rille_pooling *options)
{
    return checked_pool(&average[1], 2, x, false, options);
}
