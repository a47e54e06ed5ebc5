/* handler.c - what a handler can do with its call (stint/handler.h), and tickets.
 *
 * A ticket is the call under another name: stint_call_defer adds a reference and arms the call's
 * timer, stint_ticket_finish answers if nobody has yet and gives the reference back. */
#include <stint/handler.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "expired.h"
#include "server_internal.h"

#define RESERVES_BELOW 8 /* hops that may have kept theirs back */

void *stint_call_alloc(stint_call *call, size_t n)
{
    void *p = stint__arena_alloc(&call->arena, n);
    if (p != NULL)
        memset(p, 0, n);
    return p;
}

char *stint_call_strdup(stint_call *call, const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = stint__arena_alloc(&call->arena, n);
    return copy != NULL ? memcpy(copy, s, n) : NULL;
}

char *stint_call_printf(stint_call *call, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    char *text = n < 0 ? NULL : stint__arena_alloc(&call->arena, (size_t)n + 1);
    if (text != NULL)
        vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(args);
    return text;
}

stint_code stint_call_fail(stint_call *call, stint_code code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    stint_error_vset(&call->error, code, fmt, args);
    va_end(args);
    return code;
}

/* Whether there is time for more than an answer. Every hop below keeps a reserve back from the same
 * deadline, as we do: when it was ours that passed there, as many reserves are left here. */
static bool has_time(const stint_call *call)
{
    stint_time end = call->deadline;
    (void)stint_ctx_deadline(call->own, &end);
    stint_duration reserve = stint_time_sub(call->deadline, end);
    return stint_ctx_err(call->own) == STINT_OK &&
           stint_time_sub(end, stint_now()) > RESERVES_BELOW * reserve;
}

/* Whether it is this call's own time that is over, and nobody below has said where it went. */
static bool is_own_deadline(const stint_call *call, const stint_error *cause)
{
    bool only_says_so =
        cause->reason == STINT_REASON_NONE || cause->reason == STINT_REASON_EXPIRED_BEFORE_SEND;
    return cause->origin == STINT_ORIGIN_LOCAL && only_says_so && !stint__says_where(cause) &&
           stint_ctx_err(call->own) == STINT_DEADLINE_EXCEEDED;
}

stint_code stint_call_fail_from(stint_call *call, const stint_error *cause)
{
    stint_code code = cause->code;
    stint_reason reason = cause->reason;
    bool ours = cause->origin == STINT_ORIGIN_LOCAL && reason == STINT_REASON_INSUFFICIENT_BUDGET;
    if (code == STINT_DEADLINE_EXCEEDED && !ours && has_time(call)) {
        code = STINT_UNAVAILABLE;
        reason = STINT_REASON_DOWNSTREAM_TIMEOUT;
    }
    if (code == STINT_DEADLINE_EXCEEDED && is_own_deadline(call, cause)) {
        stint_error_clear(&call->error); /* the answer will say where the time went */
        return code;
    }
    /* One that names the hop where the time went needs no names of those above it. */
    if (stint__says_where(cause))
        stint_error_set(&call->error, code, "%s", cause->message);
    else
        stint_error_set(&call->error, code, "%s: %s", call->entry->method->path, cause->message);
    call->error.reason = reason;
    call->error.pushback = cause->pushback;
    return code;
}

stint_code stint_call_set_details(stint_call *call, const void *data, size_t len)
{
    if (len > STINT__DETAILS_MAX)
        return STINT_RESOURCE_EXHAUSTED;
    void *copy = stint__arena_alloc(&call->arena, len);
    if (copy == NULL)
        return STINT_RESOURCE_EXHAUSTED;
    if (len > 0)
        memcpy(copy, data, len);
    call->details = (struct stint__slice){copy, len};
    return STINT_OK;
}

const stint_metadata *stint_call_metadata(const stint_call *call)
{
    return call->metadata;
}

stint_code stint_call_add_metadata(stint_call *call, const char *key, const void *value,
                                   size_t value_len, stint_error *err)
{
    if (call->reply_metadata == NULL)
        call->reply_metadata = stint_metadata_new();
    if (call->reply_metadata == NULL)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "out of memory");
    return stint_metadata_add(call->reply_metadata, key, value, value_len, err);
}

const char *stint_call_method(const stint_call *call)
{
    return call->entry->method->path;
}

const char *stint_call_peer(const stint_call *call)
{
    return stint__conn_peer(call->sc->conn);
}

stint_time stint_call_arrival(const stint_call *call)
{
    return call->arrival;
}

/* False: out of memory. A call that was answered meanwhile keeps no timer. */
static bool arm_deadline(stint_call *call)
{
    /* The handler's deadline, so that the answer still reaches the caller. */
    stint_time when;
    if (!stint_ctx_deadline(call->ctx, &when))
        when = call->deadline;
    stint__call_ref(call); /* the timer's */
    bool armed = stint__timer_arm(&call->timer, stint_time_min(when, call->deadline));
    bool needless = armed && stint__call_is_answered(call) && stint__timer_disarm(&call->timer);
    if (!armed || needless)
        stint__call_unref(call);
    return armed;
}

stint_code stint_call_defer(stint_call *call, stint_ticket **ret_ticket, stint_error *err)
{
    stint_error_clear(err);
    if (call->deferred)
        return stint_error_set(err, STINT_FAILED_PRECONDITION, "%s is deferred already",
                               call->entry->method->path);
    /* Listed before the timer can answer it, which takes it off the list. */
    stint__call_watch(call);
    if (!arm_deadline(call))
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "out of memory for a timer");
    stint__call_ref(call); /* the ticket's */
    call->deferred = true;
    *ret_ticket = (stint_ticket *)call;
    return STINT_OK;
}

stint_call *stint_ticket_call(stint_ticket *ticket)
{
    return (stint_call *)ticket;
}

const stint_ctx *stint_ticket_ctx(const stint_ticket *ticket)
{
    return ((const stint_call *)ticket)->ctx;
}

void stint_ticket_finish(stint_ticket *ticket, stint_code code, const ProtobufCMessage *rep,
                         const char *message)
{
    stint_call *call = (stint_call *)ticket;
    if (message != NULL && code != STINT_OK)
        stint_error_set(&call->error, code, "%s", message);
    stint__call_answer(call, code, rep);
    stint__call_unref(call);
}
