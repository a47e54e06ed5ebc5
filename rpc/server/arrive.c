/* arrive.c - from a request's frame to a call, or to its refusal.
 *
 * The order is the design's: draining, expired, unknown method, too many. What is refused here
 * costs no allocation, and every refusal says not_executed. The deadline is anchored at the moment
 * the frame's bytes were read, so that time spent in this process counts. */
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "random.h"
#include "server_internal.h"

#define RESERVE_SHARE 50 /* the default reply reserve: this part of the budget, */
#define RESERVE_MAX   STINT_MS(1)

/* What is known about a request before there is a call. */
struct arrival {
    stint_server *server;
    struct stint__server_conn *sc;
    struct stint__conn *conn;
    const struct stint__reply_to *to;
    const struct stint__incoming *in;
    const struct stint__method_entry *entry;
};

static void refuse(const struct arrival *a, const struct stint__refusal *why,
                   atomic_uint_fast64_t *counter)
{
    stint__count(counter);
    stint__refuse_request(a->conn, a->to, a->in->env.call_id, why);
}

static void refuse_unknown(const struct arrival *a)
{
    char text[STINT_ERROR_MESSAGE_MAX];
    struct stint__slice method = a->in->env.method;
    snprintf(text, sizeof text, "this server has no method \"%.*s\"",
             (int)(method.len < 160 ? method.len : 0), (const char *)method.data);
    const struct stint__refusal why = {STINT_UNIMPLEMENTED, STINT_REASON_NO_SUCH_METHOD, text,
                                       true};
    refuse(a, &why, &a->server->counters.refused_method);
}

/* Counts one call more, unless there are too many. */
static bool admit(stint_server *s)
{
    atomic_fetch_add(&s->inflight, 1);
    if (atomic_fetch_add(&s->admitted, 1) < s->opts.max_inflight)
        return true;
    atomic_fetch_sub(&s->admitted, 1);
    stint__server_leave(s);
    return false;
}

/* A connection is referred to by itself and by each of its calls. */
static bool is_full(const struct stint__server_conn *sc)
{
    return atomic_load(&sc->refs) > sc->server->opts.max_connection_inflight;
}

/* Everything that can be said without a call. True: refused. On false the call is counted in
 * flight. */
static bool refused_at_once(struct arrival *a)
{
    static const struct stint__refusal draining = {STINT_UNAVAILABLE, STINT_REASON_DRAINING,
                                                   "the server is shutting down", true};
    static const struct stint__refusal expired = {
        STINT_DEADLINE_EXCEEDED, STINT_REASON_EXPIRED_ON_ARRIVAL,
        "the deadline had passed when the request arrived", true};
    static const struct stint__refusal full = {STINT_RESOURCE_EXHAUSTED, STINT_REASON_QUEUE_FULL,
                                               "the server has too many calls in flight", true};
    stint_server *s = a->server;
    const struct stint__envelope *e = &a->in->env;
    if (atomic_load(&s->state) != STINT__SERVER_RUNNING) {
        refuse(a, &draining, &s->counters.refused_draining);
        return true;
    }
    if (e->has_budget && e->budget_us == 0) {
        refuse(a, &expired, &s->counters.expired_arrival);
        return true;
    }
    a->entry = stint__method_find(s, e->method);
    if (a->entry == NULL) {
        refuse_unknown(a);
        return true;
    }
    if (a->sc == NULL || is_full(a->sc) || !admit(s)) {
        refuse(a, &full, &s->counters.refused_full);
        return true;
    }
    return false;
}

/* The request ID if it is one, "" otherwise: what is written to logs must not come from a stranger
 * unchecked. */
static void copy_request_id(char *out, struct stint__slice id)
{
    out[0] = '\0';
    if (id.len > STINT_REQUEST_ID_MAX)
        return;
    for (size_t i = 0; i < id.len; i++)
        if (id.data[i] <= ' ' || id.data[i] > '~')
            return;
    memcpy(out, id.data, id.len);
    out[id.len] = '\0';
}

static stint_request_info info_of(const struct stint__envelope *e)
{
    stint_request_info info = {.hop = e->hop};
    if (e->trace_id == NULL || e->request_id.len == 0)
        info = stint_request_info_new();
    info.hop = e->hop;
    if (e->trace_id != NULL)
        memcpy(info.trace_id, e->trace_id, sizeof info.trace_id);
    if (e->span_id != NULL)
        memcpy(info.span_id, e->span_id, sizeof info.span_id);
    if (e->request_id.len > 0)
        copy_request_id(info.request_id, e->request_id);
    return info;
}

/* The caller's deadline, and the handler's, which is earlier by the reserve. */
static stint_time set_deadlines(stint_call *call, const struct stint__envelope *e)
{
    const stint_server_options *o = &call->server->opts;
    stint_duration budget = o->max_timeout;
    if (e->has_budget && e->budget_us <= (uint64_t)(o->max_timeout / 1000))
        budget = STINT_US(e->budget_us);
    else if (e->has_budget)
        stint__count(&call->server->counters.clamped);
    stint_duration reserve = o->reply_reserve;
    if (reserve == 0)
        reserve = budget / RESERVE_SHARE < RESERVE_MAX ? budget / RESERVE_SHARE : RESERVE_MAX;
    call->deadline = stint_time_add(call->arrival, budget);
    return reserve > 0 ? stint_time_add(call->deadline, -reserve) : call->deadline;
}

static void on_deadline(struct stint__timer *t)
{
    stint_call *call = STINT__CONTAINER_OF(t, stint_call, timer);
    static const struct stint__refusal late = {
        STINT_DEADLINE_EXCEEDED, STINT_REASON_EXPIRED_IN_HANDLER,
        "the deadline passed before the deferred call was finished", false};
    if (stint__call_answer_refusal(call, &late))
        stint__count(&call->server->counters.late);
    stint__call_unref(call);
}

/* Makes the call, with one reference. NULL when out of memory. */
static stint_call *call_new(const struct arrival *a)
{
    const struct stint__envelope *e = &a->in->env;
    stint_server *s = a->server;
    stint_call *call = stint__alloc(sizeof *call);
    if (call == NULL)
        return NULL;
    memset(call, 0, offsetof(stint_call, first));
    stint__arena_init(&call->arena, call->first, sizeof call->first, s->opts.max_call_memory);
    call->server = s;
    call->sc = a->sc;
    call->conn = stint__conn_ref(a->conn);
    call->to = *a->to;
    call->entry = a->entry;
    call->arrival = a->in->read_at;
    call->call_id = e->call_id;
    call->payload = e->payload;
    atomic_init(&call->refs, 1);
    atomic_fetch_add(&s->refs, 1);
    stint__timer_init(&call->timer, on_deadline);
    stint__list_init(&call->queue_link);
    stint__list_init(&call->conn_link);
    stint_request_info info = info_of(e);
    call->own = stint__ctx_new_call(set_deadlines(call, e), &info);
    call->ctx = call->own;
    return call;
}

/* Keeps the payload beyond this callback. False: no memory. */
static bool keep_payload(stint_call *call, const struct stint__incoming *in)
{
    if (in->owner != NULL) {
        call->payload_owner = stint__buf_ref(in->owner);
        return true;
    }
    if (call->payload.len == 0)
        return true;
    uint8_t *copy = stint__arena_alloc(&call->arena, call->payload.len);
    if (copy == NULL)
        return false;
    memcpy(copy, call->payload.data, call->payload.len);
    call->payload.data = copy;
    return true;
}

static bool keep_metadata(stint_call *call, const struct stint__envelope *e)
{
    if (e->n_metadata == 0)
        return true;
    call->metadata = stint_metadata_new();
    return call->metadata != NULL && stint__envelope_metadata(e, call->metadata, NULL) == STINT_OK;
}

/* Queues the call, or runs it here if its method is declared short. Consumes the reference. */
static void start(stint_call *call, const struct stint__incoming *in)
{
    static const struct stint__refusal memory = {STINT_RESOURCE_EXHAUSTED, STINT_REASON_NONE,
                                                 "the server is out of memory", true};
    static const struct stint__refusal full = {STINT_RESOURCE_EXHAUSTED, STINT_REASON_QUEUE_FULL,
                                               "too many calls wait for a worker", true};
    stint_server *s = call->server;
    bool is_short = (call->entry->method->flags & STINT_METHOD_SHORT) != 0;
    if (!keep_metadata(call, &in->env) || (!is_short && !keep_payload(call, in))) {
        if (stint__call_answer_refusal(call, &memory))
            stint__count(&s->counters.refused_other);
        stint__call_unref(call);
        return;
    }
    if (is_short) {
        stint__call_run(call);
        stint__call_unref(call);
        return;
    }
    if (!stint__conn_list_call(call->sc, call)) {
        stint_ctx_cancel(call->own, STINT_CANCELLED, "cancelled by the caller");
        if (stint__call_answer_nothing(call))
            stint__count(&s->counters.cancelled);
        stint__call_unref(call);
    } else if (!stint__queue_push(s, call)) {
        if (stint__call_answer_refusal(call, &full))
            stint__count(&s->counters.refused_full);
        stint__call_unref(call);
    }
}

void stint__server_on_request(void *arg, void *conn_data, struct stint__conn *conn,
                              const struct stint__reply_to *to, const struct stint__incoming *in)
{
    static const struct stint__refusal memory = {STINT_RESOURCE_EXHAUSTED, STINT_REASON_NONE,
                                                 "the server is out of memory", true};
    struct arrival a = {arg, conn_data, conn, to, in, NULL};
    stint__count(&a.server->counters.requests);
    if (refused_at_once(&a))
        return;
    stint_call *call = call_new(&a);
    if (call == NULL) {
        refuse(&a, &memory, &a.server->counters.refused_other);
        atomic_fetch_sub(&a.server->admitted, 1);
        stint__server_leave(a.server);
        return;
    }
    start(call, in);
}
