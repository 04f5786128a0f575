/* What a probe of gradient flow asks for: statistics of many tensors and of their gradients in one call, where an activation is
 * flat, how far parameters moved, histograms. */
#include "bindings.h"

#include <math.h>

enum { COLUMNS = 13, MOST_BINS = 1000000 };

/* count mean std log10_norm min max zeros subnormals nans infinities dead within units; t: NULL, or what was measured */
static void put_row(double *row, const rille_statistics *s, const rille_tensor *t)
{
    const int rank = t == NULL ? 0 : rille_rank(t);
    const double values[COLUMNS] = {
        (double)s->count,
        s->mean,
        s->std,
        s->log10_norm,
        s->min,
        s->max,
        (double)s->zeros,
        (double)s->subnormals,
        (double)s->nans,
        (double)s->infinities,
        (double)s->dead,
        (double)s->within,
        rank > 0 ? (double)rille_shape(t)[rank - 1] : -1,
    };
    for (int i = 0; i < COLUMNS; i++)
        row[i] = values[i];
}

/* The table {low, high, low, high ...} at the top, popped. at: its place in the list that is the argument; 0: it is the argument. */
static void read_intervals(lua_State *L, int argument, int at, rille_intervals *into)
{
    const lua_Unsigned ends = lua_rawlen(L, -1);
    if (ends % 2 != 0 || ends > 2 * RILLE_MAX_INTERVALS)
        rlua_bad_argument(L, argument, "%sat most %d intervals expected, each a low and a high end, got %d numbers",
                          at > 0 ? lua_pushfstring(L, "[%d]: ", at) : "", RILLE_MAX_INTERVALS, (int)ends);
    into->count = (int)(ends / 2);
    for (int i = 0; i < (int)ends; i++) {
        lua_rawgeti(L, -1, i + 1);
        (i % 2 == 0 ? into->low : into->high)[i / 2] = rlua_number(L, -1, argument, "an interval's end");
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* For each of `count` tensors, those at 2i: the intervals in the table at 2, or NULL. Pushes what holds them. */
static const rille_intervals **read_all_intervals(lua_State *L, int count)
{
    const rille_intervals **within = rlua_buffer(L, 2 * (int64_t)count, sizeof *within);
    rille_intervals *intervals = rlua_buffer(L, count, sizeof *intervals);
    for (int i = 0; i < count; i++) {
        within[2 * i] = within[2 * i + 1] = NULL;
        if (lua_isnil(L, 2))
            continue;
        lua_rawgeti(L, 2, i + 1);
        if (lua_type(L, -1) == LUA_TTABLE) {
            within[2 * i] = &intervals[i];
            read_intervals(L, 2, i + 1, &intervals[i]);
        } else if (lua_toboolean(L, -1)) {
            rlua_bad_argument(L, 2, "[%d]: table of intervals expected, got %s", i + 1, rlua_type_name(L, -1));
        } else {
            lua_pop(L, 1);
        }
    }
    return within;
}

/* rille.measure_many(tensors [, within]): float64 [#tensors, 2, 13]. At [i][1] what rille.measure gives of the tensor, at
 * [i][2] of its gradient (count 0: it has none): count, mean, std, log10_norm, min, max, zeros, subnormals, nans, infinities,
 * dead (units that are 0 in every row), how many elements are in the intervals of within[i], {low, high, ...} or false (of a
 * gradient 0), and units (the size of the last dimension; -1 where there is none). */
static int measure_many(lua_State *L)
{
    lua_settop(L, 2);
    if (!lua_isnil(L, 2) && lua_type(L, 2) != LUA_TTABLE)
        rlua_bad_type(L, 2, "table of intervals");
    rlua_list list = rlua_list_new(L, 1, 1);
    const int count = list.count;
    const rille_intervals **within = read_all_intervals(L, count);
    rille_tensor **all = rlua_buffer(L, 2 * (int64_t)count, sizeof *all);
    rille_statistics *statistics = rlua_buffer(L, 2 * (int64_t)count, sizeof *statistics);
    rlua_tensor *box = rlua_new(L);
    rlua_list_fill(L, &list);
    for (int i = 0; i < count; i++) {
        all[2 * i] = list.item[i];
        all[2 * i + 1] = rille_gradient(list.item[i]);
    }
    rille_context *cx = rlua_context(L);
    rlua_check(L, rille_measure_many(cx, 2 * count, all, within, statistics));
    rille_tensor *rows = rille_empty(cx, RILLE_FLOAT64, 3, (int64_t[]){count, 2, COLUMNS});
    for (int i = 0; rows != NULL && i < 2 * count; i++)
        put_row((double *)rille_data(rows) + (size_t)i * COLUMNS, &statistics[i], all[i]);
    rlua_finish(L, box, rows);
    return 1;
}

/* Argument at, if it is a tensor, with the intervals behind it. */
static void measure_argument_early(lua_State *L, int at)
{
    rille_intervals within;
    if (!lua_toboolean(L, at))
        return;
    rlua_check_tensor(L, at);
    const bool counts = lua_toboolean(L, at + 1);
    if (counts && lua_type(L, at + 1) != LUA_TTABLE)
        rlua_bad_type(L, at + 1, "table of intervals");
    if (counts) {
        lua_pushvalue(L, at + 1);
        read_intervals(L, at + 1, 0, &within);
    }
    rlua_check(L, rille_measure_early(rlua_check_tensor(L, at), counts ? &within : NULL));
}

/* rille.measure_early(t, within [, t, within ...]): measures each tensor t (false: nothing) now, and its gradient when the next
 * backward puts one there: measure_many then takes what was found, as long as nothing was written to them. within: false, or as an
 * element of measure_many's. The first t keeps its gradient, where it requires one, as by t:retain_grad(). Returns false, and does
 * nothing, under rille.no_grad and where the first t is no floating tensor */
static int measure_early(lua_State *L)
{
    const int most = lua_gettop(L);
    rille_tensor *t = rlua_box(L, 1) == NULL ? NULL : rlua_check_tensor(L, 1);
    const bool fits = t != NULL && rille_grad_enabled(rille_context_of(t)) &&
                      (rille_dtype_of(t) == RILLE_FLOAT32 || rille_dtype_of(t) == RILLE_FLOAT64);
    if (fits && rille_requires_grad(t))
        rlua_check(L, rille_retain_grad(t));
    for (int at = 1; fits && at <= most; at += 2)
        measure_argument_early(L, at);
    lua_pushboolean(L, fits);
    return 1;
}

/* rille.measure_changes(tensors, previous): float64 [#tensors, 13], as measure_many's, of tensors[i] - previous[i]; afterwards
 * previous[i] holds what tensors[i] does */
static int measure_changes(lua_State *L)
{
    lua_settop(L, 2);
    rlua_list tensors = rlua_list_new(L, 1, 1), previous = rlua_list_new(L, 2, 2);
    if (tensors.count != previous.count)
        rlua_bad_argument(L, 2, "list of %d expected, as there are tensors, got %d", tensors.count, previous.count);
    const int count = tensors.count;
    rille_statistics *statistics = rlua_buffer(L, count, sizeof *statistics);
    rlua_tensor *box = rlua_new(L);
    rlua_list_fill(L, &tensors);
    rlua_list_fill(L, &previous);
    rille_context *cx = rlua_context(L);
    rlua_check(L, rille_measure_changes(cx, count, tensors.item, previous.item, statistics));
    rille_tensor *rows = rille_empty(cx, RILLE_FLOAT64, 2, (int64_t[]){count, COLUMNS});
    for (int i = 0; rows != NULL && i < count; i++)
        put_row((double *)rille_data(rows) + (size_t)i * COLUMNS, &statistics[i], tensors.item[i]);
    rlua_finish(L, box, rows);
    return 1;
}

/* rille.flat_intervals(activation, threshold [, parameters]): {low, high, low, high ...}, where |f'(x)| < threshold; nil where
 * there are more than 8 such intervals */
static int flat_intervals(lua_State *L)
{
    rlua_parameter_values values;
    rille_intervals flat;
    lua_settop(L, 3);
    const double threshold = rlua_number(L, 2, 2, "threshold");
    if (!lua_isnil(L, 3) && lua_type(L, 3) != LUA_TTABLE)
        rlua_bad_type(L, 3, "table of parameters");
    const rille_activation act = rlua_activation(L, 1);
    rlua_parameters(L, 3, act, &values, NULL);
    if (rlua_parameter_tensors(L, &values) != NULL)
        rlua_bad_argument(L, 3, "numbers expected, not tensors: where f' is flat then differs from element to element");
    rlua_check(L, rille_flat_intervals(rlua_context(L), act, values.number, threshold, &flat));
    if (flat.count < 0)
        return 0;
    lua_createtable(L, 2 * flat.count, 0);
    for (int i = 0; i < 2 * flat.count; i++) {
        lua_pushnumber(L, (i % 2 == 0 ? flat.low : flat.high)[i / 2]);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

/* rille.histogram(t, bins, low, high): int64 [bins], how many elements are in each of the bins of equal width; `high` is of the
 * last, what is outside and NaN of none */
static int histogram(lua_State *L)
{
    rlua_check_tensor(L, 1);
    const int64_t bins = rlua_integer(L, 2, 2, "bins");
    const double low = rlua_number(L, 3, 3, "low"), high = rlua_number(L, 4, 4, "high");
    if (bins < 1 || bins > MOST_BINS)
        rlua_bad_argument(L, 2, "bins is %I, expected 1 ... %d", (LUAI_UACINT)bins, (int)MOST_BINS);
    rlua_tensor *box = rlua_new(L);
    rille_tensor *t = rlua_check_tensor(L, 1), *counts = rille_empty(rlua_context(L), RILLE_INT64, 1, &bins);
    rille_status status = counts == NULL ? RILLE_OK : rille_histogram(t, low, high, (size_t)bins, rille_data(counts));
    if (status != RILLE_OK) {
        rille_free(counts);
        rlua_check(L, status);
    }
    rlua_finish(L, box, counts);
    return 1;
}

const luaL_Reg rlua_probe_functions[] = {
    {"flat_intervals", flat_intervals}, {"histogram", histogram},       {"measure_changes", measure_changes},
    {"measure_early", measure_early},   {"measure_many", measure_many}, {NULL, NULL},
};
