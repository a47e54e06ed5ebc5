/* server.c - making and starting a server, and its counters. For its end see end.c.
 *
 * The memory is freed when the owner has let go and the last call is freed: a ticket may outlive
 * stint_server_free. */
#include <stint/server.h>

#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "entry.h"
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
    if (o.max_concurrency == 0)
        o.max_concurrency = o.max_inflight;
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
    code = stint__entry_set_name(s, o.name, err);
    if (code != STINT_OK) {
        stint__free(s);
        return code;
    }
    while (o.interceptors != NULL && o.interceptors[s->n_interceptors] != NULL)
        s->n_interceptors++;
    atomic_init(&s->refs, 1);
    stint__log_init(&s->logger, o.log);
    stint__list_init(&s->conns);
    pthread_mutex_init(&s->mutex, NULL);
    stint__cond_init(&s->changed);
    stint__work_init(s);
    *ret_server = s;
    return STINT_OK;
}

void stint__server_unref(stint_server *s)
{
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    stint__work_fini(s);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->mutex);
    stint__methods_free(s);
    stint__free(s->acceptors);
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
