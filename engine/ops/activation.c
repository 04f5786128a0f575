/* Activations as operations on tensors: y = f(x), and g f^(order)(x), which is what their gradients are made of. */
#include "ops/ops.h"

#include "activations/map.h"

#include <string.h>

static const char *name_of(rille_activation act)
{
    return rille_activation_describe(act)->name;
}

/* Attributes of an activation with its parameters filled in; false, with a message, where act or one of them is wrong. */
static bool describe(rille_context *cx, rille_activation act, int order, const double *params, rl_attributes *attributes)
{
    const rille_activation_info *info = rille_activation_describe(act);
    if (info == NULL) {
        rl_fail(cx, RILLE_ERROR_ARGUMENT, "activate: there is no activation number %d", (int)act);
        return false;
    }
    const double *values = rl_activation_parameters(cx, act, params);
    *attributes = (rl_attributes){.activation = {.act = act, .order = order}};
    if (info->parameter_count == 0)
        return true;
    if (values != NULL)
        memcpy(attributes->activation.parameter, values, (size_t)info->parameter_count * sizeof values[0]);
    return values != NULL;
}

static rille_tensor *mapped(rille_tensor *x, const rl_attributes *attributes)
{
    rille_tensor *in = rl_dense_floating(x), *out = in == NULL ? NULL : rl_new_like(x, in->dtype);
    if (out != NULL)
        out =
            rl_completed(out, rille_map(x->context, attributes->activation.act, attributes->activation.parameter,
                                        attributes->activation.order, in->dtype, (size_t)x->numel, rl_data(in), rl_data(out)));
    rl_free_temporary(in, x);
    return out;
}

bool rl_check_order(rille_context *cx, int order)
{
    if (order < 0 || order > 2)
        rl_fail(cx, RILLE_ERROR_ARGUMENT, "derivative: order is %d; it can be 0, 1 or 2", order);
    return order >= 0 && order <= 2;
}

rille_tensor *rille_derivative(rille_tensor *x, rille_activation act, int order, const double *params)
{
    rl_attributes attributes;
    rille_context *cx = rl_enter("derivative", RL_LIST(x));
    if (cx == NULL || !rl_check_order(cx, order) || !describe(cx, act, order, params, &attributes))
        return NULL;
    if (cx->grad_enabled && rl_tracks(x) && order != 0) {
        rille_tensor *one = rille_scalar(cx, rl_floating(x->dtype), 1);
        rille_tensor *ones = rille_expand(one, x->rank, x->shape);
        rille_tensor *out = order == 1
                                ? rl_activation_product(ones, x, act, 1, params)
                                : (rl_fail(cx, RILLE_ERROR_GRAPH, "derivative: of order %d has no gradient", order), NULL);
        rille_free(ones);
        rille_free(one);
        return out;
    }
    rille_tensor *out = mapped(x, &attributes);
    return rl_record(out, &rl_ops[RL_OP_activation], RL_LIST(x), RL_LIST(x), &attributes);
}

rille_tensor *rille_activate(rille_tensor *x, rille_activation act, const double *params)
{
    return rille_derivative(x, act, 0, params);
}

void rl_vjp_activation(rl_node *node, rille_tensor *g, rille_tensor **gradient) /* g f'(x) */
{
    gradient[0] =
        rl_activation_product(g, rl_saved(node, 0), node->attributes.activation.act, 1, node->attributes.activation.parameter);
}

rille_tensor *rl_activation_product(rille_tensor *g, rille_tensor *x, rille_activation act, int order, const double *params)
{
    rl_attributes attributes;
    rille_context *cx = rl_enter(rille_activation_describe(act) == NULL ? "activation" : name_of(act), RL_LIST(g, x));
    if (cx == NULL || !describe(cx, act, order, params, &attributes))
        return NULL;
    rille_dtype dtype = rl_floating(x->dtype);
    rille_tensor *in = rl_dense_floating(x), *left = rl_as(g, dtype), *seed = left == NULL ? NULL : rl_dense(left);
    rille_tensor *out = in == NULL || seed == NULL ? NULL : rl_new_like(x, dtype);
    if (out != NULL)
        out = rl_completed(out, rl_map_product(cx, act, attributes.activation.parameter, order, dtype, (size_t)x->numel,
                                               rl_data(seed), rl_data(in), rl_data(out)));
    rl_free_temporary(seed, left);
    rl_free_temporary(left, g);
    rl_free_temporary(in, x);
    return rl_record(out, &rl_ops[RL_OP_activation_product], RL_LIST(g, x), RL_LIST(g, x), &attributes);
}

void rl_vjp_activation_product(rl_node *node, rille_tensor *h, rille_tensor **gradient) /* of g f'(x): h f'(x), h g f"(x) */
{
    rille_tensor *g = rl_saved(node, 0), *x = rl_saved(node, 1);
    rille_activation act = node->attributes.activation.act;
    const double *params = node->attributes.activation.parameter;
    int order = node->attributes.activation.order;
    if (rl_needs(node, 0))
        gradient[0] = rl_activation_product(h, x, act, order, params);
    if (rl_needs(node, 1) && order < 2)
        gradient[1] = rl_activation_product(rille_mul(h, g), x, act, order + 1, params);
    else if (rl_needs(node, 1))
        rl_fail(node->context, RILLE_ERROR_GRAPH, "%s: a third derivative is not known", name_of(act));
}
