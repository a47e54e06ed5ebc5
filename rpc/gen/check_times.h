/* check_times.h - what the stages of a declared budget get of the time that is left for them. Spans
 * are those of span.h; the division is that of stint/plan.h, to the microsecond. */
#ifndef STINT_GEN_CHECK_TIMES_H
#define STINT_GEN_CHECK_TIMES_H

#include "calls.h"

/* What each stage (ret has as many) gets if every stage before it takes all that it got: what the
 * budget promises, whatever the calls do. */
void gen_times_promised(const struct gen_budget *b, int64_t left, int64_t *ret);

/* What each stage gets if those before it take no time: it can never have more. */
void gen_times_most(const struct gen_budget *b, int64_t left, int64_t *ret);

/* The least time with which what is promised to each stage covers its need; forever if none does.
 */
int64_t gen_times_needed(const struct gen_budget *b, const int64_t *needs);

/* What each attempt of a call gets of what its stage has. */
int64_t gen_times_attempt(const struct gen_call *call, int64_t stage);

#endif
