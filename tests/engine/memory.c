/* Memory: nothing leaks, the limit and a failing allocator give a clean error and leave the context usable, and a training
 * loop stops asking the system. */
#include "base/context.h"
#include "engine/support.h"

#include <stdlib.h>
#include <string.h>

/* ---- An allocator that counts, and that fails from a given call on ---- */

typedef struct heap {
    size_t blocks, bytes; /* alive */
    size_t calls;
    size_t fails_at; /* this call fails, and the later ones where `for_good`; 0: none */
    bool for_good;
} heap;

static void *heap_allocate(void *user, size_t bytes)
{
    heap *h = user;
    h->calls++;
    if (h->fails_at != 0 && (h->for_good ? h->calls >= h->fails_at : h->calls == h->fails_at))
        return NULL;
    void *block = aligned_alloc(64, bytes);
    h->blocks++;
    h->bytes += bytes;
    return block;
}

static void heap_release(void *user, void *block, size_t bytes)
{
    heap *h = user;
    h->blocks--;
    h->bytes -= bytes;
    free(block);
}

static rille_context *open_on(heap *h, size_t limit)
{
    return rille_open(&(rille_options){
        .allocate = heap_allocate, .release = heap_release, .user = h, .memory_limit = limit, .threads = 1, .seed = 3});
}

/* ---- A training step: forward, backward, update ---- */

typedef struct net {
    rille_tensor *x, *labels, *weight[2], *bias[2], *velocity[4];
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
    return n;
}

static rille_status train(rille_context *cx, const net *n)
{
    rille_tensor *parameters[] = {n->weight[0], n->weight[1], n->bias[0], n->bias[1]};
    rille_scope_push(cx);
    for (int i = 0; i < 4; i++)
        rille_set_gradient(parameters[i], NULL);
    rille_tensor *hidden = rille_tanh(rille_linear(n->x, n->weight[0], n->bias[0]));
    rille_tensor *logits = rille_linear(rille_transpose(rille_transpose(hidden, 0, 1), 0, 1), n->weight[1], n->bias[1]);
    rille_tensor *penalty = rille_mean(rille_mul(n->weight[0], n->weight[0]), NULL, 0, false);
    rille_tensor *loss = rille_add(rille_cross_entropy(logits, n->labels), penalty);
    rille_status status = rille_backward(loss, NULL);
    if (status == RILLE_OK)
        status = rille_sgd_step(cx, 4, parameters, n->velocity, &(rille_sgd_options){.learning_rate = 0.1, .momentum = 0.9});
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

/* One run with the allocator failing at its k-th call: no leak, the message that there is, and a usable context. */
static bool survives(size_t k, bool for_good)
{
    heap h = {.fails_at = k, .for_good = for_good};
    rille_context *cx = open_on(&h, 0);
    if (cx == NULL) {
        cr_expect_eq(h.blocks, 0);
        return false;
    }
    net n = make_net(cx);
    rille_status status = rille_error(cx) != NULL ? rille_error_status(cx) : train(cx, &n);
    cr_expect_eq(rille_grad_enabled(cx), true);
    if (status != RILLE_OK) {
        cr_expect_eq(rille_error_status(cx), RILLE_ERROR_MEMORY, "call %zu: %s", k, rille_error(cx));
        h.fails_at = 0;
        rille_clear_error(cx);
        net again = make_net(cx);
        cr_expect_eq(train(cx, &again), RILLE_OK, "after call %zu failed: %s", k, rille_error(cx));
    }
    rille_close(cx);
    cr_expect_eq(h.blocks, 0, "call %zu: %zu blocks leak", k, h.blocks);
    return status == RILLE_OK;
}

Test(memory, every_allocation_may_fail)
{
    for (int for_good = 0; for_good < 2; for_good++) {
        size_t k = 1;
        while (!survives(k, for_good) && k < 2000)
            k++;
        cr_expect(k > 20 && k < 2000, "%zu allocations failed before one run succeeded", k - 1);
    }
}

Test(memory, limit)
{
    heap h = {0};
    rille_context *cx = open_on(&h, 1 << 20);
    rille_tensor *t = rille_zeros(cx, RILLE_FLOAT32, SHAPE(100000));
    cr_expect_not_null(t);
    cr_expect_null(rille_zeros(cx, RILLE_FLOAT64, SHAPE(100000)));
    cr_expect_eq(rille_error_status(cx), RILLE_ERROR_MEMORY);
    cr_expect(strstr(rille_error(cx), "out of memory: 800000 bytes wanted") == rille_error(cx), "%s", rille_error(cx));
    rille_clear_error(cx);
    rille_free(t);
    cr_expect_not_null(rille_zeros(cx, RILLE_FLOAT64, SHAPE(100000))); /* the pool was given back for it */
    cr_expect(h.bytes <= (1 << 20) + sizeof(rille_context) * 2);
    rille_close(cx);
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
    for (int depth = 0; depth < 300; depth++) { /* deeper than there are scopes */
        rille_scope_push(cx);
        rille_scalar(cx, RILLE_FLOAT32, depth);
    }
    rille_tensor *kept = rille_keep(rille_scalar(cx, RILLE_FLOAT32, 7));
    rille_free(rille_scalar(cx, RILLE_FLOAT32, 8));
    for (int depth = 0; depth < 300; depth++)
        rille_scope_pop(cx);
    cr_expect_eq(rille_item(kept), 7);
    rille_free(kept);
    cr_expect_eq(rille_memory_usage(cx).current, before);
    rille_close(cx);
}

Test(memory, options_out_of_range)
{
    cr_expect_null(rille_open(&(rille_options){.threads = -1}));
    cr_expect_null(rille_open(&(rille_options){.threads = 100000}));
    cr_expect_null(rille_open(&(rille_options){.index_base = 2}));
    cr_expect_null(rille_open(&(rille_options){.allocate = heap_allocate}));
    rille_close(NULL);
}
