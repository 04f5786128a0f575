/* The reference that activations are held against, held against itself: derivatives against differences, values against the C
 * library's, errors in ULP against cases done by hand, and every message of the parser. */
#include "reference/formula.h"
#include "reference/ulp.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>

static formula *parse(const char *text)
{
    static const char *const names[] = {"a", "b"};
    char error[128] = "";
    formula *f = formula_parse(text, names, 2, error, sizeof error);
    cr_assert_not_null(f, "\"%s\": %s", text, error);
    return f;
}

static const double params[] = {2.5, -0.75};

/* f, f', f" at x. */
static void evaluate(const char *text, double x, mpfr_t y[3])
{
    formula *f = parse(text);
    for (int order = 0; order < 3; order++)
        mpfr_init2(y[order], 160);
    formula_evaluate(f, params, x, y);
    formula_free(f);
}

static void clear(mpfr_t y[3])
{
    for (int order = 0; order < 3; order++)
        mpfr_clear(y[order]);
}

static double value(const char *text, double x, int order)
{
    mpfr_t y[3];
    evaluate(text, x, y);
    double result = mpfr_get_d(y[order], MPFR_RNDN);
    clear(y);
    return result;
}

/* ---- Evaluation ------------------------------------------------------------------------------------------------------ */

/* f' is the limit of (f(x + h) - f(x - h)) / 2 h, and f" that of f'. With h = 2^-24 the difference is off by h^2 f"' / 6. */
static void check_differences(const char *text, double x)
{
    const double h = 0x1p-24;
    mpfr_t here[3], left[3], right[3];
    evaluate(text, x, here);
    evaluate(text, x - h, left);
    evaluate(text, x + h, right);
    for (int order = 1; order < 3; order++) {
        mpfr_sub(left[order - 1], right[order - 1], left[order - 1], MPFR_RNDN);
        mpfr_div_d(left[order - 1], left[order - 1], 2 * h, MPFR_RNDN);
        double difference = mpfr_get_d(left[order - 1], MPFR_RNDN), derivative = mpfr_get_d(here[order], MPFR_RNDN);
        cr_expect(fabs(difference - derivative) <= 1e-11 * fmax(1.0, fabs(derivative)),
                  "\"%s\" at %g: derivative %d is %.15g, the difference quotient %.15g", text, x, order, derivative,
                  difference);
    }
    clear(here);
    clear(left);
    clear(right);
}

Test(reference, derivatives_are_limits_of_differences)
{
    static const char *const texts[] = {
        "exp(a * x)",
        "expm1(x * x)",
        "log(x)",
        "log1p(x)",
        "sqrt(x)",
        "sinh(x)",
        "cosh(x)",
        "tanh(x)",
        "erf(x)",
        "erfc(x)",
        "sin(x)",
        "cos(a * x)",
        "atan(x)",
        "asinh(x)",
        "abs(x - 3)",
        "min(x * x, exp(x))",
        "max(x, -x / a)",
        "pow(x, 3)",
        "pow(x, b)",
        "pow(a, x * x)",
        "x / (1 + exp(-x))",
        "x * (1 + erf(x / sqrt(2))) / 2",
        "x * tanh(log(1 + exp(x)))",
        "x > 1 ? x * x * x : b * sin(pi * x)",
        "-x / (1 + x) - -x",
        "(x < 1) * x + !(x < 1) * x * x",
    };
    static const double points[] = {0.1875, 0.8125, 1.34375, 2.5};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (size_t j = 0; j < sizeof points / sizeof *points; j++)
            check_differences(texts[i], points[j]);
}

static void expect_value(const char *text, double x, double expected)
{
    double got = value(text, x, 0);
    cr_expect(fabs(got - expected) <= 2 * DBL_EPSILON * fabs(expected), "\"%s\" at %g: %.17g, expected %.17g", text, x, got,
              expected);
}

Test(reference, values)
{
    static const double points[] = {0.0625, 0.7, 1.0, 3.25};
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        const double x = points[i];
        expect_value("exp(x) ", x, exp(x));
        expect_value("expm1(x)", x, expm1(x));
        expect_value("log(x)", x, log(x));
        expect_value("log1p(x)", x, log1p(x));
        expect_value("sqrt(x)", x, sqrt(x));
        expect_value("sinh(x)", x, sinh(x));
        expect_value("cosh(x)", x, cosh(x));
        expect_value("tanh(x)", x, tanh(x));
        expect_value("erf(x)", x, erf(x));
        expect_value("erfc(x)", x, erfc(x));
        expect_value("sin(x)", x, sin(x));
        expect_value("cos(x)", x, cos(x));
        expect_value("atan(x)", x, atan(x));
        expect_value("asinh(x)", x, asinh(x));
        expect_value("pow(x, a)", x, pow(x, params[0]));
        expect_value("2 * x + x * 3 - a / 4 / b", x, 2 * x + x * 3 - params[0] / 4 / params[1]);
        expect_value("x < 1 ? 1 : x <= 1 ? 2 : x == 3.25 ? 3 : 4", x, x < 1 ? 1 : x <= 1 ? 2 : 3);
        expect_value("x > 1 || x >= 1 && x != 1 ? 1 : !x + 2", x, x > 1 ? 1 : 2);
        expect_value("0x1p-3 + 1e1 + .5", x, 10.625);
    }
}

/* Where digits cancel, or numbers underflow or overflow on the way. */
Test(reference, hard_places)
{
    cr_expect_eq(value("x - tanh(x)", 1e-100, 0), 3.3333333333333333e-301);
    cr_expect_eq(value("(1 - exp(-x)) / (1 + exp(-x)) - tanh(x / 2)", 3.0, 0), 0.0);
    cr_expect_eq(value("1 / (1 + exp(-x))", -745.0, 1), DBL_TRUE_MIN);
    cr_expect_eq(value("1 / (1 + exp(-x))", -1e300, 2), 0.0);
    cr_expect_eq(value("log(1 + exp(x))", 1e300, 0), 1e300);
    cr_expect_eq(value("log(1 + exp(x))", 1e300, 1), 1.0);
    cr_expect_eq(value("log(1 + exp(1000 * x)) / 1000", 1e8, 0), 1e8);
    cr_expect_eq(value("x * (1 + erf(x / sqrt(2))) / 2", -1e5, 0), 0.0);
    for (double x = -38.0; x < 0.0; x += 1.5)
        for (int order = 0; order < 3; order++)
            cr_expect_eq(value("x * (1 + erf(x / sqrt(2))) / 2", x, order), value("x * erfc(-x / sqrt(2)) / 2", x, order));
    cr_expect_eq(value("exp(x)", 1e300, 0), INFINITY);
    cr_expect(isnan(value("log(x)", -1.0, 0)));
    cr_expect(isnan(value("1 / x", 0.0, 0)));
    cr_expect(isnan(value("x == sqrt(2) * sqrt(2) ? 1 : 0", 2.0, 0)), "what cannot be decided is not guessed");
}

/* abs, min and max continue what holds left of a kink; smooth functions written with them keep their derivatives. */
Test(reference, kinks)
{
    cr_expect_eq(value("max(x, 0)", 0.0, 1), 0.0);
    cr_expect_eq(value("max(0, x)", 0.0, 1), 0.0);
    cr_expect_eq(value("min(x, 0)", 0.0, 1), 1.0);
    cr_expect_eq(value("abs(x)", 0.0, 1), -1.0);
    cr_expect_eq(value("x > 0 ? x : 0", 0.0, 1), 0.0);
    cr_expect_eq(value("x >= 0 ? x : 0", 0.0, 1), 1.0);
    cr_expect_eq(value("max(x, 0) + log1p(exp(-abs(x)))", 0.0, 1), 0.5);
    cr_expect_eq(value("max(x, 0) + log1p(exp(-abs(x)))", 0.0, 2), 0.25);
    cr_expect_eq(value("min(x, 0) - log1p(exp(-abs(x)))", 0.0, 1), 0.5);
}

static void expect_limits(const char *text, int direction, double f, double df, double ddf)
{
    double limit[3], expected[3] = {f, df, ddf};
    formula *g = parse(text);
    formula_limit(g, params, direction, limit);
    for (int order = 0; order < 3; order++)
        cr_expect(limit[order] == expected[order] || (isnan(limit[order]) && isnan(expected[order])),
                  "derivative %d of \"%s\" goes to %g, expected %g", order, text, limit[order], expected[order]);
    formula_free(g);
}

Test(reference, limits)
{
    expect_limits("tanh(x)", -1, -1, 0, 0);
    expect_limits("1 / (1 + exp(-x))", -1, 0, 0, 0);
    expect_limits("log(1 + exp(x))", 1, INFINITY, 1, 0);
    expect_limits("x * (1 + erf(x / sqrt(2))) / 2", -1, 0, 0, 0);
    expect_limits("x / sqrt(1 + x * x)", 1, 1, 0, 0);
    expect_limits("asinh(x)", -1, -INFINITY, 0, 0);
    expect_limits("x * x", -1, INFINITY, -INFINITY, 2);
    expect_limits("sin(x)", 1, NAN, NAN, NAN);
}

/* ---- Parser ----------------------------------------------------------------------------------------------------------- */

Test(reference, parse_errors)
{
    static const char *const cases[][2] = {
        {"", "column 1: the formula ends too early"},
        {"1 +", "column 4: the formula ends too early"},
        {"(x", "column 3: expected ')'"},
        {"x)", "column 2: unexpected ')'"},
        {"x x", "column 3: unexpected 'x'"},
        {"x ? 1", "column 6: expected ':'"},
        {"c * x", "column 1: no parameter 'c'"},
        {"exp x", "column 1: no parameter 'exp'"},
        {"gelu(x)", "column 6: no function 'gelu'"},
        {"min(x)", "column 6: expected ','"},
        {"abs(x, x)", "column 6: expected ')'"},
        {"3x", "column 1: not a number"},
        {".", "column 1: not a number"},
        {"x = 1", "column 3: unexpected '='"},
    };
    static const char *const names[] = {"a"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char error[128] = "no error";
        formula *f = formula_parse(cases[i][0], names, 1, error, sizeof error);
        cr_expect_null(f, "\"%s\" was taken", cases[i][0]);
        cr_expect_str_eq(error, cases[i][1], "\"%s\": %s, expected %s", cases[i][0], error, cases[i][1]);
        formula_free(f);
    }
}

Test(reference, endless_formulas)
{
    static const char *const repeated[][2] = {
        {"(", "column 65: nested too deep"},
        {"-", "column 65: nested too deep"},
        {"x?x:", "column 255: nested too deep"},
        {"x+", "column 258: too long"},
    };
    for (size_t i = 0; i < sizeof repeated / sizeof *repeated; i++) {
        static char text[40001];
        char error[128], cut[8];
        for (size_t j = 0; j < 40000; j++)
            text[j] = repeated[i][0][j % strlen(repeated[i][0])];
        cr_expect_null(formula_parse(text, NULL, 0, error, sizeof error));
        cr_expect_str_eq(error, repeated[i][1]);
        cr_expect_null(formula_parse(text, NULL, 0, cut, sizeof cut));
        cr_expect_str_eq(cut, "column ");
    }
}

/* ---- Errors in ULP ---------------------------------------------------------------------------------------------------- */

static void expect_ulp(const ulp_format *format, double got, double exact, double expected)
{
    mpfr_t number;
    mpfr_init2(number, 53);
    mpfr_set_d(number, exact, MPFR_RNDN);
    double by_mpfr = isinf(exact) ? expected : ulp_error(format, got, number), by_double = ulp_error_double(format, got, exact);
    cr_expect(by_mpfr == expected && by_double == expected, "%s: got %a for %a: %g and %g ULP, expected %g", format->name, got,
              exact, by_mpfr, by_double, expected);
    mpfr_clear(number);
}

Test(reference, ulps)
{
    expect_ulp(&ulp_float32, 1.0, 1.0, 0.0);
    expect_ulp(&ulp_float32, -0.0, 0.0, 0.0);
    expect_ulp(&ulp_float32, 1.0 + 0x1p-23, 1.0, 1.0);
    expect_ulp(&ulp_float32, 1.0, 1.0 + 0x1p-24, 0.5);
    expect_ulp(&ulp_float32, 1.0 - 0x1p-24, 1.0, 1.0);
    expect_ulp(&ulp_float32, 1.0 - 0x1p-24, 1.0 + 0x1p-24, 2.0); /* not its neighbour: 1 is in between */
    expect_ulp(&ulp_float32, -1.0, 1.0, 0x1p24);
    expect_ulp(&ulp_float32, 0.0, 0x1p-149, 1.0);
    expect_ulp(&ulp_float32, 0x1p-149, 0x1p-150, 0.5);
    expect_ulp(&ulp_float32, 0x1.8p-148, 0x1p-148, 1.0);
    expect_ulp(&ulp_float32, FLT_MAX, 0x1.ffffffp127, 0.5);
    expect_ulp(&ulp_float32, INFINITY, 0x1.ffffffp127, 0.0);
    expect_ulp(&ulp_float32, INFINITY, 0x1.fffffefp127, INFINITY);
    expect_ulp(&ulp_float32, -INFINITY, 1e300, INFINITY);
    expect_ulp(&ulp_float32, INFINITY, 1e300, 0.0);
    expect_ulp(&ulp_float32, NAN, 1.0, INFINITY);
    expect_ulp(&ulp_float32, 1.0, NAN, INFINITY);
    expect_ulp(&ulp_float32, NAN, NAN, 0.0);
    expect_ulp(&ulp_float64, 1.0 + DBL_EPSILON, 1.0, 1.0);
    expect_ulp(&ulp_float64, 0.0, 3 * DBL_TRUE_MIN, 3.0);
    expect_ulp(&ulp_float64, INFINITY, DBL_MAX, INFINITY);
    expect_ulp(&ulp_float64, DBL_MAX, INFINITY, INFINITY);
    expect_ulp(&ulp_float64, -INFINITY, -INFINITY, 0.0);
}
