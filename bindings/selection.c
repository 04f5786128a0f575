/* Elements picked and put by index and by mask, views with a step, triangles and diagonals, products of vectors. */
#include "bindings.h"

/* ---- By index ---- */

/* t:gather(dim, index) */
static int gather(lua_State *L)
{
    rlua_arguments(L, 3);
    int d = rlua_dimension(L, 2, 2, rlua_check_tensor(L, 1));
    const rlua_tensor *index = rlua_indices(L, 3, "index");
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_gather(rlua_check_tensor(L, 1), d, index->tensor));
    return 1;
}

typedef rille_tensor *scatterer(rille_tensor *t, int dim, rille_tensor *index, rille_tensor *source);

/* name(t, dim, index, source), where source is a tensor or a number */
static int scattered(lua_State *L, scatterer *operation)
{
    rlua_arguments(L, 4);
    int d = rlua_dimension(L, 2, 2, rlua_check_tensor(L, 1));
    const rlua_tensor *index = rlua_indices(L, 3, "index");
    rlua_tensor_or_number(L, 4, 1);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, operation(rlua_check_tensor(L, 1), d, index->tensor, rlua_check_tensor(L, 4)));
    return 1;
}

static int scatter(lua_State *L)
{
    return scattered(L, rille_scatter);
}

static int scatter_add(lua_State *L)
{
    return scattered(L, rille_scatter_add);
}

/* one_hot(labels [, classes]): labels from 1, as a tensor or a table; without `classes` as many as the largest label says */
static int one_hot(lua_State *L)
{
    rlua_arguments(L, 2);
    const rlua_tensor *labels = rlua_indices(L, 1, "label");
    int64_t classes = 0;
    if (!lua_isnil(L, 2)) {
        classes = rlua_integer(L, 2, 2, "number of classes");
        if (classes < 0)
            rlua_bad_argument(L, 2, "%I classes; 0 or more expected", (LUAI_UACINT)classes);
    } else {
        int64_t n = rille_numel(labels->tensor);
        int64_t *label = rlua_buffer(L, n, sizeof *label);
        rlua_check(L, rille_copy_out(labels->tensor, RILLE_INT64, label));
        for (int64_t i = 0; i < n; i++)
            classes = label[i] > classes ? label[i] : classes;
    }
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_one_hot(labels->tensor, classes));
    return 1;
}

/* ---- By mask ---- */

/* t:masked_select(mask) */
static int masked_select(lua_State *L)
{
    rlua_arguments(L, 2);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_masked_select(rlua_check_tensor(L, 1), rlua_check_tensor(L, 2)));
    return 1;
}

/* t:masked_fill(mask, value), where value is a number or a tensor of one element */
static int masked_fill(lua_State *L)
{
    rlua_arguments(L, 3);
    rlua_check_tensor(L, 1);
    rlua_check_tensor(L, 2);
    if (rlua_box(L, 3) == NULL) {
        if (lua_type(L, 3) != LUA_TNUMBER && lua_type(L, 3) != LUA_TBOOLEAN)
            rlua_bad_type(L, 3, "number or tensor");
        rlua_tensor *box = rlua_new(L);
        rlua_finish(L, box, rlua_scalar(L, 3, 3, rille_dtype_of(rlua_check_tensor(L, 1))));
        lua_replace(L, 3);
    }
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_masked_fill(rlua_check_tensor(L, 1), rlua_check_tensor(L, 2), rlua_check_tensor(L, 3)));
    return 1;
}

/* ---- Dimensions ---- */

/* t:squeeze([dim or {dims}]): without dimensions of size 1, all or these */
static int squeeze(lua_State *L)
{
    rlua_arguments(L, 2);
    int dims[RILLE_MAX_RANK];
    bool all = lua_isnil(L, 2);
    int count = all ? 0 : rlua_dimensions(L, 2, rlua_check_tensor(L, 1), dims);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_squeeze(rlua_check_tensor(L, 1), all ? NULL : dims, count));
    return 1;
}

/* t:unsqueeze(dim): with a dimension of size 1 there; -1: after the last */
static int unsqueeze(lua_State *L)
{
    rlua_arguments(L, 2);
    int rank = rille_rank(rlua_check_tensor(L, 1));
    int64_t dim = rlua_integer(L, 2, 2, "dimension");
    if (dim == 0)
        rlua_bad_argument(L, 2, "dimension 0: dimensions start at 1");
    if (dim > rank + 1 || dim < -rank - 1)
        rlua_bad_argument(L, 2, "dimension %I is out of range for a new one in shape %s", (LUAI_UACINT)dim,
                          rlua_shape_text(L, rank, rille_shape(rlua_check_tensor(L, 1))));
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_unsqueeze(rlua_check_tensor(L, 1), (int)(dim > 0 ? dim - 1 : dim)));
    return 1;
}

/* t:flatten([first = 1 [, last = -1]]) */
static int flatten(lua_State *L)
{
    rlua_arguments(L, 3);
    bool scalar = rille_rank(rlua_check_tensor(L, 1)) == 0 && lua_isnil(L, 2) && lua_isnil(L, 3);
    int first = scalar ? 0 : rlua_dimension_or(L, 2, 1), last = scalar ? 0 : rlua_dimension_or(L, 3, -1);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_flatten(rlua_check_tensor(L, 1), first, last));
    return 1;
}

/* t:flip(dim or {dims}): a view */
static int flip(lua_State *L)
{
    rlua_arguments(L, 2);
    int dims[RILLE_MAX_RANK], count = rlua_dimensions(L, 2, rlua_check_tensor(L, 1), dims);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_flip(rlua_check_tensor(L, 1), dims, count));
    return 1;
}

/* t:unfold(dim, size [, step = 1]): a view of windows */
static int unfold(lua_State *L)
{
    rlua_arguments(L, 4);
    int d = rlua_dimension(L, 2, 2, rlua_check_tensor(L, 1));
    int64_t size = rlua_integer(L, 3, 3, "size"), step = lua_isnil(L, 4) ? 1 : rlua_integer(L, 4, 4, "step");
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_unfold(rlua_check_tensor(L, 1), d, size, step));
    return 1;
}

/* ---- Triangles and diagonals ---- */

/* name(t [, diagonal = 0]) */
static int at_diagonal(lua_State *L, rille_tensor *operation(rille_tensor *, int64_t))
{
    rlua_arguments(L, 2);
    rlua_check_tensor(L, 1);
    int64_t diagonal = lua_isnil(L, 2) ? 0 : rlua_integer(L, 2, 2, "diagonal");
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, operation(rlua_check_tensor(L, 1), diagonal));
    return 1;
}

static int diag(lua_State *L)
{
    return at_diagonal(L, rille_diag);
}

static int diag_embed(lua_State *L)
{
    return at_diagonal(L, rille_diag_embed);
}

static int triu(lua_State *L)
{
    return at_diagonal(L, rille_triu);
}

static int tril(lua_State *L)
{
    return at_diagonal(L, rille_tril);
}

/* t:diagonal([diagonal = 0 [, dim = 1 [, dim = 2]]]): a view */
static int diagonal(lua_State *L)
{
    rlua_arguments(L, 4);
    rlua_check_tensor(L, 1);
    int64_t offset = lua_isnil(L, 2) ? 0 : rlua_integer(L, 2, 2, "diagonal");
    int a = rlua_dimension_or(L, 3, 1), b = rlua_dimension_or(L, 4, 2);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_diagonal(rlua_check_tensor(L, 1), offset, a, b));
    return 1;
}

/* ---- Vectors ---- */

static int of_two(lua_State *L, rille_tensor *operation(rille_tensor *, rille_tensor *))
{
    rlua_arguments(L, 2);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, operation(rlua_check_tensor(L, 1), rlua_check_tensor(L, 2)));
    return 1;
}

static int dot(lua_State *L)
{
    return of_two(L, rille_dot);
}

static int outer(lua_State *L)
{
    return of_two(L, rille_outer);
}

const luaL_Reg rlua_selection_both[] = {
    {"diag", diag},
    {"diag_embed", diag_embed},
    {"diagonal", diagonal},
    {"dot", dot},
    {"flatten", flatten},
    {"flip", flip},
    {"gather", gather},
    {"masked_fill", masked_fill},
    {"masked_select", masked_select},
    {"one_hot", one_hot},
    {"outer", outer},
    {"scatter", scatter},
    {"scatter_add", scatter_add},
    {"squeeze", squeeze},
    {"tril", tril},
    {"triu", triu},
    {"unfold", unfold},
    {"unsqueeze", unsqueeze},
    {NULL, NULL},
};
