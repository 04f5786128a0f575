/* The steps of recurrent layers: in each the product with the hidden state, in tiles of rows that are fixed and go through time by
 * themselves, so that a thread waits for no other. */
#include "ops/recurrence.h"

#include "activations/kernels.h"
#include "base/parallel.h"
#include "ops/kernels.h"
#include "ops/panel_kernels.h"
#include "ops/recurrence_kernels.h"

enum { TILE = 16 };                           /* rows of a product */
static const double WORTH_A_THREAD = 1 << 19; /* multiplications of a chunk in one step */
static const double SEGMENT = 1 << 28;        /* and of all steps between two looks at whether the work was cancelled */

/* Of a [t][n, columns] the rows from `row` on in step t. */
static char *rows_at(const rl_sequence *s, const char *base, int64_t step_stride, int64_t columns, int64_t t, int64_t row)
{
    return (char *)base + (size_t)(t * step_stride + row * columns) * s->item;
}

static rl_recurrent_step step_of(const rl_sequence *s, int64_t t, int64_t row, int64_t rows)
{
    const int64_t wide = s->cell->gates * s->width, one = rl_sequence_block(s);
    rl_recurrent_step step = {.rows = (size_t)rows,
                              .width = (size_t)s->width,
                              .gates = rows_at(s, s->gates, s->n * wide, wide, t, row),
                              .h_before = rows_at(s, s->hidden, one, s->width, t, row),
                              .h = rows_at(s, s->hidden, one, s->width, t + 1, row),
                              .bias = s->bias};
    if (s->cell->has_c) {
        step.c_before = rows_at(s, s->kept, s->kept_stride, s->width, t, row);
        step.c = rows_at(s, s->kept, s->kept_stride, s->width, t + 1, row);
    } else if (s->cell->op == RL_OP_gru) {
        step.candidate = rows_at(s, s->kept, s->kept_stride, s->width, t, row);
    }
    if (s->product != NULL)
        step.product = rows_at(s, s->product, 0, wide, 0, row);
    return step;
}

static void step_forward(const rl_sequence *s, int64_t t, int64_t row, int64_t rows)
{
    const rl_recurrence_kernels *kernels = rl_recurrence_kernels_pick();
    const rl_recurrent_step step = step_of(s, t, row, rows);
    const bool separate = s->product != NULL;
    rl_panel_kernels_pick()->multiply[s->dtype](step.rows, step.width, step.width * (size_t)s->cell->gates, step.h_before,
                                                s->panels, separate ? (void *)step.product : step.gates, !separate);
    if (s->cell->op == RL_OP_lstm)
        kernels->lstm[s->dtype](&step);
    else if (s->cell->op == RL_OP_gru)
        kernels->gru[s->dtype](&step);
    else
        rl_activation_kernels_pick()->map[s->act][s->dtype][0]((size_t)(rows * s->width), step.gates, step.h, NULL);
}

static void step_backward(const rl_sequence *s, int64_t t, int64_t row, int64_t rows)
{
    const rl_recurrence_kernels *kernels = rl_recurrence_kernels_pick();
    const int64_t wide = s->cell->gates * s->width;
    rl_recurrent_step step = step_of(s, t, row, rows);
    step.g = rows_at(s, s->g, rl_sequence_block(s), s->width, t + 1, row);
    step.dh = rows_at(s, s->dh, 0, s->width, 0, row);
    step.d_gates = rows_at(s, s->d_gates, s->n * wide, wide, t, row);
    step.d_product = rows_at(s, s->d_product, s->n * wide, wide, t, row);
    if (s->cell->op == RL_OP_lstm) {
        step.dc = rows_at(s, s->dc, 0, s->width, 0, row);
        kernels->lstm_vjp[s->dtype](&step);
    } else if (s->cell->op == RL_OP_gru) {
        kernels->gru_vjp[s->dtype](&step);
    } else {
        const size_t count = (size_t)(rows * s->width);
        const ptrdiff_t next = (ptrdiff_t)s->item;
        rl_op_kernels_pick()->add[s->dtype](count, (char *[]){step.dh, step.dh, (char *)step.g},
                                            (ptrdiff_t[]){next, next, next});
        rl_activation_kernels_pick()->product[s->act][s->dtype][1](count, step.dh, step.gates, step.d_gates, NULL);
    }
    rl_panel_kernels_pick()->multiply[s->dtype](step.rows, (size_t)wide, step.width, step.d_product, s->panels, step.dh,
                                                s->cell->op == RL_OP_gru);
}

typedef void step_function(const rl_sequence *s, int64_t t, int64_t row, int64_t rows);

static void do_tiles(const rl_sequence *s, size_t begin, size_t end, bool backward)
{
    step_function *do_step = backward ? step_backward : step_forward;
    for (int64_t row = (int64_t)begin * TILE; row < (int64_t)end * TILE && row < s->n; row += TILE) {
        const int64_t rows = s->n - row < TILE ? s->n - row : TILE;
        for (int64_t i = s->from; i < s->to; i++)
            do_step(s, backward ? s->steps - 1 - i : i, row, rows);
    }
}

static void tiles_forward(void *work, size_t begin, size_t end)
{
    do_tiles(work, begin, end, false);
}

static void tiles_backward(void *work, size_t begin, size_t end)
{
    do_tiles(work, begin, end, true);
}

static rille_status go(rille_context *cx, rl_sequence *s, rl_body *body)
{
    if (rl_sequence_block(s) == 0)
        return RILLE_OK;
    const double cost = (double)TILE * (double)s->width * (double)s->width * s->cell->gates; /* of a tile in a step */
    const size_t tiles = rl_chunks((size_t)s->n, TILE),
                 grain = cost >= WORTH_A_THREAD ? 1 : (size_t)(WORTH_A_THREAD / cost) + 1;
    const double at_once = SEGMENT / (cost * (double)tiles);
    const int64_t segment = at_once < 1 ? 1 : at_once > (double)s->steps ? s->steps : (int64_t)at_once;
    rille_status status = RILLE_OK;
    for (s->from = 0; s->from < s->steps && status == RILLE_OK; s->from = s->to) {
        s->to = s->steps - s->from < segment ? s->steps : s->from + segment;
        rl_profile_next(cx, NULL,
                        2 * (double)s->n * (double)s->width * (double)s->width * s->cell->gates * (double)(s->to - s->from), 0);
        status = rl_parallel_for(cx, rl_ops[s->cell->op].name, tiles, grain, body, s);
    }
    return status;
}

rille_status rl_sequence_forward(rille_context *cx, rl_sequence *s)
{
    return go(cx, s, tiles_forward);
}

rille_status rl_sequence_backward(rille_context *cx, rl_sequence *s)
{
    return go(cx, s, tiles_backward);
}
