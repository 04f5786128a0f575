/* Activations some of whose parameters are tensors: y = f(x, p), with gradients to x and to every p. All that they and their
 * own gradients need is one operation, a factor times a term (f and its derivatives by x and the p), whose gradients are
 * made of the same operation again. The sums over the elements that share a p are autograd's: rl_sum_to. */
#include "ops/ops.h"

#include "activations/map.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

static const char *name_of(rille_activation act)
{
    return rille_activation_describe(act)->name;
}

/* ---- The parameters of each channel ---- */

typedef struct channel_list {
    rl_channels list;
    double *room;
    size_t bytes;
} channel_list;

static bool is_allowed(rille_context *cx, rille_activation act, int k, const double *value, size_t count)
{
    const rille_parameter *p = &rille_activation_describe(act)->parameter[k];
    for (size_t c = 0; c < count; c++) {
        if (!(value[c] < p->low) && !(value[c] > p->high)) /* NaN stays what it is */
            continue;
        rl_fail(cx, RILLE_ERROR_ARGUMENT, "%s: parameter %s, element %lld, is %g; allowed are %g to %g", name_of(act), p->name,
                rl_counted(cx, (int64_t)c), value[c], p->low, p->high);
        return false;
    }
    return true;
}

/* Fills the row's k-th list from its tensor p, or from the number where p is NULL. */
static bool fill(rille_context *cx, rille_activation act, int k, rille_tensor *p, double number, size_t channels, double *value)
{
    size_t given = p == NULL ? 0 : (size_t)p->numel;
    if (p != NULL && (rille_copy_out(p, RILLE_FLOAT64, value) != RILLE_OK || !is_allowed(cx, act, k, value, given)))
        return false;
    for (size_t c = given; c < channels; c++)
        value[c] = given == 0 ? number : value[0];
    return true;
}

/* Of x's elements, whose layout is row-major. False, with a message, where it fails; room is the caller's to release. */
static bool list_channels(rille_tensor *x, const rl_attributes *a, rille_tensor *const *input, channel_list *c)
{
    const int count = rille_activation_describe(a->learned.act)->parameter_count;
    size_t channels = 1, inner = 1;
    for (int k = 0; k < count; k++)
        if (a->learned.input[k] > 0 && input[a->learned.input[k]]->numel > 1)
            channels = (size_t)input[a->learned.input[k]]->numel;
    for (int d = 2; d < x->rank; d++)
        inner *= (size_t)x->shape[d];
    *c = (channel_list){.list = {.channels = channels, .inner = channels == 1 ? SIZE_MAX : inner}};
    c->bytes = (size_t)count * channels * sizeof(double);
    c->room = rl_allocate(x->context, c->bytes);
    bool ok = c->room != NULL;
    for (int k = 0; k < count && ok; k++) {
        rille_tensor *p = a->learned.input[k] > 0 ? input[a->learned.input[k]] : NULL;
        c->list.value[k] = c->room + (size_t)k * channels;
        ok = fill(x->context, a->learned.act, k, p, a->learned.parameter[k], channels, c->room + (size_t)k * channels);
    }
    return ok;
}

/* ---- The operation ---- */

static rille_tensor *computed(rille_tensor *x, rille_tensor *g, const rl_attributes *a, const channel_list *c)
{
    rille_dtype dtype = rl_floating(x->dtype);
    rille_tensor *in = rl_dense_floating(x), *left = g == NULL ? NULL : rl_as(g, dtype);
    rille_tensor *factor = left == NULL ? NULL : rl_dense(left);
    rille_tensor *out = in == NULL || (g != NULL && factor == NULL) ? NULL : rl_new_like(x, dtype);
    if (out != NULL)
        out = rl_completed(out, rl_map_learned(x->context, a->learned.act, (rl_term)a->learned.term, a->learned.which, &c->list,
                                               dtype, (size_t)x->numel, factor == NULL ? NULL : rl_data(factor), rl_data(in),
                                               rl_data(out)));
    rl_free_temporary(factor, left);
    rl_free_temporary(left, g);
    rl_free_temporary(in, x);
    return out;
}

/* The term of the list's x and p, times the factor in the list, if there is one. Recorded. */
static rille_tensor *learned(rl_list list, const rl_attributes *attributes)
{
    rille_tensor *x = list.item[0], *out = NULL;
    if (rl_enter(name_of(attributes->learned.act), list) == NULL)
        return NULL;
    channel_list c;
    int factor = attributes->learned.factor;
    if (list_channels(x, attributes, list.item, &c))
        out = computed(x, factor > 0 ? list.item[factor] : NULL, attributes, &c);
    rl_release(x->context, c.room, c.bytes);
    return rl_record(out, &rl_ops[RL_OP_learned_activation], list, list, attributes);
}

/* The term's derivative by x, or by a parameter; -1 where it is a third derivative of f. */
static int derivative_of(int term, bool by_x)
{
    switch (term) {
    case RL_F: return by_x ? RL_F_X : RL_F_P;
    case RL_F_X: return by_x ? RL_F_XX : RL_F_XP;
    case RL_F_P: return by_x ? RL_F_XP : RL_F_PP;
    default: return -1;
    }
}

/* d/dp of the node's term by its k-th parameter (-1: by x), times `seed`. */
static rille_tensor *gradient_by(rl_node *node, int k, rille_tensor *seed)
{
    rl_attributes a = node->attributes;
    const int term = derivative_of(a.learned.term, k < 0);
    if (term < 0) {
        rl_fail(node->context, RILLE_ERROR_GRAPH, "%s: a third derivative is not known", name_of(a.learned.act));
        return NULL;
    }
    if (k >= 0 && a.learned.term == RL_F_P && k != a.learned.which) { /* the rows say so */
        const rl_edge *edge = &node->edge[a.learned.input[k]];
        return rille_zeros(node->context, edge->dtype, edge->rank, edge->shape);
    }
    const int places = a.learned.factor > 0 ? a.learned.factor : node->edge_count;
    rl_list list = {.count = places + 1};
    for (int i = 0; i < places; i++)
        list.item[i] = rl_saved(node, i);
    list.item[places] = seed;
    a.learned.term = term;
    if (k >= 0)
        a.learned.which = k;
    a.learned.factor = places;
    return learned(list, &a);
}

void rl_vjp_learned_activation(rl_node *node, rille_tensor *h, rille_tensor **gradient)
{
    const rl_attributes *a = &node->attributes;
    const int factor = a->learned.factor;
    rille_tensor *seed = factor > 0 ? rille_mul(h, rl_saved(node, factor)) : h;
    if (rl_needs(node, 0))
        gradient[0] = gradient_by(node, -1, seed);
    for (int k = 0; k < RILLE_MAX_PARAMETERS; k++)
        if (a->learned.input[k] > 0 && rl_needs(node, a->learned.input[k]))
            gradient[a->learned.input[k]] = gradient_by(node, k, seed);
    if (factor > 0 && rl_needs(node, factor)) {
        rl_list list = {.count = factor + 1};
        for (int i = 0; i < factor; i++)
            list.item[i] = rl_saved(node, i);
        list.item[factor] = h;
        gradient[factor] = learned(list, a);
    }
}

/* ---- What the caller gives ---- */

/* p as it broadcasts over x: [], or with its elements along x's dimension 1 (0 where x has one dimension). NULL, with a
 * message, where it does not. */
static rille_tensor *along_channels(rille_tensor *x, rille_tensor *p, const rille_activation_info *info, int k)
{
    rille_context *cx = x->context;
    if (!info->parameter[k].learnable) {
        rl_fail(cx, RILLE_ERROR_ARGUMENT, "%s: parameter %s takes a number, not a tensor", info->name, info->parameter[k].name);
        return NULL;
    }
    if (!rl_is_floating(p->dtype)) {
        rl_fail(cx, RILLE_ERROR_DTYPE, "%s: parameter %s is %s; float32 or float64 expected", info->name,
                info->parameter[k].name, rille_dtype_name(p->dtype));
        return NULL;
    }
    if (p->numel == 1)
        return rille_reshape(p, 0, NULL);
    const int dim = x->rank > 1 ? 1 : 0;
    if (p->rank != 1 || x->rank == 0 || p->numel != x->shape[dim]) {
        const int64_t channels = x->rank == 0 ? 1 : x->shape[dim];
        char or_each[32] = "";
        if (channels != 1)
            snprintf(or_each, sizeof or_each, " or [%lld]", (long long)channels);
        rl_fail(cx, RILLE_ERROR_SHAPE, "%s: parameter %s is %s; for x of shape %s, [1]%s is expected", info->name,
                info->parameter[k].name, RL_SHAPE(p), RL_SHAPE(x), or_each);
        return NULL;
    }
    int64_t shape[RILLE_MAX_RANK] = {p->numel, 1, 1, 1, 1, 1, 1, 1};
    return rille_reshape(p, x->rank - dim, shape);
}

/* The tensors that the row takes, after x in the list; false where one does not fit. Those made are the caller's to free. */
static bool list_tensors(rl_list *list, const rille_activation_info *info, rille_tensor *const *tensors, rl_attributes *a)
{
    rille_tensor *x = list->item[0];
    for (int k = 0; k < info->parameter_count; k++) {
        if (tensors[k] == NULL)
            continue;
        rille_tensor *p = rl_enter(info->name, RL_LIST(x, tensors[k])) == NULL ? NULL : along_channels(x, tensors[k], info, k);
        if (p == NULL)
            return false;
        a->learned.input[k] = list->count;
        list->item[list->count++] = p;
    }
    return true;
}

rille_tensor *rille_derivative_with(rille_tensor *x, rille_activation act, int order, const double *params,
                                    rille_tensor *const *tensors)
{
    static const int terms[] = {RL_F, RL_F_X, RL_F_XX};
    rille_context *cx = rl_enter("activate", RL_LIST(x));
    const rille_activation_info *info = rille_activation_describe(act);
    bool any = false;
    for (int k = 0; info != NULL && tensors != NULL && k < info->parameter_count; k++)
        any = any || tensors[k] != NULL;
    if (cx == NULL || !any)
        return rille_derivative(x, act, order, params);
    if (!rl_check_order(cx, order))
        return NULL;
    const double *numbers = rl_activation_parameters(cx, act, params);
    if (numbers == NULL)
        return NULL;
    rl_attributes a = {.learned = {.act = act, .term = terms[order]}};
    memcpy(a.learned.parameter, numbers, (size_t)info->parameter_count * sizeof numbers[0]);
    rl_list list = {.count = 1, .item = {x}};
    rille_tensor *out = list_tensors(&list, info, tensors, &a) ? learned(list, &a) : NULL;
    for (int i = 1; i < list.count; i++)
        rille_free(list.item[i]);
    return out;
}

rille_tensor *rille_activate_with(rille_tensor *x, rille_activation act, const double *params, rille_tensor *const *tensors)
{
    return rille_derivative_with(x, act, 0, params, tensors);
}
