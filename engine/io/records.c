/* Files that are nothing but records of one size, such as those of CIFAR-10. */
#include "io/file.h"

static rille_tensor *read_open(rl_source *source, int64_t size)
{
    if (!source->exact)
        rl_source_fail(source, 0, "it is gzipped: how many records there are is known of plain files only");
    else if (source->most % (uint64_t)size != 0)
        rl_source_fail(source, source->most, "%llu bytes are no whole number of records of %lld",
                       (unsigned long long)source->most, (long long)size);
    else
        return rl_read_elements(source, rl_stored_as(RILLE_UINT8), false, false, 2,
                                (int64_t[]){(int64_t)(source->most / (uint64_t)size), size});
    return NULL;
}

rille_tensor *rille_read_records(rille_context *cx, const char *path, int64_t size)
{
    rl_source source;
    if (cx == NULL)
        return NULL;
    if (size < 1) {
        rl_fail(cx, RILLE_ERROR_ARGUMENT, "read_records: records of %lld bytes", (long long)size);
        return NULL;
    }
    if (!rl_source_open(cx, "read_records", path, &source))
        return NULL;
    rille_tensor *t = read_open(&source, size);
    rl_source_close(&source);
    return t;
}
