/* histogram_test.c - the buckets at each of their ends, quantiles, and counting from many threads.
 */
#include <math.h>
#include <pthread.h>
#include <string.h>

#include <stint/histogram.h>

#include "tally.h"
#include "unit.h"

#define LAST (STINT_HISTOGRAM_BUCKETS - 1)

static void every_doubling_has_two_bounds(void **state)
{
    (void)state;
    for (size_t k = 0; k < LAST / 2; k++) {
        assert_int_equal(stint_histogram_bound(2 * k), STINT_US(1) << k);
        assert_int_equal(stint_histogram_bound(2 * k + 1), STINT_NS(1500) << k);
    }
    assert_int_equal(stint_histogram_bound(LAST - 1), STINT_US(1) << 31);
    assert_int_equal(stint_histogram_bound(LAST), STINT_DURATION_FOREVER);
    assert_int_equal(stint_histogram_bound(LAST + 1), STINT_DURATION_FOREVER);
    assert_int_equal(stint_histogram_bound(SIZE_MAX), STINT_DURATION_FOREVER);
}

/* The only bucket in use; fails if there are others. */
static size_t bucket_in_use(const stint_histogram *h)
{
    size_t used = SIZE_MAX;
    for (size_t i = 0; i <= LAST; i++) {
        if (h->buckets[i] == 0)
            continue;
        assert_int_equal(used, SIZE_MAX);
        used = i;
    }
    return used;
}

static size_t bucket_of(stint_duration d)
{
    struct stint__tally t = {0};
    stint_histogram h;
    stint__tally_add(&t, d);
    stint__tally_read(&t, &h);
    assert_int_equal(h.count, 1);
    assert_int_equal(h.sum, d > 0 ? d : 0);
    assert_int_equal(h.max, d > 0 ? d : 0);
    return bucket_in_use(&h);
}

static void a_bound_is_not_in_its_bucket_but_all_below_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < LAST; i++) {
        stint_duration bound = stint_histogram_bound(i);
        assert_int_equal(bucket_of(bound - 1), i);
        assert_int_equal(bucket_of(bound), i + 1);
        assert_int_equal(bucket_of(bound + 1), i + 1);
    }
}

static void no_duration_is_too_small_or_too_large(void **state)
{
    (void)state;
    static const stint_duration small[] = {0, 1, -1, INT64_MIN};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(bucket_of(small[i]), 0);
    assert_int_equal(bucket_of(INT64_MAX), LAST);
    assert_int_equal(bucket_of(INT64_MAX - 1), LAST);
}

static void sums_and_maxima_are_those_of_all(void **state)
{
    (void)state;
    struct stint__tally t = {0};
    stint_histogram h;
    stint__tally_read(&t, &h);
    assert_int_equal(h.count, 0);
    stint__tally_add(&t, STINT_MS(5));
    stint__tally_add(&t, STINT_MS(9));
    stint__tally_add(&t, STINT_MS(2));
    stint__tally_add(&t, -STINT_MS(7));
    stint__tally_read(&t, &h);
    assert_int_equal(h.count, 4);
    assert_int_equal(h.sum, STINT_MS(16));
    assert_int_equal(h.max, STINT_MS(9));
}

static void nothing_has_no_quantiles(void **state)
{
    (void)state;
    stint_histogram h = {0};
    assert_int_equal(stint_histogram_quantile(&h, 0), 0);
    assert_int_equal(stint_histogram_quantile(&h, 0.5), 0);
    assert_int_equal(stint_histogram_quantile(&h, 1), 0);
}

/* 100 from 2 to 3 us, 100 from 4 to 6 us. */
static stint_histogram two_buckets(void)
{
    stint_histogram h = {.count = 200, .max = 5999};
    h.buckets[3] = 100;
    h.buckets[5] = 100;
    return h;
}

static void a_quantile_is_interpolated_within_its_bucket(void **state)
{
    (void)state;
    stint_histogram h = two_buckets();
    assert_int_equal(stint_histogram_bound(2), 2000);
    assert_int_equal(stint_histogram_bound(4), 4000);
    assert_int_equal(stint_histogram_quantile(&h, 0), 2000);
    assert_int_equal(stint_histogram_quantile(&h, 0.25), 2500);
    assert_int_equal(stint_histogram_quantile(&h, 0.5), 3000);
    assert_int_equal(stint_histogram_quantile(&h, 0.75), 4999);
    assert_int_equal(stint_histogram_quantile(&h, 0.625), 4499);
    assert_int_equal(stint_histogram_quantile(&h, 1), 5999);
}

static void a_share_that_is_none_is_cut(void **state)
{
    (void)state;
    stint_histogram h = two_buckets();
    assert_int_equal(stint_histogram_quantile(&h, -1), 2000);
    assert_int_equal(stint_histogram_quantile(&h, -(double)INFINITY), 2000);
    assert_int_equal(stint_histogram_quantile(&h, (double)NAN), 2000);
    assert_int_equal(stint_histogram_quantile(&h, 7), 5999);
    assert_int_equal(stint_histogram_quantile(&h, (double)INFINITY), 5999);
}

static void no_quantile_is_above_the_maximum(void **state)
{
    (void)state;
    static const stint_duration all[] = {0, 1, 999, 1000, STINT_MS(7), INT64_MAX};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct stint__tally t = {0};
        stint_histogram h;
        for (int n = 0; n < 10; n++)
            stint__tally_add(&t, all[i]);
        stint__tally_read(&t, &h);
        stint_duration before = 0;
        for (int percent = 0; percent <= 100; percent++) {
            stint_duration q = stint_histogram_quantile(&h, percent / 100.0);
            assert_true(q >= before && q <= all[i]);
            before = q;
        }
        assert_int_equal(before, all[i]);
    }
}

/* As a copy can be while others add; and counts beyond what a double counts exactly. */
static void an_inconsistent_copy_does_no_harm(void **state)
{
    (void)state;
    stint_histogram h = two_buckets();
    h.max = 0;
    h.count = 7;
    assert_int_equal(stint_histogram_quantile(&h, 0.75), 4000);
    h.max = 2500;
    assert_int_equal(stint_histogram_quantile(&h, 0.5), 2500);
    assert_int_equal(stint_histogram_quantile(&h, 1), 4000);
    memset(h.buckets, 0xFF, sizeof h.buckets);
    h.max = INT64_MAX;
    assert_int_equal(stint_histogram_quantile(&h, 1), INT64_MAX);
    assert_in_range(stint_histogram_quantile(&h, 0.5), STINT_US(1) << 15, STINT_US(1) << 16);
}

#define THREADS 4
#define ADDS    20000

static struct stint__tally shared;

/* Durations 1 to ADDS us, in the order that this step gives. */
static void *add_all(void *arg)
{
    const int64_t *step = arg;
    for (int64_t i = 0; i < ADDS; i++)
        stint__tally_add(&shared, STINT_US(i * *step % ADDS + 1));
    return NULL;
}

static void nothing_that_any_thread_adds_is_lost(void **state)
{
    (void)state;
    static int64_t steps[THREADS] = {1, 3, 7, ADDS - 1}; /* without a divisor of ADDS */
    pthread_t threads[THREADS];
    stint_histogram h = {0};
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_all, &steps[i]), 0);
    for (int i = 0; i < 1000; i++) {
        stint_histogram before = h;
        stint__tally_read(&shared, &h);
        assert_true(h.count >= before.count && h.sum >= before.sum && h.max >= before.max);
        assert_true(stint_histogram_quantile(&h, 0.99) <= STINT_US(ADDS));
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    stint__tally_read(&shared, &h);
    assert_int_equal(h.count, THREADS * ADDS);
    assert_int_equal(h.sum, STINT_US(THREADS) * ADDS * (ADDS + 1) / 2);
    assert_int_equal(h.max, STINT_US(ADDS));
    assert_int_equal(h.buckets[0], 0);
    assert_int_equal(h.buckets[1], THREADS); /* those of 1 us */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_doubling_has_two_bounds),
        cmocka_unit_test(a_bound_is_not_in_its_bucket_but_all_below_is),
        cmocka_unit_test(no_duration_is_too_small_or_too_large),
        cmocka_unit_test(sums_and_maxima_are_those_of_all),
        cmocka_unit_test(nothing_has_no_quantiles),
        cmocka_unit_test(a_quantile_is_interpolated_within_its_bucket),
        cmocka_unit_test(a_share_that_is_none_is_cut),
        cmocka_unit_test(no_quantile_is_above_the_maximum),
        cmocka_unit_test(an_inconsistent_copy_does_no_harm),
        cmocka_unit_test(nothing_that_any_thread_adds_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
