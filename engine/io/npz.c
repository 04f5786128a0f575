/* NumPy's .npz: a zip archive of .npy files, stored or deflated. libzip reads and writes the archive. */
#include "io/archive.h"
#include "io/npy.h"

#include "base/memory.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

#define SUFFIX ".npy"
enum { SUFFIX_LENGTH = sizeof SUFFIX - 1 };

/* ---- Reading ---- */

static rille_status refuse(const rille_archive *archive, const char *name, const char *what)
{
    return rl_fail(archive->cx, RILLE_ERROR_IO, "%s: %s: '%s': %s", archive->operation, archive->path, name, what);
}

static int64_t read_zip(void *stream, void *into, size_t n)
{
    return zip_fread(stream, into, n);
}

static const char *why_zip(void *stream)
{
    return zip_file_strerror(stream);
}

static rille_tensor *read_array(rille_archive *archive, const rl_entry *entry)
{
    zip_file_t *stream = zip_fopen_index(archive->opened, entry->start, 0);
    if (stream == NULL) {
        refuse(archive, entry->name, zip_strerror(archive->opened));
        return NULL;
    }
    rl_source source = {.cx = archive->cx,
                        .operation = archive->operation,
                        .path = archive->path,
                        .entry = entry->name,
                        .most = entry->size,
                        .exact = true,
                        .stream = stream,
                        .read = read_zip,
                        .why = why_zip};
    rille_tensor *t = rl_read_npy(&source);
    if (t != NULL && !rl_source_at_end(&source)) { /* the checksum too */
        rille_free(t);
        t = NULL;
    }
    zip_fclose(stream);
    return t;
}

/* Fills in what the archive's directory says of an entry, and copies its name, without the suffix, to *names. */
static bool list_entry(const rille_archive *archive, rl_entry *entry, char **names)
{
    zip_stat_t about;
    const zip_uint64_t needed =
        ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if (zip_stat_index(archive->opened, entry->start, 0, &about) != 0 || (about.valid & needed) != needed)
        return refuse(archive, "", zip_strerror(archive->opened)) == RILLE_OK;
    const size_t length = strlen(about.name);
    const bool stored = about.comp_method == ZIP_CM_STORE;
    if (length <= SUFFIX_LENGTH || strcmp(about.name + length - SUFFIX_LENGTH, SUFFIX) != 0)
        return refuse(archive, about.name, "an entry that is no " SUFFIX " file") == RILLE_OK;
    if (about.encryption_method != ZIP_EM_NONE || (!stored && about.comp_method != ZIP_CM_DEFLATE))
        return refuse(archive, about.name, "an entry is to be stored or deflated, and not encrypted") == RILLE_OK;
    if (stored ? about.size != about.comp_size : about.size / RL_MOST_INFLATED > about.comp_size)
        return refuse(archive, about.name, "its packed bytes cannot hold what its size says") == RILLE_OK;
    entry->size = about.size;
    entry->name = memcpy(*names, about.name, length - SUFFIX_LENGTH); /* a zero byte is behind it */
    *names += length - SUFFIX_LENGTH + 1;
    return true;
}

static void close_archive(rille_archive *archive)
{
    zip_discard(archive->opened);
}

static zip_t *open_zip(rille_context *cx, const char *path)
{
    uint64_t size;
    int code = 0, file = rl_open_file(cx, "read_npz", path, &size);
    if (file < 0)
        return NULL;
    zip_t *zip = zip_fdopen(file, ZIP_CHECKCONS, &code); /* which takes no name twice, and packed bytes that are there only */
    if (zip != NULL)
        return zip;
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    rl_fail(cx, RILLE_ERROR_IO, "read_npz: %s: not an .npz file: %s", path, zip_error_strerror(&error));
    zip_error_fini(&error);
    close(file);
    return NULL;
}

rille_archive *rille_open_npz(rille_context *cx, const char *path)
{
    size_t text = 0;
    zip_t *zip = cx == NULL ? NULL : open_zip(cx, path);
    if (zip == NULL)
        return NULL;
    const zip_int64_t count = zip_get_num_entries(zip, 0);
    for (zip_int64_t i = 0; i < count; i++) {
        const char *name = zip_get_name(zip, (zip_uint64_t)i, 0);
        text += (name == NULL ? 0 : strlen(name)) + 1;
    }
    rille_archive *archive = rl_archive_new(cx, "read_npz", path, (size_t)count, 0, text);
    if (archive == NULL) {
        zip_discard(zip);
        return NULL;
    }
    archive->opened = zip;
    archive->read = read_array;
    archive->close = close_archive;
    char *names = archive->text;
    for (int i = 0; i < archive->count; i++) {
        archive->entry[i].start = (uint64_t)i;
        if (!list_entry(archive, &archive->entry[i], &names)) {
            rille_archive_close(archive);
            return NULL;
        }
    }
    return archive;
}

/* ---- Writing ---- */

static bool fail_zip(const rl_sink *sink, const char *why)
{
    rl_fail(sink->cx, RILLE_ERROR_IO, "%s: cannot write '%s': %s", sink->operation, sink->path, why);
    return false;
}

/* What goes into one entry: alive until the archive is closed. */
typedef struct array {
    rille_tensor *t; /* contiguous */
    char header[RL_NPY_HEADER];
} array;

static bool add_array(const rl_sink *sink, zip_t *zip, const char *name, array *part, bool compressed)
{
    char file_name[4096];
    if ((size_t)snprintf(file_name, sizeof file_name, "%s" SUFFIX, name) >= sizeof file_name)
        return fail_zip(sink, "a name of over 4000 bytes");
    const zip_buffer_fragment_t fragments[] = {
        {(zip_uint8_t *)part->header, rl_npy_header(part->t, part->header)},
        {(zip_uint8_t *)rl_data(part->t), (zip_uint64_t)part->t->numel * rille_dtype_size(part->t->dtype)},
    };
    zip_source_t *source = zip_source_buffer_fragment(zip, fragments, part->t->numel > 0 ? 2 : 1, 0);
    if (source == NULL)
        return fail_zip(sink, zip_strerror(zip));
    const zip_int64_t i = zip_file_add(zip, file_name, source, ZIP_FL_ENC_UTF_8);
    if (i < 0) {
        zip_source_free(source);
        return fail_zip(sink, zip_strerror(zip));
    }
    enum { JANUARY_1_1980 = 1 << 5 | 1 }; /* the same arrays make the same file */
    return (zip_set_file_compression(zip, (zip_uint64_t)i, compressed ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0) == 0 &&
            zip_file_set_dostime(zip, (zip_uint64_t)i, 0, JANUARY_1_1980, 0) == 0) ||
           fail_zip(sink, zip_strerror(zip));
}

/* libzip writes to the sink's partial file by its name, and puts a new one in its place. */
static bool write_zip(rl_sink *sink, int count, const char *const *names, array *parts, bool compressed)
{
    int code = 0;
    if (sink->partial == NULL)
        return fail_zip(sink, "not an ordinary file");
    zip_t *zip = zip_open(sink->partial, ZIP_CREATE | ZIP_TRUNCATE, &code);
    if (zip == NULL)
        return fail_zip(sink, strerror(errno));
    bool good = true;
    for (int i = 0; good && i < count; i++)
        good = add_array(sink, zip, names[i], &parts[i], compressed);
    if (good && zip_close(zip) == 0) {
        sink->file = freopen(sink->partial, "r+b", sink->file);
        return sink->file != NULL || fail_zip(sink, strerror(errno));
    }
    if (good)
        fail_zip(sink, zip_strerror(zip));
    zip_discard(zip);
    return false;
}

rille_status rille_write_npz(rille_context *cx, const char *path, int count, const char *const *names,
                             rille_tensor *const *tensors, bool compressed)
{
    rl_sink sink;
    if (!rl_check_tensors(cx, "write_npz", count, names, tensors))
        return cx == NULL || rille_error(cx) == NULL ? RILLE_ERROR_NULL : rille_error_status(cx);
    if (count <= 0) {
        rl_fail(cx, RILLE_ERROR_ARGUMENT, "write_npz: an .npz file without arrays cannot be written");
        return rille_error_status(cx);
    }
    const size_t bytes = (size_t)count * sizeof(array);
    array *parts = rl_allocate(cx, bytes);
    bool good = parts != NULL;
    rille_scope_push(cx);
    for (int i = 0; good && i < count; i++)
        good = (parts[i].t = rille_contiguous(tensors[i])) != NULL;
    if (good && rl_sink_open(cx, "write_npz", path, &sink))
        good = rl_sink_close(&sink, write_zip(&sink, count, names, parts, compressed)) == RILLE_OK;
    else
        good = false;
    rille_scope_pop(cx);
    rl_release(cx, parts, bytes);
    return good ? RILLE_OK : rille_error_status(cx);
}
