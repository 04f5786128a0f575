/* Statistics of gradient flow, one tensor at a time. */
#include "bindings.h"

#include <string.h>

/* rille.measure(t): {count =, mean =, std =, log10_norm =, min =, max =, zeros =, subnormals =, nans =, infinities =} */
static int measure(lua_State *L)
{
    rille_statistics s;
    rlua_check(L, rille_measure(rlua_check_tensor(L, 1), &s));
    const struct {
        const char *name;
        int64_t value;
    } counts[] = {
        {"count", s.count}, {"infinities", s.infinities}, {"nans", s.nans}, {"subnormals", s.subnormals}, {"zeros", s.zeros},
    };
    const struct {
        const char *name;
        double value;
    } numbers[] = {{"log10_norm", s.log10_norm}, {"max", s.max}, {"mean", s.mean}, {"min", s.min}, {"std", s.std}};
    lua_createtable(L, 0, 10);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        lua_pushinteger(L, counts[i].value);
        lua_setfield(L, -2, counts[i].name);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        lua_pushnumber(L, numbers[i].value);
        lua_setfield(L, -2, numbers[i].name);
    }
    return 1;
}

/* rille.measure_below(t, threshold): share of t's elements with |t| < threshold */
static int measure_below(lua_State *L)
{
    double share, threshold = rlua_number(L, 2, 2, "threshold");
    rlua_check(L, rille_measure_below(rlua_check_tensor(L, 1), threshold, &share));
    lua_pushnumber(L, share);
    return 1;
}

/* Of f' with parameters that are tensors. */
static rille_status measure_learned(rille_tensor *x, rille_activation act, const double *numbers, rille_tensor *const *tensors,
                                    double threshold, double *share)
{
    rille_context *cx = rille_context_of(x);
    bool recording = rille_set_grad_enabled(cx, false);
    rille_tensor *slope = rille_derivative_with(x, act, 1, numbers, tensors);
    rille_set_grad_enabled(cx, recording);
    rille_status status = slope == NULL ? rille_error_status(cx) : rille_measure_below(slope, threshold, share);
    rille_free(slope);
    return status;
}

/* Of a script's own activation, whose derivative is the function at the top. */
static int measure_own(lua_State *L, double threshold)
{
    static const char *const names[] = {NULL};
    rlua_check_options(L, 4, names);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 1);
    lua_call(L, 2, 1);
    double share;
    rlua_check(L, rille_measure_below(rlua_check_tensor(L, lua_gettop(L)), threshold, &share));
    lua_pushnumber(L, share);
    return 1;
}

/* rille.measure_saturated(x, activation, threshold [, parameters]): share of x's elements with |f'(x)| < threshold */
static int measure_saturated(lua_State *L)
{
    rlua_parameter_values values;
    double share = 0;
    lua_settop(L, 4);
    rlua_check_tensor(L, 1);
    double threshold = rlua_number(L, 3, 3, "threshold");
    if (!lua_isnil(L, 4) && lua_type(L, 4) != LUA_TTABLE)
        rlua_bad_type(L, 4, "table of parameters");
    if (rlua_own_activation(L, 2))
        return measure_own(L, threshold);
    rille_activation act = rlua_activation(L, 2);
    lua_settop(L, 4);
    rlua_parameters(L, 4, act, &values, NULL);
    rille_tensor *const *tensors = rlua_parameter_tensors(L, &values);
    rille_tensor *x = rlua_check_tensor(L, 1);
    rlua_check(L, tensors != NULL ? measure_learned(x, act, values.number, tensors, threshold, &share)
                                  : rille_measure_saturated(x, act, values.number, threshold, &share));
    lua_pushnumber(L, share);
    return 1;
}

/* rille.measure_dead(y): share of y's units (last dimension) that are 0 in every row */
static int measure_dead(lua_State *L)
{
    double share;
    rlua_check(L, rille_measure_dead(rlua_check_tensor(L, 1), &share));
    lua_pushnumber(L, share);
    return 1;
}

const luaL_Reg rlua_measure_functions[] = {
    {"measure", measure},
    {"measure_below", measure_below},
    {"measure_dead", measure_dead},
    {"measure_saturated", measure_saturated},
    {NULL, NULL},
};
