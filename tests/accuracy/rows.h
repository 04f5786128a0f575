/* The rows of activations.def as those who measure them see them: parameters, definition, and the kernels of every instruction
 * set that this CPU has. */
#ifndef TESTS_ACCURACY_ROWS_H
#define TESTS_ACCURACY_ROWS_H

#include "activations/kernels.h"
#include "reference/formula.h"
#include "rille.h"

/* A row with its parameters: the defaults first, then each parameter moved down and up. */
typedef struct activation_row {
    const rille_activation_info *info;
    double params[RILLE_MAX_PARAMETERS];
    rille_activation act;
    bool defaults;
    char label[64]; /* leaky_relu, leaky_relu(negative_slope=0.27) */
} activation_row;

enum { MOST_ROWS = RILLE_ACTIVATION_COUNT * (1 + 2 * RILLE_MAX_PARAMETERS) };

/* Whether to look at this row: at all of them, unless the environment's ACT names one. */
bool is_wanted(const char *name);

/* Fills `rows` with those that are wanted and returns how many there are. */
int activation_rows(activation_row rows[MOST_ROWS]);

/* The row's own definition, parsed. */
formula *activation_formula(const rille_activation_info *info);

/* What the engine computes of a row: f, f', f" and the products with a gradient that backward passes need. */
enum { ORDERS = 3, PRODUCTS = ORDERS, QUANTITIES = 5 };
extern const char *const quantity_name[QUANTITIES];

/* One of them by the kernels of one instruction set. */
void compute_with(int isa, const activation_row *row, int quantity, rille_dtype dtype, size_t n, const void *g, const void *x,
                  void *y);
double value_with(int isa, const activation_row *row, rille_dtype dtype, int order, double x);

int best_isa(void); /* that the CPU has; rl_isa_name(isa) is NULL for those that it has not */

/* Whether multiply and add are fused under the instruction set of that name. Activations have the same bits wherever they are,
 * and wherever they are not. */
bool fuses(const char *isa);

/* The best that the CPU has of those that round as this one does. */
int isa_alike(int isa);

/* Ends the program with a message where memory is out: what the tests allocate, they need. */
void *take(size_t count, size_t size);

#endif
