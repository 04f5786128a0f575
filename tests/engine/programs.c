/* Random short programs of operations, layers, losses and views, run by the engine and by an interpreter that knows nothing of
 * strides (programs.h). A failure names its seed. RILLE_PROGRAMS= says how many instead of the default, RILLE_SEED= the first
 * seed. */
#include "engine/program_elements.h"
#include "engine/program_folds.h"
#include "engine/program_indices.h"
#include "engine/program_layers.h"
#include "engine/program_losses.h"
#include "engine/program_places.h"

#include <stdlib.h>

static void step_create(program *p) /* of whole numbers, of any dtype */
{
    static const rille_dtype dtypes[] = {RILLE_FLOAT32, RILLE_FLOAT64, RILLE_INT64, RILLE_UINT8, RILLE_BOOL};
    int64_t shape[RILLE_MAX_RANK];
    int rank = (int)random_below(&p->rng, 5);
    for (int d = 0; d < rank; d++)
        shape[d] = random_below(&p->rng, 25) == 0 ? 0 : 1 + random_below(&p->rng, 4);
    plain x = fresh(p, dtypes[random_below(&p->rng, 5)], rank, shape);
    p->step = "create";
    rille_tensor *t = rille_empty(p->cx, x.dtype, rank, shape);
    for (int64_t i = 0; i < x.numel; i++) {
        x.store[i] = random_value(&p->rng, x.dtype, WHOLE);
        put_element(x.dtype, rille_data(t), i, x.store[i]);
    }
    add_value(p, t, false, x);
}

static void step_series(program *p) /* arange, linspace, eye */
{
    static const char *const name[] = {"arange", "linspace", "eye"};
    static const int lowest[] = {2, 3, 0};
    int which = (int)random_below(&p->rng, 3);
    rille_dtype dtype = every_dtype[lowest[which] + random_below(&p->rng, DTYPES - lowest[which])];
    int64_t start = random_below(&p->rng, 9) - 4, n = random_below(&p->rng, 6), step = 1 + random_below(&p->rng, 3);
    plain v = fresh(p, dtype, which == 2 ? 2 : 1, (int64_t[]){n, n});
    double end = (double)(start + (which == 0 ? n * step : step));
    for (int64_t i = 0; i < v.numel; i++)
        v.store[i] = which == 0   ? start + i * step
                     : which == 2 ? i / n == i % n
                                  : start + i * (long double)step / (n - 1 + !(n - 1));
    p->step = name[which];
    add_close(p,
              which == 0   ? rille_arange(p->cx, dtype, (double)start, end, (double)step)
              : which == 1 ? rille_linspace(p->cx, dtype, (double)start, end, n)
                           : rille_eye(p->cx, dtype, n),
              v, which == 1 ? 4 * (long double)DBL_EPSILON : 0);
}

/* Whether some strides step through the places in this shape. */
static bool has_strides(const plain *v)
{
    int64_t index[RILLE_MAX_RANK], stride[RILLE_MAX_RANK] = {0};
    for (int d = 0, i = 1; v->numel > 0 && d < v->rank; d++) {
        int64_t inner = count_of(v->rank - d - i, v->shape + d + i);
        stride[d] = v->shape[d] > 1 ? v->at[inner] - v->at[0] : 0;
    }
    for (int64_t i = 0; i < v->numel; i++) {
        int64_t at = v->at[0];
        position(v, i, index);
        for (int d = 0; d < v->rank; d++)
            at += index[d] * stride[d];
        if (at != v->at[i])
            return false;
    }
    return true;
}

/* A random shape of n elements. */
static int factor(program *p, int64_t n, int64_t *shape)
{
    int rank = 0;
    while (n > 1 && rank < 5) {
        int64_t size = 1 + random_below(&p->rng, 6);
        if (n % size == 0) {
            shape[rank++] = size;
            n /= size;
        }
    }
    if (n != 1 || rank == 0)
        shape[rank++] = n;
    return rank;
}

static void step_reshape(program *p)
{
    int from = any(p);
    int64_t shape[RILLE_MAX_RANK], asked[RILLE_MAX_RANK];
    int rank = factor(p, p->expected[from].numel, shape);
    memcpy(asked, shape, sizeof asked);
    if (p->expected[from].numel > 0 && random_below(&p->rng, 2) == 0)
        asked[random_below(&p->rng, rank)] = -1;
    p->step = "reshape";
    plain v = view_of(p, &p->expected[from], rank, shape);
    memcpy(v.at, p->expected[from].at, (size_t)v.numel * sizeof *v.at);
    bool viewable = has_strides(&v);
    rille_tensor *t = rille_reshape(p->tensor[from], rank, asked);
    if (!viewable) {
        plain copy = fresh(p, v.dtype, rank, shape);
        for (int64_t i = 0; i < v.numel; i++)
            copy.store[i] = get(&v, i);
        v = copy;
    }
    add_value(p, t, false, v);
    bool shares = rille_data(t) == rille_data(p->tensor[from]);
    cr_expect(v.numel == 0 || shares == viewable, "seed %llu: reshape %s", SEED(p), viewable ? "copied" : "did not copy");
}

static void step_permute(program *p)
{
    int from = any(p);
    const plain *x = &p->expected[from];
    int dims[RILLE_MAX_RANK] = {0};
    int64_t shape[RILLE_MAX_RANK], index[RILLE_MAX_RANK], source[RILLE_MAX_RANK];
    for (int d = 0; d < x->rank; d++) {
        int k = (int)random_below(&p->rng, d + 1);
        dims[d] = dims[k];
        dims[k] = d;
    }
    for (int d = 0; d < x->rank; d++)
        shape[d] = x->shape[dims[d]];
    plain v = view_of(p, x, x->rank, shape);
    for (int64_t i = 0; i < v.numel; i++) {
        position(&v, i, index);
        for (int d = 0; d < x->rank; d++)
            source[dims[d]] = index[d];
        v.at[i] = x->at[element_number(x, x->rank, source)];
    }
    p->step = "permute";
    add_value(p, rille_permute(p->tensor[from], dims), false, v);
}

static void step_narrow(program *p)
{
    int from = any(p);
    const plain *x = &p->expected[from];
    if (x->rank == 0)
        return;
    bool selects = random_below(&p->rng, 3) == 0;
    int dim = (int)random_below(&p->rng, x->rank);
    int64_t start = random_below(&p->rng, x->shape[dim] + 1), length = random_below(&p->rng, x->shape[dim] - start + 2);
    bool fails = selects ? start >= x->shape[dim] : length > x->shape[dim] - start;
    p->step = selects ? "select" : "narrow";
    rille_tensor *t =
        selects ? rille_select(p->tensor[from], dim, start) : rille_narrow(p->tensor[from], dim - x->rank, start, length);
    int64_t shape[RILLE_MAX_RANK], index[RILLE_MAX_RANK];
    memcpy(shape, x->shape, sizeof shape);
    shape[dim] = fails ? 0 : selects ? 1 : length;
    plain v = view_of(p, x, x->rank, shape);
    for (int64_t i = 0; i < v.numel; i++) {
        position(&v, i, index);
        index[dim] += start;
        v.at[i] = x->at[number_of(x, index)];
    }
    if (selects)
        drop_dimension(&v, dim);
    add_value(p, t, fails, v);
}

static void step_expand(program *p)
{
    int from = any(p);
    const plain *x = &p->expected[from];
    int rank = x->rank + (int)random_below(&p->rng, 2);
    int64_t shape[RILLE_MAX_RANK], asked[RILLE_MAX_RANK], index[RILLE_MAX_RANK];
    for (int d = 0; d < rank; d++) {
        int own = d - (rank - x->rank);
        int64_t size = own < 0 ? 1 : x->shape[own];
        asked[d] = shape[d] = size == 1 ? random_below(&p->rng, 4) : size;
        if (own >= 0 && random_below(&p->rng, 4) == 0) {
            asked[d] = -1;
            shape[d] = size;
        }
    }
    if (rank > 6 || count_of(rank, shape) > MOST_ELEMENTS)
        return;
    plain v = view_of(p, x, rank, shape);
    for (int64_t i = 0; i < v.numel; i++) {
        position(&v, i, index);
        v.at[i] = x->at[element_number(x, rank, index)];
    }
    p->step = "expand";
    add_value(p, rille_expand(p->tensor[from], rank, asked), false, v);
}

static void step_copies(program *p) /* clone, contiguous, detach, to */
{
    int from = any(p), which = (int)random_below(&p->rng, 3);
    const plain *x = &p->expected[from];
    plain v = fresh(p, x->dtype, x->rank, x->shape), same = *x;
    for (int64_t i = 0; i < x->numel; i++)
        v.store[i] = get(x, i);
    p->step = which == 0 ? "clone" : which == 1 ? "contiguous" : "detach";
    rille_tensor *t = p->tensor[from];
    bool shares = which == 2 || (which == 1 && rille_is_contiguous(t));
    add_value(p, which == 0 ? rille_clone(t) : which == 1 ? rille_contiguous(t) : rille_detach(t), false, shares ? same : v);
}

/* into[...] = from, which is read whole before anything is written */
static void step_copy(program *p)
{
    int into = any(p), from = any(p);
    const plain *x = &p->expected[into], *y = &p->expected[from];
    bool fits = y->rank <= x->rank, repeats = may_repeat(x);
    for (int d = 0; d < y->rank && fits; d++) {
        int64_t own = x->shape[x->rank - y->rank + d];
        fits = y->shape[d] == own || y->shape[d] == 1;
    }
    p->step = "copy";
    rille_status status = rille_copy(p->tensor[into], p->tensor[from]);
    cr_assert((status == RILLE_OK) == (fits && !repeats), "seed %llu, copy: %s", SEED(p), rille_error(p->cx));
    rille_clear_error(p->cx);
    if (status != RILLE_OK)
        return;
    long double *read = claim(p, x->numel, sizeof *read);
    int64_t index[RILLE_MAX_RANK];
    for (int64_t i = 0; i < x->numel; i++) {
        position(x, i, index);
        read[i] = converted(x->dtype, get(y, element_number(y, x->rank, index)));
    }
    for (int64_t i = 0; i < x->numel; i++)
        x->store[x->at[i]] = read[i];
}

static void step_free(program *p) /* what others see of the same elements stays */
{
    int which = any(p);
    if (p->count < 3)
        return;
    p->step = "free";
    rille_free(p->tensor[which]);
    p->tensor[which] = p->tensor[--p->count];
    p->expected[which] = p->expected[p->count];
}

/* ---- Running them ---- */

static void check_all(const program *p)
{
    for (int k = 0; k < p->count; k++) {
        const plain *x = &p->expected[k];
        cr_assert(has_shape(p->tensor[k], x->rank, x->shape) && rille_dtype_of(p->tensor[k]) == x->dtype, "seed %llu, %s",
                  SEED(p), p->step);
        for (int64_t i = 0; i < x->numel; i++)
            cr_assert(is_same(value_of(p->tensor[k], i), get(x, i)),
                      "seed %llu, after %s: value %d, element %lld: %Lg, not %Lg", SEED(p), p->step, k, (long long)i,
                      value_of(p->tensor[k], i), get(x, i));
    }
}

static void check_copies_out(const program *p)
{
    for (int k = 0; k < p->count; k++) {
        const plain *x = &p->expected[k];
        char *out = malloc((size_t)x->numel * 8 + 1);
        cr_assert_eq(rille_copy_out(p->tensor[k], x->dtype, out), RILLE_OK);
        for (int64_t i = 0; i < x->numel; i++)
            cr_assert(is_same(element_at(x->dtype, out, i), get(x, i)), "seed %llu, copy_out", SEED(p));
        free(out);
    }
}

typedef void step(program *p);
static step *const steps[] = {
    /* clang-format off */
    step_create, step_series, step_free, step_copies, step_copy, step_copy,
    step_reshape, step_reshape, step_permute, step_permute, step_narrow, step_narrow, step_expand, step_flip, step_windows,
    step_split, step_parts, step_ones, step_meshgrid, step_diagonal,
    step_binary, step_binary, step_binary, step_unary, step_unary, step_function, step_function, step_convert, step_rounding,
    step_pairs, step_pairs, step_clamp, step_masked, step_masked,
    step_activation, step_learned, step_halves, step_gate, step_dropout,
    step_fold, step_fold, step_scan, step_order, step_extreme, step_softmax,
    step_cat, step_spread, step_spread, step_index_select, step_gather, step_scatter, step_rows, step_subscript,
    step_subscript,
    step_product, step_vectors, step_convolution, step_pool, step_normalisation, step_recurrent, step_recurrent,
    step_loss, step_likelihood, step_likelihood, step_labels,
    /* clang-format on */
};

static uint64_t from_environment(const char *name, uint64_t absent)
{
    const char *text = getenv(name);
    return text == NULL ? absent : strtoull(text, NULL, 10);
}

static void run_program(program *p)
{
    rille_scope_push(p->cx);
    for (int i = 0; i < 3; i++)
        step_create(p);
    for (int i = 0; i < 16; i++) {
        steps[random_below(&p->rng, sizeof steps / sizeof steps[0])](p);
        check_all(p);
    }
    check_copies_out(p);
    rille_scope_pop(p->cx);
    for (int i = 0; i < p->blocks; i++)
        free(p->block[i]);
}

Test(programs, agree_with_an_interpreter)
{
    const uint64_t first = from_environment("RILLE_SEED", 0), programs = from_environment("RILLE_PROGRAMS", 8000);
    rille_context *cx = open_with(2, 0);
    program *p = malloc(sizeof *p);
    cr_expect(programs > 0);
    for (uint64_t seed = first; seed - first < programs; seed++) {
        *p = (program){.cx = cx, .seed = seed, .rng = seed};
        run_program(p);
    }
    free(p);
    cr_expect_eq(rille_memory_usage(cx).current, 0, "nothing is left");
    rille_close(cx);
}

/* ---- Gradients of random programs of smooth operations, against differences, whose arguments are bounded where a function
 *      bends, or loses digits, beyond what differences can follow ---- */

static rille_tensor *smooth_element(rille_context *cx, int which, rille_tensor *a)
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
static rille_tensor *smooth_layer(rille_context *cx, int which, rille_tensor *a)
{
    const int64_t picked[] = {0, rille_shape(a)[0] - 1, 0};
    rille_tensor *square = rille_tanh(rille_matmul(a, rille_transpose(a, 0, 1))), *sequence = rille_unsqueeze(a, 1);
    rille_tensor *of_gates[] = {a, rille_tanh(a), rille_cos(a), a}, *among[] = {square, rille_neg(square), square, square};
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

static rille_tensor *smooth_loss(uint64_t *rng, rille_tensor *a, rille_tensor *target)
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
static rille_tensor *smooth_fold(uint64_t *rng, rille_tensor *a, int dim)
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

static rille_tensor *smooth_move(rille_context *cx, uint64_t *rng, rille_tensor *a, int dim)
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

static rille_tensor *smooth_step(rille_context *cx, uint64_t *rng, rille_tensor *const *x, int count)
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

static rille_tensor *smooth_program(rille_context *cx, rille_tensor *const *inputs, int count, void *user)
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

Test(programs, have_the_gradients_that_differences_have)
{
    const uint64_t first = from_environment("RILLE_SEED", 0), programs = from_environment("RILLE_PROGRAMS", 300);
    for (uint64_t seed = first; seed - first < programs; seed++) {
        rille_context *cx = open_with(2, 0);
        uint64_t rng = seed;
        rille_tensor *x[3];
        for (int i = 0; i < 3; i++) {
            int64_t shape[] = {1 + random_below(&rng, 3), 1 + random_below(&rng, 3)};
            x[i] = random_layout(cx, &rng, RILLE_FLOAT64, FINITE, (int)random_below(&rng, 3), shape);
            x[i] = rille_clone(x[i]);
            rille_set_requires_grad(x[i], true);
        }
        rille_status status = rille_gradcheck(cx, smooth_program, &seed, x, 3, NULL, NULL);
        if (status != RILLE_OK) { /* where f bends a lot: a difference's error falls with the square of its step */
            rille_clear_error(cx);
            status = rille_gradcheck(cx, smooth_program, &seed, x, 3, &(rille_gradcheck_options){.step = 1e-6}, NULL);
        }
        cr_expect(status == RILLE_OK, "seed %llu: %s", (unsigned long long)seed, rille_error(cx));
        rille_close(cx);
    }
}
