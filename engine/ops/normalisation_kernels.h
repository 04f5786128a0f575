/* What normalisations compute, in float64; compiled once per instruction set. */
#ifndef RL_OPS_NORMALISATION_KERNELS_H
#define RL_OPS_NORMALISATION_KERNELS_H

#include "base/isa.h"

#include <stddef.h>

/* Of dense elements: each has its own statistics and its own weight, or all share the first. */
typedef enum rl_shared { RL_SHARE_BOTH, RL_SHARE_STATISTICS, RL_SHARE_NOTHING, RL_SHARINGS } rl_shared;

typedef struct rl_terms {
    const double *mean, *scale;  /* statistics: scale = 1 / sqrt(variance + eps) */
    const double *weight, *bias; /* 1 and -0.0 where there are none */
    const double *first,
        *second; /* statistics of the gradient: what is subtracted of g w, and of it times x^ = (x - mean) scale */
} rl_terms;

/* All by dtype, 0: float32, 1: float64. */
typedef struct rl_normalisation_kernels {
    void (*add[2])(size_t n, const void *x, double *sum);                                 /* of each: sum += x */
    void (*add_squares[2])(size_t n, const void *x, const double *mean, double *squares); /* of each: squares += (x - mean)^2 */
    /* sum[0] += g w, sum[1] += g w x^ over all; weight NULL: w = 1 */
    void (*sum_products[2])(size_t n, const void *x, const void *g, double mean, double scale, const double *weight,
                            double sum[2]);
    /* of each: first += g, second += g x^; [1]: with statistics of its own */
    void (*add_products[2][2])(size_t n, const void *x, const void *g, const double *mean, const double *scale, double *first,
                               double *second);
    void (*normalise[RL_SHARINGS][2])(size_t n, const rl_terms *t, const void *x, void *y); /* x^ weight + bias */
    /* dx = scale (g weight - first - x^ second) */
    void (*differentiate[RL_SHARINGS][2])(size_t n, const rl_terms *t, const void *x, const void *g, void *dx);
} rl_normalisation_kernels;

RL_ISA_DECLARE(rl_normalisation_kernels)

#endif
