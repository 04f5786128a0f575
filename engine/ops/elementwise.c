/* Arithmetic and comparison, element by element, with broadcasting. */
#include "ops/elementwise.h"

#include "base/parallel.h"

static int kernel_of(rille_dtype dtype)
{
    return dtype == RILLE_FLOAT32 ? RL_FLOAT32_KERNEL : dtype == RILLE_FLOAT64 ? RL_FLOAT64_KERNEL : RL_INT64_KERNEL;
}

/* ---- Forward: one way through for two operands, one for one ---- */

rille_tensor *rl_apply_binary(const char *name, rl_inner *const *kernel, rille_tensor *a, rille_tensor *b, rille_dtype computed,
                              rille_dtype result)
{
    rille_context *cx = a->context;
    int rank;
    int64_t shape[RILLE_MAX_RANK];
    if (!rl_broadcast(cx, name, a, b, &rank, shape))
        return NULL;
    rille_tensor *left = rl_as(a, computed), *right = left == NULL ? NULL : rl_as(b, computed);
    rille_tensor *out = right == NULL ? NULL : rl_new(cx, name, result, rank, shape);
    if (out != NULL) {
        rl_loop loop = rl_loop_over(rank, shape);
        rl_loop_add(&loop, out);
        rl_loop_add(&loop, left);
        rl_loop_add(&loop, right);
        out = rl_completed(out, rl_loop_run(cx, name, &loop, RL_GRAIN_LIGHT, kernel[kernel_of(computed)]));
    }
    rl_free_temporary(left, a);
    rl_free_temporary(right, b);
    return out;
}

rille_tensor *rl_apply_unary(const char *name, rl_inner *const *kernel, rille_tensor *a, rille_dtype computed)
{
    rille_context *cx = a->context;
    rille_tensor *in = rl_as(a, computed);
    rille_tensor *out = in == NULL ? NULL : rl_new_like(a, computed);
    if (out != NULL) {
        rl_loop loop = rl_loop_over(a->rank, a->shape);
        rl_loop_add(&loop, out);
        rl_loop_add(&loop, in);
        out = rl_completed(out, rl_loop_run(cx, name, &loop, RL_GRAIN_HEAVY, kernel[kernel_of(computed)]));
    }
    rl_free_temporary(in, a);
    return out;
}

#define DEFINE_COMPARISON_OP(name, operator)                                                                                   \
    rille_tensor *rille_##name(rille_tensor *a, rille_tensor *b)                                                               \
    {                                                                                                                          \
        if (rl_enter(#name, RL_LIST(a, b)) == NULL)                                                                            \
            return NULL;                                                                                                       \
        rille_dtype dtype = rl_arithmetic(rl_promote(a->dtype, b->dtype));                                                     \
        return rl_apply_binary(#name, rl_op_kernels_pick()->name, a, b, dtype, RILLE_BOOL);                                    \
    }

RL_COMPARISON_LIST(DEFINE_COMPARISON_OP)

/* ---- Each operation and, below it, its vector-Jacobian product ---- */

DEFINE_BINARY_OP(add, rl_arithmetic, RL_NONE)

void rl_vjp_add(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    (void)node;
    gradient[0] = g;
    gradient[1] = g;
}

DEFINE_BINARY_OP(sub, rl_arithmetic, RL_NONE)

void rl_vjp_sub(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    gradient[0] = g;
    if (rl_needs(node, 1))
        gradient[1] = rille_neg(g);
}

DEFINE_BINARY_OP(mul, rl_arithmetic, RL_LIST(a, b))

void rl_vjp_mul(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    if (rl_needs(node, 0))
        gradient[0] = rille_mul(g, rl_saved(node, 1));
    if (rl_needs(node, 1))
        gradient[1] = rille_mul(g, rl_saved(node, 0));
}

DEFINE_BINARY_OP(div, rl_floating, RL_LIST(a, b))

void rl_vjp_div(rl_node *node, rille_tensor *g, rille_tensor **gradient) /* d(a/b) = da / b - a db / b^2 */
{
    rille_tensor *over_b = rille_div(g, rl_saved(node, 1));
    gradient[0] = over_b;
    if (rl_needs(node, 1))
        gradient[1] = rille_neg(rille_mul(over_b, rille_div(rl_saved(node, 0), rl_saved(node, 1))));
}

DEFINE_BINARY_OP(pow, rl_floating, RL_LIST(a, b, out))

/* d(a^b) = b a^(b-1) da + a^b log a db. Where b is 0 the first term is 0, and where a is 0 and b positive the second is, as
 * their limits are: neither is 0 times Inf. */
void rl_vjp_pow(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    rille_tensor *a = rl_saved(node, 0), *b = rl_saved(node, 1);
    if (a == NULL || b == NULL)
        return;
    if (rl_needs(node, 0)) {
        rille_tensor *zero = rille_scalar(node->context, b->dtype, 0);
        rille_tensor *less_one = rille_sub(b, rille_not_equal(b, zero));
        gradient[0] = rille_mul(g, rille_mul(b, rille_pow(a, less_one)));
    }
    if (rl_needs(node, 1)) {
        rille_tensor *zero = rille_scalar(node->context, rl_floating(a->dtype), 0);
        rille_tensor *lifted = rille_add(a, rille_equal(a, zero)); /* log 1 = 0 where a is 0 */
        gradient[1] = rille_mul(g, rille_mul(rl_saved(node, 2), rille_log(lifted)));
    }
}

DEFINE_UNARY_OP(neg, rl_arithmetic, RL_NONE)

void rl_vjp_neg(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    (void)node;
    gradient[0] = rille_neg(g);
}

DEFINE_UNARY_OP(abs, rl_arithmetic, RL_LIST(a))

void rl_vjp_abs(rl_node *node, rille_tensor *g, rille_tensor **gradient) /* sign a, 0 at 0, NaN at NaN */
{
    rille_tensor *a = rl_saved(node, 0);
    if (a == NULL)
        return;
    rille_tensor *zero = rille_scalar(node->context, a->dtype, 0);
    rille_tensor *sign = rille_sub(rille_to(rille_greater(a, zero), a->dtype), rille_less(a, zero));
    gradient[0] = rille_mul(g, rille_div(sign, rille_equal(a, a))); /* 0 / 0 at NaN */
}
