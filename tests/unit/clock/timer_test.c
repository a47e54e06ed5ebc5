/* timer_test.c - timers on the system's clock, with their thread. */
#include "unit.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "clock.h"
#include "list.h"

static int nothing_left_armed(void **state)
{
    (void)state;
    return stint__timer_count() == 0 ? 0 : -1;
}

/* A timer whose function says that it runs, and goes on when it is let. */
struct gated {
    struct stint__timer timer;
    sem_t entered, leave;
    stint_time ran_at;
    atomic_bool left;
};

static void run_gated(struct stint__timer *t)
{
    struct gated *g = STINT__CONTAINER_OF(t, struct gated, timer);
    g->ran_at = stint_now();
    sem_post(&g->entered);
    sem_wait(&g->leave);
    atomic_store(&g->left, true);
}

static void gated_init(struct gated *g)
{
    stint__timer_init(&g->timer, run_gated);
    sem_init(&g->entered, 0, 0);
    sem_init(&g->leave, 0, 0);
    atomic_init(&g->left, false);
}

static void never_early(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct gated g;
        gated_init(&g);
        sem_post(&g.leave);
        stint_time when = stint_time_add(stint_now(), STINT_MS(i));
        assert_true(stint__timer_arm(&g.timer, when));
        sem_wait(&g.entered);
        stint__timer_disarm_wait(&g.timer);
        assert_false(stint_time_before(g.ran_at, when));
    }
}

static void an_earlier_timer_wakes_the_thread(void **state)
{
    (void)state;
    struct gated late;
    struct gated soon;
    gated_init(&late);
    gated_init(&soon);
    sem_post(&soon.leave);
    assert_true(stint__timer_arm(&late.timer, stint_time_add(stint_now(), STINT_SECONDS(3600))));
    assert_true(stint__timer_arm(&soon.timer, stint_time_add(stint_now(), STINT_MS(1))));
    sem_wait(&soon.entered); /* else the test runs into its time limit */
    stint__timer_disarm_wait(&soon.timer);
    assert_true(stint__timer_disarm(&late.timer));
}

static void *disarm_and_wait(void *arg)
{
    struct gated *g = arg;
    stint__timer_disarm_wait(&g->timer);
    return atomic_load(&g->left) ? g : NULL;
}

static void disarm_wait_waits_for_the_function(void **state)
{
    (void)state;
    struct gated g;
    gated_init(&g);
    assert_true(stint__timer_arm(&g.timer, stint_now()));
    sem_wait(&g.entered);
    assert_false(stint__timer_disarm(&g.timer)); /* does not wait */
    assert_false(atomic_load(&g.left));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, disarm_and_wait, &g), 0);
    for (int i = 0; i < 100; i++)
        sched_yield();
    sem_post(&g.leave);
    void *waited;
    pthread_join(thread, &waited);
    assert_non_null(waited);
}

/* While the function of one timer blocks, disarming another does not wait for it. */
static void disarm_wait_does_not_wait_for_others(void **state)
{
    (void)state;
    struct gated blocking;
    struct gated other;
    gated_init(&blocking);
    gated_init(&other);
    assert_true(stint__timer_arm(&blocking.timer, stint_now()));
    sem_wait(&blocking.entered);
    assert_true(stint__timer_arm(&other.timer, stint_now()));
    stint__timer_disarm_wait(&other.timer);
    sem_post(&blocking.leave);
    stint__timer_disarm_wait(&blocking.timer);
    assert_false(atomic_load(&other.left));
}

static sem_t mask_checked;
static atomic_int open_signals;

static void count_open_signals(struct stint__timer *t)
{
    (void)t;
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    for (int s = 1; s < 32; s++) {
        if (s != SIGKILL && s != SIGSTOP && !sigismember(&mask, s))
            atomic_fetch_add(&open_signals, 1);
    }
    sem_post(&mask_checked);
}

static void the_thread_takes_no_signals(void **state)
{
    (void)state;
    sem_init(&mask_checked, 0, 0);
    struct stint__timer t;
    stint__timer_init(&t, count_open_signals);
    assert_true(stint__timer_arm(&t, stint_now()));
    sem_wait(&mask_checked);
    stint__timer_disarm_wait(&t);
    assert_int_equal(atomic_load(&open_signals), 0);
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_false(sigismember(&mask, SIGTERM)); /* and this thread still does */
}

/* ---- under load ---- */

struct counting {
    struct stint__timer timer;
    atomic_uint runs;
};

static void count_run(struct stint__timer *t)
{
    struct counting *c = STINT__CONTAINER_OF(t, struct counting, timer);
    atomic_fetch_add(&c->runs, 1);
}

/* Arms a timer on the heap and disarms it; it is freed as soon as disarm_wait allows. False: it ran
 * though disarm said that it would not, or did not though disarm said so. */
static bool arm_and_disarm(stint_duration d)
{
    struct counting *c = calloc(1, sizeof *c);
    if (c == NULL)
        return false;
    stint__timer_init(&c->timer, count_run);
    bool good = stint__timer_arm(&c->timer, stint_time_add(stint_now(), d));
    if (d % 7 == 0)
        sched_yield();
    unsigned expected = stint__timer_disarm(&c->timer) ? 0 : 1;
    if (expected == 1)
        stint__timer_disarm_wait(&c->timer);
    good = good && atomic_load(&c->runs) == expected;
    free(c);
    return good;
}

static void *arm_and_disarm_often(void *arg)
{
    bool good = true;
    for (int i = 0; i < 3000; i++)
        good = good && arm_and_disarm(STINT_US(i % 50));
    return good ? arg : NULL;
}

static void arming_and_disarming_race_with_running(void **state)
{
    (void)state;
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, arm_and_disarm_often, threads), 0);
    for (int i = 0; i < 3; i++) {
        void *good;
        pthread_join(threads[i], &good);
        assert_non_null(good);
    }
}

static void a_hundred_thousand_pending_do_not_matter(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    struct stint__timer *t = calloc(COUNT, sizeof *t);
    assert_non_null(t);
    stint_time later = stint_time_add(stint_now(), STINT_SECONDS(3600));
    for (size_t i = 0; i < COUNT; i++) {
        stint__timer_init(&t[i], count_run);
        stint_duration spread = (stint_duration)(i * 7919 % COUNT);
        assert_true(stint__timer_arm(&t[i], stint_time_add(later, spread)));
    }
    assert_int_equal(stint__timer_count(), COUNT);
    never_early(state);
    for (size_t i = 0; i < COUNT; i++)
        assert_true(stint__timer_disarm(&t[i]));
    free(t);
}

static void a_wait_ends_by_the_clock(void **state)
{
    (void)state;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond;
    assert_int_equal(stint__cond_init(&cond), 0);
    stint_time when = stint_time_add(stint_now(), STINT_MS(2));
    pthread_mutex_lock(&mutex);
    while (stint__cond_wait_until(&cond, &mutex, when))
        ;
    assert_false(stint_time_before(stint_now(), when));
    assert_false(stint__cond_wait_until(&cond, &mutex, (stint_time){-1}));
    pthread_mutex_unlock(&mutex);
    pthread_cond_destroy(&cond);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_teardown(fn, nothing_left_armed)
    const struct CMUnitTest tests[] = {
        TEST(never_early),
        TEST(an_earlier_timer_wakes_the_thread),
        TEST(disarm_wait_waits_for_the_function),
        TEST(disarm_wait_does_not_wait_for_others),
        TEST(the_thread_takes_no_signals),
        TEST(arming_and_disarming_race_with_running),
        TEST(a_hundred_thousand_pending_do_not_matter),
        TEST(a_wait_ends_by_the_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
