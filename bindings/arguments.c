/* Arguments from Lua: integers that are exact, dimensions and indices that start at 1, sizes, numbers for tensors. */
#include "bindings.h"

#include <limits.h>
#include <string.h>

int64_t rlua_integer(lua_State *L, int index, int argument, const char *what)
{
    if (lua_type(L, index) != LUA_TNUMBER)
        rlua_bad_argument(L, argument, "%s must be an integer, got %s", what, rlua_type_name(L, index));
    int exact;
    lua_Integer value = lua_tointegerx(L, index, &exact);
    if (!exact)
        rlua_bad_argument(L, argument, "%s %s has no integer representation", what, rlua_number_text(L, index));
    return value;
}

double rlua_number(lua_State *L, int index, int argument, const char *what)
{
    if (lua_type(L, index) != LUA_TNUMBER)
        rlua_bad_argument(L, argument, "%s must be a number, got %s", what, rlua_type_name(L, index));
    return lua_tonumber(L, index);
}

bool rlua_boolean(lua_State *L, int index, int argument, const char *what, bool absent)
{
    if (lua_isnoneornil(L, index))
        return absent;
    if (!lua_isboolean(L, index))
        rlua_bad_argument(L, argument, "%s must be a boolean, got %s", what, rlua_type_name(L, index));
    return lua_toboolean(L, index);
}

int rlua_dimension(lua_State *L, int index, int argument, const rille_tensor *t)
{
    int rank = rille_rank(t);
    int64_t dim = rlua_integer(L, index, argument, "dimension");
    if (dim == 0)
        rlua_bad_argument(L, argument, "dimension 0: dimensions start at 1");
    if (dim > rank || dim < -rank)
        rlua_bad_argument(L, argument, "dimension %I is out of range for shape %s", (LUAI_UACINT)dim,
                          rlua_shape_text(L, rank, rille_shape(t)));
    return (int)(dim > 0 ? dim - 1 : dim + rank);
}

int rlua_dimension_or(lua_State *L, int argument, int absent)
{
    const rille_tensor *t = rlua_check_tensor(L, 1);
    if (lua_isnil(L, argument)) {
        lua_pushinteger(L, absent);
        lua_replace(L, argument);
    }
    return rlua_dimension(L, argument, argument, t);
}

int64_t rlua_position(lua_State *L, int index, int argument, int dim, int64_t size)
{
    int64_t position = rlua_integer(L, index, argument, "index");
    if (position == 0)
        rlua_bad_argument(L, argument, "index 0: indices start at 1");
    if (position > size || position < -size)
        rlua_bad_argument(L, argument, "index %I is out of range for dimension %d of size %I", (LUAI_UACINT)position, dim + 1,
                          (LUAI_UACINT)size);
    return position > 0 ? position - 1 : position + size;
}

const char *rlua_stray_key(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    lua_Integer length = (lua_Integer)lua_rawlen(L, index);
    if (length > 0)
        lua_pushinteger(L, length); /* on to what follows the last element: mostly nothing */
    else
        lua_pushnil(L);
    while (lua_next(L, index)) {
        lua_pop(L, 1);
        int is_integer;
        lua_Integer key = lua_tointegerx(L, -1, &is_integer);
        if (lua_type(L, -1) != LUA_TNUMBER || !is_integer || key < 1 || key > length)
            return luaL_tolstring(L, -1, NULL);
    }
    return NULL;
}

static void check_stray_keys(lua_State *L, int argument)
{
    const char *key = rlua_stray_key(L, argument);
    if (key != NULL)
        rlua_bad_argument(L, argument, "unexpected key '%s' in the list", key);
}

static int64_t size_at(lua_State *L, int index, int argument, int64_t minimum)
{
    int64_t size = rlua_integer(L, index, argument, "size");
    if (size < minimum)
        rlua_bad_argument(L, argument, "size %I is negative", (LUAI_UACINT)size);
    return size;
}

static void check_rank(lua_State *L, int argument, int64_t rank)
{
    if (rank > RILLE_MAX_RANK)
        rlua_bad_argument(L, argument, "rank %I is above the limit of %d", (LUAI_UACINT)rank, RILLE_MAX_RANK);
}

int rlua_sizes(lua_State *L, int first, int last, int64_t *sizes, int64_t minimum)
{
    if (first <= last && lua_type(L, first) == LUA_TTABLE) {
        if (last > first)
            rlua_bad_argument(L, first + 1, "nothing expected after a table of sizes, got %s", rlua_type_name(L, first + 1));
        int64_t rank = (int64_t)lua_rawlen(L, first);
        check_stray_keys(L, first);
        check_rank(L, first, rank);
        for (int d = 0; d < rank; d++) {
            lua_rawgeti(L, first, d + 1);
            sizes[d] = size_at(L, -1, first, minimum);
            lua_pop(L, 1);
        }
        return (int)rank;
    }
    if (last < first)
        rlua_bad_argument(L, first, "size must be an integer, got no value");
    check_rank(L, first + RILLE_MAX_RANK, last - first + 1);
    for (int d = 0; d <= last - first; d++)
        sizes[d] = size_at(L, first + d, first + d, minimum);
    return last - first + 1;
}

int rlua_dimensions(lua_State *L, int argument, const rille_tensor *t, int *dims)
{
    if (lua_type(L, argument) != LUA_TTABLE) {
        dims[0] = rlua_dimension(L, argument, argument, t);
        return 1;
    }
    lua_Unsigned count = lua_rawlen(L, argument);
    check_stray_keys(L, argument);
    if (count > (lua_Unsigned)rille_rank(t))
        rlua_bad_argument(L, argument, "%I are too many dimensions for shape %s", (LUAI_UACINT)count,
                          rlua_shape_text(L, rille_rank(t), rille_shape(t)));
    for (int i = 0; i < (int)count; i++) {
        lua_rawgeti(L, argument, i + 1);
        dims[i] = rlua_dimension(L, -1, argument, t);
        lua_pop(L, 1);
        for (int j = 0; j < i; j++)
            if (dims[j] == dims[i])
                rlua_bad_argument(L, argument, "dimension %d is named twice", dims[i] + 1);
    }
    return (int)count;
}

static const rille_dtype dtypes[] = {RILLE_FLOAT32, RILLE_FLOAT64, RILLE_INT64, RILLE_UINT8, RILLE_BOOL};
enum { DTYPES = sizeof dtypes / sizeof dtypes[0] };

rille_dtype rlua_dtype(lua_State *L, int index, int argument)
{
    if (lua_type(L, index) != LUA_TSTRING)
        rlua_bad_argument(L, argument, "dtype must be a string, got %s", rlua_type_name(L, index));
    const char *name = lua_tostring(L, index);
    const char *names[DTYPES + 1] = {NULL};
    for (int i = 0; i < DTYPES; i++) {
        names[i] = rille_dtype_name(dtypes[i]);
        if (strcmp(name, names[i]) == 0)
            return dtypes[i];
    }
    rlua_bad_argument(L, argument, "no dtype '%s'%s", name, rlua_did_you_mean(L, rlua_nearest(name, names)));
}

rille_activation rlua_activation(lua_State *L, int argument)
{
    lua_pushvalue(L, argument);
    if (lua_type(L, argument) == LUA_TTABLE) {
        lua_pushliteral(L, "name");
        lua_rawget(L, argument);
    }
    if (lua_type(L, -1) != LUA_TSTRING)
        rlua_bad_type(L, argument, "name or entry of an activation");
    const char *name = lua_tostring(L, -1);
    rille_activation act = rille_activation_find(name);
    if ((int)act < 0 && rlua_own_activation(L, argument))
        rlua_bad_argument(L, argument, "activation '%s' is the script's own; a built-in one is expected here", name);
    if ((int)act < 0)
        rlua_bad_argument(L, argument, "no activation '%s'%s", name, rlua_did_you_mean(L, rlua_nearest_activation(L, name)));
    return act;
}

/* ---- Numbers for tensors ---- */

const char *rlua_store(lua_State *L, int index, rille_dtype dtype, void *into)
{
    int type = lua_type(L, index), exact = true;
    if (type != LUA_TNUMBER && type != LUA_TBOOLEAN)
        return lua_pushfstring(L, "number expected, got %s", rlua_type_name(L, index));
    double number = type == LUA_TNUMBER ? lua_tonumber(L, index) : lua_toboolean(L, index);
    lua_Integer integer = type == LUA_TNUMBER ? lua_tointegerx(L, index, &exact) : lua_toboolean(L, index);
    switch (dtype) {
    case RILLE_FLOAT32: *(float *)into = (float)number; return NULL;
    case RILLE_FLOAT64: *(double *)into = number; return NULL;
    case RILLE_BOOL: *(bool *)into = number != 0; return NULL;
    case RILLE_INT64: *(int64_t *)into = integer; break;
    case RILLE_UINT8: *(uint8_t *)into = (uint8_t)integer; break;
    }
    if (!exact)
        return lua_pushfstring(L, "%s has no integer representation", rlua_number_text(L, index));
    if (dtype == RILLE_UINT8 && (integer < 0 || integer > UINT8_MAX))
        return lua_pushfstring(L, "%I is not in 0 ... 255, the range of uint8", (LUAI_UACINT)integer);
    return NULL;
}

rille_dtype rlua_scalar_dtype(lua_State *L, int index, rille_dtype beside)
{
    if (beside == RILLE_FLOAT32 || beside == RILLE_FLOAT64)
        return beside;
    return lua_isinteger(L, index) ? RILLE_INT64 : RILLE_FLOAT32;
}

rille_tensor *rlua_scalar(lua_State *L, int index, int argument, rille_dtype dtype)
{
    int64_t value = 0; /* room for any dtype */
    const char *wrong = rlua_store(L, index, dtype, &value);
    if (wrong != NULL)
        rlua_bad_argument(L, argument, "%s", wrong);
    return rille_from(rlua_context(L), dtype, 0, &value, &value);
}

void rlua_tensor_or_number(lua_State *L, int argument, int other)
{
    if (rlua_box(L, argument) != NULL)
        return;
    if (lua_type(L, argument) != LUA_TNUMBER)
        rlua_bad_type(L, argument, "tensor or number");
    const rlua_tensor *beside = rlua_box(L, other);
    rille_dtype dtype = beside == NULL ? RILLE_FLOAT32 : rille_dtype_of(rlua_check_tensor(L, other));
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rlua_scalar(L, argument, argument, rlua_scalar_dtype(L, argument, dtype)));
    lua_replace(L, argument);
}

/* "[2][1]": where the element with the row-major number i is. Pushes it. */
static const char *element_text(lua_State *L, const rille_tensor *t, int64_t i)
{
    int64_t at[RILLE_MAX_RANK];
    int rank = rille_rank(t);
    for (int d = rank - 1; d >= 0; d--) {
        at[d] = i % rille_shape(t)[d] + 1;
        i /= rille_shape(t)[d];
    }
    lua_pushliteral(L, "");
    for (int d = 0; d < rank; d++) {
        lua_pushfstring(L, "[%I]", (LUAI_UACINT)at[d]);
        lua_concat(L, 2);
    }
    return lua_tostring(L, -1);
}

/* Raises where an element of the floating tensor at index is no whole number. */
static void check_whole(lua_State *L, int index, int argument, const char *what)
{
    int64_t n = rille_numel(rlua_check_box(L, index)->tensor);
    double *value = rlua_buffer(L, n, sizeof *value);
    rlua_check(L, rille_copy_out(rlua_check_box(L, index)->tensor, RILLE_FLOAT64, value));
    for (int64_t i = 0; i < n; i++) {
        int exact;
        lua_pushnumber(L, value[i]);
        lua_tointegerx(L, -1, &exact);
        if (!exact) {
            const char *number = rlua_number_text(L, -1);
            const char *element = element_text(L, rlua_check_box(L, index)->tensor, i);
            rlua_bad_argument(L, argument, "%s%s: %s has no integer representation", what, element, number);
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

rlua_tensor *rlua_indices_at(lua_State *L, int index, int argument, const char *what)
{
    rille_dtype dtype = rille_dtype_of(rlua_check_box(L, index)->tensor);
    if (dtype == RILLE_BOOL)
        rlua_bad_argument(L, argument, "%ss are integers, got a tensor of bool", what);
    if (dtype == RILLE_INT64) {
        lua_pushvalue(L, index);
        return rlua_box(L, -1);
    }
    if (dtype != RILLE_UINT8)
        check_whole(L, index, argument, what);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_to(rlua_check_box(L, index)->tensor, RILLE_INT64));
    return box;
}

rlua_tensor *rlua_indices(lua_State *L, int argument, const char *what)
{
    rille_dtype int64 = RILLE_INT64;
    int type = lua_type(L, argument);
    if (rlua_box(L, argument) == NULL && (type == LUA_TTABLE || type == LUA_TNUMBER))
        return rlua_from_table(L, argument, &int64, LUA_TNUMBER);
    rlua_check_box(L, argument);
    return rlua_indices_at(L, argument, argument, what);
}
