/* softmax and its kin along any dimension: moved to the end, done row by row, moved back. */
#include "activations/softmax_kernels.h"
#include "activations/sparsemax_kernels.h"
#include "ops/ops.h"

#include "base/parallel.h"

typedef void map_kernel(size_t rows, size_t n, const void *x, void *y);
typedef void vjp_kernel(size_t rows, size_t n, const void *saved, const void *g, void *dx);

typedef struct row_work {
    map_kernel *map; /* this, or */
    vjp_kernel *vjp; /* this */
    const char *x, *g;
    char *y;
    size_t n, row_bytes;
} row_work;

static void do_rows(void *work, size_t begin, size_t end)
{
    const row_work *w = work;
    size_t at = begin * w->row_bytes;
    if (w->map != NULL)
        w->map(end - begin, w->n, w->x + at, w->y + at);
    else
        w->vjp(end - begin, w->n, w->x + at, w->g + at, w->y + at);
}

/* t with dimension d last, dense and of the dtype: a new handle. Not recorded. */
static rille_tensor *as_rows(rille_tensor *t, int d, rille_dtype dtype)
{
    rille_tensor *moved = rl_move_dimension(t, d, -1);
    rille_tensor *typed = moved == NULL ? NULL : rl_as(moved, dtype);
    rille_tensor *dense = typed == NULL ? NULL : rl_dense(typed);
    if (dense != typed)
        rl_free_temporary(typed, moved);
    if (dense != moved)
        rille_free(moved);
    return dense;
}

/* map(x), or vjp(x, g) where g is given, along d. Not recorded. */
static rille_tensor *along(const char *name, rille_tensor *x, rille_tensor *g, int d, map_kernel *const *map,
                           vjp_kernel *const *vjp)
{
    rille_context *cx = x->context;
    rille_dtype dtype = rl_floating(x->dtype);
    bool recording = rille_set_grad_enabled(cx, false);
    rille_tensor *rows = as_rows(x, d, dtype), *seed = g == NULL ? NULL : as_rows(g, d, dtype);
    bool ready = rows != NULL && (g == NULL || seed != NULL);
    rille_tensor *result = ready ? rl_new_like(rows, dtype) : NULL;
    if (result != NULL && result->numel > 0) {
        size_t n = (size_t)rows->shape[rows->rank - 1];
        int kernel = dtype == RILLE_FLOAT64;
        row_work w = {map == NULL ? NULL : map[kernel],
                      vjp == NULL ? NULL : vjp[kernel],
                      rl_data(rows),
                      seed == NULL ? NULL : rl_data(seed),
                      rl_data(result),
                      n,
                      n * rille_dtype_size(dtype)};
        const size_t least = 1 + RL_GRAIN_HEAVY / n, together = RL_SOFTMAX_TOGETHER;
        const size_t grain = least < together ? least : least / together * together;
        result = rl_completed(result, rl_parallel_for(cx, name, (size_t)result->numel / n, grain, do_rows, &w));
    }
    rille_tensor *back = rl_move_dimension(result, -1, d), *out = rille_contiguous(back);
    rille_free(back);
    rille_free(result);
    rille_free(seed);
    rille_free(rows);
    rille_set_grad_enabled(cx, recording);
    return out;
}

typedef enum saves { SAVES_X, SAVES_RESULT } saves;

/* map(x) along dim, recorded with what its vector-Jacobian product asks for. */
static rille_tensor *normalised(enum rl_op_id op, rille_tensor *x, int dim, map_kernel *const *map, saves what)
{
    const char *name = rl_ops[op].name;
    const int d = rl_enter(name, RL_LIST(x)) == NULL ? -1 : rl_dimension(x, name, dim);
    rille_tensor *out = d < 0 ? NULL : along(name, x, NULL, d, map, NULL);
    const rl_attributes attributes = {.range = {.dim = d}};
    return rl_record(out, &rl_ops[op], RL_LIST(x), what == SAVES_X ? RL_LIST(x) : RL_LIST(out), &attributes);
}

rille_tensor *rille_softmax(rille_tensor *x, int dim)
{
    return normalised(RL_OP_softmax, x, dim, rl_softmax_kernels_pick()->softmax, SAVES_RESULT);
}

void rl_vjp_softmax(rl_node *node, rille_tensor *g, rille_tensor **gradient) /* y (g - sum g y) */
{
    rille_tensor *y = rl_saved(node, 0);
    int dim = node->attributes.range.dim;
    if (y == NULL)
        return;
    if (node->context->grad_enabled) /* by operations that can be differentiated again */
        gradient[0] = rille_mul(y, rille_sub(g, rille_sum(rille_mul(g, y), &dim, 1, true)));
    else
        gradient[0] = along("softmax", y, g, dim, NULL, rl_softmax_kernels_pick()->softmax_vjp);
}

rille_tensor *rille_log_softmax(rille_tensor *x, int dim)
{
    return normalised(RL_OP_log_softmax, x, dim, rl_softmax_kernels_pick()->log_softmax, SAVES_X);
}

void rl_vjp_log_softmax(rl_node *node, rille_tensor *g, rille_tensor **gradient) /* g - softmax(x) sum g */
{
    rille_tensor *x = rl_saved(node, 0);
    int dim = node->attributes.range.dim;
    if (x == NULL)
        return;
    if (node->context->grad_enabled)
        gradient[0] = rille_sub(g, rille_mul(rille_softmax(x, dim), rille_sum(g, &dim, 1, true)));
    else
        gradient[0] = along("log_softmax", x, g, dim, NULL, rl_softmax_kernels_pick()->log_softmax_vjp);
}

rille_tensor *rille_softmin(rille_tensor *x, int dim) /* softmax(-x) */
{
    int d = rl_enter("softmin", RL_LIST(x)) == NULL ? -1 : rl_dimension(x, "softmin", dim);
    if (d < 0)
        return NULL;
    rille_tensor *floating = rl_is_floating(x->dtype) ? x : rille_to(x, RILLE_FLOAT32);
    rille_tensor *negative = rille_neg(floating), *out = rille_softmax(negative, d);
    rille_free(negative);
    rl_free_temporary(floating, x);
    return out;
}

rille_tensor *rille_sparsemax(rille_tensor *x, int dim)
{
    return normalised(RL_OP_sparsemax, x, dim, rl_sparsemax_kernels_pick()->sparsemax, SAVES_RESULT);
}

/* g - mean g over the support, by operations that can be differentiated again. y is constant in it: the support does not move,
 * but at kinks. What y - y adds is 0, or NaN where y is. */
static rille_tensor *sparsemax_gradient_composed(rille_tensor *g, rille_tensor *y, int dim)
{
    rille_tensor *fixed = rille_detach(y), *zero = rille_sub(fixed, fixed);
    rille_tensor *support = rille_to(rille_less(zero, fixed), y->dtype);
    rille_tensor *mean = rille_div(rille_sum(rille_mul(support, g), &dim, 1, true), rille_sum(support, &dim, 1, true));
    return rille_add(rille_mul(support, rille_sub(g, mean)), zero);
}

void rl_vjp_sparsemax(rl_node *node, rille_tensor *g, rille_tensor **gradient) /* g - mean g over the support, 0 elsewhere */
{
    rille_tensor *y = rl_saved(node, 0);
    int dim = node->attributes.range.dim;
    if (y == NULL)
        return;
    if (node->context->grad_enabled)
        gradient[0] = sparsemax_gradient_composed(g, y, dim);
    else
        gradient[0] = along("sparsemax", y, g, dim, NULL, rl_sparsemax_kernels_pick()->sparsemax_vjp);
}

rille_tensor *rille_hardmax(rille_tensor *x, int dim)
{
    int d = rl_enter("hardmax", RL_LIST(x)) == NULL ? -1 : rl_dimension(x, "hardmax", dim);
    rille_tensor *out = d < 0 ? NULL : along("hardmax", x, NULL, d, rl_sparsemax_kernels_pick()->hardmax, NULL);
    return rl_record(out, &rl_ops[RL_OP_hardmax], RL_LIST(x), RL_NONE, NULL);
}

void rl_vjp_hardmax(rl_node *node, rille_tensor *g, rille_tensor **gradient) /* 0 */
{
    (void)node;
    gradient[0] = rille_zeros(g->context, g->dtype, g->rank, g->shape);
}
