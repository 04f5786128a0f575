/* Recurrent layers over whole sequences: the input's product once for all steps, then the steps. The weight of their products,
 * which are many and small, is arranged for them once a sequence. */
#include "ops/recurrence.h"

#include "ops/panel_kernels.h"
#include "tensor/convert.h"

#include <limits.h>

static const rl_cell RNN = {RL_OP_rnn, 1, false}, LSTM = {RL_OP_lstm, 4, true}, GRU = {RL_OP_gru, 3, false};

/* ---- Arguments ---- */

static bool is_right(rille_context *cx, const char *name, const char *what, const rille_tensor *t, rille_dtype dtype, int rank,
                     const int64_t *shape)
{
    bool fits = t->rank == rank;
    for (int d = 0; fits && d < rank; d++)
        fits = t->shape[d] == shape[d];
    if (!fits)
        rl_fail(cx, RILLE_ERROR_SHAPE, "%s: %s is %s; %s expected", name, what, RL_SHAPE(t),
                rl_shape_text((char[RL_SHAPE_TEXT]){0}, rank, shape));
    else if (t->dtype != dtype)
        rl_fail(cx, RILLE_ERROR_DTYPE, "%s: %s is %s, the input %s", name, what, rille_dtype_name(t->dtype),
                rille_dtype_name(dtype));
    return fits && t->dtype == dtype;
}

static rl_list all_of(rille_tensor *x, const rille_recurrent_weights *w, rille_tensor *h0)
{
    rille_tensor *const optional[] = {w->bias_ih, w->bias_hh, h0};
    rl_list list = RL_LIST(x, w->ih, w->hh);
    for (int i = 0; i < 3; i++)
        if (optional[i] != NULL)
            list.item[list.count++] = optional[i];
    return list;
}

/* The context where all is as it should be. */
static rille_context *checked(const rl_cell *cell, rille_tensor *x, const rille_recurrent_weights *w, rille_tensor *h0,
                              rille_tensor *c0)
{
    const char *name = rl_ops[cell->op].name;
    if (w == NULL) {
        if (x != NULL)
            rl_fail(x->context, RILLE_ERROR_NULL, "%s: the weights are NULL", name);
        return NULL;
    }
    rille_context *cx = rl_enter(name, all_of(x, w, h0));
    if (cx == NULL || (c0 != NULL && rl_enter(name, RL_LIST(x, c0)) == NULL))
        return NULL;
    if (x->rank != 3 || x->shape[0] < 1 || x->shape[0] > INT64_MAX - 2) {
        rl_fail(cx, RILLE_ERROR_SHAPE, "%s: input is %s; [steps, n, in] with a step or more expected", name, RL_SHAPE(x));
        return NULL;
    }
    if (!rl_is_floating(x->dtype)) {
        rl_fail(cx, RILLE_ERROR_DTYPE, "%s: input is %s; float32 or float64 expected", name, rille_dtype_name(x->dtype));
        return NULL;
    }
    const int64_t width = w->hh->rank == 2 ? w->hh->shape[1] : -1;
    int64_t wide;
    if (width < 0 || __builtin_mul_overflow(width, cell->gates, &wide) || wide > INT_MAX) {
        rl_fail(cx, RILLE_ERROR_SHAPE, "%s: weight_hh is %s; [%d hidden, hidden] expected", name, RL_SHAPE(w->hh), cell->gates);
        return NULL;
    }
    if ((w->bias_ih == NULL) != (w->bias_hh == NULL)) {
        rl_fail(cx, RILLE_ERROR_ARGUMENT, "%s: one bias without the other", name);
        return NULL;
    }
    const int64_t ih[] = {wide, x->shape[2]}, hh[] = {wide, width}, state[] = {x->shape[1], width};
    const bool right = is_right(cx, name, "weight_hh", w->hh, x->dtype, 2, hh) &&
                       is_right(cx, name, "weight_ih", w->ih, x->dtype, 2, ih) &&
                       (w->bias_ih == NULL || is_right(cx, name, "bias_ih", w->bias_ih, x->dtype, 1, &wide)) &&
                       (w->bias_hh == NULL || is_right(cx, name, "bias_hh", w->bias_hh, x->dtype, 1, &wide)) &&
                       (h0 == NULL || is_right(cx, name, "h0", h0, x->dtype, 2, state)) &&
                       (c0 == NULL || is_right(cx, name, "c0", c0, x->dtype, 2, state));
    return right ? cx : NULL;
}

/* ---- Forward ---- */

/* [n, width] from the given element of the memory on: for the call that it is passed to. */
static rille_tensor block_at(const rl_sequence *s, const rille_tensor *memory, int64_t element)
{
    rille_tensor t = *memory;
    t.rank = 2;
    t.shape[0] = s->n;
    t.shape[1] = t.stride[0] = s->width;
    t.stride[1] = 1;
    t.offset += element;
    rl_shape_changed(&t);
    return t;
}

static rille_status put_state(const rl_sequence *s, const rille_tensor *memory, int64_t element, const rille_tensor *state)
{
    const rille_tensor into = block_at(s, memory, element);
    return rl_copy_elements(memory->context, rl_ops[s->cell->op].name, &into, state);
}

/* The inputs of the steps, all there: the input's share of the gates, W_hh, h0 and, for lstm, c0, for gru, b_hh. */
typedef struct layer {
    const rl_cell *cell;
    rille_activation act;
    rille_tensor *share, *weight, *h0, *last;
} layer;

static rl_list inputs_of(const layer *l)
{
    return l->last == NULL ? RL_LIST(l->share, l->weight, l->h0) : RL_LIST(l->share, l->weight, l->h0, l->last);
}

/* W_hh, or W_hh^T, as the products want it. */
static rille_tensor *arranged(rille_tensor *weight, const char *name, bool transposed)
{
    const rl_panel_kernels *kernels = rl_panel_kernels_pick();
    const int64_t k = weight->shape[transposed], m = weight->shape[!transposed], panel = (int64_t)kernels->width[weight->dtype];
    const int64_t count = k * ((m + panel - 1) / panel * panel);
    rille_tensor *panels = rl_new(weight->context, name, weight->dtype, 1, &count);
    if (panels != NULL)
        kernels->arrange[weight->dtype]((size_t)k, (size_t)m, rl_data(weight), (ptrdiff_t)weight->stride[transposed],
                                        (ptrdiff_t)weight->stride[!transposed], rl_data(panels));
    return panels;
}

static rl_sequence sequence_of(const layer *l)
{
    return (rl_sequence){.cell = l->cell,
                         .act = l->act,
                         .dtype = l->share->dtype,
                         .item = rille_dtype_size(l->share->dtype),
                         .steps = l->share->shape[0],
                         .n = l->share->shape[1],
                         .width = l->weight->shape[1],
                         .gates = rl_data(l->share)};
}

/* hidden and what is kept, filled by the steps. */
static rille_status step_through(const layer *l, rille_tensor *panels, rille_tensor *hidden, rille_tensor *kept)
{
    rille_context *cx = hidden->context;
    const char *name = rl_ops[l->cell->op].name;
    rl_sequence s = sequence_of(l);
    rille_tensor *product = NULL, *bias = NULL;
    s.hidden = rl_data(hidden);
    s.panels = rl_data(panels);
    if (kept != NULL) {
        s.kept = rl_data(kept);
        s.kept_stride = kept->shape[0] > 1 ? rl_sequence_block(&s) : 0;
    }
    rille_status status = put_state(&s, hidden, 0, l->h0);
    if (status == RILLE_OK && l->cell->has_c)
        status = put_state(&s, kept, 0, l->last);
    if (status == RILLE_OK && l->cell->op == RL_OP_gru) {
        product = rl_new(cx, name, s.dtype, 2, (int64_t[]){s.n, 3 * s.width});
        bias = product == NULL ? NULL : rl_dense(l->last);
        s.product = product == NULL ? NULL : rl_data(product);
        s.bias = bias == NULL ? NULL : rl_data(bias);
        status = bias == NULL ? RILLE_ERROR_MEMORY : RILLE_OK;
    }
    if (status == RILLE_OK)
        status = rl_sequence_forward(cx, &s);
    if (status == RILLE_OK && l->cell->has_c) {
        const rille_tensor last = block_at(&s, kept, s.steps * s.kept_stride);
        status = put_state(&s, hidden, (s.steps + 1) * rl_sequence_block(&s), &last);
    }
    if (bias != NULL)
        rl_free_temporary(bias, l->last);
    rille_free(product);
    return status;
}

static bool is_recorded(const layer *l)
{
    const rl_list inputs = inputs_of(l);
    bool tracks = false;
    for (int i = 0; i < inputs.count; i++)
        tracks = tracks || rl_tracks(inputs.item[i]);
    return tracks && l->share->context->grad_enabled;
}

/* [steps + 1 or, for lstm, + 2, n, width]: h0, the hidden states, the last c. Recorded. */
static rille_tensor *stepped(const layer *l)
{
    rille_context *cx = l->share->context;
    const char *name = rl_ops[l->cell->op].name;
    const int64_t steps = l->share->shape[0], n = l->share->shape[1], width = l->weight->shape[1];
    const bool keeps = l->cell->op != RL_OP_rnn;
    const int64_t of_kept = l->cell->has_c ? steps + 1 : steps;
    rille_tensor *hidden = rl_new(cx, name, l->share->dtype, 3, (int64_t[]){steps + (l->cell->has_c ? 2 : 1), n, width});
    rille_tensor *kept = hidden == NULL || !keeps
                             ? NULL
                             : rl_new(cx, name, l->share->dtype, 3, (int64_t[]){is_recorded(l) ? of_kept : 1, n, width});
    rille_tensor *panels = hidden == NULL || (keeps && kept == NULL) ? NULL : arranged(l->weight, name, true);
    rille_tensor *gates = panels == NULL ? NULL : rl_view(l->share); /* outside the graph */
    rille_tensor *out = rl_completed(hidden, gates == NULL ? RILLE_ERROR_MEMORY : step_through(l, panels, hidden, kept));
    const rl_attributes attributes = {.activation = {.act = l->act}};
    out = rl_record(out, &rl_ops[l->cell->op], inputs_of(l),
                    keeps ? RL_LIST(gates, l->weight, out, kept) : RL_LIST(gates, l->weight, out), &attributes);
    rille_free(gates);
    rille_free(panels);
    rille_free(kept);
    return out;
}

/* The whole layer; its last block is c_n for lstm. */
static rille_tensor *run(const rl_cell *cell, rille_tensor *x, const rille_recurrent_weights *w, rille_tensor *h0,
                         rille_tensor *c0, rille_activation act)
{
    rille_context *cx = checked(cell, x, w, h0, c0);
    if (cx == NULL)
        return NULL;
    const bool is_gru = cell->op == RL_OP_gru;
    const int64_t state[] = {x->shape[1], w->hh->shape[1]}, wide = w->hh->shape[0];
    rille_tensor *bias = w->bias_ih == NULL || is_gru ? w->bias_ih : rille_add(w->bias_ih, w->bias_hh);
    layer l = {.cell = cell, .act = act, .weight = w->hh, .h0 = h0, .last = is_gru ? w->bias_hh : c0};
    l.share = w->bias_ih != NULL && bias == NULL ? NULL : rille_linear(x, w->ih, bias);
    if (l.h0 == NULL)
        l.h0 = rille_zeros(cx, x->dtype, 2, state);
    if (l.last == NULL && cell->op != RL_OP_rnn)
        l.last = is_gru ? rille_zeros(cx, x->dtype, 1, &wide) : rille_zeros(cx, x->dtype, 2, state);
    const bool ready = l.share != NULL && l.h0 != NULL && (l.last != NULL || cell->op == RL_OP_rnn);
    rille_tensor *out = ready ? stepped(&l) : NULL;
    rl_free_temporary(l.last, is_gru ? w->bias_hh : c0);
    rl_free_temporary(l.h0, h0);
    rille_free(l.share);
    rl_free_temporary(bias, w->bias_ih);
    return out;
}

static rille_tensor *states_of(rille_tensor *all, int64_t steps)
{
    rille_tensor *out = rille_narrow(all, 0, 1, steps);
    rille_free(all);
    return out;
}

rille_tensor *rille_rnn(rille_tensor *x, const rille_recurrent_weights *weights, rille_tensor *h0, rille_activation act)
{
    const rille_activation_info *info = rille_activation_describe(act);
    rille_tensor *all = NULL;
    if (act == RILLE_TANH || act == RILLE_RELU)
        all = run(&RNN, x, weights, h0, NULL, act);
    else if (x != NULL && info == NULL)
        rl_fail(x->context, RILLE_ERROR_ARGUMENT, "rnn: there is no activation number %d", (int)act);
    else if (x != NULL)
        rl_fail(x->context, RILLE_ERROR_ARGUMENT, "rnn: the activation is %s; tanh or relu expected", info->name);
    return all == NULL ? NULL : states_of(all, x->shape[0]);
}

rille_tensor *rille_lstm(rille_tensor *x, const rille_recurrent_weights *weights, rille_tensor *h0, rille_tensor *c0,
                         rille_tensor **c_n)
{
    rille_tensor *all = run(&LSTM, x, weights, h0, c0, RILLE_TANH);
    rille_tensor *last = all == NULL || c_n == NULL ? NULL : rille_select(all, 0, x->shape[0] + 1);
    const bool ready = all != NULL && (c_n == NULL || last != NULL);
    rille_tensor *out = ready ? rille_narrow(all, 0, 1, x->shape[0]) : NULL;
    rille_free(all);
    if (out == NULL)
        rille_free(last);
    if (c_n != NULL)
        *c_n = out == NULL ? NULL : last;
    return out;
}

rille_tensor *rille_gru(rille_tensor *x, const rille_recurrent_weights *weights, rille_tensor *h0)
{
    rille_tensor *all = run(&GRU, x, weights, h0, NULL, RILLE_TANH);
    return all == NULL ? NULL : states_of(all, x->shape[0]);
}

/* ---- Backward, through time ---- */

/* t's first blocks, [count, n, width], as [count n, width]. */
static rille_tensor *as_rows(rille_tensor *t, int64_t count)
{
    rille_tensor *first = rille_narrow(t, 0, 0, count);
    return first == NULL ? NULL : rille_reshape(first, 2, (int64_t[]){count * t->shape[1], t->shape[2]});
}

/* In evaluation of the steps' gradients: dh and dc as they are before the last step, d_gates and d_product empty. */
typedef struct gradients {
    rille_tensor *g, *dh, *dc, *gates, *product;
} gradients;

static bool make_gradients(const rl_cell *cell, rille_tensor *g, rille_tensor *share, rille_tensor *hidden, gradients *d)
{
    rille_context *cx = g->context;
    const int64_t *state = hidden->shape + 1;
    d->g = rl_dense(g);
    d->dh = rille_zeros(cx, g->dtype, 2, state);
    d->dc = cell->has_c && d->g != NULL ? rille_clone(rille_select(d->g, 0, d->g->shape[0] - 1)) : NULL;
    d->gates = rl_new_like(share, g->dtype);
    d->product = cell->op == RL_OP_gru ? rl_new_like(share, g->dtype) : d->gates;
    return d->g != NULL && d->dh != NULL && d->gates != NULL && d->product != NULL && (d->dc != NULL || !cell->has_c);
}

static void differentiate(const rl_cell *cell, rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    rille_context *cx = node->context;
    if (cx->grad_enabled) {
        rl_fail(cx, RILLE_ERROR_GRAPH, "%s: its gradient cannot be differentiated again: create_graph ends here",
                node->op->name);
        return;
    }
    rille_tensor *share = rl_saved(node, 0), *weight = rl_saved(node, 1), *hidden = rl_saved(node, 2);
    rille_tensor *kept = node->saved_count > 3 ? rl_saved(node, 3) : NULL;
    rille_tensor *panels = share == NULL || weight == NULL || hidden == NULL ? NULL : arranged(weight, node->op->name, false);
    gradients d;
    if (panels == NULL || rille_error(cx) != NULL || !make_gradients(cell, g, share, hidden, &d))
        return;
    const layer l = {.cell = cell, .act = node->attributes.activation.act, .share = share, .weight = weight};
    rl_sequence s = sequence_of(&l);
    s.hidden = rl_data(hidden);
    s.panels = rl_data(panels);
    s.kept = kept == NULL ? NULL : rl_data(kept);
    s.kept_stride = rl_sequence_block(&s);
    s.g = rl_data(d.g);
    s.dh = rl_data(d.dh);
    s.dc = d.dc == NULL ? NULL : rl_data(d.dc);
    s.d_gates = rl_data(d.gates);
    s.d_product = rl_data(d.product);
    if (rl_sequence_backward(cx, &s) != RILLE_OK)
        return;
    rille_tensor *rows = as_rows(d.product, s.steps);
    gradient[0] = d.gates;
    if (rl_needs(node, 1))
        gradient[1] = rille_matmul(rille_transpose(rows, 0, 1), as_rows(hidden, s.steps));
    gradient[2] = d.dh;
    if (node->edge_count > 3)
        gradient[3] = cell->has_c ? d.dc : rille_sum(rows, (int[]){0}, 1, false);
}

void rl_vjp_rnn(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    differentiate(&RNN, node, g, gradient);
}

void rl_vjp_lstm(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    differentiate(&LSTM, node, g, gradient);
}

void rl_vjp_gru(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    differentiate(&GRU, node, g, gradient);
}
