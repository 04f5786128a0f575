/* var and std, in two passes: the mean, then what deviates from it. */
#include "ops/fold.h"

#include <math.h>

/* sum (x - mean)^2 / max(n - correction, 0), or its root. */
static rille_tensor *deviation(enum rl_op_id op, rille_tensor *t, const rl_reduction *r, rille_dtype dtype, double correction)
{
    const char *operation = rl_ops[op].name;
    rille_tensor *out = rl_new(t->context, operation, dtype, r->kept_rank, r->kept_shape);
    const double divisor = fmax((double)r->size - correction, 0);
    rl_fold_input in;
    if (out == NULL)
        return NULL;
    double *mean = rl_fold_begin(&in, t, r) ? rl_fold(&in, operation, RL_FOLD_SUM, NULL, 0) : NULL;
    for (size_t i = 0; mean != NULL && i < in.results; i++)
        mean[i] /= (double)in.size;
    double *total = mean == NULL ? NULL : rl_fold(&in, operation, RL_FOLD_DEVIATIONS, mean, 0);
    for (size_t i = 0; total != NULL && i < in.results; i++)
        total[i] = op == RL_OP_std ? sqrt(total[i] / divisor) : total[i] / divisor;
    rl_fold_release(&in, mean);
    const bool ok = rl_fold_finish(&in, total, out);
    return rl_completed(out, ok ? RILLE_OK : RILLE_ERROR_MEMORY);
}

static rille_tensor *deviated(enum rl_op_id op, rille_tensor *t, const int *dims, int count, double correction, bool keepdim)
{
    const char *operation = rl_ops[op].name;
    rl_reduction r;
    if (rl_enter(operation, RL_LIST(t)) == NULL || !rl_plan_reduction(t, operation, dims, count, keepdim, &r))
        return NULL;
    if (!isfinite(correction)) {
        rl_fail(t->context, RILLE_ERROR_ARGUMENT, "%s: a finite correction is expected", operation);
        return NULL;
    }
    const rl_attributes attributes = rl_reduction_attributes(&r, fmax((double)r.size - correction, 0));
    rille_tensor *in = rl_as(t, rl_is_floating(t->dtype) ? t->dtype : RILLE_FLOAT64);
    rille_tensor *out = in == NULL ? NULL : deviation(op, in, &r, rl_floating(t->dtype), correction);
    rl_free_temporary(in, t);
    return rl_record(out, &rl_ops[op], RL_LIST(t), op == RL_OP_std ? RL_LIST(t, out) : RL_LIST(t), &attributes);
}

/* (t - mean) / divisor, in float64: rounding the mean could leave nothing of what deviates from it. */
static rille_tensor *deviation_of(rl_node *node)
{
    const bool *reduced = node->attributes.reduction.reduced;
    rille_tensor *t = rl_saved(node, 0);
    if (t == NULL)
        return NULL;
    int dims[RILLE_MAX_RANK];
    const int count = rl_reduced_dimensions(reduced, t->rank, dims);
    rille_tensor *wide = rille_to(t, RILLE_FLOAT64);
    rille_tensor *divisor = rille_scalar(node->context, RILLE_FLOAT64, node->attributes.reduction.divisor);
    return rille_div(rille_sub(wide, rille_mean(wide, dims, count, true)), divisor);
}

rille_tensor *rille_var(rille_tensor *t, const int *dims, int count, double correction, bool keepdim)
{
    return deviated(RL_OP_var, t, dims, count, correction, keepdim);
}

void rl_vjp_var(rl_node *node, rille_tensor *g, rille_tensor **gradient) /* 2 (t - mean) / divisor */
{
    rille_tensor *twice = rille_add(g, g);
    gradient[0] =
        rille_mul(rl_with_kept_dimensions(twice, &node->edge[0], node->attributes.reduction.reduced), deviation_of(node));
}

rille_tensor *rille_std(rille_tensor *t, const int *dims, int count, double correction, bool keepdim)
{
    return deviated(RL_OP_std, t, dims, count, correction, keepdim);
}

void rl_vjp_std(rl_node *node, rille_tensor *g, rille_tensor **gradient) /* (t - mean) / (divisor std); 0 where std is 0 */
{
    rille_tensor *std = rl_saved(node, 1);
    if (std == NULL)
        return;
    rille_tensor *zero = rille_scalar(node->context, std->dtype, 0), *none = rille_equal(std, zero);
    rille_tensor *share = rille_where(none, zero, rille_div(g, rille_add(std, none)));
    gradient[0] =
        rille_mul(rl_with_kept_dimensions(share, &node->edge[0], node->attributes.reduction.reduced), deviation_of(node));
}
