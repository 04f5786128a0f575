/* Everything of a unit is done in one pass: float32 in float where there is a fused multiply-add, with errors of a few ULP, all else
 * in double, rounded where it is stored. Gates are not kept: their derivatives are computed from what they are functions of, so
 * that a saturated gate passes the gradient that it has, not 0. */
#include "ops/recurrence_kernels.h"

#include "math/logistic.h"
#include "math/tanh.h"

/* A gate and its derivative by what it is a function of. */
typedef struct gate_double {
    double value, slope;
} gate_double;

typedef gate_double gate_24, gate_53;

RL_INLINE gate_53 logistic_gate_53(double x)
{
    return (gate_53){rl_logistic_53(x), rl_logistic_d1_53(x)};
}

RL_INLINE gate_53 tanh_gate_53(double x)
{
    return (gate_53){rl_tanh_53(x), rl_tanh_d1_53(x)};
}

#if defined(RL_HAS_FMA)

typedef struct gate_single {
    float value, slope;
} gate_single;

/* Errors, found over all floats: value < 3 ULP, slope < 5 ULP where it is normal: that of u, of 1 / (1 + u) twice, the products'. */
RL_INLINE gate_single logistic_gate_single(float x)
{
    const float u = rl_exp_single(x < 0 ? x : -x), inverse = 1 / (1 + u);
    return (gate_single){(x < 0 ? u : 1) * inverse, u * inverse * inverse};
}

/* Value < 1 ULP, slope as above. */
RL_INLINE gate_single tanh_gate_single(float x)
{
    const float u = rl_exp_single(x < 0 ? 2 * x : -2 * x), inverse = 2 / (1 + u);
    return (gate_single){rl_tanh_single(x), u * inverse * inverse};
}

#else

/* With one division for both; relative errors as those of the functions in math/, and that of the quotient once more. */
RL_INLINE gate_24 logistic_gate_24(double x)
{
    const rl_decay_24 decay = rl_decay_of_24(rl_magnitude(x));
    const double inverse = 1 / decay.one_plus_u;
    return (gate_24){(x < 0 ? decay.u : 1) * inverse, decay.u * inverse * inverse};
}

RL_INLINE gate_24 tanh_gate_24(double x)
{
    const rl_decay_24 decay = rl_decay_of_24(2 * rl_magnitude(x));
    const double inverse = 1 / decay.one_plus_u;
    return (gate_24){rl_copy_sign(decay.one_minus_u * inverse, x), 4 * decay.u * inverse * inverse};
}

#endif

#define gate RL_AT_PRECISION(gate)
#define logistic_gate(x) RL_AT_PRECISION(logistic_gate)(x)
#define tanh_gate(x) RL_AT_PRECISION(tanh_gate)(x)

/* clang-format takes products of macro arguments for pointers */
/* clang-format off */
/* T: of the elements; W: of the arithmetic */
#define DEFINE_STEPS(T, W)                                                                                                     \
    static void lstm_##T(const rl_recurrent_step *step)                                                                        \
    {                                                                                                                          \
        const size_t n = step->width;                                                                                          \
        for (size_t row = 0; row < step->rows; row++) {                                                                        \
            const T *in = (const T *)step->gates + 4 * row * n, *before = (const T *)step->c_before + row * n;                 \
            T *c = (T *)step->c + row * n, *h = (T *)step->h + row * n;                                                        \
            _Pragma("omp simd") for (size_t k = 0; k < n; k++)                                                                 \
            {                                                                                                                  \
                const W i = logistic((W)in[k]), f = logistic((W)in[n + k]);                                                    \
                const W g = tanh((W)in[2 * n + k]), o = logistic((W)in[3 * n + k]);                                            \
                c[k] = (T)(f * (W)before[k] + i * g);                                                                          \
                h[k] = (T)(o * tanh((W)c[k]));                                                                                 \
            }                                                                                                                  \
        }                                                                                                                      \
    }                                                                                                                          \
                                                                                                                               \
    static void lstm_vjp_##T(const rl_recurrent_step *step)                                                                    \
    {                                                                                                                          \
        const size_t n = step->width;                                                                                          \
        for (size_t row = 0; row < step->rows; row++) {                                                                        \
            const T *in = (const T *)step->gates + 4 * row * n, *before = (const T *)step->c_before + row * n;                 \
            const T *c = (const T *)step->c + row * n, *g_h = (const T *)step->g + row * n;                                    \
            const T *later = (const T *)step->dh + row * n;                                                                    \
            T *dc = (T *)step->dc + row * n, *d_in = (T *)step->d_gates + 4 * row * n;                                         \
            _Pragma("omp simd") for (size_t k = 0; k < n; k++)                                                                 \
            {                                                                                                                  \
                const gate i = logistic_gate((W)in[k]), f = logistic_gate((W)in[n + k]);                                       \
                const gate g = tanh_gate((W)in[2 * n + k]), o = logistic_gate((W)in[3 * n + k]);                               \
                const gate bent = tanh_gate((W)c[k]);                                                                          \
                const W dh = (W)g_h[k] + (W)later[k], d_now = (W)dc[k] + dh * o.value * bent.slope;                            \
                d_in[k] = (T)(d_now * g.value * i.slope);                                                                      \
                d_in[n + k] = (T)(d_now * (W)before[k] * f.slope);                                                             \
                d_in[2 * n + k] = (T)(d_now * i.value * g.slope);                                                              \
                d_in[3 * n + k] = (T)(dh * bent.value * o.slope);                                                              \
                dc[k] = (T)(d_now * f.value);                                                                                  \
            }                                                                                                                  \
        }                                                                                                                      \
    }                                                                                                                          \
                                                                                                                               \
    static void gru_##T(const rl_recurrent_step *step)                                                                         \
    {                                                                                                                          \
        const size_t n = step->width;                                                                                          \
        const T *bias = (const T *)step->bias;                                                                                 \
        for (size_t row = 0; row < step->rows; row++) {                                                                        \
            T *in = (T *)step->gates + 3 * row * n;                                                                            \
            const T *product = (const T *)step->product + 3 * row * n, *before = (const T *)step->h_before + row * n;          \
            T *candidate = (T *)step->candidate + row * n, *h = (T *)step->h + row * n;                                        \
            _Pragma("omp simd") for (size_t k = 0; k < n; k++)                                                                 \
            {                                                                                                                  \
                in[k] = (T)((W)in[k] + (W)product[k] + (W)bias[k]);                                                            \
                in[n + k] = (T)((W)in[n + k] + (W)product[n + k] + (W)bias[n + k]);                                            \
                candidate[k] = (T)((W)product[2 * n + k] + (W)bias[2 * n + k]);                                                \
                in[2 * n + k] = (T)((W)in[2 * n + k] + logistic((W)in[k]) * (W)candidate[k]);                                  \
                const W z = logistic((W)in[n + k]), rest = logistic(-(W)in[n + k]);                                            \
                h[k] = (T)(rest * tanh((W)in[2 * n + k]) + z * (W)before[k]);                                                  \
            }                                                                                                                  \
        }                                                                                                                      \
    }                                                                                                                          \
                                                                                                                               \
    static void gru_vjp_##T(const rl_recurrent_step *step)                                                                     \
    {                                                                                                                          \
        const size_t n = step->width;                                                                                          \
        for (size_t row = 0; row < step->rows; row++) {                                                                        \
            const T *in = (const T *)step->gates + 3 * row * n, *before = (const T *)step->h_before + row * n;                 \
            const T *candidate = (const T *)step->candidate + row * n, *g_h = (const T *)step->g + row * n;                    \
            T *direct = (T *)step->dh + row * n, *d_in = (T *)step->d_gates + 3 * row * n;                                     \
            T *d_product = (T *)step->d_product + 3 * row * n;                                                                 \
            _Pragma("omp simd") for (size_t k = 0; k < n; k++)                                                                 \
            {                                                                                                                  \
                const gate r = logistic_gate((W)in[k]), z = logistic_gate((W)in[n + k]);                                       \
                const gate g = tanh_gate((W)in[2 * n + k]), rest = logistic_gate(-(W)in[n + k]);                               \
                const W dh = (W)g_h[k] + (W)direct[k], du = dh * rest.value * g.slope;                                         \
                d_in[k] = d_product[k] = (T)(du * (W)candidate[k] * r.slope);                                                  \
                d_in[n + k] = d_product[n + k] = (T)(dh * ((W)before[k] - g.value) * z.slope);                                 \
                d_in[2 * n + k] = (T)du;                                                                                       \
                d_product[2 * n + k] = (T)(du * r.value);                                                                      \
                direct[k] = (T)(dh * z.value);                                                                                 \
            }                                                                                                                  \
        }                                                                                                                      \
    }
/* clang-format on */

#if defined(RL_HAS_FMA)
#define RL_PRECISION single
DEFINE_STEPS(float, float)
#else
#define RL_PRECISION 24
DEFINE_STEPS(float, double)
#endif
#undef RL_PRECISION

#define RL_PRECISION 53
DEFINE_STEPS(double, double)
#undef RL_PRECISION

const rl_recurrence_kernels RL_ISA_NAME(rl_recurrence_kernels) = {
    .lstm = {lstm_float, lstm_double},
    .lstm_vjp = {lstm_vjp_float, lstm_vjp_double},
    .gru = {gru_float, gru_double},
    .gru_vjp = {gru_vjp_float, gru_vjp_double},
};
