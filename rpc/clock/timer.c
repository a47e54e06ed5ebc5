/* timer.c - all timers of the process, and the thread that runs them.
 *
 * The state stands at file scope: there is one timer thread for the whole process, started by the
 * first arm and never stopped. `lock` guards everything in it and every timer's `when` and `slot`;
 * it is never held while a timer's function runs.
 *
 * Invariants:
 *  - At most one function runs at a time, and `running` names its timer. That is only compared,
 * never followed: the function may have freed it.
 *  - The thread sleeps towards the soonest timer or something earlier. Only an arm that makes the
 *    soonest earlier wakes it; removals never do, and a wake-up for a removed timer is harmless. */
#include "clock.h"

#include <signal.h>
#include <sys/prctl.h>

#include "clock_internal.h"
#include "heap.h"

/* The thread is awake, or has been signalled: it will look at the heap before it sleeps. */
static const stint_time awake = {INT64_MIN};
static const stint_time never = {INT64_MAX};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake; /* for the thread: the soonest timer is earlier than what it sleeps to;
                          * made with the thread */
    pthread_cond_t idle; /* for others: no function is running */
    struct stint__heap heap;
    uint64_t armings;
    struct stint__timer *running; /* NULL: none */
    pthread_t runner;
    unsigned idle_waiters;
    stint_time asleep_until;
    bool have_thread;
} timers = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .idle = PTHREAD_COND_INITIALIZER,
    .asleep_until = {INT64_MIN},
};

static void lock_timers(void)
{
    pthread_mutex_lock(&timers.lock);
}

static void unlock_timers(void)
{
    pthread_mutex_unlock(&timers.lock);
}

static bool runs_elsewhere_locked(const struct stint__timer *t)
{
    return timers.running == t && !pthread_equal(timers.runner, pthread_self());
}

static void wait_idle_locked(void)
{
    timers.idle_waiters++;
    pthread_cond_wait(&timers.idle, &timers.lock);
    timers.idle_waiters--;
}

/* Takes the soonest timer out and runs it, without the lock meanwhile. */
static void run_first_locked(void)
{
    struct stint__timer *t = timers.heap.entries[0].timer;
    stint__heap_remove(&timers.heap, 0);
    void (*fn)(struct stint__timer *) = t->fn;
    timers.running = t;
    timers.runner = pthread_self();
    unlock_timers();
    fn(t);
    lock_timers();
    timers.running = NULL;
    if (timers.idle_waiters > 0)
        pthread_cond_broadcast(&timers.idle);
}

/* When the thread has something to do. Under the virtual clock that is never: its driver does it.
 */
static stint_time next_due_locked(void)
{
    if (timers.heap.count == 0 || stint__vclock_in_use())
        return never;
    return timers.heap.entries[0].when;
}

static void sleep_until_locked(stint_time when)
{
    timers.asleep_until = when;
    (void)stint__cond_wait_until(&timers.wake, &timers.lock, when);
    timers.asleep_until = awake;
}

static void *timer_thread(void *arg)
{
    (void)arg;
    (void)pthread_setname_np(pthread_self(), "stint-timer");
    /* The default slack of 50 us would be most of a wake-up's error. */
    (void)prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
    lock_timers();
    for (;;) {
        stint_time due = next_due_locked();
        if (due.ns == never.ns || stint_time_before(stint_now(), due))
            sleep_until_locked(due);
        else
            run_first_locked();
    }
    return NULL;
}

/* With all signals blocked, so that the program's handlers run in its own threads. */
static bool create_thread(void)
{
    pthread_attr_t attr;
    if (pthread_attr_init(&attr) != 0)
        return false;
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    int rc = pthread_create(&thread, &attr, timer_thread, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return rc == 0;
}

static bool start_thread_locked(void)
{
    if (stint__cond_init(&timers.wake) != 0)
        return false;
    timers.have_thread = create_thread();
    if (!timers.have_thread)
        pthread_cond_destroy(&timers.wake);
    return timers.have_thread;
}

void stint__timer_init(struct stint__timer *t, void (*fn)(struct stint__timer *t))
{
    *t = (struct stint__timer){.fn = fn, .slot = STINT__NO_SLOT};
}

static bool arm_locked(struct stint__timer *t, stint_time when)
{
    if (!timers.have_thread && !stint__vclock_in_use() && !start_thread_locked())
        return false;
    if (t->slot == STINT__NO_SLOT && !stint__heap_reserve(&timers.heap))
        return false;
    t->when = when;
    stint__heap_put(&timers.heap, t, timers.armings++);
    if (stint_time_before(next_due_locked(), timers.asleep_until)) {
        timers.asleep_until = awake;
        pthread_cond_signal(&timers.wake);
    }
    return true;
}

bool stint__timer_arm(struct stint__timer *t, stint_time when)
{
    lock_timers();
    bool armed = arm_locked(t, when);
    unlock_timers();
    return armed;
}

static bool disarm_locked(struct stint__timer *t)
{
    if (t->slot == STINT__NO_SLOT)
        return false;
    stint__heap_remove(&timers.heap, t->slot);
    return true;
}

bool stint__timer_disarm(struct stint__timer *t)
{
    lock_timers();
    bool was_armed = disarm_locked(t);
    unlock_timers();
    return was_armed;
}

void stint__timer_disarm_wait(struct stint__timer *t)
{
    lock_timers();
    while (runs_elsewhere_locked(t))
        wait_idle_locked();
    (void)disarm_locked(t); /* last: the function may have armed it again */
    unlock_timers();
}

size_t stint__timer_count(void)
{
    lock_timers();
    size_t count = timers.heap.count;
    unlock_timers();
    return count;
}

bool stint__timer_run_next(stint_time limit)
{
    lock_timers();
    while (timers.running != NULL)
        wait_idle_locked();
    bool due = timers.heap.count > 0 && !stint_time_before(limit, timers.heap.entries[0].when);
    if (due) {
        stint__vclock_move_to(timers.heap.entries[0].when);
        run_first_locked();
    }
    unlock_timers();
    return due;
}
