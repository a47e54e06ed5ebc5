/* patience.h - how long a test waits for what must happen.
 *
 * It passes only when something is broken, so it is long enough for the slowest machine under a
 * sanitizer, and shorter than ctest's own limit, so that the test can still say what it waited for.
 * Always the system's clock, whichever the library uses. */
#ifndef STINT_TESTS_PATIENCE_H
#define STINT_TESTS_PATIENCE_H

#include <stdint.h>
#include <time.h>

/* 30 s, or STINT_TEST_PATIENCE_MS of the environment. */
int64_t patience_ms(void);

/* Now + ms on CLOCK_MONOTONIC, and what is left until then: never negative. */
struct timespec deadline_in_ms(int64_t ms);
int64_t deadline_left_ms(const struct timespec *deadline);

/* Sleeps a moment between two looks at something that nobody announces (the contents of /proc). */
void pause_between_looks(void);

#endif
