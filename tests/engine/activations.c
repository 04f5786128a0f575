/* How exact the activations are. Every row of activations.def, at every order, in both dtypes, under every instruction set that
 * this CPU has, against its formula evaluated in MPFR and differentiated there (reference/formula.h): nothing here knows a row
 * by name but the table of special values. */
#include "accuracy/comparison.h"
#include "accuracy/sweep.h"
#include "engine/activation_rows.h"

#include <float.h>

/* Errors must be less than this, in ULP. */
static const double FLOAT32_BOUND = 1.0, FLOAT64_BOUND = 2.0;

/* ---- Against MPFR ----------------------------------------------------------------------------------------------------- */

static void report(const activation_row *row, rille_dtype dtype, int isa, int quantity, const error *e, size_t samples)
{
    double bound = dtype == RILLE_FLOAT32 || quantity >= PRODUCTS ? FLOAT32_BOUND : FLOAT64_BOUND;
    const char *what = quantity_name[quantity], *in = rille_dtype_name(dtype), *set = rl_isa_name(isa);
    cr_log_info("%s: %s of %s in %s: %.3f ULP at %a, %zu points", set, what, row->label, in, e->ulp, e->x, e->samples);
    cr_expect(e->samples >= samples, "%s: %s of %s in %s: only %zu points compared", set, what, row->label, in, e->samples);
    cr_expect(e->ulp < bound, "%s: %s of %s in %s: error %g ULP at x = %a: %.17g, exactly %s", set, what, row->label, in,
              e->ulp, e->x, e->got, e->exact);
}

enum { NEIGHBOURS = 64 };

static void check_against_mpfr(rille_context *cx, const activation_row *row, rille_dtype dtype)
{
    (void)cx;
    points p = {.dtype = dtype};
    if (dtype == RILLE_FLOAT32)
        add_strided(&p, row->defaults ? 21487 : 429497); /* 200,000 floats, or 10,000 */
    else
        add_random(&p, row->defaults ? 20000 : 1000, 1);
    size_t samples = p.count;
    add_special(&p, row, NEIGHBOURS);
    sort_points(&p);
    error worst[RL_ISA_COUNT][QUANTITIES];
    compare_with_formula(row, &p, QUANTITIES, worst);
    for (int isa = 0; isa < RL_ISA_COUNT; isa++)
        for (int k = 0; rl_isa_name(isa) != NULL && k < QUANTITIES; k++)
            report(row, dtype, isa, k, &worst[isa][k], samples);
    free(p.x);
}

Test(accuracy, against_mpfr)
{
    for_each_row(check_against_mpfr);
}

/* ---- Many more floats, against the float64 kernel -------------------------------------------------------------------- */

static void check_against_float64(rille_context *cx, const activation_row *row, rille_dtype dtype)
{
    enum { DENSE_STRIDE = 1021 };
    (void)cx;
    bool all[RL_ISA_COUNT];
    memset(all, true, sizeof all);
    for (int order = 0; dtype == RILLE_FLOAT32 && row->defaults && order < ORDERS; order++) {
        sweep_error worst[RL_ISA_COUNT] = {{.ulp = 0.0}};
        sweep_floats(row, order, 0, (uint64_t)1 << 32, DENSE_STRIDE, all, worst);
        for (int isa = 0; isa < RL_ISA_COUNT; isa++) {
            const sweep_error *w = &worst[isa];
            error e = {.ulp = w->ulp, .x = (double)float_of_bits(w->bits), .got = (double)w->got, .samples = w->samples};
            snprintf(e.exact, sizeof e.exact, "%.17g", w->exact);
            if (rl_isa_name(isa) != NULL)
                report(row, dtype, isa, order, &e, 4000000);
        }
    }
}

Test(accuracy, float32_against_float64)
{
    for_each_row(check_against_float64);
}

/* ---- What is measured above is what a caller gets --------------------------------------------------------------------- */

static void check_calls(rille_context *cx, const activation_row *row, rille_dtype dtype)
{
    enum { LENGTH = 1000 };
    static double x[LENGTH], g[LENGTH], expected[LENGTH], y[LENGTH]; /* of either dtype */
    uint64_t state = 1;
    for (size_t i = 0; i < LENGTH; i++) {
        set_element(dtype, x, i, random_uniform(&state, -10.0, 10.0));
        set_element(dtype, g, i, random_uniform(&state, -10.0, 10.0));
    }
    for (int k = 0; k < QUANTITIES; k++) {
        compute_with(rl_isa(), row, k, dtype, LENGTH, g, x, expected);
        compute(cx, row, k, dtype, LENGTH, g, x, y);
        cr_expect(memcmp(y, expected, LENGTH * rille_dtype_size(dtype)) == 0, "%s of %s in %s: not from the kernel of %s",
                  quantity_name[k], row->label, rille_dtype_name(dtype), rille_isa());
    }
}

Test(accuracy, calls_use_these_kernels)
{
    for_each_row(check_calls);
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
    {"prelu", 0.0, {0.0, 0.25, 0.0}},
    {"prelu", -0.0, {-0.0, 0.25, 0.0}},
    {"prelu", TINY, {TINY, 1.0, 0.0}},
    {"prelu", -4 * TINY, {-TINY, 0.25, 0.0}},
    {"prelu", INFINITY, {INFINITY, 1.0, 0.0}},
    {"prelu", -INFINITY, {-INFINITY, 0.25, 0.0}},
    {"rrelu", 0.0, {0.0, 11.0 / 48, 0.0}},
    {"rrelu", -0.0, {-0.0, 11.0 / 48, 0.0}},
    {"rrelu", TINY, {TINY, 1.0, 0.0}},
    {"rrelu", -48 * TINY, {-11 * TINY, 11.0 / 48, 0.0}},
    {"rrelu", INFINITY, {INFINITY, 1.0, 0.0}},
    {"rrelu", -INFINITY, {-INFINITY, 11.0 / 48, 0.0}},
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
    {"hard_swish", 0.0, {0.0, 0.5, 1.0 / 3}},
    {"hard_swish", -0.0, {-0.0, 0.5, 1.0 / 3}},
    {"hard_swish", 4 * TINY, {2 * TINY, 0.5, 1.0 / 3}},
    {"hard_swish", -4 * TINY, {-2 * TINY, 0.5, 1.0 / 3}},
    {"hard_swish", -3.0, {0.0, 0.0, 0.0}},
    {"hard_swish", 3.0, {3.0, 1.0, 0.0}},
    {"hard_swish", INFINITY, {INFINITY, 1.0, 0.0}},
    {"hard_swish", -INFINITY, {0.0, 0.0, 0.0}},
    {"exponential", 0.0, {1.0, 1.0, 1.0}},
    {"exponential", -TINY, {1.0, 1.0, 1.0}},
    {"exponential", INFINITY, {INFINITY, INFINITY, INFINITY}},
    {"exponential", -INFINITY, {0.0, 0.0, 0.0}},
    {"elu", 0.0, {0.0, 1.0, 1.0}},
    {"elu", -0.0, {-0.0, 1.0, 1.0}},
    {"elu", TINY, {TINY, 1.0, 0.0}},
    {"elu", -TINY, {-TINY, 1.0, 1.0}},
    {"elu", INFINITY, {INFINITY, 1.0, 0.0}},
    {"elu", -INFINITY, {-1.0, 0.0, 0.0}},
    {"celu", 0.0, {0.0, 1.0, 1.0}},
    {"celu", -0.0, {-0.0, 1.0, 1.0}},
    {"celu", TINY, {TINY, 1.0, 0.0}},
    {"celu", -TINY, {-TINY, 1.0, 1.0}},
    {"celu", INFINITY, {INFINITY, 1.0, 0.0}},
    {"celu", -INFINITY, {-1.0, 0.0, 0.0}},
    {"selu", 0.0, {0.0, 0x1.c212cc640f030p+0, 0x1.c212cc640f030p+0}},
    {"selu", -0.0, {-0.0, 0x1.c212cc640f030p+0, 0x1.c212cc640f030p+0}},
    {"selu", TINY, {TINY, 0x1.0cfabd6a91132p+0, 0.0}},
    {"selu", -TINY, {-2 * TINY, 0x1.c212cc640f030p+0, 0x1.c212cc640f030p+0}},
    {"selu", INFINITY, {INFINITY, 0x1.0cfabd6a91132p+0, 0.0}},
    {"selu", -INFINITY, {-0x1.c212cc640f030p+0, 0.0, 0.0}},
    {"gaussian", 0.0, {1.0, -0.0, -2.0}},
    {"gaussian", -0.0, {1.0, 0.0, -2.0}},
    {"gaussian", TINY, {1.0, -2 * TINY, -2.0}},
    {"gaussian", -TINY, {1.0, 2 * TINY, -2.0}},
    {"gaussian", INFINITY, {0.0, -0.0, 0.0}},
    {"gaussian", -INFINITY, {0.0, 0.0, 0.0}},
    {"softplus", 0.0, {0x1.62e42fefa39efp-1, 0.5, 0.25}},
    {"softplus", -0.0, {0x1.62e42fefa39efp-1, 0.5, 0.25}},
    {"softplus", TINY, {0x1.62e42fefa39efp-1, 0.5, 0.25}},
    {"softplus", INFINITY, {INFINITY, 1.0, 0.0}},
    {"softplus", -INFINITY, {0.0, 0.0, 0.0}},
    {"log_sigmoid", 0.0, {-0x1.62e42fefa39efp-1, 0.5, -0.25}},
    {"log_sigmoid", -0.0, {-0x1.62e42fefa39efp-1, 0.5, -0.25}},
    {"log_sigmoid", -TINY, {-0x1.62e42fefa39efp-1, 0.5, -0.25}},
    {"log_sigmoid", INFINITY, {-0.0, 0.0, -0.0}},
    {"log_sigmoid", -INFINITY, {-INFINITY, 1.0, -0.0}},
    {"tanh_shrink", 0.0, {0.0, 0.0, 0.0}},
    {"tanh_shrink", -0.0, {-0.0, 0.0, -0.0}},
    {"tanh_shrink", TINY, {0.0, 0.0, 2 * TINY}},
    {"tanh_shrink", -TINY, {-0.0, 0.0, -2 * TINY}},
    {"tanh_shrink", INFINITY, {INFINITY, 1.0, 0.0}},
    {"tanh_shrink", -INFINITY, {-INFINITY, 1.0, -0.0}},
    {"scaled_tanh", 0.0, {0.0, 1.7159 * 2 / 3, -0.0}},
    {"scaled_tanh", -0.0, {-0.0, 1.7159 * 2 / 3, 0.0}},
    {"scaled_tanh", TINY, {TINY, 1.7159 * 2 / 3, -TINY}},
    {"scaled_tanh", -TINY, {-TINY, 1.7159 * 2 / 3, TINY}},
    {"scaled_tanh", INFINITY, {1.7159, 0.0, -0.0}},
    {"scaled_tanh", -INFINITY, {-1.7159, 0.0, 0.0}},
    {"lisht", 0.0, {0.0, 0.0, 2.0}},
    {"lisht", -0.0, {0.0, -0.0, 2.0}},
    {"lisht", TINY, {0.0, 2 * TINY, 2.0}},
    {"lisht", -TINY, {0.0, -2 * TINY, 2.0}},
    {"lisht", INFINITY, {INFINITY, 1.0, -0.0}},
    {"lisht", -INFINITY, {INFINITY, -1.0, -0.0}},
    {"threshold", 0.0, {0.0, 0.0, 0.0}},
    {"threshold", -0.0, {0.0, 0.0, 0.0}},
    {"threshold", TINY, {TINY, 1.0, 0.0}},
    {"threshold", -TINY, {0.0, 0.0, 0.0}},
    {"threshold", INFINITY, {INFINITY, 1.0, 0.0}},
    {"threshold", -INFINITY, {0.0, 0.0, 0.0}},
    {"srelu", 0.0, {0.0, 0.2, 0.0}},
    {"srelu", -0.0, {0.0, 0.2, 0.0}},
    {"srelu", TINY, {TINY, 1.0, 0.0}},
    {"srelu", -10 * TINY, {-2 * TINY, 0.2, 0.0}},
    {"srelu", INFINITY, {INFINITY, 1.0, 0.0}},
    {"srelu", -INFINITY, {-INFINITY, 0.2, 0.0}},
    {"bent_identity", 0.0, {0.0, 1.0, 0.5}},
    {"bent_identity", -0.0, {0.0, 1.0, 0.5}},
    {"bent_identity", TINY, {TINY, 1.0, 0.5}},
    {"bent_identity", -TINY, {-TINY, 1.0, 0.5}},
    {"bent_identity", INFINITY, {INFINITY, 1.5, 0.0}},
    {"bent_identity", -INFINITY, {-INFINITY, 0.5, 0.0}},
    {"erf", 0.0, {0.0, 0x1.20dd750429b6dp+0, -0.0}},
    {"erf", -0.0, {-0.0, 0x1.20dd750429b6dp+0, 0.0}},
    {"erf", TINY, {TINY, 0x1.20dd750429b6dp+0, -2 * TINY}},
    {"erf", -TINY, {-TINY, 0x1.20dd750429b6dp+0, 2 * TINY}},
    {"erf", INFINITY, {1.0, 0.0, -0.0}},
    {"erf", -INFINITY, {-1.0, 0.0, 0.0}},
    {"gelu", 0.0, {0.0, 0.5, 0x1.9884533d43651p-1}},
    {"gelu", -0.0, {-0.0, 0.5, 0x1.9884533d43651p-1}},
    {"gelu", 2 * TINY, {TINY, 0.5, 0x1.9884533d43651p-1}},
    {"gelu", -2 * TINY, {-TINY, 0.5, 0x1.9884533d43651p-1}},
    {"gelu", INFINITY, {INFINITY, 1.0, -0.0}},
    {"gelu", -INFINITY, {-0.0, -0.0, -0.0}},
    {"silu", 0.0, {0.0, 0.5, 0.5}},
    {"silu", -0.0, {-0.0, 0.5, 0.5}},
    {"silu", 16 * TINY, {8 * TINY, 0.5, 0.5}},
    {"silu", -16 * TINY, {-8 * TINY, 0.5, 0.5}},
    {"silu", INFINITY, {INFINITY, 1.0, -0.0}},
    {"silu", -INFINITY, {-0.0, -0.0, -0.0}},
    {"swish", 0.0, {0.0, 0.5, 0.5}},
    {"swish", -0.0, {-0.0, 0.5, 0.5}},
    {"swish", 16 * TINY, {8 * TINY, 0.5, 0.5}},
    {"swish", -16 * TINY, {-8 * TINY, 0.5, 0.5}},
    {"swish", INFINITY, {INFINITY, 1.0, -0.0}},
    {"swish", -INFINITY, {-0.0, -0.0, -0.0}},
    {"gelu_quick", 0.0, {0.0, 0.5, 0.851}},
    {"gelu_quick", -0.0, {-0.0, 0.5, 0.851}},
    {"gelu_quick", 16 * TINY, {8 * TINY, 0.5, 0.851}},
    {"gelu_quick", -16 * TINY, {-8 * TINY, 0.5, 0.851}},
    {"gelu_quick", INFINITY, {INFINITY, 1.0, -0.0}},
    {"gelu_quick", -INFINITY, {-0.0, -0.0, -0.0}},
    {"gelu_tanh", 0.0, {0.0, 0.5, 0x1.9884533d43651p-1}},
    {"gelu_tanh", -0.0, {-0.0, 0.5, 0x1.9884533d43651p-1}},
    {"gelu_tanh", 16 * TINY, {8 * TINY, 0.5, 0x1.9884533d43651p-1}},
    {"gelu_tanh", -16 * TINY, {-8 * TINY, 0.5, 0x1.9884533d43651p-1}},
    {"gelu_tanh", INFINITY, {INFINITY, 1.0, -0.0}},
    {"gelu_tanh", -INFINITY, {-0.0, -0.0, -0.0}},
    {"mish", 0.0, {0.0, 0.6, 0.64}},
    {"mish", -0.0, {-0.0, 0.6, 0.64}},
    {"mish", 16 * TINY, {10 * TINY, 0.6, 0.64}},
    {"mish", -16 * TINY, {-10 * TINY, 0.6, 0.64}},
    {"mish", INFINITY, {INFINITY, 1.0, -0.0}},
    {"mish", -INFINITY, {-0.0, -0.0, -0.0}},
    {"tanhexp", 0.0, {0.0, 0x1.85efab514f394p-1, 0x1.ae0dc0f990c45p-1}},
    {"tanhexp", -0.0, {-0.0, 0x1.85efab514f394p-1, 0x1.ae0dc0f990c45p-1}},
    {"tanhexp", 16 * TINY, {12 * TINY, 0x1.85efab514f394p-1, 0x1.ae0dc0f990c45p-1}},
    {"tanhexp", -16 * TINY, {-12 * TINY, 0x1.85efab514f394p-1, 0x1.ae0dc0f990c45p-1}},
    {"tanhexp", INFINITY, {INFINITY, 1.0, -0.0}},
    {"tanhexp", -INFINITY, {-0.0, -0.0, -0.0}},
    {"xielu", 0.0, {0.0, 0.5, 0.8}},
    {"xielu", -0.0, {0.0, 0.5, 0.8}},
    {"xielu", 2 * TINY, {TINY, 0.5, 1.6}},
    {"xielu", -2 * TINY, {-TINY, 0.5, 0.8}},
    {"xielu", -TINY, {-0.0, 0.5, 0.8}},
    {"xielu", INFINITY, {INFINITY, INFINITY, 1.6}},
    {"xielu", -INFINITY, {INFINITY, 0.5 - 0.8, 0.0}},
};

static double in_dtype(rille_dtype dtype, double value)
{
    if (value != 0.0 && fabs(value) < DBL_MIN)
        return number_at(dtype, rank_of(RILLE_FLOAT64, value));
    return dtype == RILLE_FLOAT32 ? (double)(float)value : value;
}

enum { SPECIALS = sizeof specials / sizeof *specials };

static int specials_checked;

static void check_special(const activation_row *row, rille_dtype dtype, int isa, int order, const special *at)
{
    double x = in_dtype(dtype, at->x), expected = in_dtype(dtype, at->y[order]), got = value_with(isa, row, dtype, order, x);
    cr_expect(got == expected && signbit(got) == signbit(expected), "%s: %s of %s in %s at %g: %g, expected %g",
              rl_isa_name(isa), quantity_name[order], row->label, rille_dtype_name(dtype), x, got, expected);
}

static void check_specials(rille_context *cx, const activation_row *row, rille_dtype dtype)
{
    (void)cx;
    for (int i = 0; i < SPECIALS; i++) {
        if (!row->defaults || strcmp(specials[i].name, row->info->name) != 0)
            continue;
        for (int isa = 0; isa < RL_ISA_COUNT; isa++)
            for (int order = 0; rl_isa_name(isa) != NULL && order < ORDERS; order++)
                check_special(row, dtype, isa, order, &specials[i]);
        specials_checked++;
    }
}

Test(special_values, as_tabulated)
{
    int wanted = 0;
    for (int i = 0; i < SPECIALS; i++)
        wanted += is_wanted(specials[i].name);
    for_each_row(check_specials);
    cr_expect_eq(specials_checked, 2 * wanted, "only %d points checked: is a name not in the registry?", specials_checked);
}

/* Wherever NaN stands in a vector, however it is signed, NaN comes out; and nowhere else. */
static void check_nan(const activation_row *row, rille_dtype dtype, int isa)
{
    enum { LENGTH = 67 };
    double x[LENGTH], g[LENGTH], y[LENGTH]; /* of either dtype */
    for (size_t where = 0; where < LENGTH; where++) {
        for (size_t i = 0; i < LENGTH; i++) {
            set_element(dtype, x, i, i == where ? copysign(NAN, (double)(where % 2) - 0.5) : 0.5 * (double)i - 16.0);
            set_element(dtype, g, i, 1.0);
        }
        for (int k = 0; k < QUANTITIES; k++) {
            compute_with(isa, row, k, dtype, LENGTH, g, x, y);
            for (size_t i = 0; i < LENGTH; i++)
                cr_assert_eq(isnan(element(dtype, y, i)) != 0, i == where,
                             "%s: %s of %s in %s: element %zu is %g, NaN is at %zu", rl_isa_name(isa), quantity_name[k],
                             row->label, rille_dtype_name(dtype), i, element(dtype, y, i), where);
        }
    }
}

/* An infinite dy times f' is infinite, and NaN where f' is 0. */
static void check_infinite(const activation_row *row, rille_dtype dtype, int isa)
{
    static const double at[] = {-4.0, -2.5, -1.0, -0.25, 0.25, 1.0, 2.5, 4.0};
    enum { COUNT = sizeof at / sizeof *at };
    double x[COUNT], g[COUNT], y[COUNT], product[COUNT]; /* of either dtype */
    for (size_t i = 0; i < COUNT; i++) {
        set_element(dtype, x, i, at[i]);
        set_element(dtype, g, i, copysign(INFINITY, (double)(i % 2) - 0.5));
    }
    compute_with(isa, row, 1, dtype, COUNT, g, x, y);
    compute_with(isa, row, PRODUCTS, dtype, COUNT, g, x, product);
    for (size_t i = 0; i < COUNT; i++) {
        double expected = element(dtype, g, i) * element(dtype, y, i), got = element(dtype, product, i);
        cr_expect(got == expected || (isnan(got) && isnan(expected)), "%s: dy f' of %s in %s at %g: %g, expected %g",
                  rl_isa_name(isa), row->label, rille_dtype_name(dtype), at[i], got, expected);
    }
}

static void check_nans(rille_context *cx, const activation_row *row, rille_dtype dtype)
{
    (void)cx;
    for (int isa = 0; isa < RL_ISA_COUNT; isa++)
        if (rl_isa_name(isa) != NULL)
            check_nan(row, dtype, isa);
}

Test(special_values, nan_in_nan_out)
{
    for_each_row(check_nans);
}

static void check_infinite_gradients(rille_context *cx, const activation_row *row, rille_dtype dtype)
{
    (void)cx;
    for (int isa = 0; isa < RL_ISA_COUNT; isa++)
        if (rl_isa_name(isa) != NULL)
            check_infinite(row, dtype, isa);
}

Test(special_values, infinite_gradients)
{
    for_each_row(check_infinite_gradients);
}
