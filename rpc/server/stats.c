/* stats.c - what has been counted. Each counter is read on its own: a snapshot taken while calls
 * end need not add up. */
#include <stint/server.h>

#include <string.h>

#include "server_internal.h"

static uint64_t get(const atomic_uint_fast64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void stint_server_stats_get(stint_server *s, stint_server_stats *stats)
{
    const atomic_uint_fast64_t *n_of = s->counters.outcomes;
    stint_server_stats all = {
        .size = stats->size,
        .requests = get(&n_of[STINT__REQUESTS]),
        .executed = get(&n_of[STINT__EXECUTED]),
        .ok = get(&n_of[STINT__ANSWERED_OK]),
        .failed = get(&n_of[STINT__FAILED]),
        .expired_arrival = get(&n_of[STINT__EXPIRED_ARRIVAL]),
        .expired_queue = get(&n_of[STINT__EXPIRED_QUEUE]),
        .refused_full = get(&n_of[STINT__REFUSED_FULL]) + get(&n_of[STINT__DISPLACED]),
        .refused_draining = get(&n_of[STINT__REFUSED_DRAINING]),
        .refused_method = get(&s->counters.refused_method),
        .refused_other = get(&n_of[STINT__REFUSED_OTHER]),
        .cancelled = get(&n_of[STINT__CANCELLED_QUEUE]) + get(&n_of[STINT__CANCELLED_HANDLER]),
        .late = get(&n_of[STINT__LATE]),
        .clamped = get(&s->counters.clamped),
        .accepted = get(&s->counters.accepted),
        .inflight = atomic_load(&s->inflight),
        .insufficient_arrival = get(&n_of[STINT__INSUFFICIENT_ARRIVAL]),
        .insufficient_queue = get(&n_of[STINT__INSUFFICIENT_QUEUE]),
        .probes = get(&n_of[STINT__PROBES]),
    };
    size_t n = stint__server_use(s);
    for (size_t i = 0; i < n; i++) {
        struct stint__transport_stats t = {0};
        stint__acceptor_stats(s->acceptors[i], &t);
        all.malformed += t.malformed;
        all.connections += t.open;
        all.refused_connections += t.refused;
        all.stalled += t.stalled;
    }
    stint__server_unuse(s);
    memcpy(stats, &all, stats->size < sizeof all ? stats->size : sizeof all);
}

const char *stint_server_method(const stint_server *s, size_t i)
{
    return i < s->n_methods ? s->methods[i].method->path : NULL;
}

static void add_state_now(stint_server *s, const struct stint__method_state *m,
                          stint_method_stats *all)
{
    pthread_mutex_lock(&s->work.mutex);
    all->waiting = m->lane.length;
    all->running = m->lane.running;
    all->limit = m->lane.limit;
    pthread_mutex_unlock(&s->work.mutex);
}

stint_code stint_server_method_stats_get(stint_server *s, const char *path,
                                         stint_method_stats *stats)
{
    const struct stint__slice name = {(const uint8_t *)path, strlen(path)};
    const struct stint__method_entry *entry = stint__method_find(s, name);
    if (entry == NULL)
        return STINT_NOT_FOUND;
    const struct stint__method_state *m = entry->state;
    const atomic_uint_fast64_t *n_of = m->outcomes;
    stint_method_stats all = {
        .size = stats->size,
        .requests = get(&n_of[STINT__REQUESTS]),
        .admitted = get(&n_of[STINT__ADMITTED]),
        .executed = get(&n_of[STINT__EXECUTED]),
        .ok = get(&n_of[STINT__ANSWERED_OK]),
        .failed = get(&n_of[STINT__FAILED]),
        .expired_arrival = get(&n_of[STINT__EXPIRED_ARRIVAL]),
        .insufficient_arrival = get(&n_of[STINT__INSUFFICIENT_ARRIVAL]),
        .expired_queue = get(&n_of[STINT__EXPIRED_QUEUE]),
        .insufficient_queue = get(&n_of[STINT__INSUFFICIENT_QUEUE]),
        .refused_full = get(&n_of[STINT__REFUSED_FULL]),
        .displaced = get(&n_of[STINT__DISPLACED]),
        .refused_draining = get(&n_of[STINT__REFUSED_DRAINING]),
        .refused_other = get(&n_of[STINT__REFUSED_OTHER]),
        .probes = get(&n_of[STINT__PROBES]),
        .cancelled_queue = get(&n_of[STINT__CANCELLED_QUEUE]),
        .cancelled_handler = get(&n_of[STINT__CANCELLED_HANDLER]),
        .late = get(&n_of[STINT__LATE]),
        .cpu_after_cancel = (stint_duration)get(&m->cpu_after_cancel),
        .needed = stint__method_needs(entry, stint_now()),
    };
    add_state_now(s, m, &all);
    stint__tally_read(&m->queue, &all.queue);
    stint__tally_read(&m->run, &all.run);
    memcpy(stats, &all, stats->size < sizeof all ? stats->size : sizeof all);
    return STINT_OK;
}
