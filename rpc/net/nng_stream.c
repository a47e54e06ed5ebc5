/* nng_stream.c - one connection over an nng_stream.
 *
 * NNG never completes an operation that was started after its stream was closed. So `closed` is
 * ours: it is set before the reaper closes NNG's stream, and what is started from then on is
 * completed with NNG_ECLOSED by ourselves, through the same NNG aio, so that it too completes in a
 * thread of NNG. `lock` guards `closed` and is held while an operation is started, which never
 * waits; the reaper takes it once before it frees, as the starter may still be on its way out. */
#include "nng_impl.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"

#define PEER_TEXT_SIZE 192

/* Reading or writing: the aio and the operation outstanding on it, and one for what is done at
 * once.
 */
struct direction {
    nng_aio *aio;
    struct stint__net_op *op;
    nng_aio *at_once; /* without a callback: NNG completes it where it is finished */
    struct stint__nng_stream *stream;
};

struct stint__nng_stream {
    struct stint__net_object object;
    nng_stream *stream;
    struct direction read, write;
    pthread_mutex_t lock;
    bool closed;
    struct stint__nng_reap close_item, free_item;
    char peer[PEER_TEXT_SIZE];
};

/* nng_aio_set_iov wants pointers that are not const although it only reads when sending. */
_Static_assert(sizeof(struct stint__iov) == sizeof(nng_iov) &&
                   offsetof(struct stint__iov, data) == offsetof(nng_iov, iov_buf) &&
                   offsetof(struct stint__iov, len) == offsetof(nng_iov, iov_len),
               "stint__iov has the layout of nng_iov");

static struct stint__nng_stream *self_of(struct stint__stream *s)
{
    return (struct stint__nng_stream *)(void *)s;
}

/* ---- creation ---- */

static void on_done(void *arg)
{
    struct direction *d = arg;
    struct stint__nng_stream *s = d->stream;
    struct stint__net_op *op = d->op;
    int rv = nng_aio_result(d->aio);
    op->count = nng_aio_count(d->aio);
    op->code = STINT_OK;
    if (rv != 0) {
        pthread_mutex_lock(&s->lock);
        bool closed = s->closed;
        pthread_mutex_unlock(&s->lock);
        op->code = stint__nng_error(&op->error, rv, closed, s->peer);
    }
    op->fn(op);
}

static bool direction_init(struct direction *d, struct stint__nng_stream *s)
{
    d->stream = s;
    return nng_aio_alloc(&d->aio, on_done, d) == 0 && nng_aio_alloc(&d->at_once, NULL, NULL) == 0;
}

static void direction_fini(struct direction *d)
{
    nng_aio_free(d->aio);
    nng_aio_free(d->at_once);
}

static void destroy(struct stint__nng_stream *s)
{
    direction_fini(&s->read);
    direction_fini(&s->write);
    nng_stream_free(s->stream);
    pthread_mutex_destroy(&s->lock);
    stint__free(s);
}

struct stint__nng_stream *stint__nng_stream_new(const struct stint__net_ops *ops)
{
    struct stint__nng_stream *s = stint__alloc_zeroed(sizeof *s);
    if (s == NULL)
        return NULL;
    s->object.ops = ops;
    pthread_mutex_init(&s->lock, NULL);
    stint__list_init(&s->close_item.link);
    stint__list_init(&s->free_item.link);
    if (!direction_init(&s->read, s) || !direction_init(&s->write, s)) {
        destroy(s);
        return NULL;
    }
    return s;
}

void stint__nng_stream_discard(struct stint__nng_stream *s)
{
    if (s != NULL)
        destroy(s);
}

void stint__nng_address_format(char *out, size_t size, const char *scheme, const nng_sockaddr *addr)
{
    char host[INET6_ADDRSTRLEN] = "";
    out[0] = '\0';
    if (addr->s_family == NNG_AF_INET) {
        inet_ntop(AF_INET, &addr->s_in.sa_addr, host, sizeof host);
        snprintf(out, size, "%s://%s:%u", scheme, host, (unsigned)ntohs(addr->s_in.sa_port));
    } else if (addr->s_family == NNG_AF_INET6) {
        inet_ntop(AF_INET6, addr->s_in6.sa_addr, host, sizeof host);
        snprintf(out, size, "%s://[%s]:%u", scheme, host, (unsigned)ntohs(addr->s_in6.sa_port));
    }
}

static void describe_ipc_peer(struct stint__nng_stream *s, const char *path)
{
    uint64_t pid = 0;
    uint64_t uid = 0;
    if (nng_stream_get_uint64(s->stream, NNG_OPT_IPC_PEER_PID, &pid) == 0 &&
        nng_stream_get_uint64(s->stream, NNG_OPT_IPC_PEER_UID, &uid) == 0)
        snprintf(s->peer, sizeof s->peer, "ipc://%s pid %llu uid %llu", path,
                 (unsigned long long)pid, (unsigned long long)uid);
    else
        snprintf(s->peer, sizeof s->peer, "ipc://%s", path);
}

struct stint__stream *stint__nng_stream_attach(struct stint__nng_stream *s, nng_stream *stream)
{
    s->stream = stream;
    nng_sockaddr addr;
    if (nng_stream_get_addr(stream, NNG_OPT_REMADDR, &addr) == 0) {
        if (addr.s_family == NNG_AF_IPC)
            describe_ipc_peer(s, addr.s_ipc.sa_path);
        else
            stint__nng_address_format(s->peer, sizeof s->peer, s->object.ops->scheme, &addr);
    }
    if (s->peer[0] == '\0') /* it is gone already */
        snprintf(s->peer, sizeof s->peer, "%s peer", s->object.ops->scheme);
    return (struct stint__stream *)(void *)s;
}

/* ---- operations ---- */

static void start(struct direction *d, struct stint__net_op *op,
                  void (*begin)(nng_stream *, nng_aio *))
{
    struct stint__nng_stream *s = d->stream;
    d->op = op;
    pthread_mutex_lock(&s->lock);
    if (!s->closed)
        begin(s->stream, d->aio);
    else if (nng_aio_begin(d->aio))
        nng_aio_finish(d->aio, NNG_ECLOSED);
    pthread_mutex_unlock(&s->lock);
}

void stint__nng_stream_read(struct stint__stream *stream, void *buf, size_t len,
                            struct stint__net_op *op)
{
    struct stint__nng_stream *s = self_of(stream);
    nng_iov iov = {buf, len};
    (void)nng_aio_set_iov(s->read.aio, 1, &iov); /* fails only for too many */
    start(&s->read, op, nng_stream_recv);
}

void stint__nng_stream_write(struct stint__stream *stream, const struct stint__iov *iov, unsigned n,
                             struct stint__net_op *op)
{
    struct stint__nng_stream *s = self_of(stream);
    nng_iov v[STINT__NET_IOV_MAX];
    memcpy(v, iov, n * sizeof v[0]);
    (void)nng_aio_set_iov(s->write.aio, n, v);
    start(&s->write, op, nng_stream_send);
}

/* NNG does what the socket lets it do before nng_stream_send or _recv returns, and only then waits.
 * Cancelling right away takes back what waits, of which nothing has been done, and does nothing to
 * what is done. */
static size_t do_at_once(struct direction *d, void (*begin)(nng_stream *, nng_aio *))
{
    struct stint__nng_stream *s = d->stream;
    pthread_mutex_lock(&s->lock);
    bool closed = s->closed;
    if (!closed)
        begin(s->stream, d->at_once);
    pthread_mutex_unlock(&s->lock);
    if (closed)
        return 0;
    nng_aio_cancel(d->at_once);
    nng_aio_wait(d->at_once);
    return nng_aio_result(d->at_once) == 0 ? nng_aio_count(d->at_once) : 0;
}

size_t stint__nng_stream_try_read(struct stint__stream *stream, void *buf, size_t len)
{
    struct stint__nng_stream *s = self_of(stream);
    nng_iov iov = {buf, len};
    (void)nng_aio_set_iov(s->read.at_once, 1, &iov);
    return do_at_once(&s->read, nng_stream_recv);
}

size_t stint__nng_stream_try_write(struct stint__stream *stream, const struct stint__iov *iov,
                                   unsigned n)
{
    struct stint__nng_stream *s = self_of(stream);
    nng_iov v[STINT__NET_IOV_MAX];
    memcpy(v, iov, n * sizeof v[0]);
    (void)nng_aio_set_iov(s->write.at_once, n, v);
    return do_at_once(&s->write, nng_stream_send);
}

/* ---- the end ---- */

static void reap_close(struct stint__nng_reap *item)
{
    struct stint__nng_stream *s = STINT__CONTAINER_OF(item, struct stint__nng_stream, close_item);
    nng_stream_close(s->stream);
}

static void reap_free(struct stint__nng_reap *item)
{
    struct stint__nng_stream *s = STINT__CONTAINER_OF(item, struct stint__nng_stream, free_item);
    nng_stream_close(s->stream);
    nng_aio_stop(s->read.aio);
    nng_aio_stop(s->write.aio);
    pthread_mutex_lock(&s->lock);
    pthread_mutex_unlock(&s->lock);
    destroy(s);
}

void stint__nng_stream_close(struct stint__stream *stream)
{
    struct stint__nng_stream *s = self_of(stream);
    pthread_mutex_lock(&s->lock);
    bool first = !s->closed;
    s->closed = true;
    pthread_mutex_unlock(&s->lock);
    if (first)
        stint__nng_reap(&s->close_item, reap_close);
}

void stint__nng_stream_free(struct stint__stream *stream)
{
    stint__nng_reap(&self_of(stream)->free_item, reap_free);
}

const char *stint__nng_stream_peer(const struct stint__stream *stream)
{
    return ((const struct stint__nng_stream *)(const void *)stream)->peer;
}
