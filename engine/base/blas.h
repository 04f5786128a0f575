/* Whose kernels OpenBLAS has picked, and whether it should have known better. */
#ifndef RL_BASE_BLAS_H
#define RL_BASE_BLAS_H

#include <stdbool.h>

/* What core's kernels are to be replaced by on a CPU that has these sets (isa.h); NULL: nothing. */
const char *rl_better_blas_core(const char *core, bool has_v4, bool has_v3);

#endif
