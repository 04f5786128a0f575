/* Running sums, products and linear recurrences. */
#ifndef RL_OPS_SCAN_H
#define RL_OPS_SCAN_H

#include "ops/ops.h"

/* Along the last dimension, each element's product of all others. Recorded; NULL in, NULL out. */
rille_tensor *rl_product_of_others(rille_tensor *t);

/* Along dim, the linear recurrence s[i] = b[i] + x[i] s[i - 1], or, unless `own`, b[i] + x[i - 1] s[i - 1]; with `reverse` from
 * the end on, so that i + 1 stands for i - 1. x and b are of one shape. Recorded. */
rille_tensor *rl_recurrence(rille_tensor *x, rille_tensor *b, int dim, bool reverse, bool own);

#endif
