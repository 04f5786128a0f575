/* Pooled, counted, limited memory: 64-byte aligned blocks, whose owner remembers their size. */
#ifndef RL_BASE_MEMORY_H
#define RL_BASE_MEMORY_H

#include "base/context.h"

/* NULL, with the error recorded, where the allocator or the limit says no. 0 bytes give a block too. */
void *rl_allocate(rille_context *cx, size_t bytes);
void *rl_allocate_zeroed(rille_context *cx, size_t bytes);

/* `bytes` as it was allocated with. NULL is allowed. The block goes to the context's pool. */
void rl_release(rille_context *cx, void *block, size_t bytes);

/* a b into *product; false where it overflows. */
static inline bool rl_multiply(size_t a, size_t b, size_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}

/* What a block of `bytes` really takes: the size of its class; 0 where that overflows. */
size_t rl_block_size(size_t bytes);

#endif
