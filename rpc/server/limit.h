/* limit.h - how many calls may run at once: a limit that follows how much longer they take than
 * they need.
 *
 * Gradient2 of Netflix's concurrency-limits (github.com/Netflix/concurrency-limits,
 * Gradient2Limit.java; after TCP Vegas: Brakmo and Peterson, "TCP Vegas: End to End Congestion
 * Avoidance on a Global Internet", IEEE JSAC 13(8), 1995): the limit is multiplied by the ratio of
 * what calls should take to what they do take, and may grow by its square root beyond it. "Should
 * take" is here the needed time that services advertise, without their queues, so there is no
 * round-trip time to guess at. It settles where the square root of it waits below: at 11 for 8
 * servers there, at 2 for one.
 *
 * Pure: not thread-safe, reads no clock. */
#ifndef STINT_SERVER_LIMIT_H
#define STINT_SERVER_LIMIT_H

#include <stdint.h>

#include <stint/time.h>

struct stint__limit {
    double limit;
    uint32_t least, most;
    double ratio;         /* taken / needed in the last round, 1 or more */
    double taken, needed; /* the sums of this round */
    uint32_t samples;     /* in this round */
    uint32_t peak;        /* of inflight, in this round */
};

/* Begins at `start`, within [least, most]; there is always room for one. `most` is what a user set:
 * it holds against `least`, too. */
void stint__limit_init(struct stint__limit *l, uint32_t least, uint32_t start, uint32_t most);

/* A call ended that took `taken`, of which it needed `needed` (more counts as all of it), while
 * `inflight` calls ran, itself among them. While a limit is not used (inflight under half of it) it
 * does not grow: what few calls take says nothing about many. If even those take much longer than
 * they need, it comes down to them. */
void stint__limit_sample(struct stint__limit *l, stint_duration taken, stint_duration needed,
                         uint32_t inflight);

/* Rounded down. */
uint32_t stint__limit_get(const struct stint__limit *l);

#endif
