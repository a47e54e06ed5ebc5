/* budget_unit.h - what the tests of budgets share. */
#ifndef STINT_TESTS_BUDGET_UNIT_H
#define STINT_TESTS_BUDGET_UNIT_H

#include "ctx_unit.h"

/* A context with this much left, under the virtual clock. */
static inline stint_ctx *with_left(stint_duration left)
{
    return stint_ctx_with_timeout(stint_ctx_background(), left);
}

static inline void assert_left(const stint_ctx *ctx, stint_duration left)
{
    assert_int_equal(stint_ctx_err(ctx), STINT_OK);
    assert_int_equal(stint_ctx_remaining(ctx), left);
}

/* Done for want of time, with this text. */
static inline void assert_insufficient(const stint_ctx *ctx, const char *text)
{
    stint_error e;
    assert_ended(ctx, STINT_DEADLINE_EXCEEDED, text);
    stint_ctx_cause(ctx, &e);
    assert_int_equal(e.reason, STINT_REASON_INSUFFICIENT_BUDGET);
}

static inline stint_budget_stats stats_now(void)
{
    stint_budget_stats stats = {.size = sizeof stats};
    stint_budget_stats_get(&stats);
    return stats;
}

#endif
