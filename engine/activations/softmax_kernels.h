/* Rows of softmax, log_softmax and cross-entropy, compiled once per instruction set. */
#ifndef RL_ACTIVATIONS_SOFTMAX_KERNELS_H
#define RL_ACTIVATIONS_SOFTMAX_KERNELS_H

#include "base/isa.h"
#include "rille.h"

/* Each works on `rows` dense rows of n >= 1 elements; by dtype: float32, float64. In place (y == x, dx == g) is allowed.
 * A row with NaN or +Inf, or of -Inf alone, gives NaN throughout. */
typedef struct rl_softmax_kernels {
    void (*softmax[2])(size_t rows, size_t n, const void *x, void *y);
    void (*log_softmax[2])(size_t rows, size_t n, const void *x, void *y);
    /* dx = y (g - sum g y), y = softmax(x) */
    void (*softmax_vjp[2])(size_t rows, size_t n, const void *y, const void *g, void *dx);
    /* dx = g - softmax(x) sum g */
    void (*log_softmax_vjp[2])(size_t rows, size_t n, const void *x, const void *g, void *dx);
    /* loss[row] = -log_softmax(x)[label[row] - base] */
    void (*cross_entropy[2])(size_t rows, size_t n, const void *x, const int64_t *label, int64_t base, double *loss);
    /* dx = scale (softmax(x) - one_hot(label - base)); no cancellation at the label of a row that is all but certain */
    void (*cross_entropy_vjp[2])(size_t rows, size_t n, const void *x, const int64_t *label, int64_t base, double scale,
                                 void *dx);
} rl_softmax_kernels;

RL_ISA_DECLARE(rl_softmax_kernels)

#endif
