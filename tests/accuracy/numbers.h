/* Numbers of either dtype, held as doubles, and pseudo-random ones. */
#ifndef TESTS_ACCURACY_NUMBERS_H
#define TESTS_ACCURACY_NUMBERS_H

#include "rille.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static inline double element(rille_dtype dtype, const void *elements, size_t i)
{
    return dtype == RILLE_FLOAT32 ? (double)((const float *)elements)[i] : ((const double *)elements)[i];
}

static inline void set_element(rille_dtype dtype, void *elements, size_t i, double value)
{
    if (dtype == RILLE_FLOAT32)
        ((float *)elements)[i] = (float)value;
    else
        ((double *)elements)[i] = value;
}

static inline float float_of_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline uint32_t bits_of_float(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* The dtype's numbers in order, counted from 0 = 0: the first is the smallest subnormal. Its last is the largest finite one. */
static inline double number_at(rille_dtype dtype, int64_t rank)
{
    uint64_t magnitude = (uint64_t)llabs((long long)rank);
    double d;
    memcpy(&d, &magnitude, sizeof d);
    return copysign(dtype == RILLE_FLOAT32 ? (double)float_of_bits((uint32_t)magnitude) : d, (double)rank);
}

static inline int64_t rank_of(rille_dtype dtype, double number)
{
    double d = fabs(number);
    uint64_t magnitude;
    memcpy(&magnitude, &d, sizeof magnitude);
    int64_t rank = dtype == RILLE_FLOAT32 ? (int64_t)bits_of_float((float)d) : (int64_t)magnitude;
    return number < 0 ? -rank : rank;
}

static inline int64_t last_rank(rille_dtype dtype)
{
    return rank_of(dtype, INFINITY) - 1;
}

/* The same in every run (splitmix64). */
static inline uint64_t random_bits(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline double random_uniform(uint64_t *state, double low, double high)
{
    return low + (high - low) * ((double)(random_bits(state) >> 11) * 0x1p-53);
}

#endif
