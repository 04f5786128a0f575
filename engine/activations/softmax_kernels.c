/* With m = max x, at position k, and e_i = exp(x_i - m), so that e_k = 1:
 *
 *     rest = sum of e_i over i != k,   total = 1 + rest
 *     softmax_i = e_i / total,   log_softmax_i = (x_i - m) - log1p(rest)
 *
 * Both terms of the latter have one sign, and rest is not lost beside the 1, so the logarithm of a probability near 1 keeps its
 * relative accuracy, and so does 1 - softmax_k = rest / total. Here everything is done in double and rounded once; float32 softmax
 * and log_softmax are done in float, by softmax_single.h, but for slices and processors that need this. */
#include "activations/softmax_kernels.h"

#include "activations/lanes.h"
#include "activations/softmax_single.h"
#include "math/exp.h"

/* e^x for x <= 0; relative error < 2^-41. */
RL_INLINE double decay_float(double x)
{
    const rl_exp_parts_24 e = rl_exp_apart_24(x);
    return rl_madd(e.power, e.p, e.power);
}

RL_INLINE double decay_double(double x)
{
    return rl_exp_53(x);
}

typedef struct row_summary {
    double most; /* NaN where an element is */
    size_t at;   /* where the first of them is */
    double rest;
} row_summary;

#define DEFINE_ROWS(T)                                                                                                         \
    static double sum_of_decays_##T(size_t n, const T *x, double most)                                                         \
    {                                                                                                                          \
        double lane[LANES] = {0};                                                                                              \
        size_t i = 0;                                                                                                          \
        for (; i + LANES <= n; i += LANES)                                                                                     \
            for (size_t k = 0; k < LANES; k++)                                                                                 \
                lane[k] += decay_##T((double)x[i + k] - most);                                                                 \
        for (size_t k = 0; i + k < n; k++)                                                                                     \
            lane[k] += decay_##T((double)x[i + k] - most);                                                                     \
        return fold_lanes(lane);                                                                                               \
    }                                                                                                                          \
                                                                                                                               \
    static row_summary summarise_##T(size_t n, const T *x)                                                                     \
    {                                                                                                                          \
        const T most = largest_##T(n, x);                                                                                      \
        row_summary row = {(double)most, 0, 0};                                                                                \
        if (!(most < (T)INFINITY && most > -(T)INFINITY)) {                                                                    \
            row.most = NAN;                                                                                                    \
            row.rest = NAN;                                                                                                    \
            return row;                                                                                                        \
        }                                                                                                                      \
        while (x[row.at] != most)                                                                                              \
            row.at++;                                                                                                          \
        row.rest = sum_of_decays_##T(row.at, x, row.most) + sum_of_decays_##T(n - row.at - 1, x + row.at + 1, row.most);       \
        return row;                                                                                                            \
    }                                                                                                                          \
                                                                                                                               \
    /* sum of a b; b NULL: of a */                                                                                             \
    static double dot_##T(size_t n, const T *a, const T *b)                                                                    \
    {                                                                                                                          \
        double lane[LANES] = {0};                                                                                              \
        size_t i = 0;                                                                                                          \
        for (; i + LANES <= n; i += LANES)                                                                                     \
            for (size_t k = 0; k < LANES; k++)                                                                                 \
                lane[k] += (double)a[i + k] * (b == NULL ? 1 : (double)b[i + k]);                                              \
        for (size_t k = 0; i + k < n; k++)                                                                                     \
            lane[k] += (double)a[i + k] * (b == NULL ? 1 : (double)b[i + k]);                                                  \
        return fold_lanes(lane);                                                                                               \
    }                                                                                                                          \
                                                                                                                               \
    static void softmax_##T(size_t rows, size_t n, const void *in, void *out)                                                  \
    {                                                                                                                          \
        for (size_t i = 0; i < rows; i++) {                                                                                    \
            const T *x = (const T *)in + i * n;                                                                                \
            T *y = (T *)out + i * n;                                                                                           \
            const row_summary row = summarise_##T(n, x);                                                                       \
            for (size_t j = 0; j < n; j++)                                                                                     \
                y[j] = (T)(decay_##T((double)x[j] - row.most) / (1 + row.rest));                                               \
        }                                                                                                                      \
    }                                                                                                                          \
                                                                                                                               \
    static void log_softmax_##T(size_t rows, size_t n, const void *in, void *out)                                              \
    {                                                                                                                          \
        for (size_t i = 0; i < rows; i++) {                                                                                    \
            const T *x = (const T *)in + i * n;                                                                                \
            T *y = (T *)out + i * n;                                                                                           \
            const row_summary row = summarise_##T(n, x);                                                                       \
            const double log_total = log1p(row.rest);                                                                          \
            for (size_t j = 0; j < n; j++)                                                                                     \
                y[j] = (T)(((double)x[j] - row.most) - log_total);                                                             \
        }                                                                                                                      \
    }                                                                                                                          \
                                                                                                                               \
    static void softmax_vjp_##T(size_t rows, size_t n, const void *output, const void *gradient, void *result)                 \
    {                                                                                                                          \
        for (size_t i = 0; i < rows; i++) {                                                                                    \
            const T *y = (const T *)output + i * n, *g = (const T *)gradient + i * n;                                          \
            T *dx = (T *)result + i * n;                                                                                       \
            const double mean = dot_##T(n, g, y);                                                                              \
            for (size_t j = 0; j < n; j++)                                                                                     \
                dx[j] = (T)((double)y[j] * ((double)g[j] - mean));                                                             \
        }                                                                                                                      \
    }                                                                                                                          \
                                                                                                                               \
    static void log_softmax_vjp_##T(size_t rows, size_t n, const void *in, const void *gradient, void *result)                 \
    {                                                                                                                          \
        for (size_t i = 0; i < rows; i++) {                                                                                    \
            const T *x = (const T *)in + i * n, *g = (const T *)gradient + i * n;                                              \
            T *dx = (T *)result + i * n;                                                                                       \
            const row_summary row = summarise_##T(n, x);                                                                       \
            const double share = dot_##T(n, g, NULL) / (1 + row.rest);                                                         \
            for (size_t j = 0; j < n; j++)                                                                                     \
                dx[j] = (T)((double)g[j] - decay_##T((double)x[j] - row.most) * share);                                        \
        }                                                                                                                      \
    }                                                                                                                          \
                                                                                                                               \
    /* sum of weight[j] times -log p[j]; those that weigh nothing add nothing */                                               \
    static double spread_loss_##T(size_t n, const T *x, row_summary row, const double *weight)                                 \
    {                                                                                                                          \
        double sum = 0;                                                                                                        \
        for (size_t j = 0; j < n; j++)                                                                                         \
            sum += weight[j] == 0 ? 0 : weight[j] * (log1p(row.rest) - ((double)x[j] - row.most));                             \
        return sum;                                                                                                            \
    }                                                                                                                          \
                                                                                                                               \
    static void cross_entropy_##T(size_t rows, size_t n, const void *in, const int64_t *label, const rl_label_terms *terms,    \
                                  double *loss)                                                                                \
    {                                                                                                                          \
        for (size_t i = 0; i < rows; i++) {                                                                                    \
            loss[i] = 0;                                                                                                       \
            if (terms->ignores && label[i] == terms->ignored)                                                                  \
                continue;                                                                                                      \
            const T *x = (const T *)in + i * n;                                                                                \
            const row_summary row = summarise_##T(n, x);                                                                       \
            const size_t at = (size_t)(label[i] - terms->base);                                                                \
            const double own = (1 - terms->smoothing) * terms->weight[at];                                                     \
            loss[i] = own == 0 ? 0 * row.rest : own * (log1p(row.rest) - ((double)x[at] - row.most));                          \
            if (terms->smoothing > 0)                                                                                          \
                loss[i] += terms->smoothing / (double)n * spread_loss_##T(n, x, row, terms->weight);                           \
        }                                                                                                                      \
    }                                                                                                                          \
                                                                                                                               \
    static void cross_entropy_vjp_##T(size_t rows, size_t n, const void *in, const int64_t *label,                             \
                                      const rl_label_terms *terms, const double *scale, void *result)                          \
    {                                                                                                                          \
        for (size_t i = 0; i < rows; i++) {                                                                                    \
            const T *x = (const T *)in + i * n;                                                                                \
            T *dx = (T *)result + i * n;                                                                                       \
            if (terms->ignores && label[i] == terms->ignored) {                                                                \
                for (size_t j = 0; j < n; j++)                                                                                 \
                    dx[j] = 0;                                                                                                 \
                continue;                                                                                                      \
            }                                                                                                                  \
            const row_summary row = summarise_##T(n, x);                                                                       \
            const size_t at = (size_t)(label[i] - terms->base);                                                                \
            const double spread = terms->smoothing / (double)n, rest_of_own = (1 - terms->smoothing) * terms->weight[at];      \
            const double sum = rest_of_own + spread * terms->total, share = scale[i] * sum / (1 + row.rest);                   \
            const double own = (double)x[at] - row.most;                                                                       \
            for (size_t j = 0; j < n; j++)                                                                                     \
                dx[j] = (T)(decay_##T((double)x[j] - row.most) * share - scale[i] * spread * terms->weight[j]);                \
            if (spread > 0) /* p sum - target */                                                                               \
                dx[at] = (T)(decay_##T(own) * share - scale[i] * (spread * terms->weight[at] + rest_of_own));                  \
            else /* softmax - 1 = -(what the others have) / total */                                                           \
                dx[at] = (T)(-share * (at == row.at ? row.rest : (1 + row.rest) - decay_##T(own)));                            \
        }                                                                                                                      \
    }

DEFINE_LARGEST(float, -FLT_MAX)
DEFINE_LARGEST(double, -DBL_MAX)

DEFINE_ROWS(float)
DEFINE_ROWS(double)

#if defined(RL_HAS_FMA)
DEFINE_MAP(softmax)
DEFINE_MAP(log_softmax)
DEFINE_VJP(softmax_vjp)
DEFINE_VJP(log_softmax_vjp)
#else
#define softmax_single softmax_float
#define log_softmax_single log_softmax_float
#define softmax_vjp_single softmax_vjp_float
#define log_softmax_vjp_single log_softmax_vjp_float
#endif

const rl_softmax_kernels RL_ISA_NAME(rl_softmax_kernels) = {
    .softmax = {softmax_single, softmax_double},
    .log_softmax = {log_softmax_single, log_softmax_double},
    .softmax_vjp = {softmax_vjp_single, softmax_vjp_double},
    .log_softmax_vjp = {log_softmax_vjp_single, log_softmax_vjp_double},
    .cross_entropy = {cross_entropy_float, cross_entropy_double},
    .cross_entropy_vjp = {cross_entropy_vjp_float, cross_entropy_vjp_double},
};
