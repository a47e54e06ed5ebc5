/* answer.c - the one answer of every request.
 *
 * stint_call.progress decides who answers: handler, ticket, deadline, cancellation or the end of
 * the server. What follows happens once: the interceptors hear of it, the reply is sent, the call
 * leaves its connection's list and the server's count, and its context ends, so that nothing
 * derived from it outlives the answer. */
#include <string.h>

#include "alloc.h"
#include "entry.h"
#include "millis.h"
#include "server_internal.h"

#define SMALL_REPLY 2048 /* packed on the stack; the transport copies it */

static struct stint__slice text_slice(const char *text)
{
    return (struct stint__slice){(const uint8_t *)text, strlen(text)};
}

/* Rounded up: a pushback of less than a microsecond is still one. */
static uint64_t pushback_us(stint_duration pushback)
{
    if (pushback <= 0)
        return 0;
    uint64_t us = (uint64_t)pushback / 1000 + (pushback % 1000 != 0);
    return us < STINT__BUDGET_US_MAX ? us : STINT__BUDGET_US_MAX - 1;
}

static uint64_t us_up(stint_duration d)
{
    return ((uint64_t)d + 999) / 1000;
}

static struct stint__envelope envelope_of(uint64_t call_id, const stint_error *outcome)
{
    return (struct stint__envelope){
        .kind = STINT__KIND_REPLY,
        .call_id = call_id,
        .code = (uint32_t)outcome->code,
        .reason = (uint32_t)outcome->reason,
        .message = text_slice(outcome->message),
        .not_executed = outcome->not_executed,
        .pushback_us = pushback_us(outcome->pushback),
    };
}

/* What callers are told of the method, so that they need not ask in vain. */
static void tell_needs(struct stint__envelope *e, const stint_server *s,
                       const struct stint__method_entry *entry, stint_time now)
{
    e->needed_us = us_up(stint__method_needs(entry, now));
    e->asked_us = us_up(stint__method_asks_callers(s, entry, now));
}

/* Answers with what is short enough to be sent if anything can. */
static void refuse(struct stint__conn *conn, const struct stint__reply_to *to,
                   struct stint__envelope e)
{
    stint_error err;
    stint_code code = stint__conn_reply(conn, to, &e, &err);
    if (code == STINT_OK)
        return;
    stint__conn_drop(conn, to);
    /* Not for want of memory: the connection is gone, and with it everybody who waits. Else the
     * caller would wait for ever, so it has to lose the connection. */
    if (code == STINT_RESOURCE_EXHAUSTED)
        stint__conn_fail(conn, &err);
}

void stint__refuse_request(const struct stint__arrival *a, const stint_error *why)
{
    stint_error told = *why;
    struct stint__entry_bytes ledger;
    stint__entry_of_arrival(a, &told, &ledger);
    struct stint__envelope e = envelope_of(a->in->env.call_id, &told);
    if (a->entry != NULL)
        tell_needs(&e, a->server, a->entry, a->now);
    e.ledger = ledger.bytes;
    refuse(a->conn, a->to, e);
    stint__entry_bytes_fini(&ledger);
}

static bool claim(stint_call *call)
{
    if ((atomic_fetch_or(&call->progress, STINT__CALL_ANSWERED) & STINT__CALL_ANSWERED) != 0)
        return false;
    if (stint__timer_disarm(&call->timer))
        stint__call_unref(call);
    return true;
}

/* Before an answer goes out with which the call itself ends: whoever gets it may send the next
 * request at once. */
static void make_room(stint_call *call)
{
    call->admitted = false;
    stint__make_room(call->server, call->sc);
}

/* What every answer ends with. */
static void settle(stint_call *call)
{
    stint__conn_unlist_call(call);
    stint__work_forget(call);
    stint_ctx_cancel(call->own, STINT_CANCELLED, "the call has been answered");
    stint__server_leave(call->server);
}

/* It was counted before it went out, as everything is. */
static void count_as_failed(stint_call *call)
{
    stint__untell(call->server, call->entry, STINT__ANSWERED_OK);
    stint__tell(call->server, call->entry, STINT__FAILED);
}

/* The reply cannot be sent: it is larger than the client takes, or there is no memory. */
static void send_instead(stint_call *call, const stint_error *why, struct stint__slice ledger)
{
    stint_error told;
    stint_error_set(&told, why->code, "the reply of %s was not sent: %s", call->entry->method->path,
                    why->message);
    told.reason = why->reason;
    stint__log_write(&call->server->logger, stint_now(), STINT_LOG_WARN, "%s: %s",
                     stint__conn_peer(call->sc->conn), told.message);
    struct stint__envelope e = envelope_of(call->call_id, &told);
    e.ledger = ledger;
    refuse(call->sc->conn, &call->to, e);
}

static void send(stint_call *call, stint_error *outcome, struct stint__slice payload,
                 struct stint__buf *owner)
{
    struct stint__entry_bytes ledger;
    stint_time now = stint_now();
    stint__entry_of_call(call, now, outcome, &ledger);
    stint__server_layers_end(call, outcome);
    struct stint__envelope e = envelope_of(call->call_id, outcome);
    tell_needs(&e, call->server, call->entry, now);
    e.ledger = ledger.bytes;
    e.has_payload = outcome->code == STINT_OK;
    e.payload = payload;
    e.payload_owner = owner;
    if (call->spoken) {
        e.details = call->details;
        e.metadata = call->reply_metadata;
    }
    stint_error err;
    stint_code code = stint__conn_reply(call->sc->conn, &call->to, &e, &err);
    if (code == STINT_RESOURCE_EXHAUSTED) {
        if (outcome->code == STINT_OK)
            count_as_failed(call);
        send_instead(call, &err, ledger.bytes);
    } else if (code != STINT_OK)
        stint__conn_drop(call->sc->conn, &call->to);
    stint__entry_bytes_fini(&ledger);
    settle(call);
}

static void send_failure(stint_call *call, stint_error *outcome)
{
    stint__tell(call->server, call->entry, STINT__FAILED);
    send(call, outcome, (struct stint__slice){NULL, 0}, NULL);
}

/* What is wrong with answering OK now, if anything. */
static bool may_send_ok(stint_call *call, size_t size, stint_time now, stint_error *err)
{
    const char *path = call->entry->method->path;
    if (size > call->server->opts.max_message) {
        stint_error_set(err, STINT_RESOURCE_EXHAUSTED,
                        "the reply of %s has %zu bytes; the server's limit is %zu", path, size,
                        call->server->opts.max_message);
        err->reason = STINT_REASON_MESSAGE_TOO_LARGE;
        return false;
    }
    stint_duration late = stint_time_sub(now, call->deadline);
    if (late > 0) {
        stint__tell(call->server, call->entry, STINT__LATE);
        stint_error_set(err, STINT_DEADLINE_EXCEEDED, "%s finished %.1f ms after the deadline",
                        path, stint__ms(late));
        err->reason = STINT_REASON_EXPIRED_IN_HANDLER;
        return false;
    }
    return true;
}

static void send_ok(stint_call *call, const ProtobufCMessage *rep, stint_time now)
{
    stint_error err = STINT_ERROR_INIT;
    uint8_t small[SMALL_REPLY];
    size_t size = protobuf_c_message_get_packed_size(rep);
    if (!may_send_ok(call, size, now, &err)) {
        send_failure(call, &err);
        return;
    }
    struct stint__buf *owner = size > sizeof small ? stint__buf_new(size) : NULL;
    if (size > sizeof small && owner == NULL) {
        stint_error_set(&err, STINT_RESOURCE_EXHAUSTED, "out of memory for the reply of %s",
                        call->entry->method->path);
        send_failure(call, &err);
        return;
    }
    uint8_t *at = owner != NULL ? owner->data : small;
    struct stint__slice payload = {at, protobuf_c_message_pack(rep, at)};
    stint__tell(call->server, call->entry, STINT__ANSWERED_OK);
    send(call, &err, payload, owner);
    stint__buf_unref(owner);
}

/* The outcome of a handler that failed with this code. */
static void handler_error(stint_call *call, stint_code code, stint_error *ret)
{
    const char *path = call->entry->method->path;
    if (code > STINT_OK && code <= STINT_UNAUTHENTICATED) {
        *ret = call->error;
        ret->code = code;
        if (ret->message[0] == '\0') {
            stint_error_set(ret, code, "%s failed: %s", path, stint_code_name(code));
            if (code == STINT_DEADLINE_EXCEEDED && stint_ctx_err(call->own) == code)
                ret->reason = STINT_REASON_EXPIRED_IN_HANDLER;
        }
        return;
    }
    stint_error_set(ret, STINT_INTERNAL, "the handler of %s returned %d, which is no status", path,
                    (int)code);
    if (code == STINT_DEFERRED)
        stint_error_set(ret, STINT_INTERNAL, "the handler of %s returned without an answer", path);
    ret->reason = STINT_REASON_NO_ANSWER;
}

bool stint__call_answer(stint_call *call, stint_code code, const ProtobufCMessage *rep)
{
    if (!claim(call))
        return false;
    stint_time now = stint_now();
    make_room(call);
    call->spoken = true;
    stint__call_learn(call, code, now);
    if (code == STINT_OK && rep != NULL) {
        send_ok(call, rep, now);
        return true;
    }
    stint_error outcome;
    handler_error(call, code == STINT_OK ? STINT_DEFERRED : code, &outcome);
    send_failure(call, &outcome);
    return true;
}

bool stint__call_refuse(stint_call *call, const stint_error *why, enum stint__outcome outcome)
{
    if (!claim(call))
        return false;
    stint_ctx_cancel(call->own, STINT_CANCELLED, why->message);
    stint_error told = *why;
    told.not_executed = !stint__call_has_started(call);
    if (told.not_executed)
        make_room(call);
    else
        stint__tell(call->server, call->entry, STINT__FAILED);
    if (told.not_executed || outcome == STINT__LATE)
        stint__tell(call->server, call->entry, outcome);
    send(call, &told, (struct stint__slice){NULL, 0}, NULL);
    return true;
}

bool stint__call_abandon(stint_call *call, const char *why)
{
    if (!claim(call))
        return false;
    stint_error outcome;
    bool runs = stint__call_has_started(call);
    if (runs && !atomic_load(&call->deferred))
        atomic_store(&call->cancelled_cpu, stint__clock_cpu_ns(call->cpu_clock));
    stint__tell(call->server, call->entry,
                runs ? STINT__CANCELLED_HANDLER : STINT__CANCELLED_QUEUE);
    stint_ctx_cancel(call->own, STINT_CANCELLED, why);
    stint_ctx_cause(call->own, &outcome);
    stint__server_layers_end(call, &outcome);
    stint__conn_drop(call->sc->conn, &call->to);
    settle(call);
    return true;
}
