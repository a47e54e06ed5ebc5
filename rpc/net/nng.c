/* nng.c - tcp:// and ipc:// over NNG's byte streams: addresses, dialers, listeners.
 *
 * A dialer or listener owns one NNG object, one aio for the operation outstanding on it, and one
 * spare stream, made before the operation starts, so that a new connection never fails for want of
 * memory inside a callback. Its fields belong to whoever may use it by net.h's rules (one operation
 * at a time), handed on by NNG's and the reaper's own locks; `freed` alone is shared.
 *
 * Design notes. NNG removes a stale ipc path when it binds: it tries to connect to it and unlinks
 * it when refused. A refusal also comes from a file that is no socket, which NNG would therefore
 * delete: we look first. */
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "alloc.h"
#include "net_impl.h"
#include "nng_impl.h"

#define IPC_PATH_MAX (sizeof((struct sockaddr_un *)NULL)->sun_path - 1)

/* ---- errors ---- */

static const char *error_text(int rv)
{
    switch (rv) {
    case NNG_ECONNREFUSED:
        return "connection refused: nobody listens there";
    case NNG_EADDRINUSE:
        return "address in use: somebody listens there";
    case NNG_EADDRINVAL:
        return "no such host or address";
    case NNG_ECONNSHUT: /* end of file */
    case NNG_ECLOSED:   /* EPIPE */
        return "closed by the peer";
    case NNG_ECONNRESET:
        return "connection reset by the peer";
    case NNG_ENOFILES:
        return "no file descriptors left";
    case NNG_ENOMEM:
        return "out of memory";
    case NNG_EPERM:
        return "permission denied";
    case NNG_ENOENT:
        return "no such directory";
    default:
        return nng_strerror(rv);
    }
}

stint_code stint__nng_error(stint_error *err, int rv, bool closed, const char *address)
{
    if (closed)
        return stint_error_set(err, STINT_CANCELLED, "%s: closed here", address);
    stint_code code =
        rv == NNG_ENOMEM || rv == NNG_ENOFILES ? STINT_RESOURCE_EXHAUSTED : STINT_UNAVAILABLE;
    return stint_error_set(err, code, "%s: %s", address, error_text(rv));
}

stint_code stint__nng_listen_error(stint_error *err, int rv, const char *url)
{
    stint_code code = STINT_UNAVAILABLE;
    if (rv == NNG_EADDRINUSE)
        code = STINT_ALREADY_EXISTS;
    else if (rv == NNG_EPERM)
        code = STINT_PERMISSION_DENIED;
    else if (rv == NNG_EADDRINVAL)
        code = STINT_INVALID_ARGUMENT;
    else if (rv == NNG_ENOMEM || rv == NNG_ENOFILES)
        code = STINT_RESOURCE_EXHAUSTED;
    return stint_error_set(err, code, "cannot listen on %s: %s", url, error_text(rv));
}

/* ---- addresses ---- */

static stint_code check_ipc(const char *url, const char *path, stint_error *err)
{
    size_t len = strlen(path);
    if (len == 0)
        return stint_error_set(err, STINT_INVALID_ARGUMENT, "%s: no path", url);
    if (len > IPC_PATH_MAX)
        return stint_error_set(err, STINT_INVALID_ARGUMENT,
                               "ipc path too long: %zu bytes, at most %zu: %s", len, IPC_PATH_MAX,
                               url);
    return STINT_OK;
}

/* The port as a number; -1 if it is none. */
static long port_of(const nng_url *u)
{
    if (u->u_port == NULL || !isdigit((unsigned char)u->u_port[0]))
        return -1;
    char *end;
    long n = strtol(u->u_port, &end, 10);
    return *end == '\0' && n <= UINT16_MAX ? n : -1;
}

static stint_code check_tcp(const char *url, const nng_url *u, bool dialing, stint_error *err)
{
    long port = port_of(u);
    if (port < 0)
        return stint_error_set(err, STINT_INVALID_ARGUMENT, "%s: no port number (tcp://HOST:PORT)",
                               url);
    if (dialing && (u->u_hostname[0] == '\0' || port == 0))
        return stint_error_set(err, STINT_INVALID_ARGUMENT,
                               "%s: a host and a port other than 0 are needed to connect", url);
    if (u->u_path[0] != '\0')
        return stint_error_set(err, STINT_INVALID_ARGUMENT, "%s: nothing may follow the port", url);
    return STINT_OK;
}

static stint_code check_url(const char *url, bool dialing, stint_error *err)
{
    nng_url *u;
    if (nng_url_parse(&u, url) != 0)
        return stint_error_set(err, STINT_INVALID_ARGUMENT, "%s: not a URL", url);
    stint_code code = strcmp(u->u_scheme, "ipc") == 0 ? check_ipc(url, u->u_path, err)
                                                      : check_tcp(url, u, dialing, err);
    nng_url_free(u);
    return code;
}

/* See the design notes. */
static stint_code check_path_free(const char *url, stint_error *err)
{
    struct stat st;
    const char *path = strstr(url, "://") + 3;
    if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
        return stint_error_set(err, STINT_ALREADY_EXISTS,
                               "cannot listen on %s: a file that is no socket is there", url);
    return STINT_OK;
}

/* ---- what dialers and listeners share ---- */

struct connector {
    struct stint__net_object object;
    nng_aio *aio;
    struct stint__net_op *op;
    struct stint__nng_stream *spare;
    atomic_bool freed;
    struct stint__nng_reap reap_item;
    char *url;
};

static void connector_fini(struct connector *c)
{
    nng_aio_free(c->aio);
    stint__nng_stream_discard(c->spare);
    stint__free(c->url);
    stint__free(c);
}

/* Over tcp, libnng 1.5.2 may say that a dial has succeeded while it is still under way: then the
 * first read or write tells. But nobody waits for what comes when the connector is freed. */
static void on_connection(void *arg)
{
    struct connector *c = arg;
    struct stint__net_op *op = c->op;
    bool freed = atomic_load(&c->freed);
    int rv = nng_aio_result(c->aio);
    op->stream = NULL;
    if (rv == 0) {
        op->stream = stint__nng_stream_attach(c->spare, nng_aio_get_output(c->aio, 0));
        c->spare = NULL;
    }
    if (rv == 0 && freed) {
        stint__stream_free(op->stream);
        op->stream = NULL;
        rv = NNG_ECLOSED;
    }
    op->code = rv == 0 ? STINT_OK : stint__nng_error(&op->error, rv, freed, c->url);
    op->fn(op);
}

static stint_code connector_init(struct connector *c, const struct stint__net_ops *ops,
                                 const char *url, stint_error *err)
{
    c->object.ops = ops;
    c->url = stint__strdup(url);
    stint__list_init(&c->reap_item.link);
    if (c->url == NULL || nng_aio_alloc(&c->aio, on_connection, c) != 0)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "%s: out of memory", url);
    return stint__nng_reaper_start(err);
}

/* Notes op and makes the spare. False: there was no memory, and op will be completed so. */
static bool connector_prepare(struct connector *c, struct stint__net_op *op)
{
    c->op = op;
    if (c->spare == NULL)
        c->spare = stint__nng_stream_new(c->object.ops);
    if (c->spare != NULL)
        return true;
    if (nng_aio_begin(c->aio))
        nng_aio_finish(c->aio, NNG_ENOMEM);
    return false;
}

/* ---- dialer ---- */

struct dialer {
    struct connector base;
    nng_stream_dialer *dialer;
};

static stint_code dialer_new(struct stint__dialer **ret, const struct stint__net_ops *ops,
                             const char *url, stint_error *err)
{
    stint_code code = check_url(url, true, err);
    if (code != STINT_OK)
        return code;
    struct dialer *d = stint__alloc_zeroed(sizeof *d);
    if (d == NULL)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "%s: out of memory", url);
    code = connector_init(&d->base, ops, url, err);
    if (code == STINT_OK) {
        int rv = nng_stream_dialer_alloc(&d->dialer, url);
        if (rv != 0)
            code = stint_error_set(
                err, rv == NNG_ENOMEM ? STINT_RESOURCE_EXHAUSTED : STINT_INVALID_ARGUMENT, "%s: %s",
                url, error_text(rv));
    }
    if (code != STINT_OK) {
        connector_fini(&d->base);
        return code;
    }
    (void)nng_stream_dialer_set_bool(d->dialer, NNG_OPT_TCP_NODELAY, true); /* ipc has none */
    *ret = (struct stint__dialer *)(void *)d;
    return STINT_OK;
}

static void dial(struct stint__dialer *dialer, struct stint__net_op *op)
{
    struct dialer *d = (struct dialer *)(void *)dialer;
    if (connector_prepare(&d->base, op))
        nng_stream_dialer_dial(d->dialer, d->base.aio);
}

static void reap_dialer(struct stint__nng_reap *item)
{
    struct dialer *d = STINT__CONTAINER_OF(item, struct dialer, base.reap_item);
    nng_stream_dialer_close(d->dialer);
    nng_aio_stop(d->base.aio);
    nng_stream_dialer_free(d->dialer);
    connector_fini(&d->base);
}

static void dialer_free(struct stint__dialer *dialer)
{
    struct dialer *d = (struct dialer *)(void *)dialer;
    atomic_store(&d->base.freed, true);
    stint__nng_reap(&d->base.reap_item, reap_dialer);
}

/* ---- listener ---- */

struct listener {
    struct connector base;
    nng_stream_listener *listener;
    char bound[STINT__NNG_ADDRESS_SIZE]; /* the URL with the real port; empty over ipc */
};

static stint_code bind_and_listen(struct listener *l, const char *url, stint_error *err)
{
    int rv = nng_stream_listener_alloc(&l->listener, url);
    if (rv == 0) {
        (void)nng_stream_listener_set_bool(l->listener, NNG_OPT_TCP_NODELAY, true);
        rv = nng_stream_listener_listen(l->listener);
    }
    if (rv != 0)
        return stint__nng_listen_error(err, rv, url);
    nng_sockaddr addr;
    if (nng_stream_listener_get_addr(l->listener, NNG_OPT_LOCADDR, &addr) == 0)
        stint__nng_address_format(l->bound, sizeof l->bound, l->base.object.ops->scheme, &addr);
    return STINT_OK;
}

static stint_code listener_new(struct stint__listener **ret, const struct stint__net_ops *ops,
                               const char *url, stint_error *err)
{
    stint_code code = check_url(url, false, err);
    if (code == STINT_OK && ops->ipc_framing)
        code = check_path_free(url, err);
    if (code != STINT_OK)
        return code;
    struct listener *l = stint__alloc_zeroed(sizeof *l);
    if (l == NULL)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "%s: out of memory", url);
    code = connector_init(&l->base, ops, url, err);
    if (code == STINT_OK)
        code = bind_and_listen(l, url, err);
    if (code != STINT_OK) {
        nng_stream_listener_free(l->listener);
        connector_fini(&l->base);
        return code;
    }
    *ret = (struct stint__listener *)(void *)l;
    return STINT_OK;
}

static const char *listener_url(const struct stint__listener *listener)
{
    const struct listener *l = (const struct listener *)(const void *)listener;
    return l->bound[0] != '\0' ? l->bound : l->base.url;
}

static void accept_one(struct stint__listener *listener, struct stint__net_op *op)
{
    struct listener *l = (struct listener *)(void *)listener;
    if (connector_prepare(&l->base, op))
        nng_stream_listener_accept(l->listener, l->base.aio);
}

static void reap_listener(struct stint__nng_reap *item)
{
    struct listener *l = STINT__CONTAINER_OF(item, struct listener, base.reap_item);
    nng_aio_stop(l->base.aio);
    nng_stream_listener_free(l->listener);
    connector_fini(&l->base);
}

/* Closing does not wait for anything: from here on nobody listens at the address. */
static void listener_free(struct stint__listener *listener)
{
    struct listener *l = (struct listener *)(void *)listener;
    atomic_store(&l->base.freed, true);
    nng_stream_listener_close(l->listener);
    stint__nng_reap(&l->base.reap_item, reap_listener);
}

/* ---- the tables ---- */

static stint_code tcp_dialer_new(struct stint__dialer **ret, const char *url, stint_error *err)
{
    return dialer_new(ret, &stint__net_tcp, url, err);
}

static stint_code ipc_dialer_new(struct stint__dialer **ret, const char *url, stint_error *err)
{
    return dialer_new(ret, &stint__net_ipc, url, err);
}

static stint_code tcp_listener_new(struct stint__listener **ret, const char *url, stint_error *err)
{
    return listener_new(ret, &stint__net_tcp, url, err);
}

static stint_code ipc_listener_new(struct stint__listener **ret, const char *url, stint_error *err)
{
    return listener_new(ret, &stint__net_ipc, url, err);
}

#define NNG_OPERATIONS                                                                             \
    .dial = dial, .dialer_free = dialer_free, .listener_url = listener_url, .accept = accept_one,  \
    .listener_free = listener_free, .read = stint__nng_stream_read,                                \
    .write = stint__nng_stream_write, .try_read = stint__nng_stream_try_read,                      \
    .try_write = stint__nng_stream_try_write, .close = stint__nng_stream_close,                    \
    .free = stint__nng_stream_free, .peer = stint__nng_stream_peer

const struct stint__net_ops stint__net_tcp = {
    .scheme = "tcp",
    .dialer_new = tcp_dialer_new,
    .listener_new = tcp_listener_new,
    NNG_OPERATIONS,
};

const struct stint__net_ops stint__net_ipc = {
    .scheme = "ipc",
    .ipc_framing = true,
    .dialer_new = ipc_dialer_new,
    .listener_new = ipc_listener_new,
    NNG_OPERATIONS,
};
