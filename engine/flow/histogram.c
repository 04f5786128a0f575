/* How often the elements of a tensor fall into bins of equal width. */
#include "ops/ops.h"

#include "base/parallel.h"

#include <math.h>

static void count_into_bins(const rille_tensor *dense, double low, double high, size_t bins, int64_t *count)
{
    const double per_unit = (double)bins / (high - low);
    for (int64_t i = 0; i < dense->numel; i++) {
        const double x =
            dense->dtype == RILLE_FLOAT32 ? (double)((const float *)rl_data(dense))[i] : ((const double *)rl_data(dense))[i];
        if (!(x >= low && x <= high))
            continue;
        const size_t bin = (size_t)((x - low) * per_unit);
        count[bin < bins ? bin : bins - 1]++;
    }
}

rille_status rille_histogram(rille_tensor *t, double low, double high, size_t bins, int64_t *count)
{
    rille_context *cx = rl_enter("histogram", RL_LIST(t));
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    if (count == NULL)
        return rl_fail(cx, RILLE_ERROR_NULL, "histogram: there is no room for the counts: NULL");
    if (bins == 0 || !(low < high) || !isfinite(high - low) || !isfinite((double)bins / (high - low)))
        return rl_fail(cx, RILLE_ERROR_ARGUMENT,
                       "histogram: %zu bins from %g to %g; one or more expected, from a number to a "
                       "larger one",
                       bins, isnan(low) ? fabs(low) : low, isnan(high) ? fabs(high) : high); /* a NaN prints its sign bit */
    rille_tensor *dense = rl_dense_floating(t);
    if (dense == NULL)
        return rille_error_status(cx);
    for (size_t i = 0; i < bins; i++)
        count[i] = 0;
    count_into_bins(dense, low, high, bins, count);
    rl_free_temporary(dense, t);
    return RILLE_OK;
}
