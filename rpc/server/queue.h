/* queue.h - calls that wait to be run: in which order, how many at once, and which no longer.
 *
 * Every method has a lane; a lane has a list for each level of criticality. The more critical go
 * first. Among equals the oldest goes first, unless the queue is overloaded: then the newest does,
 * because it still has its time before it, while what has waited long is about to be dropped anyway
 * (adaptive LIFO: Maurer, "Fail at Scale", ACM Queue 13(8), 2015). Overloaded is a queue that
 * lately had to drop more than a tenth of its calls for want of time.
 *
 * Each call waits until its `due` at the latest: when that has passed, what is left is less than
 * the call needs.
 *
 * Pure: reads no clock and takes no lock; callers do (workers.c). */
#ifndef STINT_SERVER_QUEUE_H
#define STINT_SERVER_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <stint/criticality.h>
#include <stint/time.h>

#include "clock.h"
#include "heap.h"
#include "list.h"

#define STINT__LEVELS STINT_CRITICALITY_CRITICAL_PLUS

/* The calls of one method. */
struct stint__lane {
    struct stint__list waiting[STINT__LEVELS]; /* by level, oldest first */
    struct stint__list link;                   /* in the queue's lanes, while one waits */
    uint32_t length;
    uint32_t running, limit; /* calls that were taken and are not done; how many may be */

    /* For those who look without the lock. */
    atomic_uint_fast32_t counts[STINT__LEVELS]; /* of waiting */
    atomic_bool full;                           /* running >= limit */
};

/* One call that waits, or has been taken. */
struct stint__waiter {
    struct stint__list link;
    struct stint__timer due; /* due.when: when it must have been taken; never armed */
    struct stint__lane *lane;
    uint64_t order; /* of arrival */
    uint8_t level;  /* 0 to STINT__LEVELS - 1: the least critical first */
    bool queued;
};

struct stint__queue {
    struct stint__list lanes; /* in which calls wait */
    struct stint__heap due;   /* all that wait, the soonest due first */
    uint32_t length, max;
    uint32_t running, limit;
    uint64_t next_order;
    double shed, taken; /* lately: dropped for want of time; taken to be run. They fade */
    stint_time faded;
    stint_time last_take;
    stint_time measured; /* when the interval was last added to */
    bool backlog;        /* something could have been taken right after the last take */

    /* For those who look without the lock. */
    atomic_uint_fast32_t waiting[STINT__LEVELS];
    atomic_uint_fast32_t blocked[STINT__LEVELS]; /* of those, the ones in full lanes */
    atomic_int_fast64_t interval; /* between two takes, while calls wait; 0: not known */
    atomic_bool newest_first;
};

void stint__queue_init(struct stint__queue *q, uint32_t max, uint32_t limit, stint_time now);
void stint__queue_fini(struct stint__queue *q); /* empty */

void stint__lane_init(struct stint__lane *lane, uint32_t limit);
void stint__lane_set_limit(struct stint__queue *q, struct stint__lane *lane, uint32_t limit);

enum stint__push { STINT__PUSH_DONE, STINT__PUSH_FULL, STINT__PUSH_NO_MEMORY };

/* Puts w, with lane, level and due.when set, into the queue. */
enum stint__push stint__queue_push(struct stint__queue *q, struct stint__waiter *w);

/* Takes out, for a call of that level that found the queue full, the one to be given up instead:
 * the least critical, of a lower level; or, when the newest goes first, of the same. NULL: there is
 * none. */
struct stint__waiter *stint__queue_make_room(struct stint__queue *q, uint8_t level);

/* Takes out one whose time to start has passed; NULL: there is none. */
struct stint__waiter *stint__queue_take_due(struct stint__queue *q, stint_time now);

/* Takes out the next to be run, and counts it as running until stint__queue_done. NULL: none waits,
 * or none may run. */
struct stint__waiter *stint__queue_take(struct stint__queue *q, stint_time now);

/* One that was taken is over. */
void stint__queue_done(struct stint__queue *q, struct stint__lane *lane);

/* Takes out one that is not wanted any more; nothing if it has been taken out. */
void stint__queue_remove(struct stint__queue *q, struct stint__waiter *w);

/* Counts a call that was given up for want of time, in the queue or because of it. */
void stint__queue_count_shed(struct stint__queue *q, stint_time now);

/* How long a new call of that level would wait in that lane, about: what waits in other lanes that
 * are full is not before it. NULL: behind all that wait. Needs no lock. */
stint_duration stint__queue_estimate(struct stint__queue *q, const struct stint__lane *lane,
                                     uint8_t level);

/* The one that is due first; NULL: nothing waits. */
struct stint__waiter *stint__queue_first_due(const struct stint__queue *q);

/* Whether calls wait that a new one in that lane competes with, or some lately had to be given up.
 * Needs no lock. */
bool stint__queue_is_pressed(struct stint__queue *q, const struct stint__lane *lane);

/* The level of a criticality as it travels; what is not known counts as CRITICAL. */
uint8_t stint__level_of(uint32_t criticality);

#endif
