/* Inner loops of elementwise operations, compiled once per instruction set. */
#ifndef RL_OPS_KERNELS_H
#define RL_OPS_KERNELS_H

#include "base/isa.h"
#include "tensor/loop.h"

/* For every dtype that arithmetic is done in, then for floating ones only. */
#define RL_BINARY_LIST(X) X(add) X(sub) X(mul) X(minimum) X(maximum) X(remainder)
#define RL_BINARY_FLOATING_LIST(X) X(div) X(pow)
#define RL_COMPARISON_LIST(X) X(equal, ==) X(not_equal, !=) X(less, <) X(less_equal, <=) X(greater, >) X(greater_equal, >=)
#define RL_UNARY_LIST(X) X(neg) X(abs) X(sign) X(floor) X(ceil) X(round) X(trunc)
#define RL_UNARY_FLOATING_LIST(X)                                                                                              \
    X(exp) X(expm1) X(log) X(log1p) X(log2) X(log10) X(sqrt) X(cos) X(tan) X(asin) X(acos) X(sinh) X(cosh)

enum { RL_FLOAT32_KERNEL, RL_FLOAT64_KERNEL, RL_INT64_KERNEL, RL_KERNEL_DTYPES };
enum { RL_1_BYTE, RL_4_BYTES, RL_8_BYTES, RL_SIZES };

typedef struct rl_op_kernels {
#define MEMBER(name, ...) rl_inner *name[RL_KERNEL_DTYPES];
    RL_BINARY_LIST(MEMBER)
    RL_BINARY_FLOATING_LIST(MEMBER)
    RL_COMPARISON_LIST(MEMBER) /* into bool */
    RL_UNARY_LIST(MEMBER)
    RL_UNARY_FLOATING_LIST(MEMBER)
#undef MEMBER
    rl_inner *where[RL_SIZES]; /* out, condition (bool), a, b: by the size of an element of a and b, 1, 4, 8 bytes */
} rl_op_kernels;

RL_ISA_DECLARE(rl_op_kernels)

#endif
