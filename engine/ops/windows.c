#include "ops/windows.h"

#include <limits.h>

bool rl_is_window_option(rille_context *cx, const char *operation, const char *what, int64_t value, int64_t least)
{
    if (value >= least && value <= INT_MAX)
        return true;
    rl_fail(cx, RILLE_ERROR_ARGUMENT, "%s: %s is %lld, not in %lld ... %d", operation, what, (long long)value, (long long)least,
            INT_MAX);
    return false;
}
