/* Convolutions of one and two dimensions. With y = conv(x, w), <g, y> is linear in each of g, x and w, and its derivatives by
 * them are three operations, of which each one's gradients are the other two:
 *
 *     conv(x, w),   conv_input(g, w) = d<g, y>/dx,   conv_weight(x, g) = d<g, y>/dw
 *
 * How they are computed is in convolution_tiles.c. */
#include "ops/convolution.h"

#include <limits.h>
#include <string.h>

static const char *name_of(int axes)
{
    return axes == 1 ? "conv1d" : "conv2d";
}

/* ---- What fits ---- */

/* The options with their defaults filled in, columns last also where there is only one dimension; false, with a message, where
 * one is out of range. */
static bool complete_options(rille_context *cx, int axes, const rille_convolution *given, rille_convolution *options)
{
    const char *name = name_of(axes);
    *options = (rille_convolution){.stride = {1, 1}, .dilation = {1, 1}, .groups = 1};
    for (int i = 0; given != NULL && i < axes; i++) {
        const int at = RL_AXES - axes + i;
        options->stride[at] = given->stride[i] == 0 ? 1 : given->stride[i];
        options->padding[at] = given->padding[i];
        options->dilation[at] = given->dilation[i] == 0 ? 1 : given->dilation[i];
        if (!rl_is_window_option(cx, name, "stride", options->stride[at], 1) ||
            !rl_is_window_option(cx, name, "padding", options->padding[at], 0) ||
            !rl_is_window_option(cx, name, "dilation", options->dilation[at], 1))
            return false;
    }
    if (given != NULL && given->groups != 0)
        options->groups = given->groups;
    return rl_is_window_option(cx, name, "groups", options->groups, 1);
}

static bool has_dtypes(rille_context *cx, int axes, const rille_tensor *x, const rille_tensor *weight, const rille_tensor *bias)
{
    if (rl_is_floating(x->dtype) && weight->dtype == x->dtype && (bias == NULL || bias->dtype == x->dtype))
        return true;
    rl_fail(cx, RILLE_ERROR_DTYPE, "%s: input is %s, weight %s, bias %s; one floating dtype expected", name_of(axes),
            rille_dtype_name(x->dtype), rille_dtype_name(weight->dtype), bias == NULL ? "none" : rille_dtype_name(bias->dtype));
    return false;
}

static bool has_ranks(rille_context *cx, int axes, const rille_tensor *x, const rille_tensor *weight)
{
    bool fits = weight->rank == axes + 2 && (x->rank == axes + 1 || x->rank == axes + 2);
    for (int d = 0; fits && d < axes; d++)
        fits = weight->shape[2 + d] > 0;
    if (!fits)
        rl_fail(cx, RILLE_ERROR_SHAPE, "%s: input is %s, weight is %s; %s expected", name_of(axes), RL_SHAPE(x),
                RL_SHAPE(weight),
                axes == 1 ? "[n, in, l] or [in, l], and [out, in / groups, k]"
                          : "[n, in, h, w] or [in, h, w], and [out, in / groups, kh, kw]");
    return fits;
}

static bool has_channels(rille_context *cx, int axes, const rille_tensor *x, const rille_tensor *weight,
                         const rille_tensor *bias, int64_t groups)
{
    const int64_t channels = x->shape[x->rank - axes - 1], out = weight->shape[0];
    if (channels % groups != 0 || channels / groups != weight->shape[1] || out % groups != 0) {
        rl_fail(cx, RILLE_ERROR_SHAPE,
                "%s: input is %s, weight is %s, groups %lld: %lld channels in and %lld out; multiples of the groups, %lld "
                "channels in for each, expected",
                name_of(axes), RL_SHAPE(x), RL_SHAPE(weight), (long long)groups, (long long)channels, (long long)out,
                (long long)weight->shape[1]);
        return false;
    }
    if (bias != NULL && (bias->rank != 1 || bias->shape[0] != out)) {
        rl_fail(cx, RILLE_ERROR_SHAPE, "%s: bias is %s; [%lld] expected", name_of(axes), RL_SHAPE(bias), (long long)out);
        return false;
    }
    return true;
}

static bool has_room(rille_context *cx, int axes, const rille_tensor *x, const rille_tensor *weight,
                     const rille_convolution *options)
{
    for (int d = 0; d < axes; d++) {
        const int at = RL_AXES - axes + d, of_x = x->rank - axes + d;
        const int64_t room = x->shape[of_x] > INT_MAX ? INT64_MAX : x->shape[of_x] + 2 * options->padding[at];
        int64_t span;
        if (__builtin_mul_overflow(weight->shape[2 + d] - 1, options->dilation[at], &span) || span >= room) {
            rl_fail(
                cx, RILLE_ERROR_SHAPE,
                "%s: input is %s, weight is %s: with dilation %lld the kernel does not fit into dimension %d, padded to %lld",
                name_of(axes), RL_SHAPE(x), RL_SHAPE(weight), (long long)options->dilation[at], of_x + cx->options.index_base,
                (long long)room);
            return false;
        }
    }
    return true;
}

static bool is_convolvable(rille_context *cx, int axes, const rille_tensor *x, const rille_tensor *weight,
                           const rille_tensor *bias, const rille_convolution *given, rille_convolution *options)
{
    return has_ranks(cx, axes, x, weight) && has_dtypes(cx, axes, x, weight, bias) &&
           complete_options(cx, axes, given, options) && has_channels(cx, axes, x, weight, bias, options->groups) &&
           has_room(cx, axes, x, weight, options);
}

/* ---- The three operations ---- */

typedef struct sizes { /* of one part */
    int rank;
    int64_t shape[RILLE_MAX_RANK];
} sizes;

static sizes sizes_of(const rille_tensor *t)
{
    sizes s = {.rank = t->rank};
    memcpy(s.shape, t->shape, sizeof s.shape);
    return s;
}

static sizes sizes_of_input(const rl_edge *edge)
{
    sizes s = {.rank = edge->rank};
    memcpy(s.shape, edge->shape, sizeof s.shape);
    return s;
}

static rl_convolution plan(rille_dtype dtype, const sizes *x, const sizes *weight, const rille_convolution *options)
{
    const int axes = weight->rank - 2;
    rl_convolution c = {.name = name_of(axes), .dtype = dtype, .axis = {RL_ONE_ROW, RL_ONE_ROW}, .groups = options->groups};
    c.images = x->rank == axes + 2 ? x->shape[0] : 1;
    c.in = weight->shape[1];
    c.out = weight->shape[0] / options->groups;
    for (int d = 0; d < axes; d++) {
        const int at = RL_AXES - axes + d;
        rl_axis a = {x->shape[x->rank - axes + d], weight->shape[2 + d],  options->stride[at],
                     options->padding[at],         options->dilation[at], 0};
        a.out = (a.in + 2 * a.padding - a.dilation * (a.kernel - 1) - 1) / a.stride + 1;
        c.axis[at] = a;
    }
    return c;
}

static sizes sizes_of_result(const rl_convolution *c, const sizes *x, const sizes *weight)
{
    const int axes = weight->rank - 2;
    sizes y = *x;
    y.shape[x->rank - axes - 1] = weight->shape[0];
    for (int d = 0; d < axes; d++)
        y.shape[x->rank - axes + d] = c->axis[RL_AXES - axes + d].out;
    return y;
}

/* A new tensor of these sizes: the part that is NULL among the three, from the others. Not recorded. */
static rille_tensor *computed(rille_context *cx, rl_convolution *c, rl_part part, const sizes *s, rille_tensor *const *given,
                              rille_tensor *bias)
{
    rille_tensor *out = rl_new(cx, c->name, c->dtype, s->rank, s->shape), *dense[RL_PARTS] = {NULL};
    rille_tensor *start = out == NULL || bias == NULL ? NULL : rl_dense(bias);
    bool ready = out != NULL && (bias == NULL || start != NULL);
    for (int i = 0; i < RL_PARTS; i++) {
        dense[i] = i == (int)part || !ready ? NULL : rl_dense(given[i]);
        ready = ready && (i == (int)part || dense[i] != NULL);
        c->data[i] = !ready ? NULL : rl_data(i == (int)part ? out : dense[i]);
    }
    c->bias = start == NULL ? NULL : rl_data(start);
    out = rl_completed(out, ready ? rl_convolve(cx, c, part) : RILLE_ERROR_MEMORY);
    for (int i = 0; i < RL_PARTS; i++)
        rl_free_temporary(dense[i], given[i]);
    rl_free_temporary(start, bias);
    return out;
}

static rille_tensor *conv(rille_tensor *x, rille_tensor *weight, rille_tensor *bias, const rille_convolution *options)
{
    const rl_list inputs = bias == NULL ? RL_LIST(x, weight) : RL_LIST(x, weight, bias);
    rille_context *cx = rl_enter("conv", inputs);
    if (cx == NULL)
        return NULL;
    const sizes of_x = sizes_of(x), of_weight = sizes_of(weight);
    rl_convolution c = plan(x->dtype, &of_x, &of_weight, options);
    const sizes of_y = sizes_of_result(&c, &of_x, &of_weight);
    rille_tensor *y = computed(cx, &c, RL_RESULT, &of_y, (rille_tensor *[]){x, weight, NULL}, bias);
    return rl_record(y, &rl_ops[RL_OP_conv], inputs, RL_LIST(x, weight), &(rl_attributes){.convolution = *options});
}

/* What of the images of these sizes gives g: d<g, conv(x, weight)>/dx. */
static rille_tensor *conv_input(rille_tensor *g, rille_tensor *weight, const sizes *of_x, const rille_convolution *options)
{
    rille_context *cx = rl_enter("conv_input", RL_LIST(g, weight));
    if (cx == NULL)
        return NULL;
    const sizes of_weight = sizes_of(weight);
    rl_convolution c = plan(g->dtype, of_x, &of_weight, options);
    rille_tensor *x = computed(cx, &c, RL_INPUT, of_x, (rille_tensor *[]){NULL, weight, g}, NULL);
    return rl_record(x, &rl_ops[RL_OP_conv_input], RL_LIST(g, weight), RL_LIST(g, weight),
                     &(rl_attributes){.convolution = *options});
}

/* d<g, conv(x, weight)>/dweight, for a weight of these sizes. */
static rille_tensor *conv_weight(rille_tensor *x, rille_tensor *g, const sizes *of_weight, const rille_convolution *options)
{
    rille_context *cx = rl_enter("conv_weight", RL_LIST(x, g));
    if (cx == NULL)
        return NULL;
    const sizes of_x = sizes_of(x);
    rl_convolution c = plan(x->dtype, &of_x, of_weight, options);
    rille_tensor *weight = computed(cx, &c, RL_WEIGHT, of_weight, (rille_tensor *[]){x, NULL, g}, NULL);
    return rl_record(weight, &rl_ops[RL_OP_conv_weight], RL_LIST(x, g), RL_LIST(x, g),
                     &(rl_attributes){.convolution = *options});
}

void rl_vjp_conv(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    rille_tensor *x = rl_saved(node, 0), *weight = rl_saved(node, 1);
    const sizes of_x = sizes_of_input(&node->edge[0]), of_weight = sizes_of_input(&node->edge[1]);
    if (rl_needs(node, 0))
        gradient[0] = conv_input(g, weight, &of_x, &node->attributes.convolution);
    if (rl_needs(node, 1))
        gradient[1] = conv_weight(x, g, &of_weight, &node->attributes.convolution);
    if (node->edge_count > 2 && rl_needs(node, 2)) { /* g summed over all but the channels */
        const int axes = of_weight.rank - 2;
        const int dims[] = {-1, -axes, 0};
        gradient[2] = rille_sum(g, dims + (axes == 1), axes + (of_x.rank == axes + 2), false);
    }
}

void rl_vjp_conv_input(rl_node *node, rille_tensor *v, rille_tensor **gradient)
{
    rille_tensor *g = rl_saved(node, 0), *weight = rl_saved(node, 1);
    const sizes of_weight = sizes_of_input(&node->edge[1]);
    if (rl_needs(node, 0))
        gradient[0] = conv(v, weight, NULL, &node->attributes.convolution);
    if (rl_needs(node, 1))
        gradient[1] = conv_weight(v, g, &of_weight, &node->attributes.convolution);
}

void rl_vjp_conv_weight(rl_node *node, rille_tensor *v, rille_tensor **gradient)
{
    rille_tensor *x = rl_saved(node, 0), *g = rl_saved(node, 1);
    const sizes of_x = sizes_of_input(&node->edge[0]);
    if (rl_needs(node, 0))
        gradient[0] = conv_input(g, v, &of_x, &node->attributes.convolution);
    if (rl_needs(node, 1))
        gradient[1] = conv(x, v, NULL, &node->attributes.convolution);
}

/* ---- As they are called ---- */

static rille_tensor *checked_conv(int axes, rille_tensor *x, rille_tensor *weight, rille_tensor *bias,
                                  const rille_convolution *given)
{
    rille_context *cx = rl_enter(name_of(axes), bias == NULL ? RL_LIST(x, weight) : RL_LIST(x, weight, bias));
    rille_convolution options;
    if (cx == NULL || !is_convolvable(cx, axes, x, weight, bias, given, &options))
        return NULL;
    return conv(x, weight, bias, &options);
}

rille_tensor *rille_conv1d(rille_tensor *x, rille_tensor *weight, rille_tensor *bias, const rille_convolution *options)
{
    return checked_conv(1, x, weight, bias, options);
}

rille_tensor *rille_conv2d(rille_tensor *x, rille_tensor *weight, rille_tensor *bias, const rille_convolution *options)
{
    return checked_conv(2, x, weight, bias, options);
}
