/* How exact the activations are, the whole truth: float32 at all 2^32 inputs, float64 at POINTS of them a row, every order,
 * under every instruction set that the CPU has, at the default parameters.
 *
 *     accuracy JOURNAL TABLE     what was measured goes to JOURNAL at once, so a run may be interrupted and started again;
 *                                all that JOURNAL knows goes to TABLE
 *
 * The environment narrows it down: ACT=tanh ORDER=1 ISA=v3 DTYPE=float32, and POINTS=1e5 for float64. */
#include "accuracy/comparison.h"
#include "accuracy/numbers.h"
#include "accuracy/sweep.h"
#include "exhaustive/journal.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const double FLOAT32_BOUND = 1.0, FLOAT64_BOUND = 2.0;
static const uint64_t ALL_FLOATS = (uint64_t)1 << 32;

typedef struct run {
    journal journal;
    activation_row row[RILLE_ACTIVATION_COUNT]; /* with default parameters */
    int rows;
    bool order[ORDERS], isa[RL_ISA_COUNT], dtype[2]; /* which are wanted */
    size_t points;
    double began, work, done; /* seconds; floats swept or as many as take the time of a point */
    bool terminal;
} run;

/* ---- What is asked for ---- */

static bool is_asked(const char *variable, const char *value)
{
    const char *wanted = getenv(variable);
    return wanted == NULL || *wanted == '\0' || strcmp(wanted, value) == 0;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* False where there is nothing like it. */
static bool read_wishes(run *r)
{
    static activation_row rows[MOST_ROWS];
    static const char *const orders[ORDERS] = {"0", "1", "2"};
    int count = activation_rows(rows), orders_wanted = 0, isas_wanted = 0;
    for (int i = 0; i < count; i++)
        if (rows[i].defaults)
            r->row[r->rows++] = rows[i];
    for (int order = 0; order < ORDERS; order++)
        orders_wanted += r->order[order] = is_asked("ORDER", orders[order]);
    for (int isa = 0; isa < RL_ISA_COUNT; isa++)
        isas_wanted += r->isa[isa] = rl_isa_name(isa) != NULL && is_asked("ISA", rl_isa_name(isa));
    r->dtype[RILLE_FLOAT32] = is_asked("DTYPE", "float32");
    r->dtype[RILLE_FLOAT64] = is_asked("DTYPE", "float64");
    const char *wish = getenv("POINTS");
    r->points = wish == NULL || *wish == '\0' ? 10000000 : (size_t)strtod(wish, NULL);
    r->terminal = isatty(STDERR_FILENO);
    r->began = now();
    return r->rows > 0 && orders_wanted > 0 && isas_wanted > 0 && (r->dtype[0] || r->dtype[1]) && r->points > 0;
}

/* ---- Progress ---- */

enum { POINT_COST = 700 }; /* a point in MPFR takes about as long as so many floats do, each under four instruction sets */

static void show_progress(const run *r, const char *what, double fraction, bool ends)
{
    double elapsed = now() - r->began, left = r->done > 0 ? elapsed * (r->work - r->done) / r->done : 0.0;
    if (!r->terminal && !ends)
        return;
    fprintf(stderr, "%s%-32s %3.0f %%   %4.1f %% of all   %d:%02d:%02d left%s", r->terminal ? "\r" : "", what, 100 * fraction,
            100 * r->done / r->work, (int)left / 3600, (int)left / 60 % 60, (int)left % 60, r->terminal ? "  " : "\n");
    if (ends && r->terminal)
        fputc('\r', stderr);
}

/* ---- Measuring. True where it was not known yet. ---- */

static uint64_t samples_wanted(const run *r, rille_dtype dtype)
{
    return dtype == RILLE_FLOAT32 ? ALL_FLOATS : r->points;
}

static bool is_missing(const run *r, const activation_row *row, rille_dtype dtype, int order, bool missing[RL_ISA_COUNT])
{
    bool any = false;
    for (int isa = 0; isa < RL_ISA_COUNT; isa++) {
        missing[isa] = r->dtype[dtype] && r->order[order] && r->isa[isa] &&
                       journal_find(&r->journal, row->act, dtype, order, isa, samples_wanted(r, dtype)) == NULL;
        any = any || missing[isa];
    }
    return any;
}

static void record(run *r, const result *measured)
{
    if (!journal_add(&r->journal, measured))
        fprintf(stderr, "%s cannot be written; going on without\n", r->journal.path);
}

static void measure_float32(run *r, const activation_row *row, int order)
{
    enum { PARTS = 64 };
    const uint64_t share = ALL_FLOATS / PARTS;
    bool missing[RL_ISA_COUNT];
    sweep_error worst[RL_ISA_COUNT] = {{.ulp = 0.0}};
    char what[96];
    if (!is_missing(r, row, RILLE_FLOAT32, order, missing))
        return;
    snprintf(what, sizeof what, "float32 %s, %s", row->info->name, quantity_name[order]);
    for (uint64_t part = 0; part < PARTS; part++) {
        sweep_floats(row, order, part * share, (part + 1) * share, 1, missing, worst);
        r->done += (double)share;
        show_progress(r, what, (double)(part + 1) / PARTS, part + 1 == PARTS);
    }
    for (int isa = 0; isa < RL_ISA_COUNT; isa++)
        if (missing[isa])
            record(r, &(result){row->act, RILLE_FLOAT32, order, isa, worst[isa].ulp, (double)float_of_bits(worst[isa].bits),
                                (double)worst[isa].got, worst[isa].samples});
}

static void merge(error *into, const error *from)
{
    size_t samples = into->samples + from->samples;
    if (into->samples == 0 || from->ulp > into->ulp)
        *into = *from;
    into->samples = samples;
}

/* One evaluation of the formula serves all orders. The neighbourhoods first, then random points, a million at a time. */
static void measure_float64(run *r, const activation_row *row)
{
    enum { NEIGHBOURS = 2000, PART = 1000000 };
    error worst[RL_ISA_COUNT][QUANTITIES] = {{{.samples = 0}}}, part[RL_ISA_COUNT][QUANTITIES];
    bool missing[ORDERS][RL_ISA_COUNT], any = false;
    char what[96];
    for (int order = 0; order < ORDERS; order++)
        any |= is_missing(r, row, RILLE_FLOAT64, order, missing[order]);
    if (!any)
        return;
    snprintf(what, sizeof what, "float64 %s", row->info->name);
    for (size_t measured = 0, count; measured < r->points; measured += count) {
        points p = {.dtype = RILLE_FLOAT64};
        size_t left = r->points - measured;
        if (measured == 0) {
            add_special(&p, row, NEIGHBOURS);
            sort_points(&p);
        } else {
            add_random(&p, (left < PART ? left : PART) * 2 / 7 + 1, measured);
        }
        count = p.count;
        compare_with_formula(row, &p, ORDERS, part);
        for (int i = 0; i < RL_ISA_COUNT * ORDERS; i++)
            merge(&worst[i / ORDERS][i % ORDERS], &part[i / ORDERS][i % ORDERS]);
        free(p.x);
        r->done += POINT_COST * (double)(count < left ? count : left);
        show_progress(r, what, count < left ? 1 - (double)(left - count) / (double)r->points : 1, count >= left);
    }
    for (int order = 0; order < ORDERS; order++)
        for (int isa = 0; isa < RL_ISA_COUNT; isa++)
            if (missing[order][isa])
                record(r, &(result){row->act, RILLE_FLOAT64, order, isa, worst[isa][order].ulp, worst[isa][order].x,
                                    worst[isa][order].got, worst[isa][order].samples});
}

static void measure_all(run *r)
{
    bool missing[RL_ISA_COUNT];
    for (int i = 0; i < r->rows; i++) {
        bool any = false;
        for (int order = 0; order < ORDERS; order++) {
            r->work += is_missing(r, &r->row[i], RILLE_FLOAT32, order, missing) ? (double)ALL_FLOATS : 0.0;
            any |= is_missing(r, &r->row[i], RILLE_FLOAT64, order, missing);
        }
        r->work += any ? POINT_COST * (double)r->points : 0.0;
    }
    for (int i = 0; i < r->rows; i++)
        for (int order = 0; order < ORDERS; order++)
            measure_float32(r, &r->row[i], order);
    for (int i = 0; i < r->rows; i++)
        measure_float64(r, &r->row[i]);
    if (r->terminal)
        fprintf(stderr, "%80s\r", "");
}

/* ---- The table ---- */

static bool same(const result *a, const result *b)
{
    return a != NULL && b != NULL && a->ulp == b->ulp && a->x == b->x && a->got == b->got && a->samples == b->samples;
}

static void print_result(FILE *out, const result *r, const char *isas)
{
    float narrow = (float)r->x;
    uint32_t bits;
    memcpy(&bits, &narrow, sizeof bits);
    fprintf(out, "| %s | %s | %.4f | ", rille_activation_describe(r->act)->name, quantity_name[r->order], r->ulp);
    if (r->ulp == 0)
        fprintf(out, "everywhere | | ");
    else if (r->dtype == RILLE_FLOAT32)
        fprintf(out, "%.9g | %08x | ", r->x, (unsigned)bits);
    else
        fprintf(out, "%.17g | %a | ", r->x, r->x);
    fprintf(out, "%llu |%s |\n", (unsigned long long)r->samples, isas);
}

/* One line for all instruction sets that gave the same. Returns how many results are out of bounds. */
static int print_rows(FILE *out, const run *r, rille_dtype dtype)
{
    const double bound = dtype == RILLE_FLOAT32 ? FLOAT32_BOUND : FLOAT64_BOUND;
    int failures = 0;
    for (int i = 0; i < RILLE_ACTIVATION_COUNT * ORDERS; i++) {
        const result *found[RL_ISA_COUNT];
        for (int isa = 0; isa < RL_ISA_COUNT; isa++)
            found[isa] = journal_find(&r->journal, (rille_activation)(i / ORDERS), dtype, i % ORDERS, isa, 1);
        for (int isa = 0; isa < RL_ISA_COUNT; isa++) {
            char isas[64] = "";
            const result *this = found[isa];
            if (this == NULL)
                continue;
            for (int other = isa; other < RL_ISA_COUNT; other++)
                if (same(found[other], this)) {
                    snprintf(isas + strlen(isas), sizeof isas - strlen(isas), " %s", rl_isa_name(other));
                    found[other] = NULL;
                }
            failures += !(this->ulp<bound &&this->samples> 0);
            print_result(out, this, isas);
        }
    }
    return failures;
}

static int print_table(FILE *out, const run *r)
{
    fprintf(
        out,
        "# How exact the activations are\n\n"
        "Made by `make exhaustive`, which measures f, f' and f\" of every row of `engine/activations/activations.def` at the "
        "default parameters, under\nevery instruction set that the machine runs. One ULP is the distance of neighbouring "
        "numbers near the exact value or near the one that was\ngot, whichever is finer (`tests/reference/ulp.h`): less "
        "than 1 is faithful rounding, and 0.5 is the best there is.\n\n"
        "## float32, all 2^32 inputs\n\n"
        "Held against the float64 kernel of %s, whose own error, at most 2 ULP of a double by the table below, is "
        "2^-28 ULP of a float.\nNaN that did not give NaN would count as infinitely wrong.\n\n"
        "| activation | order | worst ULP | at x | bits of x | inputs | instruction sets |\n"
        "|---|---|---|---|---|---|---|\n",
        rl_isa_name(best_isa()));
    int failures = print_rows(out, r, RILLE_FLOAT32);
    fprintf(
        out,
        "\n## float64, at points of all sizes and closely around kinks, sign changes, saturation, overflow and underflow of f, "
        "f' and f\"\n\n"
        "Held against the formula in MPFR, differentiated there, with as many bits as it takes (`tests/reference/formula.h`)."
        "\n\n"
        "| activation | order | worst ULP | at x | in hexadecimal | points | instruction sets |\n"
        "|---|---|---|---|---|---|---|\n");
    failures += print_rows(out, r, RILLE_FLOAT64);
    fprintf(out, "\n%d of these are out of bounds (float32: %g, float64: %g).\n", failures, FLOAT32_BOUND, FLOAT64_BOUND);
    return failures;
}

int main(int argc, char **argv)
{
    static run r;
    if (argc != 3) {
        fprintf(stderr, "usage: %s JOURNAL TABLE\n", argv[0]);
        return 2;
    }
    if (!read_wishes(&r)) {
        fprintf(stderr, "%s: there is no such ACT, ORDER, ISA or DTYPE here, or POINTS is no number\n", argv[0]);
        return 2;
    }
    journal_open(&r.journal, argv[1], argv[0]);
    measure_all(&r);
    FILE *table = fopen(argv[2], "w");
    if (table == NULL || print_table(table, &r) < 0 || fclose(table) != 0) {
        fprintf(stderr, "%s: %s cannot be written\n", argv[0], argv[2]);
        return 2;
    }
    int failures = print_table(stdout, &r);
    journal_close(&r.journal);
    return failures > 0;
}
