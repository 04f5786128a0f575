#include "ops/panel_kernels.h"

#include "math/precision.h"

/* A block of the result, ROWS rows of a panel, is summed in registers: two vectors a row, and as many rows as are needed to hide
 * the latency of a multiply-add. */
#if defined(__AVX512F__)
enum { VECTOR = 64, ROWS = 8 };
#elif defined(__AVX__)
enum { VECTOR = 32, ROWS = 4 };
#else
enum { VECTOR = 16, ROWS = 4 };
#endif

RL_INLINE float plus_product_float(float a, float b, float c)
{
#if defined(RL_HAS_FMA)
    return rl_madd_single(a, b, c);
#else
    return a * b + c;
#endif
}

RL_INLINE double plus_product_double(double a, double b, double c)
{
    return rl_madd(a, b, c);
}

/* clang-format takes products of macro arguments for pointers */
/* clang-format off */
#define DEFINE_PANELS(T)                                                                                                       \
    enum { WIDTH_##T = 2 * VECTOR / sizeof(T) };                                                                               \
                                                                                                                               \
    static void arrange_##T(size_t k, size_t m, const void *in, ptrdiff_t row_step, ptrdiff_t column_step, void *panels)       \
    {                                                                                                                          \
        const T *b = (const T *)in;                                                                                            \
        T *out = (T *)panels;                                                                                                  \
        for (size_t from = 0; from < m; from += WIDTH_##T)                                                                     \
            for (size_t i = 0; i < k; i++)                                                                                     \
                for (size_t j = from; j < from + WIDTH_##T; j++)                                                               \
                    *out++ = j < m ? b[(ptrdiff_t)i * row_step + (ptrdiff_t)j * column_step] : 0;                              \
    }                                                                                                                          \
                                                                                                                               \
    /* rows is known where it is called */                                                                                     \
    RL_INLINE void block_##T(size_t rows, size_t k, size_t m, size_t width, const T *a, const T *panel, T *c, int add)         \
    {                                                                                                                          \
        T sum[ROWS][WIDTH_##T];                                                                                                \
        for (size_t i = 0; i < rows; i++)                                                                                      \
            for (size_t j = 0; j < WIDTH_##T; j++)                                                                             \
                sum[i][j] = 0;                                                                                                 \
        for (size_t p = 0; p < k; p++)                                                                                         \
            for (size_t i = 0; i < rows; i++) {                                                                                \
                const T factor = a[i * k + p];                                                                                 \
                _Pragma("omp simd") for (size_t j = 0; j < WIDTH_##T; j++)                                                     \
                    sum[i][j] = plus_product_##T(factor, panel[p * WIDTH_##T + j], sum[i][j]);                                 \
            }                                                                                                                  \
        for (size_t i = 0; i < rows; i++)                                                                                      \
            for (size_t j = 0; j < width; j++)                                                                                 \
                c[i * m + j] = add ? c[i * m + j] + sum[i][j] : sum[i][j];                                                     \
    }                                                                                                                          \
                                                                                                                               \
    static void multiply_##T(size_t rows, size_t k, size_t m, const void *left, const void *panels, void *result, int add)     \
    {                                                                                                                          \
        for (size_t from = 0; from < m; from += WIDTH_##T) {                                                                   \
            const T *a = (const T *)left, *panel = (const T *)panels + from * k;                                               \
            T *c = (T *)result + from;                                                                                         \
            const size_t width = m - from < WIDTH_##T ? m - from : WIDTH_##T;                                                  \
            size_t row = 0;                                                                                                    \
            for (; row + ROWS <= rows; row += ROWS)                                                                            \
                block_##T(ROWS, k, m, width, a + row * k, panel, c + row * m, add);                                            \
            for (; row < rows; row++)                                                                                          \
                block_##T(1, k, m, width, a + row * k, panel, c + row * m, add);                                               \
        }                                                                                                                      \
    }
/* clang-format on */

DEFINE_PANELS(float)
DEFINE_PANELS(double)

const rl_panel_kernels RL_ISA_NAME(rl_panel_kernels) = {
    .width = {WIDTH_float, WIDTH_double},
    .arrange = {arrange_float, arrange_double},
    .multiply = {multiply_float, multiply_double},
};
