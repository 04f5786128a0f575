/* What the gradient-flow tools measure of a tensor. Memory is read once: each chunk is summed up while it is in cache, and
 * the chunks are folded in order, so the result does not depend on the number of threads. */
#include "flow/kernels.h"
#include "ops/ops.h"

#include "base/memory.h"
#include "base/parallel.h"

#include <math.h>
#include <string.h>

rl_power_of_two rl_power_of_two_at(int e)
{
    return (rl_power_of_two){ldexp(1, e / 2), ldexp(1, e - e / 2)};
}

static double scaled_by(double x, int e)
{
    return rl_scaled(x, rl_power_of_two_at(e));
}

/* Chan, Golub & LeVeque 1979: the moments of two samples together. */
static rl_moments fold(rl_moments a, rl_moments b)
{
    rl_moments m = {.zeros = a.zeros + b.zeros,
                    .subnormals = a.subnormals + b.subnormals,
                    .nans = a.nans + b.nans,
                    .infinities = a.infinities + b.infinities,
                    .finite = a.finite + b.finite,
                    .min = fmin(a.min, b.min),
                    .max = fmax(a.max, b.max),
                    .scale = a.scale > b.scale ? a.scale : b.scale};
    if (a.finite == 0 || b.finite == 0) {
        const rl_moments *only = a.finite == 0 ? &b : &a;
        m.scale = only->scale;
        m.mean = only->mean;
        m.deviation = only->deviation;
        return m;
    }
    const double na = (double)a.finite, nb = (double)b.finite;
    const double mean_a = scaled_by(a.mean, a.scale - m.scale), mean_b = scaled_by(b.mean, b.scale - m.scale);
    const double gap = mean_b - mean_a;
    m.mean = mean_a + gap * (nb / (na + nb));
    m.deviation = scaled_by(a.deviation, 2 * (a.scale - m.scale)) + scaled_by(b.deviation, 2 * (b.scale - m.scale)) +
                  gap * gap * (na * nb / (na + nb));
    return m;
}

typedef struct measure_work {
    const rille_tensor *t; /* dense, floating */
    rl_moments *chunk;
} measure_work;

static void measure_chunk(void *work, size_t begin, size_t end)
{
    const measure_work *w = work;
    rl_flow_kernels_pick()->moments[w->t->dtype](end - begin, rl_data(w->t) + begin * rille_dtype_size(w->t->dtype),
                                                 &w->chunk[begin / RL_MOST_MEASURED]);
}

static rille_status measure_dense(rille_tensor *t, rl_moments *total)
{
    rille_context *cx = t->context;
    size_t chunks = rl_chunks((size_t)t->numel, RL_MOST_MEASURED);
    measure_work w = {t, rl_allocate(cx, chunks * sizeof *w.chunk)};
    if (w.chunk == NULL)
        return RILLE_ERROR_MEMORY;
    rille_status status = rl_parallel_for(cx, "measure", (size_t)t->numel, RL_MOST_MEASURED, measure_chunk, &w);
    *total = (rl_moments){.min = INFINITY, .max = -INFINITY};
    for (size_t i = 0; status == RILLE_OK && i < chunks; i++)
        *total = fold(*total, w.chunk[i]);
    rl_release(cx, w.chunk, chunks * sizeof *w.chunk);
    return status;
}

rille_status rille_measure(rille_tensor *t, rille_statistics *statistics)
{
    if (rl_enter("measure", RL_LIST(t)) == NULL)
        return RILLE_ERROR_NULL;
    rille_tensor *wide = rl_as(t, rl_is_floating(t->dtype) ? t->dtype : RILLE_FLOAT64);
    rille_tensor *dense = wide == NULL ? NULL : rl_dense(wide);
    rl_moments m = {0};
    rille_status status = dense == NULL ? RILLE_ERROR_MEMORY : measure_dense(dense, &m);
    rl_free_temporary(dense, wide);
    rl_free_temporary(wide, t);
    if (status != RILLE_OK)
        return status;
    const double n = (double)m.finite;
    const double log10_of_scale = m.scale * 0.30102999566398119521;
    *statistics = (rille_statistics){
        .count = t->numel,
        .mean = n > 0 ? scaled_by(m.mean, m.scale) : NAN,
        .std = n > 0 ? scaled_by(sqrt(m.deviation / n), m.scale) : NAN,
        .log10_norm = log10_of_scale + 0.5 * log10(m.deviation + n * m.mean * m.mean),
        .min = n > 0 ? m.min : NAN,
        .max = n > 0 ? m.max : NAN,
        .zeros = m.zeros,
        .subnormals = m.subnormals,
        .nans = m.nans,
        .infinities = m.infinities,
    };
    return RILLE_OK;
}

/* ---- Shares of units and elements ---- */

rille_status rille_measure_below(rille_tensor *t, double threshold, double *share)
{
    if (rl_enter("measure_below", RL_LIST(t)) == NULL)
        return RILLE_ERROR_NULL;
    rille_tensor *dense = rl_dense_floating(t);
    if (dense == NULL)
        return rille_error_status(t->context);
    size_t below = rl_flow_kernels_pick()->count_below[dense->dtype]((size_t)dense->numel, rl_data(dense), threshold);
    *share = (double)below / (double)dense->numel; /* NaN without elements */
    rl_free_temporary(dense, t);
    return RILLE_OK;
}

/* f'(x), dense. NULL where it fails. */
static rille_tensor *slope_at(rille_tensor *x, rille_activation act, const double *params)
{
    bool recording = rille_set_grad_enabled(x->context, false);
    rille_tensor *slope = rille_derivative(x, act, 1, params);
    rille_set_grad_enabled(x->context, recording);
    return slope;
}

rille_status rille_measure_saturated(rille_tensor *x, rille_activation act, const double *params, double threshold,
                                     double *share)
{
    rille_context *cx = rl_enter("measure_saturated", RL_LIST(x));
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    rille_tensor *slope = slope_at(x, act, params);
    if (slope == NULL)
        return rille_error_status(cx);
    rille_status status = rille_measure_below(slope, threshold, share);
    rille_free(slope);
    return status;
}

static rille_status mark_alive(rille_tensor *y, size_t rows, size_t units, bool *alive)
{
    rille_tensor *dense = rl_dense_floating(y);
    if (dense != NULL)
        rl_flow_kernels_pick()->mark_nonzero[dense->dtype](rows, units, rl_data(dense), alive);
    rille_status status = dense == NULL ? RILLE_ERROR_MEMORY : RILLE_OK;
    rl_free_temporary(dense, y);
    return status;
}

rille_status rille_measure_dead(rille_tensor *y, double *share)
{
    rille_context *cx = rl_enter("measure_dead", RL_LIST(y));
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    if (y->rank == 0)
        return rl_fail(cx, RILLE_ERROR_SHAPE, "measure_dead: a tensor of rank 0 has no units; rank 1 or more expected");
    size_t units = (size_t)y->shape[y->rank - 1], rows = 1, dead = 0;
    for (int d = 0; d < y->rank - 1; d++)
        rows *= (size_t)y->shape[d];
    bool *alive = rl_allocate_zeroed(cx, units * sizeof *alive);
    if (alive == NULL)
        return RILLE_ERROR_MEMORY;
    rille_status status = mark_alive(y, rows, units, alive);
    for (size_t j = 0; j < units; j++)
        dead += !alive[j];
    rl_release(cx, alive, units * sizeof *alive);
    if (status == RILLE_OK)
        *share = (double)dead / (double)units; /* NaN without units */
    return status;
}
