/* Where an activation is flat: the intervals of x in which |f'(x)| < threshold.
 *
 * f' is looked at in float64 at 64 points an octave, from the smallest float to the largest, and on both sides of every kink.
 * Where two neighbours disagree, an end of an interval lies between them and is halved down to neighbouring doubles. Where they
 * agree, |f'| may still dip below the threshold (or rise above it) between them: it does so around a zero or an extremum, of
 * which f' or f" tells by its sign. */
#include "ops/ops.h"

#include "base/memory.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    AN_OCTAVE = 64,
    FIRST_OCTAVE = -149,
    OCTAVES = 128 + 149,
    MOST_POINTS = 2 * AN_OCTAVE * OCTAVES + 1 + 3 * RILLE_MAX_KINKS
};

typedef struct search {
    rille_context *cx;
    rille_activation act;
    const double *params;
    double threshold;
    rille_intervals *found;
    bool inside;         /* an interval is open */
    rille_status status; /* of the first look that failed */
} search;

static double slope(search *s, int order, double x)
{
    double y = NAN;
    if (s->status == RILLE_OK)
        s->status = rille_map(s->cx, s->act, s->params, order, RILLE_FLOAT64, 1, &x, &y);
    return y;
}

static bool is_flat(search *s, double x)
{
    return fabs(slope(s, 1, x)) < s->threshold;
}

/* Doubles in their order, as integers. */
static int64_t rank_of(double x)
{
    int64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits < 0 ? INT64_MIN - bits : bits;
}

static double of_rank(int64_t rank)
{
    int64_t bits = rank < 0 ? INT64_MIN - rank : rank;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

typedef bool predicate(search *s, double x);

/* low and high, at which `holds` differs, moved together until they are neighbours. */
static void halve(search *s, predicate *holds, double *low, double *high)
{
    int64_t a = rank_of(*low), b = rank_of(*high);
    const bool at_low = holds(s, *low);
    while (b - a > 1) {
        const int64_t middle = a + (int64_t)(((uint64_t)b - (uint64_t)a) / 2);
        if (holds(s, of_rank(middle)) == at_low)
            a = middle;
        else
            b = middle;
    }
    *low = of_rank(a);
    *high = of_rank(b);
}

static bool rises(search *s, double x)
{
    return slope(s, 1, x) > 0;
}

static bool is_convex(search *s, double x)
{
    return slope(s, 2, x) > 0;
}

static void begin_interval(search *s, double x)
{
    rille_intervals *f = s->found;
    s->inside = true;
    if (f->count == RILLE_MAX_INTERVALS)
        f->count = -1;
    if (f->count >= 0)
        f->low[f->count] = x;
}

static void end_interval(search *s, double x)
{
    rille_intervals *f = s->found;
    s->inside = false;
    if (f->count >= 0)
        f->high[f->count++] = x;
}

/* Between neighbouring points of which one is flat and the other is not. */
static void cross(search *s, double low, double high)
{
    halve(s, is_flat, &low, &high);
    if (s->inside)
        end_interval(s, low);
    else
        begin_interval(s, high);
}

/* Between two that agree: where |f'| turns, if it does, and if it is another there. */
static void look_between(search *s, double low, double high, const double *d, const double *dd)
{
    double a = low, b = high;
    if (d[0] * d[1] < 0)
        halve(s, rises, &a, &b);
    else if (dd[0] * dd[1] < 0)
        halve(s, is_convex, &a, &b);
    else
        return;
    for (int i = 0; i < 2; i++) {
        const double turn = i == 0 ? a : b;
        if (is_flat(s, turn) != s->inside) {
            cross(s, low, turn);
            cross(s, turn, high);
            return;
        }
    }
}

static int by_size(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static size_t put_points(const rille_activation_properties *properties, double *x)
{
    size_t n = 0;
    for (int i = 0; i < AN_OCTAVE * OCTAVES; i++) {
        const double size = ldexp(1 + (double)(i % AN_OCTAVE) / AN_OCTAVE, FIRST_OCTAVE + i / AN_OCTAVE);
        x[n++] = size;
        x[n++] = -size;
    }
    x[n++] = 0;
    for (int i = 0; i < properties->kink_count; i++) {
        x[n++] = properties->kink[i];
        x[n++] = nextafter(properties->kink[i], INFINITY);
        x[n++] = nextafter(properties->kink[i], -INFINITY);
    }
    qsort(x, n, sizeof *x, by_size);
    return n;
}

static rille_status scan(search *s, double *x, double *d, double *dd)
{
    rille_activation_properties properties;
    rille_status status = rille_activation_evaluate(s->cx, s->act, s->params, &properties);
    const size_t n = status == RILLE_OK ? put_points(&properties, x) : 0;
    for (int order = 1; status == RILLE_OK && order <= 2; order++)
        status = rille_map(s->cx, s->act, s->params, order, RILLE_FLOAT64, n, x, order == 1 ? d : dd);
    if (status != RILLE_OK)
        return status;
    if (fabs(d[0]) < s->threshold)
        begin_interval(s, -INFINITY);
    for (size_t i = 1; i < n && s->status == RILLE_OK && s->found->count >= 0; i++)
        if ((fabs(d[i]) < s->threshold) != s->inside)
            cross(s, x[i - 1], x[i]);
        else
            look_between(s, x[i - 1], x[i], d + i - 1, dd + i - 1);
    if (s->inside)
        end_interval(s, INFINITY);
    return s->status;
}

rille_status rille_flat_intervals(rille_context *cx, rille_activation act, const double *params, double threshold,
                                  rille_intervals *flat)
{
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    if (flat == NULL)
        return rl_fail(cx, RILLE_ERROR_NULL, "flat_intervals: the intervals are NULL");
    *flat = (rille_intervals){.count = 0};
    search s = {.cx = cx, .act = act, .params = params, .threshold = threshold, .found = flat};
    double *x = rl_allocate(cx, 3 * MOST_POINTS * sizeof *x);
    if (x == NULL)
        return RILLE_ERROR_MEMORY;
    rille_status status = scan(&s, x, x + MOST_POINTS, x + 2 * MOST_POINTS);
    rl_release(cx, x, 3 * MOST_POINTS * sizeof *x);
    return status;
}
