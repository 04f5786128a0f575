/* Copies of elements between tensors of any dtypes and layouts. */
#ifndef RL_TENSOR_CONVERT_H
#define RL_TENSOR_CONVERT_H

#include "tensor/loop.h"

/* into[...] = from, broadcast and converted. Overlapping storage is the caller's concern. */
rille_status rl_copy_elements(rille_context *cx, const char *operation, const rille_tensor *into, const rille_tensor *from);

/* Fills a new or an existing tensor with one value, converted as rille_to says. */
rille_status rl_fill(rille_context *cx, const char *operation, const rille_tensor *t, double value);

#endif
