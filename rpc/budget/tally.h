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

/* The bucket that holds d, which is not negative: the inverse of stint_histogram_bound. */
size_t stint__histogram_bucket(stint_duration d);

/* Negative durations count as zero. A tally begins as all zeros. */
void stint__tally_add(struct stint__tally *t, stint_duration d);

/* A copy. Of a duration that is added meanwhile, its place in a bucket, in the sum and in the
 * maximum are in it or not, each by itself; the count is always that of the buckets. */
void stint__tally_read(const struct stint__tally *t, stint_histogram *ret);

#endif
