/* Reductions, matrix products and softmax. */
#include "bindings.h"

/* ---- Sums ---- */

typedef struct reduction {
    int dims[RILLE_MAX_RANK];
    int count; /* -1: all */
    bool keepdim;
    double correction; /* of var and std */
} reduction;

/* From the argument `first` on: dim or {dims} or nothing, then keepdim; or a table of the options `names` after or instead of
 * them. */
static reduction read_reduction_from(lua_State *L, int first, bool single, const char *const *names)
{
    rlua_arguments(L, first + 1);
    const rille_tensor *t = rlua_check_tensor(L, 1);
    reduction r = {.count = -1, .correction = 1};
    int options = rlua_has_options(L, first) ? first : first + 1;
    if (options > first && !lua_isnil(L, first)) {
        r.count = single ? 1 : rlua_dimensions(L, first, t, r.dims);
        if (single)
            r.dims[0] = rlua_dimension(L, first, first, t);
    }
    if (lua_type(L, options) == LUA_TTABLE) {
        rlua_check_options(L, options, names);
        r.keepdim = rlua_option_boolean(L, options, "keepdim", false);
        r.correction = rlua_option_number(L, options, "correction", r.correction);
    } else {
        r.keepdim = rlua_boolean(L, first + 1, first + 1, "keepdim", false);
    }
    return r;
}

static reduction read_reduction(lua_State *L, bool single)
{
    static const char *const names[] = {"keepdim", NULL};
    return read_reduction_from(L, 2, single, names);
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

#define REDUCTION(name)                                                                                                        \
    static int name(lua_State *L)                                                                                              \
    {                                                                                                                          \
        return reduced(L, rille_##name);                                                                                       \
    }
REDUCTION(all)
REDUCTION(amax)
REDUCTION(amin)
REDUCTION(any)
REDUCTION(logsumexp)
REDUCTION(prod)

static int deviation(lua_State *L, rille_tensor *operation(rille_tensor *, const int *, int, double, bool))
{
    static const char *const names[] = {"correction", "keepdim", NULL};
    reduction r = read_reduction_from(L, 2, false, names);
    rlua_tensor *box = rlua_new(L);
    rille_tensor *t = rlua_check_tensor(L, 1);
    rlua_finish(L, box, operation(t, r.count < 0 ? NULL : r.dims, r.count < 0 ? 0 : r.count, r.correction, r.keepdim));
    return 1;
}

/* std(t [, dim or {dims}] [, keepdim or {correction = 1, keepdim = false}]) */
static int std(lua_State *L)
{
    return deviation(L, rille_std);
}

/* var(t [, dim or {dims}] [, keepdim or {correction = 1, keepdim = false}]) */
static int var(lua_State *L)
{
    return deviation(L, rille_var);
}

/* norm(t [, p = 2] [, dim or {dims}] [, keepdim]) */
static int norm(lua_State *L)
{
    static const char *const names[] = {"keepdim", NULL};
    double p = lua_isnoneornil(L, 2) || lua_type(L, 2) == LUA_TTABLE ? 2 : rlua_number(L, 2, 2, "p");
    reduction r = read_reduction_from(L, rlua_has_options(L, 2) ? 2 : 3, false, names);
    if (lua_type(L, 2) == LUA_TTABLE && !rlua_has_options(L, 2))
        rlua_bad_argument(L, 2, "p must be a number, got table");
    rlua_tensor *box = rlua_new(L);
    rille_tensor *t = rlua_check_tensor(L, 1);
    rlua_finish(L, box, rille_norm(t, p, r.count < 0 ? NULL : r.dims, r.count < 0 ? 0 : r.count, r.keepdim));
    return 1;
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
    {"all", all},
    {"amax", amax},
    {"amin", amin},
    {"any", any},
    {"argmax", argmax},
    {"argmin", argmin},
    {"min", min},
    {"hardmax", hardmax},
    {"linear", linear},
    {"matmul", matmul},
    {"log_softmax", log_softmax},
    {"max", max},
    {"mean", mean},
    {"softmax", softmax},
    {"softmin", softmin},
    {"norm", norm},
    {"prod", prod},
    {"std", std},
    {"logsumexp", logsumexp},
    {"sum", sum},
    {"sparsemax", sparsemax},
    {"var", var},
    {NULL, NULL},
};
