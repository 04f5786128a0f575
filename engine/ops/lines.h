/* Moving elements to and from where an index says, along one dimension. */
#ifndef RL_OPS_LINES_H
#define RL_OPS_LINES_H

#include "ops/ops.h"

typedef enum rl_move { RL_GATHER, RL_SCATTER, RL_ADD } rl_move; /* other = target; target = other; target += other */

/* For every element of `index`, int64 and of `other`'s shape: the element of `other` there and, at the same place but
 * (index - base) `along` elements further, that of `target`. stride: the target's by dimension of the index, elements; 0 along
 * `dim`. Where several go to one place they follow each other along `dim`. Both of one dtype, RL_ADD float64 or int64; the
 * indices have been checked. */
rille_status rl_move_along(const char *operation, rl_move move, const rille_tensor *target, const int64_t *stride,
                           int64_t along, const rille_tensor *index, int64_t base, const rille_tensor *other, int dim);

#endif
