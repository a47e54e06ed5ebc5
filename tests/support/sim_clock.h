/* sim_clock.h - virtual time that passes by itself, whenever everything waits.
 *
 * Between start and stop the virtual clock is in use and a thread of its own drives it: as soon as
 * every other thread of the process sleeps, time jumps to the next timer, whose function runs in
 * that thread. (Go's testing/synctest and tokio's paused clock do the same.) Code under test stays
 * as it is: it calls, blocks and sleeps. An hour of waiting takes milliseconds, and the speed of
 * the machine changes nothing, because whoever has something to do is waited for.
 *
 * Only for what happens inside this process: a thread that waits for a socket counts as asleep. */
#ifndef STINT_TESTS_SIM_CLOCK_H
#define STINT_TESTS_SIM_CLOCK_H

#include <stdbool.h>

#include <stint/time.h>

/* Virtual time that may pass at most: if nothing ends before it, the simulation is stuck. */
#define SIM_CLOCK_LIMIT STINT_SECONDS(86400)

/* Puts the virtual clock in place and starts to drive it. No timer may be armed. */
void sim_clock_start(void);

/* Stops driving and puts the system's clock back. Nobody may wait for time any more. */
void sim_clock_stop(void);

/* Lets time pass until no timer is armed. False: something goes on for ever. */
bool sim_clock_run_out(void);

/* How much virtual time has passed since the start. */
stint_duration sim_clock_elapsed(void);

/* A cmocka test in virtual time. At its end no timer may go on for ever. In a program with other
 * tests it comes first: what these closed last may still be about to end in the system's time. */
int sim_clock_setup(void **state);
int sim_clock_teardown(void **state);
#define SIM_CLOCK_TEST(test)                                                                       \
    cmocka_unit_test_setup_teardown(test, sim_clock_setup, sim_clock_teardown)

#endif
