/* Loops over the rows of activations.def, compiled once per instruction set, which takes minutes: so nothing is included that
 * changes for other reasons, rille.h least of all. */
#ifndef RL_ACTIVATIONS_KERNELS_H
#define RL_ACTIVATIONS_KERNELS_H

#include "base/isa.h"

#include <stddef.h>

#define ACTIVATION(...) +1
enum {
    RL_ACTIVATION_COUNT = 0
#include "activations/activations.def"
};
#undef ACTIVATION
enum { RL_MOST_PARAMETERS = 4 }; /* of a row */

/* n elements; in place (y == x, z == x, z == g) is allowed; pointers need only their element's alignment. params: the row's
 * parameters in order, never NULL where it has some. */
typedef void rl_map_kernel(size_t n, const void *x, void *y, const double *params);                    /* y = f^(order)(x) */
typedef void rl_product_kernel(size_t n, const void *g, const void *x, void *z, const double *params); /* z = g f^(order)(x) */

/* A function of x and the parameters, made from f: p is the parameter number `which`, where the term has one. */
typedef enum rl_term { RL_F, RL_F_X, RL_F_XX, RL_F_P, RL_F_XP, RL_F_PP } rl_term;

/* z = f for RL_F, else g times the term. Element i has the parameters column[0][i], column[1][i] ... */
typedef void rl_column_kernel(size_t n, rl_term term, int which, const void *g, const void *x, void *z,
                              const double *const *column);

typedef struct rl_activation_kernels {
    rl_map_kernel *map[RL_ACTIVATION_COUNT][2][3];         /* by dtype: float32, float64; by order: f, f', f" */
    rl_product_kernel *product[RL_ACTIVATION_COUNT][2][3]; /* the same */
    rl_column_kernel *column[RL_ACTIVATION_COUNT][2];      /* by dtype; NULL where no parameter is learnable */
} rl_activation_kernels;

RL_ISA_DECLARE(rl_activation_kernels)

#endif
