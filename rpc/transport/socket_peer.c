/* socket_peer.c - a client over one stock REQ socket.
 *
 * Each exchange has a slot: an NNG context and an aio, kept for later ones. A slot sends, and only
 * when its send has completed does it receive (NNG 1.5.2 crashes otherwise). With the resend time
 * off, NNG never sends a request twice: when a pipe is lost, a context that waits for a reply gets
 * NNG_ECONNRESET; one that still waits to send would go on waiting for the next pipe, so its aio is
 * cancelled at the pipe's removal, which NNG tells before it dials again.
 *
 * NNG dials and redials by itself. It tells of pipes that are added and removed, not of attempts
 * that failed: so a peer that is not connected a while after it was opened, or after a loss, is
 * reported down once.
 *
 * Locking: `lock` guards all fields but those set at open; NNG is called under it (see
 * socket_impl.h), callbacks are not. What the user is told goes through `serial`, in the order it
 * happened: `down` waits until every exchange on the lost connection has ended. A slot in `busy`
 * belongs to NNG or to `serial`, whichever it was given to last. */
#include "socket_impl.h"

#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"
#include "logger.h"
#include "nng_impl.h"
#include "serial.h"

/* How long a peer may take to connect, or to connect again, before it is reported down. */
#define CONNECT_GRACE STINT_MS(250)
#define MS            STINT_MS(1)

enum slot_state {
    SLOT_IDLE,
    SLOT_SENDING,
    SLOT_RECEIVING,
    SLOT_ENDED, /* its outcome is in `serial` */
};

struct slot {
    struct stint__list link; /* in the peer's idle or busy */
    struct socket_peer *peer;
    nng_ctx ctx;
    nng_aio *aio;
    enum slot_state state;
    struct stint__exchange *x; /* NULL: abandoned */
    uint64_t connection;       /* the one it was submitted on */
    size_t size;               /* of the message being sent */
    struct stint__serial_item outcome;
    nng_msg *reply; /* SLOT_ENDED: the reply, or NULL and `error` */
    stint_error error;
};

struct socket_peer {
    struct stint__transport_object object;
    struct stint__transport_options opts;
    struct stint__peer_events events;
    char *url;
    nng_socket socket;
    struct stint__transport_counters counters;
    struct stint__logger trouble;
    struct stint__serial serial;
    struct stint__serial_item link_changed; /* tells the user what `up` and the flags below say */
    struct stint__timer grace;
    struct stint__nng_reap kick;
    pthread_mutex_t lock;
    pthread_cond_t quiet; /* `busy` is empty, `kicked` is 0 */
    struct stint__list idle, busy;
    uint64_t connection, told; /* connections so far; the last one the user was told of */
    size_t in_flight;          /* exchanges on the present connection */
    size_t in_flight_lost;     /* and on earlier ones */
    size_t queued;             /* bytes that wait to be sent */
    uint32_t pipe, kicked;     /* present pipe; one to be closed for what came on it; 0: none */
    uint32_t last_id;
    bool up, closing;
    bool stopped, stuck; /* the owner's: NNG has let go of the socket; NNG will not */
    bool tell_down;      /* a connection was lost, or the grace period is over */
    bool tell_ready;     /* there is room again */
    bool refused;        /* for lack of room, and `ready` has not followed yet */
};

static struct socket_peer *self(struct stint__peer *p)
{
    return (struct socket_peer *)p;
}

static const struct socket_peer *const_self(const struct stint__peer *p)
{
    return (const struct socket_peer *)p;
}

/* ---- what the user is told of the connection ---- */

enum link_event { LINK_NOTHING, LINK_READY, LINK_DOWN };

/* What to tell next. A loss is told when the exchanges it has cost are over. */
static enum link_event next_event_locked(struct socket_peer *p)
{
    if (p->closing)
        return LINK_NOTHING;
    if (p->tell_down) {
        if (p->in_flight_lost > 0)
            return LINK_NOTHING;
        p->tell_down = false;
        return LINK_DOWN;
    }
    if (!p->up || (p->told == p->connection && !p->tell_ready))
        return LINK_NOTHING;
    p->told = p->connection;
    p->tell_ready = false;
    return LINK_READY;
}

static void tell_link(struct stint__serial_item *item)
{
    struct socket_peer *p = STINT__CONTAINER_OF(item, struct socket_peer, link_changed);
    stint_error why = STINT_ERROR_INIT;
    pthread_mutex_lock(&p->lock);
    enum link_event event = next_event_locked(p);
    bool ever_up = p->connection > 0;
    pthread_mutex_unlock(&p->lock);
    if (event == LINK_NOTHING)
        return;
    stint__serial_post(&p->serial, item); /* there may be more */
    stint__transport_enter();
    if (event == LINK_READY) {
        p->events.ready(p->events.arg);
    } else {
        stint__transport_error(&why, STINT_UNAVAILABLE, STINT_REASON_NOT_CONNECTED, "%s: %s",
                               p->url,
                               ever_up ? "the connection was lost"
                                       : "no connection yet; nobody may be listening there");
        p->events.down(p->events.arg, &why);
    }
    stint__transport_leave();
}

static void grace_over(struct stint__timer *timer)
{
    struct socket_peer *p = STINT__CONTAINER_OF(timer, struct socket_peer, grace);
    pthread_mutex_lock(&p->lock);
    p->tell_down = p->tell_down || !p->up;
    pthread_mutex_unlock(&p->lock);
    stint__serial_post(&p->serial, &p->link_changed);
    stint__serial_run(&p->serial);
}

static void start_grace_locked(struct socket_peer *p)
{
    if (p->closing)
        return;
    bool armed = stint__timer_arm(&p->grace, stint_time_add(stint_now(), CONNECT_GRACE));
    (void)armed; /* without it only one `down` is missing */
}

static void lost_locked(struct socket_peer *p)
{
    p->up = false;
    p->tell_down = true;
    start_grace_locked(p);
    p->in_flight_lost += p->in_flight;
    p->in_flight = 0;
    p->refused = p->tell_ready = false;
    stint__count(&p->counters.disconnects);
    atomic_fetch_sub(&p->counters.open, 1);
    STINT_LIST_FOREACH (it, &p->busy) {
        struct slot *s = STINT__CONTAINER_OF(it, struct slot, link);
        if (s->state == SLOT_SENDING)
            nng_aio_cancel(s->aio);
    }
}

/* A pipe that is refused or closed at once may be removed before it was added. */
static void on_pipe(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    struct socket_peer *p = arg;
    uint32_t id = (uint32_t)nng_pipe_id(pipe);
    pthread_mutex_lock(&p->lock);
    if (event == NNG_PIPE_EV_ADD_PRE) {
        p->pipe = id;
    } else if (p->pipe == id && event == NNG_PIPE_EV_ADD_POST) {
        p->up = true;
        p->connection++;
        stint__timer_disarm(&p->grace);
        stint__count(&p->counters.connects);
        stint__count(&p->counters.open);
    } else if (p->pipe == id && event == NNG_PIPE_EV_REM_POST) {
        p->pipe = 0;
        if (p->up)
            lost_locked(p);
    }
    pthread_mutex_unlock(&p->lock);
    stint__serial_post(&p->serial, &p->link_changed);
    stint__serial_run(&p->serial);
}

/* ---- the end of an exchange ---- */

static void slot_recycle_locked(struct slot *s)
{
    struct socket_peer *p = s->peer;
    bool present = p->up && s->connection == p->connection;
    *(present ? &p->in_flight : &p->in_flight_lost) -= 1;
    s->state = SLOT_IDLE;
    stint__list_unlink(&s->link);
    stint__list_push_back(&p->idle, &s->link);
    if (p->tell_down && p->in_flight_lost == 0)
        stint__serial_post(&p->serial, &p->link_changed);
    if (stint__list_empty(&p->busy))
        pthread_cond_broadcast(&p->quiet);
}

static void run_kick(struct stint__nng_reap *item)
{
    struct socket_peer *p = STINT__CONTAINER_OF(item, struct socket_peer, kick);
    pthread_mutex_lock(&p->lock);
    nng_pipe pipe = {.id = p->kicked};
    pthread_mutex_unlock(&p->lock);
    nng_pipe_close(pipe);
    pthread_mutex_lock(&p->lock);
    p->kicked = 0;
    pthread_cond_broadcast(&p->quiet);
    pthread_mutex_unlock(&p->lock);
}

/* Counts, logs and closes the connection that a bad message came on. */
static void malformed(struct socket_peer *p, nng_msg *msg, const stint_error *why)
{
    stint__count(&p->counters.malformed);
    stint__log_write(&p->trouble, stint_now(), STINT_LOG_WARN, "%s: malformed reply: %s", p->url,
                     why->message);
    pthread_mutex_lock(&p->lock);
    bool kick = p->kicked == 0;
    if (kick)
        p->kicked = (uint32_t)nng_pipe_id(nng_msg_get_pipe(msg));
    pthread_mutex_unlock(&p->lock);
    if (kick)
        stint__nng_reap(&p->kick, run_kick);
}

static void tell_outcome(struct stint__serial_item *item)
{
    struct slot *s = STINT__CONTAINER_OF(item, struct slot, outcome);
    struct socket_peer *p = s->peer;
    struct stint__exchange *x = s->x;
    struct stint__incoming in;
    stint_error bad = STINT_ERROR_INIT;
    nng_msg *reply = s->reply;
    if (reply != NULL && stint__socket_decode(&in, reply, STINT__KIND_REPLY, p->opts.max_message,
                                              &bad) != STINT_OK) {
        malformed(p, reply, &bad);
        stint__transport_error(&s->error, STINT_UNAVAILABLE, STINT_REASON_CONNECTION_LOST,
                               "%s: malformed reply: %s", p->url, bad.message);
        nng_msg_free(reply);
        reply = NULL;
    }
    stint__transport_enter();
    if (reply != NULL)
        x->ops->reply(x, &in);
    else
        x->ops->lost(x, &s->error);
    stint__transport_leave();
    if (reply != NULL)
        nng_msg_free(reply);
    pthread_mutex_lock(&p->lock);
    slot_recycle_locked(s);
    pthread_mutex_unlock(&p->lock);
}

static void slot_fail(struct slot *s, bool sent)
{
    struct socket_peer *p = s->peer;
    if (p->closing)
        stint__transport_error(&s->error, STINT_UNAVAILABLE, STINT_REASON_CHANNEL_CLOSED,
                               "%s: closed here", p->url);
    else
        stint__transport_error(&s->error, STINT_UNAVAILABLE, STINT_REASON_CONNECTION_LOST,
                               "%s: the connection was lost %s", p->url,
                               sent ? "before the reply came" : "before the request was sent");
    s->error.not_executed = !sent;
}

static void sent_locked(struct slot *s)
{
    struct socket_peer *p = s->peer;
    p->queued -= s->size;
    if (p->refused && p->queued <= p->opts.max_queued / 2) {
        p->refused = false;
        p->tell_ready = true;
        stint__serial_post(&p->serial, &p->link_changed);
    }
}

/* False: it goes on, waiting for its reply. */
static bool slot_step_locked(struct slot *s)
{
    struct socket_peer *p = s->peer;
    int rv = nng_aio_result(s->aio);
    nng_msg *msg = nng_aio_get_msg(s->aio);
    if (s->state == SLOT_RECEIVING) {
        s->reply = rv == 0 ? msg : NULL;
        if (rv != 0)
            slot_fail(s, true);
        return true;
    }
    sent_locked(s);
    if (rv != 0) {
        nng_msg_free(msg);
        s->reply = NULL;
        slot_fail(s, false);
        return true;
    }
    s->state = SLOT_RECEIVING;
    nng_ctx_recv(s->ctx, s->aio);
    if (s->x == NULL || p->closing)
        nng_aio_cancel(s->aio);
    return false;
}

/* The aio's callback. */
static void slot_done(void *arg)
{
    struct slot *s = arg;
    struct socket_peer *p = s->peer;
    pthread_mutex_lock(&p->lock);
    bool ended = slot_step_locked(s);
    if (ended && s->x != NULL) {
        s->state = SLOT_ENDED;
        s->x->priv[0] = NULL;
        stint__serial_post(&p->serial, &s->outcome);
    } else if (ended) {
        if (s->reply != NULL) {
            stint__count(&p->counters.late_replies);
            nng_msg_free(s->reply);
        }
        slot_recycle_locked(s);
    }
    pthread_mutex_unlock(&p->lock);
    stint__serial_run(&p->serial);
}

/* ---- submitting ---- */

static struct slot *slot_new(struct socket_peer *p)
{
    struct slot *s = stint__alloc_zeroed(sizeof *s);
    if (s == NULL)
        return NULL;
    s->peer = p;
    stint__list_init(&s->link);
    stint__serial_item_init(&s->outcome, tell_outcome);
    if (nng_ctx_open(&s->ctx, p->socket) != 0) {
        stint__free(s);
        return NULL;
    }
    if (nng_aio_alloc(&s->aio, slot_done, s) != 0) {
        nng_ctx_close(s->ctx);
        stint__free(s);
        return NULL;
    }
    nng_aio_set_timeout(s->aio, NNG_DURATION_INFINITE);
    return s;
}

static void slot_free(struct slot *s)
{
    nng_ctx_close(s->ctx);
    nng_aio_free(s->aio);
    stint__free(s);
}

static struct slot *slot_take_locked(struct socket_peer *p)
{
    struct stint__list *link = stint__list_pop_front(&p->idle);
    return link != NULL ? STINT__CONTAINER_OF(link, struct slot, link) : slot_new(p);
}

/* Whether a message of that size can be sent now. */
static stint_code admit_locked(struct socket_peer *p, size_t size, stint_error *err)
{
    if (p->closing)
        return stint__transport_error(err, STINT_UNAVAILABLE, STINT_REASON_CHANNEL_CLOSED,
                                      "%s: closed here", p->url);
    if (!p->up)
        return stint__transport_error(err, STINT_UNAVAILABLE, STINT_REASON_NOT_CONNECTED,
                                      "%s: not connected", p->url);
    if (p->queued > 0 && size > p->opts.max_queued - p->queued) {
        p->refused = true;
        return stint__transport_error(err, STINT_RESOURCE_EXHAUSTED, STINT_REASON_QUEUE_FULL,
                                      "%s: %zu bytes are waiting to be sent", p->url, p->queued);
    }
    return STINT_OK;
}

static stint_code start_locked(struct socket_peer *p, struct stint__exchange *x, nng_msg *msg,
                               stint_error *err)
{
    size_t size = nng_msg_len(msg);
    stint_code code = admit_locked(p, size, err);
    if (code != STINT_OK)
        return code;
    struct slot *s = slot_take_locked(p);
    if (s == NULL)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "%s: out of memory", p->url);
    s->x = x;
    s->size = size;
    s->state = SLOT_SENDING;
    s->connection = p->connection;
    x->priv[0] = s;
    x->id = ++p->last_id;
    p->queued += size;
    p->in_flight++;
    stint__list_push_back(&p->busy, &s->link);
    nng_aio_set_msg(s->aio, msg);
    nng_ctx_send(s->ctx, s->aio);
    return STINT_OK;
}

stint_code stint__socket_peer_submit(struct stint__peer *peer, struct stint__exchange *x,
                                     struct stint__envelope *e, stint_error *err)
{
    struct socket_peer *p = self(peer);
    nng_msg *msg = NULL;
    stint_code code = stint__socket_encode(&msg, e, p->opts.max_message, err);
    if (code != STINT_OK)
        return code;
    pthread_mutex_lock(&p->lock);
    code = start_locked(p, x, msg, err);
    pthread_mutex_unlock(&p->lock);
    if (code != STINT_OK) {
        nng_msg_free(msg);
        if (err != NULL)
            err->not_executed = true;
    }
    return code;
}

bool stint__socket_peer_abandon(struct stint__peer *peer, struct stint__exchange *x, bool cancel)
{
    struct socket_peer *p = self(peer);
    (void)cancel; /* a stock socket cannot tell the other side */
    pthread_mutex_lock(&p->lock);
    struct slot *s = x->priv[0];
    if (s != NULL) {
        x->priv[0] = NULL;
        s->x = NULL;
        nng_aio_cancel(s->aio);
    }
    pthread_mutex_unlock(&p->lock);
    return s != NULL;
}

unsigned stint__socket_peer_capabilities(const struct stint__peer *p)
{
    return stint__socket_capabilities(const_self(p)->url);
}

void stint__socket_peer_stats(const struct stint__peer *p, struct stint__transport_stats *stats)
{
    stint__transport_counters_read(&const_self(p)->counters, stats);
}

/* ---- opening and closing ---- */

static nng_duration to_ms(stint_duration d)
{
    return d >= STINT_SECONDS(3600) ? 3600 * 1000 : (nng_duration)((d + MS - 1) / MS);
}

static int configure(struct socket_peer *p)
{
    int rv = stint__socket_configure(p->socket, &p->opts, on_pipe, p);
    if (rv == 0)
        rv = nng_socket_set_ms(p->socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
    if (rv == 0)
        rv = nng_socket_set_ms(p->socket, NNG_OPT_RECONNMINT, to_ms(p->opts.backoff_min));
    if (rv == 0)
        rv = nng_socket_set_ms(p->socket, NNG_OPT_RECONNMAXT, to_ms(p->opts.backoff_max));
    return rv;
}

static stint_code dial(struct socket_peer *p, stint_error *err)
{
    nng_dialer dialer;
    int rv = nng_req0_open(&p->socket);
    if (rv != 0)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "%s: %s", p->url, nng_strerror(rv));
    rv = configure(p);
    if (rv == 0)
        rv = nng_dialer_create(&dialer, p->socket, stint__socket_nng_url(p->url));
    if (rv == 0)
        rv = nng_dialer_start(dialer, NNG_FLAG_NONBLOCK);
    if (rv == 0)
        return STINT_OK;
    nng_close(p->socket);
    return stint_error_set(err,
                           rv == NNG_ENOMEM ? STINT_RESOURCE_EXHAUSTED : STINT_INVALID_ARGUMENT,
                           "cannot dial %s: %s", p->url, nng_strerror(rv));
}

static void peer_free(struct socket_peer *p)
{
    stint__serial_fini(&p->serial);
    pthread_cond_destroy(&p->quiet);
    pthread_mutex_destroy(&p->lock);
    stint__free(p->url);
    stint__free(p);
}

static struct socket_peer *peer_new(const char *url, const struct stint__transport_options *opts,
                                    const struct stint__peer_events *events)
{
    struct socket_peer *p = stint__alloc_zeroed(sizeof *p);
    if (p == NULL)
        return NULL;
    p->object.ops = &stint__socket_transport;
    p->opts = *opts;
    p->events = *events;
    p->url = stint__strdup(url);
    stint__log_init(&p->trouble, opts->log);
    stint__serial_item_init(&p->link_changed, tell_link);
    stint__timer_init(&p->grace, grace_over);
    stint__list_init(&p->kick.link);
    stint__list_init(&p->idle);
    stint__list_init(&p->busy);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->quiet, NULL);
    stint__serial_init(&p->serial);
    if (p->url != NULL)
        return p;
    peer_free(p);
    return NULL;
}

stint_code stint__socket_peer_open(struct stint__peer **ret, const char *url,
                                   const struct stint__transport_options *opts,
                                   const struct stint__peer_events *events, stint_error *err)
{
    stint_code code = stint__socket_check_url(url, err);
    if (code == STINT_OK)
        code = stint__nng_reaper_start(err);
    if (code != STINT_OK)
        return code;
    struct socket_peer *p = peer_new(url, opts, events);
    if (p == NULL)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "%s: out of memory", url);
    code = dial(p, err);
    if (code != STINT_OK) {
        peer_free(p);
        return code;
    }
    pthread_mutex_lock(&p->lock);
    if (!p->up)
        start_grace_locked(p);
    pthread_mutex_unlock(&p->lock);
    *ret = (struct stint__peer *)p;
    return STINT_OK;
}

static void quiesce(struct socket_peer *p)
{
    pthread_mutex_lock(&p->lock);
    STINT_LIST_FOREACH (it, &p->busy)
        nng_aio_cancel(STINT__CONTAINER_OF(it, struct slot, link)->aio);
    while (!stint__list_empty(&p->busy) || p->kicked != 0)
        pthread_cond_wait(&p->quiet, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

void stint__socket_peer_stop(struct stint__peer *peer)
{
    struct socket_peer *p = self(peer);
    if (p->stopped)
        return;
    pthread_mutex_lock(&p->lock);
    p->closing = true; /* the timer is not armed again */
    pthread_mutex_unlock(&p->lock);
    stint__timer_disarm_wait(&p->grace);
    quiesce(p);
    struct stint__list *link;
    while ((link = stint__list_pop_front(&p->idle)) != NULL)
        slot_free(STINT__CONTAINER_OF(link, struct slot, link));
    p->stuck = !stint__socket_close(p->socket, p->url);
    p->stopped = true;
}

void stint__socket_peer_close(struct stint__peer *peer)
{
    struct socket_peer *p = self(peer);
    stint__socket_peer_stop(peer);
    if (!p->stuck) /* or its threads may still look at it */
        peer_free(p);
    else /* NNG may still call on_pipe: never freed */
        stint__log_write(&p->trouble, stint_now(), STINT_LOG_ERROR, STINT__SOCKET_HANGS, p->url);
}
