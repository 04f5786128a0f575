/* Hooks: a caller's functions on the gradients of a tensor. backward calls them; here they are kept. */
#include "base/memory.h"
#include "tensor/graph.h"

static rl_hooks **hooks_of(rille_tensor *t)
{
    return t->node != NULL ? &t->node->hooks : &t->hooks;
}

/* Ends those that were removed, and the list where none is left. Not while backward may stand on one of them. */
static void prune(rille_context *cx, rl_hooks **hooks)
{
    if (*hooks == NULL || cx->differentiating)
        return;
    for (rl_hook **at = &(*hooks)->first; *at != NULL;) {
        rl_hook *hook = *at;
        if (hook->call != NULL) {
            at = &hook->next;
            continue;
        }
        *at = hook->next;
        rl_release(cx, hook, sizeof *hook);
    }
    if ((*hooks)->first == NULL) {
        rl_release(cx, *hooks, sizeof **hooks);
        *hooks = NULL;
    }
}

rille_status rille_add_hook(rille_tensor *t, rille_hook *hook, void *user, void (*release)(void *user))
{
    rille_context *cx = rl_enter("hook", RL_LIST(t));
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    if (hook == NULL)
        return rl_fail(cx, RILLE_ERROR_ARGUMENT, "hook: the function is NULL");
    if (!rl_tracks(t))
        return rl_fail(cx, RILLE_ERROR_GRAPH, "hook: the tensor takes no part in gradients");
    rl_hooks **hooks = hooks_of(t);
    if (*hooks == NULL)
        *hooks = rl_allocate_zeroed(cx, sizeof **hooks);
    rl_hook *added = *hooks == NULL ? NULL : rl_allocate(cx, sizeof *added);
    if (added == NULL) {
        prune(cx, hooks);
        return RILLE_ERROR_MEMORY;
    }
    rl_hook **end = &(*hooks)->first;
    while (*end != NULL)
        end = &(*end)->next;
    *added = (rl_hook){hook, user, release, NULL};
    *end = added;
    return RILLE_OK;
}

static void remove_hook(rl_hook *hook)
{
    if (hook->call == NULL)
        return;
    hook->call = NULL;
    if (hook->release != NULL)
        hook->release(hook->user);
}

rille_status rille_remove_hook(rille_tensor *t, void *user)
{
    rille_context *cx = rl_enter("hook", RL_LIST(t));
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    rl_hooks **hooks = hooks_of(t);
    for (rl_hook *hook = *hooks == NULL ? NULL : (*hooks)->first; hook != NULL; hook = hook->next)
        if (hook->user == user)
            remove_hook(hook);
    prune(cx, hooks);
    return RILLE_OK;
}

void rl_hooks_free(rille_context *cx, rl_hooks *hooks)
{
    if (hooks == NULL)
        return;
    while (hooks->first != NULL) {
        rl_hook *hook = hooks->first;
        hooks->first = hook->next;
        remove_hook(hook);
        rl_release(cx, hook, sizeof *hook);
    }
    rl_release(cx, hooks, sizeof *hooks);
}
