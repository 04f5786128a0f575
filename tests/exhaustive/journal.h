/* What an exhaustive run has measured so far: one line of a file for each result, so that a run that was interrupted goes on
 * where it was. Results of another program (other kernels, that is) are dropped. */
#ifndef TESTS_EXHAUSTIVE_JOURNAL_H
#define TESTS_EXHAUSTIVE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct journal {
    const char *path;
    uint64_t program; /* hash of its bytes */
    char **lines;     /* "what: result" */
    size_t count, room;
} journal;

/* Reads what the file at `path` holds of the program at `program`. */
void journal_open(journal *j, const char *path, const char *program);
void journal_close(journal *j);

/* The last result that was noted for `what`, as it was noted; NULL where there is none yet. */
const char *journal_find(const journal *j, const char *what);

/* Notes a result, in the file as well. False where that cannot be written. */
bool journal_add(journal *j, const char *what, const char *result);

#endif
