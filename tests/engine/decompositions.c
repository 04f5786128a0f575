/* QR and singular value decompositions: what defines them, over dtypes, shapes and layouts; closed forms; what cannot be had. */
#include "engine/random_layouts.h"

#include <float.h>

static rille_tensor *turned(rille_tensor *t)
{
    return rille_transpose(t, -2, -1);
}

static double farthest(rille_tensor *a, rille_tensor *b) /* the largest |a - b|; 0 where there is none */
{
    double most = 0;
    cr_assert(a != NULL && has_shape(b, rille_rank(a), rille_shape(a)));
    for (int64_t i = 0; i < rille_numel(a); i++) {
        const double far = (double)fabsl(value_of(a, i) - value_of(b, i));
        most = far <= most ? most : far;
    }
    return most;
}

static void expect_orthonormal(rille_tensor *columns, double tolerance)
{
    const int64_t k = rille_shape(columns)[rille_rank(columns) - 1];
    rille_tensor *products = rille_matmul(turned(columns), columns);
    rille_tensor *eye = rille_eye(rille_context_of(columns), rille_dtype_of(columns), k);
    const double error = farthest(products, rille_expand(eye, rille_rank(products), rille_shape(products)));
    cr_expect(error <= tolerance, "columns are orthonormal but for %g", error);
}

/* A random matrix, or some, of up to 40 rows and columns, laid out at random. */
static rille_tensor *random_matrices(rille_context *cx, uint64_t *rng, rille_dtype dtype)
{
    int64_t shape[4];
    const int rank = 2 + (int)random_below(rng, 3);
    for (int d = 0; d < rank; d++)
        shape[d] = d < rank - 2 ? random_below(rng, 4) : random_below(rng, 41);
    return random_layout(cx, rng, dtype, FINITE, rank, shape);
}

static double tolerance_of(rille_dtype dtype) /* for elements of about 1, 40 to a row */
{
    return dtype == RILLE_FLOAT32 ? 400 * (double)FLT_EPSILON : 400 * DBL_EPSILON;
}

Test(decompositions, qr_of_random_matrices)
{
    uint64_t rng = 1;
    for (int round = 0; round < 300; round++) {
        rille_context *cx = open_with(1 + round % 3, 0);
        const rille_dtype dtype = round % 2 == 0 ? RILLE_FLOAT32 : RILLE_FLOAT64;
        rille_tensor *t = random_matrices(cx, &rng, dtype), *q, *r;
        cr_assert_eq(rille_qr(t, &q, &r), RILLE_OK, "%s", rille_error(cx));
        cr_expect(rille_dtype_of(q) == dtype && rille_dtype_of(r) == dtype);
        expect_orthonormal(q, tolerance_of(dtype));
        cr_expect(farthest(r, rille_triu(r, 0)) <= 0, "R is upper triangular");
        const double error = farthest(rille_matmul(q, r), t);
        cr_expect(error <= 10 * tolerance_of(dtype), "Q R is the matrix but for %g", error);
        EXPECT_NO_ERROR(cx);
        rille_close(cx);
    }
}

Test(decompositions, svd_of_random_matrices)
{
    uint64_t rng = 2;
    for (int round = 0; round < 300; round++) {
        rille_context *cx = open_with(1 + round % 3, 0);
        const rille_dtype dtype = round % 2 == 0 ? RILLE_FLOAT32 : RILLE_FLOAT64;
        const double tolerance = tolerance_of(dtype);
        rille_tensor *t = random_matrices(cx, &rng, dtype), *u, *s, *vt;
        cr_assert_eq(rille_svd(t, &u, &s, &vt), RILLE_OK, "%s", rille_error(cx));
        cr_expect(rille_dtype_of(u) == dtype && rille_dtype_of(s) == dtype && rille_dtype_of(vt) == dtype);
        expect_orthonormal(u, tolerance);
        expect_orthonormal(turned(vt), tolerance);
        const double error = farthest(rille_matmul(rille_mul(u, rille_unsqueeze(s, -2)), vt), t);
        cr_expect(error <= 10 * tolerance, "U S V^T is the matrix but for %g", error);
        rille_tensor *ordered = rille_sort(rille_abs(s), -1, true, NULL);
        cr_expect(farthest(ordered, s) <= 0, "values descend, and none is negative");
        cr_expect(farthest(rille_svdvals(t), s) <= 10 * tolerance, "svdvals are svd's");
        EXPECT_NO_ERROR(cx);
        rille_close(cx);
    }
}

Test(decompositions, closed_forms)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *t = rille_from(cx, RILLE_FLOAT64, SHAPE(3, 2), (double[]){3, 5, 0, 2, -4, 10}), *q, *r, *u, *s, *vt;
    cr_assert_eq(rille_qr(t, &q, &r), RILLE_OK); /* R = [-5, 5; 0, sqrt(104)] up to signs: q1 = (3, 0, -4) / 5 */
    rille_tensor *expected = rille_from(cx, RILLE_FLOAT64, SHAPE(2, 2), (double[]){5, 5, 0, sqrt(104)});
    cr_expect(farthest(rille_abs(r), expected) <= 1e-14);
    t = rille_from(cx, RILLE_FLOAT64, SHAPE(2, 3), (double[]){0, -3, 0, 2, 0, 0}); /* singular values 3 and 2 */
    cr_assert_eq(rille_svd(t, &u, &s, &vt), RILLE_OK);
    cr_expect(farthest(s, rille_from(cx, RILLE_FLOAT64, SHAPE(2), (double[]){3, 2})) <= 1e-15);
    cr_expect(has_shape(u, SHAPE(2, 2)) && has_shape(vt, SHAPE(2, 3)));
    t = rille_from(cx, RILLE_UINT8, SHAPE(2, 2), (uint8_t[]){1, 1, 1, 1}); /* of rank 1 */
    s = rille_svdvals(t);
    cr_expect_eq(rille_dtype_of(s), RILLE_FLOAT32);
    cr_expect(farthest(s, rille_from(cx, RILLE_FLOAT32, SHAPE(2), (float[]){2, 0})) <= 4e-7);
    const double tiny[] = {3e-300, 0, 0, 4e-310}, huge[] = {3e300, 0, 0, 4e300};
    s = rille_svdvals(rille_from(cx, RILLE_FLOAT64, SHAPE(2, 2), tiny));
    cr_expect(fabs((double)value_of(s, 0) / 3e-300 - 1) <= 1e-14 && fabs((double)value_of(s, 1) / 4e-310 - 1) <= 1e-6);
    s = rille_svdvals(rille_from(cx, RILLE_FLOAT64, SHAPE(2, 2), huge));
    cr_expect(fabs((double)value_of(s, 0) / 4e300 - 1) <= 1e-14 && fabs((double)value_of(s, 1) / 3e300 - 1) <= 1e-14);
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

Test(decompositions, of_nothing)
{
    static const int64_t shapes[][3] = {{2, 0, 5}, {2, 5, 0}, {0, 5, 4}, {0, 4, 5}, {3, 0, 0}};
    rille_context *cx = open_with(2, 0);
    for (int i = 0; i < 5; i++) {
        const int64_t b = shapes[i][0], m = shapes[i][1], n = shapes[i][2], k = m < n ? m : n;
        rille_tensor *t = rille_zeros(cx, RILLE_FLOAT32, 3, shapes[i]), *q, *r, *u, *s, *vt, *g = NULL;
        rille_set_requires_grad(t, true);
        cr_assert_eq(rille_qr(t, &q, &r), RILLE_OK, "%s", rille_error(cx));
        cr_assert_eq(rille_svd(t, &u, &s, &vt), RILLE_OK, "%s", rille_error(cx));
        cr_expect(has_shape(q, SHAPE(b, m, k)) && has_shape(r, SHAPE(b, k, n)));
        cr_expect(has_shape(u, SHAPE(b, m, k)) && has_shape(s, SHAPE(b, k)) && has_shape(vt, SHAPE(b, k, n)));
        cr_expect(has_shape(rille_svdvals(t), SHAPE(b, k)));
        rille_tensor *total = rille_sum(rille_matmul(q, r), NULL, 0, false);
        total = rille_add(total, rille_sum(rille_matmul(u, vt), NULL, 0, false));
        total = rille_add(total, rille_sum(rille_svdvals(t), NULL, 0, false));
        cr_expect_eq(rille_grad(&total, 1, &t, 1, NULL, false, &g), RILLE_OK, "%s", rille_error(cx));
        cr_expect(has_shape(g, 3, shapes[i]));
    }
    rille_close(cx);
}

/* Where singular values are equal their gradient is finite, as long as that of the vectors is not asked for. */
Test(decompositions, gradients_of_equal_singular_values)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *t = rille_mul(rille_eye(cx, RILLE_FLOAT64, 3), rille_scalar(cx, RILLE_FLOAT64, 2)), *u, *s, *vt, *g[2];
    rille_set_requires_grad(t, true);
    cr_assert_eq(rille_svd(t, &u, &s, &vt), RILLE_OK);
    rille_tensor *total[] = {rille_sum(s, NULL, 0, false), rille_sum(rille_svdvals(t), NULL, 0, false)};
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(rille_grad(&total[i], 1, &t, 1, NULL, false, &g[i]), RILLE_OK);
        cr_expect(farthest(g[i], rille_eye(cx, RILLE_FLOAT64, 3)) <= 1e-15); /* of the sum: U V^T */
    }
    rille_tensor *weights = rille_reshape(rille_arange(cx, RILLE_FLOAT64, 0, 9, 1), SHAPE(3, 3));
    total[0] = rille_sum(rille_mul(u, weights), NULL, 0, false);
    cr_assert_eq(rille_grad(&total[0], 1, &t, 1, NULL, false, &g[0]), RILLE_OK);
    cr_expect_not(isfinite(rille_item(rille_sum(g[0], NULL, 0, false))));
    rille_close(cx);
}

Test(decompositions, what_cannot_be_had)
{
    rille_context *cx = open_with(2, 1);
    rille_tensor *q, *r, *u, *s, *vt;
    rille_tensor *line = rille_zeros(cx, RILLE_FLOAT32, SHAPE(4)), *some = rille_zeros(cx, RILLE_FLOAT32, SHAPE(3, 2, 2));
    q = r = u = s = vt = line;
    EXPECT_STATUS(cx, rille_qr(line, &q, &r), RILLE_ERROR_SHAPE, "qr: shape [4]; [..., m, n] expected");
    cr_expect(q == NULL && r == NULL);
    EXPECT_STATUS(cx, rille_svd(line, &u, &s, &vt), RILLE_ERROR_SHAPE, "svd: shape [4]; [..., m, n] expected");
    cr_expect(u == NULL && s == NULL && vt == NULL);
    ((float *)rille_data(some))[5] = NAN;
    ((float *)rille_data(some))[9] = INFINITY;
    EXPECT_STATUS(cx, rille_qr(some, &q, NULL), RILLE_ERROR_ARGUMENT, "qr: matrix 2 of 3: it holds a NaN or an infinity");
    EXPECT_STATUS(cx, rille_svd(some, NULL, &s, NULL), RILLE_ERROR_ARGUMENT,
                  "svd: matrix 2 of 3: it holds a NaN or an infinity");
    EXPECT_FAILS(cx, rille_svdvals(rille_select(some, 0, 2)), RILLE_ERROR_ARGUMENT, "svdvals: it holds a NaN or an infinity");
    rille_tensor *wide = rille_full(cx, RILLE_FLOAT64, SHAPE(1, 3), 1); /* beyond the columns that Q is made of */
    ((double *)rille_data(wide))[2] = -INFINITY;
    EXPECT_STATUS(cx, rille_qr(wide, &q, &r), RILLE_ERROR_ARGUMENT, "qr: it holds a NaN or an infinity");
    rille_tensor *large = rille_expand(rille_scalar(cx, RILLE_FLOAT32, 1), SHAPE(30000, 30000));
    EXPECT_FAILS(cx, rille_svdvals(large), RILLE_ERROR_SHAPE,
                 "svdvals: matrices of [30000, 30000] are larger than LAPACK takes");
    cr_expect_eq(rille_qr(NULL, NULL, NULL), RILLE_ERROR_NULL);
    cr_expect_eq(rille_svd(NULL, &u, &s, &vt), RILLE_ERROR_NULL);
    cr_expect_null(rille_svdvals(NULL));
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}
