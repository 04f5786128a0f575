/* Reductions of random tensors over random dimensions. */
#ifndef RILLE_TESTS_RANDOM_REDUCTIONS_H
#define RILLE_TESTS_RANDOM_REDUCTIONS_H

#include "engine/support.h"

typedef struct reduced { /* of a random tensor */
    int dims[8], count;  /* as passed: negative ones count from the end */
    bool is_reduced[8], all, keepdim;
    int rank; /* of the result */
    int64_t shape[8];
} reduced;

static inline reduced random_reduction(uint64_t *rng, int rank, const int64_t *shape, bool one)
{
    reduced r = {.all = !one && random_below(rng, 4) == 0, .keepdim = random_below(rng, 2) == 0};
    for (int i = 0; i < rank && !r.all; i++)
        if (one ? i == 0 : random_below(rng, 2) == 0) {
            int at = one ? (int)random_below(rng, rank) : i;
            r.is_reduced[at] = true;
            r.dims[r.count++] = random_below(rng, 2) == 0 ? at : at - rank;
        }
    for (int i = 0; i < rank; i++) {
        r.is_reduced[i] = r.is_reduced[i] || r.all;
        if (!r.is_reduced[i] || r.keepdim)
            r.shape[r.rank++] = r.is_reduced[i] ? 1 : shape[i];
    }
    return r;
}

/* Which element of the result t's i-th goes into, and its place among those that do. */
static inline int64_t reduced_place(const rille_tensor *t, const reduced *r, int64_t i, int64_t *among)
{
    int64_t into = 0, step = 1, rank_in_group = 0, group_step = 1;
    for (int k = rille_rank(t) - 1; k >= 0; k--) {
        int64_t size = rille_shape(t)[k], at = i % size;
        i /= size;
        if (r->is_reduced[k]) {
            rank_in_group += at * group_step;
            group_step *= size;
        } else {
            into += at * step;
            step *= size;
        }
    }
    *among = rank_in_group;
    return into;
}

#endif
