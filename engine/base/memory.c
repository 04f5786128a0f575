/* Size classes grow by a quarter of a power of two, so that a block wastes less than a fifth, and a freed one serves any
 * later request of its class. A pooled block holds the link to the next in its own first bytes. */
#include "base/memory.h"

#include <string.h>

/* Class of a block of `bytes`, and the size that it really takes; 1, 2, 3, 4 units of 64 bytes, then 5, 6, 7, 8 of 64,
 * of 128, of 256 ... */
static int size_class(size_t bytes, size_t *size)
{
    size_t units = bytes / RL_ALIGNMENT + (bytes % RL_ALIGNMENT != 0);
    if (units < 1)
        units = 1;
    if (units <= 4) {
        *size = units * RL_ALIGNMENT;
        return (int)units - 1;
    }
    int exponent = 63 - __builtin_clzll((unsigned long long)(units - 1)); /* 2^exponent < units <= 2^(exponent + 1) */
    size_t step = (size_t)1 << (exponent - 2);
    size_t steps = units / step + (units % step != 0); /* 5 ... 8 */
    *size = bytes > PTRDIFF_MAX / 2 ? 0 : steps * step * RL_ALIGNMENT;
    return 4 + (exponent - 2) * 4 + (int)steps - 5;
}

size_t rl_block_size(size_t bytes)
{
    size_t size;
    size_class(bytes, &size);
    return size;
}

void rille_memory_trim(rille_context *cx)
{
    for (int class = 0; class < RL_SIZE_CLASSES; class ++) {
        while (cx->pool[class].first != NULL) {
            rl_pool_block *block = cx->pool[class].first;
            cx->pool[class].first = block->next;
            cx->memory.pooled -= cx->pool[class].size;
            cx->options.release(cx->options.user, block, cx->pool[class].size);
        }
    }
}

void rille_set_memory_limit(rille_context *cx, size_t bytes)
{
    cx->options.memory_limit = cx->memory.limit = bytes;
    if (bytes != 0 && cx->memory.current + cx->memory.pooled > bytes)
        rille_memory_trim(cx);
}

static bool within_limit(const rille_context *cx, size_t size)
{
    const rille_memory *m = &cx->memory;
    return m->limit == 0 || (size <= m->limit && m->current + m->pooled <= m->limit - size);
}

static void *call_allocator(rille_context *cx, size_t size)
{
    cx->memory.system_allocations++;
    return cx->options.allocate(cx->options.user, size);
}

static void *ask_system(rille_context *cx, size_t size)
{
    if (!within_limit(cx, size))
        rille_memory_trim(cx);
    if (!within_limit(cx, size))
        return NULL;
    void *block = call_allocator(cx, size);
    if (block == NULL && cx->memory.pooled > 0) {
        rille_memory_trim(cx);
        block = call_allocator(cx, size);
    }
    return block;
}

static void *out_of_memory(rille_context *cx, size_t bytes)
{
    const rille_memory *m = &cx->memory;
    if (m->limit != 0)
        rl_fail(cx, RILLE_ERROR_MEMORY, "out of memory: %zu bytes wanted, %zu in use, the limit is %zu", bytes, m->current,
                m->limit);
    else
        rl_fail(cx, RILLE_ERROR_MEMORY, "out of memory: %zu bytes wanted, %zu in use", bytes, m->current);
    return NULL;
}

void *rl_allocate(rille_context *cx, size_t bytes)
{
    size_t size;
    int class = size_class(bytes, &size);
    if (size == 0)
        return out_of_memory(cx, bytes);
    void *block = cx->pool[class].first;
    if (block != NULL) {
        cx->pool[class].first = cx->pool[class].first->next;
        cx->memory.pooled -= size;
    } else {
        block = ask_system(cx, size);
        if (block == NULL)
            return out_of_memory(cx, bytes);
    }
    cx->memory.current += size;
    if (cx->memory.current > cx->memory.peak)
        cx->memory.peak = cx->memory.current;
    return block;
}

void *rl_allocate_zeroed(rille_context *cx, size_t bytes)
{
    void *block = rl_allocate(cx, bytes);
    if (block != NULL)
        memset(block, 0, bytes);
    return block;
}

void rl_release(rille_context *cx, void *block, size_t bytes)
{
    if (block == NULL)
        return;
    size_t size;
    int class = size_class(bytes, &size);
    rl_pool_block *freed = block;
    freed->next = cx->pool[class].first;
    cx->pool[class].first = freed;
    cx->pool[class].size = size;
    cx->memory.current -= size;
    cx->memory.pooled += size;
}
