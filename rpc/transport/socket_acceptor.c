/* socket_acceptor.c - a server over one stock REP socket: binding, draining, closing.
 * Design, locking and lifetime: see socket_server.h.
 *
 * NNG binds and accepts in one step. So a connection that comes before the start is kept without
 * telling, and nothing is received on it.
 *
 * Draining changes nothing here. Closing NNG's listener would close its pipes too, and to refuse
 * new ones would only make NNG's clients come back at once, again and again. So connections are
 * still taken, and it is for the server to refuse what comes on them, which tells the client more.
 */
#include "socket_server.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <string.h>
#include <strings.h>

#include "alloc.h"

/* NNG says when a reply is handed to a connection, not when its last byte is written. This is how
 * long a flush waits after the former. */
#define FLUSH_LINGER STINT_MS(20)

struct flush {
    struct stint__list link;
    void (*fn)(void *arg);
    void *arg;
};

static struct stint__socket_acceptor *self(struct stint__acceptor *a)
{
    return (struct stint__socket_acceptor *)a;
}

static const struct stint__socket_acceptor *const_self(const struct stint__acceptor *a)
{
    return (const struct stint__socket_acceptor *)a;
}

/* ---- pipes ---- */

static void pipe_added_locked(struct stint__socket_acceptor *a, nng_pipe pipe)
{
    struct stint__socket_conn *c = NULL;
    if (!a->closing)
        c = stint__socket_conn_new(a, pipe);
    if (c != NULL && stint__map_put(&a->conns, c->pipe, c))
        return;
    if (c != NULL)
        stint__socket_conn_unref((struct stint__conn *)c);
    nng_pipe_close(pipe); /* refuses it: what this event is for */
}

/* Referenced by the caller from here on. */
static struct stint__socket_conn *pipe_removed_locked(struct stint__socket_acceptor *a, uint32_t id)
{
    struct stint__socket_conn *c = stint__map_remove(&a->conns, id);
    if (c != NULL)
        stint__socket_conn_removed_locked(c);
    return c;
}

static struct stint__socket_conn *pipe_ready_locked(struct stint__socket_acceptor *a, uint32_t id)
{
    struct stint__socket_conn *c = stint__map_get(&a->conns, id);
    if (c == NULL)
        return NULL; /* removed already */
    stint__socket_conn_tell_open_locked(c);
    stint__socket_conn_ref((struct stint__conn *)c);
    return c;
}

static void run_and_unref(struct stint__socket_conn *c)
{
    stint__serial_run(&c->serial);
    stint__socket_conn_unref((struct stint__conn *)c);
}

static void on_pipe(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    struct stint__socket_acceptor *a = arg;
    uint32_t id = (uint32_t)nng_pipe_id(pipe);
    struct stint__socket_conn *c = NULL;
    pthread_mutex_lock(&a->lock);
    if (event == NNG_PIPE_EV_ADD_PRE)
        pipe_added_locked(a, pipe);
    else if (event == NNG_PIPE_EV_ADD_POST)
        c = pipe_ready_locked(a, id);
    else
        c = pipe_removed_locked(a, id);
    pthread_mutex_unlock(&a->lock);
    if (c != NULL)
        run_and_unref(c);
}

/* ---- flushing ---- */

void stint__socket_acceptor_sent_locked(struct stint__socket_acceptor *a)
{
    if (a->sending > 0 || stint__list_empty(&a->flushes))
        return;
    bool armed = stint__timer_arm(&a->linger, stint_time_add(stint_now(), FLUSH_LINGER));
    (void)armed; /* out of memory: the next reply, or closing, ends the flush */
}

static void run_flushes(struct stint__socket_acceptor *a, bool all)
{
    struct stint__list due;
    struct stint__list *link;
    stint__list_init(&due);
    pthread_mutex_lock(&a->lock);
    if (all || a->sending == 0)
        stint__list_splice(&due, &a->flushes);
    pthread_mutex_unlock(&a->lock);
    while ((link = stint__list_pop_front(&due)) != NULL) {
        struct flush *f = STINT__CONTAINER_OF(link, struct flush, link);
        stint__transport_enter();
        f->fn(f->arg);
        stint__transport_leave();
        stint__free(f);
    }
}

static void linger_over(struct stint__timer *timer)
{
    run_flushes(STINT__CONTAINER_OF(timer, struct stint__socket_acceptor, linger), false);
}

void stint__socket_acceptor_flush(struct stint__acceptor *acceptor, void (*fn)(void *arg),
                                  void *arg)
{
    struct stint__socket_acceptor *a = self(acceptor);
    struct flush *f = stint__alloc(sizeof *f);
    if (f == NULL) { /* late replies may be lost, but nobody waits for ever */
        fn(arg);
        return;
    }
    stint__list_init(&f->link);
    f->fn = fn;
    f->arg = arg;
    pthread_mutex_lock(&a->lock);
    stint__list_push_back(&a->flushes, &f->link);
    stint__socket_acceptor_sent_locked(a);
    pthread_mutex_unlock(&a->lock);
}

/* ---- opening ---- */

static bool is_scheme(const char *url, const char *scheme)
{
    return strncasecmp(url, scheme, strlen(scheme)) == 0;
}

/* With the real port where NNG tells it. NULL when out of memory. */
static char *bound_url(const char *url, nng_listener listener)
{
    char *bound = NULL;
    if (!is_scheme(url, "nng+tcp://") ||
        nng_listener_get_string(listener, NNG_OPT_URL, &bound) != 0)
        return stint__strdup(url);
    size_t prefix = (size_t)(stint__socket_nng_url(url) - url);
    size_t len = strlen(bound);
    char *result = stint__alloc(prefix + len + 1);
    if (result != NULL) {
        memcpy(result, url, prefix);
        memcpy(result + prefix, bound, len + 1);
    }
    nng_strfree(bound);
    return result;
}

static bool has_port_zero(const char *url)
{
    nng_url *parsed;
    if (nng_url_parse(&parsed, stint__socket_nng_url(url)) != 0)
        return false;
    bool zero = parsed->u_port != NULL && strcmp(parsed->u_port, "0") == 0;
    nng_url_free(parsed);
    return zero;
}

static stint_code listen_on(struct stint__socket_acceptor *a, const char *url, stint_error *err)
{
    nng_listener listener;
    int rv = stint__socket_configure(a->socket, &a->opts, on_pipe, a);
    if (rv == 0)
        rv = nng_listener_create(&listener, a->socket, stint__socket_nng_url(url));
    if (rv == NNG_EINVAL || rv == NNG_ENOTSUP)
        rv = NNG_EADDRINVAL;
    if (rv == 0)
        rv = nng_listener_start(listener, 0);
    if (rv != 0)
        return stint__nng_listen_error(err, rv, url);
    char *bound = bound_url(url, listener);
    if (bound == NULL)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "%s: out of memory", url);
    pthread_mutex_lock(&a->lock); /* a client may have come already */
    stint__free(a->url);
    a->url = bound;
    pthread_mutex_unlock(&a->lock);
    return STINT_OK;
}

static void acceptor_free(struct stint__socket_acceptor *a)
{
    struct stint__list *link;
    while ((link = stint__list_pop_front(&a->contexts)) != NULL)
        stint__free(STINT__CONTAINER_OF(link, struct stint__context, all));
    stint__map_fini(&a->conns);
    pthread_cond_destroy(&a->quiet);
    pthread_mutex_destroy(&a->lock);
    stint__free(a->url);
    stint__free(a);
}

void stint__socket_acceptor_unref(struct stint__socket_acceptor *a)
{
    if (atomic_fetch_sub_explicit(&a->refs, 1, memory_order_acq_rel) == 1)
        acceptor_free(a);
}

static struct stint__socket_acceptor *acceptor_new(const char *url,
                                                   const struct stint__transport_options *opts,
                                                   const struct stint__acceptor_events *events)
{
    struct stint__socket_acceptor *a = stint__alloc_zeroed(sizeof *a);
    if (a == NULL)
        return NULL;
    a->object.ops = &stint__socket_transport;
    atomic_init(&a->refs, 1);
    a->opts = *opts;
    a->events = *events;
    stint__log_init(&a->trouble, opts->log);
    stint__timer_init(&a->linger, linger_over);
    stint__map_init(&a->conns);
    stint__list_init(&a->contexts);
    stint__list_init(&a->idle);
    stint__list_init(&a->flushes);
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->quiet, NULL);
    a->url = stint__strdup(url);
    if (a->url != NULL)
        return a;
    acceptor_free(a);
    return NULL;
}

stint_code stint__socket_acceptor_open(struct stint__acceptor **ret, const char *url,
                                       const struct stint__transport_options *opts,
                                       const struct stint__acceptor_events *events,
                                       stint_error *err)
{
    if (is_scheme(url, "ws://") && has_port_zero(url))
        return stint_error_set(err, STINT_INVALID_ARGUMENT,
                               "%s: ws:// needs a port number: which one port 0 became cannot be "
                               "found out",
                               url);
    stint_code code = stint__socket_check_url(url, err);
    if (code == STINT_OK)
        code = stint__nng_reaper_start(err);
    if (code != STINT_OK)
        return code;
    struct stint__socket_acceptor *a = acceptor_new(url, opts, events);
    if (a == NULL)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "%s: out of memory", url);
    if (nng_rep0_open(&a->socket) != 0) {
        acceptor_free(a);
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "%s: no socket left", url);
    }
    code = listen_on(a, url, err);
    if (code != STINT_OK)
        stint__socket_acceptor_close((struct stint__acceptor *)a);
    else
        *ret = (struct stint__acceptor *)a;
    return code;
}

/* A connection that came before the start, referenced, or NULL. */
static struct stint__socket_conn *next_untold_locked(struct stint__socket_acceptor *a)
{
    struct stint__socket_conn *c;
    size_t pos = 0;
    while ((c = stint__map_next(&a->conns, &pos)) != NULL) {
        if (c->established && !c->told_open)
            return pipe_ready_locked(a, c->pipe);
    }
    return NULL;
}

stint_code stint__socket_acceptor_start(struct stint__acceptor *acceptor, stint_error *err)
{
    struct stint__socket_acceptor *a = self(acceptor);
    struct stint__socket_conn *c;
    pthread_mutex_lock(&a->lock);
    a->started = true;
    stint__context_feed_locked(a);
    bool receiving = a->receiving;
    while (receiving && (c = next_untold_locked(a)) != NULL) {
        pthread_mutex_unlock(&a->lock);
        run_and_unref(c);
        pthread_mutex_lock(&a->lock);
    }
    pthread_mutex_unlock(&a->lock);
    if (!receiving)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "%s: out of memory", a->url);
    return STINT_OK;
}

const char *stint__socket_acceptor_url(const struct stint__acceptor *a)
{
    return const_self(a)->url;
}

unsigned stint__socket_acceptor_capabilities(const struct stint__acceptor *a)
{
    unsigned can = stint__socket_capabilities(const_self(a)->url);
    if (is_scheme(const_self(a)->url, "nng+tcp://"))
        can |= STINT__CAN_PORT_ZERO;
    return can;
}

void stint__socket_acceptor_stats(const struct stint__acceptor *a,
                                  struct stint__transport_stats *stats)
{
    stint__transport_counters_read(&const_self(a)->counters, stats);
}

/* ---- draining and closing ---- */

void stint__socket_acceptor_drain(struct stint__acceptor *a)
{
    (void)a; /* see the top of the file */
}

/* Ends every operation and waits for it. */
static void quiesce(struct stint__socket_acceptor *a)
{
    pthread_mutex_lock(&a->lock);
    a->closing = true;
    STINT_LIST_FOREACH (it, &a->contexts) {
        struct stint__context *k = STINT__CONTAINER_OF(it, struct stint__context, all);
        if (k->state == STINT__CONTEXT_RECEIVING || k->state == STINT__CONTEXT_SENDING)
            nng_aio_cancel(k->aio);
    }
    while (a->operations > 0)
        pthread_cond_wait(&a->quiet, &a->lock);
    pthread_mutex_unlock(&a->lock);
}

/* Does what NNG did not come to do because it hangs. */
static void remove_conns(struct stint__socket_acceptor *a)
{
    for (;;) {
        size_t pos = 0;
        pthread_mutex_lock(&a->lock);
        struct stint__socket_conn *c = stint__map_next(&a->conns, &pos);
        if (c != NULL)
            (void)pipe_removed_locked(a, c->pipe);
        pthread_mutex_unlock(&a->lock);
        if (c == NULL)
            return;
        run_and_unref(c);
    }
}

static void wait_told_closed(struct stint__socket_acceptor *a)
{
    pthread_mutex_lock(&a->lock);
    while (a->told_open > 0)
        pthread_cond_wait(&a->quiet, &a->lock);
    pthread_mutex_unlock(&a->lock);
}

void stint__socket_acceptor_close(struct stint__acceptor *acceptor)
{
    struct stint__socket_acceptor *a = self(acceptor);
    quiesce(a);
    bool closed = stint__socket_close(a->socket, a->url);
    remove_conns(a);
    wait_told_closed(a);
    STINT_LIST_FOREACH (it, &a->contexts)
        nng_aio_free(STINT__CONTAINER_OF(it, struct stint__context, all)->aio);
    stint__timer_disarm_wait(&a->linger);
    run_flushes(a, true);
    if (closed)
        stint__socket_acceptor_unref(a);
    else /* NNG may still call on_pipe: never freed */
        stint__log_write(&a->trouble, stint_now(), STINT_LOG_ERROR, STINT__SOCKET_HANGS, a->url);
}
