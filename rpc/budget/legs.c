/* legs.c - sequential legs.
 *
 * Invariant: begun <= legs, and weight_left is the sum of the weights of the legs from `begun` on.
 * Nothing is kept about time: a leg's share follows from what is left when it begins, which is how
 * unspent time rolls over. */
#include "budget_internal.h"

#include <stdio.h>

#include "ctx_internal.h"
#include "share.h"

stint_budget stint_budget_start(const stint_ctx *ctx, size_t legs, stint_duration reserve)
{
    return (stint_budget){
        .parent = stint_ctx_ref(ctx),
        .legs = legs,
        .weight_left = legs,
        .reserve = reserve,
    };
}

stint_budget stint_budget_start_weighted(const stint_ctx *ctx, const uint32_t *weights, size_t legs,
                                         stint_duration reserve)
{
    stint_budget b = stint_budget_start(ctx, legs, reserve);
    b.weights = weights;
    b.weight_left = 0;
    for (size_t i = 0; i < legs; i++)
        b.weight_left += weights[i];
    return b;
}

static stint_ctx *no_such_leg(const stint_budget *b)
{
    stint_ctx *ctx = stint_ctx_with_cancel(b->parent);
    stint_error why;
    stint_error_set(&why, STINT_FAILED_PRECONDITION, "the budget has no leg after its %zu",
                    b->legs);
    stint__ctx_cancel_with(ctx, &why);
    return ctx;
}

static stint_ctx *leg_without_time(const stint_budget *b)
{
    char who[64];
    (void)snprintf(who, sizeof who, "leg %zu of %zu", b->begun, b->legs);
    return stint__budget_none_left(b->parent, who, b->reserve);
}

static stint_ctx *leg_begin(stint_budget *b)
{
    if (b->begun == b->legs)
        return no_such_leg(b);
    uint64_t sum = b->weight_left;
    uint32_t weight = b->weights != NULL ? b->weights[b->begun] : 1;
    b->weight_left -= weight;
    b->begun++;
    if (weight == 0)
        return stint__budget_refuse(b->parent, "leg %zu of %zu has no weight", b->begun, b->legs);
    struct stint__slack s = stint__budget_slack(b->parent, b->reserve);
    if (s.left <= 0)
        return leg_without_time(b);
    if (s.left == STINT_DURATION_FOREVER || weight == sum)
        return stint_ctx_with_deadline(b->parent, s.end);
    stint_duration own = stint__share(s.left, weight, sum);
    if (own == 0)
        return leg_without_time(b);
    return stint_ctx_with_deadline(b->parent, stint_time_add(s.now, own));
}

const stint_ctx *stint_budget_next(stint_budget *b)
{
    stint_ctx_drop(b->leg);
    b->leg = leg_begin(b);
    return b->leg;
}

void stint_budget_end(stint_budget *b)
{
    if (b == NULL)
        return;
    stint_ctx_drop(b->leg);
    stint_ctx_unref(b->parent);
    *b = (stint_budget){.parent = stint_ctx_background()};
}
