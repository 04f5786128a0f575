/* cumsum, cumprod and the linear recurrence that the gradient of a running product is: a division would do for it too, but not
 * where there are zeros. States are kept in float64 and rounded as they are put down. */
#include "ops/scan.h"

#include "base/parallel.h"

#include <string.h>

enum { COLUMNS = 256 }; /* that run side by side */

typedef struct scan_work { /* dense [outer, n, inner] */
    const char *x, *b;     /* the same where the scan has but one tensor */
    char *out;
    size_t n, inner, blocks; /* blocks of columns in `inner` */
    bool reverse, own;
} scan_work;

/* The state of each column: `first`, then `next`, of the state s, of b, and of x, the column's own or the one before. */
#define DEFINE_SCAN(name, T, A, first, next)                                                                                   \
    static void name##_##T(void *work, size_t begin, size_t end)                                                               \
    {                                                                                                                          \
        const scan_work *w = work;                                                                                             \
        const ptrdiff_t step = w->reverse ? -(ptrdiff_t)w->inner : (ptrdiff_t)w->inner, shift = w->own ? 0 : -step;            \
        for (size_t item = begin; item < end; item++) {                                                                        \
            const size_t column = item % w->blocks * COLUMNS, left = w->inner - column;                                        \
            const size_t columns = left < COLUMNS ? left : COLUMNS;                                                            \
            const size_t start = item / w->blocks * w->n + (w->reverse ? w->n - 1 : 0);                                        \
            const ptrdiff_t at = (ptrdiff_t)(start * w->inner + column);                                                       \
            const T *x = (const T *)w->x + at, *b = (const T *)w->b + at;                                                      \
            T *out = (T *)w->out + at;                                                                                         \
            if (columns == 1) {                                                                                                \
                const size_t j = 0;                                                                                            \
                A s = (first);                                                                                                 \
                out[0] = (T)s;                                                                                                 \
                x += shift;                                                                                                    \
                for (size_t k = 1; k < w->n; k++) {                                                                            \
                    x += step, b += step, out += step;                                                                         \
                    s = (next);                                                                                                \
                    out[0] = (T)s;                                                                                             \
                }                                                                                                              \
                continue;                                                                                                      \
            }                                                                                                                  \
            A state[COLUMNS];                                                                                                  \
            for (size_t j = 0; j < columns; j++) {                                                                             \
                state[j] = (first);                                                                                            \
                out[j] = (T)state[j];                                                                                          \
            }                                                                                                                  \
            x += shift;                                                                                                        \
            for (size_t k = 1; k < w->n; k++) {                                                                                \
                x += step, b += step, out += step;                                                                             \
                for (size_t j = 0; j < columns; j++) {                                                                         \
                    const A s = state[j];                                                                                      \
                    state[j] = (next);                                                                                         \
                    out[j] = (T)state[j];                                                                                      \
                }                                                                                                              \
            }                                                                                                                  \
            (void)x;                                                                                                           \
            (void)b;                                                                                                           \
        }                                                                                                                      \
    }
#define DEFINE_SCANS(T, A)                                                                                                     \
    DEFINE_SCAN(sums, T, A, (A)b[j], s + (A)b[j])                                                                              \
    DEFINE_SCAN(products, T, A, w->own ? (A)x[j] : 1, s *(A)x[j])
DEFINE_SCANS(float, double)
DEFINE_SCANS(double, double)
DEFINE_SCANS(int64_t, uint64_t)
DEFINE_SCAN(recurrences, float, double, (double)b[j], s *(double)x[j] + (double)b[j])
DEFINE_SCAN(recurrences, double, double, (double)b[j], s *(double)x[j] + (double)b[j])

typedef struct scan_kernels {
    rl_body *of_float32, *of_float64, *of_int64;
} scan_kernels;
static const scan_kernels sums = {sums_float, sums_double, sums_int64_t};
static const scan_kernels products = {products_float, products_double, products_int64_t};
static const scan_kernels recurrences = {recurrences_float, recurrences_double, NULL};

/* Of t, and of x where the scan multiplies by another tensor, of t's shape; else NULL. Not recorded. */
static rille_tensor *scanned(const char *operation, const scan_kernels *kernels, rille_tensor *t, rille_tensor *x, int d,
                             bool reverse, bool own)
{
    const rille_dtype dtype = rl_promote(t->dtype, RILLE_INT64);
    rille_tensor *typed = rl_as(t, dtype), *dense = typed == NULL ? NULL : rl_dense(typed);
    rille_tensor *typed_x = x == NULL ? NULL : rl_as(x, dtype), *dense_x = typed_x == NULL ? NULL : rl_dense(typed_x);
    const bool ready = dense != NULL && (x == NULL || dense_x != NULL);
    rille_tensor *out = ready ? rl_new_like(t, dtype) : NULL;
    if (out != NULL && out->numel > 0) {
        const size_t n = (size_t)t->shape[d], inner = (size_t)out->stride[d], blocks = rl_chunks(inner, COLUMNS);
        scan_work w = {
            rl_data(dense_x == NULL ? dense : dense_x), rl_data(dense), rl_data(out), n, inner, blocks, reverse, own};
        const size_t items = (size_t)out->numel / (n * inner) * blocks, length = n * (inner < COLUMNS ? inner : COLUMNS);
        rl_body *body = dtype == RILLE_FLOAT32   ? kernels->of_float32
                        : dtype == RILLE_FLOAT64 ? kernels->of_float64
                                                 : kernels->of_int64;
        out = rl_completed(out, rl_parallel_for(out->context, operation, items, 1 + RL_GRAIN_MEDIUM / length, body, &w));
    }
    rl_free_temporary(dense, typed);
    rl_free_temporary(typed, t);
    rl_free_temporary(dense_x, typed_x);
    rl_free_temporary(typed_x, x);
    return out;
}

static rl_attributes scan_attributes(int d, bool reverse, bool own)
{
    return (rl_attributes){.scan = {d, reverse, own}};
}

/* ---- cumsum ---- */

static rille_tensor *running_sum(rille_tensor *t, int dim, bool reverse)
{
    const int d = rl_enter("cumsum", RL_LIST(t)) == NULL ? -1 : rl_dimension(t, "cumsum", dim);
    rille_tensor *out = d < 0 ? NULL : scanned("cumsum", &sums, t, NULL, d, reverse, true);
    const rl_attributes attributes = scan_attributes(d, reverse, true);
    return rl_record(out, &rl_ops[RL_OP_cumsum], RL_LIST(t), RL_NONE, &attributes);
}

rille_tensor *rille_cumsum(rille_tensor *t, int dim)
{
    return running_sum(t, dim, false);
}

void rl_vjp_cumsum(rl_node *node, rille_tensor *g, rille_tensor **gradient) /* the sum from an element on */
{
    gradient[0] = running_sum(g, node->attributes.scan.dim, !node->attributes.scan.reverse);
}

/* ---- recurrence ---- */

/* What stands before each element in the scan's direction; 0 before the first. */
static rille_tensor *shifted(rille_tensor *t, int d, bool reverse)
{
    if (t == NULL || t->shape[d] == 0)
        return t;
    rille_tensor *rest = rille_narrow(t, d, reverse ? 1 : 0, t->shape[d] - 1);
    return rl_pad(rest, t->rank, t->shape, d, reverse ? 0 : 1);
}

rille_tensor *rl_recurrence(rille_tensor *x, rille_tensor *b, int d, bool reverse, bool own)
{
    rille_tensor *out =
        rl_enter("recurrence", RL_LIST(x, b)) == NULL ? NULL : scanned("recurrence", &recurrences, b, x, d, reverse, own);
    const rl_attributes attributes = scan_attributes(d, reverse, own);
    return rl_record(out, &rl_ops[RL_OP_recurrence], RL_LIST(x, b), RL_LIST(x, out), &attributes);
}

/* Through s[i] flows a[i] = g[i] + x[i + 1] a[i + 1], the same recurrence from the other end, and x[i] gets a[i] s[i - 1]. */
void rl_vjp_recurrence(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    const int d = node->attributes.scan.dim;
    const bool reverse = node->attributes.scan.reverse, own = node->attributes.scan.own;
    rille_tensor *a = rl_recurrence(rl_saved(node, 0), g, d, !reverse, !own);
    gradient[1] = a;
    if (rl_needs(node, 0) && own)
        gradient[0] = rille_mul(a, shifted(rl_saved(node, 1), d, reverse));
    else if (rl_needs(node, 0))
        gradient[0] = rille_mul(shifted(a, d, !reverse), rl_saved(node, 1));
}

/* ---- cumprod ---- */

/* Running products; unless `own`, of what stands before each element alone. */
static rille_tensor *running_product(rille_tensor *t, int dim, bool reverse, bool own)
{
    const int d = rl_enter("cumprod", RL_LIST(t)) == NULL ? -1 : rl_dimension(t, "cumprod", dim);
    rille_tensor *out = d < 0 ? NULL : scanned("cumprod", &products, t, NULL, d, reverse, own);
    const rl_attributes attributes = scan_attributes(d, reverse, own);
    return rl_record(out, &rl_ops[RL_OP_cumprod], RL_LIST(t), own ? RL_LIST(t) : RL_LIST(t, out), &attributes);
}

rille_tensor *rille_cumprod(rille_tensor *t, int dim)
{
    return running_product(t, dim, false, true);
}

/* As of a recurrence. What stands before the first element is not 0 here, but 1. */
void rl_vjp_cumprod(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    const int d = node->attributes.scan.dim;
    const bool reverse = node->attributes.scan.reverse, own = node->attributes.scan.own;
    rille_tensor *t = rl_saved(node, 0), *a = rl_recurrence(t, g, d, !reverse, !own);
    if (own)
        gradient[0] = rille_mul(a, running_product(t, d, reverse, false));
    else
        gradient[0] = rille_mul(shifted(a, d, !reverse), rl_saved(node, 1));
}

rille_tensor *rl_product_of_others(rille_tensor *t)
{
    return t == NULL ? NULL : rille_mul(running_product(t, -1, false, false), running_product(t, -1, true, false));
}
