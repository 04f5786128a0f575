/* Steps of random programs that move elements: views, taking apart, joining, choosing. */
#ifndef RILLE_TESTS_PROGRAM_PLACES_H
#define RILLE_TESTS_PROGRAM_PLACES_H

#include "engine/programs.h"

/* ---- Views ---- */

static inline void step_flip(program *p) /* flip, and slice with steps of either sign */
{
    int from = any(p);
    const plain *x = &p->expected[from];
    if (x->rank == 0)
        return;
    int dim = (int)random_below(&p->rng, x->rank);
    int64_t size = x->shape[dim], step = random_below(&p->rng, 7) - 3, shape[RILLE_MAX_RANK], index[RILLE_MAX_RANK];
    bool flips = step == 0 || size == 0;
    int64_t start = flips ? size - 1 : random_below(&p->rng, size), room = step < 0 ? start : size - 1 - start;
    step = flips ? -1 : step;
    int64_t length = flips ? size : random_below(&p->rng, room / (step < 0 ? -step : step) + 2);
    memcpy(shape, x->shape, sizeof shape);
    shape[dim] = length;
    plain v = view_of(p, x, x->rank, shape);
    for (int64_t i = 0; i < v.numel; i++) {
        position(&v, i, index);
        index[dim] = start + index[dim] * step;
        v.at[i] = x->at[number_of(x, index)];
    }
    p->step = flips ? "flip" : "slice";
    rille_tensor *t = p->tensor[from];
    add_value(p, flips ? rille_flip(t, &dim, 1) : rille_slice(t, dim, start, length, step), false, v);
}

static inline void step_windows(program *p) /* unfold and diagonal */
{
    int from = any(p);
    const plain *x = &p->expected[from];
    bool diagonal = x->rank >= 2 && random_below(&p->rng, 2) == 0;
    if (x->rank == 0 || x->rank > 5)
        return;
    int dim = (int)random_below(&p->rng, diagonal ? x->rank - 1 : x->rank), last = diagonal ? x->rank - 1 : x->rank;
    int64_t shape[RILLE_MAX_RANK], index[RILLE_MAX_RANK], own[RILLE_MAX_RANK], size, step = 1 + random_below(&p->rng, 3);
    memcpy(shape, x->shape, sizeof shape);
    int64_t offset = random_below(&p->rng, 3) - 1;
    if (diagonal) {
        int64_t rows = x->shape[dim] + (offset < 0 ? offset : 0), columns = x->shape[last] - (offset > 0 ? offset : 0);
        size = rows < columns ? rows : columns;
        size = size < 0 ? 0 : size;
        memmove(shape + dim, shape + dim + 1, (size_t)(last - dim) * sizeof shape[0]);
        shape[last - 1] = size;
    } else {
        size = random_below(&p->rng, x->shape[dim] + 1);
        shape[dim] = (x->shape[dim] - size) / step + 1;
        shape[last] = size;
    }
    plain v = view_of(p, x, diagonal ? last : last + 1, shape);
    for (int64_t i = 0; i < v.numel; i++) {
        position(&v, i, index);
        for (int d = 0; d < x->rank; d++)
            own[d] = diagonal ? (d == last  ? index[last - 1]
                                 : d == dim ? index[last - 1]
                                            : index[d - (d > dim)])
                              : (d == dim ? index[d] * step + index[last] : index[d]);
        if (diagonal) {
            own[dim] -= offset < 0 ? offset : 0;
            own[last] += offset > 0 ? offset : 0;
        }
        v.at[i] = x->at[number_of(x, own)];
    }
    p->step = diagonal ? "diagonal" : "unfold";
    rille_tensor *t = p->tensor[from];
    add_value(p, diagonal ? rille_diagonal(t, offset, dim, last) : rille_unfold(t, dim, size, step), false, v);
}

static inline void step_ones(program *p) /* squeeze of one dimension, or of all; unsqueeze */
{
    int from = any(p), which = (int)random_below(&p->rng, 3), rank = 0;
    const plain *x = &p->expected[from];
    if (x->rank > 6 || (which == 0 && x->rank == 0))
        return;
    int dim = (int)random_below(&p->rng, which == 2 ? x->rank + 1 : x->rank == 0 ? 1 : x->rank);
    int64_t shape[RILLE_MAX_RANK];
    for (int d = 0; d < x->rank; d++) {
        if (which == 2 && d == dim)
            shape[rank++] = 1;
        if (which == 2 || x->shape[d] != 1 || (which == 0 && d != dim))
            shape[rank++] = x->shape[d];
    }
    if (which == 2 && dim == x->rank)
        shape[rank++] = 1;
    plain v = view_of(p, x, rank, shape);
    memcpy(v.at, x->at, (size_t)v.numel * sizeof *v.at);
    p->step = which == 2 ? "unsqueeze" : "squeeze";
    rille_tensor *t = p->tensor[from];
    add_value(p, which == 2 ? rille_unsqueeze(t, dim) : rille_squeeze(t, which == 0 ? &dim : NULL, which == 0), false, v);
}

static inline void step_split(program *p) /* split in three, one of which the program gets */
{
    int from = any(p);
    const plain *x = &p->expected[from];
    if (x->rank == 0)
        return;
    int dim = (int)random_below(&p->rng, x->rank), which = (int)random_below(&p->rng, 3);
    int64_t first = random_below(&p->rng, x->shape[dim] + 1), second = random_below(&p->rng, x->shape[dim] - first + 1);
    int64_t sizes[] = {first, second, x->shape[dim] - first - second}, index[RILLE_MAX_RANK], shape[RILLE_MAX_RANK];
    memcpy(shape, x->shape, sizeof shape);
    shape[dim] = sizes[which];
    plain v = view_of(p, x, x->rank, shape);
    for (int64_t i = 0; i < v.numel; i++) {
        position(&v, i, index);
        index[dim] += which == 0 ? 0 : which == 1 ? first : first + second;
        v.at[i] = x->at[number_of(x, index)];
    }
    rille_tensor *part[3];
    p->step = "split";
    cr_assert_eq(rille_split(p->tensor[from], 3, sizes, dim - x->rank, part), RILLE_OK, "seed %llu, split: %s", SEED(p),
                 rille_error(p->cx));
    add_value(p, part[which], false, v);
}

static inline void step_parts(program *p) /* chunk and unbind, one part of which the program gets */
{
    int from = any(p), asked = 1 + (int)random_below(&p->rng, 4);
    const plain *x = &p->expected[from];
    bool chunks = random_below(&p->rng, 2) == 0;
    if (x->rank == 0)
        return;
    int dim = (int)random_below(&p->rng, x->rank);
    int64_t size = x->shape[dim], each = chunks ? (size + asked - 1) / asked : 1, shape[RILLE_MAX_RANK], index[RILLE_MAX_RANK];
    int64_t count = each == 0 ? asked : (size + each - 1) / each;
    if (count == 0)
        return;
    int64_t which = random_below(&p->rng, count), rest = size - which * each;
    memcpy(shape, x->shape, sizeof shape);
    shape[dim] = rest < each ? rest : each;
    plain v = view_of(p, x, x->rank, shape);
    for (int64_t i = 0; i < v.numel; i++) {
        position(&v, i, index);
        index[dim] += which * each;
        v.at[i] = x->at[number_of(x, index)];
    }
    if (!chunks)
        drop_dimension(&v, dim);
    rille_tensor **part = claim(p, count, sizeof *part);
    p->step = chunks ? "chunk" : "unbind";
    bool done =
        chunks ? rille_chunk(p->tensor[from], asked, dim, part) == count : rille_unbind(p->tensor[from], dim, part) == RILLE_OK;
    cr_assert(done, "seed %llu, %s: %s", SEED(p), p->step, rille_error(p->cx));
    add_value(p, part[which], false, v);
}

static inline void step_meshgrid(program *p) /* of a vector with itself: one of both grids */
{
    int from = any(p), which = (int)random_below(&p->rng, 2);
    const plain *x = &p->expected[from];
    int64_t n = x->shape[0];
    if (x->rank != 1 || n * n > MOST_ELEMENTS)
        return;
    plain v = view_of(p, x, 2, (int64_t[]){n, n});
    for (int64_t i = 0; i < v.numel; i++)
        v.at[i] = x->at[which == 0 ? i / n : i % n];
    rille_tensor *both[] = {p->tensor[from], p->tensor[from]}, *grid[2] = {NULL, NULL};
    p->step = "meshgrid";
    cr_assert_eq(rille_meshgrid(both, 2, grid), RILLE_OK, "seed %llu, meshgrid: %s", SEED(p), rille_error(p->cx));
    add_value(p, grid[which], false, v);
}

/* ---- Joining ---- */

static inline void step_cat(program *p) /* a value with itself and another dtype's narrowed one; stack of the first two */
{
    int from = any(p);
    const plain *x = &p->expected[from];
    bool stacks = random_below(&p->rng, 2) == 0;
    if (x->rank > 5 || 2 * x->numel > MOST_ELEMENTS || (x->rank == 0 && !stacks))
        return;
    int dim = (int)random_below(&p->rng, stacks ? x->rank + 1 : x->rank);
    rille_dtype other = every_dtype[random_below(&p->rng, DTYPES)];
    plain y = fresh(p, other, x->rank, x->shape);
    rille_tensor *second = rille_empty(p->cx, other, x->rank, x->shape);
    for (int64_t i = 0; i < y.numel; i++) {
        y.store[i] = random_value(&p->rng, other, WHOLE);
        put_element(other, rille_data(second), i, y.store[i]);
    }
    int64_t shape[RILLE_MAX_RANK] = {0}, index[RILLE_MAX_RANK];
    memcpy(shape, x->shape, sizeof x->shape);
    if (stacks) {
        memmove(shape + dim + 1, shape + dim, (size_t)(x->rank - dim) * sizeof shape[0]);
        shape[dim] = 2;
    } else
        shape[dim] *= 2;
    plain v = fresh(p, higher(x->dtype, other), x->rank + stacks, shape);
    for (int64_t i = 0; i < v.numel; i++) {
        position(&v, i, index);
        bool is_second = stacks ? index[dim] == 1 : index[dim] >= x->shape[dim];
        if (stacks)
            memmove(index + dim, index + dim + 1, (size_t)(x->rank - dim) * sizeof index[0]);
        else if (is_second)
            index[dim] -= x->shape[dim];
        v.store[i] = as_dtype(v.dtype, is_second ? get(&y, number_of(&y, index)) : get(x, number_of(x, index)));
    }
    p->step = stacks ? "stack" : "cat";
    rille_tensor *both[] = {p->tensor[from], second};
    add_value(p, stacks ? rille_stack(both, 2, dim) : rille_cat(both, 2, dim), false, v);
    rille_free(second);
}

typedef enum spread { TILE, ROLL, PAD, TRIU, TRIL, SPREADS } spread;

static inline rille_tensor *call_spread(spread which, rille_tensor *t, int dim, const int64_t *before, const int64_t *after)
{
    switch (which) {
    case TILE: return rille_tile(t, rille_rank(t), after);
    case ROLL: return rille_roll(t, before[dim], dim);
    case PAD: return rille_pad(t, before, after, 1);
    case TRIU: return rille_triu(t, before[0]);
    default: return rille_tril(t, before[0]);
    }
}

static inline void step_spread(program *p)
{
    static const char *const name[] = {"tile", "roll", "pad", "triu", "tril"};
    int from = any(p);
    const plain *x = &p->expected[from];
    spread which = (spread)random_below(&p->rng, SPREADS);
    if (x->rank == 0 || (which >= TRIU && x->rank < 2))
        return;
    int dim = (int)random_below(&p->rng, x->rank);
    int64_t shape[RILLE_MAX_RANK], index[RILLE_MAX_RANK], before[RILLE_MAX_RANK], after[RILLE_MAX_RANK];
    for (int d = 0; d < x->rank; d++) {
        before[d] = random_below(&p->rng, 4) - (which == ROLL ? 2 : 1);
        after[d] = random_below(&p->rng, 3);
        int64_t padded = x->shape[d] + before[d] + after[d];
        shape[d] = which == TILE ? x->shape[d] * after[d] : which == PAD ? padded : x->shape[d];
        if (which == PAD && x->shape[d] + before[d] < 0)
            return;
    }
    if (count_of(x->rank, shape) > MOST_ELEMENTS)
        return;
    plain v = fresh(p, x->dtype, x->rank, shape);
    for (int64_t i = 0; i < v.numel; i++) {
        position(&v, i, index);
        int64_t above = x->rank < 2 ? 0 : index[x->rank - 1] - index[x->rank - 2];
        bool inside = which == TRIU ? above >= before[0] : which == TRIL ? above <= before[0] : true;
        for (int d = 0; d < x->rank; d++) {
            if (which == PAD) {
                index[d] -= before[d];
                inside = inside && index[d] >= 0 && index[d] < x->shape[d];
            } else if (which == TILE)
                index[d] %= x->shape[d];
            else if (which == ROLL && d == dim)
                index[d] = ((index[d] - before[d]) % x->shape[d] + x->shape[d]) % x->shape[d];
        }
        v.store[i] = inside ? get(x, number_of(x, index)) : which == PAD;
    }
    p->step = name[which];
    add_value(p, call_spread(which, p->tensor[from], dim, before, after), false, v);
}

static inline void step_diagonal(program *p) /* diag_embed, and diag of a vector */
{
    int from = any(p);
    const plain *x = &p->expected[from];
    int64_t offset = random_below(&p->rng, 5) - 2, shape[RILLE_MAX_RANK];
    if (x->rank == 0 || x->rank > 6)
        return;
    int64_t n = x->shape[x->rank - 1], size = n + (offset < 0 ? -offset : offset);
    memcpy(shape, x->shape, sizeof shape);
    shape[x->rank - 1] = shape[x->rank] = size;
    if (count_of(x->rank + 1, shape) > MOST_ELEMENTS)
        return;
    plain v = fresh(p, x->dtype, x->rank + 1, shape);
    for (int64_t i = 0; i < v.numel; i++) {
        int64_t row = i / size % size, column = i % size;
        v.store[i] = column - row == offset ? get(x, i / size / size * n + (offset < 0 ? column : row)) : 0;
    }
    p->step = x->rank == 1 ? "diag" : "diag_embed";
    rille_tensor *t = p->tensor[from];
    add_value(p, x->rank == 1 ? rille_diag(t, offset) : rille_diag_embed(t, offset), false, v);
}

/* ---- By conditions ---- */

static inline void step_masked(program *p) /* where, masked_fill, masked_select */
{
    int which = (int)random_below(&p->rng, 3);
    pair r = random_pair(p);
    const plain *x = &p->expected[r.a], *y = &p->expected[r.b];
    if (r.fits && count_of(r.rank, r.shape) > MOST_ELEMENTS)
        return;
    int64_t index[RILLE_MAX_RANK], found = 0;
    plain v = fresh(p, which == 0 ? higher(x->dtype, y->dtype) : y->dtype, r.fits ? r.rank : 0, r.shape);
    for (int64_t i = 0; r.fits && i < v.numel; i++) { /* where x is not 0: x, 1 or those elements of y */
        position(&v, i, index);
        long double a = get(x, element_number(x, r.rank, index)), b = get(y, element_number(y, r.rank, index));
        if (which == 2 && a != 0)
            v.store[found++] = b;
        else if (which != 2)
            v.store[i] = as_dtype(v.dtype, a == 0 ? b : which == 0 ? a : 1);
    }
    if (which == 2) {
        v.rank = 1;
        v.shape[0] = v.numel = found;
    }
    p->step = which == 0 ? "where" : which == 1 ? "masked_fill" : "masked_select";
    rille_tensor *a = p->tensor[r.a], *b = p->tensor[r.b], *one = rille_scalar(p->cx, RILLE_FLOAT64, 1);
    add_value(p,
              which == 0   ? rille_where(a, a, b)
              : which == 1 ? rille_masked_fill(b, a, one)
                           : rille_masked_select(b, a),
              !r.fits, v);
    rille_free(one);
}

#endif
