/* Losses of pairs: element by element, of what a net gave and its target. pair_losses.def has their formulas. */
#include "ops/losses.h"

#include "base/parallel.h"
#include "ops/loss_kernels.h"

#include <math.h>
#include <string.h>

static const char *const names[] = {
#define LOSS(name, called, ...) called,
#include "ops/pair_losses.def"
#undef LOSS
};

/* ---- A term of a loss, and its product with a gradient ---- */

typedef struct pair_work {
    rl_loss_kernel *kernel;
    rl_loss_term term;
    bool one_g;
    double parameter;
    size_t item;
    const char *g, *x, *t;
    char *out;
} pair_work;

static void do_pairs(void *work, size_t begin, size_t end)
{
    const pair_work *w = work;
    const size_t at = begin * w->item;
    const char *g = w->g == NULL || w->one_g ? w->g : w->g + at;
    w->kernel(end - begin, w->term, g, w->one_g, w->x + at, w->t + at, w->parameter, w->out + at);
}

/* t as a dense tensor of the dtype and of x's shape, to which it broadcasts: itself, or a temporary. */
static rille_tensor *spread(rille_tensor *t, rille_dtype dtype, const rille_tensor *x)
{
    rille_tensor *typed = rl_as(t, dtype);
    if (typed == NULL || (rl_same_shape(typed, x) && rille_is_contiguous(typed)))
        return typed;
    rille_tensor *view = rl_view(typed);
    if (view != NULL) {
        for (int d = 0; d < x->rank; d++) {
            const int own = d - (x->rank - t->rank);
            view->stride[d] = own < 0 || typed->shape[own] == 1 ? 0 : typed->stride[own];
            view->shape[d] = x->shape[d];
        }
        view->rank = x->rank;
        rl_shape_changed(view);
    }
    rille_tensor *dense = view == NULL ? NULL : rl_dense(view);
    if (dense != view)
        rille_free(view);
    if (typed != dense)
        rl_free_temporary(typed, t);
    return dense;
}

static bool is_one_number(const rille_tensor *g) /* expanded, as the gradient of a mean is */
{
    for (int d = 0; d < g->rank; d++)
        if (g->shape[d] != 1 && g->stride[d] != 0)
            return false;
    return true;
}

/* The term; times g, of x's shape, where g is not NULL. Not recorded. */
static rille_tensor *computed(rille_tensor *g, rille_tensor *x, rille_tensor *t, const rl_attributes *a)
{
    rille_context *cx = x->context;
    const char *name = names[a->pair_loss.loss];
    const rille_dtype dtype = rl_floating(rl_promote(x->dtype, t->dtype));
    const bool one_g = g != NULL && is_one_number(g);
    rille_tensor *input = spread(x, dtype, x), *target = input == NULL ? NULL : spread(t, dtype, x);
    rille_tensor *typed = target == NULL || g == NULL ? NULL : rl_as(g, dtype);
    rille_tensor *factor = typed == NULL || one_g ? typed : rl_dense(typed);
    const bool ready = target != NULL && (g == NULL || factor != NULL);
    rille_tensor *out = ready ? rl_new(cx, name, dtype, x->rank, x->shape) : NULL;
    if (out != NULL) {
        pair_work w = {.kernel = rl_loss_kernels_pick()->pair[a->pair_loss.loss][dtype],
                       .term = (rl_loss_term)a->pair_loss.term,
                       .one_g = one_g,
                       .parameter = a->pair_loss.parameter,
                       .item = rille_dtype_size(dtype),
                       .g = factor == NULL ? NULL : rl_data(factor),
                       .x = rl_data(input),
                       .t = rl_data(target),
                       .out = rl_data(out)};
        out = rl_completed(out, rl_parallel_for(cx, name, (size_t)out->numel, RL_GRAIN_HEAVY, do_pairs, &w));
    }
    if (factor != typed)
        rl_free_temporary(factor, g);
    rl_free_temporary(typed, g);
    rl_free_temporary(target, t);
    rl_free_temporary(input, x);
    return out;
}

static rille_tensor *product(rille_tensor *g, rille_tensor *x, rille_tensor *t, const rl_attributes *a, rl_loss_term term)
{
    rl_attributes attributes = *a;
    attributes.pair_loss.term = (int)term;
    if (rl_enter(names[a->pair_loss.loss], RL_LIST(g, x, t)) == NULL)
        return NULL;
    return rl_record(computed(g, x, t, &attributes), &rl_ops[RL_OP_pair_loss_product], RL_LIST(g, x, t), RL_LIST(g, x, t),
                     &attributes);
}

void rl_vjp_pair_loss(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    rille_tensor *x = rl_saved(node, 0), *t = rl_saved(node, 1);
    if (rl_needs(node, 0))
        gradient[0] = product(g, x, t, &node->attributes, RL_LOSS_F_X);
    if (rl_needs(node, 1))
        gradient[1] = product(g, x, t, &node->attributes, RL_LOSS_F_T);
}

void rl_vjp_pair_loss_product(rl_node *node, rille_tensor *h, rille_tensor **gradient) /* of g f_x: h f_x, h g f_xx, h g f_xt */
{
    rille_tensor *g = rl_saved(node, 0), *x = rl_saved(node, 1), *t = rl_saved(node, 2);
    const rl_attributes *a = &node->attributes;
    const rl_loss_term term = (rl_loss_term)a->pair_loss.term;
    if (rl_needs(node, 0))
        gradient[0] = product(h, x, t, a, term);
    if (!rl_needs(node, 1) && !rl_needs(node, 2))
        return;
    if (term != RL_LOSS_F_X && term != RL_LOSS_F_T) {
        rl_fail(node->context, RILLE_ERROR_GRAPH, "%s: a third derivative is not known", names[a->pair_loss.loss]);
        return;
    }
    rille_tensor *both = rille_mul(h, g);
    if (rl_needs(node, 1))
        gradient[1] = product(both, x, t, a, term == RL_LOSS_F_X ? RL_LOSS_F_XX : RL_LOSS_F_XT);
    if (rl_needs(node, 2))
        gradient[2] = product(both, x, t, a, term == RL_LOSS_F_X ? RL_LOSS_F_XT : RL_LOSS_F_TT);
}

/* ---- Reductions ---- */

bool rl_is_reduction(rille_context *cx, const char *operation, rille_reduction reduction, bool of_batches)
{
    const bool known = (int)reduction >= 0 && reduction <= (of_batches ? RILLE_REDUCE_BATCHMEAN : RILLE_REDUCE_NONE);
    if (!known)
        rl_fail(cx, RILLE_ERROR_ARGUMENT, "%s: it has no reduction number %d", operation, (int)reduction);
    return known;
}

rille_tensor *rl_reduced_loss(rille_tensor *each, rille_reduction reduction, double divisor)
{
    if (each == NULL || reduction == RILLE_REDUCE_NONE)
        return each;
    const bool plain = divisor == (double)each->numel;
    rille_tensor *out = plain ? rille_mean(each, NULL, 0, false) : rille_sum(each, NULL, 0, false);
    if (out != NULL && !plain && divisor != 1) {
        rille_tensor *sum = out, *over = rille_scalar(sum->context, sum->dtype, divisor);
        out = rille_div(sum, over);
        rille_free(over);
        rille_free(sum);
    }
    rille_free(each);
    return out;
}

/* ---- The losses ---- */

static bool is_pair(rille_context *cx, const char *name, const rille_tensor *x, const char *what, const rille_tensor *t)
{
    bool fits = t->rank <= x->rank;
    for (int d = 0; fits && d < t->rank; d++)
        fits = t->shape[d] == 1 || t->shape[d] == x->shape[x->rank - t->rank + d];
    if (!fits)
        rl_fail(cx, RILLE_ERROR_SHAPE, "%s: input is %s, %s is %s, which does not broadcast to it", name, RL_SHAPE(x), what,
                RL_SHAPE(t));
    return fits;
}

static rille_tensor *each_loss(rl_pair_loss loss, rille_tensor *x, rille_tensor *t, double parameter)
{
    const rl_attributes attributes = {.pair_loss = {.loss = (int)loss, .term = RL_LOSS_F, .parameter = parameter}};
    return rl_record(computed(NULL, x, t, &attributes), &rl_ops[RL_OP_pair_loss], RL_LIST(x, t), RL_LIST(x, t), &attributes);
}

/* The context, where the arguments are right. */
static rille_context *entered(rl_pair_loss loss, rille_tensor *x, rille_tensor *t, rille_reduction reduction)
{
    rille_context *cx = rl_enter(names[loss], RL_LIST(x, t));
    const bool right = cx != NULL && is_pair(cx, names[loss], x, "target", t) &&
                       rl_is_reduction(cx, names[loss], reduction, loss == RL_LOSS_kl_div || loss == RL_LOSS_kl_div_of_logs);
    return right ? cx : NULL;
}

static rille_tensor *reduced(rille_tensor *each, rille_reduction reduction)
{
    if (each == NULL)
        return NULL;
    const bool by_batch = reduction == RILLE_REDUCE_BATCHMEAN && each->rank > 0;
    return rl_reduced_loss(each, reduction,
                           reduction == RILLE_REDUCE_SUM ? 1 : (double)(by_batch ? each->shape[0] : each->numel));
}

static rille_tensor *pair_loss(rl_pair_loss loss, rille_tensor *x, rille_tensor *t, double parameter, rille_reduction reduction)
{
    return entered(loss, x, t, reduction) == NULL ? NULL : reduced(each_loss(loss, x, t, parameter), reduction);
}

rille_tensor *rille_mse_loss(rille_tensor *x, rille_tensor *target, rille_reduction reduction)
{
    return pair_loss(RL_LOSS_mse, x, target, 0, reduction);
}

rille_tensor *rille_l1_loss(rille_tensor *x, rille_tensor *target, rille_reduction reduction)
{
    return pair_loss(RL_LOSS_l1, x, target, 0, reduction);
}

/* As a message shows a number: a NaN would print its sign bit. */
static double shown(double value)
{
    return isnan(value) ? fabs(value) : value;
}

rille_tensor *rille_smooth_l1_loss(rille_tensor *x, rille_tensor *target, double beta, rille_reduction reduction)
{
    rille_context *cx = entered(RL_LOSS_smooth_l1, x, target, reduction);
    if (cx != NULL && !(beta >= 0))
        rl_fail(cx, RILLE_ERROR_ARGUMENT, "smooth_l1_loss: beta is %g; 0 or more expected", shown(beta));
    return cx == NULL || !(beta >= 0) ? NULL : pair_loss(RL_LOSS_smooth_l1, x, target, beta, reduction);
}

rille_tensor *rille_huber_loss(rille_tensor *x, rille_tensor *target, double delta, rille_reduction reduction)
{
    rille_context *cx = entered(RL_LOSS_huber, x, target, reduction);
    if (cx != NULL && !(delta > 0))
        rl_fail(cx, RILLE_ERROR_ARGUMENT, "huber_loss: delta is %g; more than 0 expected", shown(delta));
    return cx == NULL || !(delta > 0) ? NULL : pair_loss(RL_LOSS_huber, x, target, delta, reduction);
}

/* Whether all elements lie in 0 ... 1, NaN apart; a message where not. */
static bool are_probabilities(rille_context *cx, rille_tensor *p)
{
    rille_tensor *dense = rl_dense_floating(p);
    bool right = dense != NULL;
    for (int64_t i = 0; right && i < dense->numel; i++) {
        const bool single = dense->dtype == RILLE_FLOAT32;
        const double value = single ? (double)((const float *)rl_data(dense))[i] : ((const double *)rl_data(dense))[i];
        right = !(value < 0 || value > 1);
        if (!right)
            rl_fail(cx, RILLE_ERROR_ARGUMENT,
                    "bce_loss: element %lld of the input is %g; probabilities, 0 to 1, expected: bce_with_logits takes logits",
                    rl_counted(cx, i), value);
    }
    rl_free_temporary(dense, p);
    return right;
}

rille_tensor *rille_bce_loss(rille_tensor *p, rille_tensor *target, rille_reduction reduction)
{
    rille_context *cx = entered(RL_LOSS_bce, p, target, reduction);
    return cx == NULL || !are_probabilities(cx, p) ? NULL : pair_loss(RL_LOSS_bce, p, target, 0, reduction);
}

/* (1 - t) log(1 + e^x) + pos_weight t log(1 + e^-x): each is the part of positives, the first one of -x and 1 - t. */
static rille_tensor *weighted_logistic(rille_tensor *x, rille_tensor *t, rille_tensor *pos_weight)
{
    rille_tensor *floating = rl_is_floating(x->dtype) ? x : rille_to(x, RILLE_FLOAT32);
    rille_tensor *one =
        floating == NULL ? NULL : rille_scalar(x->context, floating->dtype, 1); /* so that 1 - t is as exact as x */
    rille_tensor *opposite = rille_neg(floating), *rest = rille_sub(one, t);
    rille_tensor *positive = floating == NULL ? NULL : each_loss(RL_LOSS_positive_part, floating, t, 0);
    rille_tensor *negative = opposite == NULL || rest == NULL ? NULL : each_loss(RL_LOSS_positive_part, opposite, rest, 0);
    rille_tensor *weighted = rille_mul(positive, pos_weight), *out = rille_add(negative, weighted);
    rille_free(weighted);
    rille_free(negative);
    rille_free(positive);
    rille_free(rest);
    rille_free(one);
    rille_free(opposite);
    rl_free_temporary(floating, x);
    return out;
}

rille_tensor *rille_bce_with_logits(rille_tensor *x, rille_tensor *target, rille_tensor *pos_weight, rille_reduction reduction)
{
    rille_context *cx = entered(RL_LOSS_bce_with_logits, x, target, reduction);
    if (cx == NULL)
        return NULL;
    if (pos_weight == NULL)
        return reduced(each_loss(RL_LOSS_bce_with_logits, x, target, 0), reduction);
    if (rl_enter("bce_with_logits", RL_LIST(x, pos_weight)) == NULL)
        return NULL;
    rille_tensor *each =
        is_pair(cx, "bce_with_logits", x, "pos_weight", pos_weight) ? weighted_logistic(x, target, pos_weight) : NULL;
    return reduced(each, reduction);
}

rille_tensor *rille_kl_div(rille_tensor *x, rille_tensor *target, bool log_target, rille_reduction reduction)
{
    return pair_loss(log_target ? RL_LOSS_kl_div_of_logs : RL_LOSS_kl_div, x, target, 0, reduction);
}
