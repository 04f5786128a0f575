/* Activations with a set of parameters for each channel, over whole buffers, in parallel. */
#include "activations/map.h"

#include "base/parallel.h"

#include <string.h>

enum { BLOCK = 256 }; /* elements whose parameters are laid out at a time */

typedef struct learned_work {
    rl_column_kernel *kernel;
    rl_map_kernel *map;         /* where the term is f, f' or f", those of an only set of parameters; */
    rl_product_kernel *product; /* else NULL */
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
    for (size_t i = 0; i < count;) {
        const size_t row = p->inner == 1 ? p->channels - channel : left; /* until the channels begin anew, or this one ends */
        const size_t n = row < count - i ? row : count - i;
        if (p->inner == 1) {
            memcpy(column + i, value + channel, n * sizeof *column);
        } else {
            const double same = value[channel];
            for (size_t k = i; k < i + n; k++)
                column[k] = same;
        }
        i += n;
        channel = p->inner == 1 || channel + 1 == p->channels ? 0 : channel + 1;
        left = p->inner;
    }
}

/* The channel that all elements of a block are of, or `channels` where they are of several. */
static size_t only_channel(const rl_channels *p, size_t begin, size_t count)
{
    return count <= p->inner - begin % p->inner ? begin / p->inner % p->channels : p->channels;
}

/* How many elements from this one on are of its channel. */
static size_t run_of(const rl_channels *p, size_t begin)
{
    return p->channels == 1 ? SIZE_MAX : p->inner - begin % p->inner;
}

/* count elements of one channel, as with numbers: what f needs of them is computed once. The bits are those of `kernel`. */
static void do_run(const learned_work *w, size_t at, size_t count)
{
    const size_t offset = at * rille_dtype_size(w->dtype), channel = at / w->parameters->inner % w->parameters->channels;
    double params[RILLE_MAX_PARAMETERS];
    for (int k = 0; k < w->count; k++)
        params[k] = w->parameters->value[k][channel];
    if (w->g == NULL)
        w->map(count, w->x + offset, w->z + offset, params);
    else
        w->product(count, w->g + offset, w->x + offset, w->z + offset, params);
}

static void do_learned(void *work, size_t begin, size_t end)
{
    const learned_work *w = work;
    const rl_channels *p = w->parameters;
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
    size_t laid_out = p->channels; /* the channel that fills the columns, if one does */
    for (size_t at = begin, count; at < end; at += count) {
        const size_t run = run_of(p, at);
        if (w->map != NULL && run >= BLOCK) {
            count = run < end - at ? run : end - at;
            do_run(w, at, count);
            continue;
        }
        count = end - at < BLOCK ? end - at : BLOCK;
        const size_t channel = only_channel(p, at, count);
        const bool again = channel < p->channels && channel == laid_out;
        for (int k = 0; k < w->count && !again; k++)
            lay_out(p, p->value[k], at, count, room[k]);
        laid_out = count == BLOCK ? channel : p->channels;
        const void *g = w->g == NULL ? (const void *)&ones : w->g + at * size;
        w->kernel(count, w->term, w->which, g, w->x + at * size, w->z + at * size, column);
    }
}

rille_status rl_map_learned(rille_context *cx, rille_activation act, rl_term term, int which, const rl_channels *parameters,
                            rille_dtype dtype, size_t n, const void *g, const void *x, void *z)
{
    const rl_activation_kernels *kernels = rl_activation_kernels_pick();
    const int order = term == RL_F ? 0 : term == RL_F_X ? 1 : 2;
    const bool by_x = term == RL_F || term == RL_F_X || term == RL_F_XX;
    learned_work work = {
        .kernel = kernels->column[act][dtype],
        .map = by_x ? kernels->map[act][dtype][order] : NULL,
        .product = by_x ? kernels->product[act][dtype][order] : NULL,
        .term = term,
        .which = which,
        .count = rille_activation_describe(act)->parameter_count,
        .parameters = parameters,
        .dtype = dtype,
        .g = term == RL_F ? NULL : g,
        .x = x,
        .z = z,
    };
    return n == 0 ? RILLE_OK : rl_parallel_for(cx, rille_activation_describe(act)->name, n, RL_GRAIN_MEDIUM, do_learned, &work);
}
