/* socket_server.h - shared by socket_acceptor.c and socket_conn.c: a server over one stock REP
 * socket, its connections and the contexts that its requests and replies go through.
 *
 * A context receives a request, is held by it until the reply or the drop, sends the reply, and is
 * used again. There is always one that receives, until CONTEXTS_MAX are in use: then requests wait
 * in NNG. One receives at a time, so that the requests of a connection keep their order.
 *
 * Locking: acceptor->lock guards all fields that are not set at open and not atomic. NNG is called
 * under it, callbacks are not: they go through the connection's `serial`. Functions whose names end
 * in _locked need the lock. Order: acceptor->lock, then a serial's own.
 *
 * Lifetime: the acceptor's memory, contexts included, lives until it is closed and its last
 * connection is freed; a connection is referred to by the acceptor's map until it is removed, by
 * each context that it occupies, and by whoever took a reference. */
#ifndef STINT_TRANSPORT_SOCKET_SERVER_H
#define STINT_TRANSPORT_SOCKET_SERVER_H

#include <pthread.h>
#include <stdatomic.h>

#include "clock.h"
#include "list.h"
#include "logger.h"
#include "map.h"
#include "nng_impl.h"
#include "serial.h"
#include "socket_impl.h"

#define STINT__SOCKET_CONTEXTS_MAX 16384

enum stint__context_state {
    STINT__CONTEXT_IDLE,
    STINT__CONTEXT_RECEIVING,
    STINT__CONTEXT_QUEUED, /* its request is in the connection's serial */
    STINT__CONTEXT_HELD,   /* by a request that was handed up */
    STINT__CONTEXT_SENDING,
};

struct stint__context {
    struct stint__list link; /* in acceptor->idle, or in conn->held */
    struct stint__list all;  /* in acceptor->contexts */
    struct stint__socket_acceptor *acceptor;
    nng_ctx ctx;
    nng_aio *aio;
    enum stint__context_state state;
    uint64_t generation; /* counts the requests it has held */
    struct stint__socket_conn *conn;
    nng_msg *request; /* QUEUED */
    struct stint__serial_item item;
};

struct stint__socket_acceptor {
    struct stint__transport_object object;
    atomic_uint refs;
    struct stint__transport_options opts;
    struct stint__acceptor_events events;
    char *url; /* with the real port, once listening */
    nng_socket socket;
    struct stint__transport_counters counters;
    struct stint__logger trouble;
    struct stint__timer linger;
    pthread_mutex_t lock;
    pthread_cond_t quiet;    /* `operations` or `told_open` is 0 */
    struct stint__map conns; /* pipe ID to connection */
    struct stint__list contexts, idle, flushes;
    size_t n_contexts, operations, sending; /* operations: aios under way, and QUEUED contexts */
    size_t told_open;                       /* connections between `opened` and `closed` */
    bool receiving, started, closing;
};

struct stint__socket_conn {
    struct stint__transport_object object;
    atomic_uint refs;
    struct stint__socket_acceptor *acceptor;
    uint32_t pipe;
    struct stint__serial serial;
    struct stint__serial_item opened, closed;
    struct stint__list held; /* contexts */
    void *data;
    bool established; /* NNG has added the pipe, or something came on it */
    bool told_open;   /* `opened` is in the serial, or was called */
    bool gone;        /* removed from the map */
    bool failed;      /* to be closed, by `kick` */
    struct stint__nng_reap kick;
    char peer[STINT__NNG_ADDRESS_SIZE + 64];
};

/* ---- socket_conn.c ---- */

/* NULL when out of memory. */
struct stint__socket_conn *stint__socket_conn_new(struct stint__socket_acceptor *a, nng_pipe pipe);
/* Queues `opened`, once. */
void stint__socket_conn_tell_open_locked(struct stint__socket_conn *c);
/* The pipe is gone: its contexts are free again, and `closed` is queued if `opened` was. */
void stint__socket_conn_removed_locked(struct stint__socket_conn *c);

/* The callback of a context's aio. */
void stint__context_done(void *arg);
/* Makes one context receive, if none does and there can be one. */
void stint__context_feed_locked(struct stint__socket_acceptor *a);

/* ---- socket_acceptor.c ---- */

void stint__socket_acceptor_unref(struct stint__socket_acceptor *a);
/* A reply has been taken over by NNG: the flushes that wait for it may be due. */
void stint__socket_acceptor_sent_locked(struct stint__socket_acceptor *a);

#endif
