/* nng_impl.h - shared by the files of the implementation over nng_stream.
 *
 * NNG's objects must not be closed or freed inside their own callbacks: freeing waits for the
 * callback to return. So one thread, the reaper, closes, stops and frees all of them, and every
 * object carries the link it is handed over with: handing over cannot fail. */
#ifndef STINT_NET_NNG_IMPL_H
#define STINT_NET_NNG_IMPL_H

#include <nng/nng.h>

#include "list.h"
#include "net.h"

/* ---- nng_reap.c ---- */

struct stint__nng_reap {
    struct stint__list link;
    void (*fn)(struct stint__nng_reap *item);
};

/* Starts the thread if it does not run yet. RESOURCE_EXHAUSTED if there can be none. */
STINT_NODISCARD stint_code stint__nng_reaper_start(stint_error *err);

/* Runs fn(item) in the reaper, after everything handed over before. The reaper was started. */
void stint__nng_reap(struct stint__nng_reap *item, void (*fn)(struct stint__nng_reap *item));

/* ---- nng_stream.c ---- */

struct stint__nng_stream;

/* A stream without a connection, so that nothing needs memory once a connection is there. */
struct stint__nng_stream *stint__nng_stream_new(const struct stint__net_ops *ops);
/* Gives it its connection. */
struct stint__stream *stint__nng_stream_attach(struct stint__nng_stream *s, nng_stream *stream);
/* Frees one that got none; NULL is accepted. */
void stint__nng_stream_discard(struct stint__nng_stream *s);

void stint__nng_stream_read(struct stint__stream *s, void *buf, size_t len,
                            struct stint__net_op *op);
void stint__nng_stream_write(struct stint__stream *s, const struct stint__iov *iov, unsigned n,
                             struct stint__net_op *op);
size_t stint__nng_stream_try_read(struct stint__stream *s, void *buf, size_t len);
size_t stint__nng_stream_try_write(struct stint__stream *s, const struct stint__iov *iov,
                                   unsigned n);
void stint__nng_stream_close(struct stint__stream *s);
void stint__nng_stream_free(struct stint__stream *s);
const char *stint__nng_stream_peer(const struct stint__stream *s);

#define STINT__NNG_ADDRESS_SIZE 80
/* "tcp://127.0.0.1:4000"; an empty string for an address that is not IP. */
void stint__nng_address_format(char *out, size_t size, const char *scheme,
                               const nng_sockaddr *addr);

/* ---- nng.c ---- */

/* What an NNG error means to a dial, accept, read or write; `closed`: we closed it ourselves. */
stint_code stint__nng_error(stint_error *err, int rv, bool closed, const char *address);
/* What it means when listening on a URL has failed. */
stint_code stint__nng_listen_error(stint_error *err, int rv, const char *url);

#endif
