#include "reference/jet.h"

#include <string.h>

/* ---- Shorthand: interval arithmetic as it is written in formulas --------------------------------------------------- */

typedef const interval *number;

static number add(workspace *ws, number a, number b)
{
    return interval_add(ws, a, b);
}

static number sub(workspace *ws, number a, number b)
{
    return interval_sub(ws, a, b);
}

static number mul(workspace *ws, number a, number b)
{
    return interval_mul(ws, a, b);
}

static number divide(workspace *ws, number a, number b)
{
    return interval_div(ws, a, b);
}

static number times(workspace *ws, double k, number a)
{
    return interval_mul(ws, interval_constant(ws, k), a);
}

static number one_plus(workspace *ws, number a)
{
    return interval_add(ws, interval_constant(ws, 1.0), a);
}

static number reciprocal(workspace *ws, number a)
{
    return interval_div(ws, interval_constant(ws, 1.0), a);
}

static number square(workspace *ws, number a)
{
    return interval_mul(ws, a, a);
}

/* ---- Arithmetic ------------------------------------------------------------------------------------------------------ */

jet jet_constant(workspace *ws, number c)
{
    number zero = interval_constant(ws, 0.0);
    return (jet){{c, zero, zero}};
}

jet jet_variable(workspace *ws, number x)
{
    return (jet){{x, interval_constant(ws, 1.0), interval_constant(ws, 0.0)}};
}

jet jet_neg(workspace *ws, jet a)
{
    return (jet){{interval_neg(ws, a.order[0]), interval_neg(ws, a.order[1]), interval_neg(ws, a.order[2])}};
}

jet jet_add(workspace *ws, jet a, jet b)
{
    return (jet){{add(ws, a.order[0], b.order[0]), add(ws, a.order[1], b.order[1]), add(ws, a.order[2], b.order[2])}};
}

jet jet_sub(workspace *ws, jet a, jet b)
{
    return jet_add(ws, a, jet_neg(ws, b));
}

/* a b;   a' b + a b';   a" b + 2 a' b' + a b" */
jet jet_mul(workspace *ws, jet a, jet b)
{
    number cross = times(ws, 2.0, mul(ws, a.order[1], b.order[1]));
    return (jet){{
        mul(ws, a.order[0], b.order[0]),
        add(ws, mul(ws, a.order[1], b.order[0]), mul(ws, a.order[0], b.order[1])),
        add(ws, add(ws, mul(ws, a.order[2], b.order[0]), cross), mul(ws, a.order[0], b.order[2])),
    }};
}

/* q = a / b: the product rule for q b = a, solved for q' and q".   (a' - q b') / b;   (a" - 2 q' b' - q b") / b */
jet jet_div(workspace *ws, jet a, jet b)
{
    number q0 = divide(ws, a.order[0], b.order[0]);
    number q1 = divide(ws, sub(ws, a.order[1], mul(ws, q0, b.order[1])), b.order[0]);
    number cross = times(ws, 2.0, mul(ws, q1, b.order[1]));
    number rest = sub(ws, sub(ws, a.order[2], cross), mul(ws, q0, b.order[2]));
    return (jet){{q0, q1, divide(ws, rest, b.order[0])}};
}

/* The chain rule, of a function whose value and derivatives at a are g0, g1, g2.   g1 a';   g2 a'^2 + g1 a" */
static jet chain(workspace *ws, jet a, number g0, number g1, number g2)
{
    number bend = mul(ws, g2, square(ws, a.order[1]));
    return (jet){{g0, mul(ws, g1, a.order[1]), add(ws, bend, mul(ws, g1, a.order[2]))}};
}

/* ---- Elementary functions: g, g', g" of u, then the chain rule ------------------------------------------------------- */

static jet jet_exp(workspace *ws, jet a)
{
    number e = interval_rising(ws, mpfr_exp, a.order[0]);
    return chain(ws, a, e, e, e);
}

static jet jet_expm1(workspace *ws, jet a)
{
    number e = interval_rising(ws, mpfr_exp, a.order[0]);
    return chain(ws, a, interval_rising(ws, mpfr_expm1, a.order[0]), e, e);
}

static jet jet_log(workspace *ws, jet a)
{
    number r = reciprocal(ws, a.order[0]);
    return chain(ws, a, interval_rising(ws, mpfr_log, a.order[0]), r, interval_neg(ws, square(ws, r)));
}

static jet jet_log1p(workspace *ws, jet a)
{
    number r = reciprocal(ws, one_plus(ws, a.order[0]));
    return chain(ws, a, interval_rising(ws, mpfr_log1p, a.order[0]), r, interval_neg(ws, square(ws, r)));
}

/* 1 / (2 sqrt u);   -1 / (4 u sqrt u) */
static jet jet_sqrt(workspace *ws, jet a)
{
    number root = interval_rising(ws, mpfr_sqrt, a.order[0]);
    number slope = reciprocal(ws, times(ws, 2.0, root));
    return chain(ws, a, root, slope, times(ws, -0.5, divide(ws, slope, a.order[0])));
}

/* (e^u + e^-u) / 2 */
static number cosh_of(workspace *ws, number u)
{
    number sum = add(ws, interval_rising(ws, mpfr_exp, u), interval_rising(ws, mpfr_exp, interval_neg(ws, u)));
    return times(ws, 0.5, sum);
}

static jet jet_sinh(workspace *ws, jet a)
{
    number s = interval_rising(ws, mpfr_sinh, a.order[0]);
    return chain(ws, a, s, cosh_of(ws, a.order[0]), s);
}

static jet jet_cosh(workspace *ws, jet a)
{
    number c = cosh_of(ws, a.order[0]);
    return chain(ws, a, c, interval_rising(ws, mpfr_sinh, a.order[0]), c);
}

/* 1 / cosh^2 u;   -2 tanh u / cosh^2 u. (1 - tanh^2 u would lose all its digits in the tails.) */
static jet jet_tanh(workspace *ws, jet a)
{
    number t = interval_rising(ws, mpfr_tanh, a.order[0]);
    number slope = square(ws, reciprocal(ws, cosh_of(ws, a.order[0])));
    return chain(ws, a, t, slope, times(ws, -2.0, mul(ws, t, slope)));
}

/* scale e^(-u^2) 2 / sqrt(pi);   and its derivative, -2 u times that */
static jet bell(workspace *ws, jet a, number g0, double scale)
{
    number u = a.order[0], root_pi = interval_rising(ws, mpfr_sqrt, interval_pi(ws));
    number e = interval_rising(ws, mpfr_exp, interval_neg(ws, square(ws, u)));
    number slope = divide(ws, times(ws, 2.0 * scale, e), root_pi);
    return chain(ws, a, g0, slope, times(ws, -2.0, mul(ws, u, slope)));
}

static jet jet_erf(workspace *ws, jet a)
{
    return bell(ws, a, interval_rising(ws, mpfr_erf, a.order[0]), 1.0);
}

static jet jet_erfc(workspace *ws, jet a)
{
    return bell(ws, a, interval_falling(ws, mpfr_erfc, a.order[0]), -1.0);
}

static jet jet_sin(workspace *ws, jet a)
{
    number s = interval_wave(ws, mpfr_sin, a.order[0]);
    return chain(ws, a, s, interval_wave(ws, mpfr_cos, a.order[0]), interval_neg(ws, s));
}

static jet jet_cos(workspace *ws, jet a)
{
    number c = interval_wave(ws, mpfr_cos, a.order[0]);
    return chain(ws, a, c, interval_neg(ws, interval_wave(ws, mpfr_sin, a.order[0])), interval_neg(ws, c));
}

/* 1 / (1 + u^2);   -2 u / (1 + u^2)^2 */
static jet jet_atan(workspace *ws, jet a)
{
    number u = a.order[0], slope = reciprocal(ws, one_plus(ws, square(ws, u)));
    return chain(ws, a, interval_rising(ws, mpfr_atan, u), slope, times(ws, -2.0, mul(ws, u, square(ws, slope))));
}

/* 1 / sqrt(1 + u^2);   -u / (1 + u^2)^(3/2) */
static jet jet_asinh(workspace *ws, jet a)
{
    number u = a.order[0], below = one_plus(ws, square(ws, u));
    number slope = reciprocal(ws, interval_rising(ws, mpfr_sqrt, below));
    return chain(ws, a, interval_rising(ws, mpfr_asinh, u), slope, interval_neg(ws, divide(ws, mul(ws, u, slope), below)));
}

jet_function *jet_function_find(const char *name)
{
    static const struct {
        const char *name;
        jet_function *function;
    } known[] = {
        {"exp", jet_exp},   {"expm1", jet_expm1}, {"log", jet_log},   {"log1p", jet_log1p}, {"sqrt", jet_sqrt},
        {"sinh", jet_sinh}, {"cosh", jet_cosh},   {"tanh", jet_tanh}, {"erf", jet_erf},     {"erfc", jet_erfc},
        {"sin", jet_sin},   {"cos", jet_cos},     {"atan", jet_atan}, {"asinh", jet_asinh},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].function;
    return NULL;
}

/* ---- Powers and signs ------------------------------------------------------------------------------------------------ */

/* By repeated multiplication where b is a small whole number, so that a may be 0 or less; e^(b log a) elsewhere. */
jet jet_pow(workspace *ws, jet a, jet b)
{
    bool constant = interval_sign(b.order[1]) == ZERO && interval_sign(b.order[2]) == ZERO;
    if (!constant || !mpfr_equal_p(b.order[0]->lo, b.order[0]->hi) || !mpfr_integer_p(b.order[0]->lo) ||
        mpfr_cmp_si(b.order[0]->lo, 0) < 0 || mpfr_cmp_si(b.order[0]->lo, 64) > 0)
        return jet_exp(ws, jet_mul(ws, b, jet_log(ws, a)));
    jet power = jet_constant(ws, interval_constant(ws, 1.0)), factor = a;
    for (long exponent = mpfr_get_si(b.order[0]->lo, MPFR_RNDD); exponent > 0; exponent /= 2) {
        if (exponent % 2 == 1)
            power = jet_mul(ws, power, factor);
        factor = jet_mul(ws, factor, factor);
    }
    return power;
}

sign jet_sign_from_left(jet a)
{
    for (int order = 0; order < 3; order++) {
        sign here = interval_sign(a.order[order]);
        if (here != ZERO)
            return order == 1 && here != UNKNOWN ? (sign)-here : here;
    }
    return ZERO;
}
