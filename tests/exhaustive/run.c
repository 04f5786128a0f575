#include "exhaustive/run.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool is_asked(const char *variable, const char *value)
{
    const char *wanted = getenv(variable);
    return wanted == NULL || *wanted == '\0' || strcmp(wanted, value) == 0;
}

bool read_wishes(run *r)
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
    r->terminal = isatty(STDERR_FILENO);
    r->began = now();
    return r->rows > 0 && orders_wanted > 0 && isas_wanted > 0;
}

void show_progress(const run *r, const char *what, double fraction, bool ends)
{
    double elapsed = now() - r->began, left = r->done > 0 ? elapsed * (r->work - r->done) / r->done : 0.0;
    if (!r->terminal && !ends)
        return;
    fprintf(stderr, "%s%-32s %3.0f %%   %4.1f %% of all   %d:%02d:%02d left%s", r->terminal ? "\r" : "", what, 100 * fraction,
            100 * r->done / r->work, (int)left / 3600, (int)left / 60 % 60, (int)left % 60, r->terminal ? "  " : "\n");
    if (ends && r->terminal)
        fputc('\r', stderr);
}

void clear_progress(const run *r)
{
    if (r->terminal)
        fprintf(stderr, "%80s\r", "");
}

void record(run *r, const char *what, const char *result)
{
    if (!journal_add(&r->journal, what, result))
        fprintf(stderr, "%s cannot be written; going on without\n", r->journal.path);
}

int print_tables(run *r, const char *path, table_printer *print)
{
    FILE *table = fopen(path, "w");
    int failures = table == NULL ? 0 : print(table, r);
    if (table == NULL || fclose(table) != 0) {
        fprintf(stderr, "%s cannot be written\n", path);
        return 2;
    }
    print(stdout, r);
    journal_close(&r->journal);
    return failures > 0;
}
