/* What a thread folds is fixed by sizes, and partial results are joined in order. */
#include "ops/fold.h"

#include "base/memory.h"
#include "base/parallel.h"

enum { SEGMENT = 32768, COLUMNS = 256 }; /* elements of a row, and columns, that one thread folds at a time */

bool rl_fold_begin(rl_fold_input *in, rille_tensor *t, const rl_reduction *r)
{
    *in = (rl_fold_input){.t = t, .results = 1, .size = (size_t)r->size};
    for (int d = 0; d < r->kept_rank; d++)
        in->results *= (size_t)r->kept_shape[d];
    /* Folding down columns needs no copy where the last dimension is kept; else rows are what lies together. */
    in->down = t->rank > 0 && !r->reduced[t->rank - 1] && r->size > 1;
    in->view = rl_grouped_view(t, r, in->down);
    in->dense = in->view == NULL ? NULL : rl_dense(in->view);
    return in->dense != NULL;
}

void rl_fold_release(const rl_fold_input *in, void *totals)
{
    rl_release(in->t->context, totals, in->results * sizeof(double));
}

static void put_totals(rille_tensor *out, const void *totals, size_t n)
{
    const double *fraction = totals;
    const int64_t *whole = totals;
    for (size_t i = 0; i < n; i++)
        switch (out->dtype) {
        case RILLE_FLOAT32: ((float *)rl_data(out))[i] = (float)fraction[i]; break;
        case RILLE_FLOAT64: ((double *)rl_data(out))[i] = fraction[i]; break;
        case RILLE_INT64: ((int64_t *)rl_data(out))[i] = whole[i]; break;
        case RILLE_UINT8: ((uint8_t *)rl_data(out))[i] = (uint8_t)whole[i]; break;
        case RILLE_BOOL: ((bool *)rl_data(out))[i] = whole[i] != 0; break;
        }
}

bool rl_fold_finish(rl_fold_input *in, void *totals, rille_tensor *out)
{
    if (totals != NULL)
        put_totals(out, totals, in->results);
    rl_fold_release(in, totals);
    rl_free_temporary(in->dense, in->view);
    rille_free(in->view);
    return totals != NULL;
}

typedef struct fold_work {
    rl_fold_row *row;   /* this, or */
    rl_fold_down *down; /* this */
    const char *x;
    size_t itemsize, size, results, segments;
    const double *each;
    double p;
    double *total; /* or int64_t, as large */
} fold_work;

static void fold_segments(void *work, size_t begin, size_t end) /* total[row, segment] */
{
    const fold_work *w = work;
    for (size_t i = begin; i < end; i++) {
        size_t row = i / w->segments, from = i % w->segments * SEGMENT;
        size_t n = w->size - from < SEGMENT ? w->size - from : SEGMENT;
        w->row(n, w->x + (row * w->size + from) * w->itemsize, w->each == NULL ? 0 : w->each[row], w->p, w->total + i);
    }
}

static void fold_columns(void *work, size_t begin, size_t end) /* total[column], over rows in their order */
{
    const fold_work *w = work;
    w->down(w->size, end - begin, w->results, w->x + begin * w->itemsize, w->each == NULL ? NULL : w->each + begin, w->p,
            w->total + begin);
}

static int kernel_of(rille_dtype dtype)
{
    switch (dtype) {
    case RILLE_FLOAT32: return RL_FOLD_FLOAT32;
    case RILLE_FLOAT64: return RL_FOLD_FLOAT64;
    case RILLE_INT64: return RL_FOLD_INT64;
    case RILLE_UINT8:
    case RILLE_BOOL: break;
    }
    return RL_FOLD_UINT8;
}

static rl_fold_kind joining(rl_fold_kind kind)
{
    switch (kind) {
    case RL_FOLD_PRODUCT: return RL_FOLD_PRODUCT;
    case RL_FOLD_LARGEST:
    case RL_FOLD_LARGEST_SIZE: return RL_FOLD_LARGEST;
    case RL_FOLD_SMALLEST:
    case RL_FOLD_SMALLEST_SIZE: return RL_FOLD_SMALLEST;
    default: return RL_FOLD_SUM;
    }
}

/* totals[row]: the row's segments, joined in order. */
static void join_segments(const fold_work *w, rl_fold_kind kind, rille_dtype dtype, double *totals)
{
    rl_fold_down *join = rl_fold_kernels_pick()->down[joining(kind)][rl_is_floating(dtype) ? RL_FOLD_FLOAT64 : RL_FOLD_INT64];
    for (size_t row = 0; row < w->results; row++)
        join(w->segments, 1, 1, w->total + row * w->segments, NULL, 0, totals + row);
}

static rille_status run(rille_context *cx, const char *operation, const fold_work *w, bool heavy)
{
    const size_t light = heavy ? RL_GRAIN_HEAVY : RL_GRAIN_LIGHT;
    if (w->down != NULL)
        return rl_parallel_for(cx, operation, w->results, COLUMNS, fold_columns, (void *)w);
    const size_t length = w->size < SEGMENT ? w->size : SEGMENT;
    return rl_parallel_for(cx, operation, w->results * w->segments, 1 + light / (length + 1), fold_segments, (void *)w);
}

void *rl_fold(const rl_fold_input *in, const char *operation, rl_fold_kind kind, const double *each, double p)
{
    rille_context *cx = in->t->context;
    const rille_dtype dtype = in->dense->dtype;
    const int kernel = kernel_of(dtype);
    const size_t chunks = in->down ? 1 : rl_chunks(in->size, SEGMENT), segments = chunks == 0 ? 1 : chunks;
    fold_work w = {in->down ? NULL : rl_fold_kernels_pick()->row[kind][kernel],
                   in->down ? rl_fold_kernels_pick()->down[kind][kernel] : NULL,
                   rl_data(in->dense),
                   rille_dtype_size(dtype),
                   in->size,
                   in->results,
                   segments,
                   each,
                   p,
                   NULL};
    const size_t bytes = in->results * sizeof(double);
    double *totals = rl_allocate(cx, bytes);
    if (totals == NULL)
        return NULL;
    w.total = segments == 1 ? totals : rl_allocate(cx, segments * bytes);
    rille_status status = RILLE_ERROR_MEMORY;
    if (w.total != NULL)
        status = run(cx, operation, &w, kind == RL_FOLD_POWERS || kind == RL_FOLD_EXPONENTIALS);
    if (status == RILLE_OK && segments > 1)
        join_segments(&w, kind, dtype, totals);
    if (segments > 1)
        rl_release(cx, w.total, segments * bytes);
    if (status == RILLE_OK)
        return totals;
    rl_fold_release(in, totals);
    return NULL;
}
