/* OpenBLAS picks its kernels by the CPU's model number, once, when it is loaded: before any code of this library runs. A model
 * that is newer than it gets those for Prescott (2004), whatever instructions it has, and products take four to six times as
 * long. Only OPENBLAS_CORETYPE in the environment of a new process helps. A library leaves that to whoever starts the process,
 * and says what it should be; the rille command does it. */
#include "base/blas.h"

#include "rille.h"

#include <cblas.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char config[256]; /* a copy: OpenBLAS puts its own together anew at each call, without a lock */

static void copy_config(void)
{
    snprintf(config, sizeof config, "%s", openblas_get_config());
}

const char *rille_blas(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, copy_config);
    return config;
}

const char *rille_blas_core(void)
{
    return openblas_get_corename();
}

/* No Prescott has AVX2, so whatever OpenBLAS knows keeps what it has. */
const char *rl_better_blas_core(const char *core, bool has_v4, bool has_v3)
{
    if (strcmp(core, "Prescott") != 0)
        return NULL;
    return has_v4 ? "SkylakeX" : has_v3 ? "Haswell" : NULL;
}

static bool cpu_has(const char *set)
{
    for (int i = 0; rille_isa_name(i) != NULL; i++)
        if (strcmp(rille_isa_name(i), set) == 0)
            return rille_isa_runs(i);
    return false;
}

const char *rille_blas_better_core(void)
{
    const bool can_choose = strstr(rille_blas(), "DYNAMIC_ARCH") != NULL && getenv("OPENBLAS_CORETYPE") == NULL;
    return can_choose ? rl_better_blas_core(rille_blas_core(), cpu_has("v4"), cpu_has("v3")) : NULL;
}
