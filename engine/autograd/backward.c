/* Reverse-mode differentiation: of the nodes that the outputs reach, each is visited once all that use its output have been,
 * and its vector-Jacobian product hands its gradient on. No recursion, so depth is bounded by memory alone. */
#include "autograd/hooks.h"
#include "base/memory.h"
#include "ops/ops.h"

#include <string.h>

/* ---- The nodes that the outputs reach ---- */

typedef struct node_list {
    rl_node **item;
    size_t count, room;
} node_list;

static bool list_push(rille_context *cx, node_list *list, rl_node *node)
{
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 64 : 2 * list->room;
        rl_node **item = rl_allocate(cx, room * sizeof *item);
        if (item == NULL)
            return false;
        if (list->count > 0)
            memcpy(item, list->item, list->count * sizeof *item);
        rl_release(cx, list->item, list->room * sizeof *item);
        list->item = item;
        list->room = room;
    }
    list->item[list->count++] = node;
    return true;
}

static bool reach(rille_context *cx, node_list *list, rl_node *node)
{
    if (node == NULL || node->reached)
        return true;
    if (!list_push(cx, list, node))
        return false;
    node->reached = true;
    node->references++; /* the walk must not lose it when an earlier one lets go */
    return true;
}

/* All nodes that `outputs` depend on; each one's `pending` counts the edges by which others of them lead to it. */
static bool collect(rille_context *cx, rille_tensor *const *outputs, int count, node_list *list)
{
    for (int i = 0; i < count; i++)
        if (!reach(cx, list, outputs[i]->node))
            return false;
    for (size_t next = 0; next < list->count; next++) { /* the list is its own queue */
        rl_node *node = list->item[next];
        for (int i = 0; i < node->edge_count; i++) {
            if (!reach(cx, list, node->edge[i].node))
                return false;
            if (node->edge[i].node != NULL)
                node->edge[i].node->pending++;
        }
    }
    return true;
}

static void let_go(rille_context *cx, node_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        rl_node *node = list->item[i];
        node->reached = false;
        node->pending = 0;
        node->capture = NULL;
        rl_drop(node->gradient);
        node->gradient = NULL;
    }
    for (size_t i = 0; i < list->count; i++)
        rl_node_drop(list->item[i]);
    rl_release(cx, list->item, list->room * sizeof list->item[0]);
}

/* ---- Summing gradients ---- */

/* *sum += g, where sum and g have one shape; *sum holds a reference. */
static bool accumulate(rille_tensor **sum, rille_tensor *g)
{
    rille_tensor *total = *sum == NULL ? g : rille_add(*sum, g);
    if (total == NULL)
        return false;
    rl_retain(total);
    rl_drop(*sum);
    *sum = total;
    return true;
}

/* As accumulate, but what is kept outlives this backward and may be written to: it shares its elements with nothing. */
static bool accumulate_kept(rille_tensor **sum, rille_tensor *g, bool create_graph)
{
    if (*sum != NULL || create_graph)
        return accumulate(sum, g);
    bool alone = g->storage->references == 1 && g->references == 1 && rille_is_contiguous(g);
    rille_tensor *own = alone ? g : rille_clone(g);
    return own != NULL && accumulate(sum, own);
}

/* Into t's own gradient. */
static bool put_gradient(rille_tensor *t, rille_tensor *g, bool create_graph)
{
    if (!accumulate_kept(&t->gradient, g, create_graph))
        return false;
    rille_status (*call)(rille_tensor *) = t->on_gradient;
    t->on_gradient = NULL;
    return call == NULL || call(t->gradient) == RILLE_OK;
}

typedef struct walk {
    rille_context *context;
    bool create_graph;
    bool to_leaves; /* rille_backward: into gradients of leaves; else only where rille_grad wants them */
    bool free_graph;
    rille_tensor *waiting; /* leaves whose hooks are to be run at the end, once their gradients are whole */
} walk;

static bool deliver_to_leaf(const walk *w, rille_tensor *leaf, rille_tensor *g)
{
    if (leaf->capture != NULL)
        return accumulate_kept(leaf->capture, g, w->create_graph);
    return !w->to_leaves || put_gradient(leaf, g, w->create_graph);
}

static bool deliver(walk *w, rl_edge *edge, rille_tensor *g)
{
    g = rl_sum_to(g, edge->dtype, edge->rank, edge->shape);
    if (g == NULL)
        return false;
    if (edge->node != NULL)
        return accumulate(&edge->node->gradient, g);
    rl_hooks *hooks = edge->leaf->hooks;
    if (hooks == NULL || (edge->leaf->capture == NULL && !w->to_leaves))
        return deliver_to_leaf(w, edge->leaf, g);
    if (hooks->incoming == NULL) {
        hooks->next_waiting = w->waiting;
        w->waiting = rl_retain(edge->leaf);
    }
    return accumulate(&hooks->incoming, g);
}

/* Runs the hooks of the waiting leaves, as long as nothing fails, and lets go of all. */
static bool finish_leaves(walk *w, bool ok)
{
    while (w->waiting != NULL) {
        rille_tensor *leaf = w->waiting, *g = leaf->hooks->incoming;
        w->waiting = leaf->hooks->next_waiting;
        leaf->hooks->incoming = NULL;
        rille_scope_push(w->context);
        rille_tensor *whole = ok ? rl_hooks_run(leaf->hooks, g) : NULL;
        ok = whole != NULL && deliver_to_leaf(w, leaf, whole);
        rille_scope_pop(w->context);
        rl_drop(g);
        rl_drop(leaf);
    }
    return ok;
}

static rille_status already_freed(const rl_node *node)
{
    return rl_fail(
        node->context, RILLE_ERROR_GRAPH,
        "backward: the graph of '%s' was freed by an earlier backward; compute the output anew, or use grad, which keeps it",
        node->op->name);
}

/* The node's whole gradient, as its hooks leave it. */
static bool run_hooks(rl_node *node)
{
    rille_tensor *g = rl_hooks_run(node->hooks, node->gradient);
    if (g == NULL)
        return false;
    rl_retain(g);
    rl_drop(node->gradient);
    node->gradient = g;
    return true;
}

/* Hands g, the gradient of the node's output, on to its inputs. */
static bool hand_on(walk *w, rl_node *node, rille_tensor *g)
{
    rille_tensor *few[RL_MOST_INPUTS] = {NULL}, **gradient = few;
    const size_t bytes = (size_t)node->edge_count * sizeof(rille_tensor *);
    if (bytes > sizeof few)
        gradient = rl_allocate_zeroed(w->context, bytes);
    if (gradient == NULL)
        return false;
    node->op->vjp(node, g, gradient);
    bool ok = rille_error(w->context) == NULL;
    for (int i = 0; ok && i < node->edge_count; i++) {
        if (!rl_needs(node, i))
            continue;
        ok = gradient[i] != NULL && (!w->context->anomaly.on || rl_is_sound_gradient(node, g, i, gradient[i])) &&
             deliver(w, &node->edge[i], gradient[i]);
    }
    if (gradient != few)
        rl_release(w->context, gradient, bytes);
    if (!ok)
        rl_fail(w->context, RILLE_ERROR_GRAPH, "backward: '%s' gave no gradient", node->op->name);
    return ok;
}

static bool visit(walk *w, rl_node *node)
{
    if (node->gradient == NULL)
        return true;
    if (!run_hooks(node))
        return false;
    rille_tensor *g = node->gradient;
    if (node->output != NULL && node->output->retain_grad && w->to_leaves && !put_gradient(node->output, g, w->create_graph))
        return false;
    if (node->capture != NULL && !accumulate_kept(node->capture, g, w->create_graph))
        return false;
    if (node->freed)
        return already_freed(node) == RILLE_OK;
    bool ok = hand_on(w, node, g);
    if (w->free_graph)
        rl_node_forget(node);
    rl_drop(node->gradient);
    node->gradient = NULL;
    return ok;
}

/* Visits every node of the list, each after all that lead to it. */
static bool visit_all(walk *w, const node_list *list)
{
    rl_node *ready = NULL;
    for (size_t i = 0; i < list->count; i++)
        if (list->item[i]->pending == 0) {
            list->item[i]->next = ready;
            ready = list->item[i];
        }
    while (ready != NULL) {
        rl_node *node = ready;
        ready = node->next;
        rille_scope_push(w->context);
        bool ok = visit(w, node);
        rille_scope_pop(w->context);
        if (!ok)
            return false;
        for (int i = 0; i < node->edge_count; i++) {
            rl_node *input = node->edge[i].node;
            if (input != NULL && --input->pending == 0) {
                input->next = ready;
                ready = input;
            }
        }
    }
    return true;
}

/* ---- From outputs to inputs ---- */

/* Puts each output's seed (NULL: 1, for a scalar) where its gradient is summed. */
static bool plant_seeds(walk *w, const char *operation, rille_tensor *const *outputs, int count, rille_tensor *const *seeds)
{
    for (int i = 0; i < count; i++) {
        rille_tensor *t = outputs[i], *seed = seeds == NULL ? NULL : seeds[i];
        if (seed != NULL && rl_enter(operation, RL_LIST(t, seed)) == NULL)
            return false;
        if (seed == NULL && t->numel != 1) {
            rl_fail(w->context, RILLE_ERROR_SHAPE,
                    "%s: the output has shape %s; give a seed of that shape, or reduce it to a scalar", operation, RL_SHAPE(t));
            return false;
        }
        if (seed != NULL && !rl_same_shape(seed, t)) {
            rl_fail(w->context, RILLE_ERROR_SHAPE, "%s: the seed is %s, the output %s", operation, RL_SHAPE(seed), RL_SHAPE(t));
            return false;
        }
        rille_tensor *g = seed == NULL ? rille_full(w->context, t->dtype, t->rank, t->shape, 1) : seed;
        if (g != NULL && g->dtype != t->dtype)
            g = rille_to(g, t->dtype);
        if (g != NULL && t->node == NULL) /* the seed stays its owner's */
            g = rille_clone(g);
        rl_edge leaf = {.leaf = t, .dtype = t->dtype, .rank = t->rank};
        memcpy(leaf.shape, t->shape, sizeof leaf.shape);
        if (g == NULL || (t->node != NULL ? !accumulate(&t->node->gradient, g) : !deliver(w, &leaf, g)))
            return false;
    }
    return true;
}

static rille_status differentiate(walk *w, const char *operation, rille_tensor *const *outputs, int count,
                                  rille_tensor *const *seeds, node_list *list)
{
    rille_context *cx = w->context;
    bool recording = rille_set_grad_enabled(cx, w->create_graph);
    cx->differentiating = true;
    rille_scope_push(cx);
    bool ok = plant_seeds(w, operation, outputs, count, seeds);
    rille_scope_pop(cx);
    ok = ok && visit_all(w, list);
    ok = finish_leaves(w, ok);
    cx->differentiating = false;
    rille_set_grad_enabled(cx, recording);
    return ok ? RILLE_OK : rille_error_status(cx);
}

/* Whether t can be differentiated; a message where not. An error from before is told as it is. */
static bool is_differentiable(const char *operation, rille_context *cx, const rille_tensor *t)
{
    if (rille_error(cx) != NULL)
        return false;
    if (cx->differentiating) {
        rl_fail(cx, RILLE_ERROR_GRAPH, "%s: a hook of a backward that is under way called it", operation);
        return false;
    }
    if (!rl_tracks(t))
        rl_fail(cx, RILLE_ERROR_GRAPH,
                "%s: nothing that the output was computed from requires a gradient, or gradients were switched off", operation);
    return rl_tracks(t);
}

rille_status rille_backward(rille_tensor *t, rille_tensor *seed)
{
    rille_context *cx = rl_enter("backward", seed == NULL ? RL_LIST(t) : RL_LIST(t, seed));
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    if (!is_differentiable("backward", cx, t))
        return rille_error_status(cx);
    walk w = {.context = cx, .to_leaves = true, .free_graph = true};
    node_list list = {0};
    rille_status status = RILLE_ERROR_MEMORY;
    if (collect(cx, &t, 1, &list))
        status = differentiate(&w, "backward", &t, 1, &seed, &list);
    let_go(cx, &list);
    return status;
}

static void set_capture(rille_tensor *t, rille_tensor **place)
{
    if (t->node != NULL)
        t->node->capture = place;
    else
        t->capture = place;
}

static rille_tensor **capture_of(const rille_tensor *t)
{
    return t->node != NULL ? t->node->capture : t->capture;
}

/* A handle for the caller: g itself where nobody holds one, else (g is a seed, say) a view of it. */
static rille_tensor *handle_of(rille_tensor *g)
{
    rille_tensor *adopted = rl_adopt(g);
    return adopted != NULL ? adopted : rille_reshape(g, g->rank, g->shape);
}

rille_status rille_grad(rille_tensor *const *outputs, int output_count, rille_tensor *const *inputs, int input_count,
                        rille_tensor *const *seeds, bool create_graph, rille_tensor **gradients)
{
    if (output_count < 1 || input_count < 1 || outputs == NULL || inputs == NULL || gradients == NULL || outputs[0] == NULL)
        return RILLE_ERROR_NULL;
    rille_context *cx = outputs[0]->context;
    for (int i = 0; i < input_count; i++)
        gradients[i] = NULL;
    for (int i = 0; i < output_count + input_count; i++) {
        rille_tensor *t = i < output_count ? outputs[i] : inputs[i - output_count];
        if (rl_enter("grad", RL_LIST(outputs[0], t)) == NULL)
            return rille_error_status(cx);
        if (i >= output_count && !rl_tracks(t))
            return rl_fail(cx, RILLE_ERROR_GRAPH, "grad: input %d does not require a gradient",
                           i - output_count + cx->options.index_base);
        if (!is_differentiable("grad", cx, t))
            return rille_error_status(cx);
    }
    walk w = {.context = cx, .create_graph = create_graph};
    node_list list = {0};
    rille_status status = RILLE_ERROR_MEMORY;
    for (int i = input_count - 1; i >= 0; i--)
        set_capture(inputs[i], &gradients[i]); /* named twice: the first place gets it */
    if (collect(cx, outputs, output_count, &list))
        status = differentiate(&w, "grad", outputs, output_count, seeds, &list);
    for (int i = 0; i < input_count; i++)
        if (status == RILLE_OK && gradients[i] == NULL && capture_of(inputs[i]) != NULL && *capture_of(inputs[i]) != NULL)
            gradients[i] = rl_retain(*capture_of(inputs[i]));
    for (int i = 0; i < input_count; i++)
        set_capture(inputs[i], NULL);
    let_go(cx, &list);
    bool recording = rille_set_grad_enabled(cx, create_graph);
    for (int i = 0; i < input_count; i++) { /* as handles of the caller's scope */
        rille_tensor *g = gradients[i];
        gradients[i] = g == NULL || status != RILLE_OK ? NULL : handle_of(g);
        if (g != NULL && gradients[i] == NULL && status == RILLE_OK)
            status = RILLE_ERROR_MEMORY;
        rl_drop(g);
    }
    rille_set_grad_enabled(cx, recording);
    return status;
}
