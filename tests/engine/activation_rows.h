/* What the suites over activations.def have in common: a check for every row, and what is computed of it by the calls that
 * hosts and the engine itself use. */
#ifndef TESTS_ACTIVATION_ROWS_H
#define TESTS_ACTIVATION_ROWS_H

#include "accuracy/numbers.h"
#include "accuracy/rows.h"
#include "activations/map.h"

#include <criterion/criterion.h>
#include <stdio.h>

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

#endif
