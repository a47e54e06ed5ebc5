/* shedding_test.c - who is given up when not everything can be done: what waits too long, what is
 * less critical, what a limit holds back; and that who cancels is counted where he was.
 *
 * In virtual time, but for the CPU that a handler burns. */
#include "kitchen.h"
#include "patience.h"
#include "sim_clock.h"
#include "unit.h"

/* A call that keeps the only worker for as long as calls take; it runs when this returns. */
static unsigned occupy(struct desk *d, struct kitchen *k)
{
    unsigned before = event_count(&k->entered);
    unsigned number = DESK_ASK(d, .budget = STINT_SECONDS(100));
    event_wait(&k->entered, before + 1);
    return number;
}

static struct desk *open_with(struct kitchen *k, const char *name, stint_duration takes,
                              stint_server_options opts)
{
    struct desk *d = desk_new();
    kitchen_init(k, takes);
    opts.size = sizeof opts;
    d->opts = opts;
    desk_start(d, name, &kitchen_ops, k);
    return d;
}

static void what_waits_in_vain_is_answered_in_time(void **state)
{
    (void)state;
    const stint_duration budgets[] = {STINT_MS(1), STINT_MS(5), STINT_MS(50), STINT_SECONDS(2)};
    struct kitchen k;
    struct desk *d = kitchen_open(&k, "sweep", STINT_SECONDS(10));
    unsigned first = occupy(d, &k);
    for (size_t i = 0; i < sizeof budgets / sizeof budgets[0]; i++) {
        stint_time asked = stint_now();
        struct answer a = DESK_CALL(d, .budget = budgets[i]);
        assert_int_equal(a.code, STINT_DEADLINE_EXCEEDED);
        assert_int_equal(a.reason, STINT_REASON_EXPIRED_IN_QUEUE);
        assert_true(a.not_executed);
        assert_true(stint_time_sub(a.at, asked) < budgets[i]);
    }
    assert_int_equal(atomic_load(&k.executed), 1);
    assert_int_equal(desk_stats(d, "Work").expired_queue, 4);
    assert_int_equal(desk_answer(d, first).code, STINT_OK);
    desk_free(d);
    kitchen_fini(&k);
}

/* Without a reserve there is no time in time; but an answer comes. */
static void without_a_reserve_it_is_answered_all_the_same(void **state)
{
    (void)state;
    struct kitchen k;
    struct desk *d = open_with(&k, "unreserved", STINT_SECONDS(1),
                               (stint_server_options){.workers = 1, .reply_reserve = STINT_NS(-1)});
    (void)occupy(d, &k);
    stint_time asked = stint_now();
    struct answer a = DESK_CALL(d, .budget = STINT_MS(50));
    assert_int_equal(a.code, STINT_DEADLINE_EXCEEDED);
    assert_in_range(stint_time_sub(a.at, asked), STINT_MS(50), STINT_MS(51));
    desk_free(d);
    kitchen_fini(&k);
}

static void what_waits_is_given_up_when_less_is_left_than_it_needs(void **state)
{
    (void)state;
    struct kitchen k;
    struct desk *d = kitchen_open(&k, "due", STINT_MS(20));
    for (int i = 0; i < 5; i++)
        assert_int_equal(DESK_CALL(d, .budget = STINT_SECONDS(1)).code, STINT_OK);
    atomic_store(&k.takes, STINT_MS(200));
    (void)occupy(d, &k);
    stint_time asked = stint_now();
    struct answer a = DESK_CALL(d, .budget = STINT_MS(100));
    assert_int_equal(a.reason, STINT_REASON_INSUFFICIENT_BUDGET);
    assert_true(a.not_executed);
    assert_in_range(stint_time_sub(a.at, asked), STINT_MS(75), STINT_MS(80));
    assert_int_equal(desk_stats(d, "Work").insufficient_queue, 1);
    assert_int_equal(desk_stats(d, "Work").insufficient_arrival, 0);
    desk_free(d);
    kitchen_fini(&k);
}

static void the_less_critical_leaves_a_full_queue(void **state)
{
    (void)state;
    struct kitchen k;
    struct desk *d =
        open_with(&k, "full", STINT_MS(50), (stint_server_options){.workers = 1, .max_queue = 2});
    unsigned first = occupy(d, &k);
    unsigned older = DESK_ASK(d, .criticality = STINT_CRITICALITY_SHEDDABLE);
    unsigned newer = DESK_ASK(d, .criticality = STINT_CRITICALITY_SHEDDABLE);
    unsigned better = DESK_ASK(d, .criticality = STINT_CRITICALITY_CRITICAL_PLUS);
    unsigned equal = DESK_ASK(d, .criticality = STINT_CRITICALITY_SHEDDABLE);
    const unsigned gone[] = {newer, equal};
    for (size_t i = 0; i < 2; i++) {
        assert_true(desk_is_over(d, gone[i]));
        struct answer a = desk_answer(d, gone[i]);
        assert_int_equal(a.code, STINT_RESOURCE_EXHAUSTED);
        assert_int_equal(a.reason, STINT_REASON_QUEUE_FULL);
        assert_true(a.not_executed);
        assert_true(a.pushback > 0);
    }
    assert_int_equal(desk_stats(d, "Work").displaced, 1);
    assert_int_equal(desk_stats(d, "Work").refused_full, 1);
    stint_time better_at = desk_answer(d, better).at;
    assert_true(stint_time_before(desk_answer(d, first).at, better_at));
    assert_true(stint_time_before(better_at, desk_answer(d, older).at));
    assert_int_equal(atomic_load(&k.executed), 3);
    desk_free(d);
    kitchen_fini(&k);
}

static void the_newest_goes_first_once_many_wait_in_vain(void **state)
{
    (void)state;
    enum { LOST = 10, THEN = 3 }; /* with 60 ms, of which they need 50 */
    struct kitchen k;
    struct desk *d = kitchen_open(&k, "newest", STINT_MS(50));
    for (int overloaded = 0; overloaded < 2; overloaded++) {
        kitchen_wait(STINT_MS(50));
        unsigned first = occupy(d, &k);
        for (int i = 0; overloaded && i < LOST; i++)
            (void)DESK_ASK(d, .budget = STINT_MS(60));
        (void)desk_answer(d, first);
        (void)occupy(d, &k);
        unsigned number[THEN];
        for (int i = 0; i < THEN; i++)
            number[i] = DESK_ASK(d, .budget = STINT_SECONDS(1));
        for (int i = 0; i + 1 < THEN; i++) {
            stint_time a = desk_answer(d, number[i]).at, b = desk_answer(d, number[i + 1]).at;
            assert_int_equal(stint_time_before(a, b), !overloaded);
        }
    }
    stint_method_stats stats = desk_stats(d, "Work");
    assert_int_equal(stats.insufficient_queue + stats.insufficient_arrival, LOST);
    assert_true(stats.insufficient_queue > 0);
    desk_free(d);
    kitchen_fini(&k);
}

static void a_deferred_call_counts_as_running_until_it_is_answered(void **state)
{
    (void)state;
    struct kitchen k;
    struct desk *d =
        open_with(&k, "deferred", 0, (stint_server_options){.workers = 4, .max_concurrency = 2});
    for (unsigned i = 0; i < 3; i++) {
        (void)DESK_ASK(d, .method = "Later", .budget = STINT_SECONDS(50));
        if (i < 2)
            event_wait(&k.deferred, i + 1);
    }
    kitchen_wait(STINT_SECONDS(1)); /* passes when no worker finds anything to do */
    assert_int_equal(event_count(&k.deferred), 2);
    stint_method_stats stats = desk_stats(d, "Later");
    assert_int_equal(stats.running, 2);
    assert_int_equal(stats.waiting, 1);
    assert_int_equal(stats.limit, 2);
    /* Finished, given up by its caller, at its deadline: whichever way it is answered. */
    const Probe__V1__Reply rep = PROBE__V1__REPLY__INIT;
    probe_v1_probe_later_finish(k.tickets[0], STINT_OK, &rep, NULL);
    event_wait(&k.deferred, 3);
    (void)DESK_ASK(d, .method = "Later", .budget = STINT_SECONDS(80));
    kitchen_wait(STINT_SECONDS(1));
    assert_int_equal(event_count(&k.deferred), 3);
    desk_cancel(d, 2);
    event_wait(&k.deferred, 4);
    unsigned last = DESK_ASK(d, .method = "Later", .budget = STINT_SECONDS(80));
    assert_int_equal(desk_answer(d, 1).reason, STINT_REASON_EXPIRED_IN_HANDLER);
    event_wait(&k.deferred, 5);
    for (int i = 1; i < 5; i++)
        probe_v1_probe_later_finish(k.tickets[i], STINT_OK, &rep, NULL);
    assert_int_equal(desk_answer(d, last).code, STINT_OK);
    desk_check_books(d);
    stats = desk_stats(d, "Later");
    assert_int_equal(stats.ok, 3);
    assert_int_equal(stats.cancelled_handler, 1);
    assert_int_equal(stats.late, 1);
    desk_free(d);
    kitchen_fini(&k);
}

/* `rounds` times, as many calls at once as there are workers; returns the limit then. */
static uint32_t flood(struct desk *d, int rounds, unsigned at_once)
{
    for (int i = 0; i < rounds; i++) {
        unsigned first = d->asked;
        for (unsigned j = 0; j < at_once; j++)
            (void)DESK_ASK(d, .budget = STINT_SECONDS(10));
        for (unsigned j = 0; j < at_once; j++)
            assert_int_equal(desk_answer(d, first + j).code, STINT_OK);
    }
    return desk_stats(d, "Work").limit;
}

static void limits_follow_how_fast_it_is_below(void **state)
{
    (void)state;
    enum { WORKERS = 16, HELD = 15 };
    struct kitchen high, low;
    struct desk *below =
        open_with(&low, "slow", STINT_MS(5), (stint_server_options){.workers = WORKERS});
    struct desk *d =
        open_with(&high, "callers", 0,
                  (stint_server_options){.workers = WORKERS, .max_concurrency = WORKERS});
    stint_error err;
    assert_int_equal(stint_channel_open(&high.below, "mem://slow", NULL, &err), STINT_OK);
    assert_int_equal(flood(d, 10, WORKERS), WORKERS);
    /* All workers below but one are busy with something else, which nobody here knows. */
    unsigned held[HELD], before = event_count(&low.entered);
    atomic_store(&low.careful, STINT_SECONDS(900));
    for (int i = 0; i < HELD; i++)
        held[i] = DESK_ASK(below, .method = "Careful", .budget = STINT_SECONDS(1000));
    event_wait(&low.entered, before + HELD);
    uint32_t low_limit = flood(d, 20, WORKERS);
    assert_in_range(low_limit, 2, WORKERS / 2);
    for (int i = 0; i < HELD; i++)
        desk_cancel(below, held[i]);
    assert_in_range(flood(d, 40, WORKERS), low_limit + 2, WORKERS);
    stint_channel_close(high.below);
    below->asked_elsewhere = d->asked;
    desk_free(d);
    kitchen_fini(&high);
    desk_free(below);
    kitchen_fini(&low);
}

static void a_cancel_counts_where_the_call_was(void **state)
{
    (void)state;
    struct kitchen k;
    struct desk *d = kitchen_open(&k, "cancels", STINT_SECONDS(20));
    unsigned runs = occupy(d, &k);
    unsigned waits = DESK_ASK(d, .budget = STINT_SECONDS(100));
    desk_cancel(d, waits);
    stint_method_stats stats = desk_stats(d, "Work");
    assert_int_equal(stats.cancelled_queue, 1);
    assert_int_equal(stats.cancelled_handler, 0);
    assert_int_equal(stats.waiting, 0);
    desk_cancel(d, runs);
    assert_int_equal(desk_stats(d, "Work").cancelled_handler, 1);
    assert_int_equal(desk_answer(d, waits).drops, 1);
    assert_int_equal(desk_answer(d, runs).drops, 1);
    /* A lost connection is a cancel of everything on it. */
    (void)occupy(d, &k);
    (void)DESK_ASK(d, .budget = STINT_SECONDS(100));
    desk_reconnect(d);
    desk_check_books(d);
    stats = desk_stats(d, "Work");
    /* When the first is cancelled, the second may run before its turn comes. */
    assert_in_range(stats.cancelled_handler, 2, 3);
    assert_int_equal(stats.cancelled_queue + stats.cancelled_handler, 4);
    assert_int_equal(atomic_load(&k.executed), stats.cancelled_handler);
    desk_free(d);
    kitchen_fini(&k);
}

static void the_end_of_the_server_is_counted_too(void **state)
{
    (void)state;
    struct kitchen k;
    struct desk *d = kitchen_open(&k, "ends", STINT_SECONDS(20));
    unsigned runs = occupy(d, &k);
    unsigned waits = DESK_ASK(d, .budget = STINT_SECONDS(100));
    stint_server_stop(d->server);
    assert_int_equal(desk_answer(d, waits).reason, STINT_REASON_DRAINING);
    assert_true(desk_answer(d, waits).not_executed);
    assert_false(desk_answer(d, runs).not_executed);
    struct answer after = DESK_CALL(d, .budget = STINT_SECONDS(1));
    assert_int_equal(after.reason, STINT_REASON_DRAINING);
    desk_check_books(d);
    stint_method_stats stats = desk_stats(d, "Work");
    assert_int_equal(stats.refused_draining, 2);
    assert_int_equal(stats.failed, 1);
    desk_free(d);
    kitchen_fini(&k);
}

static void what_burns_on_after_its_cancel_is_counted(void **state)
{
    (void)state;
    struct kitchen k;
    struct desk *d = kitchen_open(&k, "burns", 0);
    unsigned number = DESK_ASK(d, .method = "Hasty", .budget = STINT_SECONDS(100));
    event_wait(&k.entered, 1);
    desk_cancel(d, number);
    desk_check_books(d);
    stint_duration wasted = desk_stats(d, "Hasty").cpu_after_cancel;
    assert_in_range(wasted, KITCHEN_BURNS_ON, atomic_load(&k.burnt) + STINT_MS(5));
    assert_int_equal(desk_stats(d, "Work").cpu_after_cancel, 0);
    desk_free(d);
    kitchen_fini(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIM_CLOCK_TEST(what_waits_in_vain_is_answered_in_time),
        SIM_CLOCK_TEST(without_a_reserve_it_is_answered_all_the_same),
        SIM_CLOCK_TEST(what_waits_is_given_up_when_less_is_left_than_it_needs),
        SIM_CLOCK_TEST(the_less_critical_leaves_a_full_queue),
        SIM_CLOCK_TEST(the_newest_goes_first_once_many_wait_in_vain),
        SIM_CLOCK_TEST(a_deferred_call_counts_as_running_until_it_is_answered),
        SIM_CLOCK_TEST(limits_follow_how_fast_it_is_below),
        SIM_CLOCK_TEST(a_cancel_counts_where_the_call_was),
        SIM_CLOCK_TEST(the_end_of_the_server_is_counted_too),
        cmocka_unit_test(what_burns_on_after_its_cancel_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
