#include "accuracy/sweep.h"

#include "accuracy/numbers.h"
#include "reference/ulp.h"

enum { BLOCK = 1 << 14 };

typedef struct block {
    float x[BLOCK], y[BLOCK];
    union {
        struct {
            double wide[BLOCK], exact[BLOCK];
        };
        struct {
            float gradient[BLOCK], expected[BLOCK];
        };
    };
    sweep_error worst[RL_ISA_COUNT];
    sweep_difference difference[RL_ISA_COUNT];
} block;

typedef struct sweep {
    const activation_row *row;
    int quantity, best;
    uint64_t first, end, stride;
    const bool *wanted;
    void (*look_at)(const struct sweep *s, block *b, size_t count);
} sweep;

static bool is_swept(const sweep *s, int isa)
{
    return s->wanted[isa] && rl_isa_name(isa) != NULL;
}

static uint64_t bits_of(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static double double_of(uint64_t bits)
{
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

/* ulp_error_double(&ulp_float32, y, exact) where that is finite, without a branch, so that loops over it become vector code;
 * infinite where it may be more than that (y is infinite and exact is not, for one). The smaller of two magnitudes has the
 * finer ULP: 2^-23 of its power of two, and at least 2^-149. */
static inline double quick_error(float y, double exact)
{
    const double got = (double)y, magnitude = fabs(exact), smallest_normal = 0x1p-126, overflow = 0x1.ffffffp127;
    const uint64_t exponent_mask = 0x7ff0000000000000u, exponent_step = 0x0010000000000000u;
    double finer = fabs(got) < magnitude ? fabs(got) : magnitude;
    finer = finer > smallest_normal ? finer : smallest_normal;
    double per_ulp = double_of((2 * 1023 + 23) * exponent_step - (bits_of(finer) & exponent_mask));
    double rounded = magnitude >= overflow ? copysign(INFINITY, exact) : exact;
    double error = fabs(got - rounded) * per_ulp;
    int right = (got == rounded) | ((got != got) & (exact != exact));
    return right ? 0.0 : error == error ? error : (double)INFINITY;
}

static double worst_of(size_t count, const float *y, const double *exact)
{
    double worst = 0.0;
#pragma omp simd reduction(max : worst)
    for (size_t i = 0; i < count; i++) {
        double error = quick_error(y[i], exact[i]);
        worst = error > worst ? error : worst;
    }
    return worst;
}

/* The quick errors say whether there is anything new; what is noted is computed as everywhere else. */
static void compare_block(const block *b, size_t count, const float *y, sweep_error *worst)
{
    worst->samples += count;
    if (worst_of(count, y, b->exact) <= worst->ulp)
        return;
    for (size_t i = 0; i < count; i++) {
        double ulp = ulp_error_double(&ulp_float32, (double)y[i], isnan(b->x[i]) ? (double)NAN : b->exact[i]);
        if (ulp <= worst->ulp)
            continue;
        *worst = (sweep_error){ulp, bits_of_float(b->x[i]), y[i], b->exact[i], worst->samples};
    }
}

static void look_for_errors(const sweep *s, block *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        b->wide[i] = (double)b->x[i];
    compute_with(s->best, s->row, s->quantity, RILLE_FLOAT64, count, NULL, b->wide, b->exact);
    for (size_t i = 0; i < count; i++) /* whatever that kernel makes of NaN */
        b->exact[i] = isnan(b->x[i]) ? (double)NAN : b->exact[i];
    for (int isa = 0; isa < RL_ISA_COUNT; isa++) {
        if (!is_swept(s, isa))
            continue;
        compute_with(isa, s->row, s->quantity, RILLE_FLOAT32, count, NULL, b->x, b->y);
        compare_block(b, count, b->y, &b->worst[isa]);
    }
}

/* ---- Against one another ---- */

static inline bool differ(float a, float b)
{
    return (bits_of_float(a) != bits_of_float(b)) & !((a != a) & (b != b));
}

static void note_differences(const block *b, size_t count, sweep_difference *found)
{
    size_t differing = 0, first = 0;
#pragma omp simd reduction(+ : differing)
    for (size_t i = 0; i < count; i++)
        differing += differ(b->expected[i], b->y[i]);
    found->samples += count;
    if (differing == 0)
        return;
    while (!differ(b->expected[first], b->y[first]))
        first++;
    if (found->count == 0 || bits_of_float(b->x[first]) < found->bits) {
        found->bits = bits_of_float(b->x[first]);
        found->expected = b->expected[first];
        found->got = b->y[first];
    }
    found->count += differing;
}

static void look_for_differences(const sweep *s, block *b, size_t count)
{
    int expected = -1;                                              /* whose values b->expected holds */
    for (size_t i = 0; i < count && s->quantity >= PRODUCTS; i++) { /* random bits, but x's own in every run */
        uint64_t state = bits_of_float(b->x[i]);
        b->gradient[i] = float_of_bits((uint32_t)random_bits(&state));
    }
    for (int isa = 0; isa < RL_ISA_COUNT; isa++) {
        if (!is_swept(s, isa) || isa_alike(isa) == isa)
            continue;
        if (expected != isa_alike(isa)) {
            expected = isa_alike(isa);
            compute_with(expected, s->row, s->quantity, RILLE_FLOAT32, count, b->gradient, b->x, b->expected);
        }
        compute_with(isa, s->row, s->quantity, RILLE_FLOAT32, count, b->gradient, b->x, b->y);
        note_differences(b, count, &b->difference[isa]);
    }
}

/* ---- All floats, in blocks ---- */

static void sweep_block(const sweep *s, block *b, uint64_t first, size_t count)
{
    for (size_t i = 0; i < count; i++)
        b->x[i] = float_of_bits((uint32_t)(first + i * s->stride));
    s->look_at(s, b, count);
}

static void merge_error(sweep_error *into, const sweep_error *from)
{
    uint64_t samples = into->samples + from->samples;
    if (from->ulp > into->ulp || (from->ulp == into->ulp && from->bits < into->bits) || into->samples == 0)
        *into = *from;
    into->samples = samples;
}

static void merge_difference(sweep_difference *into, const sweep_difference *from)
{
    uint64_t samples = into->samples + from->samples, count = into->count + from->count;
    if (from->count > 0 && (into->count == 0 || from->bits < into->bits))
        *into = *from;
    into->samples = samples;
    into->count = count;
}

/* Adds to `worst` or to `found`, whichever is looked for: the other is NULL. */
static void sweep_all(const sweep *s, sweep_error *worst, sweep_difference *found)
{
#pragma omp parallel
    {
        block *b = take(1, sizeof *b);
#pragma omp for schedule(dynamic)
        for (uint64_t begin = s->first; begin < s->end; begin += BLOCK * s->stride) {
            uint64_t left = (s->end - begin - 1) / s->stride + 1;
            sweep_block(s, b, begin, left < BLOCK ? (size_t)left : BLOCK);
        }
#pragma omp critical
        for (int isa = 0; isa < RL_ISA_COUNT; isa++) {
            if (worst != NULL && b->worst[isa].samples > 0)
                merge_error(&worst[isa], &b->worst[isa]);
            if (found != NULL)
                merge_difference(&found[isa], &b->difference[isa]);
        }
        free(b);
    }
}

void sweep_floats(const activation_row *row, int order, uint64_t first, uint64_t end, uint64_t stride,
                  const bool wanted[RL_ISA_COUNT], sweep_error worst[RL_ISA_COUNT])
{
    const sweep s = {row, order, best_isa(), first, end, stride, wanted, look_for_errors};
    sweep_all(&s, worst, NULL);
}

void sweep_differences(const activation_row *row, int quantity, uint64_t first, uint64_t end, uint64_t stride,
                       const bool wanted[RL_ISA_COUNT], sweep_difference found[RL_ISA_COUNT])
{
    const sweep s = {row, quantity, best_isa(), first, end, stride, wanted, look_for_differences};
    sweep_all(&s, NULL, found);
}
