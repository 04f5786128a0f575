/* What a tensor is like, its views and its copies. */
#include "bindings.h"

/* ---- Looking ---- */

/* t:shape(): {2, 3} */
static int shape(lua_State *L)
{
    const rille_tensor *t = rlua_check_tensor(L, 1);
    int64_t size[RILLE_MAX_RANK];
    int rank = rille_rank(t);
    for (int d = 0; d < rank; d++)
        size[d] = rille_shape(t)[d];
    lua_createtable(L, rank, 0);
    for (int d = 0; d < rank; d++) {
        lua_pushinteger(L, size[d]);
        lua_rawseti(L, -2, d + 1);
    }
    return 1;
}

/* t:size(dim) */
static int size(lua_State *L)
{
    const rille_tensor *t = rlua_check_tensor(L, 1);
    lua_pushinteger(L, rille_shape(t)[rlua_dimension(L, 2, 2, t)]);
    return 1;
}

static int dim(lua_State *L)
{
    lua_pushinteger(L, rille_rank(rlua_check_tensor(L, 1)));
    return 1;
}

static int numel(lua_State *L)
{
    lua_pushinteger(L, rille_numel(rlua_check_tensor(L, 1)));
    return 1;
}

static int dtype(lua_State *L)
{
    lua_pushstring(L, rille_dtype_name(rille_dtype_of(rlua_check_tensor(L, 1))));
    return 1;
}

static int is_contiguous(lua_State *L)
{
    lua_pushboolean(L, rille_is_contiguous(rlua_check_tensor(L, 1)));
    return 1;
}

/* ---- Views and copies of the whole ---- */

static int of_whole(lua_State *L, rille_tensor *operation(rille_tensor *))
{
    rlua_arguments(L, 1);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, operation(rlua_check_tensor(L, 1)));
    return 1;
}

static int contiguous(lua_State *L)
{
    return of_whole(L, rille_contiguous);
}

static int clone(lua_State *L)
{
    return of_whole(L, rille_clone);
}

static int detach(lua_State *L)
{
    return of_whole(L, rille_detach);
}

/* t:to("float64") */
static int to(lua_State *L)
{
    rlua_arguments(L, 2);
    rlua_check_tensor(L, 1);
    rille_dtype target = rlua_dtype(L, 2, 2);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_to(rlua_check_tensor(L, 1), target));
    return 1;
}

/* ---- Other shapes ---- */

static int reshaped(lua_State *L, rille_tensor *operation(rille_tensor *, int, const int64_t *))
{
    int64_t sizes[RILLE_MAX_RANK];
    rlua_check_tensor(L, 1);
    int rank = rlua_sizes(L, 2, lua_gettop(L), sizes, -1);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, operation(rlua_check_tensor(L, 1), rank, sizes));
    return 1;
}

/* t:reshape(2, -1): -1 is inferred */
static int reshape(lua_State *L)
{
    return reshaped(L, rille_reshape);
}

/* t:view(2, -1): never a copy */
static int view(lua_State *L)
{
    if (!rille_is_contiguous(rlua_check_tensor(L, 1)))
        rlua_bad_argument(L, 1, "tensor is not contiguous; use reshape");
    return reshaped(L, rille_reshape);
}

/* t:expand(4, -1): -1 keeps a size */
static int expand(lua_State *L)
{
    return reshaped(L, rille_expand);
}

/* t:transpose(dim, dim) */
static int transpose(lua_State *L)
{
    rlua_arguments(L, 3);
    const rille_tensor *t = rlua_check_tensor(L, 1);
    int a = rlua_dimension(L, 2, 2, t), b = rlua_dimension(L, 3, 3, t);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_transpose(rlua_check_tensor(L, 1), a, b));
    return 1;
}

/* t:t(): rows become columns */
static int transpose_matrix(lua_State *L)
{
    rlua_arguments(L, 1);
    const rille_tensor *t = rlua_check_tensor(L, 1);
    if (rille_rank(t) != 2)
        rlua_bad_argument(L, 1, "a matrix expected, got shape %s", rlua_shape_text(L, rille_rank(t), rille_shape(t)));
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_transpose(rlua_check_tensor(L, 1), 0, 1));
    return 1;
}

/* t:permute(2, 1) or t:permute{2, 1}: dimension i of the result is the i-th named here */
static int permute(lua_State *L)
{
    const rille_tensor *t = rlua_check_tensor(L, 1);
    int dims[RILLE_MAX_RANK], rank = rille_rank(t), top = lua_gettop(L);
    if (lua_type(L, 2) != LUA_TTABLE) { /* the same as a table of them */
        lua_createtable(L, 0, 0);
        for (int i = 2; i <= top; i++) {
            lua_pushvalue(L, i);
            lua_rawseti(L, -2, i - 1);
        }
        lua_insert(L, 2);
        lua_settop(L, 2);
        t = rlua_check_tensor(L, 1);
    }
    int count = rlua_dimensions(L, 2, t, dims);
    if (count != rank)
        rlua_bad_argument(L, 2, "%d dimensions expected for shape %s, got %d", rank, rlua_shape_text(L, rank, rille_shape(t)),
                          count);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_permute(rlua_check_tensor(L, 1), dims));
    return 1;
}

/* ---- Parts ---- */

/* t:narrow(dim, start, length) */
static int narrow(lua_State *L)
{
    rlua_arguments(L, 4);
    const rille_tensor *t = rlua_check_tensor(L, 1);
    int d = rlua_dimension(L, 2, 2, t);
    int64_t whole = rille_shape(t)[d], start = rlua_position(L, 3, 3, d, whole), length = rlua_integer(L, 4, 4, "length");
    if (length < 0 || length > whole - start)
        rlua_bad_argument(L, 4, "length %I is not in 0 ... %I, the rest of dimension %d of size %I", (LUAI_UACINT)length,
                          (LUAI_UACINT)(whole - start), d + 1, (LUAI_UACINT)whole);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_narrow(rlua_check_tensor(L, 1), d, start, length));
    return 1;
}

/* t:select(dim, index): without that dimension */
static int select_index(lua_State *L)
{
    rlua_arguments(L, 3);
    const rille_tensor *t = rlua_check_tensor(L, 1);
    int d = rlua_dimension(L, 2, 2, t);
    int64_t index = rlua_position(L, 3, 3, d, rille_shape(t)[d]);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_select(rlua_check_tensor(L, 1), d, index));
    return 1;
}

/* t:index_select(dim, indices): a tensor or table of them */
static int index_select(lua_State *L)
{
    rlua_arguments(L, 3);
    int d = rlua_dimension(L, 2, 2, rlua_check_tensor(L, 1));
    const rlua_tensor *index = rlua_indices(L, 3, "index");
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_index_select(rlua_check_tensor(L, 1), d, index->tensor));
    return 1;
}

const luaL_Reg rlua_shape_both[] = {
    {"clone", clone},
    {"contiguous", contiguous},
    {"detach", detach},
    {"dim", dim},
    {"dtype", dtype},
    {"expand", expand},
    {"index_select", index_select},
    {"is_contiguous", is_contiguous},
    {"narrow", narrow},
    {"numel", numel},
    {"permute", permute},
    {"reshape", reshape},
    {"select", select_index},
    {"shape", shape},
    {"size", size},
    {"t", transpose_matrix},
    {"to", to},
    {"transpose", transpose},
    {"view", view},
    {NULL, NULL},
};
