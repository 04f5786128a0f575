/* What elementwise operations are made of. */
#ifndef RL_OPS_ELEMENTWISE_H
#define RL_OPS_ELEMENTWISE_H

#include "ops/kernels.h"
#include "ops/ops.h"

/* The dtype that operands compute in: int64 at least, since bool and uint8 have no arithmetic of their own. */
static inline rille_dtype rl_arithmetic(rille_dtype dtype)
{
    return rl_promote(dtype, RILLE_INT64);
}

/* kernel(a, b), broadcast, with both converted to `computed`; and kernel(a). Not recorded. */
rille_tensor *rl_apply_binary(const char *name, rl_inner *const *kernel, rille_tensor *a, rille_tensor *b, rille_dtype computed,
                              rille_dtype result);
rille_tensor *rl_apply_unary(const char *name, rl_inner *const *kernel, rille_tensor *a, rille_dtype computed);

/* rille_<name>, which saves the tensors `saved` (of a, b and out) for rl_vjp_<name>. */
#define DEFINE_BINARY_OP(name, computed_in, saved)                                                                             \
    rille_tensor *rille_##name(rille_tensor *a, rille_tensor *b)                                                               \
    {                                                                                                                          \
        if (rl_enter(#name, RL_LIST(a, b)) == NULL)                                                                            \
            return NULL;                                                                                                       \
        rille_dtype dtype = computed_in(rl_promote(a->dtype, b->dtype));                                                       \
        rille_tensor *out = rl_apply_binary(#name, rl_op_kernels_pick()->name, a, b, dtype, dtype);                            \
        return rl_record(out, &rl_ops[RL_OP_##name], RL_LIST(a, b), saved, NULL);                                              \
    }
#define DEFINE_UNARY_OP(name, computed_in, saved)                                                                              \
    rille_tensor *rille_##name(rille_tensor *a)                                                                                \
    {                                                                                                                          \
        if (rl_enter(#name, RL_LIST(a)) == NULL)                                                                               \
            return NULL;                                                                                                       \
        rille_dtype dtype = computed_in(a->dtype);                                                                             \
        rille_tensor *out = rl_apply_unary(#name, rl_op_kernels_pick()->name, a, dtype);                                       \
        return rl_record(out, &rl_ops[RL_OP_##name], RL_LIST(a), saved, NULL);                                                 \
    }

#endif
