/* server.c - making and starting a server, and its counters. For its end see end.c.
 *
 * The memory is freed when the owner has let go and the last call is freed: a ticket may outlive
 * stint_server_free. */
#include <stint/server.h>

#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "options.h"
#include "server_internal.h"

#define DEFAULT_MAX_QUEUE    4096
#define DEFAULT_MAX_INFLIGHT 16384
#define DEFAULT_CONNECTIONS  4096
#define DEFAULT_CONN_CALLS   4096
#define DEFAULT_MAX_MESSAGE  ((size_t)4 * 1024 * 1024)
#define DEFAULT_CALL_MEMORY  ((size_t)64 * 1024 * 1024)
#define DEFAULT_MAX_TIMEOUT  STINT_SECONDS(3600)
#define DEFAULT_HEARTBEAT    STINT_SECONDS(10)
#define MAX_WORKERS          1024

static uint32_t default_workers(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    return cpus > 2 ? (uint32_t)cpus * 2 : 4;
}

static stint_server_options with_defaults(stint_server_options o)
{
    if (o.workers == 0)
        o.workers = default_workers();
    if (o.max_queue == 0)
        o.max_queue = DEFAULT_MAX_QUEUE;
    if (o.max_inflight == 0)
        o.max_inflight = DEFAULT_MAX_INFLIGHT;
    if (o.max_connections == 0)
        o.max_connections = DEFAULT_CONNECTIONS;
    if (o.max_connection_inflight == 0)
        o.max_connection_inflight = DEFAULT_CONN_CALLS;
    if (o.max_message == 0)
        o.max_message = DEFAULT_MAX_MESSAGE;
    if (o.max_call_memory == 0)
        o.max_call_memory = DEFAULT_CALL_MEMORY;
    if (o.max_timeout <= 0)
        o.max_timeout = DEFAULT_MAX_TIMEOUT;
    if (o.heartbeat == 0)
        o.heartbeat = DEFAULT_HEARTBEAT;
    return o;
}

static stint_code check_options(const stint_server_options *o, stint_error *err)
{
    if (o->workers > MAX_WORKERS)
        return stint_error_set(err, STINT_INVALID_ARGUMENT, "%u workers are more than %d",
                               (unsigned)o->workers, MAX_WORKERS);
    if (o->max_message > STINT__PAYLOAD_MAX)
        return stint_error_set(err, STINT_INVALID_ARGUMENT, "max_message of %zu is more than %zu",
                               o->max_message, STINT__PAYLOAD_MAX);
    if (o->max_call_memory > PTRDIFF_MAX)
        return stint_error_set(err, STINT_INVALID_ARGUMENT,
                               "max_call_memory of %zu is more than there can be",
                               o->max_call_memory);
    return STINT_OK;
}

stint_code stint_server_new(stint_server **ret_server, const stint_server_options *opts,
                            stint_error *err)
{
    stint_error_clear(err);
    stint_server_options o;
    stint_code code = stint__options_copy(&o, sizeof o, opts, "stint_server_options", err);
    if (code == STINT_OK)
        code = check_options(&o, err);
    if (code != STINT_OK)
        return code;
    o = with_defaults(o);
    stint_server *s = stint__alloc_zeroed(sizeof *s);
    if (s == NULL)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "out of memory");
    s->opts = o;
    while (o.interceptors != NULL && o.interceptors[s->n_interceptors] != NULL)
        s->n_interceptors++;
    atomic_init(&s->refs, 1);
    stint__log_init(&s->logger, o.log);
    stint__list_init(&s->conns);
    stint__list_init(&s->queue.calls);
    s->queue.max = o.max_queue;
    pthread_mutex_init(&s->mutex, NULL);
    pthread_mutex_init(&s->queue.mutex, NULL);
    stint__cond_init(&s->changed);
    stint__cond_init(&s->queue.nonempty);
    *ret_server = s;
    return STINT_OK;
}

void stint__server_unref(stint_server *s)
{
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    pthread_cond_destroy(&s->queue.nonempty);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->queue.mutex);
    pthread_mutex_destroy(&s->mutex);
    stint__free(s->methods);
    stint__free(s->acceptors);
    stint__free(s->workers);
    stint__free(s);
}

stint_code stint_server_listen(stint_server *s, const char *url, stint_error *err)
{
    stint_error_clear(err);
    if (atomic_load(&s->state) != STINT__SERVER_NEW)
        return stint_error_set(err, STINT_FAILED_PRECONDITION,
                               "%s must be bound before the server starts", url);
    struct stint__acceptor **more =
        stint__realloc(s->acceptors, (s->n_acceptors + 1) * sizeof(struct stint__acceptor *));
    if (more == NULL)
        return stint_error_set(err, STINT_RESOURCE_EXHAUSTED, "out of memory");
    s->acceptors = more;
    const struct stint__transport_options topts = {
        .max_message = s->opts.max_message,
        .heartbeat = s->opts.heartbeat < 0 ? 0 : s->opts.heartbeat,
        .max_queued = 2 * s->opts.max_message,
        .max_connections = s->opts.max_connections,
        .log = s->opts.log,
    };
    const struct stint__acceptor_events events = {s, stint__server_on_opened,
                                                  stint__server_on_request, stint__server_on_cancel,
                                                  stint__server_on_closed};
    stint_code code = stint__acceptor_open(&more[s->n_acceptors], url, &topts, &events, err);
    if (code == STINT_OK)
        s->n_acceptors++;
    return code;
}

const char *stint_server_url(const stint_server *s, size_t i)
{
    return i < s->n_acceptors ? stint__acceptor_url(s->acceptors[i]) : NULL;
}

stint_code stint_server_start(stint_server *s, stint_error *err)
{
    stint_error_clear(err);
    if (s->n_acceptors == 0)
        return stint_error_set(err, STINT_FAILED_PRECONDITION,
                               "the server listens nowhere: call stint_server_listen first");
    int expected = STINT__SERVER_NEW;
    if (!atomic_compare_exchange_strong(&s->state, &expected, STINT__SERVER_RUNNING))
        return stint_error_set(err, STINT_FAILED_PRECONDITION, "the server was started before");
    stint_code code = stint__workers_start(s, err);
    for (size_t i = 0; code == STINT_OK && i < s->n_acceptors; i++)
        code = stint__acceptor_start(s->acceptors[i], err);
    if (code != STINT_OK)
        stint_server_stop(s);
    return code;
}

void stint__server_leave(stint_server *s)
{
    if (atomic_fetch_sub(&s->inflight, 1) != 1 || atomic_load(&s->state) == STINT__SERVER_RUNNING)
        return;
    pthread_mutex_lock(&s->mutex);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

static uint64_t get(const atomic_uint_fast64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void stint_server_stats_get(stint_server *s, stint_server_stats *stats)
{
    const struct stint__server_counters *c = &s->counters;
    stint_server_stats all = {
        .size = stats->size,
        .requests = get(&c->requests),
        .executed = get(&c->executed),
        .ok = get(&c->ok),
        .failed = get(&c->failed),
        .expired_arrival = get(&c->expired_arrival),
        .expired_queue = get(&c->expired_queue),
        .refused_full = get(&c->refused_full),
        .refused_draining = get(&c->refused_draining),
        .refused_method = get(&c->refused_method),
        .refused_other = get(&c->refused_other),
        .cancelled = get(&c->cancelled),
        .late = get(&c->late),
        .clamped = get(&c->clamped),
        .accepted = get(&c->accepted),
        .inflight = atomic_load(&s->inflight),
    };
    size_t n = stint__server_use(s);
    for (size_t i = 0; i < n; i++) {
        struct stint__transport_stats t = {0};
        stint__acceptor_stats(s->acceptors[i], &t);
        all.malformed += t.malformed;
        all.connections += t.open;
        all.refused_connections += t.refused;
        all.stalled += t.stalled;
    }
    stint__server_unuse(s);
    memcpy(stats, &all, stats->size < sizeof all ? stats->size : sizeof all);
}
