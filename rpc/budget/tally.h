/* tally.h - a histogram that any thread may add to, without a lock. */
#ifndef STINT_BUDGET_TALLY_H
#define STINT_BUDGET_TALLY_H

#include <stdatomic.h>

#include <stint/histogram.h>

struct stint__tally {
    atomic_uint_fast64_t sum;
    atomic_int_fast64_t max;
    atomic_uint_fast64_t buckets[STINT_HISTOGRAM_BUCKETS];
};

/* Negative durations count as zero. */
void stint__tally_add(struct stint__tally *t, stint_duration d);

/* A copy; what is added meanwhile is in it or not. */
void stint__tally_read(const struct stint__tally *t, stint_histogram *ret);

#endif
