/* stint/time.h - points in time and spans of it.
 *
 * A point (stint_time) is a struct and a span (stint_duration) is an integer, so
 * that passing one for the other does not compile. Points are readings of
 * CLOCK_MONOTONIC and mean nothing in another process or after a reboot: what
 * crosses the wire is always a span. */
#ifndef STINT_TIME_H
#define STINT_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include <stint/macros.h>

STINT_BEGIN_DECLS

/* A span in nanoseconds; negative spans lie in the past. */
typedef int64_t stint_duration;

/* A point on CLOCK_MONOTONIC, in nanoseconds. */
typedef struct stint_time {
    int64_t ns;
} stint_time;

/* Spans from numbers of any type: STINT_SECONDS(0.5) is half a second. */
#define STINT_NS(n)            ((stint_duration)(n))
#define STINT_US(n)            ((stint_duration)((n)*INT64_C(1000)))
#define STINT_MS(n)            ((stint_duration)((n)*INT64_C(1000000)))
#define STINT_SECONDS(n)       ((stint_duration)((n)*INT64_C(1000000000)))
#define STINT_DURATION_FOREVER INT64_MAX /* longer than any deadline */

/* The present. Thread-safe, never fails. */
STINT_API stint_time stint_now(void);

/* t + d and a - b, saturating at the ends of the range instead of overflowing. */
STINT_API stint_time stint_time_add(stint_time t, stint_duration d);
STINT_API stint_duration stint_time_sub(stint_time a, stint_time b);

static inline bool stint_time_before(stint_time a, stint_time b)
{
    return a.ns < b.ns;
}

static inline stint_time stint_time_min(stint_time a, stint_time b)
{
    return a.ns < b.ns ? a : b;
}

STINT_END_DECLS

#endif
