/* The gated activations, one function and method for each gate of the engine, and rille.gates, their list; maxout and crelu. */
#include "bindings.h"

/* rille.glu(x [, dim = -1]). The extra upvalue is the gate. */
static int gated(lua_State *L)
{
    rille_gate gate = (rille_gate)lua_tointeger(L, lua_upvalueindex(RLUA_EXTRA));
    rlua_arguments(L, 2);
    int dim = rlua_dimension_or(L, 2, -1);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_gated(rlua_check_tensor(L, 1), gate, dim));
    return 1;
}

/* maxout(x, k [, dim = -1]): the largest of every k neighbours */
static int maxout(lua_State *L)
{
    rlua_arguments(L, 3);
    rlua_check_tensor(L, 1);
    int64_t k = rlua_integer(L, 2, 2, "k");
    if (k < 1)
        rlua_bad_argument(L, 2, "k is %I, expected 1 or more", (LUAI_UACINT)k);
    int dim = rlua_dimension_or(L, 3, -1);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_maxout(rlua_check_tensor(L, 1), k, dim));
    return 1;
}

/* crelu(x [, dim = -1]): relu(x), then relu(-x) */
static int crelu(lua_State *L)
{
    rlua_arguments(L, 2);
    int dim = rlua_dimension_or(L, 2, -1);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_crelu(rlua_check_tensor(L, 1), dim));
    return 1;
}

static void set_string(lua_State *L, const char *key, const char *value)
{
    lua_pushstring(L, value);
    lua_setfield(L, -2, key);
}

static void add_gate(lua_State *L, rille_gate gate, int module, int methods, int list)
{
    const rille_gate_info *info = rille_gate_describe(gate);
    luaL_Reg function[] = {{info->name, gated}, {NULL, NULL}};
    lua_pushinteger(L, (int)gate);
    rlua_register(L, function, module, methods, true);
    lua_createtable(L, 0, 4);
    set_string(L, "name", info->name);
    set_string(L, "activation", rille_activation_describe(info->activation)->name);
    set_string(L, "formula", info->formula);
    set_string(L, "source", info->source);
    lua_rawseti(L, list, (int)gate + 1);
}

void rlua_register_gates(lua_State *L, int module, int methods)
{
    static const luaL_Reg others[] = {{"crelu", crelu}, {"maxout", maxout}, {NULL, NULL}};
    rlua_register(L, others, module, methods, false);
    lua_newtable(L);
    int list = lua_gettop(L);
    for (int i = 0; rille_gate_describe((rille_gate)i) != NULL; i++)
        add_gate(L, (rille_gate)i, module, methods, list);
    lua_setfield(L, module, "gates");
}
