/* sort, argsort and topk: elements become integer keys in the same order, which go through a stable radix sort with their
 * positions. Rows longer than a segment are sorted in segments, which are merged. */
#include "ops/reduce.h"

#include "base/memory.h"
#include "base/parallel.h"

#include <math.h>
#include <string.h>

enum {
    SEGMENT = 1 << 17,
    BATCH = 1 << 20,
    SHORT = 32,
    DIGITS = 256
}; /* elements: of a segment, of rows at a time; by insertion */

/* ---- Keys: unsigned integers in the order of elements. -0 is 0, and NaN, whatever its bits, the largest ---- */

typedef struct record {
    uint64_t key;
    int64_t at; /* position in the row, from 0 */
} record;

static uint64_t key_of_float(float x)
{
    uint32_t bits;
    if (isnan(x))
        return UINT32_MAX;
    x += 0.0f; /* -0 to 0 */
    memcpy(&bits, &x, sizeof bits);
    return bits >> 31 != 0 ? (uint32_t)~bits : bits | 1u << 31;
}

static uint64_t key_of_double(double x)
{
    uint64_t bits;
    if (isnan(x))
        return UINT64_MAX;
    x += 0.0;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 != 0 ? ~bits : bits | (uint64_t)1 << 63;
}

static uint64_t key_of_int64_t(int64_t x)
{
    return (uint64_t)x ^ (uint64_t)1 << 63;
}

static uint64_t key_of_uint8_t(uint8_t x)
{
    return x;
}

typedef void record_maker(const void *x, size_t n, int64_t from, uint64_t turned, record *into);

#define DEFINE_RECORDS(T)                                                                                                      \
    static void records_of_##T(const void *data, size_t n, int64_t from, uint64_t turned, record *into)                        \
    {                                                                                                                          \
        const T *x = data;                                                                                                     \
        for (size_t i = 0; i < n; i++)                                                                                         \
            into[i] = (record){key_of_##T(x[i]) ^ turned, from + (int64_t)i};                                                  \
    }
DEFINE_RECORDS(float)
DEFINE_RECORDS(double)
DEFINE_RECORDS(int64_t)
DEFINE_RECORDS(uint8_t)

static record_maker *records_of(rille_dtype dtype)
{
    switch (dtype) {
    case RILLE_FLOAT32: return records_of_float;
    case RILLE_FLOAT64: return records_of_double;
    case RILLE_INT64: return records_of_int64_t;
    case RILLE_UINT8:
    case RILLE_BOOL: break;
    }
    return records_of_uint8_t;
}

/* ---- Sorting n records by keys of so many bytes; the scratch has room for as many ---- */

static void insert_records(record *a, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        const record r = a[i];
        size_t k = i;
        for (; k > 0 && a[k - 1].key > r.key; k--)
            a[k] = a[k - 1];
        a[k] = r;
    }
}

static void radix_sort(record *a, record *scratch, size_t n, size_t bytes)
{
    uint32_t count[sizeof(uint64_t)][DIGITS]; /* of a segment at most */
    record *from = a, *to = scratch;
    if (n <= SHORT) {
        insert_records(a, n);
        return;
    }
    memset(count, 0, bytes * sizeof count[0]);
    for (size_t i = 0; i < n; i++)
        for (size_t byte = 0; byte < bytes; byte++)
            count[byte][a[i].key >> 8 * byte & 0xff]++;
    for (size_t byte = 0; byte < bytes; byte++) {
        if (count[byte][a[0].key >> 8 * byte & 0xff] == n)
            continue; /* all have this digit */
        for (uint32_t digit = 0, place = 0; digit < DIGITS; digit++) {
            const uint32_t next = place + count[byte][digit];
            count[byte][digit] = place;
            place = next;
        }
        for (size_t i = 0; i < n; i++)
            to[count[byte][from[i].key >> 8 * byte & 0xff]++] = from[i];
        record *swapped = from;
        from = to;
        to = swapped;
    }
    if (from != a)
        memcpy(a, from, n * sizeof *a);
}

/* Moves the k < n records of smallest keys to the front, in the order they are in; of equal keys the first ones. Finds, digit by
 * digit from the highest, the prefix that the largest of them has. */
static void select_records(record *a, size_t n, size_t k, size_t bytes)
{
    uint64_t prefix = 0, mask = 0;
    size_t wanted = k; /* of those with the prefix; all below it are in */
    for (size_t byte = bytes; byte-- > 0;) {
        size_t count[DIGITS] = {0}, digit = 0;
        for (size_t i = 0; i < n; i++)
            if ((a[i].key & mask) == prefix)
                count[a[i].key >> 8 * byte & 0xff]++;
        for (; count[digit] < wanted; digit++)
            wanted -= count[digit];
        prefix |= (uint64_t)digit << 8 * byte;
        mask |= (uint64_t)0xff << 8 * byte;
        if (count[digit] == wanted)
            break;
    }
    for (size_t i = 0, taken = 0; i < n && taken < k; i++) {
        const bool border = (a[i].key & mask) == prefix;
        if ((a[i].key & mask) < prefix || (border && wanted > 0)) {
            a[taken++] = a[i];
            wanted -= border;
        }
    }
}

/* ---- Rows ---- */

typedef struct order_work { /* of some rows of n elements each, the k first of each row's order */
    record_maker *make;
    const char *x;
    size_t n, k, segments, bytes; /* of an element, and of its key */
    uint64_t turned;              /* xored with keys: all ones for a descending order */
    record *from, *to;            /* n for each row */
    size_t width;                 /* of what is sorted in `from` */
    int64_t *at, base;            /* of all rows: [outer, k, inner], from the base */
    size_t inner, first;          /* the number of the first of these rows among all */
} order_work;

static void sort_segments(void *work, size_t begin, size_t end)
{
    const order_work *w = work;
    for (size_t item = begin; item < end; item++) {
        const size_t start = item % w->segments * SEGMENT, at = item / w->segments * w->n + start;
        const size_t n = w->n - start < SEGMENT ? w->n - start : SEGMENT;
        w->make(w->x + at * w->bytes, n, (int64_t)start, w->turned, w->from + at);
        if (w->k < n)
            select_records(w->from + at, n, w->k, w->bytes);
        radix_sort(w->from + at, w->to + at, w->k < n ? w->k : n, w->bytes);
    }
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Each two neighbours of `width` elements, of which k at most are in order, into one of twice the width. */
static void merge_segments(void *work, size_t begin, size_t end)
{
    const order_work *w = work;
    const size_t pairs = rl_chunks(w->n, 2 * w->width);
    for (size_t item = begin; item < end; item++) {
        const record *row = w->from + item / pairs * w->n;
        const size_t start = item % pairs * 2 * w->width, middle = least(start + w->width, w->n);
        size_t left = start, right = middle;
        const size_t left_end = least(middle, left + w->k), right_end = least(least(middle + w->width, w->n), right + w->k);
        const size_t count = least(w->k, left_end - left + right_end - right);
        record *to = w->to + item / pairs * w->n + start;
        for (size_t i = 0; i < count; i++) {
            const bool from_right = left == left_end || (right < right_end && row[right].key < row[left].key);
            to[i] = row[from_right ? right++ : left++];
        }
    }
}

static void put_positions(void *work, size_t begin, size_t end)
{
    const order_work *w = work;
    for (size_t row = begin; row < end; row++) {
        const size_t of_all = w->first + row;
        int64_t *at = w->at + of_all / w->inner * w->k * w->inner + of_all % w->inner;
        for (size_t i = 0; i < w->k; i++)
            at[i * w->inner] = w->from[row * w->n + i].at + w->base;
    }
}

/* Leaves the order of the rows in w->from. */
static rille_status order_rows(rille_context *cx, const char *operation, order_work *w, size_t rows)
{
    const size_t grain = 1 + RL_GRAIN_HEAVY / least(w->n, SEGMENT);
    rille_status status = rl_parallel_for(cx, operation, rows * w->segments, grain, sort_segments, w);
    for (w->width = SEGMENT; w->width < w->n && status == RILLE_OK; w->width *= 2) {
        status = rl_parallel_for(cx, operation, rows * rl_chunks(w->n, 2 * w->width), 1, merge_segments, w);
        record *merged = w->to;
        w->to = w->from;
        w->from = merged;
    }
    return status;
}

/* at[..., i, ...] along d: where in t the i-th of the order is; from index_base. dense: t's rows, d last. */
static rille_status put_order(const char *operation, rille_tensor *dense, bool descending, rille_tensor *at, int d)
{
    rille_context *cx = dense->context;
    const size_t itemsize = rille_dtype_size(dense->dtype), n = (size_t)dense->shape[dense->rank - 1];
    const size_t rows = (size_t)dense->numel / n, batch = n < BATCH ? least(rows, BATCH / n) : 1;
    const size_t k = (size_t)at->shape[d], bytes = 2 * batch * n * sizeof(record);
    order_work w = {.make = records_of(dense->dtype),
                    .n = n,
                    .k = k,
                    .segments = rl_chunks(n, SEGMENT),
                    .bytes = itemsize,
                    .turned = descending ? UINT64_MAX >> (64 - 8 * itemsize) : 0,
                    .at = (int64_t *)rl_data(at),
                    .base = cx->options.index_base,
                    .inner = (size_t)at->stride[d]};
    record *block = rl_allocate(cx, bytes);
    if (block == NULL)
        return RILLE_ERROR_MEMORY;
    rille_status status = RILLE_OK;
    for (size_t row = 0; row < rows && status == RILLE_OK; row += batch) {
        const size_t here = least(batch, rows - row);
        w.x = rl_data(dense) + row * n * itemsize;
        w.from = block;
        w.to = block + batch * n;
        status = order_rows(cx, operation, &w, here);
        w.first = row;
        if (status == RILLE_OK)
            status = rl_parallel_for(cx, operation, here, 1 + RL_GRAIN_MEDIUM / k, put_positions, &w);
    }
    rl_release(cx, block, bytes);
    return status;
}

/* Where the first k of t's order along d are. Not recorded. */
static rille_tensor *order_of(const char *operation, rille_tensor *t, int d, int64_t k, bool descending)
{
    rl_reduction r;
    int64_t shape[RILLE_MAX_RANK];
    memcpy(shape, t->shape, sizeof shape);
    shape[d] = k;
    rille_tensor *at = rl_new(t->context, operation, RILLE_INT64, t->rank, shape);
    if (at == NULL || at->numel == 0)
        return at;
    rl_plan_reduction(t, operation, &d, 1, false, &r);
    rille_tensor *rows = rl_grouped_view(t, &r, false), *dense = rows == NULL ? NULL : rl_dense(rows);
    const rille_status status = dense == NULL ? RILLE_ERROR_MEMORY : put_order(operation, dense, descending, at, d);
    rl_free_temporary(dense, rows);
    rille_free(rows);
    return rl_completed(at, status);
}

/* ---- sort, argsort, topk ---- */

/* Frees the indices where nobody wants them: the graph has what it needs. */
static rille_tensor *values_and(rille_tensor **indices, rille_tensor *values, rille_tensor *at)
{
    if (indices == NULL || values == NULL)
        rille_free(at);
    if (indices != NULL)
        *indices = values == NULL ? NULL : at;
    return values;
}

rille_tensor *rille_sort(rille_tensor *t, int dim, bool descending, rille_tensor **indices)
{
    const int d = rl_enter("sort", RL_LIST(t)) == NULL ? -1 : rl_dimension(t, "sort", dim);
    rille_tensor *at = d < 0 ? NULL : order_of("sort", t, d, t->shape[d], descending);
    return values_and(indices, at == NULL ? NULL : rille_gather(t, d, at), at);
}

rille_tensor *rille_argsort(rille_tensor *t, int dim, bool descending)
{
    const int d = rl_enter("argsort", RL_LIST(t)) == NULL ? -1 : rl_dimension(t, "argsort", dim);
    return d < 0 ? NULL : order_of("argsort", t, d, t->shape[d], descending);
}

rille_tensor *rille_topk(rille_tensor *t, int64_t k, int dim, bool largest, rille_tensor **indices)
{
    const int d = rl_enter("topk", RL_LIST(t)) == NULL ? -1 : rl_dimension(t, "topk", dim);
    if (d >= 0 && (k < 0 || k > t->shape[d])) {
        rl_fail(t->context, RILLE_ERROR_ARGUMENT, "topk: k is %lld; 0 to %lld expected, the size of dimension %d of shape %s",
                (long long)k, (long long)t->shape[d], d + t->context->options.index_base, RL_SHAPE(t));
        return values_and(indices, NULL, NULL);
    }
    rille_tensor *at = d < 0 ? NULL : order_of("topk", t, d, k, largest);
    return values_and(indices, at == NULL ? NULL : rille_gather(t, d, at), at);
}
