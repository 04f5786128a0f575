/* What runs over all floats have in common: which rows, orders and instruction sets are asked for, a journal, and how far it
 * has come. */
#ifndef TESTS_EXHAUSTIVE_RUN_H
#define TESTS_EXHAUSTIVE_RUN_H

#include "accuracy/rows.h"
#include "exhaustive/journal.h"

#include <stdio.h>

#define ALL_FLOATS ((uint64_t)1 << 32)

typedef struct run {
    journal journal;
    activation_row row[RILLE_ACTIVATION_COUNT]; /* with default parameters */
    int rows;
    bool order[ORDERS], isa[RL_ISA_COUNT]; /* which are wanted */
    double began, work, done;              /* seconds; floats swept or as many as take the time of something else */
    bool terminal;
} run;

/* Whether the environment's variable has this value, or none. */
bool is_asked(const char *variable, const char *value);

/* Reads ACT, ORDER and ISA. False where the library, or the CPU, has nothing like it. */
bool read_wishes(run *r);

/* To stderr: of `what`, which r->done has reached that fraction of; on a terminal always, else where it ends. */
void show_progress(const run *r, const char *what, double fraction, bool ends);
void clear_progress(const run *r);

/* Notes a result in the journal; where that cannot be written, says so and goes on. */
void record(run *r, const char *what, const char *result);

/* Prints a table of all that the journal knows to a file, and to stdout, and closes the journal. `print` returns how much is
 * wrong. Returns the program's exit status: 0 where nothing is, 1, or 2 where the file cannot be written. */
typedef int table_printer(FILE *out, const run *r);
int print_tables(run *r, const char *path, table_printer *print);

#endif
