/* stats.c - what has been counted. */
#include "budget_internal.h"

#include <string.h>

struct stint__budget_counters stint__budget_counters;

static uint64_t get(const atomic_uint_least64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void stint_budget_stats_get(stint_budget_stats *stats)
{
    const struct stint__budget_counters *c = &stint__budget_counters;
    stint_budget_stats all = {
        .size = stats->size,
        .insufficient = get(&c->insufficient),
        .extended = get(&c->extended),
        .extended_time = get(&c->extended_time),
    };
    memcpy(stats, &all, stats->size < sizeof all ? stats->size : sizeof all);
}
