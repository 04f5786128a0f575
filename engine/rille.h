/* rille.h: tensors, every activation with its gradients, autograd and gradient flow.
 *
 * TUTORIAL. How steep is tanh(w x) in w, at x = 2, w = 0.5?
 *
 *     #include <rille.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         rille_context *cx = rille_open(NULL);              // all state lives in a context; NULL: defaults
 *         rille_scope_push(cx);                              // what is made from here on ...
 *
 *         rille_tensor *x = rille_scalar(cx, RILLE_FLOAT64, 2.0);
 *         rille_tensor *w = rille_scalar(cx, RILLE_FLOAT64, 0.5);
 *         rille_set_requires_grad(w, true);                  // operations on w are recorded from now on
 *
 *         rille_tensor *y = rille_tanh(rille_mul(w, x));     // y = tanh(w x)
 *         rille_backward(y, NULL);                           // dy/dw is added to w's gradient
 *         if (rille_error(cx))                               // one check for the whole chain
 *             fprintf(stderr, "%s\n", rille_error(cx));
 *         else
 *             printf("%.15g\n", rille_item(rille_gradient(w)));   // x (1 - tanh^2(w x)) = 0.839948683228052
 *
 *         rille_scope_pop(cx);                               // ... is freed here
 *         rille_close(cx);
 *         return 0;
 *     }
 *
 * ERRORS. Nothing here aborts, exits, prints or installs a signal handler. A function that makes a tensor returns NULL
 * where it fails, others a rille_status; rille_error(cx) then says what was wrong, with both shapes and the operation's
 * name. A NULL tensor as an input gives NULL out (or RILLE_ERROR_NULL) and keeps the first message, so a chain of calls
 * is checked once, at its end. The message stays until rille_clear_error.
 *
 * OWNERSHIP. A tensor that a function returns belongs to the innermost open scope; the context itself is the outermost.
 * rille_scope_pop frees what its scope owns, rille_keep hands a tensor to the context, rille_free ends it early and
 * rille_close ends everything. What autograd still needs of a freed tensor lives on inside the graph.
 *
 * THREADS. A context is used by one thread at a time; different contexts are independent. An operation may itself use up
 * to rille_threads(cx) OpenMP threads; its result is the same, bit for bit, for any number of them. Only rille_cancel may
 * be called from elsewhere (another thread, a signal handler) while an operation runs. A forked child may go on using a
 * context; its operations then run on one thread.
 *
 * SHAPES. Rank is 0 to RILLE_MAX_RANK. Dimensions count from 0, negative ones from the end (-1 is the last). Operands of
 * different shapes broadcast as NumPy's do: aligned at the last dimension, where a 1 (or nothing) stretches. A result's
 * dtype is that of the higher operand: bool < uint8 < int64 < float32 < float64. Any layout of strides is accepted.
 */
#ifndef RILLE_H
#define RILLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RILLE_VERSION "0.1.0"
#define RILLE_MAX_RANK 8

#if defined(__GNUC__)
#define RILLE_API __attribute__((visibility("default")))
#else
#define RILLE_API
#endif

typedef struct rille_context rille_context;
typedef struct rille_tensor rille_tensor;

typedef enum rille_status {
    RILLE_OK = 0,
    RILLE_ERROR_NULL,      /* an input was NULL: an earlier call failed */
    RILLE_ERROR_ARGUMENT,  /* a value outside its range, an unknown name */
    RILLE_ERROR_SHAPE,     /* shapes that do not fit each other or the operation */
    RILLE_ERROR_DTYPE,     /* a dtype that the operation does not take */
    RILLE_ERROR_INDEX,     /* an index or a label out of range */
    RILLE_ERROR_MEMORY,    /* the allocator, or the context's limit, said no */
    RILLE_ERROR_GRAPH,     /* backward where there is no graph, or no graph any more */
    RILLE_ERROR_IO,        /* a file that cannot be read, or holds something else */
    RILLE_ERROR_CANCELLED, /* rille_cancel was called */
    RILLE_ERROR_CALLBACK,  /* a function that the caller passed in failed */
    RILLE_ERROR_NONFINITE  /* in anomaly mode: a NaN or an infinity was made */
} rille_status;

typedef enum rille_dtype { RILLE_FLOAT32, RILLE_FLOAT64, RILLE_INT64, RILLE_UINT8, RILLE_BOOL } rille_dtype;

#include "rille_activations.h" /* rille_activation, RILLE_TANH ..., rille_tanh(x) ..., rille_gate, rille_glu(x, dim) ...: made from activations.def and gates.def */

/* ---- Context ---------------------------------------------------------------------------------------------------- */

typedef struct rille_options {
    void *(*allocate)(void *user, size_t bytes); /* 64-byte aligned, or NULL where there is none left; NULL: aligned_alloc */
    void (*release)(void *user, void *block, size_t bytes); /* ends a block that allocate gave; NULL: free */
    void *user;                                              /* passed to both */
    size_t memory_limit; /* bytes that the context may hold at once, its pool included; 0: no limit */
    int threads;         /* the most OpenMP threads an operation may use; 0: OMP_NUM_THREADS, or all cores */
    int index_base;      /* 0 or 1: how indices and class labels count, in tensors and in messages */
    uint64_t seed;       /* of the random numbers */
} rille_options;

typedef struct rille_memory {
    size_t current;            /* bytes in tensors and graphs now */
    size_t peak;               /* the most that `current` has been */
    size_t pooled;             /* bytes freed and kept for reuse */
    size_t limit;              /* as given; 0: none */
    size_t system_allocations; /* calls of the allocator so far */
} rille_memory;

RILLE_API const char *rille_version(void);                         /* RILLE_VERSION of the library that is loaded */
RILLE_API const char *rille_isa(void);                             /* the instruction set in use: the best that the CPU has, or the one that RILLE_ISA= names; "v4", "v3", "v2", "aarch64", "generic" */
RILLE_API const char *rille_isa_refused(void);                     /* NULL, or, where RILLE_ISA= names a set that cannot be had, a sentence that says so and which is in use instead */
RILLE_API const char *rille_isa_name(int i);                       /* the sets in the library, best first, i from 0; NULL past the last */
RILLE_API bool rille_isa_runs(int i);                              /* does the CPU have that set? */
RILLE_API const char *rille_blas(void);                            /* the library of matrix products, its version and how it was built: "OpenBLAS 0.3.21 ... SkylakeX MAX_THREADS=64" */
RILLE_API const char *rille_blas_core(void);                       /* the processor whose kernels it uses: "SkylakeX" */
RILLE_API const char *rille_blas_better_core(void);                /* NULL, or, where it does not know this processor and uses kernels that are several times slower than it could: what OPENBLAS_CORETYPE= should say in the environment of a new process. NULL where that is set, to anything */
RILLE_API rille_context *rille_open(const rille_options *options); /* NULL options: defaults; NULL where memory is out or an option is not in range */
RILLE_API void rille_close(rille_context *cx);                     /* frees every tensor of the context; NULL is allowed */
RILLE_API const char *rille_error(const rille_context *cx);        /* the first error's message, or NULL where there is none */
RILLE_API rille_status rille_error_status(const rille_context *cx); /* its kind, or RILLE_OK */
RILLE_API void rille_clear_error(rille_context *cx);
RILLE_API void rille_cancel(rille_context *cx);        /* from any thread: the running operation, or the next one, fails with RILLE_ERROR_CANCELLED */
RILLE_API int rille_threads(const rille_context *cx);  /* the most threads an operation may use */
RILLE_API rille_status rille_set_threads(rille_context *cx, int threads); /* 1 to 1024 */
RILLE_API rille_memory rille_memory_usage(const rille_context *cx);
RILLE_API void rille_set_memory_limit(rille_context *cx, size_t bytes); /* as rille_options.memory_limit, from now on; may be below what is in use: then nothing more is given out */
RILLE_API void rille_memory_trim(rille_context *cx);   /* gives the pool back to the allocator */
RILLE_API void rille_manual_seed(rille_context *cx, uint64_t seed); /* restarts the random numbers at the seed's stream */
typedef struct rille_random_state { /* where the random numbers are: which stream, and how far */
    uint64_t seed, counter;
} rille_random_state;
RILLE_API rille_random_state rille_get_random_state(const rille_context *cx);
RILLE_API void rille_set_random_state(rille_context *cx, rille_random_state state); /* goes on from there */

typedef struct rille_profile_row { /* what one operation did while a profile was taken, forward or backward */
    const char *operation;
    bool backward;       /* in a backward or a grad */
    int64_t calls;       /* pieces of work, each of which threads may share; an operation may have several */
    double seconds;      /* in them, on the clock */
    double flops, bytes; /* floating-point operations of products; bytes read and written by what does little else; 0: not known */
} rille_profile_row;
#define RILLE_MAX_PROFILE_ROWS 128
RILLE_API rille_status rille_profile_start(rille_context *cx); /* from now on, until: */
RILLE_API int rille_profile_stop(rille_context *cx, const rille_profile_row **rows, double *seconds); /* how many rows, in the order in which operations came; they live until the next start. *seconds: since the start. NULL: not wanted */

RILLE_API void rille_scope_push(rille_context *cx);    /* tensors made from now on belong to a new scope */
RILLE_API void rille_scope_pop(rille_context *cx);     /* frees them, but for those that rille_keep took out */
RILLE_API rille_tensor *rille_keep(rille_tensor *t);   /* hands t from its scope to the context; returns t */
RILLE_API void rille_free(rille_tensor *t);            /* ends t before its scope does; NULL is allowed */

/* ---- Activations on raw buffers: no tensors needed --------------------------------------------------------------- */

/* params: the row's parameters in order, NULL for its defaults. In place (y == x, dx == dy) is allowed. n may be 0. */
RILLE_API rille_activation rille_activation_find(const char *name); /* "tanh" -> RILLE_TANH; < 0 where there is none */
RILLE_API rille_status rille_map(rille_context *cx, rille_activation act, const double *params, int order, rille_dtype dtype,
                                 size_t n, const void *x, void *y); /* y = f(x), f'(x) or f"(x): order 0, 1, 2 */
RILLE_API rille_status rille_map_backward(rille_context *cx, rille_activation act, const double *params, rille_dtype dtype,
                                          size_t n, const void *x, const void *dy, void *dx); /* dx = dy f'(x) */

/* ---- What is known of each activation ---------------------------------------------------------------------------- */

#define RILLE_MAX_PARAMETERS 4
#define RILLE_MAX_KINKS 4

typedef struct rille_parameter {
    const char *name;
    double initial;   /* the default */
    double low, high; /* allowed: low <= value <= high, not NaN */
    bool learnable;   /* rille_activate_with takes a tensor for it */
} rille_parameter;

typedef struct rille_activation_info {
    const char *name;    /* "leaky_relu" */
    const char *formula; /* f in C's grammar over x and the parameters: "x > 0 ? x : negative_slope * x" */
    const char *source;  /* who published it */
    int parameter_count;
    rille_parameter parameter[RILLE_MAX_PARAMETERS];
} rille_activation_info;

typedef struct rille_activation_properties { /* at given parameters */
    double low, high;              /* f's range: infimum and supremum */
    bool monotonic;                /* f never decreases */
    int smoothness;                /* 0: f' jumps; 1: f" jumps; ...; RILLE_SMOOTH: infinitely differentiable; -1: f jumps */
    bool zero_centred;             /* f(0) = 0 and f takes both signs */
    int kink_count;                /* where f, f' or f" jumps; the row says which value holds there */
    double kink[RILLE_MAX_KINKS];
} rille_activation_properties;
#define RILLE_SMOOTH 1000

RILLE_API const rille_activation_info *rille_activation_describe(rille_activation act); /* NULL where there is none such */
RILLE_API rille_status rille_activation_evaluate(rille_context *cx, rille_activation act, const double *params,
                                                 rille_activation_properties *properties);
typedef struct rille_gate_info { /* of a gated activation: a f(b), a and b the first and the second half of x */
    const char *name;            /* "glu" */
    rille_activation activation; /* f, at its default parameters */
    const char *formula, *source;
} rille_gate_info;
RILLE_API const rille_gate_info *rille_gate_describe(rille_gate gate); /* NULL where there is none such */
RILLE_API const char *rille_activation_nearest(const char *name); /* the row whose name is closest to a misspelt one */

/* ---- Making tensors ---------------------------------------------------------------------------------------------- */

RILLE_API rille_tensor *rille_from(rille_context *cx, rille_dtype dtype, int rank, const int64_t *shape, const void *data); /* copies row-major data */
RILLE_API rille_tensor *rille_empty(rille_context *cx, rille_dtype dtype, int rank, const int64_t *shape); /* elements undefined: for the caller to fill */
RILLE_API rille_tensor *rille_full(rille_context *cx, rille_dtype dtype, int rank, const int64_t *shape, double value);
RILLE_API rille_tensor *rille_zeros(rille_context *cx, rille_dtype dtype, int rank, const int64_t *shape);
RILLE_API rille_tensor *rille_scalar(rille_context *cx, rille_dtype dtype, double value); /* rank 0 */
RILLE_API rille_tensor *rille_arange(rille_context *cx, rille_dtype dtype, double start, double end, double step); /* start + i step, before `end`: [ceil((end - start) / step)] */
RILLE_API rille_tensor *rille_linspace(rille_context *cx, rille_dtype dtype, double start, double end, int64_t count); /* [count], both ends included */
RILLE_API rille_tensor *rille_eye(rille_context *cx, rille_dtype dtype, int64_t n); /* [n, n] identity */
RILLE_API rille_tensor *rille_rand(rille_context *cx, rille_dtype dtype, int rank, const int64_t *shape);  /* uniform in [0, 1) */
RILLE_API rille_tensor *rille_randn(rille_context *cx, rille_dtype dtype, int rank, const int64_t *shape); /* standard normal */
RILLE_API rille_tensor *rille_randperm(rille_context *cx, int64_t n); /* int64 [n]: a permutation of index_base ... n - 1 + index_base */

/* ---- Looking at tensors ------------------------------------------------------------------------------------------ */

RILLE_API rille_context *rille_context_of(const rille_tensor *t);
RILLE_API rille_dtype rille_dtype_of(const rille_tensor *t);
RILLE_API int rille_rank(const rille_tensor *t);
RILLE_API const int64_t *rille_shape(const rille_tensor *t);   /* rille_rank(t) sizes, valid while t lives */
RILLE_API const int64_t *rille_strides(const rille_tensor *t); /* in elements */
RILLE_API int64_t rille_numel(const rille_tensor *t);          /* product of the shape */
RILLE_API bool rille_is_contiguous(const rille_tensor *t);     /* row-major without gaps */
RILLE_API void *rille_data(rille_tensor *t);                   /* first element; a caller that writes through it calls rille_touch */
RILLE_API void rille_touch(rille_tensor *t);                   /* t's elements were written: graphs that saved them must not use them */
RILLE_API double rille_item(const rille_tensor *t);            /* the one element; NaN, and an error, where there is not exactly one */
RILLE_API rille_status rille_copy_out(const rille_tensor *t, rille_dtype dtype, void *buffer); /* rille_numel(t) elements, row-major, converted */
RILLE_API size_t rille_print(const rille_tensor *t, char *buffer, size_t size); /* as snprintf: the length that the whole text has */
RILLE_API const char *rille_dtype_name(rille_dtype dtype);     /* "float32" */
RILLE_API size_t rille_dtype_size(rille_dtype dtype);          /* bytes an element */

/* ---- Views: new tensors over the same elements, no copy ----------------------------------------------------------- */

RILLE_API rille_tensor *rille_reshape(rille_tensor *t, int rank, const int64_t *shape); /* one size may be -1: inferred; copies where strides forbid a view */
RILLE_API rille_tensor *rille_permute(rille_tensor *t, const int *dims);                /* dimension i of the result is dims[i] of t */
RILLE_API rille_tensor *rille_transpose(rille_tensor *t, int dim1, int dim2);
RILLE_API rille_tensor *rille_narrow(rille_tensor *t, int dim, int64_t start, int64_t length); /* start .. start + length - 1, counted from 0 */
RILLE_API rille_tensor *rille_select(rille_tensor *t, int dim, int64_t index);          /* drops `dim`; index counted from 0 */
RILLE_API rille_tensor *rille_slice(rille_tensor *t, int dim, int64_t start, int64_t length, int64_t step); /* start, start + step, ..., `length` of them, counted from 0; step may be negative */
RILLE_API rille_tensor *rille_flip(rille_tensor *t, const int *dims, int count);        /* the order along each of dims reversed */
RILLE_API rille_tensor *rille_unfold(rille_tensor *t, int dim, int64_t size, int64_t step); /* windows of `size`, `step` apart: [..., n, ...] -> [..., (n - size) / step + 1, ..., size] */
RILLE_API rille_tensor *rille_diagonal(rille_tensor *t, int64_t offset, int dim1, int dim2); /* the elements whose index along dim2 is that along dim1 + offset, as a new last dimension instead of these two */
RILLE_API rille_tensor *rille_expand(rille_tensor *t, int rank, const int64_t *shape);  /* broadcast to shape; -1 keeps a size */
RILLE_API rille_tensor *rille_squeeze(rille_tensor *t, const int *dims, int count);    /* without those of `dims` (NULL: all) that have size 1 */
RILLE_API rille_tensor *rille_unsqueeze(rille_tensor *t, int dim);                      /* with a new dimension of size 1 there; -1: after the last */
RILLE_API rille_tensor *rille_flatten(rille_tensor *t, int first, int last);            /* dimensions first ... last as one; as reshape, a copy where strides forbid a view */
RILLE_API rille_tensor *rille_detach(rille_tensor *t);                                  /* the same elements, outside the graph */

/* Parts of t along dim, views, into a list that the caller has; where one fails none is made. */
RILLE_API rille_status rille_split(rille_tensor *t, int count, const int64_t *sizes, int dim, rille_tensor **parts); /* sizes add up to t's along dim */
RILLE_API int rille_chunk(rille_tensor *t, int chunks, int dim, rille_tensor **parts);   /* of ceil(size / chunks), the last one smaller; how many there are: perhaps fewer than `chunks`. 0 where it fails */
RILLE_API rille_status rille_unbind(rille_tensor *t, int dim, rille_tensor **parts);     /* parts[i] = select(t, dim, i), as many as t's size along dim */
RILLE_API rille_status rille_meshgrid(rille_tensor *const *t, int count, rille_tensor **grids); /* t[i] of shape [n_i] -> grids[i] of shape [n_0, n_1, ...], which varies along dimension i only */

/* ---- Copies ------------------------------------------------------------------------------------------------------ */

RILLE_API rille_tensor *rille_contiguous(rille_tensor *t); /* t's elements row-major: a view of t where they are already */
RILLE_API rille_tensor *rille_clone(rille_tensor *t);
RILLE_API rille_tensor *rille_to(rille_tensor *t, rille_dtype dtype); /* float to integer: towards zero, NaN and out of range to the nearest representable (NaN: 0) */
RILLE_API rille_status rille_copy(rille_tensor *into, rille_tensor *from); /* into[...] = from, broadcast and converted, in place; not recorded */
RILLE_API rille_tensor *rille_cat(rille_tensor *const *t, int count, int dim);   /* joined along dim: [n, ...] [m, ...] -> [n + m, ...] */
RILLE_API rille_tensor *rille_stack(rille_tensor *const *t, int count, int dim); /* `count` of one shape -> a new dimension of that size, there; -1: after the last */
RILLE_API rille_tensor *rille_tile(rille_tensor *t, int count, const int64_t *repeats); /* t again and again: repeats[i] times along the i-th of the last `count` dimensions, new ones in front of t's where it has fewer */
RILLE_API rille_tensor *rille_roll(rille_tensor *t, int64_t shift, int dim);      /* element i along dim goes to i + shift, past the end to the beginning */
RILLE_API rille_tensor *rille_pad(rille_tensor *t, const int64_t *before, const int64_t *after, double value); /* value put in front of and behind each of t's dimensions; negative: that many are cut off */
RILLE_API rille_tensor *rille_diag_embed(rille_tensor *t, int64_t offset);         /* [..., n] -> [..., n + |offset|, n + |offset|] with t on that diagonal, else 0 */
RILLE_API rille_tensor *rille_diag(rille_tensor *t, int64_t offset);               /* of a vector diag_embed, of a matrix diagonal */
RILLE_API rille_tensor *rille_triu(rille_tensor *t, int64_t diagonal);             /* of the matrices [..., n, m] the elements with column - row >= diagonal, else 0 */
RILLE_API rille_tensor *rille_tril(rille_tensor *t, int64_t diagonal);             /* column - row <= diagonal */

/* ---- Picking and putting: indices are int64 and count from index_base ---------------------------------------------- */

RILLE_API rille_tensor *rille_index_select(rille_tensor *t, int dim, rille_tensor *index); /* int64 [k] of t's indices along dim -> dim becomes k */
/* index has t's rank, and no size beyond t's but along dim. For dim 0 of a matrix: */
RILLE_API rille_tensor *rille_gather(rille_tensor *t, int dim, rille_tensor *index); /* y[i, j] = t[index[i, j], j]: index's shape */
/* source is broadcast to index's shape, and may be larger. The dtype is the higher one of t's and source's (scatter_add: int64 at least). */
RILLE_API rille_tensor *rille_scatter(rille_tensor *t, int dim, rille_tensor *index, rille_tensor *source); /* t, but y[index[i, j], j] = source[i, j]; the last i of several wins, and has the gradient */
RILLE_API rille_tensor *rille_scatter_add(rille_tensor *t, int dim, rille_tensor *index, rille_tensor *source); /* t, but y[index[i, j], j] += source[i, j]; float64 accumulation */
RILLE_API rille_tensor *rille_masked_select(rille_tensor *t, rille_tensor *mask);    /* the elements where mask is not 0, row-major: [k]; both broadcast */
RILLE_API rille_tensor *rille_masked_fill(rille_tensor *t, rille_tensor *mask, rille_tensor *value); /* value, of one element and converted to t's dtype, where mask is not 0, else t; t and mask broadcast */
RILLE_API rille_tensor *rille_one_hot(rille_tensor *labels, int64_t classes);        /* int64 [...] -> int64 [..., classes]: 1 at the label, else 0 */
/* t at index[0], index[1], ..., as NumPy has it: NULL stands for a whole dimension, int64 of any shape picks along one (negative
 * from the end, where they are below index_base), bool of k dimensions takes k of t's, those of its shape. Several pick together,
 * broadcast against each other; their shape stands where they stood, or first where a NULL is between them. */
RILLE_API rille_tensor *rille_index(rille_tensor *t, int count, rille_tensor *const *index);
RILLE_API rille_status rille_index_put(rille_tensor *t, int count, rille_tensor *const *index, rille_tensor *values); /* t[index ...] = values, broadcast and converted, in place; the last of several wins; not recorded */
RILLE_API rille_tensor *rille_embedding(rille_tensor *index, rille_tensor *weight); /* rows of weight [n, d]: int64 [...] from index_base -> [..., d] */

/* ---- Arithmetic: elementwise, broadcasting ------------------------------------------------------------------------ */

RILLE_API rille_tensor *rille_add(rille_tensor *a, rille_tensor *b); /* a + b */
RILLE_API rille_tensor *rille_sub(rille_tensor *a, rille_tensor *b); /* a - b */
RILLE_API rille_tensor *rille_mul(rille_tensor *a, rille_tensor *b); /* a b */
RILLE_API rille_tensor *rille_div(rille_tensor *a, rille_tensor *b); /* a / b; integers give float32 */
RILLE_API rille_tensor *rille_pow(rille_tensor *a, rille_tensor *b); /* a^b; integers give float32 */
RILLE_API rille_tensor *rille_neg(rille_tensor *a);                  /* -a */
RILLE_API rille_tensor *rille_abs(rille_tensor *a);                  /* |a|; its derivative at 0 is 0 */
RILLE_API rille_tensor *rille_sign(rille_tensor *a);                 /* -1, 0 or 1; NaN where a is */
RILLE_API rille_tensor *rille_floor(rille_tensor *a);                /* the integer below; derivative 0, as that of the next three */
RILLE_API rille_tensor *rille_ceil(rille_tensor *a);                 /* above */
RILLE_API rille_tensor *rille_round(rille_tensor *a);                /* nearest, the even one of two */
RILLE_API rille_tensor *rille_trunc(rille_tensor *a);                /* towards 0 */
RILLE_API rille_tensor *rille_remainder(rille_tensor *a, rille_tensor *b); /* a - floor(a / b) b, of b's sign; b = 0 gives NaN, for integers 0 */
RILLE_API rille_tensor *rille_minimum(rille_tensor *a, rille_tensor *b);   /* NaN where either is; the gradient is shared by equals */
RILLE_API rille_tensor *rille_maximum(rille_tensor *a, rille_tensor *b);
RILLE_API rille_tensor *rille_clamp(rille_tensor *a, double low, double high); /* min(max(a, low), high); low <= high, infinite where there is none */
RILLE_API rille_tensor *rille_where(rille_tensor *condition, rille_tensor *a, rille_tensor *b); /* a where condition is not 0, else b; all three broadcast */

/* Of integers these give float32. The sine, the arc tangent and others are activations. */
RILLE_API rille_tensor *rille_exp(rille_tensor *a);   /* e^a */
RILLE_API rille_tensor *rille_expm1(rille_tensor *a); /* e^a - 1 */
RILLE_API rille_tensor *rille_log(rille_tensor *a);   /* natural; log 0 = -Inf, log of negatives NaN */
RILLE_API rille_tensor *rille_log1p(rille_tensor *a); /* log(1 + a) */
RILLE_API rille_tensor *rille_log2(rille_tensor *a);
RILLE_API rille_tensor *rille_log10(rille_tensor *a);
RILLE_API rille_tensor *rille_sqrt(rille_tensor *a);
RILLE_API rille_tensor *rille_cos(rille_tensor *a);
RILLE_API rille_tensor *rille_tan(rille_tensor *a);
RILLE_API rille_tensor *rille_asin(rille_tensor *a);  /* NaN where |a| > 1 */
RILLE_API rille_tensor *rille_acos(rille_tensor *a);
RILLE_API rille_tensor *rille_sinh(rille_tensor *a);
RILLE_API rille_tensor *rille_cosh(rille_tensor *a);

RILLE_API rille_tensor *rille_equal(rille_tensor *a, rille_tensor *b);         /* a == b, bool; no gradient, like all comparisons */
RILLE_API rille_tensor *rille_not_equal(rille_tensor *a, rille_tensor *b);     /* a != b */
RILLE_API rille_tensor *rille_less(rille_tensor *a, rille_tensor *b);          /* a < b */
RILLE_API rille_tensor *rille_less_equal(rille_tensor *a, rille_tensor *b);    /* a <= b */
RILLE_API rille_tensor *rille_greater(rille_tensor *a, rille_tensor *b);       /* a > b */
RILLE_API rille_tensor *rille_greater_equal(rille_tensor *a, rille_tensor *b); /* a >= b */

/* ---- Reductions: over `count` dimensions, or all where dims is NULL; keepdim leaves them as size 1 ----------------- */

RILLE_API rille_tensor *rille_sum(rille_tensor *t, const int *dims, int count, bool keepdim);  /* float64 accumulation; bool and integers give int64 */
RILLE_API rille_tensor *rille_mean(rille_tensor *t, const int *dims, int count, bool keepdim); /* sum / number of elements; integers give float32 */
RILLE_API rille_tensor *rille_prod(rille_tensor *t, const int *dims, int count, bool keepdim); /* in float64; bool and integers give int64, which wraps around */
RILLE_API rille_tensor *rille_var(rille_tensor *t, const int *dims, int count, double correction, bool keepdim); /* sum (t - mean)^2 / max(n - correction, 0), in two passes of float64; correction 1: unbiased, 0: the population's; integers give float32 */
RILLE_API rille_tensor *rille_std(rille_tensor *t, const int *dims, int count, double correction, bool keepdim); /* its root; gradient 0 where it is 0 */
RILLE_API rille_tensor *rille_norm(rille_tensor *t, double p, const int *dims, int count, bool keepdim); /* (sum |t|^p)^(1/p); p = 0: how many are not 0; p = HUGE_VAL: the largest |t|, -HUGE_VAL: the smallest. No power over- or underflows but with the norm itself. Gradient 0 where the norm is 0 (and, for p < 1, where t is), shared by equals of infinite p; integers give float32 */
RILLE_API rille_tensor *rille_logsumexp(rille_tensor *t, const int *dims, int count, bool keepdim); /* log sum e^t, by the largest; of -Inf alone -Inf, with gradient NaN; integers give float32 */
RILLE_API rille_tensor *rille_amax(rille_tensor *t, const int *dims, int count, bool keepdim); /* the largest; NaN wins; the gradient is shared by equals */
RILLE_API rille_tensor *rille_amin(rille_tensor *t, const int *dims, int count, bool keepdim); /* the smallest; else as amax */
RILLE_API rille_tensor *rille_any(rille_tensor *t, const int *dims, int count, bool keepdim); /* bool: is one not 0? NaN is not; of nothing false */
RILLE_API rille_tensor *rille_all(rille_tensor *t, const int *dims, int count, bool keepdim); /* bool: is none 0? Of nothing true */
RILLE_API rille_tensor *rille_cumsum(rille_tensor *t, int dim);  /* sums of the elements along dim up to each; float64 inside; bool and integers give int64 */
RILLE_API rille_tensor *rille_cumprod(rille_tensor *t, int dim); /* products likewise */
RILLE_API rille_tensor *rille_max(rille_tensor *t, int dim, bool keepdim);    /* the largest along dim; NaN wins; gradient to the first of equals */
RILLE_API rille_tensor *rille_min(rille_tensor *t, int dim, bool keepdim);    /* the smallest; else as max */
RILLE_API rille_tensor *rille_argmax(rille_tensor *t, int dim, bool keepdim); /* int64: index of the first largest, counted from index_base */
RILLE_API rille_tensor *rille_argmin(rille_tensor *t, int dim, bool keepdim); /* of the first smallest */

/* ---- Order: -0 equals 0, and NaN is the largest; of equals the first in t comes first. indices: NULL, or where to put an int64
 *      tensor of where in t they were along dim, from index_base; NULL where the call fails ------------------------------- */

RILLE_API rille_tensor *rille_sort(rille_tensor *t, int dim, bool descending, rille_tensor **indices); /* t's elements in order along dim */
RILLE_API rille_tensor *rille_argsort(rille_tensor *t, int dim, bool descending); /* the indices alone */
RILLE_API rille_tensor *rille_topk(rille_tensor *t, int64_t k, int dim, bool largest, rille_tensor **indices); /* the k largest or smallest along dim, in this order: [..., k, ...] */

/* ---- Products, activations, softmax ------------------------------------------------------------------------------- */

RILLE_API rille_tensor *rille_matmul(rille_tensor *a, rille_tensor *b); /* [..., n, k] [..., k, m] -> [..., n, m]; a vector gains a 1 and loses it again */
RILLE_API rille_tensor *rille_dot(rille_tensor *a, rille_tensor *b);    /* sum a b: [n] [n] -> scalar */
RILLE_API rille_tensor *rille_outer(rille_tensor *a, rille_tensor *b);  /* a_i b_j: [n] [m] -> [n, m] */
RILLE_API rille_tensor *rille_linear(rille_tensor *x, rille_tensor *weight, rille_tensor *bias); /* x W^T + b: [..., in] [out, in] [out] -> [..., out]; bias may be omitted with NULL */
/* By LAPACK, of every matrix of [..., m, n], k = min(m, n). NaN and infinities are an error; integers give float32. The same bits for any number of threads.
 * qr: t = Q R, Q [..., m, k] with orthonormal columns, R [..., k, n] upper triangular; the diagonal of R has either sign. Where the first k columns are
 * dependent, gradients are not finite.
 * svd: t = U diag(S) V^T, U [..., m, k] and V^T [..., k, n] with orthonormal columns and rows, S [..., k] >= 0 in descending order. U and V are unique
 * up to a sign of both, and not at all where singular values are equal: there, and at 0 if m != n, gradients through them are not finite, as PyTorch
 * has it. svdvals: S alone, faster, and differentiable once also where values are equal.
 * q, r, u, s, vt: where to put the results; each may be NULL. They hold NULL where the call fails. */
RILLE_API rille_status rille_qr(rille_tensor *t, rille_tensor **q, rille_tensor **r);
RILLE_API rille_status rille_svd(rille_tensor *t, rille_tensor **u, rille_tensor **s, rille_tensor **vt);
RILLE_API rille_tensor *rille_svdvals(rille_tensor *t);
typedef struct rille_convolution { /* rows, columns; conv1d reads [0] alone */
    int64_t stride[2];   /* 0: 1 */
    int64_t padding[2];  /* zeros on both sides */
    int64_t dilation[2]; /* from one element of the kernel to the next; 0: 1 */
    int64_t groups;      /* channels that see each other: both sides are cut into so many; 0: 1 */
} rille_convolution;
/* y[b, o, p] = bias[o] + sum over i, k of weight[o, i, k] x[b, group(o) in / groups + i, p stride - padding + k dilation] (the kernel is not
 * turned around): [n, in, h, w] [out, in / groups, kh, kw] [out] -> [n, out, h', w'], h' = floor((h + 2 padding - dilation (kh - 1) - 1) / stride) + 1,
 * and [in, h, w] -> [out, h', w']. conv1d has no h. bias may be omitted with NULL, options NULL: defaults. float32 sums are those of CBLAS. */
RILLE_API rille_tensor *rille_conv1d(rille_tensor *x, rille_tensor *weight, rille_tensor *bias, const rille_convolution *options);
RILLE_API rille_tensor *rille_conv2d(rille_tensor *x, rille_tensor *weight, rille_tensor *bias, const rille_convolution *options);
typedef struct rille_pooling { /* rows, columns; pools of one dimension read [0] alone */
    int64_t kernel[2];
    int64_t stride[2];    /* 0: the kernel's size, so that windows do not overlap */
    int64_t padding[2];   /* on both sides, half a kernel at most */
    bool ceil_mode;       /* a last window may reach past the padding, if it begins inside or in the padding on the left */
    bool exclude_padding; /* averages are of the elements that are there; else zeros in the padding count as well */
} rille_pooling;
/* Of each plane [h, w] of x [..., h, w], h' = floor((h + 2 padding - kernel) / stride) + 1 (ceil_mode: ceil) by w' windows: the largest element (the
 * padding is -Inf; NaN wins; gradient to the first of equals), and the average. One-dimensional ones: of x [..., l]. Integers give float32. */
RILLE_API rille_tensor *rille_max_pool1d(rille_tensor *x, const rille_pooling *options);
RILLE_API rille_tensor *rille_max_pool2d(rille_tensor *x, const rille_pooling *options);
RILLE_API rille_tensor *rille_avg_pool1d(rille_tensor *x, const rille_pooling *options);
RILLE_API rille_tensor *rille_avg_pool2d(rille_tensor *x, const rille_pooling *options);
/* (x - mean) / sqrt(variance + eps) weight + bias, the mean and the variance (of all elements, not one less) in float64: of each channel, the second
 * dimension of [n, c, ...], over the others (batch); of each element of the last `rank` dimensions, whose sizes are `shape` (layer; rms: x / sqrt(mean
 * x^2 + eps) weight); of each sample's every c / groups channels (group). weight and bias are [c], or of `shape`; NULL: 1 and 0.
 * batch_norm in training, or where the running ones (both or none, [c]) are NULL, takes the batch's own statistics, of two elements a channel at least,
 * and in training moves the running ones, in place: running += momentum (batch's - running), the variance times n / (n - 1). Else it takes those as constants. */
RILLE_API rille_tensor *rille_batch_norm(rille_tensor *x, rille_tensor *running_mean, rille_tensor *running_var, rille_tensor *weight, rille_tensor *bias,
                                         bool training, double momentum, double eps);
RILLE_API rille_tensor *rille_layer_norm(rille_tensor *x, int rank, const int64_t *shape, rille_tensor *weight, rille_tensor *bias, double eps);
RILLE_API rille_tensor *rille_rms_norm(rille_tensor *x, int rank, const int64_t *shape, rille_tensor *weight, double eps);
RILLE_API rille_tensor *rille_group_norm(rille_tensor *x, int64_t groups, rille_tensor *weight, rille_tensor *bias, double eps);
RILLE_API rille_tensor *rille_activate(rille_tensor *x, rille_activation act, const double *params); /* f(x), any shape; params NULL: defaults */
RILLE_API rille_tensor *rille_derivative(rille_tensor *x, rille_activation act, int order, const double *params); /* f(x), f'(x), f"(x) */
/* The same with tensors for some of the parameters, those that the row says are learnable: tensors[i] of 1 element, or of as
 * many as x has channels (its second dimension, or its only one); tensors[i] NULL: params[i]. They get gradients, as x does. */
RILLE_API rille_tensor *rille_activate_with(rille_tensor *x, rille_activation act, const double *params, rille_tensor *const *tensors);
RILLE_API rille_tensor *rille_derivative_with(rille_tensor *x, rille_activation act, int order, const double *params,
                                              rille_tensor *const *tensors);
RILLE_API rille_tensor *rille_rrelu_training(rille_tensor *x, double lower, double upper); /* x > 0 ? x : a x, with an a from lower to upper drawn for each element; rille_rrelu takes the mean */
RILLE_API rille_tensor *rille_dropout(rille_tensor *x, double p); /* each element times 0, with probability p, or else 1 / (1 - p); drawn anew by each call, for training. p = 1: all times 0. Integers give float32 */
RILLE_API rille_tensor *rille_softmax(rille_tensor *x, int dim);     /* exp(x - max) / sum exp(x - max) along dim; all -Inf gives NaN */
RILLE_API rille_tensor *rille_log_softmax(rille_tensor *x, int dim); /* x - max - log sum exp(x - max) along dim */
RILLE_API rille_tensor *rille_softmin(rille_tensor *x, int dim);     /* softmax(-x) along dim */
RILLE_API rille_tensor *rille_sparsemax(rille_tensor *x, int dim);   /* max(x - tau, 0), tau such that it sums to 1 along dim: the nearest point of the simplex (Martins and Astudillo 2016). Gradient g - mean g over the support, where it is > 0; 0 elsewhere. NaN, +Inf or -Inf alone: NaN throughout */
RILLE_API rille_tensor *rille_hardmax(rille_tensor *x, int dim);     /* 1 at the first largest along dim, 0 elsewhere; a NaN: NaN throughout. Its gradient is 0 everywhere */
RILLE_API rille_tensor *rille_gated(rille_tensor *x, rille_gate gate, int dim); /* a f(b), a and b the first and the second half of x along dim: [..., 2 n, ...] -> [..., n, ...] */
RILLE_API rille_tensor *rille_maxout(rille_tensor *x, int64_t k, int dim); /* the largest of every k neighbours along dim: [..., k n, ...] -> [..., n, ...]; NaN wins; gradient to the first of equals */
RILLE_API rille_tensor *rille_crelu(rille_tensor *x, int dim);       /* relu(x) and, after it along dim, relu(-x): [..., n, ...] -> [..., 2 n, ...] */

/* ---- Losses: of x, what a net gave, and its target. Computed in double, rounded once ---------------------------------- */

typedef enum rille_reduction {
    RILLE_REDUCE_MEAN,      /* sum / number of elements */
    RILLE_REDUCE_SUM,
    RILLE_REDUCE_NONE,      /* the loss of each element (of each row, where there are labels) */
    RILLE_REDUCE_BATCHMEAN  /* sum / size of the first dimension: kl_div only */
} rille_reduction;

/* The target broadcasts to x's shape; both get gradients, and gradients of gradients. d = x - target. */
RILLE_API rille_tensor *rille_mse_loss(rille_tensor *x, rille_tensor *target, rille_reduction reduction); /* d^2 */
RILLE_API rille_tensor *rille_l1_loss(rille_tensor *x, rille_tensor *target, rille_reduction reduction);  /* |d|; derivative at 0: 0 */
RILLE_API rille_tensor *rille_smooth_l1_loss(rille_tensor *x, rille_tensor *target, double beta, rille_reduction reduction); /* |d| < beta ? d^2 / (2 beta) : |d| - beta / 2; beta >= 0 */
RILLE_API rille_tensor *rille_huber_loss(rille_tensor *x, rille_tensor *target, double delta, rille_reduction reduction); /* |d| <= delta ? d^2 / 2 : delta (|d| - delta / 2); delta > 0 */
RILLE_API rille_tensor *rille_bce_loss(rille_tensor *p, rille_tensor *target, rille_reduction reduction); /* -t log p - (1 - t) log(1 - p), p in 0 ... 1; logarithms end at -100, divisors of the gradient at 1e-12 */
/* The same of p = 1 / (1 + e^-x), exact for any x. pos_weight (NULL: 1) multiplies the first term and broadcasts to x's shape. */
RILLE_API rille_tensor *rille_bce_with_logits(rille_tensor *x, rille_tensor *target, rille_tensor *pos_weight, rille_reduction reduction);
RILLE_API rille_tensor *rille_kl_div(rille_tensor *x, rille_tensor *target, bool log_target, rille_reduction reduction); /* x = log q: p (log p - log q), the target being p or, with log_target, log p */

typedef struct rille_label_options {
    rille_tensor *weight;      /* [c]: of each class, a constant; NULL: 1 */
    double label_smoothing;    /* 0 <= e < 1: the target is 1 - e at the label and e / c everywhere besides; cross_entropy only */
    bool ignores;              /* rows whose label is */
    int64_t ignore_index;      /* this have no loss */
    rille_reduction reduction; /* mean: sum / sum of the labels' weights */
} rille_label_options;
RILLE_API rille_tensor *rille_cross_entropy(rille_tensor *logits, rille_tensor *labels); /* mean of -log_softmax(logits)[label]: [n, c], int64 [n] from index_base -> scalar */
/* With weights w: -(1 - e) w[label] log p[label] - e / c sum w log p, p = softmax(logits). options NULL: defaults. */
RILLE_API rille_tensor *rille_cross_entropy_with(rille_tensor *logits, rille_tensor *labels, const rille_label_options *options);
RILLE_API rille_tensor *rille_nll_loss(rille_tensor *log_probabilities, rille_tensor *labels, const rille_label_options *options); /* -w[label] x[label] */

/* ---- Recurrent layers: whole sequences, a layer a call ----------------------------------------------------------------- */

typedef struct rille_recurrent_weights { /* of g gates: 1 of rnn, 4 of lstm (i, f, g, o), 3 of gru (r, z, n), as PyTorch has them */
    rille_tensor *ih, *hh;           /* [g hidden, in], [g hidden, hidden] */
    rille_tensor *bias_ih, *bias_hh; /* [g hidden] both, or both NULL */
} rille_recurrent_weights;

/* x [steps >= 1, n, in] -> the hidden states after each step, [steps, n, hidden]: the last is that of the sequence. h0 and c0,
 * [n, hidden], are the states before it; NULL: 0. s is the logistic function, * elementwise. Backward goes through time and
 * gives gradients to x, the states and all weights; these gradients cannot be differentiated again. */
/* h' = act(W_ih x + b_ih + W_hh h + b_hh), act RILLE_TANH or RILLE_RELU */
RILLE_API rille_tensor *rille_rnn(rille_tensor *x, const rille_recurrent_weights *weights, rille_tensor *h0, rille_activation act);
/* i, f, o = s(...), g = tanh(...), each of W_ih x + b_ih + W_hh h + b_hh; c' = f * c + i * g, h' = o * tanh(c'). *c_n, unless
 * c_n is NULL: the last c, [n, hidden] */
RILLE_API rille_tensor *rille_lstm(rille_tensor *x, const rille_recurrent_weights *weights, rille_tensor *h0, rille_tensor *c0,
                                   rille_tensor **c_n);
/* r, z = s(W_ih x + b_ih + W_hh h + b_hh), n = tanh(W_in x + b_in + r * (W_hn h + b_hn)), h' = (1 - z) * n + z * h */
RILLE_API rille_tensor *rille_gru(rille_tensor *x, const rille_recurrent_weights *weights, rille_tensor *h0);

/* y's elements as a function of x, one by one, of the given derivative: gradients of the result go to x, times the derivative, and
 * nowhere else. For functions of the caller's own: y and derivative are of x's shape. It can be differentiated again as far as
 * the derivative can. */
RILLE_API rille_tensor *rille_with_derivative(rille_tensor *y, rille_tensor *x, rille_tensor *derivative);

/* ---- Autograd: reverse mode ---------------------------------------------------------------------------------------- */

RILLE_API bool rille_requires_grad(const rille_tensor *t);
RILLE_API rille_status rille_set_requires_grad(rille_tensor *t, bool on); /* leaves of floating dtype only */
RILLE_API bool rille_is_leaf(const rille_tensor *t);                      /* not the result of a recorded operation */
RILLE_API rille_status rille_retain_grad(rille_tensor *t);                /* backward keeps the gradient of this inner tensor too */
RILLE_API rille_tensor *rille_gradient(rille_tensor *t);                  /* accumulated so far, same shape as t; NULL where there is none. Owned by t */
RILLE_API rille_status rille_set_gradient(rille_tensor *t, rille_tensor *gradient); /* the same elements, outside the graph; NULL clears it */
/* A hook is called in each backward and grad with the whole gradient of its tensor, before that goes on: a copy, which it may keep,
 * but not free. It returns a tensor of the same shape and dtype to take the gradient's place, or NULL to leave it; where it fails
 * it returns NULL and rille_fail tells why. It must not call backward or grad. Hooks run in the order in which they were added. */
typedef rille_tensor *rille_hook(rille_tensor *gradient, void *user);
RILLE_API rille_status rille_add_hook(rille_tensor *t, rille_hook *hook, void *user,
                                      void (*release)(void *user)); /* release, if not NULL, is called once t and its graph have ended, or at removal */
RILLE_API rille_status rille_remove_hook(rille_tensor *t, void *user); /* those of t's that were added with this `user` */
RILLE_API void rille_fail(rille_context *cx, const char *message); /* from a callback: RILLE_ERROR_CALLBACK with this message */

/* Anomaly mode: an operation fails with RILLE_ERROR_NONFINITE where its result has a NaN, or has an infinity and its operands have
 * none; so does backward, of a gradient, and names the operation and the place in the caller's program that ran it. Slow.
 * locate, if not NULL, writes that place ("script.lua:12", 0-terminated) when an operation is recorded. */
typedef void rille_locate(void *user, char *text, size_t size);
typedef struct rille_anomaly {
    bool on;
    rille_locate *locate;
    void *user;
} rille_anomaly;
RILLE_API rille_anomaly rille_set_anomaly(rille_context *cx, rille_anomaly mode); /* returns what it was */
RILLE_API bool rille_set_grad_enabled(rille_context *cx, bool on);        /* off: operations are not recorded; returns what it was */
RILLE_API bool rille_grad_enabled(const rille_context *cx);
RILLE_API rille_status rille_backward(rille_tensor *t, rille_tensor *seed); /* adds d(seed . t)/d(leaf) to every leaf's gradient; NULL seed: t is a scalar, seed 1. Frees the graph */
RILLE_API rille_status rille_grad(rille_tensor *const *outputs, int output_count, rille_tensor *const *inputs, int input_count,
                                  rille_tensor *const *seeds, bool create_graph,
                                  rille_tensor **gradients); /* gradients[i] = d(sum seeds . outputs)/d inputs[i], NULL where unconnected; the graph stays. create_graph: they can be differentiated again */

typedef rille_tensor *rille_function(rille_context *cx, rille_tensor *const *inputs, int count, void *user);
typedef struct rille_gradcheck_options {
    double step;        /* of the central difference, relative to max(1, |x|); 0: 1e-5 */
    double tolerance;   /* |analytic - numeric| <= tolerance (1 + |numeric|); 0: 1e-6 */
    const double *kink; /* inputs within two steps of one of these are skipped */
    int kink_count;
} rille_gradcheck_options;
typedef struct rille_gradcheck_result {
    int64_t checked, skipped; /* elements of all inputs */
    double worst;             /* largest |analytic - numeric| / (1 + |numeric|) */
    int input;                /* where: which input, counted from 0, */
    int64_t element;          /* which of its elements, row-major from 0 */
    double analytic, numeric;
} rille_gradcheck_result;
/* Compares the gradient of f(inputs) (weighted by fixed numbers) with central differences in every element of every
 * float64 input that requires a gradient. Fails on NaN and where no element was checked. options NULL: defaults. */
RILLE_API rille_status rille_gradcheck(rille_context *cx, rille_function *f, void *user, rille_tensor *const *inputs, int count,
                                       const rille_gradcheck_options *options, rille_gradcheck_result *result);

/* The same of the gradient itself, as create_graph makes it: that of the inputs, and that of the vector which f's gradient is
 * multiplied by, which messages and result count as one input more. */
RILLE_API rille_status rille_gradgradcheck(rille_context *cx, rille_function *f, void *user, rille_tensor *const *inputs, int count,
                                           const rille_gradcheck_options *options, rille_gradcheck_result *result);

/* ---- Training ------------------------------------------------------------------------------------------------------ */

typedef enum rille_optimizer { /* g: the gradient + weight_decay p, but for adamw and lion, where p *= 1 - learning_rate weight_decay instead */
    RILLE_SGD,      /* v = momentum v + g; p -= learning_rate v, or, with nesterov, (g + momentum v) (Polyak 1964; Sutskever et al. 2013) */
    RILLE_ADAM,     /* m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2; p -= learning_rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps) (Kingma and Ba 2015) */
    RILLE_ADAMW,    /* the same, with decay apart from the gradient (Loshchilov and Hutter 2019) */
    RILLE_RMSPROP,  /* v = alpha v + (1 - alpha) g^2; d = g / (sqrt(v) + eps); b = momentum b + d; p -= learning_rate b (Tieleman and Hinton 2012); centered: v - m^2 for v, m the mean of g (Graves 2013) */
    RILLE_ADAGRAD,  /* s += g^2; p -= learning_rate / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps) (Duchi et al. 2011) */
    RILLE_ADADELTA, /* v = rho v + (1 - rho) g^2; d = sqrt(a + eps) / sqrt(v + eps) g; a = rho a + (1 - rho) d^2; p -= learning_rate d (Zeiler 2012) */
    RILLE_LION      /* p -= learning_rate sign(beta1 m + (1 - beta1) g); m = beta2 m + (1 - beta2) g (Chen et al. 2023) */
} rille_optimizer;

typedef struct rille_optimizer_options { /* an optimiser looks only at what its formula names; beside each: its usual value */
    rille_optimizer kind;
    double learning_rate; /* >= 0 */
    double weight_decay;  /* >= 0; 0, adamw 0.01 */
    double momentum;      /* 0 <= momentum < 1; 0 */
    bool nesterov, centered;
    double beta1, beta2;  /* 0 <= beta < 1; adam and adamw 0.9 and 0.999, lion 0.9 and 0.99 */
    double alpha, rho;    /* 0 <= alpha, rho < 1; 0.99, 0.9 */
    double lr_decay;      /* >= 0; 0 */
    double eps;           /* >= 0; 1e-8, adagrad 1e-10, adadelta 1e-6 */
} rille_optimizer_options;
#define RILLE_MAX_OPTIMIZER_STATES 3
/* How many tensors these options keep beside each parameter, and what they are called (names NULL: not wanted); < 0, and an
 * error, where an option is out of range. sgd: momentum_buffer, with momentum. adam, adamw: exp_avg, exp_avg_sq. rmsprop:
 * square_avg, grad_avg if centered, momentum_buffer with momentum. adagrad: sum. adadelta: square_avg, acc_delta. lion: exp_avg. */
RILLE_API int rille_optimizer_states(rille_context *cx, const rille_optimizer_options *options,
                                     const char *names[RILLE_MAX_OPTIMIZER_STATES]);
/* One step of `count` contiguous leaves, in one pass; those without a gradient are passed over, the others and their states
 * share no memory. states[i k], ... are the k
 * states of parameters[i], of its shape and dtype, contiguous, made by the caller as zeros (NULL: k is 0); steps[i] >= 0
 * counts the steps that parameters[i] has made, the t of the formulas, and is 1 more afterwards. Where it fails for anything
 * but rille_cancel, nothing has moved. */
RILLE_API rille_status rille_optimizer_step(rille_context *cx, const rille_optimizer_options *options, int count,
                                            rille_tensor *const *parameters, rille_tensor *const *states, int64_t *steps);

/* The norm of all gradients of `count` tensors as one vector, (sum |g|^norm_type)^(1 / norm_type), infinity: max |g|, in
 * double and without overflow, into *total (NULL: not wanted). Above max_norm, every gradient is multiplied by
 * max_norm / (total + 1e-6), in place (Pascanu et al. 2013). A total that is not finite is an error with error_if_nonfinite,
 * and then nothing is scaled. */
RILLE_API rille_status rille_clip_grad_norm(rille_context *cx, int count, rille_tensor *const *parameters, double max_norm,
                                            double norm_type, bool error_if_nonfinite, double *total);
RILLE_API rille_status rille_clip_grad_value(rille_context *cx, int count, rille_tensor *const *parameters, double value); /* every gradient's elements into -value ... value, in place; NaN stays */

/* ---- Gradient flow -------------------------------------------------------------------------------------------------- */

typedef struct rille_statistics {   /* of one tensor, in one pass */
    int64_t count;                  /* elements; the shares below are of them all */
    double mean, std;               /* over the finite elements; std is the population's, sqrt(mean (x - mean)^2) */
    double log10_norm;              /* log10 of the Euclidean norm of the finite elements, so that 1e-60 and 1e+60 survive; -Inf where all are 0 */
    double min, max;                /* of the finite elements; NaN where there are none */
    int64_t zeros, subnormals, nans, infinities;
    int64_t dead;                   /* units (last dimension; rank 1 or more) that are 0 in every row */
    int64_t within;                 /* elements in the intervals that were given; 0 where none were */
} rille_statistics;
#define RILLE_MAX_INTERVALS 8
typedef struct rille_intervals { /* closed: low[i] <= x <= high[i], in ascending order */
    int count;                   /* -1: there are more than RILLE_MAX_INTERVALS, and none is given */
    double low[RILLE_MAX_INTERVALS], high[RILLE_MAX_INTERVALS];
} rille_intervals;
RILLE_API rille_status rille_measure(rille_tensor *t, rille_statistics *statistics);
/* Many in one parallel pass: statistics[i] of tensors[i], which may be NULL (count is then 0); within: NULL, or for each tensor NULL
 * or the intervals in which its elements are counted. */
RILLE_API rille_status rille_measure_many(rille_context *cx, int count, rille_tensor *const *tensors, const rille_intervals *const *within,
                                          rille_statistics *statistics);
/* Measures t now, while its elements are in cache, and t's gradient, where t is to have one, when the next backward puts it there.
 * What was found is kept with both, and saves the calls above the reading of elements that were not written to since; the results
 * are the same. within: NULL, or the intervals in which t's elements are counted. */
RILLE_API rille_status rille_measure_early(rille_tensor *t, const rille_intervals *within);
/* Statistics of tensors[i] - previous[i], after which previous[i] holds what tensors[i] does: how far an optimiser moved its
 * parameters since the last call. Contiguous, floating, of one shape and dtype. */
RILLE_API rille_status rille_measure_changes(rille_context *cx, int count, rille_tensor *const *tensors, rille_tensor *const *previous,
                                             rille_statistics *statistics);
/* Where |f'(x)| < threshold, found once, so that counting saturated inputs costs two comparisons each. */
RILLE_API rille_status rille_flat_intervals(rille_context *cx, rille_activation act, const double *params, double threshold,
                                            rille_intervals *flat);
RILLE_API rille_status rille_measure_saturated(rille_tensor *x, rille_activation act, const double *params, double threshold,
                                               double *share); /* of x's elements with |f'(x)| < threshold */
RILLE_API rille_status rille_measure_below(rille_tensor *t, double threshold, double *share); /* of t's elements with |t| < threshold */
RILLE_API rille_status rille_measure_dead(rille_tensor *y, double *share); /* of the units (last dimension of y) that are 0 in every row */

/* count[i], i = 0 ... bins - 1: elements of t between low + i w and low + (i + 1) w, w = (high - low) / bins; `high` itself is of the
 * last bin. What is outside, and NaN, counts nowhere. */
RILLE_API rille_status rille_histogram(rille_tensor *t, double low, double high, size_t bins, int64_t *count);

/* ---- Files ---------------------------------------------------------------------------------------------------------- */

/* Files are taken to be hostile: each size is held against the file's own length before memory is asked for, and a message
 * names the file and the byte. bool, uint8, int64, float32 and float64 are read as they are; float16 and bfloat16 as float32,
 * int8, int16, int32, uint16 and uint32 as int64, which hold them exactly; others are refused by name. What is written takes
 * its place at once (written beside it, synchronised, renamed) or not at all; symbolic links are followed. */
RILLE_API int64_t rille_file_size(rille_context *cx, const char *path); /* bytes of an ordinary file that can be read; -1, with a message, for what is none: a pipe, a device, a folder */
RILLE_API rille_tensor *rille_read_idx(rille_context *cx, const char *path); /* LeCun's IDX (the MNIST format), unsigned bytes, plain or gzipped: uint8 of the file's shape */
RILLE_API rille_tensor *rille_read_records(rille_context *cx, const char *path, int64_t size); /* a file of records of `size` bytes each, and nothing else: uint8 [n, size] */
RILLE_API rille_tensor *rille_read_npy(rille_context *cx, const char *path); /* NumPy's .npy, either byte order, C or Fortran order, plain or gzipped */
RILLE_API rille_status rille_write_npy(rille_tensor *t, const char *path);
RILLE_API rille_status rille_write_file(rille_context *cx, const char *path, const void *bytes, size_t n); /* any bytes; like all that writes here: whole or not at all */

typedef struct rille_archive rille_archive; /* a file of named tensors, open for reading; belongs to the caller, who closes it before the context */
RILLE_API rille_archive *rille_open_npz(rille_context *cx, const char *path);         /* NumPy's .npz: .npy files in a zip archive, stored or deflated */
RILLE_API rille_archive *rille_open_safetensors(rille_context *cx, const char *path); /* its header is looked at whole: dtypes, shapes, offsets without gap or overlap */
RILLE_API void rille_archive_close(rille_archive *archive);                           /* NULL is allowed */
RILLE_API int rille_archive_count(const rille_archive *archive);
RILLE_API const char *rille_archive_name(const rille_archive *archive, int i);        /* i from 0; NULL past the last; valid while the archive is open */
RILLE_API rille_tensor *rille_archive_read(rille_archive *archive, int i);            /* reads that tensor */
RILLE_API int rille_archive_metadata_count(const rille_archive *archive);             /* texts that a safetensors file carries beside its tensors */
RILLE_API const char *rille_archive_metadata(const rille_archive *archive, int i, const char **value); /* the i-th key, and its text; NULL past the last */

RILLE_API rille_status rille_write_npz(rille_context *cx, const char *path, int count, const char *const *names,
                                       rille_tensor *const *tensors, bool compressed); /* compressed: deflated */
RILLE_API rille_status rille_write_safetensors(rille_context *cx, const char *path, int count, const char *const *names,
                                               rille_tensor *const *tensors, int metadata_count, const char *const *keys,
                                               const char *const *values); /* names, keys and texts are UTF-8 */

#ifdef __cplusplus
}
#endif
#endif
