#include "base/rng.h"

#include <Random123/philox.h>

rl_random_block rl_random(uint64_t seed, uint64_t counter)
{
    philox4x32_ctr_t c = {{(uint32_t)counter, (uint32_t)(counter >> 32), 0, 0}};
    philox4x32_key_t k = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    philox4x32_ctr_t r = philox4x32(c, k);
    return (rl_random_block){{r.v[0], r.v[1], r.v[2], r.v[3]}};
}

uint64_t rl_random_reserve(rille_context *cx, uint64_t blocks)
{
    uint64_t first = cx->random_block;
    cx->random_block += blocks;
    return first;
}

void rille_manual_seed(rille_context *cx, uint64_t seed)
{
    cx->options.seed = seed;
    cx->random_block = 0;
}
