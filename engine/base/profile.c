#include "base/context.h"

#include <string.h>
#include <time.h>

double rl_profile_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void rl_profile_next(rille_context *cx, const char *name, double flops, double bytes)
{
    if (cx->profile.on)
        cx->profile.next = (rille_profile_row){.operation = name, .flops = flops, .bytes = bytes};
}

/* The row of an operation, forward or backward; the last one is for all that found no row of their own. */
static rille_profile_row *row_of(rl_profile *p, const char *operation, bool backward)
{
    for (int i = 0; i < p->count; i++)
        if (p->row[i].backward == backward && strcmp(p->row[i].operation, operation) == 0)
            return &p->row[i];
    if (p->count == RILLE_MAX_PROFILE_ROWS)
        return &p->row[RILLE_MAX_PROFILE_ROWS - 1];
    rille_profile_row *row = &p->row[p->count++];
    *row = (rille_profile_row){.operation = p->count == RILLE_MAX_PROFILE_ROWS ? "others" : operation, .backward = backward};
    return row;
}

void rl_profile_add(rille_context *cx, const char *operation, double seconds)
{
    rl_profile *p = &cx->profile;
    rille_profile_row *row = row_of(p, p->next.operation != NULL ? p->next.operation : operation, cx->differentiating);
    row->calls++;
    row->seconds += seconds;
    row->flops += p->next.flops;
    row->bytes += p->next.bytes;
    p->next = (rille_profile_row){0};
}

rille_status rille_profile_start(rille_context *cx)
{
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    if (cx->profile.on)
        return rl_fail(cx, RILLE_ERROR_ARGUMENT, "profile: one is being taken already");
    cx->profile = (rl_profile){.on = true, .began = rl_profile_clock()};
    return RILLE_OK;
}

int rille_profile_stop(rille_context *cx, const rille_profile_row **rows, double *seconds)
{
    if (cx == NULL)
        return 0;
    rl_profile *p = &cx->profile;
    if (p->on)
        p->ended = rl_profile_clock();
    p->on = false;
    if (rows != NULL)
        *rows = p->row;
    if (seconds != NULL)
        *seconds = p->ended - p->began;
    return p->count;
}
