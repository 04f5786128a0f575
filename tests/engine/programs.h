/* What random programs are made of (programs.c): the interpreter that knows nothing of strides. To it, a tensor is a list of
 * places in a store, and a view is another list. */
#ifndef RILLE_TESTS_PROGRAMS_H
#define RILLE_TESTS_PROGRAMS_H

#include "engine/random_layouts.h"

#include <string.h>

enum { MOST_VALUES = 40, MOST_ELEMENTS = 3000, MOST_BLOCKS = 1000 };

typedef struct plain { /* what a tensor should be */
    rille_dtype dtype;
    long double *store;
    int rank;
    int64_t shape[RILLE_MAX_RANK];
    int64_t numel;
    int64_t *at; /* of each element, row-major, in the store */
} plain;

typedef struct program {
    rille_context *cx;
    uint64_t seed, rng;
    int count;
    plain expected[MOST_VALUES];
    rille_tensor *tensor[MOST_VALUES];
    void *block[MOST_BLOCKS]; /* freed at the end */
    int blocks;
    const char *step;
} program;

static inline void *claim(program *p, int64_t n, size_t size)
{
    cr_assert(p->blocks < MOST_BLOCKS);
    return p->block[p->blocks++] = calloc((size_t)n + 1, size);
}

static inline int64_t count_of(int rank, const int64_t *shape)
{
    int64_t n = 1;
    for (int d = 0; d < rank; d++)
        n *= shape[d];
    return n;
}

/* A tensor of a store of its own, all 0. */
static inline plain fresh(program *p, rille_dtype dtype, int rank, const int64_t *shape)
{
    plain x = {.dtype = dtype, .rank = rank, .numel = count_of(rank, shape)};
    for (int d = 0; d < rank; d++)
        x.shape[d] = shape[d];
    x.store = claim(p, x.numel, sizeof *x.store);
    x.at = claim(p, x.numel, sizeof *x.at);
    for (int64_t i = 0; i < x.numel; i++)
        x.at[i] = i;
    return x;
}

static inline void drop_dimension(plain *x, int dim) /* of size 1 */
{
    memmove(x->shape + dim, x->shape + dim + 1, (size_t)(x->rank - dim - 1) * sizeof x->shape[0]);
    x->rank--;
}

/* A view of another shape, whose places are for the caller to fill in. */
static inline plain view_of(program *p, const plain *x, int rank, const int64_t *shape)
{
    plain v = {.dtype = x->dtype, .store = x->store, .rank = rank, .numel = count_of(rank, shape)};
    memcpy(v.shape, shape, (size_t)rank * sizeof shape[0]);
    v.at = claim(p, v.numel, sizeof *v.at);
    return v;
}

static inline long double get(const plain *x, int64_t i)
{
    return x->store[x->at[i]];
}

static inline void position(const plain *x, int64_t i, int64_t *index)
{
    for (int d = x->rank - 1; d >= 0; d--) {
        index[d] = i % x->shape[d];
        i /= x->shape[d];
    }
}

/* The number of the element at this position, where dimensions of size 1 stretch and leading ones may be missing. */
static inline int64_t element_number(const plain *x, int rank, const int64_t *index)
{
    int64_t i = 0;
    for (int d = 0; d < x->rank; d++)
        i = i * x->shape[d] + (x->shape[d] == 1 ? 0 : index[rank - x->rank + d]);
    return i;
}

/* The number of the element at this position. */
static inline int64_t number_of(const plain *x, const int64_t *index)
{
    int64_t i = 0;
    for (int d = 0; d < x->rank; d++)
        i = i * x->shape[d] + index[d];
    return i;
}

/* Lines along dim, numbered row-major without it: how many there are, and the number of the k-th element of one. */
static inline int64_t lines_of(const plain *x, int dim)
{
    int64_t n = 1;
    for (int d = 0; d < x->rank; d++)
        n *= d == dim ? 1 : x->shape[d];
    return n;
}

static inline int64_t along(const plain *x, int dim, int64_t line, int64_t k)
{
    int64_t inner = count_of(x->rank - dim - 1, x->shape + dim + 1);
    return (line / inner * x->shape[dim] + k) * inner + line % inner;
}

/* Whether two of its elements may be one in memory: whether the step along some dimension is no longer than the way that all
 * smaller steps together lead. Such a view is not written into. */
static inline bool may_repeat(const plain *x)
{
    int64_t stride[RILLE_MAX_RANK];
    for (int d = 0; d < x->rank && x->numel > 0; d++) {
        int64_t inner = count_of(x->rank - d - 1, x->shape + d + 1);
        stride[d] = x->shape[d] < 2 ? 0 : x->at[inner] - x->at[0];
        stride[d] = stride[d] < 0 ? -stride[d] : stride[d];
    }
    for (int d = 0; d < x->rank && x->numel > 0; d++) {
        int64_t way = 0;
        for (int e = 0; e < x->rank; e++)
            way += e != d && stride[e] <= stride[d] ? (x->shape[e] - 1) * stride[e] : 0;
        if (x->shape[d] > 1 && way >= stride[d])
            return true;
    }
    return false;
}

static inline rille_dtype higher(rille_dtype a, rille_dtype b)
{
    for (int i = DTYPES - 1; i > 0; i--)
        if (every_dtype[i] == a || every_dtype[i] == b)
            return every_dtype[i];
    return RILLE_BOOL;
}

/* x, a value of some dtype that is not higher, as an element of this one has it. */
static inline long double as_dtype(rille_dtype dtype, long double x)
{
    return dtype == RILLE_FLOAT32 ? (long double)(float)x : dtype == RILLE_FLOAT64 ? (long double)(double)x : x;
}

/* x, a value of any dtype, converted: to integers towards zero and no further than their ends, NaN to 0; to bool, x != 0. */
static inline long double converted(rille_dtype dtype, long double x)
{
    const long double least = dtype == RILLE_UINT8 ? 0 : (long double)INT64_MIN;
    const long double most = dtype == RILLE_UINT8 ? 255 : (long double)INT64_MAX;
    if (is_floating(dtype) || dtype == RILLE_BOOL)
        return dtype == RILLE_BOOL ? x != 0 : as_dtype(dtype, x);
    return x != x ? 0 : x <= least ? least : x >= most ? most : truncl(x) + 0; /* which is never -0 */
}

/* The largest |x|; NaN and infinity where there is one. What rounds is compared where this is moderate. */
static inline long double largest(const plain *x)
{
    long double most = 0;
    for (int64_t i = 0; i < x->numel; i++)
        most = most != most || fabsl(get(x, i)) <= most ? most : fabsl(get(x, i));
    return most;
}

/* ---- Steps: each adds a value to the program, or changes some in place ---- */

#define SEED(p) (unsigned long long)(p)->seed

/* Takes the tensor into the program where it was expected to work, and sees to it that it failed where not. */
static inline void add_value(program *p, rille_tensor *t, bool fails, plain expected)
{
    cr_assert((t == NULL) == fails, "seed %llu, %s: %s", SEED(p), p->step, t == NULL ? rille_error(p->cx) : "was to fail");
    cr_expect((rille_error(p->cx) == NULL) == !fails, "seed %llu, %s", SEED(p), p->step);
    rille_clear_error(p->cx);
    if (fails)
        return;
    cr_assert(p->count < MOST_VALUES);
    p->tensor[p->count] = t;
    p->expected[p->count++] = expected;
}

/* As add_value, for results that round differently: they must be within the tolerance, and are then taken as they are. */
static inline void add_rounded(program *p, rille_tensor *t, plain expected, const long double *tolerance)
{
    cr_assert(has_shape(t, expected.rank, expected.shape), "seed %llu, %s: %s", SEED(p), p->step, rille_error(p->cx));
    for (int64_t i = 0; i < expected.numel; i++) {
        long double got = value_of(t, i), right = expected.store[i];
        bool same = right != right ? got != got : isinf(right) ? got == right : fabsl(got - right) <= tolerance[i];
        cr_assert(same, "seed %llu, %s: %.17Lg, not %.17Lg", SEED(p), p->step, got, right);
        expected.store[i] = got;
    }
    add_value(p, t, false, expected);
}

static inline int any(program *p)
{
    return (int)random_below(&p->rng, p->count);
}

/* As add_rounded, of a result that is rounded once, to its dtype, after work in float64 whose error is `error`. */
static inline void add_close(program *p, rille_tensor *t, plain expected, long double error)
{
    long double *tolerance = claim(p, expected.numel, sizeof *tolerance);
    for (int64_t i = 0; i < expected.numel; i++) {
        long double right = expected.store[i];
        if (fabsl(right) > (expected.dtype == RILLE_FLOAT32 ? (long double)FLT_MAX : (long double)DBL_MAX))
            expected.store[i] = right = as_dtype(expected.dtype, right);
        long double own = expected.dtype == RILLE_FLOAT32 ? (long double)FLT_EPSILON : 64 * (long double)DBL_EPSILON;
        tolerance[i] = is_floating(expected.dtype) ? fabsl(right) * own + error + 1e-45L : 0;
    }
    add_rounded(p, t, expected, tolerance);
}

static inline long double epsilon_of(rille_dtype dtype)
{
    return dtype == RILLE_FLOAT32 ? (long double)FLT_EPSILON : (long double)DBL_EPSILON;
}

/* Whole numbers of this shape, which are not a value of the program's. */
static inline rille_tensor *random_weights(program *p, rille_dtype dtype, int rank, const int64_t *shape, plain *weights)
{
    *weights = fresh(p, dtype, rank, shape);
    rille_tensor *t = rille_empty(p->cx, dtype, rank, shape);
    for (int64_t i = 0; i < weights->numel; i++)
        put_element(dtype, rille_data(t), i, weights->store[i] = random_value(&p->rng, dtype, WHOLE));
    return t;
}

typedef struct pair { /* two values, and the shape that they broadcast to */
    int a, b;
    bool fits;
    int rank;
    int64_t shape[RILLE_MAX_RANK];
} pair;

static inline pair random_pair(program *p)
{
    pair r = {any(p), any(p), true, 0, {0}};
    const plain *x = &p->expected[r.a], *y = &p->expected[r.b];
    r.rank = x->rank > y->rank ? x->rank : y->rank;
    for (int d = 0; d < r.rank; d++) {
        int own_x = d - (r.rank - x->rank), own_y = d - (r.rank - y->rank);
        int64_t of_x = own_x < 0 ? 1 : x->shape[own_x], of_y = own_y < 0 ? 1 : y->shape[own_y];
        r.fits = r.fits && (of_x == of_y || of_x == 1 || of_y == 1);
        r.shape[d] = of_x == 1 ? of_y : of_x;
    }
    return r;
}

#endif
