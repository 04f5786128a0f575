/* Where time goes: rille.profile, and what rille.profiling makes it of. */
#include "bindings.h"

/* rille.profile_start(): counts from now on */
static int profile_start(lua_State *L)
{
    rlua_check(L, rille_profile_start(rlua_context(L)));
    return 0;
}

/* rille.profile_stop(): seconds since the start, and a list of {operation =, backward =, calls =, seconds =, flops =, bytes =} */
static int profile_stop(lua_State *L)
{
    const rille_profile_row *rows;
    double seconds;
    int count = rille_profile_stop(rlua_context(L), &rows, &seconds);
    lua_pushnumber(L, seconds);
    lua_createtable(L, count, 0);
    for (int i = 0; i < count; i++) {
        const rille_profile_row row = rows[i];
        lua_createtable(L, 0, 6);
        lua_pushstring(L, row.operation);
        lua_setfield(L, -2, "operation");
        lua_pushboolean(L, row.backward);
        lua_setfield(L, -2, "backward");
        lua_pushinteger(L, row.calls);
        lua_setfield(L, -2, "calls");
        lua_pushnumber(L, row.seconds);
        lua_setfield(L, -2, "seconds");
        lua_pushnumber(L, row.flops);
        lua_setfield(L, -2, "flops");
        lua_pushnumber(L, row.bytes);
        lua_setfield(L, -2, "bytes");
        lua_rawseti(L, -2, i + 1);
    }
    return 2;
}

/* rille.profile(f, ...): the report of what f did, and f's results; see rille.profiling */
static int profile(lua_State *L)
{
    int arguments = lua_gettop(L);
    rlua_push_from_module(L, "rille.profiling", "profile");
    lua_insert(L, 1);
    lua_call(L, arguments, LUA_MULTRET);
    return lua_gettop(L);
}

const luaL_Reg rlua_profile_functions[] = {
    {"profile", profile},
    {"profile_start", profile_start},
    {"profile_stop", profile_stop},
    {NULL, NULL},
};
