/* Kernels held against MPFR: every instruction set that the CPU has at every point, for one evaluation of the formula there. */
#ifndef TESTS_ACCURACY_COMPARISON_H
#define TESTS_ACCURACY_COMPARISON_H

#include "accuracy/points.h"
#include "accuracy/rows.h"
#include "reference/ulp.h"

typedef struct error {
    double ulp, x, got; /* the worst, and where */
    char exact[48];
    size_t samples;
} error;

/* f, f' and f" of the row (quantities = ORDERS), or these and both products (QUANTITIES), at all points. */
void compare_with_formula(const activation_row *row, const points *p, int quantities, error worst[RL_ISA_COUNT][QUANTITIES]);

#endif
