/* Counter-based random numbers (Philox4x32-10, Salmon et al. 2011): element i of a draw depends on the seed and on the
 * counter alone, so a draw is the same for any number of threads. */
#ifndef RL_BASE_RNG_H
#define RL_BASE_RNG_H

#include "base/context.h"

typedef struct rl_random_block {
    uint32_t word[4];
} rl_random_block;

rl_random_block rl_random(uint64_t seed, uint64_t counter);

/* Takes `blocks` counters out of the context's stream and returns the first. */
uint64_t rl_random_reserve(rille_context *cx, uint64_t blocks);

#endif
