#include "tensor/extent.h"

#include <stdlib.h>

rl_extent rl_extent_of(const rille_tensor *t, int place)
{
    const char *begin = (const char *)rl_data(t);
    return (rl_extent){begin, begin + (size_t)t->numel * rille_dtype_size(t->dtype), place};
}

static int compare(const void *a, const void *b)
{
    const rl_extent *x = a, *y = b;
    return x->begin == y->begin ? x->place - y->place : x->begin < y->begin ? -1 : 1;
}

/* In ascending order, any that share memory have neighbours that do. */
const rl_extent *rl_first_overlap(size_t n, rl_extent *list)
{
    qsort(list, n, sizeof *list, compare);
    for (size_t i = 1; i < n; i++)
        if (list[i].begin < list[i - 1].end)
            return &list[i];
    return NULL;
}
