#include "accuracy/sweep.h"

#include "accuracy/numbers.h"
#include "reference/ulp.h"

enum { BLOCK = 1 << 14 };

typedef struct sweep {
    const activation_row *row;
    int order, best;
    uint64_t stride;
    const bool *wanted;
} sweep;

typedef struct block {
    float x[BLOCK], y[BLOCK];
    double wide[BLOCK], exact[BLOCK];
    sweep_error worst[RL_ISA_COUNT];
} block;

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
        uint32_t bits;
        memcpy(&bits, &b->x[i], sizeof bits);
        *worst = (sweep_error){ulp, bits, y[i], b->exact[i], worst->samples};
    }
}

static void sweep_block(const sweep *s, block *b, uint64_t first, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        b->x[i] = float_of_bits((uint32_t)(first + i * s->stride));
        b->wide[i] = (double)b->x[i];
    }
    compute_with(s->best, s->row, s->order, RILLE_FLOAT64, count, NULL, b->wide, b->exact);
    for (size_t i = 0; i < count; i++) /* whatever that kernel makes of NaN */
        b->exact[i] = isnan(b->x[i]) ? (double)NAN : b->exact[i];
    for (int isa = 0; isa < RL_ISA_COUNT; isa++) {
        if (!s->wanted[isa] || rl_isa_name(isa) == NULL)
            continue;
        compute_with(isa, s->row, s->order, RILLE_FLOAT32, count, NULL, b->x, b->y);
        compare_block(b, count, b->y, &b->worst[isa]);
    }
}

static void merge(sweep_error *into, const sweep_error *from)
{
    uint64_t samples = into->samples + from->samples;
    if (from->ulp > into->ulp || (from->ulp == into->ulp && from->bits < into->bits) || into->samples == 0)
        *into = *from;
    into->samples = samples;
}

void sweep_floats(const activation_row *row, int order, uint64_t first, uint64_t end, uint64_t stride,
                  const bool wanted[RL_ISA_COUNT], sweep_error worst[RL_ISA_COUNT])
{
    const sweep s = {.row = row, .order = order, .best = best_isa(), .stride = stride, .wanted = wanted};
#pragma omp parallel
    {
        block *b = take(1, sizeof *b);
#pragma omp for schedule(dynamic)
        for (uint64_t begin = first; begin < end; begin += BLOCK * stride) {
            uint64_t left = (end - begin - 1) / stride + 1;
            sweep_block(&s, b, begin, left < BLOCK ? (size_t)left : BLOCK);
        }
#pragma omp critical
        for (int isa = 0; isa < RL_ISA_COUNT; isa++)
            if (b->worst[isa].samples > 0)
                merge(&worst[isa], &b->worst[isa]);
        free(b);
    }
}
