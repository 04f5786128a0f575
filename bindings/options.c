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

int rlua_parameters(lua_State *L, int argument, rille_activation act, double *params, const char *const *extra)
{
    const rille_activation_info *info = rille_activation_describe(act);
    for (int i = 0; i < info->parameter_count; i++)
        params[i] = info->parameter[i].initial;
    int i = 0;
    for (; i < info->parameter_count && lua_type(L, argument + i) == LUA_TNUMBER; i++)
        params[i] = lua_tonumber(L, argument + i);
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
        params[i] = rlua_option_number(L, rest, info->parameter[i].name, params[i]);
    return rest;
}
