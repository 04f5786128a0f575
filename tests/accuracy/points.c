#include "accuracy/points.h"

#include "accuracy/numbers.h"

#include <float.h>
#include <stdio.h>

static void add_point(points *p, double x)
{
    if (p->count == p->room) {
        p->room = 2 * p->room + 1024;
        double *more = take(p->room, sizeof *more);
        if (p->count > 0)
            memcpy(more, p->x, p->count * sizeof *more);
        free(p->x);
        p->x = more;
    }
    p->x[p->count++] = p->dtype == RILLE_FLOAT32 ? (double)(float)x : x;
}

/* The number so many ranks from the one at centre, if there is one. */
static void add_near(points *p, int64_t centre, int64_t distance)
{
    int64_t last = last_rank(p->dtype), rank;
    if (!__builtin_add_overflow(centre, distance, &rank) && rank >= -last && rank <= last)
        add_point(p, number_at(p->dtype, rank));
}

void add_neighbourhood(points *p, double x, int width)
{
    const int64_t centre = rank_of(p->dtype, x), octave = rank_of(p->dtype, 2.0) - rank_of(p->dtype, 1.0);
    uint64_t state = (uint64_t)centre;
    for (int64_t distance = -width; distance <= width; distance++)
        add_near(p, centre, distance);
    for (int64_t near = width + 1; near < octave; near *= 2)
        for (int i = 0; i < width / 16; i++) {
            int64_t distance = near + (int64_t)(random_bits(&state) % (uint64_t)near);
            add_near(p, centre, i % 2 == 0 ? distance : -distance);
        }
}

/* What kind of number y is: its sign, and 0, subnormal, normal, infinite, NaN, or the same as `limit`. */
static int kind_of(rille_dtype dtype, double y, double limit)
{
    int kind = dtype == RILLE_FLOAT32 ? fpclassify((float)y) : fpclassify(y);
    return 4 * kind + 2 * (y == limit) + (signbit(y) != 0);
}

/* The edges of one derivative on one side of 0, found by bisection between numbers evenly spread over all of them. */
static void add_edges(points *p, int isa, const activation_row *row, int order, int side, int width)
{
    enum { STEPS = 4096, MOST_EDGES = 32 };
    const int64_t step = last_rank(p->dtype) / STEPS;
    double limit = value_with(isa, row, p->dtype, order, copysign(INFINITY, side));
    int edges = 0, before = kind_of(p->dtype, value_with(isa, row, p->dtype, order, 0.0), limit);
    for (int64_t i = 1; i <= STEPS && edges < MOST_EDGES; i++) {
        int64_t near = (i - 1) * step, far = i * step;
        int after = kind_of(p->dtype, value_with(isa, row, p->dtype, order, number_at(p->dtype, side * far)), limit);
        if (after == before)
            continue;
        while (far - near > 1) {
            int64_t middle = near + (far - near) / 2;
            int kind = kind_of(p->dtype, value_with(isa, row, p->dtype, order, number_at(p->dtype, side * middle)), limit);
            *(kind == before ? &near : &far) = middle;
        }
        add_neighbourhood(p, number_at(p->dtype, side * far), width);
        before = after;
        edges++;
    }
}

void add_special(points *p, const activation_row *row, int width)
{
    const double special[] = {0.0,     1.0,      -1.0,    0.5,      -0.5,    FLT_MIN, -FLT_MIN,
                              FLT_MAX, -FLT_MAX, DBL_MIN, -DBL_MIN, DBL_MAX, -DBL_MAX};
    const double isolated[] = {-0.0, INFINITY, -INFINITY, NAN, -NAN};
    rille_activation_properties properties;
    rille_context *cx = rille_open(NULL);
    if (rille_activation_evaluate(cx, row->act, row->params, &properties) != RILLE_OK) {
        fprintf(stderr, "%s\n", rille_error(cx));
        abort();
    }
    rille_close(cx);
    for (size_t i = 0; i < sizeof isolated / sizeof *isolated; i++)
        add_point(p, isolated[i]);
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        add_neighbourhood(p, p->dtype == RILLE_FLOAT32 ? fmax(fmin(special[i], FLT_MAX), -FLT_MAX) : special[i], width);
    for (int i = 0; i < properties.kink_count; i++)
        add_neighbourhood(p, properties.kink[i], width);
    for (int i = 0; i < row->info->parameter_count; i++)
        add_neighbourhood(p, row->params[i], width);
    for (int isa = 0; isa < RL_ISA_COUNT; isa++)
        for (int i = 0; rl_isa_name(isa) != NULL && i < 2 * ORDERS; i++)
            add_edges(p, isa, row, i / 2, i % 2 == 0 ? -1 : 1, width);
}

void add_strided(points *p, uint32_t stride)
{
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += stride)
        add_point(p, (double)float_of_bits((uint32_t)bits));
}

void add_random(points *p, size_t count, uint64_t seed)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = random_bits(&seed);
        double any, sign = bits & 1 ? 1.0 : -1.0;
        memcpy(&any, &bits, sizeof any);
        add_point(p, any);
        add_point(p, random_uniform(&seed, -10.0, 10.0));
        add_point(p, random_uniform(&seed, -750.0, 750.0));
        if (i % 4 == 0) {
            add_point(p, sign * pow(10.0, random_uniform(&seed, -20.0, 0.0)));
            add_point(p, sign * number_at(RILLE_FLOAT64, (int64_t)(bits >> 12) >> bits % 52));
        }
    }
}

/* By bits: zeros of both signs stay, and NaN has its place. */
static uint64_t bits_of(const double *x)
{
    uint64_t bits;
    memcpy(&bits, x, sizeof bits);
    return bits;
}

static int by_bits(const void *a, const void *b)
{
    uint64_t left = bits_of(a), right = bits_of(b);
    return (left > right) - (left < right);
}

void sort_points(points *p)
{
    size_t kept = 0;
    if (p->count == 0)
        return;
    qsort(p->x, p->count, sizeof *p->x, by_bits);
    for (size_t i = 0; i < p->count; i++)
        if (i == 0 || bits_of(&p->x[i]) != bits_of(&p->x[kept - 1]))
            p->x[kept++] = p->x[i];
    p->count = kept;
}
