/* vclock_test.c - timers and waits under the virtual clock: exact order, exact times. */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "alloc.h"
#include "clock.h"
#include "list.h"
#include "random.h"

#define START 1000

static int install(void **state)
{
    (void)state;
    stint__vclock_install((stint_time){START});
    return 0;
}

static int uninstall(void **state)
{
    (void)state;
    stint__vclock_uninstall();
    return stint__timer_count() == 0 ? 0 : -1;
}

/* A timer that notes when it ran and as which. */
struct noting {
    struct stint__timer timer;
    int64_t ran_at;
    unsigned position; /* 1: first */
};

static unsigned notes;

static void note(struct stint__timer *t)
{
    struct noting *n = STINT__CONTAINER_OF(t, struct noting, timer);
    n->ran_at = stint_now().ns;
    n->position = ++notes;
}

static void arm_noting(struct noting *n, int64_t when)
{
    *n = (struct noting){0};
    stint__timer_init(&n->timer, note);
    assert_true(stint__timer_arm(&n->timer, (stint_time){when}));
}

static void time_stands_still(void **state)
{
    (void)state;
    assert_int_equal(stint_now().ns, START);
    assert_int_equal(stint_now().ns, START);
    stint__vclock_advance(5);
    assert_int_equal(stint_now().ns, START + 5);
}

static void timers_run_in_order_of_time_then_arming(void **state)
{
    (void)state;
    notes = 0;
    struct noting n[5];
    arm_noting(&n[0], START + 30);
    arm_noting(&n[1], START + 10);
    arm_noting(&n[2], START + 30);
    arm_noting(&n[3], START + 31);
    arm_noting(&n[4], START + 10);
    assert_int_equal(stint__timer_count(), 5);
    stint__vclock_advance(30);
    assert_int_equal(n[1].position, 1);
    assert_int_equal(n[4].position, 2);
    assert_int_equal(n[0].position, 3);
    assert_int_equal(n[2].position, 4);
    assert_int_equal(n[3].position, 0);
    assert_int_equal(n[1].ran_at, START + 10);
    assert_int_equal(n[0].ran_at, START + 30);
    assert_true(stint__timer_disarm(&n[3].timer));
    assert_false(stint__timer_disarm(&n[3].timer));
    assert_false(stint__timer_disarm(&n[0].timer));
}

static void a_timer_in_the_past_runs_without_turning_time_back(void **state)
{
    (void)state;
    struct noting n;
    arm_noting(&n, -5);
    stint__vclock_advance(0);
    assert_int_equal(n.ran_at, START);
}

static void arming_again_moves(void **state)
{
    (void)state;
    struct noting n;
    struct noting other;
    notes = 0;
    arm_noting(&n, START + 10);
    arm_noting(&other, START + 20);
    assert_true(stint__timer_arm(&n.timer, (stint_time){START + 20})); /* armed last: runs last */
    assert_int_equal(stint__timer_count(), 2);
    stint__vclock_advance(19);
    assert_int_equal(notes, 0);
    stint__vclock_advance(1);
    assert_int_equal(n.position, 2);
    assert_int_equal(notes, 2);
}

static void step_runs_one_timer_up_to_a_limit(void **state)
{
    (void)state;
    struct noting n[2];
    notes = 0;
    arm_noting(&n[0], START + 10);
    arm_noting(&n[1], START + 10);
    assert_false(stint__vclock_step((stint_time){START + 9}));
    assert_int_equal(stint_now().ns, START);
    assert_true(stint__vclock_step((stint_time){START + 100}));
    assert_int_equal(notes, 1);
    assert_int_equal(stint_now().ns, START + 10);
    assert_true(stint__vclock_step((stint_time){START + 100}));
    assert_false(stint__vclock_step((stint_time){START + 100}));
}

struct repeating {
    struct stint__timer timer;
    int left;
};

static void arm_again(struct stint__timer *t)
{
    struct repeating *r = STINT__CONTAINER_OF(t, struct repeating, timer);
    if (--r->left == 0) {
        free(r);
        return;
    }
    assert_true(stint__timer_arm(t, stint_time_add(stint_now(), 7)));
}

static void a_function_may_arm_again_and_free(void **state)
{
    (void)state;
    struct repeating *r = malloc(sizeof *r);
    assert_non_null(r);
    r->left = 4;
    stint__timer_init(&r->timer, arm_again);
    assert_true(stint__timer_arm(&r->timer, (stint_time){START + 7}));
    stint__vclock_advance(27);
    assert_int_equal(r->left, 1);
    stint__vclock_advance(1);
    assert_int_equal(stint__timer_count(), 0);
}

static void disarm_inside(struct stint__timer *t)
{
    stint__timer_disarm_wait(t); /* of itself: would wait for ever if it waited */
    notes++;
}

static void a_function_may_disarm_itself(void **state)
{
    (void)state;
    notes = 0;
    struct stint__timer t;
    stint__timer_init(&t, disarm_inside);
    assert_true(stint__timer_arm(&t, (stint_time){START}));
    stint__vclock_advance(0);
    assert_int_equal(notes, 1);
}

static int by_time(const void *a, const void *b)
{
    const int64_t *x = a;
    const int64_t *y = b;
    return (*x > *y) - (*x < *y);
}

/* Many timers, armed, moved and removed at random; what is left runs in order, each at its time. */
static void many_timers_keep_their_order(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    struct noting *n = calloc(COUNT, sizeof *n);
    int64_t *expected = calloc(COUNT, sizeof *expected);
    assert_non_null(n);
    assert_non_null(expected);
    notes = 0;
    for (size_t i = 0; i < COUNT; i++)
        arm_noting(&n[i], START + (int64_t)(stint__random() % 1000));
    for (size_t i = 0; i < COUNT; i += 3)
        assert_true(stint__timer_disarm(&n[i].timer));
    for (size_t i = 1; i < COUNT; i += 3) {
        stint_time when = {START + (int64_t)(stint__random() % 1000)};
        assert_true(stint__timer_arm(&n[i].timer, when));
    }
    size_t left = 0;
    for (size_t i = 0; i < COUNT; i++) {
        if (i % 3 != 0)
            expected[left++] = n[i].timer.when.ns;
    }
    assert_int_equal(stint__timer_count(), left);
    stint__vclock_advance(1000);
    qsort(expected, left, sizeof *expected, by_time);
    assert_int_equal(notes, left);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(n[i].position == 0, i % 3 == 0);
        if (n[i].position != 0) {
            assert_int_equal(n[i].ran_at, n[i].timer.when.ns);
            assert_int_equal(n[i].ran_at, expected[n[i].position - 1]);
        }
    }
    free(n);
    free(expected);
}

static bool never(void *arg, size_t n)
{
    (void)arg;
    (void)n;
    return false;
}

static void out_of_memory_leaves_what_is_armed(void **state)
{
    (void)state;
    enum { COUNT = 4096 };
    struct noting *n = calloc(COUNT, sizeof *n);
    assert_non_null(n);
    notes = 0;
    size_t armed = 0;
    stint__alloc_set_gate(never, NULL);
    for (; armed < COUNT; armed++) { /* until the memory that there is has been used up */
        stint__timer_init(&n[armed].timer, note);
        if (!stint__timer_arm(&n[armed].timer, (stint_time){START + 1}))
            break;
    }
    assert_true(armed < COUNT);
    assert_false(stint__timer_disarm(&n[armed].timer));
    assert_int_equal(stint__timer_count(), armed);
    stint__vclock_advance(1);
    stint__alloc_set_gate(NULL, NULL);
    assert_int_equal(notes, armed);
    free(n);
}

/* ---- waiting ---- */

struct waiter {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    stint_time when;
    atomic_int_fast64_t woken_at;
};

static void *wait_for_time(void *arg)
{
    struct waiter *w = arg;
    pthread_mutex_lock(&w->mutex);
    while (stint__cond_wait_until(&w->cond, &w->mutex, w->when))
        ;
    atomic_store(&w->woken_at, stint_now().ns);
    pthread_mutex_unlock(&w->mutex);
    return NULL;
}

static void waits_end_when_time_has_come(void **state)
{
    (void)state;
    enum { WAITERS = 4 };
    static struct waiter w[WAITERS];
    pthread_t threads[WAITERS];
    for (size_t i = 0; i < WAITERS; i++) {
        pthread_mutex_init(&w[i].mutex, NULL);
        assert_int_equal(stint__cond_init(&w[i].cond), 0);
        w[i].when = (stint_time){START + 10 * (int64_t)(i + 1)};
        atomic_init(&w[i].woken_at, 0);
        assert_int_equal(pthread_create(&threads[i], NULL, wait_for_time, &w[i]), 0);
    }
    while (stint__timer_count() < WAITERS)
        sched_yield();
    for (size_t i = 0; i < WAITERS; i++) {
        stint__vclock_advance(9);
        assert_int_equal(atomic_load(&w[i].woken_at), 0);
        stint__vclock_advance(1);
        pthread_join(threads[i], NULL);
        assert_int_equal(atomic_load(&w[i].woken_at), START + 10 * (int64_t)(i + 1));
        pthread_cond_destroy(&w[i].cond);
        pthread_mutex_destroy(&w[i].mutex);
    }
}

static void a_wait_for_a_past_time_ends_at_once(void **state)
{
    (void)state;
    struct waiter w = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    assert_int_equal(stint__cond_init(&w.cond), 0);
    pthread_mutex_lock(&w.mutex);
    assert_false(stint__cond_wait_until(&w.cond, &w.mutex, (stint_time){START}));
    assert_false(stint__cond_wait_until(&w.cond, &w.mutex, (stint_time){INT64_MIN}));
    pthread_mutex_unlock(&w.mutex);
    pthread_cond_destroy(&w.cond);
}

struct handoff {
    struct waiter w;
    atomic_uint rounds; /* of waiting, finished */
    bool ready;
};

static void *wait_for_ready(void *arg)
{
    struct handoff *h = arg;
    pthread_mutex_lock(&h->w.mutex);
    while (!h->ready) {
        (void)stint__cond_wait_until(&h->w.cond, &h->w.mutex, h->w.when);
        atomic_fetch_add(&h->rounds, 1);
    }
    pthread_mutex_unlock(&h->w.mutex);
    return NULL;
}

/* Or nobody could change what the waiter waits for. */
static void a_wait_for_a_past_time_releases_the_mutex(void **state)
{
    (void)state;
    struct handoff h = {.w = {.mutex = PTHREAD_MUTEX_INITIALIZER, .when = {START}}};
    assert_int_equal(stint__cond_init(&h.w.cond), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wait_for_ready, &h), 0);
    while (atomic_load(&h.rounds) == 0)
        sched_yield();
    pthread_mutex_lock(&h.w.mutex);
    h.ready = true;
    pthread_mutex_unlock(&h.w.mutex);
    pthread_join(thread, NULL);
    pthread_cond_destroy(&h.w.cond);
}

/* A signal and the time race: the waiter must leave whichever comes first, and the one that comes
 * second must not touch what is gone. */
static void a_signal_and_the_time_may_race(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct handoff *h = calloc(1, sizeof *h);
        assert_non_null(h);
        pthread_mutex_init(&h->w.mutex, NULL);
        assert_int_equal(stint__cond_init(&h->w.cond), 0);
        h->w.when = stint_time_add(stint_now(), 1);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, wait_for_ready, h), 0);
        if (round % 2 == 0)
            stint__vclock_advance(1);
        pthread_mutex_lock(&h->w.mutex);
        h->ready = true;
        pthread_cond_signal(&h->w.cond);
        pthread_mutex_unlock(&h->w.mutex);
        if (round % 2 == 1)
            stint__vclock_advance(1);
        pthread_join(thread, NULL);
        pthread_cond_destroy(&h->w.cond);
        pthread_mutex_destroy(&h->w.mutex);
        free(h);
    }
    assert_int_equal(stint__timer_count(), 0);
}

/* A thread that moves the clock when a waiter has woken, and has the mutex, but is not done. */
static pthread_t driver;
static bool advance_before_disarm;

static void *advance_by_one(void *arg)
{
    stint__vclock_advance(1);
    return arg;
}

/* NOLINTBEGIN(cert-dcl51-cpp,readability-identifier-naming): the linker's names. */
void __real_stint__timer_disarm_wait(struct stint__timer *t);
void __wrap_stint__timer_disarm_wait(struct stint__timer *t);
void __wrap_stint__timer_disarm_wait(struct stint__timer *t)
{
    if (advance_before_disarm) {
        advance_before_disarm = false;
        (void)pthread_create(&driver, NULL, advance_by_one, NULL);
        while (stint__timer_count() > 0)
            sched_yield();
    }
    __real_stint__timer_disarm_wait(t);
}
/* NOLINTEND(cert-dcl51-cpp,readability-identifier-naming) */

static void *signal_waiter(void *arg)
{
    struct waiter *w = arg;
    pthread_mutex_lock(&w->mutex); /* once it waits */
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->mutex);
    return NULL;
}

/* The time comes for one who has the mutex again: nobody may wait for the other. */
static void the_time_may_come_after_a_signal(void **state)
{
    (void)state;
    struct waiter w = {.mutex = PTHREAD_MUTEX_INITIALIZER, .when = {START + 1}};
    assert_int_equal(stint__cond_init(&w.cond), 0);
    pthread_t signaller;
    advance_before_disarm = true;
    pthread_mutex_lock(&w.mutex);
    assert_int_equal(pthread_create(&signaller, NULL, signal_waiter, &w), 0);
    (void)stint__cond_wait_until(&w.cond, &w.mutex, w.when);
    assert_false(advance_before_disarm);
    pthread_mutex_unlock(&w.mutex);
    pthread_join(signaller, NULL);
    pthread_join(driver, NULL);
    pthread_cond_destroy(&w.cond);
}

static void what_is_sent_along_is_virtual_too(void **state)
{
    (void)state;
    assert_int_equal(stint__clock_boottime_ns(), START);
    stint__vclock_advance(5);
    assert_int_equal(stint__clock_boottime_ns(), START + 5);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, install, uninstall)
    const struct CMUnitTest tests[] = {
        TEST(time_stands_still),
        TEST(timers_run_in_order_of_time_then_arming),
        TEST(a_timer_in_the_past_runs_without_turning_time_back),
        TEST(arming_again_moves),
        TEST(step_runs_one_timer_up_to_a_limit),
        TEST(a_function_may_arm_again_and_free),
        TEST(a_function_may_disarm_itself),
        TEST(many_timers_keep_their_order),
        TEST(out_of_memory_leaves_what_is_armed),
        TEST(waits_end_when_time_has_come),
        TEST(what_is_sent_along_is_virtual_too),
        TEST(a_wait_for_a_past_time_ends_at_once),
        TEST(a_wait_for_a_past_time_releases_the_mutex),
        TEST(a_signal_and_the_time_may_race),
        TEST(the_time_may_come_after_a_signal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
