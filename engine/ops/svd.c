/* Singular value decompositions. */
#include "ops/lapack.h"

#include <cblas.h>
#include <string.h>

/* LAPACK's Fortran interface, which passes the length of a string at the end: OpenBLAS has it, and no header for it. */
void sgesdd_(const char *job, const blasint *m, const blasint *n, float *a, const blasint *lda, float *s, float *u,
             const blasint *ldu, float *vt, const blasint *ldvt, float *work, const blasint *lwork, blasint *iwork,
             blasint *info, size_t job_length);
void dgesdd_(const char *job, const blasint *m, const blasint *n, double *a, const blasint *lda, double *s, double *u,
             const blasint *ldu, double *vt, const blasint *ldvt, double *work, const blasint *lwork, blasint *iwork,
             blasint *info, size_t job_length);

/* a = U diag(s) V^T. LAPACK decomposes a^T = V diag(s) U^T: what it calls u, [n, k] along columns, is V^T along rows, and so on.
 * job "S": all; "N": s alone. */
static int gesdd(const rl_decomposition *d, const char *job, void *a, void *s, void *vt, void *u, void *work, blasint lwork,
                 void *integers)
{
    const blasint rows = d->n, columns = d->m, k = d->k;
    blasint info = 0;
    if (d->dtype == RILLE_FLOAT32)
        sgesdd_(job, &rows, &columns, a, &rows, s, vt, &rows, u, &k, work, &lwork, integers, &info, 1);
    else
        dgesdd_(job, &rows, &columns, a, &rows, s, vt, &rows, u, &k, work, &lwork, integers, &info, 1);
    return (int)info;
}

static void plan(rl_decomposition *d, const char *job, int64_t rows, size_t others, rl_decompose *decompose)
{
    double work = 0;
    int integers[8];
    if (d->k > 0)
        gesdd(d, job, NULL, NULL, NULL, NULL, &work, -1, integers);
    d->work = rl_lapack_work(d->dtype, &work);
    d->others = others;
    d->integers = 8 * (size_t)d->k;
    d->rows = rows;
    d->columns = d->k;
    d->decompose = decompose;
}

static void *integers_of(const rl_decomposition *d, void *scratch)
{
    return (char *)scratch + (d->work + d->others) * rille_dtype_size(d->dtype);
}

/* ---- U, S, V ---- */

/* [n, k] from [k, n] */
static void transpose(const rl_decomposition *d, const void *from, void *to)
{
    const size_t k = (size_t)d->k, n = (size_t)d->n;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < k; j++)
            if (d->dtype == RILLE_FLOAT32)
                ((float *)to)[i * k + j] = ((const float *)from)[j * n + i];
            else
                ((double *)to)[i * k + j] = ((const double *)from)[j * n + i];
}

/* U, [m, k], below it S, [1, k], below it V, [n, k] */
static int decompose_all(const rl_decomposition *d, void *a, void *out, void *scratch)
{
    const size_t item = rille_dtype_size(d->dtype), k = (size_t)d->k;
    char *vt = (char *)scratch + d->work * item, *s = (char *)out + (size_t)d->m * k * item;
    const int failure = gesdd(d, "S", a, s, vt, out, scratch, (blasint)d->work, integers_of(d, scratch));
    if (failure == 0)
        transpose(d, vt, s + k * item);
    return failure;
}

/* [..., m + 1 + n, k]: one result, as the graph wants it; U, S and V are views of it. */
static rille_tensor *packed_svd(rl_decomposition *d, rille_tensor *t)
{
    plan(d, "S", (int64_t)d->m + 1 + d->n, (size_t)d->k * (size_t)d->n, decompose_all);
    rille_tensor *out = rl_decomposed(d, t);
    return rl_record(out, &rl_ops[RL_OP_svd], RL_LIST(t), RL_LIST(out), &(rl_attributes){.dims = {d->m}});
}

/* a / b, 0 where both are: there the value that would be divided by 0 is not asked for. */
static rille_tensor *quotient(rille_tensor *a, rille_tensor *b)
{
    if (a == NULL || b == NULL)
        return NULL;
    rille_tensor *zero = rille_scalar(a->context, a->dtype, 0);
    return rille_div(a, rille_add(b, rille_mul(rille_equal(a, zero), rille_equal(b, zero))));
}

/* (X - X^T) / E, X = u^T g, E_ij = s_j^2 - s_i^2, 1 on the diagonal */
static rille_tensor *turning(rille_tensor *u, rille_tensor *g, rille_tensor *s)
{
    if (u == NULL || g == NULL || s == NULL)
        return NULL;
    rille_tensor *x = rille_matmul(rl_transposed(u), g), *other = rl_transposed(s);
    rille_tensor *gap = rille_mul(rille_sub(s, other), rille_add(s, other));
    return quotient(rille_sub(x, rl_transposed(x)), rille_add(gap, rille_eye(u->context, u->dtype, s->shape[s->rank - 1])));
}

/* (g - u u^T g) / s: what leaves the space that u spans, [m, k] */
static rille_tensor *leaving(rille_tensor *u, rille_tensor *g, rille_tensor *s)
{
    return quotient(rille_sub(g, rille_matmul(u, rille_matmul(rl_transposed(u), g))), s);
}

/* dA = (U (T_u S + S T_v + diag gS) + leaving_u) V^T + U leaving_v^T, T the turnings (Townsend 2016, "Differentiating the
 * singular value decomposition") */
void rl_vjp_svd(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    rille_tensor *out = rl_saved(node, 0);
    if (out == NULL)
        return;
    const int64_t m = node->attributes.dims[0], k = out->shape[out->rank - 1], n = out->shape[out->rank - 2] - m - 1;
    rille_tensor *u = rille_narrow(out, -2, 0, m), *s = rille_narrow(out, -2, m, 1), *v = rille_narrow(out, -2, m + 1, n);
    rille_tensor *of_u = rille_narrow(g, -2, 0, m), *of_s = rille_narrow(g, -2, m, 1), *of_v = rille_narrow(g, -2, m + 1, n);
    rille_tensor *turns = rille_add(rille_mul(turning(u, of_u, s), s), rille_mul(rl_transposed(s), turning(v, of_v, s)));
    rille_tensor *left = rille_matmul(u, rille_add(turns, rille_diag_embed(rille_select(of_s, -2, 0), 0)));
    if (m > k)
        left = rille_add(left, leaving(u, of_u, s));
    gradient[0] = rille_matmul(left, rl_transposed(v));
    if (n > k)
        gradient[0] = rille_add(gradient[0], rille_matmul(u, rl_transposed(leaving(v, of_v, s))));
}

rille_status rille_svd(rille_tensor *t, rille_tensor **u, rille_tensor **s, rille_tensor **vt)
{
    rl_decomposition d;
    rille_tensor *floating = rl_check_matrices("svd", t, &d), *packed = floating == NULL ? NULL : packed_svd(&d, floating);
    rille_tensor *part[3] = {NULL};
    if (packed != NULL) {
        rille_tensor *v = rille_narrow(packed, -2, (int64_t)d.m + 1, d.n);
        part[0] = rille_narrow(packed, -2, 0, d.m);
        part[1] = rille_select(packed, -2, d.m);
        part[2] = rl_transposed(v);
        rille_free(v);
    }
    rille_free(packed);
    if (floating != t)
        rille_free(floating);
    rille_tensor **const wanted[] = {u, s, vt};
    return rl_give(t, 3, part, wanted);
}

/* ---- S alone ---- */

static int decompose_values(const rl_decomposition *d, void *a, void *out, void *scratch)
{
    return gesdd(d, "N", a, out, NULL, NULL, scratch, (blasint)d->work, integers_of(d, scratch));
}

rille_tensor *rille_svdvals(rille_tensor *t)
{
    rl_decomposition d;
    rille_tensor *floating = rl_check_matrices("svdvals", t, &d), *out = NULL;
    if (floating == NULL)
        return NULL;
    plan(&d, "N", 1, 0, decompose_values);
    rille_tensor *rows = rl_decomposed(&d, floating); /* [..., 1, k] */
    if (rows != NULL)
        out = rille_select(rows, -2, 0);
    rille_free(rows);
    if (floating != t)
        rille_free(floating);
    return rl_record(out, &rl_ops[RL_OP_svdvals], RL_LIST(t), RL_LIST(t), NULL);
}

/* dA = U diag(gS) V^T */
void rl_vjp_svdvals(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    rille_tensor *t = rl_saved(node, 0), *u = NULL, *vt = NULL;
    if (t != NULL && rille_svd(t, &u, NULL, &vt) == RILLE_OK)
        gradient[0] = rille_matmul(rille_mul(u, rille_unsqueeze(g, -2)), vt);
}
