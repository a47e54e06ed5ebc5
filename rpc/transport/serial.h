/* serial.h - runs callbacks one at a time, in order, on whichever thread is at hand.
 *
 * The thread that finds nobody running takes over until the queue is empty, so that there is no
 * hand-off to a thread of its own. Posting allocates nothing: items are embedded. */
#ifndef STINT_TRANSPORT_SERIAL_H
#define STINT_TRANSPORT_SERIAL_H

#include <pthread.h>
#include <stdbool.h>

#include "list.h"

struct stint__serial_item {
    struct stint__list link;
    /* May free the item, or post it again. Must not block. */
    void (*fn)(struct stint__serial_item *item);
};

struct stint__serial {
    pthread_mutex_t lock; /* guards the rest; a leaf: nothing else is locked under it */
    struct stint__list items;
    bool running;
};

void stint__serial_init(struct stint__serial *s);
/* Nothing is queued or running. */
void stint__serial_fini(struct stint__serial *s);

void stint__serial_item_init(struct stint__serial_item *item,
                             void (*fn)(struct stint__serial_item *item));

/* Queues item, at most once at a time. Under any lock. */
void stint__serial_post(struct stint__serial *s, struct stint__serial_item *item);

/* Runs what is queued, unless a thread does so already (it will run it). Under no lock. The object
 * that s is part of must outlive the call: the last item may drop it only if the caller holds a
 * reference of its own. */
void stint__serial_run(struct stint__serial *s);

#endif
