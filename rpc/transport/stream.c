/* stream.c - the kind of transport that speaks SP itself over rpc/net: its table. No state. */
#include "stream.h"

#include <string.h>

void stint__stream_end_init(struct stint__stream_end *end,
                            const struct stint__transport_options *opts)
{
    end->object.ops = &stint__stream_transport;
    end->opts = *opts;
    stint__log_init(&end->malformed, opts->log);
    stint__log_init(&end->stalled, opts->log);
}

static bool accepts(const char *url)
{
    return stint__net_find(url) != NULL;
}

static unsigned peer_capabilities(const struct stint__peer *p)
{
    (void)p;
    return STINT__STREAM_CAPABILITIES;
}

static unsigned acceptor_capabilities(const struct stint__acceptor *a)
{
    bool ports = strncmp(stint__stream_acceptor_url(a), "tcp", 3) == 0;
    return STINT__STREAM_CAPABILITIES | (ports ? (unsigned)STINT__CAN_PORT_ZERO : 0);
}

/* A peer and an acceptor both begin with a stint__stream_end. */
static void stats_of(const void *object, struct stint__transport_stats *stats)
{
    const struct stint__stream_end *end = object;
    stint__transport_counters_read(&end->counters, stats);
}

static void peer_stats(const struct stint__peer *p, struct stint__transport_stats *stats)
{
    stats_of(p, stats);
}

static void acceptor_stats(const struct stint__acceptor *a, struct stint__transport_stats *stats)
{
    stats_of(a, stats);
}

const struct stint__transport_ops stint__stream_transport = {
    .name = "stream",
    .accepts = accepts,
    .peer_open = stint__stream_peer_open,
    .peer_submit = stint__stream_peer_submit,
    .peer_abandon = stint__stream_peer_abandon,
    .peer_capabilities = peer_capabilities,
    .peer_stats = peer_stats,
    .peer_stop = stint__stream_peer_stop,
    .peer_close = stint__stream_peer_close,
    .acceptor_open = stint__stream_acceptor_open,
    .acceptor_start = stint__stream_acceptor_start,
    .acceptor_url = stint__stream_acceptor_url,
    .acceptor_capabilities = acceptor_capabilities,
    .acceptor_stats = acceptor_stats,
    .acceptor_drain = stint__stream_acceptor_drain,
    .acceptor_flush = stint__stream_acceptor_flush,
    .acceptor_close = stint__stream_acceptor_close,
    .conn_reply = stint__stream_conn_reply,
    .conn_drop = stint__stream_conn_drop,
    .conn_fail = stint__stream_conn_fail,
    .conn_ref = stint__stream_conn_ref,
    .conn_unref = stint__stream_conn_unref,
    .conn_peer = stint__stream_conn_peer,
    .conn_is_leaving = stint__stream_conn_is_leaving,
    .conn_data = stint__stream_conn_data,
};
