/* history.h - every call of a run: who made it, where it ran, how it ended; and what must hold.
 *
 * Handlers and callers report here. Times are the world's, which no part of the library can see. */
#ifndef STINT_TESTS_SIM_HISTORY_H
#define STINT_TESTS_SIM_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stint/ctx.h>
#include <stint/status.h>

#include "plan.h"

/* How long anything may go on after it should have ended: virtual time, in which the library's own
 * work takes none. */
#define HISTORY_GRACE STINT_MS(1)

void history_begin(const struct plan *p);

/* A call is about to be made, by the execution of call `caller` (0: by the edge), under ctx and
 * with the method's own timeout (0: none). Returns its number. */
uint64_t history_call(uint64_t caller, uint32_t service, const stint_ctx *ctx,
                      stint_duration timeout);

/* It has ended for its caller. sum: of the reply, if code is OK. err may be NULL if not known. */
void history_status(uint64_t call, stint_code code, const stint_error *err, uint64_t sum);

/* A handler has begun to work on it, in `ctx`. */
void history_started(uint64_t call, uint32_t service, const stint_ctx *ctx, stint_time arrival);

/* The handler is about to answer. */
void history_answers(uint64_t call, stint_code code, uint64_t sum);

/* It has stopped working; `stubborn`: how long it may have gone on after the end of its call. */
void history_ended(uint64_t call, stint_duration stubborn);

/* Everything is over. */
void history_end(void);

struct history_summary {
    uint64_t calls, executions, ok;
    uint64_t codes[STINT_UNAUTHENTICATED + 1];
    uint64_t hidden;  /* ran after their caller's deadline, because of time spent on the way */
    uint64_t deepest; /* hops */
};
const struct history_summary *history_summary(void);

#endif
