/* Everything of a unit is done in one pass, in double, and rounded where it is stored. Gates are not kept: their derivatives
 * are computed from what they are functions of, so that a saturated gate passes the gradient that it has, not 0. */
#include "ops/recurrence_kernels.h"

#include "math/logistic.h"
#include "math/tanh.h"

/* A gate and its derivative by what it is a function of. */
typedef struct gate {
    double value, slope;
} gate;

/* With one division for both; relative errors as those of the functions in math/, and that of the quotient once more. */
RL_INLINE gate logistic_gate_24(double x)
{
    const rl_decay_24 decay = rl_decay_of_24(rl_magnitude(x));
    const double inverse = 1 / decay.one_plus_u;
    return (gate){(x < 0 ? decay.u : 1) * inverse, decay.u * inverse * inverse};
}

RL_INLINE gate tanh_gate_24(double x)
{
    const rl_decay_24 decay = rl_decay_of_24(2 * rl_magnitude(x));
    const double inverse = 1 / decay.one_plus_u;
    return (gate){rl_copy_sign(decay.one_minus_u * inverse, x), 4 * decay.u * inverse * inverse};
}

RL_INLINE gate logistic_gate_53(double x)
{
    return (gate){rl_logistic_53(x), rl_logistic_d1_53(x)};
}

RL_INLINE gate tanh_gate_53(double x)
{
    return (gate){rl_tanh_53(x), rl_tanh_d1_53(x)};
}

#define logistic_gate(x) RL_AT_PRECISION(logistic_gate)(x)
#define tanh_gate(x) RL_AT_PRECISION(tanh_gate)(x)

/* clang-format takes products of macro arguments for pointers */
/* clang-format off */
#define DEFINE_STEPS(T)                                                                                                        \
    static void lstm_##T(const rl_recurrent_step *step)                                                                        \
    {                                                                                                                          \
        const size_t n = step->width;                                                                                          \
        for (size_t row = 0; row < step->rows; row++) {                                                                        \
            const T *in = (const T *)step->gates + 4 * row * n, *before = (const T *)step->c_before + row * n;                 \
            T *c = (T *)step->c + row * n, *h = (T *)step->h + row * n;                                                        \
            _Pragma("omp simd") for (size_t k = 0; k < n; k++)                                                                 \
            {                                                                                                                  \
                const double i = logistic((double)in[k]), f = logistic((double)in[n + k]);                                     \
                const double g = tanh((double)in[2 * n + k]), o = logistic((double)in[3 * n + k]);                             \
                c[k] = (T)(f * (double)before[k] + i * g);                                                                     \
                h[k] = (T)(o * tanh((double)c[k]));                                                                            \
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
                const gate i = logistic_gate((double)in[k]), f = logistic_gate((double)in[n + k]);                             \
                const gate g = tanh_gate((double)in[2 * n + k]), o = logistic_gate((double)in[3 * n + k]);                     \
                const gate bent = tanh_gate((double)c[k]);                                                                     \
                const double dh = (double)g_h[k] + (double)later[k], d_now = (double)dc[k] + dh * o.value * bent.slope;        \
                d_in[k] = (T)(d_now * g.value * i.slope);                                                                      \
                d_in[n + k] = (T)(d_now * (double)before[k] * f.slope);                                                        \
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
                in[k] = (T)((double)in[k] + (double)product[k] + (double)bias[k]);                                             \
                in[n + k] = (T)((double)in[n + k] + (double)product[n + k] + (double)bias[n + k]);                             \
                candidate[k] = (T)((double)product[2 * n + k] + (double)bias[2 * n + k]);                                      \
                in[2 * n + k] = (T)((double)in[2 * n + k] + logistic((double)in[k]) * (double)candidate[k]);                   \
                const double z = logistic((double)in[n + k]), rest = logistic(-(double)in[n + k]);                             \
                h[k] = (T)(rest * tanh((double)in[2 * n + k]) + z * (double)before[k]);                                        \
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
                const gate r = logistic_gate((double)in[k]), z = logistic_gate((double)in[n + k]);                             \
                const gate g = tanh_gate((double)in[2 * n + k]), rest = logistic_gate(-(double)in[n + k]);                     \
                const double dh = (double)g_h[k] + (double)direct[k], du = dh * rest.value * g.slope;                          \
                d_in[k] = d_product[k] = (T)(du * (double)candidate[k] * r.slope);                                             \
                d_in[n + k] = d_product[n + k] = (T)(dh * ((double)before[k] - g.value) * z.slope);                            \
                d_in[2 * n + k] = (T)du;                                                                                       \
                d_product[2 * n + k] = (T)(du * r.value);                                                                      \
                direct[k] = (T)(dh * z.value);                                                                                 \
            }                                                                                                                  \
        }                                                                                                                      \
    }
/* clang-format on */

#define RL_PRECISION 24
DEFINE_STEPS(float)
#undef RL_PRECISION

#define RL_PRECISION 53
DEFINE_STEPS(double)
#undef RL_PRECISION

const rl_recurrence_kernels RL_ISA_NAME(rl_recurrence_kernels) = {
    .lstm = {lstm_float, lstm_double},
    .lstm_vjp = {lstm_vjp_float, lstm_vjp_double},
    .gru = {gru_float, gru_double},
    .gru_vjp = {gru_vjp_float, gru_vjp_double},
};
