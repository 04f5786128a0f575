/* Inner loops of the gradient-flow statistics, compiled once per instruction set. */
#ifndef RL_FLOW_KERNELS_H
#define RL_FLOW_KERNELS_H

#include "base/isa.h"
#include "rille.h"

enum { RL_MOST_MEASURED = 4096 }; /* elements that one call measures: they stay in the first cache, and counts stay small */

/* Moments of x / 2^scale: with the largest |x| near 1, no square leaves float64's range, be x 1e-200 or 1e+200. */
typedef struct rl_moments {
    int64_t zeros, subnormals, nans, infinities, finite;
    double min, max; /* of x; Inf and -Inf where nothing is finite */
    int scale;
    double mean, deviation; /* of the finite elements: mean, and sum of squared deviations from it */
} rl_moments;

/* x 2^e by two factors: as one, 2^e could overflow or vanish where the product does not. */
typedef struct rl_power_of_two {
    double half, rest;
} rl_power_of_two;

rl_power_of_two rl_power_of_two_at(int e);

static inline double rl_scaled(double x, rl_power_of_two p)
{
    return x * p.half * p.rest;
}

/* By dtype: float32, float64. Dense elements. */
typedef struct rl_flow_kernels {
    void (*moments[2])(size_t n, const void *x, rl_moments *m);                     /* n <= RL_MOST_MEASURED */
    void (*subtract[2])(size_t n, const void *x, void *previous, void *result);     /* result = x - previous; previous = x */
    size_t (*count_within[2])(size_t n, const void *x, double low, double high);    /* n as above; low <= x <= high */
    size_t (*count_below[2])(size_t n, const void *x, double threshold);            /* of |x| < threshold */
    void (*mark_nonzero[2])(size_t rows, size_t units, const void *x, bool *alive); /* alive[j] = true where x[i, j] != 0 */
} rl_flow_kernels;

RL_ISA_DECLARE(rl_flow_kernels)

#endif
