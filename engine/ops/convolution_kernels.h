/* Between images and the columns of the matrix that a convolution multiplies by; compiled once per instruction set. */
#ifndef RL_OPS_CONVOLUTION_KERNELS_H
#define RL_OPS_CONVOLUTION_KERNELS_H

#include "base/isa.h"
#include "ops/windows.h"

typedef struct rl_columns { /* of an image [channels, in, in], the windows first ... first + count - 1, row-major */
    const rl_axis *axis;    /* RL_AXES of them */
    int64_t channels, first, count;
} rl_columns;

/* By dtype, 0: float32, 1: float64. Columns are dense: [channels, kernel, kernel, count]. */
typedef void rl_move_columns(const rl_columns *c, void *image, void *columns);

typedef struct rl_convolution_kernels {
    rl_move_columns *gather[2];  /* columns = the windows' elements, 0 in the padding; the image is only read */
    rl_move_columns *scatter[2]; /* adds them to the image: gather transposed; the columns are only read */
} rl_convolution_kernels;

RL_ISA_DECLARE(rl_convolution_kernels)

#endif
