/* softmax, log_softmax, and the cross-entropy that is fused with the latter. */
#include "ops/kernels.h"
#include "ops/ops.h"

#include "base/parallel.h"

#include <math.h>
#include <string.h>

/* ---- Along any dimension: moved to the end, done row by row, moved back ---- */

typedef void row_kernel(size_t rows, size_t n, const void *x, void *y);

typedef struct row_work {
    row_kernel *kernel;
    const char *x;
    char *y;
    size_t n, row_bytes;
} row_work;

static void do_rows(void *work, size_t begin, size_t end)
{
    const row_work *w = work;
    w->kernel(end - begin, w->n, w->x + begin * w->row_bytes, w->y + begin * w->row_bytes);
}

/* x: dense, floating, rank >= 1 -> the kernel applied to each of its rows. */
static rille_tensor *by_rows(const char *name, rille_tensor *x, row_kernel *const *kernel)
{
    rille_tensor *out = rl_new_like(x, x->dtype);
    if (out == NULL || x->numel == 0)
        return out;
    size_t n = (size_t)x->shape[x->rank - 1];
    row_work w = {kernel[x->dtype == RILLE_FLOAT64], rl_data(x), rl_data(out), n, n * rille_dtype_size(x->dtype)};
    return rl_completed(out, rl_parallel_for(x->context, name, (size_t)x->numel / n, 1 + RL_GRAIN_HEAVY / n, do_rows, &w));
}

static rille_tensor *along(const char *name, rille_tensor *x, int d, row_kernel *const *kernel)
{
    rille_context *cx = x->context;
    bool recording = rille_set_grad_enabled(cx, false);
    rille_tensor *moved = rl_move_dimension(x, d, -1);
    rille_tensor *wide = moved == NULL ? NULL : rl_as(moved, rl_floating(x->dtype));
    rille_tensor *dense = wide == NULL ? NULL : rl_dense(wide);
    rille_tensor *rows = dense == NULL ? NULL : by_rows(name, dense, kernel);
    rille_tensor *back = rl_move_dimension(rows, -1, d), *out = rille_contiguous(back);
    rille_free(back);
    rille_free(rows);
    rl_free_temporary(dense, wide);
    rl_free_temporary(wide, moved);
    rille_free(moved);
    rille_set_grad_enabled(cx, recording);
    return out;
}

rille_tensor *rille_softmax(rille_tensor *x, int dim)
{
    int d = rl_enter("softmax", RL_LIST(x)) == NULL ? -1 : rl_dimension(x, "softmax", dim);
    rille_tensor *out = d < 0 ? NULL : along("softmax", x, d, rl_op_kernels_pick()->softmax);
    rl_attributes attributes = {.range = {d, 0}};
    return rl_record(out, &rl_ops[RL_OP_softmax], RL_LIST(x), RL_LIST(out), &attributes);
}

void rl_vjp_softmax(rl_node *node, rille_tensor *g, rille_tensor **gradient) /* y (g - sum g y) */
{
    rille_tensor *y = rl_saved(node, 0);
    rille_tensor *weighted = rille_sum(rille_mul(g, y), &node->attributes.range.dim, 1, true);
    gradient[0] = rille_mul(y, rille_sub(g, weighted));
}

rille_tensor *rille_log_softmax(rille_tensor *x, int dim)
{
    int d = rl_enter("log_softmax", RL_LIST(x)) == NULL ? -1 : rl_dimension(x, "log_softmax", dim);
    rille_tensor *out = d < 0 ? NULL : along("log_softmax", x, d, rl_op_kernels_pick()->log_softmax);
    rl_attributes attributes = {.range = {d, 0}};
    return rl_record(out, &rl_ops[RL_OP_log_softmax], RL_LIST(x), RL_LIST(x), &attributes);
}

void rl_vjp_log_softmax(rl_node *node, rille_tensor *g, rille_tensor **gradient) /* g - softmax(x) sum g */
{
    int dim = node->attributes.range.dim;
    rille_tensor *total = rille_sum(g, &dim, 1, true);
    gradient[0] = rille_sub(g, rille_mul(rille_softmax(rl_saved(node, 0), dim), total));
}

/* ---- cross-entropy ---- */

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

static double element(const rille_tensor *t, int64_t i)
{
    return t->dtype == RILLE_FLOAT32 ? (double)((const float *)rl_data(t))[i] : ((const double *)rl_data(t))[i];
}

rille_tensor *rille_cross_entropy(rille_tensor *logits, rille_tensor *labels)
{
    rille_context *cx = rl_enter("cross_entropy", RL_LIST(logits, labels));
    rille_tensor *label = cx == NULL ? NULL : checked_labels(logits, labels);
    rille_tensor *log_probability = label == NULL ? NULL : along("cross_entropy", logits, 1, rl_op_kernels_pick()->log_softmax);
    rille_tensor *out = log_probability == NULL ? NULL : rl_new(cx, "cross_entropy", logits->dtype, 0, NULL);
    if (out != NULL) {
        double total = 0;
        int64_t n = logits->shape[0], classes = logits->shape[1];
        for (int64_t i = 0; i < n; i++)
            total -= element(log_probability, i * classes + ((int64_t *)rl_data(label))[i] - cx->options.index_base);
        if (out->dtype == RILLE_FLOAT32)
            *(float *)rl_data(out) = (float)(total / (double)n);
        else
            *(double *)rl_data(out) = total / (double)n;
        out = rl_record(out, &rl_ops[RL_OP_cross_entropy], RL_LIST(logits), RL_LIST(logits, label), NULL);
    }
    rille_free(log_probability);
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

void rl_vjp_cross_entropy(rl_node *node, rille_tensor *g, rille_tensor **gradient) /* g (softmax - one_hot) / n */
{
    rille_tensor *logits = rl_saved(node, 0), *labels = rl_saved(node, 1);
    if (logits == NULL || labels == NULL)
        return;
    rille_tensor *n = rille_scalar(node->context, logits->dtype, (double)logits->shape[0]);
    rille_tensor *excess = rille_sub(rille_softmax(logits, 1), one_hot(labels, logits->shape[1], logits->dtype));
    gradient[0] = rille_mul(excess, rille_div(g, n));
}
