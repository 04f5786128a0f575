/* Random programs of smooth operations, whose gradients are held against differences (programs.c). Arguments are bounded where a
 * function bends, or loses digits, beyond what differences can follow. */
#ifndef RILLE_TESTS_PROGRAM_GRADIENTS_H
#define RILLE_TESTS_PROGRAM_GRADIENTS_H

#include "engine/random_layouts.h"

static inline rille_tensor *smooth_element(rille_context *cx, int which, rille_tensor *a)
{
    rille_tensor *within = rille_mul(rille_tanh(a), rille_scalar(cx, RILLE_FLOAT64, 0.9));
    rille_tensor *positive = rille_add(rille_exp(within), rille_scalar(cx, RILLE_FLOAT64, 0.5));
    switch (which) {
    case 0: return rille_mul(rille_tanh(a), rille_scalar(cx, RILLE_FLOAT64, 1.5));
    case 1: return rille_sub(rille_mul(a, a), rille_tanh(a));
    case 2: return rille_div(a, rille_add(rille_exp(rille_neg(rille_tanh(a))), rille_scalar(cx, RILLE_FLOAT64, 1)));
    case 3: return rille_pow(positive, within);
    case 4: return rille_log(positive);
    case 5: return rille_log1p(within);
    case 6: return rille_asin(within);
    case 7: return rille_cos(positive);
    case 8: return rille_sinh(within);
    default: return rille_sqrt(rille_add(rille_mul(a, a), rille_scalar(cx, RILLE_FLOAT64, 0.7)));
    }
}

/* Of a matrix, which is both the input and where the weights come from. */
static inline rille_tensor *smooth_layer(rille_context *cx, int which, rille_tensor *a)
{
    const int64_t picked[] = {0, rille_shape(a)[0] - 1, 0};
    rille_tensor *square = rille_tanh(rille_matmul(a, rille_transpose(a, 0, 1))), *sequence = rille_unsqueeze(a, 1);
    rille_tensor *of_gates[] = {a, rille_tanh(a), rille_neg(a), a}, *among[] = {square, rille_neg(square), square, square};
    const int gates = which == 3 ? 4 : which == 2 ? 3 : 1;
    const rille_recurrent_weights w = {.ih = rille_cat(of_gates, gates, 0), .hh = rille_cat(among, gates, 0)};
    switch (which) {
    case 0: return square;
    case 1: return rille_rnn(sequence, &w, NULL, RILLE_TANH);
    case 2: return rille_gru(sequence, &w, NULL);
    case 3: return rille_lstm(sequence, &w, NULL, NULL, NULL);
    case 4: return rille_embedding(rille_from(cx, RILLE_INT64, SHAPE(3), picked), a);
    default: return rille_linear(a, a, NULL);
    }
}

static inline rille_tensor *smooth_loss(uint64_t *rng, rille_tensor *a, rille_tensor *target)
{
    const rille_reduction reduction = (rille_reduction)random_below(rng, 3);
    switch (random_below(rng, 4)) {
    case 0: return rille_mse_loss(a, target, reduction);
    case 1: return rille_bce_loss(rille_sigmoid(rille_tanh(a)), target, reduction);
    case 2: return rille_bce_with_logits(a, target, NULL, reduction);
    default: return rille_kl_div(a, target, true, reduction);
    }
}

/* Along a dimension that a has. */
static inline rille_tensor *smooth_fold(uint64_t *rng, rille_tensor *a, int dim)
{
    int rank = rille_rank(a);
    bool keepdim = random_below(rng, 2) == 0;
    switch (random_below(rng, 8)) {
    case 0: return rille_softmax(a, dim);
    case 1: return rille_log_softmax(a, dim);
    case 2: return rille_mean(a, &dim, 1, keepdim);
    case 3: return rille_cumsum(a, dim);
    case 4: return rille_logsumexp(a, &dim, 1, keepdim);
    case 5: return rille_var(a, &dim, 1, 0, keepdim);
    case 6: return rille_layer_norm(a, 1, rille_shape(a) + rank - 1, NULL, NULL, 0.1);
    default: return rille_avg_pool1d(a, &(rille_pooling){.kernel = {2}, .stride = {1}, .padding = {1}});
    }
}

static inline rille_tensor *smooth_move(rille_context *cx, uint64_t *rng, rille_tensor *a, int dim)
{
    int64_t two[] = {0, 0}, size = rille_shape(a)[dim], one[RILLE_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
    rille_tensor *both[] = {a, rille_tanh(a)};
    switch (random_below(rng, 11)) {
    case 0: return rille_transpose(a, 0, dim);
    case 1: return rille_narrow(a, dim, size / 2, size - size / 2);
    case 2: return rille_index_select(a, dim, rille_from(cx, RILLE_INT64, SHAPE(2), two));
    case 3: return rille_reshape(rille_transpose(a, 0, dim), SHAPE(-1));
    case 4: return rille_clone(rille_select(a, dim, size - 1));
    case 5: return rille_flip(a, &dim, 1);
    case 6: return rille_roll(a, 1, dim);
    case 7: return rille_numel(a) > 24 ? a : rille_cat(both, 2, dim);
    case 8: return rille_numel(a) > 24 || rille_rank(a) > 3 ? a : rille_stack(both, 2, dim);
    case 9: return rille_numel(a) > 24 ? a : rille_pad(a, one, one, 0.5);
    default: return rille_scatter_add(a, dim, rille_zeros(cx, RILLE_INT64, rille_rank(a), rille_shape(a)), rille_tanh(a));
    }
}

static inline rille_tensor *smooth_step(rille_context *cx, uint64_t *rng, rille_tensor *const *x, int count)
{
    rille_tensor *a = x[random_below(rng, count)], *b = x[random_below(rng, count)];
    int rank = rille_rank(a), dim = rank == 0 ? 0 : (int)random_below(rng, rank), which = (int)random_below(rng, 8);
    if (which == 0)
        return rille_add(rille_sum(b, NULL, 0, false), a);
    if (which == 1)
        return smooth_loss(rng, a, rille_mean(rille_tanh(b), NULL, 0, false));
    if (which == 2 && rank == 2 && rille_numel(a) > 0)
        return smooth_layer(cx, (int)random_below(rng, 6), a);
    if (which < 4 || rank == 0)
        return smooth_element(cx, (int)random_below(rng, 10), a);
    return which < 6 ? smooth_fold(rng, a, dim) : smooth_move(cx, rng, a, dim);
}

static inline rille_tensor *smooth_program(rille_context *cx, rille_tensor *const *inputs, int count, void *user)
{
    uint64_t rng = *(const uint64_t *)user;
    rille_tensor *x[16], *total = rille_scalar(cx, RILLE_FLOAT64, 0);
    for (int i = 0; i < count; i++)
        x[i] = inputs[i];
    for (int i = 0; i < 8; i++) {
        x[count] = smooth_step(cx, &rng, x, count);
        count++;
    }
    for (int i = 0; i < count; i++)
        total = rille_add(total, rille_mean(rille_tanh(x[i]), NULL, 0, false));
    return total;
}

#endif
