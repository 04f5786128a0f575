/* Recurrent layers: one layer over a whole sequence a call. rille.nn's RNN, LSTM and GRU stand on them. */
#include "bindings.h"

#include <string.h>

enum { MOST_OPTIONS = 4 };

/* (x, weight_ih, weight_hh [, options]): where the tensors that the options name lie, 0 where there is none. */
typedef struct layer {
    int option[MOST_OPTIONS]; /* bias_ih, bias_hh, h0, c0 */
} layer;

static layer read_layer(lua_State *L, const char *const *names)
{
    static const char *const tensors[MOST_OPTIONS] = {"bias_ih", "bias_hh", "h0", "c0"};
    layer l = {{0}};
    rlua_arguments(L, 4);
    for (int i = 1; i <= 3; i++)
        rlua_check_tensor(L, i);
    rlua_check_options(L, 4, names);
    for (int i = 0; i < MOST_OPTIONS; i++) {
        if (!rlua_option(L, 4, tensors[i]))
            continue;
        if (rlua_box(L, -1) == NULL)
            rlua_bad_argument(L, 4, "option '%s' must be a tensor, got %s", tensors[i], rlua_type_name(L, -1));
        l.option[i] = lua_gettop(L);
    }
    return l;
}

static rille_tensor *tensor_at(lua_State *L, int index)
{
    return index == 0 ? NULL : rlua_check_tensor(L, index);
}

static rille_recurrent_weights weights_of(lua_State *L, const layer *l)
{
    return (rille_recurrent_weights){rlua_check_tensor(L, 2), rlua_check_tensor(L, 3), tensor_at(L, l->option[0]),
                                     tensor_at(L, l->option[1])};
}

/* rnn(x, weight_ih, weight_hh [, {bias_ih=, bias_hh=, h0=, nonlinearity="tanh"}]): the states after each step */
static int rnn(lua_State *L)
{
    static const char *const names[] = {"bias_ih", "bias_hh", "h0", "nonlinearity", NULL};
    const layer l = read_layer(L, names);
    rille_activation act = RILLE_TANH;
    if (rlua_option(L, 4, "nonlinearity")) {
        const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
        if (strcmp(name, "tanh") != 0 && strcmp(name, "relu") != 0)
            rlua_bad_argument(L, 4, "option 'nonlinearity' must be 'tanh' or 'relu', got %s", luaL_tolstring(L, -1, NULL));
        act = strcmp(name, "relu") == 0 ? RILLE_RELU : RILLE_TANH;
    }
    rlua_tensor *box = rlua_new(L);
    const rille_recurrent_weights weights = weights_of(L, &l);
    rlua_finish(L, box, rille_rnn(rlua_check_tensor(L, 1), &weights, tensor_at(L, l.option[2]), act));
    return 1;
}

/* lstm(x, weight_ih, weight_hh [, {bias_ih=, bias_hh=, h0=, c0=}]): the hidden states after each step, and the last c */
static int lstm(lua_State *L)
{
    static const char *const names[] = {"bias_ih", "bias_hh", "h0", "c0", NULL};
    const layer l = read_layer(L, names);
    rlua_tensor *box = rlua_new(L), *last = rlua_new(L);
    const rille_recurrent_weights weights = weights_of(L, &l);
    rille_tensor *h0 = tensor_at(L, l.option[2]), *c0 = tensor_at(L, l.option[3]);
    rille_tensor *c_n = NULL, *out = rille_lstm(rlua_check_tensor(L, 1), &weights, h0, c0, &c_n);
    last->tensor = c_n;
    rlua_finish(L, box, out);
    rlua_finish(L, last, c_n);
    return 2;
}

/* gru(x, weight_ih, weight_hh [, {bias_ih=, bias_hh=, h0=}]): the states after each step */
static int gru(lua_State *L)
{
    static const char *const names[] = {"bias_ih", "bias_hh", "h0", NULL};
    const layer l = read_layer(L, names);
    rlua_tensor *box = rlua_new(L);
    const rille_recurrent_weights weights = weights_of(L, &l);
    rlua_finish(L, box, rille_gru(rlua_check_tensor(L, 1), &weights, tensor_at(L, l.option[2])));
    return 1;
}

const luaL_Reg rlua_recurrence_functions[] = {{"rnn", rnn}, {"lstm", lstm}, {"gru", gru}, {NULL, NULL}};
