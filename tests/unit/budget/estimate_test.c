/* estimate_test.c - the percentile that is learned: right for every shape of samples, quick to
 * follow a change both ways, gone after silence. */
#include <math.h>
#include <stdlib.h>

#include "estimate.h"
#include "unit.h"

#define BUCKET 1.125 /* how much wider than where it begins a bucket can be */

/* A learner and its time. */
struct bed {
    struct stint__estimate e;
    stint_time now;
    double u; /* the next of an even sequence in [0, 1) */
};

static void bed_init(struct bed *b)
{
    *b = (struct bed){.now = {STINT_SECONDS(1000)}};
    stint__estimate_init(&b->e, b->now);
}

/* Multiples of the golden ratio: any few hundred in a row fill [0, 1) evenly, so that percentiles
 * can be known beforehand. */
static double even(struct bed *b)
{
    b->u += 0.6180339887498949;
    b->u -= floor(b->u);
    return b->u;
}

static stint_duration high(struct bed *b)
{
    return stint__estimate_high(&b->e, b->now);
}

static void add(struct bed *b, stint_duration sample)
{
    stint__estimate_add(&b->e, sample, b->now);
}

/* Samples of d at `rate` a second for `length`; looked at each time, as admission does. */
static void run(struct bed *b, stint_duration d, int rate, stint_duration length)
{
    stint_duration gap = STINT_SECONDS(1) / rate;
    for (stint_duration at = 0; at < length; at += gap) {
        b->now.ns += gap;
        add(b, d);
        (void)high(b);
    }
}

static void assert_near(stint_duration got, double want, double factor)
{
    if ((double)got > want * factor || (double)got < want / factor)
        fail_msg("%.0f ns is not within %.3f of %.0f ns", (double)got, factor, want);
}

static void nothing_is_said_of_too_few(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b);
    for (int i = 0; i < STINT__ESTIMATE_LEAST; i++) {
        assert_int_equal(high(&b), 0);
        assert_int_equal(stint__estimate_mean(&b.e, b.now), 0);
        add(&b, STINT_MS(3));
    }
    assert_near(high(&b), 3e6, BUCKET);
    assert_int_equal(stint__estimate_mean(&b.e, b.now), STINT_MS(3));
}

/* Of every size from a microsecond to an hour, at both ends of each bucket. */
static void a_constant_is_found_in_its_bucket(void **state)
{
    (void)state;
    for (int bit = 10; bit < 41; bit++) {
        for (int eighths = 8; eighths < 16; eighths++) {
            int64_t begins = (INT64_C(1) << bit) / 8 * eighths;
            for (int64_t d = begins - 1; d <= begins + 1; d++) {
                struct bed b;
                bed_init(&b);
                run(&b, d, 100, STINT_MS(200));
                if (d < 1024)
                    assert_true(high(&b) > 0 && high(&b) <= 1024);
                else
                    assert_near(high(&b), (double)d, BUCKET);
                assert_true(llabs(stint__estimate_mean(&b.e, b.now) - d) <= 1 + d / 1000000);
            }
        }
    }
}

static double exponential(double u)
{
    return -1e6 * log(1 - u);
}

static double bimodal(double u)
{
    return u < 0.9 ? 1e6 : 10e6;
}

static double even_spread(double u)
{
    return 1e6 + 9e6 * u;
}

/* Pareto's, without a variance. */
static double heavy_tailed(double u)
{
    return 1e6 * pow(1 - u, -1 / 1.5);
}

static void the_percentile_is_right_for_every_shape(void **state)
{
    (void)state;
    double (*const shapes[])(double) = {exponential, bimodal, even_spread, heavy_tailed};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct bed b;
        bed_init(&b);
        for (int n = 0; n < 5000; n++) {
            b.now.ns += STINT_MS(1);
            add(&b, (stint_duration)shapes[i](even(&b)));
            if (n > 1000) /* at any moment, not only at the end */
                assert_near(high(&b), shapes[i](0.95), BUCKET);
        }
    }
}

static void the_mean_is_of_what_was_seen_lately(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b);
    run(&b, STINT_MS(50), 1000, STINT_SECONDS(2));
    for (int n = 0; n < 5000; n++) {
        b.now.ns += STINT_MS(1);
        add(&b, (stint_duration)bimodal(even(&b)));
    }
    assert_near(stint__estimate_mean(&b.e, b.now), 1.9e6, 1.02);
}

static void a_change_is_followed_within_3_s(int rate)
{
    struct bed b;
    bed_init(&b);
    run(&b, STINT_MS(10), rate, STINT_SECONDS(60));
    assert_near(high(&b), 10e6, BUCKET);
    run(&b, STINT_MS(1), rate, STINT_SECONDS(3));
    assert_near(high(&b), 1e6, BUCKET);
    assert_near(stint__estimate_mean(&b.e, b.now), 1e6, 1.5);
    run(&b, STINT_MS(1), rate, STINT_SECONDS(57));
    assert_near(high(&b), 1e6, BUCKET);
    run(&b, STINT_MS(10), rate, STINT_SECONDS(3));
    assert_near(high(&b), 10e6, BUCKET);
    assert_near(stint__estimate_mean(&b.e, b.now), 10e6, 1.05);
}

static void a_change_is_followed_when_samples_are_few(void **state)
{
    (void)state;
    a_change_is_followed_within_3_s(20);
}

static void a_change_is_followed_when_samples_are_many(void **state)
{
    (void)state;
    a_change_is_followed_within_3_s(5000);
}

/* An outlier among many is none of the 5 % that matter. */
static void one_outlier_changes_nothing(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b);
    run(&b, STINT_MS(1), 1000, STINT_SECONDS(2));
    run(&b, STINT_SECONDS(5), 1000, STINT_MS(1));
    assert_near(high(&b), 1e6, BUCKET);
    run(&b, STINT_MS(1), 1000, STINT_SECONDS(1));
    assert_near(high(&b), 1e6, BUCKET);
}

static void the_median_is_not_moved_by_a_few(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b);
    assert_int_equal(stint__estimate_median(&b.e, b.now), 0);
    for (int i = 0; i < 60; i++) {
        b.now.ns += STINT_MS(1);
        add(&b, i % 5 == 4 ? STINT_MS(600) : STINT_MS(10));
    }
    assert_near(stint__estimate_median(&b.e, b.now), 1e7, BUCKET);
    assert_near(high(&b), 6e8, BUCKET);
}

/* A process that was stopped in the middle of some calls. */
static void a_stall_is_not_what_calls_need(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b);
    for (int i = 0; i < 10; i++)
        add(&b, STINT_MS(2));
    for (int i = 0; i < 4; i++)
        add(&b, STINT_MS(700));
    assert_near(high(&b), 2e6, BUCKET);
    add(&b, STINT_MS(700));
    add(&b, STINT_MS(700));
    assert_near(high(&b), 700e6, BUCKET);
}

static void a_sample_counts_for_those_that_were_not_taken(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b);
    for (int i = 0; i < 10; i++)
        add(&b, STINT_MS(600));
    stint__estimate_add_for(&b.e, STINT_MS(10), 90, b.now);
    assert_near(stint__estimate_median(&b.e, b.now), 1e7, BUCKET);
    assert_near(stint__estimate_mean(&b.e, b.now), (10 * 600e6 + 90 * 10e6) / 100, 1.001);
    /* As if they had been taken, also where no more is worth anything. */
    struct bed one, all;
    bed_init(&one);
    bed_init(&all);
    for (int i = 0; i < 1000; i++) {
        add(&one, STINT_MS(1));
        add(&all, STINT_MS(1));
    }
    stint__estimate_add_for(&one.e, STINT_MS(10), 8, one.now);
    for (int i = 0; i < 8; i++)
        add(&all, STINT_MS(10));
    double a = (double)stint__estimate_mean(&one.e, one.now);
    assert_near(stint__estimate_mean(&all.e, all.now), a, 1.02);
}

static void silence_is_forgetting(void **state)
{
    (void)state;
    static const stint_duration silences[] = {STINT_SECONDS(4), STINT_SECONDS(60),
                                              STINT_SECONDS(36000), INT64_MAX};
    for (size_t i = 0; i < sizeof silences / sizeof *silences; i++) {
        struct bed b;
        bed_init(&b);
        run(&b, STINT_SECONDS(9), 1000, STINT_SECONDS(2));
        assert_near(high(&b), 9e9, BUCKET);
        b.now = stint_time_add(b.now, silences[i]);
        assert_int_equal(high(&b), 0);
        assert_int_equal(stint__estimate_mean(&b.e, b.now), 0);
    }
}

static void after_silence_it_learns_anew(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b);
    run(&b, STINT_SECONDS(9), 1000, STINT_SECONDS(2));
    b.now.ns += STINT_SECONDS(60);
    run(&b, STINT_MS(1), 1000, STINT_MS(STINT__ESTIMATE_LEAST));
    assert_near(high(&b), 1e6, BUCKET);
    assert_int_equal(stint__estimate_mean(&b.e, b.now), STINT_MS(1));
}

/* Passing time alone does not move it. */
static void what_it_says_stays_until_it_is_silent(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b);
    run(&b, STINT_MS(7), 1000, STINT_SECONDS(1));
    stint_duration said = high(&b);
    for (int i = 0; i < 30; i++) {
        b.now.ns += STINT_MS(100);
        assert_int_equal(high(&b), said);
    }
}

static void a_sample_loses_half_its_worth_in_a_half_life(void **state)
{
    (void)state;
    for (int step = 0; step <= 512; step++) {
        struct bed b;
        bed_init(&b);
        add(&b, STINT_MS(1));
        b.now.ns += STINT__ESTIMATE_HALF_LIFE * step / 16;
        add(&b, STINT_MS(1));
        assert_true(fabs(b.e.unit / exp2(step / 16.0) - 1) < 1e-9);
        assert_true(fabs(b.e.weight / b.e.unit - 1 - exp2(-step / 16.0)) < 1e-6);
    }
}

/* An hour of samples: the weight holds, and nothing drifts or overflows. */
static void it_stays_sound_for_ever(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b);
    for (int i = 0; i < 3600 * 500; i++) {
        b.now.ns += STINT_MS(2);
        add(&b, (stint_duration)exponential(even(&b)));
    }
    double sum = 0;
    for (size_t i = 0; i < STINT__ESTIMATE_BUCKETS; i++)
        sum += (double)b.e.counts[i];
    assert_true(fabs(sum / b.e.weight - 1) < 1e-4);
    double samples = b.e.weight / b.e.unit;
    assert_true(samples > 0.95 * STINT__ESTIMATE_WEIGHT && samples < STINT__ESTIMATE_WEIGHT + 1);
    assert_near(high(&b), exponential(0.95), BUCKET);
    assert_near(stint__estimate_mean(&b.e, b.now), 1e6, 1.03);
}

static void no_sample_is_too_small_or_too_large(void **state)
{
    (void)state;
    static const stint_duration small[] = {0, 1, -1, INT64_MIN};
    struct bed b;
    bed_init(&b);
    for (int i = 0; i < 400; i++) {
        add(&b, small[i % 4]);
        assert_true(high(&b) >= 0 && high(&b) <= 1024);
        assert_true(stint__estimate_mean(&b.e, b.now) <= 1);
    }
    for (int i = 0; i < 4000; i++)
        add(&b, INT64_MAX);
    assert_true(high(&b) > STINT_SECONDS(3600) && high(&b) < STINT_SECONDS(7200));
    assert_near(stint__estimate_mean(&b.e, b.now), 0x1p42, 1.0001);
}

static void time_may_stand_still_or_go_back(void **state)
{
    (void)state;
    static const int64_t times[] = {0, -1, INT64_MIN, 5, INT64_MAX, INT64_MIN, INT64_MAX - 1};
    struct bed b;
    bed_init(&b);
    for (size_t i = 0; i < sizeof times / sizeof *times * 200; i++) {
        b.now.ns = times[i / 200];
        add(&b, STINT_MS(2));
    }
    assert_near(high(&b), 2e6, BUCKET);
    assert_int_equal(stint__estimate_mean(&b.e, b.now), STINT_MS(2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_said_of_too_few),
        cmocka_unit_test(a_constant_is_found_in_its_bucket),
        cmocka_unit_test(the_percentile_is_right_for_every_shape),
        cmocka_unit_test(the_mean_is_of_what_was_seen_lately),
        cmocka_unit_test(a_change_is_followed_when_samples_are_few),
        cmocka_unit_test(a_change_is_followed_when_samples_are_many),
        cmocka_unit_test(one_outlier_changes_nothing),
        cmocka_unit_test(the_median_is_not_moved_by_a_few),
        cmocka_unit_test(a_stall_is_not_what_calls_need),
        cmocka_unit_test(a_sample_counts_for_those_that_were_not_taken),
        cmocka_unit_test(silence_is_forgetting),
        cmocka_unit_test(after_silence_it_learns_anew),
        cmocka_unit_test(what_it_says_stays_until_it_is_silent),
        cmocka_unit_test(a_sample_loses_half_its_worth_in_a_half_life),
        cmocka_unit_test(it_stays_sound_for_ever),
        cmocka_unit_test(no_sample_is_too_small_or_too_large),
        cmocka_unit_test(time_may_stand_still_or_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
