/* transit_test.c - what a frame's delay is taken for: on one host, between hosts whose clocks have
 * nothing to do with each other, drift and step, and from peers that lie. */
#include "random.h"
#include "transit.h"
#include "unit.h"

/* The true delay of no frame is below this one, and it cannot be seen. */
#define FLOOR STINT_US(200)

/* A connection, seen from above: true time, and by how much the sender's clock is off. */
struct link {
    struct stint__transit t;
    stint_duration now;
    stint_duration offset;
    int64_t drift_ppm;
};

static void link_init(struct link *l, stint_duration offset)
{
    *l = (struct link){.now = STINT_SECONDS(5), .offset = offset};
    stint__transit_init(&l->t, (stint_time){l->now});
}

/* A frame is read now that was under way for FLOOR + delay. */
static stint_duration frame(struct link *l, stint_duration delay, stint_duration budget)
{
    stint_duration sent = l->now - FLOOR - delay;
    int64_t senders = sent + l->offset + sent / 1000000 * l->drift_ppm;
    return stint__transit_of(&l->t, senders, l->now, false, budget, (stint_time){l->now});
}

/* Frames that nothing holds up, `gap` apart. */
static void run(struct link *l, stint_duration gap, stint_duration length)
{
    for (stint_duration end = l->now + length; l->now < end; l->now += gap)
        (void)frame(l, 0, STINT_SECONDS(1));
}

static void on_one_host_it_is_exact(void **state)
{
    (void)state;
    struct stint__transit t;
    stint_time now = {STINT_SECONDS(5)};
    stint__transit_init(&t, now);
    for (int i = 0; i < 20; i++) {
        stint_duration budget = i % 2 != 0 ? STINT_MS(1) : STINT_DURATION_FOREVER;
        assert_int_equal(stint__transit_of(&t, 1000, 1000 + STINT_MS(7), true, budget, now),
                         STINT_MS(7));
        assert_int_equal(stint__transit_of(&t, 1000, 1000, true, budget, now), 0);
        assert_int_equal(stint__transit_of(&t, 1001, 1000, true, budget, now), 0);
        assert_int_equal(stint__transit_of(&t, INT64_MAX, -5, true, budget, now), 0);
        assert_int_equal(stint__transit_of(&t, INT64_MIN, 5, true, budget, now), INT64_MAX);
    }
    assert_int_equal(t.samples, 0);
}

static void between_hosts_it_is_what_exceeds_the_least(void **state)
{
    (void)state;
    static const stint_duration offsets[] = {0, STINT_SECONDS(86400), -STINT_SECONDS(86400),
                                             INT64_C(4000000000000000000)};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        struct link l;
        link_init(&l, offsets[i]);
        run(&l, STINT_MS(10), STINT_SECONDS(1));
        assert_int_equal(frame(&l, 0, STINT_MS(50)), 0);
        assert_int_equal(frame(&l, STINT_MS(3), STINT_MS(50)), STINT_MS(3));
        assert_int_equal(frame(&l, 1, STINT_MS(50)), 1);
    }
}

static void too_few_samples_say_nothing(void **state)
{
    (void)state;
    struct link l;
    link_init(&l, STINT_SECONDS(77));
    (void)frame(&l, 0, STINT_MS(50));
    for (int i = 2; i < STINT__TRANSIT_SAMPLES; i++)
        assert_int_equal(frame(&l, STINT_MS(3), STINT_MS(50)), 0);
    assert_int_equal(frame(&l, STINT_MS(3), STINT_MS(50)), STINT_MS(3));
}

static void it_takes_half_the_budget_at_most(void **state)
{
    (void)state;
    struct link l;
    link_init(&l, -STINT_SECONDS(77));
    run(&l, STINT_MS(10), STINT_SECONDS(1));
    assert_int_equal(frame(&l, STINT_MS(30), STINT_MS(50)), STINT_MS(25));
    assert_int_equal(frame(&l, STINT_MS(30), STINT_MS(60)), STINT_MS(30));
    assert_int_equal(frame(&l, STINT_MS(30), 1), 0);
    assert_int_equal(frame(&l, STINT_MS(30), 0), 0);
    assert_int_equal(frame(&l, STINT_MS(30), -STINT_MS(5)), 0);
    assert_int_equal(frame(&l, STINT_MS(30), INT64_MIN), 0);
    assert_int_equal(frame(&l, STINT_SECONDS(3000), STINT_DURATION_FOREVER), STINT_SECONDS(3000));
}

/* A route that becomes longer for good is taken for a delay for a window at most; one that becomes
 * shorter shows at once. */
static void the_window_turns_over(void **state)
{
    (void)state;
    struct link l;
    link_init(&l, STINT_SECONDS(3));
    run(&l, STINT_MS(10), STINT_SECONDS(30));
    l.offset -= STINT_MS(8);
    for (stint_duration end = l.now + STINT__TRANSIT_WINDOW / 2 - STINT_MS(20); l.now < end;
         l.now += STINT_MS(10))
        assert_in_range(frame(&l, 0, STINT_SECONDS(1)), STINT_MS(2), STINT_MS(8));
    run(&l, STINT_MS(10), STINT__TRANSIT_WINDOW / 2 + STINT_MS(30));
    assert_int_equal(frame(&l, 0, STINT_SECONDS(1)), 0);
    assert_int_equal(frame(&l, STINT_MS(2), STINT_SECONDS(1)), STINT_MS(2));
    l.offset += STINT_MS(8);
    assert_int_equal(frame(&l, 0, STINT_SECONDS(1)), 0);
    assert_int_equal(frame(&l, STINT_MS(2), STINT_SECONDS(1)), STINT_MS(2));
}

/* As after the other host was suspended and its clock did not count that, or was set by hand. */
static void a_clock_that_steps_is_believed_again(void **state)
{
    (void)state;
    static const stint_duration steps[] = {STINT_SECONDS(3600), -STINT_SECONDS(3600), STINT_MS(20),
                                           -STINT_MS(20)};
    struct link l;
    link_init(&l, 0);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        run(&l, STINT_MS(50), STINT_SECONDS(20));
        l.offset += steps[i];
        stint_duration taken = frame(&l, 0, STINT_MS(30));
        if (steps[i] > 0) /* frames seem younger */
            assert_int_equal(taken, 0);
        else
            assert_int_equal(taken, STINT_MS(15));
        run(&l, STINT_MS(50), STINT__TRANSIT_WINDOW + STINT_MS(100));
        assert_int_equal(frame(&l, 0, STINT_MS(30)), 0);
        assert_int_equal(frame(&l, STINT_MS(4), STINT_MS(30)), STINT_MS(4));
    }
}

/* An hour, at 20 frames a second with up to 1 ms of jitter: never off by more than the drift of a
 * window and the jitter. */
static void drift_does_not_add_up(int64_t ppm)
{
    struct link l;
    link_init(&l, STINT_SECONDS(500));
    l.drift_ppm = ppm;
    run(&l, STINT_MS(50), STINT_SECONDS(1));
    const stint_duration off = STINT__TRANSIT_WINDOW / 10000 + STINT_MS(1);
    for (uint64_t i = 0; i < 72000; i++, l.now += STINT_MS(50)) {
        stint_duration delay = (stint_duration)(stint__mix(i) % STINT_MS(1));
        if (i % 100 == 0)
            delay += STINT_MS(40);
        stint_duration taken = frame(&l, delay, STINT_SECONDS(1));
        assert_true(taken <= delay + off && taken >= delay - off);
    }
}

static void drift_is_followed_either_way(void **state)
{
    (void)state;
    drift_does_not_add_up(100);
    drift_does_not_add_up(-100);
}

/* This process was stopped for longer than the window; frames waited, and their callers' time ran.
 */
static void frames_that_waited_through_a_stop_are_found(void **state)
{
    (void)state;
    struct link l;
    link_init(&l, STINT_SECONDS(500));
    run(&l, STINT_MS(10), STINT_SECONDS(30));
    l.now += STINT_SECONDS(60);
    for (int64_t i = 0; i < 100; i++) {
        stint_duration waited = STINT_SECONDS(60) - STINT_MS(300 * i);
        stint_duration taken = frame(&l, waited, STINT_SECONDS(1000));
        assert_in_range(taken, waited - STINT_MS(65),
                        waited); /* 1000 ppm of 60 s and half a window */
    }
}

/* Two clocks that drifted apart in an hour of silence do not look like a delay. */
static void silence_and_drift_are_no_delay(void **state)
{
    (void)state;
    for (int64_t ppm = -900; ppm <= 900; ppm += 300) {
        struct link l;
        link_init(&l, 0);
        l.drift_ppm = ppm;
        run(&l, STINT_MS(50), STINT_SECONDS(20));
        l.now += STINT_SECONDS(3600);
        assert_int_equal(frame(&l, 0, STINT_MS(50)), 0);
    }
}

static void a_lying_peer_costs_itself_half_its_budget(void **state)
{
    (void)state;
    static const int64_t lies[] = {0, INT64_MAX, INT64_MIN, -1, 1, INT64_MAX - 1, INT64_MIN + 1};
    static const int64_t reads[] = {0, STINT_SECONDS(9), INT64_MAX, INT64_MIN};
    struct stint__transit t;
    stint_time now = {0};
    stint__transit_init(&t, now);
    for (uint64_t i = 0; i < 100000; i++) {
        uint64_t z = stint__mix(i);
        now.ns += z % 3 == 0 ? STINT_SECONDS(6) : 0;
        stint_duration taken =
            stint__transit_of(&t, lies[z / 3 % 7], reads[z / 21 % 4], false, STINT_MS(50), now);
        assert_in_range(taken, 0, STINT_MS(25));
        taken = stint__transit_of(&t, lies[z / 84 % 7], reads[z / 588 % 4], false, INT64_MAX, now);
        assert_true(taken >= 0);
    }
}

static void our_time_may_be_anything(void **state)
{
    (void)state;
    static const int64_t times[] = {0, INT64_MAX, INT64_MIN, 7, INT64_MIN + 1, INT64_MAX - 1};
    struct stint__transit t;
    stint__transit_init(&t, (stint_time){INT64_MIN});
    for (size_t i = 0; i < 60; i++)
        assert_int_equal(
            stint__transit_of(&t, 5, 9, false, STINT_MS(50), (stint_time){times[i / 10]}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_one_host_it_is_exact),
        cmocka_unit_test(between_hosts_it_is_what_exceeds_the_least),
        cmocka_unit_test(too_few_samples_say_nothing),
        cmocka_unit_test(it_takes_half_the_budget_at_most),
        cmocka_unit_test(the_window_turns_over),
        cmocka_unit_test(a_clock_that_steps_is_believed_again),
        cmocka_unit_test(drift_is_followed_either_way),
        cmocka_unit_test(frames_that_waited_through_a_stop_are_found),
        cmocka_unit_test(silence_and_drift_are_no_delay),
        cmocka_unit_test(a_lying_peer_costs_itself_half_its_budget),
        cmocka_unit_test(our_time_may_be_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
