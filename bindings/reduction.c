/* Reductions, matrix products and softmax. */
#include "bindings.h"

/* ---- Sums ---- */

/* dim or {dims} or nothing, then keepdim; or a table {keepdim = true} after or instead of them. */
typedef struct reduction {
    int dims[RILLE_MAX_RANK];
    int count; /* -1: all */
    bool keepdim;
} reduction;

static reduction read_reduction(lua_State *L, bool single)
{
    static const char *const names[] = {"keepdim", NULL};
    rlua_arguments(L, 3);
    const rille_tensor *t = rlua_check_tensor(L, 1);
    reduction r = {.count = -1};
    int options = rlua_has_options(L, 2) ? 2 : 3;
    if (options == 3 && !lua_isnil(L, 2)) {
        r.count = single ? 1 : rlua_dimensions(L, 2, t, r.dims);
        if (single)
            r.dims[0] = rlua_dimension(L, 2, 2, t);
    }
    if (lua_type(L, options) == LUA_TTABLE) {
        rlua_check_options(L, options, names);
        r.keepdim = rlua_option_boolean(L, options, "keepdim", false);
    } else {
        r.keepdim = rlua_boolean(L, 3, 3, "keepdim", false);
    }
    return r;
}

typedef rille_tensor *reducer(rille_tensor *t, const int *dims, int count, bool keepdim);

static int reduced(lua_State *L, reducer *operation)
{
    reduction r = read_reduction(L, false);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, operation(rlua_check_tensor(L, 1), r.count < 0 ? NULL : r.dims, r.count < 0 ? 0 : r.count, r.keepdim));
    return 1;
}

/* sum(t [, dim or {dims}] [, keepdim]) */
static int sum(lua_State *L)
{
    return reduced(L, rille_sum);
}

/* mean(t [, dim or {dims}] [, keepdim]) */
static int mean(lua_State *L)
{
    return reduced(L, rille_mean);
}

/* Along one dimension; without it over all elements, in row-major order. */
static int along(lua_State *L, rille_tensor *operation(rille_tensor *, int, bool))
{
    reduction r = read_reduction(L, true);
    if (r.count < 0 && r.keepdim)
        rlua_bad_argument(L, 3, "keepdim needs a dimension");
    rlua_tensor *box = rlua_new(L);
    rille_tensor *t = rlua_check_tensor(L, 1);
    rille_tensor *flat = r.count < 0 ? rille_reshape(t, 1, (const int64_t[]){-1}) : t;
    rille_tensor *made = operation(flat, r.count < 0 ? 0 : r.dims[0], r.keepdim);
    if (flat != t)
        rille_free(flat);
    rlua_finish(L, box, made);
    return 1;
}

/* max(t [, dim [, keepdim]]) */
static int max(lua_State *L)
{
    return along(L, rille_max);
}

/* min(t [, dim [, keepdim]]) */
static int min(lua_State *L)
{
    return along(L, rille_min);
}

/* argmin(t [, dim [, keepdim]]): from 1 */
static int argmin(lua_State *L)
{
    return along(L, rille_argmin);
}

/* argmax(t [, dim [, keepdim]]): from 1 */
static int argmax(lua_State *L)
{
    return along(L, rille_argmax);
}

/* ---- Products ---- */

/* matmul(a, b) */
static int matmul(lua_State *L)
{
    rlua_arguments(L, 2);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_matmul(rlua_check_tensor(L, 1), rlua_check_tensor(L, 2)));
    return 1;
}

/* linear(x, weight [, bias]): x W^T + b */
static int linear(lua_State *L)
{
    rlua_arguments(L, 3);
    rlua_tensor *box = rlua_new(L);
    rille_tensor *bias = lua_isnil(L, 3) ? NULL : rlua_check_tensor(L, 3);
    rlua_finish(L, box, rille_linear(rlua_check_tensor(L, 1), rlua_check_tensor(L, 2), bias));
    return 1;
}

/* ---- Softmax ---- */

static int normalised(lua_State *L, rille_tensor *operation(rille_tensor *, int))
{
    rlua_arguments(L, 2);
    int dim = rlua_dimension_or(L, 2, -1);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, operation(rlua_check_tensor(L, 1), dim));
    return 1;
}

/* softmax(x [, dim = -1]) */
static int softmax(lua_State *L)
{
    return normalised(L, rille_softmax);
}

/* log_softmax(x [, dim = -1]) */
static int log_softmax(lua_State *L)
{
    return normalised(L, rille_log_softmax);
}

/* softmin(x [, dim = -1]) */
static int softmin(lua_State *L)
{
    return normalised(L, rille_softmin);
}

/* sparsemax(x [, dim = -1]) */
static int sparsemax(lua_State *L)
{
    return normalised(L, rille_sparsemax);
}

/* hardmax(x [, dim = -1]) */
static int hardmax(lua_State *L)
{
    return normalised(L, rille_hardmax);
}

const luaL_Reg rlua_reduction_both[] = {
    {"argmax", argmax},           {"argmin", argmin},   {"min", min},
    {"hardmax", hardmax},         {"linear", linear},   {"matmul", matmul},
    {"log_softmax", log_softmax}, {"max", max},         {"mean", mean},
    {"softmax", softmax},         {"softmin", softmin}, {"sum", sum},
    {"sparsemax", sparsemax},     {NULL, NULL},
};
