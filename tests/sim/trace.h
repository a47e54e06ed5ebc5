/* trace.h - what happens in a run: a line for each event, and a number that stands for all of them.
 *
 * Two runs that have the same number did the same things at the same times in the same order. */
#ifndef STINT_TESTS_SIM_TRACE_H
#define STINT_TESTS_SIM_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include <stint/macros.h>

/* Begins anew. With `print` the lines go to stdout as well. */
void trace_begin(bool print);

/* One event: "12.345678 ms  " and the text. */
void trace(const char *fmt, ...) STINT_PRINTF(1, 2);

/* An event that must not be: printed in any case, counted. */
void trace_violation(const char *fmt, ...) STINT_PRINTF(1, 2);

unsigned trace_violations(void);

uint64_t trace_hash(void);

#endif
