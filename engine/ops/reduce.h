/* What reductions share: their plan, and folds of long rows. */
#ifndef RL_OPS_REDUCE_H
#define RL_OPS_REDUCE_H

#include "ops/ops.h"

typedef struct rl_reduction {
    bool reduced[RILLE_MAX_RANK];
    int64_t size;  /* elements that go into one result */
    int kept_rank; /* of the result */
    int64_t kept_shape[RILLE_MAX_RANK];
} rl_reduction;

/* Over `count` dimensions, or all where dims is NULL; false, with a message, where one is out of range or named twice. */
bool rl_plan_reduction(const rille_tensor *t, const char *operation, const int *dims, int count, bool keepdim, rl_reduction *r);

/* A view of t with the kept dimensions first and the reduced ones last (or, where reduced_first, the other way). */
rille_tensor *rl_grouped_view(rille_tensor *t, const rl_reduction *r, bool reduced_first);

/* What a reduction's node remembers: which dimensions, and a number. */
rl_attributes rl_reduction_attributes(const rl_reduction *r, double number);

/* The reduced ones of `rank` dimensions into dims, and how many they are. */
int rl_reduced_dimensions(const bool *reduced, int rank, int *dims);

/* t as [results, size], the reduced dimensions along the second one; and back to the input's shape. Recorded; NULL in, NULL out. */
rille_tensor *rl_reduced_last(rille_tensor *t, const bool *reduced);
rille_tensor *rl_reduced_back(rille_tensor *rows, const rl_edge *input, const bool *reduced);

/* g, whose reduced dimensions may be missing, with them back as size 1. */
rille_tensor *rl_with_kept_dimensions(rille_tensor *g, const rl_edge *input, const bool *reduced);

#endif
