/* Where instruction sets that round alike give other bits than one another: float32 at all 2^32 inputs, every order, at the
 * default parameters. That takes a fraction of what accuracy.c takes, and where the bits are the same, so are the errors.
 *
 *     agreement JOURNAL TABLE    what was compared goes to JOURNAL at once, so a run may be interrupted and started again;
 *                                all that JOURNAL knows goes to TABLE
 *
 * The environment narrows it down: ACT=tanh ORDER=1 ISA=v3. */
#include "accuracy/numbers.h"
#include "accuracy/sweep.h"
#include "exhaustive/run.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- Results ---- */

typedef char name_of_result[96];

static void name_result(name_of_result name, rille_activation act, int order, int isa)
{
    snprintf(name, sizeof(name_of_result), "%s %d %s %s", rille_activation_describe(act)->name, order,
             rl_isa_name(isa_alike(isa)), rl_isa_name(isa));
}

/* False where the two were not compared yet. */
static bool find_result(const run *r, rille_activation act, int order, int isa, sweep_difference *found)
{
    name_of_result name;
    name_result(name, act, order, isa);
    const char *noted = journal_find(&r->journal, name);
    return noted != NULL && sscanf(noted, "%" SCNu64 " %" SCNx32 " %a %a %" SCNu64, &found->count, &found->bits,
                                   &found->expected, &found->got, &found->samples) == 5;
}

static void record_result(run *r, rille_activation act, int order, int isa, const sweep_difference *found)
{
    name_of_result name;
    char noted[128];
    name_result(name, act, order, isa);
    snprintf(noted, sizeof noted, "%" PRIu64 " %08" PRIx32 " %a %a %" PRIu64, found->count, found->bits,
             (double)found->expected, (double)found->got, found->samples);
    record(r, name, noted);
}

/* ---- Comparing ---- */

static bool has_peer(int isa)
{
    return rl_isa_name(isa) != NULL && isa_alike(isa) != isa;
}

static bool is_missing(const run *r, const activation_row *row, int order, bool missing[RL_ISA_COUNT])
{
    bool any = false;
    sweep_difference known;
    for (int isa = 0; isa < RL_ISA_COUNT; isa++) {
        missing[isa] = r->order[order] && r->isa[isa] && has_peer(isa) && !find_result(r, row->act, order, isa, &known);
        any = any || missing[isa];
    }
    return any;
}

static void compare(run *r, const activation_row *row, int order)
{
    enum { PARTS = 64 };
    const uint64_t share = ALL_FLOATS / PARTS;
    bool missing[RL_ISA_COUNT];
    sweep_difference found[RL_ISA_COUNT] = {{.count = 0}};
    char what[96];
    if (!is_missing(r, row, order, missing))
        return;
    snprintf(what, sizeof what, "%s, %s", row->info->name, quantity_name[order]);
    for (uint64_t part = 0; part < PARTS; part++) {
        sweep_differences(row, order, part * share, (part + 1) * share, 1, missing, found);
        r->done += (double)share;
        show_progress(r, what, (double)(part + 1) / PARTS, part + 1 == PARTS);
    }
    for (int isa = 0; isa < RL_ISA_COUNT; isa++)
        if (missing[isa])
            record_result(r, row->act, order, isa, &found[isa]);
}

static void compare_all(run *r)
{
    bool missing[RL_ISA_COUNT];
    for (int i = 0; i < r->rows; i++)
        for (int order = 0; order < ORDERS; order++)
            r->work += is_missing(r, &r->row[i], order, missing) ? (double)ALL_FLOATS : 0.0;
    for (int i = 0; i < r->rows; i++)
        for (int order = 0; order < ORDERS; order++)
            compare(r, &r->row[i], order);
    clear_progress(r);
}

/* ---- The table ---- */

static void print_result(FILE *out, rille_activation act, int order, int isa, const sweep_difference *found)
{
    fprintf(out, "| %s | %s | %s %s | %" PRIu64 " | %" PRIu64 " |", rille_activation_describe(act)->name, quantity_name[order],
            rl_isa_name(isa_alike(isa)), rl_isa_name(isa), found->samples, found->count);
    if (found->count == 0)
        fprintf(out, " | | |\n");
    else
        fprintf(out, " %.9g | %08" PRIx32 " | %.9g %.9g |\n", (double)float_of_bits(found->bits), found->bits,
                (double)found->expected, (double)found->got);
}

/* Returns how many of the lines tell of a difference, or of fewer than all floats. */
static int print_table(FILE *out, const run *r)
{
    int lines = 0, failures = 0;
    fprintf(out,
            "## The bits of float32 under instruction sets that round alike, all 2^32 inputs\n\n"
            "Made by `make exhaustive-agreement`. Where they are the same, so is the error. Every NaN counts as the same.\n\n"
            "| activation | order | instruction sets | inputs | differ | first at x | bits of x | values there |\n"
            "|---|---|---|---|---|---|---|---|\n");
    for (int i = 0; i < RILLE_ACTIVATION_COUNT * ORDERS; i++)
        for (int isa = 0; isa < RL_ISA_COUNT; isa++) {
            sweep_difference found;
            if (!has_peer(isa) || !find_result(r, (rille_activation)(i / ORDERS), i % ORDERS, isa, &found))
                continue;
            print_result(out, (rille_activation)(i / ORDERS), i % ORDERS, isa, &found);
            lines++;
            failures += !(found.count == 0 && found.samples == ALL_FLOATS);
        }
    fprintf(out, "\n%d of these %d differ.\n", failures, lines);
    return failures + (lines == 0);
}

static bool has_work(const run *r)
{
    for (int isa = 0; isa < RL_ISA_COUNT; isa++)
        if (r->isa[isa] && has_peer(isa))
            return true;
    return false;
}

int main(int argc, char **argv)
{
    static run r;
    if (argc != 3) {
        fprintf(stderr, "usage: %s JOURNAL TABLE\n", argv[0]);
        return 2;
    }
    if (!read_wishes(&r) || !has_work(&r)) {
        fprintf(stderr, "%s: there is no such ACT or ORDER here, or no ISA that rounds as a better one does\n", argv[0]);
        return 2;
    }
    journal_open(&r.journal, argv[1], argv[0]);
    compare_all(&r);
    return print_tables(&r, argv[2], print_table);
}
