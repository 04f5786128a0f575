/* Parameters that are tensors, against the row's formula: its derivatives by them in MPFR, to 1e-6 in float32 and 1e-13 in
 * float64 of what a change of x or p by as much would make; and the values against those with numbers, to the bit. */
#include "engine/activation_rows.h"
#include "engine/support.h"

#include <float.h>

enum { TERMS = 3 };
static const rl_term terms[TERMS] = {RL_F_P, RL_F_XP, RL_F_PP};
static const char *const term_name[TERMS] = {"df/dp", "d2f/dxdp", "d2f/dp2"};

/* ---- The terms against the formula ---- */

/* The three terms by the parameter, exactly. */
static void exact_terms(const formula *f, const double *params, int parameter, double x, mpfr_t term[TERMS])
{
    mpfr_t by_x[3], by_p[3], both[3];
    for (int i = 0; i < 3; i++)
        mpfr_inits2(160, by_x[i], by_p[i], both[i], (mpfr_ptr)NULL);
    formula_evaluate(f, params, x, by_x);
    formula_evaluate_along(f, params, (formula_direction){false, parameter}, x, by_p);
    formula_evaluate_along(f, params, (formula_direction){true, parameter}, x, both);
    mpfr_set(term[0], by_p[1], MPFR_RNDN);
    mpfr_set(term[2], by_p[2], MPFR_RNDN);
    mpfr_sub(term[1], both[2], by_x[2], MPFR_RNDN);
    mpfr_sub(term[1], term[1], by_p[2], MPFR_RNDN);
    mpfr_div_2ui(term[1], term[1], 1, MPFR_RNDN);
    for (int i = 0; i < 3; i++)
        mpfr_clears(by_x[i], by_p[i], both[i], (mpfr_ptr)NULL);
}

/* How far each term moves, for each unit by which x or the parameter moves relatively; added to `scale`. */
static void add_sensitivity(const formula *f, const double *params, int parameter, double x, bool by_x, double scale[TERMS])
{
    const double step = 0x1p-20;
    double moved[RILLE_MAX_PARAMETERS];
    mpfr_t above[TERMS], below[TERMS];
    memcpy(moved, params, sizeof moved);
    for (int i = 0; i < TERMS; i++)
        mpfr_inits2(160, above[i], below[i], (mpfr_ptr)NULL);
    moved[parameter] = by_x ? params[parameter] : params[parameter] * (1 + step);
    exact_terms(f, moved, parameter, by_x ? x * (1 + step) : x, above);
    moved[parameter] = by_x ? params[parameter] : params[parameter] * (1 - step);
    exact_terms(f, moved, parameter, by_x ? x * (1 - step) : x, below);
    for (int i = 0; i < TERMS; i++) {
        mpfr_sub(above[i], above[i], below[i], MPFR_RNDN);
        scale[i] += fabs(mpfr_get_d(above[i], MPFR_RNDN)) / (2 * step);
        mpfr_clears(above[i], below[i], (mpfr_ptr)NULL);
    }
}

enum { POINTS = 600 };

static void compare_terms(const activation_row *row, const formula *f, int parameter, rille_dtype dtype, const void *x,
                          void *const got[TERMS], size_t samples[TERMS])
{
    const double tolerance = dtype == RILLE_FLOAT32 ? 1e-6 : 1e-13;
    const double largest = dtype == RILLE_FLOAT32 ? FLT_MAX : DBL_MAX, least = dtype == RILLE_FLOAT32 ? 0x1p-149 : 0x1p-1074;
    mpfr_t exact[TERMS];
    for (int t = 0; t < TERMS; t++)
        mpfr_init2(exact[t], 160);
    for (size_t i = 0; i < POINTS; i++) {
        double at = element(dtype, x, i), scale[TERMS] = {0};
        exact_terms(f, row->params, parameter, at, exact);
        add_sensitivity(f, row->params, parameter, at, true, scale);
        add_sensitivity(f, row->params, parameter, at, false, scale);
        for (int t = 0; t < TERMS; t++) {
            double value = mpfr_get_d(exact[t], MPFR_RNDN), y = element(dtype, got[t], i);
            if (!(fabs(value) < 0.5 * largest) || !isfinite(scale[t]))
                continue; /* past the dtype, or the formula has no value */
            samples[t]++;
            cr_expect(fabs(y - value) <= tolerance * (fabs(value) + scale[t]) + 2 * least,
                      "%s of %s by %s in %s at x = %a: %.17g, exactly %.17g", term_name[t], row->label,
                      row->info->parameter[parameter].name, rille_dtype_name(dtype), at, y, value);
        }
    }
    for (int t = 0; t < TERMS; t++)
        mpfr_clear(exact[t]);
}

static void fill_points(rille_dtype dtype, void *x, uint64_t seed)
{
    for (size_t i = 0; i < POINTS; i++) {
        double magnitude = pow(10, random_uniform(&seed, -20, i % 8 == 0 ? 20 : 2));
        double value = i % 2 == 0 ? random_uniform(&seed, -10, 10) : copysign(magnitude, (double)(i % 4) - 2);
        set_element(dtype, x, i, i == 0 ? 0.0 : i == 1 ? -0.0 : value);
    }
}

static int parameters_checked;

static void check_terms(rille_context *cx, const activation_row *row, rille_dtype dtype)
{
    static double x[POINTS], room[TERMS][POINTS]; /* of either dtype */
    void *const got[TERMS] = {room[0], room[1], room[2]};
    rl_channels parameters = {.channels = 1, .inner = SIZE_MAX};
    formula *f = activation_formula(row->info);
    fill_points(dtype, x, 3);
    for (int k = 0; k < row->info->parameter_count; k++)
        parameters.value[k] = &row->params[k];
    for (int k = 0; k < row->info->parameter_count; k++) {
        size_t samples[TERMS] = {0};
        if (!row->info->parameter[k].learnable)
            continue;
        for (int t = 0; t < TERMS; t++)
            cr_assert_eq(rl_map_learned(cx, row->act, terms[t], k, &parameters, dtype, POINTS, NULL, x, got[t]), RILLE_OK);
        compare_terms(row, f, k, dtype, x, got, samples);
        for (int t = 0; t < TERMS; t++)
            cr_expect(samples[t] > POINTS / 2, "%s of %s by %s: %zu points compared", term_name[t], row->label,
                      row->info->parameter[k].name, samples[t]);
        parameters_checked++;
    }
    formula_free(f);
}

Test(accuracy, derivatives_by_parameters)
{
    for_each_row(check_terms);
    cr_expect(parameters_checked > 0 || getenv("ACT") != NULL);
}

/* d^2 f / dp dq = ((f along p + q)" - (f along p)" - (f along q)") / 2 is what autograd takes it for: 0. The formula's p + q is
 * had by moving q after the derivative by p. */
static void check_apart(rille_context *cx, const activation_row *row, rille_dtype dtype)
{
    (void)cx;
    formula *f = activation_formula(row->info);
    mpfr_t here[3], there[3];
    for (int i = 0; i < 3; i++)
        mpfr_inits2(160, here[i], there[i], (mpfr_ptr)NULL);
    for (int p = 0; dtype == RILLE_FLOAT64 && p < row->info->parameter_count; p++)
        for (int q = 0; q < row->info->parameter_count; q++)
            for (double x = -5; x <= 5; x += 0.37) {
                double moved[RILLE_MAX_PARAMETERS];
                if (p == q || !row->info->parameter[p].learnable || !row->info->parameter[q].learnable)
                    continue;
                memcpy(moved, row->params, sizeof moved);
                moved[q] += 0.125;
                formula_evaluate_along(f, row->params, (formula_direction){false, p}, x, here);
                formula_evaluate_along(f, moved, (formula_direction){false, p}, x, there);
                cr_expect(mpfr_equal_p(here[1], there[1]), "%s: df/d%s depends on %s at %g", row->label,
                          row->info->parameter[p].name, row->info->parameter[q].name, x);
            }
    for (int i = 0; i < 3; i++)
        mpfr_clears(here[i], there[i], (mpfr_ptr)NULL);
    formula_free(f);
}

Test(accuracy, learnable_parameters_do_not_interact)
{
    for_each_row(check_apart);
}

/* ---- The same as with numbers ---- */

/* Every channel has its parameters: f, f' and f" are those of a call with these numbers, bit for bit, wherever the channel
 * lies and however many threads there are. */
static void check_values(rille_context *cx, const activation_row *row, rille_dtype dtype)
{
    enum { N = 40, CHANNELS = 3, INNER = 700 };
    rille_tensor *tensors[RILLE_MAX_PARAMETERS] = {NULL};
    bool any = false;
    rille_scope_push(cx);
    for (int k = 0; k < row->info->parameter_count; k++) {
        const rille_parameter *p = &row->info->parameter[k];
        double value[CHANNELS];
        for (int c = 0; c < CHANNELS; c++)
            value[c] = fmin(fmax(row->params[k] + 0.25 * c, p->low), p->high);
        any = any || p->learnable;
        if (p->learnable)
            tensors[k] = rille_from(cx, RILLE_FLOAT64, SHAPE(CHANNELS), value);
    }
    rille_tensor *x = rille_randn(cx, dtype, SHAPE(N, CHANNELS, INNER));
    for (int order = 0; any && order < 3; order++) {
        rille_set_threads(cx, 3);
        rille_tensor *y = rille_derivative_with(x, row->act, order, row->params, tensors);
        rille_set_threads(cx, 1);
        rille_tensor *serial = rille_derivative_with(x, row->act, order, row->params, tensors);
        cr_assert(y != NULL && serial != NULL, "%s", rille_error(cx));
        cr_expect_eq(memcmp(rille_data(y), rille_data(serial), (size_t)rille_numel(y) * rille_dtype_size(dtype)), 0);
        for (int c = 0; c < CHANNELS; c++) {
            double params[RILLE_MAX_PARAMETERS];
            for (int k = 0; k < row->info->parameter_count; k++)
                params[k] = tensors[k] == NULL ? row->params[k] : ((double *)rille_data(tensors[k]))[c];
            rille_tensor *expected = rille_derivative(rille_select(x, 1, c), row->act, order, params);
            rille_tensor *got = rille_contiguous(rille_select(y, 1, c));
            cr_expect_eq(memcmp(rille_data(got), rille_data(expected), (size_t)rille_numel(got) * rille_dtype_size(dtype)), 0,
                         "%s of %s in %s, channel %d", quantity_name[order], row->label, rille_dtype_name(dtype), c);
        }
    }
    rille_scope_pop(cx);
}

Test(values, are_those_of_the_numbers)
{
    for_each_row(check_values);
}

/* The gradients of a large batch, for 1 and 3 threads. */
Test(values, gradients_do_not_depend_on_threads)
{
    float kept[2][5];
    for (int run = 0; run < 2; run++) {
        rille_context *cx = open_with(run == 0 ? 1 : 3, 0);
        rille_tensor *x = rille_randn(cx, RILLE_FLOAT32, SHAPE(300, 5, 67)), *w = rille_full(cx, RILLE_FLOAT32, SHAPE(5), 0.3);
        rille_set_requires_grad(w, true);
        rille_tensor *y = rille_activate_with(x, RILLE_PRELU, NULL, &w);
        cr_assert_eq(rille_backward(rille_sum(rille_mul(y, y), NULL, 0, false), NULL), RILLE_OK, "%s", rille_error(cx));
        memcpy(kept[run], rille_data(rille_gradient(w)), sizeof kept[run]);
        rille_close(cx);
    }
    cr_expect_eq(memcmp(kept[0], kept[1], sizeof kept[0]), 0);
}

/* df/dweight = x where x <= 0, summed over all but the channel: by hand. */
Test(values, prelu_by_hand)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *x = rille_from(cx, RILLE_FLOAT32, SHAPE(2, 2), (float[]){-1, 2, -3, -4});
    rille_tensor *w = rille_from(cx, RILLE_FLOAT32, SHAPE(2), (float[]){0.5F, 0.25F});
    rille_set_requires_grad(x, true);
    rille_set_requires_grad(w, true);
    rille_tensor *y = rille_activate_with(x, RILLE_PRELU, NULL, &w);
    EXPECT_VALUES(y, -0.5, 2, -1.5, -1);
    rille_backward(rille_sum(y, NULL, 0, false), NULL);
    EXPECT_VALUES(rille_gradient(x), 0.5, 1, 0.5, 0.25);
    EXPECT_VALUES(rille_gradient(w), -4, -4);
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

/* ---- rrelu: slopes that are drawn ---- */

enum { DRAWS = 100000 };

/* Every slope is within its bounds, their mean and variance are a uniform distribution's (5 standard errors), and they are
 * what the gradient is. */
static void check_slopes(rille_dtype dtype)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *x = rille_full(cx, dtype, SHAPE(DRAWS), -2);
    rille_set_requires_grad(x, true);
    rille_tensor *y = rille_rrelu_training(x, 0.125, 0.375);
    cr_assert_eq(rille_backward(rille_sum(y, NULL, 0, false), NULL), RILLE_OK, "%s", rille_error(cx));
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < DRAWS; i++) {
        double slope = (double)value_of(rille_gradient(x), i), u = (slope - 0.125) / 0.25;
        cr_assert(u >= 0 && u <= 1 && (double)value_of(y, i) == -2 * slope, "element %lld: slope %g", (long long)i, slope);
        sum += u - 0.5;
        squares += (u - 0.5) * (u - 0.5);
    }
    cr_expect(fabs(sum / DRAWS) < 5 * sqrt(1.0 / 12 / DRAWS), "mean slope off by %g", sum / DRAWS);
    cr_expect(fabs(squares / DRAWS - 1.0 / 12) < 5 * sqrt(1.0 / 180 / DRAWS), "variance is %g", squares / DRAWS);
    rille_close(cx);
}

Test(rrelu, slopes_are_uniform)
{
    check_slopes(RILLE_FLOAT32);
    check_slopes(RILLE_FLOAT64);
}

Test(rrelu, positive_and_special_values)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *x = rille_from(cx, RILLE_FLOAT64, SHAPE(6), (double[]){3, INFINITY, 0.0, -0.0, -INFINITY, NAN});
    EXPECT_VALUES(rille_rrelu_training(x, 0.1, 0.2), 3, INFINITY, 0.0, -0.0, -INFINITY, NAN);
    EXPECT_VALUES(rille_rrelu_training(rille_full(cx, RILLE_FLOAT64, SHAPE(2), -3), 0.5, 0.5), -1.5, -1.5);
    EXPECT_VALUES(rille_rrelu(rille_full(cx, RILLE_FLOAT64, SHAPE(2), -4), 0.25, 0.75), -2, -2);
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

/* A seed's slopes are the same for any number of threads and any layout of x; the next draw's, and another seed's, are not. */
Test(rrelu, slopes_follow_the_seed_alone)
{
    static float y[5][DRAWS];
    for (int run = 0; run < 5; run++) {
        rille_context *cx = open_with(run == 1 ? 3 : 1, 0);
        rille_manual_seed(cx, run == 4 ? 8 : 7);
        rille_tensor *x = rille_full(cx, RILLE_FLOAT32, SHAPE(4, DRAWS / 4), -1);
        if (run == 2)
            x = rille_transpose(rille_full(cx, RILLE_FLOAT32, SHAPE(DRAWS / 4, 4), -1), 0, 1);
        if (run == 3)
            rille_rrelu_training(x, 0.125, 0.375);
        cr_assert_eq(rille_copy_out(rille_rrelu_training(x, 0.125, 0.375), RILLE_FLOAT32, y[run]), RILLE_OK);
        rille_close(cx);
    }
    cr_expect_eq(memcmp(y[0], y[1], sizeof y[0]), 0);
    cr_expect_eq(memcmp(y[0], y[2], sizeof y[0]), 0);
    cr_expect_neq(memcmp(y[0], y[3], sizeof y[0]), 0);
    cr_expect_neq(memcmp(y[0], y[4], sizeof y[0]), 0);
}

/* ---- Bad calls ---- */

Test(errors, bounds_of_slopes)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *x = rille_zeros(cx, RILLE_FLOAT32, SHAPE(2));
    EXPECT_FAILS(
        cx, rille_rrelu_training(x, 0.5, 0.25), RILLE_ERROR_ARGUMENT,
        "rrelu_training: lower is 0.5, upper 0.25; two numbers with lower <= upper, a finite distance apart, expected");
    EXPECT_FAILS(cx, rille_rrelu_training(x, 0.5, INFINITY), RILLE_ERROR_ARGUMENT,
                 "rrelu_training: lower is 0.5, upper inf; two numbers with lower <= upper, a finite distance apart, expected");
    cr_expect_null(rille_rrelu_training(NULL, 0, 1));
    rille_close(cx);
}

Test(errors, tensors_that_do_not_fit)
{
    rille_context *cx = open_with(1, 1);
    rille_tensor *x = rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 5, 4)), *three = rille_zeros(cx, RILLE_FLOAT32, SHAPE(3));
    rille_tensor *whole = rille_zeros(cx, RILLE_INT64, SHAPE(1)), *none[RILLE_MAX_PARAMETERS] = {NULL};
    EXPECT_FAILS(cx, rille_activate_with(x, RILLE_PRELU, NULL, &three), RILLE_ERROR_SHAPE,
                 "prelu: parameter weight is [3]; for x of shape [2, 5, 4], [1] or [5] is expected");
    EXPECT_FAILS(cx, rille_activate_with(x, RILLE_LEAKY_RELU, NULL, &three), RILLE_ERROR_ARGUMENT,
                 "leaky_relu: parameter negative_slope takes a number, not a tensor");
    EXPECT_FAILS(cx, rille_activate_with(x, RILLE_PRELU, NULL, &whole), RILLE_ERROR_DTYPE,
                 "prelu: parameter weight is int64; float32 or float64 expected");
    EXPECT_FAILS(cx, rille_activate_with(rille_zeros(cx, RILLE_FLOAT32, SHAPE(3)), RILLE_SNAKE, NULL, &three),
                 RILLE_ERROR_ARGUMENT, "snake: parameter alpha, element 1, is 0; allowed are 1e-10 to 1e+10");
    EXPECT_FAILS(cx, rille_derivative_with(x, RILLE_PRELU, 3, NULL, &three), RILLE_ERROR_ARGUMENT,
                 "derivative: order is 3; it can be 0, 1 or 2");
    EXPECT_FAILS(cx, rille_derivative(x, RILLE_TANH, -1, NULL), RILLE_ERROR_ARGUMENT,
                 "derivative: order is -1; it can be 0, 1 or 2");
    rille_set_requires_grad(x, true);
    EXPECT_FAILS(cx, rille_derivative(x, RILLE_TANH, 3, NULL), RILLE_ERROR_ARGUMENT,
                 "derivative: order is 3; it can be 0, 1 or 2");
    rille_set_requires_grad(x, false);
    cr_expect_not_null(rille_activate_with(x, RILLE_PRELU, NULL, none)); /* no tensor at all: the numbers */
    cr_expect_not_null(rille_activate_with(x, RILLE_PRELU, NULL, NULL));
    rille_tensor *empty = rille_activate_with(rille_zeros(cx, RILLE_FLOAT32, SHAPE(0, 3)), RILLE_PRELU, NULL, &three);
    cr_expect(has_shape(empty, SHAPE(0, 3)));
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

/* A weight that has become NaN shows in what it makes. */
Test(special_values, nan_parameters)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *w = rille_scalar(cx, RILLE_FLOAT32, NAN);
    EXPECT_VALUES(rille_activate_with(rille_from(cx, RILLE_FLOAT32, SHAPE(2), (float[]){-1, 1}), RILLE_PRELU, NULL, &w), NAN,
                  1);
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}
