/* Pools of one plane, compiled once per instruction set. */
#ifndef RL_OPS_POOLING_KERNELS_H
#define RL_OPS_POOLING_KERNELS_H

#include "base/isa.h"
#include "ops/windows.h"

/* All by dtype, 0: float32, 1: float64. Planes are dense, [in, in] and [out, out] of the two axes. */
typedef struct rl_pooling_kernels {
    /* One row of windows: y[column] = v where x, of v's shape, is largest in the window. */
    void (*pick[2])(const rl_axis *axis, int64_t row, const void *x, const void *v, void *y);
    /* dx = 0, then each window adds its g where x is largest in it. */
    void (*spread[2])(const rl_axis *axis, const void *x, const void *g, void *dx);
    /* One row of windows: y[column] = their averages, in float64. `inside`: of what is not in the padding. */
    void (*average[2])(const rl_axis *axis, bool inside, int64_t row, const void *x, void *y);
    /* One row of the plane: dx[column] = the sum over the windows that see it of their g over what they average over. */
    void (*share[2])(const rl_axis *axis, bool inside, int64_t row, const void *g, void *dx);
} rl_pooling_kernels;

RL_ISA_DECLARE(rl_pooling_kernels)

#endif
