/* safetensors (github.com/huggingface/safetensors): the header's length, 8 bytes, little-endian; the header, a JSON object
 *     {"__metadata__": {"key": "text"}, "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
 * then the elements, row-major and little-endian, each tensor's at its offsets behind the header. Nothing in it is executed.
 * Together the tensors cover what follows the header without gap or overlap, as the reference reader wants it. */
#include "io/archive.h"

#include "base/memory.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define METADATA "__metadata__"
enum { LENGTH = 8, LONGEST_HEADER = 100000000 /* the reference's own bound */, TREE = 32 };

/* ---- The header: what it says of tensors, held against the file's size ---- */

static int64_t read_descriptor(void *stream, void *into, size_t n)
{
    int64_t got;
    do
        got = read(*(int *)stream, into, n < (1u << 30) ? n : 1u << 30);
    while (got < 0 && errno == EINTR);
    return got;
}

static const char *why_descriptor(void *stream)
{
    (void)stream;
    return strerror(errno);
}

/* A list of `least` to `most` integers from 0 on; how many, or -1. */
static int read_integers(const json_t *list, int least, int most, int64_t *integers)
{
    if (!json_is_array(list) || json_array_size(list) < (size_t)least || json_array_size(list) > (size_t)most)
        return -1;
    int n = (int)json_array_size(list);
    for (int i = 0; i < n; i++) {
        const json_t *item = json_array_get(list, (size_t)i);
        integers[i] = json_integer_value(item);
        if (!json_is_integer(item) || integers[i] < 0)
            return -1;
    }
    return n;
}

/* `left`: bytes behind the header, which begins at `behind`. */
static bool read_entry(rl_source *source, const json_t *said, uint64_t behind, uint64_t left, rl_entry *entry)
{
    int64_t offsets[2] = {0}, numel;
    const char *dtype = json_string_value(json_object_get(said, "dtype"));
    source->entry = entry->name;
    if (!json_is_object(said) || json_object_size(said) != 3 || dtype == NULL)
        return rl_source_fail(source, LENGTH, "dtype, shape and data_offsets are expected") == RILLE_OK;
    for (int i = 0; i < rl_stored_type_count; i++)
        if (strcmp(rl_stored_types[i].safetensors, dtype) == 0)
            entry->type = &rl_stored_types[i];
    if (entry->type == NULL)
        return rl_source_fail(source, LENGTH, "no dtype here holds '%.32s'", dtype) == RILLE_OK;
    entry->rank = read_integers(json_object_get(said, "shape"), 0, RILLE_MAX_RANK, entry->shape);
    if (entry->rank < 0)
        return rl_source_fail(source, LENGTH, "its shape is no list of at most 8 sizes") == RILLE_OK;
    if (read_integers(json_object_get(said, "data_offsets"), 2, 2, offsets) < 0 || offsets[0] > offsets[1])
        return rl_source_fail(source, LENGTH, "its data_offsets are no two offsets in order") == RILLE_OK;
    if ((uint64_t)offsets[1] > left)
        return rl_source_fail(source, LENGTH, "it ends at byte %lld of %llu behind the header", (long long)offsets[1],
                              (unsigned long long)left) == RILLE_OK;
    entry->start = behind + (uint64_t)offsets[0];
    entry->size = (uint64_t)(offsets[1] - offsets[0]);
    if (!rl_check_shape(source->cx, source->operation, entry->type->dtype, entry->rank, entry->shape, &numel))
        return false;
    if ((uint64_t)numel * entry->type->size != entry->size)
        return rl_source_fail(source, entry->start, "%s %s needs %llu bytes, its offsets hold %llu", entry->type->name,
                              rl_shape_text((char[RL_SHAPE_TEXT]){0}, entry->rank, entry->shape),
                              (unsigned long long)((uint64_t)numel * entry->type->size),
                              (unsigned long long)entry->size) == RILLE_OK;
    source->entry = NULL;
    return true;
}

static int compare_starts(const void *a, const void *b)
{
    const rl_entry *x = a, *y = b;
    return x->start != y->start ? (x->start > y->start) - (x->start < y->start) : (x->size > y->size) - (x->size < y->size);
}

/* Sorts the entries as they lie in the file, and sees that they leave nothing out and share nothing. */
static bool covers(rl_source *source, rille_archive *archive)
{
    uint64_t at = source->at;
    qsort(archive->entry, (size_t)archive->count, sizeof archive->entry[0], compare_starts);
    for (int i = 0; i < archive->count; i++) {
        const rl_entry *entry = &archive->entry[i];
        if (entry->start != at) {
            source->entry = entry->name;
            return rl_source_fail(source, entry->start,
                                  entry->start < at ? "it overlaps the tensor before it" : "there is a gap before it") ==
                   RILLE_OK;
        }
        at += entry->size;
    }
    return at == source->most ||
           rl_source_fail(source, at, "%llu bytes belong to no tensor", (unsigned long long)(source->most - at)) == RILLE_OK;
}

static bool read_header(rl_source *source, json_t *header, rille_archive *archive)
{
    const uint64_t left = source->most - source->at;
    const char *key;
    json_t *said;
    rl_entry *entry = archive->entry;
    rl_remark *remark = archive->remark;
    json_object_foreach(header, key, said) if (strcmp(key, METADATA) != 0)
    {
        entry->name = key;
        if (!read_entry(source, said, source->at, left, entry++))
            return false;
    }
    json_object_foreach(json_object_get(header, METADATA), key, said)
    {
        *remark = (rl_remark){key, json_string_value(said)};
        if (remark++->value == NULL)
            return rl_source_fail(source, LENGTH, "the metadata '%.64s' is no string", key) == RILLE_OK;
    }
    return covers(source, archive);
}

/* The parsed header, or NULL with a message. A tree takes up to TREE bytes for one of text. */
static json_t *parse_header(rl_source *source)
{
    unsigned char size[LENGTH];
    uint64_t length = 0;
    if (!rl_source_read(source, size, LENGTH))
        return NULL;
    for (int i = LENGTH - 1; i >= 0; i--)
        length = length << 8 | size[i];
    const rille_memory memory = rille_memory_usage(source->cx);
    const uint64_t room = memory.limit > memory.current ? memory.limit - memory.current : 0;
    if (length > LONGEST_HEADER || length > source->most - LENGTH || (memory.limit > 0 && length * TREE > room)) {
        if (length <= LONGEST_HEADER && length <= source->most - LENGTH)
            rl_fail(source->cx, RILLE_ERROR_MEMORY, "%s: %s: a header of %llu bytes is too much for the memory limit",
                    source->operation, source->path, (unsigned long long)length);
        else
            rl_source_fail(source, 0, "not a safetensors file: a header of %llu bytes in one of %llu",
                           (unsigned long long)length, (unsigned long long)source->most);
        return NULL;
    }
    json_t *header = NULL;
    json_error_t error;
    char *text = rl_allocate(source->cx, (size_t)length);
    if (text != NULL && rl_source_read(source, text, (size_t)length)) {
        header = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &error);
        if (header == NULL)
            rl_source_fail(source, LENGTH + (uint64_t)(error.position > 0 ? error.position : 0),
                           "its header is no JSON object: %s", error.text);
    }
    rl_release(source->cx, text, (size_t)length);
    const json_t *metadata = json_object_get(header, METADATA);
    if (header != NULL && (!json_is_object(header) || (metadata != NULL && !json_is_object(metadata)))) {
        rl_source_fail(source, LENGTH, "its %s no JSON object", json_is_object(header) ? "metadata are" : "header is");
        json_decref(header);
        header = NULL;
    }
    return header;
}

/* ---- The archive ---- */

static rille_tensor *read_tensor(rille_archive *archive, const rl_entry *entry)
{
    rl_source source = {.cx = archive->cx,
                        .operation = archive->operation,
                        .path = archive->path,
                        .entry = entry->name,
                        .at = entry->start,
                        .most = entry->start + entry->size,
                        .exact = true,
                        .stream = &archive->file,
                        .read = read_descriptor,
                        .why = why_descriptor};
    if (lseek(archive->file, (off_t)entry->start, SEEK_SET) < 0) {
        rl_source_fail(&source, entry->start, "it cannot be read: %s", strerror(errno));
        return NULL;
    }
    return rl_read_elements(&source, entry->type, false, false, entry->rank, entry->shape);
}

static void close_archive(rille_archive *archive)
{
    close(archive->file);
    json_decref(archive->opened);
}

rille_archive *rille_open_safetensors(rille_context *cx, const char *path)
{
    uint64_t size;
    int file = cx == NULL ? -1 : rl_open_file(cx, "read_safetensors", path, &size);
    if (file < 0)
        return NULL;
    rl_source source = {.cx = cx,
                        .operation = "read_safetensors",
                        .path = path,
                        .most = size,
                        .exact = true,
                        .stream = &file,
                        .read = read_descriptor,
                        .why = why_descriptor};
    json_t *header = parse_header(&source);
    rille_archive *archive = NULL;
    if (header != NULL) {
        const json_t *metadata = json_object_get(header, METADATA);
        archive = rl_archive_new(cx, "read_safetensors", path, json_object_size(header) - (metadata != NULL),
                                 json_object_size(metadata), 0);
    }
    if (archive == NULL) {
        json_decref(header);
        close(file);
        return NULL;
    }
    archive->file = file;
    archive->opened = header;
    archive->read = read_tensor;
    archive->close = close_archive;
    if (read_header(&source, header, archive))
        return archive;
    rille_archive_close(archive);
    return NULL;
}

/* ---- Writing ---- */

static json_t *describe(const rille_tensor *t, uint64_t start, uint64_t size)
{
    json_t *shape = json_array();
    for (int d = 0; d < t->rank; d++)
        json_array_append_new(shape, json_integer(t->shape[d]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", rl_stored_as(t->dtype)->safetensors, "shape", shape, "data_offsets",
                     (json_int_t)start, (json_int_t)(start + size));
}

static uint64_t bytes_of(const rille_tensor *t)
{
    return (uint64_t)t->numel * rille_dtype_size(t->dtype);
}

/* Of the widest elements first, so that each tensor begins at a multiple of its element's size. Calls f(i) in that order. */
static const size_t widths[] = {8, 4, 1};
enum { WIDTHS = (int)(sizeof widths / sizeof widths[0]) };

/* The header as JSON; NULL, with a message, where a name is no UTF-8, or memory is out. */
static json_t *make_header(rille_context *cx, int count, const char *const *names, rille_tensor *const *tensors,
                           int remark_count, const char *const *keys, const char *const *values)
{
    json_t *header = json_object(), *metadata = remark_count > 0 ? json_object() : NULL;
    bool good = header != NULL && (remark_count == 0 || metadata != NULL);
    const char *bad = NULL;
    for (int i = 0; good && i < remark_count; i++)
        if (json_object_set_new(metadata, keys[i], json_string(values[i])) != 0)
            good = false, bad = keys[i];
    if (good && metadata != NULL)
        good = json_object_set(header, METADATA, metadata) == 0;
    json_decref(metadata);
    uint64_t at = 0;
    for (int w = 0; w < WIDTHS; w++)
        for (int i = 0; good && i < count; i++) {
            if (rille_dtype_size(tensors[i]->dtype) != widths[w])
                continue;
            if (strcmp(names[i], METADATA) == 0 ||
                json_object_set_new(header, names[i], describe(tensors[i], at, bytes_of(tensors[i]))) != 0)
                good = false, bad = names[i];
            at += bytes_of(tensors[i]);
        }
    if (good)
        return header;
    json_decref(header);
    if (bad == NULL)
        rl_fail(cx, RILLE_ERROR_MEMORY, "write_safetensors: no memory for the header");
    else
        rl_fail(cx, RILLE_ERROR_ARGUMENT, "write_safetensors: '%s' is %s", bad,
                strcmp(bad, METADATA) == 0 ? "the name of the metadata" : "no UTF-8, in its name or its text");
    return NULL;
}

/* The text is padded with spaces, so that the elements begin at a multiple of 8. */
static bool write_header(rl_sink *sink, json_t *header)
{
    char *text = json_dumps(header, JSON_COMPACT);
    if (text == NULL) {
        rl_fail(sink->cx, RILLE_ERROR_MEMORY, "write_safetensors: no memory for the header");
        return false;
    }
    const size_t length = strlen(text), padded = (length + 7) / 8 * 8;
    unsigned char size[LENGTH];
    for (int i = 0; i < LENGTH; i++)
        size[i] = (unsigned char)((uint64_t)padded >> 8 * i);
    bool good = rl_sink_write(sink, size, LENGTH) && rl_sink_write(sink, text, length) &&
                rl_sink_write(sink, "       ", padded - length);
    free(text);
    return good;
}

static bool write_elements(rl_sink *sink, rille_tensor *t)
{
    rille_scope_push(sink->cx);
    const rille_tensor *row_major = rille_contiguous(t);
    bool good = row_major != NULL && rl_sink_write(sink, rl_data(row_major), (size_t)bytes_of(t));
    rille_scope_pop(sink->cx);
    return good;
}

rille_status rille_write_safetensors(rille_context *cx, const char *path, int count, const char *const *names,
                                     rille_tensor *const *tensors, int metadata_count, const char *const *keys,
                                     const char *const *values)
{
    rl_sink sink;
    if (!rl_check_tensors(cx, "write_safetensors", count, names, tensors))
        return cx == NULL || rille_error(cx) == NULL ? RILLE_ERROR_NULL : rille_error_status(cx);
    if (!rl_check_names(cx, "write_safetensors", metadata_count, keys))
        return rille_error_status(cx);
    json_t *header = make_header(cx, count, names, tensors, metadata_count, keys, values);
    bool good = header != NULL && rl_sink_open(cx, "write_safetensors", path, &sink);
    if (good) {
        good = write_header(&sink, header);
        for (int w = 0; w < WIDTHS; w++)
            for (int i = 0; good && i < count; i++)
                if (rille_dtype_size(tensors[i]->dtype) == widths[w])
                    good = write_elements(&sink, tensors[i]);
        good = rl_sink_close(&sink, good) == RILLE_OK;
    }
    json_decref(header);
    return good ? RILLE_OK : rille_error_status(cx);
}
