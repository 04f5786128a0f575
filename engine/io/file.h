/* Files as they are read and written: every reader fails in the same words, every writer replaces a file whole or not at
 * all. */
#ifndef RL_IO_FILE_H
#define RL_IO_FILE_H

#include "tensor/tensor.h"

#include <stdio.h>

/* ---- Reading ---- */

/* Bytes that come one after the other: a file, plain or gzipped, or an entry of an archive. */
typedef struct rl_source {
    rille_context *cx;
    const char *operation, *path;
    const char *entry; /* of an archive, or NULL */
    uint64_t at;       /* bytes read so far */
    uint64_t most;     /* bytes that there can be in all; where `exact`, that there are */
    bool exact;
    void *stream;
    /* Up to n bytes; how many there were, or -1. At the end of a packed stream it tells whether the checksum agrees. */
    int64_t (*read)(void *stream, void *into, size_t n);
    const char *(*why)(void *stream); /* read gave -1 */
} rl_source;

/* Records "operation: path: what (byte N)", of an entry "operation: path: 'entry': what (byte N)"; returns RILLE_ERROR_IO. */
RL_FORMAT(3, 4) rille_status rl_source_fail(const rl_source *source, uint64_t at, const char *what, ...);

/* The file at path for reading as its descriptor, and its size; -1, with a message, where it is no ordinary file. */
int rl_open_file(rille_context *cx, const char *operation, const char *path, uint64_t *size);

/* Deflate needs a bit for a match of 258 bytes, and at least a bit for its distance: so many bytes from one at most. */
enum { RL_MOST_INFLATED = 1032 };

/* As rl_open_file, unpacked where it is gzipped. false: there is a message. */
bool rl_source_open(rille_context *cx, const char *operation, const char *path, rl_source *source);
void rl_source_close(rl_source *source);

/* Exactly n bytes; false, with a message that says where the file ends, where there are fewer. */
bool rl_source_read(rl_source *source, void *into, size_t n);
/* false, with a message, where there are bytes left, or the checksum disagrees. */
bool rl_source_at_end(rl_source *source);

/* What `parse` makes of the whole file at path; NULL, with a message, also where it leaves something of it. */
rille_tensor *rl_read_file(rille_context *cx, const char *operation, const char *path, rille_tensor *(*parse)(rl_source *));

/* ---- Elements ---- */

/* How files store numbers, and the dtype that holds all of them exactly. */
typedef struct rl_stored {
    const char *name;        /* "float16" */
    const char *safetensors; /* "F16" */
    size_t size;             /* bytes an element */
    rille_dtype dtype;
    char kind; /* NumPy's: b i u f; 0 for bfloat16, which NumPy has not */
} rl_stored;
extern const rl_stored rl_stored_types[];
extern const int rl_stored_type_count;
const rl_stored *rl_stored_as(rille_dtype dtype); /* the row that is this dtype */

/* A tensor of the source's next numel elements: in C order, or in Fortran's, the first index fastest. Asks for no memory
 * before it is sure that the source can have so many bytes. */
rille_tensor *rl_read_elements(rl_source *source, const rl_stored *type, bool big_endian, bool fortran_order, int rank,
                               const int64_t *shape);

/* ---- Writing ---- */

/* A file on its way: written beside its place, then moved there. Symbolic links are followed; what is no ordinary file (a
 * device, a pipe) is written to as it is, and what is open already (/dev/stdout) gets more. */
typedef struct rl_sink {
    rille_context *cx;
    const char *operation, *path;
    FILE *file;
    char *target;  /* where links lead to */
    char *partial; /* NULL: written in place */
} rl_sink;

bool rl_sink_open(rille_context *cx, const char *operation, const char *path, rl_sink *sink);
bool rl_sink_write(rl_sink *sink, const void *bytes, size_t n); /* false: there is a message */
/* Ends it: with `good` the file takes its place, else nothing is left of it. RILLE_OK, or there is a message. */
rille_status rl_sink_close(rl_sink *sink, bool good);

#endif
