#include "base/isa.h"

#include "rille.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
static bool cpu_has_v4(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static bool cpu_has_v3(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
}

static bool cpu_has_v2(void)
{
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
}
#endif

static bool cpu_has_generic(void)
{
    return true;
}

#if defined(__aarch64__)
static bool cpu_has_aarch64(void)
{
    return true;
}
#endif

typedef struct isa {
    const char *name;
    bool (*cpu_has)(void);
} isa;

#define ISA_ROW(unused, name) {#name, cpu_has_##name},
static const isa isas[RL_ISA_COUNT] = {RL_ISA_LIST(ISA_ROW, )};

static int picked;

static void pick(void)
{
    const char *wanted = getenv("RILLE_ISA");
    int best = -1;
    for (int i = RL_ISA_COUNT - 1; i >= 0; i--)
        if (isas[i].cpu_has())
            best = i;
    picked = best;
    for (int i = 0; wanted != NULL && i < RL_ISA_COUNT; i++)
        if (strcmp(wanted, isas[i].name) == 0 && isas[i].cpu_has())
            picked = i;
}

int rl_isa(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, pick);
    return picked;
}

const char *rl_isa_name(int set)
{
    return isas[set].cpu_has() ? isas[set].name : NULL;
}

const char *rille_isa(void)
{
    return isas[rl_isa()].name;
}
