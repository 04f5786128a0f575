/* t[i], t[{1, {2, 5}}], t[mask], assignment, t.name, t:item(), t:totable(). */
#include "bindings.h"

#include <string.h>

/* ---- What an index selects ---- */

typedef enum kind { NUMBER, RANGE, TENSOR } kind; /* the dimension goes away; a part of it; picked by an index or a mask */

typedef struct part {
    kind kind;
    int64_t start, length, step; /* of a number and a range */
    int at, dims;                /* of a tensor: where it lies on the stack, and how many dimensions it is for */
} part;

typedef struct selection {
    int count;
    part parts[RILLE_MAX_RANK];
    bool element; /* every dimension is selected by a number */
    bool tensors; /* one at least is by a tensor */
} selection;

/* The range {first, last [, step]} at the top, {} for all of it or {i} for i ... i, of the dimension `dim` of this size. */
static part read_range(lua_State *L, int dim, int64_t size)
{
    lua_Unsigned n = lua_rawlen(L, -1);
    const char *stray = rlua_stray_key(L, -1);
    if (stray != NULL || n > 3)
        rlua_raise(L, "index %d: a range is {first, last} or {first, last, step}, {} for all", dim + 1);
    if (n == 0)
        return (part){RANGE, 0, size, 1, 0, 1};
    lua_rawgeti(L, -1, 1);
    lua_rawgeti(L, -2, n == 1 ? 1 : 2);
    lua_rawgeti(L, -3, 3);
    int64_t first = rlua_position(L, -3, 0, dim, size), last = rlua_position(L, -2, 0, dim, size);
    int64_t step = n < 3 ? 1 : rlua_integer(L, -1, 0, "step");
    lua_pop(L, 3);
    if (step == 0)
        rlua_raise(L, "index %d: a step of 0 leads nowhere", dim + 1);
    if (step > 0 ? last < first : last > first)
        rlua_raise(L, "index %d: the range from %I%s ends before it starts, at %I", dim + 1, (LUAI_UACINT)first + 1,
                   step == 1 ? "" : lua_pushfstring(L, " in steps of %I", (LUAI_UACINT)step), (LUAI_UACINT)last + 1);
    return (part){RANGE, first, (last - first) / step + 1, step, 0, 1};
}

/* The tensor at the top, int64 or bool, which is replaced where it has to be converted. Stays on the stack. */
static part read_tensor(lua_State *L)
{
    luaL_checkstack(L, LUA_MINSTACK, "too many indices");
    if (rlua_box(L, -1)->tensor == NULL)
        rlua_raise(L, "the index is a tensor that was freed");
    if (rille_dtype_of(rlua_box(L, -1)->tensor) != RILLE_BOOL) {
        rlua_indices_at(L, lua_gettop(L), 0, "index");
        lua_replace(L, -2);
    }
    const rille_tensor *t = rlua_box(L, -1)->tensor;
    return (part){TENSOR, 0, 0, 0, lua_gettop(L), rille_dtype_of(t) == RILLE_BOOL ? rille_rank(t) : 1};
}

/* Adds the value at the top, an index of dimension `dim` of the tensor at argument 1, to s. Pops it but for a tensor. */
static void add_part(lua_State *L, selection *s, int dim)
{
    part *p = &s->parts[s->count++];
    if (rlua_box(L, -1) != NULL) {
        *p = read_tensor(L);
        s->tensors = true;
        return;
    }
    int64_t size = rille_shape(rlua_check_tensor(L, 1))[dim];
    if (lua_type(L, -1) == LUA_TTABLE)
        *p = read_range(L, dim, size);
    else
        *p = (part){NUMBER, rlua_position(L, -1, 0, dim, size), 1, 1, 0, 1};
    lua_pop(L, 1);
}

static void check_room(lua_State *L, lua_Unsigned count)
{
    const rille_tensor *t = rlua_check_tensor(L, 1);
    int rank = rille_rank(t);
    if (rank == 0 && lua_type(L, 2) != LUA_TTABLE)
        rlua_raise(L, "a tensor of rank 0 has no dimension to index; t:item() is its number");
    if (count > (lua_Unsigned)rank)
        rlua_raise(L, "%I are too many indices for shape %s", (LUAI_UACINT)count, rlua_shape_text(L, rank, rille_shape(t)));
}

/* The index at argument 2 of the tensor at argument 1. Allocates only where it raises, or for tensors, which stay on the stack. */
static selection read_selection(lua_State *L)
{
    selection s = {.count = 0};
    int type = lua_type(L, 2), dims = 0;
    if (type == LUA_TNUMBER || rlua_box(L, 2) != NULL) {
        check_room(L, 1);
        lua_pushvalue(L, 2);
        add_part(L, &s, 0);
        dims = s.parts[0].dims;
    } else {
        if (type != LUA_TTABLE)
            rlua_raise(L, "a tensor is indexed by an integer, a table or a tensor, got %s", rlua_type_name(L, 2));
        lua_Unsigned count = lua_rawlen(L, 2);
        const char *stray = rlua_stray_key(L, 2);
        if (stray != NULL)
            rlua_raise(L, "unexpected key '%s' in an index", stray);
        check_room(L, count);
        for (int i = 0; i < (int)count; i++) {
            check_room(L, (lua_Unsigned)dims + 1);
            lua_rawgeti(L, 2, i + 1);
            add_part(L, &s, dims);
            dims += s.parts[i].dims;
        }
    }
    check_room(L, (lua_Unsigned)dims);
    s.element = dims == rille_rank(rlua_check_tensor(L, 1));
    for (int i = 0; i < s.count; i++)
        s.element = s.element && s.parts[i].kind == NUMBER;
    return s;
}

/* A view of what numbers and ranges select; t itself where that is all. */
static rille_tensor *view_of(rille_tensor *t, const selection *s)
{
    rille_tensor *view = t;
    int dim = 0;
    for (int i = 0; i < s->count && view != NULL; i++) {
        const part *p = &s->parts[i];
        bool whole = p->kind == RANGE && p->step == 1 && p->length == rille_shape(view)[dim];
        if (whole || p->kind == TENSOR) {
            dim += p->dims;
            continue;
        }
        rille_tensor *next =
            p->kind == NUMBER ? rille_select(view, dim, p->start) : rille_slice(view, dim, p->start, p->length, p->step);
        dim += p->kind == RANGE;
        if (view != t)
            rille_free(view);
        view = next;
    }
    return view;
}

/* What the engine is to do with the dimensions of that view: NULL for those left whole. Returns how many. */
static int list_tensors(lua_State *L, const selection *s, rille_tensor **index)
{
    int count = 0;
    for (int i = 0; i < s->count; i++)
        if (s->parts[i].kind != NUMBER)
            index[count++] = s->parts[i].kind == TENSOR ? rlua_check_tensor(L, s->parts[i].at) : NULL;
    return count;
}

/* Where the one element that is selected lies. */
static void *element_of(rille_tensor *t, const selection *s)
{
    int64_t offset = 0;
    for (int d = 0; d < s->count; d++)
        offset += s->parts[d].start * rille_strides(t)[d]; /* numbers, one a dimension */
    return (char *)rille_data(t) + offset * (int64_t)rille_dtype_size(rille_dtype_of(t));
}

static void push_element(lua_State *L, rille_dtype dtype, const void *element)
{
    switch (dtype) {
    case RILLE_FLOAT32: lua_pushnumber(L, *(const float *)element); break;
    case RILLE_FLOAT64: lua_pushnumber(L, *(const double *)element); break;
    case RILLE_INT64: lua_pushinteger(L, *(const int64_t *)element); break;
    case RILLE_UINT8: lua_pushinteger(L, *(const uint8_t *)element); break;
    case RILLE_BOOL: lua_pushboolean(L, *(const bool *)element); break;
    }
}

static int push_selected(lua_State *L)
{
    rlua_check_tensor(L, 1);
    selection s = read_selection(L);
    if (s.element) {
        rille_tensor *t = rlua_check_tensor(L, 1);
        push_element(L, rille_dtype_of(t), element_of(t, &s));
        return 1;
    }
    rlua_tensor *box = rlua_new(L);
    rille_tensor *index[RILLE_MAX_RANK];
    int count = list_tensors(L, &s, index);
    rille_tensor *t = rlua_check_tensor(L, 1), *view = view_of(t, &s), *made = view;
    if (view != NULL && s.tensors)
        made = rille_index(view, count, index);
    else if (view == t)
        made = rille_reshape(t, rille_rank(t), rille_shape(t));
    if (view != t && view != made)
        rille_free(view);
    rlua_finish(L, box, made);
    return 1;
}

/* ---- t.name ---- */

static int push_gradient(lua_State *L)
{
    if (rille_gradient(rlua_check_tensor(L, 1)) == NULL) {
        lua_pushnil(L);
        return 1;
    }
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_detach(rille_gradient(rlua_check_tensor(L, 1))));
    return 1;
}

/* __index: methods first, then grad, then elements. The methods are an upvalue. */
static int get(lua_State *L)
{
    if (lua_type(L, 2) != LUA_TSTRING)
        return push_selected(L);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(RLUA_EXTRA)) != LUA_TNIL)
        return 1;
    const char *name = lua_tostring(L, 2);
    if (strcmp(name, "grad") == 0)
        return push_gradient(L);
    const char *nearest = rlua_nearest_key(L, name, lua_upvalueindex(RLUA_EXTRA));
    static const char *const fields[] = {"grad", NULL};
    if (nearest == NULL)
        nearest = rlua_nearest(name, fields);
    rlua_raise(L, "no '%s' in tensor%s", name, rlua_did_you_mean(L, nearest));
}

/* ---- Assignment ---- */

/* Writes are not recorded. Where that would leave gradients wrong without notice, it is an error. */
static void check_writable(lua_State *L, const rille_tensor *into, const rille_tensor *from)
{
    if (!rille_grad_enabled(rlua_context(L)))
        return;
    if (rille_requires_grad(into) && !rille_is_leaf(into))
        rlua_raise(L, "a write into the result of a recorded operation would make its gradient wrong; "
                      "write inside rille.no_grad or into t:detach():clone()");
    if (from != NULL && rille_requires_grad(from))
        rlua_raise(L, "a write is not recorded, so its source would lose its gradient; "
                      "write source:detach() or inside rille.no_grad");
}

/* Writes the number or tensor at argument `value` into what is selected. */
static void write_selected(lua_State *L, const selection *s, int value)
{
    rlua_tensor *from = rlua_box(L, value);
    if (from != NULL)
        rlua_check_tensor(L, value);
    rille_tensor *index[RILLE_MAX_RANK];
    int count = list_tensors(L, s, index);
    rille_tensor *into = rlua_check_tensor(L, 1);
    check_writable(L, into, from == NULL ? NULL : from->tensor);
    rille_tensor *source = from == NULL ? rlua_scalar(L, value, value, rille_dtype_of(into)) : from->tensor;
    rille_context *cx = rlua_context(L);
    bool enabled = rille_set_grad_enabled(cx, false); /* the view is not recorded either */
    rille_tensor *view = view_of(into, s);
    rille_status status = RILLE_ERROR_NULL;
    if (view != NULL && source != NULL)
        status = s->tensors ? rille_index_put(view, count, index, source) : rille_copy(view, source);
    rille_set_grad_enabled(cx, enabled);
    if (view != into)
        rille_free(view);
    if (from == NULL)
        rille_free(source);
    rlua_check(L, status);
}

static void assign_selected(lua_State *L)
{
    rlua_check_tensor(L, 1);
    selection s = read_selection(L);
    int type = lua_type(L, 3);
    bool is_number = type == LUA_TNUMBER || type == LUA_TBOOLEAN;
    if (!is_number && rlua_box(L, 3) == NULL)
        rlua_raise(L, "number or tensor expected as the value, got %s", rlua_type_name(L, 3));
    if (!s.element || !is_number) {
        write_selected(L, &s, 3);
        return;
    }
    rille_tensor *t = rlua_check_tensor(L, 1);
    check_writable(L, t, NULL);
    int64_t value = 0;
    const char *wrong = rlua_store(L, 3, rille_dtype_of(t), &value);
    if (wrong != NULL)
        rlua_raise(L, "%s", wrong);
    memcpy(element_of(t, &s), &value, rille_dtype_size(rille_dtype_of(t)));
    rille_touch(t);
}

static void assign_gradient(lua_State *L)
{
    rille_tensor *gradient = NULL;
    rille_tensor *t = rlua_check_tensor(L, 1);
    if (!lua_isnil(L, 3)) {
        if (rlua_box(L, 3) == NULL)
            rlua_raise(L, "grad is a tensor or nil, got %s", rlua_type_name(L, 3));
        gradient = rlua_check_tensor(L, 3);
    }
    rlua_check(L, rille_set_gradient(t, gradient));
}

/* __newindex */
static int set(lua_State *L)
{
    if (lua_type(L, 2) != LUA_TSTRING) {
        assign_selected(L);
        return 0;
    }
    const char *name = lua_tostring(L, 2);
    static const char *const fields[] = {"grad", NULL};
    if (strcmp(name, "grad") != 0)
        rlua_raise(L, "no '%s' to assign in tensor%s", name, rlua_did_you_mean(L, rlua_nearest(name, fields)));
    assign_gradient(L);
    return 0;
}

/* t:copy_(other): other's elements, broadcast and converted, into t */
static int copy(lua_State *L)
{
    static const selection all = {.count = 0};
    rlua_arguments(L, 2);
    rlua_check_tensor(L, 1);
    if (rlua_box(L, 2) == NULL)
        rlua_bad_type(L, 2, "tensor");
    write_selected(L, &all, 2);
    lua_settop(L, 1);
    return 1;
}

/* t:fill_(number) */
static int fill(lua_State *L)
{
    static const selection all = {.count = 0};
    rlua_arguments(L, 2);
    rlua_check_tensor(L, 1);
    if (lua_type(L, 2) != LUA_TNUMBER && lua_type(L, 2) != LUA_TBOOLEAN)
        rlua_bad_type(L, 2, "number");
    write_selected(L, &all, 2);
    lua_settop(L, 1);
    return 1;
}

/* ---- Out to Lua ---- */

/* t:item(): the one element */
static int item(lua_State *L)
{
    rille_tensor *t = rlua_check_tensor(L, 1);
    if (rille_numel(t) != 1)
        rlua_raise(L, "item: one element expected, got shape %s", rlua_shape_text(L, rille_rank(t), rille_shape(t)));
    push_element(L, rille_dtype_of(t), rille_data(t));
    return 1;
}

typedef struct reader {
    rille_dtype dtype;
    int rank;
    int64_t shape[RILLE_MAX_RANK];
    const char *next;
} reader;

enum { MOST_IN_A_TABLE = 1 << 30 };

static void push_table(lua_State *L, reader *r, int depth)
{
    if (depth == r->rank) {
        push_element(L, r->dtype, r->next);
        r->next += rille_dtype_size(r->dtype);
        return;
    }
    if (r->shape[depth] > MOST_IN_A_TABLE)
        rlua_raise(L, "totable: dimension %d of size %I is too large for a table", depth + 1, (LUAI_UACINT)r->shape[depth]);
    lua_createtable(L, (int)r->shape[depth], 0);
    for (int64_t i = 1; i <= r->shape[depth]; i++) {
        push_table(L, r, depth + 1);
        lua_rawseti(L, -2, i);
    }
}

/* t:totable(): nested tables of numbers (booleans where t is bool); a number where t has rank 0 */
static int totable(lua_State *L)
{
    luaL_checkstack(L, 2 * RILLE_MAX_RANK, "nested tables");
    const rille_tensor *t = rlua_check_tensor(L, 1);
    reader r = {.dtype = rille_dtype_of(t), .rank = rille_rank(t)};
    memcpy(r.shape, rille_shape(t), (size_t)r.rank * sizeof r.shape[0]);
    void *elements = rlua_buffer(L, rille_numel(t), rille_dtype_size(r.dtype)); /* the script may free t meanwhile */
    t = rlua_check_tensor(L, 1);
    rlua_check(L, rille_copy_out(t, r.dtype, elements));
    r.next = elements;
    push_table(L, &r, 0);
    return 1;
}

const luaL_Reg rlua_index_metamethods[] = {{"__index", get}, {"__newindex", set}, {NULL, NULL}};
const luaL_Reg rlua_index_both[] = {
    {"copy_", copy}, {"fill_", fill}, {"item", item}, {"totable", totable}, {NULL, NULL},
};
