/* throttle_test.c - how much of a load goes to a server that pushes back. */
#include "throttle.h"
#include "unit.h"

#define START    ((stint_time){STINT_SECONDS(7)})
#define PUSHBACK STINT_MS(100)

/* A load of calls, one each microsecond, on a server that has room for one more each `period`
 * microseconds, and for up to `queue` of them at once; it refuses the others, and pushes back each
 * time. */
struct load {
    struct stint__throttle throttle;
    int period, queue, room;
    unsigned sent, accepted;
};

static void offer(struct load *l, int n)
{
    for (int i = 0; i < n; i++) {
        stint_time now = stint_time_add(START, STINT_US(i));
        if (i % l->period == 0 && l->room < l->queue)
            l->room++;
        if (stint__throttle_hold(&l->throttle, now) > 0)
            continue;
        l->sent++;
        if (l->room == 0) {
            stint__throttle_push_back(&l->throttle, now, PUSHBACK);
            continue;
        }
        l->room--;
        l->accepted++;
        stint__throttle_accepted(&l->throttle);
    }
}

static void nothing_is_held_back_without_a_pushback(void **state)
{
    (void)state;
    struct stint__throttle t = {0};
    for (int i = 0; i < 100000; i++)
        assert_int_equal(stint__throttle_hold(&t, START), 0);
    assert_false(stint__throttle_is_on(&t));
}

static void a_server_that_takes_half_gets_all(void **state)
{
    (void)state;
    struct load l = {.period = 2, .queue = 1};
    offer(&l, 50000);
    assert_true(l.sent >= 49000);
    assert_true(l.accepted >= 24900); /* of 25000 */
}

/* What is held back is what it would have refused: its capacity is used all the same. */
static void a_server_that_takes_a_quarter_gets_twice_that(void **state)
{
    (void)state;
    struct load l = {.period = 4, .queue = 16};
    offer(&l, 80000);
    assert_true(l.accepted >= 19600); /* of 20000 */
    assert_true(l.sent <= 2 * l.accepted + 80000 / 50);
}

static void a_server_that_takes_nothing_gets_one_in_a_hundred(void **state)
{
    (void)state;
    struct load l = {.period = 1, .queue = 0};
    offer(&l, 100000);
    assert_true(l.sent >= 900 && l.sent <= 1300);
    assert_int_equal(l.accepted, 0);
}

/* Calls are asked for until one is held back. */
static unsigned sent_in_a_row(struct stint__throttle *t, stint_time now)
{
    unsigned n = 0;
    while (stint__throttle_hold(t, now) == 0)
        assert_true(++n < 10000);
    return n;
}

/* How long calls are held back; 0: none is. */
static stint_duration held(struct stint__throttle *t, stint_time now)
{
    for (int i = 0; i < 1000; i++) { /* some go as probes */
        stint_duration d = stint__throttle_hold(t, now);
        if (d > 0)
            return d;
    }
    return 0;
}

static void it_lasts_as_long_as_the_server_said_but_at_most_a_second(void **state)
{
    (void)state;
    struct stint__throttle t = {0};
    stint__throttle_push_back(&t, START, PUSHBACK);
    stint_time last = stint_time_add(START, PUSHBACK - 1);
    assert_int_equal(held(&t, START), PUSHBACK);
    assert_int_equal(held(&t, last), 1);
    assert_int_equal(held(&t, stint_time_add(last, 1)), 0);

    stint__throttle_push_back(&t, START, PUSHBACK);
    stint__throttle_reset(&t);
    assert_int_equal(held(&t, START), 0);
    stint__throttle_push_back(&t, START, STINT_SECONDS(3600));
    assert_int_equal(held(&t, START), STINT_SECONDS(1));
}

static void the_longest_pushback_counts(void **state)
{
    (void)state;
    struct stint__throttle t = {0};
    stint__throttle_push_back(&t, START, PUSHBACK);
    stint__throttle_push_back(&t, START, PUSHBACK / 2);
    assert_int_equal(held(&t, START), PUSHBACK);
}

/* What was accepted or refused long ago says nothing of now. */
static void each_pushback_begins_anew(void **state)
{
    (void)state;
    struct stint__throttle t = {0};
    stint__throttle_push_back(&t, START, PUSHBACK);
    assert_true(sent_in_a_row(&t, START) >= 32);
    for (int i = 0; i < 10000; i++)
        (void)!stint__throttle_hold(&t, START);
    assert_true(sent_in_a_row(&t, START) < 32);
    stint_time later = stint_time_add(START, PUSHBACK);
    stint__throttle_push_back(&t, later, PUSHBACK);
    assert_true(sent_in_a_row(&t, later) >= 32);
}

static void what_was_accepted_before_counts_only_so_much(void **state)
{
    (void)state;
    struct stint__throttle t = {0};
    stint__throttle_push_back(&t, START, PUSHBACK);
    for (int i = 0; i < 100000; i++)
        stint__throttle_accepted(&t);
    assert_true(sent_in_a_row(&t, START) < 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_held_back_without_a_pushback),
        cmocka_unit_test(a_server_that_takes_half_gets_all),
        cmocka_unit_test(a_server_that_takes_a_quarter_gets_twice_that),
        cmocka_unit_test(a_server_that_takes_nothing_gets_one_in_a_hundred),
        cmocka_unit_test(it_lasts_as_long_as_the_server_said_but_at_most_a_second),
        cmocka_unit_test(the_longest_pushback_counts),
        cmocka_unit_test(each_pushback_begins_anew),
        cmocka_unit_test(what_was_accepted_before_counts_only_so_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
