/* What an activation is, evaluated without trusting a line of the engine: the text of its definition is parsed, and value,
 * first and second derivative are computed together in Taylor arithmetic (jet.h) on MPFR intervals (interval.h), with more and
 * more digits until the bounds of all three are as good as equal.
 *
 * The text is C's: numbers, x, parameters, pi, + - * /, comparisons, ! && || ?:, parentheses, and calls of exp expm1 log log1p
 * sqrt sinh cosh tanh erf erfc sin cos atan asinh abs min max pow. A literal is the double that C makes of it (0.1 is not a
 * tenth), everything after that is real arithmetic (1 / 10 is).
 *
 * At a kink, ?: goes where its condition says, and abs, min and max take the branch that holds just left of it: a function that
 * is smooth, though written with several of them, then keeps its derivatives. */
#ifndef REFERENCE_FORMULA_H
#define REFERENCE_FORMULA_H

#include <mpfr.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct formula formula;

/* names: of the `count` parameters. NULL where the text is not a formula; `error` then says what is wrong and where. */
formula *formula_parse(const char *text, const char *const *names, int count, char *error, size_t size);
void formula_free(formula *f);

/* f, f' and f" at x into result[0 .. 2], which the caller has initialised: right to 80 bits, or to 2^-1160 where they are
 * smaller than that. One past every double's range may be any number past 2^1100. NaN where 8192 bits did not settle it:
 * there is no such value, or the formula loses all its digits. */
void formula_evaluate(const formula *f, const double *params, double x, mpfr_t result[3]);

/* The same of the function of t in which x + t stands for x (where .x) and p + t for the parameter p of that number (< 0:
 * none), at t = 0: derivatives by a parameter, and mixed ones from  d^2/dt^2 f(x + t, p + t) = f_xx + 2 f_xp + f_pp.  NaN too
 * where numbers past 2^(2^26) are met on the way. */
typedef struct formula_direction {
    bool x;
    int parameter;
} formula_direction;
void formula_evaluate_along(const formula *f, const double *params, formula_direction along, double x, mpfr_t result[3]);

/* What f, f' and f" tend to as x goes to infinity (direction > 0) or to minus infinity: NaN where that is nothing. */
void formula_limit(const formula *f, const double *params, int direction, double limit[3]);

#endif
