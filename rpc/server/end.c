/* end.c - how a server ends: drain, stop and free, from any threads.
 *
 * The state goes NEW -> RUNNING -> DRAINING -> STOPPED, or from any of them to STOPPED. It is read
 * without a lock where a request arrives: one that slips past a change is answered by
 * stint__server_refuse_all or refused by the closed queue.
 *
 * `end` says how far the one thread has come that takes the server apart; every other stop waits
 * for it. `users` are those that look at the acceptors: before these are closed there are none for
 * who comes later, and who is there is waited for. All of this and `flushing` are guarded by the
 * server's mutex.
 *
 * A thread that the end would have to wait for (a handler's, or one in a transport callback or a
 * `done` function) cannot do all that. Its stop only ends what runs; its free lets another thread
 * do the rest. */
#include <stint/server.h>

#include "server_internal.h"

#define FAREWELL_LIMIT STINT_SECONDS(1)
#define STOP_FLUSH_MAX STINT_MS(100) /* how long stop waits for its last answers to be written */

const stint_error stint__server_stopped =
    STINT__REFUSAL(STINT_UNAVAILABLE, STINT_REASON_DRAINING, "the server was stopped");

/* ---- who may wait, and who looks at the acceptors ---- */

static bool must_not_wait(const stint_server *s)
{
    return stint__is_worker_of(s) || stint__transport_in_callback();
}

static bool is_draining(const stint_server *s)
{
    return atomic_load(&s->state) == STINT__SERVER_DRAINING;
}

static size_t use_locked(stint_server *s)
{
    s->users++;
    return s->n_acceptors;
}

size_t stint__server_use(stint_server *s)
{
    pthread_mutex_lock(&s->mutex);
    size_t n = use_locked(s);
    pthread_mutex_unlock(&s->mutex);
    return n;
}

void stint__server_unuse(stint_server *s)
{
    pthread_mutex_lock(&s->mutex);
    if (--s->users == 0)
        pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

/* ---- drain ---- */

static void on_flushed(void *arg)
{
    stint_server *s = arg;
    pthread_mutex_lock(&s->mutex);
    s->flushing--;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

/* Asks for word when everything is written. */
static void flush(stint_server *s, size_t n)
{
    pthread_mutex_lock(&s->mutex);
    s->flushing += n;
    pthread_mutex_unlock(&s->mutex);
    for (size_t i = 0; i < n; i++)
        stint__acceptor_flush(s->acceptors[i], on_flushed, s);
}

/* Waits until every call is answered and what was flushed is written. */
static stint_code wait_idle(stint_server *s, const stint_ctx *ctx)
{
    stint_code code = STINT_OK;
    pthread_mutex_lock(&s->mutex);
    while (code == STINT_OK && is_draining(s) && (atomic_load(&s->inflight) > 0 || s->flushing > 0))
        code = stint_ctx_cond_wait(ctx, &s->changed, &s->mutex);
    pthread_mutex_unlock(&s->mutex);
    return code;
}

static bool somebody_leaves_locked(const stint_server *s)
{
    STINT_LIST_FOREACH (link, &s->conns) {
        const struct stint__server_conn *sc =
            STINT__CONTAINER_OF(link, struct stint__server_conn, link);
        if (stint__conn_is_leaving(sc->conn))
            return true;
    }
    return false;
}

/* A client that was told to leave closes its connection when it has no calls left. What it sent
 * before it heard of that is refused meanwhile, instead of being lost with the connection, which
 * would leave its caller in doubt. Returns ctx's code if that ended the waiting. */
static stint_code wait_for_leavers(stint_server *s, const stint_ctx *ctx)
{
    stint_ctx *limit = stint_ctx_with_timeout(ctx, FAREWELL_LIMIT);
    pthread_mutex_lock(&s->mutex);
    stint_code code = STINT_OK;
    while (code == STINT_OK && is_draining(s) && somebody_leaves_locked(s))
        code = stint_ctx_cond_wait(limit, &s->changed, &s->mutex);
    pthread_mutex_unlock(&s->mutex);
    stint_ctx_drop(limit);
    return code == STINT_OK ? STINT_OK : stint_ctx_err(ctx);
}

static stint_code drain(stint_server *s, size_t n, const stint_ctx *ctx, stint_error *err)
{
    for (size_t i = 0; i < n; i++)
        stint__acceptor_drain(s->acceptors[i]);
    stint_code code = wait_idle(s, ctx);
    if (code == STINT_OK) {
        flush(s, n);
        code = wait_idle(s, ctx);
    }
    bool idle = code == STINT_OK;
    if (idle)
        code = wait_for_leavers(s, ctx);
    if (!is_draining(s))
        return stint_error_set(err, STINT_CANCELLED, "the server was stopped while it drained");
    if (code == STINT_OK)
        return STINT_OK;
    if (idle)
        return stint_error_set(err, code,
                               "everything is answered, but clients are still connected");
    return stint_error_set(err, code, "the server was not idle in time: %u calls in flight",
                           (unsigned)atomic_load(&s->inflight));
}

stint_code stint_server_drain(stint_server *s, const stint_ctx *ctx, stint_error *err)
{
    stint_error_clear(err);
    if (must_not_wait(s)) {
        stint_error_set(err, STINT_FAILED_PRECONDITION,
                        "draining a server in a thread that it would have to wait for");
        if (err != NULL)
            err->reason = STINT_REASON_WOULD_DEADLOCK;
        return STINT_FAILED_PRECONDITION;
    }
    pthread_mutex_lock(&s->mutex);
    int expected = STINT__SERVER_RUNNING;
    bool ok = atomic_compare_exchange_strong(&s->state, &expected, STINT__SERVER_DRAINING);
    size_t n = ok ? use_locked(s) : 0;
    pthread_mutex_unlock(&s->mutex);
    if (!ok)
        return stint_error_set(err, STINT_FAILED_PRECONDITION, "the server is not running");
    stint_code code = drain(s, n, ctx, err);
    stint__server_unuse(s);
    return code;
}

/* ---- stop ---- */

/* A client that does not read holds up nobody for long. */
static void flush_briefly(stint_server *s, size_t n)
{
    flush(s, n);
    stint_time until = stint_time_add(stint_now(), STOP_FLUSH_MAX);
    bool in_time = true;
    pthread_mutex_lock(&s->mutex);
    while (in_time && s->flushing > 0)
        in_time = stint__cond_wait_until(&s->changed, &s->mutex, until);
    pthread_mutex_unlock(&s->mutex);
}

/* True for the one thread that takes the server apart; the others come back when that is done. */
static bool begin_end(stint_server *s)
{
    pthread_mutex_lock(&s->mutex);
    while (s->end == STINT__END_BEGUN)
        pthread_cond_wait(&s->changed, &s->mutex);
    bool mine = s->end == STINT__END_NOT_BEGUN;
    if (mine)
        s->end = STINT__END_BEGUN;
    pthread_mutex_unlock(&s->mutex);
    return mine;
}

static void close_acceptors(stint_server *s)
{
    pthread_mutex_lock(&s->mutex);
    size_t n = s->n_acceptors;
    s->n_acceptors = 0;
    while (s->users > 0)
        pthread_cond_wait(&s->changed, &s->mutex);
    pthread_mutex_unlock(&s->mutex);
    for (size_t i = 0; i < n; i++)
        stint__acceptor_close(s->acceptors[i]);
}

static void take_apart(stint_server *s)
{
    /* What runs in here (hooks, interceptors) cannot wait for it either. */
    const stint_server *before = stint__work_for(s);
    stint__server_refuse_all(s, &stint__server_stopped);
    stint__workers_stop(s);
    /* A call that was arriving when the state changed may have been listed after the first round.
     */
    stint__server_refuse_all(s, &stint__server_stopped);
    flush_briefly(s, s->n_acceptors);
    close_acceptors(s);
    stint__work_for(before);
    pthread_mutex_lock(&s->mutex);
    s->end = STINT__END_DONE;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

void stint_server_stop(stint_server *s)
{
    atomic_fetch_add(&s->refs, 1); /* for the last steps below, when another thread may free it */
    pthread_mutex_lock(&s->mutex);
    atomic_store(&s->state, STINT__SERVER_STOPPED);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
    if (must_not_wait(s))
        stint__server_refuse_all(s, &stint__server_stopped);
    else if (begin_end(s))
        take_apart(s);
    stint__server_unref(s);
}

static void *stop_and_free(void *arg)
{
    stint_server_free(arg);
    return NULL;
}

void stint_server_free(stint_server *s)
{
    if (s == NULL)
        return;
    stint_server_stop(s);
    pthread_t thread;
    if (!must_not_wait(s))
        stint__server_unref(s);
    else if (stint__thread_start(&thread, stop_and_free, s))
        pthread_detach(thread);
    else
        stint__log_write(&s->logger, stint_now(), STINT_LOG_ERROR,
                         "no thread to free the server in: its memory stays");
}
