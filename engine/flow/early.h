/* Statistics that were taken while a tensor's elements were in cache, and are kept with it until something is written to it. */
#ifndef RL_FLOW_EARLY_H
#define RL_FLOW_EARLY_H

#include "tensor/tensor.h"

/* Those kept with t into *statistics; false where there are none of its elements as they are, or with other intervals. within:
 * NULL, or what is to be counted. */
bool rl_kept_statistics(const rille_tensor *t, const rille_intervals *within, rille_statistics *statistics);

/* All of t is read, and nothing kept (statistics.c). */
rille_status rl_measure_one(const char *operation, rille_tensor *t, const rille_intervals *within,
                            rille_statistics *statistics);

#endif
