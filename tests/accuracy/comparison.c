#include "accuracy/comparison.h"

#include "accuracy/numbers.h"

#include <stdio.h>

enum { BLOCK = 512 }; /* points that one thread takes at a time */

typedef struct comparison {
    const activation_row *row;
    const points *p;
    const formula *f;
    const ulp_format *format;
    int quantities;
    double limit[2][ORDERS]; /* at minus infinity, at infinity */
} comparison;

/* What one thread works with. Elements are of the points' dtype. */
typedef struct block {
    mpfr_t exact[QUANTITIES];
    double x[BLOCK], g[BLOCK], y[RL_ISA_COUNT][QUANTITIES][BLOCK];
    error worst[RL_ISA_COUNT][QUANTITIES];
} block;

static void note(error *worst, double ulp, double x, double got, mpfr_srcptr exact)
{
    worst->samples++;
    if (ulp <= worst->ulp)
        return;
    worst->ulp = isnan(ulp) ? INFINITY : ulp;
    worst->x = x;
    worst->got = got;
    mpfr_snprintf(worst->exact, sizeof worst->exact, "%.25Rg", exact);
}

static void merge(error *into, const error *from)
{
    size_t samples = into->samples + from->samples;
    if (from->ulp > into->ulp || (from->ulp == into->ulp && from->x < into->x) || into->samples == 0)
        *into = *from;
    into->samples = samples;
}

/* One quantity at one point, by all instruction sets. Most agree with the one before, and so do their errors. */
static void compare_quantity(const comparison *c, block *b, size_t i, int k)
{
    const rille_dtype dtype = c->p->dtype;
    double x = element(dtype, b->x, i), g = element(dtype, b->g, i), ulp = NAN, before = NAN;
    for (int isa = 0, first = 1; isa < RL_ISA_COUNT; isa++) {
        if (rl_isa_name(isa) == NULL)
            continue;
        double got = element(dtype, b->y[isa][k], i);
        if (k >= PRODUCTS && dtype == RILLE_FLOAT64) { /* f^(order)(x) is rounded before it is multiplied */
            double product = g * element(dtype, b->y[isa][k - PRODUCTS + 1], i);
            mpfr_set_d(b->exact[k], product, MPFR_RNDN);
            ulp = ulp_error_double(c->format, got, product);
        } else if (first || got != before) {
            ulp = ulp_error(c->format, got, b->exact[k]);
        }
        note(&b->worst[isa][k], ulp, x, got, b->exact[k]);
        before = got;
        first = 0;
    }
}

/* NaN gives NaN in all quantities. At infinities f^(order) is its limit, where it has one. */
static void compare_special(const comparison *c, block *b, size_t i)
{
    double x = element(c->p->dtype, b->x, i);
    for (int k = 0; k < (isnan(x) ? c->quantities : ORDERS); k++) {
        double expected = isnan(x) ? NAN : c->limit[x > 0][k];
        mpfr_set_d(b->exact[k], expected, MPFR_RNDN);
        for (int isa = 0; isa < RL_ISA_COUNT; isa++) {
            double got = element(c->p->dtype, b->y[isa][k], i);
            if (rl_isa_name(isa) != NULL && (isnan(x) || !isnan(expected)))
                note(&b->worst[isa][k], ulp_error_double(c->format, got, expected), x, got, b->exact[k]);
        }
    }
}

static void compare_finite(const comparison *c, block *b, size_t i)
{
    formula_evaluate(c->f, c->row->params, element(c->p->dtype, b->x, i), b->exact);
    for (int k = PRODUCTS; k < c->quantities; k++)
        mpfr_mul_d(b->exact[k], b->exact[k - PRODUCTS + 1], element(c->p->dtype, b->g, i), MPFR_RNDN);
    for (int k = 0; k < c->quantities; k++)
        compare_quantity(c, b, i, k);
}

static void compare_block(const comparison *c, block *b, size_t begin, size_t count)
{
    const rille_dtype dtype = c->p->dtype;
    uint64_t state = begin;
    for (size_t i = 0; i < count; i++) {
        set_element(dtype, b->x, i, c->p->x[begin + i]);
        set_element(dtype, b->g, i, ldexp(random_uniform(&state, -1.0, 1.0), (int)(random_bits(&state) % 80) - 40));
    }
    for (int isa = 0; isa < RL_ISA_COUNT; isa++)
        for (int k = 0; rl_isa_name(isa) != NULL && k < c->quantities; k++)
            compute_with(isa, c->row, k, dtype, count, b->g, b->x, b->y[isa][k]);
    for (size_t i = 0; i < count; i++) {
        if (isfinite(c->p->x[begin + i]))
            compare_finite(c, b, i);
        else
            compare_special(c, b, i);
    }
}

static block *open_block(void)
{
    block *b = take(1, sizeof *b);
    for (int k = 0; k < QUANTITIES; k++)
        mpfr_init2(b->exact[k], 160);
    for (int isa = 0; isa < RL_ISA_COUNT; isa++)
        for (int k = 0; k < QUANTITIES; k++)
            b->worst[isa][k].ulp = -1.0;
    return b;
}

static void close_block(block *b)
{
    for (int k = 0; k < QUANTITIES; k++)
        mpfr_clear(b->exact[k]);
    mpfr_free_cache2(MPFR_FREE_LOCAL_CACHE);
    free(b);
}

void compare_with_formula(const activation_row *row, const points *p, int quantities, error worst[RL_ISA_COUNT][QUANTITIES])
{
    formula *f = activation_formula(row->info);
    comparison c = {.row = row, .p = p, .f = f, .quantities = quantities};
    c.format = p->dtype == RILLE_FLOAT32 ? &ulp_float32 : &ulp_float64;
    formula_limit(f, row->params, -1, c.limit[0]);
    formula_limit(f, row->params, 1, c.limit[1]);
    memset(worst, 0, RL_ISA_COUNT * sizeof *worst);
#pragma omp parallel
    {
        block *b = open_block();
#pragma omp for schedule(dynamic)
        for (size_t begin = 0; begin < p->count; begin += BLOCK)
            compare_block(&c, b, begin, p->count - begin < BLOCK ? p->count - begin : BLOCK);
#pragma omp critical
        for (int isa = 0; isa < RL_ISA_COUNT; isa++)
            for (int k = 0; k < quantities; k++)
                if (b->worst[isa][k].samples > 0)
                    merge(&worst[isa][k], &b->worst[isa][k]);
        close_block(b);
    }
    formula_free(f);
}
