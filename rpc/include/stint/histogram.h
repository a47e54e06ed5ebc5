/* stint/histogram.h - how durations are distributed, as the statistics of servers report it. */
#ifndef STINT_HISTOGRAM_H
#define STINT_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#include <stint/macros.h>
#include <stint/time.h>

STINT_BEGIN_DECLS

#define STINT_HISTOGRAM_BUCKETS 64

/* Counts by size: bucket i holds durations below stint_histogram_bound(i) that no smaller bucket
 * holds; two buckets to each doubling, from 1 us to about an hour, the last one without a bound. A
 * value: copy it as you like. */
typedef struct stint_histogram {
    uint64_t count;
    uint64_t sum; /* in nanoseconds */
    stint_duration max;
    uint64_t buckets[STINT_HISTOGRAM_BUCKETS];
} stint_histogram;

/* The upper bound of bucket i; STINT_DURATION_FOREVER for the last. */
STINT_API stint_duration stint_histogram_bound(size_t i);

/* The duration that a share `q` of the counts (0 to 1) does not exceed, interpolated within its
 * bucket; 0 if there are none. */
STINT_API stint_duration stint_histogram_quantile(const stint_histogram *h, double q);

STINT_END_DECLS

#endif
