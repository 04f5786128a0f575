/* Decompositions of the matrices of a tensor by LAPACK, which OpenBLAS brings along. */
#ifndef RL_OPS_LAPACK_H
#define RL_OPS_LAPACK_H

#include "ops/ops.h"

typedef struct rl_decomposition rl_decomposition;

/* Of one matrix [m, n] at a, dense and overwritten, into rows x columns elements at out. LAPACK counts along columns: what is
 * row-major it sees as the transpose, n rows by m columns. Returns 0, or LAPACK's reason why there is none. */
typedef int rl_decompose(const rl_decomposition *d, void *a, void *out, void *scratch);

struct rl_decomposition {
    const char *operation;
    rille_dtype dtype;
    int m, n, k;           /* k = min(m, n) */
    int64_t rows, columns; /* of the result */
    size_t work, others;   /* elements of scratch: for LAPACK, from the start on, and after these; */
    size_t integers;       /* and ints, at its end */
    rl_decompose *decompose;
};

/* t, [..., m, n], as floating: itself or a copy, in the innermost scope; NULL, with a message, where it is no matrix, holds what
 * is not finite, or is too large for LAPACK. Fills in operation, dtype, m, n and k. */
rille_tensor *rl_check_matrices(const char *operation, rille_tensor *t, rl_decomposition *d);

/* [..., rows, columns] of t, [..., m, n]. Not recorded. */
rille_tensor *rl_decomposed(const rl_decomposition *d, rille_tensor *t);

/* Each part to where the caller of an operation on t wants it, or nowhere where that is NULL. Where a part is missing, frees the
 * others, and the caller gets NULL and the status of the error. */
rille_status rl_give(const rille_tensor *t, int count, rille_tensor **part, rille_tensor **const *wanted);

static inline rille_tensor *rl_transposed(rille_tensor *t) /* [..., m, n] -> [..., n, m] */
{
    return rille_transpose(t, -2, -1);
}

/* How much LAPACK wants, from the `work` element that it wrote where it was asked. */
size_t rl_lapack_work(rille_dtype dtype, const void *work);

#endif
