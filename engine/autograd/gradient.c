/* What a tensor says of gradients, and the one that it keeps. */
#include "tensor/graph.h"

bool rille_requires_grad(const rille_tensor *t)
{
    return t != NULL && rl_tracks(t);
}

rille_status rille_set_requires_grad(rille_tensor *t, bool on)
{
    rille_context *cx = rl_enter("requires_grad", RL_LIST(t));
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    if (on && !rl_is_floating(t->dtype))
        return rl_fail(cx, RILLE_ERROR_DTYPE, "requires_grad: dtype is %s; float32 or float64 expected",
                       rille_dtype_name(t->dtype));
    if (t->node != NULL)
        return rl_fail(cx, RILLE_ERROR_GRAPH, "requires_grad: the tensor is the result of '%s'; detach it first",
                       t->node->op->name);
    t->requires_grad = on;
    return RILLE_OK;
}

bool rille_is_leaf(const rille_tensor *t)
{
    return t != NULL && t->node == NULL;
}

rille_status rille_retain_grad(rille_tensor *t)
{
    rille_context *cx = rl_enter("retain_grad", RL_LIST(t));
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    if (!rl_tracks(t))
        return rl_fail(cx, RILLE_ERROR_GRAPH, "retain_grad: the tensor takes no part in gradients");
    t->retain_grad = true;
    return RILLE_OK;
}

rille_tensor *rille_gradient(rille_tensor *t)
{
    return t == NULL ? NULL : t->gradient;
}

rille_status rille_set_gradient(rille_tensor *t, rille_tensor *gradient)
{
    rille_context *cx = rl_enter("gradient", gradient == NULL ? RL_LIST(t) : RL_LIST(t, gradient));
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    if (gradient != NULL && (!rl_same_shape(t, gradient) || t->dtype != gradient->dtype))
        return rl_fail(cx, RILLE_ERROR_SHAPE, "gradient: %s %s given for a tensor that is %s %s",
                       rille_dtype_name(gradient->dtype), RL_SHAPE(gradient), rille_dtype_name(t->dtype), RL_SHAPE(t));
    rille_tensor *own = NULL;
    if (gradient != NULL) { /* a view outside the graph, since a graph that leads back to t would keep both for ever */
        rille_tensor *view = rl_view(gradient);
        if (view == NULL)
            return RILLE_ERROR_MEMORY;
        own = rl_retain(view);
        rille_free(view);
    }
    rl_drop(t->gradient);
    t->gradient = own;
    return RILLE_OK;
}
