/* What is known of each activation, from activations.def. */
#include "activations/map.h"

#include "base/context.h"
#include "math/xielu.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

/* ---- Tables, in the order of the rows ---- */

#define PARAMETERS(...) __VA_ARGS__
#define PROPERTIES(...) __VA_ARGS__
#define FORMULA(text) text
#define SOURCE(text) text

#define NO_PARAMETERS
#define P(name, initial, low, high) +1
#define ACTIVATION(name, width, parameters, ...) name##_parameter_count = 0 parameters,
enum {
#include "activations/activations.def"
};
#undef ACTIVATION
#undef P

#define P(name, initial, low, high)                                                                                            \
    const double name = *params++;                                                                                             \
    (void)name;
#define ACTIVATION(name, width, parameters, f, df, ddf, properties, formula, source)                                           \
    static rille_activation_properties name##_properties(const double *params)                                                 \
    {                                                                                                                          \
        (void)params;                                                                                                          \
        parameters return (rille_activation_properties){properties};                                                           \
    }
#include "activations/activations.def"
#undef ACTIVATION
#undef P
#undef NO_PARAMETERS

#define ACTIVATION(name, ...) name##_properties,
typedef rille_activation_properties properties_function(const double *params);
static properties_function *const properties_of[RILLE_ACTIVATION_COUNT] = {
#include "activations/activations.def"
};
#undef ACTIVATION

#define NO_PARAMETERS 0
#define P(name, initial, low, high) initial,
#define ACTIVATION(name, width, parameters, ...) {parameters},
static const double initial_parameters[RILLE_ACTIVATION_COUNT][RILLE_MAX_PARAMETERS] = {
#include "activations/activations.def"
};
#undef ACTIVATION
#undef P
#undef NO_PARAMETERS

#define NO_PARAMETERS {NULL, 0, 0, 0, false},
#define P(name, initial, low, high) {#name, initial, low, high, false},
#define LEARNABLE(name, initial, low, high, ...) {#name, initial, low, high, true},
#define ACTIVATION(name, width, parameters, f, df, ddf, properties, formula, source)                                           \
    {#name, formula, source, name##_parameter_count, {parameters}},
static const rille_activation_info infos[RILLE_ACTIVATION_COUNT] = {
#include "activations/activations.def"
};
#undef ACTIVATION
#undef LEARNABLE
#undef P
#undef NO_PARAMETERS

/* ---- Look-up ---- */

static bool is_activation(rille_activation act)
{
    return (int)act >= 0 && (int)act < RILLE_ACTIVATION_COUNT;
}

rille_activation rille_activation_find(const char *name)
{
    for (int i = 0; name != NULL && i < RILLE_ACTIVATION_COUNT; i++)
        if (strcmp(infos[i].name, name) == 0)
            return (rille_activation)i;
    return RILLE_ACTIVATION_NONE;
}

const rille_activation_info *rille_activation_describe(rille_activation act)
{
    return is_activation(act) ? &infos[act] : NULL;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Of the shortest way from a to b by inserting, deleting, replacing a character or swapping two neighbours (restricted
 * Damerau-Levenshtein); capitals count as small letters. Any a; b shorter than LONGEST. */
enum { LONGEST = 64 };
static size_t edit_distance(const char *a, const char *b)
{
    const size_t length = strlen(b);
    size_t table[3][LONGEST]; /* the last rows: [i][j] is the distance of a's first i characters from b's first j */
    size_t *before = table[0], *above = table[1], *row = table[2];
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t *reused = before;
        before = above, above = row, row = reused;
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            const int last_a = tolower((unsigned char)a[i - 1]), last_b = tolower((unsigned char)b[j - 1]);
            row[j] = smaller(smaller(above[j], row[j - 1]) + 1, above[j - 1] + (last_a != last_b));
            if (i > 1 && j > 1 && last_a == tolower((unsigned char)b[j - 2]) && tolower((unsigned char)a[i - 2]) == last_b)
                row[j] = smaller(row[j], before[j - 2] + 1);
        }
    }
    return row[length];
}

const char *rille_activation_nearest(const char *name)
{
    const char *nearest = NULL;
    size_t least = SIZE_MAX;
    for (int i = 0; name != NULL && i < RILLE_ACTIVATION_COUNT; i++) {
        const size_t distance = edit_distance(name, infos[i].name);
        if (distance < least) {
            least = distance;
            nearest = infos[i].name;
        }
    }
    return nearest;
}

/* ---- Parameters ---- */

const double *rl_activation_parameters(rille_context *cx, rille_activation act, const double *params)
{
    if (!is_activation(act)) {
        rl_fail(cx, RILLE_ERROR_ARGUMENT, "there is no activation %d; they are 0 to %d", (int)act, RILLE_ACTIVATION_COUNT - 1);
        return NULL;
    }
    const rille_activation_info *info = &infos[act];
    if (params == NULL || info->parameter_count == 0)
        return initial_parameters[act];
    for (int i = 0; i < info->parameter_count; i++) {
        const rille_parameter *p = &info->parameter[i];
        const double value = isnan(params[i]) ? fabs(params[i]) : params[i]; /* a NaN prints its sign bit */
        if (!(value >= p->low && value <= p->high)) {
            rl_fail(cx, RILLE_ERROR_ARGUMENT, "%s: parameter %s is %g; allowed are %g to %g", info->name, p->name, value,
                    p->low, p->high);
            return NULL;
        }
    }
    return params;
}

rille_status rille_activation_evaluate(rille_context *cx, rille_activation act, const double *params,
                                       rille_activation_properties *properties)
{
    if (cx == NULL)
        return RILLE_ERROR_NULL;
    if (properties == NULL)
        return rl_fail(cx, RILLE_ERROR_NULL, "rille_activation_evaluate: properties is NULL");
    const double *checked = rl_activation_parameters(cx, act, params);
    if (checked == NULL)
        return RILLE_ERROR_ARGUMENT;
    *properties = properties_of[act](checked);
    return RILLE_OK;
}
