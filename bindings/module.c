/* luaopen_rille: the module's table, the tensors' metatable, and the context of the Lua state. */
#include "bindings.h"

#include <string.h>

__attribute__((visibility("default"))) int luaopen_rille(lua_State *L);

/* The functions by topic, and where they go. */
enum { FUNCTION = 1, METHOD = 2, METAMETHOD = 4 };
static const struct {
    const luaL_Reg *list;
    int faces;
} topics[] = {
    {rlua_arithmetic_both, FUNCTION | METHOD},
    {rlua_arithmetic_metamethods, METAMETHOD},
    {rlua_autograd_both, FUNCTION | METHOD},
    {rlua_autograd_functions, FUNCTION},
    {rlua_construct_functions, FUNCTION},
    {rlua_context_functions, FUNCTION},
    {rlua_hooks_both, FUNCTION | METHOD},
    {rlua_index_both, FUNCTION | METHOD},
    {rlua_joining_both, FUNCTION | METHOD},
    {rlua_joining_functions, FUNCTION},
    {rlua_lifetime_both, FUNCTION | METHOD},
    {rlua_lifetime_functions, FUNCTION},
    {rlua_lifetime_metamethods, METAMETHOD},
    {rlua_measure_functions, FUNCTION},
    {rlua_probe_functions, FUNCTION},
    {rlua_reduction_both, FUNCTION | METHOD},
    {rlua_selection_both, FUNCTION | METHOD},
    {rlua_shape_both, FUNCTION | METHOD},
    {rlua_window_both, FUNCTION | METHOD},
    {rlua_normalisation_both, FUNCTION | METHOD},
    {rlua_order_both, FUNCTION | METHOD},
    {rlua_losses_both, FUNCTION | METHOD},
    {rlua_recurrence_functions, FUNCTION},
    {rlua_layer_both, FUNCTION | METHOD},
    {rlua_decomposition_both, FUNCTION | METHOD},
    {rlua_optim_functions, FUNCTION},
    {rlua_file_functions, FUNCTION},
    {rlua_profile_functions, FUNCTION},
};

void rlua_register(lua_State *L, const luaL_Reg *list, int table, int other, bool extra)
{
    for (; list->name != NULL; list++) {
        const char *name = list->name;
        lua_pushvalue(L, lua_upvalueindex(RLUA_STATE));
        lua_pushvalue(L, lua_upvalueindex(RLUA_METATABLE));
        lua_pushstring(L, strncmp(name, "__", 2) == 0 ? name + 2 : name);
        if (extra)
            lua_pushvalue(L, -4);
        lua_pushcclosure(L, list->func, extra ? RLUA_EXTRA : RLUA_NAME);
        if (other != 0) {
            lua_pushvalue(L, -1);
            lua_setfield(L, other, name);
        }
        lua_setfield(L, table, name);
    }
    if (extra)
        lua_pop(L, 1);
}

void rlua_push_from_module(lua_State *L, const char *module, const char *field)
{
    lua_getglobal(L, "require");
    lua_pushstring(L, module);
    lua_call(L, 1, 1);
    lua_getfield(L, -1, field);
    lua_remove(L, -2);
}

/* ---- Unknown names of the module ---- */

/* Pushes where package.searchpath finds the Lua module, or nil. */
static void push_module_path(lua_State *L, const char *name)
{
    int top = lua_gettop(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, "package") == LUA_TTABLE && lua_getfield(L, -1, "searchpath") == LUA_TFUNCTION) {
        lua_pushstring(L, name);
        lua_getfield(L, -3, "path");
        if (lua_pcall(L, 2, 1, 0) == LUA_OK && lua_isstring(L, -1)) {
            lua_replace(L, top + 1);
            lua_settop(L, top + 1);
            return;
        }
    }
    lua_settop(L, top);
    lua_pushnil(L);
}

/* The module's __index: "no 'rleu' in rille; did you mean 'relu'?" */
static int unknown_name(lua_State *L)
{
    if (lua_type(L, 2) != LUA_TSTRING) {
        lua_pushnil(L);
        return 1;
    }
    const char *name = lua_tostring(L, 2);
    push_module_path(L, lua_pushfstring(L, "rille.%s", name));
    if (!lua_isnil(L, -1))
        rlua_raise(L, "no '%s' in rille; it is a module of its own: require \"rille.%s\"", name, name);
    rlua_raise(L, "no '%s' in rille%s", name, rlua_did_you_mean(L, rlua_nearest_key(L, name, 1)));
}

/* ---- Opening and closing ---- */

/* The state's __gc. It was made before all tensors, so Lua ends it after them. */
static int close_state(lua_State *L)
{
    rlua_state *state = lua_touserdata(L, 1);
    rille_context *cx = state->context;
    state->context = NULL;
    rille_close(cx);
    return 0;
}

/* Pushes the state with its context, and the folder of the Lua modules as its user value. */
static void push_state(lua_State *L)
{
    rlua_state *state = lua_newuserdatauv(L, sizeof *state, 1);
    *state = (rlua_state){.step_at = SIZE_MAX, .collect_at = SIZE_MAX};
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, close_state);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    rille_options options = {.index_base = 1};
    state->context = rille_open(&options);
    if (state->context == NULL)
        luaL_error(L, "not enough memory for rille");
    push_module_path(L, "rille.nn");
    const char *path = lua_tostring(L, -1);
    const char *end = path == NULL ? NULL : strrchr(path, '/');
    if (end != NULL) {
        lua_pushlstring(L, path, (size_t)(end - path));
        state->modules = lua_tostring(L, -1);
        lua_setiuservalue(L, -3, 1);
    }
    lua_pop(L, 1);
}

/* Runs with the upvalues that all functions have, and makes them all. */
static int build(lua_State *L)
{
    static const luaL_Reg lookup[] = {{"__index", unknown_name}, {NULL, NULL}};
    enum { MODULE = 1, METHODS, METATABLE };
    lua_settop(L, 0);
    lua_newtable(L);
    lua_newtable(L);
    lua_pushvalue(L, lua_upvalueindex(RLUA_METATABLE));
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
        if (topics[i].faces == METAMETHOD)
            rlua_register(L, topics[i].list, METATABLE, 0, false);
        else
            rlua_register(L, topics[i].list, MODULE, topics[i].faces & METHOD ? METHODS : 0, false);
    }
    lua_pushvalue(L, METHODS);
    rlua_register(L, rlua_index_metamethods, METATABLE, 0, true);
    rlua_register_activations(L, MODULE, METHODS);
    rlua_register_gates(L, MODULE, METHODS);
    lua_pushstring(L, rille_version());
    lua_setfield(L, MODULE, "version");
    lua_createtable(L, 0, 1);
    rlua_register(L, lookup, lua_gettop(L), 0, false);
    lua_setmetatable(L, MODULE);
    lua_settop(L, MODULE);
    return 1;
}

/* A second `require`, after package.loaded was cleared, gives the same table: there is one context in a Lua state. */
int luaopen_rille(lua_State *L)
{
    static const char module = 'm';
    luaL_checkversion(L);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &module) == LUA_TTABLE)
        return 1;
    push_state(L);
    lua_createtable(L, 0, 16);
    lua_pushliteral(L, "tensor");
    lua_setfield(L, -2, "__name");
    lua_pushliteral(L, "rille");
    lua_pushcclosure(L, build, RLUA_NAME);
    lua_call(L, 0, 1);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &module);
    return 1;
}
