/* clock_internal.h - what the files of rpc/clock share. */
#ifndef STINT_CLOCK_CLOCK_INTERNAL_H
#define STINT_CLOCK_CLOCK_INTERNAL_H

#include "clock.h"

/* What stint_now asks; NULL: the system's clock. */
void stint__clock_set_source(stint_time (*now)(void));

/* The system's CLOCK_MONOTONIC, whichever clock is in use. */
stint_time stint__clock_system_now(void);

/* Moves the virtual clock forward to `when`, never back. */
void stint__vclock_move_to(stint_time when);

/* Runs the soonest timer in this thread if it is due by `limit`, after moving the virtual clock to
 * it. Waits for one that runs in another thread. False: there is none. */
bool stint__timer_run_next(stint_time limit);

#endif
