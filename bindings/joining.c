/* Tensors joined, and taken apart again into lists. */
#include "bindings.h"

/* ---- Joined ---- */

typedef rille_tensor *joiner(rille_tensor *const *t, int count, int dim);

/* name({tensors} [, dim = 1]); room: dimensions that the result has beyond the inputs' */
static int joined(lua_State *L, joiner *operation, int room)
{
    rlua_arguments(L, 2);
    if (lua_type(L, 1) != LUA_TTABLE)
        rlua_bad_type(L, 1, "list of tensors");
    rlua_list inputs = rlua_list_new(L, 1, 1);
    if (inputs.count == 0)
        rlua_bad_argument(L, 1, "an empty list");
    rlua_tensor *box = rlua_new(L);
    rlua_list_fill(L, &inputs);
    int64_t dim = lua_isnil(L, 2) ? 1 : rlua_integer(L, 2, 2, "dimension");
    const rille_tensor *first = inputs.item[0];
    int rank = rille_rank(first) + room;
    if (dim == 0)
        rlua_bad_argument(L, 2, "dimension 0: dimensions start at 1");
    if (dim > rank || dim < -rank)
        rlua_bad_argument(L, 2, "dimension %I is out of range for %s of shape %s", (LUAI_UACINT)dim,
                          room > 0 ? "a stack of tensors" : "tensors",
                          rlua_shape_text(L, rille_rank(first), rille_shape(first)));
    rlua_list_fill(L, &inputs); /* a message may run the collector */
    rlua_finish(L, box, operation(inputs.item, inputs.count, (int)(dim > 0 ? dim - 1 : dim)));
    return 1;
}

/* cat({tensors} [, dim = 1]) */
static int cat(lua_State *L)
{
    return joined(L, rille_cat, 0);
}

/* stack({tensors} [, dim = 1]): along a new dimension */
static int stack(lua_State *L)
{
    return joined(L, rille_stack, 1);
}

/* meshgrid({tensors}): the list of grids, the i-th varying along dimension i */
static int meshgrid(lua_State *L)
{
    rlua_arguments(L, 1);
    rlua_list inputs = rlua_list_new(L, 1, 1);
    if (inputs.count == 0)
        rlua_bad_argument(L, 1, "an empty list");
    rlua_list grids = rlua_list_empty(L, inputs.count);
    rlua_list_boxes(L, inputs.count);
    rlua_list_fill(L, &inputs);
    rlua_check(L, rille_meshgrid(inputs.item, inputs.count, grids.item));
    rlua_list_finish(L, &grids);
    return 1;
}

/* ---- Taken apart ---- */

enum { MOST_PARTS = 1 << 20 };

static int part_count(lua_State *L, int64_t count)
{
    if (count > MOST_PARTS)
        rlua_bad_argument(L, 2, "%I parts are too many", (LUAI_UACINT)count);
    return (int)count;
}

/* Pushes the sizes of the parts: of the table at argument 2, or as often as it goes the number that is there. */
static int64_t *part_sizes(lua_State *L, int64_t whole, int *count)
{
    if (lua_type(L, 2) == LUA_TTABLE) {
        const char *stray = rlua_stray_key(L, 2);
        if (stray != NULL)
            rlua_bad_argument(L, 2, "unexpected key '%s' in the list", stray);
        *count = part_count(L, (int64_t)lua_rawlen(L, 2));
        int64_t *sizes = rlua_buffer(L, *count, sizeof *sizes);
        for (int i = 0; i < *count; i++) {
            lua_rawgeti(L, 2, i + 1);
            sizes[i] = rlua_integer(L, -1, 2, "size");
            lua_pop(L, 1);
        }
        return sizes;
    }
    int64_t each = rlua_integer(L, 2, 2, "size");
    if (each < 1)
        rlua_bad_argument(L, 2, "size %I is not positive", (LUAI_UACINT)each);
    *count = whole == 0 ? 1 : part_count(L, whole / each + (whole % each != 0));
    int64_t *sizes = rlua_buffer(L, *count, sizeof *sizes);
    for (int i = 0; i < *count; i++)
        sizes[i] = whole - i * each < each ? whole - i * each : each;
    return sizes;
}

/* t:split(size [, dim = 1]) or t:split({sizes} [, dim]): the list of views */
static int split(lua_State *L)
{
    rlua_arguments(L, 3);
    int d = rlua_dimension_or(L, 3, 1), count;
    const int64_t *sizes = part_sizes(L, rille_shape(rlua_check_tensor(L, 1))[d], &count);
    rlua_list parts = rlua_list_empty(L, count);
    rlua_list_boxes(L, count);
    rlua_check(L, rille_split(rlua_check_tensor(L, 1), count, sizes, d, parts.item));
    rlua_list_finish(L, &parts);
    return 1;
}

/* t:chunk(chunks [, dim = 1]): the list of at most so many views, all but the last of one size */
static int chunk(lua_State *L)
{
    rlua_arguments(L, 3);
    int d = rlua_dimension_or(L, 3, 1);
    int64_t chunks = rlua_integer(L, 2, 2, "number of chunks");
    int64_t size = rille_shape(rlua_check_tensor(L, 1))[d], each = 0;
    if (chunks < 1)
        rlua_bad_argument(L, 2, "%I chunks; 1 or more expected", (LUAI_UACINT)chunks);
    else
        each = size / chunks + (size % chunks != 0);
    int count = part_count(L, each == 0 ? chunks : size / each + (size % each != 0));
    rlua_list parts = rlua_list_empty(L, part_count(L, chunks));
    rlua_list_boxes(L, count);
    parts.count = rille_chunk(rlua_check_tensor(L, 1), (int)chunks, d, parts.item);
    if (parts.count == 0)
        rlua_raise_engine(L);
    rlua_list_finish(L, &parts);
    return 1;
}

/* t:unbind([dim = 1]): the list of t:select(dim, i) */
static int unbind(lua_State *L)
{
    rlua_arguments(L, 2);
    int d = rlua_dimension_or(L, 2, 1), count = part_count(L, rille_shape(rlua_check_tensor(L, 1))[d]);
    rlua_list parts = rlua_list_empty(L, count);
    rlua_list_boxes(L, count);
    rlua_check(L, rille_unbind(rlua_check_tensor(L, 1), d, parts.item));
    rlua_list_finish(L, &parts);
    return 1;
}

/* ---- Repeated, moved round, padded ---- */

/* t:tile(2, 3) or t:tile{2, 3} */
static int tile(lua_State *L)
{
    int64_t repeats[RILLE_MAX_RANK];
    rlua_check_tensor(L, 1);
    int count = rlua_sizes(L, 2, lua_gettop(L), repeats, 0);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_tile(rlua_check_tensor(L, 1), count, repeats));
    return 1;
}

/* t:roll(shift [, dim = 1]) */
static int roll(lua_State *L)
{
    rlua_arguments(L, 3);
    int d = rlua_dimension_or(L, 3, 1);
    int64_t shift = rlua_integer(L, 2, 2, "shift");
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_roll(rlua_check_tensor(L, 1), shift, d));
    return 1;
}

/* {before, after} or one number for both, at the top */
static void read_padding(lua_State *L, int d, int64_t *before, int64_t *after)
{
    if (lua_type(L, -1) == LUA_TNUMBER) {
        *before = *after = rlua_integer(L, -1, 2, "padding");
        return;
    }
    if (lua_type(L, -1) != LUA_TTABLE || lua_rawlen(L, -1) != 2 || rlua_stray_key(L, -1) != NULL)
        rlua_bad_argument(L, 2, "[%d]: {before, after} or a number expected", d + 1);
    lua_rawgeti(L, -1, 1);
    lua_rawgeti(L, -2, 2);
    *before = rlua_integer(L, -2, 2, "padding");
    *after = rlua_integer(L, -1, 2, "padding");
    lua_pop(L, 2);
}

/* t:pad({{before, after}, {before, after}} [, value = 0]): of the last dimensions, as many as are given; a number means both */
static int pad(lua_State *L)
{
    int64_t before[RILLE_MAX_RANK] = {0}, after[RILLE_MAX_RANK] = {0};
    rlua_arguments(L, 3);
    int rank = rille_rank(rlua_check_tensor(L, 1));
    if (lua_type(L, 2) != LUA_TTABLE)
        rlua_bad_type(L, 2, "table of {before, after}");
    const char *stray = rlua_stray_key(L, 2);
    if (stray != NULL)
        rlua_bad_argument(L, 2, "unexpected key '%s' in the list", stray);
    lua_Unsigned count = lua_rawlen(L, 2);
    if (count > (lua_Unsigned)rank)
        rlua_bad_argument(L, 2, "%I are too many dimensions for shape %s", (LUAI_UACINT)count,
                          rlua_shape_text(L, rank, rille_shape(rlua_check_tensor(L, 1))));
    for (int i = 0; i < (int)count; i++) {
        int d = rank - (int)count + i;
        lua_rawgeti(L, 2, i + 1);
        read_padding(L, i, &before[d], &after[d]);
        lua_pop(L, 1);
    }
    double value = lua_isnil(L, 3) ? 0 : rlua_number(L, 3, 3, "value");
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_pad(rlua_check_tensor(L, 1), before, after, value));
    return 1;
}

const luaL_Reg rlua_joining_functions[] = {{"cat", cat}, {"meshgrid", meshgrid}, {"stack", stack}, {NULL, NULL}};
const luaL_Reg rlua_joining_both[] = {
    {"chunk", chunk}, {"pad", pad}, {"roll", roll}, {"split", split}, {"tile", tile}, {"unbind", unbind}, {NULL, NULL},
};
