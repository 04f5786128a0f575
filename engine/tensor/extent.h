/* The memory of dense tensors: several that are written to at once must not share any. */
#ifndef RL_TENSOR_EXTENT_H
#define RL_TENSOR_EXTENT_H

#include "tensor/tensor.h"

typedef struct rl_extent {
    const char *begin, *end;
    int place; /* the caller's number for it */
} rl_extent;

/* Of t, which is dense. */
rl_extent rl_extent_of(const rille_tensor *t, int place);

/* Sorts the list. NULL, or the second of two neighbours that share memory. */
const rl_extent *rl_first_overlap(size_t n, rl_extent *list);

#endif
