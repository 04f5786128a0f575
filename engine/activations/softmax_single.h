/* Softmax of float32 slices in float, for softmax_kernels.c, where there is RL_HAS_FMA.
 *
 * Of slices of at most SHORT elements each becomes a column of a panel; of a longer one, every WIDTHth element is in one column,
 * and what comes of the columns is folded.
 *
 * e^x is kept as hi + lo, off by less than 2^-25.5 of itself, and 2^64 times as large as it is beside the largest, lest a part
 * be subnormal. The sum keeps both parts, and so does what e^x is multiplied by. Errors, in ULP:
 *     softmax          < 1: 0.5 of the last rounding, at most 0.36 of e^x, and of the sum the mean of as much (found: 0.79)
 *     log_softmax      < 1: 0.5 and what the sum without the largest is off by, where that is all there is (found: 0.76)
 *     their gradients  as the first, of the larger of the two terms that are subtracted
 *
 * A slice whose largest is not within +-MOST, as NaN and infinity are not, or whose sums are not as they need be, is left to
 * `exact`, the kernel that does all in double. */
#ifndef RL_ACTIVATIONS_SOFTMAX_SINGLE_H
#define RL_ACTIVATIONS_SOFTMAX_SINGLE_H

#include "activations/softmax_panels.h"
#include "math/logarithm.h"

#if defined(RL_HAS_FMA)

/* ---- Short slices ---- */

enum { PANEL = WIDTH * SHORT };

/* `rows` <= WIDTH rows as the columns of a panel; those that are missing are 0. */
static void load_panel(size_t rows, size_t n, const float *x, float *panel)
{
    float between[PANEL], padded[PANEL];
    if (rows < WIDTH) {
        memcpy(padded, x, rows * n * sizeof *x);
        memset(padded + rows * n, 0, (WIDTH - rows) * n * sizeof *x);
    }
    columns_of_rows(n, rows < WIDTH ? padded : x, between, panel);
}

static void store_panel(size_t rows, size_t n, float *panel, float *y)
{
    float between[PANEL], padded[PANEL];
    rows_of_columns(n, panel, between, rows < WIDTH ? padded : y);
    if (rows < WIDTH)
        memcpy(y, padded, rows * n * sizeof *y);
}

static void replace_column(size_t n, size_t c, const float *row, float *panel)
{
    for (size_t j = 0; j < n; j++)
        panel[j * WIDTH + c] = row[j];
}

typedef void row_map(size_t rows, size_t n, const void *x, void *y);
typedef void row_vjp(size_t rows, size_t n, const void *saved, const void *g, void *dx);

static void softmax_of_panel(size_t rows, size_t n, const float *x, float *y, row_map *exact)
{
    float panel[PANEL], low[PANEL], row[SHORT];
    slices_single s;
    pairs_single share;
    double total[WIDTH] = {0};
    load_panel(rows, n, x, panel);
    examine_columns(n, panel, &s);
    decays_of_panel(n, panel, &s, panel, low, total);
#pragma omp simd
    for (size_t c = 0; c < WIDTH; c++)
        set_pair(&share, c, 0, (double)UP / total[c]);
    scale_decays(n * WIDTH, panel, low, &share, panel);
    for (size_t c = all_fit(&s) ? rows : 0; c < rows; c++)
        if (!fits(s.largest[c])) {
            exact(1, n, x + c * n, row);
            replace_column(n, c, row, panel);
        }
    store_panel(rows, n, panel, y);
}

static void log_softmax_of_panel(size_t rows, size_t n, const float *x, float *y, row_map *exact)
{
    float panel[PANEL], row[SHORT];
    slices_single s;
    pairs_single shift;
    double total[WIDTH] = {0};
    load_panel(rows, n, x, panel);
    examine_columns(n, panel, &s);
    sum_from_largest(n, panel, &s, total);
#pragma omp simd
    for (size_t c = 0; c < WIDTH; c++) {
        const double rest = rest_of(total[c]);
        set_pair(&shift, c, (double)s.largest[c], rl_log1p_any_24(rest));
        s.largest[c] = rest < LEAST_REST ? INFINITY : s.largest[c];
    }
    subtract(n * WIDTH, panel, &shift, panel);
    for (size_t c = all_fit(&s) ? rows : 0; c < rows; c++)
        if (!fits(s.largest[c])) {
            exact(1, n, x + c * n, row);
            replace_column(n, c, row, panel);
        }
    store_panel(rows, n, panel, y);
}

static void softmax_vjp_of_panel(size_t rows, size_t n, const float *y, const float *g, float *dx, row_vjp *exact)
{
    float panel[PANEL], other[PANEL], row[SHORT];
    pairs_single mean;
    double total[WIDTH] = {0};
    load_panel(rows, n, y, panel);
    load_panel(rows, n, g, other);
    dot_of_panel(n, panel, other, total);
#pragma omp simd
    for (size_t c = 0; c < WIDTH; c++)
        set_pair(&mean, c, 0, total[c]);
    softmax_products(n * WIDTH, panel, other, &mean, panel);
    for (size_t c = 0; c < rows; c++)
        if (!is_moderate(total[c])) {
            exact(1, n, y + c * n, g + c * n, row);
            replace_column(n, c, row, panel);
        }
    store_panel(rows, n, panel, dx);
}

/* share = sum g / sum e^(x - k ln 2), as less_share() takes it */
RL_INLINE void set_share(size_t c, double gradients, double total, float *scale, pairs_single *share)
{
    const double exact = gradients / (total * (double)DOWN);
    const bool large = rl_magnitude(exact) >= 0x1p-40;
    scale[c] = large ? 1 : DOWN;
    set_pair(share, c, 0, exact * (large ? (double)DOWN : 1));
}

static void log_softmax_vjp_of_panel(size_t rows, size_t n, const float *x, const float *g, float *dx, row_vjp *exact)
{
    float panel[PANEL], low[PANEL], other[PANEL], row[SHORT], scale[WIDTH];
    slices_single s;
    pairs_single share;
    double total[WIDTH] = {0}, gradients[WIDTH] = {0};
    load_panel(rows, n, x, panel);
    load_panel(rows, n, g, other);
    examine_columns(n, panel, &s);
    decays_of_panel(n, panel, &s, panel, low, total);
    sum_of_panel(n, other, gradients);
#pragma omp simd
    for (size_t c = 0; c < WIDTH; c++)
        set_share(c, gradients[c], total[c], scale, &share);
    subtract_shares(n * WIDTH, other, panel, low, scale, &share, panel);
    for (size_t c = 0; c < rows; c++)
        if (!fits(s.largest[c]) || !is_moderate(gradients[c])) {
            exact(1, n, x + c * n, g + c * n, row);
            replace_column(n, c, row, panel);
        }
    store_panel(rows, n, panel, dx);
}

/* ---- Long slices ---- */

/* The pair of a + b for all columns. */
RL_INLINE void set_pairs(pairs_single *p, double a, double b)
{
    const float hi = (float)(a + b), lo = (float)((a - (double)hi) + b);
    for (size_t c = 0; c < WIDTH; c++) {
        p->hi[c] = hi;
        p->lo[c] = lo;
    }
}

/* 2^64 sum e^(x - k ln 2). The decays of the last elements, from *kept on, are left in hi and lo. */
static double decays_of_long_row(size_t n, const float *x, const slices_single *s, float *hi, float *lo, size_t *kept)
{
    double total[WIDTH] = {0};
    for (size_t begin = 0; begin < n; begin += KEPT) {
        *kept = begin;
        decays_of_row(n - begin < KEPT ? n - begin : KEPT, x + begin, s, hi, lo, total);
    }
    return fold_columns(total);
}

static void softmax_of_row(size_t n, const float *x, float *y, row_map *exact)
{
    float hi[KEPT], lo[KEPT];
    slices_single s;
    pairs_single share;
    double unused[WIDTH] = {0};
    size_t kept;
    if (!examine_row(n, x, &s)) {
        exact(1, n, x, y);
        return;
    }
    set_pairs(&share, 0, (double)UP / decays_of_long_row(n, x, &s, hi, lo, &kept));
    scale_decays(n - kept, hi, lo, &share, y + kept);
    for (size_t begin = 0; begin < kept; begin += KEPT) {
        decays_of_row(KEPT, x + begin, &s, hi, lo, unused);
        scale_decays(KEPT, hi, lo, &share, y + begin);
    }
}

static void log_softmax_of_row(size_t n, const float *x, float *y, row_map *exact)
{
    slices_single s;
    pairs_single shift;
    if (!examine_row(n, x, &s)) {
        exact(1, n, x, y);
        return;
    }
    const double rest = rest_of_row(n, x, &s);
    if (rest < LEAST_REST) {
        exact(1, n, x, y);
        return;
    }
    set_pairs(&shift, (double)s.largest[0], rl_log1p_any_24(rest));
    subtract(n, x, &shift, y);
}

static void softmax_vjp_of_row(size_t n, const float *y, const float *g, float *dx, row_vjp *exact)
{
    pairs_single mean;
    const double total = dot_of_row(n, y, g);
    if (!is_moderate(total)) {
        exact(1, n, y, g, dx);
        return;
    }
    set_pairs(&mean, 0, total);
    softmax_products(n, y, g, &mean, dx);
}

static void log_softmax_vjp_of_row(size_t n, const float *x, const float *g, float *dx, row_vjp *exact)
{
    float hi[KEPT], lo[KEPT], scale[WIDTH];
    slices_single s;
    pairs_single share;
    double unused[WIDTH] = {0};
    size_t kept;
    const double gradients = sum_of_row(n, g);
    if (!examine_row(n, x, &s) || !is_moderate(gradients)) {
        exact(1, n, x, g, dx);
        return;
    }
    set_share(0, gradients, decays_of_long_row(n, x, &s, hi, lo, &kept), scale, &share);
    for (size_t c = 1; c < WIDTH; c++) {
        scale[c] = scale[0];
        share.hi[c] = share.hi[0];
        share.lo[c] = share.lo[0];
    }
    subtract_shares(n - kept, g + kept, hi, lo, scale, &share, dx + kept);
    for (size_t begin = 0; begin < kept; begin += KEPT) {
        decays_of_row(KEPT, x + begin, &s, hi, lo, unused);
        subtract_shares(KEPT, g + begin, hi, lo, scale, &share, dx + begin);
    }
}

/* ---- All slices ---- */

/* Up to so many elements a panel is faster. */
enum { SHORT_softmax = SHORT, SHORT_log_softmax = SHORT, SHORT_softmax_vjp = 32, SHORT_log_softmax_vjp = SHORT };
enum { FEW = 4 }; /* so many short rows are done one by one sooner than by a panel of which most is empty */

#define DEFINE_MAP(name)                                                                                                       \
    static void name##_single(size_t rows, size_t n, const void *in, void *out)                                                \
    {                                                                                                                          \
        const float *x = in;                                                                                                   \
        float *y = out;                                                                                                        \
        size_t i = 0, together;                                                                                                \
        for (; n <= SHORT_##name && rows - i > FEW; i += together) {                                                           \
            together = rows - i < WIDTH ? rows - i : WIDTH;                                                                    \
            name##_of_panel(together, n, x + i * n, y + i * n, name##_float);                                                  \
        }                                                                                                                      \
        for (; i < rows; i++)                                                                                                  \
            name##_of_row(n, x + i * n, y + i * n, name##_float);                                                              \
    }

#define DEFINE_VJP(name)                                                                                                       \
    static void name##_single(size_t rows, size_t n, const void *saved, const void *gradient, void *result)                    \
    {                                                                                                                          \
        const float *x = saved, *g = gradient;                                                                                 \
        float *dx = result;                                                                                                    \
        size_t i = 0, together;                                                                                                \
        for (; n <= SHORT_##name && rows - i > FEW; i += together) {                                                           \
            together = rows - i < WIDTH ? rows - i : WIDTH;                                                                    \
            name##_of_panel(together, n, x + i * n, g + i * n, dx + i * n, name##_float);                                      \
        }                                                                                                                      \
        for (; i < rows; i++)                                                                                                  \
            name##_of_row(n, x + i * n, g + i * n, dx + i * n, name##_float);                                                  \
    }

#endif

#endif
