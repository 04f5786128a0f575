/* Between recurrence.c, which knows tensors and the graph, and recurrence_steps.c, which computes. */
#ifndef RL_OPS_RECURRENCE_H
#define RL_OPS_RECURRENCE_H

#include "ops/ops.h"

typedef struct rl_cell {
    enum rl_op_id op;
    int gates;
    bool has_c;
} rl_cell;

/* A layer's memory: what the steps read and write. [t] stands for one such block a step. */
typedef struct rl_sequence {
    const rl_cell *cell;
    rille_activation act; /* rnn's */
    rille_dtype dtype;
    size_t item;
    int64_t steps, n, width, from, to; /* from, to: the steps to be done now */
    char *gates;               /* [t][n, gates width]: the input's share, to which forward adds that of the hidden state */
    char *hidden;              /* [t + 1][n, width], h0 first; for lstm, c of the last step after them */
    char *kept;                /* lstm: c as [t + 1][n, width]; gru: candidates as [t][n, width]. Forward alone: of one step */
    int64_t kept_stride;       /* elements from one step to the next */
    const char *panels;        /* of W_hh^T, [width, gates width], forward; of W_hh backward */
    const char *bias;          /* gru: [3 width] */
    char *product;             /* gru: [n, 3 width] */
    const char *g;             /* backward: as hidden */
    char *dh, *dc;             /* [n, width] */
    char *d_gates, *d_product; /* as gates; d_product is d_gates but for gru */
} rl_sequence;

static inline int64_t rl_sequence_block(const rl_sequence *s) /* elements of [n, width] */
{
    return s->n * s->width;
}

/* All steps, from the first to the last, or from the last to the first. */
rille_status rl_sequence_forward(rille_context *cx, rl_sequence *s);
rille_status rl_sequence_backward(rille_context *cx, rl_sequence *s);

#endif
