/* float32 kernels over many floats, fast enough for all 2^32 of them: held against the float64 kernel of the best instruction
 * set, which is within 2 ULP of the formula in MPFR (comparison.h), which are 2^-28 of a float's; or against one another. */
#ifndef TESTS_ACCURACY_SWEEP_H
#define TESTS_ACCURACY_SWEEP_H

#include "accuracy/rows.h"

typedef struct sweep_error {
    double ulp; /* the worst, and where */
    uint32_t bits;
    float got;
    double exact;
    uint64_t samples;
} sweep_error;

/* f^(order) at the floats whose bits are first, first + stride ... below end <= 2^32, for each instruction set of the CPU where
 * wanted[isa]. NaN that does not give NaN counts as infinitely wrong. Adds to what worst holds already. */
void sweep_floats(const activation_row *row, int order, uint64_t first, uint64_t end, uint64_t stride,
                  const bool wanted[RL_ISA_COUNT], sweep_error worst[RL_ISA_COUNT]);

typedef struct sweep_difference {
    uint64_t count; /* of floats where the bits are not the same */
    uint32_t bits;  /* the first of them, and what is got there */
    float expected, got;
    uint64_t samples;
} sweep_difference;

/* The same floats, and any quantity: products with gradients of all sizes. Each instruction set where wanted[isa] against the
 * best one that rounds alike (isa_alike); the best itself has nothing to be held against. Every NaN is NaN. */
void sweep_differences(const activation_row *row, int quantity, uint64_t first, uint64_t end, uint64_t stride,
                       const bool wanted[RL_ISA_COUNT], sweep_difference found[RL_ISA_COUNT]);

#endif
