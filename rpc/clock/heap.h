/* heap.h - the pending timers, soonest first: a 4-ary heap that knows each timer's place. No
 * locking. */
#ifndef STINT_CLOCK_HEAP_H
#define STINT_CLOCK_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"

#define STINT__NO_SLOT SIZE_MAX

/* What comparisons need stands in the entry: they do not touch the timers. */
struct stint__heap_entry {
    stint_time when;
    uint64_t order; /* of arming: decides between equal times */
    struct stint__timer *timer;
};

struct stint__heap {
    struct stint__heap_entry *entries;
    size_t count, capacity;
};

/* Makes room for one more. False: out of memory. */
STINT_NODISCARD bool stint__heap_reserve(struct stint__heap *h);

/* Adds, within what was reserved, or moves a timer that is in the heap. Sets timer->slot. */
void stint__heap_put(struct stint__heap *h, struct stint__timer *timer, uint64_t order);

/* Removes the timer at `slot` and gives back memory that has not been needed for long. */
void stint__heap_remove(struct stint__heap *h, size_t slot);

/* Frees what an empty heap has kept. */
void stint__heap_fini(struct stint__heap *h);

#endif
