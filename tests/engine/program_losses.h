/* Steps of random programs that are losses, of pairs and of labels. */
#ifndef RILLE_TESTS_PROGRAM_LOSSES_H
#define RILLE_TESTS_PROGRAM_LOSSES_H

#include "engine/programs.h"

typedef struct losses {
    plain each;
    long double *size; /* of what each is a sum of: what it may be off by is told by this */
    long double unit;  /* so many times it, before the rounding to the dtype */
} losses;

static inline losses losses_of(program *p, rille_dtype dtype, int rank, const int64_t *shape)
{
    losses l = {fresh(p, dtype, rank, shape), NULL, 16 * (long double)DBL_EPSILON};
    l.size = claim(p, l.each.numel, sizeof *l.size);
    return l;
}

/* Takes the loss into the program: each of these, or their sum over the divisor. NaN is compared, but has no size. */
static inline void add_loss(program *p, rille_tensor *t, losses l, rille_reduction reduction, long double divisor)
{
    const long double half = epsilon_of(l.each.dtype) / 2, n = l.each.numel;
    long double total = 0, sizes = 0, off = 0;
    for (int64_t i = 0; i < l.each.numel; i++) {
        long double size = l.size[i] == l.size[i] ? l.size[i] : 0;
        total += l.each.store[i];
        sizes += size;
        off += l.size[i] = half * fabsl(l.each.store[i] == l.each.store[i] ? l.each.store[i] : 0) + l.unit * size + 1e-45L;
    }
    if (reduction != RILLE_REDUCE_NONE) {
        l.each = fresh(p, l.each.dtype, 0, NULL);
        l.each.store[0] = reduction == RILLE_REDUCE_SUM ? total : total / divisor;
        off += (long double)DBL_EPSILON * (4 + n) * 4 * sizes;
        l.size[0] = (reduction == RILLE_REDUCE_SUM ? off : off / divisor) + 2 * half * fabsl(l.each.store[0]);
    }
    add_rounded(p, t, l.each, l.size);
}

/* ---- Of pairs ---- */

static inline bool is_loss_pair(program *p, const pair *r, long double most)
{
    const plain *x = &p->expected[r->a], *y = &p->expected[r->b];
    bool same = r->fits && r->rank == x->rank && memcmp(r->shape, x->shape, (size_t)r->rank * sizeof r->shape[0]) == 0;
    return same && is_floating(x->dtype) && largest(x) <= most && largest(y) <= most;
}

static inline void step_loss(program *p) /* of differences: mse, l1, smooth_l1, huber */
{
    static const char *const name[] = {"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"};
    pair r = random_pair(p);
    const plain *x = &p->expected[r.a], *y = &p->expected[r.b];
    int which = (int)random_below(&p->rng, 4);
    if (!is_loss_pair(p, &r, 1e4L))
        return;
    rille_reduction reduction = (rille_reduction)random_below(&p->rng, 3);
    losses l = losses_of(p, higher(x->dtype, y->dtype), r.rank, r.shape);
    int64_t index[RILLE_MAX_RANK];
    for (int64_t i = 0; i < l.each.numel; i++) {
        position(&l.each, i, index);
        long double d = fabsl(get(x, i) - get(y, element_number(y, r.rank, index)));
        l.size[i] = l.each.store[i] = which == 0   ? d * d
                                      : which == 1 ? d
                                      : which == 2 ? (d < 2 ? d * d / 4 : d - 1)
                                                   : (d <= 2 ? d * d / 2 : 2 * (d - 1));
    }
    rille_tensor *a = p->tensor[r.a], *b = p->tensor[r.b];
    p->step = name[which];
    add_loss(p,
             which == 0   ? rille_mse_loss(a, b, reduction)
             : which == 1 ? rille_l1_loss(a, b, reduction)
             : which == 2 ? rille_smooth_l1_loss(a, b, 2, reduction)
                          : rille_huber_loss(a, b, 2, reduction),
             l, reduction, l.each.numel);
}

/* log(1 + e^x) */
static inline long double soft_plus(long double x)
{
    return x > 0 ? x + log1pl(expl(-x)) : log1pl(expl(x));
}

/* A value brought to 0 ... 1, its ends among it or not, as a new one. */
static inline int add_probabilities(program *p, int from)
{
    const plain *x = &p->expected[from];
    bool clamps = random_below(&p->rng, 2) == 0;
    plain v = fresh(p, x->dtype, x->rank, x->shape);
    for (int64_t i = 0; i < v.numel; i++) {
        long double a = get(x, i);
        v.store[i] = clamps ? fminl(fmaxl(a, 0), 1) : 1 / (1 + expl(-a));
    }
    p->step = clamps ? "clamp" : "sigmoid";
    add_close(p, clamps ? rille_clamp(p->tensor[from], 0, 1) : rille_sigmoid(p->tensor[from]), v, 0);
    return p->count - 1;
}

typedef enum likelihood { BCE, BCE_WITH_LOGITS, KL_DIV, KL_DIV_OF_LOGS, LIKELIHOODS } likelihood;

/* The two parts that it is the sum of; `weight` is that of positives. */
static inline void likelihood_parts(likelihood which, long double x, long double t, long double weight, long double *part)
{
    switch (which) {
    case BCE:
        part[0] = -t * fmaxl(logl(x), -100);
        part[1] = (t - 1) * fmaxl(log1pl(-x), -100);
        break;
    case BCE_WITH_LOGITS:
        part[0] = weight * t * soft_plus(-x);
        part[1] = (1 - t) * soft_plus(x);
        break;
    default: /* p (log p - log q); of no p, nothing */
        part[0] = which == KL_DIV_OF_LOGS ? expl(t) * t : t == 0 ? 0 : t * logl(t);
        part[1] = which == KL_DIV_OF_LOGS ? expl(t) * -x : t * -x;
    }
}

static inline void step_likelihood(program *p)
{
    static const char *const name[] = {"bce_loss", "bce_with_logits", "kl_div", "kl_div"};
    pair r = random_pair(p);
    likelihood which = (likelihood)random_below(&p->rng, LIKELIHOODS);
    if (!is_loss_pair(p, &r, which == KL_DIV_OF_LOGS ? 40 : 1e4L))
        return;
    rille_reduction reduction = (rille_reduction)random_below(&p->rng, which < KL_DIV ? 3 : 4);
    bool by_batch = reduction == RILLE_REDUCE_BATCHMEAN && r.rank > 0;
    int from = which == BCE ? add_probabilities(p, r.a) : r.a;
    const plain *x = &p->expected[from], *y = &p->expected[r.b];
    losses l = losses_of(p, higher(x->dtype, y->dtype), r.rank, r.shape);
    if (l.each.dtype == RILLE_FLOAT32 && (which == BCE_WITH_LOGITS || which == KL_DIV_OF_LOGS))
        l.unit = 0x1p-36L; /* of engine/math's functions in float32 kernels */
    plain weight;
    rille_tensor *weights = NULL, *a = p->tensor[from], *b = p->tensor[r.b];
    if (which == BCE_WITH_LOGITS && random_below(&p->rng, 2) == 0) { /* in parts, each of which is rounded */
        weights = random_weights(p, x->dtype, x->rank > 0, x->shape + x->rank - (x->rank > 0), &weight);
        l.unit += 4 * epsilon_of(l.each.dtype);
    }
    int64_t index[RILLE_MAX_RANK];
    for (int64_t i = 0; i < l.each.numel; i++) {
        long double part[2];
        position(&l.each, i, index);
        likelihood_parts(which, get(x, i), get(y, element_number(y, r.rank, index)),
                         weights == NULL ? 1 : get(&weight, i % weight.numel), part);
        l.each.store[i] = part[0] + part[1];
        l.size[i] = fabsl(part[0]) + fabsl(part[1]);
    }
    p->step = name[which];
    add_loss(p,
             which == BCE               ? rille_bce_loss(a, b, reduction)
             : which == BCE_WITH_LOGITS ? rille_bce_with_logits(a, b, weights, reduction)
                                        : rille_kl_div(a, b, which == KL_DIV_OF_LOGS, reduction),
             l, reduction, by_batch ? r.shape[0] : l.each.numel);
}

/* ---- Of labels ---- */

/* log sum e^x - x[k] over a row, exact also where it is next to nothing */
static inline long double surprise(const plain *x, int64_t row, int64_t k)
{
    const int64_t classes = x->shape[1];
    long double others = 0;
    for (int64_t j = 0; j < classes; j++)
        others += j == k ? 0 : expl(get(x, row * classes + j) - get(x, row * classes + k));
    return log1pl(others);
}

static inline void step_labels(program *p) /* cross_entropy and nll_loss, with weights, an ignored label, smoothing */
{
    int from = any(p);
    const plain *x = &p->expected[from];
    bool entropy = random_below(&p->rng, 2) == 0;
    if (x->rank != 2 || x->numel == 0 || !is_floating(x->dtype) || !(largest(x) <= 50))
        return;
    int64_t rows = x->shape[0], classes = x->shape[1], *label = claim(p, rows, sizeof *label);
    rille_label_options options = {.label_smoothing = entropy && random_below(&p->rng, 2) == 0 ? 0.25 : 0,
                                   .ignores = random_below(&p->rng, 3) == 0,
                                   .ignore_index = random_below(&p->rng, classes),
                                   .reduction = (rille_reduction)random_below(&p->rng, 3)};
    plain weight = fresh(p, RILLE_FLOAT64, 1, &classes);
    options.weight = rille_empty(p->cx, RILLE_FLOAT64, 1, &classes);
    for (int64_t k = 0; k < classes; k++)
        put_element(RILLE_FLOAT64, rille_data(options.weight), k, weight.store[k] = (long double)random_below(&p->rng, 5) / 2);
    losses l = losses_of(p, x->dtype, 1, &rows);
    long double e = options.label_smoothing, divisor = 0;
    for (int64_t i = 0; i < rows; i++) {
        label[i] = random_below(&p->rng, classes);
        if (options.ignores && label[i] == options.ignore_index)
            continue;
        l.each.store[i] =
            (1 - e) * weight.store[label[i]] * (entropy ? surprise(x, i, label[i]) : -get(x, i * classes + label[i]));
        for (int64_t k = 0; k < classes && entropy; k++)
            l.each.store[i] += e / classes * weight.store[k] * surprise(x, i, k);
        l.size[i] = fabsl(l.each.store[i]) + (entropy ? 50 * classes : 0);
        divisor += weight.store[label[i]];
    }
    rille_tensor *labels = rille_from(p->cx, RILLE_INT64, 1, &rows, label), *t = p->tensor[from];
    p->step = entropy ? "cross_entropy" : "nll_loss";
    add_loss(p, entropy ? rille_cross_entropy_with(t, labels, &options) : rille_nll_loss(t, labels, &options), l,
             options.reduction, divisor);
    rille_free(options.weight);
    rille_free(labels);
}

#endif
