/* LeCun's IDX, the format of the MNIST files: two zero bytes, the element type (8: unsigned byte), the rank, each size as a
 * big-endian 32-bit integer, then the elements, row-major. Plain or gzipped. The file is taken to be hostile: its size must
 * be exactly right. */
#include "io/file.h"

static rille_tensor *read_open(rl_source *source)
{
    unsigned char head[4], size[4];
    int64_t shape[RILLE_MAX_RANK];
    if (!rl_source_read(source, head, 4))
        return NULL;
    int rank = head[3];
    if (head[0] != 0 || head[1] != 0)
        rl_source_fail(source, 0, "not an IDX file: it must begin with two zero bytes");
    else if (head[2] != 8)
        rl_source_fail(source, 2, "its elements are not unsigned bytes (type 8)");
    else if (rank < 1 || rank > RILLE_MAX_RANK)
        rl_source_fail(source, 3, "its rank is not in 1 ... 8");
    else {
        for (int d = 0; d < rank; d++) {
            if (!rl_source_read(source, size, 4))
                return NULL;
            shape[d] = (int64_t)size[0] << 24 | size[1] << 16 | size[2] << 8 | size[3];
        }
        return rl_read_elements(source, rl_stored_as(RILLE_UINT8), false, false, rank, shape);
    }
    return NULL;
}

rille_tensor *rille_read_idx(rille_context *cx, const char *path)
{
    return rl_read_file(cx, "read_idx", path, read_open);
}
