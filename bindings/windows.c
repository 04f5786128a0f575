/* What slides windows over images: convolutions and pools. */
#include "bindings.h"

/* The value at the index, an integer or a list of `axes` of them, each of at least `least`, called `what` in messages. */
static void read_sizes(lua_State *L, int value, int argument, const char *what, int axes, int64_t least, int64_t into[2])
{
    const bool list = lua_type(L, value) == LUA_TTABLE;
    if (list && ((int)lua_rawlen(L, value) != axes || rlua_stray_key(L, value) != NULL))
        rlua_bad_argument(L, argument, "%s must be an integer or a list of %d", what, axes);
    for (int d = 0; d < axes; d++) {
        if (list)
            lua_rawgeti(L, value, d + 1);
        else
            lua_pushvalue(L, value);
        into[d] = rlua_integer(L, lua_gettop(L), argument, what);
        if (into[d] < least)
            rlua_bad_argument(L, argument, "%s: %I or more expected, got %I", what, (LUAI_UACINT)least, (LUAI_UACINT)into[d]);
        lua_pop(L, 1);
    }
}

/* The same of the option `name`; `into` stays as it is where it is absent. */
static void read_option(lua_State *L, int argument, const char *name, int axes, int64_t least, int64_t into[2])
{
    if (!rlua_option(L, argument, name))
        return;
    const int value = lua_gettop(L);
    read_sizes(L, value, argument, lua_pushfstring(L, "option '%s'", name), axes, least, into);
    lua_settop(L, value - 1);
}

/* conv2d(x, weight [, bias] [, {stride = 1, padding = 0, dilation = 1, groups = 1}]) */
static int convolved(lua_State *L, int axes)
{
    static const char *const names[] = {"dilation", "groups", "padding", "stride", NULL};
    rille_convolution options = {.groups = 0};
    int64_t groups[2] = {1, 1};
    rlua_arguments(L, 4);
    rlua_options_last(L, 3, 4);
    rlua_check_options(L, 4, names);
    read_option(L, 4, "stride", axes, 1, options.stride);
    read_option(L, 4, "padding", axes, 0, options.padding);
    read_option(L, 4, "dilation", axes, 1, options.dilation);
    read_option(L, 4, "groups", 1, 1, groups);
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

/* max_pool2d(x, kernel_size [, {stride = kernel_size, padding = 0, ceil_mode = false}]) */
static int pooled(lua_State *L, int axes, bool average, rille_tensor *pool(rille_tensor *, const rille_pooling *))
{
    static const char *const names[] = {"ceil_mode", "padding", "stride", "count_include_pad", NULL};
    static const char *const names_of_largest[] = {"ceil_mode", "padding", "stride", NULL};
    rille_pooling options = {.ceil_mode = false};
    rlua_arguments(L, 3);
    rlua_check_tensor(L, 1);
    read_sizes(L, 2, 2, "kernel_size", axes, 1, options.kernel);
    rlua_check_options(L, 3, average ? names : names_of_largest);
    read_option(L, 3, "stride", axes, 1, options.stride);
    read_option(L, 3, "padding", axes, 0, options.padding);
    options.ceil_mode = rlua_option_boolean(L, 3, "ceil_mode", false);
    options.exclude_padding = !rlua_option_boolean(L, 3, "count_include_pad", true);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, pool(rlua_check_tensor(L, 1), &options));
    return 1;
}

static int max_pool1d(lua_State *L)
{
    return pooled(L, 1, false, rille_max_pool1d);
}

static int max_pool2d(lua_State *L)
{
    return pooled(L, 2, false, rille_max_pool2d);
}

/* Of the options, count_include_pad = true is for averages alone. */
static int avg_pool1d(lua_State *L)
{
    return pooled(L, 1, true, rille_avg_pool1d);
}

static int avg_pool2d(lua_State *L)
{
    return pooled(L, 2, true, rille_avg_pool2d);
}

const luaL_Reg rlua_window_both[] = {
    {"avg_pool1d", avg_pool1d}, {"avg_pool2d", avg_pool2d}, {"conv1d", conv1d}, {"conv2d", conv2d},
    {"max_pool1d", max_pool1d}, {"max_pool2d", max_pool2d}, {NULL, NULL},
};
