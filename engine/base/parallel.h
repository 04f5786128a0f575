/* The one owner of OpenMP. Work is cut into chunks by its size, never by the number of threads, and each chunk is done by
 * one thread, so results do not depend on how many there are. A reduction keeps one result a chunk and folds them in order. */
#ifndef RL_BASE_PARALLEL_H
#define RL_BASE_PARALLEL_H

#include "base/context.h"

enum { RL_MOST_THREADS = 1024 }; /* that a context may ask for */

/* Elements of a chunk, for work of about a sixteenth of a nanosecond, half a nanosecond and several an element: a chunk then
 * takes some 16 microseconds, well above what it costs to wake a thread for it. */
enum { RL_GRAIN_LIGHT = 262144, RL_GRAIN_MEDIUM = 32768, RL_GRAIN_HEAVY = 4096 };

/* Does [begin, end) of the work. Must not fail, allocate or touch the context. */
typedef void rl_body(void *work, size_t begin, size_t end);

static inline size_t rl_chunks(size_t n, size_t grain)
{
    return n / grain + (n % grain != 0);
}

/* Calls body for each chunk [i grain, min(n, (i + 1) grain)), on up to cx's number of threads. RILLE_ERROR_CANCELLED where
 * rille_cancel cut it short: what was to be written is then incomplete. */
rille_status rl_parallel_for(rille_context *cx, const char *operation, size_t n, size_t grain, rl_body *body, void *work);

/* The same for maps, which give the same however they are cut: threads share the work evenly, in pieces of an eighth of a
 * grain. There are as many threads as rl_parallel_for would take. */
rille_status rl_parallel_map(rille_context *cx, const char *operation, size_t n, size_t grain, rl_body *body, void *work);

/* Scratch memory: how many threads rl_parallel_for has do such work at once, at most, and, in a body, which of them this one
 * is, from 0 on. What is computed must not depend on it. */
size_t rl_parallel_workers(const rille_context *cx, size_t n, size_t grain);
size_t rl_parallel_worker(void);

/* How many threads OpenMP itself would use. Must be called before any parallel region: forks are watched from then on. */
int rl_parallel_default_threads(void);

/* Around calls of a library that would start threads of its own: makes it use this one only. */
int rl_parallel_library_begin(void);
void rl_parallel_library_end(int saved);

#endif
