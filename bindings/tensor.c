/* The tensor's userdata: its life, rille.scope, and lists of tensors. */
#include "bindings.h"

rlua_state *rlua_state_of(lua_State *L)
{
    rlua_state *state = lua_touserdata(L, lua_upvalueindex(RLUA_STATE));
    if (state->context == NULL)
        rlua_raise(L, "rille is closed: the Lua state is ending");
    state->running = L;
    return state;
}

rille_context *rlua_context(lua_State *L)
{
    return rlua_state_of(L)->context;
}

/* ---- Life ---- */

static void enter_scope(rlua_scope *scope, rlua_tensor *box)
{
    box->scope = scope;
    if (scope == NULL)
        return;
    box->previous = NULL;
    box->next = scope->first;
    if (box->next != NULL)
        box->next->previous = box;
    scope->first = box;
}

static void leave_scope(rlua_tensor *box)
{
    if (box->scope == NULL)
        return;
    if (box->previous != NULL)
        box->previous->next = box->next;
    else
        box->scope->first = box->next;
    if (box->next != NULL)
        box->next->previous = box->previous;
    box->scope = NULL;
}

static void end_tensor(const rlua_state *state, rlua_tensor *box, rlua_end end)
{
    leave_scope(box);
    if (box->tensor == NULL)
        return;
    if (state->context != NULL) /* else it has ended with the context */
        rille_free(box->tensor);
    box->tensor = NULL;
    box->end = end;
}

/* ---- Making and checking ---- */

rlua_tensor *rlua_new(lua_State *L)
{
    rlua_tensor *box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = (rlua_tensor){.end = RLUA_FREED};
    lua_pushvalue(L, lua_upvalueindex(RLUA_METATABLE));
    lua_setmetatable(L, -2);
    return box;
}

enum { STEP_GROWTH = 2 << 20, COLLECT_GROWTH = 16 << 20 };

/* Moves *at down to where the bytes have grown by so many from what they are now. */
static void set_due(size_t *at, size_t current, size_t growth)
{
    if (current + growth < *at)
        *at = current + growth;
}

/* Lua sees a few bytes where a tensor holds many. So the collector is also run whenever the bytes in tensors have grown,
 * since it last ran or since they were fewest after that, by as much as there were, and by 16 MiB at least. It takes a step
 * whenever they have grown by an eighth, and by 2 MiB at least: where it is generational (the lua command's is), that frees
 * what the last training step has left, and the next one finds memory that is in cache. */
static void collect_where_due(lua_State *L, rlua_state *state)
{
    size_t current = rille_memory_usage(state->context).current;
    if (current > state->step_at && lua_gc(L, LUA_GCISRUNNING)) {
        const bool whole = current > state->collect_at;
        lua_gc(L, whole ? LUA_GCCOLLECT : LUA_GCSTEP, 0);
        current = rille_memory_usage(state->context).current;
        state->step_at = SIZE_MAX;
        state->collect_at = whole ? SIZE_MAX : state->collect_at;
    }
    set_due(&state->step_at, current, current / 8 > STEP_GROWTH ? current / 8 : STEP_GROWTH);
    set_due(&state->collect_at, current, current > COLLECT_GROWTH ? current : COLLECT_GROWTH);
}

void rlua_finish(lua_State *L, rlua_tensor *box, rille_tensor *made)
{
    if (made == NULL)
        rlua_raise_engine(L);
    rlua_state *state = lua_touserdata(L, lua_upvalueindex(RLUA_STATE));
    box->tensor = rille_keep(made);
    enter_scope(state->scope, box);
    collect_where_due(L, state);
}

void rlua_finish_all(lua_State *L, int count, rlua_tensor *const *boxes, rille_tensor *const *made)
{
    for (int i = 0; i < count && made[0] != NULL; i++)
        boxes[i]->tensor = rille_keep(made[i]); /* before the collector may run */
    for (int i = 0; i < count; i++)
        rlua_finish(L, boxes[i], made[i]);
}

rlua_tensor *rlua_box(lua_State *L, int index)
{
    void *block = lua_touserdata(L, index);
    if (block == NULL || !lua_getmetatable(L, index))
        return NULL;
    bool is_tensor = lua_rawequal(L, -1, lua_upvalueindex(RLUA_METATABLE));
    lua_pop(L, 1);
    return is_tensor ? block : NULL;
}

const char *rlua_why_freed(const rlua_tensor *box)
{
    return box->end == RLUA_SCOPE_ENDED
               ? "tensor was freed when its rille.scope ended; return it from there or give it to rille.keep"
               : "tensor was freed";
}

rlua_tensor *rlua_check_box(lua_State *L, int argument)
{
    rlua_tensor *box = rlua_box(L, argument);
    if (box == NULL && argument == 1 && lua_isnone(L, 1))
        rlua_bad_argument(L, 1, "tensor expected, got no value; methods are called with ':'");
    if (box == NULL)
        rlua_bad_type(L, argument, "tensor");
    else if (box->tensor == NULL)
        rlua_bad_argument(L, argument, "%s", rlua_why_freed(box));
    rlua_state_of(L); /* a tensor made while the Lua state ends may outlive the context */
    return box;
}

rille_tensor *rlua_check_tensor(lua_State *L, int argument)
{
    return rlua_check_box(L, argument)->tensor;
}

void *rlua_buffer(lua_State *L, int64_t count, size_t size)
{
    if ((uint64_t)count > SIZE_MAX / 2 / size)
        rlua_raise(L, "not enough memory for %I elements", (LUAI_UACINT)count);
    return lua_newuserdatauv(L, (size_t)count * size, 0);
}

void rlua_arguments(lua_State *L, int count)
{
    if (lua_gettop(L) == 0)
        rlua_check_box(L, 1);
    lua_settop(L, count);
}

/* ---- Lists ---- */

enum { LONGEST_LIST = 1 << 20 };

rlua_list rlua_list_empty(lua_State *L, int count)
{
    rlua_list list = {0, 0, count, NULL};
    list.item = rlua_buffer(L, count, sizeof(void *));
    return list;
}

rlua_list rlua_list_new(lua_State *L, int index, int argument)
{
    int count = 1;
    if (lua_type(L, index) == LUA_TTABLE) {
        lua_Unsigned length = lua_rawlen(L, index);
        if (length > LONGEST_LIST)
            rlua_bad_argument(L, argument, "a list of %I tensors is too long", (LUAI_UACINT)length);
        count = (int)length;
    } else if (rlua_box(L, index) == NULL) {
        rlua_bad_argument(L, argument, "tensor or list of tensors expected, got %s", rlua_type_name(L, index));
    }
    rlua_list list = rlua_list_empty(L, count);
    list.index = index;
    list.argument = argument;
    return list;
}

rlua_tensor *rlua_list_box(lua_State *L, const rlua_list *list, int i)
{
    if (lua_type(L, list->index) != LUA_TTABLE)
        return rlua_box(L, list->index);
    lua_rawgeti(L, list->index, i + 1);
    rlua_tensor *box = rlua_box(L, -1);
    if (box == NULL)
        rlua_bad_argument(L, list->argument, "[%d]: tensor expected, got %s", i + 1, rlua_type_name(L, -1));
    lua_pop(L, 1);
    return box;
}

void rlua_list_fill(lua_State *L, const rlua_list *list)
{
    bool is_table = lua_type(L, list->index) == LUA_TTABLE;
    for (int i = 0; i < list->count; i++) {
        const rlua_tensor *box = rlua_list_box(L, list, i);
        if (box->tensor == NULL && is_table)
            rlua_bad_argument(L, list->argument, "[%d]: %s", i + 1, rlua_why_freed(box));
        if (box->tensor == NULL)
            rlua_bad_argument(L, list->argument, "%s", rlua_why_freed(box));
        list->item[i] = box->tensor;
    }
    rlua_state_of(L);
}

void rlua_list_boxes(lua_State *L, int count)
{
    lua_createtable(L, count, 0);
    for (int i = 1; i <= count; i++) {
        rlua_new(L);
        lua_rawseti(L, -2, i);
    }
}

static rlua_tensor *list_box(lua_State *L, int i) /* of the list at the top, i from 1 */
{
    lua_rawgeti(L, -1, i);
    rlua_tensor *box = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return box;
}

void rlua_list_finish(lua_State *L, const rlua_list *made)
{
    for (int i = 0; i < made->count; i++) /* before the collector may run */
        if (made->item[i] != NULL)
            list_box(L, i + 1)->tensor = rille_keep(made->item[i]);
    for (int i = 0; i < made->count; i++)
        if (made->item[i] != NULL) {
            rlua_finish(L, list_box(L, i + 1), made->item[i]);
        } else {
            lua_pushnil(L);
            lua_rawseti(L, -2, i + 1);
        }
}

/* ---- Calls of a script's function ---- */

#define GUARD "rille.guard"

static void leave_once(rlua_guard *guard)
{
    void (*leave)(rlua_guard *) = guard->leave;
    guard->leave = NULL;
    if (leave != NULL)
        leave(guard);
}

static int close_guard(lua_State *L)
{
    rlua_guard *guard = luaL_testudata(L, 1, GUARD);
    if (guard != NULL)
        leave_once(guard);
    return 0;
}

static rlua_guard *new_guard(lua_State *L)
{
    rlua_guard *guard = lua_newuserdatauv(L, sizeof *guard, 0);
    *guard = (rlua_guard){.state = rlua_state_of(L)};
    if (luaL_newmetatable(L, GUARD)) {
        lua_pushcfunction(L, close_guard);
        lua_setfield(L, -2, "__close");
    }
    lua_setmetatable(L, -2);
    return guard;
}

/* On the main thread an error passes through a to-be-closed variable, so that a traceback still shows where it came from.
 * A coroutine that fails keeps its variables open until somebody closes it: there, the error is caught and raised anew. */
int rlua_call_guarded(lua_State *L, void (*enter)(rlua_guard *), void (*leave)(rlua_guard *))
{
    int arguments = lua_gettop(L) - 1;
    if (lua_type(L, 1) != LUA_TFUNCTION && luaL_getmetafield(L, 1, "__call") == LUA_TNIL)
        rlua_bad_type(L, 1, "function");
    lua_settop(L, 1 + arguments);
    rlua_guard *guard = new_guard(L);
    lua_insert(L, 1);
    lua_toclose(L, 1);
    bool main_thread = lua_pushthread(L);
    lua_pop(L, 1);
    enter(guard);
    guard->leave = leave;
    if (main_thread) {
        lua_call(L, arguments, LUA_MULTRET);
    } else if (lua_pcall(L, arguments, LUA_MULTRET, 0) != LUA_OK) {
        leave_once(guard);
        lua_error(L);
    }
    return lua_gettop(L) - 1;
}

static void begin_scope(rlua_guard *guard)
{
    guard->scope = (rlua_scope){NULL, guard->state->scope};
    guard->state->scope = &guard->scope;
}

static void end_scope(rlua_guard *guard)
{
    while (guard->scope.first != NULL)
        end_tensor(guard->state, guard->scope.first, RLUA_SCOPE_ENDED);
    guard->state->scope = guard->scope.outer;
}

/* rille.scope(f, ...): f's results */
static int scope(lua_State *L)
{
    int results = rlua_call_guarded(L, begin_scope, end_scope);
    const rlua_state *state = rlua_state_of(L);
    for (int i = 1; i <= results; i++) {
        rlua_tensor *box = rlua_box(L, -i);
        if (box != NULL && box->scope == state->scope) {
            leave_scope(box);
            enter_scope(state->scope->outer, box);
        }
    }
    return results;
}

/* rille.keep(t): t, which no rille.scope frees any more */
static int keep(lua_State *L)
{
    leave_scope(rlua_check_box(L, 1));
    lua_settop(L, 1);
    return 1;
}

/* t:free(), and t's __close */
static int free_tensor(lua_State *L)
{
    rlua_tensor *box = rlua_box(L, 1);
    if (box == NULL)
        rlua_check_box(L, 1);
    else if (box->pinned > 0)
        rlua_raise(L, "tensor is in use by a call that is still running");
    else
        end_tensor(lua_touserdata(L, lua_upvalueindex(RLUA_STATE)), box, RLUA_FREED);
    return 0;
}

static int is_tensor(lua_State *L)
{
    lua_pushboolean(L, rlua_box(L, 1) != NULL);
    return 1;
}

/* As long as it is, if it fits; so it is asked twice. */
static int text(lua_State *L)
{
    rlua_arguments(L, 1);
    const rlua_tensor *box = rlua_box(L, 1);
    if (box != NULL && box->tensor == NULL) {
        lua_pushliteral(L, "tensor (freed)");
        return 1;
    }
    char few[512];
    size_t length = rille_print(rlua_check_tensor(L, 1), few, sizeof few);
    if (length < sizeof few) {
        lua_pushlstring(L, few, length);
        return 1;
    }
    luaL_Buffer buffer;
    char *room = luaL_buffinitsize(L, &buffer, length + 1);
    rille_print(rlua_check_tensor(L, 1), room, length + 1);
    luaL_pushresultsize(&buffer, length);
    return 1;
}

static int length(lua_State *L)
{
    const rille_tensor *t = rlua_check_tensor(L, 1);
    if (rille_rank(t) == 0)
        rlua_raise(L, "a tensor of rank 0 has no length");
    lua_pushinteger(L, rille_shape(t)[0]);
    return 1;
}

const luaL_Reg rlua_lifetime_metamethods[] = {
    {"__close", free_tensor}, {"__gc", free_tensor}, {"__len", length}, {"__tostring", text}, {NULL, NULL},
};
const luaL_Reg rlua_lifetime_both[] = {{"free", free_tensor}, {"keep", keep}, {NULL, NULL}};
const luaL_Reg rlua_lifetime_functions[] = {{"is_tensor", is_tensor}, {"scope", scope}, {NULL, NULL}};
