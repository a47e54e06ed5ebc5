/* arrival_test.c - what a frame says about when it was sent, and what is made of it: time on the
 * way is taken off the budget; what lay about for too long does not run; and no lie does harm.
 *
 * In virtual time, of which CLOCK_BOOTTIME is part. */
#include "clock.h"
#include "kitchen.h"
#include "sim_clock.h"
#include "unit.h"

#define HERE   stint__clock_boot_domain()
#define ABROAD (stint__clock_boot_domain() ^ 1)
#define OFFSET STINT_SECONDS(500) /* of the other host's clock */

/* The reading, `ago`, of a clock that is behind ours. */
static uint64_t sent(stint_duration ago, stint_duration behind)
{
    return (uint64_t)(stint__clock_boottime_ns() - ago - behind);
}

/* What a call with 500 ms has left when it runs after so long on the way. */
static stint_duration left_of(struct desk *d, struct kitchen *k, stint_duration way,
                              uint64_t domain)
{
    stint_duration behind = domain == HERE ? 0 : OFFSET;
    struct answer a =
        DESK_CALL(d, .budget = STINT_MS(500), .sent = sent(way, behind), .domain = domain);
    assert_int_equal(a.code, STINT_OK);
    return atomic_load(&k->had) + STINT_MS(1); /* the reserve */
}

static void on_one_host_the_way_is_taken_off_exactly(void **state)
{
    (void)state;
    struct kitchen k;
    struct desk *d = kitchen_open(&k, "here", 0);
    assert_int_not_equal(HERE, 0);
    kitchen_wait(STINT_SECONDS(2));
    assert_int_equal(left_of(d, &k, 0, HERE), STINT_MS(500));
    assert_int_equal(left_of(d, &k, STINT_MS(123), HERE), STINT_MS(377));
    assert_int_equal(left_of(d, &k, -STINT_MS(5), HERE), STINT_MS(500)); /* before it was sent? */
    unsigned executed = atomic_load(&k.executed);
    struct answer a =
        DESK_CALL(d, .budget = STINT_MS(500), .sent = sent(STINT_SECONDS(1), 0), .domain = HERE);
    assert_int_equal(a.code, STINT_DEADLINE_EXCEEDED);
    assert_int_equal(a.reason, STINT_REASON_EXPIRED_ON_ARRIVAL);
    assert_true(a.not_executed);
    assert_int_equal(atomic_load(&k.executed), executed);
    assert_int_equal(desk_stats(d, "Work").expired_arrival, 1);
    desk_free(d);
    kitchen_fini(&k);
}

static void between_hosts_what_is_more_than_usual_is_taken_off(void **state)
{
    (void)state;
    struct kitchen k;
    struct desk *d = kitchen_open(&k, "abroad", 0);
    for (int i = 0; i < 8; i++)
        assert_int_equal(left_of(d, &k, STINT_MS(2), ABROAD), STINT_MS(500));
    assert_int_equal(left_of(d, &k, STINT_MS(102), ABROAD), STINT_MS(400));
    assert_int_equal(left_of(d, &k, STINT_SECONDS(100), ABROAD), STINT_MS(250)); /* half, at most */
    assert_int_equal(desk_stats(d, "Work").expired_arrival, 0);
    desk_reconnect(d); /* it is the connection that knows */
    assert_int_equal(left_of(d, &k, STINT_MS(102), ABROAD), STINT_MS(500));
    desk_free(d);
    kitchen_fini(&k);
}

/* Through a device, requests of several hosts come on one connection. */
static void hosts_that_share_a_connection_are_not_mixed_up(void **state)
{
    (void)state;
    struct kitchen k;
    struct desk *d = kitchen_open(&k, "device", 0);
    for (int i = 0; i < 20; i++) {
        const uint64_t at[] = {sent(0, OFFSET), sent(0, 0)};
        for (int j = 0; j < 2; j++) {
            struct answer a = DESK_CALL(d, .budget = STINT_MS(500), .sent = at[j],
                                        .domain = ABROAD + (uint64_t)(j * 2));
            assert_int_equal(a.code, STINT_OK);
            assert_int_equal(atomic_load(&k.had), STINT_MS(499));
        }
    }
    desk_free(d);
    kitchen_fini(&k);
}

static void no_number_does_harm(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {1, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX};
    struct kitchen k;
    struct desk *d = kitchen_open(&k, "hostile", 0);
    const uint64_t domains[] = {HERE, ABROAD, 0, UINT64_MAX};
    for (size_t j = 0; j < sizeof domains / sizeof domains[0]; j++)
        for (size_t i = 0; i < 80; i++) {
            bool old = i % 4 == 0 && domains[j] == HERE;
            struct answer a =
                DESK_CALL(d, .budget = STINT_MS(500), .sent = numbers[i % 4], .domain = domains[j]);
            assert_int_equal(a.code, old ? STINT_DEADLINE_EXCEEDED : STINT_OK);
            if (!old)
                assert_in_range(atomic_load(&k.had), STINT_MS(249), STINT_MS(499));
            /* And without a budget, of which nothing can be half. */
            (void)DESK_CALL(d, .sent = numbers[i % 4], .domain = domains[j]);
        }
    assert_int_equal(DESK_CALL(d, .budget = STINT_MS(500)).code, STINT_OK);
    assert_int_equal(atomic_load(&k.had), STINT_MS(499));
    desk_free(d);
    kitchen_fini(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIM_CLOCK_TEST(on_one_host_the_way_is_taken_off_exactly),
        SIM_CLOCK_TEST(between_hosts_what_is_more_than_usual_is_taken_off),
        SIM_CLOCK_TEST(hosts_that_share_a_connection_are_not_mixed_up),
        SIM_CLOCK_TEST(no_number_does_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
