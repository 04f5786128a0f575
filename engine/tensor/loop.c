#include "tensor/loop.h"

#include "base/parallel.h"

rl_loop rl_loop_over(int rank, const int64_t *shape)
{
    rl_loop loop = {.rank = rank};
    for (int d = 0; d < rank; d++)
        loop.shape[d] = shape[d];
    return loop;
}

void rl_loop_add(rl_loop *loop, const rille_tensor *t)
{
    int operand = loop->operands++;
    int missing = loop->rank - t->rank; /* leading dimensions that t does not have */
    loop->base[operand] = rl_data(t);
    for (int d = missing; d < loop->rank; d++)
        if (t->shape[d - missing] != 1)
            loop->stride[operand][d] = (ptrdiff_t)t->stride[d - missing] * (ptrdiff_t)rille_dtype_size(t->dtype);
}

/* Whether dimension `outer` steps on exactly where `inner` ends, in every operand. */
static bool runs_on(const rl_loop *loop, int outer, int inner)
{
    for (int i = 0; i < loop->operands; i++)
        if (loop->stride[i][outer] != loop->stride[i][inner] * (ptrdiff_t)loop->shape[inner])
            return false;
    return true;
}

static void set_dimension(rl_loop *loop, int to, int from, int64_t size)
{
    loop->shape[to] = size;
    for (int i = 0; i < loop->operands; i++)
        loop->stride[i][to] = loop->stride[i][from];
}

static void merge_dimensions(rl_loop *loop)
{
    int kept = 0;
    for (int d = 0; d < loop->rank; d++) {
        if (loop->shape[d] == 1)
            continue;
        if (kept > 0 && runs_on(loop, kept - 1, d))
            set_dimension(loop, kept - 1, d, loop->shape[kept - 1] * loop->shape[d]);
        else
            set_dimension(loop, kept++, d, loop->shape[d]);
    }
    if (kept == 0)
        loop->shape[kept++] = 1;
    loop->rank = kept;
}

typedef struct loop_work {
    const rl_loop *loop;
    rl_inner *inner;
} loop_work;

static void do_range(void *work, size_t begin, size_t end)
{
    const rl_loop *loop = ((loop_work *)work)->loop;
    int last = loop->rank - 1;
    int64_t at[RILLE_MAX_RANK];
    ptrdiff_t stride[RL_LOOP_OPERANDS] = {0};
    size_t rest = begin;
    for (int d = last; d >= 0; d--) {
        at[d] = (int64_t)(rest % (size_t)loop->shape[d]);
        rest /= (size_t)loop->shape[d];
    }
    for (int i = 0; i < loop->operands; i++)
        stride[i] = loop->stride[i][last];

    while (begin < end) {
        char *p[RL_LOOP_OPERANDS] = {NULL};
        for (int i = 0; i < loop->operands; i++) {
            p[i] = loop->base[i];
            for (int d = 0; d <= last; d++)
                p[i] += at[d] * loop->stride[i][d];
        }
        size_t n = (size_t)(loop->shape[last] - at[last]);
        if (n > end - begin)
            n = end - begin;
        ((loop_work *)work)->inner(n, p, stride);
        begin += n;
        at[last] = 0;
        for (int d = last - 1; d >= 0 && ++at[d] == loop->shape[d]; d--)
            at[d] = 0;
    }
}

/* What a step along the last dimension passes over, gaps left out: the bytes that all operands have there. */
static ptrdiff_t bytes_of_element(const rl_loop *loop)
{
    ptrdiff_t bytes = 0;
    for (int i = 0; i < loop->operands; i++) {
        const ptrdiff_t stride = loop->stride[i][loop->rank - 1], size = stride < 0 ? -stride : stride;
        bytes += size < (ptrdiff_t)sizeof(double) ? size : (ptrdiff_t)sizeof(double);
    }
    return bytes;
}

rille_status rl_loop_run(rille_context *cx, const char *operation, rl_loop *loop, size_t grain, rl_inner *inner)
{
    merge_dimensions(loop);
    size_t n = 1;
    for (int d = 0; d < loop->rank; d++)
        n *= (size_t)loop->shape[d];
    loop_work work = {loop, inner};
    rl_profile_next(cx, NULL, 0, (double)n * (double)bytes_of_element(loop));
    return rl_parallel_map(cx, operation, n, grain, do_range, &work);
}
