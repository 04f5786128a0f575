/* Steps of random programs that layers are made of: products, windows, normalisation, dropout, recurrence. */
#ifndef RILLE_TESTS_PROGRAM_LAYERS_H
#define RILLE_TESTS_PROGRAM_LAYERS_H

#include "engine/programs.h"

/* ---- Products ---- */

static inline void step_product(program *p) /* matmul by a new matrix, or linear by its transpose */
{
    int from = any(p);
    const plain *x = &p->expected[from];
    bool linear = random_below(&p->rng, 2) == 0;
    if (x->rank == 0 || !is_floating(x->dtype) || !(largest(x) <= 1e4L))
        return;
    int64_t inner = x->shape[x->rank - 1], columns = 1 + random_below(&p->rng, 4), shape[RILLE_MAX_RANK], index[RILLE_MAX_RANK];
    memcpy(shape, x->shape, sizeof shape);
    shape[x->rank - 1] = columns;
    if (count_of(x->rank, shape) > MOST_ELEMENTS)
        return;
    plain v = fresh(p, x->dtype, x->rank, shape), w;
    rille_tensor *weights = random_weights(p, x->dtype, 2, (int64_t[]){linear ? columns : inner, linear ? inner : columns}, &w);
    for (int64_t i = 0; i < v.numel; i++) {
        position(&v, i, index);
        int64_t column = index[x->rank - 1];
        for (int64_t k = 0; k < inner; k++) {
            index[x->rank - 1] = k;
            v.store[i] += get(x, number_of(x, index)) * w.store[linear ? column * inner + k : k * columns + column];
        }
    }
    p->step = linear ? "linear" : "matmul";
    rille_tensor *t = p->tensor[from];
    add_close(p, linear ? rille_linear(t, weights, NULL) : rille_matmul(t, weights), v,
              (long double)(2 * inner + 2) * 4 * largest(x) * epsilon_of(x->dtype));
    rille_free(weights);
}

static inline void step_gram(program *p) /* matmul by its own transpose, in batches */
{
    int from = any(p);
    const plain *x = &p->expected[from];
    if (x->rank < 2 || !is_floating(x->dtype) || !(largest(x) <= 1e4L))
        return;
    int64_t n = x->shape[x->rank - 2], inner = x->shape[x->rank - 1], shape[RILLE_MAX_RANK];
    memcpy(shape, x->shape, sizeof shape);
    shape[x->rank - 1] = n;
    if (count_of(x->rank, shape) > MOST_ELEMENTS)
        return;
    plain v = fresh(p, x->dtype, x->rank, shape);
    for (int64_t i = 0; i < v.numel; i++)
        for (int64_t k = 0; k < inner; k++) /* rows i / n, and of the same matrix i % n */
            v.store[i] += get(x, i / n * inner + k) * get(x, (i / n / n * n + i % n) * inner + k);
    p->step = "matmul";
    rille_tensor *t = p->tensor[from], *turned = rille_transpose(t, -2, -1);
    add_close(p, rille_matmul(t, turned), v, (long double)(2 * inner + 2) * largest(x) * largest(x) * epsilon_of(x->dtype));
    rille_free(turned);
}

static inline void step_vectors(program *p) /* dot and outer, with a new vector */
{
    int from = any(p);
    const plain *x = &p->expected[from];
    bool outer = random_below(&p->rng, 2) == 0;
    if (x->rank != 1 || !is_floating(x->dtype) || !(largest(x) <= 1e4L))
        return;
    int64_t n = x->shape[0], columns = outer ? random_below(&p->rng, 5) : n;
    if (outer && n * columns > MOST_ELEMENTS)
        return;
    plain v = fresh(p, x->dtype, outer ? 2 : 0, (int64_t[]){n, columns}), w;
    rille_tensor *weights = random_weights(p, x->dtype, 1, &columns, &w);
    for (int64_t i = 0; i < (outer ? v.numel : n); i++)
        v.store[outer ? i : 0] += get(x, outer ? i / columns : i) * w.store[outer ? i % columns : i];
    p->step = outer ? "outer" : "dot";
    rille_tensor *t = p->tensor[from];
    add_close(p, outer ? rille_outer(t, weights) : rille_dot(t, weights), v,
              (long double)(outer ? 0 : 2 * n + 2) * 4 * largest(x) * epsilon_of(x->dtype));
    rille_free(weights);
}

/* ---- Windows ---- */

typedef struct window {                    /* in one dimension */
    int64_t kernel, stride, padding, size; /* size: how many windows */
} window;

static inline window random_window(program *p, int64_t size)
{
    window w = {.kernel = 1 + random_below(&p->rng, 3), .stride = 1 + random_below(&p->rng, 2)};
    w.padding = random_below(&p->rng, w.kernel / 2 + 1);
    w.size = size + 2 * w.padding < w.kernel ? 0 : (size + 2 * w.padding - w.kernel) / w.stride + 1;
    return w;
}

static inline void step_convolution(program *p)
{
    int from = any(p);
    const plain *x = &p->expected[from];
    if (x->rank < 3 || x->rank > 4 || !is_floating(x->dtype) || x->numel == 0 || !(largest(x) <= 1e4L))
        return;
    window rows = {1, 1, 0, 1}, columns = random_window(p, x->shape[x->rank - 1]);
    if (x->rank == 4)
        rows = random_window(p, x->shape[2]);
    int64_t in = x->shape[1], height = x->rank == 4 ? x->shape[2] : 1, width = x->shape[x->rank - 1];
    int64_t groups = in % 2 == 0 && random_below(&p->rng, 2) == 0 ? 2 : 1, out = 2 * (1 + random_below(&p->rng, 2));
    if (rows.size == 0 || columns.size == 0)
        return;
    int64_t wide[] = {out, in / groups, rows.kernel, columns.kernel}, result[] = {x->shape[0], out, rows.size, columns.size};
    int64_t index[RILLE_MAX_RANK];
    plain w, v;
    if (x->rank == 3) {
        wide[2] = columns.kernel;
        result[2] = columns.size;
    }
    rille_tensor *weights = random_weights(p, x->dtype, x->rank, wide, &w);
    v = fresh(p, x->dtype, x->rank, result);
    for (int64_t i = 0; i < v.numel; i++) {
        position(&v, i, index);
        int64_t down = x->rank == 4 ? index[2] : 0, right = index[x->rank - 1], group = index[1] / (out / groups);
        for (int64_t c = 0; c < in / groups; c++)
            for (int64_t k = 0; k < rows.kernel * columns.kernel; k++) {
                int64_t y = down * rows.stride - rows.padding + k / columns.kernel;
                int64_t z = right * columns.stride - columns.padding + k % columns.kernel;
                if (y < 0 || y >= height || z < 0 || z >= width)
                    continue;
                int64_t at = ((index[0] * in + group * (in / groups) + c) * height + y) * width + z;
                v.store[i] += get(x, at) * w.store[(index[1] * (in / groups) + c) * rows.kernel * columns.kernel + k];
            }
    }
    rille_convolution options = {
        .stride = {rows.stride, columns.stride}, .padding = {rows.padding, columns.padding}, .groups = groups};
    if (x->rank == 3) {
        options.stride[0] = columns.stride;
        options.padding[0] = columns.padding;
    }
    p->step = x->rank == 4 ? "conv2d" : "conv1d";
    rille_tensor *t = p->tensor[from];
    add_close(p, x->rank == 4 ? rille_conv2d(t, weights, NULL, &options) : rille_conv1d(t, weights, NULL, &options), v,
              (long double)(2 * count_of(x->rank - 1, wide + 1) + 2) * 4 * largest(x) * epsilon_of(x->dtype));
    rille_free(weights);
}

static inline void step_pool(program *p) /* of the last dimension or two */
{
    int from = any(p), of_two = (int)random_below(&p->rng, 2);
    const plain *x = &p->expected[from];
    bool averages = random_below(&p->rng, 2) == 0, excludes = random_below(&p->rng, 2) == 0;
    if (x->rank < 1 + of_two || x->numel == 0 || (averages && !(largest(x) <= 1e4L)))
        return;
    int64_t width = x->shape[x->rank - 1], height = of_two ? x->shape[x->rank - 2] : 1, shape[RILLE_MAX_RANK];
    window rows = {1, 1, 0, 1}, columns = random_window(p, width);
    if (of_two)
        rows = random_window(p, height);
    if (rows.size == 0 || columns.size == 0)
        return;
    memcpy(shape, x->shape, sizeof shape);
    shape[x->rank - 1] = columns.size;
    if (of_two)
        shape[x->rank - 2] = rows.size;
    plain v = fresh(p, higher(RILLE_FLOAT32, x->dtype), x->rank, shape);
    for (int64_t i = 0; i < v.numel; i++) {
        int64_t right = i % columns.size, down = i / columns.size % rows.size, plane = i / columns.size / rows.size, there = 0;
        long double most = -INFINITY, total = 0;
        for (int64_t k = 0; k < rows.kernel * columns.kernel; k++) {
            int64_t y = down * rows.stride - rows.padding + k / columns.kernel;
            int64_t z = right * columns.stride - columns.padding + k % columns.kernel;
            if (y < 0 || y >= height || z < 0 || z >= width)
                continue;
            long double a = as_dtype(v.dtype, get(x, (plane * height + y) * width + z));
            most = a != a || a > most ? a : most;
            total += a;
            there++;
        }
        v.store[i] = averages ? total / (excludes ? there : rows.kernel * columns.kernel) : most;
    }
    rille_pooling options = {.kernel = {rows.kernel, columns.kernel},
                             .stride = {rows.stride, columns.stride},
                             .padding = {rows.padding, columns.padding},
                             .exclude_padding = averages && excludes};
    if (!of_two) {
        options.kernel[0] = columns.kernel;
        options.stride[0] = columns.stride;
        options.padding[0] = columns.padding;
    }
    rille_tensor *t = p->tensor[from];
    p->step = averages ? (of_two ? "avg_pool2d" : "avg_pool1d") : of_two ? "max_pool2d" : "max_pool1d";
    if (averages)
        t = of_two ? rille_avg_pool2d(t, &options) : rille_avg_pool1d(t, &options);
    else
        t = of_two ? rille_max_pool2d(t, &options) : rille_max_pool1d(t, &options);
    add_close(p, t, v, averages ? 100 * (long double)DBL_EPSILON * largest(x) : 0);
}

/* ---- Normalisation ---- */

static inline void step_normalisation(program *p) /* layer_norm, rms_norm, group_norm of one group, batch_norm */
{
    static const char *const name[] = {"layer_norm", "rms_norm", "group_norm", "batch_norm"};
    int from = any(p), which = (int)random_below(&p->rng, 4);
    const plain *x = &p->expected[from];
    if (x->rank < 2 || x->numel == 0 || !is_floating(x->dtype) || !(largest(x) <= 100))
        return;
    int own = which < 2 ? 1 + (int)random_below(&p->rng, x->rank) : x->rank - 1;
    plain v = fresh(p, x->dtype, x->rank, x->shape);
    int64_t size = count_of(own, x->shape + x->rank - own), channels = x->shape[1], inner = count_of(x->rank - 2, x->shape + 2);
    if (which == 3)
        size = x->numel / channels;
    if (which == 3 && size < 2)
        return;
    for (int64_t g = 0; g < x->numel / size; g++) {
        long double mean = 0, square = 0;
        for (int pass = 0; pass < 3; pass++)
            for (int64_t k = 0; k < size; k++) { /* the mean, the variance, the results */
                int64_t i = which == 3 ? (k / inner * channels + g) * inner + k % inner : g * size + k;
                long double a = get(x, i);
                mean += pass == 0 && which != 1 ? a / size : 0;
                square += pass == 1 ? (a - mean) * (a - mean) / size : 0;
                if (pass == 2)
                    v.store[i] = (a - mean) / sqrtl(square + 1e-3L);
            }
    }
    rille_tensor *t = p->tensor[from];
    p->step = name[which];
    switch (which) {
    case 0: t = rille_layer_norm(t, own, x->shape + x->rank - own, NULL, NULL, 1e-3); break;
    case 1: t = rille_rms_norm(t, own, x->shape + x->rank - own, NULL, 1e-3); break;
    case 2: t = rille_group_norm(t, 1, NULL, NULL, 1e-3); break;
    default: t = rille_batch_norm(t, NULL, NULL, NULL, NULL, true, 0.1, 1e-3); break;
    }
    add_close(p, t, v, 200 * largest(x) * epsilon_of(x->dtype)); /* 1 / sqrt(1e-3) is 32 */
}

/* ---- Dropout ---- */

static inline void step_dropout(program *p) /* each element is 0 or twice what it was, and which is taken as it is */
{
    int from = any(p);
    const plain *x = &p->expected[from];
    if (!(largest(x) <= 1e4L))
        return;
    plain v = fresh(p, higher(RILLE_FLOAT32, x->dtype), x->rank, x->shape);
    rille_tensor *t = rille_dropout(p->tensor[from], 0.5);
    p->step = "dropout";
    cr_assert(has_shape(t, v.rank, v.shape), "seed %llu, dropout: %s", SEED(p), rille_error(p->cx));
    for (int64_t i = 0; i < v.numel; i++)
        v.store[i] = value_of(t, i) == 0 ? 0 : 2 * as_dtype(v.dtype, get(x, i));
    add_close(p, t, v, 0);
}

/* ---- Recurrence ---- */

enum { MOST_UNITS = 4, MOST_STEPS = 8 };

typedef struct recurrence {
    rille_activation act; /* of rnn; lstm and gru are told by their gates */
    int64_t gates, n, in, width;
    plain ih, hh, bias_ih, bias_hh;
    bool biased;
} recurrence;

/* W x + b of gate g of unit k. */
static inline long double preactivation(const recurrence *r, const plain *w, const plain *bias, int64_t g, int64_t k,
                                        const long double *x)
{
    const int64_t row = g * r->width + k, n = w->shape[1];
    long double total = r->biased ? bias->store[row] : 0;
    for (int64_t j = 0; j < n; j++)
        total += w->store[row * n + j] * x[j];
    return total;
}

/* h and c, of a sample, after the step that sees x. */
static inline void recur(const recurrence *r, const long double *x, long double *h, long double *c)
{
    long double next[MOST_UNITS];
    for (int64_t k = 0; k < r->width; k++) {
        long double in[4], own[4], s[4];
        for (int64_t g = 0; g < r->gates; g++) {
            in[g] = preactivation(r, &r->ih, &r->bias_ih, g, k, x);
            own[g] = preactivation(r, &r->hh, &r->bias_hh, g, k, h);
            s[g] = 1 / (1 + expl(-in[g] - own[g]));
        }
        if (r->gates == 4)
            c[k] = s[1] * c[k] + s[0] * tanhl(in[2] + own[2]);
        next[k] = r->gates == 4          ? s[3] * tanhl(c[k])
                  : r->gates == 3        ? (1 - s[1]) * tanhl(in[2] + s[0] * own[2]) + s[1] * h[k]
                  : r->act == RILLE_TANH ? tanhl(in[0] + own[0])
                                         : fmaxl(in[0] + own[0], 0);
    }
    memcpy(h, next, (size_t)r->width * sizeof *h);
}

/* 1/8 at most, so that a state hands on no more than half of its error to what gates see. */
static inline rille_tensor *recurrent_weights(program *p, rille_dtype dtype, int rank, const int64_t *shape, plain *weights)
{
    rille_tensor *whole = random_weights(p, dtype, rank, shape, weights);
    for (int64_t i = 0; i < weights->numel; i++)
        put_element(dtype, rille_data(whole), i, weights->store[i] /= 32);
    return whole;
}

static inline void step_recurrent(program *p) /* rnn, lstm (and its last cell state), gru, over whole sequences */
{
    static const int gates[] = {1, 1, 3, 4};
    int from = any(p), which = (int)random_below(&p->rng, 4);
    const plain *x = &p->expected[from];
    if (x->rank != 3 || !is_floating(x->dtype) || x->shape[0] < 1 || x->shape[0] > MOST_STEPS || !(largest(x) <= 100))
        return;
    recurrence r = {.act = which == 0 ? RILLE_TANH : RILLE_RELU, .gates = gates[which], .n = x->shape[1], .in = x->shape[2]};
    r.width = 1 + random_below(&p->rng, MOST_UNITS);
    r.biased = random_below(&p->rng, 2) == 0;
    const int64_t rows = r.gates * r.width, states[] = {r.n, r.width};
    rille_recurrent_weights w = {.ih = recurrent_weights(p, x->dtype, 2, (int64_t[]){rows, r.in}, &r.ih),
                                 .hh = recurrent_weights(p, x->dtype, 2, (int64_t[]){rows, r.width}, &r.hh)};
    if (r.biased) {
        w.bias_ih = recurrent_weights(p, x->dtype, 1, &rows, &r.bias_ih);
        w.bias_hh = recurrent_weights(p, x->dtype, 1, &rows, &r.bias_hh);
    }
    plain v = fresh(p, x->dtype, 3, (int64_t[]){x->shape[0], r.n, r.width});
    plain h = fresh(p, x->dtype, 2, states), c = fresh(p, x->dtype, 2, states);
    rille_tensor *h0 = random_below(&p->rng, 2) == 0 ? NULL : random_weights(p, x->dtype, 2, states, &h);
    rille_tensor *c0 = random_below(&p->rng, 2) == 0 ? NULL : random_weights(p, x->dtype, 2, states, &c), *c_n = NULL, *y;
    long double *input = claim(p, r.in, sizeof *input);
    for (int64_t i = 0; i < x->shape[0] * r.n; i++) { /* step by step, sample by sample */
        int64_t at = i % r.n * r.width;
        for (int64_t j = 0; j < r.in; j++)
            input[j] = get(x, i * r.in + j);
        recur(&r, input, h.store + at, c.store + at);
        memcpy(v.store + i * r.width, h.store + at, (size_t)r.width * sizeof *h.store);
    }
    p->step = r.gates == 1 ? "rnn" : r.gates == 3 ? "gru" : "lstm";
    y = r.gates == 1   ? rille_rnn(p->tensor[from], &w, h0, r.act)
        : r.gates == 3 ? rille_gru(p->tensor[from], &w, h0)
                       : rille_lstm(p->tensor[from], &w, h0, c0, &c_n);
    long double error = 8 * x->shape[0] * (r.in + r.width + 4) * (1 + largest(x)) * epsilon_of(x->dtype);
    add_close(p, y, v, error);
    if (r.gates == 4)
        add_close(p, c_n, c, error);
}

#endif
