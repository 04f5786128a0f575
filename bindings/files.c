/* Files of tensors: IDX, .npy, .npz and safetensors. rille.save and rille.load are Lua's: rille/saving.lua, over these. */
#include "bindings.h"

#include <stdlib.h>
#include <string.h>

static const char *check_path(lua_State *L, int argument)
{
    if (lua_type(L, argument) != LUA_TSTRING)
        rlua_bad_type(L, argument, "path");
    size_t length;
    const char *path = lua_tolstring(L, argument, &length);
    if (strlen(path) != length)
        rlua_bad_argument(L, argument, "a path contains no zero byte");
    return path;
}

/* ---- Reading ---- */

/* rille.file_size(path): bytes of an ordinary file; of what is none, or cannot be read: nil, "path: why" */
static int file_size(lua_State *L)
{
    char message[1024];
    const char *path = check_path(L, 1);
    int64_t size = rille_file_size(rlua_context(L), path);
    if (size >= 0) {
        lua_pushinteger(L, size);
        return 1;
    }
    rlua_take_error(rlua_context(L), message, sizeof message);
    lua_pushnil(L);
    lua_pushstring(L, message + strlen("file_size: "));
    return 2;
}

static int read_one(lua_State *L, rille_tensor *(*read)(rille_context *, const char *))
{
    const char *path = check_path(L, 1);
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, read(rlua_context(L), path));
    return 1;
}

/* rille.read_idx(path): a uint8 tensor of the file's shape */
static int read_idx(lua_State *L)
{
    return read_one(L, rille_read_idx);
}

/* rille.read_records(path, size): uint8 [n, size], of a file that is nothing but records of so many bytes */
static int read_records(lua_State *L)
{
    const char *path = check_path(L, 1);
    int64_t size = rlua_integer(L, 2, 2, "size");
    rlua_tensor *box = rlua_new(L);
    rlua_finish(L, box, rille_read_records(rlua_context(L), path, size));
    return 1;
}

/* rille.load_npy(path): the tensor */
static int load_npy(lua_State *L)
{
    return read_one(L, rille_read_npy);
}

/* The userdata's __gc: an error in the midst of reading leaves the archive open. */
static int close_archive(lua_State *L)
{
    rille_archive **archive = lua_touserdata(L, 1);
    rille_archive_close(*archive);
    *archive = NULL;
    return 0;
}

/* Pushes {name = tensor}, then {key = text}. */
static void read_all(lua_State *L, rille_archive *(*open)(rille_context *, const char *))
{
    const char *path = check_path(L, 1), *text;
    rille_archive **archive = lua_newuserdatauv(L, sizeof(rille_archive *), 0);
    *archive = NULL;
    if (luaL_newmetatable(L, "rille.archive")) {
        lua_pushcfunction(L, close_archive);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    *archive = open(rlua_context(L), path);
    if (*archive == NULL)
        rlua_raise_engine(L);
    lua_newtable(L);
    for (int i = 0; i < rille_archive_count(*archive); i++) {
        lua_pushstring(L, rille_archive_name(*archive, i));
        rlua_tensor *box = rlua_new(L);
        rlua_finish(L, box, rille_archive_read(*archive, i));
        lua_rawset(L, -3);
    }
    lua_newtable(L);
    for (int i = 0; i < rille_archive_metadata_count(*archive); i++) {
        lua_pushstring(L, rille_archive_metadata(*archive, i, &text));
        lua_pushstring(L, text);
        lua_rawset(L, -3);
    }
    rille_archive_close(*archive);
    *archive = NULL;
}

/* rille.load_npz(path): {name = tensor} */
static int load_npz(lua_State *L)
{
    read_all(L, rille_open_npz);
    lua_pop(L, 1);
    return 1;
}

/* rille.read_safetensors(path): {name = tensor}, {key = text} */
static int read_safetensors(lua_State *L)
{
    read_all(L, rille_open_safetensors);
    return 2;
}

/* ---- Writing ---- */

/* rille.save_npy(path, t) */
static int save_npy(lua_State *L)
{
    const char *path = check_path(L, 1);
    rlua_check(L, rille_write_npy(rlua_check_tensor(L, 2), path));
    return 0;
}

/* rille.write_file(path, text): whole or not at all; a file that is there is replaced by a complete one */
static int write_file(lua_State *L)
{
    size_t n;
    const char *path = check_path(L, 1);
    if (lua_type(L, 2) != LUA_TSTRING)
        rlua_bad_type(L, 2, "text");
    const char *text = lua_tolstring(L, 2, &n);
    rlua_check(L, rille_write_file(rlua_context(L), path, text, n));
    return 0;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A table with string keys as sorted lists, so that a table makes one file, whatever the order of its keys. */
typedef struct named {
    int count;
    const char **key;
    int values; /* index of the list of what the keys name; it and the keys lie on the stack */
} named;

static named sorted(lua_State *L, int argument, const char *what)
{
    named list = {.count = 0};
    if (lua_type(L, argument) != LUA_TTABLE)
        rlua_bad_type(L, argument, what);
    for (lua_pushnil(L); lua_next(L, argument); lua_pop(L, 1))
        list.count++;
    list.key = rlua_buffer(L, list.count, sizeof list.key[0]);
    lua_createtable(L, list.count, 0); /* holds the keys */
    int n = 0;
    for (lua_pushnil(L); lua_next(L, argument); lua_pop(L, 1)) {
        size_t length = 0;
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tolstring(L, -2, &length) : NULL;
        if (key == NULL)
            rlua_bad_argument(L, argument, "names are strings, got a %s", rlua_type_name(L, -2));
        else if (strlen(key) != length || n == list.count)
            rlua_bad_argument(L, argument, "a name contains no zero byte");
        list.key[n++] = key;
        lua_pushvalue(L, -2);
        lua_rawseti(L, -4, n);
    }
    list.count = n; /* a finalizer may have taken some away since they were counted */
    qsort(list.key, (size_t)n, sizeof list.key[0], compare_texts);
    lua_createtable(L, n, 0);
    list.values = lua_gettop(L);
    for (int i = 0; i < n; i++) {
        lua_pushstring(L, list.key[i]);
        lua_rawget(L, argument);
        lua_rawseti(L, list.values, i + 1);
    }
    return list;
}

/* The values as tensors. They are alive until Lua is next called to allocate. */
static rlua_list tensors_of(lua_State *L, int argument, const named *list)
{
    for (int i = 0; i < list->count; i++) {
        lua_rawgeti(L, list->values, i + 1);
        const rlua_tensor *box = rlua_box(L, -1);
        if (box == NULL)
            rlua_bad_argument(L, argument, "'%s': tensor expected, got %s", list->key[i], rlua_type_name(L, -1));
        else if (box->tensor == NULL)
            rlua_bad_argument(L, argument, "'%s': %s", list->key[i], rlua_why_freed(box));
        lua_pop(L, 1);
    }
    return rlua_list_new(L, list->values, argument);
}

/* rille.save_npz(path, {name = tensor} [, {compressed = false}]) */
static int save_npz(lua_State *L)
{
    static const char *const names[] = {"compressed", NULL};
    lua_settop(L, 3);
    const char *path = check_path(L, 1);
    rlua_check_options(L, 3, names);
    bool compressed = rlua_option_boolean(L, 3, "compressed", false);
    named list = sorted(L, 2, "table of tensors");
    rlua_list tensors = tensors_of(L, 2, &list);
    rlua_list_fill(L, &tensors);
    rlua_check(L, rille_write_npz(rlua_context(L), path, list.count, list.key, tensors.item, compressed));
    return 0;
}

/* rille.write_safetensors(path, {name = tensor} [, {key = text}]) */
static int write_safetensors(lua_State *L)
{
    lua_settop(L, 3);
    const char *path = check_path(L, 1);
    if (lua_isnil(L, 3)) {
        lua_newtable(L);
        lua_replace(L, 3);
    }
    named list = sorted(L, 2, "table of tensors"), metadata = sorted(L, 3, "table of texts");
    const char **texts = rlua_buffer(L, metadata.count, sizeof texts[0]);
    for (int i = 0; i < metadata.count; i++) {
        size_t length = 0;
        lua_rawgeti(L, metadata.values, i + 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            rlua_bad_argument(L, 3, "'%s': string expected, got %s", metadata.key[i], rlua_type_name(L, -1));
        texts[i] = lua_tolstring(L, -1, &length);
        if (strlen(texts[i]) != length)
            rlua_bad_argument(L, 3, "'%s': a text contains no zero byte", metadata.key[i]);
        lua_pop(L, 1);
    }
    rlua_list tensors = tensors_of(L, 2, &list);
    rlua_list_fill(L, &tensors);
    rlua_check(L, rille_write_safetensors(rlua_context(L), path, list.count, list.key, tensors.item, metadata.count,
                                          metadata.key, texts));
    return 0;
}

/* ---- Lua's ---- */

static int call_saving(lua_State *L, const char *name)
{
    int arguments = lua_gettop(L);
    rlua_push_from_module(L, "rille.saving", name);
    lua_insert(L, 1);
    lua_call(L, arguments, LUA_MULTRET);
    return lua_gettop(L);
}

/* rille.save(path, table [, {key = text}]) */
static int save(lua_State *L)
{
    return call_saving(L, "save");
}

/* rille.load(path): the table, {key = text} */
static int load(lua_State *L)
{
    return call_saving(L, "load");
}

const luaL_Reg rlua_file_functions[] = {
    {"file_size", file_size},
    {"load", load},
    {"load_npy", load_npy},
    {"load_npz", load_npz},
    {"read_idx", read_idx},
    {"read_records", read_records},
    {"read_safetensors", read_safetensors},
    {"save", save},
    {"save_npy", save_npy},
    {"save_npz", save_npz},
    {"write_file", write_file},
    {"write_safetensors", write_safetensors},
    {NULL, NULL},
};
