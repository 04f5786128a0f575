/* Another library in a process of its own, which is asked line by line over its standard input and answers each line with one:
 *
 *     name                                                  what it is, with its version
 *     case OP PASS ROWS COLUMNS THREADS X DY Y              "ok", or "none" where it has no such thing. PASS is forward, backward
 *                                                           or call (from a script, all that a call costs); X, DY and Y are
 *                                                           files of float32, the last of which it may have to write
 *     run COUNT                                             the seconds that so many runs of the case took
 *     write                                                 "ok", once the result of a run is in Y
 */
#ifndef TESTS_BENCH_PEER_H
#define TESTS_BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

typedef struct peer {
    char name[64]; /* "" where it is not to be had */
    FILE *to, *from;
    pid_t process;
} peer;

enum { ANSWER_SIZE = 256 };

/* Starts the command (ending with NULL) and asks for its name. */
void peer_start(peer *p, const char *const command[]);
void peer_stop(peer *p);

/* Sends the line that printf would print and reads the answer. False where the peer is gone; it is not asked again then. */
__attribute__((format(printf, 3, 4))) bool peer_ask(peer *p, char answer[ANSWER_SIZE], const char *format, ...);

#endif
