/* The passes of normalisations over [samples, groups, channels, inner]. A row is one group of one sample, which lies together. A
 * run is what shares a mean, or a weight: a channel's inner elements or, where there is one of these each, a row's channels. */
#include "ops/fold_kernels.h"
#include "ops/normalisation.h"

#include "base/memory.h"
#include "base/parallel.h"

#include <math.h>
#include <string.h>

enum { COLUMNS = 256 }; /* channels that one thread adds at a time, where they lie together */

static size_t row_length(const rl_norm *w)
{
    return w->channels * w->inner;
}

/* ---- Maps: row by row ---- */

typedef struct map_work {
    const rl_norm *norm;
    char *out;
} map_work;

static rl_terms terms_at(const rl_norm *w, size_t statistic, size_t channel)
{
    return (rl_terms){w->mean + statistic,
                      w->scale + statistic,
                      w->weight + channel,
                      w->bias + channel,
                      w->first == NULL ? NULL : w->first + statistic,
                      w->second == NULL ? NULL : w->second + statistic};
}

/* normalise, or differentiate where g is given, for the runs of a row. */
static void map_row(const rl_norm *w, size_t row, char *out)
{
    const rl_normalisation_kernels *k = rl_normalisation_kernels_pick();
    const size_t runs = w->inner == 1 ? 1 : w->channels, n = w->inner == 1 ? w->channels : w->inner;
    const rl_shared shared = w->inner > 1 ? RL_SHARE_BOTH : w->by_channel ? RL_SHARE_NOTHING : RL_SHARE_STATISTICS;
    for (size_t run = 0; run < runs; run++) {
        const size_t at = (row * row_length(w) + run * n) * w->item;
        const rl_terms t = terms_at(w, w->by_channel ? run : row, row % w->groups * w->channels + run);
        if (w->g == NULL)
            k->normalise[shared][w->kernel](n, &t, w->x + at, out + at);
        else
            k->differentiate[shared][w->kernel](n, &t, w->x + at, w->g + at, out + at);
    }
}

static void map_rows(void *work, size_t begin, size_t end)
{
    const map_work *m = work;
    for (size_t row = begin; row < end; row++)
        map_row(m->norm, row, m->out);
}

/* By rows: the gradient's two statistics, the means of g w and of g w x^, and then its map. */
static void differentiate_rows(void *work, size_t begin, size_t end)
{
    const map_work *m = work;
    const rl_norm *w = m->norm;
    const rl_normalisation_kernels *k = rl_normalisation_kernels_pick();
    const bool flat = w->inner == 1; /* each element has its own weight; else a run has one, a factor of its sums */
    const size_t runs = flat ? 1 : w->channels, n = flat ? w->channels : w->inner;
    for (size_t row = begin; row < end; row++) {
        double total[2] = {0, 0};
        for (size_t run = 0; run < runs; run++) {
            const size_t at = (row * row_length(w) + run * n) * w->item;
            const double *weight = w->weight + row % w->groups * w->channels + run;
            double sum[2] = {0, 0};
            k->sum_products[w->kernel](n, w->x + at, w->g + at, w->mean[row], w->scale[row], flat ? weight : NULL, sum);
            total[0] += sum[0] * (flat ? 1 : *weight);
            total[1] += sum[1] * (flat ? 1 : *weight);
        }
        w->first[row] = w->centred ? total[0] / (double)row_length(w) : 0;
        w->second[row] = total[1] / (double)row_length(w);
        map_row(w, row, m->out);
    }
}

static rille_status each_row(rille_context *cx, const rl_norm *w, rl_body *body, char *out)
{
    map_work work = {w, out};
    return rl_parallel_for(cx, w->name, w->samples * w->groups, 1 + RL_GRAIN_MEDIUM / (row_length(w) + 1), body, &work);
}

rille_status rl_norm_apply(rille_context *cx, const rl_norm *w, char *y)
{
    return each_row(cx, w, map_rows, y);
}

rille_status rl_norm_differentiate(rille_context *cx, const rl_norm *w, char *dx)
{
    return each_row(cx, w, w->by_channel ? map_rows : differentiate_rows, dx);
}

/* ---- Sums of each channel over samples, in segments of them that are folded in order ---- */

typedef enum sum_kind { SUM, SQUARES, PRODUCTS } sum_kind;

typedef struct sum_work {
    const rl_norm *norm;
    sum_kind kind;
    size_t all, block, blocks; /* channels of all groups; of them, done at a time */
    size_t segment, segments;  /* samples whose sums are one */
    double *total;             /* [segments, 2, all] */
} sum_work;

/* Adds one channel's inner elements of one sample. */
static void add_run(const sum_work *s, size_t sample, size_t channel, double *first, double *second)
{
    const rl_norm *w = s->norm;
    const rl_normalisation_kernels *k = rl_normalisation_kernels_pick();
    const rl_fold_kernels *fold = rl_fold_kernels_pick();
    const size_t at = (sample * s->all + channel) * w->inner * w->item;
    const size_t statistic = w->by_channel ? channel : sample * w->groups + channel / w->channels;
    double sum[2] = {0, 0};
    if (s->kind == SUM)
        fold->row[RL_FOLD_SUM][w->kernel](w->inner, w->x + at, 0, 0, sum);
    else if (s->kind == SQUARES)
        fold->row[RL_FOLD_DEVIATIONS][w->kernel](w->inner, w->x + at, w->mean[statistic], 0, sum);
    else
        k->sum_products[w->kernel](w->inner, w->x + at, w->g + at, w->mean[statistic], w->scale[statistic], NULL, sum);
    *first += sum[0];
    *second += sum[1];
}

/* Adds channels from ... end - 1 of one sample, of one element each, to first[from], second[from] and so on. */
static void add_channels(const sum_work *s, size_t sample, size_t from, size_t end, double *first, double *second)
{
    const rl_norm *w = s->norm;
    const rl_normalisation_kernels *k = rl_normalisation_kernels_pick();
    while (from < end) {
        const size_t rest = w->channels - from % w->channels, n = end - from < rest ? end - from : rest;
        const size_t at = (sample * s->all + from) * w->item;
        const size_t statistic = w->by_channel ? from : sample * w->groups + from / w->channels;
        if (s->kind == SUM)
            k->add[w->kernel](n, w->x + at, first + from);
        else if (s->kind == SQUARES)
            k->add_squares[w->kernel](n, w->x + at, w->mean + statistic, first + from);
        else
            k->add_products[w->by_channel][w->kernel](n, w->x + at, w->g + at, w->mean + statistic, w->scale + statistic,
                                                      first + from, second + from);
        from += n;
    }
}

static void sum_units(void *work, size_t begin, size_t end)
{
    const sum_work *s = work;
    for (size_t i = begin; i < end; i++) {
        const size_t segment = i / s->blocks, from = i % s->blocks * s->block;
        const size_t until = s->all - from < s->block ? s->all : from + s->block;
        const size_t left = s->norm->samples - segment * s->segment, samples = left < s->segment ? left : s->segment;
        double *first = s->total + 2 * segment * s->all, *second = first + s->all;
        memset(first + from, 0, (until - from) * sizeof *first);
        memset(second + from, 0, (until - from) * sizeof *second);
        for (size_t k = 0; k < samples; k++) {
            if (s->norm->inner == 1)
                add_channels(s, segment * s->segment + k, from, until, first, second);
            else
                for (size_t channel = from; channel < until; channel++)
                    add_run(s, segment * s->segment + k, channel, first + channel, second + channel);
        }
    }
}

static void fold(const sum_work *s, double *first, double *second)
{
    for (size_t channel = 0; channel < s->all; channel++) {
        double sum[2] = {0, 0};
        for (size_t segment = 0; segment < s->segments; segment++)
            for (int i = 0; i < 2; i++)
                sum[i] += s->total[(2 * segment + (size_t)i) * s->all + channel];
        first[channel] = sum[0];
        if (second != NULL)
            second[channel] = sum[1];
    }
}

static rille_status sum_channels(rille_context *cx, const rl_norm *w, sum_kind kind, double *first, double *second)
{
    sum_work s = {.norm = w, .kind = kind, .all = w->groups * w->channels, .block = w->inner == 1 ? COLUMNS : 1};
    const size_t width = (s.all < s.block ? s.all : s.block) * w->inner + 1;
    s.blocks = rl_chunks(s.all, s.block);
    s.segment = 1 + RL_GRAIN_MEDIUM / width;
    s.segments = rl_chunks(w->samples, s.segment);
    const size_t bytes = 2 * s.segments * s.all * sizeof(double), length = width * s.segment;
    s.total = rl_allocate(cx, bytes);
    if (s.total == NULL)
        return RILLE_ERROR_MEMORY;
    const rille_status status =
        rl_parallel_for(cx, w->name, s.blocks * s.segments, 1 + RL_GRAIN_MEDIUM / length, sum_units, &s);
    fold(&s, first, second);
    rl_release(cx, s.total, bytes);
    return status;
}

rille_status rl_norm_sum_products(rille_context *cx, const rl_norm *w, double *first, double *second)
{
    return sum_channels(cx, w, PRODUCTS, first, second);
}

/* ---- Statistics: the variance about a mean that is there already, so that it loses nothing ---- */

static double scale_of(double variance, double eps)
{
    return 1 / sqrt(variance + eps);
}

static void measure_rows(void *work, size_t begin, size_t end)
{
    const map_work *m = work;
    const rl_norm *w = m->norm;
    const size_t n = row_length(w);
    for (size_t row = begin; row < end; row++) {
        const char *x = w->x + row * n * w->item;
        const rl_fold_kernels *fold = rl_fold_kernels_pick();
        double sum = 0, squares;
        if (w->centred)
            fold->row[RL_FOLD_SUM][w->kernel](n, x, 0, 0, &sum);
        w->mean[row] = sum / (double)n;
        fold->row[RL_FOLD_DEVIATIONS][w->kernel](n, x, w->mean[row], 0, &squares);
        w->scale[row] = scale_of(squares / (double)n, w->eps);
    }
}

static rille_status measure_channels(rille_context *cx, rl_norm *w, double *variance)
{
    const double n = (double)rl_norm_count(w);
    rille_status status = sum_channels(cx, w, SUM, w->mean, NULL);
    for (size_t i = 0; i < w->channels; i++)
        w->mean[i] /= n;
    if (status == RILLE_OK)
        status = sum_channels(cx, w, SQUARES, w->scale, NULL);
    for (size_t i = 0; i < w->channels; i++) {
        variance[i] = w->scale[i] / n;
        w->scale[i] = scale_of(variance[i], w->eps);
    }
    return status;
}

rille_status rl_norm_measure(rille_context *cx, rl_norm *w, double *variance)
{
    return w->by_channel ? measure_channels(cx, w, variance) : each_row(cx, w, measure_rows, NULL);
}
