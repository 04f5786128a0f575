/* Memory: nothing leaks, the limit and a failing allocator give a clean error and leave the context usable, and a training
 * loop stops asking the system. */
#include "base/memory.h"
#include "engine/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- An allocator that counts, that fails from a given call on, and that wants each block back as it was given ---- */

typedef struct heap {
    size_t blocks, bytes; /* alive */
    size_t calls, most_bytes;
    size_t fails_at; /* this call fails, and the later ones where `for_good`; 0: none */
    bool for_good;
} heap;

enum { HEAD = 64 }; /* in front of each block: its size */

static void *heap_allocate(void *user, size_t bytes)
{
    heap *h = user;
    h->calls++;
    if (h->fails_at != 0 && (h->for_good ? h->calls >= h->fails_at : h->calls == h->fails_at))
        return NULL;
    char *block = aligned_alloc(64, HEAD + bytes);
    memset(block, 0xa5, HEAD + bytes); /* nobody may count on zeros */
    memcpy(block, &bytes, sizeof bytes);
    h->blocks++;
    h->bytes += bytes;
    h->most_bytes = h->bytes > h->most_bytes ? h->bytes : h->most_bytes;
    return block + HEAD;
}

static void heap_release(void *user, void *block, size_t bytes)
{
    heap *h = user;
    size_t given;
    memcpy(&given, (char *)block - HEAD, sizeof given);
    cr_expect_eq(given, bytes, "a block of %zu bytes is released as one of %zu", given, bytes);
    h->blocks--;
    h->bytes -= bytes;
    free((char *)block - HEAD);
}

static rille_context *open_on(heap *h, size_t limit)
{
    return rille_open(&(rille_options){
        .allocate = heap_allocate, .release = heap_release, .user = h, .memory_limit = limit, .threads = 1, .seed = 3});
}

/* ---- A training step: forward, backward, update ---- */

typedef struct net {
    rille_tensor *x, *labels, *weight[2], *bias[2], *slope, *velocity[4];
} net;

static rille_tensor *parameter(rille_context *cx, int rank, const int64_t *shape)
{
    rille_tensor *t = rille_keep(rille_randn(cx, RILLE_FLOAT32, rank, shape));
    if (t != NULL)
        rille_set_requires_grad(t, true);
    return t;
}

static net make_net(rille_context *cx)
{
    net n = {.x = rille_keep(rille_randn(cx, RILLE_FLOAT32, SHAPE(8, 6))),
             .labels = rille_keep(rille_from(cx, RILLE_INT64, SHAPE(8), (int64_t[]){0, 1, 2, 0, 1, 2, 0, 1}))};
    for (int i = 0; i < 2; i++) {
        n.weight[i] = parameter(cx, SHAPE(i == 0 ? 5 : 3, i == 0 ? 6 : 5));
        n.bias[i] = parameter(cx, SHAPE(i == 0 ? 5 : 3));
        n.velocity[i] = n.weight[i] == NULL ? NULL : rille_keep(rille_zeros(cx, RILLE_FLOAT32, 2, rille_shape(n.weight[i])));
        n.velocity[2 + i] = n.bias[i] == NULL ? NULL : rille_keep(rille_zeros(cx, RILLE_FLOAT32, 1, rille_shape(n.bias[i])));
    }
    n.slope = parameter(cx, SHAPE(5));
    return n;
}

static rille_status train(rille_context *cx, const net *n)
{
    rille_tensor *parameters[] = {n->weight[0], n->weight[1], n->bias[0], n->bias[1]};
    rille_scope_push(cx);
    for (int i = 0; i < 4; i++)
        rille_set_gradient(parameters[i], NULL);
    rille_set_gradient(n->slope, NULL);
    rille_tensor *hidden = rille_tanh(rille_linear(n->x, n->weight[0], n->bias[0]));
    rille_tensor *bent = n->slope == NULL ? NULL : rille_activate_with(hidden, RILLE_PRELU, NULL, &n->slope);
    rille_tensor *logits = rille_linear(rille_transpose(rille_transpose(bent, 0, 1), 0, 1), n->weight[1], n->bias[1]);
    rille_tensor *penalty = rille_mean(rille_mul(n->weight[0], n->weight[0]), NULL, 0, false);
    rille_tensor *loss = rille_add(rille_cross_entropy(logits, n->labels), penalty);
    rille_status status = rille_backward(loss, NULL);
    if (status == RILLE_OK)
        status = rille_clip_grad_norm(cx, 4, parameters, 1, 2, false, NULL);
    if (status == RILLE_OK)
        status = rille_optimizer_step(cx, &(rille_optimizer_options){.learning_rate = 0.1, .momentum = 0.9}, 4, parameters,
                                      n->velocity, (int64_t[4]){0});
    rille_scope_pop(cx);
    return rille_error(cx) != NULL ? rille_error_status(cx) : status;
}

Test(memory, nothing_is_left_at_close)
{
    heap h = {0};
    rille_context *cx = open_on(&h, 0);
    net n = make_net(cx);
    for (int i = 0; i < 3; i++)
        cr_expect_eq(train(cx, &n), RILLE_OK);
    rille_tensor *w = n.weight[0], *g = NULL, *y = rille_sum(rille_mul(w, rille_mul(w, w)), NULL, 0, false);
    cr_expect_eq(rille_grad(&y, 1, &w, 1, NULL, true, &g), RILLE_OK);
    y = rille_sum(g, NULL, 0, false);
    cr_expect_eq(rille_grad(&y, 1, &w, 1, NULL, false, &g), RILLE_OK);
    rille_scope_push(cx); /* left open */
    rille_matmul(w, n.x); /* shapes do not fit */
    EXPECT_ERROR(cx, RILLE_ERROR_SHAPE, "matmul: shapes [5, 6] and [8, 6]: 6 columns against 8 rows");
    rille_close(cx);
    cr_expect_eq(h.blocks, 0);
    cr_expect_eq(h.bytes, 0);
}

Test(memory, the_system_is_not_asked_after_the_first_step)
{
    heap h = {0};
    rille_context *cx = open_on(&h, 0);
    net n = make_net(cx);
    train(cx, &n);
    size_t calls = h.calls, current = rille_memory_usage(cx).current;
    for (int i = 0; i < 50; i++)
        cr_expect_eq(train(cx, &n), RILLE_OK);
    cr_expect_eq(h.calls, calls, "%zu more allocations", h.calls - calls);
    cr_expect_eq(rille_memory_usage(cx).current, current);
    cr_expect_eq(rille_memory_usage(cx).system_allocations + 1, h.calls); /* the context itself is not counted */
    rille_close(cx);
}

/* Weights after two steps where nothing fails, and whether those of n, trained as much from the same seed, are the same. */
static void copy_weights(const net *n, float weights[48])
{
    cr_assert_eq(rille_copy_out(n->weight[0], RILLE_FLOAT32, weights), RILLE_OK);
    cr_assert_eq(rille_copy_out(n->weight[1], RILLE_FLOAT32, weights + 30), RILLE_OK);
    cr_assert_eq(rille_copy_out(n->bias[1], RILLE_FLOAT32, weights + 45), RILLE_OK);
}

static void undisturbed_weights(float weights[48])
{
    heap h = {0};
    rille_context *cx = open_on(&h, 0);
    net n = make_net(cx);
    cr_assert(train(cx, &n) == RILLE_OK && train(cx, &n) == RILLE_OK);
    copy_weights(&n, weights);
    rille_close(cx);
}

/* A run on h, in which allocations fail: no leak, a message, and a context that then does what an undisturbed one does. */
static bool survives(heap *h, size_t limit, const float *undisturbed)
{
    rille_context *cx = open_on(h, limit);
    if (cx == NULL) {
        cr_expect_eq(h->blocks, 0);
        return false;
    }
    net n = make_net(cx);
    rille_status status = rille_error(cx) != NULL ? rille_error_status(cx) : train(cx, &n);
    cr_expect_eq(rille_grad_enabled(cx), true);
    if (status != RILLE_OK && limit == 0) {
        cr_expect_eq(status, RILLE_ERROR_MEMORY, "call %zu: %s", h->fails_at, rille_error(cx));
        cr_expect_eq(strncmp(rille_error(cx), "out of memory: ", 15), 0, "%s", rille_error(cx));
        h->fails_at = 0;
        rille_clear_error(cx);
        rille_manual_seed(cx, 3);
        net again = make_net(cx);
        cr_expect(train(cx, &again) == RILLE_OK && train(cx, &again) == RILLE_OK, "%s", rille_error(cx));
        float weights[48];
        copy_weights(&again, weights);
        cr_expect_eq(memcmp(weights, undisturbed, sizeof weights), 0, "it trains as if nothing had been");
    }
    cr_expect(limit == 0 || rille_memory_usage(cx).peak <= limit);
    rille_close(cx);
    cr_expect_eq(h->blocks, 0, "call %zu: %zu blocks leak", h->fails_at, h->blocks);
    return status == RILLE_OK;
}

Test(memory, every_allocation_may_fail)
{
    float undisturbed[48];
    undisturbed_weights(undisturbed);
    for (int for_good = 0; for_good < 2; for_good++) {
        size_t k = 1, failures = 0;
        for (bool reached = true; reached && k < 2000; k++) {
            heap h = {.fails_at = k, .for_good = for_good};
            failures += !survives(&h, 0, undisturbed);
            reached = h.calls >= k; /* there was a k-th call */
        }
        cr_expect(failures > 20 && k < 2000, "%zu of %zu allocations failed", failures, k);
    }
}

Test(memory, every_limit_is_kept)
{
    bool enough = false;
    size_t limit = 64;
    for (; !enough && limit < 1 << 20; limit += 64) {
        heap h = {0};
        enough = survives(&h, limit, NULL);
        cr_expect_leq(h.most_bytes, limit + rl_block_size(sizeof(rille_context)), "of a limit of %zu", limit);
    }
    cr_expect(enough && limit > 4096, "%zu bytes were enough", limit);
}

/* ---- Each call alone: where it fails, not one block more is held than before ---- */

typedef struct bench { /* what the calls below are given */
    rille_tensor *x, *turned, *images, *kernel, *running_mean, *running_var, *whole, *index, *labels, *bias, *scalar, *loss,
        *wide, *mask, *places, *half, *sequence, *three, *four, *through_time, *reduced;
} bench;

static rille_tensor *gradient_with(rille_context *cx, const bench *b, bool create_graph)
{
    rille_tensor *g = NULL;
    (void)cx;
    rille_grad(&b->loss, 1, &b->x, 1, NULL, create_graph, &g);
    return g;
}

static rille_tensor *lstm(const bench *b)
{
    rille_tensor *c_n = NULL,
                 *h = rille_lstm(b->sequence, &(rille_recurrent_weights){b->four, b->four, NULL, NULL}, b->x, b->turned, &c_n);
    cr_expect_eq(h == NULL, c_n == NULL);
    rille_free(c_n);
    return h;
}

static rille_tensor *orthogonal(const bench *b)
{
    rille_tensor *wide = rille_narrow(b->turned, 0, 0, 3), *q = NULL, *r = NULL;
    const rille_status status = rille_qr(wide, &q, &r);
    cr_expect((status == RILLE_OK) == (q != NULL) && (q == NULL) == (r == NULL));
    rille_free(wide);
    rille_free(r);
    return q;
}

static rille_tensor *singular_vectors(const bench *b)
{
    rille_tensor *u, *s;
    const rille_status status = rille_svd(b->turned, &u, &s, NULL);
    cr_expect((status == RILLE_OK) == (u != NULL) && (u == NULL) == (s == NULL));
    rille_free(s);
    return u;
}

static rille_tensor *gradient_through_time(const bench *b)
{
    rille_tensor *g = NULL;
    rille_grad(&b->through_time, 1, &b->four, 1, NULL, false, &g);
    return g;
}

static rille_tensor *double_it(rille_tensor *g, void *user)
{
    (void)user;
    return rille_add(g, g);
}

static rille_tensor *hooked_gradient(rille_context *cx, const bench *b) /* in anomaly mode too */
{
    rille_anomaly was = rille_set_anomaly(cx, (rille_anomaly){.on = true});
    rille_tensor *g = rille_add_hook(b->x, double_it, NULL, NULL) == RILLE_OK ? gradient_with(cx, b, false) : NULL;
    rille_remove_hook(b->x, NULL);
    rille_set_anomaly(cx, was);
    return g;
}

static bool is_measured_early(rille_context *cx, const bench *b, const rille_intervals *within)
{
    rille_scope_push(cx);
    rille_tensor *leaf = rille_clone(rille_detach(b->turned));
    rille_set_requires_grad(leaf, true);
    const bool ok = rille_measure_early(leaf, within) == RILLE_OK &&
                    rille_backward(rille_sum(rille_tanh(leaf), NULL, 0, false), NULL) == RILLE_OK;
    rille_scope_pop(cx);
    return ok;
}

static rille_tensor *measured(rille_context *cx, const bench *b) /* NULL where one of the measurements fails */
{
    rille_statistics s, many[2];
    rille_intervals flat;
    int64_t count[3];
    double share;
    rille_tensor *now = rille_contiguous(b->x), *before = rille_clone(now);
    bool ok = before != NULL && rille_measure_many(cx, 2, (rille_tensor *[]){b->turned, b->x}, NULL, many) == RILLE_OK &&
              rille_measure_changes(cx, 1, &now, &before, many) == RILLE_OK &&
              rille_flat_intervals(cx, RILLE_TANH, NULL, 0.5, &flat) == RILLE_OK &&
              rille_histogram(b->turned, 0, 1, 3, count) == RILLE_OK;
    ok = ok && is_measured_early(cx, b, &flat);
    rille_free(before);
    if (now != b->x)
        rille_free(now);
    ok = ok && rille_measure(b->turned, &s) == RILLE_OK && rille_measure_dead(b->turned, &share) == RILLE_OK &&
         rille_measure_saturated(b->turned, RILLE_TANH, NULL, 0.5, &share) == RILLE_OK;
    return ok ? b->x : NULL;
}

static rille_tensor *last_part(const bench *b) /* of three; freed with the others where one fails */
{
    rille_tensor *part[3];
    return rille_split(b->x, 3, (int64_t[]){1, 1, 2}, 0, part) == RILLE_OK ? part[2] : NULL;
}

static rille_tensor *index_written(const bench *b) /* in place, two places at once and a mask */
{
    rille_tensor *index[] = {b->index, b->index};
    bool ok = rille_index_put(b->wide, 2, index, b->scalar) == RILLE_OK &&
              rille_index_put(b->wide, 1, &b->mask, b->scalar) == RILLE_OK;
    return ok ? b->wide : NULL;
}

static rille_tensor *copied(rille_context *cx, const bench *b) /* overlapping, so through a temporary */
{
    (void)cx;
    rille_tensor *into = rille_narrow(b->wide, 0, 1, 3), *from = rille_narrow(b->wide, 0, 0, 3);
    bool ok = into != NULL && from != NULL && rille_copy(into, from) == RILLE_OK;
    rille_free(into);
    rille_free(from);
    return ok ? b->wide : NULL;
}

static rille_tensor *gradient_of_reductions(rille_context *cx, const bench *b)
{
    rille_tensor *g = NULL;
    (void)cx;
    rille_grad(&b->reduced, 1, &b->x, 1, NULL, true, &g);
    return g;
}

static rille_tensor *kept_in_files(rille_context *cx, const bench *b) /* written and read in each format */
{
    char path[] = "/tmp/rille-memory-XXXXXX";
    const char *names[] = {"x", "turned"};
    rille_tensor *each[] = {b->x, b->turned}, *last = NULL;
    int made = mkstemp(path);
    cr_assert(made >= 0 && close(made) == 0);
    if (rille_write_npy(b->turned, path) == RILLE_OK && rille_read_npy(cx, path) != NULL &&
        rille_write_npz(cx, path, 2, names, each, true) == RILLE_OK) {
        rille_archive *archive = rille_open_npz(cx, path);
        last = rille_archive_read(archive, 1);
        rille_archive_close(archive);
    }
    if (last != NULL && rille_write_safetensors(cx, path, 2, names, each, 1, names, names) == RILLE_OK) {
        rille_archive *archive = rille_open_safetensors(cx, path);
        last = rille_archive_read(archive, 1);
        rille_archive_close(archive);
    } else {
        last = NULL;
    }
    unlink(path);
    return last;
}

#define CALL(name, expression)                                                                                                 \
    static rille_tensor *call_##name(rille_context *cx, const bench *b)                                                        \
    {                                                                                                                          \
        (void)cx;                                                                                                              \
        (void)b;                                                                                                               \
        return expression;                                                                                                     \
    }
#define CALLS(X)                                                                                                               \
    X(from, rille_from(cx, RILLE_FLOAT32, SHAPE(2), (float[]){1, 2}))                                                          \
    X(full, rille_full(cx, RILLE_INT64, SHAPE(3, 4), 7))                                                                       \
    X(arange, rille_arange(cx, RILLE_FLOAT32, 0, 9, 1))                                                                        \
    X(linspace, rille_linspace(cx, RILLE_INT64, 0, 9, 4))                                                                      \
    X(eye, rille_eye(cx, RILLE_FLOAT64, 3))                                                                                    \
    X(randn, rille_randn(cx, RILLE_FLOAT32, SHAPE(3, 4)))                                                                      \
    X(randperm, rille_randperm(cx, 9))                                                                                         \
    X(reshape, rille_reshape(b->turned, SHAPE(-1)))                                                                            \
    X(permute, rille_permute(b->x, (int[]){1, 0}))                                                                             \
    X(select, rille_select(b->x, 1, 2))                                                                                        \
    X(slice, rille_slice(b->x, 1, 3, 2, -2))                                                                                   \
    X(flip, rille_flip(b->x, (int[]){0, 1}, 2))                                                                                \
    X(unfold, rille_unfold(b->turned, 0, 2, 1))                                                                                \
    X(diagonal, rille_diagonal(b->x, 1, 0, 1))                                                                                 \
    X(diag_embed, rille_diag_embed(b->turned, 1))                                                                              \
    X(squeeze, rille_squeeze(b->x, NULL, 0))                                                                                   \
    X(unsqueeze, rille_unsqueeze(b->x, 1))                                                                                     \
    X(flatten, rille_flatten(b->turned, 0, 1))                                                                                 \
    X(split, last_part(b))                                                                                                     \
    X(cat, rille_cat((rille_tensor *[]){b->x, b->whole, b->turned, b->x, b->x, b->x, b->x, b->x}, 8, 1))                       \
    X(stack, rille_stack((rille_tensor *[]){b->x, b->turned}, 2, 1))                                                           \
    X(tile, rille_tile(b->turned, 2, (int64_t[]){2, 3}))                                                                       \
    X(roll, rille_roll(b->turned, 1, 0))                                                                                       \
    X(pad, rille_pad(b->turned, (int64_t[]){1, 0}, (int64_t[]){0, -1}, 2))                                                     \
    X(gather, rille_gather(b->turned, 1, b->places))                                                                           \
    X(scatter, rille_scatter(b->whole, 1, b->places, b->turned))                                                               \
    X(scatter_add, rille_scatter_add(b->turned, 1, b->places, b->whole))                                                       \
    X(masked_select, rille_masked_select(b->turned, b->whole))                                                                 \
    X(masked_fill, rille_masked_fill(b->turned, b->whole, b->scalar))                                                          \
    X(triu, rille_triu(b->turned, 0))                                                                                          \
    X(one_hot, rille_one_hot(b->labels, 4))                                                                                    \
    X(index, rille_index(b->turned, 2, (rille_tensor *[]){b->index, b->index}))                                                \
    X(index_by_mask, rille_index(b->turned, 1, &b->mask))                                                                      \
    X(index_put, index_written(b))                                                                                             \
    X(outer, rille_outer(b->bias, b->bias))                                                                                    \
    X(dot, rille_dot(b->bias, b->bias))                                                                                        \
    X(expand, rille_expand(b->bias, SHAPE(5, 4)))                                                                              \
    X(detach, rille_detach(b->x))                                                                                              \
    X(contiguous, rille_contiguous(b->turned))                                                                                 \
    X(clone, rille_clone(b->turned))                                                                                           \
    X(to, rille_to(b->x, RILLE_FLOAT64))                                                                                       \
    X(index_select, rille_index_select(b->turned, 0, b->index))                                                                \
    X(add, rille_add(b->x, b->whole))                                                                                          \
    X(mul, rille_mul(b->turned, b->bias))                                                                                      \
    X(pow, rille_pow(b->x, b->whole))                                                                                          \
    X(exp, rille_exp(b->turned))                                                                                               \
    X(sqrt, rille_sqrt(b->whole))                                                                                              \
    X(clamp, rille_clamp(b->whole, 0.5, 2.5))                                                                                  \
    X(where, rille_where(b->whole, b->turned, b->bias))                                                                        \
    X(less, rille_less(b->whole, b->x))                                                                                        \
    X(sum, rille_sum(b->turned, (int[]){0}, 1, false))                                                                         \
    X(sum_of_integers, rille_sum(b->whole, (int[]){1}, 1, true))                                                               \
    X(mean, rille_mean(b->whole, NULL, 0, false))                                                                              \
    X(prod, rille_prod(b->turned, (int[]){0}, 1, false))                                                                       \
    X(var, rille_var(b->turned, NULL, 0, 1, false))                                                                            \
    X(std_of_integers, rille_std(b->whole, (int[]){1}, 1, 1, true))                                                            \
    X(norm, rille_norm(b->turned, 2, (int[]){1}, 1, false))                                                                    \
    X(logsumexp, rille_logsumexp(b->turned, (int[]){1}, 1, false))                                                             \
    X(amax, rille_amax(b->turned, (int[]){1}, 1, false))                                                                       \
    X(any, rille_any(b->turned, NULL, 0, false))                                                                               \
    X(cumsum, rille_cumsum(b->whole, 0))                                                                                       \
    X(cumprod, rille_cumprod(b->turned, 1))                                                                                    \
    X(sort, rille_sort(b->turned, 0, false, NULL))                                                                             \
    X(argsort, rille_argsort(b->whole, 1, true))                                                                               \
    X(topk, rille_topk(b->turned, 2, 1, true, NULL))                                                                           \
    X(grad_of_reductions, gradient_of_reductions(cx, b))                                                                       \
    X(max, rille_max(b->turned, 0, true))                                                                                      \
    X(min, rille_min(b->turned, 1, false))                                                                                     \
    X(argmax, rille_argmax(b->turned, 1, false))                                                                               \
    X(matmul, rille_matmul(b->x, b->turned))                                                                                   \
    X(matmul_of_a_vector, rille_matmul(b->turned, b->bias))                                                                    \
    X(qr, orthogonal(b))                                                                                                       \
    X(svd, singular_vectors(b))                                                                                                \
    X(svdvals, rille_svdvals(b->turned))                                                                                       \
    X(linear, rille_linear(b->turned, b->turned, b->bias))                                                                     \
    X(conv1d, rille_conv1d(b->turned, b->kernel, b->bias, NULL))                                                               \
    X(conv2d, rille_conv2d(b->images, b->images, NULL, &(rille_convolution){.padding = {1, 2}}))                               \
    X(max_pool, rille_max_pool2d(b->turned, &(rille_pooling){.kernel = {2, 2}}))                                               \
    X(avg_pool_of_integers, rille_avg_pool1d(b->whole, &(rille_pooling){.kernel = {2}}))                                       \
    X(dropout, rille_dropout(b->turned, 0.5))                                                                                  \
    X(embedding, rille_embedding(b->places, b->turned))                                                                        \
    X(batch_norm, rille_batch_norm(b->turned, b->running_mean, b->running_var, b->bias, b->bias, true, 0.1, 0.1))              \
    X(layer_norm, rille_layer_norm(b->turned, 1, (int64_t[]){4}, b->bias, b->bias, 0.1))                                       \
    X(tanh, rille_tanh(b->turned))                                                                                             \
    X(derivative, rille_derivative(b->x, RILLE_SIGMOID, 1, NULL))                                                              \
    X(softmax, rille_softmax(b->turned, 0))                                                                                    \
    X(log_softmax, rille_log_softmax(b->whole, 1))                                                                             \
    X(softmin, rille_softmin(b->turned, 0))                                                                                    \
    X(sparsemax, rille_sparsemax(b->turned, 0))                                                                                \
    X(hardmax, rille_hardmax(b->turned, 1))                                                                                    \
    X(glu, rille_glu(b->turned, 1))                                                                                            \
    X(glu_of_integers, rille_glu(b->whole, 0))                                                                                 \
    X(maxout, rille_maxout(b->turned, 2, 1))                                                                                   \
    X(crelu, rille_crelu(b->turned, 0))                                                                                        \
    X(cross_entropy, rille_cross_entropy(b->turned, b->labels))                                                                \
    X(cross_entropy_with,                                                                                                      \
      rille_cross_entropy_with(b->turned, b->labels, &(rille_label_options){.weight = b->bias, .label_smoothing = 0.1}))       \
    X(nll_loss, rille_nll_loss(b->turned, b->labels, NULL))                                                                    \
    X(mse_loss, rille_mse_loss(b->turned, b->bias, RILLE_REDUCE_MEAN))                                                         \
    X(bce_loss, rille_bce_loss(b->half, b->whole, RILLE_REDUCE_SUM))                                                           \
    X(bce_with_logits, rille_bce_with_logits(b->turned, b->whole, b->bias, RILLE_REDUCE_MEAN))                                 \
    X(kl_div, rille_kl_div(b->whole, b->turned, true, RILLE_REDUCE_BATCHMEAN))                                                 \
    X(rnn, rille_rnn(b->sequence, &((rille_recurrent_weights){b->x, b->turned, b->bias, b->bias}), b->x, RILLE_RELU))          \
    X(lstm, lstm(b))                                                                                                           \
    X(gru, rille_gru(b->sequence, &((rille_recurrent_weights){b->three, b->three, NULL, NULL}), NULL))                         \
    X(grad_through_time, gradient_through_time(b))                                                                             \
    X(grad, gradient_with(cx, b, false))                                                                                       \
    X(grad_of_grad, gradient_with(cx, b, true))                                                                                \
    X(hooked_gradient, hooked_gradient(cx, b))                                                                                 \
    X(measure, measured(cx, b))
CALLS(CALL)

typedef struct call {
    const char *name;
    rille_tensor *(*make)(rille_context *cx, const bench *b);
} call;
#define ROW(name, expression) {#name, call_##name},
static const call calls[] = {CALLS(ROW)};

static bench make_bench(rille_context *cx)
{
    bench b = {.x = rille_randn(cx, RILLE_FLOAT32, SHAPE(4, 4)),
               .whole = rille_full(cx, RILLE_UINT8, SHAPE(4, 4), 3),
               .index = rille_from(cx, RILLE_INT64, SHAPE(3), (int64_t[]){2, 0, 2}),
               .labels = rille_from(cx, RILLE_INT64, SHAPE(4), (int64_t[]){2, 0, 2, 1}),
               .bias = rille_randn(cx, RILLE_FLOAT32, SHAPE(4)),
               .wide = rille_randn(cx, RILLE_FLOAT32, SHAPE(4, 4)),
               .scalar = rille_scalar(cx, RILLE_FLOAT64, 2),
               .mask = rille_from(cx, RILLE_BOOL, SHAPE(4), (bool[]){true, false, true, true}),
               .places = rille_from(cx, RILLE_INT64, SHAPE(2, 3), (int64_t[]){2, 0, 2, 1, 3, 0}),
               .half = rille_full(cx, RILLE_FLOAT32, SHAPE(4, 4), 0.5),
               .sequence = rille_randn(cx, RILLE_FLOAT32, SHAPE(3, 4, 4)),
               .three = rille_randn(cx, RILLE_FLOAT32, SHAPE(12, 4)),
               .four = rille_randn(cx, RILLE_FLOAT32, SHAPE(16, 4))};
    b.images = rille_transpose(rille_randn(cx, RILLE_FLOAT32, SHAPE(17, 2, 2, 1)), 1, 2);
    b.kernel = rille_transpose(rille_randn(cx, RILLE_FLOAT32, SHAPE(4, 2, 4)), 1, 2);
    b.running_mean = rille_randn(cx, RILLE_FLOAT32, SHAPE(4));
    b.running_var = rille_full(cx, RILLE_FLOAT32, SHAPE(4), 1);
    rille_set_requires_grad(b.x, true);
    rille_set_requires_grad(b.three, true);
    rille_set_requires_grad(b.four, true);
    b.turned = rille_transpose(b.x, 0, 1);
    rille_tensor *hidden = rille_tanh(rille_linear(b.turned, b.turned, b.bias));
    rille_tensor *picked = rille_max(rille_index_select(rille_abs(hidden), 0, b.index), 1, false);
    rille_tensor *pairs = rille_reshape(b.x, SHAPE(4, 2, 2));
    rille_tensor *seen = rille_mean(rille_conv1d(pairs, pairs, b.bias, NULL), NULL, 0, false);
    b.loss =
        rille_add(rille_cross_entropy(rille_pow(rille_exp(hidden), b.whole), b.labels), rille_mean(picked, NULL, 0, false));
    rille_tensor *pooled = rille_avg_pool1d(rille_max_pool1d(b.turned, &(rille_pooling){.kernel = {2}}),
                                            &(rille_pooling){.kernel = {2}, .stride = {1}});
    rille_tensor *normal =
        rille_batch_norm(b.turned, NULL, NULL, rille_select(b.x, 0, 0), rille_select(b.x, 0, 1), true, 0, 0.1);
    normal = rille_group_norm(normal, 2, rille_select(b.x, 0, 2), rille_select(b.x, 0, 3), 0.1);
    b.loss = rille_add(b.loss, rille_mean(rille_mul(normal, b.wide), NULL, 0, false));
    b.loss = rille_add(b.loss, rille_add(seen, rille_mean(pooled, NULL, 0, false)));
    rille_tensor *h = rille_gru(lstm(&b), &(rille_recurrent_weights){b.three, b.three, NULL, NULL}, b.x);
    h = rille_rnn(h, &(rille_recurrent_weights){b.x, b.turned, NULL, NULL}, NULL, RILLE_TANH);
    b.through_time = rille_bce_with_logits(h, b.half, b.bias, RILLE_REDUCE_MEAN);
    rille_tensor *each[] = {rille_prod(b.turned, (int[]){0}, 1, false),
                            rille_std(b.x, (int[]){1}, 1, 1, false),
                            rille_norm(b.x, 3, (int[]){1}, 1, false),
                            rille_logsumexp(b.turned, (int[]){1}, 1, false),
                            rille_amax(b.x, (int[]){0}, 1, false),
                            rille_cumprod(b.turned, 1),
                            rille_sort(rille_cumsum(b.x, 0), 1, false, NULL),
                            orthogonal(&b),
                            singular_vectors(&b),
                            rille_svdvals(b.turned)};
    b.reduced = rille_sum(b.x, NULL, 0, false);
    for (size_t i = 0; i < sizeof each / sizeof each[0]; i++)
        b.reduced = rille_add(b.reduced, rille_sum(each[i], NULL, 0, false));
    EXPECT_NO_ERROR(cx);
    return b;
}

static void fail_each_allocation(const call *c)
{
    heap h = {0};
    rille_context *cx = open_on(&h, 0);
    bench b = make_bench(cx);
    size_t failed = 0;
    for (size_t k = 1; k < 1000; k++) {
        rille_memory_trim(cx);
        rille_scope_push(cx);
        size_t before = rille_memory_usage(cx).current, blocks = h.blocks;
        h.calls = 0;
        h.fails_at = k;
        rille_tensor *t = c->make(cx, &b);
        h.fails_at = 0;
        if (t == NULL) {
            failed++;
            cr_expect_eq(rille_error_status(cx), RILLE_ERROR_MEMORY, "%s, call %zu: %s", c->name, k, rille_error(cx));
            cr_expect_eq(rille_memory_usage(cx).current, before, "%s, call %zu: %zu bytes stay", c->name, k,
                         rille_memory_usage(cx).current - before);
        } else {
            EXPECT_NO_ERROR(cx);
        }
        rille_clear_error(cx);
        rille_scope_pop(cx);
        rille_memory_trim(cx);
        cr_expect_eq(h.blocks, blocks, "%s, call %zu: %zu blocks stay after its scope", c->name, k, h.blocks - blocks);
        if (h.calls < k)
            break;
    }
    cr_expect_geq(failed, 1, "%s was to fail", c->name);
    rille_close(cx);
    cr_expect_eq(h.blocks, 0, "%s leaks", c->name);
}

Test(memory, every_call_may_fail)
{
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        fail_each_allocation(&calls[i]);
    fail_each_allocation(&(call){"copy", copied});
    fail_each_allocation(&(call){"files", kept_in_files});
}

Test(memory, limit)
{
    heap h = {0};
    rille_context *cx = open_on(&h, 1 << 20);
    rille_tensor *t = rille_zeros(cx, RILLE_FLOAT32, SHAPE(100000));
    cr_expect_not_null(t);
    char message[128];
    snprintf(message, sizeof message, "out of memory: 800000 bytes wanted, %zu in use, the limit is 1048576",
             rille_memory_usage(cx).current + 64); /* the storage's own record is already there */
    EXPECT_FAILS(cx, rille_zeros(cx, RILLE_FLOAT64, SHAPE(100000)), RILLE_ERROR_MEMORY, message);
    rille_free(t);
    cr_expect_not_null(rille_zeros(cx, RILLE_FLOAT64, SHAPE(100000))); /* the pool was given back for it */
    cr_expect_eq(rille_memory_usage(cx).limit, 1 << 20);
    rille_close(cx);
    cx = rille_open(NULL);
    snprintf(message, sizeof message, "out of memory: %lld bytes wanted, 64 in use", 1LL << 60);
    EXPECT_FAILS(cx, rille_empty(cx, RILLE_UINT8, SHAPE(1LL << 60)), RILLE_ERROR_MEMORY, message);
    rille_close(cx);
}

/* Also where the last thing that finds no memory is the measuring of a leaf's gradient. */
Test(memory, a_backward_that_finds_none_fails)
{
    rille_context *cx = rille_open(NULL);
    rille_tensor *w = rille_randn(cx, RILLE_FLOAT32, SHAPE(3));
    rille_set_requires_grad(w, true);
    int failed = 0;
    for (bool done = false; !done;) {
        rille_scope_push(cx);
        rille_set_gradient(w, NULL);
        cr_assert_eq(rille_measure_early(w, NULL), RILLE_OK);
        rille_tensor *y = rille_sum(w, NULL, 0, false);
        rille_memory_trim(cx);
        rille_set_memory_limit(cx, rille_memory_usage(cx).current + 16 * (size_t)failed + 1);
        const rille_status status = rille_backward(y, NULL);
        cr_assert_eq(status, rille_error_status(cx), "%s", rille_error(cx));
        done = status == RILLE_OK;
        failed++;
        rille_set_memory_limit(cx, 0);
        rille_clear_error(cx);
        rille_scope_pop(cx);
    }
    cr_expect_gt(failed, 10);
    rille_close(cx);
}

Test(memory, usage)
{
    heap h = {0};
    rille_context *cx = open_on(&h, 0);
    size_t own = h.bytes; /* the context's */
    rille_memory m = rille_memory_usage(cx);
    cr_expect(m.current == 0 && m.peak == 0 && m.pooled == 0 && m.limit == 0 && m.system_allocations == 0);
    rille_tensor *t = rille_zeros(cx, RILLE_FLOAT32, SHAPE(1000));
    m = rille_memory_usage(cx);
    cr_expect(m.current >= 4000 && m.current == h.bytes - own && m.peak == m.current && m.pooled == 0);
    rille_free(t);
    rille_memory after = rille_memory_usage(cx);
    cr_expect(after.current == 0 && after.peak == m.peak && after.pooled == m.current, "freed blocks are kept");
    t = rille_zeros(cx, RILLE_FLOAT32, SHAPE(999));
    cr_expect_eq(rille_memory_usage(cx).system_allocations, m.system_allocations, "and used again");
    rille_free(t);
    rille_memory_trim(cx);
    cr_expect(rille_memory_usage(cx).pooled == 0 && h.bytes == own, "until they are given back");
    /* A call that fails is a call; so is the one after the pool was given back. */
    rille_free(rille_zeros(cx, RILLE_FLOAT32, SHAPE(1000)));
    size_t asked = h.calls, counted = rille_memory_usage(cx).system_allocations;
    h.fails_at = h.calls + 1;
    cr_expect_not_null(rille_zeros(cx, RILLE_FLOAT32, SHAPE(5000)), "the pool is given back, and the allocator asked again");
    cr_expect_eq(rille_memory_usage(cx).system_allocations - counted, h.calls - asked);
    rille_close(cx);
    cr_expect_eq(h.blocks, 0);
}

Test(memory, elements_live_as_long_as_somebody_sees_them)
{
    heap h = {0};
    rille_context *cx = open_on(&h, 0);
    rille_tensor *t = rille_arange(cx, RILLE_FLOAT64, 0, 6, 1), *view = rille_narrow(t, 0, 2, 2);
    rille_free(t);
    EXPECT_VALUES(view, 2, 3);
    rille_free(view);
    cr_expect_eq(rille_memory_usage(cx).current, 0);
    /* ... and what the graph needs as long as the graph does, though every handle but the last is gone */
    rille_tensor *w = rille_arange(cx, RILLE_FLOAT64, 1, 3, 1), *g = NULL;
    rille_set_requires_grad(w, true);
    rille_scope_push(cx);
    rille_tensor *loss = rille_keep(rille_sum(rille_mul(rille_exp(w), rille_mul(w, w)), NULL, 0, false));
    rille_scope_pop(cx);
    cr_expect_eq(rille_grad(&loss, 1, &w, 1, NULL, false, &g), RILLE_OK);
    EXPECT_VALUES(g, exp(1) * 3, exp(2) * 8); /* e^w w^2 + e^w 2 w */
    rille_free(w);
    cr_expect_eq(rille_backward(loss, NULL), RILLE_OK, "into a leaf that nobody looks at any more");
    rille_free(loss);
    rille_free(g);
    cr_expect_eq(rille_memory_usage(cx).current, 0, "%zu bytes stay", rille_memory_usage(cx).current);
    rille_close(cx);
    cr_expect_eq(h.blocks, 0);
}

/* A gradient that depends on what it is the gradient of must not keep both alive for ever. */
Test(memory, gradients_make_no_cycles)
{
    heap h = {0};
    rille_context *cx = open_on(&h, 0);
    rille_tensor *w = rille_scalar(cx, RILLE_FLOAT64, 2), *g = NULL;
    rille_set_requires_grad(w, true);
    rille_tensor *y = rille_mul(w, rille_mul(w, w));
    cr_expect_eq(rille_grad(&y, 1, &w, 1, NULL, true, &g), RILLE_OK);
    cr_expect_eq(rille_set_gradient(w, g), RILLE_OK); /* g's graph leads to w */
    EXPECT_VALUES(rille_gradient(w), 12);
    rille_tensor *a = rille_scalar(cx, RILLE_FLOAT64, 1), *b = rille_scalar(cx, RILLE_FLOAT64, 2);
    rille_set_gradient(a, b);
    rille_set_gradient(b, a);
    rille_set_gradient(a, a);
    EXPECT_VALUES(rille_gradient(a), 1);
    EXPECT_VALUES(rille_gradient(b), 1);
    rille_free(a);
    rille_free(b);
    rille_free(y);
    rille_free(g);
    rille_free(w);
    rille_close(cx);
    cr_expect_eq(h.blocks, 0, "%zu blocks leak", h.blocks);
}

Test(memory, blocks_are_aligned)
{
    rille_context *cx = open_with(1, 0);
    for (int64_t n = 0; n < 200; n++)
        cr_expect_eq((uintptr_t)rille_data(rille_empty(cx, RILLE_UINT8, SHAPE(n * 7))) % 64, 0);
    rille_close(cx);
}

Test(memory, scopes)
{
    rille_context *cx = open_with(1, 0);
    rille_scope_pop(cx); /* without a push: nothing */
    size_t before = rille_memory_usage(cx).current;
    rille_tensor *made[300], *kept = NULL;
    for (int depth = 0; depth < 300; depth++) { /* deeper than there are scopes */
        rille_scope_push(cx);
        made[depth] = rille_scalar(cx, RILLE_FLOAT32, depth);
        if (depth == 290)
            kept = rille_keep(rille_scalar(cx, RILLE_FLOAT32, 7));
    }
    rille_free(rille_scalar(cx, RILLE_FLOAT32, 8));
    size_t all = rille_memory_usage(cx).current, one = (all - before) / 301;
    for (int depth = 299; depth >= 255; depth--) {
        cr_expect_eq(rille_item(made[depth]), depth);
        rille_scope_pop(cx);
    }
    cr_expect_eq(rille_item(made[254]), 254);
    cr_expect_eq(rille_memory_usage(cx).current, all, "those that are too deep go when the last scope does");
    rille_scope_pop(cx);
    cr_expect_eq(rille_memory_usage(cx).current, before + 255 * one);
    for (int depth = 253; depth >= 0; depth--) {
        cr_expect_eq(rille_item(made[depth]), depth);
        rille_scope_pop(cx);
        cr_expect_eq(rille_memory_usage(cx).current, before + (size_t)(depth + 1) * one);
    }
    cr_expect_eq(rille_item(kept), 7);
    rille_free(kept);
    rille_scope_pop(cx);
    cr_expect_eq(rille_memory_usage(cx).current, before);
    cr_expect_null(rille_keep(NULL));
    rille_free(NULL);
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

Test(memory, scopes_and_gradients)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *w = rille_scalar(cx, RILLE_FLOAT64, 3);
    rille_set_requires_grad(w, true);
    for (int i = 0; i < 300; i++)
        rille_scope_push(cx); /* backward opens scopes of its own, deeper still */
    cr_expect_eq(rille_backward(rille_mul(w, w), NULL), RILLE_OK);
    for (int i = 0; i < 300; i++)
        rille_scope_pop(cx);
    EXPECT_VALUES(rille_gradient(w), 6); /* w's, not the scope's */
    cr_expect_eq(rille_gradient(w), rille_keep(rille_gradient(w)));
    rille_free(rille_gradient(w)); /* nothing: it is not a handle of the caller's */
    EXPECT_VALUES(rille_gradient(w), 6);
    rille_close(cx);
}

Test(memory, options_out_of_range)
{
    cr_expect_null(rille_open(&(rille_options){.threads = -1}));
    cr_expect_null(rille_open(&(rille_options){.threads = 1025}));
    cr_expect_null(rille_open(&(rille_options){.index_base = 2}));
    cr_expect_null(rille_open(&(rille_options){.index_base = -1}));
    cr_expect_null(rille_open(&(rille_options){.allocate = heap_allocate}));
    cr_expect_null(rille_open(&(rille_options){.release = heap_release}));
    heap h = {.fails_at = 1};
    cr_expect_null(open_on(&h, 0));
    rille_close(NULL);
}
