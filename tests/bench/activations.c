/* Every activation, forward and backward, in cache and past it, on one and on all threads: Gelem/s, GB/s, and the ratio to a
 * plain copy (forward: two streams) or a triad (backward: three) of as many bytes, timed turn by turn in the same run. Each
 * kernel is verified before it is timed. The table goes to standard output, the same figures as JSON to the file that the
 * first argument names. */
#include "base/memory.h"
#include "base/parallel.h"
#include "rille.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SAMPLES = 9 };
static const double SAMPLE_SECONDS = 2e-3; /* at least, for one sample */

typedef struct bench {
    rille_context *cx;
    rille_activation act;
    rille_dtype dtype;
    size_t n;
    bool backward;
    char *x, *g, *y;
} bench;

typedef void run(const bench *b);

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- What is timed ---- */

static void run_activation(const bench *b)
{
    if (b->backward)
        rille_map_backward(b->cx, b->act, NULL, b->dtype, b->n, b->x, b->g, b->y);
    else
        rille_map(b->cx, b->act, NULL, 0, b->dtype, b->n, b->x, b->y);
}

static void copy_range(void *work, size_t begin, size_t end)
{
    const bench *b = work;
    memcpy(b->y + begin * sizeof(float), b->x + begin * sizeof(float), (end - begin) * sizeof(float));
}

/* y = x + 3 g, in float32 for either dtype: bytes are what counts */
static void triad_range(void *work, size_t begin, size_t end)
{
    const bench *b = work;
    const float *x = (const float *)b->x, *g = (const float *)b->g;
    float *y = (float *)b->y;
    for (size_t i = begin; i < end; i++)
        y[i] = x[i] + 3 * g[i];
}

/* One piece for each thread: a large memcpy knows of stores that go around the caches. */
static void run_reference(const bench *b)
{
    bench work = *b;
    size_t floats = b->n * rille_dtype_size(b->dtype) / sizeof(float), share = 1 + (floats - 1) / (size_t)rille_threads(b->cx);
    if (b->backward)
        rl_parallel_for(b->cx, "triad", floats, share, triad_range, &work);
    else
        rl_parallel_for(b->cx, "copy", floats, share, copy_range, &work);
}

/* ---- Timing ---- */

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static size_t repetitions(const bench *b, run *f)
{
    for (size_t count = 1;; count *= 2) {
        double start = now();
        for (size_t i = 0; i < count; i++)
            f(b);
        if (now() - start >= SAMPLE_SECONDS)
            return count;
    }
}

static double one_sample(const bench *b, run *f, size_t count)
{
    double start = now();
    for (size_t i = 0; i < count; i++)
        f(b);
    return (now() - start) / (double)count;
}

/* Median seconds of the activation and of its reference, sampled in turns. */
static void time_both(const bench *b, double *activation, double *reference)
{
    double a[SAMPLES], r[SAMPLES];
    size_t activations = repetitions(b, run_activation), references = repetitions(b, run_reference);
    for (int i = 0; i < SAMPLES; i++) {
        a[i] = one_sample(b, run_activation, activations);
        r[i] = one_sample(b, run_reference, references);
    }
    qsort(a, SAMPLES, sizeof a[0], by_value);
    qsort(r, SAMPLES, sizeof r[0], by_value);
    *activation = a[SAMPLES / 2];
    *reference = r[SAMPLES / 2];
}

/* ---- Verifying: float32 against the float64 kernel (which the tests hold against MPFR), float64 against libm-free identities
 * would prove less than those tests do, so it is checked for agreement with float32 ---- */

static bool verified(rille_context *cx, rille_activation act)
{
    enum { N = 4096 };
    static float x[N], y[N];
    static double wide[N], exact[N];
    for (int order = 0; order < 2; order++) {
        for (int i = 0; i < N; i++)
            wide[i] = x[i] = -6 + 12 * (float)i / N;
        if (rille_map(cx, act, NULL, order, RILLE_FLOAT32, N, x, y) != RILLE_OK ||
            rille_map(cx, act, NULL, order, RILLE_FLOAT64, N, wide, exact) != RILLE_OK)
            return false;
        for (int i = 0; i < N; i++) {
            double ulp = fabs((double)nextafterf(fabsf((float)exact[i]), INFINITY) - fabs((double)(float)exact[i]));
            if (!(fabs((double)y[i] - exact[i]) <= ulp))
                return false;
        }
    }
    return true;
}

/* ---- The table ---- */

static const struct {
    const char *name;
    size_t bytes; /* of one buffer */
} places[] = {{"L1", 8 << 10}, {"L2", 192 << 10}, {"memory", 64 << 20}};
enum { PLACES = sizeof places / sizeof places[0] };

static void measure(bench b, int threads, int place, FILE *json, bool *first)
{
    size_t size = rille_dtype_size(b.dtype);
    b.n = places[place].bytes / size;
    rille_set_threads(b.cx, threads);
    double activation, reference;
    time_both(&b, &activation, &reference);
    const char *name = rille_activation_describe(b.act)->name, *pass = b.backward ? "backward" : "forward";
    double elements = (double)b.n / activation * 1e-9, bytes = elements * (double)size * (b.backward ? 3 : 2);
    printf("%-14s %-8s  %-7s  %-6s %7d  %8.2f  %7.1f  %9.2f\n", name, pass, rille_dtype_name(b.dtype), places[place].name,
           threads, elements, bytes, reference / activation);
    fprintf(json,
            "%s\n  {\"activation\": \"%s\", \"pass\": \"%s\", \"dtype\": \"%s\", \"place\": \"%s\", \"elements\": %zu, "
            "\"threads\": %d, "
            "\"seconds\": %.17g, \"reference_seconds\": %.17g}",
            *first ? "" : ",", name, pass, rille_dtype_name(b.dtype), places[place].name, b.n, threads, activation, reference);
    *first = false;
}

static bool fill(bench *b)
{
    size_t bytes = places[PLACES - 1].bytes;
    b->x = rl_allocate(b->cx, bytes);
    b->g = rl_allocate(b->cx, bytes);
    b->y = rl_allocate(b->cx, bytes);
    return b->x != NULL && b->g != NULL && b->y != NULL;
}

/* Uniform in +-6, by the golden ratio. */
static void spread(bench *b)
{
    size_t n = places[PLACES - 1].bytes / rille_dtype_size(b->dtype);
    for (size_t i = 0; i < n; i++) {
        double value = -6 + 12 * fmod(0.6180339887498949 * (double)i, 1.0);
        if (b->dtype == RILLE_FLOAT32)
            ((float *)b->x)[i] = ((float *)b->g)[i] = (float)value;
        else
            ((double *)b->x)[i] = ((double *)b->g)[i] = value;
    }
    memset(b->y, 0, places[PLACES - 1].bytes);
}

static void measure_all(bench b, FILE *json)
{
    int all = rille_threads(b.cx);
    bool first = true;
    printf("%-14s %-8s  %-7s  %-6s %7s  %8s  %7s  %9s\n", "activation", "pass", "dtype", "place", "threads", "Gelem/s", "GB/s",
           "of copy");
    for (b.dtype = RILLE_FLOAT32; b.dtype <= RILLE_FLOAT64; b.dtype++) {
        spread(&b);
        for (b.act = 0; b.act < RILLE_ACTIVATION_COUNT; b.act++)
            for (int backward = 0; backward < 2; backward++)
                for (int place = 0; place < PLACES; place++)
                    for (int threads = 1; threads <= all; threads = threads < all ? all : all + 1) {
                        b.backward = backward;
                        measure(b, threads, place, json, &first);
                    }
    }
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "activations.json";
    bench b = {.cx = rille_open(NULL)};
    FILE *json = fopen(path, "w");
    if (b.cx == NULL || json == NULL || !fill(&b)) {
        fprintf(stderr, "bench: %s cannot be written, or memory is out\n", path);
        return 1;
    }
    for (rille_activation act = 0; act < RILLE_ACTIVATION_COUNT; act++)
        if (!verified(b.cx, act)) {
            fprintf(stderr, "bench: %s is wrong; there is no point in timing it\n", rille_activation_describe(act)->name);
            return 1;
        }
    printf(
        "Instruction set %s. \"of copy\": time of a copy (backward: of a triad) of the same bytes / time of the activation.\n",
        rille_isa());
    fputs("[", json);
    measure_all(b, json);
    fputs("\n]\n", json);
    rl_release(b.cx, b.x, places[PLACES - 1].bytes);
    rl_release(b.cx, b.g, places[PLACES - 1].bytes);
    rl_release(b.cx, b.y, places[PLACES - 1].bytes);
    rille_close(b.cx);
    return fclose(json) == 0 ? 0 : 1;
}
