/* Which dimensions a reduction goes over; sums and means. */
#include "ops/fold.h"

#include <string.h>

/* ---- Which dimensions, and the shape that is left ---- */

bool rl_plan_reduction(const rille_tensor *t, const char *operation, const int *dims, int count, bool keepdim, rl_reduction *r)
{
    *r = (rl_reduction){.size = 1};
    for (int i = 0; dims != NULL && i < count; i++) {
        int d = rl_dimension(t, operation, dims[i]);
        if (d < 0)
            return false;
        if (r->reduced[d]) {
            rl_fail(t->context, RILLE_ERROR_ARGUMENT, "%s: dimension %d is named twice", operation,
                    d + t->context->options.index_base);
            return false;
        }
        r->reduced[d] = true;
    }
    for (int d = 0; d < t->rank; d++) {
        r->reduced[d] = r->reduced[d] || dims == NULL;
        if (r->reduced[d])
            r->size *= t->shape[d];
        if (!r->reduced[d] || keepdim)
            r->kept_shape[r->kept_rank++] = r->reduced[d] ? 1 : t->shape[d];
    }
    return true;
}

rille_tensor *rl_grouped_view(rille_tensor *t, const rl_reduction *r, bool reduced_first)
{
    rille_tensor *view = rl_view(t);
    for (int pass = 0, to = 0; view != NULL && pass < 2; pass++)
        for (int d = 0; d < t->rank; d++)
            if (r->reduced[d] == (pass == (reduced_first ? 0 : 1))) {
                view->shape[to] = t->shape[d];
                view->stride[to++] = t->stride[d];
            }
    return view;
}

rl_attributes rl_reduction_attributes(const rl_reduction *r, double number)
{
    rl_attributes attributes = {.reduction = {.divisor = number}};
    memcpy(attributes.reduction.reduced, r->reduced, sizeof r->reduced);
    return attributes;
}

int rl_reduced_dimensions(const bool *reduced, int rank, int *dims)
{
    int count = 0;
    for (int d = 0; d < rank; d++)
        if (reduced[d])
            dims[count++] = d;
    return count;
}

/* The kept dimensions, then the reduced ones. */
static void order_dimensions(const bool *reduced, int rank, int *order)
{
    int next = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int d = 0; d < rank; d++)
            if (reduced[d] == (pass == 1))
                order[next++] = d;
}

rille_tensor *rl_reduced_last(rille_tensor *t, const bool *reduced)
{
    int order[RILLE_MAX_RANK];
    int64_t shape[2] = {1, 1};
    if (t == NULL)
        return NULL;
    order_dimensions(reduced, t->rank, order);
    for (int d = 0; d < t->rank; d++)
        shape[reduced[d]] *= t->shape[d];
    return rille_reshape(rille_permute(t, order), 2, shape);
}

rille_tensor *rl_reduced_back(rille_tensor *rows, const rl_edge *input, const bool *reduced)
{
    int order[RILLE_MAX_RANK], back[RILLE_MAX_RANK];
    int64_t shape[RILLE_MAX_RANK];
    order_dimensions(reduced, input->rank, order);
    for (int d = 0; d < input->rank; d++) {
        shape[d] = input->shape[order[d]];
        back[order[d]] = d;
    }
    return rille_permute(rille_reshape(rows, input->rank, shape), back);
}

/* ---- sum, mean ---- */

static rille_tensor *totals_of(const char *operation, rille_tensor *t, const rl_reduction *r, rille_dtype dtype, double divisor)
{
    rille_tensor *out = rl_new(t->context, operation, dtype, r->kept_rank, r->kept_shape);
    rl_fold_input in;
    if (out == NULL)
        return NULL;
    void *totals = rl_fold_begin(&in, t, r) ? rl_fold(&in, operation, RL_FOLD_SUM, NULL, 0) : NULL;
    if (totals != NULL && divisor != 1)
        for (size_t i = 0; i < in.results; i++)
            ((double *)totals)[i] /= divisor;
    const bool ok = rl_fold_finish(&in, totals, out);
    return rl_completed(out, ok ? RILLE_OK : RILLE_ERROR_MEMORY);
}

static rille_tensor *summed(const char *operation, rille_tensor *t, const int *dims, int count, bool keepdim, bool mean)
{
    rl_reduction r;
    if (rl_enter(operation, RL_LIST(t)) == NULL || !rl_plan_reduction(t, operation, dims, count, keepdim, &r))
        return NULL;
    const rl_attributes attributes = rl_reduction_attributes(&r, mean ? (double)r.size : 1);
    const rille_dtype dtype = mean ? rl_floating(t->dtype) : rl_promote(t->dtype, RILLE_INT64);
    rille_tensor *in = rl_as(t, dtype);
    rille_tensor *out = in == NULL ? NULL : totals_of(operation, in, &r, dtype, attributes.reduction.divisor);
    rl_free_temporary(in, t);
    return rl_record(out, &rl_ops[RL_OP_sum], RL_LIST(t), RL_NONE, &attributes);
}

rille_tensor *rille_sum(rille_tensor *t, const int *dims, int count, bool keepdim)
{
    return summed("sum", t, dims, count, keepdim, false);
}

rille_tensor *rille_mean(rille_tensor *t, const int *dims, int count, bool keepdim)
{
    return summed("mean", t, dims, count, keepdim, true);
}

rille_tensor *rl_with_kept_dimensions(rille_tensor *g, const rl_edge *input, const bool *reduced)
{
    int64_t shape[RILLE_MAX_RANK];
    for (int d = 0; d < input->rank; d++)
        shape[d] = reduced[d] ? 1 : input->shape[d];
    return rille_reshape(g, input->rank, shape);
}

void rl_vjp_sum(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    const rl_edge *input = &node->edge[0];
    double divisor = node->attributes.reduction.divisor;
    rille_tensor *share = rl_with_kept_dimensions(g, input, node->attributes.reduction.reduced);
    if (divisor != 1)
        share = rille_div(share, rille_scalar(node->context, g->dtype, divisor));
    gradient[0] = rille_expand(share, input->rank, input->shape);
}

rille_tensor *rl_sum_to(rille_tensor *g, rille_dtype dtype, int rank, const int64_t *shape)
{
    if (g == NULL)
        return NULL;
    int dims[RILLE_MAX_RANK], count = 0;
    for (int d = 0; d < g->rank; d++) {
        int own = d - (g->rank - rank);
        if (own < 0 || (shape[own] == 1 && g->shape[d] != 1))
            dims[count++] = d;
    }
    if (count > 0)
        g = rille_sum(g, dims, count, true);
    if (g != NULL && (g->rank != rank || memcmp(g->shape, shape, (size_t)rank * sizeof shape[0]) != 0))
        g = rille_reshape(g, rank, shape);
    return g == NULL || g->dtype == dtype ? g : rille_to(g, dtype);
}
