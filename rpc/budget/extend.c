/* extend.c - more time than the parent has: rare, so it is logged and counted. */
#include "budget_internal.h"

#include "ctx_internal.h"
#include "logger.h"

/* For all logs of the process: how often extensions happen is a matter of the program, not of one
 * server or channel. */
static struct stint__log_limit limit;

static void tell(const stint_ctx *ctx, stint_time now, stint_duration by, const char *why,
                 const stint_log *log)
{
    const stint_request_info *info = stint_ctx_request_info(ctx);
    char trace[STINT_TRACE_ID_TEXT];
    stint__log_write_limited(
        &limit, log, now, STINT_LOG_INFO, "deadline extended by %.3f ms: %s (request %s, trace %s)",
        stint__ms(by), why != NULL ? why : "no reason given", info != NULL ? info->request_id : "",
        stint_trace_id_format(info, trace));
}

static void count(stint_duration by)
{
    atomic_fetch_add_explicit(&stint__budget_counters.extended, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&stint__budget_counters.extended_time, (uint64_t)by,
                              memory_order_relaxed);
}

stint_ctx *stint_ctx_extend(const stint_ctx *parent, stint_duration timeout, const char *why,
                            stint_log log)
{
    stint_time now = stint_now(), old;
    stint_time end = stint_time_add(now, timeout < STINT_EXTEND_MAX ? timeout : STINT_EXTEND_MAX);
    if (!stint_ctx_deadline(parent, &old) || !stint_time_before(old, end))
        return stint_ctx_with_deadline(parent, end);
    stint_ctx *ctx = stint__ctx_extended(parent, end);
    if (stint_ctx_err(ctx) != STINT_OK) /* cancelled, no time asked for, or out of memory */
        return ctx;
    stint_duration by = stint_time_sub(end, stint_time_before(old, now) ? now : old);
    count(by);
    tell(ctx, now, by, why, &log);
    return ctx;
}
