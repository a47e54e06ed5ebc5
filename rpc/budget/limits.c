/* limits.c - a context with a reserve, a cap or a minimum; and the ones that are done at once.
 *
 * The clock is read once for each context. A parent that ends meanwhile does no harm: whatever is
 * decided here, the child is one of its children. */
#include "budget_internal.h"

#include "ctx_internal.h"

static stint_duration not_negative(stint_duration d)
{
    return d > 0 ? d : 0;
}

stint_ctx *stint__budget_refuse(const stint_ctx *parent, const char *fmt, ...)
{
    stint_ctx *ctx = stint_ctx_with_cancel(parent);
    if (stint_ctx_err(ctx) != STINT_OK) /* why the parent ended says more */
        return ctx;
    stint_error why;
    va_list args;
    va_start(args, fmt);
    stint_error_vset(&why, STINT_DEADLINE_EXCEEDED, fmt, args);
    va_end(args);
    why.reason = STINT_REASON_INSUFFICIENT_BUDGET;
    stint__ctx_cancel_with(ctx, &why);
    atomic_fetch_add_explicit(&stint__budget_counters.insufficient, 1, memory_order_relaxed);
    return ctx;
}

struct stint__slack stint__budget_slack(const stint_ctx *ctx, stint_duration reserve)
{
    struct stint__slack s = {stint_now(), {INT64_MAX}, STINT_DURATION_FOREVER};
    stint_time deadline;
    if (stint_ctx_deadline(ctx, &deadline)) {
        s.end = stint_time_add(deadline, -not_negative(reserve));
        s.left = stint_time_sub(s.end, s.now);
    }
    return s;
}

stint_ctx *stint__budget_none_left(const stint_ctx *parent, const char *who, stint_duration reserve)
{
    return stint__budget_refuse(parent, "%s has no time: %.3f ms are left, %.3f ms are reserved",
                                who, stint__ms(stint_ctx_remaining(parent)),
                                stint__ms(not_negative(reserve)));
}

stint_ctx *stint_ctx_with_reserve(const stint_ctx *parent, stint_duration reserve)
{
    return stint_ctx_with_cap(parent, STINT_DURATION_FOREVER, reserve);
}

stint_ctx *stint_ctx_with_cap(const stint_ctx *parent, stint_duration cap, stint_duration overhead)
{
    if (cap <= 0)
        return stint__budget_refuse(parent, "a cap of %.3f ms leaves no time", stint__ms(cap));
    struct stint__slack s = stint__budget_slack(parent, overhead);
    if (s.left <= 0)
        return stint__budget_none_left(parent, "a call", overhead);
    return stint_ctx_with_deadline(parent, stint_time_min(s.end, stint_time_add(s.now, cap)));
}

stint_ctx *stint_ctx_with_minimum(const stint_ctx *parent, stint_duration least)
{
    stint_duration left = stint_ctx_remaining(parent);
    if (left < least)
        return stint__budget_refuse(parent, "%.3f ms are left, and at least %.3f ms are needed",
                                    stint__ms(left), stint__ms(least));
    return stint_ctx_with_cancel(parent);
}
