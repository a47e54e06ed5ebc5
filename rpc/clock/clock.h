/* clock.h - the only layer that reads the clock. Everything else asks here, or is given `now`.
 *
 * There is one monotonic clock behind a pointer: the system's, or in tests a virtual one that
 * stands still until it is advanced. Timers and timed waits follow whichever is in use. */
#ifndef STINT_CLOCK_CLOCK_H
#define STINT_CLOCK_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <stint/macros.h>
#include <stint/time.h>

/* A point that the present has not passed, and not far from it (some 30 ms; none under the virtual
 * clock), for a quarter of the price of stint_now. */
stint_time stint__clock_ceiling(void);

/* True if `when` has come. Cheaper than comparing with stint_now while it is some way off. */
bool stint__clock_has_come(stint_time when);

/* ---- timers ----
 *
 * One thread (the driver under a virtual clock) runs all timer functions, one at a time, without a
 * lock held; they must be short. Started at the first arm. */

struct stint__timer {
    void (*fn)(struct stint__timer *t);
    stint_time when;
    size_t slot; /* place in the heap; SIZE_MAX when not armed */
};

void stint__timer_init(struct stint__timer *t, void (*fn)(struct stint__timer *t));

/* Arms, or moves an armed timer. fn runs once at `when` or as soon after as possible; it may free
 * or re-arm the timer. False: out of memory (or no thread), the timer is not armed. */
STINT_NODISCARD bool stint__timer_arm(struct stint__timer *t, stint_time when);

/* True: fn will not run. False: it was not armed, or fn has run or is running. Does not wait. */
bool stint__timer_disarm(struct stint__timer *t);

/* Disarms, and waits for fn if it is running in another thread: afterwards t may be freed. */
void stint__timer_disarm_wait(struct stint__timer *t);

size_t stint__timer_count(void); /* armed now */

/* ---- waiting ---- */

/* A condition variable on the right clock, for stint__cond_wait_until. */
int stint__cond_init(pthread_cond_t *cond);

/* pthread_cond_wait that also ends at `when` on the clock in use (INT64_MAX ns: never). False: it
 * ended because `when` has come. May wake spuriously (true). */
bool stint__cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, stint_time when);

/* pthread_cond_wait for a condition variable on any clock. Under the virtual clock it wakes
 * spuriously every millisecond of real time, for those whom a virtual timer cannot wake. */
void stint__cond_wait_any(pthread_cond_t *cond, pthread_mutex_t *mutex);

/* ---- time on the wire (see the envelope) ---- */

/* CLOCK_BOOTTIME: comparable between processes of one boot, suspend included. Under the virtual
 * clock: its reading. */
int64_t stint__clock_boottime_ns(void);

/* A number that is equal in two processes only if their CLOCK_BOOTTIME readings can be compared:
 * a hash of the boot id and the time namespace. 0: unknown. Computed once. */
uint64_t stint__clock_boot_domain(void);

/* ---- CPU time ---- */

/* The clock of the CPU time that the calling thread takes, for any thread to read while that one
 * lives. */
clockid_t stint__clock_of_thread(void);
int64_t stint__clock_cpu_ns(clockid_t clock); /* 0: its thread has ended */

/* ---- the virtual clock, for tests ---- */

/* Puts the virtual clock in place of the system's, at `start`. No timers may be armed and nobody
 * may wait. */
void stint__vclock_install(stint_time start);
void stint__vclock_uninstall(void);
bool stint__vclock_in_use(void);

/* Moves time forward by d, stopping at each due timer to run it in this thread. */
void stint__vclock_advance(stint_duration d);

/* Moves to the next due timer and runs it, if there is one no later than `limit`. False: none. */
bool stint__vclock_step(stint_time limit);

#endif
