/* Convolutions as matrix products of single-threaded CBLAS tiles: windows are gathered into the columns of a matrix, a block of
 * them at a time, which stays in the cache. With the matrices of one image and one group, W [out, in kh kw],
 * X [in kh kw, positions] and Y [out, positions]:
 *
 *     Y = W X,   X = W^T Y, scattered back,   W = Y X^T summed over the images
 *
 * A kernel of one element that passes over each in turn needs no gathering: there X is the image itself. */
#include "ops/convolution.h"
#include "ops/convolution_kernels.h"

#include "base/memory.h"
#include "base/parallel.h"

#include <cblas.h>
#include <limits.h>
#include <string.h>

enum { BLOCK_ELEMENTS = 65536, LEAST_BLOCK = 128, MOST_BLOCK = 1024 }; /* of a matrix of columns; its columns */
enum { SLICE_ROWS = 512 };                                             /* rows of it where they are done by the slice */
enum { ENOUGH_UNITS = 16 };                                            /* that the work should be cut into, at least */
static const double WORTH_A_THREAD = 1 << 19;                          /* multiplications of a chunk */

typedef struct tiling {
    const rl_convolution *c;
    const rl_convolution_kernels *kernels;
    size_t item;
    int kernel; /* which of the kernels */
    bool direct;
    int64_t field, depth, positions; /* elements of a kernel's plane; of a kernel: in kh kw; windows */
    int64_t block, blocks;           /* windows done at a time */
    int64_t slice, slices;           /* channels in, done at a time */
    int64_t segment, segments;       /* images whose share of the weight is summed by one thread */
    char *columns, *partial;         /* scratch for each worker; weights of each segment, where there are several */
    size_t columns_bytes;            /* of one worker's */
} tiling;

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t divided(int64_t n, int64_t by) /* rounded up */
{
    return n / by + (n % by != 0);
}

/* Of n in pieces of `size` at most, as equal as can be: their size. n > 0. */
static int64_t evenly(int64_t n, int64_t size)
{
    return divided(n, divided(n, size));
}

static tiling plan(const rl_convolution *c, rl_part part)
{
    const rl_axis *y = &c->axis[RL_ROWS], *x = &c->axis[RL_COLUMNS];
    tiling t = {.c = c,
                .kernels = rl_convolution_kernels_pick(),
                .item = rille_dtype_size(c->dtype),
                .kernel = c->dtype == RILLE_FLOAT64,
                .field = y->kernel * x->kernel,
                .positions = y->out * x->out};
    t.depth = c->in * t.field;
    t.direct = t.field == 1 && y->stride == 1 && x->stride == 1 && y->padding == 0 && x->padding == 0;
    t.slice = part == RL_RESULT ? c->in : evenly(c->in, 1 + (SLICE_ROWS - 1) / t.field);
    t.slices = part == RL_RESULT ? 1 : divided(c->in, t.slice);
    const int64_t rows = t.slice * t.field, fits = BLOCK_ELEMENTS / (rows > 0 ? rows : 1);
    t.block = evenly(t.positions, fits < LEAST_BLOCK ? LEAST_BLOCK : smaller(fits, MOST_BLOCK));
    t.blocks = divided(t.positions, t.block);
    t.segment = divided(c->images, part == RL_WEIGHT ? divided(ENOUGH_UNITS, smaller(c->groups * t.slices, ENOUGH_UNITS)) : 1);
    t.segments = divided(c->images, t.segment);
    t.columns_bytes = t.direct ? 0 : (size_t)(rows * t.block) * t.item;
    return t;
}

/* ---- Pieces ---- */

typedef struct
    piece { /* of one image and one group: `n` windows from `first` on, `channels` of its channels in, from `channel` on */
    int64_t image, group, channel, channels, first, n;
} piece;

static piece piece_of(const tiling *t, int64_t image, int64_t group, int64_t slice, int64_t block)
{
    const int64_t channel = slice * t->slice, first = block * t->block;
    return (piece){
        image, group, channel, smaller(t->slice, t->c->in - channel), first, smaller(t->block, t->positions - first)};
}

static char *image_at(const tiling *t, const piece *p)
{
    const int64_t plane = t->c->axis[RL_ROWS].in * t->c->axis[RL_COLUMNS].in;
    const int64_t channel = (p->image * t->c->groups + p->group) * t->c->in + p->channel;
    return t->c->data[RL_INPUT] + (size_t)(channel * plane) * t->item;
}

static char *weight_at(const tiling *t, char *weight, const piece *p)
{
    return weight + (size_t)(p->group * t->c->out * t->depth + p->channel * t->field) * t->item;
}

static char *result_at(const tiling *t, const piece *p)
{
    return t->c->data[RL_RESULT] +
           (size_t)((p->image * t->c->groups + p->group) * t->c->out * t->positions + p->first) * t->item;
}

static rl_columns columns_of(const tiling *t, const piece *p)
{
    return (rl_columns){t->c->axis, p->channels, p->first, p->n};
}

static char *scratch(const tiling *t)
{
    return t->columns + rl_parallel_worker() * t->columns_bytes;
}

typedef struct matrix {
    char *data;
    int64_t leading;
    CBLAS_TRANSPOSE transposed;
} matrix;

/* X: the image where it is, or the windows gathered from it. */
static matrix gathered(const tiling *t, const piece *p)
{
    if (t->direct)
        return (matrix){image_at(t, p) + (size_t)p->first * t->item, t->positions, CblasNoTrans};
    const rl_columns c = columns_of(t, p);
    t->kernels->gather[t->kernel](&c, image_at(t, p), scratch(t));
    return (matrix){scratch(t), p->n, CblasNoTrans};
}

/* c = (add: +=) a b, [n, k] [k, m] */
static void multiply(const tiling *t, int64_t n, int64_t m, int64_t k, matrix a, matrix b, matrix c, bool add)
{
    if (t->kernel == 0)
        cblas_sgemm(CblasRowMajor, a.transposed, b.transposed, (int)n, (int)m, (int)k, 1, (const float *)a.data, (int)a.leading,
                    (const float *)b.data, (int)b.leading, add ? 1 : 0, (float *)c.data, (int)c.leading);
    else
        cblas_dgemm(CblasRowMajor, a.transposed, b.transposed, (int)n, (int)m, (int)k, 1, (const double *)a.data,
                    (int)a.leading, (const double *)b.data, (int)b.leading, add ? 1 : 0, (double *)c.data, (int)c.leading);
}

/* ---- Y = bias + W X: a unit is a block of the windows of one image and group ---- */

#define DEFINE_START(T)                                                                                                        \
    static void start_##T(int64_t rows, int64_t n, int64_t leading, const void *bias, void *y)                                 \
    {                                                                                                                          \
        for (int64_t i = 0; i < rows; i++)                                                                                     \
            for (int64_t k = 0; k < n; k++)                                                                                    \
                ((T *)y)[i * leading + k] = bias == NULL ? 0 : ((const T *)bias)[i];                                           \
    }
DEFINE_START(float)
DEFINE_START(double)

static void compute_results(void *work, size_t begin, size_t end)
{
    const tiling *t = work;
    const rl_convolution *c = t->c;
    const int saved = rl_parallel_library_begin();
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++) {
        const int64_t place = i / t->blocks;
        const piece p = piece_of(t, place / c->groups, place % c->groups, 0, i % t->blocks);
        const matrix y = {result_at(t, &p), t->positions, CblasNoTrans};
        const matrix w = {weight_at(t, c->data[RL_WEIGHT], &p), t->depth, CblasNoTrans};
        const char *bias = c->bias == NULL ? NULL : c->bias + (size_t)(p.group * c->out) * t->item;
        const bool add = bias != NULL || t->depth == 0;
        if (add)
            (t->kernel == 0 ? start_float : start_double)(c->out, p.n, t->positions, bias, y.data);
        if (t->depth > 0)
            multiply(t, c->out, p.n, t->depth, w, gathered(t, &p), y, add);
    }
    rl_parallel_library_end(saved);
}

/* ---- X = W^T Y, scattered: a unit is a slice of the channels of one image and group ---- */

static void compute_inputs(void *work, size_t begin, size_t end)
{
    const tiling *t = work;
    const rl_convolution *c = t->c;
    const int saved = rl_parallel_library_begin();
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++) {
        const int64_t place = i / t->slices;
        for (int64_t block = 0; block < t->blocks; block++) {
            const piece p = piece_of(t, place / c->groups, place % c->groups, i % t->slices, block);
            const int64_t rows = p.channels * t->field, plane = c->axis[RL_ROWS].in * c->axis[RL_COLUMNS].in;
            const matrix w = {weight_at(t, c->data[RL_WEIGHT], &p), t->depth, CblasTrans};
            const matrix y = {result_at(t, &p), t->positions, CblasNoTrans};
            if (t->direct) {
                multiply(t, rows, p.n, c->out, w, y, gathered(t, &p), false);
                continue;
            }
            const rl_columns columns = columns_of(t, &p);
            if (block == 0)
                memset(image_at(t, &p), 0, (size_t)(p.channels * plane) * t->item);
            multiply(t, rows, p.n, c->out, w, y, (matrix){scratch(t), p.n, CblasNoTrans}, false);
            t->kernels->scatter[t->kernel](&columns, image_at(t, &p), scratch(t));
        }
    }
    rl_parallel_library_end(saved);
}

/* ---- W = Y X^T: a unit is a slice of the channels of one group, in a segment of the images ---- */

static void compute_weights(void *work, size_t begin, size_t end)
{
    const tiling *t = work;
    const rl_convolution *c = t->c;
    const size_t weight_bytes = (size_t)(c->groups * c->out * t->depth) * t->item;
    const int saved = rl_parallel_library_begin();
    for (int64_t i = (int64_t)begin; i < (int64_t)end; i++) {
        const int64_t segment = i / t->slices / c->groups, first = segment * t->segment;
        char *into = t->segments == 1 ? c->data[RL_WEIGHT] : t->partial + (size_t)segment * weight_bytes;
        for (int64_t k = 0; k < smaller(t->segment, c->images - first) * t->blocks; k++) {
            const piece p = piece_of(t, first + k / t->blocks, i / t->slices % c->groups, i % t->slices, k % t->blocks);
            const matrix w = {weight_at(t, into, &p), t->depth, CblasNoTrans};
            const matrix y = {result_at(t, &p), t->positions, CblasNoTrans};
            matrix x = gathered(t, &p);
            x.transposed = CblasTrans;
            multiply(t, c->out, p.channels * t->field, p.n, y, x, w, k > 0);
        }
    }
    rl_parallel_library_end(saved);
}

#define DEFINE_FOLD(T)                                                                                                         \
    static void fold_##T(void *work, size_t begin, size_t end) /* the segments' weights, in their order */                     \
    {                                                                                                                          \
        const tiling *t = work;                                                                                                \
        const size_t n = (size_t)(t->c->groups * t->c->out * t->depth);                                                        \
        for (size_t i = begin; i < end; i++) {                                                                                 \
            double total = 0;                                                                                                  \
            for (size_t segment = 0; segment < (size_t)t->segments; segment++)                                                 \
                total += (double)((const T *)t->partial)[segment * n + i];                                                     \
            ((T *)t->c->data[RL_WEIGHT])[i] = (T)total;                                                                        \
        }                                                                                                                      \
    }
DEFINE_FOLD(float)
DEFINE_FOLD(double)

/* ---- All units ---- */

static rille_status run(rille_context *cx, tiling *t, size_t units, rl_body *body)
{
    const rl_convolution *c = t->c;
    const double all = (double)c->images * (double)c->groups * (double)c->out * (double)t->depth * (double)t->positions;
    const double cost = all / (double)units + 1;
    const size_t grain = cost >= WORTH_A_THREAD ? 1 : (size_t)(WORTH_A_THREAD / cost) + 1;
    t->columns_bytes = (t->columns_bytes + RL_ALIGNMENT - 1) / RL_ALIGNMENT * RL_ALIGNMENT;
    const size_t bytes = rl_parallel_workers(cx, units, grain) * t->columns_bytes;
    t->columns = bytes == 0 ? NULL : rl_allocate(cx, bytes);
    if (bytes > 0 && t->columns == NULL)
        return RILLE_ERROR_MEMORY;
    rl_profile_next(cx, NULL, 2 * (double)(c->images * c->groups * c->out) * (double)t->positions * (double)t->depth, 0);
    const rille_status status = rl_parallel_for(cx, c->name, units, grain, body, t);
    rl_release(cx, t->columns, bytes);
    return status;
}

static rille_status run_weights(rille_context *cx, tiling *t)
{
    const size_t n = (size_t)(t->c->groups * t->c->out * t->depth), units = (size_t)(t->c->groups * t->slices * t->segments);
    if (t->segments == 1)
        return run(cx, t, units, compute_weights);
    const size_t bytes = (size_t)t->segments * n * t->item;
    t->partial = rl_allocate(cx, bytes);
    rille_status status = t->partial == NULL ? RILLE_ERROR_MEMORY : run(cx, t, units, compute_weights);
    if (status == RILLE_OK)
        status = rl_parallel_for(cx, t->c->name, n, RL_GRAIN_HEAVY, t->kernel == 0 ? fold_float : fold_double, t);
    rl_release(cx, t->partial, bytes);
    return status;
}

static size_t bytes_of(const rl_convolution *c, rl_part part)
{
    const rl_axis *y = &c->axis[RL_ROWS], *x = &c->axis[RL_COLUMNS];
    const int64_t elements[] = {c->images * c->groups * c->in * y->in * x->in,
                                c->groups * c->out * c->in * y->kernel * x->kernel,
                                c->images * c->groups * c->out * y->out * x->out};
    return (size_t)elements[part] * rille_dtype_size(c->dtype);
}

rille_status rl_convolve(rille_context *cx, const rl_convolution *c, rl_part part)
{
    const size_t bytes = bytes_of(c, part);
    if (bytes == 0)
        return RILLE_OK;
    if (part != RL_RESULT && (c->images == 0 || c->out == 0)) {
        memset(c->data[part], 0, bytes);
        return RILLE_OK;
    }
    tiling t = plan(c, part);
    if (t.depth > INT_MAX || t.positions > INT_MAX || c->out > INT_MAX)
        return rl_fail(cx, RILLE_ERROR_SHAPE, "%s: a dimension is past %d", c->name, INT_MAX);
    if (part == RL_WEIGHT)
        return run_weights(cx, &t);
    const int64_t units = c->images * c->groups * (part == RL_RESULT ? t.blocks : t.slices);
    return run(cx, &t, (size_t)units, part == RL_RESULT ? compute_results : compute_inputs);
}
