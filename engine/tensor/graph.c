#include "tensor/graph.h"

#include "base/memory.h"

#include <string.h>

bool rl_tracks(const rille_tensor *t)
{
    return t->node != NULL || t->requires_grad;
}

static size_t node_size(int edges)
{
    return sizeof(rl_node) + (size_t)edges * sizeof(rl_edge);
}

static void set_edge(rl_edge *edge, rille_tensor *input)
{
    edge->dtype = input->dtype;
    edge->rank = input->rank;
    memcpy(edge->shape, input->shape, sizeof edge->shape);
    if (!rl_is_floating(input->dtype))
        return;
    edge->node = input->node;
    if (edge->node != NULL)
        edge->node->references++;
    else if (input->requires_grad)
        edge->leaf = rl_retain(input);
}

/* The output is saved as a view outside the graph: a reference to itself would keep the node for ever. */
static bool save(rl_node *node, rille_tensor *t, rille_tensor *out)
{
    int i = node->saved_count++;
    node->saved[i].version = t->storage->version;
    node->saved[i].is_output = t == out;
    if (t != out) {
        node->saved[i].tensor = rl_retain(t);
        return true;
    }
    rille_tensor *view = rl_view(out);
    node->saved[i].tensor = rl_retain(view);
    rille_free(view);
    return view != NULL;
}

static bool wants_record(const rille_tensor *out, int count, rille_tensor *const *inputs)
{
    bool tracks = false;
    for (int i = 0; i < count; i++)
        tracks = tracks || rl_tracks(inputs[i]);
    return tracks && out->context->grad_enabled && rl_is_floating(out->dtype);
}

/* In anomaly mode: the line of the caller's program. False where memory is out. */
static bool note_place(rl_node *node)
{
    const rille_anomaly *mode = &node->context->anomaly;
    if (!mode->on || mode->locate == NULL)
        return true;
    node->place = rl_allocate_zeroed(node->context, RL_PLACE_SIZE);
    if (node->place != NULL)
        mode->locate(mode->user, node->place, RL_PLACE_SIZE);
    return node->place != NULL;
}

rille_tensor *rl_record(rille_tensor *out, const rl_op *op, rl_list inputs, rl_list saved, const rl_attributes *attributes)
{
    return rl_record_many(out, op, inputs.count, inputs.item, saved, attributes);
}

rille_tensor *rl_record_many(rille_tensor *out, const rl_op *op, int count, rille_tensor *const *inputs, rl_list saved,
                             const rl_attributes *attributes)
{
    if (out != NULL && out->context->anomaly.on && !out->context->differentiating && !rl_is_sound(out, op, count, inputs)) {
        rille_free(out);
        return NULL;
    }
    if (out == NULL || !wants_record(out, count, inputs))
        return out;
    rille_context *cx = out->context;
    rl_node *node = rl_allocate_zeroed(cx, node_size(count));
    if (node == NULL) {
        rille_free(out);
        return NULL;
    }
    node->context = cx;
    node->op = op;
    node->references = 1;
    node->edge_count = count;
    if (attributes != NULL)
        node->attributes = *attributes;
    for (int i = 0; i < count; i++)
        set_edge(&node->edge[i], inputs[i]);
    bool ok = note_place(node);
    for (int i = 0; i < saved.count; i++)
        ok = ok && save(node, saved.item[i], out);
    if (!ok) {
        rl_node_drop(node);
        rille_free(out);
        return NULL;
    }
    node->output = out;
    out->node = node;
    return out;
}

bool rl_needs(const rl_node *node, int input)
{
    return node->edge[input].node != NULL || node->edge[input].leaf != NULL;
}

rille_tensor *rl_saved(rl_node *node, int i)
{
    rille_tensor *t = node->saved[i].tensor;
    if (t->storage->version != node->saved[i].version) {
        rl_fail(node->context, RILLE_ERROR_GRAPH,
                "backward: a tensor of shape %s that '%s' needs for its gradient was changed in place afterwards; "
                "change a clone instead",
                RL_SHAPE(t), node->op->name);
        return NULL;
    }
    if (!node->saved[i].is_output)
        return t;
    rille_tensor *out = rl_view(t);
    if (out != NULL) {
        out->node = node;
        node->references++;
    }
    return out;
}

void rl_node_forget(rl_node *node)
{
    for (int i = 0; i < node->saved_count; i++)
        rl_drop(node->saved[i].tensor);
    node->saved_count = 0;
    node->freed = true;
}

static void free_node(rl_node *node)
{
    rl_node_forget(node);
    rl_hooks_free(node->context, node->hooks);
    rl_release(node->context, node->place, RL_PLACE_SIZE);
    rl_drop(node->gradient);
    for (int i = 0; i < node->edge_count; i++) {
        rl_node_drop(node->edge[i].node);
        rl_drop(node->edge[i].leaf);
    }
    rl_release(node->context, node, node_size(node->edge_count));
}

void rl_node_drop(rl_node *node)
{
    if (node == NULL || --node->references > 0)
        return;
    rille_context *cx = node->context;
    node->next = cx->dying;
    cx->dying = node;
    if (cx->releasing)
        return; /* the loop below, further up the stack, will come to it */
    cx->releasing = true;
    while (cx->dying != NULL) {
        rl_node *first = cx->dying;
        cx->dying = first->next;
        free_node(first);
    }
    cx->releasing = false;
}
