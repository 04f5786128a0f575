#include "tensor/tensor.h"

#include "base/memory.h"
#include "tensor/graph.h"

#include <math.h>
#include <string.h>

/* ---- Scopes: doubly linked lists of the tensors whose handles they own ---- */

static rl_scope *innermost(rille_context *cx)
{
    return &cx->scope[cx->scope_depth < RL_MOST_SCOPES ? cx->scope_depth : RL_MOST_SCOPES - 1];
}

static void link_handle(rille_tensor *t, rl_scope *scope)
{
    t->scope = scope;
    t->previous = NULL;
    t->next = scope->first;
    if (t->next != NULL)
        t->next->previous = t;
    scope->first = t;
}

static void unlink_handle(rille_tensor *t)
{
    if (t->previous != NULL)
        t->previous->next = t->next;
    else
        t->scope->first = t->next;
    if (t->next != NULL)
        t->next->previous = t->previous;
    t->scope = NULL;
}

void rille_scope_push(rille_context *cx)
{
    if (cx != NULL)
        cx->scope_depth++;
}

void rille_scope_pop(rille_context *cx)
{
    if (cx == NULL || cx->scope_depth == 0)
        return;
    if (cx->scope_depth < RL_MOST_SCOPES)
        while (innermost(cx)->first != NULL)
            rille_free(innermost(cx)->first);
    cx->scope_depth--;
}

rille_tensor *rl_scope_return(rille_context *cx, rille_tensor *t)
{
    const bool owned = t != NULL && t->scope == innermost(cx);
    if (owned)
        unlink_handle(t);
    rille_scope_pop(cx);
    if (owned)
        link_handle(t, innermost(cx));
    return t;
}

rille_tensor *rille_keep(rille_tensor *t)
{
    if (t == NULL || t->scope == NULL)
        return t;
    unlink_handle(t);
    link_handle(t, &t->context->scope[0]);
    return t;
}

void rille_free(rille_tensor *t)
{
    if (t == NULL || t->scope == NULL)
        return;
    unlink_handle(t);
    rl_drop(t);
}

/* ---- Lifetime ---- */

rille_tensor *rl_retain(rille_tensor *t)
{
    if (t != NULL)
        t->references++;
    return t;
}

static void drop_storage(rille_context *cx, rl_storage *storage)
{
    if (storage == NULL || --storage->references > 0)
        return;
    rl_release(cx, storage->data, storage->bytes);
    rl_release(cx, storage, sizeof *storage);
}

void rl_drop(rille_tensor *t)
{
    while (t != NULL && --t->references == 0) { /* a gradient may have a gradient: a chain of any length needs no stack */
        rille_tensor *gradient = t->gradient;
        if (t->node != NULL && t->node->output == t)
            t->node->output = NULL;
        rl_node_drop(t->node);
        rl_hooks_free(t->context, t->hooks);
        rl_release(t->context, t->measured, sizeof *t->measured);
        drop_storage(t->context, t->storage);
        rl_release(t->context, t, sizeof *t);
        t = gradient;
    }
}

static rl_storage *new_storage(rille_context *cx, size_t bytes)
{
    rl_storage *storage = rl_allocate_zeroed(cx, sizeof *storage);
    if (storage == NULL)
        return NULL;
    storage->data = rl_allocate(cx, bytes);
    if (storage->data == NULL) {
        rl_release(cx, storage, sizeof *storage);
        return NULL;
    }
    storage->references = 1;
    storage->bytes = bytes;
    return storage;
}

/* Takes the reference to `storage` over, also where it fails. */
static rille_tensor *new_tensor(rille_context *cx, rl_storage *storage)
{
    rille_tensor *t = storage == NULL ? NULL : rl_allocate_zeroed(cx, sizeof *t);
    if (t == NULL) {
        drop_storage(cx, storage);
        return NULL;
    }
    t->context = cx;
    t->storage = storage;
    t->references = 1;
    link_handle(t, innermost(cx));
    return t;
}

static void set_row_major(rille_tensor *t)
{
    int64_t stride = 1;
    for (int d = t->rank - 1; d >= 0; d--) {
        t->stride[d] = stride;
        stride *= t->shape[d] > 0 ? t->shape[d] : 1;
    }
}

rille_tensor *rl_new(rille_context *cx, const char *operation, rille_dtype dtype, int rank, const int64_t *shape)
{
    int64_t numel;
    if (cx == NULL || !rl_check_shape(cx, operation, dtype, rank, shape, &numel))
        return NULL;
    rille_tensor *t = new_tensor(cx, new_storage(cx, (size_t)numel * rille_dtype_size(dtype)));
    if (t == NULL)
        return NULL;
    t->dtype = dtype;
    t->rank = rank;
    t->numel = numel;
    for (int d = 0; d < rank; d++)
        t->shape[d] = shape[d];
    set_row_major(t);
    return t;
}

rille_tensor *rl_new_like(rille_tensor *t, rille_dtype dtype)
{
    return rl_new(t->context, "allocate", dtype, t->rank, t->shape);
}

rille_tensor *rl_view(rille_tensor *t)
{
    t->storage->references++;
    rille_tensor *view = new_tensor(t->context, t->storage);
    if (view == NULL)
        return NULL;
    view->dtype = t->dtype;
    view->rank = t->rank;
    view->numel = t->numel;
    view->offset = t->offset;
    memcpy(view->shape, t->shape, sizeof t->shape);
    memcpy(view->stride, t->stride, sizeof t->stride);
    return view;
}

rille_tensor *rl_adopt(rille_tensor *t)
{
    if (t->scope != NULL)
        return NULL;
    link_handle(t, innermost(t->context));
    return rl_retain(t);
}

void rl_shape_changed(rille_tensor *t)
{
    t->numel = 1;
    for (int d = 0; d < t->rank; d++)
        t->numel *= t->shape[d];
}

rille_context *rl_enter(const char *operation, rl_list inputs)
{
    return rl_enter_many(operation, inputs.count, inputs.item);
}

rille_context *rl_enter_many(const char *operation, int count, rille_tensor *const *inputs)
{
    rille_context *cx = NULL;
    int missing = -1;
    for (int i = 0; i < count; i++) {
        if (inputs[i] == NULL)
            missing = i;
        else if (cx == NULL)
            cx = inputs[i]->context;
        else if (cx != inputs[i]->context) {
            rl_fail(cx, RILLE_ERROR_ARGUMENT, "%s: its tensors belong to different contexts", operation);
            return NULL;
        }
    }
    if (missing >= 0 && cx != NULL)
        rl_fail(cx, RILLE_ERROR_NULL, "%s: input %d is NULL", operation, missing + 1);
    return missing >= 0 ? NULL : cx;
}

/* ---- Looking at tensors ---- */

rille_context *rille_context_of(const rille_tensor *t)
{
    return t == NULL ? NULL : t->context;
}

rille_dtype rille_dtype_of(const rille_tensor *t)
{
    return t == NULL ? RILLE_FLOAT32 : t->dtype;
}

int rille_rank(const rille_tensor *t)
{
    return t == NULL ? 0 : t->rank;
}

const int64_t *rille_shape(const rille_tensor *t)
{
    return t == NULL ? NULL : t->shape;
}

const int64_t *rille_strides(const rille_tensor *t)
{
    return t == NULL ? NULL : t->stride;
}

int64_t rille_numel(const rille_tensor *t)
{
    return t == NULL ? 0 : t->numel;
}

bool rille_is_contiguous(const rille_tensor *t)
{
    if (t == NULL)
        return false;
    int64_t expected = 1;
    for (int d = t->rank - 1; d >= 0; d--) {
        if (t->shape[d] != 1 && t->stride[d] != expected)
            return t->numel == 0;
        expected *= t->shape[d];
    }
    return true;
}

void *rille_data(rille_tensor *t)
{
    return t == NULL ? NULL : rl_data(t);
}

void rille_touch(rille_tensor *t)
{
    if (t != NULL)
        t->storage->version++;
}

double rille_item(const rille_tensor *t)
{
    if (t == NULL)
        return NAN;
    if (t->numel != 1) {
        rl_fail(t->context, RILLE_ERROR_SHAPE, "item: a tensor of shape %s has %lld elements, not one", RL_SHAPE(t),
                (long long)t->numel);
        return NAN;
    }
    const void *p = rl_data(t);
    switch (t->dtype) {
    case RILLE_FLOAT32: return *(const float *)p;
    case RILLE_FLOAT64: return *(const double *)p;
    case RILLE_INT64: return (double)*(const int64_t *)p;
    case RILLE_UINT8: return *(const uint8_t *)p;
    case RILLE_BOOL: return *(const bool *)p;
    }
    return NAN;
}
