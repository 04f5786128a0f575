/* Losses of class labels: the cross-entropy, fused with log_softmax, and the negative log-likelihood. */
#include "activations/softmax_kernels.h"
#include "ops/losses.h"

#include "base/memory.h"
#include "base/parallel.h"

#include <math.h>

/* ---- Labels, weights, options ---- */

static bool is_ignored(const rl_attributes *a, int64_t label)
{
    return a->labels.ignores && label == a->labels.ignored;
}

/* labels as dense int64, each within the classes or ignored; NULL, with a message, where not. */
static rille_tensor *checked_labels(const char *name, rille_tensor *x, rille_tensor *labels, const rl_attributes *a)
{
    rille_context *cx = x->context;
    int64_t base = cx->options.index_base;
    const bool logits = name == rl_ops[RL_OP_cross_entropy].name;
    if (x->rank != 2 || labels->rank != 1 || labels->shape[0] != x->shape[0]) {
        rl_fail(cx, RILLE_ERROR_SHAPE, "%s: %s are %s, labels are %s; [n, classes] and [n] expected", name,
                logits ? "logits" : "log-probabilities", RL_SHAPE(x), RL_SHAPE(labels));
        return NULL;
    }
    if (!rl_is_floating(x->dtype) || rl_is_floating(labels->dtype) || labels->dtype == RILLE_BOOL) {
        rl_fail(cx, RILLE_ERROR_DTYPE, "%s: %s are %s, labels are %s; floating and int64 expected", name,
                logits ? "logits" : "log-probabilities", rille_dtype_name(x->dtype), rille_dtype_name(labels->dtype));
        return NULL;
    }
    rille_tensor *wide = rl_as(labels, RILLE_INT64), *dense = wide == NULL ? NULL : rl_dense(wide);
    if (dense != wide)
        rl_free_temporary(wide, labels);
    for (int64_t i = 0; dense != NULL && i < dense->numel; i++) {
        int64_t label = ((const int64_t *)rl_data(dense))[i];
        if (!is_ignored(a, label) && (label < base || label - base >= x->shape[1])) {
            rl_fail(cx, RILLE_ERROR_INDEX, "%s: label %lld at position %lld; labels start at %lld and end at %lld", name,
                    (long long)label, (long long)(i + base), (long long)base, (long long)(x->shape[1] - 1 + base));
            rl_free_temporary(dense, labels);
            return NULL;
        }
    }
    return dense;
}

/* The classes' weights as dense float64; ones where none are given. The caller frees it. */
static rille_tensor *checked_weight(const char *name, rille_tensor *x, rille_tensor *weight)
{
    rille_context *cx = x->context;
    if (weight == NULL)
        return rille_full(cx, RILLE_FLOAT64, 1, &x->shape[1], 1);
    if (rl_enter(name, RL_LIST(x, weight)) == NULL)
        return NULL;
    if (weight->rank != 1 || weight->shape[0] != x->shape[1]) {
        rl_fail(cx, RILLE_ERROR_SHAPE, "%s: weight is %s; [%lld] expected, one for each class", name, RL_SHAPE(weight),
                (long long)x->shape[1]);
        return NULL;
    }
    rille_tensor *wide = rl_as(weight, RILLE_FLOAT64), *dense = wide == NULL ? NULL : rl_dense(wide);
    if (dense != wide)
        rl_free_temporary(wide, weight);
    if (dense != weight || dense == NULL)
        return dense;
    return rl_view(weight);
}

static bool read_options(rille_context *cx, const char *name, const rille_label_options *options, rl_attributes *a)
{
    const double smoothing = options->label_smoothing;
    *a = (rl_attributes){.labels = {.smoothing = smoothing,
                                    .ignores = options->ignores,
                                    .ignored = options->ignore_index,
                                    .reduction = options->reduction}};
    if (smoothing >= 0 && smoothing < 1)
        return rl_is_reduction(cx, name, options->reduction, false);
    rl_fail(cx, RILLE_ERROR_ARGUMENT, "%s: label_smoothing is %g; 0 or more and less than 1 expected", name,
            isnan(smoothing) ? fabs(smoothing) : smoothing); /* a NaN prints its sign bit */
    return false;
}

/* What the row's label weighs: 0 where it is ignored. */
static double weight_of(const rl_attributes *a, rille_tensor *labels, rille_tensor *weight, int64_t row)
{
    const int64_t label = ((const int64_t *)rl_data(labels))[row];
    const int64_t base = labels->context->options.index_base;
    return is_ignored(a, label) ? 0 : ((const double *)rl_data(weight))[label - base];
}

/* By what the sum over rows is divided. */
static double divisor_of(const rl_attributes *a, rille_tensor *labels, rille_tensor *weight)
{
    double total = 0;
    if (a->labels.reduction != RILLE_REDUCE_MEAN)
        return 1;
    for (int64_t i = 0; i < labels->numel; i++)
        total += weight_of(a, labels, weight, i);
    return total;
}

/* ---- cross_entropy ---- */

typedef struct entropy_work {
    rille_dtype dtype;
    size_t classes;
    const char *logits;
    const int64_t *label;
    rl_label_terms terms;
    double *loss;        /* forward: of each row */
    const double *scale; /* backward: of each row's gradient */
    char *gradient;
} entropy_work;

static void lose_rows(void *work, size_t begin, size_t end)
{
    const entropy_work *w = work;
    size_t at = begin * w->classes * rille_dtype_size(w->dtype);
    rl_softmax_kernels_pick()->cross_entropy[w->dtype](end - begin, w->classes, w->logits + at, w->label + begin, &w->terms,
                                                       w->loss + begin);
}

static void differentiate_rows(void *work, size_t begin, size_t end)
{
    const entropy_work *w = work;
    size_t at = begin * w->classes * rille_dtype_size(w->dtype);
    rl_softmax_kernels_pick()->cross_entropy_vjp[w->dtype](end - begin, w->classes, w->logits + at, w->label + begin, &w->terms,
                                                           w->scale + begin, w->gradient + at);
}

static rille_status for_rows(rille_tensor *logits, rl_body *body, entropy_work *w)
{
    return rl_parallel_for(logits->context, "cross_entropy", (size_t)logits->shape[0], 1 + RL_GRAIN_HEAVY / w->classes, body,
                           w);
}

/* All dense. */
static entropy_work work_on(rille_tensor *logits, rille_tensor *labels, rille_tensor *weight, const rl_attributes *a)
{
    entropy_work w = {.dtype = logits->dtype,
                      .classes = (size_t)logits->shape[1],
                      .logits = rl_data(logits),
                      .label = (const int64_t *)rl_data(labels),
                      .terms = {.base = logits->context->options.index_base,
                                .ignores = a->labels.ignores,
                                .ignored = a->labels.ignored,
                                .weight = (const double *)rl_data(weight),
                                .smoothing = a->labels.smoothing}};
    for (size_t k = 0; k < w.classes; k++)
        w.terms.total += w.terms.weight[k];
    return w;
}

static rille_tensor *from_rows(rille_tensor *logits, const double *loss) /* [n] */
{
    rille_tensor *out = rl_new(logits->context, "cross_entropy", logits->dtype, 1, logits->shape);
    for (int64_t i = 0; out != NULL && i < out->numel; i++)
        if (out->dtype == RILLE_FLOAT32)
            ((float *)rl_data(out))[i] = (float)loss[i];
        else
            ((double *)rl_data(out))[i] = loss[i];
    return out;
}

/* The rows' losses, or their sum, in their order, over the divisor. */
static rille_tensor *entropy(rille_tensor *logits, rille_tensor *labels, rille_tensor *weight, const rl_attributes *a)
{
    rille_context *cx = logits->context;
    size_t rows = (size_t)logits->shape[0];
    entropy_work w = work_on(logits, labels, weight, a);
    w.loss = rl_allocate_zeroed(cx, rows * sizeof(double));
    if (w.loss == NULL)
        return NULL;
    rille_status status = w.classes > 0 ? for_rows(logits, lose_rows, &w) : RILLE_OK;
    rille_tensor *out = NULL;
    if (status == RILLE_OK && a->labels.reduction == RILLE_REDUCE_NONE) {
        out = from_rows(logits, w.loss);
    } else if (status == RILLE_OK) {
        double total = 0;
        for (size_t i = 0; i < rows; i++)
            total += w.loss[i];
        out = rille_scalar(cx, logits->dtype, total / divisor_of(a, labels, weight));
    }
    rl_release(cx, w.loss, rows * sizeof(double));
    return out;
}

rille_tensor *rille_cross_entropy_with(rille_tensor *logits, rille_tensor *labels, const rille_label_options *options)
{
    static const rille_label_options defaults;
    rl_attributes a;
    const char *name = rl_ops[RL_OP_cross_entropy].name;
    options = options == NULL ? &defaults : options;
    rille_context *cx = rl_enter(name, RL_LIST(logits, labels));
    rille_tensor *label = cx != NULL && read_options(cx, name, options, &a) ? checked_labels(name, logits, labels, &a) : NULL;
    rille_tensor *weight = label == NULL ? NULL : checked_weight(name, logits, options->weight);
    rille_tensor *dense = weight == NULL ? NULL : rl_dense(logits);
    rille_tensor *out = dense == NULL ? NULL : entropy(dense, label, weight, &a);
    out = rl_record(out, &rl_ops[RL_OP_cross_entropy], RL_LIST(logits), RL_LIST(logits, label, weight), &a);
    if (dense != NULL)
        rl_free_temporary(dense, logits);
    rille_free(weight);
    if (label != NULL)
        rl_free_temporary(label, labels);
    return out;
}

rille_tensor *rille_cross_entropy(rille_tensor *logits, rille_tensor *labels)
{
    return rille_cross_entropy_with(logits, labels, NULL);
}

/* [n, classes], what the probabilities times [n, 1], the rows' sums, are to be: zeros where a row is ignored. */
static bool make_targets(rille_tensor *logits, rille_tensor *labels, rille_tensor *weight, const rl_attributes *a,
                         rille_tensor **targets, rille_tensor **sums)
{
    const int64_t n = logits->shape[0], classes = logits->shape[1];
    rille_tensor *q = rille_zeros(logits->context, RILLE_FLOAT64, 2, (int64_t[]){n, classes});
    rille_tensor *sum = rille_zeros(logits->context, RILLE_FLOAT64, 2, (int64_t[]){n, 1});
    for (int64_t i = 0; q != NULL && sum != NULL && i < n; i++) {
        const int64_t label = ((const int64_t *)rl_data(labels))[i];
        double *row = (double *)rl_data(q) + i * classes;
        if (is_ignored(a, label))
            continue;
        for (int64_t k = 0; k < classes; k++)
            row[k] = a->labels.smoothing / (double)classes * ((const double *)rl_data(weight))[k];
        row[label - logits->context->options.index_base] += (1 - a->labels.smoothing) * weight_of(a, labels, weight, i);
        for (int64_t k = 0; k < classes; k++)
            ((double *)rl_data(sum))[i] += row[k];
    }
    *targets = rille_to(q, logits->dtype);
    *sums = rille_to(sum, logits->dtype);
    return *targets != NULL && *sums != NULL;
}

static rille_tensor *by_rows(rille_tensor *g, const rl_attributes *a) /* [n] -> [n, 1]; a scalar as it is */
{
    return a->labels.reduction == RILLE_REDUCE_NONE ? rille_reshape(g, 2, (int64_t[]){g->shape[0], 1}) : g;
}

/* g (softmax sum - targets) / divisor, by operations that can be differentiated again. */
static rille_tensor *composed_gradient(rille_tensor *g, rille_tensor *logits, rille_tensor *labels, rille_tensor *weight,
                                       const rl_attributes *a)
{
    rille_context *cx = logits->context;
    rille_tensor *targets, *sums;
    if (!make_targets(logits, labels, weight, a, &targets, &sums))
        return NULL;
    rille_tensor *divisor = rille_scalar(cx, logits->dtype, divisor_of(a, labels, weight));
    rille_tensor *excess = rille_sub(rille_mul(rille_softmax(logits, 1), sums), targets);
    return rille_where(sums, rille_mul(excess, rille_div(by_rows(g, a), divisor)), rille_scalar(cx, logits->dtype, 0));
}

static rille_tensor *fused_gradient(rille_tensor *g, rille_tensor *logits, rille_tensor *labels, rille_tensor *weight,
                                    const rl_attributes *a)
{
    rille_tensor *dense = rl_dense(logits), *out = dense == NULL ? NULL : rl_new_like(logits, logits->dtype);
    if (out == NULL || out->numel == 0)
        return out;
    rille_tensor *divisor = rille_scalar(logits->context, RILLE_FLOAT64, divisor_of(a, labels, weight));
    rille_tensor *scale = rille_div(rille_reshape(rille_to(g, RILLE_FLOAT64), 1, (int64_t[]){-1}), divisor);
    scale = rille_contiguous(rille_expand(scale, 1, logits->shape));
    if (scale == NULL)
        return NULL;
    entropy_work w = work_on(dense, labels, weight, a);
    w.scale = (const double *)rl_data(scale);
    w.gradient = rl_data(out);
    return rl_completed(out, for_rows(dense, differentiate_rows, &w));
}

void rl_vjp_cross_entropy(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    rille_tensor *logits = rl_saved(node, 0), *labels = rl_saved(node, 1), *weight = rl_saved(node, 2);
    const rl_attributes *a = &node->attributes;
    if (logits == NULL || labels == NULL || weight == NULL)
        return;
    gradient[0] = node->context->grad_enabled ? composed_gradient(g, logits, labels, weight, a)
                                              : fused_gradient(g, logits, labels, weight, a);
}

/* ---- nll_loss ---- */

/* Where in the flattened x each row's label stands, [n], counted as indices are, and minus what it weighs. */
static bool make_picks(rille_tensor *x, rille_tensor *labels, rille_tensor *weight, const rl_attributes *a, rille_tensor **at,
                       rille_tensor **minus)
{
    const int64_t base = x->context->options.index_base;
    *at = rl_new(x->context, "nll_loss", RILLE_INT64, 1, x->shape);
    *minus = rl_new(x->context, "nll_loss", x->dtype, 1, x->shape);
    if (*at == NULL || *minus == NULL)
        return false;
    for (int64_t i = 0; i < labels->numel; i++) {
        const int64_t label = ((const int64_t *)rl_data(labels))[i];
        const double factor = -weight_of(a, labels, weight, i);
        ((int64_t *)rl_data(*at))[i] = i * x->shape[1] + (is_ignored(a, label) ? base : label);
        if (x->dtype == RILLE_FLOAT32)
            ((float *)rl_data(*minus))[i] = (float)factor;
        else
            ((double *)rl_data(*minus))[i] = factor;
    }
    return true;
}

/* -w[label] x[label] of each row; 0 where w is, whatever x. */
static rille_tensor *picked(rille_tensor *x, rille_tensor *labels, rille_tensor *weight, const rl_attributes *a)
{
    rille_tensor *at, *minus, *out = NULL;
    if (make_picks(x, labels, weight, a, &at, &minus)) {
        rille_tensor *flat = rille_reshape(x, 1, (int64_t[]){-1}), *own = rille_index_select(flat, 0, at);
        rille_tensor *product = rille_mul(own, minus), *zero = rille_scalar(x->context, x->dtype, 0);
        out = rille_where(minus, product, zero);
        rille_free(zero);
        rille_free(product);
        rille_free(own);
        rille_free(flat);
    }
    rille_free(minus);
    rille_free(at);
    return out;
}

rille_tensor *rille_nll_loss(rille_tensor *log_probabilities, rille_tensor *labels, const rille_label_options *options)
{
    static const rille_label_options defaults;
    rl_attributes a;
    options = options == NULL ? &defaults : options;
    rille_context *cx = rl_enter("nll_loss", RL_LIST(log_probabilities, labels));
    if (cx == NULL || !read_options(cx, "nll_loss", options, &a))
        return NULL;
    if (options->label_smoothing != 0) {
        rl_fail(cx, RILLE_ERROR_ARGUMENT, "nll_loss: label_smoothing is %g; only cross_entropy smooths labels",
                options->label_smoothing);
        return NULL;
    }
    rille_tensor *label = checked_labels("nll_loss", log_probabilities, labels, &a);
    rille_tensor *weight = label == NULL ? NULL : checked_weight("nll_loss", log_probabilities, options->weight);
    rille_tensor *each = weight == NULL ? NULL : picked(log_probabilities, label, weight, &a);
    rille_tensor *out = each == NULL ? NULL : rl_reduced_loss(each, options->reduction, divisor_of(&a, label, weight));
    rille_free(weight);
    if (label != NULL)
        rl_free_temporary(label, labels);
    return out;
}
