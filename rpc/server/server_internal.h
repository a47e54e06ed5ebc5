/* server_internal.h - servers, their connections and their calls, as the files of rpc/server share
 * them.
 *
 * The life of a call (struct stint_call):
 *
 *   answered  Whoever sets it sends the reply, or decides that there is none: the handler's thread,
 *             a ticket, the deadline of a deferred call, a cancellation, the end of the server.
 *
 *   started   Set just before the handler is called, and not any more once it is answered.
 *
 * Both are bits of one number: so whoever answers knows whether the handler runs, and an answer
 * that says not_executed is true.
 *
 * References: one for the thread that runs it or the queue that holds it; one for its ticket; one
 * while its timer is armed. The call is in its connection's list from admission until it is
 * answered, unless it runs where it was read: then from its deferral on, if it is not answered by
 * then.
 *
 * Counts: server->inflight is what drain waits for, requests whose answers are not handed over yet.
 * server->admitted is what max_inflight limits, calls that take memory: one that was cancelled is
 * answered at once, but its handler or its ticket keeps it.
 *
 * Locks: server->mutex guards the connections' list, the state and what drain waits for;
 * conn->mutex guards the connection's calls and tombstones; queue.mutex guards the queue. Never two
 * at once. No lock is held while a handler, an interceptor, a hook or the transport is
 * called, but for stint__conn_is_leaving, which only looks. */
#ifndef STINT_SERVER_SERVER_INTERNAL_H
#define STINT_SERVER_SERVER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include <stint/request.h>
#include <stint/server.h>

#include "arena.h"
#include "clock.h"
#include "ctx_internal.h"
#include "estimate.h"
#include "ledger.h"
#include "limit.h"
#include "list.h"
#include "logger.h"
#include "map.h"
#include "queue.h"
#include "tally.h"
#include "transit.h"
#include "transport.h"

#define STINT__CALL_ARENA_FIRST 1024 /* bytes inside each call, before its arena mallocs */
/* The limits on what runs at once stay above one: while one call is answered, the next is on its
 * way to where the work is done. */
#define STINT__LIMIT_LEAST 2

#define STINT__TOMBSTONES 32 /* cancels remembered per connection that came before requests */

/* What becomes of requests: counted for the server, and for the method if it is known. A request
 * ends in exactly one of those from ANSWERED_OK to CANCELLED_HANDLER (or its method is unknown);
 * the others say more about it. Counted before the answer goes out. */
enum stint__outcome {
    STINT__REQUESTS,
    STINT__ADMITTED,
    STINT__EXECUTED,
    STINT__PROBES,
    STINT__LATE,
    STINT__ANSWERED_OK,
    STINT__FAILED, /* a handler ran, or runs, and the answer is another */
    STINT__EXPIRED_ARRIVAL,
    STINT__INSUFFICIENT_ARRIVAL,
    STINT__EXPIRED_QUEUE,
    STINT__INSUFFICIENT_QUEUE,
    STINT__REFUSED_FULL,
    STINT__DISPLACED,
    STINT__REFUSED_DRAINING,
    STINT__REFUSED_OTHER,
    STINT__CANCELLED_QUEUE,
    STINT__CANCELLED_HANDLER,
    STINT__OUTCOMES,
};

typedef atomic_uint_fast64_t stint__outcomes[STINT__OUTCOMES];

/* One method as this server has come to know it. */
struct stint__method_state {
    char name[STINT__LEDGER_SERVICE_MAX + 1]; /* what ledgers call its server */
    stint__outcomes outcomes;
    atomic_uint_fast32_t turned_away;      /* since the last probe: see admission.c */
    atomic_int_fast64_t probed_at;         /* when that was, in ns */
    atomic_uint_fast64_t cpu_after_cancel; /* in nanoseconds */
    struct stint__tally queue, run;

    pthread_mutex_t mutex; /* guards the estimate */
    struct stint__estimate estimate;
    atomic_int_fast64_t needed;     /* the estimate, for those who look without the lock: high, */
    atomic_int_fast64_t typical;    /* median, */
    atomic_int_fast64_t learned_at; /* and when it was last added to */

    struct stint__lane lane;   /* [work] */
    struct stint__limit limit; /* [work] */
};

struct stint__method_entry {
    const stint_method *method;
    size_t path_len;
    stint_dispatch_fn dispatch;
    const void *ops;
    void *self;
    struct stint__method_state *state; /* owned */
};

struct stint__server_counters {
    stint__outcomes outcomes;
    atomic_uint_fast64_t refused_method, clamped, accepted;
};

enum stint__server_state {
    STINT__SERVER_NEW,
    STINT__SERVER_RUNNING,
    STINT__SERVER_DRAINING,
    STINT__SERVER_STOPPED,
};

/* How far a stop has come in taking the server apart: see end.c. */
enum stint__server_end { STINT__END_NOT_BEGUN, STINT__END_BEGUN, STINT__END_DONE };

/* Calls that wait for a worker, and what regulates how many run. The mutex guards all of it, and
 * what is marked [work]. */
struct stint__work {
    pthread_mutex_t mutex;
    struct stint__list idle; /* of stint__worker: those that sleep, the last to fall asleep first */
    struct stint__queue queue;
    struct stint__limit limit; /* of all methods together */
    struct stint__timer sweep; /* gives up what no worker has taken in time, */
    stint_time sweep_at;       /* at this time; INT64_MAX ns: not armed */
    bool closed;
};

struct stint__worker {
    stint_server *server;
    pthread_t thread;
    struct stint__list idle; /* [work] in the work's list while it sleeps */
    pthread_cond_t wake;     /* it is not in that list any more */
};

struct stint_server {
    stint_server_options opts; /* with the defaults filled in */
    size_t n_interceptors;
    char name[STINT__LEDGER_SERVICE_MAX + 1]; /* "": each service's own */
    struct stint__logger logger;
    struct stint__server_counters counters;
    atomic_uint refs;              /* the owner, and each call until its memory is freed */
    atomic_int state;              /* enum stint__server_state; written under the mutex */
    atomic_uint_fast32_t admitted; /* calls that take memory: what max_inflight limits */
    atomic_uint_fast32_t
        inflight; /* requests whose answers are not handed over yet: what drain awaits */

    /* Fixed once it runs, until it is taken apart. */
    struct stint__method_entry *methods; /* sorted by path */
    size_t n_methods;
    struct stint__acceptor **acceptors;
    size_t n_acceptors;
    struct stint__worker *workers;
    uint32_t n_workers;

    struct stint__work work;

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct stint__list conns;
    size_t flushing; /* acceptors whose replies are not all written yet */
    size_t users;    /* threads that look at the acceptors */
    enum stint__server_end end;
};

/* The server's view of a connection: conn_data of the transport's callbacks. */
struct stint__server_conn {
    stint_server *server;
    struct stint__conn *conn; /* referenced */
    struct stint__list link;  /* in server->conns */
    pthread_mutex_t mutex;
    struct stint__list calls;
    struct stint__map by_key; /* the same calls, for CANCEL */
    uint64_t tombstones[STINT__TOMBSTONES];
    unsigned n_tombstones, next_tombstone;
    bool gone;
    /* For the thread that delivers what was read: one at a time. */
    struct stint__transit transit; /* of frames from the other host, */
    uint64_t domain;               /* and whose clock that is */
    atomic_uint refs;              /* the connection until it is closed, and each call's memory */
    atomic_uint admitted;          /* its part of server->admitted: limited, too */
};

/* Bits of stint_call.progress; see the top. */
enum { STINT__CALL_STARTED = 1, STINT__CALL_ANSWERED = 2 };

struct stint__server_layer {
    stint_interception seen;
    stint_ctx *ctx;
    bool begun;
};

struct stint_call {
    stint_server *server;
    struct stint__server_conn *sc; /* referenced */
    struct stint__reply_to to;
    const struct stint__method_entry *entry;
    stint_ctx *own;       /* what arrival made: cancelled with the call */
    const stint_ctx *ctx; /* what the handler sees: own, or what interceptors derived; not a ref */
    stint_time arrival, deadline; /* the caller's deadline, not yet less the reserve */
    stint_time handler_deadline;  /* less the reserve */
    stint_duration transit;       /* how long the request was under way, as far as is known */
    stint_time run_at;            /* when its handler was about to run; 0: not yet */
    uint32_t probe;               /* as in stint__arrival */
    stint_duration taken, needed; /* by the handler, once it has answered; see learn.c */
    uint64_t call_id, key;
    struct stint__slice payload; /* in `payload_owner`, in the arena, or (running where it was read)
                                    in the transport's buffer */
    struct stint__buf *payload_owner;
    stint_metadata *metadata, *reply_metadata;
    stint_error error; /* what the handler said with stint_call_fail */
    struct stint__slice details;

    atomic_uint refs;
    atomic_uint progress;
    atomic_bool listed; /* in the connection's list; written under its mutex */
    atomic_bool deferred;
    atomic_bool occupies; /* counts as running in the queue */
    clockid_t cpu_clock;  /* of the thread that runs the handler; set before it starts */
    atomic_int_fast64_t cancelled_cpu; /* its reading when the call was cancelled; 0: it was not */
    bool admitted;                     /* counts in server->admitted; written by whoever answers */
    struct stint__timer timer;         /* the handler's deadline, of a deferred call */
    struct stint__waiter waiter;
    struct stint__list conn_link;
    struct stint__server_layer *layers;
    atomic_int layers_state; /* see layers.c */
    bool spoken;             /* the handler answers: what it attached goes with the reply */

    struct stint__arena arena;
    _Alignas(max_align_t) uint8_t first[STINT__CALL_ARENA_FIRST];
};

static inline void stint__count(atomic_uint_fast64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* One call less is admitted on the connection (NULL: of none). */
static inline void stint__make_room(stint_server *s, struct stint__server_conn *sc)
{
    atomic_fetch_sub(&s->admitted, 1);
    if (sc != NULL)
        atomic_fetch_sub(&sc->admitted, 1);
}

static inline bool stint__call_is_answered(const stint_call *call)
{
    return (atomic_load(&call->progress) & STINT__CALL_ANSWERED) != 0;
}

static inline bool stint__call_has_started(const stint_call *call)
{
    return (atomic_load(&call->progress) & STINT__CALL_STARTED) != 0;
}

/* Counts an outcome for the server, and for the method (NULL: not known). */
static inline void stint__tell(stint_server *s, const struct stint__method_entry *entry,
                               enum stint__outcome outcome)
{
    stint__count(&s->counters.outcomes[outcome]);
    if (entry != NULL)
        stint__count(&entry->state->outcomes[outcome]);
}

/* Takes back what was told of a call that ends otherwise. */
static inline void stint__untell(stint_server *s, const struct stint__method_entry *entry,
                                 enum stint__outcome outcome)
{
    atomic_fetch_sub_explicit(&s->counters.outcomes[outcome], 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&entry->state->outcomes[outcome], 1, memory_order_relaxed);
}

/* ---- admission.c: what a request has left, and whether that is enough ---- */

/* What is known about a request before there is a call. */
struct stint__arrival {
    stint_server *server;
    struct stint__server_conn *sc;
    struct stint__conn *conn;
    const struct stint__reply_to *to;
    const struct stint__incoming *in;
    const struct stint__method_entry *entry; /* NULL: not known yet */
    stint_time now;
    stint_time deadline, handler_deadline; /* see stint_call */
    stint_duration transit;
    uint32_t
        probe; /* it may have too little time, and stands for so many that have; 0: it is none */
};

/* Finds out when the request has to be answered; needs the method. */
void stint__arrival_set_times(struct stint__arrival *a);

/* Whether there is too little time for it: fills *why. A call that is let in although there is, to
 * learn whether there is still, becomes a probe. */
bool stint__arrival_lacks_time(struct stint__arrival *a, stint_error *why);

/* What a call of the method must have left to be let in now; 0: anything will do. */
stint_duration stint__method_asks(stint_server *s, const struct stint__method_entry *entry,
                                  stint_time now);

/* The same as callers are told. */
stint_duration stint__method_asks_callers(const stint_server *s,
                                          const struct stint__method_entry *entry, stint_time now);

/* When the call must have been given to its handler; to be passed to the queue. */
stint_time stint__call_due(const stint_call *call);

/* Why a call that waited is given up now, and how that counts. */
enum stint__outcome stint__call_given_up(const stint_call *call, stint_time now, stint_error *why);

/* What a client is asked to wait when there is no room. */
stint_duration stint__server_pushback(stint_server *s);

/* ---- learn.c: what calls of a method need ---- */

/* The time that nearly all calls of the method need, and that half of them do; 0: not known. */
stint_duration stint__method_needs(const struct stint__method_entry *entry, stint_time now);
stint_duration stint__method_typical(const struct stint__method_entry *entry, stint_time now);

/* The handler has answered with `code`: sets call->taken and call->needed, and learns from them. */
void stint__call_learn(stint_call *call, stint_code code, stint_time now);

/* ---- methods.c ---- */

void stint__methods_free(stint_server *s);

const struct stint__method_entry *stint__method_find(const stint_server *s,
                                                     struct stint__slice path);

/* ---- conn.c: connections and the calls on them ---- */

void *stint__server_on_opened(void *arg, struct stint__conn *conn);
void stint__server_on_cancel(void *arg, void *conn_data, struct stint__conn *conn,
                             const struct stint__reply_to *to);
void stint__server_on_closed(void *arg, void *conn_data, struct stint__conn *conn);

struct stint__server_conn *stint__server_conn_ref(struct stint__server_conn *sc);
void stint__server_conn_unref(struct stint__server_conn *sc);

/* Lists the call, so that cancellation and loss find it, unless it has been answered. Other than
 * NULL: nobody wants it (the connection is gone, or the cancel came first), and why; it is then not
 * listed. */
const char *stint__conn_list_call(stint_call *call);
void stint__conn_unlist_call(stint_call *call);

/* Ends every call of every connection. */
void stint__server_refuse_all(stint_server *s, const stint_error *why);

/* ---- arrive.c: from a frame to a call ---- */

void stint__server_on_request(void *arg, void *conn_data, struct stint__conn *conn,
                              const struct stint__reply_to *to, const struct stint__incoming *in);

/* ---- run.c: from a call to its answer ---- */

void stint__call_run(stint_call *call);
/* Makes a call that ran where it was read visible to cancellation, now that it is deferred. */
void stint__call_watch(stint_call *call);
void stint__call_ref(stint_call *call);
void stint__call_unref(stint_call *call);

/* ---- answer.c ---- */

/* Initialises a stint_error that says why no handler runs. */
#define STINT__REFUSAL(code, reason, text)                                                         \
    {                                                                                              \
        (code), STINT_ORIGIN_LOCAL, (reason), true, 0, text                                        \
    }

/* Answers a request that never became a call. */
void stint__refuse_request(const struct stint__arrival *a, const stint_error *why);

/* Each of these answers the call if nobody has yet; true if it was this one. The last two are for
 * others than its handler: its context ends with that cause before anybody hears of it, and
 * not_executed is what is so. It is counted as that outcome if its handler has not started, and as
 * failed if it has (late, too, if that is the outcome); the last one counts it as cancelled. */
bool stint__call_answer(stint_call *call, stint_code code, const ProtobufCMessage *rep);
bool stint__call_refuse(stint_call *call, const stint_error *why, enum stint__outcome outcome);
bool stint__call_abandon(stint_call *call, const char *why); /* nobody waits for the answer */

/* ---- workers.c ---- */

void stint__work_init(stint_server *s);
void stint__work_fini(stint_server *s);
stint_code stint__workers_start(stint_server *s, stint_error *err);
/* Puts the call, with its reference, into the queue. Other than OK: it could not be, *err says why,
 * and the reference is still the caller's. */
stint_code stint__work_push(stint_call *call, stint_error *err);
/* The call was answered: it need not wait any longer, if it did; and if it was deferred, it does
 * not run any longer. */
void stint__work_forget(stint_call *call);
/* Marks this thread as one of the server's (NULL: of none); returns whose it was before. */
const stint_server *stint__work_for(const stint_server *s);
bool stint__is_worker_of(const stint_server *s);
/* Starts a thread that gets no signals. False: there is none. */
STINT_NODISCARD bool stint__thread_start(pthread_t *ret, void *(*fn)(void *arg), void *arg);
/* Lets the workers finish what is queued (each refused) and end; joins them. */
void stint__workers_stop(stint_server *s);

/* ---- layers.c ---- */

/* Runs begin in order. Other than OK: one refused, or the call has been answered meanwhile. */
stint_code stint__server_layers_begin(stint_call *call, stint_error *err);
/* Runs end, if every begin has run. */
void stint__server_layers_end(stint_call *call, const stint_error *outcome);
void stint__server_layers_free(stint_call *call);

/* ---- server.c ---- */

/* One call less in flight: drain may be waiting for it. */
void stint__server_leave(stint_server *s);
void stint__server_unref(stint_server *s);

/* ---- end.c ---- */

/* What calls are told that the end of the server ends. */
extern const stint_error stint__server_stopped;

/* Keeps the acceptors until unuse; returns how many there are, none once a stop is about to close
 * them. */
size_t stint__server_use(stint_server *s);
void stint__server_unuse(stint_server *s);

#endif
