#include "io/archive.h"

#include "base/memory.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

rille_archive *rl_archive_new(rille_context *cx, const char *operation, const char *path, size_t count, size_t remark_count,
                              size_t text)
{
    size_t of_entries, of_remarks, of_path = strlen(path) + 1, bytes = sizeof(rille_archive);
    if (count > INT_MAX || remark_count > INT_MAX || !rl_multiply(count, sizeof(rl_entry), &of_entries) ||
        !rl_multiply(remark_count, sizeof(rl_remark), &of_remarks) || __builtin_add_overflow(bytes, of_entries, &bytes) ||
        __builtin_add_overflow(bytes, of_remarks, &bytes) || __builtin_add_overflow(bytes, of_path, &bytes) ||
        __builtin_add_overflow(bytes, text, &bytes)) {
        rl_fail(cx, RILLE_ERROR_MEMORY, "%s: %s: too many entries", operation, path);
        return NULL;
    }
    rille_archive *archive = rl_allocate_zeroed(cx, bytes);
    if (archive == NULL)
        return NULL;
    *archive = (rille_archive){.cx = cx, .bytes = bytes, .operation = operation, .count = (int)count};
    archive->remark_count = (int)remark_count;
    archive->entry = (rl_entry *)(archive + 1);
    archive->remark = (rl_remark *)(archive->entry + count);
    archive->text = (char *)(archive->remark + remark_count);
    archive->path = memcpy(archive->text + text, path, of_path);
    return archive;
}

void rille_archive_close(rille_archive *archive)
{
    if (archive == NULL)
        return;
    archive->close(archive);
    rl_release(archive->cx, archive, archive->bytes);
}

int rille_archive_count(const rille_archive *archive)
{
    return archive == NULL ? 0 : archive->count;
}

const char *rille_archive_name(const rille_archive *archive, int i)
{
    return i >= 0 && i < rille_archive_count(archive) ? archive->entry[i].name : NULL;
}

rille_tensor *rille_archive_read(rille_archive *archive, int i)
{
    if (archive == NULL)
        return NULL;
    if (i >= 0 && i < archive->count)
        return archive->read(archive, &archive->entry[i]);
    rl_fail(archive->cx, RILLE_ERROR_INDEX, "%s: %s: entry %d of %d", archive->operation, archive->path, i, archive->count);
    return NULL;
}

int rille_archive_metadata_count(const rille_archive *archive)
{
    return archive == NULL ? 0 : archive->remark_count;
}

const char *rille_archive_metadata(const rille_archive *archive, int i, const char **value)
{
    if (i < 0 || i >= rille_archive_metadata_count(archive))
        return NULL;
    if (value != NULL)
        *value = archive->remark[i].value;
    return archive->remark[i].key;
}

/* ---- Writing ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool rl_check_names(rille_context *cx, const char *operation, int count, const char *const *names)
{
    for (int i = 0; i < count; i++)
        if (names[i] == NULL || names[i][0] == 0) {
            rl_fail(cx, names[i] == NULL ? RILLE_ERROR_NULL : RILLE_ERROR_ARGUMENT, "%s: name %lld is %s", operation,
                    rl_counted(cx, i), names[i] == NULL ? "NULL" : "empty");
            return false;
        }
    if (count <= 0)
        return true;
    const size_t bytes = (size_t)count * sizeof names[0];
    const char **sorted = rl_allocate(cx, bytes);
    if (sorted == NULL)
        return false;
    memcpy(sorted, names, bytes);
    qsort(sorted, (size_t)count, sizeof sorted[0], compare_names);
    bool good = true;
    for (int i = 1; good && i < count; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0) {
            rl_fail(cx, RILLE_ERROR_ARGUMENT, "%s: the name '%s' is there twice", operation, sorted[i]);
            good = false;
        }
    rl_release(cx, sorted, bytes);
    return good;
}

bool rl_check_tensors(rille_context *cx, const char *operation, int count, const char *const *names,
                      rille_tensor *const *tensors)
{
    rille_context *of_tensors = count > 0 ? rl_enter_many(operation, count, tensors) : cx;
    if (of_tensors != NULL && cx != NULL && of_tensors != cx)
        rl_fail(cx, RILLE_ERROR_ARGUMENT, "%s: its tensors belong to a different context", operation);
    return of_tensors != NULL && of_tensors == cx && rl_check_names(cx, operation, count, names);
}
