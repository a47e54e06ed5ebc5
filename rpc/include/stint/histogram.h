/* stint/histogram.h - how durations are distributed, as the statistics of servers report it.
 *
 * Plain values: the functions look at their arguments only, and any thread may call them. */
#ifndef STINT_HISTOGRAM_H
#define STINT_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#include <stint/macros.h>
#include <stint/time.h>

STINT_BEGIN_DECLS

#define STINT_HISTOGRAM_BUCKETS 64

/* Counts by size. Bucket i holds the durations below stint_histogram_bound(i) that no smaller
 * bucket holds. The bounds are 1, 1.5, 2, 3, 4, 6, 8 ... us, two to each doubling, up to 2^31 us
 * (36 minutes); the last bucket has none. A value: copy it as you like. What happened between two
 * readings is the difference of their counts, sums and buckets. */
typedef struct stint_histogram {
    uint64_t count; /* of all buckets */
    uint64_t sum;   /* in nanoseconds; begins again at 2^64, after 584 years */
    stint_duration max;
    uint64_t buckets[STINT_HISTOGRAM_BUCKETS];
} stint_histogram;

/* The upper bound of bucket i, which is not itself in it; STINT_DURATION_FOREVER for the last, and
 * for an i beyond. */
STINT_API stint_duration stint_histogram_bound(size_t i);

/* The duration that a share `q` of what is in the buckets does not exceed, interpolated within its
 * bucket and not above max (of a copy that was taken while others counted, max may be too low: then
 * it is where the bucket begins); 0 if the buckets are empty. q counts as 0 below 0 (and if it is
 * not a number) and as 1 above 1. So 0 gives where the lowest bucket in use begins, and 1 gives
 * max. */
STINT_API stint_duration stint_histogram_quantile(const stint_histogram *h, double q);

STINT_END_DECLS

#endif
