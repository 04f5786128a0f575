/* Rows of softmax, log_softmax and cross-entropy, compiled once per instruction set. */
#ifndef RL_ACTIVATIONS_SOFTMAX_KERNELS_H
#define RL_ACTIVATIONS_SOFTMAX_KERNELS_H

#include "base/isa.h"
#include "rille.h"

/* What labels are worth: each class's weight, and how much of it is spread over all. */
typedef struct rl_label_terms {
    int64_t base, ignored; /* of the first class; of rows without a loss */
    bool ignores;
    double smoothing, total; /* total: the sum of weights */
    const double *weight;
} rl_label_terms;

enum { RL_SOFTMAX_TOGETHER = 32 }; /* so many short rows are done side by side: best called with multiples of it */

/* Each works on `rows` dense rows of n >= 1 elements; by dtype: float32, float64. In place (y == x, dx == g) is allowed.
 * A row with NaN or +Inf, or of -Inf alone, gives NaN throughout. */
typedef struct rl_softmax_kernels {
    void (*softmax[2])(size_t rows, size_t n, const void *x, void *y);
    void (*log_softmax[2])(size_t rows, size_t n, const void *x, void *y);
    /* dx = y (g - sum g y), y = softmax(x) */
    void (*softmax_vjp[2])(size_t rows, size_t n, const void *y, const void *g, void *dx);
    /* dx = g - softmax(x) sum g */
    void (*log_softmax_vjp[2])(size_t rows, size_t n, const void *x, const void *g, void *dx);
    /* loss[row] = -(1 - smoothing) weight[label] log p[label] - smoothing / n sum weight log p, p = softmax(x), or 0 */
    void (*cross_entropy[2])(size_t rows, size_t n, const void *x, const int64_t *label, const rl_label_terms *terms,
                             double *loss);
    /* dx = scale[row] times its derivative. Without smoothing, no cancellation at the label of a row that is all but certain */
    void (*cross_entropy_vjp[2])(size_t rows, size_t n, const void *x, const int64_t *label, const rl_label_terms *terms,
                                 const double *scale, void *dx);
} rl_softmax_kernels;

RL_ISA_DECLARE(rl_softmax_kernels)

#endif
