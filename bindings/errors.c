/* Messages: Lua's grammar, the script's own line, and the name that was probably meant. */
#include "bindings.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* "@/usr/share/lua/5.4/rille/nn.lua" is one of Rille's own chunks. */
static bool is_own(const rlua_state *state, const char *source)
{
    if (state == NULL || state->modules == NULL || source[0] != '@')
        return false;
    size_t length = strlen(state->modules);
    return strncmp(source + 1, state->modules, length) == 0 && source[1 + length] == '/';
}

/* The innermost place on the stack that is in the script itself. False where there is none. */
static bool find_place(lua_State *L, const rlua_state *state, lua_Debug *frame)
{
    for (int level = 0; lua_getstack(L, level, frame); level++) {
        lua_getinfo(L, "Sl", frame);
        if (frame->currentline > 0 && !is_own(state, frame->source))
            return true;
    }
    return false;
}

/* Pushes "experiment.lua:12: ", or "". */
static void push_position(lua_State *L)
{
    lua_Debug frame;
    if (find_place(L, lua_touserdata(L, lua_upvalueindex(RLUA_STATE)), &frame))
        lua_pushfstring(L, "%s:%d: ", frame.short_src, frame.currentline);
    else
        lua_pushliteral(L, "");
}

void rlua_place(lua_State *L, char *text, size_t size)
{
    lua_Debug frame;
    text[0] = '\0';
    if (find_place(L, lua_touserdata(L, lua_upvalueindex(RLUA_STATE)), &frame))
        snprintf(text, size, "%s:%d", frame.short_src, frame.currentline);
}

_Noreturn static void raise_top(lua_State *L)
{
    push_position(L);
    lua_insert(L, -2);
    lua_concat(L, 2);
    for (;;)
        lua_error(L); /* does not return, which its declaration leaves unsaid */
}

void rlua_raise(lua_State *L, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    lua_pushvfstring(L, format, arguments);
    va_end(arguments);
    raise_top(L);
}

void rlua_bad_argument(lua_State *L, int argument, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *message = lua_pushvfstring(L, format, arguments);
    va_end(arguments);
    if (argument == 0)
        raise_top(L);
    const char *name = lua_tostring(L, lua_upvalueindex(RLUA_NAME));
    lua_Debug frame;
    if (lua_getstack(L, 0, &frame) && lua_getinfo(L, "n", &frame) && strcmp(frame.namewhat, "method") == 0) {
        argument--; /* self is not counted */
        if (argument == 0)
            rlua_raise(L, "calling '%s' on bad self (%s)", name, message);
    }
    rlua_raise(L, "bad argument #%d to '%s' (%s)", argument, name, message);
}

const char *rlua_type_name(lua_State *L, int index)
{
    if (luaL_getmetafield(L, index, "__name") == LUA_TSTRING)
        return lua_tostring(L, -1);
    return lua_type(L, index) == LUA_TLIGHTUSERDATA ? "light userdata" : luaL_typename(L, index);
}

void rlua_bad_type(lua_State *L, int argument, const char *expected)
{
    rlua_bad_argument(L, argument, "%s expected, got %s", expected, rlua_type_name(L, argument));
}

void rlua_take_error(rille_context *cx, char *message, size_t size)
{
    const char *error = rille_error(cx);
    snprintf(message, size, "%s", error != NULL ? error : "unknown error");
    rille_clear_error(cx); /* before Lua may raise an error of its own */
}

/* What the engine calls otherwise than Lua does. */
static const char *const engine_words[] = {
    "activation", "copy", "empty",      "equal",     "from",   "greater", "greater_equal",
    "index_put",  "less", "less_equal", "not_equal", "scalar", NULL,
};

void rlua_raise_engine(lua_State *L)
{
    char message[1024];
    rlua_state *state = rlua_state_of(L);
    rlua_take_error(state->context, message, sizeof message);
    if (state->hook_error != 0) {
        lua_pushvalue(L, state->hook_error);
        state->hook_error = 0;
        lua_error(L);
    }
    const char *name = lua_tostring(L, lua_upvalueindex(RLUA_NAME));
    for (const char *const *word = engine_words; *word != NULL; word++) {
        size_t length = strlen(*word);
        if (strncmp(message, *word, length) == 0 && message[length] == ':')
            rlua_raise(L, "%s%s", strcmp(name, "newindex") == 0 ? "assignment" : name, message + length);
    }
    rlua_raise(L, "%s", message);
}

void rlua_check(lua_State *L, rille_status status)
{
    if (status != RILLE_OK)
        rlua_raise_engine(L);
}

const char *rlua_number_text(lua_State *L, int index)
{
    lua_Number number = lua_tonumber(L, index);
    if (isnan(number))
        return lua_pushliteral(L, "nan"); /* of either sign */
    return luaL_tolstring(L, index, NULL);
}

const char *rlua_shape_text(lua_State *L, int rank, const int64_t *shape)
{
    int64_t size[RILLE_MAX_RANK]; /* a finaliser that runs between may free whose shape it is */
    for (int d = 0; d < rank; d++)
        size[d] = shape[d];
    luaL_Buffer text;
    luaL_buffinit(L, &text);
    luaL_addchar(&text, '[');
    for (int d = 0; d < rank; d++) {
        lua_pushfstring(L, d == 0 ? "%I" : ", %I", (LUAI_UACINT)size[d]);
        luaL_addvalue(&text);
    }
    luaL_addchar(&text, ']');
    luaL_pushresult(&text);
    return lua_tostring(L, -1);
}

/* ---- Did you mean ...? ---- */

enum { LONGEST_NAME = 40 };

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Edits between two names: a letter more, less, other, or two neighbours swapped; capitals are equal to small letters. */
static int distance(const char *a, const char *b)
{
    int n = (int)strlen(a), m = (int)strlen(b);
    int d[LONGEST_NAME + 1][LONGEST_NAME + 1];
    for (int i = 0; i <= n; i++) {
        for (int j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            int p = tolower((unsigned char)a[i - 1]), q = tolower((unsigned char)b[j - 1]);
            d[i][j] = least(least(d[i - 1][j], d[i][j - 1]) + 1, d[i - 1][j - 1] + (p != q));
            if (i > 1 && j > 1 && p == tolower((unsigned char)b[j - 2]) && q == tolower((unsigned char)a[i - 2]))
                d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[n][m];
}

typedef struct search {
    const char *name, *best;
    int edits;
} search;

static search search_begin(const char *name)
{
    int length = (int)strlen(name);
    bool possible = length > 0 && length <= LONGEST_NAME;
    return (search){name, NULL, possible ? (length < 6 ? 1 : length / 3) : -1};
}

static void search_try(search *s, const char *candidate)
{
    if (s->edits < 0 || strlen(candidate) > LONGEST_NAME)
        return;
    int edits = distance(s->name, candidate);
    bool closer = edits < s->edits || (edits == s->edits && (s->best == NULL || strcmp(candidate, s->best) < 0));
    if (closer) {
        s->best = candidate;
        s->edits = edits;
    }
}

const char *rlua_nearest_key(lua_State *L, const char *name, int table)
{
    search s = search_begin(name);
    table = lua_absindex(L, table);
    lua_pushnil(L);
    while (lua_next(L, table)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) == LUA_TSTRING)
            search_try(&s, lua_tostring(L, -1)); /* the table keeps it */
    }
    return s.best;
}

const char *rlua_nearest(const char *name, const char *const *candidates)
{
    search s = search_begin(name);
    for (; *candidates != NULL; candidates++)
        search_try(&s, *candidates);
    return s.best;
}

const char *rlua_did_you_mean(lua_State *L, const char *nearest)
{
    return nearest == NULL ? lua_pushliteral(L, "") : lua_pushfstring(L, "; did you mean '%s'?", nearest);
}
