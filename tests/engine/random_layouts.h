/* Random tensors of any layout: transposed, narrowed, stepped through, flipped and expanded. */
#ifndef RILLE_TESTS_RANDOM_LAYOUTS_H
#define RILLE_TESTS_RANDOM_LAYOUTS_H

#include "engine/support.h"

#include <float.h>

static const rille_dtype every_dtype[] = {RILLE_BOOL, RILLE_UINT8, RILLE_INT64, RILLE_FLOAT32, RILLE_FLOAT64}; /* in order */
enum { DTYPES = 5 };

static inline bool is_floating(rille_dtype dtype)
{
    return dtype == RILLE_FLOAT32 || dtype == RILLE_FLOAT64;
}

static const double specials[] = {0.0,       -0.0,  1,      -1,     0.5,    2,       NAN,      INFINITY,
                                  -INFINITY, 1e-40, -1e-40, 5e-324, 1e-310, FLT_MIN, -FLT_MAX, 3};
enum { SPECIALS = sizeof specials / sizeof specials[0] };

typedef enum values { FINITE, SPECIAL, WHOLE } values; /* in [-4, 4]; with specials among them; -4, -3, ... 4 */

static inline long double random_value(uint64_t *rng, rille_dtype dtype, values kind)
{
    if (dtype == RILLE_BOOL)
        return random_below(rng, 2);
    if (dtype == RILLE_UINT8)
        return random_below(rng, kind == WHOLE ? 5 : 256);
    if (dtype == RILLE_INT64 && kind == SPECIAL && random_below(rng, 8) == 0)
        return random_below(rng, 2) == 0 ? (long double)INT64_MAX : (long double)INT64_MIN;
    if (dtype == RILLE_INT64 || kind == WHOLE)
        return random_below(rng, 9) - 4;
    double x =
        kind == SPECIAL && random_below(rng, 4) == 0 ? specials[random_below(rng, SPECIALS)] : random_between(rng, -4, 4);
    return dtype == RILLE_FLOAT32 ? (long double)(float)x : (long double)x;
}

static inline rille_tensor *random_tensor(rille_context *cx, uint64_t *rng, rille_dtype dtype, values kind, int rank,
                                          const int64_t *shape)
{
    rille_tensor *t = rille_empty(cx, dtype, rank, shape);
    cr_assert_not_null(t, "%s", rille_error(cx));
    for (int64_t i = 0; i < rille_numel(t); i++)
        put_element(dtype, rille_data(t), i, random_value(rng, dtype, kind));
    return t;
}

/* A tensor of this shape whose strides are anything: dimensions in any order, each a part of a longer one, backwards,
 * every second element, or the same element again and again. */
static inline rille_tensor *random_layout(rille_context *cx, uint64_t *rng, rille_dtype dtype, values kind, int rank,
                                          const int64_t *shape)
{
    int order[8], inverse[8];
    int64_t base[8];
    bool stepped = random_below(rng, 3) == 0, plain = random_below(rng, 3) == 0;
    for (int i = 0; i < rank; i++) {
        int k = plain ? i : (int)random_below(rng, i + 1);
        order[i] = order[k];
        order[k] = i;
        if (plain)
            order[i] = i;
    }
    for (int i = 0; i < rank; i++) {
        inverse[order[i]] = i;
        base[i] = !plain && random_below(rng, 8) == 0 ? 1 : shape[order[i]] + (plain ? 0 : random_below(rng, 3));
    }
    base[rank] = 2;
    rille_tensor *t = random_tensor(cx, rng, dtype, kind, rank + stepped, base);
    if (stepped)
        t = rille_select(t, -1, random_below(rng, 2));
    for (int i = 0; i < rank; i++)
        if (base[i] > 1 || shape[order[i]] == 0)
            t = rille_narrow(t, i, random_below(rng, base[i] - shape[order[i]] + 1), shape[order[i]]);
    for (int i = 0; i < rank && !plain; i++)
        if (random_below(rng, 4) == 0)
            t = rille_flip(t, &i, 1);
    t = rille_expand(rille_permute(t, inverse), rank, shape);
    cr_assert_not_null(t, "%s", rille_error(cx));
    cr_assert(has_shape(t, rank, shape));
    return t;
}

static inline int random_shape(uint64_t *rng, int most_rank, int64_t *shape)
{
    int rank = (int)random_below(rng, most_rank + 1);
    for (int d = 0; d < rank; d++)
        shape[d] = random_below(rng, 20) == 0 ? 0 : 1 + random_below(rng, 5);
    if (rank > 0 && random_below(rng, 40) == 0) /* enough for several chunks */
        for (int d = 0; d < rank; d++)
            shape[d] = d == 0 ? 300 : rank == 2 ? 700 : 8;
    return rank;
}

#endif
