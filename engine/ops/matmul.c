/* Matrix products. Each is cut into tiles of fixed size, and each tile is one single-threaded CBLAS call, so the result
 * does not depend on the number of threads. Transposed operands are passed to CBLAS as they are, without a copy. */
#include "ops/ops.h"

#include "base/parallel.h"
#include "tensor/convert.h"

#include <cblas.h>
#include <limits.h>
#include <string.h>

enum {
    TILE = 256,
    ENOUGH_TILES = 8
}; /* rows and columns of the result; a product of fewer than SPLIT multiplications is one */
static const double SPLIT = 1 << 21;
static const double WORTH_A_THREAD = 1 << 19; /* multiplications of a chunk */

typedef struct matrix { /* one operand: the last two dimensions of a tensor */
    char *data;
    bool transposed; /* columns are what lies together */
    int64_t leading; /* elements from one row (or column) to the next */
} matrix;

typedef struct product_work {
    rille_dtype dtype;
    int64_t n, k, m; /* [n, k] [k, m] */
    matrix a, b, c;
    int rank; /* of the batch */
    int64_t batch_shape[RILLE_MAX_RANK];
    int64_t a_stride[RILLE_MAX_RANK], b_stride[RILLE_MAX_RANK]; /* elements; 0 where broadcast */
    int64_t row_tile, column_tile, row_tiles, column_tiles;
    bool accumulate; /* c += a b */
} product_work;

static int64_t at_most(int64_t n, int64_t most)
{
    return n < most ? n : most;
}

static void multiply_tile(const product_work *w, const char *a, const char *b, char *c, int64_t n, int64_t m)
{
    CBLAS_TRANSPOSE ta = w->a.transposed ? CblasTrans : CblasNoTrans, tb = w->b.transposed ? CblasTrans : CblasNoTrans;
    int N = (int)n, M = (int)m, K = (int)w->k, lda = (int)w->a.leading, ldb = (int)w->b.leading, ldc = (int)w->c.leading;
    if (w->dtype == RILLE_FLOAT32)
        cblas_sgemm(CblasRowMajor, ta, tb, N, M, K, 1, (const float *)a, lda, (const float *)b, ldb, w->accumulate ? 1 : 0,
                    (float *)c, ldc);
    else
        cblas_dgemm(CblasRowMajor, ta, tb, N, M, K, 1, (const double *)a, lda, (const double *)b, ldb, w->accumulate ? 1 : 0,
                    (double *)c, ldc);
}

static void multiply_tiles(void *work, size_t begin, size_t end)
{
    const product_work *w = work;
    int64_t size = (int64_t)rille_dtype_size(w->dtype);
    int saved = rl_parallel_library_begin();
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++) {
        int64_t column = i % w->column_tiles * w->column_tile, row = i / w->column_tiles % w->row_tiles * w->row_tile;
        int64_t batch = i / w->column_tiles / w->row_tiles;
        int64_t a = row * (w->a.transposed ? 1 : w->a.leading), b = column * (w->b.transposed ? w->b.leading : 1);
        int64_t c = batch * w->n * w->m + row * w->c.leading + column;
        for (int d = w->rank - 1; d >= 0; d--) {
            int64_t at = batch % w->batch_shape[d];
            batch /= w->batch_shape[d];
            a += at * w->a_stride[d];
            b += at * w->b_stride[d];
        }
        multiply_tile(w, w->a.data + a * size, w->b.data + b * size, w->c.data + c * size, at_most(w->n - row, w->row_tile),
                      at_most(w->m - column, w->column_tile));
    }
    rl_parallel_library_end(saved);
}

/* Whether the last two dimensions of t, [rows, columns], are something that CBLAS can read; fills in the matrix. */
static bool as_matrix(const rille_tensor *t, matrix *x)
{
    int64_t rows = t->shape[t->rank - 2], columns = t->shape[t->rank - 1];
    int64_t row_stride = t->stride[t->rank - 2], column_stride = t->stride[t->rank - 1];
    x->data = rl_data(t);
    if ((column_stride == 1 || columns == 1) && (row_stride >= columns || rows == 1)) {
        x->transposed = false;
        x->leading = rows == 1 || row_stride < columns ? columns : row_stride;
        return true;
    }
    if ((row_stride == 1 || rows == 1) && (column_stride >= rows || columns == 1)) {
        x->transposed = true;
        x->leading = columns == 1 || column_stride < rows ? rows : column_stride;
        return true;
    }
    return false;
}

static bool fits_cblas(const product_work *w)
{
    const int64_t most = INT_MAX;
    return w->n <= most && w->k <= most && w->m <= most && w->a.leading <= most && w->b.leading <= most;
}

static void set_tile(product_work *w, int64_t rows, int64_t columns)
{
    w->row_tile = at_most(w->n, rows);
    w->column_tile = at_most(w->m, columns);
    w->row_tiles = (w->n + w->row_tile - 1) / w->row_tile;
    w->column_tiles = (w->m + w->column_tile - 1) / w->column_tile;
}

/* CBLAS arranges the operands' parts anew for each tile: larger ones, as long as there are enough for all threads, spare it a
 * tenth of its time. */
static void cut(product_work *w)
{
    const bool split = (double)w->n * (double)w->k * (double)w->m >= SPLIT;
    set_tile(w, split ? TILE : w->n, split ? TILE : w->m);
    for (int larger = 1; split && larger <= 3; larger++) { /* 256 x 512, 512 x 512, 512 x 1024 */
        product_work next = *w;
        set_tile(&next, larger > 1 ? 2 * TILE : TILE, larger > 2 ? 4 * TILE : 2 * TILE);
        if (next.row_tiles * next.column_tiles < ENOUGH_TILES)
            return;
        *w = next;
    }
}

/* out[..., n, m] = (accumulate: +=) a[..., n, k] b[..., k, m]: dense out, equal dtypes, rank >= 2, batches broadcast. */
static rille_status multiply(const char *operation, rille_tensor *a, rille_tensor *b, rille_tensor *out, bool accumulate)
{
    rille_context *cx = out->context;
    product_work w = {.dtype = out->dtype, .rank = out->rank - 2, .accumulate = accumulate};
    w.n = a->shape[a->rank - 2];
    w.k = a->shape[a->rank - 1];
    w.m = b->shape[b->rank - 1];
    if (out->numel == 0)
        return RILLE_OK;
    if (w.k == 0)
        return accumulate ? RILLE_OK : rl_fill(cx, operation, out, 0);

    rille_tensor *left = as_matrix(a, &w.a) ? a : rl_dense(a), *right = as_matrix(b, &w.b) ? b : rl_dense(b);
    rille_status status = RILLE_ERROR_MEMORY;
    if (left != NULL && right != NULL && as_matrix(left, &w.a) && as_matrix(right, &w.b) && as_matrix(out, &w.c)) {
        w.c.leading = w.m;
        for (int d = 0; d < w.rank; d++) {
            int of_a = d - (out->rank - a->rank), of_b = d - (out->rank - b->rank);
            w.batch_shape[d] = out->shape[d];
            w.a_stride[d] = of_a < 0 || a->shape[of_a] == 1 ? 0 : left->stride[of_a];
            w.b_stride[d] = of_b < 0 || b->shape[of_b] == 1 ? 0 : right->stride[of_b];
        }
        cut(&w);
        size_t tiles = (size_t)(out->numel / (w.n * w.m) * w.row_tiles * w.column_tiles);
        double cost = (double)w.row_tile * (double)w.column_tile * (double)w.k; /* multiplications a tile */
        size_t grain = cost >= WORTH_A_THREAD ? 1 : (size_t)(WORTH_A_THREAD / cost) + 1;
        rl_profile_next(cx, NULL, 2 * (double)out->numel * (double)w.k, 0);
        status = fits_cblas(&w) ? rl_parallel_for(cx, operation, tiles, grain, multiply_tiles, &w)
                                : rl_fail(cx, RILLE_ERROR_SHAPE, "%s: a dimension is past %d", operation, INT_MAX);
    }
    if (left != NULL)
        rl_free_temporary(left, a);
    if (right != NULL)
        rl_free_temporary(right, b);
    return status;
}

static bool is_multipliable(rille_context *cx, const char *operation, const rille_tensor *a, const rille_tensor *b)
{
    if (a->rank == 0 || b->rank == 0) {
        rl_fail(cx, RILLE_ERROR_SHAPE, "%s: shapes %s and %s; rank 1 or more expected", operation, RL_SHAPE(a), RL_SHAPE(b));
        return false;
    }
    if (!rl_is_floating(a->dtype) || !rl_is_floating(b->dtype)) {
        rl_fail(cx, RILLE_ERROR_DTYPE, "%s: dtypes are %s and %s; float32 or float64 expected", operation,
                rille_dtype_name(a->dtype), rille_dtype_name(b->dtype));
        return false;
    }
    int64_t inner_a = a->shape[a->rank - 1], inner_b = b->shape[b->rank > 1 ? b->rank - 2 : 0];
    if (inner_a != inner_b) {
        rl_fail(cx, RILLE_ERROR_SHAPE, "%s: shapes %s and %s: %lld columns against %lld rows", operation, RL_SHAPE(a),
                RL_SHAPE(b), (long long)inner_a, (long long)inner_b);
        return false;
    }
    return true;
}

/* Shape of a b for rank >= 2: batches broadcast, then [n, m]. */
static bool product_shape(rille_context *cx, const rille_tensor *a, const rille_tensor *b, int *rank, int64_t *shape)
{
    rille_tensor batch_a = *a, batch_b = *b;
    batch_a.rank -= 2;
    batch_b.rank -= 2;
    if (!rl_broadcast(cx, "matmul: batches", &batch_a, &batch_b, rank, shape))
        return false;
    shape[(*rank)++] = a->shape[a->rank - 2];
    shape[(*rank)++] = b->shape[b->rank - 1];
    return true;
}

/* t as it is, or a vector as a matrix of one row (left) or one column (right). A new handle either way. */
static rille_tensor *matrix_of(rille_tensor *t, bool left)
{
    if (t->rank > 1)
        return rille_reshape(t, t->rank, t->shape);
    return rille_reshape(t, 2, left ? (int64_t[]){1, t->shape[0]} : (int64_t[]){t->shape[0], 1});
}

static rille_tensor *product_of_matrices(rille_tensor *a, rille_tensor *b)
{
    rille_context *cx = rl_enter("matmul", RL_LIST(a, b));
    int rank;
    int64_t shape[RILLE_MAX_RANK + 2];
    if (cx == NULL || !product_shape(cx, a, b, &rank, shape))
        return NULL;
    rille_dtype dtype = rl_promote(a->dtype, b->dtype);
    rille_tensor *left = rl_as(a, dtype), *right = left == NULL ? NULL : rl_as(b, dtype);
    rille_tensor *out = right == NULL ? NULL : rl_new(cx, "matmul", dtype, rank, shape);
    if (out != NULL)
        out = rl_completed(out, multiply("matmul", left, right, out, false));
    rl_free_temporary(left, a);
    rl_free_temporary(right, b);
    return rl_record(out, &rl_ops[RL_OP_matmul], RL_LIST(a, b), RL_LIST(a, b), NULL);
}

rille_tensor *rille_matmul(rille_tensor *a, rille_tensor *b)
{
    rille_context *cx = rl_enter("matmul", RL_LIST(a, b));
    if (cx == NULL || !is_multipliable(cx, "matmul", a, b))
        return NULL;
    if (a->rank > 1 && b->rank > 1)
        return product_of_matrices(a, b);
    rille_tensor *left = matrix_of(a, true), *right = matrix_of(b, false), *product = product_of_matrices(left, right),
                 *out = NULL;
    if (product != NULL) {
        int64_t shape[RILLE_MAX_RANK];
        int rank = 0;
        for (int d = 0; d < product->rank; d++)
            if (!(d == product->rank - 2 && a->rank == 1) && !(d == product->rank - 1 && b->rank == 1))
                shape[rank++] = product->shape[d];
        out = rille_reshape(product, rank, shape);
    }
    rille_free(product);
    rille_free(right);
    rille_free(left);
    return out;
}

void rl_vjp_matmul(rl_node *node, rille_tensor *g, rille_tensor **gradient) /* da = g b^T, db = a^T g */
{
    rille_tensor *a = rl_saved(node, 0), *b = rl_saved(node, 1);
    if (a == NULL || b == NULL)
        return;
    if (rl_needs(node, 0))
        gradient[0] = rille_matmul(g, rille_transpose(b, -2, -1));
    if (rl_needs(node, 1))
        gradient[1] = rille_matmul(rille_transpose(a, -2, -1), g);
}

/* ---- dot, outer ---- */

rille_tensor *rille_dot(rille_tensor *a, rille_tensor *b)
{
    rille_context *cx = rl_enter("dot", RL_LIST(a, b));
    if (cx == NULL)
        return NULL;
    if (a->rank != 1 || b->rank != 1 || a->shape[0] != b->shape[0]) {
        rl_fail(cx, RILLE_ERROR_SHAPE, "dot: shapes %s and %s; two vectors of one length expected", RL_SHAPE(a), RL_SHAPE(b));
        return NULL;
    }
    return is_multipliable(cx, "dot", a, b) ? rille_matmul(a, b) : NULL;
}

rille_tensor *rille_outer(rille_tensor *a, rille_tensor *b)
{
    rille_context *cx = rl_enter("outer", RL_LIST(a, b));
    if (cx == NULL)
        return NULL;
    if (a->rank != 1 || b->rank != 1) {
        rl_fail(cx, RILLE_ERROR_SHAPE, "outer: shapes %s and %s; two vectors expected", RL_SHAPE(a), RL_SHAPE(b));
        return NULL;
    }
    rille_scope_push(cx);
    return rl_scope_return(cx, rille_mul(rille_unsqueeze(a, 1), b));
}

/* ---- linear ---- */

static bool is_linear(rille_context *cx, const rille_tensor *x, const rille_tensor *weight, const rille_tensor *bias)
{
    bool fits = x->rank >= 1 && weight->rank == 2 && x->shape[x->rank - 1] == weight->shape[1];
    if (!fits) {
        rl_fail(cx, RILLE_ERROR_SHAPE, "linear: input is %s, weight is %s; [..., in] and [out, in] expected", RL_SHAPE(x),
                RL_SHAPE(weight));
        return false;
    }
    if (bias != NULL && (bias->rank != 1 || bias->shape[0] != weight->shape[0])) {
        rl_fail(cx, RILLE_ERROR_SHAPE, "linear: bias is %s; [%lld] expected", RL_SHAPE(bias), (long long)weight->shape[0]);
        return false;
    }
    if (!rl_is_floating(x->dtype) || weight->dtype != x->dtype || (bias != NULL && bias->dtype != x->dtype)) {
        rl_fail(cx, RILLE_ERROR_DTYPE, "linear: input is %s, weight %s, bias %s; one floating dtype expected",
                rille_dtype_name(x->dtype), rille_dtype_name(weight->dtype),
                bias == NULL ? "none" : rille_dtype_name(bias->dtype));
        return false;
    }
    return true;
}

rille_tensor *rille_linear(rille_tensor *x, rille_tensor *weight, rille_tensor *bias)
{
    rille_context *cx = rl_enter("linear", bias == NULL ? RL_LIST(x, weight) : RL_LIST(x, weight, bias));
    if (cx == NULL || !is_linear(cx, x, weight, bias))
        return NULL;
    int64_t in = weight->shape[1], units = weight->shape[0];
    int64_t shape[RILLE_MAX_RANK];
    memcpy(shape, x->shape, sizeof shape);
    shape[x->rank - 1] = units;
    rille_tensor *out = rl_new(cx, "linear", x->dtype, x->rank, shape);
    rille_tensor *dense = out == NULL ? NULL : rl_dense(x);
    if (dense == NULL) {
        rille_free(out);
        return NULL;
    }
    rille_tensor rows = *dense, transposed = *weight, result = *out; /* [n, in] [in, units] -> [n, units] */
    rows.rank = result.rank = 2;
    rows.shape[0] = result.shape[0] = out->numel / (units > 0 ? units : 1); /* nothing is done where units is 0 */
    rows.shape[1] = rows.stride[0] = in;
    result.shape[1] = result.stride[0] = units;
    rows.stride[1] = result.stride[1] = 1;
    transposed.shape[0] = in;
    transposed.shape[1] = units;
    transposed.stride[0] = weight->stride[1];
    transposed.stride[1] = weight->stride[0];
    rille_status status = bias == NULL ? RILLE_OK : rl_copy_elements(cx, "linear", &result, bias);
    if (status == RILLE_OK)
        status = multiply("linear", &rows, &transposed, &result, bias != NULL);
    rl_free_temporary(dense, x);
    out = rl_completed(out, status);
    return rl_record(out, &rl_ops[RL_OP_linear], bias == NULL ? RL_LIST(x, weight) : RL_LIST(x, weight, bias),
                     RL_LIST(x, weight), NULL);
}

static rille_tensor *as_rows(rille_tensor *t) /* [..., n] -> [rows, n] */
{
    if (t == NULL)
        return NULL;
    int64_t rows = 1;
    for (int d = 0; d < t->rank - 1; d++)
        rows *= t->shape[d];
    return rille_reshape(t, 2, (int64_t[]){rows, t->shape[t->rank - 1]});
}

void rl_vjp_linear(rl_node *node, rille_tensor *g, rille_tensor **gradient) /* dx = g W, dW = g^T x, db = g summed over rows */
{
    if (rl_needs(node, 0))
        gradient[0] = rille_matmul(g, rl_saved(node, 1));
    if (rl_needs(node, 1))
        gradient[1] = rille_matmul(rille_transpose(as_rows(g), 0, 1), as_rows(rl_saved(node, 0)));
    if (node->edge_count > 2 && rl_needs(node, 2))
        gradient[2] = rille_sum(as_rows(g), (int[]){0}, 1, false);
}
