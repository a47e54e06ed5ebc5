/* alarm.c - the timers of deadlines, armed when somebody waits for the first time.
 *
 * `armed` is guarded by the tree's lock. An alarm that has been armed stays so until its owner is
 * done or freed, even if those who waited have left. */
#include "ctx_tree.h"

static struct stint__cause no_timer = {.text = "out of memory for the timer of a deadline"};

/* Whoever frees the owner meanwhile waits for this function to return; until then the struct is
 * there, though its count may be zero. */
static void deadline_came(struct stint__timer *t)
{
    stint_ctx *ctx = STINT__CONTAINER_OF(t, struct stint__alarm, timer)->owner;
    if (!stint__ctx_try_ref(ctx))
        return;
    stint__ctx_expire(ctx);
    stint_ctx_unref(ctx);
}

void stint__alarm_init(struct stint__alarm *alarm, stint_ctx *owner)
{
    stint__timer_init(&alarm->timer, deadline_came);
    alarm->owner = owner;
    alarm->armed = false;
}

bool stint__ctx_set_alarm_locked(stint_ctx *ctx)
{
    struct stint__alarm *alarm = ctx->alarm;
    if (alarm != NULL && !alarm->armed)
        alarm->armed = stint__timer_arm(&alarm->timer, ctx->deadline);
    return alarm == NULL || alarm->armed;
}

void stint__ctx_end_without_alarm(stint_ctx *ctx)
{
    stint__ctx_end(ctx, STINT_RESOURCE_EXHAUSTED, &no_timer);
}
