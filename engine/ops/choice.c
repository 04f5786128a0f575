/* One or the other, element by element: where, minimum, maximum, clamp; and the remainder. */
#include "ops/elementwise.h"

#include "base/parallel.h"

#include <math.h>

/* ---- where ---- */

static int size_class(rille_dtype dtype)
{
    const size_t size = rille_dtype_size(dtype);
    return size == 1 ? RL_1_BYTE : size == 4 ? RL_4_BYTES : RL_8_BYTES;
}

/* The shape that all three broadcast to. */
static bool common_shape(rille_context *cx, rille_tensor *condition, rille_tensor *a, rille_tensor *b, int *rank,
                         int64_t *shape)
{
    rille_tensor values = {.context = cx}; /* of which only the shape is looked at */
    return rl_broadcast(cx, "where", a, b, &values.rank, values.shape) &&
           rl_broadcast(cx, "where", condition, &values, rank, shape);
}

static rille_tensor *chosen(rille_context *cx, rille_tensor *condition, rille_tensor *a, rille_tensor *b)
{
    int rank;
    int64_t shape[RILLE_MAX_RANK];
    if (!common_shape(cx, condition, a, b, &rank, shape))
        return NULL;
    const rille_dtype dtype = rl_promote(a->dtype, b->dtype);
    rille_tensor *mask = rl_as(condition, RILLE_BOOL), *left = mask == NULL ? NULL : rl_as(a, dtype);
    rille_tensor *right = left == NULL ? NULL : rl_as(b, dtype);
    rille_tensor *out = right == NULL ? NULL : rl_new(cx, "where", dtype, rank, shape);
    if (out != NULL) {
        rl_loop loop = rl_loop_over(rank, shape);
        rl_loop_add(&loop, out);
        rl_loop_add(&loop, mask);
        rl_loop_add(&loop, left);
        rl_loop_add(&loop, right);
        out =
            rl_completed(out, rl_loop_run(cx, "where", &loop, RL_GRAIN_MEDIUM, rl_op_kernels_pick()->where[size_class(dtype)]));
    }
    rl_free_temporary(mask, condition);
    rl_free_temporary(left, a);
    rl_free_temporary(right, b);
    return out;
}

rille_tensor *rille_where(rille_tensor *condition, rille_tensor *a, rille_tensor *b)
{
    rille_context *cx = rl_enter("where", RL_LIST(condition, a, b));
    rille_tensor *out = cx == NULL ? NULL : chosen(cx, condition, a, b);
    return rl_record(out, &rl_ops[RL_OP_where], RL_LIST(a, b), RL_LIST(condition), NULL);
}

void rl_vjp_where(rl_node *node, rille_tensor *g, rille_tensor **gradient) /* g where it was taken, else 0 */
{
    rille_tensor *condition = rl_saved(node, 0), *zero = rille_scalar(node->context, g->dtype, 0);
    if (rl_needs(node, 0))
        gradient[0] = rille_where(condition, g, zero);
    if (rl_needs(node, 1))
        gradient[1] = rille_where(condition, zero, g);
}

/* ---- minimum, maximum ---- */

/* g to the operand that was taken, half of it to each of two equal ones. beaten, beats: where the first one loses and wins. */
static void share(rl_node *node, rille_tensor *g, rille_tensor *beaten, rille_tensor *beats, rille_tensor **gradient)
{
    rille_tensor *a = rl_saved(node, 0), *b = rl_saved(node, 1), *zero = rille_scalar(node->context, g->dtype, 0);
    rille_tensor *half = rille_mul(g, rille_scalar(node->context, g->dtype, 0.5)), *equal = rille_equal(a, b);
    rille_tensor *either = rille_where(equal, half, g);
    if (rl_needs(node, 0))
        gradient[0] = rille_where(beaten, zero, either);
    if (rl_needs(node, 1))
        gradient[1] = rille_where(beats, zero, either);
}

DEFINE_BINARY_OP(minimum, rl_arithmetic, RL_LIST(a, b))

void rl_vjp_minimum(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    rille_tensor *a = rl_saved(node, 0), *b = rl_saved(node, 1);
    share(node, g, rille_greater(a, b), rille_less(a, b), gradient);
}

DEFINE_BINARY_OP(maximum, rl_arithmetic, RL_LIST(a, b))

void rl_vjp_maximum(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    rille_tensor *a = rl_saved(node, 0), *b = rl_saved(node, 1);
    share(node, g, rille_less(a, b), rille_greater(a, b), gradient);
}

/* ---- clamp ---- */

static rille_tensor *clamped(rille_tensor *t, double low, double high)
{
    rille_context *cx = t->context;
    const rille_dtype dtype = rl_arithmetic(t->dtype);
    const bool fractions = rl_is_floating(dtype);
    rille_tensor *least = rille_scalar(cx, dtype, fractions ? low : ceil(low));
    rille_tensor *most = rille_scalar(cx, dtype, fractions ? high : floor(high));
    const bool ready = least != NULL && most != NULL;
    rille_tensor *raised = ready ? rl_apply_binary("clamp", rl_op_kernels_pick()->maximum, t, least, dtype, dtype) : NULL;
    rille_tensor *out =
        raised == NULL ? NULL : rl_apply_binary("clamp", rl_op_kernels_pick()->minimum, raised, most, dtype, dtype);
    rille_free(raised);
    rille_free(most);
    rille_free(least);
    return out;
}

rille_tensor *rille_clamp(rille_tensor *t, double low, double high)
{
    rille_context *cx = rl_enter("clamp", RL_LIST(t));
    if (cx == NULL)
        return NULL;
    if (!(low <= high)) { /* fabs: a NaN prints its sign bit */
        rl_fail(cx, RILLE_ERROR_ARGUMENT, "clamp: the bounds are %g and %g; low <= high expected", isnan(low) ? fabs(low) : low,
                isnan(high) ? fabs(high) : high);
        return NULL;
    }
    if (!rl_is_floating(rl_arithmetic(t->dtype)) && ceil(low) > floor(high)) {
        rl_fail(cx, RILLE_ERROR_ARGUMENT,
                "clamp: there is no integer from %g to %g for an integer tensor to be; convert it first", low, high);
        return NULL;
    }
    rl_attributes attributes = {.bounds = {low, high}};
    return rl_record(clamped(t, low, high), &rl_ops[RL_OP_clamp], RL_LIST(t), RL_LIST(t), &attributes);
}

void rl_vjp_clamp(rl_node *node, rille_tensor *g, rille_tensor **gradient) /* g within the bounds, these included; 0 beyond */
{
    rille_tensor *t = rl_saved(node, 0);
    if (t == NULL)
        return;
    rille_tensor *below = rille_less(t, rille_scalar(node->context, t->dtype, node->attributes.bounds.low));
    rille_tensor *above = rille_greater(t, rille_scalar(node->context, t->dtype, node->attributes.bounds.high));
    gradient[0] = rille_where(rille_maximum(below, above), rille_scalar(node->context, g->dtype, 0), g);
}

/* ---- remainder ---- */

DEFINE_BINARY_OP(remainder, rl_arithmetic, RL_LIST(a, b))

void rl_vjp_remainder(rl_node *node, rille_tensor *g, rille_tensor **gradient) /* of a - floor(a / b) b */
{
    gradient[0] = g;
    if (rl_needs(node, 1))
        gradient[1] = rille_neg(rille_mul(g, rille_floor(rille_div(rl_saved(node, 0), rl_saved(node, 1)))));
}
