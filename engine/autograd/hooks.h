/* Running hooks during backward. */
#ifndef RL_AUTOGRAD_HOOKS_H
#define RL_AUTOGRAD_HOOKS_H

#include "tensor/graph.h"

/* What the hooks make of the gradient g, in the innermost scope: g where there are none or they leave it; NULL, with the error
 * recorded, where one fails or returns something else than a gradient of that shape. hooks may be NULL. */
rille_tensor *rl_hooks_run(const rl_hooks *hooks, rille_tensor *g);

#endif
