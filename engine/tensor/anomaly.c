/* Anomaly mode: the first NaN or infinity is an error where it is made. */
#include "tensor/graph.h"

#include <math.h>
#include <stdio.h>

rille_anomaly rille_set_anomaly(rille_context *cx, rille_anomaly mode)
{
    rille_anomaly was = cx->anomaly;
    cx->anomaly = mode;
    return was;
}

typedef enum flaw { FINITE, INFINITE, NOT_A_NUMBER } flaw; /* the worse the larger */

typedef struct blemish {
    flaw kind;                  /* the worst that there is, */
    int64_t at[RILLE_MAX_RANK]; /* and where it is first */
} blemish;

static void look_at(const rille_tensor *t, const int64_t *at, blemish *worst)
{
    int64_t element = 0;
    for (int d = 0; d < t->rank; d++)
        element += at[d] * t->stride[d];
    double x = t->dtype == RILLE_FLOAT32 ? (double)((const float *)(const void *)rl_data(t))[element]
                                         : ((const double *)(const void *)rl_data(t))[element];
    const flaw kind = isnan(x) ? NOT_A_NUMBER : isinf(x) ? INFINITE : FINITE;
    if (kind <= worst->kind)
        return;
    worst->kind = kind;
    for (int d = 0; d < t->rank; d++)
        worst->at[d] = at[d];
}

static blemish find_blemish(const rille_tensor *t)
{
    blemish worst = {.kind = FINITE};
    int64_t at[RILLE_MAX_RANK] = {0};
    int64_t left = rl_is_floating(t->dtype) ? t->numel : 0;
    for (; left > 0 && worst.kind != NOT_A_NUMBER; left--) {
        look_at(t, at, &worst);
        for (int d = t->rank - 1; d >= 0 && ++at[d] == t->shape[d]; d--)
            at[d] = 0;
    }
    return worst;
}

/* " at [1, 3] of [2, 4]", or "" for a single number */
enum { PLACE_TEXT = 2 * RL_SHAPE_TEXT + 16 };
static const char *place_in(const rille_tensor *t, const blemish *b, char text[PLACE_TEXT])
{
    int64_t counted[RILLE_MAX_RANK];
    for (int d = 0; d < t->rank; d++)
        counted[d] = rl_counted(t->context, b->at[d]);
    text[0] = '\0';
    if (t->rank > 0)
        snprintf(text, PLACE_TEXT, " at %s of %s", rl_shape_text((char[RL_SHAPE_TEXT]){0}, t->rank, counted), RL_SHAPE(t));
    return text;
}

static const char *word_for(const blemish *b)
{
    return b->kind == NOT_A_NUMBER ? "NaN" : "an infinity";
}

bool rl_is_sound(const rille_tensor *out, const rl_op *op, int count, rille_tensor *const *inputs)
{
    rille_context *cx = out->context;
    char text[PLACE_TEXT];
    blemish made = find_blemish(out), worst = {.kind = FINITE};
    for (int i = 0; i < count && made.kind != FINITE; i++) {
        blemish given = find_blemish(inputs[i]);
        if (given.kind == NOT_A_NUMBER) {
            rl_fail(cx, RILLE_ERROR_NONFINITE, "%s: its operand %d has NaN%s", op->name, i + 1,
                    place_in(inputs[i], &given, text));
            return false;
        }
        if (given.kind > worst.kind)
            worst = given;
    }
    if (made.kind <= worst.kind)
        return true;
    rl_fail(cx, RILLE_ERROR_NONFINITE, "%s: made %s%s, from %s operands", op->name, word_for(&made), place_in(out, &made, text),
            worst.kind == FINITE ? "finite" : "infinite");
    return false;
}

bool rl_is_sound_gradient(const rl_node *node, const rille_tensor *g, int i, const rille_tensor *gradient)
{
    char text[PLACE_TEXT];
    blemish made = find_blemish(gradient), given = find_blemish(g);
    if (made.kind <= given.kind && given.kind != NOT_A_NUMBER)
        return true;
    if (given.kind == NOT_A_NUMBER)
        rl_fail(node->context, RILLE_ERROR_NONFINITE, "backward: '%s'%s%s was given a gradient with NaN%s", node->op->name,
                node->place == NULL ? "" : " of ", node->place == NULL ? "" : node->place, place_in(g, &given, text));
    else
        rl_fail(node->context, RILLE_ERROR_NONFINITE, "backward: '%s'%s%s made %s%s, the gradient of its operand %d",
                node->op->name, node->place == NULL ? "" : " of ", node->place == NULL ? "" : node->place, word_for(&made),
                place_in(gradient, &made, text), i + 1);
    return false;
}
