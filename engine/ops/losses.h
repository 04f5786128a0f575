/* What losses share. */
#ifndef RL_OPS_LOSSES_H
#define RL_OPS_LOSSES_H

#include "ops/ops.h"

/* Whether there is such a reduction; a message where not. */
bool rl_is_reduction(rille_context *cx, const char *operation, rille_reduction reduction, bool of_batches);

/* each, or its sum over `divisor`. Frees each, which may be NULL, where it does not return it. */
rille_tensor *rl_reduced_loss(rille_tensor *each, rille_reduction reduction, double divisor);

#endif
