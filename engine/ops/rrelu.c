/* rrelu in training: a slope for each element, drawn from the context's stream. In evaluation, a row of activations.def. */
#include "ops/ops.h"

#include "base/parallel.h"
#include "base/rng.h"

#include <math.h>

typedef struct slopes {
    const void *x;
    void *slope; /* 1 where x > 0 */
    double lower, upper;
    uint64_t seed, first; /* the first block is for elements 0 to 3 of float32, 0 and 1 of float64 */
} slopes;

static double between(const slopes *s, double u) /* u in [0, 1) */
{
    return s->lower + (s->upper - s->lower) * u;
}

static void draw_float32(void *work, size_t begin, size_t end)
{
    const slopes *s = work;
    const float *x = s->x;
    for (size_t i = begin; i < end; i += 4) {
        const rl_random_block r = rl_random(s->seed, s->first + i / 4);
        for (size_t k = 0; k < 4 && i + k < end; k++)
            ((float *)s->slope)[i + k] = x[i + k] > 0 ? 1 : (float)between(s, r.word[k] * 0x1p-32);
    }
}

static void draw_float64(void *work, size_t begin, size_t end)
{
    const slopes *s = work;
    const double *x = s->x;
    for (size_t i = begin; i < end; i += 2) {
        const rl_random_block r = rl_random(s->seed, s->first + i / 2);
        for (size_t k = 0; k < 2 && i + k < end; k++) {
            const uint64_t bits = (uint64_t)r.word[2 * k] << 32 | r.word[2 * k + 1];
            ((double *)s->slope)[i + k] = x[i + k] > 0 ? 1 : between(s, (double)(bits >> 11) * 0x1p-53);
        }
    }
}

/* The slopes outlive the call in the product alone, whose gradient they are. */
rille_tensor *rille_rrelu_training(rille_tensor *x, double lower, double upper)
{
    rille_context *cx = rl_enter("rrelu_training", RL_LIST(x));
    if (cx == NULL)
        return NULL;
    if (!(lower <= upper) || !isfinite(upper - lower)) {
        rl_fail(cx, RILLE_ERROR_ARGUMENT,
                "rrelu_training: lower is %g, upper %g; two numbers with lower <= upper, a finite distance apart, expected",
                isnan(lower) ? fabs(lower) : lower, isnan(upper) ? fabs(upper) : upper); /* a NaN prints its sign bit */
        return NULL;
    }
    const rille_dtype dtype = rl_floating(x->dtype);
    rille_tensor *in = rl_dense_floating(x), *slope = in == NULL ? NULL : rl_new_like(x, dtype);
    if (slope != NULL) {
        const size_t n = (size_t)x->numel;
        const bool wide = dtype == RILLE_FLOAT64;
        const uint64_t first = rl_random_reserve(cx, rl_chunks(n, wide ? 2 : 4));
        slopes s = {rl_data(in), rl_data(slope), lower, upper, cx->options.seed, first};
        rl_body *draw = wide ? draw_float64 : draw_float32;
        slope = rl_completed(slope, rl_parallel_for(cx, "rrelu_training", n, RL_GRAIN_HEAVY, draw, &s));
    }
    rl_free_temporary(in, x);
    rille_tensor *out = rille_mul(x, slope);
    rille_free(slope);
    return out;
}
