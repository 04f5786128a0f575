/* Loops over the rows of activations.def, compiled once per instruction set. */
#ifndef RL_ACTIVATIONS_KERNELS_H
#define RL_ACTIVATIONS_KERNELS_H

#include "base/isa.h"
#include "rille.h"

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
    rl_map_kernel *map[RILLE_ACTIVATION_COUNT][2][3];         /* by dtype: float32, float64; by order: f, f', f" */
    rl_product_kernel *product[RILLE_ACTIVATION_COUNT][2][3]; /* the same */
    rl_column_kernel *column[RILLE_ACTIVATION_COUNT][2];      /* by dtype; NULL where no parameter is learnable */
} rl_activation_kernels;

RL_ISA_DECLARE(rl_activation_kernels)

/* params, or the row's defaults where it is NULL; NULL, with the error recorded, where one is out of its allowed range. */
const double *rl_activation_parameters(rille_context *cx, rille_activation act, const double *params);

#endif
