/* The tensor: a strided view of counted storage, its place in a scope, and its place in the graph. */
#ifndef RL_TENSOR_TENSOR_H
#define RL_TENSOR_TENSOR_H

#include "base/context.h"

typedef struct rl_storage {
    size_t references;
    size_t bytes;
    uint64_t version; /* counts writes, so that a graph can tell that what it saved has changed */
    char *data;
} rl_storage;

/* What was measured of a tensor while its elements were in cache (flow/early.c): true until the storage's version moves on. */
typedef struct rl_measured {
    uint64_t version;
    rille_statistics statistics;
    rille_intervals within; /* what statistics.within counts; its count is 0 where nothing does */
} rl_measured;

struct rille_tensor {
    rille_context *context;
    rl_storage *storage;
    size_t references;             /* one of its scope's, the others of graphs and of tensors whose gradient it is */
    rl_scope *scope;               /* NULL once its handle was freed */
    rille_tensor *previous, *next; /* in the scope */

    rille_dtype dtype;
    int rank;
    int64_t numel;
    int64_t offset; /* elements from the storage's start */
    int64_t shape[RILLE_MAX_RANK];
    int64_t stride[RILLE_MAX_RANK]; /* elements */

    bool requires_grad;
    bool retain_grad;
    struct rl_node *node; /* the operation that made it; NULL: a leaf */
    rille_tensor *gradient;
    rille_tensor **capture;                              /* where the running rille_grad wants this leaf's gradient */
    struct rl_hooks *hooks;                              /* of a leaf; NULL where it has none */
    rl_measured *measured;                               /* NULL: nothing was */
    rille_status (*on_gradient)(rille_tensor *gradient); /* or NULL; called once, with what the next backward puts here */
};

enum { RL_MOST_INPUTS = 2 + RILLE_MAX_PARAMETERS }; /* of one operation */

typedef struct rl_list { /* a few tensors */
    int count;
    rille_tensor *item[RL_MOST_INPUTS];
} rl_list;
#define RL_COUNT_(...) ((int)(sizeof((rille_tensor *[]){__VA_ARGS__}) / sizeof(rille_tensor *)))
#define RL_LIST(...) ((rl_list){RL_COUNT_(__VA_ARGS__), {__VA_ARGS__}})
#define RL_NONE ((rl_list){0, {NULL}})

/* The context that the inputs share; NULL where one of them is NULL or they come from two contexts: then the operation
 * must return NULL, the message is recorded. */
rille_context *rl_enter(const char *operation, rl_list inputs);
rille_context *rl_enter_many(const char *operation, int count, rille_tensor *const *inputs);

/* A new contiguous tensor in the innermost scope, its elements undefined. NULL with a message "operation: ..." */
rille_tensor *rl_new(rille_context *cx, const char *operation, rille_dtype dtype, int rank, const int64_t *shape);
rille_tensor *rl_new_like(rille_tensor *t, rille_dtype dtype); /* of t's shape */

/* A new tensor in the innermost scope over t's storage, as t at first, outside the graph; the caller then sets rank, shape,
 * stride and offset and calls rl_shape_changed. */
rille_tensor *rl_view(rille_tensor *t);
void rl_shape_changed(rille_tensor *t);

/* As rille_scope_pop, but t, if the scope owns it, goes to the one around it; returns t. For operations made of others. */
rille_tensor *rl_scope_return(rille_context *cx, rille_tensor *t);

/* Gives t, whose handle was freed, a new one in the innermost scope; NULL, and nothing done, where it still has one. */
rille_tensor *rl_adopt(rille_tensor *t);

rille_tensor *rl_retain(rille_tensor *t); /* one more reference; NULL is allowed */
void rl_drop(rille_tensor *t);            /* one less; the last one ends it. NULL is allowed */

static inline char *rl_data(const rille_tensor *t)
{
    return t->storage->data + (size_t)t->offset * rille_dtype_size(t->dtype);
}

static inline bool rl_is_floating(rille_dtype dtype)
{
    return dtype == RILLE_FLOAT32 || dtype == RILLE_FLOAT64;
}

/* ---- Shapes ---- */

enum { RL_SHAPE_TEXT = 8 * 22 + 4 };
const char *rl_shape_text(char text[RL_SHAPE_TEXT], int rank, const int64_t *shape); /* "[2, 3]" */
#define RL_SHAPE(t) rl_shape_text((char[RL_SHAPE_TEXT]){0}, (t)->rank, (t)->shape)

bool rl_same_shape(const rille_tensor *a, const rille_tensor *b);

/* The number of elements into *numel; false, with a message, where the rank or a size is out of range or bytes overflow. */
bool rl_check_shape(rille_context *cx, const char *operation, rille_dtype dtype, int rank, const int64_t *shape,
                    int64_t *numel);

/* Shape that a and b broadcast to; false, with a message, where they do not. */
bool rl_broadcast(rille_context *cx, const char *operation, const rille_tensor *a, const rille_tensor *b, int *rank,
                  int64_t *shape);

/* dim (negative: from the end) as 0 ... rank - 1; -1, with a message, where t has no such dimension. */
int rl_dimension(const rille_tensor *t, const char *operation, int dim);

/* An index that is out of range, as messages count it: from index_base. */
static inline long long rl_counted(const rille_context *cx, int64_t index)
{
    return index < INT64_MAX ? index + cx->options.index_base : index;
}

/* ---- The order of dtypes in promotion ---- */

rille_dtype rl_promote(rille_dtype a, rille_dtype b);

#endif
