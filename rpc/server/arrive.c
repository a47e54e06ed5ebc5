/* arrive.c - from a request's frame to a call, or to its refusal.
 *
 * The order is the design's: draining, expired, unknown method, too many hops, too little time, too
 * many calls. What is refused here costs no allocation, and every refusal says not_executed. The
 * deadline is anchored at the moment the frame's bytes were read, so that time spent in this
 * process counts, and time spent on the way is taken off it (admission.c). */
#include <string.h>

#include "alloc.h"
#include "random.h"
#include "record.h"
#include "server_internal.h"

static void refuse(const struct stint__arrival *a, const stint_error *why,
                   enum stint__outcome outcome)
{
    stint__tell(a->server, a->entry, outcome);
    stint__refuse_request(a, why);
}

static void refuse_unknown(const struct stint__arrival *a)
{
    struct stint__slice method = a->in->env.method;
    stint_error why;
    stint_error_set(&why, STINT_UNIMPLEMENTED, "this server has no method \"%.*s\"",
                    (int)(method.len < 160 ? method.len : 0), (const char *)method.data);
    why.reason = STINT_REASON_NO_SUCH_METHOD;
    why.not_executed = true;
    stint__count(&a->server->counters.refused_method);
    stint__refuse_request(a, &why);
}

static bool refused_draining(const struct stint__arrival *a)
{
    static const stint_error draining =
        STINT__REFUSAL(STINT_UNAVAILABLE, STINT_REASON_DRAINING, "the server is shutting down");
    if (atomic_load(&a->server->state) == STINT__SERVER_RUNNING)
        return false;
    refuse(a, &draining, STINT__REFUSED_DRAINING);
    return true;
}

/* What nobody waits for any more, or nobody here can do. True: refused. On false the method is
 * known. */
static bool refused_pointless(struct stint__arrival *a)
{
    static const stint_error expired =
        STINT__REFUSAL(STINT_DEADLINE_EXCEEDED, STINT_REASON_EXPIRED_ON_ARRIVAL,
                       "the deadline had passed when the request arrived");
    static const stint_error circle =
        STINT__REFUSAL(STINT_FAILED_PRECONDITION, STINT_REASON_NONE,
                       "the request has come through too many services: do they call in a circle?");
    const struct stint__envelope *e = &a->in->env;
    bool in_time = a->entry == NULL || stint_time_before(a->now, a->deadline);
    if ((e->has_budget && e->budget_us == 0) || !in_time)
        refuse(a, &expired, STINT__EXPIRED_ARRIVAL);
    else if (a->entry == NULL)
        refuse_unknown(a);
    else if (e->hop > STINT__HOP_MAX)
        refuse(a, &circle, STINT__REFUSED_OTHER);
    else
        return false;
    return true;
}

/* Counts one call more as admitted, unless there are too many. */
static bool count_admitted(stint_server *s, struct stint__server_conn *sc)
{
    bool fits = atomic_fetch_add(&s->admitted, 1) < s->opts.max_inflight;
    bool fits_here =
        sc == NULL || atomic_fetch_add(&sc->admitted, 1) < s->opts.max_connection_inflight;
    if (fits && fits_here)
        return true;
    stint__make_room(s, sc);
    return false;
}

/* Everything that can be said without a call. True: refused. On false the call is counted as
 * admitted. */
static bool refused_at_once(struct stint__arrival *a)
{
    static const stint_error full =
        STINT__REFUSAL(STINT_RESOURCE_EXHAUSTED, STINT_REASON_QUEUE_FULL,
                       "the server has too many calls in flight");
    stint_error why;
    if (refused_draining(a) || refused_pointless(a))
        return true;
    if (stint__arrival_lacks_time(a, &why)) {
        refuse(a, &why, STINT__INSUFFICIENT_ARRIVAL);
        return true;
    }
    if (!count_admitted(a->server, a->sc)) {
        why = full;
        why.pushback = stint__server_pushback(a->server);
        refuse(a, &why, STINT__REFUSED_FULL);
        return true;
    }
    stint__tell(a->server, a->entry, STINT__ADMITTED);
    if (a->probe > 0)
        stint__tell(a->server, a->entry, STINT__PROBES);
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

static void on_deadline(struct stint__timer *t)
{
    stint_call *call = STINT__CONTAINER_OF(t, stint_call, timer);
    static const stint_error late =
        STINT__REFUSAL(STINT_DEADLINE_EXCEEDED, STINT_REASON_EXPIRED_IN_HANDLER,
                       "the deadline passed before the deferred call was finished");
    stint__transport_enter(); /* an interceptor's end must not wait here either */
    stint__call_refuse(call, &late, STINT__LATE);
    stint__call_unref(call);
    stint__transport_leave();
}

/* Makes the call, with one reference. NULL when out of memory. */
static stint_call *call_new(const struct stint__arrival *a)
{
    const struct stint__envelope *e = &a->in->env;
    stint_server *s = a->server;
    stint_call *call = stint__alloc(sizeof *call);
    if (call == NULL)
        return NULL;
    memset(call, 0, offsetof(stint_call, first));
    stint__arena_init(&call->arena, call->first, sizeof call->first, s->opts.max_call_memory);
    call->server = s;
    call->sc = stint__server_conn_ref(a->sc);
    call->to = *a->to;
    call->entry = a->entry;
    call->arrival = a->in->read_at;
    call->deadline = a->deadline;
    call->handler_deadline = a->handler_deadline;
    call->transit = a->transit;
    call->probe = a->probe;
    call->call_id = e->call_id;
    call->payload = e->payload;
    call->admitted = true;
    atomic_init(&call->refs, 1);
    atomic_fetch_add(&s->refs, 1);
    stint__timer_init(&call->timer, on_deadline);
    stint__list_init(&call->waiter.link);
    stint__list_init(&call->conn_link);
    stint_request_info info = info_of(e);
    call->own = stint__ctx_new_call(call->handler_deadline, &info, e->criticality, a->probe > 0);
    call->ctx = call->own;
    if (e->want_ledger)
        stint__record_want_ledger(call->own, call->arrival);
    return call;
}

/* Keeps the payload beyond this callback. */
static stint_code keep_payload(stint_call *call, const struct stint__incoming *in, stint_error *err)
{
    if (in->owner != NULL) {
        call->payload_owner = stint__buf_ref(in->owner);
        return STINT_OK;
    }
    if (call->payload.len == 0)
        return STINT_OK;
    uint8_t *copy = stint__arena_alloc(&call->arena, call->payload.len);
    if (copy == NULL)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "out of memory for the request of %s",
                               call->entry->method->path);
    memcpy(copy, call->payload.data, call->payload.len);
    call->payload.data = copy;
    return STINT_OK;
}

static stint_code keep_metadata(stint_call *call, const struct stint__envelope *e, stint_error *err)
{
    if (e->n_metadata == 0)
        return STINT_OK;
    call->metadata = stint_metadata_new();
    if (call->metadata == NULL)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "out of memory for metadata");
    return stint__envelope_metadata(e, call->metadata, err);
}

/* Lists and queues the call. Consumes the reference. */
static void enqueue(stint_call *call, const struct stint__arrival *a)
{
    stint_error err;
    call->waiter.lane = &call->entry->state->lane;
    call->waiter.level = stint__level_of(a->in->env.criticality);
    const char *unwanted = stint__conn_list_call(call);
    if (unwanted != NULL) {
        stint__call_abandon(call, unwanted);
        stint__call_unref(call);
        return;
    }
    stint_code code = stint__work_push(call, &err);
    if (code == STINT_OK)
        return;
    bool stopped = code == STINT_UNAVAILABLE;
    stint__call_refuse(call, &err, stopped ? STINT__REFUSED_DRAINING : STINT__REFUSED_FULL);
    stint__call_unref(call);
}

/* Queues the call, or runs it here if its method is declared short. Consumes the reference. */
static void start(stint_call *call, const struct stint__arrival *a)
{
    bool is_short = (call->entry->method->flags & STINT_METHOD_SHORT) != 0;
    stint_error err;
    stint_code code = keep_metadata(call, &a->in->env, &err);
    if (code == STINT_OK && !is_short)
        code = keep_payload(call, a->in, &err);
    if (code != STINT_OK) {
        stint__call_refuse(call, &err, STINT__REFUSED_OTHER);
        stint__call_unref(call);
    } else if (is_short) {
        call->run_at = a->now;
        stint__call_run(call);
        stint__call_unref(call);
    } else {
        enqueue(call, a);
    }
}

/* A request that is counted in flight. False: it has been answered, and no call was made. */
static bool admit(struct stint__arrival *a)
{
    static const stint_error memory =
        STINT__REFUSAL(STINT_RESOURCE_EXHAUSTED, STINT_REASON_NONE, "the server is out of memory");
    if (refused_at_once(a))
        return false;
    stint_call *call = a->sc != NULL ? call_new(a) : NULL; /* see stint__server_on_opened */
    if (call == NULL) {
        stint__make_room(a->server, a->sc);
        refuse(a, &memory, STINT__REFUSED_OTHER);
        return false;
    }
    start(call, a);
    return true;
}

void stint__server_on_request(void *arg, void *conn_data, struct stint__conn *conn,
                              const struct stint__reply_to *to, const struct stint__incoming *in)
{
    struct stint__arrival a = {
        .server = arg, .sc = conn_data, .conn = conn, .to = to, .in = in, .now = stint_now()};
    a.entry = stint__method_find(a.server, in->env.method);
    stint__tell(a.server, a.entry, STINT__REQUESTS);
    if (a.entry != NULL)
        stint__arrival_set_times(&a);
    /* Counted first, then the state is looked at again: drain does it the other way round, so it
     * waits for this request or the request is refused. What comes later is not counted, so that
     * it cannot keep drain waiting. */
    if (refused_draining(&a))
        return;
    atomic_fetch_add(&a.server->inflight, 1);
    if (!admit(&a))
        stint__server_leave(a.server);
}
