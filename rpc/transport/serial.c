/* serial.c - runs callbacks one at a time. See serial.h.
 *
 * Invariant: while `running`, exactly one thread is in stint__serial_run past its first check, and
 * it looks at the queue again before it clears the flag. */
#include "serial.h"

void stint__serial_init(struct stint__serial *s)
{
    stint__list_init(&s->items);
    s->running = false;
    pthread_mutex_init(&s->lock, NULL);
}

void stint__serial_fini(struct stint__serial *s)
{
    pthread_mutex_destroy(&s->lock);
}

void stint__serial_item_init(struct stint__serial_item *item,
                             void (*fn)(struct stint__serial_item *item))
{
    stint__list_init(&item->link);
    item->fn = fn;
}

void stint__serial_post(struct stint__serial *s, struct stint__serial_item *item)
{
    pthread_mutex_lock(&s->lock);
    if (stint__list_empty(&item->link))
        stint__list_push_back(&s->items, &item->link);
    pthread_mutex_unlock(&s->lock);
}

void stint__serial_run(struct stint__serial *s)
{
    pthread_mutex_lock(&s->lock);
    if (s->running) {
        pthread_mutex_unlock(&s->lock);
        return;
    }
    s->running = true;
    struct stint__list *link;
    while ((link = stint__list_pop_front(&s->items)) != NULL) {
        pthread_mutex_unlock(&s->lock);
        struct stint__serial_item *item =
            STINT__CONTAINER_OF(link, struct stint__serial_item, link);
        item->fn(item);
        pthread_mutex_lock(&s->lock);
    }
    s->running = false;
    pthread_mutex_unlock(&s->lock);
}
