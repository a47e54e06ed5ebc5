/* stint/plan.h - how a method divides its time, as its .proto declares it. The functions are for
 * generated code, which puts typed ones in front of them: see docs/budget.md, "Declared budgets".
 *
 * A plan has stages, one after the other: the legs of a budget (stint/budget.h), with its rules. A
 * stage is one call, or several at the same time. Each call has attempts: equal legs of the stage's
 * time, so that what one leaves rolls over to the next. */
#ifndef STINT_PLAN_H
#define STINT_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include <stint/budget.h>
#include <stint/ctx.h>

STINT_BEGIN_DECLS

/* One declared call. Static storage. */
typedef struct stint_plan_call {
    const char *method;     /* "package.Service/Method" */
    size_t stage;           /* from 0 on, never decreasing */
    uint32_t attempts;      /* at least 1 */
    stint_duration timeout; /* the most that one attempt may take; 0: none declared */
} stint_plan_call;

/* All that a method declares. Static storage. */
typedef struct stint_plan {
    size_t n_stages;
    const uint32_t *weights; /* of the stages */
    size_t n_calls;
    const stint_plan_call *calls;
    stint_duration work; /* kept back from the calls, for the handler's own code */
} stint_plan;

/* A plan that is being followed. The members are the library's; do not copy it. */
typedef struct stint_plan_budget {
    const stint_plan *plan;
    stint_budget stages;
} stint_plan_budget;

/* One call of it; zeroed before it begins. */
typedef struct stint_plan_leg {
    stint_budget attempts;
    stint_ctx *own; /* what it was given, if that is no leg of attempts */
} stint_plan_leg;

/* Begins to follow the plan with the time that ctx has. Holds a reference to ctx; reads no clock.
 * For one thread at a time, as is all that follows. */
STINT_API STINT_NODISCARD stint_plan_budget stint_plan_start(const stint_plan *plan,
                                                             const stint_ctx *ctx);

/* Begins an attempt of call `index`; `legs` are as many as calls. Returns its context, which lives
 * until its next attempt or the budget's end, and is done when a later stage begins. Stages in
 * between that had no call are left out: their time rolls over. Going back to a stage that is over
 * is a mistake of the program, and so is one attempt more than declared: that context is done with
 * FAILED_PRECONDITION. */
STINT_API const stint_ctx *stint_plan_next(stint_plan_budget *b, stint_plan_leg *legs,
                                           size_t index);

/* Ends what runs and releases everything. Calling it again is harmless. */
STINT_API void stint_plan_end(stint_plan_budget *b, stint_plan_leg *legs);

STINT_END_DECLS

#endif
