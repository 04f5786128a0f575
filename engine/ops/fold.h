/* Folds: many elements of a tensor into one number for each result of a reduction. */
#ifndef RL_OPS_FOLD_H
#define RL_OPS_FOLD_H

#include "ops/fold_kernels.h"
#include "ops/reduce.h"

typedef struct rl_fold_input { /* t as folds read it, dense */
    rille_tensor *t, *view, *dense;
    bool down;      /* [size, results]; else [results, size] */
    size_t results; /* of the reduction, row-major */
    size_t size;    /* elements that go into each */
} rl_fold_input;

/* Floating dtypes, int64, uint8 and bool. false, with the error recorded, where it fails; rl_fold_finish is called either way. */
bool rl_fold_begin(rl_fold_input *in, rille_tensor *t, const rl_reduction *r);

/* One double for each result (int64_t where the dtype is no floating one), which the caller ends by rl_fold_release or
 * rl_fold_finish; NULL, with the error recorded, where that fails. each: the kind's c of every result; p: its p. */
void *rl_fold(const rl_fold_input *in, const char *operation, rl_fold_kind kind, const double *each, double p);
void rl_fold_release(const rl_fold_input *in, void *totals); /* NULL is allowed */

/* Ends `in` and the totals, which are put into out; false where they are NULL. */
bool rl_fold_finish(rl_fold_input *in, void *totals, rille_tensor *out);

#endif
