/* stream_peer.c - a client's endpoint: one connection, made again whenever it is lost or its peer
 * says GOAWAY.
 *
 * Invariant, under the lock, while not closed: exactly one of these is so: a dial is outstanding,
 * the retry timer is armed or its function about to run, a pipe exists that is not draining, or a
 * thread is reporting a loss or a GOAWAY and will see to it. Everything here is guarded by the
 * peer's lock; events are called without it.
 *
 * Design notes. The delay before attempt n is drawn from the upper half of [0, min * 2^n], up to
 * the maximum: clients of a server that died do not come back in step. A connection that was of
 * use starts the count again: one that a request was answered on, or that lived for a while. That
 * its peer said something before it hung up is not enough. */
#include "clock.h"
#include "random.h"
#include "stream_client.h"

#include "alloc.h"

#define OF_USE_AFTER STINT_SECONDS(1) /* a connection that lived so long was of use */

static struct stint__stream_peer *self_of(struct stint__peer *p)
{
    return (struct stint__stream_peer *)(void *)p;
}

void stint__stream_peer_ref(struct stint__stream_peer *peer)
{
    atomic_fetch_add_explicit(&peer->refs, 1, memory_order_relaxed);
}

void stint__stream_peer_unref(struct stint__stream_peer *peer)
{
    if (atomic_fetch_sub_explicit(&peer->refs, 1, memory_order_acq_rel) != 1)
        return;
    stint__dialer_free(peer->dialer);
    pthread_cond_destroy(&peer->idle);
    pthread_mutex_destroy(&peer->lock);
    stint__free(peer);
}

/* ---- connecting ---- */

static void dial_locked(struct stint__stream_peer *peer)
{
    stint__stream_peer_ref(peer);
    stint__dial(peer->dialer, &peer->dial_op);
}

static stint_duration backoff(const struct stint__transport_options *opts, unsigned failures)
{
    stint_duration base = opts->backoff_min;
    while (failures-- > 0 && base < opts->backoff_max)
        base = base > opts->backoff_max / 2 ? opts->backoff_max : base * 2;
    return base / 2 + (stint_duration)(stint__random() % (uint64_t)(base / 2 + 1));
}

static void retry_locked(struct stint__stream_peer *peer)
{
    stint_duration delay = backoff(&peer->end.opts, peer->failures++);
    stint__stream_peer_ref(peer);
    if (stint__timer_arm(&peer->retry, stint_time_add(stint_now(), delay)))
        return;
    stint__stream_peer_unref(peer);
    dial_locked(peer); /* no memory for a timer: at once is better than never */
}

static void on_retry(struct stint__timer *t)
{
    struct stint__stream_peer *peer = STINT__CONTAINER_OF(t, struct stint__stream_peer, retry);
    pthread_mutex_lock(&peer->lock);
    if (!peer->closed)
        dial_locked(peer);
    pthread_mutex_unlock(&peer->lock);
    stint__stream_peer_unref(peer);
}

static bool was_of_use(const struct stint__client_pipe *c)
{
    stint_duration lived = stint_time_sub(stint_now(), c->pipe.up_at);
    return c->pipe.was_up && (c->of_use || lived >= OF_USE_AFTER);
}

void stint__stream_peer_loss_begin_locked(struct stint__stream_peer *peer,
                                          struct stint__client_pipe *c)
{
    peer->running++;
    if (c == NULL)
        return;
    if (c->draining) {
        stint__list_unlink(&c->link);
        return;
    }
    if (was_of_use(c))
        peer->failures = 0;
    peer->pipe = NULL;
}

void stint__stream_peer_loss_end(struct stint__stream_peer *peer, const stint_error *why)
{
    pthread_mutex_lock(&peer->lock);
    bool closed = peer->closed;
    pthread_mutex_unlock(&peer->lock);
    if (!closed && why != NULL) {
        stint__transport_enter();
        peer->events.down(peer->events.arg, why);
        stint__transport_leave();
    }
    pthread_mutex_lock(&peer->lock);
    if (!peer->closed && why != NULL)
        retry_locked(peer);
    peer->running--;
    pthread_cond_broadcast(&peer->idle);
    pthread_mutex_unlock(&peer->lock);
}

void stint__stream_peer_goaway(struct stint__stream_peer *peer, struct stint__client_pipe *c)
{
    pthread_mutex_lock(&peer->lock);
    c->draining = true;
    bool of_use = was_of_use(c);
    peer->pipe = NULL;
    stint__list_push_back(&peer->draining, &c->link);
    pthread_mutex_unlock(&peer->lock);
    peer->events.goaway(peer->events.arg);
    pthread_mutex_lock(&peer->lock);
    if (of_use)
        peer->failures = 0;
    if (!peer->closed && of_use)
        dial_locked(peer);
    else if (!peer->closed)
        retry_locked(peer); /* who sends everybody away is not asked again at once */
    pthread_mutex_unlock(&peer->lock);
}

static void dial_failed_unlock(struct stint__stream_peer *peer, const stint_error *error)
{
    stint_error why = *error;
    why.code = STINT_UNAVAILABLE;
    why.reason = STINT_REASON_NOT_CONNECTED;
    why.not_executed = true;
    stint__stream_peer_loss_begin_locked(peer, NULL);
    pthread_mutex_unlock(&peer->lock);
    stint__stream_peer_loss_end(peer, &why);
}

static void on_dial(struct stint__net_op *op)
{
    struct stint__stream_peer *peer = STINT__CONTAINER_OF(op, struct stint__stream_peer, dial_op);
    struct stint__stream *stream = op->code == STINT_OK ? op->stream : NULL;
    pthread_mutex_lock(&peer->lock);
    if (peer->closed) {
        pthread_mutex_unlock(&peer->lock);
        stint__stream_free(stream);
    } else if (stream == NULL) {
        dial_failed_unlock(peer, &op->error);
    } else if ((peer->pipe = stint__client_pipe_new(peer, stream)) != NULL) {
        stint__pipe_start_unlock(&peer->pipe->pipe);
    } else {
        stint__stream_free(stream);
        stint_error_set(&op->error, STINT_RESOURCE_EXHAUSTED, "no memory for a connection");
        dial_failed_unlock(peer, &op->error);
    }
    stint__stream_peer_unref(peer);
}

/* ---- opening and closing ---- */

stint_code stint__stream_peer_open(struct stint__peer **ret, const char *url,
                                   const struct stint__transport_options *opts,
                                   const struct stint__peer_events *events, stint_error *err)
{
    struct stint__stream_peer *peer = stint__alloc_zeroed(sizeof *peer);
    if (peer == NULL)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "%s: out of memory", url);
    stint__stream_end_init(&peer->end, opts);
    peer->events = *events;
    atomic_init(&peer->refs, 1);
    pthread_mutex_init(&peer->lock, NULL);
    pthread_cond_init(&peer->idle, NULL);
    stint__list_init(&peer->draining);
    stint__timer_init(&peer->retry, on_retry);
    peer->dial_op.fn = on_dial;
    stint_code code = stint__dialer_new(&peer->dialer, url, err);
    if (code != STINT_OK) {
        stint__stream_peer_unref(peer);
        return code;
    }
    *ret = (struct stint__peer *)(void *)peer; /* before an event can come */
    pthread_mutex_lock(&peer->lock);
    dial_locked(peer);
    pthread_mutex_unlock(&peer->lock);
    return STINT_OK;
}

/* A connection that is not gone, with a reference; NULL: there is none. */
static struct stint__client_pipe *next_pipe_locked(struct stint__stream_peer *peer)
{
    struct stint__client_pipe *c = peer->pipe;
    if (c == NULL && !stint__list_empty(&peer->draining))
        c = STINT__CONTAINER_OF(peer->draining.next, struct stint__client_pipe, link);
    if (c != NULL)
        stint__pipe_ref(&c->pipe);
    return c;
}

static void shut_down_pipes_locked(struct stint__stream_peer *peer)
{
    stint_error why;
    stint__transport_error(&why, STINT_UNAVAILABLE, STINT_REASON_CHANNEL_CLOSED,
                           "the channel was closed");
    struct stint__client_pipe *c;
    while ((c = next_pipe_locked(peer)) != NULL) {
        pthread_mutex_unlock(&peer->lock);
        stint__pipe_shut_down(&c->pipe, &why);
        stint__pipe_unref(&c->pipe);
        pthread_mutex_lock(&peer->lock);
    }
}

void stint__stream_peer_stop(struct stint__peer *p)
{
    struct stint__stream_peer *peer = self_of(p);
    pthread_mutex_lock(&peer->lock);
    peer->closed = true;
    struct stint__dialer *dialer = peer->dialer;
    peer->dialer = NULL;
    bool retrying = stint__timer_disarm(&peer->retry);
    pthread_mutex_unlock(&peer->lock);

    stint__dialer_free(dialer);
    if (retrying)
        stint__stream_peer_unref(peer);
    pthread_mutex_lock(&peer->lock);
    shut_down_pipes_locked(peer);
    while (peer->running > 0)
        pthread_cond_wait(&peer->idle, &peer->lock);
    pthread_mutex_unlock(&peer->lock);
}

void stint__stream_peer_close(struct stint__peer *p)
{
    stint__stream_peer_stop(p);
    stint__stream_peer_unref(self_of(p));
}
