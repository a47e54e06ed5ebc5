/* plan.c - declared budgets: stages are the legs of one budget, attempts those of another in it.
 *
 * Invariant: a leg's attempts were started under the context of its stage, so they are done when
 * the stage is, even if they are released later. */
#include "budget_internal.h"

#include <stint/plan.h>

#include "ctx_internal.h"

stint_plan_budget stint_plan_start(const stint_plan *plan, const stint_ctx *ctx)
{
    return (stint_plan_budget){
        .plan = plan,
        .stages = stint_budget_start_weighted(ctx, plan->weights, plan->n_stages, plan->work),
    };
}

/* Makes ctx what the leg was given, in place of what it had. */
static const stint_ctx *give(stint_plan_leg *leg, stint_ctx *ctx)
{
    stint_ctx_drop(leg->own);
    leg->own = ctx;
    return ctx;
}

static const stint_ctx *refuse(const stint_plan_budget *b, stint_plan_leg *leg,
                               const stint_error *why)
{
    stint_ctx *ctx = stint_ctx_with_cancel(b->stages.parent);
    stint__ctx_cancel_with(ctx, why);
    return give(leg, ctx);
}

/* Begins the stage, unless it runs already. False if it is over. */
static bool reach(stint_budget *stages, size_t stage)
{
    while (stages->begun <= stage && stages->begun < stages->legs)
        (void)stint_budget_next(stages);
    return stages->begun == stage + 1;
}

const stint_ctx *stint_plan_next(stint_plan_budget *b, stint_plan_leg *legs, size_t index)
{
    const stint_plan_call *call = &b->plan->calls[index];
    stint_plan_leg *leg = &legs[index];
    stint_error why;
    if (!reach(&b->stages, call->stage)) {
        stint_error_set(&why, STINT_FAILED_PRECONDITION,
                        "the budget declares %s before what was called already", call->method);
        return refuse(b, leg, &why);
    }
    if (leg->attempts.legs == 0)
        leg->attempts = stint_budget_start(b->stages.leg, call->attempts, 0);
    if (leg->attempts.begun == call->attempts) {
        stint_error_set(&why, STINT_FAILED_PRECONDITION,
                        "the budget declares no more attempts of %s than %u", call->method,
                        call->attempts);
        return refuse(b, leg, &why);
    }
    const stint_ctx *attempt = stint_budget_next(&leg->attempts);
    if (call->timeout == 0)
        return attempt;
    return give(leg, stint_ctx_with_cap(attempt, call->timeout, 0));
}

void stint_plan_end(stint_plan_budget *b, stint_plan_leg *legs)
{
    for (size_t i = 0; i < b->plan->n_calls; i++) {
        stint_ctx_drop(legs[i].own);
        stint_budget_end(&legs[i].attempts);
        legs[i] = (stint_plan_leg){.own = NULL};
    }
    stint_budget_end(&b->stages);
}
