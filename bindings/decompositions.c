/* Decompositions of matrices. */
#include "bindings.h"

/* qr(t): q and r */
static int qr(lua_State *L)
{
    rlua_check_tensor(L, 1);
    rlua_tensor *box_q = rlua_new(L), *box_r = rlua_new(L);
    rille_tensor *q = NULL, *r = NULL;
    rille_qr(rlua_check_tensor(L, 1), &q, &r);
    rlua_finish_two(L, box_q, q, box_r, r);
    return 2;
}

/* svd(t): u, s and vt */
static int svd(lua_State *L)
{
    rlua_check_tensor(L, 1);
    rlua_tensor *box_u = rlua_new(L), *box_s = rlua_new(L), *box_vt = rlua_new(L);
    rille_tensor *u = NULL, *s = NULL, *vt = NULL;
    if (rille_svd(rlua_check_tensor(L, 1), &u, &s, &vt) == RILLE_OK)
        box_vt->tensor = rille_keep(vt); /* before the collector may run */
    rlua_finish_two(L, box_u, u, box_s, s);
    rlua_finish(L, box_vt, vt);
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
