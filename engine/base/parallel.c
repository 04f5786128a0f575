#include "base/parallel.h"

#include <pthread.h>

#ifdef _OPENMP
#include <omp.h>
#endif

/* The runtime's worker threads do not survive a fork: a child that woke them would wait for ever. */
static bool forked;

static void after_fork(void)
{
    forked = true;
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, after_fork);
}

int rl_parallel_default_threads(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
#ifdef _OPENMP
    int threads = omp_get_max_threads();
    return threads < 1 ? 1 : threads > RL_MOST_THREADS ? RL_MOST_THREADS : threads;
#else
    return 1;
#endif
}

/* Set where work begins: a thread of OpenMP's may have been another worker before. */
static _Thread_local size_t worker;

size_t rl_parallel_worker(void)
{
    return worker;
}

size_t rl_parallel_workers(const rille_context *cx, size_t n, size_t grain)
{
    const size_t chunks = rl_chunks(n, grain), threads = (size_t)cx->options.threads;
    return threads < chunks ? threads : chunks;
}

static void do_chunk(rille_context *cx, size_t n, size_t grain, size_t chunk, rl_body *body, void *work)
{
    if (atomic_load_explicit(&cx->cancelled, memory_order_relaxed))
        return;
    size_t begin = chunk * grain;
    body(work, begin, n - begin < grain ? n : begin + grain);
}

/* piece: what a thread takes at a time, where there are several. */
static void do_chunks(rille_context *cx, size_t n, size_t grain, size_t piece, rl_body *body, void *work)
{
    size_t chunks = rl_chunks(n, grain);
#ifdef _OPENMP
    const int threads = (int)rl_parallel_workers(cx, n, grain);
    if (threads > 1 && !forked && !omp_in_parallel()) {
        size_t pieces = rl_chunks(n, piece);
#pragma omp parallel for num_threads(threads) schedule(static)
        for (size_t i = 0; i < pieces; i++) {
            worker = (size_t)omp_get_thread_num();
            do_chunk(cx, n, piece, i, body, work);
        }
        return;
    }
#else
    (void)piece;
#endif
    worker = 0;
    for (size_t chunk = 0; chunk < chunks; chunk++)
        do_chunk(cx, n, grain, chunk, body, work);
}

static void do_all(rille_context *cx, const char *operation, size_t n, size_t grain, size_t piece, rl_body *body, void *work)
{
    if (!cx->profile.on) {
        do_chunks(cx, n, grain, piece, body, work);
        return;
    }
    const double start = rl_profile_clock();
    do_chunks(cx, n, grain, piece, body, work);
    rl_profile_add(cx, operation, rl_profile_clock() - start);
}

static rille_status completed(rille_context *cx, const char *operation)
{
    if (atomic_exchange(&cx->cancelled, false))
        return rl_fail(cx, RILLE_ERROR_CANCELLED, "%s: cancelled", operation);
    return RILLE_OK;
}

rille_status rl_parallel_for(rille_context *cx, const char *operation, size_t n, size_t grain, rl_body *body, void *work)
{
    do_all(cx, operation, n, grain, grain, body, work);
    return completed(cx, operation);
}

rille_status rl_parallel_map(rille_context *cx, const char *operation, size_t n, size_t grain, rl_body *body, void *work)
{
    do_all(cx, operation, n, grain, 1 + (grain - 1) / 8, body, work);
    return completed(cx, operation);
}

int rl_parallel_library_begin(void)
{
#ifdef _OPENMP
    int saved = omp_get_max_threads();
    omp_set_num_threads(1);
    return saved;
#else
    return 1;
#endif
}

void rl_parallel_library_end(int saved)
{
#ifdef _OPENMP
    omp_set_num_threads(saved);
#else
    (void)saved;
#endif
}
