/* transport.c - chooses the kind of transport for a URL, forwards to it, and holds what both kinds
 * share. The only state is per thread: how many callbacks it is inside of. */
#include "transport.h"

#include <stdarg.h>

#include "transport_impl.h"

/* The first that serves the URL is taken. */
static const struct stint__transport_ops *const kinds[] = {
    &stint__stream_transport,
    &stint__socket_transport,
};

static const struct stint__transport_ops *ops_of(const void *object)
{
    return ((const struct stint__transport_object *)object)->ops;
}

/* ---- opening ---- */

static const struct stint__transport_ops *find(const char *url, stint_error *err)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i]->accepts(url))
            return kinds[i];
    }
    stint_error_set(err, STINT_INVALID_ARGUMENT,
                    "%s: unknown kind of address (try tcp://HOST:PORT "
                    "or ipc:///PATH)",
                    url);
    return NULL;
}

/* Zeros stand for the defaults, but for a heartbeat of 0, which means none. */
static struct stint__transport_options with_defaults(const struct stint__transport_options *opts)
{
    struct stint__transport_options o = *opts;
    if (o.max_message == 0)
        o.max_message = (size_t)4 * 1024 * 1024;
    if (o.backoff_min <= 0)
        o.backoff_min = STINT_MS(10);
    if (o.backoff_max < o.backoff_min)
        o.backoff_max = o.backoff_min > STINT_SECONDS(1) ? o.backoff_min : STINT_SECONDS(1);
    if (o.max_connections == 0)
        o.max_connections = 4096;
    if (o.max_queued == 0)
        o.max_queued = (size_t)1024 * 1024;
    return o;
}

stint_code stint__peer_open(struct stint__peer **ret, const char *url,
                            const struct stint__transport_options *opts,
                            const struct stint__peer_events *events, stint_error *err)
{
    const struct stint__transport_ops *ops = find(url, err);
    if (ops == NULL)
        return STINT_INVALID_ARGUMENT;
    struct stint__transport_options o = with_defaults(opts);
    return ops->peer_open(ret, url, &o, events, err);
}

stint_code stint__acceptor_open(struct stint__acceptor **ret, const char *url,
                                const struct stint__transport_options *opts,
                                const struct stint__acceptor_events *events, stint_error *err)
{
    const struct stint__transport_ops *ops = find(url, err);
    if (ops == NULL)
        return STINT_INVALID_ARGUMENT;
    struct stint__transport_options o = with_defaults(opts);
    return ops->acceptor_open(ret, url, &o, events, err);
}

/* ---- forwarding ---- */

stint_code stint__peer_submit(struct stint__peer *p, struct stint__exchange *x,
                              struct stint__envelope *e, stint_error *err)
{
    return ops_of(p)->peer_submit(p, x, e, err);
}

bool stint__peer_abandon(struct stint__peer *p, struct stint__exchange *x, bool cancel)
{
    return ops_of(p)->peer_abandon(p, x, cancel);
}

unsigned stint__peer_capabilities(const struct stint__peer *p)
{
    return ops_of(p)->peer_capabilities(p);
}

void stint__peer_stats(const struct stint__peer *p, struct stint__transport_stats *stats)
{
    ops_of(p)->peer_stats(p, stats);
}

void stint__peer_stop(struct stint__peer *p)
{
    ops_of(p)->peer_stop(p);
}

void stint__peer_close(struct stint__peer *p)
{
    if (p != NULL)
        ops_of(p)->peer_close(p);
}

stint_code stint__acceptor_start(struct stint__acceptor *a, stint_error *err)
{
    return ops_of(a)->acceptor_start(a, err);
}

const char *stint__acceptor_url(const struct stint__acceptor *a)
{
    return ops_of(a)->acceptor_url(a);
}

unsigned stint__acceptor_capabilities(const struct stint__acceptor *a)
{
    return ops_of(a)->acceptor_capabilities(a);
}

void stint__acceptor_stats(const struct stint__acceptor *a, struct stint__transport_stats *stats)
{
    ops_of(a)->acceptor_stats(a, stats);
}

void stint__acceptor_drain(struct stint__acceptor *a)
{
    ops_of(a)->acceptor_drain(a);
}

void stint__acceptor_flush(struct stint__acceptor *a, void (*fn)(void *arg), void *arg)
{
    ops_of(a)->acceptor_flush(a, fn, arg);
}

void stint__acceptor_close(struct stint__acceptor *a)
{
    if (a != NULL)
        ops_of(a)->acceptor_close(a);
}

stint_code stint__conn_reply(struct stint__conn *conn, const struct stint__reply_to *to,
                             struct stint__envelope *e, stint_error *err)
{
    return ops_of(conn)->conn_reply(conn, to, e, err);
}

void stint__conn_drop(struct stint__conn *conn, const struct stint__reply_to *to)
{
    ops_of(conn)->conn_drop(conn, to);
}

void stint__conn_fail(struct stint__conn *conn, const stint_error *why)
{
    ops_of(conn)->conn_fail(conn, why);
}

struct stint__conn *stint__conn_ref(struct stint__conn *conn)
{
    return ops_of(conn)->conn_ref(conn);
}

void stint__conn_unref(struct stint__conn *conn)
{
    if (conn != NULL)
        ops_of(conn)->conn_unref(conn);
}

const char *stint__conn_peer(const struct stint__conn *conn)
{
    return ops_of(conn)->conn_peer(conn);
}

bool stint__conn_is_leaving(const struct stint__conn *conn)
{
    return ops_of(conn)->conn_is_leaving(conn);
}

void *stint__conn_data(const struct stint__conn *conn)
{
    return ops_of(conn)->conn_data(conn);
}

/* ---- shared by both kinds ---- */

static _Thread_local unsigned callback_depth;

void stint__transport_enter(void)
{
    callback_depth++;
}

void stint__transport_leave(void)
{
    callback_depth--;
}

bool stint__transport_in_callback(void)
{
    return callback_depth > 0;
}

void stint__transport_counters_read(const struct stint__transport_counters *c,
                                    struct stint__transport_stats *ret)
{
    *ret = (struct stint__transport_stats){
        .connects = atomic_load(&c->connects),
        .disconnects = atomic_load(&c->disconnects),
        .malformed = atomic_load(&c->malformed),
        .late_replies = atomic_load(&c->late_replies),
        .open = atomic_load(&c->open),
        .refused = atomic_load(&c->refused),
        .stalled = atomic_load(&c->stalled),
    };
}

stint_code stint__incoming_decode(struct stint__incoming *ret, struct stint__slice body,
                                  struct stint__buf *owner, stint_time read_at, stint_error *err)
{
    ret->bytes = body;
    ret->owner = owner;
    ret->read_at = read_at;
    return stint__envelope_decode(&ret->env, body, err);
}

stint_code stint__transport_error(stint_error *err, stint_code code, stint_reason reason,
                                  const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    stint_error_vset(err, code, fmt, args);
    va_end(args);
    if (err != NULL)
        err->reason = reason;
    return code;
}

stint_code stint__outgoing_check(const struct stint__envelope *e, size_t header_size,
                                 size_t max_message, stint_error *err)
{
    size_t payload = e->has_payload ? e->payload.len : 0;
    if (payload > max_message)
        return stint__transport_error(err, STINT_RESOURCE_EXHAUSTED, STINT_REASON_MESSAGE_TOO_LARGE,
                                      "a message of %zu bytes; at most %zu may be sent", payload,
                                      max_message);
    if (header_size > STINT__HEADER_MAX)
        return stint__transport_error(err, STINT_RESOURCE_EXHAUSTED, STINT_REASON_MESSAGE_TOO_LARGE,
                                      "metadata and details of %zu bytes; at most %zu may be sent",
                                      header_size, (size_t)STINT__HEADER_MAX);
    return STINT_OK;
}
