/* What slides windows over images: convolutions. */
#include "bindings.h"

/* Option `name`, an integer or a list of `axes` of them, each of at least `least`; `into` stays as it is where it is absent. */
static void read_sizes(lua_State *L, int argument, const char *name, int axes, int64_t least, int64_t into[2])
{
    if (!rlua_option(L, argument, name))
        return;
    const int value = lua_gettop(L);
    const bool list = lua_type(L, value) == LUA_TTABLE;
    if (list && ((int)lua_rawlen(L, value) != axes || rlua_stray_key(L, value) != NULL))
        rlua_bad_argument(L, argument, "option '%s' must be an integer or a list of %d", name, axes);
    const char *what = lua_pushfstring(L, "option '%s'", name);
    for (int d = 0; d < axes; d++) {
        if (list)
            lua_rawgeti(L, value, d + 1);
        else
            lua_pushvalue(L, value);
        into[d] = rlua_integer(L, lua_gettop(L), argument, what);
        if (into[d] < least)
            rlua_bad_argument(L, argument, "%s: %I or more expected, got %I", what, (LUAI_UACINT)least, (LUAI_UACINT)into[d]);
    }
    lua_settop(L, value - 1);
}

/* conv2d(x, weight [, bias] [, {stride = 1, padding = 0, dilation = 1, groups = 1}]) */
static int convolved(lua_State *L, int axes)
{
    static const char *const names[] = {"dilation", "groups", "padding", "stride", NULL};
    rille_convolution options = {.groups = 0};
    int64_t groups[2] = {1, 1};
    rlua_arguments(L, 4);
    if (lua_type(L, 3) == LUA_TTABLE && lua_isnil(L, 4))
        lua_insert(L, 3); /* no bias */
    rlua_check_options(L, 4, names);
    read_sizes(L, 4, "stride", axes, 1, options.stride);
    read_sizes(L, 4, "padding", axes, 0, options.padding);
    read_sizes(L, 4, "dilation", axes, 1, options.dilation);
    read_sizes(L, 4, "groups", 1, 1, groups);
    options.groups = groups[0];
    rlua_tensor *box = rlua_new(L);
    rille_tensor *bias = lua_isnil(L, 3) ? NULL : rlua_check_tensor(L, 3);
    rille_tensor *x = rlua_check_tensor(L, 1), *weight = rlua_check_tensor(L, 2);
    rlua_finish(L, box, (axes == 1 ? rille_conv1d : rille_conv2d)(x, weight, bias, &options));
    return 1;
}

static int conv1d(lua_State *L)
{
    return convolved(L, 1);
}

static int conv2d(lua_State *L)
{
    return convolved(L, 2);
}

const luaL_Reg rlua_window_both[] = {{"conv1d", conv1d}, {"conv2d", conv2d}, {NULL, NULL}};
