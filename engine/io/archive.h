/* A file of named tensors, open for reading: what .npz and safetensors share. */
#ifndef RL_IO_ARCHIVE_H
#define RL_IO_ARCHIVE_H

#include "io/file.h"

typedef struct rl_entry {
    const char *name;
    uint64_t start, size;  /* bytes in the file; of an .npz: the index in the archive, and the bytes unpacked */
    const rl_stored *type; /* of an .npz: NULL until its own header is read */
    int rank;
    int64_t shape[RILLE_MAX_RANK];
} rl_entry;

typedef struct rl_remark {
    const char *key, *value;
} rl_remark;

struct rille_archive {
    rille_context *cx;
    size_t bytes; /* of this block: the lists, the path and the text are behind the struct */
    const char *operation, *path;
    int count, remark_count;
    rl_entry *entry;
    rl_remark *remark;
    char *text;   /* for names, where `opened` has them otherwise */
    int file;     /* safetensors */
    void *opened; /* the header's json_t *, or the zip_t * */
    rille_tensor *(*read)(rille_archive *archive, const rl_entry *entry);
    void (*close)(rille_archive *archive);
};

/* With room for so many entries, remarks and bytes of text, all zero; NULL, with a message, where memory is out. */
rille_archive *rl_archive_new(rille_context *cx, const char *operation, const char *path, size_t count, size_t remark_count,
                              size_t text);

/* May these be written? A name is not NULL, not empty and not there twice; all tensors are there, and of cx. */
bool rl_check_tensors(rille_context *cx, const char *operation, int count, const char *const *names,
                      rille_tensor *const *tensors);
bool rl_check_names(rille_context *cx, const char *operation, int count, const char *const *names);

#endif
