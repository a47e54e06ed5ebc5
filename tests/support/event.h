/* event.h - a counter that any thread raises and a test waits on, so that no test needs to sleep.
 */
#ifndef STINT_TESTS_EVENT_H
#define STINT_TESTS_EVENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct event {
    pthread_mutex_t mutex; /* guards count */
    pthread_cond_t cond;
    unsigned count;
};

void event_init(struct event *e);
void event_fini(struct event *e);

/* Raises the count by one. Thread-safe; the waiter may free the event once it has seen it. */
void event_raise(struct event *e);
unsigned event_count(struct event *e);

/* Waits until the count is at least `count`; fails the test when patience ends. The test's thread
 * only. */
void event_wait(struct event *e, unsigned count);

/* The same for at most `ms`, from any thread; false: the count is lower still. For what must not
 * happen; what must happen is waited for with event_wait. */
bool event_wait_ms(struct event *e, unsigned count, int64_t ms);

#endif
