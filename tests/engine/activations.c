/* How exact the activations are. Every row of activations.def, at every order, in both dtypes, against its formula evaluated
 * in MPFR and differentiated there (reference/formula.h): nothing here knows a row by name but the table of special values. */
#include "engine/activation_rows.h"

#include <float.h>

/* Errors must be less than this, in ULP. */
static const double FLOAT32_BOUND = 1.0, FLOAT64_BOUND = 2.0;

/* ---- Points ---------------------------------------------------------------------------------------------------------- */

typedef struct points {
    double *x;
    size_t count, room;
} points;

static void add_point(points *p, rille_dtype dtype, double x)
{
    if (p->count == p->room) {
        p->room = 2 * p->room + 1024;
        p->x = realloc(p->x, p->room * sizeof *p->x);
        cr_assert_not_null(p->x);
    }
    p->x[p->count++] = dtype == RILLE_FLOAT32 ? (double)(float)x : x;
}

enum { NEIGHBOURS = 64 };

/* x and the numbers next to it, 64 on either side. */
static void add_neighbourhood(points *p, rille_dtype dtype, double x)
{
    int64_t centre = rank_of(dtype, x), last = last_rank(dtype);
    for (int64_t rank = centre - NEIGHBOURS; rank <= centre + NEIGHBOURS; rank++)
        if (rank >= -last && rank <= last)
            add_point(p, dtype, number_at(dtype, rank));
}

/* What kind of number y is: its sign, and 0, subnormal, normal, infinite, NaN, or the same as `limit`. */
static int kind_of(rille_dtype dtype, double y, double limit)
{
    int kind = dtype == RILLE_FLOAT32 ? fpclassify((float)y) : fpclassify(y);
    return 4 * kind + 2 * (y == limit) + (signbit(y) != 0);
}

static double value_at(rille_context *cx, const activation_row *row, rille_dtype dtype, int order, double x)
{
    double input, output;
    set_element(dtype, &input, 0, x);
    cr_assert_eq(rille_map(cx, row->act, row->params, order, dtype, 1, &input, &output), RILLE_OK);
    return element(dtype, &output, 0);
}

/* The neighbourhoods of where the derivative of this order, as the engine has it, turns from one kind of number to another:
 * changes its sign, underflows, overflows, saturates. Found by bisection between numbers evenly spread over all of them. */
static void add_edges(points *p, rille_context *cx, const activation_row *row, rille_dtype dtype, int order)
{
    enum { STEPS = 4096, MOST_EDGES = 48 };
    int edges = 0;
    for (int side = -1; side <= 1; side += 2) {
        double limit = value_at(cx, row, dtype, order, copysign(INFINITY, side));
        int64_t step = last_rank(dtype) / STEPS;
        int before = kind_of(dtype, value_at(cx, row, dtype, order, 0.0), limit);
        for (int64_t i = 1; i <= STEPS && edges < MOST_EDGES; i++) {
            int64_t near = (i - 1) * step, far = i * step;
            int after = kind_of(dtype, value_at(cx, row, dtype, order, number_at(dtype, side * far)), limit);
            if (after == before)
                continue;
            while (far - near > 1) {
                int64_t middle = near + (far - near) / 2;
                int kind = kind_of(dtype, value_at(cx, row, dtype, order, number_at(dtype, side * middle)), limit);
                *(kind == before ? &near : &far) = middle;
            }
            add_neighbourhood(p, dtype, number_at(dtype, side * far));
            before = after;
            edges++;
        }
    }
}

/* Everywhere that something may change. */
static void add_special(points *p, rille_context *cx, const activation_row *row, rille_dtype dtype)
{
    const double special[] = {0.0,     1.0,      -1.0,    0.5,      -0.5,    FLT_MIN, -FLT_MIN,
                              FLT_MAX, -FLT_MAX, DBL_MIN, -DBL_MIN, DBL_MAX, -DBL_MAX};
    const double isolated[] = {-0.0, INFINITY, -INFINITY, NAN, -NAN};
    rille_activation_properties properties;
    cr_assert_eq(rille_activation_evaluate(cx, row->act, row->params, &properties), RILLE_OK);
    for (size_t i = 0; i < sizeof isolated / sizeof *isolated; i++)
        add_point(p, dtype, isolated[i]);
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        add_neighbourhood(p, dtype, dtype == RILLE_FLOAT32 ? fmax(fmin(special[i], FLT_MAX), -FLT_MAX) : special[i]);
    for (int i = 0; i < properties.kink_count; i++)
        add_neighbourhood(p, dtype, properties.kink[i]);
    for (int i = 0; i < row->info->parameter_count; i++)
        add_neighbourhood(p, dtype, row->params[i]);
    for (int order = 0; order < 3; order++)
        add_edges(p, cx, row, dtype, order);
}

/* Every stride-th of all 2^32 floats. A prime reaches every pattern of the low bits. */
static void add_strided(points *p, uint32_t stride)
{
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += stride) {
        uint32_t narrow = (uint32_t)bits;
        float f;
        memcpy(&f, &narrow, sizeof f);
        add_point(p, RILLE_FLOAT32, (double)f);
    }
}

/* Doubles of all sizes, and more of them where functions bend. */
static void add_random(points *p, size_t count)
{
    uint64_t state = 1;
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = random_bits(&state);
        double any, sign = bits & 1 ? 1.0 : -1.0;
        memcpy(&any, &bits, sizeof any);
        add_point(p, RILLE_FLOAT64, any);
        add_point(p, RILLE_FLOAT64, random_uniform(&state, -10.0, 10.0));
        add_point(p, RILLE_FLOAT64, random_uniform(&state, -750.0, 750.0));
        if (i % 4 == 0) {
            add_point(p, RILLE_FLOAT64, sign * pow(10.0, random_uniform(&state, -20.0, 0.0)));
            add_point(p, RILLE_FLOAT64, sign * number_at(RILLE_FLOAT64, (int64_t)(bits >> 12) >> bits % 52));
        }
    }
}

/* ---- Comparison with the formula -------------------------------------------------------------------------------------- */

typedef struct error {
    double ulp, x, got;
    char exact[48];
    size_t samples;
} error;

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

typedef struct comparison {
    const activation_row *row;
    const formula *f;
    rille_dtype dtype;
    const ulp_format *format;
    size_t count;
    void *x, *g, *y[QUANTITIES]; /* as the engine sees them */
} comparison;

/* NaN gives NaN in all five. At infinities f^(order) is its limit, where it has one. */
static void compare_special(const comparison *c, size_t i, error worst[QUANTITIES])
{
    double x = element(c->dtype, c->x, i), limit[3] = {NAN, NAN, NAN};
    mpfr_t exact;
    mpfr_init2(exact, 53);
    if (!isnan(x))
        formula_limit(c->f, c->row->params, x > 0 ? 1 : -1, limit);
    for (int k = 0; k < (isnan(x) ? QUANTITIES : 3); k++) {
        if (!isnan(x) && isnan(limit[k]))
            continue;
        mpfr_set_d(exact, isnan(x) ? NAN : limit[k], MPFR_RNDN);
        double got = element(c->dtype, c->y[k], i);
        note(&worst[k], ulp_error_double(c->format, got, isnan(x) ? NAN : limit[k]), x, got, exact);
    }
    mpfr_clear(exact);
}

/* A float32 product is rounded once; in float64, f^(order)(x) is rounded before. */
static void compare_finite(const comparison *c, size_t i, mpfr_t exact[3], error worst[QUANTITIES])
{
    double x = element(c->dtype, c->x, i), g = element(c->dtype, c->g, i);
    formula_evaluate(c->f, c->row->params, x, exact);
    for (int k = 0; k < QUANTITIES; k++) {
        int order = k < PRODUCTS ? k : k - PRODUCTS + 1;
        double got = element(c->dtype, c->y[k], i), product = g * element(c->dtype, c->y[order], i);
        if (k >= PRODUCTS && c->dtype == RILLE_FLOAT64)
            mpfr_set_d(exact[order], product, MPFR_RNDN);
        else if (k >= PRODUCTS)
            mpfr_mul_d(exact[order], exact[order], g, MPFR_RNDN);
        bool infinite = mpfr_inf_p(exact[order]);
        double ulp = infinite ? ulp_error_double(c->format, got, product) : ulp_error(c->format, got, exact[order]);
        note(&worst[k], ulp, x, got, exact[order]);
    }
}

static void compare(const comparison *c, error worst[QUANTITIES])
{
#pragma omp parallel
    {
        error mine[QUANTITIES] = {{.ulp = -1.0}, {.ulp = -1.0}, {.ulp = -1.0}, {.ulp = -1.0}, {.ulp = -1.0}};
        mpfr_t exact[3];
        for (int order = 0; order < 3; order++)
            mpfr_init2(exact[order], 160);
#pragma omp for schedule(dynamic, 64)
        for (size_t i = 0; i < c->count; i++) {
            if (isfinite(element(c->dtype, c->x, i)))
                compare_finite(c, i, exact, mine);
            else
                compare_special(c, i, mine);
        }
#pragma omp critical
        for (int k = 0; k < QUANTITIES; k++)
            merge(&worst[k], &mine[k]);
        for (int order = 0; order < 3; order++)
            mpfr_clear(exact[order]);
        mpfr_free_cache2(MPFR_FREE_LOCAL_CACHE);
    }
}

static void report(const comparison *c, const error *e, int quantity, size_t samples)
{
    double bound = c->dtype == RILLE_FLOAT32 || quantity >= PRODUCTS ? FLOAT32_BOUND : FLOAT64_BOUND;
    cr_log_info("%s: %s of %s in %s: %.3f ULP at %a, %zu points", rille_isa(), quantity_name[quantity], c->row->label,
                c->format->name, e->ulp, e->x, e->samples);
    cr_expect(e->samples >= samples, "%s of %s in %s: only %zu points compared", quantity_name[quantity], c->row->label,
              c->format->name, e->samples);
    cr_expect(e->ulp < bound, "%s of %s in %s, %s: error %g ULP at x = %a: %.17g, exactly %s", quantity_name[quantity],
              c->row->label, c->format->name, rille_isa(), e->ulp, e->x, e->got, e->exact);
}

/* f, f', f" and both products at the given points. At least so many of them must have been compared. */
static void check_points(rille_context *cx, const activation_row *row, rille_dtype dtype, const points *p, size_t samples)
{
    formula *f = activation_formula(row->info);
    comparison c = {
        .row = row, .f = f, .dtype = dtype, .format = dtype == RILLE_FLOAT32 ? &ulp_float32 : &ulp_float64, .count = p->count};
    size_t size = rille_dtype_size(dtype);
    uint64_t state = 2;
    c.x = take(p->count, size);
    c.g = take(p->count, size);
    for (size_t i = 0; i < p->count; i++) {
        set_element(dtype, c.x, i, p->x[i]);
        set_element(dtype, c.g, i, ldexp(random_uniform(&state, -1.0, 1.0), (int)(random_bits(&state) % 80) - 40));
    }
    for (int k = 0; k < QUANTITIES; k++) {
        c.y[k] = take(p->count, size);
        compute(cx, row, k, dtype, p->count, c.g, c.x, c.y[k]);
    }
    error worst[QUANTITIES] = {{.samples = 0}};
    compare(&c, worst);
    for (int k = 0; k < QUANTITIES; k++) {
        report(&c, &worst[k], k, samples);
        free(c.y[k]);
    }
    free(c.x);
    free(c.g);
    formula_free(f);
}

/* ---- Tests ------------------------------------------------------------------------------------------------------------ */

static void check_against_mpfr(rille_context *cx, const activation_row *row, rille_dtype dtype)
{
    points p = {NULL, 0, 0};
    if (dtype == RILLE_FLOAT32)
        add_strided(&p, row->defaults ? 21487 : 429497); /* 200,000 floats, or 10,000 */
    else
        add_random(&p, row->defaults ? 20000 : 1000);
    size_t samples = p.count;
    add_special(&p, cx, row, dtype);
    check_points(cx, row, dtype, &p, samples);
    free(p.x);
}

Test(accuracy, against_mpfr)
{
    for_each_row(check_against_mpfr);
}

/* Many more floats, against the float64 kernel, which the test above has bounded: its 2 ULP are 2^-28 of a float's. */
enum { DENSE_STRIDE = 1021, BLOCK = 1 << 16 };

static void check_block(rille_context *cx, const activation_row *row, uint64_t first, size_t count, error worst[3])
{
    static float x[BLOCK], y[3][BLOCK];
    static double wide_x[BLOCK], exact[3][BLOCK];
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)(first + i * DENSE_STRIDE);
        memcpy(&x[i], &bits, sizeof x[i]);
        wide_x[i] = (double)x[i];
    }
    for (int order = 0; order < 3; order++) {
        cr_assert_eq(rille_map(cx, row->act, row->params, order, RILLE_FLOAT32, count, x, y[order]), RILLE_OK);
        cr_assert_eq(rille_map(cx, row->act, row->params, order, RILLE_FLOAT64, count, wide_x, exact[order]), RILLE_OK);
    }
#pragma omp parallel for
    for (int order = 0; order < 3; order++) {
        for (size_t i = 0; i < count; i++) {
            double ulp = ulp_error_double(&ulp_float32, (double)y[order][i], exact[order][i]);
            if (!(ulp <= worst[order].ulp)) {
                worst[order] = (error){.ulp = ulp, .x = wide_x[i], .got = (double)y[order][i], .samples = worst[order].samples};
                snprintf(worst[order].exact, sizeof worst[order].exact, "%.17g", exact[order][i]);
            }
        }
        worst[order].samples += count;
    }
}

static void check_against_float64(rille_context *cx, const activation_row *row, rille_dtype dtype)
{
    error worst[3] = {{.ulp = 0.0}};
    comparison c = {.row = row, .dtype = RILLE_FLOAT32, .format = &ulp_float32};
    const uint64_t step = (uint64_t)BLOCK * DENSE_STRIDE;
    if (dtype != RILLE_FLOAT32 || !row->defaults)
        return;
    for (uint64_t first = 0; first <= UINT32_MAX; first += step) {
        uint64_t left = (UINT32_MAX - first) / DENSE_STRIDE + 1;
        check_block(cx, row, first, left < BLOCK ? (size_t)left : BLOCK, worst);
    }
    for (int order = 0; order < 3; order++)
        report(&c, &worst[order], order, 4000000);
}

Test(accuracy, float32_against_float64)
{
    for_each_row(check_against_float64);
}

/* ---- Special values, to the bit: signs of zeros, of which an error in ULP knows nothing, and limits ------------------- */

#define TINY DBL_TRUE_MIN /* stands for the smallest subnormal of either dtype, as 2 TINY does for the next */

typedef struct special {
    const char *name;
    double x, y[3]; /* f, f', f" at the default parameters */
} special;

static const special specials[] = {
    {"identity", 0.0, {0.0, 1.0, 0.0}},
    {"identity", -0.0, {-0.0, 1.0, 0.0}},
    {"identity", TINY, {TINY, 1.0, 0.0}},
    {"identity", -TINY, {-TINY, 1.0, 0.0}},
    {"identity", INFINITY, {INFINITY, 1.0, 0.0}},
    {"identity", -INFINITY, {-INFINITY, 1.0, 0.0}},
    {"relu", 0.0, {0.0, 0.0, 0.0}},
    {"relu", -0.0, {0.0, 0.0, 0.0}},
    {"relu", TINY, {TINY, 1.0, 0.0}},
    {"relu", -TINY, {0.0, 0.0, 0.0}},
    {"relu", INFINITY, {INFINITY, 1.0, 0.0}},
    {"relu", -INFINITY, {0.0, 0.0, 0.0}},
    {"leaky_relu", 0.0, {0.0, 0.01, 0.0}},
    {"leaky_relu", -0.0, {-0.0, 0.01, 0.0}},
    {"leaky_relu", TINY, {TINY, 1.0, 0.0}},
    {"leaky_relu", -TINY, {-0.0, 0.01, 0.0}},
    {"leaky_relu", -100 * TINY, {-TINY, 0.01, 0.0}},
    {"leaky_relu", INFINITY, {INFINITY, 1.0, 0.0}},
    {"leaky_relu", -INFINITY, {-INFINITY, 0.01, 0.0}},
    {"sigmoid", 0.0, {0.5, 0.25, -0.0}},
    {"sigmoid", -0.0, {0.5, 0.25, 0.0}},
    {"sigmoid", TINY, {0.5, 0.25, -0.0}},
    {"sigmoid", -TINY, {0.5, 0.25, 0.0}},
    {"sigmoid", 16 * TINY, {0.5, 0.25, -2 * TINY}},
    {"sigmoid", INFINITY, {1.0, 0.0, -0.0}},
    {"sigmoid", -INFINITY, {0.0, 0.0, 0.0}},
    {"tanh", 0.0, {0.0, 1.0, -0.0}},
    {"tanh", -0.0, {-0.0, 1.0, 0.0}},
    {"tanh", TINY, {TINY, 1.0, -2 * TINY}},
    {"tanh", -TINY, {-TINY, 1.0, 2 * TINY}},
    {"tanh", INFINITY, {1.0, 0.0, -0.0}},
    {"tanh", -INFINITY, {-1.0, 0.0, 0.0}},
};

static double in_dtype(rille_dtype dtype, double value)
{
    if (value != 0.0 && fabs(value) < DBL_MIN)
        return number_at(dtype, rank_of(RILLE_FLOAT64, value));
    return dtype == RILLE_FLOAT32 ? (double)(float)value : value;
}

enum { SPECIALS = sizeof specials / sizeof *specials };

static int specials_checked;

static void check_specials(rille_context *cx, const activation_row *row, rille_dtype dtype)
{
    for (int i = 0; i < 3 * SPECIALS; i++) {
        const special *at = &specials[i / 3];
        int order = i % 3;
        if (!row->defaults || strcmp(at->name, row->info->name) != 0)
            continue;
        double x = in_dtype(dtype, at->x), expected = in_dtype(dtype, at->y[order]), got = value_at(cx, row, dtype, order, x);
        cr_expect(got == expected && signbit(got) == signbit(expected), "%s of %s in %s at %g: %g, expected %g",
                  quantity_name[order], row->label, rille_dtype_name(dtype), x, got, expected);
        specials_checked++;
    }
}

Test(special_values, as_tabulated)
{
    int wanted = 0;
    for (int i = 0; i < SPECIALS; i++)
        wanted += is_wanted(specials[i].name);
    for_each_row(check_specials);
    cr_expect_eq(specials_checked, 2 * 3 * wanted, "only %d values checked: is a name not in the registry?", specials_checked);
}

/* Wherever NaN stands in a vector, however it is signed, NaN comes out; and nowhere else. */
static void check_nan(rille_context *cx, const activation_row *row, rille_dtype dtype)
{
    enum { LENGTH = 67 };
    double x[LENGTH], g[LENGTH], y[LENGTH]; /* of either dtype */
    for (size_t where = 0; where < LENGTH; where++) {
        for (size_t i = 0; i < LENGTH; i++) {
            set_element(dtype, x, i, i == where ? copysign(NAN, (double)(where % 2) - 0.5) : 0.5 * (double)i - 16.0);
            set_element(dtype, g, i, 1.0);
        }
        for (int k = 0; k < QUANTITIES; k++) {
            compute(cx, row, k, dtype, LENGTH, g, x, y);
            for (size_t i = 0; i < LENGTH; i++)
                cr_assert_eq(isnan(element(dtype, y, i)) != 0, i == where, "%s of %s in %s: element %zu is %g, NaN is at %zu",
                             quantity_name[k], row->label, rille_dtype_name(dtype), i, element(dtype, y, i), where);
        }
    }
}

Test(special_values, nan_in_nan_out)
{
    for_each_row(check_nan);
}
