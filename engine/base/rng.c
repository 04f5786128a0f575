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

rille_random_state rille_get_random_state(const rille_context *cx)
{
    return (rille_random_state){cx->options.seed, cx->random_block};
}

void rille_set_random_state(rille_context *cx, rille_random_state state)
{
    cx->options.seed = state.seed;
    cx->random_block = state.counter;
}

void rille_manual_seed(rille_context *cx, uint64_t seed)
{
    rille_set_random_state(cx, (rille_random_state){seed, 0});
}
