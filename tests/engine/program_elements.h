/* Steps of random programs that go element by element: arithmetic, comparisons, functions, activations. */
#ifndef RILLE_TESTS_PROGRAM_ELEMENTS_H
#define RILLE_TESTS_PROGRAM_ELEMENTS_H

#include "engine/programs.h"

static inline long double combine(int op, rille_dtype dtype, long double a, long double b)
{
    switch (op) {
    case 3: return a == b;
    case 4: return a != b;
    case 5: return a < b;
    case 6: return a <= b;
    case 7: return a > b;
    case 8: return a >= b;
    default: break;
    }
    if (dtype == RILLE_INT64) {
        uint64_t x = (uint64_t)(int64_t)a, y = (uint64_t)(int64_t)b;
        return (long double)(int64_t)(op == 0 ? x + y : op == 1 ? x - y : x * y);
    }
    /* through double, the sum or product of two floats rounds as it would at once */
    double x = (double)a, y = (double)b, z = op == 0 ? x + y : op == 1 ? x - y : x * y;
    return dtype == RILLE_FLOAT32 ? (float)z : z;
}

static inline void step_binary(program *p)
{
    static rille_tensor *(*const call[])(rille_tensor *, rille_tensor *) = {
        rille_add,  rille_sub,        rille_mul,     rille_equal,        rille_not_equal,
        rille_less, rille_less_equal, rille_greater, rille_greater_equal};
    static const char *const name[] = {"add",  "sub",        "mul",     "equal",        "not_equal",
                                       "less", "less_equal", "greater", "greater_equal"};
    pair r = random_pair(p);
    if (r.fits && count_of(r.rank, r.shape) > MOST_ELEMENTS)
        return;
    int op = (int)random_below(&p->rng, 9);
    const plain *x = &p->expected[r.a], *y = &p->expected[r.b];
    rille_dtype dtype = higher(RILLE_INT64, higher(x->dtype, y->dtype));
    plain v = fresh(p, op > 2 ? RILLE_BOOL : dtype, r.fits ? r.rank : 0, r.shape);
    int64_t index[RILLE_MAX_RANK];
    for (int64_t i = 0; r.fits && i < v.numel; i++) {
        position(&v, i, index);
        long double a = get(x, element_number(x, r.rank, index)), b = get(y, element_number(y, r.rank, index));
        v.store[i] = combine(op, dtype, as_dtype(dtype, a), as_dtype(dtype, b));
    }
    p->step = name[op];
    add_value(p, call[op](p->tensor[r.a], p->tensor[r.b]), !r.fits, v);
}

static inline void step_unary(program *p) /* neg, abs, and exp and sqrt, which are to have the C library's bits */
{
    static rille_tensor *(*const call[])(rille_tensor *) = {rille_neg, rille_abs, rille_exp, rille_sqrt};
    static const char *const name[] = {"neg", "abs", "exp", "sqrt"};
    int from = any(p), op = (int)random_below(&p->rng, 4);
    const plain *x = &p->expected[from];
    rille_dtype dtype = higher(op >= 2 ? RILLE_FLOAT32 : RILLE_INT64, x->dtype);
    plain v = fresh(p, dtype, x->rank, x->shape);
    for (int64_t i = 0; i < v.numel; i++) {
        long double a = get(x, i);
        double b = (double)as_dtype(dtype, a);
        if (op >= 2)
            v.store[i] = as_dtype(dtype, op == 2 ? exp(b) : sqrt(b));
        else if (dtype == RILLE_INT64)
            v.store[i] = (long double)(int64_t)(op == 1 && a >= 0 ? (uint64_t)(int64_t)a : 0 - (uint64_t)(int64_t)a);
        else
            v.store[i] = op == 0 ? -a : fabsl(a);
    }
    p->step = name[op];
    add_value(p, call[op](p->tensor[from]), false, v);
}

typedef struct elementary {
    const char *name;
    rille_tensor *(*call)(rille_tensor *);
    long double (*value)(long double);
} elementary;

static inline void step_function(program *p)
{
    static const elementary functions[] = {
        {"expm1", rille_expm1, expm1l}, {"log", rille_log, logl},       {"log1p", rille_log1p, log1pl},
        {"log2", rille_log2, log2l},    {"log10", rille_log10, log10l}, {"cos", rille_cos, cosl},
        {"tan", rille_tan, tanl},       {"asin", rille_asin, asinl},    {"acos", rille_acos, acosl},
        {"sinh", rille_sinh, sinhl},    {"cosh", rille_cosh, coshl}};
    int from = any(p);
    const elementary *f = &functions[random_below(&p->rng, sizeof functions / sizeof functions[0])];
    const plain *x = &p->expected[from];
    plain v = fresh(p, higher(RILLE_FLOAT32, x->dtype), x->rank, x->shape);
    for (int64_t i = 0; i < v.numel; i++)
        v.store[i] = f->value(as_dtype(v.dtype, get(x, i)));
    p->step = f->name;
    add_close(p, f->call(p->tensor[from]), v, 0);
}

static inline void step_convert(program *p)
{
    int from = any(p);
    const plain *x = &p->expected[from];
    plain v = fresh(p, every_dtype[random_below(&p->rng, DTYPES)], x->rank, x->shape);
    for (int64_t i = 0; i < v.numel; i++)
        v.store[i] = converted(v.dtype, get(x, i));
    p->step = "to";
    add_value(p, rille_to(p->tensor[from], v.dtype), false, v);
}

static inline long double rounded_to_even(long double a)
{
    long double below = floorl(a), rest = a - below;
    return rest < 0.5L || (rest == 0.5L && fmodl(below, 2) == 0) ? below : below + 1;
}

static inline void step_rounding(program *p) /* floor, ceil, round, trunc, sign */
{
    static rille_tensor *(*const call[])(rille_tensor *) = {rille_floor, rille_ceil, rille_round, rille_trunc, rille_sign};
    static const char *const name[] = {"floor", "ceil", "round", "trunc", "sign"};
    int from = any(p), which = (int)random_below(&p->rng, 5);
    const plain *x = &p->expected[from];
    plain v = fresh(p, higher(RILLE_INT64, x->dtype), x->rank, x->shape);
    for (int64_t i = 0; i < v.numel; i++) {
        long double a = get(x, i), y = which == 0   ? floorl(a)
                                       : which == 1 ? ceill(a)
                                       : which == 2 ? rounded_to_even(a)
                                       : which == 3 ? truncl(a)
                                                    : (a > 0) - (a < 0);
        v.store[i] = a != a || a == 0 ? a : isinf(a) && which < 4 ? a : y;
    }
    p->step = name[which];
    add_close(p, call[which](p->tensor[from]), v, 0);
}

static inline void step_activation(program *p) /* those whose results are exact, or rounded once */
{
    static const rille_activation acts[] = {RILLE_RELU, RILLE_TANH, RILLE_SIGMOID, RILLE_SOFTPLUS, RILLE_HARD_TANH};
    int from = any(p), which = (int)random_below(&p->rng, 5), order = (int)random_below(&p->rng, 2);
    const plain *x = &p->expected[from];
    plain v = fresh(p, higher(RILLE_FLOAT32, x->dtype), x->rank, x->shape);
    if (!(largest(x) <= 40))
        return;
    for (int64_t i = 0; i < v.numel; i++) {
        long double a = as_dtype(v.dtype, get(x, i)), s = 1 / (1 + expl(-a)), c = coshl(a);
        const long double y[][2] = {{a > 0 ? a : 0, a > 0},
                                    {tanhl(a), 1 / (c * c)},
                                    {s, s / (1 + expl(a))},
                                    {log1pl(expl(a)), s},
                                    {a < -1  ? -1
                                     : a > 1 ? 1
                                             : a,
                                     a > -1 && a < 1}};
        v.store[i] = y[which][order];
    }
    p->step = rille_activation_describe(acts[which])->name;
    add_close(p, rille_derivative(p->tensor[from], acts[which], order, NULL), v, 0);
}

static inline void step_learned(program *p) /* prelu, with a slope for all or for each channel */
{
    int from = any(p);
    const plain *x = &p->expected[from];
    if (!is_floating(x->dtype) || !(largest(x) <= 1e4L))
        return;
    int64_t channels = x->rank == 0 || random_below(&p->rng, 2) == 0 ? 1 : x->shape[x->rank > 1];
    int64_t inner = x->rank < 2 ? 1 : count_of(x->rank - 2, x->shape + 2);
    plain v = fresh(p, x->dtype, x->rank, x->shape), slope;
    rille_tensor *slopes = random_weights(p, x->dtype, 1, &channels, &slope);
    for (int64_t i = 0; i < v.numel; i++)
        v.store[i] = get(x, i) > 0 ? get(x, i) : get(x, i) * slope.store[i / inner % channels];
    p->step = "prelu";
    add_close(p, rille_activate_with(p->tensor[from], RILLE_PRELU, NULL, &slopes), v, 0);
    rille_free(slopes);
}

static inline void step_halves(program *p) /* crelu, and maxout of neighbours */
{
    int from = any(p);
    const plain *x = &p->expected[from];
    bool maxout = random_below(&p->rng, 2) == 0;
    if (x->rank == 0 || 2 * x->numel > MOST_ELEMENTS)
        return;
    int dim = (int)random_below(&p->rng, x->rank);
    int64_t shape[RILLE_MAX_RANK], n = x->shape[dim];
    bool fails = maxout && n % 2 != 0;
    memcpy(shape, x->shape, sizeof shape);
    shape[dim] = maxout ? n / 2 : 2 * n;
    plain v = fresh(p, maxout ? x->dtype : higher(RILLE_FLOAT32, x->dtype), x->rank, shape);
    for (int64_t line = 0; line < lines_of(x, dim) && !fails; line++)
        for (int64_t k = 0; k < shape[dim]; k++) {
            long double a = get(x, along(x, dim, line, maxout ? 2 * k : k % n));
            long double b = maxout ? get(x, along(x, dim, line, 2 * k + 1)) : 0;
            a = as_dtype(v.dtype, !maxout && k >= n ? -a : a);
            v.store[along(&v, dim, line, k)] = a != a || a > b ? a : b;
        }
    p->step = maxout ? "maxout" : "crelu";
    rille_tensor *t = p->tensor[from];
    t = maxout ? rille_maxout(t, 2, dim) : rille_crelu(t, dim);
    if (fails)
        add_value(p, t, true, v);
    else
        add_close(p, t, v, 0);
}

static inline long double gate_value(rille_gate gate, long double b)
{
    switch (gate) {
    case RILLE_GATE_GLU: return 1 / (1 + expl(-b));
    case RILLE_GATE_BILINEAR: return b;
    case RILLE_GATE_REGLU: return b > 0 ? b : 0;
    case RILLE_GATE_GEGLU: return b / 2 * erfcl(-b * sqrtl(0.5L));
    case RILLE_GATE_GEGLU_TANH: /* 2 sqrt(2 / pi), and 0.044715 as a double has it */
        return b / (1 + expl(-1.595769121605730711759L * (b + (long double)0.044715 * b * b * b)));
    default: return b / (1 + expl(-b));
    }
}

static inline void step_gate(program *p) /* a f(b), of two halves */
{
    int from = any(p);
    const plain *x = &p->expected[from];
    rille_gate gate = (rille_gate)random_below(&p->rng, RILLE_GATE_COUNT);
    if (x->rank == 0 || !(largest(x) <= 40))
        return;
    int dim = (int)random_below(&p->rng, x->rank);
    int64_t shape[RILLE_MAX_RANK], n = x->shape[dim];
    memcpy(shape, x->shape, sizeof shape);
    shape[dim] = n / 2;
    plain v = fresh(p, higher(RILLE_FLOAT32, x->dtype), x->rank, shape);
    long double *tolerance = claim(p, v.numel, sizeof *tolerance), unit = epsilon_of(v.dtype);
    if (gate != RILLE_GATE_BILINEAR && gate != RILLE_GATE_REGLU)
        unit *= 3; /* f(b) may be rounded too */
    for (int64_t line = 0; line < lines_of(x, dim) && n % 2 == 0; line++)
        for (int64_t k = 0; k < n / 2; k++) {
            int64_t into = along(&v, dim, line, k);
            long double a = as_dtype(v.dtype, get(x, along(x, dim, line, k)));
            long double b = as_dtype(v.dtype, get(x, along(x, dim, line, k + n / 2)));
            v.store[into] = a * gate_value(gate, b);
            tolerance[into] = unit * fabsl(v.store[into]) + (1 + fabsl(a)) * 1.5e-45L; /* which may be subnormal */
        }
    p->step = rille_gate_describe(gate)->name;
    rille_tensor *t = rille_gated(p->tensor[from], gate, dim);
    if (n % 2 != 0)
        add_value(p, t, true, v);
    else
        add_rounded(p, t, v, tolerance);
}

static inline void step_pairs(program *p) /* div, minimum, maximum, remainder, pow */
{
    static rille_tensor *(*const call[])(rille_tensor *, rille_tensor *) = {rille_div, rille_minimum, rille_maximum,
                                                                            rille_remainder, rille_pow};
    static const char *const name[] = {"div", "minimum", "maximum", "remainder", "pow"};
    pair r = random_pair(p);
    const plain *x = &p->expected[r.a], *y = &p->expected[r.b];
    int which = (int)random_below(&p->rng, 5);
    if (r.fits && (count_of(r.rank, r.shape) > MOST_ELEMENTS || (which == 3 && !(largest(x) <= 1e6L && largest(y) <= 1e6L))))
        return;
    plain v = fresh(p, higher(higher(x->dtype, y->dtype), which % 4 == 0 ? RILLE_FLOAT32 : RILLE_INT64), r.fits ? r.rank : 0,
                    r.shape);
    int64_t index[RILLE_MAX_RANK];
    for (int64_t i = 0; r.fits && i < v.numel; i++) {
        position(&v, i, index);
        long double a = as_dtype(v.dtype, get(x, element_number(x, r.rank, index))),
                    b = as_dtype(v.dtype, get(y, element_number(y, r.rank, index)));
        bool first = a != a || (b == b && (which == 1 ? a <= b : a >= b));
        if (which == 3) {
            long double rest = b == 0 ? (is_floating(v.dtype) ? (long double)NAN : 0) : fmodl(a, b);
            v.store[i] = rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
        } else if (which == 4) /* glibc's powl says that (-Inf)^(-2^63) is Inf */
            v.store[i] = isinf(a) ? (long double)pow((double)a, (double)b) : powl(a, b);
        else /* the quotient of two doubles rounds in long double first, which shows in the last place */
            v.store[i] = which == 0 ? (v.dtype == RILLE_FLOAT64 ? (long double)((double)a / (double)b)
                                                                : (long double)((float)a / (float)b))
                                    : (first ? a : b);
    }
    p->step = name[which];
    rille_tensor *t = call[which](p->tensor[r.a], p->tensor[r.b]);
    if (r.fits)
        add_close(p, t, v, 0);
    else
        add_value(p, t, true, v);
}

static inline void step_clamp(program *p)
{
    int from = any(p);
    const plain *x = &p->expected[from];
    double low = (double)random_below(&p->rng, 4) - 3, high = low + (double)random_below(&p->rng, 4);
    plain v = fresh(p, higher(RILLE_INT64, x->dtype), x->rank, x->shape);
    for (int64_t i = 0; i < v.numel; i++) {
        long double a = get(x, i);
        v.store[i] = a < low ? low : a > high ? high : a;
    }
    p->step = "clamp";
    add_close(p, rille_clamp(p->tensor[from], low, high), v, 0); /* either zero where both are within the bounds */
}

#endif
