/* A function of elements that the caller has evaluated: y = f(x) and f'(x), put together for autograd. */
#include "ops/ops.h"

/* Whether t can stand beside x, element by element. */
static bool fits(const rille_tensor *x, const rille_tensor *t, const char *what)
{
    if (!rl_is_floating(t->dtype))
        rl_fail(x->context, RILLE_ERROR_DTYPE, "with_derivative: %s is %s; float32 or float64 expected", what,
                rille_dtype_name(t->dtype));
    else if (!rl_same_shape(x, t))
        rl_fail(x->context, RILLE_ERROR_SHAPE, "with_derivative: %s is %s, x %s; one shape expected", what, RL_SHAPE(t),
                RL_SHAPE(x));
    else
        return true;
    return false;
}

rille_tensor *rille_with_derivative(rille_tensor *y, rille_tensor *x, rille_tensor *derivative)
{
    if (rl_enter("with_derivative", RL_LIST(y, x, derivative)) == NULL)
        return NULL;
    if (!fits(x, y, "y") || !fits(x, derivative, "the derivative"))
        return NULL;
    return rl_record(rl_view(y), &rl_ops[RL_OP_with_derivative], RL_LIST(x), RL_LIST(derivative), NULL);
}

void rl_vjp_with_derivative(rl_node *node, rille_tensor *g, rille_tensor **gradient) /* g f'(x) */
{
    gradient[0] = rille_mul(g, rl_saved(node, 0));
}
