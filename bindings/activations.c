/* A function and a method for each activation of the engine, rille.derivative, and rille.activations, the registry. */
#include "bindings.h"

#include <stdint.h>
#include <string.h>

static const char *const out_option[] = {"out", NULL}, *const no_options[] = {NULL};

static rille_activation activation_at(int i)
{
    return (rille_activation)i;
}

/* ---- Into a tensor that is there already ---- */

static size_t bytes_of(const rille_tensor *t)
{
    return (size_t)rille_numel(t) * rille_dtype_size(rille_dtype_of(t));
}

static bool same_shape(const rille_tensor *a, const rille_tensor *b)
{
    bool same = rille_rank(a) == rille_rank(b);
    for (int d = 0; same && d < rille_rank(a); d++)
        same = rille_shape(a)[d] == rille_shape(b)[d];
    return same;
}

/* x's elements as rille_map may read them while it writes out: x itself, or a copy that the caller frees. */
static rille_tensor *readable(rille_tensor *x, rille_tensor *out)
{
    if (!rille_is_contiguous(x))
        return rille_contiguous(x);
    uintptr_t from = (uintptr_t)rille_data(x), into = (uintptr_t)rille_data(out);
    bool apart = from == into || from + bytes_of(x) <= into || into + bytes_of(out) <= from;
    return apart ? x : rille_clone(x);
}

/* The tensor `out` at the top of the stack, which comes from the options at `options`, if f(x) can be written into it. */
static rille_tensor *check_out(lua_State *L, int options, const rille_tensor *x)
{
    const rlua_tensor *box = rlua_box(L, -1);
    rille_tensor *out = box == NULL ? NULL : box->tensor;
    if (out == NULL)
        rlua_bad_argument(L, options, "option 'out' must be a tensor, got %s",
                          box == NULL ? rlua_type_name(L, -1) : "one that was freed");
    if (rille_dtype_of(x) != RILLE_FLOAT32 && rille_dtype_of(x) != RILLE_FLOAT64)
        rlua_bad_argument(L, 1, "with 'out' a floating tensor is expected, got %s", rille_dtype_name(rille_dtype_of(x)));
    if (rille_dtype_of(x) != rille_dtype_of(out))
        rlua_bad_argument(L, options, "option 'out' is %s, expected %s", rille_dtype_name(rille_dtype_of(out)),
                          rille_dtype_name(rille_dtype_of(x)));
    if (!same_shape(x, out)) {
        int64_t shape[RILLE_MAX_RANK]; /* text may run the collector, and the collector free out */
        int rank = rille_rank(x);
        memcpy(shape, rille_shape(x), sizeof shape[0] * (size_t)rank);
        const char *found = rlua_shape_text(L, rille_rank(out), rille_shape(out));
        rlua_bad_argument(L, options, "option 'out' is %s, expected %s", found, rlua_shape_text(L, rank, shape));
    }
    if (!rille_is_contiguous(out))
        rlua_bad_argument(L, options, "option 'out' is not contiguous");
    if (rille_grad_enabled(rlua_context(L)) && (rille_requires_grad(x) || rille_requires_grad(out)))
        rlua_bad_argument(L, options, "option 'out' cannot be recorded for a gradient; use it inside rille.no_grad");
    return out;
}

/* f(x) into the tensor at the top of the stack, which is left there. */
static int map_into(lua_State *L, int options, rille_activation act, const double *params)
{
    rille_tensor *x = rlua_check_tensor(L, 1);
    rille_tensor *out = check_out(L, options, x);
    rille_tensor *from = readable(x, out);
    rille_status status = RILLE_ERROR_MEMORY;
    if (from != NULL)
        status = rille_map(rlua_context(L), act, params, 0, rille_dtype_of(x), (size_t)rille_numel(x), rille_data(from),
                           rille_data(out));
    if (from != x)
        rille_free(from);
    rille_touch(out);
    rlua_check(L, status);
    return 1;
}

/* rille.leaky_relu(x [, 0.2] [, {negative_slope = 0.2, out = y}]). The extra upvalue is the activation. */
static int activate(lua_State *L)
{
    rille_activation act = activation_at((int)lua_tointeger(L, lua_upvalueindex(RLUA_EXTRA)));
    rlua_parameter_values values;
    rlua_check_tensor(L, 1);
    int options = rlua_parameters(L, 2, act, &values, out_option);
    if (options > 0 && rlua_option(L, options, "out")) {
        if (values.any_tensor)
            rlua_bad_argument(L, options, "option 'out' goes with parameters that are numbers");
        return map_into(L, options, act, values.number);
    }
    rlua_tensor *box = rlua_new(L);
    rille_tensor *const *tensors = rlua_parameter_tensors(L, &values);
    rlua_finish(L, box, rille_activate_with(rlua_check_tensor(L, 1), act, values.number, tensors));
    return 1;
}

/* rille.rrelu_training(x [, lower, upper] [, {lower =, upper =}]): with slopes drawn between them */
static int rrelu_training(lua_State *L)
{
    rlua_parameter_values values;
    rlua_check_tensor(L, 1);
    rlua_parameters(L, 2, RILLE_RRELU, &values, NULL);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_rrelu_training(rlua_check_tensor(L, 1), values.number[0], values.number[1]));
    return 1;
}

/* rille.derivative("relu", x [, order = 1] [, parameters]) */
static int derivative(lua_State *L)
{
    rlua_parameter_values values;
    lua_settop(L, 4);
    bool own = rlua_own_activation(L, 1);
    rille_activation act = own ? RILLE_ACTIVATION_NONE : rlua_activation(L, 1);
    lua_settop(L, own ? 5 : 4);
    rlua_check_tensor(L, 2);
    int at = lua_type(L, 3) == LUA_TTABLE ? 3 : 4;
    int64_t order = at == 3 || lua_isnil(L, 3) ? 1 : rlua_integer(L, 3, 3, "order");
    if (order < 0 || order > 2)
        rlua_bad_argument(L, 3, "order %I is not in 0 ... 2", (LUAI_UACINT)order);
    if (!lua_isnil(L, at) && lua_type(L, at) != LUA_TTABLE)
        rlua_bad_type(L, at, "table of parameters");
    if (own) {
        rlua_check_options(L, at, no_options);
        lua_pushvalue(L, 2);
        lua_pushinteger(L, order);
        lua_call(L, 2, 1);
        return 1;
    }
    rlua_parameters(L, at, act, &values, NULL);
    rlua_tensor *box = rlua_new(L);
    rille_tensor *const *tensors = rlua_parameter_tensors(L, &values);
    rlua_finish(L, box, rille_derivative_with(rlua_check_tensor(L, 2), act, (int)order, values.number, tensors));
    return 1;
}

/* ---- The registry ---- */

static void set_string(lua_State *L, const char *key, const char *value)
{
    lua_pushstring(L, value);
    lua_setfield(L, -2, key);
}

static void set_number(lua_State *L, const char *key, double value)
{
    lua_pushnumber(L, value);
    lua_setfield(L, -2, key);
}

static void set_boolean(lua_State *L, const char *key, bool value)
{
    lua_pushboolean(L, value);
    lua_setfield(L, -2, key);
}

static void set_parameters(lua_State *L, const rille_activation_info *info)
{
    lua_createtable(L, info->parameter_count, 0);
    for (int i = 0; i < info->parameter_count; i++) {
        lua_createtable(L, 0, 5);
        set_string(L, "name", info->parameter[i].name);
        set_number(L, "initial", info->parameter[i].initial);
        set_number(L, "low", info->parameter[i].low);
        set_number(L, "high", info->parameter[i].high);
        set_boolean(L, "learnable", info->parameter[i].learnable);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "parameters");
}

static void push_kinks(lua_State *L, const rille_activation_properties *p)
{
    lua_createtable(L, p->kink_count, 0);
    for (int i = 0; i < p->kink_count; i++) {
        lua_pushnumber(L, p->kink[i]);
        lua_rawseti(L, -2, i + 1);
    }
}

/* What holds at these parameters (NULL: the defaults), into the table on top. */
static void set_properties(lua_State *L, rille_activation act, const double *parameters)
{
    rille_activation_properties p;
    rlua_check(L, rille_activation_evaluate(rlua_context(L), act, parameters, &p));
    set_number(L, "low", p.low);
    set_number(L, "high", p.high);
    lua_createtable(L, 2, 0);
    lua_pushnumber(L, p.low);
    lua_rawseti(L, -2, 1);
    lua_pushnumber(L, p.high);
    lua_rawseti(L, -2, 2);
    lua_setfield(L, -2, "range");
    set_boolean(L, "monotonic", p.monotonic);
    set_boolean(L, "zero_centred", p.zero_centred);
    if (p.smoothness >= RILLE_SMOOTH)
        set_string(L, "smoothness", "Cinf");
    else
        lua_pushfstring(L, "C%d", p.smoothness), lua_setfield(L, -2, "smoothness");
    push_kinks(L, &p);
    lua_setfield(L, -2, "kinks");
}

/* An entry's __tostring: "leaky_relu(x, negative_slope = 0.01) = x > 0 ? x : negative_slope * x" */
static int entry_text(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (lua_getfield(L, 1, "name") != LUA_TSTRING || lua_getfield(L, 1, "formula") != LUA_TSTRING ||
        lua_getfield(L, 1, "parameters") != LUA_TTABLE)
        return luaL_error(L, "no activation");
    luaL_Buffer text;
    luaL_buffinit(L, &text);
    lua_pushfstring(L, "%s(x", lua_tostring(L, 2));
    luaL_addvalue(&text);
    for (int i = 1; i <= (int)lua_rawlen(L, 4); i++) {
        lua_rawgeti(L, 4, i);
        lua_getfield(L, -1, "name");
        lua_getfield(L, -2, "initial");
        lua_pushfstring(L, ", %s = %f", lua_tostring(L, -2), lua_tonumber(L, -1));
        lua_replace(L, -4);
        lua_pop(L, 2);
        luaL_addvalue(&text);
    }
    lua_pushfstring(L, ") = %s", lua_tostring(L, 3));
    luaL_addvalue(&text);
    luaL_pushresult(&text);
    return 1;
}

/* The registry's __index: entries by name. The extra upvalue holds them. */
static int entry_by_name(lua_State *L)
{
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(RLUA_EXTRA)) != LUA_TNIL || lua_type(L, 2) != LUA_TSTRING)
        return 1; /* nil ends ipairs */
    const char *name = lua_tostring(L, 2);
    rlua_raise(L, "no activation '%s'%s", name, rlua_did_you_mean(L, rlua_nearest_activation(L, name)));
}

static int registry_text(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    int n = (int)lua_rawlen(L, 1);
    luaL_Buffer text;
    luaL_buffinit(L, &text);
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, i);
        luaL_tolstring(L, -1, NULL);
        lua_remove(L, -2);
        luaL_addvalue(&text);
        if (i < n)
            luaL_addchar(&text, '\n');
    }
    luaL_pushresult(&text);
    return 1;
}

/* The entry whose function is called, and the numbers of [0.2] or [{negative_slope = 0.2}]. */
static rille_activation entry_parameters(lua_State *L, rlua_parameter_values *values, const char *what)
{
    rille_activation act = activation_at((int)lua_tointeger(L, lua_upvalueindex(RLUA_EXTRA)));
    if (lua_type(L, 1) == LUA_TTABLE && luaL_getmetafield(L, 1, "__name") != LUA_TNIL) { /* called with ':' */
        lua_pop(L, 1);
        lua_remove(L, 1);
    }
    rlua_parameters(L, 1, act, values, NULL);
    if (values->any_tensor)
        rlua_bad_argument(L, 1, "%s that of one function: numbers are expected for its parameters, not tensors", what);
    return act;
}

/* rille.activations.hard_tanh.properties([-2, 2] or [{min_val = -2}]): low, high, range, monotonic, zero_centred, smoothness and
 * kinks, which the entry itself has for the default parameters, at these */
static int properties(lua_State *L)
{
    rlua_parameter_values values;
    rille_activation act = entry_parameters(L, &values, "properties are");
    lua_createtable(L, 0, 7);
    set_properties(L, act, values.number);
    return 1;
}

/* rille.activations.leaky_relu.gain([0.2] or [{negative_slope = 0.2}]): rille/gain.lua's, at these parameters */
static int gain(lua_State *L)
{
    rlua_parameter_values values;
    rille_activation act = entry_parameters(L, &values, "a gain is");
    const rille_activation_info *info = rille_activation_describe(act);
    rille_activation_properties p;
    rlua_check(L, rille_activation_evaluate(rlua_context(L), act, values.number, &p));
    rlua_push_from_module(L, "rille.gain", "recommended");
    lua_pushstring(L, info->name);
    lua_createtable(L, 0, info->parameter_count);
    for (int i = 0; i < info->parameter_count; i++)
        set_number(L, info->parameter[i].name, values.number[i]);
    push_kinks(L, &p);
    lua_call(L, 3, 1);
    return 1;
}

static int read_only(lua_State *L)
{
    rlua_raise(L, "rille.activations is read-only");
}

static const luaL_Reg entry_metamethods[] = {{"__tostring", entry_text}, {NULL, NULL}};
static const luaL_Reg registry_metamethods[] = {{"__newindex", read_only}, {"__tostring", registry_text}, {NULL, NULL}};

/* Pushes the entry of a row. */
static void push_entry(lua_State *L, rille_activation act, int metatable)
{
    const rille_activation_info *info = rille_activation_describe(act);
    lua_createtable(L, 0, 14);
    int entry = lua_gettop(L);
    set_string(L, "name", info->name);
    set_string(L, "formula", info->formula);
    set_string(L, "source", info->source);
    set_parameters(L, info);
    set_properties(L, act, NULL);
    static const luaL_Reg functions[] = {{"gain", gain}, {"properties", properties}, {NULL, NULL}};
    lua_pushinteger(L, (int)act);
    rlua_register(L, functions, entry, 0, 1);
    lua_pushvalue(L, metatable);
    lua_setmetatable(L, -2);
}

static void add_function(lua_State *L, rille_activation act, int module, int methods)
{
    const char *name = rille_activation_describe(act)->name;
    luaL_Reg function[] = {{name, activate}, {NULL, NULL}};
    lua_pushinteger(L, (int)act);
    rlua_register(L, function, module, methods, 1);
}

void rlua_register_activations(lua_State *L, int module, int methods)
{
    static const luaL_Reg derivatives[] = {{"derivative", derivative}, {NULL, NULL}};
    static const luaL_Reg trainings[] = {{"rrelu_training", rrelu_training}, {NULL, NULL}};
    rlua_register(L, derivatives, module, 0, 0);
    rlua_register(L, trainings, module, methods, 0);
    lua_newtable(L);
    int registry = lua_gettop(L);
    lua_newtable(L);
    int by_name = lua_gettop(L);
    lua_newtable(L);
    int metatable = lua_gettop(L);
    set_string(L, "__name", "activation");
    rlua_register(L, entry_metamethods, metatable, 0, 0);
    for (int i = 0; rille_activation_describe(activation_at(i)) != NULL; i++) {
        const char *name = rille_activation_describe(activation_at(i))->name;
        add_function(L, activation_at(i), module, methods);
        push_entry(L, activation_at(i), metatable);
        lua_pushvalue(L, -1);
        lua_setfield(L, by_name, name);
        lua_rawseti(L, registry, i + 1);
    }
    static const luaL_Reg lookup[] = {{"__index", entry_by_name}, {NULL, NULL}};
    lua_newtable(L);
    lua_pushvalue(L, by_name);
    rlua_register(L, lookup, by_name + 2, 0, 1);
    rlua_register(L, registry_metamethods, by_name + 2, 0, 0);
    lua_setmetatable(L, registry);
    rlua_register_own_activations(L, module, methods, registry, by_name, metatable);
    lua_settop(L, registry);
    lua_setfield(L, module, "activations");
}
