/* Inner loops of reductions, compiled once per instruction set. */
#ifndef RL_OPS_FOLD_KERNELS_H
#define RL_OPS_FOLD_KERNELS_H

#include "base/isa.h"
#include "rille.h"

/* What many elements x are folded into. c is a number of the result's own, p one of all. */
typedef enum rl_fold_kind {
    RL_FOLD_SUM,          /* x + ... */
    RL_FOLD_PRODUCT,      /* x ... */
    RL_FOLD_LARGEST,      /* NaN where one is */
    RL_FOLD_SMALLEST,     /* NaN where one is */
    RL_FOLD_LARGEST_SIZE, /* of |x| */
    RL_FOLD_SMALLEST_SIZE,
    RL_FOLD_COUNT,        /* of x != 0 */
    RL_FOLD_SIZES,        /* |x| + ... */
    RL_FOLD_SQUARES,      /* (c x)^2 + ... */
    RL_FOLD_DEVIATIONS,   /* (x - c)^2 + ... */
    RL_FOLD_POWERS,       /* (c |x|)^p + ... */
    RL_FOLD_EXPONENTIALS, /* e^(x - c) + ..., x <= c */
    RL_FOLD_KINDS
} rl_fold_kind;

/* Dtypes that elements are read in. Floating ones fold into a double, the others (bool is read as uint8) into an int64_t. */
enum { RL_FOLD_FLOAT32, RL_FOLD_FLOAT64, RL_FOLD_INT64, RL_FOLD_UINT8, RL_FOLD_DTYPES };

/* *total: of n dense elements, in sixteen fixed lanes, so that every instruction set folds in the same order. */
typedef void rl_fold_row(size_t n, const void *x, double c, double p, void *total);
/* total[j]: of x[i stride + j], i < rows, one after the other; c[j] is j's own, where the kind has such; stride in elements. */
typedef void rl_fold_down(size_t rows, size_t columns, size_t stride, const void *x, const double *c, double p, void *total);

/* NULL where a kind is for floating dtypes only. SUM, PRODUCT, LARGEST, SMALLEST are for int64 too, LARGEST, SMALLEST for uint8. */
typedef struct rl_fold_kernels {
    rl_fold_row *row[RL_FOLD_KINDS][RL_FOLD_DTYPES];
    rl_fold_down *down[RL_FOLD_KINDS][RL_FOLD_DTYPES];
} rl_fold_kernels;

RL_ISA_DECLARE(rl_fold_kernels)

#endif
