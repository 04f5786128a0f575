#include "flow/early.h"

#include "base/memory.h"
#include "flow/kernels.h"
#include "tensor/graph.h"

#include <string.h>

static bool is_current(const rille_tensor *t)
{
    return t->measured != NULL && t->measured->version == t->storage->version;
}

static bool counts(const rl_measured *m, const rille_intervals *within)
{
    const size_t bytes = within == NULL || within->count < 0 ? 0 : (size_t)within->count * sizeof within->low[0];
    return bytes == 0 || (m->within.count == within->count && memcmp(m->within.low, within->low, bytes) == 0 &&
                          memcmp(m->within.high, within->high, bytes) == 0);
}

bool rl_kept_statistics(const rille_tensor *t, const rille_intervals *within, rille_statistics *statistics)
{
    if (!is_current(t) || !counts(t->measured, within))
        return false;
    *statistics = t->measured->statistics;
    if (within == NULL || within->count <= 0)
        statistics->within = 0;
    return true;
}

/* How many elements of a dense t are in the intervals. */
static int64_t count_within(const rille_tensor *t, const rille_intervals *within)
{
    const size_t n = (size_t)t->numel, item = rille_dtype_size(t->dtype);
    int64_t count = 0;
    for (size_t from = 0; from < n; from += RL_MOST_MEASURED)
        for (int i = 0; i < within->count; i++)
            count += (int64_t)rl_flow_kernels_pick()->count_within[t->dtype](
                n - from < RL_MOST_MEASURED ? n - from : RL_MOST_MEASURED, rl_data(t) + from * item, within->low[i],
                within->high[i]);
    return count;
}

static rille_status keep_statistics(rille_tensor *t, const rille_intervals *within)
{
    rille_statistics statistics;
    if (rl_kept_statistics(t, within, &statistics))
        return RILLE_OK;
    if (is_current(t) && rl_is_floating(t->dtype) && rille_is_contiguous(t)) { /* all is known but for the intervals */
        t->measured->statistics.within = count_within(t, within);
        t->measured->within = *within;
        return RILLE_OK;
    }
    const rille_status status = rl_measure_one("measure_early", t, within, &statistics);
    if (status != RILLE_OK)
        return status;
    if (t->measured == NULL)
        t->measured = rl_allocate(t->context, sizeof *t->measured);
    if (t->measured == NULL)
        return RILLE_ERROR_MEMORY;
    t->measured->version = t->storage->version;
    t->measured->statistics = statistics;
    if (within != NULL)
        t->measured->within = *within;
    else
        t->measured->within.count = 0;
    return RILLE_OK;
}

static rille_status measure_gradient(rille_tensor *gradient)
{
    return keep_statistics(gradient, NULL);
}

rille_status rille_measure_early(rille_tensor *t, const rille_intervals *within)
{
    if (rl_enter("measure_early", RL_LIST(t)) == NULL)
        return RILLE_ERROR_NULL;
    if (rl_tracks(t))
        t->on_gradient = measure_gradient;
    return keep_statistics(t, within);
}
