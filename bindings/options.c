/* The trailing table of options: {dtype = "float64", requires_grad = true}. An unknown key is an error. */
#include "bindings.h"

#include <string.h>

bool rlua_has_options(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TTABLE || lua_rawlen(L, index) > 0)
        return false;
    lua_pushnil(L);
    if (!lua_next(L, index))
        return false; /* {} is an empty list */
    lua_pop(L, 2);
    return true;
}

static bool is_among(const char *name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(name, *names) == 0)
            return true;
    return false;
}

void rlua_check_options(lua_State *L, int argument, const char *const *names)
{
    if (lua_isnoneornil(L, argument))
        return;
    if (lua_type(L, argument) != LUA_TTABLE)
        rlua_bad_type(L, argument, "table of options");
    lua_pushnil(L);
    while (lua_next(L, argument)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            rlua_bad_argument(L, argument, "options have names; the table has a key that is a %s", rlua_type_name(L, -1));
        const char *name = lua_tostring(L, -1);
        if (!is_among(name, names))
            rlua_bad_argument(L, argument, "no option '%s'%s", name, rlua_did_you_mean(L, rlua_nearest(name, names)));
    }
}

bool rlua_option(lua_State *L, int argument, const char *name)
{
    if (lua_type(L, argument) != LUA_TTABLE)
        return false;
    lua_pushstring(L, name);
    if (lua_rawget(L, argument) != LUA_TNIL)
        return true;
    lua_pop(L, 1);
    return false;
}

void rlua_options_last(lua_State *L, int first, int last)
{
    int at = last;
    while (at > first && lua_isnil(L, at))
        at--;
    if (at == last || lua_type(L, at) != LUA_TTABLE)
        return;
    lua_pushvalue(L, at);
    lua_replace(L, last);
    lua_pushnil(L);
    lua_replace(L, at);
}

double rlua_option_number(lua_State *L, int argument, const char *name, double absent)
{
    if (!rlua_option(L, argument, name))
        return absent;
    if (lua_type(L, -1) != LUA_TNUMBER)
        rlua_bad_argument(L, argument, "option '%s' must be a number, got %s", name, rlua_type_name(L, -1));
    double value = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return value;
}

bool rlua_option_boolean(lua_State *L, int argument, const char *name, bool absent)
{
    if (!rlua_option(L, argument, name))
        return absent;
    if (!lua_isboolean(L, -1))
        rlua_bad_argument(L, argument, "option '%s' must be a boolean, got %s", name, rlua_type_name(L, -1));
    bool value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

enum { MOST_NAMES = 16 };

/* The parameters' names followed by `extra`, NULL-ended. */
static void collect_names(const rille_activation_info *info, const char *const *extra, const char **names)
{
    int n = 0;
    for (int i = 0; i < info->parameter_count; i++)
        names[n++] = info->parameter[i].name;
    for (; extra != NULL && *extra != NULL && n < MOST_NAMES - 1; extra++)
        names[n++] = *extra;
    names[n] = NULL;
}

/* Parameter i from the value at `index`, if it is a number or a tensor that may stand there. */
static bool take_parameter(lua_State *L, int index, const rille_activation_info *info, int i, rlua_parameter_values *values)
{
    bool is_tensor = info->parameter[i].learnable && rlua_box(L, index) != NULL;
    if (is_tensor)
        values->at[i] = index;
    else if (lua_type(L, index) == LUA_TNUMBER)
        values->number[i] = lua_tonumber(L, index);
    else
        return false;
    values->any_tensor = values->any_tensor || is_tensor;
    return true;
}

static void take_option(lua_State *L, int table, const rille_activation_info *info, int i, rlua_parameter_values *values)
{
    const char *name = info->parameter[i].name;
    if (!rlua_option(L, table, name))
        return;
    if (!take_parameter(L, lua_gettop(L), info, i, values))
        rlua_bad_argument(L, table, "option '%s' must be a %s, got %s", name,
                          info->parameter[i].learnable ? "number or tensor" : "number", rlua_type_name(L, -1));
    if (values->at[i] == 0) /* else the tensor stays where it is */
        lua_pop(L, 1);
}

int rlua_parameters(lua_State *L, int argument, rille_activation act, rlua_parameter_values *values, const char *const *extra)
{
    const rille_activation_info *info = rille_activation_describe(act);
    *values = (rlua_parameter_values){.any_tensor = false};
    for (int i = 0; i < info->parameter_count; i++)
        values->number[i] = info->parameter[i].initial;
    int i = 0;
    while (i < info->parameter_count && take_parameter(L, argument + i, info, i, values))
        i++;
    int rest = argument + i;
    if (lua_isnoneornil(L, rest))
        return 0;
    if (lua_type(L, rest) == LUA_TNUMBER)
        rlua_bad_argument(L, rest, "'%s' has %d parameter%s", info->name, info->parameter_count,
                          info->parameter_count == 1 ? "" : "s");
    if (lua_type(L, rest) != LUA_TTABLE)
        rlua_bad_type(L, rest, i < info->parameter_count ? "number or table of parameters" : "table of options");
    const char *names[MOST_NAMES];
    collect_names(info, extra, names);
    rlua_check_options(L, rest, names);
    for (i = 0; i < info->parameter_count; i++)
        take_option(L, rest, info, i, values);
    return rest;
}

rille_tensor *const *rlua_parameter_tensors(lua_State *L, rlua_parameter_values *values)
{
    for (int i = 0; i < RILLE_MAX_PARAMETERS; i++)
        values->tensor[i] = values->at[i] == 0 ? NULL : rlua_check_tensor(L, values->at[i]);
    return values->any_tensor ? values->tensor : NULL;
}
