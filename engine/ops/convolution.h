/* Between convolution.c, which knows tensors and the graph, and convolution_tiles.c, which computes. */
#ifndef RL_OPS_CONVOLUTION_H
#define RL_OPS_CONVOLUTION_H

#include "ops/ops.h"
#include "ops/windows.h"

/* Images, kernels, results. Each is linear in the other two: any one of them is computed from these. */
typedef enum rl_part { RL_INPUT, RL_WEIGHT, RL_RESULT, RL_PARTS } rl_part;

typedef struct rl_convolution {
    const char *name;
    rille_dtype dtype;
    rl_axis axis[RL_AXES];
    int64_t images, groups, in, out; /* in and out: channels of one group */
    char *data[RL_PARTS]; /* dense: [images, groups in, h, w], [groups out, in, kh, kw], [images, groups out, h', w'] */
    const char *bias;     /* [groups out], or NULL: what results start from */
} rl_convolution;

/* Computes that part from the two others, by blocks that sizes alone determine. */
rille_status rl_convolve(rille_context *cx, const rl_convolution *c, rl_part part);

#endif
