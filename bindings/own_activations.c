/* rille.activation: activations that a script defines, and where the other functions find them. What they do is Lua's:
 * rille/activation.lua, which is loaded at the first call. */
#include "bindings.h"

/* In Lua's registry: a list of the tables that a new activation goes into. */
enum { MODULE = 1, METHODS, REGISTRY, BY_NAME, METATABLE, OWN, PLACES = OWN };
static const char places = 'p';

static void push_place(lua_State *L, int place)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &places);
    lua_rawgeti(L, -1, place);
    lua_remove(L, -2);
}

const char *rlua_nearest_activation(lua_State *L, const char *name)
{
    push_place(L, BY_NAME);
    const char *nearest = rlua_nearest_key(L, name, -1); /* which the table keeps */
    lua_pop(L, 1);
    return nearest;
}

bool rlua_own_activation(lua_State *L, int argument)
{
    push_place(L, OWN);
    lua_pushvalue(L, argument);
    if (lua_type(L, argument) == LUA_TTABLE) {
        lua_pushliteral(L, "name");
        lua_rawget(L, argument);
        lua_remove(L, -2);
    }
    bool found = lua_type(L, -1) == LUA_TSTRING && lua_rawget(L, -2) == LUA_TFUNCTION;
    if (found)
        lua_remove(L, -2);
    else
        lua_pop(L, 2);
    return found;
}

/* The table's field `name` = the value at `index`. */
static void put(lua_State *L, int place, int name, int index)
{
    push_place(L, place);
    lua_pushvalue(L, name);
    lua_pushvalue(L, index);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

/* enter(name, entry, call, derivative): whether the name was free, and then all is in its place */
static int enter(lua_State *L)
{
    lua_settop(L, 4);
    for (int place = MODULE; place <= METHODS; place++) {
        push_place(L, place);
        lua_pushvalue(L, 1);
        if (lua_rawget(L, -2) != LUA_TNIL) {
            lua_pushboolean(L, false);
            return 1;
        }
    }
    push_place(L, METATABLE);
    lua_setmetatable(L, 2);
    put(L, MODULE, 1, 3);
    put(L, METHODS, 1, 3);
    put(L, BY_NAME, 1, 2);
    put(L, OWN, 1, 4);
    push_place(L, REGISTRY);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    lua_pushboolean(L, true);
    return 1;
}

/* rille.activation{name =, f =, df =, ddf =, ...}: the new entry of rille.activations. The extra upvalue is `enter`. */
static int activation(lua_State *L)
{
    lua_settop(L, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, "rille.activation") == LUA_TNIL) {
        lua_pop(L, 1);
        if (lua_getglobal(L, "require") != LUA_TFUNCTION)
            rlua_raise(L, "activation: it is in the Lua module rille.activation, and there is no 'require' to load it");
        lua_pushliteral(L, "rille.activation");
        lua_call(L, 1, 1);
    }
    lua_pushvalue(L, 1);
    lua_pushvalue(L, lua_upvalueindex(RLUA_EXTRA));
    lua_call(L, 2, 1);
    return 1;
}

void rlua_register_own_activations(lua_State *L, int module, int methods, int registry, int by_name, int metatable)
{
    static const luaL_Reg functions[] = {{"activation", activation}, {NULL, NULL}};
    const int tables[] = {module, methods, registry, by_name, metatable};
    lua_createtable(L, PLACES, 0);
    for (int i = MODULE; i < OWN; i++) {
        lua_pushvalue(L, tables[i - 1]);
        lua_rawseti(L, -2, i);
    }
    lua_newtable(L);
    lua_rawseti(L, -2, OWN);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &places);
    lua_pushcfunction(L, enter);
    rlua_register(L, functions, module, 0, true);
}
