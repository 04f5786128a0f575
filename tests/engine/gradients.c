/* The gradient of every operation, and the gradient of that gradient, against central differences. The samples are
 * held against ops.def: an operation without one fails, and so does a sample that does not use its operation. */
#include "engine/gradient_samples.h"

Test(gradients, every_operation_has_a_sample)
{
    for (int op = 0; op < RL_OP_COUNT; op++) {
        bool found = false;
        for (int s = 0; s < SAMPLES; s++)
            found = found || (int)samples[s].op == op;
        cr_expect(found, "'%s' of ops.def has no sample here, so nobody checks its gradient", rl_ops[op].name);
    }
}

Test(gradients, first)
{
    for (int s = 0; s < SAMPLES; s++) {
        const sample *a = &samples[s];
        rille_context *cx = rille_open(NULL);
        rille_tensor *x[MOST];
        for (int i = 0; i < a->count; i++)
            x[i] = make_input(cx, &a->input[i], i);
        rille_tensor *y = a->f(cx, x, a->count, NULL);
        cr_expect(y != NULL && graph_has(y->node, &rl_ops[a->op]), "the sample of %s does not use %s", a->name,
                  rl_ops[a->op].name);
        rille_gradcheck_result r;
        rille_status status = rille_gradcheck(cx, a->f, NULL, x, a->count, NULL, &r);
        cr_expect(status == RILLE_OK, "%s: %s", a->name, rille_error(cx));
        rille_close(cx);
    }
}

Test(gradients, second)
{
    int checked = 0;
    for (int s = 0; s < SAMPLES; s++) {
        const sample *a = &samples[s];
        if (a->integral)
            continue;
        rille_context *cx = rille_open(NULL);
        rille_tensor *x[MOST];
        for (int i = 0; i < a->count; i++)
            x[i] = make_input(cx, &a->input[i], i);
        rille_status status = rille_gradgradcheck(cx, a->f, NULL, x, a->count, NULL, NULL);
        cr_expect(status == RILLE_OK, "gradient of %s: %s", a->name, rille_error(cx));
        checked++;
        rille_close(cx);
    }
    cr_expect(checked > RL_OP_COUNT / 2);
}

static rille_tensor *activated(rille_context *cx, inputs x, int count, void *user)
{
    (void)cx;
    (void)count;
    return rille_activate(x[0], *(const rille_activation *)user, NULL);
}

static rille_tensor *slope(rille_context *cx, inputs x, int count, void *user)
{
    (void)cx;
    (void)count;
    return rille_derivative(x[0], *(const rille_activation *)user, 1, NULL);
}

Test(gradients, every_activation)
{
    for (rille_activation act = 0; act < RILLE_ACTIVATION_COUNT; act++) {
        rille_context *cx = rille_open(NULL);
        rille_activation_properties p;
        cr_assert_eq(rille_activation_evaluate(cx, act, NULL, &p), RILLE_OK);
        rille_gradcheck_options options = {.kink = p.kink, .kink_count = p.kink_count};
        rille_tensor *x = make_input(cx, &(operand){.rank = 1, .shape = {64}, .low = -8, .high = 8}, 0);
        const char *name = rille_activation_describe(act)->name;
        cr_expect(rille_gradcheck(cx, activated, &act, &x, 1, &options, NULL) == RILLE_OK, "%s: %s", name, rille_error(cx));
        cr_expect(rille_gradcheck(cx, slope, &act, &x, 1, &options, NULL) == RILLE_OK, "%s': %s", name, rille_error(cx));
        rille_close(cx);
    }
}

/* ---- gradcheck itself ---- */

/* x + x detached: the gradient is half of what the differences say. */
FUNCTION(wrong, rille_add(x[0], rille_detach(x[0])))
FUNCTION(not_a_number, rille_log(rille_neg(rille_abs(x[0]))))

Test(gradcheck, notices)
{
    rille_context *cx = rille_open(NULL);
    rille_tensor *x = make_input(cx, &(operand){.rank = 1, .shape = {3}, .low = -2, .high = 2}, 0);
    cr_expect_eq(rille_gradcheck(cx, wrong, NULL, &x, 1, NULL, NULL), RILLE_ERROR_CALLBACK);
    cr_expect_str_eq(rille_error(cx), "gradcheck: element 2 of input 0: analytic 1.35410197, numeric 2.70820393 (error 0.37, "
                                      "tolerance 1e-06)");
    rille_clear_error(cx);
    cr_expect_eq(rille_gradcheck(cx, not_a_number, NULL, &x, 1, NULL, NULL), RILLE_ERROR_CALLBACK);
    rille_clear_error(cx);
    double everywhere[] = {-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2};
    rille_gradcheck_options skip_all = {.step = 0.3, .kink = everywhere, .kink_count = 9};
    cr_expect_eq(rille_gradcheck(cx, f_clone, NULL, &x, 1, &skip_all, NULL), RILLE_ERROR_ARGUMENT);
    cr_expect_str_eq(rille_error(cx), "gradcheck: no element was checked (3 skipped at kinks)");
    rille_close(cx);
}

/* x^2 with the right gradient and a wrong gradient of that: 2 x detached. */
FUNCTION(wrong_twice, rille_with_derivative(rille_mul(rille_detach(x[0]), rille_detach(x[0])), x[0],
                                            rille_mul(rille_scalar(cx, RILLE_FLOAT64, 2), rille_detach(x[0]))))

Test(gradcheck, notices_a_wrong_second_gradient)
{
    rille_context *cx = rille_open(NULL);
    rille_tensor *x = make_input(cx, &(operand){.rank = 1, .shape = {3}, .low = -2, .high = 2}, 0), *many[16];
    rille_gradcheck_result result;
    cr_expect_eq(rille_gradcheck(cx, wrong_twice, NULL, &x, 1, NULL, NULL), RILLE_OK);
    cr_expect_eq(rille_gradgradcheck(cx, wrong_twice, NULL, &x, 1, NULL, &result), RILLE_ERROR_CALLBACK);
    cr_expect(result.input == 0 && result.analytic == 0 && fabs(result.numeric) > 1, "%s", rille_error(cx));
    rille_clear_error(cx);
    for (int i = 0; i < 16; i++)
        many[i] = x;
    cr_expect_eq(rille_gradgradcheck(cx, f_clone, NULL, many, 16, NULL, NULL), RILLE_ERROR_ARGUMENT);
    cr_expect_str_eq(rille_error(cx), "gradgradcheck: 16 inputs; 1 ... 15 expected");
    rille_close(cx);
}
