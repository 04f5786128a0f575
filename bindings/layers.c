/* Dropout and embeddings. */
#include "bindings.h"

/* dropout(x [, p = 0.5]) */
static int dropout(lua_State *L)
{
    rlua_arguments(L, 2);
    rlua_check_tensor(L, 1);
    const double p = lua_isnil(L, 2) ? 0.5 : rlua_number(L, 2, 2, "p");
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_dropout(rlua_check_tensor(L, 1), p));
    return 1;
}

/* embedding(index, weight): rows of weight; indices from 1, as a tensor or a table */
static int embedding(lua_State *L)
{
    rlua_arguments(L, 2);
    const rlua_tensor *index = rlua_indices(L, 1, "index");
    rlua_check_tensor(L, 2);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_embedding(index->tensor, rlua_check_tensor(L, 2)));
    return 1;
}

const luaL_Reg rlua_layer_both[] = {{"dropout", dropout}, {"embedding", embedding}, {NULL, NULL}};
