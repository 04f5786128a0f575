/* Rille and its peers side by side: each is verified against the float64 reference, then they take turns, sample by sample, in the
 * same run, and the median counts. The table goes to standard output, the same figures as JSON to a file.
 *
 *     driver FOLDER PYTHON RILLE     FOLDER holds the oneDNN peer and node_modules, and gets the inputs and peers.json;
 *                                    ONLY=tanh, in the environment, picks what contains that word */
#include "accuracy/numbers.h"
#include "bench/peers/case.h"
#include "bench/peers/peer.h"
#include "reference/ulp.h"

#include <stdio.h>
#include <time.h>

enum { IN_CACHE = 65536, PAST_CACHES = 1 << 24, SAMPLES = 11, CONTENDERS = 4, RILLE = 0 };
static const double SAMPLE_SECONDS = 2e-2; /* at least, for one sample */
static const char *const labels[CONTENDERS] = {"Rille", "oneDNN", "PyTorch", "ONNX Runtime"};

typedef struct outcome {
    bool has, right;      /* it knows the operation; its result is this operation's at all */
    double ulp, ulp_wide; /* worst error at the bench's inputs, and at floats of all sizes */
    double median;        /* seconds */
} outcome;

typedef struct bench {
    rille_context *cx;
    const char *folder;
    peer peers[CONTENDERS], script; /* [RILLE] is this process itself; script: Rille in Lua */
    float *x, *g, *y, *output, *wide_x, *wide_g;
    double *exact;
    FILE *json;
    bool any_json;
    double log_ratios, worst_ratio; /* over the section's lines */
    char worst[96];
    int lines;
} bench;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- Inputs ---- */

static void write_floats(const bench *b, const char *name, const float *data, size_t n)
{
    char path[ANSWER_SIZE];
    snprintf(path, sizeof path, "%s/%s", b->folder, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(data, sizeof *data, n, file) != n || fclose(file) != 0) {
        fprintf(stderr, "bench: %s cannot be written\n", path);
        exit(1);
    }
}

static bool read_result(const bench *b, size_t n)
{
    char path[ANSWER_SIZE];
    snprintf(path, sizeof path, "%s/y", b->folder);
    FILE *file = fopen(path, "rb");
    bool fine = file != NULL && fread(b->y, sizeof *b->y, n, file) == n;
    if (file != NULL)
        fclose(file);
    return fine;
}

/* Uniform in +-6; and every 65521st float, or a number up to 100 instead of an infinity or NaN. */
static void make_inputs(bench *b)
{
    uint64_t state = 1;
    b->x = take(PAST_CACHES, sizeof *b->x);
    b->g = take(PAST_CACHES, sizeof *b->g);
    b->y = take(PAST_CACHES, sizeof *b->y);
    b->output = take(IN_CACHE, sizeof *b->output);
    b->wide_x = take(IN_CACHE, sizeof *b->wide_x);
    b->wide_g = take(IN_CACHE, sizeof *b->wide_g);
    b->exact = take(IN_CACHE, sizeof *b->exact);
    for (size_t i = 0; i < PAST_CACHES; i++) {
        b->x[i] = (float)random_uniform(&state, -6, 6);
        b->g[i] = (float)random_uniform(&state, -6, 6);
    }
    for (size_t i = 0; i < IN_CACHE; i++) {
        float any = float_of_bits((uint32_t)(i * 65521));
        b->wide_x[i] = i % 2 == 0 && isfinite(any) ? any : (float)random_uniform(&state, -100, 100);
        b->wide_g[i] = 1;
    }
    write_floats(b, "x", b->x, PAST_CACHES);
    write_floats(b, "g", b->g, PAST_CACHES);
    write_floats(b, "y", b->y, PAST_CACHES);
    write_floats(b, "wide-x", b->wide_x, IN_CACHE);
    write_floats(b, "wide-g", b->wide_g, IN_CACHE);
}

/* ---- One contender ---- */

static bool begin(bench *b, int who, const bench_case *c, const char *wide)
{
    char answer[ANSWER_SIZE];
    if (who == RILLE) {
        rille_set_threads(b->cx, c->threads);
        bench_case forward = *c;
        forward.backward = false;
        if (c->row == NULL)
            case_run(b->cx, &forward, 1, *wide ? b->wide_x : b->x, b->g, NULL, b->output);
        return true;
    }
    return peer_ask(&b->peers[who], answer, "case %s %s %zu %zu %d %s/%sx %s/%sg %s/y", c->name,
                    c->backward ? "backward" : "forward", c->rows, c->columns, c->threads, b->folder, wide, b->folder, wide,
                    b->folder) &&
           strcmp(answer, "ok") == 0;
}

static double run(bench *b, int who, const bench_case *c, long count)
{
    char answer[ANSWER_SIZE];
    if (who != RILLE)
        return peer_ask(&b->peers[who], answer, "run %ld", count) ? strtod(answer, NULL) : (double)NAN;
    double began = now();
    case_run(b->cx, c, count, b->x, b->g, b->output, b->y);
    return now() - began;
}

/* The worst error, having begun the case. right: nothing is off by more than a hundredth. */
static double error_of(bench *b, int who, const bench_case *c, const char *wide, bool *right)
{
    const float *x = *wide ? b->wide_x : b->x, *g = *wide ? b->wide_g : b->g;
    char answer[ANSWER_SIZE];
    double worst = 0;
    if (who == RILLE)
        case_run(b->cx, c, 1, x, g, b->output, b->y);
    else if (!(run(b, who, c, 1) >= 0) || !peer_ask(&b->peers[who], answer, "write") || !read_result(b, case_size(c)))
        return INFINITY;
    *right = true;
    for (size_t i = 0; i < case_size(c); i++) {
        double got = (double)b->y[i], ulp = ulp_error_double(&ulp_float32, got, b->exact[i]);
        worst = ulp <= worst ? worst : ulp;
        *right = *right && (isinf(got) || fabs(got - b->exact[i]) <= 0.01 * (1 + fabs(b->exact[i])));
    }
    return worst;
}

static void verify(bench *b, const bench_case *c, outcome result[CONTENDERS])
{
    bool ignored;
    for (int who = 0; who < CONTENDERS; who++)
        result[who] = (outcome){.ulp = NAN, .ulp_wide = NAN, .median = NAN};
    if (case_size(c) <= IN_CACHE && c->row != NULL) {
        case_reference(c, b->wide_x, b->wide_g, b->exact);
        for (int who = 0; who < CONTENDERS; who++)
            if (begin(b, who, c, "wide-"))
                result[who].ulp_wide = error_of(b, who, c, "wide-", &ignored);
    }
    if (case_size(c) <= IN_CACHE)
        case_reference(c, b->x, b->g, b->exact);
    for (int who = 0; who < CONTENDERS; who++) {
        result[who].has = result[who].right = begin(b, who, c, "");
        if (result[who].has && case_size(c) <= IN_CACHE)
            result[who].ulp = error_of(b, who, c, "", &result[who].right);
    }
}

/* ---- Timing ---- */

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void time_in_turns(bench *b, const bench_case *c, outcome result[CONTENDERS])
{
    double seconds[CONTENDERS][SAMPLES];
    long count[CONTENDERS];
    for (int who = 0; who < CONTENDERS; who++)
        for (count[who] = 1; result[who].right && run(b, who, c, count[who]) < SAMPLE_SECONDS;)
            count[who] *= 2;
    for (int i = 0; i < SAMPLES; i++)
        for (int who = 0; who < CONTENDERS; who++)
            if (result[who].right)
                seconds[who][i] = run(b, who, c, count[who]) / (double)count[who];
    for (int who = 0; who < CONTENDERS; who++) {
        qsort(seconds[who], SAMPLES, sizeof seconds[who][0], by_value);
        if (result[who].right)
            result[who].median = seconds[who][SAMPLES / 2];
    }
}

/* ---- The table ---- */

static void print_json(bench *b, const char *section, const bench_case *c, const char *pass, const outcome result[CONTENDERS])
{
    for (int who = 0; who < CONTENDERS; who++) {
        const outcome *r = &result[who];
        if (!r->has)
            continue;
        fprintf(b->json,
                "%s\n  {\"section\": \"%s\", \"activation\": \"%s\", \"pass\": \"%s\", \"rows\": %zu, \"columns\": %zu, "
                "\"threads\": %d, \"library\": \"%s\", \"right\": %s",
                b->any_json ? "," : "", section, c->name, pass, c->rows, c->columns, c->threads, labels[who],
                r->right ? "true" : "false");
        if (isfinite(r->median))
            fprintf(b->json, ", \"seconds\": %.9g", r->median);
        if (isfinite(r->ulp))
            fprintf(b->json, ", \"ulp\": %.9g", r->ulp);
        if (isfinite(r->ulp_wide))
            fprintf(b->json, ", \"ulp_wide\": %.9g", r->ulp_wide);
        fputc('}', b->json);
        b->any_json = true;
    }
}

static void print_error(double ulp)
{
    if (isnan(ulp))
        printf(" %8s", "");
    else
        printf(" %8.3g", ulp);
}

static void note_ratio(bench *b, double ratio, const char *name, const char *pass)
{
    b->log_ratios += log(ratio);
    if (b->lines == 0 || ratio < b->worst_ratio) {
        b->worst_ratio = ratio;
        snprintf(b->worst, sizeof b->worst, "%s %s", name, pass);
    }
    b->lines++;
}

/* Nothing where no peer has it. */
static void measure(bench *b, const char *section, const char *name, const bench_case *c)
{
    outcome result[CONTENDERS];
    double fastest = INFINITY;
    const char *pass = c->backward ? "backward" : "forward";
    const char *only = getenv("ONLY");
    if (only != NULL && strstr(name, only) == NULL)
        return;
    verify(b, c, result);
    if (!result[1].has && !result[2].has && !result[3].has)
        return;
    if (!result[RILLE].right || (c->row != NULL && result[RILLE].ulp >= 1)) {
        printf("%-20s %-8s  Rille is wrong by %g ULP; there is no point in timing it\n", name, pass, result[RILLE].ulp);
        return;
    }
    time_in_turns(b, c, result);
    printf("%-20s %-8s", name, pass);
    for (int who = 0; who < CONTENDERS; who++) {
        const outcome *r = &result[who];
        if (!r->has || !r->right) {
            printf("  %7s %17s", r->has ? "wrong" : "-", "");
            continue;
        }
        printf("  %7.2f", (double)case_size(c) / r->median * 1e-9);
        print_error(r->ulp);
        print_error(r->ulp_wide);
        if (who != RILLE)
            fastest = fmin(fastest, r->median);
    }
    printf("  %10.2f\n", fastest / result[RILLE].median);
    fflush(stdout);
    note_ratio(b, fastest / result[RILLE].median, name, pass);
    print_json(b, section, c, pass, result);
}

static void begin_section(bench *b, const char *title)
{
    b->lines = 0;
    b->log_ratios = 0;
    printf("\n%s\n\n%-29s", title, "");
    for (int who = 0; who < CONTENDERS; who++)
        printf("  %-25s", labels[who]);
    printf("\n%-20s %-8s", "activation", "pass");
    for (int who = 0; who < CONTENDERS; who++)
        printf("  %7s %8s %8s", "Gelem/s", "ULP", "anywhere");
    printf("  of fastest\n");
}

static void end_section(const bench *b)
{
    if (b->lines > 0)
        printf("geometric mean of %d ratios %.2f; the worst is %.2f, %s\n", b->lines, exp(b->log_ratios / b->lines),
               b->worst_ratio, b->worst);
}

static void measure_rows(bench *b, const char *title, size_t n, int threads)
{
    static activation_row rows[MOST_ROWS];
    int count = activation_rows(rows);
    begin_section(b, title);
    for (int i = 0; i < 2 * count; i++) {
        const activation_row *row = &rows[i / 2];
        if (row->defaults)
            measure(b, title, row->info->name,
                    &(bench_case){
                        .name = row->info->name, .row = row, .backward = i % 2, .rows = 1, .columns = n, .threads = threads});
    }
    end_section(b);
}

static void measure_softmax(bench *b, const char *title)
{
    static const size_t columns[] = {8, 64, 256, 1024, 65536};
    begin_section(b, title);
    for (size_t i = 0; i < 4 * sizeof columns / sizeof *columns; i++) {
        bench_case c = {.name = i & 1 ? "log_softmax" : "softmax", .logarithm = i & 1, .backward = i & 2, .threads = 1};
        c.columns = columns[i / 4];
        c.rows = IN_CACHE / c.columns;
        char name[64];
        snprintf(name, sizeof name, "%s of %zu", c.name, c.columns);
        measure(b, title, name, &c);
    }
    end_section(b);
}

/* ---- Calls from scripts: microseconds of one, with all that comes with it ---- */

static double call_seconds(const bench *b, peer *p, const char *op, size_t n)
{
    char answer[ANSWER_SIZE];
    double seconds[SAMPLES];
    if (!peer_ask(p, answer, "case %s call 1 %zu 1 %s/x %s/g %s/y", op, n, b->folder, b->folder, b->folder) ||
        strcmp(answer, "ok") != 0)
        return NAN;
    for (int i = -1; i < SAMPLES; i++) {
        if (!peer_ask(p, answer, "run 5000"))
            return NAN;
        if (i >= 0)
            seconds[i] = strtod(answer, NULL) / 5000;
    }
    qsort(seconds, SAMPLES, sizeof *seconds, by_value);
    return seconds[SAMPLES / 2];
}

static void measure_calls(bench *b)
{
    static const char *const ops[] = {"tanh", "relu", "add"};
    printf("\nA call from a script, microseconds: Rille from Lua, PyTorch from Python\n\n%-8s %8s  %8s  %8s  %6s\n", "call",
           "elements", "Rille", "PyTorch", "ratio");
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        for (size_t n = 16; n <= 4096; n *= 4) {
            double ours = call_seconds(b, &b->script, ops[i], n), theirs = call_seconds(b, &b->peers[2], ops[i], n);
            printf("%-8s %8zu  %8.2f  %8.2f  %6.2f\n", ops[i], n, ours * 1e6, theirs * 1e6, theirs / ours);
            if (isfinite(ours) && isfinite(theirs))
                fprintf(
                    b->json,
                    "%s\n  {\"section\": \"call\", \"call\": \"%s\", \"elements\": %zu, \"rille\": %.9g, \"pytorch\": %.9g}",
                    b->any_json ? "," : "", ops[i], n, ours, theirs);
            b->any_json = b->any_json || (isfinite(ours) && isfinite(theirs));
        }
}

static void start_peers(bench *b, const char *python, const char *rille)
{
    char onednn[ANSWER_SIZE];
    snprintf(onednn, sizeof onednn, "%s/onednn", b->folder);
    peer_start(&b->peers[1], (const char *[]){onednn, NULL});
    peer_start(&b->peers[2], (const char *[]){python, "tests/bench/peers/pytorch.py", NULL});
    peer_start(&b->peers[3], (const char *[]){"node", "tests/bench/peers/onnxruntime.js", b->folder, NULL});
    peer_start(&b->script, (const char *[]){rille, "tests/bench/peers/rille.lua", NULL});
    printf("Rille %s (%s)", RILLE_VERSION, rille_isa());
    for (int who = 1; who < CONTENDERS; who++)
        printf(", %s", b->peers[who].to != NULL ? b->peers[who].name : "");
    printf("\nfloat32. ULP: the worst error at the inputs that are timed (uniform in +-6), then at floats of all sizes.\n"
           "of fastest: time of the fastest peer / time of Rille; above 1, Rille is ahead.\n");
}

int main(int argc, char **argv)
{
    static bench b;
    char path[ANSWER_SIZE];
    if (argc != 4) {
        fprintf(stderr, "usage: %s FOLDER PYTHON RILLE\n", argv[0]);
        return 2;
    }
    b.folder = argv[1];
    b.cx = rille_open(NULL);
    snprintf(path, sizeof path, "%s/peers.json", b.folder);
    b.json = fopen(path, "w");
    if (b.cx == NULL || b.json == NULL) {
        fprintf(stderr, "bench: %s cannot be written, or memory is out\n", path);
        return 1;
    }
    make_inputs(&b);
    start_peers(&b, argv[2], argv[3]);
    fputc('[', b.json);
    measure_rows(&b, "In cache: 65,536 elements, one thread", IN_CACHE, 1);
    measure_softmax(&b, "Softmax: 65,536 elements in rows of so many, one thread");
    measure_rows(&b, "Past the caches: 16,777,216 elements, one thread", PAST_CACHES, 1);
    measure_rows(&b, "In cache: 65,536 elements, two threads", IN_CACHE, 2);
    measure_calls(&b);
    fputs("\n]\n", b.json);
    printf("\nThe same figures as JSON: %s\n", path);
    for (int who = 1; who < CONTENDERS; who++)
        peer_stop(&b.peers[who]);
    peer_stop(&b.script);
    rille_close(b.cx);
    return fclose(b.json) == 0 ? 0 : 1;
}
