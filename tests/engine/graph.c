/* The graph: what is recorded, what accumulates, and what is refused. */
#include "engine/support.h"
#include "tensor/tensor.h"

#include <pthread.h>
#include <stdio.h>

static rille_tensor *leaf(rille_context *cx, double value)
{
    rille_tensor *t = rille_scalar(cx, RILLE_FLOAT64, value);
    rille_set_requires_grad(t, true);
    return t;
}

Test(graph, gradients_accumulate)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *w = leaf(cx, 3);
    for (int i = 0; i < 2; i++)
        cr_expect_eq(rille_backward(rille_mul(w, w), NULL), RILLE_OK);
    EXPECT_VALUES(rille_gradient(w), 12);
    cr_expect_eq(rille_set_gradient(w, NULL), RILLE_OK);
    cr_expect_null(rille_gradient(w));
    rille_close(cx);
}

Test(graph, gradients_share_nothing)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *a = leaf(cx, 1), *b = leaf(cx, 2), *seed = rille_scalar(cx, RILLE_FLOAT64, 5);
    cr_expect_eq(rille_backward(rille_add(a, b), seed), RILLE_OK); /* both get the very seed */
    rille_copy(rille_gradient(a), rille_scalar(cx, RILLE_FLOAT64, 0));
    EXPECT_VALUES(rille_gradient(b), 5);
    EXPECT_VALUES(seed, 5);
    cr_expect_eq(rille_backward(a, seed), RILLE_OK); /* a leaf is its own output */
    EXPECT_VALUES(rille_gradient(a), 5);
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

Test(graph, inner_gradients_on_demand)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *w = leaf(cx, 3), *y = rille_mul(w, w), *z = rille_mul(y, y);
    cr_expect_eq(rille_retain_grad(y), RILLE_OK);
    cr_expect_eq(rille_backward(z, NULL), RILLE_OK);
    EXPECT_VALUES(rille_gradient(y), 18);
    EXPECT_VALUES(rille_gradient(w), 108);
    cr_expect_null(rille_gradient(z));
    EXPECT_STATUS(cx, rille_retain_grad(rille_scalar(cx, RILLE_FLOAT64, 1)), RILLE_ERROR_GRAPH,
                  "retain_grad: the tensor takes no part in gradients");
    rille_close(cx);
}

/* ---- Hooks ---- */

typedef enum deed { LOOK, DOUBLE, REMOVE, FAIL, WRONG_SHAPE, WALK, WRITE } deed;

typedef struct witness {
    int calls, released;
    double seen;
    rille_tensor *watched; /* a hook may remove itself: what it is on */
    deed what;
} witness;

static rille_tensor *witness_hook(rille_tensor *g, void *user)
{
    witness *w = user;
    w->calls++;
    w->seen = rille_item(g);
    switch (w->what) {
    case LOOK: return NULL;
    case DOUBLE: return rille_add(g, g);
    case REMOVE: rille_remove_hook(w->watched, w); return NULL;
    case FAIL: rille_fail(rille_context_of(g), "it does not like it"); return NULL;
    case WRONG_SHAPE: return rille_zeros(rille_context_of(g), RILLE_FLOAT64, SHAPE(2));
    case WALK: rille_backward(w->watched, NULL); return NULL;
    case WRITE: *(double *)rille_data(g) = 1000; return NULL;
    }
    return NULL;
}

static void release_witness(void *user)
{
    ((witness *)user)->released++;
}

Test(graph, hooks_see_and_replace_whole_gradients)
{
    rille_context *cx = open_with(1, 0);
    witness on_leaf = {.what = DOUBLE}, after = {.what = WRITE}, inner = {.what = DOUBLE};
    rille_tensor *a = leaf(cx, 3), *y = rille_mul(a, a), *z = rille_add(rille_mul(y, y), y); /* a^4 + a^2 */
    cr_expect_eq(rille_add_hook(a, witness_hook, &on_leaf, release_witness), RILLE_OK);
    cr_expect_eq(rille_add_hook(a, witness_hook, &after, NULL), RILLE_OK);
    cr_expect_eq(rille_add_hook(y, witness_hook, &inner, release_witness), RILLE_OK);
    rille_tensor *inputs[] = {a, y}, *g[2];
    cr_expect_eq(rille_grad(&z, 1, inputs, 2, NULL, true, g), RILLE_OK);
    EXPECT_VALUES(g[1], 38);  /* 2 (2 y + 1) */
    EXPECT_VALUES(g[0], 456); /* 2 . 38 . 2 a */
    cr_expect(inner.seen == 19 && on_leaf.seen == 228 && after.seen == 456);
    cr_expect_eq(rille_backward(z, NULL), RILLE_OK);
    EXPECT_VALUES(rille_gradient(a), 456);
    cr_expect(inner.calls == 2 && on_leaf.calls == 2 && after.calls == 2);

    cr_expect_eq(rille_remove_hook(a, &on_leaf), RILLE_OK);
    cr_expect(on_leaf.released == 1 && inner.released == 0);
    cr_expect_eq(rille_set_gradient(a, NULL), RILLE_OK);
    cr_expect_eq(rille_backward(rille_add(a, a), NULL), RILLE_OK);
    EXPECT_VALUES(rille_gradient(a), 2);
    cr_expect(on_leaf.calls == 2 && after.calls == 3);
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
    cr_expect_eq(inner.released, 1);
}

Test(graph, hooks_of_leaves_outside_are_not_called)
{
    rille_context *cx = open_with(1, 0);
    witness w = {.what = LOOK}, self = {.what = REMOVE};
    rille_tensor *a = leaf(cx, 3), *b = leaf(cx, 4), *y = rille_mul(a, b), *g;
    rille_add_hook(b, witness_hook, &w, NULL);
    self.watched = a;
    rille_add_hook(a, witness_hook, &self, release_witness);
    cr_expect_eq(rille_grad(&y, 1, &a, 1, NULL, false, &g), RILLE_OK);
    cr_expect(w.calls == 0 && self.calls == 1 && self.released == 1);
    cr_expect_eq(rille_backward(b, NULL), RILLE_OK); /* a leaf is its own output */
    cr_expect(w.calls == 1 && w.seen == 1);
    rille_add_hook(a, witness_hook, &w, NULL); /* where one was removed */
    cr_expect_eq(rille_backward(y, NULL), RILLE_OK);
    cr_expect(w.calls == 3 && self.calls == 1);
    rille_close(cx);
}

Test(graph, hooks_that_fail)
{
    static const struct {
        deed what;
        rille_status status;
        const char *message;
    } failing[] = {
        {FAIL, RILLE_ERROR_CALLBACK, "it does not like it"},
        {WRONG_SHAPE, RILLE_ERROR_SHAPE, "hook: it returned float64 [2] for a gradient that is float64 []"},
        {WALK, RILLE_ERROR_GRAPH, "backward: a hook of a backward that is under way called it"},
    };
    rille_context *cx = open_with(1, 0);
    for (int i = 0; i < 3; i++)
        for (int inner = 0; inner < 2; inner++) {
            rille_tensor *a = leaf(cx, 3), *y = rille_mul(a, a);
            witness w = {.what = failing[i].what, .watched = y};
            rille_add_hook(inner ? y : a, witness_hook, &w, release_witness);
            EXPECT_STATUS(cx, rille_backward(rille_mul(y, y), NULL), failing[i].status, failing[i].message);
            cr_expect_null(rille_gradient(a));
            rille_remove_hook(inner ? y : a, &w); /* whose user ends here */
            cr_expect_eq(w.released, 1);
        }
    EXPECT_STATUS(cx, rille_add_hook(rille_scalar(cx, RILLE_FLOAT64, 1), witness_hook, NULL, NULL), RILLE_ERROR_GRAPH,
                  "hook: the tensor takes no part in gradients");
    EXPECT_STATUS(cx, rille_add_hook(leaf(cx, 1), NULL, NULL, NULL), RILLE_ERROR_ARGUMENT, "hook: the function is NULL");
    rille_close(cx);
}

/* ---- Anomaly mode ---- */

static void locate(void *user, char *text, size_t size)
{
    snprintf(text, size, "%s", (const char *)user);
}

Test(graph, anomalies_are_named_where_they_are_made)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *x = rille_from(cx, RILLE_FLOAT64, SHAPE(2, 2), (double[]){1, -2, 0, 4}), *y;
    rille_tensor *nan = rille_scalar(cx, RILLE_FLOAT64, NAN), *inf = rille_scalar(cx, RILLE_FLOAT64, INFINITY);
    char place[] = "net.c:7";
    rille_set_requires_grad(x, true);
    cr_expect_not_null(rille_log(x));
    cr_expect(!rille_set_anomaly(cx, (rille_anomaly){true, locate, place}).on);
    EXPECT_FAILS(cx, rille_log(x), RILLE_ERROR_NONFINITE, "log: made NaN at [0, 1] of [2, 2], from finite operands");
    EXPECT_FAILS(cx, rille_div(rille_scalar(cx, RILLE_FLOAT64, 1), rille_abs(rille_transpose(x, 0, 1))), RILLE_ERROR_NONFINITE,
                 "div: made an infinity at [0, 1] of [2, 2], from finite operands");
    EXPECT_FAILS(cx, rille_mul(x, nan), RILLE_ERROR_NONFINITE, "mul: its operand 2 has NaN");
    EXPECT_FAILS(cx, rille_sub(inf, inf), RILLE_ERROR_NONFINITE, "sub: made NaN, from infinite operands");
    cr_expect_not_null(rille_mul(inf, inf));

    y = rille_sqrt(rille_mul(x, x)); /* its derivative at 0 is infinite */
    EXPECT_STATUS(cx, rille_backward(rille_sum(y, NULL, 0, false), NULL), RILLE_ERROR_NONFINITE,
                  "backward: 'sqrt' of net.c:7 made an infinity at [1, 0] of [2, 2], the gradient of its operand 1");
    EXPECT_STATUS(cx, rille_backward(rille_neg(rille_select(rille_select(x, 0, 0), 0, 0)), nan), RILLE_ERROR_NONFINITE,
                  "backward: 'neg' of net.c:7 was given a gradient with NaN");
    cr_expect(rille_set_anomaly(cx, (rille_anomaly){0}).on);
    cr_expect_not_null(rille_log(x));
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

Test(graph, what_is_refused)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *w = leaf(cx, 3), *y = rille_mul(w, w);
    rille_backward(y, NULL);
    EXPECT_STATUS(cx, rille_backward(y, NULL), RILLE_ERROR_GRAPH,
                  "backward: the graph of 'mul' was freed by an earlier backward; compute the output anew, or use grad, which "
                  "keeps it");
    bool was = rille_set_grad_enabled(cx, false);
    y = rille_mul(w, w);
    rille_set_grad_enabled(cx, was);
    EXPECT_STATUS(cx, rille_backward(y, NULL), RILLE_ERROR_GRAPH,
                  "backward: nothing that the output was computed from requires a gradient, or gradients were switched off");

    rille_tensor *v = rille_full(cx, RILLE_FLOAT64, SHAPE(3), 2);
    rille_set_requires_grad(v, true);
    y = rille_exp(v);
    EXPECT_STATUS(cx, rille_backward(y, NULL), RILLE_ERROR_SHAPE,
                  "backward: the output has shape [3]; give a seed of that shape, or reduce it to a scalar");
    EXPECT_STATUS(cx, rille_backward(y, w), RILLE_ERROR_SHAPE, "backward: the seed is [], the output [3]");
    EXPECT_STATUS(cx, rille_set_requires_grad(rille_arange(cx, RILLE_INT64, 0, 3, 1), true), RILLE_ERROR_DTYPE,
                  "requires_grad: dtype is int64; float32 or float64 expected");
    EXPECT_STATUS(cx, rille_set_requires_grad(y, true), RILLE_ERROR_GRAPH,
                  "requires_grad: the tensor is the result of 'exp'; detach it first");
    EXPECT_STATUS(cx, rille_copy(v, w), RILLE_ERROR_GRAPH,
                  "copy: writing in place into a tensor that takes part in gradients; switch gradients off around it");
    rille_close(cx);
}

Test(graph, in_place_writes_are_caught)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *w = leaf(cx, 3), *x = rille_scalar(cx, RILLE_FLOAT64, 2), *y = rille_mul(w, x);
    rille_copy(x, rille_scalar(cx, RILLE_FLOAT64, 5));
    EXPECT_STATUS(cx, rille_backward(y, NULL), RILLE_ERROR_GRAPH,
                  "backward: a tensor of shape [] that 'mul' needs for its gradient was changed in place afterwards; change a "
                  "clone instead");
    y = rille_mul(w, x);
    *(double *)rille_data(x) = 7;
    rille_touch(x);
    cr_expect_eq(rille_backward(y, NULL), RILLE_ERROR_GRAPH);
    rille_close(cx);
}

Test(graph, grad_of_chosen_inputs)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *a = leaf(cx, 2), *b = leaf(cx, 5), *other = leaf(cx, 1), *inner = rille_mul(a, a), *y = rille_mul(inner, b);
    rille_tensor *inputs[] = {a, inner, a, other, y, b}, *g[6];
    cr_expect_eq(rille_grad(&y, 1, inputs, 6, NULL, false, g), RILLE_OK);
    EXPECT_VALUES(g[0], 20);
    EXPECT_VALUES(g[1], 5);
    EXPECT_VALUES(g[2], 20);
    cr_expect_null(g[3]);
    EXPECT_VALUES(g[4], 1);
    EXPECT_VALUES(g[5], 4);
    cr_expect_null(rille_gradient(a));
    cr_expect_eq(rille_grad(&y, 1, inputs, 1, NULL, false, g), RILLE_OK); /* the graph is still there */
    rille_tensor *plain = rille_scalar(cx, RILLE_FLOAT64, 1);
    EXPECT_STATUS(cx, rille_grad(&y, 1, &plain, 1, NULL, false, g), RILLE_ERROR_GRAPH,
                  "grad: input 0 does not require a gradient");
    rille_close(cx);
}

Test(graph, derivatives_of_derivatives)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *x = leaf(cx, 2), *y = rille_mul(rille_mul(x, x), rille_mul(x, x)), *g = y; /* x^4 */
    double expected[] = {32, 48, 48, 24};
    for (int order = 0; order < 4; order++) {
        rille_tensor *next = NULL;
        cr_expect_eq(rille_grad(&g, 1, &x, 1, NULL, true, &next), RILLE_OK);
        EXPECT_VALUES(next, expected[order]);
        g = next;
    }
    rille_close(cx);
}

Test(graph, the_first_message_stays)
{
    rille_context *cx = open_with(1, 0), *elsewhere = open_with(1, 0);
    rille_tensor *a = rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 3));
    cr_expect_null(rille_tanh(rille_add(a, rille_matmul(a, a))));
    EXPECT_ERROR(cx, RILLE_ERROR_SHAPE, "matmul: shapes [2, 3] and [2, 3]: 3 columns against 2 rows");
    cr_expect_eq(rille_backward(NULL, NULL), RILLE_ERROR_NULL);
    EXPECT_FAILS(cx, rille_add(a, NULL), RILLE_ERROR_NULL, "add: input 2 is NULL");
    EXPECT_FAILS(cx, rille_add(a, rille_scalar(elsewhere, RILLE_FLOAT32, 1)), RILLE_ERROR_ARGUMENT,
                 "add: its tensors belong to different contexts");
    rille_close(elsewhere);
    rille_close(cx);
}

static void *deep(void *unused)
{
    (void)unused;
    rille_context *cx = open_with(1, 0);
    rille_tensor *w = leaf(cx, 1), *one = rille_scalar(cx, RILLE_FLOAT64, 1), *y = w;
    for (int i = 0; i < 200000; i++) {
        rille_tensor *next = rille_mul(y, one);
        if (y != w)
            rille_free(y);
        y = next;
    }
    cr_expect_eq(rille_backward(y, NULL), RILLE_OK);
    EXPECT_VALUES(rille_gradient(w), 1);
    y = w;
    for (int i = 0; i < 200000; i++)
        y = rille_neg(y);
    rille_close(cx); /* without a backward */
    return NULL;
}

Test(graph, deep_ones_need_no_stack)
{
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 << 10);
    cr_assert_eq(pthread_create(&thread, &attributes, deep, NULL), 0);
    pthread_join(thread, NULL);
}

Test(graph, long_chains_of_gradients_need_no_stack)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *t = rille_scalar(cx, RILLE_FLOAT32, 0);
    for (int i = 0; i < 300000; i++) {
        rille_tensor *next = rille_scalar(cx, RILLE_FLOAT32, 0);
        next->gradient = t; /* as set_gradient would, but for its view */
        t->references++;
        rille_free(t);
        t = next;
    }
    rille_free(t);
    rille_close(cx);
}

Test(graph, slope_of_abs)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *x = rille_from(cx, RILLE_FLOAT32, SHAPE(6), (float[]){INFINITY, -INFINITY, NAN, 0, -3, 3});
    rille_set_requires_grad(x, true);
    cr_expect_eq(rille_backward(rille_sum(rille_abs(x), NULL, 0, false), NULL), RILLE_OK);
    EXPECT_VALUES(rille_gradient(x), 1, -1, NAN, 0, -1, 1);
    rille_close(cx);
}

Test(host, null_is_survived)
{
    rille_context *cx = open_with(1, 0);
    cr_expect(rille_numel(NULL) == 0 && rille_rank(NULL) == 0 && rille_shape(NULL) == NULL && rille_strides(NULL) == NULL);
    cr_expect(rille_context_of(NULL) == NULL && !rille_is_contiguous(NULL) && rille_data(NULL) == NULL);
    rille_touch(NULL);
    rille_free(NULL);
    cr_expect_null(rille_keep(NULL));
    EXPECT_FAILS(cx, rille_zeros(cx, RILLE_FLOAT32, 2, NULL), RILLE_ERROR_NULL, "zeros: the shape is NULL");
    EXPECT_FAILS(cx, rille_from(cx, RILLE_FLOAT32, SHAPE(2), NULL), RILLE_ERROR_NULL, "from: the data is NULL");
    EXPECT_FAILS(cx, rille_permute(rille_zeros(cx, RILLE_FLOAT32, SHAPE(2)), NULL), RILLE_ERROR_NULL,
                 "permute: the list of dimensions is NULL");
    EXPECT_FAILS(cx, rille_read_idx(cx, NULL), RILLE_ERROR_NULL, "read_idx: the path is NULL");
    EXPECT_STATUS(cx, rille_copy_out(rille_zeros(cx, RILLE_FLOAT32, SHAPE(2)), RILLE_FLOAT32, NULL), RILLE_ERROR_NULL,
                  "copy_out: the buffer is NULL");
    rille_tensor *w = leaf(cx, 1), *g = NULL;
    cr_expect_eq(rille_grad(NULL, 0, &w, 1, NULL, false, &g), RILLE_ERROR_NULL);
    cr_expect_eq(rille_grad(&w, 1, NULL, 0, NULL, false, NULL), RILLE_ERROR_NULL);

    cr_expect_str_eq(rille_error(NULL), "there is no context: rille_open failed");
    rille_clear_error(NULL);
    rille_scope_push(NULL);
    rille_scope_pop(NULL);
    cr_expect(rille_scalar(NULL, RILLE_FLOAT32, 1) == NULL && rille_rand(NULL, RILLE_FLOAT32, SHAPE(2)) == NULL &&
              rille_arange(NULL, RILLE_FLOAT32, 0, 3, 1) == NULL && rille_read_idx(NULL, "x") == NULL);
    rille_close(cx);
}
