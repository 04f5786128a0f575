/* Losses: of a net's output and its target, or its class labels. Options, in a table: reduction = "mean", "sum" or "none". */
#include "bindings.h"

#include <string.h>

static rille_reduction reduction_of(lua_State *L, int argument, bool of_batches)
{
    static const char *const names[] = {"mean", "sum", "none", "batchmean", NULL};
    const char *list = of_batches ? "'mean', 'sum', 'none' or 'batchmean'" : "'mean', 'sum' or 'none'";
    if (!rlua_option(L, argument, "reduction"))
        return RILLE_REDUCE_MEAN;
    if (lua_type(L, -1) != LUA_TSTRING)
        rlua_bad_argument(L, argument, "option 'reduction' must be %s, got %s", list, rlua_type_name(L, -1));
    const char *name = lua_tostring(L, -1);
    for (int i = 0; names[i] != NULL && (of_batches || i != RILLE_REDUCE_BATCHMEAN); i++)
        if (strcmp(name, names[i]) == 0)
            return (rille_reduction)i;
    rlua_bad_argument(L, argument, "option 'reduction' must be %s, got '%s'", list, name);
}

/* Where the tensor that is the option lies, on the stack; 0 where there is none. */
static int tensor_option(lua_State *L, int argument, const char *name)
{
    if (!rlua_option(L, argument, name))
        return 0;
    if (rlua_box(L, -1) == NULL)
        rlua_bad_argument(L, argument, "option '%s' must be a tensor, got %s", name, rlua_type_name(L, -1));
    return lua_gettop(L);
}

static rille_tensor *tensor_at(lua_State *L, int index)
{
    return index == 0 ? NULL : rlua_check_tensor(L, index);
}

/* ---- Pairs ---- */

/* Checks (x, target [, options]). */
static void check_pair(lua_State *L, const char *const *options)
{
    rlua_arguments(L, 3);
    rlua_check_tensor(L, 1);
    rlua_check_tensor(L, 2);
    rlua_check_options(L, 3, options);
}

typedef rille_tensor *pair_loss(rille_tensor *x, rille_tensor *target, rille_reduction reduction);

static int plain(lua_State *L, pair_loss *loss)
{
    static const char *const options[] = {"reduction", NULL};
    check_pair(L, options);
    rille_reduction reduction = reduction_of(L, 3, false);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, loss(rlua_check_tensor(L, 1), rlua_check_tensor(L, 2), reduction));
    return 1;
}

/* mse_loss(x, target [, {reduction="mean"}]) */
static int mse_loss(lua_State *L)
{
    return plain(L, rille_mse_loss);
}

/* l1_loss(x, target [, {reduction="mean"}]) */
static int l1_loss(lua_State *L)
{
    return plain(L, rille_l1_loss);
}

/* bce_loss(p, target [, {reduction="mean"}]) */
static int bce_loss(lua_State *L)
{
    return plain(L, rille_bce_loss);
}

typedef rille_tensor *bent_loss(rille_tensor *x, rille_tensor *target, double bend, rille_reduction reduction);

/* A loss with one number, 1 by default: the option that `options` names first. */
static int bent(lua_State *L, bent_loss *loss, const char *const *options)
{
    check_pair(L, options);
    double bend = rlua_option_number(L, 3, options[0], 1);
    rille_reduction reduction = reduction_of(L, 3, false);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, loss(rlua_check_tensor(L, 1), rlua_check_tensor(L, 2), bend, reduction));
    return 1;
}

/* smooth_l1_loss(x, target [, {beta=1, reduction="mean"}]) */
static int smooth_l1_loss(lua_State *L)
{
    static const char *const options[] = {"beta", "reduction", NULL};
    return bent(L, rille_smooth_l1_loss, options);
}

/* huber_loss(x, target [, {delta=1, reduction="mean"}]) */
static int huber_loss(lua_State *L)
{
    static const char *const options[] = {"delta", "reduction", NULL};
    return bent(L, rille_huber_loss, options);
}

/* bce_with_logits(x, target [, {pos_weight=tensor, reduction="mean"}]) */
static int bce_with_logits(lua_State *L)
{
    static const char *const options[] = {"pos_weight", "reduction", NULL};
    check_pair(L, options);
    int weight = tensor_option(L, 3, "pos_weight");
    rille_reduction reduction = reduction_of(L, 3, false);
    rlua_tensor *box = rlua_new(L);
    rille_tensor *pos_weight = tensor_at(L, weight);
    rlua_finish(L, box, rille_bce_with_logits(rlua_check_tensor(L, 1), rlua_check_tensor(L, 2), pos_weight, reduction));
    return 1;
}

/* kl_div(x, target [, {log_target=false, reduction="mean"}]): x holds logarithms of probabilities */
static int kl_div(lua_State *L)
{
    static const char *const options[] = {"log_target", "reduction", NULL};
    check_pair(L, options);
    bool log_target = rlua_option_boolean(L, 3, "log_target", false);
    rille_reduction reduction = reduction_of(L, 3, true);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_kl_div(rlua_check_tensor(L, 1), rlua_check_tensor(L, 2), log_target, reduction));
    return 1;
}

/* ---- Labels, from 1, as a tensor or a table ---- */

static int of_labels(lua_State *L, bool logits)
{
    static const char *const names[] = {"weight", "ignore_index", "reduction", "label_smoothing", NULL};
    static const char *const without_smoothing[] = {"weight", "ignore_index", "reduction", NULL};
    rlua_arguments(L, 3);
    rlua_check_tensor(L, 1);
    rlua_check_options(L, 3, logits ? names : without_smoothing);
    rille_label_options options = {.label_smoothing = rlua_option_number(L, 3, "label_smoothing", 0),
                                   .reduction = reduction_of(L, 3, false)};
    options.ignores = rlua_option(L, 3, "ignore_index");
    if (options.ignores)
        options.ignore_index = rlua_integer(L, -1, 3, "option 'ignore_index'");
    int weight = tensor_option(L, 3, "weight");
    const rlua_tensor *labels = rlua_indices(L, 2, "label");
    rlua_tensor *box = rlua_new(L);
    options.weight = tensor_at(L, weight);
    rille_tensor *x = rlua_check_tensor(L, 1);
    rlua_finish(L, box,
                logits ? rille_cross_entropy_with(x, labels->tensor, &options) : rille_nll_loss(x, labels->tensor, &options));
    return 1;
}

/* cross_entropy(logits, labels [, {weight=tensor, label_smoothing=0, ignore_index=, reduction="mean"}]) */
static int cross_entropy(lua_State *L)
{
    return of_labels(L, true);
}

/* nll_loss(log_probabilities, labels [, {weight=tensor, ignore_index=, reduction="mean"}]) */
static int nll_loss(lua_State *L)
{
    return of_labels(L, false);
}

const luaL_Reg rlua_losses_both[] = {
    {"mse_loss", mse_loss},
    {"l1_loss", l1_loss},
    {"smooth_l1_loss", smooth_l1_loss},
    {"huber_loss", huber_loss},
    {"bce_loss", bce_loss},
    {"bce_with_logits", bce_with_logits},
    {"kl_div", kl_div},
    {"cross_entropy", cross_entropy},
    {"nll_loss", nll_loss},
    {NULL, NULL},
};
