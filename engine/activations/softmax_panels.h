/* Panels of float32 elements, what is summed over their columns and what becomes of the elements: the arithmetic of
 * softmax_single.h, which says what for and how exact.
 *
 * A panel is `count` times WIDTH elements; those of its column c are at [j * WIDTH + c]. */
#ifndef RL_ACTIVATIONS_SOFTMAX_PANELS_H
#define RL_ACTIVATIONS_SOFTMAX_PANELS_H

#include "activations/softmax_kernels.h"

#include "math/exp.h"

#include <math.h>

#if defined(RL_HAS_FMA)

enum { WIDTH = RL_SOFTMAX_TOGETHER, SHORT = 64, KEPT = 4096 };

#define UP 0x1p64F
#define DOWN 0x1p-64F
#define OFFSET (RL_POWER_OFFSET_SINGLE + 64) /* of 2^64 e^x */
#define MOST 1024.0F
#define NEGLIGIBLE 110.0F /* e^-110 is 0 beside 1, even among subnormal floats */

/* ---- Panels of slices ---- */

/* out = in, as a matrix of two rows, transposed. */
static void interleave(size_t half, const float *in, float *out)
{
#pragma omp simd
    for (size_t i = 0; i < half; i++) {
        out[2 * i] = in[i];
        out[2 * i + 1] = in[half + i];
    }
}

/* The reverse. */
static void part(size_t half, const float *in, float *out)
{
#pragma omp simd
    for (size_t i = 0; i < half; i++) {
        out[i] = in[2 * i];
        out[half + i] = in[2 * i + 1];
    }
}

/* WIDTH rows of n, transposed: each step doubles the rows that lie side by side. */
static void columns_of_rows(size_t n, const float *rows, float *between, float *columns)
{
    const size_t half = n * WIDTH / 2;
    interleave(half, rows, columns);
    interleave(half, columns, between);
    interleave(half, between, columns);
    interleave(half, columns, between);
    interleave(half, between, columns);
}

/* The reverse. Spoils `columns`. */
static void rows_of_columns(size_t n, float *columns, float *between, float *rows)
{
    const size_t half = n * WIDTH / 2;
    part(half, columns, between);
    part(half, between, columns);
    part(half, columns, between);
    part(half, between, columns);
    part(half, columns, rows);
}

/* Each step of its own, so that none of them is a loop in the end. */
RL_INLINE double fold_columns(const double *column)
{
    double by_16[16], by_8[8], by_4[4];
#pragma omp simd
    for (size_t c = 0; c < 16; c++)
        by_16[c] = column[c] + column[c + 16];
#pragma omp simd
    for (size_t c = 0; c < 8; c++)
        by_8[c] = by_16[c] + by_16[c + 8];
#pragma omp simd
    for (size_t c = 0; c < 4; c++)
        by_4[c] = by_8[c] + by_8[c + 4];
    return (by_4[0] + by_4[2]) + (by_4[1] + by_4[3]);
}

/* ---- What is found out about slices ---- */

/* Of columns, or, all alike, of a row. */
typedef struct slices_single {
    float largest[WIDTH];
    float least[WIDTH];  /* what is smaller counts as this */
    float offset[WIDTH]; /* of e^(x - k ln 2), k ln 2 the multiple of ln 2 next to the largest */
} slices_single;

RL_INLINE float shift_offset(float largest)
{
    return OFFSET - (rl_madd_single(largest, RL_LOG2_E_SINGLE, RL_POWER_OFFSET_SINGLE) - RL_POWER_OFFSET_SINGLE);
}

RL_INLINE bool fits(float largest)
{
    return largest >= -MOST && largest <= MOST;
}

static bool all_fit(const slices_single *s)
{
    int misfits = 0;
#pragma omp simd reduction(+ : misfits)
    for (size_t c = 0; c < WIDTH; c++)
        misfits += !fits(s->largest[c]);
    return misfits == 0;
}

static void examine_columns(size_t n, const float *x, slices_single *s)
{
    float most[WIDTH];
    for (size_t c = 0; c < WIDTH; c++)
        most[c] = x[c];
    for (size_t j = 1; j < n; j++)
#pragma omp simd
        for (size_t c = 0; c < WIDTH; c++)
            most[c] = x[j * WIDTH + c] > most[c] ? x[j * WIDTH + c] : most[c];
#pragma omp simd
    for (size_t c = 0; c < WIDTH; c++) {
        s->largest[c] = most[c];
        s->least[c] = most[c] - NEGLIGIBLE;
        s->offset[c] = shift_offset(most[c]);
    }
}

/* NaN is passed over: the sum of e^x will be NaN. */
static float largest_of_row(size_t n, const float *x)
{
    float most[4 * WIDTH], last = -INFINITY;
    size_t i = 0;
    for (size_t k = 0; k < 4 * WIDTH; k++)
        most[k] = -INFINITY;
    for (; i + 4 * WIDTH <= n; i += 4 * WIDTH)
#pragma omp simd
        for (size_t k = 0; k < 4 * WIDTH; k++)
            most[k] = x[i + k] > most[k] ? x[i + k] : most[k];
    for (; n >= WIDTH && i < n; i += WIDTH) {
        const float *here = x + (i + WIDTH <= n ? i : n - WIDTH); /* those at the end perhaps twice */
#pragma omp simd
        for (size_t k = 0; k < WIDTH; k++)
            most[k] = here[k] > most[k] ? here[k] : most[k];
    }
    for (; i < n; i++)
        last = x[i] > last ? x[i] : last;
#pragma omp simd reduction(max : last)
    for (size_t k = 0; k < 4 * WIDTH; k++)
        last = most[k] > last ? most[k] : last;
    return last;
}

static bool examine_row(size_t n, const float *x, slices_single *s)
{
    const float most = largest_of_row(n, x), offset = shift_offset(most);
    for (size_t c = 0; c < WIDTH; c++) {
        s->largest[c] = most;
        s->least[c] = most - NEGLIGIBLE;
        s->offset[c] = offset;
    }
    return fits(most);
}

/* ---- e^x and its sum ---- */

/* hi + lo = 2^64 e^(x - k ln 2), and what they come to is added to total. */
static void decays_of_panel(size_t count, const float *x, const slices_single *s, float *hi, float *lo, double *total)
{
    const float above = 2 * UP;
    float sum[WIDTH], rest[WIDTH];
    for (size_t c = 0; c < WIDTH; c++) {
        sum[c] = above;
        rest[c] = 0;
    }
    for (size_t j = 0; j < count; j++)
#pragma omp simd
        for (size_t c = 0; c < WIDTH; c++) {
            const float at = x[j * WIDTH + c], least = s->least[c];
            const rl_growth_single e = rl_growth_of_single(at < least ? least : at, 0, s->offset[c]);
            const float first = e.power * e.m, second = e.power * e.low, next = sum[c] + first;
            rest[c] += (first - (next - sum[c])) + second;
            sum[c] = next;
            hi[j * WIDTH + c] = first;
            lo[j * WIDTH + c] = second;
        }
#pragma omp simd
    for (size_t c = 0; c < WIDTH; c++)
        total[c] += ((double)sum[c] - (double)above) + (double)rest[c];
}

/* The same of n <= KEPT elements in a row. */
static void decays_of_row(size_t n, const float *x, const slices_single *s, float *hi, float *lo, double *total)
{
    const size_t whole = n / WIDTH * WIDTH;
    decays_of_panel(n / WIDTH, x, s, hi, lo, total);
    if (whole < n) {
        float last[WIDTH];
        for (size_t k = 0; k < WIDTH; k++)
            last[k] = whole + k < n ? x[whole + k] : -INFINITY;
        decays_of_panel(1, last, s, hi + whole, lo + whole, total);
    }
}

/* total[c] += 2^64 sum e^(x - m): of the hi's, of which the largest is 2^64 itself, and of the lo's. */
static void sum_from_largest(size_t count, const float *x, const slices_single *s, double *total)
{
    float low[WIDTH] = {0};
    double high[WIDTH] = {0}; /* not in total, but in registers */
    for (size_t j = 0; j < count; j++)
#pragma omp simd
        for (size_t c = 0; c < WIDTH; c++) {
            const float least = s->least[c], most = s->largest[c];
            const float at = x[j * WIDTH + c] < least ? least : x[j * WIDTH + c];
            const float from_most = at - most, back = from_most - at; /* Knuth's two-sum of at and -most */
            const float lost = (at - (from_most - back)) - (most + back);
            const rl_growth_single e = rl_growth_of_single(from_most, lost, OFFSET);
            high[c] += (double)(e.power * e.m);
            low[c] = rl_madd_single(e.power, e.low, low[c]);
        }
#pragma omp simd
    for (size_t c = 0; c < WIDTH; c++)
        total[c] += high[c] + (double)low[c];
}

/* sum e^(x - m) - 1. Of less than LEAST_REST too much is lost beside the 1: it is left to the kernels in double, too. */
#define LEAST_REST 0x1p-24
RL_INLINE double rest_of(double sum)
{
    return (sum - (double)UP) * (double)DOWN;
}

static double rest_of_row(size_t n, const float *x, const slices_single *s)
{
    double total[WIDTH] = {0};
    sum_from_largest(n / WIDTH, x, s, total);
    if (n % WIDTH != 0) {
        float last[WIDTH];
        for (size_t k = 0; k < WIDTH; k++)
            last[k] = k < n % WIDTH ? x[n / WIDTH * WIDTH + k] : -INFINITY;
        sum_from_largest(1, last, s, total);
    }
    return rest_of(fold_columns(total));
}

/* ---- What becomes of the elements ---- */

/* A number as hi + lo, for each column, or, all alike, for a row. */
typedef struct pairs_single {
    float hi[WIDTH], lo[WIDTH];
} pairs_single;

/* a + b, a a float; all of b counts where a is taken away from what is as large. */
RL_INLINE void set_pair(pairs_single *p, size_t c, double a, double b)
{
    p->hi[c] = (float)(a + b);
    p->lo[c] = (float)((a - (double)p->hi[c]) + b);
}

RL_INLINE float scaled_decay(float hi, float lo, float share, float share_low)
{
    return rl_madd_single(hi, share, rl_madd_single(lo, share, hi * share_low)) * DOWN;
}

/* x - (hi + lo), rounded once. An infinite x loses nothing. */
RL_INLINE float less_pair(float x, float hi, float lo)
{
    const float y = x - hi, back = y - x, lost = (x - (y - back)) - (hi + back);
    return y + (__builtin_fabsf(y) < __builtin_inff() ? lost - lo : 0);
}

RL_INLINE float times_less_pair(float y, float g, float hi, float lo)
{
    const float d = g - hi, back = d - g, lost = (g - (d - back)) - (hi + back);
    return rl_madd_single(y, d, y * (lost - lo));
}

/* A share of 2^-40 or more is given as 2^-64 of it, and scale is 1; else 2^-64: what is subnormal then comes to nothing. */
RL_INLINE float less_share(float g, float hi, float lo, float scale, float share, float share_low)
{
    const float first = hi * scale, second = lo * scale;
    return rl_madd_single(-first, share, g) - rl_madd_single(second, share, first * share_low);
}

/* body, for i from 0 to n - 1 and c = i % WIDTH */
#define FOR_ALL(n, body)                                                                                                       \
    do {                                                                                                                       \
        const size_t whole_ = (n) / WIDTH * WIDTH;                                                                             \
        for (size_t begin_ = 0; begin_ < whole_; begin_ += WIDTH)                                                              \
            _Pragma("omp simd") for (size_t c = 0; c < WIDTH; c++)                                                             \
            {                                                                                                                  \
                const size_t i = begin_ + c;                                                                                   \
                body;                                                                                                          \
            }                                                                                                                  \
        for (size_t i = whole_, c = 0; i < (n); i++, c++)                                                                      \
            body;                                                                                                              \
    } while (0)

static void scale_decays(size_t n, const float *hi, const float *lo, const pairs_single *share, float *y)
{
    FOR_ALL(n, y[i] = scaled_decay(hi[i], lo[i], share->hi[c], share->lo[c]));
}

static void subtract(size_t n, const float *x, const pairs_single *shift, float *y)
{
    FOR_ALL(n, y[i] = less_pair(x[i], shift->hi[c], shift->lo[c]));
}

static void softmax_products(size_t n, const float *y, const float *g, const pairs_single *mean, float *dx)
{
    FOR_ALL(n, dx[i] = times_less_pair(y[i], g[i], mean->hi[c], mean->lo[c]));
}

static void subtract_shares(size_t n, const float *g, const float *hi, const float *lo, const float *scale,
                            const pairs_single *share, float *dx)
{
    FOR_ALL(n, dx[i] = less_share(g[i], hi[i], lo[i], scale[c], share->hi[c], share->lo[c]));
}

/* total[c] += sum of a b over the column */
static void dot_of_panel(size_t count, const float *a, const float *b, double *total)
{
    double sum[WIDTH] = {0};
    for (size_t j = 0; j < count; j++)
#pragma omp simd
        for (size_t c = 0; c < WIDTH; c++)
            sum[c] += (double)a[j * WIDTH + c] * (double)b[j * WIDTH + c];
    for (size_t c = 0; c < WIDTH; c++)
        total[c] += sum[c];
}

static void sum_of_panel(size_t count, const float *a, double *total)
{
    double sum[WIDTH] = {0};
    for (size_t j = 0; j < count; j++)
#pragma omp simd
        for (size_t c = 0; c < WIDTH; c++)
            sum[c] += (double)a[j * WIDTH + c];
    for (size_t c = 0; c < WIDTH; c++)
        total[c] += sum[c];
}

static double dot_of_row(size_t n, const float *a, const float *b)
{
    double total[WIDTH] = {0};
    const size_t whole = n / WIDTH * WIDTH;
    dot_of_panel(n / WIDTH, a, b, total);
    for (size_t i = whole; i < n; i++)
        total[i - whole] += (double)a[i] * (double)b[i];
    return fold_columns(total);
}

static double sum_of_row(size_t n, const float *a)
{
    double total[WIDTH] = {0};
    const size_t whole = n / WIDTH * WIDTH;
    sum_of_panel(n / WIDTH, a, total);
    for (size_t i = whole; i < n; i++)
        total[i - whole] += (double)a[i];
    return fold_columns(total);
}

RL_INLINE bool is_moderate(double sum)
{
    return rl_magnitude(sum) <= 0x1p100;
}

#endif

#endif
