/* stream_acceptor.c - listening, and the list of connections.
 *
 * Invariants, under the acceptor's lock: a connection is in `conns` from when it was accepted until
 * it is gone; while there is a listener and it was started, either an accept is outstanding, or the
 * pause's timer is armed or its function about to run; `unflushed` counts the connections that are
 * `flushing`, and while it is 0 there are no flushes.
 *
 * Design notes. When file descriptors run out, a connection waits in the backlog and accepting
 * would fail again at once: hence the pause. */
#include "stream_acceptor.h"

#include "alloc.h"
#include "clock.h"

#define ACCEPT_PAUSE STINT_MS(100)

static struct stint__stream_acceptor *self_of(struct stint__acceptor *a)
{
    return (struct stint__stream_acceptor *)(void *)a;
}

void stint__stream_acceptor_ref(struct stint__stream_acceptor *a)
{
    atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
}

void stint__stream_acceptor_unref(struct stint__stream_acceptor *a)
{
    if (atomic_fetch_sub_explicit(&a->refs, 1, memory_order_acq_rel) != 1)
        return;
    stint__listener_free(a->listener);
    pthread_cond_destroy(&a->idle);
    pthread_mutex_destroy(&a->lock);
    stint__free(a->url);
    stint__free(a);
}

/* ---- accepting ---- */

static void accept_locked(struct stint__stream_acceptor *a)
{
    if (a->listener == NULL)
        return;
    stint__stream_acceptor_ref(a);
    stint__accept(a->listener, &a->accept_op);
}

static void on_pause_over(struct stint__timer *t)
{
    struct stint__stream_acceptor *a = STINT__CONTAINER_OF(t, struct stint__stream_acceptor, pause);
    pthread_mutex_lock(&a->lock);
    accept_locked(a);
    pthread_mutex_unlock(&a->lock);
    stint__stream_acceptor_unref(a);
}

static void pause_locked(struct stint__stream_acceptor *a)
{
    stint__stream_acceptor_ref(a);
    if (stint__timer_arm(&a->pause, stint_time_add(stint_now(), ACCEPT_PAUSE)))
        return;
    stint__stream_acceptor_unref(a);
    accept_locked(a); /* no memory for a timer: at once is better than never */
}

static void report(struct stint__stream_acceptor *a, const char *what)
{
    stint__log_write(&a->trouble, stint_now(), STINT_LOG_WARN,
                     "%s: a connection was not accepted: %s", a->url, what);
}

/* Adds a connection to the list, with its lock held when it is returned: nobody may close it before
 * it is started. NULL: it is not wanted (any more), or there was no memory; *ret_trouble says what
 * is to be reported, if anything. */
static struct stint__server_pipe *admit_locked(struct stint__stream_acceptor *a,
                                               struct stint__stream *stream,
                                               const char **ret_trouble)
{
    if (a->listener == NULL)
        return NULL;
    if (a->n_conns >= a->end.opts.max_connections) {
        stint__count(&a->end.counters.refused);
        *ret_trouble = "there are as many as are allowed";
        return NULL;
    }
    struct stint__server_pipe *c = stint__server_pipe_new(a, stream);
    if (c == NULL) {
        *ret_trouble = "out of memory";
        return NULL;
    }
    stint__list_push_back(&a->conns, &c->link);
    a->n_conns++;
    pthread_mutex_lock(c->pipe.lock);
    return c;
}

static void on_accept(struct stint__net_op *op)
{
    struct stint__stream_acceptor *a =
        STINT__CONTAINER_OF(op, struct stint__stream_acceptor, accept_op);
    stint_code code = op->code;
    struct stint__stream *stream = code == STINT_OK ? op->stream : NULL;
    struct stint__server_pipe *c = NULL;
    const char *trouble = NULL;
    if (code != STINT_OK && code != STINT_CANCELLED)
        report(a, op->error.message); /* before the next accept makes use of op */
    pthread_mutex_lock(&a->lock);
    if (stream != NULL)
        c = admit_locked(a, stream, &trouble);
    if (code == STINT_RESOURCE_EXHAUSTED)
        pause_locked(a);
    else
        accept_locked(a);
    pthread_mutex_unlock(&a->lock);
    if (trouble != NULL)
        report(a, trouble);
    if (c != NULL)
        stint__pipe_start_unlock(&c->pipe);
    else
        stint__stream_free(stream);
    stint__stream_acceptor_unref(a);
}

/* ---- opening ---- */

stint_code stint__stream_acceptor_open(struct stint__acceptor **ret, const char *url,
                                       const struct stint__transport_options *opts,
                                       const struct stint__acceptor_events *events,
                                       stint_error *err)
{
    struct stint__stream_acceptor *a = stint__alloc_zeroed(sizeof *a);
    if (a == NULL)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "%s: out of memory", url);
    stint__stream_end_init(&a->end, opts);
    stint__log_init(&a->trouble, opts->log);
    a->events = *events;
    atomic_init(&a->refs, 1);
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->idle, NULL);
    stint__timer_init(&a->pause, on_pause_over);
    stint__list_init(&a->conns);
    stint__list_init(&a->flushes);
    a->accept_op.fn = on_accept;
    stint_code code = stint__listener_new(&a->listener, url, err);
    if (code == STINT_OK) {
        a->url = stint__strdup(stint__listener_url(a->listener));
        if (a->url == NULL)
            code = stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "%s: out of memory", url);
    }
    if (code != STINT_OK) {
        stint__stream_acceptor_unref(a);
        return code;
    }
    *ret = (struct stint__acceptor *)(void *)a;
    return STINT_OK;
}

stint_code stint__stream_acceptor_start(struct stint__acceptor *acceptor, stint_error *err)
{
    (void)err; /* what fails from here on is tried again */
    struct stint__stream_acceptor *a = self_of(acceptor);
    pthread_mutex_lock(&a->lock);
    accept_locked(a);
    pthread_mutex_unlock(&a->lock);
    return STINT_OK;
}

const char *stint__stream_acceptor_url(const struct stint__acceptor *a)
{
    return ((const struct stint__stream_acceptor *)(const void *)a)->url;
}

/* ---- draining and flushing ---- */

/* Gives the address free. */
static void stop_listening_locked(struct stint__stream_acceptor *a)
{
    if (stint__timer_disarm(&a->pause))
        stint__stream_acceptor_unref(a);
    stint__listener_free(a->listener);
    a->listener = NULL;
}

void stint__stream_acceptor_drain(struct stint__acceptor *acceptor)
{
    struct stint__stream_acceptor *a = self_of(acceptor);
    pthread_mutex_lock(&a->lock);
    atomic_store(&a->draining, true);
    stop_listening_locked(a);
    STINT_LIST_FOREACH (link, &a->conns)
        stint__server_pipe_goaway(STINT__CONTAINER_OF(link, struct stint__server_pipe, link));
    pthread_mutex_unlock(&a->lock);
}

/* Calls everybody who waits if nothing is waited for any more. Gives up the lock. */
static void finish_flushes_unlock(struct stint__stream_acceptor *a)
{
    struct stint__list done;
    stint__list_init(&done);
    if (a->unflushed == 0)
        stint__list_splice(&done, &a->flushes);
    a->running++;
    pthread_mutex_unlock(&a->lock);
    struct stint__list *link;
    while ((link = stint__list_pop_front(&done)) != NULL) {
        struct stint__flush *f = STINT__CONTAINER_OF(link, struct stint__flush, link);
        f->fn(f->arg);
        stint__free(f);
    }
    pthread_mutex_lock(&a->lock);
    a->running--;
    pthread_cond_broadcast(&a->idle);
    pthread_mutex_unlock(&a->lock);
}

void stint__stream_acceptor_flushed(struct stint__stream_acceptor *a, struct stint__server_pipe *c)
{
    pthread_mutex_lock(&a->lock);
    if (c->flushing && !stint__pipe_is_marked(&c->pipe)) { /* or another flush came meanwhile */
        c->flushing = false;
        a->unflushed--;
    }
    finish_flushes_unlock(a);
}

void stint__stream_acceptor_flush(struct stint__acceptor *acceptor, void (*fn)(void *arg),
                                  void *arg)
{
    struct stint__stream_acceptor *a = self_of(acceptor);
    struct stint__flush *f = stint__alloc(sizeof *f);
    if (f == NULL) {
        fn(arg); /* too early is better than never */
        return;
    }
    f->fn = fn;
    f->arg = arg;
    pthread_mutex_lock(&a->lock);
    stint__list_push_back(&a->flushes, &f->link);
    STINT_LIST_FOREACH (link, &a->conns) {
        struct stint__server_pipe *c = STINT__CONTAINER_OF(link, struct stint__server_pipe, link);
        if (stint__pipe_mark(&c->pipe) && !c->flushing) {
            c->flushing = true;
            a->unflushed++;
        }
    }
    finish_flushes_unlock(a);
}

/* ---- closing ---- */

void stint__stream_acceptor_forget(struct stint__stream_acceptor *a, struct stint__server_pipe *c)
{
    pthread_mutex_lock(&a->lock);
    stint__list_unlink(&c->link);
    a->n_conns--;
    pthread_mutex_unlock(&a->lock);
}

static void shut_down_first_locked(struct stint__stream_acceptor *a)
{
    struct stint__server_pipe *c =
        STINT__CONTAINER_OF(a->conns.next, struct stint__server_pipe, link);
    stint_error why;
    stint_error_set(&why, STINT_CANCELLED, "the server was closed");
    stint__pipe_ref(&c->pipe);
    pthread_mutex_unlock(&a->lock);
    stint__pipe_shut_down(&c->pipe, &why);
    stint__pipe_unref(&c->pipe);
    pthread_mutex_lock(&a->lock);
}

void stint__stream_acceptor_close(struct stint__acceptor *acceptor)
{
    struct stint__stream_acceptor *a = self_of(acceptor);
    pthread_mutex_lock(&a->lock);
    stop_listening_locked(a);
    while (!stint__list_empty(&a->conns))
        shut_down_first_locked(a);
    while (a->running > 0)
        pthread_cond_wait(&a->idle, &a->lock);
    pthread_mutex_unlock(&a->lock);
    stint__net_quiesce(); /* the address can be bound again */
    stint__stream_acceptor_unref(a);
}
