/* stream.h - what stream.c puts into its table. */
#ifndef STINT_TRANSPORT_STREAM_H
#define STINT_TRANSPORT_STREAM_H

#include "pipe.h"

#define STINT__STREAM_CAPABILITIES                                                                 \
    (STINT__CAN_CANCEL | STINT__CAN_GOAWAY | STINT__CAN_HEARTBEAT | STINT__CAN_SEE_LOSS |          \
     STINT__CAN_CHURN)

void stint__stream_end_init(struct stint__stream_end *end,
                            const struct stint__transport_options *opts);

/* ---- stream_peer.c ---- */

stint_code stint__stream_peer_open(struct stint__peer **ret, const char *url,
                                   const struct stint__transport_options *opts,
                                   const struct stint__peer_events *events, stint_error *err);
stint_code stint__stream_peer_submit(struct stint__peer *p, struct stint__exchange *x,
                                     struct stint__envelope *e, stint_error *err);
bool stint__stream_peer_abandon(struct stint__peer *p, struct stint__exchange *x, bool cancel);
void stint__stream_peer_stop(struct stint__peer *p);
void stint__stream_peer_close(struct stint__peer *p);

/* ---- stream_acceptor.c ---- */

stint_code stint__stream_acceptor_open(struct stint__acceptor **ret, const char *url,
                                       const struct stint__transport_options *opts,
                                       const struct stint__acceptor_events *events,
                                       stint_error *err);
stint_code stint__stream_acceptor_start(struct stint__acceptor *a, stint_error *err);
const char *stint__stream_acceptor_url(const struct stint__acceptor *a);
void stint__stream_acceptor_drain(struct stint__acceptor *a);
void stint__stream_acceptor_flush(struct stint__acceptor *a, void (*fn)(void *arg), void *arg);
void stint__stream_acceptor_close(struct stint__acceptor *a);

/* ---- stream_conn.c ---- */

stint_code stint__stream_conn_reply(struct stint__conn *conn, const struct stint__reply_to *to,
                                    struct stint__envelope *e, stint_error *err);
void stint__stream_conn_drop(struct stint__conn *conn, const struct stint__reply_to *to);
void stint__stream_conn_fail(struct stint__conn *conn, const stint_error *why);
struct stint__conn *stint__stream_conn_ref(struct stint__conn *conn);
void stint__stream_conn_unref(struct stint__conn *conn);
const char *stint__stream_conn_peer(const struct stint__conn *conn);
bool stint__stream_conn_is_leaving(const struct stint__conn *conn);
void *stint__stream_conn_data(const struct stint__conn *conn);

#endif
