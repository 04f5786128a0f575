/* Instruction sets that round alike, those that fuse multiply and add and those that do not, have the same bits: every row of
 * activations.def, f and its derivatives, products with gradients and what is made of parameters that are tensors, under every
 * instruction set that this CPU has. NaN is NaN, whatever else its bits say. dispatch.c holds them against one another where
 * they do not round alike. */
#include "accuracy/points.h"
#include "accuracy/sweep.h"
#include "engine/activation_rows.h"

/* ---- float32, over all of its range ---- */

static void check_floats(rille_context *cx, const activation_row *row, rille_dtype dtype)
{
    enum { STRIDE = 16381, SAMPLES = 262000 };
    (void)cx;
    bool all[RL_ISA_COUNT];
    memset(all, true, sizeof all);
    for (int k = 0; dtype == RILLE_FLOAT32 && k < QUANTITIES; k++) {
        sweep_difference found[RL_ISA_COUNT] = {{.count = 0}};
        sweep_differences(row, k, 0, (uint64_t)1 << 32, STRIDE, all, found);
        for (int isa = 0; isa < RL_ISA_COUNT; isa++) {
            const sweep_difference *d = &found[isa];
            if (rl_isa_name(isa) == NULL || isa_alike(isa) == isa)
                continue;
            cr_expect(d->samples >= SAMPLES, "%s of %s: only %llu floats compared", quantity_name[k], row->label,
                      (unsigned long long)d->samples);
            cr_expect(d->count == 0, "%s of %s: %llu floats differ, first at %a: %s gives %.9g, %s %.9g", quantity_name[k],
                      row->label, (unsigned long long)d->count, (double)float_of_bits(d->bits), rl_isa_name(isa_alike(isa)),
                      (double)d->expected, rl_isa_name(isa), (double)d->got);
        }
    }
}

Test(agreement, float32)
{
    for_each_row(check_floats);
}

/* ---- Points of either dtype ---- */

typedef struct inputs {
    rille_dtype dtype;
    size_t count;
    double *x, *gradient; /* of that dtype */
    double *column[RILLE_MAX_PARAMETERS];
} inputs;

static inputs take_inputs(const activation_row *row, rille_dtype dtype)
{
    points p = {.dtype = dtype};
    uint64_t state = 1;
    add_random(&p, 2000, 1);
    inputs in = {dtype, p.count, take(p.count, sizeof(double)), take(p.count, sizeof(double)), .column = {NULL}};
    for (size_t i = 0; i < p.count; i++) {
        set_element(dtype, in.x, i, p.x[i]);
        set_element(dtype, in.gradient, i, random_uniform(&state, -2.0, 2.0));
    }
    for (int k = 0; k < row->info->parameter_count; k++) {
        const rille_parameter *parameter = &row->info->parameter[k];
        in.column[k] = take(p.count, sizeof(double));
        for (size_t i = 0; i < p.count; i++) {
            double moved = row->params[k] + random_uniform(&state, -0.25, 0.25);
            in.column[k][i] = fmin(fmax(moved, parameter->low), parameter->high);
        }
    }
    free(p.x);
    return in;
}

static void release(inputs *in)
{
    free(in->x);
    free(in->gradient);
    for (int k = 0; k < RILLE_MAX_PARAMETERS; k++)
        free(in->column[k]);
}

/* What the kernels of one instruction set make of the inputs. */
typedef void kernel_call(int isa, const activation_row *row, const inputs *in, int which, double *y);

static void call_quantity(int isa, const activation_row *row, const inputs *in, int which, double *y)
{
    compute_with(isa, row, which, in->dtype, in->count, in->gradient, in->x, y);
}

static void call_columns(int isa, const activation_row *row, const inputs *in, int which, double *y)
{
    const rl_term term = (rl_term)(which / RILLE_MAX_PARAMETERS);
    rl_activation_kernels_of(isa)->column[row->act][in->dtype](in->count, term, which % RILLE_MAX_PARAMETERS, in->gradient,
                                                               in->x, y, (const double *const *)in->column);
}

static bool same_bits(double a, double b)
{
    return (a == b && signbit(a) == signbit(b)) || (isnan(a) && isnan(b));
}

static void check_call(const activation_row *row, const inputs *in, kernel_call *call, int which, const char *what)
{
    double *expected = take(in->count, sizeof(double)), *got = take(in->count, sizeof(double));
    for (int isa = 0; isa < RL_ISA_COUNT; isa++) {
        const int alike = rl_isa_name(isa) == NULL ? isa : isa_alike(isa);
        if (alike == isa)
            continue;
        call(alike, row, in, which, expected);
        call(isa, row, in, which, got);
        size_t i = 0;
        while (i < in->count && same_bits(element(in->dtype, expected, i), element(in->dtype, got, i)))
            i++;
        cr_expect(i == in->count, "%s of %s in %s at x = %a: %s gives %a, %s %a", what, row->label, rille_dtype_name(in->dtype),
                  element(in->dtype, in->x, i), rl_isa_name(alike), element(in->dtype, expected, i), rl_isa_name(isa),
                  element(in->dtype, got, i));
    }
    free(expected);
    free(got);
}

static void check_points(rille_context *cx, const activation_row *row, rille_dtype dtype)
{
    (void)cx;
    inputs in = take_inputs(row, dtype);
    for (int k = 0; k < QUANTITIES; k++)
        check_call(row, &in, call_quantity, k, quantity_name[k]);
    release(&in);
}

Test(agreement, at_points)
{
    for_each_row(check_points);
}

/* ---- Parameters that are tensors ---- */

static void check_columns(rille_context *cx, const activation_row *row, rille_dtype dtype)
{
    static const char *const term_name[] = {"f", "f_x", "f_xx", "f_p", "f_xp", "f_pp"};
    (void)cx;
    if (rl_activation_kernels_of(best_isa())->column[row->act][dtype] == NULL)
        return;
    inputs in = take_inputs(row, dtype);
    for (int term = RL_F; term <= RL_F_PP; term++)
        for (int p = 0; p < (term < RL_F_P ? 1 : row->info->parameter_count); p++)
            check_call(row, &in, call_columns, RILLE_MAX_PARAMETERS * term + p, term_name[term]);
    release(&in);
}

Test(agreement, parameters_that_are_tensors)
{
    for_each_row(check_columns);
}
