/* expired.c - DEADLINE_EXCEEDED in words: how long the call had, and what it spent it on.
 *
 * See expired.h for the form. Where a reply says it, only the first part is ours; where none came,
 * the text says what is known here. */
#include "expired.h"

#include "client_internal.h"
#include "millis.h"

static double took_ms(const struct stint__client_call *call)
{
    return stint__ms(stint_time_sub(stint_now(), call->start));
}

void stint__client_say_expired(struct stint__client_call *call)
{
    bool waits = atomic_load(&call->place) == STINT__PLACE_WAITING;
    bool connected = atomic_load(&call->ch->link) == STINT__LINK_READY;
    const char *what = !waits      ? "no reply from"
                       : connected ? "waiting to be sent to"
                                   : "waiting for a connection to";
    stint_error_set(&call->error, STINT_DEADLINE_EXCEEDED,
                    STINT__EXPIRED_AFTER "%.1f ms: %s %s (%s)", took_ms(call), what,
                    call->ch->target, call->method->path);
}

void stint__client_say_late(struct stint__client_call *call, stint_duration late)
{
    stint_error_set(&call->error, STINT_DEADLINE_EXCEEDED,
                    STINT__EXPIRED_AFTER "%.1f ms: the reply from %s (%s) came %.1f ms late",
                    took_ms(call), call->ch->target, call->method->path, stint__ms(late));
}

void stint__client_say_after(const struct stint__client_call *call, stint_error *err)
{
    const char *cause = strstr(err->message, ": ");
    if (err->code != STINT_DEADLINE_EXCEEDED || cause == NULL || !stint__says_where(err))
        return;
    stint_error was = *err;
    stint_error_set(err, was.code, STINT__EXPIRED_AFTER "%.1f ms%s", took_ms(call),
                    was.message + (cause - err->message));
    err->origin = was.origin;
    err->reason = was.reason;
    err->not_executed = was.not_executed;
    err->pushback = was.pushback;
}
