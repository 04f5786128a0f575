/* What the registry says of each activation, held against the function itself; and what is said where a call is wrong. */
#include "engine/activation_rows.h"

#include <float.h>

/* ---- Rows ------------------------------------------------------------------------------------------------------------ */

Test(registry, rows_are_complete)
{
    cr_assert(RILLE_ACTIVATION_COUNT > 0);
    for (int act = 0; act < RILLE_ACTIVATION_COUNT; act++) {
        const rille_activation_info *info = rille_activation_describe((rille_activation)act);
        cr_assert_not_null(info);
        cr_expect_eq((int)rille_activation_find(info->name), act, "'%s' is found as another row", info->name);
        cr_expect_str_eq(rille_activation_nearest(info->name), info->name);
        cr_expect(strlen(info->source) > 0, "%s has no source", info->name);
        formula_free(activation_formula(info));
        cr_assert(info->parameter_count >= 0 && info->parameter_count <= RILLE_MAX_PARAMETERS);
        for (int i = 0; i < info->parameter_count; i++) {
            const rille_parameter *p = &info->parameter[i];
            cr_expect(p->low <= p->initial && p->initial <= p->high, "%s: the default of %s is out of its range", info->name,
                      p->name);
        }
    }
}

Test(registry, names)
{
    static const char *const misspelt[][2] = {
        {"sigmod", "sigmoid"},       {"rleu", "relu"},       {"Tanh", "tanh"}, {"leakyrelu", "leaky_relu"},
        {"LeakyReLU", "leaky_relu"}, {"identiy", "identity"}};
    for (size_t i = 0; i < sizeof misspelt / sizeof *misspelt; i++) {
        cr_expect_eq(rille_activation_find(misspelt[i][0]), RILLE_ACTIVATION_NONE);
        cr_expect_str_eq(rille_activation_nearest(misspelt[i][0]), misspelt[i][1]);
    }
    char *endless = take(100000, 1);
    memset(endless, 'x', 100000);
    cr_expect_not_null(rille_activation_nearest(endless));
    free(endless);
    cr_expect_not_null(rille_activation_nearest(""));
    cr_expect_null(rille_activation_nearest(NULL));
    cr_expect_eq(rille_activation_find(""), RILLE_ACTIVATION_NONE);
    cr_expect_eq(rille_activation_find(NULL), RILLE_ACTIVATION_NONE);
    cr_expect_null(rille_activation_describe(RILLE_ACTIVATION_NONE));
    cr_expect_null(rille_activation_describe((rille_activation)RILLE_ACTIVATION_COUNT));
}

/* ---- Properties: a scan over numbers of every size, closely around 0, and at either side of each kink ------------------ */

enum { CLOSE = 12800, WIDE = 8192, SCAN = 2 * CLOSE + 1 + 2 * WIDE + 2 * RILLE_MAX_KINKS };
static const double CLOSE_STEP = 1.0 / 512; /* up to 25 */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void scan(rille_context *cx, const activation_row *row, const rille_activation_properties *is, double x[SCAN],
                 double y[3][SCAN])
{
    size_t n = 0;
    for (int i = -CLOSE; i <= CLOSE; i++)
        x[n++] = i * CLOSE_STEP;
    for (int64_t i = 1; i <= WIDE; i++)
        for (int side = -1; side <= 1; side += 2)
            x[n++] = number_at(RILLE_FLOAT64, side * i * (last_rank(RILLE_FLOAT64) / WIDE));
    for (int i = 0; i < RILLE_MAX_KINKS; i++)
        for (int side = -1; side <= 1; side += 2)
            x[n++] = i < is->kink_count ? nextafter(is->kink[i], copysign(INFINITY, side)) : 0.0;
    cr_assert_eq(n, SCAN);
    qsort(x, n, sizeof *x, ascending);
    for (int order = 0; order < 3; order++)
        compute(cx, row, order, RILLE_FLOAT64, n, NULL, x, y[order]);
}

static double ulp_of(double y)
{
    return isfinite(y) ? nextafter(fabs(y), INFINITY) - fabs(y) : 0.0;
}

/* All values lie between low and high, and come close to them or go where the formula's limit does. A bound that is reached at
 * some point in between is a rounded number, and values there may be off by another rounding. */
static void check_range(const activation_row *row, const rille_activation_properties *is, const double *y)
{
    double least = INFINITY, most = -INFINITY, up[3], down[3];
    formula *f = activation_formula(row->info);
    formula_limit(f, row->params, 1, up);
    formula_limit(f, row->params, -1, down);
    formula_free(f);
    for (size_t i = 0; i < SCAN; i++) {
        least = fmin(least, y[i]);
        most = fmax(most, y[i]);
    }
    double slack_low = is->monotonic || is->low == 0 ? 0.0 : 2 * ulp_of(is->low);
    double slack_high = is->monotonic || is->high == 0 ? 0.0 : 2 * ulp_of(is->high);
    cr_expect(least >= is->low - slack_low, "%s: %.17g is below %.17g", row->label, least, is->low);
    cr_expect(most <= is->high + slack_high, "%s: %.17g is above %.17g", row->label, most, is->high);
    cr_expect(isinf(is->low) ? fmin(up[0], down[0]) == is->low : least - is->low <= 1e-3 * fmax(1.0, fabs(is->low)),
              "%s: says that it goes down to %g; %g was the least", row->label, is->low, least);
    cr_expect(isinf(is->high) ? fmax(up[0], down[0]) == is->high : is->high - most <= 1e-3 * fmax(1.0, fabs(is->high)),
              "%s: says that it goes up to %g; %g was the most", row->label, is->high, most);
}

/* A decrease within the error of two values is none. */
static void check_monotonic(const activation_row *row, const rille_activation_properties *is, const double *x, const double *y)
{
    double fall_at = NAN;
    for (size_t i = 1; i < SCAN && isnan(fall_at); i++)
        if (!(y[i] >= y[i - 1] - 4 * ulp_of(y[i])))
            fall_at = x[i];
    if (is->monotonic)
        cr_expect(isnan(fall_at), "%s: says that it is monotonic; it falls before x = %g", row->label, fall_at);
    else
        cr_expect(!isnan(fall_at), "%s: says that it is not monotonic; it falls nowhere", row->label);
}

static void check_centre(rille_context *cx, const activation_row *row, const rille_activation_properties *is, const double *y)
{
    double zero = 0.0, at_zero;
    bool positive = false, negative = false;
    compute(cx, row, 0, RILLE_FLOAT64, 1, NULL, &zero, &at_zero);
    for (size_t i = 0; i < SCAN; i++) {
        positive = positive || y[i] > 0;
        negative = negative || y[i] < 0;
    }
    cr_expect_eq(is->zero_centred, at_zero == 0.0 && positive && negative, "%s: f(0) = %g", row->label, at_zero);
}

/* ---- Smoothness: where f, f' or f" jumps ------------------------------------------------------------------------------ */

static double change(double a, double b, double scale)
{
    return fabs(a - b) / scale;
}

/* Whether f^(order) jumps between a and b, by halving towards the larger change: where there is no jump it goes away. Gives
 * where. */
static bool find_jump(rille_context *cx, const activation_row *row, int order, double a, double b, double scale, double *where)
{
    double ya, yb, middle, y;
    compute(cx, row, order, RILLE_FLOAT64, 1, NULL, &a, &ya);
    compute(cx, row, order, RILLE_FLOAT64, 1, NULL, &b, &yb);
    while (b - a > 1e-12 * fmax(1.0, fabs(a)) && change(ya, yb, scale) > 1e-7) {
        middle = a + (b - a) / 2;
        compute(cx, row, order, RILLE_FLOAT64, 1, NULL, &middle, &y);
        if (fabs(y - ya) > fabs(yb - y)) {
            b = middle;
            yb = y;
        } else {
            a = middle;
            ya = y;
        }
    }
    *where = a + (b - a) / 2;
    return change(ya, yb, scale) > 1e-7;
}

/* The lowest order that jumps anywhere says how smooth f is; every jump is at a kink, and every kink has a jump. */
static void check_smoothness(rille_context *cx, const activation_row *row, const rille_activation_properties *is,
                             const double *x, double y[3][SCAN])
{
    int lowest = 3, jumps_at[RILLE_MAX_KINKS] = {0};
    for (int order = 2; order >= 0; order--)
        for (size_t i = 1; i < SCAN; i++) {
            double where, scale = fmax(1.0, fmax(fabs(y[order][i]), fabs(y[order][i - 1])));
            if (fabs(x[i]) > CLOSE * CLOSE_STEP || fabs(x[i - 1]) > CLOSE * CLOSE_STEP ||
                !find_jump(cx, row, order, x[i - 1], x[i], scale, &where))
                continue;
            int kink = 0;
            while (kink < is->kink_count && !(fabs(where - is->kink[kink]) <= 1e-9))
                kink++;
            lowest = order;
            cr_expect(kink < is->kink_count, "%s: %s jumps at %.12g, where it says no kink is", row->label,
                      quantity_name[order], where);
            if (kink < is->kink_count)
                jumps_at[kink]++;
        }
    for (int kink = 0; kink < is->kink_count; kink++)
        cr_expect(jumps_at[kink] > 0, "%s: nothing jumps at %g, where it says a kink is", row->label, is->kink[kink]);
    cr_expect(lowest == 3 ? is->smoothness >= 2 : is->smoothness == lowest - 1,
              "%s: smoothness is %d; the first order that jumps is %d%s", row->label, is->smoothness, lowest,
              lowest == 3 ? " or more" : "");
}

static void check_properties(rille_context *cx, const activation_row *row, rille_dtype dtype)
{
    static double x[SCAN], y[3][SCAN];
    rille_activation_properties is;
    if (dtype != RILLE_FLOAT64)
        return;
    cr_assert_eq(rille_activation_evaluate(cx, row->act, row->params, &is), RILLE_OK);
    scan(cx, row, &is, x, y);
    check_range(row, &is, y[0]);
    check_monotonic(row, &is, x, y[0]);
    check_centre(cx, row, &is, y[0]);
    check_smoothness(cx, row, &is, x, y);
}

Test(registry, properties)
{
    for_each_row(check_properties);
}

/* Parameters at which a row becomes another function: its pieces meet in one, lose their bend or stand in the wrong order. */
Test(registry, properties_follow_the_parameters)
{
    static const activation_row rows[] = {
        {.act = RILLE_LEAKY_RELU, .params = {1.0}, .label = "leaky_relu(1)"},
        {.act = RILLE_HARD_TANH, .params = {1.0, -1.0}, .label = "hard_tanh(1, -1)"},
        {.act = RILLE_HARD_TANH, .params = {1.0, 1.0}, .label = "hard_tanh(1, 1)"},
        {.act = RILLE_THRESHOLDED_RELU, .params = {-0.75}, .label = "thresholded_relu(-0.75)"},
        {.act = RILLE_THRESHOLD, .params = {-1.25, -1.25}, .label = "threshold(-1.25, -1.25)"},
        {.act = RILLE_THRESHOLD, .params = {-1.25, 3.0}, .label = "threshold(-1.25, 3)"},
        {.act = RILLE_SRELU, .params = {1.0, 1.0, 0.0, 1.0}, .label = "srelu(1, 1, 0, 1)"},
        {.act = RILLE_SRELU, .params = {2.0, 0.0, -1.0, 0.0}, .label = "srelu(2, 0, -1, 0)"},
        {.act = RILLE_SRELU, .params = {2.0, -1.0, -1.0, -0.5}, .label = "srelu(2, -1, -1, -0.5)"},
        {.act = RILLE_SRELU, .params = {2.0, 0.5, 2.0, 0.5}, .label = "srelu(2, 0.5, 2, 0.5)"},
        {.act = RILLE_SRELU, .params = {2.0, 0.5, 2.0, 1.0}, .label = "srelu(2, 0.5, 2, 1)"},
        {.act = RILLE_SRELU, .params = {-1.0, 0.5, 1.0, 0.5}, .label = "srelu(-1, 0.5, 1, 0.5)"},
        {.act = RILLE_SRELU, .params = {-1.0, 0.5, 1.0, 1.0}, .label = "srelu(-1, 0.5, 1, 1)"},
        {.act = RILLE_SRELU, .params = {-1.0, 1.0, 1.0, 2.0}, .label = "srelu(-1, 1, 1, 2)"},
        {.act = RILLE_SRELU, .params = {-1.0, 0.0, 1.0, 0.0}, .label = "srelu(-1, 0, 1, 0)"},
        {.act = RILLE_SRELU, .params = {-1.0, -0.5, 1.0, 0.25}, .label = "srelu(-1, -0.5, 1, 0.25)"},
        {.act = RILLE_SRELU, .params = {0.0, -0.5, 1.0, -0.25}, .label = "srelu(0, -0.5, 1, -0.25)"},
        {.act = RILLE_SRELU, .params = {-2.0, 1.0, -1.0, 1.0}, .label = "srelu(-2, 1, -1, 1)"},
        {.act = RILLE_XIELU, .params = {0.4, 0.8, 0.5}, .label = "xielu(0.4, 0.8, 0.5)"},
        {.act = RILLE_XIELU, .params = {0.8, 0.5, 0.5}, .label = "xielu(0.8, 0.5, 0.5)"},
        {.act = RILLE_XIELU, .params = {0.0, 0.8, 0.0}, .label = "xielu(0, 0.8, 0)"},
        {.act = RILLE_XIELU, .params = {0.0, 0.0, 0.5}, .label = "xielu(0, 0, 0.5)"},
        {.act = RILLE_XIELU, .params = {0.0, 0.0, 0.0}, .label = "xielu(0, 0, 0)"},
    };
    rille_context *cx = rille_open(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        activation_row row = rows[i];
        row.info = rille_activation_describe(row.act);
        check_properties(cx, &row, RILLE_FLOAT64);
    }
    rille_close(cx);
}

/* ---- Bad calls -------------------------------------------------------------------------------------------------------- */

static void expect_error(rille_context *cx, rille_status status, rille_status expected, const char *message)
{
    cr_expect_eq(status, expected, "%s: status %d, expected %d", message, (int)status, (int)expected);
    cr_expect_eq(rille_error_status(cx), expected);
    cr_expect_str_eq(rille_error(cx), message);
    rille_clear_error(cx);
}

Test(errors, map)
{
    float x[3] = {-1, 0, 1}, y[3];
    const double nan = NAN, negative_nan = -NAN;
    char none[80];
    rille_context *cx = rille_open(NULL);
    expect_error(cx, rille_map(cx, RILLE_TANH, NULL, 3, RILLE_FLOAT32, 3, x, y), RILLE_ERROR_ARGUMENT,
                 "rille_map: order is 3; it can be 0, 1 or 2");
    expect_error(cx, rille_map(cx, RILLE_TANH, NULL, -1, RILLE_FLOAT32, 3, x, y), RILLE_ERROR_ARGUMENT,
                 "rille_map: order is -1; it can be 0, 1 or 2");
    expect_error(cx, rille_map(cx, RILLE_TANH, NULL, 0, RILLE_INT64, 3, x, y), RILLE_ERROR_DTYPE,
                 "rille_map: dtype is int64; it takes float32 and float64");
    expect_error(cx, rille_map(cx, RILLE_LEAKY_RELU, &nan, 0, RILLE_FLOAT32, 3, x, y), RILLE_ERROR_ARGUMENT,
                 "leaky_relu: parameter negative_slope is nan; allowed are -inf to inf");
    expect_error(cx, rille_map(cx, RILLE_LEAKY_RELU, &negative_nan, 0, RILLE_FLOAT32, 3, x, y), RILLE_ERROR_ARGUMENT,
                 "leaky_relu: parameter negative_slope is nan; allowed are -inf to inf");
    expect_error(cx, rille_map(cx, RILLE_TANH, NULL, 0, RILLE_FLOAT32, 3, NULL, y), RILLE_ERROR_NULL,
                 "rille_map: a buffer of 3 elements is NULL");
    expect_error(cx, rille_map(cx, RILLE_TANH, NULL, 0, RILLE_FLOAT32, 3, x, NULL), RILLE_ERROR_NULL,
                 "rille_map: a buffer of 3 elements is NULL");
    expect_error(cx, rille_map(cx, RILLE_TANH, NULL, 0, RILLE_FLOAT64, SIZE_MAX, x, y), RILLE_ERROR_ARGUMENT,
                 "rille_map: 18446744073709551615 elements of float64 are more than memory can hold");
    snprintf(none, sizeof none, "there is no activation %d; they are 0 to %d", RILLE_ACTIVATION_COUNT,
             RILLE_ACTIVATION_COUNT - 1);
    expect_error(cx, rille_map(cx, (rille_activation)RILLE_ACTIVATION_COUNT, NULL, 0, RILLE_FLOAT32, 3, x, y),
                 RILLE_ERROR_ARGUMENT, none);
    snprintf(none, sizeof none, "there is no activation -1; they are 0 to %d", RILLE_ACTIVATION_COUNT - 1);
    expect_error(cx, rille_map(cx, RILLE_ACTIVATION_NONE, NULL, 0, RILLE_FLOAT32, 3, x, y), RILLE_ERROR_ARGUMENT, none);
    cr_expect_eq(rille_map(NULL, RILLE_TANH, NULL, 0, RILLE_FLOAT32, 3, x, y), RILLE_ERROR_NULL);
    rille_close(cx);
}

Test(errors, map_backward)
{
    double x[3] = {-1, 0, 1}, y[3];
    rille_context *cx = rille_open(NULL);
    expect_error(cx, rille_map_backward(cx, RILLE_TANH, NULL, RILLE_BOOL, 3, x, x, y), RILLE_ERROR_DTYPE,
                 "rille_map_backward: dtype is bool; it takes float32 and float64");
    expect_error(cx, rille_map_backward(cx, RILLE_TANH, NULL, RILLE_FLOAT64, 3, NULL, x, y), RILLE_ERROR_NULL,
                 "rille_map_backward: a buffer of 3 elements is NULL");
    expect_error(cx, rille_map_backward(cx, RILLE_TANH, NULL, RILLE_FLOAT64, 3, x, NULL, y), RILLE_ERROR_NULL,
                 "rille_map_backward: a buffer of 3 elements is NULL");
    expect_error(cx, rille_map_backward(cx, RILLE_TANH, NULL, RILLE_FLOAT64, 3, x, x, NULL), RILLE_ERROR_NULL,
                 "rille_map_backward: a buffer of 3 elements is NULL");
    expect_error(cx, rl_map_product(cx, RILLE_TANH, NULL, 0, RILLE_FLOAT64, 3, x, x, y), RILLE_ERROR_ARGUMENT,
                 "rl_map_product: order is 0; it can be 1 or 2");
    cr_expect_eq(rille_map_backward(NULL, RILLE_TANH, NULL, RILLE_FLOAT64, 3, x, x, y), RILLE_ERROR_NULL);
    rille_close(cx);
}

Test(errors, evaluate)
{
    rille_activation_properties is;
    const double nan = NAN;
    rille_context *cx = rille_open(NULL);
    expect_error(cx, rille_activation_evaluate(cx, RILLE_TANH, NULL, NULL), RILLE_ERROR_NULL,
                 "rille_activation_evaluate: properties is NULL");
    expect_error(cx, rille_activation_evaluate(cx, RILLE_LEAKY_RELU, &nan, &is), RILLE_ERROR_ARGUMENT,
                 "leaky_relu: parameter negative_slope is nan; allowed are -inf to inf");
    cr_expect_eq(rille_activation_evaluate(NULL, RILLE_TANH, NULL, &is), RILLE_ERROR_NULL);
    rille_close(cx);
}

/* The first message stays; buffers that a refused call was given stay as they are; rille_cancel ends the next call. */
Test(errors, leave_nothing_behind)
{
    double x[3] = {-1, 0, 1}, y[3] = {7, 7, 7};
    rille_context *cx = rille_open(NULL);
    rille_map(cx, RILLE_TANH, NULL, 3, RILLE_FLOAT64, 3, x, y);
    rille_map(cx, RILLE_TANH, NULL, 4, RILLE_FLOAT64, 3, x, y);
    cr_expect(y[0] == 7 && y[1] == 7 && y[2] == 7);
    expect_error(cx, RILLE_ERROR_ARGUMENT, RILLE_ERROR_ARGUMENT, "rille_map: order is 3; it can be 0, 1 or 2");
    rille_cancel(cx);
    expect_error(cx, rille_map(cx, RILLE_TANH, NULL, 0, RILLE_FLOAT64, 3, x, y), RILLE_ERROR_CANCELLED, "rille_map: cancelled");
    cr_expect_eq(rille_map(cx, RILLE_TANH, NULL, 0, RILLE_FLOAT64, 3, x, y), RILLE_OK);
    cr_expect_null(rille_error(cx));
    rille_close(cx);
}
