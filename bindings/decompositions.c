/* Decompositions of matrices. */
#include "bindings.h"

/* qr(t): q and r */
static int qr(lua_State *L)
{
    rlua_check_tensor(L, 1);
    rlua_tensor *box_q = rlua_new(L), *box_r = rlua_new(L);
    rille_tensor *q = NULL, *r = NULL;
    rille_qr(rlua_check_tensor(L, 1), &q, &r);
    rlua_finish_all(L, 2, (rlua_tensor *[]){box_q, box_r}, (rille_tensor *[]){q, r});
    return 2;
}

/* svd(t): u, s and vt */
static int svd(lua_State *L)
{
    rlua_check_tensor(L, 1);
    rlua_tensor *box_u = rlua_new(L), *box_s = rlua_new(L), *box_vt = rlua_new(L);
    rille_tensor *u = NULL, *s = NULL, *vt = NULL;
    rille_svd(rlua_check_tensor(L, 1), &u, &s, &vt);
    rlua_finish_all(L, 3, (rlua_tensor *[]){box_u, box_s, box_vt}, (rille_tensor *[]){u, s, vt});
    return 3;
}

/* svdvals(t): s alone */
static int svdvals(lua_State *L)
{
    rlua_check_tensor(L, 1);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_svdvals(rlua_check_tensor(L, 1)));
    return 1;
}

const luaL_Reg rlua_decomposition_both[] = {{"qr", qr}, {"svd", svd}, {"svdvals", svdvals}, {NULL, NULL}};
