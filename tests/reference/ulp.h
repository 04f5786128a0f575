/* Errors in units in the last place. One ULP is the distance of neighbouring numbers of the format, near the exact value or
 * near the one that was got, whichever is finer; so an error below 1 means that there is no number of the format between
 * the two (faithful rounding), in the subnormal range and at the powers of two as well. */
#ifndef REFERENCE_ULP_H
#define REFERENCE_ULP_H

#include <mpfr.h>

typedef struct ulp_format {
    const char *name;
    int digits;       /* of the significand */
    int min_exponent; /* the smallest subnormal is 2^min_exponent */
    int max_exponent; /* every finite number is below 2^max_exponent */
} ulp_format;

extern const ulp_format ulp_float32, ulp_float64;

/* Of `got`, a number of the format. An infinity is right where the exact value rounds to it, and infinitely wrong elsewhere,
 * as is NaN where the exact value is not NaN, and the other way round. */
double ulp_error(const ulp_format *format, double got, mpfr_srcptr exact);

/* The same with an exact value that is a double, infinities included. */
double ulp_error_double(const ulp_format *format, double got, double exact);

#endif
