/* What operations share: their table, and the steps that most of them take. */
#ifndef RL_OPS_OPS_H
#define RL_OPS_OPS_H

#include "tensor/graph.h"

enum rl_op_id {
#define OP(name) RL_OP_##name,
#include "ops/ops.def"
#undef OP
    RL_OP_COUNT
};

extern const rl_op rl_ops[RL_OP_COUNT];

#define OP(name) rl_vjp rl_vjp_##name;
#include "ops/ops.def"
#undef OP

/* t itself where it has the dtype, else a converted temporary that the caller frees with rl_free_temporary. Not recorded. */
rille_tensor *rl_as(rille_tensor *t, rille_dtype dtype);
/* t itself where it is contiguous, else a temporary. Not recorded. */
rille_tensor *rl_dense(rille_tensor *t);
/* t as a dense tensor of a floating dtype: itself, or a temporary. Not recorded. */
rille_tensor *rl_dense_floating(rille_tensor *t);
void rl_free_temporary(rille_tensor *temporary, const rille_tensor *original);

/* float32 for integers and bool: what functions with fractional results compute in. */
rille_dtype rl_floating(rille_dtype dtype);

/* out, or NULL (and out freed) where status says that filling it failed. */
rille_tensor *rl_completed(rille_tensor *out, rille_status status);

/* g summed over what was broadcast and converted, so that it has the given shape and dtype. Recorded. */
rille_tensor *rl_sum_to(rille_tensor *g, rille_dtype dtype, int rank, const int64_t *shape);

/* g placed into zeros of the shape, from `start` along dim: the opposite of narrow. Recorded. */
rille_tensor *rl_pad(rille_tensor *g, int rank, const int64_t *shape, int dim, int64_t start);

/* Where a dimension can be put in: `dim` (negative: from the end) as 0 ... rank; -1, with a message, where it cannot. */
int rl_new_dimension(const rille_tensor *t, const char *operation, int dim);

/* Whether t may be written in place: a message where it takes part in gradients, or elements of it are one in memory. */
rille_status rl_check_writable(const char *operation, const rille_tensor *t);

/* Whether all values of index, int64, are within a dimension of this size; a message where not, or memory is out. */
bool rl_check_index(const char *operation, rille_tensor *index, int64_t size);

/* int64 [k]: where mask, bool, is true, counted row-major from 0. */
rille_tensor *rl_true_positions(const char *operation, rille_tensor *mask);

/* t's dimension `dim` moved to the end (or back: rl_move_dimension(t, -1, dim)). Recorded; NULL in, NULL out. */
rille_tensor *rl_move_dimension(rille_tensor *t, int from, int to);

/* Is there a derivative of that order? A message where there is not. */
bool rl_check_order(rille_context *cx, int order);

/* g times the activation's derivative of the given order at x. Recorded. */
rille_tensor *rl_activation_product(rille_tensor *g, rille_tensor *x, rille_activation act, int order, const double *params);

#endif
