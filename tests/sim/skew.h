/* skew.h - a clock for each host: same length of a second for nobody.
 *
 * The library has one clock for a process. Here each fiber, timer and operation of the network
 * belongs to a host, and what it reads is that host's clock: the world's time, plus an offset, and
 * faster or slower by some parts in a million. So a point in time that crossed the wire, or a
 * length of time that was compared across hosts, is found out.
 *
 * The network itself lives on the world's clock, which the checks use as well. A timer armed at a
 * host's time fires when that host's clock shows it. */
#ifndef STINT_TESTS_SIM_SKEW_H
#define STINT_TESTS_SIM_SKEW_H

#include <stddef.h>
#include <stdint.h>

#include <stint/time.h>

#define HOST_WORLD (-1) /* nobody's: the world's clock */

#define SKEW_PPM_MAX 1000 /* a clock gains or loses a thousandth at most */

/* Where the world's clock begins. */
#define SKEW_START STINT_SECONDS(100000)

struct skew_host {
    stint_duration offset; /* to the world's clock, at its start */
    int32_t ppm;           /* gained, in parts per million */
    uint64_t domain;       /* hosts with the same number compare their boot times */
};

/* Makes the clocks: host i has hosts[i]. Copied. */
void skew_begin(const struct skew_host *hosts, size_t n);
void skew_end(void);

/* The world's time. */
stint_time skew_world_now(void);

/* A point on that host's clock, as a point of the world's. */
stint_time skew_world_time(int host, stint_time local);

/* Lets time pass to the next timer. False: there is none before `limit` on the world's clock. */
bool skew_step(stint_time limit);

/* Moves the caller to another host; returns the one it was on. */
int skew_enter(int host);

#endif
