/* transport.h - carries envelopes between a client and a server, over SP's REQ/REP protocol.
 *
 * Two kinds behind one vtable, chosen by the URL: stream.c speaks SP itself over rpc/net (tcp, ipc,
 * mem), socket.c uses stock NNG REQ and REP sockets (inproc, ws, nng+tcp, nng+ipc). What a kind
 * cannot do, its capabilities say.
 *
 * A transport decodes each envelope once and hands it up with the bytes it points into. It deals by
 * itself with what concerns the connection: handshake, PING and PONG, HELLO and features,
 * heartbeats, size limits, malformed bytes (only the connection they came on is closed).
 *
 * Callbacks come from transport threads (in tests with mem:// and a virtual clock: from whoever
 * advances it), never under a transport lock, and may call back into the transport. They must not
 * block. For one connection they come one at a time, except where said otherwise. */
#ifndef STINT_TRANSPORT_TRANSPORT_H
#define STINT_TRANSPORT_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stint/log.h>
#include <stint/macros.h>
#include <stint/status.h>
#include <stint/time.h>

#include "buf.h"
#include "envelope.h"
#include "list.h"
#include "sp.h"

enum stint__capability {
    STINT__CAN_CANCEL = 1 << 0, /* control frames reach the peer */
    STINT__CAN_GOAWAY = 1 << 1,
    STINT__CAN_HEARTBEAT = 1 << 2,
    STINT__CAN_SEE_LOSS = 1 << 3, /* a lost connection ends its calls at once */
    STINT__CAN_PORT_ZERO = 1 << 4,
    /* Connections may be lost or closed with messages under way, again and again, and everything
     * is freed. NNG's own sockets cannot, but for inproc: one such loss can stop, for good, the
     * thread of NNG's that all closing depends on (measured with 1.5.2: tcp and ipc within tens of
     * busy closes, ws within thousands), or abort the program (1.10.1, ws: within thousands). */
    STINT__CAN_CHURN = 1 << 5,
};

struct stint__transport_options {
    size_t max_message;       /* bytes of one payload; a frame may be STINT__HEADER_MAX longer */
    stint_duration heartbeat; /* silence before a PING, and again before giving up; 0: never */
    stint_duration backoff_min, backoff_max; /* clients */
    /* Bytes put in and not yet taken by the stream, per connection. A client's requests are refused
     * beyond it; from a client whose replies are beyond it nothing is read or handed up. */
    size_t max_queued;
    size_t
        max_connections; /* of an acceptor at once; further ones are closed (stream transports) */
    stint_log log;
};

/* Counters of one peer or acceptor; atomics inside, read as a snapshot. */
struct stint__transport_stats {
    uint64_t connects, disconnects, malformed, late_replies, open;
    uint64_t refused; /* connections over max_connections */
    uint64_t stalled; /* connections closed because the peer did not take what waited for it */
};

/* A frame as it was read. */
struct stint__incoming {
    struct stint__envelope env; /* points into `bytes` */
    struct stint__slice bytes;  /* valid during the callback only, */
    struct stint__buf *owner;   /* unless this is set and the callee takes a reference to it */
    stint_time read_at;         /* when its bytes were read: deadlines count from here */
};

/* ---- client ---- */

/* One request and its reply. Embedded by the caller; untouched by the transport before submit and
 * after its end (reply or lost was called, or abandon returned true). */
struct stint__exchange {
    const struct stint__exchange_ops *ops;
    struct stint__list link;
    /* The transport's own, from submit to the end. */
    uint32_t id;       /* SP request ID */
    uint64_t call_id;  /* of the request; a reply that has another is not this one's */
    uint64_t sent_end; /* stream transports: where the request ends among all bytes sent */
    void *priv[2];
};

struct stint__exchange_ops {
    /* The reply. Ends the exchange. */
    void (*reply)(struct stint__exchange *x, const struct stint__incoming *in);
    /* There will be none. `error` says why, with reason and not_executed. Ends the exchange. */
    void (*lost)(struct stint__exchange *x, const stint_error *error);
};

/* One endpoint of a client: at most one connection that takes requests, renewed when it is lost,
 * and those that are being drained. */
struct stint__peer;

struct stint__peer_events {
    void *arg;
    /* Requests can be sent: a connection is up, or its queue has room again after submit said no.
     */
    void (*ready)(void *arg);
    /* The connection is gone, or an attempt failed; *error tells why. The next attempt follows by
     * itself. The exchanges on it have been `lost`. */
    void (*down)(void *arg, const stint_error *error);
    /* The peer is draining: it takes no new requests on this connection. What is in flight there is
     * still to be answered; then the connection is closed, and nobody is told. A new one is made at
     * once, perhaps to the server's successor: ready or down follows. */
    void (*goaway)(void *arg);
};

/* Checks the URL and starts to connect. Errors: INVALID_ARGUMENT, RESOURCE_EXHAUSTED. */
STINT_NODISCARD stint_code stint__peer_open(struct stint__peer **ret, const char *url,
                                            const struct stint__transport_options *opts,
                                            const struct stint__peer_events *events,
                                            stint_error *err);

/* Sends a request. The transport sets e's features and the time it was sent, copies what it needs
 * before returning (a payload with an owner may be referenced instead), and will call exactly one
 * of x->ops, possibly before this returns to its caller. Fails, x untouched, with UNAVAILABLE
 * (NOT_CONNECTED: no connection, draining) or RESOURCE_EXHAUSTED (QUEUE_FULL: `ready` will follow;
 * MESSAGE_TOO_LARGE: it never will). Thread-safe. */
STINT_NODISCARD stint_code stint__peer_submit(struct stint__peer *p, struct stint__exchange *x,
                                              struct stint__envelope *e, stint_error *err);

/* Gives up on a reply. True: the exchange is over, none of x->ops will be called. False: one of
 * them has been or is being called in another thread. With `cancel`, tells the peer if it can hear
 * it. Thread-safe. */
bool stint__peer_abandon(struct stint__peer *p, struct stint__exchange *x, bool cancel);

unsigned stint__peer_capabilities(const struct stint__peer *p);
void stint__peer_stats(const struct stint__peer *p, struct stint__transport_stats *stats);

/* Loses what is in flight (UNAVAILABLE, CHANNEL_CLOSED), closes, and waits for callbacks that run
 * in other threads: none follows. From then on submit fails, abandon says false, and the counters
 * can still be read. Not from a callback. */
void stint__peer_stop(struct stint__peer *p);

/* Stops if that was not done, and frees. NULL is accepted. */
void stint__peer_close(struct stint__peer *p);

/* ---- server ---- */

struct stint__acceptor; /* one bound URL */
struct stint__conn;     /* one client's connection, reference-counted */

/* Where a reply goes. A value: may be copied, and used after its connection is gone. */
struct stint__reply_to {
    struct stint__sp_stack stack; /* stream transports: returned whole */
    void *token;                  /* socket transports: the context that waits for the reply */
    uint64_t generation;
};

struct stint__acceptor_events {
    void *arg;
    /* A connection is there: return the server's own data for it, to be passed to what follows. */
    void *(*opened)(void *arg, struct stint__conn *conn);
    /* A REQUEST frame. Take a reference to conn to reply later. Each one must be replied to or
     * dropped (stint__conn_drop), or a socket transport runs out of contexts. */
    void (*request)(void *arg, void *conn_data, struct stint__conn *conn,
                    const struct stint__reply_to *to, const struct stint__incoming *in);
    /* The client no longer wants the reply to `to`'s request, which may not have come yet. */
    void (*cancel)(void *arg, void *conn_data, struct stint__conn *conn,
                   const struct stint__reply_to *to);
    /* The connection is gone; the last callback for it. conn_data may be freed. */
    void (*closed)(void *arg, void *conn_data, struct stint__conn *conn);
};

/* Binds. Nothing is accepted yet. Errors: as stint__listener_new. */
STINT_NODISCARD stint_code stint__acceptor_open(struct stint__acceptor **ret, const char *url,
                                                const struct stint__transport_options *opts,
                                                const struct stint__acceptor_events *events,
                                                stint_error *err);
STINT_NODISCARD stint_code stint__acceptor_start(struct stint__acceptor *a, stint_error *err);
const char *stint__acceptor_url(const struct stint__acceptor *a);
unsigned stint__acceptor_capabilities(const struct stint__acceptor *a);
void stint__acceptor_stats(const struct stint__acceptor *a, struct stint__transport_stats *stats);

/* Stops accepting; tells the clients that understand it to go elsewhere. Requests still come in.
 * Without STINT__CAN_GOAWAY it does nothing: new connections are accepted still. */
void stint__acceptor_drain(struct stint__acceptor *a);

/* Calls fn(arg) once, from a transport thread or before returning, when everything queued for
 * writing on every connection has been written or lost. */
void stint__acceptor_flush(struct stint__acceptor *a, void (*fn)(void *arg), void *arg);

/* Closes every connection (each gets `closed`), waits for callbacks that run in other threads, and
 * frees, except for connections that somebody still refers to. Not from a callback. */
void stint__acceptor_close(struct stint__acceptor *a);

/* Sends a reply: as stint__peer_submit about what it copies. Never blocks and never drops: a
 * connection whose client does not read stops being read from instead, and is closed when its
 * client takes nothing for two heartbeats (without heartbeats: 30 s). Errors: UNAVAILABLE (the
 * connection is gone; nobody waits any more), RESOURCE_EXHAUSTED (memory). Thread-safe. */
STINT_NODISCARD stint_code stint__conn_reply(struct stint__conn *conn,
                                             const struct stint__reply_to *to,
                                             struct stint__envelope *e, stint_error *err);

/* There will be no reply. */
void stint__conn_drop(struct stint__conn *conn, const struct stint__reply_to *to);

/* Closes a connection because of what came on it, counted and logged as malformed; or for want of
 * memory (RESOURCE_EXHAUSTED without a reason), which is not its fault. */
void stint__conn_fail(struct stint__conn *conn, const stint_error *why);

struct stint__conn *stint__conn_ref(struct stint__conn *conn);
void stint__conn_unref(struct stint__conn *conn);
const char *stint__conn_peer(const struct stint__conn *conn);
/* Whether its client was told to go elsewhere: it then closes the connection itself, when it has no
 * calls on it any more. */
bool stint__conn_is_leaving(const struct stint__conn *conn);
/* Its data, as `opened` returned it. */
void *stint__conn_data(const struct stint__conn *conn);

/* ---- threads ---- */

/* Put around every call of an event or exchange function, and around what else must not block; they
 * nest. */
void stint__transport_enter(void);
void stint__transport_leave(void);
/* True in a thread that is inside of such a call. */
bool stint__transport_in_callback(void);

/* ---- what the two kinds implement ---- */

struct stint__transport_ops {
    const char *name; /* "stream", "socket" */
    /* Whether it serves this URL's scheme. */
    bool (*accepts)(const char *url);
    stint_code (*peer_open)(struct stint__peer **ret, const char *url,
                            const struct stint__transport_options *opts,
                            const struct stint__peer_events *events, stint_error *err);
    stint_code (*peer_submit)(struct stint__peer *p, struct stint__exchange *x,
                              struct stint__envelope *e, stint_error *err);
    bool (*peer_abandon)(struct stint__peer *p, struct stint__exchange *x, bool cancel);
    unsigned (*peer_capabilities)(const struct stint__peer *p);
    void (*peer_stats)(const struct stint__peer *p, struct stint__transport_stats *stats);
    void (*peer_stop)(struct stint__peer *p);
    void (*peer_close)(struct stint__peer *p);
    stint_code (*acceptor_open)(struct stint__acceptor **ret, const char *url,
                                const struct stint__transport_options *opts,
                                const struct stint__acceptor_events *events, stint_error *err);
    stint_code (*acceptor_start)(struct stint__acceptor *a, stint_error *err);
    const char *(*acceptor_url)(const struct stint__acceptor *a);
    unsigned (*acceptor_capabilities)(const struct stint__acceptor *a);
    void (*acceptor_stats)(const struct stint__acceptor *a, struct stint__transport_stats *stats);
    void (*acceptor_drain)(struct stint__acceptor *a);
    void (*acceptor_flush)(struct stint__acceptor *a, void (*fn)(void *arg), void *arg);
    void (*acceptor_close)(struct stint__acceptor *a);
    stint_code (*conn_reply)(struct stint__conn *conn, const struct stint__reply_to *to,
                             struct stint__envelope *e, stint_error *err);
    void (*conn_drop)(struct stint__conn *conn, const struct stint__reply_to *to);
    void (*conn_fail)(struct stint__conn *conn, const stint_error *why);
    struct stint__conn *(*conn_ref)(struct stint__conn *conn);
    void (*conn_unref)(struct stint__conn *conn);
    const char *(*conn_peer)(const struct stint__conn *conn);
    bool (*conn_is_leaving)(const struct stint__conn *conn);
    void *(*conn_data)(const struct stint__conn *conn);
};

/* Every implementation's peer, acceptor and connection begins with this. */
struct stint__transport_object {
    const struct stint__transport_ops *ops;
};

extern const struct stint__transport_ops stint__stream_transport;
extern const struct stint__transport_ops stint__socket_transport;

#endif
