/* stream_client.c - one connection of a client: requests out, replies in.
 *
 * Invariants: an exchange is in `exchanges` from when its request is in the outbox until its reply,
 * its loss or its abandoning, whichever takes it out first; what took it out alone may end it.
 * All fields are guarded by the peer's lock; `draining` and `of_use` are only written by the
 * pipe's running thread, which may therefore read them without.
 *
 * Design notes. A connection that never said HELLO may be a stock REP socket, to which CANCEL would
 * be one more request. So cancels wait until HELLO has come, or the reply after all. Features are
 * announced until then: afterwards they say nothing new. */
#include "stream_client.h"

#include "alloc.h"
#include "random.h"

static struct stint__client_pipe *client_of(struct stint__pipe *p)
{
    return STINT__CONTAINER_OF(p, struct stint__client_pipe, pipe);
}

static struct stint__stream_peer *self_of(struct stint__peer *p)
{
    return (struct stint__stream_peer *)(void *)p;
}

/* ---- sending ---- */

static uint32_t new_id_locked(struct stint__client_pipe *c)
{
    do { /* 0 is for control frames */
        c->last_id = (c->last_id + 1) & ~STINT__SP_REQUEST_BIT;
    } while (c->last_id == 0 || stint__map_get(&c->exchanges, c->last_id) != NULL);
    return c->last_id;
}

static stint_code not_connected(stint_error *err)
{
    stint__transport_error(err, STINT_UNAVAILABLE, STINT_REASON_NOT_CONNECTED, "not connected");
    if (err != NULL)
        err->not_executed = true;
    return STINT_UNAVAILABLE;
}

static stint_code queue_full_locked(struct stint__client_pipe *c, stint_error *err)
{
    c->pipe.want_room = true;
    stint__transport_error(err, STINT_RESOURCE_EXHAUSTED, STINT_REASON_QUEUE_FULL,
                           "%zu bytes wait to be written to %s already",
                           stint__outbox_size(&c->pipe.out), stint__stream_peer(c->pipe.stream));
    if (err != NULL)
        err->not_executed = true;
    return STINT_RESOURCE_EXHAUSTED;
}

static stint_code submit_locked(struct stint__client_pipe *c, struct stint__exchange *x,
                                struct stint__envelope *e, stint_error *err)
{
    if (c == NULL || !stint__pipe_is_up(&c->pipe))
        return not_connected(err);
    const struct stint__transport_options *opts = &c->pipe.end->opts;
    e->features = c->pipe.features == 0 ? STINT__FEATURES_ALL : 0;
    e->max_message = c->pipe.features == 0 ? opts->max_message : 0;
    size_t header_size = stint__envelope_header_size(e);
    stint_code code = stint__outgoing_check(e, header_size, stint__pipe_max_message(&c->pipe), err);
    if (code != STINT_OK)
        return code;
    size_t waiting = stint__outbox_size(&c->pipe.out);
    if (waiting > 0 && waiting + header_size + e->payload.len > opts->max_queued)
        return queue_full_locked(c, err);
    uint32_t id = new_id_locked(c);
    struct stint__sp_stack stack = stint__sp_stack_of(id);
    if (!stint__map_put(&c->exchanges, id, x))
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "out of memory");
    if (!stint__pipe_put_locked(&c->pipe, &stack, e, header_size)) {
        stint__map_remove(&c->exchanges, id);
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "out of memory");
    }
    x->id = id;
    x->call_id = e->call_id;
    x->sent_end = c->pipe.out.put;
    return STINT_OK;
}

stint_code stint__stream_peer_submit(struct stint__peer *p, struct stint__exchange *x,
                                     struct stint__envelope *e, stint_error *err)
{
    struct stint__stream_peer *peer = self_of(p);
    e->boot_domain = stint__clock_boot_domain();
    e->sent_boottime_ns = (uint64_t)stint__clock_boottime_ns();
    pthread_mutex_lock(&peer->lock);
    struct stint__client_pipe *c = peer->pipe;
    stint_code code = submit_locked(c, x, e, err);
    if (code == STINT_OK)
        stint__pipe_flush_unlock(&c->pipe);
    else
        pthread_mutex_unlock(&peer->lock);
    return code;
}

/* ---- giving up ---- */

static void cancel_locked(struct stint__client_pipe *c, uint32_t id)
{
    if (!stint__pipe_is_up(&c->pipe))
        return;
    struct stint__sp_stack stack = stint__sp_stack_of(id);
    if (c->pipe.features & STINT__FEATURE_CANCEL)
        stint__pipe_put_control_locked(&c->pipe, &stack, STINT__KIND_CANCEL, 0);
    else if (c->pipe.features == 0 && c->cancels.count < STINT__CANCELS_MAX)
        // NOLINTNEXTLINE(performance-no-int-to-ptr): the map is a set of IDs
        (void)!stint__map_put(&c->cancels, id, (void *)(uintptr_t)id);
}

/* HELLO has come: now the peer understands, or never will. */
static void send_cancels_locked(struct stint__client_pipe *c)
{
    size_t pos = 0;
    const void *id;
    while ((id = stint__map_next(&c->cancels, &pos)) != NULL)
        cancel_locked(c, (uint32_t)(uintptr_t)id);
    stint__map_fini(&c->cancels);
}

static void close_if_drained_locked(struct stint__client_pipe *c)
{
    if (!c->draining || c->exchanges.count > 0)
        return;
    stint_error why;
    stint__transport_error(&why, STINT_UNAVAILABLE, STINT_REASON_DRAINING,
                           "%s: the server is draining", stint__stream_peer(c->pipe.stream));
    stint__pipe_close_locked(&c->pipe, &why);
}

/* The connection that an exchange is on; NULL if it has ended. */
static struct stint__client_pipe *find_locked(struct stint__stream_peer *peer,
                                              const struct stint__exchange *x)
{
    struct stint__client_pipe *c = peer->pipe;
    if (c != NULL && stint__map_get(&c->exchanges, x->id) == x)
        return c;
    STINT_LIST_FOREACH (link, &peer->draining) {
        c = STINT__CONTAINER_OF(link, struct stint__client_pipe, link);
        if (stint__map_get(&c->exchanges, x->id) == x)
            return c;
    }
    return NULL;
}

bool stint__stream_peer_abandon(struct stint__peer *p, struct stint__exchange *x, bool cancel)
{
    struct stint__stream_peer *peer = self_of(p);
    pthread_mutex_lock(&peer->lock);
    struct stint__client_pipe *c = find_locked(peer, x);
    if (c == NULL) {
        pthread_mutex_unlock(&peer->lock);
        return false;
    }
    stint__map_remove(&c->exchanges, x->id);
    if (cancel)
        cancel_locked(c, x->id);
    close_if_drained_locked(c);
    stint__pipe_flush_unlock(&c->pipe);
    return true;
}

/* ---- receiving ---- */

static void close_if_drained(struct stint__client_pipe *c)
{
    pthread_mutex_lock(c->pipe.lock);
    close_if_drained_locked(c);
    pthread_mutex_unlock(c->pipe.lock);
}

static void on_reply(struct stint__client_pipe *c, const struct stint__sp_stack *stack,
                     const struct stint__incoming *in)
{
    uint32_t id = stint__sp_stack_id(stack);
    pthread_mutex_lock(c->pipe.lock);
    struct stint__exchange *x = stint__map_get(&c->exchanges, id);
    bool ours = x != NULL && (in->env.call_id == 0 || in->env.call_id == x->call_id);
    if (ours)
        stint__map_remove(&c->exchanges, id);
    else
        stint__map_remove(&c->cancels, id);
    pthread_mutex_unlock(c->pipe.lock);
    if (!ours) {
        stint__count(&c->pipe.end->counters.late_replies);
        return;
    }
    if (in->env.code == STINT_OK)
        c->of_use = true;
    x->ops->reply(x, in);
    if (c->draining)
        close_if_drained(c);
}

static void on_hello(struct stint__client_pipe *c, const struct stint__envelope *e)
{
    pthread_mutex_lock(c->pipe.lock);
    stint__pipe_set_features_locked(&c->pipe, e);
    send_cancels_locked(c);
    stint__pipe_flush_unlock(&c->pipe);
}

static void on_goaway(struct stint__client_pipe *c)
{
    if (c->draining)
        return;
    stint__stream_peer_goaway(c->peer, c);
    close_if_drained(c);
}

static stint_code on_frame(struct stint__pipe *p, const struct stint__sp_stack *stack,
                           const struct stint__incoming *in, stint_error *err)
{
    struct stint__client_pipe *c = client_of(p);
    switch (in->env.kind) {
    case STINT__KIND_REPLY:
        on_reply(c, stack, in);
        return STINT_OK;
    case STINT__KIND_HELLO:
        on_hello(c, &in->env);
        return STINT_OK;
    case STINT__KIND_GOAWAY:
        on_goaway(c);
        return STINT_OK;
    default:
        return stint__transport_error(err, STINT_INVALID_ARGUMENT, STINT_REASON_MALFORMED,
                                      "a frame of kind %u, which no server sends", in->env.kind);
    }
}

/* A connection that is draining has nothing more to offer. */
static void on_ready(struct stint__pipe *p)
{
    const struct stint__client_pipe *c = client_of(p);
    if (!c->draining)
        c->peer->events.ready(c->peer->events.arg);
}

/* ---- the end ---- */

static void move_exchanges_locked(struct stint__client_pipe *c, struct stint__list *to)
{
    size_t pos = 0;
    struct stint__exchange *x;
    while ((x = stint__map_next(&c->exchanges, &pos)) != NULL)
        stint__list_push_back(to, &x->link);
    stint__map_fini(&c->exchanges);
}

static void on_gone(struct stint__pipe *p, const stint_error *why)
{
    struct stint__client_pipe *c = client_of(p);
    struct stint__list lost;
    stint__list_init(&lost);
    pthread_mutex_lock(p->lock);
    stint__stream_peer_loss_begin_locked(c->peer, c);
    move_exchanges_locked(c, &lost);
    uint64_t given = p->out.given;
    pthread_mutex_unlock(p->lock);

    stint_error error = *why;
    error.code = STINT_UNAVAILABLE;
    if (why->reason != STINT_REASON_CHANNEL_CLOSED && why->reason != STINT_REASON_DRAINING)
        error.reason = p->was_up ? STINT_REASON_CONNECTION_LOST : STINT_REASON_NOT_CONNECTED;
    struct stint__list *link;
    while ((link = stint__list_pop_front(&lost)) != NULL) {
        struct stint__exchange *x = STINT__CONTAINER_OF(link, struct stint__exchange, link);
        error.not_executed = x->sent_end > given;
        x->ops->lost(x, &error);
    }
    error.not_executed = false;
    stint__stream_peer_loss_end(c->peer, c->draining ? NULL : &error);
}

static void free_client(struct stint__pipe *p)
{
    struct stint__client_pipe *c = client_of(p);
    stint__map_fini(&c->exchanges);
    stint__map_fini(&c->cancels);
    stint__stream_peer_unref(c->peer);
    stint__free(c);
}

static const struct stint__pipe_role client_role = {
    .protocol = STINT__SP_REQ,
    .peer_protocol = STINT__SP_REP,
    .up = on_ready,
    .frame = on_frame,
    .room = on_ready,
    .gone = on_gone,
    .free = free_client,
};

struct stint__client_pipe *stint__client_pipe_new(struct stint__stream_peer *peer,
                                                  struct stint__stream *stream)
{
    struct stint__client_pipe *c = stint__alloc_zeroed(sizeof *c);
    if (c == NULL)
        return NULL;
    if (!stint__pipe_init(&c->pipe, &peer->end, &client_role, &peer->lock, stream)) {
        stint__free(c);
        return NULL;
    }
    stint__list_init(&c->link);
    stint__map_init(&c->exchanges);
    stint__map_init(&c->cancels);
    c->last_id = (uint32_t)stint__random() & ~STINT__SP_REQUEST_BIT;
    c->peer = peer;
    stint__stream_peer_ref(peer);
    return c;
}
