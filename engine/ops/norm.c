/* The p-norm over dimensions. */
#include "ops/fold.h"

#include "base/memory.h"

#include <math.h>

static rl_fold_kind norm_kind(double p)
{
    return p == 0           ? RL_FOLD_COUNT
           : p == 1         ? RL_FOLD_SIZES
           : p == 2         ? RL_FOLD_SQUARES
           : p == HUGE_VAL  ? RL_FOLD_LARGEST_SIZE
           : p == -HUGE_VAL ? RL_FOLD_SMALLEST_SIZE
                            : RL_FOLD_POWERS;
}

/* 2^k, so that x 2^k is near 1 and its powers leave float64's range only where they do not count. */
static double power_of_two_against(double x)
{
    if (!(x > 0 && x < HUGE_VAL))
        return 1;
    const int k = -ilogb(x);
    return ldexp(1, k < -1022 ? -1022 : k > 1023 ? 1023 : k);
}

/* For each result a c by the largest |x|, or, for p < 0, by the smallest; 1 for squares of floats, which float64 has room for. */
static double *scales(const rl_fold_input *in, double p)
{
    const bool roomy = p == 2 && in->dense->dtype == RILLE_FLOAT32;
    double *scale = roomy ? rl_allocate(in->t->context, in->results * sizeof *scale)
                          : rl_fold(in, "norm", p > 0 ? RL_FOLD_LARGEST_SIZE : RL_FOLD_SMALLEST_SIZE, NULL, 0);
    for (size_t i = 0; scale != NULL && i < in->results; i++)
        scale[i] = roomy ? 1 : power_of_two_against(scale[i]);
    return scale;
}

/* (sum (c |x|)^p)^(1/p) / c */
static double *scaled_norm(const rl_fold_input *in, double p)
{
    double *scale = scales(in, p);
    double *total = scale == NULL ? NULL : rl_fold(in, "norm", norm_kind(p), scale, p);
    for (size_t i = 0; total != NULL && i < in->results; i++)
        total[i] = (p == 2 ? sqrt(total[i]) : pow(total[i], 1 / p)) / scale[i];
    rl_fold_release(in, scale);
    return total;
}

static rille_tensor *norm_of(rille_tensor *t, const rl_reduction *r, double p)
{
    rille_tensor *out = rl_new(t->context, "norm", t->dtype, r->kept_rank, r->kept_shape);
    const rl_fold_kind kind = norm_kind(p);
    rl_fold_input in;
    if (out == NULL)
        return NULL;
    double *total = NULL;
    if (rl_fold_begin(&in, t, r))
        total = kind == RL_FOLD_SQUARES || kind == RL_FOLD_POWERS ? scaled_norm(&in, p) : rl_fold(&in, "norm", kind, NULL, 0);
    const bool ok = rl_fold_finish(&in, total, out);
    return rl_completed(out, ok ? RILLE_OK : RILLE_ERROR_MEMORY);
}

rille_tensor *rille_norm(rille_tensor *t, double p, const int *dims, int count, bool keepdim)
{
    rl_reduction r;
    if (rl_enter("norm", RL_LIST(t)) == NULL || !rl_plan_reduction(t, "norm", dims, count, keepdim, &r))
        return NULL;
    if (isnan(p)) {
        rl_fail(t->context, RILLE_ERROR_ARGUMENT, "norm: p is nan; a number or an infinity expected");
        return NULL;
    }
    rille_tensor *in = rl_as(t, rl_floating(t->dtype));
    rille_tensor *out = in == NULL ? NULL : norm_of(in, &r, p);
    rl_free_temporary(in, t);
    if (out != NULL && isinf(p) && r.size == 0 && out->numel > 0) {
        rl_fail(t->context, RILLE_ERROR_SHAPE, "norm: of no elements, shape %s, none is the %s", RL_SHAPE(t),
                p > 0 ? "largest" : "smallest");
        return rl_completed(out, RILLE_ERROR_SHAPE);
    }
    const rl_attributes attributes = rl_reduction_attributes(&r, p);
    return rl_record(out, &rl_ops[RL_OP_norm], RL_LIST(t), RL_LIST(t, out), &attributes);
}

static rille_tensor *number(rille_tensor *like, double value)
{
    return rille_scalar(like->context, like->dtype, value);
}

/* g sign t, shared by those of the extreme size. */
static rille_tensor *of_extreme(rille_tensor *t, rille_tensor *norm, rille_tensor *g, const bool *reduced)
{
    int dims[RILLE_MAX_RANK];
    const int count = rl_reduced_dimensions(reduced, t->rank, dims);
    rille_tensor *equal = rille_equal(rille_abs(t), norm);
    return rille_mul(rille_mul(rille_div(g, rille_sum(equal, dims, count, true)), equal), rille_sign(t));
}

/* g sign t (|t| / norm)^(p - 1), in which no power overflows that the result does not; 0 where t is. lifted: the norm, 1 where it
 * is 0. */
static rille_tensor *of_power(rille_tensor *t, rille_tensor *lifted, rille_tensor *g, double p)
{
    rille_tensor *ratio = rille_div(t, lifted), *zero = number(t, 0);
    if (p == 2)
        return rille_mul(g, ratio);
    rille_tensor *none = rille_equal(t, zero), *size = rille_abs(ratio);
    rille_tensor *power = rille_pow(rille_add(size, none), number(t, p - 1)); /* of 1 where t is 0 */
    return rille_mul(rille_mul(g, power), rille_sign(t));
}

void rl_vjp_norm(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    const double p = node->attributes.reduction.divisor;
    const bool *reduced = node->attributes.reduction.reduced;
    rille_tensor *t = rl_saved(node, 0), *norm = rl_saved(node, 1);
    if (t == NULL || norm == NULL)
        return;
    norm = rl_with_kept_dimensions(norm, &node->edge[0], reduced);
    g = rl_with_kept_dimensions(g, &node->edge[0], reduced);
    if (g == NULL || norm == NULL)
        return;
    if (p == 0) {
        gradient[0] = rille_mul(rille_mul(g, number(g, 0)), rille_sign(t));
    } else if (p == 1) {
        gradient[0] = rille_mul(g, rille_sign(t));
    } else if (isinf(p)) {
        gradient[0] = of_extreme(t, norm, g, reduced);
    } else {
        rille_tensor *none = rille_equal(norm, number(norm, 0));
        gradient[0] = of_power(t, rille_add(norm, none), rille_where(none, number(g, 0), g), p);
    }
}
