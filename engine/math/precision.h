/* What every function of engine/math is made of.
 *
 * A function that rows of activations.def may call exists twice, under one name that RL_PRECISION resolves:
 *     f_24  for float32 kernels: arithmetic in double, relative error < 2^-36, so that the one rounding to float that follows
 *           errs by less than 0.5 + 2^-12 ULP, float's subnormals included;
 *     f_53  for float64 kernels: arithmetic in double-double, error < 0.6 ULP of the double result, subnormals included.
 * A function that a row of width `single` calls in F, or one of width `pair` in DF, exists a third time, where there is
 * RL_HAS_FMA:
 *     f_single  for float32 kernels: arithmetic in float, in twice as many lanes. What its roundings lose is carried along by
 *           fused multiply-adds, as far as the error, < 1 ULP over all floats, needs it.
 *
 * Each is straight-line code, so that loops over it become vector code: a conditional expression chooses between values, never
 * between computations; there are no calls, no tables and no conversions to integers (but in sine.h). NaN comes out where NaN
 * went in. Round-to-nearest is assumed and -ffp-contract=off: a fused multiply-add happens where rl_madd says so. */
#ifndef RL_MATH_PRECISION_H
#define RL_MATH_PRECISION_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define RL_INLINE static inline __attribute__((always_inline))
#else
#define RL_INLINE static inline
#endif

/* Where __builtin_fma is one instruction and no call. (Clang 14 does not define __FP_FAST_FMA.) */
#if defined(__FP_FAST_FMA) || defined(__FMA__) || defined(__aarch64__)
#define RL_HAS_FMA
#endif

/* With RL_PRECISION 53, RL_AT_PRECISION(f) is f_53. The macro of a function f may itself be called f. */
#define RL_AT_PRECISION(function) RL_AT_PRECISION_(function, RL_PRECISION)
#define RL_AT_PRECISION_(function, precision) RL_AT_PRECISION__(function, precision)
#define RL_AT_PRECISION__(function, precision) function##_##precision

/* c, or NaN where x is: a function that is constant, but on NaN. Of the type of c and x, whichever is wider. */
#define constant(c, x) ((x) == (x) ? (c) : (x))

/* a b + c, rounded once where the processor can, else twice: for sums that bear either. */
RL_INLINE double rl_madd(double a, double b, double c)
{
#if defined(RL_HAS_FMA)
    return __builtin_fma(a, b, c);
#else
    return a * b + c;
#endif
}

RL_INLINE double rl_magnitude(double x)
{
    return __builtin_fabs(x);
}

RL_INLINE double rl_copy_sign(double magnitude, double sign)
{
    return __builtin_copysign(magnitude, sign);
}

/* The integer nearest to x, for |x| < 2^51: the sum with 1.5 2^52 has no bits left for a fraction. */
RL_INLINE double rl_nearest_integer(double x)
{
    return (x + 0x1.8p52) - 0x1.8p52;
}

/* 2^n, given n + RL_POWER_OFFSET, for an integer -1022 <= n <= 1023. The sum has n + 1023 in its low bits; the shift makes them
 * the exponent and drops the others. NaN gives some number. */
#define RL_POWER_OFFSET (0x1.8p52 + 1023)
RL_INLINE double rl_power_in_sum(double sum)
{
    uint64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    bits <<= 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return power;
}

RL_INLINE double rl_power_of_two(double n)
{
    return rl_power_in_sum(n + RL_POWER_OFFSET);
}

#if defined(RL_HAS_FMA)

RL_INLINE float rl_madd_single(float a, float b, float c)
{
    return __builtin_fmaf(a, b, c);
}

/* The sum of two floats, |lo| <= ulp(hi). */
typedef struct rl_pair_single {
    float hi, lo;
} rl_pair_single;

/* A derivative that may be far smaller than floats are, which counts where it meets a large factor: hi + lo, or, if `deep`,
 * 2^-160 times that. It is 0 or, in magnitude, from 2^-106 up to 2^7; `deep`, from 2^-286 up to 2^-93. */
typedef struct rl_slope_single {
    float hi, lo;
    bool deep;
} rl_slope_single;

#define RL_POWER_OFFSET_SINGLE (0x1.8p23F + 127)

/* 2^n, given n + RL_POWER_OFFSET_SINGLE, for an integer -126 <= n <= 127, or 128 for infinity. */
RL_INLINE float rl_power_in_sum_single(float sum)
{
    uint32_t bits;
    memcpy(&bits, &sum, sizeof bits);
    bits <<= 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return power;
}

/* The larger and the smaller of a positive x, or NaN, and a positive number: compared as integers, which is one instruction. A
 * NaN may be taken for any number. */
RL_INLINE float rl_at_least_single(float x, float low)
{
    int32_t x_bits, low_bits;
    memcpy(&x_bits, &x, sizeof x_bits);
    memcpy(&low_bits, &low, sizeof low_bits);
    const int32_t larger = x_bits > low_bits ? x_bits : low_bits;
    memcpy(&x, &larger, sizeof x);
    return x;
}

RL_INLINE float rl_at_most_single(float x, float high)
{
    int32_t x_bits, high_bits;
    memcpy(&x_bits, &x, sizeof x_bits);
    memcpy(&high_bits, &high, sizeof high_bits);
    const int32_t smaller = x_bits < high_bits ? x_bits : high_bits;
    memcpy(&x, &smaller, sizeof x);
    return x;
}

/* x, or `low`, a negative number, where x is below that: of floats as unsigned integers, those below `low` are the largest. So
 * are NaNs of negative sign, which become `low`. */
RL_INLINE float rl_not_below_single(float x, float low)
{
    uint32_t x_bits, low_bits;
    memcpy(&x_bits, &x, sizeof x_bits);
    memcpy(&low_bits, &low, sizeof low_bits);
    const uint32_t smaller = x_bits < low_bits ? x_bits : low_bits;
    memcpy(&x, &smaller, sizeof x);
    return x;
}

/* g f', rounded once; twice where it is subnormal. Scaled, g and the product are so large that no low part is lost that counts,
 * and the product overflows only where g f' does. An infinite g may not meet a low part that is 0, nor may a 0 lose its sign to
 * one: adding -0 changes nothing. */
RL_INLINE float rl_times_slope_single(float g, rl_slope_single slope)
{
    const float magnitude = __builtin_fabsf(g), up = magnitude < 0x1p-12F ? 0x1p100F : 1,
                down = magnitude < 0x1p-12F ? 0x1p-100F : 1;
    const float scaled = g * (slope.deep ? 0x1p-68F : up);
    const float low = ((magnitude > 0) & (magnitude < __builtin_inff())) ? scaled * slope.lo : -0.0F;
    return rl_madd_single(scaled, slope.hi, low) * (slope.deep ? 0x1p-92F : down);
}

#endif

#endif
