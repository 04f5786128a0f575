#include "base/isa.h"

#include "rille.h"

#include <pthread.h>
#include <stdio.h>
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
static char refused[512]; /* why not the set that RILLE_ISA names, or empty */

/* Position of the set of that name, whether the CPU has it or not; RL_ISA_COUNT where there is none. */
static int find(const char *name)
{
    int i = 0;
    while (i < RL_ISA_COUNT && strcmp(name, isas[i].name) != 0)
        i++;
    return i;
}

/* Writes the names of all sets, or of those that the CPU has: "v3, v2, generic". */
static void list_names(char *text, size_t size, bool all)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < RL_ISA_COUNT && used < size; i++)
        if (all || isas[i].cpu_has())
            used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "", isas[i].name);
}

static void refuse(const char *wanted, bool is_known)
{
    char names[128];
    list_names(names, sizeof names, !is_known);
    snprintf(refused, sizeof refused, "RILLE_ISA=%.64s: %s (%s); %s is in use", wanted,
             is_known ? "this processor lacks that instruction set, it has"
                      : "there is no such instruction set, the library has",
             names, isas[picked].name);
}

static void pick(void)
{
    const char *wanted = getenv("RILLE_ISA");
    while (!isas[picked].cpu_has())
        picked++;
    if (wanted == NULL || *wanted == '\0')
        return;
    int named = find(wanted);
    if (named < RL_ISA_COUNT && isas[named].cpu_has())
        picked = named;
    else
        refuse(wanted, named < RL_ISA_COUNT);
}

int rl_isa(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, pick);
    return picked;
}

const char *rille_isa(void)
{
    return isas[rl_isa()].name;
}

const char *rille_isa_refused(void)
{
    rl_isa();
    return refused[0] == '\0' ? NULL : refused;
}

const char *rille_isa_name(int i)
{
    return i >= 0 && i < RL_ISA_COUNT ? isas[i].name : NULL;
}

bool rille_isa_runs(int i)
{
    return i >= 0 && i < RL_ISA_COUNT && isas[i].cpu_has();
}

const char *rl_isa_name(int set)
{
    return rille_isa_runs(set) ? rille_isa_name(set) : NULL;
}
