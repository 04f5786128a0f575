/* rrelu in training: a slope for each element, drawn from the context's stream. In evaluation it is a row of activations.def. */
#include "ops/ops.h"

#include "base/parallel.h"
#include "base/rng.h"

#include <math.h>

typedef struct slopes {
    const char *x;
    char *slope;
    rille_dtype dtype;
    double lower, upper;
    uint64_t seed, first; /* element i takes block first + i / 2, half of it */
} slopes;

static double drawn(const slopes *s, uint64_t i)
{
    const rl_random_block r = rl_random(s->seed, s->first + i / 2);
    const uint64_t bits = (uint64_t)r.word[2 * (i % 2)] << 32 | r.word[2 * (i % 2) + 1];
    const double u = (double)(bits >> 11) * 0x1p-53; /* [0, 1) */
    return s->lower + (s->upper - s->lower) * u;
}

static void draw_slopes(void *work, size_t begin, size_t end) /* 1 where x > 0 */
{
    const slopes *s = work;
    for (size_t i = begin; i < end; i++) {
        if (s->dtype == RILLE_FLOAT32)
            ((float *)s->slope)[i] = ((const float *)s->x)[i] > 0 ? 1 : (float)drawn(s, i);
        else
            ((double *)s->slope)[i] = ((const double *)s->x)[i] > 0 ? 1 : drawn(s, i);
    }
}

/* The slopes outlive the call in the product alone, whose gradient they are. */
rille_tensor *rille_rrelu_training(rille_tensor *x, double lower, double upper)
{
    rille_context *cx = rl_enter("rrelu_training", RL_LIST(x));
    if (cx == NULL)
        return NULL;
    if (!(lower <= upper) || !isfinite(lower) || !isfinite(upper)) {
        rl_fail(cx, RILLE_ERROR_ARGUMENT, "rrelu_training: lower is %g, upper %g; two numbers with lower <= upper expected",
                lower, upper);
        return NULL;
    }
    const rille_dtype dtype = rl_floating(x->dtype);
    rille_tensor *in = rl_dense_floating(x), *slope = in == NULL ? NULL : rl_new_like(x, dtype);
    if (slope != NULL) {
        const size_t n = (size_t)x->numel;
        slopes s = {rl_data(in), rl_data(slope), dtype, lower, upper, cx->options.seed, rl_random_reserve(cx, rl_chunks(n, 2))};
        slope = rl_completed(slope, rl_parallel_for(cx, "rrelu_training", n, RL_GRAIN_HEAVY, draw_slopes, &s));
    }
    rl_free_temporary(in, x);
    rille_tensor *out = rille_mul(x, slope);
    rille_free(slope);
    return out;
}
