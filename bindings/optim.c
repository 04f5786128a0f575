/* Steps of optimisers and clipping of gradients, on lists of parameters. */
#include "bindings.h"

#include <string.h>

static const char *const kinds[] = {"sgd", "adam", "adamw", "rmsprop", "adagrad", "adadelta", "lion", NULL};

/* The two numbers of option 'betas', where it is there. */
static void read_betas(lua_State *L, int argument, rille_optimizer_options *o)
{
    if (!rlua_option(L, argument, "betas"))
        return;
    if (lua_type(L, -1) != LUA_TTABLE)
        rlua_bad_argument(L, argument, "option 'betas' must be a table of two numbers, got %s", rlua_type_name(L, -1));
    lua_rawgeti(L, -1, 1);
    o->beta1 = rlua_number(L, -1, argument, "betas[1]");
    lua_rawgeti(L, -2, 2);
    o->beta2 = rlua_number(L, -1, argument, "betas[2]");
    lua_pop(L, 3);
}

/* The kind at argument 1 and its options, by PyTorch's names, at `argument`. The table may hold more, as a parameter group does. */
static rille_optimizer_options read_options(lua_State *L, int argument)
{
    rille_optimizer_options o = {.kind = RILLE_SGD};
    if (lua_type(L, 1) != LUA_TSTRING)
        rlua_bad_type(L, 1, "name of an optimiser");
    const char *name = lua_tostring(L, 1);
    int kind = 0;
    while (kinds[kind] != NULL && strcmp(kinds[kind], name) != 0)
        kind++;
    if (kinds[kind] == NULL)
        rlua_bad_argument(L, 1, "no optimiser '%s'%s", name, rlua_did_you_mean(L, rlua_nearest(name, kinds)));
    if (lua_type(L, argument) != LUA_TTABLE)
        rlua_bad_type(L, argument, "table of options");
    if (!rlua_option(L, argument, "lr"))
        rlua_bad_argument(L, argument, "option 'lr' is missing");
    lua_pop(L, 1);
    o.kind = (rille_optimizer)kind;
    o.learning_rate = rlua_option_number(L, argument, "lr", 0);
    o.weight_decay = rlua_option_number(L, argument, "weight_decay", 0);
    o.momentum = rlua_option_number(L, argument, "momentum", 0);
    o.nesterov = rlua_option_boolean(L, argument, "nesterov", false);
    o.centered = rlua_option_boolean(L, argument, "centered", false);
    o.alpha = rlua_option_number(L, argument, "alpha", 0);
    o.rho = rlua_option_number(L, argument, "rho", 0);
    o.lr_decay = rlua_option_number(L, argument, "lr_decay", 0);
    o.eps = rlua_option_number(L, argument, "eps", 0);
    read_betas(L, argument, &o);
    return o;
}

/* rille.optimizer_states(kind, options): the names of the tensors that these options keep beside each parameter */
static int optimizer_states(lua_State *L)
{
    const char *names[RILLE_MAX_OPTIMIZER_STATES];
    lua_settop(L, 2);
    rille_optimizer_options options = read_options(L, 2);
    int count = rille_optimizer_states(rlua_context(L), &options, names);
    if (count < 0)
        rlua_raise_engine(L);
    lua_createtable(L, count, 0);
    for (int i = 0; i < count; i++) {
        lua_pushstring(L, names[i]);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

/* The integers of the list at `argument`, one for each of `count` parameters. */
static int64_t *read_steps(lua_State *L, int argument, int count)
{
    if (lua_type(L, argument) != LUA_TTABLE)
        rlua_bad_type(L, argument, "list of the parameters' numbers of steps");
    if (lua_rawlen(L, argument) != (size_t)count)
        rlua_bad_argument(L, argument, "list of %d expected, as there are parameters, got %d", count,
                          (int)lua_rawlen(L, argument));
    int64_t *steps = rlua_buffer(L, count, sizeof *steps);
    for (int i = 0; i < count; i++) {
        lua_rawgeti(L, argument, i + 1);
        steps[i] = rlua_integer(L, -1, argument, "number of steps");
        lua_pop(L, 1);
    }
    return steps;
}

/* rille.optimizer_step(kind, options, parameters, states, steps): states is one list, of those of the first parameter, in the
 * order of optimizer_states, then of the second ...; steps counts those that each parameter has made, and is counted on */
static int optimizer_step(lua_State *L)
{
    lua_settop(L, 5);
    rille_optimizer_options options = read_options(L, 2);
    int kept = rille_optimizer_states(rlua_context(L), &options, NULL);
    if (kept < 0)
        rlua_raise_engine(L);
    rlua_list parameters = rlua_list_new(L, 3, 3), states = rlua_list_new(L, 4, 4);
    if (states.count != kept * parameters.count)
        rlua_bad_argument(L, 4, "list of %d tensors expected, %d for each parameter, got %d", kept * parameters.count, kept,
                          states.count);
    int64_t *steps = read_steps(L, 5, parameters.count);
    rlua_list_fill(L, &parameters);
    rlua_list_fill(L, &states);
    rlua_check(L, rille_optimizer_step(rlua_context(L), &options, parameters.count, parameters.item, states.item, steps));
    for (int i = 0; i < parameters.count; i++) {
        lua_pushinteger(L, steps[i]);
        lua_rawseti(L, 5, i + 1);
    }
    return 0;
}

/* rille.clip_grad_norm(parameters, max_norm [, {norm_type = 2, error_if_nonfinite = false}]): the total norm */
static int clip_grad_norm(lua_State *L)
{
    static const char *const names[] = {"error_if_nonfinite", "norm_type", NULL};
    double total = 0;
    lua_settop(L, 3);
    double max_norm = rlua_number(L, 2, 2, "max_norm");
    rlua_check_options(L, 3, names);
    double norm_type = rlua_option_number(L, 3, "norm_type", 2);
    bool strict = rlua_option_boolean(L, 3, "error_if_nonfinite", false);
    rlua_list parameters = rlua_list_new(L, 1, 1);
    rlua_list_fill(L, &parameters);
    rlua_check(L,
               rille_clip_grad_norm(rlua_context(L), parameters.count, parameters.item, max_norm, norm_type, strict, &total));
    lua_pushnumber(L, total);
    return 1;
}

/* rille.clip_grad_value(parameters, value) */
static int clip_grad_value(lua_State *L)
{
    lua_settop(L, 2);
    double value = rlua_number(L, 2, 2, "value");
    rlua_list parameters = rlua_list_new(L, 1, 1);
    rlua_list_fill(L, &parameters);
    rlua_check(L, rille_clip_grad_value(rlua_context(L), parameters.count, parameters.item, value));
    return 0;
}

const luaL_Reg rlua_optim_functions[] = {
    {"clip_grad_norm", clip_grad_norm},
    {"clip_grad_value", clip_grad_value},
    {"optimizer_states", optimizer_states},
    {"optimizer_step", optimizer_step},
    {NULL, NULL},
};
