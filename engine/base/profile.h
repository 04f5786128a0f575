/* Where time goes: rl_parallel_for and rl_parallel_map tell how long each operation's work took, while a profile is taken. */
#ifndef RL_BASE_PROFILE_H
#define RL_BASE_PROFILE_H

#include "rille.h"

typedef struct rl_profile {
    bool on;
    double began, ended; /* seconds of the clock */
    int count;
    rille_profile_row row[RILLE_MAX_PROFILE_ROWS];
    rille_profile_row next; /* what the next piece of work is, where somebody has said so */
} rl_profile;

/* What the next piece of work of this context does: floating-point operations of products, or bytes read and written; 0: not
 * known. name NULL: as the operation. */
void rl_profile_next(rille_context *cx, const char *name, double flops, double bytes);

double rl_profile_clock(void); /* seconds */
void rl_profile_add(rille_context *cx, const char *operation, double seconds);

#endif
