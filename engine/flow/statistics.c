/* What the gradient-flow tools measure of a tensor. Memory is read once: each chunk is summed up while it is in cache, and
 * the chunks are folded in order, so the result does not depend on the number of threads. */
#include "ops/ops.h"

#include "base/memory.h"
#include "base/parallel.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { CHUNK = RL_GRAIN_HEAVY };

/* Moments of x / 2^scale: with the largest |x| near 1, no square leaves float64's range, be x 1e-200 or 1e+200. */
typedef struct moments {
    int64_t zeros, subnormals, nans, infinities, finite;
    double min, max; /* of x */
    int scale;
    double mean, deviation; /* mean, and sum of squared deviations from it */
} moments;

/* 2^e as two factors: as one it could overflow or vanish where its product with x does not. */
typedef struct power_of_two {
    double half, rest;
} power_of_two;

static inline power_of_two power(int e)
{
    return (power_of_two){ldexp(1, e / 2), ldexp(1, e - e / 2)};
}

static inline double scaled(double x, power_of_two p)
{
    return x * p.half * p.rest;
}

#define DEFINE_CHUNK_MOMENTS(T, smallest_normal)                                                                               \
    static moments moments_of_##T(size_t n, const T *x)                                                                        \
    {                                                                                                                          \
        moments m = {.min = INFINITY, .max = -INFINITY};                                                                       \
        for (size_t i = 0; i < n; i++) {                                                                                       \
            const T size = x[i] < 0 ? -x[i] : x[i];                                                                            \
            const bool finite = size < (T)INFINITY;                                                                            \
            m.zeros += size == 0;                                                                                              \
            m.subnormals += size < (smallest_normal) && size > 0;                                                              \
            m.nans += x[i] != x[i];                                                                                            \
            m.infinities += size == (T)INFINITY;                                                                               \
            m.finite += finite;                                                                                                \
            m.min = finite && (double)x[i] < m.min ? (double)x[i] : m.min;                                                     \
            m.max = finite && (double)x[i] > m.max ? (double)x[i] : m.max;                                                     \
        }                                                                                                                      \
        if (m.finite == 0)                                                                                                     \
            return m;                                                                                                          \
        const double largest = fmax(fabs(m.min), fabs(m.max));                                                                 \
        if (largest > 0)                                                                                                       \
            frexp(largest, &m.scale);                                                                                          \
        const power_of_two down = power(-m.scale);                                                                             \
        for (size_t i = 0; i < n; i++)                                                                                         \
            m.mean += isfinite(x[i]) ? scaled((double)x[i], down) : 0;                                                         \
        m.mean /= (double)m.finite;                                                                                            \
        for (size_t i = 0; i < n; i++) {                                                                                       \
            const double d = isfinite(x[i]) ? scaled((double)x[i], down) - m.mean : 0;                                         \
            m.deviation += d * d;                                                                                              \
        }                                                                                                                      \
        return m;                                                                                                              \
    }

DEFINE_CHUNK_MOMENTS(float, FLT_MIN)
DEFINE_CHUNK_MOMENTS(double, DBL_MIN)

/* Chan, Golub & LeVeque 1979: the moments of two samples together. */
static moments fold(moments a, moments b)
{
    moments m = {.zeros = a.zeros + b.zeros,
                 .subnormals = a.subnormals + b.subnormals,
                 .nans = a.nans + b.nans,
                 .infinities = a.infinities + b.infinities,
                 .finite = a.finite + b.finite,
                 .min = fmin(a.min, b.min),
                 .max = fmax(a.max, b.max),
                 .scale = a.scale > b.scale ? a.scale : b.scale};
    if (a.finite == 0 || b.finite == 0) {
        const moments *only = a.finite == 0 ? &b : &a;
        m.scale = only->scale;
        m.mean = only->mean;
        m.deviation = only->deviation;
        return m;
    }
    const double na = (double)a.finite, nb = (double)b.finite;
    const double mean_a = scaled(a.mean, power(a.scale - m.scale)), mean_b = scaled(b.mean, power(b.scale - m.scale));
    const double gap = mean_b - mean_a;
    m.mean = mean_a + gap * (nb / (na + nb));
    m.deviation = scaled(a.deviation, power(2 * (a.scale - m.scale))) + scaled(b.deviation, power(2 * (b.scale - m.scale))) +
                  gap * gap * (na * nb / (na + nb));
    return m;
}

typedef struct measure_work {
    const rille_tensor *t; /* dense, floating */
    moments *chunk;
} measure_work;

static void measure_chunk(void *work, size_t begin, size_t end)
{
    const measure_work *w = work;
    const char *x = rl_data(w->t) + begin * rille_dtype_size(w->t->dtype);
    w->chunk[begin / CHUNK] = w->t->dtype == RILLE_FLOAT32 ? moments_of_float(end - begin, (const float *)x)
                                                           : moments_of_double(end - begin, (const double *)x);
}

static rille_status measure_dense(rille_tensor *t, moments *total)
{
    rille_context *cx = t->context;
    size_t chunks = rl_chunks((size_t)t->numel, CHUNK);
    measure_work w = {t, rl_allocate(cx, chunks * sizeof *w.chunk)};
    if (w.chunk == NULL)
        return RILLE_ERROR_MEMORY;
    rille_status status = rl_parallel_for(cx, "measure", (size_t)t->numel, CHUNK, measure_chunk, &w);
    *total = (moments){.min = INFINITY, .max = -INFINITY};
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
    moments m = {0};
    rille_status status = dense == NULL ? RILLE_ERROR_MEMORY : measure_dense(dense, &m);
    rl_free_temporary(dense, wide);
    rl_free_temporary(wide, t);
    if (status != RILLE_OK)
        return status;
    const double n = (double)m.finite;
    const double log10_of_scale = m.scale * 0.30102999566398119521;
    *statistics = (rille_statistics){
        .count = t->numel,
        .mean = n > 0 ? scaled(m.mean, power(m.scale)) : NAN,
        .std = n > 0 ? scaled(sqrt(m.deviation / n), power(m.scale)) : NAN,
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

rille_status rille_measure_saturated(rille_tensor *x, rille_activation act, const double *params, double threshold,
                                     double *share)
{
    rille_context *cx = rl_enter("measure_saturated", RL_LIST(x));
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    bool recording = rille_set_grad_enabled(cx, false);
    rille_tensor *slope = rille_derivative(x, act, 1, params);
    rille_tensor *size = rille_abs(slope);
    rille_tensor *limit = rille_scalar(cx, RILLE_FLOAT64, threshold);
    rille_tensor *flat = rille_less(size, limit), *mean = rille_mean(flat, NULL, 0, false);
    rille_set_grad_enabled(cx, recording);
    if (mean != NULL)
        *share = rille_item(mean);
    rille_status status = mean != NULL ? RILLE_OK : rille_error_status(cx);
    rille_free(mean);
    rille_free(flat);
    rille_free(limit);
    rille_free(size);
    rille_free(slope);
    return status;
}

rille_status rille_measure_dead(rille_tensor *y, double *share)
{
    rille_context *cx = rl_enter("measure_dead", RL_LIST(y));
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    if (y->rank == 0)
        return rl_fail(cx, RILLE_ERROR_SHAPE, "measure_dead: a tensor of rank 0 has no units; rank 1 or more expected");
    bool recording = rille_set_grad_enabled(cx, false);
    int64_t units = y->shape[y->rank - 1], rows = 1;
    for (int d = 0; d < y->rank - 1; d++)
        rows *= y->shape[d];
    rille_tensor *flat = rille_reshape(y, 2, (int64_t[]){rows, units});
    rille_tensor *zero = rille_scalar(cx, y->dtype, 0);
    rille_tensor *alive = rille_not_equal(flat, zero), *count = rille_sum(alive, (int[]){0}, 1, false);
    rille_set_grad_enabled(cx, recording);
    int64_t dead = 0;
    for (int64_t i = 0; count != NULL && i < units; i++)
        dead += ((const int64_t *)rl_data(count))[i] == 0;
    rille_status status = count != NULL ? RILLE_OK : rille_error_status(cx);
    if (status == RILLE_OK)
        *share = units > 0 ? (double)dead / (double)units : NAN;
    rille_free(count);
    rille_free(alive);
    rille_free(zero);
    rille_free(flat);
    return status;
}
