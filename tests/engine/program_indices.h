/* Steps of random programs that pick and put by tensors of indices. */
#ifndef RILLE_TESTS_PROGRAM_INDICES_H
#define RILLE_TESTS_PROGRAM_INDICES_H

#include "engine/programs.h"

/* A program's value whose elements are whole numbers below n, as an index. */
static inline rille_tensor *random_index(program *p, int rank, const int64_t *shape, int64_t n, int64_t *into)
{
    for (int64_t i = 0; i < count_of(rank, shape); i++)
        into[i] = random_below(&p->rng, n);
    return rille_from(p->cx, RILLE_INT64, rank, shape, into);
}

static inline void step_index_select(program *p)
{
    int from = any(p);
    const plain *x = &p->expected[from];
    if (x->rank == 0)
        return;
    int dim = (int)random_below(&p->rng, x->rank);
    int64_t shape[RILLE_MAX_RANK], index[RILLE_MAX_RANK], picked[4], k = x->shape[dim] == 0 ? 0 : random_below(&p->rng, 5);
    for (int64_t i = 0; i < k; i++)
        picked[i] = random_below(&p->rng, x->shape[dim]);
    memcpy(shape, x->shape, sizeof shape);
    shape[dim] = k;
    if (count_of(x->rank, shape) > MOST_ELEMENTS)
        return;
    plain v = fresh(p, x->dtype, x->rank, shape);
    for (int64_t i = 0; i < v.numel; i++) {
        position(&v, i, index);
        index[dim] = picked[index[dim]];
        v.store[i] = get(x, number_of(x, index));
    }
    p->step = "index_select";
    rille_tensor *at = rille_from(p->cx, RILLE_INT64, 1, &k, picked);
    add_value(p, rille_index_select(p->tensor[from], dim, at), false, v);
    rille_free(at);
}

/* A shape whose sizes are none beyond x's but along dim. */
static inline void shape_within(program *p, const plain *x, int dim, int64_t *shape)
{
    for (int d = 0; d < x->rank; d++)
        shape[d] = d == dim ? (x->shape[d] == 0 ? 0 : random_below(&p->rng, 5)) : random_below(&p->rng, x->shape[d] + 1);
}

static inline void step_gather(program *p)
{
    int from = any(p);
    const plain *x = &p->expected[from];
    if (x->rank == 0)
        return;
    int dim = (int)random_below(&p->rng, x->rank);
    int64_t shape[RILLE_MAX_RANK], index[RILLE_MAX_RANK];
    shape_within(p, x, dim, shape);
    if (count_of(x->rank, shape) > MOST_ELEMENTS)
        return;
    plain v = fresh(p, x->dtype, x->rank, shape);
    int64_t *picked = claim(p, v.numel, sizeof *picked);
    rille_tensor *at = random_index(p, x->rank, shape, x->shape[dim], picked);
    for (int64_t i = 0; i < v.numel; i++) {
        position(&v, i, index);
        index[dim] = picked[i];
        v.store[i] = get(x, number_of(x, index));
    }
    p->step = "gather";
    add_value(p, rille_gather(p->tensor[from], dim, at), false, v);
    rille_free(at);
}

static inline void step_scatter(program *p) /* scatter, scatter_add */
{
    int from = any(p);
    const plain *x = &p->expected[from];
    bool adds = random_below(&p->rng, 2) == 0;
    if (x->rank == 0 || (adds && is_floating(x->dtype) && !(largest(x) <= 1e4L)))
        return;
    int dim = (int)random_below(&p->rng, x->rank);
    int64_t shape[RILLE_MAX_RANK], index[RILLE_MAX_RANK];
    shape_within(p, x, dim, shape);
    rille_dtype dtype = every_dtype[random_below(&p->rng, DTYPES)];
    plain v = fresh(p, higher(higher(x->dtype, dtype), adds ? RILLE_INT64 : RILLE_BOOL), x->rank, x->shape);
    plain number = fresh(p, RILLE_INT64, x->rank, shape);
    int64_t *picked = claim(p, number.numel, sizeof *picked);
    rille_tensor *at = random_index(p, x->rank, shape, x->shape[dim], picked);
    rille_tensor *source = rille_empty(p->cx, dtype, x->rank, shape);
    for (int64_t i = 0; i < v.numel; i++)
        v.store[i] = as_dtype(v.dtype, get(x, i));
    for (int64_t i = 0; i < number.numel; i++) {
        long double put = random_value(&p->rng, dtype, WHOLE);
        put_element(dtype, rille_data(source), i, put);
        position(&number, i, index);
        index[dim] = picked[i];
        long double *into = &v.store[number_of(&v, index)];
        *into = adds && v.dtype == RILLE_INT64 ? (long double)(int64_t)((uint64_t)(int64_t)*into + (uint64_t)(int64_t)put)
                : adds                         ? *into + put
                                               : put;
    }
    p->step = adds ? "scatter_add" : "scatter";
    rille_tensor *t = p->tensor[from];
    if (adds)
        add_close(p, rille_scatter_add(t, dim, at, source), v, (long double)DBL_EPSILON * 1e6L);
    else
        add_value(p, rille_scatter(t, dim, at, source), false, v);
    rille_free(source);
    rille_free(at);
}

static inline void step_rows(program *p) /* embedding: rows of a matrix; one_hot */
{
    int from = any(p), rank = (int)random_below(&p->rng, 4);
    const plain *x = &p->expected[from];
    bool hot = random_below(&p->rng, 2) == 0;
    int64_t n = hot ? random_below(&p->rng, 5) : x->shape[0], wide = hot ? n : x->shape[1], shape[RILLE_MAX_RANK];
    if ((x->rank != 2 && !hot) || (n == 0 && rank == 0))
        return;
    for (int d = 0; d < rank; d++)
        shape[d] = n == 0 ? 0 : random_below(&p->rng, 4);
    shape[rank] = wide;
    if (count_of(rank + 1, shape) > MOST_ELEMENTS)
        return;
    plain v = fresh(p, hot ? RILLE_INT64 : x->dtype, rank + 1, shape);
    int64_t *picked = claim(p, count_of(rank, shape), sizeof *picked);
    rille_tensor *at = random_index(p, rank, shape, n, picked);
    for (int64_t i = 0; i < v.numel; i++)
        v.store[i] = hot ? picked[i / wide] == i % wide : get(x, picked[i / wide] * wide + i % wide);
    p->step = hot ? "one_hot" : "embedding";
    add_value(p, hot ? rille_one_hot(at, n) : rille_embedding(at, p->tensor[from]), false, v);
    rille_free(at);
}

/* t[..., at, ...], where `at` is int64 of rank up to 2, or bool of some dimensions; and such elements put. */
typedef struct subscript {
    int dim, count; /* entries before the index's are NULL */
    rille_tensor *entry[RILLE_MAX_RANK];
    int rank, taken; /* dimensions that it gives and takes */
    int64_t shape[RILLE_MAX_RANK];
    int64_t *picked; /* for each element of the index: the number, row-major, in the dimensions that it takes */
} subscript;

static inline subscript random_subscript(program *p, const plain *x)
{
    subscript s = {.dim = (int)random_below(&p->rng, x->rank), .taken = 1, .rank = 1};
    bool masks = random_below(&p->rng, 3) == 0;
    s.count = s.dim + 1;
    if (masks) {
        s.taken += (int)random_below(&p->rng, x->rank - s.dim);
        int64_t n = count_of(s.taken, x->shape + s.dim);
        s.picked = claim(p, n, sizeof *s.picked);
        rille_tensor *mask = rille_zeros(p->cx, RILLE_BOOL, s.taken, x->shape + s.dim);
        for (int64_t i = 0; i < n; i++)
            if (random_below(&p->rng, 2) == 0) {
                ((bool *)rille_data(mask))[i] = true;
                s.picked[s.shape[0]++] = i;
            }
        s.entry[s.dim] = mask;
        return s;
    }
    s.rank = (int)random_below(&p->rng, 3);
    for (int d = 0; d < s.rank; d++)
        s.shape[d] = x->shape[s.dim] == 0 ? 0 : random_below(&p->rng, 4);
    if (s.rank == 0 && x->shape[s.dim] == 0)
        s.rank = 1;
    s.picked = claim(p, count_of(s.rank, s.shape), sizeof *s.picked);
    s.entry[s.dim] = random_index(p, s.rank, s.shape, x->shape[s.dim], s.picked);
    return s;
}

/* The number in x of the element at `index` in what the subscript gives. */
static inline int64_t subscripted(const plain *x, const subscript *s, const int64_t *index)
{
    int64_t at[RILLE_MAX_RANK], i = 0;
    for (int d = 0; d < s->rank; d++)
        i = i * s->shape[d] + index[s->dim + d];
    i = s->picked[i];
    for (int d = x->rank - 1; d >= 0; d--)
        if (d < s->dim || d >= s->dim + s->taken)
            at[d] = index[d < s->dim ? d : d - s->taken + s->rank];
        else {
            at[d] = i % x->shape[d];
            i /= x->shape[d];
        }
    return number_of(x, at);
}

static inline void step_subscript(program *p) /* index, index_put */
{
    int from = any(p);
    plain *x = &p->expected[from];
    if (x->rank == 0 || x->rank > 6)
        return;
    bool puts = random_below(&p->rng, 2) == 0;
    subscript s = random_subscript(p, x);
    int64_t shape[RILLE_MAX_RANK], index[RILLE_MAX_RANK];
    for (int d = 0; d < x->rank - s.taken + s.rank; d++)
        shape[d] = d < s.dim ? x->shape[d] : d < s.dim + s.rank ? s.shape[d - s.dim] : x->shape[d - s.rank + s.taken];
    if (count_of(x->rank - s.taken + s.rank, shape) > MOST_ELEMENTS)
        return;
    plain v = fresh(p, x->dtype, x->rank - s.taken + s.rank, shape);
    p->step = puts ? "index_put" : "index";
    if (!puts) {
        for (int64_t i = 0; i < v.numel; i++) {
            position(&v, i, index);
            v.store[i] = get(x, subscripted(x, &s, index));
        }
        add_value(p, rille_index(p->tensor[from], s.count, s.entry), false, v);
    } else {
        bool fails = may_repeat(x);
        rille_tensor *source = rille_empty(p->cx, x->dtype, v.rank, shape);
        for (int64_t i = 0; i < v.numel; i++) {
            long double put = random_value(&p->rng, x->dtype, WHOLE);
            put_element(x->dtype, rille_data(source), i, put);
            position(&v, i, index);
            if (!fails)
                x->store[x->at[subscripted(x, &s, index)]] = put;
        }
        rille_status status = rille_index_put(p->tensor[from], s.count, s.entry, source);
        cr_assert_eq(status == RILLE_OK, !fails, "seed %llu, index_put: %s", SEED(p), rille_error(p->cx));
        rille_clear_error(p->cx);
        rille_free(source);
    }
    rille_free(s.entry[s.dim]);
}

#endif
