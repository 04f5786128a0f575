/* Where functions are measured: all over the numbers, and closely wherever something may change. */
#ifndef TESTS_ACCURACY_POINTS_H
#define TESTS_ACCURACY_POINTS_H

#include "accuracy/rows.h"

typedef struct points {
    rille_dtype dtype;
    double *x;
    size_t count, room;
} points;

/* x, the numbers next to it, `width` on either side, and some at each distance beyond, doubling up to a factor of 2. */
void add_neighbourhood(points *p, double x, int width);

/* Zeros, infinities, NaN, and the neighbourhoods of 1, of the ends of the dtype's range, of the row's kinks and parameters and
 * of where one of its three derivatives, as any instruction set has it, changes sign, underflows, overflows or saturates. */
void add_special(points *p, const activation_row *row, int width);

/* Every stride-th of all 2^32 floats. A prime reaches every pattern of the low bits. */
void add_strided(points *p, uint32_t stride);

/* Doubles of all sizes, and more of them where functions bend: 3.5 times `count` of them. */
void add_random(points *p, size_t count, uint64_t seed);

/* Sorts them and drops what is there twice. */
void sort_points(points *p);

#endif
