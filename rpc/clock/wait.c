/* wait.c - waiting on a condition variable until a point in time, on the clock in use.
 *
 * On the system's clock this is pthread_cond_timedwait on CLOCK_MONOTONIC. On the virtual clock a
 * wait is a timer, run by whoever advances the clock, that signals the condition variable. To lose
 * no wake-up the signaller must hold the waiter's mutex; it only tries to lock it, because a waiter
 * that has woken for another reason holds it and waits for the timer's end, after setting `over`.
 */
#include "clock.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "clock_internal.h"
#include "list.h"

struct virtual_wait {
    struct stint__timer timer;
    pthread_cond_t *cond;
    pthread_mutex_t *mutex;
    atomic_bool over; /* the waiter has woken */
};

int stint__cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    int rc = pthread_condattr_init(&attr);
    if (rc != 0)
        return rc;
    rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    if (rc == 0)
        rc = pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
    return rc;
}

static void end_virtual_wait(struct stint__timer *t)
{
    struct virtual_wait *w = STINT__CONTAINER_OF(t, struct virtual_wait, timer);
    while (pthread_mutex_trylock(w->mutex) != 0) {
        if (atomic_load(&w->over))
            return;
        sched_yield();
    }
    pthread_cond_broadcast(w->cond);
    pthread_mutex_unlock(w->mutex);
}

/* A wake-up without a wait. It must release the mutex all the same, as pthread_cond_timedwait does
 * when the time has passed: somebody needs it to change what the waiter looks at. */
static void wake_at_once(pthread_mutex_t *mutex)
{
    pthread_mutex_unlock(mutex);
    sched_yield();
    pthread_mutex_lock(mutex);
}

static void wait_virtually(pthread_cond_t *cond, pthread_mutex_t *mutex, stint_time when)
{
    struct virtual_wait w = {.cond = cond, .mutex = mutex};
    atomic_init(&w.over, false);
    stint__timer_init(&w.timer, end_virtual_wait);
    /* Armed before the look at the clock: one who moves it past `when` after that will see us. Out
     * of memory is a spurious wake-up. */
    if (stint__timer_arm(&w.timer, when) && stint_time_before(stint_now(), when))
        pthread_cond_wait(cond, mutex);
    else
        wake_at_once(mutex);
    atomic_store(&w.over, true);
    stint__timer_disarm_wait(&w.timer);
}

static struct timespec timespec_of(stint_time t)
{
    int64_t ns = t.ns > 0 ? t.ns : 0;
    return (struct timespec){.tv_sec = (time_t)(ns / 1000000000),
                             .tv_nsec = (long)(ns % 1000000000)};
}

bool stint__cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, stint_time when)
{
    if (when.ns == INT64_MAX) {
        pthread_cond_wait(cond, mutex);
        return true;
    }
    if (stint__vclock_in_use()) {
        wait_virtually(cond, mutex, when);
        return stint_time_before(stint_now(), when);
    }
    struct timespec ts = timespec_of(when);
    return pthread_cond_timedwait(cond, mutex, &ts) != ETIMEDOUT;
}

void stint__cond_wait_any(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    if (!stint__vclock_in_use()) {
        pthread_cond_wait(cond, mutex);
        return;
    }
    struct timespec ts = timespec_of(stint_time_add(stint__clock_system_now(), STINT_MS(1)));
    pthread_cond_clockwait(cond, mutex, CLOCK_MONOTONIC, &ts);
}
