/* Statistics of gradient flow. */
#include "engine/support.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

/* ---- Statistics ---- */

/* Against sums in long double, at sizes around those of a chunk. */
static void check_statistics(rille_dtype dtype, int64_t n, double centre, double scale)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *t = rille_empty(cx, dtype, SHAPE(n));
    uint64_t state = (uint64_t)n;
    long double sum = 0, squares = 0, deviation = 0, least = INFINITY, most = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        put_element(dtype, rille_data(t), i, (long double)(scale * (centre + random_between(&state, -1, 1))));
        long double x = value_of(t, i);
        sum += x;
        squares += x * x;
        least = x < least ? x : least;
        most = x > most ? x : most;
    }
    for (int64_t i = 0; i < n; i++)
        deviation += (value_of(t, i) - sum / n) * (value_of(t, i) - sum / n);
    rille_statistics s;
    cr_assert_eq(rille_measure(t, &s), RILLE_OK);
    cr_expect_eq(s.count, n);
    EXPECT_NEAR(s.mean, sum / n, 1e-13 * scale * (1 + fabs(centre)));
    EXPECT_NEAR(s.std, sqrtl(deviation / n), 1e-12 * scale);
    EXPECT_NEAR(s.log10_norm, 0.5L * log10l(squares), 1e-12);
    cr_expect(s.min == (double)least && s.max == (double)most);
    rille_close(cx);
}

Test(measure, agrees_with_long_double)
{
    const int64_t sizes[] = {1, 2, 15, 16, 17, 4095, 4096, 4097, 12289, 100003};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        check_statistics(RILLE_FLOAT32, sizes[i], 0, 1);
        check_statistics(RILLE_FLOAT32, sizes[i], 100, 1e-3);
        check_statistics(RILLE_FLOAT64, sizes[i], 0.5, 1e200);
        check_statistics(RILLE_FLOAT64, sizes[i], -3, 1e-200);
    }
}

Test(measure, counts_what_is_odd)
{
    rille_context *cx = open_with(1, 0);
    rille_statistics s;
    rille_measure(rille_from(cx, RILLE_FLOAT32, SHAPE(8), (float[]){NAN, INFINITY, -INFINITY, 0, -0.0f, 1e-45f, -1e-40f, 3}),
                  &s);
    cr_expect(s.count == 8 && s.nans == 1 && s.infinities == 2 && s.zeros == 2 && s.subnormals == 2);
    cr_expect_eq(s.min, (double)-1e-40f);
    cr_expect_eq(s.max, 3);
    EXPECT_NEAR(s.mean, 3.0 / 5, 1e-15);
    rille_measure(rille_from(cx, RILLE_FLOAT32, SHAPE(1), (float[]){1e-45f}), &s);
    EXPECT_NEAR(s.log10_norm, log10(0x1p-149), 1e-12);
    rille_measure(rille_zeros(cx, RILLE_FLOAT64, SHAPE(3)), &s);
    cr_expect(s.log10_norm == -INFINITY && s.mean == 0 && s.std == 0 && s.zeros == 3);
    rille_measure(rille_full(cx, RILLE_FLOAT32, SHAPE(3), NAN), &s);
    cr_expect(s.nans == 3 && isnan(s.mean) && isnan(s.std) && isnan(s.min) && isnan(s.max));
    rille_measure(rille_zeros(cx, RILLE_FLOAT32, SHAPE(0)), &s);
    cr_expect(s.count == 0 && isnan(s.mean));
    rille_measure(rille_arange(cx, RILLE_INT64, 0, 5, 1), &s);
    cr_expect(s.mean == 2 && s.max == 4);
    rille_close(cx);
}

Test(measure, has_the_same_bits_for_any_number_of_threads)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *t = rille_randn(cx, RILLE_FLOAT32, SHAPE(300, 1001));
    rille_statistics first, other;
    memset(&first, 0, sizeof first);
    memset(&other, 0, sizeof other);
    rille_measure(rille_transpose(t, 0, 1), &first);
    for (int threads = 2; threads <= 8; threads++) {
        rille_set_threads(cx, threads);
        rille_measure(rille_transpose(t, 0, 1), &other);
        cr_expect_eq(memcmp(&first, &other, sizeof first), 0, "%d threads", threads);
    }
    rille_close(cx);
}

Test(measure, shares)
{
    rille_context *cx = open_with(1, 0);
    double share;
    rille_tensor *x = rille_from(cx, RILLE_FLOAT32, SHAPE(2, 4), (float[]){-20, 0, 20, NAN, -1, 0, 3, 0});
    cr_expect_eq(rille_measure_saturated(x, RILLE_SIGMOID, NULL, 1e-3, &share), RILLE_OK);
    cr_expect_eq(share, 2.0 / 8);
    rille_tensor *y = rille_relu(rille_from(cx, RILLE_FLOAT32, SHAPE(2, 4), (float[]){-1, 2, -3, NAN, -1, 0, -3, 0}));
    rille_tensor *small = rille_from(cx, RILLE_FLOAT64, SHAPE(2, 2), (double[]){-0.5, 1, NAN, 0.25});
    cr_expect_eq(rille_measure_below(rille_transpose(small, 0, 1), 1, &share), RILLE_OK);
    cr_expect_eq(share, 0.5);
    cr_expect_eq(rille_measure_dead(y, &share), RILLE_OK);
    cr_expect_eq(share, 2.0 / 4);
    EXPECT_STATUS(cx, rille_measure_dead(rille_scalar(cx, RILLE_FLOAT32, 0), &share), RILLE_ERROR_SHAPE,
                  "measure_dead: a tensor of rank 0 has no units; rank 1 or more expected");
    rille_close(cx);
}

/* ---- Many at once ---- */

Test(measure_many, gives_what_one_at_a_time_gives_and_nothing_for_what_is_not_there)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *x = rille_randn(cx, RILLE_FLOAT32, SHAPE(90, 101)), *turned = rille_transpose(x, 0, 1);
    rille_tensor *counts = rille_arange(cx, RILLE_INT64, 0, 5, 1), *all[] = {x, NULL, turned, counts};
    const rille_intervals middle = {2, {-0.5, 0.25}, {0, 0.5}}, *within[] = {&middle, NULL, NULL, NULL};
    rille_statistics many[4], one;
    memset(many, 0, sizeof many);
    memset(&one, 0, sizeof one);
    cr_assert_eq(rille_measure_many(cx, 4, all, within, many), RILLE_OK);
    cr_expect(many[1].count == 0 && isnan(many[1].mean));
    int64_t expected = 0;
    for (int64_t i = 0; i < rille_numel(x); i++)
        expected += (value_of(x, i) >= -0.5L && value_of(x, i) <= 0) || (value_of(x, i) >= 0.25L && value_of(x, i) <= 0.5L);
    cr_expect_eq(many[0].within, expected);
    many[0].within = 0;
    for (int i = 0; i < 4; i++)
        if (all[i] != NULL) {
            cr_expect_eq(rille_measure(all[i], &one), RILLE_OK);
            cr_expect_eq(memcmp(&one, &many[i], sizeof one), 0, "tensor %d", i);
        }
    cr_expect_eq(rille_measure_many(cx, 0, NULL, NULL, NULL), RILLE_OK);
    EXPECT_STATUS(cx, rille_measure_many(cx, 1, NULL, NULL, many), RILLE_ERROR_NULL,
                  "measure_many: the list of tensors is NULL");
    EXPECT_STATUS(cx, rille_measure_many(cx, 1, all, NULL, NULL), RILLE_ERROR_NULL, "measure_many: the statistics are NULL");
    rille_context *other = open_with(1, 0);
    rille_tensor *strange = rille_scalar(other, RILLE_FLOAT32, 1);
    EXPECT_STATUS(cx, rille_measure_many(cx, 1, &strange, NULL, many), RILLE_ERROR_ARGUMENT,
                  "measure_many: tensor 0 is of another context");
    rille_close(other);
    rille_close(cx);
}

/* ---- Early ---- */

/* Whether what is kept with t, or read now, is what a copy of t measures. */
static void expect_as_measured_anew(rille_context *cx, rille_tensor *t, const rille_intervals *within)
{
    rille_statistics now, anew;
    rille_tensor *copy = rille_clone(rille_detach(t));
    memset(&now, 0, sizeof now);
    memset(&anew, 0, sizeof anew);
    cr_assert_eq(rille_measure_many(cx, 1, &t, &within, &now), RILLE_OK);
    cr_assert_eq(rille_measure_many(cx, 1, &copy, &within, &anew), RILLE_OK);
    cr_expect_eq(memcmp(&now, &anew, sizeof now), 0, "mean %.17g instead of %.17g", now.mean, anew.mean);
}

Test(measure_early, keeps_what_is_true_until_something_is_written)
{
    rille_context *cx = open_with(2, 0);
    const rille_intervals middle = {1, {-0.5}, {0.5}}, upper = {1, {0.5}, {INFINITY}};
    rille_tensor *x = rille_randn(cx, RILLE_FLOAT32, SHAPE(90, 101));
    rille_statistics s;
    cr_assert_eq(rille_measure_early(x, &middle), RILLE_OK);
    expect_as_measured_anew(cx, x, &middle);
    expect_as_measured_anew(cx, x, NULL);
    expect_as_measured_anew(cx, x, &upper);
    cr_assert_eq(rille_measure_early(x, &upper), RILLE_OK); /* nothing but the intervals is new */
    expect_as_measured_anew(cx, x, &upper);
    ((float *)rille_data(x))[7] = 1e6f; /* behind the engine's back: what is kept is what is given */
    cr_expect_eq(rille_measure(x, &s), RILLE_OK);
    cr_expect_lt(s.max, 1e6);
    rille_touch(x);
    cr_expect_eq(rille_measure(x, &s), RILLE_OK);
    cr_expect_eq(s.max, 1e6);
    expect_as_measured_anew(cx, x, &middle);
    rille_tensor *turned = rille_transpose(x, 0, 1);
    cr_assert_eq(rille_measure_early(turned, &middle), RILLE_OK);
    cr_assert_eq(rille_measure_early(turned, &upper), RILLE_OK);
    expect_as_measured_anew(cx, turned, &upper);
    cr_expect_eq(rille_measure_early(NULL, NULL), RILLE_ERROR_NULL);
    rille_close(cx);
}

static const float *gradient_data(rille_tensor *t)
{
    return rille_data(rille_gradient(t));
}

Test(measure_early, measures_gradients_as_they_come)
{
    rille_context *cx = open_with(2, 0);
    rille_tensor *w = rille_randn(cx, RILLE_FLOAT32, SHAPE(40, 60)), *y;
    rille_statistics s;
    rille_set_requires_grad(w, true);
    for (int pass = 0; pass < 2; pass++) { /* the second is added to the first */
        y = rille_tanh(w);
        rille_retain_grad(y);
        cr_assert_eq(rille_measure_early(w, NULL), RILLE_OK);
        cr_assert_eq(rille_measure_early(y, NULL), RILLE_OK);
        cr_assert_eq(rille_backward(rille_sum(rille_mul(y, y), NULL, 0, false), NULL), RILLE_OK);
        expect_as_measured_anew(cx, rille_gradient(w), NULL);
        expect_as_measured_anew(cx, rille_gradient(y), NULL);
    }
    ((float *)rille_data(rille_gradient(w)))[3] = NAN; /* what was kept was measured during backward, not now */
    cr_expect_eq(rille_measure(rille_gradient(w), &s), RILLE_OK);
    cr_expect(s.nans == 0 && isnan(gradient_data(w)[3]));
    cr_assert_eq(rille_clip_grad_value(cx, 1, &w, 0.25), RILLE_OK);
    cr_expect_eq(rille_measure(rille_gradient(w), &s), RILLE_OK);
    cr_expect(s.nans == 1 && s.max == 0.25);
    rille_close(cx);
}

Test(measure_many, ends_of_intervals_are_those_of_float64)
{
    rille_context *cx = open_with(1, 0);
    const float tenth = 0.1f; /* 0.1 + 1.5e-9 */
    rille_tensor *x = rille_from(cx, RILLE_FLOAT32, SHAPE(3), (float[]){tenth, nextafterf(tenth, 0), 0.2f});
    const rille_intervals from_tenth = {1, {0.1}, {INFINITY}}, to_tenth = {1, {-INFINITY}, {0.1}};
    const rille_intervals *within[] = {&from_tenth, &to_tenth};
    rille_statistics s[2];
    cr_assert_eq(rille_measure_many(cx, 2, (rille_tensor *[]){x, x}, within, s), RILLE_OK);
    cr_expect_eq(s[0].within, 2);
    cr_expect_eq(s[1].within, 1);
    rille_close(cx);
}

Test(measure_many, counts_dead_units)
{
    rille_context *cx = open_with(1, 0);
    rille_statistics s;
    rille_measure(rille_from(cx, RILLE_FLOAT32, SHAPE(3, 2), (float[]){0, 1, -0.0f, 0, 0, 0}), &s);
    cr_expect_eq(s.dead, 1);
    rille_measure(rille_from(cx, RILLE_FLOAT32, SHAPE(3, 2), (float[]){0, 1, NAN, 0, 0, 0}), &s);
    cr_expect_eq(s.dead, 0);
    rille_measure(rille_zeros(cx, RILLE_FLOAT64, SHAPE(0, 3)), &s);
    cr_expect_eq(s.dead, 3);
    rille_measure(rille_zeros(cx, RILLE_FLOAT64, SHAPE(3, 0)), &s);
    cr_expect_eq(s.dead, 0);
    rille_measure(rille_scalar(cx, RILLE_FLOAT64, 0), &s);
    cr_expect_eq(s.dead, 0);
    float late[100][3] = {{0}}; /* one is alive from the start, one at the end, one never */
    late[0][0] = late[99][1] = 1;
    rille_measure(rille_from(cx, RILLE_FLOAT32, SHAPE(100, 3), late), &s);
    cr_expect_eq(s.dead, 1);
    rille_close(cx);
}

Test(measure_changes, says_how_far_it_is_from_before_and_keeps_what_is_now)
{
    rille_context *cx = open_with(1, 1);
    rille_tensor *now = rille_from(cx, RILLE_FLOAT32, SHAPE(2, 2), (float[]){1, 2, 3, 4});
    rille_tensor *before = rille_from(cx, RILLE_FLOAT32, SHAPE(2, 2), (float[]){1, 2, 0, 0});
    rille_tensor *wide = rille_randn(cx, RILLE_FLOAT64, SHAPE(10001)), *old = rille_zeros(cx, RILLE_FLOAT64, SHAPE(10001));
    rille_tensor *tensors[] = {now, wide}, *previous[] = {before, old};
    rille_statistics s[2], of_wide;
    const rille_intervals all = {.count = 1, .low = {-INFINITY}, .high = {INFINITY}}, *within[] = {&all, &all};
    cr_assert_eq(rille_measure_many(cx, 2, tensors, within, s), RILLE_OK); /* its memory is used again */
    cr_assert_eq(rille_measure_changes(cx, 2, tensors, previous, s), RILLE_OK);
    cr_expect(s[0].within == 0 && s[1].within == 0, "no intervals were given");
    EXPECT_NEAR(s[0].log10_norm, log10(5), 1e-15);
    cr_expect(s[0].count == 4 && s[0].max == 4 && s[0].zeros == 2);
    rille_measure(wide, &of_wide);
    EXPECT_NEAR(s[1].log10_norm, of_wide.log10_norm, 1e-12);
    EXPECT_VALUES(before, 1, 2, 3, 4);
    cr_assert_eq(rille_measure_changes(cx, 2, tensors, previous, s), RILLE_OK);
    cr_expect(s[0].log10_norm == -INFINITY && s[1].zeros == 10001);
    previous[0] = wide;
    EXPECT_STATUS(cx, rille_measure_changes(cx, 1, tensors, previous, s), RILLE_ERROR_SHAPE,
                  "measure_changes: tensor 1 is float32 [2, 2], what it was float64 [10001]; contiguous floating ones of one "
                  "shape expected");
    tensors[0] = rille_narrow(wide, 0, 0, 5000);
    previous[0] = rille_narrow(old, 0, 5000, 5000);
    EXPECT_STATUS(cx, rille_measure_changes(cx, 2, tensors, previous, s), RILLE_ERROR_ARGUMENT,
                  "measure_changes: two of the tensors are compared with one in the same memory");
    previous[0] = NULL;
    EXPECT_STATUS(cx, rille_measure_changes(cx, 1, tensors, previous, s), RILLE_ERROR_NULL,
                  "measure_changes: tensor 1, or what it was, is no tensor of this context");
    EXPECT_STATUS(cx, rille_measure_changes(cx, 1, NULL, previous, s), RILLE_ERROR_NULL, "measure_changes: a list is NULL");
    rille_close(cx);
}

/* ---- Where an activation is flat ---- */

typedef struct cancelling {
    rille_context *context;
    long microseconds;
} cancelling;

static bool is_within(const rille_intervals *flat, double x)
{
    for (int i = 0; i < flat->count; i++)
        if (x >= flat->low[i] && x <= flat->high[i])
            return true;
    return false;
}

/* At random points, and at every end and its neighbours outside. */
static void check_flat(rille_context *cx, rille_activation act, double threshold)
{
    rille_intervals flat;
    cr_assert_eq(rille_flat_intervals(cx, act, NULL, threshold, &flat), RILLE_OK);
    if (flat.count < 0) /* oscillates */
        return;
    uint64_t state = (uint64_t)act + 1;
    for (int i = 0; i < 3000 + 4 * flat.count; i++) {
        double x = i % 2 == 0 ? random_between(&state, -9, 9)
                              : ldexp(random_between(&state, -1, 1), (int)random_below(&state, 80) - 60);
        const int end = i - 3000;
        if (end >= 0) {
            x = end % 2 == 0 ? flat.low[end / 4] : flat.high[end / 4];
            x = end % 4 < 2 ? x : nextafter(x, end % 2 == 0 ? -INFINITY : INFINITY);
        }
        double slope = NAN;
        rille_map(cx, act, NULL, 1, RILLE_FLOAT64, 1, &x, &slope);
        cr_assert_eq(is_within(&flat, x), fabs(slope) < threshold, "%s, |f'| < %g: f'(%.17g) = %.17g",
                     rille_activation_describe(act)->name, threshold, x, slope);
    }
}

Test(flat_intervals, are_where_the_slope_is_below_the_threshold)
{
    rille_context *cx = open_with(1, 0);
    for (int act = 0; act < RILLE_ACTIVATION_COUNT; act++)
        for (int i = 0; i < 3; i++)
            check_flat(cx, act, (const double[]){1e-3, 0.1, 1e-7}[i]);
    rille_close(cx);
}

Test(flat_intervals, of_known_activations)
{
    rille_context *cx = open_with(1, 0);
    rille_intervals flat;
    cr_assert_eq(rille_flat_intervals(cx, RILLE_RELU, NULL, 1e-3, &flat), RILLE_OK);
    cr_expect(flat.count == 1 && flat.low[0] == -INFINITY && flat.high[0] == 0);
    cr_assert_eq(rille_flat_intervals(cx, RILLE_TANH, NULL, 1e-3, &flat), RILLE_OK);
    cr_expect(flat.count == 2 && flat.low[0] == -INFINITY && flat.high[1] == INFINITY && flat.high[0] == -flat.low[1]);
    EXPECT_NEAR(flat.low[1], acosh(sqrt(1000)), 1e-14);                              /* 1 - tanh^2 = 1 / cosh^2 */
    cr_assert_eq(rille_flat_intervals(cx, RILLE_GELU, NULL, 1e-3, &flat), RILLE_OK); /* the far left, and a dip at -0.75 */
    cr_expect(flat.count == 2 && flat.low[1] < -0.7517 && flat.high[1] > -0.7517);
    cr_assert_eq(rille_flat_intervals(cx, RILLE_SIN, NULL, 1e-3, &flat), RILLE_OK);
    cr_expect_eq(flat.count, -1);
    cr_assert_eq(rille_flat_intervals(cx, RILLE_IDENTITY, NULL, 1e-3, &flat), RILLE_OK);
    cr_expect_eq(flat.count, 0);
    EXPECT_STATUS(cx, rille_flat_intervals(cx, RILLE_TANH, NULL, 1e-3, NULL), RILLE_ERROR_NULL,
                  "flat_intervals: the intervals are NULL");
    rille_close(cx);
}

static void *cancel_after(void *argument)
{
    const cancelling *c = argument;
    nanosleep(&(struct timespec){.tv_nsec = 1000 * c->microseconds}, NULL);
    rille_cancel(c->context);
    return NULL;
}

/* Wherever the search was when it came. */
Test(flat_intervals, tell_of_being_cancelled)
{
    rille_context *cx = open_with(1, 0);
    rille_intervals flat;
    for (int i = 0; i < 100; i++) {
        cancelling c = {.context = cx, .microseconds = 50L * i};
        pthread_t other;
        cr_assert_eq(pthread_create(&other, NULL, cancel_after, &c), 0);
        const rille_status status = rille_flat_intervals(cx, RILLE_GELU, NULL, 1e-3, &flat);
        cr_assert_eq(status, rille_error_status(cx), "round %d: %d, but the message is '%s'", i, status, rille_error(cx));
        pthread_join(other, NULL);
        rille_map(cx, RILLE_TANH, NULL, 0, RILLE_FLOAT64, 1, &(double){0}, &(double){0}); /* takes what came too late */
        rille_clear_error(cx);
    }
    rille_close(cx);
}

Test(histogram, counts_bins_of_equal_width)
{
    rille_context *cx = open_with(1, 0);
    rille_tensor *x = rille_from(cx, RILLE_FLOAT32, SHAPE(2, 4), (float[]){-1, -0.5f, 0, 1, 0.99f, 1.01f, NAN, -INFINITY});
    int64_t count[4];
    cr_assert_eq(rille_histogram(rille_transpose(x, 0, 1), -1, 1, 4, count), RILLE_OK);
    cr_expect(count[0] == 1 && count[1] == 1 && count[2] == 1 && count[3] == 2);
    EXPECT_STATUS(cx, rille_histogram(x, 1, 1, 4, count), RILLE_ERROR_ARGUMENT,
                  "histogram: 4 bins from 1 to 1; one or more expected, from a number to a larger one");
    EXPECT_STATUS(cx, rille_histogram(x, 0, INFINITY, 4, count), RILLE_ERROR_ARGUMENT,
                  "histogram: 4 bins from 0 to inf; one or more expected, from a number to a larger one");
    EXPECT_STATUS(cx, rille_histogram(x, 0, 1, 4, NULL), RILLE_ERROR_NULL, "histogram: there is no room for the counts: NULL");
    rille_close(cx);
}
