/* What keeps a dimension: running sums and products, sorting, the largest ones. */
#include "bindings.h"

/* The dimension at the argument, the last one where it is nil. */
static int dimension_or_last(lua_State *L, int argument)
{
    const rille_tensor *t = rlua_check_tensor(L, 1);
    return lua_isnil(L, argument) ? -1 : rlua_dimension(L, argument, argument, t);
}

static int running(lua_State *L, rille_tensor *operation(rille_tensor *, int))
{
    rlua_arguments(L, 2);
    int dim = rlua_dimension(L, 2, 2, rlua_check_tensor(L, 1));
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, operation(rlua_check_tensor(L, 1), dim));
    return 1;
}

/* cumsum(t, dim) */
static int cumsum(lua_State *L)
{
    return running(L, rille_cumsum);
}

/* cumprod(t, dim) */
static int cumprod(lua_State *L)
{
    return running(L, rille_cumprod);
}

/* What sort and argsort take after the tensor: dim, then descending; or a table {descending = true} after or instead of it. */
static int read_order(lua_State *L, bool *descending)
{
    static const char *const names[] = {"descending", NULL};
    rlua_arguments(L, 3);
    rlua_check_tensor(L, 1);
    int options = rlua_has_options(L, 2) ? 2 : 3;
    int dim = options == 2 ? -1 : dimension_or_last(L, 2);
    if (lua_type(L, options) == LUA_TTABLE) {
        rlua_check_options(L, options, names);
        *descending = rlua_option_boolean(L, options, "descending", false);
    } else {
        *descending = rlua_boolean(L, 3, 3, "descending", false);
    }
    return dim;
}

/* sort(t [, dim = -1] [, descending]): elements in order, and where they were, from 1 */
static int sort(lua_State *L)
{
    bool descending;
    int dim = read_order(L, &descending);
    rlua_tensor *values = rlua_new(L), *indices = rlua_new(L);
    rille_tensor *at = NULL, *sorted = rille_sort(rlua_check_tensor(L, 1), dim, descending, &at);
    rlua_finish_all(L, 2, (rlua_tensor *[]){values, indices}, (rille_tensor *[]){sorted, at});
    return 2;
}

/* argsort(t [, dim = -1] [, descending]): where they were alone */
static int argsort(lua_State *L)
{
    bool descending;
    int dim = read_order(L, &descending);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_argsort(rlua_check_tensor(L, 1), dim, descending));
    return 1;
}

/* topk(t, k [, dim = -1] [, {largest = true}]): the k largest, in order, and where they were, from 1 */
static int topk(lua_State *L)
{
    static const char *const names[] = {"largest", NULL};
    rlua_arguments(L, 4);
    rlua_check_tensor(L, 1);
    int64_t k = rlua_integer(L, 2, 2, "k");
    int options = rlua_has_options(L, 3) ? 3 : 4;
    int dim = options == 3 ? -1 : dimension_or_last(L, 3);
    rlua_check_options(L, options, names);
    bool largest = rlua_option_boolean(L, options, "largest", true);
    rlua_tensor *values = rlua_new(L), *indices = rlua_new(L);
    rille_tensor *at = NULL, *first = rille_topk(rlua_check_tensor(L, 1), k, dim, largest, &at);
    rlua_finish_all(L, 2, (rlua_tensor *[]){values, indices}, (rille_tensor *[]){first, at});
    return 2;
}

const luaL_Reg rlua_order_both[] = {
    {"argsort", argsort}, {"cumprod", cumprod}, {"cumsum", cumsum}, {"sort", sort}, {"topk", topk}, {NULL, NULL},
};
