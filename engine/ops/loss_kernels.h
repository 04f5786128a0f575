/* The losses of pair_losses.def and their derivatives, compiled once per instruction set. */
#ifndef RL_OPS_LOSS_KERNELS_H
#define RL_OPS_LOSS_KERNELS_H

#include "base/isa.h"

#include <stddef.h>

typedef enum rl_pair_loss {
#define LOSS(name, ...) RL_LOSS_##name,
#include "ops/pair_losses.def"
#undef LOSS
    RL_PAIR_LOSSES
} rl_pair_loss;

typedef enum rl_loss_term { RL_LOSS_F, RL_LOSS_F_X, RL_LOSS_F_T, RL_LOSS_F_XX, RL_LOSS_F_XT, RL_LOSS_F_TT } rl_loss_term;

/* n dense elements: z = f(x, t) for RL_LOSS_F, else z = g times the term; g is one number where one_g, else as many as x. */
typedef void rl_loss_kernel(size_t n, rl_loss_term term, const void *g, int one_g, const void *x, const void *t, double p,
                            void *z);

typedef struct rl_loss_kernels {
    rl_loss_kernel *pair[RL_PAIR_LOSSES][2]; /* by dtype: float32, float64 */
} rl_loss_kernels;

RL_ISA_DECLARE(rl_loss_kernels)

#endif
