/* What the files of rille.so share. One userdata stands for each tensor, one for the context of the Lua state.
 *
 * Rules that keep Lua's longjmp harmless:
 *   - A tensor's userdata is made, with its metatable, before the engine is called, and holds NULL until then.
 *   - Engine pointers are fetched after the last Lua call that may allocate: an allocation may run the collector, the
 *     collector a script's finaliser, and that may free any tensor.
 *   - What an engine call returns goes into its userdata (rlua_finish) before anything else happens.
 *
 * Every C function has three upvalues: the state, the tensors' metatable and its own name, for messages. */
#ifndef RLUA_BINDINGS_H
#define RLUA_BINDINGS_H

#include <lauxlib.h>
#include <lua.h>

#include "rille.h"

typedef struct rlua_tensor rlua_tensor;

typedef struct rlua_scope { /* one running rille.scope */
    rlua_tensor *first;     /* of the tensors that it frees at its end */
    struct rlua_scope *outer;
} rlua_scope;

typedef struct rlua_state {
    rille_context *context; /* NULL once the Lua state is closing */
    rlua_scope *scope;      /* the innermost, or NULL */
    size_t step_at;         /* bytes in tensors at which the collector takes a step */
    size_t collect_at;      /* and at which it is run */
    lua_State *running;     /* the thread whose function runs */
    int hook_error;         /* where, on its stack, the error of a hook lies that ended a backward; 0: there is none */
    const char *modules;    /* folder of Rille's Lua modules, or NULL; the userdata's user value holds the string */
} rlua_state;

typedef enum rlua_end { RLUA_FREED, RLUA_SCOPE_ENDED } rlua_end;

struct rlua_tensor {
    rille_tensor *tensor;         /* NULL before it is made and after it is freed */
    rlua_scope *scope;            /* that will free it, or NULL */
    rlua_tensor *previous, *next; /* in that scope */
    int pinned;                   /* running engine calls that must not lose it */
    rlua_end end;                 /* how it came to be freed */
};

enum { RLUA_STATE = 1, RLUA_METATABLE, RLUA_NAME, RLUA_EXTRA };

/* The state of the running function. Raises where the context is closed. */
rlua_state *rlua_state_of(lua_State *L);
rille_context *rlua_context(lua_State *L);

/* ---- errors.c: messages begin with the script's own line, even from within Rille's Lua modules ---- */

/* Formats are lua_pushfstring's. Argument 0 stands for no argument in particular: the message alone. */
_Noreturn void rlua_raise(lua_State *L, const char *format, ...);
_Noreturn void rlua_bad_argument(lua_State *L, int argument, const char *format, ...);
_Noreturn void rlua_bad_type(lua_State *L, int argument, const char *expected);
_Noreturn void rlua_raise_engine(lua_State *L); /* the context's error, which is cleared; that of a hook as it was raised */
void rlua_take_error(rille_context *cx, char *message, size_t size); /* copies and clears it */
void rlua_check(lua_State *L, rille_status status);                  /* raises where it is not RILLE_OK */
/* Writes the script's own line, "experiment.lua:12", or "". Does not raise. */
void rlua_place(lua_State *L, char *text, size_t size);
const char *rlua_type_name(lua_State *L, int index);
const char *rlua_number_text(lua_State *L, int index);                     /* pushes it */
const char *rlua_shape_text(lua_State *L, int rank, const int64_t *shape); /* pushes it: "[2, 3]" */

/* Of a table's string keys the one closest to a misspelt name, or NULL where none is close. */
const char *rlua_nearest_key(lua_State *L, const char *name, int table);
const char *rlua_nearest(const char *name, const char *const *candidates); /* a NULL ends them */
const char *rlua_nearest_activation(lua_State *L, const char *name);       /* a script's own ones too */
/* Pushes "; did you mean 'relu'?", or "" where nearest is NULL. */
const char *rlua_did_you_mean(lua_State *L, const char *nearest);

/* ---- tensor.c ---- */

rlua_tensor *rlua_new(lua_State *L);                                  /* pushes a userdata without a tensor */
void rlua_finish(lua_State *L, rlua_tensor *box, rille_tensor *made); /* NULL: raises the engine's error */
rlua_tensor *rlua_box(lua_State *L, int index);                       /* NULL where it is no tensor */
const char *rlua_why_freed(const rlua_tensor *box);                   /* of one without a tensor, for messages */
rlua_tensor *rlua_check_box(lua_State *L, int argument);              /* with a live tensor, or raises */
rille_tensor *rlua_check_tensor(lua_State *L, int argument);
/* rlua_finish for results that came together: all of them, or NULL. */
void rlua_finish_all(lua_State *L, int count, rlua_tensor *const *boxes, rille_tensor *const *made);
void rlua_arguments(lua_State *L, int count); /* makes them so many, nil where there were fewer, but one at least */

void *rlua_buffer(lua_State *L, int64_t count, size_t size); /* pushes a userdata that holds it */

/* Lists of tensors: a table, or one tensor alone. Made first, then filled, since what makes one may run the collector. */
typedef struct rlua_list {
    int index;    /* where it lies */
    int argument; /* what messages call it */
    int count;
    rille_tensor **item; /* in a userdata that rlua_list_new pushes */
} rlua_list;
rlua_list rlua_list_new(lua_State *L, int index, int argument);
rlua_list rlua_list_empty(lua_State *L, int count);       /* room for results */
void rlua_list_fill(lua_State *L, const rlua_list *list); /* raises where one is no live tensor */
/* Results: a list of `count` userdata without tensors is pushed; later, at the top, they get them. NULL becomes nil. */
void rlua_list_boxes(lua_State *L, int count);
void rlua_list_finish(lua_State *L, const rlua_list *made);
rlua_tensor *rlua_list_box(lua_State *L, const rlua_list *list, int i); /* i from 0 */

/* What holds while a script's function runs, and ends with it, however it ends. */
typedef struct rlua_guard {
    rlua_state *state;
    void (*leave)(struct rlua_guard *guard); /* NULL before entering and after leaving */
    rlua_scope scope;
    bool grad_enabled;
    rille_anomaly anomaly;
} rlua_guard;
/* Calls the function that is argument 1 with the arguments after it, between enter and leave. Returns the number of its
 * results, which are then at the top of the stack; leave is run once the caller returns. */
int rlua_call_guarded(lua_State *L, void (*enter)(rlua_guard *), void (*leave)(rlua_guard *));

/* ---- arguments.c: `index` is where the value lies, `argument` and `what` name it in messages ---- */

int64_t rlua_integer(lua_State *L, int index, int argument, const char *what);
double rlua_number(lua_State *L, int index, int argument, const char *what);
bool rlua_boolean(lua_State *L, int index, int argument, const char *what, bool absent);
/* 1 ... n or, from the end, -1 ... -n becomes 0 ... n - 1, where n is t's rank or the size of a dimension. */
int rlua_dimension(lua_State *L, int index, int argument, const rille_tensor *t);
/* The dimension at `argument` of the tensor at argument 1; this one where it is nil. */
int rlua_dimension_or(lua_State *L, int argument, int absent);
int64_t rlua_position(lua_State *L, int index, int argument, int dim, int64_t size);
/* Sizes of at least `minimum` as arguments first ... last, or as one table. Returns the rank. */
int rlua_sizes(lua_State *L, int first, int last, int64_t *sizes, int64_t minimum);
/* A dimension of t, or a table of different ones. Returns how many. */
int rlua_dimensions(lua_State *L, int argument, const rille_tensor *t, int *dims);
rille_dtype rlua_dtype(lua_State *L, int index, int argument);
rille_activation rlua_activation(lua_State *L, int argument); /* by name or registry entry */
/* Pushes the function (x, order) -> f(x), f'(x) or f"(x) of a script's own activation; false where it names none of these. */
bool rlua_own_activation(lua_State *L, int argument);

/* The number (or boolean) at index as a rank-0 tensor of dtype. The caller frees it. Raises where it is no number, or has
 * no place in dtype; NULL where memory is out. */
rille_tensor *rlua_scalar(lua_State *L, int index, int argument, rille_dtype dtype);
/* The dtype that the number at index takes beside a tensor of dtype: floating tensors keep theirs. */
rille_dtype rlua_scalar_dtype(lua_State *L, int index, rille_dtype beside);
/* The tensor at the argument; a number is replaced by a tensor of rank 0 that leaves the dtype at `other` as it is. */
void rlua_tensor_or_number(lua_State *L, int argument, int other);
/* Converts the number or boolean at index and stores it. NULL, or what is wrong with it, pushed. */
const char *rlua_store(lua_State *L, int index, rille_dtype dtype, void *into);
/* A key of the table at index that is none of its list's, or NULL. Pushed. */
const char *rlua_stray_key(lua_State *L, int index);
/* Index or label tensor from the argument (int64 tensor, floating tensor of whole numbers, table or number), pushed. */
rlua_tensor *rlua_indices_at(lua_State *L, int index, int argument, const char *what); /* a tensor at index */
rlua_tensor *rlua_indices(lua_State *L, int argument, const char *what);

/* ---- options.c: the trailing table of options ---- */

bool rlua_has_options(lua_State *L, int index); /* a table with string keys and no list in it */
/* Raises where the table at `argument` has a key that is not among `names` (a NULL ends them). */
void rlua_check_options(lua_State *L, int argument, const char *const *names);
/* Pushes the option; false (nothing is pushed) where it, or the table, is absent. */
bool rlua_option(lua_State *L, int argument, const char *name);
/* Where one of the arguments first ... last - 1, each of which may be left out, is a table and nothing follows it, makes it
 * argument `last`: the options. */
void rlua_options_last(lua_State *L, int first, int last);
double rlua_option_number(lua_State *L, int argument, const char *name, double absent);
bool rlua_option_boolean(lua_State *L, int argument, const char *name, bool absent);
/* Parameters of an activation from `argument` on: numbers (or tensors, where the row says learnable) in the row's order, then
 * or instead a table that names them (and `extra`, NULL-ended, which the caller reads). Returns the table's index, or 0 where
 * there is none. Leaves tensors that the table holds on the stack. */
typedef struct rlua_parameter_values {
    double number[RILLE_MAX_PARAMETERS];
    int at[RILLE_MAX_PARAMETERS]; /* where the tensor lies; 0: the number it is */
    bool any_tensor;
    rille_tensor *tensor[RILLE_MAX_PARAMETERS];
} rlua_parameter_values;
int rlua_parameters(lua_State *L, int argument, rille_activation act, rlua_parameter_values *values, const char *const *extra);
/* The tensors as rille_activate_with takes them, for an engine call that follows at once; NULL where there are none. */
rille_tensor *const *rlua_parameter_tensors(lua_State *L, rlua_parameter_values *values);

/* ---- construct.c ---- */

/* Pushes a tensor of the nested tables, or the one number, at `argument`. Elements are of the Lua type `leaf`; LUA_TNONE:
 * numbers and booleans; LUA_TNIL: all of the first one's type. dtype NULL: bool for booleans, float32 for numbers. */
rlua_tensor *rlua_from_table(lua_State *L, int argument, const rille_dtype *dtype, int leaf);

/* ---- The functions, by topic. A list ends with {NULL, NULL} ---- */

extern const luaL_Reg rlua_layer_both[];
extern const luaL_Reg rlua_lifetime_metamethods[], rlua_lifetime_both[], rlua_lifetime_functions[];
extern const luaL_Reg rlua_construct_functions[];
extern const luaL_Reg rlua_index_metamethods[], rlua_index_both[];
extern const luaL_Reg rlua_shape_both[];
extern const luaL_Reg rlua_joining_both[], rlua_joining_functions[];
extern const luaL_Reg rlua_selection_both[];
extern const luaL_Reg rlua_arithmetic_metamethods[], rlua_arithmetic_both[];
extern const luaL_Reg rlua_reduction_both[];
extern const luaL_Reg rlua_order_both[];
extern const luaL_Reg rlua_decomposition_both[];
extern const luaL_Reg rlua_losses_both[];
extern const luaL_Reg rlua_recurrence_functions[];
extern const luaL_Reg rlua_autograd_both[], rlua_autograd_functions[];
extern const luaL_Reg rlua_hooks_both[];
extern const luaL_Reg rlua_measure_functions[], rlua_probe_functions[];
extern const luaL_Reg rlua_optim_functions[];
extern const luaL_Reg rlua_file_functions[];
extern const luaL_Reg rlua_profile_functions[];
extern const luaL_Reg rlua_context_functions[];
extern const luaL_Reg rlua_normalisation_both[];
extern const luaL_Reg rlua_window_both[];

/* Adds the functions of a list to the table at each of the two indices (0: none), each function made once. With `extra`
 * the value at the top is their one more upvalue, and is popped. */
void rlua_register(lua_State *L, const luaL_Reg *list, int table, int other, bool extra);
/* Pushes a field of a Lua module, which is loaded at the first call. */
void rlua_push_from_module(lua_State *L, const char *module, const char *field);
/* Adds a function for each activation to both tables, rille.derivative and rille.activations to the module. */
void rlua_register_activations(lua_State *L, int module, int methods);
/* Likewise for each gated activation, maxout and crelu, and rille.gates. */
void rlua_register_gates(lua_State *L, int module, int methods);

/* ---- own_activations.c ---- */

/* Adds rille.activation to the module. The registry's tables are at these indices: its entries in order, by name, and their
 * metatable. */
void rlua_register_own_activations(lua_State *L, int module, int methods, int registry, int by_name, int metatable);

#endif
