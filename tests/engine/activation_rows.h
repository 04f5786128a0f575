/* What the suites over activations.def have in common: the rows to go through, what is computed of them, and numbers of
 * either dtype. */
#ifndef TESTS_ACTIVATION_ROWS_H
#define TESTS_ACTIVATION_ROWS_H

#include "activations/map.h"
#include "reference/formula.h"
#include "reference/ulp.h"
#include "rille.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A row with its parameters: the defaults first, then each parameter moved down and up. */
typedef struct activation_row {
    rille_activation act;
    const rille_activation_info *info;
    double params[RILLE_MAX_PARAMETERS];
    bool defaults;
    char label[64]; /* leaky_relu, leaky_relu(negative_slope=0.27) */
} activation_row;

enum { MOST_ROWS = RILLE_ACTIVATION_COUNT * (1 + 2 * RILLE_MAX_PARAMETERS) };

/* Whether the suites are to look at this row: at all of them, unless the environment's ACT names one. */
static inline bool is_wanted(const char *name)
{
    const char *wanted = getenv("ACT");
    return wanted == NULL || *wanted == '\0' || strcmp(wanted, name) == 0;
}

/* Fills `rows` and returns how many there are. */
static inline int activation_rows(activation_row rows[MOST_ROWS])
{
    int count = 0;
    for (int act = 0; act < RILLE_ACTIVATION_COUNT; act++) {
        activation_row row = {
            .act = (rille_activation)act, .info = rille_activation_describe((rille_activation)act), .defaults = true};
        cr_assert_not_null(row.info);
        if (!is_wanted(row.info->name))
            continue;
        snprintf(row.label, sizeof row.label, "%s", row.info->name);
        for (int p = 0; p < row.info->parameter_count; p++)
            row.params[p] = row.info->parameter[p].initial;
        rows[count++] = row;
        for (int i = 0; i < 2 * row.info->parameter_count; i++) {
            const rille_parameter *p = &row.info->parameter[i / 2];
            activation_row moved = row;
            double value = i % 2 == 0 ? 0.5 * p->initial - 0.25 : 2.0 * p->initial + 0.25;
            moved.params[i / 2] = fmin(fmax(value, p->low), p->high);
            moved.defaults = false;
            snprintf(moved.label, sizeof moved.label, "%s(%s=%g)", row.info->name, p->name, moved.params[i / 2]);
            rows[count++] = moved;
        }
    }
    return count;
}

typedef void row_check(rille_context *cx, const activation_row *row, rille_dtype dtype);

/* Calls check for every row in both dtypes; fails where there is none. */
static inline void for_each_row(row_check *check)
{
    activation_row rows[MOST_ROWS];
    int count = activation_rows(rows);
    rille_context *cx = rille_open(NULL);
    cr_assert_not_null(cx);
    cr_assert(count > 0);
    for (int i = 0; i < 2 * count; i++)
        check(cx, &rows[i / 2], i % 2 == 0 ? RILLE_FLOAT32 : RILLE_FLOAT64);
    cr_assert_null(rille_error(cx), "%s", rille_error(cx));
    rille_close(cx);
}

/* What the engine computes of a row: f, f', f" and the products with a gradient that backward passes need. */
enum { PRODUCTS = 3, QUANTITIES = 5 };
static const char *const quantity_name[QUANTITIES] = {"f", "f'", "f\"", "dy f'", "dy f\""};

static inline void compute(rille_context *cx, const activation_row *row, int quantity, rille_dtype dtype, size_t n,
                           const void *g, const void *x, void *y)
{
    rille_status status;
    if (quantity < PRODUCTS)
        status = rille_map(cx, row->act, row->params, quantity, dtype, n, x, y);
    else if (quantity == PRODUCTS)
        status = rille_map_backward(cx, row->act, row->params, dtype, n, x, g, y);
    else
        status = rl_map_product(cx, row->act, row->params, 2, dtype, n, g, x, y);
    cr_assert_eq(status, RILLE_OK, "%s of %s: %s", quantity_name[quantity], row->label, rille_error(cx));
}

/* The row's own definition, parsed. */
static inline formula *activation_formula(const rille_activation_info *info)
{
    const char *names[RILLE_MAX_PARAMETERS];
    char error[128];
    for (int p = 0; p < info->parameter_count; p++)
        names[p] = info->parameter[p].name;
    formula *f = formula_parse(info->formula, names, info->parameter_count, error, sizeof error);
    cr_assert_not_null(f, "%s: formula \"%s\", %s", info->name, info->formula, error);
    return f;
}

/* Fails the test where memory is out: what the suites allocate, they need. */
static inline void *take(size_t count, size_t size)
{
    void *block = calloc(count + 1, size);
    cr_assert_not_null(block);
    return block;
}

/* ---- Numbers of either dtype, held as doubles ---- */

static inline double element(rille_dtype dtype, const void *elements, size_t i)
{
    return dtype == RILLE_FLOAT32 ? (double)((const float *)elements)[i] : ((const double *)elements)[i];
}

static inline void set_element(rille_dtype dtype, void *elements, size_t i, double value)
{
    if (dtype == RILLE_FLOAT32)
        ((float *)elements)[i] = (float)value;
    else
        ((double *)elements)[i] = value;
}

/* The dtype's numbers in order, counted from 0 = 0: the first is the smallest subnormal. Its last is the largest finite one. */
static inline double number_at(rille_dtype dtype, int64_t rank)
{
    uint64_t magnitude = (uint64_t)llabs((long long)rank);
    uint32_t narrow = (uint32_t)magnitude;
    float f;
    double d;
    memcpy(&f, &narrow, sizeof f);
    memcpy(&d, &magnitude, sizeof d);
    return copysign(dtype == RILLE_FLOAT32 ? (double)f : d, (double)rank);
}

static inline int64_t rank_of(rille_dtype dtype, double number)
{
    float f = (float)fabs(number);
    double d = fabs(number);
    uint32_t narrow;
    uint64_t magnitude;
    memcpy(&narrow, &f, sizeof narrow);
    memcpy(&magnitude, &d, sizeof magnitude);
    int64_t rank = dtype == RILLE_FLOAT32 ? (int64_t)narrow : (int64_t)magnitude;
    return number < 0 ? -rank : rank;
}

static inline int64_t last_rank(rille_dtype dtype)
{
    return rank_of(dtype, INFINITY) - 1;
}

/* ---- Pseudo-random numbers: the same in every run (splitmix64) ---- */

static inline uint64_t random_bits(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline double random_uniform(uint64_t *state, double low, double high)
{
    return low + (high - low) * ((double)(random_bits(state) >> 11) * 0x1p-53);
}

#endif
