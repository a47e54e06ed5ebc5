/* admission_test.c - calls are let in by what they need: that is learned, told to callers, follows
 * changes, is forgotten, and is tried again now and then; what is declared holds.
 *
 * In virtual time: handlers take as long as they are told, to the nanosecond. */
#include "kitchen.h"
#include "sim_clock.h"
#include "unit.h"

#define LEARNT 5 /* calls, and the server knows */

/* Calls with plenty of time, one every `pace`, for so long. Returns what the last was told. */
static stint_duration serve(struct desk *d, stint_duration pace, stint_duration how_long)
{
    stint_duration needed = 0;
    stint_time end = stint_time_add(stint_now(), how_long);
    while (stint_time_before(stint_now(), end)) {
        stint_time next = stint_time_add(stint_now(), pace);
        struct answer a = DESK_CALL(d, .budget = STINT_SECONDS(1));
        assert_int_equal(a.code, STINT_OK);
        needed = a.needed;
        if (stint_time_before(stint_now(), next))
            kitchen_wait(stint_time_sub(next, stint_now()));
    }
    return needed;
}

static void learn(struct desk *d)
{
    for (int i = 0; i < LEARNT; i++)
        assert_int_equal(DESK_CALL(d, .budget = STINT_SECONDS(1)).code, STINT_OK);
}

static void assert_refused(struct answer a)
{
    assert_int_equal(a.code, STINT_DEADLINE_EXCEEDED);
    assert_int_equal(a.reason, STINT_REASON_INSUFFICIENT_BUDGET);
    assert_true(a.not_executed);
}

static void what_was_learned_refuses_on_arrival(void **state)
{
    (void)state;
    struct kitchen k;
    struct desk *d = kitchen_open(&k, "learn", STINT_MS(20));
    assert_int_equal(DESK_CALL(d, .budget = STINT_SECONDS(1)).needed, 0); /* of one? not known */
    learn(d);
    struct answer a = DESK_CALL(d, .budget = STINT_SECONDS(1));
    assert_int_equal(a.code, STINT_OK);
    assert_in_range(a.needed, STINT_US(17500), STINT_MS(23));
    (void)DESK_CALL(d, .budget = STINT_MS(10)); /* the one in a hundred */
    unsigned executed = atomic_load(&k.executed);
    stint_time then = stint_now();
    struct answer no = DESK_CALL(d, .budget = STINT_MS(10));
    assert_refused(no);
    assert_int_equal(no.at.ns, then.ns); /* at once */
    assert_int_equal(no.needed, a.needed);
    assert_int_equal(atomic_load(&k.executed), executed);
    assert_int_equal(DESK_CALL(d, .budget = STINT_MS(30)).code, STINT_OK);
    stint_method_stats stats = desk_stats(d, "Work");
    assert_int_equal(stats.insufficient_arrival, 1);
    assert_int_equal(stats.probes, 1);
    assert_in_range(stats.needed, STINT_US(17500), STINT_MS(23));
    assert_int_equal(desk_stats(d, "Careful").needed, 0); /* each method its own */
    desk_free(d);
    kitchen_fini(&k);
}

static void it_follows_a_change_within_three_seconds(void **state)
{
    (void)state;
    struct kitchen k;
    struct desk *d = kitchen_open(&k, "adapt", STINT_MS(2));
    assert_in_range(serve(d, STINT_MS(20), STINT_SECONDS(5)), STINT_MS(2), STINT_US(2300));
    atomic_store(&k.takes, STINT_MS(30));
    assert_in_range(serve(d, STINT_MS(40), STINT_SECONDS(3)), STINT_MS(30), STINT_MS(34));
    atomic_store(&k.takes, STINT_MS(2));
    assert_in_range(serve(d, STINT_MS(20), STINT_SECONDS(3)), STINT_MS(2), STINT_US(2300));
    desk_free(d);
    kitchen_fini(&k);
}

static void it_is_forgotten_after_ten_seconds_of_silence(void **state)
{
    (void)state;
    struct kitchen k;
    struct desk *d = kitchen_open(&k, "forget", STINT_MS(20));
    learn(d);
    (void)DESK_CALL(d, .budget = STINT_MS(10)); /* the one in a hundred */
    assert_refused(DESK_CALL(d, .budget = STINT_MS(10)));
    kitchen_wait(STINT_MS(9900));
    assert_true(desk_stats(d, "Work").needed > 0);
    kitchen_wait(STINT_MS(200));
    atomic_store(&k.takes, STINT_MS(1));
    assert_int_equal(desk_stats(d, "Work").needed, 0);
    struct answer a = DESK_CALL(d, .budget = STINT_MS(10));
    assert_int_equal(a.code, STINT_OK);
    desk_free(d);
    kitchen_fini(&k);
}

static void one_in_a_hundred_finds_out(void **state)
{
    (void)state;
    enum { ASKED = 1000 };
    struct kitchen k;
    struct desk *d = kitchen_open(&k, "probe", STINT_MS(20));
    learn(d);
    unsigned executed = atomic_load(&k.executed);
    for (unsigned i = 0; i < ASKED; i++) {
        struct answer a = DESK_CALL(d, .budget = STINT_MS(10));
        assert_int_equal(a.code, STINT_DEADLINE_EXCEEDED);
        assert_int_equal(a.not_executed, i % 100 != 0);
    }
    assert_int_equal(atomic_load(&k.executed) - executed, ASKED / 100);
    stint_method_stats stats = desk_stats(d, "Work");
    assert_int_equal(stats.probes, ASKED / 100);
    assert_int_equal(stats.insufficient_arrival, ASKED - ASKED / 100);
    /* What they ask for has become possible: long before all is forgotten, it is known. */
    atomic_store(&k.takes, STINT_MS(1));
    unsigned ok = 0, asked = 0;
    for (; ok < 20 && asked < ASKED; asked++) {
        ok += DESK_CALL(d, .budget = STINT_MS(10)).code == STINT_OK;
        kitchen_wait(STINT_MS(5));
    }
    assert_int_equal(ok, 20);
    desk_free(d);
    kitchen_fini(&k);
}

static void a_call_can_say_that_it_probes(void **state)
{
    (void)state;
    struct kitchen k;
    struct desk *d = kitchen_open(&k, "asks", STINT_MS(20));
    learn(d);
    atomic_store(&k.takes, STINT_MS(5));
    for (int i = 0; i < 200; i++)
        assert_int_equal(DESK_CALL(d, .budget = STINT_MS(10), .probe = true).code, STINT_OK);
    /* By then it is known; the first of them were probes. */
    assert_in_range(desk_stats(d, "Work").probes, 1, 199);
    assert_in_range(desk_stats(d, "Work").needed, 1, STINT_US(5700));
    atomic_store(&k.takes, STINT_MS(1));
    assert_int_equal(DESK_CALL(d, .budget = STINT_MS(2)).code, STINT_OK); /* the 1st in 100 */
    assert_refused(DESK_CALL(d, .budget = STINT_MS(2)));
    desk_free(d);
    kitchen_fini(&k);
}

static void nobody_probes_below_what_is_declared(void **state)
{
    (void)state;
    struct kitchen k;
    struct desk *d = kitchen_open(&k, "minimum", STINT_MS(1));
    /* Careful: at least 5 ms, and 3 ms kept back for the answer. */
    for (int i = 0; i < 300; i++)
        assert_refused(
            DESK_CALL(d, .method = "Careful", .budget = STINT_US(7900), .probe = i % 2 == 0));
    assert_int_equal(atomic_load(&k.executed), 0);
    assert_int_equal(desk_stats(d, "Careful").probes, 0);
    assert_int_equal(DESK_CALL(d, .method = "Careful", .budget = STINT_MS(8)).code, STINT_OK);
    assert_int_equal(atomic_load(&k.had), STINT_MS(5));
    desk_free(d);
    kitchen_fini(&k);
}

static void reserves_shorten_the_handlers_deadline(void **state)
{
    (void)state;
    struct kitchen k;
    struct desk *d = kitchen_open(&k, "reserve", STINT_MS(1));
    const struct {
        const char *method;
        stint_duration budget, had;
    } cases[] = {
        {"Work", STINT_MS(10), STINT_US(9800)}, /* a fiftieth, */
        {"Work", STINT_MS(500), STINT_MS(499)}, /* up to 1 ms */
        {"Careful", STINT_MS(500), STINT_MS(497)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct answer a = DESK_CALL(d, .method = cases[i].method, .budget = cases[i].budget);
        assert_int_equal(a.code, STINT_OK);
        assert_int_equal(atomic_load(&k.had), cases[i].had);
    }
    assert_int_equal(DESK_CALL(d, .no_time = true).reason, STINT_REASON_EXPIRED_ON_ARRIVAL);
    desk_free(d);
    kitchen_fini(&k);
}

/* Calls at `d`, each of which finds `ahead` others waiting below. */
static struct answer call_behind(struct desk *d, struct desk *below, unsigned ahead)
{
    struct answer a = {0};
    for (int i = 0; i < 12; i++) {
        unsigned last = 0;
        for (unsigned j = 0; j < ahead; j++)
            last = DESK_ASK(below, .budget = STINT_SECONDS(1));
        a = DESK_CALL(d, .budget = STINT_SECONDS(1));
        assert_int_equal(a.code, STINT_OK);
        assert_int_equal(desk_answer(below, last).code, STINT_OK);
    }
    return a;
}

static void what_is_needed_below_counts_but_not_its_queue(void **state)
{
    (void)state;
    struct kitchen high, low;
    struct desk *below = kitchen_open(&low, "low", STINT_MS(5));
    learn(below);
    struct desk *d = kitchen_open(&high, "high", 0);
    stint_error err;
    assert_int_equal(stint_channel_open(&high.below, "mem://low", NULL, &err), STINT_OK);
    struct answer a = call_behind(d, below, 6);
    assert_in_range(a.needed, STINT_MS(5), STINT_MS(7));
    stint_method_stats stats = desk_stats(d, "Work");
    assert_true(stint_histogram_quantile(&stats.run, 0.5) >= STINT_MS(30));
    stint_channel_close(high.below);
    desk_free(d);
    kitchen_fini(&high);
    below->asked_elsewhere = 12;
    desk_free(below);
    kitchen_fini(&low);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIM_CLOCK_TEST(what_was_learned_refuses_on_arrival),
        SIM_CLOCK_TEST(it_follows_a_change_within_three_seconds),
        SIM_CLOCK_TEST(it_is_forgotten_after_ten_seconds_of_silence),
        SIM_CLOCK_TEST(one_in_a_hundred_finds_out),
        SIM_CLOCK_TEST(a_call_can_say_that_it_probes),
        SIM_CLOCK_TEST(nobody_probes_below_what_is_declared),
        SIM_CLOCK_TEST(reserves_shorten_the_handlers_deadline),
        SIM_CLOCK_TEST(what_is_needed_below_counts_but_not_its_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
