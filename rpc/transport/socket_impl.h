/* socket_impl.h - what the files of the transport over stock NNG sockets share.
 *
 * socket.c: URLs, messages, closing, and the table. socket_peer.c: clients. socket_acceptor.c:
 * servers. socket_conn.c: their connections and replies. serial.c: callbacks one at a time.
 *
 * NNG runs no callback of an aio inside nng_ctx_send, nng_ctx_recv or nng_aio_cancel, nor with a
 * lock of its own held (read in 1.5.2 and 1.9.0): so these may be called under our locks. */
#ifndef STINT_TRANSPORT_SOCKET_IMPL_H
#define STINT_TRANSPORT_SOCKET_IMPL_H

#include <nng/nng.h>
#include <stdbool.h>

#include "transport_impl.h"

/* The URL as NNG knows it: without a "nng+" in front. */
const char *stint__socket_nng_url(const char *url);

/* INVALID_ARGUMENT for a port that is none, which NNG finds out only when it dials. */
STINT_NODISCARD stint_code stint__socket_check_url(const char *url, stint_error *err);

/* What both sides of this URL can do. */
unsigned stint__socket_capabilities(const char *url);

/* e as a message, with the time it is sent and without features. RESOURCE_EXHAUSTED: out of memory,
 * or (MESSAGE_TOO_LARGE) over the limit. */
STINT_NODISCARD stint_code stint__socket_encode(nng_msg **ret, struct stint__envelope *e,
                                                size_t max_message, stint_error *err);

/* Decodes a message's body, which *ret then points into, and checks its size and kind. */
STINT_NODISCARD stint_code stint__socket_decode(struct stint__incoming *ret, nng_msg *msg,
                                                enum stint__kind kind, size_t max_message,
                                                stint_error *err);

/* Sets what both sides set: sizes, hops, and who hears of pipes. */
STINT_NODISCARD int stint__socket_configure(nng_socket s,
                                            const struct stint__transport_options *opts,
                                            nng_pipe_cb on_pipe, void *arg);

/* Closes the socket of `url`, waiting a few seconds at most. False: NNG hangs, and may still call
 * back: what its callbacks use must never be freed. See STINT__CAN_CHURN. */
bool stint__socket_close(nng_socket s, const char *url);
#define STINT__SOCKET_HANGS "%s: NNG hangs when it closes the socket; it is given up, not freed"

/* The functions of the table. */
stint_code stint__socket_peer_open(struct stint__peer **ret, const char *url,
                                   const struct stint__transport_options *opts,
                                   const struct stint__peer_events *events, stint_error *err);
stint_code stint__socket_peer_submit(struct stint__peer *p, struct stint__exchange *x,
                                     struct stint__envelope *e, stint_error *err);
bool stint__socket_peer_abandon(struct stint__peer *p, struct stint__exchange *x, bool cancel);
unsigned stint__socket_peer_capabilities(const struct stint__peer *p);
void stint__socket_peer_stats(const struct stint__peer *p, struct stint__transport_stats *stats);
void stint__socket_peer_stop(struct stint__peer *p);
void stint__socket_peer_close(struct stint__peer *p);

stint_code stint__socket_acceptor_open(struct stint__acceptor **ret, const char *url,
                                       const struct stint__transport_options *opts,
                                       const struct stint__acceptor_events *events,
                                       stint_error *err);
stint_code stint__socket_acceptor_start(struct stint__acceptor *a, stint_error *err);
const char *stint__socket_acceptor_url(const struct stint__acceptor *a);
unsigned stint__socket_acceptor_capabilities(const struct stint__acceptor *a);
void stint__socket_acceptor_stats(const struct stint__acceptor *a,
                                  struct stint__transport_stats *stats);
void stint__socket_acceptor_drain(struct stint__acceptor *a);
void stint__socket_acceptor_flush(struct stint__acceptor *a, void (*fn)(void *arg), void *arg);
void stint__socket_acceptor_close(struct stint__acceptor *a);

stint_code stint__socket_conn_reply(struct stint__conn *conn, const struct stint__reply_to *to,
                                    struct stint__envelope *e, stint_error *err);
void stint__socket_conn_drop(struct stint__conn *conn, const struct stint__reply_to *to);
void stint__socket_conn_fail(struct stint__conn *conn, const stint_error *why);
struct stint__conn *stint__socket_conn_ref(struct stint__conn *conn);
void stint__socket_conn_unref(struct stint__conn *conn);
const char *stint__socket_conn_peer(const struct stint__conn *conn);
bool stint__socket_conn_is_leaving(const struct stint__conn *conn);
void *stint__socket_conn_data(const struct stint__conn *conn);

#endif
