/* One step of a gated recurrent layer and of its gradient, compiled once per instruction set. */
#ifndef RL_OPS_RECURRENCE_KERNELS_H
#define RL_OPS_RECURRENCE_KERNELS_H

#include "base/isa.h"

#include <stddef.h>

/* Dense rows of `width` units; gates and their like have 4 (lstm) or 3 (gru) times as many. */
typedef struct rl_recurrent_step {
    size_t rows, width;
    void *gates;          /* what the gates are functions of; forward of gru adds the product to its input's share */
    const void *product;  /* gru: h W_hh^T, of which the bias is */
    const void *bias;     /* [3 width] */
    void *candidate;      /* gru: the third of product + bias */
    const void *h_before; /* gru */
    void *h;
    const void *c_before; /* lstm. c may be the same */
    void *c;

    const void *g;   /* backward: the gradient of h from outside, */
    void *dh, *dc;   /* from later steps, which become those for earlier ones: gru leaves in dh what does not pass W_hh */
    void *d_gates;   /* of what the gates are functions of, */
    void *d_product; /* and, for gru, of product */
} rl_recurrent_step;

typedef void rl_recurrent_kernel(const rl_recurrent_step *step);

typedef struct rl_recurrence_kernels { /* by dtype: float32, float64 */
    rl_recurrent_kernel *lstm[2], *lstm_vjp[2], *gru[2], *gru_vjp[2];
} rl_recurrence_kernels;

RL_ISA_DECLARE(rl_recurrence_kernels)

#endif
