/* Dropout (Srivastava et al. 2014). Which elements are dropped is not kept: it is drawn again from the same counters, by the
 * gradient, which is the same dropout of g. */
#include "ops/ops.h"

#include "base/parallel.h"
#include "base/rng.h"

#include <math.h>

typedef struct drops {
    const void *x;
    void *y;
    double factor;        /* of what is kept */
    uint64_t kept_from;   /* an element is kept where its 32 random bits are this or more */
    uint64_t seed, first; /* the first block is for elements 0 to 3 */
} drops;

#define DEFINE_DROP(T)                                                                                                         \
    static void drop_##T(void *work, size_t begin, size_t end)                                                                 \
    {                                                                                                                          \
        const drops *d = work;                                                                                                 \
        for (size_t i = begin; i < end; i += 4) {                                                                              \
            const rl_random_block r = rl_random(d->seed, d->first + i / 4);                                                    \
            for (size_t k = 0; k < 4 && i + k < end; k++)                                                                      \
                ((T *)d->y)[i + k] = ((const T *)d->x)[i + k] * (r.word[k] < d->kept_from ? 0 : (T)d->factor);                 \
        }                                                                                                                      \
    }
DEFINE_DROP(float)
DEFINE_DROP(double)

static rille_tensor *dropped(rille_tensor *x, const rl_attributes *attributes)
{
    rille_context *cx = rl_enter("dropout", RL_LIST(x));
    rille_tensor *in = cx == NULL ? NULL : rl_dense_floating(x), *out = in == NULL ? NULL : rl_new_like(x, in->dtype);
    if (out != NULL) {
        const double p = attributes->dropout.p;
        drops d = {rl_data(in),
                   rl_data(out),
                   p < 1 ? 1 / (1 - p) : 0,
                   (uint64_t)ldexp(p, 32),
                   attributes->dropout.seed,
                   attributes->dropout.first};
        rl_body *body = in->dtype == RILLE_FLOAT32 ? drop_float : drop_double;
        out = rl_completed(out, rl_parallel_for(cx, "dropout", (size_t)x->numel, RL_GRAIN_HEAVY, body, &d));
    }
    rl_free_temporary(in, x);
    return rl_record(out, &rl_ops[RL_OP_dropout], RL_LIST(x), RL_NONE, attributes);
}

rille_tensor *rille_dropout(rille_tensor *x, double p)
{
    rille_context *cx = rl_enter("dropout", RL_LIST(x));
    if (cx == NULL)
        return NULL;
    if (!(p >= 0 && p <= 1)) {
        rl_fail(cx, RILLE_ERROR_ARGUMENT, "dropout: p is %g; a probability from 0 to 1 expected",
                isnan(p) ? fabs(p) : p); /* a NaN prints its sign bit */
        return NULL;
    }
    const uint64_t first = rl_random_reserve(cx, rl_chunks((size_t)x->numel, 4));
    return dropped(x, &(rl_attributes){.dropout = {p, cx->options.seed, first}});
}

void rl_vjp_dropout(rl_node *node, rille_tensor *g, rille_tensor **gradient)
{
    gradient[0] = dropped(g, &node->attributes);
}
