/* stint/server.h - serving calls.
 *
 *     stint_server_new -> stint_server_add (generated ..._register) -> stint_server_listen
 *         -> stint_server_start -> ... -> stint_server_drain -> stint_server_free
 *
 * Threads: new, add, listen and start are for one thread at a time; drain, stop and stats_get may
 * be called from any number of threads at once, and free once, when nobody will use the server any
 * more. */
#ifndef STINT_SERVER_H
#define STINT_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include <stint/ctx.h>
#include <stint/handler.h>
#include <stint/histogram.h>
#include <stint/interceptor.h>
#include <stint/log.h>
#include <stint/service.h>
#include <stint/status.h>

STINT_BEGIN_DECLS

typedef struct stint_server stint_server;

/* Zero means the default everywhere. */
typedef struct stint_server_options {
    size_t size;            /* sizeof(stint_server_options); STINT_SERVER_OPTIONS sets it */
    uint32_t workers;       /* threads that run handlers; default: twice the CPUs, at least 4 */
    uint32_t max_queue;     /* calls waiting for a worker; default 4096 */
    uint32_t max_inflight;  /* calls that take memory: not yet answered, or cancelled
                               while the handler runs or holds a ticket; default 16384 */
    size_t max_message;     /* bytes of one message, both ways; default 4 MiB */
    size_t max_call_memory; /* bytes of one call: decoded request and reply; default 64 MiB */
    stint_duration
        max_timeout; /* longer budgets, and none at all, are clamped to it; default 1 h */
    stint_duration
        reply_reserve;        /* kept back from a handler's deadline for sending the reply;
                                 default a fiftieth of the budget, at most 1 ms; negative: none */
    stint_duration heartbeat; /* as in stint_channel_options */
    const stint_interceptor *const *interceptors; /* NULL-terminated; must outlive the server */
    stint_log log;
    uint32_t max_connections; /* on each URL at once; further ones are closed; default 4096. Not on
                                 stock NNG sockets (inproc, ws, nng+tcp, nng+ipc). */
    uint32_t max_connection_inflight; /* of max_inflight, for one connection; default 4096 */
    uint32_t max_concurrency; /* calls that run at once, deferred ones included, of each method and
                                 of all together: the most that the limits, which adapt, may rise
                                 to; default: max_inflight */
    const char *name; /* what ledgers and texts call the server: up to 63 bytes of printable UTF-8,
                         copied; default: of each method's path the service, as in "Stock" */
} stint_server_options;

#define STINT_SERVER_OPTIONS(...) STINT_TEMPORARY(stint_server_options, __VA_ARGS__)

/* opts may be NULL. Errors: INVALID_ARGUMENT, RESOURCE_EXHAUSTED. */
STINT_API STINT_NODISCARD stint_code stint_server_new(stint_server **ret_server,
                                                      const stint_server_options *opts,
                                                      stint_error *err);

/* Adds a service, before start. `ops` and `self` must outlive the server; handlers run in several
 * threads at once. Errors: ALREADY_EXISTS, FAILED_PRECONDITION (started). */
STINT_API STINT_NODISCARD stint_code stint_server_add(stint_server *s, const stint_service *service,
                                                      const void *ops, void *self,
                                                      stint_error *err);

/* Binds one more URL, before start; requests are read from start on. Errors: INVALID_ARGUMENT (bad
 * URL), ALREADY_EXISTS (address in use), UNAVAILABLE, PERMISSION_DENIED, with the address in the
 * text. */
STINT_API STINT_NODISCARD stint_code stint_server_listen(stint_server *s, const char *url,
                                                         stint_error *err);

/* The URL that listener i is really bound to (port 0 becomes the port), or NULL. Owned by s, and
 * valid until it is stopped; not while it is being stopped. */
STINT_API const char *stint_server_url(const stint_server *s, size_t i);

/* Starts the workers and begins to read. Errors: FAILED_PRECONDITION (no listener, or started),
 * RESOURCE_EXHAUSTED (threads). */
STINT_API STINT_NODISCARD stint_code stint_server_start(stint_server *s, stint_error *err);

/* Graceful end: tells clients to go elsewhere (GOAWAY), refuses new calls with UNAVAILABLE
 * (DRAINING, not executed), and waits until every call is answered, the answers are written and,
 * for a second at most, until those clients have left: so that nothing is lost with a connection.
 * Returns OK then; ctx's code if ctx is done first; CANCELLED if the server is stopped meanwhile;
 * FAILED_PRECONDITION if it is not running, or (WOULD_DEADLOCK) in a handler of this server, a
 * `done` function or a short handler, whose thread it would have to wait for. stint_server_stop or
 * _free may follow in all cases. */
STINT_API STINT_NODISCARD stint_code stint_server_drain(stint_server *s, const stint_ctx *ctx,
                                                        stint_error *err);

/* Hard end: cancels every call's context, answers what it still can with UNAVAILABLE, closes the
 * listeners and connections, and joins the workers: a handler that ignores its context holds it up.
 * A second one returns when the first has ended, or at once if it had. In a handler of this server,
 * a `done` function or a short handler it cancels, answers and refuses as said, but waits for
 * nothing and closes nothing: a stop or free elsewhere completes it. */
STINT_API void stint_server_stop(stint_server *s);

/* Stops, and frees when the last ticket is finished. In a thread where stop would not wait, this
 * does not either: a thread of the library ends the server, and what its handlers use must live
 * until they have returned. NULL is accepted. */
STINT_API void stint_server_free(stint_server *s);

typedef struct stint_server_stats {
    size_t size;              /* set by the caller to sizeof(stint_server_stats) */
    uint64_t requests;        /* decoded; the next ones say what became of them */
    uint64_t executed;        /* handlers that ran */
    uint64_t ok;              /* answered OK */
    uint64_t failed;          /* handlers that ran, and the answer was another */
    uint64_t expired_arrival; /* shed: no time left when read */
    uint64_t expired_queue;   /* shed: no time left when a worker took it */
    uint64_t refused_full;
    uint64_t refused_draining;
    uint64_t refused_method;      /* no such method */
    uint64_t refused_other;       /* by an interceptor, or a request that does not decode */
    uint64_t cancelled;           /* by the client, or lost with its connection */
    uint64_t late;                /* of those failed: by their deadline */
    uint64_t clamped;             /* budgets over max_timeout */
    uint64_t malformed;           /* connections closed because of garbage */
    uint64_t connections;         /* open now */
    uint64_t inflight;            /* calls now */
    uint64_t accepted;            /* connections ever */
    uint64_t refused_connections; /* over max_connections */
    uint64_t stalled; /* connections closed because their client did not read its replies */
    uint64_t insufficient_arrival; /* shed: less left when read than it needs, with the wait */
    uint64_t insufficient_queue;   /* shed: less left after waiting than it needs */
    uint64_t probes;               /* let in although, to learn whether it is still so */
} stint_server_stats;

/* A snapshot of the counters. Thread-safe. */
STINT_API void stint_server_stats_get(stint_server *s, stint_server_stats *stats);

/* One method: what became of its requests, what it needs, and how long it waits and runs. */
typedef struct stint_method_stats {
    size_t size;                   /* set by the caller to sizeof(stint_method_stats) */
    uint64_t requests;             /* read; the next ones say what became of them */
    uint64_t admitted;             /* let in: queued, or run where they were read */
    uint64_t executed;             /* handlers that ran */
    uint64_t ok;                   /* answered OK */
    uint64_t failed;               /* handlers that ran, and the answer was another */
    uint64_t expired_arrival;      /* shed on arrival: no time left, that on the way counted */
    uint64_t insufficient_arrival; /* shed on arrival: less left than it needs, with the wait */
    uint64_t expired_queue;        /* shed after waiting: no time left */
    uint64_t insufficient_queue;   /* shed after waiting: less left than it needs */
    uint64_t refused_full;         /* found the queue, the server or its connection full */
    uint64_t displaced;            /* left a full queue for a more critical or a newer call */
    uint64_t refused_draining;
    uint64_t refused_other;   /* by an interceptor, or a request that does not decode */
    uint64_t probes;          /* admitted with too little time, to learn whether it is too little */
    uint64_t cancelled_queue; /* by the caller, or with its connection, before they ran */
    uint64_t cancelled_handler;      /* and while they ran */
    uint64_t late;                   /* of those failed: by their deadline */
    stint_duration cpu_after_cancel; /* CPU time of handlers that went on all the same */
    stint_duration needed;           /* what a call needs, as callers are told; 0: not known yet */
    uint32_t waiting;                /* now, for a worker */
    uint32_t running;                /* now; short methods aside */
    uint32_t limit;                  /* of those, now */
    stint_histogram queue;           /* from arrival until the handler ran */
    stint_histogram run;             /* handlers, from then until they answered */
} stint_method_stats;

/* The path of method i in no particular order, or NULL; owned by the service. For s that has
 * started. */
STINT_API const char *stint_server_method(const stint_server *s, size_t i);

/* A snapshot of one method's counters, each read by itself. For s that has started; thread-safe.
 * Errors: NOT_FOUND (no such method; *stats is untouched). */
STINT_API STINT_NODISCARD stint_code stint_server_method_stats_get(stint_server *s,
                                                                   const char *path,
                                                                   stint_method_stats *stats);

STINT_END_DECLS

#endif
