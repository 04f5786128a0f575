#include "bench/peers/case.h"

#include "activations/softmax_kernels.h"

#include <math.h>
#include <stdlib.h>

static void run_rows(const bench_case *c, const float *x, const float *g, const float *output, float *y)
{
    const rl_softmax_kernels *kernels = rl_softmax_kernels_pick();
    if (c->backward && c->logarithm)
        kernels->log_softmax_vjp[RILLE_FLOAT32](c->rows, c->columns, x, g, y);
    else if (c->backward)
        kernels->softmax_vjp[RILLE_FLOAT32](c->rows, c->columns, output, g, y);
    else if (c->logarithm)
        kernels->log_softmax[RILLE_FLOAT32](c->rows, c->columns, x, y);
    else
        kernels->softmax[RILLE_FLOAT32](c->rows, c->columns, x, y);
}

void case_run(rille_context *cx, const bench_case *c, long count, const float *x, const float *g, const float *output, float *y)
{
    for (long i = 0; i < count; i++) {
        if (c->row == NULL)
            run_rows(c, x, g, output, y);
        else if (c->backward)
            rille_map_backward(cx, c->row->act, c->row->params, RILLE_FLOAT32, case_size(c), x, g, y);
        else
            rille_map(cx, c->row->act, c->row->params, 0, RILLE_FLOAT32, case_size(c), x, y);
    }
}

/* y = e^(x - max) / sum;   x - max - log sum;   y (g - sum g y);   g - y sum g */
static void reference_row(const bench_case *c, const float *x, const float *g, double *exact)
{
    long double most = -INFINITY, sum = 0, gradients = 0, products = 0;
    for (size_t i = 0; i < c->columns; i++)
        most = fmaxl(most, x[i]);
    for (size_t i = 0; i < c->columns; i++)
        sum += expl(x[i] - most);
    for (size_t i = 0; i < c->columns; i++) {
        gradients += g[i];
        products += g[i] * expl(x[i] - most) / sum;
    }
    for (size_t i = 0; i < c->columns; i++) {
        long double y = expl(x[i] - most) / sum;
        if (c->backward)
            exact[i] = (double)(c->logarithm ? g[i] - y * gradients : y * (g[i] - products));
        else
            exact[i] = (double)(c->logarithm ? x[i] - most - logl(sum) : y);
    }
}

void case_reference(const bench_case *c, const float *x, const float *g, double *exact)
{
    const size_t n = case_size(c);
    if (c->row == NULL) {
        for (size_t row = 0; row < c->rows; row++)
            reference_row(c, x + row * c->columns, g + row * c->columns, exact + row * c->columns);
        return;
    }
    double *wide = take(n, sizeof *wide);
    for (size_t i = 0; i < n; i++)
        wide[i] = (double)x[i];
    compute_with(best_isa(), c->row, c->backward ? 1 : 0, RILLE_FLOAT64, n, NULL, wide, exact);
    for (size_t i = 0; c->backward && i < n; i++)
        exact[i] *= (double)g[i];
    free(wide);
}
