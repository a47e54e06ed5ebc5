/* memory.c - mem://, the simulated network: dialing, listening, and the table of operations.
 *
 * A connection request takes one delay to the host and its answer another one back; a partition
 * holds both up. A dialer or listener that is freed with an operation outstanding lives on until
 * that has completed. Locking: see memory.h. */
#include "memory.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "alloc.h"
#include "net_impl.h"

struct mem_dialer {
    struct stint__net_object object;
    struct stint__mem_host *host;
    struct stint__mem_event event;
    struct stint__net_op *op;
    struct stint__mem_connection *connection; /* answered, and not handed over yet */
    stint_code answer;
};

struct stint__mem_listener {
    struct stint__net_object object;
    struct stint__mem_host *host;
    struct stint__mem_event event;
    struct stint__net_op *op;
    struct stint__list backlog;
    char url[sizeof STINT__MEM_PREFIX + STINT__MEM_NAME_MAX];
};

/* ---- dialing and accepting ---- */

static void listener_poke_locked(struct stint__mem_listener *l)
{
    if (l->op != NULL && !stint__list_empty(&l->backlog))
        stint__mem_soon_locked(&l->event);
}

static struct stint__net_op *finish_accept(struct stint__mem_event *e)
{
    struct stint__mem_listener *l = STINT__CONTAINER_OF(e, struct stint__mem_listener, event);
    struct stint__net_op *op = l->op;
    struct stint__list *link = stint__list_pop_front(&l->backlog);
    l->op = NULL;
    op->stream =
        (struct stint__stream *)&STINT__CONTAINER_OF(link, struct stint__mem_connection, backlog)
            ->server;
    return op;
}

static struct stint__net_op *cancel_accept(struct stint__mem_event *e)
{
    struct stint__mem_listener *l = STINT__CONTAINER_OF(e, struct stint__mem_listener, event);
    struct stint__net_op *op = stint__mem_op_fail(
        l->op, STINT_CANCELLED, l->url + sizeof STINT__MEM_PREFIX - 1, "the listener was closed");
    stint__free(l);
    return op;
}

/* The answer to a dial is back. */
static struct stint__net_op *finish_dial(struct stint__mem_event *e)
{
    struct mem_dialer *d = STINT__CONTAINER_OF(e, struct mem_dialer, event);
    if (stint__mem_park_locked(d->host, e))
        return NULL;
    struct stint__net_op *op = d->op;
    d->op = NULL;
    if (d->connection == NULL)
        return stint__mem_op_fail(op, d->answer, d->host->name,
                                  d->answer == STINT_UNAVAILABLE ? "connection refused"
                                                                 : "out of memory");
    op->stream = (struct stint__stream *)&d->connection->client;
    d->connection = NULL;
    return op;
}

/* A connection request is at the host. */
static struct stint__net_op *arrive_dial(struct stint__mem_event *e)
{
    struct mem_dialer *d = STINT__CONTAINER_OF(e, struct mem_dialer, event);
    struct stint__mem_host *h = d->host;
    if (stint__mem_park_locked(h, e))
        return NULL;
    d->answer = STINT_UNAVAILABLE;
    if (h->listener != NULL && !stint__mem_faults_locked(h)->refuse) {
        d->connection = stint__mem_connection_new_locked(h, d->object.ops);
        if (d->connection == NULL) {
            d->answer = STINT_RESOURCE_EXHAUSTED;
        } else {
            stint__list_push_back(&h->listener->backlog, &d->connection->backlog);
            listener_poke_locked(h->listener);
        }
    }
    e->fn = finish_dial;
    stint__mem_schedule_locked(e, stint__mem_arrival_locked(h));
    return NULL;
}

static void dialer_destroy_locked(struct mem_dialer *d)
{
    if (d->connection != NULL)
        stint__mem_free_locked(&d->connection->client);
    stint__mem_host_put_locked(d->host);
    stint__free(d);
}

static struct stint__net_op *cancel_dial(struct stint__mem_event *e)
{
    struct mem_dialer *d = STINT__CONTAINER_OF(e, struct mem_dialer, event);
    struct stint__net_op *op =
        stint__mem_op_fail(d->op, STINT_CANCELLED, d->host->name, "the dialer was closed");
    dialer_destroy_locked(d);
    return op;
}

/* ---- the table ---- */

/* The NAME in mem://NAME, or NULL with err set. */
static const char *name_of(const char *url, stint_error *err)
{
    const char *name = url + sizeof STINT__MEM_PREFIX - 1;
    if (strncasecmp(url, STINT__MEM_PREFIX, sizeof STINT__MEM_PREFIX - 1) != 0 || name[0] == '\0') {
        stint_error_set(err, STINT_INVALID_ARGUMENT, "%s: not of the form mem://NAME", url);
        return NULL;
    }
    if (strlen(name) > STINT__MEM_NAME_MAX) {
        stint_error_set(err, STINT_INVALID_ARGUMENT, "%s: the name is longer than %d bytes", url,
                        STINT__MEM_NAME_MAX);
        return NULL;
    }
    return name;
}

static stint_code out_of_memory(const char *url, stint_error *err)
{
    return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "%s: out of memory", url);
}

static stint_code mem_dialer_new(struct stint__dialer **ret, const char *url, stint_error *err)
{
    const char *name = name_of(url, err);
    if (name == NULL)
        return STINT_INVALID_ARGUMENT;
    struct mem_dialer *d = stint__alloc_zeroed(sizeof *d);
    if (d == NULL)
        return out_of_memory(url, err);
    d->object.ops = &stint__net_memory;
    stint__mem_event_init(&d->event, arrive_dial);
    stint__mem_lock();
    d->host = stint__mem_host_get_locked(name);
    stint__mem_unlock();
    if (d->host == NULL) {
        stint__free(d);
        return out_of_memory(url, err);
    }
    *ret = (struct stint__dialer *)d;
    return STINT_OK;
}

static void mem_dial(struct stint__dialer *dialer, struct stint__net_op *op)
{
    struct mem_dialer *d = (struct mem_dialer *)dialer;
    stint__mem_op_begin(op);
    stint__mem_lock();
    d->op = op;
    d->event.fn = arrive_dial;
    stint__mem_schedule_locked(&d->event, stint__mem_arrival_locked(d->host));
    stint__mem_unlock();
}

static void mem_dialer_free(struct stint__dialer *dialer)
{
    struct mem_dialer *d = (struct mem_dialer *)dialer;
    stint__mem_lock();
    if (d->op != NULL) {
        d->event.fn = cancel_dial;
        stint__mem_schedule_locked(&d->event, stint_now());
    } else {
        dialer_destroy_locked(d);
    }
    stint__mem_unlock();
}

/* Makes l the host's listener. */
static stint_code bind_locked(struct stint__mem_listener *l, const char *name, stint_error *err)
{
    struct stint__mem_host *h = stint__mem_host_get_locked(name);
    if (h == NULL)
        return out_of_memory(l->url, err);
    if (h->listener != NULL) {
        stint__mem_host_put_locked(h);
        return stint_error_set(err, STINT_ALREADY_EXISTS, "%s: address in use", l->url);
    }
    h->listener = l;
    l->host = h;
    return STINT_OK;
}

static stint_code mem_listener_new(struct stint__listener **ret, const char *url, stint_error *err)
{
    const char *name = name_of(url, err);
    if (name == NULL)
        return STINT_INVALID_ARGUMENT;
    struct stint__mem_listener *l = stint__alloc_zeroed(sizeof *l);
    if (l == NULL)
        return out_of_memory(url, err);
    l->object.ops = &stint__net_memory;
    snprintf(l->url, sizeof l->url, "%s", url);
    stint__mem_event_init(&l->event, finish_accept);
    stint__list_init(&l->backlog);
    stint__mem_lock();
    stint_code code = bind_locked(l, name, err);
    stint__mem_unlock();
    if (code != STINT_OK)
        stint__free(l);
    else
        *ret = (struct stint__listener *)l;
    return code;
}

static const char *mem_listener_url(const struct stint__listener *l)
{
    return ((const struct stint__mem_listener *)l)->url;
}

static void mem_accept(struct stint__listener *listener, struct stint__net_op *op)
{
    struct stint__mem_listener *l = (struct stint__mem_listener *)listener;
    stint__mem_op_begin(op);
    stint__mem_lock();
    l->op = op;
    listener_poke_locked(l);
    stint__mem_unlock();
}

static void mem_listener_free(struct stint__listener *listener)
{
    struct stint__mem_listener *l = (struct stint__mem_listener *)listener;
    struct stint__list *link;
    stint__mem_lock();
    while ((link = stint__list_pop_front(&l->backlog)) != NULL)
        stint__mem_free_locked(
            &STINT__CONTAINER_OF(link, struct stint__mem_connection, backlog)->server);
    l->host->listener = NULL;
    stint__mem_host_put_locked(l->host);
    l->host = NULL;
    if (l->op != NULL) {
        l->event.fn = cancel_accept;
        stint__mem_schedule_locked(&l->event, stint_now());
    } else {
        stint__free(l);
    }
    stint__mem_unlock();
}

static void mem_read(struct stint__stream *s, void *buf, size_t len, struct stint__net_op *op)
{
    stint__mem_op_begin(op);
    stint__mem_lock();
    stint__mem_read_locked((struct stint__mem_stream *)s, buf, len, op);
    stint__mem_unlock();
}

static void mem_write(struct stint__stream *s, const struct stint__iov *iov, unsigned n,
                      struct stint__net_op *op)
{
    stint__mem_op_begin(op);
    stint__mem_lock();
    stint__mem_write_locked((struct stint__mem_stream *)s, iov, n, op);
    stint__mem_unlock();
}

static void mem_close(struct stint__stream *s)
{
    stint__mem_lock();
    stint__mem_close_locked((struct stint__mem_stream *)s);
    stint__mem_unlock();
}

static void mem_free(struct stint__stream *s)
{
    stint__mem_lock();
    stint__mem_free_locked((struct stint__mem_stream *)s);
    stint__mem_unlock();
}

static const char *mem_peer(const struct stint__stream *s)
{
    return ((const struct stint__mem_stream *)s)->peer;
}

const struct stint__net_ops stint__net_memory = {
    .scheme = "mem",
    .ipc_framing = false,
    .dialer_new = mem_dialer_new,
    .dial = mem_dial,
    .dialer_free = mem_dialer_free,
    .listener_new = mem_listener_new,
    .listener_url = mem_listener_url,
    .accept = mem_accept,
    .listener_free = mem_listener_free,
    .read = mem_read,
    .write = mem_write,
    .close = mem_close,
    .free = mem_free,
    .peer = mem_peer,
};
