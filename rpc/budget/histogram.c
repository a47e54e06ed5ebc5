/* histogram.c - the buckets of a histogram, and what can be read from it.
 *
 * The layout is log-linear, as HdrHistogram's (Gil Tene, hdrhistogram.org) with one bit after the
 * highest: every doubling is halved. In half microseconds all bounds are whole numbers, 2 and 3
 * shifted. */
#include <stint/histogram.h>

#include "tally.h"

#define HALF_US 500 /* ns */
#define LAST    (STINT_HISTOGRAM_BUCKETS - 1)

size_t stint__histogram_bucket(stint_duration d)
{
    uint64_t halves = (uint64_t)d / HALF_US;
    if (halves < 2)
        return 0;
    unsigned bit = 63U - (unsigned)__builtin_clzll(halves);
    size_t i = 1 + 2 * (size_t)(bit - 1) + ((halves >> (bit - 1)) & 1);
    return i < LAST ? i : LAST;
}

stint_duration stint_histogram_bound(size_t i)
{
    if (i >= LAST)
        return STINT_DURATION_FOREVER;
    return (INT64_C(2) + (int64_t)(i % 2)) * HALF_US << (i / 2);
}

/* Where a share `part` of bucket i ends, if what it holds lies evenly in it, up to the maximum. */
static stint_duration within(const stint_histogram *h, size_t i, double part)
{
    stint_duration low = i > 0 ? stint_histogram_bound(i - 1) : 0;
    stint_duration high = stint_histogram_bound(i);
    if (high > h->max)
        high = h->max;
    /* A maximum read before its bucket can be too low. */
    if (part <= 0 || high <= low)
        return low;
    return part < 1 ? low + (stint_duration)((double)(high - low) * part) : high;
}

stint_duration stint_histogram_quantile(const stint_histogram *h, double q)
{
    double count = 0;
    for (size_t i = 0; i < STINT_HISTOGRAM_BUCKETS; i++)
        count += (double)h->buckets[i];
    double rank = q > 0 ? q * count : 0;
    size_t last = 0;
    for (size_t i = 0; i < STINT_HISTOGRAM_BUCKETS; i++) {
        if (h->buckets[i] == 0)
            continue;
        double here = (double)h->buckets[i];
        if (rank <= here)
            return within(h, i, rank / here);
        rank -= here;
        last = i;
    }
    /* q is above 1 (or rounding made it so), or nothing is counted. */
    return count > 0 ? within(h, last, 1) : 0;
}
