/* oneDNN as a peer: see peer.h for what it is asked. */
#include <oneapi/dnnl/dnnl.h>

#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
    const char *name;
    dnnl_alg_kind_t algorithm;
    float alpha, beta;
} elementwise[] = {
    {"relu", dnnl_eltwise_relu, 0, 0},
    {"leaky_relu", dnnl_eltwise_relu, 0.01f, 0},
    {"relu6", dnnl_eltwise_clip, 0, 6},
    {"hard_tanh", dnnl_eltwise_clip, -1, 1},
    {"sigmoid", dnnl_eltwise_logistic, 0, 0},
    {"log_sigmoid", dnnl_eltwise_logsigmoid, 0, 0},
    {"tanh", dnnl_eltwise_tanh, 0, 0},
    {"exponential", dnnl_eltwise_exp, 0, 0},
    {"elu", dnnl_eltwise_elu, 1, 0},
    {"gelu", dnnl_eltwise_gelu_erf, 0, 0},
    {"gelu_tanh", dnnl_eltwise_gelu_tanh, 0, 0},
    {"gelu_quick", dnnl_eltwise_swish, 1.702f, 0},
    {"silu", dnnl_eltwise_swish, 1, 0},
    {"swish", dnnl_eltwise_swish, 1, 0},
    {"mish", dnnl_eltwise_mish, 0, 0},
    {"softplus", dnnl_eltwise_soft_relu, 0, 0},
    {"hard_swish", dnnl_eltwise_hardswish, 0, 0},
};

enum { MOST_ARGUMENTS = 3 };

static struct {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t primitive; /* NULL where there is no case */
    dnnl_exec_arg_t argument[MOST_ARGUMENTS];
    int arguments;
    size_t n;
    float *x, *dy, *y, *output; /* output: softmax(x), for its backward pass */
    char path[256];
} now;

static void must(bool fine, const char *what)
{
    if (!fine) {
        fprintf(stderr, "onednn: %s\n", what);
        exit(1);
    }
}

static float *read_floats(const char *path, size_t n)
{
    float *numbers = aligned_alloc(64, (n * sizeof(float) + 63) / 64 * 64);
    FILE *file = fopen(path, "rb");
    must(numbers != NULL && file != NULL && fread(numbers, sizeof(float), n, file) == n, path);
    fclose(file);
    return numbers;
}

static void end_case(void)
{
    for (int i = 0; i < now.arguments; i++)
        dnnl_memory_destroy(now.argument[i].memory);
    if (now.primitive != NULL)
        dnnl_primitive_destroy(now.primitive);
    free(now.x);
    free(now.dy);
    free(now.y);
    free(now.output);
    now.x = now.dy = now.y = now.output = NULL;
    now.primitive = NULL;
    now.arguments = 0;
}

static void give(const dnnl_memory_desc_t *shape, int what, float *data)
{
    dnnl_exec_arg_t *a = &now.argument[now.arguments++];
    a->arg = what;
    must(dnnl_memory_create(&a->memory, shape, now.engine, data) == dnnl_success, "no memory");
}

/* forward and, for the backward pass, backward: descriptors of the operation. False where oneDNN has no such primitive. */
static bool create(const_dnnl_op_desc_t forward, const_dnnl_op_desc_t backward)
{
    dnnl_primitive_desc_t hint, description;
    if (dnnl_primitive_desc_create(&hint, forward, NULL, now.engine, NULL) != dnnl_success)
        return false;
    bool fine = true;
    if (backward != NULL)
        fine = dnnl_primitive_desc_create(&description, backward, NULL, now.engine, hint) == dnnl_success;
    fine = fine && dnnl_primitive_create(&now.primitive, backward != NULL ? description : hint) == dnnl_success;
    if (fine && backward != NULL)
        dnnl_primitive_desc_destroy(description);
    dnnl_primitive_desc_destroy(hint);
    return fine;
}

static bool begin_elementwise(const dnnl_memory_desc_t *shape, const char *name, bool backward)
{
    dnnl_eltwise_desc_t forth, back;
    size_t i = 0, count = sizeof elementwise / sizeof *elementwise;
    while (i < count && strcmp(elementwise[i].name, name) != 0)
        i++;
    if (i == count || dnnl_eltwise_forward_desc_init(&forth, dnnl_forward_training, elementwise[i].algorithm, shape,
                                                     elementwise[i].alpha, elementwise[i].beta) != dnnl_success)
        return false;
    if (backward && dnnl_eltwise_backward_desc_init(&back, elementwise[i].algorithm, shape, shape, elementwise[i].alpha,
                                                    elementwise[i].beta) != dnnl_success)
        return false;
    if (!create(&forth, backward ? &back : NULL))
        return false;
    give(shape, DNNL_ARG_SRC, now.x);
    if (backward)
        give(shape, DNNL_ARG_DIFF_DST, now.dy);
    give(shape, backward ? DNNL_ARG_DIFF_SRC : DNNL_ARG_DST, now.y);
    return true;
}

static void softmax_outputs(size_t rows, size_t columns, bool logarithm)
{
    now.output = malloc(now.n * sizeof(float));
    must(now.output != NULL, "no memory");
    for (size_t row = 0; row < rows; row++) {
        const float *x = now.x + row * columns;
        double sum = 0;
        for (size_t i = 0; i < columns; i++)
            sum += exp((double)x[i]);
        for (size_t i = 0; i < columns; i++)
            now.output[row * columns + i] = (float)(logarithm ? (double)x[i] - log(sum) : exp((double)x[i]) / sum);
    }
}

static bool begin_softmax(const dnnl_memory_desc_t *shape, bool logarithm, bool backward)
{
    dnnl_softmax_v2_desc_t forth, back;
    dnnl_alg_kind_t algorithm = logarithm ? dnnl_softmax_log : dnnl_softmax_accurate;
    if (dnnl_softmax_v2_forward_desc_init(&forth, dnnl_forward_training, algorithm, shape, shape, 1) != dnnl_success ||
        (backward && dnnl_softmax_v2_backward_desc_init(&back, algorithm, shape, shape, shape, 1) != dnnl_success) ||
        !create(&forth, backward ? &back : NULL))
        return false;
    if (backward) {
        softmax_outputs((size_t)shape->dims[0], (size_t)shape->dims[1], logarithm);
        give(shape, DNNL_ARG_DST, now.output);
        give(shape, DNNL_ARG_DIFF_DST, now.dy);
        give(shape, DNNL_ARG_DIFF_SRC, now.y);
    } else {
        give(shape, DNNL_ARG_SRC, now.x);
        give(shape, DNNL_ARG_DST, now.y);
    }
    return true;
}

static bool begin_case(const char *line)
{
    char name[64], pass[16], x[256], dy[256];
    long long rows, columns;
    int threads;
    must(sscanf(line, "case %63s %15s %lld %lld %d %255s %255s %255s", name, pass, &rows, &columns, &threads, x, dy,
                now.path) == 8,
         line);
    end_case();
    if (strcmp(pass, "call") == 0)
        return false;
    omp_set_num_threads(threads);
    now.n = (size_t)(rows * columns);
    now.x = read_floats(x, now.n);
    now.dy = read_floats(dy, now.n);
    now.y = read_floats(dy, now.n);
    dnnl_memory_desc_t shape;
    const dnnl_dims_t sizes = {rows, columns};
    must(dnnl_memory_desc_init_by_tag(&shape, 2, sizes, dnnl_f32, dnnl_ab) == dnnl_success, "no such shape");
    bool backward = strcmp(pass, "backward") == 0;
    if (strcmp(name, "softmax") == 0 || strcmp(name, "log_softmax") == 0)
        return begin_softmax(&shape, strcmp(name, "log_softmax") == 0, backward);
    return begin_elementwise(&shape, name, backward);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double run(long count)
{
    double began = seconds();
    for (long i = 0; i < count; i++)
        dnnl_primitive_execute(now.primitive, now.stream, now.arguments, now.argument);
    dnnl_stream_wait(now.stream);
    return seconds() - began;
}

static void write_result(void)
{
    FILE *file = fopen(now.path, "wb");
    must(file != NULL && fwrite(now.y, sizeof(float), now.n, file) == now.n && fclose(file) == 0, now.path);
}

int main(void)
{
    char line[1024];
    must(dnnl_engine_create(&now.engine, dnnl_cpu, 0) == dnnl_success, "no engine");
    must(dnnl_stream_create(&now.stream, now.engine, dnnl_stream_default_flags) == dnnl_success, "no stream");
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (strncmp(line, "name", 4) == 0) {
            const dnnl_version_t *version = dnnl_version();
            printf("oneDNN %d.%d.%d\n", version->major, version->minor, version->patch);
        } else if (strncmp(line, "case", 4) == 0) {
            puts(begin_case(line) ? "ok" : "none");
        } else if (strncmp(line, "run ", 4) == 0) {
            printf("%.9g\n", run(strtol(line + 4, NULL, 10)));
        } else {
            write_result();
            puts("ok");
        }
        fflush(stdout);
    }
    end_case();
    return 0;
}
