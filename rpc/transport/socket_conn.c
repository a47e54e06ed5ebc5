/* socket_conn.c - the connections of a stock REP socket, and the requests and replies on them.
 * Design, locking and lifetime: see socket_server.h.
 *
 * NNG drops a reply whose pipe is gone and calls that success. Here such a reply is UNAVAILABLE
 * when the removal is known: the context that it would have gone through has got a new generation.
 */
#include "socket_server.h"

#include <stdio.h>
#include <string.h>

#include "alloc.h"

static struct stint__socket_conn *self(struct stint__conn *c)
{
    return (struct stint__socket_conn *)c;
}

static struct stint__conn *public(struct stint__socket_conn *c)
{
    return (struct stint__conn *)c;
}

static void conn_ref(struct stint__socket_conn *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
}

static void conn_unref(struct stint__socket_conn *c)
{
    if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    stint__socket_acceptor_unref(c->acceptor);
    stint__serial_fini(&c->serial);
    stint__free(c);
}

struct stint__conn *stint__socket_conn_ref(struct stint__conn *conn)
{
    conn_ref(self(conn));
    return conn;
}

void stint__socket_conn_unref(struct stint__conn *conn)
{
    conn_unref(self(conn));
}

const char *stint__socket_conn_peer(const struct stint__conn *conn)
{
    return ((const struct stint__socket_conn *)conn)->peer;
}

bool stint__socket_conn_is_leaving(const struct stint__conn *conn)
{
    (void)conn; /* a stock socket cannot be told */
    return false;
}

void *stint__socket_conn_data(const struct stint__conn *conn)
{
    return ((const struct stint__socket_conn *)conn)->data;
}

/* ---- contexts ---- */

static void run_request(struct stint__serial_item *item);

static struct stint__context *context_new_locked(struct stint__socket_acceptor *a)
{
    if (a->n_contexts == STINT__SOCKET_CONTEXTS_MAX)
        return NULL;
    struct stint__context *k = stint__alloc_zeroed(sizeof *k);
    if (k == NULL)
        return NULL;
    if (nng_ctx_open(&k->ctx, a->socket) != 0) {
        stint__free(k);
        return NULL;
    }
    if (nng_aio_alloc(&k->aio, stint__context_done, k) != 0) {
        nng_ctx_close(k->ctx);
        stint__free(k);
        return NULL;
    }
    nng_aio_set_timeout(k->aio, NNG_DURATION_INFINITE);
    k->acceptor = a;
    stint__serial_item_init(&k->item, run_request);
    stint__list_init(&k->link);
    stint__list_push_back(&a->contexts, &k->all);
    a->n_contexts++;
    return k;
}

void stint__context_feed_locked(struct stint__socket_acceptor *a)
{
    if (a->receiving || !a->started || a->closing)
        return;
    struct stint__list *link = stint__list_pop_front(&a->idle);
    struct stint__context *k = link != NULL ? STINT__CONTAINER_OF(link, struct stint__context, link)
                                            : context_new_locked(a);
    if (k == NULL)
        return;
    a->receiving = true;
    a->operations++;
    k->state = STINT__CONTEXT_RECEIVING;
    nng_ctx_recv(k->ctx, k->aio);
}

static void operation_over_locked(struct stint__socket_acceptor *a)
{
    if (--a->operations == 0)
        pthread_cond_broadcast(&a->quiet);
}

/* k is free for another request. Returns the connection it held, for the caller to let go of when
 * it no longer has the lock. */
static struct stint__socket_conn *release_locked(struct stint__context *k)
{
    struct stint__socket_conn *c = k->conn;
    k->conn = NULL;
    k->generation++;
    k->state = STINT__CONTEXT_IDLE;
    stint__list_unlink(&k->link);
    stint__list_push_back(&k->acceptor->idle, &k->link);
    stint__context_feed_locked(k->acceptor);
    return c;
}

/* ---- the life of a connection ---- */

static void tell_opened(struct stint__serial_item *item)
{
    struct stint__socket_conn *c = STINT__CONTAINER_OF(item, struct stint__socket_conn, opened);
    struct stint__socket_acceptor *a = c->acceptor;
    stint__transport_enter();
    c->data = a->events.opened(a->events.arg, public(c));
    stint__transport_leave();
}

static void tell_closed(struct stint__serial_item *item)
{
    struct stint__socket_conn *c = STINT__CONTAINER_OF(item, struct stint__socket_conn, closed);
    struct stint__socket_acceptor *a = c->acceptor;
    stint__transport_enter();
    a->events.closed(a->events.arg, c->data, public(c));
    stint__transport_leave();
    pthread_mutex_lock(&a->lock);
    if (--a->told_open == 0)
        pthread_cond_broadcast(&a->quiet);
    pthread_mutex_unlock(&a->lock);
}

static void name_peer(struct stint__socket_conn *c, nng_pipe pipe)
{
    nng_sockaddr addr;
    char address[STINT__NNG_ADDRESS_SIZE] = "";
    if (nng_pipe_get_addr(pipe, NNG_OPT_REMADDR, &addr) == 0)
        stint__nng_address_format(address, sizeof address, "tcp", &addr);
    if (address[0] != '\0')
        snprintf(c->peer, sizeof c->peer, "%s", address);
    else
        snprintf(c->peer, sizeof c->peer, "%.*s pipe %u", STINT__NNG_ADDRESS_SIZE, c->acceptor->url,
                 (unsigned)c->pipe);
}

struct stint__socket_conn *stint__socket_conn_new(struct stint__socket_acceptor *a, nng_pipe pipe)
{
    struct stint__socket_conn *c = stint__alloc_zeroed(sizeof *c);
    if (c == NULL)
        return NULL;
    stint__serial_init(&c->serial);
    c->object.ops = &stint__socket_transport;
    atomic_init(&c->refs, 1);
    c->acceptor = a;
    c->pipe = (uint32_t)nng_pipe_id(pipe);
    stint__serial_item_init(&c->opened, tell_opened);
    stint__serial_item_init(&c->closed, tell_closed);
    stint__list_init(&c->held);
    stint__list_init(&c->kick.link);
    name_peer(c, pipe);
    atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
    return c;
}

void stint__socket_conn_tell_open_locked(struct stint__socket_conn *c)
{
    struct stint__socket_acceptor *a = c->acceptor;
    c->established = true;
    if (c->told_open || !a->started)
        return;
    c->told_open = true;
    a->told_open++;
    stint__count(&a->counters.connects);
    stint__count(&a->counters.open);
    stint__serial_post(&c->serial, &c->opened);
}

void stint__socket_conn_removed_locked(struct stint__socket_conn *c)
{
    struct stint__socket_acceptor *a = c->acceptor;
    c->gone = true;
    while (!stint__list_empty(&c->held)) {
        (void)release_locked(STINT__CONTAINER_OF(c->held.next, struct stint__context, link));
        atomic_fetch_sub(&c->refs, 1); /* never the last: the caller has the map's */
    }
    if (!c->told_open)
        return;
    stint__count(&a->counters.disconnects);
    atomic_fetch_sub(&a->counters.open, 1);
    stint__serial_post(&c->serial, &c->closed);
}

static void run_kick(struct stint__nng_reap *item)
{
    struct stint__socket_conn *c = STINT__CONTAINER_OF(item, struct stint__socket_conn, kick);
    nng_pipe_close((nng_pipe){.id = c->pipe});
    conn_unref(c);
}

void stint__socket_conn_fail(struct stint__conn *conn, const stint_error *why)
{
    struct stint__socket_conn *c = self(conn);
    struct stint__socket_acceptor *a = c->acceptor;
    if (why->code != STINT_RESOURCE_EXHAUSTED || why->reason != STINT_REASON_NONE)
        stint__count(&a->counters.malformed);
    stint__log_write(&a->trouble, stint_now(), STINT_LOG_WARN, "%s: closed: %s", c->peer,
                     why->message);
    pthread_mutex_lock(&a->lock);
    bool kick = !c->failed && !c->gone;
    c->failed = true;
    pthread_mutex_unlock(&a->lock);
    if (!kick)
        return;
    conn_ref(c);
    stint__nng_reap(&c->kick, run_kick);
}

/* ---- requests ---- */

/* Hands a request up. The context is the request's from here on. */
static void hand_up(struct stint__context *k, struct stint__socket_conn *c, nng_msg *msg,
                    uint64_t generation)
{
    struct stint__socket_acceptor *a = c->acceptor;
    struct stint__reply_to to = {.token = k, .generation = generation};
    struct stint__incoming in;
    stint_error bad = STINT_ERROR_INIT;
    if (stint__socket_decode(&in, msg, STINT__KIND_REQUEST, a->opts.max_message, &bad) !=
        STINT_OK) {
        stint__socket_conn_fail(public(c), &bad);
        stint__socket_conn_drop(public(c), &to);
        return;
    }
    stint__transport_enter();
    a->events.request(a->events.arg, c->data, public(c), &to, &in);
    stint__transport_leave();
}

static void run_request(struct stint__serial_item *item)
{
    struct stint__context *k = STINT__CONTAINER_OF(item, struct stint__context, item);
    struct stint__socket_acceptor *a = k->acceptor;
    struct stint__socket_conn *c = k->conn;
    nng_msg *msg = k->request;
    conn_ref(c);
    pthread_mutex_lock(&a->lock);
    uint64_t generation = k->generation;
    bool dead = c->gone || c->failed;
    if (dead) {
        conn_unref(release_locked(k));
    } else {
        k->state = STINT__CONTEXT_HELD;
        stint__list_push_back(&c->held, &k->link);
    }
    pthread_mutex_unlock(&a->lock);
    if (!dead)
        hand_up(k, c, msg, generation);
    nng_msg_free(msg);
    pthread_mutex_lock(&a->lock);
    operation_over_locked(a);
    pthread_mutex_unlock(&a->lock);
    conn_unref(c);
}

/* Returns the connection whose serial has something to run, referenced. */
static struct stint__socket_conn *received_locked(struct stint__context *k, int rv)
{
    struct stint__socket_acceptor *a = k->acceptor;
    a->receiving = false;
    k->state = STINT__CONTEXT_IDLE;
    nng_msg *msg = rv == 0 ? nng_aio_get_msg(k->aio) : NULL;
    struct stint__socket_conn *c =
        msg == NULL || a->closing
            ? NULL
            : stint__map_get(&a->conns, (uint64_t)nng_pipe_id(nng_msg_get_pipe(msg)));
    if (c == NULL) { /* closing, or its pipe is gone already */
        nng_msg_free(msg);
        stint__list_push_back(&a->idle, &k->link);
        operation_over_locked(a);
    } else {
        stint__socket_conn_tell_open_locked(c);
        k->state = STINT__CONTEXT_QUEUED;
        k->request = msg;
        k->conn = c;
        conn_ref(c); /* the context's */
        conn_ref(c); /* the caller's */
        stint__serial_post(&c->serial, &k->item);
    }
    stint__context_feed_locked(a);
    return c;
}

void stint__context_done(void *arg)
{
    struct stint__context *k = arg;
    struct stint__socket_acceptor *a = k->acceptor;
    struct stint__socket_conn *run = NULL;
    struct stint__socket_conn *done = NULL;
    int rv = nng_aio_result(k->aio);
    pthread_mutex_lock(&a->lock);
    if (k->state == STINT__CONTEXT_RECEIVING) {
        run = received_locked(k, rv);
    } else {
        if (rv != 0)
            nng_msg_free(nng_aio_get_msg(k->aio));
        done = release_locked(k);
        a->sending--;
        stint__socket_acceptor_sent_locked(a);
        operation_over_locked(a);
    }
    pthread_mutex_unlock(&a->lock);
    if (done != NULL)
        conn_unref(done);
    if (run == NULL)
        return;
    stint__serial_run(&run->serial);
    conn_unref(run);
}

/* ---- replies ---- */

/* The context of a request that still waits for its reply, or NULL. */
static struct stint__context *held_locked(struct stint__socket_conn *c,
                                          const struct stint__reply_to *to)
{
    struct stint__context *k = to->token;
    bool held = !c->gone && k->state == STINT__CONTEXT_HELD && k->generation == to->generation;
    return held ? k : NULL;
}

stint_code stint__socket_conn_reply(struct stint__conn *conn, const struct stint__reply_to *to,
                                    struct stint__envelope *e, stint_error *err)
{
    struct stint__socket_conn *c = self(conn);
    struct stint__socket_acceptor *a = c->acceptor;
    nng_msg *msg = NULL;
    stint_code code = stint__socket_encode(&msg, e, a->opts.max_message, err);
    if (code != STINT_OK)
        return code;
    pthread_mutex_lock(&a->lock);
    struct stint__context *k = held_locked(c, to);
    if (k != NULL) {
        stint__list_unlink(&k->link);
        k->state = STINT__CONTEXT_SENDING;
        a->sending++;
        a->operations++;
        nng_aio_set_msg(k->aio, msg);
        nng_ctx_send(k->ctx, k->aio);
    }
    pthread_mutex_unlock(&a->lock);
    if (k != NULL)
        return STINT_OK;
    nng_msg_free(msg);
    return stint__transport_error(err, STINT_UNAVAILABLE, STINT_REASON_CONNECTION_LOST,
                                  "%s: the connection is gone", c->peer);
}

void stint__socket_conn_drop(struct stint__conn *conn, const struct stint__reply_to *to)
{
    struct stint__socket_conn *c = self(conn);
    struct stint__socket_acceptor *a = c->acceptor;
    pthread_mutex_lock(&a->lock);
    struct stint__context *k = held_locked(c, to);
    struct stint__socket_conn *done = k != NULL ? release_locked(k) : NULL;
    pthread_mutex_unlock(&a->lock);
    if (done != NULL)
        conn_unref(done);
}
