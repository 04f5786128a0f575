/* Reductions that are a fold or two: prod, amax, amin, any, all, logsumexp. */
#include "ops/fold.h"
#include "ops/scan.h"

#include <math.h>

/* The fold of t, converted to `computed` first, into a tensor of the dtype. Not recorded. */
static rille_tensor *folded(const char *operation, rille_tensor *t, const rl_reduction *r, rl_fold_kind kind,
                            rille_dtype computed, rille_dtype dtype)
{
    rille_tensor *out = rl_new(t->context, operation, dtype, r->kept_rank, r->kept_shape);
    rille_tensor *typed = out == NULL ? NULL : rl_as(t, computed);
    rl_fold_input in;
    if (typed == NULL)
        return rl_completed(out, RILLE_ERROR_MEMORY);
    void *totals = rl_fold_begin(&in, typed, r) ? rl_fold(&in, operation, kind, NULL, 0) : NULL;
    const bool ok = rl_fold_finish(&in, totals, out);
    rl_free_temporary(typed, t);
    return rl_completed(out, ok ? RILLE_OK : RILLE_ERROR_MEMORY);
}

/* ---- prod ---- */

rille_tensor *rille_prod(rille_tensor *t, const int *dims, int count, bool keepdim)
{
    rl_reduction r;
    if (rl_enter("prod", RL_LIST(t)) == NULL || !rl_plan_reduction(t, "prod", dims, count, keepdim, &r))
        return NULL;
    const rille_dtype dtype = rl_promote(t->dtype, RILLE_INT64);
    rille_tensor *out = folded("prod", t, &r, RL_FOLD_PRODUCT, dtype, dtype);
    const rl_attributes attributes = rl_reduction_attributes(&r, 1);
    return rl_record(out, &rl_ops[RL_OP_prod], RL_LIST(t), RL_LIST(t), &attributes);
}

/* g times the product of the others, for which nothing is divided by: zeros are as other numbers. In float64, where what is
 * before an element and what is behind it have room. */
void rl_vjp_prod(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    const bool *reduced = node->attributes.reduction.reduced;
    rille_tensor *t = rl_saved(node, 0);
    if (t == NULL)
        return;
    rille_tensor *others = rl_product_of_others(rl_reduced_last(rille_to(t, RILLE_FLOAT64), reduced));
    rille_tensor *share = rl_with_kept_dimensions(g, &node->edge[0], reduced);
    gradient[0] = rille_mul(share, rl_reduced_back(others, &node->edge[0], reduced));
}

/* ---- amax, amin ---- */

static rille_tensor *extreme(enum rl_op_id op, rl_fold_kind kind, rille_tensor *t, const int *dims, int count, bool keepdim)
{
    const char *operation = rl_ops[op].name;
    rl_reduction r;
    if (rl_enter(operation, RL_LIST(t)) == NULL || !rl_plan_reduction(t, operation, dims, count, keepdim, &r))
        return NULL;
    rille_tensor *out = folded(operation, t, &r, kind, t->dtype, t->dtype);
    if (out != NULL && r.size == 0 && out->numel > 0) {
        rl_fail(t->context, RILLE_ERROR_SHAPE, "%s: of no elements, shape %s, there is none", operation, RL_SHAPE(t));
        return rl_completed(out, RILLE_ERROR_SHAPE);
    }
    const rl_attributes attributes = rl_reduction_attributes(&r, 1);
    return rl_record(out, &rl_ops[op], RL_LIST(t), RL_LIST(t, out), &attributes);
}

/* g, shared by those that equal the extreme. */
static void share_among_equals(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    const bool *reduced = node->attributes.reduction.reduced;
    int dims[RILLE_MAX_RANK];
    const int count = rl_reduced_dimensions(reduced, node->edge[0].rank, dims);
    rille_tensor *equal = rille_equal(rl_saved(node, 0), rl_with_kept_dimensions(rl_saved(node, 1), &node->edge[0], reduced));
    rille_tensor *share = rille_div(rl_with_kept_dimensions(g, &node->edge[0], reduced), rille_sum(equal, dims, count, true));
    gradient[0] = rille_mul(share, equal);
}

rille_tensor *rille_amax(rille_tensor *t, const int *dims, int count, bool keepdim)
{
    return extreme(RL_OP_amax, RL_FOLD_LARGEST, t, dims, count, keepdim);
}

void rl_vjp_amax(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    share_among_equals(node, g, gradient);
}

rille_tensor *rille_amin(rille_tensor *t, const int *dims, int count, bool keepdim)
{
    return extreme(RL_OP_amin, RL_FOLD_SMALLEST, t, dims, count, keepdim);
}

void rl_vjp_amin(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    share_among_equals(node, g, gradient);
}

/* ---- any, all: the largest and the smallest of false and true ---- */

static rille_tensor *truth(const char *operation, rl_fold_kind kind, rille_tensor *t, const int *dims, int count, bool keepdim)
{
    rl_reduction r;
    if (rl_enter(operation, RL_LIST(t)) == NULL || !rl_plan_reduction(t, operation, dims, count, keepdim, &r))
        return NULL;
    if (r.size > 0)
        return folded(operation, t, &r, kind, RILLE_BOOL, RILLE_BOOL);
    return rille_full(t->context, RILLE_BOOL, r.kept_rank, r.kept_shape, kind == RL_FOLD_SMALLEST ? 1 : 0);
}

rille_tensor *rille_any(rille_tensor *t, const int *dims, int count, bool keepdim)
{
    return truth("any", RL_FOLD_LARGEST, t, dims, count, keepdim);
}

rille_tensor *rille_all(rille_tensor *t, const int *dims, int count, bool keepdim)
{
    return truth("all", RL_FOLD_SMALLEST, t, dims, count, keepdim);
}

/* ---- logsumexp ---- */

/* m + log sum e^(x - m), m the largest; m itself where it is not finite. */
static rille_tensor *log_of_sum(rille_tensor *t, const rl_reduction *r)
{
    rille_tensor *out = rl_new(t->context, "logsumexp", t->dtype, r->kept_rank, r->kept_shape);
    rl_fold_input in;
    if (out == NULL)
        return NULL;
    double *most = rl_fold_begin(&in, t, r) ? rl_fold(&in, "logsumexp", RL_FOLD_LARGEST, NULL, 0) : NULL;
    double *total = most == NULL ? NULL : rl_fold(&in, "logsumexp", RL_FOLD_EXPONENTIALS, most, 0);
    for (size_t i = 0; total != NULL && i < in.results; i++)
        total[i] = isfinite(most[i]) ? most[i] + log(total[i]) : most[i];
    rl_fold_release(&in, most);
    const bool ok = rl_fold_finish(&in, total, out);
    return rl_completed(out, ok ? RILLE_OK : RILLE_ERROR_MEMORY);
}

rille_tensor *rille_logsumexp(rille_tensor *t, const int *dims, int count, bool keepdim)
{
    rl_reduction r;
    if (rl_enter("logsumexp", RL_LIST(t)) == NULL || !rl_plan_reduction(t, "logsumexp", dims, count, keepdim, &r))
        return NULL;
    rille_tensor *in = rl_as(t, rl_floating(t->dtype));
    rille_tensor *out = in == NULL ? NULL : log_of_sum(in, &r);
    rl_free_temporary(in, t);
    const rl_attributes attributes = rl_reduction_attributes(&r, 1);
    return rl_record(out, &rl_ops[RL_OP_logsumexp], RL_LIST(t), RL_LIST(t), &attributes);
}

void rl_vjp_logsumexp(rl_node *node, rille_tensor *g, rille_tensor **gradient) /* g softmax(t), over all that was reduced */
{
    const bool *reduced = node->attributes.reduction.reduced;
    rille_tensor *rows = rl_reduced_last(rl_saved(node, 0), reduced);
    rille_tensor *softmax = rl_reduced_back(rille_softmax(rows, -1), &node->edge[0], reduced);
    gradient[0] = rille_mul(rl_with_kept_dimensions(g, &node->edge[0], reduced), softmax);
}
