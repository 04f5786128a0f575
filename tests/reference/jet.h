/* Taylor arithmetic: a jet is a function's value at some x together with its first and second derivative there. The rules of
 * calculus, applied to jets step by step, differentiate whatever formula is evaluated with them; nothing is approximated.
 *
 *     (a + b)' = a' + b'        (a b)' = a' b + a b'        (a / b)' = (a' - (a / b) b') / b        g(a)' = g'(a) a'
 *
 * and each rule, differentiated once more, gives the second derivative. The numbers are intervals: see interval.h. */
#ifndef REFERENCE_JET_H
#define REFERENCE_JET_H

#include "reference/interval.h"

typedef struct jet {
    const interval *order[3]; /* f, f', f" */
} jet;

jet jet_constant(workspace *ws, const interval *c); /* c, 0, 0 */
jet jet_variable(workspace *ws, const interval *x); /* x, 1, 0 */

jet jet_neg(workspace *ws, jet a);
jet jet_add(workspace *ws, jet a, jet b);
jet jet_sub(workspace *ws, jet a, jet b);
jet jet_mul(workspace *ws, jet a, jet b);
jet jet_div(workspace *ws, jet a, jet b);
jet jet_pow(workspace *ws, jet a, jet b); /* a^b: a > 0, or b a whole number from 0 to 64 */

/* An elementary function by name: exp, log, tanh ... NULL where there is none such. */
typedef jet jet_function(workspace *ws, jet a);
jet_function *jet_function_find(const char *name);

/* The sign of a just left of x: that of the first order which is not 0, where an odd one counts the other way. */
sign jet_sign_from_left(jet a);

enum { JET_INTERVALS = 64, JET_POW_INTERVALS = 256 }; /* more than any one of these, or jet_pow, takes from the workspace */

#endif
