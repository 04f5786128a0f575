#include "optim/kernels.h"

#define DEFINE_SGD(T)                                                                                                          \
    static void sgd_##T(size_t n, void *parameter, const void *gradient, void *velocity, const rille_sgd_options *options)     \
    {                                                                                                                          \
        T *p = parameter, *v = velocity;                                                                                       \
        const T *g = gradient;                                                                                                 \
        const T rate = (T)options->learning_rate, decay = (T)options->weight_decay, momentum = (T)options->momentum;           \
        if (v == NULL) {                                                                                                       \
            for (size_t i = 0; i < n; i++)                                                                                     \
                p[i] -= rate * (g[i] + decay * p[i]);                                                                          \
        } else if (options->nesterov) {                                                                                        \
            for (size_t i = 0; i < n; i++) {                                                                                   \
                T step = g[i] + decay * p[i];                                                                                  \
                v[i] = momentum * v[i] + step;                                                                                 \
                p[i] -= rate * (step + momentum * v[i]);                                                                       \
            }                                                                                                                  \
        } else {                                                                                                               \
            for (size_t i = 0; i < n; i++) {                                                                                   \
                v[i] = momentum * v[i] + (g[i] + decay * p[i]);                                                                \
                p[i] -= rate * v[i];                                                                                           \
            }                                                                                                                  \
        }                                                                                                                      \
    }
DEFINE_SGD(float)
DEFINE_SGD(double)

const rl_optim_kernels RL_ISA_NAME(rl_optim_kernels) = {.sgd = {sgd_float, sgd_double}};
