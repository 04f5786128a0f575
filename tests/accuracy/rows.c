#include "accuracy/rows.h"

#include "accuracy/numbers.h"

#include <stdio.h>

const char *const quantity_name[QUANTITIES] = {"f", "f'", "f\"", "dy f'", "dy f\""};

bool is_wanted(const char *name)
{
    const char *wanted = getenv("ACT");
    return wanted == NULL || *wanted == '\0' || strcmp(wanted, name) == 0;
}

int activation_rows(activation_row rows[MOST_ROWS])
{
    int count = 0;
    for (int act = 0; act < RILLE_ACTIVATION_COUNT; act++) {
        activation_row row = {
            .act = (rille_activation)act, .info = rille_activation_describe((rille_activation)act), .defaults = true};
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

formula *activation_formula(const rille_activation_info *info)
{
    const char *names[RILLE_MAX_PARAMETERS];
    char error[128];
    for (int p = 0; p < info->parameter_count; p++)
        names[p] = info->parameter[p].name;
    formula *f = formula_parse(info->formula, names, info->parameter_count, error, sizeof error);
    if (f == NULL) {
        fprintf(stderr, "%s: formula \"%s\", %s\n", info->name, info->formula, error);
        abort();
    }
    return f;
}

void compute_with(int isa, const activation_row *row, int quantity, rille_dtype dtype, size_t n, const void *g, const void *x,
                  void *y)
{
    const rl_activation_kernels *kernels = rl_activation_kernels_of(isa);
    if (quantity < PRODUCTS)
        kernels->map[row->act][dtype][quantity](n, x, y, row->params);
    else
        kernels->product[row->act][dtype][quantity - PRODUCTS + 1](n, g, x, y, row->params);
}

double value_with(int isa, const activation_row *row, rille_dtype dtype, int order, double x)
{
    double input, output;
    set_element(dtype, &input, 0, x);
    compute_with(isa, row, order, dtype, 1, NULL, &input, &output);
    return element(dtype, &output, 0);
}

int best_isa(void)
{
    int isa = 0;
    while (rl_isa_name(isa) == NULL)
        isa++;
    return isa;
}

bool fuses(const char *isa)
{
    return strcmp(isa, "v2") != 0 && strcmp(isa, "generic") != 0;
}

int isa_alike(int isa)
{
    int first = 0;
    while (rl_isa_name(first) == NULL || fuses(rl_isa_name(first)) != fuses(rl_isa_name(isa)))
        first++;
    return first;
}

void *take(size_t count, size_t size)
{
    void *block = calloc(count + 1, size);
    if (block == NULL) {
        fprintf(stderr, "no memory for %zu elements of %zu bytes\n", count, size);
        abort();
    }
    return block;
}
