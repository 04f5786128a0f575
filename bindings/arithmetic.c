/* Elementwise arithmetic and comparisons, as operators, functions and methods. */
#include "bindings.h"

typedef rille_tensor *binary(rille_tensor *a, rille_tensor *b);
typedef rille_tensor *unary(rille_tensor *a);

/* One operand may be a number: it becomes a tensor of rank 0 that leaves a floating tensor's dtype as it is. */
static int two(lua_State *L, binary *operation)
{
    rlua_arguments(L, 2);
    rlua_tensor *box = rlua_new(L);
    bool left = rlua_box(L, 1) != NULL, right = rlua_box(L, 2) != NULL;
    rille_tensor *made;
    if (left && right) {
        made = operation(rlua_check_tensor(L, 1), rlua_check_tensor(L, 2));
    } else {
        int number = left ? 2 : 1;
        rille_tensor *t = rlua_check_tensor(L, right ? 2 : 1);
        if (lua_type(L, number) != LUA_TNUMBER)
            rlua_bad_type(L, number, "tensor or number");
        rille_tensor *scalar = rlua_scalar(L, number, number, rlua_scalar_dtype(L, number, rille_dtype_of(t)));
        made = left ? operation(t, scalar) : operation(scalar, t);
        rille_free(scalar);
    }
    rlua_finish(L, box, made);
    return 1;
}

static int one(lua_State *L, unary *operation)
{
    rlua_arguments(L, 1);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, operation(rlua_check_tensor(L, 1)));
    return 1;
}

/* ---- The operations: name in Lua, in the engine ---- */

#define BINARY_OPERATIONS(X)                                                                                                   \
    X(add, rille_add)                                                                                                          \
    X(div, rille_div)                                                                                                          \
    X(eq, rille_equal)                                                                                                         \
    X(ge, rille_greater_equal)                                                                                                 \
    X(gt, rille_greater)                                                                                                       \
    X(le, rille_less_equal)                                                                                                    \
    X(lt, rille_less)                                                                                                          \
    X(mul, rille_mul)                                                                                                          \
    X(ne, rille_not_equal)                                                                                                     \
    X(pow, rille_pow)                                                                                                          \
    X(sub, rille_sub)

#define UNARY_OPERATIONS(X)                                                                                                    \
    X(abs, rille_abs)                                                                                                          \
    X(exp, rille_exp)                                                                                                          \
    X(log, rille_log)                                                                                                          \
    X(neg, rille_neg)                                                                                                          \
    X(sqrt, rille_sqrt)

#define BINARY_FUNCTION(name, operation)                                                                                       \
    static int lua_##name(lua_State *L)                                                                                        \
    {                                                                                                                          \
        return two(L, operation);                                                                                              \
    }
#define UNARY_FUNCTION(name, operation)                                                                                        \
    static int lua_##name(lua_State *L)                                                                                        \
    {                                                                                                                          \
        return one(L, operation);                                                                                              \
    }
#define ENTRY(name, operation) {#name, lua_##name},

BINARY_OPERATIONS(BINARY_FUNCTION)
UNARY_OPERATIONS(UNARY_FUNCTION)

const luaL_Reg rlua_arithmetic_both[] = {BINARY_OPERATIONS(ENTRY) UNARY_OPERATIONS(ENTRY){NULL, NULL}};

/* a < b is one boolean in Lua, but a tensor of them is meant. */
static int compare(lua_State *L)
{
    rlua_raise(L, "tensors are compared by a:lt(b), a:le(b), a:gt(b) and a:ge(b), element by element");
}

const luaL_Reg rlua_arithmetic_metamethods[] = {
    {"__add", lua_add}, {"__div", lua_div}, {"__le", compare},  {"__lt", compare}, {"__mul", lua_mul},
    {"__pow", lua_pow}, {"__sub", lua_sub}, {"__unm", lua_neg}, {NULL, NULL},
};
