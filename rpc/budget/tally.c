/* tally.c - a histogram that any thread may add to.
 *
 * Everything is relaxed: each number is right in the end, and nothing else is ordered by them. The
 * count is not kept but summed when it is read, so that it agrees with the buckets and adding costs
 * one atomic operation less. */
#include "tally.h"

void stint__tally_add(struct stint__tally *t, stint_duration d)
{
    if (d < 0)
        d = 0;
    atomic_fetch_add_explicit(&t->buckets[stint__histogram_bucket(d)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&t->sum, (uint64_t)d, memory_order_relaxed);
    int_fast64_t max = atomic_load_explicit(&t->max, memory_order_relaxed);
    while (d > max && !atomic_compare_exchange_weak_explicit(&t->max, &max, d, memory_order_relaxed,
                                                             memory_order_relaxed))
        ; /* max has been read anew */
}

void stint__tally_read(const struct stint__tally *t, stint_histogram *ret)
{
    *ret = (stint_histogram){.sum = atomic_load_explicit(&t->sum, memory_order_relaxed),
                             .max = atomic_load_explicit(&t->max, memory_order_relaxed)};
    for (size_t i = 0; i < STINT_HISTOGRAM_BUCKETS; i++) {
        ret->buckets[i] = atomic_load_explicit(&t->buckets[i], memory_order_relaxed);
        ret->count += ret->buckets[i];
    }
}
