/* Kernels are compiled once per instruction set (every file named *kernels.c, with -DRL_ISA=v4 ...) and picked at start-up.
 *
 * In a kernels.h:   typedef struct rl_sum_kernels { ... } rl_sum_kernels;   RL_ISA_DECLARE(rl_sum_kernels)
 * In its kernels.c: const rl_sum_kernels RL_ISA_NAME(rl_sum_kernels) = { ... };
 * To call:          rl_sum_kernels_pick()->sum(...);
 */
#ifndef RL_BASE_ISA_H
#define RL_BASE_ISA_H

/* The sets that are compiled, best first. x86-64's are its psABI levels. The Makefile's list says the same. */
#if defined(__x86_64__)
#define RL_ISA_LIST(X, table) X(table, v4) X(table, v3) X(table, v2) X(table, generic)
#elif defined(__aarch64__)
#define RL_ISA_LIST(X, table) X(table, aarch64)
#else
#define RL_ISA_LIST(X, table) X(table, generic)
#endif

#define RL_ISA_JOIN_(table, isa) table##_##isa
#define RL_ISA_JOIN(table, isa) RL_ISA_JOIN_(table, isa)
#define RL_ISA_NAME(table) RL_ISA_JOIN(table, RL_ISA)
#define RL_ISA_EXTERN_(table, isa) extern const table RL_ISA_JOIN_(table, isa);
#define RL_ISA_ADDRESS_(table, isa) &RL_ISA_JOIN_(table, isa),

#define RL_ISA_DECLARE(table)                                                                                                  \
    RL_ISA_LIST(RL_ISA_EXTERN_, table)                                                                                         \
    static inline const table *table##_of(int isa)                                                                             \
    {                                                                                                                          \
        static const table *const by_isa[] = {RL_ISA_LIST(RL_ISA_ADDRESS_, table)};                                            \
        return by_isa[isa];                                                                                                    \
    }                                                                                                                          \
    static inline const table *table##_pick(void)                                                                              \
    {                                                                                                                          \
        return table##_of(rl_isa());                                                                                           \
    }

#define RL_ISA_ONE_(unused, isa) +1
enum { RL_ISA_COUNT = 0 RL_ISA_LIST(RL_ISA_ONE_, ) };

/* Position in RL_ISA_LIST of the set in use: the best that the CPU has, or the one that RILLE_ISA names if the CPU has it. */
int rl_isa(void);

/* The name of the set at this position; NULL where the CPU does not have it. */
const char *rl_isa_name(int set);

#endif
