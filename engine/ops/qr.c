/* QR decompositions, and the quotients by triangular matrices that their gradients take. */
#include "ops/lapack.h"

#include "base/parallel.h"
#include "tensor/convert.h"

#include <cblas.h>
#include <string.h>

/* ---- b / r: r upper triangular ---- */

typedef struct quotient_work {
    rille_dtype dtype;
    CBLAS_TRANSPOSE transposed;
    int m, n;
    const char *r;
    char *x;
} quotient_work;

static void divide(void *work, size_t begin, size_t end)
{
    const quotient_work *w = work;
    const size_t item = rille_dtype_size(w->dtype), n = (size_t)w->n, m = (size_t)w->m;
    const int saved = rl_parallel_library_begin();
    for (size_t i = begin; i < end; i++) {
        const void *r = w->r + i * n * n * item;
        void *x = w->x + i * m * n * item;
        if (w->dtype == RILLE_FLOAT32)
            cblas_strsm(CblasRowMajor, CblasRight, CblasUpper, w->transposed, CblasNonUnit, w->m, w->n, 1, r, w->n, x, w->n);
        else
            cblas_dtrsm(CblasRowMajor, CblasRight, CblasUpper, w->transposed, CblasNonUnit, w->m, w->n, 1, r, w->n, x, w->n);
    }
    rl_parallel_library_end(saved);
}

/* b r^-1, or b r^-T where transposed: b [..., m, n], r [..., n, n], of which what is below the diagonal counts as 0. */
static rille_tensor *quotient(rille_tensor *b, rille_tensor *r, bool transposed)
{
    rille_context *cx = rl_enter("solve_triangular", RL_LIST(b, r));
    rille_tensor *out = cx == NULL ? NULL : rl_new_like(b, b->dtype);
    rille_tensor *dense = out == NULL ? NULL : rl_dense(r);
    if (out == NULL)
        return NULL;
    rille_status status = dense == NULL ? RILLE_ERROR_MEMORY : rl_copy_elements(cx, "solve_triangular", out, b);
    if (status == RILLE_OK && out->numel > 0) {
        const int64_t m = b->shape[b->rank - 2], n = b->shape[b->rank - 1];
        quotient_work w = {out->dtype, transposed ? CblasTrans : CblasNoTrans, (int)m, (int)n, rl_data(dense), rl_data(out)};
        status = rl_parallel_for(cx, "solve_triangular", (size_t)(out->numel / (m * n)), 1, divide, &w);
    }
    if (dense != NULL)
        rl_free_temporary(dense, r);
    const rl_attributes attributes = {.dims = {transposed}};
    out = rl_completed(out, status);
    return rl_record(out, &rl_ops[RL_OP_solve_triangular], RL_LIST(b, r), RL_LIST(r, out), &attributes);
}

/* x = b r^-1: db = g r^-T, dr = -triu(x^T db); x = b r^-T: db = g r^-1, dr = -triu(db^T x) */
void rl_vjp_solve_triangular(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    const bool transposed = node->attributes.dims[0] != 0;
    rille_tensor *r = rl_saved(node, 0), *x = rl_saved(node, 1), *of_b = r == NULL ? NULL : quotient(g, r, !transposed);
    gradient[0] = of_b;
    if (rl_needs(node, 1) && of_b != NULL && x != NULL)
        gradient[1] =
            rille_neg(rille_triu(transposed ? rille_matmul(rl_transposed(of_b), x) : rille_matmul(rl_transposed(x), of_b), 0));
}

/* ---- QR ---- */

/* LAPACK's Fortran interface: OpenBLAS has it, and no header for it. */
void sgelqf_(const blasint *m, const blasint *n, float *a, const blasint *lda, float *tau, float *work, const blasint *lwork,
             blasint *info);
void dgelqf_(const blasint *m, const blasint *n, double *a, const blasint *lda, double *tau, double *work, const blasint *lwork,
             blasint *info);
void sorglq_(const blasint *m, const blasint *n, const blasint *k, float *a, const blasint *lda, const float *tau, float *work,
             const blasint *lwork, blasint *info);
void dorglq_(const blasint *m, const blasint *n, const blasint *k, double *a, const blasint *lda, const double *tau,
             double *work, const blasint *lwork, blasint *info);

/* a^T = L P: what is row-major then holds R = L^T on and above the diagonal. */
static int factor(const rl_decomposition *d, void *a, void *tau, void *work, blasint lwork)
{
    const blasint rows = d->n, columns = d->m;
    blasint info = 0;
    if (d->dtype == RILLE_FLOAT32)
        sgelqf_(&rows, &columns, a, &rows, tau, work, &lwork, &info);
    else
        dgelqf_(&rows, &columns, a, &rows, tau, work, &lwork, &info);
    return (int)info;
}

/* P instead of it: row-major Q = P^T. */
static int form(const rl_decomposition *d, void *a, const void *tau, void *work, blasint lwork)
{
    const blasint rows = d->n, columns = d->m;
    blasint info = 0;
    if (d->dtype == RILLE_FLOAT32)
        sorglq_(&rows, &columns, &rows, a, &rows, tau, work, &lwork, &info);
    else
        dorglq_(&rows, &columns, &rows, a, &rows, tau, work, &lwork, &info);
    return (int)info;
}

/* Q, [m, n], and below it R, [n, n], of a matrix with m >= n */
static int decompose(const rl_decomposition *d, void *a, void *out, void *scratch)
{
    const size_t item = rille_dtype_size(d->dtype), n = (size_t)d->n, q = (size_t)d->m * n * item;
    char *tau = (char *)scratch + d->work * item, *r = (char *)out + q;
    int failure = factor(d, a, tau, scratch, (blasint)d->work);
    memset(r, 0, n * n * item);
    for (size_t i = 0; i < n; i++)
        memcpy(r + (i * n + i) * item, (char *)a + (i * n + i) * item, (n - i) * item);
    if (failure == 0)
        failure = form(d, a, tau, scratch, (blasint)d->work);
    memcpy(out, a, q);
    return failure;
}

/* [..., m + n, n]: one result, as the graph wants it; Q and R are views of it. */
static rille_tensor *packed_qr(const rl_decomposition *whole, rille_tensor *t)
{
    rl_decomposition d = *whole;
    double some = 0, more = 0;
    d.n = d.k;
    if (d.n > 0) {
        factor(&d, NULL, NULL, &some, -1);
        form(&d, NULL, NULL, &more, -1);
    }
    const size_t work = rl_lapack_work(d.dtype, &some), also = rl_lapack_work(d.dtype, &more);
    d.work = work > also ? work : also;
    d.others = (size_t)d.n;
    d.rows = (int64_t)d.m + d.n;
    d.columns = d.n;
    d.decompose = decompose;
    rille_tensor *out = rl_decomposed(&d, t);
    return rl_record(out, &rl_ops[RL_OP_qr], RL_LIST(t), RL_LIST(out), NULL);
}

/* M = R gR^T - gQ^T Q, dA = (gQ + Q (tril M + its strict lower part transposed)) R^-T (Walter and Lehmann 2010) */
void rl_vjp_qr(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    rille_tensor *out = rl_saved(node, 0);
    if (out == NULL)
        return;
    const int64_t n = out->shape[out->rank - 1], m = out->shape[out->rank - 2] - n;
    rille_tensor *q = rille_narrow(out, -2, 0, m), *r = rille_narrow(out, -2, m, n);
    rille_tensor *of_q = rille_narrow(g, -2, 0, m), *of_r = rille_narrow(g, -2, m, n);
    rille_tensor *both = rille_sub(rille_matmul(r, rl_transposed(of_r)), rille_matmul(rl_transposed(of_q), q));
    rille_tensor *symmetric = rille_add(rille_tril(both, 0), rl_transposed(rille_tril(both, -1)));
    gradient[0] = quotient(rille_add(of_q, rille_matmul(q, symmetric)), r, true);
}

/* R of the columns that Q was made of and, where there are more, Q^T times these. */
static rille_tensor *upper(const rl_decomposition *d, rille_tensor *t, rille_tensor *packed, rille_tensor *q)
{
    rille_tensor *square = rille_narrow(packed, -2, d->m, d->k);
    if (d->n == d->k || square == NULL)
        return square;
    rille_scope_push(t->context);
    rille_tensor *rest = rille_matmul(rl_transposed(q), rille_narrow(t, -1, d->k, d->n - d->k));
    rille_tensor *r = rl_scope_return(t->context, rille_cat((rille_tensor *[]){square, rest}, 2, -1));
    rille_free(square);
    return r;
}

rille_status rille_qr(rille_tensor *t, rille_tensor **q, rille_tensor **r)
{
    rl_decomposition d;
    rille_tensor *floating = rl_check_matrices("qr", t, &d), *first = floating, *packed = NULL, *part[2] = {NULL};
    rille_tensor **const wanted[] = {q, r};
    if (floating != NULL && d.n > d.k)
        first = rille_narrow(floating, -1, 0, d.k);
    if (first != NULL)
        packed = packed_qr(&d, first);
    if (packed != NULL)
        part[0] = rille_narrow(packed, -2, 0, d.m);
    if (part[0] != NULL)
        part[1] = upper(&d, floating, packed, part[0]);
    rille_free(packed);
    if (first != floating)
        rille_free(first);
    if (floating != t)
        rille_free(floating);
    return rl_give(t, 2, part, wanted);
}
