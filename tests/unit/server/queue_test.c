/* queue_test.c - the order in which waiting calls are run, and which of them are given up. */
#include "queue.h"
#include "random.h"
#include "unit.h"

#define N   64
#define FAR STINT_SECONDS(100)

struct fixture {
    struct stint__queue q;
    struct stint__lane lanes[3];
    struct stint__waiter w[N];
    stint_time now;
};

static void fixture_init(struct fixture *f, uint32_t max, uint32_t limit)
{
    *f = (struct fixture){.now = {STINT_SECONDS(1)}};
    stint__queue_init(&f->q, max, limit, f->now);
    for (size_t i = 0; i < 3; i++)
        stint__lane_init(&f->lanes[i], limit);
    for (size_t i = 0; i < N; i++)
        stint__list_init(&f->w[i].link);
}

static void fixture_fini(struct fixture *f)
{
    assert_int_equal(f->q.length, 0);
    assert_int_equal(f->q.running, 0);
    assert_true(stint__list_empty(&f->q.lanes));
    stint__queue_fini(&f->q);
}

static enum stint__push push(struct fixture *f, size_t i, size_t lane, uint8_t level,
                             stint_duration due_in)
{
    f->w[i].lane = &f->lanes[lane];
    f->w[i].level = level;
    f->w[i].due.when = stint_time_add(f->now, due_in);
    return stint__queue_push(&f->q, &f->w[i]);
}

static int number(const struct fixture *f, const struct stint__waiter *w)
{
    return w != NULL ? (int)(w - f->w) : -1;
}

static int take(struct fixture *f)
{
    return number(f, stint__queue_take(&f->q, f->now));
}

static int take_and_finish(struct fixture *f)
{
    struct stint__waiter *w = stint__queue_take(&f->q, f->now);
    if (w != NULL)
        stint__queue_done(&f->q, w->lane);
    return number(f, w);
}

/* So that a third of what comes is dropped for want of time. */
static void overload(struct fixture *f)
{
    for (int i = 0; i < 40; i++) {
        f->now = stint_time_add(f->now, STINT_MS(2));
        stint__queue_count_shed(&f->q, f->now);
    }
    assert_true(atomic_load(&f->q.newest_first));
}

static void the_oldest_goes_first_whatever_its_method(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, N, 100);
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(push(&f, i, i % 3, 2, FAR), STINT__PUSH_DONE);
    for (int i = 0; i < 9; i++)
        assert_int_equal(take_and_finish(&f), i);
    assert_int_equal(take(&f), -1);
    fixture_fini(&f);
}

static void the_newest_goes_first_under_overload(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, N, 100);
    overload(&f);
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(push(&f, i, i % 3, 2, FAR), STINT__PUSH_DONE);
    for (int i = 9; i-- > 0;)
        assert_int_equal(take_and_finish(&f), i);
    fixture_fini(&f);
}

static void overload_passes_when_all_find_time_again(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, N, 100);
    overload(&f);
    for (int i = 0; i < 1000; i++) {
        f.now = stint_time_add(f.now, STINT_MS(2));
        assert_int_equal(push(&f, 0, 0, 2, FAR), STINT__PUSH_DONE);
        assert_int_equal(take_and_finish(&f), 0);
    }
    assert_false(atomic_load(&f.q.newest_first));
    fixture_fini(&f);
}

/* One in twenty: no reason to turn the order round, which would drop all that waits. */
static void a_few_that_are_shed_are_no_overload(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, N, 100);
    for (int i = 0; i < 5000; i++) {
        f.now = stint_time_add(f.now, STINT_US(500));
        if (i % 20 == 0)
            stint__queue_count_shed(&f.q, f.now);
        assert_int_equal(push(&f, 0, 0, 2, FAR), STINT__PUSH_DONE);
        assert_int_equal(take_and_finish(&f), 0);
        assert_false(atomic_load(&f.q.newest_first));
    }
    fixture_fini(&f);
}

static void the_more_critical_go_first_in_either_order(void **state)
{
    (void)state;
    struct fixture f;
    for (int reversed = 0; reversed < 2; reversed++) {
        fixture_init(&f, N, 100);
        if (reversed)
            overload(&f);
        for (size_t i = 0; i < 8; i++)
            assert_int_equal(push(&f, i, i % 2, (uint8_t)(i / 2), FAR), STINT__PUSH_DONE);
        for (int level = STINT__LEVELS; level-- > 0;) {
            int first = take_and_finish(&f), second = take_and_finish(&f);
            assert_int_equal(first, 2 * level + reversed);
            assert_int_equal(second, 2 * level + 1 - reversed);
        }
        fixture_fini(&f);
    }
}

static void what_may_no_longer_start_is_taken_out(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, N, 100);
    assert_int_equal(push(&f, 0, 0, 2, STINT_MS(30)), STINT__PUSH_DONE);
    assert_int_equal(push(&f, 1, 1, 3, STINT_MS(10)), STINT__PUSH_DONE);
    assert_int_equal(push(&f, 2, 0, 1, STINT_MS(20)), STINT__PUSH_DONE);
    const struct stint__waiter *first = stint__queue_first_due(&f.q);
    assert_int_equal(stint_time_sub(first->due.when, f.now), STINT_MS(10));
    f.now = stint_time_add(f.now, STINT_MS(10));
    assert_null(stint__queue_take_due(&f.q, f.now)); /* just in time */
    f.now = stint_time_add(f.now, STINT_MS(10) + 1);
    assert_int_equal(number(&f, stint__queue_take_due(&f.q, f.now)), 1);
    assert_int_equal(number(&f, stint__queue_take_due(&f.q, f.now)), 2);
    assert_null(stint__queue_take_due(&f.q, f.now));
    assert_int_equal(take_and_finish(&f), 0);
    assert_null(stint__queue_first_due(&f.q));
    fixture_fini(&f);
}

static void a_full_queue_makes_room_for_the_more_critical_only(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 3, 100);
    assert_int_equal(push(&f, 0, 0, 1, FAR), STINT__PUSH_DONE);
    assert_int_equal(push(&f, 1, 1, 1, FAR), STINT__PUSH_DONE);
    assert_int_equal(push(&f, 2, 0, 2, FAR), STINT__PUSH_DONE);
    assert_int_equal(push(&f, 3, 0, 2, FAR), STINT__PUSH_FULL);
    assert_null(stint__queue_make_room(&f.q, 0));
    assert_null(stint__queue_make_room(&f.q, 1));
    /* Of the least critical the one that would have been run last. */
    assert_int_equal(number(&f, stint__queue_make_room(&f.q, 2)), 1);
    assert_int_equal(push(&f, 3, 0, 2, FAR), STINT__PUSH_DONE);
    assert_int_equal(number(&f, stint__queue_make_room(&f.q, 3)), 0);
    assert_int_equal(number(&f, stint__queue_make_room(&f.q, 3)), 3);
    assert_int_equal(take_and_finish(&f), 2);
    fixture_fini(&f);
}

static void under_overload_the_oldest_makes_room_for_its_equal(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, 2, 100);
    overload(&f);
    assert_int_equal(push(&f, 0, 0, 2, FAR), STINT__PUSH_DONE);
    assert_int_equal(push(&f, 1, 0, 2, FAR), STINT__PUSH_DONE);
    assert_null(stint__queue_make_room(&f.q, 1));
    assert_int_equal(number(&f, stint__queue_make_room(&f.q, 2)), 0);
    assert_int_equal(take_and_finish(&f), 1);
    fixture_fini(&f);
}

static void limits_hold_each_method_and_all(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, N, 3);
    f.lanes[0].limit = 1;
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(push(&f, i, i < 3 ? 0 : 1, 2, FAR), STINT__PUSH_DONE);
    assert_int_equal(take(&f), 0);
    assert_int_equal(take(&f), 3); /* the first method has its one */
    assert_int_equal(take(&f), 4);
    assert_int_equal(take(&f), -1); /* three in all */
    stint__queue_done(&f.q, &f.lanes[1]);
    assert_int_equal(take(&f), 5);
    stint__queue_done(&f.q, &f.lanes[0]);
    assert_int_equal(take(&f), 1);
    stint__queue_done(&f.q, &f.lanes[0]);
    stint__queue_done(&f.q, &f.lanes[1]);
    stint__queue_done(&f.q, &f.lanes[1]);
    assert_int_equal(take_and_finish(&f), 2);
    fixture_fini(&f);
}

static void what_is_removed_is_not_run_and_may_be_removed_again(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, N, 100);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(push(&f, i, 0, 2, FAR), STINT__PUSH_DONE);
    stint__queue_remove(&f.q, &f.w[1]);
    stint__queue_remove(&f.q, &f.w[1]);
    assert_int_equal(take_and_finish(&f), 0);
    stint__queue_remove(&f.q, &f.w[0]); /* has been taken */
    assert_int_equal(take_and_finish(&f), 2);
    fixture_fini(&f);
}

static void the_wait_follows_from_how_fast_calls_leave(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, N, 100);
    assert_int_equal(stint__queue_estimate(&f.q, &f.lanes[0], 2), 0);
    for (size_t i = 0; i < 50; i++)
        assert_int_equal(push(&f, i, 0, 2, FAR), STINT__PUSH_DONE);
    assert_int_equal(stint__queue_estimate(&f.q, &f.lanes[0], 2), 0); /* not known yet */
    for (int i = 0; i < 40; i++) {
        assert_int_equal(take_and_finish(&f), i);
        f.now = stint_time_add(f.now, STINT_MS(2));
    }
    assert_in_range(stint__queue_estimate(&f.q, &f.lanes[0], 2), STINT_MS(19), STINT_MS(20));
    assert_in_range(stint__queue_estimate(&f.q, &f.lanes[0], 0), STINT_MS(19), STINT_MS(20));
    assert_int_equal(stint__queue_estimate(&f.q, &f.lanes[0], 3), 0); /* goes before all of them */
    overload(&f);
    assert_int_equal(stint__queue_estimate(&f.q, &f.lanes[0], 2), 0); /* so does the newest, now */
    assert_true(stint__queue_estimate(&f.q, &f.lanes[0], 1) > 0);
    while (take_and_finish(&f) >= 0)
        ;
    /* While nothing waits, it says nothing about how fast calls could leave. */
    stint_duration known = atomic_load(&f.q.interval);
    f.now = stint_time_add(f.now, STINT_MS(400));
    assert_int_equal(push(&f, 0, 0, 2, FAR), STINT__PUSH_DONE);
    assert_int_equal(take_and_finish(&f), 0);
    assert_int_equal(atomic_load(&f.q.interval), known);
    fixture_fini(&f);
}

static void a_wait_that_keeps_everybody_away_is_forgotten(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, N, 100);
    for (size_t i = 0; i < 50; i++)
        assert_int_equal(push(&f, i, 0, 2, FAR), STINT__PUSH_DONE);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(take_and_finish(&f), i);
        f.now = stint_time_add(f.now, STINT_MS(60));
    }
    /* It is fast by now, but nobody with 50 ms gets in behind another, so there is no backlog. */
    unsigned refused = 0, refused_later = 0;
    for (stint_duration passed = 0; passed < STINT_SECONDS(5); passed += STINT_MS(10)) {
        assert_int_equal(push(&f, 0, 0, 2, FAR), STINT__PUSH_DONE);
        if (stint__queue_estimate(&f.q, &f.lanes[0], 2) > STINT_MS(50)) {
            refused++;
            refused_later += passed > STINT_SECONDS(1);
            stint__queue_count_shed(&f.q, f.now);
        }
        assert_int_equal(take_and_finish(&f), 0);
        f.now = stint_time_add(f.now, STINT_MS(10));
    }
    assert_true(refused > 0);
    assert_int_equal(refused_later, 0);
    fixture_fini(&f);
}

static void a_pause_does_not_make_the_wait_long(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, N, 100);
    for (size_t i = 0; i < 50; i++)
        assert_int_equal(push(&f, i, 0, 2, FAR), STINT__PUSH_DONE);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(take_and_finish(&f), i);
        f.now = stint_time_add(f.now, i == 30 ? STINT_MS(400) : STINT_MS(2));
    }
    assert_in_range(stint__queue_estimate(&f.q, &f.lanes[0], 2), STINT_MS(20), STINT_MS(25));
    f.now = stint_time_add(f.now, STINT_SECONDS(1));
    assert_int_equal(take_and_finish(&f), 40);
    assert_in_range(stint__queue_estimate(&f.q, &f.lanes[0], 2), 0, STINT_MS(25));
    /* But it follows when it stays so. */
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(push(&f, i, 0, 2, FAR), STINT__PUSH_DONE);
    for (int i = 0; i < 40; i++) {
        assert_true(take_and_finish(&f) >= 0);
        f.now = stint_time_add(f.now, STINT_MS(20));
    }
    assert_in_range(stint__queue_estimate(&f.q, &f.lanes[0], 2), STINT_MS(150), STINT_MS(200));
    while (take_and_finish(&f) >= 0)
        ;
    fixture_fini(&f);
}

static void a_full_method_does_not_hold_up_another(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, N, 100);
    stint__lane_set_limit(&f.q, &f.lanes[0], 1);
    for (size_t i = 0; i < 30; i++)
        assert_int_equal(push(&f, i, 0, 2, FAR), STINT__PUSH_DONE);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(take(&f), i);
        f.now = stint_time_add(f.now, STINT_MS(20));
        if (i < 9)
            stint__queue_done(&f.q, &f.lanes[0]);
    }
    /* Twenty wait for the one that runs; a call of another method waits for nothing. */
    assert_in_range(stint__queue_estimate(&f.q, &f.lanes[0], 2), STINT_MS(390), STINT_MS(400));
    assert_int_equal(stint__queue_estimate(&f.q, &f.lanes[1], 2), 0);
    assert_true(stint__queue_is_pressed(&f.q, &f.lanes[0]));
    assert_false(stint__queue_is_pressed(&f.q, &f.lanes[1]));
    assert_true(stint__queue_estimate(&f.q, NULL, 2) > 0);
    /* How seldom such calls come says nothing about how fast they could leave. */
    stint_duration known = atomic_load(&f.q.interval);
    for (size_t i = 30; i < 40; i++) {
        assert_int_equal(push(&f, i, 1, 2, FAR), STINT__PUSH_DONE);
        assert_int_equal(take_and_finish(&f), i);
        f.now = stint_time_add(f.now, STINT_SECONDS(1));
    }
    assert_true(atomic_load(&f.q.interval) <= known); /* it may be forgotten */
    /* With room for one more, what waits there comes first again. */
    stint__lane_set_limit(&f.q, &f.lanes[0], 2);
    assert_true(stint__queue_is_pressed(&f.q, &f.lanes[1]));
    stint__queue_done(&f.q, &f.lanes[0]);
    while (take_and_finish(&f) >= 0)
        ;
    assert_false(stint__queue_is_pressed(&f.q, &f.lanes[0]));
    fixture_fini(&f);
}

static void levels_from_the_wire(void **state)
{
    (void)state;
    assert_int_equal(stint__level_of(STINT_CRITICALITY_SHEDDABLE), 0);
    assert_int_equal(stint__level_of(STINT_CRITICALITY_CRITICAL_PLUS), STINT__LEVELS - 1);
    assert_int_equal(stint__level_of(0), STINT_CRITICALITY_CRITICAL - 1);
    assert_int_equal(stint__level_of(5), STINT_CRITICALITY_CRITICAL - 1);
    assert_int_equal(stint__level_of(UINT32_MAX), STINT_CRITICALITY_CRITICAL - 1);
}

/* What the queue must do, the slow way: the best of all that wait. */
static int model(const struct fixture *f)
{
    int best = -1;
    bool newest = atomic_load(&f->q.newest_first);
    for (int i = 0; i < N; i++) {
        const struct stint__waiter *w = &f->w[i];
        if (!w->queued || w->lane->running >= w->lane->limit || f->q.running >= f->q.limit)
            continue;
        const struct stint__waiter *b = best >= 0 ? &f->w[best] : NULL;
        bool better = b == NULL || w->level > b->level;
        if (b != NULL && w->level == b->level)
            better = newest ? w->order > b->order : w->order < b->order;
        best = better ? i : best;
    }
    return best;
}

static void random_step(struct fixture *f, uint64_t *seed, struct stint__lane **running,
                        size_t *n_running)
{
    uint64_t r = stint__mix(++*seed);
    size_t i = r % N;
    f->now = stint_time_add(f->now, (stint_duration)(r >> 8) % STINT_MS(1));
    if ((r >> 32) % 8 < 3) {
        bool full = f->q.length >= f->q.max;
        if (f->w[i].queued)
            return;
        stint_duration due = (stint_duration)(r >> 20) % STINT_MS(40);
        assert_int_equal(push(f, i, r % 3, (uint8_t)((r >> 40) % STINT__LEVELS), due),
                         full ? STINT__PUSH_FULL : STINT__PUSH_DONE);
    } else if ((r >> 32) % 8 < 5) {
        int expected = model(f);
        struct stint__waiter *w = stint__queue_take(&f->q, f->now);
        assert_int_equal(number(f, w), expected);
        if (w != NULL)
            running[(*n_running)++] = w->lane;
    } else if ((r >> 32) % 8 == 5) {
        stint__queue_remove(&f->q, &f->w[i]);
    } else if ((r >> 32) % 8 == 6 && *n_running > 0) {
        stint__queue_done(&f->q, running[--*n_running]);
    } else {
        struct stint__waiter *w = stint__queue_take_due(&f->q, f->now);
        for (size_t k = 0; w == NULL && k < N; k++)
            assert_false(f->w[k].queued && stint_time_before(f->w[k].due.when, f->now));
    }
}

/* What is counted for those who look without the lock, counted anew. */
static void check_counts(const struct fixture *f)
{
    uint_fast32_t waiting = 0, blocked = 0;
    for (size_t level = 0; level < STINT__LEVELS; level++) {
        waiting += atomic_load(&f->q.waiting[level]);
        blocked += atomic_load(&f->q.blocked[level]);
    }
    for (size_t i = 0; i < 3; i++) {
        const struct stint__lane *lane = &f->lanes[i];
        assert_int_equal(atomic_load(&lane->full), lane->running >= lane->limit);
        blocked -= lane->running >= lane->limit ? lane->length : 0;
    }
    assert_int_equal(waiting, f->q.length);
    assert_int_equal(blocked, 0);
}

static void it_agrees_with_a_model(void **state)
{
    (void)state;
    struct fixture f;
    struct stint__lane *running[N];
    for (uint64_t round = 0; round < 20; round++) {
        size_t n_running = 0;
        uint64_t seed = round << 32;
        fixture_init(&f, N / 2, 5);
        stint__lane_set_limit(&f.q, &f.lanes[2], 2);
        for (int i = 0; i < 5000; i++) {
            random_step(&f, &seed, running, &n_running);
            check_counts(&f);
        }
        while (n_running > 0)
            stint__queue_done(&f.q, running[--n_running]);
        for (size_t i = 0; i < N; i++)
            stint__queue_remove(&f.q, &f.w[i]);
        fixture_fini(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_goes_first_whatever_its_method),
        cmocka_unit_test(the_newest_goes_first_under_overload),
        cmocka_unit_test(overload_passes_when_all_find_time_again),
        cmocka_unit_test(a_few_that_are_shed_are_no_overload),
        cmocka_unit_test(the_more_critical_go_first_in_either_order),
        cmocka_unit_test(what_may_no_longer_start_is_taken_out),
        cmocka_unit_test(a_full_queue_makes_room_for_the_more_critical_only),
        cmocka_unit_test(under_overload_the_oldest_makes_room_for_its_equal),
        cmocka_unit_test(limits_hold_each_method_and_all),
        cmocka_unit_test(what_is_removed_is_not_run_and_may_be_removed_again),
        cmocka_unit_test(the_wait_follows_from_how_fast_calls_leave),
        cmocka_unit_test(a_wait_that_keeps_everybody_away_is_forgotten),
        cmocka_unit_test(a_pause_does_not_make_the_wait_long),
        cmocka_unit_test(a_full_method_does_not_hold_up_another),
        cmocka_unit_test(levels_from_the_wire),
        cmocka_unit_test(it_agrees_with_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
