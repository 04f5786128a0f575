/* Threads: the same bits for any number of them, in every operation and its gradient; cancelling; forking. */
#include "base/parallel.h"
#include "engine/support.h"
#include "ops/ops.h"
#include "ops/scan.h"

#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- Every operation, big enough to be cut into many chunks ---- */

typedef rille_tensor *const *inputs;
#define FUNCTION(name, expression)                                                                                             \
    static rille_tensor *name(rille_context *cx, inputs x)                                                                     \
    {                                                                                                                          \
        (void)cx;                                                                                                              \
        return expression;                                                                                                     \
    }

static rille_tensor *index_of(rille_context *cx, int64_t count, int64_t size) /* 0 ... size - 1, again and again */
{
    rille_tensor *t = rille_empty(cx, RILLE_INT64, 1, &count);
    for (int64_t i = 0; t != NULL && i < count; i++)
        ((int64_t *)rille_data(t))[i] = i * 7 % size;
    return t;
}

FUNCTION(f_convert, rille_to(x[0], RILLE_FLOAT64))
FUNCTION(f_clone, rille_clone(rille_transpose(x[0], 0, 1)))
FUNCTION(f_reshape, rille_reshape(rille_transpose(x[0], 0, 1), SHAPE(-1)))
FUNCTION(f_permute, rille_permute(x[0], (int[]){1, 0}))
FUNCTION(f_narrow, rille_narrow(x[0], 1, 3, 600))
FUNCTION(f_pad, rl_pad(x[0], SHAPE(400, 701), 0, 7))
FUNCTION(f_cat, rille_cat((rille_tensor *[]){x[0], x[1], rille_flip(x[0], (int[]){1}, 1)}, 3, 1))
FUNCTION(f_slice, rille_slice(x[0], 1, 699, 350, -2))
FUNCTION(f_unfold, rille_unfold(x[0], 0, 5, 3))
FUNCTION(f_diagonal, rille_diagonal(rille_reshape(x[0], SHAPE(401, 14, 50)), 1, 0, 2))
FUNCTION(f_diag_embed, rille_diag_embed(x[0], -1))
FUNCTION(f_gather, rille_gather(x[0], 1, rille_expand(index_of(cx, 1000, 700), SHAPE(401, 1000))))
FUNCTION(f_scatter, rille_scatter(x[0], 0, rille_expand(rille_unsqueeze(index_of(cx, 900, 401), 1), SHAPE(900, 600)), x[1]))
FUNCTION(f_scatter_add,
         rille_scatter_add(x[0], 0, rille_expand(rille_unsqueeze(index_of(cx, 900, 401), 1), SHAPE(900, 600)), x[1]))
FUNCTION(f_masked_select, rille_masked_select(x[0], rille_greater(x[0], rille_scalar(cx, RILLE_FLOAT32, 0))))
FUNCTION(f_triu, rille_triu(x[0], 1))
FUNCTION(f_expand, rille_expand(x[0], SHAPE(300, 701)))
FUNCTION(f_index_select, rille_index_select(x[0], 0, index_of(cx, 900, 400)))
FUNCTION(f_add, rille_add(x[0], x[1]))
FUNCTION(f_sub, rille_sub(x[0], x[1]))
FUNCTION(f_mul, rille_mul(x[0], rille_transpose(x[1], 0, 1)))
FUNCTION(f_div, rille_div(x[0], x[1]))
FUNCTION(f_pow, rille_pow(rille_abs(x[0]), x[1]))
FUNCTION(f_neg, rille_neg(x[0]))
FUNCTION(f_exp, rille_exp(x[0]))
FUNCTION(f_log, rille_log(rille_abs(x[0])))
FUNCTION(f_sqrt, rille_sqrt(rille_abs(x[0])))
FUNCTION(f_abs, rille_abs(x[0]))
FUNCTION(f_sign, rille_sign(x[0]))
FUNCTION(f_floor, rille_floor(x[0]))
FUNCTION(f_ceil, rille_ceil(x[0]))
FUNCTION(f_round, rille_round(x[0]))
FUNCTION(f_trunc, rille_trunc(x[0]))
FUNCTION(f_expm1, rille_expm1(x[0]))
FUNCTION(f_log1p, rille_log1p(rille_abs(x[0])))
FUNCTION(f_log2, rille_log2(rille_abs(x[0])))
FUNCTION(f_log10, rille_log10(rille_abs(x[0])))
FUNCTION(f_cos, rille_cos(x[0]))
FUNCTION(f_tan, rille_tan(x[0]))
FUNCTION(f_asin, rille_asin(rille_sin(x[0])))
FUNCTION(f_acos, rille_acos(rille_sin(x[0])))
FUNCTION(f_sinh, rille_sinh(x[0]))
FUNCTION(f_cosh, rille_cosh(x[0]))
FUNCTION(f_minimum, rille_minimum(x[0], x[1]))
FUNCTION(f_maximum, rille_maximum(x[0], x[1]))
FUNCTION(f_remainder, rille_remainder(x[0], x[1]))
FUNCTION(f_clamp, rille_clamp(x[0], -0.5, 1.1))
FUNCTION(f_where, rille_where(rille_greater(x[0], x[1]), x[0], x[1]))
FUNCTION(f_sum, rille_sum(x[0], NULL, 0, false))
FUNCTION(f_sum_rows, rille_sum(x[0], (int[]){1}, 1, false))
FUNCTION(f_sum_columns, rille_sum(x[0], (int[]){0}, 1, true))
FUNCTION(f_mean, rille_mean(rille_transpose(x[0], 0, 1), NULL, 0, false))
FUNCTION(f_prod, rille_prod(rille_transpose(x[0], 0, 1), NULL, 0, false))
FUNCTION(f_var, rille_var(x[0], NULL, 0, 1, false))
FUNCTION(f_var_down, rille_var(x[0], (int[]){0}, 1, 1, false))
FUNCTION(f_std, rille_std(x[0], (int[]){1}, 1, 1, false))
FUNCTION(f_norm, rille_norm(x[0], 2, NULL, 0, false))
FUNCTION(f_norm_3, rille_norm(x[0], 3, (int[]){0}, 1, false))
FUNCTION(f_logsumexp, rille_logsumexp(x[0], NULL, 0, false))
FUNCTION(f_amax, rille_amax(x[0], NULL, 0, false))
FUNCTION(f_amin, rille_amin(x[0], (int[]){0}, 1, false))
FUNCTION(f_cumsum, rille_cumsum(x[0], 0))
FUNCTION(f_cumprod, rille_cumprod(x[0], 1))
FUNCTION(f_recurrence, rl_recurrence(rille_tanh(x[0]), x[1], 1, false, true))
FUNCTION(f_sort, rille_sort(x[0], 1, false, NULL))
FUNCTION(f_sort_long, rille_sort(rille_reshape(x[0], SHAPE(-1)), 0, true, NULL))
FUNCTION(f_topk, rille_topk(x[0], 50, 0, true, NULL))
FUNCTION(f_max, rille_max(x[0], 0, false))
FUNCTION(f_min, rille_min(x[0], 1, false))
FUNCTION(f_matmul, rille_matmul(x[0], x[1]))
FUNCTION(f_matmul_transposed, rille_matmul(rille_transpose(x[0], 0, 1), x[1]))
FUNCTION(f_linear, rille_linear(x[0], x[1], x[2]))
FUNCTION(f_svdvals, rille_svdvals(x[0]))

static rille_tensor *f_qr(rille_context *cx, inputs x)
{
    rille_tensor *q, *r;
    (void)cx;
    return rille_qr(x[0], &q, &r) != RILLE_OK ? NULL : rille_matmul(rille_sin(q), r);
}

static rille_tensor *f_svd(rille_context *cx, inputs x)
{
    rille_tensor *u, *s, *vt;
    (void)cx;
    return rille_svd(x[0], &u, &s, &vt) != RILLE_OK ? NULL : rille_matmul(rille_mul(u, rille_unsqueeze(s, -2)), rille_sin(vt));
}

FUNCTION(f_conv1d, rille_conv1d(x[0], x[1], NULL, &(rille_convolution){.stride = {2}, .padding = {3}}))
FUNCTION(f_conv2d, rille_conv2d(x[0], x[1], x[2], &(rille_convolution){.padding = {1, 1}}))
FUNCTION(f_conv2d_in_groups, rille_conv2d(x[0], x[1], NULL, &(rille_convolution){.groups = 3}))
FUNCTION(f_max_pool2d, rille_max_pool2d(x[0], &(rille_pooling){.kernel = {3, 2}, .stride = {1, 2}}))
FUNCTION(f_avg_pool2d, rille_avg_pool2d(x[0], &(rille_pooling){.kernel = {3, 2}, .stride = {1, 2}}))
FUNCTION(f_dropout, rille_dropout(x[0], 0.3))
FUNCTION(f_batch_norm, rille_batch_norm(x[0], NULL, NULL, x[1], x[2], true, 0.1, 1e-5))
FUNCTION(f_layer_norm, rille_layer_norm(x[0], 1, rille_shape(x[1]), x[1], x[2], 1e-5))
FUNCTION(f_rms_norm, rille_rms_norm(x[0], 1, rille_shape(x[1]), x[1], 1e-5))
FUNCTION(f_group_norm, rille_group_norm(x[0], 5, x[1], x[2], 1e-5))
FUNCTION(f_tanh, rille_tanh(x[0]))
FUNCTION(f_product, rl_activation_product(x[0], x[1], RILLE_SIGMOID, 1, NULL))
FUNCTION(f_prelu, rille_activate_with(x[0], RILLE_PRELU, NULL, &x[1]))
FUNCTION(f_with_derivative, rille_with_derivative(rille_tanh(x[0]), x[0], rille_mul(x[0], x[0])))
FUNCTION(f_softmax, rille_softmax(x[0], 1))
FUNCTION(f_softmax_down, rille_softmax(x[0], 0))
FUNCTION(f_log_softmax, rille_log_softmax(x[0], -1))
FUNCTION(f_sparsemax, rille_sparsemax(x[0], 1))
FUNCTION(f_hardmax, rille_hardmax(x[0], 0))
FUNCTION(f_glu, rille_glu(x[0], 1))
FUNCTION(f_crelu, rille_crelu(x[0], 1))
FUNCTION(f_cross_entropy, rille_cross_entropy(x[0], index_of(cx, 401, 700)))
FUNCTION(f_mse_loss, rille_mse_loss(x[0], x[1], RILLE_REDUCE_MEAN))
FUNCTION(f_bce_with_logits, rille_bce_with_logits(x[0], rille_sigmoid(x[1]), NULL, RILLE_REDUCE_NONE))
FUNCTION(f_rnn, rille_rnn(x[0], &((rille_recurrent_weights){x[1], x[2], NULL, NULL}), NULL, RILLE_TANH))
FUNCTION(f_lstm, rille_lstm(x[0], &((rille_recurrent_weights){x[1], x[2], NULL, NULL}), NULL, NULL, NULL))
FUNCTION(f_gru, rille_gru(x[0], &((rille_recurrent_weights){x[1], x[2], NULL, NULL}), NULL))

static rille_tensor *f_cross_entropy_with(rille_context *cx, inputs x)
{
    const rille_label_options options = {.weight = rille_linspace(cx, RILLE_FLOAT32, 0.5, 2, 700), .label_smoothing = 0.1};
    return rille_cross_entropy_with(x[0], index_of(cx, 401, 700), &options);
}

/* pair_loss_product is what pair_loss's gradient does. */
static rille_tensor *f_huber_slope(rille_context *cx, inputs x)
{
    (void)cx;
    rille_tensor *loss = rille_huber_loss(x[0], x[1], 0.7, RILLE_REDUCE_SUM), *slope = NULL;
    rille_grad(&loss, 1, &x[0], 1, NULL, true, &slope);
    return slope;
}

/* Gradients of a convolution, whose own turn is in the gradient of that gradient. */
static rille_tensor *conv_gradient(rille_context *cx, inputs x, int by, int rank, const int64_t *shape)
{
    rille_tensor *zeros = rille_zeros(cx, rille_dtype_of(x[0]), rank, shape), *gradient = NULL;
    rille_set_requires_grad(zeros, true);
    rille_tensor *y = rille_conv2d(by == 0 ? zeros : x[0], by == 0 ? x[0] : zeros, NULL, NULL);
    rille_grad(&y, 1, &zeros, 1, &x[1], true, &gradient);
    return gradient;
}
FUNCTION(f_conv_input, conv_gradient(cx, x, 0, SHAPE(3, 70, 20, 21)))
FUNCTION(f_conv_weight, conv_gradient(cx, x, 1, SHAPE(8, 3, 3, 3)))

static rille_tensor *pool_gradient(rille_context *cx, inputs x, bool largest)
{
    rille_tensor *in = rille_randn(cx, rille_dtype_of(x[0]), SHAPE(3, 7, 120, 121)), *gradient = NULL;
    rille_set_requires_grad(in, true);
    const rille_pooling options = {.kernel = {3, 3}, .stride = {2, 2}};
    rille_tensor *y = (largest ? rille_max_pool2d : rille_avg_pool2d)(in, &options);
    rille_grad(&y, 1, &in, 1, &x[0], true, &gradient);
    return gradient;
}
FUNCTION(f_max_pool_spread, pool_gradient(cx, x, true))
FUNCTION(f_avg_pool_spread, pool_gradient(cx, x, false))

static rille_tensor *f_qr_slope(rille_context *cx, inputs x)
{
    rille_tensor *total = rille_sum(f_qr(cx, x), NULL, 0, false), *slope = NULL;
    rille_grad(&total, 1, &x[0], 1, NULL, true, &slope);
    return slope;
}

/* What is nobody's operation but another one's gradient has its own turn in the gradient of that gradient. */
#define GRADIENT_FUNCTION(name, expression)                                                                                    \
    static rille_tensor *name(rille_context *cx, inputs x)                                                                     \
    {                                                                                                                          \
        rille_tensor *source = rille_zeros(cx, rille_dtype_of(x[0]), SHAPE(400, 701)), *gradient = NULL;                       \
        rille_set_requires_grad(source, true);                                                                                 \
        rille_tensor *picked = expression;                                                                                     \
        rille_grad(&picked, 1, &source, 1, &x[0], true, &gradient);                                                            \
        return gradient;                                                                                                       \
    }
GRADIENT_FUNCTION(f_index_add, rille_index_select(source, 0, index_of(cx, 900, 400)))
GRADIENT_FUNCTION(f_spread, rille_slice(source, 1, 700, 350, -2))
GRADIENT_FUNCTION(f_fold, rille_reshape(rille_unfold(source, 1, 4, 4), SHAPE(400, 700)))

typedef struct sample {
    const char *name;
    enum rl_op_id op;
    rille_tensor *(*f)(rille_context *cx, inputs x);
    int count;
    int64_t shape[3][5]; /* rank, sizes */
} sample;

#define BIG                                                                                                                    \
    {                                                                                                                          \
        2, 401, 700                                                                                                            \
    }
static const sample samples[] = {
    {"convert", RL_OP_convert, f_convert, 1, {BIG}},
    {"clone of a transpose", RL_OP_clone, f_clone, 1, {BIG}},
    {"reshape of a transpose", RL_OP_reshape, f_reshape, 1, {BIG}},
    {"permute", RL_OP_permute, f_permute, 1, {BIG}},
    {"narrow", RL_OP_narrow, f_narrow, 1, {BIG}},
    {"pad", RL_OP_pad, f_pad, 1, {{2, 301, 701}}},
    {"cat", RL_OP_cat, f_cat, 2, {BIG, {2, 401, 300}}},
    {"slice", RL_OP_slice, f_slice, 1, {BIG}},
    {"spread", RL_OP_spread, f_spread, 1, {{2, 400, 350}}},
    {"unfold", RL_OP_unfold, f_unfold, 1, {BIG}},
    {"fold", RL_OP_fold, f_fold, 1, {{2, 400, 700}}},
    {"diagonal", RL_OP_diagonal, f_diagonal, 1, {BIG}},
    {"diagonal_embed", RL_OP_diagonal_embed, f_diag_embed, 1, {{2, 30, 200}}},
    {"triu", RL_OP_where, f_triu, 1, {BIG}},
    {"gather", RL_OP_gather, f_gather, 1, {BIG}},
    {"scatter", RL_OP_scatter, f_scatter, 2, {BIG, {2, 900, 600}}},
    {"scatter_add", RL_OP_scatter_add, f_scatter_add, 2, {BIG, {2, 900, 600}}},
    {"masked_select", RL_OP_gather, f_masked_select, 1, {BIG}},
    {"expand", RL_OP_expand, f_expand, 1, {{2, 1, 701}}},
    {"index_select", RL_OP_index_select, f_index_select, 1, {{2, 400, 701}}},
    {"index_add", RL_OP_index_add, f_index_add, 1, {{2, 900, 701}}},
    {"add", RL_OP_add, f_add, 2, {BIG, {1, 700}}},
    {"sub", RL_OP_sub, f_sub, 2, {BIG, {2, 401, 1}}},
    {"mul with a transpose", RL_OP_mul, f_mul, 2, {BIG, {2, 700, 401}}},
    {"div", RL_OP_div, f_div, 2, {BIG, BIG}},
    {"pow", RL_OP_pow, f_pow, 2, {{2, 101, 700}, {1, 700}}},
    {"neg", RL_OP_neg, f_neg, 1, {BIG}},
    {"exp", RL_OP_exp, f_exp, 1, {BIG}},
    {"log", RL_OP_log, f_log, 1, {BIG}},
    {"sqrt", RL_OP_sqrt, f_sqrt, 1, {BIG}},
    {"abs", RL_OP_abs, f_abs, 1, {BIG}},
    {"sign", RL_OP_sign, f_sign, 1, {BIG}},
    {"floor", RL_OP_floor, f_floor, 1, {BIG}},
    {"ceil", RL_OP_ceil, f_ceil, 1, {BIG}},
    {"round", RL_OP_round, f_round, 1, {BIG}},
    {"trunc", RL_OP_trunc, f_trunc, 1, {BIG}},
    {"expm1", RL_OP_expm1, f_expm1, 1, {BIG}},
    {"log1p", RL_OP_log1p, f_log1p, 1, {BIG}},
    {"log2", RL_OP_log2, f_log2, 1, {BIG}},
    {"log10", RL_OP_log10, f_log10, 1, {BIG}},
    {"cos", RL_OP_cos, f_cos, 1, {BIG}},
    {"tan", RL_OP_tan, f_tan, 1, {BIG}},
    {"asin", RL_OP_asin, f_asin, 1, {BIG}},
    {"acos", RL_OP_acos, f_acos, 1, {BIG}},
    {"sinh", RL_OP_sinh, f_sinh, 1, {BIG}},
    {"cosh", RL_OP_cosh, f_cosh, 1, {BIG}},
    {"minimum", RL_OP_minimum, f_minimum, 2, {BIG, {1, 700}}},
    {"maximum", RL_OP_maximum, f_maximum, 2, {BIG, {1, 700}}},
    {"remainder", RL_OP_remainder, f_remainder, 2, {BIG, {1, 700}}},
    {"clamp", RL_OP_clamp, f_clamp, 1, {BIG}},
    {"where", RL_OP_where, f_where, 2, {BIG, {2, 401, 1}}},
    {"sum", RL_OP_sum, f_sum, 1, {BIG}},
    {"sum of rows", RL_OP_sum, f_sum_rows, 1, {{2, 5, 100003}}},
    {"sum of columns", RL_OP_sum, f_sum_columns, 1, {BIG}},
    {"mean of a transpose", RL_OP_sum, f_mean, 1, {BIG}},
    {"prod of a transpose", RL_OP_prod, f_prod, 1, {BIG}},
    {"var", RL_OP_var, f_var, 1, {BIG}},
    {"var of columns", RL_OP_var, f_var_down, 1, {BIG}},
    {"std of rows", RL_OP_std, f_std, 1, {{2, 5, 100003}}},
    {"norm", RL_OP_norm, f_norm, 1, {BIG}},
    {"norm of columns", RL_OP_norm, f_norm_3, 1, {BIG}},
    {"logsumexp", RL_OP_logsumexp, f_logsumexp, 1, {BIG}},
    {"amax", RL_OP_amax, f_amax, 1, {BIG}},
    {"amin of columns", RL_OP_amin, f_amin, 1, {BIG}},
    {"cumsum", RL_OP_cumsum, f_cumsum, 1, {BIG}},
    {"cumprod", RL_OP_cumprod, f_cumprod, 1, {BIG}},
    {"recurrence", RL_OP_recurrence, f_recurrence, 2, {BIG, BIG}},
    {"sort", RL_OP_gather, f_sort, 1, {BIG}},
    {"sort of one long row", RL_OP_gather, f_sort_long, 1, {{2, 700, 701}}},
    {"topk", RL_OP_gather, f_topk, 1, {BIG}},
    {"max", RL_OP_max, f_max, 1, {BIG}},
    {"min", RL_OP_min, f_min, 1, {BIG}},
    {"matmul", RL_OP_matmul, f_matmul, 2, {{2, 257, 513}, {2, 513, 255}}},
    {"matmul of many small ones", RL_OP_matmul, f_matmul, 2, {{2, 3, 40000}, {1, 40000}}},
    {"matmul of a transpose", RL_OP_matmul, f_matmul_transposed, 2, {{2, 256, 300}, {2, 256, 513}}},
    {"qr", RL_OP_qr, f_qr, 1, {{3, 9, 60, 40}}},
    {"gradient of qr", RL_OP_solve_triangular, f_qr_slope, 1, {{3, 9, 60, 40}}},
    {"qr of one", RL_OP_qr, f_qr, 1, {{2, 300, 200}}},
    {"svd", RL_OP_svd, f_svd, 1, {{3, 9, 30, 40}}},
    {"svdvals", RL_OP_svdvals, f_svdvals, 1, {{2, 200, 150}}},
    {"linear", RL_OP_linear, f_linear, 3, {{2, 400, 257}, {2, 300, 257}, {1, 300}}},
    {"conv1d", RL_OP_conv, f_conv1d, 2, {{3, 3, 20, 3001}, {3, 9, 20, 7}}},
    {"conv2d", RL_OP_conv, f_conv2d, 3, {{4, 19, 3, 30, 31}, {4, 8, 3, 3, 3}, {1, 8}}},
    {"conv2d of many channels", RL_OP_conv, f_conv2d, 3, {{4, 2, 70, 20, 21}, {4, 33, 70, 3, 3}, {1, 33}}},
    {"conv2d of single elements", RL_OP_conv, f_conv2d_in_groups, 2, {{4, 2, 600, 20, 21}, {4, 33, 200, 1, 1}}},
    {"conv_input", RL_OP_conv_input, f_conv_input, 2, {{4, 33, 70, 3, 3}, {4, 3, 33, 18, 19}}},
    {"conv_weight", RL_OP_conv_weight, f_conv_weight, 2, {{4, 19, 3, 30, 31}, {4, 19, 8, 28, 29}}},
    {"max_pool2d", RL_OP_max_pool, f_max_pool2d, 1, {{4, 3, 7, 120, 121}}},
    {"max_pool_spread", RL_OP_max_pool_spread, f_max_pool_spread, 1, {{4, 3, 7, 59, 60}}},
    {"avg_pool2d", RL_OP_avg_pool, f_avg_pool2d, 1, {{4, 3, 7, 120, 121}}},
    {"avg_pool_spread", RL_OP_avg_pool_spread, f_avg_pool_spread, 1, {{4, 3, 7, 59, 60}}},
    {"dropout", RL_OP_dropout, f_dropout, 1, {BIG}},
    {"batch_norm", RL_OP_normalise, f_batch_norm, 3, {BIG, {1, 700}, {1, 700}}},
    {"batch_norm of images", RL_OP_normalise, f_batch_norm, 3, {{4, 20, 7, 40, 41}, {1, 7}, {1, 7}}},
    {"layer_norm", RL_OP_normalise, f_layer_norm, 3, {BIG, {1, 700}, {1, 700}}},
    {"rms_norm", RL_OP_normalise, f_rms_norm, 2, {BIG, {1, 700}}},
    {"group_norm", RL_OP_normalise, f_group_norm, 3, {{4, 9, 10, 40, 41}, {1, 10}, {1, 10}}},
    {"group_norm of rows", RL_OP_normalise, f_group_norm, 3, {BIG, {1, 700}, {1, 700}}},
    {"activation", RL_OP_activation, f_tanh, 1, {BIG}},
    {"activation_product", RL_OP_activation_product, f_product, 2, {BIG, BIG}},
    {"prelu", RL_OP_learned_activation, f_prelu, 2, {BIG, {1, 1}}},
    {"prelu by channel", RL_OP_learned_activation, f_prelu, 2, {BIG, {1, 700}}},
    {"with_derivative", RL_OP_with_derivative, f_with_derivative, 1, {BIG}},
    {"softmax", RL_OP_softmax, f_softmax, 1, {BIG}},
    {"softmax down", RL_OP_softmax, f_softmax_down, 1, {BIG}},
    {"log_softmax", RL_OP_log_softmax, f_log_softmax, 1, {BIG}},
    {"sparsemax", RL_OP_sparsemax, f_sparsemax, 1, {BIG}},
    {"hardmax", RL_OP_hardmax, f_hardmax, 1, {BIG}},
    {"glu", RL_OP_gated, f_glu, 1, {BIG}},
    {"crelu", RL_OP_crelu, f_crelu, 1, {BIG}},
    {"cross_entropy", RL_OP_cross_entropy, f_cross_entropy, 1, {BIG}},
    {"cross_entropy with options", RL_OP_cross_entropy, f_cross_entropy_with, 1, {BIG}},
    {"mse_loss", RL_OP_pair_loss, f_mse_loss, 2, {BIG, {1, 700}}},
    {"bce_with_logits", RL_OP_pair_loss, f_bce_with_logits, 2, {BIG, BIG}},
    {"gradient of huber_loss", RL_OP_pair_loss_product, f_huber_slope, 2, {BIG, BIG}},
    {"rnn", RL_OP_rnn, f_rnn, 3, {{3, 9, 100, 70}, {2, 140, 70}, {2, 140, 140}}},
    {"lstm", RL_OP_lstm, f_lstm, 3, {{3, 9, 100, 70}, {2, 280, 70}, {2, 280, 70}}},
    {"gru", RL_OP_gru, f_gru, 3, {{3, 9, 100, 70}, {2, 240, 70}, {2, 240, 80}}},
};
enum { SAMPLES = sizeof samples / sizeof samples[0], MOST_RESULTS = 8 };

typedef struct results { /* of one run: elements, row-major */
    int count;
    size_t bytes[MOST_RESULTS];
    void *data[MOST_RESULTS];
} results;

static void put_result(results *r, rille_tensor *t)
{
    cr_assert_not_null(t);
    r->bytes[r->count] = (size_t)rille_numel(t) * rille_dtype_size(rille_dtype_of(t));
    r->data[r->count] = malloc(r->bytes[r->count] + 1);
    cr_assert_eq(rille_copy_out(t, rille_dtype_of(t), r->data[r->count++]), RILLE_OK);
}

static void free_results(results *r)
{
    while (r->count > 0)
        free(r->data[--r->count]);
}

/* f's value and the gradients of its inputs, on so many threads. */
static results run_sample(const sample *s, rille_dtype dtype, int threads)
{
    rille_context *cx = rille_open(&(rille_options){.threads = threads, .seed = 5});
    results r = {0};
    rille_tensor *x[3];
    for (int i = 0; i < s->count; i++) {
        x[i] = rille_randn(cx, dtype, (int)s->shape[i][0], s->shape[i] + 1);
        rille_set_requires_grad(x[i], true);
    }
    rille_tensor *y = s->f(cx, x);
    cr_assert_not_null(y, "%s: %s", s->name, rille_error(cx));
    put_result(&r, y);
    rille_tensor *seed = rille_randn(cx, rille_dtype_of(y), rille_rank(y), rille_shape(y));
    cr_assert_eq(rille_backward(y, seed), RILLE_OK, "%s: %s", s->name, rille_error(cx));
    for (int i = 0; i < s->count; i++)
        put_result(&r, rille_gradient(x[i]));
    rille_close(cx);
    return r;
}

static void expect_same_bits(const char *name, int threads, const results *a, const results *b)
{
    cr_assert_eq(a->count, b->count);
    for (int i = 0; i < a->count; i++)
        cr_expect(a->bytes[i] == b->bytes[i] && memcmp(a->data[i], b->data[i], a->bytes[i]) == 0,
                  "%s: %s %d differs on %d threads", name, i == 0 ? "value" : "gradient", i, threads);
}

Test(threads, every_operation_has_a_sample)
{
    for (int op = 0; op < RL_OP_COUNT; op++) {
        bool found = false;
        for (int s = 0; s < SAMPLES; s++)
            found = found || (int)samples[s].op == op;
        cr_expect(found, "'%s' of ops.def is not run on several threads here", rl_ops[op].name);
    }
}

static void compare_samples(rille_dtype dtype)
{
    static const int threads[] = {2, 3, 8};
    for (int s = 0; s < SAMPLES; s++) {
        results one = run_sample(&samples[s], dtype, 1);
        for (int k = 0; k < 3; k++) {
            results many = run_sample(&samples[s], dtype, threads[k]);
            expect_same_bits(samples[s].name, threads[k], &one, &many);
            free_results(&many);
        }
        free_results(&one);
    }
}

Test(threads, do_not_show_in_float32)
{
    compare_samples(RILLE_FLOAT32);
}

Test(threads, do_not_show_in_float64)
{
    compare_samples(RILLE_FLOAT64);
}

Test(threads, do_not_show_in_matmul)
{
    static const int64_t sizes[] = {255, 256, 257, 513};
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            results of[3] = {{0}, {0}, {0}};
            for (int threads = 1; threads <= 3; threads++) {
                rille_context *cx = open_with(threads, 0);
                rille_tensor *a = rille_randn(cx, RILLE_FLOAT32, SHAPE(sizes[i], 65)),
                             *b = rille_randn(cx, RILLE_FLOAT32, SHAPE(65, sizes[j]));
                put_result(&of[threads - 1], rille_matmul(a, b));
                put_result(&of[threads - 1], rille_matmul(rille_transpose(b, 0, 1), rille_transpose(a, 0, 1)));
                rille_close(cx);
            }
            expect_same_bits("matmul", 2, &of[0], &of[1]);
            expect_same_bits("matmul", 3, &of[0], &of[2]);
            for (int k = 0; k < 3; k++)
                free_results(&of[k]);
        }
}

/* Comparisons, dtypes, statistics, and what else makes or reads many elements. */
static results run_others(int threads)
{
    rille_context *cx = rille_open(&(rille_options){.threads = threads, .seed = 11});
    results r = {0};
    rille_tensor *x = rille_randn(cx, RILLE_FLOAT32, SHAPE(300001)), *y = rille_rand(cx, RILLE_FLOAT64, SHAPE(300001));
    put_result(&r, rille_less(x, y));
    put_result(&r, rille_to(rille_mul(x, rille_scalar(cx, RILLE_FLOAT32, 1e3)), RILLE_INT64));
    put_result(&r, rille_argmax(rille_reshape(rille_narrow(x, 0, 0, 300000), SHAPE(3000, 100)), 0, false));
    put_result(&r, rille_sum(rille_less(x, y), NULL, 0, false));
    put_result(&r, rille_mean(rille_greater(x, y), NULL, 0, false));
    rille_tensor *line = rille_arange(cx, RILLE_FLOAT32, 0, 300001, 1);
    cr_assert_eq(rille_copy(rille_narrow(line, 0, 0, 300000), rille_narrow(line, 0, 1, 300000)), RILLE_OK);
    put_result(&r, line);
    rille_statistics s[2];
    memset(s, 0, sizeof s);
    cr_assert_eq(rille_measure(x, &s[0]), RILLE_OK);
    cr_assert_eq(rille_measure(y, &s[1]), RILLE_OK);
    put_result(&r, rille_from(cx, RILLE_UINT8, SHAPE(sizeof s), s));
    double share[2];
    cr_assert_eq(rille_measure_saturated(x, RILLE_TANH, NULL, 0.1, &share[0]), RILLE_OK);
    cr_assert_eq(rille_measure_dead(rille_relu(rille_reshape(rille_narrow(x, 0, 0, 300000), SHAPE(2, -1))), &share[1]),
                 RILLE_OK);
    put_result(&r, rille_from(cx, RILLE_FLOAT64, SHAPE(2), share));
    rille_close(cx);
    return r;
}

Test(threads, do_not_show_elsewhere)
{
    results one = run_others(1), two = run_others(2), eight = run_others(8);
    expect_same_bits("the others", 2, &one, &two);
    expect_same_bits("the others", 8, &one, &eight);
    free_results(&one);
    free_results(&two);
    free_results(&eight);
}

/* ---- Training ---- */

/* [512, 300] -> 257 tanh -> 10, ten steps of an optimiser, of gradients that are clipped. */
static results train(int threads, rille_optimizer kind, double rate)
{
    rille_context *cx = rille_open(&(rille_options){.threads = threads, .seed = 3});
    rille_optimizer_options o = {kind,          .learning_rate = rate, .momentum = 0.9, .beta1 = 0.9,
                                 .beta2 = 0.99, .alpha = 0.9,          .rho = 0.9,      .centered = true,
                                 .eps = 1e-6,   .weight_decay = 0.001};
    rille_tensor *x = rille_randn(cx, RILLE_FLOAT32, SHAPE(512, 300)), *labels = index_of(cx, 512, 10), *p[4], *state[12];
    int64_t shape[4][2] = {{257, 300}, {257}, {10, 257}, {10}}, steps[4] = {0};
    const int states = rille_optimizer_states(cx, &o, NULL);
    for (int i = 0; i < 4; i++) {
        p[i] = rille_mul(rille_randn(cx, RILLE_FLOAT32, i % 2 == 0 ? 2 : 1, shape[i]), rille_scalar(cx, RILLE_FLOAT32, 0.05));
        for (int k = 0; k < states; k++)
            state[states * i + k] = rille_zeros(cx, RILLE_FLOAT32, rille_rank(p[i]), rille_shape(p[i]));
        rille_set_requires_grad(p[i], true);
    }
    double first = 0, last = 0;
    for (int step = 0; step < 10; step++) {
        rille_scope_push(cx);
        rille_tensor *loss = rille_cross_entropy(rille_linear(rille_tanh(rille_linear(x, p[0], p[1])), p[2], p[3]), labels);
        cr_assert_eq(rille_backward(loss, NULL), RILLE_OK, "%s", rille_error(cx));
        cr_assert_eq(rille_clip_grad_norm(cx, 4, p, 0.5, 2, false, NULL), RILLE_OK);
        cr_assert_eq(rille_optimizer_step(cx, &o, 4, p, state, steps), RILLE_OK, "%s", rille_error(cx));
        for (int i = 0; i < 4; i++)
            rille_set_gradient(p[i], NULL);
        last = rille_item(loss);
        first = step == 0 ? last : first;
        rille_scope_pop(cx);
    }
    cr_expect(last < 0.9 * first, "optimizer %d learns: %g ... %g", (int)kind, first, last);
    results r = {0};
    for (int i = 0; i < 4; i++)
        put_result(&r, p[i]);
    rille_close(cx);
    return r;
}

Test(threads, do_not_show_in_training)
{
    const double rate[] = {[RILLE_SGD] = 0.1,      [RILLE_ADAM] = 0.003, [RILLE_ADAMW] = 0.003, [RILLE_RMSPROP] = 0.001,
                           [RILLE_ADAGRAD] = 0.02, [RILLE_ADADELTA] = 5, [RILLE_LION] = 0.001};
    for (int kind = 0; kind < (int)(sizeof rate / sizeof rate[0]); kind++) {
        results one = train(1, (rille_optimizer)kind, rate[kind]);
        for (int threads = 2; threads <= 3; threads++) {
            results many = train(threads, (rille_optimizer)kind, rate[kind]);
            expect_same_bits("trained weights", threads, &one, &many);
            free_results(&many);
        }
        free_results(&one);
    }
}

Test(threads, can_be_set)
{
    rille_context *cx = open_with(3, 0);
    cr_expect_eq(rille_threads(cx), 3);
    cr_expect_eq(rille_set_threads(cx, 1024), RILLE_OK);
    cr_expect_eq(rille_threads(cx), 1024);
    EXPECT_STATUS(cx, rille_set_threads(cx, 0), RILLE_ERROR_ARGUMENT, "threads: 0 is not in 1 ... 1024");
    EXPECT_STATUS(cx, rille_set_threads(cx, 1025), RILLE_ERROR_ARGUMENT, "threads: 1025 is not in 1 ... 1024");
    cr_expect_eq(rille_threads(cx), 1024);
    rille_close(cx);
    cx = rille_open(NULL);
    cr_expect_geq(rille_threads(cx), 1);
    rille_close(cx);
}

/* ---- Cancelling ---- */

Test(cancel, stops_the_next_operation)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *x = rille_randn(cx, RILLE_FLOAT32, SHAPE(300, 300)), *w = rille_randn(cx, RILLE_FLOAT32, SHAPE(300, 300));
    size_t before = rille_memory_usage(cx).current;
    rille_cancel(cx);
    EXPECT_FAILS(cx, rille_add(x, w), RILLE_ERROR_CANCELLED, "add: cancelled");
    rille_cancel(cx);
    EXPECT_FAILS(cx, rille_matmul(x, w), RILLE_ERROR_CANCELLED, "matmul: cancelled");
    rille_cancel(cx);
    EXPECT_FAILS(cx, rille_sum(x, NULL, 0, false), RILLE_ERROR_CANCELLED, "sum: cancelled");
    rille_cancel(cx);
    EXPECT_FAILS(cx, rille_softmax(x, 1), RILLE_ERROR_CANCELLED, "softmax: cancelled");
    cr_expect_eq(rille_memory_usage(cx).current, before, "nothing is left of them");
    rille_tensor *y = rille_add(x, w); /* once is once */
    cr_expect(y != NULL && (float)value_of(y, 7) == (float)value_of(x, 7) + (float)value_of(w, 7));

    rille_set_requires_grad(w, true);
    rille_tensor *loss = rille_sum(rille_matmul(x, w), NULL, 0, false);
    rille_cancel(cx);
    cr_expect_eq(rille_backward(loss, NULL), RILLE_ERROR_CANCELLED);
    cr_expect_eq(rille_error_status(cx), RILLE_ERROR_CANCELLED);
    rille_clear_error(cx);
    rille_tensor *again = rille_sum(rille_matmul(x, w), NULL, 0, false);
    cr_expect_eq(rille_backward(again, NULL), RILLE_OK, "%s", rille_error(cx));
    rille_close(cx);
}

static void *cancel_soon(void *cx)
{
    nanosleep(&(struct timespec){.tv_nsec = 30 * 1000 * 1000}, NULL);
    rille_cancel(cx);
    return NULL;
}

Test(cancel, comes_from_another_thread, .timeout = PATIENCE * 20)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *x = rille_full(cx, RILLE_FLOAT64, SHAPE(100000), 0.5);
    pthread_t other;
    cr_assert_eq(pthread_create(&other, NULL, cancel_soon, cx), 0);
    while (rille_error(cx) == NULL)
        rille_free(rille_exp(x));
    pthread_join(other, NULL);
    EXPECT_ERROR(cx, RILLE_ERROR_CANCELLED, "exp: cancelled");
    rille_close(cx);
}

/* ---- What one chunk is ---- */

typedef struct tally {
    rille_context *cancel; /* in the first chunk, where it is not NULL */
    size_t n, grain;
    atomic_int chunks, wrong;
    atomic_int seen[100];
} tally;

static void count_chunk(void *work, size_t begin, size_t end)
{
    tally *t = work;
    size_t expected = t->n - begin < t->grain ? t->n : begin + t->grain;
    atomic_fetch_add(&t->chunks, 1);
    atomic_fetch_add(&t->wrong,
                     begin % t->grain != 0 || end != expected || atomic_fetch_add(&t->seen[begin / t->grain], 1) != 0);
    if (t->cancel != NULL && begin == 0)
        rille_cancel(t->cancel);
    if (t->cancel != NULL)
        nanosleep(&(struct timespec){.tv_nsec = 1000 * 1000}, NULL);
}

Test(chunks, do_not_depend_on_threads)
{
    static const size_t sizes[] = {0, 1, 9, 10, 11, 99, 100, 101, 990};
    for (int threads = 1; threads <= 8; threads++) {
        rille_context *cx = open_with(threads, 0);
        for (int k = 0; k < 9; k++) {
            tally t = {.n = sizes[k], .grain = 10};
            cr_expect_eq(rl_parallel_for(cx, "count", t.n, t.grain, count_chunk, &t), RILLE_OK);
            cr_expect_eq(t.chunks, (int)((t.n + 9) / 10));
            cr_expect_eq(t.wrong, 0);
        }
        rille_close(cx);
    }
}

Test(chunks, stop_when_cancelled)
{
    for (int threads = 1; threads <= 3; threads++) {
        rille_context *cx = open_with(threads, 0);
        tally t = {.cancel = cx, .n = 100, .grain = 1};
        EXPECT_STATUS(cx, rl_parallel_for(cx, "count", t.n, t.grain, count_chunk, &t), RILLE_ERROR_CANCELLED,
                      "count: cancelled");
        cr_expect(threads == 1 ? t.chunks == 1 : t.chunks < 90, "%d chunks were done", t.chunks);
        t.cancel = NULL;
        cr_expect_eq(rl_parallel_for(cx, "count", 0, 1, count_chunk, &t), RILLE_OK, "cancelled once, not for ever");
        rille_close(cx);
    }
}

/* ---- Forking ---- */

static bool works(rille_context *cx)
{
    rille_scope_push(cx);
    rille_tensor *x = rille_full(cx, RILLE_FLOAT32, SHAPE(600, 600), 0.5);
    rille_tensor *y = rille_tanh(rille_matmul(x, x));
    rille_tensor *total = rille_sum(y, NULL, 0, false);
    bool right = total != NULL && fabs(rille_item(total) - 360000) < 1;
    rille_scope_pop(cx);
    return right;
}

static void fork_and_work(rille_context *cx)
{
    cr_assert(works(cx)); /* its threads are there now */
    pid_t child = fork();
    if (child == 0) {
        alarm(PATIENCE * 10); /* a child that waits for threads that it does not have */
        bool right = works(cx);
        rille_context *own = rille_open(NULL);
        right = right && own != NULL && works(own);
        rille_close(own);
        _exit(right ? 0 : 1);
    }
    int status = -1;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child's status is %d", status);
    cr_expect(works(cx), "the parent goes on");
}

Test(fork, a_child_goes_on, .timeout = PATIENCE * 30)
{
    rille_context *cx = rille_open(NULL);
    fork_and_work(cx);
    rille_close(cx);
}

Test(fork, a_child_of_a_context_with_threads_of_its_own_goes_on, .timeout = PATIENCE * 30)
{
    rille_context *cx = open_with(3, 0);
    fork_and_work(cx);
    rille_close(cx);
}
