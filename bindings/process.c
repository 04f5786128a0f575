/* rille.process: a module of its own, which rille does not load. It is for the rille command, whose process is its own. */
#include "bindings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((visibility("default"))) int luaopen_rille_process(lua_State *L);

/* restart(words, name, value): this process becomes the program words[1], sought along PATH, with the words as its arguments and
 * name=value in its environment. Where that cannot be had, returns nil and why, and the environment is as it was */
static int restart(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    const char *name = luaL_checkstring(L, 2), *value = luaL_checkstring(L, 3);
    const int count = (int)luaL_len(L, 1);
    luaL_argcheck(L, count > 0, 1, "no words");
    luaL_checkstack(L, count, "too many words");
    char **words = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *words, 0);
    for (int i = 0; i < count; i++) { /* they stay on the stack */
        lua_geti(L, 1, i + 1);
        words[i] = (char *)luaL_checkstring(L, -1); /* execvp does not write to them, whatever its prototype says */
    }
    words[count] = NULL;
    const char *before = lua_pushstring(L, getenv(name)); /* nil and NULL where it is not set */
    if (setenv(name, value, 1) == 0) {
        execvp(words[0], words);
        const int why = errno;
        if (before == NULL)
            unsetenv(name);
        else
            setenv(name, before, 1);
        errno = why;
    }
    lua_pushnil(L);
    lua_pushstring(L, strerror(errno));
    return 2;
}

/* flush_output(): true where all that was written to standard output got there, else nil and why, if that is known: print does not
 * tell. io.stdout is open */
static int flush_output(lua_State *L)
{
    const int flushed = fflush(stdout), why = errno;
    if (flushed == 0 && !ferror(stdout)) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, flushed == 0 ? "some of it was refused" : strerror(why));
    return 2;
}

int luaopen_rille_process(lua_State *L)
{
    static const luaL_Reg functions[] = {{"flush_output", flush_output}, {"restart", restart}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
