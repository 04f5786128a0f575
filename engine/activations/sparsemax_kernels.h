/* Rows of sparsemax, compiled once per instruction set. */
#ifndef RL_ACTIVATIONS_SPARSEMAX_KERNELS_H
#define RL_ACTIVATIONS_SPARSEMAX_KERNELS_H

#include "base/isa.h"
#include "rille.h"

/* Each works on `rows` dense rows of n >= 1 elements; by dtype: float32, float64. In place (y == x, dx == g) is allowed. */
typedef struct rl_sparsemax_kernels {
    /* y = max(x - tau, 0), sum y = 1; a row with NaN or +Inf, or of -Inf alone, gives NaN throughout */
    void (*sparsemax[2])(size_t rows, size_t n, const void *x, void *y);
    /* dx = g - mean g over y > 0, 0 where y = 0, y = sparsemax(x) */
    void (*sparsemax_vjp[2])(size_t rows, size_t n, const void *y, const void *g, void *dx);
    /* y = 1 at the first largest x, 0 elsewhere; a row with NaN gives NaN throughout */
    void (*hardmax[2])(size_t rows, size_t n, const void *x, void *y);
} rl_sparsemax_kernels;

RL_ISA_DECLARE(rl_sparsemax_kernels)

#endif
