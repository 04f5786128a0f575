/* Inner loops of parameter updates and of clipping, compiled once per instruction set. */
#ifndef RL_OPTIM_KERNELS_H
#define RL_OPTIM_KERNELS_H

#include "base/isa.h"
#include "flow/kernels.h"
#include "rille.h"

enum { RL_OPTIMIZERS = RILLE_LION + 1 };

/* What a step multiplies by, the same for every element of a parameter; hyperparameters and bias corrections are put together
 * in double, and rounded to the parameter's dtype once. */
typedef struct rl_update {
    double rate;          /* p -= rate direction */
    double shrink;        /* p *= shrink, before: decay that is apart from the gradient */
    double decay;         /* g += decay p: decay that is part of it */
    double momentum;      /* buffer = momentum buffer + direction */
    bool nesterov;        /* go along g + momentum buffer */
    double first, second; /* moving averages: x = first x + (1 - first) new */
    double root;          /* of a second moment whose bias is corrected: its root is times this */
    double eps;
} rl_update;

typedef struct rl_optim_kernels {
    /* p, g and the states (NULL where the options need none; order as rille_optimizer_states has it): n dense elements */
    void (*update[RL_OPTIMIZERS][2])(size_t n, const rl_update *u, void *p, const void *g, void *const *state);
    double (*largest[2])(size_t n, const void *x);                                        /* |x|; NaN where there is one */
    double (*sum_of_powers[2])(size_t n, const void *x, rl_power_of_two scale, double p); /* of |x scale| */
    void (*scale[2])(size_t n, void *x, double factor);
    void (*clamp[2])(size_t n, void *x, double bound);
} rl_optim_kernels;

RL_ISA_DECLARE(rl_optim_kernels)

#endif
