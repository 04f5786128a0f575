/* Activations on raw buffers, for the rest of the engine. */
#ifndef RL_ACTIVATIONS_MAP_H
#define RL_ACTIVATIONS_MAP_H

#include "activations/kernels.h"
#include "rille.h"

_Static_assert((int)RL_ACTIVATION_COUNT == (int)RILLE_ACTIVATION_COUNT && RL_MOST_PARAMETERS == RILLE_MAX_PARAMETERS,
               "kernels.h says what rille.h says");

/* params, or the row's defaults where it is NULL; NULL, with the error recorded, where one is out of its allowed range. */
const double *rl_activation_parameters(rille_context *cx, rille_activation act, const double *params);

/* z = g f^(order)(x) for n elements, order 1 or 2; in place (z == g, z == x) is allowed. Checks as rille_map does. In float32
 * the product is rounded once; in float64 f^(order)(x) is rounded before. g = Inf and f^(order)(x) = 0 give NaN. */
rille_status rl_map_product(rille_context *cx, rille_activation act, const double *params, int order, rille_dtype dtype,
                            size_t n, const void *g, const void *x, void *z);

/* Parameters that differ from channel to channel: element i is of channel i / inner % channels. */
typedef struct rl_channels {
    size_t channels, inner;
    const double *value[RILLE_MAX_PARAMETERS]; /* of each channel, one list a parameter */
} rl_channels;

/* z = f(x), or g times the term (g NULL: 1), for n elements of an act with learnable parameters, which are not checked. In
 * float32 the product is rounded once. */
rille_status rl_map_learned(rille_context *cx, rille_activation act, rl_term term, int which, const rl_channels *parameters,
                            rille_dtype dtype, size_t n, const void *g, const void *x, void *z);

#endif
