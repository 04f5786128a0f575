/* LeCun's IDX, the format of the MNIST files: two zero bytes, the element type (8: unsigned byte), the rank, each size as a
 * big-endian 32-bit integer, then the elements, row-major. The file is taken to be hostile: its size must be exactly right. */
#include "tensor/tensor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static rille_tensor *fail(rille_context *cx, const char *path, long at, const char *what)
{
    rl_fail(cx, RILLE_ERROR_IO, "read_idx: %s: %s (byte %ld)", path, what, at);
    return NULL;
}

static rille_tensor *read_open(rille_context *cx, const char *path, FILE *file)
{
    unsigned char head[4], size[4];
    if (fread(head, 1, 4, file) != 4 || head[0] != 0 || head[1] != 0)
        return fail(cx, path, 0, "not an IDX file: it must begin with two zero bytes");
    if (head[2] != 8)
        return fail(cx, path, 2, "its elements are not unsigned bytes (type 8)");
    if (head[3] < 1 || head[3] > RILLE_MAX_RANK)
        return fail(cx, path, 3, "its rank is not in 1 ... 8");
    int rank = head[3];
    int64_t shape[RILLE_MAX_RANK], numel;
    for (int d = 0; d < rank; d++) {
        if (fread(size, 1, 4, file) != 4)
            return fail(cx, path, 4 + 4L * d, "it ends within its sizes");
        shape[d] = (int64_t)size[0] << 24 | size[1] << 16 | size[2] << 8 | size[3];
    }
    if (!rl_check_shape(cx, "read_idx", RILLE_UINT8, rank, shape, &numel))
        return NULL;
    long start = 4 + 4L * rank, end;
    if (fseek(file, 0, SEEK_END) != 0 || (end = ftell(file)) < 0 || fseek(file, start, SEEK_SET) != 0)
        return fail(cx, path, start, strerror(errno));
    if (end - start != numel) {
        rl_fail(cx, RILLE_ERROR_IO, "read_idx: %s: %ld bytes of elements, but shape %s needs %lld", path, end - start,
                rl_shape_text((char[RL_SHAPE_TEXT]){0}, rank, shape), (long long)numel);
        return NULL;
    }
    rille_tensor *t = rl_new(cx, "read_idx", RILLE_UINT8, rank, shape);
    if (t != NULL && fread(rl_data(t), 1, (size_t)numel, file) != (size_t)numel) {
        rille_free(t);
        return fail(cx, path, start, "it cannot be read to its end");
    }
    return t;
}

rille_tensor *rille_read_idx(rille_context *cx, const char *path)
{
    if (cx == NULL)
        return NULL;
    if (path == NULL) {
        rl_fail(cx, RILLE_ERROR_NULL, "read_idx: the path is NULL");
        return NULL;
    }
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        rl_fail(cx, RILLE_ERROR_IO, "read_idx: %s: %s", path, strerror(errno));
        return NULL;
    }
    rille_tensor *t = read_open(cx, path, file);
    fclose(file);
    return t;
}
