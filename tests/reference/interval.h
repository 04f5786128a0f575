/* Interval arithmetic on MPFR: every number is a pair of bounds, rounded outwards, so the true value is always between them
 * and the distance of the two says how much of it is known. */
#ifndef REFERENCE_INTERVAL_H
#define REFERENCE_INTERVAL_H

#include <mpfr.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct interval {
    mpfr_t lo, hi; /* lo <= the number <= hi; one that has no bounds has NaN for both */
} interval;

/* Where intervals come from: one block of memory, given back as a whole. An interval is never changed once it is made. */
typedef struct workspace {
    mpfr_prec_t precision; /* of every bound, in bits */
    char *block;
    size_t used, size;
} workspace;

bool workspace_open(workspace *ws, mpfr_prec_t precision, int intervals); /* room for so many; false where memory is out */
void workspace_close(workspace *ws);

typedef int monotone_function(mpfr_ptr result, mpfr_srcptr x, mpfr_rnd_t rounding); /* such as mpfr_exp */

const interval *interval_from(workspace *ws, mpfr_srcptr number);
const interval *interval_constant(workspace *ws, double number);
const interval *interval_pi(workspace *ws);
const interval *interval_neg(workspace *ws, const interval *a);
const interval *interval_add(workspace *ws, const interval *a, const interval *b);
const interval *interval_sub(workspace *ws, const interval *a, const interval *b);
const interval *interval_mul(workspace *ws, const interval *a, const interval *b);
const interval *interval_div(workspace *ws, const interval *a, const interval *b); /* unbounded where b contains 0 */
const interval *interval_rising(workspace *ws, monotone_function *f, const interval *a);
const interval *interval_falling(workspace *ws, monotone_function *f, const interval *a);
const interval *interval_wave(workspace *ws, monotone_function *f, const interval *a); /* sine or cosine: |f| <= 1, |f'| <= 1 */

typedef enum sign { NEGATIVE = -1, ZERO, POSITIVE, UNKNOWN } sign;
sign interval_sign(const interval *a); /* UNKNOWN where it is not the same all over a, or a is NaN */

#endif
