/* Random tensors. Element i takes its words from Philox block first + i / (elements a block), so neither threads nor
 * chunks show in the result. */
#include "base/parallel.h"
#include "base/rng.h"
#include "tensor/tensor.h"

#include <math.h>

static const double TWO_PI = 6.283185307179586476925286766559;

typedef struct draw {
    uint64_t seed, first;
    void *out;
} draw;

static double unit_of_64(rl_random_block r, int i) /* 53 bits: [0, 1) */
{
    uint64_t w = (uint64_t)r.word[2 * i] << 32 | r.word[2 * i + 1];
    return (double)(w >> 11) * 0x1p-53;
}

static void uniform_float32(void *work, size_t begin, size_t end)
{
    const draw *d = work;
    for (size_t i = begin; i < end; i += 4) {
        rl_random_block r = rl_random(d->seed, d->first + i / 4);
        for (size_t k = 0; k < 4 && i + k < end; k++)
            ((float *)d->out)[i + k] = (float)(r.word[k] >> 8) * 0x1p-24f;
    }
}

static void uniform_float64(void *work, size_t begin, size_t end)
{
    const draw *d = work;
    for (size_t i = begin; i < end; i += 2) {
        rl_random_block r = rl_random(d->seed, d->first + i / 2);
        for (size_t k = 0; k < 2 && i + k < end; k++)
            ((double *)d->out)[i + k] = unit_of_64(r, (int)k);
    }
}

/* Box & Muller 1958: u in (0, 1], v in [0, 1) -> two independent standard normals. */
static void box_muller(double u, double v, double normal[2])
{
    double radius = sqrt(-2 * log(u));
    normal[0] = radius * cos(TWO_PI * v);
    normal[1] = radius * sin(TWO_PI * v);
}

static void normal_float32(void *work, size_t begin, size_t end)
{
    const draw *d = work;
    for (size_t i = begin; i < end; i += 4) {
        rl_random_block r = rl_random(d->seed, d->first + i / 4);
        double z[4];
        box_muller(((double)r.word[0] + 1) * 0x1p-32, (double)r.word[1] * 0x1p-32, z);
        box_muller(((double)r.word[2] + 1) * 0x1p-32, (double)r.word[3] * 0x1p-32, z + 2);
        for (size_t k = 0; k < 4 && i + k < end; k++)
            ((float *)d->out)[i + k] = (float)z[k];
    }
}

static void normal_float64(void *work, size_t begin, size_t end)
{
    const draw *d = work;
    for (size_t i = begin; i < end; i += 2) {
        rl_random_block r = rl_random(d->seed, d->first + i / 2);
        double z[2];
        box_muller(1 - unit_of_64(r, 0), unit_of_64(r, 1), z);
        for (size_t k = 0; k < 2 && i + k < end; k++)
            ((double *)d->out)[i + k] = z[k];
    }
}

static rille_tensor *drawn(rille_context *cx, const char *operation, rille_dtype dtype, int rank, const int64_t *shape,
                           rl_body *float32, rl_body *float64)
{
    if (cx == NULL)
        return NULL;
    if (!rl_is_floating(dtype)) {
        rl_fail(cx, RILLE_ERROR_DTYPE, "%s: dtype is %s; float32 or float64 expected", operation, rille_dtype_name(dtype));
        return NULL;
    }
    rille_tensor *t = rl_new(cx, operation, dtype, rank, shape);
    if (t == NULL)
        return NULL;
    bool wide = dtype == RILLE_FLOAT64;
    size_t n = (size_t)t->numel;
    draw d = {cx->options.seed, rl_random_reserve(cx, rl_chunks(n, wide ? 2 : 4)), rl_data(t)};
    if (rl_parallel_for(cx, operation, n, RL_GRAIN_HEAVY, wide ? float64 : float32, &d) == RILLE_OK)
        return t;
    rille_free(t);
    return NULL;
}

rille_tensor *rille_rand(rille_context *cx, rille_dtype dtype, int rank, const int64_t *shape)
{
    return drawn(cx, "rand", dtype, rank, shape, uniform_float32, uniform_float64);
}

rille_tensor *rille_randn(rille_context *cx, rille_dtype dtype, int rank, const int64_t *shape)
{
    return drawn(cx, "randn", dtype, rank, shape, normal_float32, normal_float64);
}

/* Fisher & Yates; the bias of taking the high half of a product is below n / 2^64. */
rille_tensor *rille_randperm(rille_context *cx, int64_t n)
{
    rille_tensor *t = rl_new(cx, "randperm", RILLE_INT64, 1, &n);
    if (t == NULL)
        return NULL;
    int64_t *p = (int64_t *)rl_data(t);
    uint64_t first = rl_random_reserve(cx, (uint64_t)n);
    for (int64_t i = 0; i < n; i++) {
        rl_random_block r = rl_random(cx->options.seed, first + (uint64_t)i);
        uint64_t w = (uint64_t)r.word[0] << 32 | r.word[1];
        int64_t j = (int64_t)((unsigned __int128)w * (uint64_t)(i + 1) >> 64); /* 0 ... i */
        p[i] = p[j];
        p[j] = i + cx->options.index_base;
    }
    return t;
}
