/* Steps of random programs that go along dimensions: reductions, running sums, orders, softmax and normalisation. */
#ifndef RILLE_TESTS_PROGRAM_FOLDS_H
#define RILLE_TESTS_PROGRAM_FOLDS_H

#include "engine/programs.h"
#include "engine/random_reductions.h"

static inline int any_dim(program *p, const plain *x)
{
    return (int)random_below(&p->rng, x->rank);
}

/* ---- Reductions over any dimensions ---- */

typedef enum fold { SUM, MEAN, PROD, VAR, STD, NORM, LOGSUMEXP, AMAX, AMIN, ANY, ALL, FOLDS } fold;
static const char *const fold_names[] = {"sum",       "mean", "prod", "var", "std", "norm",
                                         "logsumexp", "amax", "amin", "any", "all"};

static inline rille_dtype fold_dtype(fold f, rille_dtype own)
{
    bool same = f == AMAX || f == AMIN;
    return f == ANY || f == ALL ? RILLE_BOOL : same ? own : higher(f == SUM || f == PROD ? RILLE_INT64 : RILLE_FLOAT32, own);
}

static inline rille_tensor *call_fold(fold f, rille_tensor *t, const reduced *r, double p)
{
    const int *dims = r->all ? NULL : r->dims;
    switch (f) {
    case SUM: return rille_sum(t, dims, r->count, r->keepdim);
    case MEAN: return rille_mean(t, dims, r->count, r->keepdim);
    case PROD: return rille_prod(t, dims, r->count, r->keepdim);
    case VAR: return rille_var(t, dims, r->count, p, r->keepdim);
    case STD: return rille_std(t, dims, r->count, p, r->keepdim);
    case NORM: return rille_norm(t, p, dims, r->count, r->keepdim);
    case LOGSUMEXP: return rille_logsumexp(t, dims, r->count, r->keepdim);
    case AMAX: return rille_amax(t, dims, r->count, r->keepdim);
    case AMIN: return rille_amin(t, dims, r->count, r->keepdim);
    case ANY: return rille_any(t, dims, r->count, r->keepdim);
    default: return rille_all(t, dims, r->count, r->keepdim);
    }
}

static inline long double variance(const long double *x, int64_t n, long double correction)
{
    long double mean = 0, total = 0;
    for (int64_t i = 0; i < n; i++)
        mean += x[i] / n;
    for (int64_t i = 0; i < n; i++)
        total += (x[i] - mean) * (x[i] - mean);
    return total / (n > correction ? n - correction : 0);
}

/* Integers wrap around. */
static inline long double folded(fold f, const long double *x, int64_t n, bool whole, double p)
{
    long double y = f == PROD || f == ALL ? 1 : f == AMAX ? (long double)-INFINITY : f == AMIN ? (long double)INFINITY : 0;
    if (f == VAR || f == STD)
        return f == VAR ? variance(x, n, p) : sqrtl(variance(x, n, p));
    for (int64_t i = 0; i < n; i++) {
        uint64_t a = whole ? (uint64_t)(int64_t)x[i] : 0, b = whole && f <= PROD ? (uint64_t)(int64_t)y : 0;
        switch (f) {
        case SUM: y = whole ? (long double)(int64_t)(a + b) : x[i] + y; break;
        case PROD: y = whole ? (long double)(int64_t)(a * b) : x[i] * y; break;
        case MEAN: y += x[i]; break;
        case LOGSUMEXP: y += expl(x[i]); break;
        case NORM: y = isinf(p) ? fmaxl(y, fabsl(x[i])) : y + (p == 0 ? x[i] != 0 : powl(fabsl(x[i]), p)); break;
        case AMAX: y = x[i] != x[i] || x[i] > y ? x[i] : y; break;
        case AMIN: y = x[i] != x[i] || x[i] < y ? x[i] : y; break;
        case ANY: y = y != 0 || x[i] != 0; break;
        default: y = y != 0 && x[i] != 0; break;
        }
    }
    return f == MEAN ? y / n : f == LOGSUMEXP ? logl(y) : f == NORM && !isinf(p) && p != 0 ? powl(y, 1 / (long double)p) : y;
}

static inline void step_fold(program *p)
{
    static const double orders[] = {0, 1, 2, 3, INFINITY};
    int from = any(p);
    const plain *x = &p->expected[from];
    fold f = (fold)random_below(&p->rng, FOLDS);
    double parameter = f == NORM ? orders[random_below(&p->rng, 5)] : (double)random_below(&p->rng, 2);
    reduced r = random_reduction(&p->rng, x->rank, x->shape, false);
    plain v = fresh(p, fold_dtype(f, x->dtype), r.rank, r.shape);
    int64_t n = 1;
    for (int d = 0; d < x->rank; d++)
        n *= r.is_reduced[d] ? x->shape[d] : 1;
    const bool whole = !is_floating(x->dtype), exact = f == AMAX || f == AMIN || f == ANY || f == ALL;
    const long double most = largest(x);
    if (!exact && !(whole && (f == SUM || f == PROD)) && !(most <= (f == PROD ? 16 : f == LOGSUMEXP ? 700 : 1e4L)))
        return;
    if (f == PROD && n > 60)
        return;
    long double *group = claim(p, v.numel * n, sizeof *group);
    for (int64_t i = 0, among; i < x->numel; i++) {
        int64_t into = reduced_place(p->tensor[from], &r, i, &among);
        group[into * n + among] = get(x, i);
    }
    for (int64_t i = 0; i < v.numel; i++)
        v.store[i] = folded(f, group + i * n, n, whole, parameter);
    p->step = fold_names[f];
    rille_tensor *t = call_fold(f, p->tensor[from], &r, parameter);
    if (n == 0 && v.numel > 0 && (f == AMAX || f == AMIN || (f == NORM && isinf(parameter))))
        add_value(p, t, true, v);
    else
        add_close(p, t, v, exact || f == PROD ? 0 : (long double)DBL_EPSILON * (40 + (long double)n) * (1 + most));
}

/* ---- Running sums and products ---- */

static inline void step_scan(program *p)
{
    int from = any(p);
    const plain *x = &p->expected[from];
    bool product = random_below(&p->rng, 2) == 0, whole = !is_floating(x->dtype);
    if (x->rank == 0 || (!whole && !(largest(x) <= (product ? 16 : 1e4L))))
        return;
    int dim = any_dim(p, x);
    if (product && x->shape[dim] > 60)
        return;
    plain v = fresh(p, higher(RILLE_INT64, x->dtype), x->rank, x->shape);
    for (int64_t line = 0; line < lines_of(x, dim) && v.numel > 0; line++) {
        long double y = product;
        for (int64_t k = 0; k < x->shape[dim]; k++) {
            int64_t i = along(x, dim, line, k);
            uint64_t a = whole ? (uint64_t)(int64_t)get(x, i) : 0, b = whole ? (uint64_t)(int64_t)y : 0;
            if (whole)
                y = (long double)(int64_t)(product ? a * b : a + b);
            else
                y = product ? y * get(x, i) : y + get(x, i);
            v.store[i] = y;
        }
    }
    p->step = product ? "cumprod" : "cumsum";
    rille_tensor *t = product ? rille_cumprod(p->tensor[from], dim) : rille_cumsum(p->tensor[from], dim);
    long double slack = (long double)DBL_EPSILON * x->shape[dim] * x->shape[dim];
    add_close(p, t, v, product ? 0 : slack * largest(x));
}

/* ---- Order ---- */

/* Whether a comes before b: NaN is the largest, and -0 equals 0. */
static inline bool comes_before(long double a, long double b, bool descending)
{
    bool smaller = b != b ? a == a : a < b, greater = a != a ? b == b : a > b;
    return descending ? greater : smaller;
}

static inline void step_order(program *p) /* sort, argsort, topk */
{
    int from = any(p);
    const plain *x = &p->expected[from];
    if (x->rank == 0)
        return;
    int dim = any_dim(p, x), which = (int)random_below(&p->rng, 3);
    bool descending = random_below(&p->rng, 2) == 0;
    int64_t n = x->shape[dim], k = which == 2 ? random_below(&p->rng, n + 1) : n, shape[RILLE_MAX_RANK];
    memcpy(shape, x->shape, sizeof shape);
    shape[dim] = k;
    plain v = fresh(p, x->dtype, x->rank, shape), at = fresh(p, RILLE_INT64, x->rank, shape);
    int64_t *order = claim(p, n, sizeof *order);
    for (int64_t line = 0; line < lines_of(x, dim); line++) {
        for (int64_t i = 0; i < n; i++) { /* by insertion */
            int64_t j = i;
            long double own = get(x, along(x, dim, line, i));
            for (; j > 0 && comes_before(own, get(x, along(x, dim, line, order[j - 1])), descending); j--)
                order[j] = order[j - 1];
            order[j] = i;
        }
        for (int64_t i = 0; i < k; i++) {
            int64_t into = along(&v, dim, line, i);
            v.store[into] = get(x, along(x, dim, line, order[i]));
            at.store[into] = order[i];
        }
    }
    p->step = which == 0 ? "sort" : which == 1 ? "argsort" : "topk";
    rille_tensor *t = p->tensor[from], *indices = NULL;
    if (which == 1) {
        add_value(p, rille_argsort(t, dim, descending), false, at);
        return;
    }
    add_value(p, which == 0 ? rille_sort(t, dim, descending, &indices) : rille_topk(t, k, dim, descending, &indices), false, v);
    add_value(p, indices, false, at);
}

static inline void step_extreme(program *p) /* max, min, argmax, argmin */
{
    int from = any(p);
    const plain *x = &p->expected[from];
    if (x->rank == 0)
        return;
    int dim = any_dim(p, x);
    bool least = random_below(&p->rng, 2) == 0, keepdim = random_below(&p->rng, 2) == 0, place = random_below(&p->rng, 2) == 0;
    int64_t shape[RILLE_MAX_RANK];
    memcpy(shape, x->shape, sizeof shape);
    shape[dim] = 1;
    plain v = fresh(p, place ? RILLE_INT64 : x->dtype, x->rank, shape);
    bool fails = x->shape[dim] == 0 && v.numel > 0;
    for (int64_t line = 0; line < v.numel && !fails; line++) {
        int64_t best = 0;
        for (int64_t k = 1; k < x->shape[dim]; k++) {
            long double a = get(x, along(x, dim, line, k)), b = get(x, along(x, dim, line, best));
            if (b == b && (a != a || (least ? a < b : a > b)))
                best = k;
        }
        v.store[line] = place ? (long double)best : get(x, along(x, dim, line, best));
    }
    if (!keepdim)
        drop_dimension(&v, dim);
    p->step = place ? (least ? "argmin" : "argmax") : least ? "min" : "max";
    rille_tensor *t = p->tensor[from];
    if (place)
        t = least ? rille_argmin(t, dim, keepdim) : rille_argmax(t, dim, keepdim);
    else
        t = least ? rille_min(t, dim, keepdim) : rille_max(t, dim, keepdim);
    add_value(p, t, fails, v);
}

/* ---- Softmax and what is like it ---- */

/* tau such that the parts of y above it sum to 1 more than it, times their number (Martins and Astudillo 2016) */
static inline long double simplex_threshold(const long double *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) { /* y[i] as the smallest of the support */
        long double total = 0, count = 0, above = -INFINITY;
        for (int64_t k = 0; k < n; k++)
            if (y[k] >= y[i]) {
                total += y[k];
                count++;
            } else
                above = fmaxl(above, y[k]);
        long double tau = (total - 1) / count;
        if (tau < y[i] && above <= tau)
            return tau;
    }
    return NAN;
}

typedef enum simplex { SOFTMAX, LOG_SOFTMAX, SOFTMIN, SPARSEMAX, HARDMAX, SIMPLICES } simplex;

static inline void onto_simplex(simplex which, long double *y, int64_t n)
{
    long double most = -INFINITY, total = 0;
    int64_t best = 0;
    for (int64_t k = 0; k < n; k++) {
        y[k] = which == SOFTMIN ? -y[k] : y[k];
        best = y[k] > y[best] ? k : best;
        most = fmaxl(most, y[k]);
    }
    for (int64_t k = 0; k < n; k++)
        total += expl(y[k] - most);
    long double tau = which == SPARSEMAX ? simplex_threshold(y, n) : 0;
    for (int64_t k = 0; k < n; k++)
        y[k] = which == SPARSEMAX     ? fmaxl(y[k] - tau, 0)
               : which == HARDMAX     ? k == best
               : which == LOG_SOFTMAX ? y[k] - most - logl(total)
                                      : expl(y[k] - most) / total;
}

static inline void step_softmax(program *p)
{
    static rille_tensor *(*const call[])(rille_tensor *, int) = {rille_softmax, rille_log_softmax, rille_softmin,
                                                                 rille_sparsemax, rille_hardmax};
    static const char *const name[] = {"softmax", "log_softmax", "softmin", "sparsemax", "hardmax"};
    int from = any(p);
    const plain *x = &p->expected[from];
    if (x->rank == 0 || !(largest(x) <= 50))
        return;
    int dim = any_dim(p, x);
    simplex which = (simplex)random_below(&p->rng, SIMPLICES);
    plain v = fresh(p, higher(RILLE_FLOAT32, x->dtype), x->rank, x->shape);
    long double *y = claim(p, x->shape[dim], sizeof *y);
    for (int64_t line = 0; line < lines_of(x, dim) && v.numel > 0; line++) {
        for (int64_t k = 0; k < x->shape[dim]; k++)
            y[k] = get(x, along(x, dim, line, k));
        onto_simplex(which, y, x->shape[dim]);
        for (int64_t k = 0; k < x->shape[dim]; k++)
            v.store[along(x, dim, line, k)] = y[k];
    }
    p->step = name[which];
    long double own = v.dtype == RILLE_FLOAT32 ? (long double)FLT_EPSILON : 4 * (long double)DBL_EPSILON;
    add_close(p, call[which](p->tensor[from], dim), v,
              which == HARDMAX                             ? 0
              : which == LOG_SOFTMAX || which == SPARSEMAX ? 100 * own
                                                           : 2 * own);
}

#endif
