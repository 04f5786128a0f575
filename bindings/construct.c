/* Tensors from nothing: rille.tensor{{1, 2}, {3, 4}}, zeros, ones, full, eye, arange, linspace, rand, randn, randperm. */
#include "bindings.h"

#include <math.h>

/* ---- Options that all of them take ---- */

typedef struct creation {
    rille_dtype dtype;
    bool has_dtype, requires_grad;
} creation;

static creation read_options(lua_State *L, int argument)
{
    static const char *const names[] = {"dtype", "requires_grad", NULL};
    rlua_check_options(L, argument, names);
    creation options = {RILLE_FLOAT32, false, rlua_option_boolean(L, argument, "requires_grad", false)};
    if (rlua_option(L, argument, "dtype")) {
        options.dtype = rlua_dtype(L, -1, argument);
        options.has_dtype = true;
        lua_pop(L, 1);
    }
    return options;
}

static int finish(lua_State *L, rlua_tensor *box, rille_tensor *made, creation options)
{
    rlua_finish(L, box, made);
    if (options.requires_grad)
        rlua_check(L, rille_set_requires_grad(box->tensor, true));
    return 1;
}

/* ---- Nested tables ---- */

typedef struct nest {
    lua_State *L;
    int argument;
    int rank;
    int64_t shape[RILLE_MAX_RANK];
    int64_t at[RILLE_MAX_RANK]; /* where the reader is, from 1 */
    rille_dtype dtype;
    int leaf;   /* Lua type of all elements, LUA_TNONE: numbers and booleans, LUA_TNIL: that of the first */
    char *next; /* element to fill */
} nest;

/* "[2][1]": the first `depth` of at. Pushes it. */
static const char *place(lua_State *L, const int64_t *at, int depth)
{
    lua_pushliteral(L, "");
    for (int d = 0; d < depth; d++) {
        lua_pushfstring(L, "[%I]", (LUAI_UACINT)at[d]);
        lua_concat(L, 2);
    }
    return lua_tostring(L, -1);
}

/* The value at the top, `depth` tables deep, is not like the first one as deep. */
_Noreturn static void raise_ragged(const nest *n, int depth)
{
    static const int64_t ones[RILLE_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
    lua_State *L = n->L;
    lua_Unsigned count = lua_rawlen(L, -1);
    const char *is = lua_type(L, -1) == LUA_TTABLE
                         ? lua_pushfstring(L, count == 1 ? "has %I element" : "has %I elements", (LUAI_UACINT)count)
                         : lua_pushfstring(L, "is a %s", rlua_type_name(L, -1));
    const char *first_is = depth < n->rank ? lua_pushfstring(L, "has %I", (LUAI_UACINT)n->shape[depth])
                                           : lua_pushfstring(L, "is a %s", n->leaf == LUA_TBOOLEAN ? "boolean" : "number");
    const char *here = place(L, n->at, depth);
    const char *first = place(L, ones, depth);
    rlua_bad_argument(L, n->argument, "ragged table: %s %s, %s %s", here, is, first, first_is);
}

/* The table at the top holds a list and nothing else: {1, 2, dtype = "int64"} is a mistake. */
static void check_keys(const nest *n, int depth)
{
    lua_State *L = n->L;
    const char *key = rlua_stray_key(L, -1);
    if (key != NULL && depth == 0)
        rlua_bad_argument(L, n->argument, "unexpected key '%s'; options go in a table of their own", key);
    if (key != NULL)
        rlua_bad_argument(L, n->argument, "%s: unexpected key '%s'", place(L, n->at, depth), key);
}

/* The shape is that of the first elements: t, t[1], t[1][1] ... Returns the Lua type of the first that is no table. */
static int measure_nest(nest *n)
{
    lua_State *L = n->L;
    int top = lua_gettop(L);
    lua_pushvalue(L, n->argument);
    while (lua_type(L, -1) == LUA_TTABLE) {
        if (n->rank == RILLE_MAX_RANK)
            rlua_bad_argument(L, n->argument, "tables are nested more than %d deep, the limit of a tensor's rank",
                              RILLE_MAX_RANK);
        int64_t length = (int64_t)lua_rawlen(L, -1);
        check_keys(n, n->rank);
        n->at[n->rank] = 1;
        n->shape[n->rank++] = length;
        if (length == 0)
            break;
        lua_rawgeti(L, -1, 1);
    }
    int type = lua_type(L, -1);
    lua_settop(L, top);
    return type;
}

static void read_element(nest *n)
{
    lua_State *L = n->L;
    const char *wrong = NULL;
    if (n->leaf != LUA_TNONE && lua_type(L, -1) != n->leaf)
        wrong = lua_pushfstring(L, "%s expected, got %s", lua_typename(L, n->leaf), rlua_type_name(L, -1));
    else
        wrong = rlua_store(L, -1, n->dtype, n->next);
    if (wrong != NULL && n->rank == 0)
        rlua_bad_argument(L, n->argument, "%s", wrong);
    if (wrong != NULL)
        rlua_bad_argument(L, n->argument, "%s: %s", place(L, n->at, n->rank), wrong);
    n->next += rille_dtype_size(n->dtype);
}

/* Reads the table at the top, which is `depth` tables deep. */
static void read_table(nest *n, int depth)
{
    lua_State *L = n->L;
    check_keys(n, depth);
    for (int64_t i = 1; i <= n->shape[depth]; i++) {
        n->at[depth] = i;
        bool is_table = lua_rawgeti(L, -1, i) == LUA_TTABLE;
        if (depth + 1 == n->rank && !is_table) {
            read_element(n);
        } else {
            if (!is_table || depth + 1 == n->rank || (int64_t)lua_rawlen(L, -1) != n->shape[depth + 1])
                raise_ragged(n, depth + 1);
            read_table(n, depth + 1);
        }
        lua_pop(L, 1);
    }
}

rlua_tensor *rlua_from_table(lua_State *L, int argument, const rille_dtype *dtype, int leaf)
{
    luaL_checkstack(L, 4 * RILLE_MAX_RANK, "nested tables");
    nest n = {.L = L, .argument = argument, .leaf = leaf};
    int first = measure_nest(&n);
    if (leaf == LUA_TNIL)
        n.leaf = first == LUA_TBOOLEAN ? LUA_TBOOLEAN : LUA_TNUMBER;
    n.dtype = dtype != NULL ? *dtype : n.leaf == LUA_TBOOLEAN ? RILLE_BOOL : RILLE_FLOAT32;
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_empty(rlua_context(L), n.dtype, n.rank, n.shape));
    n.next = rille_data(box->tensor);
    lua_pushvalue(L, argument);
    if (n.rank == 0)
        read_element(&n);
    else
        read_table(&n, 0);
    lua_pop(L, 1);
    return box;
}

/* rille.tensor(table or number or boolean [, options]) */
static int tensor(lua_State *L)
{
    int type = lua_type(L, 1);
    if (type != LUA_TTABLE && type != LUA_TNUMBER && type != LUA_TBOOLEAN)
        rlua_bad_type(L, 1, "table or number");
    lua_settop(L, 2);
    creation options = read_options(L, 2);
    const rlua_tensor *box =
        rlua_from_table(L, 1, options.has_dtype ? &options.dtype : NULL, options.has_dtype ? LUA_TNONE : LUA_TNIL);
    if (options.requires_grad)
        rlua_check(L, rille_set_requires_grad(box->tensor, true));
    return 1;
}

/* ---- By shape ---- */

typedef rille_tensor *maker(rille_context *cx, rille_dtype dtype, int rank, const int64_t *shape);

/* name(2, 3 [, options]) or name({2, 3} [, options]) */
static int by_shape(lua_State *L, maker *make)
{
    int last = lua_gettop(L);
    creation options = {.dtype = RILLE_FLOAT32};
    if (last > 1 ? lua_type(L, last) == LUA_TTABLE : rlua_has_options(L, 1))
        options = read_options(L, last--);
    int64_t shape[RILLE_MAX_RANK];
    int rank = rlua_sizes(L, 1, last, shape, 0);
    rlua_tensor *box = rlua_new(L);
    return finish(L, box, make(rlua_context(L), options.dtype, rank, shape), options);
}

static rille_tensor *make_ones(rille_context *cx, rille_dtype dtype, int rank, const int64_t *shape)
{
    return rille_full(cx, dtype, rank, shape, 1);
}

static int zeros(lua_State *L)
{
    return by_shape(L, rille_zeros);
}

static int ones(lua_State *L)
{
    return by_shape(L, make_ones);
}

static int uniform(lua_State *L)
{
    return by_shape(L, rille_rand);
}

static int normal(lua_State *L)
{
    return by_shape(L, rille_randn);
}

/* rille.full({2, 3} or size, value [, options]) */
static int full(lua_State *L)
{
    lua_settop(L, 3);
    creation options = read_options(L, 3);
    int64_t shape[RILLE_MAX_RANK];
    int rank = rlua_sizes(L, 1, 1, shape, 0);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_empty(rlua_context(L), options.dtype, rank, shape));
    rille_tensor *value = rlua_scalar(L, 2, 2, options.dtype);
    rille_status status = rille_copy(box->tensor, value);
    rille_free(value);
    rlua_check(L, status);
    if (options.requires_grad)
        rlua_check(L, rille_set_requires_grad(box->tensor, true));
    return 1;
}

/* ---- Progressions, identity, permutation ---- */

static double finite(lua_State *L, int argument, const char *what)
{
    double value = rlua_number(L, argument, argument, what);
    if (!isfinite(value))
        rlua_bad_argument(L, argument, "%s must be finite, got %s", what, rlua_number_text(L, argument));
    return value;
}

static int64_t size(lua_State *L, int argument, const char *what)
{
    int64_t n = rlua_integer(L, argument, argument, what);
    if (n < 0)
        rlua_bad_argument(L, argument, "%s %I is negative", what, (LUAI_UACINT)n);
    return n;
}

/* rille.arange(start, stop [, step] [, options]): stop is included, as in Lua's for */
static int arange(lua_State *L)
{
    bool has_step = !lua_isnoneornil(L, 3) && lua_type(L, 3) != LUA_TTABLE;
    lua_settop(L, 4);
    double start = finite(L, 1, "start"), stop = finite(L, 2, "stop"), step = has_step ? finite(L, 3, "step") : 1;
    if (step == 0)
        rlua_bad_argument(L, 3, "step is zero");
    creation options = read_options(L, lua_type(L, 3) == LUA_TTABLE ? 3 : 4);
    double count = floor((stop - start) / step) + 1;
    double end = count > 0 ? start + (count - 0.5) * step : start; /* the engine leaves its end out */
    rlua_tensor *box = rlua_new(L);
    return finish(L, box, rille_arange(rlua_context(L), options.dtype, start, end, step), options);
}

/* rille.linspace(start, stop, count [, options]) */
static int linspace(lua_State *L)
{
    lua_settop(L, 4);
    double start = finite(L, 1, "start"), stop = finite(L, 2, "stop");
    int64_t count = size(L, 3, "count");
    creation options = read_options(L, 4);
    rlua_tensor *box = rlua_new(L);
    return finish(L, box, rille_linspace(rlua_context(L), options.dtype, start, stop, count), options);
}

/* rille.eye(n [, options]) */
static int eye(lua_State *L)
{
    lua_settop(L, 2);
    int64_t n = size(L, 1, "size");
    creation options = read_options(L, 2);
    rlua_tensor *box = rlua_new(L);
    return finish(L, box, rille_eye(rlua_context(L), options.dtype, n), options);
}

/* rille.randperm(n): int64, 1 ... n in random order */
static int randperm(lua_State *L)
{
    int64_t n = size(L, 1, "size");
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_randperm(rlua_context(L), n));
    return 1;
}

const luaL_Reg rlua_construct_functions[] = {
    {"arange", arange}, {"eye", eye},           {"full", full},     {"linspace", linspace}, {"ones", ones}, {"rand", uniform},
    {"randn", normal},  {"randperm", randperm}, {"tensor", tensor}, {"zeros", zeros},       {NULL, NULL},
};
