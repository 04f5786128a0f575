/* Inner loops of parameter updates, compiled once per instruction set. */
#ifndef RL_OPTIM_KERNELS_H
#define RL_OPTIM_KERNELS_H

#include "base/isa.h"
#include "rille.h"

typedef struct rl_optim_kernels {
    /* p, g, v: n dense elements, float32 or float64; v NULL without momentum */
    void (*sgd[2])(size_t n, void *p, const void *g, void *v, const rille_sgd_options *options);
} rl_optim_kernels;

RL_ISA_DECLARE(rl_optim_kernels)

#endif
