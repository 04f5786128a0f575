#include "reference/formula.h"

#include "reference/jet.h"
#include "reference/syntax.h"

#include <math.h>

/* ---- Evaluation at a given number of bits ---------------------------------------------------------------------------- */

/* Numbers past 2^(2^26) come from exponentials alone. The quotient of two of them may be any size (those of the derivative of
 * 1 / (1 + exp(-x)) at x = -1e300 have more digits than there are atoms), so such an x is treated apart: see evaluate_far. */
enum { FAR_EXPONENT = 1 << 26 };

typedef struct evaluation {
    workspace ws;
    const formula *f;
    const double *params;
    formula_direction along;
    jet x;
    bool far; /* a number past 2^FAR_EXPONENT was met */
} evaluation;

static jet unknown(evaluation *e)
{
    return jet_constant(&e->ws, interval_constant(&e->ws, NAN));
}

static jet truth(evaluation *e, bool value)
{
    return jet_constant(&e->ws, interval_constant(&e->ws, value ? 1.0 : 0.0));
}

static bool is_far(mpfr_srcptr bound)
{
    return mpfr_inf_p(bound) || (mpfr_regular_p(bound) && mpfr_get_exp(bound) > FAR_EXPONENT);
}

static jet evaluate(evaluation *e, int index);

/* Comparisons and what is made of them: with bounds too wide to tell, the answer is unknown. */
static jet evaluate_comparison(evaluation *e, const node *n)
{
    sign difference = interval_sign(jet_sub(&e->ws, evaluate(e, n->operand[0]), evaluate(e, n->operand[1])).order[0]);
    if (difference == UNKNOWN)
        return unknown(e);
    switch (n->kind) {
    case LESS: return truth(e, difference == NEGATIVE);
    case LESS_EQUAL: return truth(e, difference != POSITIVE);
    default: return truth(e, difference == ZERO);
    }
}

static jet evaluate_logic(evaluation *e, const node *n)
{
    sign condition = interval_sign(evaluate(e, n->operand[0]).order[0]);
    if (condition == UNKNOWN)
        return unknown(e);
    bool holds = condition != ZERO;
    if (n->kind == SELECT)
        return evaluate(e, n->operand[holds ? 1 : 2]);
    if (n->kind == NOT)
        return truth(e, !holds);
    if (holds == (n->kind == OR))
        return truth(e, holds);
    sign second = interval_sign(evaluate(e, n->operand[1]).order[0]);
    return second == UNKNOWN ? unknown(e) : truth(e, second != ZERO);
}

static jet evaluate_extremum(evaluation *e, const node *n)
{
    jet a = evaluate(e, n->operand[0]);
    jet b = n->kind == ABS ? jet_neg(&e->ws, a) : evaluate(e, n->operand[1]);
    sign difference = jet_sign_from_left(jet_sub(&e->ws, a, b));
    if (difference == UNKNOWN)
        return unknown(e);
    return (difference == POSITIVE) == (n->kind == MIN) ? b : a;
}

static jet evaluate_arithmetic(evaluation *e, const node *n)
{
    workspace *ws = &e->ws;
    jet a = evaluate(e, n->operand[0]);
    if (n->kind == NEG)
        return jet_neg(ws, a);
    if (n->kind == CALL)
        return n->function(ws, a);
    jet b = evaluate(e, n->operand[1]);
    switch (n->kind) {
    case ADD: return jet_add(ws, a, b);
    case SUB: return jet_sub(ws, a, b);
    case MUL: return jet_mul(ws, a, b);
    case DIV: return jet_div(ws, a, b);
    default: return jet_pow(ws, a, b);
    }
}

static jet evaluate_node(evaluation *e, const node *n)
{
    workspace *ws = &e->ws;
    switch (n->kind) {
    case NUMBER: return jet_constant(ws, interval_constant(ws, n->number));
    case PI: return jet_constant(ws, interval_pi(ws));
    case PARAMETER:
        return n->parameter == e->along.parameter ? jet_variable(ws, interval_constant(ws, e->params[n->parameter]))
                                                  : jet_constant(ws, interval_constant(ws, e->params[n->parameter]));
    case X: return e->x;
    case LESS:
    case LESS_EQUAL:
    case EQUAL: return evaluate_comparison(e, n);
    case NOT:
    case AND:
    case OR:
    case SELECT: return evaluate_logic(e, n);
    case ABS:
    case MIN:
    case MAX: return evaluate_extremum(e, n);
    default: return evaluate_arithmetic(e, n);
    }
}

static jet evaluate(evaluation *e, int index)
{
    jet result = evaluate_node(e, &e->f->node[index]);
    e->far = e->far || is_far(result.order[0]->lo) || is_far(result.order[0]->hi);
    return result;
}

static jet evaluate_at(evaluation *e, mpfr_srcptr x)
{
    e->far = false;
    e->ws.used = 0;
    const interval *at = interval_from(&e->ws, x);
    e->x = e->along.x ? jet_variable(&e->ws, at) : jet_constant(&e->ws, at);
    return evaluate(e, e->f->root);
}

/* Where an exponential has grown past all bounds, what is left of f is its asymptote: here, a parabola. So it is followed from
 * the farthest power of two where the exponential (2^(2^25) there) can still be computed:
 *     f(x) = f(near) + f'(near) d + f"(near) d^2 / 2,  d = x - near.   What is neglected is far below 2^-1160. */
static jet evaluate_far(evaluation *e, mpfr_srcptr x)
{
    mpfr_t near;
    mpfr_init2(near, 64);
    mpfr_set_si_2exp(near, mpfr_sgn(x), mpfr_get_exp(x) < 25 ? mpfr_get_exp(x) : 25, MPFR_RNDN);
    jet at;
    do {
        mpfr_div_2ui(near, near, 1, MPFR_RNDN);
        at = evaluate_at(e, near);
    } while (e->far && mpfr_get_exp(near) > -1074);
    workspace *ws = &e->ws;
    const interval *d = interval_sub(ws, interval_from(ws, x), interval_from(ws, near));
    mpfr_clear(near);
    const interval *turn = interval_mul(ws, at.order[2], d);
    const interval *mean_slope = interval_add(ws, at.order[1], interval_mul(ws, interval_constant(ws, 0.5), turn));
    return (jet){{
        interval_add(ws, at.order[0], interval_mul(ws, mean_slope, d)),
        interval_add(ws, at.order[1], turn),
        at.order[2],
    }};
}

/* ---- As many bits as it takes ---------------------------------------------------------------------------------------- */

enum { FIRST_PRECISION = 128, LAST_PRECISION = 8192, SETTLED_BITS = 80, TINY = -1160, HUGE_EXPONENT = 1100 };

/* The bound that is nearer to 0: the number itself, where they are as good as equal. */
static mpfr_srcptr inner_bound(const interval *a)
{
    return mpfr_cmpabs(a->lo, a->hi) < 0 ? a->lo : a->hi;
}

static bool is_settled(const interval *a)
{
    if (mpfr_nan_p(a->lo) || mpfr_nan_p(a->hi))
        return false;
    if (mpfr_cmp_si_2exp(a->lo, 1, HUGE_EXPONENT) > 0 || mpfr_cmp_si_2exp(a->hi, -1, HUGE_EXPONENT) < 0)
        return mpfr_number_p(inner_bound(a));
    if (mpfr_inf_p(a->lo) || mpfr_inf_p(a->hi))
        return false;
    mpfr_t width, allowed;
    mpfr_inits2(64, width, allowed, (mpfr_ptr)NULL);
    mpfr_sub(width, a->hi, a->lo, MPFR_RNDU);
    mpfr_abs(allowed, inner_bound(a), MPFR_RNDD);
    mpfr_div_2ui(allowed, allowed, SETTLED_BITS, MPFR_RNDD);
    bool settled = mpfr_lessequal_p(width, allowed) || mpfr_cmp_si_2exp(width, 1, TINY) <= 0;
    mpfr_clears(width, allowed, (mpfr_ptr)NULL);
    return settled;
}

static int room_for(const formula *f)
{
    int intervals = 2 * JET_INTERVALS; /* for x and evaluate_far */
    for (int i = 0; i < f->count; i++)
        intervals += f->node[i].kind == POW ? JET_POW_INTERVALS : JET_INTERVALS;
    return intervals;
}

static void evaluate_settled(const formula *f, const double *params, formula_direction along, mpfr_srcptr x, mpfr_t result[3])
{
    bool settled[3] = {false, false, false};
    for (int order = 0; order < 3; order++)
        mpfr_set_nan(result[order]);
    for (mpfr_prec_t precision = FIRST_PRECISION; precision <= LAST_PRECISION; precision *= 2) {
        evaluation e = {.f = f, .params = params, .along = along};
        if (!workspace_open(&e.ws, precision, room_for(f)))
            return;
        jet y = evaluate_at(&e, x);
        if (e.far)
            y = along.parameter < 0 ? evaluate_far(&e, x) : unknown(&e);
        for (int order = 0; order < 3; order++) {
            if (!settled[order] && is_settled(y.order[order])) {
                settled[order] = true;
                mpfr_set(result[order], inner_bound(y.order[order]), MPFR_RNDN);
            }
        }
        workspace_close(&e.ws);
        if (settled[0] && settled[1] && settled[2])
            return;
    }
}

static const formula_direction along_x = {.x = true, .parameter = -1};

void formula_evaluate_along(const formula *f, const double *params, formula_direction along, double x, mpfr_t result[3])
{
    mpfr_t exact;
    mpfr_init2(exact, 53);
    mpfr_set_d(exact, x, MPFR_RNDN);
    evaluate_settled(f, params, along, exact, result);
    mpfr_clear(exact);
}

void formula_evaluate(const formula *f, const double *params, double x, mpfr_t result[3])
{
    formula_evaluate_along(f, params, along_x, x, result);
}

enum { NEAR_INFINITY = 1500 };

/* Of values at 2^1500 and at 2^3000: equal, they are the limit; growing, it is infinite; too small to see, it is 0. */
static double limit_of(mpfr_srcptr near, mpfr_srcptr far)
{
    if (mpfr_nan_p(near) || mpfr_nan_p(far))
        return NAN;
    if (mpfr_cmp_si_2exp(far, 1, TINY) < 0 && mpfr_cmp_si_2exp(far, -1, TINY) > 0)
        return 0.0;
    mpfr_t change;
    mpfr_init2(change, 64);
    mpfr_reldiff(change, near, far, MPFR_RNDN); /* |near - far| / near */
    mpfr_abs(change, change, MPFR_RNDN);
    bool grows = mpfr_cmp_d(change, 0.5) > 0 && mpfr_cmpabs(far, near) > 0;
    bool equal = mpfr_cmp_si_2exp(change, 1, -60) < 0;
    mpfr_clear(change);
    if (equal)
        return mpfr_get_d(far, MPFR_RNDN);
    return grows ? copysign(INFINITY, mpfr_sgn(far)) : NAN;
}

void formula_limit(const formula *f, const double *params, int direction, double limit[3])
{
    mpfr_t x, near[3], far[3];
    mpfr_init2(x, 64);
    for (int order = 0; order < 3; order++)
        mpfr_inits2(128, near[order], far[order], (mpfr_ptr)NULL);
    mpfr_set_si_2exp(x, direction > 0 ? 1 : -1, NEAR_INFINITY, MPFR_RNDN);
    evaluate_settled(f, params, along_x, x, near);
    mpfr_set_si_2exp(x, direction > 0 ? 1 : -1, 2 * NEAR_INFINITY, MPFR_RNDN);
    evaluate_settled(f, params, along_x, x, far);
    for (int order = 0; order < 3; order++) {
        limit[order] = limit_of(near[order], far[order]);
        mpfr_clears(near[order], far[order], (mpfr_ptr)NULL);
    }
    mpfr_clear(x);
}
