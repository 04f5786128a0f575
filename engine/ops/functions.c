/* Elementary functions, element by element. The sine and others that are activations have their rows in activations.def. */
#include "ops/elementwise.h"

static rille_tensor *number(rille_tensor *g, double value)
{
    return rille_scalar(g->context, g->dtype, value);
}

/* ---- Exponential, logarithms, roots ---- */

DEFINE_UNARY_OP(exp, rl_floating, RL_LIST(out))

void rl_vjp_exp(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    gradient[0] = rille_mul(g, rl_saved(node, 0));
}

DEFINE_UNARY_OP(expm1, rl_floating, RL_LIST(a))

void rl_vjp_expm1(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    gradient[0] = rille_mul(g, rille_exp(rl_saved(node, 0)));
}

DEFINE_UNARY_OP(log, rl_floating, RL_LIST(a))

void rl_vjp_log(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    gradient[0] = rille_div(g, rl_saved(node, 0));
}

DEFINE_UNARY_OP(sqrt, rl_floating, RL_LIST(out))

void rl_vjp_sqrt(rl_node *node, rille_tensor *g, rille_tensor **gradient) /* 1 / (2 sqrt a) */
{
    rille_tensor *half = number(g, 0.5);
    gradient[0] = rille_mul(half, rille_div(g, rl_saved(node, 0)));
}

static void over_a(rl_node *node, rille_tensor *g, double factor, rille_tensor **gradient) /* factor / a */
{
    gradient[0] = rille_div(rille_mul(g, number(g, factor)), rl_saved(node, 0));
}

DEFINE_UNARY_OP(log2, rl_floating, RL_LIST(a))

void rl_vjp_log2(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    over_a(node, g, 1.4426950408889634, gradient); /* 1 / ln 2 */
}

DEFINE_UNARY_OP(log10, rl_floating, RL_LIST(a))

void rl_vjp_log10(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    over_a(node, g, 0.43429448190325182, gradient); /* 1 / ln 10 */
}

DEFINE_UNARY_OP(log1p, rl_floating, RL_LIST(a))

void rl_vjp_log1p(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    gradient[0] = rille_div(g, rille_add(rl_saved(node, 0), number(g, 1)));
}

/* ---- Trigonometry ---- */

DEFINE_UNARY_OP(cos, rl_floating, RL_LIST(a))

void rl_vjp_cos(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    gradient[0] = rille_neg(rille_mul(g, rille_sin(rl_saved(node, 0))));
}

DEFINE_UNARY_OP(tan, rl_floating, RL_LIST(out))

void rl_vjp_tan(rl_node *node, rille_tensor *g, rille_tensor **gradient) /* 1 + tan^2 */
{
    rille_tensor *y = rl_saved(node, 0);
    gradient[0] = rille_mul(g, rille_add(rille_mul(y, y), number(g, 1)));
}

/* sqrt(1 - a^2), by factors that do not cancel near 1 and -1. */
static rille_tensor *leg(rille_tensor *a)
{
    if (a == NULL)
        return NULL;
    rille_tensor *one = number(a, 1);
    return rille_sqrt(rille_mul(rille_sub(one, a), rille_add(one, a)));
}

DEFINE_UNARY_OP(asin, rl_floating, RL_LIST(a))

void rl_vjp_asin(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    gradient[0] = rille_div(g, leg(rl_saved(node, 0)));
}

DEFINE_UNARY_OP(acos, rl_floating, RL_LIST(a))

void rl_vjp_acos(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    gradient[0] = rille_neg(rille_div(g, leg(rl_saved(node, 0))));
}

DEFINE_UNARY_OP(sinh, rl_floating, RL_LIST(a))

void rl_vjp_sinh(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    gradient[0] = rille_mul(g, rille_cosh(rl_saved(node, 0)));
}

DEFINE_UNARY_OP(cosh, rl_floating, RL_LIST(a))

void rl_vjp_cosh(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    gradient[0] = rille_mul(g, rille_sinh(rl_saved(node, 0)));
}

/* ---- Steps: their derivative is 0 wherever there is one ---- */

#define DEFINE_STEP_OP(name)                                                                                                   \
    DEFINE_UNARY_OP(name, rl_arithmetic, RL_NONE)                                                                              \
    void rl_vjp_##name(rl_node *node, rille_tensor *g, rille_tensor **gradient)                                                \
    {                                                                                                                          \
        (void)node;                                                                                                            \
        gradient[0] = rille_mul(g, number(g, 0));                                                                              \
    }
DEFINE_STEP_OP(sign)
DEFINE_STEP_OP(floor)
DEFINE_STEP_OP(ceil)
DEFINE_STEP_OP(round)
DEFINE_STEP_OP(trunc)
