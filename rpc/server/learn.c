/* learn.c - what calls of a method need, from what they took.
 *
 * A call's need is the time of its handler, less what that waited for others beyond what these
 * needed (record.h): so a queue further down does not look like slow work here, and what a caller
 * is told is the sum over everything below it. Calls that did not come to an end of their own show
 * only that more is needed than they had. */
#include "server_internal.h"

#include "record.h"

#define FORGOTTEN STINT_SECONDS(10) /* an estimate that nothing was added to for so long */

/* `value` is one of m's. */
static stint_duration known(const struct stint__method_state *m, const atomic_int_fast64_t *value,
                            stint_time now)
{
    stint_time learned = {atomic_load_explicit(&m->learned_at, memory_order_relaxed)};
    bool fresh = stint_time_sub(now, learned) < FORGOTTEN;
    return fresh ? atomic_load_explicit(value, memory_order_relaxed) : 0;
}

stint_duration stint__method_needs(const struct stint__method_entry *entry, stint_time now)
{
    return known(entry->state, &entry->state->needed, now);
}

stint_duration stint__method_typical(const struct stint__method_entry *entry, stint_time now)
{
    return known(entry->state, &entry->state->typical, now);
}

static void learn(struct stint__method_state *m, stint_duration sample, uint32_t weight,
                  stint_time now)
{
    pthread_mutex_lock(&m->mutex);
    stint__estimate_add_for(&m->estimate, sample, weight, now);
    atomic_store_explicit(&m->needed, stint__estimate_high(&m->estimate, now),
                          memory_order_relaxed);
    atomic_store_explicit(&m->typical, stint__estimate_median(&m->estimate, now),
                          memory_order_relaxed);
    atomic_store_explicit(&m->learned_at, now.ns, memory_order_relaxed);
    pthread_mutex_unlock(&m->mutex);
}

void stint__call_learn(stint_call *call, stint_code code, stint_time now)
{
    struct stint__method_state *m = call->entry->state;
    struct stint__record *record = stint__record_find(call->own);
    stint_duration taken = stint_time_sub(now, call->run_at);
    stint_duration waited = record != NULL ? stint__record_waited(record) : 0;
    call->taken = taken > 0 ? taken : 0;
    call->needed = call->taken > waited ? call->taken - waited : 0;
    stint__tally_add(&m->run, call->taken);
    if (code == STINT_OK)
        learn(m, call->needed, call->probe > 0 ? call->probe : 1, now);
    else if (code == STINT_DEADLINE_EXCEEDED &&
             call->needed > stint__method_needs(call->entry, now))
        learn(m, call->needed, 1, now);
}
