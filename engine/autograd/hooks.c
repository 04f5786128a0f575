#include "autograd/hooks.h"

/* A hook has a copy, since what flows through a graph is shared: the operands of a sum get one and the same gradient. */
static rille_tensor *run(const rl_hook *hook, rille_tensor *g)
{
    rille_context *cx = g->context;
    rille_tensor *copy = rille_clone(g), *replaced = copy == NULL ? NULL : hook->call(copy, hook->user);
    if (rille_error(cx) != NULL)
        return NULL;
    if (replaced == NULL)
        return g;
    if (rl_enter("hook", RL_LIST(g, replaced)) == NULL)
        return NULL;
    if (rl_same_shape(g, replaced) && g->dtype == replaced->dtype)
        return replaced;
    rl_fail(cx, RILLE_ERROR_SHAPE, "hook: it returned %s %s for a gradient that is %s %s", rille_dtype_name(replaced->dtype),
            RL_SHAPE(replaced), rille_dtype_name(g->dtype), RL_SHAPE(g));
    return NULL;
}

rille_tensor *rl_hooks_run(const rl_hooks *hooks, rille_tensor *g)
{
    for (const rl_hook *hook = hooks == NULL ? NULL : hooks->first; hook != NULL && g != NULL; hook = hook->next)
        if (hook->call != NULL)
            g = run(hook, g);
    return g;
}
