#include "base/context.h"

#include "base/memory.h"
#include "base/parallel.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *default_allocate(void *user, size_t bytes)
{
    (void)user;
    return aligned_alloc(RL_ALIGNMENT, bytes);
}

static void default_release(void *user, void *block, size_t bytes)
{
    (void)user;
    (void)bytes;
    free(block);
}

static bool options_are_valid(const rille_options *o)
{
    return (o->allocate == NULL) == (o->release == NULL) && o->threads >= 0 && o->threads <= RL_MOST_THREADS &&
           (o->index_base == 0 || o->index_base == 1);
}

const char *rille_version(void)
{
    return RILLE_VERSION;
}

rille_context *rille_open(const rille_options *options)
{
    rille_options o = {0};
    if (options != NULL)
        o = *options;
    if (!options_are_valid(&o))
        return NULL;
    if (o.allocate == NULL) {
        o.allocate = default_allocate;
        o.release = default_release;
    }
    int threads = rl_parallel_default_threads(); /* which sees to forks too, whatever o.threads is */
    if (o.threads == 0)
        o.threads = threads;

    rille_context *cx = o.allocate(o.user, rl_block_size(sizeof *cx));
    if (cx == NULL)
        return NULL;
    memset(cx, 0, sizeof *cx);
    cx->options = o;
    cx->memory.limit = o.memory_limit;
    cx->grad_enabled = true;
    atomic_init(&cx->cancelled, false);
    return cx;
}

void rille_close(rille_context *cx)
{
    if (cx == NULL)
        return;
    while (cx->scope_depth > 0)
        rille_scope_pop(cx);
    while (cx->scope[0].first != NULL)
        rille_free(cx->scope[0].first);
    rille_memory_trim(cx);
    cx->options.release(cx->options.user, cx, rl_block_size(sizeof *cx));
}

rille_status rl_fail(rille_context *cx, rille_status status, const char *format, ...)
{
    if (cx->status != RILLE_OK)
        return status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(cx->message, sizeof cx->message, format, arguments);
    va_end(arguments);
    cx->status = status;
    return status;
}

void rille_fail(rille_context *cx, const char *message)
{
    if (cx != NULL)
        rl_fail(cx, RILLE_ERROR_CALLBACK, "%s", message == NULL ? "a callback failed" : message);
}

const char *rille_error(const rille_context *cx)
{
    if (cx == NULL)
        return "there is no context: rille_open failed";
    return cx->status == RILLE_OK ? NULL : cx->message;
}

rille_status rille_error_status(const rille_context *cx)
{
    return cx == NULL ? RILLE_ERROR_NULL : cx->status;
}

void rille_clear_error(rille_context *cx)
{
    if (cx != NULL)
        cx->status = RILLE_OK;
}

void rille_cancel(rille_context *cx)
{
    atomic_store(&cx->cancelled, true);
}

int rille_threads(const rille_context *cx)
{
    return cx->options.threads;
}

rille_status rille_set_threads(rille_context *cx, int threads)
{
    if (threads < 1 || threads > RL_MOST_THREADS)
        return rl_fail(cx, RILLE_ERROR_ARGUMENT, "threads: %d is not in 1 ... %d", threads, RL_MOST_THREADS);
    cx->options.threads = threads;
    return RILLE_OK;
}

rille_memory rille_memory_usage(const rille_context *cx)
{
    return cx->memory;
}

bool rille_set_grad_enabled(rille_context *cx, bool on)
{
    bool was = cx->grad_enabled;
    cx->grad_enabled = on;
    return was;
}

bool rille_grad_enabled(const rille_context *cx)
{
    return cx->grad_enabled;
}
