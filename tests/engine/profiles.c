/* Profiles: what is counted, and when. */
#include "engine/support.h"

#include <string.h>

static const rille_profile_row *row_of(const rille_profile_row *rows, int count, const char *operation, bool backward)
{
    for (int i = 0; i < count; i++)
        if (strcmp(rows[i].operation, operation) == 0 && rows[i].backward == backward)
            return &rows[i];
    cr_assert(false, "there is no row of %s%s", operation, backward ? " backward" : "");
    return NULL;
}

Test(profile, counts_products_and_bytes)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *a = rille_randn(cx, RILLE_FLOAT32, SHAPE(30, 40)), *b = rille_randn(cx, RILLE_FLOAT32, SHAPE(40, 50));
    rille_set_requires_grad(a, true);
    rille_matmul(a, b); /* not counted yet */
    cr_assert_eq(rille_profile_start(cx), RILLE_OK);
    rille_tensor *y = rille_sum(rille_tanh(rille_matmul(a, b)), NULL, 0, false);
    rille_backward(y, NULL);
    rille_mul(b, b);
    rille_mul(b, rille_scalar(cx, RILLE_FLOAT32, 2));
    const rille_profile_row *rows;
    double seconds = -1, sum = 0;
    int count = rille_profile_stop(cx, &rows, &seconds);
    rille_matmul(a, b); /* no more */
    EXPECT_NO_ERROR(cx);

    const rille_profile_row *product = row_of(rows, count, "matmul", false), *back = row_of(rows, count, "matmul", true);
    cr_expect_eq(product->calls, 1);
    cr_expect_eq(product->flops, 2.0 * 30 * 40 * 50);
    cr_expect_eq(product->bytes, 0);
    cr_expect_eq(back->flops, 2.0 * 30 * 40 * 50); /* b wants no gradient */
    cr_expect_eq(row_of(rows, count, "tanh", false)->bytes, 2.0 * 30 * 50 * 4);
    cr_expect_eq(row_of(rows, count, "tanh", true)->bytes, 3.0 * 30 * 50 * 4);
    const rille_profile_row *mul = row_of(rows, count, "mul", false);
    cr_expect_eq(mul->calls, 2);
    cr_expect_eq(mul->bytes, (3.0 + 2.0) * 40 * 50 * 4);
    for (int i = 0; i < count; i++) {
        cr_expect(rows[i].seconds >= 0 && rows[i].calls > 0);
        sum += rows[i].seconds;
    }
    cr_expect(sum > 0 && sum <= seconds, "%g of %g seconds", sum, seconds);
    rille_close(cx);
}

Test(profile, refuses)
{
    rille_context *cx = open_with(1, 0);
    cr_expect_eq(rille_profile_start(NULL), RILLE_ERROR_NULL);
    cr_expect_eq(rille_profile_stop(NULL, NULL, NULL), 0);
    double seconds = -1;
    cr_expect_eq(rille_profile_stop(cx, NULL, &seconds), 0, "none was started");
    cr_expect_eq(seconds, 0);
    cr_expect_eq(rille_profile_start(cx), RILLE_OK);
    EXPECT_STATUS(cx, rille_profile_start(cx), RILLE_ERROR_ARGUMENT, "profile: one is being taken already");
    cr_expect_eq(rille_profile_stop(cx, NULL, NULL), 0);
    cr_expect_eq(rille_profile_start(cx), RILLE_OK);
    rille_close(cx);
}
