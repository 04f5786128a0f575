/* Products with one matrix that is multiplied many times, compiled once per instruction set. CBLAS would arrange such a matrix
 * anew at each call, which for few rows takes as long as the product; here that is done once. */
#ifndef RL_OPS_PANEL_KERNELS_H
#define RL_OPS_PANEL_KERNELS_H

#include "base/isa.h"

#include <stddef.h>

typedef struct rl_panel_kernels { /* by dtype: float32, float64 */
    size_t width[2];              /* columns of a panel: panels of b [k, m] take k times m, rounded up to a multiple of it */
    /* b(i, j) = b[i row_step + j column_step] into panels of columns, row after row, the last one filled up with zeros */
    void (*arrange[2])(size_t k, size_t m, const void *b, ptrdiff_t row_step, ptrdiff_t column_step, void *panels);
    /* c [rows, m] = a [rows, k] b + (add: c), dense. A row's result does not depend on how many there are */
    void (*multiply[2])(size_t rows, size_t k, size_t m, const void *a, const void *panels, void *c, int add);
} rl_panel_kernels;

RL_ISA_DECLARE(rl_panel_kernels)

#endif
