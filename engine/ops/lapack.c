#include "ops/lapack.h"

#include "base/memory.h"
#include "base/parallel.h"

#include <limits.h>
#include <math.h>
#include <string.h>

typedef struct matrices { /* one after another */
    const rl_decomposition *d;
    const char *x;
    char *out, *scratch;         /* scratch: a copy of one matrix and what decompose needs, for each worker */
    size_t matrix, result, each; /* bytes */
    int *failure;                /* of each matrix; 0: none */
} matrices;

static bool is_finite(const void *x, rille_dtype dtype, size_t n)
{
    const float *narrow = x;
    const double *wide = x;
    bool finite = true;
    for (size_t i = 0; i < n && finite; i++)
        finite = dtype == RILLE_FLOAT32 ? isfinite(narrow[i]) : isfinite(wide[i]);
    return finite;
}

static void look(void *work, size_t begin, size_t end)
{
    const matrices *w = work;
    for (size_t i = begin; i < end; i++)
        w->failure[i] = !is_finite(w->x + i * w->matrix, w->d->dtype, w->matrix / rille_dtype_size(w->d->dtype));
}

static void decompose(void *work, size_t begin, size_t end)
{
    const matrices *w = work;
    char *copy = w->scratch + rl_parallel_worker() * w->each;
    const int saved = rl_parallel_library_begin();
    for (size_t i = begin; i < end; i++) {
        memcpy(copy, w->x + i * w->matrix, w->matrix);
        w->failure[i] = w->d->decompose(w->d, copy, w->out + i * w->result, copy + rl_block_size(w->matrix));
    }
    rl_parallel_library_end(saved);
}

/* Runs the body over all matrices; an error that names the first that failed. */
static rille_status for_each(rille_context *cx, matrices *w, int64_t count, rl_body *body, const char *failure)
{
    const size_t bytes = (size_t)count * sizeof *w->failure;
    w->failure = rl_allocate_zeroed(cx, bytes);
    if (w->failure == NULL)
        return RILLE_ERROR_MEMORY;
    rille_status status = rl_parallel_for(cx, w->d->operation, (size_t)count, 1, body, w);
    for (int64_t i = 0; i < count && status == RILLE_OK; i++)
        if (w->failure[i] != 0)
            status = count == 1 ? rl_fail(cx, RILLE_ERROR_ARGUMENT, "%s: %s", w->d->operation, failure)
                                : rl_fail(cx, RILLE_ERROR_ARGUMENT, "%s: matrix %lld of %lld: %s", w->d->operation,
                                          (long long)i + 1, (long long)count, failure);
    rl_release(cx, w->failure, bytes);
    return status;
}

static int64_t count_of(const rille_tensor *t)
{
    return t->numel / (t->shape[t->rank - 2] * t->shape[t->rank - 1]);
}

static rille_status check_finite(const rl_decomposition *d, rille_tensor *t)
{
    if (t->numel == 0)
        return RILLE_OK;
    rille_tensor *dense = rl_dense(t);
    if (dense == NULL)
        return RILLE_ERROR_MEMORY;
    matrices w = {.d = d, .x = rl_data(dense), .matrix = (size_t)d->m * (size_t)d->n * rille_dtype_size(d->dtype)};
    const rille_status status = for_each(t->context, &w, count_of(t), look, "it holds a NaN or an infinity");
    rl_free_temporary(dense, t);
    return status;
}

rille_tensor *rl_check_matrices(const char *operation, rille_tensor *t, rl_decomposition *d)
{
    rille_context *cx = rl_enter(operation, RL_LIST(t));
    if (cx == NULL)
        return NULL;
    if (t->rank < 2) {
        rl_fail(cx, RILLE_ERROR_SHAPE, "%s: shape %s; [..., m, n] expected", operation, RL_SHAPE(t));
        return NULL;
    }
    const int64_t m = t->shape[t->rank - 2], n = t->shape[t->rank - 1], k = m < n ? m : n;
    if (m > INT_MAX || n > INT_MAX || k > 20000) { /* 4 k^2 is the most that LAPACK wants, and it counts in ints */
        rl_fail(cx, RILLE_ERROR_SHAPE, "%s: matrices of %s are larger than LAPACK takes", operation, RL_SHAPE(t));
        return NULL;
    }
    *d = (rl_decomposition){.operation = operation, .dtype = rl_floating(t->dtype), .m = (int)m, .n = (int)n, .k = (int)k};
    rille_tensor *floating = t->dtype == d->dtype ? t : rille_to(t, d->dtype);
    return floating == NULL || check_finite(d, floating) != RILLE_OK ? NULL : floating;
}

rille_tensor *rl_decomposed(const rl_decomposition *d, rille_tensor *t)
{
    rille_context *cx = t->context;
    int64_t shape[RILLE_MAX_RANK];
    memcpy(shape, t->shape, sizeof shape);
    shape[t->rank - 2] = d->rows;
    shape[t->rank - 1] = d->columns;
    rille_tensor *out = rl_new(cx, d->operation, d->dtype, t->rank, shape);
    if (out == NULL || out->numel == 0)
        return out;
    const size_t item = rille_dtype_size(d->dtype), matrix = (size_t)d->m * (size_t)d->n * item;
    const int64_t count = count_of(t);
    const size_t beside = (d->work + d->others) * item + d->integers * sizeof(int);
    size_t bytes;
    rille_tensor *dense = rl_dense(t);
    matrices w = {.d = d, .out = rl_data(out), .matrix = matrix, .each = rl_block_size(matrix) + rl_block_size(beside)};
    w.result = (size_t)(d->rows * d->columns) * item;
    rille_status status = RILLE_ERROR_MEMORY;
    if (dense != NULL && rl_multiply(rl_parallel_workers(cx, (size_t)count, 1), w.each, &bytes)) {
        w.x = rl_data(dense);
        w.scratch = rl_allocate(cx, bytes);
        if (w.scratch != NULL)
            status = for_each(cx, &w, count, decompose, "LAPACK found no decomposition");
        rl_release(cx, w.scratch, bytes);
    }
    if (dense != NULL)
        rl_free_temporary(dense, t);
    return rl_completed(out, status);
}

rille_status rl_give(const rille_tensor *t, int count, rille_tensor **part, rille_tensor **const *wanted)
{
    bool complete = true;
    for (int i = 0; i < count; i++)
        complete = complete && part[i] != NULL;
    for (int i = 0; i < count; i++) {
        if (!complete || wanted[i] == NULL)
            rille_free(part[i]);
        if (wanted[i] != NULL)
            *wanted[i] = complete ? part[i] : NULL;
    }
    return complete ? RILLE_OK : t == NULL ? RILLE_ERROR_NULL : rille_error_status(t->context);
}

/* LAPACK answers in its elements, and a float may have been rounded down. */
size_t rl_lapack_work(rille_dtype dtype, const void *work)
{
    const double wanted = dtype == RILLE_FLOAT32 ? (double)*(const float *)work * (1 + 0x1p-22) : *(const double *)work;
    return wanted > 1 ? (size_t)ceil(wanted) : 1;
}
