/* Steps of random programs that layers are made of: activations, products, convolutions, pools, normalisation, losses. */
#ifndef RILLE_TESTS_PROGRAM_LAYERS_H
#define RILLE_TESTS_PROGRAM_LAYERS_H

#include "engine/programs.h"

/* Whole numbers of this shape, which are not a value of the program's. */
static inline rille_tensor *random_weights(program *p, rille_dtype dtype, int rank, const int64_t *shape, plain *weights)
{
    *weights = fresh(p, dtype, rank, shape);
    rille_tensor *t = rille_empty(p->cx, dtype, rank, shape);
    for (int64_t i = 0; i < weights->numel; i++)
        put_element(dtype, rille_data(t), i, weights->store[i] = random_value(&p->rng, dtype, WHOLE));
    return t;
}

static inline long double epsilon_of(rille_dtype dtype)
{
    return dtype == RILLE_FLOAT32 ? (long double)FLT_EPSILON : (long double)DBL_EPSILON;
}

/* ---- Element by element ---- */

static inline long double rounded_to_even(long double a)
{
    long double below = floorl(a), rest = a - below;
    return rest < 0.5L || (rest == 0.5L && fmodl(below, 2) == 0) ? below : below + 1;
}

static inline void step_rounding(program *p) /* floor, ceil, round, trunc, sign */
{
    static rille_tensor *(*const call[])(rille_tensor *) = {rille_floor, rille_ceil, rille_round, rille_trunc, rille_sign};
    static const char *const name[] = {"floor", "ceil", "round", "trunc", "sign"};
    int from = any(p), which = (int)random_below(&p->rng, 5);
    const plain *x = &p->expected[from];
    plain v = fresh(p, higher(RILLE_INT64, x->dtype), x->rank, x->shape);
    for (int64_t i = 0; i < v.numel; i++) {
        long double a = get(x, i), y = which == 0   ? floorl(a)
                                       : which == 1 ? ceill(a)
                                       : which == 2 ? rounded_to_even(a)
                                       : which == 3 ? truncl(a)
                                                    : (a > 0) - (a < 0);
        v.store[i] = a != a || a == 0 ? a : isinf(a) && which < 4 ? a : y;
    }
    p->step = name[which];
    add_close(p, call[which](p->tensor[from]), v, 0);
}

static inline void step_activation(program *p) /* those whose results are exact, or rounded once */
{
    static const rille_activation acts[] = {RILLE_RELU, RILLE_TANH, RILLE_SIGMOID, RILLE_SOFTPLUS, RILLE_HARD_TANH};
    int from = any(p), which = (int)random_below(&p->rng, 5), order = (int)random_below(&p->rng, 2);
    const plain *x = &p->expected[from];
    plain v = fresh(p, higher(RILLE_FLOAT32, x->dtype), x->rank, x->shape);
    if (!(largest(x) <= 40))
        return;
    for (int64_t i = 0; i < v.numel; i++) {
        long double a = as_dtype(v.dtype, get(x, i)), s = 1 / (1 + expl(-a)), c = coshl(a);
        const long double y[][2] = {{a > 0 ? a : 0, a > 0},
                                    {tanhl(a), 1 / (c * c)},
                                    {s, s / (1 + expl(a))},
                                    {log1pl(expl(a)), s},
                                    {a < -1  ? -1
                                     : a > 1 ? 1
                                             : a,
                                     a > -1 && a < 1}};
        v.store[i] = y[which][order];
    }
    p->step = rille_activation_describe(acts[which])->name;
    add_close(p, rille_derivative(p->tensor[from], acts[which], order, NULL), v, 0);
}

static inline void step_halves(program *p) /* crelu, and maxout and reglu of two halves or neighbours */
{
    static const char *const name[] = {"crelu", "maxout", "reglu"};
    int from = any(p), which = (int)random_below(&p->rng, 3);
    const plain *x = &p->expected[from];
    if (x->rank == 0 || 2 * x->numel > MOST_ELEMENTS || (which == 2 && !(largest(x) <= 1e4L)))
        return;
    int dim = (int)random_below(&p->rng, x->rank);
    int64_t shape[RILLE_MAX_RANK], n = x->shape[dim];
    bool fails = which > 0 && n % 2 != 0;
    memcpy(shape, x->shape, sizeof shape);
    shape[dim] = which == 0 ? 2 * n : n / 2;
    plain v = fresh(p, which == 1 ? x->dtype : higher(RILLE_FLOAT32, x->dtype), x->rank, shape);
    for (int64_t line = 0; line < lines_of(x, dim) && !fails; line++)
        for (int64_t k = 0; k < shape[dim]; k++) {
            long double a = get(x, along(x, dim, line,
                                         which == 0   ? k % n
                                         : which == 1 ? 2 * k
                                                      : k)),
                        b = which == 0 ? 0 : get(x, along(x, dim, line, which == 1 ? 2 * k + 1 : k + n / 2));
            a = as_dtype(v.dtype, which == 0 && k >= n ? -a : a);
            b = as_dtype(v.dtype, b);
            v.store[along(&v, dim, line, k)] = which == 2 ? a * (b > 0 ? b : 0) : a != a || a > b ? a : b;
        }
    p->step = name[which];
    rille_tensor *t = p->tensor[from];
    t = which == 0 ? rille_crelu(t, dim) : which == 1 ? rille_maxout(t, 2, dim) : rille_reglu(t, dim);
    if (fails)
        add_value(p, t, true, v);
    else
        add_close(p, t, v, 0);
}

static inline void step_pairs(program *p) /* div, minimum, maximum, remainder */
{
    static rille_tensor *(*const call[])(rille_tensor *, rille_tensor *) = {rille_div, rille_minimum, rille_maximum,
                                                                            rille_remainder};
    static const char *const name[] = {"div", "minimum", "maximum", "remainder"};
    pair r = random_pair(p);
    const plain *x = &p->expected[r.a], *y = &p->expected[r.b];
    int which = (int)random_below(&p->rng, 4);
    if (r.fits && (count_of(r.rank, r.shape) > MOST_ELEMENTS || (which == 3 && !(largest(x) <= 1e6L && largest(y) <= 1e6L))))
        return;
    plain v =
        fresh(p, higher(higher(x->dtype, y->dtype), which == 0 ? RILLE_FLOAT32 : RILLE_INT64), r.fits ? r.rank : 0, r.shape);
    int64_t index[RILLE_MAX_RANK];
    for (int64_t i = 0; r.fits && i < v.numel; i++) {
        position(&v, i, index);
        long double a = as_dtype(v.dtype, get(x, element_number(x, r.rank, index))),
                    b = as_dtype(v.dtype, get(y, element_number(y, r.rank, index)));
        bool first = a != a || (b == b && (which == 1 ? a <= b : a >= b));
        if (which == 3) {
            long double rest = b == 0 ? (is_floating(v.dtype) ? (long double)NAN : 0) : fmodl(a, b);
            v.store[i] = rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
        } else /* the quotient of two doubles rounds in long double first, which shows in the last place */
            v.store[i] = which == 0 ? (v.dtype == RILLE_FLOAT64 ? (long double)((double)a / (double)b)
                                                                : (long double)((float)a / (float)b))
                                    : (first ? a : b);
    }
    p->step = name[which];
    rille_tensor *t = call[which](p->tensor[r.a], p->tensor[r.b]);
    if (r.fits)
        add_close(p, t, v, 0);
    else
        add_value(p, t, true, v);
}

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

/* ---- Losses ---- */

static inline void step_loss(program *p) /* of pairs: mse, l1, smooth_l1, huber */
{
    static const char *const name[] = {"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"};
    pair r = random_pair(p);
    const plain *x = &p->expected[r.a], *y = &p->expected[r.b];
    int which = (int)random_below(&p->rng, 4);
    bool same = r.fits && r.rank == x->rank && memcmp(r.shape, x->shape, (size_t)r.rank * sizeof r.shape[0]) == 0;
    if (!same || !is_floating(x->dtype) || !(largest(x) <= 1e4L) || !(largest(y) <= 1e4L))
        return;
    rille_reduction reduction = (rille_reduction)random_below(&p->rng, 3);
    plain each = fresh(p, higher(x->dtype, y->dtype), r.rank, r.shape), v = each;
    int64_t index[RILLE_MAX_RANK];
    long double total = 0;
    for (int64_t i = 0; i < each.numel; i++) {
        position(&each, i, index);
        long double d = fabsl(get(x, i) - get(y, element_number(y, r.rank, index)));
        total += each.store[i] = which == 0   ? d * d
                                 : which == 1 ? d
                                 : which == 2 ? (d < 2 ? d * d / 4 : d - 1)
                                              : (d <= 2 ? d * d / 2 : 2 * (d - 1));
    }
    if (reduction != RILLE_REDUCE_NONE) {
        v = fresh(p, each.dtype, 0, NULL);
        v.store[0] = reduction == RILLE_REDUCE_MEAN ? total / each.numel : total;
    }
    rille_tensor *a = p->tensor[r.a], *b = p->tensor[r.b];
    p->step = name[which];
    add_close(p,
              which == 0   ? rille_mse_loss(a, b, reduction)
              : which == 1 ? rille_l1_loss(a, b, reduction)
              : which == 2 ? rille_smooth_l1_loss(a, b, 2, reduction)
                           : rille_huber_loss(a, b, 2, reduction),
              v, (long double)DBL_EPSILON * (4 + (long double)each.numel) * 4 * total);
}

static inline void step_cross_entropy(program *p) /* with labels, the mean or the sum */
{
    int from = any(p);
    const plain *x = &p->expected[from];
    if (x->rank != 2 || x->numel == 0 || !is_floating(x->dtype) || !(largest(x) <= 50))
        return;
    int64_t rows = x->shape[0], classes = x->shape[1], *label = claim(p, rows, sizeof *label);
    bool sums = random_below(&p->rng, 2) == 0;
    plain v = fresh(p, x->dtype, 0, NULL);
    for (int64_t i = 0; i < rows; i++) {
        long double total = 0;
        label[i] = random_below(&p->rng, classes);
        for (int64_t k = 0; k < classes; k++)
            total += expl(get(x, i * classes + k) - get(x, i * classes + label[i]));
        v.store[0] += logl(total) / (sums ? 1 : rows);
    }
    rille_tensor *labels = rille_from(p->cx, RILLE_INT64, 1, &rows, label);
    rille_label_options options = {.reduction = sums ? RILLE_REDUCE_SUM : RILLE_REDUCE_MEAN};
    p->step = "cross_entropy";
    add_close(p, rille_cross_entropy_with(p->tensor[from], labels, &options), v,
              (long double)DBL_EPSILON * 400 * (long double)(rows * classes));
    rille_free(labels);
}

#endif
