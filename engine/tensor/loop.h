/* Loops over the elements of one to four tensors of any strides, in row-major order of a common shape: dimensions that run
 * on without a gap are merged, and an inner function gets stretches as long as can be. */
#ifndef RL_TENSOR_LOOP_H
#define RL_TENSOR_LOOP_H

#include "tensor/tensor.h"

enum { RL_LOOP_OPERANDS = 4 };

/* n elements: operand i's k-th is at p[i] + k stride[i], strides in bytes, 0 where it is broadcast. Must not fail. */
typedef void rl_inner(size_t n, char *const *p, const ptrdiff_t *stride);

typedef struct rl_loop {
    int rank;
    int64_t shape[RILLE_MAX_RANK];
    int operands;
    char *base[RL_LOOP_OPERANDS];
    ptrdiff_t stride[RL_LOOP_OPERANDS][RILLE_MAX_RANK]; /* bytes */
} rl_loop;

rl_loop rl_loop_over(int rank, const int64_t *shape);
void rl_loop_add(rl_loop *loop, const rille_tensor *t); /* t's shape broadcasts to the loop's */
rille_status rl_loop_run(rille_context *cx, const char *operation, rl_loop *loop, size_t grain, rl_inner *inner);

#endif
