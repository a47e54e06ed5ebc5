/* event.c - a counter with a condition variable. event.mutex guards the count; raising signals
 * under it, so that the waiter may destroy the event as soon as it has seen the count. */
#include "event.h"

#include "patience.h"
#include "unit.h"

void event_init(struct event *e)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&e->cond, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&e->mutex, NULL);
    e->count = 0;
}

void event_fini(struct event *e)
{
    pthread_cond_destroy(&e->cond);
    pthread_mutex_destroy(&e->mutex);
}

void event_raise(struct event *e)
{
    pthread_mutex_lock(&e->mutex);
    e->count++;
    pthread_cond_broadcast(&e->cond);
    pthread_mutex_unlock(&e->mutex);
}

unsigned event_count(struct event *e)
{
    pthread_mutex_lock(&e->mutex);
    unsigned count = e->count;
    pthread_mutex_unlock(&e->mutex);
    return count;
}

bool event_wait_ms(struct event *e, unsigned count, int64_t ms)
{
    struct timespec deadline = deadline_in_ms(ms);
    int rc = 0;
    pthread_mutex_lock(&e->mutex);
    while (e->count < count && rc == 0)
        rc = pthread_cond_timedwait(&e->cond, &e->mutex, &deadline);
    bool reached = e->count >= count;
    pthread_mutex_unlock(&e->mutex);
    return reached;
}

void event_wait(struct event *e, unsigned count)
{
    if (!event_wait_ms(e, count, patience_ms()))
        fail_msg("waited for event %u, but there were only %u", count, event_count(e));
}
