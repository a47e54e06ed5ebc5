/* stream_client.h - the two halves of a client: the peer, which connects again and again
 * (stream_peer.c), and one connection with the exchanges on it (stream_client.c). */
#ifndef STINT_TRANSPORT_STREAM_CLIENT_H
#define STINT_TRANSPORT_STREAM_CLIENT_H

#include "map.h"
#include "stream.h"

#define STINT__CANCELS_MAX 65536 /* remembered at most, until the peer's features are known */

struct stint__stream_peer {
    struct stint__stream_end end;
    struct stint__peer_events events;
    atomic_uint refs;     /* its owner's, a dial outstanding, each pipe, the retry timer */
    pthread_mutex_t lock; /* guards what follows, and the pipe */
    pthread_cond_t idle;  /* `running` became 0 */
    unsigned running;     /* threads that report a failure */
    bool closed;
    unsigned failures; /* attempts in a row that came to nothing */
    struct stint__dialer *dialer;
    struct stint__net_op dial_op;
    struct stint__timer retry;
    struct stint__client_pipe *pipe; /* the connection for new requests, or NULL */
    struct stint__list draining; /* of connections whose peer said GOAWAY, until they are gone */
};

struct stint__client_pipe {
    struct stint__pipe pipe;
    struct stint__stream_peer *peer;
    struct stint__list link;     /* in the peer's `draining`, or in none */
    struct stint__map exchanges; /* by request ID */
    uint32_t last_id;
    bool draining;             /* the peer said GOAWAY */
    bool of_use;               /* a request was answered with OK */
    struct stint__map cancels; /* request IDs to be cancelled once HELLO has come */
};

void stint__stream_peer_ref(struct stint__stream_peer *peer);
void stint__stream_peer_unref(struct stint__stream_peer *peer);

/* Brackets around what reports the end of a connection, or (NULL) of an attempt to make one:
 * stint__peer_stop waits for it. `begin` wants the lock held. `end` must be called without it; it
 * reports *why and connects again, unless `why` is NULL. */
void stint__stream_peer_loss_begin_locked(struct stint__stream_peer *peer,
                                          struct stint__client_pipe *c);
void stint__stream_peer_loss_end(struct stint__stream_peer *peer, const stint_error *why);

/* The connection takes no more requests; a new one is made. In a function of its role, without the
 * lock. */
void stint__stream_peer_goaway(struct stint__stream_peer *peer, struct stint__client_pipe *c);

/* NULL: out of memory; the stream is then still the caller's. */
struct stint__client_pipe *stint__client_pipe_new(struct stint__stream_peer *peer,
                                                  struct stint__stream *stream);

#endif
