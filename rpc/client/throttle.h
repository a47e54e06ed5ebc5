/* throttle.h - how much is sent to a server that pushes back: about twice what it accepts.
 *
 * Client-side throttling as in "Handling Overload" (Beyer et al., Site Reliability Engineering,
 * O'Reilly 2016, chapter 21): with R calls asked for and A of them accepted of late, a call is held
 * back with probability (R - 2 A) / R, if that is positive, but at most 99 in 100, so that it is
 * found out when things have changed. Here only while a pushback lasts: before and after it nothing
 * is counted. docs/design.md says why not more is held back.
 *
 * Pure: `now` is given, and chance comes from a counter. Any thread, without a lock; threads that
 * meet may miscount a call or two. */
#ifndef STINT_CLIENT_THROTTLE_H
#define STINT_CLIENT_THROTTLE_H

#include <stdatomic.h>
#include <stdbool.h>

#include <stint/time.h>

#define STINT__PUSHBACK_MAX STINT_SECONDS(1) /* a longer one counts as this */

/* All zero: no pushback. */
struct stint__throttle {
    atomic_int_fast64_t until;      /* when the pushback is over, in ns; 0: there is none */
    atomic_uint_least32_t asked;    /* R, and */
    atomic_uint_least32_t accepted; /* A, of this pushback's latest calls */
    atomic_uint_least32_t drawn;    /* counts what was left to chance */
};

/* The server has refused a call, and asks to be left alone for `pushback`. */
void stint__throttle_push_back(struct stint__throttle *t, stint_time now, stint_duration pushback);

/* The server has accepted a call. */
void stint__throttle_accepted(struct stint__throttle *t);

/* Forgets the pushback. */
void stint__throttle_reset(struct stint__throttle *t);

/* Whether it matters what hold says: if not, every call may be sent. */
static inline bool stint__throttle_is_on(const struct stint__throttle *t)
{
    return atomic_load_explicit(&t->until, memory_order_relaxed) != 0;
}

/* Counts a call that is asked for. 0: it may be sent; else it is to be held back, and so long the
 * pushback still lasts. */
STINT_NODISCARD stint_duration stint__throttle_hold(struct stint__throttle *t, stint_time now);

#endif
