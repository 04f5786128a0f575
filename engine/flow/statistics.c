/* What the gradient-flow tools measure of a tensor. Memory is read once: each chunk is summed up while it is in cache, and
 * the chunks are folded in order, so the result does not depend on the number of threads. */
#include "flow/early.h"
#include "flow/kernels.h"
#include "ops/ops.h"
#include "tensor/extent.h"

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

/* ---- Many tensors in one parallel pass ---- */

/* One tensor of the many; chunks holds what was found in each RL_MOST_MEASURED of its elements. */
typedef struct subject {
    rille_dtype dtype;
    const char *x;
    char *previous; /* NULL, or what x is compared with: x - previous is measured, and previous becomes x */
    const rille_intervals *within;
    size_t n, units; /* elements; the size of the last dimension, 0 where there is none */
    size_t first;    /* of its chunks, among all */
    rille_statistics *into;
} subject;

typedef struct chunk {
    rl_moments moments;
    int64_t within;
} chunk;

typedef struct measure_work {
    const subject *subjects;
    const int *owner; /* of each chunk: which subject */
    chunk *chunks;
} measure_work;

static int64_t count_within(const subject *s, size_t n, const void *x)
{
    int64_t count = 0;
    for (int i = 0; s->within != NULL && i < s->within->count; i++)
        count += (int64_t)rl_flow_kernels_pick()->count_within[s->dtype](n, x, s->within->low[i], s->within->high[i]);
    return count;
}

static void measure_chunks(void *work, size_t begin, size_t end)
{
    const measure_work *w = work;
    const rl_flow_kernels *kernels = rl_flow_kernels_pick();
    double difference[RL_MOST_MEASURED];
    for (size_t i = begin; i < end; i++) {
        const subject *s = &w->subjects[w->owner[i]];
        const size_t from = (i - s->first) * RL_MOST_MEASURED, left = s->n - from, item = rille_dtype_size(s->dtype);
        const size_t n = left < RL_MOST_MEASURED ? left : RL_MOST_MEASURED;
        const char *x = s->x + from * item;
        if (s->previous == NULL) {
            kernels->moments[s->dtype](n, x, &w->chunks[i].moments);
            w->chunks[i].within = count_within(s, n, x);
        } else {
            w->chunks[i].within = 0;
            kernels->subtract[s->dtype](n, x, s->previous + from * item, difference);
            kernels->moments[s->dtype](n, difference, &w->chunks[i].moments);
        }
    }
}

/* Units that are 0 in every row. As long as fewer elements are 0 than there are rows, none is. */
static rille_status count_dead(rille_context *cx, const subject *s)
{
    enum { AT_ONCE = 32 }; /* rows */
    const size_t rows = s->units == 0 ? 0 : s->n / s->units;
    if (rows == 0 && s->units > 0)
        s->into->dead = (int64_t)s->units;
    if (rows == 0 || (size_t)s->into->zeros < rows)
        return RILLE_OK;
    bool *alive = rl_allocate_zeroed(cx, s->units * sizeof *alive);
    if (alive == NULL)
        return RILLE_ERROR_MEMORY;
    size_t dead = s->units;
    for (size_t row = 0, count; row < rows && dead > 0; row += count) { /* most nets show soon that all are alive */
        count = rows - row < AT_ONCE ? rows - row : AT_ONCE;
        rl_flow_kernels_pick()->mark_nonzero[s->dtype](count, s->units, s->x + row * s->units * rille_dtype_size(s->dtype),
                                                       alive);
        dead = 0;
        for (size_t j = 0; j < s->units; j++)
            dead += !alive[j];
    }
    s->into->dead = (int64_t)dead;
    rl_release(cx, alive, s->units * sizeof *alive);
    return RILLE_OK;
}

static void put_statistics(const subject *s, const chunk *chunks)
{
    rl_moments m = {.min = INFINITY, .max = -INFINITY};
    int64_t within = 0;
    for (size_t i = 0; i < rl_chunks(s->n, RL_MOST_MEASURED); i++) {
        m = fold(m, chunks[i].moments);
        within += chunks[i].within;
    }
    const double n = (double)m.finite, log10_of_scale = m.scale * 0.30102999566398119521;
    *s->into = (rille_statistics){
        .count = (int64_t)s->n,
        .mean = n > 0 ? scaled_by(m.mean, m.scale) : NAN,
        .std = n > 0 ? scaled_by(sqrt(m.deviation / n), m.scale) : NAN,
        .log10_norm = log10_of_scale + 0.5 * log10(m.deviation + n * m.mean * m.mean),
        .min = n > 0 ? m.min : NAN,
        .max = n > 0 ? m.max : NAN,
        .zeros = m.zeros,
        .subnormals = m.subnormals,
        .nans = m.nans,
        .infinities = m.infinities,
        .within = within,
    };
}

/* In parallel, so many chunks at a time, many of which may be small, as hold a grain's elements together. */
static rille_status measure_listed(rille_context *cx, const char *operation, int count, const subject *subjects,
                                   size_t elements, size_t total, int *owner, chunk *chunks)
{
    const size_t grain = elements <= RL_GRAIN_MEDIUM ? total + 1 : rl_chunks(total, rl_chunks(elements, RL_GRAIN_MEDIUM));
    for (int i = 0; i < count; i++)
        for (size_t k = 0; k < rl_chunks(subjects[i].n, RL_MOST_MEASURED); k++)
            owner[subjects[i].first + k] = i;
    measure_work w = {subjects, owner, chunks};
    rille_status status = rl_parallel_for(cx, operation, total, grain, measure_chunks, &w);
    for (int i = 0; status == RILLE_OK && i < count; i++) {
        put_statistics(&subjects[i], chunks + subjects[i].first);
        status = count_dead(cx, &subjects[i]);
    }
    return status;
}

static rille_status measure_subjects(rille_context *cx, const char *operation, int count, subject *subjects)
{
    enum { FEW = 8 };
    int few_owners[FEW];
    chunk few[FEW];
    size_t total = 0, elements = 0;
    for (int i = 0; i < count; i++) {
        subjects[i].first = total;
        total += rl_chunks(subjects[i].n, RL_MOST_MEASURED);
        elements += subjects[i].n;
    }
    if (total <= FEW)
        return measure_listed(cx, operation, count, subjects, elements, total, few_owners, few);
    int *owner = rl_allocate(cx, total * sizeof *owner);
    chunk *chunks = owner == NULL ? NULL : rl_allocate(cx, total * sizeof *chunks);
    rille_status status = RILLE_ERROR_MEMORY;
    if (chunks != NULL)
        status = measure_listed(cx, operation, count, subjects, elements, total, owner, chunks);
    rl_release(cx, chunks, total * sizeof *chunks);
    rl_release(cx, owner, total * sizeof *owner);
    return status;
}

/* t, or a temporary that is dense and floating. */
static rille_tensor *measurable(rille_tensor *t)
{
    rille_tensor *wide = rl_as(t, rl_is_floating(t->dtype) ? t->dtype : RILLE_FLOAT64);
    rille_tensor *dense = wide == NULL ? NULL : rl_dense(wide);
    if (dense != wide)
        rl_free_temporary(wide, t);
    return dense;
}

static subject subject_of(const rille_tensor *dense, const rille_intervals *within, rille_statistics *into)
{
    return (subject){.dtype = dense->dtype,
                     .x = rl_data(dense),
                     .n = (size_t)dense->numel,
                     .units = dense->rank == 0 ? 0 : (size_t)dense->shape[dense->rank - 1],
                     .within = within,
                     .into = into};
}

rille_status rille_measure_many(rille_context *cx, int count, rille_tensor *const *tensors,
                                const rille_intervals *const *within, rille_statistics *statistics)
{
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    if (count > 0 && (tensors == NULL || statistics == NULL))
        return rl_fail(cx, RILLE_ERROR_NULL, "measure_many: %s NULL",
                       tensors == NULL ? "the list of tensors is" : "the statistics are");
    for (int i = 0; i < count; i++)
        if (tensors[i] != NULL && tensors[i]->context != cx)
            return rl_fail(cx, RILLE_ERROR_ARGUMENT, "measure_many: tensor %d is of another context",
                           i + cx->options.index_base);
    const size_t most = count > 0 ? (size_t)count : 1;
    subject *subjects = rl_allocate_zeroed(cx, most * sizeof *subjects);
    rille_tensor **dense = rl_allocate_zeroed(cx, most * sizeof *dense);
    rille_status status = subjects == NULL || dense == NULL ? RILLE_ERROR_MEMORY : RILLE_OK;
    int listed = 0;
    for (int i = 0; status == RILLE_OK && i < count; i++) {
        const rille_intervals *counted = within == NULL ? NULL : within[i];
        if (tensors[i] != NULL && rl_kept_statistics(tensors[i], counted, &statistics[i]))
            continue;
        subject *s = &subjects[listed++];
        s->into = &statistics[i];
        if (tensors[i] == NULL)
            continue;
        dense[i] = measurable(tensors[i]);
        if (dense[i] != NULL)
            *s = subject_of(dense[i], counted, &statistics[i]);
        else
            status = rille_error_status(cx);
    }
    if (status == RILLE_OK)
        status = measure_subjects(cx, "measure_many", listed, subjects);
    for (int i = 0; dense != NULL && i < count; i++)
        if (dense[i] != NULL)
            rl_free_temporary(dense[i], tensors[i]);
    rl_release(cx, dense, most * sizeof *dense);
    rl_release(cx, subjects, most * sizeof *subjects);
    return status;
}

rille_status rl_measure_one(const char *operation, rille_tensor *t, const rille_intervals *within, rille_statistics *statistics)
{
    rille_tensor *dense = measurable(t);
    if (dense == NULL)
        return rille_error_status(t->context);
    subject s = subject_of(dense, within, statistics);
    const rille_status status = measure_subjects(t->context, operation, 1, &s);
    rl_free_temporary(dense, t);
    return status;
}

rille_status rille_measure(rille_tensor *t, rille_statistics *statistics)
{
    rille_context *cx = rl_enter("measure", RL_LIST(t));
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    return rl_kept_statistics(t, NULL, statistics) ? RILLE_OK : rl_measure_one("measure", t, NULL, statistics);
}

static rille_status check_pair(rille_context *cx, int i, const rille_tensor *t, const rille_tensor *previous)
{
    const int at = i + cx->options.index_base;
    if (t == NULL || previous == NULL || t->context != cx || previous->context != cx)
        return rl_fail(cx, RILLE_ERROR_NULL, "measure_changes: tensor %d, or what it was, is no tensor of this context", at);
    if (!rl_is_floating(t->dtype) || previous->dtype != t->dtype || !rl_same_shape(t, previous) || !rille_is_contiguous(t) ||
        !rille_is_contiguous(previous))
        return rl_fail(cx, RILLE_ERROR_SHAPE,
                       "measure_changes: tensor %d is %s %s, what it was %s %s; contiguous floating ones "
                       "of one shape expected",
                       at, rille_dtype_name(t->dtype), RL_SHAPE(t), rille_dtype_name(previous->dtype), RL_SHAPE(previous));
    return RILLE_OK;
}

/* Two threads may not write to one place. */
static rille_status check_previous_apart(rille_context *cx, int count, rille_tensor *const *previous)
{
    const size_t n = (size_t)count, bytes = n * sizeof(rl_extent);
    rl_extent *list = rl_allocate(cx, bytes);
    if (list == NULL)
        return RILLE_ERROR_MEMORY;
    size_t filled = 0;
    for (int i = 0; i < count; i++)
        if (previous[i]->numel > 0)
            list[filled++] = rl_extent_of(previous[i], i);
    const bool apart = rl_first_overlap(filled, list) == NULL;
    rl_release(cx, list, bytes);
    return apart ? RILLE_OK
                 : rl_fail(cx, RILLE_ERROR_ARGUMENT,
                           "measure_changes: two of the tensors are compared with one in the same memory");
}

rille_status rille_measure_changes(rille_context *cx, int count, rille_tensor *const *tensors, rille_tensor *const *previous,
                                   rille_statistics *statistics)
{
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    if (count > 0 && (tensors == NULL || previous == NULL || statistics == NULL))
        return rl_fail(cx, RILLE_ERROR_NULL, "measure_changes: a list is NULL");
    rille_status status = RILLE_OK;
    for (int i = 0; status == RILLE_OK && i < count; i++)
        status = check_pair(cx, i, tensors[i], previous[i]);
    if (status == RILLE_OK)
        status = check_previous_apart(cx, count, previous);
    const size_t most = count > 0 ? (size_t)count : 1;
    subject *subjects = status != RILLE_OK ? NULL : rl_allocate_zeroed(cx, most * sizeof *subjects);
    if (subjects == NULL)
        return status == RILLE_OK ? RILLE_ERROR_MEMORY : status;
    for (int i = 0; i < count; i++) {
        subjects[i] = (subject){.dtype = tensors[i]->dtype,
                                .x = rl_data(tensors[i]),
                                .previous = rl_data(previous[i]),
                                .n = (size_t)tensors[i]->numel,
                                .into = &statistics[i]};
        rille_touch(previous[i]);
    }
    status = measure_subjects(cx, "measure_changes", count, subjects);
    rl_release(cx, subjects, most * sizeof *subjects);
    return status;
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

rille_status rille_measure_dead(rille_tensor *y, double *share)
{
    rille_context *cx = rl_enter("measure_dead", RL_LIST(y));
    rille_statistics statistics = {.count = 0};
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    if (y->rank == 0)
        return rl_fail(cx, RILLE_ERROR_SHAPE, "measure_dead: a tensor of rank 0 has no units; rank 1 or more expected");
    rille_status status = rille_measure(y, &statistics);
    if (status == RILLE_OK)
        *share = (double)statistics.dead / (double)y->shape[y->rank - 1]; /* NaN without units */
    return status;
}
