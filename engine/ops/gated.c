/* The gated activations of gates.def, a f(b), and the others that change a dimension's size: maxout and crelu. */
#include "ops/ops.h"

#include "activations/map.h"
#include "base/parallel.h"

static const rille_gate_info gates[] = {
#define FORMULA(text) text
#define SOURCE(text) text
#define GATE(name, activation, formula, source) {#name, RILLE_##activation, formula, source},
#include "activations/gates.def"
#undef GATE
#undef SOURCE
#undef FORMULA
};

const rille_gate_info *rille_gate_describe(rille_gate gate)
{
    return (int)gate < 0 || (int)gate >= RILLE_GATE_COUNT ? NULL : &gates[gate];
}

/* ---- Halves: a dense tensor with a dimension of 2 n is a sequence of pairs of blocks, each n times the later sizes ---- */

static size_t block_of(const rille_tensor *t, int d, int64_t size)
{
    for (int i = d + 1; i < t->rank; i++)
        size *= t->shape[i];
    return (size_t)size;
}

typedef struct half_work {
    const rl_activation_kernels *kernels;
    rille_activation act;
    const double *params;
    int dtype;
    size_t block, item; /* elements of a half, bytes of an element */
    const char *pairs;  /* the tensor of two halves, x */
    const char *g;      /* backward: of the result */
    char *out;          /* gated: the result; crelu: the pairs; backward: dx */
} half_work;

/* The stretch that starts at element i of the first halves and ends, before `end`, at the block's end. */
typedef struct stretch {
    size_t single, first, second; /* bytes from the start of a tensor of one half, of the first and of the second in pairs */
    size_t length;
} stretch;

static stretch stretch_at(const half_work *w, size_t i, size_t end)
{
    const size_t pair = i / w->block, within = i % w->block, rest = w->block - within;
    const size_t first = 2 * pair * w->block + within;
    return (stretch){i * w->item, first * w->item, (first + w->block) * w->item, end - i < rest ? end - i : rest};
}

static void gate_range(void *work, size_t begin, size_t end) /* a f(b) */
{
    const half_work *w = work;
    rl_product_kernel *multiply = w->kernels->product[w->act][w->dtype][0];
    for (size_t i = begin; i < end;) {
        const stretch s = stretch_at(w, i, end);
        multiply(s.length, w->pairs + s.first, w->pairs + s.second, w->out + s.single, w->params);
        i += s.length;
    }
}

enum { BUFFER = 512 };

static void gate_vjp_range(void *work, size_t begin, size_t end) /* da = g f(b), db = (g a) f'(b) */
{
    const half_work *w = work;
    rl_product_kernel *const *multiply = w->kernels->product[w->act][w->dtype];
    rl_product_kernel *plainly = w->kernels->product[RILLE_IDENTITY][w->dtype][0];
    for (size_t i = begin; i < end;) {
        double buffer[BUFFER];
        const stretch s = stretch_at(w, i, end - i < BUFFER ? end : i + BUFFER);
        const char *a = w->pairs + s.first, *b = w->pairs + s.second, *g = w->g + s.single;
        multiply[0](s.length, g, b, w->out + s.first, w->params);
        plainly(s.length, g, a, buffer, NULL);
        multiply[1](s.length, buffer, b, w->out + s.second, w->params);
        i += s.length;
    }
}

/* ---- Gates ---- */

/* x's dimension, or -1 with a message where it has no halves. */
static int dimension_to_split(rille_tensor *x, const char *name, int dim)
{
    const int d = rl_dimension(x, name, dim);
    if (d < 0 || x->shape[d] % 2 == 0)
        return d;
    rl_fail(x->context, RILLE_ERROR_SHAPE,
            "%s: dimension %d of shape %s has the odd size %lld; it is to be split in two halves", name,
            d + x->context->options.index_base, RL_SHAPE(x), (long long)x->shape[d]);
    return -1;
}

/* x as a dense tensor of a floating dtype, and where its halves are. The caller frees it. */
static rille_tensor *halves(rille_tensor *x, int d, rille_gate gate, half_work *w)
{
    rille_tensor *dense = rl_dense_floating(x);
    if (dense == NULL)
        return NULL;
    const rille_activation act = gates[gate].activation;
    *w = (half_work){.kernels = rl_activation_kernels_pick(),
                     .act = act,
                     .params = rl_activation_parameters(x->context, act, NULL),
                     .dtype = (int)dense->dtype,
                     .block = block_of(dense, d, dense->shape[d] / 2),
                     .item = rille_dtype_size(dense->dtype),
                     .pairs = rl_data(dense)};
    return dense;
}

static rille_tensor *gate_forward(rille_tensor *x, rille_gate gate, int d)
{
    half_work w;
    rille_tensor *dense = halves(x, d, gate, &w);
    if (dense == NULL)
        return NULL;
    int64_t shape[RILLE_MAX_RANK];
    for (int i = 0; i < x->rank; i++)
        shape[i] = i == d ? x->shape[i] / 2 : x->shape[i];
    rille_tensor *out = rl_new(x->context, gates[gate].name, dense->dtype, x->rank, shape);
    if (out != NULL && out->numel > 0) {
        w.out = rl_data(out);
        out = rl_completed(out,
                           rl_parallel_for(x->context, gates[gate].name, (size_t)out->numel, RL_GRAIN_MEDIUM, gate_range, &w));
    }
    rl_free_temporary(dense, x);
    return out;
}

rille_tensor *rille_gated(rille_tensor *x, rille_gate gate, int dim)
{
    const rille_gate_info *info = rille_gate_describe(gate);
    rille_context *cx = rl_enter(info == NULL ? "gated" : info->name, RL_LIST(x));
    if (cx == NULL)
        return NULL;
    if (info == NULL) {
        rl_fail(cx, RILLE_ERROR_ARGUMENT, "gated: there is no gate number %d", (int)gate);
        return NULL;
    }
    const int d = dimension_to_split(x, info->name, dim);
    const rl_attributes attributes = {.gate = {gate, d}};
    return d < 0 ? NULL : rl_record(gate_forward(x, gate, d), &rl_ops[RL_OP_gated], RL_LIST(x), RL_LIST(x), &attributes);
}

/* By operations that can be differentiated again. */
static rille_tensor *gate_gradient_composed(rille_tensor *g, rille_tensor *x, rille_activation act, int d)
{
    const int64_t n = x->shape[d] / 2;
    rille_tensor *a = rille_narrow(x, d, 0, n), *b = rille_narrow(x, d, n, n);
    rille_tensor *da = rille_mul(g, rille_activate(b, act, NULL));
    rille_tensor *db = rl_activation_product(rille_mul(g, a), b, act, 1, NULL);
    return rille_add(rl_pad(da, x->rank, x->shape, d, 0), rl_pad(db, x->rank, x->shape, d, n));
}

static rille_tensor *gate_gradient_fused(rille_tensor *g, rille_tensor *x, rille_gate gate, int d)
{
    half_work w;
    rille_tensor *dense = halves(x, d, gate, &w);
    rille_tensor *typed = dense == NULL ? NULL : rl_as(g, dense->dtype), *seed = typed == NULL ? NULL : rl_dense(typed);
    rille_tensor *out = seed == NULL ? NULL : rl_new_like(x, dense->dtype);
    if (out != NULL && out->numel > 0) {
        w.g = rl_data(seed);
        w.out = rl_data(out);
        out = rl_completed(
            out, rl_parallel_for(x->context, gates[gate].name, (size_t)seed->numel, RL_GRAIN_MEDIUM, gate_vjp_range, &w));
    }
    if (seed != typed)
        rl_free_temporary(seed, typed);
    rl_free_temporary(typed, g);
    rl_free_temporary(dense, x);
    return out;
}

void rl_vjp_gated(rl_node *node, rille_tensor *g, rille_tensor **gradient) /* da = g f(b), db = g a f'(b) */
{
    rille_tensor *x = rl_saved(node, 0);
    const rille_gate gate = node->attributes.gate.gate;
    const int d = node->attributes.gate.dim;
    if (x == NULL)
        return;
    gradient[0] = node->context->grad_enabled ? gate_gradient_composed(g, x, gates[gate].activation, d)
                                              : gate_gradient_fused(g, x, gate, d);
}

/* ---- Maxout: the largest of each k neighbours ---- */

rille_tensor *rille_maxout(rille_tensor *x, int64_t k, int dim)
{
    rille_context *cx = rl_enter("maxout", RL_LIST(x));
    const int d = cx == NULL ? -1 : rl_dimension(x, "maxout", dim);
    if (d < 0)
        return NULL;
    if (k < 1 || x->shape[d] % k != 0) {
        rl_fail(cx, k < 1 ? RILLE_ERROR_ARGUMENT : RILLE_ERROR_SHAPE,
                k < 1 ? "maxout: dimension %d of shape %s is to be pooled by %lld; 1 or more expected"
                      : "maxout: dimension %d of shape %s is not a multiple of k = %lld",
                d + cx->options.index_base, RL_SHAPE(x), (long long)k);
        return NULL;
    }
    if (x->shape[d] == 0) /* pools of any size: this one is in no danger of being too large to reshape to */
        k = 1;
    int64_t shape[RILLE_MAX_RANK], grouped[] = {1, x->shape[d] / k, k, 1};
    for (int i = 0; i < x->rank; i++) {
        shape[i] = i == d ? x->shape[i] / k : x->shape[i];
        if (i != d)
            grouped[i < d ? 0 : 3] *= x->shape[i];
    }
    rille_tensor *pools = rille_reshape(x, 4, grouped), *largest = rille_max(pools, 2, false);
    rille_tensor *out = rille_reshape(largest, x->rank, shape);
    rille_free(largest);
    rille_free(pools);
    return out;
}

/* ---- Concatenated rectifiers ---- */

/* relu(-x); x - relu(x) would be NaN at infinity. */
#define DEFINE_NEGATED(T)                                                                                                      \
    static void negate_##T(size_t n, const void *x, void *y)                                                                   \
    {                                                                                                                          \
        for (size_t i = 0; i < n; i++)                                                                                         \
            ((T *)y)[i] = -((const T *)x)[i];                                                                                  \
    }
DEFINE_NEGATED(float)
DEFINE_NEGATED(double)

static void rectify_range(void *work, size_t begin, size_t end)
{
    const half_work *w = work;
    rl_map_kernel *rectify = w->kernels->map[RILLE_RELU][w->dtype][0];
    for (size_t i = begin; i < end;) {
        double negated[BUFFER];
        const stretch s = stretch_at(w, i, end - i < BUFFER ? end : i + BUFFER);
        rectify(s.length, w->pairs + s.single, w->out + s.first, NULL);
        (w->dtype == RILLE_FLOAT32 ? negate_float : negate_double)(s.length, w->pairs + s.single, negated);
        rectify(s.length, negated, w->out + s.second, NULL);
        i += s.length;
    }
}

static rille_tensor *crelu_forward(rille_tensor *x, int d)
{
    int64_t shape[RILLE_MAX_RANK];
    for (int i = 0; i < x->rank; i++)
        shape[i] = x->shape[i];
    if (shape[d] > INT64_MAX / 2) {
        rl_fail(x->context, RILLE_ERROR_SHAPE, "crelu: shape %s is too large to be doubled", RL_SHAPE(x));
        return NULL;
    }
    shape[d] *= 2;
    rille_tensor *dense = rl_dense_floating(x);
    rille_tensor *out = dense == NULL ? NULL : rl_new(x->context, "crelu", dense->dtype, x->rank, shape);
    if (out != NULL && out->numel > 0) {
        half_work w = {.kernels = rl_activation_kernels_pick(),
                       .dtype = (int)dense->dtype,
                       .block = block_of(x, d, x->shape[d]),
                       .item = rille_dtype_size(dense->dtype),
                       .pairs = rl_data(dense),
                       .out = rl_data(out)};
        out = rl_completed(out, rl_parallel_for(x->context, "crelu", (size_t)x->numel, RL_GRAIN_MEDIUM, rectify_range, &w));
    }
    rl_free_temporary(dense, x);
    return out;
}

rille_tensor *rille_crelu(rille_tensor *x, int dim)
{
    const int d = rl_enter("crelu", RL_LIST(x)) == NULL ? -1 : rl_dimension(x, "crelu", dim);
    const rl_attributes attributes = {.range = {.dim = d}};
    return d < 0 ? NULL : rl_record(crelu_forward(x, d), &rl_ops[RL_OP_crelu], RL_LIST(x), RL_LIST(x), &attributes);
}

void rl_vjp_crelu(rl_node *node, rille_tensor *g,
                  rille_tensor **gradient) /* g1 relu'(x) - g2 relu'(-x), g1 and g2 g's halves */
{
    rille_tensor *x = rl_saved(node, 0);
    const int d = node->attributes.range.dim;
    if (x == NULL)
        return;
    const int64_t n = x->shape[d];
    rille_tensor *up = rl_activation_product(rille_narrow(g, d, 0, n), x, RILLE_RELU, 1, NULL);
    rille_tensor *down = rl_activation_product(rille_narrow(g, d, n, n), rille_neg(x), RILLE_RELU, 1, NULL);
    gradient[0] = rille_sub(up, down);
}
