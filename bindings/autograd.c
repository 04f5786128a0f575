/* Gradients: requires_grad, backward, rille.grad, rille.no_grad, rille.anomaly, rille.gradcheck. */
#include "bindings.h"

/* t:requires_grad() -> boolean; t:requires_grad(true or false) -> t */
static int requires_grad(lua_State *L)
{
    rille_tensor *t = rlua_check_tensor(L, 1);
    if (lua_isnoneornil(L, 2)) {
        lua_pushboolean(L, rille_requires_grad(t));
        return 1;
    }
    rlua_check(L, rille_set_requires_grad(t, rlua_boolean(L, 2, 2, "requires_grad", false)));
    lua_settop(L, 1);
    return 1;
}

static int is_leaf(lua_State *L)
{
    lua_pushboolean(L, rille_is_leaf(rlua_check_tensor(L, 1)));
    return 1;
}

/* t:retain_grad(): t, whose gradient the next backward keeps */
static int retain_grad(lua_State *L)
{
    rlua_check(L, rille_retain_grad(rlua_check_tensor(L, 1)));
    lua_settop(L, 1);
    return 1;
}

/* t:backward([gradient]) */
static int backward(lua_State *L)
{
    rille_tensor *t = rlua_check_tensor(L, 1);
    rlua_check(L, rille_backward(t, lua_isnoneornil(L, 2) ? NULL : rlua_check_tensor(L, 2)));
    return 0;
}

/* ---- rille.grad ---- */

/* rille.grad(outputs, inputs [, {create_graph = true, seeds = tensors}]): the list of d outputs / d inputs, nil where there
 * is no path from one to the other */
static int grad(lua_State *L)
{
    static const char *const names[] = {"create_graph", "seeds", NULL};
    lua_settop(L, 3);
    rlua_check_options(L, 3, names);
    bool create_graph = rlua_option_boolean(L, 3, "create_graph", false);
    rlua_list outputs = rlua_list_new(L, 1, 1), inputs = rlua_list_new(L, 2, 2), seeds = {.count = 0};
    if (outputs.count == 0 || inputs.count == 0)
        rlua_bad_argument(L, outputs.count == 0 ? 1 : 2, "an empty list");
    bool seeded = rlua_option(L, 3, "seeds");
    if (seeded)
        seeds = rlua_list_new(L, lua_gettop(L), 3);
    if (seeded && seeds.count != outputs.count)
        rlua_bad_argument(L, 3, "option 'seeds': %d expected, as there are outputs, got %d", outputs.count, seeds.count);
    rlua_list gradients = rlua_list_empty(L, inputs.count);
    rlua_list_boxes(L, inputs.count);
    rlua_list_fill(L, &outputs);
    rlua_list_fill(L, &inputs);
    rlua_list_fill(L, &seeds);
    rlua_check(L, rille_grad(outputs.item, outputs.count, inputs.item, inputs.count, seeded ? seeds.item : NULL, create_graph,
                             gradients.item));
    for (int i = 0; i < inputs.count; i++)
        rille_keep(gradients.item[i]);
    rlua_list_finish(L, &gradients);
    return 1;
}

/* ---- rille.no_grad ---- */

static void disable(rlua_guard *guard)
{
    guard->grad_enabled = rille_set_grad_enabled(guard->state->context, false);
}

static void restore(rlua_guard *guard)
{
    if (guard->state->context != NULL)
        rille_set_grad_enabled(guard->state->context, guard->grad_enabled);
}

/* rille.no_grad(f, ...): f's results; what f does is not recorded */
static int no_grad(lua_State *L)
{
    return rlua_call_guarded(L, disable, restore);
}

static void enable(rlua_guard *guard)
{
    guard->grad_enabled = rille_set_grad_enabled(guard->state->context, true);
}

/* rille.enable_grad(f, ...): f's results; what f does is recorded, inside rille.no_grad too */
static int enable_grad(lua_State *L)
{
    return rlua_call_guarded(L, enable, restore);
}

/* The engine asks, while a function of the bindings runs, so the upvalues are there. */
static void locate(void *user, char *text, size_t size)
{
    const rlua_state *state = user;
    rlua_place(state->running, text, size);
}

static void look_out(rlua_guard *guard)
{
    guard->anomaly = rille_set_anomaly(guard->state->context, (rille_anomaly){true, locate, guard->state});
}

static void stop_looking_out(rlua_guard *guard)
{
    if (guard->state->context != NULL)
        rille_set_anomaly(guard->state->context, guard->anomaly);
}

/* rille.anomaly(f, ...): f's results; the first NaN, or infinity from finite numbers, that an operation or the gradient of one
 * makes is an error that names the operation, and its line */
static int anomaly(lua_State *L)
{
    return rlua_call_guarded(L, look_out, stop_looking_out);
}

/* rille.with_derivative(y, x, d): y's elements as a function of x's with the derivative d, one by one */
static int with_derivative(lua_State *L)
{
    rlua_arguments(L, 3);
    for (int i = 1; i <= 3; i++)
        rlua_check_tensor(L, i);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_with_derivative(rlua_check_tensor(L, 1), rlua_check_tensor(L, 2), rlua_check_tensor(L, 3)));
    return 1;
}

static int is_grad_enabled(lua_State *L)
{
    lua_pushboolean(L, rille_grad_enabled(rlua_context(L)));
    return 1;
}

/* ---- rille.gradcheck ---- */

typedef struct checker {
    lua_State *L;
    rlua_list inputs;
    int failure; /* stack index for the error of the script's function */
    bool failed;
    const char *wrong; /* Lua type that it returned, where that is no tensor */
} checker;

/* Calls the script's function, argument 1. Nothing in here may raise: the engine is running. */
static rille_tensor *call_function(rille_context *cx, rille_tensor *const *inputs, int count, void *user)
{
    (void)cx;
    (void)inputs; /* the very tensors of the list */
    checker *c = user;
    lua_State *L = c->L;
    if (c->failed || c->wrong != NULL || !lua_checkstack(L, count + 8)) {
        c->wrong = c->wrong == NULL ? "too many values" : c->wrong;
        return NULL;
    }
    lua_pushvalue(L, 1);
    for (int i = 0; i < count; i++) {
        if (lua_type(L, c->inputs.index) == LUA_TTABLE)
            lua_rawgeti(L, c->inputs.index, i + 1);
        else
            lua_pushvalue(L, c->inputs.index);
    }
    if (lua_pcall(L, count, 1, 0) != LUA_OK) {
        lua_replace(L, c->failure);
        c->failed = true;
        return NULL;
    }
    const rlua_tensor *box = rlua_box(L, -1);
    rille_tensor *y = box == NULL ? NULL : box->tensor;
    if (y == NULL)
        c->wrong = box == NULL ? luaL_typename(L, -1) : "a tensor that was freed";
    else
        y = rille_reshape(y, rille_rank(y), rille_shape(y)); /* a handle that the script cannot free meanwhile */
    lua_pop(L, 1);
    return y;
}

/* Puts a copy in the place of the script's table, which its function may change while it is called. */
static void keep_list(lua_State *L, const rlua_list *list)
{
    if (lua_type(L, list->index) != LUA_TTABLE)
        return;
    lua_createtable(L, list->count, 0);
    for (int i = 1; i <= list->count; i++) {
        lua_rawgeti(L, list->index, i);
        lua_rawseti(L, -2, i);
    }
    lua_replace(L, list->index);
}

static void pin(lua_State *L, const rlua_list *list, int by)
{
    for (int i = 0; i < list->count; i++)
        rlua_list_box(L, list, i)->pinned += by;
}

/* Reads {step =, tolerance =, kinks = {...}} from argument 3; pushes a userdata that holds the kinks. */
static rille_gradcheck_options read_check_options(lua_State *L)
{
    static const char *const names[] = {"kinks", "step", "tolerance", NULL};
    rlua_check_options(L, 3, names);
    rille_gradcheck_options o = {rlua_option_number(L, 3, "step", 0), rlua_option_number(L, 3, "tolerance", 0), NULL, 0};
    if (!(o.step >= 0) || !(o.tolerance >= 0))
        rlua_bad_argument(L, 3, "step and tolerance must not be negative");
    if (!rlua_option(L, 3, "kinks"))
        return o;
    int kinks = lua_gettop(L);
    if (lua_type(L, kinks) != LUA_TTABLE)
        rlua_bad_argument(L, 3, "option 'kinks' must be a list of numbers, got %s", rlua_type_name(L, kinks));
    lua_Unsigned count = lua_rawlen(L, kinks);
    double *kink = rlua_buffer(L, (int64_t)count, sizeof *kink);
    for (lua_Unsigned i = 0; i < count; i++) {
        if (lua_rawgeti(L, kinks, (lua_Integer)i + 1) != LUA_TNUMBER)
            rlua_bad_argument(L, 3, "option 'kinks', [%I]: number expected, got %s", (LUAI_UACINT)(i + 1),
                              rlua_type_name(L, -1));
        kink[i] = lua_tonumber(L, -1);
        lua_pop(L, 1);
    }
    o.kink = kink;
    o.kink_count = (int)count;
    return o;
}

static void push_check(lua_State *L, const rille_gradcheck_result *r)
{
    lua_createtable(L, 0, 7);
    lua_pushnumber(L, r->worst);
    lua_setfield(L, -2, "worst");
    lua_pushinteger(L, r->checked);
    lua_setfield(L, -2, "checked");
    lua_pushinteger(L, r->skipped);
    lua_setfield(L, -2, "skipped");
    lua_pushinteger(L, r->input + 1);
    lua_setfield(L, -2, "input");
    lua_pushinteger(L, r->element + 1);
    lua_setfield(L, -2, "element");
    lua_pushnumber(L, r->analytic);
    lua_setfield(L, -2, "analytic");
    lua_pushnumber(L, r->numeric);
    lua_setfield(L, -2, "numeric");
}

typedef rille_status check_function(rille_context *cx, rille_function *f, void *user, rille_tensor *const *inputs, int count,
                                    const rille_gradcheck_options *options, rille_gradcheck_result *result);

static int compare(lua_State *L, check_function *check)
{
    lua_settop(L, 3);
    if (lua_type(L, 1) != LUA_TFUNCTION && luaL_getmetafield(L, 1, "__call") == LUA_TNIL)
        rlua_bad_type(L, 1, "function");
    lua_settop(L, 3);
    rille_gradcheck_options options = read_check_options(L);
    rille_gradcheck_result result;
    checker c = {.L = L, .inputs = rlua_list_new(L, 2, 2)};
    keep_list(L, &c.inputs);
    lua_pushnil(L);
    c.failure = lua_gettop(L);
    rlua_list_fill(L, &c.inputs);
    rille_context *cx = rlua_context(L);
    pin(L, &c.inputs, 1);
    rille_status status = check(cx, call_function, &c, c.inputs.item, c.inputs.count, &options, &result);
    pin(L, &c.inputs, -1);
    if (c.failed || c.wrong != NULL)
        rille_clear_error(cx);
    if (c.failed) {
        lua_pushvalue(L, c.failure);
        return lua_error(L);
    }
    if (c.wrong != NULL)
        rlua_bad_argument(L, 1, "the function must return a tensor, got %s", c.wrong);
    bool disagrees = status == RILLE_ERROR_CALLBACK && result.checked > 0;
    if (!disagrees)
        rlua_check(L, status);
    char message[512] = "";
    if (disagrees)
        rlua_take_error(cx, message, sizeof message);
    lua_pushboolean(L, !disagrees);
    push_check(L, &result);
    if (!disagrees)
        return 2;
    lua_pushstring(L, message);
    return 3;
}

/* rille.gradcheck(f, inputs [, {step =, tolerance =, kinks =}]): whether f's gradient agrees with central differences, a
 * table that says how well, and where not, what is wrong */
static int gradcheck(lua_State *L)
{
    return compare(L, rille_gradcheck);
}

/* rille.gradgradcheck(f, inputs [, {step =, tolerance =, kinks =}]): the same of the gradient's own gradient */
static int gradgradcheck(lua_State *L)
{
    return compare(L, rille_gradgradcheck);
}

const luaL_Reg rlua_autograd_both[] = {
    {"backward", backward}, {"is_leaf", is_leaf}, {"requires_grad", requires_grad}, {"retain_grad", retain_grad}, {NULL, NULL},
};
const luaL_Reg rlua_autograd_functions[] = {
    {"anomaly", anomaly},     {"enable_grad", enable_grad},         {"grad", grad},
    {"gradcheck", gradcheck}, {"gradgradcheck", gradgradcheck},     {"is_grad_enabled", is_grad_enabled},
    {"no_grad", no_grad},     {"with_derivative", with_derivative}, {NULL, NULL},
};
