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
#include "exhaustive/run.h"

#include <inttypes.h>
#include <stdio.h>

static const double FLOAT32_BOUND = 1.0, FLOAT64_BOUND = 2.0;

typedef struct task {
    run run;
    bool dtype[2]; /* which are wanted */
    size_t points; /* of float64 */
} task;

enum { POINT_COST = 700 }; /* a point in MPFR takes about as long as so many floats do, each under four instruction sets */

/* False where there is nothing like it. */
static bool read_all_wishes(task *t)
{
    t->dtype[RILLE_FLOAT32] = is_asked("DTYPE", "float32");
    t->dtype[RILLE_FLOAT64] = is_asked("DTYPE", "float64");
    const char *wish = getenv("POINTS");
    t->points = wish == NULL || *wish == '\0' ? 10000000 : (size_t)strtod(wish, NULL);
    return read_wishes(&t->run) && (t->dtype[0] || t->dtype[1]) && t->points > 0;
}

/* ---- Results ---- */

typedef struct result {
    rille_activation act;
    rille_dtype dtype;
    int order, isa;
    double ulp, x, got; /* the worst, and where */
    uint64_t samples;
} result;

typedef char name_of_result[96];

static void name_result(name_of_result name, const result *r)
{
    snprintf(name, sizeof(name_of_result), "%s %s %d %s", rille_activation_describe(r->act)->name, rille_dtype_name(r->dtype),
             r->order, rl_isa_name(r->isa));
}

/* Of at least so many samples: fills in the rest of r. False where there is none yet. */
static bool find_result(const run *of, result *r, uint64_t samples)
{
    name_of_result name;
    name_result(name, r);
    const char *noted = journal_find(&of->journal, name);
    return noted != NULL && sscanf(noted, "%la %la %la %" SCNu64, &r->ulp, &r->x, &r->got, &r->samples) == 4 &&
           r->samples >= samples;
}

static void record_result(run *of, const result *r)
{
    name_of_result name;
    char noted[128];
    name_result(name, r);
    snprintf(noted, sizeof noted, "%a %a %a %" PRIu64, r->ulp, r->x, r->got, r->samples);
    record(of, name, noted);
}

/* ---- Measuring. True where it was not known yet. ---- */

static uint64_t samples_wanted(const task *t, rille_dtype dtype)
{
    return dtype == RILLE_FLOAT32 ? ALL_FLOATS : t->points;
}

static bool is_missing(const task *t, const activation_row *row, rille_dtype dtype, int order, bool missing[RL_ISA_COUNT])
{
    bool any = false;
    for (int isa = 0; isa < RL_ISA_COUNT; isa++) {
        missing[isa] = t->dtype[dtype] && t->run.order[order] && t->run.isa[isa] &&
                       !find_result(&t->run, &(result){row->act, dtype, order, isa, .ulp = 0}, samples_wanted(t, dtype));
        any = any || missing[isa];
    }
    return any;
}

static void measure_float32(task *t, const activation_row *row, int order)
{
    enum { PARTS = 64 };
    const uint64_t share = ALL_FLOATS / PARTS;
    bool missing[RL_ISA_COUNT];
    sweep_error worst[RL_ISA_COUNT] = {{.ulp = 0.0}};
    char what[96];
    if (!is_missing(t, row, RILLE_FLOAT32, order, missing))
        return;
    snprintf(what, sizeof what, "float32 %s, %s", row->info->name, quantity_name[order]);
    for (uint64_t part = 0; part < PARTS; part++) {
        sweep_floats(row, order, part * share, (part + 1) * share, 1, missing, worst);
        t->run.done += (double)share;
        show_progress(&t->run, what, (double)(part + 1) / PARTS, part + 1 == PARTS);
    }
    for (int isa = 0; isa < RL_ISA_COUNT; isa++)
        if (missing[isa])
            record_result(&t->run,
                          &(result){row->act, RILLE_FLOAT32, order, isa, worst[isa].ulp, (double)float_of_bits(worst[isa].bits),
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
static void measure_float64(task *t, const activation_row *row)
{
    enum { NEIGHBOURS = 2000, PART = 1000000 };
    error worst[RL_ISA_COUNT][QUANTITIES] = {{{.samples = 0}}}, part[RL_ISA_COUNT][QUANTITIES];
    bool missing[ORDERS][RL_ISA_COUNT], any = false;
    char what[96];
    for (int order = 0; order < ORDERS; order++)
        any |= is_missing(t, row, RILLE_FLOAT64, order, missing[order]);
    if (!any)
        return;
    snprintf(what, sizeof what, "float64 %s", row->info->name);
    for (size_t measured = 0, count; measured < t->points; measured += count) {
        points p = {.dtype = RILLE_FLOAT64};
        size_t left = t->points - measured;
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
        t->run.done += POINT_COST * (double)(count < left ? count : left);
        show_progress(&t->run, what, count < left ? 1 - (double)(left - count) / (double)t->points : 1, count >= left);
    }
    for (int order = 0; order < ORDERS; order++)
        for (int isa = 0; isa < RL_ISA_COUNT; isa++)
            if (missing[order][isa])
                record_result(&t->run, &(result){row->act, RILLE_FLOAT64, order, isa, worst[isa][order].ulp,
                                                 worst[isa][order].x, worst[isa][order].got, worst[isa][order].samples});
}

static void measure_all(task *t)
{
    run *r = &t->run;
    bool missing[RL_ISA_COUNT];
    for (int i = 0; i < r->rows; i++) {
        bool any = false;
        for (int order = 0; order < ORDERS; order++) {
            r->work += is_missing(t, &r->row[i], RILLE_FLOAT32, order, missing) ? (double)ALL_FLOATS : 0.0;
            any |= is_missing(t, &r->row[i], RILLE_FLOAT64, order, missing);
        }
        r->work += any ? POINT_COST * (double)t->points : 0.0;
    }
    for (int i = 0; i < r->rows; i++)
        for (int order = 0; order < ORDERS; order++)
            measure_float32(t, &r->row[i], order);
    for (int i = 0; i < r->rows; i++)
        measure_float64(t, &r->row[i]);
    clear_progress(r);
}

/* ---- The table ---- */

static bool same(const result *a, const result *b)
{
    return a->ulp == b->ulp && a->x == b->x && a->got == b->got && a->samples == b->samples;
}

static void print_result(FILE *out, const result *r, const char *isas)
{
    fprintf(out, "| %s | %s | %.4f | ", rille_activation_describe(r->act)->name, quantity_name[r->order], r->ulp);
    if (r->ulp == 0)
        fprintf(out, "everywhere | | ");
    else if (r->dtype == RILLE_FLOAT32)
        fprintf(out, "%.9g | %08x | ", r->x, (unsigned)bits_of_float((float)r->x));
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
        result results[RL_ISA_COUNT];
        bool found[RL_ISA_COUNT];
        for (int isa = 0; isa < RL_ISA_COUNT; isa++) {
            results[isa] = (result){(rille_activation)(i / ORDERS), dtype, i % ORDERS, isa, .ulp = 0};
            found[isa] = rl_isa_name(isa) != NULL && find_result(r, &results[isa], 1);
        }
        for (int isa = 0; isa < RL_ISA_COUNT; isa++) {
            char isas[64] = "";
            const result *this = &results[isa];
            if (!found[isa])
                continue;
            for (int other = isa; other < RL_ISA_COUNT; other++)
                if (found[other] && same(&results[other], this)) {
                    snprintf(isas + strlen(isas), sizeof isas - strlen(isas), " %s", rl_isa_name(other));
                    found[other] = false;
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
    static task t;
    if (argc != 3) {
        fprintf(stderr, "usage: %s JOURNAL TABLE\n", argv[0]);
        return 2;
    }
    if (!read_all_wishes(&t)) {
        fprintf(stderr, "%s: there is no such ACT, ORDER, ISA or DTYPE here, or POINTS is no number\n", argv[0]);
        return 2;
    }
    journal_open(&t.run.journal, argv[1], argv[0]);
    measure_all(&t);
    return print_tables(&t.run, argv[2], print_table);
}
