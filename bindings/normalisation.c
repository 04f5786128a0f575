/* batch_norm, layer_norm, rms_norm and group_norm. */
#include "bindings.h"

#include <float.h>

static rille_tensor *optional_tensor(lua_State *L, int argument)
{
    return lua_isnil(L, argument) ? NULL : rlua_check_tensor(L, argument);
}

static double eps_of(lua_State *L, int argument, double absent)
{
    static const char *const names[] = {"eps", NULL};
    rlua_check_options(L, argument, names);
    return rlua_option_number(L, argument, "eps", absent);
}

/* batch_norm(x, running_mean, running_var [, weight [, bias]] [, {training = false, momentum = 0.1, eps = 1e-5}]) */
static int batch_norm(lua_State *L)
{
    static const char *const names[] = {"eps", "momentum", "training", NULL};
    rlua_arguments(L, 6);
    rlua_options_last(L, 2, 6);
    rlua_check_options(L, 6, names);
    const bool training = rlua_option_boolean(L, 6, "training", false);
    const double momentum = rlua_option_number(L, 6, "momentum", 0.1), eps = rlua_option_number(L, 6, "eps", 1e-5);
    rlua_tensor *box = rlua_new(L);
    rille_tensor *given[6] = {rlua_check_tensor(L, 1)};
    for (int i = 1; i < 5; i++)
        given[i] = optional_tensor(L, i + 1);
    rlua_finish(L, box, rille_batch_norm(given[0], given[1], given[2], given[3], given[4], training, momentum, eps));
    return 1;
}

/* layer_norm(x, normalized_shape [, weight [, bias]] [, {eps = 1e-5}]) */
static int layer_norm(lua_State *L)
{
    int64_t sizes[RILLE_MAX_RANK];
    rlua_arguments(L, 5);
    rlua_options_last(L, 3, 5);
    rlua_check_tensor(L, 1);
    const int rank = rlua_sizes(L, 2, 2, sizes, 0);
    const double eps = eps_of(L, 5, 1e-5);
    rlua_tensor *box = rlua_new(L);
    rille_tensor *weight = optional_tensor(L, 3), *bias = optional_tensor(L, 4);
    rlua_finish(L, box, rille_layer_norm(rlua_check_tensor(L, 1), rank, sizes, weight, bias, eps));
    return 1;
}

/* rms_norm(x, normalized_shape [, weight] [, {eps = the dtype's spacing at 1}]) */
static int rms_norm(lua_State *L)
{
    int64_t sizes[RILLE_MAX_RANK];
    rlua_arguments(L, 4);
    rlua_options_last(L, 3, 4);
    const rille_dtype dtype = rille_dtype_of(rlua_check_tensor(L, 1));
    const int rank = rlua_sizes(L, 2, 2, sizes, 0);
    const double eps = eps_of(L, 4, dtype == RILLE_FLOAT64 ? DBL_EPSILON : (double)FLT_EPSILON);
    rlua_tensor *box = rlua_new(L);
    rille_tensor *weight = optional_tensor(L, 3);
    rlua_finish(L, box, rille_rms_norm(rlua_check_tensor(L, 1), rank, sizes, weight, eps));
    return 1;
}

/* group_norm(x, num_groups [, weight [, bias]] [, {eps = 1e-5}]) */
static int group_norm(lua_State *L)
{
    rlua_arguments(L, 5);
    rlua_options_last(L, 3, 5);
    rlua_check_tensor(L, 1);
    const int64_t groups = rlua_integer(L, 2, 2, "num_groups");
    const double eps = eps_of(L, 5, 1e-5);
    rlua_tensor *box = rlua_new(L);
    rille_tensor *weight = optional_tensor(L, 3), *bias = optional_tensor(L, 4);
    rlua_finish(L, box, rille_group_norm(rlua_check_tensor(L, 1), groups, weight, bias, eps));
    return 1;
}

const luaL_Reg rlua_normalisation_both[] = {
    {"batch_norm", batch_norm}, {"group_norm", group_norm}, {"layer_norm", layer_norm}, {"rms_norm", rms_norm}, {NULL, NULL},
};
