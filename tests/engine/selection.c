/* Joining, picking, putting and stepped views against scalar code: random shapes, layouts and dtypes. */
#include "engine/random_layouts.h"

#include <stdio.h>
#include <string.h>

#define I64(cx, shape, ...) rille_from(cx, RILLE_INT64, shape, (int64_t[]){__VA_ARGS__})
#define MASK(cx, shape, ...) rille_from(cx, RILLE_BOOL, shape, (bool[]){__VA_ARGS__})

static rille_tensor *counted(rille_context *cx, int rank, const int64_t *shape) /* 0, 1, 2, ... */
{
    rille_tensor *t = rille_empty(cx, RILLE_FLOAT32, rank, shape);
    for (int64_t i = 0; i < rille_numel(t); i++)
        ((float *)rille_data(t))[i] = (float)i;
    return t;
}

/* The indices of the i-th element of a shape, and the way back. */
static void unravel(int64_t i, int rank, const int64_t *shape, int64_t *at)
{
    for (int d = rank - 1; d >= 0; d--) {
        at[d] = i % shape[d];
        i /= shape[d];
    }
}

static long double value_at(rille_tensor *t, const int64_t *at)
{
    int64_t place = 0;
    for (int d = 0; d < rille_rank(t); d++)
        place += at[d] * rille_strides(t)[d];
    return element_at(rille_dtype_of(t), rille_data(t), place);
}

static int64_t ravel(int rank, const int64_t *shape, const int64_t *at)
{
    int64_t i = 0;
    for (int d = 0; d < rank; d++)
        i = i * shape[d] + at[d];
    return i;
}

static rille_dtype random_dtype(uint64_t *rng)
{
    return every_dtype[random_below(rng, DTYPES)];
}

/* x as an element of this dtype has it. */
static long double as_dtype(rille_dtype dtype, long double x)
{
    return dtype == RILLE_FLOAT32 ? (long double)(float)x : dtype == RILLE_FLOAT64 ? (long double)(double)x : x;
}

/* ---- Joining ---- */

Test(joining, cat_against_scalars)
{
    rille_context *cx = open_with(2, 0);
    for (uint64_t seed = 0; seed < 400; seed++) {
        uint64_t rng = seed;
        int64_t shape[8], own[8], at[8];
        int rank = random_shape(&rng, 4, shape), count = 1 + (int)random_below(&rng, 9), dtype = 0;
        if (rank == 0)
            continue;
        int d = (int)random_below(&rng, rank);
        rille_tensor *part[9];
        rille_scope_push(cx);
        memcpy(own, shape, sizeof own);
        shape[d] = 0;
        for (int i = 0; i < count; i++) {
            int k = (int)random_below(&rng, DTYPES);
            dtype = k > dtype ? k : dtype;
            shape[d] += own[d] = random_below(&rng, 4);
            part[i] = random_layout(cx, &rng, every_dtype[k], WHOLE, rank, own);
        }
        rille_tensor *out = rille_cat(part, count, random_below(&rng, 2) == 0 ? d : d - rank);
        cr_assert(has_shape(out, rank, shape), "seed %llu: %s", (unsigned long long)seed, rille_error(cx));
        cr_expect_eq(rille_dtype_of(out), every_dtype[dtype]);
        for (int64_t i = 0; i < rille_numel(out); i++) {
            unravel(i, rank, shape, at);
            int which = 0;
            for (; at[d] >= rille_shape(part[which])[d]; which++)
                at[d] -= rille_shape(part[which])[d];
            if (!is_same(value_of(out, i), value_at(part[which], at))) {
                cr_expect_fail("cat, seed %llu, element %lld", (unsigned long long)seed, (long long)i);
                break;
            }
        }
        rille_scope_pop(cx);
    }
    rille_close(cx);
}

Test(joining, stack_tile_roll)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *a = counted(cx, SHAPE(2, 3)), *b = rille_neg(a), *scalar = rille_scalar(cx, RILLE_INT64, 7);
    rille_tensor *s = rille_stack((rille_tensor *[]){a, b}, 2, 1);
    cr_expect(has_shape(s, SHAPE(2, 2, 3)));
    EXPECT_VALUES(s, 0, 1, 2, -0.0, -1, -2, 3, 4, 5, -3, -4, -5);
    EXPECT_VALUES(rille_stack((rille_tensor *[]){a, b}, 2, -1), 0, -0.0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5);
    EXPECT_VALUES(rille_stack((rille_tensor *[]){scalar, scalar, scalar}, 3, 0), 7, 7, 7);
    rille_tensor *tiled = rille_tile(rille_transpose(a, 0, 1), 2, (int64_t[]){1, 2});
    cr_expect(has_shape(tiled, SHAPE(3, 4)));
    EXPECT_VALUES(tiled, 0, 3, 0, 3, 1, 4, 1, 4, 2, 5, 2, 5);
    EXPECT_VALUES(rille_tile(a, 3, (int64_t[]){2, 1, 1}), 0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5);
    EXPECT_VALUES(rille_tile(scalar, 1, (int64_t[]){3}), 7, 7, 7);
    cr_expect(has_shape(rille_tile(a, 2, (int64_t[]){0, 4}), SHAPE(0, 12)));
    rille_tensor *same = rille_tile(a, 0, NULL);
    cr_expect(has_shape(same, SHAPE(2, 3)) && rille_data(same) != rille_data(a), "a copy always");
    rille_tensor *column = rille_tile(rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 1)), 2, (int64_t[]){2, 3});
    cr_expect(rille_is_contiguous(column), "no element stands for several");
    cr_expect_eq(rille_copy(rille_select(column, 1, 1), rille_scalar(cx, RILLE_FLOAT32, 5)), RILLE_OK);
    EXPECT_VALUES(column, 0, 5, 0, 0, 5, 0, 0, 5, 0, 0, 5, 0);
    EXPECT_VALUES(rille_roll(a, 1, 1), 2, 0, 1, 5, 3, 4);
    EXPECT_VALUES(rille_roll(a, -7, -1), 1, 2, 0, 4, 5, 3);
    EXPECT_VALUES(rille_roll(a, INT64_MIN, 0), 0, 1, 2, 3, 4, 5);
    cr_expect(has_shape(rille_roll(rille_zeros(cx, RILLE_BOOL, SHAPE(0, 2)), 5, 0), SHAPE(0, 2)));
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

Test(joining, parts_are_views)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *t = counted(cx, SHAPE(2, 5)), *part[5];
    cr_expect_eq(rille_split(t, 3, (int64_t[]){1, 0, 4}, -1, part), RILLE_OK);
    EXPECT_VALUES(part[0], 0, 5);
    cr_expect(has_shape(part[1], SHAPE(2, 0)));
    EXPECT_VALUES(part[2], 1, 2, 3, 4, 6, 7, 8, 9);
    cr_expect_eq(rille_data(part[0]), rille_data(t));
    cr_expect_eq(rille_chunk(t, 3, 1, part), 3);
    EXPECT_VALUES(part[2], 4, 9);
    cr_expect_eq(rille_chunk(t, 4, 1, part), 3, "of two each, as PyTorch has it");
    cr_expect_eq(rille_chunk(rille_zeros(cx, RILLE_FLOAT32, SHAPE(0)), 3, 0, part), 3);
    cr_expect_eq(rille_unbind(t, 1, part), RILLE_OK);
    EXPECT_VALUES(part[3], 3, 8);
    rille_tensor *grid[2];
    cr_expect_eq(rille_meshgrid((rille_tensor *[]){counted(cx, SHAPE(2)), counted(cx, SHAPE(3))}, 2, grid), RILLE_OK);
    EXPECT_VALUES(grid[0], 0, 0, 0, 1, 1, 1);
    EXPECT_VALUES(grid[1], 0, 1, 2, 0, 1, 2);
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

Test(joining, messages)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *a = rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 3)), *b = rille_zeros(cx, RILLE_FLOAT32, SHAPE(3, 3)), *part[4];
    rille_tensor *both[] = {a, b}, *missing[] = {a, NULL};
    EXPECT_FAILS(cx, rille_cat(both, 2, 1), RILLE_ERROR_SHAPE,
                 "cat: input 2 has shape [3, 3], which differs from the first one's [2, 3] beyond dimension 1");
    EXPECT_FAILS(cx, rille_cat(both, 2, 2), RILLE_ERROR_INDEX,
                 "cat: dimension 2 of shape [2, 3]; dimensions are 0 ... 1, or -1 ... -2 from the end");
    EXPECT_FAILS(cx, rille_cat(missing, 2, 0), RILLE_ERROR_NULL, "cat: input 2 is NULL");
    cr_expect_null(rille_cat(both, 0, 0));
    EXPECT_FAILS(cx, rille_stack(both, 2, 0), RILLE_ERROR_SHAPE, "stack: input 2 has shape [3, 3], the first one [2, 3]");
    EXPECT_FAILS(cx, rille_stack(both, 1, 3), RILLE_ERROR_INDEX,
                 "stack: dimension 3 new in shape [2, 3]; it can be 0 ... 2, or -1 ... -3 from the end");
    rille_tensor *wide = rille_expand(rille_scalar(cx, RILLE_BOOL, 1), SHAPE(1LL << 61));
    EXPECT_FAILS(cx, rille_cat((rille_tensor *[]){wide, wide, wide, wide}, 4, 0), RILLE_ERROR_SHAPE,
                 "cat: the sizes of dimension 0 add up to more than memory can hold");
    EXPECT_FAILS(cx, rille_tile(a, 1, (int64_t[]){INT64_MAX}), RILLE_ERROR_SHAPE,
                 "tile: shape [2, 9223372036854775807] has more elements than memory can hold");
    EXPECT_FAILS(cx, rille_tile(a, 1, (int64_t[]){-1}), RILLE_ERROR_ARGUMENT, "tile: -1 repeats; 0 or more expected");
    EXPECT_FAILS(cx, rille_tile(a, 9, NULL), RILLE_ERROR_NULL, "tile: the list of 9 repeats is NULL");
    EXPECT_STATUS(cx, rille_split(a, 2, (int64_t[]){1, 1}, 1, part), RILLE_ERROR_SHAPE,
                  "split: the sizes of 2 parts do not add up to 3, dimension 1 of shape [2, 3]");
    EXPECT_STATUS(cx, rille_split(a, 2, (int64_t[]){INT64_MAX, INT64_MAX}, 1, part), RILLE_ERROR_SHAPE,
                  "split: the sizes of 2 parts do not add up to 3, dimension 1 of shape [2, 3]");
    EXPECT_STATUS(cx, rille_split(a, 2, (int64_t[]){4, -1}, 1, part), RILLE_ERROR_SHAPE,
                  "split: size -1 of part 2 is negative");
    EXPECT_STATUS(cx, rille_split(a, 2, NULL, 1, part), RILLE_ERROR_NULL, "split: the list of sizes is NULL");
    cr_expect_eq(rille_chunk(a, 0, 0, part), 0);
    EXPECT_ERROR(cx, RILLE_ERROR_ARGUMENT, "chunk: 0 chunks; 1 or more expected");
    EXPECT_STATUS(cx, rille_unbind(a, 0, NULL), RILLE_ERROR_NULL, "unbind: the list of parts is NULL");
    EXPECT_STATUS(cx, rille_meshgrid(both, 2, part), RILLE_ERROR_SHAPE, "meshgrid: input 1 has shape [2, 3]; rank 1 expected");
    rille_close(cx);
}

/* ---- Dimensions, padding ---- */

Test(dimensions, put_in_and_left_out)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *t = counted(cx, SHAPE(1, 3, 1)), *turned = rille_transpose(counted(cx, SHAPE(2, 3)), 0, 1);
    cr_expect(has_shape(rille_squeeze(t, NULL, 0), SHAPE(3)));
    cr_expect(has_shape(rille_squeeze(t, (int[]){-1, 1}, 2), SHAPE(1, 3)), "one that is not of size 1 stays");
    cr_expect(has_shape(rille_unsqueeze(turned, 1), SHAPE(3, 1, 2)));
    cr_expect(has_shape(rille_unsqueeze(turned, -1), SHAPE(3, 2, 1)));
    cr_expect(has_shape(rille_unsqueeze(rille_scalar(cx, RILLE_BOOL, 1), 0), SHAPE(1)));
    cr_expect_eq(rille_data(rille_unsqueeze(turned, 0)), rille_data(turned), "a view");
    EXPECT_VALUES(rille_flatten(turned, 0, -1), 0, 3, 1, 4, 2, 5);
    cr_expect(has_shape(rille_flatten(counted(cx, SHAPE(2, 3, 4, 5)), 1, 2), SHAPE(2, 12, 5)));
    cr_expect(has_shape(rille_flatten(rille_scalar(cx, RILLE_BOOL, 1), 0, -1), SHAPE(1)));
    EXPECT_NO_ERROR(cx);
    EXPECT_FAILS(cx, rille_flatten(t, 2, 0), RILLE_ERROR_ARGUMENT, "flatten: dimension 2 comes after 0");
    EXPECT_FAILS(cx, rille_unsqueeze(t, 4), RILLE_ERROR_INDEX,
                 "unsqueeze: dimension 4 new in shape [1, 3, 1]; it can be 0 ... 3, or -1 ... -4 from the end");
    EXPECT_FAILS(cx, rille_unsqueeze(rille_zeros(cx, RILLE_BOOL, SHAPE(1, 1, 1, 1, 1, 1, 1, 1)), 0), RILLE_ERROR_SHAPE,
                 "unsqueeze: shape [1, 1, 1, 1, 1, 1, 1, 1] has 8 dimensions, the most there can be");
    rille_close(cx);
}

Test(dimensions, pad_against_scalars)
{
    rille_context *cx = open_with(2, 0);
    for (uint64_t seed = 0; seed < 400; seed++) {
        uint64_t rng = seed;
        int64_t shape[8], padded[8], before[8], after[8], at[8];
        int rank = random_shape(&rng, 4, shape);
        for (int d = 0; d < rank; d++) {
            before[d] = random_below(&rng, 4) - 1;
            after[d] = random_below(&rng, 4) - 1;
            before[d] = before[d] < -shape[d] ? 0 : before[d];
            after[d] = shape[d] + before[d] + after[d] < 0 || after[d] < -shape[d] ? 0 : after[d];
            padded[d] = shape[d] + before[d] + after[d];
        }
        rille_scope_push(cx);
        rille_tensor *t = random_layout(cx, &rng, random_dtype(&rng), SPECIAL, rank, shape);
        rille_tensor *out = rille_pad(t, before, after, 1);
        cr_assert(has_shape(out, rank, padded), "seed %llu: %s", (unsigned long long)seed, rille_error(cx));
        for (int64_t i = 0; i < rille_numel(out); i++) {
            bool inside = true;
            unravel(i, rank, padded, at);
            for (int d = 0; d < rank; d++) {
                at[d] -= before[d];
                inside = inside && at[d] >= 0 && at[d] < shape[d];
            }
            if (!is_same(value_of(out, i), inside ? value_at(t, at) : 1)) {
                cr_expect_fail("pad, seed %llu, element %lld", (unsigned long long)seed, (long long)i);
                break;
            }
        }
        rille_scope_pop(cx);
    }
    rille_tensor *t = rille_zeros(cx, RILLE_FLOAT32, SHAPE(2));
    EXPECT_FAILS(cx, rille_pad(t, (int64_t[]){-1}, (int64_t[]){-2}, 0), RILLE_ERROR_SHAPE,
                 "pad: -1 before and -2 after dimension 0 of shape [2] leave no size");
    EXPECT_FAILS(cx, rille_pad(t, (int64_t[]){INT64_MAX}, (int64_t[]){0}, 0), RILLE_ERROR_SHAPE,
                 "pad: 9223372036854775807 before and 0 after dimension 0 of shape [2] are more than a size can be");
    EXPECT_FAILS(cx, rille_pad(t, NULL, NULL, 0), RILLE_ERROR_NULL, "pad: a list of sizes is NULL");
    rille_close(cx);
}

/* ---- Views with a step ---- */

Test(steps, slices_and_flips)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *t = counted(cx, SHAPE(2, 5));
    EXPECT_VALUES(rille_slice(t, 1, 0, 3, 2), 0, 2, 4, 5, 7, 9);
    EXPECT_VALUES(rille_slice(t, -1, 4, 2, -3), 4, 1, 9, 6);
    EXPECT_VALUES(rille_slice(t, 1, 3, 1, INT64_MIN), 3, 8);
    cr_expect(has_shape(rille_slice(t, 1, 5, 0, -1), SHAPE(2, 0)));
    rille_tensor *back = rille_flip(t, (int[]){0, 1}, 2);
    EXPECT_VALUES(back, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    EXPECT_VALUES(rille_reshape(back, SHAPE(5, 2)), 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    EXPECT_VALUES(rille_contiguous(rille_flip(t, (int[]){1}, 1)), 4, 3, 2, 1, 0, 9, 8, 7, 6, 5);
    cr_expect_eq(rille_copy(rille_slice(t, 1, 3, 2, -2), rille_scalar(cx, RILLE_INT64, -1)), RILLE_OK);
    EXPECT_VALUES(t, 0, -1, 2, -1, 4, 5, -1, 7, -1, 9);
    EXPECT_NO_ERROR(cx);
    EXPECT_FAILS(cx, rille_slice(t, 1, 4, 3, -3), RILLE_ERROR_INDEX,
                 "slice: 3 elements from 4 in steps of -3 of dimension 1, shape [2, 5]");
    EXPECT_FAILS(cx, rille_slice(t, 1, 0, 2, 0), RILLE_ERROR_INDEX,
                 "slice: 2 elements from 0 in steps of 0 of dimension 1, shape [2, 5]");
    EXPECT_FAILS(cx, rille_slice(t, 1, 0, INT64_MAX, INT64_MAX), RILLE_ERROR_INDEX,
                 "slice: 9223372036854775807 elements from 0 in steps of 9223372036854775807 of dimension 1, shape [2, 5]");
    EXPECT_FAILS(cx, rille_flip(t, (int[]){1, -1}, 2), RILLE_ERROR_ARGUMENT, "flip: dimension 1 is named twice");
    rille_close(cx);
}

Test(steps, windows)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *t = counted(cx, SHAPE(2, 6)), *w = rille_unfold(t, 1, 3, 2);
    cr_expect(has_shape(w, SHAPE(2, 2, 3)));
    EXPECT_VALUES(w, 0, 1, 2, 2, 3, 4, 6, 7, 8, 8, 9, 10);
    EXPECT_VALUES(rille_unfold(t, 0, 2, 5), 0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11);
    cr_expect(has_shape(rille_unfold(t, 1, 0, 1), SHAPE(2, 7, 0)));
    EXPECT_NO_ERROR(cx);
    EXPECT_STATUS(cx, rille_copy(w, rille_scalar(cx, RILLE_FLOAT32, 1)), RILLE_ERROR_ARGUMENT,
                  "copy: elements of the target, a view of shape [2, 2, 3], are one in memory; write into a clone of it");
    cr_expect_eq(rille_copy(rille_unfold(t, 1, 2, 2), rille_scalar(cx, RILLE_FLOAT32, 1)), RILLE_OK, "these do not overlap");
    EXPECT_FAILS(
        cx, rille_unfold(t, 1, 7, 1), RILLE_ERROR_ARGUMENT,
        "unfold: windows of 7 in steps of 1 along dimension 1 of shape [2, 6]; windows of 0 to 6 in steps of 1 or more "
        "expected");
    EXPECT_FAILS(
        cx, rille_unfold(t, 1, 2, 0), RILLE_ERROR_ARGUMENT,
        "unfold: windows of 2 in steps of 0 along dimension 1 of shape [2, 6]; windows of 0 to 6 in steps of 1 or more "
        "expected");
    rille_close(cx);
}

Test(steps, diagonals_and_triangles)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *t = counted(cx, SHAPE(3, 4)), *cube = counted(cx, SHAPE(2, 3, 2)), *v = counted(cx, SHAPE(2));
    EXPECT_VALUES(rille_diagonal(t, 0, 0, 1), 0, 5, 10);
    EXPECT_VALUES(rille_diagonal(t, 2, 0, 1), 2, 7);
    EXPECT_VALUES(rille_diagonal(t, 2, 1, 0), 8);
    EXPECT_VALUES(rille_diagonal(t, -2, 0, 1), 8);
    cr_expect(has_shape(rille_diagonal(t, INT64_MIN, 0, 1), SHAPE(0)));
    cr_expect(has_shape(rille_diagonal(t, INT64_MAX, 0, 1), SHAPE(0)));
    EXPECT_VALUES(rille_diagonal(cube, 0, 0, -1), 0, 7, 2, 9, 4, 11);
    EXPECT_VALUES(rille_diag(v, -1), 0, 0, 0, 0, 0, 0, 0, 1, 0);
    EXPECT_VALUES(rille_diag(t, 3), 3);
    cr_expect(has_shape(rille_diag_embed(cube, 1), SHAPE(2, 3, 3, 3)));
    for (int64_t k = -5; k < 7; k++) {
        rille_tensor *upper = rille_triu(rille_flip(t, (int[]){1}, 1), k), *lower = rille_tril(rille_flip(t, (int[]){1}, 1), k);
        for (int64_t i = 0; i < 12; i++) {
            long double x = (long double)(i / 4 * 4 + 3 - i % 4);
            cr_expect_eq(value_of(upper, i), i % 4 - i / 4 >= k ? x : 0, "triu %lld", (long long)k);
            cr_expect_eq(value_of(lower, i), i % 4 - i / 4 <= k ? x : 0, "tril %lld", (long long)k);
        }
    }
    EXPECT_VALUES(rille_triu(rille_full(cx, RILLE_UINT8, SHAPE(2, 2), 9), INT64_MIN), 9, 9, 9, 9);
    EXPECT_VALUES(rille_tril(rille_full(cx, RILLE_FLOAT64, SHAPE(2, 2), (double)NAN), 0), NAN, 0, NAN, NAN);
    EXPECT_VALUES(rille_tril(rille_full(cx, RILLE_BOOL, SHAPE(2, 2), 1), INT64_MAX), 1, 1, 1, 1);
    cr_expect(has_shape(rille_triu(rille_zeros(cx, RILLE_FLOAT32, SHAPE(0, 2, 0)), 1), SHAPE(0, 2, 0)));
    EXPECT_NO_ERROR(cx);
    EXPECT_FAILS(cx, rille_triu(v, 0), RILLE_ERROR_SHAPE, "triu: shape [2]; rank 2 or more expected");
    EXPECT_FAILS(cx, rille_diag(cube, 0), RILLE_ERROR_SHAPE, "diag: shape [2, 3, 2]; a vector or a matrix expected");
    EXPECT_FAILS(cx, rille_diagonal(t, 0, 1, -1), RILLE_ERROR_ARGUMENT, "diagonal: dimension 1 of shape [3, 4] is named twice");
    EXPECT_FAILS(cx, rille_diag_embed(v, INT64_MIN), RILLE_ERROR_SHAPE,
                 "diag_embed: shape [9223372036854775807, 9223372036854775807] has more elements than memory can hold");
    rille_close(cx);
}

/* ---- Gather and scatter ---- */

typedef struct picking { /* random operands of gather and scatter along d */
    rille_tensor *t, *index, *source;
    int d, rank;
    int64_t shape[8]; /* of index and source */
} picking;

static bool random_picking(rille_context *cx, uint64_t *rng, picking *p, int base)
{
    int64_t whole[8];
    p->rank = random_shape(rng, 4, whole);
    if (p->rank == 0)
        return false;
    p->d = (int)random_below(rng, p->rank);
    whole[p->d] += whole[p->d] == 0;
    for (int d = 0; d < p->rank; d++)
        p->shape[d] = d == p->d ? random_below(rng, 9) : whole[d] - (whole[d] > 0 ? random_below(rng, 2) : 0);
    p->t = random_layout(cx, rng, random_dtype(rng), WHOLE, p->rank, whole);
    p->source = random_layout(cx, rng, random_dtype(rng), WHOLE, p->rank, p->shape);
    p->index = random_layout(cx, rng, RILLE_INT64, WHOLE, p->rank, p->shape);
    p->index = rille_contiguous(p->index);
    for (int64_t i = 0; i < rille_numel(p->index); i++)
        ((int64_t *)rille_data(p->index))[i] = random_below(rng, whole[p->d]) + base;
    if (random_below(rng, 2) == 0) /* the index has a layout of its own */
        p->index = rille_transpose(rille_contiguous(rille_transpose(p->index, 0, -1)), 0, -1);
    return true;
}

static void check_gather(rille_context *cx, const picking *p, uint64_t seed, int base)
{
    rille_tensor *out = rille_gather(p->t, p->d - p->rank, p->index);
    cr_assert(has_shape(out, p->rank, p->shape), "seed %llu: %s", (unsigned long long)seed, rille_error(cx));
    cr_expect_eq(rille_dtype_of(out), rille_dtype_of(p->t));
    for (int64_t i = 0; i < rille_numel(out); i++) {
        int64_t at[8];
        unravel(i, p->rank, p->shape, at);
        at[p->d] = (int64_t)value_of(p->index, i) - base;
        if (!is_same(value_of(out, i), value_at(p->t, at))) {
            cr_expect_fail("gather, seed %llu, element %lld", (unsigned long long)seed, (long long)i);
            return;
        }
    }
}

static void check_scatter(rille_context *cx, const picking *p, bool add, uint64_t seed, int base)
{
    rille_tensor *out = (add ? rille_scatter_add : rille_scatter)(p->t, p->d, p->index, p->source);
    cr_assert(has_shape(out, p->rank, rille_shape(p->t)), "seed %llu: %s", (unsigned long long)seed, rille_error(cx));
    rille_dtype of_t = rille_dtype_of(p->t), of_source = rille_dtype_of(p->source), higher = RILLE_BOOL;
    for (int k = 0; k < DTYPES; k++)
        higher = every_dtype[k] == of_t || every_dtype[k] == of_source ? every_dtype[k] : higher;
    cr_expect_eq(rille_dtype_of(out), add && !is_floating(higher) ? RILLE_INT64 : higher);
    int64_t n = rille_numel(out), at[8];
    long double *right = calloc((size_t)n + 1, sizeof *right);
    for (int64_t i = 0; i < n; i++)
        right[i] = as_dtype(higher, value_of(p->t, i));
    for (int64_t i = 0; i < rille_numel(p->index); i++) {
        unravel(i, p->rank, p->shape, at);
        at[p->d] = (int64_t)value_of(p->index, i) - base;
        long double *place = &right[ravel(p->rank, rille_shape(p->t), at)];
        *place = as_dtype(higher, value_of(p->source, i)) + (add ? *place : 0);
    }
    for (int64_t i = 0; i < n; i++)
        if (value_of(out, i) != right[i]) {
            cr_expect_fail("scatter%s, seed %llu, element %lld is %Lg, not %Lg", add ? "_add" : "", (unsigned long long)seed,
                           (long long)i, value_of(out, i), right[i]);
            break;
        }
    free(right);
}

Test(picking, gather_and_scatter_against_scalars)
{
    for (int base = 0; base < 2; base++) {
        rille_context *cx = open_with(2, base);
        for (uint64_t seed = 0; seed < 600; seed++) {
            uint64_t rng = 2 * seed + (uint64_t)base;
            picking p;
            rille_scope_push(cx);
            if (random_picking(cx, &rng, &p, base)) {
                check_gather(cx, &p, seed, base);
                check_scatter(cx, &p, false, seed, base);
                check_scatter(cx, &p, true, seed, base);
            }
            rille_scope_pop(cx);
        }
        rille_close(cx);
    }
}

Test(picking, scatter_add_in_float64)
{
    rille_context *cx = open_with(2, 0);
    enum { N = 3000000 };
    rille_tensor *index = rille_expand(rille_zeros(cx, RILLE_INT64, SHAPE(1)), SHAPE(N));
    rille_tensor *sum =
        rille_scatter_add(rille_zeros(cx, RILLE_FLOAT32, SHAPE(1)), 0, index, rille_scalar(cx, RILLE_FLOAT32, 0.1));
    cr_expect_eq((float)rille_item(sum), (float)(N * (double)0.1f), "%.9g", rille_item(sum));
    rille_close(cx);
}

/* Of several that are put in one place the last one has the gradient, the others none. */
Test(picking, gradient_of_what_was_overwritten)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *t = counted(cx, SHAPE(3)), *source = counted(cx, SHAPE(3));
    rille_set_requires_grad(t, true);
    rille_set_requires_grad(source, true);
    rille_tensor *y = rille_scatter(t, 0, I64(cx, SHAPE(3), 1, 1, 0), source);
    EXPECT_VALUES(y, 2, 1, 2);
    cr_expect_eq(rille_backward(y, counted(cx, SHAPE(3))), RILLE_OK);
    EXPECT_VALUES(rille_gradient(t), 0, 0, 2);
    EXPECT_VALUES(rille_gradient(source), 0, 1, 0);
    rille_close(cx);
}

Test(picking, messages)
{
    rille_context *cx = open_with(2, 1);
    rille_tensor *t = rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 3)), *at = I64(cx, SHAPE(2, 2), 1, 2, 3, 0);
    EXPECT_FAILS(cx, rille_gather(t, 1, at), RILLE_ERROR_INDEX, "gather: index 0 at position [2, 2] is not in 1 ... 3");
    EXPECT_FAILS(cx, rille_gather(t, 0, at), RILLE_ERROR_INDEX, "gather: index 3 at position [2, 1] is not in 1 ... 2");
    EXPECT_FAILS(cx, rille_gather(t, 1, I64(cx, SHAPE(3, 1), 1, 1, 1)), RILLE_ERROR_SHAPE,
                 "gather: the index of shape [3, 1] does not fit into [2, 3] beside dimension 2");
    EXPECT_FAILS(cx, rille_scatter(t, 1, I64(cx, SHAPE(1), 1), t), RILLE_ERROR_SHAPE,
                 "scatter: the index is int64 [1]; int64 of rank 2, that of shape [2, 3], expected");
    EXPECT_FAILS(cx, rille_scatter_add(t, 1, t, t), RILLE_ERROR_DTYPE,
                 "scatter_add: the index is float32 [2, 3]; int64 of rank 2, that of shape [2, 3], expected");
    EXPECT_FAILS(cx, rille_scatter(t, 1, I64(cx, SHAPE(2, 2), 1, 1, 1, 1), rille_zeros(cx, RILLE_BOOL, SHAPE(3))),
                 RILLE_ERROR_SHAPE, "scatter: shapes [3] and [2, 2] do not broadcast (3 against 2, dimension 1 from the end)");
    EXPECT_FAILS(cx, rille_scatter(t, 1, I64(cx, SHAPE(2, 2), 1, 1, 1, 1), rille_zeros(cx, RILLE_BOOL, SHAPE(1, 2, 2))),
                 RILLE_ERROR_SHAPE, "scatter: the source of shape [1, 2, 2] does not fit the index, [2, 2]");
    EXPECT_FAILS(cx, rille_gather(rille_scalar(cx, RILLE_FLOAT32, 1), 0, at), RILLE_ERROR_INDEX,
                 "gather: a tensor of rank 0 has no dimensions");
    rille_close(cx);
}

/* ---- Masks ---- */

Test(masks, select_and_fill)
{
    rille_context *cx = open_with(2, 1);
    rille_tensor *t = counted(cx, SHAPE(2, 3)), *mask = MASK(cx, SHAPE(3), true, false, true);
    EXPECT_VALUES(rille_masked_select(rille_flip(t, (int[]){1}, 1), mask), 2, 0, 5, 3);
    EXPECT_VALUES(rille_masked_select(rille_narrow(t, 0, 0, 1), rille_greater(t, rille_scalar(cx, RILLE_FLOAT32, 2.5))), 0, 1,
                  2);
    EXPECT_VALUES(rille_masked_select(t, rille_scalar(cx, RILLE_FLOAT32, 2)), 0, 1, 2, 3, 4, 5);
    cr_expect(has_shape(rille_masked_select(t, rille_zeros(cx, RILLE_BOOL, SHAPE(1))), SHAPE(0)));
    EXPECT_VALUES(rille_masked_fill(t, mask, rille_scalar(cx, RILLE_FLOAT64, -INFINITY)), -INFINITY, 1, -INFINITY, -INFINITY, 4,
                  -INFINITY);
    rille_tensor *whole = rille_masked_fill(rille_zeros(cx, RILLE_INT64, SHAPE(3)), mask, I64(cx, SHAPE(1), INT64_MAX));
    cr_expect(rille_dtype_of(whole) == RILLE_INT64 && ((int64_t *)rille_data(whole))[2] == INT64_MAX, "exact");
    EXPECT_VALUES(rille_one_hot(I64(cx, SHAPE(2), 3, 1), 3), 0, 0, 1, 1, 0, 0);
    cr_expect(has_shape(rille_one_hot(rille_zeros(cx, RILLE_INT64, SHAPE(2, 0)), 0), SHAPE(2, 0, 0)));
    EXPECT_NO_ERROR(cx);
    EXPECT_FAILS(cx, rille_masked_select(t, MASK(cx, SHAPE(2), true, true)), RILLE_ERROR_SHAPE,
                 "masked_select: shapes [2, 3] and [2] do not broadcast (3 against 2, dimension 1 from the end)");
    EXPECT_FAILS(cx, rille_masked_fill(t, mask, t), RILLE_ERROR_SHAPE,
                 "masked_fill: the value has shape [2, 3]; one element expected");
    EXPECT_FAILS(cx, rille_one_hot(I64(cx, SHAPE(2), 1, 4), 3), RILLE_ERROR_INDEX,
                 "one_hot: index 4 at position 2 is not in 1 ... 3");
    EXPECT_FAILS(cx, rille_one_hot(t, 3), RILLE_ERROR_ARGUMENT,
                 "one_hot: 3 classes of labels that are float32 [2, 3]; int64 of rank 0 ... 7 expected");
    rille_close(cx);
}

/* ---- Indexing by tensors ---- */

Test(index, reads_as_numpy_does)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *t = counted(cx, SHAPE(2, 3, 4)), *rows = I64(cx, SHAPE(2), 1, -2), *columns = I64(cx, SHAPE(2, 1), 3, 0);
    rille_tensor *three = MASK(cx, SHAPE(3), true, false, true);
    rille_tensor *six = MASK(cx, SHAPE(2, 3), false, true, false, false, false, true);
    EXPECT_VALUES(rille_index(t, 1, &six), 4, 5, 6, 7, 20, 21, 22, 23);
    EXPECT_VALUES(rille_index(t, 3, (rille_tensor *[]){NULL, three, rows}), 1, 10, 13, 22);
    rille_tensor *both = rille_index(t, 3, (rille_tensor *[]){rows, NULL, columns}); /* apart: [2, 2] first, then 3 */
    cr_expect(has_shape(both, SHAPE(2, 2, 3)));
    EXPECT_VALUES(both, 15, 19, 23, 3, 7, 11, 12, 16, 20, 0, 4, 8);
    rille_tensor *middle = rille_index(t, 2, (rille_tensor *[]){NULL, columns = I64(cx, SHAPE(2, 1), 2, 0)});
    cr_expect(has_shape(middle, SHAPE(2, 2, 1, 4)));
    EXPECT_VALUES(rille_select(middle, 3, 0), 8, 0, 20, 12);
    cr_expect(has_shape(rille_index(t, 0, NULL), SHAPE(2, 3, 4)));
    cr_expect(has_shape(rille_index(t, 1, (rille_tensor *[]){rille_scalar(cx, RILLE_INT64, -1)}), SHAPE(3, 4)));
    cr_expect(has_shape(rille_index(t, 1, (rille_tensor *[]){rille_zeros(cx, RILLE_BOOL, SHAPE(2, 3, 4))}), SHAPE(0)));
    EXPECT_NO_ERROR(cx);
    rille_close(cx);
}

/* Entries for random dimensions; for each element that they pick, in order, the indices into t. */
static void check_index(rille_context *cx, uint64_t seed, int base)
{
    uint64_t rng = seed;
    int64_t shape[8], picks[8][3], at[8], place[8];
    int rank = random_shape(&rng, 4, shape), count = rank == 0 ? 0 : 1 + (int)random_below(&rng, rank);
    int picked[8], n = 0, length = (int)random_below(&rng, 4);
    rille_tensor *entry[8] = {NULL}, *t = random_layout(cx, &rng, random_dtype(&rng), WHOLE, rank, shape);
    for (int d = 0; d < count; d++)
        if (shape[d] > 0 && random_below(&rng, 3) > 0) {
            int64_t value[3];
            for (int i = 0; i < length; i++) {
                picks[d][i] = random_below(&rng, shape[d]);
                value[i] = random_below(&rng, 2) == 0 ? picks[d][i] + base : picks[d][i] - shape[d];
            }
            entry[d] = rille_from(cx, RILLE_INT64, SHAPE(length), value);
            picked[n++] = d;
        }
    if (n == 0)
        return;
    int first = picked[n - 1] - picked[0] == n - 1 ? picked[0] : 0, out_rank = 0, kept[8], kept_count = 0;
    int64_t out_shape[8];
    for (int d = 0; d < rank; d++)
        if (d >= count || entry[d] == NULL)
            kept[kept_count++] = d;
    for (int k = 0; k <= kept_count; k++) {
        if (k == first)
            out_shape[out_rank++] = length;
        if (k < kept_count)
            out_shape[out_rank++] = shape[kept[k]];
    }
    rille_tensor *out = rille_index(t, count, entry), *target = rille_contiguous(rille_clone(t));
    cr_assert(has_shape(out, out_rank, out_shape), "seed %llu: %s", (unsigned long long)seed, rille_error(cx));
    rille_tensor *source = random_layout(cx, &rng, random_dtype(&rng), WHOLE, out_rank, out_shape);
    rille_tensor *turned = rille_transpose(target, 0, -1), *written = rille_transpose(rille_contiguous(turned), 0, -1);
    cr_assert_eq(rille_index_put(written, count, entry, source), RILLE_OK, "%s", rille_error(cx));
    rille_tensor *typed = rille_to(source, rille_dtype_of(t));
    for (int64_t i = 0; i < rille_numel(out); i++) {
        unravel(i, out_rank, out_shape, at);
        for (int k = 0; k < kept_count; k++)
            place[kept[k]] = at[k + (k >= first)];
        for (int k = 0; k < n; k++)
            place[picked[k]] = picks[picked[k]][at[first]];
        cr_expect(is_same(value_of(out, i), value_at(t, place)), "index, seed %llu", (unsigned long long)seed);
        int64_t to = ravel(rank, shape, place);
        put_element(rille_dtype_of(t), rille_data(target), to, value_of(typed, i));
    }
    for (int64_t i = 0; i < rille_numel(target); i++)
        cr_expect(is_same(value_of(written, i), value_of(target, i)), "index_put, seed %llu", (unsigned long long)seed);
}

Test(index, against_scalars)
{
    for (int base = 0; base < 2; base++) {
        rille_context *cx = open_with(2, base);
        for (uint64_t seed = 0; seed < 500; seed++) {
            rille_scope_push(cx);
            check_index(cx, seed, base);
            rille_scope_pop(cx);
        }
        rille_close(cx);
    }
}

Test(index, puts_in_place)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *t = counted(cx, SHAPE(2, 3)), *mask = rille_greater(t, rille_scalar(cx, RILLE_FLOAT32, 3));
    cr_expect_eq(rille_index_put(t, 1, &mask, rille_scalar(cx, RILLE_INT64, -1)), RILLE_OK);
    EXPECT_VALUES(t, 0, 1, 2, 3, -1, -1);
    rille_tensor *twice = I64(cx, SHAPE(2), 1, 1);
    cr_expect_eq(
        rille_index_put(t, 2, (rille_tensor *[]){NULL, twice}, rille_from(cx, RILLE_FLOAT64, SHAPE(2), (double[]){8, 9})),
        RILLE_OK);
    EXPECT_VALUES(t, 0, 9, 2, 3, 9, -1);
    rille_tensor *swap = I64(cx, SHAPE(2), 1, 0);
    cr_expect_eq(rille_index_put(t, 1, &swap, t), RILLE_OK, "from itself");
    EXPECT_VALUES(t, 3, 9, -1, 0, 9, 2);
    cr_expect_eq(
        rille_index_put(rille_flip(t, (int[]){1}, 1), 2, (rille_tensor *[]){swap, swap}, rille_scalar(cx, RILLE_BOOL, 1)),
        RILLE_OK);
    EXPECT_VALUES(t, 3, 9, 1, 0, 1, 2);
    rille_tensor *w = rille_full(cx, RILLE_FLOAT32, SHAPE(2), 3), *saved = rille_full(cx, RILLE_FLOAT32, SHAPE(2), 3);
    rille_set_requires_grad(w, true);
    rille_tensor *loss = rille_sum(rille_mul(w, saved), NULL, 0, false);
    cr_expect_eq(rille_index_put(saved, 1, &swap, rille_scalar(cx, RILLE_FLOAT32, 1)), RILLE_OK);
    EXPECT_STATUS(cx, rille_backward(loss, NULL), RILLE_ERROR_GRAPH,
                  "backward: a tensor of shape [2] that 'mul' needs for its gradient was changed in place afterwards; "
                  "change a clone instead");
    EXPECT_STATUS(cx, rille_index_put(w, 1, &swap, saved), RILLE_ERROR_GRAPH,
                  "index_put: writing in place into a tensor that takes part in gradients; switch gradients off around it");
    rille_close(cx);
}

Test(index, messages)
{
    rille_context *cx = open_with(2, 1);
    rille_tensor *t = rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 3)), *bad = I64(cx, SHAPE(1), 3), *zero = I64(cx, SHAPE(1), 0);
    rille_tensor *mask = MASK(cx, SHAPE(2), true, false), *one = rille_scalar(cx, RILLE_FLOAT32, 1);
    EXPECT_FAILS(cx, rille_index(t, 1, &bad), RILLE_ERROR_INDEX, "index: 3 is not in 1 ... 2, or -1 ... -2 from the end");
    EXPECT_FAILS(cx, rille_index(t, 1, &zero), RILLE_ERROR_INDEX, "index: 0 is not in 1 ... 2, or -1 ... -2 from the end");
    EXPECT_FAILS(cx, rille_index(t, 1, &one), RILLE_ERROR_DTYPE, "index: entry 1 is float32 []; int64 or bool expected");
    EXPECT_FAILS(cx, rille_index(t, 2, (rille_tensor *[]){NULL, mask}), RILLE_ERROR_SHAPE,
                 "index: the mask that is entry 2 has shape [2]; it is to have that of dimensions from 2 on of [2, 3]");
    EXPECT_FAILS(cx, rille_index(t, 3, (rille_tensor *[]){NULL, NULL, NULL}), RILLE_ERROR_SHAPE,
                 "index: 3 entries are too many for shape [2, 3]");
    EXPECT_FAILS(cx, rille_index(t, 2, (rille_tensor *[]){I64(cx, SHAPE(2), 1, 1), I64(cx, SHAPE(3), 1, 1, 1)}),
                 RILLE_ERROR_SHAPE, "index: shapes [2] and [3] do not broadcast (2 against 3, dimension 1 from the end)");
    EXPECT_FAILS(cx, rille_index(t, 1, (rille_tensor *[]){rille_full(cx, RILLE_INT64, SHAPE(1, 1, 1, 1, 1, 1, 1, 1), 1)}),
                 RILLE_ERROR_SHAPE,
                 "index: an index of shape [1, 1, 1, 1, 1, 1, 1, 1] into shape [2, 3] gives more than 8 dimensions");
    EXPECT_FAILS(cx, rille_index(t, 1, NULL), RILLE_ERROR_NULL, "index: there is no list of 1 entries");
    EXPECT_STATUS(cx, rille_index_put(t, 1, &mask, rille_zeros(cx, RILLE_FLOAT32, SHAPE(2, 3))), RILLE_ERROR_SHAPE,
                  "index_put: shape [2, 3] does not fit into [1, 3]");
    rille_close(cx);
}

/* ---- Vectors ---- */

Test(vectors, dot_and_outer)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *a = counted(cx, SHAPE(3)), *b = rille_flip(counted(cx, SHAPE(3)), (int[]){0}, 1),
                 *whole = I64(cx, SHAPE(2), 2, 3);
    EXPECT_VALUES(rille_dot(a, b), 1);
    EXPECT_VALUES(rille_outer(a, whole), 0, 0, 2, 3, 4, 6);
    EXPECT_FAILS(cx, rille_dot(a, whole), RILLE_ERROR_SHAPE, "dot: shapes [3] and [2]; two vectors of one length expected");
    EXPECT_FAILS(cx, rille_dot(whole, whole), RILLE_ERROR_DTYPE,
                 "dot: dtypes are int64 and int64; float32 or float64 expected");
    EXPECT_FAILS(cx, rille_outer(a, rille_unsqueeze(a, 0)), RILLE_ERROR_SHAPE,
                 "outer: shapes [3] and [1, 3]; two vectors expected");
    rille_close(cx);
}
