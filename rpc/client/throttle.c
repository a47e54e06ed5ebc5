/* throttle.c - see throttle.h.
 *
 * A pushback begins in good faith, as if GOOD_FAITH calls had been accepted: so a few refusals hold
 * nothing back. Both counts are halved when WINDOW calls have been asked for, so that they speak of
 * the latest ones. */
#include "throttle.h"

#include "random.h"

#define GOOD_FAITH  32
#define WINDOW      512
#define PROBE_EVERY 100

#define RELAXED memory_order_relaxed

void stint__throttle_push_back(struct stint__throttle *t, stint_time now, stint_duration pushback)
{
    if (pushback > STINT__PUSHBACK_MAX)
        pushback = STINT__PUSHBACK_MAX;
    int64_t until = stint_time_add(now, pushback).ns;
    int64_t before = atomic_load_explicit(&t->until, RELAXED);
    if (before <= now.ns) {
        atomic_store_explicit(&t->asked, GOOD_FAITH, RELAXED);
        atomic_store_explicit(&t->accepted, GOOD_FAITH, RELAXED);
    }
    if (before < until)
        atomic_store_explicit(&t->until, until, RELAXED);
}

void stint__throttle_accepted(struct stint__throttle *t)
{
    /* When all that was asked for is accepted, more says nothing new: replies to calls of before
     * this pushback, or after it. */
    if (stint__throttle_is_on(t) && atomic_load_explicit(&t->accepted, RELAXED) < WINDOW)
        atomic_fetch_add_explicit(&t->accepted, 1, RELAXED);
}

void stint__throttle_reset(struct stint__throttle *t)
{
    atomic_store_explicit(&t->until, 0, RELAXED);
}

stint_duration stint__throttle_hold(struct stint__throttle *t, stint_time now)
{
    int64_t until = atomic_load_explicit(&t->until, RELAXED);
    if (until <= now.ns)
        return 0;
    uint32_t asked = atomic_fetch_add_explicit(&t->asked, 1, RELAXED) + 1;
    uint32_t accepted = atomic_load_explicit(&t->accepted, RELAXED);
    if (asked >= WINDOW) {
        atomic_store_explicit(&t->asked, asked / 2, RELAXED);
        atomic_store_explicit(&t->accepted, accepted / 2, RELAXED);
    }
    if (2 * accepted >= asked)
        return 0;
    uint64_t chance = stint__mix(atomic_fetch_add_explicit(&t->drawn, 1, RELAXED) + 1);
    bool probe = (chance >> 32) % PROBE_EVERY == 0;
    bool held = (uint32_t)chance % asked < asked - 2 * accepted;
    return held && !probe ? until - now.ns : 0;
}
