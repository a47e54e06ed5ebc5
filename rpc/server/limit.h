/* limit.h - how many calls may run at once: a limit that follows how much longer they take than
 * they need.
 *
 * Gradient2 of Netflix's concurrency-limits (github.com/Netflix/concurrency-limits, after TCP
 * Vegas: Brakmo and Peterson, 1995): the limit is multiplied by the ratio of what calls should take
 * to what they do take, and may grow by about its square root beyond it. "Should take" is here the
 * needed time that services advertise, without their queues, so there is no round-trip time to
 * guess at.
 *
 * Pure: not thread-safe, reads no clock. */
#ifndef STINT_SERVER_LIMIT_H
#define STINT_SERVER_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include <stint/time.h>

struct stint__limit {
    double limit;
    uint32_t least, most;
    double ratio; /* smoothed: taken / needed, 1 or more */
    /* the implementer's: what else is smoothed */
    double taken, needed;
    uint32_t samples;
};

/* Begins at `start`, within [least, most]. */
void stint__limit_init(struct stint__limit *l, uint32_t least, uint32_t start, uint32_t most);

/* A call ended that took `taken`, of which it needed `needed` (at most as much), while `inflight`
 * calls ran. A limit that is not used (inflight under half of it) does not grow. */
void stint__limit_sample(struct stint__limit *l, stint_duration taken, stint_duration needed,
                         uint32_t inflight);

uint32_t stint__limit_get(const struct stint__limit *l);

#endif
