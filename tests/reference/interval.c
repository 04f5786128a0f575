#include "reference/interval.h"

#include <stdlib.h>

/* ---- Workspace ------------------------------------------------------------------------------------------------------ */

static size_t interval_bytes(mpfr_prec_t precision)
{
    return sizeof(interval) + 2 * mpfr_custom_get_size(precision);
}

bool workspace_open(workspace *ws, mpfr_prec_t precision, int intervals)
{
    ws->precision = precision;
    ws->used = 0;
    ws->size = (size_t)intervals * interval_bytes(precision);
    ws->block = malloc(ws->size);
    return ws->block != NULL;
}

void workspace_close(workspace *ws)
{
    free(ws->block);
}

/* MPFR's custom interface: numbers whose digits lie in memory of ours, so that there is nothing to clear. */
static interval *interval_new(workspace *ws)
{
    if (ws->used + interval_bytes(ws->precision) > ws->size)
        abort(); /* the room that was asked for was not enough: a mistake in the caller */
    interval *a = (interval *)(void *)(ws->block + ws->used);
    char *digits = (char *)(a + 1);
    mpfr_custom_init(digits, ws->precision);
    mpfr_custom_init_set(a->lo, MPFR_NAN_KIND, 0, ws->precision, digits);
    digits += mpfr_custom_get_size(ws->precision);
    mpfr_custom_init(digits, ws->precision);
    mpfr_custom_init_set(a->hi, MPFR_NAN_KIND, 0, ws->precision, digits);
    ws->used += interval_bytes(ws->precision);
    return a;
}

/* ---- Arithmetic ------------------------------------------------------------------------------------------------------ */

const interval *interval_from(workspace *ws, mpfr_srcptr number)
{
    interval *a = interval_new(ws);
    mpfr_set(a->lo, number, MPFR_RNDD);
    mpfr_set(a->hi, number, MPFR_RNDU);
    return a;
}

const interval *interval_constant(workspace *ws, double number)
{
    interval *a = interval_new(ws);
    mpfr_set_d(a->lo, number, MPFR_RNDD);
    mpfr_set_d(a->hi, number, MPFR_RNDU);
    return a;
}

const interval *interval_pi(workspace *ws)
{
    interval *a = interval_new(ws);
    mpfr_const_pi(a->lo, MPFR_RNDD);
    mpfr_const_pi(a->hi, MPFR_RNDU);
    return a;
}

const interval *interval_neg(workspace *ws, const interval *a)
{
    interval *r = interval_new(ws);
    mpfr_neg(r->lo, a->hi, MPFR_RNDD);
    mpfr_neg(r->hi, a->lo, MPFR_RNDU);
    return r;
}

static bool is_exactly(const interval *a, long number)
{
    return !mpfr_nan_p(a->lo) && mpfr_cmp_si(a->lo, number) == 0 && mpfr_cmp_si(a->hi, number) == 0;
}

/* Derivatives of parameters and of x itself are exactly 0 or 1: adding 0 to, or multiplying by 1, what is never changed gives
 * it once more. */
const interval *interval_add(workspace *ws, const interval *a, const interval *b)
{
    if (is_exactly(a, 0) || is_exactly(b, 0))
        return is_exactly(a, 0) ? b : a;
    interval *r = interval_new(ws);
    mpfr_add(r->lo, a->lo, b->lo, MPFR_RNDD);
    mpfr_add(r->hi, a->hi, b->hi, MPFR_RNDU);
    return r;
}

const interval *interval_sub(workspace *ws, const interval *a, const interval *b)
{
    if (is_exactly(b, 0))
        return a;
    interval *r = interval_new(ws);
    mpfr_sub(r->lo, a->lo, b->hi, MPFR_RNDD);
    mpfr_sub(r->hi, a->hi, b->lo, MPFR_RNDU);
    return r;
}

/* An infinite bound stands for numbers without limit, each of them finite: 0 times any is 0. */
static void multiply(mpfr_ptr r, mpfr_srcptr a, mpfr_srcptr b, mpfr_rnd_t rounding)
{
    if ((mpfr_zero_p(a) && mpfr_inf_p(b)) || (mpfr_inf_p(a) && mpfr_zero_p(b)))
        mpfr_set_zero(r, 1);
    else
        mpfr_mul(r, a, b, rounding);
}

/* The bounds of a b are among the four products of their bounds: where neither changes its sign, those farthest from 0 and
 * nearest to it. */
const interval *interval_mul(workspace *ws, const interval *a, const interval *b)
{
    if (mpfr_nan_p(a->lo) || mpfr_nan_p(b->lo))
        return interval_new(ws);
    if (is_exactly(a, 1) || is_exactly(b, 1))
        return is_exactly(a, 1) ? b : a;
    interval *r = interval_new(ws);
    const int sign_a = interval_sign(a), sign_b = interval_sign(b);
    if (sign_a == ZERO || sign_b == ZERO) {
        mpfr_set_zero(r->lo, 1);
        mpfr_set_zero(r->hi, 1);
        return r;
    }
    if (sign_a != UNKNOWN && sign_b != UNKNOWN) {
        multiply(r->lo, sign_b > 0 ? a->lo : a->hi, sign_a > 0 ? b->lo : b->hi, MPFR_RNDD);
        multiply(r->hi, sign_b > 0 ? a->hi : a->lo, sign_a > 0 ? b->hi : b->lo, MPFR_RNDU);
        return r;
    }
    interval *next = interval_new(ws);
    const mpfr_srcptr ends[2][2] = {{a->lo, a->hi}, {b->lo, b->hi}};
    for (int i = 0; i < 4; i++) {
        interval *product = i == 0 ? r : next;
        multiply(product->lo, ends[0][i & 1], ends[1][i >> 1], MPFR_RNDD);
        multiply(product->hi, ends[0][i & 1], ends[1][i >> 1], MPFR_RNDU);
        mpfr_min(r->lo, r->lo, product->lo, MPFR_RNDD);
        mpfr_max(r->hi, r->hi, product->hi, MPFR_RNDU);
    }
    return r;
}

const interval *interval_div(workspace *ws, const interval *a, const interval *b)
{
    interval *reciprocal = interval_new(ws);
    if (interval_sign(b) == POSITIVE || interval_sign(b) == NEGATIVE) {
        mpfr_ui_div(reciprocal->lo, 1, b->hi, MPFR_RNDD);
        mpfr_ui_div(reciprocal->hi, 1, b->lo, MPFR_RNDU);
    } else {
        mpfr_set_inf(reciprocal->lo, -1);
        mpfr_set_inf(reciprocal->hi, 1);
    }
    return interval_mul(ws, a, reciprocal);
}

/* The function is rounded correctly: what is inexact when rounded down lies below the next number up. */
static const interval *at_one_number(interval *r, monotone_function *f, mpfr_srcptr x)
{
    int inexact = f(r->lo, x, MPFR_RNDD);
    mpfr_set(r->hi, r->lo, MPFR_RNDN);
    if (inexact != 0)
        mpfr_nextabove(r->hi);
    return r;
}

const interval *interval_rising(workspace *ws, monotone_function *f, const interval *a)
{
    interval *r = interval_new(ws);
    if (mpfr_equal_p(a->lo, a->hi))
        return at_one_number(r, f, a->lo);
    f(r->lo, a->lo, MPFR_RNDD);
    f(r->hi, a->hi, MPFR_RNDU);
    return r;
}

const interval *interval_falling(workspace *ws, monotone_function *f, const interval *a)
{
    interval *r = interval_new(ws);
    if (mpfr_equal_p(a->lo, a->hi))
        return at_one_number(r, f, a->lo);
    f(r->lo, a->hi, MPFR_RNDD);
    f(r->hi, a->lo, MPFR_RNDU);
    return r;
}

/* f moves by no more than its argument does. Past 2^1400, which is past every double, it may be anything. */
const interval *interval_wave(workspace *ws, monotone_function *f, const interval *a)
{
    interval *r = interval_new(ws);
    mpfr_sub(r->hi, a->hi, a->lo, MPFR_RNDU); /* the width */
    if (!(mpfr_cmp_d(r->hi, 1.0) < 0) || (mpfr_regular_p(a->lo) && mpfr_get_exp(a->lo) > 1400)) {
        mpfr_set_si(r->lo, -1, MPFR_RNDD);
        mpfr_set_si(r->hi, 1, MPFR_RNDU);
        return r;
    }
    mpfr_t edge;
    mpfr_init2(edge, ws->precision);
    int inexact = f(edge, a->lo, MPFR_RNDD);
    mpfr_sub(r->lo, edge, r->hi, MPFR_RNDD);
    if (inexact != 0)
        mpfr_nextabove(edge);
    mpfr_add(r->hi, edge, r->hi, MPFR_RNDU);
    mpfr_clear(edge);
    return r;
}

sign interval_sign(const interval *a)
{
    if (mpfr_nan_p(a->lo) || mpfr_nan_p(a->hi))
        return UNKNOWN;
    if (mpfr_sgn(a->lo) > 0)
        return POSITIVE;
    if (mpfr_sgn(a->hi) < 0)
        return NEGATIVE;
    return mpfr_zero_p(a->lo) && mpfr_zero_p(a->hi) ? ZERO : UNKNOWN;
}
