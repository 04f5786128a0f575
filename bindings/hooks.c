/* Hooks: a script's functions on the gradients of a tensor. */
#include "bindings.h"

/* The engine's `user`, kept by the function that the registry holds at `reference`. */
typedef struct hook {
    rlua_state *state;
    lua_State *main; /* the thread that lives as long as the Lua state */
    int reference;
} hook;

enum { FUNCTION = RLUA_EXTRA }; /* an upvalue of run_hook */

/* Called with a gradient as light userdata: the script's function on it, and what that returns. */
static int run_hook(lua_State *L)
{
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, lua_touserdata(L, 1));
    lua_pushvalue(L, lua_upvalueindex(FUNCTION));
    lua_insert(L, -2);
    lua_call(L, 1, 1);
    const rlua_tensor *returned = rlua_box(L, -1);
    if (!lua_isnil(L, -1) && (returned == NULL || returned->tensor == NULL))
        rlua_raise(L, "a hook must return a tensor or nothing, got %s",
                   returned == NULL ? rlua_type_name(L, -1) : "a tensor that was freed");
    return 1;
}

/* In the engine, which runs on behalf of the function that is on top of the running thread: nothing here may raise. */
static rille_tensor *call_hook(rille_tensor *gradient, void *user)
{
    const hook *h = user;
    lua_State *L = h->state->running;
    rille_context *cx = rille_context_of(gradient);
    if (!lua_checkstack(L, LUA_MINSTACK)) {
        rille_fail(cx, "hook: Lua's stack is full");
        return NULL;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, h->reference);
    lua_pushlightuserdata(L, gradient);
    rlua_state *state = h->state;
    int status = lua_pcall(L, 1, 1, 0);
    state->running = L;
    if (status != LUA_OK) {
        state->hook_error = lua_gettop(L);
        rille_fail(cx, "a hook failed");
        return NULL;
    }
    const rlua_tensor *box = rlua_box(L, -1);
    rille_tensor *t = box == NULL ? NULL : box->tensor;
    if (t != NULL)
        t = rille_reshape(t, rille_rank(t), rille_shape(t)); /* a handle that the script cannot free meanwhile */
    lua_pop(L, 1);
    return t;
}

static void release_hook(void *user)
{
    const hook *h = user;
    if (lua_checkstack(h->main, LUA_MINSTACK))
        luaL_unref(h->main, LUA_REGISTRYINDEX, h->reference);
}

/* The handle's remove: upvalues are the tensor and the hook. */
static int remove_hook(lua_State *L)
{
    const rlua_tensor *box = lua_touserdata(L, lua_upvalueindex(RLUA_EXTRA));
    if (box->tensor != NULL && rlua_state_of(L)->context != NULL)
        rille_remove_hook(box->tensor, lua_touserdata(L, lua_upvalueindex(RLUA_EXTRA + 1)));
    return 0;
}

/* Pushes a function with the three upvalues that all have, and the two values at these indices. */
static void push_function(lua_State *L, lua_CFunction function, int first, int second)
{
    for (int i = RLUA_STATE; i <= RLUA_NAME; i++)
        lua_pushvalue(L, lua_upvalueindex(i));
    lua_pushvalue(L, first);
    lua_pushvalue(L, second);
    lua_pushcclosure(L, function, RLUA_EXTRA + 1);
}

/* t:register_hook(f): f(gradient) is called in each backward and rille.grad with the whole gradient of t, and may return another
 * for its place. Returns a handle: handle:remove() ends it. */
static int register_hook(lua_State *L)
{
    rlua_arguments(L, 2);
    rlua_check_box(L, 1);
    if (lua_type(L, 2) != LUA_TFUNCTION)
        rlua_bad_type(L, 2, "function");
    hook *h = lua_newuserdatauv(L, sizeof *h, 0); /* index 3 */
    *h = (hook){.state = rlua_state_of(L)};
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    h->main = lua_tothread(L, -1);
    lua_createtable(L, 0, 1);
    push_function(L, remove_hook, 1, 3);
    lua_setfield(L, -2, "remove");
    push_function(L, run_hook, 2, 3);
    h->reference = luaL_ref(L, LUA_REGISTRYINDEX);
    rille_status status = rille_add_hook(rlua_check_tensor(L, 1), call_hook, h, release_hook);
    if (status != RILLE_OK)
        release_hook(h);
    rlua_check(L, status);
    return 1;
}

const luaL_Reg rlua_hooks_both[] = {{"register_hook", register_hook}, {NULL, NULL}};
