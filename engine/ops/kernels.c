#include "ops/kernels.h"

#include <math.h>

/* ---- Elementwise: dense operands and broadcast scalars have loops of their own, which vectorise ---- */

#define AT(T, i, k) (*(const T *)(p[i] + (ptrdiff_t)(k)*stride[i]))

#define DEFINE_BINARY(name, T, R, expression)                                                                                  \
    static void name(size_t n, char *const *p, const ptrdiff_t *stride)                                                        \
    {                                                                                                                          \
        const ptrdiff_t step = sizeof(T);                                                                                      \
        const T *left = (const T *)p[1], *right = (const T *)p[2];                                                             \
        R *out = (R *)p[0];                                                                                                    \
        if (stride[0] != (ptrdiff_t)sizeof(R) || (stride[1] != step && stride[1] != 0) ||                                      \
            (stride[2] != step && stride[2] != 0)) {                                                                           \
            for (size_t i = 0; i < n; i++) {                                                                                   \
                T a = AT(T, 1, i), b = AT(T, 2, i);                                                                            \
                *(R *)(p[0] + (ptrdiff_t)i * stride[0]) = (R)(expression);                                                     \
            }                                                                                                                  \
        } else if (stride[1] == 0) {                                                                                           \
            const T a = *left;                                                                                                 \
            for (size_t i = 0; i < n; i++) {                                                                                   \
                T b = stride[2] == 0 ? *right : right[i];                                                                      \
                out[i] = (R)(expression);                                                                                      \
            }                                                                                                                  \
        } else if (stride[2] == 0) {                                                                                           \
            const T b = *right;                                                                                                \
            for (size_t i = 0; i < n; i++) {                                                                                   \
                T a = left[i];                                                                                                 \
                out[i] = (R)(expression);                                                                                      \
            }                                                                                                                  \
        } else {                                                                                                               \
            for (size_t i = 0; i < n; i++) {                                                                                   \
                T a = left[i], b = right[i];                                                                                   \
                out[i] = (R)(expression);                                                                                      \
            }                                                                                                                  \
        }                                                                                                                      \
    }

#define DEFINE_UNARY(name, T, expression)                                                                                      \
    static void name(size_t n, char *const *p, const ptrdiff_t *stride)                                                        \
    {                                                                                                                          \
        if (stride[0] == sizeof(T) && stride[1] == sizeof(T)) {                                                                \
            for (size_t i = 0; i < n; i++) {                                                                                   \
                T a = ((const T *)p[1])[i];                                                                                    \
                ((T *)p[0])[i] = (T)(expression);                                                                              \
            }                                                                                                                  \
        } else {                                                                                                               \
            for (size_t i = 0; i < n; i++) {                                                                                   \
                T a = AT(T, 1, i);                                                                                             \
                *(T *)(p[0] + (ptrdiff_t)i * stride[0]) = (T)(expression);                                                     \
            }                                                                                                                  \
        }                                                                                                                      \
    }

/* a - floor(a / b) b, of b's sign, as Lua's % has it: the remainder of fmod is exact, and b is added where the signs differ. */
static double floored_remainder(double a, double b)
{
    const double r = fmod(a, b);
    return r != 0 ? ((r < 0) != (b < 0) ? r + b : r) : copysign(r, b);
}

/* The same of integers; 0 where b is. -1 apart, since INT64_MIN / -1 has no int64. */
static int64_t floored_remainder_of_integers(int64_t a, int64_t b)
{
    const int64_t r = b == 0 || b == -1 ? 0 : a % b;
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

/* clang-format takes products of macro arguments for pointers */
/* clang-format off */
#define DEFINE_FLOATING(T)                                                                                                     \
    DEFINE_BINARY(add_##T, T, T, a + b)                                                                                        \
    DEFINE_BINARY(sub_##T, T, T, a - b)                                                                                        \
    DEFINE_BINARY(mul_##T, T, T, a * b)                                                                                        \
    DEFINE_BINARY(div_##T, T, T, a / b)                                                                                        \
    DEFINE_BINARY(pow_##T, T, T, pow(a, b))                                                                                    \
    DEFINE_BINARY(minimum_##T, T, T, a < b || a != a ? a : b)                                                                  \
    DEFINE_BINARY(maximum_##T, T, T, a > b || a != a ? a : b)                                                                  \
    DEFINE_BINARY(remainder_##T, T, T, floored_remainder(a, b))                                                                \
    DEFINE_UNARY(neg_##T, T, -a)                                                                                               \
    DEFINE_UNARY(abs_##T, T, fabs(a))                                                                                          \
    DEFINE_UNARY(sign_##T, T, a > 0 ? 1 : a < 0 ? -1 : a)                                                                      \
    DEFINE_UNARY(floor_##T, T, floor(a))                                                                                       \
    DEFINE_UNARY(ceil_##T, T, ceil(a))                                                                                         \
    DEFINE_UNARY(round_##T, T, nearbyint(a))                                                                                   \
    DEFINE_UNARY(trunc_##T, T, trunc(a))                                                                                       \
    DEFINE_UNARY(exp_##T, T, exp(a))                                                                                           \
    DEFINE_UNARY(expm1_##T, T, expm1(a))                                                                                       \
    DEFINE_UNARY(log_##T, T, log(a))                                                                                           \
    DEFINE_UNARY(log1p_##T, T, log1p(a))                                                                                       \
    DEFINE_UNARY(log2_##T, T, log2(a))                                                                                         \
    DEFINE_UNARY(log10_##T, T, log10(a))                                                                                       \
    DEFINE_UNARY(sqrt_##T, T, sqrt(a))                                                                                         \
    DEFINE_UNARY(cos_##T, T, cos(a))                                                                                           \
    DEFINE_UNARY(tan_##T, T, tan(a))                                                                                           \
    DEFINE_UNARY(asin_##T, T, asin(a))                                                                                         \
    DEFINE_UNARY(acos_##T, T, acos(a))                                                                                         \
    DEFINE_UNARY(sinh_##T, T, sinh(a))                                                                                         \
    DEFINE_UNARY(cosh_##T, T, cosh(a))

DEFINE_FLOATING(float)
DEFINE_FLOATING(double)

/* Integers wrap around, as two's complement does. */
DEFINE_BINARY(add_int64_t, int64_t, int64_t, (uint64_t)a + (uint64_t)b)
DEFINE_BINARY(sub_int64_t, int64_t, int64_t, (uint64_t)a - (uint64_t)b)
DEFINE_BINARY(mul_int64_t, int64_t, int64_t, (uint64_t)a * (uint64_t)b)
DEFINE_BINARY(minimum_int64_t, int64_t, int64_t, a < b ? a : b)
DEFINE_BINARY(maximum_int64_t, int64_t, int64_t, a > b ? a : b)
DEFINE_BINARY(remainder_int64_t, int64_t, int64_t, floored_remainder_of_integers(a, b))
DEFINE_UNARY(sign_int64_t, int64_t, (a > 0) - (a < 0))
DEFINE_UNARY(floor_int64_t, int64_t, a)
DEFINE_UNARY(ceil_int64_t, int64_t, a)
DEFINE_UNARY(round_int64_t, int64_t, a)
DEFINE_UNARY(trunc_int64_t, int64_t, a)
DEFINE_UNARY(neg_int64_t, int64_t, -(uint64_t)a)
DEFINE_UNARY(abs_int64_t, int64_t, a < 0 ? -(uint64_t)a : (uint64_t)a)
/* clang-format on */

#define DEFINE_COMPARISON(name, operator)                                                                                      \
    DEFINE_BINARY(name##_float, float, bool, a operator b)                                                                     \
    DEFINE_BINARY(name##_double, double, bool, a operator b)                                                                   \
    DEFINE_BINARY(name##_int64_t, int64_t, bool, a operator b)
RL_COMPARISON_LIST(DEFINE_COMPARISON)

/* ---- Choice ---- */

#define DEFINE_WHERE(T)                                                                                                        \
    static void where_##T(size_t n, char *const *p, const ptrdiff_t *stride)                                                   \
    {                                                                                                                          \
        for (size_t i = 0; i < n; i++) { /* by bits, since a branch on a mask is guessed wrongly half the time */              \
            const T a = AT(T, 2, i), b = AT(T, 3, i), all = (T) - (T)AT(bool, 1, i);                                           \
            *(T *)(p[0] + (ptrdiff_t)i * stride[0]) = (T)(b ^ ((a ^ b) & all));                                                \
        }                                                                                                                      \
    }
DEFINE_WHERE(uint8_t)
DEFINE_WHERE(uint32_t)
DEFINE_WHERE(uint64_t)

const rl_op_kernels RL_ISA_NAME(rl_op_kernels) = {
#define ALL(name, ...) .name = {name##_float, name##_double, name##_int64_t},
#define FLOATING(name) .name = {name##_float, name##_double},
    RL_BINARY_LIST(ALL) RL_BINARY_FLOATING_LIST(FLOATING) RL_COMPARISON_LIST(ALL) RL_UNARY_LIST(ALL)
        RL_UNARY_FLOATING_LIST(FLOATING)
            .where = {where_uint8_t, where_uint32_t, where_uint64_t},
#undef ALL
#undef FLOATING
};
