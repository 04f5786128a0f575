/* What kernels over rows have in common. */
#ifndef RL_ACTIVATIONS_LANES_H
#define RL_ACTIVATIONS_LANES_H

#include <float.h>
#include <math.h>
#include <stddef.h>

enum { LANES = 16 }; /* sums are added in fixed lanes, so that every instruction set adds in the same order */

static inline double fold_lanes(double *lane)
{
    for (size_t width = LANES / 2; width > 0; width /= 2)
        for (size_t k = 0; k < width; k++)
            lane[k] += lane[k + width];
    return lane[0];
}

/* largest_T(n, x): NaN where an element is. clang starts a maximum at the lowest finite number, lowest, where -Inf would be right. */
#define DEFINE_LARGEST(T, lowest)                                                                                              \
    static T largest_##T(size_t n, const T *x)                                                                                 \
    {                                                                                                                          \
        T most = x[0];                                                                                                         \
        int bad = 0;                                                                                                           \
        size_t at = 0;                                                                                                         \
        _Pragma("omp simd reduction(max : most) reduction(| : bad)") for (size_t i = 0; i < n; i++)                            \
        {                                                                                                                      \
            most = x[i] > most ? x[i] : most;                                                                                  \
            bad |= x[i] != x[i];                                                                                               \
        }                                                                                                                      \
        if (bad)                                                                                                               \
            return (T)NAN;                                                                                                     \
        if (most == lowest)                                                                                                    \
            while (at < n && x[at] != lowest)                                                                                  \
                at++;                                                                                                          \
        return at < n ? most : -(T)INFINITY;                                                                                   \
    }

#endif
