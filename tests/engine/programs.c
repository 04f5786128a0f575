/* Random short programs of operations, layers, losses and views, run by the engine and by an interpreter that knows nothing of
 * strides (programs.h). A failure names its seed. RILLE_PROGRAMS= says how many instead of the default, RILLE_SEED= the first
 * seed. */
#include "engine/program_elements.h"
#include "engine/program_folds.h"
#include "engine/program_gradients.h"
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

/* t, made of this value: a view where strides can step through it in this shape, else a copy. */
static void add_reshaped(program *p, int from, rille_tensor *t, int rank, const int64_t *shape)
{
    plain v = view_of(p, &p->expected[from], rank, shape);
    memcpy(v.at, p->expected[from].at, (size_t)v.numel * sizeof *v.at);
    bool viewable = has_strides(&v);
    if (!viewable) {
        plain copy = fresh(p, v.dtype, rank, shape);
        for (int64_t i = 0; i < v.numel; i++)
            copy.store[i] = get(&v, i);
        v = copy;
    }
    add_value(p, t, false, v);
    bool shares = rille_data(t) == rille_data(p->tensor[from]);
    cr_expect(v.numel == 0 || shares == viewable, "seed %llu: %s %s", SEED(p), p->step, viewable ? "copied" : "did not copy");
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
    add_reshaped(p, from, rille_reshape(p->tensor[from], rank, asked), rank, shape);
}

static void step_flatten(program *p)
{
    int from = any(p), rank = 0;
    const plain *x = &p->expected[from];
    if (x->rank == 0)
        return;
    int first = (int)random_below(&p->rng, x->rank), last = first + (int)random_below(&p->rng, x->rank - first);
    int64_t shape[RILLE_MAX_RANK];
    for (int d = 0; d < x->rank; d++)
        if (d > first && d <= last)
            shape[first] *= x->shape[d];
        else
            shape[rank++] = x->shape[d];
    p->step = "flatten";
    add_reshaped(p, from, rille_flatten(p->tensor[from], first, last - x->rank), rank, shape);
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
    step_reshape, step_reshape, step_flatten, step_permute, step_permute, step_narrow, step_narrow, step_expand, step_flip, step_windows,
    step_split, step_parts, step_ones, step_meshgrid, step_diagonal,
    step_binary, step_binary, step_binary, step_unary, step_unary, step_function, step_function, step_convert, step_rounding,
    step_pairs, step_pairs, step_clamp, step_masked, step_masked,
    step_activation, step_learned, step_halves, step_gate, step_dropout,
    step_fold, step_fold, step_scan, step_order, step_extreme, step_softmax,
    step_cat, step_spread, step_spread, step_index_select, step_gather, step_scatter, step_rows, step_subscript,
    step_subscript,
    step_product, step_gram, step_vectors, step_convolution, step_pool, step_normalisation, step_recurrent, step_recurrent,
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

/* ---- Gradients, against differences ---- */

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
