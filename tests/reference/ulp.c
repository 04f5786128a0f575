#include "reference/ulp.h"

#include <math.h>
#include <stdbool.h>

const ulp_format ulp_float32 = {"float32", 24, -149, 128};
const ulp_format ulp_float64 = {"float64", 53, -1074, 1024};

/* The exponent of one ULP of a number in [2^(exponent - 1), 2^exponent). */
static long ulp_exponent(const ulp_format *format, long exponent)
{
    return exponent - format->digits > format->min_exponent ? exponent - format->digits : format->min_exponent;
}

static long double_ulp_exponent(const ulp_format *format, double y)
{
    int exponent = format->min_exponent;
    if (y != 0.0)
        frexp(y, &exponent);
    return ulp_exponent(format, exponent);
}

static bool rounds_to_infinity(const ulp_format *format, mpfr_srcptr exact)
{
    mpfr_t rounded;
    mpfr_init2(rounded, format->digits);
    mpfr_set(rounded, exact, MPFR_RNDN);
    bool result = mpfr_regular_p(rounded) && mpfr_get_exp(rounded) > format->max_exponent;
    mpfr_clear(rounded);
    return result;
}

double ulp_error(const ulp_format *format, double got, mpfr_srcptr exact)
{
    if (isnan(got) || mpfr_nan_p(exact))
        return isnan(got) && mpfr_nan_p(exact) ? 0.0 : INFINITY;
    if (isinf(got))
        return rounds_to_infinity(format, exact) && (got > 0) == (mpfr_sgn(exact) > 0) ? 0.0 : INFINITY;
    long unit = double_ulp_exponent(format, got);
    long other = ulp_exponent(format, mpfr_regular_p(exact) ? (long)mpfr_get_exp(exact) : (long)format->min_exponent);
    mpfr_t difference;
    mpfr_init2(difference, 128);
    mpfr_set_d(difference, got, MPFR_RNDN);
    mpfr_sub(difference, difference, exact, MPFR_RNDN);
    mpfr_div_2si(difference, difference, unit < other ? unit : other, MPFR_RNDN);
    double error = fabs(mpfr_get_d(difference, MPFR_RNDN));
    mpfr_clear(difference);
    return error;
}

double ulp_error_double(const ulp_format *format, double got, double exact)
{
    if (isnan(got) || isnan(exact))
        return isnan(got) && isnan(exact) ? 0.0 : INFINITY;
    if (got == exact)
        return 0.0;
    double largest = ldexp(1.0, format->max_exponent - 1);
    double half_above = ldexp(1.0, format->max_exponent - format->digits - 1);
    if (isinf(got)) /* |exact| >= 2^max_exponent - half an ULP, without overflow on the way */
        return (got > 0) == (exact > 0) && fabs(exact) - largest >= largest - half_above ? 0.0 : INFINITY;
    long unit = double_ulp_exponent(format, got), other = double_ulp_exponent(format, exact);
    return fabs(ldexp(got - exact, -(int)(unit < other ? unit : other)));
}
