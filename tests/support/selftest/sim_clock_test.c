/* sim_clock_test.c - virtual time passes when everybody waits, and only then. */
#include "sim_clock.h"

#include <pthread.h>
#include <stdatomic.h>

#include "clock.h"
#include "event.h"
#include "quiet.h"
#include "unit.h"

static int setup(void **state)
{
    (void)state;
    sim_clock_start();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sim_clock_stop();
    return 0;
}

static void sleep_virtually(stint_duration d)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond;
    stint_time end = stint_time_add(stint_now(), d);
    assert_int_equal(stint__cond_init(&cond), 0);
    pthread_mutex_lock(&mutex);
    while (stint_time_before(stint_now(), end))
        (void)stint__cond_wait_until(&cond, &mutex, end);
    pthread_mutex_unlock(&mutex);
    pthread_cond_destroy(&cond);
}

static void hours_pass_in_no_time(void **state)
{
    (void)state;
    for (int i = 0; i < 12; i++)
        sleep_virtually(STINT_SECONDS(3600));
    assert_int_equal(sim_clock_elapsed(), STINT_SECONDS(43200));
}

/* However long it takes on the real clock. */
static void time_stands_still_while_somebody_works(void **state)
{
    (void)state;
    struct stint__timer timer;
    atomic_uint work = 1;
    stint__timer_init(&timer, NULL);
    assert_true(stint__timer_arm(&timer, stint_time_add(stint_now(), 1)));
    for (unsigned i = 0; i < 20000000; i++)
        atomic_fetch_add_explicit(&work, i, memory_order_relaxed);
    assert_int_equal(sim_clock_elapsed(), 0);
    assert_true(stint__timer_disarm(&timer));
}

struct sleeper {
    stint_duration period;
    int rounds;
    _Atomic(stint_duration) slept;
    struct event *done;
};

static void *sleep_in_rounds(void *arg)
{
    struct sleeper *s = arg;
    for (int i = 0; i < s->rounds; i++)
        sleep_virtually(s->period);
    atomic_store(&s->slept, sim_clock_elapsed());
    event_raise(s->done);
    return NULL;
}

static void threads_that_sleep_wake_at_their_times(void **state)
{
    (void)state;
    struct event done;
    struct sleeper sleepers[3] = {{.period = STINT_MS(3), .rounds = 20},
                                  {.period = STINT_MS(7), .rounds = 10},
                                  {.period = STINT_MS(11), .rounds = 5}};
    pthread_t threads[3];
    event_init(&done);
    for (int i = 0; i < 3; i++) {
        sleepers[i].done = &done;
        assert_int_equal(pthread_create(&threads[i], NULL, sleep_in_rounds, &sleepers[i]), 0);
    }
    event_wait(&done, 3);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(atomic_load(&sleepers[i].slept), sleepers[i].period * sleepers[i].rounds);
    }
    event_fini(&done);
}

static void *wait_for_event(void *arg)
{
    event_wait_ms(arg, 1, 60000);
    return NULL;
}

static void *spin_until_event(void *arg)
{
    while (event_count(arg) == 0)
        ;
    return NULL;
}

static void sleeping_and_working_threads_are_told_apart(void **state)
{
    (void)state;
    struct event end;
    pthread_t thread;
    event_init(&end);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_event, &end), 0);
    while (!all_other_threads_sleep()) /* it will */
        ;
    event_raise(&end);
    pthread_join(thread, NULL);
    event_fini(&end);

    event_init(&end);
    assert_int_equal(pthread_create(&thread, NULL, spin_until_event, &end), 0);
    for (int i = 0; i < 200; i++)
        assert_false(all_other_threads_sleep());
    event_raise(&end);
    pthread_join(thread, NULL);
    event_fini(&end);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(hours_pass_in_no_time),
        TEST(time_stands_still_while_somebody_works),
        TEST(threads_that_sleep_wake_at_their_times),
        cmocka_unit_test(sleeping_and_working_threads_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
