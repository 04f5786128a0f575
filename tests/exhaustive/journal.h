/* What an exhaustive run has measured so far: one line of a file for each result, so that a run that was interrupted goes on
 * where it was. Results of another program (other kernels, that is) are dropped. */
#ifndef TESTS_EXHAUSTIVE_JOURNAL_H
#define TESTS_EXHAUSTIVE_JOURNAL_H

#include "rille.h"

typedef struct result {
    rille_activation act;
    rille_dtype dtype;
    int order, isa;
    double ulp, x, got; /* the worst, and where */
    uint64_t samples;
} result;

typedef struct journal {
    const char *path;
    uint64_t program; /* hash of its bytes */
    result *results;
    size_t count, room;
} journal;

/* Reads what the file at `path` holds of the program at `program`. */
void journal_open(journal *j, const char *path, const char *program);
void journal_close(journal *j);

/* Of at least so many samples; NULL where there is none yet. */
const result *journal_find(const journal *j, rille_activation act, rille_dtype dtype, int order, int isa, uint64_t samples);

/* Keeps a result, in the file as well. False where that cannot be written. */
bool journal_add(journal *j, const result *r);

#endif
