/* stream_conn.c - one client's connection at a server: requests in, replies out.
 *
 * What is shared is guarded by the pipe's lock, which is the connection's own; `opened` and `data`
 * are written once, by the pipe's running thread, before anybody else has the connection.
 *
 * Design notes. A client announces its features in its requests until it has been told HELLO. One
 * that comes straight here (a stack of one word) is one client, whose features are the
 * connection's. Through a device many clients come on one connection, so each gets its HELLO, and
 * the connection as such has no features: GOAWAY and PING would reach the device only. */
#include "stream_acceptor.h"

#include "alloc.h"

static struct stint__server_pipe *server_of(struct stint__pipe *p)
{
    return STINT__CONTAINER_OF(p, struct stint__server_pipe, pipe);
}

static struct stint__pipe *pipe_of(struct stint__conn *conn)
{
    return (struct stint__pipe *)(void *)conn;
}

static struct stint__conn *conn_of(struct stint__server_pipe *c)
{
    return (struct stint__conn *)(void *)&c->pipe;
}

/* ---- receiving ---- */

void stint__server_pipe_goaway(struct stint__server_pipe *c)
{
    struct stint__sp_stack nobody = stint__sp_stack_of(0);
    pthread_mutex_lock(c->pipe.lock);
    if (stint__pipe_is_up(&c->pipe) && (c->pipe.features & STINT__FEATURE_GOAWAY)) {
        stint__pipe_put_control_locked(&c->pipe, &nobody, STINT__KIND_GOAWAY, 0);
        atomic_store(&c->leaving, true);
    }
    stint__pipe_flush_unlock(&c->pipe);
}

static void hello(struct stint__server_pipe *c, const struct stint__sp_stack *stack,
                  const struct stint__envelope *e)
{
    bool direct = stack->len == 4;
    pthread_mutex_lock(c->pipe.lock);
    bool known = direct && c->pipe.features != 0;
    if (!known && stint__pipe_is_up(&c->pipe))
        stint__pipe_put_control_locked(&c->pipe, stack, STINT__KIND_HELLO, STINT__FEATURES_ALL);
    if (!known && direct)
        stint__pipe_set_features_locked(&c->pipe, e);
    stint__pipe_flush_unlock(&c->pipe);
    /* Draining looks at the features, and this at draining, each after its own is set. */
    if (!known && direct && atomic_load(&c->acceptor->draining))
        stint__server_pipe_goaway(c);
}

static stint_code on_frame(struct stint__pipe *p, const struct stint__sp_stack *stack,
                           const struct stint__incoming *in, stint_error *err)
{
    struct stint__server_pipe *c = server_of(p);
    const struct stint__acceptor_events *events = &c->acceptor->events;
    struct stint__reply_to to = {.stack = *stack};
    switch (in->env.kind) {
    case STINT__KIND_REQUEST:
        if (in->env.features != 0)
            hello(c, stack, &in->env);
        events->request(events->arg, c->data, conn_of(c), &to, in);
        return STINT_OK;
    case STINT__KIND_CANCEL:
        events->cancel(events->arg, c->data, conn_of(c), &to);
        return STINT_OK;
    default:
        return stint__transport_error(err, STINT_INVALID_ARGUMENT, STINT_REASON_MALFORMED,
                                      "a frame of kind %u, which no client sends", in->env.kind);
    }
}

static void on_up(struct stint__pipe *p)
{
    struct stint__server_pipe *c = server_of(p);
    const struct stint__acceptor_events *events = &c->acceptor->events;
    c->data = events->opened(events->arg, conn_of(c));
    c->opened = true;
}

static void on_marked(struct stint__pipe *p)
{
    struct stint__server_pipe *c = server_of(p);
    stint__stream_acceptor_flushed(c->acceptor, c);
}

static void on_gone(struct stint__pipe *p, const stint_error *why)
{
    (void)why;
    struct stint__server_pipe *c = server_of(p);
    const struct stint__acceptor_events *events = &c->acceptor->events;
    if (c->opened)
        events->closed(events->arg, c->data, conn_of(c));
    stint__stream_acceptor_flushed(c->acceptor, c);
    stint__stream_acceptor_forget(c->acceptor, c);
}

static void free_server(struct stint__pipe *p)
{
    struct stint__server_pipe *c = server_of(p);
    stint__stream_acceptor_unref(c->acceptor);
    pthread_mutex_destroy(&c->lock);
    stint__free(c);
}

static const struct stint__pipe_role server_role = {
    .protocol = STINT__SP_REP,
    .peer_protocol = STINT__SP_REQ,
    .pauses = true,
    .up = on_up,
    .frame = on_frame,
    .marked = on_marked,
    .gone = on_gone,
    .free = free_server,
};

struct stint__server_pipe *stint__server_pipe_new(struct stint__stream_acceptor *a,
                                                  struct stint__stream *stream)
{
    struct stint__server_pipe *c = stint__alloc_zeroed(sizeof *c);
    if (c == NULL)
        return NULL;
    if (!stint__pipe_init(&c->pipe, &a->end, &server_role, &c->lock, stream)) {
        stint__free(c);
        return NULL;
    }
    pthread_mutex_init(&c->lock, NULL);
    stint__list_init(&c->link);
    c->acceptor = a;
    stint__stream_acceptor_ref(a);
    return c;
}

/* ---- the connection, for the server ---- */

stint_code stint__stream_conn_reply(struct stint__conn *conn, const struct stint__reply_to *to,
                                    struct stint__envelope *e, stint_error *err)
{
    struct stint__pipe *p = pipe_of(conn);
    e->features = 0;
    size_t header_size = stint__envelope_header_size(e);
    pthread_mutex_lock(p->lock);
    stint_code code = stint__outgoing_check(e, header_size, stint__pipe_max_message(p), err);
    if (code == STINT_OK && !stint__pipe_is_up(p))
        code = stint__transport_error(err, STINT_UNAVAILABLE, STINT_REASON_CONNECTION_LOST,
                                      "%s: the connection is gone", stint__stream_peer(p->stream));
    else if (code == STINT_OK && !stint__pipe_put_locked(p, &to->stack, e, header_size))
        code = stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "out of memory");
    stint__pipe_flush_unlock(p);
    return code;
}

void stint__stream_conn_drop(struct stint__conn *conn, const struct stint__reply_to *to)
{
    (void)conn; /* nothing waits for the reply here */
    (void)to;
}

void stint__stream_conn_fail(struct stint__conn *conn, const stint_error *why)
{
    stint__pipe_close_for(pipe_of(conn), why);
}

struct stint__conn *stint__stream_conn_ref(struct stint__conn *conn)
{
    stint__pipe_ref(pipe_of(conn));
    return conn;
}

void stint__stream_conn_unref(struct stint__conn *conn)
{
    stint__pipe_unref(pipe_of(conn));
}

const char *stint__stream_conn_peer(const struct stint__conn *conn)
{
    return stint__stream_peer(((const struct stint__pipe *)(const void *)conn)->stream);
}

bool stint__stream_conn_is_leaving(const struct stint__conn *conn)
{
    return atomic_load(&((const struct stint__server_pipe *)(const void *)conn)->leaving);
}

void *stint__stream_conn_data(const struct stint__conn *conn)
{
    return ((const struct stint__server_pipe *)(const void *)conn)->data;
}
