/* Random short programs of operations and views, run by the engine and by an interpreter that knows nothing of strides: to
 * it, a tensor is a list of places in a store, and a view is another list. A failure names its seed. */
#include "engine/random_layouts.h"

#include <string.h>

enum { MOST_VALUES = 40, MOST_ELEMENTS = 3000, MOST_BLOCKS = 400 };

typedef struct plain { /* what a tensor should be */
    rille_dtype dtype;
    long double *store;
    int rank;
    int64_t shape[RILLE_MAX_RANK];
    int64_t numel;
    int64_t *at; /* of each element, row-major, in the store */
} plain;

typedef struct program {
    rille_context *cx;
    uint64_t seed, rng;
    int count;
    plain expected[MOST_VALUES];
    rille_tensor *tensor[MOST_VALUES];
    void *block[MOST_BLOCKS]; /* freed at the end */
    int blocks;
    const char *step;
} program;

static void *claim(program *p, int64_t n, size_t size)
{
    cr_assert(p->blocks < MOST_BLOCKS);
    return p->block[p->blocks++] = calloc((size_t)n + 1, size);
}

static int64_t count_of(int rank, const int64_t *shape)
{
    int64_t n = 1;
    for (int d = 0; d < rank; d++)
        n *= shape[d];
    return n;
}

/* A tensor of a store of its own, all 0. */
static plain fresh(program *p, rille_dtype dtype, int rank, const int64_t *shape)
{
    plain x = {.dtype = dtype, .rank = rank, .numel = count_of(rank, shape)};
    memcpy(x.shape, shape, (size_t)rank * sizeof shape[0]);
    x.store = claim(p, x.numel, sizeof *x.store);
    x.at = claim(p, x.numel, sizeof *x.at);
    for (int64_t i = 0; i < x.numel; i++)
        x.at[i] = i;
    return x;
}

/* A view of another shape, whose places are for the caller to fill in. */
static plain view_of(program *p, const plain *x, int rank, const int64_t *shape)
{
    plain v = {.dtype = x->dtype, .store = x->store, .rank = rank, .numel = count_of(rank, shape)};
    memcpy(v.shape, shape, (size_t)rank * sizeof shape[0]);
    v.at = claim(p, v.numel, sizeof *v.at);
    return v;
}

static long double get(const plain *x, int64_t i)
{
    return x->store[x->at[i]];
}

static void position(const plain *x, int64_t i, int64_t *index)
{
    for (int d = x->rank - 1; d >= 0; d--) {
        index[d] = i % x->shape[d];
        i /= x->shape[d];
    }
}

/* The number of the element at this position, where dimensions of size 1 stretch and leading ones may be missing. */
static int64_t element_number(const plain *x, int rank, const int64_t *index)
{
    int64_t i = 0;
    for (int d = 0; d < x->rank; d++)
        i = i * x->shape[d] + (x->shape[d] == 1 ? 0 : index[rank - x->rank + d]);
    return i;
}

/* ---- Steps: each adds a value to the program, or changes some in place ---- */

#define SEED(p) (unsigned long long)(p)->seed

/* Takes the tensor into the program where it was expected to work, and sees to it that it failed where not. */
static void add_value(program *p, rille_tensor *t, bool fails, plain expected)
{
    cr_assert((t == NULL) == fails, "seed %llu, %s: %s", SEED(p), p->step, t == NULL ? rille_error(p->cx) : "was to fail");
    cr_expect((rille_error(p->cx) == NULL) == !fails, "seed %llu, %s", SEED(p), p->step);
    rille_clear_error(p->cx);
    if (fails)
        return;
    cr_assert(p->count < MOST_VALUES);
    p->tensor[p->count] = t;
    p->expected[p->count++] = expected;
}

/* As add_value, for results that round differently: they must be within the tolerance, and are then taken as they are. */
static void add_rounded(program *p, rille_tensor *t, plain expected, const long double *tolerance)
{
    cr_assert(has_shape(t, expected.rank, expected.shape), "seed %llu, %s: %s", SEED(p), p->step, rille_error(p->cx));
    for (int64_t i = 0; i < expected.numel; i++) {
        long double got = value_of(t, i), right = expected.store[i];
        bool same = right != right ? got != got : isinf(right) ? got == right : fabsl(got - right) <= tolerance[i];
        cr_assert(same, "seed %llu, %s: %Lg, not %Lg", SEED(p), p->step, got, right);
        expected.store[i] = got;
    }
    add_value(p, t, false, expected);
}

static int any(program *p)
{
    return (int)random_below(&p->rng, p->count);
}

static void step_create(program *p)
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
        int64_t number = 0;
        for (int d = 0; d < x->rank; d++)
            number = number * x->shape[d] + index[d];
        v.at[i] = x->at[number];
    }
    if (selects) {
        memmove(v.shape + dim, v.shape + dim + 1, (size_t)(x->rank - dim - 1) * sizeof v.shape[0]);
        v.rank--;
    }
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
    bool fits = y->rank <= x->rank, repeats = false;
    for (int d = 0; d < y->rank && fits; d++) {
        int64_t own = x->shape[x->rank - y->rank + d];
        fits = y->shape[d] == own || y->shape[d] == 1;
    }
    for (int64_t i = 0; i < x->numel && !repeats; i++)
        for (int64_t k = 0; k < i && !repeats; k++)
            repeats = x->at[i] == x->at[k];
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
        char converted[8]; /* conversions are checked elsewhere */
        rille_tensor *one = rille_full(p->cx, y->dtype, 0, NULL, (double)get(y, element_number(y, x->rank, index)));
        cr_assert_eq(rille_copy_out(one, x->dtype, converted), RILLE_OK);
        rille_free(one);
        read[i] = element_at(x->dtype, converted, 0);
    }
    for (int64_t i = 0; i < x->numel; i++)
        x->store[x->at[i]] = read[i];
}

typedef struct pair { /* two values, and the shape that they broadcast to */
    int a, b;
    bool fits;
    int rank;
    int64_t shape[RILLE_MAX_RANK];
} pair;

static pair random_pair(program *p)
{
    pair r = {any(p), any(p), true, 0, {0}};
    const plain *x = &p->expected[r.a], *y = &p->expected[r.b];
    r.rank = x->rank > y->rank ? x->rank : y->rank;
    for (int d = 0; d < r.rank; d++) {
        int own_x = d - (r.rank - x->rank), own_y = d - (r.rank - y->rank);
        int64_t of_x = own_x < 0 ? 1 : x->shape[own_x], of_y = own_y < 0 ? 1 : y->shape[own_y];
        r.fits = r.fits && (of_x == of_y || of_x == 1 || of_y == 1);
        r.shape[d] = of_x == 1 ? of_y : of_x;
    }
    return r;
}

static long double combine(int op, rille_dtype dtype, long double a, long double b)
{
    if (op > 2)
        return op == 3 ? a < b : a == b;
    if (dtype == RILLE_INT64) {
        uint64_t x = (uint64_t)(int64_t)a, y = (uint64_t)(int64_t)b;
        return (long double)(int64_t)(op == 0 ? x + y : op == 1 ? x - y : x * y);
    }
    /* through double, the sum or product of two floats rounds as it would at once */
    double x = (double)a, y = (double)b, z = op == 0 ? x + y : op == 1 ? x - y : x * y;
    return dtype == RILLE_FLOAT32 ? (float)z : z;
}

static int level(rille_dtype dtype)
{
    return dtype == RILLE_FLOAT64 ? 2 : dtype == RILLE_FLOAT32 ? 1 : 0;
}

static void step_binary(program *p)
{
    static rille_tensor *(*const call[])(rille_tensor *, rille_tensor *) = {rille_add, rille_sub, rille_mul, rille_less,
                                                                            rille_equal};
    static const char *const name[] = {"add", "sub", "mul", "less", "equal"};
    static const rille_dtype by_level[] = {RILLE_INT64, RILLE_FLOAT32, RILLE_FLOAT64};
    pair r = random_pair(p);
    if (r.fits && count_of(r.rank, r.shape) > MOST_ELEMENTS)
        return;
    int op = (int)random_below(&p->rng, 5);
    const plain *x = &p->expected[r.a], *y = &p->expected[r.b];
    rille_dtype dtype = by_level[level(x->dtype) > level(y->dtype) ? level(x->dtype) : level(y->dtype)];
    plain v = fresh(p, op > 2 ? RILLE_BOOL : dtype, r.fits ? r.rank : 0, r.shape);
    int64_t index[RILLE_MAX_RANK];
    for (int64_t i = 0; r.fits && i < v.numel; i++) {
        position(&v, i, index);
        long double a = get(x, element_number(x, r.rank, index)), b = get(y, element_number(y, r.rank, index));
        if (dtype == RILLE_FLOAT32)
            a = (float)a, b = (float)b;
        else if (dtype == RILLE_FLOAT64)
            a = (double)a, b = (double)b;
        v.store[i] = combine(op, dtype, a, b);
    }
    p->step = name[op];
    add_value(p, call[op](p->tensor[r.a], p->tensor[r.b]), !r.fits, v);
}

static void step_unary(program *p) /* neg, abs, and exp, whose arguments are kept small */
{
    int from = any(p), op = (int)random_below(&p->rng, 3);
    const plain *x = &p->expected[from];
    rille_dtype dtype = level(x->dtype) > 0 ? x->dtype : op == 2 ? RILLE_FLOAT32 : RILLE_INT64;
    plain v = fresh(p, dtype, x->rank, x->shape);
    for (int64_t i = 0; i < v.numel; i++) {
        long double a = get(x, i);
        if (op == 2)
            v.store[i] = dtype == RILLE_FLOAT64 ? (long double)exp((double)a) : (long double)(float)exp((double)(float)a);
        else if (dtype == RILLE_INT64)
            v.store[i] = (long double)(int64_t)(op == 1 && a >= 0 ? (uint64_t)(int64_t)a : 0 - (uint64_t)(int64_t)a);
        else
            v.store[i] = op == 0 ? -a : fabsl(a);
    }
    p->step = op == 0 ? "neg" : op == 1 ? "abs" : "exp";
    rille_tensor *t = p->tensor[from];
    add_value(p, op == 0 ? rille_neg(t) : op == 1 ? rille_abs(t) : rille_exp(t), false, v);
}

static void step_sum(program *p) /* over one dimension */
{
    int from = any(p);
    const plain *x = &p->expected[from];
    if (x->rank == 0)
        return;
    int dim = (int)random_below(&p->rng, x->rank);
    int64_t shape[RILLE_MAX_RANK], index[RILLE_MAX_RANK];
    memcpy(shape, x->shape, sizeof shape);
    shape[dim] = 1;
    plain v = fresh(p, level(x->dtype) > 0 ? x->dtype : RILLE_INT64, x->rank, shape);
    long double *size = claim(p, v.numel, sizeof *size);
    for (int64_t i = 0; i < x->numel; i++) {
        position(x, i, index);
        int64_t into = element_number(&v, x->rank, index);
        if (v.dtype == RILLE_INT64)
            v.store[into] = (long double)(int64_t)((uint64_t)(int64_t)v.store[into] + (uint64_t)(int64_t)get(x, i));
        else
            v.store[into] += get(x, i);
        size[into] += fabsl(get(x, i));
    }
    for (int64_t i = 0; i < v.numel; i++) { /* the sum itself rounds in float64, the result in its dtype */
        long double own = v.dtype == RILLE_FLOAT32 ? FLT_EPSILON / 2 : DBL_EPSILON / 2;
        if (v.dtype == RILLE_FLOAT32 && fabsl(v.store[i]) > (long double)FLT_MAX)
            v.store[i] = (float)v.store[i];
        size[i] = v.dtype == RILLE_INT64 ? 0 : size[i] * 20 * (long double)DBL_EPSILON + fabsl(v.store[i]) * own + 1e-45L;
    }
    p->step = "sum";
    add_rounded(p, rille_sum(p->tensor[from], &dim, 1, true), v, size);
}

static void step_index_select(program *p)
{
    int from = any(p);
    const plain *x = &p->expected[from];
    if (x->rank == 0)
        return;
    int dim = (int)random_below(&p->rng, x->rank);
    int64_t shape[RILLE_MAX_RANK], index[RILLE_MAX_RANK], picked[4], k = x->shape[dim] == 0 ? 0 : random_below(&p->rng, 5);
    for (int64_t i = 0; i < k; i++)
        picked[i] = random_below(&p->rng, x->shape[dim]);
    memcpy(shape, x->shape, sizeof shape);
    shape[dim] = k;
    if (count_of(x->rank, shape) > MOST_ELEMENTS)
        return;
    plain v = fresh(p, x->dtype, x->rank, shape);
    for (int64_t i = 0; i < v.numel; i++) {
        position(&v, i, index);
        index[dim] = picked[index[dim]];
        int64_t number = 0;
        for (int d = 0; d < x->rank; d++)
            number = number * x->shape[d] + index[d];
        v.store[i] = get(x, number);
    }
    p->step = "index_select";
    rille_tensor *at = rille_from(p->cx, RILLE_INT64, 1, &k, picked);
    add_value(p, rille_index_select(p->tensor[from], dim, at), false, v);
    rille_free(at);
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
static step *const steps[] = {step_create, step_reshape, step_reshape, step_permute,      step_permute, step_narrow,
                              step_narrow, step_expand,  step_copies,  step_copy,         step_copy,    step_binary,
                              step_binary, step_unary,   step_sum,     step_index_select, step_free};

Test(programs, agree_with_an_interpreter)
{
    rille_context *cx = open_with(2, 0);
    program *p = malloc(sizeof *p);
    for (uint64_t seed = 0; seed < 1500; seed++) {
        *p = (program){.cx = cx, .seed = seed, .rng = seed};
        rille_scope_push(cx);
        for (int i = 0; i < 3; i++)
            step_create(p);
        for (int i = 0; i < 16; i++) {
            steps[random_below(&p->rng, sizeof steps / sizeof steps[0])](p);
            check_all(p);
        }
        check_copies_out(p);
        rille_scope_pop(cx);
        for (int i = 0; i < p->blocks; i++)
            free(p->block[i]);
    }
    free(p);
    cr_expect_eq(rille_memory_usage(cx).current, 0, "nothing is left");
    rille_close(cx);
}

/* ---- Gradients of random programs of smooth operations, against differences ---- */

static rille_tensor *smooth_step(rille_context *cx, uint64_t *rng, rille_tensor *const *x, int count)
{
    rille_tensor *a = x[random_below(rng, count)], *b = x[random_below(rng, count)];
    int rank = rille_rank(a), dim = rank == 0 ? 0 : (int)random_below(rng, rank);
    int64_t two[] = {0, 0}, size = rank == 0 ? 0 : rille_shape(a)[dim];
    switch (random_below(rng, rank == 0 ? 4 : 14)) {
    case 0: return rille_mul(rille_tanh(a), rille_scalar(cx, RILLE_FLOAT64, 1.5));
    case 1: return rille_sub(rille_mul(a, a), rille_tanh(a));
    case 2: return rille_div(a, rille_add(rille_exp(rille_neg(rille_tanh(a))), rille_scalar(cx, RILLE_FLOAT64, 1)));
    case 3: return rille_sqrt(rille_add(rille_mul(a, a), rille_scalar(cx, RILLE_FLOAT64, 0.7)));
    case 4: return rille_softmax(a, dim);
    case 5: return rille_log_softmax(a, dim);
    case 6: return rille_mean(a, &dim, 1, random_below(rng, 2) == 0);
    case 7: return rille_transpose(a, 0, dim);
    case 8: return rille_narrow(a, dim, size / 2, size - size / 2);
    case 9: return rille_index_select(a, dim, rille_from(cx, RILLE_INT64, SHAPE(2), two));
    case 10: return rille_reshape(rille_transpose(a, 0, dim), SHAPE(-1));
    case 11: return rille_clone(rille_select(a, dim, size - 1));
    case 12: return rank == 2 ? rille_matmul(a, rille_transpose(a, 0, 1)) : rille_tanh(a);
    default: return rille_add(rille_sum(b, NULL, 0, false), a);
    }
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
    for (uint64_t seed = 0; seed < 150; seed++) {
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
        cr_expect(status == RILLE_OK, "seed %llu: %s", (unsigned long long)seed, rille_error(cx));
        rille_close(cx);
    }
}
