/* Activations with a set of parameters for each channel, over whole buffers, in parallel. */
#include "activations/map.h"

#include "base/parallel.h"

enum { BLOCK = 256 }; /* elements whose parameters are laid out at a time */

typedef struct learned_work {
    rl_column_kernel *kernel;
    rl_term term;
    int which, count; /* count: of the row's parameters */
    const rl_channels *parameters;
    rille_dtype dtype;
    const char *g, *x;
    char *z;
} learned_work;

/* column[i] = the parameter of element begin + i. */
static void lay_out(const rl_channels *p, const double *value, size_t begin, size_t count, double *column)
{
    size_t channel = begin / p->inner % p->channels, left = p->inner - begin % p->inner;
    for (size_t i = 0; i < count; left = p->inner) {
        const size_t run = left < count - i ? left : count - i;
        for (const size_t end = i + run; i < end; i++)
            column[i] = value[channel];
        channel = channel + 1 == p->channels ? 0 : channel + 1;
    }
}

static void do_learned(void *work, size_t begin, size_t end)
{
    const learned_work *w = work;
    const size_t size = rille_dtype_size(w->dtype);
    double room[RILLE_MAX_PARAMETERS][BLOCK];
    const double *column[RILLE_MAX_PARAMETERS];
    union {
        float float32[BLOCK];
        double float64[BLOCK];
    } ones;
    for (size_t i = 0; i < BLOCK; i++) {
        if (w->dtype == RILLE_FLOAT32)
            ones.float32[i] = 1;
        else
            ones.float64[i] = 1;
    }
    for (int k = 0; k < RILLE_MAX_PARAMETERS; k++)
        column[k] = room[k];
    for (size_t at = begin; at < end; at += BLOCK) {
        const size_t count = end - at < BLOCK ? end - at : BLOCK;
        for (int k = 0; k < w->count && (at == begin || w->parameters->channels > 1); k++)
            lay_out(w->parameters, w->parameters->value[k], at, at == begin ? BLOCK : count, room[k]);
        const void *g = w->g == NULL ? (const void *)&ones : w->g + at * size;
        w->kernel(count, w->term, w->which, g, w->x + at * size, w->z + at * size, column);
    }
}

rille_status rl_map_learned(rille_context *cx, rille_activation act, rl_term term, int which, const rl_channels *parameters,
                            rille_dtype dtype, size_t n, const void *g, const void *x, void *z)
{
    learned_work work = {
        .kernel = rl_activation_kernels_pick()->column[act][dtype],
        .term = term,
        .which = which,
        .count = rille_activation_describe(act)->parameter_count,
        .parameters = parameters,
        .dtype = dtype,
        .g = g,
        .x = x,
        .z = z,
    };
    return n == 0 ? RILLE_OK : rl_parallel_for(cx, rille_activation_describe(act)->name, n, RL_GRAIN_MEDIUM, do_learned, &work);
}
