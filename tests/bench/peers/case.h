/* One thing that is timed: an activation, forward or backward, on a matrix of float32; what Rille makes of it, and the truth. */
#ifndef TESTS_BENCH_CASE_H
#define TESTS_BENCH_CASE_H

#include "accuracy/rows.h"

typedef struct bench_case {
    const char *name;
    const activation_row *row; /* NULL: softmax, or */
    bool logarithm;            /* log_softmax, of each row of the matrix */
    bool backward;
    size_t rows, columns;
    int threads;
} bench_case;

static inline size_t case_size(const bench_case *c)
{
    return c->rows * c->columns;
}

/* By Rille, `count` times; y is f(x), or g f'(x). softmax's backward pass is given its output, as autograd has it. */
void case_run(rille_context *cx, const bench_case *c, long count, const float *x, const float *g, const float *output,
              float *y);

/* The exact result, as good as a double is. */
void case_reference(const bench_case *c, const float *x, const float *g, double *exact);

#endif
