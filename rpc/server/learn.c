/* learn.c - what calls of a method need, from what they took.
 *
 * A call's need is the time of its handler, less what that waited for others beyond what these
 * needed (record.h): so a queue further down does not look like slow work here, and what a caller
 * is told is the sum over everything below it. Calls that did not come to an end of their own show
 * only that more is needed than they had. */
#include "server_internal.h"

#include "record.h"

#define FORGOTTEN STINT_SECONDS(10) /* an estimate that nothing was added to for so long */

stint_duration stint__method_needs(const struct stint__method_entry *entry, stint_time now)
{
    struct stint__method_state *m = entry->state;
    stint_duration needed = atomic_load_explicit(&m->needed, memory_order_relaxed);
    if (needed == 0)
        return 0;
    stint_time learned = {atomic_load_explicit(&m->learned_at, memory_order_relaxed)};
    return stint_time_sub(now, learned) < FORGOTTEN ? needed : 0;
}

static void learn(struct stint__method_state *m, stint_duration sample, bool at_least,
                  stint_time now)
{
    pthread_mutex_lock(&m->mutex);
    if (!at_least || sample > atomic_load_explicit(&m->needed, memory_order_relaxed)) {
        stint__estimate_add(&m->estimate, sample, now);
        atomic_store_explicit(&m->needed, stint__estimate_high(&m->estimate, now),
                              memory_order_relaxed);
        atomic_store_explicit(&m->learned_at, now.ns, memory_order_relaxed);
    }
    pthread_mutex_unlock(&m->mutex);
}

void stint__call_learn(stint_call *call, stint_code code, stint_time now)
{
    struct stint__method_state *m = call->entry->state;
    struct stint__record *record = stint__record_find(call->own);
    stint_duration taken = stint_time_sub(now, call->run_at);
    stint_duration waited = record != NULL ? stint__record_waited(record, now) : 0;
    call->taken = taken > 0 ? taken : 0;
    call->needed = call->taken > waited ? call->taken - waited : 0;
    stint__tally_add(&m->run, call->taken);
    if (code == STINT_OK || code == STINT_DEADLINE_EXCEEDED)
        learn(m, call->needed, code != STINT_OK, now);
}
