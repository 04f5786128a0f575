/* What belongs to the context as a whole: random seed, threads, memory, versions; and rille.raise. */
#include "bindings.h"

#include <time.h>

#include <limits.h>

/* rille.manual_seed(n): restarts the random numbers */
static int manual_seed(lua_State *L)
{
    rille_manual_seed(rlua_context(L), (uint64_t)rlua_integer(L, 1, 1, "seed"));
    return 0;
}

/* rille.rng_state(): {seed =, counter =}: where the random numbers are */
static int rng_state(lua_State *L)
{
    rille_random_state state = rille_get_random_state(rlua_context(L));
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, (lua_Integer)state.seed);
    lua_setfield(L, -2, "seed");
    lua_pushinteger(L, (lua_Integer)state.counter);
    lua_setfield(L, -2, "counter");
    return 1;
}

/* rille.set_rng_state(state): the random numbers go on from where rille.rng_state was called */
static int set_rng_state(lua_State *L)
{
    static const char *const names[] = {"counter", "seed", NULL};
    uint64_t value[2];
    lua_settop(L, 1);
    if (lua_type(L, 1) != LUA_TTABLE)
        rlua_bad_type(L, 1, "table of rille.rng_state");
    rlua_check_options(L, 1, names);
    for (int i = 0; i < 2; i++) {
        if (!rlua_option(L, 1, names[i]))
            rlua_bad_argument(L, 1, "'%s' is missing", names[i]);
        value[i] = (uint64_t)rlua_integer(L, -1, 1, names[i]);
    }
    rille_set_random_state(rlua_context(L), (rille_random_state){.seed = value[1], .counter = value[0]});
    return 0;
}

/* rille.threads([n]): how many threads an operation may use */
static int threads(lua_State *L)
{
    rille_context *cx = rlua_context(L);
    if (!lua_isnoneornil(L, 1)) {
        int64_t n = rlua_integer(L, 1, 1, "number of threads");
        rlua_check(L, rille_set_threads(cx, n < 0 ? 0 : n > INT_MAX ? INT_MAX : (int)n));
    }
    lua_pushinteger(L, rille_threads(cx));
    return 1;
}

/* rille.memory(): bytes {current =, peak =, pooled =, limit =}, and system_allocations = */
static int memory(lua_State *L)
{
    rille_memory m = rille_memory_usage(rlua_context(L));
    const struct {
        const char *name;
        size_t value;
    } fields[] = {
        {"current", m.current},
        {"limit", m.limit},
        {"peak", m.peak},
        {"pooled", m.pooled},
        {"system_allocations", m.system_allocations},
    };
    lua_createtable(L, 0, 5);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        lua_pushinteger(L, (lua_Integer)fields[i].value);
        lua_setfield(L, -2, fields[i].name);
    }
    return 1;
}

/* rille.memory_limit([bytes]): the most bytes that tensors, graphs and the pool may hold at once; 0: no limit */
static int memory_limit(lua_State *L)
{
    rille_context *cx = rlua_context(L);
    if (!lua_isnoneornil(L, 1)) {
        int64_t bytes = rlua_integer(L, 1, 1, "limit");
        if (bytes < 0)
            rlua_bad_argument(L, 1, "limit must not be negative, got %I", (LUAI_UACINT)bytes);
        rille_set_memory_limit(cx, (size_t)bytes);
    }
    lua_pushinteger(L, (lua_Integer)rille_memory_usage(cx).limit);
    return 1;
}

/* rille.info(): {blas =, blas_core =, isa =, isas = {those that can be had here, best first}, lua =, threads =, version =};
 * isa_refused = where RILLE_ISA names another: why it is not in use; blas_better_core = where matrix products could be several
 * times faster: what OPENBLAS_CORETYPE should say */
static int info(lua_State *L)
{
    lua_createtable(L, 0, 9);
    lua_pushstring(L, rille_blas());
    lua_setfield(L, -2, "blas");
    lua_pushstring(L, rille_blas_core());
    lua_setfield(L, -2, "blas_core");
    lua_pushstring(L, rille_blas_better_core());
    lua_setfield(L, -2, "blas_better_core");
    lua_pushstring(L, rille_isa());
    lua_setfield(L, -2, "isa");
    lua_pushstring(L, rille_isa_refused());
    lua_setfield(L, -2, "isa_refused");
    lua_newtable(L);
    for (int i = 0, n = 0; rille_isa_name(i) != NULL; i++)
        if (rille_isa_runs(i)) {
            lua_pushstring(L, rille_isa_name(i));
            lua_rawseti(L, -2, ++n);
        }
    lua_setfield(L, -2, "isas");
    lua_pushliteral(L, LUA_VERSION);
    lua_setfield(L, -2, "lua");
    lua_pushinteger(L, rille_threads(rlua_context(L)));
    lua_setfield(L, -2, "threads");
    lua_pushstring(L, rille_version());
    lua_setfield(L, -2, "version");
    return 1;
}

/* rille.clock(): seconds that have passed since some moment, by a clock that nobody sets: for measuring how long things take */
static int wall_clock(lua_State *L)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    lua_pushnumber(L, (double)now.tv_sec + 1e-9 * (double)now.tv_nsec);
    return 1;
}

/* rille.raise(message) or rille.raise(format, ...), as string.format's: an error at the script's line. For Lua modules. */
static int raise(lua_State *L)
{
    int arguments = lua_gettop(L);
    if (arguments > 1) {
        luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
        lua_getfield(L, -1, "string");
        lua_getfield(L, -1, "format");
        lua_insert(L, 1);
        lua_settop(L, arguments + 1);
        lua_call(L, arguments, 1);
    }
    if (lua_type(L, 1) != LUA_TSTRING)
        rlua_bad_type(L, 1, "message");
    rlua_raise(L, "%s", lua_tostring(L, 1));
}

const luaL_Reg rlua_context_functions[] = {
    {"clock", wall_clock},          {"info", info},   {"manual_seed", manual_seed}, {"memory", memory},
    {"memory_limit", memory_limit}, {"raise", raise}, {"rng_state", rng_state},     {"set_rng_state", set_rng_state},
    {"threads", threads},           {NULL, NULL},
};
