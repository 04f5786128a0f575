/* Where Lua's own allocator says no, at each of its calls in turn, and the engine's limit too: a clean error or the right result,
 * nothing left behind, and a state that goes on. Modules come from LUA_PATH_5_4 and LUA_CPATH_5_4. */
#include <criterion/criterion.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct lua_heap {
    size_t bytes, calls; /* alive; requests so far for more */
    size_t fails_at;     /* this request fails, and the later ones where `for_good`; 0: none */
    bool for_good;
} lua_heap;

/* As lua_Alloc has it: to shrink never fails. */
static void *lua_heap_resize(void *user, void *block, size_t before, size_t after)
{
    lua_heap *h = user;
    before = block == NULL ? 0 : before;
    if (after > before) {
        h->calls++;
        if (h->fails_at != 0 && (h->for_good ? h->calls >= h->fails_at : h->calls == h->fails_at))
            return NULL;
    }
    h->bytes += after - before;
    if (after == 0) {
        free(block);
        return NULL;
    }
    void *resized = realloc(block, after);
    cr_assert_not_null(resized);
    return resized;
}

static void fail_from(lua_heap *h, size_t call, bool for_good)
{
    *h = (lua_heap){.bytes = h->bytes, .fails_at = call, .for_good = for_good};
}

/* A net, its training, printing, indexing, errors that are caught, and what they made, as one text. Errors for want of memory go on. */
static const char *const script =
    "local rille, nn, optim = require 'rille', require 'rille.nn', require 'rille.optim'\n"
    "local function message_of(f, ...)\n"
    "    local _, message = pcall(f, ...)\n"
    "    if message:find 'of memory' or message:find 'enough memory' then error(message, 0) end\n"
    "    return message\n"
    "end\n"
    "return function()\n"
    "    rille.threads(1)\n"
    "    rille.manual_seed(1)\n"
    "    local net = nn.Sequential { nn.Linear(3, 4), nn.Tanh(), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2) }\n"
    "    local adam, x = optim.Adam(net:parameters(), { lr = 0.1 }), rille.randn(5, 3)\n"
    "    x:requires_grad(true)\n"
    "    x:register_hook(function(g) return g * 2 end)\n"
    "    for _ = 1, 2 do\n"
    "        adam:zero_grad()\n"
    "        rille.cross_entropy(net(x), { 1, 2, 1, 2, 1 }):backward()\n"
    "        adam:step()\n"
    "    end\n"
    "    local w = net[1].weight:detach():clone()\n"
    "    w[{ 1, { 1, 2 } }] = 0.5\n"
    "    w[w:gt(0.4)] = 7\n"
    "    local kept = rille.scope(function() return rille.cat({ w, w }, 1):sort(2) end)\n"
    "    local parts = kept:split(3)\n"
    "    return table.concat({ tostring(net), tostring(w), tostring(parts[1]), tostring(x.grad), kept:sum():item(),\n"
    "        table.concat(w[2]:totable(), ' '), message_of(rille.matmul, x, x), message_of(function() return rille.rleu end),\n"
    "        message_of(net, rille.ones(2, 7)), message_of(rille.zeros, 2, { dtpye = 'int64' }) }, '\\n')\n"
    "end\n";

static int load_script(lua_State *L) /* -> the function */
{
    if (luaL_loadbufferx(L, script, strlen(script), "@experiment.lua", "t") != LUA_OK)
        lua_error(L);
    lua_call(L, 0, 1);
    return 1;
}

static int open_libraries(lua_State *L)
{
    luaL_openlibs(L);
    return 0;
}

static lua_State *open_state(lua_heap *h)
{
    lua_State *L = lua_newstate(lua_heap_resize, h);
    cr_assert_not_null(L);
    lua_pushcfunction(L, open_libraries);
    cr_assert_eq(lua_pcall(L, 0, 0, 0), LUA_OK);
    return L;
}

static void close_state(lua_State *L, const lua_heap *h)
{
    lua_close(L);
    cr_assert_eq(h->bytes, 0, "%zu bytes of Lua's are left", h->bytes);
}

/* Bytes in tensors when all garbage is gone. */
static lua_Integer bytes_in_tensors(lua_State *L)
{
    static const char *const text = "collectgarbage() collectgarbage() return require('rille').memory().current";
    cr_assert_eq(luaL_dostring(L, text), LUA_OK, "%s", lua_tostring(L, -1));
    lua_Integer bytes = lua_tointeger(L, -1);
    lua_pop(L, 1);
    return bytes;
}

static bool is_for_want_of_memory(lua_State *L, int status)
{
    const char *message = lua_tostring(L, -1);
    return status == LUA_ERRMEM ||
           (message != NULL && (strstr(message, "not enough memory") != NULL || strstr(message, "out of memory") != NULL));
}

/* What the script gives when nothing fails: on top of L, whose first value is the script. Returns how many requests it made. */
static size_t run_undisturbed(lua_State *L, lua_heap *h)
{
    lua_settop(L, 1);
    fail_from(h, 0, false);
    lua_pushvalue(L, 1);
    cr_assert_eq(lua_pcall(L, 0, 1, 0), LUA_OK, "%s", lua_tostring(L, -1));
    return h->calls;
}

/* Runs the script, at 1, whose text should be that at 2. Whether it ran to its end. */
static bool run_disturbed(lua_State *L, lua_heap *h, size_t call, bool for_good)
{
    lua_settop(L, 2);
    lua_pushvalue(L, 1);
    fail_from(h, call, for_good);
    int status = lua_pcall(L, 0, 1, 0);
    fail_from(h, 0, false);
    if (status != LUA_OK)
        cr_assert(is_for_want_of_memory(L, status), "request %zu: %s", call, lua_tostring(L, -1));
    else
        cr_assert(lua_rawequal(L, 2, 3), "request %zu: %s", call, lua_tostring(L, -1));
    lua_settop(L, 2);
    return status == LUA_OK;
}

/* Nothing is left, and the script gives what it did before. */
static void check_state(lua_State *L, lua_heap *h, lua_Integer base)
{
    lua_settop(L, 2);
    cr_assert_eq(bytes_in_tensors(L), base);
    lua_pushvalue(L, 1);
    cr_assert_eq(lua_pcall(L, 0, 1, 0), LUA_OK, "%s", lua_tostring(L, -1));
    cr_assert(lua_rawequal(L, 2, 3), "%s", lua_tostring(L, -1));
    fail_from(h, 0, false);
    lua_settop(L, 2);
}

static lua_State *open_with_script(lua_heap *h)
{
    lua_State *L = open_state(h);
    lua_pushcfunction(L, load_script);
    cr_assert_eq(lua_pcall(L, 0, 1, 0), LUA_OK, "%s", lua_tostring(L, -1));
    run_undisturbed(L, h);
    return L;
}

Test(lua_memory, each_request_of_a_script_may_fail)
{
    lua_heap h = {0};
    lua_State *L = open_with_script(&h);
    lua_Integer base = bytes_in_tensors(L);
    size_t failures = 0;
    for (size_t call = 1; !run_disturbed(L, &h, call, true); call++, failures++)
        if (call % 50 == 0)
            check_state(L, &h, base);
    cr_expect_gt(failures, 500);
    check_state(L, &h, base);
    close_state(L, &h);
}

/* After one refusal Lua collects all garbage and asks again: whatever the bindings hold must have survived that. */
Test(lua_memory, a_collection_may_come_at_each_request)
{
    lua_heap h = {0};
    lua_State *L = open_with_script(&h);
    lua_Integer base = bytes_in_tensors(L);
    size_t requests = run_undisturbed(L, &h), failures = 0;
    for (size_t call = 1; call <= requests; call++)
        failures += !run_disturbed(L, &h, call, false);
    cr_expect(requests > 500 && failures < requests / 20, "%zu of %zu failed", failures, requests); /* luaL_Buffer asks once */
    check_state(L, &h, base);
    close_state(L, &h);
}

Test(lua_memory, the_engine_may_have_none_as_well)
{
    lua_heap h = {0};
    lua_State *L = open_with_script(&h);
    lua_Integer base = bytes_in_tensors(L);
    size_t failures = 0, requests = run_undisturbed(L, &h);
    for (lua_Integer room = 64; room < 16384; room += room / 4)
        for (size_t call = 1; call <= requests; call += 97) {
            lua_pushfstring(L, "require('rille').memory_limit(%I)", base + room);
            cr_assert_eq(luaL_dostring(L, lua_tostring(L, -1)), LUA_OK, "%s", lua_tostring(L, -1));
            failures += !run_disturbed(L, &h, call, true);
            cr_assert_eq(luaL_dostring(L, "require('rille').memory_limit(0)"), LUA_OK);
        }
    cr_expect_gt(failures, 100);
    check_state(L, &h, base);
    close_state(L, &h);
}

/* The modules that are loaded, and the context that is opened: each time in a new state, which must then load them after all. */
Test(lua_memory, loading_may_fail)
{
    lua_heap h = {0};
    size_t failures = 0;
    for (size_t call = 1;; call += 1 + call / 16) {
        lua_State *L = open_state(&h);
        lua_pushcfunction(L, load_script);
        fail_from(&h, call, true);
        int status = lua_pcall(L, 0, 1, 0);
        fail_from(&h, 0, false);
        if (status == LUA_OK) {
            close_state(L, &h);
            break;
        }
        cr_assert(is_for_want_of_memory(L, status), "request %zu: %s", call, lua_tostring(L, -1));
        failures++;
        lua_settop(L, 0);
        lua_pushcfunction(L, load_script);
        cr_assert_eq(lua_pcall(L, 0, 1, 0), LUA_OK, "after request %zu: %s", call, lua_tostring(L, -1));
        run_undisturbed(L, &h);
        close_state(L, &h);
    }
    cr_expect_gt(failures, 50);
}
