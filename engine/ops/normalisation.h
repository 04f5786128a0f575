/* Between normalisation.c, which knows tensors and the graph, and normalisation_passes.c, which computes. */
#ifndef RL_OPS_NORMALISATION_H
#define RL_OPS_NORMALISATION_H

#include "ops/normalisation_kernels.h"
#include "ops/ops.h"

typedef struct rl_norm {
    const char *name;
    int kernel;  /* 0: float32, 1: float64 */
    size_t item; /* bytes of an element */
    bool by_channel, centred;
    size_t samples, groups, channels, inner; /* x is dense, [samples, groups, channels, inner] */
    double eps;
    const char *x, *g; /* g: of the result, backward */
    double *mean, *scale;
    double *weight, *bias; /* [groups, channels] */
    double *first, *second;
} rl_norm;

/* The number of statistics: one a channel, or one a group of each sample; and of the elements that each is of. */
static inline size_t rl_norm_statistics(const rl_norm *w)
{
    return w->by_channel ? w->channels : w->samples * w->groups;
}

static inline size_t rl_norm_count(const rl_norm *w)
{
    return w->by_channel ? w->samples * w->inner : w->channels * w->inner;
}

rille_status rl_norm_measure(rille_context *cx, rl_norm *w, double *variance); /* mean, scale; by channel: the variance too */
rille_status rl_norm_apply(rille_context *cx, const rl_norm *w, char *y);      /* y = x^ weight + bias */
/* Of each channel, over samples: first[groups, channels] = sum of g, second = sum of g x^. */
rille_status rl_norm_sum_products(rille_context *cx, const rl_norm *w, double *first, double *second);
/* dx = scale (g weight - first - x^ second); by channel with w's first and second, else with what each group's are. */
rille_status rl_norm_differentiate(rille_context *cx, const rl_norm *w, char *dx);

#endif
