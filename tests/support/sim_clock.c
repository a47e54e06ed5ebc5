/* sim_clock.c - see the header. One driver for the process, as there is one clock; `stopping` is
 * all that it shares with the test's thread. */
#include "sim_clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "patience.h"
#include "quiet.h"
#include "unit.h"

#define START_NS STINT_SECONDS(1000)

static struct {
    pthread_t thread;
    atomic_bool stopping;
} driver;

/* Everybody waits, and no timer is there to wake anybody. The test cannot be failed from here. */
static void give_up(void)
{
    fprintf(stderr,
            "the simulation is stuck after %.3f virtual seconds: every thread waits, %zu timers\n",
            (double)sim_clock_elapsed() / 1e9, stint__timer_count());
    abort();
}

static void *drive(void *arg)
{
    (void)arg;
    const stint_time limit = {START_NS + SIM_CLOCK_LIMIT};
    struct timespec patience = deadline_in_ms(patience_ms());
    for (;;) {
        bool all_wait = all_other_threads_sleep();
        if (atomic_load(&driver.stopping)) /* looked at last: the test's thread may wait for us */
            break;
        if (all_wait && stint__vclock_step(limit)) {
            patience = deadline_in_ms(patience_ms());
            continue;
        }
        if (!all_wait)
            patience = deadline_in_ms(patience_ms());
        else if (deadline_left_ms(&patience) == 0)
            give_up();
        pause_between_looks();
    }
    return NULL;
}

void sim_clock_start(void)
{
    assert_int_equal(stint__timer_count(), 0);
    stint__vclock_install((stint_time){START_NS});
    atomic_store(&driver.stopping, false);
    assert_int_equal(pthread_create(&driver.thread, NULL, drive, NULL), 0);
}

void sim_clock_stop(void)
{
    atomic_store(&driver.stopping, true);
    pthread_join(driver.thread, NULL);
    stint__vclock_uninstall();
}

bool sim_clock_run_out(void)
{
    struct timespec deadline = deadline_in_ms(patience_ms());
    while (stint__timer_count() > 0) {
        if (deadline_left_ms(&deadline) == 0)
            return false;
        pause_between_looks();
    }
    return true;
}

stint_duration sim_clock_elapsed(void)
{
    return stint_now().ns - START_NS;
}

int sim_clock_setup(void **state)
{
    (void)state;
    sim_clock_start();
    return 0;
}

int sim_clock_teardown(void **state)
{
    (void)state;
    bool ok = sim_clock_run_out();
    sim_clock_stop();
    return ok ? 0 : -1;
}
