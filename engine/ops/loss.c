/* The cross-entropy of class labels, fused with log_softmax. */
#include "activations/softmax_kernels.h"
#include "ops/ops.h"

#include "base/memory.h"
#include "base/parallel.h"

/* labels as dense int64, each within the classes; NULL, with a message, where not. */
static rille_tensor *checked_labels(rille_tensor *logits, rille_tensor *labels)
{
    rille_context *cx = logits->context;
    int64_t base = cx->options.index_base;
    if (logits->rank != 2 || labels->rank != 1 || labels->shape[0] != logits->shape[0]) {
        rl_fail(cx, RILLE_ERROR_SHAPE, "cross_entropy: logits are %s, labels are %s; [n, classes] and [n] expected",
                RL_SHAPE(logits), RL_SHAPE(labels));
        return NULL;
    }
    if (!rl_is_floating(logits->dtype) || rl_is_floating(labels->dtype) || labels->dtype == RILLE_BOOL) {
        rl_fail(cx, RILLE_ERROR_DTYPE, "cross_entropy: logits are %s, labels are %s; floating and int64 expected",
                rille_dtype_name(logits->dtype), rille_dtype_name(labels->dtype));
        return NULL;
    }
    rille_tensor *wide = rl_as(labels, RILLE_INT64), *dense = wide == NULL ? NULL : rl_dense(wide);
    if (dense != wide)
        rl_free_temporary(wide, labels);
    for (int64_t i = 0; dense != NULL && i < dense->numel; i++) {
        int64_t label = ((const int64_t *)rl_data(dense))[i];
        if (label < base || label - base >= logits->shape[1]) {
            rl_fail(cx, RILLE_ERROR_INDEX, "cross_entropy: label %lld at position %lld; labels start at %lld and end at %lld",
                    (long long)label, (long long)(i + base), (long long)base, (long long)(logits->shape[1] - 1 + base));
            rl_free_temporary(dense, labels);
            return NULL;
        }
    }
    return dense;
}

typedef struct entropy_work {
    rille_dtype dtype;
    size_t classes;
    const char *logits;
    const int64_t *label;
    int64_t base;
    double *loss; /* forward: of each row */
    double scale; /* backward: of the gradient */
    char *gradient;
} entropy_work;

static void lose_rows(void *work, size_t begin, size_t end)
{
    const entropy_work *w = work;
    size_t at = begin * w->classes * rille_dtype_size(w->dtype);
    rl_softmax_kernels_pick()->cross_entropy[w->dtype](end - begin, w->classes, w->logits + at, w->label + begin, w->base,
                                                       w->loss + begin);
}

static void differentiate_rows(void *work, size_t begin, size_t end)
{
    const entropy_work *w = work;
    size_t at = begin * w->classes * rille_dtype_size(w->dtype);
    rl_softmax_kernels_pick()->cross_entropy_vjp[w->dtype](end - begin, w->classes, w->logits + at, w->label + begin, w->base,
                                                           w->scale, w->gradient + at);
}

static rille_status for_rows(rille_tensor *logits, rl_body *body, entropy_work *w)
{
    return rl_parallel_for(logits->context, "cross_entropy", (size_t)logits->shape[0], 1 + RL_GRAIN_HEAVY / w->classes, body,
                           w);
}

/* logits and labels dense. */
static entropy_work work_on(const rille_tensor *logits, const rille_tensor *labels)
{
    return (entropy_work){.dtype = logits->dtype,
                          .classes = (size_t)logits->shape[1],
                          .logits = rl_data(logits),
                          .label = (const int64_t *)rl_data(labels),
                          .base = logits->context->options.index_base};
}

/* The mean of the rows' losses, summed in their order. */
static rille_tensor *mean_loss(rille_tensor *logits, rille_tensor *labels)
{
    rille_context *cx = logits->context;
    size_t rows = (size_t)logits->shape[0];
    entropy_work w = work_on(logits, labels);
    w.loss = rl_allocate(cx, rows * sizeof(double));
    if (w.loss == NULL)
        return NULL;
    rille_status status = w.classes > 0 ? for_rows(logits, lose_rows, &w) : RILLE_OK;
    double total = 0;
    for (size_t i = 0; i < rows && status == RILLE_OK; i++)
        total += w.loss[i];
    rl_release(cx, w.loss, rows * sizeof(double));
    return status == RILLE_OK ? rille_scalar(cx, logits->dtype, total / (double)rows) : NULL;
}

rille_tensor *rille_cross_entropy(rille_tensor *logits, rille_tensor *labels)
{
    rille_context *cx = rl_enter("cross_entropy", RL_LIST(logits, labels));
    rille_tensor *label = cx == NULL ? NULL : checked_labels(logits, labels);
    rille_tensor *dense = label == NULL ? NULL : rl_dense(logits);
    rille_tensor *out = dense == NULL ? NULL : mean_loss(dense, label);
    out = rl_record(out, &rl_ops[RL_OP_cross_entropy], RL_LIST(logits), RL_LIST(logits, label), NULL);
    if (dense != NULL)
        rl_free_temporary(dense, logits);
    if (label != NULL)
        rl_free_temporary(label, labels);
    return out;
}

/* [n, classes] of zeros with a one at each label. */
static rille_tensor *one_hot(rille_tensor *labels, int64_t classes, rille_dtype dtype)
{
    rille_context *cx = labels->context;
    rille_tensor *out = rille_zeros(cx, dtype, 2, (int64_t[]){labels->numel, classes});
    for (int64_t i = 0; out != NULL && i < labels->numel; i++) {
        int64_t at = i * classes + ((const int64_t *)rl_data(labels))[i] - cx->options.index_base;
        if (dtype == RILLE_FLOAT32)
            ((float *)rl_data(out))[at] = 1;
        else
            ((double *)rl_data(out))[at] = 1;
    }
    return out;
}

/* g (softmax - one_hot) / n, by operations that can be differentiated again. */
static rille_tensor *composed_gradient(rille_tensor *g, rille_tensor *logits, rille_tensor *labels)
{
    rille_tensor *n = rille_scalar(logits->context, logits->dtype, (double)logits->shape[0]);
    rille_tensor *excess = rille_sub(rille_softmax(logits, 1), one_hot(labels, logits->shape[1], logits->dtype));
    return rille_mul(excess, rille_div(g, n));
}

static rille_tensor *fused_gradient(rille_tensor *g, rille_tensor *logits, rille_tensor *labels)
{
    rille_tensor *dense = rl_dense(logits), *out = dense == NULL ? NULL : rl_new_like(logits, logits->dtype);
    if (out == NULL || out->numel == 0)
        return out;
    entropy_work w = work_on(dense, labels);
    w.scale = rille_item(g) / (double)logits->shape[0];
    w.gradient = rl_data(out);
    return rl_completed(out, for_rows(dense, differentiate_rows, &w));
}

void rl_vjp_cross_entropy(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    rille_tensor *logits = rl_saved(node, 0), *labels = rl_saved(node, 1);
    if (logits == NULL || labels == NULL)
        return;
    gradient[0] = node->context->grad_enabled ? composed_gradient(g, logits, labels) : fused_gradient(g, logits, labels);
}
