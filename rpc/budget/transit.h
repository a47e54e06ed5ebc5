/* transit.h - how long a frame was under way, in buffers that budget_us does not see.
 *
 * On one host the readings of CLOCK_BOOTTIME can be compared, and the answer is exact. Between
 * hosts only differences can: d = read - sent contains the unknown offset of the clocks, so the
 * least d of a window is taken for a frame that was not held up, and what a frame has more than
 * that for its delay. The windowed minimum is that of TCP BBR (Cardwell et al., "BBR:
 * Congestion-Based Congestion Control", ACM Queue 14(5), 2016).
 *
 * A drift of clocks moves the minimum with the window. The window passes only while frames come: a
 * minimum from before a silence still tells that what was read first after it had waited (this
 * process may have been stopped, the frames were not), but it counts for more the older it is, by
 * what clocks can drift.
 *
 * A clock that steps so that frames seem older is believed for a window at most; in the other
 * direction at once. A peer that lies shortens its own budgets, to half.
 *
 * One for each connection. Pure: times are given. Not thread-safe. */
#ifndef STINT_BUDGET_TRANSIT_H
#define STINT_BUDGET_TRANSIT_H

#include <stdbool.h>
#include <stdint.h>

#include <stint/time.h>

#define STINT__TRANSIT_SAMPLES 8                 /* before the estimate is used */
#define STINT__TRANSIT_WINDOW  STINT_SECONDS(10) /* half of it, for each of two minima */
#define STINT__TRANSIT_DRIFT   1000 /* ppm: for either clock 500, the tolerance of adjtimex(2) */

struct stint__transit {
    int64_t least[2];  /* of this half window and of the one before; INT64_MAX: of nothing */
    stint_time turned; /* when this half window began */
    uint32_t samples;  /* up to STINT__TRANSIT_SAMPLES */
};

void stint__transit_init(struct stint__transit *t, stint_time now);

/* What to take off a budget. `sent` and `read` are readings of the sender's and of our
 * CLOCK_BOOTTIME; `same`: they are of one clock, and nothing is learned. Never negative; across
 * hosts at most half of `budget` (FOREVER: no budget), and 0 until there are enough samples, this
 * one among them. */
stint_duration stint__transit_of(struct stint__transit *t, int64_t sent, int64_t read, bool same,
                                 stint_duration budget, stint_time now);

#endif
