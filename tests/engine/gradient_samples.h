/* Samples of every operation for gradients.c: the functions that use them, and what these are given. */
#ifndef TESTS_ENGINE_GRADIENT_SAMPLES_H
#define TESTS_ENGINE_GRADIENT_SAMPLES_H

#include "ops/lapack.h"
#include "ops/ops.h"
#include "ops/scan.h"

#include <criterion/criterion.h>
#include <math.h>

enum { MOST = 8 };

typedef struct operand {
    int rank;
    int64_t shape[4];
    double low, high; /* elements are spread over this range, in no order */
} operand;

typedef struct sample {
    const char *name;
    enum rl_op_id op;
    rille_function *f;
    int count;
    operand input[MOST - 1];
    bool integral; /* has no second derivative to speak of: gradcheck of the gradient is for the others */
} sample;

/* ---- Inputs ---- */

/* Elements spread over [low, high] by the golden ratio: no two alike, none at 0 or at a kink of a row. */
static rille_tensor *make_input(rille_context *cx, const operand *o, int seed)
{
    rille_tensor *t = rille_empty(cx, RILLE_FLOAT64, o->rank, o->shape);
    cr_assert_not_null(t);
    for (int64_t i = 0; i < t->numel; i++)
        ((double *)rille_data(t))[i] = o->low + (o->high - o->low) * fmod(0.6180339887498949 * (double)(i + 1 + 7 * seed), 1.0);
    cr_assert_eq(rille_set_requires_grad(t, true), RILLE_OK);
    return t;
}

/* ---- The functions: each uses its operation once ---- */

typedef rille_tensor *const *inputs;
#define FUNCTION(name, expression)                                                                                             \
    static rille_tensor *name(rille_context *cx, inputs x, int count, void *user)                                              \
    {                                                                                                                          \
        (void)cx;                                                                                                              \
        (void)count;                                                                                                           \
        (void)user;                                                                                                            \
        return expression;                                                                                                     \
    }

static rille_tensor *index_of(rille_context *cx) /* 2, 0, 2, 1: one slice twice */
{
    return rille_from(cx, RILLE_INT64, 1, (int64_t[]){4}, (int64_t[]){2, 0, 2, 1});
}

static rille_tensor *labels_of(rille_context *cx)
{
    return rille_from(cx, RILLE_INT64, 1, (int64_t[]){3}, (int64_t[]){3, 0, 1});
}

static rille_tensor *places_of(rille_context *cx) /* some of 3 rows, some twice, in two columns */
{
    return rille_from(cx, RILLE_INT64, 2, (int64_t[]){4, 2}, (int64_t[]){2, 0, 0, 1, 2, 0, 2, 0});
}

static rille_tensor *both_of_qr(rille_tensor *t)
{
    rille_tensor *q, *r;
    return rille_qr(t, &q, &r) != RILLE_OK ? NULL : rille_matmul(rille_sin(q), rille_sin(r));
}

/* Each column of U with the row of V^T that has its sign: what gradients may depend on. */
static rille_tensor *all_of_svd(rille_tensor *t)
{
    rille_tensor *u, *s, *vt, *pair[3];
    if (rille_svd(t, &u, &s, &vt) != RILLE_OK)
        return NULL;
    pair[0] = rille_matmul(rille_sin(u), rille_cat((rille_tensor *[]){vt, vt}, 2, -1));
    pair[1] = rille_matmul(rille_mul(u, rille_unsqueeze(s, -2)), rille_sin(vt));
    pair[2] = rille_unsqueeze(rille_mul(s, s), -2);
    return rille_add(rille_sum(pair[0], (int[]){-1}, 1, true), rille_mul(rille_sum(pair[2], (int[]){-1}, 1, true), pair[1]));
}

static rille_tensor *unbound(rille_tensor *t) /* the product of its columns */
{
    rille_tensor *part[3];
    return rille_unbind(t, 1, part) != RILLE_OK ? NULL : rille_mul(rille_mul(part[0], part[1]), part[2]);
}

FUNCTION(f_convert, rille_to(x[0], RILLE_FLOAT64))
FUNCTION(f_clone, rille_clone(x[0]))
FUNCTION(f_contiguous, rille_contiguous(rille_transpose(x[0], 0, 1)))
FUNCTION(f_reshape, rille_reshape(x[0], 2, (int64_t[]){-1, 2}))
FUNCTION(f_reshape_copied, rille_reshape(rille_transpose(x[0], 0, 1), 1, (int64_t[]){-1}))
FUNCTION(f_permute, rille_permute(x[0], (int[]){2, 0, 1}))
FUNCTION(f_narrow, rille_narrow(x[0], 1, 1, 2))
FUNCTION(f_select, rille_select(x[0], -1, 2))
FUNCTION(f_pad, rl_pad(x[0], 2, (int64_t[]){2, 5}, 1, 1))
FUNCTION(f_pad_and_cut, rille_pad(x[0], (int64_t[]){-1, 2}, (int64_t[]){1, -1}, 3))
FUNCTION(f_cat, rille_cat((rille_tensor *[]){x[0], x[1], x[0]}, 3, 1))
FUNCTION(f_cat_of_many,
         rille_cat((rille_tensor *[]){x[0], rille_transpose(x[1], 0, 1), x[0], x[0], x[0], x[0], x[0], x[0]}, 8, 0))
FUNCTION(f_stack, rille_stack((rille_tensor *[]){x[0], x[1]}, 2, -1))
FUNCTION(f_tile, rille_tile(x[0], 3, (int64_t[]){2, 1, 3}))
FUNCTION(f_roll, rille_roll(x[0], 3, 1))
FUNCTION(f_slice, rille_slice(x[0], 1, 6, 3, -3))
FUNCTION(f_slice_of_slice, rille_slice(rille_slice(x[0], 1, 0, 4, 2), 1, 3, 2, -2))
FUNCTION(f_flip, rille_flip(x[0], (int[]){0, -1}, 2))
FUNCTION(f_unfold, rille_unfold(x[0], 0, 3, 2))
FUNCTION(f_unfold_overlapping, rille_unfold(rille_transpose(x[0], 0, 1), 1, 4, 1))
FUNCTION(f_diagonal, rille_diagonal(x[0], -1, 2, 0))
FUNCTION(f_diag_embed, rille_diag_embed(x[0], 1))
FUNCTION(f_triu, rille_triu(x[0], 1))
FUNCTION(f_gather, rille_gather(x[0], 0, places_of(cx)))
FUNCTION(f_gather_last, rille_gather(rille_transpose(x[0], 0, 1), 1, rille_transpose(places_of(cx), 0, 1)))
FUNCTION(f_scatter, rille_scatter(x[0], 0, places_of(cx), x[1]))
FUNCTION(f_scatter_row, rille_scatter(x[0], 0, places_of(cx), x[1]))
FUNCTION(f_scatter_add, rille_scatter_add(x[0], 0, places_of(cx), x[1]))
FUNCTION(f_masked_select, rille_masked_select(x[0], rille_greater(x[0], rille_scalar(cx, RILLE_FLOAT64, 0.1))))
FUNCTION(f_masked_fill, rille_masked_fill(x[0], rille_greater(x[0], rille_scalar(cx, RILLE_FLOAT64, 0.1)), x[1]))
FUNCTION(f_index, rille_index(x[0], 3, (rille_tensor *[]){index_of(cx), NULL, index_of(cx)}))
FUNCTION(f_outer, rille_outer(x[0], x[1]))
FUNCTION(f_dot, rille_dot(x[0], x[1]))
FUNCTION(f_unbind, unbound(x[0]))
FUNCTION(f_expand, rille_expand(x[0], 3, (int64_t[]){2, 3, 4}))
FUNCTION(f_index_select, rille_index_select(x[0], 1, index_of(cx)))
FUNCTION(f_add, rille_add(x[0], x[1]))
FUNCTION(f_add_itself, rille_add(x[0], x[0]))
FUNCTION(f_sub, rille_sub(x[0], x[1]))
FUNCTION(f_mul, rille_mul(x[0], x[1]))
FUNCTION(f_mul_itself, rille_mul(x[0], x[0]))
FUNCTION(f_div, rille_div(x[0], x[1]))
FUNCTION(f_pow, rille_pow(x[0], x[1]))
FUNCTION(f_neg, rille_neg(x[0]))
FUNCTION(f_exp, rille_exp(x[0]))
FUNCTION(f_log, rille_log(x[0]))
FUNCTION(f_sqrt, rille_sqrt(x[0]))
FUNCTION(f_abs, rille_abs(x[0]))
FUNCTION(f_sign, rille_sign(x[0]))
FUNCTION(f_floor, rille_floor(x[0]))
FUNCTION(f_ceil, rille_ceil(x[0]))
FUNCTION(f_round, rille_round(x[0]))
FUNCTION(f_trunc, rille_trunc(x[0]))
FUNCTION(f_expm1, rille_expm1(x[0]))
FUNCTION(f_log1p, rille_log1p(x[0]))
FUNCTION(f_log2, rille_log2(x[0]))
FUNCTION(f_log10, rille_log10(x[0]))
FUNCTION(f_cos, rille_cos(x[0]))
FUNCTION(f_tan, rille_tan(x[0]))
FUNCTION(f_asin, rille_asin(x[0]))
FUNCTION(f_acos, rille_acos(x[0]))
FUNCTION(f_sinh, rille_sinh(x[0]))
FUNCTION(f_cosh, rille_cosh(x[0]))
FUNCTION(f_minimum, rille_minimum(x[0], x[1]))
FUNCTION(f_maximum, rille_maximum(x[0], x[1]))
FUNCTION(f_remainder, rille_remainder(x[0], x[1]))
FUNCTION(f_clamp, rille_clamp(x[0], -0.5, 1.1))
FUNCTION(f_where, rille_where(rille_greater(x[0], x[1]), x[0], x[1]))
FUNCTION(f_sum_all, rille_sum(x[0], NULL, 0, false))
FUNCTION(f_sum_rows, rille_sum(x[0], (int[]){-1}, 1, false))
FUNCTION(f_sum_columns, rille_sum(x[0], (int[]){0}, 1, true))
FUNCTION(f_sum_middle, rille_sum(x[0], (int[]){1}, 1, false))
FUNCTION(f_mean, rille_mean(x[0], (int[]){0, 2}, 2, false))
FUNCTION(f_prod, rille_prod(x[0], (int[]){1}, 1, false))
FUNCTION(f_prod_all, rille_prod(rille_transpose(x[0], 0, 1), NULL, 0, true))
FUNCTION(f_var, rille_var(x[0], (int[]){0, 2}, 2, 1, false))
FUNCTION(f_var_all, rille_var(rille_transpose(x[0], 0, 1), NULL, 0, 0, false))
FUNCTION(f_std, rille_std(x[0], (int[]){1}, 1, 1, true))
FUNCTION(f_norm_0, rille_norm(x[0], 0, (int[]){1}, 1, false))
FUNCTION(f_norm_1, rille_norm(x[0], 1, (int[]){1}, 1, false))
FUNCTION(f_norm_2, rille_norm(rille_transpose(x[0], 0, 1), 2, (int[]){0}, 1, true))
FUNCTION(f_norm_3, rille_norm(x[0], 3, (int[]){0, 1}, 2, false))
FUNCTION(f_norm_half, rille_norm(x[0], 0.5, NULL, 0, false))
FUNCTION(f_norm_negative, rille_norm(x[0], -1.5, (int[]){0}, 1, false))
FUNCTION(f_norm_largest, rille_norm(x[0], INFINITY, (int[]){1}, 1, false))
FUNCTION(f_norm_smallest, rille_norm(x[0], -INFINITY, (int[]){0}, 1, false))
FUNCTION(f_logsumexp, rille_logsumexp(x[0], (int[]){1}, 1, false))
FUNCTION(f_logsumexp_of_two, rille_logsumexp(x[0], (int[]){2, 0}, 2, true))
FUNCTION(f_amax, rille_amax(x[0], (int[]){0, 2}, 2, false))
FUNCTION(f_amin, rille_amin(rille_transpose(x[0], 0, 1), NULL, 0, false))
FUNCTION(f_cumsum, rille_cumsum(x[0], 1))
FUNCTION(f_cumprod, rille_cumprod(x[0], 1))
FUNCTION(f_cumprod_with_zeros, rille_cumprod(rille_mul(x[0], rille_greater(x[0], x[1])), 0))
FUNCTION(f_prod_with_zeros, rille_prod(rille_mul(x[0], rille_greater(x[0], x[1])), (int[]){0}, 1, false))
FUNCTION(f_recurrence, rl_recurrence(x[0], x[1], 1, false, true))
FUNCTION(f_recurrence_back, rl_recurrence(x[0], x[1], 0, true, false))
FUNCTION(f_sort, rille_sort(x[0], 1, false, NULL))
FUNCTION(f_sort_down, rille_sort(rille_transpose(x[0], 0, 1), 0, true, NULL))
FUNCTION(f_topk, rille_topk(x[0], 2, 1, true, NULL))
FUNCTION(f_max, rille_max(x[0], 1, false))
FUNCTION(f_min, rille_min(x[0], 0, true))
FUNCTION(f_matmul, rille_matmul(x[0], x[1]))
FUNCTION(f_matmul_transposed, rille_matmul(rille_transpose(x[0], 0, 1), rille_transpose(x[1], 0, 1)))
FUNCTION(f_qr, both_of_qr(x[0]))
FUNCTION(f_qr_transposed, both_of_qr(rl_transposed(x[0])))
FUNCTION(f_svd, all_of_svd(x[0]))
FUNCTION(f_svdvals, rille_svdvals(x[0]))
FUNCTION(f_linear, rille_linear(x[0], x[1], x[2]))
FUNCTION(f_linear_without_bias, rille_linear(x[0], x[1], NULL))
FUNCTION(f_conv1d, rille_conv1d(x[0], x[1], x[2], &(rille_convolution){.stride = {2}, .padding = {1}}))
FUNCTION(f_conv2d, rille_conv2d(x[0], x[1], NULL, &(rille_convolution){.padding = {1, 0}, .dilation = {1, 2}, .groups = 2}))
FUNCTION(f_conv2d_strided, rille_conv2d(rille_transpose(x[0], 0, 1), x[1], x[2], &(rille_convolution){.stride = {1, 2}}))
FUNCTION(f_max_pool1d, rille_max_pool1d(rille_transpose(x[0], 0, 1), &(rille_pooling){.kernel = {3}, .stride = {2}}))
FUNCTION(f_max_pool2d, rille_max_pool2d(x[0], &(rille_pooling){.kernel = {2, 3}, .stride = {1, 2}, .padding = {1, 1}}))
FUNCTION(f_avg_pool1d, rille_avg_pool1d(rille_transpose(x[0], 0, 1), &(rille_pooling){.kernel = {3}, .stride = {2}}))
FUNCTION(f_avg_pool2d, rille_avg_pool2d(x[0], &(rille_pooling){.kernel = {2, 2}, .padding = {1, 0}, .exclude_padding = true}))
FUNCTION(f_embedding, rille_embedding(rille_reshape(index_of(cx), 2, (int64_t[]){2, 2}), x[0]))

static rille_tensor *f_dropout(rille_context *cx, inputs x, int count, void *user)
{
    (void)count;
    (void)user;
    rille_manual_seed(cx, 7); /* the same elements each time */
    return rille_dropout(rille_transpose(x[0], 0, 1), 0.4);
}

FUNCTION(f_batch_norm, rille_batch_norm(x[0], NULL, NULL, x[1], x[2], true, 0.1, 0.1))
FUNCTION(f_batch_norm_alone, rille_batch_norm(rille_transpose(x[0], 0, 1), NULL, NULL, NULL, NULL, true, 0.1, 0.1))
FUNCTION(f_layer_norm, rille_layer_norm(rille_transpose(x[0], 0, 1), 2, (int64_t[]){2, 3}, x[1], x[2], 0.1))
FUNCTION(f_rms_norm, rille_rms_norm(x[0], 1, (int64_t[]){4}, x[1], 0.1))
FUNCTION(f_group_norm, rille_group_norm(x[0], 2, x[1], x[2], 0.1))
FUNCTION(f_group_norm_flat, rille_group_norm(x[0], 2, NULL, x[1], 0.1))

static rille_tensor *f_batch_norm_fixed(rille_context *cx, inputs x, int count, void *user)
{
    (void)count;
    (void)user;
    rille_tensor *mean = rille_from(cx, RILLE_FLOAT64, 1, (int64_t[]){3}, (double[]){0.5, -1, 2});
    return rille_batch_norm(x[0], mean, rille_exp(mean), x[1], x[2], false, 0.1, 0.1);
}

FUNCTION(f_activation_product, rl_activation_product(x[0], x[1], RILLE_TANH, 1, NULL))
FUNCTION(f_softmax, rille_softmax(x[0], -1))
FUNCTION(f_softmax_down, rille_softmax(x[0], 0))
FUNCTION(f_log_softmax, rille_log_softmax(x[0], 1))
FUNCTION(f_log_softmax_down, rille_log_softmax(x[0], 0))
FUNCTION(f_softmin, rille_softmin(x[0], 0))
FUNCTION(f_sparsemax, rille_sparsemax(x[0], -1))
FUNCTION(f_sparsemax_down, rille_sparsemax(x[0], 0))
FUNCTION(f_hardmax, rille_hardmax(x[0], 1))
FUNCTION(f_glu, rille_glu(x[0], 1))
FUNCTION(f_glu_middle, rille_glu(rille_transpose(x[0], 1, 2), 1))
FUNCTION(f_reglu, rille_reglu(x[0], 0))
FUNCTION(f_bilinear, rille_bilinear(x[0], -1))
FUNCTION(f_maxout, rille_maxout(x[0], 3, 1))
FUNCTION(f_crelu, rille_crelu(x[0], 1))
FUNCTION(f_cross_entropy, rille_cross_entropy(x[0], labels_of(cx)))
FUNCTION(f_nll_loss, rille_nll_loss(x[0], labels_of(cx), NULL))
FUNCTION(f_mse_loss, rille_mse_loss(x[0], x[1], RILLE_REDUCE_MEAN))
FUNCTION(f_mse_loss_of_rows, rille_mse_loss(rille_transpose(x[0], 0, 1), x[1], RILLE_REDUCE_NONE))
FUNCTION(f_l1_loss, rille_l1_loss(x[0], x[1], RILLE_REDUCE_SUM))
FUNCTION(f_smooth_l1_loss, rille_smooth_l1_loss(x[0], x[1], 0.7, RILLE_REDUCE_MEAN))
FUNCTION(f_huber_loss, rille_huber_loss(x[0], x[1], 0.8, RILLE_REDUCE_NONE))
FUNCTION(f_bce_loss, rille_bce_loss(x[0], x[1], RILLE_REDUCE_MEAN))
FUNCTION(f_bce_with_logits, rille_bce_with_logits(x[0], x[1], NULL, RILLE_REDUCE_MEAN))
FUNCTION(f_bce_with_weight, rille_bce_with_logits(x[0], x[1], x[2], RILLE_REDUCE_SUM))
FUNCTION(f_kl_div, rille_kl_div(x[0], x[1], false, RILLE_REDUCE_BATCHMEAN))
FUNCTION(f_kl_div_of_logs, rille_kl_div(x[0], x[1], true, RILLE_REDUCE_NONE))
FUNCTION(f_tanh, rille_activate(x[0], RILLE_TANH, NULL))

FUNCTION(f_prelu, rille_activate_with(x[0], RILLE_PRELU, NULL, &x[1]))
FUNCTION(f_snake, rille_activate_with(x[0], RILLE_SNAKE, NULL, &x[1]))
FUNCTION(f_affine, rille_activate_with(x[0], RILLE_AFFINE, NULL, &x[1]))
FUNCTION(f_affine_shifted, rille_activate_with(x[0], RILLE_AFFINE, NULL, (rille_tensor *[]){NULL, x[1]}))
FUNCTION(f_xielu, rille_activate_with(x[0], RILLE_XIELU, NULL, (rille_tensor *[]){x[1], x[2], NULL}))
FUNCTION(f_snake_slope, rille_derivative_with(x[0], RILLE_SNAKE, 1, NULL, &x[1]))
FUNCTION(f_with_derivative, rille_with_derivative(rille_exp(rille_detach(x[0])), x[0], rille_exp(x[0])))

/* solve_triangular is reached through a gradient. */
static rille_tensor *f_qr_slope(rille_context *cx, inputs x, int count, void *user)
{
    (void)cx;
    (void)count;
    (void)user;
    rille_tensor *total = rille_sum(both_of_qr(x[0]), NULL, 0, false), *slope = NULL;
    rille_grad(&total, 1, &x[0], 1, NULL, true, &slope);
    return slope;
}

/* pair_loss_product is reached through a gradient. */
static rille_tensor *f_mse_loss_slope(rille_context *cx, inputs x, int count, void *user)
{
    (void)cx;
    (void)count;
    (void)user;
    rille_tensor *loss = rille_mse_loss(x[0], x[1], RILLE_REDUCE_SUM), *slope = NULL;
    rille_grad(&loss, 1, &x[0], 1, NULL, true, &slope);
    return slope;
}

/* Rows of the second label are ignored; classes weigh 0.5, 1, 0, 2. */
static rille_tensor *f_cross_entropy_with(rille_context *cx, inputs x, int count, void *user)
{
    (void)count;
    (void)user;
    rille_tensor *weight = rille_from(cx, RILLE_FLOAT32, 1, (int64_t[]){4}, (float[]){0.5F, 1, 0, 2});
    const rille_label_options mean = {weight, 0.2, true, 0, RILLE_REDUCE_MEAN},
                              none = {weight, 0.2, true, 0, RILLE_REDUCE_NONE};
    rille_tensor *turned = rille_transpose(x[0], 0, 1);
    return rille_add(rille_cross_entropy_with(turned, labels_of(cx), &mean),
                     rille_cross_entropy_with(turned, labels_of(cx), &none));
}

static rille_tensor *f_nll_loss_with(rille_context *cx, inputs x, int count, void *user)
{
    (void)count;
    (void)user;
    rille_tensor *weight = rille_from(cx, RILLE_FLOAT32, 1, (int64_t[]){4}, (float[]){0.5F, 1, 0, 2});
    const rille_label_options mean = {weight, 0, true, 0, RILLE_REDUCE_MEAN}, none = {weight, 0, true, 0, RILLE_REDUCE_NONE};
    rille_tensor *turned = rille_transpose(x[0], 0, 1);
    return rille_add(rille_nll_loss(turned, labels_of(cx), &mean), rille_nll_loss(turned, labels_of(cx), &none));
}

/* x, W_ih, W_hh, b_ih, b_hh, h0, c0; all outputs. Of a sequence that lies batch first, and weights that lie transposed. */
static rille_tensor *f_lstm(rille_context *cx, inputs x, int count, void *user)
{
    (void)cx;
    (void)user;
    rille_tensor *c_n = NULL;
    rille_recurrent_weights w = {rille_transpose(x[1], 0, 1), rille_transpose(x[2], 0, 1), count > 3 ? x[3] : NULL,
                                 count > 3 ? x[4] : NULL};
    rille_tensor *h = rille_lstm(rille_transpose(x[0], 0, 1), &w, count > 5 ? x[5] : NULL, count > 6 ? x[6] : NULL, &c_n);
    return rille_add(h, c_n);
}

static rille_tensor *f_gru(rille_context *cx, inputs x, int count, void *user)
{
    (void)cx;
    (void)user;
    rille_recurrent_weights w = {x[1], x[2], count > 3 ? x[3] : NULL, count > 3 ? x[4] : NULL};
    return rille_gru(rille_transpose(x[0], 0, 1), &w, count > 5 ? x[5] : NULL);
}

static rille_tensor *f_rnn(rille_context *cx, inputs x, int count, void *user)
{
    (void)cx;
    (void)user;
    rille_recurrent_weights w = {x[1], x[2], count > 3 ? x[3] : NULL, count > 3 ? x[4] : NULL};
    return rille_rnn(x[0], &w, count > 5 ? x[5] : NULL, count > 5 ? RILLE_TANH : RILLE_RELU);
}

/* Gradients of a convolution are operations of their own, reached through it. */
static rille_tensor *conv_gradient(rille_context *cx, inputs x, int by, int rank, const int64_t *shape)
{
    rille_tensor *zeros = rille_zeros(cx, RILLE_FLOAT64, rank, shape), *gradient = NULL;
    rille_set_requires_grad(zeros, true);
    const rille_convolution options = {.stride = {2, 1}, .padding = {1, 1}};
    rille_tensor *y = rille_conv2d(by == 0 ? zeros : x[0], by == 0 ? x[0] : zeros, NULL, &options);
    rille_grad(&y, 1, &zeros, 1, &x[1], true, &gradient);
    return gradient;
}
FUNCTION(f_conv_input, conv_gradient(cx, x, 0, 4, (int64_t[]){2, 2, 4, 3}))
FUNCTION(f_conv_weight, conv_gradient(cx, x, 1, 4, (int64_t[]){3, 2, 2, 3}))

/* So are those of pools. */
static rille_tensor *pool_gradient(rille_context *cx, inputs x, bool largest)
{
    rille_tensor *in = make_input(cx, &(operand){.rank = 2, .shape = {2, 5}, .low = -2, .high = 2}, 4), *gradient = NULL;
    const rille_pooling options = {.kernel = {3}, .stride = {1}, .padding = {1}};
    rille_tensor *y = (largest ? rille_max_pool1d : rille_avg_pool1d)(in, &options);
    rille_grad(&y, 1, &in, 1, &x[0], true, &gradient);
    return gradient;
}
FUNCTION(f_max_pool_spread, pool_gradient(cx, x, true))
FUNCTION(f_avg_pool_spread, pool_gradient(cx, x, false))

/* The gradient of `picked`, made of a source, with x[0] coming in: what is nobody's operation but another one's gradient. */
static rille_tensor *gradient_through(rille_tensor *source, rille_tensor *picked, inputs x)
{
    rille_tensor *gradient = NULL;
    rille_grad(&picked, 1, &source, 1, &x[0], true, &gradient);
    return gradient;
}

static rille_tensor *source_of(rille_context *cx, int64_t rows, int64_t columns)
{
    rille_tensor *source = rille_zeros(cx, RILLE_FLOAT64, 2, (int64_t[]){rows, columns});
    rille_set_requires_grad(source, true);
    return source;
}

#define GRADIENT_FUNCTION(name, rows, columns, expression)                                                                     \
    static rille_tensor *name(rille_context *cx, inputs x, int count, void *user)                                              \
    {                                                                                                                          \
        (void)count;                                                                                                           \
        (void)user;                                                                                                            \
        rille_tensor *source = source_of(cx, rows, columns);                                                                   \
        return gradient_through(source, expression, x);                                                                        \
    }
GRADIENT_FUNCTION(f_index_add, 2, 3, rille_index_select(source, 1, index_of(cx)))
GRADIENT_FUNCTION(f_spread, 2, 8, rille_slice(source, 1, 6, 3, -3))
GRADIENT_FUNCTION(f_fold, 3, 6, rille_select(rille_unfold(source, 1, 4, 2), 1, 1))

#define R1(a)                                                                                                                  \
    1,                                                                                                                         \
    {                                                                                                                          \
        a                                                                                                                      \
    }
#define R2(a, b)                                                                                                               \
    2,                                                                                                                         \
    {                                                                                                                          \
        a, b                                                                                                                   \
    }
#define R3(a, b, c)                                                                                                            \
    3,                                                                                                                         \
    {                                                                                                                          \
        a, b, c                                                                                                                \
    }
#define R4(a, b, c, d)                                                                                                         \
    4,                                                                                                                         \
    {                                                                                                                          \
        a, b, c, d                                                                                                             \
    }
#define ONE(...)                                                                                                               \
    1,                                                                                                                         \
    {                                                                                                                          \
        {                                                                                                                      \
            __VA_ARGS__                                                                                                        \
        }                                                                                                                      \
    }

static const sample samples[] = {
    {"convert", RL_OP_convert, f_convert, ONE(R1(3), -2, 2), false},
    {"clone", RL_OP_clone, f_clone, ONE(R2(2, 3), -2, 2), false},
    {"contiguous", RL_OP_clone, f_contiguous, ONE(R2(2, 3), -2, 2), false},
    {"reshape", RL_OP_reshape, f_reshape, ONE(R2(3, 4), -2, 2), false},
    {"reshape of a transpose", RL_OP_reshape, f_reshape_copied, ONE(R2(3, 4), -2, 2), false},
    {"permute", RL_OP_permute, f_permute, ONE(R3(2, 3, 4), -2, 2), false},
    {"narrow", RL_OP_narrow, f_narrow, ONE(R2(2, 4), -2, 2), false},
    {"select", RL_OP_narrow, f_select, ONE(R2(2, 4), -2, 2), false},
    {"pad", RL_OP_pad, f_pad, ONE(R2(2, 3), -2, 2), false},
    {"pad and cut", RL_OP_pad, f_pad_and_cut, ONE(R2(3, 4), -2, 2), false},
    {"cat", RL_OP_cat, f_cat, 2, {{R2(2, 3), -2, 2}, {R2(2, 1), -2, 2}}, false},
    {"cat of many", RL_OP_cat, f_cat_of_many, 2, {{R2(2, 3), -2, 2}, {R2(3, 1), -2, 2}}, false},
    {"stack", RL_OP_cat, f_stack, 2, {{R2(2, 3), -2, 2}, {R2(2, 3), -2, 2}}, false},
    {"tile", RL_OP_expand, f_tile, ONE(R2(2, 3), -2, 2), false},
    {"roll", RL_OP_cat, f_roll, ONE(R2(2, 5), -2, 2), false},
    {"unbind", RL_OP_narrow, f_unbind, ONE(R2(2, 3), -2, 2), false},
    {"slice", RL_OP_slice, f_slice, ONE(R2(2, 8), -2, 2), false},
    {"slice of a slice", RL_OP_slice, f_slice_of_slice, ONE(R2(2, 8), -2, 2), false},
    {"flip", RL_OP_slice, f_flip, ONE(R3(2, 3, 2), -2, 2), false},
    {"spread", RL_OP_spread, f_spread, ONE(R2(2, 3), -2, 2), false},
    {"unfold", RL_OP_unfold, f_unfold, ONE(R2(8, 2), -2, 2), false},
    {"unfold with an overlap", RL_OP_unfold, f_unfold_overlapping, ONE(R2(6, 2), -2, 2), false},
    {"fold", RL_OP_fold, f_fold, ONE(R2(3, 4), -2, 2), false},
    {"diagonal", RL_OP_diagonal, f_diagonal, ONE(R3(3, 2, 4), -2, 2), false},
    {"diagonal_embed", RL_OP_diagonal_embed, f_diag_embed, ONE(R2(2, 3), -2, 2), false},
    {"triu", RL_OP_where, f_triu, ONE(R3(2, 3, 4), -2, 2), false},
    {"gather", RL_OP_gather, f_gather, ONE(R2(3, 2), -2, 2), false},
    {"gather of fewer columns", RL_OP_gather, f_gather, ONE(R2(3, 4), -2, 2), false},
    {"gather of a transpose", RL_OP_gather, f_gather_last, ONE(R2(3, 2), -2, 2), false},
    {"scatter", RL_OP_scatter, f_scatter, 2, {{R2(3, 3), -2, 2}, {R2(4, 2), -2, 2}}, false},
    {"scatter of a row", RL_OP_scatter, f_scatter_row, 2, {{R2(3, 2), -2, 2}, {R2(1, 2), -2, 2}}, false},
    {"scatter of a part", RL_OP_scatter, f_scatter_row, 2, {{R2(3, 2), -2, 2}, {R2(5, 3), -2, 2}}, false},
    {"scatter_add", RL_OP_scatter_add, f_scatter_add, 2, {{R2(3, 3), -2, 2}, {R2(4, 2), -2, 2}}, false},
    {"masked_select", RL_OP_gather, f_masked_select, ONE(R2(3, 4), -2, 2), false},
    {"masked_fill", RL_OP_where, f_masked_fill, 2, {{R2(3, 4), -2, 2}, {R1(1), -2, 2}}, false},
    {"index", RL_OP_index_select, f_index, ONE(R3(3, 2, 3), -2, 2), false},
    {"outer", RL_OP_mul, f_outer, 2, {{R1(2), -2, 2}, {R1(3), -2, 2}}, false},
    {"dot", RL_OP_matmul, f_dot, 2, {{R1(3), -2, 2}, {R1(3), -2, 2}}, false},
    {"expand", RL_OP_expand, f_expand, ONE(R2(3, 1), -2, 2), false},
    {"index_select", RL_OP_index_select, f_index_select, ONE(R2(2, 3), -2, 2), false},
    {"index_add", RL_OP_index_add, f_index_add, ONE(R2(2, 4), -2, 2), false},
    {"add", RL_OP_add, f_add, 2, {{R2(2, 3), -2, 2}, {R1(3), -2, 2}}, false},
    {"add to itself", RL_OP_add, f_add_itself, ONE(R1(4), -2, 2), false},
    {"sub", RL_OP_sub, f_sub, 2, {{R2(2, 1), -2, 2}, {R2(1, 3), -2, 2}}, false},
    {"mul", RL_OP_mul, f_mul, 2, {{R2(2, 3), -2, 2}, {R3(4, 1, 3), -2, 2}}, false},
    {"mul by itself", RL_OP_mul, f_mul_itself, ONE(R1(4), -2, 2), false},
    {"div", RL_OP_div, f_div, 2, {{R2(2, 3), -2, 2}, {R1(3), 0.5, 2}}, false},
    {"pow", RL_OP_pow, f_pow, 2, {{R2(2, 3), 0.3, 2}, {R1(3), -1.5, 2.5}}, false},
    {"neg", RL_OP_neg, f_neg, ONE(R1(4), -2, 2), false},
    {"exp", RL_OP_exp, f_exp, ONE(R1(4), -2, 2), false},
    {"log", RL_OP_log, f_log, ONE(R1(4), 0.3, 3), false},
    {"sqrt", RL_OP_sqrt, f_sqrt, ONE(R1(4), 0.3, 3), false},
    {"abs", RL_OP_abs, f_abs, ONE(R1(4), -2, 2.5), false},
    {"sign", RL_OP_sign, f_sign, ONE(R1(5), -2, 2.3), false},
    {"floor", RL_OP_floor, f_floor, ONE(R1(5), -2, 2.3), false},
    {"ceil", RL_OP_ceil, f_ceil, ONE(R1(5), -2, 2.3), false},
    {"round", RL_OP_round, f_round, ONE(R1(5), -2, 2.3), false},
    {"trunc", RL_OP_trunc, f_trunc, ONE(R1(5), -2, 2.3), false},
    {"expm1", RL_OP_expm1, f_expm1, ONE(R1(5), -2, 2.3), false},
    {"log1p", RL_OP_log1p, f_log1p, ONE(R1(5), -0.5, 3), false},
    {"log2", RL_OP_log2, f_log2, ONE(R1(5), 0.3, 3), false},
    {"log10", RL_OP_log10, f_log10, ONE(R1(5), 0.3, 3), false},
    {"cos", RL_OP_cos, f_cos, ONE(R1(5), -2, 2.3), false},
    {"tan", RL_OP_tan, f_tan, ONE(R1(5), -1.2, 1.3), false},
    {"asin", RL_OP_asin, f_asin, ONE(R1(5), -0.9, 0.8), false},
    {"acos", RL_OP_acos, f_acos, ONE(R1(5), -0.9, 0.8), false},
    {"sinh", RL_OP_sinh, f_sinh, ONE(R1(5), -2, 2.3), false},
    {"cosh", RL_OP_cosh, f_cosh, ONE(R1(5), -2, 2.3), false},
    {"minimum", RL_OP_minimum, f_minimum, 2, {{R2(3, 4), -2, 2}, {R1(4), -2, 2}}, false},
    {"maximum", RL_OP_maximum, f_maximum, 2, {{R2(3, 4), -2, 2}, {R1(4), -2, 2}}, false},
    {"remainder", RL_OP_remainder, f_remainder, 2, {{R2(3, 4), -2, 2}, {R1(4), 0.6, 1.4}}, false},
    {"clamp", RL_OP_clamp, f_clamp, ONE(R1(7), -2, 2), false},
    {"where", RL_OP_where, f_where, 2, {{R2(3, 4), -2, 2}, {R1(4), -2, 2}}, false},
    {"sum", RL_OP_sum, f_sum_all, ONE(R2(2, 3), -2, 2), false},
    {"sum of rows", RL_OP_sum, f_sum_rows, ONE(R2(2, 3), -2, 2), false},
    {"sum of columns", RL_OP_sum, f_sum_columns, ONE(R2(2, 3), -2, 2), false},
    {"sum of the middle", RL_OP_sum, f_sum_middle, ONE(R3(2, 3, 2), -2, 2), false},
    {"mean", RL_OP_sum, f_mean, ONE(R3(2, 3, 2), -2, 2), false},
    {"prod", RL_OP_prod, f_prod, ONE(R3(2, 3, 2), -2, 2), false},
    {"prod of all", RL_OP_prod, f_prod_all, ONE(R2(2, 3), -2, 2), false},
    {"prod with zeros", RL_OP_prod, f_prod_with_zeros, 2, {{R2(4, 5), 0.5, 2}, {R1(5), 0.6, 1.2}}, false},
    {"var", RL_OP_var, f_var, ONE(R3(2, 3, 2), -2, 2), false},
    {"var of all", RL_OP_var, f_var_all, ONE(R2(2, 3), -2, 2), false},
    {"std", RL_OP_std, f_std, ONE(R2(2, 3), -2, 2), false},
    {"norm, p = 0", RL_OP_norm, f_norm_0, ONE(R2(2, 3), -2, 2), true},
    {"norm, p = 1", RL_OP_norm, f_norm_1, ONE(R2(2, 3), -2, 2), false},
    {"norm, p = 2", RL_OP_norm, f_norm_2, ONE(R2(2, 3), -2, 2), false},
    {"norm, p = 3", RL_OP_norm, f_norm_3, ONE(R3(2, 3, 2), -2, 2), false},
    {"norm, p = 1/2", RL_OP_norm, f_norm_half, ONE(R2(2, 3), -2, 2), false},
    {"norm, p = -3/2", RL_OP_norm, f_norm_negative, ONE(R2(2, 3), -2, 2), false},
    {"norm, p infinite", RL_OP_norm, f_norm_largest, ONE(R2(2, 3), -2, 2), false},
    {"norm, p = -Inf", RL_OP_norm, f_norm_smallest, ONE(R2(2, 3), -2, 2), false},
    {"logsumexp", RL_OP_logsumexp, f_logsumexp, ONE(R2(2, 3), -2, 2), false},
    {"logsumexp of two dimensions", RL_OP_logsumexp, f_logsumexp_of_two, ONE(R3(2, 3, 2), -2, 2), false},
    {"amax", RL_OP_amax, f_amax, ONE(R3(2, 3, 2), -2, 2), false},
    {"amin", RL_OP_amin, f_amin, ONE(R2(2, 3), -2, 2), false},
    {"cumsum", RL_OP_cumsum, f_cumsum, ONE(R3(2, 3, 2), -2, 2), false},
    {"cumprod", RL_OP_cumprod, f_cumprod, ONE(R3(2, 3, 2), -2, 2), false},
    {"cumprod with zeros", RL_OP_cumprod, f_cumprod_with_zeros, 2, {{R2(4, 5), 0.5, 2}, {R1(5), 0.6, 1.2}}, false},
    {"recurrence", RL_OP_recurrence, f_recurrence, 2, {{R2(2, 4), -2, 2}, {R2(2, 4), -2, 2}}, false},
    {"recurrence from the end", RL_OP_recurrence, f_recurrence_back, 2, {{R2(4, 2), -2, 2}, {R2(4, 2), -2, 2}}, false},
    {"sort", RL_OP_gather, f_sort, ONE(R3(2, 4, 2), -2, 2), false},
    {"sort of a transpose", RL_OP_gather, f_sort_down, ONE(R2(2, 4), -2, 2), false},
    {"topk", RL_OP_gather, f_topk, ONE(R2(3, 5), -2, 2), false},
    {"max", RL_OP_max, f_max, ONE(R2(3, 4), -2, 2), false},
    {"min", RL_OP_min, f_min, ONE(R2(3, 4), -2, 2), false},
    {"matmul", RL_OP_matmul, f_matmul, 2, {{R2(2, 3), -2, 2}, {R2(3, 4), -2, 2}}, false},
    {"matmul of transposes", RL_OP_matmul, f_matmul_transposed, 2, {{R2(3, 2), -2, 2}, {R2(4, 3), -2, 2}}, false},
    {"matmul of batches", RL_OP_matmul, f_matmul, 2, {{R3(2, 2, 3), -2, 2}, {R2(3, 2), -2, 2}}, false},
    {"matmul of vectors", RL_OP_matmul, f_matmul, 2, {{R1(3), -2, 2}, {R1(3), -2, 2}}, false},
    {"matmul with a vector", RL_OP_matmul, f_matmul, 2, {{R2(2, 3), -2, 2}, {R1(3), -2, 2}}, false},
    {"solve_triangular", RL_OP_solve_triangular, f_qr_slope, ONE(R2(3, 2), -2, 2), true},
    {"qr", RL_OP_qr, f_qr, ONE(R2(4, 3), -2, 2), false},
    {"qr of a square transpose", RL_OP_qr, f_qr_transposed, ONE(R3(2, 3, 3), -2, 2), false},
    {"qr of wide matrices", RL_OP_qr, f_qr, ONE(R3(2, 2, 4), -2, 2), false},
    {"svd", RL_OP_svd, f_svd, ONE(R2(3, 3), -2, 2), false},
    {"svd of tall matrices", RL_OP_svd, f_svd, ONE(R3(2, 4, 2), -2, 2), false},
    {"svd of a wide matrix", RL_OP_svd, f_svd, ONE(R2(2, 4), -2, 2), false},
    {"svdvals", RL_OP_svdvals, f_svdvals, ONE(R3(2, 3, 4), -2, 2), false},
    {"linear", RL_OP_linear, f_linear, 3, {{R2(3, 2), -2, 2}, {R2(4, 2), -2, 2}, {R1(4), -2, 2}}, false},
    {"linear over batches", RL_OP_linear, f_linear, 3, {{R3(2, 2, 2), -2, 2}, {R2(3, 2), -2, 2}, {R1(3), -2, 2}}, false},
    {"linear without bias", RL_OP_linear, f_linear_without_bias, 2, {{R2(3, 2), -2, 2}, {R2(4, 2), -2, 2}}, false},
    {"activation", RL_OP_activation, f_tanh, ONE(R2(2, 3), -2, 2), false},
    {"conv1d", RL_OP_conv, f_conv1d, 3, {{R3(2, 3, 5), -2, 2}, {R3(2, 3, 3), -1, 1}, {R1(2), -1, 1}}, false},
    {"conv2d in groups", RL_OP_conv, f_conv2d, 2, {{R4(2, 4, 2, 4), -2, 2}, {R4(2, 2, 3, 2), -1, 1}}, false},
    {"conv2d of one image",
     RL_OP_conv,
     f_conv2d_strided,
     3,
     {{R3(3, 2, 4), -2, 2}, {R4(2, 2, 2, 2), -1, 1}, {R1(2), -1, 1}},
     false},
    {"conv_input", RL_OP_conv_input, f_conv_input, 2, {{R4(3, 2, 2, 3), -1, 1}, {R4(2, 3, 3, 3), -2, 2}}, false},
    {"conv_weight", RL_OP_conv_weight, f_conv_weight, 2, {{R4(2, 2, 4, 3), -1, 1}, {R4(2, 3, 3, 3), -2, 2}}, false},
    {"max_pool1d of a transpose", RL_OP_max_pool, f_max_pool1d, ONE(R2(7, 2), -2, 2), false},
    {"max_pool2d", RL_OP_max_pool, f_max_pool2d, ONE(R3(2, 3, 4), -2, 2), false},
    {"max_pool_spread", RL_OP_max_pool_spread, f_max_pool_spread, ONE(R2(2, 5), -2, 2), false},
    {"avg_pool1d of a transpose", RL_OP_avg_pool, f_avg_pool1d, ONE(R2(7, 2), -2, 2), false},
    {"avg_pool2d", RL_OP_avg_pool, f_avg_pool2d, ONE(R3(2, 3, 4), -2, 2), false},
    {"avg_pool_spread", RL_OP_avg_pool_spread, f_avg_pool_spread, ONE(R2(2, 5), -2, 2), false},
    {"embedding", RL_OP_index_select, f_embedding, ONE(R2(3, 2), -2, 2), false},
    {"dropout", RL_OP_dropout, f_dropout, ONE(R2(3, 4), -2, 2), false},
    {"batch_norm", RL_OP_normalise, f_batch_norm, 3, {{R3(2, 3, 2), -2, 2}, {R1(3), -1, 2}, {R1(3), -1, 1}}, false},
    {"batch_norm of a transpose", RL_OP_normalise, f_batch_norm_alone, ONE(R2(2, 4), -2, 2), false},
    {"batch_norm by constants",
     RL_OP_normalise,
     f_batch_norm_fixed,
     3,
     {{R2(2, 3), -2, 2}, {R1(3), -1, 2}, {R1(3), -1, 1}},
     false},
    {"layer_norm", RL_OP_normalise, f_layer_norm, 3, {{R3(2, 2, 3), -2, 2}, {R2(2, 3), -1, 2}, {R2(2, 3), -1, 1}}, false},
    {"rms_norm", RL_OP_normalise, f_rms_norm, 2, {{R2(3, 4), -2, 2}, {R1(4), -1, 2}}, false},
    {"group_norm", RL_OP_normalise, f_group_norm, 3, {{R3(2, 4, 2), -2, 2}, {R1(4), -1, 2}, {R1(4), -1, 1}}, false},
    {"group_norm without weight", RL_OP_normalise, f_group_norm_flat, 2, {{R2(2, 6), -2, 2}, {R1(6), -1, 2}}, false},
    {"activation_product", RL_OP_activation_product, f_activation_product, 2, {{R1(4), -2, 2}, {R1(4), -2, 2}}, true},
    {"prelu", RL_OP_learned_activation, f_prelu, 2, {{R2(4, 3), -2, 2}, {R1(1), 0.1, 0.5}}, false},
    {"prelu by channel", RL_OP_learned_activation, f_prelu, 2, {{R3(2, 3, 2), -2, 2}, {R1(3), -0.5, 0.5}}, false},
    {"snake", RL_OP_learned_activation, f_snake, 2, {{R1(6), -2, 2}, {R1(1), 0.5, 2}}, false},
    {"snake by element", RL_OP_learned_activation, f_snake, 2, {{R1(3), -2, 2}, {R1(3), 0.5, 2}}, false},
    {"snake' by channel", RL_OP_learned_activation, f_snake_slope, 2, {{R2(2, 3), -2, 2}, {R1(3), 0.5, 2}}, true},
    {"affine by channel", RL_OP_learned_activation, f_affine, 3, {{R2(2, 3), -2, 2}, {R1(3), -2, 2}, {R1(1), -2, 2}}, false},
    {"affine, one of two", RL_OP_learned_activation, f_affine_shifted, 2, {{R2(2, 3), -2, 2}, {R1(3), -2, 2}}, false},
    {"xielu by channel", RL_OP_learned_activation, f_xielu, 3, {{R2(4, 3), -3, 3}, {R1(3), 0.5, 2}, {R1(1), 0.6, 2}}, false},
    {"with_derivative", RL_OP_with_derivative, f_with_derivative, ONE(R1(4), -2, 2), false},
    {"softmax", RL_OP_softmax, f_softmax, ONE(R2(2, 3), -2, 2), false},
    {"softmax down", RL_OP_softmax, f_softmax_down, ONE(R2(3, 2), -2, 2), false},
    {"log_softmax", RL_OP_log_softmax, f_log_softmax, ONE(R2(2, 3), -2, 2), false},
    {"log_softmax down", RL_OP_log_softmax, f_log_softmax_down, ONE(R2(3, 2), -2, 2), false},
    {"softmin", RL_OP_softmax, f_softmin, ONE(R2(3, 2), -2, 2), false},
    {"sparsemax", RL_OP_sparsemax, f_sparsemax, ONE(R2(3, 5), -1, 1), false},
    {"sparsemax down", RL_OP_sparsemax, f_sparsemax_down, ONE(R2(5, 3), -1, 1), false},
    {"hardmax", RL_OP_hardmax, f_hardmax, ONE(R2(2, 3), -2, 2), true},
    {"glu", RL_OP_gated, f_glu, ONE(R2(3, 4), -2, 2), false},
    {"glu in the middle", RL_OP_gated, f_glu_middle, ONE(R3(2, 3, 4), -2, 2), false},
    {"reglu", RL_OP_gated, f_reglu, ONE(R2(4, 3), -2, 2), false},
    {"bilinear", RL_OP_gated, f_bilinear, ONE(R2(2, 6), -2, 2), false},
    {"maxout", RL_OP_max, f_maxout, ONE(R3(2, 6, 2), -2, 2), false},
    {"crelu", RL_OP_crelu, f_crelu, ONE(R3(2, 3, 2), -2, 2), false},
    {"cross_entropy", RL_OP_cross_entropy, f_cross_entropy, ONE(R2(3, 4), -2, 2), false},
    {"cross_entropy with options", RL_OP_cross_entropy, f_cross_entropy_with, ONE(R2(4, 3), -2, 2), false},
    {"nll_loss", RL_OP_index_select, f_nll_loss, ONE(R2(3, 4), -2, 0), false},
    {"nll_loss with options", RL_OP_where, f_nll_loss_with, ONE(R2(4, 3), -2, 0), false},
    {"mse_loss", RL_OP_pair_loss, f_mse_loss, 2, {{R2(2, 3), -2, 2}, {R2(2, 3), -2, 2}}, false},
    {"mse_loss of rows", RL_OP_pair_loss, f_mse_loss_of_rows, 2, {{R2(2, 3), -2, 2}, {R1(2), -2, 2}}, false},
    {"l1_loss", RL_OP_pair_loss, f_l1_loss, 2, {{R2(2, 3), -2, 2}, {R2(2, 3), -1.5, 2}}, false},
    {"smooth_l1_loss", RL_OP_pair_loss, f_smooth_l1_loss, 2, {{R2(3, 4), -2, 2}, {R1(4), -1.5, 2}}, false},
    {"huber_loss", RL_OP_pair_loss, f_huber_loss, 2, {{R2(3, 4), -2, 2}, {R1(4), -1.5, 2}}, false},
    {"bce_loss", RL_OP_pair_loss, f_bce_loss, 2, {{R2(2, 3), 0.1, 0.9}, {R2(2, 3), 0.1, 0.9}}, false},
    {"bce_with_logits", RL_OP_pair_loss, f_bce_with_logits, 2, {{R2(2, 3), -2, 2}, {R2(2, 3), 0.1, 0.9}}, false},
    {"bce_with_logits, weighted",
     RL_OP_pair_loss,
     f_bce_with_weight,
     3,
     {{R2(2, 3), -2, 2}, {R2(2, 3), 0.1, 0.9}, {R1(3), 0.5, 2}},
     false},
    {"kl_div", RL_OP_pair_loss, f_kl_div, 2, {{R2(2, 3), -2, 0}, {R2(2, 3), 0.1, 0.9}}, false},
    {"kl_div of logarithms", RL_OP_pair_loss, f_kl_div_of_logs, 2, {{R2(2, 3), -2, 0}, {R2(2, 3), -2, 0}}, false},
    {"gradient of mse_loss", RL_OP_pair_loss_product, f_mse_loss_slope, 2, {{R2(2, 3), -2, 2}, {R2(2, 3), -2, 2}}, true},
    {"rnn",
     RL_OP_rnn,
     f_rnn,
     6,
     {{R3(3, 2, 2), -1, 1}, {R2(3, 2), -1, 1}, {R2(3, 3), -1, 1}, {R1(3), -1, 1}, {R1(3), -1, 1}, {R2(2, 3), -1, 1}},
     true},
    {"rnn of relu, without biases", RL_OP_rnn, f_rnn, 3, {{R3(3, 2, 2), -1, 1}, {R2(3, 2), -1, 1}, {R2(3, 3), -1, 1}}, true},
    {"lstm",
     RL_OP_lstm,
     f_lstm,
     7,
     {{R3(2, 3, 2), -1, 1},
      {R2(2, 12), -1, 1},
      {R2(3, 12), -1, 1},
      {R1(12), -1, 1},
      {R1(12), -1, 1},
      {R2(2, 3), -1, 1},
      {R2(2, 3), -1, 1}},
     true},
    {"lstm without biases and states",
     RL_OP_lstm,
     f_lstm,
     3,
     {{R3(2, 3, 2), -1, 1}, {R2(2, 12), -1, 1}, {R2(3, 12), -1, 1}},
     true},
    {"gru",
     RL_OP_gru,
     f_gru,
     6,
     {{R3(2, 3, 2), -1, 1}, {R2(9, 2), -1, 1}, {R2(9, 3), -1, 1}, {R1(9), -1, 1}, {R1(9), -1, 1}, {R2(2, 3), -1, 1}},
     true},
    {"gru without biases and state", RL_OP_gru, f_gru, 3, {{R3(2, 3, 2), -1, 1}, {R2(9, 2), -1, 1}, {R2(9, 3), -1, 1}}, true},
};
enum { SAMPLES = sizeof samples / sizeof samples[0] };

static bool graph_has(const rl_node *node, const rl_op *op)
{
    if (node == NULL)
        return false;
    bool found = node->op == op;
    for (int i = 0; i < node->edge_count && !found; i++)
        found = graph_has(node->edge[i].node, op);
    return found;
}

/* ---- The checks ---- */

#endif
